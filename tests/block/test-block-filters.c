/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Filters and limits: throttling of drives, nodes and groups; copy-on-read; the empty device.
 * mission: x.object.throttle-group x.drive.throttling-keys drive.copy-on-read drive.bps
 * mission: drive.bps_rd drive.bps_wr drive.iops drive.iops_rd drive.iops_size drive.group */

#include "block-test.h"

#include "vit-error.h"

#include <unistd.h>
#include <fcntl.h>
#include <errno.h>
#include <string.h>

enum { LEN = 1 << 20 };

static VitDrive *
make_drive(BlockTest *test, const char *id, BlkNode *node, const char *limits,
           const BlkDriveConfig *config)
{
    g_autoptr(BlkOptions) options = block_test_options(limits);
    g_autoptr(BlkOptions) taken = blk_options_take_throttle(options);
    g_autoptr(GError) error = NULL;
    VitDrive *drive = blk_drive_new(test->graph, id, config, node, &error);

    g_assert_no_error(error);
    g_assert_null(blk_options_first_key(options));
    if (taken) {
        blk_drive_throttle(drive, taken, &error);
        g_assert_no_error(error);
    }
    return drive;
}

/* Milliseconds that COUNT requests of SIZE bytes take. */
static int64_t
time_requests(BlockTest *test, VitDrive *drive, unsigned count, size_t size, bool write)
{
    g_autofree uint8_t *data = g_malloc0(size);
    int64_t start_us = g_get_monotonic_time();

    for (unsigned i = 0; i < count; i++) {
        int ret = write ? block_test_drive_write(test, drive, 0, data, size)
                        : block_test_drive_read(test, drive, 0, data, size);
        g_assert_cmpint(ret, ==, 0);
    }
    return (g_get_monotonic_time() - start_us) / 1000;
}

static void
test_limits(void)
{
    static const struct {
        const char *limits;
        unsigned count;
        size_t size;
        bool write;
        int64_t min_ms, max_ms;
    } rows[] = {
        /* a tenth of a second may go at once, the rest waits its turn */
        { "iops=100", 30, 512, false, 150, 1500 },
        { "iops_wr=100", 30, 512, false, 0, 140 },
        { "throttling.iops-read=100", 30, 512, false, 150, 1500 },
        { "bps=1M", 8, 65536, true, 300, 1500 },
        { "bps_rd=1M", 8, 65536, true, 0, 280 },
        { "iops=100,iops_size=4k", 8, 16384, false, 150, 1500 },
        { "iops=100,iops_max=1000,iops_max_length=2", 60, 512, false, 0, 140 },
    };
    const BlkDriveConfig config = { 0 };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        BlockTest test;
        block_test_init(&test);
        g_autoptr(BlkNode) node = block_test_open(&test, "null-co://", NULL);
        VitDrive *drive = make_drive(&test, "d", node, rows[i].limits, &config);
        int64_t ms = time_requests(&test, drive, rows[i].count, rows[i].size, rows[i].write);
        g_test_message("%s: %" G_GINT64_FORMAT " ms", rows[i].limits, ms);
        g_assert_cmpint(ms, >=, rows[i].min_ms);
        g_assert_cmpint(ms, <, rows[i].max_ms);
        blk_drive_free(drive);
        g_clear_pointer(&node, blk_node_unref);
        block_test_finish(&test);
    }
}

/* Two members of a group share its budget, whichever way they came to it. */
static void
test_group(void)
{
    const BlkDriveConfig config = { 0 };
    g_autoptr(GError) error = NULL;
    BlockTest test;

    block_test_init(&test);
    g_autoptr(BlkOptions) limits = block_test_options("limits.iops-total=100");
    g_assert_true(blk_graph_add_throttle_group(test.graph, "g", limits, &error));
    g_assert_false(blk_graph_add_throttle_group(test.graph, "g", limits, NULL));
    g_autoptr(BlkNode) node =
        block_test_open(&test, NULL, "driver=throttle,throttle-group=g,file.driver=null-co");
    VitDrive *drive = make_drive(&test, "d", node, NULL, &config);
    g_assert_cmpint(time_requests(&test, drive, 30, 512, false), >=, 150);
    g_assert_false(blk_graph_remove_throttle_group(test.graph, "g", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_clear_error(&error);
    blk_drive_free(drive);
    g_clear_pointer(&node, blk_node_unref);
    g_assert_true(blk_graph_remove_throttle_group(test.graph, "g", &error));

    g_autoptr(BlkNode) a_node = block_test_open(&test, "null-co://", NULL);
    g_autoptr(BlkNode) b_node = block_test_open(&test, "null-co://", NULL);
    VitDrive *a = make_drive(&test, "a", a_node, "iops=100,group=h", &config);
    VitDrive *b = make_drive(&test, "b", b_node, "iops=100,group=h", &config);
    int64_t ms = time_requests(&test, a, 20, 512, false);
    ms += time_requests(&test, b, 20, 512, true);
    g_assert_cmpint(ms, >=, 230);
    blk_drive_free(a);
    blk_drive_free(b);
    g_clear_pointer(&a_node, blk_node_unref);
    g_clear_pointer(&b_node, blk_node_unref);
    block_test_finish(&test);
}

/* A drain does not wait for the limit. */
static void
test_drain(void)
{
    const BlkDriveConfig config = { 0 };
    Pending pending[8] = { 0 };
    uint8_t data[512];
    struct iovec iov = { data, sizeof(data) };
    BlockTest test;

    block_test_init(&test);
    g_autoptr(BlkNode) node = block_test_open(&test, "null-co://", NULL);
    VitDrive *drive = make_drive(&test, "d", node, "bps=100", &config);
    for (unsigned i = 0; i < G_N_ELEMENTS(pending); i++) {
        drive->ops->read(drive, 0, &iov, 1, block_test_done, &pending[i]);
    }
    int64_t start_us = g_get_monotonic_time();
    drive->ops->drain(drive);
    g_assert_cmpint(g_get_monotonic_time() - start_us, <, 1000000);
    for (unsigned i = 0; i < G_N_ELEMENTS(pending); i++) {
        g_assert_true(pending[i].ended);
    }
    blk_drive_free(drive);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

static void
test_bad_limits(void)
{
    static const char *const rows[] = {
        "bps=1,bps_rd=1",      "iops_max=5", "iops=10,iops_max=5",    "iops=10,iops_max_length=5",
        "throttling.bps-up=1", "bps=blubb",  "iops=5000000000000000",
    };
    const BlkDriveConfig config = { 0 };
    BlockTest test;

    block_test_init(&test);
    g_autoptr(BlkNode) node = block_test_open(&test, "null-co://", NULL);
    VitDrive *drive = make_drive(&test, "d", node, NULL, &config);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(BlkOptions) options = block_test_options(rows[i]);
        g_autoptr(BlkOptions) taken = blk_options_take_throttle(options);
        g_autoptr(GError) error = NULL;
        g_assert_false(blk_drive_throttle(drive, taken, &error));
        g_assert_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT);
    }
    blk_drive_free(drive);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

static void
test_copy_on_read(void)
{
    const BlkDriveConfig config = { .copy_on_read = true };
    g_autofree uint8_t *data = g_malloc(LEN);
    BlkRun run;
    BlockTest test;

    block_test_init(&test);
    g_autofree char *base = block_test_image(&test, "base", LEN);
    g_autofree char *top = block_test_path(&test, "top");
    g_autoptr(BlkOptions) create = block_test_options("size=1M,backing_file=base,backing_fmt=raw");
    g_assert_true(blk_create(test.graph, "testcow", top, create, NULL));
    g_autoptr(BlkNode) node = block_test_open(&test, top, NULL);
    VitDrive *drive = make_drive(&test, "d", node, NULL, &config);
    g_assert_cmpint(block_test_drive_read(&test, drive, 70000, data, 512), ==, 0);
    g_assert_cmpuint(data[0], ==, block_test_byte(70000));
    blk_drive_free(drive);
    g_autoptr(BlkImage) image = blk_image_new(node, false, NULL);
    g_assert_cmpint(blk_image_describe_run(image, 65536, LEN, &run), ==, 0);
    g_assert_cmpuint(run.depth, ==, 0);
    g_assert_cmpuint(run.len_bytes, ==, 65536);
    g_assert_cmpint(blk_image_describe_run(image, 0, LEN, &run), ==, 0);
    g_assert_cmpuint(run.depth, ==, 1);
    g_assert_cmpuint(run.len_bytes, ==, 65536);
    g_assert_cmpint(blk_image_read(image, 0, data, LEN), ==, 0);
    for (unsigned i = 0; i < LEN; i++) {
        g_assert_cmpuint(data[i], ==, block_test_byte(i));
    }
    g_clear_pointer(&image, blk_image_free);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

static void
test_null(void)
{
    g_autofree uint8_t *data = g_malloc(4096);
    BlockTest test;

    block_test_init(&test);
    g_autoptr(BlkNode) node =
        block_test_open(&test, NULL, "driver=null-aio,size=1M,read-zeroes=on");
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    memset(data, 1, 4096);
    g_assert_cmpuint(blk_image_get_len(image), ==, LEN);
    g_assert_cmpint(blk_image_write(image, 0, data, 4096), ==, 0);
    g_assert_cmpint(blk_image_read(image, 0, data, 4096), ==, 0);
    g_assert_cmpuint(data[0], ==, 0);
    g_clear_pointer(&image, blk_image_free);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

/* ---- blkdebug, blkverify ---- */

/* mission: blkdebug blkverify */
static void
test_blkdebug(void)
{
    uint8_t data[4096] = { 1 };
    BlockTest test;

    block_test_init(&test);
    g_autofree char *disk = block_test_image(&test, "disk", 1 << 20);
    g_autofree char *rules = block_test_path(&test, "rules");
    g_autofree char *named = g_strdup_printf("blkdebug:%s:%s", rules, disk);
    g_autofree char *options = g_strdup_printf(
        "driver=blkdebug,image.driver=file,image.filename=%s,"
        "inject-error.0.event=write_aio,inject-error.0.errno=28,inject-error.0.once=on,"
        "inject-error.1.event=read_aio,inject-error.1.sector=8,inject-error.1.immediately=on,"
        "inject-error.2.event=flush_to_disk,inject-error.2.state=2,"
        "set-state.0.event=flush_to_disk,set-state.0.state=1,set-state.0.new_state=2",
        disk);
    g_autoptr(BlkNode) node = block_test_open(&test, NULL, options);
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    g_assert_cmpint(blk_image_write(image, 0, data, sizeof(data)), ==, -ENOSPC);
    g_assert_cmpint(blk_image_write(image, 0, data, sizeof(data)), ==, 0);
    g_assert_cmpint(blk_image_read(image, 0, data, 4096), ==, 0);
    g_assert_cmpint(blk_image_read(image, 2048, data, 4096), ==, -EIO);
    g_assert_cmpint(blk_image_read(image, 4608, data, 4096), ==, 0);
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    g_assert_cmpint(blk_image_write(image, 0, data, sizeof(data)), ==, 0);
    g_assert_cmpint(blk_image_flush(image), ==, -EIO);
    blk_image_free(g_steal_pointer(&image));
    g_clear_pointer(&node, blk_node_unref);

    g_assert_true(g_file_set_contents(
        rules, "# all writes of zeroes\n[inject-error]\nevent = \"pwritev_zero\"\nerrno = \"5\"\n",
        -1, NULL));
    node = block_test_open(&test, named, "driver=raw");
    image = blk_image_new(node, true, NULL);
    g_assert_cmpint(blk_image_write_zeroes(image, 65536, 65536, false), ==, -EIO);
    g_assert_cmpint(blk_image_write(image, 65536, data, sizeof(data)), ==, 0);
    blk_image_free(g_steal_pointer(&image));
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

static void
test_blkdebug_rules(void)
{
    static const char *const bad[] = {
        "[inject-error]\nevent = \"l1_update\"\n",
        "[inject-error]\nerrno = \"5\"\n",
        "[other]\n",
        "event = \"none\"\n",
        "[inject-error]\nevent = \"none\"\nerrno = \"x\"\n",
        "[inject-error]\nevent = \"none\"\nwhat = \"x\"\n",
        "[set-state]\nevent = \"none\"\n",
    };
    BlockTest test;

    block_test_init(&test);
    g_autofree char *disk = block_test_image(&test, "disk", 1 << 20);
    g_autofree char *rules = block_test_path(&test, "rules");
    g_autofree char *named = g_strdup_printf("blkdebug:%s:%s", rules, disk);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(BlkOptions) options = block_test_options("driver=raw");
        g_autoptr(GError) error = NULL;
        g_assert_true(g_file_set_contents(rules, bad[i], -1, NULL));
        g_assert_null(blk_open(test.graph, named, options, &error));
        g_assert_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT);
    }
    block_test_finish(&test);
}

static void
test_blkverify(void)
{
    uint8_t data[70000];
    BlockTest test;

    block_test_init(&test);
    g_autofree char *raw = block_test_image(&test, "raw", 1 << 20);
    g_autofree char *other = block_test_image(&test, "other", 1 << 20);
    g_autofree char *named = g_strdup_printf("blkverify:%s:%s", raw, other);
    g_autoptr(BlkNode) node = block_test_open(&test, named, "driver=raw");
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    memset(data, 0x44, sizeof(data));
    g_assert_cmpint(blk_image_write(image, 12345, data, sizeof(data)), ==, 0);
    g_assert_cmpint(blk_image_write_zeroes(image, 20000, 5000, true), ==, 0);
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    g_assert_cmpint(blk_image_read(image, 12000, data, sizeof(data)), ==, 0);
    g_assert_cmpuint(data[8100], ==, 0);
    blk_image_free(g_steal_pointer(&image));
    g_clear_pointer(&node, blk_node_unref);

    int fd = open(raw, O_WRONLY);
    g_assert_cmpint(pwrite(fd, "!", 1, 500000), ==, 1);
    close(fd);
    node = block_test_open(&test, named, "driver=raw");
    image = blk_image_new(node, true, NULL);
    g_assert_cmpint(blk_image_read(image, 0, data, sizeof(data)), ==, 0);
    g_assert_cmpint(blk_image_read(image, 480000, data, sizeof(data)), ==, -EIO);
    blk_image_free(g_steal_pointer(&image));
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/throttle/limits", test_limits);
    g_test_add_func("/block/throttle/group", test_group);
    g_test_add_func("/block/throttle/drain", test_drain);
    g_test_add_func("/block/throttle/bad", test_bad_limits);
    g_test_add_func("/block/copy-on-read", test_copy_on_read);
    g_test_add_func("/block/null", test_null);
    g_test_add_func("/block/filters/blkdebug", test_blkdebug);
    g_test_add_func("/block/filters/blkdebug/rules", test_blkdebug_rules);
    g_test_add_func("/block/filters/blkverify", test_blkverify);
    return g_test_run();
}
