/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What formats can do besides holding data, called from outside of fibers; and what they share
 * about their snapshots. Thread: the graph's lock held, not inside a fiber. */

#include "blk-bitmap.h"
#include "blk-driver.h"

#include <errno.h>
#include <string.h>

void
blk_snapshot_free(BlkSnapshot *snapshot)
{
    if (snapshot) {
        g_free(snapshot->id);
        g_free(snapshot->name);
        g_free(snapshot);
    }
}

const BlkSnapshot *
blk_snapshots_find(const GPtrArray *snapshots, const char *id_or_name)
{
    for (unsigned i = 0; i < snapshots->len; i++) {
        const BlkSnapshot *snapshot = g_ptr_array_index(snapshots, i);
        if (strcmp(snapshot->id, id_or_name) == 0) {
            return snapshot;
        }
    }
    for (unsigned i = 0; i < snapshots->len; i++) {
        const BlkSnapshot *snapshot = g_ptr_array_index(snapshots, i);
        if (strcmp(snapshot->name, id_or_name) == 0) {
            return snapshot;
        }
    }
    return NULL;
}

/* ---- the ops from outside of fibers ---- */

typedef struct FormatCall {
    BlkNode *node;
    void (*run)(struct FormatCall *call);
    const char *name, *format;
    const void *argument;
    void *opaque, *result;
    BlkProgressFunc progress;
    bool force, ok;
    int ret;
    GError **error;
} FormatCall;

static void
call_in_fiber(void *opaque)
{
    FormatCall *call = opaque;

    call->run(call);
}

static const BlkFormatOps *
ops_of(const BlkNode *node)
{
    static const BlkFormatOps none = { 0 };

    return node->driver->format ? node->driver->format : &none;
}

static bool
run_call(FormatCall *call, bool is_there, const char *what)
{
    if (!is_there) {
        g_set_error(call->error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': images in format '%s' have no %s.",
                    call->node->filename ? call->node->filename : call->node->name,
                    call->node->driver->name, what);
        return false;
    }
    blk_context_run(call->node->context, call_in_fiber, call);
    return call->ok;
}

bool
blk_node_can_check(BlkNode *node)
{
    return ops_of(node)->check != NULL;
}

bool
blk_node_can_compress(BlkNode *node)
{
    return ops_of(node)->write_compressed != NULL;
}

GPtrArray *
blk_node_get_bitmaps(BlkNode *node)
{
    return node->bitmaps;
}

static void
run_check(FormatCall *call)
{
    call->ok = ops_of(call->node)->check(call->node, call->result, call->error);
}

bool
blk_node_check(BlkNode *node, BlkCheck *check, GError **error)
{
    FormatCall call = { .node = node, .run = run_check, .result = check, .error = error };

    return run_call(&call, ops_of(node)->check, "check");
}

GPtrArray *
blk_node_list_snapshots(BlkNode *node)
{
    return ops_of(node)->list_snapshots ? ops_of(node)->list_snapshots(node) : NULL;
}

static void
run_create_snapshot(FormatCall *call)
{
    call->ok = ops_of(call->node)->create_snapshot(call->node, call->argument, call->error);
}

bool
blk_node_create_snapshot(BlkNode *node, const BlkSnapshot *wanted, GError **error)
{
    FormatCall call = {
        .node = node, .run = run_create_snapshot, .argument = wanted, .error = error
    };

    return run_call(&call, ops_of(node)->create_snapshot, "snapshots");
}

static void
run_apply_snapshot(FormatCall *call)
{
    call->ok = ops_of(call->node)->apply_snapshot(call->node, call->name, call->error);
}

bool
blk_node_apply_snapshot(BlkNode *node, const char *id_or_name, GError **error)
{
    FormatCall call = {
        .node = node, .run = run_apply_snapshot, .name = id_or_name, .error = error
    };

    return run_call(&call, ops_of(node)->apply_snapshot, "snapshots");
}

static void
run_delete_snapshot(FormatCall *call)
{
    call->ok = ops_of(call->node)->delete_snapshot(call->node, call->name, call->error);
}

bool
blk_node_delete_snapshot(BlkNode *node, const char *id_or_name, GError **error)
{
    FormatCall call = {
        .node = node, .run = run_delete_snapshot, .name = id_or_name, .error = error
    };

    return run_call(&call, ops_of(node)->delete_snapshot, "snapshots");
}

static void
run_show_snapshot(FormatCall *call)
{
    call->ok = ops_of(call->node)->show_snapshot(call->node, call->name, call->error);
}

bool
blk_node_show_snapshot(BlkNode *node, const char *id_or_name, GError **error)
{
    FormatCall call = {
        .node = node, .run = run_show_snapshot, .name = id_or_name, .error = error
    };

    return run_call(&call, ops_of(node)->show_snapshot, "snapshots");
}

static void
run_amend(FormatCall *call)
{
    call->ok = ops_of(call->node)
                   ->amend(call->node, call->argument, call->force, call->progress, call->opaque,
                           call->error);
}

bool
blk_node_amend(BlkNode *node, const BlkOptions *options, bool force, BlkProgressFunc progress,
               void *opaque, GError **error)
{
    FormatCall call = { .node = node,
                        .run = run_amend,
                        .argument = options,
                        .force = force,
                        .progress = progress,
                        .opaque = opaque,
                        .error = error };

    return run_call(&call, ops_of(node)->amend, "options that can be changed later");
}

static void
run_set_backing(FormatCall *call)
{
    call->ok = blk_node_change_backing_file(call->node, call->name, call->format, call->error);
}

bool
blk_node_set_backing_name(BlkNode *node, const char *filename, const char *format, GError **error)
{
    FormatCall call = {
        .node = node, .run = run_set_backing, .name = filename, .format = format, .error = error
    };

    return run_call(&call, true, "");
}

static void
run_store_bitmaps(FormatCall *call)
{
    call->ok = ops_of(call->node)->store_bitmaps(call->node, call->force, call->error);
}

bool
blk_node_rewrite_bitmaps(BlkNode *node, GError **error)
{
    FormatCall call = { .node = node, .run = run_store_bitmaps, .force = true, .error = error };

    return run_call(&call, ops_of(node)->store_bitmaps, "persistent bitmaps");
}

bool
blk_node_can_store_bitmap(BlkNode *node, const char *name, uint64_t granularity, GError **error)
{
    FormatCall call = { .node = node, .error = error };

    if (!ops_of(node)->can_store_bitmap) {
        return run_call(&call, false, "persistent bitmaps");
    }
    return ops_of(node)->can_store_bitmap(
        node, name, granularity ? (uint32_t)granularity : blk_bitmap_default_granularity(node),
        error);
}

bool
blk_node_store_bitmaps(BlkNode *node, GError **error)
{
    FormatCall call = { .node = node, .run = run_store_bitmaps, .error = error };

    return run_call(&call, ops_of(node)->store_bitmaps, "persistent bitmaps");
}

static void
run_remove_bitmap(FormatCall *call)
{
    call->ok = ops_of(call->node)->remove_stored_bitmap(call->node, call->name, call->error);
}

bool
blk_node_remove_stored_bitmap(BlkNode *node, const char *name, GError **error)
{
    FormatCall call = { .node = node, .run = run_remove_bitmap, .name = name, .error = error };

    return run_call(&call, ops_of(node)->remove_stored_bitmap, "persistent bitmaps");
}

static void
run_make_empty(FormatCall *call)
{
    call->ret = ops_of(call->node)->make_empty(call->node);
    call->node->write_count++;
}

int
blk_node_make_empty(BlkNode *node)
{
    FormatCall call = { .node = node, .run = run_make_empty };

    if (!ops_of(node)->make_empty) {
        return -ENOTSUP;
    }
    blk_context_run(node->context, call_in_fiber, &call);
    return call.ret;
}

JsonObject *
blk_node_describe(BlkNode *node)
{
    return ops_of(node)->describe ? ops_of(node)->describe(node) : NULL;
}

void
blk_node_get_format_info(BlkNode *node, BlkFormatInfo *out)
{
    *out = (BlkFormatInfo){ 0 };
    if (ops_of(node)->get_info) {
        ops_of(node)->get_info(node, out);
    }
}
