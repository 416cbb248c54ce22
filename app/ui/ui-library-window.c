/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The library window: two views of one list, of which only the one in sight is filled. Opening a
 * card opens the machine's window through the application's action "open-machine", which is also
 * what the command line and tests use. What can be done with a machine is in
 * ui-library-actions.c. */

#include "ui-library-window-private.h"

#include "app-prefs.h"
#include "ui-jobs-button.h"
#include "ui-machine-card.h"

#include <glib/gi18n.h>
#include <string.h>

G_DEFINE_FINAL_TYPE(UiLibraryWindow, ui_library_window, GTK_TYPE_APPLICATION_WINDOW)

/* ---- Cards ---- */

static UiMachineCard *
card_of(gpointer child)
{
    return UI_MACHINE_CARD(gtk_bin_get_child(GTK_BIN(child)));
}

static GtkWidget *
make_child(gpointer item, gpointer data)
{
    UiLibraryWindow *window = data;
    GtkWidget *child = window->is_list ? gtk_list_box_row_new() : gtk_flow_box_child_new();
    GtkWidget *card = ui_machine_card_new(item, window->is_list ? GTK_ORIENTATION_HORIZONTAL
                                                                : GTK_ORIENTATION_VERTICAL);

    gtk_style_context_add_class(gtk_widget_get_style_context(child), "machine-card");
    gtk_container_add(GTK_CONTAINER(child), card);
    gtk_widget_show(child);
    return child;
}

static void
open_card(UiLibraryWindow *window, gpointer child)
{
    AppEntry *entry = ui_machine_card_get_entry(card_of(child));

    g_action_group_activate_action(G_ACTION_GROUP(gtk_window_get_application(GTK_WINDOW(window))),
                                   "open-machine", g_variant_new_string(app_entry_get_name(entry)));
}

static void
on_grid_activated(GtkFlowBox *grid, GtkFlowBoxChild *child, UiLibraryWindow *window)
{
    open_card(window, child);
}

static void
on_list_activated(GtkListBox *list, GtkListBoxRow *row, UiLibraryWindow *window)
{
    open_card(window, row);
}

AppEntry *
ui_library_window_get_selected(UiLibraryWindow *window)
{
    gpointer child = NULL;

    if (window->is_list) {
        child = gtk_list_box_get_selected_row(window->list);
    } else {
        g_autoptr(GList) selected = gtk_flow_box_get_selected_children(window->grid);

        child = selected ? selected->data : NULL;
    }
    return child ? ui_machine_card_get_entry(card_of(child)) : NULL;
}

void
ui_library_window_select(UiLibraryWindow *window, AppEntry *entry)
{
    GtkContainer *view =
        window->is_list ? GTK_CONTAINER(window->list) : GTK_CONTAINER(window->grid);
    g_autoptr(GList) children = gtk_container_get_children(view);

    for (GList *l = children; l; l = l->next) {
        if (ui_machine_card_get_entry(card_of(l->data)) == entry) {
            if (window->is_list) {
                gtk_list_box_select_row(window->list, l->data);
            } else {
                gtk_flow_box_select_child(window->grid, l->data);
            }
            gtk_widget_grab_focus(l->data);
        }
    }
}

static gboolean
matches(UiLibraryWindow *window, gpointer child)
{
    const char *text = gtk_entry_get_text(GTK_ENTRY(window->search_entry));

    return !*text || app_entry_matches(ui_machine_card_get_entry(card_of(child)), text);
}

static gboolean
filter_grid(GtkFlowBoxChild *child, gpointer data)
{
    return matches(data, child);
}

static gboolean
filter_list(GtkListBoxRow *row, gpointer data)
{
    return matches(data, row);
}

void
ui_library_window_update_views(UiLibraryWindow *window)
{
    GListModel *model = G_LIST_MODEL(window->library);
    const char *text = gtk_entry_get_text(GTK_ENTRY(window->search_entry));
    gboolean found = !*text, own = FALSE;

    for (guint i = 0; i < g_list_model_get_n_items(model); i++) {
        g_autoptr(AppEntry) entry = g_list_model_get_item(model, i);

        found |= app_entry_matches(entry, text);
        own |= app_entry_get_folder(entry) != NULL;
    }
    gtk_stack_set_visible_child_name(window->views, !found            ? "none"
                                                    : window->is_list ? "list"
                                                                      : "grid");
    gtk_widget_set_visible(window->first_hint, !own && !*text);
}

static void
on_search_changed(GtkSearchEntry *entry, UiLibraryWindow *window)
{
    gtk_flow_box_invalidate_filter(window->grid);
    gtk_list_box_invalidate_filter(window->list);
    ui_library_window_update_views(window);
}

/* Return in the search opens the first machine that is left. */
static void
on_search_activate(GtkEntry *entry, UiLibraryWindow *window)
{
    GtkContainer *view =
        window->is_list ? GTK_CONTAINER(window->list) : GTK_CONTAINER(window->grid);
    g_autoptr(GList) children = gtk_container_get_children(view);

    for (GList *l = children; l; l = l->next) {
        if (matches(window, l->data)) {
            open_card(window, l->data);
            return;
        }
    }
}

/* The views follow the library by hand, as a bound model leaves no room for a filter. */
static guint
count_children(UiLibraryWindow *window)
{
    GtkContainer *view =
        window->is_list ? GTK_CONTAINER(window->list) : GTK_CONTAINER(window->grid);
    g_autoptr(GList) children = gtk_container_get_children(view);

    return g_list_length(children);
}

static void
change_children(UiLibraryWindow *window, guint position, guint removed, guint added)
{
    for (; removed; removed--) {
        gtk_widget_destroy(
            window->is_list ? GTK_WIDGET(gtk_list_box_get_row_at_index(window->list, position))
                            : GTK_WIDGET(gtk_flow_box_get_child_at_index(window->grid, position)));
    }
    for (guint i = position; i < position + added; i++) {
        g_autoptr(AppEntry) entry = g_list_model_get_item(G_LIST_MODEL(window->library), i);

        if (window->is_list) {
            gtk_list_box_insert(window->list, make_child(entry, window), i);
        } else {
            gtk_flow_box_insert(window->grid, make_child(entry, window), i);
        }
    }
}

void
ui_library_window_set_view(UiLibraryWindow *window, gboolean list)
{
    AppEntry *selected = window->library ? ui_library_window_get_selected(window) : NULL;
    g_autoptr(AppEntry) keep = selected ? g_object_ref(selected) : NULL;

    change_children(window, 0, count_children(window), 0);
    window->is_list = list;
    change_children(window, 0, 0, g_list_model_get_n_items(G_LIST_MODEL(window->library)));
    ui_library_window_update_views(window);
    if (keep) {
        ui_library_window_select(window, keep);
    }
}

static void
on_selection_changed(GtkWidget *view, UiLibraryWindow *window)
{
    ui_library_window_update_actions(window);
}

/* A new card is a guest in the list until it is told of changes. */
static void
on_items_changed(GListModel *model, guint position, guint removed, guint added,
                 UiLibraryWindow *window)
{
    change_children(window, position, removed, added);
    for (guint i = 0; i < added; i++) {
        g_autoptr(AppEntry) entry = g_list_model_get_item(model, position + i);

        g_signal_connect_object(entry, "changed", G_CALLBACK(ui_library_window_update_actions),
                                window, G_CONNECT_SWAPPED);
    }
    ui_library_window_update_views(window);
    ui_library_window_update_actions(window);
}

/* ---- Menus at a card ---- */

static void
popup_menu(UiLibraryWindow *window, GdkEvent *event)
{
    GtkWidget *menu = gtk_menu_new_from_model(window->card_menu);
    GtkWidget *view = window->is_list ? GTK_WIDGET(window->list) : GTK_WIDGET(window->grid);

    gtk_menu_attach_to_widget(GTK_MENU(menu), view, NULL);
    g_signal_connect(menu, "selection-done", G_CALLBACK(gtk_widget_destroy), NULL);
    if (event) {
        gtk_menu_popup_at_pointer(GTK_MENU(menu), event);
    } else {
        gtk_menu_popup_at_widget(GTK_MENU(menu), view, GDK_GRAVITY_CENTER, GDK_GRAVITY_CENTER,
                                 NULL);
    }
}

static gboolean
on_view_button(GtkWidget *view, GdkEventButton *event, UiLibraryWindow *window)
{
    if (!gdk_event_triggers_context_menu((GdkEvent *)event)) {
        return GDK_EVENT_PROPAGATE;
    }
    if (window->is_list) {
        GtkListBoxRow *row = gtk_list_box_get_row_at_y(window->list, event->y);

        if (!row) {
            return GDK_EVENT_PROPAGATE;
        }
        gtk_list_box_select_row(window->list, row);
    } else {
        GtkFlowBoxChild *child = gtk_flow_box_get_child_at_pos(window->grid, event->x, event->y);

        if (!child) {
            return GDK_EVENT_PROPAGATE;
        }
        gtk_flow_box_select_child(window->grid, child);
    }
    popup_menu(window, (GdkEvent *)event);
    return GDK_EVENT_STOP;
}

static gboolean
on_view_popup(GtkWidget *view, UiLibraryWindow *window)
{
    if (!ui_library_window_get_selected(window)) {
        return FALSE;
    }
    popup_menu(window, NULL);
    return TRUE;
}

/* ---- Messages and drops ---- */

void
ui_library_window_show_info(UiLibraryWindow *window, GtkMessageType type, const char *text,
                            gboolean with_undo)
{
    gtk_label_set_text(window->info_label, text);
    gtk_info_bar_set_message_type(window->info_bar, type);
    gtk_widget_set_visible(window->undo_button, with_undo);
    gtk_info_bar_set_revealed(window->info_bar, TRUE);
}

void
ui_library_window_show_error(UiLibraryWindow *window, const char *text)
{
    ui_library_window_show_info(window, GTK_MESSAGE_ERROR, text, FALSE);
}

static void
on_info_response(GtkInfoBar *bar, int response, UiLibraryWindow *window)
{
    gtk_info_bar_set_revealed(bar, FALSE);
}

static void
activate_app(UiLibraryWindow *window, const char *action, const char *text)
{
    g_action_group_activate_action(G_ACTION_GROUP(gtk_window_get_application(GTK_WINDOW(window))),
                                   action, g_variant_new_string(text));
}

/* An ISO or disk image, a machine's folder, or the text of arguments. */
static void
on_drop(GtkWidget *widget, GdkDragContext *context, int x, int y, GtkSelectionData *data,
        guint info, guint time, UiLibraryWindow *window)
{
    g_auto(GStrv) uris = gtk_selection_data_get_uris(data);
    g_autofree char *path = uris && uris[0] ? g_filename_from_uri(uris[0], NULL, NULL) : NULL;
    g_autofree guchar *text = path ? NULL : gtk_selection_data_get_text(data);

    if (path) {
        activate_app(window, "new-machine-from", path);
    } else if (text) {
        activate_app(window, "new-machine-from-text", (const char *)text);
    }
    gtk_drag_finish(context, path || text, FALSE, time);
}

/* ---- Window ---- */

static gboolean
on_key(GtkWidget *widget, GdkEventKey *event)
{
    UiLibraryWindow *window = UI_LIBRARY_WINDOW(widget);

    /* Delete in the search entry is about its text, not about the machine */
    if (GTK_IS_EDITABLE(gtk_window_get_focus(GTK_WINDOW(window))) &&
        gtk_window_propagate_key_event(GTK_WINDOW(window), event)) {
        return TRUE;
    }
    if (GTK_WIDGET_CLASS(ui_library_window_parent_class)->key_press_event(widget, event)) {
        return TRUE;
    }
    return gtk_search_bar_handle_event(window->search_bar, (GdkEvent *)event);
}

static gboolean
on_configure(GtkWidget *widget, GdkEventConfigure *event)
{
    int width, height;

    if (!gtk_window_is_maximized(GTK_WINDOW(widget))) {
        gtk_window_get_size(GTK_WINDOW(widget), &width, &height);
        g_settings_set(app_prefs_get(), "window-size", "(ii)", width, height);
    }
    return GTK_WIDGET_CLASS(ui_library_window_parent_class)->configure_event(widget, event);
}

UiLibraryWindow *
ui_library_window_new(GtkApplication *application, AppLibrary *library)
{
    UiLibraryWindow *window =
        g_object_new(UI_TYPE_LIBRARY_WINDOW, "application", application, NULL);
    int width, height;

    window->library = g_object_ref(library);
    g_settings_get(app_prefs_get(), "window-size", "(ii)", &width, &height);
    gtk_window_set_default_size(GTK_WINDOW(window), width, height);
    ui_library_window_add_actions(window);
    ui_library_window_set_view(window, g_settings_get_enum(app_prefs_get(), "library-view"));
    g_signal_connect_object(library, "items-changed", G_CALLBACK(on_items_changed), window, 0);
    for (guint i = 0; i < g_list_model_get_n_items(G_LIST_MODEL(library)); i++) {
        g_autoptr(AppEntry) entry = g_list_model_get_item(G_LIST_MODEL(library), i);

        g_signal_connect_object(entry, "changed", G_CALLBACK(ui_library_window_update_actions),
                                window, G_CONNECT_SWAPPED);
    }
    ui_library_window_update_actions(window);
    return window;
}

static void
ui_library_window_dispose(GObject *object)
{
    UiLibraryWindow *window = UI_LIBRARY_WINDOW(object);

    g_clear_object(&window->library);
    g_clear_object(&window->trashed);
    G_OBJECT_CLASS(ui_library_window_parent_class)->dispose(object);
}

#define BIND(name) gtk_widget_class_bind_template_child(widget_class, UiLibraryWindow, name)

static void
ui_library_window_class_init(UiLibraryWindowClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);

    G_OBJECT_CLASS(klass)->dispose = ui_library_window_dispose;
    widget_class->key_press_event = on_key;
    widget_class->configure_event = on_configure;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/ui-library-window.ui");
    BIND(header);
    BIND(views);
    BIND(grid);
    BIND(list);
    BIND(search_bar);
    BIND(search_entry);
    BIND(info_bar);
    BIND(info_label);
    BIND(undo_button);
    BIND(machine_button);
    BIND(menu_button);
    BIND(first_hint);
    BIND(card_menu);
}

static void
ui_library_window_init(UiLibraryWindow *window)
{
    gtk_widget_init_template(GTK_WIDGET(window));
    gtk_header_bar_pack_end(window->header, ui_jobs_button_new());
    gtk_search_bar_connect_entry(window->search_bar, GTK_ENTRY(window->search_entry));
    gtk_flow_box_set_filter_func(window->grid, filter_grid, window, NULL);
    gtk_list_box_set_filter_func(window->list, filter_list, window, NULL);
    g_signal_connect(window->search_entry, "search-changed", G_CALLBACK(on_search_changed), window);
    g_signal_connect(window->search_entry, "activate", G_CALLBACK(on_search_activate), window);
    g_signal_connect(window->grid, "child-activated", G_CALLBACK(on_grid_activated), window);
    g_signal_connect(window->grid, "selected-children-changed", G_CALLBACK(on_selection_changed),
                     window);
    g_signal_connect(window->grid, "button-press-event", G_CALLBACK(on_view_button), window);
    g_signal_connect(window->grid, "popup-menu", G_CALLBACK(on_view_popup), window);
    g_signal_connect(window->list, "row-activated", G_CALLBACK(on_list_activated), window);
    g_signal_connect(window->list, "selected-rows-changed", G_CALLBACK(on_selection_changed),
                     window);
    g_signal_connect(window->list, "button-press-event", G_CALLBACK(on_view_button), window);
    g_signal_connect(window->list, "popup-menu", G_CALLBACK(on_view_popup), window);
    g_signal_connect(window->info_bar, "response", G_CALLBACK(on_info_response), window);
    gtk_drag_dest_set(GTK_WIDGET(window), GTK_DEST_DEFAULT_ALL, NULL, 0, GDK_ACTION_COPY);
    gtk_drag_dest_add_uri_targets(GTK_WIDGET(window));
    gtk_drag_dest_add_text_targets(GTK_WIDGET(window));
    g_signal_connect(window, "drag-data-received", G_CALLBACK(on_drop), window);
}
