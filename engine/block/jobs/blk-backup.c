/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The job "backup": the target gets what the source held when the job was made. Before the guest
 * changes a range that is not copied yet, that range is copied.
 *
 * A bitmap that says what to copy (incremental backup) goes on recording: its bits are taken over
 * and cleared when the job is made; after a failure those not copied come back.
 * When the copy before a write of the guest fails, the backup fails and the guest goes on.
 *
 * Invariant: a granule's bit in `todo` is cleared only with its range held exclusively, after it is
 * in the target. Thread: see blk-task.h. */

#include "blk-copy.h"
#include "blk-graph-private.h"
#include "blk-jobs.h"
#include "blk-status.h"

typedef struct Backup {
    BlkTask task;
    BlkBackupOptions options;
    BlkNode *source, *target; /* references */
    BlkBitmap *todo;          /* on the source, not recording */
    BlkBitmap *taken;         /* the same: what the user's bitmap said */
    BlkCopy copy;
    BlkRangeSet copying;
    BlkWriteHook hook;
    int hook_error;
} Backup;

/* Copies what is still to be copied of [offset, end), whole granules. */
static int
copy_range(Backup *backup, BlkCopy *copy, uint64_t offset, uint64_t end, bool *out_is_read,
           uint64_t *out_copied)
{
    uint64_t run, len;
    BlkRange range;
    int64_t done = 0;

    blk_range_acquire(backup->task.graph->context, &backup->copying, &range, offset, end, true);
    while (blk_bitmap_next_run(backup->todo, offset, &run, &len) && run < end) {
        len = MIN(MIN(len, end - run), MAX(BLK_COPY_BYTES, backup->todo->granularity_bytes));
        for (uint64_t at = 0; at < len; at += (uint64_t)done) {
            done = blk_copy_some(copy, run + at, len - at, out_is_read);
            if (done < 0) {
                goto out;
            }
        }
        blk_bitmap_clear(backup->todo, run, len);
        *out_copied += len;
        offset = run + len;
    }
out:
    blk_range_release(backup->task.graph->context, &backup->copying, &range);
    return done < 0 ? (int)done : 0;
}

/* In the guest's request: it has a buffer of its own, the job may be using the other. */
static int
before_write(void *opaque, uint64_t offset, uint64_t len)
{
    Backup *backup = opaque;
    uint64_t granularity = backup->todo->granularity_bytes, copied = 0;
    uint64_t start = blk_round_down(offset, granularity);
    uint64_t end = MIN(blk_round_up(offset + len, granularity), backup->todo->len_bytes);
    BlkCopy copy = backup->copy;
    uint64_t run, run_len;
    bool is_read;
    int ret;

    if (backup->hook_error || !blk_bitmap_next_run(backup->todo, start, &run, &run_len) ||
        run >= end) {
        return 0;
    }
    ret = blk_copy_init(&copy);
    if (ret == 0) {
        ret = copy_range(backup, &copy, start, end, &is_read, &copied);
        blk_copy_finish(&copy);
    }
    backup->task.offset += copied;
    if (ret < 0) {
        backup->hook_error = ret;
        blk_task_kick(&backup->task);
    }
    return 0;
}

/* ---- the job ---- */

static int
mark_top(Backup *backup)
{
    BlkNode *below = backup->source->backing ? backup->source->backing->node : NULL;
    uint64_t len = blk_node_get_len(backup->source), run;

    for (uint64_t at = 0; at < len; at += run) {
        bool allocated;
        int ret = blk_find_allocated(backup->source, below, at, len - at, &allocated, &run);
        if (ret < 0) {
            return ret;
        }
        if (allocated) {
            blk_bitmap_set(backup->todo, at, run);
        }
    }
    return 0;
}

static int
copy_all(Backup *backup)
{
    BlkTask *task = &backup->task;
    uint64_t offset = 0, len;

    while (blk_bitmap_next_run(backup->todo, 0, &offset, &len)) {
        uint64_t step = MIN(len, MAX(BLK_COPY_BYTES, backup->todo->granularity_bytes));
        uint64_t start = blk_round_down(offset, backup->todo->granularity_bytes), copied = 0;
        bool is_read = false;
        int ret = backup->hook_error;

        if (ret == 0) {
            ret = copy_range(backup, &backup->copy, start, offset + step, &is_read, &copied);
            if (ret < 0 && blk_task_on_error(task, is_read, -ret) != BLK_ON_ERROR_REPORT) {
                ret = 0;
            }
        }
        task->offset += copied;
        ret = ret == 0 ? blk_task_account(task, copied) : ret;
        if (ret < 0) {
            return ret;
        }
    }
    return backup->hook_error;
}

static int
backup_run(BlkTask *task, GError **error)
{
    Backup *backup = (Backup *)task;
    int ret = blk_copy_init(&backup->copy);

    if (ret < 0) {
        return ret;
    }
    task->len = backup->options.sync == BLK_SYNC_BITMAP || backup->options.sync == BLK_SYNC_TOP
                    ? backup->todo->dirty_count * backup->todo->granularity_bytes
                    : backup->todo->len_bytes;
    if (backup->options.sync == BLK_SYNC_NONE) {
        while (ret == 0 && backup->hook_error == 0) {
            blk_task_rest(task);
            ret = blk_task_pause_point(task);
        }
        return ret < 0 ? ret : backup->hook_error;
    }
    ret = copy_all(backup);
    return ret == 0 ? blk_flush(backup->copy.target) : ret;
}

/* Gives the user's bitmap back what is not in the target. */
static void
settle_bitmap(Backup *backup)
{
    bool ok = backup->task.ret == 0;

    if (!backup->taken) {
        return;
    }
    if (backup->options.bitmap_mode == BLK_BITMAP_NEVER ||
        (!ok && backup->options.bitmap_mode == BLK_BITMAP_ON_SUCCESS)) {
        blk_bitmap_merge(backup->options.bitmap, backup->taken);
    } else if (!ok) {
        blk_bitmap_merge(backup->options.bitmap, backup->todo);
    }
    backup->options.bitmap->busy--;
    blk_bitmap_free(backup->source, backup->taken);
}

static void
backup_cleanup(BlkTask *task)
{
    Backup *backup = (Backup *)task;

    blk_node_remove_hook(backup->source, &backup->hook);
    blk_child_detach(backup->copy.source);
    blk_child_detach(backup->copy.target);
    settle_bitmap(backup);
    if (backup->todo) {
        blk_bitmap_free(backup->source, backup->todo);
    }
    blk_copy_finish(&backup->copy);
    blk_node_unref(backup->source);
    blk_node_unref(backup->target);
}

static const BlkTaskType backup_type = {
    .name = "backup",
    .size = sizeof(Backup),
    .run = backup_run,
    .cleanup = backup_cleanup,
};

static bool
take_bitmap(Backup *backup, GError **error)
{
    BlkBitmap *given = backup->options.bitmap;

    if (given->busy || given->inconsistent || given->read_only) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "Bitmap '%s' is %s and cannot be used",
                    given->name,
                    given->busy           ? "in use by another operation"
                    : given->inconsistent ? "inconsistent"
                                          : "readonly");
        return false;
    }
    backup->taken = blk_bitmap_new(backup->source, NULL, given->granularity_bytes, error);
    if (!backup->taken) {
        return false;
    }
    backup->taken->enabled = false;
    blk_bitmap_merge(backup->taken, given);
    blk_bitmap_merge(backup->todo, given);
    blk_bitmap_clear_all(given);
    given->busy++;
    return true;
}

typedef struct MarkCall {
    Backup *backup;
    int ret;
} MarkCall;

static void
mark_call(void *opaque)
{
    MarkCall *call = opaque;

    call->ret = mark_top(call->backup);
}

static bool
mark_todo(Backup *backup, GError **error)
{
    MarkCall call = { .backup = backup };

    if (backup->options.sync == BLK_SYNC_BITMAP) {
        return take_bitmap(backup, error);
    }
    if (backup->options.sync != BLK_SYNC_TOP) {
        blk_bitmap_set(backup->todo, 0, backup->todo->len_bytes);
        return true;
    }
    blk_context_run(backup->task.graph->context, mark_call, &call);
    if (call.ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be examined: %s.",
                    backup->source->name, g_strerror(-call.ret));
    }
    return call.ret == 0;
}

static bool
attach_backup(Backup *backup, GError **error)
{
    uint32_t granularity = MAX(blk_bitmap_default_granularity(backup->target), 65536);

    if (blk_node_get_len(backup->source) != blk_node_get_len(backup->target)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Source and target image have different sizes");
        return false;
    }
    backup->copy.unmap = true;
    backup->copy.compress = backup->options.compress;
    backup->copy.source = blk_task_attach(&backup->task, backup->source, BLK_PERM_CONSISTENT_READ,
                                          BLK_PERM_ALL, error);
    if (!backup->copy.source) {
        return false;
    }
    backup->copy.target =
        blk_task_attach(&backup->task, backup->target, BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE,
                        BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED, error);
    backup->todo =
        backup->copy.target ? blk_bitmap_new(backup->source, NULL, granularity, error) : NULL;
    if (!backup->todo) {
        return false;
    }
    backup->todo->enabled = false;
    return mark_todo(backup, error);
}

BlkTask *
blk_backup_start(BlkGraph *graph, BlkNode *source, BlkNode *target, const BlkBackupOptions *given,
                 const BlkTaskOptions *options, GError **error)
{
    Backup *backup;
    BlkStandstill *still;
    bool ok;

    if (source == target) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Source and target cannot be the same");
        return NULL;
    }
    backup = blk_task_new(graph, &backup_type, options, error);
    if (!backup) {
        return NULL;
    }
    backup->options = *given;
    backup->source = blk_node_ref(blk_node_skip_filters(source));
    backup->target = blk_node_ref(target);
    still = blk_graph_stand_still(graph);
    ok = attach_backup(backup, error);
    if (ok) {
        backup->hook = (BlkWriteHook){ .before = before_write, .opaque = backup };
        blk_node_add_hook(backup->source, &backup->hook);
    }
    blk_graph_go_on(still);
    if (!ok) {
        blk_task_drop(&backup->task);
        return NULL;
    }
    if (!options->hold) {
        blk_task_start(&backup->task);
    }
    return &backup->task;
}
