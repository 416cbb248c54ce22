/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The filter "blkreplay": where the disk's requests enter the log of a recorded run. As runs are
 * not recorded or replayed here yet (-icount rr=), it hands everything on as it comes, like its
 * model does outside of such a run; command lines that name it work. Thread: the lock of the node's
 * context held. */

#include "blk-driver.h"

static int
replay_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    return blk_read(node->file, offset, len, vec, at);
}

static int
replay_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
             unsigned flags)
{
    return blk_write(node->file, offset, len, vec, at, flags);
}

static int
replay_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    return blk_write_zeroes(node->file, offset, len, flags);
}

static int
replay_discard(BlkNode *node, uint64_t offset, uint64_t len)
{
    return blk_discard(node->file, offset, len);
}

static const BlkChildSlot slots[] = { { .name = "image", .required = true, .probe = true }, { 0 } };

const BlkDriver blk_blkreplay_driver = {
    .name = "blkreplay",
    .title = VIT_N_("Disk of a recorded run"),
    .role = BLK_ROLE_FILTER,
    .slots = slots,
    .read = replay_read,
    .write = replay_write,
    .write_zeroes = replay_write_zeroes,
    .discard = replay_discard,
};
