/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* PUSH POP PUSHA POPA ENTER LEAVE. Intel SDM volume 2 and volume 1 chapter 6. The width of a push
 * is the operand size, that of rSP the stack's (SS.B). rSP moves once, when nothing can fault any
 * more. Thread: the CPU's own. */

#include "x86-int.h"

X86_INLINE void
push(X86Core *core, uint64_t value, unsigned size)
{
    uint64_t offset = (core->s.gpr[X86_RSP] - size) & x86_stack_mask(core);

    x86_write_fast(core, X86_SS, offset, value, size);
    x86_set_stack_pointer(core, offset);
}

/* The value on top; the caller moves rSP. */
X86_INLINE uint64_t
top(X86Core *core, unsigned size)
{
    return x86_read_fast(core, X86_SS, core->s.gpr[X86_RSP] & x86_stack_mask(core), size);
}

X86_INLINE void
drop(X86Core *core, uint64_t bytes)
{
    x86_set_stack_pointer(core, core->s.gpr[X86_RSP] + bytes);
}

X86_INLINE void
push_z_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    push(core, x86_reg_read(core, insn, insn->rm, size), size);
}
BY_SIZE_WDQ(push_z)

X86_INLINE void
push_i_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    push(core, insn->imm & x86_size_mask(size), size);
}
BY_SIZE_WDQ(push_i)

X86_INLINE void
push_e_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    push(core, x86_rm_read(core, insn, size), size);
}
BY_SIZE_WDQ(push_e)

X86_INLINE void
pop_z_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t value = top(core, size);

    drop(core, size);
    x86_reg_write(core, insn, insn->rm, value, size);
}
BY_SIZE_WDQ(pop_z)

/* A memory operand based on rSP is addressed with rSP already moved. */
X86_INLINE void
pop_e_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t value = top(core, size), rsp = core->s.gpr[X86_RSP];

    if (!insn->is_memory) {
        drop(core, size);
        x86_reg_write(core, insn, insn->rm, value, size);
        return;
    }
    drop(core, size);
    uint64_t offset = x86_address(core, insn);
    core->s.gpr[X86_RSP] = rsp;
    x86_write_fast(core, insn->segment, offset, value, size);
    drop(core, size);
}
BY_SIZE_WDQ(pop_e)

void
x86_exec_pusha(X86Core *core, const X86Insn *insn)
{
    int size = insn->operand_size;

    /* one by one: what was written before a fault stays, with rSP where it was */
    for (int i = 0; i < 8; i++) {
        x86_stack_write(core, -(i + 1) * size, x86_reg_read(core, insn, i, size), size);
    }
    drop(core, -8 * size);
}

/* Registers change one by one, those before a fault stay changed; rSP moves at the end, so that the
 * instruction can be tried again. */
void
x86_exec_popa(X86Core *core, const X86Insn *insn)
{
    unsigned size = insn->operand_size;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t value = x86_stack_read(core, i * size, size);
        if (7 - i != X86_RSP) {
            x86_reg_write(core, insn, 7 - i, value, size);
        }
    }
    drop(core, 8 * size);
}

void
x86_exec_enter(X86Core *core, const X86Insn *insn)
{
    int size = insn->operand_size, level = insn->imm2 & 31, pushed = 1;
    uint64_t mask = x86_stack_mask(core), rbp = core->s.gpr[X86_RBP];
    uint64_t rsp_before = core->s.gpr[X86_RSP];
    /* on a 16-bit stack the upper half of ESP stays as it is */
    uint64_t frame = (rsp_before & ~mask) | ((rsp_before - size) & mask);

    x86_stack_write(core, -size, rbp & x86_size_mask(size), size);
    for (int i = 1; i < level; i++) {
        uint64_t link = x86_read_fast(core, X86_SS, (rbp - i * size) & mask, size);
        x86_stack_write(core, -++pushed * size, link, size);
    }
    if (level > 0) {
        x86_stack_write(core, -++pushed * size, frame & x86_size_mask(size), size);
    }
    /* the new top is accessed, though nothing is written there */
    uint64_t rsp = (core->s.gpr[X86_RSP] - pushed * size - insn->imm) & mask;
    if ((rsp & (size - 1)) && x86_alignment_checked(core)) {
        x86_fault_code(core, X86_EXC_AC, 0);
    }
    x86_probe_write(core, X86_SS, rsp, size);
    drop(core, -(int64_t)(pushed * size + insn->imm));
    x86_reg_write(core, insn, X86_RBP, frame, size);
}

X86_INLINE void
leave_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t frame = core->s.gpr[X86_RBP] & x86_stack_mask(core);
    uint64_t value = x86_read_fast(core, X86_SS, frame, size);

    x86_set_stack_pointer(core, frame + size);
    x86_reg_write(core, insn, X86_RBP, value, size);
}
BY_SIZE_WDQ(leave)
