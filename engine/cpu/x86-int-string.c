/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* MOVS CMPS STOS LODS SCAS with their repeats. Intel SDM volume 2, volume 1 7.3.9.
 *
 * A repeated instruction runs in slices: when there is more to do it leaves core->next_rip at
 * itself, with rSI, rDI and rCX where they stand, so that the loop can take an interrupt between
 * two slices. A slice ends with a page whether the TLB has it or not: how often the instruction
 * counts, for -icount, must not depend on that. Faults find the registers at the element that
 * faults. With TF set, or once a data breakpoint has hit, a slice is one element.
 *
 * The fast path is a forward MOVS or STOS whose operands hit the TLB: the rest of the page moves by
 * one host REP instruction on host memory, which keeps the element order of overlapping operands
 * (pages mapped twice included). A forward CMPS or SCAS passes over its page likewise, up to the
 * element before the last. Thread: the CPU's own. */

#include "x86-int.h"

enum { SLICE_ELEMENTS = 1024 };

typedef struct Repeat {
    uint64_t left; /* elements to do; 1 without a prefix */
    uint64_t mask; /* of the address size */
    unsigned size;
    int64_t step;
    bool repeated;
} Repeat;

X86_INLINE Repeat
begin(const X86Core *core, const X86Insn *insn)
{
    Repeat r = { .left = 1,
                 .mask = x86_size_mask(insn->address_size),
                 .size = insn->operand_size,
                 .repeated = insn->rep || insn->repne };

    r.step = core->s.rflags & X86_FLAG_DF ? -(int64_t)r.size : (int64_t)r.size;
    if (r.repeated) {
        r.left = core->s.gpr[X86_RCX] & r.mask;
    }
    return r;
}

X86_INLINE void
set_register(X86Core *core, const X86Insn *insn, unsigned reg, uint64_t value)
{
    x86_reg_write(core, insn, reg, value, insn->address_size);
}

/* COUNT elements are done. */
X86_INLINE void
advance(X86Core *core, const X86Insn *insn, Repeat *r, bool src, bool dst, uint64_t count)
{
    if (src) {
        set_register(core, insn, X86_RSI, core->s.gpr[X86_RSI] + r->step * count);
    }
    if (dst) {
        set_register(core, insn, X86_RDI, core->s.gpr[X86_RDI] + r->step * count);
    }
    r->left -= count;
    if (r->repeated) {
        set_register(core, insn, X86_RCX, core->s.gpr[X86_RCX] - count);
    }
}

/* Elements this slice may do. */
X86_INLINE uint64_t
slice(const X86Core *core, const Repeat *r)
{
    return core->s.rflags & X86_FLAG_TF ? 1 : MIN(r->left, SLICE_ELEMENTS);
}

/* To be called after the slice: come back for what is left. */
X86_INLINE void
end(X86Core *core, const Repeat *r)
{
    if (r->left) {
        core->next_rip = core->s.rip;
    }
}

/* Whether the next element at register REG does not lie in the page of the one before. */
X86_INLINE bool
leaves_page(const X86Core *core, const Repeat *r, unsigned segment, unsigned reg)
{
    bool based = segment >= X86_FS || !x86_code64(&core->s);
    uint64_t at = (core->s.gpr[reg] + (based ? core->s.seg[segment].base : 0)) & 0xfff;

    return r->step > 0 && (at < r->size || at + r->size > VIT_PAGE_SIZE);
}

typedef struct Run {
    uint8_t *host;
    const X86TlbEntry *entry;
} Run;

/* Host memory of the elements at OFFSET going up, at most *COUNT of them, which is lowered to what
 * lies in one page, inside the segment and before the address wraps. NULL: not to be had now. */
static Run
page_run(X86Core *core, unsigned segment, uint64_t offset, const Repeat *r, X86Access access,
         uint64_t *count)
{
    const X86Segment *seg = &core->s.seg[segment];
    const X86TlbEntry *entry;
    uint64_t linear, run;
    const Run none = { NULL, NULL };

    if (!x86_linear_fast(core, segment, offset, r->size, access == X86_ACCESS_WRITE, &linear) ||
        x86_alignment_checked(core)) {
        return none;
    }
    entry = x86_tlb_slot(core, linear, x86_view(core));
    if (!x86_tlb_hit(core, entry, linear, access)) {
        return none;
    }
    run = (VIT_PAGE_SIZE - (linear & 0xfff)) / r->size;
    if (!x86_code64(&core->s)) {
        run = MIN(run, (seg->limit - offset + 1) / r->size);
    }
    if (r->mask != UINT64_MAX) {
        run = MIN(run, (r->mask - offset + 1) / r->size);
    }
    if (run == 0) {
        return none;
    }
    *count = MIN(*count, run);
    return (Run){ (uint8_t *)(entry->host + linear), entry };
}

static void
host_movs(uint8_t *to, const uint8_t *from, uint64_t count, unsigned size)
{
    switch (size) {
    case 1: __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory"); break;
    case 2: __asm__ volatile("rep movsw" : "+D"(to), "+S"(from), "+c"(count) : : "memory"); break;
    case 4: __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count) : : "memory"); break;
    default: __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory"); break;
    }
}

static void
host_stos(uint8_t *to, uint64_t value, uint64_t count, unsigned size)
{
    switch (size) {
    case 1: __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(value) : "memory"); break;
    case 2: __asm__ volatile("rep stosw" : "+D"(to), "+c"(count) : "a"(value) : "memory"); break;
    case 4: __asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(value) : "memory"); break;
    default: __asm__ volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(value) : "memory"); break;
    }
}

/* True when it did something. */
static bool
movs_run(X86Core *core, const X86Insn *insn, Repeat *r)
{
    uint64_t count = r->left, from_offset = core->s.gpr[X86_RSI] & r->mask;
    uint64_t to_offset = core->s.gpr[X86_RDI] & r->mask;
    Run from, to;

    if (r->step < 0 || count < 4 || (core->s.rflags & X86_FLAG_TF)) {
        return false;
    }
    from = page_run(core, insn->segment, from_offset, r, X86_ACCESS_READ, &count);
    to = page_run(core, X86_ES, to_offset, r, X86_ACCESS_WRITE, &count);
    if (!from.host || !to.host) {
        return false;
    }
    host_movs(to.host, from.host, count, r->size);
    x86_mark_written(core, to.entry->dirty, (uintptr_t)to.host, count * r->size);
    advance(core, insn, r, true, true, count);
    return true;
}

X86_INLINE void
movs_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    Repeat r = begin(core, insn);

    if (r.left == 0 || movs_run(core, insn, &r)) {
        end(core, &r);
        return;
    }
    for (uint64_t n = slice(core, &r), first = n; n && r.left; n--) {
        uint64_t value = x86_read_fast(core, insn->segment, core->s.gpr[X86_RSI] & r.mask, size);
        x86_write_fast(core, X86_ES, core->s.gpr[X86_RDI] & r.mask, value, size);
        advance(core, insn, &r, true, true, 1);
        /* the first element has filled the TLB where it can be filled */
        if (core->debug_pending || (n == first && movs_run(core, insn, &r)) ||
            leaves_page(core, &r, insn->segment, X86_RSI) ||
            leaves_page(core, &r, X86_ES, X86_RDI)) {
            break;
        }
    }
    end(core, &r);
}
BY_SIZE(movs)

static bool
stos_run(X86Core *core, const X86Insn *insn, Repeat *r)
{
    uint64_t count = r->left;
    Run to;

    if (r->step < 0 || count < 4 || (core->s.rflags & X86_FLAG_TF)) {
        return false;
    }
    to = page_run(core, X86_ES, core->s.gpr[X86_RDI] & r->mask, r, X86_ACCESS_WRITE, &count);
    if (!to.host) {
        return false;
    }
    host_stos(to.host, core->s.gpr[X86_RAX], count, r->size);
    x86_mark_written(core, to.entry->dirty, (uintptr_t)to.host, count * r->size);
    advance(core, insn, r, false, true, count);
    return true;
}

X86_INLINE void
stos_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    Repeat r = begin(core, insn);

    if (r.left == 0 || stos_run(core, insn, &r)) {
        end(core, &r);
        return;
    }
    for (uint64_t n = slice(core, &r), first = n; n && r.left; n--) {
        uint64_t value = core->s.gpr[X86_RAX] & x86_size_mask(size);
        x86_write_fast(core, X86_ES, core->s.gpr[X86_RDI] & r.mask, value, size);
        advance(core, insn, &r, false, true, 1);
        if (core->debug_pending || (n == first && stos_run(core, insn, &r)) ||
            leaves_page(core, &r, X86_ES, X86_RDI)) {
            break;
        }
    }
    end(core, &r);
}
BY_SIZE(stos)

X86_INLINE void
lods_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    Repeat r = begin(core, insn);

    for (uint64_t n = slice(core, &r); n && r.left; n--) {
        uint64_t value = x86_read_fast(core, insn->segment, core->s.gpr[X86_RSI] & r.mask, size);
        x86_reg_write(core, insn, X86_RAX, value, size);
        advance(core, insn, &r, true, false, 1);
        if (core->debug_pending) {
            break;
        }
    }
    end(core, &r);
}
BY_SIZE(lods)

/* Flags of A - B; true when the repeat goes on. */
X86_INLINE bool
compare(X86Core *core, const X86Insn *insn, uint64_t a, uint64_t b, unsigned size)
{
    uint64_t in = 0;
    uint32_t ax;

    X86_HOST_OP2("", "cmp", size, a, b, in, ax);
    x86_set_flags(core, ax, X86_FLAGS_ARITH);
    return insn->repne ? !(core->s.rflags & X86_FLAG_ZF) : !!(core->s.rflags & X86_FLAG_ZF);
}

X86_INLINE uint64_t
element(const uint8_t *host, uint64_t index, unsigned size)
{
    return x86_host_load(host + index * size, size);
}

/* Passes over elements at which a forward CMPS (SRC) or SCAS goes on, but for the last: that one's
 * flags are what is left of them all. True when it passed any. */
X86_INLINE bool
skip_run(X86Core *core, const X86Insn *insn, Repeat *r, bool src, unsigned size)
{
    uint64_t count = r->left, done = 0, a = x86_reg_read(core, insn, X86_RAX, size);
    bool until_equal = insn->repne;
    Run from = { 0 }, to;

    /* where it would end depends on what the TLB has */
    if (r->step < 0 || count < 4 || (core->s.rflags & X86_FLAG_TF) || core->cpu->count_limit) {
        return false;
    }
    if (src) {
        from = page_run(core, insn->segment, core->s.gpr[X86_RSI] & r->mask, r, X86_ACCESS_READ,
                        &count);
    }
    to = page_run(core, X86_ES, core->s.gpr[X86_RDI] & r->mask, r, X86_ACCESS_READ, &count);
    if (!to.host || (src && !from.host)) {
        return false;
    }
    while (done + 1 < count && ((src ? element(from.host, done, size) : a) ==
                                element(to.host, done, size)) != until_equal) {
        done++;
    }
    advance(core, insn, r, src, true, done);
    return done;
}

X86_INLINE void
cmps_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    Repeat r = begin(core, insn);

    skip_run(core, insn, &r, true, size);
    for (uint64_t n = slice(core, &r), first = n; n && r.left; n--) {
        uint64_t a, b;
        /* where both would fault, AMD CPUs report the destination, except for REPE CMPSB */
        if (size == 1 && insn->rep) {
            a = x86_read_fast(core, insn->segment, core->s.gpr[X86_RSI] & r.mask, size);
            b = x86_read_fast(core, X86_ES, core->s.gpr[X86_RDI] & r.mask, size);
        } else {
            b = x86_read_fast(core, X86_ES, core->s.gpr[X86_RDI] & r.mask, size);
            a = x86_read_fast(core, insn->segment, core->s.gpr[X86_RSI] & r.mask, size);
        }
        bool more = compare(core, insn, a, b, size);
        advance(core, insn, &r, true, true, 1);
        if (!more) {
            return;
        }
        if (core->debug_pending || (n == first && skip_run(core, insn, &r, true, size))) {
            break;
        }
    }
    end(core, &r);
}
BY_SIZE(cmps)

X86_INLINE void
scas_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    Repeat r = begin(core, insn);

    skip_run(core, insn, &r, false, size);
    for (uint64_t n = slice(core, &r), first = n; n && r.left; n--) {
        uint64_t b = x86_read_fast(core, X86_ES, core->s.gpr[X86_RDI] & r.mask, size);
        bool more = compare(core, insn, core->s.gpr[X86_RAX], b, size);
        advance(core, insn, &r, false, true, 1);
        if (!more) {
            return;
        }
        if (core->debug_pending || (n == first && skip_run(core, insn, &r, false, size))) {
            break;
        }
    }
    end(core, &r);
}
BY_SIZE(scas)
