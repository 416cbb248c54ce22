/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The scheduler of block requests: ready fibers, sleeping ones and deferred calls of one context.
 * Invariants are in blk-context.h; event loops, workers and descriptors are the business of
 * blk-loop.c, blk-context-threads.c and blk-context-fds.c. Thread: see the header. */

#include "blk-context-private.h"

#include "vit-error.h"

#include <errno.h>
#include <poll.h>

enum { MAX_IDLE_FIBERS = 64 };

/* ---- queues of fibers ---- */

static void
push_fiber(BlkWaitQueue *queue, BlkFiber *fiber)
{
    *blk_fiber_next(fiber) = NULL;
    if (queue->last) {
        *blk_fiber_next(queue->last) = fiber;
    } else {
        queue->first = fiber;
    }
    queue->last = fiber;
}

static BlkFiber *
pop_fiber(BlkWaitQueue *queue)
{
    BlkFiber *fiber = queue->first;

    if (fiber) {
        queue->first = *blk_fiber_next(fiber);
        if (!queue->first) {
            queue->last = NULL;
        }
    }
    return fiber;
}

void
blk_context_make_ready(BlkContext *context, BlkFiber *fiber)
{
    BlkLoop *loop = *blk_fiber_home(fiber);

    push_fiber(&loop->ready, fiber);
    if (loop->dispatch_depth == 0) {
        blk_loop_signal(loop);
    }
}

/* ---- running fibers ---- */

static BlkFiber *
take_fiber(BlkContext *context)
{
    BlkFiber *fiber = context->idle;

    if (fiber) {
        context->idle = *blk_fiber_next(fiber);
        context->idle_count--;
        return fiber;
    }
    return blk_fiber_new();
}

static void
put_fiber(BlkContext *context, BlkFiber *fiber)
{
    context->live_count--;
    if (context->idle_count >= MAX_IDLE_FIBERS) {
        blk_fiber_free(fiber);
        return;
    }
    *blk_fiber_next(fiber) = context->idle;
    context->idle = fiber;
    context->idle_count++;
}

static void start_postponed(BlkContext *context);

static void
run_fiber(BlkContext *context, BlkFiber *fiber)
{
    BlkLoop *outer = context->running;

    g_assert(!context->current);
    context->current = fiber;
    context->running = *blk_fiber_home(fiber);
    bool ended = blk_fiber_resume(fiber);
    context->current = NULL;
    context->running = outer;
    if (ended) {
        put_fiber(context, fiber);
        start_postponed(context);
    }
}

void
blk_context_suspend(BlkContext *context)
{
    g_assert(context->current);
    blk_fiber_suspend(context->current);
}

/* Without memory for one more stack the work waits for a fiber to end; there is always one. */
static void
postpone_start(BlkLoop *loop, BlkFiberFunc func, void *opaque)
{
    BlkPostponed *postponed = g_new0(BlkPostponed, 1);
    BlkPostponed **at = &loop->context->postponed;

    postponed->loop = loop;
    postponed->func = func;
    postponed->opaque = opaque;
    while (*at) {
        at = &(*at)->next;
    }
    *at = postponed;
}

static void
set_work(BlkLoop *loop, BlkFiber *fiber, BlkFiberFunc func, void *opaque)
{
    blk_fiber_set(fiber, func, opaque);
    *blk_fiber_home(fiber) = loop;
    loop->context->live_count++;
}

static void
start_postponed(BlkContext *context)
{
    BlkPostponed *postponed = context->postponed;

    if (postponed && context->idle) {
        BlkFiber *fiber = take_fiber(context);
        context->postponed = postponed->next;
        set_work(postponed->loop, fiber, postponed->func, postponed->opaque);
        blk_context_make_ready(context, fiber);
        g_free(postponed);
    }
}

BlkFiber *
blk_context_prepare_fiber(BlkLoop *loop, BlkFiberFunc func, void *opaque)
{
    BlkFiber *fiber = loop->context->postponed ? NULL : take_fiber(loop->context);

    if (!fiber) {
        postpone_start(loop, func, opaque);
        return NULL;
    }
    set_work(loop, fiber, func, opaque);
    return fiber;
}

void
blk_loop_start(BlkLoop *loop, BlkFiberFunc func, void *opaque)
{
    BlkContext *context = loop->context;
    BlkFiber *fiber = blk_context_prepare_fiber(loop, func, opaque);

    if (fiber && context->current) {
        blk_context_make_ready(context, fiber);
    } else if (fiber) {
        run_fiber(context, fiber);
    }
}

void
blk_context_start(BlkContext *context, BlkFiberFunc func, void *opaque)
{
    blk_loop_start(blk_context_get_running_loop(context), func, opaque);
}

bool
blk_context_in_fiber(const BlkContext *context)
{
    return context->current != NULL;
}

/* ---- waiting ---- */

void
blk_wait(BlkContext *context, BlkWaitQueue *queue)
{
    g_assert(context->current);
    push_fiber(queue, context->current);
    blk_context_suspend(context);
}

void
blk_wake_first(BlkContext *context, BlkWaitQueue *queue)
{
    BlkFiber *fiber = pop_fiber(queue);

    if (fiber) {
        blk_context_make_ready(context, fiber);
    }
}

void
blk_wake_all(BlkContext *context, BlkWaitQueue *queue)
{
    while (queue->first) {
        blk_wake_first(context, queue);
    }
}

static void
update_ready_time(BlkContext *context)
{
    if (context->own.source) {
        g_source_set_ready_time(context->own.source,
                                context->sleepers ? context->sleepers->wake_us : -1);
    }
}

void
blk_sleep_ns(BlkContext *context, int64_t ns)
{
    BlkSleeper sleeper = { .wake_us = g_get_monotonic_time() + (ns + 999) / 1000,
                           .fiber = context->current };
    BlkSleeper **at = &context->sleepers;

    while (*at && (*at)->wake_us <= sleeper.wake_us) {
        at = &(*at)->next;
    }
    sleeper.next = *at;
    *at = &sleeper;
    update_ready_time(context);
    blk_context_suspend(context);
}

/* ---- dispatch ---- */

void
blk_context_defer(BlkContext *context, BlkDeferred *deferred)
{
    BlkLoop *loop = blk_context_get_running_loop(context);

    deferred->next = NULL;
    if (loop->deferred_last) {
        loop->deferred_last->next = deferred;
    } else {
        loop->deferred_first = deferred;
    }
    loop->deferred_last = deferred;
    if (loop->dispatch_depth == 0) {
        blk_loop_signal(loop);
    }
}

static void
wake_sleepers(BlkContext *context)
{
    if (!context->sleepers) {
        return;
    }
    int64_t now_us = g_get_monotonic_time();
    while (context->sleepers && context->sleepers->wake_us <= now_us) {
        BlkFiber *fiber = context->sleepers->fiber;
        context->sleepers = context->sleepers->next;
        blk_context_make_ready(context, fiber);
    }
    update_ready_time(context);
}

/* One piece at a time: a deferred call may poll and so get here again. */
static bool
run_ready(BlkLoop *loop)
{
    bool progress = false;

    for (;;) {
        BlkFiber *fiber = pop_fiber(&loop->ready);
        BlkDeferred *deferred = loop->deferred_first;
        if (fiber) {
            run_fiber(loop->context, fiber);
        } else if (deferred) {
            loop->deferred_first = deferred->next;
            if (!deferred->next) {
                loop->deferred_last = NULL;
            }
            deferred->func(deferred->opaque);
        } else {
            return progress;
        }
        progress = true;
    }
}

bool
blk_loop_dispatch(BlkLoop *loop)
{
    BlkContext *context = loop->context;
    BlkLoop *outer = context->running;
    bool progress = false;

    g_assert(!context->current);
    loop->dispatch_depth++;
    context->running = loop;
    do {
        blk_loop_collect_jobs(loop);
        blk_loop_collect_fds(loop);
        wake_sleepers(context);
        progress |= run_ready(loop);
        /* Further out somebody else looks. */
    } while (loop->dispatch_depth == 1 && !blk_loop_stop_collecting(loop));
    context->running = outer;
    loop->dispatch_depth--;
    return progress;
}

bool
blk_context_is_batching(BlkContext *context)
{
    return blk_context_get_running_loop(context)->dispatch_depth > 0;
}

void
blk_loop_batch_begin(BlkLoop *loop)
{
    g_assert(!loop->context->current);
    if (loop->dispatch_depth++ == 0) {
        blk_loop_collect_jobs(loop);
    }
}

void
blk_loop_batch_end(BlkLoop *loop)
{
    /* Inside a dispatch that one goes on with what is ready. */
    if (--loop->dispatch_depth == 0 &&
        (loop->ready.first || loop->deferred_first || !blk_loop_stop_collecting(loop))) {
        blk_loop_dispatch(loop);
    }
}

static bool
dispatch_all(BlkContext *context)
{
    bool progress = false;

    for (BlkLoop *loop = &context->own; loop; loop = loop->next) {
        blk_loop_clear_signal(loop);
        progress |= blk_loop_dispatch(loop);
    }
    return progress;
}

static bool
stop_collecting_all(BlkContext *context)
{
    bool is_done = true;

    for (BlkLoop *loop = &context->own; loop; loop = loop->next) {
        is_done &= blk_loop_stop_collecting(loop);
    }
    return is_done;
}

/* Waits for a loop's descriptors or the next sleeper. What wakes several threads of a parallel
 * context is found by the first; the others wait again. */
static void
poll_host(BlkContext *context, int timeout_ms)
{
    unsigned count = 0;

    for (BlkLoop *loop = &context->own; loop; loop = loop->next) {
        count++;
    }
    struct pollfd *fds = g_newa(struct pollfd, 2 * count), *fd = fds;
    /* A descriptor of -1 is passed over. */
    for (BlkLoop *loop = &context->own; loop; loop = loop->next) {
        blk_loop_end_watch(loop); /* the watcher may be waiting for the lock */
        *fd++ = (struct pollfd){ .fd = loop->event_fd, .events = POLLIN };
        *fd++ = (struct pollfd){ .fd = loop->epoll_fd, .events = POLLIN };
    }
    if (context->sleepers) {
        int64_t left_us = context->sleepers->wake_us - g_get_monotonic_time();
        int64_t left_ms = left_us <= 0 ? 0 : MIN((left_us + 999) / 1000, 3600000);
        timeout_ms = timeout_ms < 0 ? (int)left_ms : (int)MIN(left_ms, timeout_ms);
    }
    if (context->is_parallel) {
        blk_context_leave(context);
    }
    poll(fds, 2 * count, timeout_ms);
    if (context->is_parallel) {
        blk_context_enter(context);
    }
}

bool
blk_context_poll(BlkContext *context, int timeout_ms)
{
    g_assert(!context->lock || vit_lock_is_held(context->lock));
    if (dispatch_all(context)) {
        return true;
    }
    if (timeout_ms == 0) {
        return false;
    }
    blk_context_keep_errand(context);
    /* Within a dispatch nobody else would tell of what is done meanwhile. */
    if (stop_collecting_all(context)) {
        poll_host(context, timeout_ms);
    }
    return dispatch_all(context);
}

typedef struct RunCall {
    BlkFiberFunc func;
    void *opaque;
    bool ended;
} RunCall;

static void
run_call(void *opaque)
{
    RunCall *call = opaque;

    call->func(call->opaque);
    call->ended = true;
}

void
blk_context_run(BlkContext *context, BlkFiberFunc func, void *opaque)
{
    RunCall call = { .func = func, .opaque = opaque };

    if (context->current) {
        func(opaque);
        return;
    }
    blk_context_start(context, run_call, &call);
    while (!call.ended) {
        blk_context_poll(context, -1);
    }
}

BlkContext *
blk_context_new(GMainContext *main_context, VitLock *lock, GError **error)
{
    BlkContext *context = g_new0(BlkContext, 1);
    BlkFiber *fiber = blk_loop_init(&context->own, context) ? blk_fiber_new() : NULL;

    if (!fiber) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                    "The disk system cannot start: %s. Close other machines or raise the limit of "
                    "open files.",
                    g_strerror(errno));
        blk_loop_finish(&context->own);
        g_free(context);
        return NULL;
    }
    context->lock = lock;
    context->idle = fiber;
    context->idle_count = 1;
    pthread_mutex_init(&context->jobs_lock, NULL);
    pthread_cond_init(&context->left, NULL);
    context->pool = blk_pool_new(BLK_MAX_WORKERS, blk_context_job_done, context);
    context->helps = lock && main_context;
    if (main_context) {
        context->main_context = g_main_context_ref(main_context);
        blk_loop_attach(&context->own, main_context);
    }
    return context;
}

void
blk_context_free(BlkContext *context)
{
    if (!context) {
        return;
    }
    g_assert(context->live_count == 0);
    blk_pool_free(context->pool);
    while (context->idle) {
        BlkFiber *fiber = context->idle;
        context->idle = *blk_fiber_next(fiber);
        blk_fiber_free(fiber);
    }
    while (context->own.next) {
        BlkLoop *loop = context->own.next;
        context->own.next = loop->next;
        blk_loop_finish(loop);
        g_free(loop);
    }
    blk_loop_finish(&context->own);
    pthread_mutex_destroy(&context->jobs_lock);
    pthread_cond_destroy(&context->left);
    g_clear_pointer(&context->main_context, g_main_context_unref);
    g_free(context);
}
