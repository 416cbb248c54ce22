/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Internal snapshots: their table, and taking, going back to and deleting them.
 *
 * Specification: "Snapshots". Every operation changes many refcounts and copied flags; between
 * them the two may disagree, so the image is marked dirty meanwhile and a kill leaves something
 * that the next opening repairs. The order of writes is such that no data is lost either way:
 * increments are stable before a new table is pointed to, decrements come after the old one is
 * gone.
 *
 * Thread: in a fiber; the gate is held alone. */

#include "qcow2.h"

#include <string.h>

enum { ENTRY_BYTES = 40, EXTRA_BYTES = 24 };

static void
free_snapshot(Qcow2Snapshot *snapshot)
{
    g_free(snapshot->info.id);
    g_free(snapshot->info.name);
    g_free(snapshot->extra);
    g_free(snapshot);
}

void
qcow2_free_snapshots(Qcow2 *q)
{
    for (unsigned i = 0; q->snapshots && i < q->snapshots->len; i++) {
        free_snapshot(g_ptr_array_index(q->snapshots, i));
    }
    g_clear_pointer(&q->snapshots, g_ptr_array_unref);
}

/* ---- the table ---- */

static bool
read_failed(BlkNode *node, uint64_t at, int ret, GError **error)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                "'%s', offset %" PRIu64 " (snapshot table): cannot be read: %s.", node->filename,
                at, g_strerror(-ret));
    return false;
}

static void
parse_extra(const Qcow2 *q, Qcow2Snapshot *snapshot)
{
    const uint8_t *extra = snapshot->extra;

    snapshot->info.disk_bytes = q->size;
    snapshot->info.icount = UINT64_MAX;
    if (snapshot->extra_bytes >= 8) {
        uint64_t large = fmt_be64(extra);
        snapshot->info.vm_state_bytes = large ? large : snapshot->info.vm_state_bytes;
    }
    if (snapshot->extra_bytes >= 16) {
        snapshot->info.disk_bytes = fmt_be64(extra + 8);
    }
    if (snapshot->extra_bytes >= 24) {
        snapshot->info.icount = fmt_be64(extra + 16);
    }
}

static bool
check_snapshot(BlkNode *node, const Qcow2Snapshot *snapshot, uint64_t at, GError **error)
{
    const Qcow2 *q = node->state;

    if (snapshot->l1_size > QCOW2_MAX_L1_BYTES / 8 || qcow2_in_cluster(q, snapshot->l1_offset) ||
        snapshot->l1_offset > INT64_MAX - QCOW2_MAX_L1_BYTES) {
        qcow2_set_bad(node, error, at, "snapshot l1_table_offset, l1_size",
                      "a table of %u entries at 0x%" PRIx64 " is not possible", snapshot->l1_size,
                      snapshot->l1_offset);
        return false;
    }
    if (snapshot->info.disk_bytes > INT64_MAX ||
        qcow2_l1_entries_for(q, snapshot->info.disk_bytes) > QCOW2_MAX_L1_BYTES / 8) {
        qcow2_set_bad(node, error, at, "snapshot disk size",
                      "%" PRIu64 " bytes is more than a disk can have", snapshot->info.disk_bytes);
        return false;
    }
    return true;
}

/* Reads the entry at *AT and moves it on. */
static bool
load_snapshot(BlkNode *node, uint64_t *at, GError **error)
{
    Qcow2 *q = node->state;
    uint8_t head[ENTRY_BYTES];
    Qcow2Snapshot *snapshot;
    unsigned id_len, name_len;
    int ret = blk_read_buffer(node->file, *at, head, sizeof(head));

    if (ret < 0) {
        return read_failed(node, *at, ret, error);
    }
    snapshot = g_new0(Qcow2Snapshot, 1);
    g_ptr_array_add(q->snapshots, snapshot);
    snapshot->l1_offset = fmt_be64(head);
    snapshot->l1_size = fmt_be32(head + 8);
    id_len = fmt_be16(head + 12);
    name_len = fmt_be16(head + 14);
    snapshot->info.date_s = fmt_be32(head + 16);
    snapshot->info.date_ns = fmt_be32(head + 20);
    snapshot->info.vm_clock_ns = fmt_be64(head + 24);
    snapshot->info.vm_state_bytes = fmt_be32(head + 32);
    snapshot->extra_bytes = fmt_be32(head + 36);
    if (snapshot->extra_bytes > 1024) {
        qcow2_set_bad(node, error, *at + 36, "snapshot extra_data_size", "%u is more than 1024",
                      snapshot->extra_bytes);
        return false;
    }
    uint32_t rest = snapshot->extra_bytes + id_len + name_len;
    g_autofree uint8_t *body = g_malloc(rest + 1);
    ret = rest ? blk_read_buffer(node->file, *at + ENTRY_BYTES, body, rest) : 0;
    if (ret < 0) {
        return read_failed(node, *at, ret, error);
    }
    snapshot->extra = g_memdup2(body, snapshot->extra_bytes);
    snapshot->info.id = g_strndup((char *)body + snapshot->extra_bytes, id_len);
    snapshot->info.name = g_strndup((char *)body + snapshot->extra_bytes + id_len, name_len);
    parse_extra(q, snapshot);
    if (!check_snapshot(node, snapshot, *at, error)) {
        return false;
    }
    *at += (ENTRY_BYTES + (uint64_t)rest + 7) & ~UINT64_C(7);
    return true;
}

bool
qcow2_load_snapshots(BlkNode *node, uint32_t count, GError **error)
{
    Qcow2 *q = node->state;
    uint64_t at = q->snapshots_offset;

    if (count > QCOW2_MAX_SNAPSHOTS) {
        qcow2_set_bad(node, error, QCOW2_AT_NB_SNAPSHOTS, "nb_snapshots", "%u is too many", count);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!load_snapshot(node, &at, error)) {
            return false;
        }
        if (at - q->snapshots_offset > QCOW2_MAX_SNAPSHOTS_BYTES ||
            (at > blk_node_get_len(node->file->node) + q->cluster_bytes)) {
            qcow2_set_bad(node, error, at, "snapshot table", "it is too large for this file");
            return false;
        }
    }
    q->snapshots_bytes = count ? at - q->snapshots_offset : 0;
    return true;
}

static void
append_snapshot(GByteArray *table, const Qcow2Snapshot *snapshot)
{
    static const uint8_t padding[8] = { 0 };
    const BlkSnapshot *info = &snapshot->info;
    uint32_t extra_bytes = MAX(snapshot->extra_bytes, info->icount == UINT64_MAX ? 16 : 24);
    g_autofree uint8_t *extra = g_malloc0(MAX(extra_bytes, EXTRA_BYTES));
    uint8_t head[ENTRY_BYTES];
    size_t id_len = strlen(info->id), name_len = strlen(info->name);

    if (snapshot->extra_bytes) {
        memcpy(extra, snapshot->extra, snapshot->extra_bytes);
    }
    fmt_put_be64(extra, info->vm_state_bytes);
    fmt_put_be64(extra + 8, info->disk_bytes);
    if (extra_bytes >= 24) {
        fmt_put_be64(extra + 16, info->icount);
    }
    fmt_put_be64(head, snapshot->l1_offset);
    fmt_put_be32(head + 8, snapshot->l1_size);
    fmt_put_be16(head + 12, (uint16_t)id_len);
    fmt_put_be16(head + 14, (uint16_t)name_len);
    fmt_put_be32(head + 16, (uint32_t)info->date_s);
    fmt_put_be32(head + 20, info->date_ns);
    fmt_put_be64(head + 24, info->vm_clock_ns);
    fmt_put_be32(head + 32, info->vm_state_bytes > UINT32_MAX ? 0 : (uint32_t)info->vm_state_bytes);
    fmt_put_be32(head + 36, extra_bytes);
    g_byte_array_append(table, head, sizeof(head));
    g_byte_array_append(table, extra, extra_bytes);
    g_byte_array_append(table, (const uint8_t *)info->id, (guint)id_len);
    g_byte_array_append(table, (const uint8_t *)info->name, (guint)name_len);
    g_byte_array_append(table, padding, (8 - table->len % 8) % 8);
}

/* A new table elsewhere, then the header that points to it, then the old one's end. Lock held. */
int
qcow2_write_snapshots(BlkNode *node)
{
    Qcow2 *q = node->state;
    uint64_t old_offset = q->snapshots_offset, old_bytes = q->snapshots_bytes;
    g_autoptr(GByteArray) table = g_byte_array_new();
    int64_t offset = 0;
    int ret = 0;

    for (unsigned i = 0; i < q->snapshots->len; i++) {
        append_snapshot(table, g_ptr_array_index(q->snapshots, i));
    }
    if (table->len > QCOW2_MAX_SNAPSHOTS_BYTES) {
        return -EFBIG;
    }
    if (table->len > 0) {
        offset = qcow2_alloc(node, qcow2_clusters_for(q, table->len));
        ret = offset < 0 ? (int)offset : 0;
        ret = ret < 0 ? ret : qcow2_write_meta(node, (uint64_t)offset, table->data, table->len, 0);
    }
    ret = ret < 0 ? ret : qcow2_commit(node, true);
    if (ret < 0) {
        return ret;
    }
    q->snapshots_offset = (uint64_t)offset;
    q->snapshots_bytes = table->len;
    ret = qcow2_update_header(node);
    ret = ret < 0 ? ret : blk_flush(node->file);
    if (ret < 0) {
        q->snapshots_offset = old_offset;
        q->snapshots_bytes = old_bytes;
        return ret;
    }
    qcow2_free(q, old_offset, old_bytes, false);
    return 0;
}

/* ---- refcounts of everything below an L1 table ---- */

typedef struct Walk {
    BlkNode *node;
    int delta;
    bool is_active; /* its flags are brought up to date */
    GArray *left;   /* LeftRun: what a decrement may have freed; NULL: nobody asks */
} Walk;

typedef struct LeftRun {
    uint64_t first, count; /* clusters */
} LeftRun;

static int
change_refcount(const Walk *walk, uint64_t first, uint64_t count)
{
    GArray *left = walk->left;
    LeftRun *last = left && left->len > 0 ? &g_array_index(left, LeftRun, left->len - 1) : NULL;

    if (last && last->first + last->count == first) {
        last->count += count;
    } else if (left) {
        LeftRun run = { first, count };
        g_array_append_val(left, run);
    }
    return qcow2_change_refcount(walk->node, first, count, walk->delta);
}

static GArray *
left_new(const Qcow2 *q)
{
    return q->pass_discard_snapshot ? g_array_new(FALSE, FALSE, sizeof(LeftRun)) : NULL;
}

/* Once the references are gone for good: what has no other goes back to the host. Lock held. */
static int
give_back(BlkNode *node, GArray *left)
{
    int ret = left ? qcow2_commit(node, true) : 0;

    for (guint i = 0; left && ret == 0 && i < left->len; i++) {
        const LeftRun *run = &g_array_index(left, LeftRun, i);
        qcow2_discard_unused(node, run->first, run->count);
    }
    return ret;
}

static int
change_entry_refcount(const Walk *walk, uint64_t entry)
{
    const Qcow2 *q = walk->node->state;
    uint64_t offset = qcow2_cluster_start(q, entry & QCOW2_OFFSET_MASK), first, last;
    uint32_t bytes;

    if (entry & QCOW2_COMPRESSED) {
        qcow2_packed_place(q, entry, &offset, &bytes);
        first = offset >> q->cluster_bits;
        last = (offset + bytes - 1) >> q->cluster_bits;
        return change_refcount(walk, first, last - first + 1);
    }
    return offset ? change_refcount(walk, offset >> q->cluster_bits, 1) : 0;
}

static int
set_copied(const Walk *walk, uint64_t *entry)
{
    const Qcow2 *q = walk->node->state;
    uint64_t refcount;
    int ret;

    if ((*entry & QCOW2_COMPRESSED) || !(*entry & QCOW2_OFFSET_MASK)) {
        *entry &= ~QCOW2_COPIED;
        return 0;
    }
    ret =
        qcow2_get_refcount(walk->node, (*entry & QCOW2_OFFSET_MASK) >> q->cluster_bits, &refcount);
    *entry = refcount == 1 ? *entry | QCOW2_COPIED : *entry & ~QCOW2_COPIED;
    return ret;
}

static int
walk_slice(const Walk *walk, Qcow2Table *slice)
{
    Qcow2 *q = walk->node->state;
    unsigned count = q->slice_bytes / q->entry_bytes;
    int ret = 0;

    for (unsigned i = 0; i < count && ret == 0; i++) {
        uint64_t bitmap, entry = qcow2_get_entry(q, slice, i, &bitmap), changed = entry;
        if (walk->delta) {
            ret = change_entry_refcount(walk, entry);
        }
        if (ret == 0 && walk->is_active) {
            ret = set_copied(walk, &changed);
            if (changed != entry) {
                qcow2_set_entry(q, slice, i, changed, bitmap);
            }
        }
    }
    return ret;
}

static int
walk_table(const Walk *walk, uint64_t l2_offset)
{
    Qcow2 *q = walk->node->state;
    int ret = 0;

    if (qcow2_in_cluster(q, l2_offset)) {
        return -EIO;
    }
    for (uint64_t at = 0; at < q->cluster_bytes && ret == 0; at += q->slice_bytes) {
        Qcow2Table *slice;
        ret = qcow2_cache_get(walk->node, q->l2_cache, l2_offset + at, false, &slice);
        if (ret == 0) {
            ret = walk_slice(walk, slice);
            qcow2_cache_put(slice);
        }
        /* Many flags change: keep the cache within its bound. */
        ret = ret < 0 ? ret : qcow2_relieve(walk->node);
    }
    return ret < 0 || !walk->delta ? ret : change_refcount(walk, l2_offset >> q->cluster_bits, 1);
}

/* Adds DELTA to all that L1 (of SIZE entries) refers to, tables and data. Lock held. */
static int
walk_l1(const Walk *walk, uint64_t *l1, uint32_t size)
{
    Qcow2 *q = walk->node->state;
    int ret = 0;

    for (uint32_t i = 0; i < size && ret == 0; i++) {
        uint64_t entry = l1[i], offset = entry & QCOW2_OFFSET_MASK;
        if (!offset) {
            continue;
        }
        ret = walk_table(walk, offset);
        if (ret == 0 && walk->is_active) {
            ret = set_copied(walk, &entry);
            if (entry != l1[i]) {
                l1[i] = entry;
                qcow2_mark_l1(q, i);
            }
        }
    }
    return ret;
}

/* ---- the operations ---- */

static int
find_snapshot(const Qcow2 *q, const char *id_or_name)
{
    for (unsigned i = 0; i < q->snapshots->len; i++) {
        const Qcow2Snapshot *snapshot = g_ptr_array_index(q->snapshots, i);
        if (strcmp(snapshot->info.id, id_or_name) == 0) {
            return (int)i;
        }
    }
    for (unsigned i = 0; i < q->snapshots->len; i++) {
        const Qcow2Snapshot *snapshot = g_ptr_array_index(q->snapshots, i);
        if (strcmp(snapshot->info.name, id_or_name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static Qcow2Snapshot *
require_snapshot(BlkNode *node, const char *id_or_name, GError **error)
{
    const Qcow2 *q = node->state;
    int index = find_snapshot(q, id_or_name);

    if (index < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "'%s' has no snapshot with the id or name '%s'.", node->filename, id_or_name);
        return NULL;
    }
    return g_ptr_array_index(q->snapshots, index);
}

static int
read_l1_of(BlkNode *node, const Qcow2Snapshot *snapshot, uint64_t *l1)
{
    int ret = snapshot->l1_size ? blk_read_buffer(node->file, snapshot->l1_offset, l1,
                                                  (size_t)snapshot->l1_size * 8)
                                : 0;

    for (uint32_t i = 0; i < snapshot->l1_size; i++) {
        /* Flags of another table's time mean nothing. */
        l1[i] = GUINT64_FROM_BE(l1[i]) & QCOW2_OFFSET_MASK;
    }
    return ret;
}

static bool
begin_operation(BlkNode *node, BlkRange *gate, GError **error)
{
    Qcow2 *q = node->state;
    int ret;

    if (node->read_only || q->is_corrupt) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION, "'%s' is open read-only.",
                    node->filename);
        return false;
    }
    if (qcow2_has_data_file(q)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' keeps its data in another file: it cannot have internal snapshots.",
                    node->filename);
        return false;
    }
    qcow2_enter(node, gate, true);
    ret = qcow2_before_write(node);
    qcow2_lock(node);
    ret = ret < 0 ? ret : qcow2_commit(node, true);
    ret = ret < 0 ? ret : qcow2_mark_dirty(node);
    if (ret < 0) {
        qcow2_unlock(node);
        qcow2_leave(node, gate);
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be brought up to date: %s.",
                    node->filename, g_strerror(-ret));
    }
    return ret == 0;
}

static bool
end_operation(BlkNode *node, BlkRange *gate, int ret, const char *what, GError **error)
{
    Qcow2 *q = node->state;

    ret = ret < 0 ? ret : qcow2_commit(node, true);
    ret = ret < 0 ? ret : qcow2_commit(node, true);
    if (ret == 0 && !q->is_lazy) {
        ret = qcow2_mark_clean(node);
    }
    if (ret < 0) {
        q->keep_dirty = true; /* the next opening repairs */
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "A snapshot of '%s' could not be %s: %s.",
                    node->filename, what,
                    ret == -ERANGE ? "its refcounts are too narrow for one more"
                                   : g_strerror(-ret));
    }
    qcow2_unlock(node);
    qcow2_leave(node, gate);
    return ret == 0;
}

static char *
free_id(const Qcow2 *q)
{
    uint64_t highest = 0;

    for (unsigned i = 0; i < q->snapshots->len; i++) {
        const Qcow2Snapshot *snapshot = g_ptr_array_index(q->snapshots, i);
        highest = MAX(highest, g_ascii_strtoull(snapshot->info.id, NULL, 10));
    }
    return g_strdup_printf("%" PRIu64, highest + 1);
}

static Qcow2Snapshot *
new_snapshot(const Qcow2 *q, const BlkSnapshot *wanted)
{
    Qcow2Snapshot *snapshot = g_new0(Qcow2Snapshot, 1);

    snapshot->info = *wanted;
    snapshot->info.id = wanted->id && *wanted->id ? g_strdup(wanted->id) : free_id(q);
    snapshot->info.name = g_strdup(wanted->name ? wanted->name : "");
    snapshot->info.disk_bytes = q->size;
    snapshot->l1_size = q->l1_size;
    return snapshot;
}

/* Writes the L1 table of SNAPSHOT, a copy of the active one. */
static int
write_copy_of_l1(BlkNode *node, Qcow2Snapshot *snapshot)
{
    const Qcow2 *q = node->state;
    uint64_t bytes = (uint64_t)q->l1_size * 8;
    g_autofree uint64_t *disk = g_new(uint64_t, MAX(q->l1_size, 1));
    int64_t offset = qcow2_alloc(node, MAX(qcow2_clusters_for(q, bytes), 1));

    if (offset < 0) {
        return (int)offset;
    }
    for (uint32_t i = 0; i < q->l1_size; i++) {
        disk[i] = GUINT64_TO_BE(q->l1[i] & QCOW2_OFFSET_MASK);
    }
    snapshot->l1_offset = (uint64_t)offset;
    return qcow2_write_meta(node, snapshot->l1_offset, disk, bytes, 0);
}

static int
drop_vm_state(BlkNode *node, uint64_t bytes)
{
    Qcow2 *q = node->state;
    uint64_t start = qcow2_l1_entries_for(q, q->size) << (q->cluster_bits + q->l2_bits);

    return qcow2_drop(node, start, qcow2_clusters_for(q, bytes) << q->cluster_bits);
}

bool
qcow2_create_snapshot(BlkNode *node, const BlkSnapshot *wanted, GError **error)
{
    Qcow2 *q = node->state;
    Qcow2Snapshot *snapshot;
    BlkRange gate;
    int ret;

    if (q->snapshots->len >= QCOW2_MAX_SNAPSHOTS || q->refcount_max < 2) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' cannot have a snapshot: %s.", node->filename,
                    q->refcount_max < 2 ? "its refcounts have one bit only"
                                        : "it has as many as the format allows");
        return false;
    }
    if (wanted->id && *wanted->id && find_snapshot(q, wanted->id) >= 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' already has a snapshot '%s'.", node->filename, wanted->id);
        return false;
    }
    if (!begin_operation(node, &gate, error)) {
        return false;
    }
    snapshot = new_snapshot(q, wanted);
    ret = write_copy_of_l1(node, snapshot);
    if (ret == 0) {
        Walk walk = { .node = node, .delta = 1, .is_active = true };
        ret = walk_l1(&walk, q->l1, q->l1_size);
    }
    ret = ret < 0 ? ret : qcow2_commit(node, true);
    if (ret == 0) {
        g_ptr_array_add(q->snapshots, snapshot);
        ret = qcow2_write_snapshots(node);
        if (ret < 0) {
            g_ptr_array_remove(q->snapshots, snapshot);
        }
    }
    if (ret < 0) {
        free_snapshot(snapshot);
    }
    if (!end_operation(node, &gate, ret, "taken", error)) {
        return false;
    }
    /* The state is the snapshot's now; in the active table it would only cost copies. */
    return wanted->vm_state_bytes == 0 || drop_vm_state(node, wanted->vm_state_bytes) == 0;
}

/* Puts L1 in the present table's place, and points the header to it; on failure all is as it was.
 * The header's write looks at the table in use: a size is never that of another one. */
static int
switch_l1(BlkNode *node, const Qcow2Snapshot *snapshot, uint64_t *l1, uint32_t size)
{
    Qcow2 *q = node->state;
    uint64_t bytes = (uint64_t)size * 8;
    g_autofree uint64_t *disk = g_new(uint64_t, MAX(size, 1));
    uint64_t clusters = MAX(qcow2_clusters_for(q, bytes), 1);
    uint64_t old_offset = q->l1_offset, old_len = q->size, *old = q->l1;
    uint32_t old_size = q->l1_size;
    int64_t offset = qcow2_alloc(node, clusters);
    int ret = offset < 0 ? (int)offset : 0;

    for (uint32_t i = 0; i < size; i++) {
        disk[i] = GUINT64_TO_BE(l1[i]);
    }
    ret = ret < 0 ? ret : qcow2_write_meta(node, (uint64_t)offset, disk, bytes, 0);
    ret = ret < 0 ? ret : qcow2_commit(node, true);
    ret = ret < 0 ? ret : blk_flush(node->file);
    q->l1 = l1;
    q->l1_offset = (uint64_t)offset;
    q->l1_size = size;
    q->size = snapshot->info.disk_bytes;
    ret = ret < 0 ? ret : qcow2_update_header(node);
    if (ret < 0) {
        q->l1 = old;
        q->l1_offset = old_offset;
        q->l1_size = old_size;
        q->size = old_len;
        if (offset >= 0) {
            qcow2_free(q, (uint64_t)offset, clusters << q->cluster_bits, false);
        }
    }
    return ret;
}

static int
go_back(BlkNode *node, const Qcow2Snapshot *snapshot)
{
    Qcow2 *q = node->state;
    uint32_t size =
        (uint32_t)MAX(snapshot->l1_size, qcow2_l1_entries_for(q, snapshot->info.disk_bytes));
    uint64_t *l1 = g_new0(uint64_t, MAX(size, 1)), *old = q->l1;
    uint64_t old_offset = q->l1_offset;
    uint32_t old_size = q->l1_size;
    g_autoptr(GArray) left = left_new(q);
    Walk add = { .node = node, .delta = 1 };
    Walk remove = { .node = node, .delta = -1, .left = left };
    Walk refresh = { .node = node, .is_active = true };
    int ret = read_l1_of(node, snapshot, l1);

    ret = ret < 0 ? ret : walk_l1(&add, l1, snapshot->l1_size);
    ret = ret < 0 ? ret : qcow2_commit(node, true);
    ret = ret < 0 ? ret : switch_l1(node, snapshot, l1, size);
    if (ret < 0) {
        g_free(l1);
        return ret;
    }
    q->l1_dirty_from = q->l1_dirty_to = 0;
    ret = blk_flush(node->file);
    if (ret < 0) { /* nobody knows which table the header has: the old one stays as it is */
        g_free(old);
        return ret;
    }
    ret = walk_l1(&remove, old, old_size);
    ret = ret < 0 ? ret : walk_l1(&refresh, q->l1, q->l1_size);
    qcow2_free(q, old_offset, (uint64_t)old_size * 8, false);
    g_free(old);
    return ret < 0 ? ret : give_back(node, left);
}

bool
qcow2_apply_snapshot(BlkNode *node, const char *id_or_name, GError **error)
{
    Qcow2 *q = node->state;
    Qcow2Snapshot *snapshot = require_snapshot(node, id_or_name, error);
    BlkRange gate;
    int ret;

    if (!snapshot || !begin_operation(node, &gate, error)) {
        return false;
    }
    ret =
        snapshot->info.disk_bytes != q->size && q->version < 3 ? -ENOTSUP : go_back(node, snapshot);
    blk_node_resize_bitmaps(node);
    blk_node_mark_dirty(node, 0, q->size);
    return end_operation(node, &gate, ret, "applied", error);
}

bool
qcow2_delete_snapshot(BlkNode *node, const char *id_or_name, GError **error)
{
    Qcow2 *q = node->state;
    Qcow2Snapshot *snapshot = require_snapshot(node, id_or_name, error);
    bool old_other = q->pass_discard_other;
    BlkRange gate;
    int ret;

    if (!snapshot || !begin_operation(node, &gate, error)) {
        return false;
    }
    q->pass_discard_other = q->pass_discard_snapshot;
    guint index = 0;
    g_ptr_array_find(q->snapshots, snapshot, &index);
    g_ptr_array_remove_index(q->snapshots, index);
    ret = qcow2_write_snapshots(node);
    if (ret < 0) {
        g_ptr_array_insert(q->snapshots, (int)index, snapshot);
    } else {
        g_autofree uint64_t *l1 = g_new0(uint64_t, MAX(snapshot->l1_size, 1));
        g_autoptr(GArray) left = left_new(q);
        Walk remove = { .node = node, .delta = -1, .left = left };
        Walk refresh = { .node = node, .is_active = true };
        ret = read_l1_of(node, snapshot, l1);
        ret = ret < 0 ? ret : walk_l1(&remove, l1, snapshot->l1_size);
        ret = ret < 0 ? ret : walk_l1(&refresh, q->l1, q->l1_size);
        qcow2_free(q, snapshot->l1_offset, (uint64_t)snapshot->l1_size * 8, false);
        free_snapshot(snapshot);
        ret = ret < 0 ? ret : give_back(node, left);
    }
    bool ok = end_operation(node, &gate, ret, "deleted", error);
    q->pass_discard_other = old_other;
    return ok;
}

bool
qcow2_show_snapshot(BlkNode *node, const char *id_or_name, GError **error)
{
    Qcow2 *q = node->state;
    Qcow2Snapshot *snapshot = require_snapshot(node, id_or_name, error);
    uint64_t *l1;
    int ret;

    if (!snapshot) {
        return false;
    }
    g_assert(node->read_only);
    l1 = g_new0(uint64_t, MAX(snapshot->l1_size, 1));
    ret = read_l1_of(node, snapshot, l1);
    if (ret < 0) {
        g_free(l1);
        return read_failed(node, snapshot->l1_offset, ret, error);
    }
    g_free(q->l1);
    q->l1 = l1;
    q->l1_offset = snapshot->l1_offset;
    q->l1_size = snapshot->l1_size;
    q->size = snapshot->info.disk_bytes;
    return true;
}

/* Does not wait. */
GPtrArray *
qcow2_list_snapshots(BlkNode *node)
{
    const Qcow2 *q = node->state;
    GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)blk_snapshot_free);

    for (unsigned i = 0; i < q->snapshots->len; i++) {
        const Qcow2Snapshot *snapshot = g_ptr_array_index(q->snapshots, i);
        BlkSnapshot *copy = g_memdup2(&snapshot->info, sizeof(snapshot->info));
        copy->id = g_strdup(copy->id);
        copy->name = g_strdup(copy->name);
        g_ptr_array_add(list, copy);
    }
    return list;
}

/* ---- a machine's state, behind the disk in guest addresses ---- */

static uint64_t
vm_state_start(const Qcow2 *q)
{
    return qcow2_l1_entries_for(q, q->size) << (q->cluster_bits + q->l2_bits);
}

int
qcow2_read_vm_state(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    BlkRange gate;
    int ret;

    qcow2_enter(node, &gate, false);
    ret = qcow2_read_inside(node, vm_state_start(node->state) + offset, len, vec, at);
    qcow2_leave(node, &gate);
    return ret;
}

int
qcow2_write_vm_state(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    BlkRange gate;
    int ret;

    qcow2_enter(node, &gate, false);
    ret = qcow2_before_write(node);
    ret = ret < 0 ? ret
                  : qcow2_write_inside(node, vm_state_start(node->state) + offset, len, vec, at);
    qcow2_leave(node, &gate);
    node->write_count++;
    return ret;
}
