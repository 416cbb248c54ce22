/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Arguments of QMP commands: strictly what the row declares, no more and no less. The messages are
 * those QMP clients know. Thread: any. */

#include "qmp.h"

#include <string.h>

#include "vit-error.h"

static bool check_value(const QmpMember *member, QmpType type, const char *name, JsonNode *node,
                        GError **error);

static bool
fail(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, message);
    return false;
}

static bool
has_type(QmpType type, JsonNode *node)
{
    JsonNodeType node_type = json_node_get_node_type(node);
    GType value_type = node_type == JSON_NODE_VALUE ? json_node_get_value_type(node) : 0;

    switch (type) {
    case QMP_STRING:
    case QMP_ENUM: return value_type == G_TYPE_STRING;
    case QMP_INT: return value_type == G_TYPE_INT64;
    case QMP_NUMBER: return value_type == G_TYPE_INT64 || value_type == G_TYPE_DOUBLE;
    case QMP_BOOL: return value_type == G_TYPE_BOOLEAN;
    case QMP_OBJECT: return node_type == JSON_NODE_OBJECT;
    case QMP_ARRAY: return node_type == JSON_NODE_ARRAY;
    default: return true;
    }
}

static const char *const type_names[] = {
    [QMP_STRING] = "string", [QMP_INT] = "integer", [QMP_NUMBER] = "number",
    [QMP_BOOL] = "boolean",  [QMP_ENUM] = "string", [QMP_OBJECT] = "object",
    [QMP_ARRAY] = "array",
};

static bool
check_array(const QmpMember *member, const char *name, JsonArray *array, GError **error)
{
    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        g_autofree char *element = g_strdup_printf("%s[%u]", name, i);
        if (!check_value(member, member->element, element, json_array_get_element(array, i),
                         error)) {
            return false;
        }
    }
    return true;
}

static bool
check_value(const QmpMember *member, QmpType type, const char *name, JsonNode *node, GError **error)
{
    if (!has_type(type, node)) {
        return fail(error, "Invalid parameter type for '%s', expected: %s", name, type_names[type]);
    }
    switch (type) {
    case QMP_ENUM:
        if (!g_strv_contains(member->values, json_node_get_string(node))) {
            return fail(error, "Invalid parameter '%s'", json_node_get_string(node));
        }
        return true;
    case QMP_OBJECT:
        return !member->members ||
               qmp_check_args(member->members, json_node_get_object(node), error);
    case QMP_ARRAY: return check_array(member, name, json_node_get_array(node), error);
    default: return true;
    }
}

bool
qmp_check_args(const QmpMember *members, JsonObject *args, GError **error)
{
    static const QmpMember none[] = { { 0 } };

    members = members ? members : none;
    for (const QmpMember *member = members; member->type != QMP_END; member++) {
        JsonNode *node = args ? json_object_get_member(args, member->name) : NULL;
        if (!node && !member->optional) {
            return fail(error, "Parameter '%s' is missing", member->name);
        }
        if (node && !check_value(member, member->type, member->name, node, error)) {
            return false;
        }
    }
    if (!args) {
        return true;
    }
    JsonObjectIter iter;
    const char *name;
    json_object_iter_init(&iter, args);
    while (json_object_iter_next(&iter, &name, NULL)) {
        const QmpMember *member = members;
        while (member->type != QMP_END && strcmp(member->name, name) != 0 &&
               strcmp(member->name, "*") != 0) {
            member++;
        }
        if (member->type == QMP_END) {
            return fail(error, "Parameter '%s' is unexpected", name);
        }
    }
    return true;
}

/* ---- reading ---- */

JsonNode *
qmp_node(const QmpCall *call, const char *name)
{
    return call->args ? json_object_get_member(call->args, name) : NULL;
}

const char *
qmp_string(const QmpCall *call, const char *name)
{
    JsonNode *node = qmp_node(call, name);

    return node ? json_node_get_string(node) : NULL;
}

int64_t
qmp_int(const QmpCall *call, const char *name, int64_t def)
{
    JsonNode *node = qmp_node(call, name);

    return node ? json_node_get_int(node) : def;
}

bool
qmp_bool(const QmpCall *call, const char *name, bool def)
{
    JsonNode *node = qmp_node(call, name);

    return node ? json_node_get_boolean(node) : def;
}

/* ---- returning ---- */

JsonNode *
qmp_object(JsonObject *object)
{
    JsonNode *node = json_node_alloc();

    json_node_init(node, JSON_NODE_OBJECT);
    json_node_take_object(node, object);
    return node;
}

JsonNode *
qmp_array(JsonArray *array)
{
    JsonNode *node = json_node_alloc();

    json_node_init(node, JSON_NODE_ARRAY);
    json_node_take_array(node, array);
    return node;
}

JsonNode *
qmp_empty(void)
{
    return qmp_object(json_object_new());
}

JsonNode *
qmp_done(bool ok)
{
    return ok ? qmp_empty() : NULL;
}
