/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img bitmap: persistent dirty bitmaps of an image. Several actions are done in the order
 * they are given. */

#include "img.h"

#include <stdlib.h>
#include <string.h>

enum {
    OPT_ADD = IMG_OPT_OWN,
    OPT_REMOVE,
    OPT_CLEAR,
    OPT_ENABLE,
    OPT_DISABLE,
    OPT_MERGE,
    MAX_ACTIONS = 64,
};

typedef struct Bitmap {
    BlkGraph *graph;
    ImgOpen how;
    const char *source_file, *source_format;
    uint64_t granularity;
    struct {
        int id;
        const char *source;
    } actions[MAX_ACTIONS];
    unsigned action_count;
} Bitmap;

static bool
add(BlkNode *node, const Bitmap *state, const char *name, GError **error)
{
    BlkBitmap *bitmap;

    if (!blk_node_can_store_bitmap(node, name, state->granularity, error)) {
        return false;
    }
    bitmap = blk_bitmap_new(node, name, state->granularity, error);
    if (bitmap) {
        bitmap->persistent = true;
    }
    return bitmap != NULL;
}

static BlkBitmap *
require(BlkNode *node, const char *name, bool usable, GError **error)
{
    BlkBitmap *bitmap = blk_bitmap_find(node, name);

    if (!bitmap) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "Dirty bitmap '%s' not found", name);
    } else if (usable && bitmap->inconsistent) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE,
                    "Bitmap '%s' is inconsistent and cannot be used; remove it with --remove.",
                    name);
        return NULL;
    }
    return bitmap;
}

static bool
merge(BlkNode *node, const Bitmap *state, const char *name, const char *source_name, GError **error)
{
    BlkBitmap *target = require(node, name, true, error), *source;
    g_autoptr(BlkNode) other = NULL;

    if (target && state->source_file) {
        ImgOpen how = { .format = state->source_format, .no_backing = true };
        other = img_try_open(state->graph, state->source_file, &how, error);
        if (!other) {
            return false;
        }
    }
    source = target ? require(other ? other : node, source_name, true, error) : NULL;
    if (source) {
        blk_bitmap_merge(target, source);
    }
    return source != NULL;
}

static bool
run_action(BlkNode *node, const Bitmap *state, unsigned index, const char *name, GError **error)
{
    int id = state->actions[index].id;
    BlkBitmap *bitmap;

    if (id == OPT_ADD) {
        return add(node, state, name, error);
    }
    if (id == OPT_MERGE) {
        return merge(node, state, name, state->actions[index].source, error);
    }
    bitmap = require(node, name, id != OPT_REMOVE, error);
    if (!bitmap) {
        return false;
    }
    switch (id) {
    case OPT_REMOVE: blk_bitmap_free(node, bitmap); break;
    case OPT_CLEAR: blk_bitmap_clear_all(bitmap); break;
    case OPT_ENABLE: bitmap->enabled = true; break;
    case OPT_DISABLE: bitmap->enabled = false; break;
    }
    return true;
}

static int
run_actions(const Bitmap *state, const char *filename, const char *name)
{
    g_autoptr(BlkNode) node = img_open(state->graph, filename, &state->how);
    GError *error = NULL;

    if (!node) {
        return IMG_FAILED;
    }
    for (unsigned i = 0; i < state->action_count; i++) {
        if (!run_action(node, state, i, name, &error)) {
            g_prefix_error(&error, "Operation %s on bitmap '%s' failed: ",
                           state->actions[i].id == OPT_ADD ? "add" : "change", name);
            return img_error_take(error);
        }
    }
    return blk_node_rewrite_bitmaps(node, &error) ? IMG_OK : img_error_take(error);
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    Bitmap state = { .graph = graph, .how = { .write = true, .no_backing = true } };
    ImgArgs args;
    int id;

    img_args_init(&args, &img_bitmap_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        if (id >= OPT_ADD && id <= OPT_MERGE && state.action_count < MAX_ACTIONS) {
            state.actions[state.action_count].id = id;
            state.actions[state.action_count++].source = args.value;
        } else if (id == 'b') {
            state.source_file = args.value;
        } else if (id == 'F') {
            state.source_format = args.value;
        } else if (id == 'g' && !img_take_size(args.value, &state.granularity)) {
            args.stop = true;
            args.status = IMG_FAILED;
        } else {
            img_open_take(&state.how, id, args.value);
        }
    }
    img_args_finish(&args);
    if (args.stop) {
        return args.status;
    }
    if (img_args_operands(&args) != 2 || state.action_count == 0) {
        img_error("bitmap needs an action, the name of one image and that of a bitmap");
        return img_usage();
    }
    return run_actions(&state, argv[args.first], argv[args.first + 1]);
}

static const ImgOption options[] = {
    IMG_ROW_HELP,
    { OPT_ADD, "add", NULL, "make a bitmap" },
    { OPT_REMOVE, "remove", NULL, "delete it" },
    { OPT_CLEAR, "clear", NULL, "make all of it clean" },
    { OPT_ENABLE, "enable", NULL, "record writes from now on" },
    { OPT_DISABLE, "disable", NULL, "do not" },
    { OPT_MERGE, "merge", "SOURCE", "add what another bitmap has" },
    { 'b', "source-file", "FILE", "image that has SOURCE" },
    { 'F', "source-format", "FMT", "its format" },
    { 'g', "granularity", "BYTES", "of a new bitmap" },
    IMG_ROW_FORMAT,
    IMG_ROW_IMAGE_OPTS,
    IMG_ROW_OBJECT,
    { 0 },
};

const ImgCommand img_bitmap_command = {
    .name = "bitmap",
    .operands = "FILE BITMAP",
    .help = "change the persistent bitmaps of an image",
    .options = options,
    .run = run,
};
