/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* AMD's secure virtual machine: what the rest of the CPU asks of it. AMD APM volume 2 chapter 15.
 *
 * While s.svm.guest is set the CPU runs a guest of the guest, by interpretation only. An intercept
 * unwinds like a fault, with X86_EXC_VMEXIT for a vector; x86_deliver() then brings the host's
 * state back. Thread: the CPU's own. */

#include "x86-mem.h"
#include "x86-system.h"

enum { X86_EXC_VMEXIT = 0x100 };

/* Exit codes. From SVM_EXIT_INTR on they number the bits of X86Svm.intercepts. */
enum {
    SVM_EXIT_READ_CR0 = 0x00,
    SVM_EXIT_WRITE_CR0 = 0x10,
    SVM_EXIT_READ_DR0 = 0x20,
    SVM_EXIT_WRITE_DR0 = 0x30,
    SVM_EXIT_EXCEPTION = 0x40,
    SVM_EXIT_INTR = 0x60,
    SVM_EXIT_NMI,
    SVM_EXIT_SMI,
    SVM_EXIT_INIT,
    SVM_EXIT_VINTR,
    SVM_EXIT_CR0_SEL_WRITE,
    SVM_EXIT_IDTR_READ,
    SVM_EXIT_GDTR_READ,
    SVM_EXIT_LDTR_READ,
    SVM_EXIT_TR_READ,
    SVM_EXIT_IDTR_WRITE,
    SVM_EXIT_GDTR_WRITE,
    SVM_EXIT_LDTR_WRITE,
    SVM_EXIT_TR_WRITE,
    SVM_EXIT_RDTSC,
    SVM_EXIT_RDPMC,
    SVM_EXIT_PUSHF,
    SVM_EXIT_POPF,
    SVM_EXIT_CPUID,
    SVM_EXIT_RSM,
    SVM_EXIT_IRET,
    SVM_EXIT_SWINT,
    SVM_EXIT_INVD,
    SVM_EXIT_PAUSE,
    SVM_EXIT_HLT,
    SVM_EXIT_INVLPG,
    SVM_EXIT_INVLPGA,
    SVM_EXIT_IOIO,
    SVM_EXIT_MSR,
    SVM_EXIT_TASK_SWITCH,
    SVM_EXIT_FERR_FREEZE,
    SVM_EXIT_SHUTDOWN,
    SVM_EXIT_VMRUN,
    SVM_EXIT_VMMCALL,
    SVM_EXIT_VMLOAD,
    SVM_EXIT_VMSAVE,
    SVM_EXIT_STGI,
    SVM_EXIT_CLGI,
    SVM_EXIT_SKINIT,
    SVM_EXIT_RDTSCP,
    SVM_EXIT_ICEBP,
    SVM_EXIT_WBINVD,
    SVM_EXIT_MONITOR,
    SVM_EXIT_MWAIT,
    SVM_EXIT_MWAIT_ARMED,
    SVM_EXIT_XSETBV,
    SVM_EXIT_INVPCID = 0xa2,
    SVM_EXIT_NESTED_PAGE = 0x400,
};
#define SVM_EXIT_INVALID UINT64_MAX

static inline bool
x86_svm_intercepts(const X86Core *core, unsigned code)
{
    const X86Svm *svm = &core->s.svm;

    return svm->guest &&
           (svm->intercepts[(code - SVM_EXIT_INTR) / 32] >> (code - SVM_EXIT_INTR) % 32 & 1);
}

/* Leaves the guest on the current instruction; unwinds. */
_Noreturn void x86_svm_exit(X86Core *core, uint64_t code, uint64_t info1, uint64_t info2);

/* Of instructions: leaves when CODE is intercepted. */
static inline void
x86_svm_check(X86Core *core, unsigned code)
{
    if (G_UNLIKELY(core->s.svm.guest) && x86_svm_intercepts(core, code)) {
        x86_svm_exit(core, code, 0, 0);
    }
}

/* MOV CR, MOV DR and what does the same: FIRST is the code of register 0. */
static inline void
x86_svm_check_register(X86Core *core, unsigned first, unsigned number)
{
    if (G_UNLIKELY(core->s.svm.guest) &&
        ((first < SVM_EXIT_READ_DR0 ? core->s.svm.cr_intercepts : core->s.svm.dr_intercepts) >>
             ((first & 0x10) + number) &
         1)) {
        x86_svm_exit(core, first + number, 0, 0);
    }
}

void x86_svm_check_msr(X86Core *core, uint32_t index, bool is_write);
/* INSN is IN, OUT, INS or OUTS. */
void x86_svm_check_io(X86Core *core, const X86Insn *insn, uint16_t port, unsigned size, bool is_in,
                      bool is_string);
/* Software's own exceptions: INT3 and INTO by vector, INT1. */
void x86_svm_check_exception(X86Core *core, unsigned vector);

/* Back to the host, as the fault that was raised or code CODE says. EVENT was being delivered, or
 * NULL. Never unwinds. */
void x86_svm_leave(X86Core *core, const X86Event *event);
void x86_svm_leave_with(X86Core *core, const X86Event *event, uint64_t code, uint64_t info1,
                        uint64_t info2);
/* Of x86_deliver(): leaves when the exception EVENT is intercepted; PREVIOUS was being delivered.
 */
bool x86_svm_takes_exception(X86Core *core, const X86Event *event, const X86Event *previous);
/* Of events: leaves when one of EVENTS or a virtual interrupt is intercepted. */
bool x86_svm_takes_event(X86Core *core, uint32_t events);
/* The virtual interrupt that can be delivered now, or -1. */
int x86_svm_virtual_interrupt(const X86Core *core);
