/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Worker threads for calls that block: started as they are needed, gone when they have been idle
 * for a while. Thread: any; jobs run on workers with all signals blocked. */

#include <stdbool.h>

typedef struct BlkPool BlkPool;
typedef struct BlkJob BlkJob;

/* Jobs that would only wait for each other: one runs at a time, in order, by one thread without a
 * switch in between. Zeroed at first; belongs to one pool while it has jobs. */
typedef struct BlkTurns {
    bool is_taken;
    BlkJob *first, *last; /* waiting */
    unsigned in_place;    /* by a tool's own threads (blk_pool_run_here), which do not queue here */
} BlkTurns;

/* Embedded in what is to be done; not touched after DONE has been called. */
struct BlkJob {
    int (*func)(void *arg);
    void *arg;
    BlkTurns *turns; /* or NULL; not touched either */
    int ret;         /* of func */
    BlkJob *next;
};

/* Called on a worker after each job. MAY_STAY: it has nothing else in hand and may be kept. */
typedef void (*BlkPoolDone)(void *opaque, BlkJob *job, bool may_stay);
BlkPool *blk_pool_new(unsigned max_threads, BlkPoolDone done, void *opaque);
/* MIN threads are started now and stay; those above MAX go once they are idle. MAX >= 1, MIN. */
void blk_pool_set_threads(BlkPool *pool, unsigned min, unsigned max);
/* Waits for the jobs there are. */
void blk_pool_free(BlkPool *pool);
void blk_pool_push(BlkPool *pool, BlkJob *job);
/* Takes the job's turn: true, and the caller sees to the job, by one of the next two; else it is
 * done after those before it. */
bool blk_pool_claim(BlkPool *pool, BlkJob *job);
void blk_pool_push_claimed(BlkPool *pool, BlkJob *job);
/* By the calling thread, as a worker does, with those whose turn comes next; no lock held. */
void blk_pool_do_claimed(BlkPool *pool, BlkJob *job);
