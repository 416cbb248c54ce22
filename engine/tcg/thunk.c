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

/* RAX and flags to the state. Both are free afterwards. */
static void
spill_flags(TcgAsm *a)
{
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_GPR(X86_RAX)), X86_RAX);
    tcg_asm_lahf(a);
    tcg_asm_setcc_r(a, TCG_O, X86_RAX);
    tcg_asm_mov_mr(a, 2, hot(offsetof(TcgHot, flags)), X86_RAX);
}

/* The flags are those in hot.exit_flags. */
static void
spill_saved_flags(TcgAsm *a)
{
    tcg_asm_movzx_rm(a, X86_RAX, 2, hot(offsetof(TcgHot, exit_flags)));
    tcg_asm_mov_mr(a, 2, hot(offsetof(TcgHot, flags)), X86_RAX);
}

/* The other registers. */
static void
spill_registers(TcgAsm *a)
{
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

    spill_flags(a);
    spill_registers(a);
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

/* Out of the block whose address follows the call that led here, by the link whose number was
 * pushed before that: notes the link and where it goes. */
static const uint8_t *
emit_leave_block(TcgAsm *a, TcgLabel *saved, TcgLabel *out)
{
    TcgLabel entry = { 0 };
    const uint8_t *start;

    G_STATIC_ASSERT(sizeof(TcgLink) == 3 << 4);
    tcg_asm_align(a, 16);
    start = tcg_asm_here(a);
    tcg_asm_pop_r(a, TCG_T0);
    tcg_asm_pop_r(a, TCG_T1);
    tcg_asm_mov_rm(a, 8, TCG_T0, tcg_mem(TCG_T0, 0));
    spill_flags(a);
    tcg_asm_test_rr(a, 4, TCG_T1, TCG_T1);
    tcg_asm_jcc_short(a, TCG_S, &entry);
    tcg_asm_lea(a, 8, TCG_T1, tcg_mem_index(TCG_T1, TCG_T1, 1, 0));
    tcg_asm_shift_ri(a, TCG_SHL, 8, TCG_T1, 4);
    tcg_asm_alu_rm(a, TCG_ADD, 8, TCG_T1, tcg_mem(TCG_T0, (int32_t)offsetof(TcgBlock, links)));
    tcg_asm_mov_mr(a, 8, hot(offsetof(TcgHot, link)), TCG_T1);
    tcg_asm_mov_rm(a, 8, X86_RAX, tcg_mem(TCG_T1, (int32_t)offsetof(TcgLink, pc)));
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_RIP), X86_RAX);
    tcg_asm_alu_mi(a, TCG_CMP, 1, tcg_mem(TCG_T1, (int32_t)offsetof(TcgLink, in_memory)), 0);
    tcg_asm_jcc(a, TCG_NE, saved);
    tcg_asm_jmp(a, out);
    tcg_asm_bind(a, &entry);
    tcg_asm_mov_rm(a, 8, X86_RAX, tcg_mem(TCG_T0, (int32_t)offsetof(TcgBlock, pc)));
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_RIP), X86_RAX);
    tcg_asm_alu_ri(a, TCG_CMP, 4, TCG_T1, TCG_LEFT_IN_MEMORY);
    tcg_asm_jcc(a, TCG_E, saved);
    tcg_asm_jmp(a, out);
    return start;
}

bool
tcg_thunks_make(TcgMachine *machine)
{
    TcgThunks *t = &machine->thunks;
    TcgLabel leave = { 0 }, out = { 0 }, in_memory = { 0 }, saved = { 0 }, registers = { 0 };
    TcgAsm asm_, *a = &asm_;

    tcg_asm_init(a, machine->code, 32768, tcg_exec_delta(machine));
    tcg_fp_make_thunks(machine, a);
    t->leave_block = emit_leave_block(a, &saved, &registers);
    t->leave_at = tcg_asm_here(a);
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_RIP), TCG_T1);
    t->leave = tcg_asm_here(a);
    tcg_asm_bind(a, &leave);
    spill_flags(a);
    tcg_asm_bind(a, &registers);
    spill_registers(a);
    spill_fp(a, t);
    tcg_asm_bind(a, &out);
    emit_return(a);

    tcg_asm_align(a, 16);
    t->jump_miss = tcg_asm_here(a);
    tcg_asm_mov_mr(a, 8, hot(offsetof(TcgHot, spare[1])), TCG_T1);
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_RIP), TCG_T0);
    tcg_asm_bind(a, &in_memory);
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_GPR(X86_RAX)), X86_RAX);
    tcg_asm_bind(a, &saved);
    spill_saved_flags(a);
    tcg_asm_jmp(a, &registers);

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
    tcg_mem_make_thunks(t, a);

    machine->code_fixed = machine->code_used = (tcg_asm_offset(a) + 63) & ~(size_t)63;
    machine->cold_start = machine->cold_used = machine->code_len / 8 * 5;
    return !tcg_asm_failed(a);
}
