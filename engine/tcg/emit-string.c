/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* REP MOVS and REP STOS going up in 64-bit code: the host's own, page by page.
 *
 * A block calls a thunk, one per operation, element size and view. It looks both pages up, runs the
 * host's instruction on what lies in them, and goes on with the next until the count is used up;
 * after each piece the guest's registers say what is left. Anything else (going down, a page that
 * is not in the table, an element in two pages, a request to leave) goes on in the interpreter from
 * there. Flags and vector registers stay as they are. Intel SDM volume 2, REP, MOVS, STOS.
 * Thread: made once; run by every CPU's. */

#include "emit.h"

static TcgMem
ctx(int32_t offset)
{
    return tcg_mem(TCG_CTX, offset);
}

/* The three names of a thunk's own words. */
static TcgMem
rep_slot(unsigned n)
{
    return ctx(TCG_OFFSET(rep) + (int32_t)(n * sizeof(uintptr_t)));
}

enum { HOST_TO, HOST_FROM, NEXT_FROM };

static void
restore(TcgAsm *a)
{
    tcg_asm_movzx_rm(a, X86_RAX, 2, ctx(TCG_OFFSET(hot.spare[1])));
    tcg_asm_alu_ri(a, TCG_ADD, 1, X86_RAX, 0x7f);
    tcg_asm_sahf(a);
    tcg_asm_mov_rm(a, 8, X86_RAX, ctx(TCG_OFFSET(hot.spare[0])));
}

/* The host address of guest REG to SLOT; LEFT = bytes up to the end of its page. */
static void
look_up(TcgAsm *a, unsigned view, unsigned size, unsigned reg, bool write, unsigned slot,
        unsigned left, TcgLabel *fail)
{
    tcg_asm_mov_rr(a, 8, TCG_T0, reg);
    tcg_asm_check(a, view, size, write, fail);
    tcg_asm_lea(a, 8, TCG_T1, tcg_mem_index(TCG_T1, TCG_T0, 0, 0));
    tcg_asm_mov_mr(a, 8, rep_slot(slot), TCG_T1);
    tcg_asm_mov_ri(a, left, VIT_PAGE_SIZE);
    tcg_asm_alu_rr(a, TCG_SUB, 4, left, TCG_T0);
}

/* What lies in the pages; RAX is free, RCX is not 0. */
static void
emit_piece(TcgAsm *a, unsigned view, bool stos, unsigned shift, TcgLabel *fail)
{
    unsigned size = 1u << shift;

    look_up(a, view, size, X86_RDI, true, HOST_TO, X86_RAX, fail);
    if (!stos) {
        look_up(a, view, size, X86_RSI, false, HOST_FROM, TCG_T1, fail);
        tcg_asm_alu_rr(a, TCG_CMP, 4, TCG_T1, X86_RAX);
        tcg_asm_cmov_rr(a, TCG_B, 4, X86_RAX, TCG_T1);
    }
    if (shift) {
        tcg_asm_shift_ri(a, TCG_SHR, 4, X86_RAX, shift);
    }
    tcg_asm_alu_rr(a, TCG_CMP, 8, X86_RAX, X86_RCX);
    tcg_asm_cmov_rr(a, TCG_A, 8, X86_RAX, X86_RCX);
    tcg_asm_mov_rr(a, 8, TCG_T0, X86_RCX);
    tcg_asm_alu_rr(a, TCG_SUB, 8, TCG_T0, X86_RAX);
    tcg_asm_mov_rr(a, 8, X86_RCX, X86_RAX);
    tcg_asm_lea(a, 8, TCG_T1, tcg_mem_index(X86_RDI, X86_RAX, shift, 0));
    tcg_asm_mov_rm(a, 8, X86_RDI, rep_slot(HOST_TO));
    if (stos) {
        tcg_asm_mov_rm(a, 8, X86_RAX, ctx(TCG_OFFSET(hot.spare[0])));
        tcg_asm_rep_stos(a, size);
    } else {
        tcg_asm_lea(a, 8, X86_RAX, tcg_mem_index(X86_RSI, X86_RAX, shift, 0));
        tcg_asm_mov_mr(a, 8, rep_slot(NEXT_FROM), X86_RAX);
        tcg_asm_mov_rm(a, 8, X86_RSI, rep_slot(HOST_FROM));
        tcg_asm_rep_movs(a, size);
        tcg_asm_mov_rm(a, 8, X86_RSI, rep_slot(NEXT_FROM));
    }
    tcg_asm_mov_rr(a, 8, X86_RDI, TCG_T1);
    tcg_asm_mov_rr(a, 8, X86_RCX, TCG_T0);
}

/* Called with T1 = guest rIP, T0 = the X86Insn there, as the thunk of the interpreter is. */
static const uint8_t *
emit_thunk(TcgAsm *a, const TcgThunks *t, unsigned view, bool stos, unsigned shift)
{
    TcgLabel more = { 0 }, done = { 0 }, fail = { 0 };
    const uint8_t *start;

    tcg_asm_align(a, 16);
    start = tcg_asm_here(a);
    tcg_asm_mov_mr(a, 8, ctx(TCG_OFFSET(insn)), TCG_T0);
    tcg_asm_mov_mr(a, 8, ctx(TCG_RIP), TCG_T1);
    tcg_asm_mov_mr(a, 8, ctx(TCG_OFFSET(hot.spare[0])), X86_RAX);
    tcg_asm_lahf(a);
    tcg_asm_setcc_r(a, TCG_O, X86_RAX);
    tcg_asm_mov_mr(a, 2, ctx(TCG_OFFSET(hot.spare[1])), X86_RAX);
    tcg_asm_test_rr(a, 8, X86_RCX, X86_RCX);
    tcg_asm_jcc(a, TCG_E, &done);
    tcg_asm_test_mi(a, 4, ctx((int32_t)offsetof(X86State, rflags)), X86_FLAG_DF);
    tcg_asm_jcc(a, TCG_NE, &fail);
    tcg_asm_bind(a, &more);
    emit_piece(a, view, stos, shift, &fail);
    tcg_asm_test_rr(a, 8, X86_RCX, X86_RCX);
    tcg_asm_jcc(a, TCG_E, &done);
    tcg_asm_alu_rm(a, TCG_CMP, 8, X86_RSP, ctx(TCG_OFFSET(hot.floor)));
    tcg_asm_jcc(a, TCG_AE, &more);
    tcg_asm_bind(a, &fail);
    restore(a);
    tcg_asm_mov_rm(a, 8, TCG_T0, ctx(TCG_OFFSET(insn)));
    tcg_asm_mov_rm(a, 8, TCG_T1, ctx(TCG_RIP));
    tcg_asm_jmp_to(a, t->rep_slow);
    tcg_asm_bind(a, &done);
    restore(a);
    tcg_asm_ret(a);
    return start;
}

void
tcg_rep_make_thunks(TcgThunks *t, TcgAsm *a)
{
    for (unsigned view = 0; view < X86_VIEW_LAST; view++) {
        for (unsigned shift = 0; shift < 4; shift++) {
            t->rep[view][0][shift] = emit_thunk(a, t, view, false, shift);
            t->rep[view][1][shift] = emit_thunk(a, t, view, true, shift);
        }
    }
}

bool
tcg_emit_string(TcgEmit *e)
{
    const X86Insn *insn = e->insn;
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;
    bool stos = exec == x86_exec_stos;

    if (!e->code64 || !(insn->rep || insn->repne) || insn->address_size != 8 ||
        e->machine->options.count ||
        (!stos && (exec != x86_exec_movs || insn->segment == X86_FS || insn->segment == X86_GS))) {
        return false;
    }
    if (e->flags_saved) {
        tcg_emit_restore_flags(e); /* the interpreter wants them */
    }
    tcg_asm_mov_linear(&e->a, TCG_T1, e->pc);
    tcg_asm_mov_ri(&e->a, TCG_T0, (uintptr_t)tcg_insn_keep(e->machine, insn));
    tcg_asm_call_to(&e->a,
                    e->machine->thunks.rep[e->view][stos][__builtin_ctz(insn->operand_size)]);
    return true;
}
