/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the commands of vitrine-img share. Options and output are those that users of qemu-img
 * know. Each command is one file with a const ImgCommand at its end: parsing, help and the manual
 * page come from that. Thread: the program has one. */

#include "blk-bitmap.h"
#include "blk-format.h"
#include "blk.h"
#include "vit-error.h"

#include <getopt.h>

/* An option of a command. Those without a letter have an id of 256 and up. */
typedef struct ImgOption {
    int id;               /* letter, or a number */
    const char *name;     /* without the dashes; NULL: only the letter */
    const char *argument; /* "FMT"; NULL: none */
    const char *help;
} ImgOption;

typedef struct ImgCommand {
    const char *name, *operands, *help;
    const ImgOption *options; /* ends with an id of 0 */
    /* ARGV[0] is the command's name. Gives the exit status. */
    int (*run)(BlkGraph *graph, int argc, char **argv);
} ImgCommand;

enum { IMG_OK = 0, IMG_FAILED = 1 };
/* What check and compare say besides. */
enum { IMG_CHECK_CORRUPT = 2, IMG_CHECK_LEAKS = 3, IMG_CHECK_NOT_SUPPORTED = 63 };
enum { IMG_COMPARE_DIFFERENT = 1, IMG_COMPARE_FAILED = 2 };

/* Ids of options that several commands have. */
enum {
    IMG_OPT_IMAGE_OPTS = 256,
    IMG_OPT_OBJECT,
    IMG_OPT_OUTPUT,
    IMG_OPT_PREALLOCATION,
    IMG_OPT_OWN, /* a command's own begin here */
};

#define IMG_ROW_HELP                                      \
    {                                                     \
        'h', "help", NULL, "show the help of the command" \
    }
#define IMG_ROW_FORMAT                                                 \
    {                                                                  \
        'f', "format", "FMT", "format of the image; else it is probed" \
    }
#define IMG_ROW_OUTPUT                                               \
    {                                                                \
        IMG_OPT_OUTPUT, "output", "human|json", "form of the output" \
    }
#define IMG_ROW_IMAGE_OPTS                                                \
    {                                                                     \
        IMG_OPT_IMAGE_OPTS, "image-opts", NULL, "names are KEY=VALUE,..." \
    }
#define IMG_ROW_OBJECT                                                                   \
    {                                                                                    \
        IMG_OPT_OBJECT, "object", "secret,id=ID,...", "a password that options refer to" \
    }
#define IMG_ROW_FORCE_SHARE                                       \
    {                                                             \
        'U', "force-share", NULL, "read although somebody writes" \
    }
#define IMG_ROW_CACHE                                       \
    {                                                       \
        't', NULL, "CACHE", "cache mode of what is written" \
    }
#define IMG_ROW_SRC_CACHE                                          \
    {                                                              \
        'T', "source-cache", "CACHE", "cache mode of what is read" \
    }
#define IMG_ROW_PROGRESS                 \
    {                                    \
        'p', NULL, NULL, "show progress" \
    }
#define IMG_ROW_QUIET                                \
    {                                                \
        'q', "quiet", NULL, "say nothing but errors" \
    }

/* ---- img-args.c ---- */

/* Walks through the options of a command line, then the operands are at argv + first. */
typedef struct ImgArgs {
    const ImgCommand *command;
    BlkGraph *graph;
    int argc;
    char **argv;
    int first;
    const char *value; /* of the present option */
    bool stop;         /* help was shown, or the line is wrong */
    int status;
    char *letters;
    struct option *longs;
} ImgArgs;

void img_args_init(ImgArgs *args, const ImgCommand *command, BlkGraph *graph, int argc,
                   char **argv);
void img_args_finish(ImgArgs *args);
/* The id of the next option, or -1 at the end and when ->stop is set. --help and --object are done
 * here. */
int img_args_next(ImgArgs *args);
/* "json" or "human" into OUT_JSON; sets ->stop when it is neither. */
void img_args_take_output(ImgArgs *args, bool *out_json);
int img_args_operands(const ImgArgs *args);
void img_print_usage(const ImgCommand *command);

/* ---- img-util.c ---- */

/* "vitrine-img: MESSAGE" on standard error; gives IMG_FAILED. */
int img_error(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* The same of ERROR, which is freed. */
int img_error_take(GError *error);
void img_warning(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* A wrong option (getopt has told) or use: says where help is. */
int img_usage(void);
bool img_parse_size(const char *text, uint64_t *out_size);
/* With a message when TEXT is not a size. */
bool img_take_size(const char *text, uint64_t *out_size);
bool img_parse_preallocation(const char *text, BlkPreallocation *out);
/* "a=b,c=d,,e" into OPTIONS. */
bool img_parse_options(BlkOptions *options, const char *text, GError **error);
/* Set by SIGINT and SIGTERM. */
bool img_is_cancelled(void);

typedef struct ImgProgress {
    bool enabled;
    int last; /* in hundredths of a percent; -1: nothing shown */
} ImgProgress;

void img_progress_show(ImgProgress *progress, uint64_t done, uint64_t total);
void img_progress_end(ImgProgress *progress);

/* ---- img-open.c ---- */

/* How an image on the command line is to be opened. */
typedef struct ImgOpen {
    const char *format; /* NULL: probe */
    const char *cache;  /* none, writeback, writethrough, directsync, unsafe */
    bool image_opts;    /* the name is "key=value,..." */
    bool force_share;
    bool write;
    bool no_backing;           /* without the images below it */
    bool for_check;            /* what only a check may open for writing */
    bool backing_unlocked;     /* the images below are locked elsewhere */
    bool quiet;                /* no warning of probed raw images */
    const BlkOptions *secrets; /* options it was made with, whose secrets open it; may be NULL */
} ImgOpen;

/* Takes an option that several commands have; false when it is not one of them. */
bool img_open_take(ImgOpen *how, int id, const char *value);
/* Opens with a message on failure. A probed raw image is warned of when it is to be written. */
BlkNode *img_open(BlkGraph *graph, const char *filename, const ImgOpen *how);
/* The same without a message. */
BlkNode *img_try_open(BlkGraph *graph, const char *filename, const ImgOpen *how, GError **error);
/* The node's image, with a message on failure. */
BlkImage *img_attach(BlkNode *node, bool write);

/* ---- img-json.c ---- */

typedef struct _JsonNode JsonNode;

/* Prints NODE as qemu-img does, with a line end. */
void img_print_json(JsonNode *node);
void img_print_json_object(JsonObject *object);
/* A JSON string with its quotes. Ownership: caller. */
char *img_json_string(const char *text);

/* ---- img-copy.c ---- */

typedef struct ImgCopy {
    BlkImage **sources; /* one behind the other */
    unsigned source_count;
    BlkImage *target;
    unsigned parallel;
    bool out_of_order, compressed, salvage;
    bool target_is_zero;   /* zeroes need not be written */
    bool only_top;         /* what the source's backing has is below the target too */
    uint64_t sparse_bytes; /* 0: do not look for zeroes */
    uint32_t cluster_bytes;
    uint64_t rate_bytes_s; /* 0: no limit */
    ImgProgress progress;
} ImgCopy;

/* Copies and flushes; tells what went wrong. */
int img_copy(BlkGraph *graph, const ImgCopy *copy);

/* ---- others ---- */

extern const ImgCommand img_amend_command, img_bench_command, img_bitmap_command, img_check_command,
    img_commit_command, img_compare_command, img_convert_command, img_create_command,
    img_dd_command, img_info_command, img_map_command, img_measure_command, img_rebase_command,
    img_resize_command, img_serve_command, img_snapshot_command;
