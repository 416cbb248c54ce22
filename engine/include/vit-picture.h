/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A still picture of a screen, on its own memory: for thumbnails, screenshots, the clipboard.
 * Thread: any; a picture does not change. */

#include "vit-display.h"

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct {
    int width, height;
    uint32_t *pixels; /* 0xffRRGGBB, host byte order, WIDTH in a row */
} VitPicture;

void vit_picture_free(VitPicture *picture);
VitPicture *vit_picture_copy(const VitPicture *picture);
/* By area average, keeping the shape, no larger than MAX_WIDTH by MAX_HEIGHT; a smaller one is
 * copied. Ownership: caller. */
VitPicture *vit_picture_shrink(const VitPicture *picture, int max_width, int max_height);
/* By the name's ending: .png or .ppm; written aside and renamed. */
gboolean vit_picture_save(const VitPicture *picture, const char *path, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VitPicture, vit_picture_free)

/* The screen as it is now, whatever the rate of VitDisplay and also while paused. VIT_ERROR_STATE:
 * there is no picture yet. Ownership: caller. Thread: the machine's context. */
void vit_display_take_picture_async(VitDisplay *display, GAsyncReadyCallback callback,
                                    gpointer data);
VitPicture *vit_display_take_picture_finish(VitDisplay *display, GAsyncResult *result,
                                            GError **error);

G_END_DECLS
