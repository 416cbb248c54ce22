/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Drawing by a GL texture in a GtkGLArea. The context is made when the area is realized, before its
 * first frame. Only changed rectangles are uploaded, at most once per drawn frame; the letterbox is
 * the viewport, the same rectangle that input is mapped by. Core 3.2 and GLES 3. */

#include "ui-display.h"

#include <epoxy/gl.h>
#include <math.h>

typedef struct Gl {
    GLuint program, texture, vertices, buffer;
    int width, height; /* of the texture */
    gboolean whole;    /* everything must be uploaded */
    GArray *pending;   /* VitFrameRect not uploaded yet */
} Gl;

static const char vertex_source[] =
    "in vec2 position;\n"
    "out vec2 coordinate;\n"
    "void main() {\n"
    "    coordinate = vec2(position.x * 0.5 + 0.5, 0.5 - position.y * 0.5);\n"
    "    gl_Position = vec4(position, 0.0, 1.0);\n"
    "}\n";

static const char fragment_source[] =
    "in vec2 coordinate;\n"
    "out vec4 color;\n"
    "uniform sampler2D screen;\n"
    "uniform vec2 sharp;\n" /* device pixels per guest pixel; zero: as the texture filters */
    "void main() {\n"
    "    vec2 at = coordinate;\n"
    "    if (sharp.x > 0.0) {\n"
    "        vec2 size = vec2(textureSize(screen, 0));\n"
    "        vec2 pixel = at * size - 0.5;\n"
    "        vec2 part = fract(pixel) - 0.5;\n"
    "        at = (floor(pixel) + clamp(part * sharp + 0.5, 0.0, 1.0) + 0.5) / size;\n"
    "    }\n"
    "    color = vec4(texture(screen, at).rgb, 1.0);\n"
    "}\n";

static GLuint
compile(GLenum type, const char *source, gboolean es, GError **error)
{
    const char *parts[2] = { es ? "#version 300 es\nprecision mediump float;\n" : "#version 150\n",
                             source };
    GLuint shader = glCreateShader(type);
    GLint ok;

    glShaderSource(shader, 2, parts, NULL);
    glCompileShader(shader);
    glGetShaderiv(shader, GL_COMPILE_STATUS, &ok);
    if (!ok) {
        char log[512];

        glGetShaderInfoLog(shader, sizeof(log), NULL, log);
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED, "GL shader: %s", log);
        glDeleteShader(shader);
        return 0;
    }
    return shader;
}

static gboolean
make_program(Gl *gl, gboolean es, GError **error)
{
    GLuint vertex = compile(GL_VERTEX_SHADER, vertex_source, es, error);
    GLuint fragment = vertex ? compile(GL_FRAGMENT_SHADER, fragment_source, es, error) : 0;
    GLint ok = 0;

    if (fragment) {
        gl->program = glCreateProgram();
        glAttachShader(gl->program, vertex);
        glAttachShader(gl->program, fragment);
        glBindAttribLocation(gl->program, 0, "position");
        glLinkProgram(gl->program);
        glGetProgramiv(gl->program, GL_LINK_STATUS, &ok);
        if (!ok) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED, "GL program does not link");
        }
        glDeleteShader(fragment);
    }
    if (vertex) {
        glDeleteShader(vertex);
    }
    return ok;
}

static void
on_realize(GtkGLArea *area, UiPainter *painter)
{
    static const float quad[] = { -1, -1, 1, -1, -1, 1, 1, 1 };
    g_autoptr(GError) error = NULL;
    Gl *gl = painter->data;

    gtk_gl_area_make_current(area);
    if (gtk_gl_area_get_error(area)) {
        return;
    }
    if (!make_program(gl, gdk_gl_context_get_use_es(gtk_gl_area_get_context(area)), &error)) {
        gtk_gl_area_set_error(area, error);
        return;
    }
    glGenVertexArrays(1, &gl->vertices);
    glBindVertexArray(gl->vertices);
    glGenBuffers(1, &gl->buffer);
    glBindBuffer(GL_ARRAY_BUFFER, gl->buffer);
    glBufferData(GL_ARRAY_BUFFER, sizeof(quad), quad, GL_STATIC_DRAW);
    glEnableVertexAttribArray(0);
    glVertexAttribPointer(0, 2, GL_FLOAT, GL_FALSE, 0, NULL);
    glGenTextures(1, &gl->texture);
    gl->width = gl->height = 0;
    gl->whole = TRUE;
}

static void
on_unrealize(GtkGLArea *area, UiPainter *painter)
{
    Gl *gl = painter->data;

    gtk_gl_area_make_current(area);
    if (gtk_gl_area_get_error(area)) {
        return;
    }
    glDeleteTextures(1, &gl->texture);
    glDeleteBuffers(1, &gl->buffer);
    glDeleteVertexArrays(1, &gl->vertices);
    glDeleteProgram(gl->program);
    gl->program = 0;
}

static void
upload_rect(const VitFrame *frame, const VitFrameRect *rect)
{
    const uint8_t *from = frame->pixels + (gsize)rect->y * frame->stride_bytes + (gsize)rect->x * 4;

    glTexSubImage2D(GL_TEXTURE_2D, 0, rect->x, rect->y, rect->width, rect->height, GL_BGRA,
                    GL_UNSIGNED_BYTE, from);
}

static void
upload(Gl *gl, const VitFrame *frame)
{
    VitFrameRect all = { 0, 0, frame->width, frame->height };

    glBindTexture(GL_TEXTURE_2D, gl->texture);
    glPixelStorei(GL_UNPACK_ROW_LENGTH, frame->stride_bytes / 4);
    if (gl->width != frame->width || gl->height != frame->height) {
        glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA8, frame->width, frame->height, 0, GL_BGRA,
                     GL_UNSIGNED_BYTE, NULL);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_EDGE);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE);
        gl->width = frame->width;
        gl->height = frame->height;
        gl->whole = TRUE;
    }
    if (gl->whole) {
        upload_rect(frame, &all);
    } else {
        for (guint i = 0; i < gl->pending->len; i++) {
            upload_rect(frame, &g_array_index(gl->pending, VitFrameRect, i));
        }
    }
    gl->whole = FALSE;
    g_array_set_size(gl->pending, 0);
    glPixelStorei(GL_UNPACK_ROW_LENGTH, 0);
}

static gboolean
on_render(GtkGLArea *area, GdkGLContext *context, UiPainter *painter)
{
    Gl *gl = painter->data;
    AppViewport viewport = ui_painter_viewport(painter);
    int scale = gtk_widget_get_scale_factor(painter->widget);
    int height = gtk_widget_get_allocated_height(painter->widget) * scale;
    gint64 begun_ns = ui_painter_begin(painter);
    float sharp[2] = { 0, 0 };
    GLint filter;

    glClearColor(0, 0, 0, 1);
    glClear(GL_COLOR_BUFFER_BIT);
    if (!painter->frame || !gl->program || viewport.width == 0) {
        return TRUE;
    }
    upload(gl, painter->frame);
    filter = ui_painter_is_exact(painter, &viewport) ? GL_NEAREST : GL_LINEAR;
    if (painter->filter == UI_FILTER_SHARP && filter == GL_LINEAR) {
        sharp[0] = MAX(1.0f, ceilf((float)viewport.width / painter->frame->width));
        sharp[1] = MAX(1.0f, ceilf((float)viewport.height / painter->frame->height));
    }
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, filter);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, filter);
    /* GL counts rows from the bottom */
    glViewport(viewport.x, height - viewport.y - viewport.height, viewport.width, viewport.height);
    glUseProgram(gl->program);
    glUniform2fv(glGetUniformLocation(gl->program, "sharp"), 1, sharp);
    glBindVertexArray(gl->vertices);
    glDrawArrays(GL_TRIANGLE_STRIP, 0, 4);
    ui_painter_end(painter, begun_ns);
    return TRUE;
}

static void
gl_free(gpointer data)
{
    Gl *gl = data;

    g_array_unref(gl->pending);
    g_free(gl);
}

static GtkWidget *
gl_create(UiPainter *painter)
{
    GtkWidget *area = gtk_gl_area_new();
    Gl *gl = g_new0(Gl, 1);

    gl->pending = g_array_new(FALSE, FALSE, sizeof(VitFrameRect));
    painter->data = gl;
    gtk_gl_area_set_auto_render(GTK_GL_AREA(area), FALSE);
    gtk_gl_area_set_has_alpha(GTK_GL_AREA(area), FALSE);
    g_signal_connect(area, "realize", G_CALLBACK(on_realize), painter);
    g_signal_connect(area, "unrealize", G_CALLBACK(on_unrealize), painter);
    g_signal_connect(area, "render", G_CALLBACK(on_render), painter);
    g_object_set_data_full(G_OBJECT(area), "vitrine-gl", gl, gl_free);
    return area;
}

static void
gl_frame(UiPainter *painter)
{
    Gl *gl = painter->data;

    if (gl->pending->len + painter->frame->n_rects > 64) {
        gl->whole = TRUE;
        g_array_set_size(gl->pending, 0);
    } else {
        g_array_append_vals(gl->pending, painter->frame->rects, painter->frame->n_rects);
    }
    gtk_gl_area_queue_render(GTK_GL_AREA(painter->widget));
}

const UiPainterOps ui_painter_gl = {
    .name = "gl",
    .create = gl_create,
    .frame = gl_frame,
};
