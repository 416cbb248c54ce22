/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Local APICs of three CPUs, their bus and the I/O APIC, as CPUs and devices see them. */

#include "hw-rig.h"
#include "pc/apic-bus.h"
#include "pc/ioapic.h"
#include "pc/lapic.h"

extern const VitDeviceKind vit_lapic_kind, vit_apic_bus_kind, vit_ioapic_kind;

enum { CPUS = 3 };
enum {
    R_ID = 0x20,
    R_VERSION = 0x30,
    R_TPR = 0x80,
    R_PPR = 0xa0,
    R_EOI = 0xb0,
    R_LDR = 0xd0,
    R_DFR = 0xe0,
    R_SVR = 0xf0,
    R_ISR = 0x100,
    R_TMR = 0x180,
    R_IRR = 0x200,
    R_ESR = 0x280,
    R_ICR = 0x300,
    R_ICR_HIGH = 0x310,
    R_TIMER = 0x320,
    R_LINT0 = 0x350,
    R_LINT1 = 0x360,
    R_ERROR = 0x370,
    R_INITIAL = 0x380,
    R_CURRENT = 0x390,
    R_DIVIDE = 0x3e0,
};

typedef struct Fixture {
    HwRig *rig;
    VitDevice *bus, *ioapic;
    VitDevice *lapics[CPUS];
    VitCpu cpus[CPUS];
    VitCpuHost hosts[CPUS];
    unsigned pic_acks;
} Fixture;

static int
ack_pic(void *opaque)
{
    ((Fixture *)opaque)->pic_acks++;
    return 0x08;
}

static uint32_t
rd(Fixture *f, unsigned cpu, unsigned reg)
{
    return f->hosts[cpu].apic_mmio_read(f->hosts[cpu].opaque, reg, 4);
}

static void
wr(Fixture *f, unsigned cpu, unsigned reg, uint32_t value)
{
    f->hosts[cpu].apic_mmio_write(f->hosts[cpu].opaque, reg, value, 4);
}

static int
ack(Fixture *f, unsigned cpu)
{
    return f->hosts[cpu].interrupt_ack(f->hosts[cpu].opaque);
}

static bool
has(Fixture *f, unsigned cpu, uint32_t event)
{
    return vit_cpu_events(&f->cpus[cpu]) & event;
}

static bool
wants(Fixture *f, unsigned cpu)
{
    return has(f, cpu, VIT_CPU_EVENT_INTR);
}

static void
set_up(Fixture *f, gconstpointer data)
{
    VitPlatform *platform;

    f->rig = hw_rig_new();
    platform = &f->rig->test.platform;
    f->bus = hw_rig_add(f->rig, &vit_apic_bus_kind, NULL);
    for (unsigned i = 0; i < CPUS; i++) {
        g_autofree char *id = g_strdup_printf("%u", i);

        f->cpus[i] = (VitCpu){ .index = i, .apic_id = i, .is_bsp = i == 0 };
        f->lapics[i] = hw_rig_create(f->rig, &vit_lapic_kind);
        g_assert_true(vit_device_set(f->lapics[i], "apic-id", id, NULL, NULL));
        vit_lapic_attach(f->lapics[i], f->bus, &f->cpus[i], ack_pic, f);
        vit_lapic_fill_host(f->lapics[i], &f->hosts[i]);
        g_assert_true(vit_device_realize(f->lapics[i], NULL, platform, NULL));
        wr(f, i, R_SVR, 0x1ff);
    }
    f->ioapic = hw_rig_create(f->rig, &vit_ioapic_kind);
    vit_ioapic_attach(f->ioapic, f->bus);
    g_assert_true(vit_device_realize(f->ioapic, NULL, platform, NULL));
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    vit_device_free(f->ioapic);
    for (unsigned i = 0; i < CPUS; i++) {
        vit_device_free(f->lapics[i]);
    }
    vit_device_free(f->bus);
    hw_rig_free(f->rig);
}

static void
msi(Fixture *f, uint32_t address_bits, uint32_t data)
{
    vit_dma_write32(f->rig->test.platform.memory, 0xfee00000 | address_bits, data);
}

/* ---- Local APIC ---- */

static void
test_identity(Fixture *f, gconstpointer data)
{
    uint64_t base = f->hosts[1].apic_get_base(f->hosts[1].opaque);

    g_assert_cmphex(rd(f, 1, R_ID), ==, 0x01000000);
    g_assert_cmphex(rd(f, 1, R_VERSION), ==, 0x00050014);
    g_assert_cmphex(base, ==, 0xfee00800);
    g_assert_cmphex(f->hosts[0].apic_get_base(f->hosts[0].opaque), ==, 0xfee00900);
    g_assert_cmphex(f->cpus[1].apic_page, ==, 0xfee00000);
    g_assert_true(f->hosts[1].apic_set_base(f->hosts[1].opaque, 0xfd000800));
    g_assert_cmphex(f->cpus[1].apic_page, ==, 0xfd000000);
    g_assert_true(has(f, 1, VIT_CPU_EVENT_MAP_CHANGED));
    g_assert_true(f->hosts[1].apic_set_base(f->hosts[1].opaque, 0xfd000000));
    g_assert_cmphex(f->cpus[1].apic_page, ==, 0);
    /* a byte of a register, and the void between registers */
    g_assert_cmphex(f->hosts[2].apic_mmio_read(f->hosts[2].opaque, R_ID + 3, 1), ==, 0x02);
    g_assert_cmphex(f->hosts[2].apic_mmio_read(f->hosts[2].opaque, R_ID + 4, 4), ==, 0);
}

static void
test_priority(Fixture *f, gconstpointer data)
{
    msi(f, 1 << 12, 0x45);
    msi(f, 1 << 12, 0x52);
    g_assert_false(wants(f, 0));
    g_assert_true(wants(f, 1));
    g_assert_cmphex(rd(f, 1, R_IRR + 0x20), ==, 1u << 5 | 1u << 18);
    g_assert_cmphex(ack(f, 1), ==, 0x52);
    g_assert_false(wants(f, 1)); /* 0x45 is of a lower class */
    g_assert_cmphex(rd(f, 1, R_PPR), ==, 0x50);
    g_assert_cmphex(rd(f, 1, R_ISR + 0x20), ==, 1u << 18);
    msi(f, 1 << 12, 0x61);
    g_assert_cmphex(ack(f, 1), ==, 0x61);
    wr(f, 1, R_EOI, 0);
    g_assert_cmphex(rd(f, 1, R_PPR), ==, 0x50);
    wr(f, 1, R_EOI, 0);
    g_assert_true(wants(f, 1));
    /* the task priority holds it back, by register or CR8 */
    wr(f, 1, R_TPR, 0x40);
    g_assert_false(wants(f, 1));
    g_assert_cmpuint(f->hosts[1].apic_get_cr8(f->hosts[1].opaque), ==, 4);
    f->hosts[1].apic_set_cr8(f->hosts[1].opaque, 3);
    g_assert_true(wants(f, 1));
    g_assert_cmphex(ack(f, 1), ==, 0x45);
    g_assert_cmpint(ack(f, 1), ==, -1);
    /* switched off by software it takes nothing */
    wr(f, 1, R_EOI, 0);
    wr(f, 1, R_SVR, 0xff);
    msi(f, 1 << 12, 0x45);
    g_assert_cmphex(rd(f, 1, R_IRR + 0x20), ==, 0);
    wr(f, 1, R_TIMER, 0x20);
    g_assert_cmphex(rd(f, 1, R_TIMER), ==, 0x10020); /* masks stick */
}

static void
test_logical(Fixture *f, gconstpointer data)
{
    for (unsigned i = 0; i < CPUS; i++) {
        wr(f, i, R_LDR, 1u << (24 + i));
    }
    msi(f, 6 << 12 | 4, 0x31);
    g_assert_false(wants(f, 0));
    g_assert_true(wants(f, 1) && wants(f, 2));
    ack(f, 1);
    ack(f, 2);
    /* lowest priority: the busy one is passed over, then they take turns */
    msi(f, 7 << 12 | 4, 0x141);
    g_assert_true(wants(f, 0) && !wants(f, 1) && !wants(f, 2));
    wr(f, 1, R_EOI, 0);
    wr(f, 2, R_EOI, 0);
    ack(f, 0);
    wr(f, 0, R_EOI, 0);
    msi(f, 7 << 12 | 4, 0x141);
    g_assert_true(!wants(f, 0) && wants(f, 1) && !wants(f, 2));
    ack(f, 1);
    wr(f, 1, R_EOI, 0);
    msi(f, 7 << 12 | 4 | 8, 0x41); /* redirection hint means the same */
    g_assert_true(!wants(f, 0) && !wants(f, 1) && wants(f, 2));
    ack(f, 2);

    /* cluster model: cluster 1 members 1 and 2, cluster 2 member 1 */
    for (unsigned i = 0; i < CPUS; i++) {
        wr(f, i, R_DFR, 0);
        wr(f, i, R_LDR, (i < 2 ? 0x10 | 1u << i : 0x21) << 24);
    }
    msi(f, 0x13 << 12 | 4, 0x71);
    g_assert_true(wants(f, 0) && wants(f, 1) && !wants(f, 2));
    ack(f, 0);
    ack(f, 1);
    msi(f, 0xff << 12 | 4, 0x81);
    g_assert_true(wants(f, 0) && wants(f, 1) && wants(f, 2));
}

static void
test_ipi(Fixture *f, gconstpointer data)
{
    wr(f, 0, R_ICR_HIGH, 0x02000000);
    wr(f, 0, R_ICR, 0x33);
    g_assert_true(wants(f, 2) && !wants(f, 1) && !wants(f, 0));
    wr(f, 0, R_ICR, 0x40034); /* self */
    g_assert_cmphex(ack(f, 0), ==, 0x34);
    wr(f, 1, R_ICR, 0xc0035); /* others */
    g_assert_true(wants(f, 2) && !wants(f, 1));
    wr(f, 1, R_ICR, 0x80045); /* all */
    g_assert_true(wants(f, 0) && wants(f, 1));
    /* INIT, its de-assertion, start-up */
    wr(f, 0, R_ICR, 0xc4500);
    g_assert_true(has(f, 1, VIT_CPU_EVENT_INIT) && has(f, 2, VIT_CPU_EVENT_INIT));
    g_assert_false(has(f, 0, VIT_CPU_EVENT_INIT));
    vit_cpu_lower(&f->cpus[1], VIT_CPU_EVENT_INIT);
    wr(f, 0, R_ICR, 0xc8500);
    g_assert_false(has(f, 1, VIT_CPU_EVENT_INIT));
    wr(f, 0, R_ICR, 0x469a);
    g_assert_true(has(f, 2, VIT_CPU_EVENT_SIPI));
    g_assert_cmphex(f->cpus[2].sipi_vector, ==, 0x9a);
    wr(f, 0, R_ICR, 0x400);
    g_assert_true(has(f, 2, VIT_CPU_EVENT_NMI));
    wr(f, 0, R_ICR, 0x200);
    g_assert_true(has(f, 2, VIT_CPU_EVENT_SMI));
    /* after INIT it is as after power on, but for its base and id */
    f->hosts[2].init_taken(f->hosts[2].opaque);
    g_assert_cmphex(rd(f, 2, R_SVR), ==, 0xff);
    g_assert_cmphex(rd(f, 2, R_ID), ==, 0x02000000);
    g_assert_false(wants(f, 2));
}

static void
test_errors(Fixture *f, gconstpointer data)
{
    wr(f, 0, R_ERROR, 0xfe);
    wr(f, 0, R_ICR, 0x40005);
    g_assert_cmphex(ack(f, 0), ==, 0xfe);
    g_assert_cmphex(rd(f, 0, R_ESR), ==, 0);
    wr(f, 0, R_ESR, 0);
    g_assert_cmphex(rd(f, 0, R_ESR), ==, 0x20);
    msi(f, 0, 0x05);
    rd(f, 0, 0x40);
    wr(f, 0, R_ESR, 0);
    g_assert_cmphex(rd(f, 0, R_ESR), ==, 0xc0);
    /* an error entry that is itself illegal must not run away */
    wr(f, 0, R_ERROR, 0x03);
    msi(f, 0, 0x05);
    wr(f, 0, R_ESR, 0);
    g_assert_cmphex(rd(f, 0, R_ESR), ==, 0x40);
}

static void
test_timer(Fixture *f, gconstpointer data)
{
    wr(f, 0, R_TIMER, 0x50);
    wr(f, 0, R_DIVIDE, 0x3); /* by 16: 16 ns a count */
    wr(f, 0, R_INITIAL, 1000000);
    hw_rig_step_ns(f->rig, 8000000);
    g_assert_cmpuint(rd(f, 0, R_CURRENT), ==, 500000);
    g_assert_false(wants(f, 0));
    hw_rig_step_ns(f->rig, 8000000);
    g_assert_cmphex(ack(f, 0), ==, 0x50);
    g_assert_cmpuint(rd(f, 0, R_CURRENT), ==, 0);
    wr(f, 0, R_EOI, 0);
    hw_rig_step_ns(f->rig, VIT_NS_PER_SEC);
    g_assert_false(wants(f, 0));

    wr(f, 0, R_TIMER, 0x20050); /* periodic, by 1 */
    wr(f, 0, R_DIVIDE, 0xb);
    wr(f, 0, R_INITIAL, 1000000);
    for (unsigned i = 0; i < 100; i++) {
        hw_rig_step_ns(f->rig, 1000000);
        g_assert_cmphex(ack(f, 0), ==, 0x50);
        wr(f, 0, R_EOI, 0);
    }
    wr(f, 0, R_TIMER, 0x30050); /* masked: it counts on in silence */
    hw_rig_step_ns(f->rig, 5250000);
    g_assert_false(wants(f, 0));
    g_assert_cmpuint(rd(f, 0, R_CURRENT), ==, 750000);
    wr(f, 0, R_TIMER, 0x20050);
    wr(f, 0, R_INITIAL, 1); /* a nanosecond */
    hw_rig_step_ns(f->rig, VIT_NS_PER_SEC / 10);
    wr(f, 0, R_INITIAL, 0);
    g_assert_cmpuint(rd(f, 0, R_CURRENT), ==, 0);
}

/* An expiry that the machine thread has not come to is not lost to what the guest writes next. */
static void
test_timer_owed(Fixture *f, gconstpointer data)
{
    static const struct {
        unsigned reg;
        uint32_t value;
    } writes[] = {
        { R_DIVIDE, 0x0 }, { R_TIMER, 0x20051 }, { R_INITIAL, 5000 }, { R_TIMER, 0x10051 }
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(writes); i++) {
        wr(f, 0, R_TIMER, 0x51);
        wr(f, 0, R_DIVIDE, 0xb);
        wr(f, 0, R_INITIAL, 1000);
        hw_rig_oversleep_ns(f->rig, 1000000);
        g_assert_false(wants(f, 0));
        wr(f, 0, writes[i].reg, writes[i].value);
        g_assert_cmphex(ack(f, 0), ==, 0x51);
        wr(f, 0, R_EOI, 0);
        wr(f, 0, R_INITIAL, 0);
        g_assert_false(wants(f, 0));
    }
}

static void
test_deadline(Fixture *f, gconstpointer data)
{
    const VitCpuHost *host = &f->hosts[0];
    int64_t now = hw_rig_now(f->rig);

    host->apic_set_tsc_deadline(host->opaque, 99, now + 1000);
    g_assert_cmpuint(host->apic_get_tsc_deadline(host->opaque), ==, 0); /* not in this mode */
    wr(f, 0, R_TIMER, 0x40060);
    host->apic_set_tsc_deadline(host->opaque, 99, now + 5000);
    g_assert_cmpuint(host->apic_get_tsc_deadline(host->opaque), ==, 99);
    hw_rig_step_ns(f->rig, 4999);
    g_assert_false(wants(f, 0));
    hw_rig_step_ns(f->rig, 1);
    g_assert_cmphex(ack(f, 0), ==, 0x60);
    wr(f, 0, R_EOI, 0);
    g_assert_cmpuint(host->apic_get_tsc_deadline(host->opaque), ==, 0);
    host->apic_set_tsc_deadline(host->opaque, 1, now); /* gone by */
    g_assert_cmphex(ack(f, 0), ==, 0x60);
    host->apic_set_tsc_deadline(host->opaque, 99, now + 1000000);
    host->apic_set_tsc_deadline(host->opaque, 0, 0);
    wr(f, 0, R_EOI, 0);
    hw_rig_step_ns(f->rig, 2000000);
    g_assert_false(wants(f, 0));
}

static void
test_lint(Fixture *f, gconstpointer data)
{
    VitIrq intr = vit_device_irq_in(f->bus, 0), nmi = vit_device_irq_in(f->bus, 1);

    /* virtual wire: only the bootstrap CPU listens, at once after reset */
    vit_device_reset(f->lapics[0]);
    vit_irq_set(&intr, 1);
    g_assert_true(wants(f, 0));
    g_assert_false(wants(f, 1));
    g_assert_cmphex(ack(f, 0), ==, 0x08);
    vit_irq_set(&intr, 0);
    g_assert_false(wants(f, 0));
    wr(f, 0, R_SVR, 0x1ff);
    wr(f, 0, R_LINT0, 0x10700);
    vit_irq_set(&intr, 1);
    g_assert_false(wants(f, 0));
    wr(f, 0, R_LINT0, 0x8700);
    g_assert_true(wants(f, 0));
    g_assert_cmpuint(f->pic_acks, ==, 1);
    /* without the APIC the pins are INTR and NMI themselves */
    wr(f, 0, R_LINT0, 0x10000);
    g_assert_true(f->hosts[0].apic_set_base(f->hosts[0].opaque, 0xfee00000));
    g_assert_true(wants(f, 0));
    vit_irq_set(&nmi, 1);
    g_assert_true(has(f, 0, VIT_CPU_EVENT_NMI));
    g_assert_false(has(f, 1, VIT_CPU_EVENT_NMI));

    wr(f, 1, R_LINT1, 0x400);
    vit_irq_set(&nmi, 0);
    vit_irq_set(&nmi, 1);
    g_assert_true(has(f, 1, VIT_CPU_EVENT_NMI));
    /* a fixed level pin: once per EOI while it is high */
    vit_irq_set(&intr, 0);
    wr(f, 2, R_LINT0, 0x8044);
    vit_irq_set(&intr, 1);
    g_assert_cmphex(ack(f, 2), ==, 0x44);
    g_assert_cmphex(rd(f, 2, R_LINT0), ==, 0xc044);
    wr(f, 2, R_EOI, 0);
    g_assert_cmphex(ack(f, 2), ==, 0x44);
    vit_irq_set(&intr, 0);
    wr(f, 2, R_EOI, 0);
    g_assert_false(wants(f, 2));
    g_assert_cmphex(rd(f, 2, R_LINT0), ==, 0x8044);
}

static void
test_x2apic(Fixture *f, gconstpointer data)
{
    const VitCpuHost *host = &f->hosts[1];
    uint64_t value;

    g_assert_false(host->apic_read_msr(host->opaque, 0x02, &value));
    g_assert_false(host->apic_set_base(host->opaque, 0xfee00400)); /* x2APIC while off */
    g_assert_true(host->apic_set_base(host->opaque, 0xfee00c00));
    g_assert_false(host->apic_set_base(host->opaque, 0xfee00800)); /* no way back but off */
    g_assert_false(host->apic_set_base(host->opaque, 0x10fee00c01));
    g_assert_cmphex(f->cpus[1].apic_page, ==, 0);
    g_assert_true(host->apic_read_msr(host->opaque, 0x02, &value));
    g_assert_cmphex(value, ==, 1);
    g_assert_true(host->apic_read_msr(host->opaque, 0x0d, &value));
    g_assert_cmphex(value, ==, 2);
    g_assert_false(host->apic_read_msr(host->opaque, 0x0e, &value)); /* no DFR */
    g_assert_false(host->apic_read_msr(host->opaque, 0x31, &value));
    g_assert_false(host->apic_write_msr(host->opaque, 0x02, 5));
    g_assert_false(host->apic_write_msr(host->opaque, 0x08, 0x100));
    g_assert_false(host->apic_write_msr(host->opaque, 0x0b, 1));
    g_assert_true(host->apic_write_msr(host->opaque, 0x3f, 0x66)); /* self */
    g_assert_cmphex(ack(f, 1), ==, 0x66);
    g_assert_true(host->apic_write_msr(host->opaque, 0x0b, 0));
    g_assert_true(host->apic_write_msr(host->opaque, 0x30, 2ull << 32 | 0x55));
    g_assert_cmphex(ack(f, 2), ==, 0x55);
    g_assert_true(host->apic_write_msr(host->opaque, 0x30, 0xffffffffull << 32 | 0x77));
    g_assert_true(wants(f, 0) && wants(f, 1) && wants(f, 2));
    ack(f, 1);
    /* an 8-bit sender reaches it too */
    g_assert_true(host->apic_write_msr(host->opaque, 0x0b, 0));
    msi(f, 1 << 12, 0x45);
    g_assert_cmphex(ack(f, 1), ==, 0x45);
    /* off and on again: xAPIC, as from reset */
    g_assert_true(host->apic_set_base(host->opaque, 0xfee00000));
    g_assert_true(host->apic_set_base(host->opaque, 0xfee00800));
    g_assert_cmphex(rd(f, 1, R_SVR), ==, 0xff);
}

/* ---- I/O APIC ---- */

static uint32_t
io_rd(Fixture *f, unsigned reg)
{
    vit_dma_write32(f->rig->test.platform.memory, 0xfec00000, reg);
    return vit_dma_read32(f->rig->test.platform.memory, 0xfec00010);
}

static void
io_wr(Fixture *f, unsigned reg, uint32_t value)
{
    vit_dma_write32(f->rig->test.platform.memory, 0xfec00000, reg);
    vit_dma_write32(f->rig->test.platform.memory, 0xfec00010, value);
}

static void
route(Fixture *f, unsigned pin, uint32_t low, uint8_t dest)
{
    io_wr(f, 0x11 + 2 * pin, (uint32_t)dest << 24);
    io_wr(f, 0x10 + 2 * pin, low);
}

static void
pin(Fixture *f, int n, int level)
{
    VitIrq line = vit_device_irq_in(f->ioapic, n);

    vit_irq_set(&line, level);
}

static void
test_ioapic_edge(Fixture *f, gconstpointer data)
{
    g_assert_cmphex(io_rd(f, 1), ==, 0x00170020);
    io_wr(f, 0, 0x0f000000);
    g_assert_cmphex(io_rd(f, 0), ==, 0x0f000000);
    g_assert_cmphex(io_rd(f, 0x10), ==, 0x00010000);
    route(f, 4, 0x34, 1);
    g_assert_cmphex(io_rd(f, 0x19), ==, 0x01000000);
    pin(f, 4, 1);
    g_assert_cmphex(ack(f, 1), ==, 0x34);
    wr(f, 1, R_EOI, 0);
    g_assert_false(wants(f, 1));
    pin(f, 4, 0);
    route(f, 4, 0x10034, 1);
    pin(f, 4, 1); /* lost: masked */
    route(f, 4, 0x34, 1);
    g_assert_false(wants(f, 1));
    g_assert_cmphex(io_rd(f, 0x40), ==, 0); /* no such register */
}

static void
test_ioapic_level(Fixture *f, gconstpointer data)
{
    route(f, 10, 0x1803a, 2);
    pin(f, 10, 1);
    g_assert_false(wants(f, 2));
    route(f, 10, 0x803a, 2); /* a level is not lost */
    g_assert_cmphex(io_rd(f, 0x24), ==, 0xc03a);
    g_assert_cmphex(ack(f, 2), ==, 0x3a);
    g_assert_cmphex(rd(f, 2, R_TMR + 0x10), ==, 1u << 26);
    wr(f, 2, R_EOI, 0);
    g_assert_true(wants(f, 2)); /* still high */
    ack(f, 2);
    pin(f, 10, 0);
    wr(f, 2, R_EOI, 0);
    g_assert_false(wants(f, 2));
    g_assert_cmphex(io_rd(f, 0x24), ==, 0x803a);
    /* the EOI register, and the turn through edge mode of older guests */
    pin(f, 10, 1);
    vit_dma_write32(f->rig->test.platform.memory, 0xfec00040, 0x3a);
    g_assert_cmphex(io_rd(f, 0x24), ==, 0xc03a); /* cleared and set again: the pin is high */
    pin(f, 10, 0);
    vit_dma_write32(f->rig->test.platform.memory, 0xfec00040, 0x3a);
    g_assert_cmphex(io_rd(f, 0x24), ==, 0x803a);
    pin(f, 10, 1);
    pin(f, 10, 0);
    route(f, 10, 0x1003a, 2);
    g_assert_cmphex(io_rd(f, 0x24), ==, 0x1003a);
}

static void
test_ioapic_modes(Fixture *f, gconstpointer data)
{
    route(f, 1, 0x400, 0);
    pin(f, 1, 1);
    g_assert_true(has(f, 0, VIT_CPU_EVENT_NMI));
    route(f, 2, 0x700, 1); /* ExtINT */
    pin(f, 2, 1);
    g_assert_true(wants(f, 1));
    g_assert_cmphex(ack(f, 1), ==, 0x08);
    g_assert_false(wants(f, 1));
    route(f, 3, 0x00930, 0xff); /* lowest priority, logical, all */
    for (unsigned i = 0; i < CPUS; i++) {
        wr(f, i, R_LDR, 1u << (24 + i));
        wr(f, i, R_TPR, i == 1 ? 0 : 0x20);
    }
    pin(f, 3, 1);
    g_assert_true(!wants(f, 0) && wants(f, 1) && !wants(f, 2));
}

#define ADD(name, func) g_test_add("/apic/" name, Fixture, NULL, set_up, func, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("identity", test_identity);
    ADD("priority", test_priority);
    ADD("logical", test_logical);
    ADD("ipi", test_ipi);
    ADD("errors", test_errors);
    ADD("timer", test_timer);
    ADD("timer-owed", test_timer_owed);
    ADD("deadline", test_deadline);
    ADD("lint", test_lint);
    ADD("x2apic", test_x2apic);
    ADD("ioapic-edge", test_ioapic_edge);
    ADD("ioapic-level", test_ioapic_level);
    ADD("ioapic-modes", test_ioapic_modes);
    return g_test_run();
}
