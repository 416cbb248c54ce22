/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vitrine-img info: what an image is, for people and as JSON. An image's backing is only looked at
 * when the chain is asked for, so that one whose backing is gone can still be asked about. */

#include "img.h"

#include "blk-path.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

enum { OPT_CHAIN = IMG_OPT_OWN, MAX_CHAIN = 200 };

/* ---- for people ---- */

static void
print_json_value(JsonNode *node)
{
    if (json_node_get_value_type(node) == G_TYPE_BOOLEAN) {
        printf("%s\n", json_node_get_boolean(node) ? "true" : "false");
    } else if (json_node_get_value_type(node) == G_TYPE_STRING) {
        printf("%s\n", json_node_get_string(node));
    } else {
        printf("%" G_GINT64_FORMAT "\n", json_node_get_int(node));
    }
}

static void print_object(JsonObject *object, int depth);

static void
print_array(JsonArray *array, int depth)
{
    for (guint i = 0; i < json_array_get_length(array); i++) {
        JsonNode *element = json_array_get_element(array, i);
        bool is_leaf = JSON_NODE_HOLDS_VALUE(element);
        printf("%*s[%u]:%c", depth * 4, "", i, is_leaf ? ' ' : '\n');
        if (is_leaf) {
            print_json_value(element);
        } else {
            print_object(json_node_get_object(element), depth + 1);
        }
    }
}

static void
print_object(JsonObject *object, int depth)
{
    g_autoptr(GList) keys = json_object_get_members(object);

    for (GList *at = keys; at; at = at->next) {
        JsonNode *node = json_object_get_member(object, at->data);
        g_autofree char *key = g_strdelimit(g_strdup(at->data), "-", ' ');
        printf("%*s%s:%c", depth * 4, "", key, JSON_NODE_HOLDS_VALUE(node) ? ' ' : '\n');
        if (JSON_NODE_HOLDS_OBJECT(node)) {
            print_object(json_node_get_object(node), depth + 1);
        } else if (JSON_NODE_HOLDS_ARRAY(node)) {
            print_array(json_node_get_array(node), depth + 1);
        } else {
            print_json_value(node);
        }
    }
}

static void
print_backing_human(const BlkNodeInfo *info)
{
    if (!info->backing_file) {
        return;
    }
    printf("backing file: %s", info->backing_file);
    if (info->backing_path && strcmp(info->backing_path, info->backing_file) != 0) {
        printf(" (actual path: %s)", info->backing_path);
    }
    printf("\n");
    if (info->backing_format) {
        printf("backing file format: %s\n", info->backing_format);
    }
}

static void
print_human(const char *filename, BlkNode *node, const BlkNodeInfo *info)
{
    g_autofree char *len = img_format_size(info->len_bytes);
    g_autofree char *allocated = info->allocated_bytes < 0
                                     ? g_strdup("unavailable")
                                     : img_format_size((uint64_t)info->allocated_bytes);
    g_autoptr(GPtrArray) snapshots = blk_node_list_snapshots(node);
    g_autoptr(JsonObject) specific = blk_node_describe(node);
    BlkFormatInfo format;

    blk_node_get_format_info(node, &format);
    printf("image: %s\nfile format: %s\nvirtual size: %s (%" G_GUINT64_FORMAT
           " bytes)\ndisk size: %s\n",
           filename, info->driver, len, info->len_bytes, allocated);
    if (format.encrypted) {
        printf("encrypted: yes\n");
    }
    if (format.cluster_bytes) {
        printf("cluster_size: %u\n", format.cluster_bytes);
    }
    if (format.dirty) {
        printf("cleanly shut down: no\n");
    }
    print_backing_human(info);
    if (snapshots && snapshots->len > 0) {
        printf("Snapshot list:\n");
        img_print_snapshots(snapshots);
    }
    if (specific) {
        printf("Format specific information:\n");
        print_object(specific, 1);
    }
}

/* ---- for programs ---- */

static void
add_string(JsonObject *object, const char *key, const char *value)
{
    if (value) {
        json_object_set_string_member(object, key, value);
    }
}

static void
add_snapshots(JsonObject *object, BlkNode *node)
{
    g_autoptr(GPtrArray) snapshots = blk_node_list_snapshots(node);
    JsonArray *array;

    if (!snapshots || snapshots->len == 0) {
        return;
    }
    array = json_array_new();
    for (unsigned i = 0; i < snapshots->len; i++) {
        json_array_add_object_element(array, img_snapshot_json(g_ptr_array_index(snapshots, i)));
    }
    json_object_set_array_member(object, "snapshots", array);
}

static JsonObject *
make_json(const char *filename, BlkNode *node, const BlkNodeInfo *info)
{
    JsonObject *object = json_object_new(), *data = blk_node_describe(node);
    BlkFormatInfo format;

    blk_node_get_format_info(node, &format);
    add_snapshots(object, node);
    add_string(object, "backing-filename-format", info->backing_file ? info->backing_format : NULL);
    json_object_set_int_member(object, "virtual-size", (gint64)info->len_bytes);
    json_object_set_string_member(object, "filename", filename);
    if (format.cluster_bytes) {
        json_object_set_int_member(object, "cluster-size", format.cluster_bytes);
    }
    json_object_set_string_member(object, "format", info->driver);
    if (info->allocated_bytes >= 0) {
        json_object_set_int_member(object, "actual-size", info->allocated_bytes);
    }
    if (format.encrypted) {
        json_object_set_boolean_member(object, "encrypted", TRUE);
    }
    if (data) {
        JsonObject *specific = json_object_new();
        json_object_set_string_member(specific, "type", info->driver);
        json_object_set_object_member(specific, "data", data);
        json_object_set_object_member(object, "format-specific", specific);
    }
    add_string(object, "full-backing-filename", info->backing_file ? info->backing_path : NULL);
    add_string(object, "backing-filename", info->backing_file);
    json_object_set_boolean_member(object, "dirty-flag", format.dirty);
    return object;
}

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
    info.backing_path = path;
    if (state->json) {
        json_array_add_object_element(state->array, make_json(filename, node, &info));
    } else {
        printf("%s", depth > 0 ? "\n" : "");
        print_human(filename, node, &info);
    }
    *out_path = info.backing_file ? g_strdup(info.backing_path) : NULL;
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
