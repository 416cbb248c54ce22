/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* One screen of a machine, as its viewers see it. The engine publishes finished frames to a triple
 * buffer: taking one never waits for the engine, and the engine never waits for a viewer.
 * Thread: the machine's context. */

#include <glib-object.h>
#include <stdint.h>

G_BEGIN_DECLS

#define VIT_TYPE_DISPLAY (vit_display_get_type())
G_DECLARE_FINAL_TYPE(VitDisplay, vit_display, VIT, DISPLAY, GObject)

/* Signals:
 *   "frame" (): a newer frame waits; at most one such signal is under way at a time;
 *   "resized" (int width, int height): before the first frame of that size;
 *   "cursor-changed" (). */

typedef struct {
    int x, y, width, height;
} VitFrameRect;

typedef struct {
    const uint8_t *pixels; /* 32-bit words 0xXXRRGGBB, host byte order */
    int width, height, stride_bytes;
    /* What differs from the frame taken before; at most VIT_FRAME_RECTS. */
    const VitFrameRect *rects;
    unsigned n_rects;
    uint64_t serial;
    int64_t published_ns; /* host monotonic */
} VitFrame;

#define VIT_FRAME_RECTS 16

/* The newest frame, or NULL before the first. It stays as it is until the next take or release. */
const VitFrame *vit_display_take_frame(VitDisplay *display);
void vit_display_release_frame(VitDisplay *display);

/* How often frames are wanted: the monitor's rate while visible, 1 for thumbnails, 0 for none
 * (the guest's screen then costs nothing). Default 0. */
void vit_display_set_rate(VitDisplay *display, unsigned frames_per_second);

const char *vit_display_get_name(VitDisplay *display);
void vit_display_get_size(VitDisplay *display, int *out_width, int *out_height);

/* The guest's own pointer image, when it defines one: premultiplied ARGB words. */
typedef struct {
    int width, height, hot_x, hot_y;
    int x, y;
    gboolean visible;
    uint32_t *argb;
} VitPointerImage;
/* NULL when the guest draws its pointer itself. Ownership: caller. */
VitPointerImage *vit_display_dup_pointer(VitDisplay *display);
void vit_pointer_image_free(VitPointerImage *image);

/* The text-mode screen as lines of UTF-8, or NULL in a graphics mode. May be a frame old.
 * Ownership: caller. */
char *vit_display_dup_text(VitDisplay *display);

/* Writes the newest frame at guest resolution, by the name's ending: .png or .ppm. */
gboolean vit_display_save_screenshot(VitDisplay *display, const char *path, GError **error);

G_END_DECLS
