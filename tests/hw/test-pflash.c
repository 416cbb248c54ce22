/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Firmware flash by bus cycles, with an image that notes what reaches it and when.
 * mission: cfi.pflash01 */

#include "hw-rig.h"

#include "pc/pflash-cfi01.h"

#include <errno.h>
#include <string.h>

enum { IMAGE_BYTES = 64 * 1024, SECTOR = 4096 };

#define BASE (4 * VIT_GIB - IMAGE_BYTES)

/* ---- The image ---- */

typedef struct Image {
    VitDrive drive;
    uint8_t bytes[IMAGE_BYTES];
    bool read_only;
    int fail; /* errno of the next writes; 0: they succeed */
    VitDriveError action;
    unsigned writes, flushes, reads;
    GQueue waiting; /* VitDriveRequest */
} Image;

struct VitDriveRequest {
    Image *image;
    bool is_write, is_flush;
    uint64_t offset;
    const struct iovec *iov;
    VitDriveDone done;
    void *opaque;
};

static VitDriveRequest *
submit(VitDrive *drive, VitDriveRequest request)
{
    request.image = (Image *)drive;
    g_queue_push_tail(&request.image->waiting, g_memdup2(&request, sizeof(request)));
    return NULL;
}

static VitDriveRequest *
image_read(VitDrive *drive, uint64_t offset, const struct iovec *iov, int iov_count,
           VitDriveDone done, void *opaque)
{
    return submit(
        drive, (VitDriveRequest){ .offset = offset, .iov = iov, .done = done, .opaque = opaque });
}

static VitDriveRequest *
image_write(VitDrive *drive, uint64_t offset, const struct iovec *iov, int iov_count, bool fua,
            VitDriveDone done, void *opaque)
{
    return submit(
        drive,
        (VitDriveRequest){
            .is_write = true, .offset = offset, .iov = iov, .done = done, .opaque = opaque });
}

static VitDriveRequest *
image_flush(VitDrive *drive, VitDriveDone done, void *opaque)
{
    return submit(drive, (VitDriveRequest){ .is_flush = true, .done = done, .opaque = opaque });
}

/* Ends the oldest request; false when there is none. */
static bool
step(Image *image)
{
    VitDriveRequest *request = g_queue_pop_head(&image->waiting);
    int ret = 0;

    if (!request) {
        return false;
    }
    if (request->is_flush) {
        image->flushes++;
    } else if (request->is_write && image->fail) {
        ret = -image->fail;
    } else if (request->is_write) {
        image->writes++;
        memcpy(image->bytes + request->offset, request->iov->iov_base, request->iov->iov_len);
    } else {
        image->reads++;
        memcpy(request->iov->iov_base, image->bytes + request->offset, request->iov->iov_len);
    }
    request->done(request->opaque, ret);
    g_free(request);
    return true;
}

static void
image_drain(VitDrive *drive)
{
    while (step((Image *)drive)) {
    }
}

static uint64_t
image_len(VitDrive *drive)
{
    return IMAGE_BYTES;
}

static bool
image_is_read_only(VitDrive *drive)
{
    return ((Image *)drive)->read_only;
}

static VitDriveError
image_error_action(VitDrive *drive, bool is_read, int error)
{
    return ((Image *)drive)->action;
}

static const VitDriveOps image_ops = {
    .read = image_read,
    .write = image_write,
    .flush = image_flush,
    .drain = image_drain,
    .get_len = image_len,
    .is_read_only = image_is_read_only,
    .error_action = image_error_action,
};

/* ---- The chip ---- */

typedef struct Fixture {
    HwRig *rig;
    VitDevice *flash;
    Image *image;
} Fixture;

static VitDrive *
resolve(void *opaque, const char *id, GError **error)
{
    return opaque;
}

static VitDevice *
plug(Fixture *f)
{
    VitPropResolver resolver = { .drive = resolve, .opaque = f->image };
    VitDevice *flash = vit_device_new(&vit_cfi_pflash01_kind, NULL);

    g_assert_true(vit_device_set(flash, "drive", "image", &resolver, NULL));
    g_assert_true(vit_device_set(flash, "id1", "0x89", NULL, NULL));
    g_assert_true(vit_device_set(flash, "id3", "0x17", NULL, NULL));
    g_assert_true(vit_device_realize(flash, NULL, &f->rig->test.platform, NULL));
    return flash;
}

static void
set_up(Fixture *f, gconstpointer read_only)
{
    f->rig = hw_rig_new();
    f->image = g_new0(Image, 1);
    f->image->drive = (VitDrive){ .ops = &image_ops, .id = (char *)"image" };
    f->image->read_only = read_only != NULL;
    g_queue_init(&f->image->waiting);
    for (unsigned i = 0; i < IMAGE_BYTES; i++) {
        f->image->bytes[i] = i < SECTOR ? i * 7 + 1 : 0xff;
    }
    f->flash = plug(f);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    vit_device_free(f->flash);
    g_assert_true(g_queue_is_empty(&f->image->waiting));
    g_free(f->image);
    hw_rig_free(f->rig);
}

static uint64_t
rd(Fixture *f, uint32_t at, unsigned size)
{
    uint64_t value;

    vit_address_space_read(f->rig->test.platform.memory, BASE + at, size, &value);
    return value;
}

static void
wr(Fixture *f, uint32_t at, unsigned size, uint64_t value)
{
    vit_address_space_write(f->rig->test.platform.memory, BASE + at, size, value);
}

/* Whether the CPU finds memory there, which it runs and reads without asking the chip. */
static bool
is_memory(Fixture *f)
{
    VitMapped at;

    vit_address_space_lookup(f->rig->test.platform.memory, BASE, &at);
    return at.host && !at.writable;
}

static void
program(Fixture *f, uint32_t at, uint8_t value)
{
    wr(f, at, 1, 0x40);
    wr(f, at, 1, value);
}

/* ---- Reading ---- */

static void
test_array(Fixture *f, gconstpointer data)
{
    g_assert_true(is_memory(f));
    g_assert_cmphex(rd(f, 3, 1), ==, 22);
    g_assert_cmphex(rd(f, 3, 4), ==, 0x2b241d16);
    wr(f, 0, 1, 0x70);
    g_assert_false(is_memory(f));
    g_assert_cmphex(rd(f, 5, 4), ==, 0x80808080);
    wr(f, 0, 1, 0xff);
    g_assert_true(is_memory(f));
    g_assert_cmphex(rd(f, 3, 1), ==, 22);
}

static void
test_query(Fixture *f, gconstpointer data)
{
    wr(f, 0x55, 1, 0x98);
    g_assert_cmphex(rd(f, 0x10, 1), ==, 'Q');
    g_assert_cmphex(rd(f, 0x11, 2), ==, 'R' | 'Y' << 8);
    g_assert_cmphex(rd(f, 0x13, 2), ==, 0x0001);
    g_assert_cmphex(rd(f, 0x27, 1), ==, 16);              /* 64 KiB */
    g_assert_cmphex(rd(f, 0x2d, 4), ==, 0x00100000 | 15); /* 16 blocks of 16 x 256 bytes */
    wr(f, 0, 1, 0x90);
    g_assert_cmphex(rd(f, 0, 2), ==, 0x1789);
    g_assert_cmphex(rd(f, 2 * SECTOR + 2, 1), ==, 0); /* not locked */
    vit_device_reset(f->flash);
    g_assert_cmphex(rd(f, 3, 1), ==, 22);
}

/* How OVMF tells flash from RAM and ROM. */
static void
test_probe(Fixture *f, gconstpointer data)
{
    uint8_t original = rd(f, 100, 1);

    wr(f, 100, 1, 0x50);
    g_assert_cmphex(rd(f, 100, 1), ==, original);
    wr(f, 100, 1, 0x70);
    g_assert_cmphex(rd(f, 100, 1), ==, 0);
    wr(f, 100, 1, 0xff);
    g_assert_cmphex(rd(f, 100, 1), ==, original);
}

/* ---- Writing ---- */

static void
test_program(Fixture *f, gconstpointer data)
{
    program(f, SECTOR, 0x5a);
    g_assert_cmphex(rd(f, SECTOR, 1), ==, 0x80);
    program(f, SECTOR, 0xf7); /* clears what is set, sets nothing */
    wr(f, SECTOR + 8, 1, 0x10);
    wr(f, SECTOR + 8, 4, 0x12345678);
    wr(f, 0, 1, 0xff);
    g_assert_cmphex(rd(f, SECTOR, 1), ==, 0x52);
    g_assert_cmphex(rd(f, SECTOR + 8, 4), ==, 0x12345678);
    image_drain(&f->image->drive);
    g_assert_cmphex(f->image->bytes[SECTOR], ==, 0x52);
    g_assert_cmphex(f->image->bytes[SECTOR + 8], ==, 0x78);
    g_assert_cmpuint(f->image->flushes, >, 0);

    wr(f, SECTOR + 100, 1, 0x20);
    g_assert_cmphex(f->image->bytes[SECTOR], ==, 0x52);
    wr(f, SECTOR + 100, 1, 0xd0);
    g_assert_cmphex(rd(f, 0, 1), ==, 0x80);
    wr(f, 0, 1, 0xff);
    for (unsigned i = 0; i < SECTOR; i++) {
        g_assert_cmphex(rd(f, SECTOR + i, 1), ==, 0xff);
    }
    g_assert_cmphex(rd(f, SECTOR - 1, 1), ==, f->image->bytes[SECTOR - 1]);
    image_drain(&f->image->drive);
    g_assert_cmphex(f->image->bytes[SECTOR + 8], ==, 0xff);
}

static void
test_bad_sequence(Fixture *f, gconstpointer data)
{
    uint8_t before = rd(f, 0, 1);

    wr(f, 0, 1, 0x20);
    wr(f, 0, 1, 0xff);
    g_assert_cmphex(rd(f, 0, 1), ==, 0xb0);
    wr(f, 0, 1, 0x50);
    g_assert_cmphex(rd(f, 0, 1), ==, before);
    wr(f, 0, 1, 0xe9); /* no command */
    g_assert_true(is_memory(f));
    g_assert_nonnull(strstr(f->rig->test.guest_errors->str, "0xe9"));
}

static void
test_buffer(Fixture *f, gconstpointer data)
{
    wr(f, SECTOR, 1, 0xe8);
    g_assert_cmphex(rd(f, SECTOR, 1) & 0x80, ==, 0x80);
    wr(f, SECTOR, 1, 15);
    for (unsigned i = 0; i < 16; i++) {
        wr(f, SECTOR + i, 1, i);
    }
    g_assert_cmpuint(f->image->writes, ==, 0);
    wr(f, SECTOR, 1, 0xd0);
    wr(f, 0, 1, 0xff);
    g_assert_cmphex(rd(f, SECTOR + 12, 4), ==, 0x0f0e0d0c);
    g_assert_cmphex(rd(f, SECTOR + 16, 4), ==, 0xffffffff);

    /* data outside the block of the first: nothing is programmed */
    wr(f, SECTOR, 1, 0xe8);
    wr(f, SECTOR, 1, 1);
    wr(f, SECTOR + 64, 1, 0);
    wr(f, 2 * SECTOR, 1, 0);
    wr(f, SECTOR, 1, 0xd0);
    g_assert_cmphex(rd(f, 0, 1), ==, 0xb0);
    wr(f, 0, 1, 0xff);
    g_assert_cmphex(rd(f, SECTOR + 64, 1), ==, 0xff);
}

static void
test_read_only(Fixture *f, gconstpointer data)
{
    program(f, SECTOR, 0);
    g_assert_cmphex(rd(f, 0, 1), ==, 0x90);
    wr(f, 0, 1, 0x50);
    wr(f, 0, 1, 0x20);
    wr(f, 0, 1, 0xd0);
    g_assert_cmphex(rd(f, 0, 1), ==, 0xa0);
    wr(f, 0, 1, 0xff);
    g_assert_cmphex(rd(f, SECTOR, 1), ==, 0xff);
    g_assert_true(g_queue_is_empty(&f->image->waiting));
}

/* ---- The image ---- */

/* One request at a time, what continues joined, and nothing before what was programmed earlier. */
static void
test_order(Fixture *f, gconstpointer data)
{
    for (unsigned i = 0; i < 200; i++) {
        program(f, SECTOR + i, i);
    }
    program(f, SECTOR * 3, 0x3f);
    program(f, SECTOR + 5, 0);
    g_assert_cmpuint(f->image->waiting.length, ==, 1);
    step(f->image);
    g_assert_cmphex(f->image->bytes[SECTOR], ==, 0);
    g_assert_cmphex(f->image->bytes[SECTOR + 1], ==, 0xff);
    step(f->image);
    g_assert_cmphex(f->image->bytes[SECTOR + 199], ==, 199);
    g_assert_cmphex(f->image->bytes[SECTOR + 5], ==, 5);
    g_assert_cmphex(f->image->bytes[SECTOR * 3], ==, 0xff);
    step(f->image);
    g_assert_cmphex(f->image->bytes[SECTOR * 3], ==, 0x3f);
    g_assert_cmphex(f->image->bytes[SECTOR + 5], ==, 5);
    g_assert_cmpuint(f->image->flushes, ==, 0);
    step(f->image);
    g_assert_cmphex(f->image->bytes[SECTOR + 5], ==, 0);
    g_assert_true(step(f->image));
    g_assert_false(step(f->image));
    g_assert_cmpuint(f->image->writes, ==, 4);
    g_assert_cmpuint(f->image->flushes, ==, 1);
}

/* A chip taken away leaves everything in the image, and the next one starts with it. */
static void
test_power_off(Fixture *f, gconstpointer data)
{
    for (unsigned i = 0; i < 300; i++) {
        program(f, SECTOR + i * 3, i);
    }
    vit_device_free(f->flash);
    g_assert_true(g_queue_is_empty(&f->image->waiting));
    g_assert_cmpuint(f->image->flushes, >, 0);
    f->flash = plug(f);
    for (unsigned i = 0; i < 300; i++) {
        g_assert_cmphex(rd(f, SECTOR + i * 3, 1), ==, i & 0xff);
    }
}

static void
test_errors(Fixture *f, gconstpointer data)
{
    f->image->fail = ENOSPC;
    f->image->action = VIT_DRIVE_STOP;
    program(f, SECTOR, 0x11);
    program(f, SECTOR + 1, 0x22);
    image_drain(&f->image->drive);
    g_assert_cmphex(f->image->bytes[SECTOR], ==, 0xff);
    f->image->fail = 0;
    f->image->drive.user.resume(f->image->drive.user.opaque);
    image_drain(&f->image->drive);
    g_assert_cmphex(f->image->bytes[SECTOR], ==, 0x11);
    g_assert_cmphex(f->image->bytes[SECTOR + 1], ==, 0x22);

    f->image->fail = EIO;
    f->image->action = VIT_DRIVE_REPORT;
    program(f, SECTOR + 2, 0x33);
    image_drain(&f->image->drive);
    f->image->fail = 0;
    wr(f, 0, 1, 0xff);
    g_assert_cmphex(rd(f, SECTOR + 2, 1), ==, 0x33);
    g_assert_cmphex(f->image->bytes[SECTOR + 2], ==, 0xff);
}

/* A state that is loaded is what the image holds from then on. */
static void
test_state(Fixture *f, gconstpointer data)
{
    g_autoptr(GBytes) state = NULL;

    program(f, SECTOR, 0x42);
    wr(f, SECTOR, 1, 0x40);
    state = hw_rig_save(f->flash);
    wr(f, SECTOR, 1, 0x00);
    wr(f, SECTOR, 1, 0xff);
    g_assert_cmphex(rd(f, SECTOR, 1), ==, 0);
    g_assert_true(hw_rig_load(f->flash, state, NULL));
    g_assert_false(is_memory(f));
    wr(f, SECTOR + 1, 1, 0x24); /* the second half of the command */
    wr(f, SECTOR, 1, 0xff);
    g_assert_cmphex(rd(f, SECTOR, 2), ==, 0x2442);
    image_drain(&f->image->drive);
    g_assert_cmphex(f->image->bytes[SECTOR], ==, 0x42);
}

static void
test_refused(void)
{
    HwRig *rig = hw_rig_new();
    static const char *const blocks[] = { "0", "3", "1000000" };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(blocks); i++) {
        g_autoptr(VitDevice) flash = vit_device_new(&vit_cfi_pflash01_kind, NULL);
        g_autoptr(GError) error = NULL;

        g_assert_true(vit_device_set(flash, "num-blocks", blocks[i], NULL, NULL));
        g_assert_true(vit_device_set(flash, "sector-length", i == 1 ? "512" : "4096", NULL, NULL));
        g_assert_false(vit_device_realize(flash, NULL, &rig->test.platform, &error));
        g_assert_nonnull(strstr(error->message, "bytes"));
    }
    hw_rig_free(rig);
}

/* secure=on: outside system management mode it is ROM. */
static void
test_secure(void)
{
    HwRig *rig = hw_rig_new();
    VitRegion smm_root;
    VitAddressSpace *smm;
    VitDevice *flash = vit_device_new(&vit_cfi_pflash01_kind, NULL);
    uint64_t value;

    vit_region_init_container(&smm_root, "smm", UINT64_MAX);
    smm = vit_address_space_new(rig->test.platform.maps, "smm", &smm_root);
    g_assert_true(vit_device_set(flash, "num-blocks", "16", NULL, NULL));
    g_assert_true(vit_device_set(flash, "secure", "on", NULL, NULL));
    vit_pflash_place(flash, 4 * VIT_GIB, &smm_root);
    g_assert_true(vit_device_realize(flash, NULL, &rig->test.platform, NULL));
    vit_address_space_write(rig->test.platform.memory, BASE, 1, 0x90);
    vit_address_space_read(rig->test.platform.memory, BASE, 1, &value);
    g_assert_cmphex(value, ==, 0xff);
    vit_address_space_write(smm, BASE, 1, 0x70);
    vit_address_space_read(smm, BASE, 1, &value);
    g_assert_cmphex(value, ==, 0x80);
    vit_address_space_read(rig->test.platform.memory, BASE, 1, &value);
    g_assert_cmphex(value, ==, 0xff);
    vit_device_free(flash);
    vit_address_space_free(smm);
    vit_region_finish(&smm_root);
    hw_rig_free(rig);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func, data) g_test_add("/pflash/" name, Fixture, data, set_up, func, tear_down)
    ADD("array", test_array, NULL);
    ADD("query", test_query, NULL);
    ADD("probe", test_probe, NULL);
    ADD("program", test_program, NULL);
    ADD("bad-sequence", test_bad_sequence, NULL);
    ADD("buffer", test_buffer, NULL);
    ADD("read-only", test_read_only, "read-only");
    ADD("order", test_order, NULL);
    ADD("power-off", test_power_off, NULL);
    ADD("errors", test_errors, NULL);
    ADD("state", test_state, NULL);
    g_test_add_func("/pflash/refused", test_refused);
    g_test_add_func("/pflash/secure", test_secure);
    return g_test_run();
}
