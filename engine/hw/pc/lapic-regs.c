/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Local APIC: the register file, as a page of memory (xAPIC) and as MSRs (x2APIC), and the
 * interrupt command register. Intel SDM volume 3, "Local APIC block diagram" with its register
 * tables, "Issuing interprocessor interrupts", "x2APIC register address space". IPIs are delivered
 * at once: the delivery status always reads idle. Thread: device lock held. */

#include "pc/lapic-private.h"

/* Bits software may write, by LVT entry. */
static const uint32_t lvt_writable[LVT_COUNT] = {
    [LVT_TIMER] = 0x000700ff, [LVT_THERMAL] = 0x000107ff, [LVT_PERF] = 0x000107ff,
    [LVT_LINT0] = 0x0001a7ff, [LVT_LINT1] = 0x0001a7ff,   [LVT_ERROR] = 0x000100ff,
};

static void
write_lvt(Lapic *s, unsigned n, uint32_t value)
{
    uint32_t before = s->lvt[n];

    if (n == LVT_TIMER) {
        vit_timer_run_if_due(&s->timer);
    }
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
        lapic_arm_timer(s, vit_clock_get_ns(s->dev.platform->clock), 0);
    }
    if ((n == LVT_LINT0 || n == LVT_LINT1) && s->pins[n - LVT_LINT0] && (value & LVT_LEVEL) &&
        lapic_lvt_delivery(s, n) == VIT_APIC_FIXED) {
        lapic_trigger_lvt(s, n);
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
        lapic_report_error(s, ESR_SEND_VECTOR);
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
    case REG_PPR: *out_value = lapic_processor_priority(s); break;
    case REG_SVR: *out_value = s->svr; break;
    case REG_ISR ... REG_ISR + 7: *out_value = s->isr[index - REG_ISR]; break;
    case REG_TMR ... REG_TMR + 7: *out_value = s->tmr[index - REG_TMR]; break;
    case REG_IRR ... REG_IRR + 7: *out_value = s->irr[index - REG_IRR]; break;
    case REG_ESR: *out_value = s->esr; break;
    case REG_LVT ... REG_LVT_LAST: *out_value = s->lvt[index - REG_LVT]; break;
    case REG_INITIAL_COUNT: *out_value = s->initial_count; break;
    case REG_CURRENT_COUNT: *out_value = lapic_current_count(s); break;
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
    case REG_EOI: lapic_end_of_interrupt(s); break;
    case REG_SVR: write_svr(s, value); break;
    case REG_ESR:
        s->esr = s->esr_pending;
        s->esr_pending = 0;
        break;
    case REG_LVT ... REG_LVT_LAST: write_lvt(s, index - REG_LVT, value); break;
    case REG_INITIAL_COUNT: lapic_write_initial_count(s, value); break;
    case REG_DIVIDE: lapic_write_divide(s, value); break;
    default: return false;
    }
    lapic_update_cpu(s);
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
            lapic_report_error(s, ESR_REGISTER);
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
            lapic_report_error(s, ESR_REGISTER);
        }
        break;
    }
}

/* Registers are 32 bits at multiples of 16; smaller reads get their part, the rest of each
 * 16-byte cell is undefined and reads as zero. */
uint64_t
lapic_mmio_read(void *opaque, uint32_t offset, unsigned size)
{
    unsigned lane = offset & 15;

    if (lane + size > 4 && lane != 0) {
        return 0;
    }
    return (uint64_t)read_mmio_register(opaque, offset >> 4 & 0xff) >> (lane * 8);
}

void
lapic_mmio_write(void *opaque, uint32_t offset, uint64_t value, unsigned size)
{
    Lapic *s = opaque;

    if ((offset & 15) || size < 4) {
        vit_guest_error(&s->dev, "write of %u bytes at offset 0x%x", size, offset);
        return;
    }
    write_mmio_register(s, offset >> 4 & 0xff, value);
}

bool
lapic_read_msr(void *opaque, uint32_t index, uint64_t *out_value)
{
    Lapic *s = opaque;
    uint32_t value;

    if (!lapic_is_x2apic(s)) {
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

bool
lapic_write_msr(void *opaque, uint32_t index, uint64_t value)
{
    Lapic *s = opaque;

    if (!lapic_is_x2apic(s) || (value & x2apic_reserved(s, index))) {
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
