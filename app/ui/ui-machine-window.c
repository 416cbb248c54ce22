/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Actions and state of a machine window. Every command is a GAction of the window; buttons, menus
 * and tests activate the same ones, and their being enabled follows the session's state. */

#include "ui-machine-window.h"

#include "ui-display.h"

#include <glib/gi18n.h>
#include <string.h>

struct _UiMachineWindow {
    GtkApplicationWindow parent;
    GtkHeaderBar *header;
    GtkOverlay *overlay;
    GtkInfoBar *info_bar;
    GtkLabel *info_label, *message_label, *status_label;
    GtkWidget *message_box, *message_start, *message_off;
    UiDisplay *display;
    AppSession *session;
    char *title;
    gboolean closing; /* waits for the machine to be off */
};

G_DEFINE_FINAL_TYPE(UiMachineWindow, ui_machine_window, GTK_TYPE_APPLICATION_WINDOW)

/* ---- Messages ---- */

static void
show_info(UiMachineWindow *window, GtkMessageType type, const char *text)
{
    gtk_label_set_text(window->info_label, text);
    gtk_info_bar_set_message_type(window->info_bar, type);
    gtk_info_bar_set_revealed(window->info_bar, TRUE);
}

static void
on_info_response(GtkInfoBar *bar, int response, UiMachineWindow *window)
{
    gtk_info_bar_set_revealed(bar, FALSE);
}

static void
update_status(UiMachineWindow *window)
{
    VitMachine *machine = app_session_get_machine(window->session);
    const char *grab = ui_display_is_grabbed(window->display)
                           ? _("Ctrl+Alt lets go of keyboard and pointer")
                           : _("Click into the screen to use keyboard and pointer");
    const char *state = app_session_state_text(app_session_get_state(window->session));
    g_autofree char *text =
        machine ? g_strdup_printf("%s (%s) — %s", state, vit_machine_get_accel(machine), grab)
                : g_strdup(state);

    gtk_label_set_text(window->status_label, text);
}

static void
set_enabled(UiMachineWindow *window, const char *name, gboolean enabled)
{
    GAction *action = g_action_map_lookup_action(G_ACTION_MAP(window), name);

    g_simple_action_set_enabled(G_SIMPLE_ACTION(action), enabled);
}

static void
show_message(UiMachineWindow *window, AppSessionState state)
{
    const char *reason = app_session_get_reason(window->session);
    g_autofree char *text = NULL;

    switch (state) {
    case APP_SESSION_OFF: text = g_strdup(_("The machine is off.")); break;
    case APP_SESSION_PAUSED: text = g_strdup(_("Paused")); break;
    case APP_SESSION_STARTING: text = g_strdup(_("Starting…")); break;
    case APP_SESSION_FAILED:
        text = g_strdup_printf(_("The machine stopped:\n%s"), reason ? reason : "");
        break;
    default: break;
    }
    gtk_widget_set_visible(window->message_box, text != NULL);
    if (text) {
        gtk_label_set_text(window->message_label, text);
    }
    gtk_widget_set_visible(window->message_start,
                           state == APP_SESSION_OFF || state == APP_SESSION_FAILED);
    gtk_widget_set_visible(window->message_off, state == APP_SESSION_FAILED);
}

static void
on_session_changed(AppSession *session, UiMachineWindow *window)
{
    AppSessionState state = app_session_get_state(session);
    VitMachine *machine = app_session_get_machine(session);
    gboolean active = state == APP_SESSION_RUNNING || state == APP_SESSION_PAUSED;
    GAction *pause = g_action_map_lookup_action(G_ACTION_MAP(window), "pause");
    VitDisplay *screen = machine ? vit_machine_get_display(machine, 0) : NULL;

    if (window->closing && state == APP_SESSION_OFF) {
        gtk_widget_destroy(GTK_WIDGET(window));
        return;
    }
    ui_display_set_source(window->display, screen, machine ? vit_machine_get_input(machine) : NULL);
    set_enabled(window, "start", state == APP_SESSION_OFF || state == APP_SESSION_FAILED);
    set_enabled(window, "pause", active);
    set_enabled(window, "reset", active);
    set_enabled(window, "power-button", state == APP_SESSION_RUNNING);
    set_enabled(window, "force-off", active || state == APP_SESSION_FAILED);
    set_enabled(window, "send-keys", state == APP_SESSION_RUNNING);
    set_enabled(window, "screenshot", screen != NULL);
    g_simple_action_set_state(G_SIMPLE_ACTION(pause),
                              g_variant_new_boolean(state == APP_SESSION_PAUSED));
    gtk_header_bar_set_subtitle(window->header, app_session_state_text(state));
    show_message(window, state);
    update_status(window);
}

static void
on_grab_changed(UiDisplay *display, UiMachineWindow *window)
{
    update_status(window);
}

/* ---- Actions ---- */

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

static void
act_send_keys(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiMachineWindow *window = UI_MACHINE_WINDOW(data);
    VitMachine *machine = app_session_get_machine(window->session);
    g_autoptr(GError) error = NULL;

    if (machine && !vit_input_send_combination(vit_machine_get_input(machine),
                                               g_variant_get_string(parameter, NULL), &error)) {
        show_info(window, GTK_MESSAGE_ERROR, error->message);
    }
}

static void
save_screenshot(UiMachineWindow *window, const char *path)
{
    VitMachine *machine = app_session_get_machine(window->session);
    VitDisplay *screen = machine ? vit_machine_get_display(machine, 0) : NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    if (!screen) {
        return;
    }
    if (vit_display_save_screenshot(screen, path, &error)) {
        text = g_strdup_printf(_("Screenshot saved as %s"), path);
        show_info(window, GTK_MESSAGE_INFO, text);
    } else {
        show_info(window, GTK_MESSAGE_ERROR, error->message);
    }
}

static void
on_screenshot_response(GtkNativeDialog *dialog, int response, UiMachineWindow *window)
{
    if (response == GTK_RESPONSE_ACCEPT) {
        g_autofree char *path = gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(dialog));
        save_screenshot(window, path);
    }
    g_object_unref(dialog);
}

/* With a path it saves there at once, for scripts; without, it asks. */
static void
act_screenshot(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiMachineWindow *window = UI_MACHINE_WINDOW(data);
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *stamp = g_date_time_format(now, "%Y-%m-%d %H-%M-%S");
    g_autofree char *name = g_strdup_printf("%s %s.png", window->title, stamp);
    GtkFileChooserNative *dialog =
        gtk_file_chooser_native_new(_("Save Screenshot"), GTK_WINDOW(window),
                                    GTK_FILE_CHOOSER_ACTION_SAVE, _("_Save"), _("_Cancel"));

    gtk_file_chooser_set_current_name(GTK_FILE_CHOOSER(dialog), name);
    gtk_file_chooser_set_do_overwrite_confirmation(GTK_FILE_CHOOSER(dialog), TRUE);
    g_signal_connect(dialog, "response", G_CALLBACK(on_screenshot_response), window);
    gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}

static void
act_screenshot_to(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    save_screenshot(UI_MACHINE_WINDOW(data), g_variant_get_string(parameter, NULL));
}

static void
act_scale_mode(GSimpleAction *action, GVariant *value, gpointer data)
{
    static const char *const names[] = { "fit", "one", "integer", "stretch" };
    UiMachineWindow *window = UI_MACHINE_WINDOW(data);

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(names[i], g_variant_get_string(value, NULL)) == 0) {
            ui_display_set_scale_mode(window->display, (AppScaleMode)i);
            g_simple_action_set_state(action, value);
        }
    }
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

static void
act_settings(GSimpleAction *action, GVariant *parameter, gpointer data)
{
    UiMachineWindow *window = UI_MACHINE_WINDOW(data);

    g_action_group_activate_action(G_ACTION_GROUP(gtk_window_get_application(GTK_WINDOW(window))),
                                   g_action_get_name(G_ACTION(action)),
                                   g_variant_new_string(window->title));
}

static const GActionEntry actions[] = {
    { .name = "settings", .activate = act_settings },
    { .name = "command-line", .activate = act_settings },
    { .name = "start", .activate = act_start },
    { .name = "pause", .state = "false", .change_state = act_pause },
    { .name = "reset", .activate = act_reset },
    { .name = "power-button", .activate = act_power_button },
    { .name = "force-off", .activate = act_force_off },
    { .name = "send-keys", .parameter_type = "s", .activate = act_send_keys },
    { .name = "screenshot", .activate = act_screenshot },
    { .name = "screenshot-to", .parameter_type = "s", .activate = act_screenshot_to },
    { .name = "scale-mode",
      .parameter_type = "s",
      .state = "'fit'",
      .change_state = act_scale_mode },
    { .name = "fullscreen", .state = "false", .change_state = act_fullscreen },
};

/* ---- Keys and closing ---- */

/* The guest's keys come before the window's accelerators while the screen has the focus. */
static gboolean
on_window_key(GtkWidget *widget, GdkEventKey *event)
{
    UiMachineWindow *window = UI_MACHINE_WINDOW(widget);

    if (gtk_widget_has_focus(GTK_WIDGET(window->display)) &&
        gtk_widget_event(GTK_WIDGET(window->display), (GdkEvent *)event)) {
        return TRUE;
    }
    if (event->type == GDK_KEY_PRESS) {
        return GTK_WIDGET_CLASS(ui_machine_window_parent_class)->key_press_event(widget, event);
    }
    return GTK_WIDGET_CLASS(ui_machine_window_parent_class)->key_release_event(widget, event);
}

static void
on_close_response(GtkDialog *dialog, int response, UiMachineWindow *window)
{
    gtk_widget_destroy(GTK_WIDGET(dialog));
    if (response == GTK_RESPONSE_ACCEPT) {
        window->closing = TRUE;
        app_session_force_off(window->session);
    } else if (response == GTK_RESPONSE_YES) {
        window->closing = TRUE;
        app_session_power_button(window->session);
    }
}

static gboolean
on_delete(GtkWidget *widget, GdkEventAny *event)
{
    UiMachineWindow *window = UI_MACHINE_WINDOW(widget);
    GtkWidget *dialog;

    if (!app_session_is_active(window->session)) {
        if (app_session_get_state(window->session) == APP_SESSION_FAILED) {
            app_session_force_off(window->session);
        }
        return FALSE;
    }
    dialog = gtk_message_dialog_new(GTK_WINDOW(window), GTK_DIALOG_MODAL, GTK_MESSAGE_QUESTION,
                                    GTK_BUTTONS_NONE, _("“%s” is running"), window->title);
    gtk_message_dialog_format_secondary_text(
        GTK_MESSAGE_DIALOG(dialog), "%s",
        _("Forcing it off is like pulling the plug: what the guest has not saved is lost."));
    gtk_dialog_add_buttons(GTK_DIALOG(dialog), _("_Keep Running"), GTK_RESPONSE_CANCEL,
                           _("Press the Power _Button"), GTK_RESPONSE_YES, _("_Force Off"),
                           GTK_RESPONSE_ACCEPT, NULL);
    gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_CANCEL);
    g_signal_connect(dialog, "response", G_CALLBACK(on_close_response), window);
    gtk_widget_show(dialog);
    return TRUE;
}

UiMachineWindow *
ui_machine_window_new(GtkApplication *application, AppSession *session, const char *title)
{
    UiMachineWindow *window =
        g_object_new(UI_TYPE_MACHINE_WINDOW, "application", application, "title", title, NULL);

    window->title = g_strdup(title);
    window->session = g_object_ref(session);
    gtk_header_bar_set_title(window->header, title);
    atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(window->display)), title);
    g_signal_connect_object(session, "changed", G_CALLBACK(on_session_changed), window, 0);
    on_session_changed(session, window);
    gtk_widget_grab_focus(GTK_WIDGET(window->display));
    return window;
}

AppSession *
ui_machine_window_get_session(UiMachineWindow *window)
{
    return window->session;
}

static void
ui_machine_window_dispose(GObject *object)
{
    UiMachineWindow *window = UI_MACHINE_WINDOW(object);

    g_clear_object(&window->session);
    g_clear_pointer(&window->title, g_free);
    G_OBJECT_CLASS(ui_machine_window_parent_class)->dispose(object);
}

static void
ui_machine_window_class_init(UiMachineWindowClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);

    G_OBJECT_CLASS(klass)->dispose = ui_machine_window_dispose;
    widget_class->key_press_event = on_window_key;
    widget_class->key_release_event = on_window_key;
    widget_class->delete_event = on_delete;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/ui-machine-window.ui");
    gtk_widget_class_bind_template_child(widget_class, UiMachineWindow, header);
    gtk_widget_class_bind_template_child(widget_class, UiMachineWindow, overlay);
    gtk_widget_class_bind_template_child(widget_class, UiMachineWindow, info_bar);
    gtk_widget_class_bind_template_child(widget_class, UiMachineWindow, info_label);
    gtk_widget_class_bind_template_child(widget_class, UiMachineWindow, message_label);
    gtk_widget_class_bind_template_child(widget_class, UiMachineWindow, message_box);
    gtk_widget_class_bind_template_child(widget_class, UiMachineWindow, message_start);
    gtk_widget_class_bind_template_child(widget_class, UiMachineWindow, message_off);
    gtk_widget_class_bind_template_child(widget_class, UiMachineWindow, status_label);
}

static void
ui_machine_window_init(UiMachineWindow *window)
{
    gtk_widget_init_template(GTK_WIDGET(window));
    g_action_map_add_action_entries(G_ACTION_MAP(window), actions, G_N_ELEMENTS(actions), window);
    window->display = UI_DISPLAY(ui_display_new());
    gtk_widget_show(GTK_WIDGET(window->display));
    gtk_container_add(GTK_CONTAINER(window->overlay), GTK_WIDGET(window->display));
    g_signal_connect(window->info_bar, "response", G_CALLBACK(on_info_response), window);
    g_signal_connect(window->display, "grab-changed", G_CALLBACK(on_grab_changed), window);
}
