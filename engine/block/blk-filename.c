/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* From a file name to the options of the protocol node it means. A driver that understands more
 * of its names than "filename=" takes them apart itself. Thread: the graph's lock held. */

#include "blk-graph-private.h"
#include "blk-path.h"

#include <string.h>
#include <sys/stat.h>

static const BlkDriver *
find_scheme(BlkGraph *graph, const char *scheme)
{
    for (unsigned i = 0; blk_builtin_drivers[i]; i++) {
        const BlkDriver *driver = blk_builtin_drivers[i];
        if (driver->schemes && g_strv_contains(driver->schemes, scheme)) {
            return driver;
        }
    }
    for (unsigned i = 0; i < graph->drivers->len; i++) {
        const BlkDriver *driver = g_ptr_array_index(graph->drivers, i);
        if (driver->schemes && g_strv_contains(driver->schemes, scheme)) {
            return driver;
        }
    }
    return NULL;
}

static const char *
local_driver_name(const char *path)
{
    struct stat st;

    if (g_str_has_prefix(path, "/dev/cd") || g_str_has_prefix(path, "/dev/sr")) {
        return "host_cdrom";
    }
    if (stat(path, &st) == 0 && (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode))) {
        return "host_device";
    }
    return "file";
}

static bool
set_scheme_error(const char *filename, const char *scheme, GError **error)
{
    static const char *const later[] = {
        "rbd", "nfs", "fat", "nvme", "nbd+ssh", "vvfat", "blklogwrites", NULL,
    };

    if (blk_set_optional_driver_error(scheme, error)) {
        return false;
    }
    if (g_strv_contains(later, scheme)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                    "'%s': images over '%s:' are not available yet; use a local file.", filename,
                    scheme);
    } else {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' names the protocol '%s', which does not exist. For a file whose name has "
                    "a colon, write ./ before it.",
                    filename, scheme);
    }
    return false;
}

/* What the driver makes of FILENAME, or just that name, as keys preceded by PREFIX. */
static bool
add_parsed_name(const BlkDriver *driver, BlkOptions *options, const char *prefix,
                const char *filename, GError **error)
{
    g_autoptr(BlkOptions) parsed = blk_options_new();

    if (!driver || !driver->parse_filename) {
        blk_options_set(parsed, "filename", filename);
    } else if (!driver->parse_filename(filename, parsed, error)) {
        return false;
    }
    blk_options_add_prefixed(options, prefix, parsed);
    return true;
}

bool
blk_options_add_protocol_name(BlkGraph *graph, BlkOptions *options, const char *prefix,
                              const char *filename, GError **error)
{
    g_autofree char *driver_key = g_strconcat(prefix, "driver", NULL);
    size_t len = blk_path_scheme_len(filename);
    const BlkDriver *driver = NULL;
    const char *driver_name;

    if (len > 0 && !g_str_has_prefix(filename, "file:")) {
        g_autofree char *scheme = g_strndup(filename, len);
        driver = find_scheme(graph, scheme);
        if (!driver) {
            return set_scheme_error(filename, scheme, error);
        }
        driver_name = driver->name;
    } else {
        filename += len > 0 ? len + 1 : 0;
        driver_name = local_driver_name(filename);
    }
    if (!blk_options_get(options, driver_key)) {
        blk_options_set(options, driver_key, driver_name);
    }
    return add_parsed_name(driver, options, prefix, filename, error);
}

bool
blk_options_add_filename(BlkGraph *graph, BlkOptions *options, const char *filename, GError **error)
{
    const char *driver_name = blk_options_get(options, "driver");
    const BlkDriver *driver = driver_name ? blk_graph_find_driver(graph, driver_name) : NULL;

    if (driver && driver->role == BLK_ROLE_PROTOCOL) {
        return add_parsed_name(driver, options, "", filename, error);
    }
    return blk_options_add_protocol_name(graph, options, "file.", filename, error);
}
