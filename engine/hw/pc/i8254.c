/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* 8254 programmable interval timer of a PC/AT at ports 0x40..0x43. Intel 8254 datasheet (231164),
 * "Mode definitions", "Read operations" and "Gate pin operations summary".
 *
 * Nothing counts: each counter keeps the tick of the 1.193182 MHz oscillator at which its counting
 * element was (or will be) loaded, and value and OUT are computed from the time that has passed.
 * A count written at tick t is loaded at t + 1, as on the chip. Only counter 0's rising edges are
 * events; where they are nearer than PC_TIMER_MIN_PERIOD_NS they are coalesced.
 * Deviation: a count written while mode 3 runs is taken over at the end of the whole cycle, not of
 * the half cycle, so that OUT never changes early.
 *
 * Thread: device lock held. */

#include "pc/i8254.h"

#include "pc/pc-time.h"
#include "vit-isa.h"

enum { RW_LATCH, RW_LOW, RW_HIGH, RW_BOTH };

typedef struct Counter {
    uint32_t count; /* in the counting element's terms, 1..65536; 0 = none since control word */
    uint32_t next_count; /* written while counting, taken over at next_tick */
    int64_t start_tick;  /* the counting element holds COUNT at this tick */
    int64_t next_tick;
    int64_t held_ticks; /* ticks passed since start when GATE stopped the count */
    uint16_t latched_count;
    uint8_t mode, rw;
    uint8_t latched_status;
    uint8_t low_byte; /* first byte of a two-byte write */
    bool bcd, gate;
    bool triggered; /* modes 1 and 5: GATE has risen since the count was written */
    bool held;      /* GATE stops the count */
    bool has_next, has_latched_count, has_latched_status;
    bool write_high, read_high; /* the second of two bytes follows */
    bool half_written;          /* mode 0: counting waits for the second byte */
} Counter;

typedef struct I8254 {
    VitDevice dev;
    Counter counters[3];
    bool out0; /* level last given to the line */
    VitTimer timer;
    uint16_t iobase;
    VitRegion ports;
} I8254;

VIT_DEVICE_LAYOUT(I8254)

static int64_t
now_tick(const I8254 *s)
{
    return vit_clock_ticks(s->dev.platform->clock, VIT_PIT_HZ);
}

static bool
is_periodic(const Counter *c)
{
    return c->mode == 2 || c->mode == 3;
}

static bool
is_gate_triggered(const Counter *c)
{
    return c->mode == 1 || c->mode == 5;
}

/* Ticks since the counting element was loaded; negative before the load. */
static int64_t
elapsed(const Counter *c, int64_t now)
{
    return c->held ? c->held_ticks : now - c->start_tick;
}

static void
stop_count(Counter *c, int64_t now)
{
    if (!c->held) {
        c->held_ticks = now - c->start_tick;
        c->held = true;
    }
}

/* Takes over a count written while a periodic mode was under way, once its time has come. */
static void
catch_up(Counter *c, int64_t now)
{
    if (c->has_next && !c->held && now >= c->next_tick) {
        c->count = c->next_count;
        c->start_tick = c->next_tick;
        c->has_next = false;
    }
}

static bool
is_counting(const Counter *c)
{
    return c->count != 0 && (!is_gate_triggered(c) || c->triggered);
}

static bool
out_at(const Counter *c, int64_t now)
{
    int64_t ticks = elapsed(c, now);

    if (!is_counting(c) || ticks < 0 || c->half_written) {
        /* mode 1's OUT falls with the load; before it the level is that of the control word */
        return c->mode != 0;
    }
    switch (c->mode) {
    case 0:
    case 1: return ticks >= c->count;
    case 2: return !c->gate || c->count == 1 || ticks % c->count != c->count - 1;
    case 3: return !c->gate || ticks % c->count < (c->count + 1) / 2;
    default: return ticks != c->count;
    }
}

/* First tick after NOW at which OUT rises; -1 when it will not of itself. */
static int64_t
next_rise(const Counter *c, int64_t now)
{
    int64_t ticks = elapsed(c, now);

    if (!is_counting(c) || c->held || c->half_written) {
        return -1;
    }
    switch (c->mode) {
    case 0:
    case 1: return ticks < c->count ? c->start_tick + c->count : -1;
    case 2:
    case 3:
        if (c->has_next && ticks >= 0) {
            return c->next_tick; /* the old count's cycle ends here */
        }
        return ticks < 0 ? c->start_tick + c->count
                         : c->start_tick + (ticks / c->count + 1) * c->count;
    default: return ticks <= c->count ? c->start_tick + c->count + 1 : -1;
    }
}

static uint16_t
to_bcd(uint32_t value)
{
    return value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 | value / 1000 % 10 << 12;
}

static uint32_t
from_bcd(uint16_t value)
{
    return (value & 15) + (value >> 4 & 15) * 10 + (value >> 8 & 15) * 100 + (value >> 12) * 1000;
}

/* What the counting element shows. */
static uint16_t
value_at(const Counter *c, int64_t now)
{
    uint32_t modulus = c->bcd ? 10000 : 65536;
    int64_t ticks = elapsed(c, now);
    int64_t value;

    if (c->count == 0) {
        return 0;
    }
    if (!is_counting(c) || ticks < 0) {
        value = c->count;
    } else if (c->mode == 2) {
        value = c->count - ticks % c->count;
    } else if (c->mode == 3) {
        int64_t half = (c->count + 1) / 2;
        int64_t phase = ticks % c->count;

        value = (c->count & ~1u) - 2 * (phase < half ? phase : phase - half);
    } else {
        value = c->count - ticks;
    }
    value %= modulus;
    value = value < 0 ? value + modulus : value;
    return c->bcd ? to_bcd(value) : value;
}

/* Gives OUT0's level to the line, as an edge where it rose since, and waits for the next one. NOW
 * is the time the caller worked with: time read again could lie past the next rise. */
static void
update_irq(I8254 *s, int64_t now, bool rose)
{
    Counter *c = &s->counters[0];
    bool out = out_at(c, now);
    int64_t next;

    if (rose) {
        if (s->out0) {
            vit_irq_set(&s->dev.irq_out[0], 0);
        }
        vit_irq_set(&s->dev.irq_out[0], 1);
        s->out0 = true;
    }
    if (out != s->out0) {
        s->out0 = out;
        vit_irq_set(&s->dev.irq_out[0], out);
    }
    next = next_rise(c, now);
    if (next < 0) {
        vit_timer_del(&s->timer);
    } else {
        int64_t now_ns = vit_clock_get_ns(s->dev.platform->clock);

        vit_timer_mod(&s->timer, MAX(pc_ticks_to_ns(next, VIT_PIT_HZ),
                                     rose ? now_ns + PC_TIMER_MIN_PERIOD_NS : now_ns + 1));
    }
}

static void
timer_expired(void *opaque)
{
    I8254 *s = opaque;

    int64_t now = now_tick(s);

    catch_up(&s->counters[0], now);
    update_irq(s, now, true);
}

/* A whole count has been written. */
static void
load_count(Counter *c, uint16_t written, int64_t now)
{
    uint32_t count = c->bcd ? from_bcd(written) : written;
    int64_t ticks = elapsed(c, now);

    count = count ? count : c->bcd ? 10000 : 65536;
    c->half_written = false;
    if (is_periodic(c) && c->count && ticks >= 0 && !c->held) {
        c->next_count = count;
        c->has_next = true;
        c->next_tick = c->start_tick + (ticks / c->count + 1) * c->count;
        return;
    }
    c->count = count;
    if (is_gate_triggered(c)) {
        return; /* waits for GATE, or takes effect at the next trigger */
    }
    c->start_tick = now + 1;
    c->held = false;
    if (!c->gate) {
        c->held_ticks = 0;
        c->held = true;
    }
}

static void
write_counter(I8254 *s, unsigned n, uint8_t value, int64_t now)
{
    Counter *c = &s->counters[n];

    catch_up(c, now);
    switch (c->rw) {
    case RW_LOW: load_count(c, value, now); break;
    case RW_HIGH: load_count(c, value << 8, now); break;
    default:
        if (!c->write_high) {
            c->low_byte = value;
            c->write_high = true;
            c->half_written = c->mode == 0;
        } else {
            c->write_high = false;
            load_count(c, value << 8 | c->low_byte, now);
        }
        break;
    }
}

static void
latch_count(Counter *c, int64_t now)
{
    if (!c->has_latched_count) {
        c->latched_count = value_at(c, now);
        c->has_latched_count = true;
    }
}

static void
latch_status(Counter *c, int64_t now)
{
    if (!c->has_latched_status) {
        bool null_count = c->count == 0 || c->has_next || elapsed(c, now) < 0 ||
                          (is_gate_triggered(c) && !c->triggered);

        c->latched_status =
            out_at(c, now) << 7 | null_count << 6 | c->rw << 4 | c->mode << 1 | c->bcd;
        c->has_latched_status = true;
    }
}

static void
read_back(I8254 *s, uint8_t command, int64_t now)
{
    for (unsigned n = 0; n < 3; n++) {
        if (command >> (n + 1) & 1) {
            catch_up(&s->counters[n], now);
            if (!(command & 0x20)) {
                latch_count(&s->counters[n], now);
            }
            if (!(command & 0x10)) {
                latch_status(&s->counters[n], now);
            }
        }
    }
}

static void
write_control(I8254 *s, uint8_t value, int64_t now)
{
    Counter *c;

    if (value >> 6 == 3) {
        read_back(s, value, now);
        return;
    }
    c = &s->counters[value >> 6];
    if ((value >> 4 & 3) == RW_LATCH) {
        catch_up(c, now);
        latch_count(c, now);
        return;
    }
    c->rw = value >> 4 & 3;
    c->mode = value >> 1 & 7;
    if (c->mode > 5) {
        c->mode &= 3; /* bit 2 is "don't care" for modes 2 and 3 */
    }
    c->bcd = value & 1;
    c->count = 0;
    c->triggered = c->has_next = c->held = c->half_written = false;
    c->write_high = c->read_high = false;
    c->has_latched_count = c->has_latched_status = false;
}

static void
pit_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    I8254 *s = opaque;

    int64_t now;

    vit_timer_run_if_due(&s->timer);
    now = now_tick(s);
    if (offset == 3) {
        write_control(s, value, now);
    } else {
        write_counter(s, offset, value, now);
    }
    update_irq(s, now, false);
}

static uint64_t
pit_read(void *opaque, uint64_t offset, unsigned size)
{
    I8254 *s = opaque;
    Counter *c;
    uint16_t value;
    bool high;

    if (offset == 3) {
        return 0xff; /* write only */
    }
    c = &s->counters[offset];
    if (c->has_latched_status) {
        c->has_latched_status = false;
        return c->latched_status;
    }
    catch_up(c, now_tick(s));
    value = c->has_latched_count ? c->latched_count : value_at(c, now_tick(s));
    high = c->rw == RW_HIGH || (c->rw == RW_BOTH && c->read_high);
    if (c->rw == RW_BOTH) {
        c->read_high = !c->read_high;
    }
    if (c->rw != RW_BOTH || high) {
        c->has_latched_count = false;
    }
    return high ? value >> 8 : value & 0xff;
}

static const VitRegionOps pit_ops = { pit_read, pit_write, 1, 1 };

void
vit_i8254_set_gate(VitDevice *dev, unsigned n, bool level)
{
    I8254 *s = (I8254 *)dev;
    Counter *c;
    int64_t now;

    if (n > 2 || s->counters[n].gate == level) {
        return;
    }
    vit_timer_run_if_due(&s->timer);
    c = &s->counters[n];
    now = now_tick(s);
    catch_up(c, now);
    c->gate = level;
    if (c->count) {
        if (is_gate_triggered(c)) {
            if (level) {
                /* OUT stays low when a running one-shot is triggered again */
                bool keeps_low = c->mode == 1 && !out_at(c, now);

                c->triggered = true;
                c->start_tick = keeps_low ? now : now + 1;
            }
        } else if (!level) {
            stop_count(c, now);
        } else if (is_periodic(c)) {
            c->count = c->has_next ? c->next_count : c->count;
            c->has_next = c->held = false;
            c->start_tick = now + 1;
        } else if (c->held) {
            c->held = false;
            c->start_tick = now - c->held_ticks;
        }
    }
    if (n == 0) {
        update_irq(s, now, false);
    }
}

bool
vit_i8254_get_out(VitDevice *dev, unsigned n)
{
    I8254 *s = (I8254 *)dev;

    if (n > 2) {
        return false;
    }
    catch_up(&s->counters[n], now_tick(s));
    return out_at(&s->counters[n], now_tick(s));
}

void
vit_i8254_get_info(VitDevice *dev, unsigned n, VitPitChannelInfo *out)
{
    const Counter *c = &((I8254 *)dev)->counters[MIN(n, 2)];

    *out = (VitPitChannelInfo){
        .mode = c->mode, .gate = c->gate, .out = vit_i8254_get_out(dev, n), .count = c->count
    };
}

static void
i8254_reset(VitDevice *dev)
{
    I8254 *s = (I8254 *)dev;
    int64_t now = now_tick(s);

    for (unsigned n = 0; n < 3; n++) {
        /* undefined on the chip; the firmware of a PC has always left mode 3 in counter 0 */
        s->counters[n] = (Counter){ .mode = 3, .rw = RW_BOTH, .gate = n != 2 };
    }
    load_count(&s->counters[0], 0, now);
    update_irq(s, now, false);
}

static bool
i8254_realize(VitDevice *dev, GError **error)
{
    I8254 *s = (I8254 *)dev;

    vit_timer_init(&s->timer, dev->platform->clock, timer_expired, s);
    vit_region_init_io(&s->ports, "i8254", &pit_ops, s, 4);
    vit_isa_map_ports(dev, s->iobase, &s->ports);
    return true;
}

static void
i8254_unrealize(VitDevice *dev)
{
    I8254 *s = (I8254 *)dev;

    vit_timer_del(&s->timer);
    vit_region_finish(&s->ports);
}

/* Counts are divisors and modes select, whatever a stream says. */
static bool
i8254_post_load(VitDevice *dev, unsigned version, GError **error)
{
    I8254 *s = (I8254 *)dev;
    const int64_t tick_limit = 1LL << 60;

    for (unsigned n = 0; n < 3; n++) {
        Counter *c = &s->counters[n];

        c->mode = c->mode > 5 ? 0 : c->mode;
        c->rw &= 3;
        c->count = MIN(c->count, 65536);
        c->next_count = MIN(c->next_count, 65536);
        c->start_tick = CLAMP(c->start_tick, -tick_limit, tick_limit);
        c->next_tick = CLAMP(c->next_tick, -tick_limit, tick_limit);
        c->held_ticks = CLAMP(c->held_ticks, -tick_limit, tick_limit);
    }
    return true;
}

static const VitProp i8254_props[] = {
    VIT_PROP_UINT(I8254, iobase, "iobase", 0x40, 0, 0xfffc, VIT_N_("First I/O port"),
                  .flags = VIT_PROP_HEX),
    { 0 },
};

static const VitField counter_state[] = {
    VIT_FIELD(Counter, count),
    VIT_FIELD(Counter, next_count),
    VIT_FIELD(Counter, start_tick),
    VIT_FIELD(Counter, next_tick),
    VIT_FIELD(Counter, held_ticks),
    VIT_FIELD(Counter, latched_count),
    VIT_FIELD(Counter, mode),
    VIT_FIELD(Counter, rw),
    VIT_FIELD(Counter, latched_status),
    VIT_FIELD(Counter, low_byte),
    VIT_FIELD(Counter, bcd),
    VIT_FIELD(Counter, gate),
    VIT_FIELD(Counter, triggered),
    VIT_FIELD(Counter, held),
    VIT_FIELD(Counter, has_next),
    VIT_FIELD(Counter, has_latched_count),
    VIT_FIELD(Counter, has_latched_status),
    VIT_FIELD(Counter, write_high),
    VIT_FIELD(Counter, read_high),
    VIT_FIELD(Counter, half_written),
    { 0 },
};

static const VitField i8254_state[] = {
    VIT_FIELD_STRUCTS(I8254, counters, counter_state),
    VIT_FIELD(I8254, out0),
    VIT_FIELD_TIMER(I8254, timer),
    VIT_TRANSIENT(I8254, ports), /* mapped by realize */
    { 0 },
};

static const char *const i8254_aliases[] = { "isa-pit", NULL };

const VitDeviceKind vit_i8254_kind = {
    .name = "i8254",
    .aliases = i8254_aliases,
    .title = VIT_N_("Interval timer (8254)"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(I8254, VitDevice),
    .internal = true,
    .props = i8254_props,
    .state = i8254_state,
    .state_version = 1,
    .n_irq_out = 1,
    .realize = i8254_realize,
    .unrealize = i8254_unrealize,
    .reset = i8254_reset,
    .post_load = i8254_post_load,
};
