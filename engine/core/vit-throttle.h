/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Limits of bytes and requests per second, as drives and shared folders have them. Thread: the
 * owner's. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    VIT_LIMIT_BPS_TOTAL,
    VIT_LIMIT_BPS_READ,
    VIT_LIMIT_BPS_WRITE,
    VIT_LIMIT_IOPS_TOTAL,
    VIT_LIMIT_IOPS_READ,
    VIT_LIMIT_IOPS_WRITE,
    VIT_LIMITS,
};

typedef struct VitLimit {
    uint64_t rate;    /* per second, 0: none */
    uint64_t max;     /* per second during a burst, 0: no bursts */
    uint64_t burst_s; /* how long a burst may last; 0 is 1 */
} VitLimit;

typedef struct VitThrottleConfig {
    VitLimit limits[VIT_LIMITS];
    uint64_t op_bytes; /* a request counts once for every started piece of this; 0: once */
} VitThrottleConfig;

typedef struct VitBucket {
    double level, burst_level; /* units */
} VitBucket;

typedef struct VitThrottle {
    VitThrottleConfig config;
    VitBucket buckets[VIT_LIMITS];
    int64_t leaked_us; /* when the buckets were last emptied */
} VitThrottle;

/* Name of limit I, as in "bps-total". */
const char *vit_throttle_limit_name(unsigned i);
/* Whether the limits make sense together. */
bool vit_throttle_check(const VitThrottleConfig *config, GError **error);
/* CONFIG has been checked. What was counted is forgotten. */
void vit_throttle_configure(VitThrottle *throttle, const VitThrottleConfig *config);
/* Seconds until the next request may go; 0: it may. */
double vit_throttle_delay_s(VitThrottle *throttle, bool is_write);
/* A request of LEN bytes goes. */
void vit_throttle_count(VitThrottle *throttle, bool is_write, uint64_t len);
