/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The filter "throttle": requests through it wait for the limits of its group, an object
 * throttle-group. Thread: the lock of the node's context held. */

#include "blk-throttle.h"

#include <string.h>

typedef struct ThrottleNode {
    char *group_name;
    BlkThrottleMember member;
} ThrottleNode;

static bool
throttle_open(BlkNode *node, GError **error)
{
    ThrottleNode *throttle = node->state;

    if (!blk_throttle_group_find(node->graph, throttle->group_name)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "There is no throttle group '%s'. Make it with -object throttle-group,id=%s.",
                    throttle->group_name, throttle->group_name);
        return false;
    }
    blk_throttle_join(&throttle->member, node->graph,
                      blk_throttle_group_get(node->graph, throttle->group_name));
    return true;
}

static void
throttle_close(BlkNode *node)
{
    blk_throttle_leave(&((ThrottleNode *)node->state)->member);
}

static int
throttle_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    blk_throttle_wait(&((ThrottleNode *)node->state)->member, false, len);
    return blk_read(node->file, offset, len, vec, at);
}

static int
throttle_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
               unsigned flags)
{
    blk_throttle_wait(&((ThrottleNode *)node->state)->member, true, len);
    return blk_write(node->file, offset, len, vec, at, flags);
}

static int
throttle_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    blk_throttle_wait(&((ThrottleNode *)node->state)->member, true, len);
    return blk_write_zeroes(node->file, offset, len, flags);
}

static int
throttle_discard(BlkNode *node, uint64_t offset, uint64_t len)
{
    blk_throttle_wait(&((ThrottleNode *)node->state)->member, true, len);
    return blk_discard(node->file, offset, len);
}

static const VitProp options[] = {
    VIT_PROP_STRING(ThrottleNode, group_name, "throttle-group", NULL,
                    VIT_N_("Object throttle-group whose limits hold"), .flags = VIT_PROP_REQUIRED),
    { 0 },
};

static const BlkChildSlot slots[] = { { .name = "file", .required = true, .probe = true }, { 0 } };

const BlkDriver blk_throttle_driver = {
    .name = "throttle",
    .title = VIT_N_("Limits of bytes and requests per second"),
    .role = BLK_ROLE_FILTER,
    .state_size = sizeof(ThrottleNode),
    .options = options,
    .slots = slots,
    .open = throttle_open,
    .close = throttle_close,
    .read = throttle_read,
    .write = throttle_write,
    .write_zeroes = throttle_write_zeroes,
    .discard = throttle_discard,
    .truncate = blk_pass_truncate,
};
