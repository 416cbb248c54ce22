/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* CD and floppy drives of a running machine: menus in the window's menu and at the status icons,
 * with the media used lately; image files dropped on the window. */

#include "ui-machine-window-private.h"

#include "app-prefs.h"

#include <glib/gi18n.h>
#include <string.h>

enum { FLOPPY_MAX_BYTES = 2949120, RECENT_SHOWN = 6 };

static const char *
role_title(VitMediaRole role)
{
    return role == VIT_MEDIA_FLOPPY ? _("Floppy") : _("CD");
}

/* ---- Doing ---- */

static void
on_inserted(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(UiMachineWindow) window = data;
    g_autoptr(GError) error = NULL;

    if (!vit_machine_insert_finish(VIT_MACHINE(source), result, &error)) {
        ui_machine_window_show_info(window, GTK_MESSAGE_ERROR, error->message);
    }
    if (window->session) {
        ui_machine_window_update_media(window);
    }
}

static void
insert(UiMachineWindow *window, const char *drive, const char *path)
{
    VitMachine *machine = app_session_get_machine(window->session);

    if (machine) {
        app_prefs_add_recent("recent-media", path);
        vit_machine_insert_async(machine, drive, path, on_inserted, g_object_ref(window));
    }
}

static void
on_ejected(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(UiMachineWindow) window = data;
    g_autoptr(GError) error = NULL;

    if (!vit_machine_eject_finish(VIT_MACHINE(source), result, &error)) {
        if (g_error_matches(error, VIT_ERROR, VIT_ERROR_BUSY)) {
            ui_machine_window_show_info(
                window, GTK_MESSAGE_WARNING,
                _("The guest holds the drive locked and was asked to let go. Eject again once it "
                  "has, or use Force Eject."));
        } else {
            ui_machine_window_show_info(window, GTK_MESSAGE_ERROR, error->message);
        }
    }
    if (window->session) {
        ui_machine_window_update_media(window);
    }
}

static void
eject(UiMachineWindow *window, const char *drive, gboolean force)
{
    VitMachine *machine = app_session_get_machine(window->session);

    if (machine) {
        vit_machine_eject_async(machine, drive, force, on_ejected, g_object_ref(window));
    }
}

static void
act_eject(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    eject(data, g_variant_get_string(parameter, NULL), FALSE);
}

static void
act_force_eject(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    eject(data, g_variant_get_string(parameter, NULL), TRUE);
}

/* Drive and path: for recent media, drops and scripts. */
static void
act_insert_file(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    const char *drive, *path;

    g_variant_get(parameter, "(&s&s)", &drive, &path);
    insert(data, drive, path);
}

static void
on_chosen(GtkNativeDialog *dialog, int response, UiMachineWindow *window)
{
    if (response == GTK_RESPONSE_ACCEPT) {
        g_autofree char *path = gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(dialog));

        insert(window, g_object_get_data(G_OBJECT(dialog), "drive"), path);
    }
    g_object_unref(dialog);
}

static void
act_insert(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiMachineWindow *window = data;
    GtkFileChooserNative *dialog =
        gtk_file_chooser_native_new(_("Insert Image"), GTK_WINDOW(window),
                                    GTK_FILE_CHOOSER_ACTION_OPEN, _("_Insert"), _("_Cancel"));

    g_object_set_data_full(G_OBJECT(dialog), "drive",
                           g_strdup(g_variant_get_string(parameter, NULL)), g_free);
    g_signal_connect(dialog, "response", G_CALLBACK(on_chosen), window);
    gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}

/* ---- Menus ---- */

static void
add_recent(GMenu *menu, const VitMedia *media)
{
    g_auto(GStrv) paths = g_settings_get_strv(app_prefs_get(), "recent-media");
    GMenu *section = g_menu_new();
    guint shown = 0;

    for (guint i = 0; paths[i] && shown < RECENT_SHOWN; i++) {
        g_autofree char *base = g_path_get_basename(paths[i]);
        g_autoptr(GMenuItem) item = NULL;

        if (g_strcmp0(paths[i], media->file) == 0) {
            continue;
        }
        g_strdelimit(base, "_", '-'); /* not a mnemonic */
        item = g_menu_item_new(base, NULL);
        g_menu_item_set_action_and_target(item, "win.media-insert-file", "(ss)", media->id,
                                          paths[i]);
        g_menu_append_item(section, item);
        shown++;
    }
    if (shown) {
        g_menu_append_section(menu, _("Recent"), G_MENU_MODEL(section));
    }
    g_object_unref(section);
}

static void
add_item(GMenu *menu, const char *label, const char *action, const char *drive)
{
    g_autoptr(GMenuItem) item = g_menu_item_new(label, NULL);

    g_menu_item_set_action_and_target(item, action, "s", drive);
    g_menu_append_item(menu, item);
}

static GMenu *
make_drive_menu(const VitMedia *media)
{
    GMenu *menu = g_menu_new();

    add_item(menu, _("_Insert Image…"), "win.media-insert", media->id);
    if (media->file) {
        add_item(menu, _("_Eject"), "win.media-eject", media->id);
        if (media->locked) {
            add_item(menu, _("_Force Eject"), "win.media-force-eject", media->id);
        }
    }
    add_recent(menu, media);
    return menu;
}

static char *
describe_drive(const VitMedia *media)
{
    g_autofree char *base = media->file ? g_path_get_basename(media->file) : NULL;

    /* Translators: a drive and the medium in it, as in "CD: debian-12.iso" */
    return g_strdup_printf(_("%s: %s"), role_title(media->role), base ? base : _("empty"));
}

static void
on_listed(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(UiMachineWindow) window = data;
    g_autoptr(GPtrArray) list = vit_machine_list_media_finish(VIT_MACHINE(source), result, NULL);
    gboolean seen[VIT_MEDIA_LAST] = { 0 };

    if (!list || !window->session) {
        return;
    }
    g_menu_remove_all(window->media_section);
    for (guint i = 0; i < list->len; i++) {
        const VitMedia *media = list->pdata[i];
        g_autofree char *text = describe_drive(media);
        g_autoptr(GMenu) menu = NULL;

        if (media->role == VIT_MEDIA_DISK || !media->id) {
            continue;
        }
        menu = make_drive_menu(media);
        g_menu_append_submenu(window->media_section, text, G_MENU_MODEL(menu));
        if (!seen[media->role]) {
            seen[media->role] = TRUE;
            ui_status_bar_set_media_menu(window->status_bar, media->role, G_MENU_MODEL(menu), text);
        }
    }
    for (guint role = VIT_MEDIA_CDROM; role < VIT_MEDIA_LAST; role++) {
        if (!seen[role]) {
            ui_status_bar_set_media_menu(window->status_bar, role, NULL, NULL);
        }
    }
}

void
ui_machine_window_update_media(UiMachineWindow *window)
{
    VitMachine *machine = app_session_get_machine(window->session);

    if (machine) {
        vit_machine_list_media_async(machine, on_listed, g_object_ref(window));
        return;
    }
    g_menu_remove_all(window->media_section);
    for (guint role = VIT_MEDIA_CDROM; role < VIT_MEDIA_LAST; role++) {
        ui_status_bar_set_media_menu(window->status_bar, role, NULL, NULL);
    }
}

/* ---- Drops ---- */

typedef struct Drop {
    UiMachineWindow *window;
    char *path;
} Drop;

static void
on_listed_for_drop(GObject *source, GAsyncResult *result, gpointer data)
{
    Drop *drop = data;
    g_autoptr(GPtrArray) list = vit_machine_list_media_finish(VIT_MACHINE(source), result, NULL);
    g_autoptr(GFile) file = g_file_new_for_path(drop->path);
    g_autoptr(GFileInfo) info =
        g_file_query_info(file, G_FILE_ATTRIBUTE_STANDARD_SIZE, G_FILE_QUERY_INFO_NONE, NULL, NULL);
    VitMediaRole role = info && g_file_info_get_size(info) <= FLOPPY_MAX_BYTES &&
                                !g_str_has_suffix(drop->path, ".iso")
                            ? VIT_MEDIA_FLOPPY
                            : VIT_MEDIA_CDROM;
    gboolean done = FALSE;

    for (guint i = 0; list && i < list->len && !done && drop->window->session; i++) {
        const VitMedia *media = list->pdata[i];

        if (media->role == role && media->id) {
            insert(drop->window, media->id, drop->path);
            done = TRUE;
        }
    }
    if (!done && drop->window->session) {
        ui_machine_window_show_info(
            drop->window, GTK_MESSAGE_WARNING,
            role == VIT_MEDIA_FLOPPY
                ? _("This machine has no floppy drive for the image that was dropped.")
                : _("This machine has no CD drive for the image that was dropped."));
    }
    g_object_unref(drop->window);
    g_free(drop->path);
    g_free(drop);
}

void
ui_machine_window_drop_image(UiMachineWindow *window, const char *path)
{
    VitMachine *machine = app_session_get_machine(window->session);
    Drop *drop;

    if (!machine) {
        ui_machine_window_show_info(window, GTK_MESSAGE_WARNING,
                                    _("Start the machine first, then drop the image again."));
        return;
    }
    drop = g_new0(Drop, 1);
    drop->window = g_object_ref(window);
    drop->path = g_strdup(path);
    vit_machine_list_media_async(machine, on_listed_for_drop, drop);
}

void
ui_machine_window_add_media_actions(UiMachineWindow *window)
{
    static const GActionEntry actions[] = {
        { .name = "media-insert", .parameter_type = "s", .activate = act_insert },
        { .name = "media-insert-file", .parameter_type = "(ss)", .activate = act_insert_file },
        { .name = "media-eject", .parameter_type = "s", .activate = act_eject },
        { .name = "media-force-eject", .parameter_type = "s", .activate = act_force_eject },
    };

    g_action_map_add_action_entries(G_ACTION_MAP(window), actions, G_N_ELEMENTS(actions), window);
}
