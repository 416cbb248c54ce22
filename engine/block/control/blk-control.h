/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The commands on images and jobs that monitors pass on: names, arguments and results are those of
 * the machine monitor's published interface (QMP). Monitors have checked names and types of the
 * arguments before.
 *
 * Thread: the graph's lock held, outside of fibers. */

#include "blk.h"

#include <json-glib/json-glib.h>

typedef struct BlkControlHost {
    /* By id or path of the device that uses it; NULL with ERROR. */
    VitDrive *(*find_drive)(void *opaque, const char *name, GError **error);
    /* Id or path of the device that uses DRIVE, or NULL. */
    const char *(*drive_user)(void *opaque, VitDrive *drive);
    void *opaque;
} BlkControlHost;

bool blk_control_has(const char *command);
/* NULL with ERROR. ARGS may be NULL. HOST may be NULL: then drives have no devices. */
JsonNode *blk_control_run(BlkGraph *graph, const BlkControlHost *host, const char *command,
                          JsonObject *args, GError **error);
