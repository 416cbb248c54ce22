/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vvfat: a folder of the host as a FAT disk, "fat:[floppy:][rw:][12:|16:|32:]FOLDER".
 *
 * The folder is looked at when the disk is opened; what the host changes later is not seen. With
 * rw, what the guest writes goes to a nameless file, and each time the guest flushes, and when the
 * disk is closed, the file system it has written is read; where it fits together the folder is
 * brought to it (vvfat-commit.c), else that waits for the next time. Without rw the disk can only
 * be read.
 *
 * Thread: requests one at a time, each on a worker. */

#include "vvfat.h"

#include "blk-driver.h"
#include "fmt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_SECTORS = 512 };

typedef struct Vvfat {
    char *dir, *label;
    uint32_t bits;
    bool floppy, rw;
    FatDisk *disk;
    FmtLock lock;
    int overlay;      /* what the guest has written; -1 before */
    uint8_t *written; /* a bit for each sector that is there */
    uint8_t *changed; /* and of these, since the folder was last brought up to date */
    bool is_dirty;
    int host_fd; /* of the file read last */
    const FatFile *host_file;
    const char *why; /* the folder was not brought up to date */
} Vvfat;

static bool
get_bit(const uint8_t *bits, uint32_t at)
{
    return bits && (bits[at / 8] & 1u << at % 8);
}

/* ---- reading, on a worker ---- */

static int
read_at(int fd, uint8_t *out, size_t len, uint64_t offset)
{
    size_t done = 0;

    while (done < len) {
        ssize_t ret = pread(fd, out + done, len - done, (off_t)(offset + done));
        if (ret < 0 && errno != EINTR) {
            return -errno;
        }
        if (ret == 0) {
            break;
        }
        done += ret > 0 ? (size_t)ret : 0;
    }
    memset(out + done, 0, len - done);
    return 0;
}

/* A file the host has removed meanwhile cannot be read; one that has become shorter ends in zeroes.
 */
static int
read_host(Vvfat *vvfat, const FatFile *file, uint64_t offset, uint8_t *out)
{
    uint64_t left = offset < file->size ? file->size - offset : 0;
    int ret;

    if (vvfat->host_file != file) {
        g_autofree char *path = fat_file_path(vvfat->disk, file);
        if (vvfat->host_fd >= 0) {
            close(vvfat->host_fd);
        }
        vvfat->host_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        vvfat->host_file = vvfat->host_fd >= 0 ? file : NULL;
    }
    if (vvfat->host_fd < 0) {
        return -EIO;
    }
    memset(out, 0, FAT_SECTOR);
    ret = left ? read_at(vvfat->host_fd, out, MIN(left, FAT_SECTOR), offset) : 0;
    return ret;
}

static int
read_cluster_sector(Vvfat *vvfat, uint32_t sector, uint8_t *out)
{
    const FatDisk *disk = vvfat->disk;
    uint32_t cluster = sector / disk->layout.spc + FAT_FIRST_CLUSTER;
    uint64_t in_cluster = (uint64_t)(sector % disk->layout.spc) * FAT_SECTOR;
    const FatOwner *owner;
    uint64_t offset;

    memset(out, 0, FAT_SECTOR);
    if (cluster >= disk->layout.clusters + FAT_FIRST_CLUSTER) {
        return 0;
    }
    owner = &disk->owners[cluster];
    offset = (uint64_t)owner->index * disk->layout.spc * FAT_SECTOR + in_cluster;
    if (!owner->file) {
        return 0;
    }
    if (!owner->file->is_dir) {
        return read_host(vvfat, owner->file, offset, out);
    }
    if (owner->file->bytes && offset + FAT_SECTOR <= owner->file->bytes_len) {
        memcpy(out, owner->file->bytes + offset, FAT_SECTOR);
    }
    return 0;
}

static int
read_sector(Vvfat *vvfat, uint32_t sector, uint8_t *out)
{
    const FatDisk *disk = vvfat->disk;
    const FatLayout *layout = &disk->layout;
    uint32_t tables = layout->start + layout->reserved;
    uint32_t root = tables + 2 * layout->fat_sectors;

    if (get_bit(vvfat->written, sector)) {
        return read_at(vvfat->overlay, out, FAT_SECTOR, (uint64_t)sector * FAT_SECTOR);
    }
    if (sector < tables) {
        fat_fill_reserved(disk, sector, out);
    } else if (sector < root) {
        memcpy(out, disk->fat + (size_t)((sector - tables) % layout->fat_sectors) * FAT_SECTOR,
               FAT_SECTOR);
    } else if (sector < layout->data) {
        memset(out, 0, FAT_SECTOR);
        if (disk->root->bytes) {
            memcpy(out, disk->root->bytes + (size_t)(sector - root) * FAT_SECTOR, FAT_SECTOR);
        }
    } else {
        return read_cluster_sector(vvfat, sector - layout->data, out);
    }
    return 0;
}

static int
read_sectors(void *opaque, uint32_t sector, uint32_t sectors, uint8_t *out)
{
    Vvfat *vvfat = opaque;
    int ret = 0;

    for (uint32_t i = 0; i < sectors && ret == 0; i++) {
        ret = read_sector(vvfat, sector + i, out + (size_t)i * FAT_SECTOR);
    }
    return ret;
}

/* ---- writing, on a worker ---- */

static int
make_overlay(Vvfat *vvfat)
{
    size_t bits = vvfat->disk->layout.sectors / 8 + 1;

    if (vvfat->overlay >= 0) {
        return 0;
    }
    vvfat->overlay = open(g_get_tmp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (vvfat->overlay < 0) {
        g_autofree char *path = g_build_filename(g_get_tmp_dir(), "vitrine-XXXXXX", NULL);
        vvfat->overlay = mkostemp(path, O_CLOEXEC);
        if (vvfat->overlay < 0) {
            return -errno;
        }
        unlink(path);
    }
    vvfat->written = g_malloc0(bits);
    vvfat->changed = g_malloc0(bits);
    return 0;
}

static int
write_sectors(Vvfat *vvfat, uint32_t sector, uint32_t sectors, const uint8_t *buf, bool is_change)
{
    size_t len = (size_t)sectors * FAT_SECTOR, done = 0;
    int ret = make_overlay(vvfat);

    while (done < len && ret == 0) {
        ssize_t count = pwrite(vvfat->overlay, buf + done, len - done,
                               (off_t)((uint64_t)sector * FAT_SECTOR + done));
        ret = count < 0 && errno != EINTR ? -errno : 0;
        done += count > 0 ? (size_t)count : 0;
    }
    for (uint32_t i = sector; i < sector + sectors && ret == 0; i++) {
        vvfat->written[i / 8] |= (uint8_t)(1u << i % 8);
        vvfat->changed[i / 8] |= is_change ? (uint8_t)(1u << i % 8) : 0;
    }
    vvfat->is_dirty = vvfat->is_dirty || is_change;
    return ret;
}

/* ---- bringing the folder up to date, on a worker ---- */

static bool
is_changed(void *opaque, uint32_t sector, uint32_t sectors)
{
    const Vvfat *vvfat = opaque;

    for (uint32_t i = sector; i < sector + sectors; i++) {
        if (get_bit(vvfat->changed, i)) {
            return true;
        }
    }
    return false;
}

/* What folders hold is no file of the host: the guest's view of it must outlive the tree. */
static int
keep_folder(Vvfat *vvfat, const FatFile *folder)
{
    const FatLayout *layout = &vvfat->disk->layout;
    bool fixed = !folder->parent && layout->bits != 32;
    int ret = 0;

    for (uint32_t i = 0; folder->bytes && i < folder->bytes_len / FAT_SECTOR && ret == 0; i++) {
        uint32_t sector =
            fixed ? layout->data - layout->root_sectors + i
                  : layout->data +
                        (folder->chain[i / layout->spc] - FAT_FIRST_CLUSTER) * layout->spc +
                        i % layout->spc;
        if (!get_bit(vvfat->written, sector)) {
            ret = write_sectors(vvfat, sector, 1, folder->bytes + (size_t)i * FAT_SECTOR, false);
        }
    }
    for (unsigned i = 0; i < folder->children->len && ret == 0; i++) {
        const FatFile *child = g_ptr_array_index(folder->children, i);
        ret = child->is_dir ? keep_folder(vvfat, child) : 0;
    }
    return ret;
}

/* The tables too: those of the disk will be what was read from the first of them. */
static int
keep_tables(Vvfat *vvfat)
{
    const FatLayout *layout = &vvfat->disk->layout;
    int ret = 0;

    for (uint32_t i = 0; i < 2 * layout->fat_sectors && ret == 0; i++) {
        uint32_t sector = layout->start + layout->reserved + i;
        if (!get_bit(vvfat->written, sector)) {
            ret = write_sectors(vvfat, sector, 1,
                                vvfat->disk->fat + (size_t)(i % layout->fat_sectors) * FAT_SECTOR,
                                false);
        }
    }
    return ret;
}

static int
commit_worker(void *arg)
{
    Vvfat *vvfat = arg;
    g_autoptr(GError) error = NULL;
    uint8_t *fat;
    FatFile *tree;
    int ret = keep_folder(vvfat, vvfat->disk->root);

    ret = ret < 0 ? ret : keep_tables(vvfat);
    if (ret < 0) {
        return ret;
    }
    tree = fat_parse(&vvfat->disk->layout, read_sectors, vvfat, &fat, &vvfat->why);
    if (!tree) {
        return 0; /* the guest is not done yet */
    }
    vvfat->host_file = NULL;
    if (!fat_commit(vvfat->disk, tree, fat, read_sectors, is_changed, vvfat, &error)) {
        g_message("%s", error->message);
        return -EIO;
    }
    vvfat->host_file = NULL;
    memset(vvfat->changed, 0, vvfat->disk->layout.sectors / 8 + 1);
    vvfat->is_dirty = false;
    return 0;
}

static int
vvfat_flush(BlkNode *node)
{
    Vvfat *vvfat = node->state;
    int ret = 0;

    fmt_lock(node, &vvfat->lock);
    if (vvfat->is_dirty) {
        ret = blk_pool_run(node->context, commit_worker, vvfat);
    }
    fmt_unlock(node, &vvfat->lock);
    return ret;
}

/* ---- requests ---- */

typedef struct Request {
    Vvfat *vvfat;
    bool write;
    uint32_t sector, sectors;
    uint8_t *buf;
} Request;

static int
request_worker(void *arg)
{
    const Request *request = arg;

    return request->write
               ? write_sectors(request->vvfat, request->sector, request->sectors, request->buf,
                               true)
               : read_sectors(request->vvfat, request->sector, request->sectors, request->buf);
}

static int
run_request(BlkNode *node, bool write, uint64_t offset, uint64_t len, const BlkVec *vec,
            uint64_t at)
{
    Vvfat *vvfat = node->state;
    g_autofree uint8_t *buf = g_malloc(CHUNK_SECTORS * FAT_SECTOR);
    uint64_t end = (uint64_t)vvfat->disk->layout.sectors * FAT_SECTOR;
    int ret = offset > end || len > end - offset ? -EINVAL : 0;

    fmt_lock(node, &vvfat->lock);
    while (len > 0 && ret == 0) {
        uint64_t piece = MIN(len, CHUNK_SECTORS * FAT_SECTOR);
        Request request = { .vvfat = vvfat,
                            .write = write,
                            .sector = (uint32_t)(offset / FAT_SECTOR),
                            .sectors = (uint32_t)(piece / FAT_SECTOR),
                            .buf = buf };
        if (write) {
            blk_vec_gather(vec, at, buf, piece);
        }
        ret = blk_pool_run(node->context, request_worker, &request);
        if (!write && ret == 0) {
            blk_vec_scatter(vec, at, buf, piece);
        }
        offset += piece;
        at += piece;
        len -= piece;
    }
    fmt_unlock(node, &vvfat->lock);
    return ret;
}

static int
vvfat_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    return run_request(node, false, offset, len, vec, at);
}

static int
vvfat_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
            unsigned flags)
{
    return run_request(node, true, offset, len, vec, at);
}

/* ---- opening ---- */

typedef struct OpenJob {
    Vvfat *vvfat;
    GError *error;
} OpenJob;

static int
open_worker(void *arg)
{
    OpenJob *job = arg;
    Vvfat *vvfat = job->vvfat;

    vvfat->disk =
        fat_disk_new(vvfat->dir, vvfat->bits, vvfat->floppy, vvfat->label, !vvfat->rw, &job->error);
    return vvfat->disk ? 0 : -1;
}

static bool
vvfat_open(BlkNode *node, GError **error)
{
    Vvfat *vvfat = node->state;
    OpenJob job = { .vvfat = vvfat };

    vvfat->overlay = vvfat->host_fd = -1;
    g_free(node->filename);
    node->filename = g_strdup_printf("fat:%s%s", vvfat->rw ? "rw:" : "", vvfat->dir);
    if (vvfat->bits && vvfat->bits != 12 && vvfat->bits != 16 && vvfat->bits != 32) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': fat-type=%u is not 12, 16 or 32.", node->filename, vvfat->bits);
        return false;
    }
    if (vvfat->floppy && vvfat->bits == 32) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': a floppy has no room for FAT32; use fat-type=12 or 16.", node->filename);
        return false;
    }
    if (!vvfat->rw && !node->read_only && !node->auto_read_only) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': the folder is shown for reading only; write fat:rw:%s (rw=on) to let "
                    "the guest change it, or read-only=on.",
                    node->filename, vvfat->dir);
        return false;
    }
    node->read_only = node->read_only || !vvfat->rw;
    if (blk_pool_run(node->context, open_worker, &job) < 0) {
        g_propagate_error(error, job.error);
        return false;
    }
    return true;
}

static void
vvfat_close(BlkNode *node)
{
    Vvfat *vvfat = node->state;

    if (node->opened && vvfat->is_dirty) {
        vvfat_flush(node);
        if (vvfat->is_dirty) {
            g_message("'%s': the last changes of the guest are not in the folder: %s.",
                      node->filename, vvfat->why ? vvfat->why : "it cannot be written");
        }
    }
    if (vvfat->overlay >= 0) {
        close(vvfat->overlay);
    }
    if (vvfat->host_fd >= 0) {
        close(vvfat->host_fd);
    }
    fat_disk_free(vvfat->disk);
    g_free(vvfat->written);
    g_free(vvfat->changed);
}

static bool
vvfat_set_read_only(BlkNode *node, bool read_only, GError **error)
{
    const Vvfat *vvfat = node->state;

    if (!read_only && !vvfat->rw) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': the folder is shown for reading only (rw=off).", node->filename);
        return false;
    }
    return true;
}

static int64_t
vvfat_get_len(BlkNode *node)
{
    const Vvfat *vvfat = node->state;

    return (int64_t)vvfat->disk->layout.sectors * FAT_SECTOR;
}

static void
vvfat_refresh_limits(BlkNode *node)
{
    node->limits.request_align = FAT_SECTOR;
}

/* fat:[floppy:][rw:][12:|16:|32:]FOLDER, the words in any order. */
static bool
vvfat_parse_filename(const char *filename, BlkOptions *options, GError **error)
{
    static const struct {
        const char *word, *key, *value;
    } words[] = { { "floppy:", "floppy", "on" },
                  { "rw:", "rw", "on" },
                  { "12:", "fat-type", "12" },
                  { "16:", "fat-type", "16" },
                  { "32:", "fat-type", "32" } };
    const char *at = g_str_has_prefix(filename, "fat:") ? filename + strlen("fat:") : filename;
    bool found = true;

    while (found) {
        found = false;
        for (unsigned i = 0; i < G_N_ELEMENTS(words) && !found; i++) {
            if (g_str_has_prefix(at, words[i].word)) {
                blk_options_set(options, words[i].key, words[i].value);
                at += strlen(words[i].word);
                found = true;
            }
        }
    }
    if (!*at) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' names no folder: write fat:FOLDER.", filename);
        return false;
    }
    blk_options_set(options, "dir", at);
    return true;
}

/* ---- for the application ---- */

char *
blk_dup_folder_filename(const char *dir, bool writable, GError **error)
{
    static const unsigned bits[] = { 16, 32 };
    GError *cause = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(bits); i++) {
        FatDisk *disk;
        g_clear_error(&cause);
        disk = fat_disk_new(dir, bits[i], false, "VITRINE", !writable, &cause);
        if (disk) {
            fat_disk_free(disk);
            return g_strdup_printf("fat:%s%u:%s", writable ? "rw:" : "", bits[i], dir);
        }
    }
    g_propagate_error(error, cause);
    return NULL;
}

static const char *const schemes[] = { "fat", NULL };

static const VitProp options[] = {
    VIT_PROP_STRING(Vvfat, dir, "dir", NULL, VIT_N_("Folder of the host"),
                    .flags = VIT_PROP_REQUIRED),
    VIT_PROP_UINT(
        Vvfat, bits, "fat-type", 0, 0, 32,
        VIT_N_("FAT with entries of 12, 16 or 32 bits; by the kind of disk if not given")),
    VIT_PROP_BOOL(Vvfat, floppy, "floppy", 0, VIT_N_("Show a floppy rather than a disk")),
    VIT_PROP_STRING(Vvfat, label, "label", "VITRINE", VIT_N_("Name of the file system")),
    VIT_PROP_BOOL(Vvfat, rw, "rw", 0, VIT_N_("Bring the guest's changes to the folder")),
    { 0 }
};

const BlkDriver blk_vvfat_driver = {
    .name = "vvfat",
    .title = VIT_N_("Folder of the host as a FAT disk"),
    .role = BLK_ROLE_PROTOCOL,
    .state_size = sizeof(Vvfat),
    .options = options,
    .schemes = schemes,
    .parse_filename = vvfat_parse_filename,
    .open = vvfat_open,
    .close = vvfat_close,
    .read = vvfat_read,
    .write = vvfat_write,
    .flush = vvfat_flush,
    .get_len = vvfat_get_len,
    .refresh_limits = vvfat_refresh_limits,
    .set_read_only = vvfat_set_read_only,
};
