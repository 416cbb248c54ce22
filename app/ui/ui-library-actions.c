/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What can be done with the selected machine: running, notes, another name, a copy, its files, the
 * trash with a way back. */

#include "ui-library-window-private.h"

#include "app-prefs.h"
#include "app-trash.h"

#include <glib/gi18n.h>
#include <string.h>

static AppSession *
selected_session(UiLibraryWindow *window)
{
    AppEntry *entry = ui_library_window_get_selected(window);

    return entry ? app_entry_get_session(entry) : NULL;
}

static void
activate_app(UiLibraryWindow *window, const char *action)
{
    AppEntry *entry = ui_library_window_get_selected(window);

    if (entry) {
        g_action_group_activate_action(
            G_ACTION_GROUP(gtk_window_get_application(GTK_WINDOW(window))), action,
            g_variant_new_string(app_entry_get_name(entry)));
    }
}

/* ---- Running ---- */

static void
act_open(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    activate_app(data, "open-machine");
}

/* Without a window of its own. */
static void
act_start(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiLibraryWindow *window = data;
    AppEntry *entry = ui_library_window_get_selected(window);

    if (!entry) {
        return;
    }
    if (app_entry_get_problem(entry)) {
        ui_library_window_show_error(window, app_entry_get_problem(entry));
    } else {
        app_session_start(app_entry_get_session(entry));
    }
}

static void
act_pause(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    AppSession *session = selected_session(data);

    if (session) {
        app_session_pause(session);
    }
}

static void
act_resume(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    AppSession *session = selected_session(data);

    if (session) {
        app_session_resume(session);
    }
}

static void
act_power_button(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    AppSession *session = selected_session(data);

    if (session) {
        app_session_power_button(session);
    }
}

static void
act_force_off(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    AppSession *session = selected_session(data);

    if (session) {
        app_session_force_off(session);
    }
}

static void
act_settings(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    activate_app(data, g_action_get_name(G_ACTION(action)));
}

/* ---- Dialogs with one field ---- */

static GtkWidget *
make_dialog(UiLibraryWindow *window, AppEntry *entry, const char *title, const char *accept,
            GtkWidget *field, GCallback respond)
{
    GtkWidget *dialog = gtk_dialog_new_with_buttons(
        title, GTK_WINDOW(window), GTK_DIALOG_MODAL | GTK_DIALOG_USE_HEADER_BAR, _("_Cancel"),
        GTK_RESPONSE_CANCEL, accept, GTK_RESPONSE_OK, NULL);
    GtkWidget *box = gtk_dialog_get_content_area(GTK_DIALOG(dialog));

    gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_OK);
    gtk_container_set_border_width(GTK_CONTAINER(box), 12);
    gtk_box_pack_start(GTK_BOX(box), field, TRUE, TRUE, 0);
    atk_object_set_name(gtk_widget_get_accessible(field), title);
    g_object_set_data_full(G_OBJECT(dialog), "entry", g_object_ref(entry), g_object_unref);
    g_signal_connect(dialog, "response", respond, window);
    gtk_widget_show_all(dialog);
    return dialog;
}

static void
on_rename_response(GtkDialog *dialog, int response, UiLibraryWindow *window)
{
    AppEntry *entry = g_object_get_data(G_OBJECT(dialog), "entry");
    GtkEntry *field = g_object_get_data(G_OBJECT(dialog), "field");
    g_autoptr(GError) error = NULL;
    AppEntry *renamed;

    if (response == GTK_RESPONSE_OK &&
        strcmp(gtk_entry_get_text(field), app_entry_get_name(entry)) != 0) {
        renamed = app_library_rename(window->library, entry, gtk_entry_get_text(field), &error);
        if (renamed) {
            ui_library_window_select(window, renamed);
        } else {
            ui_library_window_show_error(window, error->message);
        }
    }
    gtk_widget_destroy(GTK_WIDGET(dialog));
}

static void
act_rename(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiLibraryWindow *window = data;
    AppEntry *entry = ui_library_window_get_selected(window);
    GtkWidget *field, *dialog;

    if (entry) {
        field = gtk_entry_new();
        gtk_entry_set_text(GTK_ENTRY(field), app_entry_get_name(entry));
        gtk_entry_set_activates_default(GTK_ENTRY(field), TRUE);
        dialog = make_dialog(window, entry, _("Rename"), _("_Rename"), field,
                             G_CALLBACK(on_rename_response));
        g_object_set_data(G_OBJECT(dialog), "field", field);
    }
}

/* For scripts: the name alone. */
static void
act_rename_to(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiLibraryWindow *window = data;
    AppEntry *entry = ui_library_window_get_selected(window);
    g_autoptr(GError) error = NULL;
    AppEntry *renamed = entry ? app_library_rename(window->library, entry,
                                                   g_variant_get_string(parameter, NULL), &error)
                              : NULL;

    if (renamed) {
        ui_library_window_select(window, renamed);
    } else if (error) {
        ui_library_window_show_error(window, error->message);
    }
}

static void
on_notes_response(GtkDialog *dialog, int response, UiLibraryWindow *window)
{
    AppEntry *entry = g_object_get_data(G_OBJECT(dialog), "entry");
    GtkTextBuffer *buffer = g_object_get_data(G_OBJECT(dialog), "buffer");
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    if (response == GTK_RESPONSE_OK) {
        g_object_get(buffer, "text", &text, NULL);
        if (!app_entry_set_notes(entry, text, &error)) {
            ui_library_window_show_error(window, error->message);
        }
    }
    gtk_widget_destroy(GTK_WIDGET(dialog));
}

static void
act_notes(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiLibraryWindow *window = data;
    AppEntry *entry = ui_library_window_get_selected(window);
    GtkWidget *scrolled, *view, *dialog;

    if (entry) {
        scrolled = gtk_scrolled_window_new(NULL, NULL);
        view = gtk_text_view_new();
        gtk_text_view_set_accepts_tab(GTK_TEXT_VIEW(view), FALSE);
        gtk_text_view_set_wrap_mode(GTK_TEXT_VIEW(view), GTK_WRAP_WORD_CHAR);
        g_object_set(view, "left-margin", 8, "right-margin", 8, "top-margin", 6, "bottom-margin", 6,
                     NULL);
        gtk_text_buffer_set_text(gtk_text_view_get_buffer(GTK_TEXT_VIEW(view)),
                                 app_entry_get_notes(entry), -1);
        atk_object_set_name(gtk_widget_get_accessible(view), _("Notes"));
        gtk_widget_set_size_request(scrolled, 420, 240);
        gtk_scrolled_window_set_shadow_type(GTK_SCROLLED_WINDOW(scrolled), GTK_SHADOW_IN);
        gtk_container_add(GTK_CONTAINER(scrolled), view);
        dialog = make_dialog(window, entry, _("Notes"), _("_Save"), scrolled,
                             G_CALLBACK(on_notes_response));
        g_object_set_data(G_OBJECT(dialog), "buffer",
                          gtk_text_view_get_buffer(GTK_TEXT_VIEW(view)));
        gtk_widget_grab_focus(view);
    }
}

/* ---- Copies and files ---- */

static void
on_duplicated(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(UiLibraryWindow) window = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(AppEntry) entry = app_library_duplicate_finish(APP_LIBRARY(source), result, &error);

    if (!window->library) {
        return;
    }
    if (entry) {
        ui_library_window_select(window, entry);
    } else if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        ui_library_window_show_error(window, error->message);
    }
}

static void
act_duplicate(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiLibraryWindow *window = data;
    AppEntry *entry = ui_library_window_get_selected(window);

    if (entry) {
        app_library_duplicate_async(window->library, entry, on_duplicated, g_object_ref(window));
    }
}

static void
act_show_files(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiLibraryWindow *window = data;
    AppEntry *entry = ui_library_window_get_selected(window);
    g_autoptr(GError) error = NULL;
    g_autofree char *uri = NULL;

    if (entry && app_entry_get_folder(entry)) {
        uri = g_file_get_uri(app_entry_get_folder(entry));
        if (!gtk_show_uri_on_window(GTK_WINDOW(window), uri, GDK_CURRENT_TIME, &error)) {
            g_autofree char *text =
                g_strdup_printf(_("No program opens folders here (%s). The files are in %s"),
                                error->message, g_file_peek_path(app_entry_get_folder(entry)));
            ui_library_window_show_error(window, text);
        }
    }
}

/* ---- Trash ---- */

static void
trash(UiLibraryWindow *window, AppEntry *entry)
{
    g_autoptr(GFile) folder = g_object_ref(app_entry_get_folder(entry));
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    text = g_strdup_printf(_("“%s” is in the trash."), app_entry_get_name(entry));
    if (!app_library_trash(window->library, entry, &error)) {
        ui_library_window_show_error(window, error->message);
        return;
    }
    g_set_object(&window->trashed, folder);
    ui_library_window_show_info(window, GTK_MESSAGE_INFO, text, TRUE);
    ui_library_window_update_actions(window);
}

static void
on_delete_response(GtkDialog *dialog, int response, UiLibraryWindow *window)
{
    if (response == GTK_RESPONSE_OK) {
        trash(window, g_object_get_data(G_OBJECT(dialog), "entry"));
    }
    gtk_widget_destroy(GTK_WIDGET(dialog));
}

static void
act_delete(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiLibraryWindow *window = data;
    AppEntry *entry = ui_library_window_get_selected(window);
    GtkWidget *dialog, *list, *scrolled;
    g_autofree char *files = NULL;
    g_autofree char *size = NULL;
    guint64 len_bytes;

    if (!entry || !app_entry_get_folder(entry)) {
        return;
    }
    files = app_trash_describe(app_entry_get_folder(entry), &len_bytes);
    size = g_format_size(len_bytes);
    dialog = gtk_message_dialog_new(GTK_WINDOW(window), GTK_DIALOG_MODAL, GTK_MESSAGE_QUESTION,
                                    GTK_BUTTONS_NONE, _("Move “%s” to the trash?"),
                                    app_entry_get_name(entry));
    gtk_message_dialog_format_secondary_text(
        GTK_MESSAGE_DIALOG(dialog),
        _("These files go with it, %s in all. Images in other folders stay where they are."), size);
    list = gtk_label_new(files);
    gtk_label_set_xalign(GTK_LABEL(list), 0);
    gtk_label_set_selectable(GTK_LABEL(list), TRUE);
    scrolled = gtk_scrolled_window_new(NULL, NULL);
    gtk_scrolled_window_set_propagate_natural_height(GTK_SCROLLED_WINDOW(scrolled), TRUE);
    gtk_scrolled_window_set_max_content_height(GTK_SCROLLED_WINDOW(scrolled), 200);
    gtk_container_add(GTK_CONTAINER(scrolled), list);
    gtk_container_add(
        GTK_CONTAINER(gtk_message_dialog_get_message_area(GTK_MESSAGE_DIALOG(dialog))), scrolled);
    gtk_dialog_add_buttons(GTK_DIALOG(dialog), _("_Cancel"), GTK_RESPONSE_CANCEL,
                           _("_Move to Trash"), GTK_RESPONSE_OK, NULL);
    gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_CANCEL);
    g_object_set_data_full(G_OBJECT(dialog), "entry", g_object_ref(entry), g_object_unref);
    g_signal_connect(dialog, "response", G_CALLBACK(on_delete_response), window);
    gtk_widget_show_all(dialog);
}

/* For scripts: without a question, as it can be undone. */
static void
act_delete_now(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    AppEntry *entry = ui_library_window_get_selected(data);

    if (entry && app_entry_get_folder(entry)) {
        trash(data, entry);
    }
}

static void
act_undo_delete(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiLibraryWindow *window = data;
    g_autoptr(GError) error = NULL;
    AppEntry *entry;

    if (!window->trashed) {
        return;
    }
    entry = app_library_untrash(window->library, window->trashed, &error);
    if (!entry) {
        ui_library_window_show_error(window, error->message);
        return;
    }
    g_clear_object(&window->trashed);
    gtk_info_bar_set_revealed(window->info_bar, FALSE);
    ui_library_window_select(window, entry);
    ui_library_window_update_actions(window);
}

/* ---- View ---- */

static void
act_view(GSimpleAction *action, GVariant *value, gpointer data)
{
    gboolean list = strcmp(g_variant_get_string(value, NULL), "list") == 0;

    ui_library_window_set_view(data, list);
    g_settings_set_enum(app_prefs_get(), "library-view", list);
    g_simple_action_set_state(action, g_variant_new_string(list ? "list" : "grid"));
}

static void
act_search(GSimpleAction *action, GVariant *value, gpointer data)
{
    UiLibraryWindow *window = data;

    gtk_search_bar_set_search_mode(window->search_bar, g_variant_get_boolean(value));
    g_simple_action_set_state(action, value);
    if (g_variant_get_boolean(value)) {
        gtk_widget_grab_focus(GTK_WIDGET(window->search_entry));
    }
}

static void
on_search_mode(GObject *bar, GParamSpec *spec, UiLibraryWindow *window)
{
    GAction *action = g_action_map_lookup_action(G_ACTION_MAP(window), "search");

    g_simple_action_set_state(
        G_SIMPLE_ACTION(action),
        g_variant_new_boolean(gtk_search_bar_get_search_mode(window->search_bar)));
}

static void
act_find_text(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiLibraryWindow *window = data;

    gtk_search_bar_set_search_mode(window->search_bar, TRUE);
    gtk_entry_set_text(GTK_ENTRY(window->search_entry), g_variant_get_string(parameter, NULL));
}

static void
act_select(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiLibraryWindow *window = data;
    AppEntry *entry = app_library_find(window->library, g_variant_get_string(parameter, NULL));

    if (entry) {
        ui_library_window_select(window, entry);
    }
}

static void
act_main_menu(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    GtkToggleButton *button = GTK_TOGGLE_BUTTON(UI_LIBRARY_WINDOW(data)->menu_button);

    gtk_toggle_button_set_active(button, !gtk_toggle_button_get_active(button));
}

/* ---- Table ---- */

static const GActionEntry actions[] = {
    { .name = "open", .activate = act_open },
    { .name = "start", .activate = act_start },
    { .name = "pause", .activate = act_pause },
    { .name = "resume", .activate = act_resume },
    { .name = "power-button", .activate = act_power_button },
    { .name = "force-off", .activate = act_force_off },
    { .name = "settings", .activate = act_settings },
    { .name = "command-line", .activate = act_settings },
    { .name = "notes", .activate = act_notes },
    { .name = "rename", .activate = act_rename },
    { .name = "rename-to", .parameter_type = "s", .activate = act_rename_to },
    { .name = "duplicate", .activate = act_duplicate },
    { .name = "show-files", .activate = act_show_files },
    { .name = "delete", .activate = act_delete },
    { .name = "delete-now", .activate = act_delete_now },
    { .name = "undo-delete", .activate = act_undo_delete },
    { .name = "view", .parameter_type = "s", .state = "'grid'", .change_state = act_view },
    { .name = "search", .state = "false", .change_state = act_search },
    { .name = "find-text", .parameter_type = "s", .activate = act_find_text },
    { .name = "main-menu", .activate = act_main_menu },
    { .name = "select", .parameter_type = "s", .activate = act_select },
};

static void
set_enabled(UiLibraryWindow *window, const char *name, gboolean enabled)
{
    GAction *action = g_action_map_lookup_action(G_ACTION_MAP(window), name);

    g_simple_action_set_enabled(G_SIMPLE_ACTION(action), enabled);
}

void
ui_library_window_update_actions(UiLibraryWindow *window)
{
    AppEntry *entry = window->library ? ui_library_window_get_selected(window) : NULL;
    AppSessionState state =
        entry ? app_session_get_state(app_entry_get_session(entry)) : APP_SESSION_OFF;
    gboolean idle = state == APP_SESSION_OFF || state == APP_SESSION_FAILED;
    gboolean own = entry && app_entry_get_folder(entry);

    set_enabled(window, "open", entry != NULL);
    set_enabled(window, "start", entry && idle);
    set_enabled(window, "pause", state == APP_SESSION_RUNNING);
    set_enabled(window, "resume", state == APP_SESSION_PAUSED);
    set_enabled(window, "power-button", state == APP_SESSION_RUNNING);
    set_enabled(window, "force-off", entry && state != APP_SESSION_OFF);
    set_enabled(window, "settings", entry != NULL);
    set_enabled(window, "command-line", entry != NULL);
    set_enabled(window, "notes", own);
    set_enabled(window, "rename", own && idle);
    set_enabled(window, "rename-to", own && idle);
    set_enabled(window, "duplicate", own && idle);
    set_enabled(window, "show-files", own);
    set_enabled(window, "delete", own && idle);
    set_enabled(window, "delete-now", own && idle);
    set_enabled(window, "undo-delete", window->trashed != NULL);
    gtk_widget_set_sensitive(window->machine_button, entry != NULL);
}

void
ui_library_window_add_actions(UiLibraryWindow *window)
{
    GAction *view;

    g_action_map_add_action_entries(G_ACTION_MAP(window), actions, G_N_ELEMENTS(actions), window);
    view = g_action_map_lookup_action(G_ACTION_MAP(window), "view");
    g_simple_action_set_state(
        G_SIMPLE_ACTION(view),
        g_variant_new_string(g_settings_get_enum(app_prefs_get(), "library-view") ? "list"
                                                                                  : "grid"));
    g_signal_connect(window->search_bar, "notify::search-mode-enabled", G_CALLBACK(on_search_mode),
                     window);
}
