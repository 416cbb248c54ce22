/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Helpers of the floppy controller's tests; see fdc-fixture.h. */

#include "fdc-fixture.h"

#include "vit-error.h"

#include <string.h>

static void
set_irq(void *opaque, int n, int level)
{
    FdcFixture *f = opaque;

    f->irq_count += level && !f->irq;
    f->irq = level;
}

static void
dma_set_request(void *opaque, unsigned channel, bool level)
{
    g_assert_cmpuint(channel, ==, 2);
    ((FdcFixture *)opaque)->request = level;
}

static size_t
dma_transfer(void *opaque, unsigned channel, void *buf, size_t len, bool read_memory, bool *out_tc)
{
    FdcFixture *f = opaque;

    g_assert_true(f->request);
    *out_tc = false;
    if (!f->ready || f->left == 0) {
        return 0;
    }
    len = MIN(len, f->left);
    if (read_memory) {
        memcpy(buf, f->memory + f->at, len);
    } else {
        memcpy(f->memory + f->at, buf, len);
    }
    f->at += len;
    f->left -= len;
    *out_tc = f->left == 0;
    return len;
}

static const VitIsaDmaOps dma_ops = { .set_request = dma_set_request, .transfer = dma_transfer };

void
fdc_set_dma(FdcFixture *f, size_t len)
{
    f->at = 0;
    f->left = len;
    f->ready = true;
}

void
fdc_fixture_init(FdcFixture *f)
{
    g_autoptr(GError) error = NULL;

    memset(f, 0, sizeof(*f));
    test_platform_init(&f->test);
    block_test_init_locked(&f->block, &f->test.lock);
    vit_bus_init(&f->isa.bus, VIT_BUS_ISA, "isa.0", NULL, &f->test.platform);
    f->isa.irq[6] = (VitIrq){ .func = set_irq, .opaque = f };
    f->isa.dma = &dma_ops;
    f->isa.dma_opaque = f;
    f->fdc = vit_device_new(&vit_isa_fdc_kind, NULL);
    vit_device_realize(f->fdc, &f->isa.bus, &f->test.platform, &error);
    g_assert_no_error(error);
}

static VitDrive *
resolve_drive(void *opaque, const char *id, GError **error)
{
    return blk_graph_find_drive(((FdcFixture *)opaque)->block.graph, id, error);
}

void
fdc_fixture_add(FdcFixture *f, unsigned unit, const char *filename, const char *options,
                const char *type)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkNode) node = filename ? block_test_open(&f->block, filename, options) : NULL;
    VitPropResolver resolver = { .drive = resolve_drive, .opaque = f };
    BlkDriveConfig config = { .on_write_error = BLK_ON_ERROR_ENOSPC };
    const char *id = unit ? "floppy1" : "floppy0";

    f->drives[unit] = blk_drive_new(f->block.graph, id, &config, node, &error);
    g_assert_no_error(error);
    f->floppies[unit] = vit_device_new(&vit_floppy_kind, NULL);
    vit_device_set(f->floppies[unit], "drive", id, &resolver, &error);
    vit_device_set(f->floppies[unit], "drive-type", type ? type : "auto", NULL, &error);
    vit_device_realize(f->floppies[unit], vit_fdc_bus(f->fdc), &f->test.platform, &error);
    g_assert_no_error(error);
}

void
fdc_fixture_init_disk(FdcFixture *f)
{
    fdc_fixture_init(f);
    g_autofree char *path = block_test_image(&f->block, "floppy", FDC_DISK_BYTES);
    fdc_fixture_add(f, 0, path, "driver=raw", NULL);
    fdc_start(f);
}

void
fdc_fixture_finish(FdcFixture *f)
{
    for (unsigned i = 0; i < 2; i++) {
        vit_device_free(f->floppies[i]);
        blk_drive_free(f->drives[i]);
    }
    vit_device_free(f->fdc);
    vit_bus_finish(&f->isa.bus);
    block_test_finish(&f->block);
    test_platform_finish(&f->test);
}

/* ---- what a driver does ---- */

void
fdc_start(FdcFixture *f)
{
    uint8_t result[10];

    test_outb(&f->test, FDC_DOR, 0x00);
    g_assert_cmphex(test_inb(&f->test, FDC_MSR), ==, 0);
    test_outb(&f->test, FDC_DOR, 0x1c);
    g_assert_cmpint(f->irq, ==, 1);
    for (unsigned i = 0; i < 4; i++) {
        FDC_SEND(f, 0x08);
        g_assert_cmpuint(fdc_get_result(f, result), ==, 2);
        g_assert_cmphex(result[0], ==, 0xc0 | i);
    }
    g_assert_cmpint(f->irq, ==, 0);
    test_outb(&f->test, FDC_CCR, 0);
    FDC_SEND(f, 0x03, 0xaf, 0x02);
}

void
fdc_send(FdcFixture *f, const uint8_t *bytes, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        g_assert_cmphex(test_inb(&f->test, FDC_MSR) & 0xc0, ==, 0x80);
        test_outb(&f->test, FDC_DATA, bytes[i]);
    }
}

unsigned
fdc_get_result(FdcFixture *f, uint8_t *out)
{
    unsigned count = 0;

    while ((test_inb(&f->test, FDC_MSR) & 0xd0) == 0xd0) {
        g_assert_cmpuint(count, <, 10);
        out[count++] = test_inb(&f->test, FDC_DATA);
    }
    return count;
}

void
fdc_wait_irq(FdcFixture *f)
{
    for (unsigned i = 0; i < 1000 && !f->irq; i++) {
        blk_graph_poll(f->block.graph, 5);
    }
    g_assert_cmpint(f->irq, ==, 1);
}

void
fdc_expect_result(FdcFixture *f, uint8_t st0, uint8_t st1, uint8_t st2, uint8_t c, uint8_t h,
                  uint8_t r)
{
    uint8_t result[10];

    fdc_wait_irq(f);
    g_assert_cmpuint(fdc_get_result(f, result), ==, 7);
    g_assert_cmphex(result[0], ==, st0);
    g_assert_cmphex(result[1], ==, st1);
    g_assert_cmphex(result[2], ==, st2);
    g_assert_cmpuint(result[3], ==, c);
    g_assert_cmpuint(result[4], ==, h);
    g_assert_cmpuint(result[5], ==, r);
    g_assert_cmpuint(result[6], ==, 2);
    g_assert_cmpint(f->irq, ==, 0);
    g_assert_false(f->request);
    g_assert_cmphex(test_inb(&f->test, FDC_MSR), ==, 0x80);
}

void
fdc_seek(FdcFixture *f, uint8_t unit, uint8_t track)
{
    uint8_t result[10];

    FDC_SEND(f, 0x0f, unit, track);
    fdc_wait_irq(f);
    FDC_SEND(f, 0x08);
    g_assert_cmpuint(fdc_get_result(f, result), ==, 2);
    g_assert_cmphex(result[0], ==, 0x20 | unit);
    g_assert_cmpuint(result[1], ==, track);
}

void
fdc_wait_byte(FdcFixture *f, uint8_t msr)
{
    for (unsigned i = 0; i < 1000 && test_inb(&f->test, FDC_MSR) != msr; i++) {
        blk_graph_poll(f->block.graph, 5);
    }
    g_assert_cmphex(test_inb(&f->test, FDC_MSR), ==, msr);
}

uint64_t
fdc_place(unsigned c, unsigned h, unsigned r)
{
    return ((c * 2 + h) * 18 + r - 1) * 512;
}
