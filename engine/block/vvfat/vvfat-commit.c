/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Bringing a guest's changes to the folder.
 *
 * Order: folders that were renamed; every new content, whole, into files beside their place; then
 * these take their places by renaming, files that only have another name are renamed, what is gone
 * is removed. Nothing of the host is changed in place, so a crash leaves each file old or new (and
 * perhaps a file .vitrine-*.part). Only what the folder has shown is ever removed, links are never
 * followed for writing, and every path is a name of the tree below the folder. Thread: a worker. */

#include "vvfat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Commit {
    FatDisk *disk;
    FatFile *tree;
    FatReadFunc read;
    FatChangedFunc changed;
    void *opaque;
    GError **error;
} Commit;

static bool
fail(const Commit *commit, const char *path, int err)
{
    g_set_error(commit->error, VIT_ERROR, VIT_ERROR_IO,
                "A change of the guest cannot be brought to '%s': %s.", path, g_strerror(err));
    return false;
}

static FatFile *
find_child(const FatFile *folder, const char *name)
{
    for (unsigned i = 0; i < folder->children->len; i++) {
        FatFile *child = g_ptr_array_index(folder->children, i);
        if (strcmp(child->name, name) == 0) {
            return child;
        }
    }
    return NULL;
}

static void
pair(FatFile *now, FatFile *before)
{
    now->match = before;
    before->match = now;
}

/* Files of the same place and kind. */
static void
match_by_name(FatFile *now, FatFile *before)
{
    pair(now, before);
    for (unsigned i = 0; i < now->children->len; i++) {
        FatFile *child = g_ptr_array_index(now->children, i);
        FatFile *old = find_child(before, child->name);
        if (!old || old->match || child->match || old->is_dir != child->is_dir) {
            continue;
        }
        if (child->is_dir) {
            match_by_name(child, old);
        } else {
            pair(child, old);
        }
    }
}

/* The file that began where NOW begins and is not where it was. */
static FatFile *
find_moved(const Commit *commit, const FatFile *now)
{
    FatFile *before = now->clusters ? commit->disk->owners[now->chain[0]].file : NULL;

    return before && before->parent && !before->match && before->is_dir == now->is_dir &&
                   commit->disk->owners[now->chain[0]].index == 0
               ? before
               : NULL;
}

static bool
exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static void
move_in_tree(FatFile *file, FatFile *parent, const char *name)
{
    GPtrArray *from = file->parent->children;

    for (unsigned i = 0; i < from->len; i++) {
        if (g_ptr_array_index(from, i) == file) {
            g_ptr_array_steal_index(from, i);
            break;
        }
    }
    file->parent = parent;
    g_free(file->name);
    file->name = g_strdup(name);
    g_ptr_array_add(parent->children, file);
}

/* A file whose name a new folder takes: its content may still be wanted elsewhere. */
static bool
step_aside(const Commit *commit, FatFile *before, const char *name, const char *path)
{
    FatFile *file = find_child(before, name);
    g_autofree char *other = g_strdup_printf(".vitrine-%08x.part", g_random_int());
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *other_path = g_build_filename(folder, other, NULL);

    if (!file || file->is_dir || file->match) {
        return true;
    }
    if (rename(path, other_path) < 0) {
        return errno == ENOENT || fail(commit, path, errno);
    }
    move_in_tree(file, before, other);
    return true;
}

/* Folders: renamed or made; below each, the files it shares with the one it was. */
static bool
bring_folders(const Commit *commit, FatFile *now)
{
    for (unsigned i = 0; i < now->children->len; i++) {
        FatFile *child = g_ptr_array_index(now->children, i);
        FatFile *moved = child->is_dir && !child->match ? find_moved(commit, child) : NULL;
        g_autofree char *above = fat_file_path(commit->disk, now->match);
        g_autofree char *path = g_build_filename(above, child->name, NULL);

        if (!child->is_dir) {
            continue;
        }
        if (moved && !exists(path)) {
            g_autofree char *old = fat_file_path(commit->disk, moved);
            if (rename(old, path) < 0) {
                return fail(commit, path, errno);
            }
            move_in_tree(moved, now->match, child->name);
            match_by_name(child, moved);
        } else if (!child->match) {
            FatFile *made;
            if (!step_aside(commit, now->match, child->name, path)) {
                return false;
            }
            if (mkdir(path, 0777) < 0 && errno != EEXIST) {
                return fail(commit, path, errno);
            }
            made = fat_file_new(now->match, child->name, true);
            match_by_name(child, made);
        }
        if (!bring_folders(commit, child)) {
            return false;
        }
    }
    return true;
}

/* ---- content ---- */

static bool
is_changed(const Commit *commit, const FatFile *now, const FatFile *before)
{
    const FatLayout *layout = &commit->disk->layout;

    if (!before || now->size != before->size || now->clusters != before->clusters ||
        (now->clusters &&
         memcmp(now->chain, before->chain, (size_t)now->clusters * sizeof(*now->chain)) != 0)) {
        return true;
    }
    for (uint32_t i = 0; i < now->clusters; i++) {
        if (commit->changed(commit->opaque,
                            layout->data + (now->chain[i] - FAT_FIRST_CLUSTER) * layout->spc,
                            layout->spc)) {
            return true;
        }
    }
    return false;
}

static int
write_all(int fd, const uint8_t *buf, size_t len)
{
    while (len > 0) {
        ssize_t ret = write(fd, buf, len);
        if (ret < 0 && errno != EINTR) {
            return -errno;
        }
        if (ret > 0) {
            buf += ret;
            len -= (size_t)ret;
        }
    }
    return 0;
}

static int
copy_out(const Commit *commit, const FatFile *now, int fd)
{
    const FatLayout *layout = &commit->disk->layout;
    uint32_t cluster = layout->spc * FAT_SECTOR;
    g_autofree uint8_t *buf = g_malloc(cluster);
    uint64_t left = now->size;
    int ret = 0;

    for (uint32_t i = 0; i < now->clusters && ret == 0; i++) {
        uint64_t piece = MIN(left, cluster);
        ret = commit->read(commit->opaque,
                           layout->data + (now->chain[i] - FAT_FIRST_CLUSTER) * layout->spc,
                           layout->spc, buf);
        ret = ret < 0 ? ret : write_all(fd, buf, piece);
        left -= piece;
    }
    return ret < 0 ? ret : fsync(fd) < 0 ? -errno : 0;
}

/* The mode of the file it replaces. */
static void
keep_mode(const Commit *commit, const FatFile *before, int fd)
{
    g_autofree char *path = before ? fat_file_path(commit->disk, before) : NULL;
    struct stat st;

    if (path && lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        fchmod(fd, st.st_mode & 0777);
    } else {
        fchmod(fd, 0644);
    }
}

/* Writes the new content of NOW beside its place. */
static bool
prepare_file(const Commit *commit, FatFile *now)
{
    g_autofree char *folder = fat_file_path(commit->disk, now->parent->match);
    char *path = g_build_filename(folder, ".vitrine-XXXXXX.part", NULL);
    int fd = mkstemps(path, (int)strlen(".part")), ret;

    if (fd < 0) {
        int err = errno;
        g_free(path);
        return fail(commit, folder, err);
    }
    now->temporary = path;
    keep_mode(commit, now->match, fd);
    ret = copy_out(commit, now, fd);
    if (close(fd) < 0 && ret == 0) {
        ret = -errno;
    }
    return ret == 0 || fail(commit, path, -ret);
}

static bool
prepare_files(const Commit *commit, FatFile *folder)
{
    for (unsigned i = 0; i < folder->children->len; i++) {
        FatFile *now = g_ptr_array_index(folder->children, i);
        FatFile *moved;
        if (now->is_dir) {
            if (!prepare_files(commit, now)) {
                return false;
            }
            continue;
        }
        moved = now->match ? NULL : find_moved(commit, now);
        if (moved) {
            pair(now, moved);
        }
        if (is_changed(commit, now, now->match) && !prepare_file(commit, now)) {
            return false;
        }
    }
    return true;
}

/* ---- taking their places ---- */

static bool
place_files(const Commit *commit, FatFile *folder)
{
    g_autofree char *above = fat_file_path(commit->disk, folder->match);

    for (unsigned i = 0; i < folder->children->len; i++) {
        FatFile *now = g_ptr_array_index(folder->children, i);
        g_autofree char *path = g_build_filename(above, now->name, NULL);
        g_autofree char *old = now->match ? fat_file_path(commit->disk, now->match) : NULL;
        struct stat st;

        if (now->is_dir) {
            if (!place_files(commit, now)) {
                return false;
            }
            continue;
        }
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            /* A folder had that name; it goes when it is empty. */
            rmdir(path);
        }
        if (now->temporary) {
            if (rename(now->temporary, path) < 0) {
                return fail(commit, path, errno);
            }
            g_clear_pointer(&now->temporary, g_free);
            if (old && strcmp(old, path) != 0) {
                unlink(old);
            }
        } else if (strcmp(old, path) != 0 && rename(old, path) < 0) {
            return fail(commit, path, errno);
        }
    }
    return true;
}

/* Files that now have the name of one that is to move cannot move onto it; they have content of
 * their own instead. */
static bool
untangle(const Commit *commit, FatFile *folder)
{
    for (unsigned i = 0; i < folder->children->len; i++) {
        FatFile *now = g_ptr_array_index(folder->children, i);
        if (now->is_dir) {
            if (!untangle(commit, now)) {
                return false;
            }
        } else if (!now->temporary && now->match &&
                   (now->match->parent->match != folder ||
                    strcmp(now->match->name, now->name) != 0)) {
            g_autofree char *above = fat_file_path(commit->disk, folder->match);
            g_autofree char *path = g_build_filename(above, now->name, NULL);
            if (exists(path) && !prepare_file(commit, now)) {
                return false;
            }
        }
    }
    return true;
}

static FatFile *
find_now(const FatFile *folder, const char *name)
{
    return folder && folder->is_dir ? find_child(folder, name) : NULL;
}

/* What the guest has removed. Deepest first. */
static void
remove_gone(const Commit *commit, FatFile *before)
{
    for (unsigned i = 0; i < before->children->len; i++) {
        FatFile *child = g_ptr_array_index(before->children, i);
        g_autofree char *path = fat_file_path(commit->disk, child);
        if (child->is_dir) {
            remove_gone(commit, child);
        }
        if (child->match || find_now(before->match, child->name)) {
            continue;
        }
        if (child->is_dir) {
            rmdir(path);
        } else {
            unlink(path);
        }
    }
}

static void
drop_temporaries(FatFile *file)
{
    if (file->temporary) {
        unlink(file->temporary);
        g_clear_pointer(&file->temporary, g_free);
    }
    for (unsigned i = 0; file->children && i < file->children->len; i++) {
        drop_temporaries(g_ptr_array_index(file->children, i));
    }
}

static void
forget_matches(FatFile *file)
{
    file->match = NULL;
    for (unsigned i = 0; file->children && i < file->children->len; i++) {
        forget_matches(g_ptr_array_index(file->children, i));
    }
}

bool
fat_commit(FatDisk *disk, FatFile *tree, uint8_t *fat, FatReadFunc read, FatChangedFunc changed,
           void *opaque, GError **error)
{
    Commit commit = { .disk = disk,
                      .tree = tree,
                      .read = read,
                      .changed = changed,
                      .opaque = opaque,
                      .error = error };
    bool ok;

    match_by_name(tree, disk->root);
    ok = bring_folders(&commit, tree) && prepare_files(&commit, tree) && untangle(&commit, tree) &&
         place_files(&commit, tree);
    if (!ok) {
        drop_temporaries(tree);
        forget_matches(disk->root);
        fat_file_free(tree);
        g_free(fat);
        return false;
    }
    remove_gone(&commit, disk->root);
    fat_file_free(disk->root);
    forget_matches(tree);
    disk->root = tree;
    g_free(disk->fat);
    disk->fat = fat;
    fat_disk_own(disk);
    return true;
}
