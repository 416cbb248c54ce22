/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The PCI test device of the virtual-machine unit tests: BAR 0 (memory) and BAR 1 (ports) describe
 * numbered write tests; the guest writes test data where it is told and reads how many writes
 * arrived.
 *
 * QEMU PCI test device specification. Deviation: there are no host event descriptors to compare
 * with, so the three tests of a BAR differ only in which data counts. Thread: device lock held. */

#include "vit-pci.h"

#include <stdio.h>
#include <string.h>

enum {
    HEADER_TEST = 0,
    HEADER_WIDTH = 1,
    HEADER_OFFSET = 4,
    HEADER_DATA = 8,
    HEADER_COUNT = 12,
    HEADER_NAME = 16,

    DATA_AREA = 128, /* one byte per test */
    MATCHING_DATA = 0xfa,
    OTHER_DATA = 0xce,
    TESTS = 3,
};

typedef struct TestBar {
    VitRegion region;
    uint8_t test; /* selected; TESTS and more: none */
    uint32_t count;
} TestBar;

typedef struct TestDev {
    VitPciDevice pci;
    TestBar bars[2];
    uint64_t membar_bytes;
    bool membar_backed;
    VitRegion membar;
    VitRamBlock *membar_block;
} TestDev;
VIT_DEVICE_LAYOUT(TestDev)

static const char *const test_names[2][TESTS] = {
    { "mmio-no-eventfd:pci-mem", "mmio-wildcard-eventfd:pci-mem",
      "mmio-datamatch-eventfd:pci-mem" },
    { "portio-no-eventfd:pci-io", "portio-wildcard-eventfd:pci-io",
      "portio-datamatch-eventfd:pci-io" },
};

static bool
bar_is_port(const TestBar *bar)
{
    return bar->region.len_bytes < VIT_PAGE_SIZE;
}

/* The header as the guest sees it. */
static void
build_header(const TestBar *bar, uint8_t header[DATA_AREA])
{
    uint32_t count = bar->count;

    memset(header, 0, DATA_AREA);
    if (bar->test >= TESTS) {
        return;
    }
    header[HEADER_TEST] = bar->test;
    header[HEADER_WIDTH] = 1;
    header[HEADER_OFFSET] = DATA_AREA + bar->test;
    header[HEADER_DATA] = bar->test == 0 ? OTHER_DATA : MATCHING_DATA;
    for (unsigned i = 0; i < 4; i++) {
        header[HEADER_COUNT + i] = count >> 8 * i;
    }
    g_strlcpy((char *)header + HEADER_NAME, test_names[bar_is_port(bar)][bar->test],
              DATA_AREA - HEADER_NAME);
}

static uint64_t
bar_read(void *opaque, uint64_t offset, unsigned size)
{
    uint8_t header[DATA_AREA];
    uint64_t value = 0;

    build_header(opaque, header);
    for (unsigned i = 0; i < size && offset + i < DATA_AREA; i++) {
        value |= (uint64_t)header[offset + i] << 8 * i;
    }
    return value;
}

static void
bar_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    TestBar *bar = opaque;

    if (offset == HEADER_TEST) {
        bar->test = value & 0xff;
        bar->count = 0;
    } else if (bar->test < TESTS && offset == DATA_AREA + bar->test &&
               (bar->test != 2 || (value & 0xff) == MATCHING_DATA)) {
        bar->count++;
    }
}

static const VitRegionOps bar_ops = {
    .read = bar_read,
    .write = bar_write,
    .max_size = 4,
    .unaligned = true,
};

static const VitRegionOps empty_ops = { 0 };

static void
testdev_unrealize(VitDevice *dev)
{
    TestDev *test = (TestDev *)dev;

    vit_region_finish(&test->bars[0].region);
    vit_region_finish(&test->bars[1].region);
    vit_region_finish(&test->membar);
    g_clear_pointer(&test->membar_block, vit_ram_block_free);
}

static bool
testdev_realize(VitDevice *dev, GError **error)
{
    TestDev *test = (TestDev *)dev;

    vit_region_init_io(&test->bars[0].region, "pci-testdev-mmio", &bar_ops, &test->bars[0],
                       VIT_PAGE_SIZE);
    vit_region_init_io(&test->bars[1].region, "pci-testdev-portio", &bar_ops, &test->bars[1], 256);
    vit_pci_add_bar(&test->pci, 0, VIT_PCI_BAR_MEM, &test->bars[0].region);
    vit_pci_add_bar(&test->pci, 1, VIT_PCI_BAR_IO, &test->bars[1].region);
    if (test->membar_bytes == 0) {
        return true;
    }
    uint64_t len = VIT_PAGE_SIZE;
    while (len < test->membar_bytes && len < 1ull << 62) {
        len *= 2;
    }
    if (test->membar_backed) {
        test->membar_block = vit_ram_block_new("pci-testdev-membar", len, error);
        if (!test->membar_block) {
            testdev_unrealize(dev);
            return false;
        }
        vit_region_init_ram(&test->membar, "pci-testdev-membar", test->membar_block, 0, len);
    } else {
        vit_region_init_io(&test->membar, "pci-testdev-membar", &empty_ops, test, len);
    }
    vit_pci_add_bar(&test->pci, 2, VIT_PCI_BAR_MEM64 | VIT_PCI_BAR_PREFETCH, &test->membar);
    return true;
}

static void
testdev_reset(VitDevice *dev)
{
    TestDev *test = (TestDev *)dev;

    for (unsigned n = 0; n < 2; n++) {
        test->bars[n].test = 0xff;
        test->bars[n].count = 0;
    }
}

static const VitPciInfo testdev_info = {
    .vendor_id = 0x1b36,
    .device_id = 0x0005,
    .class_id = 0x00ff,
};

static const VitProp testdev_props[] = {
    VIT_PROP_SIZE(TestDev, membar_bytes, "membar", 0, 0, 1ll << 50,
                  VIT_N_("Size of a 64-bit memory BAR, 0 for none")),
    VIT_PROP_BOOL(TestDev, membar_backed, "membar-backed", 0,
                  VIT_N_("The memory BAR holds what is written to it")),
    { 0 },
};

static const VitField bar_state[] = {
    VIT_FIELD(TestBar, test),
    VIT_FIELD(TestBar, count),
    VIT_TRANSIENT(TestBar, region), /* wiring */
    { 0 },
};

static const VitField testdev_state[] = {
    VIT_FIELD_STRUCTS(TestDev, bars, bar_state),
    VIT_TRANSIENT(TestDev, membar),       /* wiring */
    VIT_TRANSIENT(TestDev, membar_block), /* saved with RAM */
    { 0 },
};

const VitDeviceKind vit_pci_testdev_kind = {
    .name = "pci-testdev",
    .title = VIT_N_("PCI test device"),
    .bus = VIT_BUS_PCI,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(TestDev, VitPciDevice),
    .props = testdev_props,
    .state = testdev_state,
    .state_version = 1,
    .bus_info = &testdev_info,
    .realize = testdev_realize,
    .unrealize = testdev_unrealize,
    .reset = testdev_reset,
};
