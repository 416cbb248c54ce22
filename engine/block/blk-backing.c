/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Backing chains: which image lies below one, and reading through.
 *
 * A format's open tells what its header names (node->backing_file, backing_format); the options
 * backing=NODE, backing= (none) and backing.KEY=... come before it. A chain may not come back to a
 * file it has passed, nor be longer than BLK_CHAIN_MAX.
 *
 * Thread: the graph's lock held; reading in a fiber. */

#include "blk-backing.h"

#include "blk-path.h"

#include <string.h>
#include <sys/stat.h>

/* ---- opening ---- */

static const char *
protocol_filename(const BlkNode *node)
{
    return node->file ? protocol_filename(node->file->node) : node->filename;
}

static bool
is_same_file(const char *a, const char *b)
{
    struct stat a_stat, b_stat;

    if (!a || !b) {
        return false;
    }
    if (strcmp(a, b) == 0) {
        return true;
    }
    return stat(a, &a_stat) == 0 && stat(b, &b_stat) == 0 && a_stat.st_dev == b_stat.st_dev &&
           a_stat.st_ino == b_stat.st_ino;
}

/* Looks NAME up among the images already passed. */
static bool
check_chain(const BlkOpenScope *scope, const char *name, GError **error)
{
    unsigned depth = 0;

    if (g_str_has_prefix(name, "file:")) {
        name += strlen("file:");
    }
    for (const BlkOpenScope *at = scope; at; at = at->above) {
        if (is_same_file(protocol_filename(at->node), name)) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "'%s' is its own backing image: the chain below '%s' goes in a circle.",
                        name, at->node->filename);
            return false;
        }
        depth++;
    }
    if (depth >= BLK_CHAIN_MAX) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' has more than %d images below it; commit some of them.",
                    scope->node->filename, BLK_CHAIN_MAX);
        return false;
    }
    return true;
}

static bool
add_json(BlkOptions *options, const char *name, GError **error)
{
    g_autoptr(BlkOptions) json = blk_options_from_json(name + strlen("json:"), error);

    if (json) {
        blk_options_add_missing(options, json);
    }
    return json != NULL;
}

bool
blk_backing_prepare(BlkNode *node, const BlkOpenScope *scope, BlkOptions *options, bool *out_wanted,
                    GError **error)
{
    /* The user may have named another file, or a whole description. */
    bool is_named = blk_options_get(options, "file") || blk_options_get(options, "file.filename") ||
                    blk_options_get(options, "file.driver") || blk_options_get(options, "filename");
    g_autofree char *resolved = NULL;

    *out_wanted = is_named || node->backing_file;
    if (!*out_wanted) {
        return true;
    }
    if (is_named) {
        const char *file = blk_options_get(options, "file.filename");
        return check_chain(scope, file ? file : "", error);
    }
    resolved = blk_path_resolve(node->file ? node->file->node->filename : node->filename,
                                node->backing_file, error);
    if (!resolved || !check_chain(scope, resolved, error)) {
        return false;
    }
    g_free(node->backing_path);
    node->backing_path = g_steal_pointer(&resolved);
    if (node->backing_format && !blk_options_get(options, "driver")) {
        blk_options_set(options, "driver", node->backing_format);
    }
    if (g_str_has_prefix(node->backing_path, "json:")) {
        return add_json(options, node->backing_path, error);
    }
    return blk_options_add_filename(node->graph, options, node->backing_path, error);
}

/* ---- reading ---- */

int
blk_read_backing(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    uint64_t backing_len = node->backing ? blk_node_get_len(node->backing->node) : 0;
    uint64_t there = offset >= backing_len ? 0 : MIN(len, backing_len - offset);
    int ret = there > 0 ? blk_read(node->backing, offset, there, vec, at) : 0;

    if (ret == 0 && there < len) {
        blk_vec_fill(vec, at + there, len - there, 0);
    }
    return ret;
}

/* ---- changing ---- */

bool
blk_node_change_backing_file(BlkNode *node, const char *file, const char *format, GError **error)
{
    if (!node->driver->format || !node->driver->format->change_backing) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': images in format '%s' have no backing image.", node->filename,
                    node->driver->name);
        return false;
    }
    if (node->read_only) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION, "'%s' is open read-only.",
                    node->filename);
        return false;
    }
    if (file && !*file) {
        file = NULL;
    }
    if (!node->driver->format->change_backing(node, file, file ? format : NULL, error)) {
        return false;
    }
    char *old_file = node->backing_file, *old_format = node->backing_format;
    node->backing_file = g_strdup(file);
    node->backing_format = g_strdup(file ? format : NULL);
    g_free(old_file);
    g_free(old_format);
    g_free(node->backing_path);
    node->backing_path =
        file ? blk_path_resolve(node->file ? node->file->node->filename : NULL, file, NULL) : NULL;
    return true;
}
