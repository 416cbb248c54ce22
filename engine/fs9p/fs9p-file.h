/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Open files that are descriptors of the host's: of the local driver and of the proxy. The
 * functions that take an Fs9pFs go into an Fs9pOps as they are. Thread: any. */

#include "fs9p-fs.h"

#include <dirent.h>

struct Fs9pFile {
    int fd;
    DIR *dir; /* of folders; owns FD */
};

/* Takes FD, also when it fails. */
int fs9p_file_new(int fd, bool is_dir, Fs9pFile **out);
/* Whether FD is a plain file or a folder: nothing else is opened for guests. */
bool fs9p_file_is_plain(int fd);
void fs9p_file_close(Fs9pFs *fs, Fs9pFile *file);
ssize_t fs9p_file_pread(Fs9pFs *fs, Fs9pFile *file, void *buf, size_t len, uint64_t at);
/* WRITEOUT: it is on the medium then. */
ssize_t fs9p_file_write(Fs9pFile *file, const void *buf, size_t len, uint64_t at, bool writeout);
int fs9p_file_fsync(Fs9pFs *fs, Fs9pFile *file, bool data_only);
int fs9p_file_readdir(Fs9pFs *fs, Fs9pFile *file, uint64_t at,
                      bool (*visit)(void *opaque, const Fs9pEntry *entry), void *opaque);
