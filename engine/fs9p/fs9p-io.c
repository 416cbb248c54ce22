/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Requests on open files: open, create, read, write, folders, locks. Diod's description of
 * 9P2000.L. Thread: any, `paths` held for reading. */

#include "fs9p-private.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

enum {
    READ_HEADER_BYTES = FS9P_HEADER_BYTES + 4,
    IO_HEADER_BYTES = 24,         /* most that surrounds data */
    ENTRY_BYTES = 13 + 8 + 1 + 2, /* without the name */
    FLAGS_KEPT = O_ACCMODE | O_TRUNC | O_APPEND | O_EXCL | O_DSYNC | O_SYNC | O_DIRECTORY,
};

static bool
is_writing(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
}

static void
put_opened(Fs9pCall *call, const Fs9pQid *qid)
{
    fs9p_put_qid(&call->out, qid);
    fs9p_put(&call->out, call->server->msize - IO_HEADER_BYTES, 4);
}

int
fs9p_lopen(Fs9pCall *call)
{
    Fs9pServer *server = call->server;
    g_autoptr(Fs9pFid) fid = fs9p_fid_get(server, (uint32_t)fs9p_get(&call->in, 4));
    int flags = (int)fs9p_get(&call->in, 4) & FLAGS_KEPT;
    Fs9pFile *file;
    struct stat st;
    Fs9pQid qid;
    int ret;

    if (!fid || call->in.is_bad) {
        return -ENOENT;
    }
    if (fs9p_fid_file(fid) || fid->xattr || (flags & O_ACCMODE) == O_ACCMODE) {
        return -EINVAL;
    }
    ret = is_writing(flags) ? fs9p_check_writable(server) : 0;
    ret = ret < 0 ? ret : fs9p_stat_qid(server, fid->path, &st, &qid);
    ret = ret < 0 ? ret : fs9p_open_claim(server);
    if (ret < 0) {
        return ret;
    }
    ret = server->fs->ops->open(server->fs, fid->path,
                                S_ISDIR(st.st_mode) ? O_RDONLY | O_DIRECTORY : flags, &file);
    if (ret < 0) {
        fs9p_open_release(server);
        return ret;
    }
    put_opened(call, &qid);
    return fs9p_fid_set_file(fid, file, flags, S_ISDIR(st.st_mode));
}

int
fs9p_lcreate(Fs9pCall *call)
{
    Fs9pServer *server = call->server;
    Fs9pFs *fs = server->fs;
    uint32_t number = (uint32_t)fs9p_get(&call->in, 4);
    g_autoptr(Fs9pFid) dir = fs9p_fid_get(server, number);
    g_autofree char *name = fs9p_get_string(&call->in);
    g_autofree char *path = NULL;
    int flags = (int)fs9p_get(&call->in, 4) & FLAGS_KEPT & ~O_DIRECTORY;
    Fs9pOwner owner = { .mode = (uint32_t)fs9p_get(&call->in, 4) & 07777 };
    Fs9pFid *fid;
    Fs9pFile *file;
    struct stat st;
    Fs9pQid qid;
    int ret;

    owner.gid = (uint32_t)fs9p_get(&call->in, 4);
    if (!dir || call->in.is_bad || fs9p_fid_file(dir) || dir->xattr) {
        return dir ? -EINVAL : -ENOENT;
    }
    owner.uid = dir->uid;
    ret = fs9p_check_writable(server);
    ret = ret < 0 ? ret : fs9p_check_name(name);
    path = fs9p_join(dir->path, name);
    ret = ret < 0 ? ret : !path ? -ENAMETOOLONG : !fs->ops->create ? -EOPNOTSUPP : 0;
    ret = ret < 0 ? ret : fs9p_open_claim(server);
    if (ret < 0) {
        return ret;
    }
    ret = fs->ops->create(fs, dir->path, name, flags, &owner, &file);
    if (ret < 0) {
        fs9p_open_release(server);
        return ret;
    }
    /* the fid is the new file's from here on */
    fid = fs9p_fid_new(server, path, dir->uid);
    ret = fs9p_fid_set_file(fid, file, flags, false);
    ret = ret < 0 ? ret : fs9p_stat_qid(server, path, &st, &qid);
    if (ret < 0) {
        fs9p_fid_put(fid);
        return ret;
    }
    put_opened(call, &qid);
    return fs9p_fid_insert(server, number, fid, true);
}

/* A part of an attribute's value. */
static int
read_xattr(Fs9pCall *call, Fs9pFid *fid, uint64_t at, uint32_t count)
{
    uint64_t len;
    uint8_t *space;
    int ret = 0;

    g_mutex_lock(&fid->lock);
    if (fid->xattr->is_write) {
        ret = -EINVAL;
    } else {
        len = at < fid->xattr->size ? MIN(count, fid->xattr->size - at) : 0;
        fs9p_put(&call->out, len, 4);
        space = fs9p_put_space(&call->out, len);
        if (space && len) {
            memcpy(space, fid->xattr->value + at, len);
        }
    }
    g_mutex_unlock(&fid->lock);
    return ret;
}

int
fs9p_read(Fs9pCall *call)
{
    Fs9pFs *fs = call->server->fs;
    g_autoptr(Fs9pFid) fid = fs9p_fid_get(call->server, (uint32_t)fs9p_get(&call->in, 4));
    uint64_t at = fs9p_get(&call->in, 8);
    uint32_t count = (uint32_t)fs9p_get(&call->in, 4);
    Fs9pWriter len_at;
    ssize_t len;

    if (!fid || call->in.is_bad) {
        return -ENOENT;
    }
    if (call->out.room < READ_HEADER_BYTES || at > INT64_MAX) {
        return -EINVAL;
    }
    count = (uint32_t)MIN(count, call->out.room - READ_HEADER_BYTES);
    if (fid->xattr) {
        return read_xattr(call, fid, at, count);
    }
    if (!fs9p_fid_file(fid) || (fid->open_flags & O_ACCMODE) == O_WRONLY) {
        return -EBADF;
    }
    if (fid->is_dir) {
        return -EISDIR; /* folders are read by Treaddir */
    }
    len_at = call->out;
    fs9p_put(&call->out, 0, 4);
    len = fs->ops->pread(fs, fs9p_fid_file(fid), call->out.buf + call->out.len, count, at);
    if (len < 0) {
        return (int)len;
    }
    fs9p_put(&len_at, (uint64_t)len, 4);
    fs9p_put_space(&call->out, (size_t)len);
    return 0;
}

static int
write_xattr(Fs9pFid *fid, uint64_t at, const uint8_t *data, uint32_t count)
{
    Fs9pXattr *xattr = fid->xattr;
    int ret = 0;

    g_mutex_lock(&fid->lock);
    if (!xattr->is_write || at > xattr->size || count > xattr->size - at) {
        ret = -EINVAL;
    } else if (count) {
        memcpy(xattr->value + at, data, count);
        xattr->filled = MAX(xattr->filled, at + count);
    }
    g_mutex_unlock(&fid->lock);
    return ret;
}

int
fs9p_write(Fs9pCall *call)
{
    Fs9pFs *fs = call->server->fs;
    g_autoptr(Fs9pFid) fid = fs9p_fid_get(call->server, (uint32_t)fs9p_get(&call->in, 4));
    uint64_t at = fs9p_get(&call->in, 8);
    uint32_t count = (uint32_t)fs9p_get(&call->in, 4);
    const uint8_t *data = fs9p_get_bytes(&call->in, count);
    ssize_t len = count;

    if (!fid || call->in.is_bad) {
        return fid ? -EINVAL : -ENOENT;
    }
    if (fid->xattr) {
        int ret = write_xattr(fid, at, data, count);
        if (ret < 0) {
            return ret;
        }
    } else {
        if (!fs9p_fid_file(fid) || (fid->open_flags & O_ACCMODE) == O_RDONLY || fid->is_dir) {
            return -EBADF;
        }
        if (at > INT64_MAX - count) {
            return -EFBIG;
        }
        len = fs->ops->pwrite ? fs->ops->pwrite(fs, fs9p_fid_file(fid), data, count, at)
                              : -EOPNOTSUPP;
        if (len < 0) {
            return (int)len;
        }
    }
    fs9p_put(&call->out, (uint64_t)len, 4);
    return 0;
}

typedef struct Listing {
    Fs9pCall *call;
    size_t end; /* of the answer */
} Listing;

static bool
put_entry(void *opaque, const Fs9pEntry *entry)
{
    Listing *listing = opaque;
    Fs9pCall *call = listing->call;
    Fs9pQid qid = {
        .type = entry->type == DT_DIR   ? 0x80
                : entry->type == DT_LNK ? 0x02
                                        : 0,
        .path = fs9p_entry_path(call->server, entry->ino),
    };

    if (call->out.len + ENTRY_BYTES + strlen(entry->name) > listing->end) {
        return false;
    }
    fs9p_put_qid(&call->out, &qid);
    fs9p_put(&call->out, entry->next, 8);
    fs9p_put(&call->out, entry->type, 1);
    fs9p_put_string(&call->out, entry->name);
    return true;
}

int
fs9p_readdir(Fs9pCall *call)
{
    Fs9pFs *fs = call->server->fs;
    g_autoptr(Fs9pFid) fid = fs9p_fid_get(call->server, (uint32_t)fs9p_get(&call->in, 4));
    uint64_t at = fs9p_get(&call->in, 8);
    uint32_t count = (uint32_t)fs9p_get(&call->in, 4);
    Fs9pWriter len_at = call->out;
    Listing listing = { call, 0 };
    int ret;

    if (!fid || call->in.is_bad) {
        return -ENOENT;
    }
    if (!fs9p_fid_file(fid) || !fid->is_dir || call->out.room < READ_HEADER_BYTES) {
        return -ENOTDIR;
    }
    fs9p_put(&call->out, 0, 4);
    listing.end = READ_HEADER_BYTES + MIN(count, call->out.room - READ_HEADER_BYTES);
    g_mutex_lock(&fid->lock);
    ret = fs->ops->readdir(fs, fs9p_fid_file(fid), at, put_entry, &listing);
    g_mutex_unlock(&fid->lock);
    fs9p_put(&len_at, call->out.len - READ_HEADER_BYTES, 4);
    return ret;
}

int
fs9p_fsync(Fs9pCall *call)
{
    Fs9pFs *fs = call->server->fs;
    g_autoptr(Fs9pFid) fid = fs9p_fid_get(call->server, (uint32_t)fs9p_get(&call->in, 4));
    bool is_data_only;

    if (!fid || call->in.is_bad) {
        return -ENOENT;
    }
    is_data_only = fs9p_get(&call->in, 4) != 0; /* older clients leave it out */
    if (!fs9p_fid_file(fid)) {
        return -EBADF;
    }
    return fs->ops->fsync ? fs->ops->fsync(fs, fs9p_fid_file(fid), is_data_only) : 0;
}

int
fs9p_lock(Fs9pCall *call)
{
    g_autoptr(Fs9pFid) fid = fs9p_fid_get(call->server, (uint32_t)fs9p_get(&call->in, 4));
    g_autofree char *client = NULL;

    fs9p_get_bytes(&call->in, 1 + 4 + 8 + 8 + 4);
    client = fs9p_get_string(&call->in);
    if (!fid || call->in.is_bad) {
        return fid ? -EINVAL : -ENOENT;
    }
    fs9p_put(&call->out, 0, 1); /* granted */
    return 0;
}

int
fs9p_getlock(Fs9pCall *call)
{
    g_autoptr(Fs9pFid) fid = fs9p_fid_get(call->server, (uint32_t)fs9p_get(&call->in, 4));
    uint64_t start, len;
    uint32_t process;
    g_autofree char *client = NULL;

    fs9p_get(&call->in, 1);
    start = fs9p_get(&call->in, 8);
    len = fs9p_get(&call->in, 8);
    process = (uint32_t)fs9p_get(&call->in, 4);
    client = fs9p_get_string(&call->in);
    if (!fid || call->in.is_bad) {
        return fid ? -EINVAL : -ENOENT;
    }
    fs9p_put(&call->out, F_UNLCK, 1);
    fs9p_put(&call->out, start, 8);
    fs9p_put(&call->out, len, 8);
    fs9p_put(&call->out, process, 4);
    fs9p_put_string(&call->out, client);
    return 0;
}
