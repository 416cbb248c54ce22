/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What GTK 3 lacks on X11: a pointer held in a window with its raw motion, and a keyboard grab that
 * ends when another program takes the focus. Thread: main. */

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef struct UiX11 UiX11;

typedef struct {
    /* while the pointer is locked, in units of the window, with fractions */
    void (*motion)(gpointer data, double dx, double dy);
    /* the focus went to another window in spite of the grab: let go */
    void (*focus_lost)(gpointer data);
    gpointer data;
} UiX11Events;

/* NULL where the display is not X11. */
UiX11 *ui_x11_new(GdkDisplay *display, const UiX11Events *events);
void ui_x11_free(UiX11 *x11);
/* TOPLEVEL is the window of a toplevel widget. False: somebody else has the grab. */
gboolean ui_x11_grab_keyboard(UiX11 *x11, GdkWindow *toplevel);
gboolean ui_x11_lock_pointer(UiX11 *x11, GdkWindow *window);
/* The pointer moved while locked: away from the edges with it. */
void ui_x11_keep_inside(UiX11 *x11, double x_root, double y_root);
/* Lets go of both; the pointer is back where it was locked. */
void ui_x11_release(UiX11 *x11);

G_END_DECLS
