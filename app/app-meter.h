/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* From counters to speeds: what a machine did in the last second, and the minute before that for
 * graphs. Pure data. Thread: its user's. */

#include "vit-engine.h"

G_BEGIN_DECLS

enum { APP_METER_HISTORY = 60 };

typedef struct {
    double cpu;                                             /* 0..1 of all guest CPUs together */
    double speed;                                           /* guest seconds per host second */
    double disk_read, disk_written, net_received, net_sent; /* bytes per second */
    double frames;                                          /* per second */
    gboolean media_busy[VIT_MEDIA_LAST], net_busy;
} AppMeterSample;

typedef struct {
    VitStats last;
    gboolean have_last;
    AppMeterSample history[APP_METER_HISTORY]; /* a ring */
    guint count;                               /* samples ever added */
} AppMeter;

void app_meter_clear(AppMeter *meter);
void app_meter_add(AppMeter *meter, const VitStats *stats);
/* AGE 0 is the newest; zeros where there is none. */
const AppMeterSample *app_meter_get(const AppMeter *meter, guint age);

G_END_DECLS
