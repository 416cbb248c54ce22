/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img resize: larger or smaller images. What a shrink cuts off is lost, so it must be
 * asked for. */

#include "img.h"

#include <stdio.h>
#include <string.h>

enum { OPT_SHRINK = IMG_OPT_OWN };

typedef struct Resize {
    ImgOpen how;
    bool shrink, quiet;
    BlkPreallocation prealloc;
    const char *size_text;
} Resize;

static int
resize_image(BlkNode *node, const Resize *resize)
{
    g_autoptr(BlkImage) image = img_attach(node, true);
    const char *text = resize->size_text;
    bool relative = *text == '+' || *text == '-';
    GError *error = NULL;
    uint64_t size, old;

    if (!image || !img_take_size(text + relative, &size)) {
        return IMG_FAILED;
    }
    old = blk_image_get_len(image);
    if (*text == '+') {
        size += old;
    } else if (*text == '-') {
        size = size > old ? 0 : old - size;
    }
    if (size == 0) {
        return img_error("new image size must be positive");
    }
    if (size < old && !resize->shrink) {
        return img_error("this would make the image smaller, and what lies beyond its new end is "
                         "lost. Shrink the partitions in it first; then use --shrink.");
    }
    if (!blk_image_resize(image, size, resize->prealloc, &error)) {
        return img_error_take(error);
    }
    if (size < old && blk_image_get_len(image) == old) {
        return img_error("the image keeps its %" G_GUINT64_FORMAT " bytes: what it lies in is no "
                         "file and cannot be resized.",
                         old);
    }
    if (!resize->quiet) {
        printf("Image resized.\n");
    }
    return IMG_OK;
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    Resize resize = { .how = { .write = true } };
    g_autoptr(BlkNode) node = NULL;
    ImgArgs args;
    int id;

    /* The size comes last and may begin with a minus, which is no option. */
    if (argc >= 3) {
        resize.size_text = argv[--argc];
    }
    img_args_init(&args, &img_resize_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        if (id == 'q') {
            resize.quiet = true;
        } else if (id == OPT_SHRINK) {
            resize.shrink = true;
        } else if (id != IMG_OPT_PREALLOCATION) {
            img_open_take(&resize.how, id, args.value);
        } else if (!img_parse_preallocation(args.value, &resize.prealloc)) {
            args.stop = true;
            args.status = IMG_FAILED;
        }
    }
    img_args_finish(&args);
    if (args.stop) {
        return args.status;
    }
    if (!resize.size_text || img_args_operands(&args) != 1) {
        img_error("resize needs the name of one image and a size");
        return img_usage();
    }
    node = img_open(graph, argv[args.first], &resize.how);
    return node ? resize_image(node, &resize) : IMG_FAILED;
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    IMG_ROW_FORMAT,
    { OPT_SHRINK, "shrink", NULL, "allow what lies beyond a smaller end to be lost" },
    { IMG_OPT_PREALLOCATION, "preallocation", "MODE", "off, metadata, falloc or full for growth" },
    IMG_ROW_QUIET,
    IMG_ROW_IMAGE_OPTS,
    IMG_ROW_OBJECT,
    { 0 },
};

const ImgCommand img_resize_command = {
    .name = "resize",
    .operands = "FILE [+|-]SIZE",
    .help = "make an image larger or smaller",
    .options = options,
    .run = run,
};
