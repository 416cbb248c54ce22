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

/* ---- Creation ---- */

/* A machine being made: its hidden folder and where it will stand. */
typedef struct Draft {
    char *path, *final_path;
    VitConfig *config;
} Draft;

static void
draft_clear(Draft *draft)
{
    g_clear_pointer(&draft->path, g_free);
    g_clear_pointer(&draft->final_path, g_free);
    g_clear_object(&draft->config);
}

static void
remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        if (g_file_test(child, G_FILE_TEST_IS_DIR)) {
            remove_tree(child);
        } else {
            g_unlink(child);
        }
    }
    g_rmdir(path);
}

char *
app_library_folder_name(const char *name)
{
    g_autofree char *clean = g_strstrip(g_strdup(name));

    g_strdelimit(clean, "/\\:", '-');
    if (!*clean || *clean == '.') {
        return NULL;
    }
    return g_strconcat(clean, ".vitrine", NULL);
}

static gboolean
draft_begin(AppLibrary *library, const char *name, Draft *out, GError **error)
{
    g_autofree char *file_name = app_library_folder_name(name);
    g_autofree char *hidden = NULL;
    g_autofree char *disks = NULL;

    if (!file_name) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    _("“%s” cannot be the name of a machine: give it a name with letters"), name);
        return FALSE;
    }
    out->final_path = g_build_filename(g_file_peek_path(library->root), file_name, NULL);
    if (g_file_test(out->final_path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    _("There is already a machine called “%s”: choose another name"), name);
        draft_clear(out);
        return FALSE;
    }
    hidden = g_strdup_printf(".new-%s-XXXXXX", file_name);
    out->path = g_build_filename(g_file_peek_path(library->root), hidden, NULL);
    if (!g_mkdtemp(out->path)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, _("Cannot make a folder in %s: %s"),
                    g_file_peek_path(library->root), g_strerror(errno));
        draft_clear(out);
        return FALSE;
    }
    disks = g_build_filename(out->path, "disks", NULL);
    g_mkdir(disks, 0700);
    return TRUE;
}

static AppEntry *
draft_finish(AppLibrary *library, Draft *draft, GError **error)
{
    g_autofree char *conf = g_build_filename(draft->path, "machine.conf", NULL);
    g_autoptr(GFile) folder = g_file_new_for_path(draft->final_path);
    g_autoptr(AppEntry) entry = NULL;

    vit_config_set_meta(draft->config, "vitrine.machine", "folder", draft->final_path);
    if (!vit_config_save(draft->config, conf, error)) {
        remove_tree(draft->path);
        draft_clear(draft);
        return NULL;
    }
    if (g_rename(draft->path, draft->final_path) != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, _("Cannot make the folder %s: %s"),
                    draft->final_path, g_strerror(errno));
        remove_tree(draft->path);
        draft_clear(draft);
        return NULL;
    }
    draft_clear(draft);
    entry = app_entry_new_for_folder(folder);
    g_list_store_insert_sorted(library->entries, entry, compare_entries, NULL);
    return entry;
}

static gboolean
make_disk(const char *path, guint64 len_bytes, GError **error)
{
    int fd = g_open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0 || ftruncate(fd, len_bytes) != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, _("Cannot make the disk %s: %s"), path,
                    g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return FALSE;
    }
    close(fd);
    return TRUE;
}

static VitConfig *
new_config(const char *name, guint64 ram_bytes, GError **error)
{
    g_autoptr(VitConfig) config = vit_config_new();
    g_autofree char *ram = g_strdup_printf("%" G_GUINT64_FORMAT "M", ram_bytes >> 20);

    if (!vit_config_add(config, VIT_ORIGIN_DIALOG, error, "name", "guest", name, NULL) ||
        !vit_config_add(config, VIT_ORIGIN_DIALOG, error, "m", "size", ram, NULL)) {
        return NULL;
    }
    return g_steal_pointer(&config);
}

AppEntry *
app_library_create_from_iso(AppLibrary *library, const char *name, const char *iso_path,
                            guint64 ram_bytes, guint64 disk_bytes, GError **error)
{
    Draft draft = { 0 };
    g_autofree char *disk = NULL;
    g_autofree char *final_disk = NULL;
    gboolean ok;

    if (!draft_begin(library, name, &draft, error)) {
        return NULL;
    }
    disk = g_build_filename(draft.path, "disks", "disk.raw", NULL);
    final_disk = g_build_filename(draft.final_path, "disks", "disk.raw", NULL);
    draft.config = new_config(name, ram_bytes, error);
    ok = draft.config &&
         (disk_bytes == 0 ||
          (make_disk(disk, disk_bytes, error) &&
           vit_config_add(draft.config, VIT_ORIGIN_DIALOG, error, "drive", "file", final_disk,
                          "format", "raw", "if", "ide", "index", "0", NULL))) &&
         vit_config_add(draft.config, VIT_ORIGIN_DIALOG, error, "drive", "file", iso_path, "media",
                        "cdrom", "if", "ide", "index", "2", NULL) &&
         /* the empty disk does not boot, so the CD comes next by itself */
         vit_config_add(draft.config, VIT_ORIGIN_DIALOG, error, "boot", "order", "cd", NULL);
    if (!ok) {
        remove_tree(draft.path);
        draft_clear(&draft);
        return NULL;
    }
    return draft_finish(library, &draft, error);
}

AppEntry *
app_library_create_from_image(AppLibrary *library, const char *name, const char *path,
                              AppImageUse use, guint64 ram_bytes, GError **error)
{
    Draft draft = { 0 };
    g_autofree char *base = g_path_get_basename(path);
    g_autofree char *copy = NULL;
    g_autofree char *final_copy = NULL;
    gboolean ok = TRUE;

    if (!draft_begin(library, name, &draft, error)) {
        return NULL;
    }
    if (use == APP_IMAGE_COPY) {
        g_autoptr(GFile) from = g_file_new_for_path(path);
        g_autoptr(GFile) to = NULL;

        copy = g_build_filename(draft.path, "disks", base, NULL);
        final_copy = g_build_filename(draft.final_path, "disks", base, NULL);
        to = g_file_new_for_path(copy);
        ok = g_file_copy(from, to, G_FILE_COPY_NONE, NULL, NULL, NULL, error);
    }
    draft.config = ok ? new_config(name, ram_bytes, error) : NULL;
    ok = draft.config && vit_config_add(draft.config, VIT_ORIGIN_DIALOG, error, "drive", "file",
                                        final_copy ? final_copy : path, "format", "raw", "if",
                                        "ide", "index", "0", NULL);
    if (!ok) {
        remove_tree(draft.path);
        draft_clear(&draft);
        return NULL;
    }
    return draft_finish(library, &draft, error);
}

AppEntry *
app_library_create_from_text(AppLibrary *library, const char *name, const char *text,
                             VitDiagList *diags, GError **error)
{
    g_autoptr(VitDiagList) found = vit_diag_list_new();
    VitDiagList *list = diags ? diags : found;
    g_autoptr(VitConfig) config = vit_config_parse(text, VIT_PARSE_DEFAULT, list);
    Draft draft = { 0 };

    vit_config_validate(config, vit_engine_get_registry(), list);
    if (!vit_diag_list_to_error(list, error)) {
        return NULL;
    }
    if (!draft_begin(library, name, &draft, error)) {
        return NULL;
    }
    draft.config = g_steal_pointer(&config);
    if (!vit_config_get(draft.config, "name", "guest") &&
        !vit_config_add(draft.config, VIT_ORIGIN_DIALOG, error, "name", "guest", name, NULL)) {
        remove_tree(draft.path);
        draft_clear(&draft);
        return NULL;
    }
    return draft_finish(library, &draft, error);
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
