/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What an image is, by its first bytes, and the names of drivers that are not here. Thread: any. */

#include "blk-graph-private.h"

#include <string.h>

/* Names users of -blockdev and image tools know, without a driver here. */
static const struct {
    const char *name, *instead; /* NULL: nothing else does it */
} known_names[] = {
    { "rbd", "map the image with rbd-nbd and use the device or nbd://" },
    { "nfs", "mount the export and use the file" },
    { "nvme", "this program does not drive the host's NVMe controllers itself: leave it to the "
              "kernel and use /dev/nvmeXnY as host_device" },
    { "compress", NULL },
    { "replication", NULL },
    { "copy-before-write", "the job blockdev-backup does the same" },
    { "snapshot-access", NULL },
};

/* Drivers that this build may lack, and the library they need. */
static const struct {
    const char *name, *library;
} optional_drivers[] = {
    { "http", "libcurl" }, { "https", "libcurl" },  { "ftp", "libcurl" },   { "ftps", "libcurl" },
    { "ssh", "libssh" },   { "iscsi", "libiscsi" }, { "iser", "libiscsi" },
};

bool
blk_set_optional_driver_error(const char *name, GError **error)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(optional_drivers); i++) {
        if (strcmp(optional_drivers[i].name, name) == 0) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                        "This program was built without %s, which the block driver '%s' needs.",
                        optional_drivers[i].library, name);
            return true;
        }
    }
    return false;
}

static void
consider(const BlkDriver *driver, const uint8_t *buf, size_t len, const char *filename,
         const BlkDriver **best, int *best_score)
{
    int score = driver->probe ? driver->probe(buf, len, filename) : 0;

    if (score > *best_score) {
        *best = driver;
        *best_score = score;
    }
}

static const BlkDriver *
find_best_driver(BlkGraph *graph, const uint8_t *buf, size_t len, const char *filename)
{
    const BlkDriver *best = NULL;
    int score = 0;

    for (unsigned i = 0; blk_builtin_drivers[i]; i++) {
        consider(blk_builtin_drivers[i], buf, len, filename, &best, &score);
    }
    for (unsigned i = 0; i < graph->drivers->len; i++) {
        consider(g_ptr_array_index(graph->drivers, i), buf, len, filename, &best, &score);
    }
    return best;
}

const BlkDriver *
blk_probe(BlkGraph *graph, const uint8_t *buf, size_t len, const char *filename)
{
    const BlkDriver *best = find_best_driver(graph, buf, len, filename);

    return best ? best : &blk_raw_driver;
}

const char *
blk_probe_title(BlkGraph *graph, const uint8_t *buf, size_t len)
{
    const BlkDriver *best = find_best_driver(graph, buf, len, NULL);

    return best && best != &blk_raw_driver ? best->title : NULL;
}

void
blk_set_unknown_driver_error(BlkGraph *graph, const char *name, GError **error)
{
    g_autofree const char **drivers = blk_graph_list_drivers(graph);
    const char *nearest;

    if (blk_set_optional_driver_error(name, error)) {
        return;
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(known_names); i++) {
        if (strcmp(known_names[i].name, name) == 0) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                        "The block driver '%s' is not available yet%s%s.", name,
                        known_names[i].instead ? ": " : "",
                        known_names[i].instead ? known_names[i].instead : "");
            return;
        }
    }
    nearest = vit_nearest_name(name, drivers, g_strv_length((char **)drivers));
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "There is no block driver '%s'%s%s%s.", name, nearest ? "; did you mean '" : "",
                nearest ? nearest : "", nearest ? "'?" : "");
}
