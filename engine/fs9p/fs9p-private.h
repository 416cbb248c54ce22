/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Inside the server: fids, and the call that a handler works on.
 *
 * Locks. `paths` is held for reading by each request and for writing by those that change paths of
 * fids (renames) or drop them all (Tversion). `lock` guards the table of fids, the map of inode
 * numbers and the counters; it is a leaf. A fid's path changes under `paths` only; its open file is
 * set once and lives as long as the fid; its `lock` is held by who reads a folder or a value. */

#include "fs9p.h"

#include <errno.h>

typedef struct Fs9pXattr {
    char *name;
    uint8_t *value;
    uint64_t size, filled;
    int flags;
    bool is_write;
} Fs9pXattr;

typedef struct Fs9pFid {
    gint refs;
    Fs9pServer *server;
    char *path;
    uint32_t uid;
    GMutex lock;
    Fs9pFile *file; /* atomic; NULL: not open */
    int open_flags;
    bool is_dir;
    Fs9pXattr *xattr; /* NULL: no attribute */
} Fs9pFid;

struct Fs9pServer {
    Fs9pFs *fs;
    Fs9pMultidevs multidevs;
    void (*warn)(void *opaque, const char *line);
    void *opaque;
    GRWLock paths;
    GMutex lock;
    GHashTable *fids; /* number to Fs9pFid */
    uint32_t msize;   /* 0: no version yet */
    unsigned open_count;
    dev_t root_dev;
    bool has_root_dev, has_warned;
    GHashTable *devs;   /* remap: device to its number */
    GHashTable *inodes; /* remap: of numbers too large for the easy way */
};

typedef struct Fs9pCall {
    Fs9pServer *server;
    Fs9pReader in;
    Fs9pWriter out;
} Fs9pCall;

/* ---- fs9p-fid.c ---- */
Fs9pFid *fs9p_fid_new(Fs9pServer *server, const char *path, uint32_t uid);
/* The fid NUMBER, held; NULL: there is none. */
Fs9pFid *fs9p_fid_get(Fs9pServer *server, uint32_t number);
void fs9p_fid_put(Fs9pFid *fid);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fs9pFid, fs9p_fid_put)
/* Puts FID in the table, in place of what is there when REPLACE. Takes the reference. */
int fs9p_fid_insert(Fs9pServer *server, uint32_t number, Fs9pFid *fid, bool replace);
/* Takes it out of the table; the table's reference. */
Fs9pFid *fs9p_fid_steal(Fs9pServer *server, uint32_t number);
/* Gives it its open file; an error closes the file. */
int fs9p_fid_set_file(Fs9pFid *fid, Fs9pFile *file, int flags, bool is_dir);
Fs9pFile *fs9p_fid_file(Fs9pFid *fid);
/* All fids at or below OLD are at NEW from now on; `paths` held for writing. */
void fs9p_fids_moved(Fs9pServer *server, const char *old_path, const char *new_path);
void fs9p_xattr_free(Fs9pXattr *xattr);
/* Claims room for one more open file; EMFILE. */
int fs9p_open_claim(Fs9pServer *server);
void fs9p_open_release(Fs9pServer *server);

/* ---- fs9p-server.c ---- */
/* Whether NAME may be a component that is made or taken away. */
int fs9p_check_name(const char *name);
/* DIR/NAME. Ownership: caller. NULL: too long. */
char *fs9p_join(const char *dir, const char *name);
int fs9p_qid_of(Fs9pServer *server, const struct stat *st, Fs9pQid *out);
int fs9p_stat_qid(Fs9pServer *server, const char *path, struct stat *st, Fs9pQid *out);
uint64_t fs9p_entry_path(Fs9pServer *server, uint64_t ino);
/* Errors of what would change a tree that must not change. */
static inline int
fs9p_check_writable(const Fs9pServer *server)
{
    return server->fs->is_readonly ? -EROFS : 0;
}

/* Handlers: 0 or a negative errno. */
typedef int Fs9pHandler(Fs9pCall *call);
/* ---- fs9p-io.c ---- */
Fs9pHandler fs9p_lopen, fs9p_lcreate, fs9p_read, fs9p_write, fs9p_readdir, fs9p_fsync, fs9p_lock,
    fs9p_getlock;
/* ---- fs9p-attr.c ---- */
Fs9pHandler fs9p_statfs, fs9p_getattr, fs9p_setattr, fs9p_readlink, fs9p_xattrwalk,
    fs9p_xattrcreate;
int fs9p_xattr_store(Fs9pFid *fid);
/* ---- fs9p-names.c ---- */
Fs9pHandler fs9p_symlink, fs9p_mknod, fs9p_mkdir, fs9p_link, fs9p_rename, fs9p_renameat,
    fs9p_unlinkat, fs9p_remove;
