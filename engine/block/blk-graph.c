/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Nodes and their names: creation, reference counts, closing. The edges between them are in
 * blk-perm.c, opening in blk-open.c. Thread: the graph's lock held. */

#include "blk-bitmap.h"
#include "blk-graph-private.h"

#include "blk-aio.h"
#include "vit-authz.h"
#include "vit-tls.h"
#include "jobs/blk-task.h"
#include "nbd/nbd-server.h"

#include <string.h>

BlkGraph *
blk_graph_new(GMainContext *main_context, VitLock *lock, GError **error)
{
    BlkContext *context = blk_context_new(main_context, lock, error);
    BlkGraph *graph;

    if (!context) {
        return NULL;
    }
    graph = g_new0(BlkGraph, 1);
    graph->context = context;
    graph->main_context = main_context;
    graph->workers = VIT_WORKERS_DEFAULT;
    graph->drivers = g_ptr_array_new();
    graph->nodes = g_hash_table_new(g_str_hash, g_str_equal);
    graph->block_devs =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)blk_node_unref);
    graph->drives = g_ptr_array_new();
    graph->tasks = g_ptr_array_new();
    graph->exports = g_ptr_array_new();
    graph->secrets = blk_secrets_new();
    graph->tls_creds =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)vit_tls_creds_unref);
    graph->authz =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)vit_authz_free);
    graph->defaults =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)blk_options_free);
    graph->throttle_groups = g_hash_table_new(g_str_hash, g_str_equal);
    return graph;
}

void
blk_graph_free(BlkGraph *graph)
{
    if (!graph) {
        return;
    }
    if (graph->nbd_server) {
        blk_nbd_server_stop(graph, NULL);
    }
    blk_graph_cancel_tasks(graph);
    blk_graph_drain(graph);
    blk_graph_free_drives(graph);
    g_hash_table_unref(graph->block_devs);
    g_assert(g_hash_table_size(graph->nodes) == 0);
    g_hash_table_unref(graph->nodes);
    blk_graph_free_aio(graph);
    g_clear_pointer(&graph->fd_members, g_array_unref);
    g_ptr_array_unref(graph->tasks);
    g_ptr_array_unref(graph->exports);
    blk_graph_free_throttle_groups(graph);
    g_hash_table_unref(graph->throttle_groups);
    g_hash_table_unref(graph->secrets);
    g_hash_table_unref(graph->defaults);
    g_hash_table_unref(graph->tls_creds);
    g_hash_table_unref(graph->authz);
    g_ptr_array_unref(graph->drives);
    g_ptr_array_unref(graph->drivers);
    blk_context_free(graph->context);
    g_free(graph);
}

void
blk_graph_add_driver(BlkGraph *graph, const BlkDriver *driver)
{
    g_ptr_array_add(graph->drivers, (gpointer)driver);
}

void
blk_graph_set_defaults(BlkGraph *graph, const char *driver, const BlkOptions *options)
{
    g_hash_table_replace(graph->defaults, g_strdup(driver), blk_options_copy(options));
}

const BlkOptions *
blk_graph_get_defaults(BlkGraph *graph, const char *driver)
{
    return g_hash_table_lookup(graph->defaults, driver);
}

BlkContext *
blk_graph_get_context(BlkGraph *graph)
{
    return graph->context;
}

const BlkDriver *
blk_graph_find_driver(BlkGraph *graph, const char *name)
{
    for (unsigned i = 0; i < graph->drivers->len; i++) {
        const BlkDriver *driver = g_ptr_array_index(graph->drivers, i);
        if (strcmp(driver->name, name) == 0) {
            return driver;
        }
    }
    for (unsigned i = 0; blk_builtin_drivers[i]; i++) {
        if (strcmp(blk_builtin_drivers[i]->name, name) == 0) {
            return blk_builtin_drivers[i];
        }
    }
    return NULL;
}

const char **
blk_graph_list_drivers(BlkGraph *graph)
{
    GPtrArray *names = g_ptr_array_new();

    for (unsigned i = 0; blk_builtin_drivers[i]; i++) {
        g_ptr_array_add(names, (gpointer)blk_builtin_drivers[i]->name);
    }
    for (unsigned i = 0; i < graph->drivers->len; i++) {
        const BlkDriver *driver = g_ptr_array_index(graph->drivers, i);
        g_ptr_array_add(names, (gpointer)driver->name);
    }
    g_ptr_array_add(names, NULL);
    return (const char **)g_ptr_array_free(names, FALSE);
}

const char *
blk_driver_title(BlkGraph *graph, const char *name)
{
    const BlkDriver *driver = blk_graph_find_driver(graph, name);

    return driver ? driver->title : NULL;
}

const VitProp *
blk_driver_create_options(BlkGraph *graph, const char *name)
{
    const BlkDriver *driver = blk_graph_find_driver(graph, name);

    return driver && driver->create ? driver->create_options : NULL;
}

int
blk_graph_watch(BlkGraph *graph)
{
    return blk_loop_watch(blk_context_get_loop(graph->context));
}

void
blk_graph_unwatch(BlkGraph *graph)
{
    blk_loop_unwatch(blk_context_get_loop(graph->context));
}

bool
blk_graph_poll(BlkGraph *graph, int timeout_ms)
{
    return blk_context_poll(graph->context, timeout_ms);
}

/* ---- nodes ---- */

BlkNode *
blk_node_new(BlkGraph *graph, const BlkDriver *driver)
{
    BlkNode *node = g_new0(BlkNode, 1);

    node->driver = driver;
    node->graph = graph;
    node->context = graph->context;
    node->ref_count = 1;
    node->children = g_ptr_array_new();
    node->parents = g_ptr_array_new();
    node->state = g_malloc0(MAX(driver->state_size, 1));
    node->limits =
        (BlkLimits){ .request_align = 1, .memory_align = 1, .zeroes_align = 1, .discard_align = 1 };
    if (driver->options) {
        vit_props_set_defaults(driver->options, node->state);
    }
    return node;
}

static bool
is_name_well_formed(const char *name)
{
    if (!g_ascii_isalpha(*name)) {
        return false;
    }
    for (; *name; name++) {
        if (!g_ascii_isalnum(*name) && !strchr("-._", *name)) {
            return false;
        }
    }
    return true;
}

bool
blk_node_set_name(BlkNode *node, const char *name, GError **error)
{
    if (!name) {
        do {
            g_free(node->name);
            node->name = g_strdup_printf("#block%03u", node->graph->next_node_name++);
        } while (g_hash_table_contains(node->graph->nodes, node->name));
        g_hash_table_insert(node->graph->nodes, node->name, node);
        return true;
    }
    if (!is_name_well_formed(name) || strlen(name) > 31) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The node name '%s' is not allowed: it starts with a letter, holds letters, "
                    "digits, '-', '.' and '_', and is at most 31 long.",
                    name);
        return false;
    }
    if (g_hash_table_contains(node->graph->nodes, name) || blk_graph_has_drive(node->graph, name)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The node name '%s' is already in use. Choose another.", name);
        return false;
    }
    node->name = g_strdup(name);
    g_hash_table_insert(node->graph->nodes, node->name, node);
    return true;
}

BlkNode *
blk_node_ref(BlkNode *node)
{
    node->ref_count++;
    return node;
}

static void
close_in_fiber(void *opaque)
{
    BlkNode *node = opaque;

    if (node->opened && !node->read_only) {
        BlkChild self = { .node = node, .perm = BLK_PERM_ALL };
        blk_flush(&self);
    }
    if (node->driver->close) {
        node->driver->close(node);
    }
}

void
blk_node_unref(BlkNode *node)
{
    if (!node || --node->ref_count > 0) {
        return;
    }
    g_assert(node->parents->len == 0);
    /* Alive while it is flushed: requests through it take no reference of their own. */
    node->ref_count = 1;
    blk_context_run(node->context, close_in_fiber, node);
    g_assert(node->in_flight == 0 && node->ref_count == 1);
    while (node->children->len > 0) {
        blk_child_detach(g_ptr_array_index(node->children, node->children->len - 1));
    }
    if (node->name) {
        g_hash_table_remove(node->graph->nodes, node->name);
    }
    if (node->driver->options) {
        vit_props_clear(node->driver->options, node->state);
    }
    g_ptr_array_unref(node->children);
    g_ptr_array_unref(node->parents);
    g_clear_pointer(&node->hooks, g_ptr_array_unref);
    g_free(node->state);
    g_free(node->name);
    g_free(node->filename);
    g_free(node->backing_file);
    g_free(node->backing_format);
    blk_node_free_bitmaps(node);
    g_free(node->backing_path);
    g_free(node);
}

BlkNode *
blk_graph_find_node(BlkGraph *graph, const char *name)
{
    return g_hash_table_lookup(graph->nodes, name);
}

void
blk_graph_each_node(BlkGraph *graph, void (*call)(void *opaque, BlkNode *node), void *opaque)
{
    GHashTableIter iter;
    gpointer node;

    g_hash_table_iter_init(&iter, graph->nodes);
    while (g_hash_table_iter_next(&iter, NULL, &node)) {
        call(opaque, node);
    }
}

/* ---- -blockdev ---- */

BlkNode *
blk_graph_add_blockdev(BlkGraph *graph, const BlkOptions *options, GError **error)
{
    const char *name = blk_options_get(options, "node-name");
    BlkNode *node;

    if (!name) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "A block node needs a name: add node-name=NAME.");
        return NULL;
    }
    if (!blk_options_get(options, "driver")) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "Block node '%s' needs a driver: add driver=NAME, for example driver=raw.",
                    name);
        return NULL;
    }
    node = blk_open(graph, NULL, options, error);
    if (node) {
        g_hash_table_insert(graph->block_devs, g_strdup(node->name), node);
    }
    return node;
}

bool
blk_graph_remove_blockdev(BlkGraph *graph, const char *name, GError **error)
{
    BlkNode *node = g_hash_table_lookup(graph->block_devs, name);

    if (!node) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "There is no block node '%s' to remove.",
                    name);
        return false;
    }
    if (node->parents->len > 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "Block node '%s' is in use by %s. Remove that first.", name,
                    blk_child_describe(g_ptr_array_index(node->parents, 0)));
        return false;
    }
    g_hash_table_remove(graph->block_devs, name);
    return true;
}

/* ---- information ---- */

uint64_t
blk_node_get_len(BlkNode *node)
{
    int64_t len = node->driver->get_len ? node->driver->get_len(node)
                  : node->file          ? (int64_t)blk_node_get_len(node->file->node)
                                        : 0;

    return len < 0 ? 0 : (uint64_t)len;
}

int64_t
blk_node_get_allocated_len(BlkNode *node)
{
    int64_t sum = node->children->len > 0 ? 0 : -1;

    if (node->driver->get_allocated_len) {
        return node->driver->get_allocated_len(node);
    }
    if (node->driver->role == BLK_ROLE_FILTER) {
        return node->file ? blk_node_get_allocated_len(node->file->node) : -1;
    }
    for (unsigned i = 0; i < node->children->len && sum >= 0; i++) {
        BlkChild *child = g_ptr_array_index(node->children, i);
        int64_t len = child == node->backing ? 0 : blk_node_get_allocated_len(child->node);
        sum = len < 0 ? -1 : sum + len;
    }
    return sum;
}

void
blk_node_get_info(BlkNode *node, BlkNodeInfo *out)
{
    *out = (BlkNodeInfo){
        .node_name = node->name,
        .driver = node->driver->name,
        .filename = node->filename,
        .len_bytes = blk_node_get_len(node),
        .read_only = node->read_only,
        .cache_direct = node->cache_direct,
        .no_flush = node->no_flush,
        .discard_unmap = node->discard_unmap,
        .backing_file = node->backing_file,
        .backing_format = node->backing_format,
        .backing_path = node->backing_path,
        .probed = !node->format_given,
        .detect_zeroes = node->detect_zeroes,
        .file = node->file ? node->file->node : NULL,
        .backing = node->backing ? node->backing->node : NULL,
        .allocated_bytes = blk_node_get_allocated_len(node),
    };
}
