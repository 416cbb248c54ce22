/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Zeroes, discards, and giving clusters back: changes to L2 entries without data.
 *
 * Version 2 has no zero flag: there, zeroes are unallocated clusters of images without a backing
 * file, and else data.
 *
 * Thread: in a fiber. */

#include "qcow2.h"

typedef enum Change {
    CHANGE_ZERO_KEEP, /* zeroes, with the room kept */
    CHANGE_ZERO,
    CHANGE_DISCARD, /* reads as zeroes afterwards */
    CHANGE_DROP,    /* shows the backing image */
} Change;

#define ALL_SUBCLUSTERS_ZERO (UINT64_C(0xffffffff) << 32)

static bool
has_backing(const BlkNode *node)
{
    return node->backing || node->backing_file;
}

static bool
can_keep_room(const Qcow2 *q, uint64_t entry)
{
    return !(entry & QCOW2_COMPRESSED) && (entry & QCOW2_COPIED) &&
           ((entry & QCOW2_OFFSET_MASK) || qcow2_has_data_file(q));
}

static void
make_whole_zero(Qcow2 *q, Qcow2Table *slice, unsigned index, uint64_t old, bool keep,
                bool is_discard)
{
    uint64_t entry = 0;

    keep = keep && can_keep_room(q, old);
    if (keep) {
        entry = (old & QCOW2_OFFSET_MASK) | QCOW2_COPIED;
    }
    if (!q->extended_l2) {
        entry |= QCOW2_ALL_ZEROES;
    }
    qcow2_set_entry(q, slice, index, entry, ALL_SUBCLUSTERS_ZERO);
    if (!keep) {
        qcow2_free_entry(q, old, is_discard);
    }
}

static void
make_unallocated(Qcow2 *q, Qcow2Table *slice, unsigned index, uint64_t old)
{
    qcow2_set_entry(q, slice, index, 0, 0);
    qcow2_free_entry(q, old, true);
}

/* A whole cluster. */
static void
change_cluster(BlkNode *node, Qcow2Table *slice, unsigned index, Change change)
{
    Qcow2 *q = node->state;
    uint64_t bitmap, old = qcow2_get_entry(q, slice, index, &bitmap);
    bool is_blank = old == 0 && bitmap == 0;

    if (is_blank && (change == CHANGE_DROP || !has_backing(node))) {
        return;
    }
    if (change == CHANGE_DROP || (change == CHANGE_DISCARD && !has_backing(node)) ||
        q->version < 3) {
        make_unallocated(q, slice, index, old);
    } else {
        make_whole_zero(q, slice, index, old, change == CHANGE_ZERO_KEEP, change == CHANGE_DISCARD);
    }
}

/* Some subclusters become zeroes. */
static int
zero_subclusters(const Qcow2 *q, Qcow2Table *slice, unsigned index, uint64_t offset, uint64_t len)
{
    unsigned first = (unsigned)(qcow2_in_cluster(q, offset) >> q->subcluster_bits);
    unsigned count = (unsigned)(len >> q->subcluster_bits);
    uint64_t bits = ((UINT64_C(1) << count) - 1) << first, bitmap;
    uint64_t entry = qcow2_get_entry(q, slice, index, &bitmap);

    if (entry & QCOW2_COMPRESSED) {
        return -ENOTSUP;
    }
    qcow2_set_entry(q, slice, index, entry, (bitmap & ~bits) | bits << 32);
    return 0;
}

static int
change_in_slice(BlkNode *node, uint64_t offset, uint64_t *len, Change change)
{
    Qcow2 *q = node->state;
    unsigned per_slice = q->slice_bytes / q->entry_bytes, index;
    uint64_t left = *len;
    Qcow2Table *slice;
    int ret = qcow2_get_slice(node, offset, &slice, &index);

    if (ret < 0) {
        return ret;
    }
    while (left > 0 && index < per_slice && ret == 0) {
        uint64_t piece = MIN(left, q->cluster_bytes - qcow2_in_cluster(q, offset));
        if (piece == q->cluster_bytes || change == CHANGE_DROP || change == CHANGE_DISCARD) {
            change_cluster(node, slice, index, change);
        } else {
            ret = zero_subclusters(q, slice, index, offset, piece);
        }
        offset += piece;
        left -= piece;
        index++;
    }
    q->data_before_l2 = true;
    qcow2_cache_put(slice);
    *len -= left;
    return ret < 0 ? ret : qcow2_relieve(node);
}

/* Skips what has no L2 table at all, where that already is what is wanted. */
static uint64_t
skip_without_table(const BlkNode *node, uint64_t offset, uint64_t len, Change change)
{
    const Qcow2 *q = node->state;
    unsigned shift = q->cluster_bits + q->l2_bits;
    uint64_t index = offset >> shift, span = UINT64_C(1) << shift;

    if ((change != CHANGE_DROP && has_backing(node)) ||
        (index < q->l1_size && (q->l1[index] & QCOW2_OFFSET_MASK))) {
        return 0;
    }
    return MIN(len, span - (offset & (span - 1)));
}

static int
change_range(BlkNode *node, uint64_t offset, uint64_t len, Change change)
{
    Qcow2 *q = node->state;
    BlkRange range;
    int ret = 0;

    blk_range_acquire(node->context, &q->allocations, &range, qcow2_cluster_start(q, offset),
                      qcow2_cluster_start(q, offset + len - 1) + q->cluster_bytes, true);
    while (len > 0 && ret == 0) {
        uint64_t piece = skip_without_table(node, offset, len, change);
        if (piece == 0) {
            piece = len;
            qcow2_lock(node);
            ret = change_in_slice(node, offset, &piece, change);
            qcow2_unlock(node);
        }
        offset += piece;
        len -= piece;
    }
    blk_range_release(node->context, &q->allocations, &range);
    return ret;
}

int
qcow2_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    Qcow2 *q = node->state;
    bool unmap = flags & BLK_REQ_MAY_UNMAP;
    BlkRange gate;
    int ret;

    if (q->is_corrupt) {
        return -EIO;
    }
    if (q->version < 3 && (has_backing(node) || !unmap)) {
        return -ENOTSUP;
    }
    qcow2_enter(node, &gate, false);
    ret = qcow2_before_write(node);
    if (ret == 0 && (q->autoclear & QCOW2_AUTOCLEAR_RAW_EXTERNAL_DATA)) {
        /* The data file by itself shows the disk too. */
        ret = blk_write_zeroes(q->data, offset, len, flags);
    }
    ret = ret < 0 ? ret : change_range(node, offset, len, unmap ? CHANGE_ZERO : CHANGE_ZERO_KEEP);
    qcow2_leave(node, &gate);
    return ret;
}

int
qcow2_discard(BlkNode *node, uint64_t offset, uint64_t len)
{
    Qcow2 *q = node->state;
    BlkRange gate;
    int ret;

    if ((q->version < 3 && has_backing(node)) ||
        (q->autoclear & QCOW2_AUTOCLEAR_RAW_EXTERNAL_DATA)) {
        return -ENOTSUP;
    }
    if (q->is_corrupt) {
        return -EIO;
    }
    qcow2_enter(node, &gate, false);
    ret = qcow2_before_write(node);
    ret = ret < 0 ? ret : change_range(node, offset, len, CHANGE_DISCARD);
    if (ret == 0 && qcow2_has_data_file(q) && q->pass_discard_request) {
        ret = blk_discard(q->data, offset, len);
    }
    qcow2_leave(node, &gate);
    return ret;
}

int
qcow2_drop(BlkNode *node, uint64_t offset, uint64_t len)
{
    return len > 0 ? change_range(node, offset, len, CHANGE_DROP) : 0;
}

int
qcow2_make_empty(BlkNode *node)
{
    Qcow2 *q = node->state;
    BlkRange gate;
    int ret;

    qcow2_enter(node, &gate, false);
    ret = qcow2_before_write(node);
    ret = ret < 0 ? ret : qcow2_drop(node, 0, qcow2_clusters_for(q, q->size) << q->cluster_bits);
    qcow2_leave(node, &gate);
    return ret;
}
