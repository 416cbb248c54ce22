/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The optical drive: packets by programmed I/O and DMA, media, tray and events; where the
 * distribution has GRUB's rescue CD, a real file system is read from it. */

#include "ide-fixture.h"

#include "vit-error.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { CD_SECTORS = 300, CD_BYTES = CD_SECTORS * 2048 };

#define GRUB_CD "/usr/lib/grub-rescue/grub-rescue-cdrom.iso"

static const uint8_t packet_tur[12] = { 0x00 };
static const uint8_t packet_sense[12] = { 0x03, 0, 0, 0, 18 };
static const uint8_t packet_events[12] = { 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8 };

static void
set_up(IdeFixture *f)
{
    ide_fixture_init(f);
    g_autofree char *path = block_test_image(&f->block, "cd", CD_BYTES);
    ide_fixture_add(f, &vit_ide_cd_kind, 0, path, "driver=raw,read-only=on", NULL);
}

/* Sense key << 16 | ASC << 8 | ASCQ. */
static uint32_t
get_sense(IdeFixture *f)
{
    uint8_t sense[18];

    g_assert_cmphex(ide_packet(f, packet_sense, 18, false), ==, 0x58);
    g_assert_cmpuint(ide_take_reply(f, sense, sizeof(sense)), ==, 18);
    return (uint32_t)sense[2] << 16 | (uint32_t)sense[12] << 8 | sense[13];
}

static void
expect_error(IdeFixture *f, const uint8_t packet[12], uint32_t sense)
{
    g_assert_cmphex(ide_packet(f, packet, 0xfffe, false), ==, 0x51);
    g_assert_cmphex(test_inb(&f->test, IDE_FEATURE) >> 4, ==, sense >> 16);
    g_assert_cmphex(get_sense(f), ==, sense);
}

static uint32_t
big32(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

/* ---- the drive ---- */

static void
test_signature(void)
{
    IdeFixture f;
    uint16_t id[256];

    set_up(&f);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0); /* DRDY comes with the first command */
    g_assert_cmphex(test_inw(&f.test, IDE_LBA1), ==, 0xeb14);
    test_outb(&f.test, IDE_LBA1, 0);
    test_outb(&f.test, IDE_COMMAND, 0xec); /* IDENTIFY DEVICE is refused with the signature */
    g_assert_cmphex(ide_wait(&f), ==, 0x51);
    g_assert_cmphex(test_inw(&f.test, IDE_LBA1), ==, 0xeb14);
    test_outb(&f.test, IDE_COMMAND, 0xa1);
    g_assert_cmphex(ide_wait(&f), ==, 0x58);
    ide_read_block(&f, id, 512);
    g_assert_cmphex(id[0], ==, 0x85c0);
    test_outb(&f.test, IDE_LBA1, 0);
    test_outb(&f.test, IDE_COMMAND, 0x08); /* DEVICE RESET */
    g_assert_cmphex(test_inw(&f.test, IDE_LBA1), ==, 0xeb14);
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0);
    ide_fixture_finish(&f);
}

static void
test_inquiry(void)
{
    static const uint8_t packet[12] = { 0x12, 0, 0, 0, 36 };
    static const uint8_t serial[12] = { 0x12, 1, 0x83, 0, 255 };
    IdeFixture f;
    uint8_t data[256];

    set_up(&f);
    g_assert_cmphex(ide_packet(&f, packet, 0xfffe, false), ==, 0x58);
    g_assert_cmpint(f.irq[0], ==, 1);
    g_assert_cmpuint(ide_take_reply(&f, data, sizeof(data)), ==, 36);
    g_assert_cmphex(data[0], ==, 5);
    g_assert_cmphex(data[1], ==, 0x80);
    g_assert_true(memcmp(data + 8, "VITRINE ", 8) == 0);
    g_assert_cmphex(ide_packet(&f, serial, 0xfffe, false), ==, 0x58);
    g_assert_cmpuint(ide_take_reply(&f, data, sizeof(data)), ==, 28);
    g_assert_true(memcmp(data + 8, "VT00001", 7) == 0);
    ide_fixture_finish(&f);
}

static void
test_refused(void)
{
    static const uint8_t unknown[12] = { 0x0a };
    static const uint8_t beyond[12] = { 0x28, 0, 0, 0, 1, 43, 0, 0, 2 }; /* 299, 2 sectors */
    static const uint8_t far[12] = { 0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    static const uint8_t bad_toc[12] = { 0x43, 0, 0, 0, 0, 0, 2, 0, 64 };
    static const uint8_t dvd[12] = { 0xad, 0, 0, 0, 0, 0, 0, 0, 8 };
    IdeFixture f;

    set_up(&f);
    expect_error(&f, unknown, 0x052000);
    expect_error(&f, beyond, 0x052100);
    expect_error(&f, far, 0x052100);
    expect_error(&f, bad_toc, 0x052400);
    expect_error(&f, dvd, 0x053000); /* it is a CD */
    g_assert_cmphex(ide_packet(&f, packet_tur, 0, false), ==, 0x50);
    ide_fixture_finish(&f);
}

static void
test_mode_pages(void)
{
    static const uint8_t all[12] = { 0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 64 };
    static const uint8_t changeable[12] = { 0x5a, 0, 0x6a, 0, 0, 0, 0, 0, 64 };
    static const uint8_t select[12] = { 0x55, 0x10, 0, 0, 0, 0, 0, 0, 16 };
    IdeFixture f;
    uint8_t data[64], page[16] = { 0, 14, 0, 0, 0, 0, 0, 0, 0x01, 6 };

    set_up(&f);
    g_assert_cmphex(ide_packet(&f, all, 0xfffe, false), ==, 0x58);
    size_t len = ide_take_reply(&f, data, sizeof(data));
    g_assert_cmpuint(len, ==, 8 + 8 + 16 + 20);
    g_assert_cmpuint(data[1], ==, len - 2);
    g_assert_cmphex(data[8], ==, 0x01);
    g_assert_cmphex(data[16], ==, 0x0e);
    g_assert_cmphex(data[32], ==, 0x2a);
    g_assert_cmphex(ide_packet(&f, changeable, 0xfffe, false), ==, 0x58);
    g_assert_cmpuint(ide_take_reply(&f, data, sizeof(data)), ==, 28);
    g_assert_true(blk_buffer_is_zero(data + 10, 18));
    /* MODE SELECT takes its data. */
    g_assert_cmphex(ide_packet(&f, select, 0xfffe, false), ==, 0x58);
    g_assert_cmphex(test_inb(&f.test, IDE_COUNT) & 3, ==, 0);
    g_assert_cmpuint(test_inw(&f.test, IDE_LBA1), ==, 16);
    ide_write_block(&f, page, 16);
    g_assert_cmphex(ide_wait(&f), ==, 0x50);
    ide_fixture_finish(&f);
}

static void
test_configuration(void)
{
    static const uint8_t packet[12] = { 0x46, 0, 0, 0, 0, 0, 0, 0, 128 };
    IdeFixture f;
    uint8_t data[128];

    set_up(&f);
    g_assert_cmphex(ide_packet(&f, packet, 0xfffe, false), ==, 0x58);
    size_t len = ide_take_reply(&f, data, sizeof(data));
    g_assert_cmpuint(big32(data), ==, len - 4);
    g_assert_cmphex(data[7], ==, 0x08); /* CD-ROM */
    /* Features follow each other by their lengths. */
    size_t at = 8;
    while (at < len) {
        at += 4 + data[at + 3];
    }
    g_assert_cmpuint(at, ==, len);
    ide_fixture_finish(&f);
}

/* ---- reading ---- */

static void
test_capacity_and_toc(void)
{
    static const uint8_t capacity[12] = { 0x25 };
    static const uint8_t toc[12] = { 0x43, 0, 0, 0, 0, 0, 0, 0, 64 };
    static const uint8_t toc_msf[12] = { 0x43, 2, 0, 0, 0, 0, 0xaa, 0, 64 };
    static const uint8_t sessions[12] = { 0x43, 0, 1, 0, 0, 0, 0, 0, 12 };
    static const uint8_t raw[12] = { 0x43, 2, 2, 0, 0, 0, 0, 0, 64 };
    IdeFixture f;
    uint8_t data[64];

    set_up(&f);
    g_assert_cmphex(ide_packet(&f, capacity, 8, false), ==, 0x58);
    g_assert_cmpuint(ide_take_reply(&f, data, sizeof(data)), ==, 8);
    g_assert_cmpuint(big32(data), ==, CD_SECTORS - 1);
    g_assert_cmpuint(big32(data + 4), ==, 2048);
    g_assert_cmphex(ide_packet(&f, toc, 0xfffe, false), ==, 0x58);
    g_assert_cmpuint(ide_take_reply(&f, data, sizeof(data)), ==, 20);
    g_assert_cmphex(data[6], ==, 1);
    g_assert_cmphex(data[14], ==, 0xaa);
    g_assert_cmpuint(big32(data + 16), ==, CD_SECTORS);
    g_assert_cmphex(ide_packet(&f, toc_msf, 0xfffe, false), ==, 0x58);
    g_assert_cmpuint(ide_take_reply(&f, data, sizeof(data)), ==, 12);
    g_assert_cmphex(big32(data + 8), ==, 0x00000600); /* 300 + 150 frames: 6 seconds */
    g_assert_cmphex(ide_packet(&f, sessions, 0xfffe, false), ==, 0x58);
    g_assert_cmpuint(ide_take_reply(&f, data, sizeof(data)), ==, 12);
    g_assert_cmphex(ide_packet(&f, raw, 0xfffe, false), ==, 0x58);
    g_assert_cmpuint(ide_take_reply(&f, data, sizeof(data)), ==, 4 + 4 * 11);
    g_assert_cmphex(data[4 + 2 * 11 + 3], ==, 0xa2);
    ide_fixture_finish(&f);
}

/* The same sectors by every size of block that a host may ask for. */
static void
test_read_pio(void)
{
    static const uint16_t limits[] = { 0xfffe, 0xffff, 0, 2048, 4096, 512, 126, 2, 31 };
    static const uint8_t packet[12] = { 0x28, 0, 0, 0, 0, 17, 0, 0, 40 };
    IdeFixture f;
    g_autofree uint8_t *data = g_malloc(40 * 2048);

    set_up(&f);
    for (unsigned i = 0; i < G_N_ELEMENTS(limits); i++) {
        memset(data, 0, 40 * 2048);
        g_assert_cmphex(ide_packet(&f, packet, limits[i], false), ==, 0x58);
        g_assert_cmpuint(ide_take_reply(&f, data, 40 * 2048), ==, 40 * 2048);
        g_assert_true(block_test_is_pattern(data, 17 * 2048, 40 * 2048));
    }
    ide_fixture_finish(&f);
}

static void
test_read_dma(void)
{
    static const uint8_t packet[12] = { 0xa8, 0, 0, 0, 0, 9, 0, 0, 0, 100 };
    IdeFixture f;

    set_up(&f);
    for (unsigned n = 0; n < 4; n++) {
        ide_set_prd(&f, n, 0x20000 + n * 0x10000, 0, n == 3);
    }
    ide_packet(&f, packet, 0, true);
    ide_start_dma(&f, true);
    g_assert_cmphex(ide_wait_dma(&f), ==, 0x05); /* the list is longer */
    g_assert_cmphex(test_inb(&f.test, IDE_STATUS), ==, 0x50);
    g_assert_cmphex(test_inb(&f.test, IDE_COUNT) & 3, ==, 3);
    g_assert_true(block_test_is_pattern(f.ram->host + 0x20000, 9 * 2048, 100 * 2048));
    g_assert_cmphex(f.ram->host[0x20000 + 100 * 2048], ==, 0);
    test_outb(&f.test, BM_BASE, 0);
    /* A reply by DMA. */
    static const uint8_t capacity[12] = { 0x25 };
    ide_set_prd(&f, 0, 0x10000, 8, true);
    ide_packet(&f, capacity, 0, true);
    ide_start_dma(&f, true);
    g_assert_cmphex(ide_wait_dma(&f), ==, 0x04);
    g_assert_cmpuint(big32(f.ram->host + 0x10000), ==, CD_SECTORS - 1);
    ide_fixture_finish(&f);
}

static void
test_read_raw(void)
{
    static const uint8_t whole[12] = { 0xbe, 0, 0, 0, 0, 75, 0, 0, 60, 0xf8 };
    static const uint8_t user[12] = { 0xbe, 8, 0, 0, 0, 3, 0, 0, 1, 0x10 };
    static const uint8_t audio[12] = { 0xbe, 4, 0, 0, 0, 3, 0, 0, 1, 0x10 };
    static const uint8_t nothing[12] = { 0xbe, 0, 0, 0, 0, 3, 0, 0, 1, 0 };
    static const uint8_t by_time[12] = { 0xb9, 0, 0, 0, 2, 5, 0, 2, 6, 0x10 }; /* LBA 5 */
    IdeFixture f;
    g_autofree uint8_t *data = g_malloc(60 * 2352);

    set_up(&f);
    g_assert_cmphex(ide_packet(&f, whole, 0xfffe, false), ==, 0x58);
    g_assert_cmpuint(ide_take_reply(&f, data, 60 * 2352), ==, 60 * 2352);
    for (unsigned i = 0; i < 60; i++) {
        const uint8_t *sector = data + i * 2352;
        unsigned frame = 75 + i + 150;
        g_assert_cmphex(sector[0], ==, 0x00);
        g_assert_cmphex(sector[1], ==, 0xff);
        g_assert_cmphex(sector[13], ==, frame / 75); /* below ten, so BCD is the same */
        g_assert_cmphex(sector[14], ==, frame % 75 / 10 << 4 | frame % 75 % 10);
        g_assert_cmphex(sector[15], ==, 1);
        g_assert_true(block_test_is_pattern(sector + 16, (75 + i) * 2048, 2048));
    }
    g_assert_cmphex(ide_packet(&f, user, 0xfffe, false), ==, 0x58);
    g_assert_cmpuint(ide_take_reply(&f, data, 2352), ==, 2048);
    g_assert_true(block_test_is_pattern(data, 3 * 2048, 2048));
    expect_error(&f, audio, 0x056400);
    g_assert_cmphex(ide_packet(&f, nothing, 0xfffe, false), ==, 0x50);
    g_assert_cmphex(ide_packet(&f, by_time, 0xfffe, false), ==, 0x58);
    g_assert_cmpuint(ide_take_reply(&f, data, 2352), ==, 2048);
    g_assert_true(block_test_is_pattern(data, 5 * 2048, 2048));
    ide_fixture_finish(&f);
}

static void
test_grub_cd(void)
{
    static const uint8_t packet[12] = { 0x28, 0, 0, 0, 0, 16, 0, 0, 1 };
    IdeFixture f;
    uint8_t sector[2048];

    if (!g_file_test(GRUB_CD, G_FILE_TEST_EXISTS)) {
        test_lacks(GRUB_CD);
        return;
    }
    ide_fixture_init(&f);
    ide_fixture_add(&f, &vit_ide_cd_kind, 0, GRUB_CD, "driver=raw,read-only=on", NULL);
    g_assert_cmphex(ide_packet(&f, packet, 2048, false), ==, 0x58);
    g_assert_cmpuint(ide_take_reply(&f, sector, sizeof(sector)), ==, 2048);
    g_assert_true(memcmp(sector + 1, "CD001", 5) == 0); /* ISO 9660 primary descriptor */
    ide_fixture_finish(&f);
}

/* ---- media ---- */

static uint8_t
get_event(IdeFixture *f, uint8_t *out_status)
{
    uint8_t data[8];

    g_assert_cmphex(ide_packet(f, packet_events, 8, false), ==, 0x58);
    g_assert_cmpuint(ide_take_reply(f, data, sizeof(data)), ==, 8);
    g_assert_cmphex(data[2], ==, 4);
    *out_status = data[5];
    return data[4];
}

static void
test_change(void)
{
    g_autoptr(GError) error = NULL;
    IdeFixture f;
    uint8_t status;

    ide_fixture_init(&f);
    g_autofree char *other = block_test_image(&f.block, "other", 2048 * 10);
    ide_fixture_add(&f, &vit_ide_cd_kind, 0, NULL, NULL, NULL); /* empty */
    expect_error(&f, packet_tur, 0x023a01);
    g_assert_true(blk_drive_change(f.drives[0], other, NULL, NULL, false, &error));
    g_assert_no_error(error);
    /* Those who poll see an absent medium, then a new one. */
    expect_error(&f, packet_tur, 0x023a00);
    expect_error(&f, packet_tur, 0x062800);
    g_assert_cmphex(ide_packet(&f, packet_tur, 0, false), ==, 0x50);
    g_assert_cmpuint(get_event(&f, &status), ==, 2); /* new medium */
    g_assert_cmphex(status, ==, 2);
    g_assert_cmpuint(get_event(&f, &status), ==, 0); /* told once */
    g_assert_true(blk_drive_eject(f.drives[0], false, &error));
    g_assert_cmpuint(get_event(&f, &status), ==, 3); /* removal */
    g_assert_cmphex(status, ==, 1);
    expect_error(&f, packet_tur, 0x023a02); /* tray open */
    ide_fixture_finish(&f);
}

static void
test_lock(void)
{
    static const uint8_t prevent[12] = { 0x1e, 0, 0, 0, 1 }, allow[12] = { 0x1e };
    static const uint8_t eject[12] = { 0x1b, 0, 0, 0, 2 }, close[12] = { 0x1b, 0, 0, 0, 3 };
    g_autoptr(GError) error = NULL;
    IdeFixture f;
    uint8_t status;

    set_up(&f);
    g_assert_cmphex(ide_packet(&f, prevent, 0, false), ==, 0x50);
    expect_error(&f, eject, 0x055302);
    /* The user's wish reaches the guest as an event. */
    g_assert_false(blk_drive_eject(f.drives[0], false, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_clear_error(&error);
    g_assert_cmpuint(get_event(&f, &status), ==, 1);
    g_assert_cmphex(status, ==, 2);
    g_assert_cmphex(ide_packet(&f, allow, 0, false), ==, 0x50);
    g_assert_cmphex(ide_packet(&f, eject, 0, false), ==, 0x50);
    g_assert_true(f.drives[0]->ops->is_tray_open(f.drives[0]));
    expect_error(&f, packet_tur, 0x023a02);
    g_assert_cmphex(ide_packet(&f, close, 0, false), ==, 0x50);
    expect_error(&f, packet_tur, 0x062800);
    g_assert_cmphex(ide_packet(&f, packet_tur, 0, false), ==, 0x50);
    /* Locked again, the user can still force it. */
    g_assert_cmphex(ide_packet(&f, prevent, 0, false), ==, 0x50);
    g_assert_true(blk_drive_eject(f.drives[0], true, &error));
    g_assert_no_error(error);
    g_assert_null(blk_drive_get_node(f.drives[0]));
    ide_fixture_finish(&f);
}

static void
test_read_error(void)
{
    static const uint8_t packet[12] = { 0x28, 0, 0, 0, 0, 1, 0, 0, 2 };
    IdeFixture f;

    ide_fixture_init(&f);
    g_autofree char *path = block_test_image(&f.block, "cd", CD_BYTES);
    ide_fixture_add(&f, &vit_ide_cd_kind, 0, path, "driver=fault,read-only=on,file.driver=raw",
                    NULL);
    block_test_fault(blk_drive_get_node(f.drives[0]))->fail_read = EIO;
    expect_error(&f, packet, 0x031100);
    ide_fixture_finish(&f);
}

static void
test_dvd(void)
{
    static const uint8_t packet[12] = { 0x46, 0, 0, 0, 0, 0, 0, 0, 8 };
    static const uint8_t structure[12] = { 0xad, 0, 0, 0, 0, 0, 0, 0, 8, 4 };
    IdeFixture f;
    uint8_t data[2052];

    ide_fixture_init(&f);
    g_autofree char *path = block_test_path(&f.block, "dvd");
    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    g_assert_cmpint(truncate(path, 4700000ll * 1024), ==, 0);
    ide_fixture_add(&f, &vit_ide_cd_kind, 0, path, "driver=raw,read-only=on", NULL);
    g_assert_cmphex(ide_packet(&f, packet, 8, false), ==, 0x58);
    ide_take_reply(&f, data, 8);
    g_assert_cmphex(data[7], ==, 0x10); /* DVD-ROM */
    g_assert_cmphex(ide_packet(&f, structure, 0xfffe, false), ==, 0x58);
    g_assert_cmpuint(ide_take_reply(&f, data, sizeof(data)), ==, 2052);
    g_assert_cmpuint(data[0] << 8 | data[1], ==, 2050);
    ide_fixture_finish(&f);
}

/* Packets of every command with random fields, their data taken or left. */
static void
test_fuzz(void)
{
    IdeFixture f;
    uint8_t word[2];

    set_up(&f);
    ide_set_prd(&f, 0, 0x100000, 0x8000, false);
    ide_set_prd(&f, 1, 0x110000, 0x4002, true);
    for (unsigned i = 0; i < 6000; i++) {
        uint8_t packet[12];
        bool dma = g_test_rand_bit();
        for (unsigned j = 0; j < 12; j++) {
            packet[j] = (uint8_t)(g_test_rand_bit() ? 0 : g_test_rand_int());
        }
        packet[0] = (uint8_t)(i % 256);
        ide_wait(&f);
        if (test_inb(&f.test, IDE_STATUS) & 0x08) {
            test_outb(&f.test, IDE_COMMAND, 0x08); /* what the last one left */
        }
        ide_packet(&f, packet, (uint16_t)g_test_rand_int(), dma);
        if (dma) {
            ide_start_dma(&f, g_test_rand_bit());
            blk_graph_poll(f.block.graph, 0);
            test_outb(&f.test, BM_BASE, 0);
            test_outb(&f.test, IDE_COMMAND, 0x08); /* it may wait for ever for its DMA */
        } else {
            for (unsigned j = 0; j < 200 && (ide_wait(&f) & 0x08); j++) {
                ide_read_block(&f, word, 2);
            }
        }
        if (i % 64 == 0) {
            vit_device_reset(f.devices[0]);
        }
    }
    ide_fixture_finish(&f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ide-atapi/signature", test_signature);
    g_test_add_func("/ide-atapi/inquiry", test_inquiry);
    g_test_add_func("/ide-atapi/refused", test_refused);
    g_test_add_func("/ide-atapi/mode-pages", test_mode_pages);
    g_test_add_func("/ide-atapi/configuration", test_configuration);
    g_test_add_func("/ide-atapi/capacity-and-toc", test_capacity_and_toc);
    g_test_add_func("/ide-atapi/read-pio", test_read_pio);
    g_test_add_func("/ide-atapi/read-dma", test_read_dma);
    g_test_add_func("/ide-atapi/read-raw", test_read_raw);
    g_test_add_func("/ide-atapi/grub-cd", test_grub_cd);
    g_test_add_func("/ide-atapi/change", test_change);
    g_test_add_func("/ide-atapi/lock", test_lock);
    g_test_add_func("/ide-atapi/read-error", test_read_error);
    g_test_add_func("/ide-atapi/dvd", test_dvd);
    g_test_add_func("/ide-atapi/fuzz", test_fuzz);
    return g_test_run();
}
