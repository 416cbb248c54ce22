/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the files of this folder share.
 *
 * Invariants:
 *  1. A vCPU's state is either the kernel's (kvm_newer) or ours (X86Core.s), never both. Pull and
 *     push move it; only `activity` and a halted CPU's IF are kept here all the time.
 *  2. Slots change with the device lock and `lock` held, in this order.
 *  3. vCPU ioctls come from the CPU's thread, or from another while that thread is parked.
 */

#include "vit-kvm.h"
#include "vit-memory.h"
#include "x86-exec.h"

#include <linux/kvm.h>
#include <pthread.h>

typedef struct KvmSlot {
    struct kvm_userspace_memory_region region; /* memory_size 0 = free */
    VitRamBlock *block;
    uint64_t block_offset;
} KvmSlot;

struct VitKvm {
    int fd, vm_fd;
    size_t run_bytes;
    unsigned max_slots;
    bool has_readonly, has_xsave, has_xcrs, has_debugregs, has_events;
    uint64_t mce_cap;
    uint64_t tsc_hz;
    struct kvm_cpuid2 *supported;
    VitAddressSpace *space; /* watched once the first CPU is made */
    GMutex lock;
    GArray *slots;           /* KvmSlot */
    int64_t dirty_synced_us; /* monotonic time of the last look at the kernel's dirty log */
    /* kvm-coalesced.c; ring and ring_vcpu with `lock` held, or by a CPU's thread */
    unsigned ring_page; /* of the CPUs' shared pages; 0: the kernel collects no writes */
    GArray *zones;      /* struct kvm_coalesced_mmio_zone */
    struct kvm_coalesced_mmio_ring *ring;
    struct KvmVcpu *ring_vcpu; /* in whose shared pages `ring` is */
    GMutex ring_lock;          /* one drains at a time */
    unsigned failures;         /* atomic */
    bool given_up;             /* atomic: the interpreter runs every CPU from now on */
};

typedef struct KvmVcpu {
    VitKvm *kvm;
    VitCpu *cpu;
    X86Core *core;
    int fd;
    struct kvm_run *run;
    bool kvm_newer;          /* the kernel holds the state */
    bool io_pending;         /* the last exit has an access that the next KVM_RUN completes */
    bool in_kvm;             /* atomic: a kick must reach KVM_RUN */
    pthread_t thread;        /* valid while in_kvm */
    uint64_t cr8, apic_base; /* as given to the kernel last */
    unsigned streak;         /* failures in close succession */
    int64_t last_failure_us;
} KvmVcpu;

/* What the run loop does next. */
typedef enum KvmNext {
    KVM_NEXT_RUN,   /* enter the kernel */
    KVM_NEXT_AGAIN, /* look at events again */
    KVM_NEXT_LEAVE, /* leave run() */
} KvmNext;

/* ---- kvm-probe.c ---- */

/* Opens the device with its three kinds of refusal. -1 with ERROR. */
int kvm_open(const char *path, GError **error);
const struct kvm_cpuid_entry2 *kvm_find_cpuid(const struct kvm_cpuid2 *list, uint32_t leaf,
                                              uint32_t subleaf);
/* Ownership: caller, g_free. NULL with errno. */
struct kvm_cpuid2 *kvm_supported_cpuid(int fd);

/* ---- kvm-self-test.c ---- */

/* Runs a few instructions of each kind in a VM of its own, within a time limit. */
bool kvm_self_test(int fd, GError **error);

/* ---- kvm-signal.c ---- */

/* The signal that gets a thread out of KVM_RUN; installed once for the process. */
void kvm_signal_init(void);
void kvm_signal_thread(pthread_t thread);

/* ---- kvm-vm.c ---- */

/* Follows SPACE with memory slots. Device lock held. */
void kvm_vm_watch(VitKvm *kvm, VitAddressSpace *space);
/* Gives up on KVM for this machine, with a line on stderr the first time. */
void kvm_vm_give_up(VitKvm *kvm, const char *why);

/* ---- kvm-coalesced.c ---- */

/* A CPU with its shared pages mapped, before it runs; and before they are unmapped. */
void kvm_ring_attach(KvmVcpu *vcpu);
void kvm_ring_detach(KvmVcpu *vcpu);
/* Carries out what has been collected. The CPU's thread, no lock held. */
void kvm_ring_drain(KvmVcpu *vcpu);
/* Someone looks at what the writes change: gets the CPU out of the kernel when there are any.
 * `lock` held. */
void kvm_ring_hurry(VitKvm *kvm);
/* Device lock and `lock` held. */
void kvm_ring_update_zones(VitKvm *kvm, const VitFlatView *view);

/* ---- kvm-cpuid.c ---- */

bool kvm_cpuid_set(KvmVcpu *vcpu, GError **error);

/* ---- kvm-state.c ---- */

/* Kernel to X86Core.s and back; false with errno when a group that every KVM has is refused. */
bool kvm_state_get(KvmVcpu *vcpu);
bool kvm_state_put(KvmVcpu *vcpu);

/* ---- kvm-vcpu.c ---- */

/* Makes the state ours. False with errno. */
bool kvm_pull(KvmVcpu *vcpu);
/* Makes it the kernel's. */
bool kvm_push(KvmVcpu *vcpu);

/* ---- kvm-exit.c ---- */

/* Carries out the access of the last exit, if it is one. */
void kvm_exit_access(KvmVcpu *vcpu);

/* ---- kvm-help.c ---- */

/* The kernel cannot go on with the exit in run->exit_reason: lets the interpreter help. */
KvmNext kvm_help(KvmVcpu *vcpu, VitCpuExit *out_exit);
/* Interprets at least STEPS instructions, and on to the end of SMM. AGAIN or LEAVE. */
KvmNext kvm_interpret(KvmVcpu *vcpu, unsigned steps, VitCpuExit *out_exit);
/* run() of a machine whose CPUs are the interpreter's for good. */
VitCpuExit kvm_interpret_on(KvmVcpu *vcpu);
