/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Refcounts: reading, changing, and finding clusters that have none.
 *
 * Specification: "Host cluster management". A refcount block that is missing is put on the first
 * free cluster of the range it covers, so that it counts itself. Its entry in the table becomes
 * dirty and is written by qcow2-commit.c after the block.
 *
 * Decrements are queued (qcow2_free) until the reference they stand for is gone on disk and no
 * request knows the address any more; see invariants 1 and 3 in qcow2.h.
 *
 * Thread: in a fiber; all but reading with the lock held. */

#include "qcow2.h"

#include <string.h>

uint64_t
qcow2_refcount_read(const Qcow2 *q, const uint8_t *block, uint64_t index)
{
    unsigned bits = 1u << q->refcount_order;

    switch (q->refcount_order) {
    case 6: return fmt_be64(block + index * 8);
    case 5: return fmt_be32(block + index * 4);
    case 4: return fmt_be16(block + index * 2);
    case 3: return block[index];
    default: {
        /* Lower bits hold lower indexes. */
        unsigned per_byte = 8 / bits, shift = (unsigned)(index % per_byte) * bits;
        return block[index / per_byte] >> shift & ((1u << bits) - 1);
    }
    }
}

void
qcow2_refcount_write(const Qcow2 *q, uint8_t *block, uint64_t index, uint64_t value)
{
    unsigned bits = 1u << q->refcount_order;

    switch (q->refcount_order) {
    case 6: fmt_put_be64(block + index * 8, value); break;
    case 5: fmt_put_be32(block + index * 4, (uint32_t)value); break;
    case 4: fmt_put_be16(block + index * 2, (uint16_t)value); break;
    case 3: block[index] = (uint8_t)value; break;
    default: {
        unsigned per_byte = 8 / bits, shift = (unsigned)(index % per_byte) * bits;
        uint8_t mask = (uint8_t)(((1u << bits) - 1) << shift);
        uint8_t *byte = &block[index / per_byte];
        *byte = (uint8_t)((*byte & ~mask) | (uint8_t)(value << shift));
        break;
    }
    }
}

void
qcow2_count_reftable(Qcow2 *q)
{
    q->reftable_used = q->reftable_size;
    while (q->reftable_used > 0 && q->reftable[q->reftable_used - 1] == 0) {
        q->reftable_used--;
    }
}

bool
qcow2_load_reftable(BlkNode *node, GError **error)
{
    Qcow2 *q = node->state;
    uint64_t bytes = (uint64_t)q->reftable_clusters << q->cluster_bits;
    int ret;

    q->reftable = g_try_malloc(bytes);
    if (!q->reftable) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY, "'%s': no memory for a refcount table.",
                    node->filename);
        return false;
    }
    ret = blk_read_buffer(node->file, q->reftable_offset, q->reftable, bytes);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "'%s', offset %" PRIu64 " (refcount table): cannot be read: %s.",
                    node->filename, q->reftable_offset, g_strerror(-ret));
        return false;
    }
    q->reftable_size = bytes / 8;
    for (uint64_t i = 0; i < q->reftable_size; i++) {
        q->reftable[i] = GUINT64_FROM_BE(q->reftable[i]);
    }
    qcow2_count_reftable(q);
    return true;
}

/* ---- blocks ---- */

/* The block that counts CLUSTER, pinned; NULL with 0 when there is none. */
static int
get_block(BlkNode *node, uint64_t cluster, Qcow2Table **out)
{
    Qcow2 *q = node->state;
    uint64_t index = cluster >> q->refblock_bits, offset;

    *out = NULL;
    offset = index < q->reftable_size ? q->reftable[index] : 0;
    if (offset == 0) {
        return 0;
    }
    if (qcow2_in_cluster(q, offset) || offset > INT64_MAX - q->cluster_bytes) {
        qcow2_set_corrupt(node);
        return -EIO;
    }
    return qcow2_cache_get(node, q->ref_cache, offset, false, out);
}

static uint64_t
index_in_block(const Qcow2 *q, uint64_t cluster)
{
    return cluster & ((UINT64_C(1) << q->refblock_bits) - 1);
}

static void
set_in_block(Qcow2 *q, Qcow2Table *block, uint64_t index, uint64_t value)
{
    uint32_t byte = (uint32_t)((index << q->refcount_order) / 8);

    qcow2_refcount_write(q, block->data, index, value);
    qcow2_cache_mark(q->ref_cache, block, byte, byte + 8);
}

int
qcow2_get_refcount(BlkNode *node, uint64_t cluster, uint64_t *out)
{
    const Qcow2 *q = node->state;
    Qcow2Table *block;
    int ret = get_block(node, cluster, &block);

    *out = 0;
    if (ret == 0 && block) {
        *out = qcow2_refcount_read(q, block->data, index_in_block(q, cluster));
        qcow2_cache_put(block);
    }
    return ret;
}

/* Ranges without a block are passed in one step: a sparse file may be longer than anybody can
 * count. */
int
qcow2_find_used_end(BlkNode *node, uint64_t clusters, uint64_t *out)
{
    const Qcow2 *q = node->state;
    uint64_t at = MIN(clusters, q->reftable_used << q->refblock_bits), refcount = 0;
    int ret = 0;

    while (at > 0 && ret == 0 && refcount == 0) {
        uint64_t index = (at - 1) >> q->refblock_bits;
        if (q->reftable[index] == 0) {
            at = index << q->refblock_bits;
        } else {
            ret = qcow2_get_refcount(node, at - 1, &refcount);
            at -= refcount == 0;
        }
    }
    *out = at;
    return ret;
}

/* Puts a new block for range INDEX onto CLUSTER, which must be free; it is counted at once when it
 * lies in that range. */
static int
add_block(BlkNode *node, uint64_t index, uint64_t cluster)
{
    Qcow2 *q = node->state;
    uint64_t offset = cluster << q->cluster_bits;
    Qcow2Table *block;
    int ret = qcow2_check_overlap(node, offset, q->cluster_bytes, 0);

    ret = ret < 0 ? ret : qcow2_cache_get(node, q->ref_cache, offset, true, &block);
    if (ret < 0) {
        return ret;
    }
    if (cluster >> q->refblock_bits == index) {
        set_in_block(q, block, index_in_block(q, cluster), 1);
    }
    qcow2_cache_mark(q->ref_cache, block, 0, q->cluster_bytes);
    qcow2_cache_put(block);
    q->reftable[index] = offset;
    q->reftable_used = MAX(q->reftable_used, index + 1);
    if (q->reftable_dirty_from < q->reftable_dirty_to) {
        q->reftable_dirty_from = MIN(q->reftable_dirty_from, index);
        q->reftable_dirty_to = MAX(q->reftable_dirty_to, index + 1);
    } else {
        q->reftable_dirty_from = index;
        q->reftable_dirty_to = index + 1;
    }
    return 0;
}

/* ---- the table grows ---- */

typedef struct Growth {
    uint64_t entries, table_clusters;
    uint64_t first; /* cluster where the new area begins: the table, then its blocks */
    uint64_t blocks;
} Growth;

static void
plan_growth(const Qcow2 *q, uint64_t entries, Growth *plan)
{
    uint64_t per_block = UINT64_C(1) << q->refblock_bits, blocks = 0;

    plan->first = q->reftable_size << q->refblock_bits;
    plan->entries = MAX(entries, q->reftable_size + q->reftable_size / 2);
    do {
        plan->blocks = blocks;
        plan->entries = MAX(plan->entries, q->reftable_size + blocks);
        plan->table_clusters = qcow2_clusters_for(q, plan->entries * 8);
        plan->entries = (plan->table_clusters << q->cluster_bits) / 8;
        blocks = (plan->table_clusters + plan->blocks + per_block - 1) >> q->refblock_bits;
    } while (blocks > plan->blocks);
}

/* Writes the new blocks and the new table; nothing points to them yet. */
static int
write_growth(BlkNode *node, const Growth *plan, uint64_t *table)
{
    const Qcow2 *q = node->state;
    uint64_t used = plan->table_clusters + plan->blocks;
    uint64_t per_block = UINT64_C(1) << q->refblock_bits;
    g_autofree uint8_t *buf = g_malloc(q->cluster_bytes);
    g_autofree uint64_t *disk = g_new(uint64_t, plan->entries);
    int ret = 0;

    for (uint64_t i = 0; i < plan->blocks && ret == 0; i++) {
        uint64_t offset = (plan->first + plan->table_clusters + i) << q->cluster_bits;
        memset(buf, 0, q->cluster_bytes);
        for (uint64_t n = 0; n < per_block && i * per_block + n < used; n++) {
            qcow2_refcount_write(q, buf, n, 1);
        }
        table[q->reftable_size + i] = offset;
        ret = qcow2_write_meta(node, offset, buf, q->cluster_bytes, 0);
    }
    for (uint64_t i = 0; i < plan->entries; i++) {
        disk[i] = GUINT64_TO_BE(table[i]);
    }
    return ret < 0
               ? ret
               : qcow2_write_meta(node, plan->first << q->cluster_bits, disk, plan->entries * 8, 0);
}

int
qcow2_grow_reftable(BlkNode *node, uint64_t entries)
{
    Qcow2 *q = node->state;
    uint64_t old_offset = q->reftable_offset, old_clusters = q->reftable_clusters;
    Growth plan;
    uint64_t *table;
    int ret;

    plan_growth(q, entries, &plan);
    if (plan.table_clusters << q->cluster_bits > QCOW2_MAX_REFTABLE_BYTES ||
        plan.first + plan.table_clusters + plan.blocks > INT64_MAX >> q->cluster_bits) {
        return -EFBIG;
    }
    /* What the present table refers to must be on disk before the new one is. */
    ret = qcow2_cache_write(node, q->ref_cache, QCOW2_OL_REFCOUNT_BLOCK);
    if (ret < 0) {
        return ret;
    }
    table = g_new0(uint64_t, plan.entries);
    memcpy(table, q->reftable, q->reftable_size * 8);
    ret = write_growth(node, &plan, table);
    ret = ret < 0 ? ret : blk_flush(node->file);
    if (ret == 0) {
        q->reftable_offset = plan.first << q->cluster_bits;
        q->reftable_clusters = (uint32_t)plan.table_clusters;
        ret = qcow2_update_header(node);
        ret = ret < 0 ? ret : blk_flush(node->file);
    }
    if (ret < 0) {
        q->reftable_offset = old_offset;
        q->reftable_clusters = (uint32_t)old_clusters;
        g_free(table);
        return ret;
    }
    g_free(q->reftable);
    q->reftable = table;
    q->reftable_size = plan.entries;
    qcow2_count_reftable(q);
    q->reftable_dirty_from = q->reftable_dirty_to = 0;
    qcow2_free(q, old_offset, old_clusters << q->cluster_bits, false);
    return 0;
}

/* ---- changing ---- */

static void
cluster_became_free(BlkNode *node, uint64_t cluster)
{
    Qcow2 *q = node->state;
    uint64_t offset = cluster << q->cluster_bits;

    q->free_hint = MIN(q->free_hint, cluster);
    qcow2_cache_forget(q->l2_cache, offset, q->cluster_bytes);
    qcow2_cache_forget(q->ref_cache, offset, q->cluster_bytes);
    if (q->packed_next && (q->packed_next - 1) >> q->cluster_bits == cluster) {
        q->packed_next = 0;
    }
}

static int
make_block(BlkNode *node, uint64_t cluster)
{
    const Qcow2 *q = node->state;
    uint64_t entries = (cluster >> q->refblock_bits) + 1;
    int ret = entries > q->reftable_size ? qcow2_grow_reftable(node, entries) : 0;

    if (ret == 0 && q->reftable[entries - 1] == 0) {
        ret = add_block(node, entries - 1, cluster);
    }
    return ret;
}

static int
change_one(BlkNode *node, Qcow2Table *block, uint64_t cluster, int delta)
{
    Qcow2 *q = node->state;
    uint64_t index = index_in_block(q, cluster), value;

    value = qcow2_refcount_read(q, block->data, index);
    if ((delta < 0 && value < (uint64_t)-delta) ||
        (delta > 0 && value > q->refcount_max - (uint64_t)delta)) {
        return delta < 0 ? -EIO : -ERANGE;
    }
    value += (uint64_t)(int64_t)delta;
    set_in_block(q, block, index, value);
    if (value == 0) {
        cluster_became_free(node, cluster);
    }
    return 0;
}

int
qcow2_change_refcount(BlkNode *node, uint64_t cluster, uint64_t count, int delta)
{
    Qcow2 *q = node->state;
    uint64_t end = cluster + count;
    Qcow2Table *block = NULL;
    int ret = q->is_lazy ? qcow2_mark_dirty(node) : 0;

    while (cluster < end && ret == 0) {
        uint64_t stop = MIN(end, ((cluster >> q->refblock_bits) + 1) << q->refblock_bits);

        ret = get_block(node, cluster, &block);
        if (ret == 0 && !block) {
            ret = -EIO; /* counted zero, or cluster_has_block() was not asked */
        }
        for (; cluster < stop && ret == 0; cluster++) {
            ret = change_one(node, block, cluster, delta);
        }
        if (block) {
            qcow2_cache_put(block);
        }
    }
    return ret;
}

/* ---- finding ---- */

typedef struct Search {
    uint64_t wanted;
    bool exact;
    uint64_t at;         /* cluster to look at next */
    uint64_t run, start; /* found so far */
    uint64_t first_free;
} Search;

/* Goes on within one block; true when the search has ended. */
static bool
search_block(const Qcow2 *q, const uint8_t *data, Search *search)
{
    uint64_t stop = ((search->at >> q->refblock_bits) + 1) << q->refblock_bits;

    for (; search->at < stop; search->at++) {
        if (qcow2_refcount_read(q, data, index_in_block(q, search->at)) > 0) {
            if (search->run > 0 && !search->exact) {
                return true;
            }
            search->run = 0;
            continue;
        }
        if (search->run++ == 0) {
            search->start = search->at;
            search->first_free = MIN(search->first_free, search->at);
        }
        if (search->run == search->wanted) {
            return true;
        }
    }
    return false;
}

static int
find_free(BlkNode *node, Search *search)
{
    Qcow2 *q = node->state;
    int ret = 0;

    while (ret == 0) {
        Qcow2Table *block;

        if (search->at >= INT64_MAX >> q->cluster_bits) {
            return -EFBIG;
        }
        ret = get_block(node, search->at, &block);
        if (ret == 0 && block) {
            bool ended = search_block(q, block->data, search);
            qcow2_cache_put(block);
            if (ended) {
                return 0;
            }
        } else if (ret == 0) {
            if (search->run > 0 && !search->exact) {
                return 0;
            }
            ret = make_block(node, search->at);
            search->run = 0;
        }
    }
    return ret;
}

/* A run of COUNT clusters that may be longer than what one block counts: ranges without a block
 * count as free, and their blocks come behind the run. */
static int
find_long_run(BlkNode *node, Search *search)
{
    Qcow2 *q = node->state;
    int ret = 0;

    while (ret == 0 && search->run < search->wanted) {
        uint64_t stop = ((search->at >> q->refblock_bits) + 1) << q->refblock_bits, part;
        Qcow2Table *block;

        if (search->at >= INT64_MAX >> q->cluster_bits) {
            return -EFBIG;
        }
        if (search->at >> q->refblock_bits >= q->reftable_size) {
            ret =
                qcow2_grow_reftable(node, ((search->at + search->wanted) >> q->refblock_bits) + 2);
            search->run = 0;
            continue;
        }
        ret = get_block(node, search->at, &block);
        if (ret == 0 && block) {
            search_block(q, block->data, search);
            qcow2_cache_put(block);
        } else if (ret == 0) {
            part = MIN(stop - search->at, search->wanted - search->run);
            if (search->run == 0) {
                search->start = search->at;
                search->first_free = MIN(search->first_free, search->at);
            }
            search->run += part;
            search->at += part;
        }
    }
    return ret;
}

static int64_t
alloc_long_run(BlkNode *node, uint64_t count)
{
    Qcow2 *q = node->state;
    uint64_t blocks = ((count + (count >> q->refblock_bits) + 2) >> q->refblock_bits) + 3;
    Search search = {
        .wanted = count + blocks, .exact = true, .at = q->free_hint, .first_free = UINT64_MAX
    };
    uint64_t next, last;
    int ret = q->is_corrupt ? -EIO : qcow2_apply_frees(node);

    ret = ret < 0 ? ret : find_long_run(node, &search);
    if (ret < 0) {
        return ret;
    }
    next = search.start + count;
    last = (search.start + search.wanted - 1) >> q->refblock_bits;
    for (uint64_t i = search.start >> q->refblock_bits; i <= last && ret == 0; i++) {
        if (q->reftable[i] == 0) {
            ret = add_block(node, i, next++);
        }
    }
    ret = ret < 0 ? ret : qcow2_change_refcount(node, search.start, count, 1);
    for (uint64_t at = search.start + count; at < next && ret == 0; at++) {
        uint64_t refcount;
        ret = qcow2_get_refcount(node, at, &refcount);
        ret = ret < 0 || refcount ? ret : qcow2_change_refcount(node, at, 1, 1);
    }
    if (ret == 0 && search.first_free == search.start) {
        q->free_hint = next;
    }
    return ret < 0 ? ret : (int64_t)(search.start << q->cluster_bits);
}

static int64_t
alloc_found(BlkNode *node, Search *search)
{
    Qcow2 *q = node->state;
    int ret = q->is_corrupt ? -EIO : qcow2_apply_frees(node);

    search->at = q->free_hint;
    search->first_free = UINT64_MAX;
    ret = ret < 0 ? ret : find_free(node, search);
    ret = ret < 0 ? ret : qcow2_change_refcount(node, search->start, search->run, 1);
    if (ret < 0) {
        return ret;
    }
    q->free_hint = search->first_free == search->start ? search->start + search->run
                                                       : MIN(search->first_free, search->start);
    return (int64_t)(search->start << q->cluster_bits);
}

int64_t
qcow2_alloc(BlkNode *node, uint64_t count)
{
    return count > 1 ? alloc_long_run(node, count)
                     : alloc_found(node, &(Search){ .wanted = count, .exact = true });
}

int64_t
qcow2_alloc_some(BlkNode *node, uint64_t *count)
{
    Search search = { .wanted = *count };
    int64_t ret = alloc_found(node, &search);

    *count = search.run;
    return ret;
}

int
qcow2_alloc_at(BlkNode *node, uint64_t offset, uint64_t *count)
{
    Qcow2 *q = node->state;
    uint64_t first = offset >> q->cluster_bits, n = 0, refcount = 0;
    int ret = 0;

    while (n < *count && ret == 0) {
        Qcow2Table *block;
        ret = get_block(node, first + n, &block);
        if (ret < 0 || !block) {
            break;
        }
        refcount = qcow2_refcount_read(q, block->data, index_in_block(q, first + n));
        qcow2_cache_put(block);
        if (refcount > 0) {
            break;
        }
        n++;
    }
    *count = n;
    return ret < 0 || n == 0 ? ret : qcow2_change_refcount(node, first, n, 1);
}

int64_t
qcow2_alloc_packed(BlkNode *node, uint32_t len)
{
    Qcow2 *q = node->state;
    uint64_t room = q->packed_next ? q->cluster_bytes - qcow2_in_cluster(q, q->packed_next) : 0;
    uint64_t cluster = q->packed_next >> q->cluster_bits, refcount = 0, count = 1;
    int64_t offset, fresh;
    int ret = 0;

    if (room == q->cluster_bytes) {
        room = 0; /* the last one was filled to its end */
    }
    if (room > 0) {
        ret = qcow2_get_refcount(node, cluster, &refcount);
        room = refcount == 0 || refcount >= q->refcount_max ? 0 : room;
    }
    if (ret == 0 && len <= room) {
        ret = qcow2_change_refcount(node, cluster, 1, 1);
        offset = (int64_t)q->packed_next;
        q->packed_next += len;
        return ret < 0 ? ret : offset;
    }
    fresh = ret < 0 ? ret : qcow2_alloc_some(node, &count);
    if (fresh < 0) {
        return fresh;
    }
    offset = fresh;
    if (room > 0 && q->packed_next && (uint64_t)fresh == q->packed_next + room) {
        ret = qcow2_change_refcount(node, cluster, 1, 1);
        offset = (int64_t)q->packed_next;
    }
    q->packed_next = (uint64_t)offset + len;
    return ret < 0 ? ret : offset;
}

/* ---- freeing ---- */

void
qcow2_free(Qcow2 *q, uint64_t offset, uint64_t bytes, bool is_discard)
{
    Qcow2Free entry = { .first_cluster = offset >> q->cluster_bits, .is_discard = is_discard };

    if (bytes == 0) {
        return;
    }
    entry.count = ((offset + bytes - 1) >> q->cluster_bits) - entry.first_cluster + 1;
    if (q->frees->len > 0) {
        Qcow2Free *last = &g_array_index(q->frees, Qcow2Free, q->frees->len - 1);
        if (last->number == 0 && last->first_cluster + last->count == entry.first_cluster &&
            last->is_discard == is_discard) {
            last->count += entry.count;
            return;
        }
    }
    g_array_append_val(q->frees, entry);
}

void
qcow2_discard_unused(BlkNode *node, uint64_t first_cluster, uint64_t count)
{
    Qcow2 *q = node->state;
    uint64_t refcount;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t run = 0;
        while (i + run < count &&
               qcow2_get_refcount(node, first_cluster + i + run, &refcount) == 0 && refcount == 0) {
            run++;
        }
        if (run > 0) {
            blk_discard(node->file, (first_cluster + i) << q->cluster_bits, run << q->cluster_bits);
            i += run - 1;
        }
    }
}

/* Gives whole freed clusters back to the host, where that is wanted. */
static void
discard_freed(BlkNode *node, const Qcow2Free *entry)
{
    const Qcow2 *q = node->state;

    if (entry->is_discard ? q->pass_discard_request : q->pass_discard_other) {
        qcow2_discard_unused(node, entry->first_cluster, entry->count);
    }
}

int
qcow2_apply_frees(BlkNode *node)
{
    Qcow2 *q = node->state;
    unsigned done = 0;
    int ret = 0;

    while (done < q->frees->len && ret == 0) {
        Qcow2Free entry = g_array_index(q->frees, Qcow2Free, done);
        if (entry.number == 0 || (q->first_access && q->first_access->number <= entry.number)) {
            break;
        }
        done++;
        ret = qcow2_change_refcount(node, entry.first_cluster, entry.count, -1);
        if (ret == 0) {
            discard_freed(node, &entry);
        } else {
            qcow2_set_corrupt(node);
        }
    }
    if (done > 0) {
        g_array_remove_range(q->frees, 0, done);
    }
    return ret;
}
