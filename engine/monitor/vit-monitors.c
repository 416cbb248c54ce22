/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The set of monitors of one machine. Thread: device lock held. */

#include "hmp.h"
#include "monitor-private.h"
#include "qmp.h"

#include "vit-error.h"

static void
free_session(gpointer data)
{
    MonSession *session = data;

    session->free(session);
}

VitMonitors *
vit_monitors_new(const VitMonitorHostOps *ops, void *opaque, VitPlatform *platform)
{
    VitMonitors *monitors = g_new0(VitMonitors, 1);

    monitors->ops = ops;
    monitors->host = opaque;
    monitors->platform = platform;
    monitors->sessions = g_ptr_array_new_with_free_func(free_session);
    monitors->keys = mon_keys_new(monitors);
    monitors->events = mon_events_new(monitors);
    return monitors;
}

void
vit_monitors_free(VitMonitors *monitors)
{
    if (!monitors) {
        return;
    }
    mon_events_free(monitors->events);
    g_ptr_array_unref(monitors->sessions);
    mon_keys_free(monitors->keys);
    g_free(monitors);
}

bool
vit_monitors_add(VitMonitors *monitors, VitChardev *chr, VitMonitorMode mode, GError **error)
{
    MonSession *session =
        mode == VIT_MONITOR_HMP
            ? mon_hmp_session_new(monitors, chr, error)
            : mon_qmp_session_new(monitors, chr, mode == VIT_MONITOR_QMP_PRETTY, error);

    if (!session) {
        return false;
    }
    g_ptr_array_add(monitors->sessions, session);
    return true;
}

bool
vit_monitors_uses(const VitMonitors *monitors, const VitChardev *chr)
{
    for (unsigned i = 0; i < monitors->sessions->len; i++) {
        if (((MonSession *)monitors->sessions->pdata[i])->chr == chr) {
            return true;
        }
    }
    return false;
}

void
vit_monitors_emit(VitMonitors *monitors, const char *event, const char *json_data)
{
    mon_events_emit(monitors->events, event, json_data);
}

char *
vit_monitors_run_hmp(VitMonitors *monitors, const char *line)
{
    GString *out = g_string_new(NULL);
    HmpState state;

    hmp_state_init(&state, monitors);
    hmp_execute(&state, line, out);
    hmp_state_finish(&state);
    return g_string_free(out, FALSE);
}

char *
vit_monitors_run_qmp(VitMonitors *monitors, const char *request)
{
    return qmp_run_text(monitors, request);
}

char **
vit_monitors_complete(VitMonitors *monitors, const char *line)
{
    HmpState state;
    size_t word_len;

    hmp_state_init(&state, monitors);
    GPtrArray *choices = hmp_complete(&state, line, &word_len);
    hmp_state_finish(&state);
    g_ptr_array_set_free_func(choices, NULL);
    g_ptr_array_add(choices, NULL);
    return (char **)g_ptr_array_free(choices, FALSE);
}
