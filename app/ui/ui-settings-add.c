/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A menu button with the kinds that a page can take, found by typing. What this version does not
 * have is listed and says so. */

#include "ui-settings-add.h"

#include <glib/gi18n.h>
#include <string.h>

typedef struct Add {
    AppSettings *settings;
    GPtrArray *additions;
    GtkWidget *popover, *search, *list, *problem;
} Add;

static void
add_free(gpointer data)
{
    Add *add = data;

    g_object_unref(add->settings);
    g_ptr_array_unref(add->additions);
    g_free(add);
}

static const AppAddition *
row_addition(Add *add, GtkListBoxRow *row)
{
    return add->additions->pdata[gtk_list_box_row_get_index(row)];
}

static gboolean
is_there(const AppAddition *addition)
{
    return addition->status == VIT_STATUS_AVAILABLE || addition->status == VIT_STATUS_INHERIT ||
           addition->status == VIT_STATUS_NEEDS_HARDWARE;
}

static gboolean
filter(GtkListBoxRow *row, gpointer data)
{
    Add *add = data;
    const AppAddition *addition = row_addition(add, row);
    g_autofree char *text =
        g_strconcat(addition->option->name, " ", addition->kind ? addition->kind : "", " ",
                    addition->title ? addition->title : "", NULL);
    g_autofree char *folded = g_utf8_casefold(text, -1);
    g_autofree char *wanted = g_utf8_casefold(gtk_entry_get_text(GTK_ENTRY(add->search)), -1);

    return strstr(folded, wanted) != NULL;
}

static void
on_search(GtkSearchEntry *entry, Add *add)
{
    gtk_list_box_invalidate_filter(GTK_LIST_BOX(add->list));
}

static void
on_row(GtkListBox *list, GtkListBoxRow *row, Add *add)
{
    g_autoptr(GError) error = NULL;
    const AppAddition *addition = row_addition(add, row);

    if (!app_settings_add(add->settings, addition, &error)) {
        gtk_label_set_text(GTK_LABEL(add->problem), error->message);
        gtk_widget_show(add->problem);
        return;
    }
    gtk_widget_hide(add->problem);
    gtk_popover_popdown(GTK_POPOVER(add->popover));
}

static GtkWidget *
make_label(const char *text, const char *class_name)
{
    GtkWidget *label = gtk_label_new(text);

    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_END);
    gtk_label_set_max_width_chars(GTK_LABEL(label), 56);
    if (class_name) {
        gtk_style_context_add_class(gtk_widget_get_style_context(label), class_name);
    }
    return label;
}

static GtkWidget *
make_row(const AppAddition *addition)
{
    GtkWidget *row = gtk_list_box_row_new();
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
    const char *title = addition->title && *addition->title ? addition->title
                        : addition->kind                    ? addition->kind
                                                            : addition->option->name;
    g_autofree char *argument =
        g_strdup_printf("-%s %s", addition->option->name, addition->kind ? addition->kind : "");
    g_autofree char *spoken = g_strdup_printf("%s, %s", title, argument);

    gtk_container_set_border_width(GTK_CONTAINER(box), 6);
    gtk_container_add(GTK_CONTAINER(box), make_label(title, NULL));
    if (!is_there(addition)) {
        g_autofree char *text = g_strdup_printf(_("%s – not available yet"), argument);

        gtk_container_add(GTK_CONTAINER(box), make_label(text, "setting-argument"));
        gtk_widget_set_sensitive(row, FALSE);
    } else {
        gtk_container_add(GTK_CONTAINER(box), make_label(argument, "setting-argument"));
    }
    gtk_container_add(GTK_CONTAINER(row), box);
    atk_object_set_name(gtk_widget_get_accessible(row), spoken);
    return row;
}

static int
compare(gconstpointer a, gconstpointer b)
{
    const AppAddition *one = *(AppAddition *const *)a, *two = *(AppAddition *const *)b;

    return is_there(two) - is_there(one);
}

static GtkWidget *
make_popover_content(Add *add)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
    GtkWidget *scrolled = gtk_scrolled_window_new(NULL, NULL);

    add->search = gtk_search_entry_new();
    add->list = gtk_list_box_new();
    add->problem = gtk_label_new(NULL);
    gtk_widget_set_no_show_all(add->problem, TRUE);
    gtk_label_set_line_wrap(GTK_LABEL(add->problem), TRUE);
    gtk_style_context_add_class(gtk_widget_get_style_context(add->problem), "error");
    atk_object_set_name(gtk_widget_get_accessible(add->search), _("Search what can be added"));
    atk_object_set_name(gtk_widget_get_accessible(add->list), _("What can be added"));
    gtk_list_box_set_selection_mode(GTK_LIST_BOX(add->list), GTK_SELECTION_NONE);
    for (guint i = 0; i < add->additions->len; i++) {
        gtk_container_add(GTK_CONTAINER(add->list), make_row(add->additions->pdata[i]));
    }
    gtk_list_box_set_filter_func(GTK_LIST_BOX(add->list), filter, add, NULL);
    g_signal_connect(add->search, "search-changed", G_CALLBACK(on_search), add);
    g_signal_connect(add->list, "row-activated", G_CALLBACK(on_row), add);
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER,
                                   GTK_POLICY_AUTOMATIC);
    gtk_widget_set_size_request(scrolled, 420, 320);
    gtk_container_add(GTK_CONTAINER(scrolled), add->list);
    gtk_container_set_border_width(GTK_CONTAINER(box), 6);
    gtk_container_add(GTK_CONTAINER(box), add->search);
    gtk_container_add(GTK_CONTAINER(box), scrolled);
    gtk_container_add(GTK_CONTAINER(box), add->problem);
    gtk_widget_show_all(box);
    return box;
}

/* The list is made when the menu is first opened. */
static void
on_toggled(GtkToggleButton *button, Add *add)
{
    if (gtk_toggle_button_get_active(button) && !gtk_bin_get_child(GTK_BIN(add->popover))) {
        gtk_container_add(GTK_CONTAINER(add->popover), make_popover_content(add));
    }
    if (gtk_toggle_button_get_active(button)) {
        /* the popover was shown before it had content that could take the focus */
        gtk_widget_grab_focus(add->search);
    }
}

GtkWidget *
ui_settings_add_new(AppSettings *settings, AppPage page)
{
    g_autoptr(GPtrArray) additions = app_settings_list_additions(settings, page);
    GtkWidget *button;
    Add *add;

    if (additions->len == 0) {
        return NULL;
    }
    g_ptr_array_sort(additions, compare);
    add = g_new0(Add, 1);
    add->settings = g_object_ref(settings);
    add->additions = g_steal_pointer(&additions);
    button = gtk_menu_button_new();
    gtk_button_set_label(GTK_BUTTON(button), _("_Add…"));
    gtk_button_set_use_underline(GTK_BUTTON(button), TRUE);
    gtk_widget_set_halign(button, GTK_ALIGN_END);
    gtk_widget_set_tooltip_text(button, _("Add a device or another part"));
    add->popover = gtk_popover_new(button);
    gtk_menu_button_set_popover(GTK_MENU_BUTTON(button), add->popover);
    g_signal_connect(button, "toggled", G_CALLBACK(on_toggled), add);
    g_object_set_data_full(G_OBJECT(button), "add", add, add_free);
    return button;
}
