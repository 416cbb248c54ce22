/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The keeper of running machines. Quitting has three steps: ask, tell the machines, end when the
 * last is off. Nothing is thrown away by asking twice. */

#include "ui-keeper.h"

#include "app-prefs.h"
#include "ui-machine-window.h"

#include <glib/gi18n.h>
#include <string.h>

enum { SIGNAL_GRACE_MS = 5000, RESPONSE_BUTTON = 1, RESPONSE_FORCE };

struct UiKeeper {
    GtkApplication *application;
    AppLibrary *library;
    gboolean held;
    guint inhibit_logout, inhibit_sleep;
    gboolean quitting;
    guint grace_timer;
    GtkWidget *dialog;
    GHashTable *states; /* AppEntry -> AppSessionState seen last */
};

/* ---- State of all ---- */

static gboolean
any_running(UiKeeper *keeper)
{
    for (guint i = 0; i < g_list_model_get_n_items(G_LIST_MODEL(keeper->library)); i++) {
        g_autoptr(AppEntry) entry = g_list_model_get_item(G_LIST_MODEL(keeper->library), i);

        if (app_session_get_state(app_entry_get_session(entry)) == APP_SESSION_RUNNING) {
            return TRUE;
        }
    }
    return FALSE;
}

static void
set_inhibit(UiKeeper *keeper, guint *cookie, gboolean wanted, GtkApplicationInhibitFlags flags,
            const char *reason)
{
    if (wanted && !*cookie) {
        *cookie = gtk_application_inhibit(keeper->application,
                                          gtk_application_get_active_window(keeper->application),
                                          flags, reason);
    } else if (!wanted && *cookie) {
        gtk_application_uninhibit(keeper->application, *cookie);
        *cookie = 0;
    }
}

static void
update(UiKeeper *keeper)
{
    gboolean active = app_library_has_active(keeper->library);

    if (active != keeper->held) {
        keeper->held = active;
        if (active) {
            g_application_hold(G_APPLICATION(keeper->application));
        } else {
            g_application_release(G_APPLICATION(keeper->application));
        }
    }
    set_inhibit(keeper, &keeper->inhibit_logout, active, GTK_APPLICATION_INHIBIT_LOGOUT,
                _("Virtual machines are running"));
    set_inhibit(keeper, &keeper->inhibit_sleep,
                any_running(keeper) && g_settings_get_boolean(app_prefs_get(), "keep-awake"),
                GTK_APPLICATION_INHIBIT_SUSPEND, _("Virtual machines are running"));
    if (keeper->quitting && !active) {
        g_application_quit(G_APPLICATION(keeper->application));
    }
}

/* ---- Notifications ---- */

static gboolean
is_looked_at(UiKeeper *keeper, AppEntry *entry)
{
    GtkWindow *window = gtk_application_get_active_window(keeper->application);

    return window && gtk_window_is_active(window) && UI_IS_MACHINE_WINDOW(window) &&
           ui_machine_window_get_session(UI_MACHINE_WINDOW(window)) == app_entry_get_session(entry);
}

static void
notify_stop(UiKeeper *keeper, AppEntry *entry, AppSessionState state)
{
    const char *reason = app_session_get_reason(app_entry_get_session(entry));
    g_autoptr(GNotification) notification = NULL;
    g_autofree char *title = NULL;

    if (keeper->quitting || is_looked_at(keeper, entry) ||
        !g_settings_get_boolean(app_prefs_get(), "notifications")) {
        return;
    }
    title = g_strdup_printf(state == APP_SESSION_FAILED ? _("“%s” stopped by an error")
                                                        : _("“%s” has shut down"),
                            app_entry_get_name(entry));
    notification = g_notification_new(title);
    if (reason) {
        g_notification_set_body(notification, reason);
    }
    g_notification_set_default_action_and_target(notification, "app.show-machine", "s",
                                                 app_entry_get_name(entry));
    g_application_send_notification(G_APPLICATION(keeper->application), app_entry_get_name(entry),
                                    notification);
}

static void
on_entry_changed(AppEntry *entry, UiKeeper *keeper)
{
    AppSessionState state = app_session_get_state(app_entry_get_session(entry));
    AppSessionState before = GPOINTER_TO_UINT(g_hash_table_lookup(keeper->states, entry));

    if (state == before) {
        return; /* its speed changed */
    }
    g_hash_table_insert(keeper->states, g_object_ref(entry), GUINT_TO_POINTER(state));
    if ((before == APP_SESSION_RUNNING || before == APP_SESSION_PAUSED) &&
        (state == APP_SESSION_OFF || state == APP_SESSION_FAILED)) {
        notify_stop(keeper, entry, state);
    }
    update(keeper);
}

static void
watch(UiKeeper *keeper, AppEntry *entry)
{
    if (!g_hash_table_contains(keeper->states, entry)) {
        g_hash_table_insert(keeper->states, g_object_ref(entry), GUINT_TO_POINTER(APP_SESSION_OFF));
        g_signal_connect(entry, "changed", G_CALLBACK(on_entry_changed), keeper);
    }
}

static void
on_items_changed(GListModel *model, guint position, guint removed, guint added, UiKeeper *keeper)
{
    GHashTableIter iter;
    gpointer entry;

    for (guint i = 0; i < added; i++) {
        g_autoptr(AppEntry) new_entry = g_list_model_get_item(model, position + i);

        watch(keeper, new_entry);
    }
    if (!removed) {
        return;
    }
    g_hash_table_iter_init(&iter, keeper->states);
    while (g_hash_table_iter_next(&iter, &entry, NULL)) {
        guint at;

        for (at = 0; at < g_list_model_get_n_items(model); at++) {
            g_autoptr(AppEntry) there = g_list_model_get_item(model, at);

            if (there == entry) {
                break;
            }
        }
        if (at == g_list_model_get_n_items(model)) {
            g_signal_handlers_disconnect_by_data(entry, keeper);
            g_hash_table_iter_remove(&iter);
        }
    }
}

/* ---- Quitting ---- */

static void
tell_all(UiKeeper *keeper, gboolean force)
{
    for (guint i = 0; i < g_list_model_get_n_items(G_LIST_MODEL(keeper->library)); i++) {
        g_autoptr(AppEntry) entry = g_list_model_get_item(G_LIST_MODEL(keeper->library), i);
        AppSession *session = app_entry_get_session(entry);

        if (!app_session_is_active(session)) {
            continue;
        }
        if (force) {
            app_session_force_off(session);
        } else {
            if (app_session_get_state(session) == APP_SESSION_PAUSED) {
                app_session_resume(session);
            }
            app_session_power_button(session);
        }
    }
}

static void
on_quit_response(GtkDialog *dialog, int response, UiKeeper *keeper)
{
    g_clear_pointer(&keeper->dialog, gtk_widget_destroy);
    keeper->quitting = response == RESPONSE_BUTTON || response == RESPONSE_FORCE;
    if (keeper->quitting) {
        tell_all(keeper, response == RESPONSE_FORCE);
        update(keeper);
    }
}

void
ui_keeper_quit(UiKeeper *keeper)
{
    g_autoptr(GString) names = g_string_new(NULL);

    if (!app_library_has_active(keeper->library)) {
        g_application_quit(G_APPLICATION(keeper->application));
        return;
    }
    if (keeper->dialog) {
        gtk_window_present(GTK_WINDOW(keeper->dialog));
        return;
    }
    for (guint i = 0; i < g_list_model_get_n_items(G_LIST_MODEL(keeper->library)); i++) {
        g_autoptr(AppEntry) entry = g_list_model_get_item(G_LIST_MODEL(keeper->library), i);

        if (app_session_is_active(app_entry_get_session(entry))) {
            g_string_append_printf(names, "%s%s", names->len ? "\n" : "",
                                   app_entry_get_name(entry));
        }
    }
    keeper->dialog = gtk_message_dialog_new(gtk_application_get_active_window(keeper->application),
                                            0, GTK_MESSAGE_QUESTION, GTK_BUTTONS_NONE, "%s",
                                            _("Quit while machines are running?"));
    gtk_message_dialog_format_secondary_text(
        GTK_MESSAGE_DIALOG(keeper->dialog),
        _("%s\n\nForcing them off is like pulling the plug: what the guests have not saved is "
          "lost. After the power button the program quits when the last one has shut down."),
        names->str);
    gtk_dialog_add_buttons(GTK_DIALOG(keeper->dialog), _("_Cancel"), GTK_RESPONSE_CANCEL,
                           _("Press the Power _Button"), RESPONSE_BUTTON, _("_Force Off"),
                           RESPONSE_FORCE, NULL);
    gtk_dialog_set_default_response(GTK_DIALOG(keeper->dialog), GTK_RESPONSE_CANCEL);
    gtk_style_context_add_class(gtk_widget_get_style_context(gtk_dialog_get_widget_for_response(
                                    GTK_DIALOG(keeper->dialog), RESPONSE_FORCE)),
                                GTK_STYLE_CLASS_DESTRUCTIVE_ACTION);
    g_signal_connect(keeper->dialog, "response", G_CALLBACK(on_quit_response), keeper);
    gtk_widget_show(keeper->dialog);
}

static gboolean
on_grace_over(gpointer data)
{
    UiKeeper *keeper = data;

    keeper->grace_timer = 0;
    tell_all(keeper, TRUE);
    return G_SOURCE_REMOVE;
}

void
ui_keeper_quit_by_signal(UiKeeper *keeper)
{
    gboolean second = keeper->grace_timer != 0;

    keeper->quitting = TRUE;
    g_clear_handle_id(&keeper->grace_timer, g_source_remove);
    tell_all(keeper, second);
    if (!second) {
        keeper->grace_timer = g_timeout_add(SIGNAL_GRACE_MS, on_grace_over, keeper);
    }
    update(keeper);
}

/* The session is about to end. It may still be called off, and has been told that machines run:
 * only who chose the power button has it pressed by that. */
static void
on_query_end(GtkApplication *application, UiKeeper *keeper)
{
    g_autofree char *closing = g_settings_get_string(app_prefs_get(), "closing");

    if (strcmp(closing, "power-button") == 0) {
        tell_all(keeper, FALSE);
    }
}

/* ---- Life ---- */

UiKeeper *
ui_keeper_new(GtkApplication *application, AppLibrary *library)
{
    UiKeeper *keeper = g_new0(UiKeeper, 1);

    keeper->application = application;
    keeper->library = g_object_ref(library);
    keeper->states = g_hash_table_new_full(NULL, NULL, g_object_unref, NULL);
    g_signal_connect(library, "items-changed", G_CALLBACK(on_items_changed), keeper);
    g_signal_connect(application, "query-end", G_CALLBACK(on_query_end), keeper);
    on_items_changed(G_LIST_MODEL(library), 0, 0, g_list_model_get_n_items(G_LIST_MODEL(library)),
                     keeper);
    return keeper;
}

void
ui_keeper_free(UiKeeper *keeper)
{
    GHashTableIter iter;
    gpointer entry;

    if (!keeper) {
        return;
    }
    g_clear_handle_id(&keeper->grace_timer, g_source_remove);
    g_signal_handlers_disconnect_by_data(keeper->library, keeper);
    g_signal_handlers_disconnect_by_data(keeper->application, keeper);
    g_hash_table_iter_init(&iter, keeper->states);
    while (g_hash_table_iter_next(&iter, &entry, NULL)) {
        g_signal_handlers_disconnect_by_data(entry, keeper);
    }
    g_hash_table_unref(keeper->states);
    g_object_unref(keeper->library);
    g_free(keeper);
}
