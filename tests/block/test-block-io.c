/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Requests against a model of the image: every alignment, many at once, failures, flushes. */

#include "block-test.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum { IMAGE_BYTES = 1 << 20 };

/* ---- one at a time ---- */

typedef struct Model {
    BlkImage *image;
    uint8_t *bytes;
} Model;

static void
check_all(Model *model)
{
    g_autofree uint8_t *data = g_malloc(IMAGE_BYTES);

    g_assert_cmpint(blk_image_read(model->image, 0, data, IMAGE_BYTES), ==, 0);
    g_assert_true(memcmp(data, model->bytes, IMAGE_BYTES) == 0);
}

static void
random_step(Model *model, uint32_t unit)
{
    uint64_t offset = (uint64_t)g_test_rand_int_range(0, IMAGE_BYTES / (int)unit) * unit;
    uint64_t room = IMAGE_BYTES - offset, most = g_test_rand_bit() ? 4 * 1024 : 300 * 1024;
    uint64_t wish = (uint64_t)g_test_rand_int_range(0, (int)(most / unit) + 1) * unit;
    uint64_t len = MIN(room, wish);
    /* Memory at odd addresses too. */
    g_autofree uint8_t *data = g_malloc(len + 1);
    uint8_t *at = data + (unit == 1 ? g_test_rand_int_range(0, 2) : 0);

    switch (g_test_rand_int_range(0, 6)) {
    case 0:
    case 1:
        g_assert_cmpint(blk_image_read(model->image, offset, at, len), ==, 0);
        g_assert_cmpmem(at, len, model->bytes + offset, len);
        break;
    case 2:
    case 3:
        for (uint64_t i = 0; i < len; i++) {
            at[i] = model->bytes[offset + i] = (uint8_t)g_test_rand_int();
        }
        g_assert_cmpint(blk_image_write(model->image, offset, at, len), ==, 0);
        break;
    case 4:
        memset(model->bytes + offset, 0, len);
        g_assert_cmpint(blk_image_write_zeroes(model->image, offset, len, g_test_rand_bit()), ==,
                        0);
        break;
    default: g_assert_cmpint(blk_image_flush(model->image), ==, 0); break;
    }
}

static void
run_model(const char *options, uint32_t unit)
{
    g_autoptr(GError) error = NULL;
    BlockTest test;
    Model model;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", IMAGE_BYTES);
    BlkNode *node = block_test_open(&test, path, options);
    model.image = blk_image_new(node, true, &error);
    g_assert_no_error(error);
    model.bytes = g_malloc(IMAGE_BYTES);
    for (unsigned i = 0; i < IMAGE_BYTES; i++) {
        model.bytes[i] = block_test_byte(i);
    }
    check_all(&model);
    for (unsigned i = 0; i < 300; i++) {
        random_step(&model, unit);
    }
    check_all(&model);
    blk_image_free(model.image);
    blk_node_unref(node);
    g_free(model.bytes);
    block_test_finish(&test);
}

static void
test_model_raw(void)
{
    run_model("driver=raw,discard=unmap", 1);
}

static void
test_model_detect_zeroes(void)
{
    run_model("driver=raw,discard=unmap,detect-zeroes=unmap", 512);
}

/* mission: drive.aio.io_uring drive.aio.native drive.aio.io_uring drive.aio.native
 */
static void
run_engine(const char *aio, const char *more)
{
    g_autofree char *options = g_strdup_printf("driver=raw,aio=%s%s", aio, more);
    g_autoptr(BlkOptions) parsed = block_test_options(options);
    g_autoptr(GError) error = NULL;
    BlockTest test;

    /* A host may forbid it (containers do), and a build be without it. */
    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 4096);
    g_autoptr(BlkNode) node = blk_open(test.graph, path, parsed, &error);
    bool usable = node != NULL;
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
    if (usable) {
        run_model(options, 512);
    } else {
        g_test_skip(error->message);
    }
}

static void
test_model_io_uring(void)
{
    run_engine("io_uring", "");
}

static void
test_model_native(void)
{
    run_engine("native", ",cache.direct=on");
}

/* A request that is under way, watched from then on; NULL where the host does it at once. */
static VitDrive *
begin_watched(BlockTest *test, BlkNode *node, struct iovec *iov, Pending *pending, int *out_fd)
{
    const BlkDriveConfig config = { 0 };
    VitDrive *drive = blk_drive_new(test->graph, "d", &config, node, NULL);

    for (unsigned i = 0; i < 100; i++) {
        *pending = (Pending){ 0 };
        drive->ops->read(drive, 4096, iov, 1, block_test_done, pending);
        *out_fd = blk_graph_watch(test->graph);
        if (*out_fd >= 0) {
            return drive;
        }
        g_assert_cmpint(block_test_wait(test, pending), ==, 0);
    }
    blk_drive_free(drive);
    return NULL;
}

/* Who sleeps takes what io_uring has done, and only that thread is told. */
static void
test_watch(void)
{
    g_autoptr(BlkOptions) options = block_test_options("driver=raw,aio=io_uring,cache.direct=on");
    g_autofree uint8_t *memory = g_malloc(8192);
    uint8_t *data = (uint8_t *)(((uintptr_t)memory + 4095) & ~(uintptr_t)4095);
    struct iovec iov = { data, 4096 };
    g_autoptr(GError) error = NULL;
    struct pollfd fd = { .events = POLLIN };
    VitDrive *drive = NULL;
    Pending pending;
    BlockTest test;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", IMAGE_BYTES);
    g_autoptr(BlkNode) node = blk_open(test.graph, path, options, &error);
    g_assert_cmpint(blk_graph_watch(test.graph), ==, -1);
    if (node && (drive = begin_watched(&test, node, &iov, &pending, &fd.fd))) {
        g_assert_cmpint(blk_graph_watch(test.graph), ==, -1); /* one does */
        g_assert_cmpint(poll(&fd, 1, 20000), ==, 1);
        g_assert_false(pending.ended);
        blk_graph_unwatch(test.graph);
        g_assert_true(pending.ended);
        g_assert_cmpint(pending.ret, ==, 0);
        g_assert_true(block_test_is_pattern(data, 4096, 4096));
        blk_drive_free(drive);
        /* who polls meanwhile ends the watch instead of waiting for it */
        if ((drive = begin_watched(&test, node, &iov, &pending, &fd.fd))) {
            g_assert_cmpint(block_test_wait(&test, &pending), ==, 0);
            blk_graph_unwatch(test.graph);
            g_assert_cmpint(blk_graph_watch(test.graph), ==, -1);
            blk_drive_free(drive);
        }
    } else {
        g_test_skip(error ? error->message : "direct reads of files end at once here");
    }
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

static void
test_model_window(void)
{
    /* A window over the whole, through the other spelling of everything. */
    run_model("driver=raw,size=1M,offset=0", 1);
}

static void
test_model_align_512(void)
{
    run_model("driver=fault,align=512,memory-align=512,file.driver=raw,file.discard=unmap", 1);
}

static void
test_model_align_4k(void)
{
    run_model("driver=raw,file.driver=fault,file.align=4096,file.memory-align=4096", 1);
}

/* ---- many at once ---- */

/* Neighbours that share blocks of the node: none may lose what another wrote. */
static void
test_neighbours(void)
{
    enum { PIECE = 100, COUNT = 640 };
    BlockTest test;
    g_autofree Pending *pending = g_new0(Pending, COUNT);
    g_autofree struct iovec *iov = g_new0(struct iovec, COUNT);
    g_autofree uint8_t *want = g_malloc(PIECE * COUNT), *got = g_malloc(PIECE * COUNT);
    BlkDriveConfig config = { 0 };
    g_autoptr(GError) error = NULL;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", IMAGE_BYTES);
    g_autoptr(BlkNode) node =
        block_test_open(&test, path, "driver=fault,align=4096,delay=100000,file.driver=raw");
    VitDrive *drive = blk_drive_new(test.graph, "d", &config, node, &error);
    g_assert_no_error(error);
    for (unsigned i = 0; i < COUNT; i++) {
        /* In an order that has no neighbours next to each other. */
        unsigned n = i * 7 % COUNT;
        memset(want + n * PIECE, (int)n + 1, PIECE);
        iov[n] = (struct iovec){ want + n * PIECE, PIECE };
        drive->ops->write(drive, n * PIECE, &iov[n], 1, false, block_test_done, &pending[n]);
    }
    drive->ops->drain(drive);
    for (unsigned i = 0; i < COUNT; i++) {
        g_assert_true(pending[i].ended);
        g_assert_cmpint(pending[i].ret, ==, 0);
    }
    g_assert_cmpuint(block_test_fault(node)->most_running, >, 1);
    g_assert_cmpint(block_test_drive_read(&test, drive, 0, got, PIECE * COUNT), ==, 0);
    g_assert_true(memcmp(got, want, PIECE * COUNT) == 0);
    blk_drive_free(drive);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

typedef struct Writer {
    VitDrive *drive;
    struct iovec iov;
    uint8_t data[3000];
    unsigned left;
    unsigned *running;
} Writer;

static void
next_write(void *opaque, int ret)
{
    Writer *writer = opaque;

    g_assert_cmpint(ret, ==, 0);
    if (writer->left-- == 0) {
        --*writer->running;
        return;
    }
    /* Everybody in the same few blocks. */
    writer->iov = (struct iovec){ writer->data, (size_t)g_test_rand_int_range(1, 3001) };
    writer->drive->ops->write(writer->drive, (uint64_t)g_test_rand_int_range(0, 8192), &writer->iov,
                              1, g_test_rand_bit(), next_write, writer);
}

/* Overlapping writers: afterwards each byte is one that somebody wrote, or the old one. */
static void
test_overlapping(void)
{
    enum { WRITERS = 16 };
    BlockTest test;
    g_autofree Writer *writers = g_new0(Writer, WRITERS);
    g_autofree uint8_t *got = g_malloc(16384);
    unsigned running = WRITERS;
    BlkDriveConfig config = { .write_through = true };
    g_autoptr(GError) error = NULL;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", IMAGE_BYTES);
    g_autoptr(BlkNode) node =
        block_test_open(&test, path, "driver=fault,align=512,memory-align=512,file.driver=raw");
    VitDrive *drive = blk_drive_new(test.graph, "d", &config, node, &error);
    g_assert_no_error(error);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (Writer){ .drive = drive, .left = 40, .running = &running };
        memset(writers[i].data, (int)(i + 1) * 2, sizeof(writers[i].data)); /* even */
        next_write(&writers[i], 0);
    }
    while (running > 0) {
        blk_graph_poll(test.graph, -1);
    }
    g_assert_cmpint(block_test_drive_read(&test, drive, 0, got, 16384), ==, 0);
    for (unsigned i = 0; i < 16384; i++) {
        g_assert_true(got[i] == block_test_byte(i) || (got[i] % 2 == 0 && got[i] <= 2 * WRITERS));
        g_assert_true(i < 11192 || got[i] == block_test_byte(i));
    }
    blk_drive_free(drive);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

/* ---- flushes ---- */

static void
test_flush_skipped(void)
{
    BlockTest test;
    uint8_t byte = 1;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 4096);
    BlkNode *node = block_test_open(&test, path, "driver=raw,file.driver=fault");
    BlkImage *image = blk_image_new(node, true, NULL);
    Fault *fault = block_test_fault(node);
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    g_assert_cmpuint(fault->flushes, ==, 0); /* nothing was written */
    g_assert_cmpint(blk_image_write(image, 5, &byte, 1), ==, 0);
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    g_assert_cmpuint(fault->flushes, ==, 1);
    /* A flush that failed must be tried again. */
    g_assert_cmpint(blk_image_write(image, 6, &byte, 1), ==, 0);
    fault->fail_flush = EIO;
    g_assert_cmpint(blk_image_flush(image), ==, -EIO);
    fault->fail_flush = 0;
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    g_assert_cmpuint(fault->flushes, ==, 2);
    blk_image_free(image);
    blk_node_unref(node);
    block_test_finish(&test);
}

/* A drive without a write cache flushes behind each write unless the node below takes FUA. */
static void
check_write_through(const char *fua, unsigned flushes)
{
    BlockTest test;
    BlkDriveConfig config = { .write_through = true };
    g_autofree char *options = g_strdup_printf("driver=raw,file.driver=fault,file.fua=%s", fua);
    uint8_t sector[512] = { 1 };

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 4096);
    g_autoptr(BlkNode) node = block_test_open(&test, path, options);
    VitDrive *drive = blk_drive_new(test.graph, "d", &config, node, NULL);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpint(block_test_drive_write(&test, drive, 512 * i, sector, 512), ==, 0);
    }
    g_assert_cmpuint(block_test_fault(node)->flushes, ==, flushes);
    blk_drive_free(drive);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

static void
test_write_through(void)
{
    check_write_through("off", 3);
    check_write_through("on", 0);
}

static void
apply(uint8_t *disk, const FaultWrite *entry)
{
    if (entry->data) {
        memcpy(disk + entry->offset, entry->data, entry->len);
    } else {
        memset(disk + entry->offset, 0, entry->len);
    }
}

/* Power loss at a random point: what was written before the last flush that the guest saw end is
 * there, whichever of the later writes reached the disk. */
static void
test_power_loss(void)
{
    enum { SECTORS = 64, STEPS = 400 };
    BlockTest test;
    BlkDriveConfig config = { 0 };
    uint8_t sector[512], disk[SECTORS * 512] = { 0 };
    uint16_t promised[SECTORS] = { 0 }, latest[SECTORS] = { 0 };

    block_test_init(&test);
    g_autofree char *path = block_test_path(&test, "disk");
    g_assert_true(g_file_set_contents(path, (char *)disk, sizeof(disk), NULL));
    g_autoptr(BlkNode) node = block_test_open(&test, path, "driver=raw,file.driver=fault");
    VitDrive *drive = blk_drive_new(test.graph, "d", &config, node, NULL);
    Fault *fault = block_test_fault(node);
    fault->remember = true;
    for (unsigned step = 1; step <= STEPS; step++) {
        unsigned n = g_test_rand_int_range(0, SECTORS);
        if (g_test_rand_int_range(0, 10) == 0) {
            g_assert_cmpint(block_test_drive_flush(&test, drive), ==, 0);
            memcpy(promised, latest, sizeof(promised));
            continue;
        }
        memset(sector, 0, sizeof(sector));
        memcpy(sector, &step, 2);
        g_assert_cmpint(block_test_drive_write(&test, drive, n * 512, sector, 512), ==, 0);
        latest[n] = (uint16_t)step;
    }
    for (unsigned i = 0; i < fault->log->len; i++) {
        const FaultWrite *entry = &g_array_index(fault->log, FaultWrite, i);
        if (entry->epoch < fault->flushes || g_test_rand_bit()) {
            apply(disk, entry);
        }
    }
    for (unsigned n = 0; n < SECTORS; n++) {
        uint16_t value;
        memcpy(&value, disk + n * 512, 2);
        g_assert_cmpuint(value, >=, promised[n]);
    }
    blk_drive_free(drive);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

/* ---- edges ---- */

static void
test_end_of_image(void)
{
    BlockTest test;
    BlkDriveConfig config = { 0 };
    uint8_t data[1024];

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 1000); /* not whole sectors */
    g_autoptr(BlkNode) node = block_test_open(&test, path, "driver=raw");
    VitDrive *drive = blk_drive_new(test.graph, "d", &config, node, NULL);
    g_assert_cmpuint(drive->ops->get_len(drive), ==, 1024);
    g_assert_cmpint(block_test_drive_read(&test, drive, 0, data, 1024), ==, 0);
    for (unsigned i = 0; i < 1024; i++) {
        g_assert_cmpuint(data[i], ==, i < 1000 ? block_test_byte(i) : 0);
    }
    g_assert_cmpint(block_test_drive_read(&test, drive, 1024, data, 512), ==, -EINVAL);
    g_assert_cmpint(block_test_drive_read(&test, drive, 512, data, 1024), ==, -EINVAL);
    g_assert_cmpint(block_test_drive_read(&test, drive, UINT64_MAX - 511, data, 512), ==, -EINVAL);
    g_assert_cmpint(block_test_drive_write(&test, drive, 512, data, 512), ==, 0);
    g_assert_cmpuint(blk_node_get_len(node), ==, 1024);
    g_assert_cmpint(block_test_drive_write(&test, drive, 1024, data, 512), ==, -EINVAL);
    blk_drive_free(drive);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

/* Whole blocks are written, yet the image ends where it ended. */
static void
test_end_in_block(void)
{
    BlockTest test;
    uint8_t data[1200];

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 1000);
    BlkNode *node = block_test_open(&test, path, "driver=fault,align=4096,file.driver=raw");
    BlkImage *image = blk_image_new(node, true, NULL);
    memset(data, 7, sizeof(data));
    g_assert_cmpint(blk_image_write(image, 990, data, 10), ==, 0);
    g_assert_cmpuint(blk_node_get_len(node), ==, 1000);
    g_assert_cmpint(blk_image_write(image, 0, data, 1200), ==, 0);
    g_assert_cmpuint(blk_node_get_len(node), ==, 1200);
    blk_image_free(image);
    blk_node_unref(node);
    block_test_finish(&test);
}

static void
test_failures(void)
{
    BlockTest test;
    uint8_t data[512] = { 0 };

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 65536);
    BlkNode *node = block_test_open(&test, path, "driver=raw,file.driver=fault,file.align=512");
    BlkImage *image = blk_image_new(node, true, NULL);
    Fault *fault = block_test_fault(node);
    fault->fail_read = EIO;
    g_assert_cmpint(blk_image_read(image, 0, data, 512), ==, -EIO);
    /* A write that has to read first fails, and writes nothing. */
    g_assert_cmpint(blk_image_write(image, 100, data, 100), ==, -EIO);
    g_assert_cmpuint(fault->writes, ==, 0);
    fault->fail_read = 0;
    fault->fail_write = ENOSPC;
    fault->pass_count = 1;
    g_assert_cmpint(blk_image_write(image, 0, data, 512), ==, 0);
    g_assert_cmpint(blk_image_write(image, 0, data, 512), ==, -ENOSPC);
    fault->fail_write = 0;
    g_assert_cmpint(blk_image_write(image, 0, data, 512), ==, 0);
    blk_image_free(image);
    blk_node_unref(node);
    block_test_finish(&test);
}

/* Holes: zeroes that may unmap free space on the host, and runs are told apart. */
static void
test_holes(void)
{
    BlockTest test;
    bool zero, data;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", IMAGE_BYTES);
    BlkNode *node = block_test_open(&test, path, "driver=raw,discard=unmap");
    BlkImage *image = blk_image_new(node, true, NULL);
    g_assert_cmpint(blk_image_write_zeroes(image, 65536, 131072, true), ==, 0);
    g_assert_cmpint(blk_image_get_run(image, 0, IMAGE_BYTES, &zero, &data), ==, 65536);
    g_assert_true(data && !zero);
    g_assert_cmpint(blk_image_get_run(image, 65536, IMAGE_BYTES, &zero, &data), ==, 131072);
    g_assert_true(zero && !data);
    g_assert_cmpint(blk_image_discard(image, 262144, 65536), ==, 0);
    g_assert_cmpint(blk_image_get_run(image, 262144, 4096, &zero, &data), ==, 4096);
    g_assert_true(zero);
    g_assert_cmpint(blk_image_get_run(image, IMAGE_BYTES, 1, &zero, &data), ==, -EINVAL);
    blk_image_free(image);
    blk_node_unref(node);
    block_test_finish(&test);
}

/* With discard=ignore the image keeps its bytes. */
static void
test_discard_ignored(void)
{
    BlockTest test;
    uint8_t data[4096];

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", IMAGE_BYTES);
    BlkNode *node = block_test_open(&test, path, "driver=raw");
    BlkImage *image = blk_image_new(node, true, NULL);
    g_assert_cmpint(blk_image_discard(image, 0, IMAGE_BYTES), ==, 0);
    g_assert_cmpint(blk_image_read(image, 0, data, sizeof(data)), ==, 0);
    g_assert_cmpuint(data[1], ==, block_test_byte(1));
    blk_image_free(image);
    blk_node_unref(node);
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/io/model/raw", test_model_raw);
    g_test_add_func("/block/io/model/detect-zeroes", test_model_detect_zeroes);
    g_test_add_func("/block/io/model/io-uring", test_model_io_uring);
    g_test_add_func("/block/io/watch", test_watch);
    g_test_add_func("/block/io/model/native", test_model_native);
    g_test_add_func("/block/io/model/window", test_model_window);
    g_test_add_func("/block/io/model/align-512", test_model_align_512);
    g_test_add_func("/block/io/model/align-4k", test_model_align_4k);
    g_test_add_func("/block/io/neighbours", test_neighbours);
    g_test_add_func("/block/io/overlapping", test_overlapping);
    g_test_add_func("/block/io/flush-skipped", test_flush_skipped);
    g_test_add_func("/block/io/write-through", test_write_through);
    g_test_add_func("/block/io/power-loss", test_power_loss);
    g_test_add_func("/block/io/end-of-image", test_end_of_image);
    g_test_add_func("/block/io/end-in-block", test_end_in_block);
    g_test_add_func("/block/io/failures", test_failures);
    g_test_add_func("/block/io/holes", test_holes);
    g_test_add_func("/block/io/discard-ignored", test_discard_ignored);
    return g_test_run();
}
