/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What can be done in a machine window. Buttons, menus, hotkeys, D-Bus and tests all activate
 * these actions, and their being enabled follows the session's state. */

#include "ui-machine-window-private.h"

#include "app-report.h"
#include "app-prefs.h"

#include <glib/gi18n.h>
#include <string.h>

static const char *const scale_names[] = { "fit", "one", "integer", "stretch" };
static const char *const filter_names[] = { "linear", "nearest", "sharp" };

/* ---- Life ---- */

static void
act_start(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    app_session_start(UI_MACHINE_WINDOW(data)->session);
}

static void
act_pause(GSimpleAction *action, GVariant *value, gpointer data)
{
    AppSession *session = UI_MACHINE_WINDOW(data)->session;

    /* the state follows when the machine has done it */
    if (g_variant_get_boolean(value)) {
        app_session_pause(session);
    } else {
        app_session_resume(session);
    }
}

static void
act_resume(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    app_session_resume(UI_MACHINE_WINDOW(data)->session);
}

static void
act_reset(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    app_session_reset(UI_MACHINE_WINDOW(data)->session);
}

static void
act_power_button(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    app_session_power_button(UI_MACHINE_WINDOW(data)->session);
}

static void
act_force_off(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    app_session_force_off(UI_MACHINE_WINDOW(data)->session);
}

/* ---- Keys ---- */

static void
act_send_keys(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiMachineWindow *window = data;
    VitMachine *machine = app_session_get_machine(window->session);
    g_autoptr(GError) error = NULL;

    if (machine && !vit_input_send_combination(vit_machine_get_input(machine),
                                               g_variant_get_string(parameter, NULL), &error)) {
        ui_machine_window_show_info(window, GTK_MESSAGE_ERROR, error->message);
    }
}

static void
type_text(UiMachineWindow *window, const char *text)
{
    VitMachine *machine = app_session_get_machine(window->session);
    /* the machine's own, -k, before the one of all machines */
    const char *own = app_typist_layout_for(vit_config_get(window->config, "k", NULL));
    g_autofree char *layout =
        own ? g_strdup(own) : g_settings_get_string(app_prefs_get(), "typing-layout");
    g_autoptr(GError) error = NULL;

    if (!machine) {
        return;
    }
    if (!window->typist) {
        window->typist = app_typist_new(vit_machine_get_input(machine));
    }
    if (!app_typist_type(window->typist, layout, text, &error)) {
        ui_machine_window_show_info(window, GTK_MESSAGE_WARNING, error->message);
    }
}

static void
act_type_text(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    type_text(data, g_variant_get_string(parameter, NULL));
}

static void
on_clipboard_text(GtkClipboard *clipboard, const char *text, gpointer data)
{
    g_autoptr(UiMachineWindow) window = data;

    if (text && *text && window->session) {
        type_text(window, text);
    } else if (window->session) {
        ui_machine_window_show_info(window, GTK_MESSAGE_INFO, _("The clipboard holds no text."));
    }
}

static void
act_type_clipboard(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    gtk_clipboard_request_text(gtk_widget_get_clipboard(GTK_WIDGET(data), GDK_SELECTION_CLIPBOARD),
                               on_clipboard_text, g_object_ref(data));
}

static void
keep_combination(const char *text)
{
    g_auto(GStrv) old = g_settings_get_strv(app_prefs_get(), "key-combinations");
    g_autoptr(GPtrArray) list = g_ptr_array_new();

    for (guint i = 0; old[i]; i++) {
        if (strcmp(old[i], text) != 0) {
            g_ptr_array_add(list, old[i]);
        }
    }
    g_ptr_array_add(list, (gpointer)text);
    g_ptr_array_add(list, NULL);
    g_settings_set_strv(app_prefs_get(), "key-combinations", (const char *const *)list->pdata);
}

static void
on_combination_response(GtkDialog *dialog, int response, UiMachineWindow *window)
{
    GtkEntry *entry = g_object_get_data(G_OBJECT(dialog), "entry");
    GtkToggleButton *keep = g_object_get_data(G_OBJECT(dialog), "keep");
    g_autofree char *text = g_strdup(gtk_entry_get_text(entry));

    if (response == GTK_RESPONSE_OK && *text) {
        if (gtk_toggle_button_get_active(keep)) {
            keep_combination(text);
        }
        g_action_group_activate_action(G_ACTION_GROUP(window), "send-keys",
                                       g_variant_new_string(text));
    }
    gtk_widget_destroy(GTK_WIDGET(dialog));
}

static void
act_send_other_keys(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    GtkWidget *dialog = gtk_dialog_new_with_buttons(
        _("Send Keys"), GTK_WINDOW(data), GTK_DIALOG_MODAL | GTK_DIALOG_USE_HEADER_BAR,
        _("_Cancel"), GTK_RESPONSE_CANCEL, _("_Send"), GTK_RESPONSE_OK, NULL);
    GtkWidget *box = gtk_dialog_get_content_area(GTK_DIALOG(dialog));
    GtkWidget *label = gtk_label_new_with_mnemonic(_("_Keys, such as ctrl-alt-f2:"));
    GtkWidget *entry = gtk_entry_new();
    GtkWidget *keep = gtk_check_button_new_with_mnemonic(_("_Keep in the menu"));

    gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_OK);
    gtk_entry_set_activates_default(GTK_ENTRY(entry), TRUE);
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), entry);
    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_container_set_border_width(GTK_CONTAINER(box), 12);
    gtk_box_set_spacing(GTK_BOX(box), 6);
    gtk_container_add(GTK_CONTAINER(box), label);
    gtk_container_add(GTK_CONTAINER(box), entry);
    gtk_container_add(GTK_CONTAINER(box), keep);
    g_object_set_data(G_OBJECT(dialog), "entry", entry);
    g_object_set_data(G_OBJECT(dialog), "keep", keep);
    g_signal_connect(dialog, "response", G_CALLBACK(on_combination_response), data);
    gtk_widget_show_all(dialog);
}

void
ui_machine_window_update_keys_menu(UiMachineWindow *window)
{
    g_auto(GStrv) list = g_settings_get_strv(app_prefs_get(), "key-combinations");

    g_menu_remove_all(window->keys_section);
    for (guint i = 0; list[i]; i++) {
        g_autoptr(GMenuItem) item = g_menu_item_new(list[i], NULL);

        g_menu_item_set_action_and_target(item, "win.send-keys", "s", list[i]);
        g_menu_append_item(window->keys_section, item);
    }
}

/* ---- Files ---- */

static void
on_path_chosen(GtkNativeDialog *dialog, int response, UiMachineWindow *window)
{
    UiSaveFunc save = g_object_get_data(G_OBJECT(dialog), "save");

    if (response == GTK_RESPONSE_ACCEPT) {
        g_autofree char *path = gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(dialog));
        save(window, path);
    }
    g_object_unref(dialog);
}

void
ui_machine_window_ask_path(UiMachineWindow *window, const char *title, const char *suffix,
                           UiSaveFunc save)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *stamp = g_date_time_format(now, "%Y-%m-%d %H-%M-%S");
    g_autofree char *name = g_strdup_printf("%s %s%s", window->title, stamp, suffix);
    GtkFileChooserNative *dialog = gtk_file_chooser_native_new(
        title, GTK_WINDOW(window), GTK_FILE_CHOOSER_ACTION_SAVE, _("_Save"), _("_Cancel"));

    gtk_file_chooser_set_current_name(GTK_FILE_CHOOSER(dialog), name);
    gtk_file_chooser_set_do_overwrite_confirmation(GTK_FILE_CHOOSER(dialog), TRUE);
    g_object_set_data(G_OBJECT(dialog), "save", save);
    g_signal_connect(dialog, "response", G_CALLBACK(on_path_chosen), window);
    gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}

static VitDisplay *
get_screen(UiMachineWindow *window)
{
    return ui_display_get_screen(window->display);
}

/* Path NULL: to the clipboard. */
typedef struct Shot {
    UiMachineWindow *window;
    char *path;
} Shot;

static void
copy_picture(UiMachineWindow *window, const VitPicture *picture)
{
    g_autoptr(GdkPixbuf) pixbuf =
        gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, picture->width, picture->height);
    int stride = gdk_pixbuf_get_rowstride(pixbuf);

    for (int y = 0; y < picture->height; y++) {
        guchar *to = gdk_pixbuf_get_pixels(pixbuf) + (gsize)y * stride;

        for (int x = 0; x < picture->width; x++, to += 3) {
            guint32 pixel = picture->pixels[(gsize)y * picture->width + x];

            to[0] = pixel >> 16;
            to[1] = pixel >> 8;
            to[2] = pixel;
        }
    }
    gtk_clipboard_set_image(gtk_widget_get_clipboard(GTK_WIDGET(window), GDK_SELECTION_CLIPBOARD),
                            pixbuf);
}

static void
on_picture(GObject *source, GAsyncResult *result, gpointer data)
{
    Shot *shot = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(VitPicture) picture =
        vit_display_take_picture_finish(VIT_DISPLAY(source), result, &error);
    g_autofree char *text = NULL;

    if (picture && !shot->path) {
        copy_picture(shot->window, picture);
        text = g_strdup(_("The screenshot is in the clipboard."));
    } else if (picture && vit_picture_save(picture, shot->path, &error)) {
        text = g_strdup_printf(_("Screenshot saved as %s"), shot->path);
    }
    ui_machine_window_show_info(shot->window, text ? GTK_MESSAGE_INFO : GTK_MESSAGE_ERROR,
                                text ? text : error->message);
    g_object_unref(shot->window);
    g_free(shot->path);
    g_free(shot);
}

static void
save_screenshot(UiMachineWindow *window, const char *path)
{
    VitDisplay *screen = get_screen(window);
    Shot *shot;

    if (screen) {
        shot = g_new0(Shot, 1);
        shot->window = g_object_ref(window);
        shot->path = g_strdup(path);
        vit_display_take_picture_async(screen, on_picture, shot);
    }
}

static void
act_screenshot(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    ui_machine_window_ask_path(data, _("Save Screenshot"), ".png", save_screenshot);
}

/* Saves at once, for scripts. */
static void
act_screenshot_to(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    save_screenshot(data, g_variant_get_string(parameter, NULL));
}

static void
act_screenshot_copy(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    save_screenshot(data, NULL);
}

static void
save_report(UiMachineWindow *window, const char *path)
{
    g_autofree char *text = app_report_make(window->title, window->config, window->session);
    g_autofree char *note = NULL;
    g_autoptr(GError) error = NULL;

    if (g_file_set_contents(path, text, -1, &error)) {
        note = g_strdup_printf(_("Report saved as %s"), path);
    }
    ui_machine_window_show_info(window, note ? GTK_MESSAGE_INFO : GTK_MESSAGE_ERROR,
                                note ? note : error->message);
}

static void
act_save_report(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    ui_machine_window_ask_path(data, _("Save Report"), ".txt", save_report);
}

static void
act_save_report_to(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    save_report(data, g_variant_get_string(parameter, NULL));
}

/* ---- Terminals ---- */

static UiTerminalPage *
current_terminal(UiMachineWindow *window)
{
    GtkWidget *page = gtk_stack_get_visible_child(window->pages);

    return UI_IS_TERMINAL_PAGE(page) ? UI_TERMINAL_PAGE(page) : NULL;
}

static void
save_terminal(UiMachineWindow *window, const char *path)
{
    UiTerminalPage *page = current_terminal(window);
    g_autoptr(GError) error = NULL;

    if (page && !ui_terminal_page_save(page, path, &error)) {
        ui_machine_window_show_info(window, GTK_MESSAGE_ERROR, error->message);
    }
}

static void
act_terminal_save(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    ui_machine_window_ask_path(data, _("Save Log"), ".log", save_terminal);
}

static void
act_terminal_save_to(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    save_terminal(data, g_variant_get_string(parameter, NULL));
}

static void
act_console(GSimpleAction *action, GVariant *value, gpointer data)
{
    UiMachineWindow *window = data;
    GtkWidget *page = gtk_stack_get_child_by_name(window->pages, g_variant_get_string(value, NULL));

    if (page) {
        UiScreen *screen = ui_machine_window_screen_of(window, page);

        gtk_stack_set_visible_child(window->pages, page);
        if (screen && screen->own) {
            gtk_window_present(screen->own);
        }
        if (UI_IS_TERMINAL_PAGE(page)) {
            g_action_group_change_action_state(G_ACTION_GROUP(window), "show-consoles",
                                               g_variant_new_boolean(TRUE));
        }
    }
}

static void
act_show_consoles(GSimpleAction *action, GVariant *value, gpointer data)
{
    UiMachineWindow *window = data;

    gtk_revealer_set_reveal_child(GTK_REVEALER(window->switcher_revealer),
                                  g_variant_get_boolean(value));
    gtk_widget_set_visible(window->switcher_revealer, g_variant_get_boolean(value));
    g_simple_action_set_state(action, value);
}

/* ---- Text ---- */

static void
act_show_log(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiMachineWindow *window = data;
    g_autofree char *title = g_strdup_printf(_("Log of %s"), window->title);
    g_autofree char *file_name = g_strdup_printf("%s.log", window->title);

    if (!window->log_window) {
        window->log_window = ui_text_window_new(GTK_WINDOW(window), title, file_name);
        g_object_add_weak_pointer(G_OBJECT(window->log_window), (gpointer *)&window->log_window);
        ui_text_window_set_text(window->log_window, app_session_get_log(window->session));
    }
    gtk_window_present(GTK_WINDOW(window->log_window));
}

static void
act_show_text(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiMachineWindow *window = data;
    VitDisplay *screen = get_screen(window);
    g_autofree char *text = screen ? vit_display_dup_text(screen) : NULL;
    UiTextWindow *view;

    if (!text) {
        ui_machine_window_show_info(
            window, GTK_MESSAGE_INFO,
            _("The guest's screen is in a graphics mode: there is no text to take from it."));
        return;
    }
    view = ui_text_window_new(GTK_WINDOW(window), _("Text of the Screen"), "screen.txt");
    ui_text_window_set_text(view, text);
    gtk_window_present(GTK_WINDOW(view));
}

/* ---- View ---- */

static guint
index_of(const char *const *names, guint count, GVariant *value)
{
    guint i;

    for (i = 0; i < count && strcmp(names[i], g_variant_get_string(value, NULL)) != 0; i++) {
    }
    return i;
}

static void
set_scale_mode(UiDisplay *display, gpointer mode)
{
    ui_display_set_scale_mode(display, (AppScaleMode)GPOINTER_TO_UINT(mode));
}

static void
set_filter(UiDisplay *display, gpointer filter)
{
    ui_display_set_filter(display, (UiFilter)GPOINTER_TO_UINT(filter));
}

static void
set_correct_aspect(UiDisplay *display, gpointer correct)
{
    ui_display_set_correct_aspect(display, GPOINTER_TO_INT(correct));
}

static void
act_scale_mode(GSimpleAction *action, GVariant *value, gpointer data)
{
    guint mode = index_of(scale_names, G_N_ELEMENTS(scale_names), value);

    if (mode < G_N_ELEMENTS(scale_names)) {
        ui_machine_window_each_display(data, set_scale_mode, GUINT_TO_POINTER(mode));
        g_simple_action_set_state(action, value);
    }
}

static void
act_filter(GSimpleAction *action, GVariant *value, gpointer data)
{
    guint filter = index_of(filter_names, G_N_ELEMENTS(filter_names), value);

    if (filter < G_N_ELEMENTS(filter_names)) {
        ui_machine_window_each_display(data, set_filter, GUINT_TO_POINTER(filter));
        g_simple_action_set_state(action, value);
    }
}

static void
act_correct_aspect(GSimpleAction *action, GVariant *value, gpointer data)
{
    ui_machine_window_each_display(data, set_correct_aspect,
                                   GINT_TO_POINTER(g_variant_get_boolean(value)));
    g_simple_action_set_state(action, value);
}

static void
act_fullscreen(GSimpleAction *action, GVariant *value, gpointer data)
{
    if (g_variant_get_boolean(value)) {
        gtk_window_fullscreen(GTK_WINDOW(data));
    } else {
        gtk_window_unfullscreen(GTK_WINDOW(data));
    }
    g_simple_action_set_state(action, value);
}

/* The screen looked at goes into a window of its own, or comes back. */
static void
act_detach_screen(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiMachineWindow *window = data;
    UiScreen *screen = ui_machine_window_screen_of(window, window->display);

    if (screen) {
        ui_machine_window_set_detached(window, screen, screen->own == NULL);
    }
}

static void
act_grab(GSimpleAction *action, GVariant *value, gpointer data)
{
    UiMachineWindow *window = data;

    gtk_widget_grab_focus(GTK_WIDGET(window->display));
    ui_display_set_grabbed(window->display, g_variant_get_boolean(value));
}

/* The window takes the size at which the picture is ZOOM times its own. */
static void
set_zoom(UiMachineWindow *window, double zoom)
{
    int width, height, window_width, window_height;
    GtkWidget *display = GTK_WIDGET(window->display);

    ui_display_get_natural_size(window->display, &width, &height);
    if (!width || window->fullscreen || gtk_window_is_maximized(GTK_WINDOW(window))) {
        return;
    }
    window->zoom = CLAMP(zoom, 0.25, 4);
    gtk_window_get_size(GTK_WINDOW(window), &window_width, &window_height);
    gtk_window_resize(
        GTK_WINDOW(window),
        window_width - gtk_widget_get_allocated_width(display) + (int)(width * window->zoom),
        window_height - gtk_widget_get_allocated_height(display) + (int)(height * window->zoom));
}

static void
act_zoom_in(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    set_zoom(data, UI_MACHINE_WINDOW(data)->zoom + 0.25);
}

static void
act_zoom_out(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    set_zoom(data, UI_MACHINE_WINDOW(data)->zoom - 0.25);
}

static void
act_zoom_reset(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    set_zoom(data, 1);
}

void
ui_machine_window_hotkey(UiMachineWindow *window, AppHotkey hotkey, guint number)
{
    GActionGroup *group = G_ACTION_GROUP(window);
    GList *children;
    GtkWidget *page;

    switch (hotkey) {
    case APP_HOTKEY_RELEASE:
        ui_display_set_grabbed(window->display, !ui_display_is_grabbed(window->display));
        break;
    case APP_HOTKEY_FULLSCREEN: g_action_group_activate_action(group, "fullscreen", NULL); break;
    case APP_HOTKEY_ENLARGE: g_action_group_activate_action(group, "zoom-in", NULL); break;
    case APP_HOTKEY_SHRINK: g_action_group_activate_action(group, "zoom-out", NULL); break;
    case APP_HOTKEY_UNSCALE: g_action_group_activate_action(group, "zoom-reset", NULL); break;
    case APP_HOTKEY_CONSOLE:
        children = gtk_container_get_children(GTK_CONTAINER(window->pages));
        page = g_list_nth_data(children, number - 1);
        if (page) {
            g_autofree char *name = NULL;

            gtk_container_child_get(GTK_CONTAINER(window->pages), page, "name", &name, NULL);
            g_action_group_change_action_state(group, "console", g_variant_new_string(name));
        }
        g_list_free(children);
        break;
    case APP_HOTKEY_NONE: break;
    }
}

static void
act_settings(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiMachineWindow *window = data;

    g_action_group_activate_action(G_ACTION_GROUP(gtk_window_get_application(GTK_WINDOW(window))),
                                   g_action_get_name(G_ACTION(action)),
                                   g_variant_new_string(window->title));
}

static void
act_close(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    gtk_window_close(GTK_WINDOW(data));
}

/* ---- Table ---- */

static const GActionEntry actions[] = {
    { .name = "settings", .activate = act_settings },
    { .name = "command-line", .activate = act_settings },
    { .name = "close", .activate = act_close },
    { .name = "start", .activate = act_start },
    { .name = "pause", .state = "false", .change_state = act_pause },
    { .name = "resume", .activate = act_resume },
    { .name = "reset", .activate = act_reset },
    { .name = "power-button", .activate = act_power_button },
    { .name = "force-off", .activate = act_force_off },
    { .name = "send-keys", .parameter_type = "s", .activate = act_send_keys },
    { .name = "send-other-keys", .activate = act_send_other_keys },
    { .name = "type-text", .parameter_type = "s", .activate = act_type_text },
    { .name = "type-clipboard", .activate = act_type_clipboard },
    { .name = "screenshot", .activate = act_screenshot },
    { .name = "screenshot-to", .parameter_type = "s", .activate = act_screenshot_to },
    { .name = "screenshot-copy", .activate = act_screenshot_copy },
    { .name = "save-report", .activate = act_save_report },
    { .name = "save-report-to", .parameter_type = "s", .activate = act_save_report_to },
    { .name = "terminal-save", .activate = act_terminal_save },
    { .name = "terminal-save-to", .parameter_type = "s", .activate = act_terminal_save_to },
    { .name = "console", .parameter_type = "s", .state = "'screen'", .change_state = act_console },
    { .name = "show-consoles", .state = "false", .change_state = act_show_consoles },
    { .name = "show-log", .activate = act_show_log },
    { .name = "show-text", .activate = act_show_text },
    { .name = "scale-mode",
      .parameter_type = "s",
      .state = "'fit'",
      .change_state = act_scale_mode },
    { .name = "filter", .parameter_type = "s", .state = "'sharp'", .change_state = act_filter },
    { .name = "correct-aspect", .state = "false", .change_state = act_correct_aspect },
    { .name = "fullscreen", .state = "false", .change_state = act_fullscreen },
    { .name = "detach-screen", .activate = act_detach_screen },
    { .name = "grab", .state = "false", .change_state = act_grab },
    { .name = "zoom-in", .activate = act_zoom_in },
    { .name = "zoom-out", .activate = act_zoom_out },
    { .name = "zoom-reset", .activate = act_zoom_reset },
};

void
ui_machine_window_add_actions(UiMachineWindow *window)
{
    GActionGroup *group = G_ACTION_GROUP(window);
    GSettings *settings = app_prefs_get();

    g_action_map_add_action_entries(G_ACTION_MAP(window), actions, G_N_ELEMENTS(actions), window);
    g_action_group_change_action_state(
        group, "scale-mode",
        g_variant_new_string(scale_names[g_settings_get_enum(settings, "scaling")]));
    g_action_group_change_action_state(
        group, "filter",
        g_variant_new_string(filter_names[g_settings_get_enum(settings, "filter")]));
    g_action_group_change_action_state(
        group, "correct-aspect",
        g_variant_new_boolean(g_settings_get_boolean(settings, "correct-aspect")));
}

static void
set_enabled(UiMachineWindow *window, const char *name, gboolean enabled)
{
    GAction *action = g_action_map_lookup_action(G_ACTION_MAP(window), name);

    g_simple_action_set_enabled(G_SIMPLE_ACTION(action), enabled);
}

void
ui_machine_window_update_actions(UiMachineWindow *window)
{
    AppSessionState state = app_session_get_state(window->session);
    VitMachine *machine = app_session_get_machine(window->session);
    gboolean active = state == APP_SESSION_RUNNING || state == APP_SESSION_PAUSED;
    gboolean running = state == APP_SESSION_RUNNING;
    GAction *pause = g_action_map_lookup_action(G_ACTION_MAP(window), "pause");
    gboolean has_screen = machine && get_screen(window);

    set_enabled(window, "start", state == APP_SESSION_OFF || state == APP_SESSION_FAILED);
    set_enabled(window, "pause", active);
    set_enabled(window, "resume", state == APP_SESSION_PAUSED);
    set_enabled(window, "reset", active || (state == APP_SESSION_FAILED && machine));
    set_enabled(window, "power-button", running);
    set_enabled(window, "force-off",
                active || state == APP_SESSION_FAILED || state == APP_SESSION_STARTING);
    set_enabled(window, "send-keys", running);
    set_enabled(window, "send-other-keys", running);
    set_enabled(window, "type-text", running);
    set_enabled(window, "type-clipboard", running);
    set_enabled(window, "screenshot", has_screen);
    set_enabled(window, "screenshot-to", has_screen);
    set_enabled(window, "screenshot-copy", has_screen);
    set_enabled(window, "show-text", has_screen);
    set_enabled(window, "grab", running);
    set_enabled(window, "detach-screen", has_screen);
    g_simple_action_set_state(G_SIMPLE_ACTION(pause),
                              g_variant_new_boolean(state == APP_SESSION_PAUSED));
}
