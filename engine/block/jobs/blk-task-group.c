/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Who is in a group, and what is told to all of it; see blk-task-group.h. How its jobs come to
 * their end is in blk-task.c. Thread: the graph's lock held. */

#include "blk-task-group.h"

BlkTaskGroup *
blk_task_group_new(void)
{
    BlkTaskGroup *group = g_new0(BlkTaskGroup, 1);

    group->ref_count = 1;
    group->tasks = g_ptr_array_new();
    return group;
}

BlkTaskGroup *
blk_task_group_ref(BlkTaskGroup *group)
{
    group->ref_count++;
    return group;
}

void
blk_task_group_unref(BlkTaskGroup *group)
{
    if (group && --group->ref_count == 0) {
        g_ptr_array_unref(group->tasks);
        g_free(group);
    }
}

void
blk_task_group_join(BlkTaskGroup *group, BlkTask *task)
{
    g_assert(!group || !task->type->finish);
    task->group = group ? blk_task_group_ref(group) : blk_task_group_new();
    g_ptr_array_add(task->group->tasks, task);
}

void
blk_task_group_leave(BlkTask *task)
{
    g_ptr_array_remove(task->group->tasks, task);
    g_clear_pointer(&task->group, blk_task_group_unref);
}

bool
blk_task_group_is_waiting(const BlkTaskGroup *group)
{
    for (unsigned i = 0; i < group->tasks->len; i++) {
        const BlkTask *task = g_ptr_array_index(group->tasks, i);
        if (task->status != BLK_TASK_WAITING) {
            return false;
        }
    }
    return !group->failed;
}

static void
kick_all(BlkTaskGroup *group)
{
    for (unsigned i = 0; i < group->tasks->len; i++) {
        blk_task_kick(g_ptr_array_index(group->tasks, i));
    }
}

void
blk_task_group_fail(BlkTaskGroup *group)
{
    group->failed = true;
    for (unsigned i = 0; i < group->tasks->len; i++) {
        BlkTask *task = g_ptr_array_index(group->tasks, i);
        task->cancelled = task->forced = true;
    }
    kick_all(group);
}

void
blk_task_group_finalize(BlkTaskGroup *group)
{
    group->finalized = true;
    kick_all(group);
}
