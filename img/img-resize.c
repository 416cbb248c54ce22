/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img resize: larger or smaller images. What a shrink cuts off is lost, so it must be
 * asked for. */

#include "img.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static bool
parse_preallocation(const char *text, BlkPreallocation *out)
{
    static const char *const words[] = { "off", "metadata", "falloc", "full" };

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        if (strcmp(words[i], text) == 0) {
            *out = (BlkPreallocation)i;
            return true;
        }
    }
    return false;
}

static int
resize_image(BlkNode *node, const char *size_text, bool shrink, BlkPreallocation prealloc,
             bool quiet)
{
    GError *error = NULL;
    g_autoptr(BlkImage) image = blk_image_new(node, true, &error);
    bool relative = *size_text == '+' || *size_text == '-';
    uint64_t size, old;

    if (!image) {
        return img_error_take(error);
    }
    old = blk_image_get_len(image);
    if (!img_parse_size(size_text + relative, &size)) {
        return img_error("'%s' is not a size: a number of bytes, or with a suffix k, M, G, T, P "
                         "or E.",
                         size_text);
    }
    if (*size_text == '+') {
        size += old;
    } else if (*size_text == '-') {
        size = size > old ? 0 : old - size;
    }
    if (size == 0) {
        return img_error("new image size must be positive");
    }
    if (size < old && !shrink) {
        return img_error("this would make the image smaller, and what lies beyond its new end is "
                         "lost. Shrink the partitions in it first; then use --shrink.");
    }
    if (!blk_image_resize(image, size, prealloc, &error)) {
        return img_error_take(error);
    }
    if (!quiet) {
        printf("Image resized.\n");
    }
    return IMG_OK;
}

int
img_resize(BlkGraph *graph, int argc, char **argv)
{
    enum { OPT_PREALLOCATION = 256, OPT_SHRINK, OPT_IMAGE_OPTS, OPT_OBJECT };
    static const struct option long_options[] = {
        { "help", no_argument, NULL, 'h' },
        { "object", required_argument, NULL, OPT_OBJECT },
        { "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
        { "preallocation", required_argument, NULL, OPT_PREALLOCATION },
        { "shrink", no_argument, NULL, OPT_SHRINK },
        { 0 },
    };
    ImgOpen how = { .write = true };
    BlkPreallocation prealloc = BLK_PREALLOC_OFF;
    bool shrink = false, quiet = false;
    g_autoptr(BlkNode) node = NULL;
    const char *size_text;
    int option;

    /* The size comes last and may begin with a minus, which is no option. */
    if (argc < 3) {
        img_error("resize needs the name of one image and a size");
        return img_usage();
    }
    size_text = argv[--argc];
    while ((option = getopt_long(argc, argv, "+hf:q", long_options, NULL)) != -1) {
        switch (option) {
        case 'f': how.format = optarg; break;
        case 'q': quiet = true; break;
        case OPT_IMAGE_OPTS: how.image_opts = true; break;
        case OPT_SHRINK: shrink = true; break;
        case OPT_OBJECT: return img_not_yet("--object");
        case OPT_PREALLOCATION:
            if (!parse_preallocation(optarg, &prealloc)) {
                return img_error("'%s' is not a preallocation mode: off, metadata, falloc, full",
                                 optarg);
            }
            break;
        default: return img_usage();
        }
    }
    if (optind + 1 != argc) {
        img_error("resize needs the name of one image and a size");
        return img_usage();
    }
    node = img_open(graph, argv[optind], &how);
    return node ? resize_image(node, size_text, shrink, prealloc, quiet) : IMG_FAILED;
}
