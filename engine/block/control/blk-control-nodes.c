/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Commands on nodes and drives: blockdev-add, -del, -reopen, -insert-medium; sizes, limits, the
 * write threshold, histograms of latencies. Thread: the graph's lock held, outside of fibers. */

#include "blk-control-private.h"

#include "blk-backend.h"
#include "filters/blk-quorum.h"
#include "filters/blk-throttle.h"

#include <string.h>

static JsonNode *
blockdev_add(BlkControl *control, GError **error)
{
    g_autoptr(BlkOptions) options = blk_options_from_object(control->args, error);

    return blk_control_done(options && blk_graph_add_blockdev(control->graph, options, error));
}

static JsonNode *
blockdev_del(BlkControl *control, GError **error)
{
    return blk_control_done(
        blk_graph_remove_blockdev(control->graph, blk_arg_string(control, "node-name"), error));
}

static JsonNode *
insert_medium(BlkControl *control, GError **error)
{
    VitDrive *drive = blk_control_arg_drive(control, error);
    const char *name = blk_arg_string(control, "node-name");
    BlkNode *node = drive ? blk_graph_find_node(control->graph, name) : NULL;

    if (drive && !node) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "Node '%s' not found", name);
    }
    return blk_control_done(node && blk_drive_insert(drive, node, error));
}

/* ---- blockdev-reopen ---- */

static bool
reopen_node(BlkControl *control, BlkOptions *options, GError **error)
{
    const char *name = blk_options_get(options, "node-name");
    BlkNode *node = name ? blk_graph_find_node(control->graph, name) : NULL;

    if (!node) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "Failed to find node with node-name='%s'", name ? name : "");
        return false;
    }
    return blk_node_reopen(node, options, error);
}

static JsonNode *
blockdev_reopen(BlkControl *control, GError **error)
{
    JsonArray *array = json_object_get_array_member(control->args, "options");

    for (unsigned i = 0; i < json_array_get_length(array); i++) {
        JsonNode *element = json_array_get_element(array, i);
        g_autoptr(BlkOptions) options =
            JSON_NODE_HOLDS_OBJECT(element)
                ? blk_options_from_object(json_node_get_object(element), error)
                : blk_options_new();
        if (!options || !reopen_node(control, options, error)) {
            return NULL;
        }
    }
    return blk_control_done(true);
}

/* ---- size ---- */

typedef struct ResizeCall {
    BlkChild *edge;
    uint64_t len;
    bool ok;
    GError **error;
} ResizeCall;

static void
resize_call(void *opaque)
{
    ResizeCall *call = opaque;

    call->ok = blk_truncate(call->edge, call->len, BLK_PREALLOC_OFF, call->error);
}

static JsonNode *
block_resize(BlkControl *control, GError **error)
{
    BlkNode *node = blk_control_arg_node(control, NULL, error);
    int64_t len = blk_arg_int(control, "size", 0);
    ResizeCall call = { .len = (uint64_t)len, .error = error };
    BlkStandstill *still;

    if (!node) {
        return NULL;
    }
    if (len < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Parameter 'size' expects a >0 size");
        return NULL;
    }
    still = blk_graph_stand_still(control->graph);
    call.edge = blk_child_attach(node, NULL, NULL, BLK_PERM_RESIZE, BLK_PERM_ALL, error);
    if (call.edge) {
        blk_node_ref(node);
        blk_context_run(control->graph->context, resize_call, &call);
        blk_child_detach(call.edge);
    }
    blk_graph_go_on(still);
    return blk_control_done(call.ok);
}

/* ---- limits ---- */

static JsonNode *
set_io_throttle(BlkControl *control, GError **error)
{
    VitDrive *drive = blk_control_arg_drive(control, error);
    g_autoptr(BlkOptions) options = blk_options_from_object(control->args, error);
    g_autoptr(BlkOptions) limits = NULL;

    if (!drive || !options) {
        return NULL;
    }
    g_free(blk_options_take(options, "device"));
    g_free(blk_options_take(options, "id"));
    limits = blk_options_take_throttle(options);
    if (!limits) {
        limits = blk_options_new();
    }
    return blk_control_done(blk_drive_throttle(drive, limits, error));
}

static JsonNode *
set_write_threshold(BlkControl *control, GError **error)
{
    BlkNode *node = blk_control_node(control, blk_arg_string(control, "node-name"), error);

    if (node) {
        node->write_threshold = (uint64_t)blk_arg_int(control, "write-threshold", 0);
    }
    return blk_control_done(node != NULL);
}

/* ---- histograms ---- */

/* What the argument NAME asks for; NULL with ERROR. */
static BlkHistogram *
make_histogram(BlkControl *control, const char *name, GError **error)
{
    JsonArray *array = json_object_get_array_member(control->args, name);
    unsigned count = json_array_get_length(array);
    uint64_t bounds_ns[BLK_HISTOGRAM_MAX_BOUNDS];
    int64_t before = 0;

    if (count == 0 || count > BLK_HISTOGRAM_MAX_BOUNDS) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Parameter '%s' expects 1 to %d boundaries", name, BLK_HISTOGRAM_MAX_BOUNDS);
        return NULL;
    }
    for (unsigned i = 0; i < count; i++) {
        int64_t bound = json_array_get_int_element(array, i);
        if (bound <= before) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                        "Parameter '%s' expects ascending numbers above 0", name);
            return NULL;
        }
        bounds_ns[i] = (uint64_t)bound;
        before = bound;
    }
    return blk_histogram_new(bounds_ns, count);
}

static void
set_histogram(BlkBackend *backend, unsigned which, BlkHistogram *histogram /* taken, or NULL */)
{
    blk_histogram_free(backend->histograms[which]);
    backend->histograms[which] = histogram;
}

/* Those that are named begin anew; without a name, all go. */
static JsonNode *
set_latency_histogram(BlkControl *control, GError **error)
{
    static const char *const names[BLK_LATENCY_LAST] = { "boundaries-read", "boundaries-write",
                                                         "boundaries-flush" };
    BlkHistogram *made[BLK_LATENCY_LAST] = { NULL };
    VitDrive *drive = blk_control_arg_drive(control, error);
    bool any = false, ok = drive != NULL;

    for (unsigned i = 0; ok && i < BLK_LATENCY_LAST; i++) {
        const char *name = blk_arg_has(control, names[i]) ? names[i] : "boundaries";
        if (blk_arg_has(control, name)) {
            made[i] = make_histogram(control, name, error);
            ok = made[i] != NULL;
            any = true;
        }
    }
    for (unsigned i = 0; i < BLK_LATENCY_LAST; i++) {
        if (ok && (made[i] || !any)) {
            set_histogram(blk_backend_of(drive), i, made[i]);
        } else {
            blk_histogram_free(made[i]);
        }
    }
    return blk_control_done(ok);
}

/* Adds a node to a quorum, or takes one of its children away. */
static JsonNode *
blockdev_change(BlkControl *control, GError **error)
{
    BlkNode *parent = blk_control_node(control, blk_arg_string(control, "parent"), error);
    const char *child = blk_arg_string(control, "child"), *name = blk_arg_string(control, "node");
    BlkNode *node = parent && name ? blk_control_node(control, name, error) : NULL;
    BlkStandstill *still;
    bool ok;

    if (!parent || (name && !node)) {
        return NULL;
    }
    if (!child == !name) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    child ? "The parameters child and node are in conflict"
                          : "Either child or node must be specified");
        return NULL;
    }
    still = blk_graph_stand_still(control->graph);
    ok = child ? blk_quorum_remove(parent, child, error) : blk_quorum_add(parent, node, error);
    blk_graph_go_on(still);
    return blk_control_done(ok);
}

const BlkControlCommand blk_control_node_commands[] = {
    { "blockdev-add", blockdev_add },
    { "blockdev-del", blockdev_del },
    { "blockdev-reopen", blockdev_reopen },
    { "blockdev-insert-medium", insert_medium },
    { "x-blockdev-change", blockdev_change },
    { "block_resize", block_resize },
    { "block_set_io_throttle", set_io_throttle },
    { "block-set-write-threshold", set_write_threshold },
    { "block-latency-histogram-set", set_latency_histogram },
    { 0 },
};
