/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Commands of the floppy controller that move data, by DMA and by programmed I/O. */

#include "fdc-fixture.h"

#include <errno.h>
#include <string.h>

/* ---- by DMA ---- */

static void
test_read_dma(void)
{
    FdcFixture f;

    fdc_fixture_init_disk(&f);
    fdc_seek(&f, 0, 5);
    fdc_set_dma(&f, 3 * 512);
    FDC_SEND(&f, 0xe6, 0x00, 5, 0, 2, 2, 18, 0x1b, 0xff);
    fdc_expect_result(&f, 0, 0, 0, 5, 0, 5);
    g_assert_true(block_test_is_pattern(f.memory, fdc_place(5, 0, 2), 3 * 512));
    /* A whole cylinder, both heads. */
    fdc_set_dma(&f, 36 * 512);
    FDC_SEND(&f, 0xe6, 0x00, 5, 0, 1, 2, 18, 0x1b, 0xff);
    fdc_expect_result(&f, 0x00, 0, 0, 6, 0, 1);
    g_assert_true(block_test_is_pattern(f.memory, fdc_place(5, 0, 1), 36 * 512));
    /* The count ends within a sector. */
    fdc_set_dma(&f, 700);
    memset(f.memory, 0xee, 2048);
    FDC_SEND(&f, 0x46, 0x04, 5, 1, 17, 2, 18, 0x1b, 0xff);
    fdc_expect_result(&f, 0x04, 0, 0, 6, 1, 1);
    g_assert_true(block_test_is_pattern(f.memory, fdc_place(5, 1, 17), 700));
    g_assert_cmphex(f.memory[700], ==, 0xee);
    fdc_fixture_finish(&f);
}

static void
test_write_dma(void)
{
    FdcFixture f;
    uint8_t back[1024];

    fdc_fixture_init_disk(&f);
    fdc_seek(&f, 0, 79);
    memset(f.memory, 0x77, sizeof(f.memory));
    fdc_set_dma(&f, 512 + 100);
    FDC_SEND(&f, 0x45, 0x04, 79, 1, 10, 2, 18, 0x1b, 0xff);
    fdc_expect_result(&f, 0x04, 0, 0, 79, 1, 12);
    block_test_read_image(&f.block, "floppy", fdc_place(79, 1, 10), back, sizeof(back));
    g_assert_cmphex(back[0], ==, 0x77);
    g_assert_cmphex(back[611], ==, 0x77);
    g_assert_true(blk_buffer_is_zero(back + 612, 412)); /* the rest of the sector */
    fdc_fixture_finish(&f);
}

static void
test_no_terminal_count(void)
{
    FdcFixture f;

    fdc_fixture_init_disk(&f);
    fdc_seek(&f, 0, 0);
    fdc_set_dma(&f, 100 * 512);
    FDC_SEND(&f, 0x46, 0x00, 0, 0, 17, 2, 18, 0x1b, 0xff);
    fdc_expect_result(&f, 0x40, 0x80, 0, 1, 0, 1); /* end of cylinder */
    g_assert_cmpuint(f.left, ==, 98 * 512);
    fdc_fixture_finish(&f);
}

static void
test_errors(void)
{
    FdcFixture f;

    fdc_fixture_init_disk(&f);
    fdc_seek(&f, 0, 3);
    fdc_set_dma(&f, 512);
    FDC_SEND(&f, 0x46, 0x00, 4, 0, 1, 2, 18, 0x1b, 0xff); /* not where the head is */
    fdc_expect_result(&f, 0x40, 0x04, 0x10, 4, 0, 1);
    FDC_SEND(&f, 0x46, 0x00, 3, 0, 19, 2, 20, 0x1b, 0xff); /* no such sector */
    fdc_expect_result(&f, 0x40, 0x04, 0, 3, 0, 19);
    FDC_SEND(&f, 0x46, 0x01, 3, 0, 1, 2, 18, 0x1b, 0xff); /* no such drive */
    fdc_expect_result(&f, 0x41, 0x01, 0, 3, 0, 1);
    test_outb(&f.test, FDC_CCR, 3);
    FDC_SEND(&f, 0x46, 0x00, 3, 0, 1, 2, 18, 0x1b, 0xff); /* the wrong rate */
    fdc_expect_result(&f, 0x40, 0x01, 0, 3, 0, 1);
    test_outb(&f.test, FDC_CCR, 0);
    /* With implied seeks the head goes there. */
    FDC_SEND(&f, 0x13, 0, 0x60, 0);
    FDC_SEND(&f, 0x46, 0x00, 4, 0, 1, 2, 18, 0x1b, 0xff);
    fdc_expect_result(&f, 0, 0, 0, 4, 0, 2);
    fdc_fixture_finish(&f);
}

static void
test_dma_not_ready(void)
{
    FdcFixture f;

    fdc_fixture_init_disk(&f);
    fdc_seek(&f, 0, 0);
    fdc_set_dma(&f, 512);
    f.ready = false;
    FDC_SEND(&f, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    while (blk_graph_poll(f.block.graph, 20)) {
    }
    g_assert_cmpint(f.irq, ==, 0);
    g_assert_true(f.request);
    f.ready = true;
    vit_clock_step_to(f.test.platform.clock,
                      vit_clock_get_ns(f.test.platform.clock) + 5 * VIT_NS_PER_MS);
    fdc_expect_result(&f, 0, 0, 0, 0, 0, 2);
    g_assert_true(block_test_is_pattern(f.memory, 0, 512));
    /* Never ready: an overrun in the end. */
    f.ready = false;
    FDC_SEND(&f, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    while (blk_graph_poll(f.block.graph, 20)) {
    }
    vit_clock_step_to(f.test.platform.clock,
                      vit_clock_get_ns(f.test.platform.clock) + VIT_NS_PER_SEC);
    fdc_expect_result(&f, 0x40, 0x10, 0, 0, 0, 1);
    fdc_fixture_finish(&f);
}

static void
test_format(void)
{
    FdcFixture f;
    uint8_t back[18 * 512];

    fdc_fixture_init_disk(&f);
    fdc_seek(&f, 0, 20);
    for (unsigned i = 0; i < 18; i++) {
        const uint8_t id[] = { 20, 1, (uint8_t)(i * 5 % 18 + 1), 2 }; /* interleaved */
        memcpy(f.memory + 4 * i, id, 4);
    }
    fdc_set_dma(&f, 18 * 4);
    FDC_SEND(&f, 0x4d, 0x04, 2, 18, 0x54, 0xf6);
    fdc_wait_irq(&f);
    g_assert_cmpuint(fdc_get_result(&f, back), ==, 7);
    g_assert_cmphex(back[0], ==, 0x04);
    block_test_read_image(&f.block, "floppy", fdc_place(20, 1, 1), back, sizeof(back));
    for (unsigned i = 0; i < sizeof(back); i++) {
        g_assert_cmphex(back[i], ==, 0xf6);
    }
    fdc_fixture_finish(&f);
}

static void
test_verify(void)
{
    FdcFixture f;

    fdc_fixture_init_disk(&f);
    fdc_seek(&f, 0, 0);
    FDC_SEND(&f, 0x56, 0x80, 0, 0, 3, 2, 18, 0x1b, 4); /* four sectors */
    fdc_expect_result(&f, 0, 0, 0, 0, 0, 7);
    FDC_SEND(&f, 0x56, 0x00, 0, 0, 3, 2, 18, 0x1b, 0xff); /* to the end of the track */
    fdc_expect_result(&f, 0, 0, 0, 1, 0, 1);
    fdc_fixture_finish(&f);
}

static void
test_scan(void)
{
    FdcFixture f;

    fdc_fixture_init_disk(&f);
    fdc_seek(&f, 0, 0);
    block_test_read_image(&f.block, "floppy", fdc_place(0, 0, 1), f.memory,
                          512); /* what is looked for: sector 3 */
    block_test_read_image(&f.block, "floppy", fdc_place(0, 0, 1), f.memory + 512, 512);
    f.memory[0] ^= 0x10;
    f.memory[512] ^= 0x10;
    block_test_read_image(&f.block, "floppy", fdc_place(0, 0, 3), f.memory + 1024, 512);
    f.memory[1024 + 5] = 0xff; /* any */
    fdc_set_dma(&f, 5 * 512);
    FDC_SEND(&f, 0x51, 0x00, 0, 0, 1, 2, 18, 0x1b, 1);
    fdc_expect_result(&f, 0, 0, 0x08, 0, 0, 4);
    /* Not there: the count ends first. */
    fdc_set_dma(&f, 512);
    FDC_SEND(&f, 0x51, 0x00, 0, 0, 1, 2, 18, 0x1b, 1);
    fdc_expect_result(&f, 0, 0, 0x04, 0, 0, 2);
    fdc_fixture_finish(&f);
}

/* ---- by programmed I/O ---- */

static void
test_pio(void)
{
    FdcFixture f;
    uint8_t back[1024];

    fdc_fixture_init_disk(&f);
    fdc_seek(&f, 0, 1);
    FDC_SEND(&f, 0x03, 0xaf, 0x03); /* SPECIFY: no DMA */
    FDC_SEND(&f, 0x46, 0x00, 1, 0, 17, 2, 18, 0x1b, 0xff);
    for (unsigned i = 0; i < 1024; i++) {
        fdc_wait_byte(&f, 0xf0);
        if (i % 512 == 0) {
            g_assert_cmpint(f.irq, ==, 1);
        }
        back[i] = test_inb(&f.test, FDC_DATA);
    }
    g_assert_true(block_test_is_pattern(back, fdc_place(1, 0, 17), 1024));
    fdc_expect_result(&f, 0x40, 0x80, 0, 2, 0, 1); /* there is no terminal count without DMA */
    FDC_SEND(&f, 0x45, 0x00, 1, 0, 18, 2, 18, 0x1b, 0xff);
    for (unsigned i = 0; i < 512; i++) {
        fdc_wait_byte(&f, 0xb0);
        test_outb(&f.test, FDC_DATA, 0x31);
    }
    fdc_expect_result(&f, 0x40, 0x80, 0, 2, 0, 1);
    block_test_read_image(&f.block, "floppy", fdc_place(1, 0, 18), back, 512);
    g_assert_cmphex(back[511], ==, 0x31);
    fdc_fixture_finish(&f);
}

/* ---- errors of the host ---- */

static void
test_host_error(void)
{
    FdcFixture f;

    fdc_fixture_init(&f);
    g_autofree char *path = block_test_image(&f.block, "floppy", FDC_DISK_BYTES);
    fdc_fixture_add(&f, 0, path, "driver=fault,file.driver=raw", NULL);
    fdc_start(&f);
    Fault *fault = block_test_fault(blk_drive_get_node(f.drives[0]));
    fdc_seek(&f, 0, 0);
    fault->fail_read = EIO;
    fdc_set_dma(&f, 512);
    FDC_SEND(&f, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    fdc_expect_result(&f, 0x40, 0x20, 0x20, 0, 0, 1);
    fault->fail_read = 0;
    FDC_SEND(&f, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    fdc_expect_result(&f, 0, 0, 0, 0, 0, 2);
    fdc_fixture_finish(&f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fdc/read-dma", test_read_dma);
    g_test_add_func("/fdc/write-dma", test_write_dma);
    g_test_add_func("/fdc/no-terminal-count", test_no_terminal_count);
    g_test_add_func("/fdc/errors", test_errors);
    g_test_add_func("/fdc/dma-not-ready", test_dma_not_ready);
    g_test_add_func("/fdc/format", test_format);
    g_test_add_func("/fdc/verify", test_verify);
    g_test_add_func("/fdc/scan", test_scan);
    g_test_add_func("/fdc/pio", test_pio);
    g_test_add_func("/fdc/host-error", test_host_error);
    return g_test_run();
}
