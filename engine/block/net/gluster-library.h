/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* libgfapi, loaded when the first gluster image is opened: it is large, drags in RPC and Kerberos
 * libraries, and hardly anybody needs it. Only what the driver uses is named here.
 * Thread: any; the functions it gives may block. */

#include <glib.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct glfs GlfsVolume;
typedef struct glfs_fd GlfsFile;

typedef struct GlusterLibrary {
    void *handle;
    GlfsVolume *(*volume_new)(const char *volume);
    int (*set_volfile_server)(GlfsVolume *volume, const char *transport, const char *host,
                              int port);
    int (*set_logging)(GlfsVolume *volume, const char *file, int level);
    int (*init)(GlfsVolume *volume);
    int (*fini)(GlfsVolume *volume);
    GlfsFile *(*open)(GlfsVolume *volume, const char *path, int flags);
    GlfsFile *(*creat)(GlfsVolume *volume, const char *path, int flags, mode_t mode);
    int (*unlink)(GlfsVolume *volume, const char *path);
    int (*close)(GlfsFile *file);
    ssize_t (*pread)(GlfsFile *file, void *buf, size_t len, off_t offset, int flags, void *stat);
    ssize_t (*pwrite)(GlfsFile *file, const void *buf, size_t len, off_t offset, int flags,
                      void *before, void *after);
    int (*fsync)(GlfsFile *file, void *before, void *after);
    int (*fallocate)(GlfsFile *file, int keep_size, off_t offset, size_t len);
    int (*ftruncate)(GlfsFile *file, off_t len, void *before, void *after);
    int (*discard)(GlfsFile *file, off_t offset, size_t len);
    int (*zerofill)(GlfsFile *file, off_t offset, off_t len);
    off_t (*lseek)(GlfsFile *file, off_t offset, int whence);
} GlusterLibrary;

/* False with ERROR when the library is not installed or too old. */
gboolean gluster_library_load(GlusterLibrary *library, GError **error);
void gluster_library_unload(GlusterLibrary *library);
