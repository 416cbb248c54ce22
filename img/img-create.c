/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img create: new, empty images, with or without a backing image, which then gives the
 * size. */

#include "img.h"

#include "blk-path.h"

#include "vit-prop.h"

#include <stdio.h>
#include <string.h>

typedef struct Create {
    BlkOptions *options;
    const char *format;
    bool quiet, unchecked;
} Create;

/* The backing image must be there, and of the format that is said, unless -u. */
static int
look_at_backing(BlkGraph *graph, const char *filename, Create *create)
{
    const char *backing = blk_options_get(create->options, "backing_file");
    ImgOpen how = { .format = blk_options_get(create->options, "backing_fmt"),
                    .force_share = true };
    g_autofree char *path = NULL;
    g_autoptr(BlkNode) node = NULL;
    GError *error = NULL;

    if (!backing || (create->unchecked && blk_options_get(create->options, "size"))) {
        return IMG_OK;
    }
    path = blk_path_resolve(filename, backing, &error);
    node = path ? img_try_open(graph, path, &how, &error) : NULL;
    if (!node) {
        g_prefix_error(&error, "the backing image cannot be used: ");
        return img_error_take(error);
    }
    if (!how.format) {
        BlkNodeInfo info;
        blk_node_get_info(node, &info);
        return img_error("Backing file specified without backing format\nDetected format of %s.",
                         info.driver);
    }
    if (!blk_options_get(create->options, "size")) {
        g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, blk_node_get_len(node));
        blk_options_set(create->options, "size", size);
    }
    return IMG_OK;
}

static void
print_made(BlkGraph *graph, const char *filename, const Create *create)
{
    const VitProp *prop = blk_driver_create_options(graph, create->format);

    printf("Formatting '%s', fmt=%s", filename, create->format);
    for (; prop && prop->name; prop++) {
        const char *value = blk_options_get(create->options, prop->name);
        if (value) {
            printf(" %s=%s", prop->name, value);
        }
    }
    printf("\n");
}

static void
print_options(BlkGraph *graph, const char *format)
{
    const VitProp *prop = blk_driver_create_options(graph, format);

    printf("Supported %s options:\n", format);
    for (; prop && prop->name; prop++) {
        printf("  %s - %s\n", prop->name, prop->help);
    }
}

static int
create_image(BlkGraph *graph, const char *filename, Create *create)
{
    GError *error = NULL;

    if (look_at_backing(graph, filename, create) != IMG_OK) {
        return IMG_FAILED;
    }
    if (!blk_options_get(create->options, "size")) {
        return img_error("'%s' needs a size: write it behind the name.", filename);
    }
    if (!blk_create(graph, create->format, filename, create->options, &error)) {
        return img_error_take(error);
    }
    if (!create->quiet) {
        print_made(graph, filename, create);
    }
    return IMG_OK;
}

static int
take_operands(BlkGraph *graph, const ImgArgs *args, Create *create)
{
    int count = img_args_operands(args);
    uint64_t size;

    if (blk_options_get(create->options, "help") || blk_options_get(create->options, "?")) {
        print_options(graph, create->format);
        return IMG_OK;
    }
    if (count < 1 || count > 2) {
        img_error("create needs the name of one image, and its size");
        return img_usage();
    }
    if (count == 2) {
        if (!img_take_size(args->argv[args->first + 1], &size)) {
            return IMG_FAILED;
        }
        g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, size);
        blk_options_set(create->options, "size", text);
    }
    return create_image(graph, args->argv[args->first], create);
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    Create create = { .options = blk_options_new(), .format = "raw" };
    GError *error = NULL;
    ImgArgs args;
    int id, status;

    img_args_init(&args, &img_create_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        switch (id) {
        case 'f': create.format = args.value; break;
        case 'q': create.quiet = true; break;
        case 'u': create.unchecked = true; break;
        case 'b': blk_options_set(create.options, "backing_file", args.value); break;
        case 'F': blk_options_set(create.options, "backing_fmt", args.value); break;
        case 'o':
            if (!img_parse_options(create.options, args.value, &error)) {
                args.stop = true;
                args.status = img_error_take(error);
            }
            break;
        default: break;
        }
    }
    img_args_finish(&args);
    status = args.stop ? args.status : take_operands(graph, &args, &create);
    blk_options_free(create.options);
    return status;
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    { 'f', NULL, "FMT", "format of the new image; raw if not given" },
    { 'o', NULL, "OPTIONS", "options of the format; -o help lists them" },
    { 'b', NULL, "BACKING", "image that shows where the new one has nothing" },
    { 'F', NULL, "FMT", "format of the backing image" },
    { 'u', NULL, NULL, "do not look at the backing image" },
    IMG_ROW_QUIET,
    IMG_ROW_OBJECT,
    { 0 },
};

const ImgCommand img_create_command = {
    .name = "create",
    .operands = "FILE [SIZE]",
    .help = "make a new, empty image",
    .options = options,
    .run = run,
};
