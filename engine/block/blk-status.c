/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What a range of an image holds, through filters and backing chains. Thread: in a fiber, the
 * graph's lock held. */

#include "blk-graph-private.h"
#include "blk-status.h"

#include <errno.h>

/* What the node itself says; a filter's answer is that of the node below. */
static int
status_here(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out)
{
    int ret;

    *out = (BlkStatus){ .flags = BLK_STATUS_DATA | BLK_STATUS_ALLOCATED, .len_bytes = len };
    if (!node->driver->status) {
        return node->driver->role == BLK_ROLE_FILTER && node->file
                   ? blk_get_status(node->file, offset, len, out)
                   : 0;
    }
    node->in_flight++;
    ret = node->driver->status(node, offset, len, out);
    node->in_flight--;
    if (ret == 0) {
        out->len_bytes = MIN(out->len_bytes, len);
        g_assert(out->len_bytes > 0);
    }
    return ret;
}

static int
status_below(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out)
{
    uint64_t backing_len = node->backing ? blk_node_get_len(node->backing->node) : 0;
    int ret;

    if (offset >= backing_len) {
        *out = (BlkStatus){ .flags = BLK_STATUS_ZERO, .len_bytes = len };
        return 0;
    }
    ret = blk_get_status(node->backing, offset, MIN(len, backing_len - offset), out);
    out->flags &= ~(unsigned)BLK_STATUS_ALLOCATED;
    return ret;
}

int
blk_get_status(BlkChild *child, uint64_t offset, uint64_t len, BlkStatus *out)
{
    BlkNode *node = child->node;
    uint64_t node_len = blk_node_get_len(node);
    int ret;

    if (offset >= node_len || len == 0) {
        return -EINVAL;
    }
    ret = status_here(node, offset, MIN(len, node_len - offset), out);
    if (ret == 0 && !(out->flags & (BLK_STATUS_ALLOCATED | BLK_STATUS_DATA | BLK_STATUS_ZERO))) {
        ret = status_below(node, offset, out->len_bytes, out);
    }
    return ret;
}

BlkNode *
blk_node_skip_filters(BlkNode *node)
{
    while (node && node->driver->role == BLK_ROLE_FILTER && node->file) {
        node = node->file->node;
    }
    return node;
}

BlkNode *
blk_node_below(BlkNode *node)
{
    if (node->driver->role == BLK_ROLE_FILTER && node->file) {
        return node->file->node;
    }
    return node->backing ? node->backing->node : NULL;
}

int
blk_find_allocated(BlkNode *top, BlkNode *base, uint64_t offset, uint64_t len, bool *out_allocated,
                   uint64_t *out_len)
{
    BlkNode *node = blk_node_skip_filters(top);

    base = blk_node_skip_filters(base);
    *out_allocated = false;
    *out_len = len;
    while (node && node != base) {
        uint64_t node_len = blk_node_get_len(node);
        BlkStatus status;
        int ret;

        if (offset < node_len) {
            ret = status_here(node, offset, MIN(*out_len, node_len - offset), &status);
            if (ret < 0) {
                return ret;
            }
            *out_len = status.len_bytes;
            if (status.flags & BLK_STATUS_ALLOCATED) {
                *out_allocated = true;
                return 0;
            }
        }
        node = node->backing ? blk_node_skip_filters(node->backing->node) : NULL;
    }
    return 0;
}

int
blk_describe_run(BlkChild *child, uint64_t offset, uint64_t len, BlkRun *out)
{
    BlkNode *node = blk_node_skip_filters(child->node);
    BlkStatus status;
    int ret = blk_get_status(child, offset, len, &status);

    if (ret < 0) {
        return ret;
    }
    *out = (BlkRun){ .len_bytes = status.len_bytes,
                     .data = status.flags & BLK_STATUS_DATA,
                     .zero = status.flags & BLK_STATUS_ZERO,
                     .compressed = status.flags & BLK_STATUS_COMPRESSED };
    if (status.flags & BLK_STATUS_MAPPED && status.map_node) {
        out->has_offset = true;
        out->offset = status.map_offset;
        out->filename = status.map_node->filename;
    }
    /* Which image of the chain it is. */
    for (unsigned depth = 0; node; depth++) {
        uint64_t node_len = blk_node_get_len(node);
        if (offset < node_len) {
            BlkStatus here;
            ret = status_here(node, offset, MIN(out->len_bytes, node_len - offset), &here);
            if (ret < 0) {
                return ret;
            }
            out->len_bytes = MIN(out->len_bytes, here.len_bytes);
            if (here.flags & BLK_STATUS_ALLOCATED) {
                out->present = true;
                out->depth = depth;
                return 0;
            }
        } else {
            out->depth = depth;
            return 0; /* beyond a short backing image: zeroes, and it is that image that ends */
        }
        out->depth = depth;
        node = node->backing ? blk_node_skip_filters(node->backing->node) : NULL;
    }
    return 0;
}
