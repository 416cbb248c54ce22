/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Serialisation of overlapping requests. The set is a list in order of arrival; with the queue
 * depths of real devices a linear search is cheaper than keeping a tree.
 * Thread: inside a fiber of the context. */

#include "blk-range.h"

static BlkRange *
find_conflict(const BlkRange *range)
{
    for (BlkRange *other = range->previous; other; other = other->previous) {
        if ((range->exclusive || other->exclusive) && other->start < range->end &&
            range->start < other->end) {
            return other;
        }
    }
    return NULL;
}

void
blk_range_acquire(BlkContext *context, BlkRangeSet *set, BlkRange *range, uint64_t start,
                  uint64_t end, bool exclusive)
{
    BlkRange *conflict;

    *range =
        (BlkRange){ .start = start, .end = end, .exclusive = exclusive, .previous = set->last };
    if (set->last) {
        set->last->next = range;
    } else {
        set->first = range;
    }
    set->last = range;
    while ((conflict = find_conflict(range))) {
        blk_wait(context, &conflict->waiters);
    }
}

void
blk_range_release(BlkContext *context, BlkRangeSet *set, BlkRange *range)
{
    if (range->previous) {
        range->previous->next = range->next;
    } else {
        set->first = range->next;
    }
    if (range->next) {
        range->next->previous = range->previous;
    } else {
        set->last = range->previous;
    }
    blk_wake_all(context, &range->waiters);
}
