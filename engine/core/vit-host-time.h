/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The host's monotonic time (CLOCK_MONOTONIC) read without a call: as a straight line of the host
 * CPU's time stamp counter, good for a range of its values, followed by the next one. So all who
 * read the counter in a range get the same time for the same value, on any thread, and whoever is
 * behind it asks here, where the next line begins. Thread: any. */

#include "vit-types.h"

enum { VIT_TSC_LINE_BITS = 28 };

typedef struct VitTscLine {
    uint64_t start; /* host's counter; good for 1 << VIT_TSC_LINE_BITS values from here on */
    uint64_t scale; /* nanoseconds per tick, times 2^64 */
    int64_t start_ns;
} VitTscLine;

/* Never good. */
#define VIT_TSC_LINE_NONE ((VitTscLine){ .start = UINT64_C(1) << 63 })

typedef struct VitHostTime VitHostTime;

VitHostTime *vit_host_time_new(void);
void vit_host_time_free(VitHostTime *time);
int64_t vit_host_time_ns(VitHostTime *time);
/* The line that is good now. False: this host's time is not to be had so, or not yet. */
bool vit_host_time_line(VitHostTime *time, VitTscLine *out_line);
