/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Integer instructions on guest R10, R11, R14 and R15, which have no host register: the host's form
 * for an operand in memory, on the state, where it does the same. It does not for what clears the
 * upper half of a register, and for XCHG, which would lock. What is not taken here is emitted with
 * scratch registers (emit-alu.c). T0 is left alone. Intel SDM volume 2. Thread: the translating
 * CPU's. */

#include "emit.h"

static TcgMem
place_of(unsigned reg)
{
    return tcg_mem(TCG_CTX, TCG_GPR(reg));
}

static bool
is_in_state(unsigned reg)
{
    return tcg_home[reg & 15] == TCG_NO_REG;
}

/* The operation of ADD..CMP between registers, -1: it is something else. */
static int
alu_of(const X86Insn *insn)
{
    bool is_alu = insn->row->map == X86_MAP_1B && insn->encoding == X86_ENC_LEGACY &&
                  insn->opcode < 0x40 && (insn->opcode & 7) < 4;

    return is_alu ? insn->opcode >> 3 : -1;
}

static bool
is_mov(const X86Insn *insn)
{
    return insn->row->exec == x86_exec_mov_eg || insn->row->exec == x86_exec_mov_ge;
}

/* XOR and SUB of a register with itself. */
static bool
clears(const X86Insn *insn)
{
    int op = alu_of(insn);

    return (op == TCG_XOR || op == TCG_SUB) && insn->reg == insn->rm && insn->operand_size >= 4;
}

/* MOV and ADD..CMP of 4 or 8 bytes between two registers, whichever of them is in the state. */
static bool
emit_two(TcgEmit *e, unsigned dst, unsigned src)
{
    unsigned size = e->insn->operand_size;
    int op = alu_of(e->insn);
    bool writes_half = size == 4 && op != TCG_CMP;
    TcgAsm *a = &e->a;

    if (clears(e->insn)) {
        tcg_asm_alu_rr(a, (TcgAlu)op, 4, TCG_T1, TCG_T1);
        tcg_asm_mov_mr(a, 8, place_of(dst), TCG_T1);
        return true;
    }
    if (!is_in_state(dst)) {
        if (op < 0) {
            tcg_asm_mov_rm(a, size, tcg_home[dst], place_of(src));
        } else {
            tcg_asm_alu_rm(a, (TcgAlu)op, size, tcg_home[dst], place_of(src));
        }
        return true;
    }
    if (writes_half) {
        return false;
    }
    src = tcg_emit_use(e, src, TCG_T1);
    if (op < 0) {
        tcg_asm_mov_mr(a, 8, place_of(dst), src);
    } else {
        tcg_asm_alu_mr(a, (TcgAlu)op, size, place_of(dst), src);
    }
    return true;
}

/* The register in ModRM.rm is the only one in the state. */
static bool
emit_rm(TcgEmit *e, const TcgRegUse *use)
{
    X86Insn insn = *e->insn;
    void (*exec)(X86Core *, const X86Insn *) = insn.row->exec;
    TcgMem mem = place_of(insn.rm);
    unsigned access;

    if ((use->read | use->written) & TCG_IN_STATE & ~(1u << insn.rm)) {
        return false;
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(insn.row->operand); i++) {
        if (insn.row->operand[i].kind == X86_OP_MODRM_REG && insn.reg == insn.rm) {
            return false;
        }
    }
    insn.is_memory = true;
    access = tcg_memory_access(&insn);
    if (access == 0 || exec == x86_exec_xchg_eg || exec == x86_exec_xadd ||
        exec == x86_exec_cmpxchg || ((access & X86_ACC_W) && tcg_memory_size(&insn) == 4)) {
        return false;
    }
    return tcg_reencode(&e->a, &insn, tcg_home, &mem, TCG_T1) == TCG_REENCODE_OK;
}

bool
tcg_emit_on_state(TcgEmit *e)
{
    const X86Insn *insn = e->insn;
    TcgRegUse use;

    if (insn->is_memory || !insn->has_modrm || insn->row->class_ != X86_CLASS_INT ||
        insn->encoding == X86_ENC_EVEX) {
        return false;
    }
    tcg_reg_use(insn, &use);
    if (!((use.read | use.written) & TCG_IN_STATE)) {
        return false;
    }
    if ((alu_of(insn) >= 0 || is_mov(insn)) && insn->operand_size >= 4) {
        bool to_reg = insn->opcode & 2;
        return emit_two(e, to_reg ? insn->reg : insn->rm, to_reg ? insn->rm : insn->reg);
    }
    return is_in_state(insn->rm) && emit_rm(e, &use);
}
