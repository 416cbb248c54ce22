/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The interface's dispatch. */

#include "app-session.h"

#include <glib/gi18n.h>

G_DEFINE_INTERFACE(AppSession, app_session, G_TYPE_OBJECT)

static void
app_session_default_init(AppSessionInterface *iface)
{
    g_signal_new("changed", APP_TYPE_SESSION, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                 0);
    g_signal_new("meter", APP_TYPE_SESSION, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
    g_signal_new("log", APP_TYPE_SESSION, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                 G_TYPE_STRING);
    g_signal_new("live", APP_TYPE_SESSION, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

void
app_session_start(AppSession *session)
{
    APP_SESSION_GET_IFACE(session)->start(session);
}

void
app_session_pause(AppSession *session)
{
    APP_SESSION_GET_IFACE(session)->pause(session);
}

void
app_session_resume(AppSession *session)
{
    APP_SESSION_GET_IFACE(session)->resume(session);
}

void
app_session_reset(AppSession *session)
{
    APP_SESSION_GET_IFACE(session)->reset(session);
}

void
app_session_power_button(AppSession *session)
{
    APP_SESSION_GET_IFACE(session)->power_button(session);
}

void
app_session_force_off(AppSession *session)
{
    APP_SESSION_GET_IFACE(session)->force_off(session);
}

AppSessionState
app_session_get_state(AppSession *session)
{
    return APP_SESSION_GET_IFACE(session)->get_state(session);
}

const char *
app_session_get_reason(AppSession *session)
{
    return APP_SESSION_GET_IFACE(session)->get_reason(session);
}

VitMachine *
app_session_get_machine(AppSession *session)
{
    return APP_SESSION_GET_IFACE(session)->get_machine(session);
}

const AppMeter *
app_session_get_meter(AppSession *session)
{
    return APP_SESSION_GET_IFACE(session)->get_meter(session);
}

const char *
app_session_get_log(AppSession *session)
{
    return APP_SESSION_GET_IFACE(session)->get_log(session);
}

AppLive *
app_session_get_live(AppSession *session)
{
    return APP_SESSION_GET_IFACE(session)->get_live(session);
}

gboolean
app_session_is_active(AppSession *session)
{
    AppSessionState state = app_session_get_state(session);

    return state == APP_SESSION_STARTING || state == APP_SESSION_RUNNING ||
           state == APP_SESSION_PAUSED;
}

const char *
app_session_state_text(AppSessionState state)
{
    switch (state) {
    case APP_SESSION_STARTING: return _("Starting");
    case APP_SESSION_RUNNING: return _("Running");
    case APP_SESSION_PAUSED: return _("Paused");
    case APP_SESSION_FAILED: return _("Stopped by an error");
    default: return _("Off");
    }
}
