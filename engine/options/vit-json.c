/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* JSON arguments of -blockdev, -device, -object: read into dotted keys, so that the rest of the
 * code sees one form, and written back as nested objects. Specification: RFC 8259. Deviation:
 * nesting deeper than 32 and the character U+0000 are refused.
 * Thread: any; nothing here keeps state. */

#include <string.h>

#include "vit-json.h"

enum { MAX_DEPTH = 32 };

typedef struct {
    const char *text;
    size_t len, at;
    GArray *leaves;
    GString *path;
    const char *message;
    size_t key_start, key_end;
} Reader;

static void
leaf_clear(gpointer data)
{
    VitJsonLeaf *leaf = data;

    g_free(leaf->key);
    g_free(leaf->value);
}

static bool
fail(Reader *reader, const char *message)
{
    if (reader->message == NULL)
        reader->message = message;
    return false;
}

static void
skip_space(Reader *reader)
{
    while (reader->at < reader->len && memchr(" \t\r\n", reader->text[reader->at], 4) != NULL)
        reader->at++;
}

static char
peek(Reader *reader)
{
    skip_space(reader);
    return reader->at < reader->len ? reader->text[reader->at] : '\0';
}

static bool
expect(Reader *reader, char c, const char *message)
{
    if (peek(reader) != c)
        return fail(reader, message);
    reader->at++;
    return true;
}

static int
read_hex4(Reader *reader)
{
    int value = 0;

    if (reader->len - reader->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = g_ascii_xdigit_value(reader->text[reader->at + i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    reader->at += 4;
    return value;
}

static bool
read_unicode(Reader *reader, GString *out)
{
    int code = read_hex4(reader);

    if (code <= 0)
        return fail(reader, "\\u needs four hexadecimal digits other than 0000");
    if (code >= 0xd800 && code <= 0xdbff) {
        if (reader->len - reader->at < 6 || memcmp(reader->text + reader->at, "\\u", 2) != 0)
            return fail(reader, "half of a surrogate pair");
        reader->at += 2;
        int low = read_hex4(reader);
        if (low < 0xdc00 || low > 0xdfff)
            return fail(reader, "half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code <= 0xdfff) {
        return fail(reader, "half of a surrogate pair");
    }
    g_string_append_unichar(out, (gunichar)code);
    return true;
}

static bool
read_string(Reader *reader, GString *out)
{
    static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";

    if (!expect(reader, '"', "a string in double quotes is expected here"))
        return false;
    while (reader->at < reader->len && reader->text[reader->at] != '"') {
        char c = reader->text[reader->at++];

        if (c != '\\') {
            g_string_append_c(out, c);
            continue;
        }
        if (reader->at >= reader->len)
            break;
        c = reader->text[reader->at++];
        const char *escape = c != '\0' ? strchr(escapes, c) : NULL;
        if (escape != NULL)
            g_string_append_c(out, meanings[escape - escapes]);
        else if (c != 'u')
            return fail(reader, "no such escape");
        else if (!read_unicode(reader, out))
            return false;
    }
    if (reader->at >= reader->len)
        return fail(reader, "the string is not closed");
    reader->at++;
    return true;
}

static void
add_leaf(Reader *reader, VitJsonType type, const char *value, size_t start)
{
    VitJsonLeaf leaf = {
        .key = g_strdup(reader->path->str),
        .value = g_strdup(value),
        .type = type,
        .key_start = reader->key_start,
        .key_end = reader->key_end,
        .start = start,
        .end = reader->at,
    };
    g_array_append_val(reader->leaves, leaf);
}

static bool
is_json_number(const char *text)
{
    const char *c = text;

    if (*c == '-')
        c++;
    if (!g_ascii_isdigit(*c) || (*c == '0' && g_ascii_isdigit(c[1])))
        return false;
    while (g_ascii_isdigit(*c))
        c++;
    if (*c == '.') {
        if (!g_ascii_isdigit(*++c))
            return false;
        while (g_ascii_isdigit(*c))
            c++;
    }
    if (*c == 'e' || *c == 'E') {
        c++;
        if (*c == '+' || *c == '-')
            c++;
        if (!g_ascii_isdigit(*c))
            return false;
        while (g_ascii_isdigit(*c))
            c++;
    }
    return *c == '\0';
}

static bool
read_word(Reader *reader)
{
    size_t start = reader->at;

    while (reader->at < reader->len && (g_ascii_isalnum(reader->text[reader->at]) ||
                                        memchr("+-.", reader->text[reader->at], 3) != NULL))
        reader->at++;
    g_autofree char *word = g_strndup(reader->text + start, reader->at - start);
    if (strcmp(word, "true") == 0)
        add_leaf(reader, VIT_JSON_BOOL, "on", start);
    else if (strcmp(word, "false") == 0)
        add_leaf(reader, VIT_JSON_BOOL, "off", start);
    else if (strcmp(word, "null") == 0)
        add_leaf(reader, VIT_JSON_NULL, "", start);
    else if (is_json_number(word))
        add_leaf(reader, VIT_JSON_NUMBER, word, start);
    else {
        reader->at = start;
        return fail(reader, "a value is expected here");
    }
    return true;
}

static bool read_value(Reader *reader, unsigned depth);

/* Reads one member of the collection; INDEX is its number in an array, -1 in an object. */
static bool
read_member(Reader *reader, int index, unsigned depth)
{
    size_t path_len = reader->path->len;
    bool is_top = depth == 1;
    bool ok = true;

    if (!is_top)
        g_string_append_c(reader->path, '.');
    if (index >= 0) {
        g_string_append_printf(reader->path, "%d", index);
    } else {
        skip_space(reader);
        reader->key_start = reader->at;
        ok = read_string(reader, reader->path);
        reader->key_end = reader->at;
        ok = ok && expect(reader, ':', "':' is missing");
    }
    ok = ok && read_value(reader, depth);
    g_string_truncate(reader->path, path_len);
    return ok;
}

static bool
read_collection(Reader *reader, char close, unsigned depth)
{
    size_t start = reader->at++;
    bool is_array = close == ']';

    if (depth >= MAX_DEPTH)
        return fail(reader, "nested too deeply");
    if (peek(reader) == close) {
        reader->at++;
        if (depth > 0)
            add_leaf(reader, is_array ? VIT_JSON_EMPTY_ARRAY : VIT_JSON_EMPTY_OBJECT,
                     is_array ? "[]" : "{}", start);
        return true;
    }
    for (int index = 0;; index++) {
        if (!read_member(reader, is_array ? index : -1, depth + 1))
            return false;
        if (peek(reader) == close) {
            reader->at++;
            return true;
        }
        if (!expect(reader, ',', is_array ? "',' or ']' is missing" : "',' or '}' is missing"))
            return false;
    }
}

static bool
read_value(Reader *reader, unsigned depth)
{
    char c = peek(reader);
    size_t start = reader->at;

    if (c == '{')
        return read_collection(reader, '}', depth);
    if (c == '[')
        return read_collection(reader, ']', depth);
    if (c != '"')
        return read_word(reader);
    g_autoptr(GString) value = g_string_new(NULL);
    if (!read_string(reader, value))
        return false;
    add_leaf(reader, VIT_JSON_STRING, value->str, start);
    return true;
}

GArray *
vit_json_flatten(const char *text, size_t len, size_t *out_at, const char **out_message)
{
    g_autoptr(GString) path = g_string_new(NULL);
    Reader reader = { .text = text, .len = len, .path = path };

    reader.leaves = g_array_new(FALSE, TRUE, sizeof(VitJsonLeaf));
    g_array_set_clear_func(reader.leaves, leaf_clear);
    bool ok = peek(&reader) == '{' ? read_collection(&reader, '}', 0)
                                   : fail(&reader, "'{' is expected here");
    if (ok && peek(&reader) != '\0')
        ok = fail(&reader, "nothing may follow the closing '}'");
    if (ok)
        return reader.leaves;
    *out_at = MIN(reader.at, len);
    *out_message = reader.message;
    g_array_unref(reader.leaves);
    return NULL;
}

/* ---- writing ------------------------------------------------------------------------------- */

void
vit_json_append_string(GString *out, const char *text)
{
    g_string_append_c(out, '"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            g_string_append_printf(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            g_string_append_printf(out, "\\u%04x", (unsigned char)*text);
        else
            g_string_append_c(out, *text);
    }
    g_string_append_c(out, '"');
}

typedef struct {
    const char *const *keys, *const *values;
    const uint8_t *types;
} Leaves;

static void
write_leaf(GString *out, const char *value, VitJsonType type)
{
    switch (type) {
    case VIT_JSON_NUMBER:
    case VIT_JSON_EMPTY_ARRAY:
    case VIT_JSON_EMPTY_OBJECT: g_string_append(out, value); return;
    case VIT_JSON_BOOL: g_string_append(out, strcmp(value, "on") == 0 ? "true" : "false"); return;
    case VIT_JSON_NULL: g_string_append(out, "null"); return;
    default: vit_json_append_string(out, value); return;
    }
}

/* Writes the leaves INDEXES, whose keys agree in their first SKIP bytes. */
static void
write_level(GString *out, const Leaves *leaves, GArray *indexes, size_t skip, bool is_top,
            unsigned depth)
{
    g_autoptr(GHashTable) groups = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) members = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    bool is_array = !is_top;

    for (unsigned i = 0; i < indexes->len; i++) {
        unsigned leaf = g_array_index(indexes, unsigned, i);
        const char *rest = leaves->keys[leaf] + skip;
        /* Past the depth that can be read back, keys stay dotted. */
        const char *end = depth < MAX_DEPTH - 2 ? strchrnul(rest, '.') : rest + strlen(rest);
        g_autofree char *name = g_strndup(rest, (size_t)(end - rest));
        GArray *group = g_hash_table_lookup(groups, name);

        if (group == NULL) {
            g_autofree char *number = g_strdup_printf("%u", names->len);
            is_array = is_array && strcmp(name, number) == 0;
            group = g_array_new(FALSE, FALSE, sizeof(unsigned));
            g_ptr_array_add(members, group);
            g_ptr_array_add(names, g_strdup(name));
            g_hash_table_insert(groups, g_ptr_array_index(names, names->len - 1), group);
        }
        g_array_append_val(group, leaf);
    }
    g_string_append_c(out, is_array ? '[' : '{');
    for (unsigned i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        GArray *group = g_ptr_array_index(members, i);
        unsigned last = g_array_index(group, unsigned, group->len - 1);
        size_t next = skip + strlen(name);

        if (i > 0)
            g_string_append_c(out, ',');
        if (!is_array) {
            vit_json_append_string(out, name);
            g_string_append_c(out, ':');
        }
        if (leaves->keys[last][next] == '\0') {
            write_leaf(out, leaves->values[last], leaves->types[last]);
            continue;
        }
        /* A leaf that is also the beginning of others loses against them. */
        for (unsigned j = group->len; j-- > 0;)
            if (leaves->keys[g_array_index(group, unsigned, j)][next] == '\0')
                g_array_remove_index(group, j);
        write_level(out, leaves, group, next + 1, false, depth + 1);
    }
    g_string_append_c(out, is_array ? ']' : '}');
}

void
vit_json_write(GString *out, unsigned n, const char *const *keys, const char *const *values,
               const uint8_t *types)
{
    Leaves leaves = { keys, values, types };
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(unsigned));

    for (unsigned i = 0; i < n; i++)
        g_array_append_val(all, i);
    write_level(out, &leaves, all, 0, true, 0);
}
