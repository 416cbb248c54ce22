/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The floppy controller by its ports: commands without data, resets, the interrupt line, saved
 * state. Data: test-fdc-data.c; kinds of floppies: test-fdc-media.c. */

#include "fdc-fixture.h"

#include <string.h>

/* ---- commands without data ---- */

static void
test_identity(void)
{
    FdcFixture f;
    uint8_t result[10];

    fdc_fixture_init_disk(&f);
    FDC_SEND(&f, 0x10);
    g_assert_cmpuint(fdc_get_result(&f, result), ==, 1);
    g_assert_cmphex(result[0], ==, 0x90);
    FDC_SEND(&f, 0x18); /* PART ID is a command of the 82078 */
    g_assert_cmpuint(fdc_get_result(&f, result), ==, 1);
    g_assert_cmphex(result[0], ==, 0x80);
    FDC_SEND(&f, 0x08); /* no interrupt to sense */
    g_assert_cmpuint(fdc_get_result(&f, result), ==, 1);
    g_assert_cmphex(result[0], ==, 0x80);
    fdc_fixture_finish(&f);
}

static void
test_settings(void)
{
    FdcFixture f;
    uint8_t result[10];

    fdc_fixture_init_disk(&f);
    FDC_SEND(&f, 0x13, 0x00, 0x57, 0x20); /* CONFIGURE */
    FDC_SEND(&f, 0x12, 0x84 | 0x03);      /* PERPENDICULAR: drive 0, GAP and WGATE */
    FDC_SEND(&f, 0x94);                   /* LOCK */
    g_assert_cmpuint(fdc_get_result(&f, result), ==, 1);
    g_assert_cmphex(result[0], ==, 0x10);
    FDC_SEND(&f, 0x0e); /* DUMPREG */
    g_assert_cmpuint(fdc_get_result(&f, result), ==, 10);
    g_assert_cmphex(result[4], ==, 0xaf);
    g_assert_cmphex(result[5], ==, 0x02);
    g_assert_cmphex(result[7], ==, 0x87);
    g_assert_cmphex(result[8], ==, 0x57);
    g_assert_cmphex(result[9], ==, 0x20);
    /* Locked, they outlive a reset; GAP and WGATE do not. Polling is off: no interrupt. */
    test_outb(&f.test, FDC_DSR, 0x80);
    g_assert_cmpint(f.irq, ==, 0);
    FDC_SEND(&f, 0x0e);
    g_assert_cmpuint(fdc_get_result(&f, result), ==, 10);
    g_assert_cmphex(result[7], ==, 0x84);
    g_assert_cmphex(result[8], ==, 0x57);
    FDC_SEND(&f, 0x14); /* UNLOCK */
    g_assert_cmpuint(fdc_get_result(&f, result), ==, 1);
    g_assert_cmphex(result[0], ==, 0);
    test_outb(&f.test, FDC_DSR, 0x80);
    FDC_SEND(&f, 0x0e);
    g_assert_cmpuint(fdc_get_result(&f, result), ==, 10);
    g_assert_cmphex(result[8], ==, 0x20);
    fdc_fixture_finish(&f);
}

static void
test_seek(void)
{
    FdcFixture f;
    uint8_t result[10];

    fdc_fixture_init_disk(&f);
    fdc_seek(&f, 0, 40);
    FDC_SEND(&f, 0x8f | 0x40, 0, 3); /* RELATIVE SEEK in */
    fdc_wait_irq(&f);
    FDC_SEND(&f, 0x08);
    g_assert_cmpuint(fdc_get_result(&f, result), ==, 2);
    g_assert_cmpuint(result[1], ==, 43);
    FDC_SEND(&f, 0x04, 0); /* SENSE DRIVE STATUS: not on track 0, writable */
    g_assert_cmpuint(fdc_get_result(&f, result), ==, 1);
    g_assert_cmphex(result[0], ==, 0x28);
    FDC_SEND(&f, 0x07, 0); /* RECALIBRATE */
    fdc_wait_irq(&f);
    FDC_SEND(&f, 0x08);
    g_assert_cmpuint(fdc_get_result(&f, result), ==, 2);
    g_assert_cmphex(result[0], ==, 0x20);
    g_assert_cmpuint(result[1], ==, 0);
    FDC_SEND(&f, 0x04, 0);
    fdc_get_result(&f, result);
    g_assert_cmphex(result[0], ==, 0x38);
    FDC_SEND(&f, 0x07, 1); /* there is no second drive */
    fdc_wait_irq(&f);
    FDC_SEND(&f, 0x08);
    fdc_get_result(&f, result);
    g_assert_cmphex(result[0], ==, 0x71);
    fdc_fixture_finish(&f);
}

static void
test_read_id(void)
{
    FdcFixture f;

    fdc_fixture_init_disk(&f);
    fdc_seek(&f, 0, 12);
    FDC_SEND(&f, 0x4a, 0x04);
    fdc_expect_result(&f, 0x04, 0, 0, 12, 1, 1);
    test_outb(&f.test, FDC_CCR, 2); /* the wrong data rate finds no marks */
    FDC_SEND(&f, 0x4a, 0x00);
    fdc_expect_result(&f, 0x40, 0x01, 0, 12, 0, 1);
    fdc_fixture_finish(&f);
}

/* ---- resets, state ---- */

static void
test_reset(void)
{
    FdcFixture f;

    fdc_fixture_init(&f);
    g_autofree char *path = block_test_image(&f.block, "floppy", FDC_DISK_BYTES);
    fdc_fixture_add(&f, 0, path, "driver=fault,delay=10000000,file.driver=raw", NULL);
    fdc_start(&f);
    fdc_seek(&f, 0, 0);
    fdc_set_dma(&f, 512);
    memset(f.memory, 0xee, 512);
    FDC_SEND(&f, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    g_assert_cmphex(test_inb(&f.test, FDC_MSR), ==, 0x10); /* busy */
    fdc_start(&f);                                         /* reset while the disk is read */
    while (blk_graph_poll(f.block.graph, 0)) {
    }
    g_assert_cmphex(f.memory[0], ==, 0xee);
    g_assert_cmphex(test_inb(&f.test, FDC_MSR), ==, 0x80);
    fdc_seek(&f, 0, 0);
    FDC_SEND(&f, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    fdc_expect_result(&f, 0, 0, 0, 0, 0, 2);
    fdc_fixture_finish(&f);
}

static void
test_irq_gate(void)
{
    FdcFixture f;

    fdc_fixture_init_disk(&f);
    test_outb(&f.test, FDC_DOR, 0x14); /* DMAGATE off: the line is not driven */
    FDC_SEND(&f, 0x07, 0);
    g_assert_cmpint(f.irq, ==, 0);
    test_outb(&f.test, FDC_DOR, 0x1c);
    g_assert_cmpint(f.irq, ==, 1);
    fdc_fixture_finish(&f);
}

static void
test_state(void)
{
    FdcFixture a, b;
    uint8_t back[512];
    g_autoptr(GError) error = NULL;
    VitStateWriter *writer = vit_state_writer_new();

    fdc_fixture_init_disk(&a);
    fdc_fixture_init_disk(&b);
    fdc_seek(&a, 0, 1);
    FDC_SEND(&a, 0x03, 0xaf, 0x03);
    FDC_SEND(&a, 0x46, 0x00, 1, 0, 18, 2, 18, 0x1b, 0xff);
    for (unsigned i = 0; i < 200; i++) {
        fdc_wait_byte(&a, 0xf0);
        back[i] = test_inb(&a.test, FDC_DATA);
    }
    vit_device_save(a.fdc, writer);
    vit_device_save(a.floppies[0], writer);
    g_autoptr(GBytes) bytes = vit_state_writer_finish(writer);
    VitStateReader *reader = vit_state_reader_new(bytes, &error);
    g_assert_true(vit_device_load(b.fdc, reader, &error));
    g_assert_true(vit_device_load(b.floppies[0], reader, &error));
    vit_state_reader_free(reader);
    for (unsigned i = 200; i < 512; i++) {
        fdc_wait_byte(&b, 0xf0);
        back[i] = test_inb(&b.test, FDC_DATA);
    }
    g_assert_true(block_test_is_pattern(back, fdc_place(1, 0, 18), 512));
    g_assert_cmphex(test_inb(&b.test, FDC_MSR), ==, 0xd0);
    fdc_fixture_finish(&a);
    fdc_fixture_finish(&b);
}

/* ---- nonsense ---- */

static void
test_fuzz(void)
{
    FdcFixture f;

    fdc_fixture_init_disk(&f);
    for (unsigned i = 0; i < 40000; i++) {
        uint16_t port = (uint16_t)(0x3f0 + (g_test_rand_int() & 7));
        switch (g_test_rand_int_range(0, 8)) {
        case 0: test_inb(&f.test, port); break;
        case 1: blk_graph_poll(f.block.graph, 0); break;
        case 2: fdc_set_dma(&f, (size_t)g_test_rand_int_range(0, 4096)); break;
        case 3:
            if (g_test_rand_int_range(0, 40) == 0) {
                test_outb(&f.test, port, (uint8_t)g_test_rand_int());
            }
            break;
        case 4:
            vit_clock_step_to(f.test.platform.clock,
                              vit_clock_get_ns(f.test.platform.clock) + VIT_NS_PER_MS);
            break;
        case 5: test_outb(&f.test, FDC_DOR, 0x1c); break;
        case 6: test_outb(&f.test, FDC_DATA, (uint8_t)g_test_rand_int_range(0, 20)); break;
        default: test_outb(&f.test, FDC_DATA, (uint8_t)g_test_rand_int()); break;
        }
    }
    /* the noise may have locked a configuration without polling, which a soft reset keeps */
    vit_device_reset(f.fdc);
    fdc_start(&f);
    fdc_seek(&f, 0, 4);
    fdc_fixture_finish(&f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fdc/identity", test_identity);
    g_test_add_func("/fdc/settings", test_settings);
    g_test_add_func("/fdc/seek", test_seek);
    g_test_add_func("/fdc/read-id", test_read_id);
    g_test_add_func("/fdc/reset", test_reset);
    g_test_add_func("/fdc/irq-gate", test_irq_gate);
    g_test_add_func("/fdc/state", test_state);
    g_test_add_func("/fdc/fuzz", test_fuzz);
    return g_test_run();
}
