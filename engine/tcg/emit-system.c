/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* System instructions that kernels execute at every turn and that need no helper: SWAPGS, CLI,
 * STAC, CLAC, all at privilege 0 where none of them faults. They touch no arithmetic flag, so
 * neither does their code. STAC and CLAC change whose rights accesses have and with it the block's
 * mode: they end it with a jump to the same code in the other mode. Intel SDM volume 2. Thread: the
 * translating CPU's. */

#include "emit.h"

enum { PDEP = X86_MAP_0F38 << 8 | 0xf5 };

static TcgMem
state(size_t offset)
{
    return tcg_mem(TCG_CTX, (int32_t)offset);
}

bool
tcg_is_inline_system(const TcgEmit *e, const X86Insn *insn)
{
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;

    if (!e->code64 || !(e->mode & TCG_MODE_CPL0) || e->machine->options.exact) {
        return false;
    }
    return exec == x86_exec_swapgs || exec == x86_exec_cli || exec == x86_exec_stac ||
           exec == x86_exec_clac;
}

static void
emit_swapgs(TcgEmit *e)
{
    TcgMem base =
        state(offsetof(X86State, seg) + X86_GS * sizeof(X86Segment) + offsetof(X86Segment, base));
    TcgMem kernel = state(offsetof(X86State, kernel_gs_base));
    TcgAsm *a = &e->a;

    tcg_asm_mov_rm(a, 8, TCG_T0, base);
    tcg_asm_mov_rm(a, 8, TCG_T1, kernel);
    tcg_asm_mov_mr(a, 8, kernel, TCG_T0);
    tcg_asm_mov_mr(a, 8, base, TCG_T1);
}

/* Bits of RFLAGS outside the arithmetic ones, which are up to date in the state. */
static void
clear_flag(TcgEmit *e, uint32_t flag)
{
    TcgMem flags = state(offsetof(X86State, rflags));
    TcgAsm *a = &e->a;

    /* what is left when every other bit is gathered and spread again */
    tcg_asm_mov_rm(a, 4, TCG_T0, flags);
    tcg_asm_mov_ri(a, TCG_T1, (uint32_t)~flag);
    tcg_asm_pext_rrr(a, 4, TCG_T0, TCG_T0, TCG_T1);
    tcg_asm_vex_rr(a, &(TcgOp){ .opcode = PDEP, .prefix = 0xf2 }, false, TCG_T0, TCG_T0, TCG_T1);
    tcg_asm_mov_mr(a, 4, flags, TCG_T0);
}

static void
emit_stac(TcgEmit *e)
{
    TcgMem flags = state(offsetof(X86State, rflags));
    TcgAsm *a = &e->a;

    clear_flag(e, X86_FLAG_AC);
    tcg_asm_lea(a, 4, TCG_T0, tcg_mem(TCG_T0, X86_FLAG_AC));
    tcg_asm_mov_mr(a, 4, flags, TCG_T0);
}

bool
tcg_emit_system(TcgEmit *e)
{
    void (*exec)(X86Core *, const X86Insn *) = e->insn->row->exec;
    unsigned other = e->mode & ~(unsigned)TCG_MODE_VIEW;

    if (!tcg_is_inline_system(e, e->insn)) {
        return false;
    }
    if (exec == x86_exec_swapgs) {
        emit_swapgs(e);
    } else if (exec == x86_exec_cli) {
        clear_flag(e, X86_FLAG_IF);
    } else if (exec == x86_exec_stac) {
        emit_stac(e);
        tcg_emit_goto_mode(e, e->next_pc, other | X86_VIEW_SUPERVISOR);
        e->ended = true;
    } else {
        clear_flag(e, X86_FLAG_AC);
        tcg_emit_goto_mode(e, e->next_pc,
                           other | (e->mode & TCG_MODE_SMAP ? X86_VIEW_SMAP : X86_VIEW_SUPERVISOR));
        e->ended = true;
    }
    return true;
}
