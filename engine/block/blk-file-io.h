/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* System calls on a file, as pool workers make them: blocking, no shared state. Each gives 0 or a
 * negative errno. Thread: any. */

#include "blk-driver.h"

#include <sys/uio.h>

typedef struct BlkFileIo {
    int fd;
    bool write;
    bool sync;    /* write: stable before it returns */
    bool reserve; /* write: blocks first; cleared when the file system cannot */
    uint64_t offset, len;
    uint64_t file_len; /* reads end here, the rest is zeroes */
    struct iovec *iov; /* changed */
    int iov_count;
    int64_t took_us; /* result of blk_file_io_timed() */
} BlkFileIo;

int blk_file_io(void *io);
int blk_file_io_timed(void *io);
/* By the page cache alone; -EAGAIN when it would wait: what is left is in IO. */
int blk_file_io_cached(void *io);

typedef enum BlkFileRangeOp {
    BLK_FILE_SYNC,
    BLK_FILE_PUNCH,
    BLK_FILE_ZERO,
    BLK_FILE_DISCARD_DEVICE,
} BlkFileRangeOp;

typedef struct BlkFileRange {
    int fd;
    BlkFileRangeOp op;
    uint64_t offset, len;
} BlkFileRange;

int blk_file_range(void *range);

typedef struct BlkFileResize {
    int fd;
    uint64_t old_len, len;
    BlkPreallocation prealloc;
} BlkFileResize;

int blk_file_resize(void *resize);

/* Runs of data and holes. */
typedef struct BlkFileSeek {
    int fd;
    uint64_t offset, len;
    bool is_data;     /* result */
    uint64_t run_len; /* result; of data it may be longer than LEN */
} BlkFileSeek;

int blk_file_seek(void *seek);

/* What a direct (O_DIRECT) descriptor demands. */
typedef struct BlkFileAlign {
    int fd;
    uint32_t request_align, memory_align; /* results */
} BlkFileAlign;

int blk_file_probe_align(void *align);
