/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A machine of the library. Paths inside its folder are stored relative to it, so that the folder
 * can be moved; app_entry_new_for_folder() makes them absolute for the engine. */

#include "app-entry.h"

#include <glib/gi18n.h>
#include <string.h>

struct _AppEntry {
    GObject parent;
    char *name;
    GFile *folder;
    VitConfig *config;
    AppLocalSession *session;
    char *problem;
};

G_DEFINE_FINAL_TYPE(AppEntry, app_entry, G_TYPE_OBJECT)

static guint changed_signal;

static void
on_session_changed(AppSession *session, AppEntry *entry)
{
    g_signal_emit(entry, changed_signal, 0);
}

static void
entry_set_config(AppEntry *entry, VitConfig *config)
{
    const char *name;

    entry->config = config;
    name = vit_config_get(config, "name", "guest");
    if (name && *name) {
        g_free(entry->name);
        entry->name = g_strdup(name);
    }
    entry->session = app_local_session_new(config);
    g_signal_connect_object(entry->session, "changed", G_CALLBACK(on_session_changed), entry, 0);
}

AppEntry *
app_entry_new_built_in(const char *name, VitConfig *config)
{
    AppEntry *entry = g_object_new(APP_TYPE_ENTRY, NULL);

    entry->name = g_strdup(name);
    /* a copy has nothing to undo: how it was made is no step of the user's */
    entry_set_config(entry, vit_config_copy(config));
    return entry;
}

static char *
name_from_folder(GFile *folder)
{
    char *name = g_file_get_basename(folder);

    if (g_str_has_suffix(name, ".vitrine")) {
        name[strlen(name) - strlen(".vitrine")] = '\0';
    }
    return name;
}

AppEntry *
app_entry_new_for_folder(GFile *folder)
{
    AppEntry *entry = g_object_new(APP_TYPE_ENTRY, NULL);
    g_autoptr(GFile) file = g_file_get_child(folder, "machine.conf");
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(GError) error = NULL;
    VitConfAccess access;
    VitConfig *config;

    entry->folder = g_object_ref(folder);
    entry->name = name_from_folder(folder);
    config = vit_config_load(g_file_peek_path(file), &access, diags, &error);
    if (!config) {
        entry->problem = g_strdup(error->message);
        config = vit_config_new();
    }
    entry_set_config(entry, config);
    return entry;
}

const char *
app_entry_get_name(AppEntry *entry)
{
    return entry->name;
}

GFile *
app_entry_get_folder(AppEntry *entry)
{
    return entry->folder;
}

VitConfig *
app_entry_get_config(AppEntry *entry)
{
    return entry->config;
}

AppSession *
app_entry_get_session(AppEntry *entry)
{
    return APP_SESSION(entry->session);
}

const char *
app_entry_get_problem(AppEntry *entry)
{
    return entry->problem;
}

char *
app_entry_describe(AppEntry *entry)
{
    AppSessionState state = app_session_get_state(APP_SESSION(entry->session));
    g_autofree char *size = NULL;
    guint64 ram = 0;

    if (entry->problem) {
        return g_strdup_printf(_("Cannot be used: %s"), entry->problem);
    }
    if (state == APP_SESSION_FAILED) {
        return g_strdup_printf(_("Stopped: %s"),
                               app_session_get_reason(APP_SESSION(entry->session)));
    }
    vit_config_get_size(entry->config, "m", "size", &ram);
    size = g_format_size_full(ram, G_FORMAT_SIZE_IEC_UNITS);
    /* Translators: state of a machine and its memory, as in "Running, 1.0 GiB" */
    return g_strdup_printf(_("%s, %s"), app_session_state_text(state), size);
}

gboolean
app_entry_save(AppEntry *entry, GError **error)
{
    g_autoptr(GFile) file = NULL;

    g_return_val_if_fail(entry->folder, FALSE);
    file = g_file_get_child(entry->folder, "machine.conf");
    return vit_config_save(entry->config, g_file_peek_path(file), error);
}

static void
app_entry_dispose(GObject *object)
{
    AppEntry *entry = APP_ENTRY(object);

    g_clear_object(&entry->session);
    g_clear_object(&entry->config);
    g_clear_object(&entry->folder);
    g_clear_pointer(&entry->name, g_free);
    g_clear_pointer(&entry->problem, g_free);
    G_OBJECT_CLASS(app_entry_parent_class)->dispose(object);
}

static void
app_entry_class_init(AppEntryClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = app_entry_dispose;
    changed_signal = g_signal_new("changed", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 0);
}

static void
app_entry_init(AppEntry *entry)
{
}
