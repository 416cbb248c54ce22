/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The filter "preallocate": a file that grows by writes beyond its end grows in large steps, so
 * that its filesystem keeps it together. The node's length is what was written; the file's is
 * longer while the node is writable, and is cut back when it is closed or becomes read-only. A
 * process that is killed leaves the longer file, whose end reads as zeroes.
 *
 * Thread: the lock of the node's context held. */

#include "blk-graph-private.h"

#include <errno.h>

typedef struct Preallocate {
    uint64_t align, size; /* prealloc-align, prealloc-size */
    uint64_t data_end;    /* the node's length */
    uint64_t file_end;    /* the file's; as long as data_end where nothing is preallocated */
    bool busy;            /* the file is being made longer */
    BlkWaitQueue waiters;
} Preallocate;

static bool
prealloc_open(BlkNode *node, GError **error)
{
    Preallocate *p = node->state;

    if (p->align & (p->align - 1)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "preallocate: prealloc-align=%" G_GUINT64_FORMAT " is not a power of two.",
                    p->align);
        return false;
    }
    p->data_end = p->file_end = blk_node_get_len(node->file->node);
    return true;
}

/* Makes the file reach beyond END. One at a time; that it fails does not fail the write, which then
 * makes the file longer itself. */
static void
grow(BlkNode *node, uint64_t end)
{
    Preallocate *p = node->state;

    while (p->busy) {
        blk_wait(node->context, &p->waiters);
    }
    if (end > p->file_end && end <= INT64_MAX - p->align && p->size <= INT64_MAX - end - p->align) {
        uint64_t wanted = blk_round_up(end + p->size, p->align);

        p->busy = true;
        if (blk_truncate(node->file, wanted, BLK_PREALLOC_FALLOC, NULL) ||
            blk_truncate(node->file, wanted, BLK_PREALLOC_OFF, NULL)) {
            p->file_end = wanted;
        }
        p->busy = false;
        blk_wake_all(node->context, &p->waiters);
    }
}

static void
note_end(BlkNode *node, uint64_t end, int ret)
{
    Preallocate *p = node->state;

    if (ret >= 0) {
        p->data_end = MAX(p->data_end, end);
        p->file_end = MAX(p->file_end, end);
    }
}

static int
prealloc_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
               unsigned flags)
{
    int ret;

    if (offset + len > ((Preallocate *)node->state)->file_end) {
        grow(node, offset + len);
    }
    ret = blk_write(node->file, offset, len, vec, at, flags);
    note_end(node, offset + len, ret);
    return ret;
}

static int
prealloc_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    int ret;

    if (offset + len > ((Preallocate *)node->state)->file_end) {
        grow(node, offset + len);
    }
    ret = blk_write_zeroes(node->file, offset, len, flags);
    note_end(node, offset + len, ret);
    return ret;
}

static int64_t
prealloc_get_len(BlkNode *node)
{
    return (int64_t)((Preallocate *)node->state)->data_end;
}

static bool
prealloc_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    Preallocate *p = node->state;

    if (!blk_truncate(node->file, len, prealloc, error)) {
        return false;
    }
    p->data_end = p->file_end = len;
    return true;
}

/* Gives back what was not used. */
static bool
settle(BlkNode *node, GError **error)
{
    Preallocate *p = node->state;

    if (p->file_end > p->data_end &&
        !blk_truncate(node->file, p->data_end, BLK_PREALLOC_OFF, error)) {
        return false;
    }
    p->file_end = p->data_end;
    return true;
}

static bool
prealloc_set_read_only(BlkNode *node, bool read_only, GError **error)
{
    return !read_only || settle(node, error);
}

static void
prealloc_close(BlkNode *node)
{
    if (node->opened && !node->read_only) {
        settle(node, NULL);
    }
}

/* Nobody else may see or change the file's length while it is longer than it says. */
static void
prealloc_child_perm(BlkNode *node, const BlkChild *child, unsigned *perm, unsigned *shared)
{
    if (!node->read_only) {
        *perm |= BLK_PERM_WRITE | BLK_PERM_RESIZE;
        *shared &= ~(BLK_PERM_WRITE | BLK_PERM_RESIZE);
    }
}

static const VitProp options[] = {
    VIT_PROP_SIZE(Preallocate, align, "prealloc-align", 1 << 20, 1, INT64_C(1) << 40,
                  VIT_N_("The file ends at multiples of this")),
    VIT_PROP_SIZE(Preallocate, size, "prealloc-size", 128 << 20, 0, INT64_C(1) << 40,
                  VIT_N_("How much longer the file becomes at once")),
    { 0 },
};

static const BlkChildSlot slots[] = { { .name = "file", .required = true }, { 0 } };

const BlkDriver blk_preallocate_driver = {
    .name = "preallocate",
    .title = VIT_N_("Grows a file in large steps"),
    .role = BLK_ROLE_FILTER,
    .state_size = sizeof(Preallocate),
    .options = options,
    .slots = slots,
    .open = prealloc_open,
    .close = prealloc_close,
    .read = blk_pass_read,
    .write = prealloc_write,
    .write_zeroes = prealloc_write_zeroes,
    .discard = blk_pass_discard,
    .get_len = prealloc_get_len,
    .truncate = prealloc_truncate,
    .set_read_only = prealloc_set_read_only,
    .child_perm = prealloc_child_perm,
};
