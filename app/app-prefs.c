/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Finding the schema, and lists of recent things. */

#include "app-prefs.h"

#include <string.h>

#define SCHEMA "org.vitrine.Vitrine"

enum { RECENT_MAX = 10 };

static GSettingsSchema *
find_schema(void)
{
    GSettingsSchemaSource *source = g_settings_schema_source_get_default();
    GSettingsSchema *schema = source ? g_settings_schema_source_lookup(source, SCHEMA, TRUE) : NULL;
    g_autoptr(GSettingsSchemaSource) built = NULL;
    g_autofree char *self = NULL;
    g_autofree char *dir = NULL;
    g_autofree char *data = NULL;

    if (schema) {
        return schema;
    }
    self = g_file_read_link("/proc/self/exe", NULL);
    dir = g_path_get_dirname(self ? self : "");
    data = g_build_filename(dir, "..", "data", NULL);
    built = g_settings_schema_source_new_from_directory(data, source, FALSE, NULL);
    if (!built) {
        g_clear_pointer(&data, g_free);
        data = g_build_filename(dir, "..", "share", "glib-2.0", "schemas", NULL);
        built = g_settings_schema_source_new_from_directory(data, source, FALSE, NULL);
    }
    return built ? g_settings_schema_source_lookup(built, SCHEMA, TRUE) : NULL;
}

GSettings *
app_prefs_get(void)
{
    static GSettings *settings;

    if (!settings) {
        g_autoptr(GSettingsSchema) schema = find_schema();

        if (!schema) {
            g_error("The settings schema " SCHEMA " is not installed: run ninja install, or "
                    "start the program from its build folder");
        }
        settings = g_settings_new_full(schema, NULL, NULL);
    }
    return settings;
}

void
app_prefs_add_recent(const char *key, const char *path)
{
    g_auto(GStrv) old = g_settings_get_strv(app_prefs_get(), key);
    g_autoptr(GPtrArray) list = g_ptr_array_new();

    g_ptr_array_add(list, (gpointer)path);
    for (guint i = 0; old[i] && list->len < RECENT_MAX; i++) {
        if (strcmp(old[i], path) != 0) {
            g_ptr_array_add(list, old[i]);
        }
    }
    g_ptr_array_add(list, NULL);
    g_settings_set_strv(app_prefs_get(), key, (const char *const *)list->pdata);
}
