/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What image formats can do besides holding data. A driver that can do any of it names one const
 * BlkFormatOps in its descriptor; a NULL op means that the format has no such thing, and callers
 * say so in their message. Tools and monitors reach these through blk-image.c and jobs, with an
 * edge that holds the permissions the op needs.
 *
 * Every op runs in a fiber and may wait, unless said otherwise. Failure: false or NULL with the
 * error set. Thread: the lock of the node's context held. */

#include "blk-vec.h"
#include "blk.h"

typedef struct _JsonObject JsonObject;

/* Of the image as it lies there. */
typedef struct BlkFormatInfo {
    uint32_t cluster_bytes; /* 0: the format has none */
    bool encrypted, dirty, corrupt;
    bool has_vm_state_area;
} BlkFormatInfo;

/* An internal snapshot. */
typedef struct BlkSnapshot {
    char *id, *name;
    uint64_t vm_state_bytes, disk_bytes;
    uint64_t date_s;
    uint32_t date_ns;
    uint64_t vm_clock_ns;
    uint64_t icount; /* UINT64_MAX: not recorded */
} BlkSnapshot;

void blk_snapshot_free(BlkSnapshot *snapshot);
/* By id, else by name; NULL when there is none. */
const BlkSnapshot *blk_snapshots_find(const GPtrArray *snapshots, const char *id_or_name);

typedef struct BlkCheck {
    bool fix_leaks, fix_errors; /* asked for */
    /* Found, and of these mended. */
    uint64_t check_errors, corruptions, leaks, corruptions_fixed, leaks_fixed;
    /* Where the format counts clusters. */
    bool has_clusters;
    uint64_t total_clusters, allocated_clusters, fragmented_clusters, compressed_clusters;
    uint64_t image_end_offset;
    /* A line about each finding; may be NULL. */
    void (*report)(void *opaque, const char *text);
    void *opaque;
} BlkCheck;

/* Host bytes an image would take. */
typedef struct BlkMeasure {
    uint64_t required_bytes, fully_allocated_bytes;
    bool has_bitmaps;
    uint64_t bitmaps_bytes;
} BlkMeasure;

/* How far a long operation is. May be NULL. Called in the fiber, must not wait; false: stop. */
typedef bool (*BlkProgressFunc)(void *opaque, uint64_t done, uint64_t total);

typedef struct BlkFormatOps {
    /* Does not wait. */
    void (*get_info)(BlkNode *node, BlkFormatInfo *out);
    /* "data" of info's "format-specific". Does not wait. Ownership: caller. */
    JsonObject *(*describe)(BlkNode *node);
    /* True when the check could be made, whatever it found. */
    bool (*check)(BlkNode *node, BlkCheck *check, GError **error);
    /* A compressed cluster each; the range covers whole clusters or reaches the end. LEN 0 ends
     * the series. 0 or a negative errno. */
    int (*write_compressed)(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec,
                            uint64_t at);
    /* Records another backing file (NULL: none) without looking at it. */
    bool (*change_backing)(BlkNode *node, const char *filename, const char *format, GError **error);
    /* Drops all data so that the backing file shows through again. 0 or a negative errno. */
    int (*make_empty)(BlkNode *node);
    /* Changes what create options chose; keys not in OPTIONS stay. */
    bool (*amend)(BlkNode *node, const BlkOptions *options, bool force, BlkProgressFunc progress,
                  void *opaque, GError **error);
    /* For a new image with STATE (filled create_options) and the data of SOURCE (or NULL). */
    bool (*measure)(BlkGraph *graph, const void *state, BlkNode *source, BlkMeasure *out,
                    GError **error);

    /* Elements BlkSnapshot *, oldest first. Does not wait. Ownership: caller. */
    GPtrArray *(*list_snapshots)(BlkNode *node);
    /* A free id is chosen when WANTED has none. */
    bool (*create_snapshot)(BlkNode *node, const BlkSnapshot *wanted, GError **error);
    bool (*apply_snapshot)(BlkNode *node, const char *id_or_name, GError **error);
    bool (*delete_snapshot)(BlkNode *node, const char *id_or_name, GError **error);
    /* A read-only node shows the snapshot from now on. */
    bool (*show_snapshot)(BlkNode *node, const char *id_or_name, GError **error);
    /* The area beside the disk for a machine's state; next create_snapshot keeps it. */
    int (*read_vm_state)(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec,
                         uint64_t at);
    int (*write_vm_state)(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec,
                          uint64_t at);

    /* Whether a bitmap like that could be kept in the image. */
    bool (*can_store_bitmap)(BlkNode *node, const char *name, uint32_t granularity, GError **error);
    /* Writes node->bitmaps that are persistent to the image now rather than when it closes; FORCE:
     * even if no write has touched it. */
    bool (*store_bitmaps)(BlkNode *node, bool force, GError **error);
    bool (*remove_stored_bitmap)(BlkNode *node, const char *name, GError **error);
} BlkFormatOps;

/* ---- the ops from outside of fibers; each says so when the format has no such thing ---- */

bool blk_node_can_check(BlkNode *node);
bool blk_node_check(BlkNode *node, BlkCheck *check, GError **error);
bool blk_node_can_compress(BlkNode *node);
/* Elements BlkBitmap *; borrowed, may be NULL. */
GPtrArray *blk_node_get_bitmaps(BlkNode *node);
/* NULL: no snapshots, or the format has none. Ownership: caller. */
GPtrArray *blk_node_list_snapshots(BlkNode *node);
bool blk_node_create_snapshot(BlkNode *node, const BlkSnapshot *wanted, GError **error);
bool blk_node_apply_snapshot(BlkNode *node, const char *id_or_name, GError **error);
bool blk_node_delete_snapshot(BlkNode *node, const char *id_or_name, GError **error);
bool blk_node_show_snapshot(BlkNode *node, const char *id_or_name, GError **error);
bool blk_node_amend(BlkNode *node, const BlkOptions *options, bool force, BlkProgressFunc progress,
                    void *opaque, GError **error);
/* The backing file's name in the header, without looking at it. */
bool blk_node_set_backing_name(BlkNode *node, const char *filename, const char *format,
                               GError **error);
/* GRANULARITY 0: the default. */
bool blk_node_can_store_bitmap(BlkNode *node, const char *name, uint64_t granularity,
                               GError **error);
/* Also when nothing but a bitmap has changed. */
bool blk_node_rewrite_bitmaps(BlkNode *node, GError **error);
bool blk_node_store_bitmaps(BlkNode *node, GError **error);
bool blk_node_remove_stored_bitmap(BlkNode *node, const char *name, GError **error);
/* 0 or a negative errno. */
int blk_node_make_empty(BlkNode *node);
/* OPTIONS as for blk_create(); SOURCE may be NULL when they have a size. */
bool blk_measure(BlkGraph *graph, const char *format, const BlkOptions *options, BlkNode *source,
                 BlkMeasure *out, GError **error);
/* "data" of info's "format-specific", NULL when there is none. Ownership: caller. */
JsonObject *blk_node_describe(BlkNode *node);
void blk_node_get_format_info(BlkNode *node, BlkFormatInfo *out);
