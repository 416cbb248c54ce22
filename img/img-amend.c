/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img amend: changes what an image's creation has chosen. */

#include "img.h"

#include <stdio.h>

enum { OPT_FORCE = IMG_OPT_OWN };

static bool
show_progress(void *opaque, uint64_t done, uint64_t total)
{
    img_progress_show(opaque, done, total);
    return !img_is_cancelled();
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    g_autoptr(BlkOptions) changes = blk_options_new();
    ImgOpen how = { .write = true };
    ImgProgress progress = { .last = -1 };
    g_autoptr(BlkNode) node = NULL;
    GError *error = NULL;
    bool force = false;
    ImgArgs args;
    int id;

    img_args_init(&args, &img_amend_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        if (id == 'p') {
            progress.enabled = true;
        } else if (id == OPT_FORCE) {
            force = true;
        } else if (id != 'o') {
            img_open_take(&how, id, args.value);
        } else if (!img_parse_options(changes, args.value, &error)) {
            args.stop = true;
            args.status = img_error_take(error);
        }
    }
    img_args_finish(&args);
    if (args.stop) {
        return args.status;
    }
    if (img_args_operands(&args) != 1 || !blk_options_first_key(changes)) {
        img_error("amend needs -o and the name of one image");
        return img_usage();
    }
    node = img_open(graph, argv[args.first], &how);
    if (!node) {
        return IMG_FAILED;
    }
    if (!blk_node_amend(node, changes, force, show_progress, &progress, &error)) {
        return img_error_take(error);
    }
    img_progress_show(&progress, 1, 1);
    img_progress_end(&progress);
    return IMG_OK;
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    IMG_ROW_FORMAT,
    { 'o', NULL, "OPTIONS", "what to change, as in create" },
    { OPT_FORCE, "force", NULL, "allow what may lose data" },
    IMG_ROW_CACHE,
    IMG_ROW_PROGRESS,
    IMG_ROW_QUIET,
    IMG_ROW_IMAGE_OPTS,
    IMG_ROW_OBJECT,
    { 0 },
};

const ImgCommand img_amend_command = {
    .name = "amend",
    .operands = "FILE",
    .help = "change options of an image",
    .options = options,
    .run = run,
};
