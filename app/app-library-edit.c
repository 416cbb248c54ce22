/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What is done to machines that are there: another name, a copy, the trash and back. */

#include "app-library.h"

#include "app-trash.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>

static gboolean
check_off(AppEntry *entry, GError **error)
{
    if (!app_entry_get_folder(entry)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE,
                    _("“%s” is part of the program: create a machine of your own instead"),
                    app_entry_get_name(entry));
        return FALSE;
    }
    if (app_session_is_active(app_entry_get_session(entry))) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, _("“%s” is running: switch it off first"),
                    app_entry_get_name(entry));
        return FALSE;
    }
    return TRUE;
}

/* The folder a machine called NAME would have; NULL when there is one already. */
static GFile *
new_folder(AppLibrary *library, const char *name, GError **error)
{
    g_autofree char *file_name = app_library_folder_name(name);
    g_autoptr(GFile) folder = NULL;

    if (!file_name) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    _("“%s” cannot be the name of a machine: give it a name with letters"), name);
        return NULL;
    }
    folder = g_file_get_child(app_library_get_root(library), file_name);
    if (g_file_query_exists(folder, NULL)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    _("There is already a machine called “%s”: choose another name"), name);
        return NULL;
    }
    return g_steal_pointer(&folder);
}

/* The machine in FOLDER gets NAME and joins the library. */
static AppEntry *
adopt(AppLibrary *library, GFile *folder, const char *name, GError **error)
{
    g_autoptr(AppEntry) entry = app_entry_new_for_folder(folder);
    g_autoptr(AppEntry) named = NULL;

    if (!vit_config_set_option(app_entry_get_config(entry), "name", "guest", name, error) ||
        !app_entry_save(entry, error)) {
        return NULL;
    }
    named = app_entry_new_for_folder(folder);
    app_library_add(library, named);
    return named;
}

AppEntry *
app_library_rename(AppLibrary *library, AppEntry *entry, const char *name, GError **error)
{
    g_autoptr(AppEntry) keep G_GNUC_UNUSED = g_object_ref(entry);
    g_autoptr(GFile) folder = NULL;
    const char *old_path;

    if (!check_off(entry, error) || !(folder = new_folder(library, name, error))) {
        return NULL;
    }
    old_path = g_file_peek_path(app_entry_get_folder(entry));
    /* older files do not say yet where they were written */
    if (!app_entry_save(entry, error)) {
        return NULL;
    }
    if (g_rename(old_path, g_file_peek_path(folder)) != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, _("Cannot rename the folder %s: %s"), old_path,
                    g_strerror(errno));
        return NULL;
    }
    app_library_remove(library, entry);
    return adopt(library, folder, name, error);
}

/* ---- Copies ---- */

typedef struct Duplicate {
    AppLibrary *library;
    AppJob *job;
    GFile *hidden, *folder;
    char *name;
} Duplicate;

static void
duplicate_free(gpointer data)
{
    Duplicate *duplicate = data;

    g_object_unref(duplicate->library);
    g_object_unref(duplicate->job);
    g_object_unref(duplicate->hidden);
    g_object_unref(duplicate->folder);
    g_free(duplicate->name);
    g_free(duplicate);
}

static void
on_copied(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    Duplicate *duplicate = g_task_get_task_data(task);
    GError *error = NULL;
    AppEntry *entry = NULL;

    app_job_finish(duplicate->job);
    if (app_copy_folder_finish(result, &error)) {
        if (g_rename(g_file_peek_path(duplicate->hidden), g_file_peek_path(duplicate->folder)) !=
            0) {
            g_set_error(&error, VIT_ERROR, VIT_ERROR_IO, _("Cannot make the folder %s: %s"),
                        g_file_peek_path(duplicate->folder), g_strerror(errno));
            app_remove_folder(g_file_peek_path(duplicate->hidden));
        } else {
            entry = adopt(duplicate->library, duplicate->folder, duplicate->name, &error);
        }
    }
    if (entry) {
        g_task_return_pointer(task, g_object_ref(entry), g_object_unref);
    } else {
        g_task_return_error(task, error);
    }
}

void
app_library_duplicate_async(AppLibrary *library, AppEntry *entry, GAsyncReadyCallback callback,
                            gpointer data)
{
    GTask *task = g_task_new(library, NULL, callback, data);
    GError *error = NULL;
    g_autofree char *name = NULL;
    g_autofree char *title = NULL;
    g_autofree char *hidden = NULL;
    Duplicate *duplicate;

    if (!check_off(entry, &error) || !app_entry_save(entry, &error)) {
        g_task_return_error(task, error);
        g_object_unref(task);
        return;
    }
    name = app_library_unused_name(library, app_entry_get_name(entry));
    title = g_strdup_printf(_("Copying “%s”"), app_entry_get_name(entry));
    hidden = g_strdup_printf(".copy-%s", name);
    duplicate = g_new0(Duplicate, 1);
    duplicate->library = g_object_ref(library);
    duplicate->job = app_job_new(title);
    duplicate->name = g_strdup(name);
    duplicate->folder = new_folder(library, name, NULL);
    duplicate->hidden = g_file_get_child(app_library_get_root(library), hidden);
    app_remove_folder(g_file_peek_path(duplicate->hidden)); /* of a program that was killed */
    g_task_set_task_data(task, duplicate, duplicate_free);
    app_copy_folder_async(app_entry_get_folder(entry), duplicate->hidden, duplicate->job, on_copied,
                          task);
}

AppEntry *
app_library_duplicate_finish(AppLibrary *library, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

/* ---- Trash ---- */

gboolean
app_library_trash(AppLibrary *library, AppEntry *entry, GError **error)
{
    if (!check_off(entry, error) || !g_file_trash(app_entry_get_folder(entry), NULL, error)) {
        return FALSE;
    }
    app_library_remove(library, entry);
    return TRUE;
}

AppEntry *
app_library_untrash(AppLibrary *library, GFile *folder, GError **error)
{
    g_autoptr(AppEntry) entry = NULL;

    if (!app_trash_restore(folder, error)) {
        return NULL;
    }
    entry = app_entry_new_for_folder(folder);
    app_library_add(library, entry);
    return entry;
}

AppEntry *
app_library_add_folder(AppLibrary *library, GFile *folder, GError **error)
{
    g_autoptr(GFile) conf = g_file_get_child(folder, "machine.conf");
    g_autoptr(AppEntry) entry = NULL;

    if (!g_file_query_exists(conf, NULL)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    _("%s is no machine: there is no machine.conf in it"),
                    g_file_peek_path(folder));
        return NULL;
    }
    for (guint i = 0; i < g_list_model_get_n_items(G_LIST_MODEL(library)); i++) {
        g_autoptr(AppEntry) old = g_list_model_get_item(G_LIST_MODEL(library), i);

        if (app_entry_get_folder(old) && g_file_equal(app_entry_get_folder(old), folder)) {
            return old;
        }
    }
    entry = app_entry_new_for_folder(folder);
    app_library_add(library, entry);
    return entry;
}
