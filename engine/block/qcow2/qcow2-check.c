/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Checking and repairing: counts every reference to every cluster and compares that with the
 * refcounts. Too high is a leak, room lost; too low is a corruption, since the cluster would be
 * given away a second time. Refcount blocks that are themselves unsound are not mended but replaced
 * by a new table and new blocks behind the end of the image.
 *
 * The same gives an image refcounts of another width.
 *
 * The data of a guest is never changed: an L2 entry that makes no sense is reported.
 *
 * Thread: in a fiber; the gate is held alone, or the image is being opened. */

#include "qcow2.h"

#include <string.h>

/* Counting takes four bytes for each cluster of the file, holes too. */
#define MAX_CLUSTERS (UINT64_C(1) << 32)
/* Beyond this a file that has more clusters than bytes is sparse without reason: what refers to a
 * cluster takes eight of them. */
#define MAX_SPARSE_CLUSTERS (UINT64_C(1) << 26)

typedef struct Count {
    BlkNode *node;
    BlkCheck *check;
    uint32_t *refs; /* by cluster of the file */
    uint64_t clusters;
    uint64_t next_offset; /* where the next cluster would not be a fragment */
    bool rebuild;         /* the refcount blocks cannot be mended in place */
    bool quiet;           /* the second count of a repair */
} Count;

static void G_GNUC_PRINTF(2, 3) report(const Count *count, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    if (!count->check->report || count->quiet) {
        return;
    }
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    count->check->report(count->check->opaque, text);
}

static void
found_corruption(Count *count)
{
    count->check->corruptions += !count->quiet;
}

static bool
start_count(Count *count, GError **error)
{
    BlkNode *file = count->node->file->node;
    int64_t held = file->driver->get_allocated_len ? file->driver->get_allocated_len(file) : -1;

    count->clusters = qcow2_clusters_for(count->node->state, blk_node_get_len(file));
    if (held >= 0 && count->clusters > MAX_SPARSE_CLUSTERS && count->clusters > (uint64_t)held) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "'%s' is damaged: %" PRIu64 " clusters long, it holds only %" PRIi64 " bytes.",
                    count->node->filename, count->clusters, held);
        return false;
    }
    count->refs =
        count->clusters < MAX_CLUSTERS ? g_try_new0(uint32_t, MAX(count->clusters, 1)) : NULL;
    if (!count->refs) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                    "'%s' has %" PRIu64 " clusters: there is no memory to count them.",
                    count->node->filename, count->clusters);
    }
    return count->refs != NULL;
}

static void
add_range(Count *count, uint64_t offset, uint64_t len)
{
    const Qcow2 *q = count->node->state;
    uint64_t first = offset >> q->cluster_bits, last;

    if (len == 0) {
        return;
    }
    last = (offset + len - 1) >> q->cluster_bits;
    for (uint64_t i = first; i <= last; i++) {
        if (i >= count->clusters) {
            report(count,
                   "ERROR: a reference to 0x%" PRIx64 " lies behind the end of the file, by a "
                   "cluster or more",
                   i << q->cluster_bits);
            found_corruption(count);
            return;
        }
        count->refs[i] += count->refs[i] < UINT32_MAX;
    }
}

/* ---- tables of clusters ---- */

static void
count_packed(Count *count, uint64_t entry)
{
    const Qcow2 *q = count->node->state;
    uint64_t offset;
    uint32_t bytes;

    if (entry & QCOW2_COPIED) {
        report(count, "ERROR: L2 entry 0x%" PRIx64 ": the copied flag of a compressed cluster",
               entry);
        found_corruption(count);
    }
    qcow2_packed_place(q, entry, &offset, &bytes);
    add_range(count, offset, bytes);
    count->check->compressed_clusters += !count->quiet;
    count->check->allocated_clusters += !count->quiet;
    count->check->fragmented_clusters += !count->quiet;
}

static void
count_entry(Count *count, const uint8_t *at)
{
    const Qcow2 *q = count->node->state;
    uint64_t entry = fmt_be64(at), offset = entry & QCOW2_OFFSET_MASK;
    Qcow2Extent extent;

    if (entry == 0 && (!q->extended_l2 || fmt_be64(at + 8) == 0)) {
        return; /* nothing is there: most entries of most tables */
    }
    if (entry & QCOW2_COMPRESSED) {
        count_packed(count, entry);
        return;
    }
    for (unsigned sub = 0; sub < (q->extended_l2 ? QCOW2_SUBCLUSTERS : 1); sub++) {
        qcow2_decode(q, at, sub, &extent);
        if (extent.type == QCOW2_INVALID) {
            report(count, "ERROR: L2 entry 0x%" PRIx64 " is corrupted: %s", entry,
                   qcow2_in_cluster(q, offset) ? "its offset is not that of a cluster"
                                               : "its subclusters contradict it");
            found_corruption(count);
            return;
        }
    }
    if (!offset && !(qcow2_has_data_file(q) && (entry & QCOW2_COPIED))) {
        return;
    }
    if (!count->quiet) {
        count->check->allocated_clusters++;
        count->check->fragmented_clusters += count->next_offset && offset != count->next_offset;
    }
    count->next_offset = offset + q->cluster_bytes;
    if (!qcow2_has_data_file(q)) {
        add_range(count, offset, q->cluster_bytes);
    }
}

static int
count_l2(Count *count, uint64_t offset)
{
    const Qcow2 *q = count->node->state;
    g_autofree uint8_t *table = g_malloc(q->cluster_bytes);
    int ret = blk_read_buffer(count->node->file, offset, table, q->cluster_bytes);

    count->next_offset = 0; /* clusters of two tables are never fragments of one run */
    for (uint32_t at = 0; ret == 0 && at < q->cluster_bytes; at += q->entry_bytes) {
        count_entry(count, table + at);
    }
    return ret;
}

static int
count_l1(Count *count, const uint64_t *l1, uint64_t l1_offset, uint32_t size)
{
    const Qcow2 *q = count->node->state;
    int ret = 0;

    add_range(count, l1_offset, (uint64_t)size * 8);
    for (uint32_t i = 0; i < size && ret == 0; i++) {
        uint64_t offset = l1[i] & QCOW2_OFFSET_MASK;
        if (!offset) {
            continue;
        }
        if (qcow2_in_cluster(q, offset)) {
            report(count, "ERROR: L1 entry %u (0x%" PRIx64 ") is not the offset of a cluster", i,
                   l1[i]);
            found_corruption(count);
            continue;
        }
        add_range(count, offset, q->cluster_bytes);
        ret = offset >> q->cluster_bits < count->clusters ? count_l2(count, offset) : 0;
    }
    return ret;
}

static int
count_snapshots(Count *count)
{
    const Qcow2 *q = count->node->state;
    int ret = 0;

    add_range(count, q->snapshots_offset, q->snapshots_bytes);
    for (unsigned i = 0; i < q->snapshots->len && ret == 0; i++) {
        const Qcow2Snapshot *snapshot = g_ptr_array_index(q->snapshots, i);
        g_autofree uint64_t *l1 = g_new0(uint64_t, MAX(snapshot->l1_size, 1));
        BlkCheck counters = *count->check;
        ret = snapshot->l1_size ? blk_read_buffer(count->node->file, snapshot->l1_offset, l1,
                                                  (size_t)snapshot->l1_size * 8)
                                : 0;
        for (uint32_t n = 0; n < snapshot->l1_size; n++) {
            l1[n] = GUINT64_FROM_BE(l1[n]);
        }
        ret = ret < 0 ? ret : count_l1(count, l1, snapshot->l1_offset, snapshot->l1_size);
        /* The numbers of clusters are those of the disk as it is now. */
        count->check->allocated_clusters = counters.allocated_clusters;
        count->check->compressed_clusters = counters.compressed_clusters;
        count->check->fragmented_clusters = counters.fragmented_clusters;
    }
    return ret;
}

static bool
count_bitmap_range(void *opaque, uint64_t offset, uint64_t len)
{
    add_range(opaque, offset, len);
    return true;
}

static void
count_refcount_blocks(Count *count)
{
    const Qcow2 *q = count->node->state;

    add_range(count, q->reftable_offset, (uint64_t)q->reftable_clusters << q->cluster_bits);
    for (uint64_t i = 0; i < q->reftable_size; i++) {
        uint64_t offset = q->reftable[i], cluster = offset >> q->cluster_bits;
        if (offset == 0) {
            continue;
        }
        if (qcow2_in_cluster(q, offset) || cluster >= count->clusters) {
            report(count, "ERROR: refcount block %" PRIu64 " (0x%" PRIx64 ") is not in the image",
                   i, offset);
            found_corruption(count);
            count->rebuild = true;
            continue;
        }
        add_range(count, offset, q->cluster_bytes);
        if (count->refs[cluster] != 1) {
            report(count, "ERROR: refcount block %" PRIu64 " is also used for something else", i);
            found_corruption(count);
            count->rebuild = true;
        }
    }
}

/* Everything but the refcount blocks. */
static int
count_content(Count *count, GError **error)
{
    const Qcow2 *q = count->node->state;
    int ret;

    add_range(count, 0, q->cluster_bytes);
    ret = count_l1(count, q->l1, q->l1_offset, q->l1_size);
    ret = ret < 0 ? ret : count_snapshots(count);
    add_range(count, q->crypto_offset, q->crypto_len);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be read: %s.",
                    count->node->filename, g_strerror(-ret));
        return ret;
    }
    return qcow2_each_bitmap_range(count->node, count_bitmap_range, count, error) ? 0 : -EIO;
}

/* ---- comparing ---- */

static int
mend_refcount(Count *count, uint64_t cluster, uint64_t have, uint64_t want)
{
    const Qcow2 *q = count->node->state;
    int64_t delta = (int64_t)want - (int64_t)have;
    int ret = 0;

    if (want > q->refcount_max) {
        return -ERANGE;
    }
    if (cluster >> q->refblock_bits >= q->reftable_size ||
        q->reftable[cluster >> q->refblock_bits] == 0) {
        return -ENOENT; /* no block to mend */
    }
    while (delta != 0 && ret == 0) {
        int step = (int)CLAMP(delta, -(1 << 30), 1 << 30);
        ret = qcow2_change_refcount(count->node, cluster, 1, step);
        delta -= step;
    }
    return ret;
}

static int
compare_one(Count *count, uint64_t cluster)
{
    BlkCheck *check = count->check;
    uint64_t have = 0, want = count->refs[cluster];
    bool is_leak, fix;
    int ret = qcow2_get_refcount(count->node, cluster, &have);

    if (ret < 0) {
        count->rebuild = true;
        check->corruptions++;
        return 0;
    }
    if (have == want) {
        return 0;
    }
    is_leak = have > want;
    fix = !count->rebuild && (is_leak ? check->fix_leaks : check->fix_errors);
    report(count, "%s cluster %" PRIu64 " refcount=%" PRIu64 " reference=%" PRIu64,
           fix       ? "Repairing"
           : is_leak ? "Leaked"
                     : "ERROR",
           cluster, have, want);
    check->leaks += is_leak;
    check->corruptions += !is_leak;
    if (!fix) {
        return 0;
    }
    ret = mend_refcount(count, cluster, have, want);
    if (ret == -ENOENT) {
        count->rebuild = true;
        return 0;
    }
    check->leaks_fixed += ret == 0 && is_leak;
    check->corruptions_fixed += ret == 0 && !is_leak;
    check->check_errors += ret < 0;
    return 0;
}

static int
compare_refcounts(Count *count)
{
    const Qcow2 *q = count->node->state;
    int ret = 0;

    for (uint64_t i = 0; i < count->clusters && ret == 0; i++) {
        ret = compare_one(count, i);
        if (count->refs[i]) {
            count->check->image_end_offset = (i + 1) << q->cluster_bits;
        }
    }
    return ret;
}

/* ---- copied flags ---- */

static bool
mend_flag(Count *count, uint64_t *entry, const char *what, uint64_t index)
{
    const Qcow2 *q = count->node->state;
    bool is_copied = *entry & QCOW2_COPIED;
    uint64_t refcount = 1;

    if (!qcow2_has_data_file(q) || what[0] == 'L') {
        uint64_t cluster = (*entry & QCOW2_OFFSET_MASK) >> q->cluster_bits;
        /* What a repair has counted is what the refcounts now are. */
        if (qcow2_get_refcount(count->node, cluster, &refcount) < 0) {
            return false;
        }
    }
    if (is_copied == (refcount == 1)) {
        return false;
    }
    report(count,
           "%s: the copied flag of %s %" PRIu64 " (0x%" PRIx64 ") and its refcount %" PRIu64
           " disagree",
           count->check->fix_errors ? "Repairing" : "ERROR OFLAG_COPIED", what, index, *entry,
           refcount);
    count->check->corruptions++;
    if (count->check->fix_errors) {
        *entry ^= QCOW2_COPIED;
        count->check->corruptions_fixed++;
    }
    return count->check->fix_errors;
}

static void
check_slice_flags(Count *count, Qcow2Table *slice, uint64_t first)
{
    const Qcow2 *q = count->node->state;

    for (unsigned i = 0; i < q->slice_bytes / q->entry_bytes; i++) {
        uint64_t bitmap, entry = qcow2_get_entry(q, slice, i, &bitmap);
        if ((entry & QCOW2_COMPRESSED) || !(entry & QCOW2_OFFSET_MASK) ||
            qcow2_in_cluster(q, entry & QCOW2_OFFSET_MASK)) {
            continue;
        }
        if (mend_flag(count, &entry, "cluster", first + i)) {
            qcow2_set_entry(q, slice, i, entry, bitmap);
        }
    }
}

static int
check_table_flags(Count *count, uint32_t l1_index)
{
    Qcow2 *q = count->node->state;
    uint64_t offset = q->l1[l1_index] & QCOW2_OFFSET_MASK;
    uint64_t first = (uint64_t)l1_index << q->l2_bits;
    int ret = 0;

    for (uint64_t at = 0; at < q->cluster_bytes && ret == 0; at += q->slice_bytes) {
        Qcow2Table *slice;
        ret = qcow2_cache_get(count->node, q->l2_cache, offset + at, false, &slice);
        if (ret == 0) {
            check_slice_flags(count, slice, first + at / q->entry_bytes);
            qcow2_cache_put(slice);
        }
    }
    return ret;
}

static int
check_flags(Count *count)
{
    Qcow2 *q = count->node->state;
    int ret = 0;

    for (uint32_t i = 0; i < q->l1_size && ret == 0; i++) {
        uint64_t offset = q->l1[i] & QCOW2_OFFSET_MASK;
        if (!offset || qcow2_in_cluster(q, offset) ||
            offset >> q->cluster_bits >= count->clusters) {
            continue;
        }
        if (mend_flag(count, &q->l1[i], "L2 table", i)) {
            qcow2_mark_l1(q, i);
        }
        ret = check_table_flags(count, i);
    }
    return ret;
}

/* ---- new refcount blocks ---- */

typedef struct Rebuild {
    uint64_t first, clusters; /* all clusters counted, with the new ones at FIRST */
    uint64_t table_clusters, blocks;
    uint64_t *table;
} Rebuild;

static bool
needs_block(const Count *count, const Rebuild *rebuild, uint64_t index)
{
    const Qcow2 *q = count->node->state;
    uint64_t from = index << q->refblock_bits, to = (index + 1) << q->refblock_bits;

    if (to > rebuild->first && from < rebuild->first + rebuild->table_clusters + rebuild->blocks) {
        return true;
    }
    for (uint64_t i = from; i < MIN(to, count->clusters); i++) {
        if (count->refs[i]) {
            return true;
        }
    }
    return false;
}

static void
plan_rebuild(const Count *count, Rebuild *rebuild)
{
    const Qcow2 *q = count->node->state;
    uint64_t blocks, entries;

    rebuild->first = count->clusters;
    do {
        entries =
            ((rebuild->first + rebuild->table_clusters + rebuild->blocks) >> q->refblock_bits) + 1;
        blocks = 0;
        for (uint64_t i = 0; i < entries; i++) {
            blocks += needs_block(count, rebuild, i);
        }
        bool settled = blocks == rebuild->blocks &&
                       qcow2_clusters_for(q, entries * 8) == rebuild->table_clusters;
        rebuild->blocks = MAX(blocks, rebuild->blocks);
        rebuild->table_clusters = MAX(qcow2_clusters_for(q, entries * 8), rebuild->table_clusters);
        if (settled || blocks < rebuild->blocks) {
            break;
        }
    } while (true);
    rebuild->clusters = rebuild->first + rebuild->table_clusters + rebuild->blocks;
}

static int
write_rebuilt_block(const Count *count, const Rebuild *rebuild, uint64_t index, uint64_t offset)
{
    const Qcow2 *q = count->node->state;
    uint64_t from = index << q->refblock_bits, to = (index + 1) << q->refblock_bits;
    g_autofree uint8_t *block = g_malloc0(q->cluster_bytes);

    for (uint64_t i = from; i < MIN(to, rebuild->clusters); i++) {
        uint64_t refs = i < count->clusters ? count->refs[i] : 1;
        qcow2_refcount_write(q, block, i - from, MIN(refs, q->refcount_max));
    }
    return blk_write_buffer(count->node->file, offset, block, q->cluster_bytes, 0);
}

static int
write_rebuilt(const Count *count, Rebuild *rebuild)
{
    const Qcow2 *q = count->node->state;
    uint64_t size = (rebuild->table_clusters << q->cluster_bits) / 8;
    uint64_t next = rebuild->first + rebuild->table_clusters;
    g_autofree uint64_t *disk = g_new0(uint64_t, size);
    int ret = 0;

    rebuild->table = g_new0(uint64_t, size);
    for (uint64_t i = 0; i < size && ret == 0; i++) {
        if (i << q->refblock_bits >= rebuild->clusters || !needs_block(count, rebuild, i)) {
            continue;
        }
        rebuild->table[i] = next++ << q->cluster_bits;
        disk[i] = GUINT64_TO_BE(rebuild->table[i]);
        ret = write_rebuilt_block(count, rebuild, i, rebuild->table[i]);
    }
    return ret < 0 ? ret
                   : blk_write_buffer(count->node->file, rebuild->first << q->cluster_bits, disk,
                                      size * 8, 0);
}

/* COUNT has everything but the refcount blocks. */
static int
rebuild_refcounts(const Count *count)
{
    Qcow2 *q = count->node->state;
    uint64_t old_offset = q->reftable_offset;
    uint32_t old_clusters = q->reftable_clusters;
    Rebuild rebuild = { 0 };
    int ret;

    plan_rebuild(count, &rebuild);
    if (rebuild.table_clusters << q->cluster_bits > QCOW2_MAX_REFTABLE_BYTES &&
        rebuild.table_clusters > 1) {
        return -EFBIG;
    }
    ret = write_rebuilt(count, &rebuild);
    ret = ret < 0 ? ret : blk_flush(count->node->file);
    if (ret < 0) {
        g_free(rebuild.table);
        return ret;
    }
    q->reftable_offset = rebuild.first << q->cluster_bits;
    q->reftable_clusters = (uint32_t)rebuild.table_clusters;
    ret = qcow2_update_header(count->node);
    if (ret < 0) {
        q->reftable_offset = old_offset;
        q->reftable_clusters = old_clusters;
        g_free(rebuild.table);
        return ret;
    }
    g_free(q->reftable);
    q->reftable = rebuild.table;
    q->reftable_size = (rebuild.table_clusters << q->cluster_bits) / 8;
    qcow2_count_reftable(q);
    q->reftable_dirty_from = q->reftable_dirty_to = 0;
    q->free_hint = 0;
    qcow2_cache_forget_all(q->ref_cache);
    return blk_flush(count->node->file);
}

static bool
replace_refcounts(Count *count, GError **error)
{
    BlkCheck *check = count->check;
    uint64_t bad = check->corruptions, leaks = check->leaks;
    int ret;

    memset(count->refs, 0, count->clusters * sizeof(*count->refs));
    count->quiet = true;
    if (count_content(count, error) < 0) {
        return false;
    }
    ret = rebuild_refcounts(count);
    count->quiet = false;
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "'%s': new refcount blocks cannot be written: %s.", count->node->filename,
                    g_strerror(-ret));
        return false;
    }
    check->corruptions_fixed = bad;
    check->leaks_fixed = leaks;
    return true;
}

/* ---- refcounts of another width ---- */

static bool
fits_order(const Count *count, unsigned order)
{
    uint64_t max = order == 6 ? INT64_MAX : (UINT64_C(1) << (1u << order)) - 1;

    for (uint64_t i = 0; i < count->clusters; i++) {
        if (count->refs[i] > max) {
            return false;
        }
    }
    return true;
}

/* New blocks and a new table behind the image, then the header, whose sector says both where they
 * are and how wide. The old ones are free by the new ones' count. */
static bool
change_order(Count *count, unsigned order, GError **error)
{
    Qcow2 *q = count->node->state;
    unsigned old_order = q->refcount_order;
    int ret;

    if (count_content(count, error) < 0) {
        return false;
    }
    if (count->check->corruptions > 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE,
                    "'%s' is damaged: repair it with check -r all first.", count->node->filename);
        return false;
    }
    if (!fits_order(count, order)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': clusters are shared by more snapshots than refcounts of %u bits can "
                    "tell: delete some, or choose more bits.",
                    count->node->filename, 1u << order);
        return false;
    }
    qcow2_set_refcount_order(q, order);
    ret = rebuild_refcounts(count);
    if (ret < 0) {
        qcow2_set_refcount_order(q, old_order);
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "'%s': new refcount blocks cannot be written: %s.", count->node->filename,
                    g_strerror(-ret));
    }
    return ret == 0;
}

bool
qcow2_change_refcount_order(BlkNode *node, unsigned order, GError **error)
{
    BlkCheck check = { 0 };
    Count count = { .node = node, .check = &check };
    bool ok = start_count(&count, error) && change_order(&count, order, error);

    g_free(count.refs);
    return ok;
}

/* ---- the whole ---- */

static bool
check_failed(BlkNode *node, int ret, GError **error)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' could not be checked: %s.", node->filename,
                g_strerror(-ret));
    return false;
}

static bool
run_check(Count *count, GError **error)
{
    BlkNode *node = count->node;
    const Qcow2 *q = node->state;
    int ret;

    if (count_content(count, error) < 0) {
        return false;
    }
    count_refcount_blocks(count);
    ret = compare_refcounts(count);
    if (ret == 0 && count->rebuild && count->check->fix_errors &&
        !replace_refcounts(count, error)) {
        return false;
    }
    ret = ret < 0 ? ret : check_flags(count);
    if (ret == 0 && !node->read_only && (count->check->fix_errors || count->check->fix_leaks)) {
        ret = qcow2_commit(node, true);
        ret = ret < 0 ? ret : qcow2_commit(node, true);
    }
    count->check->has_clusters = true;
    count->check->total_clusters = qcow2_clusters_for(q, q->size);
    return ret < 0 ? check_failed(node, ret, error) : true;
}

bool
qcow2_check_inside(BlkNode *node, BlkCheck *check, GError **error)
{
    Qcow2 *q = node->state;
    Count count = { .node = node, .check = check };
    bool was_lazy = q->is_lazy, ok;
    int ret = 0;

    if (!start_count(&count, error)) {
        return false;
    }
    q->is_lazy = false;
    q->is_corrupt = false;
    ok = run_check(&count, error);
    q->is_lazy = was_lazy;
    g_free(count.refs);
    if (ok && check->fix_errors && !node->read_only && check->check_errors == 0 &&
        check->corruptions == check->corruptions_fixed) {
        q->is_dirty_marked = q->is_dirty_marked && was_lazy;
        ret = qcow2_change_incompatible(
            node, 0, QCOW2_INCOMPAT_CORRUPT | (q->is_dirty_marked ? 0 : QCOW2_INCOMPAT_DIRTY));
        q->is_dirty_marked = q->incompatible & QCOW2_INCOMPAT_DIRTY;
    }
    return ret < 0 ? check_failed(node, ret, error) : ok;
}

bool
qcow2_check(BlkNode *node, BlkCheck *check, GError **error)
{
    BlkRange gate;
    bool ok;
    int ret;

    if (node->read_only && (check->fix_errors || check->fix_leaks)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION,
                    "'%s' is open read-only and cannot be repaired.", node->filename);
        return false;
    }
    qcow2_enter(node, &gate, true);
    qcow2_lock(node);
    ret = node->read_only ? 0 : qcow2_commit(node, true);
    ret = ret < 0 || node->read_only ? ret : qcow2_commit(node, true);
    ok = ret < 0 ? check_failed(node, ret, error) : qcow2_check_inside(node, check, error);
    qcow2_unlock(node);
    qcow2_leave(node, &gate);
    return ok;
}
