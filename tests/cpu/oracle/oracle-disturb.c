/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What a busy host does to the thread that runs translated code, on purpose and often: signals in
 * the middle of a block, and other programs on the same CPU, with x87 and vector registers of their
 * own. --disturb asks for it; how often it came is told in any case. Linux: timer_create(2),
 * sched_setaffinity(2), getrusage(2). Thread: the judged one, and one of its own. */

#include "oracle.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t signals;
static unsigned period_us;

static void
on_signal(int number)
{
    (void)number;
    signals++;
}

/* Sleeps for almost all of the time; when it wakes the judged thread makes way. */
static gpointer
make_way(gpointer opaque)
{
    volatile long double root = 2;
    volatile double sum = 0;
    struct timespec pause = { 0, (long)period_us * 1000 };

    (void)opaque;
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), -10); /* where that is allowed */
    for (;;) {
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        root = 1 + 1 / root;
        sum = sum + (double)root;
    }
    return NULL;
}

bool
oracle_disturb_start(unsigned every_us)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 3 };
    struct itimerspec every = { { 0, (long)every_us * 1000 }, { 0, (long)every_us * 1000 } };
    cpu_set_t here;
    timer_t timer;

    period_us = every_us;
    CPU_ZERO(&here);
    CPU_SET((unsigned)sched_getcpu(), &here);
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    if (sched_setaffinity(0, sizeof(here), &here) != 0 ||
        sigaction(event.sigev_signo, &action, NULL) != 0 ||
        timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &every, NULL) != 0) {
        return false;
    }
    g_thread_unref(g_thread_new("make way", make_way, NULL)); /* which is on this CPU as well */
    return true;
}

OracleDisturbed
oracle_disturbed(void)
{
    OracleDisturbed all = { .signals = (uint64_t)signals };
    struct rusage usage;

    if (getrusage(RUSAGE_THREAD, &usage) == 0) {
        all.switches = (uint64_t)(usage.ru_nvcsw + usage.ru_nivcsw);
    }
    return all;
}
