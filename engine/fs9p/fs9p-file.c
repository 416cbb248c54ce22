/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Open files that are descriptors of the host's. Thread: any; one caller at a time for each folder
 * that is read. */

#include "fs9p-file.h"

#include <errno.h>
#include <unistd.h>

int
fs9p_file_new(int fd, bool is_dir, Fs9pFile **out)
{
    Fs9pFile *file = g_new0(Fs9pFile, 1);

    file->fd = fd;
    if (is_dir && !(file->dir = fdopendir(fd))) {
        int ret = -errno;
        close(fd);
        g_free(file);
        return ret;
    }
    *out = file;
    return 0;
}

bool
fs9p_file_is_plain(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

void
fs9p_file_close(Fs9pFs *fs, Fs9pFile *file)
{
    if (file->dir) {
        closedir(file->dir);
    } else {
        close(file->fd);
    }
    g_free(file);
}

ssize_t
fs9p_file_pread(Fs9pFs *fs, Fs9pFile *file, void *buf, size_t len, uint64_t at)
{
    ssize_t done = pread(file->fd, buf, len, (off_t)at);

    return done < 0 ? -errno : done;
}

ssize_t
fs9p_file_write(Fs9pFile *file, const void *buf, size_t len, uint64_t at, bool writeout)
{
    ssize_t done = pwrite(file->fd, buf, len, (off_t)at);

    return done < 0 || (writeout && done > 0 && fdatasync(file->fd) < 0) ? -errno : done;
}

int
fs9p_file_fsync(Fs9pFs *fs, Fs9pFile *file, bool data_only)
{
    return (data_only ? fdatasync(file->fd) : fsync(file->fd)) < 0 ? -errno : 0;
}

int
fs9p_file_readdir(Fs9pFs *fs, Fs9pFile *file, uint64_t at,
                  bool (*visit)(void *opaque, const Fs9pEntry *entry), void *opaque)
{
    struct dirent *entry;

    if (at) {
        seekdir(file->dir, (long)at);
    } else {
        rewinddir(file->dir);
    }
    for (errno = 0; (entry = readdir(file->dir)); errno = 0) {
        Fs9pEntry out = { entry->d_ino, (uint64_t)entry->d_off, entry->d_type, entry->d_name };

        if (!visit(opaque, &out)) {
            return 0;
        }
    }
    return -errno;
}
