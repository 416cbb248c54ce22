/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A pool of worker threads. GLib's would do but for two things: it synchronises by futexes that
 * thread checkers do not see, and it keeps its idle threads per process, not per machine.
 *
 * One thread at a time is being woken (or started): when it arrives it takes a job and, if there
 * are more, wakes the next. Jobs that end at once are so done by few threads, without a switch for
 * each, while jobs that block soon have a thread each. Measured with writes to the page cache, 32
 * at a time, on two cores: twice as many as with a wake-up per job.
 *
 * A job with turns (blk-pool.h) comes to the queue only when the turn is its own; the thread that
 * has done one does the next.
 *
 * Invariant: under the lock, the queue is empty, or a thread is on its way, or no more threads can
 * be had and every one is at work. When the host refuses even the first, the caller does the job.
 *
 * Thread: any. */

#include "blk-pool.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

enum { IDLE_SECONDS = 10 };

struct BlkPool {
    pthread_mutex_t lock;
    pthread_cond_t wake, gone;
    BlkJob *first, *last;
    unsigned idle_count, thread_count, min_threads, max_threads;
    bool quit;
    bool is_waking; /* a thread has been signalled or started and has not arrived */
    BlkPoolDone done;
    void *opaque;
};

static BlkJob *
take_job(BlkPool *pool)
{
    BlkJob *job = pool->first;

    pool->first = job->next;
    if (!pool->first) {
        pool->last = NULL;
    }
    return job;
}

static bool
may_stay(const BlkPool *pool, bool is_idle)
{
    return !pool->quit && pool->thread_count <= pool->max_threads &&
           (!is_idle || pool->thread_count <= pool->min_threads);
}

/* Waits for a job; false when the thread is one too many. */
static bool
wait_for_job(BlkPool *pool)
{
    struct timespec until;
    int ret = 0;

    pool->idle_count++;
    while (!pool->first && may_stay(pool, ret == ETIMEDOUT)) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += IDLE_SECONDS;
        ret = pthread_cond_timedwait(&pool->wake, &pool->lock, &until);
        pool->is_waking = false; /* arrived, even when others were faster */
    }
    pool->idle_count--;
    return pool->first != NULL;
}

static void *worker_main(void *opaque);

static bool
start_thread(BlkPool *pool)
{
    sigset_t all, old;
    pthread_attr_t attr;
    pthread_t thread;
    int ret;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    ret = pthread_create(&thread, &attr, worker_main, pool);
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (ret == 0) {
        pthread_setname_np(thread, "block-worker");
        pool->thread_count++;
    }
    return ret == 0;
}

/* Sees to it that somebody comes for the queue. True: once the lock is free, the caller signals
 * wake; earlier the thread would come and wait again, for the lock. */
static bool
must_wake(BlkPool *pool)
{
    if (!pool->first || pool->is_waking) {
        return false;
    }
    if (pool->idle_count > 0) {
        pool->is_waking = true;
        return true;
    }
    if (pool->thread_count < pool->max_threads) {
        pool->is_waking = start_thread(pool);
    }
    return false;
}

static void
unlock_and_wake(BlkPool *pool, bool wake)
{
    pthread_mutex_unlock(&pool->lock);
    if (wake) {
        pthread_cond_signal(&pool->wake);
    }
}

/* The job after JOB in its turns; they may be gone once the last one is reported. */
static BlkJob *
pass_turn(BlkPool *pool, const BlkJob *job)
{
    BlkTurns *turns = job->turns;
    BlkJob *next;

    if (!turns) {
        return NULL;
    }
    pthread_mutex_lock(&pool->lock);
    next = turns->first;
    if (next) {
        turns->first = next->next;
    } else {
        turns->is_taken = false;
    }
    pthread_mutex_unlock(&pool->lock);
    return next;
}

/* Without the lock. */
static void
run_job(BlkPool *pool, BlkJob *job)
{
    while (job) {
        job->ret = job->func(job->arg);
        BlkJob *next = pass_turn(pool, job);
        pool->done(pool->opaque, job, next == NULL);
        job = next;
    }
}

static void *
worker_main(void *opaque)
{
    BlkPool *pool = opaque;

    pthread_mutex_lock(&pool->lock);
    pool->is_waking = false;
    while (pool->first || wait_for_job(pool)) {
        BlkJob *job = take_job(pool);
        unlock_and_wake(pool, must_wake(pool));
        run_job(pool, job);
        pthread_mutex_lock(&pool->lock);
    }
    pool->thread_count--;
    pthread_cond_signal(&pool->gone);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static void
append_job(BlkJob **first, BlkJob **last, BlkJob *job)
{
    if (*first) {
        (*last)->next = job;
    } else {
        *first = job;
    }
    *last = job;
}

bool
blk_pool_claim(BlkPool *pool, BlkJob *job)
{
    BlkTurns *turns = job->turns;
    bool is_mine = true;

    job->next = NULL;
    if (turns) {
        pthread_mutex_lock(&pool->lock);
        is_mine = !turns->is_taken;
        turns->is_taken = true;
        if (!is_mine) {
            append_job(&turns->first, &turns->last, job);
        }
        pthread_mutex_unlock(&pool->lock);
    }
    return is_mine;
}

void
blk_pool_push_claimed(BlkPool *pool, BlkJob *job)
{
    bool alone, wake;

    pthread_mutex_lock(&pool->lock);
    append_job(&pool->first, &pool->last, job);
    wake = must_wake(pool);
    alone = pool->thread_count == 0;
    if (alone) {
        job = take_job(pool);
    }
    unlock_and_wake(pool, wake);
    if (alone) {
        run_job(pool, job);
    }
}

void
blk_pool_do_claimed(BlkPool *pool, BlkJob *job)
{
    run_job(pool, job);
}

void
blk_pool_push(BlkPool *pool, BlkJob *job)
{
    if (blk_pool_claim(pool, job)) {
        blk_pool_push_claimed(pool, job);
    }
}

BlkPool *
blk_pool_new(unsigned max_threads, BlkPoolDone done, void *opaque)
{
    BlkPool *pool = g_new0(BlkPool, 1);
    pthread_condattr_t attr;

    pool->max_threads = max_threads;
    pool->done = done;
    pool->opaque = opaque;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->wake, &attr);
    pthread_cond_init(&pool->gone, &attr);
    pthread_condattr_destroy(&attr);
    return pool;
}

void
blk_pool_set_threads(BlkPool *pool, unsigned min, unsigned max)
{
    pthread_mutex_lock(&pool->lock);
    pool->min_threads = min;
    pool->max_threads = max;
    while (pool->thread_count < min && start_thread(pool)) {
    }
    pthread_cond_broadcast(&pool->wake); /* to count again */
    pthread_mutex_unlock(&pool->lock);
}

void
blk_pool_free(BlkPool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->quit = true;
    pthread_cond_broadcast(&pool->wake);
    while (pool->thread_count > 0) {
        pthread_cond_wait(&pool->gone, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_destroy(&pool->wake);
    pthread_cond_destroy(&pool->gone);
    pthread_mutex_destroy(&pool->lock);
    g_free(pool);
}
