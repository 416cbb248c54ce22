/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Messages, sizes, options and progress for the commands. */

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

/* ---- sizes and text ---- */

bool
img_parse_size(const char *text, uint64_t *out_size)
{
    return vit_parse_size(text, 'B', out_size) && *out_size <= INT64_MAX;
}

bool
img_take_size(const char *text, uint64_t *out_size)
{
    if (!img_parse_size(text, out_size)) {
        img_error("'%s' is not a size: a number of bytes, or with a suffix k, M, G, T, P or E.",
                  text);
        return false;
    }
    return true;
}

bool
img_parse_preallocation(const char *text, BlkPreallocation *out)
{
    static const char *const words[] = { "off", "metadata", "falloc", "full" };

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        if (strcmp(words[i], text) == 0) {
            *out = (BlkPreallocation)i;
            return true;
        }
    }
    img_error("'%s' is not a preallocation mode: off, metadata, falloc, full", text);
    return false;
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

/* ---- progress ---- */

void
img_progress_show(ImgProgress *progress, uint64_t done, uint64_t total)
{
    int percent = total ? (int)((double)done * 10000.0 / (double)total) : 10000;

    if (progress->enabled && percent != progress->last) {
        progress->last = percent;
        printf("    (%d.%02d/100%%)\r", percent / 100, percent % 100);
        fflush(stdout);
    }
}

void
img_progress_end(ImgProgress *progress)
{
    if (progress->enabled) {
        printf("\n");
    }
}
