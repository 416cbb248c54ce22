/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* How hard a machine works. Counters only ever grow, from its start on; speeds are differences of
 * two samples. Thread: the machine's context. */

#include "vit-media.h"

G_BEGIN_DECLS

typedef struct {
    gint64 host_ns;  /* monotonic, of this sample */
    gint64 guest_ns; /* the guest's clock; stands still while paused */
    gint64 cpu_ns;   /* host time spent on guest CPUs, all of them together */
    guint n_cpus;
    struct {
        guint64 read_bytes, written_bytes, requests;
    } drives[VIT_MEDIA_LAST];                   /* all drives of a role together */
    guint64 net_sent_bytes, net_received_bytes; /* as the guest sees it */
    guint64 frames;                             /* published for viewers, all screens */
} VitStats;

/* Signal of VitMachine: "stats" (): a new sample. */

/* A sample every INTERVAL_MS; 0, the default: none, and nothing is spent on it. */
void vit_machine_set_stats_interval(VitMachine *machine, guint interval_ms);
/* The newest sample, zeros before the first. Borrowed, until the next "stats". */
const VitStats *vit_machine_get_stats(VitMachine *machine);

G_END_DECLS
