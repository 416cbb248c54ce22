/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Introspection of QMP, made from the rows: names of commands and events, and the schema. Types
 * that have no name of their own are numbered in the order they are met. Results are "any": what a
 * query returns is not described. Thread: device lock held. */

#include "qmp.h"

#include <string.h>

const QmpCommand *
qmp_find(const char *name)
{
    for (const QmpCommand *command = qmp_commands; command->name; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }
    return NULL;
}

const QmpEvent *
qmp_find_event(const char *name)
{
    for (const QmpEvent *event = qmp_events; event->name; event++) {
        if (strcmp(event->name, name) == 0) {
            return event;
        }
    }
    return NULL;
}

static void
add_name(JsonArray *array, const char *name)
{
    JsonObject *object = json_object_new();

    json_object_set_string_member(object, "name", name);
    json_array_add_object_element(array, object);
}

JsonNode *
qmp_query_commands(QmpCall *call, GError **error)
{
    JsonArray *array = json_array_new();

    /* What is not there yet is no command a client could use. */
    for (const QmpCommand *command = qmp_commands; command->name; command++) {
        if (command->run) {
            add_name(array, command->name);
        }
    }
    return qmp_array(array);
}

JsonNode *
qmp_query_events(QmpCall *call, GError **error)
{
    JsonArray *array = json_array_new();

    for (const QmpEvent *event = qmp_events; event->name; event++) {
        add_name(array, event->name);
    }
    return qmp_array(array);
}

/* ---- the schema ---- */

typedef struct {
    JsonArray *out;
    unsigned next_number;
} Schema;

static char *object_type(Schema *schema, const QmpMember *members);

static JsonObject *
add_entity(Schema *schema, const char *name, const char *meta_type)
{
    JsonObject *object = json_object_new();

    json_object_set_string_member(object, "name", name);
    json_object_set_string_member(object, "meta-type", meta_type);
    json_array_add_object_element(schema->out, object);
    return object;
}

static char *
next_name(Schema *schema)
{
    return g_strdup_printf("%u", schema->next_number++);
}

static char *
enum_type(Schema *schema, const char *const *values)
{
    char *name = next_name(schema);
    JsonObject *object = add_entity(schema, name, "enum");
    JsonArray *array = json_array_new();

    for (; *values; values++) {
        json_array_add_string_element(array, *values);
    }
    json_object_set_array_member(object, "values", array);
    return name;
}

/* The name of TYPE, whose entity is added where it needs one. Ownership: caller. */
static char *
type_of(Schema *schema, const QmpMember *member, QmpType type)
{
    switch (type) {
    case QMP_STRING: return g_strdup("str");
    case QMP_INT: return g_strdup("int");
    case QMP_NUMBER: return g_strdup("number");
    case QMP_BOOL: return g_strdup("bool");
    case QMP_ENUM: return enum_type(schema, member->values);
    case QMP_OBJECT:
        return member->members ? object_type(schema, member->members) : g_strdup("any");
    case QMP_ARRAY: {
        g_autofree char *element = type_of(schema, member, member->element);
        char *name = g_strdup_printf("[%s]", element);
        JsonObject *object = add_entity(schema, name, "array");
        json_object_set_string_member(object, "element-type", element);
        return name;
    }
    default: return g_strdup("any");
    }
}

static char *
object_type(Schema *schema, const QmpMember *members)
{
    char *name = next_name(schema);
    JsonArray *array = json_array_new();

    for (; members && members->type != QMP_END; members++) {
        JsonObject *member = json_object_new();
        g_autofree char *type = type_of(schema, members, members->type);
        json_object_set_string_member(member, "name", members->name);
        json_object_set_string_member(member, "type", type);
        if (members->optional) {
            json_object_set_null_member(member, "default");
        }
        json_array_add_object_element(array, member);
    }
    json_object_set_array_member(add_entity(schema, name, "object"), "members", array);
    return name;
}

static void
add_builtin(Schema *schema, const char *name, const char *json_type)
{
    json_object_set_string_member(add_entity(schema, name, "builtin"), "json-type", json_type);
}

JsonNode *
qmp_query_qmp_schema(QmpCall *call, GError **error)
{
    Schema schema = { .out = json_array_new() };
    g_autofree char *nothing = object_type(&schema, NULL);

    add_builtin(&schema, "str", "string");
    add_builtin(&schema, "int", "int");
    add_builtin(&schema, "number", "number");
    add_builtin(&schema, "bool", "boolean");
    add_builtin(&schema, "any", "value");
    for (const QmpCommand *command = qmp_commands; command->name; command++) {
        if (!command->run) {
            continue;
        }
        g_autofree char *args =
            command->args ? object_type(&schema, command->args) : g_strdup(nothing);
        bool is_query = g_str_has_prefix(command->name, "query-") ||
                        g_str_has_prefix(command->name, "x-query-");
        JsonObject *object = add_entity(&schema, command->name, "command");
        json_object_set_boolean_member(object, "allow-oob", false);
        json_object_set_string_member(object, "arg-type", args);
        json_object_set_string_member(object, "ret-type", is_query ? "any" : nothing);
    }
    for (const QmpEvent *event = qmp_events; event->name; event++) {
        json_object_set_string_member(add_entity(&schema, event->name, "event"), "arg-type",
                                      nothing);
    }
    return qmp_array(schema.out);
}
