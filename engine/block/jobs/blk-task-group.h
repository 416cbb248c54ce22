/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Jobs that succeed or fail together. Every job is in one group; most are in one of their own.
 *
 * Invariants:
 *  1. A job that has done its work waits until all others of its group have; then all are pending,
 *     and finalizing one finalizes all.
 *  2. When one fails or is cancelled, all others are cancelled, also those that wait.
 *  3. All conclude at one moment, when none has a fiber any more: all have succeeded or none.
 *  4. A job in a group of several has no BlkTaskType.finish: what that changes could not be taken
 *     back when the next one fails.
 *
 * Ownership: each job holds a reference; the group borrows its jobs. Thread: the graph's lock
 * held. */

#include "blk-task.h"

struct BlkTaskGroup {
    unsigned ref_count;
    GPtrArray *tasks; /* BlkTask, borrowed, in order of creation */
    unsigned n_ended; /* jobs whose fiber has ended */
    bool failed, finalized;
    BlkDeferred conclude;
};

/* For jobs that are then made and, when all of them are, started. Ownership: caller. */
BlkTaskGroup *blk_task_group_new(void);
BlkTaskGroup *blk_task_group_ref(BlkTaskGroup *group);
void blk_task_group_unref(BlkTaskGroup *group);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkTaskGroup, blk_task_group_unref)

/* ---- for the life of jobs (blk-task.c) ---- */

/* TASK, which has just been made, comes into GROUP, NULL: into one of its own. */
void blk_task_group_join(BlkTaskGroup *group, BlkTask *task);
void blk_task_group_leave(BlkTask *task);
/* All jobs have done their work and wait. */
bool blk_task_group_is_waiting(const BlkTaskGroup *group);
/* Cancels those of its jobs that have not ended, and none will succeed. */
void blk_task_group_fail(BlkTaskGroup *group);
void blk_task_group_finalize(BlkTaskGroup *group);
