/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* When metadata goes to disk, and in which order.
 *
 * A commit writes, with a flush between the steps:
 *   1. refcount blocks, then the refcount table's entries for new blocks,
 *   2. L2 tables (with step 1 and all data stable),
 *   3. L1 entries (with the tables stable),
 * and, for a guest's flush, a last flush. After that the references that were removed are gone for
 * good and their decrements may be made. Steps that have nothing to write cost nothing, so a flush
 * after writes into allocated clusters is one flush of the file.
 *
 * With lazy refcounts step 1 is left out until the image is closed; the dirty bit says so.
 *
 * Thread: in a fiber. */

#include "qcow2.h"

enum { MAX_QUEUED_FREES = 4096 };

void
qcow2_lock(BlkNode *node)
{
    Qcow2 *q = node->state;

    while (q->is_locked) {
        blk_wait(node->context, &q->lock_waiters);
    }
    q->is_locked = true;
}

void
qcow2_unlock(BlkNode *node)
{
    Qcow2 *q = node->state;

    q->is_locked = false;
    blk_wake_first(node->context, &q->lock_waiters);
}

void
qcow2_enter(BlkNode *node, BlkRange *range, bool exclusive)
{
    Qcow2 *q = node->state;

    blk_range_acquire(node->context, &q->gate, range, 0, 1, exclusive);
}

void
qcow2_leave(BlkNode *node, BlkRange *range)
{
    Qcow2 *q = node->state;

    blk_range_release(node->context, &q->gate, range);
}

void
qcow2_begin_access(Qcow2 *q, Qcow2Access *access)
{
    *access = (Qcow2Access){ .number = ++q->access_number, .previous = q->last_access };
    if (q->last_access) {
        q->last_access->next = access;
    } else {
        q->first_access = access;
    }
    q->last_access = access;
}

void
qcow2_end_access(Qcow2 *q, Qcow2Access *access)
{
    if (access->previous) {
        access->previous->next = access->next;
    } else {
        q->first_access = access->next;
    }
    if (access->next) {
        access->next->previous = access->previous;
    } else {
        q->last_access = access->previous;
    }
}

int
qcow2_write_meta(BlkNode *node, uint64_t offset, const void *buf, size_t len, unsigned check)
{
    int ret = qcow2_check_overlap(node, offset, len, check);

    return ret < 0 ? ret : blk_write_buffer(node->file, offset, buf, len, 0);
}

/* ---- the steps ---- */

static int
flush_data(BlkNode *node)
{
    Qcow2 *q = node->state;
    int ret = q->data != node->file ? blk_flush(q->data) : 0;

    return ret < 0 ? ret : blk_flush(node->file);
}

/* Entries FROM..TO of a table in host order, widened to whole sectors. */
static int
write_entries(BlkNode *node, uint64_t offset, const uint64_t *table, uint64_t size, uint64_t from,
              uint64_t to, unsigned check)
{
    enum { PER_SECTOR = QCOW2_SECTOR_BYTES / 8 };
    g_autofree uint64_t *buf = NULL;

    from = from / PER_SECTOR * PER_SECTOR;
    to = MIN((to + PER_SECTOR - 1) / PER_SECTOR * PER_SECTOR, size);
    buf = g_new(uint64_t, to - from);
    for (uint64_t i = from; i < to; i++) {
        buf[i - from] = GUINT64_TO_BE(table[i]);
    }
    return qcow2_write_meta(node, offset + from * 8, buf, (to - from) * 8, check);
}

static int
write_refcounts(BlkNode *node)
{
    Qcow2 *q = node->state;
    int ret = 0;

    if (qcow2_cache_is_dirty(q->ref_cache)) {
        q->data_before_l2 = true;
        ret = qcow2_cache_write(node, q->ref_cache, QCOW2_OL_REFCOUNT_BLOCK);
    }
    if (ret == 0 && q->reftable_dirty_from < q->reftable_dirty_to) {
        ret = blk_flush(node->file);
        ret = ret < 0 ? ret
                      : write_entries(node, q->reftable_offset, q->reftable, q->reftable_size,
                                      q->reftable_dirty_from, q->reftable_dirty_to,
                                      QCOW2_OL_REFCOUNT_TABLE);
        if (ret == 0) {
            q->reftable_dirty_from = q->reftable_dirty_to = 0;
        }
    }
    return ret;
}

int
qcow2_write_l1(BlkNode *node)
{
    Qcow2 *q = node->state;
    int ret = write_entries(node, q->l1_offset, q->l1, q->l1_size, q->l1_dirty_from, q->l1_dirty_to,
                            QCOW2_OL_ACTIVE_L1);

    if (ret == 0) {
        q->l1_dirty_from = q->l1_dirty_to = 0;
    }
    return ret;
}

static int
write_mappings(BlkNode *node)
{
    Qcow2 *q = node->state;
    bool has_l1 = q->l1_dirty_from < q->l1_dirty_to;
    int ret = 0;

    if (!has_l1 && !qcow2_cache_is_dirty(q->l2_cache)) {
        return 0;
    }
    if (q->data_before_l2) {
        ret = flush_data(node);
    }
    if (ret == 0) {
        q->data_before_l2 = false;
        ret = qcow2_cache_write(node, q->l2_cache, QCOW2_OL_ACTIVE_L2);
    }
    if (ret == 0 && has_l1) {
        ret = blk_flush(node->file);
        ret = ret < 0 ? ret : qcow2_write_l1(node);
    }
    return ret;
}

int
qcow2_commit(BlkNode *node, bool flush)
{
    Qcow2 *q = node->state;
    int ret;

    if (q->is_corrupt) {
        return -EIO;
    }
    ret = q->is_lazy ? 0 : write_refcounts(node);
    ret = ret < 0 ? ret : write_mappings(node);
    if (ret < 0 || !flush) {
        return ret;
    }
    ret = flush_data(node);
    if (ret == 0) {
        for (unsigned i = q->frees->len; i > 0; i--) {
            Qcow2Free *entry = &g_array_index(q->frees, Qcow2Free, i - 1);
            if (entry->number) {
                break;
            }
            entry->number = q->access_number;
            if (entry->number == 0) {
                entry->number = q->access_number = 1;
            }
        }
        ret = qcow2_apply_frees(node);
    }
    return ret;
}

int
qcow2_relieve(BlkNode *node)
{
    Qcow2 *q = node->state;

    if (q->frees->len > MAX_QUEUED_FREES || qcow2_cache_is_full(q->l2_cache)) {
        return qcow2_commit(node, true);
    }
    /* Increments may go to disk at any time, and so may decrements whose time has come. */
    return qcow2_cache_is_full(q->ref_cache) ? write_refcounts(node) : 0;
}

/* ---- the dirty bit ---- */

int
qcow2_mark_dirty(BlkNode *node)
{
    Qcow2 *q = node->state;
    int ret;

    if (q->is_dirty_marked || q->version < 3) {
        return 0;
    }
    ret = qcow2_change_incompatible(node, QCOW2_INCOMPAT_DIRTY, 0);
    q->is_dirty_marked = ret == 0;
    return ret;
}

int
qcow2_mark_clean(BlkNode *node)
{
    Qcow2 *q = node->state;
    int ret;

    if (!q->is_dirty_marked || q->keep_dirty || q->is_corrupt) {
        return 0;
    }
    ret = write_refcounts(node);
    ret = ret < 0 ? ret : qcow2_change_incompatible(node, 0, QCOW2_INCOMPAT_DIRTY);
    q->is_dirty_marked = q->is_dirty_marked && ret < 0;
    return ret;
}
