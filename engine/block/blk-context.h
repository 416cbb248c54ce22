/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Where block requests run: one lock, an event loop and one more for each iothread that is used,
 * fibers and worker threads.
 *
 * Invariants:
 *  1. Everything of a context (nodes, requests, fibers) is touched with its lock held. For a
 *     machine that is the device lock; a context without a lock belongs to one thread. So it does
 *     not matter which thread dispatches: a loop's main context may change, and a thread that is
 *     still about to dispatch for the old one finds the work done, or does it; and a worker that
 *     finds the lock free dispatches the loop of what it has just done.
 *  2. At most one fiber of a context runs at a time. A fiber started outside of any fiber runs at
 *     once in the calling thread until it first waits; from then on it continues wherever its
 *     loop is dispatched: by the loop's thread, or a thread that polls the context. What a fiber
 *     starts or defers belongs to its own loop, else it is the context's own.
 *  3. Deferred calls run outside of any fiber and never inside the call that deferred them.
 *  4. Work that may block the host (system calls, compression) is done by pool workers, which
 *     touch nothing but their own job.
 *
 *  5. A tool's context, which has neither lock nor event loop, may be run by several threads for a
 *     while (blk_context_run_parallel). They take turns, so invariants 1 and 2 hold; a fiber's job
 *     done in place (blk_pool_run_here) is done outside of the thread's turn.
 *
 * Thread: with the context's lock held, unless said otherwise. */

#include "blk-fiber.h"
#include "blk-pool.h"
#include "vit-lock.h"
#include "vit-types.h"

typedef struct BlkContext BlkContext;
typedef struct BlkLoop BlkLoop;

/* Embedded in what is to be called later. */
typedef struct BlkDeferred {
    void (*func)(void *opaque);
    void *opaque;
    struct BlkDeferred *next;
} BlkDeferred;

/* Fibers that wait for something to change. */
typedef struct BlkWaitQueue {
    BlkFiber *first, *last;
} BlkWaitQueue;

/* Something whose descriptor becomes readable when it has results. Embedded. */
typedef struct BlkPoller {
    int fd;
    bool is_cheap; /* func needs no system call to see that there are none: it is always asked */
    void (*func)(void *opaque); /* takes the results; does not wait */
    void *opaque;
    BlkLoop *loop;
    unsigned expected;
    struct BlkPoller *next; /* of the loop's that are cheap */
} BlkPoller;

/* MAIN_CONTEXT may be NULL: then the context runs only while it is polled. LOCK may be NULL. */
BlkContext *blk_context_new(GMainContext *main_context, VitLock *lock, GError **error);
/* How many threads make blocking calls. */
void blk_context_set_workers(BlkContext *context, unsigned min, unsigned max);
/* No fiber may be alive. */
void blk_context_free(BlkContext *context);

/* Starts FUNC in a fiber; see invariant 2. From inside a fiber, the new one runs after it waits. */
void blk_context_start(BlkContext *context, BlkFiberFunc func, void *opaque);
bool blk_context_in_fiber(const BlkContext *context);
/* Runs FUNC in a fiber and dispatches the context until it ends; inside a fiber just calls it. */
void blk_context_run(BlkContext *context, BlkFiberFunc func, void *opaque);
/* Runs what is ready; when there is nothing, waits up to TIMEOUT_MS (-1: for ever) for it. True
 * when something ran. Not from inside a fiber. */
bool blk_context_poll(BlkContext *context, int timeout_ms);
/* Runs COUNT fibers of FUNC, and what else is ready, on THREADS threads, this one among them, until
 * they have ended. For contexts without lock and main context; outside of fibers. */
void blk_context_run_parallel(BlkContext *context, unsigned threads, BlkFiberFunc func,
                              void *opaque, unsigned count);
bool blk_context_is_parallel(const BlkContext *context);
void blk_context_defer(BlkContext *context, BlkDeferred *deferred);
/* Whether what is deferred now runs soon, by whoever is at it, and with it all of a burst. */
bool blk_context_is_batching(BlkContext *context);

/* ---- event loops ---- */

/* The context's own; MAIN_CONTEXT's given to new() dispatches it. */
BlkLoop *blk_context_get_loop(BlkContext *context);
/* The running fiber's, or of what is being dispatched; else the context's own. */
BlkLoop *blk_context_get_running_loop(BlkContext *context);
/* The one that MAIN_CONTEXT dispatches, for as long as somebody has taken it; the context's own
 * when the host has no descriptors for another. For contexts with a main context. */
BlkLoop *blk_context_take_loop(BlkContext *context, GMainContext *main_context);
/* What still waits there ends by the context's own main context. */
void blk_context_put_loop(BlkLoop *loop);
/* As blk_context_start(), on LOOP. */
void blk_loop_start(BlkLoop *loop, BlkFiberFunc func, void *opaque);
/* What becomes ready on LOOP in between is run by the end instead of by its own thread. Outside of
 * fibers; they nest. */
void blk_loop_batch_begin(BlkLoop *loop);
void blk_loop_batch_end(BlkLoop *loop);

/* The descriptor is looked at while results are expected. */
void blk_poller_add(BlkContext *context, BlkPoller *poller);
void blk_poller_remove(BlkPoller *poller);
void blk_poller_expect(BlkPoller *poller, bool more);

/* A thread that is about to sleep may watch the results of a cheap poller itself: the loop's thread
 * is not woken for them, and io_uring wakes the thread that made the request in any case. The
 * descriptor to wait for, -1 when nothing is expected or somebody watches already. The watch also
 * ends when somebody polls the context. */
int blk_loop_watch(BlkLoop *loop);
/* Ends it and dispatches the loop. The watcher only, also when it has ended already. */
void blk_loop_unwatch(BlkLoop *loop);

/* ---- inside a fiber ---- */

/* Waits until woken. */
void blk_wait(BlkContext *context, BlkWaitQueue *queue);
/* Makes the waiters ready; they run after the caller waits. Also outside of fibers. */
void blk_wake_all(BlkContext *context, BlkWaitQueue *queue);
void blk_wake_first(BlkContext *context, BlkWaitQueue *queue);
void blk_sleep_ns(BlkContext *context, int64_t ns);
/* Waits until EVENTS (POLLIN, POLLOUT) happen on FD, or it breaks. One fiber per descriptor. 0 or a
 * negative errno. */
int blk_wait_fd(BlkContext *context, int fd, short events);
/* Runs FUNC on a worker thread, waits and gives its result. ARG may be on the fiber's stack. */
int blk_pool_run(BlkContext *context, int (*func)(void *arg), void *arg);
/* The same after all others of TURNS that came before. */
int blk_pool_run_in_turn(BlkContext *context, BlkTurns *turns, int (*func)(void *arg), void *arg);
/* The same for what keeps a processor busy rather than waits: where several threads run the context
 * it is done by this one, and no other need be woken; two of TURNS may then be at it at once. TURNS
 * may be NULL. */
int blk_pool_run_here(BlkContext *context, BlkTurns *turns, int (*func)(void *arg), void *arg);
/* The same for what should take less time than waking a worker, when a vCPU's access to a device is
 * at the root of it: its thread does it as soon as it has let go of the lock. If it takes long
 * after all, that CPU alone stands still meanwhile. */
int blk_pool_run_along(BlkContext *context, BlkTurns *turns, int (*func)(void *arg), void *arg);
/* The same for what ends before another of those threads would have been woken: they wait. */
int blk_pool_run_brief(BlkContext *context, BlkTurns *turns, int (*func)(void *arg), void *arg);

static inline bool
blk_wait_queue_is_empty(const BlkWaitQueue *queue)
{
    return queue->first == NULL;
}
