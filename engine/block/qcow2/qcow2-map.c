/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The two-level table from guest to host addresses: looking up, and making tables writable.
 *
 * Specification: "Cluster mapping", "Extended L2 Entries". A table with refcount above one (its L1
 * entry lacks the copied flag) belongs to a snapshot too and is copied before it is changed.
 *
 * Thread: in a fiber; changes with the lock held. */

#include "qcow2.h"

#include <string.h>

/* ---- the L1 table ---- */

bool
qcow2_load_l1(BlkNode *node, GError **error)
{
    Qcow2 *q = node->state;
    int ret;

    q->l1 = g_try_new0(uint64_t, MAX(q->l1_size, 1));
    if (!q->l1) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY, "'%s': no memory for an L1 table.",
                    node->filename);
        return false;
    }
    ret = q->l1_size ? blk_read_buffer(node->file, q->l1_offset, q->l1, (size_t)q->l1_size * 8) : 0;
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "'%s', offset %" PRIu64 " (L1 table): cannot be read: %s.", node->filename,
                    q->l1_offset, g_strerror(-ret));
        return false;
    }
    for (uint32_t i = 0; i < q->l1_size; i++) {
        q->l1[i] = GUINT64_FROM_BE(q->l1[i]);
    }
    return true;
}

void
qcow2_mark_l1(Qcow2 *q, uint32_t index)
{
    if (q->l1_dirty_from < q->l1_dirty_to) {
        q->l1_dirty_from = MIN(q->l1_dirty_from, index);
        q->l1_dirty_to = MAX(q->l1_dirty_to, index + 1);
    } else {
        q->l1_dirty_from = index;
        q->l1_dirty_to = index + 1;
    }
}

static int
write_new_l1(BlkNode *node, uint64_t offset, uint64_t entries)
{
    const Qcow2 *q = node->state;
    g_autofree uint64_t *disk = g_new0(uint64_t, entries);

    for (uint32_t i = 0; i < q->l1_size; i++) {
        disk[i] = GUINT64_TO_BE(q->l1[i]);
    }
    return qcow2_write_meta(node, offset, disk, entries * 8, 0);
}

int
qcow2_grow_l1(BlkNode *node, uint64_t entries)
{
    Qcow2 *q = node->state;
    uint64_t old_offset = q->l1_offset;
    uint32_t old_size = q->l1_size;
    int64_t offset;
    int ret;

    if (entries <= q->l1_size) {
        return 0;
    }
    if (entries > QCOW2_MAX_L1_BYTES / 8) {
        return -EFBIG;
    }
    offset = qcow2_alloc(node, qcow2_clusters_for(q, entries * 8));
    if (offset < 0) {
        return (int)offset;
    }
    /* All that the present table says must be stable before another one says it. */
    ret = qcow2_commit(node, true);
    ret = ret < 0 ? ret : write_new_l1(node, (uint64_t)offset, entries);
    ret = ret < 0 ? ret : blk_flush(node->file);
    q->l1 = g_renew(uint64_t, q->l1, entries);
    memset(q->l1 + old_size, 0, (entries - old_size) * 8);
    q->l1_offset = (uint64_t)offset;
    q->l1_size = (uint32_t)entries;
    ret = ret < 0 ? ret : qcow2_update_header(node);
    if (ret < 0) {
        q->l1_offset = old_offset;
        q->l1_size = old_size;
        qcow2_free(q, (uint64_t)offset, entries * 8, false);
        return ret;
    }
    /* The header says the new one from here on; whether for good, not even a failed flush tells, so
     * that the old one is nobody's then. */
    ret = blk_flush(node->file);
    if (ret == 0) {
        qcow2_free(q, old_offset, (uint64_t)old_size * 8, false);
    }
    return ret;
}

/* ---- entries ---- */

uint64_t
qcow2_get_entry(const Qcow2 *q, const Qcow2Table *slice, unsigned index, uint64_t *out_bitmap)
{
    const uint8_t *at = slice->data + (size_t)index * q->entry_bytes;

    if (out_bitmap) {
        *out_bitmap = q->extended_l2 ? fmt_be64(at + 8) : 0;
    }
    return fmt_be64(at);
}

void
qcow2_set_entry(const Qcow2 *q, Qcow2Table *slice, unsigned index, uint64_t entry, uint64_t bitmap)
{
    uint32_t at = index * q->entry_bytes;

    fmt_put_be64(slice->data + at, entry);
    if (q->extended_l2) {
        fmt_put_be64(slice->data + at + 8, bitmap);
    }
    qcow2_cache_mark(q->l2_cache, slice, at, at + q->entry_bytes);
}

void
qcow2_packed_place(const Qcow2 *q, uint64_t entry, uint64_t *out_offset, uint32_t *out_bytes)
{
    unsigned offset_bits = 62 - (q->cluster_bits - 8);
    uint64_t offset = entry & ((UINT64_C(1) << offset_bits) - 1);
    uint64_t sectors = ((entry & (QCOW2_COMPRESSED - 1)) >> offset_bits) + 1;

    *out_offset = offset;
    *out_bytes = (uint32_t)(sectors * QCOW2_SECTOR_BYTES - offset % QCOW2_SECTOR_BYTES);
}

void
qcow2_free_entry(Qcow2 *q, uint64_t entry, bool is_discard)
{
    uint64_t offset;
    uint32_t bytes;

    if (entry & QCOW2_COMPRESSED) {
        qcow2_packed_place(q, entry, &offset, &bytes);
        qcow2_free(q, offset, bytes, is_discard);
    } else if ((entry & QCOW2_OFFSET_MASK) && !qcow2_has_data_file(q)) {
        qcow2_free(q, qcow2_cluster_start(q, entry & QCOW2_OFFSET_MASK), q->cluster_bytes,
                   is_discard);
    }
}

static bool
has_host_cluster(const Qcow2 *q, uint64_t entry)
{
    /* In an external data file offset 0 is a place like any other. */
    return (entry & QCOW2_OFFSET_MASK) || (qcow2_has_data_file(q) && (entry & QCOW2_COPIED));
}

static Qcow2Type
subcluster_type(uint64_t bitmap, unsigned sub, bool has_host)
{
    bool allocated = bitmap >> sub & 1, zero = bitmap >> (sub + 32) & 1;

    if (allocated && (zero || !has_host)) {
        return QCOW2_INVALID;
    }
    if (zero) {
        return has_host ? QCOW2_ZERO_HOST : QCOW2_ZERO;
    }
    if (allocated) {
        return QCOW2_NORMAL;
    }
    return has_host ? QCOW2_UNALLOCATED_HOST : QCOW2_UNALLOCATED;
}

static void
decode_packed(const Qcow2 *q, uint64_t entry, Qcow2Extent *out)
{
    out->type = qcow2_has_data_file(q) ? QCOW2_INVALID : QCOW2_PACKED;
    out->len = q->cluster_bytes;
    qcow2_packed_place(q, entry, &out->host_offset, &out->packed_bytes);
}

static void
decode_extended(const Qcow2 *q, const uint8_t *at, uint64_t entry, unsigned sub, Qcow2Extent *out)
{
    uint64_t bitmap = fmt_be64(at + 8);
    bool has_host = has_host_cluster(q, entry);
    unsigned end = sub + 1;

    out->type = subcluster_type(bitmap, sub, has_host);
    while (end < QCOW2_SUBCLUSTERS && subcluster_type(bitmap, end, has_host) == out->type) {
        end++;
    }
    out->len = (uint64_t)(end - sub) << q->subcluster_bits;
    out->host_offset = (entry & QCOW2_OFFSET_MASK) + ((uint64_t)sub << q->subcluster_bits);
}

static void
decode_standard(const Qcow2 *q, uint64_t entry, Qcow2Extent *out)
{
    bool has_host = has_host_cluster(q, entry);

    out->len = q->cluster_bytes;
    out->host_offset = entry & QCOW2_OFFSET_MASK;
    if ((entry & QCOW2_ALL_ZEROES) && q->version >= 3) {
        out->type = has_host ? QCOW2_ZERO_HOST : QCOW2_ZERO;
    } else {
        out->type = has_host ? QCOW2_NORMAL : QCOW2_UNALLOCATED;
    }
}

void
qcow2_decode(const Qcow2 *q, const uint8_t *at, unsigned sub, Qcow2Extent *out)
{
    uint64_t entry = fmt_be64(at);

    *out = (Qcow2Extent){ .writable = entry & QCOW2_COPIED };
    if (entry & QCOW2_COMPRESSED) {
        decode_packed(q, entry, out);
        return;
    }
    if (q->extended_l2) {
        decode_extended(q, at, entry, sub, out);
    } else {
        decode_standard(q, entry, out);
    }
    if (qcow2_in_cluster(q, entry & QCOW2_OFFSET_MASK)) {
        out->type = QCOW2_INVALID;
    }
}

/* ---- looking up ---- */

static bool
has_place(Qcow2Type type)
{
    return type == QCOW2_NORMAL || type == QCOW2_ZERO_HOST || type == QCOW2_UNALLOCATED_HOST;
}

static bool
continues(const Qcow2Extent *extent, const Qcow2Extent *next)
{
    return next->type == extent->type && next->type != QCOW2_PACKED &&
           next->writable == extent->writable &&
           (!has_place(next->type) || next->host_offset == extent->host_offset + extent->len);
}

/* The run of alike entries from OFFSET on in SLICE. */
static void
decode_run(const Qcow2 *q, const Qcow2Table *slice, uint64_t offset, uint64_t len, Qcow2Extent *out)
{
    unsigned per_slice = q->slice_bytes / q->entry_bytes;
    unsigned index = (unsigned)(offset >> q->cluster_bits) & (per_slice - 1);
    unsigned sub = (unsigned)(qcow2_in_cluster(q, offset) >> q->subcluster_bits);
    uint64_t skip = offset & ((UINT64_C(1) << q->subcluster_bits) - 1);
    Qcow2Extent next;

    if (fmt_be64(slice->data + (size_t)index * q->entry_bytes) & QCOW2_COMPRESSED) {
        sub = 0;
        skip = qcow2_in_cluster(q, offset);
    }
    qcow2_decode(q, slice->data + (size_t)index * q->entry_bytes, sub, out);
    /* Subclusters up to the end of this cluster, then whole clusters. */
    uint64_t reach = (uint64_t)sub << q->subcluster_bits;
    while (reach + out->len == q->cluster_bytes && ++index < per_slice && out->len < len + skip) {
        qcow2_decode(q, slice->data + (size_t)index * q->entry_bytes, 0, &next);
        if (!continues(out, &next)) {
            break;
        }
        out->len += next.len;
        reach = next.len - out->len; /* so that the sum is next.len */
    }
    if (out->type != QCOW2_PACKED) {
        out->host_offset += skip;
    }
    out->len = MIN(out->len - skip, len);
}

static bool
is_bad_table(const Qcow2 *q, uint64_t l1_entry)
{
    uint64_t offset = l1_entry & QCOW2_OFFSET_MASK;

    return qcow2_in_cluster(q, offset) || offset > INT64_MAX - q->cluster_bytes;
}

static uint64_t
slice_offset(const Qcow2 *q, uint64_t l2_offset, uint64_t offset)
{
    uint64_t index = offset >> q->cluster_bits & ((UINT64_C(1) << q->l2_bits) - 1);

    return l2_offset + ((index * q->entry_bytes) & ~(uint64_t)(q->slice_bytes - 1));
}

int
qcow2_lookup(BlkNode *node, uint64_t offset, uint64_t len, Qcow2Extent *out)
{
    Qcow2 *q = node->state;
    uint64_t l1_index = offset >> (q->cluster_bits + q->l2_bits);
    uint64_t l2_span = UINT64_C(1) << (q->cluster_bits + q->l2_bits);
    Qcow2Table *slice;

    for (;;) {
        uint64_t entry = l1_index < q->l1_size ? q->l1[l1_index] : 0, at;
        int ret;

        if ((entry & QCOW2_OFFSET_MASK) == 0) {
            *out = (Qcow2Extent){ .type = QCOW2_UNALLOCATED };
            out->len = MIN(len, l2_span - (offset & (l2_span - 1)));
            return 0;
        }
        if (is_bad_table(q, entry)) {
            qcow2_set_corrupt(node);
            return -EIO;
        }
        at = slice_offset(q, entry & QCOW2_OFFSET_MASK, offset);
        slice = qcow2_cache_peek(q->l2_cache, at);
        if (slice) {
            break;
        }
        ret = qcow2_cache_get(node, q->l2_cache, at, false, &slice);
        if (ret < 0) {
            return ret;
        }
        qcow2_cache_put(slice);
        if (l1_index < q->l1_size && q->l1[l1_index] == entry) {
            break;
        }
    }
    decode_run(q, slice, offset, len, out);
    if (out->type == QCOW2_INVALID) {
        qcow2_set_corrupt(node);
        return -EIO;
    }
    return 0;
}

/* ---- tables that may be changed ---- */

/* Fills the table at NEW_OFFSET, in the cache, from the one at OLD_OFFSET, or with nothing. */
static int
copy_table(BlkNode *node, uint64_t old_offset, uint64_t new_offset)
{
    Qcow2 *q = node->state;
    int ret = 0;

    for (uint64_t at = 0; at < q->cluster_bytes && ret == 0; at += q->slice_bytes) {
        Qcow2Table *old = NULL, *slice;
        if (old_offset) {
            ret = qcow2_cache_get(node, q->l2_cache, old_offset + at, false, &old);
        }
        if (ret == 0) {
            ret = qcow2_cache_get(node, q->l2_cache, new_offset + at, true, &slice);
        }
        if (ret == 0) {
            if (old) {
                memcpy(slice->data, old->data, q->slice_bytes);
            }
            qcow2_cache_put(slice);
        }
        if (old) {
            qcow2_cache_put(old);
        }
    }
    return ret;
}

static int
make_table(BlkNode *node, uint64_t l1_index)
{
    Qcow2 *q = node->state;
    uint64_t old = q->l1[l1_index] & QCOW2_OFFSET_MASK;
    int64_t offset = qcow2_alloc(node, 1);
    int ret =
        offset < 0 ? (int)offset : qcow2_check_overlap(node, (uint64_t)offset, q->cluster_bytes, 0);

    ret = ret < 0 ? ret : copy_table(node, old, (uint64_t)offset);
    if (ret < 0) {
        if (offset > 0) {
            qcow2_free(q, (uint64_t)offset, q->cluster_bytes, false);
        }
        return ret;
    }
    q->l1[l1_index] = (uint64_t)offset | QCOW2_COPIED;
    qcow2_mark_l1(q, (uint32_t)l1_index);
    q->data_before_l2 = true;
    if (old) {
        qcow2_free(q, old, q->cluster_bytes, false);
    }
    return 0;
}

int
qcow2_get_slice(BlkNode *node, uint64_t offset, Qcow2Table **out, unsigned *out_index)
{
    Qcow2 *q = node->state;
    uint64_t l1_index = offset >> (q->cluster_bits + q->l2_bits), l2_offset;
    int ret = 0;

    *out = NULL;
    if (q->is_corrupt) {
        return -EIO;
    }
    if (l1_index >= q->l1_size) {
        ret = qcow2_grow_l1(node, l1_index + 1);
    }
    if (ret == 0 && is_bad_table(q, q->l1[l1_index])) {
        qcow2_set_corrupt(node);
        ret = -EIO;
    }
    if (ret == 0 && !(q->l1[l1_index] & QCOW2_COPIED)) {
        ret = make_table(node, l1_index);
    }
    if (ret < 0) {
        return ret;
    }
    l2_offset = q->l1[l1_index] & QCOW2_OFFSET_MASK;
    if (l2_offset == 0) {
        qcow2_set_corrupt(node);
        return -EIO;
    }
    *out_index = (unsigned)(offset >> q->cluster_bits) & (q->slice_bytes / q->entry_bytes - 1);
    return qcow2_cache_get(node, q->l2_cache, slice_offset(q, l2_offset, offset), false, out);
}
