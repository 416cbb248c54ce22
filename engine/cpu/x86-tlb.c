/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The interpreter's software TLB: filling and dropping entries. x86-mmu.h has the layout and its
 * invariants; Intel SDM volume 3 4.10 (caching translation information) says what may stay.
 * A page of any size is entered as its 4 KiB piece; a hashed set remembers which large pages have
 * pieces, so that INVLPG on one finds all of them. Thread: the CPU's own. */

#include "x86-log.h"
#include "x86-mem.h"
#include "x86-system.h"

static unsigned
large_page_bit(uint64_t linear, unsigned shift)
{
    uint64_t key = (linear >> shift) * 0x9e3779b97f4a7c15ull + shift * 0xd1b54a32d192ed03ull;
    return key >> 52; /* 12 bits: 64 words of 64 */
}

static bool
large_page_known(const X86Mmu *mmu, uint64_t linear, unsigned shift)
{
    unsigned bit = large_page_bit(linear, shift);
    return mmu->large_pages[bit / 64] >> (bit % 64) & 1;
}

enum { FOLD_SHIFT = X86_TLB_BITS - 3 };
_Static_assert(X86_TLB_FOLDS == 1 << 3, "the slot's upper bits");

static void
set_context(X86Mmu *mmu, uint32_t context)
{
    mmu->context = context;
    mmu->fold[X86_VIEW_USER] = context % X86_TLB_FOLDS << FOLD_SHIFT;
}

X86Mmu *
x86_mmu_new(void)
{
    X86Mmu *mmu = g_new0(X86Mmu, 1);

    memset(mmu->tlb, 0xff, sizeof(mmu->tlb));
    memset(mmu->phys, 0xff, sizeof(mmu->phys));
    memset(mmu->tables, 0xff, sizeof(mmu->tables));
    set_context(mmu, 1);
    mmu->context_next = 2;
    return mmu;
}

void
x86_mmu_free(X86Mmu *mmu)
{
    g_free(mmu);
}

static void
tell(X86Core *core, X86TlbChange change, uint64_t linear)
{
    memset(core->mmu->tables, 0xff, sizeof(core->mmu->tables));
    if (core->hooks) {
        core->hooks->tlb_changed(core, change, linear);
    }
}

static unsigned
current_pcid(const X86Core *core)
{
    return core->s.cr4 & X86_CR4_PCIDE ? core->s.cr3 & 0xfff : 0;
}

void
x86_tlb_flush_all(X86Core *core)
{
    X86Mmu *mmu = core->mmu;

    memset(mmu->tlb, 0xff, sizeof(mmu->tlb));
    memset(mmu->phys, 0xff, sizeof(mmu->phys));
    mmu->range.len = 0;
    memset(mmu->pcid_context, 0, sizeof(mmu->pcid_context));
    memset(mmu->large_pages, 0, sizeof(mmu->large_pages));
    mmu->keys_seen = false;
    set_context(mmu, 1);
    mmu->context_next = 2;
    mmu->pcid_context[current_pcid(core)] = 1;
    core->code_generation++;
    tell(core, X86_TLB_ALL, 0);
    mmu->space = core->s.in_smm ? core->cpu->host->memory_smm : core->cpu->host->memory;
}

/* Gives the current PCID a context no entry carries. */
static void
new_context(X86Core *core)
{
    X86Mmu *mmu = core->mmu;

    core->code_generation++;
    if (mmu->context_next > X86_TLB_CONTEXT_LAST) {
        x86_tlb_flush_all(core);
        return;
    }
    set_context(mmu, mmu->context_next++);
    mmu->pcid_context[current_pcid(core)] = mmu->context;
    tell(core, X86_TLB_CONTEXT, 0);
}

void
x86_tlb_load_cr3(X86Core *core, bool keep)
{
    unsigned context = core->mmu->pcid_context[current_pcid(core)];

    if (keep && context) {
        set_context(core->mmu, context);
        core->code_generation++;
        tell(core, X86_TLB_CONTEXT, 0);
    } else {
        new_context(core);
    }
}

static void
drop_entry(X86TlbEntry *entry)
{
    memset(entry, 0xff, sizeof(*entry));
}

/* Drops all pieces of the page of 2^SHIFT bytes around LINEAR. */
static void
drop_span(X86Mmu *mmu, uint64_t linear, unsigned shift)
{
    for (unsigned view = 0; view < X86_VIEW_LAST; view++) {
        for (unsigned i = 0; i < X86_TLB_ENTRIES; i++) {
            X86TlbEntry *entry = &mmu->tlb[view][i];
            for (unsigned access = 0; access < 3; access++) {
                if (((entry->tag[access] ^ linear) >> shift) == 0) {
                    drop_entry(entry);
                    break;
                }
            }
        }
    }
}

/* A global page may have been entered in any context. */
static void
drop_user_page(X86Core *core, uint64_t linear)
{
    X86TlbEntry *table = core->mmu->tlb[X86_VIEW_USER];
    unsigned slot = (unsigned)(x86_tlb_slot(core, linear, X86_VIEW_USER) - table);

    for (unsigned fold = 0; fold < X86_TLB_FOLDS; fold++) {
        drop_entry(&table[slot ^ fold << FOLD_SHIFT]);
    }
}

void
x86_tlb_flush_page(X86Core *core, uint64_t linear)
{
    X86Mmu *mmu = core->mmu;
    static const uint8_t shifts[] = { 21, 22, 30 };
    X86TlbChange change = X86_TLB_PAGE;

    core->code_generation++;
    if (!x86_long_mode(&core->s)) {
        linear = (uint32_t)linear;
    }
    for (unsigned view = 0; view < X86_VIEW_USER; view++) {
        drop_entry(x86_tlb_slot(core, linear, view));
    }
    drop_user_page(core, linear);
    for (unsigned i = 0; i < VIT_ARRAY_LEN(shifts); i++) {
        if (large_page_known(mmu, linear, shifts[i])) {
            drop_span(mmu, linear, shifts[i]);
            change = X86_TLB_SPAN;
        }
    }
    tell(core, change, linear);
}

void
x86_tlb_flush_pcid(X86Core *core, uint16_t pcid)
{
    core->mmu->pcid_context[pcid & 0xfff] = 0;
    if ((pcid & 0xfff) == current_pcid(core)) {
        new_context(core);
    }
}

void
x86_tlb_flush_nonglobal(X86Core *core)
{
    memset(core->mmu->pcid_context, 0, sizeof(core->mmu->pcid_context));
    tell(core, X86_TLB_NONGLOBAL, 0);
    new_context(core);
}

void
x86_tlb_pkru_changed(X86Core *core, uint32_t old_pkru)
{
    uint32_t change = core->s.pkru ^ old_pkru;

    if ((change & 3) || (change && core->mmu->keys_seen)) {
        x86_tlb_flush_all(core);
    }
}

/* Whether a data breakpoint lies in the 4 KiB page of LINEAR. */
static bool
page_is_watched(const X86Core *core, uint64_t linear)
{
    if (!core->mmu->watching) {
        return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        bool armed = core->s.dr[7] >> (2 * i) & 3;
        bool data = core->s.dr[7] >> (16 + 4 * i) & 1;
        if (armed && data && !((core->s.dr[i] ^ linear) >> 12)) {
            return true;
        }
    }
    return x86_host_debug_watches_page(core, linear);
}

X86TlbEntry *
x86_tlb_fill(X86Core *core, uint64_t linear, X86Access access, X86View view, uint32_t *out_error)
{
    X86Mmu *mmu = core->mmu;
    X86Translation found;

    if (!x86_long_mode(&core->s)) {
        linear = (uint32_t)linear;
    }
    uint64_t page = linear & ~(uint64_t)0xfff;
    uint64_t key = page | mmu->context;
    X86TlbEntry *entry = x86_tlb_slot(core, linear, view);
    if (!((entry->tag[access] ^ key) & entry->mask & ~(uint64_t)X86_TLB_SLOW)) {
        return entry;
    }
    if (!x86_mmu_translate(core, linear, access, view, &found, out_error)) {
        if (x86_log_wants(core, VIT_LOG_MMU)) {
            x86_log_walk(core, linear, false, *out_error);
        }
        return NULL;
    }
    if (x86_log_wants(core, VIT_LOG_MMU)) {
        x86_log_walk(core, linear, true, found.physical);
    }
    uint64_t physical = found.physical & ~(uint64_t)0xfff;
    const X86PhysPage *plain = x86_phys_page(core, physical);
    bool watched = page_is_watched(core, linear);
    for (unsigned i = 0; i < 3; i++) {
        bool direct = plain->host && (i != X86_ACCESS_WRITE || plain->writable) &&
                      (i == X86_ACCESS_EXEC || !watched);
        entry->tag[i] = found.allowed >> i & 1 ? key | (direct ? 0 : X86_TLB_SLOW) : UINT64_MAX;
    }
    entry->mask = found.global ? ~(uint64_t)0x7ff : UINT64_MAX;
    entry->host = plain->host ? (uintptr_t)plain->host - page : 0;
    entry->dirty = plain->dirty;
    entry->physical = physical;
    if (found.page_bytes > VIT_PAGE_SIZE) {
        unsigned bit = large_page_bit(linear, __builtin_ctzll(found.page_bytes));
        mmu->large_pages[bit / 64] |= 1ull << (bit % 64);
    }
    if (found.key && found.user) {
        mmu->keys_seen = true;
    }
    return entry;
}
