/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Blocks that look for themselves whether memory still has the bytes they were made from.
 *
 * A page with code that is written again and again is not watched for a while: it is written at
 * full speed, and its blocks are *checked* ones. Each way into such a block compares its bytes with
 * the page. The flags are the guest's until that has come out equal, as other code may read what
 * this block does not. What can change the page or serialize ends the block, so that the next one
 * compares again; nothing of a checked block depends on bytes outside of it.
 *
 * Where all that changed are displacements and immediates, as in code that is patched, the next
 * block reads these fields from the page when it executes the instruction; the comparison leaves
 * them out. The idea is that of Transmeta's code morphing ("stylized" self-modifying code, CGO
 * 2003). Thread: the translating CPU's, machine's lock held. */

#include "emit.h"

static bool
is_register_move(const X86Insn *insn)
{
    return (insn->row->exec == x86_exec_mov_zi || insn->row->exec == x86_exec_mov_ei) &&
           !insn->is_memory && insn->imm_size >= 4 && insn->operand_size >= 4;
}

/* ADD .. CMP of a general register with an immediate. */
static bool
is_register_alu(const X86Insn *insn)
{
    return insn->map == X86_MAP_1B && insn->encoding == X86_ENC_LEGACY && !insn->is_memory &&
           insn->operand_size >= 4 && insn->row->class_ == X86_CLASS_INT &&
           (insn->opcode == 0x81 || insn->opcode == 0x83 ||
            (insn->opcode < 0x40 && (insn->opcode & 7) == 5));
}

/* Whether an instruction with that field read from memory can be emitted. */
static bool
can_be_soft(const X86Insn *insn, bool displacement)
{
    if (displacement) {
        return insn->row->class_ == X86_CLASS_INT && insn->is_memory && insn->address_size != 2 &&
               (insn->disp_size == 1 || insn->disp_size == 4);
    }
    return is_register_move(insn) || is_register_alu(insn);
}

static bool
add_field(TcgSofts *softs, unsigned at, unsigned len)
{
    for (unsigned i = 0; i < softs->count; i++) {
        if (softs->field[i].at == at) {
            return true;
        }
    }
    if (softs->count == TCG_SOFTS) {
        return false;
    }
    softs->field[softs->count++] = (TcgSoft){ (uint8_t)at, (uint8_t)len };
    return true;
}

bool
tcg_softs_find(const TcgBlock *block, const uint8_t *page, TcgSofts *out_softs)
{
    unsigned size = (block->mode & TCG_MODE_SIZE) == TCG_MODE_CODE64 ? 8 : 4, at = 0;
    const uint8_t *now = page + block->offset;
    TcgSofts softs = block->softs;

    if (block->second || block->len > TCG_CHECKED_BYTES) {
        return false;
    }
    while (at < block->len) {
        X86Insn insn;
        if (x86_decode(block->bytes + at, block->len - at, size, &insn) != X86_DECODE_OK) {
            return false;
        }
        for (unsigned i = 0; i < insn.length; i++) {
            bool disp = i - insn.disp_offset < insn.disp_size;
            bool imm = i - insn.imm_offset < insn.imm_size;
            if (block->bytes[at + i] != now[at + i] &&
                ((!disp && !imm) || !can_be_soft(&insn, disp) ||
                 !add_field(&softs, at + (disp ? insn.disp_offset : insn.imm_offset),
                            disp ? insn.disp_size : insn.imm_size))) {
                return false;
            }
        }
        at += insn.length;
    }
    *out_softs = softs;
    return softs.count > 0;
}

/* The field at OFFSET of the current instruction, in the page; NULL: it is as it was decoded. */
static const uint8_t *
soft_field(const TcgEmit *e, unsigned offset)
{
    unsigned at = (unsigned)(e->pc - e->pcs[0]) + offset;

    for (unsigned i = 0; i < e->softs.count; i++) {
        if (e->softs.field[i].at == at) {
            return e->code_host + at;
        }
    }
    return NULL;
}

const uint8_t *
tcg_soft_disp(const TcgEmit *e)
{
    return e->insn->disp_size ? soft_field(e, e->insn->disp_offset) : NULL;
}

bool
tcg_is_soft(const TcgEmit *e)
{
    return tcg_soft_disp(e) || (e->insn->imm_size && soft_field(e, e->insn->imm_offset));
}

bool
tcg_emit_soft_immediate(TcgEmit *e)
{
    const X86Insn *insn = e->insn;
    const uint8_t *field = insn->imm_size ? soft_field(e, insn->imm_offset) : NULL;
    unsigned reg = insn->has_modrm || is_register_move(insn) ? insn->rm : X86_RAX;
    unsigned size = insn->operand_size, home;
    TcgMem at = tcg_mem(TCG_T0, 0);
    TcgAlu op;
    TcgAsm *a = &e->a;

    if (!field) {
        return false;
    }
    tcg_asm_mov_ri(a, TCG_T0, (uintptr_t)field);
    if (insn->imm_size == size) {
        tcg_asm_mov_rm(a, size, TCG_T0, at);
    } else {
        tcg_asm_movsx_rm(a, size, TCG_T0, insn->imm_size, at);
    }
    if (is_register_move(insn)) {
        tcg_emit_set(e, reg, TCG_T0, size);
        return true;
    }
    op = (TcgAlu)(insn->has_modrm ? insn->modrm >> 3 & 7 : insn->opcode >> 3);
    home = tcg_emit_use(e, reg, TCG_T1);
    tcg_asm_alu_rr(a, op, size, home, TCG_T0);
    if (home == TCG_T1 && op != TCG_CMP) {
        tcg_emit_set(e, reg, TCG_T1, size);
    }
    return true;
}

/* Whether a block that is checked may go on behind INSN: it writes no memory. */
bool
tcg_checked_goes_on(const X86Insn *insn)
{
    unsigned access = tcg_memory_access(insn);

    for (unsigned i = 0; i < VIT_ARRAY_LEN(insn->row->operand); i++) {
        if (insn->row->operand[i].kind == X86_OP_MASK_DST) {
            return false;
        }
    }
    switch (insn->row->class_) {
    case X86_CLASS_INT:
    case X86_CLASS_VEC:
    case X86_CLASS_X87:
        return access == X86_ACC_R || (access == 0 && !insn->is_memory) ||
               insn->row->exec == x86_exec_lea || insn->row->exec == x86_exec_nop;
    case X86_CLASS_STACK: return insn->row->exec == x86_exec_pop_z;
    case X86_CLASS_FLOW: return true;
    default: return false;
    }
}

/* LEN bytes that T0 + AT leads to are BYTES; the flags are free. */
static void
compare(TcgEmit *e, const uint8_t *bytes, unsigned at, unsigned len, TcgLabel *differ)
{
    TcgAsm *a = &e->a;

    for (unsigned end = at + len, step; at < end; at += step) {
        TcgMem mem = tcg_mem(TCG_T0, (int32_t)at);
        uint64_t value = 0;

        step = end - at >= 8 ? 8 : end - at >= 4 ? 4 : end - at >= 2 ? 2 : 1;
        memcpy(&value, bytes + at, step);
        if (step == 8) {
            tcg_asm_mov_ri(a, TCG_T1, value);
            tcg_asm_alu_rm(a, TCG_CMP, 8, TCG_T1, mem);
        } else {
            tcg_asm_alu_mi(a, TCG_CMP, step, mem,
                           step == 4   ? (int32_t)value
                           : step == 2 ? (int16_t)value
                                       : (int8_t)value);
        }
        tcg_asm_jcc(a, TCG_NE, differ);
    }
}

/* What is left of LEN bytes of the block at its offset FROM when the soft fields are taken out. */
static void
compare_hard(TcgEmit *e, unsigned len, TcgLabel *differ)
{
    unsigned at = 0;

    while (at < len) {
        unsigned until = len, next = len;
        for (unsigned i = 0; i < e->softs.count; i++) {
            unsigned soft = e->softs.field[i].at;
            if (soft >= at && soft < until) {
                until = soft;
                next = soft + e->softs.field[i].len;
            }
        }
        compare(e, e->source, at, until - at, differ);
        at = next;
    }
}

void
tcg_emit_self_check(TcgEmit *e, unsigned len)
{
    unsigned first = MIN(len, (unsigned)(VIT_PAGE_SIZE - (e->pcs[0] & 0xfff)));
    TcgAsm *a = &e->a;

    tcg_asm_mov_ri(a, TCG_T0, (uintptr_t)e->code_host);
    compare_hard(e, first, &e->stale);
    if (first < len) {
        tcg_asm_mov_ri(a, TCG_T0, (uintptr_t)e->second->host);
        compare(e, e->source + first, 0, len - first, &e->stale);
    }
}
