/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Jobs on chains of images while a guest writes: what it reads never changes by a job, the result
 * stands in the files, a cancelled or failed job leaves the graph as it was. */

#include "block-test.h"

#include "jobs/blk-jobs.h"
#include "vit-error.h"

#include <errno.h>
#include <string.h>

enum { LEN = 2 << 20, GRANULE = 4096 };

typedef struct Chain {
    BlkDriveEvents events;
    BlockTest test;
    VitDrive *drive;
    BlkNode *top; /* when it was opened */
    uint8_t *bytes;
    GString *log;
} Chain;

static void
note_event(void *opaque, const char *name, const char *data)
{
    Chain *chain = opaque;

    g_test_message("%s %s", name, data);
    if (!g_str_has_prefix(name, "JOB_")) {
        g_string_append_printf(chain->log, "%s ", name);
    }
}

static void
make_cow(Chain *chain, const char *name, const char *backing)
{
    g_autofree char *path = block_test_path(&chain->test, name);
    g_autofree char *text = g_strdup_printf("size=%d%s%s", LEN, backing ? ",backing_file=" : "",
                                            backing ? backing : "");
    g_autoptr(BlkOptions) options = block_test_options(text);

    g_assert_true(blk_create(chain->test.graph, "testcow", path, options, NULL));
}

static BlkNode *
open_named(Chain *chain, const char *name, const char *options)
{
    g_autofree char *path = block_test_path(&chain->test, name);

    return block_test_open(&chain->test, path, options);
}

/* base (raw) <- mid <- top, each with something of its own, and a drive on top. */
static void
set_up(Chain *chain)
{
    g_autoptr(GError) error = NULL;
    const BlkDriveConfig config = { 0 };
    g_autofree uint8_t *data = g_malloc(LEN / 4);

    memset(chain, 0, sizeof(*chain));
    chain->log = g_string_new(NULL);
    block_test_init(&chain->test);
    chain->events = (BlkDriveEvents){ .event = note_event };
    blk_graph_set_events(chain->test.graph, &chain->events, chain);
    g_free(block_test_image(&chain->test, "base", LEN));
    make_cow(chain, "mid", "base");
    make_cow(chain, "top", "mid");
    chain->bytes = g_malloc(LEN);
    for (unsigned i = 0; i < LEN; i++) {
        chain->bytes[i] = block_test_byte(i);
    }
    for (unsigned layer = 0; layer < 2; layer++) {
        g_autoptr(BlkNode) node = open_named(chain, layer ? "top" : "mid", NULL);
        g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
        uint64_t at = layer ? LEN / 8 : LEN / 4;
        memset(data, 0x50 + (int)layer, LEN / 4);
        g_assert_cmpint(blk_image_write(image, at, data, LEN / 4), ==, 0);
        memcpy(chain->bytes + at, data, LEN / 4);
    }
    chain->top = open_named(chain, "top",
                            "node-name=top,backing.node-name=mid,"
                            "backing.backing.node-name=base");
    chain->drive = blk_drive_new(chain->test.graph, "d0", &config, chain->top, &error);
    g_assert_no_error(error);
    blk_node_unref(chain->top);
}

static void
finish(Chain *chain)
{
    blk_graph_cancel_tasks(chain->test.graph);
    blk_drive_free(chain->drive);
    block_test_finish(&chain->test);
    g_free(chain->bytes);
    g_string_free(chain->log, TRUE);
}

static void
check_bytes(Chain *chain)
{
    g_autofree uint8_t *data = g_malloc(LEN);

    g_assert_cmpint(block_test_drive_read(&chain->test, chain->drive, 0, data, LEN), ==, 0);
    g_assert_true(memcmp(data, chain->bytes, LEN) == 0);
}

static void
random_write(Chain *chain)
{
    uint64_t offset = (uint64_t)g_test_rand_int_range(0, LEN / 512 - 64) * 512;
    size_t len = (size_t)g_test_rand_int_range(1, 64) * 512;

    for (size_t i = 0; i < len; i++) {
        chain->bytes[offset + i] = (uint8_t)g_test_rand_int();
    }
    g_assert_cmpint(
        block_test_drive_write(&chain->test, chain->drive, offset, chain->bytes + offset, len), ==,
        0);
}

/* The guest writes while the job runs; until it has gone, or is ready. */
static void
run_with_writes(Chain *chain, const char *id, bool until_ready)
{
    for (unsigned i = 0; i < 100000; i++) {
        BlkTask *task = blk_task_find(chain->test.graph, id);
        if (!task || (until_ready && task->is_ready)) {
            return;
        }
        if (i < 60) {
            random_write(chain);
        }
        blk_graph_poll(chain->test.graph, 10);
    }
    g_assert_not_reached();
}

static BlkNode *
find(Chain *chain, const char *name)
{
    return blk_graph_find_node(chain->test.graph, name);
}

/* What a program that opens NAME afterwards sees. */
static void
check_file(Chain *chain, const char *name, const char *options)
{
    g_autofree uint8_t *data = g_malloc(LEN);
    g_autoptr(BlkNode) node = open_named(chain, name, options);
    g_autoptr(BlkImage) image = blk_image_new(node, false, NULL);

    g_assert_nonnull(image);
    g_assert_cmpint(blk_image_read(image, 0, data, LEN), ==, 0);
    g_assert_true(memcmp(data, chain->bytes, LEN) == 0);
}

static const BlkTaskOptions job = { .id = "j" };

static void
test_stream(void)
{
    for (unsigned variant = 0; variant < 3; variant++) {
        g_autoptr(GError) error = NULL;
        Chain chain;
        BlkNodeInfo info;

        set_up(&chain);
        BlkNode *node = find(&chain, variant == 2 ? "mid" : "top");
        BlkNode *base = variant == 1 ? find(&chain, "base") : NULL;
        g_assert_nonnull(blk_stream_start(chain.test.graph, node, base, NULL, &job, &error));
        g_assert_no_error(error);
        run_with_writes(&chain, "j", false);
        g_assert_cmpstr(chain.log->str, ==, "BLOCK_JOB_COMPLETED ");
        blk_node_get_info(find(&chain, variant == 2 ? "mid" : "top"), &info);
        g_assert_true(info.backing == (variant == 1 ? find(&chain, "base") : NULL));
        g_assert_cmpint(info.backing_file != NULL, ==, variant == 1);
        g_assert_cmpint(find(&chain, "mid") != NULL, ==, variant == 2);
        check_bytes(&chain);
        g_clear_pointer(&chain.drive, blk_drive_free);
        check_file(&chain, "top", NULL);
        finish(&chain);
    }
}

static void
test_commit(void)
{
    g_autoptr(GError) error = NULL;
    Chain chain;
    BlkNodeInfo info;

    set_up(&chain);
    BlkNode *top = find(&chain, "top");
    g_assert_nonnull(blk_commit_start(chain.test.graph, top, find(&chain, "mid"),
                                      find(&chain, "base"), NULL, &job, &error));
    g_assert_no_error(error);
    run_with_writes(&chain, "j", false);
    g_assert_cmpstr(chain.log->str, ==, "BLOCK_JOB_COMPLETED ");
    blk_node_get_info(top, &info);
    g_assert_true(info.backing == find(&chain, "base"));
    g_assert_null(find(&chain, "mid"));
    blk_node_get_info(info.backing, &info);
    g_assert_true(info.read_only);
    check_bytes(&chain);
    g_clear_pointer(&chain.drive, blk_drive_free);
    check_file(&chain, "top", NULL);
    finish(&chain);
}

static void
test_active_commit(void)
{
    g_autoptr(GError) error = NULL;
    Chain chain;

    set_up(&chain);
    BlkNode *top = find(&chain, "top");
    BlkTask *task =
        blk_commit_start(chain.test.graph, top, top, find(&chain, "base"), NULL, &job, &error);
    g_assert_no_error(error);
    run_with_writes(&chain, "j", true);
    random_write(&chain);
    g_assert_true(blk_task_complete(task, &error));
    run_with_writes(&chain, "j", false);
    g_assert_cmpstr(chain.log->str, ==, "BLOCK_JOB_READY BLOCK_JOB_COMPLETED ");
    g_assert_true(blk_drive_get_node(chain.drive) == find(&chain, "base"));
    g_assert_null(find(&chain, "top"));
    random_write(&chain);
    check_bytes(&chain);
    g_clear_pointer(&chain.drive, blk_drive_free);
    check_file(&chain, "base", "driver=raw");
    finish(&chain);
}

static void
test_mirror(void)
{
    for (unsigned variant = 0; variant < 4; variant++) {
        BlkMirrorOptions mirror = { .sync = variant == 1 ? BLK_SYNC_TOP : BLK_SYNC_FULL,
                                    .write_blocking = variant == 3 };
        g_autoptr(GError) error = NULL;
        Chain chain;

        set_up(&chain);
        make_cow(&chain, "copy", variant == 1 ? "mid" : NULL);
        g_autoptr(BlkNode) target = open_named(&chain, "copy", "node-name=copy,backing=");
        mirror.new_backing = variant == 1 ? find(&chain, "mid") : NULL;
        BlkTask *task =
            blk_mirror_start(chain.test.graph, find(&chain, "top"), target, &mirror, &job, &error);
        g_assert_no_error(error);
        g_clear_pointer(&target, blk_node_unref);
        run_with_writes(&chain, "j", true);
        random_write(&chain);
        if (variant == 2) {
            blk_task_cancel(task, false); /* a copy is left, nothing is put in place */
        } else {
            g_assert_true(blk_task_complete(task, &error));
        }
        run_with_writes(&chain, "j", false);
        g_assert_cmpstr(chain.log->str, ==, "BLOCK_JOB_READY BLOCK_JOB_COMPLETED ");
        g_assert_true(blk_drive_get_node(chain.drive) ==
                      find(&chain, variant == 2 ? "top" : "copy"));
        check_bytes(&chain);
        g_clear_pointer(&chain.drive, blk_drive_free);
        check_file(&chain, "copy", NULL);
        finish(&chain);
    }
}

/* A backup holds what was there when it began. */
static void
test_backup(void)
{
    for (unsigned variant = 0; variant < 2; variant++) {
        BlkBackupOptions backup = { .sync = variant ? BLK_SYNC_TOP : BLK_SYNC_FULL };
        g_autoptr(GError) error = NULL;
        Chain chain;

        set_up(&chain);
        make_cow(&chain, "copy", variant ? "mid" : NULL);
        g_autofree uint8_t *old = g_memdup2(chain.bytes, LEN);
        g_autoptr(BlkNode) target = open_named(&chain, "copy", "backing=");
        g_assert_nonnull(
            blk_backup_start(chain.test.graph, find(&chain, "top"), target, &backup, &job, &error));
        g_assert_no_error(error);
        g_clear_pointer(&target, blk_node_unref);
        run_with_writes(&chain, "j", false);
        g_assert_cmpstr(chain.log->str, ==, "BLOCK_JOB_COMPLETED ");
        random_write(&chain);
        check_bytes(&chain);
        g_clear_pointer(&chain.drive, blk_drive_free);
        check_file(&chain, "top", NULL);
        memcpy(chain.bytes, old, LEN);
        check_file(&chain, "copy", NULL);
        finish(&chain);
    }
}

/* Full, then what was written since, into the same file: it holds the newer state. */
static void
test_incremental(void)
{
    BlkBackupOptions full = { .sync = BLK_SYNC_FULL };
    g_autoptr(GError) error = NULL;
    Chain chain;

    set_up(&chain);
    make_cow(&chain, "copy", NULL);
    BlkNode *top = find(&chain, "top");
    BlkBitmap *bitmap = blk_bitmap_new(top, "b", 0, &error);
    BlkBackupOptions changes = { .sync = BLK_SYNC_BITMAP, .bitmap = bitmap };
    g_autoptr(BlkNode) target = open_named(&chain, "copy", NULL);
    g_assert_nonnull(blk_backup_start(chain.test.graph, top, target, &full, &job, &error));
    run_with_writes(&chain, "j", false);
    uint64_t dirty = bitmap->dirty_count;
    g_assert_cmpuint(dirty, >, 0);
    g_autofree uint8_t *old = g_memdup2(chain.bytes, LEN);
    g_assert_nonnull(blk_backup_start(chain.test.graph, top, target, &changes, &job, &error));
    g_assert_cmpuint(bitmap->busy, ==, 1);
    run_with_writes(&chain, "j", false);
    g_assert_cmpuint(bitmap->busy, ==, 0);
    g_clear_pointer(&target, blk_node_unref);
    memcpy(chain.bytes, old, LEN);
    check_file(&chain, "copy", NULL);
    finish(&chain);
}

/* After a failure the bitmap says again all that it said. */
static void
test_failed_backup(void)
{
    g_autoptr(GError) error = NULL;
    Chain chain;

    set_up(&chain);
    make_cow(&chain, "copy", NULL);
    BlkNode *top = find(&chain, "top");
    BlkBitmap *bitmap = blk_bitmap_new(top, "b", 4096, &error);
    BlkBackupOptions changes = { .sync = BLK_SYNC_BITMAP, .bitmap = bitmap };
    for (unsigned i = 0; i < 20; i++) {
        random_write(&chain);
    }
    uint64_t dirty = bitmap->dirty_count;
    g_autofree char *path = block_test_path(&chain.test, "copy");
    g_autofree char *text =
        g_strdup_printf("driver=fault,file.driver=testcow,file.file.driver=file,file.file.filename="
                        "%s",
                        path);
    g_autoptr(BlkNode) target = block_test_open(&chain.test, NULL, text);
    block_test_fault(target)->fail_write = ENOSPC;
    block_test_fault(target)->pass_count = 3;
    g_assert_nonnull(blk_backup_start(chain.test.graph, top, target, &changes, &job, &error));
    for (unsigned i = 0; blk_task_find(chain.test.graph, "j"); i++) {
        g_assert_cmpuint(i, <, 10000);
        blk_graph_poll(chain.test.graph, 10);
    }
    g_assert_cmpstr(chain.log->str, ==, "BLOCK_JOB_ERROR BLOCK_JOB_COMPLETED ");
    g_assert_cmpuint(bitmap->dirty_count, ==, dirty);
    check_bytes(&chain);
    g_clear_pointer(&target, blk_node_unref);
    finish(&chain);
}

/* Stopped by an error, it waits, and goes on when told. */
static void
test_stop_on_error(void)
{
    const BlkTaskOptions options = { .id = "j", .on_target_error = BLK_ON_ERROR_ENOSPC };
    const BlkMirrorOptions mirror = { .sync = BLK_SYNC_FULL };
    g_autoptr(GError) error = NULL;
    Chain chain;

    set_up(&chain);
    make_cow(&chain, "copy", NULL);
    g_autofree char *path = block_test_path(&chain.test, "copy");
    g_autofree char *text =
        g_strdup_printf("driver=fault,file.driver=testcow,file.file.driver=file,file.file.filename="
                        "%s",
                        path);
    g_autoptr(BlkNode) target = block_test_open(&chain.test, NULL, text);
    Fault *fault = block_test_fault(target);
    fault->fail_write = ENOSPC;
    BlkTask *task =
        blk_mirror_start(chain.test.graph, find(&chain, "top"), target, &mirror, &options, &error);
    g_assert_no_error(error);
    while (task->status != BLK_TASK_PAUSED) {
        blk_graph_poll(chain.test.graph, 10);
    }
    g_assert_true(task->io_nospace);
    fault->fail_write = 0;
    g_assert_true(blk_task_resume(task, &error));
    run_with_writes(&chain, "j", true);
    blk_task_cancel(task, true);
    run_with_writes(&chain, "j", false);
    g_assert_cmpstr(chain.log->str, ==, "BLOCK_JOB_ERROR BLOCK_JOB_READY BLOCK_JOB_CANCELLED ");
    g_assert_true(blk_drive_get_node(chain.drive) == find(&chain, "top"));
    check_bytes(&chain);
    g_clear_pointer(&target, blk_node_unref);
    finish(&chain);
}

static void
test_life(void)
{
    const BlkTaskOptions slow = {
        .id = "j", .speed = 512 * 1024, .manual_finalize = true, .manual_dismiss = true
    };
    g_autoptr(GError) error = NULL;
    Chain chain;

    set_up(&chain);
    BlkTask *task =
        blk_stream_start(chain.test.graph, find(&chain, "top"), NULL, NULL, &slow, &error);
    g_assert_null(
        blk_stream_start(chain.test.graph, find(&chain, "top"), NULL, NULL, &slow, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_clear_error(&error);
    blk_graph_poll(chain.test.graph, 10);
    g_assert_true(blk_task_pause(task, &error));
    for (unsigned i = 0; task->status != BLK_TASK_PAUSED; i++) {
        g_assert_cmpuint(i, <, 1000);
        blk_graph_poll(chain.test.graph, 10);
    }
    uint64_t offset = task->offset;
    g_assert_cmpuint(offset, <, LEN);
    for (unsigned i = 0; i < 5; i++) {
        random_write(&chain);
    }
    g_assert_cmpuint(task->offset, ==, offset);
    g_assert_false(blk_task_finalize(task, NULL));
    g_assert_false(blk_task_dismiss(task, NULL));
    g_assert_true(blk_task_set_speed(task, 0, &error));
    g_assert_true(blk_task_resume(task, &error));
    for (unsigned i = 0; task->status != BLK_TASK_PENDING; i++) {
        g_assert_cmpuint(i, <, 1000);
        blk_graph_poll(chain.test.graph, 10);
    }
    g_assert_nonnull(find(&chain, "mid"));
    g_assert_true(blk_task_finalize(task, &error));
    for (unsigned i = 0; task->status != BLK_TASK_CONCLUDED; i++) {
        g_assert_cmpuint(i, <, 1000);
        blk_graph_poll(chain.test.graph, 10);
    }
    g_assert_null(find(&chain, "mid"));
    g_assert_true(blk_task_dismiss(task, &error));
    g_assert_null(blk_task_find(chain.test.graph, "j"));
    g_assert_cmpstr(chain.log->str, ==, "BLOCK_JOB_PENDING BLOCK_JOB_COMPLETED ");
    check_bytes(&chain);
    finish(&chain);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/jobs/stream", test_stream);
    g_test_add_func("/block/jobs/commit", test_commit);
    g_test_add_func("/block/jobs/active-commit", test_active_commit);
    g_test_add_func("/block/jobs/mirror", test_mirror);
    g_test_add_func("/block/jobs/backup", test_backup);
    g_test_add_func("/block/jobs/incremental", test_incremental);
    g_test_add_func("/block/jobs/failed-backup", test_failed_backup);
    g_test_add_func("/block/jobs/stop-on-error", test_stop_on_error);
    g_test_add_func("/block/jobs/life", test_life);
    return g_test_run();
}
