/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* ATA disks on the PIIX3's channels, by port I/O: commands, both addressings, resets, interrupts
 * and saved state. DMA lists: test-ide-dma.c; errors of the host: test-ide-errors.c. */

#include "ide-fixture.h"

#include "vit-error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* ---- presence ---- */

static void
test_power_on(void)
{
    IdeFixture f;

    ide_fixture_init_disk(&f, NULL);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0x50);
    g_assert_cmphex(test_inb(&f.test, IDE_FEATURE), ==, 1);
    g_assert_cmphex(test_inb(&f.test, IDE_COUNT), ==, 1);
    g_assert_cmphex(test_inb(&f.test, IDE_LBA0), ==, 1);
    g_assert_cmphex(test_inw(&f.test, IDE_LBA1), ==, 0);
    /* Device 1 is not there: device 0 answers for it with a zero status. */
    test_outb(&f.test, IDE_DEVICE, 0xb0);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0);
    test_outb(&f.test, IDE_COMMAND, 0xec);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0);
    g_assert_cmpint(f.irq[0], ==, 0);
    test_outb(&f.test, IDE_LBA0, 0x55);
    g_assert_cmphex(test_inb(&f.test, IDE_LBA0), ==, 0x55);
    /* The second channel is empty. */
    test_outb(&f.test, 0x176, 0xa0);
    test_outb(&f.test, 0x172, 0x55);
    g_assert_cmphex(test_inb(&f.test, 0x172), ==, 0);
    g_assert_cmphex(test_inb(&f.test, 0x177), ==, 0);
    ide_fixture_finish(&f);
}

static void
get_text(const uint16_t *words, unsigned word, unsigned count, char *out)
{
    for (unsigned i = 0; i < count; i++) {
        out[2 * i] = (char)(words[word + i] >> 8);
        out[2 * i + 1] = (char)words[word + i];
    }
    out[2 * count] = 0;
    g_strchomp(out);
}

static void
test_identify(void)
{
    IdeFixture f;
    uint16_t id[256];
    char text[64];

    ide_fixture_init_disk(&f, "serial=ABC123,model=Test disk,ver=9.9,wwn=0x5000c50012345678,"
                              "physical_block_size=4096");
    ide_command(&f, 0xec, 0, 0);
    g_assert_cmphex(ide_wait(&f), ==, 0x58);
    g_assert_cmpint(f.irq[0], ==, 1);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0x58);
    g_assert_cmpint(f.irq[0], ==, 0);
    ide_read_block(&f, id, 512);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0x50);
    get_text(id, 10, 10, text);
    g_assert_cmpstr(text, ==, "ABC123");
    get_text(id, 27, 20, text);
    g_assert_cmpstr(text, ==, "Test disk");
    get_text(id, 23, 4, text);
    g_assert_cmpstr(text, ==, "9.9");
    g_assert_cmpuint(id[1], ==, FIXTURE_DISK_SECTORS / (16 * 63));
    g_assert_cmpuint(id[3], ==, 16);
    g_assert_cmpuint(id[6], ==, 63);
    g_assert_cmpuint(id[60] | id[61] << 16, ==, FIXTURE_DISK_SECTORS);
    g_assert_cmpuint(id[100], ==, FIXTURE_DISK_SECTORS);
    g_assert_cmphex(id[83] & 0x0400, ==, 0x0400); /* LBA48 */
    g_assert_cmphex(id[106], ==, 0x6003);         /* 8 logical sectors per physical one */
    g_assert_cmphex(id[108], ==, 0x5000);
    g_assert_cmphex(id[111], ==, 0x5678);
    g_assert_cmphex(id[85] & 0x20, ==, 0x20); /* write cache is on */
    ide_fixture_finish(&f);
}

/* ---- programmed I/O ---- */

static void
test_pio_read(void)
{
    IdeFixture f;
    uint8_t sector[512];

    ide_fixture_init_disk(&f, NULL);
    ide_command(&f, 0x20, 7, 200); /* longer than the read-ahead */
    for (unsigned i = 0; i < 200; i++) {
        g_assert_cmphex(ide_wait(&f), ==, 0x58);
        g_assert_cmpint(f.irq[0], ==, 1);
        test_inb(&f.test, IDE_STATUS);
        ide_read_block(&f, sector, 512);
        g_assert_true(block_test_is_pattern(sector, (7 + i) * 512, 512));
    }
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    g_assert_cmpint(f.irq[0], ==, 0);
    g_assert_cmpuint(f.irq_count[0], ==, 200);
    g_assert_cmpuint(test_inb(&f.test, IDE_COUNT), ==, 0);
    /* By double words, from the last sector. */
    ide_command(&f, 0x20, FIXTURE_DISK_SECTORS - 1, 1);
    g_assert_cmphex(ide_wait(&f), ==, 0x58);
    for (unsigned i = 0; i < 512; i += 4) {
        uint32_t value = test_inl(&f.test, IDE_DATA);
        memcpy(sector + i, &value, 4);
    }
    g_assert_true(block_test_is_pattern(sector, FIXTURE_DISK_BYTES - 512, 512));
    ide_fixture_finish(&f);
}

/* Every 16th block of win2k-install-hack=on keeps the disk busy for a millisecond, and a reset ends
 * that. mission: win2k-hack */
static void
test_pio_rest(void)
{
    IdeFixture f;
    uint8_t sector[512] = { 0x5a };
    VitClock *clock;

    ide_fixture_init_disk(&f, "win2k-install-hack=on");
    clock = f.test.platform.clock;
    for (unsigned round = 0; round < 2; round++) {
        ide_command(&f, 0x30, 100, 20);
        for (unsigned i = 0; i < 16; i++) {
            g_assert_cmphex(ide_wait(&f), ==, 0x58);
            ide_write_block(&f, sector, 512);
        }
        for (unsigned i = 0; i < 5; i++) {
            blk_graph_poll(f.block.graph, 5);
            g_assert_cmphex(test_inb(&f.test, IDE_CONTROL) & 0x80, ==, 0x80);
        }
        if (round == 0) {
            test_outb(&f.test, IDE_CONTROL, 0x04); /* SRST */
            test_outb(&f.test, IDE_CONTROL, 0x00);
            vit_clock_step_to(clock, vit_clock_get_ns(clock) + 2000000);
            g_assert_cmphex(ide_wait(&f), ==, 0x50);
        }
    }
    vit_clock_step_to(clock, vit_clock_get_ns(clock) + 1000000);
    for (unsigned i = 0; i < 4; i++) {
        g_assert_cmphex(ide_wait(&f), ==, 0x58);
        ide_write_block(&f, sector, 512);
    }
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    ide_fixture_finish(&f);
}

static void
test_pio_write(void)
{
    IdeFixture f;
    uint8_t sector[512], back[512 * 3];

    ide_fixture_init_disk(&f, NULL);
    ide_command(&f, 0x30, 100, 3);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmphex(ide_wait(&f), ==, 0x58);
        /* The first block is asked for without an interrupt. */
        g_assert_cmpint(f.irq[0], ==, i > 0);
        test_inb(&f.test, IDE_STATUS);
        memset(sector, 0xa0 + (int)i, 512);
        ide_write_block(&f, sector, 512);
    }
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    g_assert_cmpint(f.irq[0], ==, 1);
    block_test_read_image(&f.block, "disk", 100 * 512, back, sizeof(back));
    g_assert_cmphex(back[0], ==, 0xa0);
    g_assert_cmphex(back[512], ==, 0xa1);
    g_assert_cmphex(back[1535], ==, 0xa2);
    ide_fixture_finish(&f);
}

static void
test_multiple(void)
{
    IdeFixture f;
    g_autofree uint8_t *data = g_malloc(19 * 512);

    ide_fixture_init_disk(&f, NULL);
    ide_command(&f, 0xc4, 0, 4); /* not set: aborted */
    g_assert_cmphex(ide_wait(&f), ==, 0x51);
    g_assert_cmphex(test_inb(&f.test, IDE_FEATURE), ==, 0x04);
    ide_command(&f, 0xc6, 0, 3); /* not a power of two */
    g_assert_cmphex(ide_wait(&f) & 1, ==, 1);
    ide_command(&f, 0xc6, 0, 8);
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    test_inb(&f.test, IDE_STATUS);
    f.irq_count[0] = 0;
    ide_command(&f, 0xc4, 5, 19);
    for (unsigned at = 0; at < 19; at += 8) {
        unsigned count = MIN(8, 19 - at);
        g_assert_cmphex(ide_wait(&f), ==, 0x58);
        test_inb(&f.test, IDE_STATUS);
        ide_read_block(&f, data + at * 512, count * 512);
    }
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    g_assert_cmpuint(f.irq_count[0], ==, 3);
    g_assert_true(block_test_is_pattern(data, 5 * 512, 19 * 512));
    memset(data, 0x33, 19 * 512);
    ide_command(&f, 0xc5, 5, 19);
    for (unsigned at = 0; at < 19; at += 8) {
        g_assert_cmphex(ide_wait(&f), ==, 0x58);
        ide_write_block(&f, data, MIN(8, 19 - at) * 512);
    }
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    block_test_read_image(&f.block, "disk", 5 * 512, data, 19 * 512);
    g_assert_cmphex(data[0], ==, 0x33);
    g_assert_cmphex(data[19 * 512 - 1], ==, 0x33);
    ide_fixture_finish(&f);
}

static void
test_chs(void)
{
    IdeFixture f;
    uint8_t sector[512];
    unsigned lba = (1 * 16 + 3) * 63 + 5 - 1; /* cylinder 1, head 3, sector 5 */

    ide_fixture_init_disk(&f, NULL);
    test_outb(&f.test, IDE_COUNT, 1);
    test_outb(&f.test, IDE_LBA0, 5);
    test_outb(&f.test, IDE_LBA1, 1);
    test_outb(&f.test, IDE_LBA2, 0);
    test_outb(&f.test, IDE_DEVICE, 0xa3);
    test_outb(&f.test, IDE_COMMAND, 0x20);
    g_assert_cmphex(ide_wait(&f), ==, 0x58);
    ide_read_block(&f, sector, 512);
    g_assert_true(block_test_is_pattern(sector, lba * 512, 512));
    /* Another geometry: 4 heads, 17 sectors. */
    test_outb(&f.test, IDE_COUNT, 17);
    test_outb(&f.test, IDE_DEVICE, 0xa3);
    test_outb(&f.test, IDE_COMMAND, 0x91);
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    test_outb(&f.test, IDE_COUNT, 1);
    test_outb(&f.test, IDE_LBA0, 17);
    test_outb(&f.test, IDE_LBA1, 2);
    test_outb(&f.test, IDE_DEVICE, 0xa1);
    test_outb(&f.test, IDE_COMMAND, 0x20);
    g_assert_cmphex(ide_wait(&f), ==, 0x58);
    ide_read_block(&f, sector, 512);
    g_assert_true(block_test_is_pattern(sector, ((2 * 4 + 1) * 17 + 16) * 512, 512));
    /* There is no sector 0, and no sector 18. */
    for (unsigned bad = 0; bad <= 18; bad += 18) {
        test_outb(&f.test, IDE_LBA0, (uint8_t)bad);
        test_outb(&f.test, IDE_COUNT, 1);
        test_outb(&f.test, IDE_COMMAND, 0x20);
        g_assert_cmphex(ide_wait(&f), ==, 0x51);
        g_assert_cmphex(test_inb(&f.test, IDE_FEATURE) & 0x10, ==, 0x10);
    }
    ide_fixture_finish(&f);
}

static void
test_lba48(void)
{
    IdeFixture f;
    uint8_t sector[512];

    ide_fixture_init(&f);
    g_autofree char *path = block_test_path(&f.block, "disk");
    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    g_assert_cmpint(truncate(path, 200ll << 30), ==, 0); /* sparse, beyond 28 bits */
    ide_fixture_add(&f, &vit_ide_hd_kind, 0, path, NULL, NULL);
    uint64_t lba = (150ull << 30) / 512;
    ide_command_ext(&f, 0x34, lba, 1);
    g_assert_cmphex(ide_wait(&f), ==, 0x58);
    memset(sector, 0x5a, 512);
    ide_write_block(&f, sector, 512);
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    block_test_read_image(&f.block, "disk", lba * 512, sector, 512);
    g_assert_cmphex(sector[511], ==, 0x5a);
    memset(sector, 0, 512);
    ide_command_ext(&f, 0x24, lba, 1);
    g_assert_cmphex(ide_wait(&f), ==, 0x58);
    ide_read_block(&f, sector, 512);
    g_assert_cmphex(sector[0], ==, 0x5a);
    /* READ NATIVE MAX ADDRESS EXT, read through HOB. */
    ide_command_ext(&f, 0x27, 0, 0);
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    uint64_t last = test_inb(&f.test, IDE_LBA0) | test_inb(&f.test, IDE_LBA1) << 8 |
                    test_inb(&f.test, IDE_LBA2) << 16;
    test_outb(&f.test, IDE_CONTROL, 0x80);
    last |= (uint64_t)test_inb(&f.test, IDE_LBA0) << 24 | (uint64_t)test_inb(&f.test, IDE_LBA1)
                                                              << 32;
    g_assert_cmpuint(last, ==, (200ull << 30) / 512 - 1);
    ide_fixture_finish(&f);
}

static void
test_out_of_range(void)
{
    static const uint8_t commands[] = { 0x20, 0x30, 0x40, 0xc8, 0xca };
    IdeFixture f;

    ide_fixture_init_disk(&f, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        ide_command(&f, commands[i], FIXTURE_DISK_SECTORS - 1, 2);
        g_assert_cmphex(ide_wait(&f), ==, 0x51);
        g_assert_cmphex(test_inb(&f.test, IDE_FEATURE), ==, 0x14);
        g_assert_cmpint(f.irq[0], ==, 1);
        ide_command(&f, commands[i], 0x0fffffff, 1);
        g_assert_cmphex(ide_wait(&f), ==, 0x51);
    }
    ide_command_ext(&f, 0x24, FIXTURE_DISK_SECTORS, 1);
    g_assert_cmphex(ide_wait(&f), ==, 0x51);
    ide_command(&f, 0x40, 0, 0); /* VERIFY of 256 sectors is fine */
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    ide_fixture_finish(&f);
}

/* ---- other commands ---- */

static void
test_trim(void)
{
    IdeFixture f;
    uint8_t data[512 * 4];
    uint64_t ranges[64] = { 100 | 2ull << 48, 0, 400 | 1ull << 48 };

    ide_fixture_init_disk(&f, NULL);
    memcpy(f.ram->host + 0x10000, ranges, sizeof(ranges));
    ide_set_prd(&f, 0, 0x10000, 0x200, true);
    test_outb(&f.test, IDE_FEATURE, 0);
    test_outb(&f.test, IDE_FEATURE, 1);
    ide_command_ext(&f, 0x06, 0, 1);
    ide_start_dma(&f, false);
    g_assert_cmphex(ide_wait_dma(&f), ==, 0x04);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0x50);
    block_test_read_image(&f.block, "disk", 99 * 512, data, sizeof(data));
    g_assert_true(block_test_is_pattern(data, 99 * 512, 512));
    g_assert_true(blk_buffer_is_zero(data + 512, 1024));
    g_assert_true(block_test_is_pattern(data + 1536, 102 * 512, 512));
    /* Beyond the end: refused. */
    ranges[0] = FIXTURE_DISK_SECTORS | 1ull << 48;
    memcpy(f.ram->host + 0x10000, ranges, sizeof(ranges));
    ide_command_ext(&f, 0x06, 0, 1);
    ide_start_dma(&f, false);
    ide_wait_dma(&f);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0x51);
    ide_fixture_finish(&f);
}

static void
test_flush(void)
{
    IdeFixture f;
    uint8_t sector[512] = { 1 };

    ide_fixture_init(&f);
    g_autofree char *path = block_test_image(&f.block, "disk", FIXTURE_DISK_BYTES);
    ide_fixture_add(&f, &vit_ide_hd_kind, 0, path, "driver=fault,file.driver=raw", NULL);
    Fault *fault = block_test_fault(blk_drive_get_node(f.drives[0]));
    for (unsigned i = 0; i < 2; i++) {
        ide_command(&f, 0x30, 1, 1);
        ide_wait(&f);
        ide_write_block(&f, sector, 512);
        g_assert_cmphex(ide_wait(&f), ==, 0x50);
        g_assert_cmpuint(fault->flushes, ==, i);
        ide_command(&f, i ? 0xea : 0xe7, 0, 0);
        g_assert_cmphex(ide_wait(&f), ==, 0x50);
        g_assert_cmpuint(fault->flushes, ==, i + 1);
    }
    /* Without its cache the disk flushes behind each write. */
    test_outb(&f.test, IDE_FEATURE, 0x82);
    ide_command(&f, 0xef, 0, 0);
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    ide_command(&f, 0x30, 1, 1);
    ide_wait(&f);
    ide_write_block(&f, sector, 512);
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    g_assert_cmpuint(fault->flushes, ==, 3);
    ide_fixture_finish(&f);
}

static void
test_abort(void)
{
    static const uint8_t refused[] = { 0x00, 0x08, 0xa0, 0xa1, 0xf1, 0xf6, 0x37, 0xff, 0x92 };
    IdeFixture f;

    ide_fixture_init_disk(&f, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
        ide_command(&f, refused[i], 0, 1);
        g_assert_cmphex(ide_wait(&f), ==, 0x51);
        g_assert_cmphex(test_inb(&f.test, IDE_FEATURE), ==, 0x04);
    }
    ide_fixture_finish(&f);
}

static void
test_smart(void)
{
    IdeFixture f;
    uint8_t sector[512], sum = 0;

    ide_fixture_init_disk(&f, NULL);
    test_outb(&f.test, IDE_FEATURE, 0xd0);
    ide_command(&f, 0xb0, 0xc24f00, 1);
    g_assert_cmphex(ide_wait(&f), ==, 0x58);
    ide_read_block(&f, sector, 512);
    for (unsigned i = 0; i < 512; i++) {
        sum += sector[i];
    }
    g_assert_cmpuint(sum, ==, 0);
    test_outb(&f.test, IDE_FEATURE, 0xda);
    ide_command(&f, 0xb0, 0xc24f00, 1);
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    g_assert_cmphex(test_inb(&f.test, IDE_LBA1), ==, 0x4f); /* healthy */
    ide_command(&f, 0xb0, 0, 1);                            /* without the key */
    g_assert_cmphex(ide_wait(&f), ==, 0x51);
    ide_fixture_finish(&f);
}

/* ---- resets and interrupts ---- */

static void
test_reset(void)
{
    IdeFixture f;

    ide_fixture_init(&f);
    g_autofree char *path = block_test_image(&f.block, "disk", FIXTURE_DISK_BYTES);
    ide_fixture_add(&f, &vit_ide_hd_kind, 0, path, "driver=fault,delay=10000000,file.driver=raw",
                    NULL);
    ide_set_prd(&f, 0, 0x10000, 0x1000, true);
    ide_command(&f, 0xc8, 0, 8);
    ide_start_dma(&f, true);
    test_outb(&f.test, IDE_CONTROL, 0x04); /* while the transfer is under way */
    g_assert_cmphex(test_inb(&f.test, IDE_CONTROL), ==, 0x80);
    g_assert_cmpint(f.irq[0], ==, 0);
    /* After this nothing may touch the memory any more. */
    memset(f.ram->host + 0x10000, 0xee, 0x1000);
    test_outb(&f.test, IDE_CONTROL, 0);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0x50);
    g_assert_cmphex(test_inb(&f.test, IDE_FEATURE), ==, 1);
    while (blk_graph_poll(f.block.graph, 0)) {
    }
    g_assert_cmphex(f.ram->host[0x10000], ==, 0xee);
    g_assert_cmpint(f.irq[0], ==, 0);
    /* EXECUTE DEVICE DIAGNOSTIC. */
    test_outb(&f.test, IDE_COMMAND, 0x90);
    g_assert_cmpint(f.irq[0], ==, 1);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0x50);
    g_assert_cmphex(test_inb(&f.test, IDE_FEATURE), ==, 1);
    ide_fixture_finish(&f);
}

static void
test_interrupts(void)
{
    IdeFixture f;

    ide_fixture_init_disk(&f, NULL);
    g_autofree char *path = block_test_image(&f.block, "disk2", FIXTURE_DISK_BYTES);
    ide_fixture_add(&f, &vit_ide_hd_kind, 1, path, NULL, NULL);
    test_outb(&f.test, IDE_CONTROL, 0x02); /* nIEN */
    ide_command(&f, 0xe7, 0, 0);
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    g_assert_cmpint(f.irq[0], ==, 0);
    test_outb(&f.test, IDE_CONTROL, 0); /* it was pending */
    g_assert_cmpint(f.irq[0], ==, 1);
    /* The other device does not drive the line. */
    test_outb(&f.test, IDE_DEVICE, 0xf0);
    g_assert_cmpint(f.irq[0], ==, 0);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0x50);
    test_outb(&f.test, IDE_DEVICE, 0xe0);
    g_assert_cmpint(f.irq[0], ==, 1);
    test_inb(&f.test, IDE_CONTROL); /* the alternate status does not acknowledge */
    g_assert_cmpint(f.irq[0], ==, 1);
    test_inb(&f.test, IDE_STATUS);
    g_assert_cmpint(f.irq[0], ==, 0);
    ide_fixture_finish(&f);
}

/* ---- state ---- */

static GBytes *
save(IdeFixture *f)
{
    VitStateWriter *writer = vit_state_writer_new();

    vit_device_save(f->controller, writer);
    vit_device_save(f->devices[0], writer);
    return vit_state_writer_finish(writer);
}

static void
load(IdeFixture *f, GBytes *bytes)
{
    g_autoptr(GError) error = NULL;
    VitStateReader *reader = vit_state_reader_new(bytes, &error);

    g_assert_no_error(error);
    g_assert_true(vit_device_load(f->controller, reader, &error));
    g_assert_true(vit_device_load(f->devices[0], reader, &error));
    g_assert_no_error(error);
    vit_state_reader_free(reader);
}

/* In the middle of a block, another machine takes over. */
static void
test_state(void)
{
    IdeFixture a, b;
    uint8_t sector[512];

    ide_fixture_init_disk(&a, NULL);
    ide_fixture_init_disk(&b, NULL);
    ide_command(&a, 0x20, 20, 3);
    g_assert_cmphex(ide_wait(&a), ==, 0x58);
    ide_read_block(&a, sector, 100);
    g_autoptr(GBytes) bytes = save(&a);
    load(&b, bytes);
    ide_read_block(&b, sector + 100, 412);
    g_assert_true(block_test_is_pattern(sector, 20 * 512, 512));
    for (unsigned i = 1; i < 3; i++) {
        g_assert_cmphex(ide_wait(&b), ==, 0x58);
        ide_read_block(&b, sector, 512);
        g_assert_true(block_test_is_pattern(sector, (20 + i) * 512, 512));
    }
    g_assert_cmphex(ide_wait(&b), ==, 0x50);
    ide_fixture_finish(&a);
    ide_fixture_finish(&b);
}

/* ---- what is refused ---- */

static void
expect_refusal(IdeFixture *f, const char *prop, const char *value, const char *words)
{
    g_autoptr(GError) error = NULL;
    VitDevice *dev = vit_device_new(&vit_ide_hd_kind, NULL);

    ((VitDevice *)dev)->id = NULL;
    f->drives[1] =
        f->drives[1] ? f->drives[1]
                     : blk_drive_new(f->block.graph, "spare", &(BlkDriveConfig){ 0 }, NULL, &error);
    *(VitDrive **)((char *)dev + vit_prop_find(vit_ide_hd_kind.props, "drive")->offset) =
        f->drives[1];
    g_assert_true(vit_device_set(dev, prop, value, NULL, &error));
    g_assert_false(
        vit_device_realize(dev, vit_piix3_ide_bus(f->controller, 0), &f->test.platform, &error));
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, words));
    vit_device_free(dev);
}

static void
test_refusals(void)
{
    IdeFixture f;

    ide_fixture_init_disk(&f, NULL);
    expect_refusal(&f, "logical_block_size", "4096", "512 bytes");
    expect_refusal(&f, "unit", "1", "no image");
    g_autofree char *path = block_test_image(&f.block, "ro", 65536);
    g_autoptr(BlkNode) node = block_test_open(&f.block, path, "driver=raw,read-only=on");
    g_assert_true(blk_drive_insert(f.drives[1], node, NULL));
    expect_refusal(&f, "unit", "1", "read-only");
    g_clear_pointer(&node, blk_node_unref);
    ide_fixture_finish(&f);
}

/* ---- nonsense ---- */

static void
test_fuzz(void)
{
    static const uint16_t ports[] = { 0x1f0,   0x1f1,   0x1f2,       0x1f3,       0x1f4,
                                      0x1f5,   0x1f6,   0x1f7,       0x1f7,       0x3f6,
                                      BM_BASE, BM_BASE, BM_BASE + 2, BM_BASE + 4, 0x170,
                                      0x176,   0x177,   0x376,       BM_BASE + 8, BM_BASE + 12 };
    IdeFixture f;

    ide_fixture_init_disk(&f, NULL);
    for (unsigned i = 0; i < 30000; i++) {
        uint16_t port = ports[g_test_rand_int_range(0, G_N_ELEMENTS(ports))];
        uint32_t value = (uint32_t)g_test_rand_int();
        switch (g_test_rand_int_range(0, 12)) {
        case 0: test_outw(&f.test, port, (uint16_t)value); break;
        case 1: test_outl(&f.test, port, value); break;
        case 2: test_inw(&f.test, port); break;
        case 3: test_inl(&f.test, port); break;
        case 4: test_inb(&f.test, port); break;
        case 5: test_outl(&f.test, BM_BASE + 4, value & 0xfffc); break;
        case 6: memcpy(f.ram->host + (value & 0xfff0), &value, 4); break;
        case 7: blk_graph_poll(f.block.graph, 0); break;
        case 8:
            ide_command(&f, "\x20\x30\xc8\xca\x25\x35\x06\xc4\xc5\xec"[value % 10], value >> 20,
                        (uint8_t)(value >> 8));
            break;
        default: test_outb(&f.test, port, (uint8_t)value); break;
        }
    }
    vit_device_reset(f.controller);
    vit_device_reset(f.devices[0]);
    ide_command(&f, 0xec, 0, 0);
    g_assert_cmphex(ide_wait(&f), ==, 0x58);
    ide_fixture_finish(&f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ide/power-on", test_power_on);
    g_test_add_func("/ide/identify", test_identify);
    g_test_add_func("/ide/pio/read", test_pio_read);
    g_test_add_func("/ide/pio/write", test_pio_write);
    g_test_add_func("/ide/pio/rest", test_pio_rest);
    g_test_add_func("/ide/pio/multiple", test_multiple);
    g_test_add_func("/ide/pio/chs", test_chs);
    g_test_add_func("/ide/pio/lba48", test_lba48);
    g_test_add_func("/ide/out-of-range", test_out_of_range);
    g_test_add_func("/ide/trim", test_trim);
    g_test_add_func("/ide/flush", test_flush);
    g_test_add_func("/ide/abort", test_abort);
    g_test_add_func("/ide/smart", test_smart);
    g_test_add_func("/ide/reset", test_reset);
    g_test_add_func("/ide/interrupts", test_interrupts);
    g_test_add_func("/ide/state", test_state);
    g_test_add_func("/ide/refusals", test_refusals);
    g_test_add_func("/ide/fuzz", test_fuzz);
    return g_test_run();
}
