/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* vCPU threads: one per guest CPU, each looping over the executor's run(). A halted CPU sleeps on
 * its condition until an event it can take is raised, or, while its disks have requests under way,
 * on what ends them: the thread that waits for a disk takes the completion itself, instead of being
 * woken by another one that was. Parking (for pause, reset, save) makes every thread leave run()
 * and waits for them; the device lock must be free meanwhile, as a vCPU may be waiting for it in
 * the middle of an access. */

#include "machine-icount.h"
#include "machine-turns.h"

#include "x86-interp.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

bool
machine_vcpu_has_work(const MachineVcpu *vcpu)
{
    uint32_t events = vit_cpu_events(&vcpu->cpu);
    const X86State *state = vcpu->cpu.state;
    uint32_t takes = VIT_CPU_EVENT_NMI | VIT_CPU_EVENT_SMI | VIT_CPU_EVENT_INIT |
                     VIT_CPU_EVENT_EXIT | VIT_CPU_EVENT_MCE;

    switch (state->activity) {
    case X86_ACTIVE: return true;
    case X86_HALTED:
        if ((state->rflags & X86_FLAG_IF) || state->svm.guest) {
            takes |= VIT_CPU_EVENT_INTR;
        }
        if (state->svm.virtual_irq && (state->rflags & X86_FLAG_IF)) {
            return true;
        }
        break;
    case X86_WAIT_FOR_SIPI:
        takes = VIT_CPU_EVENT_SIPI | VIT_CPU_EVENT_INIT | VIT_CPU_EVENT_EXIT;
        break;
    case X86_SHUTDOWN: takes = VIT_CPU_EVENT_INIT | VIT_CPU_EVENT_EXIT; break;
    }
    return events & takes;
}

/* Raised events end a sleep; called by vit_cpu_raise() from any thread. */
static void
vcpu_kick(VitCpu *cpu)
{
    MachineVcpu *vcpu = cpu->kick_opaque, *sleeper = NULL;
    Machine *machine = vcpu->machine;
    bool watching;

    g_mutex_lock(&machine->control);
    if (machine_takes_turns(machine)) {
        sleeper = &machine->vcpus[0];
    } else if (vcpu->parked) { /* a call of the host's system, otherwise for nothing */
        sleeper = vcpu;
    }
    watching = vcpu->watching;
    g_mutex_unlock(&machine->control);
    /* Signalled before, it would wake only to wait for the mutex: two more calls for each of us. */
    if (watching) {
        eventfd_write(vcpu->wake_fd, 1);
    } else if (sleeper) {
        g_cond_signal(&sleeper->wake);
    }
}

static void
vcpu_handle_exit(MachineVcpu *vcpu, VitCpuExit reason)
{
    Machine *machine = vcpu->machine;

    switch (reason) {
    case VIT_CPU_EXIT_SHUTDOWN:
        vcpu->crashed = true;
        machine_request(machine, MACHINE_REQUEST_RESET, VIT_CAUSE_GUEST_RESET, 0);
        break;
    case VIT_CPU_EXIT_INTERNAL_ERROR:
        vcpu->crashed = true;
        machine_request_failure(
            machine, g_strdup_printf("CPU %u cannot go on: %s", vcpu->cpu.index,
                                     vcpu->cpu.error ? vcpu->cpu.error : "internal error"));
        break;
    case VIT_CPU_EXIT_DEBUG:
        g_mutex_lock(&machine->control);
        vcpu->debug_stopped = true;
        g_mutex_unlock(&machine->control);
        machine_request(machine, MACHINE_REQUEST_DEBUG, VIT_CAUSE_HOST_QUIT, 0);
        break;
    default: break;
    }
}

static int64_t
thread_cpu_time_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * VIT_NS_PER_SEC + now.tv_nsec;
}

/* What ends a halt beside events that others raise. */
typedef struct Halt {
    int64_t alarm_ns; /* virtual time of the local APIC's timer, -1: none */
    int disks_fd;     /* as blk_graph_watch() gave it */
} Halt;

/* The timer is run if its time has passed; else the thread sleeps until then itself, with no other
 * to wake it. */
static void
vcpu_begin_halt(MachineVcpu *vcpu, Halt *halt)
{
    const X86State *state = vcpu->cpu.state;
    VitTimer *timer = vcpu->host.apic_timer;
    Machine *machine = vcpu->machine;

    *halt = (Halt){ .alarm_ns = -1, .disks_fd = -1 };
    if (!timer) {
        return;
    }
    vit_lock_take(&machine->lock);
    if (state->activity == X86_HALTED) {
        vit_timer_run_if_due(timer);
        halt->alarm_ns = vit_timer_is_armed(timer) ? timer->deadline_ns : -1;
        if (vcpu->wake_fd >= 0) {
            halt->disks_fd = blk_graph_watch(machine->blk);
        }
    }
    vit_lock_release(&machine->lock);
}

static void
vcpu_end_watch(MachineVcpu *vcpu, Halt *halt)
{
    vit_lock_take(&vcpu->machine->lock);
    blk_graph_unwatch(vcpu->machine->blk);
    vit_lock_release(&vcpu->machine->lock);
    halt->disks_fd = -1;
}

/* Until a disk has done something, somebody kicks or the alarm's time has come. `control` taken,
 * and the CPU parked, which it no longer is behind it: completions go to the guest's memory. */
static void
vcpu_sleep_watching(MachineVcpu *vcpu, Halt *halt)
{
    Machine *machine = vcpu->machine;
    struct pollfd fds[] = { { .fd = halt->disks_fd, .events = POLLIN },
                            { .fd = vcpu->wake_fd, .events = POLLIN } };
    bool may_run = machine->run_wanted && !vcpu->crashed && !vcpu->held;
    int64_t left_ns =
        halt->alarm_ns < 0 ? INT64_MAX : halt->alarm_ns - vit_clock_get_ns(machine->clock);
    const struct timespec left = { left_ns / VIT_NS_PER_SEC, left_ns % VIT_NS_PER_SEC };
    eventfd_t count;

    if (may_run && left_ns > 0) {
        vcpu->watching = true;
        g_mutex_unlock(&machine->control);
        ppoll(fds, VIT_ARRAY_LEN(fds), halt->alarm_ns < 0 ? NULL : &left, NULL);
        g_mutex_lock(&machine->control);
        vcpu->watching = false;
    }
    vcpu->parked = false;
    vit_map_reader_online(&vcpu->reader);
    g_mutex_unlock(&machine->control);
    if (fds[1].revents) {
        eventfd_read(vcpu->wake_fd, &count);
    }
    vcpu_end_watch(vcpu, halt);
    if (may_run) {
        vcpu_begin_halt(vcpu, halt);
    }
    g_mutex_lock(&machine->control);
}

/* Until somebody signals or the alarm's time has come; `control` taken, let go meanwhile. */
static void
vcpu_sleep(MachineVcpu *vcpu, Halt *halt)
{
    Machine *machine = vcpu->machine;
    int64_t left_ns;
    Halt next;

    if (halt->disks_fd >= 0) {
        vcpu_sleep_watching(vcpu, halt);
        return;
    }
    if (halt->alarm_ns < 0 || !machine->run_wanted || vcpu->crashed || vcpu->held) {
        g_cond_wait(&vcpu->wake, &machine->control);
        return;
    }
    left_ns = halt->alarm_ns - vit_clock_get_ns(machine->clock);
    if (left_ns > 0 && g_cond_wait_until(&vcpu->wake, &machine->control,
                                         g_get_monotonic_time() + left_ns / 1000 + 1)) {
        return;
    }
    g_mutex_unlock(&machine->control);
    vcpu_begin_halt(vcpu, &next);
    if (next.alarm_ns == halt->alarm_ns) {
        next.alarm_ns = -1; /* time stands still: not here */
    }
    *halt = next;
    g_mutex_lock(&machine->control);
}

/* Sleeps while the CPU has nothing to run. Returns false when the thread is to end. */
static bool
vcpu_wait(MachineVcpu *vcpu)
{
    Machine *machine = vcpu->machine;
    bool go_on;
    Halt halt;

    vcpu_begin_halt(vcpu, &halt);
    g_mutex_lock(&machine->control);
    while (!machine->vcpus_quit &&
           (!machine->run_wanted || vcpu->crashed || vcpu->held || !machine_vcpu_has_work(vcpu))) {
        if (!vcpu->parked) {
            vcpu->parked = true;
            vit_map_reader_offline(&vcpu->reader);
            if (!machine->run_wanted) {
                g_cond_broadcast(&machine->parked_changed);
            }
        }
        vcpu_sleep(vcpu, &halt);
    }
    go_on = !machine->vcpus_quit;
    if (go_on && vcpu->parked) {
        vcpu->parked = false;
        vit_map_reader_online(&vcpu->reader);
    }
    g_mutex_unlock(&machine->control);
    if (halt.disks_fd >= 0) {
        vcpu_end_watch(vcpu, &halt);
    }
    return go_on;
}

void
machine_vcpu_run(MachineVcpu *vcpu)
{
    VitCpuExit reason = vcpu->cpu.executor->run(&vcpu->cpu);

    vit_map_reader_quiescent(&vcpu->reader);
    vcpu_handle_exit(vcpu, reason);
}

static gpointer
vcpu_thread_main(gpointer data)
{
    MachineVcpu *vcpu = data;

    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul); /* as the machine thread */
    __atomic_store_n(&vcpu->host_thread_id, gettid(), __ATOMIC_RELAXED);
    while (vcpu_wait(vcpu)) {
        machine_vcpu_run(vcpu);
    }
    __atomic_store_n(&vcpu->cpu_time_ns, thread_cpu_time_ns(), __ATOMIC_RELAXED);
    return NULL;
}

bool
machine_vcpus_create(Machine *machine, GError **error)
{
    machine->n_vcpus = 0;
    machine->vcpus = g_new0(MachineVcpu, machine->plan->cpus);
    for (unsigned i = 0; i < machine->plan->cpus; i++) {
        MachineVcpu *vcpu = &machine->vcpus[i];

        vcpu->machine = machine;
        vcpu->parked = true;
        vcpu->host_thread_id = -1;
        vcpu->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        g_cond_init(&vcpu->wake);
        vcpu->cpu.executor = machine->executor;
        vcpu->cpu.executor_machine = machine->tcg ? (void *)machine->tcg : machine->kvm;
        /* the board adds its interrupt controllers and the view in SMM */
        vcpu->host = (VitCpuHost){
            .memory = machine->platform.memory,
            .memory_smm = machine->platform.memory,
            .io = machine->platform.io,
            .clock = machine->clock,
            .log = machine->log,
        };
        vcpu->cpu.host = &vcpu->host;
        vcpu->cpu.index = i;
        vcpu->cpu.apic_id = x86_topology_apic_id(&machine->cpu_model, i);
        vcpu->cpu.is_bsp = i == 0;
        vcpu->cpu.takes_turns = machine_takes_turns(machine) && machine->plan->cpus > 1;
        vcpu->cpu.is_crowded =
            machine->plan->cpus > g_get_num_processors() || vcpu->cpu.takes_turns;
        vcpu->cpu.a20_enabled = true;
        vcpu->cpu.debug.one_insn_blocks = machine->plan->singlestep;
        vcpu->cpu.kick = vcpu_kick;
        vcpu->cpu.kick_opaque = vcpu;
        if (!machine->executor->create(&vcpu->cpu, &machine->cpu_model, error)) {
            g_cond_clear(&vcpu->wake);
            close(vcpu->wake_fd);
            return false;
        }
        vit_map_reader_register(machine->maps, &vcpu->reader);
        vit_map_reader_offline(&vcpu->reader);
        machine->n_vcpus++;
    }
    return true;
}

void
machine_vcpus_start(Machine *machine)
{
    if (machine->icount) {
        machine->vcpus[0].thread = g_thread_new("CPUs", machine_icount_thread, machine);
        return;
    }
    if (machine->is_single_thread) {
        machine_turns_start(machine);
        return;
    }
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        g_autofree char *name = g_strdup_printf("CPU %u", i);
        machine->vcpus[i].thread = g_thread_new(name, vcpu_thread_main, &machine->vcpus[i]);
    }
}

static bool
vcpus_all_parked(const Machine *machine)
{
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        if (!machine->vcpus[i].parked) {
            return false;
        }
    }
    return true;
}

void
machine_vcpus_park(Machine *machine)
{
    /* a CPU on its way may need it; a monitor's stream holds it a second time */
    unsigned depth = vit_lock_release_all(&machine->lock);

    g_mutex_lock(&machine->control);
    machine->run_wanted = false;
    g_mutex_unlock(&machine->control);
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        vit_cpu_raise(&machine->vcpus[i].cpu, VIT_CPU_EVENT_EXIT);
    }
    g_mutex_lock(&machine->control);
    while (!vcpus_all_parked(machine)) {
        g_cond_wait(&machine->parked_changed, &machine->control);
    }
    g_mutex_unlock(&machine->control);
    vit_lock_retake(&machine->lock, depth);
    /* a CPU that was parked in its halt may have left its registers with the executor */
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        if (machine->executor->sync_out) {
            machine->executor->sync_out(&machine->vcpus[i].cpu);
        }
    }
}

void
machine_vcpus_unpark(Machine *machine)
{
    g_mutex_lock(&machine->control);
    machine->run_wanted = true;
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        g_cond_signal(&machine->vcpus[i].wake);
    }
    g_mutex_unlock(&machine->control);
}

bool
machine_vcpus_hold(Machine *machine)
{
    if (machine->state != VIT_MACHINE_RUNNING || machine->is_qtest) {
        return false;
    }
    machine_vcpus_park(machine);
    return true;
}

void
machine_vcpus_release(Machine *machine, bool held)
{
    if (held) {
        machine_vcpus_unpark(machine);
    }
}

void
machine_vcpus_stop(Machine *machine)
{
    unsigned depth;

    machine_vcpus_park(machine);
    g_mutex_lock(&machine->control);
    machine->vcpus_quit = true;
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        g_cond_signal(&machine->vcpus[i].wake);
    }
    g_mutex_unlock(&machine->control);
    depth = vit_lock_release_all(&machine->lock); /* a CPU whose alarm went off takes it */
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        if (machine->vcpus[i].thread) {
            g_thread_join(g_steal_pointer(&machine->vcpus[i].thread));
        }
    }
    if (machine->is_single_thread && !machine->icount) {
        machine_turns_join(machine);
    }
    vit_lock_retake(&machine->lock, depth);
}

void
machine_vcpus_destroy(Machine *machine)
{
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        MachineVcpu *vcpu = &machine->vcpus[i];

        vit_map_reader_unregister(&vcpu->reader);
        machine->executor->destroy(&vcpu->cpu);
        g_free(vcpu->cpu.error);
        g_cond_clear(&vcpu->wake);
        if (vcpu->wake_fd >= 0) {
            close(vcpu->wake_fd);
        }
    }
    g_clear_pointer(&machine->vcpus, g_free);
    machine->n_vcpus = 0;
    g_clear_pointer(&machine->kvm, vit_kvm_free);
    g_clear_pointer(&machine->tcg, vit_tcg_free);
}

MachineVcpu *
machine_current_vcpu(Machine *machine)
{
    if (machine_takes_turns(machine) && machine->vcpus &&
        machine->vcpus[0].thread == g_thread_self()) {
        return machine->turn_of;
    }
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        if (machine->vcpus[i].thread == g_thread_self()) {
            return &machine->vcpus[i];
        }
    }
    return NULL;
}
