/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What an ATA disk does when the host fails it: errors told to the guest, and machines that stop on
 * a full host and go on. */

#include "ide-fixture.h"

#include <errno.h>
#include <string.h>

typedef struct Events {
    unsigned errors;
    VitDriveError action;
} Events;

static void
io_error(void *opaque, VitDrive *drive, bool is_read, int error, VitDriveError action)
{
    Events *events = opaque;

    events->errors++;
    events->action = action;
}

static const BlkDriveEvents drive_events = { .io_error = io_error };

static void
test_read_error(void)
{
    IdeFixture f;
    uint8_t sector[512];

    ide_fixture_init(&f);
    g_autofree char *path = block_test_image(&f.block, "disk", FIXTURE_DISK_BYTES);
    ide_fixture_add(&f, &vit_ide_hd_kind, 0, path, "driver=fault,file.driver=raw", NULL);
    Fault *fault = block_test_fault(blk_drive_get_node(f.drives[0]));
    fault->fail_read = EIO;
    ide_command(&f, 0x20, 5, 1);
    g_assert_cmphex(ide_wait(&f), ==, 0x51);
    g_assert_cmphex(test_inb(&f.test, IDE_FEATURE), ==, 0x40);
    ide_set_prd(&f, 0, 0x10000, 0x200, true);
    ide_command(&f, 0xc8, 5, 1);
    ide_start_dma(&f, true);
    g_assert_cmphex(ide_wait_dma(&f) & 4, ==, 4);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0x51);
    fault->fail_read = 0;
    ide_command(&f, 0x20, 5, 1);
    g_assert_cmphex(ide_wait(&f), ==, 0x58);
    ide_read_block(&f, sector, 512);
    ide_fixture_finish(&f);
}

/* The host's disk is full: the machine stops, and the request goes on when it resumes. */
static void
check_stop(uint8_t command, bool dma)
{
    IdeFixture f;
    Events events = { 0 };
    uint8_t data[1024];

    ide_fixture_init(&f);
    g_autofree char *path = block_test_image(&f.block, "disk", FIXTURE_DISK_BYTES);
    ide_fixture_add(&f, &vit_ide_hd_kind, 0, path, "driver=fault,file.driver=raw", NULL);
    blk_graph_set_events(f.block.graph, &drive_events, &events);
    Fault *fault = block_test_fault(blk_drive_get_node(f.drives[0]));
    fault->fail_write = ENOSPC;
    memset(data, 0x42, sizeof(data));
    memset(f.ram->host + 0x10000, 0x42, 1024);
    ide_set_prd(&f, 0, 0x10000, 0x400, true);
    ide_command(&f, command, 9, 2);
    if (dma) {
        ide_start_dma(&f, false);
    } else {
        ide_wait(&f);
        ide_write_block(&f, data, 512);
    }
    for (unsigned i = 0; i < 100 && events.errors == 0; i++) {
        blk_graph_poll(f.block.graph, 10);
    }
    g_assert_cmpuint(events.errors, ==, 1);
    g_assert_cmpint(events.action, ==, VIT_DRIVE_STOP);
    g_assert_cmphex(test_inb(&f.test, IDE_CONTROL) & 0x80, ==, 0x80);
    g_assert_cmpint(f.irq[0], ==, 0);
    fault->fail_write = 0;
    blk_graph_resume(f.block.graph);
    if (dma) {
        g_assert_cmphex(ide_wait_dma(&f), ==, 0x04);
    } else {
        g_assert_cmphex(ide_wait(&f), ==, 0x58);
        ide_write_block(&f, data, 512);
    }
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    block_test_read_image(&f.block, "disk", 9 * 512, data, 1024);
    g_assert_cmphex(data[0], ==, 0x42);
    g_assert_cmphex(data[1023], ==, 0x42);
    ide_fixture_finish(&f);
}

static void
test_stop_and_resume(void)
{
    check_stop(0x30, false);
    check_stop(0xca, true);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ide/read-error", test_read_error);
    g_test_add_func("/ide/stop-and-resume", test_stop_and_resume);
    return g_test_run();
}
