/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The user's machines: every NAME.vitrine folder below the data folder, and the built-in demo.
 * A GListModel of AppEntry. Thread: main. */

#include "app-entry.h"

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

typedef enum {
    APP_IMAGE_COPY,
    APP_IMAGE_IN_PLACE,
} AppImageUse;

/* Each makes a folder of its own with machine.conf, and leaves nothing behind when it fails.
 * Ownership: borrowed, the library has it. */
AppEntry *app_library_create_from_iso(AppLibrary *library, const char *name, const char *iso_path,
                                      guint64 ram_bytes, guint64 disk_bytes, GError **error);
AppEntry *app_library_create_from_image(AppLibrary *library, const char *name, const char *path,
                                        AppImageUse use, guint64 ram_bytes, GError **error);
/* An argument text, with or without a program name in front. */
AppEntry *app_library_create_from_text(AppLibrary *library, const char *name, const char *text,
                                       VitDiagList *diags, GError **error);
/* Moves the folder to the trash. */
gboolean app_library_trash(AppLibrary *library, AppEntry *entry, GError **error);
gboolean app_library_has_active(AppLibrary *library);

G_END_DECLS
