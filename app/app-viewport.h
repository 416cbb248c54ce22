/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Where the guest's picture lies in a widget, and which guest pixel a point is. Three units, named
 * apart everywhere: guest pixels, device pixels of the host's screen, logical units of GTK. This
 * file knows guest and device pixels only. Pure functions. Thread: any. */

#include <stdbool.h>

typedef enum {
    APP_SCALE_FIT,     /* as large as fits, keeping the shape */
    APP_SCALE_ONE,     /* one guest pixel is one device pixel */
    APP_SCALE_INTEGER, /* largest whole multiple that fits */
    APP_SCALE_STRETCH, /* the whole widget, whatever the shape */
} AppScaleMode;

typedef struct {
    int x, y, width, height; /* device pixels; x and y may be negative when it does not fit */
} AppViewport;

/* The size whose shape a picture has on a screen of its time: with CORRECT, the modes up to 720 by
 * 480, made for 4:3 screens, are stretched to that shape and never shrunk; others stay. */
void app_viewport_shape(int guest_width, int guest_height, bool correct, int *out_width,
                        int *out_height);
AppViewport app_viewport_compute(int widget_width, int widget_height, int guest_width,
                                 int guest_height, AppScaleMode mode);
/* Guest pixel under the device pixel X, Y; clamped to the picture. False: outside of it. */
bool app_viewport_to_guest(const AppViewport *viewport, double x, double y, int guest_width,
                           int guest_height, int *out_guest_x, int *out_guest_y);
/* Which guest pixel is drawn at a device pixel. */
bool app_viewport_pixel_to_guest(const AppViewport *viewport, int x, int y, int guest_width,
                                 int guest_height, int *out_guest_x, int *out_guest_y);
/* Where an absolute pointer (0 to 32767) points at the middle of guest pixel AT of SIZE, so that a
 * guest comes to that pixel whether it cuts off or rounds. */
int app_viewport_to_axis(int at, int size);

/* The device rectangle that shows a guest rectangle, rounded outwards. */
AppViewport app_viewport_from_guest(const AppViewport *viewport, int guest_x, int guest_y,
                                    int width, int height, int guest_width, int guest_height);
