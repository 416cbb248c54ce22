/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Instructions that transfer control far: handlers in front of x86-transfer.c, x86-iret.c,
 * x86-exception.c, x86-syscall.c and x86-smm.c. Thread: the CPU's own. */

#include "x86-svm.h"
#include "x86-sys.h"

void
x86_exec_call_far(X86Core *core, const X86Insn *insn)
{
    x86_far_call(core, insn->imm2, insn->imm, insn->operand_size);
}

void
x86_exec_jmp_far(X86Core *core, const X86Insn *insn)
{
    x86_far_jump(core, insn->imm2, insn->imm, insn->operand_size);
}

static uint16_t
read_far_pointer(X86Core *core, const X86Insn *insn, uint64_t *out_offset)
{
    uint64_t ea = x86_ea(core, insn);

    *out_offset = x86_read(core, insn->segment, ea, insn->operand_size);
    return x86_read(core, insn->segment, x86_sys_wrap(insn, ea + insn->operand_size), 2);
}

void
x86_exec_call_far_m(X86Core *core, const X86Insn *insn)
{
    uint64_t offset;
    uint16_t selector = read_far_pointer(core, insn, &offset);

    x86_far_call(core, selector, offset, insn->operand_size);
}

void
x86_exec_jmp_far_m(X86Core *core, const X86Insn *insn)
{
    uint64_t offset;
    uint16_t selector = read_far_pointer(core, insn, &offset);

    x86_far_jump(core, selector, offset, insn->operand_size);
}

void
x86_exec_ret_far(X86Core *core, const X86Insn *insn)
{
    x86_far_return(core, insn->operand_size, insn->imm_size ? insn->imm & 0xffff : 0);
}

void
x86_exec_iret(X86Core *core, const X86Insn *insn)
{
    x86_svm_check(core, SVM_EXIT_IRET);
    x86_iret(core, insn->operand_size);
}

static void
software_interrupt(X86Core *core, uint8_t vector, X86EventKind kind)
{
    X86Event event = { .vector = vector, .kind = kind, .return_rip = core->next_rip };

    x86_interrupt(core, &event);
}

void
x86_exec_int3(X86Core *core, const X86Insn *insn)
{
    x86_svm_check_exception(core, X86_EXC_BP);
    software_interrupt(core, X86_EXC_BP, X86_EVENT_INT3);
}

void
x86_exec_int_n(X86Core *core, const X86Insn *insn)
{
    x86_svm_check(core, SVM_EXIT_SWINT);
    software_interrupt(core, insn->imm, X86_EVENT_INT_N);
}

void
x86_exec_into(X86Core *core, const X86Insn *insn)
{
    if (core->s.rflags & X86_FLAG_OF) {
        x86_svm_check_exception(core, X86_EXC_OF);
        software_interrupt(core, X86_EXC_OF, X86_EVENT_INT3);
    }
}

void
x86_exec_int1(X86Core *core, const X86Insn *insn)
{
    x86_svm_check(core, SVM_EXIT_ICEBP);
    x86_svm_check_exception(core, X86_EXC_DB);
    software_interrupt(core, X86_EXC_DB, X86_EVENT_INT1);
}

void
x86_exec_ud(X86Core *core, const X86Insn *insn)
{
    x86_fault(core, X86_EXC_UD);
}

void
x86_exec_syscall(X86Core *core, const X86Insn *insn)
{
    x86_syscall(core);
}

void
x86_exec_sysret(X86Core *core, const X86Insn *insn)
{
    x86_sysret(core, insn->operand_size);
}

void
x86_exec_sysenter(X86Core *core, const X86Insn *insn)
{
    x86_sysenter(core);
}

void
x86_exec_sysexit(X86Core *core, const X86Insn *insn)
{
    x86_sysexit(core, insn->operand_size);
}

void
x86_exec_rsm(X86Core *core, const X86Insn *insn)
{
    x86_svm_check(core, SVM_EXIT_RSM);
    x86_smm_resume(core);
}
