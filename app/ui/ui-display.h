/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The guest's screen as a widget: draws the newest frame, takes keyboard and pointer, grabs and
 * lets go. Drawing is by GL textures, or by cairo where GL is software; the two show the same
 * pixels. Thread: main. */

#include "app-hotkeys.h"
#include "app-viewport.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef enum {
    UI_FILTER_LINEAR,
    UI_FILTER_NEAREST,
    UI_FILTER_SHARP, /* nearest to the next whole multiple, then linear */
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
    gboolean correct_aspect;
    guint64 n_drawn;    /* frames that reached the window */
    gint64 draw_ns;     /* time spent on that */
    guint64 last_drawn; /* serial of the last one */
    gpointer data;      /* the implementation's */
};

extern const UiPainterOps ui_painter_cairo;
extern const UiPainterOps ui_painter_gl;
/* Which of the two fits this display: VITRINE_PAINTER=gl|cairo, else by looking at the renderer. */
const UiPainterOps *ui_painter_choose(void);
/* By name; what ui_painter_choose() says for NULL. */
const UiPainterOps *ui_painter_find(const char *name);
/* Where the picture lies, in device pixels of the painter's widget. */
AppViewport ui_painter_viewport(UiPainter *painter);
/* Whether pixels are to be shown as they are: as wished, or because they fit. */
gboolean ui_painter_is_exact(UiPainter *painter, const AppViewport *viewport);
/* To be called around drawing. */
gint64 ui_painter_begin(UiPainter *painter);
void ui_painter_end(UiPainter *painter, gint64 begun_ns);

/* What is grabbed, as far as the desktop says. */
typedef enum {
    UI_GRAB_NONE,
    UI_GRAB_FULL,    /* all keys, and the pointer where the guest takes motion only */
    UI_GRAB_LIMITED, /* the desktop keeps shortcuts of its own */
} UiGrabState;

/* When to grab; bits, as the setting "grab-on". */
enum {
    UI_GRAB_ON_CLICK = 1,
    UI_GRAB_ON_FOCUS = 2,
    UI_GRAB_ON_FULLSCREEN = 4,
};

#define UI_TYPE_DISPLAY (ui_display_get_type())
G_DECLARE_FINAL_TYPE(UiDisplay, ui_display, UI, DISPLAY, GtkEventBox)

/* Signals: "grab-changed" (): see ui_display_get_grab_state;
 *          "hotkey" (int AppHotkey, uint number): a command of the window was pressed. */

GtkWidget *ui_display_new(void);
/* NULL: shows nothing. References are taken. */
void ui_display_set_source(UiDisplay *display, VitDisplay *screen, VitInput *input);
/* A machine that is paused changes nothing: its screen is hardly looked at. Default TRUE. */
void ui_display_set_live(UiDisplay *display, gboolean live);
void ui_display_set_scale_mode(UiDisplay *display, AppScaleMode mode);
AppScaleMode ui_display_get_scale_mode(UiDisplay *display);
void ui_display_set_filter(UiDisplay *display, UiFilter filter);
void ui_display_set_correct_aspect(UiDisplay *display, gboolean correct);
/* Size of the picture at one device pixel per guest pixel, in logical units; zeros without one. */
void ui_display_get_natural_size(UiDisplay *display, int *out_width, int *out_height);
void ui_display_set_release_key(UiDisplay *display, const char *text);
void ui_display_set_grab_on(UiDisplay *display, guint bits);
/* Accelerators that never go to the guest. */
void ui_display_set_host_keys(UiDisplay *display, const char *const *accelerators);
UiGrabState ui_display_get_grab_state(UiDisplay *display);
gboolean ui_display_is_grabbed(UiDisplay *display);
void ui_display_set_grabbed(UiDisplay *display, gboolean grabbed);
/* The window went to full screen or back. */
void ui_display_set_fullscreen(UiDisplay *display, gboolean fullscreen);
/* The host's pointer stays visible over the guest's picture. Default FALSE. */
void ui_display_set_show_cursor(UiDisplay *display, gboolean show);
/* The keyboard is taken while the pointer is over the screen. Default FALSE. */
void ui_display_set_grab_on_hover(UiDisplay *display, gboolean grab);
/* Shows and takes input as FROM does. */
void ui_display_copy_settings(UiDisplay *display, UiDisplay *from);
/* What it shows; NULL. Borrowed. */
VitDisplay *ui_display_get_screen(UiDisplay *display);
/* "gl", "cairo", or NULL: whichever fits. */
void ui_display_set_painter(UiDisplay *display, const char *name);
const char *ui_display_get_painter_name(UiDisplay *display);

G_END_DECLS
