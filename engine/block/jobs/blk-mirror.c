/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The jobs "mirror" and active "commit": a target follows the source until somebody completes the
 * job, and then takes its place.
 *
 * A dirty bitmap on the source says what the target has not yet: everything to be copied at first,
 * and every write from then on. A range is taken off the bitmap before it is read, and writes put
 * it back on after they ended, so no write is missed. At the end everything stands still while the
 * last ranges are copied. With write_blocking a write of the guest is also carried over before it
 * ends, so that the bitmap only shrinks.
 *
 * Thread: see blk-task.h. */

#include "blk-commit.h"
#include "blk-copy.h"
#include "blk-graph-private.h"
#include "blk-jobs.h"
#include "blk-status.h"

#include <errno.h>

typedef struct Mirror {
    BlkTask task;
    BlkMirrorOptions options;
    BlkNode *source, *target; /* references */
    BlkNode *replaces;        /* a reference, or NULL */
    BlkNode *new_backing;     /* a reference, or NULL */
    BlkBitmap *dirty;         /* on the source */
    BlkCopy copy;
    BlkRangeSet copying;
    BlkWriteHook hook;
    bool is_commit, base_was_read_only;
    uint64_t copied_bytes;
} Mirror;

/* ---- copying ---- */

/* Copies the first dirty run from OFFSET on, in part; 0 bytes when there is none. */
static int64_t
copy_dirty(Mirror *mirror, BlkCopy *copy, uint64_t from, bool *out_is_read)
{
    uint64_t offset, len;
    BlkRange range;
    int64_t done;

    if (!blk_bitmap_next_run(mirror->dirty, from, &offset, &len) &&
        !blk_bitmap_next_run(mirror->dirty, 0, &offset, &len)) {
        return 0;
    }
    /* Whole granules, but for the end of the disk. */
    len += offset % mirror->dirty->granularity_bytes;
    offset = blk_round_down(offset, mirror->dirty->granularity_bytes);
    len = MIN(len, MAX(BLK_COPY_BYTES, mirror->dirty->granularity_bytes));
    blk_range_acquire(mirror->task.graph->context, &mirror->copying, &range, offset, offset + len,
                      true);
    blk_bitmap_clear(mirror->dirty, offset, len);
    for (uint64_t at = 0; at < len; at += (uint64_t)done) {
        done = blk_copy_some(copy, offset + at, len - at, out_is_read);
        if (done < 0) {
            blk_bitmap_set(mirror->dirty, offset, len);
            break;
        }
    }
    blk_range_release(mirror->task.graph->context, &mirror->copying, &range);
    return done < 0 ? done : (int64_t)len;
}

static void
update_progress(Mirror *mirror)
{
    uint64_t left = mirror->dirty->dirty_count * mirror->dirty->granularity_bytes;

    mirror->task.offset = mirror->copied_bytes;
    mirror->task.len = mirror->copied_bytes + MIN(left, mirror->dirty->len_bytes);
}

/* ---- what is to be copied at first ---- */

static int
mark_initial(Mirror *mirror)
{
    uint64_t len = blk_node_get_len(mirror->source), run;
    BlkNode *below = mirror->source->backing ? mirror->source->backing->node : NULL;
    BlkNode *base = mirror->is_commit ? mirror->target : below;

    if (mirror->options.sync == BLK_SYNC_FULL) {
        blk_bitmap_set(mirror->dirty, 0, len);
    } else if (mirror->options.sync == BLK_SYNC_BITMAP) {
        blk_bitmap_merge(mirror->dirty, mirror->options.bitmap);
    }
    for (uint64_t at = 0; mirror->options.sync == BLK_SYNC_TOP && at < len; at += run) {
        bool allocated;
        int ret = blk_find_allocated(mirror->source, base, at, len - at, &allocated, &run);
        ret = ret == 0 ? blk_task_pause_point(&mirror->task) : ret;
        if (ret < 0) {
            return ret;
        }
        if (allocated) {
            blk_bitmap_set(mirror->dirty, at, run);
        }
    }
    return 0;
}

/* ---- the guest's writes ---- */

static void
after_write(void *opaque, uint64_t offset, uint64_t len, int ret)
{
    Mirror *mirror = opaque;
    BlkCopy copy = mirror->copy;
    bool is_read;

    /* A buffer of its own: the job may be using the other. */
    if (mirror->options.write_blocking && ret == 0 && mirror->copy.buf &&
        blk_copy_init(&copy) == 0) {
        copy_dirty(mirror, &copy, blk_round_down(offset, mirror->dirty->granularity_bytes),
                   &is_read);
        blk_copy_finish(&copy);
    }
    blk_task_kick(&mirror->task);
}

/* ---- the job ---- */

/* All is copied: says so, and waits for more or for the end. True when the job is to end. */
static bool
rest_in_step(Mirror *mirror, int *out_ret)
{
    BlkTask *task = &mirror->task;

    *out_ret = blk_flush(mirror->copy.target);
    if (*out_ret < 0) {
        BlkOnError action = blk_task_on_error(task, false, -*out_ret);
        if (action != BLK_ON_ERROR_IGNORE) {
            return action == BLK_ON_ERROR_REPORT; /* stop: flushed again when resumed */
        }
        *out_ret = 0;
    }
    if (mirror->dirty->dirty_count == 0) {
        blk_task_become_ready(task);
    }
    if (task->cancelled && task->forced) {
        return false; /* at once: the next pause point says so */
    }
    if (task->is_ready && (task->complete_requested || task->cancelled)) {
        return true;
    }
    if (mirror->dirty->dirty_count == 0) {
        blk_task_rest(task);
    }
    return false;
}

static int
mirror_loop(Mirror *mirror)
{
    BlkTask *task = &mirror->task;
    uint64_t at = 0;

    for (;;) {
        bool is_read = false;
        int ret = blk_task_pause_point(task);
        int64_t done = ret < 0 ? ret : copy_dirty(mirror, &mirror->copy, at, &is_read);

        if (ret < 0) {
            return ret;
        }
        if (done == 0 && rest_in_step(mirror, &ret)) {
            return ret;
        }
        if (done < 0 && blk_task_on_error(task, is_read, (int)-done) == BLK_ON_ERROR_REPORT) {
            return (int)done;
        }
        if (done > 0) {
            mirror->copied_bytes += (uint64_t)done;
            at = (at + (uint64_t)done) % MAX(mirror->dirty->len_bytes, 1);
        }
        update_progress(mirror);
        ret = done > 0 ? blk_task_account(task, (uint64_t)done) : 0;
        if (ret < 0) {
            return ret;
        }
    }
}

static int
mirror_run(BlkTask *task, GError **error)
{
    Mirror *mirror = (Mirror *)task;
    uint64_t len = blk_node_get_len(mirror->source);
    int ret = blk_copy_init(&mirror->copy);

    if (ret == 0 && blk_node_get_len(mirror->target) < len &&
        !blk_truncate(mirror->copy.target, len, BLK_PREALLOC_OFF, error)) {
        ret = -EIO;
    }
    ret = ret == 0 ? mark_initial(mirror) : ret;
    if (ret == 0) {
        update_progress(mirror);
        ret = mirror_loop(mirror);
    }
    return ret;
}

typedef struct LastCall {
    Mirror *mirror;
    int64_t ret;
} LastCall;

static void
last_call(void *opaque)
{
    LastCall *call = opaque;
    bool is_read;

    do {
        call->ret = copy_dirty(call->mirror, &call->mirror->copy, 0, &is_read);
        call->mirror->copied_bytes += (uint64_t)MAX(call->ret, 0);
    } while (call->ret > 0);
    if (call->ret == 0) {
        call->ret = blk_flush(call->mirror->copy.target);
    }
    update_progress(call->mirror);
}

static bool
take_place(Mirror *mirror, GError **error)
{
    BlkNode *from = mirror->replaces ? mirror->replaces : mirror->source;

    if (mirror->new_backing && !blk_node_set_backing(mirror->target, mirror->new_backing, error)) {
        return false;
    }
    blk_child_detach(g_steal_pointer(&mirror->copy.target));
    blk_child_detach(g_steal_pointer(&mirror->copy.source));
    if (mirror->is_commit) {
        /* It was opened for writing, and stays so as the image in use. */
        mirror->base_was_read_only = false;
    }
    return blk_node_replace(from, mirror->target, NULL, error);
}

static bool
mirror_finish(BlkTask *task, GError **error)
{
    Mirror *mirror = (Mirror *)task;
    LastCall call = { .mirror = mirror };

    blk_context_run(task->graph->context, last_call, &call);
    if (call.ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "%s", g_strerror((int)-call.ret));
        return false;
    }
    return !task->complete_requested || take_place(mirror, error);
}

static void
mirror_cleanup(BlkTask *task)
{
    Mirror *mirror = (Mirror *)task;

    blk_node_remove_hook(mirror->source, &mirror->hook);
    blk_child_detach(mirror->copy.source);
    blk_child_detach(mirror->copy.target);
    if (mirror->is_commit) {
        blk_commit_close_base(mirror->target, mirror->base_was_read_only);
    }
    if (mirror->dirty) {
        blk_bitmap_free(mirror->source, mirror->dirty);
    }
    blk_copy_finish(&mirror->copy);
    blk_node_unref(mirror->source);
    blk_node_unref(mirror->target);
    blk_node_unref(mirror->replaces);
    blk_node_unref(mirror->new_backing);
}

static const BlkTaskType mirror_type = {
    .name = "mirror",
    .size = sizeof(Mirror),
    .run = mirror_run,
    .finish = mirror_finish,
    .cleanup = mirror_cleanup,
};

static const BlkTaskType active_commit_type = {
    .name = "commit",
    .size = sizeof(Mirror),
    .run = mirror_run,
    .finish = mirror_finish,
    .cleanup = mirror_cleanup,
};

static bool
attach_mirror(Mirror *mirror, GError **error)
{
    uint64_t granularity = mirror->options.granularity;

    mirror->dirty = blk_bitmap_new(mirror->source, NULL, granularity, error);
    if (!mirror->dirty) {
        return false;
    }
    mirror->hook = (BlkWriteHook){ .after = after_write, .opaque = mirror };
    blk_node_add_hook(mirror->source, &mirror->hook);
    mirror->copy.unmap = mirror->options.unmap;
    mirror->copy.source = blk_task_attach(&mirror->task, mirror->source, BLK_PERM_CONSISTENT_READ,
                                          BLK_PERM_ALL, error);
    if (!mirror->copy.source ||
        (mirror->is_commit &&
         !blk_commit_open_base(mirror->target, &mirror->base_was_read_only, error))) {
        return false;
    }
    mirror->copy.target = blk_task_attach(
        &mirror->task, mirror->target, BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE | BLK_PERM_RESIZE,
        BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED, error);
    return mirror->copy.target != NULL;
}

static BlkTask *
start_mirror(BlkGraph *graph, const BlkTaskType *type, BlkNode *source, BlkNode *target,
             const BlkMirrorOptions *given, const BlkTaskOptions *options, GError **error)
{
    Mirror *mirror = blk_task_new(graph, type, options, error);

    if (!mirror) {
        return NULL;
    }
    mirror->is_commit = type == &active_commit_type;
    mirror->options = *given;
    mirror->source = blk_node_ref(blk_node_skip_filters(source));
    mirror->target = blk_node_ref(target);
    mirror->replaces = given->replaces ? blk_node_ref(given->replaces) : NULL;
    mirror->new_backing = given->new_backing ? blk_node_ref(given->new_backing) : NULL;
    if (!attach_mirror(mirror, error)) {
        blk_task_drop(&mirror->task);
        return NULL;
    }
    if (!options->hold) {
        blk_task_start(&mirror->task);
    }
    return &mirror->task;
}

BlkTask *
blk_mirror_start(BlkGraph *graph, BlkNode *source, BlkNode *target, const BlkMirrorOptions *mirror,
                 const BlkTaskOptions *options, GError **error)
{
    if (blk_node_skip_filters(source) == blk_node_skip_filters(target)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "Can't mirror node into itself");
        return NULL;
    }
    return start_mirror(graph, &mirror_type, source, target, mirror, options, error);
}

BlkTask *
blk_commit_start_active(BlkGraph *graph, BlkNode *top, BlkNode *base, const BlkTaskOptions *options,
                        GError **error)
{
    const BlkMirrorOptions mirror = { .sync = BLK_SYNC_TOP, .unmap = true };

    return start_mirror(graph, &active_commit_type, top, base, &mirror, options, error);
}
