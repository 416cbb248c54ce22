/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Keys, pointer and wheel of the screen. The keyboard goes to the guest while the widget has the
 * focus; commands after the release key and the keys that stay with the host do not. Losing the
 * focus lets go of everything that is down. Lock keys are brought in line when the focus comes. */

#include "ui-display-private.h"

#include <linux/input-event-codes.h>
#include <math.h>
#include <string.h>

enum { X11_KEYCODE_OFFSET = 8, KEYS_MAX = 24 * 32 };
/* of vit_input_get_led_state() */
enum { LED_BIT_NUM = 2, LED_BIT_CAPS = 4 };

/* ---- Keyboard ---- */

static gboolean
is_sent(const UiDisplay *display, guint key)
{
    return display->sent[key / 32] >> (key % 32) & 1;
}

void
ui_display_release_keys(UiDisplay *display)
{
    if (display->input) {
        for (guint key = 0; key < KEYS_MAX; key++) {
            if (is_sent(display, key)) {
                vit_input_send_key(display->input, key, FALSE);
            }
        }
        vit_input_release_everything(display->input);
    }
    memset(display->sent, 0, sizeof(display->sent));
    app_hotkeys_clear(&display->hotkeys);
}

static gboolean
is_host_key(UiDisplay *display, const GdkEventKey *event)
{
    GdkModifierType state = event->state & gtk_accelerator_get_default_mod_mask();

    for (guint i = 0; i < display->host_keys->len; i++) {
        const UiHostKey *key = &g_array_index(display->host_keys, UiHostKey, i);

        if (key->keyval == event->keyval && key->modifiers == state) {
            return TRUE;
        }
    }
    return FALSE;
}

static void
send_key(UiDisplay *display, guint key, gboolean down)
{
    if (down) {
        display->sent[key / 32] |= 1u << (key % 32);
    } else {
        if (!is_sent(display, key)) {
            return; /* pressed before we had the focus, or a command of the host */
        }
        display->sent[key / 32] &= ~(1u << (key % 32));
    }
    vit_input_send_key(display->input, key, down);
}

static gboolean
on_key(GtkWidget *widget, GdkEventKey *event)
{
    UiDisplay *display = UI_DISPLAY(widget);
    gboolean down = event->type == GDK_KEY_PRESS;
    guint key, number = 0;
    AppHotkey hotkey;

    if (!display->input || event->hardware_keycode < X11_KEYCODE_OFFSET) {
        return FALSE;
    }
    /* both X11 with evdev and Wayland give Linux codes, 8 up */
    key = event->hardware_keycode - X11_KEYCODE_OFFSET;
    if (key >= KEYS_MAX || (down && is_host_key(display, event))) {
        return FALSE;
    }
    hotkey = app_hotkeys_feed(&display->hotkeys, key, down, &number);
    if (down && hotkey != APP_HOTKEY_NONE) {
        if (hotkey == APP_HOTKEY_RELEASE) {
            ui_display_set_grabbed(display, !ui_display_is_grabbed(display));
        } else {
            g_signal_emit_by_name(display, "hotkey", (int)hotkey, number);
        }
        return TRUE;
    }
    send_key(display, key, down);
    if (hotkey == APP_HOTKEY_RELEASE) {
        ui_display_set_grabbed(display, !ui_display_is_grabbed(display));
    }
    return TRUE;
}

static void
tap(UiDisplay *display, guint key)
{
    vit_input_send_key(display->input, key, TRUE);
    vit_input_send_key(display->input, key, FALSE);
}

/* The guest's lock keys follow the host's, where they came apart while we did not look. */
static void
sync_locks(UiDisplay *display)
{
    GdkKeymap *keymap = gdk_keymap_get_for_display(gtk_widget_get_display(GTK_WIDGET(display)));
    guint leds = vit_input_get_led_state(display->input);

    if (gdk_keymap_get_caps_lock_state(keymap) != !!(leds & LED_BIT_CAPS)) {
        tap(display, KEY_CAPSLOCK);
    }
    if (gdk_keymap_get_num_lock_state(keymap) != !!(leds & LED_BIT_NUM)) {
        tap(display, KEY_NUMLOCK);
    }
}

static gboolean
on_focus_in(GtkWidget *widget, GdkEventFocus *event)
{
    UiDisplay *display = UI_DISPLAY(widget);

    if (display->input) {
        sync_locks(display);
        if (display->grab_on & UI_GRAB_ON_FOCUS ||
            (display->fullscreen && display->grab_on & UI_GRAB_ON_FULLSCREEN)) {
            ui_display_set_grabbed(display, TRUE);
        }
    }
    return GDK_EVENT_PROPAGATE;
}

/* grab-on-hover: the keyboard alone, and not while somebody else has it. */
static gboolean
on_crossing(GtkWidget *widget, GdkEventCrossing *event)
{
    UiDisplay *display = UI_DISPLAY(widget);

    if (!display->grab_on_hover || !display->input || event->mode != GDK_CROSSING_NORMAL) {
        return GDK_EVENT_PROPAGATE;
    }
    if (event->type == GDK_ENTER_NOTIFY && !ui_display_is_grabbed(display)) {
        gtk_widget_grab_focus(widget);
        ui_display_grab_keyboard(display);
        display->hover_grabbed = ui_display_is_grabbed(display);
    } else if (event->type == GDK_LEAVE_NOTIFY && display->hover_grabbed &&
               !display->pointer_grabbed) {
        ui_display_set_grabbed(display, FALSE);
    }
    return GDK_EVENT_PROPAGATE;
}

static gboolean
on_focus_out(GtkWidget *widget, GdkEventFocus *event)
{
    UiDisplay *display = UI_DISPLAY(widget);

    ui_display_set_grabbed(display, FALSE);
    ui_display_release_keys(display);
    return GDK_EVENT_PROPAGATE;
}

static gboolean
on_grab_broken(GtkWidget *widget, GdkEventGrabBroken *event)
{
    UiDisplay *display = UI_DISPLAY(widget);

    if (!event->implicit && ui_display_is_grabbed(display)) {
        ui_display_set_grabbed(display, FALSE);
    }
    return GDK_EVENT_PROPAGATE;
}

/* ---- Pointer ---- */

void
ui_display_move_relative(UiDisplay *display, double dx, double dy)
{
    int whole_x, whole_y;

    if (!display->input || !display->pointer_grabbed) {
        return;
    }
    display->rest_x += dx;
    display->rest_y += dy;
    whole_x = (int)display->rest_x;
    whole_y = (int)display->rest_y;
    display->rest_x -= whole_x;
    display->rest_y -= whole_y;
    if (whole_x || whole_y) {
        vit_input_send_motion(display->input, whole_x, whole_y);
    }
}

static void
move_absolute(UiDisplay *display, GdkEventMotion *event)
{
    AppViewport viewport = ui_painter_viewport(&display->painter);
    const VitFrame *frame = display->painter.frame;
    int scale = gtk_widget_get_scale_factor(GTK_WIDGET(display));
    int x, y;

    if (frame && app_viewport_pixel_to_guest(&viewport, (int)floor(event->x * scale),
                                             (int)floor(event->y * scale), frame->width,
                                             frame->height, &x, &y)) {
        vit_input_send_position(display->input, app_viewport_to_axis(x, frame->width),
                                app_viewport_to_axis(y, frame->height));
    }
}

static gboolean
on_motion(GtkWidget *widget, GdkEventMotion *event)
{
    UiDisplay *display = UI_DISPLAY(widget);

    if (!display->input) {
        return GDK_EVENT_PROPAGATE;
    }
    if (vit_input_is_absolute(display->input)) {
        move_absolute(display, event);
    } else if (display->pointer_grabbed && display->x11) {
        /* the motion itself comes raw, as it comes on Wayland */
        ui_x11_keep_inside(display->x11, event->x_root, event->y_root);
    }
    return GDK_EVENT_PROPAGATE; /* the window's own bar looks at it too */
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
    if (!display->pointer_grabbed && !vit_input_is_absolute(display->input)) {
        /* the click that grabs is not the guest's */
        if (event->type == GDK_BUTTON_PRESS && display->grab_on & UI_GRAB_ON_CLICK) {
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

/* Over the guest's picture the guest's pointer is the one that counts. */
void
ui_display_update_cursor(UiDisplay *display)
{
    GdkWindow *window = gtk_widget_get_window(GTK_WIDGET(display));
    g_autoptr(GdkCursor) blank = NULL;

    if (!window) {
        return;
    }
    if (!display->show_cursor &&
        (display->pointer_grabbed ||
         (display->painter.frame && display->input && vit_input_is_absolute(display->input)))) {
        blank = gdk_cursor_new_for_display(gdk_window_get_display(window), GDK_BLANK_CURSOR);
    }
    gdk_window_set_cursor(window, blank);
}

/* ---- Settings ---- */

void
ui_display_set_release_key(UiDisplay *display, const char *text)
{
    char *copy = g_strdup(text);

    g_free(display->release_key);
    display->release_key = copy;
    app_hotkeys_init(&display->hotkeys, text);
}

void
ui_display_set_show_cursor(UiDisplay *display, gboolean show)
{
    display->show_cursor = show;
    ui_display_update_cursor(display);
}

void
ui_display_set_grab_on_hover(UiDisplay *display, gboolean grab)
{
    display->grab_on_hover = grab;
    if (!grab && display->hover_grabbed) {
        ui_display_set_grabbed(display, FALSE);
    }
}

void
ui_display_copy_settings(UiDisplay *display, UiDisplay *from)
{
    display->painter.mode = from->painter.mode;
    display->painter.filter = from->painter.filter;
    display->painter.correct_aspect = from->painter.correct_aspect;
    display->grab_on = from->grab_on;
    display->grab_on_hover = from->grab_on_hover;
    display->show_cursor = from->show_cursor;
    g_array_set_size(display->host_keys, 0);
    g_array_append_vals(display->host_keys, from->host_keys->data, from->host_keys->len);
    ui_display_set_release_key(display, from->release_key);
    gtk_widget_queue_draw(display->painter.widget);
}

void
ui_display_set_host_keys(UiDisplay *display, const char *const *accelerators)
{
    g_array_set_size(display->host_keys, 0);
    for (guint i = 0; accelerators[i]; i++) {
        UiHostKey key;

        gtk_accelerator_parse(accelerators[i], &key.keyval, &key.modifiers);
        if (key.keyval) {
            g_array_append_val(display->host_keys, key);
        }
    }
}

void
ui_display_init_input(UiDisplay *display)
{
    display->host_keys = g_array_new(FALSE, FALSE, sizeof(UiHostKey));
    display->grab_on = UI_GRAB_ON_CLICK;
    app_hotkeys_init(&display->hotkeys, NULL);
    gtk_widget_add_events(GTK_WIDGET(display), GDK_POINTER_MOTION_MASK | GDK_BUTTON_PRESS_MASK |
                                                   GDK_BUTTON_RELEASE_MASK | GDK_SCROLL_MASK |
                                                   GDK_SMOOTH_SCROLL_MASK | GDK_KEY_PRESS_MASK |
                                                   GDK_KEY_RELEASE_MASK | GDK_FOCUS_CHANGE_MASK |
                                                   GDK_ENTER_NOTIFY_MASK | GDK_LEAVE_NOTIFY_MASK);
}

void
ui_display_class_init_input(GtkWidgetClass *klass)
{
    klass->key_press_event = on_key;
    klass->key_release_event = on_key;
    klass->focus_in_event = on_focus_in;
    klass->focus_out_event = on_focus_out;
    klass->grab_broken_event = on_grab_broken;
    klass->enter_notify_event = on_crossing;
    klass->leave_notify_event = on_crossing;
    klass->motion_notify_event = on_motion;
    klass->button_press_event = on_button;
    klass->button_release_event = on_button;
    klass->scroll_event = on_scroll;
}
