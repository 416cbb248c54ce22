/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* XInput 2 beside GDK: its connection is used, through an event filter. Motion is that of
 * XI_RawMotion (protocol section 7.4.3), with the host's acceleration as on Wayland: it goes on
 * past the edges of the screen and knows nothing of the pointer being put back in the middle.
 * Devices of absolute axes (tablets, remote desktops) count by how far their position moved. GDK
 * does not look at focus changes while a keyboard is grabbed, so they are read here. Deviation: a
 * program that moves the pointer to a place by XTEST looks like one that moves it by that much; the
 * protocol does not tell them apart. */

#include "ui-x11.h"

#ifdef GDK_WINDOWING_X11

#include <X11/extensions/XInput2.h>
#include <gdk/gdkx.h>

typedef struct {
    gboolean absolute, have_last;
    double units; /* of the window, for one of the axis */
    double last;
} Axis;

struct UiX11 {
    GdkDisplay *display;
    UiX11Events events;
    int opcode; /* of the XInput extension; 0: there is none */
    gboolean filtering;
    GdkWindow *toplevel; /* has the keyboard */
    GdkWindow *window;   /* has the pointer */
    int home_x, home_y;  /* of the root window, in its units */
    int source;          /* the device the axes are of; 0: not known yet */
    Axis axes[2];
};

static Display *
xdisplay_of(UiX11 *x11)
{
    return gdk_x11_display_get_xdisplay(x11->display);
}

/* ---- Motion ---- */

static void
read_axis(UiX11 *x11, const XIValuatorClassInfo *class)
{
    GdkScreen *screen = gdk_window_get_screen(x11->window);
    Screen *xscreen = gdk_x11_screen_get_xscreen(screen);
    Axis *axis = &x11->axes[class->number];
    int extent = class->number == 0 ? WidthOfScreen(xscreen) : HeightOfScreen(xscreen);

    axis->absolute = class->mode == XIModeAbsolute;
    if (axis->absolute && class->max > class->min) {
        axis->units *= extent / (class->max - class->min);
    }
}

static void
take_source(UiX11 *x11, int source)
{
    int n_devices = 0;
    XIDeviceInfo *info;

    for (guint i = 0; i < G_N_ELEMENTS(x11->axes); i++) {
        x11->axes[i] = (Axis){ .units = 1.0 / gdk_window_get_scale_factor(x11->window) };
    }
    gdk_x11_display_error_trap_push(x11->display);
    info = XIQueryDevice(xdisplay_of(x11), source, &n_devices);
    gdk_x11_display_error_trap_pop_ignored(x11->display);
    for (int i = 0; info && n_devices == 1 && i < info->num_classes; i++) {
        const XIValuatorClassInfo *class = (const XIValuatorClassInfo *)info->classes[i];

        if (class->type == XIValuatorClass && class->number >= 0 &&
            class->number < (int)G_N_ELEMENTS(x11->axes)) {
            read_axis(x11, class);
        }
    }
    if (info) {
        XIFreeDeviceInfo(info);
    }
    x11->source = source;
}

static double
axis_delta(Axis *axis, double value)
{
    double delta = axis->absolute ? axis->have_last ? value - axis->last : 0 : value;

    axis->have_last = TRUE;
    axis->last = value;
    return delta * axis->units;
}

/* Values come for the axes of the mask alone, in its order. */
static void
on_raw_motion(UiX11 *x11, const XIRawEvent *event)
{
    double delta[G_N_ELEMENTS(x11->axes)] = { 0 };
    const double *value = event->valuators.values;

    if (event->sourceid != x11->source) {
        take_source(x11, event->sourceid);
    }
    for (int i = 0; i < (int)G_N_ELEMENTS(x11->axes) && i < event->valuators.mask_len * 8; i++) {
        if (XIMaskIsSet(event->valuators.mask, i)) {
            delta[i] = axis_delta(&x11->axes[i], *value++);
        }
    }
    if (delta[0] != 0 || delta[1] != 0) {
        x11->events.motion(x11->events.data, delta[0], delta[1]);
    }
}

/* ---- Focus ---- */

static void
on_focus_out(UiX11 *x11, const XIFocusOutEvent *event)
{
    if (x11->toplevel && event->event == gdk_x11_window_get_xid(x11->toplevel) &&
        event->mode == XINotifyWhileGrabbed && event->detail != XINotifyInferior &&
        event->detail != XINotifyPointer) {
        x11->events.focus_lost(x11->events.data);
    }
}

/* ---- Filter ---- */

static GdkFilterReturn
filter(GdkXEvent *gdk_event, GdkEvent *event, gpointer data)
{
    UiX11 *x11 = data;
    XEvent *xevent = gdk_event;
    XGenericEventCookie *cookie = &xevent->xcookie;
    gboolean fetched = FALSE, raw = FALSE;

    if (xevent->type != GenericEvent || cookie->extension != x11->opcode) {
        return GDK_FILTER_CONTINUE;
    }
    if (!cookie->data) {
        fetched = XGetEventData(cookie->display, cookie);
    }
    if (cookie->data && cookie->evtype == XI_RawMotion && x11->window) {
        raw = TRUE;
        on_raw_motion(x11, cookie->data);
    } else if (cookie->data && cookie->evtype == XI_FocusOut) {
        on_focus_out(x11, cookie->data);
    }
    if (fetched) {
        XFreeEventData(cookie->display, cookie);
    }
    return raw ? GDK_FILTER_REMOVE : GDK_FILTER_CONTINUE;
}

/* On the root window, where raw events go whoever has the grab. GDK selects nothing for all
 * masters there. */
static void
select_raw_motion(UiX11 *x11, gboolean wanted)
{
    unsigned char bits[XIMaskLen(XI_RawMotion)] = { 0 };
    XIEventMask mask = { XIAllMasterDevices, sizeof(bits), bits };

    if (wanted) {
        XISetMask(bits, XI_RawMotion);
    }
    gdk_x11_display_error_trap_push(x11->display);
    XISelectEvents(xdisplay_of(x11), DefaultRootWindow(xdisplay_of(x11)), &mask, 1);
    gdk_x11_display_error_trap_pop_ignored(x11->display);
}

static void
set_filtering(UiX11 *x11, gboolean wanted)
{
    if (wanted == x11->filtering) {
        return;
    }
    x11->filtering = wanted;
    if (wanted) {
        gdk_window_add_filter(NULL, filter, x11);
    } else {
        gdk_window_remove_filter(NULL, filter, x11);
    }
}

/* ---- Grabs ---- */

gboolean
ui_x11_grab_keyboard(UiX11 *x11, GdkWindow *toplevel)
{
    if (gdk_seat_grab(gdk_display_get_default_seat(x11->display), toplevel,
                      GDK_SEAT_CAPABILITY_KEYBOARD, TRUE, NULL, NULL, NULL,
                      NULL) != GDK_GRAB_SUCCESS) {
        return FALSE;
    }
    x11->toplevel = toplevel;
    set_filtering(x11, TRUE);
    return TRUE;
}

gboolean
ui_x11_lock_pointer(UiX11 *x11, GdkWindow *window)
{
    GdkSeat *seat = gdk_display_get_default_seat(x11->display);
    GdkDevice *device = gdk_seat_get_pointer(seat);

    /* not to the windows the pointer is over: it may be ahead of where it is put back */
    if (!x11->opcode || !device ||
        gdk_seat_grab(seat, window, GDK_SEAT_CAPABILITY_ALL_POINTING, FALSE, NULL, NULL, NULL,
                      NULL) != GDK_GRAB_SUCCESS) {
        return FALSE;
    }
    gdk_device_get_position(device, NULL, &x11->home_x, &x11->home_y);
    x11->window = window;
    x11->source = 0;
    set_filtering(x11, TRUE);
    select_raw_motion(x11, TRUE);
    return TRUE;
}

static void
warp(UiX11 *x11, int x, int y)
{
    GdkDevice *device = gdk_seat_get_pointer(gdk_display_get_default_seat(x11->display));

    if (device) {
        gdk_device_warp(device, gdk_window_get_screen(x11->window), x, y);
    }
}

void
ui_x11_keep_inside(UiX11 *x11, double x_root, double y_root)
{
    int width, height, origin_x, origin_y;
    double x, y;

    if (!x11->window) {
        return;
    }
    width = gdk_window_get_width(x11->window);
    height = gdk_window_get_height(x11->window);
    gdk_window_get_origin(x11->window, &origin_x, &origin_y);
    x = x_root - origin_x;
    y = y_root - origin_y;
    if (x < width / 8 || x > width * 7 / 8 || y < height / 8 || y > height * 7 / 8) {
        warp(x11, origin_x + width / 2, origin_y + height / 2);
    }
}

void
ui_x11_release(UiX11 *x11)
{
    if (!x11->filtering) {
        return;
    }
    set_filtering(x11, FALSE);
    if (x11->window) {
        select_raw_motion(x11, FALSE);
        warp(x11, x11->home_x, x11->home_y);
    }
    gdk_seat_ungrab(gdk_display_get_default_seat(x11->display));
    x11->toplevel = x11->window = NULL;
}

/* ---- Life ---- */

UiX11 *
ui_x11_new(GdkDisplay *display, const UiX11Events *events)
{
    int event, error, major = 2, minor = 2;
    Display *xdisplay;
    UiX11 *x11;

    if (!GDK_IS_X11_DISPLAY(display)) {
        return NULL;
    }
    x11 = g_new0(UiX11, 1);
    x11->display = display;
    x11->events = *events;
    xdisplay = xdisplay_of(x11);
    if (XQueryExtension(xdisplay, "XInputExtension", &x11->opcode, &event, &error)) {
        /* GDK asked for its version already, and one client has one; without GDK's this is ours */
        gdk_x11_display_error_trap_push(display);
        XIQueryVersion(xdisplay, &major, &minor);
        gdk_x11_display_error_trap_pop_ignored(display);
    } else {
        x11->opcode = 0;
    }
    return x11;
}

void
ui_x11_free(UiX11 *x11)
{
    if (x11) {
        ui_x11_release(x11);
        g_free(x11);
    }
}

#else

UiX11 *
ui_x11_new(GdkDisplay *display, const UiX11Events *events)
{
    return NULL;
}

void
ui_x11_free(UiX11 *x11)
{
}

gboolean
ui_x11_grab_keyboard(UiX11 *x11, GdkWindow *toplevel)
{
    return FALSE;
}

gboolean
ui_x11_lock_pointer(UiX11 *x11, GdkWindow *window)
{
    return FALSE;
}

void
ui_x11_keep_inside(UiX11 *x11, double x_root, double y_root)
{
}

void
ui_x11_release(UiX11 *x11)
{
}

#endif
