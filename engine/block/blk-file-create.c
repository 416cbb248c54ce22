/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* New files: images, and nameless temporary ones. Thread: in a fiber. */

#include "blk-file-io.h"
#include "blk-file-lock.h"
#include "blk-file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct CreateJob {
    const char *path;
    const BlkNewFile *wish;
    bool is_new;   /* result */
    GError *error; /* result */
} CreateJob;

static int
open_for_create(CreateJob *job)
{
    int fd = open(job->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    job->is_new = fd >= 0;
    if (fd < 0 && errno == EEXIST) {
        fd = open(job->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd < 0) {
        g_set_error(&job->error, VIT_ERROR,
                    errno == ENOENT ? VIT_ERROR_NOT_FOUND : VIT_ERROR_PERMISSION,
                    "Cannot make '%s': %s.", job->path, g_strerror(errno));
    }
    return fd;
}

static void
set_no_cow(int fd)
{
    int flags;

    /* A wish: file systems without such a flag need none. */
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_NOCOW_FL;
        ioctl(fd, FS_IOC_SETFLAGS, &flags);
    }
}

static int
fill_file(int fd, const CreateJob *job)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return -EINVAL;
    }
    if (ftruncate(fd, 0) < 0) {
        return -errno;
    }
    if (job->wish->no_cow) {
        set_no_cow(fd);
    }
    BlkFileResize resize = { .fd = fd, .len = job->wish->len, .prealloc = job->wish->prealloc };
    return blk_file_resize(&resize);
}

static int
create_worker(void *arg)
{
    CreateJob *job = arg;
    int fd = open_for_create(job), ret;
    bool supported;

    if (fd < 0) {
        return -1;
    }
    if (!job->is_new &&
        !blk_file_lock_add(fd, job->path, 0, BLK_PERM_ALL, BLK_PERM_WRITE | BLK_PERM_RESIZE, 0,
                           &supported, &job->error)) {
        close(fd);
        return -1;
    }
    ret = fill_file(fd, job);
    close(fd);
    if (ret < 0) {
        g_set_error(&job->error, VIT_ERROR, VIT_ERROR_IO,
                    "Cannot give '%s' %" G_GUINT64_FORMAT " bytes: %s.", job->path, job->wish->len,
                    g_strerror(-ret));
        if (job->is_new) {
            unlink(job->path);
        }
    }
    return ret;
}

bool
blk_file_create(BlkGraph *graph, const char *path, const BlkNewFile *wish, bool *out_is_new,
                GError **error)
{
    CreateJob job = { .path = path, .wish = wish };

    if (wish->len > INT64_MAX) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': an image of %" G_GUINT64_FORMAT " bytes is too large for a file.", path,
                    wish->len);
        return false;
    }
    if (wish->prealloc == BLK_PREALLOC_METADATA) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': a plain file has no metadata to preallocate; use preallocation=off, "
                    "falloc or full.",
                    path);
        return false;
    }
    if (blk_pool_run(blk_graph_get_context(graph), create_worker, &job) < 0) {
        g_propagate_error(error, job.error);
        return false;
    }
    *out_is_new = job.is_new;
    return true;
}

/* ---- temporary files ---- */

typedef struct TemporaryJob {
    char *path;
    uint64_t len;
    GError *error;
} TemporaryJob;

/* Opened by name once more, then unlinked: the node's descriptor keeps it. */
static int
temporary_worker(void *arg)
{
    TemporaryJob *job = arg;
    const char *dir = g_getenv("TMPDIR");
    g_autofree char *template =
        g_build_filename(dir && *dir ? dir : "/var/tmp", "vitrine-overlay-XXXXXX", NULL);
    int fd = mkostemp(template, O_CLOEXEC);

    if (fd < 0 || ftruncate(fd, (off_t)job->len) < 0) {
        g_set_error(&job->error, VIT_ERROR, VIT_ERROR_IO,
                    "No temporary file of %" G_GUINT64_FORMAT " bytes can be made as '%s': %s. "
                    "Set TMPDIR to a folder with room.",
                    job->len, template, g_strerror(errno));
        if (fd >= 0) {
            unlink(template);
            close(fd);
        }
        return -1;
    }
    close(fd);
    job->path = g_steal_pointer(&template);
    return 0;
}

BlkNode *
blk_file_open_temporary(BlkGraph *graph, uint64_t len, GError **error)
{
    TemporaryJob job = { .len = len };
    g_autoptr(BlkOptions) options = blk_options_new();
    g_autofree char *path = NULL;
    BlkNode *node;

    if (blk_pool_run(blk_graph_get_context(graph), temporary_worker, &job) < 0) {
        g_propagate_error(error, job.error);
        return NULL;
    }
    path = job.path;
    blk_options_set(options, "driver", "file");
    blk_options_set(options, "filename", path);
    blk_options_set(options, "discard", "unmap");
    blk_options_set(options, "cache.no-flush", "on");
    node = blk_open_in_fiber(graph, options, true, error);
    unlink(path);
    return node;
}
