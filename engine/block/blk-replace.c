/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Changing the graph while it is in use: standing still, putting one node in the place of another,
 * another backing image. Thread: the graph's lock held, outside of fibers. */

#include "blk-graph-private.h"
#include "blk-path.h"

#include <string.h>

/* ---- standing still ---- */

typedef struct Rester {
    const BlkUser *user;
    void *opaque;
} Rester;

struct BlkStandstill {
    BlkGraph *graph;
    GArray *resters;
};

static bool
resters_are_busy(const BlkStandstill *still)
{
    for (unsigned i = 0; i < still->resters->len; i++) {
        const Rester *rester = &g_array_index(still->resters, Rester, i);
        if (rester->user->is_busy && rester->user->is_busy(rester->opaque)) {
            return true;
        }
    }
    return false;
}

static bool
nodes_are_busy(BlkGraph *graph)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, graph->nodes);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (((BlkNode *)value)->in_flight > 0) {
            return true;
        }
    }
    return false;
}

static void
add_rester(BlkStandstill *still, const BlkChild *edge)
{
    Rester rester = { edge->user, edge->opaque };

    if (edge->parent || !edge->user || !edge->user->drained_begin) {
        return;
    }
    for (unsigned i = 0; i < still->resters->len; i++) {
        if (g_array_index(still->resters, Rester, i).opaque == edge->opaque) {
            return;
        }
    }
    g_array_append_val(still->resters, rester);
    rester.user->drained_begin(rester.opaque);
}

BlkStandstill *
blk_graph_stand_still(BlkGraph *graph)
{
    BlkStandstill *still = g_new(BlkStandstill, 1);
    GHashTableIter iter;
    gpointer value;

    still->graph = graph;
    still->resters = g_array_new(FALSE, FALSE, sizeof(Rester));
    graph->drain_depth++;
    g_hash_table_iter_init(&iter, graph->nodes);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        BlkNode *node = value;
        for (unsigned i = 0; i < node->parents->len; i++) {
            add_rester(still, g_ptr_array_index(node->parents, i));
        }
    }
    while (resters_are_busy(still) || nodes_are_busy(graph)) {
        blk_context_poll(graph->context, -1);
    }
    return still;
}

/* Whether somebody at the top still is who was told to rest. */
static bool
is_there(BlkGraph *graph, const void *opaque)
{
    return g_ptr_array_find(graph->drives, opaque, NULL) ||
           g_ptr_array_find(graph->tasks, opaque, NULL) ||
           g_ptr_array_find(graph->exports, opaque, NULL);
}

void
blk_graph_go_on(BlkStandstill *still)
{
    still->graph->drain_depth--;
    for (unsigned i = 0; i < still->resters->len; i++) {
        const Rester *rester = &g_array_index(still->resters, Rester, i);
        if (is_there(still->graph, rester->opaque) && rester->user->drained_end) {
            rester->user->drained_end(rester->opaque);
        }
    }
    g_array_unref(still->resters);
    g_free(still);
}

/* ---- putting nodes elsewhere ---- */

/* Whether NODE is TARGET or has it below. */
static bool
is_above(const BlkNode *node, const BlkNode *target)
{
    if (node == target) {
        return true;
    }
    for (unsigned i = 0; i < node->children->len; i++) {
        if (is_above(((BlkChild *)g_ptr_array_index(node->children, i))->node, target)) {
            return true;
        }
    }
    return false;
}

static void
point_edge(BlkChild *edge, BlkNode *to)
{
    g_ptr_array_remove(edge->node->parents, edge);
    edge->node = blk_node_ref(to);
    g_ptr_array_add(to->parents, edge);
}

bool
blk_node_replace(BlkNode *from, BlkNode *to, const void *except, GError **error)
{
    g_autoptr(GPtrArray) moved = g_ptr_array_new();
    bool ok;

    if (from == to) {
        return true;
    }
    for (unsigned i = 0; i < from->parents->len; i++) {
        BlkChild *edge = g_ptr_array_index(from->parents, i);
        /* What lies below the newcomer keeps the old node. */
        if ((edge->parent && is_above(to, edge->parent)) || (except && edge->opaque == except)) {
            continue;
        }
        g_ptr_array_add(moved, edge);
    }
    for (unsigned i = 0; i < moved->len; i++) {
        point_edge(g_ptr_array_index(moved, i), to);
    }
    ok = blk_node_update_perm(to, error) && blk_node_check_perm(to, error) &&
         blk_node_update_perm(from, error);
    for (unsigned i = 0; i < moved->len; i++) {
        if (!ok) {
            point_edge(g_ptr_array_index(moved, i), from);
            blk_node_unref(to);
        }
        /* The reference the edge had, or the second one it got on its way back. */
        blk_node_unref(from);
    }
    if (!ok) {
        blk_node_update_perm(from, NULL);
        blk_node_update_perm(to, NULL);
        return false;
    }
    for (unsigned i = 0; i < moved->len; i++) {
        const BlkChild *edge = g_ptr_array_index(moved, i);
        if (edge->user && edge->user->resized) {
            edge->user->resized(edge->opaque);
        }
    }
    return true;
}

bool
blk_node_set_backing(BlkNode *node, BlkNode *backing, GError **error)
{
    BlkNode *old = node->backing ? blk_node_ref(node->backing->node) : NULL;

    if (old == backing) {
        blk_node_unref(old);
        return true;
    }
    if (backing && is_above(backing, node)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' cannot be below '%s': it is above it.", backing->name, node->name);
        blk_node_unref(old);
        return false;
    }
    blk_child_detach(node->backing);
    if (backing) {
        blk_node_add_child(node, "backing", blk_node_ref(backing));
    }
    if (!blk_node_update_perm(node, error)) {
        blk_child_detach(node->backing);
        if (old) {
            blk_node_add_child(node, "backing", old);
        }
        blk_node_update_perm(node, NULL);
        return false;
    }
    blk_node_unref(old);
    return true;
}

typedef struct HeaderCall {
    BlkNode *node;
    const char *file, *format;
    bool ok;
    GError **error;
} HeaderCall;

static void
header_call(void *opaque)
{
    HeaderCall *call = opaque;
    BlkChild *self = blk_child_attach(call->node, NULL, NULL,
                                      BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED,
                                      BLK_PERM_ALL, call->error);

    if (self) {
        blk_node_ref(call->node);
        call->ok = blk_node_change_backing_file(call->node, call->file, call->format, call->error);
        blk_child_detach(self);
    }
}

bool
blk_node_record_backing(BlkNode *node, const char *file, BlkNode *backing, GError **error)
{
    const char *image = node->file ? node->file->node->filename : NULL;
    g_autofree char *path = blk_path_as_seen_from(image, backing ? backing->filename : NULL);
    HeaderCall call = { .node = node,
                        .file = file ? file : path,
                        .format = backing ? backing->driver->name : NULL,
                        .error = error };
    bool was_read_only = node->read_only;

    if (was_read_only && !blk_node_set_read_only(node, false, error)) {
        return false;
    }
    blk_context_run(node->context, header_call, &call);
    if (was_read_only) {
        blk_node_set_read_only(node, true, NULL);
    }
    return call.ok;
}
