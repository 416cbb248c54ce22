/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Translated code of one machine: memory, blocks, lookup, links, eviction.
 *
 * Memory is cut into chunks. Each translating thread fills a chunk of its own; when none is free
 * the oldest is evicted. What a thread may hold are pointers to blocks and to code: it got them
 * from tcg_code_lookup() or from code that jumps to code. Invariants:
 *
 *  1. A block is found, linked to and jumped to only while it is alive. tcg_code_kill() takes it
 *     out of all that under the lock; its memory stays as it is.
 *  2. Memory gets a second life (eviction) only after every online thread has passed
 *     tcg_code_quiesce() since its blocks were killed. At that point a thread holds no pointer to
 *     a block or to code: no jump cache, no return stack, no block it was running.
 *  3. A block is inserted only if the bytes it was made from did not change since they were read:
 *     see codepage.h.
 *
 * Threads: a TcgCodeThread belongs to one thread (which may run several vCPUs in turn). Functions
 * that take the cache may be called by any thread. The lock is taken inside, last of all locks. */

#include "asm.h"

typedef struct TcgCodeCache TcgCodeCache;
typedef struct TcgCodeThread TcgCodeThread;
typedef struct TcgBlock TcgBlock;
typedef struct TcgExit TcgExit;
typedef struct TcgExtent TcgExtent;
typedef struct TcgCodePage TcgCodePage;

/* What a block was translated for. PHYS is the address of its first byte in the machine's memory:
 * any number that is one and the same for each byte of RAM, whatever its mapping. */
typedef struct TcgBlockKey {
    uint64_t phys;
    uint64_t pc; /* linear or virtual; 0 where the code does not depend on it */
    uint64_t cs_base;
    uint64_t mode;
} TcgBlockKey;

/* A jump out of a block that can be linked to another. It begins as a jump to its own stub. */
struct TcgExit {
    TcgBlock *owner;
    TcgBlock *target;                         /* linked to; NULL = goes to the stub. Lock held. */
    TcgExit *next_incoming, **incoming_place; /* in target->incoming. Lock held. */
    uint32_t
        patch_offset;     /* of the displacement from the start of the block's code, aligned to 4 */
    uint32_t stub_offset; /* where the unlinked jump goes, from there */
    uint64_t user[2];     /* the translator's */
};

/* Guest bytes a block was made from, all in one page. */
struct TcgExtent {
    TcgCodePage *page;
    uint16_t offset, len_bytes;
    uint32_t version;         /* page->version when they were read */
    TcgBlock *owner;          /* this and what follows is the cache's */
    TcgExtent *next, **place; /* in page->extents. Lock held. */
};

struct TcgBlock {
    TcgBlockKey key;
    const uint8_t *code; /* where it runs */
    uint8_t *write;      /* where it is written */
    TcgBlock *hash_next; /* atomic */
    bool dead;           /* atomic */
    uint32_t code_bytes;
    uint32_t chunk;
    uint16_t exit_count;
    uint8_t extent_count;
    TcgExit *exits;       /* from tcg_code_meta() */
    TcgExit *incoming;    /* exits linked to this block. Lock held. */
    TcgExtent *extents;   /* from tcg_code_meta() */
    TcgBlock *chunk_next; /* lock held */
    /* The translator's. */
    uint16_t guest_len_bytes, insn_count;
    uint32_t user_flags;
    void *side; /* from tcg_code_meta() */
    uint64_t user[2];
};

/* What the cache asks of the translator. */
typedef struct TcgCodeHooks {
    /* Makes every thread of the machine pass tcg_code_quiesce() soon. Any thread, lock not held. */
    void (*kick)(void *opaque);
    /* BLOCK has died (and may still be running): no jump cache shall lead to it. Lock held. */
    void (*block_died)(void *opaque, const TcgBlock *block);
    void *opaque;
} TcgCodeHooks;

typedef struct TcgCodeConfig {
    size_t size_bytes; /* tb-size; 0 = default. Brought into what is possible */
    bool split_wx;     /* two mappings, one to write and one to execute */
    TcgCodeHooks hooks;
} TcgCodeConfig;

#define TCG_CODE_DEFAULT_BYTES ((size_t)256 << 20)
#define TCG_CODE_LEAST_BYTES   ((size_t)1 << 20)
#define TCG_CODE_MOST_BYTES    ((size_t)1 << 30)

/* Reserves the memory; pages are taken when they are used. When one mapping that may be written and
 * executed is refused, there are two. Any thread. */
TcgCodeCache *tcg_code_cache_new(const TcgCodeConfig *config, GError **error);
/* No thread is left in it. */
void tcg_code_cache_free(TcgCodeCache *cache);

typedef struct TcgCodeStats {
    size_t size_bytes, chunk_bytes, used_bytes; /* used: by blocks alive or dead, not yet evicted */
    unsigned chunk_count;
    bool split_wx;
    uint64_t blocks, code_bytes; /* alive */
    uint64_t inserted, killed, evicted_chunks, linked, unlinked, refused_inserts, waits;
} TcgCodeStats;
void tcg_code_stats(TcgCodeCache *cache, TcgCodeStats *out_stats);

/* Whether HOST_PC lies in the cache's code; the block there that was inserted last, dead or not.
 * For fault recovery: no lock is taken, only the calling thread's own chunk can be growing. */
bool tcg_code_contains(const TcgCodeCache *cache, uintptr_t host_pc);
TcgBlock *tcg_code_find_pc(const TcgCodeCache *cache, uintptr_t host_pc);

/* Threads. Online: counted on to pass tcg_code_quiesce(). New threads are online. */
TcgCodeThread *tcg_code_thread_new(TcgCodeCache *cache);
void tcg_code_thread_free(TcgCodeThread *thread);
/* True: something waits for this thread. Drop every pointer to blocks and code, then quiesce.
 * Cheap: at every return to the dispatcher. */
bool tcg_code_quiesce_wanted(const TcgCodeThread *thread);
void tcg_code_quiesce(TcgCodeThread *thread);
/* Around sleep (halt, device work that takes long); holds no pointers, as after quiesce. */
void tcg_code_offline(TcgCodeThread *thread);
void tcg_code_online(TcgCodeThread *thread);
/* Waits until every other online thread has passed tcg_code_quiesce() once more, and counts as
 * having passed itself. */
void tcg_code_grace(TcgCodeThread *thread);

/* Translation: begin, emit into the space, insert or drop. Between begin and the end the thread
 * does not quiesce, so what may wait (opening pages, reading them) comes before. */
typedef struct TcgCodeSpace {
    uint8_t *write;       /* where to write; aligned to 16 */
    size_t len_bytes;     /* how much there is */
    ptrdiff_t exec_delta; /* where it runs = where it is written + this */
} TcgCodeSpace;

/* A new block with at least LEN_BYTES of code space, zeroed but for code and write. Waits for
 * memory when there is none: counts as tcg_code_quiesce(), so the caller holds no pointer to
 * others. NULL: LEN_BYTES is more than a chunk. */
TcgBlock *tcg_code_begin(TcgCodeThread *thread, size_t len_bytes, TcgCodeSpace *out_space);
/* LEN_BYTES of zeroed memory that lives as long as the block being made; aligned to 8. NULL: full;
 * drop and begin again (which takes another chunk). */
void *tcg_code_meta(TcgCodeThread *thread, size_t len_bytes);
/* Shows BLOCK, of CODE_BYTES, to the machine. Returns BLOCK; or another thread's block with the
 * same key that came first; or NULL when the guest's code changed meanwhile or the chunk was
 * evicted: translate again. Pages of the extents must be open (codepage.h). */
TcgBlock *tcg_code_insert(TcgCodeThread *thread, TcgBlock *block, size_t code_bytes);
/* Forgets the block being made. FULL: what is left of the chunk was too small. */
void tcg_code_drop(TcgCodeThread *thread, bool full);

/* Links EXIT to TARGET: its jump goes to TARGET's code + ENTRY_OFFSET from now on. False = one of
 * them is dead, or it is linked already. */
bool tcg_code_link(TcgCodeCache *cache, TcgExit *exit, TcgBlock *target, uint32_t entry_offset);
void tcg_code_unlink(TcgCodeCache *cache, TcgExit *exit);

/* Ends BLOCK's life: not found, not linked to, links nowhere. A thread running it goes on. */
void tcg_code_kill(TcgCodeCache *cache, TcgBlock *block);
/* Kills every block and evicts all chunks. */
void tcg_code_flush(TcgCodeCache *cache);

/* The lookup table, for inlining where no vector register may be touched. */
typedef struct TcgCodeTable {
    TcgBlock **heads; /* atomic */
    uint64_t mask;
} TcgCodeTable;
const TcgCodeTable *tcg_code_table(const TcgCodeCache *cache);

static inline uint64_t
tcg_code_hash(const TcgBlockKey *key)
{
    uint64_t h =
        key->phys ^ key->pc * UINT64_C(0x9e3779b97f4a7c15) ^ key->mode << 40 ^ key->cs_base << 7;

    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

/* The living block for KEY, or NULL. No lock; the caller's thread is online. */
static inline TcgBlock *
tcg_code_lookup(const TcgCodeTable *table, const TcgBlockKey *key)
{
    TcgBlock *block =
        __atomic_load_n(&table->heads[tcg_code_hash(key) & table->mask], __ATOMIC_ACQUIRE);

    while (block && (block->key.phys != key->phys || block->key.pc != key->pc ||
                     block->key.mode != key->mode || block->key.cs_base != key->cs_base)) {
        block = __atomic_load_n(&block->hash_next, __ATOMIC_ACQUIRE);
    }
    return block;
}

static inline bool
tcg_block_is_dead(const TcgBlock *block)
{
    return __atomic_load_n(&block->dead, __ATOMIC_ACQUIRE);
}
