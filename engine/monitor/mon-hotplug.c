/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* device_add and device_del, for people and programs. Thread: device lock held. */

#include "hmp.h"
#include "qmp.h"

#include <string.h>

#include "vit-error.h"

/* Keys and values in parallel, each ended by NULL. */
typedef struct DeviceText {
    GPtrArray *keys, *values;
} DeviceText;

static void
text_init(DeviceText *text)
{
    text->keys = g_ptr_array_new_with_free_func(g_free);
    text->values = g_ptr_array_new_with_free_func(g_free);
}

static void
text_finish(DeviceText *text)
{
    g_ptr_array_unref(text->keys);
    g_ptr_array_unref(text->values);
}

static bool
plug(VitMonitors *monitors, const char *driver, DeviceText *text, GError **error)
{
    g_ptr_array_add(text->keys, NULL);
    g_ptr_array_add(text->values, NULL);
    return MON_HAVE(monitors, device_add, error) &&
           monitors->ops->device_add(monitors->host, driver, (const char *const *)text->keys->pdata,
                                     (const char *const *)text->values->pdata, error);
}

/* One piece up to a comma; two commas stand for one. Moves *AT past it. */
static char *
take_piece(const char **at)
{
    GString *piece = g_string_new(NULL);

    while (**at && (**at != ',' || (*at)[1] == ',')) {
        *at += **at == ',';
        g_string_append_c(piece, *(*at)++);
    }
    *at += **at == ',';
    return g_string_free(piece, FALSE);
}

void
hmp_device_add(HmpCall *call)
{
    const char *at = hmp_text(call, "device");
    g_autofree char *driver = take_piece(&at);
    GError *error = NULL;
    DeviceText text;

    text_init(&text);
    if (g_str_has_prefix(driver, "driver=")) {
        memmove(driver, driver + 7, strlen(driver + 7) + 1);
    }
    while (*at) {
        char *piece = take_piece(&at);
        char *equals = strchr(piece, '=');

        g_ptr_array_add(text.values, g_strdup(equals ? equals + 1 : "on"));
        if (equals) {
            *equals = 0;
        }
        g_ptr_array_add(text.keys, piece);
    }
    plug(call->monitors, driver, &text, &error);
    text_finish(&text);
    hmp_error(call, error);
}

void
hmp_device_del(HmpCall *call)
{
    VitMonitors *monitors = call->monitors;
    GError *error = NULL;

    if (MON_HAVE(monitors, device_del, &error)) {
        monitors->ops->device_del(monitors->host, hmp_text(call, "id"), &error);
    }
    hmp_error(call, error);
}

/* ---- QMP ---- */

/* A member's value as the command line would have it; NULL where it has none. */
static char *
value_text(JsonNode *node)
{
    GType type;

    if (json_node_get_node_type(node) != JSON_NODE_VALUE) {
        return NULL;
    }
    type = json_node_get_value_type(node);
    if (type == G_TYPE_STRING) {
        return g_strdup(json_node_get_string(node));
    }
    if (type == G_TYPE_BOOLEAN) {
        return g_strdup(json_node_get_boolean(node) ? "on" : "off");
    }
    return type == G_TYPE_INT64 ? g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node))
                                : NULL;
}

JsonNode *
qmp_device_add(QmpCall *call, GError **error)
{
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;
    DeviceText text;
    bool ok = true;

    text_init(&text);
    json_object_iter_init(&iter, call->args);
    while (ok && json_object_iter_next(&iter, &name, &node)) {
        char *value;

        if (strcmp(name, "driver") == 0) {
            continue;
        }
        value = value_text(node);
        if (!value) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "Invalid parameter type for '%s', expected: string", name);
            ok = false;
            break;
        }
        g_ptr_array_add(text.keys, g_strdup(name));
        g_ptr_array_add(text.values, value);
    }
    ok = ok && plug(call->monitors, qmp_string(call, "driver"), &text, error);
    text_finish(&text);
    return qmp_done(ok);
}

JsonNode *
qmp_device_del(QmpCall *call, GError **error)
{
    VitMonitors *monitors = call->monitors;

    return qmp_done(MON_HAVE(monitors, device_del, error) &&
                    monitors->ops->device_del(monitors->host, qmp_string(call, "id"), error));
}
