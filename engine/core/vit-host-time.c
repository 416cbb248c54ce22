/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The host's monotonic time as lines of its time stamp counter: vit-host-time.h.
 *
 * Only where the host's kernel keeps its own time by that counter: it then has seen to it that all
 * its CPUs agree and that the rate is constant. The rate is measured against CLOCK_MONOTONIC over
 * ten seconds or more (over 10 ms at first). A line begins where the one before it leads to, and
 * leans a little to meet the clock at its end; only after a long time without a reader it begins on
 * the clock itself, and never below what the one before it can have told.
 *
 * The line is guarded by a sequence counter; whoever makes the next one holds the mutex. */

#include "vit-host-time.h"

#include <glib.h>
#include <time.h>

#define CALIBRATE_NS (10 * VIT_NS_PER_MS)
#define BASELINE_NS  (10 * VIT_NS_PER_SEC)

enum {
    SAMPLES = 5,
    GAP_LINES = 4,      /* as far behind a line's end it is followed on */
    STEP_NS = 20000,    /* off by more than that: a new line begins on the clock */
    LEAN_PER_MILLE = 1, /* at most */
};

typedef struct Sample {
    uint64_t tsc;
    int64_t ns;
} Sample;

struct VitHostTime {
    _Atomic bool usable;
    int64_t measured_ns;    /* from then on there can be a rate */
    GMutex mutex;           /* of the next line and what is measured */
    Sample anchor, younger; /* what the rate is measured from: the one, and its successor */
    double ns_per_tick;
    _Atomic uint32_t sequence; /* odd while the line changes */
    _Atomic uint64_t start, scale;
    _Atomic int64_t start_ns;
};

static uint64_t
read_tsc(void)
{
#if defined(__x86_64__)
    uint32_t low, high;

    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
#else
    return 0;
#endif
}

static int64_t
monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * VIT_NS_PER_SEC + now.tv_nsec;
}

/* Whether the host's kernel goes by the counter. */
static bool
host_trusts_tsc(void)
{
#if defined(__x86_64__)
    g_autofree char *name = NULL;

    return g_file_get_contents("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                               &name, NULL, NULL) &&
           g_str_equal(g_strstrip(name), "tsc");
#else
    return false;
#endif
}

/* Both at one time. The counter is read first: a line from here is rather ahead of the clock than
 * behind it, by what it takes to read it. */
static Sample
sample(void)
{
    Sample best = { 0 };
    uint64_t shortest = UINT64_MAX;

    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t before = read_tsc();
        int64_t ns = monotonic_ns();
        uint64_t width = read_tsc() - before;

        if (width < shortest) {
            shortest = width;
            best = (Sample){ before, ns };
        }
    }
    return best;
}

VitHostTime *
vit_host_time_new(void)
{
    VitHostTime *time = g_new0(VitHostTime, 1);

    g_mutex_init(&time->mutex);
    time->usable = host_trusts_tsc();
    time->anchor = time->younger = sample();
    time->measured_ns = time->anchor.ns + CALIBRATE_NS;
    return time;
}

void
vit_host_time_free(VitHostTime *time)
{
    if (time) {
        g_mutex_clear(&time->mutex);
        g_free(time);
    }
}

/* ---- Reading ---- */

static bool
is_good_at(const VitTscLine *line, uint64_t tsc)
{
    return line->scale && (tsc - line->start) >> VIT_TSC_LINE_BITS == 0;
}

static int64_t
ns_at(const VitTscLine *line, uint64_t tsc)
{
    return line->start_ns + (int64_t)((unsigned __int128)(tsc - line->start) * line->scale >> 64);
}

static VitTscLine
read_line(const VitHostTime *time)
{
    VitTscLine line;
    uint32_t before;

    do {
        before = time->sequence;
        line = (VitTscLine){ time->start, time->scale, time->start_ns };
    } while ((before & 1) || before != time->sequence);
    return line;
}

/* ---- The next line ---- */

static void
set_line(VitHostTime *time, const VitTscLine *line)
{
    time->sequence++;
    time->start = line->start;
    time->scale = line->scale;
    time->start_ns = line->start_ns;
    time->sequence++;
}

/* False: there is no rate. */
static bool
measure_rate(VitHostTime *time, Sample now)
{
    double ticks = (double)(now.tsc - time->anchor.tsc), ns = (double)(now.ns - time->anchor.ns);
    double rate = ns / ticks;
    bool known = time->ns_per_tick > 0;

    if (now.ns - time->anchor.ns < CALIBRATE_NS) {
        return known;
    }
    if (!(ticks > 0 && rate < 1 && rate > 0.05) ||
        (known && ABS(rate / time->ns_per_tick - 1) > 0.01)) {
        time->anchor = time->younger = now; /* the host was asleep */
        time->usable = known;
        return known;
    }
    time->ns_per_tick = rate;
    if (now.ns - time->younger.ns > BASELINE_NS) {
        time->anchor = time->younger;
        time->younger = now;
    }
    return true;
}

/* Where the line that is over leads to at NOW, and how it is to lean from there. */
static VitTscLine
follow(const VitHostTime *time, const VitTscLine *over, Sample now)
{
    const uint64_t range = UINT64_C(1) << VIT_TSC_LINE_BITS;
    double range_ns = (double)range * time->ns_per_tick, lean = 0;
    VitTscLine line = { .start = now.tsc, .start_ns = now.ns };

    if (over->scale) {
        bool near = now.tsc - over->start < GAP_LINES * range;
        int64_t led_to = near ? ns_at(over, now.tsc) : 0;
        int64_t end_ns = ns_at(over, over->start + range);

        line.start_ns = near && ABS(led_to - now.ns) < STEP_NS ? led_to : MAX(now.ns, end_ns);
        lean = CLAMP((double)(now.ns - line.start_ns) / range_ns, -LEAN_PER_MILLE / 1000.0,
                     LEAN_PER_MILLE / 1000.0);
    }
    line.scale = (uint64_t)(time->ns_per_tick * (1 + lean) * 0x1p64);
    return line;
}

/* The time, from a new line where there can be one. */
static int64_t
go_on(VitHostTime *time)
{
    VitTscLine line;
    Sample now;

    g_mutex_lock(&time->mutex);
    line = read_line(time);
    now = sample();
    if (!is_good_at(&line, now.tsc)) { /* else somebody was faster */
        if (!measure_rate(time, now)) {
            g_mutex_unlock(&time->mutex);
            return now.ns;
        }
        line = follow(time, &line, now);
        set_line(time, &line);
    }
    g_mutex_unlock(&time->mutex);
    return ns_at(&line, now.tsc);
}

int64_t
vit_host_time_ns(VitHostTime *time)
{
    VitTscLine line;
    uint64_t tsc;

    if (!time->usable) {
        return monotonic_ns();
    }
    line = read_line(time);
    if (G_UNLIKELY(line.scale == 0)) {
        int64_t now = monotonic_ns();
        return now < time->measured_ns ? now : go_on(time);
    }
    tsc = read_tsc();
    return G_LIKELY(is_good_at(&line, tsc)) ? ns_at(&line, tsc) : go_on(time);
}

bool
vit_host_time_line(VitHostTime *time, VitTscLine *out_line)
{
    if (!time->usable) {
        return false;
    }
    vit_host_time_ns(time); /* makes the next one where it is over */
    *out_line = read_line(time);
    return out_line->scale != 0;
}
