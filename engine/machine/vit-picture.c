/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Still pictures: their sizes and files. Taking one of a screen is in vit-display.c. */

#include "vit-picture.h"

#include "vit-console.h"

void
vit_picture_free(VitPicture *picture)
{
    if (picture) {
        g_free(picture->pixels);
        g_free(picture);
    }
}

VitPicture *
vit_picture_copy(const VitPicture *picture)
{
    VitPicture *copy = g_memdup2(picture, sizeof(*picture));

    copy->pixels = g_memdup2(picture->pixels, (gsize)picture->width * picture->height * 4);
    return copy;
}

/* Mean of the pixels of X0..X1 by Y0..Y1, never empty. */
static uint32_t
average(const VitPicture *from, int x0, int x1, int y0, int y1)
{
    uint64_t red = 0, green = 0, blue = 0;
    unsigned count = (x1 - x0) * (y1 - y0);

    for (int y = y0; y < y1; y++) {
        const uint32_t *row = from->pixels + (gsize)y * from->width;

        for (int x = x0; x < x1; x++) {
            red += row[x] >> 16 & 0xff;
            green += row[x] >> 8 & 0xff;
            blue += row[x] & 0xff;
        }
    }
    return 0xff000000 | (uint32_t)(red / count) << 16 | (uint32_t)(green / count) << 8 |
           (uint32_t)(blue / count);
}

VitPicture *
vit_picture_shrink(const VitPicture *picture, int max_width, int max_height)
{
    VitPicture *out;
    int width = picture->width, height = picture->height;

    if (width <= max_width && height <= max_height) {
        return vit_picture_copy(picture);
    }
    if ((gint64)width * max_height > (gint64)height * max_width) {
        height = MAX(1, (gint64)height * max_width / width);
        width = max_width;
    } else {
        width = MAX(1, (gint64)width * max_height / height);
        height = max_height;
    }
    out = g_new0(VitPicture, 1);
    out->width = width;
    out->height = height;
    out->pixels = g_new(uint32_t, (gsize)width * height);
    for (int y = 0; y < height; y++) {
        int y0 = (gint64)y * picture->height / height;
        int y1 = MAX(y0 + 1, (gint64)(y + 1) * picture->height / height);

        for (int x = 0; x < width; x++) {
            int x0 = (gint64)x * picture->width / width;
            int x1 = MAX(x0 + 1, (gint64)(x + 1) * picture->width / width);

            out->pixels[(gsize)y * width + x] = average(picture, x0, x1, y0, y1);
        }
    }
    return out;
}

gboolean
vit_picture_save(const VitPicture *picture, const char *path, GError **error)
{
    VitSurface surface = {
        .width = picture->width,
        .height = picture->height,
        .stride_bytes = picture->width * 4,
        .format = VIT_PIXEL_XRGB8888,
        .pixels = (uint8_t *)picture->pixels,
    };

    return vit_surface_save(&surface, path, g_str_has_suffix(path, ".ppm") ? "ppm" : "png", error);
}
