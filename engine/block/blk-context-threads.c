/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A context's worker threads, and tools' contexts that several threads run by turns.
 *
 * Workers report through a list under a mutex. While somebody dispatches, or submits a batch, that
 * is all: who does looks at the list again before it ends. Otherwise a worker that gets the lock
 * without waiting goes on with the fiber itself, which saves the way through the event loop and its
 * thread; else it signals.
 *
 * Thread: the header's; blk_context_job_done() alone runs on pool threads. */

#include "blk-context-private.h"

#include <signal.h>
#include <stddef.h>

enum { MAX_IN_PLACE = 2 };

typedef struct FiberJob {
    BlkJob job; /* first */
    BlkFiber *fiber;
    BlkContext *context;
    VitErrand errand;
} FiberJob;

/* ---- workers ---- */

void
blk_context_job_done(void *opaque, BlkJob *job, bool may_stay)
{
    BlkContext *context = opaque;
    BlkLoop *loop = *blk_fiber_home(((FiberJob *)job)->fiber);
    bool is_expected;

    /* The job is gone as soon as it is on the list and the mutex is free; the context only after
     * the pool has let this thread go. */
    pthread_mutex_lock(&context->jobs_lock);
    job->next = loop->done_jobs;
    loop->done_jobs = job;
    is_expected = loop->is_collecting;
    pthread_mutex_unlock(&context->jobs_lock);
    if (is_expected) {
        return;
    }
    /* When the host gives no threads, this is the one that holds the lock and waits. */
    if (may_stay && context->helps && !vit_lock_is_held(context->lock) &&
        vit_lock_try(context->lock)) {
        blk_loop_dispatch(loop);
        vit_lock_release(context->lock);
    } else {
        blk_loop_signal(loop);
    }
}

/* Nobody has anything to do meanwhile: a tool that waits for its only fiber. */
static bool
is_alone(const BlkContext *context)
{
    return !context->own.source && !context->lock && context->live_count == 1;
}

void
blk_context_set_workers(BlkContext *context, unsigned min, unsigned max)
{
    blk_pool_set_threads(context->pool, min, max);
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
    blk_context_suspend(context);
    return job.job.ret;
}

static FiberJob *
errand_job(VitErrand *errand)
{
    return (FiberJob *)((char *)errand - offsetof(FiberJob, errand));
}

static void
run_errand(VitErrand *errand)
{
    FiberJob *job = errand_job(errand);

    blk_pool_do_claimed(job->context->pool, &job->job);
}

void
blk_context_keep_errand(BlkContext *context)
{
    VitErrand *errand = context->lock ? vit_lock_get_errand_back(context->lock) : NULL;

    if (errand) {
        blk_pool_push_claimed(context->pool, &errand_job(errand)->job);
    }
}

int
blk_pool_run_along(BlkContext *context, BlkTurns *turns, int (*func)(void *arg), void *arg)
{
    FiberJob job = { .job = { .func = func, .arg = arg, .turns = turns },
                     .fiber = context->current,
                     .context = context,
                     .errand = { .run = run_errand } };

    g_assert(context->current);
    if (!context->helps) {
        return blk_pool_run_brief(context, turns, func, arg);
    }
    if (blk_pool_claim(context->pool, &job.job) &&
        !vit_lock_give_errand(context->lock, &job.errand)) {
        blk_pool_push_claimed(context->pool, &job.job);
    }
    blk_context_suspend(context);
    return job.job.ret;
}

/* Not a mutex of its own: what a thread has entered a fiber may leave, which on the same thread is
 * somebody else to those who check locks. */
void
blk_context_enter(BlkContext *context)
{
    pthread_mutex_lock(&context->jobs_lock);
    while (context->is_entered) {
        pthread_cond_wait(&context->left, &context->jobs_lock);
    }
    context->is_entered = true;
    pthread_mutex_unlock(&context->jobs_lock);
}

void
blk_context_leave(BlkContext *context)
{
    pthread_mutex_lock(&context->jobs_lock);
    context->is_entered = false;
    pthread_cond_signal(&context->left);
    pthread_mutex_unlock(&context->jobs_lock);
}

/* A tool's threads may be two at it: the second waits in the host's kernel, which watches the first
 * for the end instead of going to sleep. 256 MiB, raw to qcow2 on two processors: 67 ms one at a
 * time, 57 by two. */
static void
wait_for_turn(BlkContext *context, const BlkTurns *turns)
{
    while (turns && turns->in_place >= MAX_IN_PLACE) {
        blk_wait(context, &context->turn_waiters);
    }
}

/* The others go on with what is ready while this thread does the job. */
static int
run_in_place(BlkContext *context, BlkTurns *turns, int (*func)(void *arg), void *arg)
{
    BlkFiber *fiber = context->current;
    BlkLoop *loop = &context->own;
    int ret;

    wait_for_turn(context, turns);
    if (turns) {
        turns->in_place++;
    }
    context->current = NULL;
    loop->dispatch_depth--;
    if (loop->ready.first || loop->deferred_first) {
        blk_loop_signal(loop);
    }
    blk_context_leave(context);
    ret = func(arg);
    blk_context_enter(context);
    loop->dispatch_depth++;
    context->current = fiber;
    context->running = loop;
    if (turns) {
        turns->in_place--;
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

int
blk_pool_run_brief(BlkContext *context, BlkTurns *turns, int (*func)(void *arg), void *arg)
{
    g_assert(context->current);
    if (!context->is_parallel) {
        return blk_pool_run_in_turn(context, turns, func, arg);
    }
    wait_for_turn(context, turns);
    return func(arg);
}

bool
blk_context_is_parallel(const BlkContext *context)
{
    return context->is_parallel;
}

void
blk_loop_collect_jobs(BlkLoop *loop)
{
    BlkContext *context = loop->context;
    BlkJob *done, *ordered = NULL;

    pthread_mutex_lock(&context->jobs_lock);
    done = loop->done_jobs;
    loop->done_jobs = NULL;
    loop->is_collecting = !context->is_parallel; /* there one may wait while others dispatch */
    pthread_mutex_unlock(&context->jobs_lock);
    while (done) {
        BlkJob *next = done->next;
        done->next = ordered;
        ordered = done;
        done = next;
    }
    for (; ordered; ordered = ordered->next) {
        blk_context_make_ready(context, ((FiberJob *)ordered)->fiber);
    }
}

bool
blk_loop_stop_collecting(BlkLoop *loop)
{
    BlkContext *context = loop->context;
    bool is_done;

    pthread_mutex_lock(&context->jobs_lock);
    is_done = loop->done_jobs == NULL;
    if (is_done) {
        loop->is_collecting = false;
    }
    pthread_mutex_unlock(&context->jobs_lock);
    return is_done;
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

    blk_context_enter(parallel->context);
    while (parallel->live > 0) {
        blk_context_poll(parallel->context, -1);
    }
    /* The signal may have been taken by another thread that left: one after the other is told. */
    blk_loop_signal(&parallel->context->own);
    blk_context_leave(parallel->context);
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
    pthread_t helpers[BLK_MAX_WORKERS];
    unsigned started = 0;

    g_assert(!context->lock && !context->own.source && !context->current);
    g_assert(context->own.dispatch_depth == 0);
    context->is_parallel = true;
    for (unsigned i = 0; i < count; i++) {
        BlkFiber *fiber = blk_context_prepare_fiber(&context->own, parallel_fiber, &parallel);
        if (fiber) {
            blk_context_make_ready(context, fiber);
        }
    }
    while (started + 1 < MIN(threads, BLK_MAX_WORKERS) &&
           start_parallel(&helpers[started], &parallel)) {
        started++;
    }
    parallel_main(&parallel);
    while (started > 0) {
        pthread_join(helpers[--started], NULL);
    }
    context->is_parallel = false;
}
