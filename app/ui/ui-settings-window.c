/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The window around the settings pages and the command line of one machine. A change is in the
 * configuration at once and on the disk a moment later; there is nothing to confirm, and undo takes
 * back what was done on any page or in the command line. */

#include "ui-settings-window.h"

#include "ui-command-line-pane.h"
#include "ui-settings-page.h"

#include <glib/gi18n.h>
#include <handy.h>

struct _UiSettingsWindow {
    GtkWindow parent;
    GtkHeaderBar *header;
    GtkEntry *search_entry;
    GtkInfoBar *info_bar;
    GtkLabel *info_label;
    GtkInfoBar *waiting_bar;
    GtkLabel *waiting_label;
    GtkListBox *sidebar;
    GtkStack *stack;
    GtkWidget *search_page, *pane;
    AppEntry *entry;
    AppSettings *settings;
    GSimpleActionGroup *actions;
};

enum { WAITING_MAX = 6 };

G_DEFINE_FINAL_TYPE(UiSettingsWindow, ui_settings_window, GTK_TYPE_WINDOW)

/* ---- Pages ---- */

static void
add_page(UiSettingsWindow *window, const char *name, const char *title, const char *icon,
         GtkWidget *page)
{
    GtkWidget *row = gtk_list_box_row_new();
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);

    gtk_container_set_border_width(GTK_CONTAINER(box), 8);
    gtk_container_add(GTK_CONTAINER(box), gtk_image_new_from_icon_name(icon, GTK_ICON_SIZE_BUTTON));
    gtk_container_add(GTK_CONTAINER(box), gtk_label_new(title));
    gtk_container_add(GTK_CONTAINER(row), box);
    gtk_widget_show_all(row);
    atk_object_set_name(gtk_widget_get_accessible(row), title);
    g_object_set_data(G_OBJECT(row), "page", (gpointer)g_intern_string(name));
    gtk_container_add(GTK_CONTAINER(window->sidebar), row);
    gtk_stack_add_named(window->stack, page, name);
}

static void
show_page(UiSettingsWindow *window, const char *name)
{
    g_autoptr(GList) rows = gtk_container_get_children(GTK_CONTAINER(window->sidebar));

    for (GList *l = rows; l; l = l->next) {
        if (g_strcmp0(g_object_get_data(l->data, "page"), name) == 0) {
            gtk_list_box_select_row(window->sidebar, l->data);
            gtk_stack_set_visible_child_name(window->stack, name);
        }
    }
}

static void
on_row_selected(GtkListBox *sidebar, GtkListBoxRow *row, UiSettingsWindow *window)
{
    if (row) {
        gtk_stack_set_visible_child_name(window->stack, g_object_get_data(G_OBJECT(row), "page"));
        gtk_entry_set_text(window->search_entry, "");
    }
}

/* Tab leaves the list of pages; going through it would show each page on the way. */
static gboolean
on_sidebar_key(GtkWidget *sidebar, GdkEventKey *event, UiSettingsWindow *window)
{
    if (event->keyval == GDK_KEY_Tab) {
        return gtk_widget_child_focus(GTK_WIDGET(window->stack), GTK_DIR_TAB_FORWARD);
    }
    if (event->keyval == GDK_KEY_ISO_Left_Tab) {
        return gtk_widget_child_focus(GTK_WIDGET(window->header), GTK_DIR_TAB_BACKWARD);
    }
    return FALSE;
}

/* ---- Search ---- */

static void
on_search_changed(UiSettingsWindow *window)
{
    const char *text = gtk_entry_get_text(window->search_entry);
    GtkListBoxRow *row = gtk_list_box_get_selected_row(window->sidebar);

    if (*text) {
        ui_settings_page_set_search(UI_SETTINGS_PAGE(window->search_page), text);
        gtk_stack_set_visible_child(window->stack, window->search_page);
    } else if (row) {
        gtk_stack_set_visible_child_name(window->stack, g_object_get_data(G_OBJECT(row), "page"));
    }
}

static void
on_stop_search(UiSettingsWindow *window)
{
    gtk_entry_set_text(window->search_entry, "");
}

/* ---- Messages ---- */

static void
on_save_failed(AppSettings *settings, const char *message, UiSettingsWindow *window)
{
    g_autofree char *text = g_strdup_printf(_("The settings could not be saved: %s"), message);

    gtk_label_set_text(window->info_label, text);
    gtk_info_bar_set_revealed(window->info_bar, TRUE);
}

static void
on_info_response(UiSettingsWindow *window)
{
    gtk_info_bar_set_revealed(window->info_bar, FALSE);
}

/* ---- What waits ---- */

/* What the running machine is not like, and why. */
static void
on_live(AppSession *session, UiSettingsWindow *window)
{
    AppLive *live = app_session_get_live(session);
    GPtrArray *waiting = live ? app_live_get_waiting(live) : NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    guint n = 0;

    for (guint i = 0; waiting && i < waiting->len; i++) {
        const AppWaiting *one = waiting->pdata[i];

        if (one->change == VIT_CHANGE_HOT && !one->problem) {
            continue; /* on its way */
        }
        if (n++ < WAITING_MAX) {
            g_string_append_printf(text, "\n• %s", one->text);
            if (one->problem) {
                /* Translators: a change, and why it could not be made at once */
                g_string_append_printf(text, _(" (not possible now: %s)"), one->problem);
            }
        }
    }
    if (n) {
        g_autofree char *head = g_strdup_printf(
            ngettext("%u change waits until the machine is off and started again:",
                     "%u changes wait until the machine is off and started again:", n),
            n);

        g_string_prepend(text, head);
    }
    gtk_label_set_text(window->waiting_label, text->str);
    gtk_info_bar_set_revealed(window->waiting_bar, n > 0);
}

/* ---- Undo ---- */

static void
set_enabled(UiSettingsWindow *window, const char *name, gboolean enabled)
{
    GAction *action = g_action_map_lookup_action(G_ACTION_MAP(window->actions), name);

    g_simple_action_set_enabled(G_SIMPLE_ACTION(action), enabled);
}

static void
on_changed(AppSettings *settings, UiSettingsWindow *window)
{
    VitConfig *config = app_settings_get_config(settings);

    set_enabled(window, "undo", vit_config_can_undo(config, NULL));
    set_enabled(window, "redo", vit_config_can_redo(config, NULL));
}

static void
act_undo(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    vit_config_undo(app_settings_get_config(UI_SETTINGS_WINDOW(data)->settings));
}

static void
act_redo(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    vit_config_redo(app_settings_get_config(UI_SETTINGS_WINDOW(data)->settings));
}

static void
act_search(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    gtk_widget_grab_focus(GTK_WIDGET(UI_SETTINGS_WINDOW(data)->search_entry));
}

static void
act_page(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    show_page(data, g_variant_get_string(parameter, NULL));
}

static void
act_close(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    gtk_window_close(data);
}

static const GActionEntry actions[] = {
    { .name = "undo", .activate = act_undo },
    { .name = "redo", .activate = act_redo },
    { .name = "search", .activate = act_search },
    { .name = "page", .parameter_type = "s", .activate = act_page },
    { .name = "close", .activate = act_close },
};

/* Accelerators of this window alone; text fields keep their own undo. */
static gboolean
on_key(GtkWidget *widget, GdkEventKey *event)
{
    UiSettingsWindow *window = UI_SETTINGS_WINDOW(widget);
    static const struct {
        guint key, state;
        const char *action;
    } keys[] = {
        { GDK_KEY_z, GDK_CONTROL_MASK, "undo" },
        { GDK_KEY_Z, GDK_CONTROL_MASK | GDK_SHIFT_MASK, "redo" },
        { GDK_KEY_y, GDK_CONTROL_MASK, "redo" },
        { GDK_KEY_f, GDK_CONTROL_MASK, "search" },
        { GDK_KEY_w, GDK_CONTROL_MASK, "close" },
    };
    guint state = event->state & gtk_accelerator_get_default_mod_mask();

    if (GTK_WIDGET_CLASS(ui_settings_window_parent_class)->key_press_event(widget, event)) {
        return TRUE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (event->keyval == keys[i].key && state == keys[i].state) {
            g_action_group_activate_action(G_ACTION_GROUP(window->actions), keys[i].action, NULL);
            return TRUE;
        }
    }
    return FALSE;
}

/* ---- Closing ---- */

static void
on_close_response(GtkDialog *dialog, int response, UiSettingsWindow *window)
{
    gtk_widget_destroy(GTK_WIDGET(dialog));
    if (response == GTK_RESPONSE_APPLY) {
        ui_command_line_pane_apply(UI_COMMAND_LINE_PANE(window->pane));
    }
    if (response == GTK_RESPONSE_APPLY || response == GTK_RESPONSE_REJECT) {
        gtk_widget_destroy(GTK_WIDGET(window));
    }
}

/* Typed arguments that were not applied are never lost without a word. */
static gboolean
on_delete(GtkWidget *widget, GdkEventAny *event)
{
    UiSettingsWindow *window = UI_SETTINGS_WINDOW(widget);
    GtkWidget *dialog;

    if (!ui_command_line_pane_has_changes(UI_COMMAND_LINE_PANE(window->pane))) {
        return FALSE;
    }
    show_page(window, UI_SETTINGS_COMMAND_LINE);
    dialog = gtk_message_dialog_new(GTK_WINDOW(window), GTK_DIALOG_MODAL, GTK_MESSAGE_QUESTION,
                                    GTK_BUTTONS_NONE, "%s", _("Apply the changed command line?"));
    gtk_message_dialog_format_secondary_text(GTK_MESSAGE_DIALOG(dialog), "%s",
                                             _("Its text has changes that were not applied."));
    gtk_dialog_add_buttons(GTK_DIALOG(dialog), _("_Discard"), GTK_RESPONSE_REJECT, _("_Cancel"),
                           GTK_RESPONSE_CANCEL, _("_Apply"), GTK_RESPONSE_APPLY, NULL);
    gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_APPLY);
    g_signal_connect(dialog, "response", G_CALLBACK(on_close_response), window);
    gtk_widget_show(dialog);
    return TRUE;
}

/* ---- Life ---- */

static UiSettingsWindow *
find_window(GtkApplication *application, AppEntry *entry)
{
    for (GList *l = gtk_application_get_windows(application); l; l = l->next) {
        if (UI_IS_SETTINGS_WINDOW(l->data) && UI_SETTINGS_WINDOW(l->data)->entry == entry) {
            return l->data;
        }
    }
    return NULL;
}

static void
set_entry(UiSettingsWindow *window, AppEntry *entry)
{
    /* Translators: title of a machine's settings window */
    g_autofree char *title = g_strdup_printf(_("%s – Settings"), app_entry_get_name(entry));

    window->entry = g_object_ref(entry);
    window->settings = app_settings_for_entry(entry);
    gtk_window_set_title(GTK_WINDOW(window), title);
    gtk_header_bar_set_title(window->header, title); /* one with the window's, as GTK has it */
    for (int page = 0; page < APP_PAGE_LAST; page++) {
        add_page(window, app_page_name((AppPage)page), app_page_title((AppPage)page),
                 app_page_icon((AppPage)page),
                 ui_settings_page_new(window->settings, (AppPage)page));
    }
    window->pane = ui_command_line_pane_new(window->settings);
    add_page(window, UI_SETTINGS_COMMAND_LINE, _("Command Line"), "utilities-terminal-symbolic",
             window->pane);
    window->search_page = ui_settings_page_new_search(window->settings);
    gtk_stack_add_named(window->stack, window->search_page, "search");
    g_signal_connect_object(window->settings, "changed", G_CALLBACK(on_changed), window, 0);
    g_signal_connect_object(window->settings, "save-failed", G_CALLBACK(on_save_failed), window, 0);
    g_signal_connect_object(app_entry_get_session(entry), "live", G_CALLBACK(on_live), window, 0);
    on_changed(window->settings, window);
    on_live(app_entry_get_session(entry), window);
    show_page(window, app_page_name(APP_PAGE_SYSTEM));
}

UiSettingsWindow *
ui_settings_open(GtkApplication *application, GtkWindow *parent, AppEntry *entry, const char *page)
{
    UiSettingsWindow *window = find_window(application, entry);

    if (!window) {
        window = g_object_new(UI_TYPE_SETTINGS_WINDOW, "application", application, NULL);
        set_entry(window, entry);
    }
    if (page) {
        show_page(window, page);
    }
    gtk_window_present(GTK_WINDOW(window));
    return window;
}

static void
ui_settings_window_dispose(GObject *object)
{
    UiSettingsWindow *window = UI_SETTINGS_WINDOW(object);

    g_clear_object(&window->settings);
    g_clear_object(&window->entry);
    g_clear_object(&window->actions);
    G_OBJECT_CLASS(ui_settings_window_parent_class)->dispose(object);
}

static void
ui_settings_window_class_init(UiSettingsWindowClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);

    hdy_init();
    G_OBJECT_CLASS(klass)->dispose = ui_settings_window_dispose;
    widget_class->key_press_event = on_key;
    widget_class->delete_event = on_delete;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/ui-settings-window.ui");
    gtk_widget_class_bind_template_child(widget_class, UiSettingsWindow, header);
    gtk_widget_class_bind_template_child(widget_class, UiSettingsWindow, search_entry);
    gtk_widget_class_bind_template_child(widget_class, UiSettingsWindow, info_bar);
    gtk_widget_class_bind_template_child(widget_class, UiSettingsWindow, info_label);
    gtk_widget_class_bind_template_child(widget_class, UiSettingsWindow, waiting_bar);
    gtk_widget_class_bind_template_child(widget_class, UiSettingsWindow, waiting_label);
    gtk_widget_class_bind_template_child(widget_class, UiSettingsWindow, sidebar);
    gtk_widget_class_bind_template_child(widget_class, UiSettingsWindow, stack);
    gtk_widget_class_bind_template_callback(widget_class, on_row_selected);
    gtk_widget_class_bind_template_callback(widget_class, on_sidebar_key);
    gtk_widget_class_bind_template_callback(widget_class, on_search_changed);
    gtk_widget_class_bind_template_callback(widget_class, on_stop_search);
    gtk_widget_class_bind_template_callback(widget_class, on_info_response);
}

static void
ui_settings_window_init(UiSettingsWindow *window)
{
    gtk_widget_init_template(GTK_WIDGET(window));
    window->actions = g_simple_action_group_new();
    g_action_map_add_action_entries(G_ACTION_MAP(window->actions), actions, G_N_ELEMENTS(actions),
                                    window);
    gtk_widget_insert_action_group(GTK_WIDGET(window), "settings", G_ACTION_GROUP(window->actions));
}
