/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* transaction: several actions, all or none, with every drive standing still meanwhile, so that
 * snapshots and backups of several disks are of one moment.
 *
 * Each action is done at once and remembers how it is undone; jobs are made but started only when
 * every action has succeeded. By completion-mode=grouped the jobs also end together, all well or
 * none; then there are only jobs, for nothing else could be taken back when one of them fails.
 *
 * Thread: the graph's lock held, outside of fibers. */

#include "blk-control-private.h"

#include "jobs/blk-task-group.h"

#include <string.h>

typedef struct Step {
    const char *type;
    BlkSnapshotStep snapshot;
    char *job_id;
    /* Of bitmap actions: the bitmap as it was. */
    BlkNode *node; /* a reference */
    char *bitmap_name;
    BlkBitmap *saved; /* a nameless copy on the node */
    bool was_enabled, was_added;
    JsonObject *internal; /* arguments of an internal snapshot */
} Step;

typedef struct Action {
    const char *type;
    bool (*run)(BlkControl *control, Step *step, GError **error);
    void (*undo)(BlkControl *control, Step *step);
    bool may_be_grouped;
} Action;

static void
free_step(gpointer data)
{
    Step *step = data;

    if (step->snapshot.overlay) {
        blk_snapshot_keep(&step->snapshot);
    }
    if (step->saved) {
        blk_bitmap_free(step->node, step->saved);
    }
    blk_node_unref(step->node);
    g_free(step->bitmap_name);
    g_free(step->job_id);
    g_clear_pointer(&step->internal, json_object_unref);
    g_free(step);
}

/* ---- snapshots ---- */

static bool
run_snapshot(BlkControl *control, Step *step, GError **error)
{
    return blk_snapshot_take(control, step->type, &step->snapshot, error);
}

static void
undo_snapshot(BlkControl *control, Step *step)
{
    blk_snapshot_undo(&step->snapshot);
}

static bool
run_internal(BlkControl *control, Step *step, GError **error)
{
    step->internal = json_object_ref(control->args);
    return blk_snapshot_internal(control, error);
}

static void
undo_internal(BlkControl *control, Step *step)
{
    BlkControl inner = { .graph = control->graph, .host = control->host, .args = step->internal };
    JsonNode *result = blk_control_run(inner.graph, inner.host,
                                       "blockdev-snapshot-delete-internal-sync", inner.args, NULL);

    g_clear_pointer(&result, json_node_unref);
}

/* ---- jobs ---- */

static bool
run_command(BlkControl *control, const char *type, GError **error)
{
    static const BlkControlCommand *const tables[] = { blk_control_start_commands,
                                                       blk_control_bitmap_commands };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(tables); i++) {
        for (const BlkControlCommand *command = tables[i]; command->name; command++) {
            if (strcmp(command->name, type) == 0) {
                JsonNode *result = command->run(control, error);
                bool ok = result != NULL;
                g_clear_pointer(&result, json_node_unref);
                return ok;
            }
        }
    }
    return false;
}

static bool
run_job(BlkControl *control, Step *step, GError **error)
{
    control->hold_jobs = true;
    if (!run_command(control, step->type, error)) {
        return false;
    }
    step->job_id = g_strdup(control->task->id);
    return true;
}

static void
undo_job(BlkControl *control, Step *step)
{
    BlkTask *task = blk_task_find(control->graph, step->job_id);

    if (task) {
        blk_task_drop(task);
    }
}

/* ---- bitmaps ---- */

static bool
run_bitmap(BlkControl *control, Step *step, GError **error)
{
    const char *name = blk_arg_string(control, "name");
    BlkNode *node = blk_control_node(control, blk_arg_string(control, "node"), error);
    BlkBitmap *bitmap;

    name = name ? name : blk_arg_string(control, "target");
    if (!node || !name) {
        return false;
    }
    step->node = blk_node_ref(node);
    step->bitmap_name = g_strdup(name);
    bitmap = blk_bitmap_find(node, name);
    step->was_added = !bitmap;
    if (bitmap) {
        step->was_enabled = bitmap->enabled;
        step->saved = blk_bitmap_new(node, NULL, bitmap->granularity_bytes, error);
        if (!step->saved) {
            return false;
        }
        step->saved->enabled = false;
        blk_bitmap_merge(step->saved, bitmap);
    }
    return run_command(control, step->type, error);
}

static void
undo_bitmap(BlkControl *control, Step *step)
{
    BlkBitmap *bitmap = blk_bitmap_find(step->node, step->bitmap_name);

    if (bitmap && step->was_added) {
        blk_bitmap_free(step->node, bitmap);
    } else if (bitmap) {
        bitmap->enabled = step->was_enabled;
        blk_bitmap_clear_all(bitmap);
        blk_bitmap_merge(bitmap, step->saved);
    }
}

/* Removed only after all else has succeeded; here it is only looked at. */
static bool
check_remove(BlkControl *control, Step *step, GError **error)
{
    BlkBitmap *bitmap = blk_control_bitmap(control, blk_arg_string(control, "node"),
                                           blk_arg_string(control, "name"), &step->node, error);

    if (step->node) {
        blk_node_ref(step->node);
    }
    step->internal = json_object_ref(control->args);
    return bitmap && blk_control_check_bitmap(bitmap, error);
}

static bool
run_abort(BlkControl *control, Step *step, GError **error)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED, "Transaction aborted using Abort action");
    return false;
}

static const Action actions[] = {
    { "blockdev-snapshot", run_snapshot, undo_snapshot },
    { "blockdev-snapshot-sync", run_snapshot, undo_snapshot },
    { "blockdev-snapshot-internal-sync", run_internal, undo_internal },
    { "blockdev-backup", run_job, undo_job, .may_be_grouped = true },
    { "drive-backup", run_job, undo_job, .may_be_grouped = true },
    { "block-dirty-bitmap-add", run_bitmap, undo_bitmap },
    { "block-dirty-bitmap-clear", run_bitmap, undo_bitmap },
    { "block-dirty-bitmap-enable", run_bitmap, undo_bitmap },
    { "block-dirty-bitmap-disable", run_bitmap, undo_bitmap },
    { "block-dirty-bitmap-merge", run_bitmap, undo_bitmap },
    { "block-dirty-bitmap-remove", check_remove, NULL },
    { "abort", run_abort, NULL, .may_be_grouped = true },
};

static const Action *
find_action(const char *type)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(actions); i++) {
        if (g_strcmp0(actions[i].type, type) == 0) {
            return &actions[i];
        }
    }
    return NULL;
}

static JsonObject *
action_object(JsonNode *element)
{
    return JSON_NODE_HOLDS_OBJECT(element) ? json_node_get_object(element) : NULL;
}

static const char *
action_type(JsonNode *element)
{
    JsonObject *object = action_object(element);

    return object ? json_object_get_string_member_with_default(object, "type", NULL) : NULL;
}

static bool
run_action(BlkControl *control, JsonNode *element, GPtrArray *steps, GError **error)
{
    JsonObject *object = action_object(element);
    const char *type = action_type(element);
    JsonNode *data = object ? json_object_get_member(object, "data") : NULL;
    const Action *action = find_action(type);
    BlkControl inner = { .graph = control->graph, .host = control->host, .group = control->group };
    Step *step;

    if (!action || !data || !JSON_NODE_HOLDS_OBJECT(data)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Invalid parameter '%s': no such action of a transaction", type ? type : "");
        return false;
    }
    inner.args = json_node_get_object(data);
    step = g_new0(Step, 1);
    step->type = action->type;
    if (!action->run(&inner, step, error)) {
        free_step(step);
        return false;
    }
    g_ptr_array_add(steps, step);
    return true;
}

static void
undo_all(BlkControl *control, GPtrArray *steps)
{
    for (unsigned i = steps->len; i > 0; i--) {
        Step *step = g_ptr_array_index(steps, i - 1);
        const Action *action = find_action(step->type);
        if (action->undo) {
            action->undo(control, step);
        }
    }
}

static void
commit_all(BlkControl *control, GPtrArray *steps)
{
    for (unsigned i = 0; i < steps->len; i++) {
        Step *step = g_ptr_array_index(steps, i);
        BlkTask *task = step->job_id ? blk_task_find(control->graph, step->job_id) : NULL;

        if (task) {
            blk_task_start(task);
        } else if (strcmp(step->type, "block-dirty-bitmap-remove") == 0) {
            BlkControl inner = { .graph = control->graph, .args = step->internal };
            run_command(&inner, step->type, NULL);
        }
    }
}

static bool
arg_grouped(const BlkControl *control, bool *out_grouped, GError **error)
{
    JsonObject *properties = blk_arg_has(control, "properties")
                                 ? json_object_get_object_member(control->args, "properties")
                                 : NULL;
    const char *mode = "individual";

    if (properties) {
        mode = json_object_get_string_member_with_default(properties, "completion-mode", mode);
    }
    *out_grouped = g_strcmp0(mode, "grouped") == 0;
    if (!*out_grouped && g_strcmp0(mode, "individual") != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Parameter 'completion-mode' does not accept value '%s': "
                    "it is 'individual' or 'grouped'",
                    mode ? mode : "");
        return false;
    }
    return true;
}

/* Before the first is done: a target of drive-backup would stay behind. */
static bool
check_grouped(JsonArray *list, GError **error)
{
    for (unsigned i = 0; i < json_array_get_length(list); i++) {
        const Action *action = find_action(action_type(json_array_get_element(list, i)));
        if (action && !action->may_be_grouped) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "Action '%s' does not support the transaction property "
                        "'completion-mode' = 'grouped'",
                        action->type);
            return false;
        }
    }
    return true;
}

static JsonNode *
transaction(BlkControl *control, GError **error)
{
    JsonArray *list = json_object_get_array_member(control->args, "actions");
    g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func(free_step);
    g_autoptr(BlkTaskGroup) group = NULL;
    BlkStandstill *still;
    bool ok = true, grouped;

    if (!arg_grouped(control, &grouped, error) || (grouped && !check_grouped(list, error))) {
        return NULL;
    }
    group = grouped ? blk_task_group_new() : NULL;
    control->group = group;
    still = blk_graph_stand_still(control->graph);
    for (unsigned i = 0; ok && i < json_array_get_length(list); i++) {
        ok = run_action(control, json_array_get_element(list, i), steps, error);
    }
    if (!ok) {
        undo_all(control, steps);
    }
    blk_graph_go_on(still);
    if (ok) {
        commit_all(control, steps);
    }
    return blk_control_done(ok);
}

const BlkControlCommand blk_control_transaction_commands[] = {
    { "transaction", transaction },
    { 0 },
};
