/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A disk in some format beside a copy of it in memory, for the tests of formats: random requests
 * go to both, and qemu-img, where it is installed, judges the image. */

#include "block-test.h"

typedef struct FormatRow {
    const char *name;   /* of the test, "vdi/static" */
    const char *format; /* driver */
    const char *create; /* create options of ours, "a=b,c=d" */
    const char *theirs; /* the same for qemu-img; NULL: as create; "-": it has none of these */
    const char *open;   /* more options for opening, ",a=b"; NULL: none */
    unsigned flags;
} FormatRow;

enum {
    FORMAT_NO_CHECK = 1 << 0,  /* qemu-img cannot check it */
    FORMAT_SECRET = 1 << 1,    /* opened with key-secret=s0 */
    FORMAT_SHRINKS = 1 << 2,   /* resize both ways */
    FORMAT_FIXED_LEN = 1 << 3, /* no resize */
    FORMAT_BACKING = 1 << 4,
    FORMAT_REPAIR = 1 << 5, /* what was not closed may need qemu-img check -r all */
};

typedef struct FormatDisk {
    const FormatRow *row;
    BlockTest test;
    char *path;
    BlkNode *node;
    BlkImage *image;
    uint8_t *copy;
    uint64_t len;
    GRand *rand;
} FormatDisk;

/* Makes and opens a disk of LEN bytes at least, or with THEIRS lets qemu-img make it. */
void format_disk_begin(FormatDisk *disk, const FormatRow *row, uint64_t len, bool theirs);
void format_disk_finish(FormatDisk *disk);
void format_disk_open(FormatDisk *disk);
void format_disk_close(FormatDisk *disk);
void format_disk_fill(FormatDisk *disk, uint8_t *buf, uint64_t len);
void format_disk_requests(FormatDisk *disk, unsigned count);
void format_disk_assert_content(FormatDisk *disk);
/* By our check, where the format has one. */
void format_disk_assert_clean(FormatDisk *disk);
/* The closed image, by qemu-img: check, and its content. */
void format_disk_assert_judged(FormatDisk *disk);
/* Writes a file without waiting for the disk. */
void format_put_file(const char *path, const void *bytes, size_t len);
/* Whether qemu-img is there; if not, the running test lacks it. */
bool format_has_judge(void);
/* Runs qemu-img with ARGS (NULL-terminated); its exit status and what it said. */
int format_run_judge(const char *const *args, char **out_text);
