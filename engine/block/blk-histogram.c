/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The bins of latencies that block-latency-histogram-set asks for.
 * Thread: the graph's lock held. */

#include "blk-histogram.h"

BlkHistogram *
blk_histogram_new(const uint64_t *bounds_ns, unsigned count)
{
    BlkHistogram *histogram = g_new(BlkHistogram, 1);

    g_assert(count > 0 && count <= BLK_HISTOGRAM_MAX_BOUNDS);
    histogram->bound_count = count;
    histogram->bounds_ns = g_memdup2(bounds_ns, count * sizeof(*bounds_ns));
    histogram->bins = g_new0(uint64_t, count + 1);
    return histogram;
}

void
blk_histogram_free(BlkHistogram *histogram)
{
    if (histogram) {
        g_free(histogram->bounds_ns);
        g_free(histogram->bins);
        g_free(histogram);
    }
}

void
blk_histogram_add(BlkHistogram *histogram, uint64_t latency_ns)
{
    /* The bin is the number of boundaries that are not above the latency. */
    unsigned low = 0, high = histogram->bound_count;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (histogram->bounds_ns[middle] <= latency_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    histogram->bins[low]++;
}
