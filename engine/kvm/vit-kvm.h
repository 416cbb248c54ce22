/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The Linux kernel's hypervisor as an executor (engine/core/vit-cpu.h).
 *
 * One VitKvm per machine: the board makes it, points VitCpu.executor_machine of every CPU at it
 * before vit_kvm_executor creates them, and frees it after the last CPU. Interrupt controllers stay
 * in the process. Where the kernel cannot execute an instruction the interpreter does it.
 */

#include "vit-cpu.h"
#include "x86-cpuid.h"

typedef struct VitKvm VitKvm;

enum {
    VIT_KVM_NO_SELF_TEST = 1u << 0, /* for tests of the interface on a KVM that would not pass */
};

#define VIT_KVM_DEVICE "/dev/kvm"

/* Opens DEVICE_PATH, looks whether it can be used, runs the self-test and makes a VM. The messages
 * tell an absent device, a refused one and one that does not work apart. Thread: any. */
VitKvm *vit_kvm_new(const char *device_path, uint32_t flags, GError **error);
void vit_kvm_free(VitKvm *kvm);

/* What a guest can be given: what the kernel offers and the interpreter could take over. Local APIC
 * features that need the kernel's own APIC are not among them. */
void vit_kvm_features(const VitKvm *kvm, uint64_t out_words[X86_FEATURE_WORDS]);
/* Settles in MODEL what differs under KVM: time stamp rate, no leaves of another hypervisor. */
void vit_kvm_settle_model(const VitKvm *kvm, X86CpuModel *model);

/* How often the interpreter had to help, and whether it has taken over for good. */
unsigned vit_kvm_failures(const VitKvm *kvm, bool *out_given_up);

extern const VitExecutor vit_kvm_executor;
