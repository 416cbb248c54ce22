/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the system instructions' handlers have in common. */

#include "x86-exec.h"
#include "x86-system.h"

static inline void
x86_sys_check_cpl0(X86Core *core)
{
    if (core->s.cpl != 0) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
}

/* SGDT and its kin tell kernel addresses: not outside the kernel with CR4.UMIP. */
static inline void
x86_sys_check_umip(X86Core *core)
{
    if ((core->s.cr4 & X86_CR4_UMIP) && core->s.cpl != 0) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
}

static inline uint64_t
x86_sys_wrap(const X86Insn *insn, uint64_t offset)
{
    return insn->address_size == 2   ? (uint16_t)offset
           : insn->address_size == 4 ? (uint32_t)offset
                                     : offset;
}

/* Ew operand. */
static inline uint16_t
x86_sys_read_e16(X86Core *core, const X86Insn *insn)
{
    if (insn->is_memory) {
        return x86_read(core, insn->segment, x86_ea(core, insn), 2);
    }
    return x86_reg_read(core, insn, insn->rm, 2);
}

/* SLDT, STR, SMSW: 2 bytes to memory, the operand size to a register. */
static inline void
x86_sys_write_selector(X86Core *core, const X86Insn *insn, uint64_t value)
{
    if (insn->is_memory) {
        x86_write(core, insn->segment, x86_ea(core, insn), value, 2);
    } else {
        x86_reg_write(core, insn, insn->rm, value, insn->operand_size);
    }
}
