/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* QMP commands for keyboard and pointer. The schema leaves the inner parts of events open, as their
 * shape depends on their type; they are checked here. Thread: device lock held. */

#include "qmp.h"

#include <string.h>

#include "vit-error.h"
#include "vit-input-hub.h"

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
holds(JsonNode *node, GType type)
{
    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type;
}

/* Member NAME of OBJECT, of TYPE; NULL with ERROR. */
static JsonNode *
get_member(JsonObject *object, const char *name, GType type, GError **error)
{
    JsonNode *node = json_object_get_member(object, name);

    if (!node) {
        fail(error, "Parameter '%s' is missing", name);
        return NULL;
    }
    if (!holds(node, type)) {
        fail(error, "Invalid parameter type for '%s', expected: %s", name,
             type == G_TYPE_STRING  ? "string"
             : type == G_TYPE_INT64 ? "integer"
                                    : "boolean");
        return NULL;
    }
    return node;
}

/* {"type": "qcode", "data": "ret"} or {"type": "number", "data": 28}; 0 with ERROR. */
static unsigned
parse_key(JsonObject *key, GError **error)
{
    JsonNode *type = get_member(key, "type", G_TYPE_STRING, error);
    unsigned code = 0;

    if (!type) {
        return 0;
    }
    if (strcmp(json_node_get_string(type), "number") == 0) {
        JsonNode *data = get_member(key, "data", G_TYPE_INT64, error);
        if (!data) {
            return 0;
        }
        int64_t number = json_node_get_int(data);
        code = number > 0 && number <= 0xff ? vit_key_from_set1(number) : 0;
        if (!code) {
            fail(error, "there is no key number %" G_GINT64_FORMAT, number);
        }
        return code;
    }
    if (strcmp(json_node_get_string(type), "qcode") != 0) {
        fail(error, "Invalid parameter '%s'", json_node_get_string(type));
        return 0;
    }
    JsonNode *data = get_member(key, "data", G_TYPE_STRING, error);
    if (!data) {
        return 0;
    }
    code = vit_key_from_name(json_node_get_string(data));
    if (!code) {
        fail(error, "Invalid parameter '%s'", json_node_get_string(data));
    }
    return code;
}

JsonNode *
qmp_send_key(QmpCall *call, GError **error)
{
    JsonArray *keys = json_node_get_array(qmp_node(call, "keys"));
    unsigned codes[MON_KEYS_MAX], count = json_array_get_length(keys);

    if (count == 0 || count > MON_KEYS_MAX) {
        fail(error, "Parameter 'keys' expects 1 to %d keys", MON_KEYS_MAX);
        return NULL;
    }
    for (unsigned i = 0; i < count; i++) {
        codes[i] = parse_key(json_array_get_object_element(keys, i), error);
        if (!codes[i]) {
            return NULL;
        }
    }
    mon_keys_press(call->monitors->keys, codes, count,
                   CLAMP(qmp_int(call, "hold-time", MON_KEYS_HOLD_MS), 1, 60000));
    return qmp_empty();
}

/* ---- raw events ---- */

static const struct {
    const char *name;
    VitInputButton button;
} button_names[] = {
    { "left", VIT_BUTTON_LEFT },
    { "middle", VIT_BUTTON_MIDDLE },
    { "right", VIT_BUTTON_RIGHT },
    { "wheel-up", VIT_BUTTON_WHEEL_UP },
    { "wheel-down", VIT_BUTTON_WHEEL_DOWN },
    { "side", VIT_BUTTON_SIDE },
    { "extra", VIT_BUTTON_EXTRA },
    { "wheel-left", VIT_BUTTON_WHEEL_LEFT },
    { "wheel-right", VIT_BUTTON_WHEEL_RIGHT },
};

/* One event, decoded; nothing is sent before all are. */
typedef struct {
    enum { EVENT_KEY, EVENT_BUTTON, EVENT_REL, EVENT_ABS } type;
    unsigned code; /* key, or button */
    bool down, is_y;
    int value;
} Event;

static bool
parse_key_event(JsonObject *data, Event *out, GError **error)
{
    JsonNode *key = json_object_get_member(data, "key");
    JsonNode *down = get_member(data, "down", G_TYPE_BOOLEAN, error);

    if (!down) {
        return false;
    }
    if (!key || !JSON_NODE_HOLDS_OBJECT(key)) {
        return fail(error, "Parameter 'key' is missing");
    }
    *out = (Event){ .type = EVENT_KEY, .down = json_node_get_boolean(down) };
    out->code = parse_key(json_node_get_object(key), error);
    return out->code != 0;
}

static bool
parse_button_event(JsonObject *data, Event *out, GError **error)
{
    JsonNode *button = get_member(data, "button", G_TYPE_STRING, error);
    JsonNode *down = button ? get_member(data, "down", G_TYPE_BOOLEAN, error) : NULL;

    if (!down) {
        return false;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(button_names); i++) {
        if (strcmp(button_names[i].name, json_node_get_string(button)) == 0) {
            *out = (Event){ .type = EVENT_BUTTON,
                            .code = button_names[i].button,
                            .down = json_node_get_boolean(down) };
            return true;
        }
    }
    return fail(error, "Invalid parameter '%s'", json_node_get_string(button));
}

static bool
parse_move_event(JsonObject *data, bool absolute, Event *out, GError **error)
{
    JsonNode *axis = get_member(data, "axis", G_TYPE_STRING, error);
    JsonNode *value = axis ? get_member(data, "value", G_TYPE_INT64, error) : NULL;

    if (!value) {
        return false;
    }
    const char *name = json_node_get_string(axis);
    if (strcmp(name, "x") != 0 && strcmp(name, "y") != 0) {
        return fail(error, "Invalid parameter '%s'", name);
    }
    *out = (Event){ .type = absolute ? EVENT_ABS : EVENT_REL, .is_y = *name == 'y' };
    int64_t number = json_node_get_int(value);
    out->value = absolute ? CLAMP(number, 0, VIT_INPUT_ABS_MAX) : CLAMP(number, -32768, 32767);
    return true;
}

static bool
parse_event(JsonObject *object, Event *out, GError **error)
{
    const char *type = json_object_get_string_member(object, "type");
    JsonNode *data = json_object_get_member(object, "data");

    if (!JSON_NODE_HOLDS_OBJECT(data)) {
        return fail(error, "Invalid parameter type for 'data', expected: object");
    }
    JsonObject *body = json_node_get_object(data);
    if (strcmp(type, "key") == 0) {
        return parse_key_event(body, out, error);
    }
    if (strcmp(type, "btn") == 0) {
        return parse_button_event(body, out, error);
    }
    return parse_move_event(body, strcmp(type, "abs") == 0, out, error);
}

/* The two axes come as two events, and go to the device as one. */
static void
send_events(VitInputHub *hub, const Event *events, unsigned count)
{
    int dx = 0, dy = 0, x = -1, y = -1;

    for (unsigned i = 0; i < count; i++) {
        const Event *event = &events[i];
        switch (event->type) {
        case EVENT_KEY: vit_input_key(hub, event->code, event->down); break;
        case EVENT_BUTTON: vit_input_button(hub, event->code, event->down); break;
        case EVENT_REL: *(event->is_y ? &dy : &dx) += event->value; break;
        case EVENT_ABS: *(event->is_y ? &y : &x) = event->value; break;
        }
    }
    if (dx || dy) {
        vit_input_relative(hub, dx, dy);
    }
    if (x >= 0 && y >= 0) {
        vit_input_absolute(hub, x, y);
    }
    vit_input_sync(hub);
}

JsonNode *
qmp_input_send_event(QmpCall *call, GError **error)
{
    JsonArray *list = json_node_get_array(qmp_node(call, "events"));
    unsigned count = json_array_get_length(list);
    g_autofree Event *events = g_new0(Event, count + 1);

    for (unsigned i = 0; i < count; i++) {
        if (!parse_event(json_array_get_object_element(list, i), &events[i], error)) {
            return NULL;
        }
    }
    send_events(call->monitors->platform->input, events, count);
    return qmp_empty();
}

JsonNode *
qmp_query_mice(QmpCall *call, GError **error)
{
    VitInputHub *hub = call->monitors->platform->input;
    JsonArray *array = json_array_new();
    const VitInputHandler *handler;

    for (unsigned n = 0; (handler = vit_input_hub_nth_pointer(hub, n)); n++) {
        JsonObject *object = json_object_new();
        json_object_set_string_member(object, "name", handler->name);
        json_object_set_int_member(object, "index", n);
        json_object_set_boolean_member(object, "current", vit_input_hub_is_active(hub, handler));
        json_object_set_boolean_member(object, "absolute", handler->absolute != NULL);
        json_array_add_object_element(array, object);
    }
    return qmp_array(array);
}
