/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img convert: copies one image, or several behind each other, into a new one. What reads
 * as zeroes is not written: holes of the source are skipped unread, data is looked through in
 * pieces of the sparse size. A target that was made here and not finished is removed. */

#include "img.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 2 << 20, DEFAULT_SPARSE_BYTES = 4096, MAX_SOURCES = 64 };

typedef struct Convert {
    ImgOpen source_how, target_how;
    const char *format; /* of the target */
    BlkOptions *create_options;
    uint64_t sparse_bytes;
    bool no_create, target_is_zero, salvage, progress, quiet;
    BlkNode *nodes[MAX_SOURCES];
    BlkImage *sources[MAX_SOURCES];
    unsigned source_count;
    BlkNode *target_node;
    BlkImage *target;
    uint64_t total, done;
    int last_percent;
    uint8_t *buffer;
} Convert;

/* ---- copying ---- */

static void
show_progress(Convert *convert)
{
    int percent = convert->total ? (int)(convert->done * 10000 / convert->total) : 10000;

    if (convert->progress && percent != convert->last_percent) {
        convert->last_percent = percent;
        printf("    (%d.%02d/100%%)\r", percent / 100, percent % 100);
        fflush(stdout);
    }
}

/* Bytes from AT on that are zero, or that are not, in steps of the sparse size. */
static size_t
find_run(const Convert *convert, const uint8_t *at, size_t len, bool *out_zero)
{
    size_t step = convert->sparse_bytes ? convert->sparse_bytes : len, run = MIN(step, len);

    *out_zero = convert->sparse_bytes && blk_is_zero(at, run);
    while (run < len) {
        size_t piece = MIN(step, len - run);
        if ((convert->sparse_bytes && blk_is_zero(at + run, piece)) != *out_zero) {
            break;
        }
        run += piece;
    }
    return run;
}

static int
write_zero_run(Convert *convert, uint64_t offset, uint64_t len)
{
    if (convert->target_is_zero) {
        return 0;
    }
    return blk_image_write_zeroes(convert->target, offset, len, true);
}

static int
write_data(Convert *convert, uint64_t offset, size_t len)
{
    const uint8_t *at = convert->buffer;
    int ret = 0;

    while (len > 0 && ret == 0) {
        bool zero;
        size_t run = find_run(convert, at, len, &zero);
        ret = zero ? write_zero_run(convert, offset, run)
                   : blk_image_write(convert->target, offset, at, run);
        at += run;
        offset += run;
        len -= run;
    }
    return ret;
}

/* Sector by sector where a whole piece cannot be read; what is lost becomes zeroes. */
static void
salvage(Convert *convert, BlkImage *source, uint64_t offset, size_t len)
{
    for (size_t at = 0; at < len; at += 512) {
        size_t piece = MIN(512, len - at);
        int ret = blk_image_read(source, offset + at, convert->buffer + at, piece);
        if (ret < 0) {
            img_warning("error while reading offset %" G_GUINT64_FORMAT ": %s", offset + at,
                        g_strerror(-ret));
            memset(convert->buffer + at, 0, piece);
        }
    }
}

static int
copy_piece(Convert *convert, BlkImage *source, uint64_t offset, uint64_t *len)
{
    bool zero, data;
    int64_t run = blk_image_get_run(source, offset, *len, &zero, &data);
    int ret;

    if (run < 0) {
        return img_error("error while looking at offset %" G_GUINT64_FORMAT ": %s", offset,
                         g_strerror((int)-run));
    }
    *len = zero ? (uint64_t)run : MIN((uint64_t)run, BUFFER_BYTES);
    if (zero) {
        ret = write_zero_run(convert, convert->done, *len);
    } else {
        ret = blk_image_read(source, offset, convert->buffer, *len);
        if (ret < 0 && convert->salvage) {
            salvage(convert, source, offset, *len);
            ret = 0;
        }
        if (ret < 0) {
            return img_error("error while reading at byte %" G_GUINT64_FORMAT ": %s", offset,
                             g_strerror(-ret));
        }
        ret = write_data(convert, convert->done, *len);
    }
    return ret < 0 ? img_error("error while writing at byte %" G_GUINT64_FORMAT ": %s",
                               convert->done, g_strerror(-ret))
                   : IMG_OK;
}

static int
copy_all(Convert *convert)
{
    for (unsigned i = 0; i < convert->source_count; i++) {
        uint64_t len = blk_image_get_len(convert->sources[i]), offset = 0;
        while (offset < len) {
            uint64_t piece = len - offset;
            show_progress(convert);
            if (img_is_cancelled()) {
                return img_error("stopped");
            }
            if (copy_piece(convert, convert->sources[i], offset, &piece) != IMG_OK) {
                return IMG_FAILED;
            }
            offset += piece;
            convert->done += piece;
        }
    }
    show_progress(convert);
    if (convert->progress) {
        printf("\n");
    }
    int ret = blk_image_flush(convert->target);
    return ret < 0 ? img_error("error while flushing the target: %s", g_strerror(-ret)) : IMG_OK;
}

/* ---- opening ---- */

static bool
open_sources(Convert *convert, BlkGraph *graph, char **names, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        GError *error = NULL;
        convert->nodes[i] = img_open(graph, names[i], &convert->source_how);
        convert->source_count = i + 1;
        if (!convert->nodes[i]) {
            return false;
        }
        convert->sources[i] = blk_image_new(convert->nodes[i], false, &error);
        if (!convert->sources[i]) {
            img_error_take(error);
            return false;
        }
        convert->total += blk_image_get_len(convert->sources[i]);
    }
    return true;
}

static bool
create_target(Convert *convert, BlkGraph *graph, const char *name)
{
    g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, convert->total);
    GError *error = NULL;
    struct stat st;

    blk_options_set(convert->create_options, "size", size);
    if (!blk_create(graph, convert->format, name, convert->create_options, &error)) {
        img_error_take(error);
        return false;
    }
    /* A new file is full of holes; a device keeps what it held. */
    convert->target_is_zero = stat(name, &st) == 0 && S_ISREG(st.st_mode);
    return true;
}

static bool
open_target(Convert *convert, BlkGraph *graph, const char *name)
{
    GError *error = NULL;

    convert->target_node = img_open(graph, name, &convert->target_how);
    if (!convert->target_node) {
        return false;
    }
    convert->target = blk_image_new(convert->target_node, true, &error);
    if (!convert->target) {
        img_error_take(error);
        return false;
    }
    if (blk_image_get_len(convert->target) < convert->total) {
        img_error("target '%s' has %" G_GUINT64_FORMAT " bytes, the source %" G_GUINT64_FORMAT
                  ": it does not fit.",
                  name, blk_image_get_len(convert->target), convert->total);
        return false;
    }
    return true;
}

static void
close_all(Convert *convert)
{
    for (unsigned i = 0; i < convert->source_count; i++) {
        blk_image_free(convert->sources[i]);
        blk_node_unref(convert->nodes[i]);
    }
    blk_image_free(convert->target);
    blk_node_unref(convert->target_node);
    blk_options_free(convert->create_options);
    free(convert->buffer);
}

static int
run_convert(Convert *convert, BlkGraph *graph, char **names, unsigned count)
{
    const char *target = names[count - 1];
    bool is_new = !convert->no_create && access(target, F_OK) != 0;
    int status = IMG_FAILED;

    if (posix_memalign((void **)&convert->buffer, 4096, BUFFER_BYTES) != 0) {
        img_error("not enough memory");
    } else if (open_sources(convert, graph, names, count - 1) &&
               (convert->no_create || create_target(convert, graph, target))) {
        if (open_target(convert, graph, target)) {
            status = copy_all(convert);
        }
        if (status != IMG_OK && is_new) {
            unlink(target);
        }
    }
    close_all(convert);
    return status;
}

/* ---- the command line ---- */

enum {
    OPT_IMAGE_OPTS = 256,
    OPT_TARGET_IMAGE_OPTS,
    OPT_TARGET_IS_ZERO,
    OPT_SALVAGE,
    OPT_BITMAPS,
    OPT_OBJECT
};

static const struct option long_options[] = {
    { "help", no_argument, NULL, 'h' },
    { "source-format", required_argument, NULL, 'f' },
    { "source-cache", required_argument, NULL, 'T' },
    { "force-share", no_argument, NULL, 'U' },
    { "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
    { "target-image-opts", no_argument, NULL, OPT_TARGET_IMAGE_OPTS },
    { "target-is-zero", no_argument, NULL, OPT_TARGET_IS_ZERO },
    { "salvage", no_argument, NULL, OPT_SALVAGE },
    { "bitmaps", no_argument, NULL, OPT_BITMAPS },
    { "object", required_argument, NULL, OPT_OBJECT },
    { 0 },
};

static int
take_sparse_size(Convert *convert, const char *text)
{
    if (!img_parse_size(text, &convert->sparse_bytes) || convert->sparse_bytes % 512 ||
        convert->sparse_bytes > BUFFER_BYTES) {
        return img_error("'%s' is not a sparse size: a multiple of 512 up to 2M, or 0.", text);
    }
    return IMG_OK;
}

static int
take_option(Convert *convert, int option, const char *value)
{
    GError *error = NULL;

    switch (option) {
    case 'f': convert->source_how.format = value; return IMG_OK;
    case 'O': convert->format = value; return IMG_OK;
    case 't': convert->target_how.cache = value; return IMG_OK;
    case 'T': convert->source_how.cache = value; return IMG_OK;
    case 'S': return take_sparse_size(convert, value);
    case 'U': convert->source_how.force_share = true; return IMG_OK;
    case 'n': convert->no_create = true; return IMG_OK;
    case 'p': convert->progress = true; return IMG_OK;
    case 'q': convert->quiet = true; return IMG_OK;
    case 'W':
    case 'C': return IMG_OK; /* leave to order of writes and offloading; both only hasten */
    case 'm':
        return atoi(value) >= 1 && atoi(value) <= 16
                   ? IMG_OK
                   : img_error("-m takes a number from 1 to 16, not '%s'", value);
    case 'o':
        return img_parse_options(convert->create_options, value, &error) ? IMG_OK
                                                                         : img_error_take(error);
    case 'c': return img_error("format '%s' cannot be compressed", convert->format);
    case 'B': return img_error("format '%s' has no backing files", convert->format);
    case 'F': return img_error("format '%s' has no backing files", convert->format);
    case 'l': return img_not_yet("snapshots inside an image (-l)");
    case 'r': return img_not_yet("a limit of the rate (-r)");
    case OPT_IMAGE_OPTS: convert->source_how.image_opts = true; return IMG_OK;
    case OPT_TARGET_IMAGE_OPTS: convert->target_how.image_opts = true; return IMG_OK;
    case OPT_TARGET_IS_ZERO: convert->target_is_zero = true; return IMG_OK;
    case OPT_SALVAGE: convert->salvage = true; return IMG_OK;
    case OPT_BITMAPS: return img_not_yet("--bitmaps");
    case OPT_OBJECT: return img_not_yet("--object");
    default: return img_usage();
    }
}

static bool
check_usage(const Convert *convert, int names)
{
    if (names < 2 || names > MAX_SOURCES) {
        img_error("convert needs the names of a source and a target");
        img_usage();
    } else if (convert->target_is_zero && !convert->no_create) {
        img_error("--target-is-zero needs -n");
    } else if (convert->target_how.image_opts && !convert->no_create) {
        img_error("--target-image-opts needs -n");
    } else {
        return true;
    }
    return false;
}

int
img_convert(BlkGraph *graph, int argc, char **argv)
{
    Convert convert = { .target_how = { .cache = "unsafe", .write = true },
                        .format = "raw",
                        .create_options = blk_options_new(),
                        .sparse_bytes = DEFAULT_SPARSE_BYTES,
                        .last_percent = -1 };
    int option;

    while ((option = getopt_long(argc, argv, "+hf:O:B:F:cCo:l:S:pt:T:qnm:WUr:", long_options,
                                 NULL)) != -1) {
        if (take_option(&convert, option, optarg) != IMG_OK) {
            close_all(&convert);
            return IMG_FAILED;
        }
    }
    if (!check_usage(&convert, argc - optind)) {
        close_all(&convert);
        return IMG_FAILED;
    }
    if (!convert.target_how.image_opts) {
        convert.target_how.format = convert.format;
    }
    convert.progress = convert.progress && !convert.quiet;
    return run_convert(&convert, graph, argv + optind, (unsigned)(argc - optind));
}
