/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Local APIC: interrupt requests, priorities and services, local sources, and messages from the
 * bus. Intel SDM volume 3, "Local vector table", "Interrupt acceptance for fixed interrupts", "Task
 * and processor priorities", "Determining IPI destination". Thread: device lock held. */

#include "pc/lapic-private.h"

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

uint32_t
lapic_processor_priority(const Lapic *s)
{
    uint32_t class = highest_class(s->isr);

    return (s->tpr & 0xf0) >= class ? s->tpr : class;
}

/* Vector to deliver now, or -1. */
int
lapic_deliverable_vector(const Lapic *s)
{
    int vector = lapic_is_sw_enabled(s) ? highest_bit(s->irr) : -1;

    return vector >= 0 && (vector & 0xf0) > (int)(lapic_processor_priority(s) & 0xf0) ? vector : -1;
}

/* Whether the 8259s' INTR reaches the CPU now. */
bool
lapic_extint_waits(const Lapic *s)
{
    if (s->extint_latched) {
        return true;
    }
    if (!lapic_is_hw_enabled(s)) {
        return s->pins[0] && lapic_is_bsp(s); /* the pin is INTR itself */
    }
    return s->pins[0] && !(s->lvt[LVT_LINT0] & LVT_MASKED) &&
           lapic_lvt_delivery(s, LVT_LINT0) == VIT_APIC_EXTINT;
}

void
lapic_update_cpu(Lapic *s)
{
    if (!s->cpu) {
        return;
    }
    if (lapic_extint_waits(s) || lapic_deliverable_vector(s) >= 0) {
        vit_cpu_raise(s->cpu, VIT_CPU_EVENT_INTR);
    } else {
        vit_cpu_lower(s->cpu, VIT_CPU_EVENT_INTR);
    }
}

static void accept_vector(Lapic *s, uint8_t vector, bool is_level);

void
lapic_report_error(Lapic *s, uint32_t bit)
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
    if (!lapic_is_sw_enabled(s)) {
        return;
    }
    if (vector < 16) {
        lapic_report_error(s, ESR_RECEIVE_VECTOR);
        return;
    }
    lapic_set_bit(s->irr, vector, true);
    lapic_set_bit(s->tmr, vector, is_level);
    lapic_update_cpu(s);
}

static void
raise_cpu(Lapic *s, uint32_t event)
{
    if (s->cpu) {
        vit_cpu_raise(s->cpu, event);
    }
}

/* A local source in LVT entry N asks. A level waits for EOI before it is taken again. */
void
lapic_trigger_lvt(Lapic *s, unsigned n)
{
    uint32_t lvt = s->lvt[n];
    bool is_pin = n == LVT_LINT0 || n == LVT_LINT1;

    if (lvt & LVT_MASKED) {
        return;
    }
    switch (n == LVT_TIMER || n == LVT_ERROR ? VIT_APIC_FIXED : lapic_lvt_delivery(s, n)) {
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
    default: break; /* ExtINT is a level, see lapic_extint_waits() */
    }
}

void
lapic_set_pin(void *opaque, unsigned lint, bool level)
{
    Lapic *s = opaque;
    bool rose = level && !s->pins[lint];

    s->pins[lint] = level;
    if (!lapic_is_hw_enabled(s)) {
        if (lint == 1 && rose && lapic_is_bsp(s)) {
            raise_cpu(s, VIT_CPU_EVENT_NMI);
        }
    } else if (rose) {
        lapic_trigger_lvt(s, LVT_LINT0 + lint);
    }
    lapic_update_cpu(s);
}

void
lapic_end_of_interrupt(Lapic *s)
{
    int vector = highest_bit(s->isr);

    if (vector < 0) {
        return;
    }
    lapic_set_bit(s->isr, vector, false);
    if (lapic_get_bit(s->tmr, vector)) {
        for (unsigned n = LVT_LINT0; n <= LVT_LINT1; n++) {
            if ((s->lvt[n] & LVT_REMOTE_IRR) && (s->lvt[n] & LVT_VECTOR) == (unsigned)vector) {
                s->lvt[n] &= ~LVT_REMOTE_IRR;
                if (s->pins[n - LVT_LINT0]) {
                    lapic_trigger_lvt(s, n);
                }
            }
        }
        if (s->bus) {
            vit_apic_bus_broadcast_eoi(s->bus, vector);
        }
    }
    lapic_update_cpu(s);
}

/* ---- The bus side ---- */

bool
lapic_matches(void *opaque, uint32_t dest, bool is_logical)
{
    const Lapic *s = opaque;

    if (!lapic_is_hw_enabled(s)) {
        return false;
    }
    if (dest == VIT_APIC_BROADCAST) {
        return true;
    }
    if (lapic_is_x2apic(s)) {
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

int
lapic_priority(void *opaque)
{
    const Lapic *s = opaque;

    if (!lapic_is_sw_enabled(s)) {
        return -1;
    }
    return MAX(MAX(highest_class(s->irr), highest_class(s->isr)), s->tpr & 0xf0);
}

void
lapic_accept(void *opaque, const VitApicMessage *message)
{
    Lapic *s = opaque;

    if (!lapic_is_hw_enabled(s)) {
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
        if (lapic_is_sw_enabled(s)) {
            s->extint_latched = true;
            lapic_update_cpu(s);
        }
        break;
    default: vit_guest_error(&s->dev, "interrupt message of reserved mode %u", message->delivery);
    }
}
