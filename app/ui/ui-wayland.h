/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What GTK 3 lacks on Wayland: a pointer locked in place with its relative motion, and a keyboard
 * whose compositor shortcuts are inhibited, with the compositor's true answer. Thread: main. */

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef struct UiWayland UiWayland;

typedef struct {
    void (*motion)(gpointer data, double dx, double dy); /* while the pointer is locked */
    void (*shortcuts)(gpointer data, gboolean inhibited);
    gpointer data;
} UiWaylandEvents;

/* NULL where the display is not Wayland. */
UiWayland *ui_wayland_new(GdkDisplay *display, const UiWaylandEvents *events);
void ui_wayland_free(UiWayland *wayland);
/* TOPLEVEL is the window of a toplevel widget. False: the compositor cannot. */
gboolean ui_wayland_inhibit_shortcuts(UiWayland *wayland, GdkWindow *toplevel);
gboolean ui_wayland_lock_pointer(UiWayland *wayland, GdkWindow *toplevel);
void ui_wayland_release(UiWayland *wayland);

G_END_DECLS
