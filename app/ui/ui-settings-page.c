/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A page is made when it is first shown and made again when it needs other rows; rows that only
 * change their value do so themselves. Single switches and files of the command line stand in one
 * list, sets of keys and instances in groups of their own. Of a group the rows that are set or have
 * a name for people come first; all others wait behind "more" and are only then made. */

#include "ui-settings-page.h"

#include "ui-disk-dialog.h"
#include "ui-setting-row.h"
#include "ui-settings-add.h"

#include <glib/gi18n.h>
#include <handy.h>

enum { SEARCH_LIMIT = 60 };

struct _UiSettingsPage {
    GtkScrolledWindow parent;
    AppSettings *settings;
    AppPage page;
    gboolean is_search;
    char *search;
    char *shape;
    GtkWidget *box;
    guint refill;
};

G_DEFINE_FINAL_TYPE(UiSettingsPage, ui_settings_page, GTK_TYPE_SCROLLED_WINDOW)

/* ---- Lists of rows ---- */

static GtkWidget *
make_list(const char *name)
{
    GtkWidget *list = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);

    gtk_style_context_add_class(gtk_widget_get_style_context(list), "settings-list");
    atk_object_set_name(gtk_widget_get_accessible(list), name);
    return list;
}

typedef struct More {
    AppSettings *settings;
    GPtrArray *waiting;
    char *name;
} More;

static void
more_free(gpointer data, GClosure *closure)
{
    More *more = data;

    g_object_unref(more->settings);
    g_ptr_array_unref(more->waiting);
    g_free(more->name);
    g_free(more);
}

static void
on_expanded(GtkExpander *expander, GParamSpec *pspec, More *more)
{
    GtkWidget *list;

    if (!gtk_expander_get_expanded(expander) || gtk_bin_get_child(GTK_BIN(expander))) {
        return;
    }
    list = make_list(more->name);
    for (guint i = 0; i < more->waiting->len; i++) {
        gtk_container_add(GTK_CONTAINER(list),
                          ui_setting_row_new(more->settings, more->waiting->pdata[i]));
    }
    gtk_widget_show_all(list);
    gtk_container_add(GTK_CONTAINER(expander), list);
}

static gboolean
has_child(GtkWidget *list)
{
    g_autoptr(GList) children = gtk_container_get_children(GTK_CONTAINER(list));

    return children != NULL;
}

/* Rows of SETTINGS into BOX; the less prominent ones behind an expander. */
static void
add_rows(UiSettingsPage *page, GtkWidget *box, GPtrArray *settings, const char *name)
{
    GtkWidget *list = make_list(name);
    g_autoptr(GPtrArray) waiting = g_ptr_array_new_with_free_func(g_object_unref);

    for (guint i = 0; i < settings->len; i++) {
        if (page->is_search || app_setting_is_prominent(settings->pdata[i])) {
            gtk_container_add(GTK_CONTAINER(list),
                              ui_setting_row_new(page->settings, settings->pdata[i]));
        } else if (app_setting_is_available(settings->pdata[i])) {
            g_ptr_array_insert(waiting, 0, g_object_ref(settings->pdata[i]));
        } else {
            g_ptr_array_add(waiting, g_object_ref(settings->pdata[i]));
        }
    }
    if (has_child(list)) {
        gtk_container_add(GTK_CONTAINER(box), list);
    } else {
        gtk_widget_destroy(g_object_ref_sink(list));
        g_object_unref(list);
    }
    if (waiting->len) {
        More *more = g_new0(More, 1);
        g_autofree char *label = g_strdup_printf(
            ngettext("%u more setting", "%u more settings", waiting->len), waiting->len);
        GtkWidget *expander = gtk_expander_new(label);
        /* Translators: accessible name of the expander with the other settings of a group */
        g_autofree char *spoken = g_strdup_printf(_("%s of %s"), label, name);

        atk_object_set_name(gtk_widget_get_accessible(expander), spoken);
        more->settings = g_object_ref(page->settings);
        more->waiting = g_steal_pointer(&waiting);
        more->name = g_strdup(name);
        g_signal_connect_data(expander, "notify::expanded", G_CALLBACK(on_expanded), more,
                              more_free, 0);
        gtk_container_add(GTK_CONTAINER(box), expander);
    }
}

/* ---- Groups ---- */

static void
on_remove(GtkButton *button, UiSettingsPage *page)
{
    app_settings_remove(page->settings,
                        GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(button), "serial")));
}

static GtkWidget *
make_label(const char *text, const char *class_name)
{
    GtkWidget *label = gtk_label_new(text);

    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_label_set_line_wrap(GTK_LABEL(label), TRUE);
    gtk_label_set_line_wrap_mode(GTK_LABEL(label), PANGO_WRAP_WORD_CHAR);
    gtk_style_context_add_class(gtk_widget_get_style_context(label), class_name);
    return label;
}

static GtkWidget *
make_header(UiSettingsPage *page, const AppSettingGroup *group)
{
    GtkWidget *line = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    GtkWidget *texts = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2);

    gtk_container_add(GTK_CONTAINER(texts), make_label(group->title, "heading"));
    if (group->subtitle) {
        gtk_container_add(GTK_CONTAINER(texts), make_label(group->subtitle, "dim-label"));
    }
    if (group->argument) {
        gtk_container_add(GTK_CONTAINER(texts), make_label(group->argument, "setting-argument"));
    }
    gtk_box_pack_start(GTK_BOX(line), texts, TRUE, TRUE, 0);
    if (group->serial) {
        GtkWidget *button = gtk_button_new_with_mnemonic(_("Remove"));
        /* Translators: accessible name of the button that removes a device */
        g_autofree char *name = g_strdup_printf(_("Remove %s"), group->title);

        atk_object_set_name(gtk_widget_get_accessible(button), name);
        gtk_widget_set_valign(button, GTK_ALIGN_START);
        g_object_set_data(G_OBJECT(button), "serial", GUINT_TO_POINTER(group->serial));
        g_signal_connect(button, "clicked", G_CALLBACK(on_remove), page);
        gtk_box_pack_end(GTK_BOX(line), button, FALSE, FALSE, 0);
    }
    return line;
}

static void
add_group(UiSettingsPage *page, const AppSettingGroup *group)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);

    gtk_container_add(GTK_CONTAINER(box), make_header(page, group));
    if (group->settings->len) {
        add_rows(page, box, group->settings, group->title);
    }
    gtk_container_add(GTK_CONTAINER(page->box), box);
}

/* An option that is one switch or one text needs no heading of its own. */
static gboolean
is_single(const AppSettingGroup *group)
{
    return !group->serial && group->option && group->option->syntax != VIT_SYNTAX_KEYS;
}

/* Groups of which nothing is shown at once stand at the end of the page. */
static gboolean
is_prominent(const AppSettingGroup *group)
{
    gboolean found = group->serial != 0;

    for (guint i = 0; i < group->settings->len && !found; i++) {
        found = app_setting_is_prominent(group->settings->pdata[i]);
    }
    return found;
}

static void
add_singles(UiSettingsPage *page, GPtrArray *groups)
{
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(g_object_unref);
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);

    for (guint i = 0; i < groups->len; i++) {
        const AppSettingGroup *group = groups->pdata[i];

        for (guint s = 0; is_single(group) && s < group->settings->len; s++) {
            g_ptr_array_add(rows, g_object_ref(group->settings->pdata[s]));
        }
    }
    if (rows->len == 0) {
        gtk_widget_destroy(g_object_ref_sink(box));
        g_object_unref(box);
        return;
    }
    gtk_container_add(GTK_CONTAINER(box), make_label(_("Further settings"), "heading"));
    add_rows(page, box, rows, _("Further settings"));
    gtk_container_add(GTK_CONTAINER(page->box), box);
}

/* ---- The page ---- */

static void
clear(UiSettingsPage *page)
{
    g_autoptr(GList) children = gtk_container_get_children(GTK_CONTAINER(page->box));

    for (GList *l = children; l; l = l->next) {
        gtk_widget_destroy(l->data);
    }
}

static void
on_new_disk(GtkButton *button, UiSettingsPage *page)
{
    GtkWidget *window = gtk_widget_get_toplevel(GTK_WIDGET(page));

    gtk_window_present(GTK_WINDOW(ui_disk_dialog_new_create(GTK_WINDOW(window), page->settings)));
}

/* The buttons at the head of a page. */
static void
add_buttons(UiSettingsPage *page)
{
    GtkWidget *line = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    GtkWidget *add = ui_settings_add_new(page->settings, page->page);

    gtk_widget_set_halign(line, GTK_ALIGN_END);
    if (page->page == APP_PAGE_STORAGE) {
        GtkWidget *button = gtk_button_new_with_mnemonic(_("New _Disk…"));

        gtk_widget_set_tooltip_text(button, _("Make a disk image and attach it"));
        g_signal_connect(button, "clicked", G_CALLBACK(on_new_disk), page);
        gtk_container_add(GTK_CONTAINER(line), button);
    }
    if (add) {
        gtk_container_add(GTK_CONTAINER(line), add);
    }
    gtk_container_add(GTK_CONTAINER(page->box), line);
}

static void
fill(UiSettingsPage *page)
{
    g_autoptr(GPtrArray) groups =
        page->is_search ? app_settings_search(page->settings, page->search, SEARCH_LIMIT)
                        : app_settings_list_groups(page->settings, page->page);

    clear(page);
    if (!page->is_search) {
        add_buttons(page);
    }
    for (guint i = 0; i < groups->len; i++) {
        if (page->is_search || (!is_single(groups->pdata[i]) && is_prominent(groups->pdata[i]))) {
            add_group(page, groups->pdata[i]);
        }
    }
    if (!page->is_search) {
        add_singles(page, groups);
        if (groups->len == 0) {
            gtk_container_add(
                GTK_CONTAINER(page->box),
                make_label(_("Nothing is set here: the machine has what its board has"),
                           "dim-label"));
        }
        for (guint i = 0; i < groups->len; i++) {
            if (!is_single(groups->pdata[i]) && !is_prominent(groups->pdata[i])) {
                add_group(page, groups->pdata[i]);
            }
        }
    } else if (groups->len == 0) {
        gtk_container_add(GTK_CONTAINER(page->box),
                          make_label(_("No setting has these words"), "dim-label"));
    }
    gtk_widget_show_all(page->box);
}

/* The row of the same setting as before takes the focus again. */
typedef struct Place {
    const VitOption *option;
    const char *key; /* interned */
    uint32_t serial;
} Place;

static void
focus_place(GtkWidget *widget, gpointer data)
{
    const Place *place = data;

    if (UI_IS_SETTING_ROW(widget)) {
        AppSetting *setting = ui_setting_row_get_setting(UI_SETTING_ROW(widget));

        if (app_setting_get_option(setting) == place->option &&
            app_setting_get_serial(setting) == place->serial &&
            g_strcmp0(app_setting_get_key(setting)->name, place->key) == 0) {
            ui_setting_row_focus(UI_SETTING_ROW(widget));
        }
    } else if (GTK_IS_CONTAINER(widget)) {
        gtk_container_forall(GTK_CONTAINER(widget), focus_place, data);
    }
}

static gboolean
on_refill(gpointer data)
{
    UiSettingsPage *page = data;
    GtkWidget *top = gtk_widget_get_toplevel(GTK_WIDGET(page));
    GtkWidget *focus = GTK_IS_WINDOW(top) ? gtk_window_get_focus(GTK_WINDOW(top)) : NULL;
    GtkWidget *row = focus && gtk_widget_is_ancestor(focus, page->box)
                         ? gtk_widget_get_ancestor(focus, UI_TYPE_SETTING_ROW)
                         : NULL;
    Place place = { 0 };

    page->refill = 0;
    if (row) {
        AppSetting *setting = ui_setting_row_get_setting(UI_SETTING_ROW(row));

        place = (Place){ app_setting_get_option(setting),
                         g_intern_string(app_setting_get_key(setting)->name),
                         app_setting_get_serial(setting) };
    }
    fill(page);
    if (row) {
        focus_place(page->box, &place);
    }
    return G_SOURCE_REMOVE;
}

/* Not at once: the change may come from a row of this page. */
static void
on_changed(AppSettings *settings, UiSettingsPage *page)
{
    g_autofree char *shape = NULL;

    if (page->is_search || !page->shape) {
        return;
    }
    shape = app_settings_page_shape(settings, page->page);
    if (g_strcmp0(shape, page->shape) != 0) {
        g_free(page->shape);
        page->shape = g_steal_pointer(&shape);
        if (!page->refill) {
            page->refill = g_idle_add(on_refill, page);
        }
    }
}

static void
on_map(GtkWidget *widget)
{
    UiSettingsPage *page = UI_SETTINGS_PAGE(widget);

    if (!page->shape && !page->is_search) {
        page->shape = app_settings_page_shape(page->settings, page->page);
        fill(page);
    }
    GTK_WIDGET_CLASS(ui_settings_page_parent_class)->map(widget);
}

static UiSettingsPage *
new_page(AppSettings *settings)
{
    UiSettingsPage *page = g_object_new(UI_TYPE_SETTINGS_PAGE, "hscrollbar-policy",
                                        GTK_POLICY_NEVER, "visible", TRUE, NULL);

    page->settings = g_object_ref(settings);
    /* what gets the focus by keys is brought into sight */
    gtk_container_set_focus_vadjustment(
        GTK_CONTAINER(page->box), gtk_scrolled_window_get_vadjustment(GTK_SCROLLED_WINDOW(page)));
    g_signal_connect_object(settings, "changed", G_CALLBACK(on_changed), page, 0);
    return page;
}

GtkWidget *
ui_settings_page_new(AppSettings *settings, AppPage which)
{
    UiSettingsPage *page = new_page(settings);

    page->page = which;
    atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(page)), app_page_title(which));
    return GTK_WIDGET(page);
}

GtkWidget *
ui_settings_page_new_search(AppSettings *settings)
{
    UiSettingsPage *page = new_page(settings);

    page->is_search = TRUE;
    atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(page)), _("Found settings"));
    return GTK_WIDGET(page);
}

void
ui_settings_page_set_search(UiSettingsPage *page, const char *text)
{
    g_free(page->search);
    page->search = g_strdup(text);
    fill(page);
}

static void
ui_settings_page_dispose(GObject *object)
{
    UiSettingsPage *page = UI_SETTINGS_PAGE(object);

    g_clear_handle_id(&page->refill, g_source_remove);
    g_clear_object(&page->settings);
    g_clear_pointer(&page->shape, g_free);
    g_clear_pointer(&page->search, g_free);
    G_OBJECT_CLASS(ui_settings_page_parent_class)->dispose(object);
}

static void
ui_settings_page_class_init(UiSettingsPageClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = ui_settings_page_dispose;
    GTK_WIDGET_CLASS(klass)->map = on_map;
}

static void
ui_settings_page_init(UiSettingsPage *page)
{
    GtkWidget *clamp = hdy_clamp_new();

    hdy_clamp_set_maximum_size(HDY_CLAMP(clamp), 760);
    page->box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 24);
    gtk_container_set_border_width(GTK_CONTAINER(page->box), 18);
    gtk_container_add(GTK_CONTAINER(clamp), page->box);
    gtk_container_add(GTK_CONTAINER(page), clamp);
    gtk_widget_show_all(clamp);
}
