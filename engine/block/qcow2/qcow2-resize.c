/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Growing, with and without preallocation, and shrinking.
 *
 * The new size is written last when growing and first when shrinking, so that at every moment the
 * tables cover the disk. Thread: in a fiber; nothing else runs on the node. */

#include "qcow2.h"

#include <string.h>

static bool
set_resize_error(BlkNode *node, int ret, uint64_t len, GError **error)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be given %" PRIu64 " bytes: %s.",
                node->filename, len,
                ret == -EFBIG ? "its tables would become too large; use larger clusters"
                              : g_strerror(-ret));
    return false;
}

/* What a shrink left in the last cluster must not come back. */
static int
zero_tail(BlkNode *node, uint64_t old_len, uint64_t len)
{
    Qcow2 *q = node->state;
    uint64_t end = MIN(len, qcow2_clusters_for(q, old_len) << q->cluster_bits);
    Qcow2Extent extent;
    int ret;

    if (end <= old_len) {
        return 0;
    }
    ret = qcow2_lookup(node, old_len, end - old_len, &extent);
    if (ret < 0 || extent.type == QCOW2_UNALLOCATED || extent.type == QCOW2_ZERO) {
        return ret;
    }
    g_autofree void *zeroes = g_malloc0(end - old_len);
    struct iovec iov = { .iov_base = zeroes, .iov_len = end - old_len };
    BlkVec vec = blk_vec_make(&iov, 1);
    return qcow2_write_inside(node, old_len, end - old_len, &vec, 0);
}

static bool
preallocate(BlkNode *node, uint64_t from, uint64_t to, BlkPreallocation prealloc, GError **error)
{
    Qcow2 *q = node->state;
    uint64_t host_end = 0;
    int ret = from < to ? qcow2_preallocate(node, from, to - from, &host_end) : 0;

    if (ret < 0) {
        return set_resize_error(node, ret, to, error);
    }
    if (host_end <= blk_node_get_len(q->data->node)) {
        return true;
    }
    return blk_truncate(q->data, host_end,
                        prealloc == BLK_PREALLOC_METADATA ? BLK_PREALLOC_OFF : prealloc, error);
}

static bool
grow(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    Qcow2 *q = node->state;
    uint64_t old = q->size;
    int ret;

    qcow2_lock(node);
    ret = qcow2_grow_l1(node, qcow2_l1_entries_for(q, len));
    qcow2_unlock(node);
    ret = ret < 0 ? ret : zero_tail(node, old, len);
    if (ret < 0) {
        return set_resize_error(node, ret, len, error);
    }
    if (qcow2_has_data_file(q) && blk_node_get_len(q->data->node) < len &&
        (prealloc != BLK_PREALLOC_OFF || (q->autoclear & QCOW2_AUTOCLEAR_RAW_EXTERNAL_DATA)) &&
        !blk_truncate(q->data, len, prealloc == BLK_PREALLOC_METADATA ? BLK_PREALLOC_OFF : prealloc,
                      error)) {
        return false;
    }
    return prealloc == BLK_PREALLOC_OFF || preallocate(node, old, len, prealloc, error);
}

/* Releases the L2 tables that lie wholly behind the disk. Lock held. */
static void
drop_tables(BlkNode *node)
{
    Qcow2 *q = node->state;

    for (uint64_t i = qcow2_l1_entries_for(q, q->size); i < q->l1_size; i++) {
        uint64_t offset = q->l1[i] & QCOW2_OFFSET_MASK;
        if (offset) {
            q->l1[i] = 0;
            qcow2_mark_l1(q, (uint32_t)i);
            qcow2_free(q, offset, q->cluster_bytes, true);
        }
    }
}

/* Cuts off what no cluster in use lies in. Lock held. */
static int
cut_file(BlkNode *node)
{
    Qcow2 *q = node->state;
    uint64_t file_len = blk_node_get_len(node->file->node);
    uint64_t clusters;
    int ret = qcow2_find_used_end(node, qcow2_clusters_for(q, file_len), &clusters);

    if (ret == 0 && clusters << q->cluster_bits < file_len) {
        blk_truncate(node->file, clusters << q->cluster_bits, BLK_PREALLOC_OFF, NULL);
    }
    return 0;
}

static int
shrink(BlkNode *node, uint64_t old_len)
{
    Qcow2 *q = node->state;
    uint64_t from = qcow2_clusters_for(q, q->size) << q->cluster_bits;
    uint64_t to = qcow2_clusters_for(q, old_len) << q->cluster_bits;
    int ret = qcow2_drop(node, from, to - from);

    qcow2_lock(node);
    if (ret == 0) {
        /* The entries first, and only then the tables that held them. */
        ret = qcow2_commit(node, true);
    }
    if (ret == 0) {
        drop_tables(node);
        ret = qcow2_commit(node, true);
    }
    ret = ret < 0 ? ret : qcow2_commit(node, true);
    ret = ret < 0 || qcow2_has_data_file(q) ? ret : cut_file(node);
    qcow2_unlock(node);
    return ret;
}

static int
write_size(BlkNode *node, uint64_t len)
{
    Qcow2 *q = node->state;
    uint64_t old = q->size;
    int ret;

    qcow2_lock(node);
    ret = qcow2_commit(node, true);
    q->size = len;
    ret = ret < 0 ? ret : qcow2_update_header(node);
    ret = ret < 0 ? ret : blk_flush(node->file);
    if (ret < 0) {
        q->size = old;
    }
    qcow2_unlock(node);
    return ret;
}

bool
qcow2_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    Qcow2 *q = node->state;
    uint64_t old = q->size;
    int ret;

    if (len % QCOW2_SECTOR_BYTES || len > INT64_MAX) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': the size of a qcow2 disk is a multiple of 512 bytes, not %" PRIu64 ".",
                    node->filename, len);
        return false;
    }
    if (q->snapshots->len > 0 && q->version < 3) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE,
                    "'%s' has snapshots, whose size a version 2 image cannot record: delete them, "
                    "or change it with amend -o compat=1.1.",
                    node->filename);
        return false;
    }
    if (len < old && prealloc != BLK_PREALLOC_OFF) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' becomes smaller: preallocation has no meaning there.", node->filename);
        return false;
    }
    ret = qcow2_before_write(node);
    if (ret == 0 && len > old && !grow(node, len, prealloc, error)) {
        return false;
    }
    ret = ret < 0 ? ret : write_size(node, len);
    ret = ret < 0 || len >= old ? ret : shrink(node, old);
    return ret < 0 ? set_resize_error(node, ret, len, error) : true;
}
