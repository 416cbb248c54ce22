/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img compare: whether two images show the same disk. Exit status: 0 the same, 1 not, 2
 * failure. The longer image must be zeroes where the other has ended, or as long with -s, which
 * also asks for the same allocation. */

#include "img.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 2 << 20 };

typedef struct Side {
    ImgOpen how;
    const char *filename;
    BlkNode *node;
    BlkImage *image;
    uint64_t len;
    uint8_t *buf;
    BlkRun run; /* at the place that is looked at; zeroes behind the end */
} Side;

typedef struct Compare {
    Side sides[2];
    bool strict, quiet;
    ImgProgress progress;
} Compare;

static void G_GNUC_PRINTF(2, 3) say(const Compare *compare, const char *format, ...)
{
    va_list args;

    if (!compare->quiet) {
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
    }
}

static int
look(Side *side, uint64_t offset, uint64_t len)
{
    int ret;

    if (offset >= side->len) {
        side->run = (BlkRun){ .len_bytes = len, .zero = true };
        return IMG_OK;
    }
    ret = blk_image_describe_run(side->image, offset, MIN(len, side->len - offset), &side->run);
    return ret < 0 ? img_error("Error while looking at offset %" G_GUINT64_FORMAT " of %s: %s",
                               offset, side->filename, g_strerror(-ret))
                   : IMG_OK;
}

static int
load(Side *side, uint64_t offset, uint64_t len)
{
    int ret;

    if (side->run.zero) {
        memset(side->buf, 0, len);
        return IMG_OK;
    }
    ret = blk_image_read(side->image, offset, side->buf, len);
    return ret < 0 ? img_error("Error while reading offset %" G_GUINT64_FORMAT " of %s: %s", offset,
                               side->filename, g_strerror(-ret))
                   : IMG_OK;
}

/* Compares what both are alike in from OFFSET on; gives how far that is. */
static int
compare_piece(Compare *compare, uint64_t offset, uint64_t *len)
{
    Side *a = &compare->sides[0], *b = &compare->sides[1];

    if (look(a, offset, *len) != IMG_OK || look(b, offset, *len) != IMG_OK) {
        return IMG_COMPARE_FAILED;
    }
    *len = MIN(a->run.len_bytes, b->run.len_bytes);
    if (compare->strict && a->run.present != b->run.present) {
        say(compare, "Strict mode: Offset %" G_GUINT64_FORMAT " block status mismatch!\n", offset);
        return IMG_COMPARE_DIFFERENT;
    }
    if (a->run.zero && b->run.zero) {
        return IMG_OK;
    }
    *len = MIN(*len, BUFFER_BYTES);
    if (load(a, offset, *len) != IMG_OK || load(b, offset, *len) != IMG_OK) {
        return IMG_COMPARE_FAILED;
    }
    if (memcmp(a->buf, b->buf, *len) == 0) {
        return IMG_OK;
    }
    for (uint64_t at = 0; at < *len; at += 512) {
        if (memcmp(a->buf + at, b->buf + at, MIN(512, *len - at)) != 0) {
            say(compare, "Content mismatch at offset %" G_GUINT64_FORMAT "!\n", offset + at);
            break;
        }
    }
    return IMG_COMPARE_DIFFERENT;
}

static int
compare_images(Compare *compare)
{
    uint64_t a_len = compare->sides[0].len, b_len = compare->sides[1].len;
    uint64_t end = MAX(a_len, b_len), offset = 0;
    int status = IMG_OK;

    if (a_len != b_len && compare->strict) {
        say(compare, "Strict mode: Image size mismatch!\n");
        return IMG_COMPARE_DIFFERENT;
    }
    while (offset < end && status == IMG_OK) {
        /* Not across the end of the shorter one. */
        uint64_t len = (offset < MIN(a_len, b_len) ? MIN(a_len, b_len) : end) - offset;
        if (img_is_cancelled()) {
            img_error("stopped");
            return IMG_COMPARE_FAILED;
        }
        status = compare_piece(compare, offset, &len);
        offset += len;
        img_progress_show(&compare->progress, offset, end);
    }
    if (status == IMG_OK) {
        img_progress_end(&compare->progress);
        if (a_len != b_len) {
            say(compare, "Warning: Image size mismatch!\n");
        }
        say(compare, "Images are identical.\n");
    }
    return status;
}

static bool
open_side(BlkGraph *graph, Side *side)
{
    side->node = img_open(graph, side->filename, &side->how);
    side->image = side->node ? img_attach(side->node, false) : NULL;
    if (!side->image || posix_memalign((void **)&side->buf, 4096, BUFFER_BYTES) != 0) {
        return false;
    }
    side->len = blk_image_get_len(side->image);
    return true;
}

static void
close_side(Side *side)
{
    blk_image_free(side->image);
    blk_node_unref(side->node);
    free(side->buf);
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    Compare compare = { .progress = { .last = -1 } };
    int id, status = IMG_COMPARE_FAILED;
    ImgArgs args;

    img_args_init(&args, &img_compare_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        if (id == 'F') {
            compare.sides[1].how.format = args.value;
        } else if (id == 's') {
            compare.strict = true;
        } else if (id == 'q') {
            compare.quiet = true;
        } else if (id == 'p') {
            compare.progress.enabled = true;
        } else {
            img_open_take(&compare.sides[0].how, id, args.value);
            if (id != 'f') {
                img_open_take(&compare.sides[1].how, id, args.value);
            }
        }
    }
    img_args_finish(&args);
    if (args.stop) {
        return args.status == IMG_OK ? IMG_OK : IMG_COMPARE_FAILED;
    }
    if (img_args_operands(&args) != 2) {
        img_error("compare needs the names of two images");
        img_usage();
        return IMG_COMPARE_FAILED;
    }
    compare.sides[0].filename = argv[args.first];
    compare.sides[1].filename = argv[args.first + 1];
    if (open_side(graph, &compare.sides[0]) && open_side(graph, &compare.sides[1])) {
        status = compare_images(&compare);
    }
    close_side(&compare.sides[0]);
    close_side(&compare.sides[1]);
    return status;
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    { 'f', "a-format", "FMT", "format of the first image" },
    { 'F', "b-format", "FMT", "format of the second image" },
    { 's', "strict", NULL, "sizes and allocation must be equal too" },
    IMG_ROW_SRC_CACHE,
    IMG_ROW_PROGRESS,
    IMG_ROW_QUIET,
    IMG_ROW_FORCE_SHARE,
    IMG_ROW_IMAGE_OPTS,
    IMG_ROW_OBJECT,
    { 0 },
};

const ImgCommand img_compare_command = {
    .name = "compare",
    .operands = "FILE1 FILE2",
    .help = "tell whether two images show the same disk",
    .options = options,
    .run = run,
};
