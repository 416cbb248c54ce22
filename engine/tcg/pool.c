/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Memory for records that go all at once: see pool.h. Pieces are filled one after the other,
 * each from its start, and kept when all is let go: the host has cleared them already. Thread: one
 * at a time. */

#include "pool.h"

#include "vit-types.h"

#include <sys/mman.h>

enum { PIECE_BYTES = 2 * VIT_MIB };

void
tcg_pool_init(TcgPool *pool)
{
    pool->pieces = g_ptr_array_new_with_free_func(g_aligned_free);
    pool->current = -1;
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
        pool->current++;
        pool->used = 0;
    }
    if (pool->current == (int)pool->pieces->len) {
        piece = g_aligned_alloc(1, PIECE_BYTES, PIECE_BYTES);
        madvise(piece, PIECE_BYTES, MADV_HUGEPAGE);
        g_ptr_array_add(pool->pieces, piece);
    }
    piece = g_ptr_array_index(pool->pieces, pool->current);
    pool->used += len;
    return piece + pool->used - len;
}

void
tcg_pool_undo(TcgPool *pool, void *last)
{
    char *piece = g_ptr_array_index(pool->pieces, pool->current);

    pool->used = (size_t)((char *)last - piece);
}

void
tcg_pool_clear(TcgPool *pool)
{
    pool->current = -1;
    pool->used = PIECE_BYTES;
}
