/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Instructions on flags that carry privilege: PUSHF, POPF, CLI, STI, CLAC, STAC.
 *
 * Intel SDM volume 2 (the instructions' operation and tables), volume 3 21.3 (VME) and 21.4 (PVI).
 * Thread: the CPU's own. */

#include "x86-svm.h"
#include "x86-sys.h"

#define FLAGS_USER (X86_FLAGS_ARITH | X86_FLAG_TF | X86_FLAG_DF | X86_FLAG_NT)

static unsigned
iopl(const X86Core *core)
{
    return (core->s.rflags & X86_FLAG_IOPL) >> 12;
}

/* v8086 mode below IOPL 3: the virtual interrupt flag stands in for IF, with VME and 16 bits. */
static bool
uses_virtual_if(X86Core *core, const X86Insn *insn)
{
    if (!x86_v8086(&core->s) || iopl(core) == 3) {
        return false;
    }
    if (!(core->s.cr4 & X86_CR4_VME) || insn->operand_size != 2) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    return true;
}

void
x86_exec_pushf(X86Core *core, const X86Insn *insn)
{
    uint64_t flags = core->s.rflags & ~(uint64_t)(X86_FLAG_VM | X86_FLAG_RF);

    x86_svm_check(core, SVM_EXIT_PUSHF);
    if (uses_virtual_if(core, insn)) {
        flags = (flags & ~(uint64_t)X86_FLAG_IF) | X86_FLAG_IOPL |
                (flags & X86_FLAG_VIF ? X86_FLAG_IF : 0);
    }
    x86_push(core, flags, insn->operand_size);
}

void
x86_exec_popf(X86Core *core, const X86Insn *insn)
{
    X86State *s = &core->s;
    unsigned size = insn->operand_size;

    x86_svm_check(core, SVM_EXIT_POPF);
    uint64_t writable = FLAGS_USER | (size >= 4 ? X86_FLAG_AC | X86_FLAG_ID : 0);
    bool virtual_if = uses_virtual_if(core, insn);
    uint64_t flags = x86_stack_read(core, 0, size);

    if (virtual_if) {
        if ((flags & X86_FLAG_TF) || ((s->rflags & X86_FLAG_VIP) && (flags & X86_FLAG_IF))) {
            x86_fault_code(core, X86_EXC_GP, 0);
        }
        s->rflags =
            (s->rflags & ~(uint64_t)X86_FLAG_VIF) | (flags & X86_FLAG_IF ? X86_FLAG_VIF : 0);
    } else if (x86_v8086(s)) {
        writable |= X86_FLAG_IF;
    } else {
        writable |= s->cpl <= iopl(core) ? X86_FLAG_IF : 0;
        writable |= s->cpl == 0 ? X86_FLAG_IOPL : 0;
    }
    x86_stack_adjust(core, size);
    x86_write_flags(core, flags, writable);
    s->rflags &= ~(uint64_t)X86_FLAG_RF;
}

/* Whether CLI and STI act on IF itself; else on VIF, or #GP(0). */
static bool
acts_on_if(X86Core *core)
{
    const X86State *s = &core->s;

    if (x86_real_mode(s) || s->cpl <= iopl(core)) {
        return true;
    }
    bool is_virtual = x86_v8086(s) ? s->cr4 & X86_CR4_VME : s->cpl == 3 && (s->cr4 & X86_CR4_PVI);
    if (!is_virtual) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    return false;
}

void
x86_exec_cli(X86Core *core, const X86Insn *insn)
{
    core->s.rflags &= ~(uint64_t)(acts_on_if(core) ? X86_FLAG_IF : X86_FLAG_VIF);
}

void
x86_exec_sti(X86Core *core, const X86Insn *insn)
{
    X86State *s = &core->s;

    if (acts_on_if(core)) {
        if (!(s->rflags & X86_FLAG_IF)) {
            s->rflags |= X86_FLAG_IF;
            s->interrupt_shadow = true;
        }
    } else {
        if (s->rflags & X86_FLAG_VIP) {
            x86_fault_code(core, X86_EXC_GP, 0);
        }
        s->rflags |= X86_FLAG_VIF;
    }
}

void
x86_exec_clac(X86Core *core, const X86Insn *insn)
{
    if (core->s.cpl != 0) {
        x86_fault(core, X86_EXC_UD);
    }
    core->s.rflags &= ~(uint64_t)X86_FLAG_AC;
}

void
x86_exec_stac(X86Core *core, const X86Insn *insn)
{
    if (core->s.cpl != 0) {
        x86_fault(core, X86_EXC_UD);
    }
    core->s.rflags |= X86_FLAG_AC;
}
