/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img create: new, empty images. */

#include "img.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

int
img_create(BlkGraph *graph, int argc, char **argv)
{
    enum { OPT_OBJECT = 256 };
    static const struct option long_options[] = {
        { "help", no_argument, NULL, 'h' },
        { "object", required_argument, NULL, OPT_OBJECT },
        { 0 },
    };
    g_autoptr(BlkOptions) options = blk_options_new();
    const char *format = "raw", *filename;
    GError *error = NULL;
    bool quiet = false;
    uint64_t size;
    int option;

    while ((option = getopt_long(argc, argv, "+hf:F:b:o:qu", long_options, NULL)) != -1) {
        switch (option) {
        case 'f': format = optarg; break;
        case 'q': quiet = true; break;
        case 'o':
            if (!img_parse_options(options, optarg, &error)) {
                return img_error_take(error);
            }
            break;
        case 'b':
        case 'F': return img_error("backing files need a format that has them; raw has none");
        case 'u': return img_error("-u only has a meaning together with a backing file");
        case OPT_OBJECT: return img_not_yet("--object");
        default: return img_usage();
        }
    }
    if (optind >= argc || optind + 2 < argc) {
        img_error("create needs the name of one image, and its size");
        return img_usage();
    }
    filename = argv[optind];
    if (optind + 1 < argc) {
        if (!img_parse_size(argv[optind + 1], &size)) {
            return img_error("'%s' is not a size: a number of bytes, or with a suffix k, M, G, T, "
                             "P or E.",
                             argv[optind + 1]);
        }
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, size);
        blk_options_set(options, "size", text);
    }
    if (!blk_options_get(options, "size")) {
        return img_error("'%s' needs a size: write it behind the name.", filename);
    }
    if (!blk_create(graph, format, filename, options, &error)) {
        return img_error_take(error);
    }
    if (!quiet) {
        const char *preallocation = blk_options_get(options, "preallocation");
        printf("Formatting '%s', fmt=%s size=%s%s%s\n", filename, format,
               blk_options_get(options, "size"), preallocation ? " preallocation=" : "",
               preallocation ? preallocation : "");
    }
    return IMG_OK;
}
