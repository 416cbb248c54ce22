/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The blocking half of the local file driver. Short reads and writes, interrupted calls and the
 * limit on vector elements are dealt with here. Linux manual pages preadv2(2), fallocate(2),
 * lseek(2). Thread: any; errno never leaves the function that saw it. */

#include "blk-file-io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PREALLOC_CHUNK_BYTES = 1 << 20, MAX_ALIGN_BYTES = 4096 };

static void
advance_iov(struct iovec **iov, int *count, size_t done)
{
    while (*count > 0 && done >= (*iov)->iov_len) {
        done -= (*iov)->iov_len;
        (*iov)++;
        (*count)--;
    }
    if (*count > 0) {
        (*iov)->iov_base = (uint8_t *)(*iov)->iov_base + done;
        (*iov)->iov_len -= done;
    }
}

static void
zero_rest(struct iovec *iov, int count)
{
    for (; count > 0; iov++, count--) {
        memset(iov->iov_base, 0, iov->iov_len);
    }
}

/* That there is no space the write itself will say. */
static void
reserve(BlkFileIo *io)
{
    if (fallocate(io->fd, FALLOC_FL_KEEP_SIZE, (off_t)io->offset, (off_t)io->len) < 0) {
        io->reserve = errno != EOPNOTSUPP && errno != ENOSYS;
    }
}

int
blk_file_io(void *arg)
{
    BlkFileIo *io = arg;
    struct iovec *iov = io->iov;
    int count = io->iov_count;
    uint64_t done = 0;

    if (io->reserve) {
        reserve(io);
    }
    while (done < io->len) {
        off_t at = (off_t)(io->offset + done);
        int batch = MIN(count, IOV_MAX);
        ssize_t ret = io->write ? pwritev2(io->fd, iov, batch, at, io->sync ? RWF_DSYNC : 0)
                                : preadv(io->fd, iov, batch, at);
        if (ret < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -errno;
        }
        if (ret == 0 && io->write) {
            return -ENOSPC;
        }
        done += (uint64_t)ret;
        advance_iov(&iov, &count, (size_t)ret);
        if (!io->write && (ret == 0 || io->offset + done >= io->file_len)) {
            zero_rest(iov, count);
            break;
        }
    }
    return 0;
}

int
blk_file_io_timed(void *arg)
{
    BlkFileIo *io = arg;
    int64_t start_us = g_get_monotonic_time();
    int ret = blk_file_io(io);

    io->took_us = g_get_monotonic_time() - start_us;
    return ret;
}

int
blk_file_io_cached(void *arg)
{
    BlkFileIo *io = arg;
    ssize_t ret;

    if (io->iov_count > IOV_MAX || (!io->write && io->offset + io->len > io->file_len)) {
        return -EAGAIN;
    }
    ret = io->write ? pwritev2(io->fd, io->iov, io->iov_count, (off_t)io->offset, RWF_NOWAIT)
                    : preadv2(io->fd, io->iov, io->iov_count, (off_t)io->offset, RWF_NOWAIT);
    if (ret < 0) {
        return -errno;
    }
    if ((uint64_t)ret == io->len) {
        return 0;
    }
    advance_iov(&io->iov, &io->iov_count, (size_t)ret);
    io->offset += (uint64_t)ret;
    io->len -= (uint64_t)ret;
    return -EAGAIN;
}

int
blk_file_range(void *arg)
{
    BlkFileRange *range = arg;
    uint64_t pair[2] = { range->offset, range->len };
    int ret;

    do {
        switch (range->op) {
        case BLK_FILE_SYNC: ret = fdatasync(range->fd); break;
        case BLK_FILE_PUNCH:
            ret = fallocate(range->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            (off_t)range->offset, (off_t)range->len);
            break;
        case BLK_FILE_ZERO:
            ret =
                fallocate(range->fd, FALLOC_FL_ZERO_RANGE, (off_t)range->offset, (off_t)range->len);
            break;
        case BLK_FILE_DISCARD_DEVICE: ret = ioctl(range->fd, BLKDISCARD, pair); break;
        default: return -EINVAL;
        }
    } while (ret < 0 && errno == EINTR);
    if (ret == 0) {
        return 0;
    }
    /* What a file system or device cannot do, the caller does another way. */
    return errno == EOPNOTSUPP || errno == ENOSYS || errno == ENOTTY || errno == ENODEV ||
                   (errno == EINVAL && range->op != BLK_FILE_SYNC)
               ? -ENOTSUP
               : -errno;
}

static int
write_zero_bytes(int fd, uint64_t from, uint64_t to)
{
    g_autofree uint8_t *zeroes = g_malloc0(PREALLOC_CHUNK_BYTES);

    while (from < to) {
        ssize_t ret = pwrite(fd, zeroes, MIN(to - from, PREALLOC_CHUNK_BYTES), (off_t)from);
        if (ret < 0 && errno != EINTR) {
            return -errno;
        }
        from += ret > 0 ? (uint64_t)ret : 0;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

int
blk_file_resize(void *arg)
{
    BlkFileResize *resize = arg;
    int ret = 0;

    if (resize->prealloc == BLK_PREALLOC_OFF || resize->len <= resize->old_len) {
        return ftruncate(resize->fd, (off_t)resize->len) < 0 ? -errno : 0;
    }
    if (resize->prealloc == BLK_PREALLOC_FALLOC) {
        /* Gives an errno rather than setting it. */
        ret = -posix_fallocate(resize->fd, (off_t)resize->old_len,
                               (off_t)(resize->len - resize->old_len));
    } else {
        ret = write_zero_bytes(resize->fd, resize->old_len, resize->len);
    }
    if (ret < 0 && ftruncate(resize->fd, (off_t)resize->old_len) < 0) {
        return ret; /* the first failure is the one to tell */
    }
    return ret;
}

int
blk_file_seek(void *arg)
{
    BlkFileSeek *seek = arg;
    off_t start = (off_t)seek->offset, data = lseek(seek->fd, start, SEEK_DATA), hole;

    if (data < 0 && errno == ENXIO) {
        seek->is_data = false; /* a hole to the end */
        seek->run_len = seek->len;
        return 0;
    }
    if (data < 0) {
        seek->is_data = true; /* the file system does not say */
        seek->run_len = seek->len;
        return 0;
    }
    if (data > start) {
        seek->is_data = false;
        seek->run_len = MIN((uint64_t)(data - start), seek->len);
        return 0;
    }
    hole = lseek(seek->fd, start, SEEK_HOLE);
    seek->is_data = true;
    seek->run_len = hole > start ? (uint64_t)(hole - start) : seek->len;
    return 0;
}

static bool
can_read(int fd, void *buf, size_t len)
{
    ssize_t ret;

    do {
        ret = pread(fd, buf, len, 0);
    } while (ret < 0 && errno == EINTR);
    return ret >= 0 || errno != EINVAL;
}

int
blk_file_probe_align(void *arg)
{
    BlkFileAlign *align = arg;
    uint8_t *buf = NULL;
    int sector = 0;

    if (posix_memalign((void **)&buf, MAX_ALIGN_BYTES, 2 * MAX_ALIGN_BYTES) != 0) {
        return -ENOMEM;
    }
    align->request_align = align->memory_align = MAX_ALIGN_BYTES;
    if (ioctl(align->fd, BLKSSZGET, &sector) == 0 && sector >= 512 && sector <= MAX_ALIGN_BYTES &&
        (sector & (sector - 1)) == 0) {
        align->request_align = (uint32_t)sector;
    } else if (lseek(align->fd, 0, SEEK_END) >= MAX_ALIGN_BYTES) {
        for (uint32_t len = 512; len < MAX_ALIGN_BYTES; len *= 2) {
            if (can_read(align->fd, buf, len)) {
                align->request_align = len;
                break;
            }
        }
    }
    for (uint32_t at = 512; at < MAX_ALIGN_BYTES; at *= 2) {
        if (can_read(align->fd, buf + at, align->request_align)) {
            align->memory_align = at;
            break;
        }
    }
    free(buf);
    return 0;
}
