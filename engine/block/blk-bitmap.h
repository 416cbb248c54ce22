/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Dirty bitmaps of a node: which granules were written since the bitmap was made or cleared. The
 * request path marks them; backups read them; formats that can, keep persistent ones.
 * Thread: the lock of the node's context held. Nothing here waits. */

#include "blk.h"

typedef struct BlkBitmap {
    char *name; /* NULL: of a job, nobody else's business */
    uint32_t granularity_bytes;
    uint64_t len_bytes;   /* of the node */
    uint64_t granules;    /* that cover it */
    uint64_t dirty_count; /* granules */
    uint64_t *words;      /* one bit per granule, bit 0 of words[0] first */
    bool enabled;         /* writes are recorded */
    bool persistent;      /* kept in the image */
    bool inconsistent;    /* of an image that was not closed: says nothing, may only be removed */
    bool read_only;       /* loaded from an image that is open for reading */
    unsigned busy;        /* jobs and exports that use it */
} BlkBitmap;

enum {
    BLK_BITMAP_MIN_GRANULARITY = 512,
    BLK_BITMAP_MAX_NAME = 1023,
};

/* Adds a clean, enabled bitmap to NODE. GRANULARITY: a power of two, 0 for the default. NAME may be
 * NULL. NULL with ERROR when the name is taken or the size is too much. Ownership: the node. */
BlkBitmap *blk_bitmap_new(BlkNode *node, const char *name, uint64_t granularity, GError **error);
/* Takes it off the node; not while it is busy. */
void blk_bitmap_free(BlkNode *node, BlkBitmap *bitmap);
BlkBitmap *blk_bitmap_find(BlkNode *node, const char *name);
uint32_t blk_bitmap_default_granularity(BlkNode *node);

bool blk_bitmap_get(const BlkBitmap *bitmap, uint64_t offset);
/* Every granule that [offset, offset + len) touches. */
void blk_bitmap_set(BlkBitmap *bitmap, uint64_t offset, uint64_t len);
/* Every granule wholly inside, the last one of the node also when it is cut short. */
void blk_bitmap_clear(BlkBitmap *bitmap, uint64_t offset, uint64_t len);
void blk_bitmap_clear_all(BlkBitmap *bitmap);
/* First dirty run at or after OFFSET; false when there is none. */
bool blk_bitmap_next_run(const BlkBitmap *bitmap, uint64_t offset, uint64_t *out_offset,
                         uint64_t *out_len);
/* Adds what SOURCE has; granularities may differ. */
void blk_bitmap_merge(BlkBitmap *target, const BlkBitmap *source);

/* ---- for the request path ---- */

void blk_node_mark_dirty(BlkNode *node, uint64_t offset, uint64_t len);
/* After the node's length has changed: new granules are clean. */
void blk_node_resize_bitmaps(BlkNode *node);
void blk_node_free_bitmaps(BlkNode *node);
