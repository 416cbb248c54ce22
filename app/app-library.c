/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The library. New machines are made in a hidden folder beside their place and renamed into it, so
 * that a half-made one is never seen. */

#include "app-library.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

struct _AppLibrary {
    GObject parent;
    GFile *root;
    char *demo_guest;
    GListStore *entries;
};

static void list_iface_init(GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE(AppLibrary, app_library, G_TYPE_OBJECT,
                              G_IMPLEMENT_INTERFACE(G_TYPE_LIST_MODEL, list_iface_init))

/* ---- List model ---- */

static GType
list_get_item_type(GListModel *model)
{
    return APP_TYPE_ENTRY;
}

static guint
list_get_n_items(GListModel *model)
{
    return g_list_model_get_n_items(G_LIST_MODEL(APP_LIBRARY(model)->entries));
}

static gpointer
list_get_item(GListModel *model, guint position)
{
    return g_list_model_get_item(G_LIST_MODEL(APP_LIBRARY(model)->entries), position);
}

static void
list_iface_init(GListModelInterface *iface)
{
    iface->get_item_type = list_get_item_type;
    iface->get_n_items = list_get_n_items;
    iface->get_item = list_get_item;
}

static void
on_items_changed(GListModel *model, guint position, guint removed, guint added, AppLibrary *library)
{
    g_list_model_items_changed(G_LIST_MODEL(library), position, removed, added);
}

/* ---- Loading ---- */

static AppEntry *
make_demo(AppLibrary *library)
{
    g_autoptr(VitConfig) config = vit_config_new();
    g_autoptr(GError) error = NULL;

    if (!vit_config_add(config, VIT_ORIGIN_DEFAULT, &error, "name", "guest", _("Demo"), NULL) ||
        !vit_config_add(config, VIT_ORIGIN_DEFAULT, &error, "m", "size", "32M", NULL) ||
        !vit_config_add(config, VIT_ORIGIN_DEFAULT, &error, "kernel", "value", library->demo_guest,
                        NULL) ||
        !vit_config_add(config, VIT_ORIGIN_DEFAULT, &error, "nic", "type", "none", NULL)) {
        g_clear_error(&error);
    }
    return app_entry_new_built_in(_("Demo"), config);
}

static int
compare_entries(gconstpointer a, gconstpointer b, gpointer data)
{
    return g_utf8_collate(app_entry_get_name((AppEntry *)a), app_entry_get_name((AppEntry *)b));
}

void
app_library_reload(AppLibrary *library)
{
    g_autoptr(GFileEnumerator) children = g_file_enumerate_children(
        library->root, G_FILE_ATTRIBUTE_STANDARD_NAME, G_FILE_QUERY_INFO_NONE, NULL, NULL);

    g_list_store_remove_all(library->entries);
    while (children) {
        GFileInfo *info;
        GFile *folder;
        g_autoptr(AppEntry) entry = NULL;

        if (!g_file_enumerator_iterate(children, &info, &folder, NULL, NULL) || !info) {
            break;
        }
        if (!g_str_has_suffix(g_file_info_get_name(info), ".vitrine") ||
            g_file_info_get_name(info)[0] == '.') {
            continue;
        }
        entry = app_entry_new_for_folder(folder);
        g_list_store_insert_sorted(library->entries, entry, compare_entries, NULL);
    }
    if (library->demo_guest) {
        g_autoptr(AppEntry) demo = make_demo(library);
        g_list_store_append(library->entries, demo);
    }
}

AppLibrary *
app_library_new(GFile *root, const char *demo_guest)
{
    AppLibrary *library = g_object_new(APP_TYPE_LIBRARY, NULL);
    g_autofree char *path = g_build_filename(g_get_user_data_dir(), "vitrine", "machines", NULL);

    library->root = root ? g_object_ref(root) : g_file_new_for_path(path);
    library->demo_guest = g_strdup(demo_guest);
    g_mkdir_with_parents(g_file_peek_path(library->root), 0700);
    app_library_reload(library);
    return library;
}

GFile *
app_library_get_root(AppLibrary *library)
{
    return library->root;
}

AppEntry *
app_library_find(AppLibrary *library, const char *name)
{
    GListModel *model = G_LIST_MODEL(library->entries);

    for (guint i = 0; i < g_list_model_get_n_items(model); i++) {
        g_autoptr(AppEntry) entry = g_list_model_get_item(model, i);

        if (g_strcmp0(app_entry_get_name(entry), name) == 0) {
            return entry;
        }
    }
    return NULL;
}

gboolean
app_library_has_active(AppLibrary *library)
{
    GListModel *model = G_LIST_MODEL(library->entries);

    for (guint i = 0; i < g_list_model_get_n_items(model); i++) {
        g_autoptr(AppEntry) entry = g_list_model_get_item(model, i);

        if (app_session_is_active(app_entry_get_session(entry))) {
            return TRUE;
        }
    }
    return FALSE;
}

/* ---- Entries ---- */

void
app_library_add(AppLibrary *library, AppEntry *entry)
{
    g_list_store_insert_sorted(library->entries, entry, compare_entries, NULL);
}

void
app_library_remove(AppLibrary *library, AppEntry *entry)
{
    guint position;

    if (g_list_store_find(library->entries, entry, &position)) {
        g_list_store_remove(library->entries, position);
    }
}

char *
app_library_unused_name(AppLibrary *library, const char *name)
{
    char *unused = g_strdup(name);

    for (guint number = 2;; number++) {
        g_autofree char *file_name = app_library_folder_name(unused);
        g_autoptr(GFile) folder =
            g_file_get_child(library->root, file_name ? file_name : "machine.vitrine");

        if (!app_library_find(library, unused) && !g_file_query_exists(folder, NULL)) {
            return unused;
        }
        g_free(unused);
        unused = g_strdup_printf("%s %u", name, number);
    }
}

/* ---- GObject ---- */

static void
app_library_dispose(GObject *object)
{
    AppLibrary *library = APP_LIBRARY(object);

    g_clear_object(&library->entries);
    g_clear_object(&library->root);
    g_clear_pointer(&library->demo_guest, g_free);
    G_OBJECT_CLASS(app_library_parent_class)->dispose(object);
}

static void
app_library_class_init(AppLibraryClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = app_library_dispose;
}

static void
app_library_init(AppLibrary *library)
{
    library->entries = g_list_store_new(APP_TYPE_ENTRY);
    g_signal_connect_object(library->entries, "items-changed", G_CALLBACK(on_items_changed),
                            library, 0);
}
