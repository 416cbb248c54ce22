/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* How many requests took how long: bins of [0, b0), [b0, b1), ..., from the last boundary on.
 * Thread: the graph's lock held. */

#include <glib.h>
#include <stdint.h>

enum { BLK_HISTOGRAM_MAX_BOUNDS = 1024 };

typedef struct BlkHistogram {
    unsigned bound_count;
    uint64_t *bounds_ns; /* ascending, > 0 */
    uint64_t *bins;      /* one more than boundaries */
} BlkHistogram;

/* Empty bins. BOUNDS_NS is copied. */
BlkHistogram *blk_histogram_new(const uint64_t *bounds_ns, unsigned count);
/* NULL is fine. */
void blk_histogram_free(BlkHistogram *histogram);
void blk_histogram_add(BlkHistogram *histogram, uint64_t latency_ns);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkHistogram, blk_histogram_free)
