/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* GTK's own button of this kind reads folders itself, which shows a sandboxed program nothing of
 * the host; this one leaves all of that to GtkFileChooserNative. Thread: main. */

#include "ui-file-button.h"

#include <glib/gi18n.h>

struct _UiFileButton {
    GtkButton parent;
    GtkLabel *label;
    GtkFileChooserNative *dialog; /* while it is open */
    char *prompt, *patterns, *patterns_name, *path;
    gboolean folder;
};

G_DEFINE_FINAL_TYPE(UiFileButton, ui_file_button, GTK_TYPE_BUTTON)

enum { PROP_PROMPT = 1, PROP_FOLDER, PROP_PATTERNS, PROP_PATTERNS_NAME };

static guint chosen_signal;

static void
update(UiFileButton *button)
{
    g_autofree char *name =
        button->path ? g_filename_display_basename(button->path) : g_strdup(button->prompt);
    g_autofree char *spoken = NULL;

    gtk_label_set_text(button->label, name ? name : "");
    gtk_widget_set_tooltip_text(GTK_WIDGET(button), button->path);
    /* Translators: a button, spoken: what it asks for, the file that was chosen */
    spoken = button->path ? g_strdup_printf(C_("spoken", "%s: %s"), button->prompt, name)
                          : g_strdup(name);
    atk_object_set_name(gtk_widget_get_accessible(GTK_WIDGET(button)), spoken ? spoken : "");
}

static void
add_filters(UiFileButton *button)
{
    g_auto(GStrv) patterns = g_strsplit(button->patterns, " ", -1);
    GtkFileFilter *known = gtk_file_filter_new(), *all = gtk_file_filter_new();

    for (guint i = 0; patterns[i]; i++) {
        gtk_file_filter_add_pattern(known, patterns[i]);
    }
    gtk_file_filter_set_name(known,
                             button->patterns_name ? button->patterns_name : button->patterns);
    gtk_file_filter_add_pattern(all, "*");
    gtk_file_filter_set_name(all, _("All files"));
    gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(button->dialog), known);
    gtk_file_chooser_add_filter(GTK_FILE_CHOOSER(button->dialog), all);
}

static void
on_response(GtkNativeDialog *dialog, int response, UiFileButton *button)
{
    g_autofree char *path = response == GTK_RESPONSE_ACCEPT
                                ? gtk_file_chooser_get_filename(GTK_FILE_CHOOSER(dialog))
                                : NULL;

    g_clear_object(&button->dialog);
    if (path) {
        ui_file_button_set_path(button, path);
        g_signal_emit(button, chosen_signal, 0);
    }
}

static void
ui_file_button_clicked(GtkButton *gtk_button)
{
    UiFileButton *button = UI_FILE_BUTTON(gtk_button);
    GtkWidget *top = gtk_widget_get_toplevel(GTK_WIDGET(button));

    if (button->dialog) {
        return;
    }
    button->dialog = gtk_file_chooser_native_new(
        button->prompt, GTK_WINDOW(top),
        button->folder ? GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER : GTK_FILE_CHOOSER_ACTION_OPEN, NULL,
        NULL);
    if (button->path) {
        gtk_file_chooser_set_filename(GTK_FILE_CHOOSER(button->dialog), button->path);
    }
    if (button->patterns) {
        add_filters(button);
    }
    gtk_native_dialog_set_modal(GTK_NATIVE_DIALOG(button->dialog), TRUE);
    g_signal_connect_object(button->dialog, "response", G_CALLBACK(on_response), button, 0);
    gtk_native_dialog_show(GTK_NATIVE_DIALOG(button->dialog));
}

const char *
ui_file_button_get_path(UiFileButton *button)
{
    return button->path;
}

void
ui_file_button_set_path(UiFileButton *button, const char *path)
{
    char *copy = g_strdup(path);

    g_free(button->path);
    button->path = copy;
    update(button);
}

static void
ui_file_button_set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    UiFileButton *button = UI_FILE_BUTTON(object);

    switch (id) {
    case PROP_PROMPT:
        g_free(button->prompt);
        button->prompt = g_value_dup_string(value);
        update(button);
        break;
    case PROP_FOLDER: button->folder = g_value_get_boolean(value); break;
    case PROP_PATTERNS:
        g_free(button->patterns);
        button->patterns = g_value_dup_string(value);
        break;
    case PROP_PATTERNS_NAME:
        g_free(button->patterns_name);
        button->patterns_name = g_value_dup_string(value);
        break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
}

static void
ui_file_button_finalize(GObject *object)
{
    UiFileButton *button = UI_FILE_BUTTON(object);

    g_clear_object(&button->dialog);
    g_free(button->prompt);
    g_free(button->patterns);
    g_free(button->patterns_name);
    g_free(button->path);
    G_OBJECT_CLASS(ui_file_button_parent_class)->finalize(object);
}

static void
ui_file_button_class_init(UiFileButtonClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    const GParamFlags flags = G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS;

    object_class->set_property = ui_file_button_set_property;
    object_class->finalize = ui_file_button_finalize;
    GTK_BUTTON_CLASS(klass)->clicked = ui_file_button_clicked;
    g_object_class_install_property(object_class, PROP_PROMPT,
                                    g_param_spec_string("prompt", NULL, NULL, NULL, flags));
    g_object_class_install_property(object_class, PROP_FOLDER,
                                    g_param_spec_boolean("folder", NULL, NULL, FALSE, flags));
    g_object_class_install_property(object_class, PROP_PATTERNS,
                                    g_param_spec_string("patterns", NULL, NULL, NULL, flags));
    g_object_class_install_property(object_class, PROP_PATTERNS_NAME,
                                    g_param_spec_string("patterns-name", NULL, NULL, NULL, flags));
    chosen_signal = g_signal_new("chosen", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                 NULL, NULL, G_TYPE_NONE, 0);
}

static void
ui_file_button_init(UiFileButton *button)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    GtkWidget *icon = gtk_image_new_from_icon_name("document-open-symbolic", GTK_ICON_SIZE_BUTTON);

    button->label = GTK_LABEL(gtk_label_new(NULL));
    gtk_label_set_xalign(button->label, 0);
    gtk_label_set_ellipsize(button->label, PANGO_ELLIPSIZE_MIDDLE);
    gtk_box_pack_start(GTK_BOX(box), GTK_WIDGET(button->label), TRUE, TRUE, 0);
    gtk_box_pack_end(GTK_BOX(box), icon, FALSE, FALSE, 0);
    gtk_container_add(GTK_CONTAINER(button), box);
    gtk_widget_show_all(box);
}
