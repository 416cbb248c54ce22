/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Reading, and saying what lies where. Each run of alike clusters is one request below.
 * Thread: in a fiber. */

#include "qcow2.h"

#include "qcow2-crypt.h"

#include <string.h>

static int
read_packed(BlkNode *node, const Qcow2Extent *extent, uint64_t offset, const BlkVec *vec,
            uint64_t at)
{
    Qcow2 *q = node->state;
    g_autofree uint8_t *in = g_malloc(extent->packed_bytes);
    g_autofree uint8_t *out = g_malloc(q->cluster_bytes);
    int ret = blk_read_buffer(node->file, extent->host_offset, in, extent->packed_bytes);

    ret = ret < 0 ? ret
                  : qcow2_uncompress(node->context, q->compression_type, in, extent->packed_bytes,
                                     out, q->cluster_bytes);
    if (ret == 0) {
        blk_vec_scatter(vec, at, out + qcow2_in_cluster(q, offset), extent->len);
    }
    return ret;
}

static int
read_encrypted(BlkNode *node, const Qcow2Extent *extent, uint64_t offset, const BlkVec *vec,
               uint64_t at)
{
    enum { CHUNK_BYTES = 1 << 20 };
    Qcow2 *q = node->state;
    uint64_t done = 0, chunk = MIN(extent->len, CHUNK_BYTES);
    g_autofree uint8_t *buf = g_malloc(chunk);
    int ret = 0;

    while (done < extent->len && ret == 0) {
        uint64_t len = MIN(chunk, extent->len - done);
        ret = blk_read_buffer(q->data, extent->host_offset + done, buf, len);
        ret = ret < 0 ? ret
                      : qcow2_crypt_run(node->context, q->crypt, false, offset + done,
                                        extent->host_offset + done, buf, len);
        if (ret == 0) {
            blk_vec_scatter(vec, at + done, buf, len);
        }
        done += len;
    }
    return ret;
}

static int
read_extent(BlkNode *node, const Qcow2Extent *extent, uint64_t offset, const BlkVec *vec,
            uint64_t at)
{
    Qcow2 *q = node->state;

    switch (extent->type) {
    case QCOW2_UNALLOCATED:
    case QCOW2_UNALLOCATED_HOST: return blk_read_backing(node, offset, extent->len, vec, at);
    case QCOW2_ZERO:
    case QCOW2_ZERO_HOST: blk_vec_fill(vec, at, extent->len, 0); return 0;
    case QCOW2_NORMAL:
        return q->crypt ? read_encrypted(node, extent, offset, vec, at)
                        : blk_read(q->data, extent->host_offset, extent->len, vec, at);
    case QCOW2_PACKED: return read_packed(node, extent, offset, vec, at);
    default: return -EIO;
    }
}

int
qcow2_read_inside(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    Qcow2 *q = node->state;
    int ret = 0;

    while (len > 0 && ret == 0) {
        Qcow2Access access;
        Qcow2Extent extent;

        qcow2_begin_access(q, &access);
        ret = qcow2_lookup(node, offset, len, &extent);
        ret = ret < 0 ? ret : read_extent(node, &extent, offset, vec, at);
        qcow2_end_access(q, &access);
        offset += extent.len;
        at += extent.len;
        len -= ret < 0 ? 0 : extent.len;
    }
    return ret;
}

int
qcow2_read_inside_buffer(BlkNode *node, uint64_t offset, void *buf, size_t len)
{
    struct iovec iov = { .iov_base = buf, .iov_len = len };
    BlkVec vec = blk_vec_make(&iov, 1);

    return qcow2_read_inside(node, offset, len, &vec, 0);
}

/* Parts of the request beyond the end of the disk are zeroes: the end may not be a multiple of
 * what the request was rounded to. */
int
qcow2_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    const Qcow2 *q = node->state;
    uint64_t there = offset >= q->size ? 0 : MIN(len, q->size - offset);
    BlkRange gate;
    int ret;

    qcow2_enter(node, &gate, false);
    ret = qcow2_read_inside(node, offset, there, vec, at);
    qcow2_leave(node, &gate);
    if (ret == 0 && there < len) {
        blk_vec_fill(vec, at + there, len - there, 0);
    }
    return ret;
}

/* Images whose clusters were allocated before they were written lie in holes of their file, as
 * those with a data file may: the host knows what of them is zero. It is asked only then, as it
 * takes longer than a look at the tables. Other images have no holes, or one in ten of what they
 * take. */
static bool
may_lie_in_holes(BlkNode *node)
{
    Qcow2 *q = node->state;

    if (!q->knows_holes) {
        int64_t allocated = blk_node_get_allocated_len(q->data->node);
        uint64_t len = blk_node_get_len(q->data->node);
        q->knows_holes = true;
        q->has_holes =
            allocated >= 0 && (qcow2_has_data_file(q) || (uint64_t)allocated < len / 10 * 9);
    }
    return q->has_holes;
}

static void
look_for_hole(BlkNode *node, BlkStatus *out)
{
    const Qcow2 *q = node->state;
    BlkStatus below;

    if (may_lie_in_holes(node) &&
        blk_get_status(q->data, out->map_offset, out->len_bytes, &below) == 0) {
        out->len_bytes = below.len_bytes;
        out->flags |= below.flags & BLK_STATUS_ZERO;
    }
}

int
qcow2_status(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out)
{
    static const unsigned flags[] = {
        [QCOW2_UNALLOCATED] = 0,
        [QCOW2_UNALLOCATED_HOST] = 0,
        [QCOW2_ZERO] = BLK_STATUS_ZERO | BLK_STATUS_ALLOCATED,
        [QCOW2_ZERO_HOST] = BLK_STATUS_ZERO | BLK_STATUS_ALLOCATED,
        [QCOW2_NORMAL] = BLK_STATUS_DATA | BLK_STATUS_ALLOCATED,
        [QCOW2_PACKED] = BLK_STATUS_DATA | BLK_STATUS_ALLOCATED | BLK_STATUS_COMPRESSED,
    };
    Qcow2 *q = node->state;
    Qcow2Access access;
    Qcow2Extent extent;
    int ret;

    qcow2_begin_access(q, &access);
    ret = qcow2_lookup(node, offset, len, &extent);
    if (ret == 0) {
        out->flags = flags[extent.type];
        out->len_bytes = extent.len;
    }
    if (ret == 0 && !q->crypt && (extent.type == QCOW2_NORMAL || extent.type == QCOW2_ZERO_HOST)) {
        out->flags |= BLK_STATUS_MAPPED;
        out->map_node = q->data->node;
        out->map_offset = extent.host_offset;
        if (extent.type == QCOW2_NORMAL) {
            look_for_hole(node, out);
        }
    }
    qcow2_end_access(q, &access);
    return ret;
}
