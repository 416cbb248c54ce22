/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The virtio core through its block device, driven by rings in guest memory.
 * mission: virtio-blk virtio-blk-pci virtio-blk-pci-transitional virtio-blk-pci-non-transitional */

#include "hw-kinds.h"
#include "virtio-driver.h"

#include <string.h>

extern const VitDeviceKind vit_virtio_blk_pci_kind, vit_virtio_blk_pci_transitional_kind,
    vit_virtio_blk_pci_non_transitional_kind;

enum { HEADER = VD_BUFFERS_AT, DATA = VD_BUFFERS_AT + 0x1000, STATUS = VD_BUFFERS_AT + 0x800 };
enum { OK = 0, IOERR = 1, UNSUPP = 2, NEEDS_RESET = 64 };

static VitDevice *
add_device(HwRig *rig, const VitDeviceKind *kind, const char *props)
{
    VitDevice *dev = hw_rig_create(rig, kind);
    g_auto(GStrv) pairs = g_strsplit(props, ",", -1);
    g_autoptr(GError) error = NULL;

    for (char **pair = pairs; *pair && **pair; pair++) {
        char *value = strchr(*pair, '=');
        *value++ = 0;
        vit_device_set(dev, *pair, value, NULL, &error);
        g_assert_no_error(error);
    }
    vit_device_realize(dev, &rig->pci.bus, &rig->test.platform, &error);
    g_assert_no_error(error);
    hw_rig_map_pci(rig, dev);
    return dev;
}

/* One request; its status. */
static uint8_t
request(VirtioDriver *vd, unsigned queue, uint32_t type, uint64_t sector, uint32_t len,
        bool to_guest, uint32_t *out_used)
{
    VdBuf bufs[4] = { { HEADER, 16, false },
                      { DATA, len / 2, to_guest },
                      { DATA + len / 2, len - len / 2, to_guest },
                      { STATUS, 1, true } };
    uint32_t used;

    memcpy(vd_ram(vd, HEADER), &type, 4);
    memset(vd_ram(vd, HEADER + 4), 0, 4);
    memcpy(vd_ram(vd, HEADER + 8), &sector, 8);
    *vd_ram(vd, STATUS) = 0xee;
    if (len == 0) {
        bufs[1] = bufs[3];
    }
    used = vd_transfer(vd, queue, bufs, len ? 4 : 2);
    if (out_used) {
        *out_used = used;
    }
    return *vd_ram(vd, STATUS);
}

static void
start(VirtioDriver *vd, uint64_t features, uint16_t size)
{
    g_assert_cmpuint(vd_negotiate(vd, features | VD_VERSION_1) & 8, ==, 8);
    vd_setup_queue(vd, 0, size);
    vd_driver_ok(vd);
}

static void
test_requests(gconstpointer data)
{
    uint64_t features = *(const uint64_t *)data;
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev =
        add_device(rig, &vit_virtio_blk_pci_kind, "packed=on,serial=disk-7,queue-size=16");
    VirtioDriver vd;
    uint32_t used;

    vd_init(&vd, rig, dev);
    start(&vd, features | 1ull << 9, 16);
    g_assert_cmpuint(vd_config_read(&vd, 0, 4), ==, 2880);
    for (unsigned i = 0; i < 40; i++) { /* past the ring's end and the wrap */
        memset(vd_ram(&vd, DATA), (int)i + 1, 1024);
        g_assert_cmpuint(request(&vd, 0, 1, 2 * i, 1024, false, &used), ==, OK);
        g_assert_cmpuint(used, ==, 1);
        memset(vd_ram(&vd, DATA), 0, 1024);
        g_assert_cmpuint(request(&vd, 0, 0, 2 * i, 1024, true, &used), ==, OK);
        g_assert_cmpuint(used, ==, 1025);
        g_assert_cmpuint(vd_ram(&vd, DATA)[0], ==, i + 1);
        g_assert_cmpuint(vd_ram(&vd, DATA)[1023], ==, i + 1);
    }
    g_assert_cmpuint(request(&vd, 0, 4, 0, 0, false, NULL), ==, OK);
    g_assert_cmpuint(request(&vd, 0, 8, 0, 20, true, NULL), ==, OK);
    g_assert_cmpstr((char *)vd_ram(&vd, DATA), ==, "disk-7");
    g_assert_cmpuint(request(&vd, 0, 0, 2879, 1024, true, &used), ==, IOERR);
    g_assert_cmpuint(used, ==, 1);
    g_assert_cmpuint(request(&vd, 0, 0, UINT64_MAX / 512, 1024, true, NULL), ==, IOERR);
    g_assert_cmpuint(request(&vd, 0, 0, 0, 1000, true, NULL), ==, IOERR);
    g_assert_cmpuint(request(&vd, 0, 99, 0, 0, false, NULL), ==, UNSUPP);
    g_assert_cmpuint(vd_status(&vd), ==, 15);
}

static void
test_ranges(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = add_device(rig, &vit_virtio_blk_pci_kind, "");
    VirtioDriver vd;
    struct {
        uint64_t sector;
        uint32_t count, flags;
    } range = { 8, 16, 0 };

    vd_init(&vd, rig, dev);
    start(&vd, 1ull << 13 | 1ull << 14, 16);
    memcpy(vd_ram(&vd, DATA), &range, 16);
    g_assert_cmpuint(request(&vd, 0, 11, 0, 16, false, NULL), ==, OK);
    g_assert_cmpuint(request(&vd, 0, 13, 0, 16, false, NULL), ==, OK);
    range.flags = 1; /* unmap: for write-zeroes only */
    memcpy(vd_ram(&vd, DATA), &range, 16);
    g_assert_cmpuint(request(&vd, 0, 13, 0, 16, false, NULL), ==, OK);
    g_assert_cmpuint(request(&vd, 0, 11, 0, 16, false, NULL), ==, UNSUPP);
    range.flags = 0;
    range.sector = 2870;
    memcpy(vd_ram(&vd, DATA), &range, 16);
    g_assert_cmpuint(request(&vd, 0, 11, 0, 16, false, NULL), ==, IOERR);
}

static void
test_features(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = add_device(rig, &vit_virtio_blk_pci_non_transitional_kind, "");
    VitPciDevice *pci = (VitPciDevice *)dev;
    VirtioDriver vd;

    g_assert_cmpuint(vit_pci_get16(pci, 2), ==, 0x1042);
    g_assert_cmpuint(pci->config[8], ==, 1);
    g_assert_null(pci->bars[0].region);
    vd_init(&vd, rig, dev);
    g_assert_false(vd_offered(&vd) & VD_PACKED);
    g_assert_cmpuint(vd_negotiate(&vd, 0) & 8, ==, 0);
    g_assert_cmpuint(vd_negotiate(&vd, VD_VERSION_1 | VD_PACKED) & 8, ==, 0);
    g_assert_cmpuint(vd_negotiate(&vd, VD_VERSION_1) & 8, ==, 8);
}

static void
expect_broken(VirtioDriver *vd)
{
    g_assert_cmpuint(vd_status(vd) & NEEDS_RESET, ==, NEEDS_RESET);
    vd_common_write(vd, 0x14, 1, 0);
    vd_common_write(vd, 0x14, 1, 3);
    start(vd, VD_INDIRECT, 16);
    g_assert_cmpuint(request(vd, 0, 0, 0, 512, true, NULL), ==, OK);
}

static void
set_desc(VirtioDriver *vd, uint64_t at, uint64_t address, uint32_t len, uint16_t flags,
         uint16_t next)
{
    memcpy(vd_ram(vd, at), &address, 8);
    memcpy(vd_ram(vd, at + 8), &len, 4);
    memcpy(vd_ram(vd, at + 12), &flags, 2);
    memcpy(vd_ram(vd, at + 14), &next, 2);
}

/* Offers descriptor 0 as it lies there. */
static void
offer_head(VirtioDriver *vd, uint16_t head, uint16_t ahead)
{
    VdQueue *q = &vd->queues[0];

    q->avail += ahead;
    memcpy(vd_ram(vd, q->driver + 4 + 2 * ((q->avail - 1) % q->size)), &head, 2);
    memcpy(vd_ram(vd, q->driver + 2), &q->avail, 2);
    vd_kick(vd, 0);
}

static void
test_hostile(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = add_device(rig, &vit_virtio_blk_pci_kind, "");
    VirtioDriver vd;
    VdQueue *q = &vd.queues[0];

    vd_init(&vd, rig, dev);
    start(&vd, VD_INDIRECT, 16);
    offer_head(&vd, 16, 1); /* outside the table */
    expect_broken(&vd);
    set_desc(&vd, q->desc, HEADER, 16, 1, 1); /* a loop */
    set_desc(&vd, q->desc + 16, HEADER, 16, 1, 0);
    offer_head(&vd, 0, 1);
    expect_broken(&vd);
    offer_head(&vd, 0, 17); /* further than the ring is long */
    expect_broken(&vd);
    set_desc(&vd, q->desc, HEADER, 20, 4, 0); /* an indirect table of odd length */
    offer_head(&vd, 0, 1);
    expect_broken(&vd);
    set_desc(&vd, q->desc, HEADER, 16, 4, 0); /* indirect in indirect */
    set_desc(&vd, HEADER, DATA, 16, 4, 0);
    offer_head(&vd, 0, 1);
    expect_broken(&vd);
    set_desc(&vd, q->desc, DATA, 16, 3, 1); /* writable before readable */
    set_desc(&vd, q->desc + 16, HEADER, 16, 0, 0);
    offer_head(&vd, 0, 1);
    expect_broken(&vd);
    set_desc(&vd, q->desc, HEADER, 8, 1, 1); /* half a header */
    set_desc(&vd, q->desc + 16, STATUS, 1, 2, 0);
    offer_head(&vd, 0, 1);
    expect_broken(&vd);
    set_desc(&vd, q->desc, UINT64_MAX - 4, 16, 0, 0); /* past the end of everything */
    offer_head(&vd, 0, 1);
    expect_broken(&vd);
    set_desc(&vd, q->desc, 0x7000000000, 0xfffff000, 0, 0); /* gigabytes that are not RAM */
    offer_head(&vd, 0, 1);
    expect_broken(&vd);
}

static void
test_suppression(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = add_device(rig, &vit_virtio_blk_pci_kind, "vectors=0");
    VirtioDriver vd;
    uint64_t isr;
    uint16_t no_interrupt = 1;

    vd_init(&vd, rig, dev);
    start(&vd, 0, 16);
    g_assert_cmpuint(request(&vd, 0, 0, 0, 512, true, NULL), ==, OK);
    g_assert_cmpuint(rig->pci_lines, !=, 0);
    vit_address_space_read(rig->test.platform.memory, vd.isr, 1, &isr);
    g_assert_cmpuint(isr, ==, 1);
    g_assert_cmpuint(rig->pci_lines, ==, 0);
    memcpy(vd_ram(&vd, vd.queues[0].driver), &no_interrupt, 2);
    g_assert_cmpuint(request(&vd, 0, 0, 0, 512, true, NULL), ==, OK);
    g_assert_cmpuint(rig->pci_lines, ==, 0);
}

static void
test_msix_and_resize(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = add_device(rig, &vit_virtio_blk_pci_kind, "num-queues=3");
    VitPciDevice *pci = (VitPciDevice *)dev;
    VitAddressSpace *memory = rig->test.platform.memory;
    VitDrive *drive = rig->drives->pdata[0];
    VirtioDriver vd;

    g_assert_cmpuint(vit_pci_get16(pci, pci->msix_cap + 2) & 0x7ff, ==, 3);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t entry = pci->bars[1].address + 16 * i;
        vit_address_space_write(memory, entry, 4, 0xfee00000);
        vit_address_space_write(memory, entry + 8, 4, 0x40 + i);
        vit_address_space_write(memory, entry + 12, 4, 0);
    }
    vit_pci_device_config_write(pci, pci->msix_cap + 2, 0x8000, 2);
    vd_init(&vd, rig, dev);
    g_assert_cmpuint(vd_common_read(&vd, 0x12, 2), ==, 3);
    g_assert_cmpuint(vd_negotiate(&vd, VD_VERSION_1 | 1ull << 12) & 8, ==, 8);
    vd_common_write(&vd, 0x10, 2, 3);
    for (unsigned i = 0; i < 3; i++) {
        vd_setup_queue(&vd, i, 16);
        vd_common_write(&vd, 0x1a, 2, i);
        g_assert_cmpuint(vd_common_read(&vd, 0x1a, 2), ==, i);
    }
    vd_common_write(&vd, 0x1a, 2, 9);
    g_assert_cmpuint(vd_common_read(&vd, 0x1a, 2), ==, 0xffff);
    vd_common_write(&vd, 0x1a, 2, 2);
    vd_driver_ok(&vd);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpuint(request(&vd, i, 0, 0, 512, true, NULL), ==, OK);
        g_assert_cmpuint(rig->last_msi_data, ==, 0x40 + i);
    }
    uint64_t generation = vd_common_read(&vd, 0x15, 1);
    drive->user.resized(drive->user.opaque);
    g_assert_cmpuint(rig->last_msi_data, ==, 0x43);
    g_assert_cmpuint(vd_common_read(&vd, 0x15, 1), !=, generation);
}

static void
test_queue_reset(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = add_device(rig, &vit_virtio_blk_pci_kind, "");
    VirtioDriver vd;

    vd_init(&vd, rig, dev);
    start(&vd, VD_RING_RESET, 16);
    g_assert_cmpuint(request(&vd, 0, 0, 0, 512, true, NULL), ==, OK);
    vd_common_write(&vd, 0x3a, 2, 1);
    g_assert_cmpuint(vd_common_read(&vd, 0x3a, 2), ==, 0);
    g_assert_cmpuint(vd_common_read(&vd, 0x1c, 2), ==, 0);
    vd_setup_queue(&vd, 0, 8);
    g_assert_cmpuint(request(&vd, 0, 0, 0, 512, true, NULL), ==, OK);
}

static void
test_config_access(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = add_device(rig, &vit_virtio_blk_pci_kind, "");
    VitPciDevice *pci = (VitPciDevice *)dev;
    unsigned cap = pci->config[0x34];

    while (pci->config[cap] != VIT_PCI_CAP_VENDOR || pci->config[cap + 3] != 5) {
        cap = pci->config[cap + 1];
    }
    vit_pci_device_config_write(pci, cap + 4, 4, 1);
    vit_pci_device_config_write(pci, cap + 8, 0x2000, 4);
    vit_pci_device_config_write(pci, cap + 12, 4, 4);
    g_assert_cmpuint(vit_pci_device_config_read(pci, cap + 16, 4), ==, 2880);
    vit_pci_device_config_write(pci, cap + 8, 0x14, 4);
    vit_pci_device_config_write(pci, cap + 12, 1, 4);
    vit_pci_device_config_write(pci, cap + 16, 3, 1);
    g_assert_cmpuint(vit_pci_device_config_read(pci, cap + 16, 1), ==, 3);
    vit_pci_device_config_write(pci, cap + 8, 0xfffffffc, 4);
    vit_pci_device_config_write(pci, cap + 16, 3, 1);
    vit_pci_device_config_read(pci, cap + 16, 1);
}

static uint64_t
io(HwRig *rig, VitDevice *dev, unsigned at, unsigned size)
{
    uint64_t value;

    vit_address_space_read(rig->test.platform.io, ((VitPciDevice *)dev)->bars[0].address + at, size,
                           &value);
    return value;
}

static void
io_write(HwRig *rig, VitDevice *dev, unsigned at, unsigned size, uint64_t value)
{
    vit_address_space_write(rig->test.platform.io, ((VitPciDevice *)dev)->bars[0].address + at,
                            size, value);
}

static void
test_legacy(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev =
        add_device(rig, &vit_virtio_blk_pci_transitional_kind, "queue-size=128");
    uint8_t *ram = rig->ram->host;
    uint64_t desc = 0x10000, avail = desc + 16 * 128, used = 0x11000;
    uint32_t type = 0;
    uint16_t index = 1;

    g_assert_cmpuint(vit_pci_get16((VitPciDevice *)dev, 2), ==, 0x1001);
    io_write(rig, dev, 18, 1, 3);
    io_write(rig, dev, 4, 4, 0);
    io_write(rig, dev, 14, 2, 0);
    g_assert_cmpuint(io(rig, dev, 12, 2), ==, 128);
    io_write(rig, dev, 8, 4, 0x10);
    g_assert_cmpuint(io(rig, dev, 8, 4), ==, 0x10);
    g_assert_cmpuint(io(rig, dev, 20, 4), ==, 2880); /* capacity: no MSI-X */
    io_write(rig, dev, 18, 1, 7);
    memcpy(ram + HEADER, &type, 4);
    memset(ram + HEADER + 4, 0, 12);
    memcpy(ram + desc, &(uint64_t[]){ HEADER, 16 | 1ull << 32 | 1ull << 48 }, 16);
    memcpy(ram + desc + 16, &(uint64_t[]){ DATA, 512 | 3ull << 32 | 2ull << 48 }, 16);
    memcpy(ram + desc + 32, &(uint64_t[]){ STATUS, 1 | 2ull << 32 }, 16);
    ram[STATUS] = 0xee;
    memcpy(ram + avail + 2, &index, 2);
    io_write(rig, dev, 16, 2, 0);
    hw_rig_complete_io(rig);
    g_assert_cmpuint(ram[STATUS], ==, 0);
    g_assert_cmpuint(ram[used + 2], ==, 1);
    g_assert_cmpuint(ram[DATA + 3], ==, 3);
    g_assert_cmpuint(io(rig, dev, 19, 1), ==, 1);
    g_assert_cmpuint(io(rig, dev, 19, 1), ==, 0);
}

static void
test_in_flight_reset(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = add_device(rig, &vit_virtio_blk_pci_kind, "");
    VdBuf bufs[3] = { { HEADER, 16, false }, { DATA, 512, true }, { STATUS, 1, true } };
    VirtioDriver vd;

    vd_init(&vd, rig, dev);
    start(&vd, 0, 16);
    memset(vd_ram(&vd, HEADER), 0, 16);
    vd_add(&vd, 0, bufs, 3);
    vd_kick(&vd, 0);
    vd_common_write(&vd, 0x14, 1, 0); /* a request is on its way */
    memset(vd_ram(&vd, DATA), 0x55, 512);
    hw_rig_complete_io(rig);
    g_assert_cmpuint(vd_ram(&vd, DATA)[7], ==, 0x55); /* nothing arrives after the reset */
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        uint64_t features;
    } rings[] = {
        { "/virtio-blk/split", 0 },
        { "/virtio-blk/split-event", VD_EVENT_IDX },
        { "/virtio-blk/split-indirect", VD_INDIRECT },
        { "/virtio-blk/split-indirect-event", VD_INDIRECT | VD_EVENT_IDX },
        { "/virtio-blk/packed", VD_PACKED },
        { "/virtio-blk/packed-event", VD_PACKED | VD_EVENT_IDX },
        { "/virtio-blk/packed-indirect", VD_PACKED | VD_INDIRECT },
        { "/virtio-blk/packed-indirect-event", VD_PACKED | VD_INDIRECT | VD_EVENT_IDX },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(rings); i++) {
        g_test_add_data_func(rings[i].name, &rings[i].features, test_requests);
    }
    g_test_add_func("/virtio-blk/ranges", test_ranges);
    g_test_add_func("/virtio-blk/features", test_features);
    g_test_add_func("/virtio-blk/hostile", test_hostile);
    g_test_add_func("/virtio-blk/suppression", test_suppression);
    g_test_add_func("/virtio-blk/msix-and-resize", test_msix_and_resize);
    g_test_add_func("/virtio-blk/queue-reset", test_queue_reset);
    g_test_add_func("/virtio-blk/config-access", test_config_access);
    g_test_add_func("/virtio-blk/legacy", test_legacy);
    g_test_add_func("/virtio-blk/in-flight-reset", test_in_flight_reset);
    return g_test_run();
}
