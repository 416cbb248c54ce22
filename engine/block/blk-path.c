/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* File names of images: a path, SCHEME:..., json:{...}; and relative names, which are meant from
 * the folder of the image that says them (links are not followed). Thread: any. */

#include "blk-path.h"

#include "vit-error.h"

#include <string.h>

size_t
blk_path_scheme_len(const char *name)
{
    size_t len = strcspn(name, ":/");

    return name[len] == ':' && len > 0 ? len : 0;
}

/* Where the last part of BASE begins, behind its server if it has one. */
static size_t
folder_len(const char *base)
{
    size_t scheme = blk_path_scheme_len(base);
    const char *path = scheme > 0 ? base + scheme + 1 : base;
    const char *slash;

    if (scheme > 0 && g_str_has_prefix(path, "//")) {
        path += 2;
        path += strcspn(path, "/");
        if (!*path) {
            return 0; /* a server and no path */
        }
    }
    slash = strrchr(path, '/');
    return slash ? (size_t)(slash + 1 - base) : (size_t)(path - base);
}

char *
blk_path_resolve(const char *base, const char *name, GError **error)
{
    if (*name == '/' || blk_path_scheme_len(name) > 0) {
        return g_strdup(name);
    }
    if (!base || g_str_has_prefix(base, "json:")) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The relative name '%s' cannot be understood: the image that says it has no "
                    "file name of its own. Give the backing image with backing=.",
                    name);
        return NULL;
    }
    size_t len = folder_len(base);
    g_autofree char *folder = g_strndup(base, len);

    /* A bare server gets the slash it has not. */
    return g_strconcat(folder, len == 0 && blk_path_scheme_len(base) > 0 ? base : "",
                       len == 0 && blk_path_scheme_len(base) > 0 ? "/" : "", name, NULL);
}

char *
blk_path_as_seen_from(const char *base, const char *name)
{
    if (!name || *name == '/' || blk_path_scheme_len(name) > 0) {
        return g_strdup(name);
    }
    g_autofree char *whole = g_canonicalize_filename(name, NULL);
    if (!base || blk_path_scheme_len(base) > 0) {
        return g_steal_pointer(&whole);
    }
    g_autofree char *folder = g_path_get_dirname(base);
    g_autofree char *whole_folder = g_canonicalize_filename(folder, NULL);
    size_t len = strlen(whole_folder);
    bool is_below = g_str_has_prefix(whole, whole_folder) && whole[len] == '/';

    return g_strdup(is_below ? whole + len + 1 : whole);
}
