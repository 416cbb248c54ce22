/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img dd: copies blocks of one image into a new one, with the operands of dd(1). */

#include "img.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_BLOCK_BYTES = 1 << 30 };

typedef struct Dd {
    ImgOpen how;
    const char *format, *in, *out;
    uint64_t block_bytes, count, skip;
    bool has_count;
} Dd;

static bool
take_number(const char *key, const char *text, uint64_t *out)
{
    if (!img_parse_size(text, out)) {
        img_error("invalid number: '%s=%s'", key, text);
        return false;
    }
    return true;
}

static bool
take_operand(Dd *dd, const char *operand)
{
    const char *equals = strchr(operand, '=');
    g_autofree char *key = equals ? g_strndup(operand, (gsize)(equals - operand)) : NULL;

    if (!equals) {
        img_error("unrecognized operand %s", operand);
        return false;
    }
    if (strcmp(key, "if") == 0) {
        dd->in = equals + 1;
        return true;
    }
    if (strcmp(key, "of") == 0) {
        dd->out = equals + 1;
        return true;
    }
    if (strcmp(key, "count") == 0) {
        dd->has_count = true;
        return take_number(key, equals + 1, &dd->count);
    }
    if (strcmp(key, "skip") == 0) {
        return take_number(key, equals + 1, &dd->skip);
    }
    if (strcmp(key, "bs") != 0) {
        img_error("unrecognized operand %s", operand);
        return false;
    }
    if (!take_number(key, equals + 1, &dd->block_bytes)) {
        return false;
    }
    if (dd->block_bytes == 0 || dd->block_bytes > MAX_BLOCK_BYTES) {
        img_error("invalid number: 'bs=%s'", equals + 1);
        return false;
    }
    return true;
}

static int
copy_blocks(BlkImage *in, BlkImage *out, const Dd *dd, uint64_t from, uint64_t len)
{
    uint8_t *buf = NULL;
    int ret = posix_memalign((void **)&buf, 4096, dd->block_bytes) == 0 ? 0 : -ENOMEM;

    for (uint64_t done = 0; done < len && ret == 0; done += dd->block_bytes) {
        uint64_t piece = MIN(dd->block_bytes, len - done);
        if (img_is_cancelled()) {
            ret = -ECANCELED;
            break;
        }
        ret = blk_image_read(in, from + done, buf, piece);
        /* The new image reads as zeroes already. */
        if (ret == 0 && !blk_is_zero(buf, piece)) {
            ret = blk_image_write(out, done, buf, piece);
        }
    }
    free(buf);
    ret = ret < 0 ? ret : blk_image_flush(out);
    return ret < 0 ? img_error("error while copying: %s", g_strerror(-ret)) : IMG_OK;
}

static int
copy_into(BlkGraph *graph, BlkImage *in, const Dd *dd, uint64_t from, uint64_t len)
{
    ImgOpen how = { .format = dd->format, .write = true, .cache = "unsafe" };
    BlkNode *node = img_open(graph, dd->out, &how);
    BlkImage *out = node ? img_attach(node, true) : NULL;
    int status = out ? copy_blocks(in, out, dd, from, len) : IMG_FAILED;

    blk_image_free(out);
    blk_node_unref(node);
    return status;
}

static int
run_dd(BlkGraph *graph, const Dd *dd)
{
    g_autoptr(BlkNode) node = img_open(graph, dd->in, &dd->how);
    g_autoptr(BlkImage) in = node ? img_attach(node, false) : NULL;
    g_autoptr(BlkOptions) options = blk_options_new();
    g_autofree char *size_text = NULL;
    GError *error = NULL;
    uint64_t len, from, end;
    int status;

    if (!in) {
        return IMG_FAILED;
    }
    len = blk_image_get_len(in);
    if (dd->skip > len / dd->block_bytes + 1 || dd->skip * dd->block_bytes > len) {
        img_warning("%s: cannot skip to specified offset", dd->in);
    }
    from = MIN(dd->skip > len / dd->block_bytes ? len : dd->skip * dd->block_bytes, len);
    end = dd->has_count && dd->count < (len - from) / dd->block_bytes + 1
              ? MIN(from + dd->count * dd->block_bytes, len)
              : len;
    size_text = g_strdup_printf("%" G_GUINT64_FORMAT, end - from);
    blk_options_set(options, "size", size_text);
    if (!blk_create(graph, dd->format, dd->out, options, &error)) {
        return img_error_take(error);
    }
    status = copy_into(graph, in, dd, from, end - from);
    if (status != IMG_OK) {
        blk_remove_file(graph, dd->out);
    }
    return status;
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    Dd dd = { .format = "raw", .block_bytes = 512 };
    ImgArgs args;
    int id;

    img_args_init(&args, &img_dd_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        if (id == 'O') {
            dd.format = args.value;
        } else {
            img_open_take(&dd.how, id, args.value);
        }
    }
    img_args_finish(&args);
    if (args.stop) {
        return args.status;
    }
    for (int i = args.first; i < argc; i++) {
        if (!take_operand(&dd, argv[i])) {
            return IMG_FAILED;
        }
    }
    if (!dd.in || !dd.out) {
        img_error("Must specify both input and output file paths");
        return img_usage();
    }
    return run_dd(graph, &dd);
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    IMG_ROW_FORMAT,
    { 'O', NULL, "FMT", "format of the new image; raw if not given" },
    IMG_ROW_FORCE_SHARE,
    IMG_ROW_IMAGE_OPTS,
    IMG_ROW_OBJECT,
    { 0 },
};

const ImgCommand img_dd_command = {
    .name = "dd",
    .operands = "[bs=BYTES] [count=N] [skip=N] if=SOURCE of=TARGET",
    .help = "copy blocks into a new image",
    .options = options,
    .run = run,
};
