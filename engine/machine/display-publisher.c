/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The triple buffer between a display device and its viewers; invariants in the header. */

#include "display-publisher.h"

#include <string.h>

/* Rectangles that changed; collapses to their bounding box when it has no room. */
typedef struct Damage {
    VitFrameRect rects[VIT_FRAME_RECTS];
    unsigned count;
} Damage;

typedef struct Frame {
    uint32_t *pixels;
    size_t capacity; /* in pixels */
    int width, height;
    Damage stale;
    uint64_t serial;
    int64_t published_ns;
} Frame;

struct DisplayPublisher {
    VitConsole *console;
    VitConsoleListener listener;
    VitClock *clock;
    DisplayPublisherEvents events;

    /* the writer's, under the device lock */
    const VitSurface *surface;
    Damage pending; /* since the last publication */
    uint64_t next_serial;

    GMutex mutex; /* guards what follows */
    Frame frames[3];
    int newest; /* index, -1 before the first */
    int taken;  /* index of the viewer's, -1 none */
    bool announced;
    Damage for_viewer; /* since the frame the viewer has had */
    int viewer_width, viewer_height;

    VitFrame view; /* what take() returns; the viewer's thread alone */
    Damage view_damage;
};

/* ---- Damage ---- */

static VitFrameRect
rect_union(VitFrameRect a, VitFrameRect b)
{
    int x = MIN(a.x, b.x), y = MIN(a.y, b.y);

    return (VitFrameRect){ x, y, MAX(a.x + a.width, b.x + b.width) - x,
                           MAX(a.y + a.height, b.y + b.height) - y };
}

static int64_t
rect_area(VitFrameRect rect)
{
    return (int64_t)rect.width * rect.height;
}

/* Merges where little is wasted, else appends, else grows the rectangle that grows least. */
static void
damage_add(Damage *damage, VitFrameRect rect)
{
    int best = -1;
    int64_t best_growth = INT64_MAX;

    if (rect.width <= 0 || rect.height <= 0) {
        return;
    }
    for (unsigned i = 0; i < damage->count; i++) {
        VitFrameRect joined = rect_union(damage->rects[i], rect);
        int64_t growth = rect_area(joined) - rect_area(damage->rects[i]);

        if (growth <= rect_area(rect) + rect_area(joined) / 8) {
            damage->rects[i] = joined;
            return;
        }
        if (growth < best_growth) {
            best_growth = growth;
            best = i;
        }
    }
    if (damage->count < VIT_FRAME_RECTS) {
        damage->rects[damage->count++] = rect;
    } else {
        damage->rects[best] = rect_union(damage->rects[best], rect);
    }
}

static void
damage_add_all(Damage *damage, const Damage *other)
{
    for (unsigned i = 0; i < other->count; i++) {
        damage_add(damage, other->rects[i]);
    }
}

static void
damage_set_full(Damage *damage, int width, int height)
{
    damage->count = 1;
    damage->rects[0] = (VitFrameRect){ 0, 0, width, height };
}

static void
damage_clip(Damage *damage, int width, int height)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < damage->count; i++) {
        VitFrameRect rect = damage->rects[i];
        int x2 = MIN(rect.x + rect.width, width), y2 = MIN(rect.y + rect.height, height);

        rect.x = MAX(rect.x, 0);
        rect.y = MAX(rect.y, 0);
        rect.width = x2 - rect.x;
        rect.height = y2 - rect.y;
        if (rect.width > 0 && rect.height > 0) {
            damage->rects[kept++] = rect;
        }
    }
    damage->count = kept;
}

/* ---- Copying ---- */

static uint32_t
pixel_565(uint16_t p)
{
    uint32_t r = p >> 11, g = (p >> 5) & 63, b = p & 31;

    return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
}

static uint32_t
pixel_555(uint16_t p)
{
    uint32_t r = (p >> 10) & 31, g = (p >> 5) & 31, b = p & 31;

    return (r << 3 | r >> 2) << 16 | (g << 3 | g >> 2) << 8 | (b << 3 | b >> 2);
}

static void
copy_row(const VitSurface *surface, uint32_t *to, int x, int y, int width)
{
    const uint8_t *row = surface->pixels + (size_t)y * surface->stride_bytes;

    if (surface->format == VIT_PIXEL_XRGB8888) {
        memcpy(to, row + (size_t)x * 4, (size_t)width * 4);
        return;
    }
    for (int i = 0; i < width; i++) {
        uint16_t pixel;

        memcpy(&pixel, row + (size_t)(x + i) * 2, 2);
        to[i] = surface->format == VIT_PIXEL_RGB565 ? pixel_565(pixel) : pixel_555(pixel);
    }
}

void
display_publisher_convert(const VitSurface *surface, uint32_t *out_pixels)
{
    for (uint32_t y = 0; y < surface->height; y++) {
        uint32_t *row = out_pixels + (size_t)y * surface->width;

        copy_row(surface, row, 0, y, surface->width);
        for (uint32_t x = 0; x < surface->width; x++) {
            row[x] |= 0xff000000;
        }
    }
}

static void
frame_write(Frame *frame, const VitSurface *surface)
{
    int width = surface->width, height = surface->height;

    if (frame->width != width || frame->height != height) {
        size_t need = (size_t)width * height;

        if (need > frame->capacity) {
            g_free(frame->pixels);
            frame->pixels = g_malloc_n(need, sizeof(uint32_t));
            frame->capacity = need;
        }
        frame->width = width;
        frame->height = height;
        damage_set_full(&frame->stale, width, height);
    }
    damage_clip(&frame->stale, width, height);
    for (unsigned i = 0; i < frame->stale.count; i++) {
        VitFrameRect rect = frame->stale.rects[i];

        for (int y = rect.y; y < rect.y + rect.height; y++) {
            copy_row(surface, frame->pixels + (size_t)y * width + rect.x, rect.x, y, rect.width);
        }
    }
    frame->stale.count = 0;
}

/* ---- The writer ---- */

static void
on_surface_changed(void *opaque, const VitSurface *surface)
{
    DisplayPublisher *publisher = opaque;

    publisher->surface = surface;
    if (surface) {
        damage_set_full(&publisher->pending, surface->width, surface->height);
    }
}

static void
on_damage(void *opaque, VitRect rect)
{
    DisplayPublisher *publisher = opaque;

    damage_add(&publisher->pending, (VitFrameRect){ rect.x, rect.y, rect.width, rect.height });
}

static void
on_cursor_defined(void *opaque, const VitCursorImage *image)
{
    DisplayPublisher *publisher = opaque;

    publisher->events.cursor(publisher->events.opaque);
}

static void
on_cursor_moved(void *opaque, int x, int y, bool visible)
{
    DisplayPublisher *publisher = opaque;

    publisher->events.cursor(publisher->events.opaque);
}

static int
pick_free_frame(const DisplayPublisher *publisher)
{
    for (int i = 0; i < 3; i++) {
        if (i != publisher->newest && i != publisher->taken) {
            return i;
        }
    }
    g_assert_not_reached();
}

static void
publish(DisplayPublisher *publisher)
{
    Frame *frame;
    bool announce;
    int index;

    g_mutex_lock(&publisher->mutex);
    for (int i = 0; i < 3; i++) {
        damage_add_all(&publisher->frames[i].stale, &publisher->pending);
    }
    index = pick_free_frame(publisher);
    g_mutex_unlock(&publisher->mutex);

    frame = &publisher->frames[index];
    frame_write(frame, publisher->surface);
    frame->serial = ++publisher->next_serial;
    frame->published_ns = vit_clock_host_ns(publisher->clock);

    g_mutex_lock(&publisher->mutex);
    publisher->newest = index;
    damage_add_all(&publisher->for_viewer, &publisher->pending);
    announce = !publisher->announced;
    publisher->announced = true;
    g_mutex_unlock(&publisher->mutex);

    publisher->pending.count = 0;
    if (announce) {
        publisher->events.ready(publisher->events.opaque);
    }
}

void
display_publisher_refresh(DisplayPublisher *publisher)
{
    if (!publisher->console) {
        return;
    }
    vit_console_update(publisher->console, false);
    if (publisher->surface && publisher->pending.count && publisher->surface->width &&
        publisher->surface->height) {
        publish(publisher);
    }
}

uint64_t
display_publisher_count(const DisplayPublisher *publisher)
{
    return publisher->next_serial;
}

DisplayPublisher *
display_publisher_new(VitConsole *console, VitClock *clock, const DisplayPublisherEvents *events)
{
    DisplayPublisher *publisher = g_new0(DisplayPublisher, 1);

    publisher->console = console;
    publisher->clock = clock;
    publisher->events = *events;
    publisher->newest = publisher->taken = -1;
    g_mutex_init(&publisher->mutex);
    publisher->listener = (VitConsoleListener){
        .surface_changed = on_surface_changed,
        .damage = on_damage,
        .cursor_defined = on_cursor_defined,
        .cursor_moved = on_cursor_moved,
        .opaque = publisher,
    };
    vit_console_add_listener(console, &publisher->listener);
    if (console->surface) {
        on_surface_changed(publisher, console->surface);
    }
    return publisher;
}

void
display_publisher_detach(DisplayPublisher *publisher)
{
    if (publisher->console) {
        vit_console_remove_listener(publisher->console, &publisher->listener);
        publisher->console = NULL;
        publisher->surface = NULL;
    }
}

void
display_publisher_free(DisplayPublisher *publisher)
{
    if (!publisher) {
        return;
    }
    for (int i = 0; i < 3; i++) {
        g_free(publisher->frames[i].pixels);
    }
    g_mutex_clear(&publisher->mutex);
    g_free(publisher);
}

/* ---- The viewer ---- */

const VitFrame *
display_publisher_take(DisplayPublisher *publisher)
{
    Frame *frame;

    g_mutex_lock(&publisher->mutex);
    publisher->announced = false;
    if (publisher->newest < 0) {
        g_mutex_unlock(&publisher->mutex);
        return NULL;
    }
    publisher->taken = publisher->newest;
    frame = &publisher->frames[publisher->taken];
    publisher->view_damage = publisher->for_viewer;
    publisher->for_viewer.count = 0;
    g_mutex_unlock(&publisher->mutex);

    if (frame->width != publisher->viewer_width || frame->height != publisher->viewer_height) {
        damage_set_full(&publisher->view_damage, frame->width, frame->height);
        publisher->viewer_width = frame->width;
        publisher->viewer_height = frame->height;
    }
    damage_clip(&publisher->view_damage, frame->width, frame->height);
    publisher->view = (VitFrame){
        .pixels = (const uint8_t *)frame->pixels,
        .width = frame->width,
        .height = frame->height,
        .stride_bytes = frame->width * 4,
        .rects = publisher->view_damage.rects,
        .n_rects = publisher->view_damage.count,
        .serial = frame->serial,
        .published_ns = frame->published_ns,
    };
    return &publisher->view;
}

void
display_publisher_release(DisplayPublisher *publisher)
{
    g_mutex_lock(&publisher->mutex);
    publisher->taken = -1;
    g_mutex_unlock(&publisher->mutex);
}
