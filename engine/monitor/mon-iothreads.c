/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Threads for device I/O, for people and programs: the list with host thread ids, and how long each
 * waits awake, read and changed by qom-get and qom-set. Thread: device lock held. */

#include "hmp.h"
#include "qmp.h"

#include <stddef.h>
#include <string.h>

#include "vit-error.h"
#include "vit-iothread.h"

static const struct {
    const char *name;
    size_t offset; /* in VitIothreadPolling */
} numbers[] = {
    { "poll-max-ns", offsetof(VitIothreadPolling, max_ns) },
    { "poll-grow", offsetof(VitIothreadPolling, grow) },
    { "poll-shrink", offsetof(VitIothreadPolling, shrink) },
    { "aio-max-batch", offsetof(VitIothreadPolling, batch) },
};

static int64_t *
number_at(VitIothreadPolling *polling, unsigned i)
{
    return (int64_t *)((char *)polling + numbers[i].offset);
}

static const GPtrArray *
get_threads(VitMonitors *monitors)
{
    return monitors->ops->get_iothreads ? monitors->ops->get_iothreads(monitors->host) : NULL;
}

JsonNode *
qmp_query_iothreads(QmpCall *call, GError **error)
{
    const GPtrArray *threads = get_threads(call->monitors);
    JsonArray *array = json_array_new();

    for (unsigned i = 0; threads && i < threads->len; i++) {
        VitIothread *thread = threads->pdata[i];
        JsonObject *object = json_object_new();
        VitIothreadPolling polling;

        vit_iothread_get_polling(thread, &polling);
        json_object_set_string_member(object, "id", vit_iothread_get_id(thread));
        json_object_set_int_member(object, "thread-id", vit_iothread_get_host_id(thread));
        for (unsigned n = 0; n < VIT_ARRAY_LEN(numbers); n++) {
            json_object_set_int_member(object, numbers[n].name, *number_at(&polling, n));
        }
        json_array_add_object_element(array, object);
    }
    return qmp_array(array);
}

void
hmp_info_iothreads(HmpCall *call)
{
    const GPtrArray *threads = get_threads(call->monitors);

    for (unsigned i = 0; threads && i < threads->len; i++) {
        VitIothread *thread = threads->pdata[i];
        VitIothreadPolling polling;

        vit_iothread_get_polling(thread, &polling);
        hmp_print(call, "%s:\n  thread_id=%" G_GINT64_FORMAT "\n", vit_iothread_get_id(thread),
                  vit_iothread_get_host_id(thread));
        for (unsigned n = 0; n < VIT_ARRAY_LEN(numbers); n++) {
            hmp_print(call, "  %s=%" G_GINT64_FORMAT "\n", numbers[n].name,
                      *number_at(&polling, n));
        }
    }
}

/* ---- qom-get and qom-set; nothing else has properties there yet ---- */

/* PATH is /objects/ID or ID. NULL with ERROR. */
static VitIothread *
find_thread(VitMonitors *monitors, const char *path, GError **error)
{
    const GPtrArray *threads = get_threads(monitors);
    const char *id = g_str_has_prefix(path, "/objects/") ? path + strlen("/objects/") : path;

    for (unsigned i = 0; threads && i < threads->len; i++) {
        if (strcmp(vit_iothread_get_id(threads->pdata[i]), id) == 0) {
            return threads->pdata[i];
        }
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                "properties of '%s' are not available yet; those of iothreads are", path);
    return NULL;
}

/* The number KEY of POLLING; NULL with ERROR. */
static int64_t *
find_number(VitIothreadPolling *polling, const char *path, const char *key, GError **error)
{
    for (unsigned n = 0; n < VIT_ARRAY_LEN(numbers); n++) {
        if (strcmp(numbers[n].name, key) == 0) {
            return number_at(polling, n);
        }
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "Property '%s.%s' not found", path, key);
    return NULL;
}

static bool
set_number(VitMonitors *monitors, const char *path, const char *key, int64_t value, GError **error)
{
    VitIothread *thread = find_thread(monitors, path, error);
    VitIothreadPolling polling;
    int64_t *number;

    if (!thread) {
        return false;
    }
    vit_iothread_get_polling(thread, &polling);
    number = find_number(&polling, path, key, error);
    if (!number) {
        return false;
    }
    if (value < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "%s cannot be negative", key);
        return false;
    }
    *number = value;
    vit_iothread_set_polling(thread, &polling);
    return true;
}

JsonNode *
qmp_qom_get(QmpCall *call, GError **error)
{
    const char *path = qmp_string(call, "path");
    VitIothread *thread = find_thread(call->monitors, path, error);
    VitIothreadPolling polling;
    int64_t *number;
    JsonNode *node;

    if (!thread) {
        return NULL;
    }
    vit_iothread_get_polling(thread, &polling);
    number = find_number(&polling, path, qmp_string(call, "property"), error);
    if (!number) {
        return NULL;
    }
    node = json_node_new(JSON_NODE_VALUE);
    json_node_set_int(node, *number);
    return node;
}

JsonNode *
qmp_qom_set(QmpCall *call, GError **error)
{
    JsonNode *value = json_object_get_member(call->args, "value");

    if (!JSON_NODE_HOLDS_VALUE(value) || json_node_get_value_type(value) != G_TYPE_INT64) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Invalid parameter type for 'value', expected: integer");
        return NULL;
    }
    return qmp_done(set_number(call->monitors, qmp_string(call, "path"),
                               qmp_string(call, "property"), json_node_get_int(value), error));
}

void
hmp_qom_set(HmpCall *call)
{
    GError *error = NULL;

    set_number(call->monitors, hmp_text(call, "path"), hmp_text(call, "property"),
               (int64_t)hmp_number(call, "value"), &error);
    hmp_error(call, error);
}

void
hmp_qom_get(HmpCall *call)
{
    const char *path = hmp_text(call, "path");
    GError *error = NULL;
    VitIothread *thread = find_thread(call->monitors, path, &error);
    VitIothreadPolling polling;
    int64_t *number = NULL;

    if (thread) {
        vit_iothread_get_polling(thread, &polling);
        number = find_number(&polling, path, hmp_text(call, "property"), &error);
    }
    if (number) {
        hmp_print(call, "%" G_GINT64_FORMAT "\n", *number);
    }
    hmp_error(call, error);
}
