/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A tree that exists nowhere, for tests of guests: "text" holds a line, "sink" takes any bytes and
 * keeps none, "many" is a folder of a hundred empty files. Thread: any. */

#include "fs9p-fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { MANY = 100, ROOT_INO = 1, TEXT_INO, SINK_INO, MANY_INO, FIRST_INO };

static const char text[] = "A line of a file that exists nowhere.\n";
static const char *const names[] = { "text", "sink", "many" };

struct Fs9pFile {
    uint64_t ino;
};

/* Inode of PATH; 0: there is none. */
static uint64_t
find(const char *path)
{
    unsigned number;
    char rest;

    if (!*path) {
        return ROOT_INO;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(path, names[i]) == 0) {
            return TEXT_INO + i;
        }
    }
    return strlen(path) == 8 && sscanf(path, "many/%3u%c", &number, &rest) == 1 && number < MANY
               ? FIRST_INO + number
               : 0;
}

static int
synth_lstat(Fs9pFs *fs, const char *path, struct stat *out)
{
    uint64_t ino = find(path);
    bool is_dir = ino == ROOT_INO || ino == MANY_INO;

    *out = (struct stat){
        .st_ino = ino,
        .st_mode = is_dir ? S_IFDIR | 0755 : S_IFREG | (ino == SINK_INO ? 0666 : 0444),
        .st_nlink = is_dir ? 2 : 1,
        .st_size = ino == TEXT_INO ? sizeof(text) - 1 : 0,
        .st_blksize = 4096,
    };
    return ino ? 0 : -ENOENT;
}

static int
synth_statfs(Fs9pFs *fs, const char *path, struct statfs *out)
{
    out->f_bsize = 4096;
    out->f_namelen = NAME_MAX;
    return 0;
}

static int
synth_open(Fs9pFs *fs, const char *path, int flags, Fs9pFile **out)
{
    uint64_t ino = find(path);

    if (!ino) {
        return -ENOENT;
    }
    if ((flags & O_ACCMODE) != O_RDONLY && ino != SINK_INO) {
        return -EACCES;
    }
    *out = g_new0(Fs9pFile, 1);
    (*out)->ino = ino;
    return 0;
}

static void
synth_close(Fs9pFs *fs, Fs9pFile *file)
{
    g_free(file);
}

static ssize_t
synth_pread(Fs9pFs *fs, Fs9pFile *file, void *buf, size_t len, uint64_t at)
{
    uint64_t size = file->ino == TEXT_INO ? sizeof(text) - 1 : 0;

    len = at < size ? MIN(len, size - at) : 0;
    memcpy(buf, text + (len ? at : 0), len);
    return (ssize_t)len;
}

static ssize_t
synth_pwrite(Fs9pFs *fs, Fs9pFile *file, const void *buf, size_t len, uint64_t at)
{
    return (ssize_t)len;
}

/* "." and "..", then what is there. */
static int
synth_readdir(Fs9pFs *fs, Fs9pFile *file, uint64_t at,
              bool (*visit)(void *opaque, const Fs9pEntry *entry), void *opaque)
{
    uint64_t count = 2 + (file->ino == ROOT_INO ? G_N_ELEMENTS(names) : MANY);

    for (; at < count; at++) {
        Fs9pEntry entry = { .next = at + 1, .type = DT_REG };
        char number[4];

        if (at < 2) {
            entry.name = at == 0 ? "." : "..";
            entry.ino = at == 0 ? file->ino : ROOT_INO;
            entry.type = DT_DIR;
        } else if (file->ino == ROOT_INO) {
            entry.name = names[at - 2];
            entry.ino = TEXT_INO + at - 2;
            entry.type = entry.ino == MANY_INO ? DT_DIR : DT_REG;
        } else {
            g_snprintf(number, sizeof(number), "%03u", (unsigned)(at - 2) % 1000);
            entry.name = number;
            entry.ino = FIRST_INO + at - 2;
        }
        if (!visit(opaque, &entry)) {
            break;
        }
    }
    return 0;
}

static void
synth_free(Fs9pFs *fs)
{
    g_free(fs);
}

static const Fs9pOps synth_ops = {
    .free = synth_free,
    .lstat = synth_lstat,
    .statfs = synth_statfs,
    .open = synth_open,
    .close = synth_close,
    .pread = synth_pread,
    .pwrite = synth_pwrite,
    .readdir = synth_readdir,
};

Fs9pFs *
fs9p_synth_new(bool is_readonly)
{
    Fs9pFs *fs = g_new0(Fs9pFs, 1);

    *fs = (Fs9pFs){ &synth_ops, is_readonly };
    return fs;
}
