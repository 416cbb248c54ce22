/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Instructions that keep their operands in the context, so that their flags can be told when a
 * fault shows them (flags.c). Registers are stored before the instruction. An operand in memory is
 * loaded, kept and operated on in a scratch register, then stored where it is written: what the
 * host's own form does in one. Thread: the translating CPU's. */

#include "emit.h"
#include "flags.h"

static TcgMem
kept(unsigned slot)
{
    return tcg_mem(TCG_CTX, TCG_OFFSET(kept) + (int32_t)(slot * sizeof(uint64_t)));
}

static void
keep_register(TcgEmit *e, unsigned reg, TcgMem where)
{
    tcg_asm_mov_mr(&e->a, 8, where, tcg_emit_use(e, reg, TCG_T1));
}

void
tcg_emit_keep(TcgEmit *e)
{
    const X86Insn *insn = e->insn;
    TcgKeep keep;

    if (!tcg_flags_keep(insn, &keep)) {
        keep_register(e, insn->rm,
                      tcg_mem(TCG_CTX, TCG_OFFSET(shifted) + (tcg_flags_by_cl(insn) ? 8 : 0)));
        return;
    }
    if (insn->is_memory) {
        return; /* with the rest */
    }
    keep_register(e, keep.first, kept(keep.slot));
    if (keep.second != X86_NO_REG) {
        keep_register(e, keep.second, kept(TCG_KEPT_SECOND));
    }
}

static void
load(TcgEmit *e, TcgMem mem)
{
    unsigned size = e->insn->operand_size;

    if (size >= 4) {
        tcg_asm_mov_rm(&e->a, size, TCG_T1, mem);
    } else {
        tcg_asm_movzx_rm(&e->a, TCG_T1, size, mem);
    }
}

void
tcg_emit_kept_memory(TcgEmit *e)
{
    X86Insn insn = *e->insn;
    TcgEa ea = tcg_ea_operand(e);
    uint8_t map[16];
    TcgAsm *a = &e->a;
    TcgKeep keep;
    bool first, two, writes;
    TcgMem mem;

    tcg_flags_keep(&insn, &keep);
    two = keep.second != X86_NO_REG;
    first = keep.rm_first; /* the one in memory */
    writes = first && keep.writes;
    mem = writes ? tcg_emit_mem_single(e, &ea, insn.operand_size, true)
                 : tcg_emit_mem(e, &ea, insn.operand_size, false);
    load(e, mem);
    tcg_asm_mov_mr(a, 8, kept(first ? keep.slot : TCG_KEPT_SECOND), TCG_T1);
    memcpy(map, tcg_home, sizeof(map));
    if (two) {
        unsigned reg =
            tcg_emit_use(e, insn.reg, TCG_T0); /* where it may be in the state T0 is free */
        map[insn.reg] = (uint8_t)reg;
        tcg_asm_mov_mr(a, 8, kept(first ? TCG_KEPT_SECOND : keep.slot), reg);
    }
    insn.is_memory = false;
    insn.rm = insn.reg == X86_R15 ? X86_R14 : X86_R15;
    insn.rex_present = true; /* it is no AH */
    map[insn.rm] = TCG_T1;
    if (tcg_reencode(a, &insn, map, NULL, TCG_NO_REG) != TCG_REENCODE_OK) {
        a->state = TCG_ASM_RANGE;
        return;
    }
    if (writes) {
        tcg_asm_mov_mr(a, insn.operand_size, mem, TCG_T1);
    }
    e->t0_next = two && map[insn.reg] == TCG_T0 ? TCG_GROUP_NONE : e->used_group;
}
