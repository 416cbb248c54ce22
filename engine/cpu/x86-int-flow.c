/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Near flow: Jcc JMP CALL RET LOOPcc JrCXZ. Intel SDM volume 2. The target is cut to the operand
 * size and checked before anything is counted. Far transfers are system instructions.
 * Thread: the CPU's own. */

#include "x86-int.h"

X86_INLINE uint64_t
cut(uint64_t target, unsigned size)
{
    return target & x86_size_mask(size);
}

/* Sets where to go next, after the check. In 64-bit code a target that stays in the lower half
 * needs none: that is nearly always so, and cheap to see. */
X86_INLINE void
jump(X86Core *core, uint64_t target)
{
    x86_check_branch(core, target);
    core->next_rip = target;
}

X86_INLINE void
jump_relative(X86Core *core, const X86Insn *insn)
{
    jump(core, cut(core->next_rip + insn->imm, insn->operand_size));
}

void
x86_exec_jcc(X86Core *core, const X86Insn *insn)
{
    if (x86_condition(core->s.rflags, insn->opcode)) {
        jump_relative(core, insn);
    }
}

void
x86_exec_jmp_rel(X86Core *core, const X86Insn *insn)
{
    jump_relative(core, insn);
}

void
x86_exec_jmp_e(X86Core *core, const X86Insn *insn)
{
    jump(core, x86_rm_read(core, insn, insn->operand_size));
}

X86_INLINE bool
is_good_target(const X86Core *core, uint64_t target)
{
    return x86_code64(&core->s) ? x86_is_canonical(core, target)
                                : target <= core->s.seg[X86_CS].limit;
}

/* What a push would fault with comes before what is wrong with the target, as on AMD CPUs. */
static __attribute__((noinline, cold)) void
fault_call(X86Core *core, uint64_t stack_offset, uint64_t target, unsigned size)
{
    X86Rmw rmw;

    x86_rmw_begin(core, X86_SS, stack_offset, size, &rmw);
    x86_rmw_end(core, &rmw);
    x86_check_branch(core, target);
}

X86_INLINE void
call(X86Core *core, uint64_t target, unsigned size)
{
    uint64_t offset = (core->s.gpr[X86_RSP] - size) & x86_stack_mask(core);

    if (G_UNLIKELY(!is_good_target(core, target))) {
        fault_call(core, offset, target, size);
    }
    x86_write_fast(core, X86_SS, offset, cut(core->next_rip, size), size);
    x86_set_stack_pointer(core, offset);
    core->next_rip = target;
}

X86_INLINE void
call_rel_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    call(core, cut(core->next_rip + insn->imm, size), size);
}
BY_SIZE_WDQ(call_rel)

X86_INLINE void
call_e_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    call(core, x86_rm_read(core, insn, size), size);
}
BY_SIZE_WDQ(call_e)

X86_INLINE void
ret_imm_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t rsp = core->s.gpr[X86_RSP];
    uint64_t target = x86_read_fast(core, X86_SS, rsp & x86_stack_mask(core), size);

    jump(core, target);
    x86_set_stack_pointer(core, rsp + size + insn->imm);
}
BY_SIZE_WDQ(ret_imm)

/* Without an immediate the record's is 0. */
X86_INLINE void
ret_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    ret_imm_body(core, insn, size);
}
BY_SIZE_WDQ(ret)

/* Counts rCX (by address size) down and jumps while it is not zero and CONDITION holds. */
static void
loop_if(X86Core *core, const X86Insn *insn, bool condition)
{
    unsigned size = insn->address_size;
    uint64_t count = (core->s.gpr[X86_RCX] - 1) & x86_size_mask(size);

    if (count && condition) {
        jump_relative(core, insn);
    }
    x86_reg_write(core, insn, X86_RCX, count, size);
}

void
x86_exec_loop(X86Core *core, const X86Insn *insn)
{
    loop_if(core, insn, true);
}

/* A repeat prefix overrides the condition of LOOPE and LOOPNE on AMD CPUs. */
static bool
loop_condition(const X86Core *core, const X86Insn *insn, bool wanted)
{
    bool zero = core->s.rflags & X86_FLAG_ZF;

    if (insn->rep || insn->repne) {
        wanted = insn->rep;
    }
    return zero == wanted;
}

void
x86_exec_loope(X86Core *core, const X86Insn *insn)
{
    loop_if(core, insn, loop_condition(core, insn, true));
}

void
x86_exec_loopne(X86Core *core, const X86Insn *insn)
{
    loop_if(core, insn, loop_condition(core, insn, false));
}

void
x86_exec_jrcxz(X86Core *core, const X86Insn *insn)
{
    if ((core->s.gpr[X86_RCX] & x86_size_mask(insn->address_size)) == 0) {
        jump_relative(core, insn);
    }
}
