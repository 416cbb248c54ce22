/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The code cache: see codecache.h, which states the invariants.
 *
 * Code lies in one mapping, what describes it (blocks, exits, side tables) in another of the same
 * layout: data beside code would make each write to it look like self-modifying code to the host.
 * Grace periods are by epoch: the cache's epoch goes up when something must be waited for, a thread
 * copies it when it holds no pointers, and what was retired at epoch E is free once every online
 * thread has copied E or more.
 *
 * The CPU is serialized before memory gets its second life (Intel SDM volume 3 section 9.1.3: code
 * written by another CPU or through another linear address). A first life needs no such care.
 * Threads: as the header says.
 */

#include "codecache-private.h"

#include "vit-error.h"

#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define OFFLINE UINT64_MAX

enum { ALIGN_CODE = 16, CHUNKS_MOST = 256, CHUNKS_LEAST = 8 };
#define CHUNK_LEAST_BYTES ((size_t)128 << 10)
#define CHUNK_MOST_BYTES  ((size_t)2 << 20)

static void
settle_size(TcgCodeCache *cache, size_t wanted)
{
    size_t size = wanted ? wanted : TCG_CODE_DEFAULT_BYTES;

    size = CLAMP(size, TCG_CODE_LEAST_BYTES, TCG_CODE_MOST_BYTES);
    cache->chunk_bytes = CHUNK_LEAST_BYTES;
    while (cache->chunk_bytes < CHUNK_MOST_BYTES && size / cache->chunk_bytes > CHUNKS_MOST / 2) {
        cache->chunk_bytes *= 2;
    }
    cache->chunk_count = (unsigned)MAX(size / cache->chunk_bytes, CHUNKS_LEAST);
    cache->size_bytes = cache->chunk_bytes * cache->chunk_count;
    cache->meta_bytes = cache->chunk_bytes * TCG_META_FACTOR;
}

static bool
map_memory(TcgCodeCache *cache, bool split, GError **error)
{
    void *meta;

    if (!tcg_code_memory_map(&cache->memory, cache->size_bytes, split, error)) {
        return false;
    }
    meta = mmap(NULL, cache->meta_bytes * cache->chunk_count, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (meta == MAP_FAILED) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "Translator: no memory for %zu MiB of translated code (%s); give a smaller "
                    "tb-size",
                    cache->size_bytes >> 20, g_strerror(errno));
        return false;
    }
    cache->meta_base = meta;
    return true;
}

TcgCodeCache *
tcg_code_cache_new(const TcgCodeConfig *config, GError **error)
{
    TcgCodeCache *cache = g_new0(TcgCodeCache, 1);
    size_t heads = 1u << 14;

    pthread_mutex_init(&cache->lock, NULL);
    cache->hooks = config->hooks;
    cache->epoch = 1;
    settle_size(cache, config->size_bytes);
    if (!map_memory(cache, config->split_wx, error)) {
        tcg_code_cache_free(cache);
        return NULL;
    }
    while (heads < cache->size_bytes / 1024) { /* about one block in each */
        heads *= 2;
    }
    cache->table.heads = g_new0(TcgBlock *, heads);
    cache->table.mask = heads - 1;
    cache->chunks = g_new0(TcgChunk, cache->chunk_count);
    return cache;
}

void
tcg_code_cache_free(TcgCodeCache *cache)
{
    if (!cache) {
        return;
    }
    tcg_code_memory_unmap(&cache->memory);
    if (cache->meta_base) {
        munmap(cache->meta_base, cache->meta_bytes * cache->chunk_count);
    }
    tcg_smc_finish(cache);
    g_free(cache->chunks);
    g_free(cache->table.heads);
    pthread_mutex_destroy(&cache->lock);
    g_free(cache);
}

const TcgCodeTable *
tcg_code_table(const TcgCodeCache *cache)
{
    return &cache->table;
}

void
tcg_code_stats(TcgCodeCache *cache, TcgCodeStats *out_stats)
{
    pthread_mutex_lock(&cache->lock);
    *out_stats = cache->stats;
    out_stats->size_bytes = cache->size_bytes;
    out_stats->chunk_bytes = cache->chunk_bytes;
    out_stats->chunk_count = cache->chunk_count;
    out_stats->split_wx = cache->memory.write != cache->memory.exec;
    out_stats->used_bytes = 0;
    for (unsigned i = 0; i < cache->chunk_count; i++) {
        if (cache->chunks[i].state != TCG_CHUNK_FREE) {
            out_stats->used_bytes += cache->chunks[i].code_used;
        }
    }
    pthread_mutex_unlock(&cache->lock);
}

/* Chunks */

static inline size_t
chunk_place(const TcgCodeCache *cache, const TcgChunk *chunk)
{
    return (size_t)(chunk - cache->chunks) * cache->chunk_bytes;
}

static inline uint8_t *
chunk_meta(const TcgCodeCache *cache, const TcgChunk *chunk)
{
    return cache->meta_base + (size_t)(chunk - cache->chunks) * cache->meta_bytes;
}

/* Kills the chunk's blocks. From now on it waits to be used again. Lock held. */
static void
evict(TcgCodeCache *cache, TcgChunk *chunk)
{
    for (TcgBlock *block = chunk->blocks; block; block = block->chunk_next) {
        if (!tcg_block_is_dead(block)) {
            tcg_code_kill_locked(cache, block);
        }
    }
    if (chunk->owner) {
        __atomic_store_n(&chunk->owner->chunk, NULL, __ATOMIC_RELAXED);
        chunk->owner = NULL;
    }
    chunk->state = TCG_CHUNK_EVICTED;
    __atomic_fetch_add(&cache->evictions, 1, __ATOMIC_SEQ_CST);
    chunk->retired_epoch = __atomic_add_fetch(&cache->epoch, 1, __ATOMIC_SEQ_CST);
    cache->stats.evicted_chunks++;
}

/* Whether all online threads have passed EPOCH. Lock held. */
static bool
has_passed(const TcgCodeCache *cache, uint64_t epoch)
{
    for (const TcgCodeThread *t = cache->threads; t; t = t->next) {
        if (__atomic_load_n(&t->seen, __ATOMIC_SEQ_CST) < epoch) {
            return false;
        }
    }
    return true;
}

static void
reclaim(TcgCodeCache *cache)
{
    for (unsigned i = 0; i < cache->chunk_count; i++) {
        TcgChunk *chunk = &cache->chunks[i];

        if (chunk->state == TCG_CHUNK_EVICTED && has_passed(cache, chunk->retired_epoch)) {
            *chunk = (TcgChunk){ .state = TCG_CHUNK_FREE };
        }
    }
}

static TcgChunk *
oldest(TcgCodeCache *cache, TcgChunkState state)
{
    TcgChunk *found = NULL;

    for (unsigned i = 0; i < cache->chunk_count; i++) {
        TcgChunk *chunk = &cache->chunks[i];

        if (chunk->state == state && (!found || chunk->order < found->order)) {
            found = chunk;
        }
    }
    return found;
}

/* A chunk that can be filled now, or NULL; keeps one more on its way to being free, so that the
 * next one to ask seldom waits. *OUT_EVICTED: something waits for the other threads. Lock held. */
static TcgChunk *
take_chunk(TcgCodeCache *cache, bool *out_evicted)
{
    TcgChunk *chunk;

    reclaim(cache);
    chunk = oldest(cache, TCG_CHUNK_FREE);
    if (chunk) {
        chunk->state = TCG_CHUNK_OPEN;
        chunk->order = ++cache->next_order;
        chunk->index_end = (TcgBlock **)(chunk_meta(cache, chunk) + cache->meta_bytes);
    }
    if (!oldest(cache, TCG_CHUNK_FREE) && !oldest(cache, TCG_CHUNK_EVICTED)) {
        TcgChunk *victim = oldest(cache, TCG_CHUNK_FULL);

        if (!victim && !chunk) {
            victim = oldest(cache, TCG_CHUNK_OPEN);
        }
        if (victim) {
            evict(cache, victim);
            *out_evicted = true;
        }
    }
    return chunk;
}

/* Threads */

TcgCodeThread *
tcg_code_thread_new(TcgCodeCache *cache)
{
    TcgCodeThread *thread = g_new0(TcgCodeThread, 1);

    thread->cache = cache;
    pthread_mutex_lock(&cache->lock);
    thread->seen = __atomic_load_n(&cache->epoch, __ATOMIC_SEQ_CST);
    thread->evictions = __atomic_load_n(&cache->evictions, __ATOMIC_SEQ_CST);
    thread->next = cache->threads;
    cache->threads = thread;
    pthread_mutex_unlock(&cache->lock);
    return thread;
}

static void
release_chunk(TcgCodeThread *thread)
{
    if (thread->chunk) {
        thread->chunk->owner = NULL;
        thread->chunk->state = TCG_CHUNK_FULL;
        __atomic_store_n(&thread->chunk, NULL, __ATOMIC_RELAXED);
    }
}

void
tcg_code_thread_free(TcgCodeThread *thread)
{
    TcgCodeCache *cache;

    if (!thread) {
        return;
    }
    cache = thread->cache;
    pthread_mutex_lock(&cache->lock);
    release_chunk(thread);
    for (TcgCodeThread **place = &cache->threads; *place; place = &(*place)->next) {
        if (*place == thread) {
            *place = thread->next;
            break;
        }
    }
    pthread_mutex_unlock(&cache->lock);
    g_free(thread);
}

bool
tcg_code_quiesce_wanted(const TcgCodeThread *thread)
{
    return __atomic_load_n(&thread->cache->epoch, __ATOMIC_RELAXED) !=
           __atomic_load_n(&thread->seen, __ATOMIC_RELAXED);
}

static void
serialize(void)
{
    unsigned a, b, c, d;

    __cpuid(0, a, b, c, d);
}

void
tcg_code_quiesce(TcgCodeThread *thread)
{
    g_assert(!thread->making);
    uint64_t epoch = __atomic_load_n(&thread->cache->epoch, __ATOMIC_SEQ_CST);
    uint64_t evictions = __atomic_load_n(&thread->cache->evictions, __ATOMIC_SEQ_CST);

    if (thread->evictions != evictions) {
        thread->evictions = evictions;
        serialize();
    }
    __atomic_store_n(&thread->seen, epoch, __ATOMIC_SEQ_CST);
}

void
tcg_code_offline(TcgCodeThread *thread)
{
    g_assert(!thread->making);
    __atomic_store_n(&thread->seen, OFFLINE, __ATOMIC_SEQ_CST);
}

/* The store comes before any later look at the table or at code: whoever retires something either
 * sees this thread online or has unlinked it where this thread looks. */
void
tcg_code_online(TcgCodeThread *thread)
{
    uint64_t epoch = __atomic_load_n(&thread->cache->epoch, __ATOMIC_SEQ_CST);

    __atomic_exchange_n(&thread->seen, epoch, __ATOMIC_SEQ_CST); /* a full fence on x86 */
    serialize();
    thread->evictions = __atomic_load_n(&thread->cache->evictions, __ATOMIC_SEQ_CST);
}

static void
kick(const TcgCodeCache *cache)
{
    if (cache->hooks.kick) {
        cache->hooks.kick(cache->hooks.opaque);
    }
}

static void
nap(unsigned round)
{
    const struct timespec pause = { .tv_nsec = round < 20 ? 5000 : 100000 };

    nanosleep(&pause, NULL);
}

static bool
others_have_passed(TcgCodeThread *thread, uint64_t epoch)
{
    TcgCodeCache *cache = thread->cache;
    bool passed;

    pthread_mutex_lock(&cache->lock);
    passed = has_passed(cache, epoch);
    pthread_mutex_unlock(&cache->lock);
    return passed;
}

void
tcg_code_grace(TcgCodeThread *thread)
{
    TcgCodeCache *cache = thread->cache;
    uint64_t epoch = __atomic_add_fetch(&cache->epoch, 1, __ATOMIC_SEQ_CST);

    tcg_code_offline(thread); /* two threads may wait for each other */
    for (unsigned round = 0; !others_have_passed(thread, epoch); round++) {
        kick(cache);
        nap(round);
    }
    tcg_code_online(thread);
}

/* Translation */

/* Gives THREAD a new chunk, waiting for one if need be. */
static void
open_chunk(TcgCodeThread *thread)
{
    TcgCodeCache *cache = thread->cache;

    for (unsigned round = 0;; round++) {
        bool evicted = false;
        TcgChunk *chunk;

        pthread_mutex_lock(&cache->lock);
        release_chunk(thread);
        chunk = take_chunk(cache, &evicted);
        if (chunk) {
            chunk->owner = thread;
            __atomic_store_n(&thread->chunk, chunk, __ATOMIC_RELAXED);
        } else {
            cache->stats.waits++;
        }
        pthread_mutex_unlock(&cache->lock);
        if (evicted || !chunk) {
            kick(cache);
        }
        if (chunk) {
            break;
        }
        tcg_code_offline(thread);
        if (round > 0) {
            nap(round);
        }
    }
    tcg_code_online(thread);
}

static size_t
code_start(const TcgChunk *chunk)
{
    return (chunk->code_used + ALIGN_CODE - 1) & -(size_t)ALIGN_CODE;
}

/* Between the metadata in use and the index, which this block makes one longer. */
void *
tcg_code_meta(TcgCodeThread *thread, size_t len_bytes)
{
    TcgChunk *chunk = thread->filling;
    size_t index = (chunk->index_count + 1) * sizeof(TcgBlock *);
    size_t len = (len_bytes + 7) & ~(size_t)7;
    uint8_t *place = chunk_meta(thread->cache, chunk) + thread->meta_next;

    if (len < len_bytes || thread->meta_next + index > thread->cache->meta_bytes ||
        len > thread->cache->meta_bytes - thread->meta_next - index) {
        return NULL;
    }
    thread->meta_next += len;
    return memset(place, 0, len);
}

/* A block at the end of the thread's chunk; NULL when it does not fit or there is none. The chunk
 * may be evicted any time, of which tcg_code_insert() hears; it is not used again before this
 * thread quiesces. */
static TcgBlock *
begin_here(TcgCodeThread *thread, size_t len_bytes, TcgCodeSpace *out_space)
{
    TcgCodeCache *cache = thread->cache;
    TcgChunk *chunk = __atomic_load_n(&thread->chunk, __ATOMIC_RELAXED);
    size_t start, place;
    TcgBlock *block;

    if (!chunk || (start = code_start(chunk)) + len_bytes > cache->chunk_bytes) {
        return NULL;
    }
    thread->filling = chunk;
    thread->meta_next = chunk->meta_used;
    block = tcg_code_meta(thread, sizeof(TcgBlock));
    if (!block) {
        return NULL;
    }
    place = chunk_place(cache, chunk) + start;
    block->chunk = (uint32_t)(chunk - cache->chunks);
    block->write = cache->memory.write + place;
    block->code = cache->memory.exec + place;
    *out_space = (TcgCodeSpace){ .write = block->write,
                                 .len_bytes = cache->chunk_bytes - start,
                                 .exec_delta = block->code - block->write };
    return block;
}

TcgBlock *
tcg_code_begin(TcgCodeThread *thread, size_t len_bytes, TcgCodeSpace *out_space)
{
    TcgBlock *block;

    g_assert(!thread->making);
    if (len_bytes > thread->cache->chunk_bytes) {
        return NULL;
    }
    while (!(block = begin_here(thread, len_bytes, out_space))) {
        open_chunk(thread);
    }
    thread->making = block;
    return block;
}

void
tcg_code_drop(TcgCodeThread *thread, bool full)
{
    thread->making = NULL;
    if (full) {
        pthread_mutex_lock(&thread->cache->lock);
        release_chunk(thread);
        pthread_mutex_unlock(&thread->cache->lock);
    }
}

/* Into chunk, index and table. Lock held. */
static void
publish(TcgCodeThread *thread, TcgBlock *block, size_t code_bytes)
{
    TcgCodeCache *cache = thread->cache;
    TcgChunk *chunk = thread->filling;
    TcgBlock **head = &cache->table.heads[tcg_code_hash(&block->key) & cache->table.mask];

    block->code_bytes = (uint32_t)code_bytes;
    for (unsigned i = 0; i < block->exit_count; i++) {
        block->exits[i].owner = block;
    }
    chunk->code_used =
        (size_t)(block->write - cache->memory.write) - chunk_place(cache, chunk) + code_bytes;
    chunk->meta_used = thread->meta_next;
    block->chunk_next = chunk->blocks;
    chunk->blocks = block;
    chunk->index_end[-1 - (ptrdiff_t)chunk->index_count] = block;
    __atomic_store_n(&chunk->index_count, chunk->index_count + 1, __ATOMIC_RELEASE);
    block->hash_next = *head;
    __atomic_store_n(head, block, __ATOMIC_RELEASE);
    cache->stats.blocks++;
    cache->stats.code_bytes += code_bytes;
    cache->stats.inserted++;
}

TcgBlock *
tcg_code_insert(TcgCodeThread *thread, TcgBlock *block, size_t code_bytes)
{
    TcgCodeCache *cache = thread->cache;
    TcgBlock *found;

    g_assert(block == thread->making);
    thread->making = NULL;
    pthread_mutex_lock(&cache->lock);
    found = tcg_code_lookup(&cache->table, &block->key);
    if (!found && thread->chunk == thread->filling && tcg_smc_attach(block)) {
        publish(thread, block, code_bytes);
        found = block;
    } else if (!found) {
        cache->stats.refused_inserts++;
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

/* Links */

static inline uint8_t *
patch_place(const TcgExit *exit)
{
    return exit->owner->write + exit->patch_offset;
}

static inline ptrdiff_t
exec_delta(const TcgBlock *block)
{
    return block->code - block->write;
}

bool
tcg_code_link(TcgCodeCache *cache, TcgExit *exit, TcgBlock *target, uint32_t entry_offset)
{
    bool linked = false;

    pthread_mutex_lock(&cache->lock);
    if (!exit->target && !tcg_block_is_dead(exit->owner) && !tcg_block_is_dead(target) &&
        tcg_asm_patch(patch_place(exit), exec_delta(exit->owner), target->code + entry_offset)) {
        exit->target = target;
        exit->next_incoming = target->incoming;
        exit->incoming_place = &target->incoming;
        if (target->incoming) {
            target->incoming->incoming_place = &exit->next_incoming;
        }
        target->incoming = exit;
        cache->stats.linked++;
        linked = true;
    }
    pthread_mutex_unlock(&cache->lock);
    return linked;
}

static void
unlink_locked(TcgCodeCache *cache, TcgExit *exit)
{
    if (!exit->target) {
        return;
    }
    tcg_asm_patch(patch_place(exit), exec_delta(exit->owner),
                  exit->owner->code + exit->stub_offset);
    *exit->incoming_place = exit->next_incoming;
    if (exit->next_incoming) {
        exit->next_incoming->incoming_place = exit->incoming_place;
    }
    exit->target = NULL;
    cache->stats.unlinked++;
}

void
tcg_code_unlink(TcgCodeCache *cache, TcgExit *exit)
{
    pthread_mutex_lock(&cache->lock);
    unlink_locked(cache, exit);
    pthread_mutex_unlock(&cache->lock);
}

/* Death */

static void
remove_from_table(TcgCodeCache *cache, TcgBlock *block)
{
    TcgBlock **place = &cache->table.heads[tcg_code_hash(&block->key) & cache->table.mask];

    while (*place != block) {
        place = &(*place)->hash_next;
    }
    /* The block's own link stays for readers that are at it. */
    __atomic_store_n(place, block->hash_next, __ATOMIC_RELEASE);
}

void
tcg_code_kill_locked(TcgCodeCache *cache, TcgBlock *block)
{
    __atomic_store_n(&block->dead, true, __ATOMIC_RELEASE);
    remove_from_table(cache, block);
    while (block->incoming) {
        unlink_locked(cache, block->incoming);
    }
    for (unsigned i = 0; i < block->exit_count; i++) {
        unlink_locked(cache, &block->exits[i]);
    }
    tcg_smc_detach(block);
    cache->stats.blocks--;
    cache->stats.code_bytes -= block->code_bytes;
    cache->stats.killed++;
    if (cache->hooks.block_died) {
        cache->hooks.block_died(cache->hooks.opaque, block);
    }
}

void
tcg_code_kill(TcgCodeCache *cache, TcgBlock *block)
{
    pthread_mutex_lock(&cache->lock);
    if (!tcg_block_is_dead(block)) {
        tcg_code_kill_locked(cache, block);
    }
    pthread_mutex_unlock(&cache->lock);
}

void
tcg_code_flush(TcgCodeCache *cache)
{
    pthread_mutex_lock(&cache->lock);
    for (unsigned i = 0; i < cache->chunk_count; i++) {
        TcgChunkState state = cache->chunks[i].state;

        if (state == TCG_CHUNK_OPEN || state == TCG_CHUNK_FULL) {
            evict(cache, &cache->chunks[i]);
        }
    }
    pthread_mutex_unlock(&cache->lock);
    kick(cache);
}

/* From host addresses */

bool
tcg_code_contains(const TcgCodeCache *cache, uintptr_t host_pc)
{
    return host_pc - (uintptr_t)cache->memory.exec < cache->size_bytes;
}

TcgBlock *
tcg_code_find_pc(const TcgCodeCache *cache, uintptr_t host_pc)
{
    uintptr_t place = host_pc - (uintptr_t)cache->memory.exec;
    const TcgChunk *chunk;
    unsigned low = 0, high;
    TcgBlock *block;

    if (place >= cache->size_bytes) {
        return NULL;
    }
    chunk = &cache->chunks[place / cache->chunk_bytes];
    high = __atomic_load_n(&chunk->index_count, __ATOMIC_ACQUIRE);
    while (low < high) { /* the last block that begins at or before it */
        unsigned middle = (low + high) / 2;

        if ((uintptr_t)chunk->index_end[-1 - (ptrdiff_t)middle]->code <= host_pc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return NULL;
    }
    block = chunk->index_end[-(ptrdiff_t)low];
    return host_pc - (uintptr_t)block->code < block->code_bytes ? block : NULL;
}
