/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The floppy controller by its ports, with a DMA channel that exists only here and images behind
 * its drives. */

#include "block-test.h"
#include "floppy/fdc82077.h"
#include "test-platform.h"
#include "vit-error.h"
#include "vit-isa.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    FDC_DOR = 0x3f2,
    FDC_MSR = 0x3f4,
    FDC_DSR = 0x3f4,
    FDC_DATA = 0x3f5,
    FDC_DIR = 0x3f7,
    FDC_CCR = 0x3f7,
    DISK_BYTES = 2880 * 512,
};

typedef struct Fixture {
    TestPlatform test;
    BlockTest block;
    VitIsaBus isa;
    VitDevice *fdc, *floppies[2];
    VitDrive *drives[2];
    int irq;
    unsigned irq_count;
    /* the DMA channel */
    uint8_t memory[128 * 1024];
    size_t at, left;
    bool ready, request;
} Fixture;

static void
set_irq(void *opaque, int n, int level)
{
    Fixture *f = opaque;

    f->irq_count += level && !f->irq;
    f->irq = level;
}

static void
dma_set_request(void *opaque, unsigned channel, bool level)
{
    g_assert_cmpuint(channel, ==, 2);
    ((Fixture *)opaque)->request = level;
}

static size_t
dma_transfer(void *opaque, unsigned channel, void *buf, size_t len, bool read_memory, bool *out_tc)
{
    Fixture *f = opaque;

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

static void
set_dma(Fixture *f, size_t len)
{
    f->at = 0;
    f->left = len;
    f->ready = true;
}

static void
init(Fixture *f)
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
    return blk_graph_find_drive(((Fixture *)opaque)->block.graph, id, error);
}

static void
add_floppy(Fixture *f, unsigned unit, const char *filename, const char *options, const char *type)
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

static void
finish(Fixture *f)
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

static void
send(Fixture *f, const uint8_t *bytes, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        g_assert_cmphex(test_inb(&f->test, FDC_MSR) & 0xc0, ==, 0x80);
        test_outb(&f->test, FDC_DATA, bytes[i]);
    }
}

#define SEND(f, ...)                              \
    do {                                          \
        const uint8_t bytes_[] = { __VA_ARGS__ }; \
        send(f, bytes_, sizeof(bytes_));          \
    } while (0)

static unsigned
get_result(Fixture *f, uint8_t *out)
{
    unsigned count = 0;

    while ((test_inb(&f->test, FDC_MSR) & 0xd0) == 0xd0) {
        g_assert_cmpuint(count, <, 10);
        out[count++] = test_inb(&f->test, FDC_DATA);
    }
    return count;
}

static void
wait_irq(Fixture *f)
{
    for (unsigned i = 0; i < 1000 && !f->irq; i++) {
        blk_graph_poll(f->block.graph, 5);
    }
    g_assert_cmpint(f->irq, ==, 1);
}

/* Result bytes of a data command. */
static void
expect_result(Fixture *f, uint8_t st0, uint8_t st1, uint8_t st2, uint8_t c, uint8_t h, uint8_t r)
{
    uint8_t result[10];

    wait_irq(f);
    g_assert_cmpuint(get_result(f, result), ==, 7);
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

static void
seek(Fixture *f, uint8_t unit, uint8_t track)
{
    uint8_t result[10];

    SEND(f, 0x0f, unit, track);
    wait_irq(f);
    SEND(f, 0x08);
    g_assert_cmpuint(get_result(f, result), ==, 2);
    g_assert_cmphex(result[0], ==, 0x20 | unit);
    g_assert_cmpuint(result[1], ==, track);
}

/* Reset, motor on, 500 kbit/s, DMA. */
static void
start(Fixture *f)
{
    uint8_t result[10];

    test_outb(&f->test, FDC_DOR, 0x00);
    g_assert_cmphex(test_inb(&f->test, FDC_MSR), ==, 0);
    test_outb(&f->test, FDC_DOR, 0x1c);
    g_assert_cmpint(f->irq, ==, 1);
    for (unsigned i = 0; i < 4; i++) {
        SEND(f, 0x08);
        g_assert_cmpuint(get_result(f, result), ==, 2);
        g_assert_cmphex(result[0], ==, 0xc0 | i);
    }
    g_assert_cmpint(f->irq, ==, 0);
    test_outb(&f->test, FDC_CCR, 0);
    SEND(f, 0x03, 0xaf, 0x02);
}

static void
set_up(Fixture *f)
{
    init(f);
    g_autofree char *path = block_test_image(&f->block, "floppy", DISK_BYTES);
    add_floppy(f, 0, path, "driver=raw", NULL);
    start(f);
}

static bool
is_pattern(const uint8_t *data, uint64_t offset, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] != block_test_byte(offset + i)) {
            return false;
        }
    }
    return true;
}

static uint64_t
place(unsigned c, unsigned h, unsigned r)
{
    return ((c * 2 + h) * 18 + r - 1) * 512;
}

static void
read_image(Fixture *f, uint64_t offset, void *buf, size_t len)
{
    g_autofree char *path = block_test_path(&f->block, "floppy");
    FILE *file = fopen(path, "rb");

    g_assert_nonnull(file);
    g_assert_cmpint(fseek(file, (long)offset, SEEK_SET), ==, 0);
    g_assert_cmpuint(fread(buf, 1, len, file), ==, len);
    fclose(file);
}

/* ---- commands without data ---- */

static void
test_identity(void)
{
    Fixture f;
    uint8_t result[10];

    set_up(&f);
    SEND(&f, 0x10);
    g_assert_cmpuint(get_result(&f, result), ==, 1);
    g_assert_cmphex(result[0], ==, 0x90);
    SEND(&f, 0x18); /* PART ID is a command of the 82078 */
    g_assert_cmpuint(get_result(&f, result), ==, 1);
    g_assert_cmphex(result[0], ==, 0x80);
    SEND(&f, 0x08); /* no interrupt to sense */
    g_assert_cmpuint(get_result(&f, result), ==, 1);
    g_assert_cmphex(result[0], ==, 0x80);
    finish(&f);
}

static void
test_settings(void)
{
    Fixture f;
    uint8_t result[10];

    set_up(&f);
    SEND(&f, 0x13, 0x00, 0x57, 0x20); /* CONFIGURE */
    SEND(&f, 0x12, 0x84 | 0x03);      /* PERPENDICULAR: drive 0, GAP and WGATE */
    SEND(&f, 0x94);                   /* LOCK */
    g_assert_cmpuint(get_result(&f, result), ==, 1);
    g_assert_cmphex(result[0], ==, 0x10);
    SEND(&f, 0x0e); /* DUMPREG */
    g_assert_cmpuint(get_result(&f, result), ==, 10);
    g_assert_cmphex(result[4], ==, 0xaf);
    g_assert_cmphex(result[5], ==, 0x02);
    g_assert_cmphex(result[7], ==, 0x87);
    g_assert_cmphex(result[8], ==, 0x57);
    g_assert_cmphex(result[9], ==, 0x20);
    /* Locked, they outlive a reset; GAP and WGATE do not. Polling is off: no interrupt. */
    test_outb(&f.test, FDC_DSR, 0x80);
    g_assert_cmpint(f.irq, ==, 0);
    SEND(&f, 0x0e);
    g_assert_cmpuint(get_result(&f, result), ==, 10);
    g_assert_cmphex(result[7], ==, 0x84);
    g_assert_cmphex(result[8], ==, 0x57);
    SEND(&f, 0x14); /* UNLOCK */
    g_assert_cmpuint(get_result(&f, result), ==, 1);
    g_assert_cmphex(result[0], ==, 0);
    test_outb(&f.test, FDC_DSR, 0x80);
    SEND(&f, 0x0e);
    g_assert_cmpuint(get_result(&f, result), ==, 10);
    g_assert_cmphex(result[8], ==, 0x20);
    finish(&f);
}

static void
test_seek(void)
{
    Fixture f;
    uint8_t result[10];

    set_up(&f);
    seek(&f, 0, 40);
    SEND(&f, 0x8f | 0x40, 0, 3); /* RELATIVE SEEK in */
    wait_irq(&f);
    SEND(&f, 0x08);
    g_assert_cmpuint(get_result(&f, result), ==, 2);
    g_assert_cmpuint(result[1], ==, 43);
    SEND(&f, 0x04, 0); /* SENSE DRIVE STATUS: not on track 0, writable */
    g_assert_cmpuint(get_result(&f, result), ==, 1);
    g_assert_cmphex(result[0], ==, 0x28);
    SEND(&f, 0x07, 0); /* RECALIBRATE */
    wait_irq(&f);
    SEND(&f, 0x08);
    g_assert_cmpuint(get_result(&f, result), ==, 2);
    g_assert_cmphex(result[0], ==, 0x20);
    g_assert_cmpuint(result[1], ==, 0);
    SEND(&f, 0x04, 0);
    get_result(&f, result);
    g_assert_cmphex(result[0], ==, 0x38);
    SEND(&f, 0x07, 1); /* there is no second drive */
    wait_irq(&f);
    SEND(&f, 0x08);
    get_result(&f, result);
    g_assert_cmphex(result[0], ==, 0x71);
    finish(&f);
}

static void
test_read_id(void)
{
    Fixture f;

    set_up(&f);
    seek(&f, 0, 12);
    SEND(&f, 0x4a, 0x04);
    expect_result(&f, 0x04, 0, 0, 12, 1, 1);
    test_outb(&f.test, FDC_CCR, 2); /* the wrong data rate finds no marks */
    SEND(&f, 0x4a, 0x00);
    expect_result(&f, 0x40, 0x01, 0, 12, 0, 1);
    finish(&f);
}

/* ---- data by DMA ---- */

static void
test_read_dma(void)
{
    Fixture f;

    set_up(&f);
    seek(&f, 0, 5);
    set_dma(&f, 3 * 512);
    SEND(&f, 0xe6, 0x00, 5, 0, 2, 2, 18, 0x1b, 0xff);
    expect_result(&f, 0, 0, 0, 5, 0, 5);
    g_assert_true(is_pattern(f.memory, place(5, 0, 2), 3 * 512));
    /* A whole cylinder, both heads. */
    set_dma(&f, 36 * 512);
    SEND(&f, 0xe6, 0x00, 5, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(&f, 0x00, 0, 0, 6, 0, 1);
    g_assert_true(is_pattern(f.memory, place(5, 0, 1), 36 * 512));
    /* The count ends within a sector. */
    set_dma(&f, 700);
    memset(f.memory, 0xee, 2048);
    SEND(&f, 0x46, 0x04, 5, 1, 17, 2, 18, 0x1b, 0xff);
    expect_result(&f, 0x04, 0, 0, 6, 1, 1);
    g_assert_true(is_pattern(f.memory, place(5, 1, 17), 700));
    g_assert_cmphex(f.memory[700], ==, 0xee);
    finish(&f);
}

static void
test_write_dma(void)
{
    Fixture f;
    uint8_t back[1024];

    set_up(&f);
    seek(&f, 0, 79);
    memset(f.memory, 0x77, sizeof(f.memory));
    set_dma(&f, 512 + 100);
    SEND(&f, 0x45, 0x04, 79, 1, 10, 2, 18, 0x1b, 0xff);
    expect_result(&f, 0x04, 0, 0, 79, 1, 12);
    read_image(&f, place(79, 1, 10), back, sizeof(back));
    g_assert_cmphex(back[0], ==, 0x77);
    g_assert_cmphex(back[611], ==, 0x77);
    g_assert_true(blk_buffer_is_zero(back + 612, 412)); /* the rest of the sector */
    finish(&f);
}

static void
test_no_terminal_count(void)
{
    Fixture f;

    set_up(&f);
    seek(&f, 0, 0);
    set_dma(&f, 100 * 512);
    SEND(&f, 0x46, 0x00, 0, 0, 17, 2, 18, 0x1b, 0xff);
    expect_result(&f, 0x40, 0x80, 0, 1, 0, 1); /* end of cylinder */
    g_assert_cmpuint(f.left, ==, 98 * 512);
    finish(&f);
}

static void
test_errors(void)
{
    Fixture f;

    set_up(&f);
    seek(&f, 0, 3);
    set_dma(&f, 512);
    SEND(&f, 0x46, 0x00, 4, 0, 1, 2, 18, 0x1b, 0xff); /* not where the head is */
    expect_result(&f, 0x40, 0x04, 0x10, 4, 0, 1);
    SEND(&f, 0x46, 0x00, 3, 0, 19, 2, 20, 0x1b, 0xff); /* no such sector */
    expect_result(&f, 0x40, 0x04, 0, 3, 0, 19);
    SEND(&f, 0x46, 0x01, 3, 0, 1, 2, 18, 0x1b, 0xff); /* no such drive */
    expect_result(&f, 0x41, 0x01, 0, 3, 0, 1);
    test_outb(&f.test, FDC_CCR, 3);
    SEND(&f, 0x46, 0x00, 3, 0, 1, 2, 18, 0x1b, 0xff); /* the wrong rate */
    expect_result(&f, 0x40, 0x01, 0, 3, 0, 1);
    test_outb(&f.test, FDC_CCR, 0);
    /* With implied seeks the head goes there. */
    SEND(&f, 0x13, 0, 0x60, 0);
    SEND(&f, 0x46, 0x00, 4, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(&f, 0, 0, 0, 4, 0, 2);
    finish(&f);
}

static void
test_dma_not_ready(void)
{
    Fixture f;

    set_up(&f);
    seek(&f, 0, 0);
    set_dma(&f, 512);
    f.ready = false;
    SEND(&f, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    while (blk_graph_poll(f.block.graph, 20)) {
    }
    g_assert_cmpint(f.irq, ==, 0);
    g_assert_true(f.request);
    f.ready = true;
    vit_clock_step_to(f.test.platform.clock,
                      vit_clock_get_ns(f.test.platform.clock) + 5 * VIT_NS_PER_MS);
    expect_result(&f, 0, 0, 0, 0, 0, 2);
    g_assert_true(is_pattern(f.memory, 0, 512));
    /* Never ready: an overrun in the end. */
    f.ready = false;
    SEND(&f, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    while (blk_graph_poll(f.block.graph, 20)) {
    }
    vit_clock_step_to(f.test.platform.clock,
                      vit_clock_get_ns(f.test.platform.clock) + VIT_NS_PER_SEC);
    expect_result(&f, 0x40, 0x10, 0, 0, 0, 1);
    finish(&f);
}

static void
test_format(void)
{
    Fixture f;
    uint8_t back[18 * 512];

    set_up(&f);
    seek(&f, 0, 20);
    for (unsigned i = 0; i < 18; i++) {
        const uint8_t id[] = { 20, 1, (uint8_t)(i * 5 % 18 + 1), 2 }; /* interleaved */
        memcpy(f.memory + 4 * i, id, 4);
    }
    set_dma(&f, 18 * 4);
    SEND(&f, 0x4d, 0x04, 2, 18, 0x54, 0xf6);
    wait_irq(&f);
    g_assert_cmpuint(get_result(&f, back), ==, 7);
    g_assert_cmphex(back[0], ==, 0x04);
    read_image(&f, place(20, 1, 1), back, sizeof(back));
    for (unsigned i = 0; i < sizeof(back); i++) {
        g_assert_cmphex(back[i], ==, 0xf6);
    }
    finish(&f);
}

static void
test_verify(void)
{
    Fixture f;

    set_up(&f);
    seek(&f, 0, 0);
    SEND(&f, 0x56, 0x80, 0, 0, 3, 2, 18, 0x1b, 4); /* four sectors */
    expect_result(&f, 0, 0, 0, 0, 0, 7);
    SEND(&f, 0x56, 0x00, 0, 0, 3, 2, 18, 0x1b, 0xff); /* to the end of the track */
    expect_result(&f, 0, 0, 0, 1, 0, 1);
    finish(&f);
}

static void
test_scan(void)
{
    Fixture f;

    set_up(&f);
    seek(&f, 0, 0);
    read_image(&f, place(0, 0, 1), f.memory, 512); /* what is looked for: sector 3 */
    read_image(&f, place(0, 0, 1), f.memory + 512, 512);
    f.memory[0] ^= 0x10;
    f.memory[512] ^= 0x10;
    read_image(&f, place(0, 0, 3), f.memory + 1024, 512);
    f.memory[1024 + 5] = 0xff; /* any */
    set_dma(&f, 5 * 512);
    SEND(&f, 0x51, 0x00, 0, 0, 1, 2, 18, 0x1b, 1);
    expect_result(&f, 0, 0, 0x08, 0, 0, 4);
    /* Not there: the count ends first. */
    set_dma(&f, 512);
    SEND(&f, 0x51, 0x00, 0, 0, 1, 2, 18, 0x1b, 1);
    expect_result(&f, 0, 0, 0x04, 0, 0, 2);
    finish(&f);
}

/* ---- programmed I/O ---- */

static void
wait_byte(Fixture *f, uint8_t msr)
{
    for (unsigned i = 0; i < 1000 && test_inb(&f->test, FDC_MSR) != msr; i++) {
        blk_graph_poll(f->block.graph, 5);
    }
    g_assert_cmphex(test_inb(&f->test, FDC_MSR), ==, msr);
}

static void
test_pio(void)
{
    Fixture f;
    uint8_t back[1024];

    set_up(&f);
    seek(&f, 0, 1);
    SEND(&f, 0x03, 0xaf, 0x03); /* SPECIFY: no DMA */
    SEND(&f, 0x46, 0x00, 1, 0, 17, 2, 18, 0x1b, 0xff);
    for (unsigned i = 0; i < 1024; i++) {
        wait_byte(&f, 0xf0);
        if (i % 512 == 0) {
            g_assert_cmpint(f.irq, ==, 1);
        }
        back[i] = test_inb(&f.test, FDC_DATA);
    }
    g_assert_true(is_pattern(back, place(1, 0, 17), 1024));
    expect_result(&f, 0x40, 0x80, 0, 2, 0, 1); /* there is no terminal count without DMA */
    SEND(&f, 0x45, 0x00, 1, 0, 18, 2, 18, 0x1b, 0xff);
    for (unsigned i = 0; i < 512; i++) {
        wait_byte(&f, 0xb0);
        test_outb(&f.test, FDC_DATA, 0x31);
    }
    expect_result(&f, 0x40, 0x80, 0, 2, 0, 1);
    read_image(&f, place(1, 0, 18), back, 512);
    g_assert_cmphex(back[511], ==, 0x31);
    finish(&f);
}

/* ---- media ---- */

static void
check_medium(unsigned sectors, const char *type, unsigned rate, unsigned last_track,
             unsigned last_head, unsigned last_sector, unsigned cmos_type)
{
    Fixture f;

    init(&f);
    g_autofree char *path = block_test_image(&f.block, "floppy", sectors * 512);
    add_floppy(&f, 0, path, "driver=raw", type);
    g_assert_cmpuint(vit_fdc_get_drive_type(f.fdc, 0), ==, cmos_type);
    g_assert_cmpuint(vit_fdc_get_drive_type(f.fdc, 1), ==, 0);
    start(&f);
    test_outb(&f.test, FDC_CCR, (uint8_t)rate);
    seek(&f, 0, (uint8_t)last_track);
    set_dma(&f, 512);
    SEND(&f, 0x46, (uint8_t)(last_head << 2), (uint8_t)last_track, (uint8_t)last_head,
         (uint8_t)last_sector, 2, (uint8_t)last_sector, 0x1b, 0xff);
    expect_result(&f, (uint8_t)(last_head << 2), 0, 0, (uint8_t)(last_track + 1),
                  (uint8_t)last_head, 1);
    g_assert_true(is_pattern(f.memory, (sectors - 1) * 512, 512));
    finish(&f);
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
    Fixture f;

    init(&f);
    g_autofree char *path = block_test_image(&f.block, "floppy", 2532 * 512);
    add_floppy(&f, 0, path, "driver=raw", NULL);
    start(&f);
    seek(&f, 0, 70);
    set_dma(&f, 36 * 512);
    SEND(&f, 0xe6, 0x00, 70, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(&f, 0, 0, 0, 71, 0, 1);
    g_assert_true(is_pattern(f.memory, place(70, 0, 1), 12 * 512));
    g_assert_true(blk_buffer_is_zero(f.memory + 12 * 512, 24 * 512));
    finish(&f);
}

static void
test_change(void)
{
    g_autoptr(GError) error = NULL;
    Fixture f;

    set_up(&f);
    g_assert_cmphex(test_inb(&f.test, FDC_DIR), ==, 0x80); /* since power-on */
    seek(&f, 0, 1);
    g_assert_cmphex(test_inb(&f.test, FDC_DIR), ==, 0); /* a step clears it */
    g_assert_true(blk_drive_eject(f.drives[0], false, &error));
    g_assert_cmphex(test_inb(&f.test, FDC_DIR), ==, 0x80);
    seek(&f, 0, 2);
    g_assert_cmphex(test_inb(&f.test, FDC_DIR), ==, 0x80); /* not while it is empty */
    set_dma(&f, 512);
    SEND(&f, 0x46, 0x00, 2, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(&f, 0x40, 0x01, 0, 2, 0, 1);
    g_autofree char *other = block_test_image(&f.block, "other", 1440 * 512);
    g_assert_true(blk_drive_change(f.drives[0], other, "raw", "read-only", false, &error));
    g_assert_no_error(error);
    g_assert_cmphex(test_inb(&f.test, FDC_DIR), ==, 0x80);
    seek(&f, 0, 3);
    g_assert_cmphex(test_inb(&f.test, FDC_DIR), ==, 0);
    /* The new one is a 720 kB disk, and write-protected. */
    test_outb(&f.test, FDC_CCR, 2);
    set_dma(&f, 512);
    SEND(&f, 0x46, 0x00, 3, 0, 9, 2, 9, 0x1b, 0xff);
    expect_result(&f, 0, 0, 0, 4, 0, 1);
    g_assert_true(is_pattern(f.memory, (3 * 2 * 9 + 8) * 512, 512));
    SEND(&f, 0x45, 0x00, 3, 0, 9, 2, 9, 0x1b, 0xff);
    expect_result(&f, 0x40, 0x02, 0, 3, 0, 9);
    finish(&f);
}

/* ---- host errors, resets, state ---- */

static void
test_host_error(void)
{
    Fixture f;

    init(&f);
    g_autofree char *path = block_test_image(&f.block, "floppy", DISK_BYTES);
    add_floppy(&f, 0, path, "driver=fault,file.driver=raw", NULL);
    start(&f);
    Fault *fault = block_test_fault(blk_drive_get_node(f.drives[0]));
    seek(&f, 0, 0);
    fault->fail_read = EIO;
    set_dma(&f, 512);
    SEND(&f, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(&f, 0x40, 0x20, 0x20, 0, 0, 1);
    fault->fail_read = 0;
    SEND(&f, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(&f, 0, 0, 0, 0, 0, 2);
    finish(&f);
}

static void
test_reset(void)
{
    Fixture f;

    init(&f);
    g_autofree char *path = block_test_image(&f.block, "floppy", DISK_BYTES);
    add_floppy(&f, 0, path, "driver=fault,delay=10000000,file.driver=raw", NULL);
    start(&f);
    seek(&f, 0, 0);
    set_dma(&f, 512);
    memset(f.memory, 0xee, 512);
    SEND(&f, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    g_assert_cmphex(test_inb(&f.test, FDC_MSR), ==, 0x10); /* busy */
    start(&f);                                             /* reset while the disk is read */
    while (blk_graph_poll(f.block.graph, 0)) {
    }
    g_assert_cmphex(f.memory[0], ==, 0xee);
    g_assert_cmphex(test_inb(&f.test, FDC_MSR), ==, 0x80);
    seek(&f, 0, 0);
    SEND(&f, 0x46, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect_result(&f, 0, 0, 0, 0, 0, 2);
    finish(&f);
}

static void
test_irq_gate(void)
{
    Fixture f;

    set_up(&f);
    test_outb(&f.test, FDC_DOR, 0x14); /* DMAGATE off: the line is not driven */
    SEND(&f, 0x07, 0);
    g_assert_cmpint(f.irq, ==, 0);
    test_outb(&f.test, FDC_DOR, 0x1c);
    g_assert_cmpint(f.irq, ==, 1);
    finish(&f);
}

static void
test_state(void)
{
    Fixture a, b;
    uint8_t back[512];
    g_autoptr(GError) error = NULL;
    VitStateWriter *writer = vit_state_writer_new();

    set_up(&a);
    set_up(&b);
    seek(&a, 0, 1);
    SEND(&a, 0x03, 0xaf, 0x03);
    SEND(&a, 0x46, 0x00, 1, 0, 18, 2, 18, 0x1b, 0xff);
    for (unsigned i = 0; i < 200; i++) {
        wait_byte(&a, 0xf0);
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
        wait_byte(&b, 0xf0);
        back[i] = test_inb(&b.test, FDC_DATA);
    }
    g_assert_true(is_pattern(back, place(1, 0, 18), 512));
    g_assert_cmphex(test_inb(&b.test, FDC_MSR), ==, 0xd0);
    finish(&a);
    finish(&b);
}

static void
test_fuzz(void)
{
    Fixture f;

    set_up(&f);
    for (unsigned i = 0; i < 40000; i++) {
        uint16_t port = (uint16_t)(0x3f0 + (g_test_rand_int() & 7));
        switch (g_test_rand_int_range(0, 8)) {
        case 0: test_inb(&f.test, port); break;
        case 1: blk_graph_poll(f.block.graph, 0); break;
        case 2: set_dma(&f, (size_t)g_test_rand_int_range(0, 4096)); break;
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
    start(&f);
    seek(&f, 0, 4);
    finish(&f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fdc/identity", test_identity);
    g_test_add_func("/fdc/settings", test_settings);
    g_test_add_func("/fdc/seek", test_seek);
    g_test_add_func("/fdc/read-id", test_read_id);
    g_test_add_func("/fdc/read-dma", test_read_dma);
    g_test_add_func("/fdc/write-dma", test_write_dma);
    g_test_add_func("/fdc/no-terminal-count", test_no_terminal_count);
    g_test_add_func("/fdc/errors", test_errors);
    g_test_add_func("/fdc/dma-not-ready", test_dma_not_ready);
    g_test_add_func("/fdc/format", test_format);
    g_test_add_func("/fdc/verify", test_verify);
    g_test_add_func("/fdc/scan", test_scan);
    g_test_add_func("/fdc/pio", test_pio);
    g_test_add_func("/fdc/formats", test_formats);
    g_test_add_func("/fdc/odd-size", test_odd_size);
    g_test_add_func("/fdc/change", test_change);
    g_test_add_func("/fdc/host-error", test_host_error);
    g_test_add_func("/fdc/reset", test_reset);
    g_test_add_func("/fdc/irq-gate", test_irq_gate);
    g_test_add_func("/fdc/state", test_state);
    g_test_add_func("/fdc/fuzz", test_fuzz);
    return g_test_run();
}
