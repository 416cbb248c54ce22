/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The last guard: before anything is written, look whether it would land on metadata that it is
 * not meant for. That can only be when refcounts or tables are wrong, so the image is marked
 * corrupt and not written any more. Which kinds are looked for is chosen by overlap-check.
 * Thread: in a fiber. */

#include "qcow2.h"

typedef struct Span {
    uint64_t start, end;
} Span;

static bool
touches(const Span *span, uint64_t offset, uint64_t len)
{
    return len > 0 && offset < span->end && span->start < offset + len;
}

static bool
touches_table_of(const Qcow2 *q, const Span *span, const uint64_t *table, uint64_t size)
{
    /* From the first cluster touched, but never an unused entry's 0; one comparison an entry. */
    uint64_t first = MAX(qcow2_cluster_start(q, span->start), 1);
    uint64_t room = span->end > first ? span->end - first : 0;

    for (uint64_t i = 0; i < size; i++) {
        if ((table[i] & QCOW2_OFFSET_MASK) - first < room) {
            return true;
        }
    }
    return false;
}

static bool
touches_snapshots(const Qcow2 *q, const Span *span)
{
    for (unsigned i = 0; q->snapshots && i < q->snapshots->len; i++) {
        const Qcow2Snapshot *snapshot = g_ptr_array_index(q->snapshots, i);
        if (touches(span, snapshot->l1_offset, (uint64_t)snapshot->l1_size * 8)) {
            return true;
        }
    }
    return false;
}

/* Reads every snapshot's L1 table: slow, and only done when overlap-check=all asks for it. */
static int
touches_inactive_l2(BlkNode *node, const Span *span, bool *out)
{
    const Qcow2 *q = node->state;

    *out = false;
    for (unsigned i = 0; q->snapshots && i < q->snapshots->len && !*out; i++) {
        const Qcow2Snapshot *snapshot = g_ptr_array_index(q->snapshots, i);
        g_autofree uint64_t *l1 = g_new(uint64_t, snapshot->l1_size + 1);
        int ret =
            blk_read_buffer(node->file, snapshot->l1_offset, l1, (size_t)snapshot->l1_size * 8);
        if (ret < 0) {
            return ret;
        }
        for (uint32_t n = 0; n < snapshot->l1_size; n++) {
            l1[n] = GUINT64_FROM_BE(l1[n]);
        }
        *out = touches_table_of(q, span, l1, snapshot->l1_size);
    }
    return 0;
}

static bool
touches_known(const Qcow2 *q, const Span *span, unsigned mask)
{
    return ((mask & QCOW2_OL_HEADER) && touches(span, 0, q->cluster_bytes)) ||
           ((mask & QCOW2_OL_ACTIVE_L1) && touches(span, q->l1_offset, (uint64_t)q->l1_size * 8)) ||
           ((mask & QCOW2_OL_REFCOUNT_TABLE) &&
            touches(span, q->reftable_offset, (uint64_t)q->reftable_clusters << q->cluster_bits)) ||
           ((mask & QCOW2_OL_SNAPSHOT_TABLE) &&
            touches(span, q->snapshots_offset, q->snapshots_bytes)) ||
           ((mask & QCOW2_OL_BITMAP_DIRECTORY) &&
            touches(span, q->bitmap_dir_offset, q->bitmap_dir_bytes)) ||
           ((mask & QCOW2_OL_INACTIVE_L1) && touches_snapshots(q, span)) ||
           ((mask & QCOW2_OL_ACTIVE_L2) && q->l1 && touches_table_of(q, span, q->l1, q->l1_size)) ||
           ((mask & QCOW2_OL_REFCOUNT_BLOCK) && q->reftable &&
            touches_table_of(q, span, q->reftable, q->reftable_used));
}

int
qcow2_check_overlap(BlkNode *node, uint64_t offset, uint64_t len, unsigned ignore)
{
    Qcow2 *q = node->state;
    Span span = { .start = offset, .end = offset + len };
    unsigned mask = q->overlap_mask & ~ignore;
    bool found = touches_known(q, &span, mask);

    if (!found && (mask & QCOW2_OL_INACTIVE_L2)) {
        int ret = touches_inactive_l2(node, &span, &found);
        if (ret < 0) {
            return ret;
        }
    }
    if (found) {
        qcow2_set_corrupt(node);
        return -EIO;
    }
    return 0;
}

void
qcow2_set_corrupt(BlkNode *node)
{
    Qcow2 *q = node->state;

    if (q->is_corrupt) {
        return;
    }
    q->is_corrupt = !node->read_only;
    if (!node->read_only && q->version >= 3) {
        q->overlap_mask = 0; /* the header itself must still be written */
        qcow2_change_incompatible(node, QCOW2_INCOMPAT_CORRUPT, 0);
    }
}
