/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* nbd-server-start and -stop, block-export-add and -del, their older forms, query-block-exports.
 * Thread: the graph's lock held, outside of fibers. */

#include "blk-control-private.h"

#include "nbd/nbd-server.h"

#include <string.h>

static JsonNode *
server_start(BlkControl *control, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_from_object(control->args, error);
    BlkNbdServerOptions server = { 0 };
    const char *type;

    if (!options) {
        return NULL;
    }
    type = blk_options_get(options, "addr.type");
    server.path = g_strcmp0(type, "unix") == 0 ? blk_options_get(options, "addr.data.path") : NULL;
    server.host = blk_options_get(options, "addr.data.host");
    server.port = blk_options_get(options, "addr.data.port");
    server.tls_creds = blk_arg_string(control, "tls-creds");
    server.tls_authz = blk_arg_string(control, "tls-authz");
    server.max_connections = (unsigned)CLAMP(blk_arg_int(control, "max-connections", 0), 0, 65536);
    if (!server.path && (g_strcmp0(type, "inet") != 0 || !server.port)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The address of the server needs type 'inet' with host and port, or 'unix' "
                    "with path");
        return NULL;
    }
    return blk_control_done(blk_nbd_server_start(control->graph, &server, error));
}

static JsonNode *
server_stop(BlkControl *control, GError **error)
{
    return blk_control_done(blk_nbd_server_stop(control->graph, error));
}

/* Names of bitmaps: "NAME", or {"node": ..., "name": ...}. */
static GPtrArray *
bitmap_names(const BlkControl *control)
{
    GPtrArray *names = g_ptr_array_new();
    JsonArray *array = blk_arg_has(control, "bitmaps")
                           ? json_object_get_array_member(control->args, "bitmaps")
                           : NULL;

    for (unsigned i = 0; array && i < json_array_get_length(array); i++) {
        JsonNode *element = json_array_get_element(array, i);
        const char *name = JSON_NODE_HOLDS_OBJECT(element)
                               ? json_object_get_string_member_with_default(
                                     json_node_get_object(element), "name", "")
                               : json_node_get_string(element);
        g_ptr_array_add(names, (gpointer)(name ? name : ""));
    }
    if (blk_arg_string(control, "bitmap")) {
        g_ptr_array_add(names, (gpointer)blk_arg_string(control, "bitmap"));
    }
    g_ptr_array_add(names, NULL);
    return names;
}

static JsonNode *
add(BlkControl *control, const char *id, const char *node_name, GError **error)
{
    BlkNode *node = blk_control_node(control, node_name, error);
    g_autoptr(GPtrArray) bitmaps = bitmap_names(control);

    return blk_control_done(node && blk_export_add(control->graph, id, node,
                                                   blk_arg_string(control, "name")
                                                       ? blk_arg_string(control, "name")
                                                       : node_name,
                                                   blk_arg_string(control, "description"),
                                                   blk_arg_bool(control, "writable", false),
                                                   (const char *const *)bitmaps->pdata, error));
}

static JsonNode *
export_add(BlkControl *control, GError **error)
{
    const char *type = blk_arg_string(control, "type");

    if (g_strcmp0(type, "nbd") != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                    "Exports of the type '%s' are not available yet; 'nbd' is", type ? type : "");
        return NULL;
    }
    return add(control, blk_arg_string(control, "id"), blk_arg_string(control, "node-name"), error);
}

static JsonNode *
nbd_add(BlkControl *control, GError **error)
{
    const char *device = blk_arg_string(control, "device");
    const char *name = blk_arg_string(control, "name");

    return add(control, name ? name : device, device, error);
}

static JsonNode *
export_del(BlkControl *control, GError **error)
{
    const char *id = blk_arg_string(control, "id");

    return blk_control_done(
        blk_export_remove(control->graph, id ? id : blk_arg_string(control, "name"),
                          g_strcmp0(blk_arg_string(control, "mode"), "hard") == 0, error));
}

static JsonNode *
query_exports(BlkControl *control, GError **error)
{
    JsonArray *array = json_array_new();
    GPtrArray *exports = blk_exports(control->graph);

    for (unsigned i = 0; i < exports->len; i++) {
        const BlkExport *export = g_ptr_array_index(exports, i);
        JsonObject *object = json_object_new();
        json_object_set_boolean_member(object, "shutting-down", export->closing);
        json_object_set_string_member(object, "id", export->id);
        json_object_set_string_member(object, "type", "nbd");
        json_object_set_string_member(object, "node-name", export->edge->node->name);
        json_array_add_object_element(array, object);
    }
    return blk_control_array(array);
}

const BlkControlCommand blk_control_export_commands[] = {
    { "nbd-server-start", server_start },
    { "nbd-server-stop", server_stop },
    { "nbd-server-add", nbd_add },
    { "nbd-server-remove", export_del },
    { "block-export-add", export_add },
    { "block-export-del", export_del },
    { "query-block-exports", query_exports },
    { 0 },
};
