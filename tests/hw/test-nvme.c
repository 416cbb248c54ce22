/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The NVMe controller, driven by queues in guest memory. mission: nvme nvme-ns */

#include "hw-rig.h"

#include <string.h>

extern const VitDeviceKind vit_nvme_kind, vit_nvme_ns_kind;

enum {
    ASQ = 0x10000,
    ACQ = 0x11000,
    IOSQ = 0x12000,
    IOCQ = 0x13000,
    LIST = 0x14000,
    DATA = 0x20000,
    ENTRIES = 16,
};

typedef struct Fixture {
    HwRig *rig;
    VitDevice *nvme;
    uint64_t bar;
    unsigned tails[2], heads[2];
    bool phases[2];
    uint32_t result;
    uint16_t cid;
} Fixture;

static uint32_t
get(Fixture *f, unsigned at)
{
    uint64_t value;

    vit_address_space_read(f->rig->test.platform.memory, f->bar + at, 4, &value);
    return (uint32_t)value;
}

static void
put(Fixture *f, unsigned at, uint32_t value)
{
    vit_address_space_write(f->rig->test.platform.memory, f->bar + at, 4, value);
}

static uint8_t *
ram(Fixture *f, uint64_t at)
{
    return f->rig->ram->host + at;
}

static void
enable(Fixture *f)
{
    memset(ram(f, ASQ), 0, 0x4000);
    memset(f->tails, 0, sizeof(f->tails));
    memset(f->heads, 0, sizeof(f->heads));
    f->phases[0] = f->phases[1] = true;
    put(f, 0x24, (ENTRIES - 1) << 16 | (ENTRIES - 1));
    put(f, 0x28, ASQ);
    put(f, 0x2c, 0);
    put(f, 0x30, ACQ);
    put(f, 0x34, 0);
    put(f, 0x14, 0x460001);
    g_assert_cmphex(get(f, 0x1c), ==, 1);
}

static void
submit(Fixture *f, unsigned q, const uint32_t entry[16])
{
    uint64_t at = (q ? IOSQ : ASQ) + 64 * f->tails[q];

    memcpy(ram(f, at), entry, 64);
    ram(f, at)[2] = ++f->cid;
    ram(f, at)[3] = f->cid >> 8;
    f->tails[q] = (f->tails[q] + 1) % ENTRIES;
    put(f, 0x1000 + 8 * q, f->tails[q]);
}

/* The status of the next completion; 0xffff: there is none. */
static unsigned
take(Fixture *f, unsigned q)
{
    const uint8_t *entry = ram(f, (q ? IOCQ : ACQ) + 16 * f->heads[q]);
    unsigned status = entry[14] | entry[15] << 8;

    if ((status & 1) != f->phases[q]) {
        return 0xffff;
    }
    memcpy(&f->result, entry, 4);
    if (++f->heads[q] == ENTRIES) {
        f->heads[q] = 0;
        f->phases[q] = !f->phases[q];
    }
    put(f, 0x1004 + 8 * q, f->heads[q]);
    return status >> 1 & 0x7ff; /* without the retry bits */
}

static unsigned
run(Fixture *f, unsigned q, const uint32_t entry[16])
{
    unsigned status;

    submit(f, q, entry);
    hw_rig_complete_io(f->rig);
    status = take(f, q);
    g_assert_cmphex(status, !=, 0xffff);
    return status;
}

#define ENTRY(...) ((const uint32_t[16]){ __VA_ARGS__ })

static void
setup(Fixture *f)
{
    g_autoptr(GError) error = NULL;

    memset(f, 0, sizeof(*f));
    f->rig = hw_rig_new();
    f->nvme = hw_rig_create(f->rig, &vit_nvme_kind);
    vit_device_set(f->nvme, "serial", "ser-1", NULL, &error);
    vit_device_realize(f->nvme, &f->rig->pci.bus, &f->rig->test.platform, &error);
    g_assert_no_error(error);
    hw_rig_map_pci(f->rig, f->nvme);
    f->bar = ((VitPciDevice *)f->nvme)->bars[0].address;
    enable(f);
    g_assert_cmphex(run(f, 0, ENTRY(5, [6] = IOCQ, [10] = (ENTRIES - 1) << 16 | 1, [11] = 3)), ==,
                    0);
    g_assert_cmphex(
        run(f, 0, ENTRY(1, [6] = IOSQ, [10] = (ENTRIES - 1) << 16 | 1, [11] = 1 | 1 << 16)), ==, 0);
}

static void
teardown(Fixture *f)
{
    vit_device_free(f->nvme);
    hw_rig_free(f->rig);
}

static uint8_t
pattern(uint32_t i)
{
    return i ^ i >> 9;
}

static void
test_identify(void)
{
    Fixture f;
    uint8_t *data;

    setup(&f);
    data = ram(&f, DATA);
    g_assert_cmphex(run(&f, 0, ENTRY(6, [6] = DATA, [10] = 1)), ==, 0);
    g_assert_cmpmem(data + 4, 6, "ser-1 ", 6);
    g_assert_cmphex(run(&f, 0, ENTRY(6, 1, [6] = DATA)), ==, 0);
    g_assert_cmpuint(data[0] | data[1] << 8, ==, 2880);
    g_assert_cmpuint(data[130], ==, 9);
    g_assert_cmphex(run(&f, 0, ENTRY(6, 0, [6] = DATA, [10] = 2)), ==, 0);
    g_assert_cmpmem(data, 8, "\1\0\0\0\0\0\0\0", 8);
    g_assert_cmphex(run(&f, 0, ENTRY(6, 1, [6] = DATA, [10] = 3)), ==, 0);
    g_assert_cmphex(data[0], ==, 3);
    g_assert_cmphex(run(&f, 0, ENTRY(6, 0x1000, [6] = DATA)), ==, 0x0b);
    g_assert_cmphex(run(&f, 0, ENTRY(6, 1, [6] = DATA, [10] = 0x99)), ==, 0x02);
    g_assert_cmphex(run(&f, 0, ENTRY(0x2, -1, [6] = DATA, [10] = 127 << 16 | 2)), ==, 0);
    g_assert_cmpuint(data[1] | data[2] << 8, ==, 0x143);
    g_assert_cmphex(run(&f, 0, ENTRY(0x2, -1, [6] = DATA, [10] = 127 << 16 | 0x55)), ==, 0x109);
    g_assert_cmphex(run(&f, 0, ENTRY(9, [10] = 7, [11] = 3 | 3 << 16)), ==, 0);
    g_assert_cmphex(f.result, ==, 63 | 63 << 16);
    g_assert_cmphex(run(&f, 0, ENTRY(9, [10] = 6, [11] = 0)), ==, 0);
    g_assert_cmphex(run(&f, 0, ENTRY(10, [10] = 6)), ==, 0);
    g_assert_cmphex(f.result, ==, 0);
    g_assert_cmphex(run(&f, 0, ENTRY(0x7f)), ==, 0x01);
    teardown(&f);
}

static void
test_transfers(void)
{
    Fixture f;
    uint64_t list[8];

    setup(&f);
    for (unsigned i = 0; i < 8; i++) {
        list[i] = DATA + 0x1000 * (8 - i); /* backwards: no two pages follow each other */
    }
    memcpy(ram(&f, LIST), list, sizeof(list));
    /* 17 blocks from an offset in the first page: first pointer, then the list */
    g_assert_cmphex(run(&f, 1, ENTRY(2, 1, [6] = DATA + 0xe00, [8] = LIST, [10] = 4, [12] = 16)),
                    ==, 0);
    for (unsigned i = 0; i < 512; i++) {
        g_assert_cmphex(*ram(&f, DATA + 0xe00 + i), ==, pattern(2048 + i));
    }
    for (unsigned i = 0; i < 4096; i++) {
        g_assert_cmphex(*ram(&f, list[0] + i), ==, pattern(2560 + i));
        g_assert_cmphex(*ram(&f, list[1] + i), ==, pattern(6656 + i));
    }
    memset(ram(&f, DATA), 0x3c, 1024);
    g_assert_cmphex(run(&f, 1, ENTRY(1, 1, [6] = DATA, [10] = 7, [12] = 1)), ==, 0);
    g_assert_cmphex(run(&f, 1, ENTRY(5, 1, [6] = DATA, [10] = 7, [12] = 1)), ==, 0); /* compare */
    *ram(&f, DATA + 1000) = 0;
    g_assert_cmphex(run(&f, 1, ENTRY(5, 1, [6] = DATA, [10] = 7, [12] = 1)), ==, 0x285);
    /* scatter-gather: a segment with two descriptors */
    memset(ram(&f, LIST), 0, 32);
    memcpy(ram(&f, LIST), &(uint64_t[2]){ DATA + 0x2000, 300 }, 16);
    memcpy(ram(&f, LIST + 16), &(uint64_t[2]){ DATA + 0x4001, 724 }, 16);
    g_assert_cmphex(
        run(&f, 1,
            ENTRY(2 | 0x40 << 8, 1, [6] = LIST, [8] = 32, [9] = 0x30u << 24, [10] = 7, [12] = 1)),
        ==, 0);
    g_assert_cmphex(*ram(&f, DATA + 0x2000 + 299), ==, 0x3c);
    g_assert_cmphex(*ram(&f, DATA + 0x4001 + 723), ==, 0x3c);
    /* too short, wrong type */
    g_assert_cmphex(
        run(&f, 1,
            ENTRY(2 | 0x40 << 8, 1, [6] = LIST, [8] = 16, [9] = 0x30u << 24, [10] = 7, [12] = 1)),
        ==, 0x0f);
    ram(&f, LIST)[15] = 0x50;
    g_assert_cmphex(
        run(&f, 1,
            ENTRY(2 | 0x40 << 8, 1, [6] = LIST, [8] = 32, [9] = 0x30u << 24, [10] = 7, [12] = 1)),
        ==, 0x11);
    teardown(&f);
}

static void
test_errors(void)
{
    Fixture f;

    setup(&f);
    g_assert_cmphex(run(&f, 1, ENTRY(2, 1, [6] = DATA, [10] = 2879, [12] = 1)), ==, 0x80);
    g_assert_cmphex(run(&f, 1, ENTRY(2, 1, [6] = DATA, [10] = -1, [11] = -1)), ==, 0x80);
    g_assert_cmphex(run(&f, 1, ENTRY(2, 7, [6] = DATA)), ==, 0x0b);
    g_assert_cmphex(run(&f, 1, ENTRY(2, 1, [6] = DATA + 1)), ==, 0x13);
    g_assert_cmphex(run(&f, 1, ENTRY(2, 1, [6] = DATA, [8] = DATA + 8, [12] = 15)), ==, 0x13);
    g_assert_cmphex(run(&f, 1, ENTRY(2, 1, [6] = DATA, [12] = 2000)), ==, 0x02); /* MDTS */
    g_assert_cmphex(run(&f, 0, ENTRY(1, [6] = IOSQ, [10] = 15 << 16 | 2, [11] = 1 | 9 << 16)), ==,
                    0x100);
    g_assert_cmphex(run(&f, 0, ENTRY(5, [6] = IOCQ, [10] = 15 << 16 | 1, [11] = 3)), ==, 0x101);
    g_assert_cmphex(run(&f, 0, ENTRY(4, [10] = 1)), ==, 0x10c); /* still in use */
    g_assert_cmphex(run(&f, 0, ENTRY(0, [10] = 1)), ==, 0);
    g_assert_cmphex(run(&f, 0, ENTRY(4, [10] = 1)), ==, 0);
    put(&f, 0x14, 0);
    g_assert_cmphex(get(&f, 0x1c), ==, 0);
    put(&f, 0x28, ASQ);
    put(&f, 0x14, 0x460f81); /* a page size that is not offered */
    g_assert_cmphex(get(&f, 0x1c), ==, 2);
    put(&f, 0x14, 0);
    enable(&f);
    put(&f, 0x14, 0x464001); /* shut down */
    g_assert_cmphex(get(&f, 0x1c), ==, 9);
    teardown(&f);
}

static void
test_ranges(void)
{
    Fixture f;

    setup(&f);
    g_assert_cmphex(run(&f, 1, ENTRY(8, 1, [10] = 8, [12] = 7 | 1 << 25)), ==, 0);
    g_assert_cmphex(run(&f, 1, ENTRY(0, 1)), ==, 0);
    memset(ram(&f, DATA), 0, 64);
    *ram(&f, DATA + 4) = 8;
    *ram(&f, DATA + 16 + 4) = 8;
    *ram(&f, DATA + 16 + 8) = 100;
    submit(&f, 1, ENTRY(9, 1, [6] = DATA, [10] = 1, [11] = 4));
    hw_rig_complete_io(f.rig);
    hw_rig_complete_io(f.rig);
    g_assert_cmphex(take(&f, 1), ==, 0);
    *ram(&f, DATA + 16 + 10) = 1;
    submit(&f, 1, ENTRY(9, 1, [6] = DATA, [10] = 1, [11] = 4));
    hw_rig_complete_io(f.rig);
    g_assert_cmphex(take(&f, 1), ==, 0x80);
    teardown(&f);
}

static void
test_full_queue(void)
{
    Fixture f;
    unsigned got = 0;

    setup(&f);
    /* more commands than the completion queue holds, with nobody looking */
    for (unsigned i = 0; i < ENTRIES - 1; i++) {
        submit(&f, 1, ENTRY(0, 1));
    }
    hw_rig_complete_io(f.rig);
    for (unsigned i = 0; i < ENTRIES - 1; i++) {
        submit(&f, 1, ENTRY(0, 1));
    }
    hw_rig_complete_io(f.rig);
    for (unsigned i = 0; i < 3 * ENTRIES && got < 2 * (ENTRIES - 1); i++) {
        got += take(&f, 1) == 0;
        hw_rig_complete_io(f.rig);
    }
    g_assert_cmpuint(got, ==, 2 * (ENTRIES - 1));
    teardown(&f);
}

static void
test_events(void)
{
    Fixture f;
    VitDrive *drive;

    setup(&f);
    drive = f.rig->drives->pdata[0];
    for (unsigned i = 0; i < 4; i++) {
        submit(&f, 0, ENTRY(12));
        g_assert_cmphex(take(&f, 0), ==, 0xffff);
    }
    g_assert_cmphex(run(&f, 0, ENTRY(12)), ==, 0x105);
    g_assert_cmphex(run(&f, 0, ENTRY(9, [10] = 11, [11] = 1 << 8)), ==, 0);
    drive->user.resized(drive->user.opaque);
    g_assert_cmphex(take(&f, 0), ==, 0);
    g_assert_cmphex(f.result, ==, 0x040002);
    drive->user.resized(drive->user.opaque); /* held back until the log is read */
    g_assert_cmphex(take(&f, 0), ==, 0xffff);
    g_assert_cmphex(run(&f, 0, ENTRY(2, -1, [6] = DATA, [10] = 1023 << 16 | 4)), ==, 0);
    g_assert_cmphex(*(uint32_t *)ram(&f, DATA), ==, 0xffffffff);
    drive->user.resized(drive->user.opaque);
    g_assert_cmphex(take(&f, 0), ==, 0);
    teardown(&f);
}

static void
test_fuzz(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    Fixture f;

    setup(&f);
    for (unsigned i = 0; i < 6000; i++) {
        uint32_t entry[16];
        unsigned q = g_rand_int(rand) % 4 != 0;

        for (unsigned n = 0; n < 16; n++) {
            entry[n] = g_rand_int(rand) >> (g_rand_int(rand) & 31);
        }
        entry[0] = (entry[0] & 0xff) % 14 | (g_rand_int(rand) & 3 ? 0 : 0x4000);
        entry[1] = 1;
        entry[6] = DATA + (g_rand_int(rand) & 0xfffc);
        entry[7] = g_rand_int(rand) & 7 ? 0 : entry[7];
        entry[8] = DATA + (g_rand_int(rand) & 0xf000);
        submit(&f, q, entry);
        if (g_rand_int(rand) & 1) {
            hw_rig_complete_io(f.rig);
        }
        while (take(&f, 0) != 0xffff || take(&f, 1) != 0xffff) {
        }
        if ((get(&f, 0x1c) & 3) != 1 || i % 500 == 499) {
            put(&f, 0x14, 0);
            enable(&f);
            submit(&f, 0, ENTRY(5, [6] = IOCQ, [10] = (ENTRIES - 1) << 16 | 1, [11] = 3));
            submit(&f, 0, ENTRY(1, [6] = IOSQ, [10] = (ENTRIES - 1) << 16 | 1, [11] = 1 | 1 << 16));
        }
    }
    teardown(&f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nvme/identify", test_identify);
    g_test_add_func("/nvme/transfers", test_transfers);
    g_test_add_func("/nvme/errors", test_errors);
    g_test_add_func("/nvme/ranges", test_ranges);
    g_test_add_func("/nvme/full-queue", test_full_queue);
    g_test_add_func("/nvme/events", test_events);
    g_test_add_func("/nvme/fuzz", test_fuzz);
    return g_test_run();
}
