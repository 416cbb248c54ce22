/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Local APIC: the timer, 1 GHz before its divider. Intel SDM volume 3, "APIC timer" and
 * "TSC-deadline mode". A periodic count below PC_TIMER_MIN_PERIOD_NS coalesces.
 * Thread: device lock held. */

#include "pc/lapic-private.h"
#include "pc/pc-time.h"

unsigned
lapic_divide_shift(const Lapic *s)
{
    /* bits 3, 1, 0 count from divide-by-2; 111 is divide-by-1 */
    return (((s->divide & 3) | (s->divide >> 1 & 4)) + 1) & 7;
}

static uint32_t
count_at(const Lapic *s, int64_t now)
{
    uint64_t passed;

    if (s->initial_count == 0 || lapic_timer_mode(s) == TIMER_DEADLINE) {
        return 0;
    }
    passed = (now - s->timer_start_ns) >> lapic_divide_shift(s);
    if (lapic_timer_mode(s) == TIMER_PERIODIC) {
        return s->initial_count - passed % s->initial_count;
    }
    return passed >= s->initial_count ? 0 : s->initial_count - passed;
}

uint32_t
lapic_current_count(const Lapic *s)
{
    return count_at(s, vit_clock_get_ns(s->dev.platform->clock));
}

/* Arms for the first expiry after NOW, in the count-down modes. NOW is the time the caller worked
 * with: time read again could lie past the expiry, which would then be lost. */
void
lapic_arm_timer(Lapic *s, int64_t now, int64_t not_before_ns)
{
    int64_t period = (int64_t)s->initial_count << lapic_divide_shift(s);
    int64_t passed = now - s->timer_start_ns;
    int64_t next;

    if (lapic_timer_mode(s) == TIMER_DEADLINE) {
        return;
    }
    if (period == 0 || (lapic_timer_mode(s) != TIMER_PERIODIC && passed >= period)) {
        vit_timer_del(&s->timer);
        return;
    }
    next = s->timer_start_ns +
           (lapic_timer_mode(s) == TIMER_PERIODIC ? (passed / period + 1) * period : period);
    vit_timer_mod(&s->timer, MAX(next, not_before_ns));
}

void
lapic_timer_expired(void *opaque)
{
    Lapic *s = opaque;

    if (lapic_timer_mode(s) == TIMER_DEADLINE) {
        s->tsc_deadline = 0;
    } else if (lapic_timer_mode(s) == TIMER_PERIODIC) {
        int64_t now = vit_clock_get_ns(s->dev.platform->clock);

        lapic_arm_timer(s, now, now + PC_TIMER_MIN_PERIOD_NS);
    }
    lapic_trigger_lvt(s, LVT_TIMER);
}

void
lapic_write_initial_count(Lapic *s, uint32_t value)
{
    if (lapic_timer_mode(s) == TIMER_DEADLINE) {
        return;
    }
    vit_timer_run_if_due(&s->timer);
    s->initial_count = value;
    s->timer_start_ns = vit_clock_get_ns(s->dev.platform->clock);
    lapic_arm_timer(s, s->timer_start_ns, 0);
}

void
lapic_write_divide(Lapic *s, uint32_t value)
{
    int64_t now;
    uint32_t left;

    vit_timer_run_if_due(&s->timer);
    now = vit_clock_get_ns(s->dev.platform->clock);
    left = count_at(s, now);
    s->divide = value & 0xb;
    /* what is left goes on at the new rate */
    s->timer_start_ns = now - ((int64_t)(s->initial_count - left) << lapic_divide_shift(s));
    if (left) {
        lapic_arm_timer(s, now, 0);
    }
}

uint64_t
lapic_get_tsc_deadline(void *opaque)
{
    return ((Lapic *)opaque)->tsc_deadline;
}

void
lapic_set_tsc_deadline(void *opaque, uint64_t tsc, int64_t deadline_ns)
{
    Lapic *s = opaque;

    if (lapic_timer_mode(s) != TIMER_DEADLINE) {
        return;
    }
    s->tsc_deadline = tsc;
    if (tsc == 0) {
        vit_timer_del(&s->timer);
    } else if (deadline_ns <= vit_clock_get_ns(s->dev.platform->clock)) {
        vit_timer_del(&s->timer);
        lapic_timer_expired(s);
    } else {
        vit_timer_mod(&s->timer, deadline_ns);
    }
}
