/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* From a folder of the host to the tree of a FAT file system: names, folders' entries, clusters.
 *
 * Every name has a short form of 8.3 characters, unique in its folder; others than plain upper case
 * get long name entries too. Special files are not shown, links only when they are followed and
 * lead to files. Files have their clusters one after the other. Thread: a worker. */

#include "vvfat.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { LONG_CHARS = 13, MAX_NAME_UNITS = 255, MAX_FILES = 1 << 20 };

typedef struct Scan {
    FatDisk *disk;
    bool follow;
    unsigned files;
    uint64_t bytes;
    GError **error;
} Scan;

/* ---- files ---- */

FatFile *
fat_file_new(FatFile *parent, const char *name, bool is_dir)
{
    FatFile *file = g_new0(FatFile, 1);

    file->parent = parent;
    file->name = g_strdup(name);
    file->is_dir = is_dir;
    file->children = is_dir ? g_ptr_array_new_with_free_func((GDestroyNotify)fat_file_free) : NULL;
    if (parent) {
        g_ptr_array_add(parent->children, file);
    }
    return file;
}

void
fat_file_free(FatFile *file)
{
    if (file) {
        g_clear_pointer(&file->children, g_ptr_array_unref);
        g_free(file->name);
        g_free(file->chain);
        g_free(file->bytes);
        g_free(file->temporary);
        g_free(file);
    }
}

char *
fat_file_path(const FatDisk *disk, const FatFile *file)
{
    if (!file->parent) {
        return g_strdup(disk->dir);
    }
    g_autofree char *above = fat_file_path(disk, file->parent);
    return g_build_filename(above, file->name, NULL);
}

/* ---- looking at the folder ---- */

static bool scan_folder(Scan *scan, FatFile *folder, unsigned depth);

static bool
scan_entry(Scan *scan, FatFile *folder, const char *name, unsigned depth)
{
    g_autofree char *above = fat_file_path(scan->disk, folder);
    g_autofree char *path = g_build_filename(above, name, NULL);
    struct stat st;
    FatFile *file;

    if (lstat(path, &st) < 0 || !g_utf8_validate(name, -1, NULL)) {
        return true;
    }
    if (S_ISLNK(st.st_mode) && (!scan->follow || stat(path, &st) < 0 || S_ISDIR(st.st_mode))) {
        return true;
    }
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        return true;
    }
    if (S_ISREG(st.st_mode) && st.st_size > UINT32_MAX) {
        g_set_error(scan->error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' has more than 4 GiB and cannot be shown on a FAT disk.", path);
        return false;
    }
    if (++scan->files > MAX_FILES) {
        g_set_error(scan->error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' has more than %u files.", scan->disk->dir, MAX_FILES);
        return false;
    }
    file = fat_file_new(folder, name, S_ISDIR(st.st_mode));
    file->mtime_s = st.st_mtime;
    if (file->is_dir) {
        return scan_folder(scan, file, depth + 1);
    }
    file->size = (uint64_t)st.st_size;
    scan->bytes += file->size;
    return true;
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool
scan_folder(Scan *scan, FatFile *folder, unsigned depth)
{
    g_autofree char *path = fat_file_path(scan->disk, folder);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = NULL;
    const char *name;

    if (depth > FAT_MAX_DEPTH) {
        g_set_error(scan->error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' lies too deep: a FAT disk shows %u levels.", path, FAT_MAX_DEPTH);
        return false;
    }
    dir = g_dir_open(path, 0, NULL);
    if (!dir) {
        int err = errno;
        g_set_error(scan->error, VIT_ERROR, VIT_ERROR_IO,
                    "The folder '%s' cannot be read: %s. Give the name of a folder you may read.",
                    path, g_strerror(err));
        return false;
    }
    while ((name = g_dir_read_name(dir))) {
        g_ptr_array_add(names, g_strdup(name));
    }
    g_ptr_array_sort(names, compare_names);
    for (unsigned i = 0; i < names->len; i++) {
        if (!scan_entry(scan, folder, g_ptr_array_index(names, i), depth)) {
            return false;
        }
    }
    return true;
}

/* ---- names ---- */

static bool
is_short_char(char c)
{
    return g_ascii_isupper(c) || g_ascii_isdigit(c) || (c && strchr("!#$%&'()-@^_`{}~", c));
}

/* Fills SHORT_NAME with blanks and what of NAME fits; whether that says it all. */
static bool
shorten(const char *name, char short_name[11])
{
    const char *dot = strrchr(name, '.');
    bool exact = true;
    unsigned used = 0;

    memset(short_name, ' ', 11);
    dot = dot == name ? NULL : dot;
    for (const char *at = name; *at && at != dot; at++) {
        char c = g_ascii_toupper(*at);
        exact = exact && is_short_char(*at) && used < 8;
        if (used < 8 && c != '.' && c != ' ') {
            short_name[used++] = is_short_char(c) ? c : '_';
        }
    }
    exact = exact && used > 0;
    used = 0;
    for (const char *at = dot ? dot + 1 : ""; *at; at++) {
        char c = g_ascii_toupper(*at);
        exact = exact && is_short_char(*at) && used < 3;
        if (used < 3 && c != ' ') {
            short_name[8 + used++] = is_short_char(c) ? c : '_';
        }
    }
    exact = exact && (!dot || used > 0);
    if (short_name[0] == ' ') {
        short_name[0] = '_';
    }
    return exact;
}

/* A number behind the name until nobody else in the folder has it. */
static bool
make_unique(GHashTable *taken, char short_name[11])
{
    char base[11];

    memcpy(base, short_name, 11);
    for (unsigned i = 1; i < 1000000; i++) {
        g_autofree char *tail = g_strdup_printf("~%u", i);
        size_t len = strlen(tail), room = 8 - len, at = 0;
        memcpy(short_name, base, 11);
        while (at < room && short_name[at] != ' ') {
            at++;
        }
        memset(short_name + at, ' ', 8 - at);
        memcpy(short_name + at, tail, len);
        if (g_hash_table_add(taken, g_strndup(short_name, 11))) {
            return true;
        }
    }
    return false;
}

static uint8_t
sum_short_name(const char short_name[11])
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < 11; i++) {
        sum = (uint8_t)(((sum & 1) << 7 | sum >> 1) + (uint8_t)short_name[i]);
    }
    return sum;
}

static void
append_long_name(GByteArray *bytes, const gunichar2 *units, long count, uint8_t sum)
{
    static const uint8_t places[LONG_CHARS] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };
    unsigned entries = (unsigned)(count + LONG_CHARS - 1) / LONG_CHARS;

    for (unsigned n = entries; n > 0; n--) {
        uint8_t entry[FAT_ENTRY] = { 0 };
        entry[0] = (uint8_t)(n | (n == entries ? 0x40 : 0));
        entry[11] = FAT_ATTR_LONG_NAME;
        entry[13] = sum;
        for (unsigned i = 0; i < LONG_CHARS; i++) {
            long at = (long)(n - 1) * LONG_CHARS + i;
            unsigned unit = at < count ? units[at] : at == count ? 0 : 0xffff;
            entry[places[i]] = (uint8_t)unit;
            entry[places[i] + 1] = (uint8_t)(unit >> 8);
        }
        g_byte_array_append(bytes, entry, FAT_ENTRY);
    }
}

/* ---- entries of folders ---- */

static void
put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void
append_entry(GByteArray *bytes, const char name[11], unsigned attr, const FatFile *file)
{
    uint8_t entry[FAT_ENTRY] = { 0 };
    time_t when = file ? (time_t)file->mtime_s : time(NULL);
    uint32_t first = file && file->clusters ? file->chain[0] : 0;
    struct tm tm;

    memcpy(entry, name, 11);
    entry[11] = (uint8_t)attr;
    if (localtime_r(&when, &tm) && tm.tm_year >= 80 && tm.tm_year < 80 + 128) {
        unsigned day = (unsigned)((tm.tm_year - 80) << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday);
        unsigned clock = (unsigned)(tm.tm_hour << 11 | tm.tm_min << 5 | MIN(tm.tm_sec, 59) / 2);
        put16(entry + 14, clock);
        put16(entry + 16, day);
        put16(entry + 18, day);
        put16(entry + 22, clock);
        put16(entry + 24, day);
    } else {
        put16(entry + 16, 1 << 5 | 1);
        put16(entry + 24, 1 << 5 | 1);
    }
    put16(entry + 20, first >> 16);
    put16(entry + 26, first & 0xffff);
    if (file && !file->is_dir) {
        put16(entry + 28, (unsigned)(file->size & 0xffff));
        put16(entry + 30, (unsigned)(file->size >> 16));
    }
    g_byte_array_append(bytes, entry, FAT_ENTRY);
}

static bool
append_file(GByteArray *bytes, GHashTable *taken, const FatFile *file)
{
    glong count = 0;
    g_autofree gunichar2 *units = g_utf8_to_utf16(file->name, -1, NULL, &count, NULL);
    unsigned attr = file->is_dir ? FAT_ATTR_DIRECTORY : FAT_ATTR_ARCHIVE;
    char name[11];
    bool exact;

    if (!units || count > MAX_NAME_UNITS) {
        return false;
    }
    exact = shorten(file->name, name);
    if (!exact || !g_hash_table_add(taken, g_strndup(name, 11))) {
        if (!make_unique(taken, name)) {
            return false;
        }
        append_long_name(bytes, units, count, sum_short_name(name));
    }
    append_entry(bytes, name, attr, file);
    return true;
}

/* The entries of FOLDER. Clusters of the files in it may not be known yet; their number is. */
static GByteArray *
list_folder(const FatDisk *disk, const FatFile *folder, GError **error)
{
    GByteArray *bytes = g_byte_array_new();
    g_autoptr(GHashTable) taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    if (!folder->parent) {
        append_entry(bytes, disk->label, FAT_ATTR_LABEL, NULL);
    } else {
        FatFile above = { .is_dir = true, .mtime_s = folder->mtime_s };
        if (folder->parent->parent) {
            above = *folder->parent;
        }
        append_entry(bytes, ".          ", FAT_ATTR_DIRECTORY, folder);
        append_entry(bytes, "..         ", FAT_ATTR_DIRECTORY, &above);
    }
    for (unsigned i = 0; i < folder->children->len; i++) {
        const FatFile *file = g_ptr_array_index(folder->children, i);
        if (!append_file(bytes, taken, file)) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "The name '%s' in '%s' cannot be shown on a FAT disk.", file->name,
                        disk->dir);
            g_byte_array_unref(bytes);
            return NULL;
        }
    }
    return bytes;
}

/* ---- clusters ---- */

static bool
give_clusters(FatDisk *disk, FatFile *file, uint32_t count, uint32_t *next, GError **error)
{
    const FatLayout *layout = &disk->layout;

    if (count > layout->clusters + FAT_FIRST_CLUSTER - *next) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The folder '%s' does not fit on a FAT%u disk of %u MB%s.", disk->dir,
                    layout->bits, layout->sectors / 2048,
                    layout->bits < 32 && !layout->is_floppy ? "; use fat:32:" : "");
        return false;
    }
    file->chain = g_new(uint32_t, MAX(count, 1));
    file->clusters = count;
    for (uint32_t i = 0; i < count; i++) {
        file->chain[i] = *next + i;
        fat_set(layout, disk->fat, *next + i, i + 1 < count ? *next + i + 1 : fat_end_mark(layout));
    }
    *next += count;
    return true;
}

static bool
place(FatDisk *disk, FatFile *file, uint32_t *next, GError **error)
{
    const FatLayout *layout = &disk->layout;
    uint64_t cluster = (uint64_t)layout->spc * FAT_SECTOR;

    if (!file->is_dir) {
        return give_clusters(disk, file, (uint32_t)((file->size + cluster - 1) / cluster), next,
                             error);
    }
    g_autoptr(GByteArray) bytes = list_folder(disk, file, error);
    if (!bytes) {
        return false;
    }
    if (!file->parent && layout->bits != 32) {
        if (bytes->len > layout->root_sectors * FAT_SECTOR) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "'%s' has too many files for the first folder of a FAT%u disk; put them "
                        "into a folder, or use fat:32:.",
                        disk->dir, layout->bits);
            return false;
        }
        file->bytes_len = layout->root_sectors * FAT_SECTOR;
    } else {
        uint32_t count = (uint32_t)((bytes->len + cluster - 1) / cluster);
        if (!give_clusters(disk, file, MAX(count, 1), next, error)) {
            return false;
        }
        file->bytes_len = (uint32_t)(MAX(count, 1) * cluster);
    }
    for (unsigned i = 0; i < file->children->len; i++) {
        if (!place(disk, g_ptr_array_index(file->children, i), next, error)) {
            return false;
        }
    }
    return true;
}

/* Now that every file has its clusters. */
static void
fill_folders(FatDisk *disk, FatFile *folder)
{
    g_autoptr(GByteArray) bytes = list_folder(disk, folder, NULL);

    folder->bytes = g_malloc0(folder->bytes_len);
    memcpy(folder->bytes, bytes->data, MIN(bytes->len, folder->bytes_len));
    for (unsigned i = 0; i < folder->children->len; i++) {
        FatFile *file = g_ptr_array_index(folder->children, i);
        if (file->is_dir) {
            fill_folders(disk, file);
        }
    }
}

static void
own(FatDisk *disk, FatFile *file)
{
    for (uint32_t i = 0; i < file->clusters; i++) {
        disk->owners[file->chain[i]] = (FatOwner){ .file = file, .index = i };
    }
    for (unsigned i = 0; file->children && i < file->children->len; i++) {
        own(disk, g_ptr_array_index(file->children, i));
    }
}

void
fat_disk_own(FatDisk *disk)
{
    memset(disk->owners, 0,
           ((size_t)disk->layout.clusters + FAT_FIRST_CLUSTER) * sizeof(*disk->owners));
    own(disk, disk->root);
}

/* ---- disks ---- */

static void
set_label(FatDisk *disk, const char *label)
{
    memset(disk->label, ' ', 11);
    for (unsigned i = 0; i < 11 && label[i]; i++) {
        char c = g_ascii_toupper(label[i]);
        disk->label[i] = is_short_char(c) || c == ' ' ? c : '_';
    }
}

static bool
make_disk(FatDisk *disk, unsigned bits, bool floppy, bool follow, GError **error)
{
    Scan scan = { .disk = disk, .follow = follow, .error = error };
    uint32_t next = FAT_FIRST_CLUSTER;
    size_t entries;

    disk->root = fat_file_new(NULL, "", true);
    if (!scan_folder(&scan, disk->root, 0) ||
        !fat_lay_out(&disk->layout, bits, floppy, scan.bytes + scan.files * UINT64_C(4096),
                     error)) {
        return false;
    }
    entries = (size_t)disk->layout.clusters + FAT_FIRST_CLUSTER;
    disk->fat = g_try_malloc0((size_t)disk->layout.fat_sectors * FAT_SECTOR);
    disk->owners = g_try_malloc0(entries * sizeof(*disk->owners));
    if (!disk->fat || !disk->owners) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "There is not enough memory to show '%s' as a disk.", disk->dir);
        return false;
    }
    fat_set(&disk->layout, disk->fat, 0,
            (fat_end_mark(&disk->layout) & ~0xffu) | (floppy ? 0xf0 : 0xf8));
    fat_set(&disk->layout, disk->fat, 1, fat_end_mark(&disk->layout));
    if (!place(disk, disk->root, &next, error)) {
        return false;
    }
    fill_folders(disk, disk->root);
    fat_disk_own(disk);
    return true;
}

FatDisk *
fat_disk_new(const char *dir, unsigned bits, bool floppy, const char *label, bool follow,
             GError **error)
{
    FatDisk *disk = g_new0(FatDisk, 1);

    disk->dir = g_strdup(dir);
    /* The same folder gives the same disk. */
    disk->serial = g_str_hash(dir) | 1;
    set_label(disk, label);
    if (!make_disk(disk, bits, floppy, follow, error)) {
        g_clear_pointer(&disk, fat_disk_free);
    }
    return disk;
}

void
fat_disk_free(FatDisk *disk)
{
    if (disk) {
        fat_file_free(disk->root);
        g_free(disk->dir);
        g_free(disk->fat);
        g_free(disk->owners);
        g_free(disk);
    }
}
