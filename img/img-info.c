/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img info: what an image is, for people and as JSON. An image's backing is only looked at
 * when the chain is asked for, so that one whose backing is gone can still be asked about. */

#include "img.h"

#include "blk-info.h"
#include "blk-path.h"

#include <json-glib/json-glib.h>
#include <stdio.h>

enum { OPT_CHAIN = IMG_OPT_OWN, MAX_CHAIN = 200 };

/* ---- the chain ---- */

typedef struct Info {
    BlkGraph *graph;
    ImgOpen how;
    bool json, chain;
    JsonArray *array;
} Info;

/* Tells of one image; gives the path and format of the one below it, or NULL. */
static int
tell(Info *state, const char *filename, unsigned depth, char **out_path, char **out_format)
{
    g_autoptr(BlkNode) node = img_open(state->graph, filename, &state->how);
    g_autofree char *path = NULL;
    BlkNodeInfo info;

    *out_path = *out_format = NULL;
    if (!node) {
        return IMG_FAILED;
    }
    blk_node_get_info(node, &info);
    /* The chain was not opened, so nobody has looked where it leads. */
    path = info.backing_file ? blk_path_resolve(filename, info.backing_file, NULL) : NULL;
    if (state->json) {
        json_array_add_object_element(state->array, blk_info_json(node, filename, path));
    } else {
        g_autoptr(GString) text = g_string_new(depth > 0 ? "\n" : "");
        blk_info_text(text, node, filename, path);
        fputs(text->str, stdout);
    }
    *out_path = g_steal_pointer(&path);
    *out_format = g_strdup(info.backing_format);
    return IMG_OK;
}

static int
tell_all(Info *state, const char *filename)
{
    g_autofree char *path = g_strdup(filename), *format = NULL;
    int status = IMG_OK;

    for (unsigned depth = 0; path && status == IMG_OK; depth++) {
        g_autofree char *at = g_steal_pointer(&path), *at_format = g_steal_pointer(&format);
        if (depth > 0) {
            state->how.image_opts = false;
            state->how.format = at_format;
        }
        if (depth >= MAX_CHAIN) {
            return img_error("the chain below '%s' is too long or goes in a circle", filename);
        }
        status = tell(state, at, depth, &path, &format);
        if (!state->chain) {
            break;
        }
    }
    return status;
}

static int
run(BlkGraph *graph, int argc, char **argv)
{
    Info state = { .graph = graph, .how = { .no_backing = true } };
    ImgArgs args;
    int id, status;

    img_args_init(&args, &img_info_command, graph, argc, argv);
    while ((id = img_args_next(&args)) != -1) {
        if (id == OPT_CHAIN) {
            state.chain = true;
        } else if (id == IMG_OPT_OUTPUT) {
            img_args_take_output(&args, &state.json);
        } else {
            img_open_take(&state.how, id, args.value);
        }
    }
    img_args_finish(&args);
    if (args.stop) {
        return args.status;
    }
    if (img_args_operands(&args) != 1) {
        img_error("info needs the name of one image");
        return img_usage();
    }
    state.array = json_array_new();
    status = tell_all(&state, argv[args.first]);
    if (state.json && status == IMG_OK) {
        g_autoptr(JsonNode) root = json_node_new(JSON_NODE_ARRAY);
        json_node_set_array(root, state.array);
        if (state.chain) {
            img_print_json(root);
        } else {
            img_print_json_object(json_array_get_object_element(state.array, 0));
        }
    }
    json_array_unref(state.array);
    return status;
}

static const ImgOption options[] = {
    IMG_ROW_HELP,        IMG_ROW_FORMAT,
    IMG_ROW_OUTPUT,      { OPT_CHAIN, "backing-chain", NULL, "tell of the images below it too" },
    IMG_ROW_FORCE_SHARE, IMG_ROW_IMAGE_OPTS,
    IMG_ROW_OBJECT,      { 0 },
};

const ImgCommand img_info_command = {
    .name = "info",
    .operands = "FILE",
    .help = "tell what an image is",
    .options = options,
    .run = run,
};
