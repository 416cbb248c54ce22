/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Requests about attributes: stat and its settings, links, extended attributes. Diod's description
 * of 9P2000.L. Thread: any, `paths` held for reading. */

#include "fs9p-private.h"

#include <string.h>
#include <sys/xattr.h>

#define GETATTR_BASIC 0x7ffull

enum {
    SET_MODE = 0x1,
    SET_UID = 0x2,
    SET_GID = 0x4,
    SET_SIZE = 0x8,
    SET_ATIME = 0x10,
    SET_MTIME = 0x20,
    SET_CTIME = 0x40,
    SET_ATIME_SET = 0x80, /* to the time given, not now */
    SET_MTIME_SET = 0x100,
};

static Fs9pFid *
get_fid(Fs9pCall *call)
{
    uint32_t number = (uint32_t)fs9p_get(&call->in, 4);

    return call->in.is_bad ? NULL : fs9p_fid_get(call->server, number);
}

int
fs9p_statfs(Fs9pCall *call)
{
    Fs9pFs *fs = call->server->fs;
    g_autoptr(Fs9pFid) fid = get_fid(call);
    struct statfs st = { 0 };
    int ret = !fid ? -ENOENT : !fs->ops->statfs ? -EOPNOTSUPP : 0;

    ret = ret < 0 ? ret : fs->ops->statfs(fs, fid->path, &st);
    if (ret < 0) {
        return ret;
    }
    fs9p_put(&call->out, (uint64_t)st.f_type, 4);
    fs9p_put(&call->out, (uint64_t)st.f_bsize, 4);
    fs9p_put(&call->out, st.f_blocks, 8);
    fs9p_put(&call->out, st.f_bfree, 8);
    fs9p_put(&call->out, st.f_bavail, 8);
    fs9p_put(&call->out, st.f_files, 8);
    fs9p_put(&call->out, st.f_ffree, 8);
    fs9p_put(&call->out, 0, 8);
    fs9p_put(&call->out, (uint64_t)st.f_namelen, 4);
    return 0;
}

static void
put_time(Fs9pWriter *out, const struct timespec *time)
{
    fs9p_put(out, (uint64_t)time->tv_sec, 8);
    fs9p_put(out, (uint64_t)time->tv_nsec, 8);
}

int
fs9p_getattr(Fs9pCall *call)
{
    g_autoptr(Fs9pFid) fid = get_fid(call);
    Fs9pWriter *out = &call->out;
    struct stat st;
    Fs9pQid qid;
    int ret = fid ? fs9p_stat_qid(call->server, fid->path, &st, &qid) : -ENOENT;

    if (ret < 0) {
        return ret;
    }
    fs9p_put(out, GETATTR_BASIC, 8);
    fs9p_put_qid(out, &qid);
    fs9p_put(out, st.st_mode, 4);
    fs9p_put(out, st.st_uid, 4);
    fs9p_put(out, st.st_gid, 4);
    fs9p_put(out, st.st_nlink, 8);
    fs9p_put(out, st.st_rdev, 8);
    fs9p_put(out, (uint64_t)st.st_size, 8);
    fs9p_put(out, (uint64_t)st.st_blksize, 8);
    fs9p_put(out, (uint64_t)st.st_blocks, 8);
    put_time(out, &st.st_atim);
    put_time(out, &st.st_mtim);
    put_time(out, &st.st_ctim);
    for (unsigned i = 0; i < 4; i++) {
        fs9p_put(out, 0, 8); /* time of birth, generation, version of the data: not known */
    }
    return 0;
}

/* A time as Tsetattr has it: seconds, nanoseconds. */
static struct timespec
get_time(Fs9pReader *in, bool is_set, bool is_given)
{
    struct timespec time = { .tv_sec = (time_t)fs9p_get(in, 8) };

    time.tv_nsec = (long)(fs9p_get(in, 8) % 1000000000);
    if (!is_set) {
        time.tv_nsec = UTIME_OMIT;
    } else if (!is_given) {
        time.tv_nsec = UTIME_NOW;
    }
    return time;
}

int
fs9p_setattr(Fs9pCall *call)
{
    Fs9pFs *fs = call->server->fs;
    g_autoptr(Fs9pFid) fid = get_fid(call);
    uint32_t valid = (uint32_t)fs9p_get(&call->in, 4), mode = (uint32_t)fs9p_get(&call->in, 4),
             uid = (uint32_t)fs9p_get(&call->in, 4), gid = (uint32_t)fs9p_get(&call->in, 4);
    uint64_t size = fs9p_get(&call->in, 8);
    struct timespec times[2];
    int ret;

    times[0] = get_time(&call->in, valid & SET_ATIME, valid & SET_ATIME_SET);
    times[1] = get_time(&call->in, valid & SET_MTIME, valid & SET_MTIME_SET);
    if (!fid || call->in.is_bad) {
        return fid ? -EINVAL : -ENOENT;
    }
    ret = fs9p_check_writable(call->server);
    if (ret == 0 && !fs->ops->chmod) {
        ret = -EOPNOTSUPP;
    }
    if (ret == 0 && valid & SET_MODE) {
        ret = fs->ops->chmod(fs, fid->path, mode & 07777);
    }
    if (ret == 0 && valid & (SET_ATIME | SET_MTIME)) {
        ret = fs->ops->utimens(fs, fid->path, times);
    }
    /* A change that names nothing but the time of change is the owner set to what it is. */
    if (ret == 0 && (valid & (SET_UID | SET_GID) || (valid & 0x7f) == SET_CTIME)) {
        ret = fs->ops->chown(fs, fid->path, valid & SET_UID ? uid : UINT32_MAX,
                             valid & SET_GID ? gid : UINT32_MAX);
    }
    if (ret == 0 && valid & SET_SIZE) {
        ret = size > INT64_MAX ? -EFBIG : fs->ops->truncate(fs, fid->path, size);
    }
    return ret;
}

int
fs9p_readlink(Fs9pCall *call)
{
    Fs9pFs *fs = call->server->fs;
    g_autoptr(Fs9pFid) fid = get_fid(call);
    char target[FS9P_PATH_MAX];
    ssize_t len = !fid ? -ENOENT : !fs->ops->readlink ? -EINVAL : 0;

    len = len < 0 ? len : fs->ops->readlink(fs, fid->path, target, sizeof(target));
    if (len < 0) {
        return (int)len;
    }
    fs9p_put_string(&call->out, target);
    return 0;
}

/* ---- Extended attributes ---- */

/* The value of NAME, or the list of names where it is empty. */
static ssize_t
load(Fs9pServer *server, const char *path, const char *name, uint8_t *out)
{
    Fs9pFs *fs = server->fs;

    if (!fs->ops->getxattr || !fs->ops->listxattr) {
        return -EOPNOTSUPP;
    }
    return *name ? fs->ops->getxattr(fs, path, name, out, FS9P_XATTR_MAX)
                 : fs->ops->listxattr(fs, path, (char *)out, FS9P_XATTR_MAX);
}

int
fs9p_xattrwalk(Fs9pCall *call)
{
    Fs9pServer *server = call->server;
    g_autoptr(Fs9pFid) fid = get_fid(call), made = NULL;
    uint32_t target = (uint32_t)fs9p_get(&call->in, 4);
    g_autofree char *name = fs9p_get_string(&call->in);
    g_autofree uint8_t *value = NULL;
    ssize_t len;

    if (!fid || call->in.is_bad) {
        return fid ? -EINVAL : -ENOENT;
    }
    value = g_malloc(FS9P_XATTR_MAX);
    len = load(server, fid->path, name, value);
    if (len < 0) {
        return (int)len;
    }
    made = fs9p_fid_new(server, fid->path, fid->uid);
    made->xattr = g_new0(Fs9pXattr, 1);
    made->xattr->size = made->xattr->filled = (uint64_t)len;
    made->xattr->value = g_memdup2(value, (gsize)len);
    fs9p_put(&call->out, (uint64_t)len, 8);
    return fs9p_fid_insert(server, target, g_steal_pointer(&made), false);
}

int
fs9p_xattrcreate(Fs9pCall *call)
{
    Fs9pServer *server = call->server;
    uint32_t number = (uint32_t)fs9p_get(&call->in, 4);
    g_autoptr(Fs9pFid) fid = fs9p_fid_get(server, number);
    g_autofree char *name = fs9p_get_string(&call->in);
    uint64_t size = fs9p_get(&call->in, 8);
    int flags = (int)fs9p_get(&call->in, 4), ret;
    Fs9pFid *made;

    if (!fid || call->in.is_bad || !*name || fs9p_fid_file(fid) || fid->xattr) {
        return fid ? -EINVAL : -ENOENT;
    }
    ret = fs9p_check_writable(server);
    if (ret < 0) {
        return ret;
    }
    if (size > FS9P_XATTR_MAX || flags & ~(XATTR_CREATE | XATTR_REPLACE)) {
        return size > FS9P_XATTR_MAX ? -E2BIG : -EINVAL;
    }
    made = fs9p_fid_new(server, fid->path, fid->uid);
    made->xattr = g_new0(Fs9pXattr, 1);
    *made->xattr = (Fs9pXattr){ g_steal_pointer(&name), g_malloc0(size), size, 0, flags, true };
    return fs9p_fid_insert(server, number, made, true);
}

int
fs9p_xattr_store(Fs9pFid *fid)
{
    Fs9pFs *fs = fid->server->fs;
    const Fs9pXattr *xattr = fid->xattr;

    if (!fs->ops->setxattr || !fs->ops->removexattr) {
        return -EOPNOTSUPP;
    }
    if (xattr->filled != xattr->size) {
        return -EINVAL; /* what was announced did not come */
    }
    /* Nothing in place of something is how the client takes an attribute away. */
    if (xattr->size == 0 && xattr->flags & XATTR_REPLACE) {
        return fs->ops->removexattr(fs, fid->path, xattr->name);
    }
    return fs->ops->setxattr(fs, fid->path, xattr->name, xattr->value, xattr->size, xattr->flags);
}
