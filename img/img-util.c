/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Messages, sizes, options and opening for the commands. */

#include "img.h"

#include "vit-prop.h"

#include <stdio.h>
#include <string.h>

static void
print_message(const char *head, const char *format, va_list args)
{
    g_autofree char *text = g_strdup_vprintf(format, args);

    fflush(stdout);
    fprintf(stderr, "vitrine-img: %s%s\n", head, text);
}

int
img_error(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_message("", format, args);
    va_end(args);
    return IMG_FAILED;
}

int
img_error_take(GError *error)
{
    img_error("%s", error->message);
    g_error_free(error);
    return IMG_FAILED;
}

void
img_warning(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_message("warning: ", format, args);
    va_end(args);
}

int
img_usage(void)
{
    fprintf(stderr, "Try 'vitrine-img --help' for more information\n");
    return IMG_FAILED;
}

int
img_not_yet(const char *what)
{
    return img_error("not available yet: %s", what);
}

/* ---- sizes and text ---- */

bool
img_parse_size(const char *text, uint64_t *out_size)
{
    return vit_parse_size(text, 'B', out_size) && *out_size <= INT64_MAX;
}

char *
img_format_size(uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    unsigned unit = 0;
    double value = (double)bytes;

    /* 999.5 and more would be printed with an exponent. */
    while (value >= 999.5 && unit + 1 < G_N_ELEMENTS(units)) {
        value /= 1024;
        unit++;
    }
    return g_strdup_printf("%.3g %s", value, units[unit]);
}

char *
img_json_string(const char *text)
{
    GString *out = g_string_new("\"");

    for (const char *at = text; *at; at++) {
        if (*at == '"' || *at == '\\') {
            g_string_append_c(out, '\\');
            g_string_append_c(out, *at);
        } else if ((unsigned char)*at < 0x20) {
            g_string_append_printf(out, "\\u%04x", *at);
        } else {
            g_string_append_c(out, *at);
        }
    }
    g_string_append_c(out, '"');
    return g_string_free(out, FALSE);
}

/* One "key=value" up to a single comma, with ",," for a comma; moves *AT past it. */
static char *
take_pair(const char **at)
{
    GString *pair = g_string_new(NULL);
    const char *p = *at;

    while (*p && (*p != ',' || p[1] == ',')) {
        p += *p == ',';
        g_string_append_c(pair, *p++);
    }
    *at = *p ? p + 1 : p;
    return g_string_free(pair, FALSE);
}

bool
img_parse_options(BlkOptions *options, const char *text, GError **error)
{
    while (*text) {
        g_autofree char *pair = take_pair(&text);
        char *equals = strchr(pair, '=');
        if (!*pair || equals == pair) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "'%s' is not of the form key=value.", pair);
            return false;
        }
        if (equals) {
            *equals = 0;
        }
        blk_options_set(options, pair, equals ? equals + 1 : "on");
    }
    return true;
}

/* ---- opening ---- */

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
    blk_options_set(options, "read-only", how->write ? "off" : "on");
    if (how->force_share) {
        blk_options_set(options, "force-share", "on");
    }
    if (how->cache && !set_cache(options, how->cache, error)) {
        return NULL;
    }
    return g_steal_pointer(&options);
}

BlkNode *
img_open(BlkGraph *graph, const char *filename, const ImgOpen *how)
{
    GError *error = NULL;
    g_autoptr(BlkOptions) options = open_options(filename, how, &error);
    BlkNode *node =
        options ? blk_open(graph, how->image_opts ? NULL : filename, options, &error) : NULL;
    BlkNodeInfo info;

    if (!node) {
        img_error_take(error);
        return NULL;
    }
    blk_node_get_info(node, &info);
    if (how->write && info.probed && strcmp(info.driver, "raw") == 0) {
        img_warning("nobody said which format '%s' has, and it looks like raw data. Its first "
                    "sectors are guarded; write -f raw to say that it is raw.",
                    filename);
    }
    return node;
}
