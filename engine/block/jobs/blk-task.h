/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Jobs on images that run beside the guest: stream, commit, mirror, backup.
 *
 * Life: created, running (paused, ready, standby), waiting, pending, concluded, and then gone; or
 * aborting, concluded, gone. A job's work is a fiber. What it changes in the graph it does at the
 * end, outside of fibers, while every drive stands still.
 *
 * Invariants:
 *  1. Between two pause points a job is busy: drains wait for it. In a pause it has no request.
 *  2. A job that failed or was cancelled leaves the graph as it was.
 *  3. Jobs of one group (blk-task-group.h) succeed or fail together.
 *
 * Thread: the graph's lock held. */

#include "blk-driver.h"

typedef struct BlkTask BlkTask;
typedef struct BlkTaskGroup BlkTaskGroup;

typedef enum BlkTaskStatus {
    BLK_TASK_CREATED,
    BLK_TASK_RUNNING,
    BLK_TASK_PAUSED,
    BLK_TASK_READY,
    BLK_TASK_STANDBY, /* paused while ready */
    BLK_TASK_WAITING, /* for the others of its group */
    BLK_TASK_PENDING, /* waits for blk_task_finalize() */
    BLK_TASK_ABORTING,
    BLK_TASK_CONCLUDED, /* waits for blk_task_dismiss() */
    BLK_TASK_NULL,
} BlkTaskStatus;

typedef struct BlkTaskType {
    const char *name;
    size_t size; /* of the struct that begins with a BlkTask */
    /* The work. Negative errno on failure, with or without ERROR. [fiber] */
    int (*run)(BlkTask *task, GError **error);
    /* Makes the result take effect; may be NULL. Everything is drained. */
    bool (*finish)(BlkTask *task, GError **error);
    /* Gives up what the job holds, also after a failure. Everything is drained. */
    void (*cleanup)(BlkTask *task);
} BlkTaskType;

struct BlkTask {
    const BlkTaskType *type;
    BlkGraph *graph;
    char *id;
    BlkTaskStatus status;
    bool auto_finalize, auto_dismiss;
    uint64_t speed; /* bytes per second, 0: no limit */
    uint64_t offset, len;
    BlkOnError on_source_error, on_target_error;
    bool user_paused, busy;
    bool cancelled, forced;  /* blk_task_cancel() */
    bool complete_requested; /* blk_task_complete() */
    bool is_ready;
    bool io_failed, io_nospace;
    unsigned pause_count; /* drains */
    BlkWaitQueue kick;
    int64_t slice_us;
    uint64_t slice_bytes;
    int ret;
    GError *error;
    BlkTaskGroup *group; /* a reference */
};

typedef struct BlkTaskOptions {
    const char *id; /* unique; required */
    uint64_t speed;
    bool manual_finalize, manual_dismiss;
    BlkOnError on_source_error, on_target_error;
    bool hold;           /* do not start yet: blk_task_start() */
    BlkTaskGroup *group; /* blk-task-group.h; NULL: one of its own */
} BlkTaskOptions;

/* ---- for users of jobs ---- */

BlkTask *blk_task_find(BlkGraph *graph, const char *id);
/* In order of creation; call as a copy. */
GPtrArray *blk_tasks(BlkGraph *graph);
void blk_task_start(BlkTask *task);
/* And with it all of its group. A ready mirror that is not FORCEd ends without being put in place,
 * and counts as completed. */
void blk_task_cancel(BlkTask *task, bool force);
bool blk_task_pause(BlkTask *task, GError **error);
bool blk_task_resume(BlkTask *task, GError **error);
bool blk_task_complete(BlkTask *task, GError **error);
bool blk_task_finalize(BlkTask *task, GError **error);
bool blk_task_dismiss(BlkTask *task, GError **error);
bool blk_task_set_speed(BlkTask *task, uint64_t speed, GError **error);
const char *blk_task_status_name(const BlkTask *task);
/* Cancels every job and waits for them. */
void blk_graph_cancel_tasks(BlkGraph *graph);

/* ---- for jobs ---- */

/* Of TYPE->size, zeroed but for the head; NULL when the id is taken. The caller fills it and calls
 * blk_task_start(), or blk_task_drop() when it cannot. */
void *blk_task_new(BlkGraph *graph, const BlkTaskType *type, const BlkTaskOptions *options,
                   GError **error);
/* Before its start: cleans up, as after a failure, and forgets it. */
void blk_task_drop(BlkTask *task);
/* An edge of the job. Takes no reference from the caller. */
BlkChild *blk_task_attach(BlkTask *task, BlkNode *node, unsigned perm, unsigned shared,
                          GError **error);
/* Rests while it is paused. -ECANCELED when it is to end. [fiber] */
int blk_task_pause_point(BlkTask *task);
/* Counts BYTES against the speed, and rests. -ECANCELED as above. [fiber] */
int blk_task_account(BlkTask *task, uint64_t bytes);
/* Rests until something happens: a request, a kick. [fiber] */
void blk_task_rest(BlkTask *task);
void blk_task_kick(BlkTask *task);
/* In step: says so once. [fiber] */
void blk_task_become_ready(BlkTask *task);
/* What to do about errno ERR (positive). STOP has paused the job: try again after the next pause
 * point. */
BlkOnError blk_task_on_error(BlkTask *task, bool is_read, int err);
