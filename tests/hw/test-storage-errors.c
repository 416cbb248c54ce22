/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What a failed request does behind each policy: reported, ignored, or kept until the machine goes
 * on, and saved meanwhile. mission: drive.werror */

#include "virtio-driver.h"

#include <errno.h>
#include <string.h>

extern const VitDeviceKind vit_virtio_blk_pci_kind, vit_virtio_scsi_pci_kind, vit_scsi_hd_kind,
    vit_nvme_kind;

enum { HEADER = VD_BUFFERS_AT, STATUS = VD_BUFFERS_AT + 0x800, DATA = VD_BUFFERS_AT + 0x1000 };

/* A drive whose writes fail while told so; each test has its own. */
typedef struct Faulty {
    VitDriveOps ops;
    const VitDriveOps *real;
    VitDriveError action;
    bool failing;
    unsigned asked;
    GQueue waiting; /* Failed */
} Faulty;

typedef struct Failed {
    VitDriveDone done;
    void *opaque;
} Failed;

static Faulty faulty;

static VitDriveRequest *
faulty_write(VitDrive *drive, uint64_t offset, const struct iovec *iov, int iov_count, bool fua,
             VitDriveDone done, void *opaque)
{
    Failed *failed;

    if (!faulty.failing) {
        return faulty.real->write(drive, offset, iov, iov_count, fua, done, opaque);
    }
    failed = g_new(Failed, 1);
    *failed = (Failed){ done, opaque };
    g_queue_push_tail(&faulty.waiting, failed);
    return NULL;
}

static void
faulty_drain(VitDrive *drive)
{
    Failed *failed;

    while ((failed = g_queue_pop_head(&faulty.waiting))) {
        failed->done(failed->opaque, -ENOSPC);
        g_free(failed);
    }
    faulty.real->drain(drive);
}

static VitDriveError
faulty_action(VitDrive *drive, bool is_read, int error)
{
    g_assert_false(is_read);
    g_assert_cmpint(error, ==, ENOSPC);
    faulty.asked++;
    return faulty.action;
}

static VitDrive *
break_drive(HwRig *rig, VitDriveError action)
{
    VitDrive *drive = rig->drives->pdata[0];

    faulty = (Faulty){ .real = drive->ops, .ops = *drive->ops, .action = action, .failing = true };
    g_queue_init(&faulty.waiting);
    faulty.ops.write = faulty_write;
    faulty.ops.drain = faulty_drain;
    faulty.ops.error_action = faulty_action;
    drive->ops = &faulty.ops;
    return drive;
}

static void
mend_drive(VitDrive *drive)
{
    drive->ops = faulty.real;
}

static VitDevice *
make(HwRig *rig, const VitDeviceKind *kind, VitBus *bus)
{
    VitDevice *dev = hw_rig_create(rig, kind);
    g_autoptr(GError) error = NULL;

    vit_device_realize(dev, bus, &rig->test.platform, &error);
    g_assert_no_error(error);
    hw_rig_map_pci(rig, dev);
    return dev;
}

static void
start(VirtioDriver *vd, HwRig *rig, VitDevice *dev, unsigned queues, uint64_t features)
{
    vd_init(vd, rig, dev);
    g_assert_cmpuint(vd_negotiate(vd, VD_VERSION_1 | features) & 8, ==, 8);
    for (unsigned n = 0; n < queues; n++) {
        vd_setup_queue(vd, n, 16);
    }
    vd_driver_ok(vd);
}

static void
add_write(VirtioDriver *vd, unsigned n)
{
    uint64_t at = 0x100 * n, sector = n;
    VdBuf bufs[3] = { { HEADER + at, 16, false },
                      { DATA + 512 * n, 512, false },
                      { STATUS + n, 1, true } };

    memset(vd_ram(vd, HEADER + at), 0, 16);
    *vd_ram(vd, HEADER + at) = 1;
    memcpy(vd_ram(vd, HEADER + at + 8), &sector, 8);
    memset(vd_ram(vd, DATA + 512 * n), 0xc0 + n, 512);
    *vd_ram(vd, STATUS + n) = 0xee;
    vd_add(vd, 0, bufs, 3);
}

static void
test_report(void)
{
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = make(rig, &vit_virtio_blk_pci_kind, &rig->pci.bus);
    VitDrive *drive = break_drive(rig, VIT_DRIVE_REPORT);
    VirtioDriver vd;
    uint32_t used;

    start(&vd, rig, dev, 1, 0);
    add_write(&vd, 0);
    vd_kick(&vd, 0);
    faulty_drain(drive);
    g_assert_true(vd_take(&vd, 0, &used));
    g_assert_cmpuint(*vd_ram(&vd, STATUS), ==, 1);
    faulty.action = VIT_DRIVE_IGNORE;
    add_write(&vd, 1);
    vd_kick(&vd, 0);
    faulty_drain(drive);
    g_assert_true(vd_take(&vd, 0, &used));
    g_assert_cmpuint(*vd_ram(&vd, STATUS + 1), ==, 0);
    g_assert_cmpuint(faulty.asked, ==, 2);
    mend_drive(drive);
}

static void
test_stop(gconstpointer data)
{
    uint64_t features = *(const uint64_t *)data;
    g_autoptr(HwRig) rig = hw_rig_new();
    g_autoptr(VitDevice) dev = hw_rig_create(rig, &vit_virtio_blk_pci_kind);
    VirtioDriver vd;
    VitDrive *drive;
    uint32_t used;

    g_assert_true(vit_device_set(dev, "packed", "on", NULL, NULL));
    g_assert_true(vit_device_realize(dev, &rig->pci.bus, &rig->test.platform, NULL));
    hw_rig_map_pci(rig, dev);
    drive = break_drive(rig, VIT_DRIVE_STOP);
    start(&vd, rig, dev, 1, features);
    for (unsigned n = 0; n < 3; n++) {
        add_write(&vd, n);
    }
    vd_kick(&vd, 0);
    faulty_drain(drive);
    g_assert_cmpuint(faulty.asked, ==, 3);
    g_assert_false(vd_take(&vd, 0, &used)); /* the guest knows nothing yet */
    faulty.failing = false;
    drive->user.resume(drive->user.opaque);
    hw_rig_complete_io(rig);
    for (unsigned n = 0; n < 3; n++) {
        g_assert_true(vd_take(&vd, 0, &used));
        g_assert_cmpuint(*vd_ram(&vd, STATUS + n), ==, 0);
    }
    mend_drive(drive);
}

/* Stopped requests go with the state and are carried out where it is loaded. */
static void
test_save(void)
{
    g_autoptr(HwRig) rig = hw_rig_new(), other_rig = hw_rig_new();
    g_autoptr(VitDevice) dev = make(rig, &vit_virtio_blk_pci_kind, &rig->pci.bus);
    g_autoptr(VitDevice) other = make(other_rig, &vit_virtio_blk_pci_kind, &other_rig->pci.bus);
    g_autoptr(GBytes) saved = NULL;
    g_autoptr(GError) error = NULL;
    VitDrive *drive = break_drive(rig, VIT_DRIVE_STOP);
    VirtioDriver vd;
    uint32_t used;

    start(&vd, rig, dev, 1, VD_INDIRECT);
    add_write(&vd, 0);
    add_write(&vd, 1);
    vd_kick(&vd, 0);
    faulty_drain(drive);
    saved = hw_rig_save(dev);
    mend_drive(drive);
    hw_rig_copy_world(other_rig, rig);
    g_assert_true(hw_rig_load(other, saved, &error));
    g_assert_no_error(error);
    vd.rig = other_rig;
    vd.dev = other;
    hw_rig_complete_io(other_rig);
    for (unsigned n = 0; n < 2; n++) {
        g_assert_true(vd_take(&vd, 0, &used));
        g_assert_cmpuint(*vd_ram(&vd, STATUS + n), ==, 0);
    }
}

static void
test_scsi(void)
{
    g_autoptr(HwRig) rig = hw_rig_new(), other_rig = hw_rig_new();
    g_autoptr(VitDevice) other = make(other_rig, &vit_virtio_scsi_pci_kind, &other_rig->pci.bus);
    g_autoptr(VitDevice) other_unit =
        make(other_rig, &vit_scsi_hd_kind, other->child_buses->pdata[0]);
    g_autoptr(GBytes) saved = NULL;
    g_autoptr(GError) error = NULL;
    VirtioDriver other_vd;
    g_autoptr(VitDevice) adapter = make(rig, &vit_virtio_scsi_pci_kind, &rig->pci.bus);
    g_autoptr(VitDevice) unit = make(rig, &vit_scsi_hd_kind, adapter->child_buses->pdata[0]);
    VitDrive *drive = break_drive(rig, VIT_DRIVE_REPORT);
    VdBuf bufs[3] = { { HEADER, 51, false }, { DATA, 512, false }, { STATUS, 108, true } };
    VirtioDriver vd;
    uint8_t *request, *response;
    uint32_t used;

    start(&vd, rig, adapter, 3, 0);
    request = vd_ram(&vd, HEADER);
    response = vd_ram(&vd, STATUS);
    memset(request, 0, 51);
    request[0] = 1;
    request[2] = 0x40;
    vd_transfer(&vd, 2, (VdBuf[2]){ bufs[0], bufs[2] }, 2); /* the power-on attention */
    request[19] = 0x2a;
    request[27] = 1;
    vd_add(&vd, 2, bufs, 3);
    vd_kick(&vd, 2);
    faulty_drain(drive);
    g_assert_true(vd_take(&vd, 2, &used));
    g_assert_cmpuint(response[10], ==, 2);
    g_assert_cmpuint(response[12 + 2], ==, 3); /* medium error */
    faulty.action = VIT_DRIVE_STOP;
    vd_add(&vd, 2, bufs, 3);
    vd_kick(&vd, 2);
    faulty_drain(drive);
    g_assert_false(vd_take(&vd, 2, &used));
    /* saved, it is carried out where it is loaded */
    saved = hw_rig_save(adapter);
    hw_rig_copy_world(other_rig, rig);
    g_assert_true(hw_rig_load(other, saved, &error));
    g_assert_no_error(error);
    hw_rig_complete_io(other_rig);
    other_vd = vd;
    other_vd.rig = other_rig;
    g_assert_true(vd_take(&other_vd, 2, &used));
    g_assert_cmpuint(vd_ram(&other_vd, STATUS)[10], ==, 0);
    g_assert_cmpuint(vd_ram(&other_vd, STATUS)[11], ==, 0);
    /* and here when the machine goes on */
    faulty.failing = false;
    drive->user.resume(drive->user.opaque);
    hw_rig_complete_io(rig);
    g_assert_true(vd_take(&vd, 2, &used));
    g_assert_cmpuint(response[10], ==, 0);
    g_assert_cmpuint(response[11], ==, 0);
    mend_drive(drive);
}

static void
nvme_put(HwRig *rig, VitDevice *dev, unsigned at, uint32_t value)
{
    vit_address_space_write(rig->test.platform.memory, ((VitPciDevice *)dev)->bars[0].address + at,
                            4, value);
}

/* Queues at 10000h, then one write of two blocks, the third admin command. */
static void
test_nvme(void)
{
    enum { ASQ = 0x10000, ACQ = 0x11000, IOSQ = 0x12000, IOCQ = 0x13000 };
    static const uint32_t entries[3][16] = {
        { 5, [6] = IOCQ, [10] = 15 << 16 | 1, [11] = 3 },
        { 1, [6] = IOSQ, [10] = 15 << 16 | 1, [11] = 1 | 1 << 16 },
        { 1 | 9 << 16, 1, [6] = DATA, [10] = 4, [12] = 1 },
    };
    g_autoptr(HwRig) rig = hw_rig_new(), other_rig = hw_rig_new();
    g_autoptr(VitDevice) dev = make(rig, &vit_nvme_kind, &rig->pci.bus);
    g_autoptr(VitDevice) other = make(other_rig, &vit_nvme_kind, &other_rig->pci.bus);
    g_autoptr(GBytes) saved = NULL;
    g_autoptr(GError) error = NULL;
    VitDrive *drive = break_drive(rig, VIT_DRIVE_STOP);
    uint8_t *ram = rig->ram->host;

    memset(ram + ASQ, 0, 0x4000);
    nvme_put(rig, dev, 0x24, 15 << 16 | 15);
    nvme_put(rig, dev, 0x28, ASQ);
    nvme_put(rig, dev, 0x30, ACQ);
    nvme_put(rig, dev, 0x14, 0x460001);
    memcpy(ram + ASQ, entries, 128);
    nvme_put(rig, dev, 0x1000, 2);
    memcpy(ram + IOSQ, entries[2], 64);
    nvme_put(rig, dev, 0x1008, 1);
    faulty_drain(drive);
    g_assert_cmpuint(faulty.asked, ==, 1);
    g_assert_cmpuint(ram[IOCQ + 14], ==, 0); /* nothing told */
    saved = hw_rig_save(dev);
    hw_rig_copy_world(other_rig, rig);
    g_assert_true(hw_rig_load(other, saved, &error));
    g_assert_no_error(error);
    hw_rig_complete_io(other_rig);
    g_assert_cmpuint(other_rig->ram->host[IOCQ + 12], ==, 9);
    g_assert_cmpuint(other_rig->ram->host[IOCQ + 14], ==, 1); /* phase, good */
    faulty.failing = false;
    drive->user.resume(drive->user.opaque);
    hw_rig_complete_io(rig);
    g_assert_cmpuint(ram[IOCQ + 14], ==, 1);
    mend_drive(drive);
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        uint64_t features;
    } rings[] = {
        { "/storage-errors/stop/split", 0 },
        { "/storage-errors/stop/packed", VD_PACKED },
        { "/storage-errors/stop/indirect", VD_INDIRECT | VD_EVENT_IDX },
    };

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/storage-errors/report", test_report);
    for (unsigned i = 0; i < G_N_ELEMENTS(rings); i++) {
        g_test_add_data_func(rings[i].name, &rings[i].features, test_stop);
    }
    g_test_add_func("/storage-errors/save", test_save);
    g_test_add_func("/storage-errors/scsi", test_scsi);
    g_test_add_func("/storage-errors/nvme", test_nvme);
    return g_test_run();
}
