/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Filling and dropping what translated code looks addresses up in: the TLB and the pages of code.
 *
 * Entries are taken from the interpreter's TLB, which has walked the tables, set accessed and dirty
 * bits and knows watched pages and device windows; every flush of that one comes here through the
 * core's hooks. A write entry exists only while nobody wants to hear of writes to the page: it is
 * marked dirty when it is entered, has no translations, and no display looks at it.
 * Thread: the CPU's own, except tcg_tlb_protect(). */

#include "machine.h"

static uint64_t
empty_tag(unsigned slot)
{
    return -((uint64_t)(slot ^ 2) << 12);
}

static void
drop(TcgTlbEntry *entry, unsigned slot)
{
    __atomic_store_n(&entry->tag, empty_tag(slot), __ATOMIC_RELAXED);
}

/* All of them empty. */
static void
set_entries(TcgCpu *cpu, unsigned entries)
{
    cpu->tlb_entries = entries;
    cpu->hot.tlb_mask = (entries - 1) << 4;
    cpu->hot.tlb_index_bits = (uint64_t)(entries - 1) << 12;
    for (unsigned view = 0; view < X86_VIEW_LAST; view++) {
        for (unsigned i = 0; i < entries; i++) {
            drop(&cpu->tlb[view][0][i], i);
            drop(&cpu->tlb[view][1][i], i);
        }
    }
    cpu->log_len[0] = cpu->log_len[1] = 0;
    cpu->log_full = false;
    cpu->fills_since_flush = 0;
}

void
tcg_jumps_clear(TcgCpu *cpu, unsigned view)
{
    for (unsigned i = 0; i < TCG_JUMP_ENTRIES; i++) {
        cpu->jump[view][i].key = tcg_jump_none(i);
    }
}

void
tcg_tlb_init(TcgCpu *cpu, unsigned entries)
{
    set_entries(cpu, entries);
    cpu->hot.page_bits = ~(uint64_t)0xfff;
    cpu->offset_bits = 0xfff;
    cpu->bit_mask[0] = 31;
    cpu->bit_mask[1] = 63;
    cpu->sign_bit = (uint64_t)1 << 63;
    for (unsigned view = 0; view < X86_VIEW_LAST; view++) {
        cpu->view_mode[view] = TCG_MODE_NONE;
        tcg_jumps_clear(cpu, view);
    }
    tcg_near_init(cpu);
    tcg_tlb_flush(cpu);
}

static void
drop_fetch(TcgFetch *fetch)
{
    fetch->stamp = 0;
    fetch->page = 1;
}

static void
flush_fetch(TcgCpu *cpu, bool globals)
{
    if (!globals && cpu->fetch_log_len < TCG_FETCH_LOG) {
        for (unsigned i = 0; i < cpu->fetch_log_len; i++) {
            if (!cpu->fetch_log[i]->global) {
                drop_fetch(cpu->fetch_log[i]);
            }
        }
        cpu->fetch_log_len = 0;
        return;
    }
    for (unsigned view = 0; view < X86_VIEW_LAST; view++) {
        for (unsigned i = 0; i < TCG_FETCH_ENTRIES; i++) {
            if (globals || !cpu->fetch[view][i].global) {
                drop_fetch(&cpu->fetch[view][i]);
            }
        }
    }
    cpu->fetch_log_len = 0;
}

/* Table entries in a log: slot, view and kind in one word. */
static void
flush_logged(TcgCpu *cpu, bool everything)
{
    g_mutex_lock(&cpu->machine->lock); /* for tcg_tlb_protect() */
    for (unsigned global = 0; global <= everything; global++) {
        for (unsigned i = 0; i < cpu->log_len[global]; i++) {
            uint32_t word = cpu->log[global][i];
            drop(&cpu->tlb[word >> 1 & 3][word & 1][word >> 4], word >> 4);
        }
        cpu->log_len[global] = 0;
    }
    cpu->fills_since_flush = 0;
    g_mutex_unlock(&cpu->machine->lock);
}

void
tcg_tlb_flush(TcgCpu *cpu)
{
    cpu->flushes++;
    tcg_near_clear(cpu);
    if (cpu->log_full) {
        set_entries(cpu, cpu->tlb_entries);
    } else {
        flush_logged(cpu, true);
    }
    flush_fetch(cpu, true);
}

/* Pages that are not global. */
static void
drop_space(TcgCpu *cpu)
{
    tcg_near_clear(cpu);
    if (cpu->log_full) {
        set_entries(cpu, cpu->tlb_entries);
    } else {
        flush_logged(cpu, false);
    }
    flush_fetch(cpu, false);
}

static void
tlb_changed(X86Core *core, X86TlbChange change, uint64_t linear)
{
    TcgCpu *cpu = tcg_cpu_of(core);
    unsigned slot = linear >> 12 & (cpu->tlb_entries - 1);
    uint64_t page = linear & ~(uint64_t)0xfff;

    tcg_request_exit(cpu); /* stamps go, so must the frames of calls: see emit-flow.c */
    switch (change) {
    case X86_TLB_CONTEXT:
        tcg_space_leave(cpu);
        drop_space(cpu);
        tcg_space_enter(cpu, core->mmu->context);
        break;
    case X86_TLB_NONGLOBAL: drop_space(cpu); break;
    case X86_TLB_PAGE:
        tcg_near_clear_page(cpu, page);
        for (unsigned view = 0; view < X86_VIEW_LAST; view++) {
            TcgFetch *fetch = &cpu->fetch[view][tcg_fetch_slot(page)];
            drop(&cpu->tlb[view][0][slot], slot);
            drop(&cpu->tlb[view][1][slot], slot);
            drop_fetch(fetch);
        }
        break;
    case X86_TLB_ALL:
        tcg_tlb_flush(cpu);
        tcg_space_forget(cpu);
        break;
    case X86_TLB_SPAN: tcg_tlb_flush(cpu); break;
    }
}

static void
code_written(X86Core *core, uint8_t *dirty, unsigned offset, size_t len)
{
    TcgCpu *cpu = tcg_cpu_of(core);

    tcg_code_written(cpu->machine, cpu, dirty, offset, len);
}

const X86CoreHooks tcg_core_hooks = { .tlb_changed = tlb_changed, .code_written = code_written };

/* Grows the tables of a CPU that fills them over and over with nothing flushed in between. What
 * code has under way starts its check again. */
static void
make_room(TcgCpu *cpu)
{
    if (++cpu->fills_since_flush < 2 * cpu->tlb_entries || cpu->tlb_entries == TCG_TLB_LARGEST ||
        cpu->machine->options.tlb_entries) {
        return;
    }
    g_mutex_lock(&cpu->machine->lock); /* for tcg_tlb_protect() */
    set_entries(cpu, MIN(cpu->tlb_entries * 4, TCG_TLB_LARGEST));
    g_mutex_unlock(&cpu->machine->lock);
}

void
tcg_tlb_enter(TcgCpu *cpu, const X86TlbEntry *from, uint64_t page, bool write, X86View view)
{
    unsigned slot = page >> 12 & (cpu->tlb_entries - 1);
    TcgTlbEntry *entry = &cpu->tlb[view][write][slot];
    bool global = (from->mask & 0x7ff) == 0;

    cpu->fills++;
    entry->host = from->host + page;
    __atomic_store_n(&entry->tag, -page, __ATOMIC_RELEASE);
    unsigned len = cpu->log_len[global];
    /* Read entries come without the lock: another CPU may be at the log. */
    if (len < TCG_LOG_ENTRIES) {
        __atomic_store_n(&cpu->log[global][len], slot << 4 | (unsigned)view << 1 | (write ? 1 : 0),
                         __ATOMIC_RELAXED);
        __atomic_store_n(&cpu->log_len[global], len + 1, __ATOMIC_RELEASE);
    } else {
        cpu->log_full = true;
    }
}

/* Whether a display wants to hear of writes at PHYSICAL. */
static bool
is_displayed(TcgCpu *cpu, uint64_t physical)
{
    const VitRegion *region = x86_phys_region(&cpu->core, physical);

    return !region || region->log_display_dirty;
}

bool
tcg_tlb_fill(TcgCpu *cpu, uint64_t linear, bool write, X86View view)
{
    X86Core *core = &cpu->core;
    uint64_t page = linear & ~(uint64_t)0xfff;
    X86Access access = write ? X86_ACCESS_WRITE : X86_ACCESS_READ;
    unsigned slot = page >> 12 & (cpu->tlb_entries - 1);
    X86TlbEntry *from;
    uint32_t error;
    bool good = true;

    if (cpu->tlb[view][write][slot].tag == -page ||
        (x86_long_mode(&core->s) && !x86_is_canonical(core, linear))) {
        return false; /* it was in the table: the access crosses pages */
    }
    make_room(cpu);
    slot = page >> 12 & (cpu->tlb_entries - 1);
    from = x86_tlb_fill(core, linear, access, view, &error);
    if (!from || !x86_tlb_hit(core, from, linear, access)) {
        return false;
    }
    if (!write) {
        tcg_tlb_enter(cpu, from, page, false, view);
        return true;
    }
    if (is_displayed(cpu, from->physical)) {
        return false;
    }
    g_mutex_lock(&cpu->machine->lock);
    if (!(__atomic_load_n(from->dirty, __ATOMIC_RELAXED) & VIT_DIRTY_CODE)) {
        const TcgPhysical *code = g_hash_table_lookup(cpu->machine->by_dirty, from->dirty);
        good = !code || (code->granules == 0 && !tcg_is_claimed(cpu->machine, code));
    }
    if (good) {
        __atomic_fetch_or(from->dirty, VIT_DIRTY_ALL, __ATOMIC_RELEASE);
        tcg_tlb_enter(cpu, from, page, true, view);
    }
    g_mutex_unlock(&cpu->machine->lock);
    return good;
}

const uint8_t *
tcg_tlb_page(TcgCpu *cpu, uint64_t linear, X86View view)
{
    uint64_t page = linear & ~(uint64_t)0xfff;
    const TcgTlbEntry *entry = &cpu->tlb[view][0][page >> 12 & (cpu->tlb_entries - 1)];

    if (entry->tag != -page && !tcg_tlb_fill(cpu, linear, false, view)) {
        return NULL;
    }
    entry = &cpu->tlb[view][0][page >> 12 & (cpu->tlb_entries - 1)]; /* the table may have grown */
    return (const uint8_t *)entry->host;
}

static bool
protect_logged(TcgCpu *cpu, const uint32_t *log, unsigned len, const uint8_t *host)
{
    bool found = false;

    for (unsigned i = 0; i < len; i++) {
        uint32_t logged = __atomic_load_n(&log[i], __ATOMIC_RELAXED);
        TcgTlbEntry *entry = &cpu->tlb[logged >> 1 & 3][1][logged >> 4];
        if ((logged & 1) && entry->host == (uintptr_t)host) {
            drop(entry, logged >> 4);
            found = true;
        }
    }
    return found;
}

/* Write entries are entered with the lock held, and the log is only rewritten so. Whether there was
 * one. */
static bool
protect_cpu(TcgCpu *cpu, const uint8_t *host)
{
    bool found = false;

    if (!cpu->log_full) {
        for (unsigned global = 0; global < 2; global++) {
            found |= protect_logged(cpu, cpu->log[global],
                                    __atomic_load_n(&cpu->log_len[global], __ATOMIC_ACQUIRE), host);
        }
        return found;
    }
    for (unsigned view = 0; view < X86_VIEW_LAST; view++) {
        for (unsigned i = 0; i < cpu->tlb_entries; i++) {
            TcgTlbEntry *entry = &cpu->tlb[view][1][i];
            if (entry->host == (uintptr_t)host) {
                drop(entry, i);
                found = true;
            }
        }
    }
    return found;
}

void
tcg_tlb_protect(TcgCpu *cpu, const uint8_t *host)
{
    for (TcgCpu *other = cpu->machine->cpus; other; other = other->next) {
        tcg_near_protect(other, cpu, host);
        if (protect_cpu(other, host) && other != cpu) {
            /* a loop that has been prepared looks at no table until it leaves the page */
            tcg_request_exit(other);
        }
    }
}
