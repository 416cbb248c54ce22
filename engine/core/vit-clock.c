/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The clock and its timers: a binary heap ordered by deadline, one per machine.
 *
 * Virtual time is the host's monotonic time (vit-host-time.c) plus an offset while running, and
 * frozen_ns while paused or stepped. Both are read by vCPU threads without the lock, so the pair is
 * guarded by a sequence counter: a reader retries when a pause or resume came between. */

#include "vit-clock.h"

#include <time.h>

struct VitClock {
    VitLock *lock;
    VitClockMode mode;
    VitHostTime *host;
    _Atomic uint32_t sequence; /* odd while a writer changes the next three */
    _Atomic bool running;
    _Atomic int64_t offset_ns; /* virtual = host + offset, while running */
    _Atomic int64_t frozen_ns; /* virtual, while not running */
    int64_t wall_base_sec;
    int64_t wall_offset_ns; /* wall = host real time + offset, with follow_host */
    bool follow_host;
    int64_t (*count_ns)(void *opaque); /* COUNTED */
    void *count_opaque;
    GPtrArray *heap; /* VitTimer*, heap[0] is the earliest */
    int64_t waits_until_ns;
    void (*wake)(void *opaque);
    void *wake_opaque;
};

static int64_t
host_clock_ns(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return now.tv_sec * VIT_NS_PER_SEC + now.tv_nsec;
}

VitClock *
vit_clock_new(VitLock *device_lock, VitClockMode mode)
{
    VitClock *clock = g_new0(VitClock, 1);

    clock->lock = device_lock;
    clock->mode = mode;
    clock->host = vit_host_time_new();
    clock->heap = g_ptr_array_new();
    clock->waits_until_ns = INT64_MAX;
    vit_clock_set_wall_base(clock, host_clock_ns(CLOCK_REALTIME) / VIT_NS_PER_SEC, true);
    return clock;
}

void
vit_clock_free(VitClock *clock)
{
    if (!clock) {
        return;
    }
    g_ptr_array_unref(clock->heap);
    vit_host_time_free(clock->host);
    g_free(clock);
}

/* ---- Reading ---- */

int64_t
vit_clock_host_ns(const VitClock *clock)
{
    return host_clock_ns(CLOCK_MONOTONIC);
}

int64_t
vit_clock_get_ns(const VitClock *clock)
{
    uint32_t before;
    int64_t now;

    if (clock->count_ns) {
        return clock->frozen_ns + clock->count_ns(clock->count_opaque);
    }
    do {
        before = clock->sequence;
        now = clock->running ? vit_host_time_ns(clock->host) + clock->offset_ns : clock->frozen_ns;
    } while ((before & 1) || before != clock->sequence);
    return now;
}

bool
vit_clock_line(const VitClock *clock, VitTscLine *out_line)
{
    uint32_t before = clock->sequence;
    int64_t offset_ns = clock->offset_ns;
    bool good = clock->running && !clock->count_ns;

    if (!good || (before & 1) || before != clock->sequence ||
        !vit_host_time_line(clock->host, out_line)) {
        return false;
    }
    out_line->start_ns += offset_ns;
    return true;
}

uint64_t
vit_clock_ticks(const VitClock *clock, uint64_t hz)
{
    if (hz == VIT_NS_PER_SEC) {
        return (uint64_t)vit_clock_get_ns(clock);
    }
    return (unsigned __int128)vit_clock_get_ns(clock) * hz / VIT_NS_PER_SEC;
}

void
vit_clock_get_wall(const VitClock *clock, int64_t *out_sec, int64_t *out_ns)
{
    int64_t now;

    if (clock->follow_host && clock->mode == VIT_CLOCK_REALTIME) {
        now = host_clock_ns(CLOCK_REALTIME) + clock->wall_offset_ns;
    } else {
        now = clock->wall_base_sec * VIT_NS_PER_SEC + vit_clock_get_ns(clock);
    }
    *out_sec = now / VIT_NS_PER_SEC;
    *out_ns = now % VIT_NS_PER_SEC;
}

void
vit_clock_set_wall_base(VitClock *clock, int64_t sec, bool follow_host)
{
    clock->wall_base_sec = sec;
    clock->follow_host = follow_host;
    clock->wall_offset_ns = (sec - host_clock_ns(CLOCK_REALTIME) / VIT_NS_PER_SEC) * VIT_NS_PER_SEC;
}

bool
vit_clock_is_running(const VitClock *clock)
{
    return clock->running;
}

/* ---- Pause and set ---- */

static void
clock_set(VitClock *clock, bool running, int64_t virtual_ns)
{
    clock->sequence++;
    clock->running = running;
    clock->frozen_ns = virtual_ns;
    clock->offset_ns = virtual_ns - vit_host_time_ns(clock->host);
    clock->sequence++;
    if (clock->wake) {
        clock->wake(clock->wake_opaque);
    }
}

void
vit_clock_pause(VitClock *clock)
{
    if (clock->running) {
        clock_set(clock, false, vit_clock_get_ns(clock));
    }
}

void
vit_clock_resume(VitClock *clock)
{
    if (!clock->running && clock->mode == VIT_CLOCK_REALTIME) {
        clock_set(clock, true, clock->frozen_ns);
    }
}

void
vit_clock_set_ns(VitClock *clock, int64_t virtual_ns)
{
    clock_set(clock, clock->running, virtual_ns);
}

void
vit_clock_set_count(VitClock *clock, int64_t (*count_ns)(void *opaque), void *opaque)
{
    clock->count_opaque = opaque;
    clock->count_ns = count_ns;
}

void
vit_clock_advance(VitClock *clock, int64_t ns)
{
    clock->frozen_ns += ns;
}

/* ---- Timer heap ---- */

static VitTimer *
heap_at(const VitClock *clock, unsigned index)
{
    return clock->heap->pdata[index - 1];
}

static void
heap_put(VitClock *clock, unsigned index, VitTimer *timer)
{
    clock->heap->pdata[index - 1] = timer;
    timer->heap_index = index;
}

/* When the machine thread is to come to it. */
static int64_t
due_ns(const VitTimer *timer)
{
    return timer->deadline_ns + timer->grace_ns;
}

static void
heap_sift_up(VitClock *clock, VitTimer *timer)
{
    unsigned at = timer->heap_index;

    while (at > 1 && due_ns(heap_at(clock, at / 2)) > due_ns(timer)) {
        heap_put(clock, at, heap_at(clock, at / 2));
        at /= 2;
    }
    heap_put(clock, at, timer);
}

static void
heap_sift_down(VitClock *clock, VitTimer *timer)
{
    unsigned at = timer->heap_index;

    for (;;) {
        unsigned child = at * 2;

        if (child > clock->heap->len) {
            break;
        }
        if (child < clock->heap->len &&
            due_ns(heap_at(clock, child + 1)) < due_ns(heap_at(clock, child))) {
            child++;
        }
        if (due_ns(heap_at(clock, child)) >= due_ns(timer)) {
            break;
        }
        heap_put(clock, at, heap_at(clock, child));
        at = child;
    }
    heap_put(clock, at, timer);
}

void
vit_timer_init(VitTimer *timer, VitClock *clock, VitTimerFunc func, void *opaque)
{
    *timer = (VitTimer){ .clock = clock, .func = func, .opaque = opaque };
}

void
vit_timer_set_grace(VitTimer *timer, int64_t grace_ns)
{
    timer->grace_ns = timer->clock->mode == VIT_CLOCK_REALTIME ? grace_ns : 0;
}

bool
vit_timer_is_armed(const VitTimer *timer)
{
    return timer->heap_index != 0;
}

void
vit_timer_del(VitTimer *timer)
{
    VitClock *clock = timer->clock;
    unsigned at = timer->heap_index;
    VitTimer *moved;

    if (at == 0) {
        return;
    }
    moved = heap_at(clock, clock->heap->len);
    g_ptr_array_set_size(clock->heap, clock->heap->len - 1);
    timer->heap_index = 0;
    if (moved != timer) {
        heap_put(clock, at, moved);
        heap_sift_up(clock, moved);
        heap_sift_down(clock, moved);
    }
}

void
vit_timer_mod(VitTimer *timer, int64_t deadline_ns)
{
    VitClock *clock = timer->clock;

    vit_timer_del(timer);
    timer->deadline_ns = MIN(deadline_ns, INT64_MAX - timer->grace_ns);
    g_ptr_array_add(clock->heap, timer);
    timer->heap_index = clock->heap->len;
    heap_sift_up(clock, timer);
    if (timer->heap_index == 1 && due_ns(timer) < clock->waits_until_ns && clock->wake) {
        clock->wake(clock->wake_opaque);
    }
}

void
vit_timer_run_if_due(VitTimer *timer)
{
    if (vit_timer_is_armed(timer) && timer->deadline_ns <= vit_clock_get_ns(timer->clock)) {
        vit_timer_del(timer);
        timer->func(timer->opaque);
    }
}

int64_t
vit_clock_next_deadline_ns(const VitClock *clock)
{
    return clock->heap->len ? due_ns(heap_at(clock, 1)) : -1;
}

/* Fires what is due at NOW. A callback that rearms itself in the past is fired in the next round
 * of the caller, not in this one, so that it cannot hold the thread. */
static void
run_due(VitClock *clock, int64_t now_ns)
{
    unsigned budget = clock->heap->len;

    while (budget-- > 0 && clock->heap->len > 0) {
        VitTimer *timer = heap_at(clock, 1);

        if (due_ns(timer) > now_ns) {
            break;
        }
        vit_timer_del(timer);
        timer->func(timer->opaque);
    }
}

void
vit_clock_run_timers(VitClock *clock)
{
    if (clock->running) {
        run_due(clock, vit_clock_get_ns(clock));
    }
}

void
vit_clock_run_counted(VitClock *clock)
{
    run_due(clock, vit_clock_get_ns(clock));
}

void
vit_clock_step_to(VitClock *clock, int64_t virtual_ns)
{
    int64_t next;

    while ((next = vit_clock_next_deadline_ns(clock)) >= 0 && next <= virtual_ns) {
        VitTimer *timer = heap_at(clock, 1);

        if (next > clock->frozen_ns) {
            clock->frozen_ns = next;
        }
        vit_timer_del(timer);
        timer->func(timer->opaque);
    }
    if (virtual_ns > clock->frozen_ns) {
        clock->frozen_ns = virtual_ns;
    }
}

void
vit_clock_set_wake(VitClock *clock, void (*wake)(void *opaque), void *opaque)
{
    clock->wake = wake;
    clock->wake_opaque = opaque;
}

void
vit_clock_set_waits_until(VitClock *clock, int64_t until_ns)
{
    clock->waits_until_ns = until_ns;
}
