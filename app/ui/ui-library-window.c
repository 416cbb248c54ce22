/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The library window. Opening a card opens the machine's window through the application's action
 * "open-machine", which is also what the command line and tests use. */

#include "ui-library-window.h"

#include <glib/gi18n.h>

struct _UiLibraryWindow {
    GtkApplicationWindow parent;
    GtkFlowBox *machines;
    GtkInfoBar *info_bar;
    GtkLabel *info_label;
    AppLibrary *library;
};

G_DEFINE_FINAL_TYPE(UiLibraryWindow, ui_library_window, GTK_TYPE_APPLICATION_WINDOW)

/* ---- Cards ---- */

static void
update_card(AppEntry *entry, GtkWidget *card)
{
    GtkLabel *state = g_object_get_data(G_OBJECT(card), "state");
    g_autofree char *text = app_entry_describe(entry);
    g_autofree char *spoken = g_strdup_printf("%s, %s", app_entry_get_name(entry), text);

    gtk_label_set_text(state, text);
    atk_object_set_name(gtk_widget_get_accessible(card), spoken);
}

static GtkWidget *
make_card(gpointer item, gpointer data)
{
    AppEntry *entry = item;
    GtkWidget *card = gtk_flow_box_child_new();
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
    GtkWidget *icon = gtk_image_new_from_icon_name("computer-symbolic", GTK_ICON_SIZE_DIALOG);
    GtkWidget *name = gtk_label_new(app_entry_get_name(entry));
    GtkWidget *state = gtk_label_new(NULL);

    gtk_image_set_pixel_size(GTK_IMAGE(icon), 96);
    gtk_label_set_ellipsize(GTK_LABEL(name), PANGO_ELLIPSIZE_END);
    gtk_label_set_line_wrap(GTK_LABEL(state), TRUE);
    gtk_label_set_max_width_chars(GTK_LABEL(state), 28);
    gtk_label_set_justify(GTK_LABEL(state), GTK_JUSTIFY_CENTER);
    gtk_style_context_add_class(gtk_widget_get_style_context(card), "machine-card");
    gtk_style_context_add_class(gtk_widget_get_style_context(state), "state");
    gtk_container_add(GTK_CONTAINER(box), icon);
    gtk_container_add(GTK_CONTAINER(box), name);
    gtk_container_add(GTK_CONTAINER(box), state);
    gtk_container_add(GTK_CONTAINER(card), box);
    g_object_set_data(G_OBJECT(card), "state", state);
    g_object_set_data_full(G_OBJECT(card), "entry", g_object_ref(entry), g_object_unref);
    g_signal_connect_object(entry, "changed", G_CALLBACK(update_card), card, 0);
    update_card(entry, card);
    gtk_widget_show_all(card);
    return card;
}

static void
on_card_activated(GtkFlowBox *box, GtkFlowBoxChild *card, UiLibraryWindow *window)
{
    AppEntry *entry = g_object_get_data(G_OBJECT(card), "entry");

    g_action_group_activate_action(G_ACTION_GROUP(gtk_window_get_application(GTK_WINDOW(window))),
                                   "open-machine", g_variant_new_string(app_entry_get_name(entry)));
}

AppEntry *
ui_library_window_get_selected(UiLibraryWindow *window)
{
    g_autoptr(GList) selected = gtk_flow_box_get_selected_children(window->machines);

    return selected ? g_object_get_data(selected->data, "entry") : NULL;
}

/* ---- Errors and drops ---- */

void
ui_library_window_show_error(UiLibraryWindow *window, const char *text)
{
    gtk_label_set_text(window->info_label, text);
    gtk_info_bar_set_revealed(window->info_bar, TRUE);
}

static void
on_info_response(GtkInfoBar *bar, int response, UiLibraryWindow *window)
{
    gtk_info_bar_set_revealed(bar, FALSE);
}

static void
on_drop(GtkWidget *widget, GdkDragContext *context, int x, int y, GtkSelectionData *data,
        guint info, guint time, UiLibraryWindow *window)
{
    g_auto(GStrv) uris = gtk_selection_data_get_uris(data);
    g_autofree char *path = uris && uris[0] ? g_filename_from_uri(uris[0], NULL, NULL) : NULL;

    if (path) {
        g_action_group_activate_action(
            G_ACTION_GROUP(gtk_window_get_application(GTK_WINDOW(window))), "new-machine-from",
            g_variant_new_string(path));
    }
    gtk_drag_finish(context, path != NULL, FALSE, time);
}

/* ---- Life ---- */

UiLibraryWindow *
ui_library_window_new(GtkApplication *application, AppLibrary *library)
{
    UiLibraryWindow *window =
        g_object_new(UI_TYPE_LIBRARY_WINDOW, "application", application, NULL);

    window->library = g_object_ref(library);
    gtk_flow_box_bind_model(window->machines, G_LIST_MODEL(library), make_card, window, NULL);
    return window;
}

static void
ui_library_window_dispose(GObject *object)
{
    g_clear_object(&UI_LIBRARY_WINDOW(object)->library);
    G_OBJECT_CLASS(ui_library_window_parent_class)->dispose(object);
}

static void
ui_library_window_class_init(UiLibraryWindowClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);

    G_OBJECT_CLASS(klass)->dispose = ui_library_window_dispose;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/ui-library-window.ui");
    gtk_widget_class_bind_template_child(widget_class, UiLibraryWindow, machines);
    gtk_widget_class_bind_template_child(widget_class, UiLibraryWindow, info_bar);
    gtk_widget_class_bind_template_child(widget_class, UiLibraryWindow, info_label);
}

static void
ui_library_window_init(UiLibraryWindow *window)
{
    gtk_widget_init_template(GTK_WIDGET(window));
    g_signal_connect(window->machines, "child-activated", G_CALLBACK(on_card_activated), window);
    g_signal_connect(window->info_bar, "response", G_CALLBACK(on_info_response), window);
    gtk_drag_dest_set(GTK_WIDGET(window), GTK_DEST_DEFAULT_ALL, NULL, 0, GDK_ACTION_COPY);
    gtk_drag_dest_add_uri_targets(GTK_WIDGET(window));
    g_signal_connect(window, "drag-data-received", G_CALLBACK(on_drop), window);
}
