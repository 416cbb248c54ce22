/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Throttling. Each limit is a leaky bucket: requests fill it, time empties it at `rate`, and a
 * request goes when the level is not above what a burst may hold (max * burst_s; a tenth of a
 * second without bursts). With bursts longer than a second another bucket that leaks at `max` keeps
 * the burst itself to its rate. A request may overfill a bucket, so none is ever too large.
 * Thread: the owner's. */

#include "vit-throttle.h"

#include "vit-error.h"

#include <string.h>

static const char *const limit_names[VIT_LIMITS] = {
    "bps-total", "bps-read", "bps-write", "iops-total", "iops-read", "iops-write",
};

const char *
vit_throttle_limit_name(unsigned i)
{
    return limit_names[i];
}

static bool
fail(GError **error, const char *name, const char *text)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "Throttling of %s: %s", name, text);
    return false;
}

bool
vit_throttle_check(const VitThrottleConfig *config, GError **error)
{
    for (unsigned i = 0; i < VIT_LIMITS; i++) {
        const VitLimit *limit = &config->limits[i], *total = &config->limits[i / 3 * 3];
        const uint64_t most = UINT64_C(1000000000000000);

        if (i % 3 > 0 && ((limit->rate && total->rate) || (limit->max && total->max))) {
            return fail(error, limit_names[i],
                        "a total limit and one of reads or writes cannot be used together.");
        }
        if (limit->rate > most || limit->max > most) {
            return fail(error, limit_names[i], "at most 1000000000000000 per second.");
        }
        if (limit->max && !limit->rate) {
            return fail(error, limit_names[i], "a burst needs the limit itself too.");
        }
        if (limit->max && limit->max < limit->rate) {
            return fail(error, limit_names[i], "the burst is lower than the limit.");
        }
        if (limit->burst_s > 1 && !limit->max) {
            return fail(error, limit_names[i], "a length of bursts needs a burst.");
        }
        if (limit->max && limit->burst_s > most / limit->max) {
            return fail(error, limit_names[i], "the burst is too long.");
        }
    }
    return true;
}

void
vit_throttle_configure(VitThrottle *throttle, const VitThrottleConfig *config)
{
    throttle->config = *config;
    memset(throttle->buckets, 0, sizeof(throttle->buckets));
    throttle->leaked_us = g_get_monotonic_time();
}

static void
leak(VitThrottle *throttle)
{
    int64_t now_us = g_get_monotonic_time();
    double s = (double)(now_us - throttle->leaked_us) / 1e6;

    throttle->leaked_us = now_us;
    for (unsigned i = 0; i < VIT_LIMITS; i++) {
        const VitLimit *limit = &throttle->config.limits[i];
        VitBucket *bucket = &throttle->buckets[i];
        bucket->level = MAX(bucket->level - s * (double)limit->rate, 0);
        bucket->burst_level = MAX(bucket->burst_level - s * (double)limit->max, 0);
    }
}

/* Seconds until the limit lets a request go. */
static double
bucket_delay_s(const VitLimit *limit, const VitBucket *bucket)
{
    double rate = (double)limit->rate, max = (double)limit->max, delay = 0;
    double room = max > 0 ? max * (double)MAX(limit->burst_s, 1) : rate / 10;

    if (limit->rate == 0) {
        return 0;
    }
    if (bucket->level > room) {
        delay = (bucket->level - room) / rate;
    }
    if (max > 0 && limit->burst_s > 1 && bucket->burst_level > max / 10) {
        delay = MAX(delay, (bucket->burst_level - max / 10) / max);
    }
    return delay;
}

static bool
is_limit_of(unsigned i, bool is_write)
{
    return i % 3 == 0 || i % 3 == 1u + is_write;
}

double
vit_throttle_delay_s(VitThrottle *throttle, bool is_write)
{
    double delay = 0;

    leak(throttle);
    for (unsigned i = 0; i < VIT_LIMITS; i++) {
        if (is_limit_of(i, is_write)) {
            delay = MAX(delay, bucket_delay_s(&throttle->config.limits[i], &throttle->buckets[i]));
        }
    }
    return delay;
}

void
vit_throttle_count(VitThrottle *throttle, bool is_write, uint64_t len)
{
    uint64_t op_bytes = throttle->config.op_bytes;
    double ops = op_bytes && len > op_bytes ? (double)((len + op_bytes - 1) / op_bytes) : 1;

    for (unsigned i = 0; i < VIT_LIMITS; i++) {
        if (is_limit_of(i, is_write) && throttle->config.limits[i].rate) {
            double units = i < VIT_LIMIT_IOPS_TOTAL ? (double)len : ops;
            throttle->buckets[i].level += units;
            throttle->buckets[i].burst_level += units;
        }
    }
}
