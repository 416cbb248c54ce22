/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What an image is, by its first bytes, and what is known of formats and protocols that have no
 * driver here: an image in one of those is refused by name, never taken for raw by accident.
 * Magic numbers are those of the formats' published descriptions. Thread: any. */

#include "blk-graph-private.h"

#include <string.h>

typedef struct KnownFormat {
    const char *name, *title;
    uint16_t at, len;
    const char *magic;
} KnownFormat;

/* Formats with a magic number and no driver here. */
static const KnownFormat known_formats[] = {
    { "qcow", "qcow", 0, 4, "QFI\xfb" },
};

/* Names users of -blockdev and image tools know. */
static const char *const known_names[] = {
    "qcow",         "rbd",
    "nfs",          "nvme",
    "compress",     "quorum",
    "replication",  "copy-before-write",
    "blklogwrites", "snapshot-access",
    "blkreplay",    "preallocate",
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

static const KnownFormat *
find_known_format(const uint8_t *buf, size_t len)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(known_formats); i++) {
        const KnownFormat *known = &known_formats[i];
        if (known->at + known->len <= len &&
            memcmp(buf + known->at, known->magic, known->len) == 0) {
            return known;
        }
    }
    return NULL;
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
blk_probe(BlkGraph *graph, const uint8_t *buf, size_t len, const char *filename, GError **error)
{
    const BlkDriver *best = find_best_driver(graph, buf, len, filename);
    const KnownFormat *known;

    if (best && best != &blk_raw_driver) {
        return best;
    }
    known = find_known_format(buf, len);
    if (known) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                    "'%s' is an image in format %s, which is not available yet: convert it to a "
                    "raw image first, or write format=raw to use its bytes as they are.",
                    filename ? filename : "the image", known->name);
        return NULL;
    }
    return &blk_raw_driver;
}

const char *
blk_probe_title(BlkGraph *graph, const uint8_t *buf, size_t len)
{
    const BlkDriver *best = find_best_driver(graph, buf, len, NULL);
    const KnownFormat *known = find_known_format(buf, len);

    if (best && best != &blk_raw_driver) {
        return best->title;
    }
    return known ? known->title : NULL;
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
        if (strcmp(known_names[i], name) == 0) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                        "The block driver '%s' is not available yet.", name);
            return;
        }
    }
    nearest = vit_nearest_name(name, drivers, g_strv_length((char **)drivers));
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "There is no block driver '%s'%s%s%s.", name, nearest ? "; did you mean '" : "",
                nearest ? nearest : "", nearest ? "'?" : "");
}
