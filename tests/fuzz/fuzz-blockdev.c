/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Descriptions of block nodes, as JSON or as key=value words: read, and opened where all drivers
 * they name keep to this process. */

#include "blk-options.h"
#include "blk.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 2048 };

static const char *const words[] = {
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "null",
    "true",
    "false",
    "0",
    "-1",
    "4096",
    "1e300",
    "{\"driver\":",
    "\"driver\":",
    "\"null-co\"",
    "\"null-aio\"",
    "\"raw\"",
    "\"throttle\"",
    "\"copy-on-read\"",
    "\"file\":",
    "\"backing\":",
    "\"size\":",
    "\"offset\":",
    "\"read-only\":",
    "\"node-name\":",
    "\"n\"",
    "\"cache\":",
    "\"direct\":",
    "\"file.driver\":",
    "\"read-zeroes\":",
    "\"latency-ns\":",
    "\"detect-zeroes\":",
    "\"discard\":",
    "\"unmap\"",
    "\"on\"",
    "\"off\"",
    "driver=",
    "file.driver=",
    "null-co",
    "raw",
    "size=",
    "file.size=",
    "node-name=",
    "x",
    ".",
    "=",
    "\\u0000",
    "\\ud800",
    "\xc3\xa9",
    "\"auto-read-only\":",
    "\"force-share\":",
    "\"4k\"",
    "1T",
};

static char *
make_text(const uint8_t *data, size_t size, bool use_words)
{
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < size && text->len < MAX_BYTES; i++) {
        if (use_words) {
            g_string_append(text, words[data[i] % G_N_ELEMENTS(words)]);
        } else if (data[i]) {
            g_string_append_c(text, (char)data[i]);
        }
    }
    return g_string_free(text, FALSE);
}

static BlkOptions *
options_of_words(const char *text)
{
    BlkOptions *options = blk_options_new();
    g_auto(GStrv) pairs = g_strsplit(text, ",", -1);

    for (char **pair = pairs; *pair; pair++) {
        char *equals = strchr(*pair, '=');
        if (equals && equals > *pair) {
            *equals = '\0';
            blk_options_set(options, *pair, equals + 1);
        }
    }
    return options;
}

static bool
stays_here(const BlkOptions *options)
{
    static const char *const allowed[] = { "null-co",  "null-aio",     "raw",
                                           "throttle", "copy-on-read", NULL };
    g_autoptr(BlkOptions) copy = blk_options_copy(options);
    const char *key;
    bool has_driver = false;

    while ((key = blk_options_first_key(copy))) {
        g_autofree char *name = g_strdup(key), *value = blk_options_take(copy, name);
        bool is_driver = g_str_has_suffix(name, "driver");
        if (is_driver && !g_strv_contains(allowed, value)) {
            return false;
        }
        if (g_str_has_suffix(name, "filename") || strcmp(name, "file") == 0) {
            return false;
        }
        has_driver = has_driver || is_driver;
    }
    return has_driver;
}

static void
open_it(BlkOptions *options)
{
    BlkGraph *graph = blk_graph_new(NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;
    BlkNode *node = blk_open(graph, NULL, options, &error);
    uint8_t buf[512];

    g_assert_true((node == NULL) == (error != NULL));
    if (node) {
        BlkImage *image = blk_image_new(node, false, NULL);
        if (image && blk_image_get_len(image) >= sizeof(buf)) {
            blk_image_read(image, 0, buf, sizeof(buf));
        }
        blk_image_free(image);
        blk_node_unref(node);
    }
    blk_graph_free(graph);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(BlkOptions) options = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    if (size < 2) {
        return 0;
    }
    text = make_text(data + 1, size - 1, data[0] & 1);
    if (data[0] & 2) {
        options = options_of_words(text);
    } else {
        options = blk_options_from_json(text, &error);
        g_assert_true((options == NULL) == (error != NULL));
    }
    if (options && stays_here(options)) {
        open_it(options);
    }
    return 0;
}
