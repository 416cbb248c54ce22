/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Ranges through chains. Thread: in a fiber, the graph's lock held. */

#include "blk-driver.h"

/* NODE without the filters on top of it. */
BlkNode *blk_node_skip_filters(BlkNode *node);
/* The next node of the chain: below a filter, or the backing image; NULL at the end. */
BlkNode *blk_node_below(BlkNode *node);
/* Whether an image from TOP down to BASE (not included, NULL: the whole chain) has OFFSET, and
 * for how many bytes the answer holds. 0 or a negative errno. */
int blk_find_allocated(BlkNode *top, BlkNode *base, uint64_t offset, uint64_t len,
                       bool *out_allocated, uint64_t *out_len);
int blk_describe_run(BlkChild *child, uint64_t offset, uint64_t len, BlkRun *out);
