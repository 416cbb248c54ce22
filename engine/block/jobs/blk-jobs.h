/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The jobs there are. Each is made, and started unless options->hold; NULL with ERROR when it
 * cannot. Ownership: the graph, until it is dismissed. Thread: the graph's lock held, outside of
 * fibers. */

#include "blk-bitmap.h"
#include "blk-task.h"

typedef enum BlkSync {
    BLK_SYNC_FULL,
    BLK_SYNC_TOP,  /* what the image itself has */
    BLK_SYNC_NONE, /* only what is written from now on */
    BLK_SYNC_BITMAP,
} BlkSync;

typedef enum BlkBitmapMode {
    BLK_BITMAP_ON_SUCCESS, /* what was copied is clean after a success */
    BLK_BITMAP_NEVER,
    BLK_BITMAP_ALWAYS, /* also what was copied before a failure */
} BlkBitmapMode;

/* Brings what lies between NODE and BASE (NULL: everything below) into NODE, which then has BASE
 * below it, by the name BACKING_FILE (NULL: BASE's own) in its header. */
BlkTask *blk_stream_start(BlkGraph *graph, BlkNode *node, BlkNode *base, const char *backing_file,
                          const BlkTaskOptions *options, GError **error);

/* Writes what the images from TOP down to above BASE have into BASE. The image above TOP then has
 * BASE below it, recorded as BACKING_FILE. When TOP is ROOT, the image in use, the job becomes
 * ready and completing it puts BASE in TOP's place. */
BlkTask *blk_commit_start(BlkGraph *graph, BlkNode *root, BlkNode *top, BlkNode *base,
                          const char *backing_file, const BlkTaskOptions *options, GError **error);

/* Writes what NODE has into its backing image, at once, and empties it where its format can. */
bool blk_commit_now(BlkNode *node, GError **error);

typedef struct BlkMirrorOptions {
    BlkSync sync;
    BlkBitmap *bitmap;    /* BLK_SYNC_BITMAP: what to copy at first */
    BlkNode *replaces;    /* in whose place the target comes; NULL: the source */
    BlkNode *new_backing; /* of the target when it comes there; NULL: as it is */
    uint32_t granularity; /* 0: the target's own */
    bool unmap;           /* zeroes may become holes */
    bool write_blocking;  /* a write of the guest ends when it is in both */
} BlkMirrorOptions;

BlkTask *blk_mirror_start(BlkGraph *graph, BlkNode *source, BlkNode *target,
                          const BlkMirrorOptions *mirror, const BlkTaskOptions *options,
                          GError **error);

typedef struct BlkBackupOptions {
    BlkSync sync;
    BlkBitmap *bitmap; /* BLK_SYNC_BITMAP: what to copy */
    BlkBitmapMode bitmap_mode;
    bool compress;
} BlkBackupOptions;

/* TARGET gets what SOURCE holds when the job is made. */
BlkTask *blk_backup_start(BlkGraph *graph, BlkNode *source, BlkNode *target,
                          const BlkBackupOptions *backup, const BlkTaskOptions *options,
                          GError **error);
