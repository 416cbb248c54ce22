/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The user's machines: every NAME.vitrine folder below the data folder, and the built-in demo.
 * A GListModel of AppEntry. Thread: main. */

#include "app-entry.h"
#include "app-job.h"

G_BEGIN_DECLS

#define APP_TYPE_LIBRARY (app_library_get_type())
G_DECLARE_FINAL_TYPE(AppLibrary, app_library, APP, LIBRARY, GObject)

/* ROOT NULL: $XDG_DATA_HOME/vitrine/machines, made when missing. DEMO_GUEST: path of the demo's
 * kernel, NULL = no demo machine. */
AppLibrary *app_library_new(GFile *root, const char *demo_guest);
void app_library_reload(AppLibrary *library);
GFile *app_library_get_root(AppLibrary *library);
/* By name; NULL. Ownership: borrowed. */
AppEntry *app_library_find(AppLibrary *library, const char *name);

gboolean app_library_has_active(AppLibrary *library);

/* ---- machines that are there (app-library-edit.c) ---- */

/* The machine and its folder get another name. The entry is another one afterwards. Borrowed. */
AppEntry *app_library_rename(AppLibrary *library, AppEntry *entry, const char *name,
                             GError **error);
/* A full copy under a name of its own, as a job that can be cancelled. Ownership: caller. */
void app_library_duplicate_async(AppLibrary *library, AppEntry *entry, GAsyncReadyCallback callback,
                                 gpointer data);
AppEntry *app_library_duplicate_finish(AppLibrary *library, GAsyncResult *result, GError **error);
/* Moves the folder to the trash. */
gboolean app_library_trash(AppLibrary *library, AppEntry *entry, GError **error);
/* Takes the machine whose folder was FOLDER out of the trash again. Borrowed. */
AppEntry *app_library_untrash(AppLibrary *library, GFile *folder, GError **error);
/* A machine that lies elsewhere, for as long as the program runs. Borrowed. */
AppEntry *app_library_add_folder(AppLibrary *library, GFile *folder, GError **error);

/* ---- for the files of the library ---- */

void app_library_add(AppLibrary *library, AppEntry *entry);
void app_library_remove(AppLibrary *library, AppEntry *entry);
/* NAME, or NAME 2 and so on, that no machine has. Ownership: caller. */
char *app_library_unused_name(AppLibrary *library, const char *name);
/* NAME as the name of a folder; NULL when it cannot be one. Ownership: caller. */
char *app_library_folder_name(const char *name);

G_END_DECLS
