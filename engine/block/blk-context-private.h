/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the parts of a context share: blk-context.c (fibers and dispatch), blk-context-fds.c
 * (descriptors) and blk-context-threads.c (workers, several threads). Thread: as blk-context.h
 * says, unless a function says otherwise. */

#include "blk-context.h"

#include <pthread.h>
#include <stdatomic.h>

enum { BLK_MAX_WORKERS = 64 };

typedef struct BlkSleeper {
    int64_t wake_us;
    BlkFiber *fiber;
    struct BlkSleeper *next;
} BlkSleeper;

typedef struct BlkPostponed {
    BlkFiberFunc func;
    void *opaque;
    struct BlkPostponed *next;
} BlkPostponed;

struct BlkContext {
    VitLock *lock;
    GSource *source;
    gpointer event_tag;
    int event_fd;
    atomic_bool signalled;
    BlkPool *pool;
    pthread_mutex_t jobs_lock;
    BlkJob *done_jobs;  /* under jobs_lock, latest first */
    bool is_collecting; /* likewise: who dispatches will look at done_jobs before it ends */
    BlkFiber *current;
    BlkWaitQueue ready;
    BlkFiber *idle;
    unsigned idle_count, live_count;
    BlkPostponed *postponed;
    BlkDeferred *deferred_first, *deferred_last;
    BlkSleeper *sleepers; /* earliest first */
    unsigned dispatch_depth;
    bool helps;       /* workers dispatch what they have done; fixed */
    bool is_parallel; /* several threads dispatch (blk_context_run_parallel), one at a time */
    bool is_entered;  /* one does; under jobs_lock, and told by left */
    pthread_cond_t left;
    BlkWaitQueue turn_waiters; /* for turns of jobs that are done in place */
    int epoll_fd;              /* -1 until somebody waits for a descriptor */
    unsigned fd_waiters;
};

/* Makes the event loop, or who polls, dispatch. Thread: any. */
void blk_context_signal(BlkContext *context);
/* FIBER runs at the next dispatch. */
void blk_context_make_ready(BlkContext *context, BlkFiber *fiber);
/* The running fiber waits until somebody makes it ready. */
void blk_context_suspend(BlkContext *context);
/* A fiber for FUNC that is yet to run; NULL: FUNC starts when another fiber has ended. */
BlkFiber *blk_context_prepare_fiber(BlkContext *context, BlkFiberFunc func, void *opaque);
/* Runs all that is ready; whether there was anything. */
bool blk_context_dispatch(BlkContext *context);

/* Makes ready whose descriptors are. */
void blk_context_collect_fds(BlkContext *context);
/* Makes ready whose jobs are done, and expects more: workers do not signal from now on. */
void blk_context_collect_jobs(BlkContext *context);
/* Workers signal again. False: there are jobs that were done meanwhile and told nobody. */
bool blk_context_stop_collecting(BlkContext *context);
/* BlkPool's callback, on the worker. */
void blk_context_job_done(void *opaque, BlkJob *job, bool may_stay);
/* A thread's turn in a parallel context. */
void blk_context_enter(BlkContext *context);
void blk_context_leave(BlkContext *context);
