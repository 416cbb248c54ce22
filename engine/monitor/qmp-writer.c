/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Writes JSON the way QMP clients are used to see it: a space after ':' and ',', nothing but ASCII,
 * and with `pretty` four spaces per level. Thread: its user's. */

#include "qmp.h"

#include <string.h>

static void write_node(GString *out, JsonNode *node, bool pretty, unsigned level);

static void
write_escaped(GString *out, gunichar c)
{
    if (c >= 0x10000) {
        c -= 0x10000;
        g_string_append_printf(out, "\\u%04x\\u%04x", 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
    } else {
        g_string_append_printf(out, "\\u%04x", c);
    }
}

static void
write_string(GString *out, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);

    g_string_append_c(out, '"');
    for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        const char *names = "\"\"\\\\\bb\ff\nn\rr\tt", *name;
        for (name = names; *name && (gunichar)*name != c; name += 2) {
        }
        if (*name) {
            g_string_append_c(out, '\\');
            g_string_append_c(out, name[1]);
        } else if (c < 0x20 || c >= 0x7f) {
            write_escaped(out, c);
        } else {
            g_string_append_c(out, c);
        }
    }
    g_string_append_c(out, '"');
}

static void
new_line(GString *out, bool pretty, unsigned level)
{
    if (pretty) {
        g_string_append_printf(out, "\n%*s", level * 4, "");
    }
}

static void
separate(GString *out, bool pretty, bool is_first)
{
    if (!is_first) {
        g_string_append(out, pretty ? "," : ", ");
    }
}

static void
write_object(GString *out, JsonObject *object, bool pretty, unsigned level)
{
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;
    bool is_first = true;

    g_string_append_c(out, '{');
    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &name, &node)) {
        separate(out, pretty, is_first);
        new_line(out, pretty, level + 1);
        write_string(out, name);
        g_string_append(out, ": ");
        write_node(out, node, pretty, level + 1);
        is_first = false;
    }
    if (!is_first) {
        new_line(out, pretty, level);
    }
    g_string_append_c(out, '}');
}

static void
write_array(GString *out, JsonArray *array, bool pretty, unsigned level)
{
    unsigned len = json_array_get_length(array);

    g_string_append_c(out, '[');
    for (unsigned i = 0; i < len; i++) {
        separate(out, pretty, i == 0);
        new_line(out, pretty, level + 1);
        write_node(out, json_array_get_element(array, i), pretty, level + 1);
    }
    if (len > 0) {
        new_line(out, pretty, level);
    }
    g_string_append_c(out, ']');
}

static void
write_value(GString *out, JsonNode *node)
{
    char buf[G_ASCII_DTOSTR_BUF_SIZE];

    switch (json_node_get_value_type(node)) {
    case G_TYPE_STRING: write_string(out, json_node_get_string(node)); break;
    case G_TYPE_BOOLEAN:
        g_string_append(out, json_node_get_boolean(node) ? "true" : "false");
        break;
    case G_TYPE_DOUBLE:
        g_string_append(out, g_ascii_dtostr(buf, sizeof(buf), json_node_get_double(node)));
        break;
    default: g_string_append_printf(out, "%" G_GINT64_FORMAT, json_node_get_int(node));
    }
}

static void
write_node(GString *out, JsonNode *node, bool pretty, unsigned level)
{
    switch (json_node_get_node_type(node)) {
    case JSON_NODE_OBJECT: write_object(out, json_node_get_object(node), pretty, level); break;
    case JSON_NODE_ARRAY: write_array(out, json_node_get_array(node), pretty, level); break;
    case JSON_NODE_VALUE: write_value(out, node); break;
    case JSON_NODE_NULL: g_string_append(out, "null"); break;
    }
}

void
qmp_write(GString *out, JsonNode *node, bool pretty)
{
    write_node(out, node, pretty, 0);
}
