/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* block-dirty-bitmap-*: bitmaps that record what is written to a node. Thread: the graph's lock
 * held, outside of fibers. */

#include "blk-control-private.h"

static BlkBitmap *
arg_bitmap(BlkControl *control, BlkNode **out_node, GError **error)
{
    return blk_control_bitmap(control, blk_arg_string(control, "node"),
                              blk_arg_string(control, "name"), out_node, error);
}

typedef struct StoreCall {
    BlkNode *node;
    const char *name;
    uint64_t granularity;
    bool remove, ok;
    GError **error;
} StoreCall;

static void
store_call(void *opaque)
{
    StoreCall *call = opaque;
    const BlkFormatOps *format = call->node->driver->format;

    if (call->remove) {
        call->ok = !format || !format->remove_stored_bitmap ||
                   format->remove_stored_bitmap(call->node, call->name, call->error);
    } else if (format && format->can_store_bitmap) {
        call->ok = format->can_store_bitmap(call->node, call->name, (uint32_t)call->granularity,
                                            call->error);
    } else {
        g_set_error(call->error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Cannot store dirty bitmaps in file '%s'", call->node->filename);
    }
}

static JsonNode *
bitmap_add(BlkControl *control, GError **error)
{
    BlkNode *node = blk_control_node(control, blk_arg_string(control, "node"), error);
    const char *name = blk_arg_string(control, "name");
    int64_t granularity = blk_arg_int(control, "granularity", 0);
    bool persistent = blk_arg_bool(control, "persistent", false);
    BlkBitmap *bitmap;

    if (!node) {
        return NULL;
    }
    if (granularity < 0 || (blk_arg_has(control, "granularity") && granularity == 0)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Granularity must be power of 2 and at least 512");
        return NULL;
    }
    if (persistent) {
        StoreCall call = { .node = node, .name = name, .error = error };
        call.granularity =
            granularity ? (uint64_t)granularity : blk_bitmap_default_granularity(node);
        blk_context_run(control->graph->context, store_call, &call);
        if (!call.ok) {
            return NULL;
        }
    }
    bitmap = blk_bitmap_new(node, name, (uint64_t)granularity, error);
    if (bitmap) {
        bitmap->persistent = persistent;
        bitmap->enabled = !blk_arg_bool(control, "disabled", false);
    }
    return blk_control_done(bitmap != NULL);
}

static JsonNode *
bitmap_remove(BlkControl *control, GError **error)
{
    BlkNode *node;
    BlkBitmap *bitmap = arg_bitmap(control, &node, error);
    StoreCall call = { .node = node, .remove = true, .ok = true, .error = error };

    if (!bitmap) {
        return NULL;
    }
    if (bitmap->busy || bitmap->read_only) {
        return blk_control_done(blk_control_check_bitmap(bitmap, error));
    }
    if (bitmap->persistent) {
        call.name = bitmap->name;
        blk_context_run(control->graph->context, store_call, &call);
    }
    if (call.ok) {
        blk_bitmap_free(node, bitmap);
    }
    return blk_control_done(call.ok);
}

static JsonNode *
bitmap_clear(BlkControl *control, GError **error)
{
    BlkBitmap *bitmap = arg_bitmap(control, NULL, error);

    if (!bitmap || !blk_control_check_bitmap(bitmap, error)) {
        return NULL;
    }
    blk_bitmap_clear_all(bitmap);
    return blk_control_done(true);
}

static JsonNode *
set_enabled(BlkControl *control, bool enabled, GError **error)
{
    BlkBitmap *bitmap = arg_bitmap(control, NULL, error);

    if (!bitmap || !blk_control_check_bitmap(bitmap, error)) {
        return NULL;
    }
    bitmap->enabled = enabled;
    return blk_control_done(true);
}

static JsonNode *
bitmap_enable(BlkControl *control, GError **error)
{
    return set_enabled(control, true, error);
}

static JsonNode *
bitmap_disable(BlkControl *control, GError **error)
{
    return set_enabled(control, false, error);
}

/* "name", or {"node": ..., "name": ...} of another node of the same size. */
static BlkBitmap *
merge_source(BlkControl *control, JsonNode *element, const BlkBitmap *target, GError **error)
{
    const char *node = blk_arg_string(control, "node"), *name = NULL;
    BlkBitmap *source;

    if (JSON_NODE_HOLDS_OBJECT(element)) {
        JsonObject *object = json_node_get_object(element);
        node = json_object_get_string_member_with_default(object, "node", "");
        name = json_object_get_string_member_with_default(object, "name", "");
    } else if (JSON_NODE_HOLDS_VALUE(element)) {
        name = json_node_get_string(element);
    }
    source = blk_control_bitmap(control, node, name ? name : "", NULL, error);
    if (!source) {
        return NULL;
    }
    if (source->inconsistent || source->len_bytes != target->len_bytes) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Bitmaps are of different sizes (destination size is %" G_GUINT64_FORMAT
                    ", source size is %" G_GUINT64_FORMAT ") or broken and can't be merged",
                    target->len_bytes, source->len_bytes);
        return NULL;
    }
    return source;
}

/* All or nothing: every source is found before any is merged. */
static JsonNode *
bitmap_merge(BlkControl *control, GError **error)
{
    BlkBitmap *target = blk_control_bitmap(control, blk_arg_string(control, "node"),
                                           blk_arg_string(control, "target"), NULL, error);
    JsonArray *sources = json_object_get_array_member(control->args, "bitmaps");
    g_autoptr(GPtrArray) found = g_ptr_array_new();

    if (!target || !blk_control_check_bitmap(target, error)) {
        return NULL;
    }
    for (unsigned i = 0; i < json_array_get_length(sources); i++) {
        BlkBitmap *source =
            merge_source(control, json_array_get_element(sources, i), target, error);
        if (!source) {
            return NULL;
        }
        g_ptr_array_add(found, source);
    }
    for (unsigned i = 0; i < found->len; i++) {
        blk_bitmap_merge(target, g_ptr_array_index(found, i));
    }
    return blk_control_done(true);
}

static JsonNode *
bitmap_sha256(BlkControl *control, GError **error)
{
    BlkBitmap *bitmap = arg_bitmap(control, NULL, error);
    g_autofree char *sum = NULL;
    JsonNode *node;
    JsonObject *object;

    if (!bitmap) {
        return NULL;
    }
    sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)bitmap->words,
                                      (bitmap->granules + 63) / 64 * sizeof(uint64_t));
    object = json_object_new();
    json_object_set_string_member(object, "sha256", sum);
    node = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(node, object);
    return node;
}

const BlkControlCommand blk_control_bitmap_commands[] = {
    { "block-dirty-bitmap-add", bitmap_add },
    { "block-dirty-bitmap-remove", bitmap_remove },
    { "block-dirty-bitmap-clear", bitmap_clear },
    { "block-dirty-bitmap-enable", bitmap_enable },
    { "block-dirty-bitmap-disable", bitmap_disable },
    { "block-dirty-bitmap-merge", bitmap_merge },
    { "x-debug-block-dirty-bitmap-sha256", bitmap_sha256 },
    { 0 },
};
