/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Reads and writes of files by the kernel's own queues instead of worker threads: io_uring, and
 * Linux AIO. One queue of each kind per event loop. Thread: the graph's lock held. */

#include "blk-file-io.h"

typedef enum BlkAioKind { BLK_AIO_NATIVE, BLK_AIO_IO_URING, BLK_AIO_KINDS } BlkAioKind;

typedef struct BlkAio BlkAio;

/* The queues of KIND, made at the first call; NULL with ERROR when this build or host has none.
 * Ownership: the graph. */
BlkAio *blk_graph_get_aio(BlkGraph *graph, BlkAioKind kind, GError **error);
void blk_graph_free_aio(BlkGraph *graph);
/* As blk_file_io() does, by the queue of the fiber's loop. [fiber] */
int blk_aio_run(BlkAio *aio, BlkFileIo *io);
