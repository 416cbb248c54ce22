/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The guest's extended attributes on the host's files. The mapped models' own are hidden, and ACLs,
 * which would grant rights on the host, are not taken by them. Thread: any. */

#include "fs9p-local.h"

#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* 0, or why the guest may not use the attribute NAME. */
static int
check(const Fs9pLocal *local, const char *name)
{
    if (g_str_has_prefix(name, "user.virtfs.")) {
        return fs9p_is_mapped(local) ? -ENODATA : 0;
    }
    if (fs9p_is_mapped(local) && g_str_has_prefix(name, "system.posix_acl_")) {
        return -EOPNOTSUPP;
    }
    return strlen(name) > XATTR_NAME_MAX ? -ERANGE : 0;
}

/* The path of PATH's last component for calls that do not follow it; the folder to be closed. */
static int
reach(Fs9pLocal *local, const char *path, char out[FS9P_PROC_BYTES])
{
    const char *name;
    int dir = fs9p_local_parent(local, path, &name);

    if (dir >= 0) {
        fs9p_proc_path(dir, name, out);
    }
    return dir;
}

ssize_t
fs9p_local_listxattr(Fs9pFs *fs, const char *path, char *out, size_t room)
{
    Fs9pLocal *local = (Fs9pLocal *)fs;
    char at[FS9P_PROC_BYTES];
    int dir = reach(local, path, at);
    ssize_t len, kept = 0;

    if (dir < 0) {
        return dir;
    }
    len = llistxattr(at, out, room);
    len = len < 0 ? -errno : len;
    close(dir);
    for (ssize_t i = 0; i < len;) {
        size_t one = strnlen(out + i, (size_t)(len - i)) + 1;
        if (i + (ssize_t)one > len) {
            break;
        }
        if (check(local, out + i) == 0) {
            memmove(out + kept, out + i, one);
            kept += (ssize_t)one;
        }
        i += (ssize_t)one;
    }
    return len < 0 ? len : kept;
}

ssize_t
fs9p_local_getxattr(Fs9pFs *fs, const char *path, const char *name, void *out, size_t room)
{
    Fs9pLocal *local = (Fs9pLocal *)fs;
    char at[FS9P_PROC_BYTES];
    ssize_t len = check(local, name);
    int dir = len < 0 ? (int)len : reach(local, path, at);

    if (dir < 0) {
        return dir;
    }
    len = lgetxattr(at, name, out, room);
    len = len < 0 ? -errno : len;
    close(dir);
    return len;
}

int
fs9p_local_setxattr(Fs9pFs *fs, const char *path, const char *name, const void *value, size_t len,
                    int flags)
{
    Fs9pLocal *local = (Fs9pLocal *)fs;
    char at[FS9P_PROC_BYTES];
    int ret = check(local, name), dir = ret < 0 ? ret : reach(local, path, at);

    if (dir < 0) {
        return dir;
    }
    ret = lsetxattr(at, name, value, len, flags) < 0 ? -errno : 0;
    close(dir);
    return ret;
}

int
fs9p_local_removexattr(Fs9pFs *fs, const char *path, const char *name)
{
    Fs9pLocal *local = (Fs9pLocal *)fs;
    char at[FS9P_PROC_BYTES];
    int ret = check(local, name), dir = ret < 0 ? ret : reach(local, path, at);

    if (dir < 0) {
        return dir;
    }
    ret = lremovexattr(at, name) < 0 ? -errno : 0;
    close(dir);
    return ret;
}
