/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The job "commit": images in the middle of a chain are written into the one below them and leave
 * the chain. The image in use is committed by a mirror onto its base instead (blk-mirror.c).
 *
 * Invariant: while it runs the base shows, through the chain, nothing else than before: a range is
 * changed only where an image above has it. Thread: see blk-task.h. */

#include "blk-commit.h"

#include "blk-copy.h"
#include "blk-graph-private.h"
#include "blk-jobs.h"
#include "blk-status.h"

#include <errno.h>

typedef struct Commit {
    BlkTask task;
    BlkNode *above;      /* the image whose backing TOP is; a reference */
    BlkNode *top, *base; /* references */
    char *backing_file;
    BlkCopy copy;
    bool base_was_read_only;
} Commit;

/* ---- a base that is written while it is a base ---- */

static void
bear_writing(BlkNode *base, bool bear)
{
    for (unsigned i = 0; i < base->parents->len; i++) {
        BlkChild *edge = g_ptr_array_index(base->parents, i);
        if (edge->parent) {
            edge->bears_all = bear;
        }
    }
    for (unsigned i = 0; i < base->parents->len; i++) {
        BlkChild *edge = g_ptr_array_index(base->parents, i);
        if (edge->parent) {
            blk_node_update_perm(edge->parent, NULL);
        }
    }
}

bool
blk_commit_open_base(BlkNode *base, bool *out_was_read_only, GError **error)
{
    *out_was_read_only = false;
    bear_writing(base, true);
    if (base->read_only) {
        *out_was_read_only = blk_node_set_read_only(base, false, error);
        if (!*out_was_read_only) {
            bear_writing(base, false);
            return false;
        }
    }
    return true;
}

void
blk_commit_close_base(BlkNode *base, bool was_read_only)
{
    if (was_read_only) {
        blk_node_set_read_only(base, true, NULL);
    }
    bear_writing(base, false);
}

/* ---- the job ---- */

/* How far from the current offset on nothing, or something, is to be written. */
static int
commit_step(Commit *commit, uint64_t len, bool *out_is_read, uint64_t *out_len, bool *out_copied)
{
    int64_t done;
    int ret;

    *out_is_read = true;
    ret = blk_find_allocated(commit->top, commit->base, commit->task.offset, len, out_copied,
                             out_len);
    if (ret < 0 || !*out_copied) {
        return ret;
    }
    done = blk_copy_some(&commit->copy, commit->task.offset, *out_len, out_is_read);
    if (done < 0) {
        return (int)done;
    }
    *out_len = (uint64_t)done;
    return 0;
}

static int
commit_all(Commit *commit)
{
    BlkTask *task = &commit->task;

    while (task->offset < task->len) {
        bool is_read, copied = false;
        uint64_t len = 0;
        int ret = commit_step(commit, task->len - task->offset, &is_read, &len, &copied);

        if (ret < 0) {
            BlkOnError action = blk_task_on_error(task, is_read, -ret);
            if (action == BLK_ON_ERROR_REPORT) {
                return ret;
            }
            len = action == BLK_ON_ERROR_STOP ? 0 : MIN(len, BLK_COPY_BYTES);
            copied = false;
        }
        task->offset += len;
        ret = blk_task_account(task, copied ? len : 0);
        if (ret < 0) {
            return ret;
        }
    }
    return blk_flush(commit->copy.target);
}

static int
commit_run(BlkTask *task, GError **error)
{
    Commit *commit = (Commit *)task;
    uint64_t len = blk_node_get_len(commit->top);
    int ret = blk_copy_init(&commit->copy);

    task->len = len;
    if (ret == 0 && len > blk_node_get_len(commit->base) &&
        !blk_truncate(commit->copy.target, len, BLK_PREALLOC_OFF, error)) {
        ret = -EIO;
    }
    ret = ret == 0 ? commit_all(commit) : ret;
    blk_copy_finish(&commit->copy);
    return ret;
}

static bool
commit_finish(BlkTask *task, GError **error)
{
    Commit *commit = (Commit *)task;

    blk_child_detach(g_steal_pointer(&commit->copy.target));
    blk_commit_close_base(commit->base, commit->base_was_read_only);
    return blk_node_record_backing(commit->above, commit->backing_file, commit->base, error) &&
           blk_node_set_backing(commit->above, commit->base, error);
}

static void
commit_cleanup(BlkTask *task)
{
    Commit *commit = (Commit *)task;

    blk_child_detach(commit->copy.source);
    if (commit->copy.target) {
        blk_child_detach(commit->copy.target);
        blk_commit_close_base(commit->base, commit->base_was_read_only);
    }
    blk_node_unref(commit->above);
    blk_node_unref(commit->top);
    blk_node_unref(commit->base);
    g_free(commit->backing_file);
}

static const BlkTaskType commit_type = {
    .name = "commit",
    .size = sizeof(Commit),
    .run = commit_run,
    .finish = commit_finish,
    .cleanup = commit_cleanup,
};

static bool
attach_commit(Commit *commit, GError **error)
{
    commit->copy.source =
        blk_task_attach(&commit->task, commit->top, BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL, error);
    if (!commit->copy.source ||
        !blk_commit_open_base(commit->base, &commit->base_was_read_only, error)) {
        return false;
    }
    commit->copy.target = blk_task_attach(
        &commit->task, commit->base, BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE | BLK_PERM_RESIZE,
        BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED, error);
    if (!commit->copy.target) {
        blk_commit_close_base(commit->base, commit->base_was_read_only);
    }
    return commit->copy.target != NULL;
}

/* ---- at once ---- */

typedef struct NowCall {
    Commit *commit;
    GError **error;
    int ret;
} NowCall;

static void
now_call(void *opaque)
{
    NowCall *call = opaque;
    Commit *commit = call->commit;
    bool is_read, copied;
    uint64_t len;

    call->ret = blk_copy_init(&commit->copy);
    while (call->ret == 0 && commit->task.offset < commit->task.len) {
        call->ret =
            commit_step(commit, commit->task.len - commit->task.offset, &is_read, &len, &copied);
        commit->task.offset += len;
    }
    if (call->ret == 0) {
        call->ret = blk_flush(commit->copy.target);
    }
    if (call->ret == 0 && commit->top->driver->format->make_empty) {
        call->ret = commit->top->driver->format->make_empty(commit->top);
    }
    blk_copy_finish(&commit->copy);
}

static bool
grow_base(Commit *commit, GError **error)
{
    if (commit->task.len > blk_node_get_len(commit->base)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is larger than its backing image '%s': make that larger first.",
                    commit->top->filename, commit->base->filename);
        return false;
    }
    return true;
}

bool
blk_commit_now(BlkNode *node, GError **error)
{
    BlkNode *top = blk_node_skip_filters(node);
    Commit commit = { .task = { .graph = node->graph, .id = (char *)"commit" } };
    NowCall call = { .commit = &commit, .error = error, .ret = -EIO };
    BlkStandstill *still;

    if (!top->backing || !top->driver->format) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "'%s' has no backing image.", top->name);
        return false;
    }
    commit.top = top;
    commit.base = blk_node_skip_filters(top->backing->node);
    commit.task.len = blk_node_get_len(top);
    if (!grow_base(&commit, error)) {
        return false;
    }
    still = blk_graph_stand_still(node->graph);
    if (attach_commit(&commit, error)) {
        blk_context_run(node->graph->context, now_call, &call);
        blk_child_detach(commit.copy.target);
        blk_commit_close_base(commit.base, commit.base_was_read_only);
        if (call.ret < 0) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be committed: %s.",
                        top->filename, g_strerror(-call.ret));
        }
    }
    blk_child_detach(commit.copy.source);
    blk_graph_go_on(still);
    return call.ret == 0;
}

/* The image of the chain of ROOT that has NODE as its backing image. */
static BlkNode *
find_above(BlkNode *root, BlkNode *node)
{
    for (BlkNode *at = root; at; at = blk_node_below(at)) {
        if (at->backing && blk_node_skip_filters(at->backing->node) == node) {
            return at;
        }
    }
    return NULL;
}

BlkTask *
blk_commit_start(BlkGraph *graph, BlkNode *root, BlkNode *top, BlkNode *base,
                 const char *backing_file, const BlkTaskOptions *options, GError **error)
{
    BlkNode *above;
    Commit *commit;

    root = blk_node_skip_filters(root);
    top = blk_node_skip_filters(top);
    if (top == root) {
        return blk_commit_start_active(graph, top, base, options, error);
    }
    above = find_above(root, top);
    if (!above) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is not in the chain of images below '%s'.", top->name, root->name);
        return NULL;
    }
    commit = blk_task_new(graph, &commit_type, options, error);
    if (!commit) {
        return NULL;
    }
    commit->above = blk_node_ref(above);
    commit->top = blk_node_ref(top);
    commit->base = blk_node_ref(base);
    commit->backing_file = g_strdup(backing_file);
    if (!attach_commit(commit, error)) {
        blk_task_drop(&commit->task);
        return NULL;
    }
    if (!options->hold) {
        blk_task_start(&commit->task);
    }
    return &commit->task;
}
