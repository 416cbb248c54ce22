/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Cached pieces of tables: L2 slices and refcount blocks, as they lie on disk.
 *
 * The least recently used clean table makes room for a new one. Dirty tables stay until
 * qcow2-commit.c writes them, because only it knows the order; it does so before the cache has
 * grown by a quarter over its bound. Only the 512-byte pieces that changed are written.
 *
 * Thread: in a fiber. */

#include "qcow2.h"

#include <stdlib.h>
#include <string.h>

struct Qcow2Cache {
    uint32_t table_bytes;
    uint64_t max_tables;
    uint64_t dirty_count;
    uint64_t clock, clean_before; /* counts uses */
    GHashTable *tables;           /* &offset -> Qcow2Table */
};

static void
free_table(gpointer data)
{
    Qcow2Table *table = data;

    free(table->data);
    g_free(table);
}

Qcow2Cache *
qcow2_cache_new(uint32_t table_bytes, uint64_t max_tables)
{
    Qcow2Cache *cache = g_new0(Qcow2Cache, 1);

    cache->table_bytes = table_bytes;
    cache->max_tables = MAX(max_tables, 2);
    cache->tables = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, free_table);
    return cache;
}

void
qcow2_cache_free(Qcow2Cache *cache)
{
    if (cache) {
        g_hash_table_unref(cache->tables);
        g_free(cache);
    }
}

uint32_t
qcow2_cache_table_bytes(const Qcow2Cache *cache)
{
    return cache->table_bytes;
}

static bool
is_dirty(const Qcow2Table *table)
{
    return table->dirty_from < table->dirty_to;
}

static bool
is_idle(const Qcow2Table *table)
{
    return table->pins == 0 && !is_dirty(table) && !table->is_loading;
}

/* Takes an eighth of the bound at once, so that looking for victims stays rare. */
static void
make_room(Qcow2Cache *cache)
{
    uint64_t count = g_hash_table_size(cache->tables), wanted, oldest;
    GHashTableIter iter;
    gpointer value;

    if (count < cache->max_tables) {
        return;
    }
    wanted = count - cache->max_tables + 1 + cache->max_tables / 8;
    /* Uses are numbered without gaps wider than the tables are old, so a bisection on the number
     * finds a bound that takes about as many as wanted; two rounds are near enough. */
    oldest = cache->clock > cache->max_tables ? cache->clock - cache->max_tables : cache->clock;
    for (unsigned round = 0; round < 2 && wanted > 0; round++) {
        g_hash_table_iter_init(&iter, cache->tables);
        while (wanted > 0 && g_hash_table_iter_next(&iter, NULL, &value)) {
            Qcow2Table *table = value;
            if (is_idle(table) && table->last_used <= oldest) {
                g_hash_table_iter_remove(&iter);
                wanted--;
            }
        }
        if (g_hash_table_size(cache->tables) < cache->max_tables) {
            return;
        }
        oldest = cache->clock;
    }
}

static Qcow2Table *
add_table(Qcow2Cache *cache, uint64_t offset)
{
    Qcow2Table *table;
    void *data = NULL;

    make_room(cache);
    if (posix_memalign(&data, 4096, cache->table_bytes) != 0) {
        return NULL;
    }
    table = g_new0(Qcow2Table, 1);
    table->offset = offset;
    table->data = data;
    g_hash_table_insert(cache->tables, &table->offset, table);
    return table;
}

static int
load_table(BlkNode *node, Qcow2Cache *cache, Qcow2Table *table)
{
    int ret;

    table->is_loading = true;
    ret = blk_read_buffer(node->file, table->offset, table->data, cache->table_bytes);
    table->is_loading = false;
    blk_wake_all(node->context, &table->waiters);
    return ret;
}

int
qcow2_cache_get(BlkNode *node, Qcow2Cache *cache, uint64_t offset, bool fresh, Qcow2Table **out)
{
    Qcow2Table *table;
    int ret;

    if (fresh) {
        qcow2_cache_forget(cache, offset, cache->table_bytes);
    }
    while ((table = g_hash_table_lookup(cache->tables, &offset)) && table->is_loading) {
        blk_wait(node->context, &table->waiters);
    }
    if (!table) {
        table = add_table(cache, offset);
        if (!table) {
            return -ENOMEM;
        }
        if (fresh) {
            memset(table->data, 0, cache->table_bytes);
            qcow2_cache_mark(cache, table, 0, cache->table_bytes);
        } else {
            ret = load_table(node, cache, table);
            if (ret < 0) {
                g_hash_table_remove(cache->tables, &offset);
                return ret;
            }
        }
    }
    table->pins++;
    table->last_used = ++cache->clock;
    *out = table;
    return 0;
}

Qcow2Table *
qcow2_cache_peek(Qcow2Cache *cache, uint64_t offset)
{
    Qcow2Table *table = g_hash_table_lookup(cache->tables, &offset);

    if (!table || table->is_loading) {
        return NULL;
    }
    table->last_used = ++cache->clock;
    return table;
}

void
qcow2_cache_put(Qcow2Table *table)
{
    table->pins--;
}

void
qcow2_cache_mark(Qcow2Cache *cache, Qcow2Table *table, uint32_t from, uint32_t to)
{
    from = from & ~(uint32_t)(QCOW2_SECTOR_BYTES - 1);
    to = MIN((to + QCOW2_SECTOR_BYTES - 1) & ~(uint32_t)(QCOW2_SECTOR_BYTES - 1),
             cache->table_bytes);
    if (is_dirty(table)) {
        table->dirty_from = MIN(table->dirty_from, from);
        table->dirty_to = MAX(table->dirty_to, to);
    } else {
        table->dirty_from = from;
        table->dirty_to = to;
        cache->dirty_count++;
    }
}

bool
qcow2_cache_is_dirty(const Qcow2Cache *cache)
{
    return cache->dirty_count > 0;
}

bool
qcow2_cache_is_full(const Qcow2Cache *cache)
{
    return cache->dirty_count > 0 &&
           g_hash_table_size(cache->tables) > cache->max_tables + cache->max_tables / 4;
}

/* ---- writing ---- */

static int
compare_offsets(gconstpointer a, gconstpointer b)
{
    const Qcow2Table *table_a = *(Qcow2Table *const *)a, *table_b = *(Qcow2Table *const *)b;

    return table_a->offset < table_b->offset ? -1 : table_a->offset > table_b->offset;
}

static GPtrArray *
list_dirty(Qcow2Cache *cache)
{
    GPtrArray *list = g_ptr_array_sized_new((guint)cache->dirty_count);
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, cache->tables);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Qcow2Table *table = value;
        if (is_dirty(table)) {
            table->pins++;
            g_ptr_array_add(list, table);
        }
    }
    g_ptr_array_sort(list, compare_offsets);
    return list;
}

int
qcow2_cache_write(BlkNode *node, Qcow2Cache *cache, unsigned check)
{
    g_autoptr(GPtrArray) list = list_dirty(cache);
    int ret = 0;

    for (unsigned i = 0; i < list->len; i++) {
        Qcow2Table *table = g_ptr_array_index(list, i);
        uint32_t from = table->dirty_from, to = table->dirty_to;

        if (ret == 0) {
            ret =
                qcow2_write_meta(node, table->offset + from, table->data + from, to - from, check);
        }
        if (ret == 0) {
            table->dirty_from = table->dirty_to = 0;
            cache->dirty_count--;
        }
        table->pins--;
    }
    return ret;
}

void
qcow2_cache_forget(Qcow2Cache *cache, uint64_t offset, uint64_t len)
{
    for (uint64_t at = offset; at < offset + len; at += cache->table_bytes) {
        Qcow2Table *table = g_hash_table_lookup(cache->tables, &at);
        if (table && table->pins == 0 && !table->is_loading) {
            cache->dirty_count -= is_dirty(table);
            g_hash_table_remove(cache->tables, &at);
        }
    }
}

void
qcow2_cache_forget_all(Qcow2Cache *cache)
{
    g_hash_table_remove_all(cache->tables);
    cache->dirty_count = 0;
}

void
qcow2_cache_clean(Qcow2Cache *cache)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, cache->tables);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Qcow2Table *table = value;
        if (is_idle(table) && table->last_used <= cache->clean_before) {
            g_hash_table_iter_remove(&iter);
        }
    }
    cache->clean_before = cache->clock;
}
