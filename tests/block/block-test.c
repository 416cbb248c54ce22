/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Helpers of the block tests; see block-test.h. */

#include "block-test.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

extern const BlkDriver fault_driver;

void
block_test_use_memory(void)
{
    if (access("/dev/shm", W_OK) == 0) {
        g_setenv("TMPDIR", "/dev/shm", FALSE);
    }
}

void
block_test_init(BlockTest *test)
{
    vit_lock_init(&test->own_lock);
    vit_lock_take(&test->own_lock);
    block_test_init_locked(test, &test->own_lock);
}

void
block_test_init_locked(BlockTest *test, VitLock *lock)
{
    g_autoptr(GError) error = NULL;

    test->lock = lock;
    test->graph = blk_graph_new(NULL, lock, &error);
    g_assert_no_error(error);
    blk_graph_add_driver(test->graph, &fault_driver);
    blk_graph_add_driver(test->graph, &block_test_cow_driver);
    test->dir = g_dir_make_tmp("vitrine-block-XXXXXX", &error);
    g_assert_no_error(error);
}

static void
remove_folder(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        g_unlink(file);
    }
    g_clear_pointer(&dir, g_dir_close);
    g_rmdir(path);
}

void
block_test_finish(BlockTest *test)
{
    blk_graph_free(test->graph);
    remove_folder(test->dir);
    g_free(test->dir);
    if (test->lock == &test->own_lock) {
        vit_lock_release(&test->own_lock);
        vit_lock_finish(&test->own_lock);
    }
}

void
block_test_add_secret(BlockTest *test, const char *id, const char *text)
{
    g_autoptr(GBytes) secret = g_bytes_new_static(text, strlen(text));

    blk_graph_add_secret(test->graph, id, secret);
}

char *
block_test_path(BlockTest *test, const char *name)
{
    return g_build_filename(test->dir, name, NULL);
}

uint8_t
block_test_byte(uint64_t offset)
{
    return (uint8_t)(offset ^ offset >> 8 ^ offset >> 16) | 1;
}

bool
block_test_is_pattern(const uint8_t *data, uint64_t offset, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] != block_test_byte(offset + i)) {
            return false;
        }
    }
    return true;
}

void
block_test_read_image(BlockTest *test, const char *name, uint64_t offset, void *buf, size_t len)
{
    g_autofree char *path = block_test_path(test, name);
    FILE *file = fopen(path, "rb");

    g_assert_nonnull(file);
    g_assert_cmpint(fseek(file, (long)offset, SEEK_SET), ==, 0);
    g_assert_cmpuint(fread(buf, 1, len, file), ==, len);
    fclose(file);
}

char *
block_test_image(BlockTest *test, const char *name, uint64_t len)
{
    char *path = block_test_path(test, name);
    g_autofree uint8_t *data = g_malloc(MAX(len, 1));

    for (uint64_t i = 0; i < len; i++) {
        data[i] = block_test_byte(i);
    }
    g_assert_true(g_file_set_contents(path, (char *)data, (gssize)len, NULL));
    return path;
}

BlkOptions *
block_test_options(const char *text)
{
    BlkOptions *options = blk_options_new();
    g_auto(GStrv) pairs = g_strsplit(text ? text : "", ",", -1);

    for (char **pair = pairs; *pair; pair++) {
        char *equals = strchr(*pair, '=');
        if (equals) {
            *equals = 0;
            blk_options_set(options, *pair, equals + 1);
        }
    }
    return options;
}

BlkNode *
block_test_open(BlockTest *test, const char *filename, const char *text)
{
    g_autoptr(BlkOptions) options = block_test_options(text);
    g_autoptr(GError) error = NULL;
    BlkNode *node = blk_open(test->graph, filename, options, &error);

    g_assert_no_error(error);
    return node;
}

/* ---- the filter ---- */

static int
fault_begin(BlkNode *node, int error)
{
    Fault *fault = node->state;

    fault->running++;
    fault->most_running = MAX(fault->most_running, fault->running);
    if (fault->delay_ns) {
        blk_sleep_ns(node->context, (int64_t)fault->delay_ns);
    }
    if (error && fault->pass_count > 0) {
        fault->pass_count--;
        error = 0;
    }
    return -error;
}

static int
fault_end(BlkNode *node, int ret)
{
    Fault *fault = node->state;

    fault->running--;
    return ret;
}

static int
fault_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    Fault *fault = node->state;
    int ret = fault_begin(node, fault->fail_read);

    fault->reads++;
    g_assert_cmpuint((offset | len) % fault->align, ==, 0);
    g_assert_true(blk_vec_is_aligned(vec, at, len, fault->memory_align));
    return fault_end(node, ret < 0 ? ret : blk_read(node->file, offset, len, vec, at));
}

static void
remember_write(Fault *fault, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    FaultWrite entry = { .offset = offset, .len = len, .epoch = fault->flushes };

    if (!fault->remember) {
        return;
    }
    if (vec) {
        entry.data = g_malloc(len);
        blk_vec_gather(vec, at, entry.data, len);
    }
    g_array_append_val(fault->log, entry);
}

static int
fault_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
            unsigned flags)
{
    Fault *fault = node->state;
    int ret = fault_begin(node, fault->fail_write);

    fault->writes++;
    g_assert_cmpuint((offset | len) % fault->align, ==, 0);
    g_assert_true(blk_vec_is_aligned(vec, at, len, fault->memory_align));
    if (ret == 0) {
        remember_write(fault, offset, len, vec, at);
        ret = blk_write(node->file, offset, len, vec, at, flags);
    }
    return fault_end(node, ret);
}

static int
fault_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    Fault *fault = node->state;

    fault->zeroes++;
    remember_write(fault, offset, len, NULL, 0);
    return blk_write_zeroes(node->file, offset, len, flags);
}

static int
fault_discard(BlkNode *node, uint64_t offset, uint64_t len)
{
    Fault *fault = node->state;

    fault->discards++;
    return blk_discard(node->file, offset, len);
}

static int
fault_flush(BlkNode *node)
{
    Fault *fault = node->state;
    int ret = fault_begin(node, fault->fail_flush);

    if (ret == 0) {
        ret = blk_flush(node->file);
    }
    fault->flushes += ret == 0;
    return fault_end(node, ret);
}

static void
clear_write(gpointer data)
{
    g_free(((FaultWrite *)data)->data);
}

static bool
fault_open(BlkNode *node, GError **error)
{
    Fault *fault = node->state;

    fault->log = g_array_new(FALSE, FALSE, sizeof(FaultWrite));
    g_array_set_clear_func(fault->log, clear_write);
    node->discard_unmap = true;
    return true;
}

static void
fault_close(BlkNode *node)
{
    Fault *fault = node->state;

    g_clear_pointer(&fault->log, g_array_unref);
}

static void
fault_refresh_limits(BlkNode *node)
{
    const Fault *fault = node->state;

    node->limits.request_align = fault->align;
    node->limits.memory_align = fault->memory_align;
    node->limits.write_flags = fault->fua ? BLK_REQ_FUA : 0;
    node->limits.zeroes_flags = BLK_REQ_MAY_UNMAP;
}

static bool
fault_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    return blk_truncate(node->file, len, prealloc, error);
}

static const VitProp options[] = {
    VIT_PROP_UINT(Fault, align, "align", 1, 1, 65536, "Alignment asked for"),
    VIT_PROP_UINT(Fault, memory_align, "memory-align", 1, 1, 65536, "Alignment of buffers"),
    VIT_PROP_UINT(Fault, delay_ns, "delay", 0, 0, INT64_MAX, "Time each request takes"),
    VIT_PROP_BOOL(Fault, fua, "fua", 0, "Takes FUA"),
    { 0 }
};

static const BlkChildSlot slots[] = { { .name = "file", .required = true }, { 0 } };

const BlkDriver fault_driver = {
    .name = "fault",
    .title = "Test filter",
    .role = BLK_ROLE_FILTER,
    .state_size = sizeof(Fault),
    .options = options,
    .slots = slots,
    .open = fault_open,
    .close = fault_close,
    .read = fault_read,
    .write = fault_write,
    .write_zeroes = fault_write_zeroes,
    .discard = fault_discard,
    .flush = fault_flush,
    .truncate = fault_truncate,
    .refresh_limits = fault_refresh_limits,
};

Fault *
block_test_fault(BlkNode *node)
{
    while (node->driver != &fault_driver) {
        g_assert_nonnull(node->file);
        node = node->file->node;
    }
    return node->state;
}

/* ---- requests through a drive ---- */

void
block_test_done(void *opaque, int ret)
{
    Pending *pending = opaque;

    g_assert_false(pending->ended);
    pending->ended = true;
    pending->ret = ret;
}

int
block_test_wait(BlockTest *test, Pending *pending)
{
    while (!pending->ended) {
        blk_graph_poll(test->graph, -1);
    }
    return pending->ret;
}

int
block_test_drive_read(BlockTest *test, VitDrive *drive, uint64_t offset, void *buf, size_t len)
{
    struct iovec iov = { .iov_base = buf, .iov_len = len };
    Pending pending = { 0 };

    drive->ops->read(drive, offset, &iov, 1, block_test_done, &pending);
    g_assert_false(pending.ended);
    return block_test_wait(test, &pending);
}

int
block_test_drive_write(BlockTest *test, VitDrive *drive, uint64_t offset, const void *buf,
                       size_t len)
{
    struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
    Pending pending = { 0 };

    drive->ops->write(drive, offset, &iov, 1, false, block_test_done, &pending);
    g_assert_false(pending.ended);
    return block_test_wait(test, &pending);
}

int
block_test_drive_flush(BlockTest *test, VitDrive *drive)
{
    Pending pending = { 0 };

    drive->ops->flush(drive, block_test_done, &pending);
    return block_test_wait(test, &pending);
}
