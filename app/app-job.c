/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Jobs, and the one that copies folders. Progress is kept in an atomic and announced at most a few
 * times a second. */

#include "app-job.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANNOUNCE_MS = 100, PARTS = 10000, CHUNK_BYTES = 1 << 20 };

struct _AppJob {
    GObject parent;
    char *title;
    GCancellable *cancellable;
    gint progress; /* atomic; parts of PARTS, negative: not known */
    guint timer;
};

G_DEFINE_FINAL_TYPE(AppJob, app_job, G_TYPE_OBJECT)

static guint changed_signal;

GListModel *
app_job_list(void)
{
    static GListStore *list;

    if (!list) {
        list = g_list_store_new(APP_TYPE_JOB);
    }
    return G_LIST_MODEL(list);
}

static gboolean
announce(gpointer data)
{
    g_signal_emit(data, changed_signal, 0);
    return G_SOURCE_CONTINUE;
}

AppJob *
app_job_new(const char *title)
{
    AppJob *job = g_object_new(APP_TYPE_JOB, NULL);

    job->title = g_strdup(title);
    job->timer = g_timeout_add(ANNOUNCE_MS, announce, job);
    g_list_store_append(G_LIST_STORE(app_job_list()), job);
    return job;
}

const char *
app_job_get_title(AppJob *job)
{
    return job->title;
}

GCancellable *
app_job_get_cancellable(AppJob *job)
{
    return job->cancellable;
}

double
app_job_get_progress(AppJob *job)
{
    return g_atomic_int_get(&job->progress) / (double)PARTS;
}

void
app_job_set_progress(AppJob *job, double fraction)
{
    g_atomic_int_set(&job->progress, fraction < 0 ? -PARTS : (gint)(fraction * PARTS));
}

void
app_job_cancel(AppJob *job)
{
    g_cancellable_cancel(job->cancellable);
}

void
app_job_finish(AppJob *job)
{
    GListStore *list = G_LIST_STORE(app_job_list());
    guint position;

    g_clear_handle_id(&job->timer, g_source_remove);
    if (g_list_store_find(list, job, &position)) {
        g_list_store_remove(list, position);
    }
}

/* ---- Copying ---- */

typedef struct Copy {
    GFile *from, *to;
    AppJob *job;
    goffset total_bytes, done_bytes;
} Copy;

static void
copy_free(gpointer data)
{
    Copy *copy = data;

    g_object_unref(copy->from);
    g_object_unref(copy->to);
    g_object_unref(copy->job);
    g_free(copy);
}

static goffset
count_bytes(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    goffset sum = 0;
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        GStatBuf info;

        if (g_lstat(child, &info) != 0) {
            continue;
        }
        sum += S_ISDIR(info.st_mode) ? count_bytes(child) : info.st_blocks * (goffset)512;
    }
    return sum;
}

static gboolean
fail(GError **error, const char *what, const char *path)
{
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), _("Cannot %s %s: %s"), what, path,
                g_strerror(errno));
    return FALSE;
}

/* Bytes FROM..END of one file. */
static gboolean
copy_range(Copy *copy, int in, int out, off_t from, off_t end, char *buffer, const char *path,
           GError **error)
{
    while (from < end) {
        ssize_t len = pread(in, buffer, MIN((off_t)CHUNK_BYTES, end - from), from);

        if (len < 0) {
            return fail(error, _("read"), path);
        }
        if (len == 0) {
            break;
        }
        if (pwrite(out, buffer, len, from) != len) {
            return fail(error, _("copy"), path);
        }
        from += len;
        copy->done_bytes += len;
        app_job_set_progress(copy->job, copy->total_bytes
                                            ? MIN(1.0, copy->done_bytes / (double)copy->total_bytes)
                                            : 0);
        if (g_cancellable_set_error_if_cancelled(app_job_get_cancellable(copy->job), error)) {
            return FALSE;
        }
    }
    return TRUE;
}

/* Holes stay holes. */
static gboolean
copy_file(Copy *copy, const char *from, const char *to, const GStatBuf *info, GError **error)
{
    int in = g_open(from, O_RDONLY | O_CLOEXEC, 0);
    int out =
        in < 0 ? -1 : g_open(to, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, info->st_mode & 0777);
    g_autofree char *buffer = g_malloc(CHUNK_BYTES);
    gboolean ok = out >= 0 && ftruncate(out, info->st_size) == 0;
    off_t at = 0;

    if (!ok) {
        fail(error, _("copy"), from);
    }
    while (ok && at < info->st_size) {
        off_t data = lseek(in, at, SEEK_DATA);
        off_t hole;

        if (data < 0) {
            break; /* ENXIO: the rest is a hole */
        }
        hole = lseek(in, data, SEEK_HOLE);
        ok = copy_range(copy, in, out, data, hole < 0 ? info->st_size : hole, buffer, from, error);
        at = hole < 0 ? info->st_size : hole;
    }
    if (ok && fsync(out) != 0) {
        ok = fail(error, _("copy"), from);
    }
    if (in >= 0) {
        close(in);
    }
    if (out >= 0) {
        close(out);
    }
    return ok;
}

gboolean
app_copy_file(const char *from, const char *to, AppJob *job, GError **error)
{
    Copy copy = { .job = job };
    GStatBuf info;

    if (g_stat(from, &info) != 0) {
        return fail(error, _("read"), from);
    }
    copy.total_bytes = info.st_blocks * (goffset)512;
    if (copy_file(&copy, from, to, &info, error)) {
        return TRUE;
    }
    g_unlink(to);
    return FALSE;
}

static gboolean
copy_tree(Copy *copy, const char *from, const char *to, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(from, 0, error);
    const char *name;

    if (!dir) {
        return FALSE;
    }
    if (g_mkdir(to, 0700) != 0) {
        return fail(error, _("make the folder"), to);
    }
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(from, name, NULL);
        g_autofree char *target = g_build_filename(to, name, NULL);
        GStatBuf info;

        if (g_stat(child, &info) != 0) {
            continue; /* a link to nowhere */
        }
        if (S_ISDIR(info.st_mode)
                ? !copy_tree(copy, child, target, error)
                : S_ISREG(info.st_mode) && !copy_file(copy, child, target, &info, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

void
app_remove_folder(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        GStatBuf info;

        if (g_lstat(child, &info) == 0 && S_ISDIR(info.st_mode)) {
            app_remove_folder(child);
        } else {
            g_unlink(child);
        }
    }
    g_rmdir(path);
}

static void
run_copy(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Copy *copy = data;
    GError *error = NULL;

    copy->total_bytes = count_bytes(g_file_peek_path(copy->from));
    if (copy_tree(copy, g_file_peek_path(copy->from), g_file_peek_path(copy->to), &error)) {
        g_task_return_boolean(task, TRUE);
    } else {
        app_remove_folder(g_file_peek_path(copy->to));
        g_task_return_error(task, error);
    }
}

void
app_copy_folder_async(GFile *from, GFile *to, AppJob *job, GAsyncReadyCallback callback,
                      gpointer data)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, data);
    Copy *copy = g_new0(Copy, 1);

    copy->from = g_object_ref(from);
    copy->to = g_object_ref(to);
    copy->job = g_object_ref(job);
    g_task_set_task_data(task, copy, copy_free);
    g_task_run_in_thread(task, run_copy);
}

gboolean
app_copy_folder_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- GObject ---- */

static void
app_job_dispose(GObject *object)
{
    AppJob *job = APP_JOB(object);

    g_clear_handle_id(&job->timer, g_source_remove);
    g_clear_object(&job->cancellable);
    g_clear_pointer(&job->title, g_free);
    G_OBJECT_CLASS(app_job_parent_class)->dispose(object);
}

static void
app_job_class_init(AppJobClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = app_job_dispose;
    changed_signal = g_signal_new("changed", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 0);
}

static void
app_job_init(AppJob *job)
{
    job->cancellable = g_cancellable_new();
    job->progress = -PARTS;
}
