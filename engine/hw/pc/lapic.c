/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Local APIC, xAPIC and x2APIC: the device and what it does for its CPU. Intel SDM volume 3,
 * "Advanced programmable interrupt controller", all of its sections but performance-monitoring and
 * thermal sources (their LVT entries exist and nothing raises them) and cluster-hierarchical xAPIC
 * addressing.
 *
 * The registers are reached through VitCpuHost callbacks: each CPU's executor sends its own APIC
 * page and MSRs here. Out of reset LINT0 of the bootstrap CPU is in ExtINT mode, as firmware for
 * this board expects.
 *
 * Deviation: input polarity is ignored, since lines carry "asserted".
 *
 * Thread: device lock held. */

#include "pc/ferr.h"
#include "pc/lapic-private.h"

#include <inttypes.h>
#include <string.h>

/* The CPU that sleeps until its timer's deadline comes first, if the host wakes both at once. */
enum { GRACE_NS = 30000 };

VIT_DEVICE_LAYOUT(Lapic)

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
    lapic_update_cpu(s);
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
    if (lapic_is_bsp(s)) {
        s->lvt[LVT_LINT0] = VIT_APIC_EXTINT << LVT_DELIVERY_SHIFT;
    }
    lapic_update_cpu(s);
}

/* Tells the CPU where its APIC page is. */
static void
publish_page(Lapic *s)
{
    uint64_t page = lapic_is_hw_enabled(s) && !lapic_is_x2apic(s) ? s->base & BASE_ADDRESS : 0;

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
    bool was_enabled = lapic_is_hw_enabled(s), was_x2apic = lapic_is_x2apic(s);
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
    lapic_update_cpu(s);
    return true;
}

static int
host_interrupt_ack(void *opaque)
{
    Lapic *s = opaque;
    int vector = lapic_deliverable_vector(s);

    if (vector >= 0) {
        lapic_set_bit(s->irr, vector, false);
        lapic_set_bit(s->isr, vector, true);
    } else if (lapic_extint_waits(s)) {
        s->extint_latched = false;
        vector = s->pic_ack ? s->pic_ack(s->pic_opaque) : -1;
    }
    lapic_update_cpu(s);
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
    host->apic_read_msr = lapic_read_msr;
    host->apic_write_msr = lapic_write_msr;
    host->apic_get_tsc_deadline = lapic_get_tsc_deadline;
    host->apic_set_tsc_deadline = lapic_set_tsc_deadline;
    host->apic_timer = &((Lapic *)dev)->timer;
    host->apic_mmio_read = lapic_mmio_read;
    host->apic_mmio_write = lapic_mmio_write;
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

    s->base = BASE_DEFAULT | BASE_ENABLE | (lapic_is_bsp(s) ? BASE_BSP : 0);
    s->id = s->initial_id & 0xff;
    reset_registers(s);
    publish_page(s);
}

static bool
lapic_realize(VitDevice *dev, GError **error)
{
    Lapic *s = (Lapic *)dev;
    VitApicTarget target = { lapic_matches, lapic_priority, lapic_accept, lapic_set_pin, s };

    vit_timer_init(&s->timer, dev->platform->clock, lapic_timer_expired, s);
    vit_timer_set_grace(&s->timer, GRACE_NS);
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
    lapic_update_cpu(s);
    return true;
}

static void
lapic_describe(VitDevice *dev, GString *out)
{
    Lapic *s = (Lapic *)dev;

    g_string_append_printf(out, "id %u, base 0x%" PRIx64 "%s%s%s\n", s->initial_id, s->base,
                           lapic_is_bsp(s) ? " bsp" : "", lapic_is_hw_enabled(s) ? " enabled" : "",
                           lapic_is_x2apic(s) ? " x2apic" : "");
    g_string_append_printf(out, "LVT timer 0x%x, LINT0 0x%x, LINT1 0x%x, error 0x%x\n",
                           s->lvt[LVT_TIMER], s->lvt[LVT_LINT0], s->lvt[LVT_LINT1],
                           s->lvt[LVT_ERROR]);
    g_string_append_printf(out, "timer initial %u, current %u, divide by %u\n", s->initial_count,
                           lapic_current_count(s), 1u << lapic_divide_shift(s));
    g_string_append_printf(out, "TPR 0x%02x, PPR 0x%02x, SVR 0x%x, ESR 0x%02x, LDR 0x%08x\n",
                           s->tpr, lapic_processor_priority(s), s->svr, s->esr, s->ldr);
    for (int vector = 16; vector < 256; vector++) {
        bool requested = lapic_get_bit(s->irr, vector), serviced = lapic_get_bit(s->isr, vector);

        if (requested || serviced) {
            g_string_append_printf(out, "vector %d:%s%s%s\n", vector, requested ? " requested" : "",
                                   serviced ? " in service" : "",
                                   lapic_get_bit(s->tmr, vector) ? " level" : "");
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
