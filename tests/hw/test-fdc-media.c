/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Floppies in the controller's drives: every format, images of odd sizes, changes of media. */

#include "fdc-fixture.h"

static void
check_medium(unsigned sectors, const char *type, unsigned rate, unsigned last_track,
             unsigned last_head, unsigned last_sector, unsigned cmos_type)
{
    FdcFixture f;

    fdc_fixture_init(&f);
    g_autofree char *path = block_test_image(&f.block, "floppy", sectors * 512);
    fdc_fixture_add(&f, 0, path, "driver=raw", type);
    g_assert_cmpuint(vit_fdc_get_drive_type(f.fdc, 0), ==, cmos_type);
    g_assert_cmpuint(vit_fdc_get_drive_type(f.fdc, 1), ==, 0);
    fdc_start(&f);
    test_outb(&f.test, FDC_CCR, (uint8_t)rate);
    fdc_seek(&f, 0, (uint8_t)last_track);
    fdc_set_dma(&f, 512);
    FDC_SEND(&f, 0x46, (uint8_t)(last_head << 2), (uint8_t)last_track, (uint8_t)last_head,
             (uint8_t)last_sector, 2, (uint8_t)last_sector, 0x1b, 0xff);
    fdc_expect_result(&f, (uint8_t)(last_head << 2), 0, 0, (uint8_t)(last_track + 1),
                      (uint8_t)last_head, 1);
    g_assert_true(block_test_is_pattern(f.memory, (sectors - 1) * 512, 512));
    fdc_fixture_finish(&f);
}

static void
test_formats(void)
{
    check_medium(2880, NULL, 0, 79, 1, 18, 4);  /* 1.44 MB */
    check_medium(5760, NULL, 3, 79, 1, 36, 5);  /* 2.88 MB */
    check_medium(2880, "288", 0, 79, 1, 18, 5); /* 1.44 MB in a 2.88 MB drive */
    check_medium(1440, NULL, 2, 79, 1, 9, 4);   /* 720 kB */
    check_medium(2400, NULL, 0, 79, 1, 15, 2);  /* 1.2 MB */
    check_medium(720, NULL, 1, 39, 1, 9, 2);    /* 360 kB */
    check_medium(320, NULL, 1, 39, 0, 8, 2);    /* 160 kB */
    check_medium(3360, NULL, 0, 79, 1, 21, 4);  /* 1.68 MB */
}

/* An image of no floppy's size is the next larger floppy, zeroes at its end. */
static void
test_odd_size(void)
{
    FdcFixture f;

    fdc_fixture_init(&f);
    g_autofree char *path = block_test_image(&f.block, "floppy", 2532 * 512);
    fdc_fixture_add(&f, 0, path, "driver=raw", NULL);
    fdc_start(&f);
    fdc_seek(&f, 0, 70);
    fdc_set_dma(&f, 36 * 512);
    FDC_SEND(&f, 0xe6, 0x00, 70, 0, 1, 2, 18, 0x1b, 0xff);
    fdc_expect_result(&f, 0, 0, 0, 71, 0, 1);
    g_assert_true(block_test_is_pattern(f.memory, fdc_place(70, 0, 1), 12 * 512));
    g_assert_true(blk_buffer_is_zero(f.memory + 12 * 512, 24 * 512));
    fdc_fixture_finish(&f);
}

static void
test_change(void)
{
    g_autoptr(GError) error = NULL;
    FdcFixture f;

    fdc_fixture_init_disk(&f);
    g_assert_cmphex(test_inb(&f.test, FDC_DIR), ==, 0x80); /* since power-on */
    fdc_seek(&f, 0, 1);
    g_assert_cmphex(test_inb(&f.test, FDC_DIR), ==, 0); /* a step clears it */
    g_assert_true(blk_drive_eject(f.drives[0], false, &error));
    g_assert_cmphex(test_inb(&f.test, FDC_DIR), ==, 0x80);
    fdc_seek(&f, 0, 2);
    g_assert_cmphex(test_inb(&f.test, FDC_DIR), ==, 0x80); /* not while it is empty */
    fdc_set_dma(&f, 512);
    FDC_SEND(&f, 0x46, 0x00, 2, 0, 1, 2, 18, 0x1b, 0xff);
    fdc_expect_result(&f, 0x40, 0x01, 0, 2, 0, 1);
    g_autofree char *other = block_test_image(&f.block, "other", 1440 * 512);
    g_assert_true(blk_drive_change(f.drives[0], other, "raw", "read-only", false, &error));
    g_assert_no_error(error);
    g_assert_cmphex(test_inb(&f.test, FDC_DIR), ==, 0x80);
    fdc_seek(&f, 0, 3);
    g_assert_cmphex(test_inb(&f.test, FDC_DIR), ==, 0);
    /* The new one is a 720 kB disk, and write-protected. */
    test_outb(&f.test, FDC_CCR, 2);
    fdc_set_dma(&f, 512);
    FDC_SEND(&f, 0x46, 0x00, 3, 0, 9, 2, 9, 0x1b, 0xff);
    fdc_expect_result(&f, 0, 0, 0, 4, 0, 1);
    g_assert_true(block_test_is_pattern(f.memory, (3 * 2 * 9 + 8) * 512, 512));
    FDC_SEND(&f, 0x45, 0x00, 3, 0, 9, 2, 9, 0x1b, 0xff);
    fdc_expect_result(&f, 0x40, 0x02, 0, 3, 0, 9);
    fdc_fixture_finish(&f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fdc/formats", test_formats);
    g_test_add_func("/fdc/odd-size", test_odd_size);
    g_test_add_func("/fdc/change", test_change);
    return g_test_run();
}
