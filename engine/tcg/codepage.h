/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Pages of guest memory that translated code was made from, and what happens when they are written.
 *
 * A page is marked before its bytes are read for translation. While it is marked no CPU has a way
 * to write it but the slow one, which stores and then calls tcg_smc_stored(). The protocol:
 *
 *   translator                               store (slow path, DMA)
 *   1 tcg_smc_open(): mark, count up         a write the bytes
 *   2 newly marked: take write access away   b full fence, in tcg_smc_stored()
 *     from all CPUs, tcg_code_grace()        c page marked, and being translated or granules hit?
 *   3 note page->version, read the bytes       then lock, version + 1, kill what overlaps
 *   4 insert: lock, version unchanged?
 *     granules set
 *   5 tcg_smc_close()
 *
 * Either c sees the count of 1 (or the granules of 4), or 3 reads what a wrote; so no block made
 * from old bytes stays. Stores by other ways before 2 has ended are waited for by the grace period.
 *
 * Addresses are as in TcgBlockKey.phys. Thread: any, but for the lock as said. */

#include "codecache.h"

#define TCG_SMC_PAGE_BYTES    4096u
#define TCG_SMC_GRANULE_BYTES 64u

struct TcgCodePage {
    uint64_t address;
    TcgCodePage *hash_next; /* atomic; pages stay until the cache goes */
    uint64_t granules;      /* atomic; bit n: bytes 64 n .. of blocks alive */
    uint32_t marked;        /* atomic; 0 or 1 */
    uint32_t translating;   /* atomic; how many between open and close */
    uint32_t version;       /* atomic; stores that met code or a translation */
    uint32_t harmless;      /* atomic, roughly; stores that met neither */
    TcgExtent *extents;     /* of blocks alive. Lock held. */
};

/* The page that ADDRESS lies in; NULL when it was never opened. No lock. */
TcgCodePage *tcg_smc_find(const TcgCodeCache *cache, uint64_t address);

/* 1: the page, marked and open. *OUT_NEW: it was not marked, so take away every write entry for it
 * and call tcg_code_grace() before reading. */
TcgCodePage *tcg_smc_open(TcgCodeCache *cache, uint64_t address, bool *out_new);
void tcg_smc_close(TcgCodePage *page);
static inline uint32_t
tcg_smc_version(const TcgCodePage *page)
{
    return __atomic_load_n(&page->version, __ATOMIC_SEQ_CST);
}

/* Whether a CPU may have no write entry for this page. */
bool tcg_smc_is_marked(const TcgCodeCache *cache, uint64_t address);
/* Before making a write entry for a marked page: takes the mark off when nothing alive was made
 * from it and nobody is about to. True = it is not marked (any more). The caller must make its
 * entry so that the next marker's taking away finds it. */
bool tcg_smc_unmark(TcgCodeCache *cache, uint64_t address);

/* LEN_BYTES at ADDRESS were written, within a page. Returns how many blocks died of it. */
unsigned tcg_smc_stored(TcgCodeCache *cache, uint64_t address, size_t len_bytes);
/* The same for any number of pages: DMA, loading a snapshot. */
unsigned tcg_smc_stored_range(TcgCodeCache *cache, uint64_t address, uint64_t len_bytes);
