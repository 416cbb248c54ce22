/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Ranges of bytes in use by requests. Shared ranges overlap freely; an exclusive one waits for
 * every earlier range it overlaps, and later ones wait for it. Waiting is in order of arrival, so
 * nobody starves and, as each waits only for earlier ones, nothing deadlocks.
 * Thread: inside a fiber of the context. */

#include "blk-context.h"

typedef struct BlkRange {
    uint64_t start, end; /* [start, end) */
    bool exclusive;
    BlkWaitQueue waiters; /* those that must let this range finish first */
    struct BlkRange *previous, *next;
} BlkRange;

typedef struct BlkRangeSet {
    BlkRange *first, *last;
} BlkRangeSet;

/* RANGE lives, usually on the fiber's stack, until it is released. */
void blk_range_acquire(BlkContext *context, BlkRangeSet *set, BlkRange *range, uint64_t start,
                       uint64_t end, bool exclusive);
void blk_range_release(BlkContext *context, BlkRangeSet *set, BlkRange *range);
