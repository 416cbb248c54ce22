/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Tables of an image kept in memory, the ones used last. Changes go to the file first, so nothing
 * here is ever newer than the file and a table may be dropped at any time.
 *
 * Tables are loaded one at a time: one that was dropped while it is being changed cannot come back
 * with its old content. Thread: in a fiber. */

#include "fmt.h"

#include <string.h>

typedef struct Table {
    BlkChild *file;
    uint64_t offset, used;
    uint8_t *bytes;
} Table;

struct FmtTables {
    uint32_t table_bytes;
    unsigned max, count;
    uint64_t clock;
    FmtLock loading;
    Table *tables;
    unsigned last; /* found last */
};

FmtTables *
fmt_tables_new(uint32_t table_bytes, unsigned max_tables)
{
    FmtTables *tables = g_new0(FmtTables, 1);

    tables->table_bytes = table_bytes;
    tables->max = MAX(max_tables, 2);
    tables->tables = g_new0(Table, tables->max);
    return tables;
}

void
fmt_tables_forget(FmtTables *tables)
{
    for (unsigned i = 0; i < tables->count; i++) {
        g_free(tables->tables[i].bytes);
    }
    tables->count = 0;
}

void
fmt_tables_free(FmtTables *tables)
{
    if (tables) {
        fmt_tables_forget(tables);
        g_free(tables->tables);
        g_free(tables);
    }
}

static Table *
find_table(FmtTables *tables, const BlkChild *file, uint64_t offset)
{
    for (unsigned i = 0; i < tables->count; i++) {
        unsigned at = (tables->last + i) % tables->count;
        Table *table = &tables->tables[at];
        if (table->offset == offset && table->file == file) {
            tables->last = at;
            table->used = ++tables->clock;
            return table;
        }
    }
    return NULL;
}

/* A free place, or that of the table nobody has asked for longest. */
static Table *
take_place(FmtTables *tables)
{
    Table *oldest = &tables->tables[0];

    if (tables->count < tables->max) {
        return &tables->tables[tables->count++];
    }
    for (unsigned i = 1; i < tables->count; i++) {
        oldest = tables->tables[i].used < oldest->used ? &tables->tables[i] : oldest;
    }
    g_free(oldest->bytes);
    return oldest;
}

int
fmt_tables_get(BlkNode *node, FmtTables *tables, BlkChild *file, uint64_t offset,
               const uint8_t **out)
{
    Table *table = find_table(tables, file, offset);
    uint8_t *bytes;
    int ret = 0;

    if (table) {
        *out = table->bytes;
        return 0;
    }
    fmt_lock(node, &tables->loading);
    table = find_table(tables, file, offset);
    if (!table) {
        bytes = g_try_malloc(tables->table_bytes);
        ret = bytes ? blk_read_buffer(file, offset, bytes, tables->table_bytes) : -ENOMEM;
        if (ret == 0) {
            table = take_place(tables);
            *table =
                (Table){ .file = file, .offset = offset, .used = ++tables->clock, .bytes = bytes };
        } else {
            g_free(bytes);
        }
    }
    fmt_unlock(node, &tables->loading);
    if (ret == 0) {
        *out = table->bytes;
    }
    return ret;
}

int
fmt_tables_put(BlkNode *node, FmtTables *tables, BlkChild *file, uint64_t offset, uint32_t at,
               const void *bytes, size_t len)
{
    const uint8_t *table;
    int ret = blk_write_buffer(file, offset + at, bytes, len, 0);

    ret = ret < 0 ? ret : fmt_tables_get(node, tables, file, offset, &table);
    if (ret == 0) {
        memcpy((uint8_t *)table + at, bytes, len);
    }
    return ret;
}
