/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Flat option lists, and JSON into them. Order is kept so that messages speak of the first wrong
 * key as the user wrote it. Thread: any, one at a time. */

#include "blk-options.h"

#include "vit-error.h"
#include "vit-prop.h"

#include <json-glib/json-glib.h>
#include <string.h>

typedef struct Entry {
    char *key, *value;
} Entry;

struct BlkOptions {
    GArray *entries;
};

static void
entry_clear(gpointer data)
{
    Entry *entry = data;

    g_free(entry->key);
    g_free(entry->value);
}

BlkOptions *
blk_options_new(void)
{
    BlkOptions *options = g_new0(BlkOptions, 1);

    options->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    g_array_set_clear_func(options->entries, entry_clear);
    return options;
}

void
blk_options_free(BlkOptions *options)
{
    if (options) {
        g_array_unref(options->entries);
        g_free(options);
    }
}

BlkOptions *
blk_options_copy(const BlkOptions *options)
{
    BlkOptions *copy = blk_options_new();

    blk_options_add_missing(copy, options);
    return copy;
}

static Entry *
find_entry(const BlkOptions *options, const char *key)
{
    for (unsigned i = 0; i < options->entries->len; i++) {
        Entry *entry = &g_array_index(options->entries, Entry, i);
        if (strcmp(entry->key, key) == 0) {
            return entry;
        }
    }
    return NULL;
}

void
blk_options_set(BlkOptions *options, const char *key, const char *value)
{
    Entry *old = find_entry(options, key);

    if (old) {
        char *copy = g_strdup(value);
        g_free(old->value);
        old->value = copy;
    } else {
        Entry entry = { .key = g_strdup(key), .value = g_strdup(value) };
        g_array_append_val(options->entries, entry);
    }
}

const char *
blk_options_get(const BlkOptions *options, const char *key)
{
    const Entry *entry = find_entry(options, key);

    return entry ? entry->value : NULL;
}

char *
blk_options_take(BlkOptions *options, const char *key)
{
    Entry *entry = find_entry(options, key);
    char *value = NULL;

    if (entry) {
        value = g_steal_pointer(&entry->value);
        g_array_remove_index(options->entries, entry - (Entry *)options->entries->data);
    }
    return value;
}

BlkOptions *
blk_options_take_sub(BlkOptions *options, const char *prefix)
{
    size_t prefix_len = strlen(prefix);
    BlkOptions *sub = NULL;
    unsigned i = 0;

    while (i < options->entries->len) {
        Entry *entry = &g_array_index(options->entries, Entry, i);
        if (strncmp(entry->key, prefix, prefix_len) == 0 && entry->key[prefix_len] == '.') {
            if (!sub) {
                sub = blk_options_new();
            }
            blk_options_set(sub, entry->key + prefix_len + 1, entry->value);
            g_array_remove_index(options->entries, i);
        } else {
            i++;
        }
    }
    return sub;
}

void
blk_options_add_missing(BlkOptions *options, const BlkOptions *other)
{
    blk_options_add_prefixed(options, "", other);
}

void
blk_options_add_prefixed(BlkOptions *options, const char *prefix, const BlkOptions *other)
{
    for (unsigned i = 0; i < other->entries->len; i++) {
        const Entry *entry = &g_array_index(other->entries, Entry, i);
        g_autofree char *key = g_strconcat(prefix, entry->key, NULL);
        if (!find_entry(options, key)) {
            blk_options_set(options, key, entry->value);
        }
    }
}

const char *
blk_options_first_key(const BlkOptions *options)
{
    return options->entries->len ? g_array_index(options->entries, Entry, 0).key : NULL;
}

bool
blk_options_take_bool(BlkOptions *options, const char *key, bool *out_value, GError **error)
{
    g_autofree char *text = blk_options_take(options, key);

    if (text && !vit_parse_bool(text, out_value)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Option '%s' cannot be '%s'. Write %s=on or %s=off.", key, text, key, key);
        return false;
    }
    return true;
}

bool
blk_options_take_enum(BlkOptions *options, const char *key, const char *const *values,
                      int *out_index, GError **error)
{
    g_autofree char *text = blk_options_take(options, key);

    if (!text) {
        return true;
    }
    for (int i = 0; values[i]; i++) {
        if (strcmp(values[i], text) == 0) {
            *out_index = i;
            return true;
        }
    }
    g_autofree char *choices = g_strjoinv(", ", (char **)values);
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "Option '%s' cannot be '%s'. It takes one of: %s.", key, text, choices);
    return false;
}

/* ---- JSON ---- */

enum { MAX_JSON_DEPTH = 32, MAX_JSON_BRACKETS = 4096 };

static bool flatten_node(BlkOptions *options, const char *key, JsonNode *node, int depth,
                         GError **error);

static char *
join_key(const char *prefix, const char *name)
{
    return *prefix ? g_strconcat(prefix, ".", name, NULL) : g_strdup(name);
}

static bool
flatten_value(BlkOptions *options, const char *key, JsonNode *node)
{
    GType type = json_node_get_value_type(node);

    if (type == G_TYPE_BOOLEAN) {
        blk_options_set(options, key, json_node_get_boolean(node) ? "on" : "off");
    } else if (type == G_TYPE_STRING) {
        blk_options_set(options, key, json_node_get_string(node));
    } else if (type == G_TYPE_INT64) {
        g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node));
        blk_options_set(options, key, text);
    } else {
        char text[G_ASCII_DTOSTR_BUF_SIZE];
        blk_options_set(options, key,
                        g_ascii_dtostr(text, sizeof(text), json_node_get_double(node)));
    }
    return true;
}

static bool
flatten_object(BlkOptions *options, const char *key, JsonObject *object, int depth, GError **error)
{
    JsonObjectIter iter;
    const char *name;
    JsonNode *member;

    json_object_iter_init(&iter, object);
    while (json_object_iter_next(&iter, &name, &member)) {
        g_autofree char *sub_key = join_key(key, name);
        if (!flatten_node(options, sub_key, member, depth + 1, error)) {
            return false;
        }
    }
    return true;
}

static bool
flatten_array(BlkOptions *options, const char *key, JsonArray *array, int depth, GError **error)
{
    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        g_autofree char *sub_key = g_strdup_printf("%s.%u", key, i);
        if (!flatten_node(options, sub_key, json_array_get_element(array, i), depth + 1, error)) {
            return false;
        }
    }
    return true;
}

static bool
flatten_node(BlkOptions *options, const char *key, JsonNode *node, int depth, GError **error)
{
    if (depth > MAX_JSON_DEPTH) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The JSON description of an image is nested more than %d deep.",
                    MAX_JSON_DEPTH);
        return false;
    }
    switch (json_node_get_node_type(node)) {
    case JSON_NODE_OBJECT:
        return flatten_object(options, key, json_node_get_object(node), depth, error);
    case JSON_NODE_ARRAY:
        return flatten_array(options, key, json_node_get_array(node), depth, error);
    case JSON_NODE_NULL: blk_options_set(options, key, ""); return true;
    default: return flatten_value(options, key, node);
    }
}

BlkOptions *
blk_options_from_object(JsonObject *object, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_new();

    if (object && !flatten_object(options, "", object, 0, error)) {
        return NULL;
    }
    return g_steal_pointer(&options);
}

BlkOptions *
blk_options_from_json(const char *text, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(BlkOptions) options = blk_options_new();
    g_autoptr(GError) cause = NULL;
    JsonNode *root;
    unsigned brackets = 0;

    /* The parser recurses; names come from images too. */
    for (const char *at = text; *at; at++) {
        brackets += *at == '{' || *at == '[';
    }
    if (brackets > MAX_JSON_BRACKETS) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The JSON description of an image has more than %d brackets.",
                    MAX_JSON_BRACKETS);
        return NULL;
    }
    if (!json_parser_load_from_data(parser, text, -1, &cause)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The JSON description of an image cannot be read: %s", cause->message);
        return NULL;
    }
    root = json_parser_get_root(parser);
    if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The JSON description of an image is not an object: write "
                    "json:{\"driver\": ..., ...}.");
        return NULL;
    }
    if (!flatten_node(options, "", root, 0, error)) {
        return NULL;
    }
    return g_steal_pointer(&options);
}
