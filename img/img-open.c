/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Opening images as the command line names them. */

#include "img.h"

#include <string.h>

bool
img_open_take(ImgOpen *how, int id, const char *value)
{
    switch (id) {
    case 'f': how->format = value; return true;
    case 't':
    case 'T': how->cache = value; return true;
    case 'U': how->force_share = true; return true;
    case IMG_OPT_IMAGE_OPTS: how->image_opts = true; return true;
    default: return false;
    }
}

static bool
set_cache(BlkOptions *options, const char *cache, GError **error)
{
    static const struct {
        const char *name;
        bool direct, no_flush;
    } modes[] = {
        { "none", true, false },       { "off", true, false },
        { "writeback", false, false }, { "writethrough", false, false },
        { "directsync", true, false }, { "unsafe", false, true },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (strcmp(modes[i].name, cache) == 0) {
            blk_options_set(options, "cache.direct", modes[i].direct ? "on" : "off");
            blk_options_set(options, "cache.no-flush", modes[i].no_flush ? "on" : "off");
            return true;
        }
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "'%s' is not a cache mode: none, writeback, writethrough, directsync, unsafe.",
                cache);
    return false;
}

static BlkOptions *
open_options(const char *filename, const ImgOpen *how, GError **error)
{
    static const char *const secret_keys[] = { "key-secret", "encrypt.key-secret" };
    g_autoptr(BlkOptions) options = blk_options_new();

    if (how->image_opts && !img_parse_options(options, filename, error)) {
        return NULL;
    }
    if (how->image_opts && how->format) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "--image-opts and a format exclude each other: write driver=%s.", how->format);
        return NULL;
    }
    if (how->format) {
        blk_options_set(options, "driver", how->format);
    }
    for (unsigned i = 0; how->secrets && i < G_N_ELEMENTS(secret_keys); i++) {
        const char *secret = blk_options_get(how->secrets, secret_keys[i]);
        if (secret) {
            blk_options_set(options, secret_keys[i], secret);
        }
    }
    blk_options_set(options, "read-only", how->write ? "off" : "on");
    if (how->force_share) {
        blk_options_set(options, "force-share", "on");
    }
    if (how->no_backing) {
        blk_options_set(options, "backing", "");
    }
    if (how->backing_unlocked) {
        blk_options_set(options, "backing.force-share", "on");
    }
    if (how->for_check) {
        blk_options_set(options, "x-for-check", "on");
    }
    blk_options_set(options, "discard", "unmap");
    if (how->cache && !set_cache(options, how->cache, error)) {
        return NULL;
    }
    return g_steal_pointer(&options);
}

BlkNode *
img_try_open(BlkGraph *graph, const char *filename, const ImgOpen *how, GError **error)
{
    g_autoptr(BlkOptions) options = open_options(filename, how, error);

    return options ? blk_open(graph, how->image_opts ? NULL : filename, options, error) : NULL;
}

BlkNode *
img_open(BlkGraph *graph, const char *filename, const ImgOpen *how)
{
    GError *error = NULL;
    BlkNode *node = img_try_open(graph, filename, how, &error);
    BlkNodeInfo info;

    if (!node) {
        img_error_take(error);
        return NULL;
    }
    blk_node_get_info(node, &info);
    if (how->write && !how->quiet && info.probed && strcmp(info.driver, "raw") == 0) {
        img_warning("nobody said which format '%s' has, and it looks like raw data. Its first "
                    "sectors are guarded; write -f raw to say that it is raw.",
                    filename);
    }
    return node;
}

BlkImage *
img_attach(BlkNode *node, bool write)
{
    GError *error = NULL;
    BlkImage *image = blk_image_new(node, write, &error);

    if (!image) {
        img_error_take(error);
    }
    return image;
}
