/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Drawing by cairo: the frame's own memory as an image surface, only damaged parts redrawn. */

#include "ui-display.h"

/* Nearest to the next whole multiple on a surface of its own, then linear: pixels keep their edges
 * at any size. Only the part of the guest's screen under the clip is made. */
static void
paint_sharp(cairo_t *cr, cairo_surface_t *surface, const UiPainter *painter,
            const AppViewport *viewport)
{
    int factor_x = (viewport->width + painter->frame->width - 1) / painter->frame->width;
    int factor_y = (viewport->height + painter->frame->height - 1) / painter->frame->height;
    double x0, y0, x1, y1;
    int left, top, width, height;
    cairo_surface_t *whole;
    cairo_t *to;

    cairo_clip_extents(cr, &x0, &y0, &x1, &y1); /* in guest pixels here */
    left = MAX((int)x0 - 1, 0);
    top = MAX((int)y0 - 1, 0);
    width = MIN((int)x1 + 2, painter->frame->width) - left;
    height = MIN((int)y1 + 2, painter->frame->height) - top;
    if (width <= 0 || height <= 0) {
        return;
    }
    whole = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width * factor_x, height * factor_y);
    to = cairo_create(whole);
    cairo_scale(to, factor_x, factor_y);
    cairo_set_source_surface(to, surface, -left, -top);
    cairo_pattern_set_filter(cairo_get_source(to), CAIRO_FILTER_NEAREST);
    cairo_paint(to);
    cairo_destroy(to);
    cairo_translate(cr, left, top);
    cairo_scale(cr, 1.0 / factor_x, 1.0 / factor_y);
    cairo_set_source_surface(cr, whole, 0, 0);
    cairo_pattern_set_extend(cairo_get_source(cr), CAIRO_EXTEND_PAD);
    cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_BILINEAR);
    cairo_rectangle(cr, 0, 0, width * factor_x, height * factor_y);
    cairo_fill(cr);
    cairo_surface_destroy(whole);
}

static gboolean
on_draw(GtkWidget *widget, cairo_t *cr, UiPainter *painter)
{
    const VitFrame *frame = painter->frame;
    AppViewport viewport = ui_painter_viewport(painter);
    double scale = gtk_widget_get_scale_factor(widget);
    gint64 begun_ns = ui_painter_begin(painter);
    cairo_surface_t *surface;

    cairo_set_source_rgb(cr, 0, 0, 0);
    if (!frame || viewport.width == 0) {
        cairo_paint(cr);
        return TRUE;
    }
    if (viewport.width < gtk_widget_get_allocated_width(widget) * scale ||
        viewport.height < gtk_widget_get_allocated_height(widget) * scale) {
        cairo_paint(cr); /* the letterbox */
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
    if (painter->filter == UI_FILTER_SHARP && !ui_painter_is_exact(painter, &viewport) &&
        viewport.width >= frame->width && viewport.height >= frame->height) {
        paint_sharp(cr, surface, painter, &viewport);
    } else {
        cairo_set_source_surface(cr, surface, 0, 0);
        cairo_pattern_set_extend(cairo_get_source(cr), CAIRO_EXTEND_PAD);
        cairo_pattern_set_filter(cairo_get_source(cr), ui_painter_is_exact(painter, &viewport)
                                                           ? CAIRO_FILTER_NEAREST
                                                           : CAIRO_FILTER_GOOD);
        cairo_paint(cr);
    }
    cairo_surface_destroy(surface);
    ui_painter_end(painter, begun_ns);
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
