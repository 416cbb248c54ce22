/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Dirty bitmaps in memory: one bit per granule in 64-bit words. Searching skips clean words, which
 * for a terabyte at 64 KiB is at most 256k of them.
 * Invariant: dirty_count is the number of bits set; bits from granules on are clear.
 * Thread: the lock of the node's context held. */

#include "blk-bitmap.h"

#include "blk-driver.h"

#include <string.h>

enum { WORD_BITS = 64, DEFAULT_GRANULARITY = 65536, MIN_DEFAULT_GRANULARITY = 4096 };

static uint64_t
word_count(uint64_t granules)
{
    return (granules + WORD_BITS - 1) / WORD_BITS;
}

static uint64_t
granules_for(uint64_t len, uint32_t granularity)
{
    return len / granularity + (len % granularity > 0);
}

uint32_t
blk_bitmap_default_granularity(BlkNode *node)
{
    BlkFormatInfo info = { 0 };

    if (node->driver->format && node->driver->format->get_info) {
        node->driver->format->get_info(node, &info);
    }
    return info.cluster_bytes ? MAX(info.cluster_bytes, MIN_DEFAULT_GRANULARITY)
                              : DEFAULT_GRANULARITY;
}

BlkBitmap *
blk_bitmap_new(BlkNode *node, const char *name, uint64_t granularity, GError **error)
{
    BlkBitmap *bitmap;
    uint64_t *words;

    if (name && (!*name || strlen(name) > BLK_BITMAP_MAX_NAME)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "A bitmap's name has 1 to %d characters.", BLK_BITMAP_MAX_NAME);
        return NULL;
    }
    if (name && blk_bitmap_find(node, name)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Node '%s' already has a bitmap '%s'.", node->name, name);
        return NULL;
    }
    granularity = granularity ? granularity : blk_bitmap_default_granularity(node);
    if (granularity < BLK_BITMAP_MIN_GRANULARITY || granularity > 1u << 31 ||
        (granularity & (granularity - 1))) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Granularity must be a power of two from 512 to 2G, not %" G_GUINT64_FORMAT ".",
                    granularity);
        return NULL;
    }
    uint64_t len = blk_node_get_len(node);
    uint64_t granules = granules_for(len, (uint32_t)granularity);
    words = g_try_malloc0(MAX(word_count(granules), 1) * sizeof(*words));
    if (!words) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                    "No memory for a bitmap of %" G_GUINT64_FORMAT " granules; choose a larger "
                    "granularity.",
                    granules);
        return NULL;
    }
    bitmap = g_new0(BlkBitmap, 1);
    bitmap->name = g_strdup(name);
    bitmap->granularity_bytes = (uint32_t)granularity;
    bitmap->len_bytes = len;
    bitmap->granules = granules;
    bitmap->words = words;
    bitmap->enabled = true;
    if (!node->bitmaps) {
        node->bitmaps = g_ptr_array_new();
    }
    g_ptr_array_add(node->bitmaps, bitmap);
    return bitmap;
}

static void
free_bitmap(BlkBitmap *bitmap)
{
    g_free(bitmap->words);
    g_free(bitmap->name);
    g_free(bitmap);
}

void
blk_bitmap_free(BlkNode *node, BlkBitmap *bitmap)
{
    if (bitmap) {
        g_assert(bitmap->busy == 0);
        g_ptr_array_remove(node->bitmaps, bitmap);
        free_bitmap(bitmap);
    }
}

void
blk_node_free_bitmaps(BlkNode *node)
{
    for (unsigned i = 0; node->bitmaps && i < node->bitmaps->len; i++) {
        free_bitmap(g_ptr_array_index(node->bitmaps, i));
    }
    g_clear_pointer(&node->bitmaps, g_ptr_array_unref);
}

BlkBitmap *
blk_bitmap_find(BlkNode *node, const char *name)
{
    for (unsigned i = 0; node->bitmaps && i < node->bitmaps->len; i++) {
        BlkBitmap *bitmap = g_ptr_array_index(node->bitmaps, i);
        if (bitmap->name && strcmp(bitmap->name, name) == 0) {
            return bitmap;
        }
    }
    return NULL;
}

/* ---- bits ---- */

bool
blk_bitmap_get(const BlkBitmap *bitmap, uint64_t offset)
{
    uint64_t granule = offset / bitmap->granularity_bytes;

    return granule < bitmap->granules &&
           (bitmap->words[granule / WORD_BITS] >> granule % WORD_BITS & 1);
}

/* Sets or clears granules [first, end). */
static void
change_granules(BlkBitmap *bitmap, uint64_t first, uint64_t end, bool set)
{
    end = MIN(end, bitmap->granules);
    while (first < end) {
        unsigned bit = first % WORD_BITS;
        uint64_t count = MIN(end - first, WORD_BITS - bit);
        uint64_t mask = (count == WORD_BITS ? UINT64_MAX : (UINT64_C(1) << count) - 1) << bit;
        uint64_t *word = &bitmap->words[first / WORD_BITS], old = *word;

        *word = set ? old | mask : old & ~mask;
        bitmap->dirty_count += (uint64_t)__builtin_popcountll(*word);
        bitmap->dirty_count -= (uint64_t)__builtin_popcountll(old);
        first += count;
    }
}

void
blk_bitmap_set(BlkBitmap *bitmap, uint64_t offset, uint64_t len)
{
    if (len > 0 && offset < bitmap->len_bytes) {
        len = MIN(len, bitmap->len_bytes - offset);
        change_granules(bitmap, offset / bitmap->granularity_bytes,
                        granules_for(offset + len, bitmap->granularity_bytes), true);
    }
}

void
blk_bitmap_clear(BlkBitmap *bitmap, uint64_t offset, uint64_t len)
{
    if (len > 0 && offset < bitmap->len_bytes) {
        len = MIN(len, bitmap->len_bytes - offset);
        change_granules(bitmap, granules_for(offset, bitmap->granularity_bytes),
                        offset + len == bitmap->len_bytes
                            ? bitmap->granules
                            : (offset + len) / bitmap->granularity_bytes,
                        false);
    }
}

void
blk_bitmap_clear_all(BlkBitmap *bitmap)
{
    memset(bitmap->words, 0, word_count(bitmap->granules) * sizeof(*bitmap->words));
    bitmap->dirty_count = 0;
}

/* First granule from FROM on whose bit is VALUE, or granules. */
static uint64_t
find_granule(const BlkBitmap *bitmap, uint64_t from, bool value)
{
    uint64_t flip = value ? 0 : UINT64_MAX;

    while (from < bitmap->granules) {
        uint64_t word = (bitmap->words[from / WORD_BITS] ^ flip) >> from % WORD_BITS;
        if (word) {
            return MIN(from + (uint64_t)__builtin_ctzll(word), bitmap->granules);
        }
        from = (from / WORD_BITS + 1) * WORD_BITS;
    }
    return bitmap->granules;
}

bool
blk_bitmap_next_run(const BlkBitmap *bitmap, uint64_t offset, uint64_t *out_offset,
                    uint64_t *out_len)
{
    uint64_t first = find_granule(bitmap, offset / bitmap->granularity_bytes, true), end;

    if (first >= bitmap->granules) {
        return false;
    }
    end = find_granule(bitmap, first, false);
    *out_offset = MAX(offset, first * bitmap->granularity_bytes);
    *out_len = MIN(end * bitmap->granularity_bytes, bitmap->len_bytes) - *out_offset;
    return true;
}

void
blk_bitmap_merge(BlkBitmap *target, const BlkBitmap *source)
{
    uint64_t offset = 0, len = 0;

    while (blk_bitmap_next_run(source, offset + len, &offset, &len)) {
        blk_bitmap_set(target, offset, len);
    }
}

/* ---- the request path ---- */

void
blk_node_mark_dirty(BlkNode *node, uint64_t offset, uint64_t len)
{
    for (unsigned i = 0; node->bitmaps && i < node->bitmaps->len; i++) {
        BlkBitmap *bitmap = g_ptr_array_index(node->bitmaps, i);
        if (bitmap->enabled && !bitmap->inconsistent) {
            blk_bitmap_set(bitmap, offset, len);
        }
    }
}

static void
resize_bitmap(BlkBitmap *bitmap, uint64_t len)
{
    uint64_t granules = granules_for(len, bitmap->granularity_bytes);
    uint64_t old_words = MAX(word_count(bitmap->granules), 1), words = MAX(word_count(granules), 1);

    if (granules < bitmap->granules) {
        change_granules(bitmap, granules, bitmap->granules, false);
    }
    bitmap->words = g_renew(uint64_t, bitmap->words, words);
    if (words > old_words) {
        memset(bitmap->words + old_words, 0, (words - old_words) * sizeof(*bitmap->words));
    }
    bitmap->granules = granules;
    bitmap->len_bytes = len;
}

void
blk_node_resize_bitmaps(BlkNode *node)
{
    for (unsigned i = 0; node->bitmaps && i < node->bitmaps->len; i++) {
        resize_bitmap(g_ptr_array_index(node->bitmaps, i), blk_node_get_len(node));
    }
}
