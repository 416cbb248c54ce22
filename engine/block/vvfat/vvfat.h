/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A FAT file system that stands for a folder of the host: its layout, its tree of files, reading
 * it back and bringing changes to the folder.
 *
 * Clusters belong to files of the tree: what a cluster holds is read from the host's file. What a
 * guest writes goes to an overlay. Thread: layout, tree and changes on a worker; see each. */

#include "vit-error.h"
#include "vit-types.h"

#include <glib.h>

enum { FAT_SECTOR = 512, FAT_ENTRY = 32, FAT_FIRST_CLUSTER = 2, FAT_MAX_DEPTH = 64 };

/* Attributes of directory entries. */
enum {
    FAT_ATTR_READ_ONLY = 1,
    FAT_ATTR_LABEL = 8,
    FAT_ATTR_DIRECTORY = 16,
    FAT_ATTR_ARCHIVE = 32,
    FAT_ATTR_LONG_NAME = 15,
};

typedef struct FatLayout {
    unsigned bits; /* 12, 16, 32 */
    bool is_floppy;
    uint32_t sectors;      /* of the disk */
    uint32_t start;        /* sector of the file system */
    uint32_t spc;          /* sectors of a cluster */
    uint32_t reserved;     /* sectors before the first FAT */
    uint32_t fat_sectors;  /* of one of the two */
    uint32_t root_entries; /* 0 with 32 bits */
    uint32_t root_sectors;
    uint32_t data; /* sector of cluster 2 */
    uint32_t clusters;
    uint32_t heads, spt;
} FatLayout;

typedef struct FatFile {
    struct FatFile *parent; /* NULL: the root */
    char *name;
    bool is_dir;
    uint64_t size;
    int64_t mtime_s;
    GPtrArray *children; /* of folders, owned */
    uint32_t *chain;     /* clusters */
    uint32_t clusters;
    uint8_t *bytes; /* of a folder: its entries, whole clusters; NULL once the guest has them */
    uint32_t bytes_len;
    /* While changes are brought to the folder: */
    struct FatFile *match; /* the file of the other tree that this is */
    char *temporary;       /* path of its new content */
} FatFile;

typedef struct FatOwner {
    FatFile *file;
    uint32_t index; /* cluster of the file */
} FatOwner;

typedef struct FatDisk {
    FatLayout layout;
    char *dir;
    char label[12]; /* 11 characters */
    uint32_t serial;
    FatFile *root;
    uint8_t *fat;     /* one copy */
    FatOwner *owners; /* of each cluster; file NULL: nobody's */
} FatDisk;

/* ---- vvfat-layout.c: pure ---- */

/* BITS 0: by the kind of disk. BYTES: what its files take, for the size of a FAT32 disk. */
bool fat_lay_out(FatLayout *layout, unsigned bits, bool floppy, uint64_t bytes, GError **error);
uint32_t fat_get(const FatLayout *layout, const uint8_t *fat, uint32_t cluster);
void fat_set(const FatLayout *layout, uint8_t *fat, uint32_t cluster, uint32_t value);
/* Whether VALUE ends a chain. */
bool fat_is_end(const FatLayout *layout, uint32_t value);
uint32_t fat_end_mark(const FatLayout *layout);
/* Sector SECTOR of the disk before its data, but for FATs and root folder, into OUT. */
void fat_fill_reserved(const FatDisk *disk, uint32_t sector, uint8_t *out);

/* ---- vvfat-tree.c: on a worker ---- */

/* Looks at DIR and everything in it. FOLLOW: links to files are shown as files. */
FatDisk *fat_disk_new(const char *dir, unsigned bits, bool floppy, const char *label, bool follow,
                      GError **error);
void fat_disk_free(FatDisk *disk);
FatFile *fat_file_new(FatFile *parent, const char *name, bool is_dir);
void fat_file_free(FatFile *file);
/* Ownership: caller. */
char *fat_file_path(const FatDisk *disk, const FatFile *file);
/* Notes whose each cluster is. */
void fat_disk_own(FatDisk *disk);

/* ---- vvfat-parse.c: on a worker ---- */

/* Reads SECTORS sectors of the disk as the guest sees it. 0 or a negative errno. */
typedef int (*FatReadFunc)(void *opaque, uint32_t sector, uint32_t sectors, uint8_t *out);

/* The tree that the disk holds now, with its FAT; NULL with OUT_WHY (static) where it does not fit
 * together, as while a guest is in the middle of a change. */
FatFile *fat_parse(const FatLayout *layout, FatReadFunc read, void *opaque, uint8_t **out_fat,
                   const char **out_why);

/* ---- vvfat-commit.c: on a worker ---- */

typedef bool (*FatChangedFunc)(void *opaque, uint32_t sector, uint32_t sectors);

/* Brings the folder to what TREE (taken) and FAT (taken) say, which become those of the disk. Files
 * are replaced whole, by renaming. On failure the folder may have a part of the changes; the tree
 * of the disk stays. */
bool fat_commit(FatDisk *disk, FatFile *tree, uint8_t *fat, FatReadFunc read,
                FatChangedFunc changed, void *opaque, GError **error);
