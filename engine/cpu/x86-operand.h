/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Wide memory operands where host code works on guest memory itself. */

#include "x86-mem.h"

/* Host address of an operand that lies whole in one page of plain memory with the rights already in
 * the TLB, or NULL: then x86_read_bytes() and x86_write_bytes() do it, or fault. */
static inline void *
x86_direct_operand(X86Core *core, unsigned segment, uint64_t offset, unsigned size, bool write)
{
    uint64_t linear;

    if (X86_UNLIKELY(x86_alignment_checked(core)) ||
        !x86_linear_fast(core, segment, offset, size, write, &linear) ||
        (linear & 0xfff) + size > 4096) {
        return NULL;
    }
    const X86TlbEntry *entry = x86_tlb_slot(core, linear, x86_view(core));
    if (!x86_tlb_hit(core, entry, linear, write ? X86_ACCESS_WRITE : X86_ACCESS_READ)) {
        return NULL;
    }
    if (write) {
        x86_mark_written(core, entry->dirty, linear, size);
    }
    return (void *)(entry->host + linear);
}

/* OFFSET of a further piece of the memory operand: what the address size leaves of it. */
static inline uint64_t
x86_wrap(const X86Insn *insn, uint64_t offset)
{
    return insn->address_size == 8   ? offset
           : insn->address_size == 4 ? (uint32_t)offset
                                     : (uint16_t)offset;
}

/* #AC of a wide operand, which comes after the segment's checks and before those of the page. */
static inline void
x86_check_operand_alignment(X86Core *core, unsigned segment, uint64_t offset, unsigned size,
                            unsigned alignment, bool write)
{
    if (X86_UNLIKELY(x86_alignment_checked(core))) {
        X86Access access = write ? X86_ACCESS_WRITE : X86_ACCESS_READ;

        if (x86_linear(core, segment, offset, size, access) & (alignment - 1)) {
            x86_fault_code(core, X86_EXC_AC, 0);
        }
    }
}

/* Between elements of a gather or scatter, of which some are done: whether a trap is due and the
 * next would fault. The trap comes first then, and the instruction again behind it, with what is
 * done gone from its mask; seen on AMD's CPUs. */
static inline bool
x86_trap_comes_first(X86Core *core, const X86Insn *insn, uint64_t offset, unsigned size,
                     X86Access access)
{
    if (X86_LIKELY(!(core->s.rflags & X86_FLAG_TF) && !core->debug_pending) ||
        !x86_would_fault(core, insn->segment, offset, size, access)) {
        return false;
    }
    core->next_rip = core->s.rip;
    return true;
}

/* Linear address for alignment tests; says nothing about rights. */
static inline uint64_t
x86_linear_unchecked(const X86Core *core, unsigned segment, uint64_t offset)
{
    if (x86_code64(&core->s)) {
        return segment >= X86_FS ? core->s.seg[segment].base + offset : offset;
    }
    return (uint32_t)(core->s.seg[segment].base + offset);
}
