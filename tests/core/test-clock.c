/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The clock that follows the host, and the host's time by its time stamp counter: never back, on
 * several threads, and where CLOCK_MONOTONIC is. */

#include <glib.h>
#include <time.h>

#include "vit-clock.h"

enum { THREADS = 3, FAR_US = 300 };

static int64_t
monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * VIT_NS_PER_SEC + now.tv_nsec;
}

static void
test_near(void)
{
    VitHostTime *host = vit_host_time_new();
    int64_t until = monotonic_ns() + 250 * VIT_NS_PER_MS;

    while (monotonic_ns() < until) { /* over several lines */
        int64_t before = monotonic_ns(), ns = vit_host_time_ns(host), after = monotonic_ns();

        g_assert_cmpint(ns, >=, before - FAR_US * VIT_NS_PER_US);
        g_assert_cmpint(ns, <=, after + FAR_US * VIT_NS_PER_US);
    }
    g_usleep(600000); /* a gap of more than any number of lines that is followed */
    for (unsigned i = 0; i < 100; i++) {
        int64_t before = monotonic_ns(), ns = vit_host_time_ns(host), after = monotonic_ns();

        g_assert_cmpint(ns, >=, before - FAR_US * VIT_NS_PER_US);
        g_assert_cmpint(ns, <=, after + FAR_US * VIT_NS_PER_US);
    }
    vit_host_time_free(host);
}

typedef struct Shared {
    VitHostTime *host;
    int64_t last; /* atomic: somebody has read that */
    bool stop;
} Shared;

static gpointer
read_time(gpointer data)
{
    Shared *shared = data;
    unsigned back = 0;

    while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
        int64_t last = __atomic_load_n(&shared->last, __ATOMIC_SEQ_CST);
        int64_t now = vit_host_time_ns(shared->host);

        back += now < last;
        while (now > last && !__atomic_compare_exchange_n(&shared->last, &last, now, false,
                                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        }
    }
    return GUINT_TO_POINTER(back);
}

static void
test_forward(void)
{
    Shared shared = { .host = vit_host_time_new() };
    GThread *threads[THREADS];
    unsigned back = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        threads[i] = g_thread_new("reader", read_time, &shared);
    }
    g_usleep(300000);
    __atomic_store_n(&shared.stop, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < THREADS; i++) {
        back += GPOINTER_TO_UINT(g_thread_join(threads[i]));
    }
    g_assert_cmpuint(back, ==, 0);
    vit_host_time_free(shared.host);
}

/* Lines that follow each other: by the counter of the second, the first does not lead beyond it. */
static void
test_lines(void)
{
    VitHostTime *host = vit_host_time_new();
    VitTscLine line, next;

    g_usleep(12000);
    if (!vit_host_time_line(host, &line)) {
        g_test_skip("this host does not keep its time by the time stamp counter");
        vit_host_time_free(host);
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        do {
            g_usleep(5000);
            g_assert_true(vit_host_time_line(host, &next));
        } while (next.start == line.start);
        g_assert_cmpuint(next.start - line.start, >=, UINT64_C(1) << VIT_TSC_LINE_BITS);
        g_assert_cmpint(next.start_ns, >=,
                        line.start_ns +
                            (int64_t)((unsigned __int128)line.scale >> (64 - VIT_TSC_LINE_BITS)));
        line = next;
    }
    vit_host_time_free(host);
}

/* A clock that stands still or is stepped has no line; one that was set has another. */
static void
test_clock_line(void)
{
    VitLock lock;
    VitClock *clock, *stepped;
    VitTscLine line, set;

    vit_lock_init(&lock);
    clock = vit_clock_new(&lock, VIT_CLOCK_REALTIME);
    stepped = vit_clock_new(&lock, VIT_CLOCK_STEPPED);
    g_usleep(12000);
    vit_clock_resume(stepped);
    g_assert_false(vit_clock_line(stepped, &line));
    g_assert_false(vit_clock_line(clock, &line));
    vit_clock_resume(clock);
    if (vit_clock_line(clock, &line)) {
        vit_clock_pause(clock);
        g_assert_false(vit_clock_line(clock, &set));
        vit_clock_set_ns(clock, VIT_NS_PER_SEC * 5000);
        vit_clock_resume(clock);
        g_assert_true(vit_clock_line(clock, &set));
        g_assert_cmpint(set.start_ns - line.start_ns, >, VIT_NS_PER_SEC * 4900);
    }
    vit_clock_free(clock);
    vit_clock_free(stepped);
    vit_lock_finish(&lock);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clock/near", test_near);
    g_test_add_func("/clock/forward", test_forward);
    g_test_add_func("/clock/lines", test_lines);
    g_test_add_func("/clock/line", test_clock_line);
    return g_test_run();
}
