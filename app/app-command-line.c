/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The draft behind the command line pane. The draft and the configuration are compared as text:
 * as long as they are the same the draft follows every change made by a settings row, and once the
 * user has typed, nothing is taken from under his hands. Applying parses the draft and hands it to
 * vit_config_apply(), which leaves alone all that is equal. */

#include "app-command-line.h"

#include "app-host-check.h"

#include <glib/gi18n.h>
#include <string.h>

enum { HOST_CHECK_DELAY_MS = 500, MAX_FILES = 40 };

struct _AppCommandLine {
    GObject parent;
    AppSettings *settings;
    char *base; /* the configuration's text when it was last read */
    char *text;
    VitConfig *config; /* of the text */
    VitDiagList *diags;
    gboolean is_outdated, is_applying;
    AppHostCheck *host_check;
};

G_DEFINE_FINAL_TYPE(AppCommandLine, app_command_line, G_TYPE_OBJECT)

enum { SIGNAL_CHECKED, SIGNAL_REPLACED, SIGNAL_OUTDATED, N_SIGNALS };
static guint signals[N_SIGNALS];

/* ---- Checking ---- */

static void
on_host_checked(gpointer line)
{
    g_signal_emit(line, signals[SIGNAL_CHECKED], 0);
}

void
app_command_line_set_text(AppCommandLine *line, const char *text)
{
    VitConfig *shared = app_settings_get_config(line->settings);
    g_autofree char *copy = g_strdup(text);

    g_free(line->text);
    line->text = g_steal_pointer(&copy);
    g_clear_object(&line->config);
    g_clear_pointer(&line->diags, vit_diag_list_unref);
    line->diags = vit_diag_list_new();
    line->config = vit_config_parse(line->text, VIT_PARSE_DEFAULT, line->diags);
    vit_config_set_folder(line->config, vit_config_get_folder(shared));
    vit_config_check(line->config, vit_engine_get_registry(), line->diags);
    vit_diag_list_sort(line->diags);
    app_host_check_ask(line->host_check, line->config, line->diags);
    g_signal_emit(line, signals[SIGNAL_CHECKED], 0);
}

/* ---- The configuration and the draft ---- */

static void
read_config(AppCommandLine *line)
{
    g_free(line->base);
    line->base = vit_config_to_text(app_settings_get_config(line->settings));
}

static void
on_settings_changed(AppSettings *settings, AppCommandLine *line)
{
    gboolean was_changed = app_command_line_is_changed(line);
    g_autofree char *now = vit_config_to_text(app_settings_get_config(settings));

    if (line->is_applying || strcmp(now, line->base) == 0) {
        return;
    }
    read_config(line);
    if (was_changed && strcmp(now, line->text) != 0) {
        line->is_outdated = TRUE;
        g_signal_emit(line, signals[SIGNAL_OUTDATED], 0);
        return;
    }
    app_command_line_revert(line);
}

AppCommandLine *
app_command_line_new(AppSettings *settings)
{
    AppCommandLine *line = g_object_new(APP_TYPE_COMMAND_LINE, NULL);

    line->settings = g_object_ref(settings);
    read_config(line);
    app_command_line_set_text(line, line->base);
    g_signal_connect_object(settings, "changed", G_CALLBACK(on_settings_changed), line, 0);
    return line;
}

const char *
app_command_line_get_text(AppCommandLine *line)
{
    return line->text;
}

gboolean
app_command_line_is_changed(AppCommandLine *line)
{
    return strcmp(line->text, line->base) != 0;
}

gboolean
app_command_line_is_outdated(AppCommandLine *line)
{
    return line->is_outdated;
}

void
app_command_line_apply(AppCommandLine *line)
{
    line->is_applying = TRUE;
    vit_config_apply(app_settings_get_config(line->settings), line->config, _("Command line"));
    line->is_applying = FALSE;
    app_command_line_revert(line);
}

void
app_command_line_revert(AppCommandLine *line)
{
    read_config(line);
    line->is_outdated = FALSE;
    app_command_line_set_text(line, line->base);
    g_signal_emit(line, signals[SIGNAL_REPLACED], 0);
}

/* ---- Problems ---- */

VitDiagList *
app_command_line_get_diags(AppCommandLine *line)
{
    return line->diags;
}

const VitDiag *
app_command_line_next_problem(AppCommandLine *line, size_t at, gboolean backward)
{
    unsigned n = vit_diag_list_get_n(line->diags);
    const VitDiag *found = NULL;

    for (unsigned i = 0; i < n; i++) {
        const VitDiag *diag = vit_diag_list_get(line->diags, i);

        if (!backward && diag->start > at) {
            return diag;
        }
        if (backward && diag->start < at) {
            found = diag;
        }
    }
    if (found || n == 0) {
        return found;
    }
    return vit_diag_list_get(line->diags, backward ? n - 1 : 0);
}

/* ---- What applying changes ---- */

static void
change_free(gpointer data)
{
    AppCommandChange *change = data;

    g_free(change->text);
    g_free(change);
}

GPtrArray *
app_command_line_list_changes(AppCommandLine *line)
{
    GPtrArray *changes = g_ptr_array_new_with_free_func(change_free);
    AppEntry *entry = app_settings_get_entry(line->settings);
    AppLive *live = entry ? app_session_get_live(app_entry_get_session(entry)) : NULL;
    g_autoptr(GPtrArray) differences =
        app_list_differences(app_settings_get_config(line->settings), line->config,
                             live ? app_live_get_running(live) : NULL);

    for (guint i = 0; i < differences->len; i++) {
        AppDifference *difference = differences->pdata[i];
        AppCommandChange *change = g_new0(AppCommandChange, 1);

        change->type = difference->type;
        change->text = g_steal_pointer(&difference->text);
        change->change = difference->change;
        g_ptr_array_add(changes, change);
    }
    if (differences->len == 0 && app_command_line_is_changed(line)) {
        AppCommandChange *change = g_new0(AppCommandChange, 1);

        change->type = VIT_DIFF_CHANGED;
        change->text = g_strdup(_("Only the spelling changes"));
        change->change = VIT_CHANGE_HOT;
        g_ptr_array_add(changes, change);
    }
    return changes;
}

/* ---- Completion ---- */

char *
app_text_splice(const char *text, size_t start, size_t end, const char *replacement)
{
    GString *out = g_string_new_len(text, (gssize)start);

    g_string_append(out, replacement);
    g_string_append(out, text + end);
    return g_string_free(out, FALSE);
}

static void
append_file(VitCompletions *completions, const char *path, gboolean is_folder)
{
    VitCompletion *item;
    g_autofree char *spelt = vit_completions_spell(completions, path);

    completions->items = g_renew(VitCompletion, completions->items, completions->n_items + 1);
    item = &completions->items[completions->n_items++];
    *item = (VitCompletion){
        .text = g_strconcat(spelt, is_folder ? "/" : "", NULL),
        .label = g_strconcat(path, is_folder ? "/" : "", NULL),
        .status = VIT_STATUS_AVAILABLE,
        .goes_on = is_folder,
    };
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return g_utf8_collate(*(const char *const *)a, *(const char *const *)b);
}

/* Files of the folder that the typed path names. One folder is read, no file is opened. */
static void
add_files(AppCommandLine *line, VitCompletions *completions)
{
    const char *typed = completions->typed;
    const char *slash = strrchr(typed, '/');
    g_autofree char *stem = slash ? g_strndup(typed, (gsize)(slash + 1 - typed)) : g_strdup("");
    const char *begin = slash ? slash + 1 : typed;
    g_autofree char *where =
        vit_config_resolve_path(app_settings_get_config(line->settings), *stem ? stem : ".");
    g_autoptr(GDir) dir = g_dir_open(where, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)) && names->len < 4096) {
        if (g_str_has_prefix(name, begin) && (name[0] != '.' || begin[0] == '.') &&
            g_utf8_validate(name, -1, NULL)) {
            g_ptr_array_add(names, g_strdup(name));
        }
    }
    g_ptr_array_sort(names, compare_names);
    for (guint i = 0; i < MIN(names->len, MAX_FILES); i++) {
        g_autofree char *full = g_build_filename(where, names->pdata[i], NULL);
        g_autofree char *path = g_strconcat(stem, names->pdata[i], NULL);
        gboolean is_folder = g_file_test(full, G_FILE_TEST_IS_DIR);

        if (is_folder || completions->role != VIT_PATH_FOLDER) {
            append_file(completions, path, is_folder);
        }
    }
}

VitCompletions *
app_command_line_complete(AppCommandLine *line, size_t at)
{
    VitCompletions *completions = vit_complete(line->text, at, vit_engine_get_registry());

    if (completions->role != VIT_PATH_NONE) {
        add_files(line, completions);
    }
    return completions;
}

/* ---- Shell ---- */

char *
app_config_to_shell(VitConfig *config, const char *program)
{
    g_autoptr(VitConfig) copy = vit_config_copy(config);

    for (unsigned i = 0; i < vit_config_get_n_items(copy); i++) {
        VitConfigItem *item = vit_config_get_item(copy, i);
        const VitOption *option = vit_config_item_get_option(item);
        uint32_t serial = vit_config_item_get_serial(item);

        for (unsigned p = 0; p < vit_config_item_get_n_params(item); p++) {
            g_autofree char *name = g_strdup(vit_config_item_get_param_key(item, p));
            const char *value = vit_config_item_get_param_value(item, p);
            const VitOptionKey *key =
                option ? vit_option_find_key(option, vit_config_item_get_variant(item), name, NULL)
                       : NULL;
            gboolean is_image = vit_config_item_get_item_type(item) == VIT_ITEM_IMAGE;
            g_autofree char *path = NULL;

            if (!value || (!is_image && (!key || key->type != VIT_VALUE_PATH))) {
                continue;
            }
            path = vit_config_resolve_path(copy, value);
            if (strcmp(path, value) != 0) {
                vit_config_set(copy, serial, name, path, NULL);
                item = vit_config_get_item(copy, i);
            }
        }
    }
    return vit_config_to_shell(copy, program);
}

/* ---- GObject ---- */

static void
app_command_line_finalize(GObject *object)
{
    AppCommandLine *line = APP_COMMAND_LINE(object);

    g_clear_pointer(&line->host_check, app_host_check_free);
    g_clear_object(&line->settings);
    g_clear_object(&line->config);
    g_clear_pointer(&line->diags, vit_diag_list_unref);
    g_free(line->base);
    g_free(line->text);
    G_OBJECT_CLASS(app_command_line_parent_class)->finalize(object);
}

static void
app_command_line_class_init(AppCommandLineClass *klass)
{
    static const char *const names[N_SIGNALS] = { "checked", "replaced", "outdated" };

    G_OBJECT_CLASS(klass)->finalize = app_command_line_finalize;
    for (guint i = 0; i < N_SIGNALS; i++) {
        signals[i] = g_signal_new(names[i], G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 0);
    }
}

static void
app_command_line_init(AppCommandLine *line)
{
    line->host_check = app_host_check_new(HOST_CHECK_DELAY_MS, on_host_checked, line);
}
