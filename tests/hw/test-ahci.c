/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The AHCI controller, driven by command lists in guest memory.
 * mission: ich9-ahci ide-hd ide-cd */

#include "hw-rig.h"

#include <string.h>

extern const VitDeviceKind vit_ich9_ahci_kind, vit_ide_hd_kind, vit_ide_cd_kind;

enum {
    LIST = 0x10000,
    FIS = 0x11000,
    TABLES = 0x12000,
    DATA = 0x20000,
    PORT = 0x100,
    PX_IS = 0x10,
    PX_IE = 0x14,
    PX_CMD = 0x18,
    PX_TFD = 0x20,
    PX_SIG = 0x24,
    PX_SSTS = 0x28,
    PX_SCTL = 0x2c,
    PX_SACT = 0x34,
    PX_CI = 0x38,
};

typedef struct Fixture {
    HwRig *rig;
    VitDevice *ahci, *drive;
    uint64_t abar;
} Fixture;

static uint32_t
get(Fixture *f, unsigned at)
{
    uint64_t value;

    vit_address_space_read(f->rig->test.platform.memory, f->abar + at, 4, &value);
    return (uint32_t)value;
}

static void
put(Fixture *f, unsigned at, uint32_t value)
{
    vit_address_space_write(f->rig->test.platform.memory, f->abar + at, 4, value);
}

static uint8_t *
ram(Fixture *f, uint64_t at)
{
    return f->rig->ram->host + at;
}

static void
setup(Fixture *f, const VitDeviceKind *kind)
{
    g_autoptr(GError) error = NULL;

    f->rig = hw_rig_new();
    f->ahci = hw_rig_create(f->rig, &vit_ich9_ahci_kind);
    vit_device_realize(f->ahci, &f->rig->pci.bus, &f->rig->test.platform, &error);
    g_assert_no_error(error);
    f->drive = hw_rig_create(f->rig, kind);
    vit_device_realize(f->drive, f->ahci->child_buses->pdata[0], &f->rig->test.platform, &error);
    g_assert_no_error(error);
    hw_rig_map_pci(f->rig, f->ahci);
    f->abar = ((VitPciDevice *)f->ahci)->bars[5].address;
    put(f, 4, 1); /* reset */
    g_assert_cmphex(get(f, 4), ==, 0x80000000);
    put(f, 4, 0x80000002);
    put(f, PORT + 0, LIST);
    put(f, PORT + 8, FIS);
    put(f, PORT + PX_IE, 0xffffffff);
    put(f, PORT + PX_CMD, 0x10);
    put(f, PORT + PX_CMD, 0x11);
}

static void
teardown(Fixture *f)
{
    vit_device_free(f->drive);
    vit_device_free(f->ahci);
    hw_rig_free(f->rig);
}

/* Fills SLOT with a command of LEN bytes at DATA, cut into two pieces. */
static void
fill(Fixture *f, unsigned slot, uint8_t command, uint64_t lba, uint16_t count, uint16_t feature,
     uint32_t len, uint64_t data, bool is_write)
{
    uint8_t *header = ram(f, LIST + 32 * slot), *table = ram(f, TABLES + 0x100 * slot);
    uint32_t words[8] = { 5 | (is_write ? 0x40 : 0) | 2 << 16, 0, TABLES + 0x100 * slot };
    uint32_t first = len > 1024 ? 1024 : len / 2;
    uint32_t prd[8] = { (uint32_t)data,         0, 0, first - 1,
                        (uint32_t)data + first, 0, 0, len - first - 1 };

    memcpy(header, words, 32);
    memset(table, 0, 0x80);
    table[0] = 0x27;
    table[1] = 0x80;
    table[2] = command;
    table[3] = feature;
    table[4] = lba;
    table[5] = lba >> 8;
    table[6] = lba >> 16;
    table[7] = 0x40;
    table[8] = lba >> 24;
    table[11] = feature >> 8;
    table[12] = count;
    table[13] = count >> 8;
    memcpy(table + 0x80, prd, sizeof(prd));
}

static uint32_t
issue(Fixture *f, unsigned slot)
{
    put(f, PORT + PX_CI, 1u << slot);
    hw_rig_complete_io(f->rig);
    return get(f, PORT + PX_TFD);
}

static uint8_t
pattern(uint32_t i)
{
    return i ^ i >> 9;
}

static void
test_link(void)
{
    Fixture f;

    setup(&f, &vit_ide_hd_kind);
    g_assert_cmphex(get(&f, 0) & 31, ==, 5);
    g_assert_cmphex(get(&f, 0x0c), ==, 0x3f);
    g_assert_cmphex(get(&f, PORT + PX_SSTS), ==, 0x123);
    g_assert_cmphex(get(&f, PORT + PX_SIG), ==, 0x101);
    g_assert_cmphex(get(&f, PORT + 0x80 + PX_SSTS), ==, 0); /* nothing on port 1 */
    put(&f, PORT + PX_CMD, 0x10);
    put(&f, PORT + PX_SCTL, 0x301);
    g_assert_cmphex(get(&f, PORT + PX_SSTS), ==, 0);
    put(&f, PORT + PX_SCTL, 0x300);
    g_assert_cmphex(get(&f, PORT + PX_SSTS), ==, 0x123);
    g_assert_cmphex(get(&f, PORT + PX_IS) & 0x40, ==, 0x40);
    teardown(&f);
}

static void
test_pio(void)
{
    Fixture f;

    setup(&f, &vit_ide_hd_kind);
    fill(&f, 3, 0xec, 0, 0, 0, 512, DATA, false); /* IDENTIFY */
    g_assert_cmphex(issue(&f, 3), ==, 0x50);
    g_assert_cmphex(get(&f, PORT + PX_CI), ==, 0);
    g_assert_cmphex(ram(&f, DATA)[2 * 76 + 1] & 1, ==, 1); /* queueing */
    g_assert_cmphex(*ram(&f, FIS + 0x40), ==, 0x34);
    g_assert_cmphex(*ram(&f, FIS + 0x20), ==, 0x5f);
    g_assert_cmphex(*(uint32_t *)ram(&f, LIST + 32 * 3 + 4), ==, 512);
    g_assert_cmphex(get(&f, PORT + PX_IS) & 3, ==, 3);
    g_assert_cmpuint(f.rig->pci_lines, !=, 0);
    put(&f, PORT + PX_IS, 0xffffffff);
    put(&f, 8, 1);
    g_assert_cmpuint(f.rig->pci_lines, ==, 0);
    fill(&f, 0, 0x20, 2, 200, 0, 200 * 512, DATA, false); /* READ SECTORS: more than a buffer */
    g_assert_cmphex(issue(&f, 0), ==, 0x50);
    for (unsigned i = 0; i < 200 * 512; i += 97) {
        g_assert_cmphex(ram(&f, DATA)[i], ==, pattern(1024 + i));
    }
    memset(ram(&f, DATA), 0x5a, 1024);
    fill(&f, 0, 0x30, 4, 2, 0, 1024, DATA, true); /* WRITE SECTORS */
    g_assert_cmphex(issue(&f, 0), ==, 0x50);
    fill(&f, 0, 0x25, 4, 3, 0, 1536, DATA + 0x1000, false); /* READ DMA EXT */
    g_assert_cmphex(issue(&f, 0), ==, 0x50);
    g_assert_cmphex(ram(&f, DATA + 0x1000)[1023], ==, 0x5a);
    g_assert_cmphex(ram(&f, DATA + 0x1000)[1024], ==, pattern(3072));
    teardown(&f);
}

static void
test_queued(void)
{
    Fixture f;

    setup(&f, &vit_ide_hd_kind);
    for (unsigned slot = 0; slot < 32; slot++) {
        fill(&f, slot, 0x60, 10 + slot, slot << 3, 1, 512, DATA + 512 * slot, false);
    }
    put(&f, PORT + PX_SACT, 0xffffffff);
    put(&f, PORT + PX_CI, 0xffffffff);
    g_assert_cmphex(get(&f, PORT + PX_CI), ==, 0);
    g_assert_cmphex(get(&f, PORT + PX_SACT), ==, 0xffffffff);
    hw_rig_complete_io(f.rig);
    g_assert_cmphex(get(&f, PORT + PX_SACT), ==, 0);
    g_assert_cmphex(*ram(&f, FIS + 0x58), ==, 0xa1);
    for (unsigned i = 0; i < 32 * 512; i += 31) {
        g_assert_cmphex(ram(&f, DATA)[i], ==, pattern(5120 + i));
    }
    memset(ram(&f, DATA), 0x77, 512);
    fill(&f, 5, 0x61, 10, 5 << 3, 1, 512, DATA, true);
    put(&f, PORT + PX_SACT, 1 << 5);
    issue(&f, 5);
    fill(&f, 6, 0x60, 10, 6 << 3, 1, 512, DATA + 512, false);
    put(&f, PORT + PX_SACT, 1 << 6);
    issue(&f, 6);
    g_assert_cmphex(*ram(&f, DATA + 512), ==, 0x77);
    /* off the end: the port stands still, log 10h names the tag */
    put(&f, PORT + PX_IS, 0xffffffff);
    fill(&f, 9, 0x60, 2880, 9 << 3, 1, 512, DATA, false);
    put(&f, PORT + PX_SACT, 1 << 9);
    g_assert_cmphex(issue(&f, 9) & 1, ==, 1);
    g_assert_cmphex(get(&f, PORT + PX_IS) & 0x40000000, ==, 0x40000000);
    g_assert_cmphex(get(&f, PORT + PX_SACT), ==, 1 << 9);
    put(&f, PORT + PX_CMD, 0x10);
    g_assert_cmphex(get(&f, PORT + PX_SACT), ==, 0);
    put(&f, PORT + PX_CMD, 0x11);
    fill(&f, 0, 0x2f, 0x10, 1, 0, 512, DATA, false);
    g_assert_cmphex(issue(&f, 0), ==, 0x50);
    g_assert_cmphex(ram(&f, DATA)[0], ==, 9);
    g_assert_cmphex(ram(&f, DATA)[3], ==, 0x10);
    teardown(&f);
}

static void
test_errors(void)
{
    Fixture f;

    setup(&f, &vit_ide_hd_kind);
    fill(&f, 0, 0x25, 2880, 1, 0, 512, DATA, false);
    g_assert_cmphex(issue(&f, 0) & 1, ==, 1);
    g_assert_cmphex(get(&f, PORT + PX_CI), ==, 1); /* until ST is cleared */
    put(&f, PORT + PX_CMD, 0x10);
    put(&f, PORT + PX_CMD, 0x11);
    g_assert_cmphex(get(&f, PORT + PX_CI), ==, 0);
    fill(&f, 0, 0x25, 0, 8, 0, 512, DATA, false); /* more than its list holds */
    issue(&f, 0);
    g_assert_cmphex(get(&f, PORT + PX_IS) & 0x01000000, ==, 0x01000000);
    fill(&f, 1, 0x60, 0, 1 << 3, 8, 512, DATA, false);
    put(&f, PORT + PX_SACT, 2);
    issue(&f, 1);
    g_assert_cmphex(get(&f, PORT + PX_TFD) & 1, ==, 1);
    teardown(&f);
}

static void
test_packet(void)
{
    Fixture f;

    setup(&f, &vit_ide_cd_kind);
    g_assert_cmphex(get(&f, PORT + PX_SIG), ==, 0xeb140101);
    for (unsigned dma = 0; dma < 2; dma++) {
        memset(ram(&f, DATA), 0, 4096);
        fill(&f, 0, 0xa0, 0, 0, dma, 4096, DATA, false);
        *ram(&f, LIST) |= 0x20;
        ram(&f, TABLES)[5] = 0xff; /* byte count limit */
        ram(&f, TABLES)[6] = 0x7f;
        memcpy(ram(&f, TABLES + 0x40), (uint8_t[12]){ 0x28, [5] = 3, [8] = 2 }, 12);
        g_assert_cmphex(issue(&f, 0), ==, 0x50);
        for (unsigned i = 0; i < 4096; i += 13) {
            g_assert_cmphex(ram(&f, DATA)[i], ==, pattern(3 * 2048 + i));
        }
    }
    memcpy(ram(&f, TABLES + 0x40), (uint8_t[12]){ 0xff }, 12);
    g_assert_cmphex(issue(&f, 0), ==, 0x5451); /* illegal request, aborted */
    teardown(&f);
}

static void
test_fuzz(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);

    for (unsigned round = 0; round < 2; round++) {
        Fixture f;

        setup(&f, round ? &vit_ide_cd_kind : &vit_ide_hd_kind);
        for (unsigned i = 0; i < 3000; i++) {
            unsigned slot = g_rand_int(rand) & 31;

            fill(&f, slot,
                 g_rand_int(rand) & 3 ? "\x60\x61\xa0\x25"[g_rand_int(rand) & 3] : g_rand_int(rand),
                 g_rand_int(rand) & 4095, g_rand_int(rand) & 1 ? slot << 3 : g_rand_int(rand),
                 g_rand_int(rand) & 15, 2 + (g_rand_int(rand) & 0x3ffe), DATA,
                 g_rand_int(rand) & 1);
            for (unsigned n = 0; n < 3; n++) {
                ram(&f, TABLES + 0x100 * slot)[g_rand_int(rand) & 0xff] ^=
                    g_rand_int(rand) & 7 ? 0 : g_rand_int(rand);
                ram(&f, LIST + 32 * slot)[g_rand_int(rand) & 15] ^=
                    g_rand_int(rand) & 7 ? 0 : g_rand_int(rand);
            }
            put(&f, PORT + PX_SACT, 1u << slot);
            put(&f, PORT + PX_CI, 1u << slot);
            if (g_rand_int(rand) & 1) {
                hw_rig_complete_io(f.rig);
            }
            if ((g_rand_int(rand) & 7) == 0) {
                put(&f, PORT + PX_CMD, 0x10);
                put(&f, PORT + PX_CMD, 0x11);
            }
        }
        teardown(&f);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ahci/link", test_link);
    g_test_add_func("/ahci/pio", test_pio);
    g_test_add_func("/ahci/queued", test_queued);
    g_test_add_func("/ahci/errors", test_errors);
    g_test_add_func("/ahci/packet", test_packet);
    g_test_add_func("/ahci/fuzz", test_fuzz);
    return g_test_run();
}
