/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The screen widget. Keyboard goes to the guest while the widget has the focus; a click grabs: the
 * pointer is confined and hidden and moves relatively, unless the guest takes absolute positions.
 * Ctrl+Alt pressed and released together, or loss of focus, lets go; nothing stays pressed. */

#include "ui-display.h"

#include <glib/gi18n.h>
#include <linux/input-event-codes.h>
#include <string.h>

struct _UiDisplay {
    GtkEventBox parent;
    UiPainter painter;
    VitDisplay *screen;
    VitInput *input;
    gboolean grabbed;
    gboolean release_armed; /* Ctrl and Alt are down and nothing else was pressed since */
    guint32 down[(KEY_CNT + 31) / 32];
    double last_x, last_y;
    gboolean have_last;
    double scroll_rest_x, scroll_rest_y;
};

G_DEFINE_FINAL_TYPE(UiDisplay, ui_display, GTK_TYPE_EVENT_BOX)

static guint grab_changed_signal;

enum { X11_KEYCODE_OFFSET = 8, DEFAULT_RATE = 60 };

/* ---- Frames ---- */

static void
take_frame(UiDisplay *display)
{
    const VitFrame *frame = vit_display_take_frame(display->screen);

    if (frame) {
        display->painter.frame = frame;
        display->painter.ops->frame(&display->painter);
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
update_rate(UiDisplay *display)
{
    if (display->screen) {
        gboolean visible = gtk_widget_get_mapped(GTK_WIDGET(display));

        vit_display_set_rate(display->screen, visible ? DEFAULT_RATE : 0);
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
    display->painter.frame = NULL;
    g_set_object(&display->screen, screen);
    g_set_object(&display->input, input);
    if (screen) {
        g_signal_connect(screen, "frame", G_CALLBACK(on_frame), display);
        g_signal_connect(screen, "resized", G_CALLBACK(on_resized), display);
        update_rate(display);
        take_frame(display);
    }
    gtk_widget_queue_draw(display->painter.widget);
}

/* ---- Grab ---- */

static void
update_cursor(UiDisplay *display)
{
    GdkWindow *window = gtk_widget_get_window(GTK_WIDGET(display));
    g_autoptr(GdkCursor) blank = NULL;

    if (!window) {
        return;
    }
    if (display->grabbed) {
        blank = gdk_cursor_new_for_display(gdk_window_get_display(window), GDK_BLANK_CURSOR);
    }
    gdk_window_set_cursor(window, blank);
}

static void
release_keys(UiDisplay *display)
{
    for (unsigned key = 0; key < KEY_CNT; key++) {
        if (display->down[key / 32] >> (key % 32) & 1) {
            vit_input_send_key(display->input, key, FALSE);
        }
    }
    memset(display->down, 0, sizeof(display->down));
    if (display->input) {
        vit_input_release_everything(display->input);
    }
}

/* Two grabs, keyboard and pointer apart, both on the toplevel: a Wayland compositor lets go of its
 * own shortcuts only for a grab of the keyboard alone. */
static gboolean
take_grab(UiDisplay *display)
{
    GtkWidget *toplevel = gtk_widget_get_toplevel(GTK_WIDGET(display));
    GdkWindow *window = gtk_widget_get_window(toplevel);
    GdkSeat *seat = gdk_display_get_default_seat(gdk_window_get_display(window));

    return gdk_seat_grab(seat, window, GDK_SEAT_CAPABILITY_KEYBOARD, TRUE, NULL, NULL, NULL,
                         NULL) == GDK_GRAB_SUCCESS;
}

void
ui_display_set_grabbed(UiDisplay *display, gboolean grabbed)
{
    GtkWidget *toplevel = gtk_widget_get_toplevel(GTK_WIDGET(display));

    if (display->grabbed == grabbed) {
        return;
    }
    if (grabbed) {
        if (!display->input || !gtk_widget_get_mapped(GTK_WIDGET(display)) || !take_grab(display)) {
            return;
        }
    } else {
        if (gtk_widget_get_window(toplevel)) {
            gdk_seat_ungrab(gdk_display_get_default_seat(gtk_widget_get_display(toplevel)));
        }
        release_keys(display);
    }
    display->grabbed = grabbed;
    display->have_last = FALSE;
    update_cursor(display);
    g_signal_emit(display, grab_changed_signal, 0);
}

gboolean
ui_display_is_grabbed(UiDisplay *display)
{
    return display->grabbed;
}

/* ---- Keyboard ---- */

static gboolean
is_down(UiDisplay *display, unsigned key)
{
    return display->down[key / 32] >> (key % 32) & 1;
}

static gboolean
on_key(GtkWidget *widget, GdkEventKey *event)
{
    UiDisplay *display = UI_DISPLAY(widget);
    gboolean down = event->type == GDK_KEY_PRESS;
    unsigned key;

    if (!display->input || event->hardware_keycode < X11_KEYCODE_OFFSET) {
        return FALSE;
    }
    /* both X11 with evdev and Wayland give Linux codes, 8 up */
    key = event->hardware_keycode - X11_KEYCODE_OFFSET;
    if (key >= KEY_CNT) {
        return FALSE;
    }
    if (down) {
        display->down[key / 32] |= 1u << (key % 32);
    } else {
        if (!is_down(display, key)) {
            return TRUE; /* pressed before we had the focus */
        }
        display->down[key / 32] &= ~(1u << (key % 32));
    }
    vit_input_send_key(display->input, key, down);

    if (down) {
        gboolean modifier = key == KEY_LEFTCTRL || key == KEY_RIGHTCTRL || key == KEY_LEFTALT;
        display->release_armed =
            modifier && is_down(display, KEY_LEFTALT) &&
            (is_down(display, KEY_LEFTCTRL) || is_down(display, KEY_RIGHTCTRL));
    } else if (display->release_armed) {
        display->release_armed = FALSE;
        ui_display_set_grabbed(display, !display->grabbed);
    }
    return TRUE;
}

static gboolean
on_focus_out(GtkWidget *widget, GdkEventFocus *event)
{
    UiDisplay *display = UI_DISPLAY(widget);

    ui_display_set_grabbed(display, FALSE);
    if (display->input) {
        release_keys(display);
    }
    return FALSE;
}

/* ---- Pointer ---- */

static void
warp_to_center(UiDisplay *display, GdkEventMotion *event)
{
    GtkWidget *widget = GTK_WIDGET(display);
    int x, y;

    gdk_window_get_origin(gtk_widget_get_window(widget), &x, &y);
    display->last_x = gtk_widget_get_allocated_width(widget) / 2;
    display->last_y = gtk_widget_get_allocated_height(widget) / 2;
    gdk_device_warp(event->device, gdk_event_get_screen((GdkEvent *)event),
                    x + (int)display->last_x, y + (int)display->last_y);
}

static void
move_relative(UiDisplay *display, GdkEventMotion *event)
{
    GtkWidget *widget = GTK_WIDGET(display);
    int width = gtk_widget_get_allocated_width(widget);
    int height = gtk_widget_get_allocated_height(widget);
    int dx, dy;

    if (!display->have_last) {
        display->have_last = TRUE;
        display->last_x = event->x;
        display->last_y = event->y;
        return;
    }
    dx = (int)(event->x - display->last_x);
    dy = (int)(event->y - display->last_y);
    if (dx || dy) {
        vit_input_send_motion(display->input, dx, dy);
        display->last_x += dx;
        display->last_y += dy;
    }
    if (event->x < width / 8 || event->x > width * 7 / 8 || event->y < height / 8 ||
        event->y > height * 7 / 8) {
        warp_to_center(display, event);
    }
}

static void
move_absolute(UiDisplay *display, GdkEventMotion *event)
{
    AppViewport viewport = ui_painter_viewport(&display->painter);
    const VitFrame *frame = display->painter.frame;
    int scale = gtk_widget_get_scale_factor(GTK_WIDGET(display));
    int x, y;

    if (frame && app_viewport_to_guest(&viewport, event->x * scale, event->y * scale, frame->width,
                                       frame->height, &x, &y)) {
        vit_input_send_position(display->input, x * 32767 / MAX(frame->width - 1, 1),
                                y * 32767 / MAX(frame->height - 1, 1));
    }
}

static gboolean
on_motion(GtkWidget *widget, GdkEventMotion *event)
{
    UiDisplay *display = UI_DISPLAY(widget);

    if (!display->input) {
        return FALSE;
    }
    if (vit_input_is_absolute(display->input)) {
        move_absolute(display, event);
    } else if (display->grabbed) {
        move_relative(display, event);
    }
    return TRUE;
}

static gboolean
on_button(GtkWidget *widget, GdkEventButton *event)
{
    static const VitPointerButton buttons[] = { [1] = VIT_POINTER_LEFT,
                                                [2] = VIT_POINTER_MIDDLE,
                                                [3] = VIT_POINTER_RIGHT,
                                                [8] = VIT_POINTER_SIDE,
                                                [9] = VIT_POINTER_EXTRA };
    UiDisplay *display = UI_DISPLAY(widget);

    gtk_widget_grab_focus(widget);
    if (!display->input || event->button >= G_N_ELEMENTS(buttons) ||
        (event->type != GDK_BUTTON_PRESS && event->type != GDK_BUTTON_RELEASE) ||
        (event->button > 3 && event->button < 8)) {
        return FALSE;
    }
    if (!display->grabbed && !vit_input_is_absolute(display->input)) {
        /* the click that grabs is not the guest's */
        if (event->type == GDK_BUTTON_PRESS) {
            ui_display_set_grabbed(display, TRUE);
        }
        return TRUE;
    }
    vit_input_send_button(display->input, buttons[event->button], event->type == GDK_BUTTON_PRESS);
    return TRUE;
}

static void
send_wheel(UiDisplay *display, VitPointerButton button, int steps)
{
    for (; steps > 0; steps--) {
        vit_input_send_button(display->input, button, TRUE);
        vit_input_send_button(display->input, button, FALSE);
    }
}

static gboolean
on_scroll(GtkWidget *widget, GdkEventScroll *event)
{
    UiDisplay *display = UI_DISPLAY(widget);
    double dx = 0, dy = 0;
    int steps_x, steps_y;

    if (!display->input) {
        return FALSE;
    }
    if (!gdk_event_get_scroll_deltas((GdkEvent *)event, &dx, &dy)) {
        dy = event->direction == GDK_SCROLL_UP ? -1 : event->direction == GDK_SCROLL_DOWN ? 1 : 0;
        dx = event->direction == GDK_SCROLL_LEFT    ? -1
             : event->direction == GDK_SCROLL_RIGHT ? 1
                                                    : 0;
    }
    /* touchpads scroll by parts of a step: keep what is left over */
    display->scroll_rest_x += dx;
    display->scroll_rest_y += dy;
    steps_x = (int)display->scroll_rest_x;
    steps_y = (int)display->scroll_rest_y;
    display->scroll_rest_x -= steps_x;
    display->scroll_rest_y -= steps_y;
    send_wheel(display, steps_y < 0 ? VIT_POINTER_WHEEL_UP : VIT_POINTER_WHEEL_DOWN, ABS(steps_y));
    send_wheel(display, steps_x < 0 ? VIT_POINTER_WHEEL_LEFT : VIT_POINTER_WHEEL_RIGHT,
               ABS(steps_x));
    return TRUE;
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

const char *
ui_display_get_painter_name(UiDisplay *display)
{
    return display->painter.ops->name;
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
    display->painter.frame = NULL;
    g_clear_object(&display->screen);
    g_clear_object(&display->input);
    G_OBJECT_CLASS(ui_display_parent_class)->dispose(object);
}

static void
ui_display_class_init(UiDisplayClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);

    G_OBJECT_CLASS(klass)->dispose = ui_display_dispose;
    widget_class->map = ui_display_map;
    widget_class->unmap = ui_display_unmap;
    widget_class->key_press_event = on_key;
    widget_class->key_release_event = on_key;
    widget_class->focus_out_event = on_focus_out;
    widget_class->motion_notify_event = on_motion;
    widget_class->button_press_event = on_button;
    widget_class->button_release_event = on_button;
    widget_class->scroll_event = on_scroll;
    grab_changed_signal = g_signal_new("grab-changed", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST,
                                       0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
ui_display_init(UiDisplay *display)
{
    GtkWidget *widget = GTK_WIDGET(display);
    AtkObject *accessible = gtk_widget_get_accessible(widget);

    atk_object_set_role(accessible, ATK_ROLE_DRAWING_AREA);
    atk_object_set_name(accessible, _("Guest screen"));
    gtk_widget_set_can_focus(widget, TRUE);
    gtk_widget_add_events(widget, GDK_POINTER_MOTION_MASK | GDK_BUTTON_PRESS_MASK |
                                      GDK_BUTTON_RELEASE_MASK | GDK_SCROLL_MASK |
                                      GDK_SMOOTH_SCROLL_MASK | GDK_KEY_PRESS_MASK |
                                      GDK_KEY_RELEASE_MASK | GDK_FOCUS_CHANGE_MASK);
    gtk_event_box_set_above_child(GTK_EVENT_BOX(display), TRUE);
    display->painter.ops = ui_painter_choose();
    display->painter.widget = display->painter.ops->create(&display->painter);
    gtk_widget_set_size_request(display->painter.widget, 320, 200);
    gtk_widget_show(display->painter.widget);
    gtk_container_add(GTK_CONTAINER(display), display->painter.widget);
}

GtkWidget *
ui_display_new(void)
{
    return g_object_new(UI_TYPE_DISPLAY, NULL);
}
