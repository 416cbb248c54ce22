/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Flags that nobody reads before they are written again are not kept: a check of an address may
 * destroy them. A fault shows them all the same, in the image of RFLAGS that it pushes. They are
 * then worked out again from what the instruction that wrote them left in the registers. */

#include "reencode.h"

/* Those that INSN reads. Rows name flags that a count of zero would leave alone; a count that is in
 * the instruction is known. */
uint16_t tcg_flags_read(const X86Insn *insn);
/* SHL, SHR, SAR by CL: by nothing they leave the flags alone. */
bool tcg_flags_by_cl(const X86Insn *insn);

/* Where the operands of an instruction are kept before it is executed: those of INC and DEC, which
 * leave one flag alone, beside those of others. */
enum { TCG_KEPT_FIRST, TCG_KEPT_SECOND, TCG_KEPT_STEP };
typedef struct TcgKeep {
    unsigned slot;          /* of the first */
    unsigned first, second; /* registers, ModRM.rm also where that is memory; X86_NO_REG: none */
    bool rm_first;          /* the first is ModRM.rm or the accumulator */
    bool writes;            /* the first operand */
} TcgKeep;
/* What is kept of INSN. False: it is a shift. */
bool tcg_flags_keep(const X86Insn *insn, TcgKeep *out_keep);

/* The arithmetic flags before INSNS[INDEX], of a block that begins at INSNS[0] (USES: what those
 * before it do with registers): the bits that can be told, with ENTRY where nothing in the block
 * has written them. CORE has the registers before that instruction; NULL: which bits, the values
 * are not asked for. LOST: registers that the instruction itself may have changed when it faults.
 * KEPT: instructions whose operands are kept, one bit each; with MAY_KEEP those are added that have
 * to be. Any thread. */
uint16_t tcg_flags_tell(const X86Core *core, const X86Insn *insns, const TcgRegUse *uses,
                        unsigned index, uint16_t lost, uint64_t entry, uint64_t *out_flags,
                        uint64_t *kept, bool may_keep);
