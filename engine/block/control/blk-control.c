/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Finds the command and what its arguments name. Thread: the graph's lock held, outside of
 * fibers. */

#include "blk-control-private.h"

#include "blk-backend.h"

#include <string.h>

static const BlkControlCommand *const tables[] = {
    blk_control_query_commands,       blk_control_node_commands,   blk_control_job_commands,
    blk_control_start_commands,       blk_control_bitmap_commands, blk_control_snapshot_commands,
    blk_control_transaction_commands, blk_control_export_commands,
};

static const BlkControlCommand *
find_command(const char *name)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(tables); i++) {
        for (const BlkControlCommand *command = tables[i]; command->name; command++) {
            if (strcmp(command->name, name) == 0) {
                return command;
            }
        }
    }
    return NULL;
}

bool
blk_control_has(const char *command)
{
    return find_command(command) != NULL;
}

JsonNode *
blk_control_run(BlkGraph *graph, const BlkControlHost *host, const char *command, JsonObject *args,
                GError **error)
{
    const BlkControlCommand *found = find_command(command);
    BlkControl control = { .graph = graph, .host = host, .args = args };

    if (!found) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                    "The command '%s' is not available yet", command);
        return NULL;
    }
    return found->run(&control, error);
}

/* ---- arguments ---- */

static JsonNode *
arg(const BlkControl *control, const char *name)
{
    JsonNode *node = control->args ? json_object_get_member(control->args, name) : NULL;

    return node && !JSON_NODE_HOLDS_NULL(node) ? node : NULL;
}

const char *
blk_arg_string(const BlkControl *control, const char *name)
{
    JsonNode *node = arg(control, name);

    return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_string(node) : NULL;
}

int64_t
blk_arg_int(const BlkControl *control, const char *name, int64_t def)
{
    JsonNode *node = arg(control, name);

    return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_int(node) : def;
}

bool
blk_arg_bool(const BlkControl *control, const char *name, bool def)
{
    JsonNode *node = arg(control, name);

    return node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_boolean(node) : def;
}

bool
blk_arg_has(const BlkControl *control, const char *name)
{
    return arg(control, name) != NULL;
}

JsonNode *
blk_control_done(bool ok)
{
    JsonNode *node;

    if (!ok) {
        return NULL;
    }
    node = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(node, json_object_new());
    return node;
}

JsonNode *
blk_control_array(JsonArray *array)
{
    JsonNode *node = json_node_new(JSON_NODE_ARRAY);

    json_node_take_array(node, array);
    return node;
}

/* ---- finding ---- */

static VitDrive *
find_drive(BlkControl *control, const char *name)
{
    for (unsigned i = 0; i < control->graph->drives->len; i++) {
        BlkBackend *backend = g_ptr_array_index(control->graph->drives, i);
        if (!backend->unnamed && strcmp(backend->drive.id, name) == 0) {
            return &backend->drive;
        }
    }
    return NULL;
}

BlkNode *
blk_control_node(BlkControl *control, const char *name, GError **error)
{
    VitDrive *drive = find_drive(control, name);
    BlkNode *node = drive ? blk_drive_get_node(drive) : blk_graph_find_node(control->graph, name);

    if (!node) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    drive ? "Device '%s' has no medium" : "Cannot find device='%s' nor node-name",
                    name);
    }
    return node;
}

VitDrive *
blk_control_arg_drive(BlkControl *control, GError **error)
{
    const char *device = blk_arg_string(control, "device"), *id = blk_arg_string(control, "id");
    const char *name = device ? device : id;
    VitDrive *drive;

    if (!device == !id) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Need exactly one of 'device' and 'id'");
        return NULL;
    }
    drive = find_drive(control, name);
    if (!drive && control->host) {
        return control->host->find_drive(control->host->opaque, name, error);
    }
    if (!drive) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "Device '%s' not found", name);
    }
    return drive;
}

BlkNode *
blk_control_arg_node(BlkControl *control, VitDrive **out_drive, GError **error)
{
    const char *device = blk_arg_string(control, "device");
    const char *node_name = blk_arg_string(control, "node-name");

    if (!device == !node_name) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Need exactly one of 'device' and 'node-name'");
        return NULL;
    }
    if (out_drive) {
        *out_drive = device ? find_drive(control, device) : NULL;
    }
    return blk_control_node(control, device ? device : node_name, error);
}

BlkBitmap *
blk_control_bitmap(BlkControl *control, const char *node, const char *name, BlkNode **out_node,
                   GError **error)
{
    BlkNode *found = blk_control_node(control, node, error);
    BlkBitmap *bitmap = found ? blk_bitmap_find(found, name) : NULL;

    if (found && !bitmap) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "Dirty bitmap '%s' not found", name);
    }
    if (out_node) {
        *out_node = found;
    }
    return bitmap;
}

bool
blk_control_check_bitmap(const BlkBitmap *bitmap, GError **error)
{
    if (!bitmap->busy && !bitmap->inconsistent && !bitmap->read_only) {
        return true;
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "Bitmap '%s' is %s and cannot be %s",
                bitmap->name,
                bitmap->busy           ? "currently in use by another operation"
                : bitmap->inconsistent ? "inconsistent"
                                       : "readonly",
                bitmap->busy || bitmap->inconsistent ? "used" : "modified");
    return false;
}
