/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A folder of the host as a tree for 9P.
 *
 * The folder is never left: what a path names is reached from the folder's descriptor one component
 * at a time (by openat2 in one call where the kernel has it), no symbolic link is followed at any
 * place, and what happens to the last component happens by descriptor and name. Links are text that
 * the guest follows itself. Of special files only the names are shown; none is ever opened.
 * Thread: any, several at a time. */

#include "fs9p-file.h"
#include "fs9p-local.h"

#include "vit-error.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { PATH_FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static Fs9pLocal *
local_of(Fs9pFs *fs)
{
    return (Fs9pLocal *)fs;
}

/* ---- Reaching files ---- */

void
fs9p_proc_path(int dir, const char *name, char out[FS9P_PROC_BYTES])
{
    g_snprintf(out, FS9P_PROC_BYTES, "/proc/self/fd/%d/%s", dir, name);
}

/* mapped-file keeps its files out of the guest's sight. */
static bool
is_hidden(const Fs9pLocal *local, const char *name)
{
    return local->model == FS9P_MAPPED_FILE &&
           (strcmp(name, FS9P_META_DIR) == 0 || strcmp(name, FS9P_META_ROOT) == 0);
}

/* The folder PATH, one component after the other. */
static int
open_steps(int root, const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    int fd = openat(root, ".", PATH_FLAGS);

    for (unsigned i = 0; fd >= 0 && parts[i]; i++) {
        int next = openat(fd, parts[i], PATH_FLAGS), saved = errno;
        close(fd);
        errno = saved;
        fd = next;
    }
    return fd < 0 ? -errno : fd;
}

static int
open_folder(const Fs9pLocal *local, const char *path)
{
    struct open_how how = { .flags = PATH_FLAGS,
                            .resolve =
                                RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
    g_auto(GStrv) parts = local->model == FS9P_MAPPED_FILE ? g_strsplit(path, "/", -1) : NULL;
    int fd;

    for (unsigned i = 0; parts && parts[i]; i++) {
        if (is_hidden(local, parts[i])) {
            return -ENOENT;
        }
    }
    fd = (int)syscall(SYS_openat2, local->root, *path ? path : ".", &how, sizeof(how));
    if (fd >= 0) {
        return fd;
    }
    return errno == ENOSYS || errno == EPERM || errno == EAGAIN ? open_steps(local->root, path)
                                                                : -errno;
}

int
fs9p_local_parent(Fs9pLocal *local, const char *path, const char **out_name)
{
    const char *slash = strrchr(path, '/');
    g_autofree char *dir = g_strndup(path, slash ? (size_t)(slash - path) : 0);

    *out_name = slash ? slash + 1 : *path ? path : ".";
    if (is_hidden(local, *out_name)) {
        return -ENOENT;
    }
    return open_folder(local, dir);
}

/* DIR, where NAME is to be made. */
static int
open_place(Fs9pLocal *local, const char *dir, const char *name)
{
    return is_hidden(local, name) ? -EINVAL : open_folder(local, dir);
}

/* ---- Attributes ---- */

static int
stat_at(Fs9pLocal *local, int dir, const char *name, struct stat *out)
{
    Fs9pMeta meta;

    if (fstatat(dir, name, out, AT_SYMLINK_NOFOLLOW) < 0) {
        return -errno;
    }
    fs9p_meta_read(local, dir, name, &meta);
    out->st_uid = meta.has & META_UID ? meta.uid : out->st_uid;
    out->st_gid = meta.has & META_GID ? meta.gid : out->st_gid;
    out->st_rdev = meta.has & META_RDEV ? meta.rdev : out->st_rdev;
    if (meta.has & META_MODE) {
        /* a folder stays one, whatever somebody wrote beside it; and nothing else becomes one */
        unsigned type = meta.mode & S_IFMT;
        bool keeps = S_ISDIR(out->st_mode) || type == S_IFDIR || type == 0;
        out->st_mode = (keeps ? out->st_mode & S_IFMT : type) | (meta.mode & 07777);
    }
    return 0;
}

static int
local_lstat(Fs9pFs *fs, const char *path, struct stat *out)
{
    const char *name;
    int dir = fs9p_local_parent(local_of(fs), path, &name), ret;

    if (dir < 0) {
        return dir;
    }
    ret = stat_at(local_of(fs), dir, name, out);
    close(dir);
    return ret;
}

static int
local_statfs(Fs9pFs *fs, const char *path, struct statfs *out)
{
    return fstatfs(local_of(fs)->root, out) < 0 ? -errno : 0;
}

static ssize_t
local_readlink(Fs9pFs *fs, const char *path, char *out, size_t room)
{
    Fs9pLocal *local = local_of(fs);
    const char *name;
    int dir = fs9p_local_parent(local, path, &name), fd;
    struct stat st;
    ssize_t len;

    if (dir < 0) {
        return dir;
    }
    len = stat_at(local, dir, name, &st);
    if (len == 0 && !S_ISLNK(st.st_mode)) {
        len = -EINVAL;
    } else if (len == 0) {
        len = readlinkat(dir, name, out, room - 1);
        if (len < 0 && errno == EINVAL && fs9p_is_mapped(local)) {
            /* the mapped models keep a link's target in a plain file */
            fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
            len = fd < 0 ? -1 : read(fd, out, room - 1);
            if (fd >= 0) {
                close(fd);
            }
        }
        len = len < 0 ? -errno : len;
    }
    close(dir);
    if (len >= 0) {
        out[len] = '\0';
    }
    return len;
}

static int
local_chmod(Fs9pFs *fs, const char *path, uint32_t mode)
{
    Fs9pLocal *local = local_of(fs);
    const char *name;
    int dir = fs9p_local_parent(local, path, &name), ret;
    struct stat st;

    if (dir < 0) {
        return dir;
    }
    if (fs9p_is_mapped(local)) {
        ret = stat_at(local, dir, name, &st);
        if (ret == 0) {
            Fs9pMeta meta = { .has = META_MODE, .mode = (st.st_mode & S_IFMT) | mode };
            ret = fs9p_meta_write(local, dir, name, &meta);
        }
    } else {
        ret = fchmodat(dir, name, mode, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
    }
    close(dir);
    return ret;
}

/* What passthrough demands and none forgives. */
static int
chown_at(Fs9pLocal *local, int dir, const char *name, uint32_t uid, uint32_t gid)
{
    if (fchownat(dir, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && local->model != FS9P_NONE) {
        return -errno;
    }
    return 0;
}

static int
local_chown(Fs9pFs *fs, const char *path, uint32_t uid, uint32_t gid)
{
    Fs9pLocal *local = local_of(fs);
    const char *name;
    int dir = fs9p_local_parent(local, path, &name), ret;

    if (dir < 0) {
        return dir;
    }
    if (fs9p_is_mapped(local)) {
        Fs9pMeta meta = { .has = (uid != UINT32_MAX ? META_UID : 0) |
                                 (gid != UINT32_MAX ? META_GID : 0),
                          .uid = uid,
                          .gid = gid };
        ret = meta.has ? fs9p_meta_write(local, dir, name, &meta) : 0;
    } else {
        ret = chown_at(local, dir, name, uid, gid);
    }
    close(dir);
    return ret;
}

static int
local_utimens(Fs9pFs *fs, const char *path, const struct timespec times[2])
{
    const char *name;
    int dir = fs9p_local_parent(local_of(fs), path, &name), ret;

    if (dir < 0) {
        return dir;
    }
    ret = utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
    close(dir);
    return ret;
}

/* ---- Open files ---- */

/* A plain file or a folder; nothing else, and not by a link. */
static int
open_at(int dir, const char *name, int flags, mode_t mode)
{
    struct stat st;
    int fd;

    if (!(flags & O_CREAT)) {
        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            return -errno;
        }
        if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
            return S_ISLNK(st.st_mode) ? -ELOOP : -ENXIO;
        }
    }
    fd = openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
    if (fd < 0) {
        return -errno;
    }
    if (!fs9p_file_is_plain(fd)) {
        close(fd);
        return -ENXIO;
    }
    return fd;
}

static int
local_open(Fs9pFs *fs, const char *path, int flags, Fs9pFile **out)
{
    const char *name;
    int dir = fs9p_local_parent(local_of(fs), path, &name), fd;

    if (dir < 0) {
        return dir;
    }
    fd = open_at(dir, name, flags & ~O_EXCL, 0);
    close(dir);
    return fd < 0 ? fd : fs9p_file_new(fd, flags & O_DIRECTORY, out);
}

static ssize_t
local_pwrite(Fs9pFs *fs, Fs9pFile *file, const void *buf, size_t len, uint64_t at)
{
    return fs9p_file_write(file, buf, len, at, local_of(fs)->is_writeout);
}

typedef struct Listing {
    Fs9pLocal *local;
    bool (*visit)(void *opaque, const Fs9pEntry *entry);
    void *opaque;
} Listing;

static bool
list_entry(void *opaque, const Fs9pEntry *entry)
{
    Listing *listing = opaque;
    Fs9pEntry out = *entry;

    if (fs9p_is_mapped(listing->local) && out.type != DT_DIR) {
        out.type = DT_UNKNOWN; /* what it is stands elsewhere */
    }
    return is_hidden(listing->local, out.name) || listing->visit(listing->opaque, &out);
}

static int
local_readdir(Fs9pFs *fs, Fs9pFile *file, uint64_t at,
              bool (*visit)(void *opaque, const Fs9pEntry *entry), void *opaque)
{
    Listing listing = { local_of(fs), visit, opaque };

    return fs9p_file_readdir(fs, file, at, list_entry, &listing);
}

static int
local_truncate(Fs9pFs *fs, const char *path, uint64_t size)
{
    const char *name;
    int dir = fs9p_local_parent(local_of(fs), path, &name), fd, ret;

    if (dir < 0) {
        return dir;
    }
    fd = open_at(dir, name, O_WRONLY, 0);
    close(dir);
    if (fd < 0) {
        return fd;
    }
    ret = ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
    close(fd);
    return ret;
}

/* ---- Names ---- */

/* A file that was just made gets its owner and mode. */
static int
dress(Fs9pLocal *local, int dir, const char *name, const Fs9pOwner *owner, unsigned type,
      dev_t rdev)
{
    int ret;

    if (fs9p_is_mapped(local)) {
        Fs9pMeta meta = { .has = META_UID | META_GID | META_MODE | (rdev ? META_RDEV : 0),
                          .uid = owner->uid,
                          .gid = owner->gid,
                          .mode = type | (owner->mode & 07777),
                          .rdev = rdev };
        return fs9p_meta_write(local, dir, name, &meta);
    }
    ret = chown_at(local, dir, name, owner->uid, owner->gid);
    if (ret == 0 && type != S_IFLNK &&
        fchmodat(dir, name, owner->mode & 07777, AT_SYMLINK_NOFOLLOW) < 0) {
        ret = -errno;
    }
    return ret;
}

static int
local_create(Fs9pFs *fs, const char *dir_path, const char *name, int flags, const Fs9pOwner *owner,
             Fs9pFile **out)
{
    Fs9pLocal *local = local_of(fs);
    int dir = open_place(local, dir_path, name), fd, ret;

    if (dir < 0) {
        return dir;
    }
    fd = open_at(dir, name, flags | O_CREAT | O_EXCL,
                 fs9p_is_mapped(local) ? local->file_mode : owner->mode);
    if (fd == -EEXIST && !(flags & O_EXCL)) {
        fd = open_at(dir, name, flags, 0);
        ret = fd < 0 ? fd : 0;
    } else if (fd >= 0) {
        ret = dress(local, dir, name, owner, S_IFREG, 0);
        if (ret < 0) {
            close(fd);
            unlinkat(dir, name, 0);
        }
    } else {
        ret = fd;
    }
    close(dir);
    return ret < 0 ? ret : fs9p_file_new(fd, false, out);
}

static int
local_mkdir(Fs9pFs *fs, const char *dir_path, const char *name, const Fs9pOwner *owner)
{
    Fs9pLocal *local = local_of(fs);
    int dir = open_place(local, dir_path, name), ret;

    if (dir < 0) {
        return dir;
    }
    ret =
        mkdirat(dir, name, fs9p_is_mapped(local) ? local->dir_mode : owner->mode) < 0 ? -errno : 0;
    if (ret == 0 && (ret = dress(local, dir, name, owner, S_IFDIR, 0)) < 0) {
        unlinkat(dir, name, AT_REMOVEDIR);
    }
    close(dir);
    return ret;
}

/* The mapped models keep anything that is no folder in a plain file with TEXT in it. */
static int
make_plain(Fs9pLocal *local, int dir, const char *name, const char *text)
{
    size_t len = strlen(text);
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    local->file_mode),
        ret = 0;

    if (fd < 0) {
        return -errno;
    }
    if (write(fd, text, len) != (ssize_t)len) {
        ret = errno ? -errno : -ENOSPC;
        unlinkat(dir, name, 0);
    }
    close(fd);
    return ret;
}

static int
local_mknod(Fs9pFs *fs, const char *dir_path, const char *name, const Fs9pOwner *owner, dev_t rdev)
{
    Fs9pLocal *local = local_of(fs);
    unsigned type = owner->mode & S_IFMT ? owner->mode & S_IFMT : S_IFREG;
    int dir = open_place(local, dir_path, name), ret;

    if (dir < 0) {
        return dir;
    }
    ret = fs9p_is_mapped(local)                       ? make_plain(local, dir, name, "")
          : mknodat(dir, name, owner->mode, rdev) < 0 ? -errno
                                                      : 0;
    if (ret == 0 && (ret = dress(local, dir, name, owner, type, rdev)) < 0) {
        unlinkat(dir, name, 0);
    }
    close(dir);
    return ret;
}

static int
local_symlink(Fs9pFs *fs, const char *dir_path, const char *name, const char *target,
              const Fs9pOwner *owner)
{
    Fs9pLocal *local = local_of(fs);
    int dir = open_place(local, dir_path, name), ret;

    if (dir < 0) {
        return dir;
    }
    ret = fs9p_is_mapped(local)              ? make_plain(local, dir, name, target)
          : symlinkat(target, dir, name) < 0 ? -errno
                                             : 0;
    if (ret == 0 && (ret = dress(local, dir, name, owner, S_IFLNK, 0)) < 0) {
        unlinkat(dir, name, 0);
    }
    close(dir);
    return ret;
}

static int
local_link(Fs9pFs *fs, const char *path, const char *dir_path, const char *name)
{
    Fs9pLocal *local = local_of(fs);
    const char *old;
    int from = fs9p_local_parent(local, path, &old), dir, ret;

    if (from < 0) {
        return from;
    }
    dir = open_place(local, dir_path, name);
    if (dir < 0) {
        close(from);
        return dir;
    }
    ret = linkat(from, old, dir, name, 0) < 0 ? -errno : 0;
    if (ret == 0) {
        fs9p_meta_link(local, from, old, dir, name);
    }
    close(from);
    close(dir);
    return ret;
}

static int
local_rename(Fs9pFs *fs, const char *old_dir, const char *old_name, const char *new_dir,
             const char *new_name)
{
    Fs9pLocal *local = local_of(fs);
    int from = open_place(local, old_dir, old_name), to, ret;

    if (from < 0) {
        return from;
    }
    to = open_place(local, new_dir, new_name);
    if (to < 0) {
        close(from);
        return to;
    }
    fs9p_meta_forget_folder(local, to, new_name);
    ret = renameat(from, old_name, to, new_name) < 0 ? -errno : 0;
    if (ret == 0) {
        fs9p_meta_move(local, from, old_name, to, new_name);
    }
    close(from);
    close(to);
    return ret;
}

static int
local_unlink(Fs9pFs *fs, const char *dir_path, const char *name, bool is_dir)
{
    Fs9pLocal *local = local_of(fs);
    int dir = open_place(local, dir_path, name), ret;

    if (dir < 0) {
        return dir;
    }
    if (is_dir) {
        fs9p_meta_forget_folder(local, dir, name);
    }
    ret = unlinkat(dir, name, is_dir ? AT_REMOVEDIR : 0) < 0 ? -errno : 0;
    if (ret == 0) {
        fs9p_meta_remove(local, dir, name);
    }
    close(dir);
    return ret;
}

/* ---- Life ---- */

static void
local_free(Fs9pFs *fs)
{
    Fs9pLocal *local = local_of(fs);

    close(local->root);
    g_mutex_clear(&local->meta_lock);
    g_free(local);
}

static const Fs9pOps local_ops = {
    .free = local_free,
    .lstat = local_lstat,
    .statfs = local_statfs,
    .readlink = local_readlink,
    .open = local_open,
    .close = fs9p_file_close,
    .pread = fs9p_file_pread,
    .pwrite = local_pwrite,
    .fsync = fs9p_file_fsync,
    .readdir = local_readdir,
    .create = local_create,
    .mkdir = local_mkdir,
    .mknod = local_mknod,
    .symlink = local_symlink,
    .link = local_link,
    .rename = local_rename,
    .unlink = local_unlink,
    .chmod = local_chmod,
    .chown = local_chown,
    .truncate = local_truncate,
    .utimens = local_utimens,
    .listxattr = fs9p_local_listxattr,
    .getxattr = fs9p_local_getxattr,
    .setxattr = fs9p_local_setxattr,
    .removexattr = fs9p_local_removexattr,
};

Fs9pFs *
fs9p_local_new(const Fs9pLocalConfig *config, GError **error)
{
    int root = open(config->path, O_PATH | O_DIRECTORY | O_CLOEXEC), readable;
    Fs9pLocal *local;

    /* statfs and folders need more than a path descriptor on some systems: look once */
    readable = root < 0 ? -1 : openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (readable < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "the folder %s cannot be shared: %s. Name a folder you may read with path=.",
                    config->path, g_strerror(errno));
        if (root >= 0) {
            close(root);
        }
        return NULL;
    }
    if (config->model == FS9P_MAPPED_XATTR && !config->is_readonly &&
        fgetxattr(readable, "user.virtfs.uid", NULL, 0) < 0 && errno == EOPNOTSUPP) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "the file system of %s has no extended attributes, which "
                    "security_model=mapped-xattr needs. Use mapped-file.",
                    config->path);
        close(readable);
        close(root);
        return NULL;
    }
    close(readable);
    local = g_new0(Fs9pLocal, 1);
    local->fs = (Fs9pFs){ &local_ops, config->is_readonly };
    local->root = root;
    local->model = config->model;
    local->is_writeout = config->is_writeout;
    local->file_mode = config->file_mode;
    local->dir_mode = config->dir_mode;
    g_mutex_init(&local->meta_lock);
    return &local->fs;
}
