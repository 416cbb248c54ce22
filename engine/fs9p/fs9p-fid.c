/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Fids: the client's numbers for files. A fid that a request holds outlives its being clunked by
 * another. Numbers and open files are bounded. Thread: any (locks in fs9p-private.h). */

#include "fs9p-private.h"

#include <string.h>

Fs9pFid *
fs9p_fid_new(Fs9pServer *server, const char *path, uint32_t uid)
{
    Fs9pFid *fid = g_new0(Fs9pFid, 1);

    fid->refs = 1;
    fid->server = server;
    fid->path = g_strdup(path);
    fid->uid = uid;
    g_mutex_init(&fid->lock);
    return fid;
}

void
fs9p_xattr_free(Fs9pXattr *xattr)
{
    if (xattr) {
        g_free(xattr->name);
        g_free(xattr->value);
        g_free(xattr);
    }
}

void
fs9p_fid_put(Fs9pFid *fid)
{
    if (!fid || !g_atomic_int_dec_and_test(&fid->refs)) {
        return;
    }
    if (fid->file) {
        fid->server->fs->ops->close(fid->server->fs, fid->file);
        fs9p_open_release(fid->server);
    }
    fs9p_xattr_free(fid->xattr);
    g_mutex_clear(&fid->lock);
    g_free(fid->path);
    g_free(fid);
}

Fs9pFid *
fs9p_fid_get(Fs9pServer *server, uint32_t number)
{
    Fs9pFid *fid;

    g_mutex_lock(&server->lock);
    fid = g_hash_table_lookup(server->fids, GUINT_TO_POINTER(number));
    if (fid) {
        g_atomic_int_inc(&fid->refs);
    }
    g_mutex_unlock(&server->lock);
    return fid;
}

Fs9pFid *
fs9p_fid_steal(Fs9pServer *server, uint32_t number)
{
    gpointer fid = NULL;

    g_mutex_lock(&server->lock);
    g_hash_table_steal_extended(server->fids, GUINT_TO_POINTER(number), NULL, &fid);
    g_mutex_unlock(&server->lock);
    return fid;
}

int
fs9p_fid_insert(Fs9pServer *server, uint32_t number, Fs9pFid *fid, bool replace)
{
    gpointer old = NULL;
    int ret = 0;

    g_mutex_lock(&server->lock);
    g_hash_table_steal_extended(server->fids, GUINT_TO_POINTER(number), NULL, &old);
    if (number == FS9P_NOFID || (old && !replace)) {
        ret = -EINVAL;
    } else if (!old && g_hash_table_size(server->fids) >= FS9P_FIDS_MAX) {
        ret = -ENFILE;
    }
    if (ret == 0) {
        g_hash_table_insert(server->fids, GUINT_TO_POINTER(number), fid);
    } else if (old) {
        g_hash_table_insert(server->fids, GUINT_TO_POINTER(number), g_steal_pointer(&old));
    }
    g_mutex_unlock(&server->lock);
    fs9p_fid_put(ret == 0 ? old : fid);
    return ret;
}

int
fs9p_open_claim(Fs9pServer *server)
{
    int ret = 0;

    g_mutex_lock(&server->lock);
    if (server->open_count >= FS9P_OPEN_MAX) {
        ret = -EMFILE;
    } else {
        server->open_count++;
    }
    g_mutex_unlock(&server->lock);
    return ret;
}

void
fs9p_open_release(Fs9pServer *server)
{
    g_mutex_lock(&server->lock);
    server->open_count--;
    g_mutex_unlock(&server->lock);
}

int
fs9p_fid_set_file(Fs9pFid *fid, Fs9pFile *file, int flags, bool is_dir)
{
    int ret = 0;

    g_mutex_lock(&fid->lock);
    if (fid->file || fid->xattr) {
        ret = -EINVAL;
    } else {
        fid->open_flags = flags;
        fid->is_dir = is_dir;
        g_atomic_pointer_set(&fid->file, file);
    }
    g_mutex_unlock(&fid->lock);
    if (ret < 0) {
        fid->server->fs->ops->close(fid->server->fs, file);
        fs9p_open_release(fid->server);
    }
    return ret;
}

Fs9pFile *
fs9p_fid_file(Fs9pFid *fid)
{
    return g_atomic_pointer_get(&fid->file);
}

void
fs9p_fids_moved(Fs9pServer *server, const char *old_path, const char *new_path)
{
    size_t len = strlen(old_path);
    GHashTableIter iter;
    gpointer value;

    g_mutex_lock(&server->lock);
    g_hash_table_iter_init(&iter, server->fids);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Fs9pFid *fid = value;
        if (strncmp(fid->path, old_path, len) == 0 && (!fid->path[len] || fid->path[len] == '/')) {
            char *path = g_strconcat(new_path, fid->path + len, NULL);
            g_free(fid->path);
            fid->path = path;
        }
    }
    g_mutex_unlock(&server->lock);
}
