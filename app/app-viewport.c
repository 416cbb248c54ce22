/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Geometry of the guest's picture. */

#include "app-viewport.h"

#include <glib.h>
#include <math.h>

void
app_viewport_shape(int guest_width, int guest_height, bool correct, int *out_width, int *out_height)
{
    *out_width = guest_width;
    *out_height = guest_height;
    if (!correct || guest_width > 720 || guest_height > 480) {
        return;
    }
    if (guest_width * 3 > guest_height * 4) {
        *out_height = (guest_width * 3 + 2) / 4;
    } else {
        *out_width = (guest_height * 4 + 1) / 3;
    }
}

AppViewport
app_viewport_compute(int widget_width, int widget_height, int guest_width, int guest_height,
                     AppScaleMode mode)
{
    AppViewport out = { 0, 0, widget_width, widget_height };
    int factor;

    if (guest_width <= 0 || guest_height <= 0 || widget_width <= 0 || widget_height <= 0) {
        return (AppViewport){ 0 };
    }
    switch (mode) {
    case APP_SCALE_STRETCH: return out;
    case APP_SCALE_ONE:
        out.width = guest_width;
        out.height = guest_height;
        break;
    case APP_SCALE_INTEGER:
        factor = MAX(1, MIN(widget_width / guest_width, widget_height / guest_height));
        out.width = guest_width * factor;
        out.height = guest_height * factor;
        break;
    case APP_SCALE_FIT:
        if ((gint64)widget_width * guest_height <= (gint64)widget_height * guest_width) {
            out.height = MAX(1, (gint64)widget_width * guest_height / guest_width);
        } else {
            out.width = MAX(1, (gint64)widget_height * guest_width / guest_height);
        }
        break;
    }
    out.x = (widget_width - out.width) / 2;
    out.y = (widget_height - out.height) / 2;
    return out;
}

bool
app_viewport_to_guest(const AppViewport *viewport, double x, double y, int guest_width,
                      int guest_height, int *out_guest_x, int *out_guest_y)
{
    double guest_x, guest_y;

    if (viewport->width <= 0 || viewport->height <= 0) {
        return false;
    }
    guest_x = floor((x - viewport->x) * guest_width / viewport->width);
    guest_y = floor((y - viewport->y) * guest_height / viewport->height);
    *out_guest_x = CLAMP(guest_x, 0, guest_width - 1);
    *out_guest_y = CLAMP(guest_y, 0, guest_height - 1);
    return guest_x == *out_guest_x && guest_y == *out_guest_y;
}

bool
app_viewport_pixel_to_guest(const AppViewport *viewport, int x, int y, int guest_width,
                            int guest_height, int *out_guest_x, int *out_guest_y)
{
    /* what is drawn is decided by its middle; drawing takes the lower pixel where that is on the
     * border of two */
    const double middle = 0.5 - 1.0 / 1024;

    return app_viewport_to_guest(viewport, x + middle, y + middle, guest_width, guest_height,
                                 out_guest_x, out_guest_y);
}

int
app_viewport_to_axis(int at, int size)
{
    return size > 0 ? CLAMP((2 * (gint64)at + 1) * 32768 / (2 * (gint64)size), 0, 32767) : 0;
}

AppViewport
app_viewport_from_guest(const AppViewport *viewport, int guest_x, int guest_y, int width,
                        int height, int guest_width, int guest_height)
{
    double scale_x = (double)viewport->width / guest_width;
    double scale_y = (double)viewport->height / guest_height;
    int left = floor(viewport->x + guest_x * scale_x) - 1;
    int top = floor(viewport->y + guest_y * scale_y) - 1;
    int right = ceil(viewport->x + (guest_x + width) * scale_x) + 1;
    int bottom = ceil(viewport->y + (guest_y + height) * scale_y) + 1;

    return (AppViewport){ left, top, right - left, bottom - top };
}
