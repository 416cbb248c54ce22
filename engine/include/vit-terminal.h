/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A terminal of a machine: a byte stream to a monitor, a serial or a parallel port whose device
 * is "vc", to be shown by a terminal widget. Thread: the machine's context. */

#include <gio/gio.h>

G_BEGIN_DECLS

typedef enum {
    VIT_TERMINAL_MONITOR,
    VIT_TERMINAL_SERIAL,
    VIT_TERMINAL_PARALLEL,
    VIT_TERMINAL_OTHER,
} VitTerminalRole;

#define VIT_TYPE_TERMINAL (vit_terminal_get_type())
G_DECLARE_FINAL_TYPE(VitTerminal, vit_terminal, VIT, TERMINAL, GObject)

/* Signals: "output" (GBytes *bytes): in order, nothing left out while the listener keeps up; a
 * listener that is more than VIT_TERMINAL_BACKLOG_BYTES behind loses the oldest. */

enum { VIT_TERMINAL_BACKLOG_BYTES = 1 << 20 };

/* Id of the character device: "serial0", "compat_monitor0". */
const char *vit_terminal_get_id(VitTerminal *terminal);
VitTerminalRole vit_terminal_get_role(VitTerminal *terminal);
/* 0, 1, ... among those of its role. */
guint vit_terminal_get_number(VitTerminal *terminal);
/* Begins "output", first with what is kept of the time before. Once. */
void vit_terminal_open(VitTerminal *terminal);
/* Keys typed. The escape keys of a multiplexer (Ctrl-a c) are among them. */
void vit_terminal_write(VitTerminal *terminal, const char *text, gsize len_bytes);
/* Size of the view in characters. */
void vit_terminal_set_size(VitTerminal *terminal, guint columns, guint rows);

G_END_DECLS
