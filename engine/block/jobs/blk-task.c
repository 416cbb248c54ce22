/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The life of a job; see blk-task.h. Names of states and events are those of the machine monitor's
 * published interface (QMP). Thread: the graph's lock held. */

#include "blk-task.h"

#include "blk-graph-private.h"
#include "blk-task-group.h"

#include <errno.h>
#include <string.h>

#define SLICE_US INT64_C(100000)

static const char *const status_names[] = {
    [BLK_TASK_CREATED] = "created",     [BLK_TASK_RUNNING] = "running",
    [BLK_TASK_PAUSED] = "paused",       [BLK_TASK_READY] = "ready",
    [BLK_TASK_STANDBY] = "standby",     [BLK_TASK_WAITING] = "waiting",
    [BLK_TASK_PENDING] = "pending",     [BLK_TASK_ABORTING] = "aborting",
    [BLK_TASK_CONCLUDED] = "concluded", [BLK_TASK_NULL] = "null",
};

const char *
blk_task_status_name(const BlkTask *task)
{
    return status_names[task->status];
}

/* ---- events ---- */

static void
emit_status(BlkTask *task)
{
    g_autofree char *data = g_strdup_printf("{\"status\": \"%s\", \"id\": \"%s\"}",
                                            status_names[task->status], task->id);

    blk_graph_emit(task->graph, "JOB_STATUS_CHANGE", data);
}

static void
set_status(BlkTask *task, BlkTaskStatus status)
{
    if (task->status != status) {
        task->status = status;
        emit_status(task);
    }
}

static void
emit_progress(BlkTask *task, const char *event)
{
    g_autofree char *reason = task->error ? g_strescape(task->error->message, NULL) : NULL;
    g_autofree char *data = g_strdup_printf(
        "{\"type\": \"%s\", \"device\": \"%s\", \"len\": %" G_GUINT64_FORMAT
        ", \"offset\": %" G_GUINT64_FORMAT ", \"speed\": %" G_GUINT64_FORMAT "%s%s%s}",
        task->type->name, task->id, task->len, task->offset, task->speed,
        reason ? ", \"error\": \"" : "", reason ? reason : "", reason ? "\"" : "");

    blk_graph_emit(task->graph, event, data);
}

static void
emit_pending(BlkTask *task)
{
    g_autofree char *data =
        g_strdup_printf("{\"type\": \"%s\", \"id\": \"%s\"}", task->type->name, task->id);

    blk_graph_emit(task->graph, "BLOCK_JOB_PENDING", data);
}

/* ---- making and freeing ---- */

BlkTask *
blk_task_find(BlkGraph *graph, const char *id)
{
    for (unsigned i = 0; i < graph->tasks->len; i++) {
        BlkTask *task = g_ptr_array_index(graph->tasks, i);
        if (strcmp(task->id, id) == 0) {
            return task;
        }
    }
    return NULL;
}

GPtrArray *
blk_tasks(BlkGraph *graph)
{
    return graph->tasks;
}

void *
blk_task_new(BlkGraph *graph, const BlkTaskType *type, const BlkTaskOptions *options,
             GError **error)
{
    BlkTask *task;

    if (!options->id || !*options->id) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "An explicit job ID is required: this node has no drive that could give one.");
        return NULL;
    }
    if (blk_task_find(graph, options->id)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY, "Job ID '%s' already in use", options->id);
        return NULL;
    }
    task = g_malloc0(type->size);
    task->type = type;
    task->graph = graph;
    task->id = g_strdup(options->id);
    task->auto_finalize = !options->manual_finalize;
    task->auto_dismiss = !options->manual_dismiss;
    task->speed = options->speed;
    task->on_source_error = options->on_source_error;
    task->on_target_error = options->on_target_error;
    blk_task_group_join(options->group, task);
    g_ptr_array_add(graph->tasks, task);
    emit_status(task);
    return task;
}

static void
free_task(BlkTask *task)
{
    set_status(task, BLK_TASK_NULL);
    g_ptr_array_remove(task->graph->tasks, task);
    blk_task_group_leave(task);
    g_clear_error(&task->error);
    g_free(task->id);
    g_free(task);
}

void
blk_task_drop(BlkTask *task)
{
    BlkStandstill *still;

    g_assert(task->status == BLK_TASK_CREATED);
    task->ret = -ECANCELED;
    still = blk_graph_stand_still(task->graph);
    task->type->cleanup(task);
    blk_graph_go_on(still);
    free_task(task);
}

/* ---- edges ---- */

static const char *
describe_task(void *opaque)
{
    return ((BlkTask *)opaque)->id;
}

static void
drained_begin(void *opaque)
{
    ((BlkTask *)opaque)->pause_count++;
}

static void
drained_end(void *opaque)
{
    BlkTask *task = opaque;

    if (--task->pause_count == 0) {
        blk_task_kick(task);
    }
}

static bool
is_busy(void *opaque)
{
    return ((BlkTask *)opaque)->busy;
}

static const BlkUser task_user = {
    .describe = describe_task,
    .drained_begin = drained_begin,
    .drained_end = drained_end,
    .is_busy = is_busy,
};

BlkChild *
blk_task_attach(BlkTask *task, BlkNode *node, unsigned perm, unsigned shared, GError **error)
{
    BlkChild *child = blk_child_attach(node, &task_user, task, perm, shared, error);

    if (child) {
        blk_node_ref(node);
    }
    return child;
}

/* ---- the end ---- */

static bool
finish_result(BlkTask *task)
{
    g_autoptr(GError) error = NULL;

    if (!task->type->finish || task->type->finish(task, &error)) {
        return true;
    }
    task->ret = -EIO;
    task->error = g_steal_pointer(&error);
    return false;
}

/* Of all jobs of the group before the first takes effect, which may take time. */
static void
settle_result(BlkTask *task)
{
    if (task->ret == 0 && task->group->failed) {
        task->ret = -ECANCELED;
    }
}

static void
take_effect(BlkTask *task)
{
    if (task->ret == 0) {
        finish_result(task);
    }
    if (task->ret < 0 && task->ret != -ECANCELED && !task->error) {
        g_set_error_literal(&task->error, VIT_ERROR, VIT_ERROR_IO, g_strerror(-task->ret));
    }
    task->type->cleanup(task);
}

static void
tell_end(BlkTask *task)
{
    if (task->ret < 0) {
        set_status(task, BLK_TASK_ABORTING);
    }
    emit_progress(task, task->ret == -ECANCELED ? "BLOCK_JOB_CANCELLED" : "BLOCK_JOB_COMPLETED");
    set_status(task, BLK_TASK_CONCLUDED);
    if (task->auto_dismiss) {
        free_task(task);
    }
}

/* Last made, first concluded: the order is visible in the events, and others have it so. */
static void
conclude(void *opaque)
{
    g_autoptr(BlkTaskGroup) group = blk_task_group_ref(opaque);
    BlkTask *first = g_ptr_array_index(group->tasks, 0);
    BlkStandstill *still = blk_graph_stand_still(first->graph);

    for (unsigned i = group->tasks->len; i > 0; i--) {
        settle_result(g_ptr_array_index(group->tasks, i - 1));
    }
    for (unsigned i = group->tasks->len; i > 0; i--) {
        take_effect(g_ptr_array_index(group->tasks, i - 1));
    }
    blk_graph_go_on(still);
    for (unsigned i = group->tasks->len; i > 0; i--) {
        tell_end(g_ptr_array_index(group->tasks, i - 1));
    }
}

static void
become_pending(BlkTaskGroup *group)
{
    bool finalized = true;

    for (unsigned i = group->tasks->len; i > 0; i--) {
        BlkTask *task = g_ptr_array_index(group->tasks, i - 1);
        set_status(task, BLK_TASK_PENDING);
        if (!task->auto_finalize) {
            emit_pending(task);
            finalized = false;
        }
    }
    if (finalized) {
        blk_task_group_finalize(group);
    }
}

static void
wait_for_finalize(BlkTask *task)
{
    set_status(task, BLK_TASK_WAITING);
    if (blk_task_group_is_waiting(task->group)) {
        become_pending(task->group);
    }
    task->busy = false;
    while (!task->group->finalized && !task->cancelled) {
        blk_wait(task->graph->context, &task->kick);
    }
}

static void
task_fiber(void *opaque)
{
    BlkTask *task = opaque;
    BlkTaskGroup *group = task->group;
    g_autoptr(GError) error = NULL;

    task->ret = blk_task_pause_point(task);
    if (task->ret == 0) {
        task->ret = task->type->run(task, &error);
    }
    if (task->ret < 0 && error) {
        task->error = g_steal_pointer(&error);
    }
    if (task->ret == 0) {
        wait_for_finalize(task);
    }
    task->busy = false;
    if (task->ret < 0) {
        set_status(task, BLK_TASK_ABORTING);
        blk_task_group_fail(group);
    }
    if (++group->n_ended == group->tasks->len) {
        group->conclude = (BlkDeferred){ .func = conclude, .opaque = group };
        blk_context_defer(task->graph->context, &group->conclude);
    }
}

void
blk_task_start(BlkTask *task)
{
    g_assert(task->status == BLK_TASK_CREATED);
    set_status(task, BLK_TASK_RUNNING);
    task->busy = true;
    task->slice_us = g_get_monotonic_time();
    blk_context_start(task->graph->context, task_fiber, task);
}

/* ---- pausing ---- */

void
blk_task_kick(BlkTask *task)
{
    blk_wake_all(task->graph->context, &task->kick);
}

static int
end_wanted(const BlkTask *task)
{
    return task->cancelled && (task->forced || !task->is_ready) ? -ECANCELED : 0;
}

int
blk_task_pause_point(BlkTask *task)
{
    while (task->pause_count > 0 || (task->user_paused && !task->cancelled)) {
        if (task->user_paused) {
            set_status(task, task->is_ready ? BLK_TASK_STANDBY : BLK_TASK_PAUSED);
        }
        task->busy = false;
        blk_wait(task->graph->context, &task->kick);
        task->busy = true;
    }
    set_status(task, task->is_ready ? BLK_TASK_READY : BLK_TASK_RUNNING);
    return end_wanted(task);
}

static int
rest_ns(BlkTask *task, int64_t ns)
{
    task->busy = false;
    blk_sleep_ns(task->graph->context, ns);
    task->busy = true;
    return blk_task_pause_point(task);
}

int
blk_task_account(BlkTask *task, uint64_t bytes)
{
    int ret = blk_task_pause_point(task);

    task->slice_bytes += bytes;
    while (ret == 0 && task->speed > 0) {
        int64_t now_us = g_get_monotonic_time();
        double allowed = (double)task->speed * SLICE_US / 1e6;

        if (now_us - task->slice_us >= SLICE_US) {
            double slices = (double)((now_us - task->slice_us) / SLICE_US);
            task->slice_us += (int64_t)slices * SLICE_US;
            task->slice_bytes -= MIN(task->slice_bytes, (uint64_t)(slices * allowed));
        }
        if ((double)task->slice_bytes < allowed) {
            break;
        }
        ret = rest_ns(task, (task->slice_us + SLICE_US - now_us) * 1000);
    }
    return ret;
}

void
blk_task_rest(BlkTask *task)
{
    task->busy = false;
    blk_wait(task->graph->context, &task->kick);
    task->busy = true;
}

void
blk_task_become_ready(BlkTask *task)
{
    if (!task->is_ready) {
        task->is_ready = true;
        set_status(task, BLK_TASK_READY);
        emit_progress(task, "BLOCK_JOB_READY");
    }
}

BlkOnError
blk_task_on_error(BlkTask *task, bool is_read, int err)
{
    BlkOnError policy = is_read ? task->on_source_error : task->on_target_error;
    static const char *const actions[] = { "report", "ignore", "stop" };
    g_autofree char *data = NULL;

    if (policy == BLK_ON_ERROR_ENOSPC) {
        policy = err == ENOSPC ? BLK_ON_ERROR_STOP : BLK_ON_ERROR_REPORT;
    }
    data = g_strdup_printf("{\"device\": \"%s\", \"operation\": \"%s\", \"action\": \"%s\"}",
                           task->id, is_read ? "read" : "write", actions[policy]);
    blk_graph_emit(task->graph, "BLOCK_JOB_ERROR", data);
    if (policy == BLK_ON_ERROR_STOP) {
        task->user_paused = true;
        task->io_failed = true;
        task->io_nospace = err == ENOSPC;
    }
    return policy;
}

/* ---- commands ---- */

static bool
check_status(const BlkTask *task, unsigned allowed, const char *verb, GError **error)
{
    if (allowed >> task->status & 1) {
        return true;
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_STATE,
                "Job '%s' in state '%s' cannot accept command verb '%s'", task->id,
                status_names[task->status], verb);
    return false;
}

enum {
    ALIVE = 1u << BLK_TASK_CREATED | 1u << BLK_TASK_RUNNING | 1u << BLK_TASK_PAUSED |
            1u << BLK_TASK_READY | 1u << BLK_TASK_STANDBY
};

void
blk_task_cancel(BlkTask *task, bool force)
{
    if (task->status >= BLK_TASK_ABORTING) {
        return;
    }
    if (task->status == BLK_TASK_CREATED) {
        blk_task_drop(task);
        return;
    }
    if (force || !task->is_ready) {
        blk_task_group_fail(task->group);
    } else {
        task->cancelled = true;
        blk_task_kick(task);
    }
}

bool
blk_task_pause(BlkTask *task, GError **error)
{
    if (!check_status(task, ALIVE, "pause", error)) {
        return false;
    }
    if (task->user_paused) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "Job '%s' is already paused", task->id);
        return false;
    }
    task->user_paused = true;
    blk_task_kick(task);
    return true;
}

bool
blk_task_resume(BlkTask *task, GError **error)
{
    if (!task->user_paused) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "Can't resume a job that was not paused");
        return false;
    }
    task->user_paused = task->io_failed = task->io_nospace = false;
    blk_task_kick(task);
    return true;
}

bool
blk_task_complete(BlkTask *task, GError **error)
{
    if (!check_status(task, 1u << BLK_TASK_READY, "complete", error)) {
        return false;
    }
    if (task->cancelled) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE,
                    "The active block job '%s' cannot be completed", task->id);
        return false;
    }
    task->complete_requested = true;
    blk_task_kick(task);
    return true;
}

bool
blk_task_finalize(BlkTask *task, GError **error)
{
    if (!check_status(task, 1u << BLK_TASK_PENDING, "finalize", error)) {
        return false;
    }
    blk_task_group_finalize(task->group);
    return true;
}

bool
blk_task_dismiss(BlkTask *task, GError **error)
{
    if (!check_status(task, 1u << BLK_TASK_CONCLUDED, "dismiss", error)) {
        return false;
    }
    free_task(task);
    return true;
}

bool
blk_task_set_speed(BlkTask *task, uint64_t speed, GError **error)
{
    if (!check_status(task, ALIVE, "set-speed", error)) {
        return false;
    }
    task->speed = speed;
    task->slice_us = g_get_monotonic_time();
    task->slice_bytes = 0;
    return true;
}

void
blk_graph_cancel_tasks(BlkGraph *graph)
{
    while (graph->tasks->len > 0) {
        BlkTask *task = g_ptr_array_index(graph->tasks, 0);
        if (task->status == BLK_TASK_CONCLUDED) {
            free_task(task);
            continue;
        }
        if (task->status != BLK_TASK_CREATED) {
            task->auto_dismiss = true;
        }
        blk_task_cancel(task, true);
        if (graph->tasks->len > 0) {
            blk_context_poll(graph->context, 100);
        }
    }
}
