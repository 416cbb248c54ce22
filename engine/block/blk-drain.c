/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Waiting until nothing is in flight. Whoever starts requests at the top (a drive, later a job) is
 * told to hold back, then the context is dispatched until the requests below have ended. Works
 * from any thread that holds the lock. */

#include "blk-graph-private.h"

static void
tell_users(BlkNode *node, bool begin)
{
    for (unsigned i = 0; i < node->parents->len; i++) {
        BlkChild *edge = g_ptr_array_index(node->parents, i);
        if (edge->parent) {
            tell_users(edge->parent, begin);
        } else if (edge->user && begin && edge->user->drained_begin) {
            edge->user->drained_begin(edge->opaque);
        } else if (edge->user && !begin && edge->user->drained_end) {
            edge->user->drained_end(edge->opaque);
        }
    }
}

static bool
users_are_busy(BlkNode *node)
{
    for (unsigned i = 0; i < node->parents->len; i++) {
        BlkChild *edge = g_ptr_array_index(node->parents, i);
        if (edge->parent ? users_are_busy(edge->parent)
                         : edge->user && edge->user->is_busy && edge->user->is_busy(edge->opaque)) {
            return true;
        }
    }
    return node->in_flight > 0;
}

void
blk_node_drained_begin(BlkNode *node)
{
    node->drain_depth++;
    node->graph->drain_depth++;
    tell_users(node, true);
    while (users_are_busy(node)) {
        blk_context_poll(node->context, -1);
    }
}

void
blk_node_drained_end(BlkNode *node)
{
    g_assert(node->drain_depth > 0);
    node->drain_depth--;
    node->graph->drain_depth--;
    tell_users(node, false);
}

static bool
graph_is_busy(BlkGraph *graph)
{
    GHashTableIter iter;
    gpointer node;

    g_hash_table_iter_init(&iter, graph->nodes);
    while (g_hash_table_iter_next(&iter, NULL, &node)) {
        if (users_are_busy(node)) {
            return true;
        }
    }
    return false;
}

void
blk_graph_drain(BlkGraph *graph)
{
    graph->drain_depth++;
    while (graph_is_busy(graph)) {
        blk_context_poll(graph->context, -1);
    }
    graph->drain_depth--;
    /* Completions that were only waiting to be delivered. */
    while (blk_context_poll(graph->context, 0)) {
    }
}
