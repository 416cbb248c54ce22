/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A machine of the library. machine.conf says in which folder it was written, so that the paths
 * into that folder follow when it is renamed, copied or moved. */

#include "app-entry.h"

#include "app-thumbnail.h"

#include <glib/gi18n.h>
#include <string.h>

struct _AppEntry {
    GObject parent;
    char *name;
    GFile *folder;
    VitConfig *config;
    AppLocalSession *session;
    char *problem;
    AppThumbnail *thumbnail;
    int load_told; /* in percent, as the description has it */
};

#define META_GROUP "vitrine.machine"

G_DEFINE_FINAL_TYPE(AppEntry, app_entry, G_TYPE_OBJECT)

enum { SIGNAL_CHANGED, SIGNAL_PICTURE, SIGNAL_LAST };
static guint signals[SIGNAL_LAST];

static void
on_session_changed(AppSession *session, AppEntry *entry)
{
    g_signal_emit(entry, signals[SIGNAL_CHANGED], 0);
}

/* Another memory size is another line on the card. */
static void
on_config_changed(VitConfig *config, AppEntry *entry)
{
    g_signal_emit(entry, signals[SIGNAL_CHANGED], 0);
}

static int
load_percent(AppEntry *entry)
{
    const AppMeter *meter = app_session_get_meter(APP_SESSION(entry->session));

    return (int)(app_meter_get(meter, 0)->cpu * 100 + 0.5);
}

/* Once a second: what stays the same costs no drawing. */
static void
on_session_meter(AppSession *session, AppEntry *entry)
{
    int load = load_percent(entry);

    app_thumbnail_tick(entry->thumbnail, session);
    if (load != entry->load_told) {
        entry->load_told = load;
        g_signal_emit(entry, signals[SIGNAL_CHANGED], 0);
    }
}

static void
on_picture(gpointer data)
{
    g_signal_emit(data, signals[SIGNAL_PICTURE], 0);
}

/* Paths that begin with OLD_FOLDER begin with NEW_FOLDER from now on. */
static void
move_paths(VitConfig *config, const char *old_folder, const char *new_folder)
{
    g_autofree char *prefix = g_strconcat(old_folder, "/", NULL);

    for (unsigned i = 0; i < vit_config_get_n_items(config); i++) {
        VitConfigItem *item = vit_config_item_ref(vit_config_get_item(config, i));

        for (unsigned j = 0; j < vit_config_item_get_n_params(item); j++) {
            g_autofree char *key = g_strdup(vit_config_item_get_param_key(item, j));
            const char *value = vit_config_item_get_param_value(item, j);

            if (key && value && g_str_has_prefix(value, prefix)) {
                g_autofree char *moved = g_build_filename(new_folder, value + strlen(prefix), NULL);

                vit_config_set(config, vit_config_item_get_serial(item), key, moved, NULL);
            }
        }
        vit_config_item_unref(item);
    }
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
    g_signal_connect_object(config, "changed", G_CALLBACK(on_config_changed), entry, 0);
    entry->session = app_local_session_new(config);
    g_signal_connect_object(entry->session, "changed", G_CALLBACK(on_session_changed), entry, 0);
    g_signal_connect_object(entry->session, "meter", G_CALLBACK(on_session_meter), entry, 0);
    entry->thumbnail = app_thumbnail_new(on_picture, entry);
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
    } else {
        const char *old_folder = vit_config_get_meta(config, META_GROUP, "folder");

        if (old_folder && strcmp(old_folder, g_file_peek_path(folder)) != 0) {
            g_autofree char *copy = g_strdup(old_folder);

            move_paths(config, copy, g_file_peek_path(folder));
        }
    }
    entry_set_config(entry, config);
    app_thumbnail_set_path(entry->thumbnail, app_entry_get_picture_path(entry));
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
    if (state == APP_SESSION_RUNNING) {
        /* Translators: a running machine, its memory and the load of its processors */
        return g_strdup_printf(_("%s, %s, CPU %d %%"), app_session_state_text(state), size,
                               load_percent(entry));
    }
    /* Translators: state of a machine and its memory, as in "Running, 1.0 GiB" */
    return g_strdup_printf(_("%s, %s"), app_session_state_text(state), size);
}

const char *
app_entry_get_notes(AppEntry *entry)
{
    const char *notes = vit_config_get_meta(entry->config, META_GROUP, "notes");

    return notes ? notes : "";
}

gboolean
app_entry_set_notes(AppEntry *entry, const char *notes, GError **error)
{
    g_autofree char *old = g_strdup(app_entry_get_notes(entry));

    vit_config_set_meta(entry->config, META_GROUP, "notes", *notes ? notes : NULL);
    if (entry->folder && !app_entry_save(entry, error)) {
        vit_config_set_meta(entry->config, META_GROUP, "notes", *old ? old : NULL);
        return FALSE;
    }
    g_signal_emit(entry, signals[SIGNAL_CHANGED], 0);
    return TRUE;
}

const VitPicture *
app_entry_get_picture(AppEntry *entry)
{
    return app_thumbnail_get(entry->thumbnail);
}

char *
app_entry_get_picture_path(AppEntry *entry)
{
    return entry->folder ? g_build_filename(g_file_peek_path(entry->folder), "thumbnail.png", NULL)
                         : NULL;
}

gboolean
app_entry_matches(AppEntry *entry, const char *text)
{
    g_autofree char *state = app_entry_describe(entry);
    g_autofree char *all =
        g_strdup_printf("%s\n%s\n%s", entry->name, app_entry_get_notes(entry), state);
    g_autofree char *folded = g_utf8_casefold(all, -1);
    g_autofree char *wanted = g_utf8_casefold(text, -1);
    g_auto(GStrv) words = g_strsplit(wanted, " ", -1);

    for (guint i = 0; words[i]; i++) {
        if (!strstr(folded, words[i])) {
            return FALSE;
        }
    }
    return TRUE;
}

gboolean
app_entry_save(AppEntry *entry, GError **error)
{
    g_autoptr(GFile) file = NULL;

    g_return_val_if_fail(entry->folder, FALSE);
    vit_config_set_meta(entry->config, META_GROUP, "folder", g_file_peek_path(entry->folder));
    file = g_file_get_child(entry->folder, "machine.conf");
    return vit_config_save(entry->config, g_file_peek_path(file), error);
}

static void
app_entry_dispose(GObject *object)
{
    AppEntry *entry = APP_ENTRY(object);

    g_clear_pointer(&entry->thumbnail, app_thumbnail_free);
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
    signals[SIGNAL_CHANGED] = g_signal_new("changed", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST,
                                           0, NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_PICTURE] = g_signal_new("picture", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST,
                                           0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
app_entry_init(AppEntry *entry)
{
}
