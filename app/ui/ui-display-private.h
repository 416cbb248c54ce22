/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Between ui-display.c (picture), ui-display-input.c (keys, pointer) and ui-display-grab.c. */

#include "ui-display.h"
#include "ui-wayland.h"
#include "ui-x11.h"

typedef struct {
    guint keyval;
    GdkModifierType modifiers;
} UiHostKey;

struct _UiDisplay {
    GtkEventBox parent;
    UiPainter painter;
    VitDisplay *screen;
    VitInput *input;
    gboolean live;

    /* keys */
    AppHotkeys hotkeys;
    guint32 sent[24];  /* keys the guest has been told are down */
    GArray *host_keys; /* UiHostKey */
    char *release_key;

    /* grab */
    guint grab_on;
    gboolean grab_on_hover, hover_grabbed;
    gboolean fullscreen;
    gboolean keyboard_grabbed, pointer_grabbed;
    gboolean shortcuts_inhibited; /* Wayland: the compositor agrees */
    UiWayland *wayland;           /* one of the two, from the first grab on */
    UiX11 *x11;

    /* pointer */
    gboolean show_cursor;
    double rest_x, rest_y; /* of relative motion, below one */
    double scroll_rest_x, scroll_rest_y;
};

void ui_display_init_input(UiDisplay *display);
void ui_display_class_init_input(GtkWidgetClass *klass);
void ui_display_release_keys(UiDisplay *display);
/* Motion of the pointer in guest units, with fractions. */
void ui_display_move_relative(UiDisplay *display, double dx, double dy);
void ui_display_update_cursor(UiDisplay *display);

/* KEYBOARD and POINTER: what to have from now on. */
void ui_display_grab(UiDisplay *display, gboolean keyboard, gboolean pointer);
void ui_display_grab_keyboard(UiDisplay *display);
void ui_display_finish_grab(UiDisplay *display);
