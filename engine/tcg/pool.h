/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Memory for records that go all at once: blocks with what belongs to them. It comes in large
 * pieces that the host may map by huge pages, as a program's start makes tens of MiB of records and
 * each is looked at once or twice. Thread: one at a time. */

#include <glib.h>

enum { TCG_POOL_ALIGN = 64 };

typedef struct TcgPool {
    GPtrArray *pieces;
    int current; /* piece; -1 = none yet */
    size_t used; /* of it */
} TcgPool;

void tcg_pool_init(TcgPool *pool);
void tcg_pool_finish(TcgPool *pool);
/* LEN bytes, at most those of a piece, that begin a line of the cache. */
void *tcg_pool_alloc(TcgPool *pool, size_t len);
/* The last one that was had is not needed after all. */
void tcg_pool_undo(TcgPool *pool, void *last);
/* All of it is free again. */
void tcg_pool_clear(TcgPool *pool);
