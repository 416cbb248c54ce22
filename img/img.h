/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the commands of vitrine-img share. Options and output are those that users of qemu-img
 * know. Thread: the program has one. */

#include "blk.h"
#include "vit-error.h"

/* A command: ARGV[0] is its name. Gives the exit status, 2 for wrong usage that has been told. */
typedef int (*ImgRun)(BlkGraph *graph, int argc, char **argv);

int img_info(BlkGraph *graph, int argc, char **argv);
int img_create(BlkGraph *graph, int argc, char **argv);
int img_resize(BlkGraph *graph, int argc, char **argv);
int img_convert(BlkGraph *graph, int argc, char **argv);

enum { IMG_OK = 0, IMG_FAILED = 1 };

/* "vitrine-img: MESSAGE" on standard error; gives IMG_FAILED. */
int img_error(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* The same of ERROR, which is freed. */
int img_error_take(GError *error);
void img_warning(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* A wrong option (getopt has told) or use: says where help is. */
int img_usage(void);
int img_not_yet(const char *what);

/* How an image on the command line is to be opened. */
typedef struct ImgOpen {
    const char *format; /* NULL: probe */
    const char *cache;  /* none, writeback, writethrough, directsync, unsafe */
    bool image_opts;    /* the name is "key=value,..." */
    bool force_share;
    bool write;
} ImgOpen;

/* Opens with a message on failure. A probed raw image is warned of when it is to be written. */
BlkNode *img_open(BlkGraph *graph, const char *filename, const ImgOpen *how);
/* "a=b,c=d,,e" into OPTIONS. */
bool img_parse_options(BlkOptions *options, const char *text, GError **error);
bool img_parse_size(const char *text, uint64_t *out_size);
/* "1.5 GiB", as three significant digits. Ownership: caller. */
char *img_format_size(uint64_t bytes);
/* A JSON string with its quotes. Ownership: caller. */
char *img_json_string(const char *text);
/* Set by SIGINT and SIGTERM. */
bool img_is_cancelled(void);
