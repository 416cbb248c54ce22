/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Taking keyboard and pointer for the guest. On X11 two seat grabs: the keyboard on the toplevel,
 * which brings the window manager's keys too, the pointer on the screen, kept inside. On Wayland
 * the compositor is asked to leave its shortcuts to us, and to lock the pointer; its answer is what
 * the window shows. */

#include "ui-display-private.h"

static gboolean
grab_keyboard(UiDisplay *display, GdkWindow *toplevel)
{
    if (display->wayland) {
        return ui_wayland_inhibit_shortcuts(display->wayland, toplevel);
    }
    return display->x11 && ui_x11_grab_keyboard(display->x11, toplevel);
}

static gboolean
grab_pointer(UiDisplay *display, GdkWindow *toplevel)
{
    if (display->wayland) {
        return ui_wayland_lock_pointer(display->wayland, toplevel);
    }
    return display->x11 &&
           ui_x11_lock_pointer(display->x11, gtk_widget_get_window(GTK_WIDGET(display)));
}

static void
ungrab(UiDisplay *display)
{
    if (display->wayland) {
        ui_wayland_release(display->wayland);
    } else if (display->x11) {
        ui_x11_release(display->x11);
    }
    display->keyboard_grabbed = display->pointer_grabbed = FALSE;
    display->shortcuts_inhibited = FALSE;
}

void
ui_display_grab(UiDisplay *display, gboolean keyboard, gboolean pointer)
{
    GtkWidget *toplevel = gtk_widget_get_toplevel(GTK_WIDGET(display));
    GdkWindow *window = gtk_widget_get_window(toplevel);

    if (display->keyboard_grabbed == keyboard && display->pointer_grabbed == pointer) {
        return;
    }
    if (!keyboard && !pointer) {
        display->hover_grabbed = FALSE;
        ungrab(display);
        ui_display_release_keys(display);
    } else if (display->input && window && gtk_widget_get_mapped(GTK_WIDGET(display))) {
        if (keyboard && !display->keyboard_grabbed) {
            display->keyboard_grabbed = grab_keyboard(display, window);
            display->shortcuts_inhibited = display->keyboard_grabbed && !display->wayland;
        }
        if (pointer && !display->pointer_grabbed) {
            display->pointer_grabbed = grab_pointer(display, window);
        }
    }
    display->rest_x = display->rest_y = 0;
    ui_display_update_cursor(display);
    g_signal_emit_by_name(display, "grab-changed");
}

static void
on_motion(gpointer data, double dx, double dy)
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
on_x11_focus_lost(gpointer data)
{
    ui_display_grab(data, FALSE, FALSE);
}

static void
prepare(UiDisplay *display)
{
    GdkDisplay *gdk_display = gtk_widget_get_display(GTK_WIDGET(display));
    UiWaylandEvents wayland = { on_motion, on_wayland_shortcuts, display };
    UiX11Events x11 = { on_motion, on_x11_focus_lost, display };

    if (!display->wayland && !display->x11) {
        display->wayland = ui_wayland_new(gdk_display, &wayland);
        display->x11 = ui_x11_new(gdk_display, &x11);
    }
}

void
ui_display_finish_grab(UiDisplay *display)
{
    g_clear_pointer(&display->wayland, ui_wayland_free);
    g_clear_pointer(&display->x11, ui_x11_free);
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
        prepare(display);
        ui_display_grab(display, TRUE, !vit_input_is_absolute(display->input));
    } else {
        ui_display_grab(display, FALSE, FALSE);
    }
}

void
ui_display_grab_keyboard(UiDisplay *display)
{
    prepare(display);
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
        prepare(display);
        ui_display_grab(display, TRUE, display->pointer_grabbed);
    } else if (!fullscreen) {
        ui_display_grab(display, FALSE, FALSE);
    }
}
