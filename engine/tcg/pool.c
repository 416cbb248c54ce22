/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Memory for records that go all at once: see pool.h. The last piece grows from its start; one
 * piece is kept when all are let go. Thread: one at a time. */

#include "pool.h"

#include "vit-types.h"

#include <sys/mman.h>

enum { PIECE_BYTES = 2 * VIT_MIB };

void
tcg_pool_init(TcgPool *pool)
{
    pool->pieces = g_ptr_array_new_with_free_func(g_aligned_free);
    pool->used = PIECE_BYTES;
}

void
tcg_pool_finish(TcgPool *pool)
{
    g_ptr_array_unref(pool->pieces);
}

void *
tcg_pool_alloc(TcgPool *pool, size_t len)
{
    char *piece;

    len = (len + TCG_POOL_ALIGN - 1) & ~(size_t)(TCG_POOL_ALIGN - 1);
    g_assert(len <= PIECE_BYTES);
    if (pool->used + len > PIECE_BYTES) {
        piece = g_aligned_alloc(1, PIECE_BYTES, PIECE_BYTES);
        madvise(piece, PIECE_BYTES, MADV_HUGEPAGE);
        g_ptr_array_add(pool->pieces, piece);
        pool->used = 0;
    }
    piece = g_ptr_array_index(pool->pieces, pool->pieces->len - 1);
    pool->used += len;
    return piece + pool->used - len;
}

void
tcg_pool_undo(TcgPool *pool, void *last)
{
    char *piece = g_ptr_array_index(pool->pieces, pool->pieces->len - 1);

    pool->used = (size_t)((char *)last - piece);
}

void
tcg_pool_clear(TcgPool *pool)
{
    if (pool->pieces->len) {
        g_ptr_array_set_size(pool->pieces, 1);
        pool->used = 0;
    }
}
