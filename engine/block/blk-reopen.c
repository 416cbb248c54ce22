/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Other options for a node that is in use (blockdev-reopen): access, cache and discard rules,
 * another backing image, and what its driver can change. Options that are not given go back to
 * their defaults; of a driver that cannot change any, those given must be what they are. Thread:
 * the graph's lock held, outside of fibers. */

#include "blk-graph-private.h"

#include <string.h>

static bool
fail(GError **error, const BlkNode *node, const char *key)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "Cannot change the option '%s' of '%s' while it is open", key, node->name);
    return false;
}

static bool
check_driver_options(BlkNode *node, BlkOptions *options, GError **error)
{
    const char *left;

    for (const VitProp *prop = node->driver->options; prop && prop->name; prop++) {
        g_autofree char *wanted = blk_options_take(options, prop->name);
        g_autofree char *now = vit_prop_print(prop, node->state);
        if (wanted && g_strcmp0(wanted, now) != 0) {
            return fail(error, node, prop->name);
        }
    }
    left = blk_options_first_key(options);
    return !left || fail(error, node, left);
}

/* ---- what drivers change ---- */

typedef struct Reopen {
    BlkNode *node;
    void *state; /* the new options; NULL: the driver's own stay */
    GError **error;
    bool ok;
} Reopen;

static bool
take_driver_options(Reopen *reopen, BlkOptions *options)
{
    const BlkDriver *driver = reopen->node->driver;
    const char *left;

    if (!driver->reopen) {
        return check_driver_options(reopen->node, options, reopen->error);
    }
    reopen->state = g_malloc0(driver->state_size);
    vit_props_set_defaults(driver->options, reopen->state);
    for (const VitProp *prop = driver->options; prop->name; prop++) {
        g_autofree char *text = blk_options_take(options, prop->name);
        if (text && !vit_prop_parse(prop, reopen->state, text, NULL, reopen->error)) {
            return false;
        }
    }
    left = blk_options_first_key(options);
    return !left || fail(reopen->error, reopen->node, left);
}

static void
reopen_call(void *opaque)
{
    Reopen *reopen = opaque;

    reopen->ok = reopen->node->driver->reopen(reopen->node, reopen->state, reopen->error);
}

static bool
apply_driver_options(Reopen *reopen)
{
    if (!reopen->state) {
        return true;
    }
    blk_context_run(reopen->node->context, reopen_call, reopen);
    return reopen->ok;
}

/* ---- the rest ---- */

/* The children but for the backing image have to stay. */
static bool
check_children(BlkNode *node, BlkOptions *options, GError **error)
{
    for (unsigned i = 0; i < node->children->len; i++) {
        const BlkChild *child = g_ptr_array_index(node->children, i);
        g_autofree char *name = blk_options_take(options, child->slot);
        g_autoptr(BlkOptions) inline_options = blk_options_take_sub(options, child->slot);
        if (inline_options || (name && strcmp(name, child->node->name) != 0)) {
            return fail(error, node, child->slot);
        }
    }
    return true;
}

/* OUT_CHANGE false: the backing image stays. */
static bool
take_backing(BlkNode *node, BlkOptions *options, bool *out_change, BlkNode **out_backing,
             GError **error)
{
    g_autofree char *name = blk_options_take(options, "backing");

    *out_change = name != NULL;
    *out_backing = NULL;
    if (!name || !*name) {
        return true;
    }
    *out_backing = blk_graph_find_node(node->graph, name);
    if (!*out_backing) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "Cannot find the node '%s'", name);
    }
    return *out_backing != NULL;
}

static bool
apply(BlkNode *node, const BlkNode *wanted, GError **error)
{
    if (wanted->cache_direct != node->cache_direct) {
        return fail(error, node, "cache.direct");
    }
    if (wanted->read_only != node->read_only &&
        !blk_node_set_read_only(node, wanted->read_only, error)) {
        return false;
    }
    node->auto_read_only = wanted->auto_read_only;
    node->force_share = wanted->force_share;
    node->no_flush = wanted->no_flush;
    node->discard_unmap = wanted->discard_unmap;
    node->detect_zeroes = wanted->detect_zeroes;
    return true;
}

bool
blk_node_reopen(BlkNode *node, BlkOptions *options, GError **error)
{
    g_autofree char *driver = blk_options_take(options, "driver");
    g_autofree char *name G_GNUC_UNUSED = blk_options_take(options, "node-name");
    BlkNode wanted = { .driver = node->driver };
    Reopen reopen = { .node = node, .error = error };
    bool change_backing, ok;
    BlkStandstill *still;
    bool old_unmap = node->discard_unmap;
    BlkNode *backing;

    if (driver && strcmp(driver, node->driver->name) != 0) {
        return fail(error, node, "driver");
    }
    ok = blk_node_take_generic_options(&wanted, options, error) &&
         take_backing(node, options, &change_backing, &backing, error) &&
         check_children(node, options, error) && take_driver_options(&reopen, options);
    if (ok) {
        still = blk_graph_stand_still(node->graph);
        node->discard_unmap = wanted.discard_unmap; /* drivers go by it */
        ok = apply_driver_options(&reopen) &&
             (!change_backing || blk_node_set_backing(node, backing, error)) &&
             apply(node, &wanted, error);
        node->discard_unmap = ok ? wanted.discard_unmap : old_unmap;
        blk_graph_go_on(still);
    }
    if (reopen.state) {
        vit_props_clear(node->driver->options, reopen.state);
        g_free(reopen.state);
    }
    return ok;
}
