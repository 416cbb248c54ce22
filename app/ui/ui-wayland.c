/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Wayland protocols keyboard-shortcuts-inhibit-unstable-v1, pointer-constraints-unstable-v1 and
 * relative-pointer-unstable-v1 beside GDK: its display, seat, pointer and surface are used, and its
 * event queue dispatches ours. GDK's own inhibitor must not be used on the same surface: a second
 * one is a protocol error. */

#include "ui-wayland.h"

#ifdef GDK_WINDOWING_WAYLAND

#include "keyboard-shortcuts-inhibit-client.h"
#include "pointer-constraints-client.h"
#include "relative-pointer-client.h"

#include <gdk/gdkwayland.h>
#include <string.h>

struct UiWayland {
    GdkDisplay *display;
    UiWaylandEvents events;
    struct wl_registry *registry;
    struct zwp_keyboard_shortcuts_inhibit_manager_v1 *inhibit_manager;
    struct zwp_pointer_constraints_v1 *constraints;
    struct zwp_relative_pointer_manager_v1 *relative_manager;
    struct zwp_keyboard_shortcuts_inhibitor_v1 *inhibitor;
    struct zwp_locked_pointer_v1 *locked;
    struct zwp_relative_pointer_v1 *relative;
};

/* ---- Globals ---- */

static void
on_global(void *data, struct wl_registry *registry, uint32_t name, const char *interface,
          uint32_t version)
{
    UiWayland *wayland = data;

    if (strcmp(interface, zwp_keyboard_shortcuts_inhibit_manager_v1_interface.name) == 0) {
        wayland->inhibit_manager = wl_registry_bind(
            registry, name, &zwp_keyboard_shortcuts_inhibit_manager_v1_interface, 1);
    } else if (strcmp(interface, zwp_pointer_constraints_v1_interface.name) == 0) {
        wayland->constraints =
            wl_registry_bind(registry, name, &zwp_pointer_constraints_v1_interface, 1);
    } else if (strcmp(interface, zwp_relative_pointer_manager_v1_interface.name) == 0) {
        wayland->relative_manager =
            wl_registry_bind(registry, name, &zwp_relative_pointer_manager_v1_interface, 1);
    }
}

static void
on_global_remove(void *data, struct wl_registry *registry, uint32_t name)
{
}

static const struct wl_registry_listener registry_listener = { on_global, on_global_remove };

/* ---- Events ---- */

static void
on_inhibitor_active(void *data, struct zwp_keyboard_shortcuts_inhibitor_v1 *inhibitor)
{
    UiWayland *wayland = data;

    wayland->events.shortcuts(wayland->events.data, TRUE);
}

static void
on_inhibitor_inactive(void *data, struct zwp_keyboard_shortcuts_inhibitor_v1 *inhibitor)
{
    UiWayland *wayland = data;

    wayland->events.shortcuts(wayland->events.data, FALSE);
}

static const struct zwp_keyboard_shortcuts_inhibitor_v1_listener inhibitor_listener = {
    on_inhibitor_active, on_inhibitor_inactive
};

static void
on_relative_motion(void *data, struct zwp_relative_pointer_v1 *relative, uint32_t time_hi,
                   uint32_t time_lo, wl_fixed_t dx, wl_fixed_t dy, wl_fixed_t dx_raw,
                   wl_fixed_t dy_raw)
{
    UiWayland *wayland = data;

    wayland->events.motion(wayland->events.data, wl_fixed_to_double(dx), wl_fixed_to_double(dy));
}

static const struct zwp_relative_pointer_v1_listener relative_listener = { on_relative_motion };

/* ---- Life ---- */

UiWayland *
ui_wayland_new(GdkDisplay *display, const UiWaylandEvents *events)
{
    struct wl_display *wl_display;
    UiWayland *wayland;

    if (!GDK_IS_WAYLAND_DISPLAY(display)) {
        return NULL;
    }
    wl_display = gdk_wayland_display_get_wl_display(display);
    wayland = g_new0(UiWayland, 1);
    wayland->display = display;
    wayland->events = *events;
    wayland->registry = wl_display_get_registry(wl_display);
    wl_registry_add_listener(wayland->registry, &registry_listener, wayland);
    wl_display_roundtrip(wl_display);
    return wayland;
}

void
ui_wayland_free(UiWayland *wayland)
{
    if (!wayland) {
        return;
    }
    ui_wayland_release(wayland);
    g_clear_pointer(&wayland->inhibit_manager, zwp_keyboard_shortcuts_inhibit_manager_v1_destroy);
    g_clear_pointer(&wayland->constraints, zwp_pointer_constraints_v1_destroy);
    g_clear_pointer(&wayland->relative_manager, zwp_relative_pointer_manager_v1_destroy);
    wl_registry_destroy(wayland->registry);
    g_free(wayland);
}

gboolean
ui_wayland_inhibit_shortcuts(UiWayland *wayland, GdkWindow *toplevel)
{
    GdkSeat *seat = gdk_display_get_default_seat(wayland->display);

    if (!wayland->inhibit_manager || wayland->inhibitor || !seat) {
        return wayland->inhibitor != NULL;
    }
    wayland->inhibitor = zwp_keyboard_shortcuts_inhibit_manager_v1_inhibit_shortcuts(
        wayland->inhibit_manager, gdk_wayland_window_get_wl_surface(toplevel),
        gdk_wayland_seat_get_wl_seat(seat));
    zwp_keyboard_shortcuts_inhibitor_v1_add_listener(wayland->inhibitor, &inhibitor_listener,
                                                     wayland);
    return TRUE;
}

gboolean
ui_wayland_lock_pointer(UiWayland *wayland, GdkWindow *toplevel)
{
    GdkSeat *seat = gdk_display_get_default_seat(wayland->display);
    GdkDevice *device = seat ? gdk_seat_get_pointer(seat) : NULL;
    struct wl_pointer *pointer = device ? gdk_wayland_device_get_wl_pointer(device) : NULL;

    if (!wayland->constraints || !wayland->relative_manager || !pointer || wayland->locked) {
        return wayland->locked != NULL;
    }
    wayland->locked = zwp_pointer_constraints_v1_lock_pointer(
        wayland->constraints, gdk_wayland_window_get_wl_surface(toplevel), pointer, NULL,
        ZWP_POINTER_CONSTRAINTS_V1_LIFETIME_PERSISTENT);
    wayland->relative =
        zwp_relative_pointer_manager_v1_get_relative_pointer(wayland->relative_manager, pointer);
    zwp_relative_pointer_v1_add_listener(wayland->relative, &relative_listener, wayland);
    return TRUE;
}

void
ui_wayland_release(UiWayland *wayland)
{
    g_clear_pointer(&wayland->relative, zwp_relative_pointer_v1_destroy);
    g_clear_pointer(&wayland->locked, zwp_locked_pointer_v1_destroy);
    g_clear_pointer(&wayland->inhibitor, zwp_keyboard_shortcuts_inhibitor_v1_destroy);
}

#else

UiWayland *
ui_wayland_new(GdkDisplay *display, const UiWaylandEvents *events)
{
    return NULL;
}

void
ui_wayland_free(UiWayland *wayland)
{
}

gboolean
ui_wayland_inhibit_shortcuts(UiWayland *wayland, GdkWindow *toplevel)
{
    return FALSE;
}

gboolean
ui_wayland_lock_pointer(UiWayland *wayland, GdkWindow *toplevel)
{
    return FALSE;
}

void
ui_wayland_release(UiWayland *wayland)
{
}

#endif
