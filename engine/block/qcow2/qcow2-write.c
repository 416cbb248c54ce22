/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Writing.
 *
 * What lies in clusters of its own is overwritten in place, without a look at the lock. Otherwise
 * the request holds its range of q->allocations alone, gets clusters under the lock, writes data
 * with what is to be kept around it without the lock, and links the clusters under the lock again.
 * Linking is in memory; qcow2-commit.c brings it to disk after the data.
 *
 * Thread: in a fiber. */

#include "qcow2.h"

#include "qcow2-crypt.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PIECE_BYTES = 32 << 20 };

/* Clusters that are allocated or filled by one request. */
typedef struct Piece {
    uint64_t offset, len; /* of the request, within the clusters */
    uint64_t first;       /* guest address of the first cluster */
    uint64_t count;       /* clusters */
    uint64_t host;        /* where the first is */
    bool is_new;          /* allocated just now, rather than there without data */
    uint64_t from, to;    /* what is written: the request with the parts that are kept */
} Piece;

/* ---- data ---- */

static int
write_encrypted(BlkNode *node, uint64_t guest, uint64_t host, uint64_t len, const BlkVec *vec,
                uint64_t at)
{
    enum { CHUNK_BYTES = 1 << 20 };
    Qcow2 *q = node->state;
    uint64_t done = 0, chunk = MIN(len, CHUNK_BYTES);
    g_autofree uint8_t *buf = g_malloc(chunk);
    int ret = 0;

    while (done < len && ret == 0) {
        uint64_t part = MIN(chunk, len - done);
        blk_vec_gather(vec, at + done, buf, part);
        ret = qcow2_crypt_run(node->context, q->crypt, true, guest + done, host + done, buf, part);
        ret = ret < 0 ? ret : blk_write_buffer(q->data, host + done, buf, part, 0);
        done += part;
    }
    return ret;
}

static int
write_data(BlkNode *node, uint64_t guest, uint64_t host, uint64_t len, const BlkVec *vec,
           uint64_t at)
{
    Qcow2 *q = node->state;
    int ret = qcow2_has_data_file(q) ? 0 : qcow2_check_overlap(node, host, len, 0);

    if (ret < 0) {
        return ret;
    }
    return q->crypt ? write_encrypted(node, guest, host, len, vec, at)
                    : blk_write(q->data, host, len, vec, at, 0);
}

static int
write_in_place(BlkNode *node, const Qcow2Extent *extent, uint64_t offset, const BlkVec *vec,
               uint64_t at)
{
    return write_data(node, offset, extent->host_offset, extent->len, vec, at);
}

/* ---- which clusters ---- */

static uint64_t
subcluster_floor(const Qcow2 *q, uint64_t offset)
{
    return offset >> q->subcluster_bits << q->subcluster_bits;
}

/* Whether the cluster with this entry can take data where it is. */
static bool
has_own_room(const Qcow2 *q, uint64_t entry)
{
    return !(entry & QCOW2_COMPRESSED) && (entry & QCOW2_COPIED) &&
           ((entry & QCOW2_OFFSET_MASK) || qcow2_has_data_file(q));
}

static bool
has_data_to_keep(const Qcow2 *q, uint64_t entry, uint64_t bitmap)
{
    if (entry & QCOW2_COMPRESSED) {
        return true;
    }
    return q->extended_l2 ? (uint32_t)bitmap != 0
                          : (entry & QCOW2_OFFSET_MASK) && !(entry & QCOW2_ALL_ZEROES);
}

static bool
is_normal(const Qcow2 *q, const uint8_t *at, uint64_t offset)
{
    Qcow2Extent extent;

    qcow2_decode(q, at, (unsigned)(qcow2_in_cluster(q, offset) >> q->subcluster_bits), &extent);
    return extent.type == QCOW2_NORMAL;
}

/* How much around the request is to be kept, for its first and last cluster. */
static void
find_kept_parts(const Qcow2 *q, const Qcow2Table *slice, unsigned index, Piece *piece)
{
    const uint8_t *first = slice->data + (size_t)index * q->entry_bytes;
    const uint8_t *last = first + (size_t)(piece->count - 1) * q->entry_bytes;
    uint64_t end = piece->offset + piece->len, entry, bitmap;

    piece->from = subcluster_floor(q, piece->offset);
    piece->to = subcluster_floor(q, end + (UINT64_C(1) << q->subcluster_bits) - 1);
    if (!piece->is_new) {
        /* Data that is there stays where it is. */
        piece->from = is_normal(q, first, piece->offset) ? piece->offset : piece->from;
        piece->to = is_normal(q, last, end - 1) ? end : piece->to;
        return;
    }
    entry = qcow2_get_entry(q, slice, index, &bitmap);
    if (has_data_to_keep(q, entry, bitmap)) {
        piece->from = piece->first;
    }
    entry = qcow2_get_entry(q, slice, index + (unsigned)piece->count - 1, &bitmap);
    if (has_data_to_keep(q, entry, bitmap)) {
        piece->to = piece->first + (piece->count << q->cluster_bits);
    }
}

static int
alloc_clusters(BlkNode *node, Piece *piece)
{
    Qcow2 *q = node->state;
    int64_t host;

    if (qcow2_has_data_file(q)) {
        piece->host = piece->first;
        return 0;
    }
    host = qcow2_alloc_some(node, &piece->count);
    piece->host = (uint64_t)host;
    return host < 0 ? (int)host : 0;
}

/* Fills PIECE for as many clusters from its offset on as can be treated together. Lock held. */
static int
plan_piece(BlkNode *node, Piece *piece)
{
    Qcow2 *q = node->state;
    Qcow2Table *slice;
    unsigned index, per_slice = q->slice_bytes / q->entry_bytes;
    uint64_t entry, next, wanted;
    int ret = qcow2_get_slice(node, piece->offset, &slice, &index);

    if (ret < 0) {
        return ret;
    }
    piece->first = qcow2_cluster_start(q, piece->offset);
    wanted = qcow2_clusters_for(q, piece->offset + piece->len - piece->first);
    wanted = MIN(wanted, per_slice - index);
    entry = qcow2_get_entry(q, slice, index, NULL);
    piece->is_new = !has_own_room(q, entry);
    for (piece->count = 1; piece->count < wanted; piece->count++) {
        next = qcow2_get_entry(q, slice, index + (unsigned)piece->count, NULL);
        if (has_own_room(q, next) == piece->is_new ||
            (!piece->is_new &&
             (next & QCOW2_OFFSET_MASK) !=
                 (entry & QCOW2_OFFSET_MASK) + (piece->count << q->cluster_bits))) {
            break;
        }
    }
    if (piece->is_new) {
        ret = alloc_clusters(node, piece);
    } else {
        piece->host = entry & QCOW2_OFFSET_MASK;
    }
    if (ret == 0) {
        piece->len =
            MIN(piece->len, piece->first + (piece->count << q->cluster_bits) - piece->offset);
        find_kept_parts(q, slice, index, piece);
    }
    qcow2_cache_put(slice);
    return ret;
}

/* ---- filling ---- */

/* Old content for [from, to), which may reach beyond the end of the disk. */
static int
read_kept(BlkNode *node, uint64_t from, uint64_t to, uint8_t *buf)
{
    const Qcow2 *q = node->state;
    /* Beyond the disk lies only the area for machine states, which has clusters of its own. */
    uint64_t end = from < q->size ? MIN(to, q->size) : to;

    memset(buf + (end - from), 0, to - end);
    return end > from ? qcow2_read_inside_buffer(node, from, buf, end - from) : 0;
}

static int
fill_piece(BlkNode *node, const Piece *piece, const BlkVec *vec, uint64_t at)
{
    uint64_t end = piece->offset + piece->len;
    uint64_t head = piece->offset - piece->from, tail = piece->to - end;
    uint64_t host = piece->host + (piece->from - piece->first);
    g_autofree struct iovec *iov = NULL;
    uint8_t *buf = NULL;
    BlkVec whole;
    int count = 0, ret = 0;

    if (head == 0 && tail == 0) {
        return write_data(node, piece->offset, host, piece->len, vec, at);
    }
    if (posix_memalign((void **)&buf, 4096, head + tail) != 0) {
        return -ENOMEM;
    }
    ret = head ? read_kept(node, piece->from, piece->offset, buf) : 0;
    ret = ret < 0 || !tail ? ret : read_kept(node, end, piece->to, buf + head);
    if (ret == 0) {
        iov = g_new(struct iovec, (size_t)vec->count + 2);
        if (head) {
            iov[count++] = (struct iovec){ .iov_base = buf, .iov_len = head };
        }
        count += blk_vec_slice(vec, at, piece->len, iov + count);
        if (tail) {
            iov[count++] = (struct iovec){ .iov_base = buf + head, .iov_len = tail };
        }
        whole = blk_vec_make(iov, count);
        ret = write_data(node, piece->from, host, piece->to - piece->from, &whole, 0);
    }
    free(buf);
    return ret;
}

/* ---- linking ---- */

/* Bits of the subclusters of the cluster at GUEST that [from, to) covers. */
static uint32_t
covered_subclusters(const Qcow2 *q, const Piece *piece, uint64_t guest)
{
    uint64_t from = MAX(piece->from, guest), to = MIN(piece->to, guest + q->cluster_bytes);

    if (from >= to) {
        return 0;
    }

    unsigned first = (unsigned)((from - guest) >> q->subcluster_bits);
    unsigned end = (unsigned)((to - guest + (1u << q->subcluster_bits) - 1) >> q->subcluster_bits);

    return (uint32_t)(((UINT64_C(1) << (end - first)) - 1) << first);
}

static void
link_cluster(Qcow2 *q, Qcow2Table *slice, unsigned index, const Piece *piece, uint64_t i)
{
    uint64_t bitmap, old = qcow2_get_entry(q, slice, index, &bitmap);
    uint64_t entry = (piece->host + (i << q->cluster_bits)) | QCOW2_COPIED;

    if (q->extended_l2) {
        uint64_t covered = covered_subclusters(q, piece, piece->first + (i << q->cluster_bits));
        if (old & QCOW2_COMPRESSED) {
            bitmap = 0;
        }
        bitmap = (bitmap | covered) & ~(covered << 32);
    }
    qcow2_set_entry(q, slice, index, entry, bitmap);
    if (piece->is_new) {
        qcow2_free_entry(q, old, false);
    }
}

static int
link_piece(BlkNode *node, const Piece *piece)
{
    Qcow2 *q = node->state;
    Qcow2Table *slice;
    unsigned index;
    int ret = qcow2_get_slice(node, piece->first, &slice, &index);

    if (ret < 0) {
        return ret;
    }
    for (uint64_t i = 0; i < piece->count; i++) {
        link_cluster(q, slice, index + (unsigned)i, piece, i);
    }
    q->data_before_l2 = true;
    qcow2_cache_put(slice);
    return qcow2_relieve(node);
}

static void
drop_piece(BlkNode *node, const Piece *piece)
{
    Qcow2 *q = node->state;

    if (piece->is_new && !qcow2_has_data_file(q)) {
        qcow2_free(q, piece->host, piece->count << q->cluster_bits, false);
    }
}

/* Gives the bytes written, which may be fewer than LEN, or a negative errno. */
static int64_t
write_allocating(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    Qcow2 *q = node->state;
    Piece piece = { .offset = offset, .len = MIN(len, MAX_PIECE_BYTES) };
    BlkRange range;
    int ret;

    blk_range_acquire(node->context, &q->allocations, &range, qcow2_cluster_start(q, offset),
                      qcow2_cluster_start(q, offset + piece.len - 1) + q->cluster_bytes, true);
    qcow2_lock(node);
    ret = plan_piece(node, &piece);
    qcow2_unlock(node);
    if (ret == 0) {
        ret = fill_piece(node, &piece, vec, at);
        qcow2_lock(node);
        if (ret == 0) {
            ret = link_piece(node, &piece);
        } else {
            drop_piece(node, &piece);
        }
        qcow2_unlock(node);
    }
    blk_range_release(node->context, &q->allocations, &range);
    return ret < 0 ? ret : (int64_t)piece.len;
}

int
qcow2_preallocate(BlkNode *node, uint64_t offset, uint64_t len, uint64_t *out_host_end)
{
    Qcow2 *q = node->state;
    int ret = 0;

    while (len > 0 && ret == 0) {
        Piece piece = { .offset = offset, .len = len };
        qcow2_lock(node);
        ret = plan_piece(node, &piece);
        if (ret == 0) {
            piece.from = piece.to = piece.offset;
            ret = link_piece(node, &piece);
            *out_host_end = MAX(*out_host_end, piece.host + (piece.count << q->cluster_bits));
        }
        qcow2_unlock(node);
        offset += piece.len;
        len -= piece.len;
    }
    return ret;
}

/* The length of what was overwritten in place, 0 when nothing can be, or a negative errno. */
static int64_t
try_in_place(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    Qcow2 *q = node->state;
    Qcow2Access access;
    Qcow2Extent extent;
    int ret;

    qcow2_begin_access(q, &access);
    ret = qcow2_lookup(node, offset, len, &extent);
    if (ret == 0 && (extent.type != QCOW2_NORMAL || !extent.writable)) {
        extent.len = 0;
    } else if (ret == 0) {
        ret = write_in_place(node, &extent, offset, vec, at);
    }
    qcow2_end_access(q, &access);
    return ret < 0 ? ret : (int64_t)extent.len;
}

int
qcow2_write_inside(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    while (len > 0) {
        int64_t ret = try_in_place(node, offset, len, vec, at);
        if (ret == 0) {
            ret = write_allocating(node, offset, len, vec, at);
        }
        if (ret < 0) {
            return (int)ret;
        }
        offset += (uint64_t)ret;
        at += (uint64_t)ret;
        len -= (uint64_t)ret;
    }
    return 0;
}

int
qcow2_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
            unsigned flags)
{
    Qcow2 *q = node->state;
    uint64_t there = offset >= q->size ? 0 : MIN(len, q->size - offset);
    BlkRange gate;
    int ret;

    if (q->is_corrupt) {
        return -EIO;
    }
    qcow2_enter(node, &gate, false);
    ret = qcow2_before_write(node);
    ret = ret < 0 ? ret : qcow2_write_inside(node, offset, there, vec, at);
    qcow2_leave(node, &gate);
    return ret;
}
