/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A machine being run, as windows see it. The library and the windows are written against this
 * interface alone; AppLocalSession runs the engine in this process. Every call returns at once;
 * "changed" tells when the state is another. Thread: main. */

#include "app-live.h"
#include "app-meter.h"

G_BEGIN_DECLS

typedef enum {
    APP_SESSION_OFF,
    APP_SESSION_STARTING, /* opening disks and devices */
    APP_SESSION_RUNNING,
    APP_SESSION_PAUSED,
    APP_SESSION_FAILED, /* see get_reason; off is the only way on */
} AppSessionState;

#define APP_TYPE_SESSION (app_session_get_type())
G_DECLARE_INTERFACE(AppSession, app_session, APP, SESSION, GObject)

struct _AppSessionInterface {
    GTypeInterface parent;
    void (*start)(AppSession *session);
    void (*pause)(AppSession *session);
    void (*resume)(AppSession *session);
    void (*reset)(AppSession *session);
    void (*power_button)(AppSession *session);
    void (*force_off)(AppSession *session);
    AppSessionState (*get_state)(AppSession *session);
    const char *(*get_reason)(AppSession *session);
    VitMachine *(*get_machine)(AppSession *session);
    const AppMeter *(*get_meter)(AppSession *session);
    const char *(*get_log)(AppSession *session);
    AppLive *(*get_live)(AppSession *session);
};

/* Signals:
 *   "changed" ();
 *   "meter" (): once a second while it runs;
 *   "log" (const char *line): a line was added to the log;
 *   "live" (): what the machine is like, or what waits for its next start. */

void app_session_start(AppSession *session);
void app_session_pause(AppSession *session);
void app_session_resume(AppSession *session);
void app_session_reset(AppSession *session);
void app_session_power_button(AppSession *session);
void app_session_force_off(AppSession *session);
AppSessionState app_session_get_state(AppSession *session);
/* Why it failed or went off, for a person; NULL when there is nothing to say. */
const char *app_session_get_reason(AppSession *session);
/* The engine's machine while there is one; NULL when off or in another process. */
VitMachine *app_session_get_machine(AppSession *session);
/* How hard it works; all zeros while off. Borrowed. */
const AppMeter *app_session_get_meter(AppSession *session);
/* What happened since the program started, a line each with its time. Borrowed. */
const char *app_session_get_log(AppSession *session);
gboolean app_session_is_active(AppSession *session);
/* What the running machine is like and what waits; NULL while off. Borrowed. */
AppLive *app_session_get_live(AppSession *session);
const char *app_session_state_text(AppSessionState state);

#define APP_TYPE_LOCAL_SESSION (app_local_session_get_type())
G_DECLARE_FINAL_TYPE(AppLocalSession, app_local_session, APP, LOCAL_SESSION, GObject)

/* CONFIG is copied at each start. */
AppLocalSession *app_local_session_new(VitConfig *config);

G_END_DECLS
