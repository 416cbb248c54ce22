/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The screen widget: its picture and settings. Keys and pointer are in ui-display-input.c, grabs
 * in ui-display-grab.c. */

#include "ui-display-private.h"

#include <glib/gi18n.h>

G_DEFINE_FINAL_TYPE(UiDisplay, ui_display, GTK_TYPE_EVENT_BOX)

enum { SIGNAL_GRAB_CHANGED, SIGNAL_HOTKEY, SIGNAL_LAST };
static guint signals[SIGNAL_LAST];

enum { DEFAULT_RATE = 60, PAUSED_RATE = 1 };

/* ---- Frames ---- */

static void
take_frame(UiDisplay *display)
{
    const VitFrame *frame = vit_display_take_frame(display->screen);
    gboolean first = display->painter.frame == NULL;

    if (frame) {
        display->painter.frame = frame;
        display->painter.ops->frame(&display->painter);
        if (first) {
            ui_display_update_cursor(display);
        }
    }
}

static void
on_frame(VitDisplay *screen, UiDisplay *display)
{
    take_frame(display);
}

static void
on_resized(VitDisplay *screen, int width, int height, UiDisplay *display)
{
    gtk_widget_queue_draw(display->painter.widget);
}

static void
on_pointer_mode(VitInput *input, UiDisplay *display)
{
    if (display->pointer_grabbed && vit_input_is_absolute(input)) {
        ui_display_set_grabbed(display, FALSE);
    }
    ui_display_update_cursor(display);
}

/* The monitor's own rate while the window can be seen, nothing otherwise. */
static void
update_rate(UiDisplay *display)
{
    GtkWidget *widget = GTK_WIDGET(display);
    GdkWindow *window = gtk_widget_get_window(widget);
    GdkMonitor *monitor;
    int rate = DEFAULT_RATE;

    if (!display->screen) {
        return;
    }
    if (!gtk_widget_get_mapped(widget) || !window) {
        vit_display_set_rate(display->screen, 0);
        return;
    }
    monitor = gdk_display_get_monitor_at_window(gdk_window_get_display(window), window);
    if (monitor && gdk_monitor_get_refresh_rate(monitor) > 0) {
        rate = (gdk_monitor_get_refresh_rate(monitor) + 500) / 1000;
    }
    vit_display_set_rate(display->screen, display->live ? CLAMP(rate, 30, 240) : PAUSED_RATE);
}

void
ui_display_set_live(UiDisplay *display, gboolean live)
{
    if (display->live != live) {
        display->live = live;
        update_rate(display);
    }
}

void
ui_display_set_source(UiDisplay *display, VitDisplay *screen, VitInput *input)
{
    if (display->screen == screen) {
        return;
    }
    ui_display_set_grabbed(display, FALSE);
    if (display->screen) {
        vit_display_set_rate(display->screen, 0);
        g_signal_handlers_disconnect_by_data(display->screen, display);
        vit_display_release_frame(display->screen);
    }
    if (display->input) {
        g_signal_handlers_disconnect_by_data(display->input, display);
    }
    display->painter.frame = NULL;
    g_set_object(&display->screen, screen);
    g_set_object(&display->input, input);
    if (input) {
        g_signal_connect(input, "pointer-mode-changed", G_CALLBACK(on_pointer_mode), display);
    }
    if (screen) {
        g_signal_connect(screen, "frame", G_CALLBACK(on_frame), display);
        g_signal_connect(screen, "resized", G_CALLBACK(on_resized), display);
        update_rate(display);
        take_frame(display);
    }
    ui_display_update_cursor(display);
    gtk_widget_queue_draw(display->painter.widget);
}

/* ---- Settings ---- */

void
ui_display_set_scale_mode(UiDisplay *display, AppScaleMode mode)
{
    display->painter.mode = mode;
    gtk_widget_queue_draw(display->painter.widget);
}

AppScaleMode
ui_display_get_scale_mode(UiDisplay *display)
{
    return display->painter.mode;
}

void
ui_display_set_filter(UiDisplay *display, UiFilter filter)
{
    display->painter.filter = filter;
    gtk_widget_queue_draw(display->painter.widget);
}

void
ui_display_set_correct_aspect(UiDisplay *display, gboolean correct)
{
    display->painter.correct_aspect = correct;
    gtk_widget_queue_draw(display->painter.widget);
}

void
ui_display_get_natural_size(UiDisplay *display, int *out_width, int *out_height)
{
    const VitFrame *frame = display->painter.frame;
    int scale = gtk_widget_get_scale_factor(GTK_WIDGET(display));

    *out_width = *out_height = 0;
    if (frame) {
        app_viewport_shape(frame->width, frame->height, display->painter.correct_aspect, out_width,
                           out_height);
        *out_width = (*out_width + scale - 1) / scale;
        *out_height = (*out_height + scale - 1) / scale;
    }
}

VitDisplay *
ui_display_get_screen(UiDisplay *display)
{
    return display->screen;
}

const char *
ui_display_get_painter_name(UiDisplay *display)
{
    return display->painter.ops->name;
}

static void
make_painter(UiDisplay *display)
{
    display->painter.widget = display->painter.ops->create(&display->painter);
    gtk_widget_set_size_request(display->painter.widget, 320, 200);
    gtk_widget_show(display->painter.widget);
    gtk_container_add(GTK_CONTAINER(display), display->painter.widget);
}

void
ui_display_set_painter(UiDisplay *display, const char *name)
{
    const UiPainterOps *ops = ui_painter_find(name);

    if (ops != display->painter.ops) {
        gtk_widget_destroy(display->painter.widget);
        display->painter.ops = ops;
        display->painter.data = NULL;
        make_painter(display);
    }
}

/* ---- GObject ---- */

static void
ui_display_map(GtkWidget *widget)
{
    GTK_WIDGET_CLASS(ui_display_parent_class)->map(widget);
    update_rate(UI_DISPLAY(widget));
}

static void
ui_display_unmap(GtkWidget *widget)
{
    ui_display_set_grabbed(UI_DISPLAY(widget), FALSE);
    ui_display_release_keys(UI_DISPLAY(widget));
    GTK_WIDGET_CLASS(ui_display_parent_class)->unmap(widget);
    update_rate(UI_DISPLAY(widget));
}

static void
ui_display_dispose(GObject *object)
{
    UiDisplay *display = UI_DISPLAY(object);

    if (display->screen) {
        g_signal_handlers_disconnect_by_data(display->screen, display);
        vit_display_set_rate(display->screen, 0);
    }
    if (display->input) {
        g_signal_handlers_disconnect_by_data(display->input, display);
    }
    display->painter.frame = NULL;
    ui_display_finish_grab(display);
    g_clear_object(&display->screen);
    g_clear_object(&display->input);
    g_clear_pointer(&display->host_keys, g_array_unref);
    g_clear_pointer(&display->release_key, g_free);
    G_OBJECT_CLASS(ui_display_parent_class)->dispose(object);
}

static void
ui_display_class_init(UiDisplayClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    GType type = G_TYPE_FROM_CLASS(klass);

    G_OBJECT_CLASS(klass)->dispose = ui_display_dispose;
    widget_class->map = ui_display_map;
    widget_class->unmap = ui_display_unmap;
    ui_display_class_init_input(widget_class);
    signals[SIGNAL_GRAB_CHANGED] =
        g_signal_new("grab-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_HOTKEY] = g_signal_new("hotkey", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                          G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_UINT);
}

static void
ui_display_init(UiDisplay *display)
{
    GtkWidget *widget = GTK_WIDGET(display);
    AtkObject *accessible = gtk_widget_get_accessible(widget);

    atk_object_set_role(accessible, ATK_ROLE_DRAWING_AREA);
    atk_object_set_name(accessible, _("Guest screen"));
    gtk_widget_set_can_focus(widget, TRUE);
    display->live = TRUE;
    ui_display_init_input(display);
    gtk_event_box_set_above_child(GTK_EVENT_BOX(display), TRUE);
    display->painter.ops = ui_painter_choose();
    make_painter(display);
}

GtkWidget *
ui_display_new(void)
{
    return g_object_new(UI_TYPE_DISPLAY, NULL);
}
