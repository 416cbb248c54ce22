/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The filter "copy-on-read": what is read from a backing image is kept in the image itself, so
 * that a slow or remote base is asked for everything once. `bottom` names the node of the chain
 * at and above which nothing is copied any more.
 *
 * Thread: the lock of the node's context held. */

#include "blk-graph-private.h"
#include "blk-status.h"

typedef struct CopyOnRead {
    char *bottom;
} CopyOnRead;

enum { COPY_ALIGN = 64 * 1024 };

static bool
cor_open(BlkNode *node, GError **error)
{
    const CopyOnRead *cor = node->state;

    if (cor->bottom && !blk_graph_find_node(node->graph, cor->bottom)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "There is no block node '%s'.",
                    cor->bottom);
        return false;
    }
    return true;
}

/* A read that cannot be kept is still a good read. */
static int
cor_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    const CopyOnRead *cor = node->state;
    BlkNode *image = blk_node_skip_filters(node->file->node);
    BlkNode *bottom = cor->bottom ? blk_graph_find_node(node->graph, cor->bottom) : NULL;
    BlkNode *base = bottom && bottom->backing ? bottom->backing->node : NULL;

    if (image->backing && !image->read_only) {
        uint64_t image_len = blk_node_get_len(image);
        uint64_t start = blk_round_down(offset, COPY_ALIGN);
        uint64_t end = MIN(blk_round_up(offset + len, COPY_ALIGN), image_len);
        if (start < end) {
            blk_copy_up(node->file, base, start, end - start);
        }
    }
    return blk_read(node->file, offset, len, vec, at);
}

static void
cor_child_perm(BlkNode *node, const BlkChild *child, unsigned *perm, unsigned *shared)
{
    if (!child->node->read_only) {
        *perm |= BLK_PERM_WRITE_UNCHANGED;
    }
    *shared |= BLK_PERM_WRITE_UNCHANGED;
}

static const VitProp options[] = {
    VIT_PROP_STRING(CopyOnRead, bottom, "bottom", NULL,
                    VIT_N_("Lowest image of the chain whose backing image is copied from")),
    { 0 },
};

static const BlkChildSlot slots[] = { { .name = "file", .required = true, .probe = true }, { 0 } };

const BlkDriver blk_copy_on_read_driver = {
    .name = "copy-on-read",
    .title = VIT_N_("Keeps what is read from the backing image"),
    .role = BLK_ROLE_FILTER,
    .state_size = sizeof(CopyOnRead),
    .options = options,
    .slots = slots,
    .open = cor_open,
    .read = cor_read,
    .write = blk_pass_write,
    .write_zeroes = blk_pass_write_zeroes,
    .discard = blk_pass_discard,
    .truncate = blk_pass_truncate,
    .child_perm = cor_child_perm,
};
