/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Memory as instructions see it: the inline hit path of the software TLB, and what lies behind it.
 * x86_read() and x86_write() of x86-interp.h are these behind a call; hot handlers include this
 * header and use the _fast forms. Same checks, same faults. */

#include "x86-mmu.h"

#include <string.h>

#define X86_LIKELY(x)   __builtin_expect(!!(x), 1)
#define X86_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Whose rights an explicit access of the current instruction has. */
static inline X86View
x86_view(const X86Core *core)
{
    if (core->s.cpl == 3) {
        return X86_VIEW_USER;
    }
    return (core->s.cr4 & X86_CR4_SMAP) && !(core->s.rflags & X86_FLAG_AC) ? X86_VIEW_SMAP
                                                                           : X86_VIEW_SUPERVISOR;
}

/* Whose rights descriptor tables and the TSS are read with. */
static inline X86View
x86_view_implicit(const X86Core *core)
{
    return core->s.cr4 & X86_CR4_SMAP ? X86_VIEW_SMAP : X86_VIEW_SUPERVISOR;
}

static inline bool
x86_alignment_checked(const X86Core *core)
{
    return core->s.cpl == 3 && (core->s.rflags & X86_FLAG_AC) && (core->s.cr0 & X86_CR0_AM);
}

static inline X86TlbEntry *
x86_tlb_slot(const X86Core *core, uint64_t linear, X86View view)
{
    /* folded: copies between equal places of large pages would else evict each other */
    X86Mmu *mmu = core->mmu;
    return &mmu->tlb[view][(linear >> 12 ^ linear >> 21 ^ mmu->fold[view]) & (X86_TLB_ENTRIES - 1)];
}

static inline bool
x86_tlb_hit(const X86Core *core, const X86TlbEntry *entry, uint64_t linear, X86Access access)
{
    uint64_t key = (linear & ~(uint64_t)0xfff) | core->mmu->context;
    return !((entry->tag[access] ^ key) & entry->mask);
}

void x86_mark_written_slow(X86Core *core, uint8_t *dirty, uint64_t linear, size_t len);

/* Marks the page with dirty byte DIRTY written, LEN bytes of it at LINEAR. After the store: a
 * client that clears dirty bits and then reads the page must first bring every CPU past a safe
 * point, or at least a barrier. */
static inline void
x86_mark_written(X86Core *core, uint8_t *dirty, uint64_t linear, size_t len)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (X86_UNLIKELY(__atomic_load_n(dirty, __ATOMIC_RELAXED) != VIT_DIRTY_ALL)) {
        x86_mark_written_slow(core, dirty, linear, len);
    }
}

static inline uint64_t
x86_host_load(const void *host, unsigned size)
{
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;

    switch (size) {
    case 1: return *(const uint8_t *)host;
    case 2: memcpy(&v16, host, 2); return v16;
    case 4: memcpy(&v32, host, 4); return v32;
    default: memcpy(&v64, host, 8); return v64;
    }
}

static inline void
x86_host_store(void *host, uint64_t value, unsigned size)
{
    switch (size) {
    case 1: *(uint8_t *)host = value; break;
    case 2: memcpy(host, &(uint16_t){ value }, 2); break;
    case 4: memcpy(host, &(uint32_t){ value }, 4); break;
    default: memcpy(host, &value, 8); break;
    }
}

/* Linear address of a plain access, or false when the slow path has to look (limits met, unusual
 * segment types, mode with no type checks). Canonical form needs no check here: only canonical
 * pages are ever in the TLB, and an access that crosses a page does not hit. */
static inline bool
x86_linear_fast(const X86Core *core, unsigned segment, uint64_t offset, unsigned size, bool write,
                uint64_t *out_linear)
{
    const X86Segment *seg = &core->s.seg[segment];

    if (x86_code64(&core->s)) {
        *out_linear = offset;
        if (segment < X86_FS) {
            return true;
        }
        *out_linear += seg->base;
        /* the sum may be canonical where the offset is not: AMD's CPUs look at both */
        return (uint64_t)((int64_t)offset >> 47) + 1 <= 1;
    }
    uint32_t want = X86_SEG_P | (write ? X86_SEG_W : 0);
    uint32_t look = X86_SEG_P | X86_SEG_CODE | X86_SEG_E | (write ? X86_SEG_W : 0);
    *out_linear = (uint32_t)(seg->base + offset);
    return (seg->attr & look) == want && offset + size - 1 <= seg->limit;
}

uint64_t x86_read_slow(X86Core *core, unsigned segment, uint64_t offset, unsigned size);
void x86_write_slow(X86Core *core, unsigned segment, uint64_t offset, uint64_t value,
                    unsigned size);

static inline uint64_t
x86_read_fast(X86Core *core, unsigned segment, uint64_t offset, unsigned size)
{
    uint64_t linear;

    if (X86_LIKELY(x86_linear_fast(core, segment, offset, size, false, &linear) &&
                   (linear & 0xfff) + size <= 4096 &&
                   (!(linear & (size - 1)) || !x86_alignment_checked(core)))) {
        const X86TlbEntry *entry = x86_tlb_slot(core, linear, x86_view(core));
        if (X86_LIKELY(x86_tlb_hit(core, entry, linear, X86_ACCESS_READ))) {
            return x86_host_load((const void *)(entry->host + linear), size);
        }
    }
    return x86_read_slow(core, segment, offset, size);
}

static inline void
x86_write_fast(X86Core *core, unsigned segment, uint64_t offset, uint64_t value, unsigned size)
{
    uint64_t linear;

    if (X86_LIKELY(x86_linear_fast(core, segment, offset, size, true, &linear) &&
                   (linear & 0xfff) + size <= 4096 &&
                   (!(linear & (size - 1)) || !x86_alignment_checked(core)))) {
        const X86TlbEntry *entry = x86_tlb_slot(core, linear, x86_view(core));
        if (X86_LIKELY(x86_tlb_hit(core, entry, linear, X86_ACCESS_WRITE))) {
            x86_host_store((void *)(entry->host + linear), value, size);
            x86_mark_written(core, entry->dirty, linear, size);
            return;
        }
    }
    x86_write_slow(core, segment, offset, value, size);
}

/* Linear address of [offset, offset+len) in SEGMENT after every segment check; raises #GP or #SS.
 * LEN 1..4096. */
uint64_t x86_linear(X86Core *core, unsigned segment, uint64_t offset, size_t len, X86Access access);
/* The segment checks of x86_linear() without the raise: the error vector, or -1. */
int x86_segment_check(const X86Core *core, const X86Segment *seg, unsigned segment, uint64_t offset,
                      size_t len, X86Access access);

/* Whether an access of LEN bytes, up to 4096, would fault but for its alignment. */
bool x86_would_fault(X86Core *core, unsigned segment, uint64_t offset, size_t len,
                     X86Access access);

bool x86_segment_within_limit(const X86Segment *seg, uint64_t offset, size_t len);

/* By linear address with the rights of VIEW; raise #PF alone. LEN up to 4096. */
uint64_t x86_read_linear(X86Core *core, uint64_t linear, unsigned size, X86View view);
void x86_write_linear(X86Core *core, uint64_t linear, uint64_t value, unsigned size, X86View view);
void x86_read_linear_bytes(X86Core *core, uint64_t linear, void *buf, size_t len, X86View view);
void x86_write_linear_bytes(X86Core *core, uint64_t linear, const void *buf, size_t len,
                            X86View view);
void x86_probe_linear(X86Core *core, uint64_t linear, size_t len, X86Access access, X86View view);

static inline bool
x86_is_canonical(const X86Core *core, uint64_t address)
{
    unsigned shift = core->s.cr4 & X86_CR4_LA57 ? 7 : 16;
    return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

/* Stack pointer mask of the current SS. */
static inline uint64_t
x86_stack_mask(const X86Core *core)
{
    if (x86_code64(&core->s)) {
        return UINT64_MAX;
    }
    return core->s.seg[X86_SS].attr & X86_SEG_DB ? 0xffffffffu : 0xffffu;
}

static inline void
x86_set_stack_pointer(X86Core *core, uint64_t value)
{
    uint64_t mask = x86_stack_mask(core);
    /* a 32-bit stack in compatibility mode zero-extends like any 32-bit register write */
    uint64_t keep = mask == 0xffff ? ~mask : 0;
    core->s.gpr[X86_RSP] = (core->s.gpr[X86_RSP] & keep) | (value & mask);
}
