/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The scheduler of block requests: ready fibers, sleeping ones and deferred calls of one context.
 * Invariants are in blk-context.h; workers and descriptors are the business of
 * blk-context-threads.c and blk-context-fds.c.
 *
 * An eventfd wakes the loop. It is written only when it is not already set, so a burst of
 * completions costs one system call. Thread: see the header. */

#include "blk-context-private.h"

#include "vit-error.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MAX_IDLE_FIBERS = 64 };

typedef struct ContextSource {
    GSource source;
    BlkContext *context;
} ContextSource;

void
blk_context_signal(BlkContext *context)
{
    uint64_t one = 1;

    if (!atomic_exchange(&context->signalled, true)) {
        while (write(context->event_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
        }
    }
}

static void
clear_signal(BlkContext *context)
{
    uint64_t count;

    if (!atomic_load(&context->signalled)) {
        return;
    }
    if (read(context->event_fd, &count, sizeof(count)) == sizeof(count)) {
        atomic_store(&context->signalled, false);
    }
}

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
    push_fiber(&context->ready, fiber);
    if (context->dispatch_depth == 0) {
        blk_context_signal(context);
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
    g_assert(!context->current);
    context->current = fiber;
    bool ended = blk_fiber_resume(fiber);
    context->current = NULL;
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
postpone_start(BlkContext *context, BlkFiberFunc func, void *opaque)
{
    BlkPostponed *postponed = g_new0(BlkPostponed, 1);
    BlkPostponed **at = &context->postponed;

    postponed->func = func;
    postponed->opaque = opaque;
    while (*at) {
        at = &(*at)->next;
    }
    *at = postponed;
}

static void
start_postponed(BlkContext *context)
{
    BlkPostponed *postponed = context->postponed;

    if (postponed && context->idle) {
        BlkFiber *fiber = take_fiber(context);
        context->postponed = postponed->next;
        blk_fiber_set(fiber, postponed->func, postponed->opaque);
        context->live_count++;
        blk_context_make_ready(context, fiber);
        g_free(postponed);
    }
}

BlkFiber *
blk_context_prepare_fiber(BlkContext *context, BlkFiberFunc func, void *opaque)
{
    BlkFiber *fiber = context->postponed ? NULL : take_fiber(context);

    if (!fiber) {
        postpone_start(context, func, opaque);
        return NULL;
    }
    blk_fiber_set(fiber, func, opaque);
    context->live_count++;
    return fiber;
}

void
blk_context_start(BlkContext *context, BlkFiberFunc func, void *opaque)
{
    BlkFiber *fiber = blk_context_prepare_fiber(context, func, opaque);

    if (fiber && context->current) {
        blk_context_make_ready(context, fiber);
    } else if (fiber) {
        run_fiber(context, fiber);
    }
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
    if (context->source) {
        g_source_set_ready_time(context->source,
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
    deferred->next = NULL;
    if (context->deferred_last) {
        context->deferred_last->next = deferred;
    } else {
        context->deferred_first = deferred;
    }
    context->deferred_last = deferred;
    if (context->dispatch_depth == 0) {
        blk_context_signal(context);
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
run_ready(BlkContext *context)
{
    bool progress = false;

    for (;;) {
        BlkFiber *fiber = pop_fiber(&context->ready);
        BlkDeferred *deferred = context->deferred_first;
        if (fiber) {
            run_fiber(context, fiber);
        } else if (deferred) {
            context->deferred_first = deferred->next;
            if (!deferred->next) {
                context->deferred_last = NULL;
            }
            deferred->func(deferred->opaque);
        } else {
            return progress;
        }
        progress = true;
    }
}

bool
blk_context_dispatch(BlkContext *context)
{
    bool progress = false;

    g_assert(!context->current);
    context->dispatch_depth++;
    do {
        blk_context_collect_jobs(context);
        blk_context_collect_fds(context);
        wake_sleepers(context);
        progress |= run_ready(context);
        /* Further out somebody else looks. */
    } while (context->dispatch_depth == 1 && !blk_context_stop_collecting(context));
    context->dispatch_depth--;
    return progress;
}

bool
blk_context_is_batching(const BlkContext *context)
{
    return context->dispatch_depth > 0;
}

void
blk_context_batch_begin(BlkContext *context)
{
    g_assert(!context->current);
    if (context->dispatch_depth++ == 0) {
        blk_context_collect_jobs(context);
    }
}

void
blk_context_batch_end(BlkContext *context)
{
    /* Inside a dispatch that one goes on with what is ready. */
    if (--context->dispatch_depth == 0 && (context->ready.first || context->deferred_first ||
                                           !blk_context_stop_collecting(context))) {
        blk_context_dispatch(context);
    }
}

/* Waits for the eventfd or the next sleeper. What wakes several threads of a parallel context is
 * found by the first; the others wait again. */
static void
poll_host(BlkContext *context, int timeout_ms)
{
    /* A descriptor of -1 is passed over. */
    struct pollfd fds[] = { { .fd = context->event_fd, .events = POLLIN },
                            { .fd = context->epoll_fd, .events = POLLIN } };

    if (context->sleepers) {
        int64_t left_us = context->sleepers->wake_us - g_get_monotonic_time();
        int64_t left_ms = left_us <= 0 ? 0 : MIN((left_us + 999) / 1000, 3600000);
        timeout_ms = timeout_ms < 0 ? (int)left_ms : (int)MIN(left_ms, timeout_ms);
    }
    if (context->is_parallel) {
        blk_context_leave(context);
    }
    poll(fds, VIT_ARRAY_LEN(fds), timeout_ms);
    if (context->is_parallel) {
        blk_context_enter(context);
    }
}

bool
blk_context_poll(BlkContext *context, int timeout_ms)
{
    g_assert(!context->lock || vit_lock_is_held(context->lock));
    clear_signal(context);
    if (blk_context_dispatch(context)) {
        return true;
    }
    if (timeout_ms == 0) {
        return false;
    }
    /* Within a dispatch nobody else would tell of what is done meanwhile. */
    if (blk_context_stop_collecting(context)) {
        poll_host(context, timeout_ms);
    }
    clear_signal(context);
    return blk_context_dispatch(context);
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

static gboolean
source_dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
    BlkContext *context = ((ContextSource *)source)->context;

    if (context->lock) {
        vit_lock_take(context->lock);
    }
    /* With the lock: whoever holds it may be waiting for this very signal (blk_context_poll). */
    clear_signal(context);
    blk_context_dispatch(context);
    if (context->lock) {
        vit_lock_release(context->lock);
    }
    return G_SOURCE_CONTINUE;
}

static const GSourceFuncs source_funcs = { .dispatch = source_dispatch };

static void
attach(BlkContext *context, GMainContext *main_context)
{
    context->source = g_source_new((GSourceFuncs *)&source_funcs, sizeof(ContextSource));
    ((ContextSource *)context->source)->context = context;
    g_source_set_name(context->source, "block");
    /* Else GLib takes the descriptors out of its list and puts them back at each dispatch, and
     * wakes its own loop every time: four writes, a read and a second turn of the loop for a
     * request. */
    g_source_set_can_recurse(context->source, TRUE);
    context->event_tag = g_source_add_unix_fd(context->source, context->event_fd, G_IO_IN);
    if (context->epoll_fd >= 0) {
        g_source_add_unix_fd(context->source, context->epoll_fd, G_IO_IN);
    }
    update_ready_time(context);
    g_source_attach(context->source, main_context);
}

void
blk_context_move(BlkContext *context, GMainContext *main_context)
{
    g_source_destroy(context->source);
    g_source_unref(context->source);
    attach(context, main_context);
}

BlkContext *
blk_context_new(GMainContext *main_context, VitLock *lock, GError **error)
{
    int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    BlkFiber *fiber = event_fd >= 0 ? blk_fiber_new() : NULL;
    BlkContext *context;

    if (!fiber) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                    "The disk system cannot start: %s. Close other machines or raise the limit of "
                    "open files.",
                    g_strerror(errno));
        if (event_fd >= 0) {
            close(event_fd);
        }
        return NULL;
    }
    context = g_new0(BlkContext, 1);
    context->lock = lock;
    context->event_fd = event_fd;
    context->epoll_fd = -1;
    context->idle = fiber;
    context->idle_count = 1;
    pthread_mutex_init(&context->jobs_lock, NULL);
    pthread_cond_init(&context->left, NULL);
    context->pool = blk_pool_new(BLK_MAX_WORKERS, blk_context_job_done, context);
    context->helps = lock && main_context;
    if (main_context) {
        attach(context, main_context);
    }
    return context;
}

void
blk_context_free(BlkContext *context)
{
    if (!context) {
        return;
    }
    g_assert(context->live_count == 0 && !context->deferred_first);
    if (context->source) {
        g_source_destroy(context->source);
        g_source_unref(context->source);
    }
    blk_pool_free(context->pool);
    while (context->idle) {
        BlkFiber *fiber = context->idle;
        context->idle = *blk_fiber_next(fiber);
        blk_fiber_free(fiber);
    }
    pthread_mutex_destroy(&context->jobs_lock);
    pthread_cond_destroy(&context->left);
    close(context->event_fd);
    if (context->epoll_fd >= 0) {
        close(context->epoll_fd);
    }
    g_free(context);
}
