/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* One dialog for an image, new or there. The work is done by the engine on a worker; it is a job of
 * the jobs list too, so it can be stopped from either place. The configuration changes only when
 * the image is ready: a new drive, or a drive that names the converted image. */

#include "ui-disk-dialog.h"

#include "app-job.h"

#include <glib/gi18n.h>
#include <string.h>

typedef enum {
    WORK_CREATE,
    WORK_GROW,
    WORK_CONVERT,
    WORK_COMPACT,
    WORK_CHECK,
    WORK_REPAIR
} WorkType;

typedef struct Work {
    WorkType type;
    char *path, *format, *new_path, *new_format;
    guint64 len_bytes;
    VitDiskCheck found;
    AppJob *job;
} Work;

struct _UiDiskDialog {
    GtkDialog parent;
    GtkLabel *info_label, *result_label;
    GtkWidget *fields, *name_label, *grow_button, *convert_button, *bus_label, *check_box;
    GtkWidget *progress_box, *create_button;
    GtkEntry *name_entry;
    GtkSpinButton *size_spin;
    GtkComboBoxText *format_combo, *bus_combo;
    GtkProgressBar *progress_bar;
    AppSettings *settings;
    uint32_t serial; /* 0 for a new one */
    char *key, *path, *format;
    Work *work; /* under way; borrowed from its task */
};

G_DEFINE_FINAL_TYPE(UiDiskDialog, ui_disk_dialog, GTK_TYPE_DIALOG)

static void
work_free(gpointer data)
{
    Work *work = data;

    g_free(work->path);
    g_free(work->format);
    g_free(work->new_path);
    g_free(work->new_format);
    g_clear_object(&work->job);
    g_free(work);
}

/* ---- Showing ---- */

static void
show_result(UiDiskDialog *dialog, const char *text, gboolean is_error)
{
    GtkStyleContext *context = gtk_widget_get_style_context(GTK_WIDGET(dialog->result_label));

    if (is_error) {
        gtk_style_context_add_class(context, "error");
    } else {
        gtk_style_context_remove_class(context, "error");
    }
    gtk_label_set_text(dialog->result_label, text ? text : "");
    gtk_widget_set_visible(GTK_WIDGET(dialog->result_label), text != NULL);
}

static void
show_image(UiDiskDialog *dialog)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(VitDiskInfo) info = vit_disk_get_info(dialog->path, dialog->format, &error);
    g_autofree char *size = NULL;
    g_autofree char *used = NULL;
    g_autofree char *text = NULL;

    if (!info) {
        gtk_label_set_text(dialog->info_label, dialog->path);
        show_result(dialog, error->message, TRUE);
        gtk_widget_set_sensitive(dialog->fields, FALSE);
        gtk_widget_set_sensitive(dialog->check_box, FALSE);
        return;
    }
    size = g_format_size_full(info->len_bytes, G_FORMAT_SIZE_IEC_UNITS);
    used = info->allocated_bytes >= 0
               ? g_format_size_full((guint64)info->allocated_bytes, G_FORMAT_SIZE_IEC_UNITS)
               : g_strdup("?");
    /* Translators: file, format, size for the guest, space taken on the host */
    text = g_strdup_printf(_("%s\n%s, %s, takes %s"), dialog->path, info->format, size, used);
    gtk_label_set_text(dialog->info_label, text);
    g_free(dialog->format);
    dialog->format = g_strdup(info->format);
    gtk_spin_button_set_value(dialog->size_spin, (double)info->len_bytes / (1 << 30));
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(dialog->format_combo),
                                strcmp(info->format, "qcow2") == 0 ? "raw" : "qcow2");
}

/* ---- The work ---- */

static void
on_progress(double fraction, void *data)
{
    app_job_set_progress(data, fraction);
}

static void
run_work(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Work *work = data;
    GError *error = NULL;
    gboolean ok = FALSE;

    switch (work->type) {
    case WORK_CREATE:
        ok = vit_disk_create(work->new_path, work->new_format, work->len_bytes, &error);
        break;
    case WORK_GROW: ok = vit_disk_grow(work->path, work->format, work->len_bytes, &error); break;
    case WORK_CONVERT:
        ok = vit_disk_convert(work->path, work->format, work->new_path, work->new_format,
                              on_progress, work->job, app_job_get_cancellable(work->job), &error);
        break;
    case WORK_COMPACT:
        ok = vit_disk_compact(work->path, work->format, on_progress, work->job,
                              app_job_get_cancellable(work->job), &error);
        break;
    case WORK_CHECK:
    case WORK_REPAIR:
        ok = vit_disk_check(work->path, work->format, work->type == WORK_REPAIR, &work->found,
                            &error);
        break;
    }
    if (ok) {
        g_task_return_boolean(task, TRUE);
    } else {
        g_task_return_error(task, error);
    }
}

static gboolean
attach(UiDiskDialog *dialog, const Work *work, GError **error)
{
    VitConfig *config = app_settings_get_config(dialog->settings);
    const char *bus = gtk_combo_box_get_active_id(GTK_COMBO_BOX(dialog->bus_combo));

    return vit_config_add(config, VIT_ORIGIN_DIALOG, error, "drive", "file", work->new_path,
                          "format", work->new_format, "if", bus, NULL) != 0;
}

/* xgettext knows no G_GUINT64_FORMAT inside a message. */
static char *
describe_found(const Work *work)
{
    g_autofree char *errors = g_strdup_printf("%" G_GUINT64_FORMAT, work->found.errors);
    g_autofree char *mended = g_strdup_printf("%" G_GUINT64_FORMAT, work->found.errors_mended);
    g_autofree char *lost = g_strdup_printf("%" G_GUINT64_FORMAT, work->found.leaks);
    g_autofree char *regained = g_strdup_printf("%" G_GUINT64_FORMAT, work->found.leaks_mended);

    /* Translators: a checked disk image: four numbers */
    return g_strdup_printf(_("Errors: %s, mended %s; lost space: %s, regained %s"), errors, mended,
                           lost, regained);
}

/* The drive names the new image; its old one is left where it is. */
static gboolean
change_image(UiDiskDialog *dialog, const Work *work, GError **error)
{
    VitConfig *config = app_settings_get_config(dialog->settings);
    VitConfigItem *item = vit_config_get_by_serial(config, dialog->serial);
    gboolean ok;

    vit_config_begin(config, _("Convert"));
    ok = vit_config_set(config, dialog->serial, dialog->key, work->new_path, error) &&
         (!item || !vit_config_item_get(item, "format") ||
          vit_config_set(config, dialog->serial, "format", work->new_format, error));
    vit_config_end(config);
    return ok;
}

static void
finish_work(UiDiskDialog *dialog, const Work *work)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    switch (work->type) {
    case WORK_CREATE:
        if (attach(dialog, work, &error)) {
            gtk_widget_destroy(GTK_WIDGET(dialog));
            return;
        }
        break;
    case WORK_GROW: text = g_strdup(_("The image is larger now")); break;
    case WORK_CONVERT:
        if (change_image(dialog, work, &error)) {
            /* Translators: the old image after it was converted */
            text = g_strdup_printf(_("The machine uses the new image now; %s is left as it was"),
                                   work->path);
            g_free(dialog->path);
            dialog->path = g_strdup(work->new_path);
            g_free(dialog->format);
            dialog->format = g_strdup(work->new_format);
        }
        break;
    case WORK_COMPACT: text = g_strdup(_("The image is as small as it can be now")); break;
    case WORK_CHECK:
    case WORK_REPAIR:
        text = work->found.errors + work->found.leaks == 0 ? g_strdup(_("No errors were found"))
                                                           : describe_found(work);
        break;
    }
    if (!error) {
        show_image(dialog);
    }
    show_result(dialog, error ? error->message : text, error != NULL);
}

static void
on_work_done(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(UiDiskDialog) dialog = data;
    Work *work = g_task_get_task_data(G_TASK(result));
    g_autoptr(GError) error = NULL;
    gboolean ok = g_task_propagate_boolean(G_TASK(result), &error);

    app_job_finish(work->job);
    dialog->work = NULL;
    if (!dialog->settings) {
        return; /* closed meanwhile */
    }
    gtk_widget_hide(dialog->progress_box);
    gtk_widget_set_sensitive(dialog->fields, TRUE);
    gtk_widget_set_sensitive(dialog->check_box, TRUE);
    gtk_widget_set_sensitive(dialog->create_button, TRUE);
    if (ok) {
        finish_work(dialog, work);
    } else {
        show_result(dialog,
                    g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)
                        ? _("Stopped; nothing was changed")
                        : error->message,
                    TRUE);
    }
}

static void
on_job_changed(AppJob *job, UiDiskDialog *dialog)
{
    double fraction = app_job_get_progress(job);

    if (fraction >= 0) {
        gtk_progress_bar_set_fraction(dialog->progress_bar, fraction);
    } else {
        gtk_progress_bar_pulse(dialog->progress_bar);
    }
}

/* TITLE is what the jobs list calls it. */
static void
start_work(UiDiskDialog *dialog, Work *work, const char *title)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, on_work_done, g_object_ref(dialog));

    work->path = g_strdup(dialog->path);
    work->format = g_strdup(dialog->format);
    work->job = app_job_new(title);
    g_signal_connect_object(work->job, "changed", G_CALLBACK(on_job_changed), dialog, 0);
    dialog->work = work;
    gtk_progress_bar_set_fraction(dialog->progress_bar, 0);
    gtk_widget_show(dialog->progress_box);
    gtk_widget_set_sensitive(dialog->fields, FALSE);
    gtk_widget_set_sensitive(dialog->check_box, FALSE);
    gtk_widget_set_sensitive(dialog->create_button, FALSE);
    show_result(dialog, NULL, FALSE);
    g_task_set_task_data(task, work, work_free);
    g_task_run_in_thread(task, run_work);
}

static Work *
new_work(WorkType type)
{
    Work *work = g_new0(Work, 1);

    work->type = type;
    return work;
}

static gboolean
is_running(UiDiskDialog *dialog)
{
    AppEntry *entry = app_settings_get_entry(dialog->settings);

    if (entry && app_session_is_active(app_entry_get_session(entry))) {
        show_result(dialog, _("The machine is running: switch it off first"), TRUE);
        return TRUE;
    }
    return FALSE;
}

static guint64
wanted_bytes(UiDiskDialog *dialog)
{
    /* whole sectors of 4 KiB */
    return (guint64)(gtk_spin_button_get_value(dialog->size_spin) * (1 << 30)) / 4096 * 4096;
}

/* ---- Buttons ---- */

static void
on_grow(UiDiskDialog *dialog)
{
    Work *work;

    if (!is_running(dialog)) {
        work = new_work(WORK_GROW);
        work->len_bytes = wanted_bytes(dialog);
        start_work(dialog, work, _("Growing a disk image"));
    }
}

/* PATH with another ending, and a number when that is there already. */
static char *
path_for(const char *path, const char *format)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(path, '.');
    g_autofree char *stem =
        dot && dot > slash + 1 ? g_strndup(path, (gsize)(dot - path)) : g_strdup(path);
    char *made = g_strdup_printf("%s.%s", stem, format);

    for (guint n = 2; g_file_test(made, G_FILE_TEST_EXISTS); n++) {
        g_free(made);
        made = g_strdup_printf("%s-%u.%s", stem, n, format);
    }
    return made;
}

static void
on_convert(UiDiskDialog *dialog)
{
    const char *format = gtk_combo_box_get_active_id(GTK_COMBO_BOX(dialog->format_combo));
    Work *work;

    if (!is_running(dialog) && format) {
        work = new_work(WORK_CONVERT);
        work->new_format = g_strdup(format);
        work->new_path = path_for(dialog->path, format);
        start_work(dialog, work, _("Converting a disk image"));
    }
}

static void
on_compact(UiDiskDialog *dialog)
{
    if (!is_running(dialog)) {
        start_work(dialog, new_work(WORK_COMPACT), _("Compacting a disk image"));
    }
}

static void
on_check(UiDiskDialog *dialog)
{
    start_work(dialog, new_work(WORK_CHECK), _("Checking a disk image"));
}

static void
on_repair(UiDiskDialog *dialog)
{
    if (!is_running(dialog)) {
        start_work(dialog, new_work(WORK_REPAIR), _("Repairing a disk image"));
    }
}

static void
on_stop(UiDiskDialog *dialog)
{
    if (dialog->work) {
        app_job_cancel(dialog->work->job);
    }
}

/* Where images of the machine lie. */
static char *
disks_folder(UiDiskDialog *dialog)
{
    AppEntry *entry = app_settings_get_entry(dialog->settings);
    GFile *folder = entry ? app_entry_get_folder(entry) : NULL;
    char *path = folder ? g_build_filename(g_file_peek_path(folder), "disks", NULL)
                        : g_strdup(g_get_user_data_dir());

    g_mkdir_with_parents(path, 0700);
    return path;
}

static void
create(UiDiskDialog *dialog)
{
    const char *name = gtk_entry_get_text(dialog->name_entry);
    g_autofree char *folder = disks_folder(dialog);
    Work *work;

    if (!*name || strchr(name, '/')) {
        show_result(dialog, _("Give the image a name without “/”"), TRUE);
        return;
    }
    work = new_work(WORK_CREATE);
    work->new_format = g_strdup(gtk_combo_box_get_active_id(GTK_COMBO_BOX(dialog->format_combo)));
    work->new_path = g_strdup_printf("%s/%s.%s", folder, name, work->new_format);
    work->len_bytes = wanted_bytes(dialog);
    start_work(dialog, work, _("Making a disk image"));
}

static void
on_response(UiDiskDialog *dialog, int response)
{
    if (response == GTK_RESPONSE_OK) {
        create(dialog);
        return;
    }
    on_stop(dialog);
    gtk_widget_destroy(GTK_WIDGET(dialog));
}

/* ---- Life ---- */

static UiDiskDialog *
new_dialog(GtkWindow *parent, AppSettings *settings)
{
    static const struct {
        const char *format, *title;
    } formats[] = {
        { "raw", N_("raw (plain, fast)") },
        { "qcow2", N_("qcow2 (snapshots, takes only what is used)") },
        { "vdi", "VDI" },
        { "vmdk", "VMDK" },
        { "vhdx", "VHDX" },
    };
    UiDiskDialog *dialog =
        g_object_new(UI_TYPE_DISK_DIALOG, "transient-for", parent, "use-header-bar", 1, NULL);

    dialog->settings = g_object_ref(settings);
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (vit_disk_can_create(formats[i].format)) {
            gtk_combo_box_text_append(dialog->format_combo, formats[i].format, _(formats[i].title));
        }
    }
    return dialog;
}

UiDiskDialog *
ui_disk_dialog_new_create(GtkWindow *parent, AppSettings *settings)
{
    UiDiskDialog *dialog = new_dialog(parent, settings);
    GtkWidget *const hidden[] = { dialog->grow_button, dialog->convert_button, dialog->check_box,
                                  GTK_WIDGET(dialog->info_label) };

    for (guint i = 0; i < G_N_ELEMENTS(hidden); i++) {
        gtk_widget_hide(hidden[i]);
    }
    gtk_window_set_title(GTK_WINDOW(dialog), _("New Disk"));
    gtk_entry_set_text(dialog->name_entry, "disk2");
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(dialog->format_combo), "raw");
    gtk_dialog_set_default_response(GTK_DIALOG(dialog), GTK_RESPONSE_OK);
    return dialog;
}

UiDiskDialog *
ui_disk_dialog_new_manage(GtkWindow *parent, AppSettings *settings, uint32_t serial,
                          const char *key)
{
    UiDiskDialog *dialog = new_dialog(parent, settings);
    VitConfig *config = app_settings_get_config(settings);
    VitConfigItem *item = vit_config_get_by_serial(config, serial);
    const char *value = item ? vit_config_item_get(item, key) : NULL;
    GtkWidget *const hidden[] = { dialog->name_label, GTK_WIDGET(dialog->name_entry),
                                  dialog->bus_label, GTK_WIDGET(dialog->bus_combo),
                                  dialog->create_button };

    for (guint i = 0; i < G_N_ELEMENTS(hidden); i++) {
        gtk_widget_hide(hidden[i]);
    }
    dialog->serial = serial;
    dialog->key = g_strdup(key);
    dialog->path = vit_config_resolve_path(config, value ? value : "");
    dialog->format = item ? g_strdup(vit_config_item_get(item, "format")) : NULL;
    show_image(dialog);
    return dialog;
}

static void
ui_disk_dialog_dispose(GObject *object)
{
    g_clear_object(&UI_DISK_DIALOG(object)->settings);
    G_OBJECT_CLASS(ui_disk_dialog_parent_class)->dispose(object);
}

static void
ui_disk_dialog_finalize(GObject *object)
{
    UiDiskDialog *dialog = UI_DISK_DIALOG(object);

    g_free(dialog->key);
    g_free(dialog->path);
    g_free(dialog->format);
    G_OBJECT_CLASS(ui_disk_dialog_parent_class)->finalize(object);
}

static void
ui_disk_dialog_class_init(UiDiskDialogClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);

    G_OBJECT_CLASS(klass)->dispose = ui_disk_dialog_dispose;
    G_OBJECT_CLASS(klass)->finalize = ui_disk_dialog_finalize;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/ui-disk-dialog.ui");
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, info_label);
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, result_label);
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, fields);
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, name_label);
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, name_entry);
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, size_spin);
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, grow_button);
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, format_combo);
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, convert_button);
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, bus_label);
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, bus_combo);
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, check_box);
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, progress_box);
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, progress_bar);
    gtk_widget_class_bind_template_child(widget_class, UiDiskDialog, create_button);
    gtk_widget_class_bind_template_callback(widget_class, on_grow);
    gtk_widget_class_bind_template_callback(widget_class, on_convert);
    gtk_widget_class_bind_template_callback(widget_class, on_check);
    gtk_widget_class_bind_template_callback(widget_class, on_compact);
    gtk_widget_class_bind_template_callback(widget_class, on_repair);
    gtk_widget_class_bind_template_callback(widget_class, on_stop);
}

static void
ui_disk_dialog_init(UiDiskDialog *dialog)
{
    gtk_widget_init_template(GTK_WIDGET(dialog));
    g_signal_connect(dialog, "response", G_CALLBACK(on_response), NULL);
}
