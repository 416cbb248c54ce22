/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Worker threads for calls that block: started as they are needed, gone when they have been idle
 * for a while. Thread: any; jobs run on workers with all signals blocked. */

typedef struct BlkPool BlkPool;

/* Embedded in what is to be done; not touched after DONE has been called. */
typedef struct BlkJob {
    int (*func)(void *arg);
    void *arg;
    int ret; /* of func */
    struct BlkJob *next;
} BlkJob;

/* DONE is called on a worker after each job. */
BlkPool *blk_pool_new(unsigned max_threads, void (*done)(void *opaque, BlkJob *job), void *opaque);
/* Waits for the jobs there are. */
void blk_pool_free(BlkPool *pool);
void blk_pool_push(BlkPool *pool, BlkJob *job);
