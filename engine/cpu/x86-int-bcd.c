/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Decimal adjustment: DAA DAS AAA AAS AAM AAD, and SALC. Intel SDM volume 2, AMD APM volume 3.
 * Not in 64-bit code, so no host instruction helps. Undefined: OF is cleared, AAA and AAS leave SF
 * ZF PF of the result, AAM and AAD clear AF and CF, as AMD CPUs do. Thread: the CPU's own. */

#include "x86-int.h"

static uint32_t
szp_flags(uint8_t value)
{
    return (value ? 0 : X86_FLAG_ZF) | (value & 0x80 ? X86_FLAG_SF : 0) |
           (__builtin_parity(value) ? 0 : X86_FLAG_PF);
}

static void
set_al(X86Core *core, uint8_t al)
{
    core->s.gpr[X86_RAX] = (core->s.gpr[X86_RAX] & ~0xffull) | al;
}

static void
set_ax(X86Core *core, uint16_t ax)
{
    core->s.gpr[X86_RAX] = (core->s.gpr[X86_RAX] & ~0xffffull) | ax;
}

static void
set_arith(X86Core *core, uint32_t flags)
{
    core->s.rflags = (core->s.rflags & ~(uint64_t)X86_FLAGS_ARITH) | flags;
}

/* DAA adds 6 and 60h where a digit left 0..9, DAS subtracts them. */
static void
decimal_adjust(X86Core *core, int sign)
{
    uint8_t old = core->s.gpr[X86_RAX], al = old;
    bool carry = core->s.rflags & X86_FLAG_CF;
    uint32_t flags = 0;

    if ((old & 15) > 9 || (core->s.rflags & X86_FLAG_AF)) {
        if (sign < 0 && old < 6) {
            flags |= X86_FLAG_CF;
        } else if (sign > 0 && old > 0xff - 6) {
            flags |= X86_FLAG_CF;
        }
        al += sign * 6;
        flags |= X86_FLAG_AF | (carry ? X86_FLAG_CF : 0);
    }
    if (old > 0x99 || carry) {
        al += sign * 0x60;
        flags |= X86_FLAG_CF;
    }
    set_al(core, al);
    set_arith(core, flags | szp_flags(al));
}

void
x86_exec_daa(X86Core *core, const X86Insn *insn)
{
    decimal_adjust(core, 1);
}

void
x86_exec_das(X86Core *core, const X86Insn *insn)
{
    decimal_adjust(core, -1);
}

static void
ascii_adjust(X86Core *core, int sign)
{
    uint16_t ax = core->s.gpr[X86_RAX];
    uint32_t flags = 0;

    if ((ax & 15) > 9 || (core->s.rflags & X86_FLAG_AF)) {
        ax += sign * 0x106;
        flags = X86_FLAG_AF | X86_FLAG_CF;
    }
    set_ax(core, ax & 0xff0f);
    set_arith(core, flags | szp_flags(ax & 15));
}

void
x86_exec_aaa(X86Core *core, const X86Insn *insn)
{
    ascii_adjust(core, 1);
}

void
x86_exec_aas(X86Core *core, const X86Insn *insn)
{
    ascii_adjust(core, -1);
}

void
x86_exec_aam(X86Core *core, const X86Insn *insn)
{
    uint8_t al = core->s.gpr[X86_RAX], base = insn->imm;

    if (base == 0) {
        x86_fault(core, X86_EXC_DE);
    }
    set_ax(core, al / base << 8 | al % base);
    set_arith(core, szp_flags(al % base));
}

void
x86_exec_aad(X86Core *core, const X86Insn *insn)
{
    uint16_t ax = core->s.gpr[X86_RAX];
    uint8_t al = ax + (ax >> 8) * (uint8_t)insn->imm;

    set_ax(core, al);
    set_arith(core, szp_flags(al));
}

void
x86_exec_salc(X86Core *core, const X86Insn *insn)
{
    set_al(core, core->s.rflags & X86_FLAG_CF ? 0xff : 0);
}
