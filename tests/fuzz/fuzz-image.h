/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What targets for image formats share: an image in memory, looked at, which must not change it.
 * Thread: the target's. */

#include "blk.h"

enum { FUZZ_LOOK_BYTES = 64 * 1024 };

/* "key=value,key=value". Ownership: caller. */
BlkOptions *fuzz_options(const char *text);
/* The image of FORMAT in the file PATH, alone, with TEXT's options; NULL: it does not open. */
BlkNode *fuzz_open(BlkGraph *graph, const char *format, const char *path, const char *text);
/* A file in memory with these bytes, holes where pages of them are zero; its descriptor, and
 * *OUT_PATH to open it by. */
int fuzz_file(const uint8_t *bytes, size_t len, char **out_path);
/* Whether FD has these bytes still; ends the program if not. */
void fuzz_check_unchanged(int fd, const uint8_t *bytes, size_t len);
/* Reads both ends, and asks what lies where and what the format tells. */
void fuzz_look(BlkNode *node);

/* How many bytes of an input choose what is done to its image. */
enum { FUZZ_ACTS = 8 };
/* Writes, zeroes, discards, flushes, resizes, snapshots and repairs, one for each byte of ACTS; 0
 * ends it. A disk over 1 GiB is left alone. */
void fuzz_act(BlkNode *node, const uint8_t *acts);
