/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Speeds out of counters. */

#include "app-meter.h"

#include <string.h>

void
app_meter_clear(AppMeter *meter)
{
    memset(meter, 0, sizeof(*meter));
}

/* Counters start anew with a reset machine: a step back counts as nothing. */
static double
rate(guint64 now, guint64 before, double seconds)
{
    return now > before ? (now - before) / seconds : 0;
}

void
app_meter_add(AppMeter *meter, const VitStats *stats)
{
    const VitStats *last = &meter->last;
    double seconds = (stats->host_ns - last->host_ns) / 1e9;
    AppMeterSample *out;

    if (meter->have_last && seconds > 0) {
        out = &meter->history[meter->count++ % APP_METER_HISTORY];
        memset(out, 0, sizeof(*out));
        out->cpu = rate(stats->cpu_ns, last->cpu_ns, seconds) / 1e9 / MAX(stats->n_cpus, 1);
        out->cpu = MIN(out->cpu, 1);
        out->speed = rate(stats->guest_ns, last->guest_ns, seconds) / 1e9;
        for (guint i = 0; i < VIT_MEDIA_LAST; i++) {
            out->disk_read +=
                rate(stats->drives[i].read_bytes, last->drives[i].read_bytes, seconds);
            out->disk_written +=
                rate(stats->drives[i].written_bytes, last->drives[i].written_bytes, seconds);
            out->media_busy[i] = stats->drives[i].requests != last->drives[i].requests;
        }
        out->net_received = rate(stats->net_received_bytes, last->net_received_bytes, seconds);
        out->net_sent = rate(stats->net_sent_bytes, last->net_sent_bytes, seconds);
        out->net_busy = out->net_received > 0 || out->net_sent > 0;
        out->frames = rate(stats->frames, last->frames, seconds);
    }
    meter->last = *stats;
    meter->have_last = TRUE;
}

const AppMeterSample *
app_meter_get(const AppMeter *meter, guint age)
{
    static const AppMeterSample nothing;

    if (age >= MIN(meter->count, APP_METER_HISTORY)) {
        return &nothing;
    }
    return &meter->history[(meter->count - 1 - age) % APP_METER_HISTORY];
}
