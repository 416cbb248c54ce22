/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Drawing by cairo: the frame's own memory as an image surface, only damaged parts redrawn. */

#include "ui-display.h"

static gboolean
on_draw(GtkWidget *widget, cairo_t *cr, UiPainter *painter)
{
    const VitFrame *frame = painter->frame;
    AppViewport viewport = ui_painter_viewport(painter);
    double scale = gtk_widget_get_scale_factor(widget);
    cairo_surface_t *surface;

    cairo_set_source_rgb(cr, 0, 0, 0);
    cairo_paint(cr);
    if (!frame || viewport.width == 0) {
        return TRUE;
    }
    surface =
        cairo_image_surface_create_for_data((unsigned char *)frame->pixels, CAIRO_FORMAT_RGB24,
                                            frame->width, frame->height, frame->stride_bytes);
    /* from logical units to device pixels, then to guest pixels */
    cairo_scale(cr, 1 / scale, 1 / scale);
    cairo_translate(cr, viewport.x, viewport.y);
    cairo_rectangle(cr, 0, 0, viewport.width, viewport.height);
    cairo_clip(cr);
    cairo_scale(cr, (double)viewport.width / frame->width, (double)viewport.height / frame->height);
    cairo_set_source_surface(cr, surface, 0, 0);
    cairo_pattern_set_extend(cairo_get_source(cr), CAIRO_EXTEND_PAD);
    cairo_pattern_set_filter(cairo_get_source(cr), painter->filter == UI_FILTER_NEAREST ||
                                                           viewport.width % frame->width == 0
                                                       ? CAIRO_FILTER_NEAREST
                                                       : CAIRO_FILTER_GOOD);
    cairo_paint(cr);
    cairo_surface_destroy(surface);
    return TRUE;
}

static GtkWidget *
make_area(UiPainter *painter)
{
    GtkWidget *area = gtk_drawing_area_new();

    g_signal_connect(area, "draw", G_CALLBACK(on_draw), painter);
    return area;
}

static void
damage_area(UiPainter *painter)
{
    AppViewport viewport = ui_painter_viewport(painter);
    int scale = gtk_widget_get_scale_factor(painter->widget);

    for (unsigned i = 0; i < painter->frame->n_rects; i++) {
        const VitFrameRect *rect = &painter->frame->rects[i];
        AppViewport area =
            app_viewport_from_guest(&viewport, rect->x, rect->y, rect->width, rect->height,
                                    painter->frame->width, painter->frame->height);

        gtk_widget_queue_draw_area(painter->widget, area.x / scale - 1, area.y / scale - 1,
                                   area.width / scale + 3, area.height / scale + 3);
    }
}

const UiPainterOps ui_painter_cairo = {
    .name = "cairo",
    .create = make_area,
    .frame = damage_area,
};
