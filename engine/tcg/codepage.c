/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Code pages of the guest and stores to them: see codepage.h, which states the protocol.
 *
 * Pages are looked up without a lock and never freed while the cache lives: one costs 64 bytes for
 * 4 KiB of guest memory that held code once. Granules are 64 bytes, so a page has one word of them.
 * Intel SDM volume 3 section 12.6: stores to code are seen by the CPU that made them after the next
 * jump at the latest, by others after they serialize. Thread: any.
 */

#include "codecache-private.h"

static inline TcgCodePage **
bucket(const TcgCodeCache *cache, uint64_t address)
{
    uint64_t h = address / TCG_SMC_PAGE_BYTES * UINT64_C(0x9e3779b97f4a7c15);

    return (TcgCodePage **)&cache->pages[h >> (64 - TCG_PAGE_HASH_BITS)];
}

TcgCodePage *
tcg_smc_find(const TcgCodeCache *cache, uint64_t address)
{
    uint64_t page_address = address & -(uint64_t)TCG_SMC_PAGE_BYTES;
    TcgCodePage *page = __atomic_load_n(bucket(cache, address), __ATOMIC_ACQUIRE);

    while (page && page->address != page_address) {
        page = __atomic_load_n(&page->hash_next, __ATOMIC_ACQUIRE);
    }
    return page;
}

/* Bits of the granules that LEN_BYTES from OFFSET touch; all in one page. */
static inline uint64_t
granules_of(uint64_t address, size_t len_bytes)
{
    unsigned offset = address & (TCG_SMC_PAGE_BYTES - 1);
    unsigned first = offset / TCG_SMC_GRANULE_BYTES;
    unsigned last = (unsigned)((offset + len_bytes - 1) / TCG_SMC_GRANULE_BYTES);

    return (~UINT64_C(0) >> (63 - (last - first))) << first;
}

static TcgCodePage *
find_or_make(TcgCodeCache *cache, uint64_t address)
{
    TcgCodePage *page = tcg_smc_find(cache, address);

    if (!page) {
        TcgCodePage **head = bucket(cache, address);

        page = g_new0(TcgCodePage, 1);
        page->address = address & -(uint64_t)TCG_SMC_PAGE_BYTES;
        page->hash_next = *head;
        __atomic_store_n(head, page, __ATOMIC_RELEASE);
    }
    return page;
}

TcgCodePage *
tcg_smc_open(TcgCodeCache *cache, uint64_t address, bool *out_new)
{
    TcgCodePage *page;

    pthread_mutex_lock(&cache->lock);
    page = find_or_make(cache, address);
    __atomic_fetch_add(&page->translating, 1, __ATOMIC_SEQ_CST);
    *out_new = !__atomic_exchange_n(&page->marked, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&cache->lock);
    return page;
}

void
tcg_smc_close(TcgCodePage *page)
{
    __atomic_fetch_sub(&page->translating, 1, __ATOMIC_SEQ_CST);
}

bool
tcg_smc_is_marked(const TcgCodeCache *cache, uint64_t address)
{
    const TcgCodePage *page = tcg_smc_find(cache, address);

    return page && __atomic_load_n(&page->marked, __ATOMIC_SEQ_CST);
}

bool
tcg_smc_unmark(TcgCodeCache *cache, uint64_t address)
{
    TcgCodePage *page = tcg_smc_find(cache, address);

    if (!page) {
        return true;
    }
    pthread_mutex_lock(&cache->lock);
    if (!page->extents && __atomic_load_n(&page->translating, __ATOMIC_SEQ_CST) == 0) {
        __atomic_store_n(&page->marked, 0, __ATOMIC_SEQ_CST);
    }
    pthread_mutex_unlock(&cache->lock);
    return !__atomic_load_n(&page->marked, __ATOMIC_SEQ_CST);
}

/* Blocks come and go. Lock held. */

static void
update_granules(TcgCodePage *page)
{
    uint64_t granules = 0;

    for (const TcgExtent *e = page->extents; e; e = e->next) {
        granules |= granules_of(e->offset, e->len_bytes);
    }
    __atomic_store_n(&page->granules, granules, __ATOMIC_SEQ_CST);
}

bool
tcg_smc_attach(TcgBlock *block)
{
    for (unsigned i = 0; i < block->extent_count; i++) {
        if (tcg_smc_version(block->extents[i].page) != block->extents[i].version) {
            return false;
        }
    }
    for (unsigned i = 0; i < block->extent_count; i++) {
        TcgExtent *e = &block->extents[i];
        TcgCodePage *page = e->page;

        e->owner = block;
        e->next = page->extents;
        e->place = &page->extents;
        if (e->next) {
            e->next->place = &e->next;
        }
        page->extents = e;
        __atomic_fetch_or(&page->granules, granules_of(e->offset, e->len_bytes), __ATOMIC_SEQ_CST);
    }
    return true;
}

void
tcg_smc_detach(TcgBlock *block)
{
    for (unsigned i = 0; i < block->extent_count; i++) {
        TcgExtent *e = &block->extents[i];

        *e->place = e->next;
        if (e->next) {
            e->next->place = e->place;
        }
        update_granules(e->page);
    }
}

static bool
overlaps(const TcgExtent *e, unsigned offset, size_t len_bytes)
{
    return offset < e->offset + (unsigned)e->len_bytes && e->offset < offset + len_bytes;
}

/* The slow part of a store: something is made, or being made, from this page. */
static unsigned
kill_overlapping(TcgCodeCache *cache, TcgCodePage *page, unsigned offset, size_t len_bytes)
{
    unsigned killed = 0;
    TcgExtent *e;

    pthread_mutex_lock(&cache->lock);
    __atomic_fetch_add(&page->version, 1, __ATOMIC_SEQ_CST);
    e = page->extents;
    while (e) {
        if (overlaps(e, offset, len_bytes)) {
            tcg_code_kill_locked(cache, e->owner);
            killed++;
            e = page->extents; /* the block may have had more than one in the list */
        } else {
            e = e->next;
        }
    }
    pthread_mutex_unlock(&cache->lock);
    return killed;
}

unsigned
tcg_smc_stored(TcgCodeCache *cache, uint64_t address, size_t len_bytes)
{
    TcgCodePage *page;
    uint32_t dummy = 0;

    __atomic_exchange_n(&dummy, 1, __ATOMIC_SEQ_CST); /* a full fence, which TSan understands */
    page = tcg_smc_find(cache, address);
    if (!page || !__atomic_load_n(&page->marked, __ATOMIC_SEQ_CST) || len_bytes == 0) {
        return 0;
    }
    if (__atomic_load_n(&page->translating, __ATOMIC_SEQ_CST) == 0 &&
        !(__atomic_load_n(&page->granules, __ATOMIC_SEQ_CST) & granules_of(address, len_bytes))) {
        __atomic_fetch_add(&page->harmless, 1, __ATOMIC_RELAXED);
        return 0;
    }
    return kill_overlapping(cache, page, address & (TCG_SMC_PAGE_BYTES - 1), len_bytes);
}

unsigned
tcg_smc_stored_range(TcgCodeCache *cache, uint64_t address, uint64_t len_bytes)
{
    unsigned killed = 0;

    while (len_bytes != 0) {
        uint64_t left = TCG_SMC_PAGE_BYTES - (address & (TCG_SMC_PAGE_BYTES - 1));
        uint64_t len = MIN(left, len_bytes);

        killed += tcg_smc_stored(cache, address, len);
        address += len;
        len_bytes -= len;
    }
    return killed;
}

void
tcg_smc_finish(TcgCodeCache *cache)
{
    for (size_t i = 0; i < VIT_ARRAY_LEN(cache->pages); i++) {
        TcgCodePage *page = cache->pages[i];

        while (page) {
            TcgCodePage *next = page->hash_next;
            g_free(page);
            page = next;
        }
    }
}
