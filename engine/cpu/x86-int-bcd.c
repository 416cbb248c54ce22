/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Decimal adjustment: DAA DAS AAA AAS AAM AAD, and SALC. Intel SDM volume 2, AMD APM volume 3.
 * Not in 64-bit code, so no host instruction helps. Undefined: OF of DAA and DAS is that
 * of the addition, so are those of AAD; AAM clears them; AAA and AAS leave OF SF ZF PF as the
 * addition of 106h to AX does. Thread: the CPU's own. */

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

/* DAA adds 6 and 60h where a digit left 0..9, DAS subtracts them. OF is that of the whole step. */
static void
decimal_adjust(X86Core *core, int sign)
{
    uint8_t old = core->s.gpr[X86_RAX], step = 0, al;
    bool carry = core->s.rflags & X86_FLAG_CF;
    uint32_t flags = 0;

    if ((old & 15) > 9 || (core->s.rflags & X86_FLAG_AF)) {
        bool wraps = sign < 0 ? old < 6 : old > 0xff - 6;
        step = 6;
        flags |= X86_FLAG_AF | (carry || wraps ? X86_FLAG_CF : 0);
    }
    if (old > 0x99 || carry) {
        step += 0x60;
        flags |= X86_FLAG_CF;
    }
    al = old + sign * step;
    if ((old ^ al) & (sign < 0 ? old ^ step : ~(old ^ step)) & 0x80) {
        flags |= X86_FLAG_OF;
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
    uint64_t ax = core->s.gpr[X86_RAX], step = 0, in = 0;
    uint32_t flags, carries = 0;

    if ((ax & 15) > 9 || (core->s.rflags & X86_FLAG_AF)) {
        step = 0x106;
        carries = X86_FLAG_AF | X86_FLAG_CF;
    }
    if (sign < 0) {
        X86_HOST_OP2("", "sub", 2, ax, step, in, flags);
    } else {
        X86_HOST_OP2("", "add", 2, ax, step, in, flags);
    }
    set_ax(core, ax & 0xff0f);
    set_arith(core, carries | (x86_flags_of_ax(flags) &
                               (X86_FLAG_OF | X86_FLAG_SF | X86_FLAG_ZF | X86_FLAG_PF)));
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
    uint64_t ah = core->s.gpr[X86_RAX] >> 8 & 0xff, al = core->s.gpr[X86_RAX], in = 0;
    uint32_t flags;

    X86_HOST_OP2("", "add", 1, al, ah * (uint8_t)insn->imm, in, flags);
    set_ax(core, al & 0xff);
    x86_set_flags(core, flags, X86_FLAGS_ARITH);
}

void
x86_exec_salc(X86Core *core, const X86Insn *insn)
{
    set_al(core, core->s.rflags & X86_FLAG_CF ? 0xff : 0);
}
