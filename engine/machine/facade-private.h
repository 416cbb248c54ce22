/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Between the GObjects of this folder (vit-machine.c, vit-display.c, vit-input.c). */

#include "display-publisher.h"
#include "machine-private.h"
#include "vit-media.h"
#include "vit-stats.h"
#include "vit-terminal.h"

/* An idle source of default priority in CONTEXT. Any thread. */
void facade_post(GMainContext *context, GSourceFunc func, gpointer data, GDestroyNotify destroy);

/* A question to the machine (facade-call.c). RUN is called on the machine thread with the device
 * lock held and fills in ERROR, or RESULT with its free function, or nothing for plain success. */
typedef struct FacadeCall FacadeCall;
struct FacadeCall {
    void (*run)(FacadeCall *call);
    char *text, *more; /* copied */
    gboolean flag;
    gpointer object; /* borrowed: what the task's source object keeps */
    /* set by the call itself */
    Machine *machine;
    GMainContext *app_context;
    GTask *task;
    GError *error;
    gpointer result;
    GDestroyNotify free_result;
};
/* Takes TASK and copies CALL. MACHINE NULL: answers that it is gone. Application's context. */
void facade_call(Machine *machine, GMainContext *app_context, GTask *task, const FacadeCall *call);
void vit_machine_call(VitMachine *machine, GTask *task, const FacadeCall *call);

/* Device lock held. */
VitMediaRole facade_media_role(Machine *machine, VitDrive *drive);
void facade_sample_stats(Machine *machine, VitStats *out);

/* Glyph of IBM code page 437, control codes as the pictures VGA shows. */
gunichar facade_cp437_to_unicode(uint8_t character);

/* Device lock held. */
VitDisplay *vit_display_new_for_console(Machine *machine, VitConsole *console,
                                        GMainContext *app_context);
/* The machine is going away; device lock not held. */
void vit_display_detach(VitDisplay *display);
/* Something is about to happen on the screen. Machine thread. */
void vit_display_wake(VitDisplay *display);
/* Frames published so far. Machine thread. */
guint64 vit_display_count_frames(VitDisplay *display);

/* Adds a VitTerminal for each "vc". Device lock held. */
void facade_add_terminals(Machine *machine, GMainContext *app_context, GPtrArray *terminals);
/* Device lock not held. */
void vit_terminal_detach(VitTerminal *terminal);

VitInput *vit_input_new_for_hub(Machine *machine, VitInputHub *hub, GMainContext *app_context);
void vit_input_detach(VitInput *input);
