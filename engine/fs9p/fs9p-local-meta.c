/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the mapped security models keep for a file: owner, mode and device number as the guest set
 * them. In user.virtfs.* attributes (32 and 64 bits, little endian), or in the text file
 * .virtfs_metadata/NAME beside it with lines virtfs.KEY=NUMBER; both as other programs that share
 * folders write them, so that a folder can go from one to the other. Thread: any. */

#include "fs9p-local.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { TEXT_MAX = 256 };

static const struct {
    const char *name; /* after "user." and in files */
    unsigned bit, size;
} keys[] = {
    { "virtfs.uid", META_UID, 4 },
    { "virtfs.gid", META_GID, 4 },
    { "virtfs.mode", META_MODE, 4 },
    { "virtfs.rdev", META_RDEV, 8 },
};

static uint64_t
get(const Fs9pMeta *meta, unsigned bit)
{
    return bit == META_UID    ? meta->uid
           : bit == META_GID  ? meta->gid
           : bit == META_MODE ? meta->mode
                              : meta->rdev;
}

static void
set(Fs9pMeta *meta, unsigned bit, uint64_t value)
{
    meta->has |= bit;
    switch (bit) {
    case META_UID: meta->uid = (uint32_t)value; break;
    case META_GID: meta->gid = (uint32_t)value; break;
    case META_MODE: meta->mode = (uint32_t)value; break;
    default: meta->rdev = value; break;
    }
}

/* ---- Attributes ---- */

static void
read_xattrs(int dir, const char *name, Fs9pMeta *out)
{
    char path[FS9P_PROC_BYTES];

    fs9p_proc_path(dir, name, path);
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        char attr[32];
        uint64_t value = 0;

        g_snprintf(attr, sizeof(attr), "user.%s", keys[i].name);
        if (lgetxattr(path, attr, &value, keys[i].size) == (ssize_t)keys[i].size) {
            set(out, keys[i].bit, GUINT64_FROM_LE(value));
        }
    }
}

static int
write_xattrs(int dir, const char *name, const Fs9pMeta *meta)
{
    char path[FS9P_PROC_BYTES];

    fs9p_proc_path(dir, name, path);
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        char attr[32];
        uint64_t value = GUINT64_TO_LE(get(meta, keys[i].bit));

        g_snprintf(attr, sizeof(attr), "user.%s", keys[i].name);
        if (meta->has & keys[i].bit && lsetxattr(path, attr, &value, keys[i].size, 0) < 0) {
            return -errno;
        }
    }
    return 0;
}

/* ---- Files ---- */

/* Opens the file of NAME, or the folder it lies in (*OUT_NAME in it). */
static int
open_folder(int dir, const char *name, bool make, const char **out_name)
{
    if (strcmp(name, ".") == 0) {
        *out_name = FS9P_META_ROOT;
        return openat(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    *out_name = name;
    if (make) {
        mkdirat(dir, FS9P_META_DIR, 0700);
    }
    return openat(dir, FS9P_META_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void
read_file(int dir, const char *name, Fs9pMeta *out)
{
    const char *file;
    int folder = open_folder(dir, name, false, &file), fd;
    char text[TEXT_MAX];
    ssize_t len;

    if (folder < 0) {
        return;
    }
    fd = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    close(folder);
    if (fd < 0) {
        return;
    }
    len = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[MAX(len, 0)] = '\0';
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        const char *at = strstr(text, keys[i].name);
        if (at && at[strlen(keys[i].name)] == '=') {
            set(out, keys[i].bit, g_ascii_strtoull(at + strlen(keys[i].name) + 1, NULL, 10));
        }
    }
}

static int
write_file(int dir, const char *name, const Fs9pMeta *meta)
{
    const char *file;
    int folder = open_folder(dir, name, true, &file), fd, ret = 0;
    char text[TEXT_MAX] = "";

    if (folder < 0) {
        return -errno;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        size_t len = strlen(text);
        if (meta->has & keys[i].bit) {
            g_snprintf(text + len, sizeof(text) - len, "%s=%" G_GUINT64_FORMAT "\n", keys[i].name,
                       get(meta, keys[i].bit));
        }
    }
    fd = openat(folder, file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                0600);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        ret = errno ? -errno : -EIO;
    }
    if (fd >= 0) {
        close(fd);
    }
    close(folder);
    return ret;
}

/* ---- Either ---- */

void
fs9p_meta_read(Fs9pLocal *local, int dir, const char *name, Fs9pMeta *out)
{
    out->has = 0;
    if (local->model == FS9P_MAPPED_XATTR) {
        read_xattrs(dir, name, out);
    } else if (local->model == FS9P_MAPPED_FILE) {
        g_mutex_lock(&local->meta_lock);
        read_file(dir, name, out);
        g_mutex_unlock(&local->meta_lock);
    }
}

int
fs9p_meta_write(Fs9pLocal *local, int dir, const char *name, const Fs9pMeta *meta)
{
    Fs9pMeta all = { 0 };
    int ret;

    if (local->model == FS9P_MAPPED_XATTR) {
        return write_xattrs(dir, name, meta);
    }
    g_mutex_lock(&local->meta_lock);
    read_file(dir, name, &all);
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (meta->has & keys[i].bit) {
            set(&all, keys[i].bit, get(meta, keys[i].bit));
        }
    }
    ret = write_file(dir, name, &all);
    g_mutex_unlock(&local->meta_lock);
    return ret;
}

void
fs9p_meta_remove(Fs9pLocal *local, int dir, const char *name)
{
    const char *file;
    int folder;

    if (local->model == FS9P_MAPPED_FILE && (folder = open_folder(dir, name, false, &file)) >= 0) {
        unlinkat(folder, file, 0);
        close(folder);
    }
}

/* The folders of two files, or false. */
static bool
open_two(Fs9pLocal *local, int old_dir, const char *old_name, int new_dir, const char *new_name,
         int out[2])
{
    const char *file;

    if (local->model != FS9P_MAPPED_FILE) {
        return false;
    }
    out[0] = open_folder(old_dir, old_name, false, &file);
    if (out[0] < 0) {
        fs9p_meta_remove(local, new_dir, new_name); /* of what was there before */
        return false;
    }
    out[1] = open_folder(new_dir, new_name, true, &file);
    if (out[1] < 0) {
        close(out[0]);
    }
    return out[1] >= 0;
}

void
fs9p_meta_move(Fs9pLocal *local, int old_dir, const char *old_name, int new_dir,
               const char *new_name)
{
    int folders[2];

    if (open_two(local, old_dir, old_name, new_dir, new_name, folders)) {
        if (renameat(folders[0], old_name, folders[1], new_name) < 0 && errno == ENOENT) {
            unlinkat(folders[1], new_name, 0);
        }
        close(folders[0]);
        close(folders[1]);
    }
}

void
fs9p_meta_link(Fs9pLocal *local, int old_dir, const char *old_name, int new_dir,
               const char *new_name)
{
    int folders[2];

    if (open_two(local, old_dir, old_name, new_dir, new_name, folders)) {
        unlinkat(folders[1], new_name, 0);
        linkat(folders[0], old_name, folders[1], new_name, 0);
        close(folders[0]);
        close(folders[1]);
    }
}

void
fs9p_meta_forget_folder(Fs9pLocal *local, int dir, const char *name)
{
    int fd;

    if (local->model != FS9P_MAPPED_FILE) {
        return;
    }
    fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) {
        /* files are gone from it with their names; what is left keeps it */
        unlinkat(fd, FS9P_META_DIR, AT_REMOVEDIR);
        close(fd);
    }
}
