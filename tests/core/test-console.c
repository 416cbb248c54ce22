/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Consoles and surfaces: what listeners are told, and pictures on disk read back. */

#include "vit-console.h"
#include "vit-error.h"

#include <glib/gstdio.h>
#include <png.h>
#include <string.h>

typedef struct Viewer {
    VitConsoleListener listener;
    VitConsole *console;
    unsigned surfaces, damages, cursors, moves;
    VitRect last;
    bool leaves; /* removes itself when told of damage */
} Viewer;

static void
surface_changed(void *opaque, const VitSurface *surface)
{
    ((Viewer *)opaque)->surfaces++;
}

static void
damage(void *opaque, VitRect rect)
{
    Viewer *viewer = opaque;

    viewer->damages++;
    viewer->last = rect;
    if (viewer->leaves) {
        vit_console_remove_listener(viewer->console, &viewer->listener);
    }
}

static void
cursor_defined(void *opaque, const VitCursorImage *image)
{
    ((Viewer *)opaque)->cursors++;
}

static void
cursor_moved(void *opaque, int x, int y, bool visible)
{
    ((Viewer *)opaque)->moves++;
}

static void
join(Viewer *viewer, VitConsole *console)
{
    viewer->console = console;
    viewer->listener =
        (VitConsoleListener){ surface_changed, damage, cursor_defined, cursor_moved, viewer };
    vit_console_add_listener(console, &viewer->listener);
}

static void
test_listeners(void)
{
    VitConsole *console = vit_console_new("screen", NULL, NULL);
    VitSurface *surface = vit_surface_new(100, 50);
    Viewer early = { 0 }, late = { 0 };

    join(&early, console);
    vit_console_damage(console, 0, 0, 10, 10); /* nothing shown yet */
    g_assert_cmpuint(early.damages, ==, 0);
    vit_console_set_surface(console, surface);
    g_assert_cmpuint(early.surfaces, ==, 1);
    VitCursorImage *cursor = g_new0(VitCursorImage, 1);
    vit_console_define_cursor(console, cursor);
    vit_console_move_cursor(console, 5, 6, true);
    /* who comes late is told what is there */
    join(&late, console);
    g_assert_cmpuint(late.surfaces, ==, 1);
    g_assert_cmpuint(late.cursors, ==, 1);
    g_assert_cmpuint(late.moves, ==, 1);
    /* damage is clipped to the surface */
    vit_console_damage(console, -5, 40, 20, 30);
    g_assert_cmpint(late.last.x, ==, 0);
    g_assert_cmpint(late.last.y, ==, 40);
    g_assert_cmpint(late.last.width, ==, 15);
    g_assert_cmpint(late.last.height, ==, 10);
    vit_console_damage(console, 100, 0, 5, 5);
    g_assert_cmpuint(late.damages, ==, 1);
    /* a listener may leave while it is told */
    early.leaves = true;
    vit_console_damage(console, 0, 0, 1, 1);
    vit_console_damage(console, 0, 0, 1, 1);
    g_assert_cmpuint(early.damages, ==, 2);
    g_assert_cmpuint(late.damages, ==, 3);
    vit_console_set_surface(console, NULL);
    vit_console_free(console);
    vit_surface_free(surface);
}

static uint8_t
level(unsigned x, unsigned y, unsigned channel)
{
    return x * 3 + y * 7 + channel * 50;
}

static VitSurface *
new_picture(void)
{
    VitSurface *surface = vit_surface_new(37, 11);

    for (unsigned y = 0; y < 11; y++) {
        for (unsigned x = 0; x < 37; x++) {
            uint8_t *pixel = surface->pixels + y * surface->stride_bytes + x * 4;
            for (unsigned channel = 0; channel < 3; channel++) {
                pixel[2 - channel] = level(x, y, channel);
            }
            pixel[3] = 0xee; /* not part of the colour */
        }
    }
    return surface;
}

static void
expect_picture(const uint8_t *rgb)
{
    for (unsigned y = 0; y < 11; y++) {
        for (unsigned x = 0; x < 37; x++) {
            for (unsigned channel = 0; channel < 3; channel++) {
                g_assert_cmphex(*rgb++, ==, level(x, y, channel));
            }
        }
    }
}

static void
test_ppm(void)
{
    static const char header[] = "P6\n37 11\n255\n";
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = g_dir_make_tmp("vitrine-surface-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "picture", NULL);
    g_autofree char *bytes = NULL;
    VitSurface *surface = new_picture();
    gsize len;

    g_assert_true(vit_surface_save(surface, path, "ppm", &error));
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    g_assert_cmpuint(len, ==, strlen(header) + 37 * 11 * 3);
    g_assert_cmpmem(bytes, strlen(header), header, strlen(header));
    expect_picture((uint8_t *)bytes + strlen(header));
    vit_surface_free(surface);
    g_remove(path);
    /* no temporary file stays behind */
    g_assert_cmpint(g_rmdir(dir), ==, 0);
}

static void
test_png(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *dir = g_dir_make_tmp("vitrine-surface-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "picture.png", NULL);
    VitSurface *surface = new_picture();
    png_image image = { .version = PNG_IMAGE_VERSION };
    uint8_t rgb[37 * 11 * 3];

    g_assert_true(vit_surface_save(surface, path, "png", &error));
    g_assert_no_error(error);
    g_assert_true(png_image_begin_read_from_file(&image, path));
    g_assert_cmpuint(image.width, ==, 37);
    g_assert_cmpuint(image.height, ==, 11);
    image.format = PNG_FORMAT_RGB;
    g_assert_true(png_image_finish_read(&image, NULL, rgb, 0, NULL));
    expect_picture(rgb);
    vit_surface_free(surface);
    g_remove(path);
    g_rmdir(dir);
}

static void
test_formats(void)
{
    uint16_t pixels[2] = { 0xf81f, 0x07e0 };
    VitSurface surface = { .width = 2,
                           .height = 1,
                           .stride_bytes = 4,
                           .format = VIT_PIXEL_RGB565,
                           .pixels = (uint8_t *)pixels };
    static const uint8_t expected_565[] = { 0xff, 0, 0xff, 0, 0xff, 0 };
    static const uint8_t expected_555[] = { 0, 0xff, 0, 0xff, 0, 0xff };
    g_autofree char *dir = g_dir_make_tmp("vitrine-surface-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "picture", NULL);
    g_autofree char *bytes = NULL;
    gsize len;

    g_assert_true(vit_surface_save(&surface, path, NULL, NULL));
    g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    g_assert_cmpmem(bytes + len - 6, 6, expected_565, 6);
    g_clear_pointer(&bytes, g_free);
    pixels[0] = 0x03e0;
    pixels[1] = 0xfc1f;
    surface.format = VIT_PIXEL_XRGB1555;
    g_assert_true(vit_surface_save(&surface, path, "ppm", NULL));
    g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    g_assert_cmpmem(bytes + len - 6, 6, expected_555, 6);
    g_remove(path);
    g_rmdir(dir);
}

static void
test_failures(void)
{
    g_autoptr(GError) error = NULL;
    VitSurface *surface = new_picture();
    VitSurface empty = { 0 };

    g_assert_false(vit_surface_save(surface, "/nonexistent/folder/x.ppm", "ppm", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_IO);
    g_assert_nonnull(strstr(error->message, "/nonexistent/folder/x.ppm"));
    g_clear_error(&error);
    g_assert_false(vit_surface_save(surface, "x", "gif", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT);
    g_clear_error(&error);
    g_assert_false(vit_surface_save(&empty, "x", "png", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_STATE);
    vit_surface_free(surface);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/console/listeners", test_listeners);
    g_test_add_func("/surface/ppm", test_ppm);
    g_test_add_func("/surface/png", test_png);
    g_test_add_func("/surface/formats", test_formats);
    g_test_add_func("/surface/failures", test_failures);
    return g_test_run();
}
