/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The server's requests about the session and the walk, and the way from a message to its handler.
 * Plan 9 manual, section 5, and the description of 9P2000.L that comes with diod. Deviations: only
 * 9P2000.L is spoken; there is no authentication; aname is not looked at; locks are granted and
 * kept by the client alone. Thread: any, several requests at a time. */

#include "fs9p-private.h"

#include <string.h>

#define VERSION "9P2000.L"

enum { QID_DIR = 0x80, QID_SYMLINK = 0x02, INODE_BITS = 48 };

/* ---- Names and qids ---- */

int
fs9p_check_name(const char *name)
{
    if (!*name || strchr(name, '/')) {
        return -ENOENT;
    }
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return -EINVAL;
    }
    return strlen(name) > 255 ? -ENAMETOOLONG : 0;
}

char *
fs9p_join(const char *dir, const char *name)
{
    return strlen(dir) + 1 + strlen(name) >= FS9P_PATH_MAX
               ? NULL
               : g_strconcat(dir, *dir ? "/" : "", name, NULL);
}

static void
warn_once(Fs9pServer *server)
{
    bool is_first;

    g_mutex_lock(&server->lock);
    is_first = !server->has_warned;
    server->has_warned = true;
    g_mutex_unlock(&server->lock);
    if (is_first && server->warn) {
        server->warn(server->opaque,
                     server->multidevs == FS9P_MULTIDEVS_FORBID
                         ? "the shared folder holds another file system, which the guest is denied "
                           "(multidevs=forbid)"
                         : "the shared folder holds another file system: files may look the same "
                           "to the guest; share it with multidevs=remap");
    }
}

typedef struct Inode {
    uint64_t dev, ino;
} Inode;

static guint
inode_hash(gconstpointer key)
{
    const Inode *inode = key;

    return (guint)(inode->dev * 31 + inode->ino + (inode->ino >> 32));
}

static gboolean
inode_equal(gconstpointer a, gconstpointer b)
{
    const Inode *one = a, *two = b;

    return one->dev == two->dev && one->ino == two->ino;
}

/* A number in TABLE for KEY, given out in order from 1 on; takes KEY. */
static guint
number_of(GHashTable *table, Inode key)
{
    guint number = GPOINTER_TO_UINT(g_hash_table_lookup(table, &key));

    if (number == 0) {
        number = g_hash_table_size(table) + 1;
        g_hash_table_insert(table, g_memdup2(&key, sizeof(key)), GUINT_TO_POINTER(number));
    }
    return number;
}

/* The device's number above the inode's; inodes that are too large get a number of their own, of
 * which there are no more than files. */
static uint64_t
remapped(Fs9pServer *server, uint64_t dev, uint64_t ino)
{
    uint64_t path, index;

    g_mutex_lock(&server->lock);
    index = number_of(server->devs, (Inode){ dev, 0 }) - 1;
    if (ino >> INODE_BITS == 0 && index < 0x7fff) {
        path = index << INODE_BITS | ino;
    } else {
        path = 1ull << 63 | number_of(server->inodes, (Inode){ dev, ino });
    }
    g_mutex_unlock(&server->lock);
    return path;
}

uint64_t
fs9p_entry_path(Fs9pServer *server, uint64_t ino)
{
    return server->multidevs == FS9P_MULTIDEVS_REMAP && server->has_root_dev
               ? remapped(server, server->root_dev, ino)
               : ino;
}

int
fs9p_qid_of(Fs9pServer *server, const struct stat *st, Fs9pQid *out)
{
    uint64_t path = st->st_ino;

    if (server->multidevs == FS9P_MULTIDEVS_REMAP) {
        path = remapped(server, st->st_dev, st->st_ino);
    } else if (server->has_root_dev && st->st_dev != server->root_dev) {
        warn_once(server);
        if (server->multidevs == FS9P_MULTIDEVS_FORBID) {
            return -ENODEV;
        }
    }
    *out = (Fs9pQid){
        .type = S_ISDIR(st->st_mode)   ? QID_DIR
                : S_ISLNK(st->st_mode) ? QID_SYMLINK
                                       : 0,
        .version = (uint32_t)st->st_mtim.tv_sec ^ (uint32_t)((uint64_t)st->st_size << 8),
        .path = path,
    };
    return 0;
}

int
fs9p_stat_qid(Fs9pServer *server, const char *path, struct stat *st, Fs9pQid *out)
{
    int ret = server->fs->ops->lstat(server->fs, path, st);

    return ret < 0 ? ret : fs9p_qid_of(server, st, out);
}

/* ---- Session ---- */

static int
do_version(Fs9pCall *call)
{
    Fs9pServer *server = call->server;
    uint32_t msize = (uint32_t)fs9p_get(&call->in, 4);
    g_autofree char *version = fs9p_get_string(&call->in);
    bool is_known = version && strcmp(version, VERSION) == 0;

    if (call->in.is_bad) {
        return -EINVAL;
    }
    fs9p_server_reset(server);
    if (is_known && msize < FS9P_MSIZE_MIN) {
        return -EMSGSIZE;
    }
    server->msize = is_known ? MIN(msize, FS9P_MSIZE_MAX) : 0;
    fs9p_put(&call->out, is_known ? server->msize : msize, 4);
    fs9p_put_string(&call->out, is_known ? VERSION : "unknown");
    return 0;
}

static int
do_attach(Fs9pCall *call)
{
    Fs9pServer *server = call->server;
    uint32_t number = (uint32_t)fs9p_get(&call->in, 4);
    g_autofree char *uname = NULL, *aname = NULL;
    struct stat st;
    Fs9pQid qid;
    uint32_t uid;
    int ret;

    fs9p_get(&call->in, 4); /* afid */
    uname = fs9p_get_string(&call->in);
    aname = fs9p_get_string(&call->in);
    uid = (uint32_t)fs9p_get(&call->in, 4);
    if (call->in.is_bad) {
        return -EINVAL;
    }
    ret = server->fs->ops->lstat(server->fs, "", &st);
    if (ret < 0) {
        return ret;
    }
    g_mutex_lock(&server->lock);
    if (!server->has_root_dev) {
        server->root_dev = st.st_dev;
        server->has_root_dev = true;
    }
    g_mutex_unlock(&server->lock);
    ret = fs9p_qid_of(server, &st, &qid);
    if (ret == 0) {
        ret = fs9p_fid_insert(server, number, fs9p_fid_new(server, "", uid), false);
    }
    fs9p_put_qid(&call->out, &qid);
    return ret;
}

static int
do_auth(Fs9pCall *call)
{
    return -EOPNOTSUPP; /* none is needed */
}

static int
do_flush(Fs9pCall *call)
{
    fs9p_get(&call->in, 2);
    return 0;
}

static int
do_clunk(Fs9pCall *call)
{
    uint32_t number = (uint32_t)fs9p_get(&call->in, 4);
    g_autoptr(Fs9pFid) fid = call->in.is_bad ? NULL : fs9p_fid_steal(call->server, number);

    return !fid ? -ENOENT : fid->xattr && fid->xattr->is_write ? fs9p_xattr_store(fid) : 0;
}

/* ---- Walk ---- */

/* One step from PATH; newly allocated. */
static int
step(const char *path, const char *name, char **out)
{
    const char *slash = strrchr(path, '/');

    if (strcmp(name, "..") == 0) {
        *out = g_strndup(path, slash ? (size_t)(slash - path) : 0);
    } else if (strcmp(name, ".") == 0) {
        *out = g_strdup(path);
    } else {
        int ret = fs9p_check_name(name);
        if (ret < 0) {
            return ret;
        }
        *out = fs9p_join(path, name);
    }
    return *out ? 0 : -ENAMETOOLONG;
}

static int
do_walk(Fs9pCall *call)
{
    Fs9pServer *server = call->server;
    uint32_t number = (uint32_t)fs9p_get(&call->in, 4), target = (uint32_t)fs9p_get(&call->in, 4);
    unsigned count = (unsigned)fs9p_get(&call->in, 2), walked = 0;
    g_autoptr(Fs9pFid) fid = fs9p_fid_get(server, number);
    g_autofree char *path = fid ? g_strdup(fid->path) : NULL;
    Fs9pQid qids[FS9P_NAMES_MAX];
    int ret = 0;

    if (!fid) {
        return -ENOENT;
    }
    if (count > FS9P_NAMES_MAX || fs9p_fid_file(fid) || fid->xattr) {
        return -EINVAL;
    }
    for (; walked < count && ret == 0; walked += ret == 0) {
        g_autofree char *name = fs9p_get_string(&call->in);
        g_autofree char *next = NULL;
        struct stat st;

        ret = name ? step(path, name, &next) : -EINVAL;
        ret = ret < 0 ? ret : fs9p_stat_qid(server, next, &st, &qids[walked]);
        if (ret == 0) {
            g_free(path);
            path = g_steal_pointer(&next);
        }
    }
    if (call->in.is_bad || (ret < 0 && walked == 0)) {
        return call->in.is_bad ? -EINVAL : ret;
    }
    if (walked == count) {
        ret =
            fs9p_fid_insert(server, target, fs9p_fid_new(server, path, fid->uid), target == number);
        if (ret < 0) {
            return ret;
        }
    }
    fs9p_put(&call->out, walked, 2);
    for (unsigned i = 0; i < walked; i++) {
        fs9p_put_qid(&call->out, &qids[i]);
    }
    return 0;
}

/* ---- From message to handler ---- */

enum { EXCLUSIVE = 1, EARLY = 2 }; /* paths change; comes before the version is agreed on */

static const struct {
    Fs9pHandler *func;
    unsigned flags;
} handlers[] = {
    [FS9P_TSTATFS] = { fs9p_statfs },
    [FS9P_TLOPEN] = { fs9p_lopen },
    [FS9P_TLCREATE] = { fs9p_lcreate },
    [FS9P_TSYMLINK] = { fs9p_symlink },
    [FS9P_TMKNOD] = { fs9p_mknod },
    [FS9P_TRENAME] = { fs9p_rename, EXCLUSIVE },
    [FS9P_TREADLINK] = { fs9p_readlink },
    [FS9P_TGETATTR] = { fs9p_getattr },
    [FS9P_TSETATTR] = { fs9p_setattr },
    [FS9P_TXATTRWALK] = { fs9p_xattrwalk },
    [FS9P_TXATTRCREATE] = { fs9p_xattrcreate },
    [FS9P_TREADDIR] = { fs9p_readdir },
    [FS9P_TFSYNC] = { fs9p_fsync },
    [FS9P_TLOCK] = { fs9p_lock },
    [FS9P_TGETLOCK] = { fs9p_getlock },
    [FS9P_TLINK] = { fs9p_link },
    [FS9P_TMKDIR] = { fs9p_mkdir },
    [FS9P_TRENAMEAT] = { fs9p_renameat, EXCLUSIVE },
    [FS9P_TUNLINKAT] = { fs9p_unlinkat },
    [FS9P_TVERSION] = { do_version, EXCLUSIVE | EARLY },
    [FS9P_TAUTH] = { do_auth },
    [FS9P_TATTACH] = { do_attach },
    [FS9P_TFLUSH] = { do_flush, EARLY },
    [FS9P_TWALK] = { do_walk },
    [FS9P_TREAD] = { fs9p_read },
    [FS9P_TWRITE] = { fs9p_write },
    [FS9P_TCLUNK] = { do_clunk },
    [FS9P_TREMOVE] = { fs9p_remove },
};

static void
put_header(Fs9pWriter *out, unsigned type, const uint8_t *request)
{
    size_t len = out->len;

    out->len = 0;
    fs9p_put(out, len, 4);
    fs9p_put(out, type, 1);
    fs9p_put(out, request[5] | request[6] << 8, 2);
    out->len = len;
}

size_t
fs9p_answer_error(const uint8_t *request, size_t len, unsigned errnum, uint8_t *answer, size_t room)
{
    Fs9pWriter out = { answer, FS9P_HEADER_BYTES, room, false };

    if (len < FS9P_HEADER_BYTES || room < FS9P_ERROR_BYTES) {
        return 0;
    }
    fs9p_put(&out, errnum, 4);
    put_header(&out, FS9P_TLERROR + 1, request);
    return out.len;
}

static int
run(Fs9pCall *call, unsigned type)
{
    Fs9pServer *server = call->server;
    bool is_exclusive;
    int ret;

    if (type >= G_N_ELEMENTS(handlers) || !handlers[type].func) {
        return -EOPNOTSUPP;
    }
    is_exclusive = handlers[type].flags & EXCLUSIVE;
    if (is_exclusive) {
        g_rw_lock_writer_lock(&server->paths);
    } else {
        g_rw_lock_reader_lock(&server->paths);
    }
    if (server->msize == 0 && !(handlers[type].flags & EARLY)) {
        ret = -EINVAL;
    } else {
        if (server->msize) {
            call->out.room = MIN(call->out.room, server->msize);
        }
        ret = handlers[type].func(call);
    }
    if (is_exclusive) {
        g_rw_lock_writer_unlock(&server->paths);
    } else {
        g_rw_lock_reader_unlock(&server->paths);
    }
    return ret;
}

size_t
fs9p_server_handle(Fs9pServer *server, const uint8_t *request, size_t len, uint8_t *answer,
                   size_t room)
{
    Fs9pReader header = { request, request + len, false };
    Fs9pCall call = { .server = server, .out = { answer, FS9P_HEADER_BYTES, room, false } };
    uint64_t size = fs9p_get(&header, 4);
    unsigned type = (unsigned)fs9p_get(&header, 1);
    int ret = -EINVAL;

    if (len < FS9P_HEADER_BYTES || room < FS9P_ERROR_BYTES) {
        return 0;
    }
    if (size >= FS9P_HEADER_BYTES && size <= len) {
        call.in = (Fs9pReader){ request + FS9P_HEADER_BYTES, request + size, false };
        ret = run(&call, type);
    }
    if (ret == 0 && call.out.is_full) {
        ret = -EMSGSIZE;
    }
    if (ret < 0) {
        return fs9p_answer_error(request, len, (unsigned)-ret, answer, room);
    }
    put_header(&call.out, type + 1, request);
    return call.out.len;
}

/* ---- Life ---- */

Fs9pServer *
fs9p_server_new(Fs9pFs *fs, Fs9pMultidevs multidevs, void (*warn)(void *opaque, const char *line),
                void *opaque)
{
    Fs9pServer *server = g_new0(Fs9pServer, 1);

    server->fs = fs;
    server->multidevs = multidevs;
    server->warn = warn;
    server->opaque = opaque;
    g_rw_lock_init(&server->paths);
    g_mutex_init(&server->lock);
    server->fids = g_hash_table_new(NULL, NULL);
    server->devs = g_hash_table_new_full(inode_hash, inode_equal, g_free, NULL);
    server->inodes = g_hash_table_new_full(inode_hash, inode_equal, g_free, NULL);
    return server;
}

/* Fids let go of their files without the lock, which counts those. */
void
fs9p_server_reset(Fs9pServer *server)
{
    GHashTable *fids;
    GHashTableIter iter;
    gpointer fid;

    g_mutex_lock(&server->lock);
    fids = g_steal_pointer(&server->fids);
    server->fids = g_hash_table_new(NULL, NULL);
    server->msize = 0;
    g_mutex_unlock(&server->lock);
    g_hash_table_iter_init(&iter, fids);
    while (g_hash_table_iter_next(&iter, NULL, &fid)) {
        fs9p_fid_put(fid);
    }
    g_hash_table_unref(fids);
}

bool
fs9p_server_is_mounted(Fs9pServer *server)
{
    bool is_mounted;

    g_mutex_lock(&server->lock);
    is_mounted = g_hash_table_size(server->fids) > 0;
    g_mutex_unlock(&server->lock);
    return is_mounted;
}

void
fs9p_server_free(Fs9pServer *server)
{
    if (!server) {
        return;
    }
    fs9p_server_reset(server);
    g_hash_table_unref(server->fids);
    g_hash_table_unref(server->devs);
    g_hash_table_unref(server->inodes);
    g_mutex_clear(&server->lock);
    g_rw_lock_clear(&server->paths);
    g_free(server);
}
