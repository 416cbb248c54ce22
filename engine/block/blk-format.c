/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What formats share about their snapshots. Thread: any. */

#include "blk-format.h"

#include <string.h>

void
blk_snapshot_free(BlkSnapshot *snapshot)
{
    if (snapshot) {
        g_free(snapshot->id);
        g_free(snapshot->name);
        g_free(snapshot);
    }
}

const BlkSnapshot *
blk_snapshots_find(const GPtrArray *snapshots, const char *id_or_name)
{
    for (unsigned i = 0; i < snapshots->len; i++) {
        const BlkSnapshot *snapshot = g_ptr_array_index(snapshots, i);
        if (strcmp(snapshot->id, id_or_name) == 0) {
            return snapshot;
        }
    }
    for (unsigned i = 0; i < snapshots->len; i++) {
        const BlkSnapshot *snapshot = g_ptr_array_index(snapshots, i);
        if (strcmp(snapshot->name, id_or_name) == 0) {
            return snapshot;
        }
    }
    return NULL;
}
