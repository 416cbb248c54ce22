/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What codecache.c and codepage.c share. */

#include "codecache.h"
#include "codemem.h"
#include "codepage.h"

#include <pthread.h>

enum { TCG_PAGE_HASH_BITS = 14, TCG_META_FACTOR = 2 };

typedef enum TcgChunkState {
    TCG_CHUNK_FREE,
    TCG_CHUNK_OPEN, /* a thread fills it */
    TCG_CHUNK_FULL,
    TCG_CHUNK_EVICTED, /* its blocks are dead; waits for the grace period */
} TcgChunkState;

typedef struct TcgChunk {
    TcgChunkState state;
    uint64_t order;         /* when it was opened: eviction is first in, first out */
    uint64_t retired_epoch; /* EVICTED: free when all threads have seen it */
    TcgCodeThread *owner;   /* OPEN */
    TcgBlock *blocks;       /* newest first */
    size_t code_used, meta_used;
    /* Blocks by address, for tcg_code_find_pc(): grows down from the end of the chunk's metadata.
     */
    TcgBlock **index_end;
    unsigned index_count; /* atomic */
} TcgChunk;

struct TcgCodeThread {
    TcgCodeCache *cache;
    TcgCodeThread *next;
    uint64_t seen;      /* atomic; epoch passed, UINT64_MAX = offline */
    uint64_t evictions; /* cache->evictions when it last quiesced */
    TcgChunk *chunk;    /* atomic, lock held to change; NULL: none, or it was evicted */
    /* While a block is made: */
    TcgBlock *making;
    TcgChunk *filling; /* what chunk was at begin */
    size_t meta_next;  /* in it, after what the block has taken */
};

struct TcgCodeCache {
    pthread_mutex_t lock;
    TcgCodeHooks hooks;
    size_t size_bytes, chunk_bytes;
    size_t meta_bytes; /* metadata of a chunk */
    unsigned chunk_count;
    TcgCodeMemory memory;
    uint8_t *meta_base;
    TcgChunk *chunks;
    TcgCodeTable table;
    TcgCodeThread *threads;
    uint64_t epoch;     /* atomic */
    uint64_t evictions; /* atomic */
    uint64_t next_order;
    TcgCodeStats stats;                           /* counters only; lock held */
    TcgCodePage *pages[1u << TCG_PAGE_HASH_BITS]; /* atomic */
};

/* Lock held. */
void tcg_code_kill_locked(TcgCodeCache *cache, TcgBlock *block);
/* Enters BLOCK's extents into their pages. False = the bytes changed; nothing done. */
bool tcg_smc_attach(TcgBlock *block);
void tcg_smc_detach(TcgBlock *block);
/* Frees all pages. */
void tcg_smc_finish(TcgCodeCache *cache);
