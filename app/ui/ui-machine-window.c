/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What a machine window shows of its session: screen, terminals, messages over the screen, the bar
 * of full screen, closing. Its actions are in ui-machine-actions.c and ui-media-menu.c. */

#include "ui-machine-window-private.h"

#include "app-prefs.h"

#include <glib/gi18n.h>
#include <string.h>

G_DEFINE_FINAL_TYPE(UiMachineWindow, ui_machine_window, GTK_TYPE_APPLICATION_WINDOW)

enum { REVEAL_DELAY_MS = 250, REVEAL_EDGE = 3, HIDE_BELOW = 80 };

/* ---- Messages ---- */

void
ui_machine_window_show_info(UiMachineWindow *window, GtkMessageType type, const char *text)
{
    if (window->session) {
        gtk_label_set_text(window->info_label, text);
        gtk_info_bar_set_message_type(window->info_bar, type);
        gtk_info_bar_set_revealed(window->info_bar, TRUE);
    }
}

static void
on_info_response(GtkInfoBar *bar, int response, UiMachineWindow *window)
{
    gtk_info_bar_set_revealed(bar, FALSE);
}

static char *dup_release_key(UiMachineWindow *window);

static char *
describe_grab(UiMachineWindow *window)
{
    g_autofree char *setting = dup_release_key(window);
    g_autofree char *key = app_release_key_describe(setting);

    switch (ui_display_get_grab_state(window->display)) {
    case UI_GRAB_FULL:
        /* Translators: %s is a key, such as Ctrl+Alt */
        return g_strdup_printf(_("%s lets go of keyboard and pointer"), key);
    case UI_GRAB_LIMITED:
        return g_strdup_printf(
            _("%s lets go of keyboard and pointer; the desktop keeps its own shortcuts"), key);
    default: return g_strdup(_("Click into the screen to use keyboard and pointer"));
    }
}

static void
update_status(UiMachineWindow *window)
{
    VitMachine *machine = app_session_get_machine(window->session);
    const char *state = app_session_state_text(app_session_get_state(window->session));
    g_autofree char *grab = describe_grab(window);
    /* Translators: state of the machine, its accelerator, how to use the keyboard */
    g_autofree char *text =
        machine && app_session_is_active(window->session)
            ? g_strdup_printf(_("%s (%s) — %s"), state, vit_machine_get_accel(machine), grab)
            : g_strdup(state);

    ui_status_bar_set_text(window->status_bar, text);
}

static void
show_message(UiMachineWindow *window, AppSessionState state)
{
    const char *reason = app_session_get_reason(window->session);
    gboolean failed = state == APP_SESSION_FAILED;
    gboolean has_machine = app_session_get_machine(window->session) != NULL;
    g_autofree char *text = NULL;

    switch (state) {
    case APP_SESSION_OFF:
        text = reason ? g_strdup_printf(_("The machine is off.\n%s"), reason)
                      : g_strdup(_("The machine is off."));
        break;
    case APP_SESSION_PAUSED: text = g_strdup(_("Paused")); break;
    case APP_SESSION_STARTING: text = g_strdup(_("Starting…")); break;
    case APP_SESSION_FAILED:
        text = g_strdup_printf(_("The machine stopped:\n%s"), reason ? reason : "");
        break;
    default: break;
    }
    if (text) {
        gtk_label_set_text(window->message_label, text);
    }
    gtk_widget_set_visible(window->message_start,
                           state == APP_SESSION_OFF || (failed && !has_machine));
    gtk_widget_set_visible(window->message_resume, state == APP_SESSION_PAUSED);
    gtk_widget_set_visible(window->message_reset, failed && has_machine);
    gtk_widget_set_visible(window->message_off, failed);
    gtk_widget_set_visible(window->message_report, failed);
    gtk_widget_set_visible(window->message_box,
                           text != NULL && ui_machine_window_screen_of(
                                               window, gtk_stack_get_visible_child(window->pages)));
}

/* ---- Terminals ---- */

static void
remove_terminals(UiMachineWindow *window)
{
    g_autoptr(GList) children = gtk_container_get_children(GTK_CONTAINER(window->pages));

    for (GList *l = children; l; l = l->next) {
        if (UI_IS_TERMINAL_PAGE(l->data)) {
            gtk_widget_destroy(l->data);
        }
    }
    g_menu_remove_all(window->consoles_section);
}

static void
add_console_item(UiMachineWindow *window, const char *title, const char *name)
{
    g_autoptr(GMenuItem) item = g_menu_item_new(title, NULL);

    g_menu_item_set_action_and_target(item, "win.console", "s", name);
    g_menu_append_item(window->consoles_section, item);
}

/* The screens, then monitors, serial and parallel ports: the numbers of the manual's keys. */
static void
add_terminals(UiMachineWindow *window, VitMachine *machine)
{
    for (guint i = 0; i < window->screens->len; i++) {
        UiScreen *screen = window->screens->pdata[i];
        g_autofree char *name = NULL;

        gtk_container_child_get(GTK_CONTAINER(window->pages), screen->page, "name", &name, NULL);
        add_console_item(window, screen->title, name);
    }
    for (guint role = VIT_TERMINAL_MONITOR; role <= VIT_TERMINAL_OTHER; role++) {
        for (guint i = 0; i < vit_machine_get_n_terminals(machine); i++) {
            VitTerminal *terminal = vit_machine_get_terminal(machine, i);
            g_autofree char *title = NULL;
            GtkWidget *page;

            if (vit_terminal_get_role(terminal) != role) {
                continue;
            }
            title = ui_terminal_page_make_title(terminal);
            page = ui_terminal_page_new(terminal);
            gtk_stack_add_titled(window->pages, page, vit_terminal_get_id(terminal), title);
            add_console_item(window, title, vit_terminal_get_id(terminal));
        }
    }
}

static void
on_page_changed(GtkStack *pages, GParamSpec *spec, UiMachineWindow *window)
{
    GtkWidget *page = gtk_stack_get_visible_child(pages);
    const char *name = gtk_stack_get_visible_child_name(pages);
    UiScreen *screen = page ? ui_machine_window_screen_of(window, page) : NULL;
    GAction *console = g_action_map_lookup_action(G_ACTION_MAP(window), "console");
    GAction *save = g_action_map_lookup_action(G_ACTION_MAP(window), "terminal-save");

    if (!page || !name || !window->session) {
        return;
    }
    if (screen) {
        window->display = screen->display;
    }
    ui_machine_window_update_actions(window);
    g_simple_action_set_state(G_SIMPLE_ACTION(console), g_variant_new_string(name));
    g_simple_action_set_enabled(G_SIMPLE_ACTION(save), UI_IS_TERMINAL_PAGE(page));
    gtk_widget_grab_focus(UI_IS_TERMINAL_PAGE(page)
                              ? ui_terminal_page_get_view(UI_TERMINAL_PAGE(page))
                              : GTK_WIDGET(window->display));
    show_message(window, app_session_get_state(window->session));
}

/* ---- Session ---- */

static void
on_media_changed(VitMachine *machine, UiMachineWindow *window)
{
    ui_machine_window_update_media(window);
}

/* Another machine object runs, or none. The terminals of one that is off can still be read. */
static void
take_machine(UiMachineWindow *window, VitMachine *machine)
{
    g_clear_object(&window->typist);
    window->machine = machine;
    if (machine) {
        remove_terminals(window);
        ui_machine_window_make_screens(window, machine);
        add_terminals(window, machine);
        g_signal_connect_object(machine, "media-changed", G_CALLBACK(on_media_changed), window, 0);
    }
    ui_machine_window_update_media(window);
    ui_machine_window_update_links(window);
}

static void
on_session_changed(AppSession *session, UiMachineWindow *window)
{
    AppSessionState state = app_session_get_state(session);
    VitMachine *machine = state == APP_SESSION_OFF ? NULL : app_session_get_machine(session);

    if (window->closing && state == APP_SESSION_OFF) {
        gtk_widget_destroy(GTK_WIDGET(window));
        return;
    }
    if (machine != window->machine) {
        take_machine(window, machine);
    }
    ui_machine_window_show_machine(window, machine, state != APP_SESSION_PAUSED);
    ui_machine_window_update_actions(window);
    gtk_header_bar_set_subtitle(window->header, app_session_state_text(state));
    ui_status_bar_update(window->status_bar, session);
    show_message(window, state);
    update_status(window);
}

static void
on_meter(AppSession *session, UiMachineWindow *window)
{
    ui_status_bar_update(window->status_bar, session);
}

static void
on_log(AppSession *session, const char *line, UiMachineWindow *window)
{
    if (window->log_window) {
        ui_text_window_append(window->log_window, line);
    }
}

void
ui_machine_window_on_grab(UiDisplay *display, UiMachineWindow *window)
{
    GAction *grab = g_action_map_lookup_action(G_ACTION_MAP(window), "grab");

    g_simple_action_set_state(G_SIMPLE_ACTION(grab),
                              g_variant_new_boolean(ui_display_is_grabbed(display)));
    if (window->session) {
        update_status(window);
    }
}

void
ui_machine_window_on_hotkey(UiDisplay *display, int hotkey, guint number, UiMachineWindow *window)
{
    UiScreen *screen = ui_machine_window_screen_of(window, display);

    if (screen && screen->own && hotkey == APP_HOTKEY_FULLSCREEN) {
        if (screen->own_fullscreen) {
            gtk_window_unfullscreen(screen->own);
        } else {
            gtk_window_fullscreen(screen->own);
        }
        return;
    }
    ui_machine_window_hotkey(window, hotkey, number);
}

/* ---- Preferences ---- */

static void
set_release_key(UiDisplay *display, gpointer key)
{
    ui_display_set_release_key(display, key);
}

static void
set_host_keys(UiDisplay *display, gpointer keys)
{
    ui_display_set_host_keys(display, keys);
}

static void
set_grab_on(UiDisplay *display, gpointer bits)
{
    ui_display_set_grab_on(display, GPOINTER_TO_UINT(bits));
}

/* The arguments' own, else the preferences'. Ownership: caller. */
static char *
dup_release_key(UiMachineWindow *window)
{
    const char *asked = window->shown ? ui_machine_window_option_release_key(window->shown) : NULL;

    return asked ? g_strdup(asked) : g_settings_get_string(app_prefs_get(), "release-key");
}

void
ui_machine_window_update_release_key(UiMachineWindow *window)
{
    g_autofree char *key = dup_release_key(window);

    ui_machine_window_each_display(window, set_release_key, key);
    if (window->session) {
        update_status(window);
    }
}

static void
on_setting_changed(GSettings *settings, const char *key, UiMachineWindow *window)
{
    g_auto(GStrv) host_keys = g_settings_get_strv(settings, "host-keys");

    ui_machine_window_each_display(window, set_host_keys, host_keys);
    ui_machine_window_each_display(window, set_grab_on,
                                   GUINT_TO_POINTER(g_settings_get_flags(settings, "grab-on")));
    gtk_widget_set_visible(window->status_slot,
                           g_settings_get_boolean(settings, "show-status-bar") &&
                               !window->fullscreen);
    ui_machine_window_update_keys_menu(window);
    if (key && strcmp(key, "recent-media") == 0) {
        ui_machine_window_update_media(window);
    }
    ui_machine_window_update_release_key(window);
}

/* ---- Full screen ---- */

static gboolean
reveal(gpointer data)
{
    UiMachineWindow *window = data;

    window->reveal_timer = 0;
    gtk_revealer_set_reveal_child(window->fullscreen_bar, TRUE);
    return G_SOURCE_REMOVE;
}

/* The bar comes when the pointer rests at the upper edge, and goes when it leaves, unless pinned.
 */
static gboolean
on_motion(GtkWidget *widget, GdkEventMotion *event)
{
    UiMachineWindow *window = UI_MACHINE_WINDOW(widget);
    int origin_y = 0;
    double y;

    if (window->fullscreen && event->window) {
        gdk_window_get_origin(gtk_widget_get_window(widget), NULL, &origin_y);
        y = event->y_root - origin_y;
        if (y <= REVEAL_EDGE && !window->reveal_timer) {
            window->reveal_timer = g_timeout_add(REVEAL_DELAY_MS, reveal, window);
        } else if (y > REVEAL_EDGE) {
            g_clear_handle_id(&window->reveal_timer, g_source_remove);
        }
        if (y > HIDE_BELOW && !gtk_toggle_button_get_active(window->fullscreen_pin)) {
            gtk_revealer_set_reveal_child(window->fullscreen_bar, FALSE);
        }
    }
    if (GTK_WIDGET_CLASS(ui_machine_window_parent_class)->motion_notify_event) {
        return GTK_WIDGET_CLASS(ui_machine_window_parent_class)->motion_notify_event(widget, event);
    }
    return GDK_EVENT_PROPAGATE;
}

static gboolean
on_window_state(GtkWidget *widget, GdkEventWindowState *event)
{
    UiMachineWindow *window = UI_MACHINE_WINDOW(widget);
    gboolean fullscreen = (event->new_window_state & GDK_WINDOW_STATE_FULLSCREEN) != 0;
    GAction *action = g_action_map_lookup_action(G_ACTION_MAP(window), "fullscreen");

    if (fullscreen != window->fullscreen && window->session) {
        window->fullscreen = fullscreen;
        g_simple_action_set_state(G_SIMPLE_ACTION(action), g_variant_new_boolean(fullscreen));
        gtk_widget_set_visible(GTK_WIDGET(window->fullscreen_bar), fullscreen);
        gtk_revealer_set_reveal_child(window->fullscreen_bar, fullscreen);
        on_setting_changed(app_prefs_get(), NULL, window);
        ui_display_set_fullscreen(window->display, fullscreen);
    }
    return GTK_WIDGET_CLASS(ui_machine_window_parent_class)->window_state_event(widget, event);
}

/* ---- Keys ---- */

/* Commands after the release key also work in a terminal, which would eat them. */
static gboolean
terminal_hotkey(UiMachineWindow *window, GdkEventKey *event)
{
    GdkModifierType state = event->state & gtk_accelerator_get_default_mod_mask();

    if (event->type != GDK_KEY_PRESS || state != (GDK_CONTROL_MASK | GDK_MOD1_MASK)) {
        return FALSE;
    }
    if (event->keyval >= GDK_KEY_1 && event->keyval <= GDK_KEY_9) {
        ui_machine_window_hotkey(window, APP_HOTKEY_CONSOLE, event->keyval - GDK_KEY_1 + 1);
        return TRUE;
    }
    if (event->keyval == GDK_KEY_f) {
        ui_machine_window_hotkey(window, APP_HOTKEY_FULLSCREEN, 0);
        return TRUE;
    }
    return FALSE;
}

/* The guest's keys come before the window's accelerators while the screen or a terminal has the
 * focus. */
static gboolean
on_window_key(GtkWidget *widget, GdkEventKey *event)
{
    UiMachineWindow *window = UI_MACHINE_WINDOW(widget);
    GtkWidget *page = gtk_stack_get_visible_child(window->pages);
    GtkWidget *target = UI_IS_TERMINAL_PAGE(page)
                            ? ui_terminal_page_get_view(UI_TERMINAL_PAGE(page))
                            : GTK_WIDGET(window->display);

    if (target && gtk_widget_has_focus(target) && gtk_widget_get_toplevel(target) == widget) {
        if (UI_IS_TERMINAL_PAGE(page) && terminal_hotkey(window, event)) {
            return TRUE;
        }
        if (gtk_widget_event(target, (GdkEvent *)event)) {
            return TRUE;
        }
    }
    if (event->type == GDK_KEY_PRESS) {
        return GTK_WIDGET_CLASS(ui_machine_window_parent_class)->key_press_event(widget, event);
    }
    return GTK_WIDGET_CLASS(ui_machine_window_parent_class)->key_release_event(widget, event);
}

/* ---- Drops ---- */

static void
on_drop(GtkWidget *widget, GdkDragContext *context, int x, int y, GtkSelectionData *data,
        guint info, guint time, UiMachineWindow *window)
{
    g_auto(GStrv) uris = gtk_selection_data_get_uris(data);
    g_autofree char *path = uris && uris[0] ? g_filename_from_uri(uris[0], NULL, NULL) : NULL;

    if (path) {
        ui_machine_window_drop_image(window, path);
    }
    gtk_drag_finish(context, path != NULL, FALSE, time);
}

/* ---- Closing ---- */

enum { RESPONSE_KEEP = 1, RESPONSE_BUTTON, RESPONSE_FORCE };

static void
close_by(UiMachineWindow *window, int response)
{
    switch (response) {
    case RESPONSE_KEEP: gtk_widget_destroy(GTK_WIDGET(window)); break;
    case RESPONSE_BUTTON:
        window->closing = TRUE;
        if (app_session_get_state(window->session) == APP_SESSION_PAUSED) {
            app_session_resume(window->session);
        }
        app_session_power_button(window->session);
        ui_machine_window_show_info(
            window, GTK_MESSAGE_INFO,
            _("The power button was pressed; this window closes when the guest has shut down."));
        break;
    case RESPONSE_FORCE:
        window->closing = TRUE;
        app_session_force_off(window->session);
        break;
    default: window->closing = FALSE; break;
    }
}

static void
on_close_response(GtkDialog *dialog, int response, UiMachineWindow *window)
{
    gtk_widget_destroy(GTK_WIDGET(dialog));
    close_by(window, response);
}

/* A machine without a library has nobody to keep it. */
static gboolean
can_keep_running(UiMachineWindow *window)
{
    return g_action_group_has_action(G_ACTION_GROUP(gtk_window_get_application(GTK_WINDOW(window))),
                                     "open-machine");
}

static void
ask_to_close(UiMachineWindow *window)
{
    GtkWidget *dialog =
        gtk_message_dialog_new(GTK_WINDOW(window), GTK_DIALOG_MODAL, GTK_MESSAGE_QUESTION,
                               GTK_BUTTONS_NONE, _("“%s” is running"), window->title);

    gtk_message_dialog_format_secondary_text(
        GTK_MESSAGE_DIALOG(dialog), "%s",
        _("Forcing it off is like pulling the plug: what the guest has not saved is lost."));
    gtk_dialog_add_button(GTK_DIALOG(dialog), _("_Cancel"), GTK_RESPONSE_CANCEL);
    if (can_keep_running(window)) {
        gtk_dialog_add_button(GTK_DIALOG(dialog), _("_Keep Running"), RESPONSE_KEEP);
    }
    gtk_dialog_add_buttons(GTK_DIALOG(dialog), _("Press the Power _Button"), RESPONSE_BUTTON,
                           _("_Force Off"), RESPONSE_FORCE, NULL);
    gtk_style_context_add_class(gtk_widget_get_style_context(gtk_dialog_get_widget_for_response(
                                    GTK_DIALOG(dialog), RESPONSE_FORCE)),
                                GTK_STYLE_CLASS_DESTRUCTIVE_ACTION);
    gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_CANCEL);
    g_signal_connect(dialog, "response", G_CALLBACK(on_close_response), window);
    gtk_widget_show(dialog);
}

static gboolean
on_delete(GtkWidget *widget, GdkEventAny *event)
{
    UiMachineWindow *window = UI_MACHINE_WINDOW(widget);
    /* 0 asks */
    static const int responses[] = { 0, RESPONSE_KEEP, RESPONSE_BUTTON, RESPONSE_FORCE };
    int policy = g_settings_get_enum(app_prefs_get(), "closing");

    ui_display_set_grabbed(window->display, FALSE);
    if (window->keep_open && app_session_is_active(window->session)) {
        ui_machine_window_show_info(window, GTK_MESSAGE_INFO,
                                    _("This window stays: its machine was told so by "
                                      "window-close=off or -no-quit."));
        return TRUE;
    }
    if (!app_session_is_active(window->session)) {
        if (app_session_get_state(window->session) == APP_SESSION_FAILED) {
            app_session_force_off(window->session);
        }
        return FALSE;
    }
    /* a second press while the guest shuts down asks again, it never throws anything away */
    if (policy == 0 || window->closing ||
        (responses[policy] == RESPONSE_KEEP && !can_keep_running(window))) {
        ask_to_close(window);
    } else {
        close_by(window, responses[policy]);
    }
    return TRUE;
}

/* ---- Life ---- */

/* What the machine is like changed, its window options perhaps. */
static void
on_live(AppSession *session, UiMachineWindow *window)
{
    AppLive *live = app_session_get_live(session);

    if (live) {
        ui_machine_window_apply_options(window, app_live_get_running(live));
    }
}

UiMachineWindow *
ui_machine_window_new(GtkApplication *application, AppSession *session, VitConfig *config,
                      const char *title)
{
    UiMachineWindow *window =
        g_object_new(UI_TYPE_MACHINE_WINDOW, "application", application, "title", title, NULL);
    const char *note;

    window->title = g_strdup(title);
    window->session = g_object_ref(session);
    g_set_object(&window->config, config);
    gtk_header_bar_set_title(window->header, title);
    gtk_label_set_text(window->fullscreen_title, title);
    atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(window->display)), title);
    g_signal_connect_object(session, "changed", G_CALLBACK(on_session_changed), window, 0);
    g_signal_connect_object(session, "meter", G_CALLBACK(on_meter), window, 0);
    g_signal_connect_object(session, "log", G_CALLBACK(on_log), window, 0);
    g_signal_connect_object(app_prefs_get(), "changed", G_CALLBACK(on_setting_changed), window, 0);
    g_signal_connect_object(session, "live", G_CALLBACK(on_live), window, 0);
    ui_machine_window_apply_options(window, config);
    on_setting_changed(app_prefs_get(), NULL, window);
    note = ui_machine_window_option_note(config);
    if (note) {
        ui_machine_window_show_info(window, GTK_MESSAGE_INFO, note);
    }
    on_session_changed(session, window);
    on_page_changed(window->pages, NULL, window);
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

    g_clear_handle_id(&window->reveal_timer, g_source_remove);
    if (window->log_window) {
        g_object_remove_weak_pointer(G_OBJECT(window->log_window), (gpointer *)&window->log_window);
        window->log_window = NULL;
    }
    g_clear_object(&window->typist);
    g_clear_object(&window->shown);
    if (window->screens) {
        g_ptr_array_set_size(window->screens, 0);
    }
    g_clear_object(&window->config);
    g_clear_object(&window->session);
    G_OBJECT_CLASS(ui_machine_window_parent_class)->dispose(object);
}

static void
ui_machine_window_finalize(GObject *object)
{
    g_free(UI_MACHINE_WINDOW(object)->title);
    g_ptr_array_unref(UI_MACHINE_WINDOW(object)->screens);
    G_OBJECT_CLASS(ui_machine_window_parent_class)->finalize(object);
}

#define BIND(name) gtk_widget_class_bind_template_child(widget_class, UiMachineWindow, name)

static void
ui_machine_window_class_init(UiMachineWindowClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);

    G_OBJECT_CLASS(klass)->dispose = ui_machine_window_dispose;
    G_OBJECT_CLASS(klass)->finalize = ui_machine_window_finalize;
    widget_class->key_press_event = on_window_key;
    widget_class->key_release_event = on_window_key;
    widget_class->motion_notify_event = on_motion;
    widget_class->window_state_event = on_window_state;
    widget_class->delete_event = on_delete;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/ui-machine-window.ui");
    BIND(header);
    BIND(pages);
    BIND(switcher_revealer);
    BIND(overlay);
    BIND(info_bar);
    BIND(info_label);
    BIND(message_label);
    BIND(message_box);
    BIND(message_start);
    BIND(message_resume);
    BIND(message_reset);
    BIND(message_off);
    BIND(message_report);
    BIND(status_slot);
    BIND(fullscreen_bar);
    BIND(fullscreen_title);
    BIND(fullscreen_pin);
    BIND(consoles_section);
    BIND(media_section);
    BIND(links_section);
    BIND(keys_section);
}

static void
ui_machine_window_init(UiMachineWindow *window)
{
    gtk_widget_init_template(GTK_WIDGET(window));
    window->zoom = 1;
    ui_machine_window_init_screens(window);
    window->status_bar = UI_STATUS_BAR(ui_status_bar_new());
    gtk_container_add(GTK_CONTAINER(window->status_slot), GTK_WIDGET(window->status_bar));
    ui_machine_window_add_actions(window);
    ui_machine_window_add_media_actions(window);
    ui_machine_window_init_links(window);
    g_signal_connect(window->info_bar, "response", G_CALLBACK(on_info_response), window);
    g_signal_connect(window->pages, "notify::visible-child", G_CALLBACK(on_page_changed), window);
    gtk_drag_dest_set(GTK_WIDGET(window), GTK_DEST_DEFAULT_ALL, NULL, 0, GDK_ACTION_COPY);
    gtk_drag_dest_add_uri_targets(GTK_WIDGET(window));
    g_signal_connect(window, "drag-data-received", G_CALLBACK(on_drop), window);
}
