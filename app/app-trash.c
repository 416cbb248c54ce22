/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Trash: $XDG_DATA_HOME/Trash with files/NAME and info/NAME.trashinfo, whose Path is percent
 * encoded. */

#include "app-trash.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>

/* Name within the trash of the newest entry that came from PATH. Ownership: caller. */
static char *
find_entry(const char *info_dir, const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(info_dir, 0, NULL);
    g_autofree char *best_date = NULL;
    char *best = NULL;
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autoptr(GKeyFile) key_file = g_key_file_new();
        g_autofree char *file = g_build_filename(info_dir, name, NULL);
        g_autofree char *encoded = NULL;
        g_autofree char *from = NULL;
        g_autofree char *date = NULL;

        if (!g_str_has_suffix(name, ".trashinfo") ||
            !g_key_file_load_from_file(key_file, file, G_KEY_FILE_NONE, NULL)) {
            continue;
        }
        encoded = g_key_file_get_string(key_file, "Trash Info", "Path", NULL);
        date = g_key_file_get_string(key_file, "Trash Info", "DeletionDate", NULL);
        from = encoded ? g_uri_unescape_string(encoded, NULL) : NULL;
        if (g_strcmp0(from, path) == 0 && g_strcmp0(date, best_date) >= 0) {
            g_free(best);
            g_free(best_date);
            best = g_strndup(name, strlen(name) - strlen(".trashinfo"));
            best_date = g_steal_pointer(&date);
        }
    }
    return best;
}

gboolean
app_trash_restore(GFile *file, GError **error)
{
    g_autofree char *info_dir = g_build_filename(g_get_user_data_dir(), "Trash", "info", NULL);
    g_autofree char *name = find_entry(info_dir, g_file_peek_path(file));
    g_autofree char *trashed = NULL;
    g_autofree char *info = NULL;

    if (!name) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                    _("%s is not in this user's trash any more: look for it with the file manager"),
                    g_file_peek_path(file));
        return FALSE;
    }
    trashed = g_build_filename(g_get_user_data_dir(), "Trash", "files", name, NULL);
    if (g_file_query_exists(file, NULL)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_EXISTS,
                    _("There is another %s by now: rename it first"), g_file_peek_path(file));
        return FALSE;
    }
    if (g_rename(trashed, g_file_peek_path(file)) != 0) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno),
                    _("Cannot take %s out of the trash: %s"), g_file_peek_path(file),
                    g_strerror(errno));
        return FALSE;
    }
    info = g_strdup_printf("%s/%s.trashinfo", info_dir, name);
    g_unlink(info);
    return TRUE;
}

static void
describe(const char *path, const char *shown, GString *out, guint64 *sum)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        g_autofree char *child_shown = g_build_filename(shown, name, NULL);
        g_autofree char *size = NULL;
        GStatBuf info;

        if (g_lstat(child, &info) != 0) {
            continue;
        }
        if (S_ISDIR(info.st_mode)) {
            describe(child, child_shown, out, sum);
            continue;
        }
        *sum += info.st_blocks * (guint64)512;
        size = g_format_size(info.st_blocks * (guint64)512);
        g_string_append_printf(out, "%s (%s)\n", child_shown, size);
    }
}

char *
app_trash_describe(GFile *folder, guint64 *out_bytes)
{
    GString *out = g_string_new(NULL);

    *out_bytes = 0;
    describe(g_file_peek_path(folder), "", out, out_bytes);
    if (out->len) {
        g_string_truncate(out, out->len - 1);
    }
    return g_string_free(out, FALSE);
}
