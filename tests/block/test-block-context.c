/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Fibers, waiting, workers, deferred calls and ranges. */

#include "blk-context.h"
#include "blk-range.h"
#include "blk-vec.h"

#include <string.h>

typedef struct Counter {
    BlkContext *context;
    BlkWaitQueue queue;
    unsigned started, ended;
    GString *order;
    double sum;
} Counter;

static void
wait_once(void *opaque)
{
    Counter *counter = opaque;
    double x = counter->started++;

    blk_wait(counter->context, &counter->queue);
    counter->sum += x * 0.5; /* floating point state survives the switch */
    counter->ended++;
}

static void
test_many(void)
{
    BlkContext *context = blk_context_new(NULL, NULL, NULL);
    Counter counter = { .context = context };

    for (unsigned round = 0; round < 3; round++) {
        counter.started = counter.ended = 0;
        counter.sum = 0;
        for (unsigned i = 0; i < 200; i++) {
            blk_context_start(context, wait_once, &counter);
        }
        g_assert_cmpuint(counter.started, ==, 200);
        g_assert_cmpuint(counter.ended, ==, 0);
        g_assert_false(blk_context_poll(context, 0));
        blk_wake_all(context, &counter.queue);
        g_assert_cmpuint(counter.ended, ==, 0);
        g_assert_true(blk_context_poll(context, 0));
        g_assert_cmpuint(counter.ended, ==, 200);
        g_assert_cmpfloat(counter.sum, ==, 199 * 200 / 2 * 0.5);
    }
    blk_context_free(context);
}

static int
add_one(void *arg)
{
    (*(unsigned *)arg)++;
    return 7;
}

static void
work_in_pool(void *opaque)
{
    Counter *counter = opaque;
    unsigned value = 0;

    counter->started++;
    for (unsigned i = 0; i < 20; i++) {
        g_assert_cmpint(blk_pool_run(counter->context, add_one, &value), ==, 7);
    }
    g_assert_cmpuint(value, ==, 20);
    counter->ended++;
}

static void
test_pool(void)
{
    BlkContext *context = blk_context_new(NULL, NULL, NULL);
    Counter counter = { .context = context };

    for (unsigned i = 0; i < 50; i++) {
        blk_context_start(context, work_in_pool, &counter);
    }
    while (counter.ended < 50) {
        g_assert_true(blk_context_poll(context, 5000));
    }
    blk_context_free(context);
}

/* ---- how many workers ---- */

typedef struct Busy {
    int now, most; /* atomic */
    int wanted;    /* at once: they wait for each other, on a host that is slow to start threads */
    BlkContext *context;
    BlkWaitQueue queue;
    unsigned ended;
} Busy;

static int
be_busy(void *arg)
{
    Busy *busy = arg;
    int now = g_atomic_int_add(&busy->now, 1) + 1;
    int most = g_atomic_int_get(&busy->most);

    while (now > most && !g_atomic_int_compare_and_exchange(&busy->most, most, now)) {
        most = g_atomic_int_get(&busy->most);
    }
    for (unsigned ms = 0; ms < 3000 && g_atomic_int_get(&busy->most) < busy->wanted; ms++) {
        g_usleep(1000);
    }
    g_usleep(2000);
    g_atomic_int_add(&busy->now, -1);
    return 0;
}

static void
be_busy_once(void *opaque)
{
    Busy *busy = opaque;

    blk_wait(busy->context, &busy->queue); /* for all: one alone would do it itself */
    blk_pool_run(busy->context, be_busy, busy);
    busy->ended++;
}

static int
count_most_at_once(BlkContext *context, int wanted)
{
    Busy busy = { .context = context, .wanted = wanted };

    for (unsigned i = 0; i < 40; i++) {
        blk_context_start(context, be_busy_once, &busy);
    }
    blk_wake_all(context, &busy.queue);
    for (unsigned i = 0; busy.ended < 40; i++) {
        g_assert_cmpuint(i, <, 1000); /* it may also wake for nothing */
        blk_context_poll(context, 5000);
    }
    return busy.most;
}

static unsigned
count_workers(void)
{
    g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
    unsigned count = 0;
    const char *name;

    while ((name = g_dir_read_name(tasks))) {
        g_autofree char *path = g_build_filename("/proc/self/task", name, "comm", NULL);
        g_autofree char *comm = NULL;
        count +=
            g_file_get_contents(path, &comm, NULL, NULL) && g_str_equal(comm, "block-worker\n");
    }
    return count;
}

static void
wait_for_workers(unsigned least, unsigned most)
{
    int64_t end_us = g_get_monotonic_time() + 8 * G_USEC_PER_SEC;

    while (count_workers() < least || count_workers() > most) {
        g_assert_cmpint(g_get_monotonic_time(), <, end_us);
        g_usleep(1000);
    }
}

/* mission: main-loop */
static void
test_pool_threads(void)
{
    BlkContext *context = blk_context_new(NULL, NULL, NULL);

    wait_for_workers(0, 0);
    blk_context_set_workers(context, 3, 4);
    wait_for_workers(3, 3);
    int most = count_most_at_once(context, 2);
    g_assert_cmpint(most, >=, 2);
    g_assert_cmpint(most, <=, 4);
    blk_context_set_workers(context, 0, 1); /* those too many go at once when they are idle */
    wait_for_workers(0, 1);
    g_assert_cmpint(count_most_at_once(context, 1), ==, 1);
    blk_context_set_workers(context, 2, 64);
    wait_for_workers(2, 64);
    g_assert_cmpint(count_most_at_once(context, 5), >, 4);
    blk_context_free(context);
    wait_for_workers(0, 0);
}

typedef struct Sleep {
    Counter *counter;
    int64_t ns;
    char name;
} Sleep;

static void
sleep_then_note(void *opaque)
{
    Sleep *sleep = opaque;

    blk_sleep_ns(sleep->counter->context, sleep->ns);
    g_string_append_c(sleep->counter->order, sleep->name);
}

/* False: the host took so long to start them that their order says nothing. */
static bool
sleep_in_order(BlkContext *context)
{
    Counter counter = { .context = context, .order = g_string_new(NULL) };
    Sleep sleeps[] = { { &counter, 30 * VIT_NS_PER_MS, 'c' },
                       { &counter, 10 * VIT_NS_PER_MS, 'a' },
                       { &counter, 20 * VIT_NS_PER_MS, 'b' } };
    int64_t start_us = g_get_monotonic_time();
    bool counts;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(sleeps); i++) {
        blk_context_start(context, sleep_then_note, &sleeps[i]);
    }
    counts = g_get_monotonic_time() - start_us < 5000;
    while (counter.order->len < 3) {
        blk_context_poll(context, -1);
    }
    if (counts) {
        g_assert_cmpstr(counter.order->str, ==, "abc");
    }
    g_string_free(counter.order, TRUE);
    return counts;
}

static void
test_sleep(void)
{
    BlkContext *context = blk_context_new(NULL, NULL, NULL);
    unsigned tries = 0;

    while (!sleep_in_order(context)) {
        g_assert_cmpuint(++tries, <, 50);
    }
    blk_context_free(context);
}

/* The main context dispatches with the lock held; another thread may poll with it as well. */
typedef struct Shared {
    VitLock lock;
    BlkContext *context;
    GMainContext *main_context;
    gint ended; /* atomic */
    gint quit;
} Shared;

static void
work_shared(void *opaque)
{
    Shared *shared = opaque;
    unsigned value = 0;

    for (unsigned i = 0; i < 10; i++) {
        blk_pool_run(shared->context, add_one, &value);
        g_assert_true(vit_lock_is_held(&shared->lock));
    }
    g_atomic_int_inc(&shared->ended);
}

static gpointer
loop_thread(gpointer opaque)
{
    Shared *shared = opaque;

    while (!g_atomic_int_get(&shared->quit)) {
        g_main_context_iteration(shared->main_context, TRUE);
    }
    return NULL;
}

static void
test_two_threads(void)
{
    Shared shared = { .main_context = g_main_context_new() };
    GThread *thread;

    vit_lock_init(&shared.lock);
    shared.context = blk_context_new(shared.main_context, &shared.lock, NULL);
    thread = g_thread_new("loop", loop_thread, &shared);
    for (unsigned i = 0; i < 200; i++) {
        vit_lock_take(&shared.lock);
        blk_context_start(shared.context, work_shared, &shared);
        if (i % 8 == 0) {
            blk_context_poll(shared.context, 1);
        }
        vit_lock_release(&shared.lock);
    }
    while (g_atomic_int_get(&shared.ended) < 200) {
        g_usleep(1000);
    }
    g_atomic_int_set(&shared.quit, 1);
    g_main_context_wakeup(shared.main_context);
    g_thread_join(thread);
    vit_lock_take(&shared.lock); /* a worker may only now have let go of it */
    blk_context_free(shared.context);
    vit_lock_release(&shared.lock);
    vit_lock_finish(&shared.lock);
    g_main_context_unref(shared.main_context);
}

static void
note_deferred(void *opaque)
{
    g_string_append_c(opaque, 'd');
}

static void
defer_in_fiber(void *opaque)
{
    Counter *counter = opaque;
    BlkDeferred deferred = { .func = note_deferred, .opaque = counter->order };

    blk_context_defer(counter->context, &deferred);
    g_string_append_c(counter->order, '1');
    blk_sleep_ns(counter->context, 20 * VIT_NS_PER_MS);
    g_string_append_c(counter->order, '2');
}

static void
test_deferred(void)
{
    BlkContext *context = blk_context_new(NULL, NULL, NULL);
    Counter counter = { .context = context, .order = g_string_new(NULL) };

    blk_context_run(context, defer_in_fiber, &counter);
    g_assert_cmpstr(counter.order->str, ==, "1d2");
    g_string_free(counter.order, TRUE);
    blk_context_free(context);
}

/* ---- ranges ---- */

typedef struct Holder {
    BlkContext *context;
    BlkRangeSet *set;
    uint64_t start, end;
    bool exclusive;
    BlkWaitQueue hold;
    GString *order;
    char name;
} Holder;

static void
hold_range(void *opaque)
{
    Holder *holder = opaque;
    BlkRange range;

    blk_range_acquire(holder->context, holder->set, &range, holder->start, holder->end,
                      holder->exclusive);
    g_string_append_c(holder->order, holder->name);
    blk_wait(holder->context, &holder->hold);
    blk_range_release(holder->context, holder->set, &range);
}

static void
release(Holder *holder)
{
    blk_wake_all(holder->context, &holder->hold);
    while (blk_context_poll(holder->context, 0)) {
    }
}

static void
test_ranges(void)
{
    BlkContext *context = blk_context_new(NULL, NULL, NULL);
    BlkRangeSet set = { 0 };
    g_autoptr(GString) order = g_string_new(NULL);
    Holder holders[] = {
        { context, &set, 0, 10, false, { 0 }, order, 'a' },  /* shared */
        { context, &set, 5, 15, false, { 0 }, order, 'b' },  /* shared: at once */
        { context, &set, 8, 12, true, { 0 }, order, 'C' },   /* waits for a and b */
        { context, &set, 11, 20, false, { 0 }, order, 'd' }, /* waits for C, which came first */
        { context, &set, 20, 30, true, { 0 }, order, 'E' },  /* apart: at once */
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(holders); i++) {
        blk_context_start(context, hold_range, &holders[i]);
    }
    g_assert_cmpstr(order->str, ==, "abE");
    release(&holders[0]);
    g_assert_cmpstr(order->str, ==, "abE");
    release(&holders[1]);
    g_assert_cmpstr(order->str, ==, "abEC");
    release(&holders[2]);
    g_assert_cmpstr(order->str, ==, "abECd");
    release(&holders[3]);
    release(&holders[4]);
    g_assert_null(set.first);
    blk_context_free(context);
}

/* ---- workers that go on themselves ---- */

typedef struct Helped {
    BlkContext *context;
    GThread *ended_on;
    gint is_free; /* atomic: the lock; the job ends then */
    gint called;  /* atomic */
    BlkDeferred deferred;
} Helped;

static int
wait_until_free(void *arg)
{
    while (!g_atomic_int_get(&((Helped *)arg)->is_free)) {
        g_usleep(100);
    }
    return 7;
}

static void
helped_call(void *opaque)
{
    g_atomic_int_set(&((Helped *)opaque)->called, 1);
}

static void
helped_fiber(void *opaque)
{
    Helped *helped = opaque;

    g_assert_cmpint(blk_pool_run(helped->context, wait_until_free, helped), ==, 7);
    helped->ended_on = g_thread_self();
    helped->deferred = (BlkDeferred){ .func = helped_call, .opaque = helped };
    blk_context_defer(helped->context, &helped->deferred);
}

static void
start_helped(Helped *helped, bool free_now)
{
    g_atomic_int_set(&helped->called, 0);
    g_atomic_int_set(&helped->is_free, free_now);
    blk_context_start(helped->context, helped_fiber, helped);
}

static bool
ends_without_loop(Helped *helped, VitLock *lock)
{
    gint64 end_us = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;

    vit_lock_take(lock);
    start_helped(helped, false);
    vit_lock_release(lock);
    g_atomic_int_set(&helped->is_free, 1);
    while (!g_atomic_int_get(&helped->called) && g_get_monotonic_time() < end_us) {
        g_usleep(100);
    }
    return g_atomic_int_get(&helped->called);
}

/* Nobody runs the main context: what a worker has done goes on where the lock is free. */
static void
test_helping(void)
{
    GMainContext *main_context = g_main_context_new();
    VitLock lock;
    Helped helped = { 0 };

    vit_lock_init(&lock);
    helped.context = blk_context_new(main_context, &lock, NULL);
    for (unsigned i = 0; i < 20; i++) {
        g_assert_true(ends_without_loop(&helped, &lock));
        g_assert_true(helped.ended_on != g_thread_self());
    }
    /* With the lock held the worker leaves it to the loop, or to who polls. */
    vit_lock_take(&lock);
    start_helped(&helped, true);
    while (!g_atomic_int_get(&helped.called)) {
        blk_context_poll(helped.context, 1000);
    }
    g_assert_true(helped.ended_on == g_thread_self());
    vit_lock_release(&lock);
    vit_lock_take(&lock);
    blk_context_free(helped.context);
    vit_lock_release(&lock);
    vit_lock_finish(&lock);
    g_main_context_unref(main_context);
}

/* ---- several loops ---- */

enum { LOOPS = 3, LOOP_ROUNDS = 50 };

typedef struct Looped {
    BlkContext *context;
    BlkLoop *loop;
    BlkWaitQueue *gate;
    BlkDeferred deferred;
    GThread *ended_on, *called_on;
    bool inner_ended;
    gint done; /* atomic */
} Looped;

static int
do_nothing(void *arg)
{
    return 3;
}

static void
looped_inner(void *opaque)
{
    Looped *looped = opaque;

    g_assert_true(blk_context_get_running_loop(looped->context) == looped->loop);
    looped->inner_ended = true;
}

static void
looped_call(void *opaque)
{
    Looped *looped = opaque;

    looped->called_on = g_thread_self();
    g_atomic_int_set(&looped->done, 1);
}

static void
looped_fiber(void *opaque)
{
    Looped *looped = opaque;

    if (looped->gate) {
        blk_wait(looped->context, looped->gate);
    }
    blk_context_start(looped->context, looped_inner, looped);
    blk_sleep_ns(looped->context, 1000);
    g_assert_cmpint(blk_pool_run(looped->context, do_nothing, NULL), ==, 3);
    g_assert_true(blk_context_get_running_loop(looped->context) == looped->loop);
    looped->ended_on = g_thread_self();
    looped->deferred = (BlkDeferred){ .func = looped_call, .opaque = looped };
    blk_context_defer(looped->context, &looped->deferred);
}

typedef struct LoopThread {
    GMainContext *main_context;
    GThread *thread;
    gint quit; /* atomic */
} LoopThread;

static gpointer
dispatch_loop(gpointer data)
{
    LoopThread *thread = data;

    while (!g_atomic_int_get(&thread->quit)) {
        g_main_context_iteration(thread->main_context, TRUE);
    }
    return NULL;
}

static void
start_loop_thread(LoopThread *thread)
{
    thread->main_context = g_main_context_new();
    thread->thread = g_thread_new("loop", dispatch_loop, thread);
}

static void
end_loop_thread(LoopThread *thread)
{
    g_atomic_int_set(&thread->quit, 1);
    g_main_context_wakeup(thread->main_context);
    g_thread_join(thread->thread);
}

/* What waits for another loop's fiber ends by its own thread; one that is given up while something
 * waits there ends by the context's. */
static void
test_loops(void)
{
    LoopThread threads[LOOPS] = { 0 };
    Looped looped[LOOPS] = { 0 };
    BlkLoop *loops[LOOPS];
    VitLock lock;

    vit_lock_init(&lock);
    for (unsigned n = 0; n < LOOPS; n++) {
        start_loop_thread(&threads[n]);
    }
    BlkContext *context = blk_context_new(threads[0].main_context, &lock, NULL);
    vit_lock_take(&lock);
    loops[0] = blk_context_get_loop(context);
    for (unsigned n = 1; n < LOOPS; n++) {
        loops[n] = blk_context_take_loop(context, threads[n].main_context);
        g_assert_true(loops[n] != loops[0]);
        g_assert_true(blk_context_take_loop(context, threads[n].main_context) == loops[n]);
        blk_context_put_loop(loops[n]);
    }
    g_assert_true(loops[1] != loops[2]);
    for (unsigned round = 0; round < LOOP_ROUNDS; round++) {
        BlkWaitQueue gate = { 0 };
        for (unsigned n = 0; n < LOOPS; n++) {
            looped[n] = (Looped){ .context = context, .loop = loops[n], .gate = &gate };
            blk_loop_start(loops[n], looped_fiber, &looped[n]);
        }
        if (round == LOOP_ROUNDS - 1) {
            blk_context_put_loop(loops[2]);
        }
        blk_wake_all(context, &gate);
        vit_lock_release(&lock);
        for (unsigned n = 0; n < LOOPS; n++) {
            while (!g_atomic_int_get(&looped[n].done)) {
                g_usleep(50);
            }
        }
        vit_lock_take(&lock);
        for (unsigned n = 0; n < LOOPS; n++) {
            g_assert_true(looped[n].inner_ended);
            g_assert_true(looped[n].called_on != g_thread_self());
            for (unsigned other = 0; other < LOOPS && round < LOOP_ROUNDS - 1; other++) {
                g_assert_true(other == n || looped[n].ended_on != threads[other].thread);
            }
        }
    }
    /* Who polls does the work of all. */
    for (unsigned n = 0; n < LOOPS; n++) {
        looped[n] = (Looped){ .context = context, .loop = loops[n] };
        blk_loop_start(loops[n], looped_fiber, &looped[n]);
    }
    for (unsigned n = 0; n < LOOPS; n++) {
        while (!looped[n].done) {
            blk_context_poll(context, -1);
        }
        g_assert_true(looped[n].called_on == g_thread_self());
    }
    /* The next thread gets the loop that was given up. */
    g_assert_true(blk_context_take_loop(context, threads[2].main_context) == loops[2]);
    blk_context_put_loop(loops[2]);
    blk_context_put_loop(loops[1]);
    vit_lock_release(&lock);
    for (unsigned n = 0; n < LOOPS; n++) {
        end_loop_thread(&threads[n]);
    }
    vit_lock_take(&lock);
    blk_context_free(context);
    vit_lock_release(&lock);
    for (unsigned n = 0; n < LOOPS; n++) {
        g_main_context_unref(threads[n].main_context);
    }
    vit_lock_finish(&lock);
}

/* ---- several threads ---- */

typedef struct Crowd {
    BlkContext *context;
    BlkTurns turns;
    BlkWaitQueue queue;
    unsigned guests, next, ended, waiting; /* of fibers: no locks, no atomics */
    uint64_t sum;
    gint in_turn, had_turn; /* atomic; jobs in turns that are at it, two at most, and that were */
    gint meeting;           /* atomic; jobs that are there at the same time */
    gint met;
} Crowd;

enum { CROWD_STEPS = 400 };

static int
take_turn(void *arg)
{
    Crowd *crowd = arg;

    g_assert_cmpint(g_atomic_int_add(&crowd->in_turn, 1), <, 2);
    g_thread_yield();
    g_atomic_int_add(&crowd->in_turn, -1);
    g_atomic_int_inc(&crowd->had_turn);
    return 0;
}

/* Two of these end only when they run at the same time. */
static int
meet(void *arg)
{
    Crowd *crowd = arg;
    gint64 end_us = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;

    g_atomic_int_inc(&crowd->meeting);
    while (g_atomic_int_get(&crowd->meeting) < 2 && g_get_monotonic_time() < end_us) {
        g_thread_yield();
    }
    g_atomic_int_set(&crowd->met, g_atomic_int_get(&crowd->meeting) >= 2);
    return 0;
}

static void
crowd_fiber(void *opaque)
{
    Crowd *crowd = opaque;

    if (crowd->guests < 2) {
        crowd->guests++;
        blk_pool_run_here(crowd->context, NULL, meet, crowd);
    }
    while (crowd->next < CROWD_STEPS) {
        unsigned step = crowd->next++, value = step;
        switch (step % 4) {
        case 0: blk_pool_run(crowd->context, add_one, &value); break;
        case 1: blk_pool_run_here(crowd->context, NULL, add_one, &value); break;
        case 2: blk_pool_run_here(crowd->context, &crowd->turns, take_turn, crowd); break;
        case 3:
            /* Every other one waits for the next. */
            if (crowd->waiting) {
                crowd->waiting--;
                blk_wake_first(crowd->context, &crowd->queue);
            } else if (step + 8 < CROWD_STEPS) {
                crowd->waiting++;
                blk_wait(crowd->context, &crowd->queue);
            }
            break;
        }
        crowd->sum += value;
        if (step % 50 == 49) {
            blk_sleep_ns(crowd->context, 1000);
        }
    }
    crowd->ended++;
    blk_wake_all(crowd->context, &crowd->queue);
}

static void
test_parallel(void)
{
    enum { FIBERS = 12 };
    BlkContext *context = blk_context_new(NULL, NULL, NULL);

    for (unsigned threads = 1; threads <= 4; threads++) {
        Crowd crowd = { .context = context };
        if (threads == 1) {
            crowd.meeting = 1;
        }
        blk_context_run_parallel(context, threads, crowd_fiber, &crowd, FIBERS);
        g_assert_cmpuint(crowd.ended, ==, FIBERS);
        g_assert_true(crowd.met);
        g_assert_cmpint(crowd.had_turn, ==, CROWD_STEPS / 4);
        g_assert_cmpuint(crowd.sum, ==,
                         CROWD_STEPS * (CROWD_STEPS - 1) / 2 + 2 * (CROWD_STEPS / 4));
        g_assert_false(blk_context_is_parallel(context));
    }
    blk_context_free(context);
}

/* ---- vectors ---- */

static void
test_vec(void)
{
    uint8_t memory[64], flat[64], copy[64];
    struct iovec iov[] = { { memory, 7 },      { memory + 20, 0 }, { memory + 7, 1 },
                           { memory + 8, 40 }, { memory + 48, 0 }, { memory + 48, 16 } };
    BlkVec vec = blk_vec_make(iov, VIT_ARRAY_LEN(iov));

    g_assert_cmpuint(vec.len_bytes, ==, 64);
    for (unsigned i = 0; i < 64; i++) {
        flat[i] = (uint8_t)g_test_rand_int();
    }
    for (unsigned at = 0; at <= 64; at++) {
        for (unsigned len = 0; len <= 64 - at; len++) {
            struct iovec out[VIT_ARRAY_LEN(iov)];
            memset(memory, 0xee, sizeof(memory));
            blk_vec_scatter(&vec, at, flat, len);
            blk_vec_gather(&vec, at, copy, len);
            g_assert_cmpmem(copy, len, flat, len);
            BlkVec slice = blk_vec_make(out, blk_vec_slice(&vec, at, len, out));
            g_assert_cmpuint(slice.len_bytes, ==, len);
            blk_vec_fill(&vec, at, len, 0);
            g_assert_true(blk_vec_is_zero(&vec, at, len));
            if (len > 0) {
                memory[at + len / 2] = 1;
                g_assert_false(blk_vec_is_zero(&vec, at, len));
                g_assert_cmpint(memory[at ? at - 1 : 63], !=, 1);
            }
        }
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/context/many-fibers", test_many);
    g_test_add_func("/block/context/pool", test_pool);
    g_test_add_func("/block/context/pool-threads", test_pool_threads);
    g_test_add_func("/block/context/sleep", test_sleep);
    g_test_add_func("/block/context/two-threads", test_two_threads);
    g_test_add_func("/block/context/deferred", test_deferred);
    g_test_add_func("/block/context/ranges", test_ranges);
    g_test_add_func("/block/context/helping", test_helping);
    g_test_add_func("/block/context/loops", test_loops);
    g_test_add_func("/block/context/parallel", test_parallel);
    g_test_add_func("/block/context/vectors", test_vec);
    return g_test_run();
}
