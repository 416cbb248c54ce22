/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Commands on jobs there are: block-job-* name them by "device", job-* by "id". Thread: the
 * graph's lock held, outside of fibers. */

#include "blk-control-private.h"

static BlkTask *
arg_task(BlkControl *control, GError **error)
{
    const char *id = blk_arg_string(control, "id");
    const char *name = id ? id : blk_arg_string(control, "device");
    BlkTask *task = name ? blk_task_find(control->graph, name) : NULL;

    if (!task) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    id ? "Job not found" : "Block job '%s' not found", name ? name : "");
    }
    return task;
}

static JsonNode *
job_cancel(BlkControl *control, GError **error)
{
    BlkTask *task = arg_task(control, error);

    if (task && task->status >= BLK_TASK_ABORTING) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE,
                    "Job '%s' in state '%s' cannot accept command verb 'cancel'", task->id,
                    blk_task_status_name(task));
        return NULL;
    }
    if (task) {
        /* job-cancel never stops half-way at a ready mirror. */
        blk_task_cancel(task, blk_arg_bool(control, "force", blk_arg_has(control, "id")));
    }
    return blk_control_done(task != NULL);
}

#define SIMPLE_COMMAND(name, func)                             \
    static JsonNode *name(BlkControl *control, GError **error) \
    {                                                          \
        BlkTask *task = arg_task(control, error);              \
        return blk_control_done(task && func(task, error));    \
    }

SIMPLE_COMMAND(job_pause, blk_task_pause)
SIMPLE_COMMAND(job_resume, blk_task_resume)
SIMPLE_COMMAND(job_complete, blk_task_complete)
SIMPLE_COMMAND(job_finalize, blk_task_finalize)
SIMPLE_COMMAND(job_dismiss, blk_task_dismiss)

static JsonNode *
job_set_speed(BlkControl *control, GError **error)
{
    BlkTask *task = arg_task(control, error);
    int64_t speed = blk_arg_int(control, "speed", 0);

    if (task && speed < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Parameter 'speed' expects a non-negative value");
        return NULL;
    }
    return blk_control_done(task && blk_task_set_speed(task, (uint64_t)speed, error));
}

/* ---- queries ---- */

static JsonObject *
describe_block_job(const BlkTask *task)
{
    JsonObject *object = json_object_new();

    json_object_set_boolean_member(object, "auto-finalize", task->auto_finalize);
    json_object_set_string_member(object, "io-status",
                                  task->io_nospace  ? "nospace"
                                  : task->io_failed ? "failed"
                                                    : "ok");
    json_object_set_string_member(object, "device", task->id);
    json_object_set_boolean_member(object, "auto-dismiss", task->auto_dismiss);
    json_object_set_boolean_member(object, "busy", task->busy);
    json_object_set_int_member(object, "len", (gint64)task->len);
    json_object_set_int_member(object, "offset", (gint64)task->offset);
    json_object_set_string_member(object, "status", blk_task_status_name(task));
    json_object_set_boolean_member(object, "paused", task->user_paused);
    json_object_set_int_member(object, "speed", (gint64)task->speed);
    json_object_set_boolean_member(object, "ready", task->is_ready);
    json_object_set_string_member(object, "type", task->type->name);
    if (task->error) {
        json_object_set_string_member(object, "error", task->error->message);
    }
    return object;
}

static JsonObject *
describe_job(const BlkTask *task)
{
    JsonObject *object = json_object_new();

    json_object_set_int_member(object, "current-progress", (gint64)task->offset);
    json_object_set_string_member(object, "status", blk_task_status_name(task));
    json_object_set_int_member(object, "total-progress", (gint64)task->len);
    json_object_set_string_member(object, "type", task->type->name);
    json_object_set_string_member(object, "id", task->id);
    if (task->error) {
        json_object_set_string_member(object, "error", task->error->message);
    }
    return object;
}

static JsonNode *
query(BlkControl *control, JsonObject *(*describe)(const BlkTask *task))
{
    JsonArray *array = json_array_new();
    GPtrArray *tasks = blk_tasks(control->graph);

    for (unsigned i = 0; i < tasks->len; i++) {
        json_array_add_object_element(array, describe(g_ptr_array_index(tasks, i)));
    }
    return blk_control_array(array);
}

static JsonNode *
query_block_jobs(BlkControl *control, GError **error)
{
    return query(control, describe_block_job);
}

static JsonNode *
query_jobs(BlkControl *control, GError **error)
{
    return query(control, describe_job);
}

const BlkControlCommand blk_control_job_commands[] = {
    { "block-job-cancel", job_cancel },
    { "block-job-pause", job_pause },
    { "block-job-resume", job_resume },
    { "block-job-complete", job_complete },
    { "block-job-finalize", job_finalize },
    { "block-job-dismiss", job_dismiss },
    { "block-job-set-speed", job_set_speed },
    { "job-cancel", job_cancel },
    { "job-pause", job_pause },
    { "job-resume", job_resume },
    { "job-complete", job_complete },
    { "job-finalize", job_finalize },
    { "job-dismiss", job_dismiss },
    { "query-block-jobs", query_block_jobs },
    { "query-jobs", query_jobs },
    { 0 },
};
