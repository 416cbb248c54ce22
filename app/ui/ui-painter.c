/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Choosing how to draw. On software GL a frame costs some twenty times what cairo takes, so the
 * renderer's name decides. The probe uses a window of its own that is never shown: making a GL
 * context in a window turns all of that window's drawing to GL. */

#include "ui-display.h"

#include <epoxy/gl.h>
#include <string.h>

AppViewport
ui_painter_viewport(UiPainter *painter)
{
    int scale = gtk_widget_get_scale_factor(painter->widget);

    int width, height;

    if (!painter->frame) {
        return (AppViewport){ 0 };
    }
    app_viewport_shape(painter->frame->width, painter->frame->height, painter->correct_aspect,
                       &width, &height);
    return app_viewport_compute(gtk_widget_get_allocated_width(painter->widget) * scale,
                                gtk_widget_get_allocated_height(painter->widget) * scale, width,
                                height, painter->mode);
}

gboolean
ui_painter_is_exact(UiPainter *painter, const AppViewport *viewport)
{
    return painter->filter == UI_FILTER_NEAREST || (viewport->width % painter->frame->width == 0 &&
                                                    viewport->height % painter->frame->height == 0);
}

gint64
ui_painter_begin(UiPainter *painter)
{
    return g_get_monotonic_time() * 1000;
}

void
ui_painter_end(UiPainter *painter, gint64 begun_ns)
{
    if (painter->frame && painter->frame->serial != painter->last_drawn) {
        painter->last_drawn = painter->frame->serial;
        painter->n_drawn++;
        painter->draw_ns += g_get_monotonic_time() * 1000 - begun_ns;
    }
}

static gboolean
renderer_is_hardware(void)
{
    static const char *const software[] = { "llvmpipe", "softpipe", "swrast", "Software" };
    GtkWidget *window = gtk_window_new(GTK_WINDOW_POPUP);
    g_autoptr(GdkGLContext) context = NULL;
    const char *renderer = NULL;
    gboolean hardware = FALSE;

    gtk_widget_realize(window);
    context = gdk_window_create_gl_context(gtk_widget_get_window(window), NULL);
    if (context && gdk_gl_context_realize(context, NULL)) {
        gdk_gl_context_make_current(context);
        renderer = (const char *)glGetString(GL_RENDERER);
        hardware = renderer != NULL;
        for (guint i = 0; renderer && i < G_N_ELEMENTS(software); i++) {
            hardware &= strstr(renderer, software[i]) == NULL;
        }
        gdk_gl_context_clear_current();
    }
    gtk_widget_destroy(window);
    return hardware;
}

const UiPainterOps *
ui_painter_find(const char *name)
{
    if (g_strcmp0(name, "gl") == 0) {
        return &ui_painter_gl;
    }
    if (g_strcmp0(name, "cairo") == 0) {
        return &ui_painter_cairo;
    }
    return ui_painter_choose();
}

const UiPainterOps *
ui_painter_choose(void)
{
    const char *wish = g_getenv("VITRINE_PAINTER");

    if (wish && *wish) {
        return g_strcmp0(wish, "gl") == 0 ? &ui_painter_gl : &ui_painter_cairo;
    }
    return renderer_is_hardware() ? &ui_painter_gl : &ui_painter_cairo;
}
