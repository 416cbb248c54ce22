/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Taking keyboard and pointer for the guest. On X11 two seat grabs: the keyboard on the toplevel,
 * which brings the window manager's keys too, the pointer on the screen, kept inside by warping it
 * (ui-display-input.c). On Wayland the compositor is asked to leave its shortcuts to us, and to
 * lock the pointer; its answer is what the window shows. */

#include "ui-display-private.h"

static gboolean
grab_keyboard(UiDisplay *display, GdkWindow *toplevel, GdkSeat *seat)
{
    if (display->wayland) {
        return ui_wayland_inhibit_shortcuts(display->wayland, toplevel);
    }
    return gdk_seat_grab(seat, toplevel, GDK_SEAT_CAPABILITY_KEYBOARD, TRUE, NULL, NULL, NULL,
                         NULL) == GDK_GRAB_SUCCESS;
}

static gboolean
grab_pointer(UiDisplay *display, GdkWindow *toplevel, GdkSeat *seat)
{
    if (display->wayland) {
        return ui_wayland_lock_pointer(display->wayland, toplevel);
    }
    return gdk_seat_grab(seat, gtk_widget_get_window(GTK_WIDGET(display)),
                         GDK_SEAT_CAPABILITY_ALL_POINTING, TRUE, NULL, NULL, NULL,
                         NULL) == GDK_GRAB_SUCCESS;
}

static void
ungrab(UiDisplay *display)
{
    if (display->wayland) {
        ui_wayland_release(display->wayland);
    } else {
        gdk_seat_ungrab(gdk_display_get_default_seat(gtk_widget_get_display(GTK_WIDGET(display))));
    }
    display->keyboard_grabbed = display->pointer_grabbed = FALSE;
    display->shortcuts_inhibited = FALSE;
}

/* Where the next motion starts from: without it the first one would be lost. */
static void
remember_position(UiDisplay *display, GdkSeat *seat)
{
    GdkDevice *device = seat ? gdk_seat_get_pointer(seat) : NULL;

    display->have_last = display->pointer_grabbed && device && !display->wayland;
    if (display->have_last) {
        gdk_device_get_position_double(device, NULL, &display->last_x, &display->last_y);
    }
}

void
ui_display_grab(UiDisplay *display, gboolean keyboard, gboolean pointer)
{
    GtkWidget *toplevel = gtk_widget_get_toplevel(GTK_WIDGET(display));
    GdkWindow *window = gtk_widget_get_window(toplevel);
    GdkSeat *seat = gdk_display_get_default_seat(gtk_widget_get_display(GTK_WIDGET(display)));

    if (display->keyboard_grabbed == keyboard && display->pointer_grabbed == pointer) {
        return;
    }
    if (!keyboard && !pointer) {
        display->hover_grabbed = FALSE;
        ungrab(display);
        ui_display_release_keys(display);
    } else if (display->input && window && seat && gtk_widget_get_mapped(GTK_WIDGET(display))) {
        if (keyboard && !display->keyboard_grabbed) {
            display->keyboard_grabbed = grab_keyboard(display, window, seat);
            display->shortcuts_inhibited = display->keyboard_grabbed && !display->wayland;
        }
        if (pointer && !display->pointer_grabbed) {
            display->pointer_grabbed = grab_pointer(display, window, seat);
        }
    }
    remember_position(display, seat);
    display->rest_x = display->rest_y = 0;
    ui_display_update_cursor(display);
    g_signal_emit_by_name(display, "grab-changed");
}

static void
on_wayland_motion(gpointer data, double dx, double dy)
{
    ui_display_move_relative(data, dx, dy);
}

static void
on_wayland_shortcuts(gpointer data, gboolean inhibited)
{
    UiDisplay *display = data;

    display->shortcuts_inhibited = inhibited;
    g_signal_emit_by_name(display, "grab-changed");
}

static void
prepare_wayland(UiDisplay *display)
{
    UiWaylandEvents events = { on_wayland_motion, on_wayland_shortcuts, display };

    if (!display->wayland) {
        display->wayland = ui_wayland_new(gtk_widget_get_display(GTK_WIDGET(display)), &events);
    }
}

void
ui_display_finish_grab(UiDisplay *display)
{
    g_clear_pointer(&display->wayland, ui_wayland_free);
}

UiGrabState
ui_display_get_grab_state(UiDisplay *display)
{
    if (!display->keyboard_grabbed && !display->pointer_grabbed) {
        return UI_GRAB_NONE;
    }
    return display->shortcuts_inhibited ? UI_GRAB_FULL : UI_GRAB_LIMITED;
}

gboolean
ui_display_is_grabbed(UiDisplay *display)
{
    return display->keyboard_grabbed || display->pointer_grabbed;
}

void
ui_display_set_grabbed(UiDisplay *display, gboolean grabbed)
{
    if (grabbed && display->input) {
        prepare_wayland(display);
        ui_display_grab(display, TRUE, !vit_input_is_absolute(display->input));
    } else {
        ui_display_grab(display, FALSE, FALSE);
    }
}

void
ui_display_grab_keyboard(UiDisplay *display)
{
    prepare_wayland(display);
    ui_display_grab(display, TRUE, display->pointer_grabbed);
}

void
ui_display_set_grab_on(UiDisplay *display, guint bits)
{
    display->grab_on = bits;
}

void
ui_display_set_fullscreen(UiDisplay *display, gboolean fullscreen)
{
    display->fullscreen = fullscreen;
    if (fullscreen && display->grab_on & UI_GRAB_ON_FULLSCREEN &&
        gtk_widget_has_focus(GTK_WIDGET(display)) && display->input) {
        prepare_wayland(display);
        ui_display_grab(display, TRUE, display->pointer_grabbed);
    } else if (!fullscreen) {
        ui_display_grab(display, FALSE, FALSE);
    }
}
