/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Persistent dirty bitmaps: loaded into node->bitmaps by opening, marked "in use" in the image by
 * the first write, stored anew when the image is closed or becomes read-only.
 *
 * Specification: "Bitmaps". A bitmap that is found in use was not stored by whoever used it last;
 * it is listed as inconsistent and can only be removed. Storing writes new clusters and switches
 * the header extension to the new directory, so a kill leaves the old ones, in use.
 *
 * Thread: in a fiber. */

#include "qcow2.h"

#include <string.h>

enum {
    DIR_ENTRY_BYTES = 24,
    FLAG_IN_USE = 1u << 0,
    FLAG_AUTO = 1u << 1,
    FLAG_EXTRA_COMPATIBLE = 1u << 2,
    TYPE_DIRTY = 1,
    MAX_TABLE_ENTRIES = 0x8000000 / 8,
};

#define TABLE_ALL_ONES UINT64_C(1)

/* An entry of the directory as it lies there. */
typedef struct Stored {
    uint64_t at; /* offset in the directory */
    uint64_t table_offset;
    uint32_t table_size, flags;
    uint8_t type, granularity_bits;
    uint32_t extra_bytes;
    char *name;
    uint64_t entry_bytes;
} Stored;

static void
clear_stored(gpointer data)
{
    g_free(((Stored *)data)->name);
}

/* ---- the directory ---- */

static bool
read_directory(BlkNode *node, uint8_t **out, GError **error)
{
    const Qcow2 *q = node->state;
    int ret;

    *out = g_try_malloc(MAX(q->bitmap_dir_bytes, 1));
    if (!*out) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                    "'%s': no memory for the directory of bitmaps.", node->filename);
        return false;
    }
    ret = q->bitmap_dir_bytes
              ? blk_read_buffer(node->file, q->bitmap_dir_offset, *out, q->bitmap_dir_bytes)
              : 0;
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "'%s', offset %" PRIu64 " (bitmap directory): cannot be read: %s.",
                    node->filename, q->bitmap_dir_offset, g_strerror(-ret));
    }
    return ret == 0;
}

static bool
parse_entry(BlkNode *node, const uint8_t *directory, uint64_t at, Stored *out, GError **error)
{
    const Qcow2 *q = node->state;
    const uint8_t *entry = directory + at;
    uint64_t left = q->bitmap_dir_bytes - at;
    unsigned name_len;

    if (left < DIR_ENTRY_BYTES) {
        qcow2_set_bad(node, error, q->bitmap_dir_offset + at, "bitmap directory",
                      "it ends before its %u entries", q->bitmap_count);
        return false;
    }
    *out = (Stored){ .at = at,
                     .table_offset = fmt_be64(entry),
                     .table_size = fmt_be32(entry + 8),
                     .flags = fmt_be32(entry + 12),
                     .type = entry[16],
                     .granularity_bits = entry[17],
                     .extra_bytes = fmt_be32(entry + 20) };
    name_len = fmt_be16(entry + 18);
    out->entry_bytes = (DIR_ENTRY_BYTES + (uint64_t)out->extra_bytes + name_len + 7) & ~UINT64_C(7);
    if (out->entry_bytes > left || name_len == 0 || name_len > BLK_BITMAP_MAX_NAME ||
        out->type != TYPE_DIRTY || out->granularity_bits < 9 || out->granularity_bits > 31 ||
        out->table_size > MAX_TABLE_ENTRIES || qcow2_in_cluster(q, out->table_offset) ||
        out->table_offset > INT64_MAX - MAX_TABLE_ENTRIES * UINT64_C(8)) {
        qcow2_set_bad(node, error, q->bitmap_dir_offset + at, "bitmap directory entry",
                      "its name, type, granularity or table is not possible");
        return false;
    }
    out->name = g_strndup((const char *)entry + DIR_ENTRY_BYTES + out->extra_bytes, name_len);
    return true;
}

static GArray *
parse_directory(BlkNode *node, const uint8_t *directory, GError **error)
{
    const Qcow2 *q = node->state;
    GArray *list = g_array_new(FALSE, FALSE, sizeof(Stored));
    uint64_t at = 0;

    g_array_set_clear_func(list, clear_stored);
    for (uint32_t i = 0; i < q->bitmap_count; i++) {
        Stored stored;
        if (!parse_entry(node, directory, at, &stored, error)) {
            g_array_unref(list);
            return NULL;
        }
        g_array_append_val(list, stored);
        at += stored.entry_bytes;
    }
    return list;
}

static GArray *
load_directory(BlkNode *node, GError **error)
{
    g_autofree uint8_t *directory = NULL;

    return read_directory(node, &directory, error) ? parse_directory(node, directory, error) : NULL;
}

static bool
read_table(BlkNode *node, const Stored *stored, uint64_t **out, GError **error)
{
    int ret;

    *out = g_new0(uint64_t, MAX(stored->table_size, 1));
    ret = stored->table_size ? blk_read_buffer(node->file, stored->table_offset, *out,
                                               (size_t)stored->table_size * 8)
                             : 0;
    for (uint32_t i = 0; i < stored->table_size; i++) {
        (*out)[i] = GUINT64_FROM_BE((*out)[i]);
    }
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                    "'%s', offset %" PRIu64 " (table of bitmap '%s'): cannot be read: %s.",
                    node->filename, stored->table_offset, stored->name, g_strerror(-ret));
    }
    return ret == 0;
}

bool
qcow2_each_bitmap_range(BlkNode *node, bool (*call)(void *opaque, uint64_t offset, uint64_t len),
                        void *opaque, GError **error)
{
    const Qcow2 *q = node->state;
    g_autoptr(GArray) list = load_directory(node, error);
    bool ok = list && call(opaque, q->bitmap_dir_offset, q->bitmap_dir_bytes);

    for (unsigned i = 0; ok && i < list->len; i++) {
        const Stored *stored = &g_array_index(list, Stored, i);
        g_autofree uint64_t *table = NULL;
        ok = read_table(node, stored, &table, error) &&
             call(opaque, stored->table_offset, (uint64_t)stored->table_size * 8);
        for (uint32_t n = 0; ok && n < stored->table_size; n++) {
            if (table[n] & QCOW2_OFFSET_MASK) {
                ok = call(opaque, table[n] & QCOW2_OFFSET_MASK, q->cluster_bytes);
            }
        }
    }
    return ok;
}

/* ---- loading ---- */

static void
take_bits(BlkBitmap *bitmap, uint64_t first_bit, const uint8_t *data, uint64_t bytes)
{
    uint64_t granularity = bitmap->granularity_bytes;

    for (uint64_t i = 0; i < bytes * 8 && first_bit + i < bitmap->granules; i++) {
        if (i % 8 == 0 && data[i / 8] == 0) {
            i += 7;
        } else if (data[i / 8] >> i % 8 & 1) {
            blk_bitmap_set(bitmap, (first_bit + i) * granularity, granularity);
        }
    }
}

static bool
load_bits(BlkNode *node, const Stored *stored, BlkBitmap *bitmap, GError **error)
{
    const Qcow2 *q = node->state;
    uint64_t bits = (uint64_t)q->cluster_bytes * 8;
    g_autofree uint8_t *data = g_malloc(q->cluster_bytes);
    g_autofree uint64_t *table = NULL;

    if (!read_table(node, stored, &table, error)) {
        return false;
    }
    for (uint32_t i = 0; i < stored->table_size && i * bits < bitmap->granules; i++) {
        uint64_t offset = table[i] & QCOW2_OFFSET_MASK;
        int ret = 0;
        if (offset) {
            ret = blk_read_buffer(node->file, offset, data, q->cluster_bytes);
        } else {
            memset(data, table[i] & TABLE_ALL_ONES ? 0xff : 0, q->cluster_bytes);
        }
        if (ret < 0) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_IO,
                        "'%s', offset %" PRIu64 " (bitmap '%s'): cannot be read: %s.",
                        node->filename, offset, stored->name, g_strerror(-ret));
            return false;
        }
        take_bits(bitmap, i * bits, data, q->cluster_bytes);
    }
    return true;
}

bool
qcow2_load_bitmaps(BlkNode *node, GError **error)
{
    const Qcow2 *q = node->state;
    g_autoptr(GArray) list = NULL;

    if (q->bitmap_count == 0) {
        return true;
    }
    list = load_directory(node, error);
    for (unsigned i = 0; list && i < list->len; i++) {
        const Stored *stored = &g_array_index(list, Stored, i);
        BlkBitmap *bitmap =
            blk_bitmap_new(node, stored->name, UINT64_C(1) << stored->granularity_bits, error);
        if (!bitmap) {
            return false;
        }
        bitmap->persistent = true;
        bitmap->read_only = node->read_only;
        bitmap->enabled = stored->flags & FLAG_AUTO;
        bitmap->inconsistent = (stored->flags & FLAG_IN_USE) ||
                               (stored->extra_bytes && !(stored->flags & FLAG_EXTRA_COMPATIBLE));
        if (!bitmap->inconsistent && !load_bits(node, stored, bitmap, error)) {
            return false;
        }
    }
    return list != NULL;
}

/* The flags are rewritten in place; nothing else of the directory changes. */
int
qcow2_mark_bitmaps_used(BlkNode *node)
{
    Qcow2 *q = node->state;
    g_autofree uint8_t *directory = NULL;
    g_autoptr(GArray) list = NULL;
    int ret;

    if (q->bitmap_count == 0) {
        return 0;
    }
    if (!read_directory(node, &directory, NULL) ||
        !(list = parse_directory(node, directory, NULL))) {
        return -EIO;
    }
    for (unsigned i = 0; i < list->len; i++) {
        const Stored *stored = &g_array_index(list, Stored, i);
        fmt_put_be32(directory + stored->at + 12, stored->flags | FLAG_IN_USE);
    }
    ret = qcow2_write_meta(node, q->bitmap_dir_offset, directory, q->bitmap_dir_bytes,
                           QCOW2_OL_BITMAP_DIRECTORY);
    return ret < 0 ? ret : blk_flush(node->file);
}

/* ---- storing ---- */

typedef struct Store {
    BlkNode *node;
    GByteArray *directory;
    uint32_t count;
} Store;

/* One cluster of bits from bit FIRST on. Gives whether any, or all there are, are set. */
static void
put_bits(const BlkBitmap *bitmap, uint64_t first, uint8_t *data, uint64_t bytes)
{
    memset(data, 0, bytes);
    for (uint64_t i = 0; i < bytes / 8; i++) {
        uint64_t word = first / 64 + i;
        if (word < (bitmap->granules + 63) / 64) {
            uint64_t value = GUINT64_TO_LE(bitmap->words[word]);
            memcpy(data + i * 8, &value, 8);
        }
    }
}

static int
store_bits(Store *store, const BlkBitmap *bitmap, uint64_t *table, uint64_t entries)
{
    BlkNode *node = store->node;
    Qcow2 *q = node->state;
    g_autofree uint8_t *data = g_malloc(q->cluster_bytes);
    int ret = 0;

    for (uint64_t i = 0; i < entries && ret == 0; i++) {
        int64_t offset;
        put_bits(bitmap, i * q->cluster_bytes * 8, data, q->cluster_bytes);
        if (blk_buffer_is_zero(data, q->cluster_bytes)) {
            continue;
        }
        offset = qcow2_alloc(node, 1);
        if (offset < 0) {
            return (int)offset;
        }
        table[i] = GUINT64_TO_BE((uint64_t)offset);
        ret = qcow2_write_meta(node, (uint64_t)offset, data, q->cluster_bytes, 0);
    }
    return ret;
}

static void
append_entry(Store *store, const char *name, uint64_t table_offset, uint32_t table_size,
             uint32_t flags, uint8_t granularity_bits)
{
    static const uint8_t padding[8] = { 0 };
    uint8_t entry[DIR_ENTRY_BYTES] = { 0 };

    fmt_put_be64(entry, table_offset);
    fmt_put_be32(entry + 8, table_size);
    fmt_put_be32(entry + 12, flags);
    entry[16] = TYPE_DIRTY;
    entry[17] = granularity_bits;
    fmt_put_be16(entry + 18, (uint16_t)strlen(name));
    g_byte_array_append(store->directory, entry, sizeof(entry));
    g_byte_array_append(store->directory, (const uint8_t *)name, (guint)strlen(name));
    g_byte_array_append(store->directory, padding, (8 - store->directory->len % 8) % 8);
    store->count++;
}

static int
store_bitmap(Store *store, const BlkBitmap *bitmap)
{
    BlkNode *node = store->node;
    Qcow2 *q = node->state;
    uint64_t bytes = (bitmap->granules + 7) / 8;
    uint64_t entries = qcow2_clusters_for(q, bytes);
    g_autofree uint64_t *table = g_new0(uint64_t, MAX(entries, 1));
    int64_t offset = 0;
    int ret = bitmap->inconsistent ? 0 : store_bits(store, bitmap, table, entries);

    if (ret == 0 && entries > 0) {
        offset = qcow2_alloc(node, qcow2_clusters_for(q, entries * 8));
        ret = offset < 0 ? (int)offset
                         : qcow2_write_meta(node, (uint64_t)offset, table, entries * 8, 0);
    }
    if (ret == 0) {
        append_entry(store, bitmap->name, (uint64_t)offset, (uint32_t)entries,
                     (bitmap->enabled ? FLAG_AUTO : 0u) | (bitmap->inconsistent ? FLAG_IN_USE : 0u),
                     (uint8_t)__builtin_ctz(bitmap->granularity_bytes));
    }
    return ret;
}

typedef struct Ranges {
    GArray *list; /* BlkRange as start and end */
} Ranges;

static bool
remember_range(void *opaque, uint64_t offset, uint64_t len)
{
    Ranges *ranges = opaque;
    uint64_t pair[2] = { offset, len };

    g_array_append_vals(ranges->list, pair, 2);
    return true;
}

static int
switch_directory(Store *store)
{
    BlkNode *node = store->node;
    Qcow2 *q = node->state;
    int64_t offset = 0;
    int ret = 0;

    if (store->count > 0) {
        offset = qcow2_alloc(node, qcow2_clusters_for(q, store->directory->len));
        ret = offset < 0 ? (int)offset
                         : qcow2_write_meta(node, (uint64_t)offset, store->directory->data,
                                            store->directory->len, 0);
    }
    ret = ret < 0 ? ret : qcow2_commit(node, true);
    if (ret < 0) {
        return ret;
    }
    q->bitmap_dir_offset = (uint64_t)offset;
    q->bitmap_dir_bytes = store->directory->len;
    q->bitmap_count = store->count;
    q->autoclear = store->count ? q->autoclear | QCOW2_AUTOCLEAR_BITMAPS
                                : q->autoclear & ~(uint64_t)QCOW2_AUTOCLEAR_BITMAPS;
    ret = qcow2_write_header(node);
    return ret < 0 ? ret : blk_flush(node->file);
}

/* Replaces all that is stored by the persistent bitmaps of the node. Lock held. */
static int
store_all(BlkNode *node)
{
    Qcow2 *q = node->state;
    Ranges old = { .list = g_array_new(FALSE, FALSE, sizeof(uint64_t)) };
    Store store = { .node = node, .directory = g_byte_array_new() };
    int ret = 0;

    if (q->bitmap_count && !qcow2_each_bitmap_range(node, remember_range, &old, NULL)) {
        ret = -EIO;
    }
    for (unsigned i = 0; ret == 0 && node->bitmaps && i < node->bitmaps->len; i++) {
        const BlkBitmap *bitmap = g_ptr_array_index(node->bitmaps, i);
        if (bitmap->persistent && bitmap->name) {
            ret = store_bitmap(&store, bitmap);
        }
    }
    ret = ret < 0 ? ret : switch_directory(&store);
    for (unsigned i = 0; ret == 0 && i + 1 < old.list->len; i += 2) {
        qcow2_free(q, g_array_index(old.list, uint64_t, i),
                   g_array_index(old.list, uint64_t, i + 1), false);
    }
    ret = ret < 0 ? ret : qcow2_commit(node, true);
    g_array_unref(old.list);
    g_byte_array_unref(store.directory);
    return ret;
}

static uint32_t
count_persistent(const BlkNode *node)
{
    uint32_t count = 0;

    for (unsigned i = 0; node->bitmaps && i < node->bitmaps->len; i++) {
        const BlkBitmap *bitmap = g_ptr_array_index(node->bitmaps, i);
        count += bitmap->persistent && bitmap->name;
    }
    return count;
}

bool
qcow2_store_bitmaps(BlkNode *node, bool force, GError **error)
{
    Qcow2 *q = node->state;
    int ret = 0;

    /* Untouched bitmaps of an untouched image are in it already. */
    if (!force && count_persistent(node) == q->bitmap_count &&
        (!q->is_prepared || q->bitmap_count == 0)) {
        return true;
    }
    qcow2_lock(node);
    ret = store_all(node);
    q->is_prepared = false;
    qcow2_unlock(node);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s': its bitmaps cannot be stored: %s.",
                    node->filename, g_strerror(-ret));
    }
    return ret == 0;
}

bool
qcow2_remove_stored_bitmap(BlkNode *node, const char *name, GError **error)
{
    BlkBitmap *bitmap = blk_bitmap_find(node, name);
    bool was_persistent;

    if (!bitmap) {
        return true;
    }
    was_persistent = bitmap->persistent;
    bitmap->persistent = false;
    if (!qcow2_store_bitmaps(node, false, error)) {
        bitmap->persistent = was_persistent;
        return false;
    }
    return true;
}

/* Does not wait. */
bool
qcow2_can_store_bitmap(BlkNode *node, const char *name, uint32_t granularity, GError **error)
{
    const Qcow2 *q = node->state;
    uint64_t bits = q->size / granularity + 1;

    if (q->version < 3) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is a version 2 image and cannot keep bitmaps; amend it to compat=1.1.",
                    node->filename);
    } else if (count_persistent(node) >= QCOW2_MAX_BITMAPS) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' has as many bitmaps as the format allows.", node->filename);
    } else if (bits / 8 / q->cluster_bytes > MAX_TABLE_ENTRIES) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': a bitmap with granularity %u is too large; choose a coarser one.",
                    node->filename, granularity);
    } else {
        return true;
    }
    return false;
}
