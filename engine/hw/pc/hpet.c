/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* High precision event timer at 0xfed00000: a 64-bit counter of 100 MHz and three comparators.
 * IA-PC HPET specification 1.0a, "Register model definitions". Input 0 is the 8254's OUT0 and input
 * 1 the real-time clock's interrupt: they pass through to outputs 0 and 8 unless legacy replacement
 * routes timers 0 and 1 there. Output n is global interrupt n.
 *
 * A comparator that is written behind the counter fires at once instead of a wrap later: the guest
 * meant the near future and was held up. Periods below PC_TIMER_MIN_PERIOD_NS coalesce.
 *
 * Thread: device lock held. */

#include "pc/pc-time.h"
#include "vit-device.h"

#define HPET_BASE      0xfed00000
#define HPET_LEN       0x400
#define HPET_PERIOD_FS 10000000ull
#define NS_PER_TICK    10

enum { AT_CAPABILITIES = 0x000, AT_CONFIG = 0x010, AT_STATUS = 0x020, AT_COUNTER = 0x0f0 };
enum { AT_TIMERS = 0x100, TIMER_STRIDE = 0x20, TIMER_CONFIG = 0, TIMER_CMP = 8, TIMER_FSB = 16 };

#define CAP_REVISION       0x01ull
#define CAP_64BIT          (1ull << 13)
#define CAP_LEGACY         (1ull << 15)
#define CAP_VENDOR         0x8086ull
#define CONFIG_ENABLE      1ull
#define CONFIG_LEGACY      2ull
#define TN_LEVEL           (1ull << 1)
#define TN_ENABLE          (1ull << 2)
#define TN_PERIODIC        (1ull << 3)
#define TN_PERIODIC_CAP    (1ull << 4)
#define TN_SIZE_CAP        (1ull << 5)
#define TN_SETVAL          (1ull << 6)
#define TN_32BIT           (1ull << 8)
#define TN_ROUTE_SHIFT     9
#define TN_FSB_ENABLE      (1ull << 14)
#define TN_FSB_CAP         (1ull << 15)
#define TN_WRITABLE        0x3f4eull
#define HPET_MAX_TIMERS    32
#define HPET_INTERRUPTS    32
#define LEGACY_TIMER0_LINE 0
#define LEGACY_TIMER1_LINE 8

typedef struct Hpet Hpet;

typedef struct HpetTimer {
    uint64_t config, cmp, period, fsb;
    VitTimer timer;
    Hpet *owner;
    uint32_t number;
} HpetTimer;

struct Hpet {
    VitDevice dev;
    /* properties */
    uint8_t timer_count;
    bool has_fsb;
    uint32_t route_cap;

    uint64_t config, status;
    uint64_t counter; /* while stopped */
    uint64_t offset;  /* while running: counter = clock ticks + offset */
    bool legacy_in[2];
    HpetTimer timers[HPET_MAX_TIMERS];
    VitRegion window;
};

VIT_DEVICE_LAYOUT(Hpet)

static uint64_t
clock_ticks(const Hpet *s)
{
    return vit_clock_get_ns(s->dev.platform->clock) / NS_PER_TICK;
}

static uint64_t
counter_now(const Hpet *s)
{
    return s->config & CONFIG_ENABLE ? clock_ticks(s) + s->offset : s->counter;
}

static bool
is_legacy(const Hpet *s)
{
    return s->config & CONFIG_LEGACY;
}

static uint64_t
size_mask(const HpetTimer *t)
{
    return t->config & TN_32BIT ? UINT32_MAX : UINT64_MAX;
}

/* ---- Interrupts ---- */

static unsigned
timer_line(const Hpet *s, unsigned n)
{
    if (is_legacy(s) && n < 2) {
        return n == 0 ? LEGACY_TIMER0_LINE : LEGACY_TIMER1_LINE;
    }
    return s->timers[n].config >> TN_ROUTE_SHIFT & (HPET_INTERRUPTS - 1);
}

static void
raise_timer(Hpet *s, unsigned n)
{
    HpetTimer *t = &s->timers[n];

    if (!(t->config & TN_ENABLE)) {
        return;
    }
    if (t->config & TN_LEVEL) {
        s->status |= 1ull << n;
    }
    if (t->config & TN_FSB_ENABLE) {
        vit_dma_write32(s->dev.platform->memory, t->fsb >> 32, t->fsb);
    } else if (t->config & TN_LEVEL) {
        vit_irq_set(&s->dev.irq_out[timer_line(s, n)], 1);
    } else {
        vit_irq_pulse(&s->dev.irq_out[timer_line(s, n)]);
    }
}

/* Gives up the level a timer holds, before its route or mode changes. */
static void
lower_timer(Hpet *s, unsigned n)
{
    if ((s->status >> n & 1) && (s->timers[n].config & TN_LEVEL)) {
        vit_irq_set(&s->dev.irq_out[timer_line(s, n)], 0);
    }
}

static void
hpet_irq_in(VitDevice *dev, int n, int level)
{
    Hpet *s = (Hpet *)dev;

    s->legacy_in[n] = level != 0;
    if (!is_legacy(s)) {
        vit_irq_set(&dev->irq_out[n == 0 ? LEGACY_TIMER0_LINE : LEGACY_TIMER1_LINE], level);
    }
}

/* ---- Timers ---- */

/* Waits for the comparator's next match, at NOT_BEFORE_NS or later. LATE_FIRES: a match that has
 * just gone by counts. */
static void
arm_timer(Hpet *s, unsigned n, int64_t not_before_ns, bool late_fires)
{
    HpetTimer *t = &s->timers[n];
    uint64_t now = counter_now(s), ahead = (t->cmp - now) & size_mask(t);
    int64_t now_ns = vit_clock_get_ns(s->dev.platform->clock);

    if (!(s->config & CONFIG_ENABLE)) {
        vit_timer_del(&t->timer);
        return;
    }
    if (late_fires && ahead > size_mask(t) / 2) {
        ahead = 0;
    }
    if (ahead > INT64_MAX / NS_PER_TICK / 4) {
        vit_timer_del(&t->timer); /* not in this life */
        return;
    }
    vit_timer_mod(&t->timer,
                  MAX((now_ns / NS_PER_TICK + (int64_t)ahead) * NS_PER_TICK, not_before_ns));
}

static void
timer_expired(void *opaque)
{
    HpetTimer *t = opaque;
    Hpet *s = t->owner;
    unsigned n = t->number;
    uint64_t now = counter_now(s);

    if ((t->config & TN_PERIODIC) && t->period) {
        uint64_t behind = (now - t->cmp) & size_mask(t);

        if (behind <= size_mask(t) / 2) {
            t->cmp = (t->cmp + (behind / t->period + 1) * t->period) & size_mask(t);
        }
        arm_timer(s, n, vit_clock_get_ns(s->dev.platform->clock) + PC_TIMER_MIN_PERIOD_NS, true);
    } else if (t->config & TN_32BIT) {
        /* matches again when the low half comes round */
        vit_timer_mod(&t->timer,
                      vit_clock_get_ns(s->dev.platform->clock) + (1LL << 32) * NS_PER_TICK);
    }
    raise_timer(s, n);
}

/* ---- Registers ---- */

static uint64_t
read_timer_register(const Hpet *s, unsigned n, unsigned at)
{
    const HpetTimer *t = &s->timers[n];

    switch (at) {
    case TIMER_CONFIG: return t->config;
    case TIMER_CMP: return t->cmp;
    case TIMER_FSB: return t->fsb;
    default: return 0;
    }
}

static uint64_t
read_register(const Hpet *s, unsigned at)
{
    if (at >= AT_TIMERS) {
        unsigned n = (at - AT_TIMERS) / TIMER_STRIDE;

        return n < s->timer_count ? read_timer_register(s, n, at % TIMER_STRIDE) : 0;
    }
    switch (at) {
    case AT_CAPABILITIES:
        return CAP_REVISION | (uint64_t)(s->timer_count - 1) << 8 | CAP_64BIT | CAP_LEGACY |
               CAP_VENDOR << 16 | HPET_PERIOD_FS << 32;
    case AT_CONFIG: return s->config;
    case AT_STATUS: return s->status;
    case AT_COUNTER: return counter_now(s);
    default: return 0;
    }
}

static void
write_timer_config(Hpet *s, unsigned n, uint64_t value)
{
    HpetTimer *t = &s->timers[n];
    uint64_t writable = TN_WRITABLE | (s->has_fsb ? TN_FSB_ENABLE : 0);

    lower_timer(s, n);
    t->config = (t->config & ~writable) | (value & writable);
    if (t->config & TN_32BIT) {
        t->cmp = (uint32_t)t->cmp;
        t->period = (uint32_t)t->period;
    }
    if (!(t->config & TN_LEVEL)) {
        s->status &= ~(1ull << n);
    } else if ((s->status >> n & 1) && (t->config & TN_ENABLE) && !(t->config & TN_FSB_ENABLE)) {
        vit_irq_set(&s->dev.irq_out[timer_line(s, n)], 1);
    }
    arm_timer(s, n, 0, false);
}

/* MASK: the bits of VALUE that were written. */
static void
write_comparator(Hpet *s, unsigned n, uint64_t value, uint64_t mask)
{
    HpetTimer *t = &s->timers[n];

    value &= mask;
    if (!(t->config & TN_PERIODIC) || (t->config & TN_SETVAL)) {
        t->cmp = ((t->cmp & ~mask) | value) & size_mask(t);
    }
    if (t->config & TN_PERIODIC) {
        t->period = ((t->period & ~mask) | value) & (size_mask(t) >> 1);
    }
    t->config &= ~TN_SETVAL;
    arm_timer(s, n, 0, true);
}

static void
write_config(Hpet *s, uint64_t value)
{
    uint64_t changed = s->config ^ value;
    uint64_t counter = counter_now(s);

    if (changed & CONFIG_LEGACY) {
        for (unsigned n = 0; n < 2; n++) {
            lower_timer(s, n);
            s->status &= ~(1ull << n);
        }
    }
    s->config = value & (CONFIG_ENABLE | CONFIG_LEGACY);
    if (changed & CONFIG_ENABLE) {
        s->counter = counter;
        s->offset = counter - clock_ticks(s);
        for (unsigned n = 0; n < s->timer_count; n++) {
            arm_timer(s, n, 0, false);
        }
    }
    if (changed & CONFIG_LEGACY) {
        for (unsigned n = 0; n < 2; n++) {
            vit_irq_set(&s->dev.irq_out[n == 0 ? LEGACY_TIMER0_LINE : LEGACY_TIMER1_LINE],
                        !is_legacy(s) && s->legacy_in[n]);
        }
    }
}

static void
write_status(Hpet *s, uint64_t value)
{
    for (unsigned n = 0; n < s->timer_count; n++) {
        if (value >> n & 1) {
            lower_timer(s, n);
            s->status &= ~(1ull << n);
        }
    }
}

static void
write_counter(Hpet *s, uint64_t value)
{
    if (s->config & CONFIG_ENABLE) {
        vit_guest_error(&s->dev, "main counter written while it runs");
    }
    s->counter = value;
    s->offset = value - clock_ticks(s);
    for (unsigned n = 0; n < s->timer_count; n++) {
        arm_timer(s, n, 0, false);
    }
}

static void
write_register(Hpet *s, unsigned at, uint64_t value, uint64_t mask)
{
    uint64_t whole;

    for (unsigned n = 0; n < s->timer_count; n++) {
        vit_timer_run_if_due(&s->timers[n].timer);
    }
    whole = (read_register(s, at) & ~mask) | (value & mask);
    if (at >= AT_TIMERS) {
        unsigned n = (at - AT_TIMERS) / TIMER_STRIDE;

        if (n >= s->timer_count) {
            return;
        }
        switch (at % TIMER_STRIDE) {
        case TIMER_CONFIG: write_timer_config(s, n, whole); break;
        case TIMER_CMP: write_comparator(s, n, value, mask); break;
        case TIMER_FSB: s->timers[n].fsb = whole; break;
        default: break;
        }
        return;
    }
    switch (at) {
    case AT_CONFIG: write_config(s, whole); break;
    case AT_STATUS: write_status(s, value & mask); break;
    case AT_COUNTER: write_counter(s, whole); break;
    default: break;
    }
}

static uint64_t
window_read(void *opaque, uint64_t offset, unsigned size)
{
    return read_register(opaque, offset & ~7u) >> (offset & 4) * 8;
}

static void
window_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    unsigned shift = (offset & 4) * 8;
    uint64_t mask = size == 8 ? UINT64_MAX : (uint64_t)UINT32_MAX << shift;

    write_register(opaque, offset & ~7u, value << shift, mask);
}

static const VitRegionOps window_ops = { window_read, window_write, 4, 8 };

/* ---- The device ---- */

static void
hpet_reset(VitDevice *dev)
{
    Hpet *s = (Hpet *)dev;

    for (unsigned n = 0; n < s->timer_count; n++) {
        HpetTimer *t = &s->timers[n];

        lower_timer(s, n);
        vit_timer_del(&t->timer);
        t->config = TN_PERIODIC_CAP | TN_SIZE_CAP | (s->has_fsb ? TN_FSB_CAP : 0) |
                    (uint64_t)s->route_cap << 32;
        t->cmp = UINT64_MAX;
        t->period = t->fsb = 0;
    }
    s->config = s->status = s->counter = s->offset = 0;
    /* legacy_in stays: it is what the inputs are at */
}

static bool
hpet_realize(VitDevice *dev, GError **error)
{
    Hpet *s = (Hpet *)dev;

    for (unsigned n = 0; n < HPET_MAX_TIMERS; n++) {
        s->timers[n].owner = s;
        s->timers[n].number = n;
        vit_timer_init(&s->timers[n].timer, dev->platform->clock, timer_expired, &s->timers[n]);
    }
    vit_region_init_io(&s->window, "hpet", &window_ops, s, HPET_LEN);
    vit_region_add(dev->platform->memory_root, HPET_BASE, &s->window, 0x1000);
    return true;
}

static void
hpet_unrealize(VitDevice *dev)
{
    Hpet *s = (Hpet *)dev;

    for (unsigned n = 0; n < HPET_MAX_TIMERS; n++) {
        vit_timer_del(&s->timers[n].timer);
    }
    vit_region_finish(&s->window);
}

static const VitProp hpet_props[] = {
    VIT_PROP_UINT(Hpet, timer_count, "timers", 3, 3, HPET_MAX_TIMERS, VIT_N_("Comparators")),
    VIT_PROP_BOOL(Hpet, has_fsb, "msi", false, VIT_N_("Interrupts as messages")),
    VIT_PROP_UINT(Hpet, route_cap, "hpet-intcap", 4, 0, UINT32_MAX,
                  VIT_N_("Interrupt lines a comparator may use, one bit each"),
                  .flags = VIT_PROP_HEX | VIT_PROP_HIDDEN),
    { 0 },
};

static const VitField hpet_timer_state[] = {
    VIT_FIELD(HpetTimer, config),      VIT_FIELD(HpetTimer, cmp),
    VIT_FIELD(HpetTimer, period),      VIT_FIELD(HpetTimer, fsb),
    VIT_FIELD_TIMER(HpetTimer, timer), VIT_TRANSIENT(HpetTimer, owner), /* set by realize */
    VIT_TRANSIENT(HpetTimer, number),  { 0 },
};

static const VitField hpet_state[] = {
    VIT_FIELD(Hpet, config),
    VIT_FIELD(Hpet, status),
    VIT_FIELD(Hpet, counter),
    VIT_FIELD(Hpet, offset),
    VIT_FIELD_ARRAY(Hpet, legacy_in),
    VIT_FIELD_STRUCTS(Hpet, timers, hpet_timer_state),
    VIT_TRANSIENT(Hpet, window), /* mapped by realize */
    { 0 },
};

const VitDeviceKind vit_hpet_kind = {
    .name = "hpet",
    .title = VIT_N_("High precision event timer"),
    .bus = VIT_BUS_NONE,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(Hpet, VitDevice),
    .internal = true,
    .props = hpet_props,
    .state = hpet_state,
    .state_version = 1,
    .n_irq_in = 2,
    .n_irq_out = HPET_INTERRUPTS,
    .realize = hpet_realize,
    .unrealize = hpet_unrealize,
    .reset = hpet_reset,
    .irq_in = hpet_irq_in,
};
