/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Requests that make, move and take away names. Diod's description of 9P2000.L. Renames change the
 * paths of all fids at and below what moves. Thread: any, `paths` held (renames: for writing). */

#include "fs9p-private.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

/* A folder by fid and a name in it; what each of these requests begins with. */
typedef struct Place {
    Fs9pFid *dir;
    char *name;
    char *path;
} Place;

static void
place_clear(Place *place)
{
    fs9p_fid_put(place->dir);
    g_free(place->name);
    g_free(place->path);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_clear)

static int
get_place(Fs9pCall *call, uint32_t number, Place *out)
{
    int ret;

    out->dir = fs9p_fid_get(call->server, number);
    out->name = fs9p_get_string(&call->in);
    if (!out->dir || !out->name) {
        return out->dir ? -EINVAL : -ENOENT;
    }
    ret = fs9p_check_writable(call->server);
    ret = ret < 0 ? ret : fs9p_check_name(out->name);
    out->path = fs9p_join(out->dir->path, out->name);
    return ret < 0 ? ret : out->path ? 0 : -ENAMETOOLONG;
}

static int
put_made(Fs9pCall *call, const Place *place)
{
    struct stat st;
    Fs9pQid qid;
    int ret = fs9p_stat_qid(call->server, place->path, &st, &qid);

    if (ret == 0) {
        fs9p_put_qid(&call->out, &qid);
    }
    return ret;
}

int
fs9p_symlink(Fs9pCall *call)
{
    Fs9pFs *fs = call->server->fs;
    g_auto(Place) place = { 0 };
    int ret = get_place(call, (uint32_t)fs9p_get(&call->in, 4), &place);
    g_autofree char *target = fs9p_get_string(&call->in);
    Fs9pOwner owner = { .mode = 0777, .gid = (uint32_t)fs9p_get(&call->in, 4) };

    if (ret < 0 || call->in.is_bad) {
        return ret < 0 ? ret : -EINVAL;
    }
    if (strlen(target) >= FS9P_PATH_MAX) {
        return -ENAMETOOLONG;
    }
    owner.uid = place.dir->uid;
    ret = fs->ops->symlink ? fs->ops->symlink(fs, place.dir->path, place.name, target, &owner)
                           : -EOPNOTSUPP;
    return ret < 0 ? ret : put_made(call, &place);
}

int
fs9p_mknod(Fs9pCall *call)
{
    Fs9pFs *fs = call->server->fs;
    g_auto(Place) place = { 0 };
    int ret = get_place(call, (uint32_t)fs9p_get(&call->in, 4), &place);
    Fs9pOwner owner = { .mode = (uint32_t)fs9p_get(&call->in, 4) };
    uint32_t major = (uint32_t)fs9p_get(&call->in, 4), minor = (uint32_t)fs9p_get(&call->in, 4);

    owner.gid = (uint32_t)fs9p_get(&call->in, 4);
    if (ret < 0 || call->in.is_bad) {
        return ret < 0 ? ret : -EINVAL;
    }
    if (S_ISDIR(owner.mode) || S_ISLNK(owner.mode)) {
        return -EINVAL;
    }
    owner.uid = place.dir->uid;
    ret = fs->ops->mknod
              ? fs->ops->mknod(fs, place.dir->path, place.name, &owner, makedev(major, minor))
              : -EOPNOTSUPP;
    return ret < 0 ? ret : put_made(call, &place);
}

int
fs9p_mkdir(Fs9pCall *call)
{
    Fs9pFs *fs = call->server->fs;
    g_auto(Place) place = { 0 };
    int ret = get_place(call, (uint32_t)fs9p_get(&call->in, 4), &place);
    Fs9pOwner owner = { .mode = (uint32_t)fs9p_get(&call->in, 4) & 07777 };

    owner.gid = (uint32_t)fs9p_get(&call->in, 4);
    if (ret < 0 || call->in.is_bad) {
        return ret < 0 ? ret : -EINVAL;
    }
    owner.uid = place.dir->uid;
    ret = fs->ops->mkdir ? fs->ops->mkdir(fs, place.dir->path, place.name, &owner) : -EOPNOTSUPP;
    return ret < 0 ? ret : put_made(call, &place);
}

int
fs9p_link(Fs9pCall *call)
{
    Fs9pFs *fs = call->server->fs;
    uint32_t dir = (uint32_t)fs9p_get(&call->in, 4);
    g_autoptr(Fs9pFid) fid = fs9p_fid_get(call->server, (uint32_t)fs9p_get(&call->in, 4));
    g_auto(Place) place = { 0 };
    int ret = get_place(call, dir, &place);

    if (ret < 0 || !fid) {
        return ret < 0 ? ret : -ENOENT;
    }
    return fs->ops->link ? fs->ops->link(fs, fid->path, place.dir->path, place.name) : -EOPNOTSUPP;
}

/* FROM, in the folder FROM_DIR, becomes TO. */
static int
move(Fs9pServer *server, const char *from_dir, const char *from_name, const char *from,
     const Place *to)
{
    Fs9pFs *fs = server->fs;
    int ret;

    if (!fs->ops->rename) {
        return -EOPNOTSUPP;
    }
    if (strcmp(from, to->path) == 0) {
        return 0;
    }
    ret = fs->ops->rename(fs, from_dir, from_name, to->dir->path, to->name);
    if (ret == 0) {
        fs9p_fids_moved(server, from, to->path);
    }
    return ret;
}

int
fs9p_renameat(Fs9pCall *call)
{
    g_auto(Place) from = { 0 };
    g_auto(Place) to = { 0 };
    int ret = get_place(call, (uint32_t)fs9p_get(&call->in, 4), &from);

    ret = ret < 0 ? ret : get_place(call, (uint32_t)fs9p_get(&call->in, 4), &to);
    return ret < 0 ? ret : move(call->server, from.dir->path, from.name, from.path, &to);
}

/* The folder that PATH lies in, and its name there. */
static char *
split(const char *path, const char **out_name)
{
    const char *slash = strrchr(path, '/');

    *out_name = slash ? slash + 1 : path;
    return g_strndup(path, slash ? (size_t)(slash - path) : 0);
}

int
fs9p_rename(Fs9pCall *call)
{
    g_autoptr(Fs9pFid) fid = fs9p_fid_get(call->server, (uint32_t)fs9p_get(&call->in, 4));
    g_auto(Place) to = { 0 };
    int ret = get_place(call, (uint32_t)fs9p_get(&call->in, 4), &to);
    g_autofree char *path = NULL, *dir = NULL;
    const char *name;

    if (ret < 0 || !fid || !*fid->path) {
        return ret < 0 ? ret : fid ? -EBUSY : -ENOENT;
    }
    path = g_strdup(fid->path);
    dir = split(path, &name);
    return move(call->server, dir, name, path, &to);
}

int
fs9p_unlinkat(Fs9pCall *call)
{
    Fs9pFs *fs = call->server->fs;
    g_auto(Place) place = { 0 };
    int ret = get_place(call, (uint32_t)fs9p_get(&call->in, 4), &place);
    uint32_t flags = (uint32_t)fs9p_get(&call->in, 4);

    if (ret < 0 || call->in.is_bad) {
        return ret < 0 ? ret : -EINVAL;
    }
    if (flags & ~(uint32_t)AT_REMOVEDIR) {
        return -EINVAL;
    }
    return fs->ops->unlink ? fs->ops->unlink(fs, place.dir->path, place.name, flags & AT_REMOVEDIR)
                           : -EOPNOTSUPP;
}

/* The fid goes in any case. */
int
fs9p_remove(Fs9pCall *call)
{
    Fs9pFs *fs = call->server->fs;
    uint32_t number = (uint32_t)fs9p_get(&call->in, 4);
    g_autoptr(Fs9pFid) fid = call->in.is_bad ? NULL : fs9p_fid_steal(call->server, number);
    g_autofree char *dir = NULL;
    const char *name;
    struct stat st;
    int ret = fid ? fs9p_check_writable(call->server) : -ENOENT;

    if (ret < 0 || !*fid->path || !fs->ops->unlink) {
        return ret < 0 ? ret : -EBUSY;
    }
    ret = fs->ops->lstat(fs, fid->path, &st);
    dir = split(fid->path, &name);
    return ret < 0 ? ret : fs->ops->unlink(fs, dir, name, S_ISDIR(st.st_mode));
}
