/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* SSE, AVX, AVX-512, MMX and x87: the same instruction again on the host's registers of the same
 * name, which hold the guest's while they are resident (fpstate.h).
 *
 * Whether such instructions run without #UD or #NM is part of the mode a block is made for, so
 * nothing is asked at run time. Faults are the host's own: unmasked SIMD and x87 exceptions and
 * misaligned operands leave the instruction undone and recover.c has the interpreter do it again,
 * which raises what the guest shall see. Masked moves and gathers, whose elements fault one by one,
 * and the instructions that move whole states (FNINIT among them) go to the interpreter at once.
 * Intel SDM volume 1 chapters 8 to 15, volume 2 section 2.6 (exception classes).
 * Thread: the translating CPU's.
 */

#include "emit.h"
#include "fpstate.h"

typedef struct Needs {
    bool vec, x87, masks;
} Needs;

static Needs
needs_of(const X86OpRow *row)
{
    Needs needs = { .vec = row->class_ == X86_CLASS_VEC || (row->flags & X86_ROW_FP_EXC) };

    if (row->class_ == X86_CLASS_X87) {
        needs.x87 = true;
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
        unsigned kind = row->operand[i].kind;

        if (kind >= X86_OP_VEC_REG && kind <= X86_OP_VEC_FIXED0) {
            needs.vec = true;
        }
        if (kind >= X86_OP_KREG && kind <= X86_OP_KVVVV) {
            needs.masks = true;
        }
    }
    return needs;
}

/* Whether the mode lets the instruction run. */
static bool
mode_allows(const TcgEmit *e, Needs needs)
{
    static const unsigned need_of[] = { [X86_ENC_LEGACY] = TCG_MODE_SSE,
                                        [X86_ENC_VEX] = TCG_MODE_AVX,
                                        [X86_ENC_EVEX] = TCG_MODE_EVEX };

    return (!needs.masks || (e->mode & TCG_MODE_EVEX)) &&
           (!needs.vec || (e->mode & need_of[e->insn->encoding])) &&
           (!needs.x87 || (e->mode & TCG_MODE_X87));
}

/* Instructions whose operands say everything, faults come before any effect, and the host's own
 * form does what the guest's does. */
static bool
is_plain(const TcgEmit *e)
{
    void (*exec)(X86Core *, const X86Insn *) = e->insn->row->exec;

    if (exec == x86_exec_simd_w0) {
        return e->code64 || !e->insn->rex_w;
    }
    if (exec == x86_exec_vzero) {
        return e->code64; /* elsewhere eight registers */
    }
    if (exec == x86_exec_evex) {
        const X86Insn *insn = e->insn;

        /* Operands whose extent the mask decides; lengths that the guest may not have. */
        return !((insn->row->flags & X86_ROW_PACKED) && insn->is_memory) &&
               (insn->vector_bytes == 64 || (insn->row->flags & (X86_ROW_LIG | X86_ROW_VEX_L0)) ||
                x86_has_feature(&e->cpu->core, X86_FEATURE_AVX512VL));
    }
    return exec == x86_exec_simd || exec == x86_exec_kop || exec == x86_exec_emms ||
           exec == x86_exec_x87 || exec == x86_exec_fwait || exec == x86_exec_fnclex ||
           exec == x86_exec_fldcw || exec == x86_exec_fnstcw || exec == x86_exec_fnstsw_m ||
           exec == x86_exec_fnstsw_ax || exec == x86_exec_fnop_control;
}

/* Calls LOAD unless the byte at OFFSET of the hot words is LEVEL. */
static void
make_resident(TcgEmit *e, size_t offset, unsigned level, const uint8_t *load)
{
    TcgMem byte = tcg_mem(TCG_CTX, TCG_OFFSET(hot) + (int32_t)offset);
    TcgAsm *a = &e->a;
    TcgLabel good = { 0 };

    e->t0_group = TCG_GROUP_NONE;
    e->loop.failed |= e->loop.pinned && e->loop.emitting;
    if (!e->flags_live) {
        tcg_asm_alu_mi(a, TCG_CMP, 1, byte, (int32_t)level);
        tcg_asm_jcc_short(a, TCG_E, &good);
        tcg_asm_call_to(a, load);
        tcg_asm_bind(a, &good);
        return;
    }
    tcg_asm_mov_rr(a, 8, TCG_T1, X86_RCX);
    tcg_asm_movzx_rm(a, X86_RCX, 1, byte);
    tcg_asm_lea(a, 4, X86_RCX, tcg_mem(X86_RCX, -(int32_t)level));
    tcg_asm_jrcxz(a, &good);
    tcg_asm_call_to(a, load);
    tcg_asm_bind(a, &good);
    tcg_asm_mov_rr(a, 8, X86_RCX, TCG_T1);
}

static void
make_vec_resident(TcgEmit *e, unsigned level)
{
    if (!e->vec_checked) {
        make_resident(e, offsetof(TcgHot, vec_resident), level, e->machine->thunks.vec_load[level]);
    }
}

/* The data pointer of x87, which the host would take for its own. */
static void
note_data_pointer(TcgEmit *e)
{
    TcgEa ea = tcg_ea_operand(e);

    tcg_asm_mov_mi(&e->a, 4, tcg_mem(TCG_CTX, TCG_OFFSET(hot.x87_segment)), ea.segment);
    ea.segment = X86_DS; /* the offset is what is wanted */
    tcg_emit_ea(e, &ea);
    tcg_asm_mov_mr(&e->a, 8, tcg_mem(TCG_CTX, TCG_OFFSET(hot.x87_data)), TCG_T0);
}

bool
tcg_emit_vec(TcgEmit *e)
{
    const TcgThunks *t = &e->machine->thunks;
    Needs needs = needs_of(e->insn->row);
    unsigned level = tcg_vec_level(e->mode);

    if (!is_plain(e) || !mode_allows(e, needs) || (needs.vec && !t->vec_load[level])) {
        return false;
    }
    if (needs.x87 && !e->x87_checked) {
        make_resident(e, offsetof(TcgHot, x87_resident), 1, t->x87_load);
    }
    if (needs.vec) {
        make_vec_resident(e, level);
    }
    if (!tcg_emit_pass_through(e)) {
        return false;
    }
    if (e->insn->row->exec == x86_exec_x87 && e->insn->is_memory) {
        note_data_pointer(e);
        e->t0_next = TCG_GROUP_NONE;
    }
    e->x87_checked |= needs.x87;
    e->vec_checked |= needs.vec;
    return true;
}

/* The guest's MXCSR is the host's while vectors are resident. A value with bits that the host does
 * not have faults there, and the interpreter raises it; bits that the guest alone lacks are few and
 * the guest then gets the interpreter. */
bool
tcg_emit_mxcsr(TcgEmit *e)
{
    const X86Insn *insn = e->insn;
    bool load = insn->row->exec == x86_exec_ldmxcsr;
    unsigned level = tcg_vec_level(e->mode);
    const TcgOp op = { .opcode = X86_MAP_0F << 8 | 0xae };
    Needs needs = { .vec = true };
    TcgEa ea;

    if ((!load && insn->row->exec != x86_exec_stmxcsr) || insn->address_size == 2 ||
        !mode_allows(e, needs) || !e->machine->thunks.vec_load[level] ||
        (load && !x86_has_feature(&e->cpu->core, X86_FEATURE_MISALIGNSSE))) {
        return false;
    }
    ea = tcg_ea_operand(e);
    make_vec_resident(e, level);
    tcg_asm_op_rm(&e->a, &op, load ? 2 : 3, tcg_emit_mem(e, &ea, 4, !load));
    e->vec_checked = true;
    return true;
}
