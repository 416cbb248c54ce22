/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The page walk: from linear to guest physical address through the guest's tables.
 *
 * Intel SDM volume 3 chapter 4 (paging, all of it; 4.6 access rights, 4.7 error codes, 4.8 accessed
 * and dirty flags), AMD APM volume 2 chapter 5. One walker serves 32-bit, PAE, 4-level and 5-level
 * paging: the modes differ in a small descriptor of the tables.
 * Deviation: the four PAE directory pointers are read at each walk (as AMD does) and not kept from
 * the last CR3 write; MOV CR3 still checks them. Supervisor protection keys are not offered.
 * Accessed and dirty bits are set by compare-and-exchange on host memory, and only when the whole
 * walk has succeeded. Thread: the CPU's own. */

#include "x86-mem.h"
#include "x86-log.h"
#include "x86-svm.h"

enum {
    PTE_P = 1u << 0,
    PTE_W = 1u << 1,
    PTE_U = 1u << 2,
    PTE_A = 1u << 5,
    PTE_D = 1u << 6,
    PTE_PS = 1u << 7,
    PTE_G = 1u << 8,
};
#define PTE_NX (1ull << 63)

/* One level of a walk, from the top. */
typedef struct Step {
    uint64_t address; /* guest physical place of the entry */
    uint64_t entry;
    bool has_accessed; /* PAE directory pointers have no A, W, U, NX */
} Step;

typedef struct Walk {
    X86Core *core;
    bool uncached; /* for other threads: the page cache is the CPU's own */
    bool lost;     /* such a walk met a page that nested tables do not map */
    uint64_t linear;
    Step steps[5];
    unsigned count;
    unsigned leaf_shift;   /* log2 of the page size */
    uint64_t rights;       /* AND of W and U, OR of NX */
    uint64_t table;        /* the last one */
    uint64_t table_rights; /* before its entry */
} Walk;

/* The local APIC's page answers each CPU with that CPU's own APIC, in front of the address map. */
static bool
is_apic_page(const X86Core *core, uint64_t physical)
{
    uint64_t apic = __atomic_load_n(&core->cpu->apic_page, __ATOMIC_ACQUIRE);
    return apic && (physical & ~(uint64_t)0xfff) == apic && core->cpu->host->apic_mmio_read;
}

uint64_t
x86_phys_read(X86Core *core, uint64_t physical, unsigned size)
{
    uint64_t value = 0;

    if (is_apic_page(core, physical)) {
        const VitCpuHost *host = core->cpu->host;
        VitLock *lock = vit_address_space_lock(host->memory);
        vit_lock_take(lock);
        value = host->apic_mmio_read(host->opaque, physical & 0xfff, size);
        vit_lock_release(lock);
    } else {
        vit_address_space_read(core->mmu->space, physical, size, &value);
    }
    if (x86_log_wants(core, VIT_LOG_MMIO | VIT_LOG_TRACE)) {
        x86_log_window(core, false, physical, size, value);
    }
    return value;
}

void
x86_phys_write(X86Core *core, uint64_t physical, uint64_t value, unsigned size)
{
    if (x86_log_wants(core, VIT_LOG_MMIO | VIT_LOG_TRACE)) {
        x86_log_window(core, true, physical, size, value);
    }
    if (is_apic_page(core, physical)) {
        const VitCpuHost *host = core->cpu->host;
        VitLock *lock = vit_address_space_lock(host->memory);
        vit_lock_take(lock);
        host->apic_mmio_write(host->opaque, physical & 0xfff, value, size);
        vit_lock_release(lock);
    } else {
        vit_address_space_write(core->mmu->space, physical, size, value);
    }
}

void
x86_phys_read_bytes(X86Core *core, uint64_t physical, void *buf, size_t len)
{
    if (is_apic_page(core, physical)) {
        for (size_t i = 0; i < len; i++) {
            ((uint8_t *)buf)[i] = x86_phys_read(core, physical + i, 1);
        }
    } else {
        vit_address_space_read_bytes(core->mmu->space, physical, buf, len);
    }
}

void
x86_phys_write_bytes(X86Core *core, uint64_t physical, const void *buf, size_t len)
{
    if (is_apic_page(core, physical)) {
        for (size_t i = 0; i < len; i++) {
            x86_phys_write(core, physical + i, ((const uint8_t *)buf)[i], 1);
        }
    } else {
        vit_address_space_write_bytes(core->mmu->space, physical, buf, len);
    }
}

/* The memory around PHYSICAL, looked up once for all of its pages. */
static const X86PhysRange *
phys_range(X86Core *core, uint64_t physical)
{
    X86PhysRange *range = &core->mmu->range;

    if (physical - range->start >= range->len) {
        VitMapped mapped;
        vit_address_space_lookup(core->mmu->space, physical, &mapped);
        *range = (X86PhysRange){ .start = physical,
                                 .len = mapped.span,
                                 .region = mapped.region,
                                 .host = mapped.host,
                                 .dirty = mapped.dirty,
                                 .writable = mapped.writable && mapped.dirty };
    }
    return range;
}

const VitRegion *
x86_phys_region(X86Core *core, uint64_t physical)
{
    return phys_range(core, physical)->region;
}

const X86PhysPage *
x86_phys_page(X86Core *core, uint64_t physical)
{
    uint64_t page = physical & ~(uint64_t)0xfff;
    X86PhysPage *slot = &core->mmu->phys[(page >> 12) % X86_PHYS_CACHE_ENTRIES];

    if (slot->page != page) {
        const X86PhysRange *range = phys_range(core, page);
        uint64_t offset = page - range->start;
        bool plain =
            range->host && range->len - offset >= VIT_PAGE_SIZE && !is_apic_page(core, page);
        slot->page = page;
        slot->host = plain ? range->host + offset : NULL;
        slot->writable = plain && range->writable;
        slot->dirty = slot->writable ? range->dirty + offset / VIT_PAGE_SIZE : NULL;
    }
    return slot;
}

static uint64_t
apply_a20(const X86Core *core, uint64_t physical)
{
    return __atomic_load_n(&core->cpu->a20_enabled, __ATOMIC_ACQUIRE) ? physical
                                                                      : physical & ~(1ull << 20);
}

static uint64_t
read_entry(const Walk *walk, uint64_t address, unsigned size)
{
    X86Core *core = walk->core;

    if (walk->uncached) {
        uint64_t value = 0;
        vit_address_space_read(core->cpu->host->memory, address, size, &value);
        return value;
    }
    const X86PhysPage *page = x86_phys_page(core, address);
    if (!page->host) {
        return x86_phys_read(core, address, size);
    }
    const uint8_t *host = page->host + (address & 0xfff);
    return size == 4 ? __atomic_load_n((const uint32_t *)host, __ATOMIC_RELAXED)
                     : __atomic_load_n((const uint64_t *)host, __ATOMIC_RELAXED);
}

/* Sets BITS in the entry unless it has changed since it was read. */
static bool
update_entry(X86Core *core, uint64_t address, uint64_t seen, uint64_t bits, unsigned size)
{
    const X86PhysPage *page = x86_phys_page(core, address);
    bool done;

    if (!page->writable) {
        if (!page->host) { /* tables in a device window: no atomic to be had; ROM stays as it is */
            x86_phys_write(core, address, seen | bits, size);
        }
        return true;
    }
    uint8_t *host = page->host + (address & 0xfff);
    if (size == 4) {
        uint32_t expected = seen;
        done = __atomic_compare_exchange_n((uint32_t *)host, &expected, (uint32_t)(seen | bits),
                                           false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    } else {
        uint64_t expected = seen;
        done = __atomic_compare_exchange_n((uint64_t *)host, &expected, seen | bits, false,
                                           __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    }
    if (done) {
        x86_mark_written(core, page->dirty, address, size);
    }
    return done;
}

/* Physical address bits that must be 0: from the model's width up to TOP. */
static uint64_t
above_phys_bits(const X86Core *core, unsigned top)
{
    unsigned width = core->model->phys_bits;
    return width > top ? 0 : ((2ull << top) - 1) & ~((1ull << width) - 1);
}

/* Reserved bits of an entry in PAE and long-mode tables. LEVEL 1 = page table .. 5. */
static uint64_t
reserved_bits(const X86Core *core, unsigned level, uint64_t entry)
{
    bool long_mode = x86_long_mode(&core->s);
    uint64_t reserved = above_phys_bits(core, 51);

    if (!long_mode) {
        if (level == 3) {
            return reserved | 0xfff0000000000000ull | 0x1e6; /* bits 1, 2, 5..8 */
        }
        reserved |= 0x7ff0000000000000ull;
    }
    if (!(core->s.efer & X86_EFER_NXE)) {
        reserved |= PTE_NX;
    }
    if (level >= 4 || (level == 3 && !x86_model_has(core->model, X86_FEATURE_PDPE1GB))) {
        reserved |= PTE_PS;
    } else if (level == 3 && (entry & PTE_PS)) {
        reserved |= 0x3fffe000;
    } else if (level == 2 && (entry & PTE_PS)) {
        reserved |= 0x1fe000;
    }
    return reserved;
}

/* ---- Nested paging: AMD APM volume 2 15.25 ---- */

/* One try; false = a fault, with *OUT_ERROR, or *OUT_ERROR = UINT32_MAX: a table changed. */
static bool
walk_nested(const Walk *walk, uint64_t guest_physical, X86Access access, uint64_t *out_physical,
            uint8_t *out_allowed, uint32_t *out_error)
{
    X86Core *core = walk->core;
    const X86Svm *svm = &core->s.svm;
    bool long_mode = svm->host_efer & X86_EFER_LMA, nx = svm->host_efer & X86_EFER_NXE;
    unsigned level = !long_mode ? 3 : svm->host_cr4 & X86_CR4_LA57 ? 5 : 4;
    uint64_t table = svm->nested_cr3 & (long_mode ? 0x000ffffffffff000ull : 0xffffffe0u);
    uint64_t rights = PTE_W | PTE_U, reserved = above_phys_bits(core, 51) | (nx ? 0 : PTE_NX);

    for (;; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        bool top_pae = !long_mode && level == 3;
        uint64_t at = table + ((guest_physical >> shift) & (top_pae ? 3 : 511)) * 8;
        uint64_t entry = read_entry(walk, at, 8);
        bool is_leaf = level == 1 || (level < 4 && !top_pae && (entry & PTE_PS));
        if (!(entry & PTE_P)) {
            *out_error = 0;
            return false;
        }
        if ((entry & reserved) || (level >= 4 && (entry & PTE_PS))) {
            *out_error = X86_PF_PRESENT | X86_PF_RESERVED;
            return false;
        }
        rights &= top_pae ? ~0ull : entry | ~(uint64_t)(PTE_W | PTE_U);
        rights |= top_pae ? 0 : entry & PTE_NX;
        uint64_t seen = PTE_A | (is_leaf && access == X86_ACCESS_WRITE ? PTE_D : 0);
        if (is_leaf && (!(rights & PTE_U) || (access == X86_ACCESS_WRITE && !(rights & PTE_W)) ||
                        (access == X86_ACCESS_EXEC && (rights & PTE_NX)))) {
            *out_error = X86_PF_PRESENT;
            return false;
        }
        if (!top_pae && !walk->uncached && (entry & seen) != seen &&
            !update_entry(core, at, entry, seen, 8)) {
            *out_error = UINT32_MAX;
            return false;
        }
        if (is_leaf) {
            uint64_t mask = (1ull << shift) - 1;
            bool may_write = (rights & PTE_W) && ((entry | seen) & PTE_D);
            *out_physical = (entry & 0x000ffffffffff000ull & ~mask) | (guest_physical & mask);
            *out_allowed = 1u << X86_ACCESS_READ | (unsigned)may_write << X86_ACCESS_WRITE |
                           (unsigned)!(rights & PTE_NX) << X86_ACCESS_EXEC;
            return true;
        }
        table = entry & 0x000ffffffffff000ull;
    }
}

static uint64_t
nested_address(Walk *walk, uint64_t guest_physical, X86Access access, bool is_table,
               uint8_t *out_allowed)
{
    uint64_t physical;
    uint32_t error;

    while (!walk_nested(walk, guest_physical, access, &physical, out_allowed, &error)) {
        if (walk->uncached) {
            walk->lost = true;
            return 0;
        }
        if (error == UINT32_MAX) {
            continue;
        }
        error |= X86_PF_USER | (access == X86_ACCESS_WRITE ? X86_PF_WRITE : 0) |
                 (access == X86_ACCESS_EXEC ? X86_PF_FETCH : 0);
        x86_svm_exit(walk->core, SVM_EXIT_NESTED_PAGE, error | 1ull << (is_table ? 33 : 32),
                     guest_physical);
    }
    return physical;
}

/* Where an entry of the CPU's own tables lies. Walks of these count as writes. */
static uint64_t
table_address(Walk *walk, uint64_t physical)
{
    uint8_t allowed;

    physical = apply_a20(walk->core, physical);
    return walk->core->s.svm.nested_paging
               ? nested_address(walk, physical, walk->uncached ? X86_ACCESS_READ : X86_ACCESS_WRITE,
                                true, &allowed)
               : physical;
}

/* Where a byte of a page lies; takes from ALLOWED (nullable) what nested tables do not allow. */
static uint64_t
page_address(Walk *walk, uint64_t physical, X86Access access, uint8_t *allowed)
{
    uint8_t nested;

    physical = apply_a20(walk->core, physical);
    if (walk->core->s.svm.nested_paging) {
        physical = nested_address(walk, physical, access, false, &nested);
        if (allowed) {
            *allowed &= nested;
        }
    }
    return physical;
}

uint64_t
x86_mmu_table_address(X86Core *core, uint64_t physical)
{
    Walk walk = { .core = core };

    return table_address(&walk, physical);
}

static X86TablePlace *
table_place(X86Core *core, uint64_t linear)
{
    return &core->mmu->tables[(linear >> 21 ^ linear >> 25) % X86_TABLE_CACHE_ENTRIES];
}

/* Follows the tables of PAE (3 levels), 4-level and 5-level paging. */
static bool
walk_64bit_entries(Walk *walk, uint32_t *out_error)
{
    X86Core *core = walk->core;
    bool long_mode = x86_long_mode(&core->s);
    unsigned level = !long_mode ? 3 : core->s.cr4 & X86_CR4_LA57 ? 5 : 4;
    uint64_t table = long_mode ? core->s.cr3 & 0x000ffffffffff000ull : core->s.cr3 & 0xffffffe0u;

    walk->rights = PTE_W | PTE_U;
    if (!walk->uncached) {
        const X86TablePlace *place = table_place(core, walk->linear);
        if (place->span == walk->linear >> 21) {
            table = place->table;
            walk->rights = place->rights;
            level = 1;
        }
    }
    for (;; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        unsigned bits = !long_mode && level == 3 ? 2 : 9;
        Step *step = &walk->steps[walk->count];
        step->address =
            table_address(walk, table + ((walk->linear >> shift) & ((1u << bits) - 1)) * 8);
        step->entry = read_entry(walk, step->address, 8);
        step->has_accessed = long_mode || level < 3;
        if (!(step->entry & PTE_P)) {
            *out_error = 0;
            return false;
        }
        if (step->entry & reserved_bits(core, level, step->entry)) {
            *out_error = X86_PF_PRESENT | X86_PF_RESERVED;
            return false;
        }
        walk->count++;
        walk->table = table;
        walk->table_rights = walk->rights;
        if (step->has_accessed) {
            walk->rights &= step->entry | ~(uint64_t)(PTE_W | PTE_U);
            walk->rights |= step->entry & PTE_NX;
        }
        if (level == 1 || ((step->entry & PTE_PS) && step->has_accessed)) {
            walk->leaf_shift = shift;
            return true;
        }
        table = step->entry & 0x000ffffffffff000ull;
    }
}

/* Follows the two levels of 32-bit paging. */
static bool
walk_32bit_entries(Walk *walk, uint32_t *out_error)
{
    X86Core *core = walk->core;
    uint64_t directory = core->s.cr3 & 0xfffff000u;
    Step *step = &walk->steps[0];

    step->has_accessed = true;
    step->address = table_address(walk, directory + (walk->linear >> 22) * 4);
    step->entry = read_entry(walk, step->address, 4);
    if (!(step->entry & PTE_P)) {
        *out_error = 0;
        return false;
    }
    walk->count = 1;
    walk->rights = step->entry & (PTE_W | PTE_U);
    if ((step->entry & PTE_PS) && (core->s.cr4 & X86_CR4_PSE)) {
        bool pse36 = x86_model_has(core->model, X86_FEATURE_PSE36);
        unsigned width = core->model->phys_bits > 40 ? 40 : core->model->phys_bits;
        unsigned high =
            pse36 && width > 32 ? width - 32 : 0; /* address bits from entry bit 13 up */
        uint64_t reserved = 0x3fe000 & ~(((1ull << high) - 1) << 13);
        if (step->entry & reserved) {
            *out_error = X86_PF_PRESENT | X86_PF_RESERVED;
            return false;
        }
        walk->leaf_shift = 22;
        return true;
    }
    Step *last = &walk->steps[1];
    last->has_accessed = true;
    last->address =
        table_address(walk, (step->entry & 0xfffff000u) + ((walk->linear >> 12) & 0x3ff) * 4);
    last->entry = read_entry(walk, last->address, 4);
    if (!(last->entry & PTE_P)) {
        *out_error = 0;
        return false;
    }
    walk->count = 2;
    walk->rights &= last->entry;
    walk->leaf_shift = 12;
    return true;
}

/* Physical address of the page a finished walk found. */
static uint64_t
leaf_page(const Walk *walk, bool wide)
{
    uint64_t entry = walk->steps[walk->count - 1].entry;

    if (!wide && walk->leaf_shift == 22) { /* PSE: bits 13..20 are address bits 32..39 */
        return (entry & 0xffc00000u) | (entry & 0x1fe000) << 19;
    }
    return entry & 0x000fffffffffffffull & ~((1ull << walk->leaf_shift) - 1);
}

/* Rights of VIEW on a page (SDM volume 3 4.6.1, 4.6.2): a bit per X86Access. KEY_BLOCKS: those
 * that only the protection key refuses. */
static uint8_t
page_rights(const X86Core *core, uint64_t rights, uint8_t key, X86View view,
            uint8_t *out_key_blocks)
{
    const X86State *s = &core->s;
    bool user_page = rights & PTE_U;
    bool writable = rights & PTE_W;
    bool executable = !(rights & PTE_NX); /* NX is reserved, so never set, without NXE */
    uint8_t allowed = 0;

    *out_key_blocks = 0;
    if (view == X86_VIEW_USER) {
        if (user_page) {
            allowed = 1u << X86_ACCESS_READ | (unsigned)writable << X86_ACCESS_WRITE |
                      (unsigned)executable << X86_ACCESS_EXEC;
        }
    } else {
        if (!(user_page && view == X86_VIEW_SMAP)) {
            bool may_write = writable || !(s->cr0 & X86_CR0_WP);
            allowed = 1u << X86_ACCESS_READ | (unsigned)may_write << X86_ACCESS_WRITE;
        }
        if (executable && !(user_page && (s->cr4 & X86_CR4_SMEP))) {
            allowed |= 1u << X86_ACCESS_EXEC;
        }
    }
    if (user_page && (s->cr4 & X86_CR4_PKE) && x86_long_mode(s)) {
        unsigned pkru = s->pkru >> (2 * key);
        uint8_t refused = 0;
        if (pkru & 1) {
            refused = 1u << X86_ACCESS_READ | 1u << X86_ACCESS_WRITE;
        } else if ((pkru & 2) && (view == X86_VIEW_USER || (s->cr0 & X86_CR0_WP))) {
            refused = 1u << X86_ACCESS_WRITE;
        }
        *out_key_blocks = allowed & refused;
        allowed &= ~refused;
    }
    return allowed;
}

static uint32_t
access_error_bits(const X86Core *core, X86Access access, X86View view)
{
    const X86State *s = &core->s;
    uint32_t error = view == X86_VIEW_USER ? X86_PF_USER : 0;

    if (access == X86_ACCESS_WRITE) {
        error |= X86_PF_WRITE;
    }
    if (access == X86_ACCESS_EXEC &&
        ((s->cr4 & X86_CR4_SMEP) || ((s->cr4 & X86_CR4_PAE) && (s->efer & X86_EFER_NXE)))) {
        error |= X86_PF_FETCH;
    }
    return error;
}

/* Sets A in every entry used and D in the last; false = a table changed meanwhile. */
static bool
set_accessed(Walk *walk, bool dirty, unsigned entry_size)
{
    for (unsigned i = 0; i < walk->count; i++) {
        Step *step = &walk->steps[i];
        uint64_t bits = PTE_A | (dirty && i == walk->count - 1 ? PTE_D : 0);
        if (!step->has_accessed || (step->entry & bits) == bits) {
            continue;
        }
        if (!update_entry(walk->core, step->address, step->entry, bits, entry_size)) {
            return false;
        }
        step->entry |= bits;
    }
    return true;
}

static bool
walk_tables(Walk *walk, uint32_t *out_error)
{
    bool wide = walk->core->s.cr4 & X86_CR4_PAE;

    walk->count = 0;
    return wide ? walk_64bit_entries(walk, out_error) : walk_32bit_entries(walk, out_error);
}

/* A walk of tables that are on. */
static bool
translate(X86Core *core, uint64_t linear, X86Access access, X86View view, X86Translation *out,
          uint32_t *out_error)
{
    const X86State *s = &core->s;
    Walk walk = { .core = core, .linear = linear };
    uint64_t leaf;
    uint8_t key_blocks;

    do {
        if (!walk_tables(&walk, out_error)) {
            *out_error |= access_error_bits(core, access, view);
            return false;
        }
        leaf = walk.steps[walk.count - 1].entry;
        out->key = (leaf >> 59) & 15;
        out->user = walk.rights & PTE_U;
        out->allowed = page_rights(core, walk.rights, out->key, view, &key_blocks);
        if (!(out->allowed >> access & 1)) {
            *out_error = X86_PF_PRESENT | access_error_bits(core, access, view);
            if (key_blocks >> access & 1) {
                *out_error |= X86_PF_KEY;
            }
            return false;
        }
    } while (!set_accessed(&walk, access == X86_ACCESS_WRITE, s->cr4 & X86_CR4_PAE ? 8 : 4));
    if (walk.leaf_shift == 12 && (s->cr4 & X86_CR4_PAE)) {
        *table_place(core, linear) = (X86TablePlace){ .span = linear >> 21,
                                                      .table = walk.table,
                                                      .rights = walk.table_rights };
    }

    leaf = walk.steps[walk.count - 1].entry;
    if (!(leaf & PTE_D)) {
        out->allowed &= ~(1u << X86_ACCESS_WRITE);
    }
    out->global = (leaf & PTE_G) && (s->cr4 & X86_CR4_PGE);
    out->page_bytes = 1ull << walk.leaf_shift;
    out->physical = page_address(
        &walk, leaf_page(&walk, s->cr4 & X86_CR4_PAE) | (linear & (out->page_bytes - 1)), access,
        &out->allowed);
    return true;
}

bool
x86_mmu_translate(X86Core *core, uint64_t linear, X86Access access, X86View view,
                  X86Translation *out, uint32_t *out_error)
{
    X86TablePlace *place;

    if (!x86_long_mode(&core->s)) {
        linear = (uint32_t)linear;
    }
    if (!(core->s.cr0 & X86_CR0_PG)) {
        Walk none = { .core = core };
        *out = (X86Translation){ .allowed = 7 };
        out->physical = page_address(&none, linear, access, &out->allowed);
        return true;
    }
    if (translate(core, linear, access, view, out, out_error)) {
        return true;
    }
    /* a fault is only raised by the tables as they are (SDM volume 3 4.10.2.3, 4.10.3.2) */
    place = table_place(core, linear);
    if (place->span != linear >> 21) {
        return false;
    }
    place->span = UINT64_MAX;
    return translate(core, linear, access, view, out, out_error);
}

bool
x86_mmu_translate_debug(X86Core *core, uint64_t linear, uint64_t *out_physical)
{
    Walk walk = { .core = core, .uncached = true };
    uint32_t error;

    if (!x86_long_mode(&core->s)) {
        linear = (uint32_t)linear;
    }
    walk.linear = linear;
    if (!(core->s.cr0 & X86_CR0_PG)) {
        *out_physical = page_address(&walk, linear, X86_ACCESS_READ, NULL);
        return !walk.lost;
    }
    if (!walk_tables(&walk, &error)) {
        return false;
    }
    *out_physical = page_address(&walk,
                                 leaf_page(&walk, core->s.cr4 & X86_CR4_PAE) |
                                     (linear & ((1ull << walk.leaf_shift) - 1)),
                                 X86_ACCESS_READ, NULL);
    return !walk.lost;
}
