/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The job "stream": an image takes over what the images below it have, and stands on a lower one
 * or on none. The guest goes on meanwhile; each range is copied with that range to itself.
 * Thread: see blk-task.h. */

#include "blk-graph-private.h"
#include "blk-jobs.h"
#include "blk-status.h"

enum { STEP_BYTES = 512 * 1024 };

typedef struct Stream {
    BlkTask task;
    BlkNode *image; /* a reference */
    BlkNode *base;  /* a reference, or NULL */
    char *backing_file;
    BlkChild *edge;
    bool was_read_only;
} Stream;

static int
stream_run(BlkTask *task, GError **error)
{
    Stream *stream = (Stream *)task;
    uint64_t len = blk_node_get_len(stream->image);

    task->len = len;
    while (task->offset < len) {
        uint64_t step = MIN(len - task->offset, STEP_BYTES);
        int64_t copied = blk_copy_up(stream->edge, stream->base, task->offset, step);
        int ret;

        if (copied < 0) {
            BlkOnError action = blk_task_on_error(task, true, (int)-copied);
            if (action == BLK_ON_ERROR_REPORT) {
                return (int)copied;
            }
            step = action == BLK_ON_ERROR_STOP ? 0 : step;
            copied = 0;
        }
        task->offset += step;
        ret = blk_task_account(task, (uint64_t)copied);
        if (ret < 0) {
            return ret;
        }
        len = blk_node_get_len(stream->image);
        task->len = len;
    }
    return blk_flush(stream->edge);
}

static bool
stream_finish(BlkTask *task, GError **error)
{
    Stream *stream = (Stream *)task;

    return blk_node_record_backing(stream->image, stream->base ? stream->backing_file : NULL,
                                   stream->base, error) &&
           blk_node_set_backing(stream->image, stream->base, error);
}

static void
stream_cleanup(BlkTask *task)
{
    Stream *stream = (Stream *)task;

    blk_child_detach(stream->edge);
    if (stream->was_read_only) {
        blk_node_set_read_only(stream->image, true, NULL);
    }
    blk_node_unref(stream->image);
    blk_node_unref(stream->base);
    g_free(stream->backing_file);
}

static const BlkTaskType stream_type = {
    .name = "stream",
    .size = sizeof(Stream),
    .run = stream_run,
    .finish = stream_finish,
    .cleanup = stream_cleanup,
};

BlkTask *
blk_stream_start(BlkGraph *graph, BlkNode *node, BlkNode *base, const char *backing_file,
                 const BlkTaskOptions *options, GError **error)
{
    Stream *stream = blk_task_new(graph, &stream_type, options, error);

    if (!stream) {
        return NULL;
    }
    stream->image = blk_node_ref(blk_node_skip_filters(node));
    stream->base = base ? blk_node_ref(base) : NULL;
    stream->backing_file = g_strdup(backing_file);
    if (stream->image->read_only) {
        stream->was_read_only = blk_node_set_read_only(stream->image, false, error);
        if (!stream->was_read_only) {
            blk_task_drop(&stream->task);
            return NULL;
        }
    }
    stream->edge =
        blk_task_attach(&stream->task, stream->image,
                        BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED, BLK_PERM_ALL, error);
    if (!stream->edge) {
        blk_task_drop(&stream->task);
        return NULL;
    }
    if (!options->hold) {
        blk_task_start(&stream->task);
    }
    return &stream->task;
}
