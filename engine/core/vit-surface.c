/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Surfaces and their pictures on disk.
 *
 * A picture is written to a temporary file beside its place and renamed, so that a reader never
 * sees half of one. PPM as netpbm defines P6; PNG through libpng, 8-bit RGB.
 * Thread: device lock held where the surface is a device's. */

#include "vit-console.h"

#include "vit-error.h"

#include <errno.h>
#include <fcntl.h>
#include <png.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

VitSurface *
vit_surface_new(uint32_t width, uint32_t height)
{
    VitSurface *surface = g_new0(VitSurface, 1);

    surface->width = width;
    surface->height = height;
    surface->stride_bytes = width * 4;
    surface->format = VIT_PIXEL_XRGB8888;
    surface->pixels = g_malloc0_n(MAX(height, 1), MAX(surface->stride_bytes, 4));
    surface->owns_pixels = true;
    return surface;
}

void
vit_surface_free(VitSurface *surface)
{
    if (!surface) {
        return;
    }
    if (surface->owns_pixels) {
        g_free(surface->pixels);
    }
    g_free(surface);
}

static void
put_rgb565(uint8_t *rgb, uint16_t pixel)
{
    unsigned r = pixel >> 11, g = pixel >> 5 & 63, b = pixel & 31;

    rgb[0] = r << 3 | r >> 2;
    rgb[1] = g << 2 | g >> 4;
    rgb[2] = b << 3 | b >> 2;
}

static void
put_rgb555(uint8_t *rgb, uint16_t pixel)
{
    unsigned r = pixel >> 10 & 31, g = pixel >> 5 & 31, b = pixel & 31;

    rgb[0] = r << 3 | r >> 2;
    rgb[1] = g << 3 | g >> 2;
    rgb[2] = b << 3 | b >> 2;
}

/* Line Y as 8-bit red, green, blue. */
static void
get_rgb_line(const VitSurface *surface, uint32_t y, uint8_t *rgb)
{
    const uint8_t *line = surface->pixels + (size_t)y * surface->stride_bytes;

    for (uint32_t x = 0; x < surface->width; x++, rgb += 3) {
        switch (surface->format) {
        case VIT_PIXEL_XRGB8888:
            rgb[0] = line[4 * x + 2];
            rgb[1] = line[4 * x + 1];
            rgb[2] = line[4 * x];
            break;
        case VIT_PIXEL_RGB565: put_rgb565(rgb, line[2 * x] | line[2 * x + 1] << 8); break;
        case VIT_PIXEL_XRGB1555: put_rgb555(rgb, line[2 * x] | line[2 * x + 1] << 8); break;
        }
    }
}

static bool
write_ppm(const VitSurface *surface, FILE *file)
{
    g_autofree uint8_t *rgb = g_malloc(surface->width * 3u);

    if (fprintf(file, "P6\n%u %u\n255\n", surface->width, surface->height) < 0) {
        return false;
    }
    for (uint32_t y = 0; y < surface->height; y++) {
        get_rgb_line(surface, y, rgb);
        if (fwrite(rgb, 3, surface->width, file) != surface->width) {
            return false;
        }
    }
    return true;
}

/* libpng leaves by longjmp on failure: nothing here is allocated between set and use. */
static bool
write_png_with(png_structp png, png_infop info, const VitSurface *surface, FILE *file, uint8_t *rgb)
{
    if (setjmp(png_jmpbuf(png))) {
        return false;
    }
    png_init_io(png, file);
    png_set_IHDR(png, info, surface->width, surface->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (uint32_t y = 0; y < surface->height; y++) {
        get_rgb_line(surface, y, rgb);
        png_write_row(png, rgb);
    }
    png_write_end(png, NULL);
    return true;
}

static bool
write_png(const VitSurface *surface, FILE *file)
{
    g_autofree uint8_t *rgb = g_malloc(surface->width * 3u);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool ok = info && write_png_with(png, info, surface, file, rgb);

    png_destroy_write_struct(&png, &info);
    return ok;
}

bool
vit_surface_save(const VitSurface *surface, const char *path, const char *format, GError **error)
{
    bool png = g_strcmp0(format, "png") == 0;

    if (!png && format && strcmp(format, "ppm") != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "screenshot \"%s\": unknown format \"%s\"; use ppm or png", path, format);
        return false;
    }
    if (surface->width == 0 || surface->height == 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE,
                    "screenshot \"%s\": the screen has no picture yet", path);
        return false;
    }
    g_autofree char *temporary = g_strdup_printf("%s.XXXXXX", path);
    int fd = g_mkstemp_full(temporary, O_RDWR | O_CLOEXEC, 0666);
    FILE *file = fd >= 0 ? fdopen(fd, "wb") : NULL;
    bool ok = file && (png ? write_png(surface, file) : write_ppm(surface, file));
    int cause = errno;
    if (file) {
        if (fclose(file) != 0) {
            cause = errno;
            ok = false;
        }
    } else if (fd >= 0) {
        close(fd);
    }
    if (ok && rename(temporary, path) != 0) {
        cause = errno;
        ok = false;
    }
    if (!ok) {
        if (fd >= 0) {
            unlink(temporary);
        }
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "screenshot \"%s\" could not be written: %s",
                    path, g_strerror(cause));
    }
    return ok;
}
