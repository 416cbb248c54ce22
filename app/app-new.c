/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* New machines. A machine is made in a hidden folder beside its place and renamed into it, so that
 * a half-made one is never seen; what takes long, copying an image, runs on a worker as a job.
 * Invariant: an image that is moved leaves its place only after the machine stands. */

#include "app-new.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ---- Names and folders ---- */

char *
app_library_folder_name(const char *name)
{
    g_autofree char *clean = g_strstrip(g_strdup(name));

    g_strdelimit(clean, "/\\:", '-');
    if (!*clean || *clean == '.') {
        return NULL;
    }
    return g_strconcat(clean, ".vitrine", NULL);
}

/* A machine under way. Strings are its own, as the dialog may be gone before it is done. */
typedef struct Draft {
    AppNewMachine machine; /* its strings belong to the draft */
    AppLibrary *library;
    AppJob *job;
    char *path, *final_path;
    VitConfig *config;
} Draft;

static void
draft_free(gpointer data)
{
    Draft *draft = data;

    g_free((char *)draft->machine.name);
    g_free((char *)draft->machine.path);
    g_free((char *)draft->machine.text);
    g_free((char *)draft->machine.format);
    g_free(draft->path);
    g_free(draft->final_path);
    g_clear_object(&draft->config);
    g_clear_object(&draft->job);
    g_object_unref(draft->library);
    g_free(draft);
}

static gboolean
draft_begin(Draft *draft, GError **error)
{
    const char *name = draft->machine.name;
    g_autofree char *file_name = app_library_folder_name(name);
    const char *root = g_file_peek_path(app_library_get_root(draft->library));
    g_autofree char *hidden = NULL;
    g_autofree char *disks = NULL;

    if (!file_name) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    _("“%s” cannot be the name of a machine: give it a name with letters"), name);
        return FALSE;
    }
    draft->final_path = g_build_filename(root, file_name, NULL);
    if (g_file_test(draft->final_path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    _("There is already a machine called “%s”: choose another name"), name);
        return FALSE;
    }
    hidden = g_strdup_printf(".new-%s-XXXXXX", file_name);
    draft->path = g_build_filename(root, hidden, NULL);
    if (!g_mkdtemp(draft->path)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, _("Cannot make a folder in %s: %s"), root,
                    g_strerror(errno));
        g_clear_pointer(&draft->path, g_free);
        return FALSE;
    }
    disks = g_build_filename(draft->path, "disks", NULL);
    g_mkdir(disks, 0700);
    return TRUE;
}

/* ---- Sources ---- */

enum { MAX_SCRIPT_BYTES = 256 * 1024 };

static gboolean
names_program(const char *text)
{
    return strstr(text, "qemu-system-") || strstr(text, "vitrine-run") || strstr(text, "qemu-kvm");
}

AppNewSource
app_new_guess_source(const char *path, char **out_text)
{
    g_autoptr(GFile) file = g_file_new_for_path(path);
    g_autoptr(GFileInputStream) stream = NULL;
    g_autofree char *head = g_malloc(MAX_SCRIPT_BYTES + 1);
    gsize len = 0;

    if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
        return APP_NEW_FOLDER;
    }
    stream = g_file_read(file, NULL, NULL);
    if (!stream || !g_input_stream_read_all(G_INPUT_STREAM(stream), head, MAX_SCRIPT_BYTES, &len,
                                            NULL, NULL)) {
        return APP_NEW_IMAGE;
    }
    head[len] = '\0';
    if (len > 0x8006 && memcmp(head + 0x8000, "\1CD001", 6) == 0) {
        return APP_NEW_ISO;
    }
    if (len > 0 && strlen(head) == len && g_utf8_validate(head, (gssize)len, NULL) &&
        (names_program(head) || g_str_has_prefix(head, "-"))) {
        *out_text = app_new_find_command(head);
        return APP_NEW_TEXT;
    }
    return APP_NEW_IMAGE;
}

/* NAME=VALUE alone on a line, remembered. */
static gboolean
take_assignment(const char *line, GHashTable *variables)
{
    const char *equals = strchr(line, '=');
    g_auto(GStrv) words = NULL;

    if (!equals || equals == line) {
        return FALSE;
    }
    for (const char *c = line; c < equals; c++) {
        if (!g_ascii_isalnum(*c) && *c != '_') {
            return FALSE;
        }
    }
    if (!g_shell_parse_argv(line, NULL, &words, NULL) || words[1]) {
        return FALSE;
    }
    g_hash_table_replace(variables, g_strndup(line, (gsize)(equals - line)),
                         g_strdup(strchr(words[0], '=') + 1));
    return TRUE;
}

/* $NAME and ${NAME} of known variables. What is not known stays, and the check points at it. */
static char *
put_in_variables(const char *text, GHashTable *variables)
{
    GString *out = g_string_new(NULL);

    while (*text) {
        gboolean braced = g_str_has_prefix(text, "${");
        const char *name = text + (braced ? 2 : 1);
        gsize len = 0;
        g_autofree char *key = NULL;
        const char *value = NULL;

        if (*text == '$') {
            while (g_ascii_isalnum(name[len]) || name[len] == '_') {
                len++;
            }
            key = g_strndup(name, len);
            value = !braced || name[len] == '}' ? g_hash_table_lookup(variables, key) : NULL;
        }
        if (value) {
            g_string_append(out, value);
            text = name + len + braced;
        } else {
            g_string_append_c(out, *text++);
        }
    }
    return g_string_free(out, FALSE);
}

char *
app_new_find_command(const char *script)
{
    g_autoptr(GHashTable) variables =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_auto(GStrv) lines = g_strsplit(script, "\n", -1);
    GString *command = NULL;
    g_autofree char *found = NULL;

    for (guint i = 0; lines[i]; i++) {
        g_autofree char *line = g_strstrip(g_strdup(lines[i]));

        if (command) {
            g_string_append_printf(command, "\n%s", lines[i]);
        } else if (*line == '#' || take_assignment(line, variables)) {
            continue;
        } else if (names_program(line)) {
            command = g_string_new(line);
        }
        if (command && !g_str_has_suffix(line, "\\")) {
            break;
        }
    }
    if (!command) {
        return g_strdup(script);
    }
    found = g_string_free(command, FALSE);
    if (g_str_has_prefix(found, "exec ")) {
        memmove(found, found + 5, strlen(found + 5) + 1);
    }
    return put_in_variables(found, variables);
}

/* ---- The configuration ---- */

static gboolean
add_sizes(VitConfig *config, const AppNewMachine *machine, GError **error)
{
    g_autofree char *ram = g_strdup_printf("%" G_GUINT64_FORMAT "M", machine->ram_bytes >> 20);
    g_autofree char *cpus = g_strdup_printf("%u", machine->cpus);

    return vit_config_add(config, VIT_ORIGIN_DIALOG, error, "m", "size", ram, NULL) &&
           (machine->cpus <= 1 ||
            vit_config_add(config, VIT_ORIGIN_DIALOG, error, "smp", "cpus", cpus, NULL));
}

static gboolean
add_drives(VitConfig *config, const AppNewMachine *machine, const char *folder, GError **error)
{
    const char *bus = machine->preset->disk_bus;
    g_autofree char *base = g_path_get_basename(machine->path);
    g_autofree char *inside =
        g_build_filename(folder, "disks", machine->source == APP_NEW_ISO ? "disk.raw" : base, NULL);

    if (machine->source == APP_NEW_IMAGE) {
        return vit_config_add(config, VIT_ORIGIN_DIALOG, error, "drive", "file",
                              machine->use == APP_USE_IN_PLACE ? machine->path : inside, "format",
                              machine->format ? machine->format : "raw", "if", bus, "index", "0",
                              NULL);
    }
    if (machine->disk_bytes &&
        !vit_config_add(config, VIT_ORIGIN_DIALOG, error, "drive", "file", inside, "format", "raw",
                        "if", bus, "index", "0", NULL)) {
        return FALSE;
    }
    /* the empty disk does not boot, so the CD comes next by itself */
    return vit_config_add(config, VIT_ORIGIN_DIALOG, error, "drive", "file", machine->path, "media",
                          "cdrom", "if", "ide", "index", "2", NULL) &&
           vit_config_add(config, VIT_ORIGIN_DIALOG, error, "boot", "order",
                          machine->disk_bytes ? "cd" : "d", NULL);
}

static VitConfig *
config_from_text(const AppNewMachine *machine, VitDiagList *diags, GError **error)
{
    g_autoptr(VitDiagList) own = vit_diag_list_new();
    VitDiagList *list = diags ? diags : own;
    g_autofree char *text = app_new_find_command(machine->text);
    g_autoptr(VitConfig) config = vit_config_parse(text, VIT_PARSE_DEFAULT, list);

    vit_config_check(config, vit_engine_get_registry(), list);
    if (!vit_diag_list_to_error(list, error)) {
        return NULL;
    }
    if (!vit_config_get(config, "name", "guest") &&
        !vit_config_add(config, VIT_ORIGIN_DIALOG, error, "name", "guest", machine->name, NULL)) {
        return NULL;
    }
    return g_steal_pointer(&config);
}

VitConfig *
app_new_config(const AppNewMachine *machine, const char *folder, VitDiagList *diags, GError **error)
{
    g_autoptr(VitConfig) config = NULL;

    if (machine->source == APP_NEW_TEXT) {
        return config_from_text(machine, diags, error);
    }
    if (machine->source == APP_NEW_FOLDER) {
        return NULL;
    }
    config = vit_config_new();
    if (!vit_config_add(config, VIT_ORIGIN_DIALOG, error, "name", "guest", machine->name, NULL) ||
        !add_sizes(config, machine, error)) {
        return NULL;
    }
    if (*machine->preset->arguments) {
        g_autoptr(VitConfig) preset =
            vit_config_parse(machine->preset->arguments, VIT_PARSE_DEFAULT, diags);

        for (unsigned i = 0; i < vit_config_get_n_items(preset); i++) {
            VitConfigItem *item = vit_config_get_item(preset, i);
            g_autoptr(GPtrArray) keys = g_ptr_array_new();
            g_autoptr(GPtrArray) values = g_ptr_array_new();

            for (unsigned p = 0; p < vit_config_item_get_n_params(item); p++) {
                g_ptr_array_add(keys, (gpointer)vit_config_item_get_param_key(item, p));
                g_ptr_array_add(values, (gpointer)vit_config_item_get_param_value(item, p));
            }
            g_ptr_array_add(keys, NULL);
            if (!vit_config_addv(config, VIT_ORIGIN_DIALOG, vit_config_item_get_name(item),
                                 (const char *const *)keys->pdata,
                                 (const char *const *)values->pdata, error)) {
                return NULL;
            }
        }
    }
    if (!add_drives(config, machine, folder, error)) {
        return NULL;
    }
    return g_steal_pointer(&config);
}

/* ---- Advice ---- */

guint64
app_host_ram_bytes(void)
{
    return (guint64)sysconf(_SC_PHYS_PAGES) * (guint64)sysconf(_SC_PAGESIZE);
}

guint64
app_host_free_bytes(AppLibrary *library)
{
    struct statvfs info;

    if (statvfs(g_file_peek_path(app_library_get_root(library)), &info) != 0) {
        return 0;
    }
    return (guint64)info.f_bavail * info.f_frsize;
}

static void advise(GString *text, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
advise(GString *text, const char *format, ...)
{
    va_list args;

    if (text->len) {
        g_string_append_c(text, '\n');
    }
    va_start(args, format);
    g_string_append_vprintf(text, format, args);
    va_end(args);
}

static void
advise_ram(GString *text, const AppNewMachine *machine, guint64 host_ram_bytes)
{
    g_autofree char *host = g_format_size_full(host_ram_bytes, G_FORMAT_SIZE_IEC_UNITS);
    guint64 most = machine->preset ? (guint64)machine->preset->most_ram_mib << 20 : 0;
    g_autofree char *most_text = g_format_size_full(most, G_FORMAT_SIZE_IEC_UNITS);

    if (host_ram_bytes && machine->ram_bytes > host_ram_bytes) {
        advise(text, _("This computer has only %s of memory: the machine may not start"), host);
    } else if (host_ram_bytes && machine->ram_bytes > host_ram_bytes / 2) {
        advise(text, _("That is more than half of this computer's %s of memory"), host);
    }
    if (most && machine->ram_bytes > most) {
        advise(text, _("%s cannot use more than %s of memory"), _(machine->preset->title),
               most_text);
    }
}

char *
app_new_advice(const AppNewMachine *machine, guint64 host_ram_bytes, guint host_cpus,
               guint64 free_disk_bytes)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *free_text = g_format_size_full(free_disk_bytes, G_FORMAT_SIZE_IEC_UNITS);
    guint most = machine->preset ? machine->preset->most_cpus : 0;

    advise_ram(text, machine, host_ram_bytes);
    if (host_cpus && machine->cpus > host_cpus) {
        advise(text,
               ngettext("This computer has %u processor; more make the machine slower",
                        "This computer has %u processors; more make the machine slower", host_cpus),
               host_cpus);
    }
    if (most && machine->cpus > most) {
        advise(text,
               ngettext("%s uses %u processor at most", "%s uses %u processors at most", most),
               _(machine->preset->title), most);
    }
    if (free_disk_bytes && machine->disk_bytes > free_disk_bytes) {
        advise(text, _("Only %s are free for the disk: it can run out of space as it fills"),
               free_text);
    }
    return text->len ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

/* ---- Making ---- */

static gboolean
make_disk(const char *path, guint64 len_bytes, GError **error)
{
    int fd = g_open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    if (fd < 0 || ftruncate(fd, (off_t)len_bytes) != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, _("Cannot make the disk %s: %s"), path,
                    g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return FALSE;
    }
    close(fd);
    return TRUE;
}

/* The disk of the machine, in the hidden folder. Thread: worker. */
static gboolean
make_content(Draft *draft, GError **error)
{
    const AppNewMachine *machine = &draft->machine;
    g_autofree char *base = machine->path ? g_path_get_basename(machine->path) : NULL;
    g_autofree char *disk = NULL;

    if (machine->source == APP_NEW_ISO && machine->disk_bytes) {
        disk = g_build_filename(draft->path, "disks", "disk.raw", NULL);
        return make_disk(disk, machine->disk_bytes, error);
    }
    if (machine->source != APP_NEW_IMAGE || machine->use == APP_USE_IN_PLACE) {
        return TRUE;
    }
    disk = g_build_filename(draft->path, "disks", base, NULL);
    /* on the same file system a second name costs nothing, and the first can go later */
    if (machine->use == APP_USE_MOVE && link(machine->path, disk) == 0) {
        return TRUE;
    }
    return app_copy_file(machine->path, disk, draft->job, error);
}

static void
run_draft(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Draft *draft = data;
    GError *error = NULL;
    g_autofree char *conf = g_build_filename(draft->path, "machine.conf", NULL);
    gboolean ok = make_content(draft, &error);

    if (ok) {
        vit_config_set_meta(draft->config, "vitrine.machine", "folder", draft->final_path);
        ok = vit_config_save(draft->config, conf, &error);
    }
    if (ok && g_rename(draft->path, draft->final_path) != 0) {
        g_set_error(&error, VIT_ERROR, VIT_ERROR_IO, _("Cannot make the folder %s: %s"),
                    draft->final_path, g_strerror(errno));
        ok = FALSE;
    }
    if (!ok) {
        app_remove_folder(draft->path);
        g_task_return_error(task, error);
        return;
    }
    if (draft->machine.source == APP_NEW_IMAGE && draft->machine.use == APP_USE_MOVE) {
        g_unlink(draft->machine.path);
    }
    g_task_return_boolean(task, TRUE);
}

/* A copy of a machine's folder joins the library. */
static void
on_folder_copied(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    Draft *draft = g_task_get_task_data(task);
    GError *error = NULL;

    if (!app_copy_folder_finish(result, &error)) {
        g_task_return_error(task, error);
    } else {
        g_task_return_boolean(task, TRUE);
    }
    app_job_finish(draft->job);
}

static void
create_from_folder(GTask *task, Draft *draft)
{
    g_autoptr(GFile) from = g_file_new_for_path(draft->machine.path);
    g_autoptr(GFile) conf = g_file_get_child(from, "machine.conf");
    g_autofree char *file_name = app_library_folder_name(draft->machine.name);
    g_autoptr(GFile) to = NULL;

    if (!g_file_query_exists(conf, NULL)) {
        g_task_return_new_error(task, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                                _("%s is no machine: there is no machine.conf in it"),
                                draft->machine.path);
        return;
    }
    if (draft->machine.use == APP_USE_IN_PLACE) {
        draft->final_path = g_strdup(draft->machine.path);
        g_task_return_boolean(task, TRUE);
        return;
    }
    to = file_name ? g_file_get_child(app_library_get_root(draft->library), file_name) : NULL;
    if (!to || g_file_query_exists(to, NULL)) {
        g_task_return_new_error(task, VIT_ERROR, VIT_ERROR_BUSY,
                                _("There is already a machine called “%s”: choose another name"),
                                draft->machine.name);
        return;
    }
    draft->final_path = g_file_get_path(to);
    draft->job = app_job_new(draft->machine.name);
    app_copy_folder_async(from, to, draft->job, on_folder_copied, g_object_ref(task));
}

static void
on_draft_done(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GTask) task = data;
    Draft *draft = g_task_get_task_data(G_TASK(result));
    GError *error = NULL;

    app_job_finish(draft->job);
    if (g_task_propagate_boolean(G_TASK(result), &error)) {
        Draft *outer = g_task_get_task_data(task);

        outer->final_path = g_strdup(draft->final_path);
        g_task_return_boolean(task, TRUE);
    } else {
        g_task_return_error(task, error);
    }
}

static Draft *
draft_new(AppLibrary *library, const AppNewMachine *machine)
{
    Draft *draft = g_new0(Draft, 1);

    draft->library = g_object_ref(library);
    draft->machine = *machine;
    draft->machine.name = g_strdup(machine->name);
    draft->machine.path = g_strdup(machine->path);
    draft->machine.text = g_strdup(machine->text);
    draft->machine.format = g_strdup(machine->format);
    return draft;
}

void
app_new_create_async(AppLibrary *library, const AppNewMachine *machine,
                     GAsyncReadyCallback callback, gpointer data)
{
    g_autoptr(GTask) task = g_task_new(library, NULL, callback, data);
    g_autoptr(GTask) work = NULL;
    Draft *draft = draft_new(library, machine), *worker;
    GError *error = NULL;

    g_task_set_task_data(task, draft, draft_free);
    if (machine->source == APP_NEW_FOLDER) {
        create_from_folder(task, draft);
        return;
    }
    /* the worker has a draft of its own: the result is handed over on this thread */
    worker = draft_new(library, machine);
    if (!draft_begin(worker, &error) ||
        !(worker->config = app_new_config(&worker->machine, worker->final_path, NULL, &error))) {
        if (worker->path) {
            app_remove_folder(worker->path);
        }
        draft_free(worker);
        g_task_return_error(task, error);
        return;
    }
    worker->job = app_job_new(machine->name);
    work = g_task_new(NULL, NULL, on_draft_done, g_object_ref(task));
    g_task_set_task_data(work, worker, draft_free);
    g_task_run_in_thread(work, run_draft);
}

AppEntry *
app_new_create_finish(AppLibrary *library, GAsyncResult *result, GError **error)
{
    Draft *draft = g_task_get_task_data(G_TASK(result));
    g_autoptr(GFile) folder = NULL;

    if (!g_task_propagate_boolean(G_TASK(result), error)) {
        return NULL;
    }
    folder = g_file_new_for_path(draft->final_path);
    return app_library_add_folder(library, folder, error);
}
