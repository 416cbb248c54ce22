/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Drives: media in and out, trays, error policies, drains, statistics, geometry. */

#include "block-test.h"

#include "vit-error.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

typedef struct Device {
    unsigned inserted, removed, eject_requests, resizes, resumes;
} Device;

static void
medium_changed(void *opaque, bool inserted)
{
    Device *device = opaque;

    device->inserted += inserted;
    device->removed += !inserted;
}

static void
eject_requested(void *opaque, bool force)
{
    ((Device *)opaque)->eject_requests++;
}

static void
resized(void *opaque)
{
    ((Device *)opaque)->resizes++;
}

static void
resume(void *opaque)
{
    ((Device *)opaque)->resumes++;
}

static VitDrive *
add_drive(BlockTest *test, Device *device, const BlkDriveConfig *config, const char *path,
          const char *options)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkNode) node = path ? block_test_open(test, path, options) : NULL;
    VitDriveUser user = { medium_changed, eject_requested, resized, resume, device };
    VitDrive *drive = blk_drive_new(test->graph, "d0", config, node, &error);

    g_assert_no_error(error);
    g_assert_true(vit_drive_attach(drive, &user, &error));
    g_assert_false(vit_drive_attach(drive, &user, NULL));
    return drive;
}

static void
test_media(void)
{
    g_autoptr(GError) error = NULL;
    BlockTest test;
    Device device = { 0 };
    BlkDriveConfig config = { .read_only = true };
    BlkDriveInfo info;
    uint8_t byte;

    block_test_init(&test);
    g_autofree char *a = block_test_image(&test, "a", 8192);
    g_autofree char *b = block_test_image(&test, "b", 16384);
    VitDrive *drive = add_drive(&test, &device, &config, NULL, NULL);
    drive->removable = true;
    g_assert_cmpint(block_test_drive_read(&test, drive, 0, &byte, 1), ==, -ENOMEDIUM);
    g_assert_true(blk_drive_change(drive, a, "raw", NULL, false, &error));
    g_assert_cmpuint(device.inserted, ==, 1);
    g_assert_cmpuint(drive->ops->get_len(drive), ==, 8192);
    g_assert_true(drive->ops->is_read_only(drive));
    /* What cannot be opened leaves the old medium in. */
    g_assert_false(blk_drive_change(drive, "/no/such/file", NULL, NULL, false, &error));
    g_clear_error(&error);
    g_assert_cmpuint(drive->ops->get_len(drive), ==, 8192);
    g_assert_cmpuint(device.removed, ==, 0);
    /* Locked: the guest is asked. */
    drive->ops->set_locked(drive, true);
    g_assert_false(blk_drive_change(drive, b, NULL, NULL, false, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_clear_error(&error);
    g_assert_cmpuint(device.eject_requests, ==, 1);
    g_assert_true(blk_drive_change(drive, b, "raw", "read-write", true, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(drive->ops->get_len(drive), ==, 16384);
    g_assert_false(drive->ops->is_read_only(drive));
    g_assert_false(drive->ops->is_tray_open(drive));
    blk_drive_get_info(drive, &info);
    g_assert_true(info.removable && info.has_tray && !info.locked && !info.tray_open);
    g_assert_true(blk_drive_eject(drive, false, &error));
    g_assert_true(drive->ops->is_tray_open(drive));
    g_assert_false(drive->ops->is_inserted(drive));
    g_assert_cmpuint(device.removed, ==, 2);
    vit_drive_detach(drive);
    blk_drive_free(drive);
    block_test_finish(&test);
}

static void
test_fixed(void)
{
    g_autoptr(GError) error = NULL;
    BlockTest test;
    Device device = { 0 };
    BlkDriveConfig config = { 0 };

    block_test_init(&test);
    g_autofree char *a = block_test_image(&test, "a", 8192);
    VitDrive *drive = add_drive(&test, &device, &config, a, "driver=raw,node-name=root0");
    g_assert_false(blk_drive_eject(drive, true, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_STATE);
    g_clear_error(&error);
    /* Names are one space. */
    g_assert_null(blk_drive_new(test.graph, "d0", &config, NULL, &error));
    g_clear_error(&error);
    g_assert_null(blk_drive_new(test.graph, "root0", &config, NULL, &error));
    g_clear_error(&error);
    g_assert_true(blk_graph_find_drive(test.graph, "d0", &error) == drive);
    g_assert_null(blk_graph_find_drive(test.graph, "nobody", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND);
    g_clear_error(&error);
    /* A node by its name, but not while the drive above writes to it. */
    g_assert_null(blk_graph_find_drive(test.graph, "root0", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_assert_true(blk_drive_resize(drive, 32768, NULL));
    g_assert_cmpuint(device.resizes, ==, 1);
    g_assert_cmpuint(drive->ops->get_len(drive), ==, 32768);
    vit_drive_detach(drive);
    blk_drive_free(drive);
    block_test_finish(&test);
}

/* ---- errors ---- */

typedef struct Events {
    unsigned count;
    bool is_read;
    int error;
    VitDriveError action;
} Events;

static void
io_error(void *opaque, VitDrive *drive, bool is_read, int error, VitDriveError action)
{
    Events *events = opaque;

    *events = (Events){ events->count + 1, is_read, error, action };
}

static void
test_policies(void)
{
    static const BlkDriveEvents drive_events = { .io_error = io_error };
    static const struct {
        BlkOnError policy;
        int error;
        VitDriveError action;
    } rows[] = {
        { BLK_ON_ERROR_REPORT, EIO, VIT_DRIVE_REPORT },
        { BLK_ON_ERROR_IGNORE, EIO, VIT_DRIVE_IGNORE },
        { BLK_ON_ERROR_STOP, EIO, VIT_DRIVE_STOP },
        { BLK_ON_ERROR_ENOSPC, EIO, VIT_DRIVE_REPORT },
        { BLK_ON_ERROR_ENOSPC, ENOSPC, VIT_DRIVE_STOP },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        BlkDriveConfig config = { .on_write_error = rows[i].policy };
        BlockTest test;
        Device device = { 0 };
        Events events = { 0 };
        BlkDriveInfo info;
        block_test_init(&test);
        VitDrive *drive = add_drive(&test, &device, &config, NULL, NULL);
        /* Without a machine to stop, a guest must not wait for ever. */
        if (rows[i].action == VIT_DRIVE_STOP) {
            g_assert_cmpint(drive->ops->error_action(drive, false, rows[i].error), ==,
                            VIT_DRIVE_REPORT);
        }
        blk_graph_set_events(test.graph, &drive_events, &events);
        g_assert_cmpint(drive->ops->error_action(drive, false, rows[i].error), ==, rows[i].action);
        g_assert_cmpuint(events.count, ==, 1);
        g_assert_cmpint(events.error, ==, rows[i].error);
        g_assert_false(events.is_read);
        blk_drive_get_info(drive, &info);
        g_assert_cmpint(info.stopped, ==, rows[i].action == VIT_DRIVE_STOP);
        blk_graph_resume(test.graph);
        g_assert_cmpuint(device.resumes, ==, rows[i].action == VIT_DRIVE_STOP);
        /* A device's own policy goes before its drive's. */
        drive->on_read_error = VIT_DRIVE_ON_ERROR_IGNORE;
        g_assert_cmpint(drive->ops->error_action(drive, true, EIO), ==, VIT_DRIVE_IGNORE);
        vit_drive_detach(drive);
        blk_drive_free(drive);
        block_test_finish(&test);
    }
}

/* ---- drains ---- */

static void
test_drain(void)
{
    BlockTest test;
    Device device = { 0 };
    BlkDriveConfig config = { 0 };
    uint8_t data[4][512];
    struct iovec iov[4];
    Pending pending[4] = { { 0 } };
    BlkDriveInfo info;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "a", 8192);
    VitDrive *drive =
        add_drive(&test, &device, &config, path, "driver=fault,delay=5000000,file.driver=raw");
    for (unsigned i = 0; i < 4; i++) {
        iov[i] = (struct iovec){ data[i], 512 };
        drive->ops->read(drive, 512 * i, &iov[i], 1, block_test_done, &pending[i]);
    }
    drive->ops->drain(drive);
    for (unsigned i = 0; i < 4; i++) {
        g_assert_true(pending[i].ended);
        g_assert_cmpint(pending[i].ret, ==, 0);
        g_assert_cmpuint(data[i][3], ==, block_test_byte(512 * i + 3));
    }
    blk_drive_get_info(drive, &info);
    g_assert_cmpuint(info.stats.read_count, ==, 4);
    g_assert_cmpuint(info.stats.read_bytes, ==, 2048);
    g_assert_cmpuint(info.stats.read_ns, >=, 4 * 5000000ull);
    vit_drive_detach(drive);
    blk_drive_free(drive);
    block_test_finish(&test);
}

/* A device that submits the next request from the completion of the last. */
typedef struct Chain {
    VitDrive *drive;
    struct iovec iov;
    uint8_t data[512];
    unsigned left;
} Chain;

static void
next_link(void *opaque, int ret)
{
    Chain *chain = opaque;

    g_assert_cmpint(ret, ==, 0);
    if (chain->left-- > 0) {
        chain->iov = (struct iovec){ chain->data, 512 };
        chain->drive->ops->read(chain->drive, 0, &chain->iov, 1, next_link, chain);
    }
}

static void
test_chain(void)
{
    BlockTest test;
    Device device = { 0 };
    BlkDriveConfig config = { 0 };
    Chain chain = { .left = 1000 };

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "a", 8192);
    chain.drive = add_drive(&test, &device, &config, path, "driver=raw");
    next_link(&chain, 0);
    g_assert_cmpuint(chain.left, ==, 999); /* one at a time */
    chain.drive->ops->drain(chain.drive);
    g_assert_cmpuint(chain.left, ==, UINT_MAX);
    vit_drive_detach(chain.drive);
    blk_drive_free(chain.drive);
    block_test_finish(&test);
}

/* ---- geometry ---- */

static void
check_geometry(uint64_t sectors, const uint8_t *entry, unsigned cylinders, unsigned heads,
               unsigned track, unsigned translation)
{
    BlockTest test;
    Device device = { 0 };
    BlkDriveConfig config = { 0 };
    VitDriveGeometry chs;
    uint8_t mbr[512] = { 0 };

    block_test_init(&test);
    g_autofree char *path = block_test_path(&test, "disk");
    if (entry) {
        memcpy(mbr + 446, entry, 16);
        mbr[510] = 0x55;
        mbr[511] = 0xaa;
    }
    g_assert_true(g_file_set_contents(path, (char *)mbr, 512, NULL));
    g_assert_cmpint(truncate(path, (off_t)(sectors * 512)), ==, 0);
    VitDrive *drive = add_drive(&test, &device, &config, path, "driver=raw");
    vit_drive_guess_geometry(drive, &chs);
    g_assert_cmpuint(chs.cylinders, ==, cylinders);
    g_assert_cmpuint(chs.heads, ==, heads);
    g_assert_cmpuint(chs.sectors, ==, track);
    g_assert_cmpuint(chs.translation, ==, translation);
    vit_drive_detach(drive);
    blk_drive_free(drive);
    block_test_finish(&test);
}

static void
test_geometry(void)
{
    /* Partitions ending at head 15, sector 63; at head 254; at head 127. */
    static const uint8_t plain[16] = { 0x80, 1, 1, 0, 6, 15, 63, 99, 63, 0, 0, 0, 0x31, 0x8a, 1 };
    static const uint8_t lba[16] = { 0x80, 1, 1, 0, 7, 254, 63, 99, 63, 0, 0, 0, 0, 0, 0x70 };
    static const uint8_t large[16] = { 0x80, 1, 1, 0, 7, 127, 63, 99, 63, 0, 0, 0, 0, 0, 0x40 };

    check_geometry(20480, NULL, 20, 16, 63, 1);
    check_geometry(1 << 21, NULL, 2080, 16, 63, 2);
    check_geometry(1ull << 32, NULL, 16383, 16, 63, 2);
    check_geometry(100800, plain, 100, 16, 63, 1);
    check_geometry(16 << 20, lba, 16383, 16, 63, 2);
    check_geometry(4 << 20, large, 4161, 16, 63, 3);
    check_geometry(1, NULL, 2, 16, 63, 1);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/drive/media", test_media);
    g_test_add_func("/block/drive/fixed", test_fixed);
    g_test_add_func("/block/drive/policies", test_policies);
    g_test_add_func("/block/drive/drain", test_drain);
    g_test_add_func("/block/drive/chain", test_chain);
    g_test_add_func("/block/drive/geometry", test_geometry);
    return g_test_run();
}
