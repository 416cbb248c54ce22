/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Consoles: where guest screens meet their viewers.
 *
 * A display device owns a console and its surface (pixels it renders to) and marks damage. Viewers
 * (the window's publisher, VNC, curses, screendump) register listeners. Refresh is pulled: viewers
 * ask for an update at their rate, the device then brings the surface up to date from its dirty
 * pages and reports damage. Thread: device lock held. */

#include "vit-types.h"

typedef enum VitPixelFormat {
    VIT_PIXEL_XRGB8888, /* 32-bit word 0xXXRRGGBB, little endian: B G R X in memory */
    VIT_PIXEL_RGB565,
    VIT_PIXEL_XRGB1555,
} VitPixelFormat;

typedef struct VitSurface {
    uint32_t width, height, stride_bytes;
    VitPixelFormat format;
    uint8_t *pixels;
    bool owns_pixels; /* else they are video memory */
} VitSurface;

typedef struct VitRect {
    int x, y, width, height;
} VitRect;

/* One cell of a text-mode screen. */
typedef struct VitTextCell {
    uint8_t character; /* code page 437 */
    uint8_t attribute; /* VGA attribute */
} VitTextCell;

typedef struct VitTextScreen {
    int columns, rows;
    int cursor_x, cursor_y; /* -1 hidden */
    VitTextCell *cells;     /* owned */
} VitTextScreen;

typedef struct VitCursorImage {
    int width, height, hot_x, hot_y;
    uint32_t *argb; /* premultiplied; owned */
} VitCursorImage;

/* Filled by the device. */
typedef struct VitConsoleOps {
    /* Bring surface up to date and report damage; FULL: everything. */
    void (*update)(void *opaque, bool full);
    /* Text-mode contents; false when the screen is in a graphics mode. */
    bool (*get_text)(void *opaque, VitTextScreen *out);
    /* A viewer offers a size in pixels (guest-resize hint); may be NULL. */
    void (*size_hint)(void *opaque, int width, int height);
} VitConsoleOps;

/* Filled by a viewer. Called with the device lock held, must not block. */
typedef struct VitConsoleListener {
    void (*surface_changed)(void *opaque, const VitSurface *surface);
    void (*damage)(void *opaque, VitRect rect);
    void (*cursor_defined)(void *opaque, const VitCursorImage *image);
    void (*cursor_moved)(void *opaque, int x, int y, bool visible);
    void *opaque;
} VitConsoleListener;

struct VitConsole {
    unsigned index;
    char *name; /* device id or kind */
    const VitConsoleOps *ops;
    void *opaque;
    const VitSurface *surface; /* owned by the device; NULL before the first mode */
    GPtrArray *listeners;      /* VitConsoleListener*, not owned */
    VitCursorImage *cursor;
    int cursor_x, cursor_y;
    bool cursor_visible;
};

VitConsole *vit_console_new(const char *name, const VitConsoleOps *ops, void *opaque);
void vit_console_free(VitConsole *console);
/* Device side. The old surface may be freed after the call. */
void vit_console_set_surface(VitConsole *console, const VitSurface *surface);
void vit_console_damage(VitConsole *console, int x, int y, int width, int height);
void vit_console_define_cursor(VitConsole *console, VitCursorImage *image /* taken */);
void vit_console_move_cursor(VitConsole *console, int x, int y, bool visible);
/* Viewer side. */
void vit_console_add_listener(VitConsole *console, const VitConsoleListener *listener);
void vit_console_remove_listener(VitConsole *console, const VitConsoleListener *listener);
void vit_console_update(VitConsole *console, bool full);
bool vit_console_get_text(VitConsole *console, VitTextScreen *out);
void vit_text_screen_clear(VitTextScreen *screen);

VitSurface *vit_surface_new(uint32_t width, uint32_t height);
void vit_surface_free(VitSurface *surface);
/* Writes a PPM (P6) or PNG file; error names the path. */
bool vit_surface_save(const VitSurface *surface, const char *path, const char *format,
                      GError **error);
