/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Entries for the descriptors of filters that have nothing to do with some requests. Thread: the
 * lock of the node's context held. */

#include "blk-driver.h"

int
blk_pass_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    return blk_read(node->file, offset, len, vec, at);
}

int
blk_pass_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
               unsigned flags)
{
    return blk_write(node->file, offset, len, vec, at, flags);
}

int
blk_pass_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    return blk_write_zeroes(node->file, offset, len, flags);
}

int
blk_pass_discard(BlkNode *node, uint64_t offset, uint64_t len)
{
    return blk_discard(node->file, offset, len);
}

bool
blk_pass_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    return blk_truncate(node->file, len, prealloc, error);
}
