/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Host code that belongs to no block: into translated code, out of it, and the two calls from it.
 *
 * Out of translated code the guest's registers are all in the state and the six flags in hot.flags.
 * Calls spill and reload everything: the C side may read and write the whole state. The
 * answer TCG_LEAVE means that the state is to stay where it is and the dispatcher goes on. Thread:
 * made once, run by every CPU's. */

#include "emit.h"
#include "fpstate.h"

static TcgMem
hot(size_t offset)
{
    return tcg_mem(TCG_CTX, TCG_OFFSET(hot) + (int32_t)offset);
}

/* Registers and flags to the state. RAX is free afterwards. */
static void
spill(TcgAsm *a, bool flags_in_memory)
{
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_GPR(X86_RAX)), X86_RAX);
    if (flags_in_memory) {
        tcg_asm_movzx_rm(a, X86_RAX, 2, hot(offsetof(TcgHot, exit_flags)));
    } else {
        tcg_asm_lahf(a);
        tcg_asm_setcc_r(a, TCG_O, X86_RAX);
    }
    tcg_asm_mov_mr(a, 2, hot(offsetof(TcgHot, flags)), X86_RAX);
    for (unsigned reg = X86_RCX; reg <= X86_R15; reg++) {
        if (tcg_home[reg] != TCG_NO_REG) {
            tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_GPR(reg)), tcg_home[reg]);
        }
    }
}

static void
reload(TcgAsm *a)
{
    tcg_asm_movzx_rm(a, X86_RAX, 2, hot(offsetof(TcgHot, flags)));
    tcg_asm_alu_ri(a, TCG_ADD, 1, X86_RAX, 0x7f); /* OF when AL is 1 */
    tcg_asm_sahf(a);
    for (unsigned reg = X86_RCX; reg <= X86_R15; reg++) {
        if (tcg_home[reg] != TCG_NO_REG) {
            tcg_asm_mov_rm(a, 8, tcg_home[reg], tcg_mem(TCG_CTX, TCG_GPR(reg)));
        }
    }
    tcg_asm_mov_rm(a, 8, X86_RAX, tcg_mem(TCG_CTX, TCG_GPR(X86_RAX)));
}

/* Guest vectors and x87 registers, where they are resident, to the state. RAX is free. */
static void
spill_fp(TcgAsm *a, const TcgThunks *t)
{
    TcgLabel none = { 0 };

    tcg_asm_movzx_rm(a, X86_RAX, 2, hot(offsetof(TcgHot, vec_resident)));
    tcg_asm_mov_mr(a, 2, hot(offsetof(TcgHot, vec_was_resident)), X86_RAX);
    tcg_asm_test_rr(a, 4, X86_RAX, X86_RAX);
    tcg_asm_jcc(a, TCG_E, &none);
    tcg_asm_call_to(a, t->fp_spill);
    tcg_asm_bind(a, &none);
}

/* What the last spill_fp() found is so again. */
static void
reload_fp(TcgAsm *a, const TcgThunks *t)
{
    TcgLabel none = { 0 };

    tcg_asm_alu_mi(a, TCG_CMP, 2, hot(offsetof(TcgHot, vec_was_resident)), 0);
    tcg_asm_jcc(a, TCG_E, &none);
    tcg_asm_call_to(a, t->fp_reload);
    tcg_asm_bind(a, &none);
}

static const uint8_t saved[] = { X86_RBX, X86_RBP, X86_R12, X86_R13, X86_R14, X86_R15 };

static void
emit_enter(TcgAsm *a, const TcgThunks *t)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(saved); i++) {
        tcg_asm_push_r(a, saved[i]);
    }
    tcg_asm_alu_ri(a, TCG_SUB, 8, X86_RSP, 8);
    tcg_asm_mov_rr(a, 8, TCG_CTX, X86_RDI);
    tcg_asm_mov_rr(a, 8, TCG_T0, X86_RSI);
    /* the frame below all calls, for an address that is an address and was not called */
    tcg_asm_mov_ri(a, TCG_T1, (uintptr_t)t->no_frame);
    tcg_asm_push_r(a, TCG_CTX);
    tcg_asm_push_r(a, TCG_T1);
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_OFFSET(frames)), X86_RSP);
    reload(a);
    tcg_asm_jmp_r(a, TCG_T0);
}

static void
emit_return(TcgAsm *a)
{
    tcg_asm_mov_rm(a, 8, X86_RSP, tcg_mem(TCG_CTX, TCG_OFFSET(frames)));
    tcg_asm_alu_ri(a, TCG_ADD, 8, X86_RSP, 24);
    for (unsigned i = VIT_ARRAY_LEN(saved); i-- > 0;) {
        tcg_asm_pop_r(a, saved[i]);
    }
    tcg_asm_ret(a);
}

/* Called from a block with T0 whatever HELPER takes; rIP is in the state or HELPER finds it out. */
static void
emit_call(TcgAsm *a, const TcgThunks *t, const void *helper, TcgLabel *out)
{
    TcgLabel leave = { 0 };

    spill(a, false);
    spill_fp(a, t);
    tcg_asm_mov_rr(a, 8, X86_RDI, TCG_CTX);
    tcg_asm_mov_rr(a, 8, X86_RSI, TCG_T0);
    tcg_asm_mov_rm(a, 8, X86_RDX, tcg_mem(X86_RSP, 0));
    tcg_asm_alu_ri(a, TCG_SUB, 8, X86_RSP, 8);
    tcg_asm_call_far(a, helper, X86_RAX);
    tcg_asm_alu_ri(a, TCG_ADD, 8, X86_RSP, 8);
    tcg_asm_alu_ri(a, TCG_CMP, 4, X86_RAX, TCG_LEAVE);
    tcg_asm_jcc(a, TCG_E, &leave);
    tcg_asm_movsx_rr(a, 8, X86_RAX, 4, X86_RAX);
    tcg_asm_alu_mr(a, TCG_ADD, 8, tcg_mem(X86_RSP, 0), X86_RAX);
    reload_fp(a, t);
    reload(a);
    tcg_asm_mov_rm(a, 8, TCG_T0, tcg_mem(TCG_CTX, TCG_OFFSET(across_at))); /* of a read */
    tcg_asm_mov_ri(a, TCG_T1, 0);
    tcg_asm_ret(a);
    tcg_asm_bind(a, &leave);
    tcg_asm_alu_ri(a, TCG_ADD, 8, X86_RSP, 8);
    tcg_asm_jmp(a, out);
}

/* The link whose address follows the call that led here; T1 = where it goes. */
static void
take_link(TcgAsm *a)
{
    tcg_asm_pop_r(a, TCG_T0);
    tcg_asm_mov_rm(a, 8, TCG_T0, tcg_mem(TCG_T0, 0));
    tcg_asm_mov_mr(a, 8, hot(offsetof(TcgHot, link)), TCG_T0);
    tcg_asm_mov_rm(a, 8, TCG_T1, tcg_mem(TCG_T0, (int32_t)offsetof(TcgLink, pc)));
}

bool
tcg_thunks_make(TcgMachine *machine)
{
    TcgThunks *t = &machine->thunks;
    TcgLabel leave = { 0 }, out = { 0 }, in_memory = { 0 };
    TcgAsm asm_, *a = &asm_;

    tcg_asm_init(a, machine->code, 32768, tcg_exec_delta(machine));
    tcg_fp_make_thunks(machine, a);
    tcg_asm_align(a, 16);
    t->leave_link = tcg_asm_here(a);
    take_link(a);
    t->leave_at = tcg_asm_here(a);
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_RIP), TCG_T1);
    t->leave = tcg_asm_here(a);
    tcg_asm_bind(a, &leave);
    spill(a, false);
    spill_fp(a, t);
    tcg_asm_bind(a, &out);
    emit_return(a);

    tcg_asm_align(a, 16);
    t->jump_miss = tcg_asm_here(a);
    tcg_asm_mov_mr(a, 8, hot(offsetof(TcgHot, spare[1])), TCG_T1);
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_RIP), TCG_T0);
    tcg_asm_jmp(a, &in_memory);
    t->leave_link_in_memory = tcg_asm_here(a);
    take_link(a);
    t->leave_at_in_memory = tcg_asm_here(a);
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_RIP), TCG_T1);
    tcg_asm_bind(a, &in_memory);
    spill(a, true);
    spill_fp(a, t);
    tcg_asm_jmp(a, &out);

    tcg_asm_align(a, 16);
    t->no_frame = t->jump_miss;
    *(const uint8_t **)&t->enter = tcg_asm_here(a);
    emit_enter(a, t);

    tcg_asm_align(a, 16);
    t->interpret_leave = tcg_asm_here(a);
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_RIP), TCG_T1);
    tcg_asm_mov_mi(a, 1, hot(offsetof(TcgHot, after_exit)), TCG_EXIT_INTERPRET);
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_OFFSET(insn)), TCG_T0);
    tcg_asm_jmp(a, &leave);

    tcg_asm_align(a, 16);
    t->interpret_leave_in_memory = tcg_asm_here(a);
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_RIP), TCG_T1);
    tcg_asm_mov_mi(a, 1, hot(offsetof(TcgHot, after_exit)), TCG_EXIT_INTERPRET);
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_OFFSET(insn)), TCG_T0);
    tcg_asm_jmp(a, &in_memory);

    tcg_asm_align(a, 16);
    t->interpret = tcg_asm_here(a);
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_RIP), TCG_T1);
    emit_call(a, t, (const void *)(uintptr_t)tcg_helper_interpret, &out);
    tcg_asm_align(a, 16);
    t->rep_slow = tcg_asm_here(a);
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_RIP), TCG_T1);
    emit_call(a, t, (const void *)(uintptr_t)tcg_helper_rep, &out);
    tcg_rep_make_thunks(t, a);
    tcg_near_make_thunks(t, a);
    tcg_asm_align(a, 16);
    t->slow = tcg_asm_here(a);
    emit_call(a, t, (const void *)(uintptr_t)tcg_helper_slow, &out);

    machine->code_fixed = machine->code_used = (tcg_asm_offset(a) + 63) & ~(size_t)63;
    machine->cold_start = machine->cold_used = machine->code_len / 8 * 5;
    return !tcg_asm_failed(a);
}
