/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Time. Every device and executor reads time here and nowhere else, so that pause, stepped test
 * time, icount and replay enter at one gate.
 *
 * The virtual clock counts nanoseconds of guest time: it starts at 0 and stands still while the
 * machine is paused. The host clock is monotonic and always runs. Wall time is what -rtc asks for.
 *
 * Thread: reading from any thread; timers with the device lock held. Timer callbacks run on the
 * machine thread with the device lock held. */

#include "vit-host-time.h"
#include "vit-lock.h"
#include "vit-types.h"

typedef enum VitClockMode {
    VIT_CLOCK_REALTIME, /* virtual time follows the host while running */
    VIT_CLOCK_STEPPED,  /* moves only by vit_clock_step (qtest, unit tests) */
    VIT_CLOCK_COUNTED,  /* what the CPUs have executed, plus vit_clock_advance() (-icount) */
} VitClockMode;

typedef void (*VitTimerFunc)(void *opaque);

/* Embedded in its device. Zero-initialised = unarmed; init before use. */
struct VitTimer {
    VitClock *clock;
    VitTimerFunc func;
    void *opaque;
    int64_t deadline_ns; /* virtual; meaningful while armed */
    int64_t grace_ns;    /* the machine thread comes so much later: vit_timer_set_grace() */
    unsigned heap_index; /* 1-based while armed, 0 unarmed */
};

VitClock *vit_clock_new(VitLock *device_lock, VitClockMode mode);
void vit_clock_free(VitClock *clock);
int64_t vit_clock_get_ns(const VitClock *clock);
int64_t vit_clock_host_ns(const VitClock *clock);
/* Ticks of an oscillator of HZ since virtual time 0, exact (128-bit arithmetic). */
uint64_t vit_clock_ticks(const VitClock *clock, uint64_t hz);
/* The same nanoseconds for who reads the host's counter himself; the line is good until the clock
 * is paused or set. False: it does not run, or does not follow the host. */
bool vit_clock_line(const VitClock *clock, VitTscLine *out_line);
/* Seconds and nanoseconds of guest wall time (UTC unless -rtc base=localtime). */
void vit_clock_get_wall(const VitClock *clock, int64_t *out_sec, int64_t *out_ns);
/* Wall time at virtual time 0; follow_host = clock=host of -rtc. */
void vit_clock_set_wall_base(VitClock *clock, int64_t sec, bool follow_host);
void vit_clock_pause(VitClock *clock);
void vit_clock_resume(VitClock *clock);
bool vit_clock_is_running(const VitClock *clock);
/* STEPPED: advance to ABSOLUTE time, running due timers in order with time at each deadline. */
void vit_clock_step_to(VitClock *clock, int64_t virtual_ns);
/* COUNTED: the counted part, in nanoseconds; called by any thread. Set once. */
void vit_clock_set_count(VitClock *clock, int64_t (*count_ns)(void *opaque), void *opaque);
/* COUNTED: moves on while nothing is executed. */
void vit_clock_advance(VitClock *clock, int64_t ns);
/* COUNTED: runs what is due, on the thread that counts. Device lock held. */
void vit_clock_run_counted(VitClock *clock);
/* For restore. */
void vit_clock_set_ns(VitClock *clock, int64_t virtual_ns);

void vit_timer_init(VitTimer *timer, VitClock *clock, VitTimerFunc func, void *opaque);
/* (Re)arms at an absolute virtual time; past times fire at the next dispatch. */
void vit_timer_mod(VitTimer *timer, int64_t deadline_ns);
void vit_timer_del(VitTimer *timer);
bool vit_timer_is_armed(const VitTimer *timer);
/* In REALTIME the machine thread comes to an unarmed TIMER so much later than its deadline. Who
 * sleeps until then, mostly, runs it by vit_timer_run_if_due(), and the two do not meet. */
void vit_timer_set_grace(VitTimer *timer, int64_t grace_ns);
/* Runs TIMER now when its time has come and the machine thread has not come to it yet. A device
 * calls this before it works out a new deadline from the time: on a busy host the old one may lie
 * in the past with its interrupt still owed. */
void vit_timer_run_if_due(VitTimer *timer);

/* For the machine thread: next deadline with its grace, or -1; run what is due. */
int64_t vit_clock_next_deadline_ns(const VitClock *clock);
void vit_clock_run_timers(VitClock *clock);
/* Called (lock held) to wake the machine thread: the earliest deadline has moved before what it
 * waits for, or time was set. */
void vit_clock_set_wake(VitClock *clock, void (*wake)(void *opaque), void *opaque);
/* It will look at timers again at this virtual time, whatever happens; INT64_MIN: before it sleeps.
 * Until this is called, it has to be woken each time. Lock held. */
void vit_clock_set_waits_until(VitClock *clock, int64_t until_ns);
