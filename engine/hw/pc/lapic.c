/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Local APIC: xAPIC and x2APIC. Intel SDM volume 3, "Advanced programmable interrupt controller",
 * all of its sections but performance-monitoring and thermal sources (their LVT entries exist and
 * nothing raises them) and cluster-hierarchical xAPIC addressing.
 *
 * The registers are reached through VitCpuHost callbacks: each CPU's executor sends its own APIC
 * page and MSRs here. The timer runs at 1 GHz before its divider. Out of reset LINT0 of the
 * bootstrap CPU is in ExtINT mode, as firmware for this board expects.
 *
 * Deviations: IPIs are delivered at once (delivery status always reads idle); input polarity is
 * ignored, since lines carry "asserted"; a periodic timer below PC_TIMER_MIN_PERIOD_NS coalesces.
 *
 * Thread: device lock held. */

#include "pc/lapic.h"

#include "pc/apic-bus.h"
#include "pc/ferr.h"
#include "pc/pc-time.h"

#include <inttypes.h>
#include <string.h>

/* IA32_APIC_BASE. */
#define BASE_BSP     (1ull << 8)
#define BASE_X2APIC  (1ull << 10)
#define BASE_ENABLE  (1ull << 11)
#define BASE_ADDRESS 0x000ffffffffff000ull
#define BASE_DEFAULT 0xfee00000ull

/* Registers by their index: offset / 16 in the page, MSR number - 0x800. */
enum {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_APR = 0x09,
    REG_PPR = 0x0a,
    REG_EOI = 0x0b,
    REG_RRD = 0x0c,
    REG_LDR = 0x0d,
    REG_DFR = 0x0e,
    REG_SVR = 0x0f,
    REG_ISR = 0x10,
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_ICR = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT = 0x32,
    REG_LVT_LAST = 0x37,
    REG_INITIAL_COUNT = 0x38,
    REG_CURRENT_COUNT = 0x39,
    REG_DIVIDE = 0x3e,
    REG_SELF_IPI = 0x3f,
};

enum { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

enum {
    LVT_VECTOR = 0xff,
    LVT_DELIVERY_SHIFT = 8,
    LVT_REMOTE_IRR = 1u << 14,
    LVT_LEVEL = 1u << 15,
    LVT_MASKED = 1u << 16,
    LVT_TIMER_MODE = 3u << 17,
    TIMER_PERIODIC = 1u << 17,
    TIMER_DEADLINE = 2u << 17,
    SVR_ENABLE = 1u << 8,
    ESR_SEND_VECTOR = 1u << 5,
    ESR_RECEIVE_VECTOR = 1u << 6,
    ESR_REGISTER = 1u << 7,
    ICR_LOGICAL = 1u << 11,
    ICR_ASSERT = 1u << 14,
    ICR_LEVEL = 1u << 15,
    ICR_WRITABLE = 0x000ccfff,
};

/* Bits software may write, by LVT entry. */
static const uint32_t lvt_writable[LVT_COUNT] = {
    [LVT_TIMER] = 0x000700ff, [LVT_THERMAL] = 0x000107ff, [LVT_PERF] = 0x000107ff,
    [LVT_LINT0] = 0x0001a7ff, [LVT_LINT1] = 0x0001a7ff,   [LVT_ERROR] = 0x000100ff,
};

typedef struct Lapic {
    VitDevice dev;
    /* properties */
    uint32_t initial_id;
    uint32_t version;
    bool has_x2apic, has_deadline;
    uint8_t phys_bits;

    uint64_t base;
    uint32_t id; /* xAPIC id, the guest may change it */
    uint32_t tpr, ldr, dfr, svr;
    uint32_t esr, esr_pending;
    uint32_t icr, icr_high;
    uint32_t lvt[LVT_COUNT];
    uint32_t isr[8], tmr[8], irr[8];
    uint32_t initial_count, divide;
    int64_t timer_start_ns;
    uint64_t tsc_deadline;
    bool pins[2];        /* LINT0, LINT1 */
    bool extint_latched; /* an ExtINT message waits */
    VitTimer timer;

    VitDevice *bus, *ferr;
    VitCpu *cpu;
    int (*pic_ack)(void *opaque);
    void *pic_opaque;
} Lapic;

VIT_DEVICE_LAYOUT(Lapic)

static bool
is_bsp(const Lapic *s)
{
    return s->cpu ? s->cpu->is_bsp : s->initial_id == 0;
}

static bool
is_x2apic(const Lapic *s)
{
    return (s->base & (BASE_ENABLE | BASE_X2APIC)) == (BASE_ENABLE | BASE_X2APIC);
}

static bool
is_hw_enabled(const Lapic *s)
{
    return s->base & BASE_ENABLE;
}

static bool
is_sw_enabled(const Lapic *s)
{
    return is_hw_enabled(s) && (s->svr & SVR_ENABLE);
}

/* ---- Interrupts pending and in service ---- */

static int
highest_bit(const uint32_t bits[8])
{
    for (int i = 7; i >= 0; i--) {
        if (bits[i]) {
            return i * 32 + 31 - __builtin_clz(bits[i]);
        }
    }
    return -1;
}

/* Priority class of the highest vector in BITS, 0 when none. */
static uint32_t
highest_class(const uint32_t bits[8])
{
    int vector = highest_bit(bits);

    return vector < 0 ? 0 : vector & 0xf0;
}

static void
set_bit(uint32_t bits[8], uint8_t vector, bool value)
{
    if (value) {
        bits[vector / 32] |= 1u << vector % 32;
    } else {
        bits[vector / 32] &= ~(1u << vector % 32);
    }
}

static bool
get_bit(const uint32_t bits[8], uint8_t vector)
{
    return bits[vector / 32] >> vector % 32 & 1;
}

static uint32_t
processor_priority(const Lapic *s)
{
    uint32_t class = highest_class(s->isr);

    return (s->tpr & 0xf0) >= class ? s->tpr : class;
}

/* Vector to deliver now, or -1. */
static int
deliverable_vector(const Lapic *s)
{
    int vector = is_sw_enabled(s) ? highest_bit(s->irr) : -1;

    return vector >= 0 && (vector & 0xf0) > (int)(processor_priority(s) & 0xf0) ? vector : -1;
}

static unsigned
lvt_delivery(const Lapic *s, unsigned n)
{
    return s->lvt[n] >> LVT_DELIVERY_SHIFT & 7;
}

/* Whether the 8259s' INTR reaches the CPU now. */
static bool
extint_waits(const Lapic *s)
{
    if (s->extint_latched) {
        return true;
    }
    if (!is_hw_enabled(s)) {
        return s->pins[0] && is_bsp(s); /* the pin is INTR itself */
    }
    return s->pins[0] && !(s->lvt[LVT_LINT0] & LVT_MASKED) &&
           lvt_delivery(s, LVT_LINT0) == VIT_APIC_EXTINT;
}

static void
update_cpu(Lapic *s)
{
    if (!s->cpu) {
        return;
    }
    if (extint_waits(s) || deliverable_vector(s) >= 0) {
        vit_cpu_raise(s->cpu, VIT_CPU_EVENT_INTR);
    } else {
        vit_cpu_lower(s->cpu, VIT_CPU_EVENT_INTR);
    }
}

static void accept_vector(Lapic *s, uint8_t vector, bool is_level);

static void
report_error(Lapic *s, uint32_t bit)
{
    bool is_new = !(s->esr_pending & bit);

    s->esr_pending |= bit;
    /* an illegal vector in the error entry itself must not report for ever */
    if (is_new && !(s->lvt[LVT_ERROR] & LVT_MASKED) && (s->lvt[LVT_ERROR] & LVT_VECTOR) >= 16) {
        accept_vector(s, s->lvt[LVT_ERROR] & LVT_VECTOR, false);
    }
}

static void
accept_vector(Lapic *s, uint8_t vector, bool is_level)
{
    if (!is_sw_enabled(s)) {
        return;
    }
    if (vector < 16) {
        report_error(s, ESR_RECEIVE_VECTOR);
        return;
    }
    set_bit(s->irr, vector, true);
    set_bit(s->tmr, vector, is_level);
    update_cpu(s);
}

static void
raise_cpu(Lapic *s, uint32_t event)
{
    if (s->cpu) {
        vit_cpu_raise(s->cpu, event);
    }
}

/* A local source in LVT entry N asks. A level waits for EOI before it is taken again. */
static void
trigger_lvt(Lapic *s, unsigned n)
{
    uint32_t lvt = s->lvt[n];
    bool is_pin = n == LVT_LINT0 || n == LVT_LINT1;

    if (lvt & LVT_MASKED) {
        return;
    }
    switch (n == LVT_TIMER || n == LVT_ERROR ? VIT_APIC_FIXED : lvt_delivery(s, n)) {
    case VIT_APIC_FIXED:
        if (is_pin && (lvt & LVT_LEVEL)) {
            if (lvt & LVT_REMOTE_IRR) {
                return;
            }
            s->lvt[n] |= LVT_REMOTE_IRR;
        }
        accept_vector(s, lvt & LVT_VECTOR, is_pin && (lvt & LVT_LEVEL));
        break;
    case VIT_APIC_SMI: raise_cpu(s, VIT_CPU_EVENT_SMI); break;
    case VIT_APIC_NMI: raise_cpu(s, VIT_CPU_EVENT_NMI); break;
    case VIT_APIC_INIT: raise_cpu(s, VIT_CPU_EVENT_INIT); break;
    default: break; /* ExtINT is a level, see extint_waits() */
    }
}

static void
lapic_set_pin(void *opaque, unsigned lint, bool level)
{
    Lapic *s = opaque;
    bool rose = level && !s->pins[lint];

    s->pins[lint] = level;
    if (!is_hw_enabled(s)) {
        if (lint == 1 && rose && is_bsp(s)) {
            raise_cpu(s, VIT_CPU_EVENT_NMI);
        }
    } else if (rose) {
        trigger_lvt(s, LVT_LINT0 + lint);
    }
    update_cpu(s);
}

static void
end_of_interrupt(Lapic *s)
{
    int vector = highest_bit(s->isr);

    if (vector < 0) {
        return;
    }
    set_bit(s->isr, vector, false);
    if (get_bit(s->tmr, vector)) {
        for (unsigned n = LVT_LINT0; n <= LVT_LINT1; n++) {
            if ((s->lvt[n] & LVT_REMOTE_IRR) && (s->lvt[n] & LVT_VECTOR) == (unsigned)vector) {
                s->lvt[n] &= ~LVT_REMOTE_IRR;
                if (s->pins[n - LVT_LINT0]) {
                    trigger_lvt(s, n);
                }
            }
        }
        if (s->bus) {
            vit_apic_bus_broadcast_eoi(s->bus, vector);
        }
    }
    update_cpu(s);
}

/* ---- The bus side ---- */

static bool
lapic_matches(void *opaque, uint32_t dest, bool is_logical)
{
    const Lapic *s = opaque;

    if (!is_hw_enabled(s)) {
        return false;
    }
    if (dest == VIT_APIC_BROADCAST) {
        return true;
    }
    if (is_x2apic(s)) {
        return is_logical ? dest >> 16 == s->initial_id >> 4 && (dest >> (s->initial_id & 15) & 1)
                          : dest == s->initial_id;
    }
    if (dest > 0xff) {
        return false;
    }
    if (!is_logical) {
        return dest == s->id;
    }
    if (s->dfr >> 28 == 0xf) {
        return s->ldr >> 24 & dest;
    }
    /* flat cluster: both clusters equal and a member in common */
    return s->dfr >> 28 == 0 && dest >> 4 == s->ldr >> 28 && (s->ldr >> 24 & dest & 0xf);
}

static int
lapic_priority(void *opaque)
{
    const Lapic *s = opaque;

    if (!is_sw_enabled(s)) {
        return -1;
    }
    return MAX(MAX(highest_class(s->irr), highest_class(s->isr)), s->tpr & 0xf0);
}

static void
lapic_accept(void *opaque, const VitApicMessage *message)
{
    Lapic *s = opaque;

    if (!is_hw_enabled(s)) {
        return;
    }
    switch (message->delivery) {
    case VIT_APIC_FIXED:
    case VIT_APIC_LOWEST: accept_vector(s, message->vector, message->is_level); break;
    case VIT_APIC_SMI: raise_cpu(s, VIT_CPU_EVENT_SMI); break;
    case VIT_APIC_NMI: raise_cpu(s, VIT_CPU_EVENT_NMI); break;
    case VIT_APIC_INIT: raise_cpu(s, VIT_CPU_EVENT_INIT); break;
    case VIT_APIC_SIPI:
        if (s->cpu) {
            vit_cpu_sipi(s->cpu, message->vector);
        }
        break;
    case VIT_APIC_EXTINT:
        if (is_sw_enabled(s)) {
            s->extint_latched = true;
            update_cpu(s);
        }
        break;
    default: vit_guest_error(&s->dev, "interrupt message of reserved mode %u", message->delivery);
    }
}

/* ---- Timer ---- */

static unsigned
divide_shift(const Lapic *s)
{
    /* bits 3, 1, 0 count from divide-by-2; 111 is divide-by-1 */
    return (((s->divide & 3) | (s->divide >> 1 & 4)) + 1) & 7;
}

static uint32_t
timer_mode(const Lapic *s)
{
    return s->lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

static uint32_t
current_count(const Lapic *s)
{
    uint64_t passed;

    if (s->initial_count == 0 || timer_mode(s) == TIMER_DEADLINE) {
        return 0;
    }
    passed = (vit_clock_get_ns(s->dev.platform->clock) - s->timer_start_ns) >> divide_shift(s);
    if (timer_mode(s) == TIMER_PERIODIC) {
        return s->initial_count - passed % s->initial_count;
    }
    return passed >= s->initial_count ? 0 : s->initial_count - passed;
}

/* Arms for the next expiry after NOW, in the count-down modes. */
static void
arm_timer(Lapic *s, int64_t not_before_ns)
{
    int64_t now = vit_clock_get_ns(s->dev.platform->clock);
    int64_t period = (int64_t)s->initial_count << divide_shift(s);
    int64_t passed = now - s->timer_start_ns;
    int64_t next;

    if (timer_mode(s) == TIMER_DEADLINE) {
        return;
    }
    if (period == 0 || (timer_mode(s) != TIMER_PERIODIC && passed >= period)) {
        vit_timer_del(&s->timer);
        return;
    }
    next = s->timer_start_ns +
           (timer_mode(s) == TIMER_PERIODIC ? (passed / period + 1) * period : period);
    vit_timer_mod(&s->timer, MAX(next, not_before_ns));
}

static void
timer_expired(void *opaque)
{
    Lapic *s = opaque;

    if (timer_mode(s) == TIMER_DEADLINE) {
        s->tsc_deadline = 0;
    } else if (timer_mode(s) == TIMER_PERIODIC) {
        arm_timer(s, vit_clock_get_ns(s->dev.platform->clock) + PC_TIMER_MIN_PERIOD_NS);
    }
    trigger_lvt(s, LVT_TIMER);
}

static void
write_initial_count(Lapic *s, uint32_t value)
{
    if (timer_mode(s) == TIMER_DEADLINE) {
        return;
    }
    s->initial_count = value;
    s->timer_start_ns = vit_clock_get_ns(s->dev.platform->clock);
    arm_timer(s, 0);
}

static void
write_divide(Lapic *s, uint32_t value)
{
    uint32_t left = current_count(s);

    s->divide = value & 0xb;
    /* what is left goes on at the new rate */
    s->timer_start_ns = vit_clock_get_ns(s->dev.platform->clock) -
                        ((int64_t)(s->initial_count - left) << divide_shift(s));
    arm_timer(s, 0);
}

static uint64_t
host_get_tsc_deadline(void *opaque)
{
    return ((Lapic *)opaque)->tsc_deadline;
}

static void
host_set_tsc_deadline(void *opaque, uint64_t tsc, int64_t deadline_ns)
{
    Lapic *s = opaque;

    if (timer_mode(s) != TIMER_DEADLINE) {
        return;
    }
    s->tsc_deadline = tsc;
    if (tsc == 0) {
        vit_timer_del(&s->timer);
    } else if (deadline_ns <= vit_clock_get_ns(s->dev.platform->clock)) {
        vit_timer_del(&s->timer);
        timer_expired(s);
    } else {
        vit_timer_mod(&s->timer, deadline_ns);
    }
}

/* ---- Registers ---- */

static void
write_lvt(Lapic *s, unsigned n, uint32_t value)
{
    uint32_t before = s->lvt[n];

    value &= lvt_writable[n];
    if (n == LVT_TIMER && (value & TIMER_DEADLINE) &&
        (!s->has_deadline || (value & TIMER_PERIODIC))) {
        value &= ~LVT_TIMER_MODE; /* reserved modes */
    }
    if (!(s->svr & SVR_ENABLE)) {
        value |= LVT_MASKED;
    }
    if (n == LVT_LINT0 || n == LVT_LINT1) {
        value |= before & LVT_REMOTE_IRR;
        if (!(value & LVT_LEVEL) || (value >> LVT_DELIVERY_SHIFT & 7) != VIT_APIC_FIXED) {
            value &= ~LVT_REMOTE_IRR;
        }
    }
    s->lvt[n] = value;
    if (n == LVT_TIMER && ((before ^ value) & LVT_TIMER_MODE)) {
        if ((before | value) & TIMER_DEADLINE) {
            vit_timer_del(&s->timer);
            s->tsc_deadline = 0;
            s->initial_count = 0;
        }
        arm_timer(s, 0);
    }
    if ((n == LVT_LINT0 || n == LVT_LINT1) && s->pins[n - LVT_LINT0] && (value & LVT_LEVEL) &&
        lvt_delivery(s, n) == VIT_APIC_FIXED) {
        trigger_lvt(s, n);
    }
}

static void
write_svr(Lapic *s, uint32_t value)
{
    s->svr = value & 0x3ff;
    if (!(s->svr & SVR_ENABLE)) {
        for (unsigned n = 0; n < LVT_COUNT; n++) {
            s->lvt[n] |= LVT_MASKED;
        }
    }
}

static void
send_ipi(Lapic *s, uint32_t icr, uint32_t dest)
{
    VitApicMessage message = {
        .dest = dest,
        .is_logical = icr & ICR_LOGICAL,
        .delivery = icr >> 8 & 7,
        .vector = icr,
        .is_level = false, /* IPIs are edges whatever the trigger bit says */
        .shorthand = icr >> 18 & 3,
        .sender = s,
    };

    if (message.delivery == VIT_APIC_INIT && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT)) {
        return; /* INIT level de-assert: synchronises arbitration ids that are not there */
    }
    if (message.delivery <= VIT_APIC_LOWEST && message.vector < 16) {
        report_error(s, ESR_SEND_VECTOR);
        return;
    }
    if (message.delivery == VIT_APIC_EXTINT || message.delivery == 3) {
        vit_guest_error(&s->dev, "IPI with reserved delivery mode %u", message.delivery);
        return;
    }
    if (message.shorthand == VIT_APIC_TO_SELF) {
        lapic_accept(s, &message);
    } else if (s->bus) {
        vit_apic_bus_send(s->bus, &message);
    }
}

static uint32_t
x2apic_ldr(const Lapic *s)
{
    return s->initial_id >> 4 << 16 | 1u << (s->initial_id & 15);
}

/* Registers that read the same in both modes; false when INDEX has none. */
static bool
read_common(Lapic *s, uint32_t index, uint32_t *out_value)
{
    switch (index) {
    case REG_VERSION: *out_value = s->version | (LVT_COUNT - 1) << 16; break;
    case REG_TPR: *out_value = s->tpr; break;
    case REG_PPR: *out_value = processor_priority(s); break;
    case REG_SVR: *out_value = s->svr; break;
    case REG_ISR ... REG_ISR + 7: *out_value = s->isr[index - REG_ISR]; break;
    case REG_TMR ... REG_TMR + 7: *out_value = s->tmr[index - REG_TMR]; break;
    case REG_IRR ... REG_IRR + 7: *out_value = s->irr[index - REG_IRR]; break;
    case REG_ESR: *out_value = s->esr; break;
    case REG_LVT ... REG_LVT_LAST: *out_value = s->lvt[index - REG_LVT]; break;
    case REG_INITIAL_COUNT: *out_value = s->initial_count; break;
    case REG_CURRENT_COUNT: *out_value = current_count(s); break;
    case REG_DIVIDE: *out_value = s->divide; break;
    default: return false;
    }
    return true;
}

static bool
write_common(Lapic *s, uint32_t index, uint32_t value)
{
    switch (index) {
    case REG_TPR: s->tpr = value & 0xff; break;
    case REG_EOI: end_of_interrupt(s); break;
    case REG_SVR: write_svr(s, value); break;
    case REG_ESR:
        s->esr = s->esr_pending;
        s->esr_pending = 0;
        break;
    case REG_LVT ... REG_LVT_LAST: write_lvt(s, index - REG_LVT, value); break;
    case REG_INITIAL_COUNT: write_initial_count(s, value); break;
    case REG_DIVIDE: write_divide(s, value); break;
    default: return false;
    }
    update_cpu(s);
    return true;
}

static uint32_t
read_mmio_register(Lapic *s, uint32_t index)
{
    uint32_t value = 0;

    switch (index) {
    case REG_ID: return s->id << 24;
    case REG_APR: return MAX(lapic_priority(s), 0);
    case REG_RRD:
    case REG_EOI: return 0;
    case REG_LDR: return s->ldr;
    case REG_DFR: return s->dfr;
    case REG_ICR: return s->icr;
    case REG_ICR_HIGH: return s->icr_high;
    default:
        if (!read_common(s, index, &value)) {
            report_error(s, ESR_REGISTER);
        }
        return value;
    }
}

static void
write_mmio_register(Lapic *s, uint32_t index, uint32_t value)
{
    switch (index) {
    case REG_ID: s->id = value >> 24; break;
    case REG_LDR: s->ldr = value & 0xff000000; break;
    case REG_DFR: s->dfr = value | 0x0fffffff; break;
    case REG_ICR_HIGH: s->icr_high = value & 0xff000000; break;
    case REG_ICR:
        s->icr = value & ICR_WRITABLE;
        send_ipi(s, s->icr, s->icr_high >> 24 == 0xff ? VIT_APIC_BROADCAST : s->icr_high >> 24);
        break;
    case REG_VERSION:
    case REG_APR:
    case REG_PPR:
    case REG_RRD:
    case REG_ISR ... REG_IRR + 7:
    case REG_CURRENT_COUNT: break; /* read only */
    default:
        if (!write_common(s, index, value)) {
            report_error(s, ESR_REGISTER);
        }
        break;
    }
}

/* Registers are 32 bits at multiples of 16; smaller reads get their part, the rest of each
 * 16-byte cell is undefined and reads as zero. */
static uint64_t
host_mmio_read(void *opaque, uint32_t offset, unsigned size)
{
    unsigned lane = offset & 15;

    if (lane + size > 4 && lane != 0) {
        return 0;
    }
    return (uint64_t)read_mmio_register(opaque, offset >> 4 & 0xff) >> (lane * 8);
}

static void
host_mmio_write(void *opaque, uint32_t offset, uint64_t value, unsigned size)
{
    Lapic *s = opaque;

    if ((offset & 15) || size < 4) {
        vit_guest_error(&s->dev, "write of %u bytes at offset 0x%x", size, offset);
        return;
    }
    write_mmio_register(s, offset >> 4 & 0xff, value);
}

static bool
host_read_msr(void *opaque, uint32_t index, uint64_t *out_value)
{
    Lapic *s = opaque;
    uint32_t value;

    if (!is_x2apic(s)) {
        return false;
    }
    switch (index) {
    case REG_ID: *out_value = s->initial_id; return true;
    case REG_LDR: *out_value = x2apic_ldr(s); return true;
    case REG_ICR: *out_value = (uint64_t)s->icr_high << 32 | s->icr; return true;
    default:
        if (!read_common(s, index, &value)) {
            return false;
        }
        *out_value = value;
        return true;
    }
}

/* Reserved bits, which fault in x2APIC mode; all of them where the register cannot be written. */
static uint64_t
x2apic_reserved(const Lapic *s, uint32_t index)
{
    switch (index) {
    case REG_TPR:
    case REG_SELF_IPI: return ~0xffull;
    case REG_EOI:
    case REG_ESR: return ~0ull;
    case REG_SVR: return ~0x3ffull;
    case REG_ICR: return 0xffffffffull & ~(uint64_t)(ICR_WRITABLE | 1u << 12);
    case REG_LVT ... REG_LVT_LAST:
        /* delivery status and remote IRR are read only but may be written as read */
        return ~(uint64_t)(lvt_writable[index - REG_LVT] | 1u << 12 | LVT_REMOTE_IRR);
    case REG_INITIAL_COUNT: return ~0xffffffffull;
    case REG_DIVIDE: return ~0xbull;
    default: return 0;
    }
}

static bool
host_write_msr(void *opaque, uint32_t index, uint64_t value)
{
    Lapic *s = opaque;

    if (!is_x2apic(s) || (value & x2apic_reserved(s, index))) {
        return false;
    }
    switch (index) {
    case REG_ICR:
        s->icr = value & ICR_WRITABLE;
        s->icr_high = value >> 32;
        send_ipi(s, s->icr, s->icr_high);
        return true;
    case REG_SELF_IPI: send_ipi(s, 1u << 18 | (uint8_t)value, 0); return true;
    default: return write_common(s, index, value);
    }
}

/* ---- Other CPU callbacks ---- */

static uint8_t
host_get_cr8(void *opaque)
{
    return ((Lapic *)opaque)->tpr >> 4;
}

static void
host_set_cr8(void *opaque, uint8_t value)
{
    Lapic *s = opaque;

    s->tpr = (value & 15) << 4;
    update_cpu(s);
}

/* What reset, INIT and switching the APIC off have in common. */
static void
reset_registers(Lapic *s)
{
    vit_timer_del(&s->timer);
    s->tpr = s->ldr = 0;
    s->dfr = UINT32_MAX;
    s->svr = 0xff;
    s->esr = s->esr_pending = 0;
    s->icr = s->icr_high = 0;
    memset(s->isr, 0, sizeof(s->isr));
    memset(s->tmr, 0, sizeof(s->tmr));
    memset(s->irr, 0, sizeof(s->irr));
    s->initial_count = s->divide = 0;
    s->timer_start_ns = 0;
    s->tsc_deadline = 0;
    s->extint_latched = false;
    for (unsigned n = 0; n < LVT_COUNT; n++) {
        s->lvt[n] = LVT_MASKED;
    }
    if (is_bsp(s)) {
        s->lvt[LVT_LINT0] = VIT_APIC_EXTINT << LVT_DELIVERY_SHIFT;
    }
    update_cpu(s);
}

/* Tells the CPU where its APIC page is. */
static void
publish_page(Lapic *s)
{
    uint64_t page = is_hw_enabled(s) && !is_x2apic(s) ? s->base & BASE_ADDRESS : 0;

    if (s->cpu && __atomic_load_n(&s->cpu->apic_page, __ATOMIC_RELAXED) != page) {
        __atomic_store_n(&s->cpu->apic_page, page, __ATOMIC_RELEASE);
        vit_cpu_raise(s->cpu, VIT_CPU_EVENT_MAP_CHANGED);
    }
}

static uint64_t
host_get_base(void *opaque)
{
    return ((Lapic *)opaque)->base;
}

static bool
host_set_base(void *opaque, uint64_t value)
{
    Lapic *s = opaque;
    uint64_t reserved = ~((1ull << s->phys_bits) - 1) | 0x2ff;
    bool was_enabled = is_hw_enabled(s), was_x2apic = is_x2apic(s);
    bool enable = value & BASE_ENABLE, x2apic = value & BASE_X2APIC;

    if ((value & reserved) || (x2apic && !s->has_x2apic) || (x2apic && !enable) ||
        (was_x2apic && enable && !x2apic) || (!was_enabled && x2apic)) {
        return false;
    }
    s->base = (value & ~BASE_BSP) | (s->base & BASE_BSP);
    if (was_enabled && !enable) {
        reset_registers(s);
        s->id = s->initial_id & 0xff;
    } else if (x2apic && !was_x2apic) {
        s->icr_high = 0;
    }
    publish_page(s);
    update_cpu(s);
    return true;
}

static int
host_interrupt_ack(void *opaque)
{
    Lapic *s = opaque;
    int vector = deliverable_vector(s);

    if (vector >= 0) {
        set_bit(s->irr, vector, false);
        set_bit(s->isr, vector, true);
    } else if (extint_waits(s)) {
        s->extint_latched = false;
        vector = s->pic_ack ? s->pic_ack(s->pic_opaque) : -1;
    }
    update_cpu(s);
    return vector;
}

static void
host_init_taken(void *opaque)
{
    reset_registers(opaque);
}

static void
host_guest_error(void *opaque, const char *message)
{
    vit_guest_error(opaque, "%s", message);
}

static bool
host_ferr(void *opaque)
{
    Lapic *s = opaque;

    return !s->ferr || vit_ferr_raise(s->ferr);
}

void
vit_lapic_fill_host(VitDevice *dev, VitCpuHost *host)
{
    host->ferr = host_ferr;
    host->interrupt_ack = host_interrupt_ack;
    host->apic_get_cr8 = host_get_cr8;
    host->apic_set_cr8 = host_set_cr8;
    host->apic_get_base = host_get_base;
    host->apic_set_base = host_set_base;
    host->apic_read_msr = host_read_msr;
    host->apic_write_msr = host_write_msr;
    host->apic_get_tsc_deadline = host_get_tsc_deadline;
    host->apic_set_tsc_deadline = host_set_tsc_deadline;
    host->apic_mmio_read = host_mmio_read;
    host->apic_mmio_write = host_mmio_write;
    host->init_taken = host_init_taken;
    host->guest_error = host_guest_error;
    host->opaque = dev;
}

/* ---- The device ---- */

void
vit_lapic_attach(VitDevice *dev, VitDevice *bus, VitCpu *cpu, int (*pic_ack)(void *opaque),
                 void *pic_opaque)
{
    Lapic *s = (Lapic *)dev;

    s->bus = bus;
    s->cpu = cpu;
    s->pic_ack = pic_ack;
    s->pic_opaque = pic_opaque;
}

void
vit_lapic_set_ferr(VitDevice *dev, VitDevice *ferr)
{
    ((Lapic *)dev)->ferr = ferr;
}

static void
lapic_irq_in(VitDevice *dev, int n, int level)
{
    lapic_set_pin(dev, n, level != 0);
}

static void
lapic_reset(VitDevice *dev)
{
    Lapic *s = (Lapic *)dev;

    s->base = BASE_DEFAULT | BASE_ENABLE | (is_bsp(s) ? BASE_BSP : 0);
    s->id = s->initial_id & 0xff;
    reset_registers(s);
    publish_page(s);
}

static bool
lapic_realize(VitDevice *dev, GError **error)
{
    Lapic *s = (Lapic *)dev;
    VitApicTarget target = { lapic_matches, lapic_priority, lapic_accept, lapic_set_pin, s };

    vit_timer_init(&s->timer, dev->platform->clock, timer_expired, s);
    if (s->bus) {
        vit_apic_bus_add_target(s->bus, &target);
    }
    return true;
}

static void
lapic_unrealize(VitDevice *dev)
{
    Lapic *s = (Lapic *)dev;

    vit_timer_del(&s->timer);
    if (s->bus) {
        vit_apic_bus_remove_target(s->bus, s);
    }
}

static bool
lapic_post_load(VitDevice *dev, unsigned version, GError **error)
{
    Lapic *s = (Lapic *)dev;

    /* keeps what is subtracted from times within reason, whatever the stream says */
    s->timer_start_ns = CLAMP(s->timer_start_ns, -(1LL << 61), 1LL << 61);
    s->id &= 0xff;
    publish_page(s);
    update_cpu(s);
    return true;
}

static void
lapic_describe(VitDevice *dev, GString *out)
{
    Lapic *s = (Lapic *)dev;

    g_string_append_printf(out, "id %u, base 0x%" PRIx64 "%s%s%s\n", s->initial_id, s->base,
                           is_bsp(s) ? " bsp" : "", is_hw_enabled(s) ? " enabled" : "",
                           is_x2apic(s) ? " x2apic" : "");
    g_string_append_printf(out, "LVT timer 0x%x, LINT0 0x%x, LINT1 0x%x, error 0x%x\n",
                           s->lvt[LVT_TIMER], s->lvt[LVT_LINT0], s->lvt[LVT_LINT1],
                           s->lvt[LVT_ERROR]);
    g_string_append_printf(out, "timer initial %u, current %u, divide by %u\n", s->initial_count,
                           current_count(s), 1u << divide_shift(s));
    g_string_append_printf(out, "TPR 0x%02x, PPR 0x%02x, SVR 0x%x, ESR 0x%02x, LDR 0x%08x\n",
                           s->tpr, processor_priority(s), s->svr, s->esr, s->ldr);
    for (int vector = 16; vector < 256; vector++) {
        bool requested = get_bit(s->irr, vector), serviced = get_bit(s->isr, vector);

        if (requested || serviced) {
            g_string_append_printf(out, "vector %d:%s%s%s\n", vector, requested ? " requested" : "",
                                   serviced ? " in service" : "",
                                   get_bit(s->tmr, vector) ? " level" : "");
        }
    }
}

static const VitProp lapic_props[] = {
    VIT_PROP_UINT(Lapic, initial_id, "apic-id", 0, 0, 0xfffffffe, VIT_N_("APIC id")),
    VIT_PROP_UINT(Lapic, version, "version", 0x14, 0, 0xff, VIT_N_("Version register"),
                  .flags = VIT_PROP_HEX | VIT_PROP_HIDDEN),
    VIT_PROP_BOOL(Lapic, has_x2apic, "x2apic", true, VIT_N_("Offer x2APIC mode"),
                  .flags = VIT_PROP_HIDDEN),
    VIT_PROP_BOOL(Lapic, has_deadline, "tsc-deadline", true, VIT_N_("Offer TSC deadline mode"),
                  .flags = VIT_PROP_HIDDEN),
    VIT_PROP_UINT(Lapic, phys_bits, "phys-bits", 52, 32, 52, VIT_N_("Physical address width"),
                  .unit = "bits", .flags = VIT_PROP_HIDDEN),
    { 0 },
};

static const VitField lapic_state[] = {
    VIT_FIELD(Lapic, base),
    VIT_FIELD(Lapic, id),
    VIT_FIELD(Lapic, tpr),
    VIT_FIELD(Lapic, ldr),
    VIT_FIELD(Lapic, dfr),
    VIT_FIELD(Lapic, svr),
    VIT_FIELD(Lapic, esr),
    VIT_FIELD(Lapic, esr_pending),
    VIT_FIELD(Lapic, icr),
    VIT_FIELD(Lapic, icr_high),
    VIT_FIELD_ARRAY(Lapic, lvt),
    VIT_FIELD_ARRAY(Lapic, isr),
    VIT_FIELD_ARRAY(Lapic, tmr),
    VIT_FIELD_ARRAY(Lapic, irr),
    VIT_FIELD(Lapic, initial_count),
    VIT_FIELD(Lapic, divide),
    VIT_FIELD(Lapic, timer_start_ns),
    VIT_FIELD(Lapic, tsc_deadline),
    VIT_FIELD_ARRAY(Lapic, pins),
    VIT_FIELD(Lapic, extint_latched),
    VIT_FIELD_TIMER(Lapic, timer),
    VIT_TRANSIENT(Lapic, bus), /* wired by the board */
    VIT_TRANSIENT(Lapic, ferr),
    VIT_TRANSIENT(Lapic, cpu),
    VIT_TRANSIENT(Lapic, pic_ack),
    VIT_TRANSIENT(Lapic, pic_opaque),
    { 0 },
};

static const char *const lapic_aliases[] = { "apic", NULL };

const VitDeviceKind vit_lapic_kind = {
    .name = "lapic",
    .aliases = lapic_aliases,
    .title = VIT_N_("Local APIC"),
    .bus = VIT_BUS_NONE,
    .category = VIT_CATEGORY_CPU,
    VIT_DEVICE_SIZE(Lapic, VitDevice),
    .internal = true,
    .props = lapic_props,
    .state = lapic_state,
    .state_version = 1,
    .n_irq_in = 2,
    .realize = lapic_realize,
    .unrealize = lapic_unrealize,
    .reset = lapic_reset,
    .irq_in = lapic_irq_in,
    .post_load = lapic_post_load,
    .describe = lapic_describe,
};
