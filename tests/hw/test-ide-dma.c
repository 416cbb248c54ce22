/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* ATA disks by bus-master DMA on the PIIX3: lists of every shape, too short, too long, endless and
 * nowhere, and engines that are stopped. */

#include "ide-fixture.h"

static void
test_dma_read(void)
{
    IdeFixture f;

    ide_fixture_init_disk(&f, NULL);
    ide_set_prd(&f, 0, 0x10000, 0x1000, false);
    ide_set_prd(&f, 1, 0x30000, 0x1000, true);
    ide_command(&f, 0xc8, 11, 16);
    ide_start_dma(&f, true);
    g_assert_cmphex(ide_wait_dma(&f), ==, 0x04); /* interrupt, no longer active */
    g_assert_cmpint(f.irq[0], ==, 1);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0x50);
    g_assert_true(block_test_is_pattern(f.ram->host + 0x10000, 11 * 512, 0x1000));
    g_assert_true(block_test_is_pattern(f.ram->host + 0x30000, 11 * 512 + 0x1000, 0x1000));
    g_assert_true(vit_ram_block_test_clear_dirty(f.ram, 0x30000, 0x1000, VIT_DIRTY_DISPLAY));
    /* Status bits are cleared by writing ones. */
    test_outb(&f.test, BM_BASE + 2, 0x64);
    g_assert_cmphex(test_inb(&f.test, BM_BASE + 2), ==, 0x60);
    ide_fixture_finish(&f);
}

static void
test_dma_write(void)
{
    IdeFixture f;
    g_autofree uint8_t *back = g_malloc(0x20000);

    ide_fixture_init_disk(&f, NULL);
    for (unsigned i = 0; i < 0x20000; i++) {
        f.ram->host[0x40000 + i] = (uint8_t)(i * 7 + i / 512);
    }
    ide_set_prd(&f, 0, 0x40000, 0, false); /* 0 is 64 KiB */
    ide_set_prd(&f, 1, 0x50000, 0, true);
    /* The engine may be started before the command is given. */
    ide_start_dma(&f, false);
    ide_command_ext(&f, 0x35, 1000, 256);
    g_assert_cmphex(ide_wait_dma(&f), ==, 0x04);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0x50);
    block_test_read_image(&f.block, "disk", 1000 * 512, back, 0x20000);
    g_assert_cmpmem(back, 0x20000, f.ram->host + 0x40000, 0x20000);
    ide_fixture_finish(&f);
}

static void
test_dma_small_pieces(void)
{
    IdeFixture f;
    uint32_t at = 0;

    ide_fixture_init_disk(&f, NULL);
    /* 16 sectors in 820 pieces of 10 bytes and what is left, far from each other. */
    for (unsigned n = 0; at < 16 * 512; n++) {
        uint32_t len = MIN(10, 16 * 512 - at);
        ide_set_prd(&f, n, 0x20000 + 64 * n, len, at + len == 16 * 512);
        at += len;
    }
    ide_command(&f, 0xc8, 3, 16);
    ide_start_dma(&f, true);
    g_assert_cmphex(ide_wait_dma(&f), ==, 0x04);
    at = 0;
    for (unsigned n = 0; at < 16 * 512; n++) {
        uint32_t len = MIN(10, 16 * 512 - at);
        g_assert_true(block_test_is_pattern(f.ram->host + 0x20000 + 64 * n, 3 * 512 + at, len));
        at += len;
    }
    ide_fixture_finish(&f);
}

static void
test_dma_short(void)
{
    IdeFixture f;

    ide_fixture_init_disk(&f, NULL);
    ide_set_prd(&f, 0, 0x10000, 0x300, true); /* one sector and a half for two */
    ide_command(&f, 0xc8, 0, 2);
    ide_start_dma(&f, true);
    while (ide_wait_dma(&f) & 1) {
    }
    g_assert_cmphex(test_inb(&f.test, BM_BASE + 2), ==, 0); /* neither active nor interrupt */
    g_assert_cmpint(f.irq[0], ==, 0);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS) & 0x88, ==, 0);
    g_assert_true(block_test_is_pattern(f.ram->host + 0x10000, 0, 512));
    g_assert_cmphex(f.ram->host[0x10200], ==, 0);
    /* The device takes commands again. */
    test_outb(&f.test, BM_BASE, 0);
    ide_set_prd(&f, 0, 0x10000, 0x400, true);
    ide_command(&f, 0xc8, 0, 2);
    ide_start_dma(&f, true);
    g_assert_cmphex(ide_wait_dma(&f), ==, 0x04);
    ide_fixture_finish(&f);
}

static void
test_dma_long(void)
{
    IdeFixture f;

    ide_fixture_init_disk(&f, NULL);
    ide_set_prd(&f, 0, 0x10000, 0x1000, true);
    ide_command(&f, 0xc8, 0, 1);
    ide_start_dma(&f, true);
    g_assert_cmphex(ide_wait_dma(&f), ==, 0x05); /* interrupt, and still active */
    g_assert_true(block_test_is_pattern(f.ram->host + 0x10000, 0, 512));
    g_assert_cmphex(f.ram->host[0x10200], ==, 0);
    test_outb(&f.test, BM_BASE, 0);
    g_assert_cmphex(test_inb(&f.test, BM_BASE + 2), ==, 0x04);
    ide_fixture_finish(&f);
}

static void
test_dma_endless(void)
{
    IdeFixture f;

    ide_fixture_init_disk(&f, NULL);
    /* No entry ends the list: all point to the same two bytes. */
    for (unsigned n = 0; n < 0x20000 / 8; n++) {
        ide_set_prd(&f, n, 0x100000, 2, false);
    }
    ide_command(&f, 0xc8, 0, 0);
    ide_start_dma(&f, true);
    while (ide_wait_dma(&f) & 1) {
    }
    g_assert_cmphex(test_inb(&f.test, BM_BASE + 2), ==, 0);
    ide_fixture_finish(&f);
}

static void
test_dma_no_master(void)
{
    IdeFixture f;

    ide_fixture_init_disk(&f, NULL);
    ide_set_prd(&f, 0, 0x10000, 0x200, true);
    vit_pci_config_write(&f.bus, 0x904, 1, 2);
    ide_command(&f, 0xc8, 0, 1);
    ide_start_dma(&f, true);
    g_assert_false(blk_graph_poll(f.block.graph, 0));
    g_assert_cmphex(test_inb(&f.test, BM_BASE + 2), ==, 0x01);
    g_assert_cmphex(f.ram->host[0x10000], ==, 0);
    /* Allowed at last, it goes on. */
    vit_pci_config_write(&f.bus, 0x904, 5, 2);
    g_assert_cmphex(ide_wait_dma(&f), ==, 0x04);
    g_assert_true(block_test_is_pattern(f.ram->host + 0x10000, 0, 512));
    ide_fixture_finish(&f);
}

/* Lists that lie in, or point to, no memory at all. */
static void
test_dma_nowhere(void)
{
    IdeFixture f;

    ide_fixture_init_disk(&f, NULL);
    ide_set_prd(&f, 0, 0xf0000000, 0x200, false);
    ide_set_prd(&f, 1, FIXTURE_RAM_BYTES - 0x100, 0x200, true); /* leaves RAM half way */
    ide_command(&f, 0xc8, 0, 2);
    ide_start_dma(&f, true);
    g_assert_cmphex(ide_wait_dma(&f), ==, 0x04);
    g_assert_true(block_test_is_pattern(f.ram->host + FIXTURE_RAM_BYTES - 0x100, 512, 0x100));
    test_outb(&f.test, BM_BASE, 0);
    test_outb(&f.test, BM_BASE + 2, 6);
    test_outl(&f.test, BM_BASE + 4, 0xfffffff8);
    ide_command(&f, 0xca, 0, 1);
    test_outb(&f.test, BM_BASE, 1);
    ide_wait_dma(&f);
    ide_fixture_finish(&f);
}

/* Stopping the engine waits for what it is doing. */
static void
test_dma_stop(void)
{
    IdeFixture f;

    ide_fixture_init(&f);
    g_autofree char *path = block_test_image(&f.block, "disk", FIXTURE_DISK_BYTES);
    ide_fixture_add(&f, &vit_ide_hd_kind, 0, path, "driver=fault,delay=20000000,file.driver=raw",
                    NULL);
    ide_set_prd(&f, 0, 0x10000, 0x1000, true);
    ide_command(&f, 0xc8, 0, 8);
    ide_start_dma(&f, true);
    g_assert_cmphex(test_inb(&f.test, BM_BASE + 2), ==, 0x01);
    test_outb(&f.test, BM_BASE, 0);
    g_assert_cmphex(test_inb(&f.test, BM_BASE + 2), ==, 0x04);
    g_assert_true(block_test_is_pattern(f.ram->host + 0x10000, 0, 0x1000));
    ide_fixture_finish(&f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ide/dma/read", test_dma_read);
    g_test_add_func("/ide/dma/write", test_dma_write);
    g_test_add_func("/ide/dma/small-pieces", test_dma_small_pieces);
    g_test_add_func("/ide/dma/short", test_dma_short);
    g_test_add_func("/ide/dma/long", test_dma_long);
    g_test_add_func("/ide/dma/endless", test_dma_endless);
    g_test_add_func("/ide/dma/no-master", test_dma_no_master);
    g_test_add_func("/ide/dma/nowhere", test_dma_nowhere);
    g_test_add_func("/ide/dma/stop", test_dma_stop);
    return g_test_run();
}
