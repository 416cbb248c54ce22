/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* SCSI units behind the virtio adapter, driven by rings in guest memory.
 * mission: virtio-scsi virtio-scsi-pci virtio-scsi-pci-transitional
 * mission: virtio-scsi-pci-non-transitional scsi-hd scsi-cd */

#include "virtio-driver.h"

#include <string.h>

extern const VitDeviceKind vit_virtio_scsi_pci_kind, vit_scsi_hd_kind, vit_scsi_cd_kind;

enum {
    REQUEST = VD_BUFFERS_AT,
    RESPONSE = VD_BUFFERS_AT + 0x400,
    DATA = VD_BUFFERS_AT + 0x1000,
    COMMANDS = 2,
    GOOD = 0,
    CHECK = 2,
    BAD_TARGET = 3,
};

typedef struct Fixture {
    HwRig *rig;
    VitDevice *adapter, *unit;
    VirtioDriver vd;
    unsigned target, lun;
    uint32_t residual;
} Fixture;

static void
setup(Fixture *f, const VitDeviceKind *kind)
{
    g_autoptr(GError) error = NULL;

    f->rig = hw_rig_new();
    f->adapter = hw_rig_create(f->rig, &vit_virtio_scsi_pci_kind);
    vit_device_realize(f->adapter, &f->rig->pci.bus, &f->rig->test.platform, &error);
    g_assert_no_error(error);
    f->unit = hw_rig_create(f->rig, kind);
    vit_device_set(f->unit, "scsi-id", "3", NULL, &error);
    vit_device_set(f->unit, "lun", "1", NULL, &error);
    vit_device_set(f->unit, "serial", "s-17", NULL, &error);
    vit_device_realize(f->unit, f->adapter->child_buses->pdata[0], &f->rig->test.platform, &error);
    g_assert_no_error(error);
    hw_rig_map_pci(f->rig, f->adapter);
    vd_init(&f->vd, f->rig, f->adapter);
    g_assert_cmpuint(vd_negotiate(&f->vd, VD_VERSION_1 | 2 | 4) & 8, ==, 8);
    for (unsigned n = 0; n < 3; n++) {
        vd_setup_queue(&f->vd, n, 16);
    }
    vd_driver_ok(&f->vd);
    f->target = 3;
    f->lun = 1;
}

static void
teardown(Fixture *f)
{
    vit_device_free(f->unit);
    vit_device_free(f->adapter);
    hw_rig_free(f->rig);
}

/* Runs a command with LEN bytes at DATA; the status, or 0x100 and the adapter's response. */
static unsigned
command(Fixture *f, const uint8_t cdb[16], uint32_t len, bool to_host)
{
    uint8_t *request = vd_ram(&f->vd, REQUEST), *response = vd_ram(&f->vd, RESPONSE);
    VdBuf bufs[3] = { { REQUEST, 51, false } };
    unsigned count = 1;

    memset(request, 0, 51);
    request[0] = 1;
    request[1] = f->target;
    request[2] = 0x40 | f->lun >> 8;
    request[3] = f->lun;
    memcpy(request + 19, cdb, 16);
    memset(response, 0xee, 108);
    if (len && !to_host) {
        bufs[count++] = (VdBuf){ DATA, len, false };
    }
    bufs[count++] = (VdBuf){ RESPONSE, 108, true };
    if (len && to_host) {
        bufs[count++] = (VdBuf){ DATA, len, true };
    }
    vd_transfer(&f->vd, COMMANDS, bufs, count);
    memcpy(&f->residual, response + 4, 4);
    return response[11] ? 0x100 + response[11] : response[10];
}

#define CDB(...) ((const uint8_t[16]){ __VA_ARGS__ })

static unsigned
sense_key(Fixture *f)
{
    return vd_ram(&f->vd, RESPONSE + 12)[2];
}

static unsigned
sense_code(Fixture *f)
{
    const uint8_t *sense = vd_ram(&f->vd, RESPONSE + 12);

    return sense[12] << 8 | sense[13];
}

static void
expect_check(Fixture *f, unsigned status, unsigned key, unsigned code)
{
    g_assert_cmpuint(status, ==, CHECK);
    g_assert_cmphex(sense_key(f), ==, key);
    g_assert_cmphex(sense_code(f), ==, code);
}

/* The power-on attention comes first. */
static void
clear_attention(Fixture *f)
{
    expect_check(f, command(f, CDB(0), 0, false), 6, 0x2900);
    g_assert_cmpuint(command(f, CDB(0), 0, false), ==, GOOD);
}

static void
test_identity(void)
{
    Fixture f;
    uint8_t *data;

    setup(&f, &vit_scsi_hd_kind);
    data = vd_ram(&f.vd, DATA);
    g_assert_cmpuint(command(&f, CDB(0x12, 0, 0, 0, 96), 96, true), ==, GOOD);
    g_assert_cmpuint(f.residual, ==, 60);
    g_assert_cmpuint(data[0], ==, 0);
    g_assert_cmpmem(data + 8, 8, "VITRINE ", 8);
    clear_attention(&f);
    g_assert_cmpuint(command(&f, CDB(0x12, 1, 0x80, 0, 64), 64, true), ==, GOOD);
    g_assert_cmpmem(data, 8, "\0\x80\0\4s-17", 8);
    g_assert_cmpuint(command(&f, CDB(0x12, 1, 0xb0, 0, 64), 64, true), ==, GOOD);
    g_assert_cmpuint(data[3], ==, 60);
    expect_check(&f, command(&f, CDB(0x12, 1, 0xcc, 0, 64), 64, true), 5, 0x2400);
    g_assert_cmpuint(command(&f, CDB(0x25), 8, true), ==, GOOD);
    g_assert_cmpmem(data, 8, "\0\0\x0b\x3f\0\0\2\0", 8);
    g_assert_cmpuint(command(&f, CDB(0x9e, 0x10, [13] = 32), 32, true), ==, GOOD);
    g_assert_cmpuint(data[14] & 0x80, ==, 0x80);
    g_assert_cmpuint(command(&f, CDB(0xa0, [9] = 64), 64, true), ==, GOOD);
    g_assert_cmpmem(data, 12, "\0\0\0\x08\0\0\0\0\0\1\0\0", 12);
    expect_check(&f, command(&f, CDB(0xff), 0, true), 5, 0x2000);
    f.lun = 5; /* a unit that is not there */
    g_assert_cmpuint(command(&f, CDB(0x12, 0, 0, 0, 36), 36, true), ==, GOOD);
    g_assert_cmphex(data[0], ==, 0x7f);
    expect_check(&f, command(&f, CDB(0), 0, true), 5, 0x2500);
    f.target = 9;
    g_assert_cmphex(command(&f, CDB(0), 0, true), ==, 0x100 + BAD_TARGET);
    teardown(&f);
}

static void
test_transfers(void)
{
    static const struct {
        uint8_t write[16], read[16];
    } forms[] = {
        { { 0x0a, 0, 0, 8, 2 }, { 0x08, 0, 0, 8, 2 } },
        { { 0x2a, 0, 0, 0, 0, 8, 0, 0, 2 }, { 0x28, 0, 0, 0, 0, 8, 0, 0, 2 } },
        { { 0xaa, [5] = 8, [9] = 2 }, { 0xa8, [5] = 8, [9] = 2 } },
        { { 0x8a, 8, [9] = 8, [13] = 2 }, { 0x88, [9] = 8, [13] = 2 } },
    };
    Fixture f;
    uint8_t *data;

    setup(&f, &vit_scsi_hd_kind);
    data = vd_ram(&f.vd, DATA);
    clear_attention(&f);
    for (unsigned i = 0; i < G_N_ELEMENTS(forms); i++) {
        memset(data, 0xa0 + i, 1024);
        g_assert_cmpuint(command(&f, forms[i].write, 1024, false), ==, GOOD);
        memset(data, 0, 2048);
        g_assert_cmpuint(command(&f, forms[i].read, 2048, true), ==, GOOD);
        g_assert_cmpuint(f.residual, ==, 1024);
        g_assert_cmpuint(data[0], ==, 0xa0 + i);
        g_assert_cmpuint(data[1023], ==, 0xa0 + i);
        g_assert_cmpuint(data[1024], ==, 0);
    }
    expect_check(&f, command(&f, CDB(0x28, 0, 0, 0, 0x0b, 0x3f, 0, 0, 2), 1024, true), 5, 0x2100);
    expect_check(&f, command(&f, CDB(0x88, 0, 0xff, 0xff, [13] = 2), 1024, true), 5, 0x2100);
    expect_check(&f, command(&f, CDB(0x28, 0xe0, [8] = 2), 1024, true), 5, 0x2400);
    g_assert_cmpuint(command(&f, CDB(0x35), 0, false), ==, GOOD);
    /* fewer bytes than blocks, as a driver should not */
    g_assert_cmpuint(command(&f, CDB(0x28, [8] = 2), 700, true), ==, GOOD);
    g_assert_cmpuint(f.residual, ==, 188);
    teardown(&f);
}

static void
test_parameters(void)
{
    Fixture f;
    uint8_t *data;

    setup(&f, &vit_scsi_hd_kind);
    data = vd_ram(&f.vd, DATA);
    clear_attention(&f);
    g_assert_cmpuint(command(&f, CDB(0x1a, 8, 8, 0, 64), 64, true), ==, GOOD);
    g_assert_cmphex(data[4], ==, 8);
    g_assert_cmphex(data[6] & 4, ==, 4); /* write cache */
    memset(data, 0, 24);
    data[4] = 8;
    data[5] = 18;
    g_assert_cmpuint(command(&f, CDB(0x15, 0x10, 0, 0, 24), 24, false), ==, GOOD);
    g_assert_cmpuint(command(&f, CDB(0x5a, 8, 8, [8] = 64), 64, true), ==, GOOD);
    g_assert_cmphex(data[10] & 4, ==, 0);
    memset(data, 0, 24);
    data[4] = 0x0a;
    expect_check(&f, command(&f, CDB(0x15, 0x10, 0, 0, 24), 24, false), 5, 0x2600);
    expect_check(&f, command(&f, CDB(0x1a, 8, 0xc8, 0, 64), 64, true), 5, 0x3900);
    /* two ranges to unmap, the second off the end */
    memset(data, 0, 40);
    data[1] = 38;
    data[3] = 32;
    data[19] = 4;
    data[8 + 16 + 7] = 8;
    data[8 + 16 + 11] = 4;
    g_assert_cmpuint(command(&f, CDB(0x42, [8] = 40), 40, false), ==, GOOD);
    data[8 + 16] = 1;
    expect_check(&f, command(&f, CDB(0x42, [8] = 40), 40, false), 5, 0x2100);
    expect_check(&f, command(&f, CDB(0x42, [8] = 40), 20, false), 5, 0x1a00);
    memset(data, 0, 512);
    g_assert_cmpuint(command(&f, CDB(0x93, 8, [9] = 4, [13] = 4), 512, false), ==, GOOD);
    data[7] = 1;
    expect_check(&f, command(&f, CDB(0x93, 0, [9] = 4, [13] = 4), 512, false), 5, 0x2400);
    teardown(&f);
}

static void
test_tasks_and_events(void)
{
    Fixture f;
    VdBuf order[2] = { { REQUEST, 24, false }, { RESPONSE, 1, true } };
    VdBuf event = { DATA, 16, true };
    uint8_t *ram;
    uint32_t used;

    setup(&f, &vit_scsi_hd_kind);
    ram = vd_ram(&f.vd, REQUEST);
    clear_attention(&f);
    memcpy(ram, (uint8_t[24]){ 0, 0, 0, 0, 5, 0, 0, 0, 1, 3, 0x40, 1 }, 24); /* reset the unit */
    vd_transfer(&f.vd, 0, order, 2);
    g_assert_cmpuint(*vd_ram(&f.vd, RESPONSE), ==, 0);
    clear_attention(&f);
    ram[4] = 0; /* REQUEST was overwritten by commands */
    memcpy(ram, (uint8_t[24]){ 0, 0, 0, 0, 5, 0, 0, 0, 1, 7, 0x40, 1 }, 24);
    vd_transfer(&f.vd, 0, order, 2);
    g_assert_cmpuint(*vd_ram(&f.vd, RESPONSE), ==, BAD_TARGET);
    vd_add(&f.vd, 1, &event, 1);
    vd_kick(&f.vd, 1);
    VitDrive *drive = f.rig->drives->pdata[0];
    drive->user.resized(drive->user.opaque);
    g_assert_true(vd_take(&f.vd, 1, &used));
    g_assert_cmpmem(vd_ram(&f.vd, DATA), 16, "\3\0\0\0\1\3\0\1\0\0\0\0\x2a\x09\0\0", 16);
    expect_check(&f, command(&f, CDB(0), 0, false), 6, 0x2a09);
    /* gone, and nobody offered a buffer: told later as missed */
    vit_device_unrealize(f.unit);
    vd_add(&f.vd, 1, &event, 1);
    vd_kick(&f.vd, 1);
    g_assert_true(vd_take(&f.vd, 1, &used));
    g_assert_cmpuint(vd_ram(&f.vd, DATA)[3], ==, 0x80);
    teardown(&f);
}

static void
test_cd(void)
{
    Fixture f;
    uint8_t *data;

    setup(&f, &vit_scsi_cd_kind);
    data = vd_ram(&f.vd, DATA);
    clear_attention(&f);
    g_assert_cmpuint(command(&f, CDB(0x12, 0, 0, 0, 36), 36, true), ==, GOOD);
    g_assert_cmpmem(data, 4, "\x05\x80\x05\x02", 4);
    g_assert_cmpuint(command(&f, CDB(0x25), 8, true), ==, GOOD);
    g_assert_cmpmem(data, 8, "\0\0\2\xcf\0\0\x08\0", 8);
    g_assert_cmpuint(command(&f, CDB(0x28, [5] = 2, [8] = 2), 4096, true), ==, GOOD);
    g_assert_cmphex(data[5], ==, (uint8_t)((4096 + 5) ^ (4096 + 5) >> 9));
    uint8_t first = data[5];
    /* sync, header, user data and codes of 20 sectors */
    g_assert_cmpuint(command(&f, CDB(0xbe, 0, [5] = 2, [8] = 20, [9] = 0xf8), 20 * 2352, true), ==,
                     GOOD);
    g_assert_cmpuint(f.residual, ==, 0);
    g_assert_cmpmem(data, 4, "\0\xff\xff\xff", 4);
    g_assert_cmphex(data[16 + 5], ==, first);
    expect_check(&f, command(&f, CDB(0x28, [4] = 2, [5] = 0xcf, [8] = 2), 4096, true), 5, 0x2100);
    expect_check(&f, command(&f, CDB(0x2a, [8] = 1), 2048, false), 5, 0x2000);
    g_assert_cmpuint(command(&f, CDB(0x1e, [4] = 1), 0, false), ==, GOOD);
    expect_check(&f, command(&f, CDB(0x1b, [4] = 2), 0, false), 5, 0x5302);
    VitDrive *drive = f.rig->drives->pdata[0];
    drive->user.medium_changed(drive->user.opaque, true);
    expect_check(&f, command(&f, CDB(0), 0, false), 2, 0x3a00);
    expect_check(&f, command(&f, CDB(0), 0, false), 6, 0x2800);
    g_assert_cmpuint(command(&f, CDB(0), 0, false), ==, GOOD);
    teardown(&f);
}

static void
test_fuzz(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);

    for (unsigned round = 0; round < 2; round++) {
        Fixture f;

        setup(&f, round ? &vit_scsi_cd_kind : &vit_scsi_hd_kind);
        for (unsigned i = 0; i < 4000; i++) {
            uint8_t cdb[16];
            for (unsigned n = 0; n < 16; n++) {
                cdb[n] = g_rand_int(rand) & (n > 1 && g_rand_int(rand) & 1 ? 3 : 0xff);
            }
            for (unsigned n = 0; n < 64; n++) {
                vd_ram(&f.vd, DATA)[n] = g_rand_int(rand);
            }
            command(&f, cdb, g_rand_int_range(rand, 0, 0x4000), g_rand_int(rand) & 1);
            g_assert_cmpuint(vd_status(&f.vd), ==, 15);
        }
        teardown(&f);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scsi/identity", test_identity);
    g_test_add_func("/scsi/transfers", test_transfers);
    g_test_add_func("/scsi/parameters", test_parameters);
    g_test_add_func("/scsi/tasks-and-events", test_tasks_and_events);
    g_test_add_func("/scsi/cd", test_cd);
    g_test_add_func("/scsi/fuzz", test_fuzz);
    return g_test_run();
}
