/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The new machine, on one page. What is chosen says what system it is for, that says the sizes, and
 * the user may change all of it; a guess never takes the place of what the user typed. Advice, the
 * resulting arguments and what is wrong with them follow every change. */

#include "ui-create-dialog.h"

#include "app-media.h"
#include "app-new.h"
#include "ui-file-button.h"

#include <glib/gi18n.h>
#include <string.h>

typedef enum { PAGE_ISO, PAGE_IMAGE, PAGE_FOLDER, PAGE_TEXT, PAGE_LAST } Page;

static const struct {
    const char *name;
    AppNewSource source;
} pages[PAGE_LAST] = {
    [PAGE_ISO] = { "iso", APP_NEW_ISO },
    [PAGE_IMAGE] = { "image", APP_NEW_IMAGE },
    [PAGE_FOLDER] = { "folder", APP_NEW_FOLDER },
    [PAGE_TEXT] = { "text", APP_NEW_TEXT },
};

struct _UiCreateDialog {
    GtkDialog parent;
    GtkStack *source_stack;
    UiFileButton *iso_chooser, *image_chooser, *folder_chooser;
    GtkLabel *iso_label;
    GtkToggleButton *image_copy, *image_move, *folder_in_place, *disk_check;
    GtkTextView *text_view, *review_view;
    GtkEntry *name_entry;
    GtkComboBoxText *preset_combo;
    GtkWidget *preset_label, *ram_label, *cpus_label;
    GtkSpinButton *ram_spin, *cpus_spin, *disk_spin;
    GtkWidget *review_expander, *ok_button;
    GtkLabel *advice_label, *problem_label;
    AppLibrary *library;
    char *paths[PAGE_LAST];
    char *format; /* of the disk image */
    gboolean name_is_guess, is_filling;
};

G_DEFINE_FINAL_TYPE(UiCreateDialog, ui_create_dialog, GTK_TYPE_DIALOG)

static guint created_signal;

/* ---- What is asked for ---- */

static Page
current_page(UiCreateDialog *dialog)
{
    const char *name = gtk_stack_get_visible_child_name(dialog->source_stack);

    for (int i = 0; i < PAGE_LAST; i++) {
        if (g_strcmp0(pages[i].name, name) == 0) {
            return (Page)i;
        }
    }
    return PAGE_ISO;
}

/* Strings are borrowed from the dialog; *OUT_TEXT is the caller's. */
static AppNewMachine
asked_for(UiCreateDialog *dialog, char **out_text)
{
    GtkTextBuffer *buffer = gtk_text_view_get_buffer(dialog->text_view);
    Page page = current_page(dialog);
    GtkTextIter start, end;
    gboolean disk = page == PAGE_ISO && gtk_toggle_button_get_active(dialog->disk_check);
    AppNewMachine machine = {
        .source = pages[page].source,
        .name = gtk_entry_get_text(dialog->name_entry),
        .path = dialog->paths[page],
        .format = dialog->format,
        .preset = app_preset_find(gtk_combo_box_get_active_id(GTK_COMBO_BOX(dialog->preset_combo))),
        .ram_bytes = (guint64)gtk_spin_button_get_value(dialog->ram_spin) << 20,
        .disk_bytes = disk ? (guint64)gtk_spin_button_get_value(dialog->disk_spin) << 30 : 0,
        .cpus = (guint)gtk_spin_button_get_value_as_int(dialog->cpus_spin),
    };

    gtk_text_buffer_get_bounds(buffer, &start, &end);
    *out_text = gtk_text_buffer_get_text(buffer, &start, &end, FALSE);
    machine.text = *out_text;
    if (page == PAGE_IMAGE) {
        machine.use = gtk_toggle_button_get_active(dialog->image_copy)   ? APP_USE_COPY
                      : gtk_toggle_button_get_active(dialog->image_move) ? APP_USE_MOVE
                                                                         : APP_USE_IN_PLACE;
    } else if (page == PAGE_FOLDER) {
        machine.use =
            gtk_toggle_button_get_active(dialog->folder_in_place) ? APP_USE_IN_PLACE : APP_USE_COPY;
    }
    return machine;
}

static void
show_text(GtkLabel *label, const char *text)
{
    gtk_label_set_text(label, text ? text : "");
    gtk_widget_set_visible(GTK_WIDGET(label), text != NULL);
}

/* ---- Following changes ---- */

static void
show_review(UiCreateDialog *dialog, const AppNewMachine *machine)
{
    const char *root = g_file_peek_path(app_library_get_root(dialog->library));
    g_autofree char *file_name = app_library_folder_name(machine->name);
    g_autofree char *folder = g_build_filename(root, file_name ? file_name : "machine", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(VitConfig) config = machine->path || machine->source == APP_NEW_TEXT
                                      ? app_new_config(machine, folder, NULL, &error)
                                      : NULL;
    g_autofree char *text = config ? vit_config_to_text(config) : g_strdup("");

    gtk_text_buffer_set_text(gtk_text_view_get_buffer(dialog->review_view), text, -1);
    /* an empty field is no mistake yet */
    show_text(dialog->problem_label,
              error && (machine->source != APP_NEW_TEXT || *machine->text) ? error->message : NULL);
}

static void
refresh(UiCreateDialog *dialog)
{
    g_autofree char *text = NULL;
    AppNewMachine machine = asked_for(dialog, &text);
    gboolean has_sizes = machine.source == APP_NEW_ISO || machine.source == APP_NEW_IMAGE;
    g_autofree char *advice =
        has_sizes ? app_new_advice(&machine, app_host_ram_bytes(), g_get_num_processors(),
                                   app_host_free_bytes(dialog->library))
                  : NULL;

    if (dialog->is_filling) {
        return;
    }
    show_text(dialog->advice_label, advice);
    show_review(dialog, &machine);
}

static void
guess_name(UiCreateDialog *dialog, const char *name)
{
    g_autofree char *unique = NULL;

    if (!dialog->name_is_guess && *gtk_entry_get_text(dialog->name_entry)) {
        return; /* the user's own */
    }
    unique = app_library_unused_name(dialog->library, name);
    gtk_entry_set_text(dialog->name_entry, unique);
    dialog->name_is_guess = TRUE;
}

/* Sizes a host of this kind can give. */
static void
set_sizes(UiCreateDialog *dialog, guint64 ram_bytes, guint64 disk_bytes, guint cpus)
{
    guint64 most = MAX(app_host_ram_bytes() / 2, 64ull << 20);

    gtk_spin_button_set_value(dialog->ram_spin, (double)(MIN(ram_bytes, most) >> 20));
    gtk_spin_button_set_value(dialog->disk_spin, (double)MAX(disk_bytes >> 30, 1));
    gtk_spin_button_set_value(dialog->cpus_spin, MIN(cpus, g_get_num_processors()));
}

static void
on_preset_changed(GtkComboBox *combo, UiCreateDialog *dialog)
{
    const AppPreset *preset = app_preset_find(gtk_combo_box_get_active_id(combo));

    if (!dialog->is_filling) {
        set_sizes(dialog, (guint64)preset->ram_mib << 20, (guint64)preset->disk_mib << 20,
                  preset->cpus);
        refresh(dialog);
    }
}

static void
describe_iso(UiCreateDialog *dialog, const AppMedia *media)
{
    g_autofree char *text = NULL;

    if (!media->volume) {
        text = g_strdup(_("This is no ISO image; it is given to the CD drive as it is"));
    } else if (!media->is_bootable) {
        text = g_strdup_printf(_("“%s”: this disc does not boot by itself"), media->volume);
    } else if (media->is_known) {
        /* Translators: what an install disc was recognised as, and its volume name */
        text = g_strdup_printf(_("Recognised as %s (“%s”)"), media->title, media->volume);
    } else {
        text = g_strdup_printf(_("“%s” is not known: choose its system below"), media->volume);
    }
    gtk_label_set_text(dialog->iso_label, text);
}

static void
take_file(UiCreateDialog *dialog, Page page, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(AppMedia) media = app_media_probe(path, &error);

    g_free(dialog->paths[page]);
    dialog->paths[page] = g_strdup(path);
    if (!media) {
        show_text(dialog->problem_label, error->message);
        return;
    }
    dialog->is_filling = TRUE;
    guess_name(dialog, media->title);
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(dialog->preset_combo), media->preset);
    set_sizes(dialog, media->advised_ram_bytes, media->advised_disk_bytes,
              app_preset_find(media->preset)->cpus);
    if (page == PAGE_ISO) {
        gtk_toggle_button_set_active(dialog->disk_check, !media->is_live);
        describe_iso(dialog, media);
    } else {
        g_free(dialog->format);
        dialog->format = g_strdup(media->format);
    }
    dialog->is_filling = FALSE;
    refresh(dialog);
}

static void
take_folder(UiCreateDialog *dialog, const char *path)
{
    g_autofree char *base = g_path_get_basename(path);

    g_free(dialog->paths[PAGE_FOLDER]);
    dialog->paths[PAGE_FOLDER] = g_strdup(path);
    if (g_str_has_suffix(base, ".vitrine")) {
        base[strlen(base) - strlen(".vitrine")] = '\0';
    }
    guess_name(dialog, base);
    refresh(dialog);
}

static void
on_file_set(UiFileButton *chooser, UiCreateDialog *dialog)
{
    const char *path = ui_file_button_get_path(chooser);

    if (chooser == dialog->folder_chooser) {
        take_folder(dialog, path);
    } else {
        take_file(dialog, chooser == dialog->iso_chooser ? PAGE_ISO : PAGE_IMAGE, path);
    }
}

static void
on_name_changed(GtkEditable *editable, UiCreateDialog *dialog)
{
    if (gtk_widget_has_focus(GTK_WIDGET(dialog->name_entry))) {
        dialog->name_is_guess = FALSE;
    }
    refresh(dialog);
}

static void
on_page_changed(UiCreateDialog *dialog)
{
    Page page = current_page(dialog);
    gboolean sizes = page == PAGE_ISO || page == PAGE_IMAGE;
    GtkWidget *const shown[] = { dialog->preset_label, GTK_WIDGET(dialog->preset_combo),
                                 dialog->ram_label,    GTK_WIDGET(dialog->ram_spin),
                                 dialog->cpus_label,   GTK_WIDGET(dialog->cpus_spin) };

    for (guint i = 0; i < G_N_ELEMENTS(shown); i++) {
        gtk_widget_set_visible(shown[i], sizes);
    }
    gtk_widget_set_visible(GTK_WIDGET(dialog->disk_check), page == PAGE_ISO);
    gtk_widget_set_visible(GTK_WIDGET(dialog->disk_spin), page == PAGE_ISO);
    gtk_widget_set_visible(dialog->review_expander, page != PAGE_FOLDER);
    if (page == PAGE_TEXT) {
        guess_name(dialog, _("Machine"));
    }
    show_text(dialog->problem_label, NULL);
    refresh(dialog);
    /* a page that needs less room leaves none empty */
    gtk_window_resize(GTK_WINDOW(dialog), 560, 1);
}

/* ---- Creation ---- */

static void
on_created(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(UiCreateDialog) dialog = data;
    g_autoptr(GError) error = NULL;
    AppEntry *entry = app_new_create_finish(APP_LIBRARY(source), result, &error);

    if (entry) {
        g_signal_emit(dialog, created_signal, 0, entry);
        gtk_widget_destroy(GTK_WIDGET(dialog));
        return;
    }
    gtk_widget_set_sensitive(dialog->ok_button, TRUE);
    show_text(dialog->problem_label, error->message);
}

/* Marks the place of the first mistake of the argument text. */
static void
mark_mistake(UiCreateDialog *dialog, const char *text)
{
    GtkTextBuffer *buffer = gtk_text_view_get_buffer(dialog->text_view);
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(VitConfig) config = vit_config_parse(text, VIT_PARSE_DEFAULT, diags);
    GtkTextIter start, end;

    vit_config_check(config, vit_engine_get_registry(), diags);
    if (vit_diag_list_get_n(diags)) {
        const VitDiag *diag = vit_diag_list_get(diags, 0);

        gtk_text_buffer_get_iter_at_offset(buffer, &start,
                                           (int)g_utf8_pointer_to_offset(text, text + diag->start));
        gtk_text_buffer_get_iter_at_offset(buffer, &end,
                                           (int)g_utf8_pointer_to_offset(text, text + diag->end));
        gtk_text_buffer_select_range(buffer, &start, &end);
    }
}

static void
create(UiCreateDialog *dialog)
{
    static const char *const missing[PAGE_LAST] = {
        [PAGE_ISO] = N_("Choose an ISO image first"),
        [PAGE_IMAGE] = N_("Choose a disk image first"),
        [PAGE_FOLDER] = N_("Choose a machine’s folder first"),
        [PAGE_TEXT] = NULL,
    };
    Page page = current_page(dialog);
    g_autofree char *text = NULL;
    g_autofree char *command = NULL;
    AppNewMachine machine = asked_for(dialog, &text);

    if (missing[page] && !machine.path) {
        show_text(dialog->problem_label, _(missing[page]));
        return;
    }
    if (page == PAGE_TEXT) {
        /* a script is replaced by its command, so that places can be shown */
        command = app_new_find_command(text);
        if (strcmp(command, text) != 0) {
            ui_create_dialog_set_text(dialog, command);
        }
        mark_mistake(dialog, command);
        machine.text = command;
    }
    gtk_widget_set_sensitive(dialog->ok_button, FALSE);
    app_new_create_async(dialog->library, &machine, on_created, g_object_ref(dialog));
}

static void
on_response(UiCreateDialog *dialog, int response)
{
    if (response == GTK_RESPONSE_OK) {
        create(dialog);
    } else {
        gtk_widget_destroy(GTK_WIDGET(dialog));
    }
}

void
ui_create_dialog_set_file(UiCreateDialog *dialog, const char *path)
{
    g_autofree char *text = NULL;

    switch (app_new_guess_source(path, &text)) {
    case APP_NEW_ISO:
        gtk_stack_set_visible_child_name(dialog->source_stack, pages[PAGE_ISO].name);
        ui_file_button_set_path(dialog->iso_chooser, path);
        take_file(dialog, PAGE_ISO, path);
        break;
    case APP_NEW_FOLDER:
        gtk_stack_set_visible_child_name(dialog->source_stack, pages[PAGE_FOLDER].name);
        ui_file_button_set_path(dialog->folder_chooser, path);
        take_folder(dialog, path);
        break;
    case APP_NEW_TEXT: ui_create_dialog_set_text(dialog, text); break;
    case APP_NEW_IMAGE:
        gtk_stack_set_visible_child_name(dialog->source_stack, pages[PAGE_IMAGE].name);
        ui_file_button_set_path(dialog->image_chooser, path);
        take_file(dialog, PAGE_IMAGE, path);
        break;
    }
}

void
ui_create_dialog_set_text(UiCreateDialog *dialog, const char *text)
{
    gtk_stack_set_visible_child_name(dialog->source_stack, pages[PAGE_TEXT].name);
    gtk_text_buffer_set_text(gtk_text_view_get_buffer(dialog->text_view), text, -1);
}

UiCreateDialog *
ui_create_dialog_new(GtkWindow *parent, AppLibrary *library)
{
    UiCreateDialog *dialog =
        g_object_new(UI_TYPE_CREATE_DIALOG, "transient-for", parent, "use-header-bar", 1, NULL);

    dialog->library = g_object_ref(library);
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(dialog->preset_combo), "other");
    on_page_changed(dialog);
    return dialog;
}

static void
ui_create_dialog_finalize(GObject *object)
{
    UiCreateDialog *dialog = UI_CREATE_DIALOG(object);

    g_clear_object(&dialog->library);
    for (int i = 0; i < PAGE_LAST; i++) {
        g_free(dialog->paths[i]);
    }
    g_free(dialog->format);
    G_OBJECT_CLASS(ui_create_dialog_parent_class)->finalize(object);
}

static void
ui_create_dialog_class_init(UiCreateDialogClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);

    g_type_ensure(UI_TYPE_FILE_BUTTON);
    G_OBJECT_CLASS(klass)->finalize = ui_create_dialog_finalize;
    created_signal = g_signal_new("created", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 1, APP_TYPE_ENTRY);
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/ui-create-dialog.ui");
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, source_stack);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, iso_chooser);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, image_chooser);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, folder_chooser);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, iso_label);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, image_copy);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, image_move);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, folder_in_place);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, disk_check);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, text_view);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, review_view);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, name_entry);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, preset_combo);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, preset_label);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, ram_label);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, cpus_label);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, ram_spin);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, cpus_spin);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, disk_spin);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, review_expander);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, ok_button);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, advice_label);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, problem_label);
}

static void
ui_create_dialog_init(UiCreateDialog *dialog)
{
    const AppPreset *preset;

    gtk_widget_init_template(GTK_WIDGET(dialog));
    dialog->is_filling = TRUE;
    for (guint i = 0; (preset = app_preset_nth(i)); i++) {
        gtk_combo_box_text_append(dialog->preset_combo, preset->id, _(preset->title));
    }
    atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(dialog->preset_combo)), _("System"));
    g_signal_connect(dialog->iso_chooser, "chosen", G_CALLBACK(on_file_set), dialog);
    g_signal_connect(dialog->image_chooser, "chosen", G_CALLBACK(on_file_set), dialog);
    g_signal_connect(dialog->folder_chooser, "chosen", G_CALLBACK(on_file_set), dialog);
    g_signal_connect(dialog->name_entry, "changed", G_CALLBACK(on_name_changed), dialog);
    g_signal_connect(dialog->preset_combo, "changed", G_CALLBACK(on_preset_changed), dialog);
    g_signal_connect_swapped(dialog->ram_spin, "value-changed", G_CALLBACK(refresh), dialog);
    g_signal_connect_swapped(dialog->cpus_spin, "value-changed", G_CALLBACK(refresh), dialog);
    g_signal_connect_swapped(dialog->disk_spin, "value-changed", G_CALLBACK(refresh), dialog);
    g_signal_connect_swapped(dialog->disk_check, "toggled", G_CALLBACK(refresh), dialog);
    g_signal_connect_swapped(dialog->image_copy, "toggled", G_CALLBACK(refresh), dialog);
    g_signal_connect_swapped(dialog->image_move, "toggled", G_CALLBACK(refresh), dialog);
    g_signal_connect_swapped(gtk_text_view_get_buffer(dialog->text_view), "changed",
                             G_CALLBACK(refresh), dialog);
    g_signal_connect_swapped(dialog->source_stack, "notify::visible-child",
                             G_CALLBACK(on_page_changed), dialog);
    g_signal_connect(dialog, "response", G_CALLBACK(on_response), NULL);
    gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_OK);
    dialog->is_filling = FALSE;
}
