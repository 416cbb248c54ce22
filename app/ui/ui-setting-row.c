/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A row follows the configuration: whatever changes it, here or in the command line, every row
 * shows what is now so. A value the engine refuses stays in the field with the engine's reason
 * below it, and the configuration keeps the value it had. */

#include "ui-setting-row.h"

#include "ui-disk-dialog.h"
#include "ui-setting-control.h"

#include <glib/gi18n.h>

struct _UiSettingRow {
    GtkBox parent;
    GtkBox *line;
    GtkLabel *title, *help, *argument, *badge, *problem;
    GtkWidget *reset_button;
    GtkWidget *control;
    GtkWidget *image_button; /* NULL unless it names a disk image */
    AppSettings *settings;
    AppSetting *setting;
    char *refused; /* why the engine did not take the last value */
};

G_DEFINE_FINAL_TYPE(UiSettingRow, ui_setting_row, GTK_TYPE_BOX)

/* ---- What it shows ---- */

/* The running machine; NULL while it is off. */
static AppLive *
get_live(UiSettingRow *row)
{
    AppEntry *entry = app_settings_get_entry(row->settings);

    return entry ? app_session_get_live(app_entry_get_session(entry)) : NULL;
}

/* What of this row the running machine is not like; NULL. */
static const AppWaiting *
get_waiting(UiSettingRow *row)
{
    AppLive *live = get_live(row);
    const VitOption *option = app_setting_get_option(row->setting);

    return live && option ? app_live_find(live, option->name, app_setting_get_serial(row->setting),
                                          app_setting_get_key(row->setting)->name)
                          : NULL;
}

static void
show_problem(UiSettingRow *row)
{
    GtkStyleContext *context = gtk_widget_get_style_context(GTK_WIDGET(row->problem));
    VitSeverity severity = VIT_SEVERITY_ERROR;
    g_autofree char *found =
        row->refused ? NULL
                     : app_setting_dup_problem(row->setting, app_settings_get_diags(row->settings),
                                               &severity);
    const AppWaiting *waiting = get_waiting(row);
    const char *text = row->refused ? row->refused
                       : found      ? found
                       : waiting    ? waiting->problem
                                    : NULL;
    AtkObject *object = gtk_widget_get_accessible(
        ui_setting_control_get_focus_widget(UI_SETTING_CONTROL(row->control)));
    g_autofree char *spoken = NULL;

    gtk_style_context_remove_class(context, "error");
    gtk_style_context_remove_class(context, "warning");
    gtk_style_context_add_class(context, severity == VIT_SEVERITY_ERROR ? "error" : "warning");
    gtk_label_set_text(row->problem, text ? text : "");
    gtk_widget_set_visible(GTK_WIDGET(row->problem), text != NULL);
    spoken =
        g_strdup_printf("%s%s%s\n%s", text ? text : "", text ? "\n" : "",
                        app_setting_get_help(row->setting), app_setting_get_argument(row->setting));
    atk_object_set_description(object, spoken);
}

static void
show_badge(UiSettingRow *row)
{
    AppLive *live = get_live(row);
    const AppWaiting *waiting = get_waiting(row);
    GtkStyleContext *context = gtk_widget_get_style_context(GTK_WIDGET(row->badge));
    g_autofree char *status = app_setting_dup_status_text(row->setting);
    const char *text = NULL, *tip = _("When a change counts");

    gtk_style_context_remove_class(context, "waits");
    if (status) {
        text = _("Not available");
        tip = status;
    } else if (waiting) {
        text = waiting->change == VIT_CHANGE_HOT && !waiting->problem ? _("Being changed…")
                                                                      : _("Waits for next start");
        tip = waiting->problem ? waiting->problem : waiting->text;
        gtk_style_context_add_class(context, "waits");
    } else if (live) {
        text = app_change_text(app_setting_get_change(row->setting, app_live_get_running(live)));
    }
    gtk_label_set_text(row->badge, text ? text : "");
    gtk_widget_set_visible(GTK_WIDGET(row->badge), text != NULL);
    gtk_widget_set_tooltip_text(GTK_WIDGET(row->badge), tip);
}

static void
show_live(UiSettingRow *row)
{
    show_problem(row);
    show_badge(row);
}

static void
update(UiSettingRow *row)
{
    ui_setting_control_update(UI_SETTING_CONTROL(row->control));
    gtk_widget_set_opacity(row->reset_button, app_setting_is_set(row->setting) ? 1 : 0);
    gtk_widget_set_sensitive(row->reset_button, app_setting_is_set(row->setting));
    if (row->image_button) {
        gtk_widget_set_sensitive(row->image_button, app_setting_is_set(row->setting));
    }
    show_live(row);
}

static void
on_changed(AppSettings *settings, UiSettingRow *row)
{
    update(row);
}

/* ---- What the user wants ---- */

static void
on_edited(UiSettingControl *control, const char *value, UiSettingRow *row)
{
    g_autoptr(GError) error = NULL;

    g_clear_pointer(&row->refused, g_free);
    if (!app_setting_set(row->setting, value, &error)) {
        row->refused = g_strdup(error->message);
        show_problem(row);
        return;
    }
    update(row);
}

static void
on_reset(UiSettingRow *row)
{
    on_edited(UI_SETTING_CONTROL(row->control), NULL, row);
}

/* ---- Images ---- */

static void
on_image(UiSettingRow *row)
{
    GtkWidget *window = gtk_widget_get_toplevel(GTK_WIDGET(row));
    VitConfigItem *item = app_setting_find_item(row->setting, NULL);

    if (item) {
        gtk_window_present(GTK_WINDOW(ui_disk_dialog_new_manage(
            GTK_WINDOW(window), row->settings, vit_config_item_get_serial(item),
            app_setting_get_key(row->setting)->name)));
    }
}

/* Whatever is declared to name a disk image can be looked at, grown, converted and checked. */
static void
add_image_button(UiSettingRow *row)
{
    /* Translators: accessible name of the button that looks at the disk image a setting names */
    g_autofree char *name = g_strdup_printf(_("Image of %s"), app_setting_get_title(row->setting));

    row->image_button =
        gtk_button_new_from_icon_name("document-properties-symbolic", GTK_ICON_SIZE_BUTTON);
    gtk_widget_set_tooltip_text(row->image_button, _("Look at, grow, convert or check the image"));
    gtk_widget_set_valign(row->image_button, GTK_ALIGN_CENTER);
    atk_object_set_name(gtk_widget_get_accessible(row->image_button), name);
    g_signal_connect_swapped(row->image_button, "clicked", G_CALLBACK(on_image), row);
    gtk_widget_show(row->image_button);
    gtk_container_add(GTK_CONTAINER(row->control), row->image_button);
}

/* ---- Life ---- */

GtkWidget *
ui_setting_row_new(AppSettings *settings, AppSetting *setting)
{
    UiSettingRow *row = g_object_new(UI_TYPE_SETTING_ROW, NULL);
    g_autofree char *status = app_setting_dup_status_text(setting);
    g_autofree char *reset_name = NULL;

    row->settings = g_object_ref(settings);
    row->setting = g_object_ref(setting);
    row->control = ui_setting_control_new(setting);
    gtk_box_pack_end(row->line, row->control, FALSE, FALSE, 0);
    if (app_setting_get_key(setting)->role == VIT_PATH_IMAGE) {
        add_image_button(row);
    }
    gtk_label_set_text(row->title, app_setting_get_title(setting));
    gtk_label_set_mnemonic_widget(
        row->title, ui_setting_control_get_focus_widget(UI_SETTING_CONTROL(row->control)));
    gtk_label_set_text(row->help, status ? status : app_setting_get_help(setting));
    gtk_label_set_text(row->argument, app_setting_get_argument(setting));
    atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(row)), app_setting_get_title(setting));
    /* Translators: accessible name of the button that takes a setting back to its default */
    reset_name = g_strdup_printf(_("Back to the default of %s"), app_setting_get_title(setting));
    atk_object_set_name(gtk_widget_get_accessible(row->reset_button), reset_name);
    /* what is not there can still be taken out */
    gtk_widget_set_sensitive(row->control, status == NULL);
    g_signal_connect_object(row->control, "edited", G_CALLBACK(on_edited), row, 0);
    g_signal_connect_object(settings, "changed", G_CALLBACK(on_changed), row, 0);
    if (app_settings_get_entry(settings)) {
        g_signal_connect_object(app_entry_get_session(app_settings_get_entry(settings)), "live",
                                G_CALLBACK(show_live), row, G_CONNECT_SWAPPED);
    }
    update(row);
    return GTK_WIDGET(row);
}

AppSetting *
ui_setting_row_get_setting(UiSettingRow *row)
{
    return row->setting;
}

void
ui_setting_row_focus(UiSettingRow *row)
{
    gtk_widget_grab_focus(ui_setting_control_get_focus_widget(UI_SETTING_CONTROL(row->control)));
}

static void
ui_setting_row_dispose(GObject *object)
{
    UiSettingRow *row = UI_SETTING_ROW(object);

    g_clear_object(&row->settings);
    g_clear_object(&row->setting);
    g_clear_pointer(&row->refused, g_free);
    G_OBJECT_CLASS(ui_setting_row_parent_class)->dispose(object);
}

static void
ui_setting_row_class_init(UiSettingRowClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);

    G_OBJECT_CLASS(klass)->dispose = ui_setting_row_dispose;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/ui-setting-row.ui");
    gtk_widget_class_bind_template_child(widget_class, UiSettingRow, line);
    gtk_widget_class_bind_template_child(widget_class, UiSettingRow, title);
    gtk_widget_class_bind_template_child(widget_class, UiSettingRow, help);
    gtk_widget_class_bind_template_child(widget_class, UiSettingRow, argument);
    gtk_widget_class_bind_template_child(widget_class, UiSettingRow, badge);
    gtk_widget_class_bind_template_child(widget_class, UiSettingRow, problem);
    gtk_widget_class_bind_template_child(widget_class, UiSettingRow, reset_button);
    gtk_widget_class_bind_template_callback(widget_class, on_reset);
}

static void
ui_setting_row_init(UiSettingRow *row)
{
    gtk_widget_init_template(GTK_WIDGET(row));
}
