/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* JSON on standard output in the form that scripts around qemu-img look for: four spaces, "key":
 * value. */

#include "img.h"

#include <json-glib/json-glib.h>
#include <stdio.h>

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

static void print_node(JsonNode *node, int depth);

static void
indent(int depth)
{
    printf("%*s", depth * 4, "");
}

static void
print_array(JsonArray *array, int depth)
{
    guint len = json_array_get_length(array);

    printf("[\n");
    for (guint i = 0; i < len; i++) {
        indent(depth + 1);
        print_node(json_array_get_element(array, i), depth + 1);
        printf(i + 1 < len ? ",\n" : "\n");
    }
    indent(depth);
    printf("]");
}

static void
print_object(JsonObject *object, int depth)
{
    g_autoptr(GList) keys = json_object_get_members(object);

    printf("{\n");
    for (GList *at = keys; at; at = at->next) {
        g_autofree char *key = img_json_string(at->data);
        indent(depth + 1);
        printf("%s: ", key);
        print_node(json_object_get_member(object, at->data), depth + 1);
        printf(at->next ? ",\n" : "\n");
    }
    indent(depth);
    printf("}");
}

static void
print_value(JsonNode *node)
{
    g_autofree char *text = NULL;

    switch (json_node_get_value_type(node)) {
    case G_TYPE_BOOLEAN: printf(json_node_get_boolean(node) ? "true" : "false"); break;
    case G_TYPE_INT64: printf("%" G_GINT64_FORMAT, json_node_get_int(node)); break;
    case G_TYPE_STRING:
        text = img_json_string(json_node_get_string(node));
        printf("%s", text);
        break;
    default: printf("null"); break;
    }
}

static void
print_node(JsonNode *node, int depth)
{
    if (JSON_NODE_HOLDS_OBJECT(node)) {
        print_object(json_node_get_object(node), depth);
    } else if (JSON_NODE_HOLDS_ARRAY(node)) {
        print_array(json_node_get_array(node), depth);
    } else {
        print_value(node);
    }
}

void
img_print_json(JsonNode *node)
{
    print_node(node, 0);
    printf("\n");
}

void
img_print_json_object(JsonObject *object)
{
    print_object(object, 0);
    printf("\n");
}
