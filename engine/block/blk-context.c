/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The scheduler of block requests: ready fibers, sleeping ones, worker jobs and deferred calls of
 * one context. Invariants are in blk-context.h.
 *
 * Workers report through a list under a mutex. One that gets the lock without waiting goes on with
 * the fiber itself, which saves the way through the event loop and its thread; else an eventfd
 * wakes the loop. The eventfd is written only when it is not already set, so a burst of completions
 * costs one system call. An event loop other than threads (io_uring, sockets) joins at poll_host()
 * and in the source's descriptor list.
 *
 * Thread: see the header; job_done() alone runs on pool threads. */

#include "blk-context.h"

#include "blk-pool.h"

#include "vit-error.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MAX_WORKERS = 32, MAX_IDLE_FIBERS = 64 };

typedef struct FiberJob {
    BlkJob job; /* first */
    BlkFiber *fiber;
} FiberJob;

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
    BlkJob *done_jobs; /* under jobs_lock, latest first */
    BlkFiber *current;
    BlkWaitQueue ready;
    BlkFiber *idle;
    unsigned idle_count, live_count;
    BlkPostponed *postponed;
    BlkDeferred *deferred_first, *deferred_last;
    BlkSleeper *sleepers; /* earliest first */
    unsigned dispatch_depth;
    bool helps;       /* workers dispatch what they have done */
    bool is_parallel; /* several threads dispatch (blk_context_run_parallel), one at a time */
    bool is_entered;  /* one does; under jobs_lock, and told by left */
    pthread_cond_t left;
    BlkWaitQueue turn_waiters; /* for turns of jobs that are done in place */
    int epoll_fd;              /* -1 until somebody waits for a descriptor */
    unsigned fd_waiters;
};

typedef struct ContextSource {
    GSource source;
    BlkContext *context;
} ContextSource;

static void
signal_context(BlkContext *context)
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

static void
make_ready(BlkContext *context, BlkFiber *fiber)
{
    push_fiber(&context->ready, fiber);
    if (context->dispatch_depth == 0) {
        signal_context(context);
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

static void
suspend_current(BlkContext *context)
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
        make_ready(context, fiber);
        g_free(postponed);
    }
}

/* NULL: postponed. */
static BlkFiber *
prepare_fiber(BlkContext *context, BlkFiberFunc func, void *opaque)
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
    BlkFiber *fiber = prepare_fiber(context, func, opaque);

    if (fiber && context->current) {
        make_ready(context, fiber);
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
    suspend_current(context);
}

void
blk_wake_first(BlkContext *context, BlkWaitQueue *queue)
{
    BlkFiber *fiber = pop_fiber(queue);

    if (fiber) {
        make_ready(context, fiber);
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
    suspend_current(context);
}

/* ---- descriptors ---- */

static int
get_epoll_fd(BlkContext *context)
{
    if (context->epoll_fd < 0) {
        context->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (context->epoll_fd >= 0 && context->source) {
            g_source_add_unix_fd(context->source, context->epoll_fd, G_IO_IN);
        }
    }
    return context->epoll_fd;
}

int
blk_wait_fd(BlkContext *context, int fd, short events)
{
    struct epoll_event event = { .events = EPOLLONESHOT | (events & POLLIN ? EPOLLIN : 0u) |
                                           (events & POLLOUT ? EPOLLOUT : 0u),
                                 .data.ptr = context->current };
    int epoll_fd = get_epoll_fd(context);

    g_assert(context->current);
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        return -errno;
    }
    context->fd_waiters++;
    suspend_current(context);
    context->fd_waiters--;
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    return 0;
}

/* What epoll gives back is a fiber, or a poller with its lowest bit set. */
enum { POLLER_TAG = 1 };

void
blk_poller_add(BlkContext *context, BlkPoller *poller)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uintptr_t)poller | POLLER_TAG };

    poller->context = context;
    if (get_epoll_fd(context) >= 0) {
        epoll_ctl(context->epoll_fd, EPOLL_CTL_ADD, poller->fd, &event);
    }
}

void
blk_poller_remove(BlkPoller *poller)
{
    epoll_ctl(poller->context->epoll_fd, EPOLL_CTL_DEL, poller->fd, NULL);
}

void
blk_poller_expect(BlkPoller *poller, bool more)
{
    poller->context->fd_waiters += more ? 1 : -1;
}

static void
collect_fds(BlkContext *context)
{
    struct epoll_event events[16];
    int count = context->fd_waiters > 0
                    ? epoll_wait(context->epoll_fd, events, VIT_ARRAY_LEN(events), 0)
                    : 0;

    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 & POLLER_TAG) {
            BlkPoller *poller =
                (BlkPoller *)(uintptr_t)(events[i].data.u64 & ~(uint64_t)POLLER_TAG);
            poller->func(poller->opaque);
        } else {
            make_ready(context, events[i].data.ptr);
        }
    }
}

/* ---- workers ---- */

static bool run_ready(BlkContext *context);

/* On the worker. */
static void
job_done(void *opaque, BlkJob *job, bool may_stay)
{
    BlkContext *context = opaque;

    /* The job is gone as soon as it is on the list and the mutex is free; the context only after
     * the pool has let this thread go. */
    pthread_mutex_lock(&context->jobs_lock);
    job->next = context->done_jobs;
    context->done_jobs = job;
    pthread_mutex_unlock(&context->jobs_lock);
    /* When the host gives no threads, this is the one that holds the lock and waits. */
    if (may_stay && context->lock && __atomic_load_n(&context->helps, __ATOMIC_RELAXED) &&
        !vit_lock_is_held(context->lock) && vit_lock_try(context->lock)) {
        run_ready(context);
        vit_lock_release(context->lock);
    } else {
        signal_context(context);
    }
}

/* Nobody has anything to do meanwhile: a tool that waits for its only fiber. */
static bool
is_alone(const BlkContext *context)
{
    return !context->source && !context->lock && context->live_count == 1;
}

int
blk_pool_run(BlkContext *context, int (*func)(void *arg), void *arg)
{
    return blk_pool_run_in_turn(context, NULL, func, arg);
}

int
blk_pool_run_in_turn(BlkContext *context, BlkTurns *turns, int (*func)(void *arg), void *arg)
{
    FiberJob job = { .job = { .func = func, .arg = arg, .turns = turns },
                     .fiber = context->current };

    g_assert(context->current);
    if (is_alone(context)) {
        return func(arg);
    }
    blk_pool_push(context->pool, &job.job);
    suspend_current(context);
    return job.job.ret;
}

/* Not a mutex of its own: what a thread has entered a fiber may leave, which on the same thread is
 * somebody else to those who check locks. */
static void
enter_parallel(BlkContext *context)
{
    pthread_mutex_lock(&context->jobs_lock);
    while (context->is_entered) {
        pthread_cond_wait(&context->left, &context->jobs_lock);
    }
    context->is_entered = true;
    pthread_mutex_unlock(&context->jobs_lock);
}

static void
leave_parallel(BlkContext *context)
{
    pthread_mutex_lock(&context->jobs_lock);
    context->is_entered = false;
    pthread_cond_signal(&context->left);
    pthread_mutex_unlock(&context->jobs_lock);
}

/* The others go on with what is ready while this thread does the job. */
static int
run_in_place(BlkContext *context, BlkTurns *turns, int (*func)(void *arg), void *arg)
{
    BlkFiber *fiber = context->current;
    int ret;

    while (turns && turns->is_taken) {
        blk_wait(context, &context->turn_waiters);
    }
    if (turns) {
        turns->is_taken = true;
    }
    context->current = NULL;
    context->dispatch_depth--;
    if (context->ready.first || context->deferred_first) {
        signal_context(context);
    }
    leave_parallel(context);
    ret = func(arg);
    enter_parallel(context);
    context->dispatch_depth++;
    context->current = fiber;
    if (turns) {
        turns->is_taken = false;
        blk_wake_all(context, &context->turn_waiters);
    }
    return ret;
}

int
blk_pool_run_here(BlkContext *context, BlkTurns *turns, int (*func)(void *arg), void *arg)
{
    g_assert(context->current);
    return context->is_parallel ? run_in_place(context, turns, func, arg)
                                : blk_pool_run_in_turn(context, turns, func, arg);
}

bool
blk_context_is_parallel(const BlkContext *context)
{
    return context->is_parallel;
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
        signal_context(context);
    }
}

static void
collect_jobs(BlkContext *context)
{
    BlkJob *done, *ordered = NULL;

    pthread_mutex_lock(&context->jobs_lock);
    done = context->done_jobs;
    context->done_jobs = NULL;
    pthread_mutex_unlock(&context->jobs_lock);
    while (done) {
        BlkJob *next = done->next;
        done->next = ordered;
        ordered = done;
        done = next;
    }
    for (; ordered; ordered = ordered->next) {
        make_ready(context, ((FiberJob *)ordered)->fiber);
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
        make_ready(context, fiber);
    }
    update_ready_time(context);
}

/* Runs all that is ready, one piece at a time: a deferred call may poll and so get here again. */
static bool
run_ready(BlkContext *context)
{
    bool progress = false;

    g_assert(!context->current);
    context->dispatch_depth++;
    collect_jobs(context);
    collect_fds(context);
    wake_sleepers(context);
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
            break;
        }
        progress = true;
    }
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
    context->dispatch_depth++;
}

void
blk_context_batch_end(BlkContext *context)
{
    /* Inside a dispatch that one goes on with what is ready. */
    if (--context->dispatch_depth == 0 && (context->ready.first || context->deferred_first)) {
        run_ready(context);
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
        leave_parallel(context);
    }
    poll(fds, VIT_ARRAY_LEN(fds), timeout_ms);
    if (context->is_parallel) {
        enter_parallel(context);
    }
}

bool
blk_context_poll(BlkContext *context, int timeout_ms)
{
    g_assert(!context->lock || vit_lock_is_held(context->lock));
    clear_signal(context);
    if (run_ready(context)) {
        return true;
    }
    if (timeout_ms == 0) {
        return false;
    }
    poll_host(context, timeout_ms);
    clear_signal(context);
    return run_ready(context);
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

/* ---- several threads ---- */

typedef struct Parallel {
    BlkContext *context;
    BlkFiberFunc func;
    void *opaque;
    unsigned live;
} Parallel;

static void
parallel_fiber(void *opaque)
{
    Parallel *parallel = opaque;

    parallel->func(parallel->opaque);
    parallel->live--;
}

static void *
parallel_main(void *opaque)
{
    Parallel *parallel = opaque;

    enter_parallel(parallel->context);
    while (parallel->live > 0) {
        blk_context_poll(parallel->context, -1);
    }
    /* The signal may have been taken by another thread that left: one after the other is told. */
    signal_context(parallel->context);
    leave_parallel(parallel->context);
    return NULL;
}

static bool
start_parallel(pthread_t *out, Parallel *parallel)
{
    sigset_t all, old;
    int ret;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    ret = pthread_create(out, NULL, parallel_main, parallel);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ret == 0;
}

void
blk_context_run_parallel(BlkContext *context, unsigned threads, BlkFiberFunc func, void *opaque,
                         unsigned count)
{
    Parallel parallel = { .context = context, .func = func, .opaque = opaque, .live = count };
    pthread_t helpers[MAX_WORKERS];
    unsigned started = 0;

    g_assert(!context->lock && !context->source && !context->current);
    g_assert(context->dispatch_depth == 0);
    context->is_parallel = true;
    for (unsigned i = 0; i < count; i++) {
        BlkFiber *fiber = prepare_fiber(context, parallel_fiber, &parallel);
        if (fiber) {
            make_ready(context, fiber);
        }
    }
    while (started + 1 < MIN(threads, MAX_WORKERS) &&
           start_parallel(&helpers[started], &parallel)) {
        started++;
    }
    parallel_main(&parallel);
    while (started > 0) {
        pthread_join(helpers[--started], NULL);
    }
    context->is_parallel = false;
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
    run_ready(context);
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
    context->event_tag = g_source_add_unix_fd(context->source, context->event_fd, G_IO_IN);
    if (context->epoll_fd >= 0) {
        g_source_add_unix_fd(context->source, context->epoll_fd, G_IO_IN);
    }
    update_ready_time(context);
    g_source_attach(context->source, main_context);
}

void
blk_context_move(BlkContext *context, GMainContext *main_context, bool may_help)
{
    __atomic_store_n(&context->helps, may_help, __ATOMIC_RELAXED);
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
    context->pool = blk_pool_new(MAX_WORKERS, job_done, context);
    if (main_context) {
        context->helps = true;
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
