/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Actions of the application and what its command line means. */

#include "ui-application.h"

#include "ui-create-dialog.h"
#include "ui-keeper.h"
#include "ui-library-window.h"
#include "ui-machine-window.h"
#include "ui-preferences-window.h"
#include "ui-settings-window.h"

#include <glib-unix.h>
#include <glib/gi18n.h>
#include <handy.h>
#include <signal.h>

struct _UiApplication {
    GtkApplication parent;
    AppLibrary *library;
    char *demo_guest;
    UiLibraryWindow *library_window;
    GtkWidget *preferences; /* weak */
    UiKeeper *keeper;
};

G_DEFINE_FINAL_TYPE(UiApplication, ui_application, GTK_TYPE_APPLICATION)

/* ---- Machines ---- */

static UiMachineWindow *
find_window(UiApplication *application, AppSession *session)
{
    for (GList *l = gtk_application_get_windows(GTK_APPLICATION(application)); l; l = l->next) {
        if (UI_IS_MACHINE_WINDOW(l->data) && ui_machine_window_get_session(l->data) == session) {
            return l->data;
        }
    }
    return NULL;
}

static void
open_entry(UiApplication *application, AppEntry *entry)
{
    AppSession *session = app_entry_get_session(entry);
    UiMachineWindow *window = find_window(application, session);

    if (app_entry_get_problem(entry)) {
        ui_library_window_show_error(application->library_window, app_entry_get_problem(entry));
        return;
    }
    if (!window) {
        window = ui_machine_window_new(GTK_APPLICATION(application), session,
                                       app_entry_get_config(entry), app_entry_get_name(entry));
    }
    gtk_window_present(GTK_WINDOW(window));
    if (!app_session_is_active(session)) {
        app_session_start(session);
    }
}

static void
act_open_machine(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiApplication *application = data;
    const char *name = g_variant_get_string(parameter, NULL);
    AppEntry *entry = app_library_find(application->library, name);
    g_autofree char *text = NULL;

    if (entry) {
        open_entry(application, entry);
    } else {
        text = g_strdup_printf(_("There is no machine called “%s”"), name);
        ui_library_window_show_error(application->library_window, text);
    }
}

static void
on_created(UiCreateDialog *dialog, AppEntry *entry, UiApplication *application)
{
    open_entry(application, entry);
}

static UiCreateDialog *
show_create_dialog(UiApplication *application)
{
    UiCreateDialog *dialog =
        ui_create_dialog_new(GTK_WINDOW(application->library_window), application->library);

    g_signal_connect(dialog, "created", G_CALLBACK(on_created), application);
    gtk_window_present(GTK_WINDOW(dialog));
    return dialog;
}

static void
act_new_machine(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    show_create_dialog(data);
}

/* A machine's folder is shown, anything else becomes a new machine. */
static void
act_new_machine_from(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiApplication *application = data;
    const char *path = g_variant_get_string(parameter, NULL);
    g_autoptr(GFile) file = g_file_new_for_path(path);
    g_autoptr(GError) error = NULL;
    AppEntry *entry;

    if (g_file_query_file_type(file, G_FILE_QUERY_INFO_NONE, NULL) != G_FILE_TYPE_DIRECTORY) {
        ui_create_dialog_set_file(show_create_dialog(application), path);
        return;
    }
    entry = app_library_add_folder(application->library, file, &error);
    if (entry) {
        ui_library_window_select(application->library_window, entry);
    } else {
        ui_library_window_show_error(application->library_window, error->message);
    }
}

static void
act_new_machine_from_text(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    ui_create_dialog_set_text(show_create_dialog(data), g_variant_get_string(parameter, NULL));
}

/* From a notification: the window, without starting anything. */
static void
act_show_machine(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiApplication *application = data;
    AppEntry *entry = app_library_find(application->library, g_variant_get_string(parameter, NULL));
    UiMachineWindow *window = entry ? find_window(application, app_entry_get_session(entry)) : NULL;

    if (window) {
        gtk_window_present(GTK_WINDOW(window));
    } else {
        g_application_activate(G_APPLICATION(application));
    }
}

static void
act_show_library_folder(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiApplication *application = data;
    g_autofree char *uri = g_file_get_uri(app_library_get_root(application->library));
    g_autoptr(GError) error = NULL;

    if (!gtk_show_uri_on_window(GTK_WINDOW(application->library_window), uri, GDK_CURRENT_TIME,
                                &error)) {
        g_autofree char *text = g_strdup_printf(
            _("No program opens folders here (%s). The files are in %s"), error->message,
            g_file_peek_path(app_library_get_root(application->library)));
        ui_library_window_show_error(application->library_window, text);
    }
}

static void
act_preferences(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiApplication *application = data;

    if (!application->preferences) {
        application->preferences = ui_preferences_window_new(
            gtk_application_get_active_window(GTK_APPLICATION(application)));
        g_object_add_weak_pointer(G_OBJECT(application->preferences),
                                  (gpointer *)&application->preferences);
    }
    gtk_window_present(GTK_WINDOW(application->preferences));
}

static void
open_settings(UiApplication *application, GVariant *name, const char *page)
{
    AppEntry *entry = app_library_find(application->library, g_variant_get_string(name, NULL));
    GtkWindow *parent = gtk_application_get_active_window(GTK_APPLICATION(application));

    if (entry && !app_entry_get_problem(entry)) {
        ui_settings_open(GTK_APPLICATION(application), parent, entry, page);
    }
}

static void
act_settings(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    open_settings(data, parameter, NULL);
}

static void
act_command_line(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    open_settings(data, parameter, UI_SETTINGS_COMMAND_LINE);
}

static void
act_about(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiApplication *application = data;

    gtk_show_about_dialog(GTK_WINDOW(application->library_window), "program-name", "Vitrine",
                          "version", VITRINE_VERSION, "license-type", GTK_LICENSE_GPL_2_0,
                          "comments", _("Virtual machines on the desktop"), "logo-icon-name",
                          "org.vitrine.Vitrine", "copyright", _("© The Vitrine authors"), NULL);
}

static void
act_quit(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    ui_keeper_quit(UI_APPLICATION(data)->keeper);
}

static const GActionEntry actions[] = {
    { .name = "open-machine", .parameter_type = "s", .activate = act_open_machine },
    { .name = "new-machine", .activate = act_new_machine },
    { .name = "new-machine-from", .parameter_type = "s", .activate = act_new_machine_from },
    { .name = "new-machine-from-text",
      .parameter_type = "s",
      .activate = act_new_machine_from_text },
    { .name = "show-machine", .parameter_type = "s", .activate = act_show_machine },
    { .name = "show-library-folder", .activate = act_show_library_folder },
    { .name = "preferences", .activate = act_preferences },
    { .name = "settings", .parameter_type = "s", .activate = act_settings },
    { .name = "command-line", .parameter_type = "s", .activate = act_command_line },
    { .name = "about", .activate = act_about },
    { .name = "quit", .activate = act_quit },
};

/* ---- GApplication ---- */

static const struct {
    const char *action;
    const char *keys[3];
} accels[] = {
    { "app.quit", { "<Primary>q" } },
    { "app.new-machine", { "<Primary>n" } },
    { "app.preferences", { "<Primary>comma" } },
    /* the library's; a machine window has no such actions, and its keys are the guest's */
    { "win.main-menu", { "F10" } },
    { "win.search", { "<Primary>f" } },
    { "win.rename", { "F2" } },
    { "win.duplicate", { "<Primary>d" } },
    { "win.delete", { "Delete" } },
    { "win.notes", { "<Primary>e" } },
    { "win.show-files", { "<Primary>o" } },
    { "win.settings", { "<Alt>Return" } },
    { "win.command-line", { "<Primary>l" } },
    { "win.view::grid", { "<Primary>1" } },
    { "win.view::list", { "<Primary>2" } },
    { "win.undo-delete", { "<Primary>z" } },
    { "win.fullscreen", { "F11" } },
};

static gboolean
on_signal(gpointer data)
{
    ui_keeper_quit_by_signal(UI_APPLICATION(data)->keeper);
    return G_SOURCE_CONTINUE;
}

/* The one control of GTK's shortcuts window that has no name. */
static void
name_search_button(GtkWidget *widget, gpointer data)
{
    if (GTK_IS_TOGGLE_BUTTON(widget)) {
        atk_object_set_name(gtk_widget_get_accessible(widget), _("Find shortcuts"));
    } else if (GTK_IS_CONTAINER(widget)) {
        gtk_container_forall(GTK_CONTAINER(widget), name_search_button, data);
    }
}

static void
on_window_added(GtkApplication *application, GtkWindow *window)
{
    GtkShortcutsWindow *help =
        GTK_IS_APPLICATION_WINDOW(window)
            ? gtk_application_window_get_help_overlay(GTK_APPLICATION_WINDOW(window))
            : NULL;

    if (help) {
        name_search_button(gtk_window_get_titlebar(GTK_WINDOW(help)), NULL);
    }
}

static void
ui_application_startup(GApplication *gapplication)
{
    UiApplication *application = UI_APPLICATION(gapplication);
    g_autoptr(GtkCssProvider) css = gtk_css_provider_new();

    G_APPLICATION_CLASS(ui_application_parent_class)->startup(gapplication);
    g_action_map_add_action_entries(G_ACTION_MAP(application), actions, G_N_ELEMENTS(actions),
                                    application);
    for (guint i = 0; i < G_N_ELEMENTS(accels); i++) {
        gtk_application_set_accels_for_action(GTK_APPLICATION(application), accels[i].action,
                                              accels[i].keys);
    }
    hdy_init();
    gtk_window_set_default_icon_name("org.vitrine.Vitrine");
    /* GTK 3 alone does not follow the desktop's wish for dark windows */
    hdy_style_manager_set_color_scheme(hdy_style_manager_get_default(),
                                       HDY_COLOR_SCHEME_PREFER_LIGHT);
    gtk_css_provider_load_from_resource(css, "/org/vitrine/Vitrine/style.css");
    gtk_style_context_add_provider_for_screen(gdk_screen_get_default(), GTK_STYLE_PROVIDER(css),
                                              GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
    g_signal_connect(application, "window-added", G_CALLBACK(on_window_added), NULL);
    application->library = app_library_new(NULL, application->demo_guest);
    application->keeper = ui_keeper_new(GTK_APPLICATION(application), application->library);
    g_unix_signal_add(SIGTERM, on_signal, application);
    g_unix_signal_add(SIGINT, on_signal, application);
    g_unix_signal_add(SIGHUP, on_signal, application);
}

static void
ui_application_activate(GApplication *gapplication)
{
    UiApplication *application = UI_APPLICATION(gapplication);

    if (!application->library_window) {
        application->library_window =
            ui_library_window_new(GTK_APPLICATION(application), application->library);
        g_object_add_weak_pointer(G_OBJECT(application->library_window),
                                  (gpointer *)&application->library_window);
    }
    gtk_window_present(GTK_WINDOW(application->library_window));
}

static void
ui_application_open(GApplication *gapplication, GFile **files, int n_files, const char *hint)
{
    g_application_activate(gapplication);
    for (int i = 0; i < n_files; i++) {
        g_action_group_activate_action(G_ACTION_GROUP(gapplication), "new-machine-from",
                                       g_variant_new_string(g_file_peek_path(files[i])));
    }
}

static void
ui_application_finalize(GObject *object)
{
    UiApplication *application = UI_APPLICATION(object);

    g_clear_pointer(&application->keeper, ui_keeper_free);
    g_clear_object(&application->library);
    g_free(application->demo_guest);
    G_OBJECT_CLASS(ui_application_parent_class)->finalize(object);
}

static void
ui_application_class_init(UiApplicationClass *klass)
{
    GApplicationClass *application_class = G_APPLICATION_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = ui_application_finalize;
    application_class->startup = ui_application_startup;
    application_class->activate = ui_application_activate;
    application_class->open = ui_application_open;
}

static void
ui_application_init(UiApplication *application)
{
}

UiApplication *
ui_application_new(const char *demo_guest)
{
    UiApplication *application =
        g_object_new(UI_TYPE_APPLICATION, "application-id", "org.vitrine.Vitrine", "flags",
                     G_APPLICATION_HANDLES_OPEN, "resource-base-path", "/org/vitrine/Vitrine",
                     "register-session", TRUE, NULL);

    application->demo_guest = g_strdup(demo_guest);
    return application;
}

/* ---- One machine alone ---- */

typedef struct Single {
    AppSession *session;
    VitConfig *config;
    GtkApplication *application;
    gboolean started;
    int status;
} Single;

static void
on_single_changed(AppSession *session, Single *single)
{
    AppSessionState state = app_session_get_state(session);

    single->started |= state == APP_SESSION_RUNNING;
    if (state == APP_SESSION_FAILED && !single->started) {
        g_printerr("%s: %s\n", g_get_prgname(), app_session_get_reason(session));
        single->status = 1;
        g_application_quit(G_APPLICATION(single->application));
    } else if (state == APP_SESSION_OFF && single->started) {
        g_application_quit(G_APPLICATION(single->application));
    }
}

/* As vitrine-run does: off at once, disks flushed. */
static gboolean
on_single_signal(gpointer data)
{
    Single *single = data;

    if (app_session_is_active(single->session)) {
        app_session_force_off(single->session);
    } else {
        g_application_quit(G_APPLICATION(single->application));
    }
    return G_SOURCE_CONTINUE;
}

static void
on_single_activate(GApplication *application, Single *single)
{
    UiMachineWindow *window = ui_machine_window_new(GTK_APPLICATION(application), single->session,
                                                    single->config, "Vitrine");

    gtk_window_present(GTK_WINDOW(window));
    g_signal_connect(single->session, "changed", G_CALLBACK(on_single_changed), single);
    app_session_start(single->session);
}

int
ui_application_run_single(int argc, char **argv)
{
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(VitConfig) config =
        vit_config_from_command_line(argc, (const char *const *)argv, diags);
    g_autoptr(AppLocalSession) session = app_local_session_new(config);
    g_autoptr(GtkApplication) application =
        gtk_application_new("org.vitrine.Vitrine.Run", G_APPLICATION_NON_UNIQUE);
    Single single = { APP_SESSION(session), config, application, FALSE, 0 };

    g_signal_connect(application, "activate", G_CALLBACK(on_single_activate), &single);
    g_unix_signal_add(SIGTERM, on_single_signal, &single);
    g_unix_signal_add(SIGINT, on_single_signal, &single);
    g_unix_signal_add(SIGHUP, on_single_signal, &single);
    g_application_run(G_APPLICATION(application), 0, NULL);
    return single.status;
}
