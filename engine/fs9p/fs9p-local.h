/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Inside the local driver: the folder, and what the mapped models keep beside files.
 * Thread: any. */

#include "fs9p-fs.h"

#include <errno.h>

#define FS9P_META_DIR  ".virtfs_metadata"
#define FS9P_META_ROOT ".virtfs_metadata_root"

typedef struct Fs9pLocal {
    Fs9pFs fs; /* first */
    int root;  /* O_PATH */
    Fs9pModel model;
    bool is_writeout;
    uint32_t file_mode, dir_mode;
    GMutex meta_lock; /* of mapped-file's files */
} Fs9pLocal;

enum { META_UID = 1, META_GID = 2, META_MODE = 4, META_RDEV = 8 };

/* What the guest believes of a file; HAS says which are known. */
typedef struct Fs9pMeta {
    unsigned has;
    uint32_t uid, gid, mode;
    uint64_t rdev;
} Fs9pMeta;

static inline bool
fs9p_is_mapped(const Fs9pLocal *local)
{
    return local->model == FS9P_MAPPED_XATTR || local->model == FS9P_MAPPED_FILE;
}

/* ---- fs9p-local-meta.c: NAME in the folder DIR (a descriptor); "." is the exported folder ---- */
void fs9p_meta_read(Fs9pLocal *local, int dir, const char *name, Fs9pMeta *out);
/* Sets what META has and leaves the rest. */
int fs9p_meta_write(Fs9pLocal *local, int dir, const char *name, const Fs9pMeta *meta);
/* mapped-file: the file of a name goes, moves, or is there twice. Nothing in the other models. */
void fs9p_meta_remove(Fs9pLocal *local, int dir, const char *name);
void fs9p_meta_move(Fs9pLocal *local, int old_dir, const char *old_name, int new_dir,
                    const char *new_name);
void fs9p_meta_link(Fs9pLocal *local, int old_dir, const char *old_name, int new_dir,
                    const char *new_name);
/* Takes the folder of such files out of DIR/NAME, if nothing else is in that. */
void fs9p_meta_forget_folder(Fs9pLocal *local, int dir, const char *name);
/* ---- fs9p-local-xattr.c ---- */
ssize_t fs9p_local_listxattr(Fs9pFs *fs, const char *path, char *out, size_t room);
ssize_t fs9p_local_getxattr(Fs9pFs *fs, const char *path, const char *name, void *out, size_t room);
int fs9p_local_setxattr(Fs9pFs *fs, const char *path, const char *name, const void *value,
                        size_t len, int flags);
int fs9p_local_removexattr(Fs9pFs *fs, const char *path, const char *name);
/* ---- fs9p-local.c ---- */
/* The folder that PATH lies in, opened without following a link, and the name in it ("." for the
 * exported folder). Negative errno. */
int fs9p_local_parent(Fs9pLocal *local, const char *path, const char **out_name);
/* A path by which calls without a descriptor reach NAME in DIR; not to be followed at its end. */
#define FS9P_PROC_BYTES 320
void fs9p_proc_path(int dir, const char *name, char out[FS9P_PROC_BYTES]);
