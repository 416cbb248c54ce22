/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A vCPU on KVM: the executor's functions and the run loop.
 *
 * Interrupt controllers are all in the process: a vector is acknowledged and injected when the
 * kernel says the CPU takes one, else an interrupt window is asked for; CR8 and IA32_APIC_BASE
 * travel in the shared page. INIT, start-up IPIs, SMIs and machine checks are rare: for those the
 * state comes here and the interpreter takes them; SMM runs in it altogether.
 *
 * What the kernel cannot execute the interpreter executes (kvm-help.c).
 *
 * Linux Documentation/virt/kvm/api.rst sections 4.10, 4.16 (KVM_INTERRUPT), 4.64 (KVM_NMI), 5.
 * Known deviation: an x87 error with CR0.NE clear does not reach the FERR# pin.
 * Thread: the CPU's own; kick any. */

#include "kvm-private.h"

#include "vit-error.h"
#include "x86-system.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- Who holds the state ---- */

static VitCpuExit
internal_error(KvmVcpu *vcpu, const char *what)
{
    g_free(vcpu->cpu->error);
    vcpu->cpu->error = g_strdup_printf("KVM: %s: %s", what, g_strerror(errno));
    return VIT_CPU_EXIT_INTERNAL_ERROR;
}

/* An access the kernel is in the middle of has to be completed before its registers mean
 * anything: KVM_RUN does that first and, asked to leave at once, nothing else. */
static void
complete_io(KvmVcpu *vcpu)
{
    for (unsigned i = 0; vcpu->io_pending && i < 16; i++) {
        vcpu->io_pending = false;
        vcpu->run->immediate_exit = 1;
        bool more = ioctl(vcpu->fd, KVM_RUN, 0) == 0;

        kvm_ring_drain(vcpu);
        if (more) {
            kvm_exit_access(vcpu); /* the second half of an access in two pieces */
        }
    }
    vcpu->run->immediate_exit = 0;
}

bool
kvm_pull(KvmVcpu *vcpu)
{
    if (vcpu->kvm_newer) {
        X86Activity activity = vcpu->core->s.activity;

        complete_io(vcpu);
        if (!kvm_state_get(vcpu)) {
            return false;
        }
        vcpu->core->s.activity = activity;
        vcpu->kvm_newer = false;
    }
    return true;
}

bool
kvm_push(KvmVcpu *vcpu)
{
    if (!vcpu->kvm_newer) {
        if (!kvm_state_put(vcpu)) {
            return false;
        }
        const X86State *s = &vcpu->core->s;

        vcpu->run->if_flag = !!(s->rflags & X86_FLAG_IF);
        vcpu->run->ready_for_interrupt_injection =
            vcpu->run->if_flag && !s->interrupt_shadow && s->pending_vector < 0;
        vcpu->kvm_newer = true;
    }
    return true;
}

/* ---- Events ---- */

/* Those that go by way of the interpreter. */
enum {
    RARE_EVENTS = VIT_CPU_EVENT_INIT | VIT_CPU_EVENT_SIPI | VIT_CPU_EVENT_SMI | VIT_CPU_EVENT_MCE,
};

/* IF as it is now, whoever holds the state. */
static bool
interrupts_on(const KvmVcpu *vcpu)
{
    return vcpu->kvm_newer ? vcpu->run->if_flag : !!(vcpu->core->s.rflags & X86_FLAG_IF);
}

static bool
wakes(const KvmVcpu *vcpu, uint32_t events)
{
    return (events & VIT_CPU_EVENT_NMI) || ((events & VIT_CPU_EVENT_INTR) && interrupts_on(vcpu));
}

/* Gives the kernel what is to be taken before the next instruction. The state is the kernel's. */
static void
inject(KvmVcpu *vcpu)
{
    const VitCpuHost *host = vcpu->cpu->host;
    uint32_t events = vit_cpu_events(vcpu->cpu);

    if (events & VIT_CPU_EVENT_NMI) {
        vit_cpu_lower(vcpu->cpu, VIT_CPU_EVENT_NMI);
        ioctl(vcpu->fd, KVM_NMI, 0);
    }
    if ((events & VIT_CPU_EVENT_INTR) && vcpu->run->ready_for_interrupt_injection &&
        vcpu->run->if_flag) {
        VitLock *lock = vit_address_space_lock(host->memory);
        struct kvm_interrupt interrupt;
        int vector;

        vit_lock_take(lock);
        vector = host->interrupt_ack(host->opaque);
        vit_lock_release(lock);
        if (vector >= 0) {
            interrupt.irq = vector;
            ioctl(vcpu->fd, KVM_INTERRUPT, &interrupt);
            vcpu->run->ready_for_interrupt_injection = 0;
        }
    }
    vcpu->run->request_interrupt_window = !!(vit_cpu_events(vcpu->cpu) & VIT_CPU_EVENT_INTR);
}

/* ---- The shared page's APIC registers ---- */

static void
apic_to_run(KvmVcpu *vcpu)
{
    const VitCpuHost *host = vcpu->cpu->host;

    if (host->apic_get_cr8) {
        VitLock *lock = vit_address_space_lock(host->memory);

        vit_lock_take(lock);
        vcpu->cr8 = host->apic_get_cr8(host->opaque);
        vcpu->apic_base = host->apic_get_base(host->opaque);
        vit_lock_release(lock);
        vcpu->run->cr8 = vcpu->cr8;
        vcpu->run->apic_base = vcpu->apic_base;
    }
}

static void
apic_from_run(KvmVcpu *vcpu)
{
    const VitCpuHost *host = vcpu->cpu->host;
    struct kvm_run *run = vcpu->run;

    if (!host->apic_set_cr8 || (run->cr8 == vcpu->cr8 && run->apic_base == vcpu->apic_base)) {
        return;
    }
    VitLock *lock = vit_address_space_lock(host->memory);
    vit_lock_take(lock);
    if (run->cr8 != vcpu->cr8) {
        host->apic_set_cr8(host->opaque, run->cr8);
    }
    if (run->apic_base != vcpu->apic_base) {
        host->apic_set_base(host->opaque, run->apic_base);
    }
    vit_lock_release(lock);
    vcpu->cr8 = run->cr8;
    vcpu->apic_base = run->apic_base;
}

/* ---- The loop ---- */

/* One KVM_RUN. False: it failed, errno says how. */
static bool
enter(KvmVcpu *vcpu)
{
    int result;

    apic_to_run(vcpu);
    vcpu->thread = pthread_self();
    __atomic_store_n(&vcpu->in_kvm, true, __ATOMIC_SEQ_CST);
    /* an event raised before in_kvm was seen did not kick; one raised after it does */
    if (vit_cpu_events(vcpu->cpu) & ~(uint32_t)VIT_CPU_EVENT_INTR) {
        vcpu->run->immediate_exit = 1;
    } else if ((vit_cpu_events(vcpu->cpu) & VIT_CPU_EVENT_INTR) &&
               !vcpu->run->request_interrupt_window) {
        vcpu->run->immediate_exit = 1;
    }
    result = ioctl(vcpu->fd, KVM_RUN, 0);
    __atomic_store_n(&vcpu->in_kvm, false, __ATOMIC_SEQ_CST);
    vcpu->run->immediate_exit = 0;
    vcpu->io_pending = false;
    kvm_ring_drain(vcpu);
    apic_from_run(vcpu);
    return result == 0;
}

static KvmNext
handle_exit(KvmVcpu *vcpu, VitCpuExit *out_exit)
{
    switch (vcpu->run->exit_reason) {
    case KVM_EXIT_IO:
    case KVM_EXIT_MMIO:
    case KVM_EXIT_X86_RDMSR:
    case KVM_EXIT_X86_WRMSR: kvm_exit_access(vcpu); return KVM_NEXT_AGAIN;
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_SET_TPR:
    case KVM_EXIT_INTR: return KVM_NEXT_AGAIN;
    case KVM_EXIT_HLT: vcpu->core->s.activity = X86_HALTED; return KVM_NEXT_AGAIN;
    case KVM_EXIT_SHUTDOWN:
        kvm_pull(vcpu);
        vcpu->core->s.activity = X86_SHUTDOWN;
        *out_exit = VIT_CPU_EXIT_SHUTDOWN;
        return KVM_NEXT_LEAVE;
    default: return kvm_help(vcpu, out_exit);
    }
}

/* Events and activities that keep the CPU out of the kernel. */
static KvmNext
before_entry(KvmVcpu *vcpu, VitCpuExit *out_exit)
{
    X86State *s = &vcpu->core->s;
    uint32_t events = vit_cpu_events(vcpu->cpu);

    if (events & VIT_CPU_EVENT_MAP_CHANGED) {
        vit_cpu_lower(vcpu->cpu, VIT_CPU_EVENT_MAP_CHANGED); /* the slots know */
    }
    if (events & VIT_CPU_EVENT_EXIT) {
        vit_cpu_lower(vcpu->cpu, VIT_CPU_EVENT_EXIT);
        *out_exit = kvm_pull(vcpu) ? VIT_CPU_EXIT_REQUEST
                                   : internal_error(vcpu, "registers cannot be read");
        return KVM_NEXT_LEAVE;
    }
    if ((events & RARE_EVENTS) || s->in_smm || s->activity == X86_WAIT_FOR_SIPI) {
        return kvm_interpret(vcpu, 1, out_exit);
    }
    if (s->activity == X86_HALTED && wakes(vcpu, events)) {
        s->activity = X86_ACTIVE;
    }
    if (s->activity != X86_ACTIVE) {
        /* who waits for the CPU looks at these */
        s->rflags = (s->rflags & ~(uint64_t)X86_FLAG_IF) | (interrupts_on(vcpu) ? X86_FLAG_IF : 0);
        *out_exit = s->activity == X86_SHUTDOWN ? VIT_CPU_EXIT_SHUTDOWN : VIT_CPU_EXIT_HALT;
        return KVM_NEXT_LEAVE;
    }
    return KVM_NEXT_RUN;
}

/* Into the kernel and out again. */
static KvmNext
run_once(KvmVcpu *vcpu, VitCpuExit *out_exit)
{
    if (!kvm_push(vcpu)) {
        *out_exit = internal_error(vcpu, "registers cannot be set");
        return KVM_NEXT_LEAVE;
    }
    inject(vcpu);
    if (enter(vcpu)) {
        return handle_exit(vcpu, out_exit);
    }
    switch (errno) {
    case EINTR:
    case EAGAIN: return KVM_NEXT_AGAIN;
    case EFAULT:
    case ENOEXEC: vcpu->run->exit_reason = KVM_EXIT_UNKNOWN; return kvm_help(vcpu, out_exit);
    default: *out_exit = internal_error(vcpu, "KVM_RUN"); return KVM_NEXT_LEAVE;
    }
}

/* A CPU with breakpoints or a step to make is interpreted: any number of points, none of them to be
 * seen by the guest. The kernel has it back when they are gone. */
static bool
is_debugged(const VitCpu *cpu)
{
    return cpu->debug.single_step || cpu->debug.n_points;
}

static VitCpuExit
kvm_cpu_run(VitCpu *cpu)
{
    KvmVcpu *vcpu = cpu->executor_data;
    VitCpuExit reason = VIT_CPU_EXIT_REQUEST;
    KvmNext next = KVM_NEXT_AGAIN;

    while (next != KVM_NEXT_LEAVE) {
        if (is_debugged(cpu) || __atomic_load_n(&vcpu->kvm->given_up, __ATOMIC_ACQUIRE)) {
            return kvm_interpret_on(vcpu);
        }
        next = before_entry(vcpu, &reason);
        if (next == KVM_NEXT_RUN) {
            next = run_once(vcpu, &reason);
        }
    }
    return reason;
}

/* ---- The executor's other functions ---- */

static void
kvm_cpu_kick(VitCpu *cpu)
{
    KvmVcpu *vcpu = cpu->executor_data;

    if (vcpu && __atomic_load_n(&vcpu->in_kvm, __ATOMIC_SEQ_CST)) {
        __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
        kvm_signal_thread(vcpu->thread);
    }
}

static void
kvm_cpu_destroy(VitCpu *cpu)
{
    KvmVcpu *vcpu = cpu->executor_data;

    if (vcpu) {
        if (vcpu->run) {
            kvm_ring_detach(vcpu);
            munmap(vcpu->run, vcpu->kvm->run_bytes);
        }
        if (vcpu->fd >= 0) {
            close(vcpu->fd);
        }
        g_free(vcpu);
    }
    cpu->executor_data = NULL;
    x86_core_free(cpu->state);
    cpu->state = NULL;
}

static bool
make_vcpu(KvmVcpu *vcpu, GError **error)
{
    VitKvm *kvm = vcpu->kvm;
    void *run;

    vcpu->fd = ioctl(kvm->vm_fd, KVM_CREATE_VCPU, (unsigned long)vcpu->cpu->apic_id);
    if (vcpu->fd < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "KVM gives no CPU number %u: %s; give -smp a smaller number, or -accel tcg",
                    vcpu->cpu->index, g_strerror(errno));
        return false;
    }
    run = mmap(NULL, kvm->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
    if (run == MAP_FAILED) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                    "KVM: the shared page of CPU %u cannot be mapped: %s", vcpu->cpu->index,
                    g_strerror(errno));
        return false;
    }
    vcpu->run = run;
    kvm_ring_attach(vcpu);
    if (kvm->mce_cap) {
        ioctl(vcpu->fd, KVM_X86_SETUP_MCE, &kvm->mce_cap);
    }
    return kvm_cpuid_set(vcpu, error);
}

static bool
kvm_cpu_create(VitCpu *cpu, const void *model, GError **error)
{
    KvmVcpu *vcpu = g_new0(KvmVcpu, 1);

    vcpu->kvm = cpu->executor_machine;
    vcpu->cpu = cpu;
    vcpu->fd = -1;
    cpu->executor_data = vcpu;
    cpu->state = vcpu->core = x86_core_new(cpu, model, error);
    if (!vcpu->core || !make_vcpu(vcpu, error)) {
        kvm_cpu_destroy(cpu);
        return false;
    }
    kvm_vm_watch(vcpu->kvm, cpu->host->memory);
    return true;
}

static void
kvm_cpu_reset(VitCpu *cpu)
{
    KvmVcpu *vcpu = cpu->executor_data;

    complete_io(vcpu);
    vcpu->kvm_newer = false;
    x86_state_reset(vcpu->core, false);
}

static void
kvm_cpu_sync_out(VitCpu *cpu)
{
    kvm_pull(cpu->executor_data);
}

static void
kvm_cpu_sync_in(VitCpu *cpu)
{
    x86_state_changed(cpu->state);
}

static void
kvm_cpu_debug_changed(VitCpu *cpu)
{
    KvmVcpu *vcpu = cpu->executor_data;

    if (kvm_pull(vcpu)) {
        x86_host_debug_changed(vcpu->core);
    }
}

const VitExecutor vit_kvm_executor = {
    .name = "kvm",
    .create = kvm_cpu_create,
    .destroy = kvm_cpu_destroy,
    .reset = kvm_cpu_reset,
    .run = kvm_cpu_run,
    .kick = kvm_cpu_kick,
    .sync_out = kvm_cpu_sync_out,
    .sync_in = kvm_cpu_sync_in,
    .debug_changed = kvm_cpu_debug_changed,
};
