/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* One widget per type of value, none per option. A value that is not given is shown as such: the
 * first choice, an empty field with the default as its placeholder. Typed text is reported a moment
 * after the last key, on Enter and when the focus leaves. */

#include "ui-setting-control.h"

#include <glib/gi18n.h>
#include <string.h>

enum { TYPING_MS = 700 };
enum { COLUMN_VALUE, COLUMN_TITLE, COLUMN_SENSITIVE, N_COLUMNS };

struct _UiSettingControl {
    GtkBox parent;
    AppSetting *setting;
    GtkWidget *widget; /* that takes the focus */
    GtkWidget *unit;   /* of a size */
    GtkListStore *store;
    guint typing;
    gboolean is_updating;
};

G_DEFINE_FINAL_TYPE(UiSettingControl, ui_setting_control, GTK_TYPE_BOX)

static guint edited_signal;

static const struct {
    const char *suffix, *title;
} units[] = {
    { "b", N_("bytes") }, { "K", N_("KiB") }, { "M", N_("MiB") },
    { "G", N_("GiB") },   { "T", N_("TiB") },
};

static void
report(UiSettingControl *control, const char *value)
{
    g_clear_handle_id(&control->typing, g_source_remove);
    if (!control->is_updating) {
        g_signal_emit(control, edited_signal, 0, value && *value ? value : NULL);
    }
}

/* ---- Switch ---- */

static gboolean
on_switched(GtkSwitch *widget, gboolean state, UiSettingControl *control)
{
    report(control, state ? "on" : "off");
    return FALSE;
}

static GtkWidget *
make_switch(UiSettingControl *control)
{
    GtkWidget *widget = gtk_switch_new();

    g_signal_connect(widget, "state-set", G_CALLBACK(on_switched), control);
    return widget;
}

static void
update_switch(UiSettingControl *control, const char *value)
{
    bool on = FALSE;
    const char *shown = value ? value : app_setting_get_default(control->setting);

    if (shown) {
        vit_value_parse_bool(shown, &on);
    }
    gtk_switch_set_active(GTK_SWITCH(control->widget), on);
}

/* ---- Choices ---- */

static char *
default_text(AppSetting *setting)
{
    const char *def = app_setting_get_default(setting);

    /* Translators: the choice that leaves a setting at its default, here with that value */
    return def && *def ? g_strdup_printf(_("Default: %s"), def) : g_strdup(_("Not set"));
}

static void
fill_choices(UiSettingControl *control)
{
    g_autoptr(GArray) choices = app_setting_list_choices(control->setting);
    g_autofree char *none = default_text(control->setting);

    gtk_list_store_clear(control->store);
    if (app_setting_get_control(control->setting) == APP_CONTROL_CHOICE) {
        gtk_list_store_insert_with_values(control->store, NULL, -1, COLUMN_VALUE, "", COLUMN_TITLE,
                                          none, COLUMN_SENSITIVE, TRUE, -1);
    }
    for (guint i = 0; i < choices->len; i++) {
        const AppChoice *choice = &g_array_index(choices, AppChoice, i);
        gboolean there = choice->status == VIT_STATUS_INHERIT ||
                         choice->status == VIT_STATUS_AVAILABLE ||
                         choice->status == VIT_STATUS_NEEDS_HARDWARE;
        g_autofree char *start =
            g_utf8_substring(choice->title, 0, MIN(58, g_utf8_strlen(choice->title, -1)));
        g_autofree char *cut =
            strlen(start) < strlen(choice->title) ? g_strconcat(start, "…", NULL) : g_strdup(start);
        g_autofree char *title = strcmp(choice->title, choice->value) == 0
                                     ? g_strdup(choice->value)
                                     : g_strdup_printf("%s – %s", choice->value, cut);
        g_autofree char *full =
            there ? g_strdup(title) : g_strdup_printf(_("%s (not available yet)"), title);

        gtk_list_store_insert_with_values(control->store, NULL, -1, COLUMN_VALUE, choice->value,
                                          COLUMN_TITLE, full, COLUMN_SENSITIVE, there, -1);
    }
}

static void
on_choice(GtkComboBox *combo, UiSettingControl *control)
{
    const char *id = gtk_combo_box_get_active_id(combo);

    if (id && !control->is_updating) {
        report(control, id);
    }
}

static GtkCellRenderer *
add_choice_cell(GtkWidget *combo)
{
    GtkCellRenderer *cell = gtk_cell_renderer_text_new();

    g_object_set(cell, "ellipsize", PANGO_ELLIPSIZE_END, "width-chars", 22, "max-width-chars", 28,
                 NULL);
    gtk_cell_layout_pack_start(GTK_CELL_LAYOUT(combo), cell, TRUE);
    gtk_cell_layout_set_attributes(GTK_CELL_LAYOUT(combo), cell, "text", COLUMN_TITLE, "sensitive",
                                   COLUMN_SENSITIVE, NULL);
    return cell;
}

static GtkWidget *
make_choice(UiSettingControl *control)
{
    GtkWidget *combo;

    control->store = gtk_list_store_new(N_COLUMNS, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_BOOLEAN);
    fill_choices(control);
    combo = gtk_combo_box_new_with_model(GTK_TREE_MODEL(control->store));
    add_choice_cell(combo);
    gtk_combo_box_set_id_column(GTK_COMBO_BOX(combo), COLUMN_VALUE);
    g_signal_connect(combo, "changed", G_CALLBACK(on_choice), control);
    return combo;
}

static void
update_choice(UiSettingControl *control, const char *value)
{
    GtkComboBox *combo = GTK_COMBO_BOX(control->widget);
    bool on;

    if (value && app_setting_get_key(control->setting)->type == VIT_VALUE_BOOL &&
        vit_value_parse_bool(value, &on)) {
        value = on ? "on" : "off";
    }
    if (!gtk_combo_box_set_active_id(combo, value ? value : "") && value) {
        /* a value outside the declared ones is shown as it is */
        gtk_list_store_insert_with_values(control->store, NULL, -1, COLUMN_VALUE, value,
                                          COLUMN_TITLE, value, COLUMN_SENSITIVE, TRUE, -1);
        gtk_combo_box_set_active_id(combo, value);
    }
}

/* ---- Typed text ---- */

/* The text of the field; of a size with its unit, unless it says one itself, as 1.5G does. */
static void
report_typed(UiSettingControl *control)
{
    const char *text = gtk_entry_get_text(GTK_ENTRY(control->widget));
    int unit = control->unit ? gtk_combo_box_get_active(GTK_COMBO_BOX(control->unit)) : -1;
    g_autofree char *value = NULL;

    if (unit >= 0 && *text && strspn(text, "0123456789.") == strlen(text)) {
        value = g_strconcat(text, units[unit].suffix, NULL);
    } else {
        value = g_strdup(text);
    }
    report(control, value);
}

static gboolean
on_typing_over(gpointer data)
{
    UiSettingControl *control = data;

    control->typing = 0;
    report_typed(control);
    return G_SOURCE_REMOVE;
}

static void
on_typed(GtkEditable *editable, UiSettingControl *control)
{
    if (!control->is_updating) {
        g_clear_handle_id(&control->typing, g_source_remove);
        control->typing = g_timeout_add(TYPING_MS, on_typing_over, control);
    }
}

static void
on_entry_activated(GtkEntry *entry, UiSettingControl *control)
{
    report_typed(control);
}

static gboolean
on_entry_left(GtkWidget *entry, GdkEventFocus *event, UiSettingControl *control)
{
    if (control->typing) {
        report_typed(control);
    }
    return FALSE;
}

static void
watch_entry(UiSettingControl *control, GtkWidget *entry)
{
    gtk_entry_set_width_chars(GTK_ENTRY(entry), 18);
    g_signal_connect(entry, "changed", G_CALLBACK(on_typed), control);
    g_signal_connect(entry, "activate", G_CALLBACK(on_entry_activated), control);
    g_signal_connect(entry, "focus-out-event", G_CALLBACK(on_entry_left), control);
}

static GtkWidget *
make_entry(UiSettingControl *control)
{
    GtkWidget *entry = gtk_entry_new();
    g_autofree char *text = default_text(control->setting);

    gtk_entry_set_placeholder_text(GTK_ENTRY(entry), text);
    watch_entry(control, entry);
    return entry;
}

static void
update_entry(UiSettingControl *control, const char *value)
{
    if (!control->typing &&
        g_strcmp0(gtk_entry_get_text(GTK_ENTRY(control->widget)), value ? value : "") != 0) {
        gtk_entry_set_text(GTK_ENTRY(control->widget), value ? value : "");
    }
    if (app_setting_get_control(control->setting) == APP_CONTROL_PATH) {
        /* the end says which file it is */
        gtk_widget_set_tooltip_text(control->widget, value);
        if (!gtk_widget_has_focus(control->widget)) {
            gtk_editable_set_position(GTK_EDITABLE(control->widget), -1);
        }
    }
}

/* Text with choices to pick from. */
static void
on_combo_picked(GtkComboBox *combo, UiSettingControl *control)
{
    GtkTreeIter iter;

    if (!control->is_updating && gtk_combo_box_get_active_iter(combo, &iter)) {
        g_autofree char *value = NULL;

        gtk_tree_model_get(GTK_TREE_MODEL(control->store), &iter, COLUMN_VALUE, &value, -1);
        report(control, value);
    }
}

static GtkWidget *
make_combo(UiSettingControl *control)
{
    GtkWidget *combo, *entry;
    g_autofree char *text = default_text(control->setting);

    control->store = gtk_list_store_new(N_COLUMNS, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_BOOLEAN);
    fill_choices(control);
    combo = gtk_combo_box_new_with_model_and_entry(GTK_TREE_MODEL(control->store));
    gtk_combo_box_set_entry_text_column(GTK_COMBO_BOX(combo), COLUMN_VALUE);
    gtk_cell_layout_clear(GTK_CELL_LAYOUT(combo));
    add_choice_cell(combo);
    entry = gtk_bin_get_child(GTK_BIN(combo));
    gtk_entry_set_placeholder_text(GTK_ENTRY(entry), text);
    watch_entry(control, entry);
    g_signal_connect(combo, "changed", G_CALLBACK(on_combo_picked), control);
    gtk_container_add(GTK_CONTAINER(control), combo);
    return entry;
}

/* ---- Numbers ---- */

/* What is not given is shown empty; moving through the field must not give it. */
static int
on_number_input(GtkSpinButton *spin, double *out_value, UiSettingControl *control)
{
    const char *text = gtk_entry_get_text(GTK_ENTRY(spin));
    gint64 number;

    if (!*text) {
        *out_value = gtk_spin_button_get_value(spin);
        return TRUE;
    }
    if (!vit_value_parse_int(text, &number)) {
        return GTK_INPUT_ERROR;
    }
    *out_value = (double)number;
    return TRUE;
}

static gboolean
on_number_output(GtkSpinButton *spin, UiSettingControl *control)
{
    if (control->setting && !app_setting_is_set(control->setting)) {
        gtk_entry_set_text(GTK_ENTRY(spin), "");
        return TRUE;
    }
    return FALSE;
}

static void
on_number(GtkSpinButton *spin, UiSettingControl *control)
{
    g_autofree char *value = NULL;

    if (!control->is_updating) {
        value = g_strdup_printf("%.0f", gtk_spin_button_get_value(spin));
        report(control, value);
    }
}

/* A range that is worth arrows; port numbers and masks are typed. */
static gboolean
is_countable(const VitOptionKey *key)
{
    return key->max > key->min && key->max - key->min <= 10000000 &&
           !(key->def && g_str_has_prefix(key->def, "0x"));
}

static GtkWidget *
make_number(UiSettingControl *control)
{
    const VitOptionKey *key = app_setting_get_key(control->setting);
    GtkWidget *spin;
    g_autofree char *text = default_text(control->setting);

    if (!is_countable(key)) {
        return make_entry(control);
    }
    spin = gtk_spin_button_new_with_range((double)key->min, (double)key->max, 1);
    gtk_spin_button_set_numeric(GTK_SPIN_BUTTON(spin), FALSE);
    gtk_entry_set_placeholder_text(GTK_ENTRY(spin), text);
    gtk_entry_set_width_chars(GTK_ENTRY(spin), 10);
    g_signal_connect(spin, "input", G_CALLBACK(on_number_input), control);
    g_signal_connect(spin, "output", G_CALLBACK(on_number_output), control);
    g_signal_connect(spin, "value-changed", G_CALLBACK(on_number), control);
    return spin;
}

static void
update_number(UiSettingControl *control, const char *value)
{
    const char *shown = value ? value : app_setting_get_default(control->setting);
    gint64 number;

    if (!GTK_IS_SPIN_BUTTON(control->widget)) {
        update_entry(control, value);
        return;
    }
    if (shown && vit_value_parse_int(shown, &number)) {
        gtk_spin_button_set_value(GTK_SPIN_BUTTON(control->widget), (double)number);
    }
    gtk_entry_set_text(GTK_ENTRY(control->widget), value ? value : "");
}

/* ---- Sizes ---- */

static void
on_unit_changed(GtkComboBox *combo, UiSettingControl *control)
{
    if (!control->is_updating && gtk_entry_get_text_length(GTK_ENTRY(control->widget))) {
        report_typed(control);
    }
}

static GtkWidget *
make_size(UiSettingControl *control)
{
    GtkWidget *entry = make_entry(control);
    /* Translators: accessible name of the unit beside a size; %s is what has the size */
    g_autofree char *name =
        g_strdup_printf(_("Unit of %s"), app_setting_get_title(control->setting));

    gtk_entry_set_width_chars(GTK_ENTRY(entry), 12);
    control->unit = gtk_combo_box_text_new();
    for (guint i = 0; i < G_N_ELEMENTS(units); i++) {
        gtk_combo_box_text_append_text(GTK_COMBO_BOX_TEXT(control->unit), _(units[i].title));
    }
    atk_object_set_name(gtk_widget_get_accessible(control->unit), name);
    g_signal_connect(control->unit, "changed", G_CALLBACK(on_unit_changed), control);
    return entry;
}

static void
update_size(UiSettingControl *control, const char *value)
{
    const VitOptionKey *key = app_setting_get_key(control->setting);
    const char *shown = value ? value : app_setting_get_default(control->setting);
    g_autofree char *text = NULL;
    guint64 bytes;
    int unit = 0;

    if (control->typing) {
        return;
    }
    if (!shown || !vit_value_parse_size(shown, key->size_unit, &bytes)) {
        gtk_combo_box_set_active(GTK_COMBO_BOX(control->unit), 2);
        gtk_entry_set_text(GTK_ENTRY(control->widget), value ? value : "");
        return;
    }
    while (bytes && bytes % 1024 == 0 && unit + 1 < (int)G_N_ELEMENTS(units)) {
        bytes /= 1024;
        unit++;
    }
    gtk_combo_box_set_active(GTK_COMBO_BOX(control->unit), bytes ? unit : 2);
    text = g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
    gtk_entry_set_text(GTK_ENTRY(control->widget), value ? text : "");
}

/* ---- Paths ---- */

static void
on_file_chosen(GtkNativeDialog *dialog, int response, UiSettingControl *control)
{
    if (response == GTK_RESPONSE_ACCEPT) {
        g_autofree char *path = gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(dialog));

        report(control, path);
    }
    gtk_native_dialog_destroy(dialog);
}

static void
on_browse(GtkButton *button, UiSettingControl *control)
{
    VitPathRole role = app_setting_get_key(control->setting)->role;
    GtkFileChooserAction action = role == VIT_PATH_FOLDER  ? GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER
                                  : role == VIT_PATH_WRITE ? GTK_FILE_CHOOSER_ACTION_SAVE
                                                           : GTK_FILE_CHOOSER_ACTION_OPEN;
    GtkWidget *window = gtk_widget_get_toplevel(GTK_WIDGET(control));
    GtkFileChooserNative *dialog = gtk_file_chooser_native_new(
        app_setting_get_title(control->setting), GTK_WINDOW(window), action, NULL, NULL);
    const char *path = app_setting_get_value(control->setting);

    if (path && g_path_is_absolute(path)) {
        gtk_file_chooser_set_filename(GTK_FILE_CHOOSER(dialog), path);
    }
    gtk_native_dialog_set_modal(GTK_NATIVE_DIALOG(dialog), TRUE);
    g_signal_connect_object(dialog, "response", G_CALLBACK(on_file_chosen), control, 0);
    g_object_set_data_full(G_OBJECT(control), "file-dialog", dialog, g_object_unref);
    gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}

static GtkWidget *
make_browse(UiSettingControl *control)
{
    GtkWidget *button =
        gtk_button_new_from_icon_name("document-open-symbolic", GTK_ICON_SIZE_BUTTON);
    /* Translators: accessible name of the button that opens a file dialog for a setting */
    g_autofree char *name =
        g_strdup_printf(_("Choose a file for %s"), app_setting_get_title(control->setting));

    gtk_widget_set_tooltip_text(button, _("Choose…"));
    atk_object_set_name(gtk_widget_get_accessible(button), name);
    g_signal_connect(button, "clicked", G_CALLBACK(on_browse), control);
    return button;
}

/* ---- All of them ---- */

static void
name_for_accessibility(UiSettingControl *control)
{
    AtkObject *object = gtk_widget_get_accessible(control->widget);
    g_autofree char *description = g_strdup_printf("%s\n%s", app_setting_get_help(control->setting),
                                                   app_setting_get_argument(control->setting));

    atk_object_set_name(object, app_setting_get_title(control->setting));
    atk_object_set_description(object, description);
}

GtkWidget *
ui_setting_control_new(AppSetting *setting)
{
    UiSettingControl *control = g_object_new(UI_TYPE_SETTING_CONTROL, "spacing", 6, "valign",
                                             GTK_ALIGN_CENTER, "visible", TRUE, NULL);
    GtkWidget *extra = NULL;

    control->setting = g_object_ref(setting);
    switch (app_setting_get_control(setting)) {
    case APP_CONTROL_SWITCH: control->widget = make_switch(control); break;
    case APP_CONTROL_CHOICE: control->widget = make_choice(control); break;
    case APP_CONTROL_COMBO: control->widget = make_combo(control); break;
    case APP_CONTROL_NUMBER: control->widget = make_number(control); break;
    case APP_CONTROL_SIZE:
        control->widget = make_size(control);
        extra = control->unit;
        break;
    case APP_CONTROL_PATH:
        control->widget = make_entry(control);
        extra = make_browse(control);
        break;
    default: control->widget = make_entry(control); break;
    }
    if (!gtk_widget_get_parent(control->widget)) {
        gtk_container_add(GTK_CONTAINER(control), control->widget);
    }
    if (app_setting_get_control(setting) == APP_CONTROL_NUMBER &&
        app_setting_get_key(setting)->unit) {
        extra = gtk_label_new(app_setting_get_key(setting)->unit);
    }
    if (extra) {
        gtk_container_add(GTK_CONTAINER(control), extra);
    }
    name_for_accessibility(control);
    ui_setting_control_update(control);
    gtk_widget_show_all(GTK_WIDGET(control));
    return GTK_WIDGET(control);
}

void
ui_setting_control_update(UiSettingControl *control)
{
    const char *value = app_setting_get_value(control->setting);
    gboolean outer = control->is_updating;

    control->is_updating = TRUE;
    switch (app_setting_get_control(control->setting)) {
    case APP_CONTROL_SWITCH: update_switch(control, value); break;
    case APP_CONTROL_CHOICE: update_choice(control, value); break;
    case APP_CONTROL_COMBO:
        if (!control->typing) {
            fill_choices(control);
        }
        update_entry(control, value);
        break;
    case APP_CONTROL_NUMBER: update_number(control, value); break;
    case APP_CONTROL_SIZE: update_size(control, value); break;
    default: update_entry(control, value); break;
    }
    control->is_updating = outer;
}

GtkWidget *
ui_setting_control_get_focus_widget(UiSettingControl *control)
{
    return control->widget;
}

static void
ui_setting_control_dispose(GObject *object)
{
    UiSettingControl *control = UI_SETTING_CONTROL(object);

    g_clear_handle_id(&control->typing, g_source_remove);
    g_clear_object(&control->setting);
    g_clear_object(&control->store);
    G_OBJECT_CLASS(ui_setting_control_parent_class)->dispose(object);
}

static void
ui_setting_control_class_init(UiSettingControlClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = ui_setting_control_dispose;
    edited_signal = g_signal_new("edited", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                 NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
ui_setting_control_init(UiSettingControl *control)
{
}
