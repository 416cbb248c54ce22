/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the two ways to commit share. Thread: the graph's lock held, outside of fibers. */

#include "blk-task.h"

/* Lets BASE be written although images stand on it. */
bool blk_commit_open_base(BlkNode *base, bool *out_was_read_only, GError **error);
void blk_commit_close_base(BlkNode *base, bool was_read_only);
/* Commits TOP, the image in use, by a mirror onto BASE (blk-mirror.c). */
BlkTask *blk_commit_start_active(BlkGraph *graph, BlkNode *top, BlkNode *base,
                                 const BlkTaskOptions *options, GError **error);
