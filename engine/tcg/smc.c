/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Which guest pages have translations, and what happens when they are written.
 *
 * A page with translations has VIT_DIRTY_CODE clear and no write entry in any CPU's TLB, so every
 * writer (CPUs by way of the interpreter, devices by DMA) comes to tcg_code_written(); how a page
 * comes to that while other CPUs run: safepoint.c. Granules of
 * 64 bytes tell code from data beside it; only blocks that were written are dropped. A dropped
 * block's host code stays until everything is dropped: a CPU may still be in it. And it may be
 * taken up again: code that is changed to and fro, or generated anew at the same place, is
 * often the same again (several versions of an address are kept, with their bytes). A page that is
 * written often is not watched for a while, and its blocks check themselves: selfcheck.c.
 * Thread: machine's lock held, but for tcg_code_written(). */

#include "machine.h"

/* How long a page is not watched: at first, at most. */
enum { PATIENCE_MS = 20, PATIENCE_MS_MAX = 4000 };

static uint64_t
granules_of(unsigned offset, size_t len)
{
    unsigned first = offset / TCG_GRANULE;
    unsigned last = (unsigned)MIN((offset + len - 1) / TCG_GRANULE, 63);

    return (last == 63 ? UINT64_MAX : (1ull << (last + 1)) - 1) & ~((1ull << first) - 1);
}

/* ---- Blocks by stamp and offset ---- */

static TcgBlock **
bucket(TcgMachine *machine, uint32_t stamp, unsigned offset)
{
    uint64_t key = (uint64_t)stamp << 12 | offset;

    return &machine->hash[(key * 0x9e3779b97f4a7c15ull >> 32) & (machine->hash_len - 1)];
}

static bool
is_at(const TcgBlock *block, uint32_t stamp, unsigned offset, uint32_t second_stamp,
      unsigned ungrouped)
{
    return block->stamp == stamp && block->offset == offset && block->ungrouped == ungrouped &&
           (block->second ? block->second->stamp : 0) == second_stamp;
}

static void
unhash(TcgBlock **head, TcgBlock *block)
{
    while (*head != block) {
        head = &(*head)->next_in_hash;
    }
    *head = block->next_in_hash;
}

/* Of a checked block: its bytes without those that may change. */
static bool
same_hard_bytes(const TcgBlock *block, const uint8_t *now)
{
    for (unsigned at = 0, i; at < block->len; at++) {
        for (i = 0; i < block->softs.count; i++) {
            if (at - block->softs.field[i].at < block->softs.field[i].len) {
                break;
            }
        }
        if (i == block->softs.count && block->bytes[at] != now[at]) {
            return false;
        }
    }
    return true;
}

bool
tcg_same_elsewhere(const TcgBlock *block, const uint8_t *page)
{
    const uint8_t *bytes = block->bytes + block->len;

    if (memcmp(bytes, page + block->ahead_offset, block->ahead_len) != 0) {
        return false;
    }
    bytes += block->ahead_len;
    for (unsigned i = 0; i < block->n_parts; i++) {
        const TcgPart *part = &block->parts[i];
        if (memcmp(bytes, page + part->offset, part->len) != 0) {
            return false;
        }
        bytes += part->len;
    }
    return true;
}

static bool
same_bytes(const TcgBlock *block, const uint8_t *page, const uint8_t *second)
{
    if (block->softs.count) {
        return same_hard_bytes(block, page + block->offset);
    }
    size_t first = MIN(block->len, (size_t)VIT_PAGE_SIZE - block->offset);

    return memcmp(block->bytes, page + block->offset, first) == 0 &&
           tcg_same_elsewhere(block, page) &&
           (first == block->len || memcmp(block->bytes + first, second, block->len - first) == 0);
}

static uint64_t
own_granules(const TcgBlock *block)
{
    uint64_t granules;

    if (block->checked) {
        return 0;
    }
    granules = granules_of(block->offset, block->len) |
               (block->ahead_len ? granules_of(block->ahead_offset, block->ahead_len) : 0);
    for (unsigned i = 0; i < block->n_parts; i++) {
        granules |= granules_of(block->parts[i].offset, block->parts[i].len);
    }
    return granules;
}

static void
enter_pages(TcgBlock *block)
{
    TcgPage *page = block->page;

    block->next_in_page = page->blocks;
    block->at_in_page = &page->blocks;
    if (page->blocks) {
        page->blocks->at_in_page = &block->next_in_page;
    }
    page->blocks = block;
    page->physical->granules |= own_granules(block);
    if (block->second) {
        TcgPhysical *second = block->second->physical;
        block->next_in_second = second->running_in;
        second->running_in = block;
        second->granules |= !block->checked;
    }
}

bool
tcg_is_checked(const TcgFetch *fetch, const TcgFetch *second)
{
    return fetch->code->physical->checked || (second && second->code->physical->checked);
}

/* Lets go of the oldest when there are many of BLOCK's address. */
static void
limit_versions(TcgBlock **head, const TcgBlock *block)
{
    uint32_t second_stamp = block->second ? block->second->stamp : 0;
    TcgBlock *last = NULL;
    unsigned count = 0;

    for (TcgBlock *other = *head; other; other = other->next_in_hash) {
        if (other->dead &&
            is_at(other, block->stamp, block->offset, second_stamp, block->ungrouped)) {
            last = other;
            count++;
        }
    }
    if (count > TCG_VERSIONS) {
        unhash(head, last);
    }
}

void
tcg_block_add(TcgMachine *machine, TcgBlock *block)
{
    TcgBlock **head = bucket(machine, block->stamp, block->offset);

    limit_versions(head, block);
    block->next_in_hash = *head;
    *head = block;
    enter_pages(block);
    machine->blocks[machine->n_blocks] = block;
    __atomic_store_n(&machine->n_blocks, machine->n_blocks + 1, __ATOMIC_RELEASE);
}

/* ---- Links ---- */

void
tcg_link(TcgMachine *machine, TcgLink *link, TcgBlock *to)
{
    const TcgBlock *from = link->from;
    const uint8_t *entry = link->in_memory && to->flags_live  ? to->entry_indirect
                           : to->page != from->page           ? to->entry_far
                           : link->backward && !link->returns ? to->entry_loop
                                                              : to->entry;

    if (link->to || to->mode != link->mode || to->ungrouped != link->ungrouped ||
        link->pc != to->pc ||
        !tcg_asm_patch(machine->code + link->jump, tcg_exec_delta(machine), entry)) {
        return;
    }
    link->to = to;
    link->next = to->incoming;
    to->incoming = link;
    machine->links_made++;
}

void
tcg_unpatch(TcgMachine *machine, const TcgLink *link)
{
    tcg_asm_patch(machine->code + link->jump, tcg_exec_delta(machine),
                  machine->code_exec + link->stub);
}

static void
unlink_incoming(TcgMachine *machine, TcgBlock *block)
{
    for (TcgLink *link = block->incoming, *next; link; link = next) {
        next = link->next;
        tcg_unpatch(machine, link);
        link->to = NULL;
        link->next = NULL;
    }
    block->incoming = NULL;
}

static void
forget_jumps(TcgMachine *machine, const TcgBlock *block)
{
    unsigned slot = tcg_jump_slot(block->pc), view = block->mode & TCG_MODE_VIEW;

    for (TcgCpu *cpu = machine->cpus; cpu; cpu = cpu->next) {
        TcgJump *jump = &cpu->jump[view][slot];
        if (jump->code == block->entry_indirect) {
            __atomic_store_n(&jump->key, tcg_jump_none(slot), __ATOMIC_RELAXED);
        }
    }
}

static void
drop_block(TcgMachine *machine, TcgBlock *block)
{
    block->dead = true;
    unlink_incoming(machine, block);
    forget_jumps(machine, block);
    machine->invalidated++;
}

/* ---- Pages ---- */

/* The granule of instructions that begin in the page before. */
static uint64_t
second_granule(const TcgPhysical *physical)
{
    const TcgBlock *block = physical->running_in;

    while (block && block->checked) {
        block = block->next_in_second;
    }
    return block ? 1 : 0;
}

static void
unlist(TcgBlock *block)
{
    *block->at_in_page = block->next_in_page;
    if (block->next_in_page) {
        block->next_in_page->at_in_page = block->at_in_page;
    }
}

/* Takes BLOCK, which dies, out of the list of its page. */
static void
leave_page(TcgBlock *block)
{
    uint64_t granules = 0;

    unlist(block);
    if (block->checked) {
        return; /* it had no granule */
    }
    for (const TcgPage *page = block->page->physical->pages; page; page = page->next) {
        for (const TcgBlock *other = page->blocks; other; other = other->next_in_page) {
            granules |= own_granules(other);
        }
    }
    block->page->physical->granules = granules | second_granule(block->page->physical);
}

static void
leave_second(TcgBlock *block)
{
    TcgPhysical *second = block->second->physical;
    TcgBlock **at = &second->running_in;

    while (*at != block) {
        at = &(*at)->next_in_second;
    }
    *at = block->next_in_second;
}

static void
drop_alone(TcgMachine *machine, TcgBlock *block)
{
    leave_page(block);
    if (block->second) {
        leave_second(block);
    }
    drop_block(machine, block);
}

void
tcg_block_retire(TcgMachine *machine, TcgBlock *block)
{
    TcgBlock **head = bucket(machine, block->stamp, block->offset);

    if (!block->dead) {
        unlist(block); /* its granules stay, it is made again */
        if (block->second) {
            leave_second(block);
        }
        drop_block(machine, block);
        unhash(head, block);
        block->n_fixes = 0; /* nor is it copied */
    }
}

/* Drops what MASK covers. */
static void
drop_granules(TcgMachine *machine, TcgPhysical *physical, uint64_t mask)
{
    physical->granules = 0;
    for (TcgBlock *block; (mask & 1) && (block = physical->running_in);) {
        physical->running_in = block->next_in_second;
        leave_page(block);
        drop_block(machine, block);
    }
    for (TcgPage *page = physical->pages; page; page = page->next) {
        for (TcgBlock *block = page->blocks, *next; block; block = next) {
            uint64_t own = own_granules(block);
            next = block->next_in_page;
            if ((own & mask) || mask == UINT64_MAX) {
                unlist(block);
                if (block->second) {
                    leave_second(block);
                }
                drop_block(machine, block);
            } else {
                physical->granules |= own;
            }
        }
    }
    physical->granules |= second_granule(physical);
}

/* ---- Pages that are not watched ---- */

static void
enter_checked(TcgMachine *machine, TcgPhysical *physical)
{
    physical->writes = 0;
    physical->checked = true;
    physical->patience_ms = CLAMP(physical->patience_ms * 2, PATIENCE_MS, PATIENCE_MS_MAX);
    physical->checked_until_us = tcg_now_us(machine) + physical->patience_ms * 1000;
    physical->next_checked = machine->checked;
    __atomic_store_n(&machine->checked, physical, __ATOMIC_RELAXED);
    machine->given_up++;
}

static void
leave_checked(TcgMachine *machine, TcgPhysical *physical)
{
    if (physical->checked) {
        TcgPhysical **at = &machine->checked;
        while (*at != physical) {
            at = &(*at)->next_checked;
        }
        __atomic_store_n(at, physical->next_checked, __ATOMIC_RELAXED);
        physical->checked = false;
    }
}

void
tcg_watch_due(TcgMachine *machine)
{
    int64_t now = tcg_now_us(machine);

    g_mutex_lock(&machine->lock);
    for (TcgPhysical *physical = machine->checked, *next; physical; physical = next) {
        next = physical->next_checked;
        if (now >= physical->checked_until_us) {
            leave_checked(machine, physical);
            drop_granules(machine, physical, UINT64_MAX);
        }
    }
    g_mutex_unlock(&machine->lock);
}

/* ---- Finding ---- */

static void
revive(TcgMachine *machine, TcgBlock **head, TcgBlock *block)
{
    unhash(head, block); /* so that the oldest is the last */
    block->next_in_hash = *head;
    *head = block;
    block->dead = false;
    enter_pages(block);
    machine->revived++;
}

TcgBlock *
tcg_block_at(TcgMachine *machine, uint32_t stamp, unsigned offset)
{
    TcgBlock *block = *bucket(machine, stamp, offset);

    while (block && (block->dead || !is_at(block, stamp, offset, 0, 0))) {
        block = block->next_in_hash;
    }
    return block;
}

TcgBlock *
tcg_block_find(TcgMachine *machine, const TcgFetch *fetch, const TcgFetch *second, unsigned offset,
               unsigned ungrouped, TcgSofts *out_softs)
{
    TcgBlock **head = bucket(machine, fetch->stamp, offset), *same = NULL, *stale = NULL;
    uint32_t second_stamp = second ? second->stamp : 0;
    bool checked = tcg_is_checked(fetch, second);

    out_softs->count = 0;
    for (TcgBlock *block = *head; block; block = block->next_in_hash) {
        if (!is_at(block, fetch->stamp, offset, second_stamp, ungrouped) ||
            block->checked != checked) {
            continue;
        }
        if (!block->dead && !checked) {
            return block;
        }
        if (same_bytes(block, fetch->host, second ? second->host : NULL)) {
            if (!block->dead) {
                return block;
            }
            same = same && same->softs.count >= block->softs.count ? same : block;
        } else if (!block->dead) {
            stale = block;
        }
    }
    if (stale) {
        drop_alone(machine, stale);
        machine->stale++;
        if ((!same || !same->softs.count) && tcg_softs_find(stale, fetch->host, out_softs)) {
            return NULL;
        }
    }
    if (same) {
        revive(machine, head, same);
    }
    return same;
}

static void
ram_written(VitRamBlock *block, uint64_t offset, uint64_t len, void *opaque)
{
    tcg_code_written(opaque, NULL, &block->dirty[offset / VIT_PAGE_SIZE], offset % VIT_PAGE_SIZE,
                     len);
}

/* A device goes and its memory with it. Its CPUs' tables have been flushed as it went out of the
 * address map. */
static void
ram_gone(VitRamBlock *block, void *opaque)
{
    TcgMachine *machine = opaque;
    GHashTableIter iter;
    gpointer value;

    g_mutex_lock(&machine->lock);
    g_hash_table_iter_init(&iter, machine->physical);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        TcgPhysical *physical = value;
        if ((size_t)(physical->host - block->host) >= block->len_bytes) {
            continue;
        }
        drop_granules(machine, physical, UINT64_MAX);
        leave_checked(machine, physical);
        g_hash_table_remove(machine->by_dirty, physical->dirty);
        g_hash_table_iter_remove(&iter);
        physical->dirty = NULL;
        physical->next_gone = machine->gone;
        machine->gone = physical;
    }
    g_ptr_array_remove_fast(machine->rams, block);
    g_mutex_unlock(&machine->lock);
}

void
tcg_rams_forget(TcgMachine *machine)
{
    for (unsigned i = 0; i < machine->rams->len; i++) {
        VitRamBlock *block = g_ptr_array_index(machine->rams, i);
        block->code_written = NULL;
        block->code_gone = NULL;
    }
}

static TcgPhysical *
physical_get(TcgCpu *cpu, const uint8_t *host, uint64_t physical_address)
{
    TcgMachine *machine = cpu->machine;
    TcgPhysical *physical = g_hash_table_lookup(machine->physical, host);
    VitMapped at;

    if (physical) {
        return physical;
    }
    physical = g_new0(TcgPhysical, 1);
    physical->host = host;
    vit_address_space_lookup(cpu->core.mmu->space, physical_address, &at);
    if (at.region && at.region->block) {
        VitRamBlock *block = at.region->block;
        uint64_t offset = at.region->block_offset + at.region_offset;
        physical->dirty = &block->dirty[offset / VIT_PAGE_SIZE];
        if (!block->code_written) {
            block->code_opaque = machine;
            block->code_gone = ram_gone;
            g_ptr_array_add(machine->rams, block);
            __atomic_store_n(&block->code_written, ram_written, __ATOMIC_RELEASE);
        }
        g_hash_table_insert(machine->by_dirty, physical->dirty, physical);
    }
    g_hash_table_insert(machine->physical, (void *)host, physical);
    return physical;
}

/* From now on writes to PHYSICAL are heard of: who has a write entry has set the bit. False: they
 * have been all along. */
static bool
watch(TcgCpu *cpu, TcgPhysical *physical)
{
    if (!physical->dirty ||
        !(__atomic_load_n(physical->dirty, __ATOMIC_RELAXED) & VIT_DIRTY_CODE)) {
        return false;
    }
    __atomic_fetch_and(physical->dirty, (uint8_t)~VIT_DIRTY_CODE, __ATOMIC_SEQ_CST);
    tcg_tlb_protect(cpu, physical->host);
    return true;
}

bool
tcg_is_claimed(const TcgMachine *machine, const TcgPhysical *physical)
{
    return physical->claim > machine->settled;
}

bool
tcg_page_claim(TcgCpu *cpu, TcgPhysical *physical)
{
    TcgMachine *machine = cpu->machine;

    if (physical->granules || physical->checked) {
        return true;
    }
    if (watch(cpu, physical)) {
        physical->claim = ++machine->claims;
        if (!machine->cpus->next) { /* nobody to wait for; devices have a fence of their own */
            machine->settled = machine->claims;
        }
    }
    return !tcg_is_claimed(machine, physical);
}

void
tcg_settle(TcgCpu *cpu)
{
    TcgMachine *machine = cpu->machine;

    if (cpu->claimed) {
        machine->settled = MAX(machine->settled, cpu->claimed);
        machine->waits++;
        cpu->claimed = 0;
    }
}

TcgPage *
tcg_page_get(TcgCpu *cpu, uint64_t linear, const uint8_t *host, uint16_t mode,
             uint64_t physical_address)
{
    TcgMachine *machine = cpu->machine;
    TcgPhysical *physical = physical_get(cpu, host, physical_address);
    TcgPage *page;

    for (TcgPage **at = &physical->pages; (page = *at); at = &page->next) {
        if (page->linear == linear && page->mode == mode) {
            *at = page->next; /* to the front: each start of a program maps it elsewhere */
            page->next = physical->pages;
            physical->pages = page;
            return page;
        }
    }
    page = g_new0(TcgPage, 1);
    page->linear = linear;
    page->mode = mode;
    page->stamp = ++machine->last_stamp;
    page->physical = physical;
    page->next = physical->pages;
    physical->pages = page;
    return page;
}

/* Drops code that a write of MASK met. After many of them all of the page goes: it is written at
 * full speed and its blocks check themselves, for a time that grows as this happens again. False:
 * nothing was dropped. */
static bool
drop_written(TcgMachine *machine, TcgPhysical *physical, uint64_t mask)
{
    bool met = physical->granules & mask;

    machine->writes_beside += !met;
    if (physical->granules && ++physical->writes >= TCG_WRITES_SEEN) {
        enter_checked(machine, physical);
        mask = UINT64_MAX;
    } else if (!met) {
        return false;
    }
    drop_granules(machine, physical, mask);
    return true;
}

void
tcg_code_written(TcgMachine *machine, TcgCpu *writer, uint8_t *dirty, unsigned offset, size_t len)
{
    TcgPhysical *physical;
    uint8_t bits = VIT_DIRTY_ALL;

    g_mutex_lock(&machine->lock);
    physical = g_hash_table_lookup(machine->by_dirty, dirty);
    if (physical) {
        if (drop_written(machine, physical, granules_of(offset, len))) {
            if (writer) {
                writer->code_dropped = true;
            }
            for (TcgCpu *cpu = machine->cpus; cpu; cpu = cpu->next) {
                if (cpu != writer) {
                    tcg_request_exit(cpu);
                }
            }
        }
        if (physical->granules || tcg_is_claimed(machine, physical)) {
            bits &= ~VIT_DIRTY_CODE;
        }
    }
    __atomic_fetch_or(dirty, bits, __ATOMIC_RELEASE);
    g_mutex_unlock(&machine->lock);
}

static void
free_physical(TcgPhysical *physical)
{
    for (TcgPage *page = physical->pages, *next; page; page = next) {
        next = page->next;
        g_free(page);
    }
    if (physical->dirty) {
        __atomic_fetch_or(physical->dirty, VIT_DIRTY_ALL, __ATOMIC_RELEASE);
    }
    g_free(physical);
}

void
tcg_drop_all(TcgMachine *machine)
{
    GHashTableIter iter;
    gpointer value;

    tcg_pool_clear(&machine->pool);
    machine->n_blocks = 0;
    memset(machine->originals, 0, sizeof(machine->originals));
    memset(machine->hash, 0, machine->hash_len * sizeof(machine->hash[0]));
    g_hash_table_iter_init(&iter, machine->physical);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        free_physical(value);
    }
    for (TcgPhysical *physical = machine->gone, *next; physical; physical = next) {
        next = physical->next_gone;
        free_physical(physical);
    }
    machine->gone = NULL;
    machine->checked = NULL;
    g_hash_table_remove_all(machine->physical);
    g_hash_table_remove_all(machine->by_dirty);
    g_hash_table_remove_all(machine->insns);
    for (TcgCpu *cpu = machine->cpus; cpu; cpu = cpu->next) {
        for (unsigned view = 0; view < X86_VIEW_LAST; view++) {
            for (unsigned i = 0; i < TCG_FETCH_ENTRIES; i++) {
                cpu->fetch[view][i] = (TcgFetch){ .page = 1 };
            }
            tcg_jumps_clear(cpu, view);
        }
    }
    machine->code_used = machine->code_fixed;
    machine->cold_used = machine->cold_start;
    machine->full_flushes++;
}
