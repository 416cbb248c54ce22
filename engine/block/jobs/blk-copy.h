/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What jobs that copy share. Thread: in a fiber. */

#include "blk-task.h"

enum { BLK_COPY_BYTES = 1 << 20 };

typedef struct BlkCopy {
    BlkChild *source, *target;
    bool unmap;
    bool compress;
    void *buf; /* BLK_COPY_BYTES, made by blk_copy_init() */
} BlkCopy;

/* -ENOMEM when there is no memory. */
int blk_copy_init(BlkCopy *copy);
void blk_copy_finish(BlkCopy *copy);
/* Copies from OFFSET on, at most LEN and BLK_COPY_BYTES: how many bytes, or a negative errno, with
 * OUT_IS_READ telling which side failed. What the source reads as zeroes is zeroed. */
int64_t blk_copy_some(BlkCopy *copy, uint64_t offset, uint64_t len, bool *out_is_read);
