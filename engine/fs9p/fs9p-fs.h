/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A tree of files that a 9P server shows: what each driver of -fsdev fills in.
 *
 * Paths are relative to the exported folder, "" is the folder itself; their components are never
 * empty, "." or "..". Names are single components. Everything answers 0 (or a count) or a negative
 * errno. A slot that is NULL answers EOPNOTSUPP. Thread: any, several at a time. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <time.h>

typedef struct Fs9pFs Fs9pFs;
typedef struct Fs9pFile Fs9pFile; /* an open file or folder, the driver's own */

/* Who makes a file, and with which mode. */
typedef struct Fs9pOwner {
    uint32_t mode, uid, gid;
} Fs9pOwner;

typedef struct Fs9pEntry {
    uint64_t ino;
    uint64_t next; /* where the entry after this one is read from */
    uint8_t type;  /* DT_... */
    const char *name;
} Fs9pEntry;

typedef struct Fs9pOps {
    void (*free)(Fs9pFs *fs);
    int (*lstat)(Fs9pFs *fs, const char *path, struct stat *out);
    int (*statfs)(Fs9pFs *fs, const char *path, struct statfs *out);
    /* The text ends with NUL. */
    ssize_t (*readlink)(Fs9pFs *fs, const char *path, char *out, size_t room);
    int (*open)(Fs9pFs *fs, const char *path, int flags, Fs9pFile **out);
    void (*close)(Fs9pFs *fs, Fs9pFile *file);
    ssize_t (*pread)(Fs9pFs *fs, Fs9pFile *file, void *buf, size_t len, uint64_t at);
    ssize_t (*pwrite)(Fs9pFs *fs, Fs9pFile *file, const void *buf, size_t len, uint64_t at);
    int (*fsync)(Fs9pFs *fs, Fs9pFile *file, bool data_only);
    /* Entries from AT on, until VISIT wants no more. One caller at a time for each file. */
    int (*readdir)(Fs9pFs *fs, Fs9pFile *file, uint64_t at,
                   bool (*visit)(void *opaque, const Fs9pEntry *entry), void *opaque);
    int (*create)(Fs9pFs *fs, const char *dir, const char *name, int flags, const Fs9pOwner *owner,
                  Fs9pFile **out);
    int (*mkdir)(Fs9pFs *fs, const char *dir, const char *name, const Fs9pOwner *owner);
    int (*mknod)(Fs9pFs *fs, const char *dir, const char *name, const Fs9pOwner *owner, dev_t rdev);
    int (*symlink)(Fs9pFs *fs, const char *dir, const char *name, const char *target,
                   const Fs9pOwner *owner);
    int (*link)(Fs9pFs *fs, const char *path, const char *dir, const char *name);
    int (*rename)(Fs9pFs *fs, const char *old_dir, const char *old_name, const char *new_dir,
                  const char *new_name);
    int (*unlink)(Fs9pFs *fs, const char *dir, const char *name, bool is_dir);
    int (*chmod)(Fs9pFs *fs, const char *path, uint32_t mode);
    int (*chown)(Fs9pFs *fs, const char *path, uint32_t uid, uint32_t gid); /* ~0: as it is */
    int (*truncate)(Fs9pFs *fs, const char *path, uint64_t size);
    int (*utimens)(Fs9pFs *fs, const char *path, const struct timespec times[2]);
    ssize_t (*listxattr)(Fs9pFs *fs, const char *path, char *out, size_t room);
    ssize_t (*getxattr)(Fs9pFs *fs, const char *path, const char *name, void *out, size_t room);
    int (*setxattr)(Fs9pFs *fs, const char *path, const char *name, const void *value, size_t len,
                    int flags);
    int (*removexattr)(Fs9pFs *fs, const char *path, const char *name);
} Fs9pOps;

struct Fs9pFs {
    const Fs9pOps *ops;
    bool is_readonly;
};

typedef enum Fs9pModel {
    FS9P_PASSTHROUGH,
    FS9P_MAPPED_XATTR,
    FS9P_MAPPED_FILE,
    FS9P_NONE, /* as passthrough, but the owner need not be kept */
} Fs9pModel;

typedef struct Fs9pLocalConfig {
    const char *path;
    Fs9pModel model;
    bool is_readonly;
    bool is_writeout; /* a write is answered when it is on the medium */
    uint32_t file_mode, dir_mode;
} Fs9pLocalConfig;

/* A folder of the host; NULL with ERROR. Ownership: caller. */
Fs9pFs *fs9p_local_new(const Fs9pLocalConfig *config, GError **error);
typedef struct Fs9pProxyConfig {
    const char *path; /* of the helper's socket; NULL: FD is a connected one, which is taken */
    int fd;
    bool is_readonly, is_writeout;
} Fs9pProxyConfig;

/* A tree that virtfs-proxy-helper serves; NULL with ERROR. Ownership: caller. */
Fs9pFs *fs9p_proxy_new(const Fs9pProxyConfig *config, GError **error);
/* A made-up tree for tests: a text, a file that swallows what is written, many entries. */
Fs9pFs *fs9p_synth_new(bool is_readonly);

static inline void
fs9p_fs_free(Fs9pFs *fs)
{
    if (fs) {
        fs->ops->free(fs);
    }
}
