/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Test device that kvm-unit-tests drive: its x86 library and README name what each port does.
 *   0xe0..0xe3   latch: reads give back what was written, at any width
 *   0xe4..0xe7   writing an address asks the host to drop its mapping of that page (accepted; guest
 *                memory here is never swapped by a test)
 *   0xe8..0xeb   the same latch byte by byte
 *   0x2000 + n   writing sets the level of interrupt line n
 *   0xff000000   64 KiB of memory reached by device accesses
 *
 * Thread: device lock held. */

#include "vit-isa.h"

#include <string.h>

enum { LINES = 24, MEMORY_BYTES = 0x10000 };
#define MEMORY_BASE 0xff000000

typedef struct TestDev {
    VitDevice dev;
    uint8_t latch[4];
    uint8_t *memory;
    uint32_t memory_bytes;
    VitRegion latch_ports, flush_ports, byte_ports, irq_ports, memory_window;
} TestDev;

VIT_DEVICE_LAYOUT(TestDev)

static uint64_t
load(const uint8_t *from, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, from, size);
    return value;
}

static uint64_t
latch_read(void *opaque, uint64_t offset, unsigned size)
{
    return load(((TestDev *)opaque)->latch + offset, size);
}

static void
latch_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    memcpy(((TestDev *)opaque)->latch + offset, &value, size);
}

static uint64_t
no_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void
no_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}

static void
irq_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    TestDev *s = opaque;
    VitIrq line = vit_isa_irq(&s->dev, offset);

    vit_irq_set(&line, value != 0);
}

static uint64_t
memory_read(void *opaque, uint64_t offset, unsigned size)
{
    return load(((TestDev *)opaque)->memory + offset, size);
}

static void
memory_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    memcpy(((TestDev *)opaque)->memory + offset, &value, size);
}

static const VitRegionOps latch_ops = { latch_read, latch_write, 1, 4 };
static const VitRegionOps byte_ops = { latch_read, latch_write, 1, 1 };
static const VitRegionOps flush_ops = { no_read, no_write, 1, 4 };
static const VitRegionOps irq_ops = { no_read, irq_write, 1, 1 };
static const VitRegionOps memory_ops = { memory_read, memory_write, 1, 8 };

static void
testdev_reset(VitDevice *dev)
{
    TestDev *s = (TestDev *)dev;

    memset(s->latch, 0, sizeof(s->latch));
    memset(s->memory, 0, s->memory_bytes);
}

static bool
testdev_realize(VitDevice *dev, GError **error)
{
    TestDev *s = (TestDev *)dev;

    s->memory_bytes = MEMORY_BYTES;
    s->memory = g_malloc0(MEMORY_BYTES);
    vit_region_init_io(&s->latch_ports, "testdev-latch", &latch_ops, s, 4);
    vit_region_init_io(&s->flush_ports, "testdev-flush", &flush_ops, s, 4);
    vit_region_init_io(&s->byte_ports, "testdev-byte", &byte_ops, s, 4);
    vit_region_init_io(&s->irq_ports, "testdev-irq", &irq_ops, s, LINES);
    vit_region_init_io(&s->memory_window, "testdev-memory", &memory_ops, s, MEMORY_BYTES);
    vit_isa_map_ports(dev, 0xe0, &s->latch_ports);
    vit_isa_map_ports(dev, 0xe4, &s->flush_ports);
    vit_isa_map_ports(dev, 0xe8, &s->byte_ports);
    vit_isa_map_ports(dev, 0x2000, &s->irq_ports);
    vit_region_add(dev->platform->memory_root, MEMORY_BASE, &s->memory_window, 0);
    return true;
}

static void
testdev_unrealize(VitDevice *dev)
{
    TestDev *s = (TestDev *)dev;

    vit_region_finish(&s->latch_ports);
    vit_region_finish(&s->flush_ports);
    vit_region_finish(&s->byte_ports);
    vit_region_finish(&s->irq_ports);
    vit_region_finish(&s->memory_window);
    g_clear_pointer(&s->memory, g_free);
}

static const VitField testdev_state[] = {
    VIT_FIELD_ARRAY(TestDev, latch),
    VIT_FIELD_DYNAMIC(TestDev, memory, memory_bytes),
    VIT_TRANSIENT(TestDev, memory_bytes), /* a constant */
    VIT_TRANSIENT(TestDev, latch_ports),  /* mapped by realize */
    VIT_TRANSIENT(TestDev, flush_ports),
    VIT_TRANSIENT(TestDev, byte_ports),
    VIT_TRANSIENT(TestDev, irq_ports),
    VIT_TRANSIENT(TestDev, memory_window),
    { 0 },
};

const VitDeviceKind vit_pc_testdev_kind = {
    .name = "pc-testdev",
    .title = VIT_N_("Device for test guests"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(TestDev, VitDevice),
    .state = testdev_state,
    .state_version = 1,
    .realize = testdev_realize,
    .unrealize = testdev_unrealize,
    .reset = testdev_reset,
};
