/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Images in local files and on host devices.
 *
 * What the page cache can serve or take without waiting is done at once, as everything short in a
 * file system that lies in memory; short writes to the page cache, which hardly ever wait, by the
 * CPU's thread once it has no lock; the rest goes to pool workers (blk-file-io.c). cache.direct
 * opens with O_DIRECT and takes its alignment from the file. A flush is fdatasync; once one has
 * failed, later ones fail too, because Linux then forgets which pages were lost (fsync(2)) and a
 * later success would be a lie. Locks are in blk-file-lock.c.
 *
 * aio=native and aio=io_uring give reads and writes to the kernel's queues (blk-aio.c).
 *
 * Not yet: ejecting the host's optical drive.
 * Thread: the lock of the node's context held. */

#include "blk-aio.h"
#include "blk-file-io.h"
#include "blk-file-lock.h"
#include "blk-file.h"
#include "blk-graph-private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/cdrom.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    INLINE_IOV = 16,
    CACHED_BYTES = 128 * 1024,
    RESERVE_BYTES = 512 * 1024,
    BRIEF_BYTES = 64 * 1024,
    ALONG_BYTES = 16 * 1024,
    PAGE_BYTES = 4096,
    SLOW_US = 5000,
    SHORT_PAUSE_US = 1000 * 1000,
    LONG_PAUSE_US = 64 * 1000 * 1000,
};
enum { AIO_THREADS, AIO_NATIVE, AIO_IO_URING };

typedef struct BlkFile {
    char *filename;
    int32_t aio, locking;
    int fd; /* 0 before the open; a real descriptor is never 0 here */
    bool is_device, is_cdrom, has_locks, no_cached_reads, no_cached_writes, no_punch, no_zero;
    bool in_memory;  /* of a file system that has no disk */
    bool reserves;   /* ... where long writes are faster into blocks that are allocated */
    uint64_t len;    /* of a regular file, as this node left it */
    BlkAio *engine;  /* of the graph; NULL: worker threads */
    BlkTurns writes; /* into the page cache: the host's kernel lets in one at a time */
    bool is_local;   /* no server is needed to write to its page cache */
    int64_t slow_until_us, slow_for_us; /* short writes, of late */
    uint64_t data_start, data_end;      /* no hole, when it was last looked for */
    uint64_t discards_ok, discards_failed, discarded_bytes;
    int flush_error;
    unsigned held_perm, held_shared;
} BlkFile;

/* ---- opening ---- */

typedef struct OpenJob {
    const char *path;
    int flags;
    bool has_fd; /* fd is open already, of a descriptor set */
    int fd;      /* result */
    struct stat st;
    bool in_memory, reserves, is_local;
} OpenJob;

/* ext4 reserves what has no blocks yet block by block: 128 MiB written at 2 MiB a time take 24 ms,
 * 17 after fallocate of each. */
static void
look_at_file_system(OpenJob *job)
{
    struct statfs fs;

    if (S_ISREG(job->st.st_mode) && fstatfs(job->fd, &fs) == 0) {
        job->in_memory = fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
        job->reserves = fs.f_type == EXT4_SUPER_MAGIC;
        job->is_local = fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC ||
                        fs.f_type == BTRFS_SUPER_MAGIC || fs.f_type == F2FS_SUPER_MAGIC;
    }
}

/* Never descriptor 0..2: one of those given away as standard output would be a lost image. */
static int
open_worker(void *arg)
{
    OpenJob *job = arg;
    /* Without O_NONBLOCK a FIFO would hang and an empty optical drive fail. */
    int fd =
        job->has_fd ? job->fd : open(job->path, job->flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd >= 0 && fd < 3) {
        int higher = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        close(fd);
        fd = higher;
    }
    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &job->st) < 0) {
        int ret = -errno;
        close(fd);
        return ret;
    }
    job->fd = fd;
    look_at_file_system(job);
    return 0;
}

static void
set_folder_error(const char *filename, GError **error)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "'%s' is a folder, not a disk image.",
                filename);
}

static void
set_open_error(const BlkNode *node, const char *filename, int ret, GError **error)
{
    VitError code = ret == -ENOENT                     ? VIT_ERROR_NOT_FOUND
                    : ret == -EACCES || ret == -EPERM  ? VIT_ERROR_PERMISSION
                    : ret == -EROFS || ret == -ETXTBSY ? VIT_ERROR_PERMISSION
                                                       : VIT_ERROR_IO;
    const char *next = "";

    if (ret == -EISDIR) {
        set_folder_error(filename, error);
        return;
    }
    if (ret == -ENOENT) {
        next = " Check the name and the folder.";
    } else if (code == VIT_ERROR_PERMISSION && !node->read_only) {
        next = " Change its permissions, or open it read-only.";
    } else if (ret == -EINVAL && node->cache_direct) {
        next = " The file system has no direct access: leave cache.direct off (cache=none and "
               "cache=directsync turn it on).";
    }
    g_set_error(error, VIT_ERROR, code, "Cannot open '%s': %s.%s", filename, g_strerror(-ret),
                next);
}

static bool
check_type(const BlkNode *node, const char *filename, const struct stat *st, GError **error)
{
    bool wants_device = node->driver != &blk_file_driver;

    if (S_ISDIR(st->st_mode)) {
        set_folder_error(filename, error);
    } else if (!wants_device && !S_ISREG(st->st_mode)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is not a regular file. For a disk of the host use driver=host_device.",
                    filename);
    } else if (wants_device && !S_ISBLK(st->st_mode)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is not a block device. For a file use driver=file.", filename);
    } else {
        return true;
    }
    return false;
}

static int
open_flags(const BlkNode *node, bool read_only)
{
    return (read_only ? O_RDONLY : O_RDWR) | (node->cache_direct ? O_DIRECT : 0);
}

static int
open_once(BlkNode *node, OpenJob *job, bool read_only)
{
    job->flags = open_flags(node, read_only);
    if (blk_path_is_fdset(job->path)) {
        job->fd = blk_graph_open_fdset(node->graph, job->path, job->flags);
        job->has_fd = true;
        if (job->fd < 0) {
            return job->fd;
        }
        if (node->cache_direct) {
            fcntl(job->fd, F_SETFL, fcntl(job->fd, F_GETFL) | O_DIRECT);
        }
    }
    return blk_pool_run(node->context, open_worker, job);
}

static int
open_path(BlkNode *node, OpenJob *job)
{
    int ret = open_once(node, job, node->read_only);

    if ((ret == -EACCES || ret == -EROFS || ret == -EPERM) && !node->read_only &&
        node->auto_read_only) {
        node->read_only = true;
        ret = open_once(node, job, true);
    }
    return ret;
}

static bool
choose_engine(BlkNode *node, GError **error)
{
    BlkFile *file = node->state;

    if (file->aio == AIO_NATIVE && !node->cache_direct) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': aio=native needs cache.direct=on (cache=none or directsync).",
                    file->filename);
        return false;
    }
    if (file->aio == AIO_THREADS) {
        return true;
    }
    file->engine = blk_graph_get_aio(
        node->graph, file->aio == AIO_NATIVE ? BLK_AIO_NATIVE : BLK_AIO_IO_URING, error);
    return file->engine != NULL;
}

static bool
file_open(BlkNode *node, GError **error)
{
    BlkFile *file = node->state;
    OpenJob job = { .path = file->filename };
    int ret;

    file->held_shared = BLK_PERM_ALL;
    node->filename = g_strdup(file->filename);
    if (!choose_engine(node, error)) {
        return false;
    }
    ret = open_path(node, &job);
    if (ret < 0) {
        set_open_error(node, file->filename, ret, error);
        return false;
    }
    file->fd = job.fd;
    if (!check_type(node, file->filename, &job.st, error)) {
        return false;
    }
    file->is_device = !S_ISREG(job.st.st_mode);
    file->in_memory = job.in_memory;
    file->reserves = job.reserves;
    file->is_local = job.is_local;
    file->is_cdrom = strcmp(node->driver->name, "host_cdrom") == 0;
    file->has_locks = file->locking != VIT_OFF;
    file->len = file->is_device ? 0 : (uint64_t)job.st.st_size;
    node->limits.write_flags = BLK_REQ_FUA;
    node->limits.zeroes_flags = BLK_REQ_MAY_UNMAP;
    return true;
}

static void
file_refresh_limits(BlkNode *node)
{
    BlkFile *file = node->state;
    BlkFileAlign align = { .fd = file->fd };

    if (node->cache_direct && blk_pool_run(node->context, blk_file_probe_align, &align) == 0) {
        node->limits.request_align = align.request_align;
        node->limits.memory_align = align.memory_align;
        node->limits.zeroes_align = node->limits.discard_align = align.request_align;
    }
    if (file->is_device) {
        node->limits.zeroes_align = MAX(node->limits.zeroes_align, 4096);
        node->limits.discard_align = MAX(node->limits.discard_align, 4096);
    }
}

static void
file_close(BlkNode *node)
{
    BlkFile *file = node->state;

    if (file->fd > 0) {
        close(file->fd); /* and with it the locks */
    }
}

/* ---- data ---- */

static int64_t
file_get_len(BlkNode *node)
{
    BlkFile *file = node->state;

    return file->is_device ? (int64_t)lseek(file->fd, 0, SEEK_END) : (int64_t)file->len;
}

/* Where several threads run the context, one does short transfers by itself: handing on the context
 * and taking it back costs more than a copy that short. 128 pieces of 64 KiB, raw to qcow2 on two
 * processors: 11.7 ms of theirs with handing on, 9.8 without. */
static int
run_copy(BlkNode *node, BlkTurns *turns, int (*func)(void *arg), BlkFileIo *io)
{
    return io->len <= BRIEF_BYTES ? blk_pool_run_brief(node->context, turns, func, io)
                                  : blk_pool_run_here(node->context, turns, func, io);
}

/* -EAGAIN: not done, or not all; what is left is in IO. A long copy would hold up everybody who
 * waits for the lock, unless it is done without. */
static int
try_at_once(BlkNode *node, BlkFileIo *io)
{
    BlkFile *file = node->state;
    bool parallel = blk_context_is_parallel(node->context);
    bool *is_unable = io->write ? &file->no_cached_writes : &file->no_cached_reads;
    int ret;

    if (node->cache_direct || io->sync || (io->write && file->is_device) ||
        (parallel ? io->write : io->len > CACHED_BYTES)) {
        return -EAGAIN;
    }
    if (file->in_memory && !parallel) {
        return blk_file_io(io);
    }
    if (*is_unable) {
        return -EAGAIN;
    }
    ret = parallel ? run_copy(node, NULL, blk_file_io_cached, io) : blk_file_io_cached(io);
    *is_unable = ret == -EOPNOTSUPP || ret == -ENOSYS;
    return ret == 0 ? 0 : -EAGAIN;
}

/* Short writes of whole pages need no disk, mostly: on ext4 a copy of 3 us, for which nobody need
 * be woken. Where the host makes one wait all the same, as it does when it has too much to write to
 * its disks, the next go to workers for a while, longer each time. */
static int
write_along(BlkNode *node, BlkFileIo *io)
{
    BlkFile *file = node->state;
    int ret = blk_pool_run_along(node->context, &file->writes, blk_file_io_timed, io);

    if (io->took_us > SLOW_US) {
        int64_t now_us = g_get_monotonic_time();
        bool is_again = file->slow_for_us && now_us - file->slow_until_us < 4 * file->slow_for_us;
        file->slow_for_us = is_again ? MIN(4 * file->slow_for_us, LONG_PAUSE_US) : SHORT_PAUSE_US;
        file->slow_until_us = now_us + file->slow_for_us;
    }
    return ret;
}

static bool
goes_along(BlkNode *node, const BlkFileIo *io)
{
    const BlkFile *file = node->state;

    return file->is_local && io->len <= ALONG_BYTES && !((io->offset | io->len) % PAGE_BYTES) &&
           (!file->slow_until_us || g_get_monotonic_time() >= file->slow_until_us);
}

/* Into the page cache, in turn. Only a tool's copy reserves: a guest's writes go to blocks that are
 * there, mostly. */
static int
write_cached(BlkNode *node, BlkFileIo *io)
{
    BlkFile *file = node->state;
    bool reserve =
        file->reserves && io->len >= RESERVE_BYTES && blk_context_is_parallel(node->context);
    int ret;

    if (goes_along(node, io)) {
        return write_along(node, io);
    }
    io->reserve = reserve;
    ret = run_copy(node, &file->writes, blk_file_io, io);
    file->reserves &= io->reserve || !reserve;
    return ret;
}

static int
run_io(BlkNode *node, BlkFileIo *io, const BlkVec *vec, uint64_t at)
{
    BlkFile *file = node->state;
    struct iovec inline_iov[INLINE_IOV];
    g_autofree struct iovec *long_iov = NULL;

    if (vec->count > INLINE_IOV) {
        long_iov = g_new(struct iovec, vec->count);
    }
    io->fd = file->fd;
    io->iov = long_iov ? long_iov : inline_iov;
    io->iov_count = blk_vec_slice(vec, at, io->len, io->iov);
    int ret = try_at_once(node, io);
    if (ret != -EAGAIN) {
        return ret;
    }
    bool is_cached_write = io->write && !io->sync && !node->cache_direct && !file->is_device;
    /* A file system that cannot write to the page cache without waiting makes io_uring have it done
     * by threads of the kernel's, which take longer than ours. */
    if (file->engine && !(is_cached_write && file->no_cached_writes)) {
        return blk_aio_run(file->engine, io);
    }
    if (is_cached_write) {
        return write_cached(node, io);
    }
    return blk_pool_run(node->context, blk_file_io, io);
}

static int
file_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    BlkFileIo io = { .offset = offset, .len = len, .file_len = (uint64_t)file_get_len(node) };

    if (offset >= io.file_len) {
        blk_vec_fill(vec, at, len, 0);
        return 0;
    }
    return run_io(node, &io, vec, at);
}

static void
note_end(BlkFile *file, uint64_t end)
{
    file->len = MAX(file->len, end);
}

static int
file_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
           unsigned flags)
{
    BlkFile *file = node->state;
    BlkFileIo io = { .write = true,
                     .sync = (flags & BLK_REQ_FUA) && !node->no_flush,
                     .offset = offset,
                     .len = len };
    int ret = run_io(node, &io, vec, at);

    if (ret == 0) {
        note_end(file, offset + len);
    }
    return ret;
}

static int
run_range(BlkNode *node, BlkFileRangeOp op, uint64_t offset, uint64_t len)
{
    BlkFile *file = node->state;
    BlkFileRange range = { .fd = file->fd, .op = op, .offset = offset, .len = len };

    if (op != BLK_FILE_SYNC) {
        file->data_end = 0;
    }
    return file->in_memory && op == BLK_FILE_SYNC
               ? blk_file_range(&range)
               : blk_pool_run(node->context, blk_file_range, &range);
}

static int
file_flush(BlkNode *node)
{
    BlkFile *file = node->state;
    int ret;

    if (node->no_flush) {
        return 0;
    }
    if (file->flush_error) {
        return file->flush_error;
    }
    ret = run_range(node, BLK_FILE_SYNC, 0, 0);
    if (ret < 0 && !node->cache_direct) {
        file->flush_error = ret;
    }
    return ret;
}

static int
file_discard(BlkNode *node, uint64_t offset, uint64_t len)
{
    BlkFile *file = node->state;
    int ret =
        run_range(node, file->is_device ? BLK_FILE_DISCARD_DEVICE : BLK_FILE_PUNCH, offset, len);

    if (ret < 0) {
        file->discards_failed++;
    } else {
        file->discards_ok++;
        file->discarded_bytes += len;
    }
    return ret;
}

/* Zeroes that free their blocks are writes, and not counted here. */
static unsigned
file_get_counters(const BlkNode *node, BlkCounter *out)
{
    const BlkFile *file = node->state;

    out[0] = (BlkCounter){ "discard-nb-ok", file->discards_ok };
    out[1] = (BlkCounter){ "discard-nb-failed", file->discards_failed };
    out[2] = (BlkCounter){ "discard-bytes-ok", file->discarded_bytes };
    return 3;
}

/* A hole keeps the length, so the end may have to be moved. */
static int
punch_zeroes(BlkNode *node, uint64_t offset, uint64_t len)
{
    BlkFile *file = node->state;
    int ret = run_range(node, BLK_FILE_PUNCH, offset, len);

    if (ret == 0 && !file->is_device && offset + len > file->len) {
        BlkFileResize resize = { .fd = file->fd, .old_len = file->len, .len = offset + len };
        ret = blk_pool_run(node->context, blk_file_resize, &resize);
    }
    return ret;
}

static int
file_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    BlkFile *file = node->state;
    int ret = -ENOTSUP;

    if ((flags & BLK_REQ_MAY_UNMAP) && !file->no_punch) {
        ret = punch_zeroes(node, offset, len);
        file->no_punch = ret == -ENOTSUP;
    }
    if (ret == -ENOTSUP && !file->no_zero) {
        ret = run_range(node, BLK_FILE_ZERO, offset, len);
        file->no_zero = ret == -ENOTSUP;
    }
    if (ret == 0 && !file->is_device) {
        note_end(file, offset + len);
    }
    return ret;
}

static int
file_status(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out)
{
    BlkFile *file = node->state;
    BlkFileSeek seek = { .fd = file->fd, .offset = offset, .len = len };

    out->map_node = node;
    out->map_offset = offset;
    out->flags = BLK_STATUS_DATA | BLK_STATUS_ALLOCATED | BLK_STATUS_MAPPED;
    if (file->is_device) {
        return 0;
    }
    if (offset >= file->data_start && offset < file->data_end) {
        out->len_bytes = file->data_end - offset;
        return 0;
    }
    int ret = blk_pool_run_brief(node->context, NULL, blk_file_seek, &seek);
    if (ret == 0 && seek.is_data) {
        file->data_start = offset;
        file->data_end = offset + seek.run_len;
    }
    if (ret == 0) {
        out->len_bytes = seek.run_len;
        out->flags = (seek.is_data ? BLK_STATUS_DATA : BLK_STATUS_ZERO) | BLK_STATUS_ALLOCATED |
                     BLK_STATUS_MAPPED;
    }
    return ret;
}

static int64_t
file_get_allocated_len(BlkNode *node)
{
    const BlkFile *file = node->state;
    struct stat st;

    return fstat(file->fd, &st) < 0 ? -1 : (int64_t)st.st_blocks * 512;
}

static bool
file_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    BlkFile *file = node->state;
    BlkFileResize resize = {
        .fd = file->fd, .old_len = file->len, .len = len, .prealloc = prealloc
    };
    int ret;

    if (file->is_device) {
        return blk_fits(node, len, prealloc, error);
    }
    if (prealloc == BLK_PREALLOC_METADATA || (prealloc != BLK_PREALLOC_OFF && len < file->len)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    prealloc == BLK_PREALLOC_METADATA
                        ? "'%s': a plain file has no metadata to preallocate; use "
                          "preallocation=off, falloc or full."
                        : "'%s' becomes smaller: preallocation has no meaning there.",
                    file->filename);
        return false;
    }
    ret = blk_pool_run(node->context, blk_file_resize, &resize);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "Cannot change the size of '%s' to %" G_GUINT64_FORMAT " bytes: %s.",
                    file->filename, len, g_strerror(-ret));
        return false;
    }
    file->len = len;
    file->data_end = 0;
    return true;
}

/* ---- locks and access ---- */

static bool
file_prepare_perm(BlkNode *node, unsigned perm, unsigned shared, GError **error)
{
    BlkFile *file = node->state;
    bool supported = true;

    if (!file->has_locks || file->fd <= 0) {
        return true;
    }
    if (!blk_file_lock_add(file->fd, file->filename, file->held_perm, file->held_shared, perm,
                           shared, &supported, error)) {
        return false;
    }
    if (!supported && file->locking == VIT_ON) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "'%s' cannot be locked: its file system has no locks. Use locking=off if "
                    "nothing else uses the image.",
                    file->filename);
        return false;
    }
    file->has_locks = supported;
    return true;
}

static void
file_commit_perm(BlkNode *node, unsigned perm, unsigned shared)
{
    BlkFile *file = node->state;

    if (file->has_locks && file->fd > 0) {
        blk_file_lock_keep(file->fd, perm, shared);
        file->held_perm = perm;
        file->held_shared = shared;
    }
}

static void
file_abort_perm(BlkNode *node)
{
    BlkFile *file = node->state;

    if (file->has_locks && file->fd > 0) {
        blk_file_lock_keep(file->fd, file->held_perm, file->held_shared);
    }
}

static bool
file_set_read_only(BlkNode *node, bool read_only, GError **error)
{
    BlkFile *file = node->state;
    /* The same file even if its name has moved. */
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", file->fd);
    OpenJob job = { .path = path, .flags = open_flags(node, read_only) };
    int ret = blk_pool_run(node->context, open_worker, &job);

    if (ret < 0) {
        set_open_error(node, file->filename, ret, error);
        return false;
    }
    if (file->has_locks && !blk_file_lock_copy(job.fd, file->held_perm, file->held_shared)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY, "'%s' cannot be locked anew.",
                    file->filename);
        close(job.fd);
        return false;
    }
    close(file->fd);
    file->fd = job.fd;
    return true;
}

static bool
file_is_inserted(BlkNode *node)
{
    const BlkFile *file = node->state;

    return !file->is_cdrom || ioctl(file->fd, CDROM_DRIVE_STATUS, CDSL_CURRENT) == CDS_DISC_OK;
}

static bool
cdrom_open(BlkNode *node, GError **error)
{
    if (!node->read_only && node->auto_read_only) {
        node->read_only = true;
    }
    if (!node->read_only) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The host's optical drive can only be read: add read-only=on.");
        return false;
    }
    return file_open(node, error);
}

static const char *const aio_words[] = { "threads", "native", "io_uring", NULL };

static const VitProp options[] = {
    VIT_PROP_STRING(BlkFile, filename, "filename", NULL, VIT_N_("Path of the image"),
                    .flags = VIT_PROP_REQUIRED),
    VIT_PROP_ENUM(BlkFile, aio, "aio", aio_words, AIO_THREADS, VIT_N_("How the host does I/O")),
    VIT_PROP_ONOFFAUTO(BlkFile, locking, "locking", VIT_AUTO,
                       VIT_N_("Lock the image against other programs")),
    { 0 }
};

#define FILE_OPS                                                                                   \
    .role = BLK_ROLE_PROTOCOL, .state_size = sizeof(BlkFile), .options = options,                  \
    .close = file_close, .read = file_read, .write = file_write, .flush = file_flush,              \
    .discard = file_discard, .write_zeroes = file_write_zeroes, .get_len = file_get_len,           \
    .truncate = file_truncate, .status = file_status, .get_allocated_len = file_get_allocated_len, \
    .refresh_limits = file_refresh_limits, .is_inserted = file_is_inserted,                        \
    .prepare_perm = file_prepare_perm, .commit_perm = file_commit_perm,                            \
    .abort_perm = file_abort_perm, .set_read_only = file_set_read_only

static bool
file_make(BlkNode *node, const BlkNewFile *wish, bool *out_is_new, GError **error)
{
    const BlkFile *file = node->state;

    return blk_file_create(node->graph, file->filename, wish, out_is_new, error);
}

static void
file_remove(BlkNode *node)
{
    const BlkFile *file = node->state;
    struct stat st;

    /* What was a file when it was made may be anything by now. */
    if (lstat(file->filename, &st) == 0 && S_ISREG(st.st_mode)) {
        unlink(file->filename);
    }
}

const BlkDriver blk_file_driver = {
    .name = "file",
    .title = VIT_N_("Local file"),
    .open = file_open,
    .make_file = file_make,
    .remove_file = file_remove,
    .get_counters = file_get_counters,
    FILE_OPS,
};

const BlkDriver blk_host_device_driver = {
    .name = "host_device",
    .title = VIT_N_("Disk of the host"),
    .open = file_open,
    .holds_images = true,
    .get_counters = file_get_counters,
    FILE_OPS,
};

const BlkDriver blk_host_cdrom_driver = {
    .name = "host_cdrom",
    .title = VIT_N_("Optical drive of the host"),
    .open = cdrom_open,
    FILE_OPS,
};
