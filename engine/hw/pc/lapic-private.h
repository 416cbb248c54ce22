/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the files of the local APIC share: lapic.c (the device and its CPU's callbacks), lapic-irq.c
 * (requests, priorities, messages), lapic-timer.c, lapic-regs.c (the register file in both modes).
 * Thread: device lock held. */

#include "pc/apic-bus.h"
#include "pc/lapic.h"

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

static inline bool
lapic_is_bsp(const Lapic *s)
{
    return s->cpu ? s->cpu->is_bsp : s->initial_id == 0;
}

static inline bool
lapic_is_x2apic(const Lapic *s)
{
    return (s->base & (BASE_ENABLE | BASE_X2APIC)) == (BASE_ENABLE | BASE_X2APIC);
}

static inline bool
lapic_is_hw_enabled(const Lapic *s)
{
    return s->base & BASE_ENABLE;
}

static inline bool
lapic_is_sw_enabled(const Lapic *s)
{
    return lapic_is_hw_enabled(s) && (s->svr & SVR_ENABLE);
}

static inline void
lapic_set_bit(uint32_t bits[8], uint8_t vector, bool value)
{
    if (value) {
        bits[vector / 32] |= 1u << vector % 32;
    } else {
        bits[vector / 32] &= ~(1u << vector % 32);
    }
}

static inline bool
lapic_get_bit(const uint32_t bits[8], uint8_t vector)
{
    return bits[vector / 32] >> vector % 32 & 1;
}

static inline unsigned
lapic_lvt_delivery(const Lapic *s, unsigned n)
{
    return s->lvt[n] >> LVT_DELIVERY_SHIFT & 7;
}

static inline uint32_t
lapic_timer_mode(const Lapic *s)
{
    return s->lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

/* ---- lapic-irq.c ---- */

uint32_t lapic_processor_priority(const Lapic *s);
/* Vector to deliver now, or -1. */
int lapic_deliverable_vector(const Lapic *s);
/* Whether the 8259s' INTR reaches the CPU now. */
bool lapic_extint_waits(const Lapic *s);
/* Raises or lowers the CPU's INTR event; after every change of the above. */
void lapic_update_cpu(Lapic *s);
/* Notes BIT for the error status register and interrupts where that is asked for. */
void lapic_report_error(Lapic *s, uint32_t bit);
/* A local source in LVT entry N asks. A level waits for EOI before it is taken again. */
void lapic_trigger_lvt(Lapic *s, unsigned n);
void lapic_end_of_interrupt(Lapic *s);
/* VitApicTarget; OPAQUE is the Lapic. */
bool lapic_matches(void *opaque, uint32_t dest, bool is_logical);
int lapic_priority(void *opaque);
void lapic_accept(void *opaque, const VitApicMessage *message);
void lapic_set_pin(void *opaque, unsigned lint, bool level);

/* ---- lapic-timer.c ---- */

unsigned lapic_divide_shift(const Lapic *s);
uint32_t lapic_current_count(const Lapic *s);
/* Waits for the next expiry of the count-down modes, at NOT_BEFORE_NS or later. */
void lapic_arm_timer(Lapic *s, int64_t now, int64_t not_before_ns);
void lapic_timer_expired(void *opaque);
void lapic_write_initial_count(Lapic *s, uint32_t value);
void lapic_write_divide(Lapic *s, uint32_t value);
/* VitCpuHost. */
uint64_t lapic_get_tsc_deadline(void *opaque);
void lapic_set_tsc_deadline(void *opaque, uint64_t tsc, int64_t deadline_ns);

/* ---- lapic-regs.c, for VitCpuHost ---- */

uint64_t lapic_mmio_read(void *opaque, uint32_t offset, unsigned size);
void lapic_mmio_write(void *opaque, uint32_t offset, uint64_t value, unsigned size);
bool lapic_read_msr(void *opaque, uint32_t index, uint64_t *out_value);
bool lapic_write_msr(void *opaque, uint32_t index, uint64_t value);
