/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Edges of the graph and the permissions they hold.
 *
 * Each edge says what its upper end does with the node below (perm) and what it bears from others
 * (shared). A change is prepared over the whole subtree (conflicts looked for, file locks taken)
 * and then either committed or taken back, so a refusal leaves everything as it was.
 *
 * Invariant: on every edge, outside of an update, new_perm == perm and new_shared == shared.
 * Thread: the graph's lock held. */

#include "blk-graph-private.h"

#include <string.h>

const char *
blk_child_describe(const BlkChild *child)
{
    if (child->user && child->user->describe) {
        return child->user->describe(child->opaque);
    }
    return child->parent && child->parent->name ? child->parent->name : "this program";
}

void
blk_node_get_perm(const BlkNode *node, unsigned *out_perm, unsigned *out_shared)
{
    unsigned perm = 0, shared = BLK_PERM_ALL;

    for (unsigned i = 0; i < node->parents->len; i++) {
        const BlkChild *edge = g_ptr_array_index(node->parents, i);
        perm |= edge->new_perm;
        shared &= edge->new_shared;
    }
    *out_perm = perm;
    *out_shared = shared;
}

/* ---- preparing ---- */

static const char *
perm_words(unsigned perm)
{
    if (perm & BLK_PERM_WRITE) {
        return "writing";
    }
    if (perm & BLK_PERM_RESIZE) {
        return "resizing";
    }
    return perm & BLK_PERM_CONSISTENT_READ ? "reading" : "rewriting";
}

static void
set_conflict_error(const BlkNode *node, const BlkChild *taker, const BlkChild *owner, unsigned perm,
                   GError **error)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                "'%s' is already used by %s, which does not allow %s by %s at the same time. "
                "Use a copy of the image, or open both read-only.",
                node->filename ? node->filename : node->name, blk_child_describe(owner),
                perm_words(perm), blk_child_describe(taker));
}

static bool
check_conflicts(const BlkChild *edge, GError **error)
{
    const BlkNode *node = edge->node;

    for (unsigned i = 0; i < node->parents->len; i++) {
        const BlkChild *other = g_ptr_array_index(node->parents, i);
        unsigned refused = edge->new_perm & ~other->new_shared;
        unsigned disturbed = other->new_perm & ~edge->new_shared;

        if (other == edge) {
            continue;
        }
        if (refused) {
            set_conflict_error(node, edge, other, refused, error);
            return false;
        }
        if (disturbed) {
            set_conflict_error(node, other, edge, disturbed, error);
            return false;
        }
    }
    return true;
}

static void
default_child_perm(BlkNode *node, const BlkChild *child, unsigned *perm, unsigned *shared)
{
    if (child == node->backing) {
        /* Read where the node has nothing of its own, also to fill up what is written in part; it
         * must hold still. */
        *perm = *perm & (BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE | BLK_PERM_WRITE_UNCHANGED)
                    ? BLK_PERM_CONSISTENT_READ
                    : 0;
        *shared = (*shared & BLK_PERM_CONSISTENT_READ) | BLK_PERM_WRITE_UNCHANGED;
    } else if (node->driver->role == BLK_ROLE_FORMAT) {
        *perm |= BLK_PERM_CONSISTENT_READ;
        if (!node->read_only) {
            *perm |= BLK_PERM_WRITE | BLK_PERM_RESIZE;
        }
        *shared &= ~(BLK_PERM_WRITE | BLK_PERM_RESIZE);
        *shared |= BLK_PERM_WRITE_UNCHANGED;
    }
}

static bool
prepare_node(BlkNode *node, GError **error)
{
    unsigned perm, shared;

    blk_node_get_perm(node, &perm, &shared);
    if (node->read_only && (perm & (BLK_PERM_WRITE | BLK_PERM_RESIZE))) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION,
                    "'%s' is open read-only and cannot be written.",
                    node->filename ? node->filename : node->name);
        return false;
    }
    for (unsigned i = 0; i < node->children->len; i++) {
        BlkChild *child = g_ptr_array_index(node->children, i);
        unsigned child_perm = perm, child_shared = shared;

        (node->driver->child_perm ? node->driver->child_perm
                                  : default_child_perm)(node, child, &child_perm, &child_shared);
        if (node->force_share || child->bears_all) {
            child_shared = BLK_PERM_ALL;
        }
        child->new_perm = child_perm;
        child->new_shared = child_shared;
        if (!check_conflicts(child, error) || !prepare_node(child->node, error)) {
            return false;
        }
    }
    return !node->driver->prepare_perm ||
           node->driver->prepare_perm(node, perm, node->force_share ? BLK_PERM_ALL : shared, error);
}

static void
finish_node(BlkNode *node, bool commit)
{
    unsigned perm, shared;

    for (unsigned i = 0; i < node->children->len; i++) {
        BlkChild *child = g_ptr_array_index(node->children, i);
        if (commit) {
            child->perm = child->new_perm;
            child->shared = child->new_shared;
        } else {
            child->new_perm = child->perm;
            child->new_shared = child->shared;
        }
        finish_node(child->node, commit);
    }
    if (commit && node->driver->commit_perm) {
        blk_node_get_perm(node, &perm, &shared);
        node->driver->commit_perm(node, perm, node->force_share ? BLK_PERM_ALL : shared);
    } else if (!commit && node->driver->abort_perm) {
        node->driver->abort_perm(node);
    }
}

bool
blk_node_update_perm(BlkNode *node, GError **error)
{
    bool ok = prepare_node(node, error);

    finish_node(node, ok);
    return ok;
}

bool
blk_node_check_perm(BlkNode *node, GError **error)
{
    for (unsigned i = 0; i < node->parents->len; i++) {
        if (!check_conflicts(g_ptr_array_index(node->parents, i), error)) {
            return false;
        }
    }
    return true;
}

/* ---- edges ---- */

static bool
update_edge(BlkChild *child, unsigned perm, unsigned shared, GError **error)
{
    bool ok;

    child->new_perm = perm;
    child->new_shared = shared;
    ok = check_conflicts(child, error) && prepare_node(child->node, error);
    if (ok) {
        child->perm = perm;
        child->shared = shared;
    } else {
        child->new_perm = child->perm;
        child->new_shared = child->shared;
    }
    finish_node(child->node, ok);
    return ok;
}

bool
blk_child_set_perm(BlkChild *child, unsigned perm, unsigned shared, GError **error)
{
    return update_edge(child, perm, shared, error);
}

static BlkChild *
new_edge(BlkNode *node)
{
    BlkChild *child = g_new0(BlkChild, 1);

    child->node = node;
    child->shared = child->new_shared = BLK_PERM_ALL;
    g_ptr_array_add(node->parents, child);
    return child;
}

BlkChild *
blk_child_attach(BlkNode *node, const BlkUser *user, void *opaque, unsigned perm, unsigned shared,
                 GError **error)
{
    BlkChild *child = new_edge(node);

    child->slot = "root";
    child->user = user;
    child->opaque = opaque;
    if (!update_edge(child, perm, shared, error)) {
        g_ptr_array_remove(node->parents, child);
        g_free(child);
        return NULL;
    }
    return child;
}

BlkChild *
blk_child_attach_reader(BlkNode *node, GError **error)
{
    BlkChild *child =
        blk_child_attach(node, NULL, NULL, BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL, error);

    if (child) {
        blk_node_ref(node);
    }
    return child;
}

void
blk_node_add_child(BlkNode *node, const char *slot, BlkNode *child_node)
{
    BlkChild *child = new_edge(child_node);

    child->parent = node;
    child->slot = slot;
    g_ptr_array_add(node->children, child);
    /* What a filter is about is its first child, whatever its name. */
    if (strcmp(slot, "file") == 0 ||
        (node->driver->role == BLK_ROLE_FILTER && node->driver->slots &&
         strcmp(slot, node->driver->slots[0].name) == 0)) {
        node->file = child;
    } else if (strcmp(slot, "backing") == 0) {
        node->backing = child;
    }
}

void
blk_child_detach(BlkChild *child)
{
    BlkNode *node, *parent;

    if (!child) {
        return;
    }
    node = child->node;
    parent = child->parent;
    if (parent) {
        g_ptr_array_remove(parent->children, child);
        parent->file = parent->file == child ? NULL : parent->file;
        parent->backing = parent->backing == child ? NULL : parent->backing;
    }
    g_ptr_array_remove(node->parents, child);
    g_free(child);
    /* Giving up permissions cannot conflict. */
    blk_node_update_perm(node, NULL);
    blk_node_unref(node);
}
