/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The dialog checks while it is filled in and says at the bottom what is wrong. */

#include "ui-create-dialog.h"

#include "app-media.h"

#include <glib/gi18n.h>
#include <string.h>

struct _UiCreateDialog {
    GtkDialog parent;
    GtkStack *source_stack;
    GtkFileChooser *iso_chooser, *image_chooser;
    GtkToggleButton *copy_check;
    GtkTextView *text_view;
    GtkEntry *name_entry;
    GtkWidget *ram_label, *ram_spin;
    GtkSpinButton *disk_spin;
    GtkLabel *problem_label;
    AppLibrary *library;
    gboolean name_is_guess;
};

G_DEFINE_FINAL_TYPE(UiCreateDialog, ui_create_dialog, GTK_TYPE_DIALOG)

static guint created_signal;

static void
show_problem(UiCreateDialog *dialog, const char *text)
{
    gtk_label_set_text(dialog->problem_label, text ? text : "");
    gtk_widget_set_visible(GTK_WIDGET(dialog->problem_label), text != NULL);
}

static void
guess_name(UiCreateDialog *dialog, const char *name)
{
    g_autofree char *unique = g_strdup(name);

    if (!dialog->name_is_guess && *gtk_entry_get_text(dialog->name_entry)) {
        return; /* the user's own */
    }
    for (int n = 2; app_library_find(dialog->library, unique); n++) {
        g_free(unique);
        unique = g_strdup_printf("%s %d", name, n);
    }
    gtk_entry_set_text(dialog->name_entry, unique);
    dialog->name_is_guess = TRUE;
}

static void
on_file_set(GtkFileChooser *chooser, UiCreateDialog *dialog)
{
    g_autofree char *path = gtk_file_chooser_get_filename(chooser);
    g_autoptr(GError) error = NULL;
    g_autoptr(AppMedia) media = path ? app_media_probe(path, &error) : NULL;

    if (!media) {
        show_problem(dialog, error ? error->message : NULL);
        return;
    }
    show_problem(dialog, NULL);
    guess_name(dialog, media->title);
    gtk_spin_button_set_value(GTK_SPIN_BUTTON(dialog->ram_spin), media->advised_ram_bytes >> 20);
    gtk_spin_button_set_value(dialog->disk_spin, media->advised_disk_bytes >> 30);
}

static void
on_name_changed(GtkEditable *editable, UiCreateDialog *dialog)
{
    if (gtk_widget_has_focus(GTK_WIDGET(dialog->name_entry))) {
        dialog->name_is_guess = FALSE;
    }
}

static void
on_page_changed(UiCreateDialog *dialog)
{
    gboolean text = g_strcmp0(gtk_stack_get_visible_child_name(dialog->source_stack), "text") == 0;

    gtk_widget_set_visible(dialog->ram_label, !text);
    gtk_widget_set_visible(dialog->ram_spin, !text);
    if (text) {
        guess_name(dialog, _("Machine"));
    }
    show_problem(dialog, NULL);
}

/* ---- Creation ---- */

static AppEntry *
create_from_text(UiCreateDialog *dialog, const char *name, GError **error)
{
    GtkTextBuffer *buffer = gtk_text_view_get_buffer(dialog->text_view);
    GtkTextIter start, end;
    g_autofree char *text = NULL;
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    AppEntry *entry;

    gtk_text_buffer_get_bounds(buffer, &start, &end);
    text = gtk_text_buffer_get_text(buffer, &start, &end, FALSE);
    entry = app_library_create_from_text(dialog->library, name, text, diags, error);
    if (!entry && vit_diag_list_get_n(diags)) {
        const VitDiag *diag = vit_diag_list_get(diags, 0);

        /* show the place */
        gtk_text_buffer_get_iter_at_offset(buffer, &start,
                                           g_utf8_pointer_to_offset(text, text + diag->start));
        gtk_text_buffer_get_iter_at_offset(buffer, &end,
                                           g_utf8_pointer_to_offset(text, text + diag->end));
        gtk_text_buffer_select_range(buffer, &start, &end);
    }
    return entry;
}

static AppEntry *
create(UiCreateDialog *dialog, GError **error)
{
    const char *page = gtk_stack_get_visible_child_name(dialog->source_stack);
    const char *name = gtk_entry_get_text(dialog->name_entry);
    guint64 ram = (guint64)gtk_spin_button_get_value(GTK_SPIN_BUTTON(dialog->ram_spin)) << 20;
    guint64 disk = (guint64)gtk_spin_button_get_value(dialog->disk_spin) << 30;
    gboolean iso = strcmp(page, "iso") == 0;
    g_autofree char *path = NULL;

    if (strcmp(page, "text") == 0) {
        return create_from_text(dialog, name, error);
    }
    path = gtk_file_chooser_get_filename(iso ? dialog->iso_chooser : dialog->image_chooser);
    if (!path) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "%s",
                    iso ? _("Choose an ISO image first") : _("Choose a disk image first"));
        return NULL;
    }
    if (iso) {
        return app_library_create_from_iso(dialog->library, name, path, ram, disk, error);
    }
    return app_library_create_from_image(
        dialog->library, name, path,
        gtk_toggle_button_get_active(dialog->copy_check) ? APP_IMAGE_COPY : APP_IMAGE_IN_PLACE, ram,
        error);
}

static void
on_response(UiCreateDialog *dialog, int response)
{
    g_autoptr(GError) error = NULL;
    AppEntry *entry;

    if (response != GTK_RESPONSE_OK) {
        gtk_widget_destroy(GTK_WIDGET(dialog));
        return;
    }
    entry = create(dialog, &error);
    if (!entry) {
        show_problem(dialog, error->message);
        return;
    }
    g_signal_emit(dialog, created_signal, 0, entry);
    gtk_widget_destroy(GTK_WIDGET(dialog));
}

void
ui_create_dialog_set_file(UiCreateDialog *dialog, const char *path)
{
    gboolean iso = g_str_has_suffix(path, ".iso") || g_str_has_suffix(path, ".ISO");
    GtkFileChooser *chooser = iso ? dialog->iso_chooser : dialog->image_chooser;

    gtk_stack_set_visible_child_name(dialog->source_stack, iso ? "iso" : "image");
    gtk_file_chooser_set_filename(chooser, path);
    /* the button learns of it a moment later; the page needs not wait */
    g_autoptr(AppMedia) media = app_media_probe(path, NULL);
    if (media) {
        guess_name(dialog, media->title);
    }
}

void
ui_create_dialog_set_text(UiCreateDialog *dialog, const char *text)
{
    gtk_stack_set_visible_child_name(dialog->source_stack, "text");
    gtk_text_buffer_set_text(gtk_text_view_get_buffer(dialog->text_view), text, -1);
}

UiCreateDialog *
ui_create_dialog_new(GtkWindow *parent, AppLibrary *library)
{
    UiCreateDialog *dialog =
        g_object_new(UI_TYPE_CREATE_DIALOG, "transient-for", parent, "use-header-bar", 1, NULL);

    dialog->library = g_object_ref(library);
    return dialog;
}

static void
ui_create_dialog_dispose(GObject *object)
{
    g_clear_object(&UI_CREATE_DIALOG(object)->library);
    G_OBJECT_CLASS(ui_create_dialog_parent_class)->dispose(object);
}

static void
ui_create_dialog_class_init(UiCreateDialogClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);

    G_OBJECT_CLASS(klass)->dispose = ui_create_dialog_dispose;
    created_signal = g_signal_new("created", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 1, APP_TYPE_ENTRY);
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/ui-create-dialog.ui");
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, source_stack);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, iso_chooser);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, image_chooser);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, copy_check);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, text_view);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, name_entry);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, ram_label);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, ram_spin);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, disk_spin);
    gtk_widget_class_bind_template_child(widget_class, UiCreateDialog, problem_label);
}

static void
ui_create_dialog_init(UiCreateDialog *dialog)
{
    gtk_widget_init_template(GTK_WIDGET(dialog));
    g_signal_connect(dialog->iso_chooser, "file-set", G_CALLBACK(on_file_set), dialog);
    g_signal_connect(dialog->image_chooser, "file-set", G_CALLBACK(on_file_set), dialog);
    g_signal_connect(dialog->name_entry, "changed", G_CALLBACK(on_name_changed), dialog);
    g_signal_connect_swapped(dialog->source_stack, "notify::visible-child",
                             G_CALLBACK(on_page_changed), dialog);
    g_signal_connect(dialog, "response", G_CALLBACK(on_response), NULL);
    gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_OK);
}
