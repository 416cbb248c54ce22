/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the parts of a context share: blk-context.c (fibers and dispatch), blk-loop.c (event loops),
 * blk-context-fds.c (descriptors) and blk-context-threads.c (workers, several threads). Thread: as
 * blk-context.h says, unless a function says otherwise. */

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
    BlkLoop *loop;
    BlkFiberFunc func;
    void *opaque;
    struct BlkPostponed *next;
} BlkPostponed;

struct BlkLoop {
    BlkContext *context;
    BlkLoop *next; /* of the context's; its own is the first */
    GMainContext *owner;
    unsigned users;
    GSource *source;
    int event_fd;
    atomic_bool signalled;
    BlkJob *done_jobs;  /* under jobs_lock, latest first */
    bool is_collecting; /* likewise: who dispatches will look at done_jobs before it ends */
    BlkWaitQueue ready;
    BlkDeferred *deferred_first, *deferred_last;
    unsigned dispatch_depth;
    int epoll_fd; /* -1 until somebody waits for a descriptor */
    unsigned fd_waiters;
    BlkPoller *pollers; /* those that are asked without the host's help */
    BlkPoller *watched; /* of these; not looked at by epoll_fd */
};

struct BlkContext {
    VitLock *lock;
    GMainContext *main_context;
    BlkLoop own;
    BlkPool *pool;
    pthread_mutex_t jobs_lock;
    BlkFiber *current;
    BlkLoop *running; /* whose work is being done; NULL: from outside */
    BlkFiber *idle;
    unsigned idle_count, live_count;
    BlkPostponed *postponed;
    BlkSleeper *sleepers; /* earliest first */
    bool helps;           /* workers dispatch what they have done; fixed */
    bool is_parallel;     /* several threads dispatch (blk_context_run_parallel), one at a time */
    bool is_entered;      /* one does; under jobs_lock, and told by left */
    pthread_cond_t left;
    BlkWaitQueue turn_waiters; /* for turns of jobs that are done in place */
};

/* False: the host has no descriptors. */
bool blk_loop_init(BlkLoop *loop, BlkContext *context);
void blk_loop_finish(BlkLoop *loop);
/* MAIN_CONTEXT's thread dispatches from now on; the one before may do so once more. */
void blk_loop_attach(BlkLoop *loop, GMainContext *main_context);
/* Makes the loop, or who polls, dispatch. Thread: any. */
void blk_loop_signal(BlkLoop *loop);
void blk_loop_clear_signal(BlkLoop *loop);
/* Runs all that is ready there; whether there was anything. */
bool blk_loop_dispatch(BlkLoop *loop);

/* FIBER runs at the next dispatch of its loop. */
void blk_context_make_ready(BlkContext *context, BlkFiber *fiber);
/* The running fiber waits until somebody makes it ready. */
void blk_context_suspend(BlkContext *context);
/* A fiber for FUNC that is yet to run; NULL: FUNC starts when another fiber has ended. */
BlkFiber *blk_context_prepare_fiber(BlkLoop *loop, BlkFiberFunc func, void *opaque);

/* The loop looks at all its descriptors again. */
void blk_loop_end_watch(BlkLoop *loop);
/* What the holder of the lock was to take along goes to a worker: it will wait for it. */
void blk_context_keep_errand(BlkContext *context);
/* Makes ready whose descriptors are. */
void blk_loop_collect_fds(BlkLoop *loop);
/* Makes ready whose jobs are done, and expects more: workers do not signal from now on. */
void blk_loop_collect_jobs(BlkLoop *loop);
/* Workers signal again. False: there are jobs that were done meanwhile and told nobody. */
bool blk_loop_stop_collecting(BlkLoop *loop);
/* BlkPool's callback, on the worker. */
void blk_context_job_done(void *opaque, BlkJob *job, bool may_stay);
/* A thread's turn in a parallel context. */
void blk_context_enter(BlkContext *context);
void blk_context_leave(BlkContext *context);
