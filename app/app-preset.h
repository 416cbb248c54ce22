/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Machines by era: what to give a guest of a time, as arguments and sizes. Thread: any; const. */

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    const char *id, *title;
    const char *arguments;       /* beside memory, processors and disks */
    const char *disk_bus;        /* if= of -drive */
    guint ram_mib, most_ram_mib; /* advised; what the guest can use, 0: any */
    guint cpus, most_cpus;
    guint disk_mib;
} AppPreset;

/* In the order they are shown; NULL past the last. */
const AppPreset *app_preset_nth(guint index);
/* The one called ID, or the one for anything when there is none. */
const AppPreset *app_preset_find(const char *id);

G_END_DECLS
