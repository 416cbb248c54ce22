/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* When the kernel cannot go on: the state comes here, the interpreter executes some instructions,
 * and the kernel gets the CPU back. The next failure soon after doubles how many. A machine whose
 * CPUs fail too often is given to the interpreter for good; interrupt controllers and devices do
 * not notice, as they are the process's own all along.
 *
 * Only the interpreter can do this: it reads instructions afresh each time, so code that another
 * CPU changed under KVM is seen. Thread: the CPU's own. */

#include "kvm-private.h"

#include "x86-system.h"

enum {
    STEPS_FIRST = 16,
    STREAK_LAST = 12,     /* 64 Ki instructions */
    FAILURES_LAST = 4096, /* of a machine */
};

KvmNext
kvm_interpret(KvmVcpu *vcpu, unsigned steps, VitCpuExit *out_exit)
{
    if (!kvm_pull(vcpu)) {
        g_free(vcpu->cpu->error);
        vcpu->cpu->error = g_strdup("KVM: registers cannot be read");
        *out_exit = VIT_CPU_EXIT_INTERNAL_ERROR;
        return KVM_NEXT_LEAVE;
    }
    x86_state_changed(vcpu->core);
    do {
        if (!x86_interp_step(vcpu->core, out_exit)) {
            return KVM_NEXT_LEAVE;
        }
        steps -= steps > 0;
    } while (steps > 0 || vcpu->core->s.in_smm);
    return KVM_NEXT_AGAIN;
}

VitCpuExit
kvm_interpret_on(KvmVcpu *vcpu)
{
    if (vcpu->kvm_newer) {
        if (!kvm_pull(vcpu)) {
            g_free(vcpu->cpu->error);
            vcpu->cpu->error = g_strdup("KVM: registers cannot be read");
            return VIT_CPU_EXIT_INTERNAL_ERROR;
        }
        x86_state_changed(vcpu->core);
    }
    return x86_interp_run(vcpu->core);
}

static char *
describe(const KvmVcpu *vcpu)
{
    const struct kvm_run *run = vcpu->run;

    switch (run->exit_reason) {
    case KVM_EXIT_INTERNAL_ERROR:
        return g_strdup_printf("instructions it cannot execute, internal error %u",
                               run->internal.suberror);
    case KVM_EXIT_FAIL_ENTRY:
        return g_strdup_printf("the processor refuses its state, reason %#llx",
                               (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
    default: return g_strdup_printf("exit %u", run->exit_reason);
    }
}

KvmNext
kvm_help(KvmVcpu *vcpu, VitCpuExit *out_exit)
{
    unsigned failures = __atomic_add_fetch(&vcpu->kvm->failures, 1, __ATOMIC_SEQ_CST);
    int64_t now_us = g_get_monotonic_time();

    if (failures >= FAILURES_LAST) {
        g_autofree char *why = describe(vcpu);
        kvm_vm_give_up(vcpu->kvm, why);
        return KVM_NEXT_AGAIN;
    }
    if (now_us - vcpu->last_failure_us < G_USEC_PER_SEC / 100) {
        vcpu->streak = MIN(vcpu->streak + 1, STREAK_LAST);
    } else {
        vcpu->streak = 0;
    }
    KvmNext next = kvm_interpret(vcpu, STEPS_FIRST << vcpu->streak, out_exit);
    vcpu->last_failure_us = g_get_monotonic_time();
    return next;
}
