/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Temporary overlays: what is written is read back, the image stays as it was, until a commit. */

#include "block-test.h"

#include "vit-error.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { IMAGE_BYTES = (1 << 20) + 1536 }; /* the last granule is not whole */

typedef struct Overlay {
    BlockTest test;
    char *path;
    VitDrive *drive;
    uint8_t *bytes; /* what the drive should hold */
} Overlay;

static void
set_up(Overlay *o, const char *options)
{
    g_autoptr(GError) error = NULL;
    BlkDriveConfig config = { .snapshot = true };

    block_test_init(&o->test);
    o->path = block_test_image(&o->test, "disk", IMAGE_BYTES);
    g_autoptr(BlkNode) node = block_test_open(&o->test, o->path, options);
    o->drive = blk_drive_new(o->test.graph, "d0", &config, node, &error);
    g_assert_no_error(error);
    o->bytes = g_malloc(IMAGE_BYTES);
    for (unsigned i = 0; i < IMAGE_BYTES; i++) {
        o->bytes[i] = block_test_byte(i);
    }
}

static void
finish(Overlay *o)
{
    blk_drive_free(o->drive);
    g_free(o->bytes);
    g_free(o->path);
    block_test_finish(&o->test);
}

static void
check_drive(Overlay *o)
{
    g_autofree uint8_t *data = g_malloc(IMAGE_BYTES);

    g_assert_cmpint(block_test_drive_read(&o->test, o->drive, 0, data, IMAGE_BYTES), ==, 0);
    g_assert_true(memcmp(data, o->bytes, IMAGE_BYTES) == 0);
}

static bool
file_is_pattern(Overlay *o)
{
    g_autofree char *data = NULL;
    size_t len;

    g_assert_true(g_file_get_contents(o->path, &data, &len, NULL));
    g_assert_cmpuint(len, ==, IMAGE_BYTES);
    for (size_t i = 0; i < len; i++) {
        if ((uint8_t)data[i] != block_test_byte(i)) {
            return false;
        }
    }
    return true;
}

static void
random_step(Overlay *o)
{
    uint64_t offset = (uint64_t)g_test_rand_int_range(0, IMAGE_BYTES / 512) * 512;
    int most = g_test_rand_bit() ? 8 : 400;
    uint64_t wish = (uint64_t)g_test_rand_int_range(1, most) * 512;
    uint64_t len = MIN(wish, IMAGE_BYTES - offset);
    g_autofree uint8_t *data = g_malloc(len);
    Pending pending = { 0 };

    switch (g_test_rand_int_range(0, 4)) {
    case 0:
        g_assert_cmpint(block_test_drive_read(&o->test, o->drive, offset, data, len), ==, 0);
        g_assert_cmpmem(data, len, o->bytes + offset, len);
        break;
    case 1:
        o->drive->ops->write_zeroes(o->drive, offset, len, g_test_rand_bit(), block_test_done,
                                    &pending);
        g_assert_cmpint(block_test_wait(&o->test, &pending), ==, 0);
        memset(o->bytes + offset, 0, len);
        break;
    default:
        for (uint64_t i = 0; i < len; i++) {
            data[i] = o->bytes[offset + i] = (uint8_t)g_test_rand_int();
        }
        g_assert_cmpint(block_test_drive_write(&o->test, o->drive, offset, data, len), ==, 0);
        break;
    }
}

static void
run_model(const char *options)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *data = NULL;
    size_t len;
    Overlay o;

    set_up(&o, options);
    for (unsigned i = 0; i < 150; i++) {
        random_step(&o);
    }
    check_drive(&o);
    g_assert_true(file_is_pattern(&o));
    g_assert_true(blk_drive_commit(o.drive, &error));
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(o.path, &data, &len, NULL));
    g_assert_cmpuint(len, ==, IMAGE_BYTES);
    g_assert_true(memcmp(data, o.bytes, len) == 0);
    check_drive(&o);
    /* It goes on as an overlay. */
    for (unsigned i = 0; i < 50; i++) {
        random_step(&o);
    }
    check_drive(&o);
    finish(&o);
}

static void
test_model(void)
{
    run_model("driver=raw,read-only=on");
}

static void
test_model_writable(void)
{
    run_model("driver=raw");
}

typedef struct Write {
    struct iovec iov;
    Pending pending;
} Write;

/* Neighbours in one granule, all at once: each has to bring over what the others do not write. */
static void
test_neighbours(void)
{
    enum { COUNT = 64 };
    Overlay o;
    g_autofree Write *writes = g_new0(Write, COUNT);

    set_up(&o, "driver=raw,read-only=on,file.driver=fault,file.delay=100000");
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned at = 65536 + i * 37 % COUNT * 1536;
        memset(o.bytes + at, (int)i, 1000);
        writes[i].iov = (struct iovec){ o.bytes + at, 1000 };
        o.drive->ops->write(o.drive, at, &writes[i].iov, 1, false, block_test_done,
                            &writes[i].pending);
    }
    o.drive->ops->drain(o.drive);
    for (unsigned i = 0; i < COUNT; i++) {
        g_assert_cmpint(writes[i].pending.ret, ==, 0);
    }
    check_drive(&o);
    g_assert_true(file_is_pattern(&o));
    finish(&o);
}

/* A commit that fails half way loses nothing. */
static void
test_failed_commit(void)
{
    g_autoptr(GError) error = NULL;
    Overlay o;

    set_up(&o, "driver=raw,read-only=on,file.driver=fault");
    for (unsigned i = 1; i < 10; i += 4) { /* three pieces apart */
        memset(o.bytes + i * 65536, 0x99, 65536);
        g_assert_cmpint(
            block_test_drive_write(&o.test, o.drive, i * 65536, o.bytes + i * 65536, 65536), ==, 0);
    }
    Fault *fault = block_test_fault(blk_drive_get_node(o.drive)->backing->node);
    fault->fail_write = ENOSPC;
    fault->pass_count = 1;
    g_assert_false(blk_drive_commit(o.drive, &error));
    g_assert_nonnull(strstr(error->message, "temporary file"));
    g_clear_error(&error);
    check_drive(&o);
    random_step(&o);
    fault->fail_write = 0;
    g_assert_true(blk_drive_commit(o.drive, &error));
    check_drive(&o);
    finish(&o);
}

static void
test_resize(void)
{
    Overlay o;
    uint8_t data[4096];

    set_up(&o, "driver=raw,read-only=on");
    g_assert_true(blk_drive_resize(o.drive, 65536, NULL));
    g_assert_true(blk_drive_resize(o.drive, 1 << 20, NULL));
    /* What was cut off does not come back. */
    g_assert_cmpint(block_test_drive_read(&o.test, o.drive, 65536, data, 4096), ==, 0);
    g_assert_true(blk_buffer_is_zero(data, 4096));
    g_assert_cmpint(block_test_drive_read(&o.test, o.drive, 61440, data, 4096), ==, 0);
    g_assert_cmpuint(data[4095], ==, block_test_byte(65535));
    g_assert_true(file_is_pattern(&o));
    finish(&o);
}

static void
test_not_an_overlay(void)
{
    g_autoptr(GError) error = NULL;
    BlockTest test;
    BlkDriveConfig config = { 0 };

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 8192);
    g_autoptr(BlkNode) node = block_test_open(&test, path, "driver=raw");
    VitDrive *drive = blk_drive_new(test.graph, "d0", &config, node, &error);
    g_assert_false(blk_drive_commit(drive, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_STATE);
    blk_drive_free(drive);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/overlay/model", test_model);
    g_test_add_func("/block/overlay/model-writable", test_model_writable);
    g_test_add_func("/block/overlay/neighbours", test_neighbours);
    g_test_add_func("/block/overlay/failed-commit", test_failed_commit);
    g_test_add_func("/block/overlay/resize", test_resize);
    g_test_add_func("/block/overlay/not-an-overlay", test_not_an_overlay);
    return g_test_run();
}
