/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Events to QMP clients, with time stamps of the host. Those a guest can cause at will have a
 * least gap: what comes sooner replaces what waits, and is sent when the gap is over.
 * Thread: device lock held; the timeout, on the machine thread, takes it. */

#include "qmp.h"

#include <string.h>

typedef struct {
    MonEvents *events;
    const QmpEvent *kind;
    char *of; /* what the data says of whom it is; NULL: of nobody */
    int64_t last_us;
    char *waiting; /* JSON of the whole event, or NULL */
    GSource *timeout;
} Gap;

struct MonEvents {
    VitMonitors *monitors;
    GPtrArray *gaps; /* Gap *, one per kind, and whom it is of, that has been emitted */
};

static void
free_gap(gpointer data)
{
    Gap *gap = data;

    if (gap->timeout) {
        g_source_destroy(gap->timeout);
        g_source_unref(gap->timeout);
    }
    g_free(gap->waiting);
    g_free(gap->of);
    g_free(gap);
}

MonEvents *
mon_events_new(VitMonitors *monitors)
{
    MonEvents *events = g_new0(MonEvents, 1);

    events->monitors = monitors;
    events->gaps = g_ptr_array_new_with_free_func(free_gap);
    return events;
}

void
mon_events_free(MonEvents *events)
{
    g_ptr_array_unref(events->gaps);
    g_free(events);
}

static void
send(MonEvents *events, const char *json)
{
    GPtrArray *sessions = events->monitors->sessions;

    for (unsigned i = 0; i < sessions->len; i++) {
        MonSession *session = sessions->pdata[i];
        if (session->event) {
            session->event(session, json);
        }
    }
}

static char *
format_event(const char *name, const char *json_data)
{
    int64_t now_us = g_get_real_time();
    JsonObject *object = json_object_new(), *stamp = json_object_new();
    GString *out = g_string_new(NULL);

    json_object_set_int_member(stamp, "seconds", now_us / G_USEC_PER_SEC);
    json_object_set_int_member(stamp, "microseconds", now_us % G_USEC_PER_SEC);
    json_object_set_object_member(object, "timestamp", stamp);
    json_object_set_string_member(object, "event", name);
    if (json_data) {
        g_autoptr(JsonParser) parser = json_parser_new();
        if (json_parser_load_from_data(parser, json_data, -1, NULL)) {
            json_object_set_member(object, "data", json_parser_steal_root(parser));
        }
    }
    g_autoptr(JsonNode) node = qmp_object(object);
    qmp_write(out, node, false);
    return g_string_free(out, FALSE);
}

static gboolean
on_gap_over(gpointer data)
{
    Gap *gap = data;
    VitLock *lock = gap->events->monitors->platform->lock;

    vit_lock_take(lock);
    if (!g_source_is_destroyed(g_main_current_source())) {
        g_clear_pointer(&gap->timeout, g_source_unref);
        gap->last_us = g_get_monotonic_time();
        g_autofree char *json = g_steal_pointer(&gap->waiting);
        send(gap->events, json);
    }
    vit_lock_release(lock);
    return G_SOURCE_REMOVE;
}

/* Whom the event is of. Ownership: caller. */
static char *
dup_subject(const QmpEvent *kind, const char *json_data)
{
    g_autoptr(JsonNode) data = kind->of && json_data ? json_from_string(json_data, NULL) : NULL;

    return data && JSON_NODE_HOLDS_OBJECT(data)
               ? g_strdup(json_object_get_string_member_with_default(json_node_get_object(data),
                                                                     kind->of, NULL))
               : NULL;
}

static Gap *
find_gap(MonEvents *events, const QmpEvent *kind, const char *json_data)
{
    g_autofree char *of = dup_subject(kind, json_data);

    for (unsigned i = 0; i < events->gaps->len; i++) {
        Gap *gap = events->gaps->pdata[i];
        if (gap->kind == kind && g_strcmp0(gap->of, of) == 0) {
            return gap;
        }
    }
    Gap *gap = g_new0(Gap, 1);
    *gap = (Gap){
        .events = events, .kind = kind, .of = g_steal_pointer(&of), .last_us = INT64_MIN / 2
    };
    g_ptr_array_add(events->gaps, gap);
    return gap;
}

void
mon_events_emit(MonEvents *events, const char *name, const char *json_data)
{
    const QmpEvent *kind = qmp_find_event(name);
    g_autofree char *json = format_event(name, json_data);

    if (!kind || kind->min_gap_ms == 0) {
        send(events, json);
        return;
    }
    Gap *gap = find_gap(events, kind, json_data);
    int64_t left_us = gap->last_us + kind->min_gap_ms * 1000 - g_get_monotonic_time();
    if (left_us <= 0 && !gap->timeout) {
        gap->last_us = g_get_monotonic_time();
        send(events, json);
        return;
    }
    g_free(gap->waiting);
    gap->waiting = g_steal_pointer(&json);
    if (!gap->timeout) {
        gap->timeout = g_timeout_source_new(left_us / 1000 + 1);
        g_source_set_callback(gap->timeout, on_gap_over, gap, NULL);
        g_source_attach(gap->timeout, events->monitors->platform->context);
    }
}
