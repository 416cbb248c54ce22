/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The guest's screen as a widget: draws the newest frame, takes keyboard and pointer, grabs and
 * lets go. Drawing is by GL textures, or by cairo where GL is software; the two show the same
 * pixels. Thread: main. */

#include "app-viewport.h"
#include "vit-engine.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef enum {
    UI_FILTER_LINEAR,
    UI_FILTER_NEAREST,
} UiFilter;

/* How frames get onto the screen. One implementation per file. */
typedef struct UiPainter UiPainter;
typedef struct UiPainterOps {
    const char *name;
    GtkWidget *(*create)(UiPainter *painter);
    /* A newer frame is in painter->frame; its rects say what changed. */
    void (*frame)(UiPainter *painter);
} UiPainterOps;

struct UiPainter {
    const UiPainterOps *ops;
    GtkWidget *widget;
    const VitFrame *frame; /* NULL before the first */
    AppScaleMode mode;
    UiFilter filter;
    gpointer data; /* the implementation's */
};

extern const UiPainterOps ui_painter_cairo;
extern const UiPainterOps ui_painter_gl;
/* Which of the two fits this display: VITRINE_PAINTER=gl|cairo, else by looking at the renderer. */
const UiPainterOps *ui_painter_choose(void);
/* Where the picture lies, in device pixels of the painter's widget. */
AppViewport ui_painter_viewport(UiPainter *painter);

#define UI_TYPE_DISPLAY (ui_display_get_type())
G_DECLARE_FINAL_TYPE(UiDisplay, ui_display, UI, DISPLAY, GtkEventBox)

/* Signals: "grab-changed" (): see ui_display_is_grabbed. */

GtkWidget *ui_display_new(void);
/* NULL: shows nothing. References are taken. */
void ui_display_set_source(UiDisplay *display, VitDisplay *screen, VitInput *input);
void ui_display_set_scale_mode(UiDisplay *display, AppScaleMode mode);
AppScaleMode ui_display_get_scale_mode(UiDisplay *display);
void ui_display_set_filter(UiDisplay *display, UiFilter filter);
gboolean ui_display_is_grabbed(UiDisplay *display);
void ui_display_set_grabbed(UiDisplay *display, gboolean grabbed);
const char *ui_display_get_painter_name(UiDisplay *display);

G_END_DECLS
