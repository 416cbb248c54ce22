/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A session whose engine runs in this process, on its own threads. The machine is built on a
 * worker, as opening disks may wait for the file system. */

#include "app-session.h"

#include <glib/gi18n.h>
#include <string.h>

enum { METER_INTERVAL_MS = 1000, LOG_MAX_BYTES = 512 << 10 };

struct _AppLocalSession {
    GObject parent;
    VitConfig *config;
    VitConfig *built; /* what the machine was made from */
    VitMachine *machine;
    AppLive *live; /* while it runs */
    GCancellable *building;
    AppSessionState state;
    char *reason;
    AppMeter meter;
    GString *log;
};

static void session_iface_init(AppSessionInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE(AppLocalSession, app_local_session, G_TYPE_OBJECT,
                              G_IMPLEMENT_INTERFACE(APP_TYPE_SESSION, session_iface_init))

/* ---- Log ---- */

static void
add_log(AppLocalSession *self, const char *text)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *stamp = g_date_time_format(now, "%H:%M:%S");
    g_autofree char *line = g_strdup_printf("%s  %s", stamp, text);

    if (self->log->len > LOG_MAX_BYTES) {
        const char *cut = strchr(self->log->str + self->log->len - LOG_MAX_BYTES / 2, '\n');

        g_string_erase(self->log, 0, cut ? cut + 1 - self->log->str : (gssize)self->log->len);
    }
    g_string_append_printf(self->log, "%s\n", line);
    g_signal_emit_by_name(self, "log", line);
}

static void
on_guest_error(VitMachine *machine, const char *text, AppLocalSession *self)
{
    g_autofree char *line = g_strdup_printf(_("guest: %s"), text);

    add_log(self, line);
}

static void
on_event(VitMachine *machine, const char *name, const char *data, AppLocalSession *self)
{
    g_autofree char *line = data ? g_strdup_printf("%s %s", name, data) : g_strdup(name);

    add_log(self, line);
}

static void
on_stats(VitMachine *machine, AppLocalSession *self)
{
    app_meter_add(&self->meter, vit_machine_get_stats(machine));
    g_signal_emit_by_name(self, "meter");
}

/* ---- State ---- */

static void
set_state(AppLocalSession *self, AppSessionState state, const char *reason)
{
    if (reason != self->reason) {
        g_free(self->reason);
        self->reason = g_strdup(reason);
    }
    if (self->state != state || reason) {
        g_autofree char *line =
            reason ? g_strdup_printf("%s: %s", app_session_state_text(state), reason)
                   : g_strdup(app_session_state_text(state));
        add_log(self, line);
    }
    self->state = state;
    g_signal_emit_by_name(self, "changed");
}

static void
drop_live(AppLocalSession *self)
{
    if (self->live) {
        g_signal_handlers_disconnect_by_data(self->live, self);
        g_clear_object(&self->live);
        g_signal_emit_by_name(self, "live");
    }
}

static void
drop_machine(AppLocalSession *self)
{
    drop_live(self);
    if (self->machine) {
        g_signal_handlers_disconnect_by_data(self->machine, self);
        g_clear_object(&self->machine);
        app_meter_clear(&self->meter);
    }
}

static void
on_live_changed(AppLive *live, AppLocalSession *self)
{
    g_signal_emit_by_name(self, "live");
}

static void
on_state_changed(VitMachine *machine, int state, AppLocalSession *self)
{
    g_autoptr(AppLocalSession) keep G_GNUC_UNUSED = g_object_ref(self);

    switch (state) {
    case VIT_MACHINE_RUNNING: set_state(self, APP_SESSION_RUNNING, NULL); break;
    case VIT_MACHINE_PAUSED: set_state(self, APP_SESSION_PAUSED, NULL); break;
    case VIT_MACHINE_FAILED:
        /* the machine stays, with its last picture, until the user lets it go */
        set_state(self, APP_SESSION_FAILED, vit_machine_get_reason(machine));
        break;
    case VIT_MACHINE_STOPPED:
        /* windows let go of the screen first, then the engine ends */
        set_state(self, APP_SESSION_OFF, NULL);
        drop_machine(self);
        break;
    }
}

/* ---- Start ---- */

static void
build(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    GError *error = NULL;
    VitMachine *machine = vit_machine_new(data, NULL, NULL, &error);

    if (machine) {
        g_task_return_pointer(task, machine, g_object_unref);
    } else {
        g_task_return_error(task, error);
    }
}

static void
on_built(GObject *source, GAsyncResult *result, gpointer data)
{
    AppLocalSession *self = APP_LOCAL_SESSION(source);
    gboolean cancelled = g_cancellable_is_cancelled(self->building);
    g_autoptr(GError) error = NULL;
    VitMachine *machine = g_task_propagate_pointer(G_TASK(result), &error);

    g_clear_object(&self->building);
    if (!machine) {
        set_state(self, cancelled ? APP_SESSION_OFF : APP_SESSION_FAILED,
                  cancelled ? NULL : error->message);
        return;
    }
    if (cancelled) {
        g_object_unref(machine);
        set_state(self, APP_SESSION_OFF, NULL);
        return;
    }
    self->machine = machine;
    self->live = app_live_new(machine, self->built, self->config);
    g_signal_connect(self->live, "changed", G_CALLBACK(on_live_changed), self);
    g_signal_connect(machine, "state-changed", G_CALLBACK(on_state_changed), self);
    g_signal_connect(machine, "guest-error", G_CALLBACK(on_guest_error), self);
    g_signal_connect(machine, "event", G_CALLBACK(on_event), self);
    g_signal_connect(machine, "stats", G_CALLBACK(on_stats), self);
    vit_machine_set_stats_interval(machine, METER_INTERVAL_MS);
    vit_machine_start(machine);
}

static void
local_start(AppSession *session)
{
    AppLocalSession *self = APP_LOCAL_SESSION(session);
    g_autoptr(GTask) task = NULL;

    if (app_session_is_active(session)) {
        return;
    }
    drop_machine(self);
    self->building = g_cancellable_new();
    task = g_task_new(self, NULL, on_built, NULL);
    g_clear_object(&self->built);
    self->built = vit_config_copy(self->config);
    g_task_set_task_data(task, vit_config_copy(self->built), g_object_unref);
    set_state(self, APP_SESSION_STARTING, NULL);
    g_task_run_in_thread(task, build);
}

/* ---- Control ---- */

static void
local_pause(AppSession *session)
{
    AppLocalSession *self = APP_LOCAL_SESSION(session);

    if (self->machine) {
        vit_machine_pause(self->machine);
    }
}

static void
local_resume(AppSession *session)
{
    AppLocalSession *self = APP_LOCAL_SESSION(session);

    if (self->machine) {
        vit_machine_start(self->machine);
    }
}

static void
local_reset(AppSession *session)
{
    AppLocalSession *self = APP_LOCAL_SESSION(session);

    if (self->machine) {
        vit_machine_reset(self->machine);
    }
}

static void
local_power_button(AppSession *session)
{
    AppLocalSession *self = APP_LOCAL_SESSION(session);

    if (self->machine) {
        vit_machine_power_button(self->machine);
    }
}

static void
local_force_off(AppSession *session)
{
    AppLocalSession *self = APP_LOCAL_SESSION(session);

    if (self->building) {
        g_cancellable_cancel(self->building);
    } else if (self->state == APP_SESSION_FAILED) {
        drop_machine(self);
        set_state(self, APP_SESSION_OFF, NULL);
    } else if (self->machine) {
        vit_machine_stop(self->machine);
    }
}

static AppSessionState
local_get_state(AppSession *session)
{
    return APP_LOCAL_SESSION(session)->state;
}

static const char *
local_get_reason(AppSession *session)
{
    return APP_LOCAL_SESSION(session)->reason;
}

static VitMachine *
local_get_machine(AppSession *session)
{
    return APP_LOCAL_SESSION(session)->machine;
}

static const AppMeter *
local_get_meter(AppSession *session)
{
    return &APP_LOCAL_SESSION(session)->meter;
}

static const char *
local_get_log(AppSession *session)
{
    return APP_LOCAL_SESSION(session)->log->str;
}

static AppLive *
local_get_live(AppSession *session)
{
    return APP_LOCAL_SESSION(session)->live;
}

static void
session_iface_init(AppSessionInterface *iface)
{
    iface->get_live = local_get_live;
    iface->get_meter = local_get_meter;
    iface->get_log = local_get_log;
    iface->start = local_start;
    iface->pause = local_pause;
    iface->resume = local_resume;
    iface->reset = local_reset;
    iface->power_button = local_power_button;
    iface->force_off = local_force_off;
    iface->get_state = local_get_state;
    iface->get_reason = local_get_reason;
    iface->get_machine = local_get_machine;
}

AppLocalSession *
app_local_session_new(VitConfig *config)
{
    AppLocalSession *self = g_object_new(APP_TYPE_LOCAL_SESSION, NULL);

    self->config = g_object_ref(config);
    return self;
}

static void
app_local_session_dispose(GObject *object)
{
    AppLocalSession *self = APP_LOCAL_SESSION(object);

    drop_machine(self);
    g_clear_object(&self->config);
    g_clear_object(&self->built);
    g_clear_pointer(&self->reason, g_free);
    G_OBJECT_CLASS(app_local_session_parent_class)->dispose(object);
}

static void
app_local_session_finalize(GObject *object)
{
    g_string_free(APP_LOCAL_SESSION(object)->log, TRUE);
    G_OBJECT_CLASS(app_local_session_parent_class)->finalize(object);
}

static void
app_local_session_class_init(AppLocalSessionClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = app_local_session_dispose;
    G_OBJECT_CLASS(klass)->finalize = app_local_session_finalize;
}

static void
app_local_session_init(AppLocalSession *self)
{
    self->log = g_string_new(NULL);
}
