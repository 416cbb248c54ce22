/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the CPU notices between two instructions.
 *
 * Order of urgency by Intel SDM volume 3 table 6-2: requests of the machine itself, machine check,
 * INIT, SMI, NMI, maskable interrupts; 6.7.1 and 6.8.1 to 6.8.3 for what holds them off; 8.4
 * (INIT, start-up IPI). The event word is shared with other threads; an edge is cleared before it
 * is acted on, so that one raised meanwhile is not lost. Thread: the CPU's own. */

#include "x86-exec.h"
#include "x86-log.h"
#include "x86-svm.h"
#include "x86-system.h"

/* What the global interrupt flag of SVM holds off. */
static const uint32_t waits_for_gif =
    VIT_CPU_EVENT_INTR | VIT_CPU_EVENT_NMI | VIT_CPU_EVENT_SMI | VIT_CPU_EVENT_INIT;

static bool
take(X86Core *core, uint32_t events, uint32_t event)
{
    if (!(events & event)) {
        return false;
    }
    vit_cpu_lower(core->cpu, event);
    return true;
}

static void
take_init(X86Core *core)
{
    const VitCpuHost *host = core->cpu->host;

    if (core->s.activity == X86_WAIT_FOR_SIPI && !core->cpu->is_bsp) {
        return; /* a second INIT changes nothing */
    }
    x86_state_reset(core, true);
    if (host->init_taken) {
        vit_lock_take(vit_address_space_lock(host->memory));
        host->init_taken(host->opaque);
        vit_lock_release(vit_address_space_lock(host->memory));
    }
}

static void
take_sipi(X86Core *core)
{
    X86State *s = &core->s;
    uint8_t vector = __atomic_load_n(&core->cpu->sipi_vector, __ATOMIC_ACQUIRE);

    if (s->activity != X86_WAIT_FOR_SIPI) {
        return;
    }
    s->activity = X86_ACTIVE;
    s->seg[X86_CS].selector = (uint16_t)vector << 8;
    s->seg[X86_CS].base = (uint32_t)vector << 12;
    s->rip = core->next_rip = 0;
    core->code_generation++;
}

static bool
deliver(X86Core *core, X86EventKind kind, uint8_t vector)
{
    X86Event event = { .vector = vector, .kind = kind, .return_rip = core->s.rip };

    core->s.activity = X86_ACTIVE;
    return x86_deliver(core, &event);
}

static bool
take_machine_check(X86Core *core)
{
    if (!(core->s.cr4 & X86_CR4_MCE)) {
        core->s.activity = X86_SHUTDOWN;
        return false;
    }
    return deliver(core, X86_EVENT_FAULT, X86_EXC_MC);
}

/* Asks the interrupt controller for the vector; false = triple fault. */
static bool
take_interrupt(X86Core *core)
{
    const VitCpuHost *host = core->cpu->host;
    VitLock *lock = vit_address_space_lock(host->memory);

    vit_lock_take(lock);
    int vector = host->interrupt_ack(host->opaque);
    vit_lock_release(lock);
    if (vector >= 0 && x86_log_wants(core, VIT_LOG_INT)) {
        vit_log_printf(host->log, "Servicing hardware INT=0x%02x\n", vector);
    }
    return vector < 0 || deliver(core, X86_EVENT_EXTERNAL, vector);
}

static bool
may_interrupt(const X86State *s)
{
    bool enabled = s->svm.masks_interrupts ? s->svm.host_if : s->rflags & X86_FLAG_IF;

    return enabled && !s->interrupt_shadow &&
           (s->activity == X86_ACTIVE || s->activity == X86_HALTED);
}

static bool
may_nmi(const X86State *s)
{
    return !s->nmi_blocked && !s->interrupt_shadow && s->activity != X86_WAIT_FOR_SIPI;
}

/* Takes events that go through the IDT or replace the state; false = triple fault. */
static bool
take_one(X86Core *core, uint32_t events)
{
    X86State *s = &core->s;
    int virtual_vector;

    if (s->svm.interrupts_off) {
        events &= ~waits_for_gif;
    }
    if (s->svm.guest && x86_svm_takes_event(core, events)) {
        return true;
    }
    if (take(core, events, VIT_CPU_EVENT_MCE)) {
        return take_machine_check(core);
    }
    if (!s->in_smm && take(core, events, VIT_CPU_EVENT_INIT)) {
        take_init(core);
        return true;
    }
    if (take(core, events, VIT_CPU_EVENT_SIPI)) {
        take_sipi(core);
        return true;
    }
    if (!s->in_smm && !s->smi_blocked && s->activity != X86_WAIT_FOR_SIPI &&
        take(core, events, VIT_CPU_EVENT_SMI)) {
        x86_smm_enter(core);
        return true;
    }
    if (may_nmi(s) && take(core, events, VIT_CPU_EVENT_NMI)) {
        return deliver(core, X86_EVENT_NMI, X86_EXC_NMI);
    }
    if ((events & VIT_CPU_EVENT_INTR) && may_interrupt(s)) {
        return take_interrupt(core);
    }
    if (s->svm.virtual_irq && (virtual_vector = x86_svm_virtual_interrupt(core)) >= 0) {
        s->svm.virtual_irq = false;
        return deliver(core, X86_EVENT_EXTERNAL, virtual_vector);
    }
    return true;
}

/* An event that another executor had begun to deliver when the state was taken from it. False =
 * triple fault. */
static bool
finish_pending(X86Core *core)
{
    X86State *s = &core->s;
    X86Event event = {
        .vector = s->pending_vector,
        .kind = s->pending_vector == X86_EXC_NMI ? X86_EVENT_NMI
                : s->pending_vector < 32         ? X86_EVENT_FAULT
                                                 : X86_EVENT_EXTERNAL,
        .has_error = s->pending_has_error && !x86_real_mode(s),
        .error = s->pending_error,
        .return_rip = s->rip,
    };
    bool soft = s->pending_is_soft;

    s->pending_vector = -1;
    /* rIP is still at the INT instruction: it will simply be executed */
    return soft || x86_deliver(core, &event);
}

bool
x86_has_events(const X86Core *core)
{
    const X86State *s = &core->s;
    uint32_t events = vit_cpu_events(core->cpu);
    uint32_t wanted =
        VIT_CPU_EVENT_MAP_CHANGED | VIT_CPU_EVENT_EXIT | VIT_CPU_EVENT_MCE | VIT_CPU_EVENT_SIPI;

    wanted |= s->in_smm ? 0 : VIT_CPU_EVENT_INIT;
    wanted |= !s->in_smm && s->activity != X86_WAIT_FOR_SIPI ? VIT_CPU_EVENT_SMI : 0;
    wanted |= may_nmi(s) ? VIT_CPU_EVENT_NMI : 0;
    wanted |= may_interrupt(s) ? VIT_CPU_EVENT_INTR : 0;
    if (s->svm.interrupts_off) {
        wanted &= ~waits_for_gif;
    }
    return (events & wanted) || x86_svm_virtual_interrupt(core) >= 0;
}

bool
x86_take_events(X86Core *core, VitCpuExit *out_exit)
{
    uint32_t events = vit_cpu_events(core->cpu) & ~x86_host_debug_masked_events(core);

    if (take(core, events, VIT_CPU_EVENT_MAP_CHANGED)) {
        x86_tlb_flush_all(core);
    }
    if (take(core, events, VIT_CPU_EVENT_EXIT)) {
        x86_host_debug_refresh(core);
        *out_exit = VIT_CPU_EXIT_REQUEST;
        return false;
    }
    bool alive = core->s.pending_vector < 0 || finish_pending(core);
    if (!alive || !take_one(core, events)) {
        *out_exit = VIT_CPU_EXIT_SHUTDOWN;
        return false;
    }
    switch (core->s.activity) {
    case X86_ACTIVE: return true;
    case X86_SHUTDOWN: *out_exit = VIT_CPU_EXIT_SHUTDOWN; return false;
    default: *out_exit = VIT_CPU_EXIT_HALT; return false;
    }
}
