/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img convert: copies one image, or several behind each other, into a new one or, with -n,
 * into one that is there. What reads as zeroes is not written. A target that was made here and not
 * finished is removed. */

#include "img.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_SPARSE_BYTES = 4096, MAX_SOURCES = 64, MAX_SPARSE_BYTES = 2 << 20 };
enum {
    OPT_TARGET_IMAGE_OPTS = IMG_OPT_OWN,
    OPT_TARGET_IS_ZERO,
    OPT_SALVAGE,
    OPT_BITMAPS,
    OPT_SKIP_BITMAPS,
};

typedef struct Convert {
    ImgOpen source_how, target_how;
    const char *format; /* of the target */
    const char *snapshot;
    BlkOptions *create_options;
    ImgCopy copy;
    bool no_create, quiet, bitmaps, skip_broken;
    uint64_t total;
    BlkNode *nodes[MAX_SOURCES];
    BlkImage *sources[MAX_SOURCES];
    BlkNode *target_node;
} Convert;

/* ---- the sources ---- */

static bool
show_snapshot(const Convert *convert, BlkNode *node)
{
    GError *error = NULL;
    const char *name = convert->snapshot;

    if (!name) {
        return true;
    }
    if (g_str_has_prefix(name, "snapshot.id=")) {
        name += strlen("snapshot.id=");
    } else if (g_str_has_prefix(name, "snapshot.name=")) {
        name += strlen("snapshot.name=");
    }
    if (!blk_node_show_snapshot(node, name, &error)) {
        img_error_take(error);
        return false;
    }
    return true;
}

static bool
open_sources(Convert *convert, BlkGraph *graph, char **names, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        convert->nodes[i] = img_open(graph, names[i], &convert->source_how);
        convert->copy.source_count = i + 1;
        if (!convert->nodes[i] || !show_snapshot(convert, convert->nodes[i])) {
            return false;
        }
        convert->sources[i] = img_attach(convert->nodes[i], false);
        if (!convert->sources[i]) {
            return false;
        }
        convert->total += blk_image_get_len(convert->sources[i]);
    }
    return true;
}

/* ---- the target ---- */

static bool
create_target(Convert *convert, BlkGraph *graph, const char *name)
{
    g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, convert->total);
    const char *backing = blk_options_get(convert->create_options, "backing_file");
    GError *error = NULL;

    if (!blk_options_get(convert->create_options, "size")) {
        blk_options_set(convert->create_options, "size", size);
    }
    if (!blk_create(graph, convert->format, name, convert->create_options, &error)) {
        img_error_take(error);
        return false;
    }
    /* A new file is full of holes; a device keeps what it held. */
    convert->copy.target_is_zero = !backing && blk_makes_file(graph, name);
    convert->copy.only_top = backing != NULL;
    return true;
}

static bool
check_compression(const Convert *convert)
{
    BlkFormatInfo info;

    blk_node_get_format_info(convert->target_node, &info);
    if (convert->copy.compressed &&
        (!blk_node_can_compress(convert->target_node) || info.encrypted)) {
        img_error("format '%s' cannot be compressed%s", convert->format,
                  info.encrypted ? " and encrypted at once" : "");
        return false;
    }
    return true;
}

/* Holes below encryption show noise: what is stored there has to be said by the image. */
static bool
shows_zeroes(BlkImage *image)
{
    uint64_t len = blk_image_get_len(image), offset = 0;
    bool is_zero = true, is_data;

    while (offset < len && is_zero) {
        int64_t run = blk_image_get_run(image, offset, len - offset, &is_zero, &is_data);
        is_zero = run > 0 && is_zero;
        offset += is_zero ? (uint64_t)run : 0;
    }
    return is_zero;
}

static bool
open_target(Convert *convert, BlkGraph *graph, const char *name)
{
    BlkFormatInfo info;

    convert->target_how.secrets = convert->no_create ? NULL : convert->create_options;
    convert->target_node = img_open(graph, name, &convert->target_how);
    if (!convert->target_node || !check_compression(convert)) {
        return false;
    }
    convert->copy.target = img_attach(convert->target_node, true);
    if (!convert->copy.target) {
        return false;
    }
    if (blk_image_get_len(convert->copy.target) < convert->total) {
        img_error("target '%s' has %" G_GUINT64_FORMAT " bytes, the source %" G_GUINT64_FORMAT
                  ": it does not fit.",
                  name, blk_image_get_len(convert->copy.target), convert->total);
        return false;
    }
    blk_node_get_format_info(convert->target_node, &info);
    convert->copy.cluster_bytes = info.cluster_bytes;
    if (info.encrypted && !convert->no_create) {
        convert->copy.target_is_zero &= shows_zeroes(convert->copy.target);
    }
    return true;
}

/* ---- bitmaps ---- */

static int
copy_bitmap(const Convert *convert, const BlkBitmap *bitmap)
{
    GError *error = NULL;
    BlkBitmap *copy;

    if (bitmap->inconsistent) {
        if (convert->skip_broken) {
            img_warning("Skipping inconsistent bitmap '%s'", bitmap->name);
            return IMG_OK;
        }
        return img_error("Cannot copy inconsistent bitmap '%s'. Try --skip-broken-bitmaps, or "
                         "remove it with 'bitmap --remove'.",
                         bitmap->name);
    }
    copy = blk_bitmap_new(convert->target_node, bitmap->name, bitmap->granularity_bytes, &error);
    if (!copy) {
        return img_error_take(error);
    }
    copy->enabled = bitmap->enabled;
    copy->persistent = true;
    blk_bitmap_merge(copy, bitmap);
    return IMG_OK;
}

static int
copy_bitmaps(const Convert *convert)
{
    GPtrArray *bitmaps = blk_node_get_bitmaps(convert->nodes[0]);
    GError *error = NULL;

    for (unsigned i = 0; bitmaps && i < bitmaps->len; i++) {
        const BlkBitmap *bitmap = g_ptr_array_index(bitmaps, i);
        if (bitmap->persistent && copy_bitmap(convert, bitmap) != IMG_OK) {
            return IMG_FAILED;
        }
    }
    return blk_node_store_bitmaps(convert->target_node, &error) ? IMG_OK : img_error_take(error);
}

/* ---- the whole ---- */

static int
close_target(Convert *convert)
{
    g_clear_pointer(&convert->copy.target, blk_image_free);
    g_clear_pointer(&convert->target_node, blk_node_unref);
    return IMG_OK;
}

static void
close_all(Convert *convert)
{
    for (unsigned i = 0; i < convert->copy.source_count; i++) {
        blk_image_free(convert->sources[i]);
        blk_node_unref(convert->nodes[i]);
    }
    close_target(convert);
    blk_options_free(convert->create_options);
}

static int
run_convert(Convert *convert, BlkGraph *graph, char **names, unsigned count)
{
    const char *target = names[count - 1];
    int status = IMG_FAILED;

    convert->copy.sources = convert->sources;
    if (open_sources(convert, graph, names, count - 1) &&
        (convert->no_create || create_target(convert, graph, target))) {
        if (open_target(convert, graph, target)) {
            status = img_copy(graph, &convert->copy);
        }
        if (status == IMG_OK && convert->bitmaps) {
            status = copy_bitmaps(convert);
        }
        close_target(convert);
        /* Its old content, if there was any, is gone already. */
        if (status != IMG_OK && !convert->no_create) {
            blk_remove_file(graph, target);
        }
    }
    return status;
}

/* ---- the command line ---- */

static int
take_sparse_size(Convert *convert, const char *text)
{
    uint64_t *bytes = &convert->copy.sparse_bytes;

    if (!img_parse_size(text, bytes) || *bytes % 512 || *bytes > MAX_SPARSE_BYTES) {
        return img_error("'%s' is not a sparse size: a multiple of 512 up to 2M, or 0.", text);
    }
    return IMG_OK;
}

static int
take_parallel(Convert *convert, const char *text)
{
    convert->copy.parallel = (unsigned)atoi(text);
    return convert->copy.parallel >= 1 && convert->copy.parallel <= 16
               ? IMG_OK
               : img_error("-m takes a number from 1 to 16, not '%s'", text);
}

static int
take_option(Convert *convert, int option, const char *value)
{
    GError *error = NULL;

    switch (option) {
    case 'O': convert->format = value; break;
    case 't': convert->target_how.cache = value; break;
    case 'S': return take_sparse_size(convert, value);
    case 'n': convert->no_create = true; break;
    case 'p': convert->copy.progress.enabled = true; break;
    case 'q': convert->quiet = true; break;
    case 'W': convert->copy.out_of_order = true; break;
    case 'C': break; /* offloading the copy only hastens it */
    case 'm': return take_parallel(convert, value);
    case 'o':
        return img_parse_options(convert->create_options, value, &error) ? IMG_OK
                                                                         : img_error_take(error);
    case 'c': convert->copy.compressed = true; break;
    case 'B': blk_options_set(convert->create_options, "backing_file", value); break;
    case 'F': blk_options_set(convert->create_options, "backing_fmt", value); break;
    case 'l': convert->snapshot = value; break;
    case 'r': return img_take_size(value, &convert->copy.rate_bytes_s) ? IMG_OK : IMG_FAILED;
    case OPT_TARGET_IMAGE_OPTS: convert->target_how.image_opts = true; break;
    case OPT_TARGET_IS_ZERO: convert->copy.target_is_zero = true; break;
    case OPT_SALVAGE: convert->copy.salvage = true; break;
    case OPT_BITMAPS: convert->bitmaps = true; break;
    case OPT_SKIP_BITMAPS: convert->skip_broken = true; break;
    default: img_open_take(&convert->source_how, option, value); break;
    }
    return IMG_OK;
}

static bool
check_usage(const Convert *convert, int names)
{
    if (names < 2 || names > MAX_SOURCES) {
        img_error("convert needs the names of a source and a target");
        img_usage();
    } else if (convert->copy.target_is_zero && !convert->no_create) {
        img_error("--target-is-zero needs -n");
    } else if (convert->target_how.image_opts && !convert->no_create) {
        img_error("--target-image-opts needs -n");
    } else if (convert->skip_broken && !convert->bitmaps) {
        img_error("Use of --skip-broken-bitmaps requires --bitmaps");
    } else if (convert->bitmaps && names > 2) {
        img_error("--bitmaps takes one source");
    } else if (names > 2 && blk_options_get(convert->create_options, "backing_file")) {
        img_error("Having a backing file for the target makes no sense when concatenating "
                  "multiple input images");
    } else {
        return true;
    }
    return false;
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    Convert convert = {
        .target_how = { .cache = "unsafe", .write = true, .quiet = true },
        .format = "raw",
        .create_options = blk_options_new(),
        .copy = { .parallel = 8, .sparse_bytes = DEFAULT_SPARSE_BYTES, .progress = { .last = -1 } }
    };
    ImgArgs args;
    int id, status = IMG_FAILED;

    img_args_init(&args, &img_convert_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        if (take_option(&convert, id, args.value) != IMG_OK) {
            args.stop = true;
            args.status = IMG_FAILED;
        }
    }
    img_args_finish(&args);
    if (args.stop) {
        status = args.status;
    } else if (check_usage(&convert, img_args_operands(&args))) {
        if (!convert.target_how.image_opts) {
            convert.target_how.format = convert.format;
        }
        convert.copy.progress.enabled = convert.copy.progress.enabled && !convert.quiet;
        status =
            run_convert(&convert, graph, argv + args.first, (unsigned)img_args_operands(&args));
    }
    close_all(&convert);
    return status;
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    { 'f', "source-format", "FMT", "format of the sources; else it is probed" },
    { 'O', NULL, "FMT", "format of the target; raw if not given" },
    { 'o', NULL, "OPTIONS", "create options of the target" },
    { 'B', NULL, "BACKING", "backing image of the target, equal to the source's" },
    { 'F', NULL, "FMT", "format of that backing image" },
    { 'c', NULL, NULL, "compress" },
    { 'l', NULL, "SNAPSHOT", "copy a snapshot of the source" },
    { 'n', NULL, NULL, "write into a target that is there" },
    { OPT_TARGET_IS_ZERO, "target-is-zero", NULL, "with -n: the target reads as zeroes" },
    { 'S', NULL, "BYTES", "zeroes of this length stay holes; 0: write everything" },
    { 'm', NULL, "COUNT", "pieces copied at a time, 1 to 16" },
    { 'W', NULL, NULL, "let writes overtake each other" },
    { 'r', NULL, "BYTES", "limit of the speed, per second" },
    { 'C', NULL, NULL, "let the host copy where it can" },
    { OPT_SALVAGE, "salvage", NULL, "go on when the source cannot be read" },
    { OPT_BITMAPS, "bitmaps", NULL, "copy persistent bitmaps too" },
    { OPT_SKIP_BITMAPS, "skip-broken-bitmaps", NULL, "leave out inconsistent ones" },
    IMG_ROW_SRC_CACHE,
    IMG_ROW_CACHE,
    IMG_ROW_PROGRESS,
    IMG_ROW_QUIET,
    IMG_ROW_FORCE_SHARE,
    IMG_ROW_IMAGE_OPTS,
    { OPT_TARGET_IMAGE_OPTS, "target-image-opts", NULL, "the target's name is KEY=VALUE,..." },
    IMG_ROW_OBJECT,
    { 0 },
};

const ImgCommand img_convert_command = {
    .name = "convert",
    .operands = "SOURCE [SOURCE2...] TARGET",
    .help = "copy an image into another format",
    .options = options,
    .run = run,
};
