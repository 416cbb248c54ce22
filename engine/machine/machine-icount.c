/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -icount: time that follows instructions, so that a guest sees the same times in every run.
 *
 * One thread runs all CPUs in turn and the timers too: a CPU gets a budget that ends exactly at the
 * next deadline, the executor leaves on that very instruction, what is due is run, and so on. When
 * all CPUs sleep, time goes on with the host's (sleep=on) or jumps to the next deadline
 * (sleep=off). shift=auto changes the rate while the guest is far from real time; align=on holds
 * the guest back and says when it is late. What comes from outside (disk, network, keys) comes when
 * it comes; a guest without such is repeatable to the bit.
 *
 * Senses of sleep and the refused combinations are those of QEMU 7.2 itself, not of its manual.
 * Thread: its own, which is the thread of CPU 0; wake any. */

#include "machine-icount.h"
#include "machine-turns.h"

#include "vit-error.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SHIFT_MAX = 10,
    SHIFT_AUTO_FIRST = 3,
    TURN_INSTRUCTIONS = 50000,        /* of a CPU before the next one */
    AUTO_WINDOW_NS = 100000000,       /* shift=auto: how far from real time is too far */
    ALIGN_AHEAD_NS = 1000000,         /* align=on: sleep when so far ahead */
    ALIGN_TURN_NS = 10000000,         /* align=on: look so often */
    ALIGN_LATE_NS = 3 * 1000000000ll, /* align=on: worth a line */
};

struct MachineIcount {
    unsigned shift;
    bool is_auto, align, sleep;
    /* under a sequence of its own: read by any thread, changed by the counting one */
    uint32_t sequence;
    int64_t base_ns;
    uint64_t base_count;
    int64_t real_start_ns; /* virtual = real - this, if the guest kept up */
    int64_t told_late_ns;
};

/* ---- Settings ---- */

static bool
fail(Machine *machine, VitDiagList *diags, VitPlanSrc src, GError **error, const char *text)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "-icount: %s", text);
    if (diags && src.serial) {
        vit_config_diag_error(machine->config, src.serial, src.param, *error, diags);
    }
    return false;
}

static bool
is_on(const VitPlanOther *plan, const char *key, bool otherwise)
{
    const char *value = vit_plan_props_get(&plan->props, key);

    return value ? strcmp(value, "on") == 0 : otherwise;
}

static bool
read_options(Machine *machine, const VitPlanOther *plan, VitDiagList *diags, GError **error)
{
    MachineIcount *icount = g_new0(MachineIcount, 1);
    const char *shift = plan->value; /* shift= is implied */
    char *end;

    machine->icount = icount;
    icount->align = is_on(plan, "align", false);
    icount->sleep = is_on(plan, "sleep", true);
    icount->is_auto = !shift || strcmp(shift, "auto") == 0;
    icount->shift = SHIFT_AUTO_FIRST;
    if (!icount->is_auto) {
        unsigned long number = strtoul(shift, &end, 10);

        if (!g_ascii_isdigit(*shift) || *end || number > SHIFT_MAX) {
            return fail(machine, diags, plan->src, error,
                        "shift is a number from 0 to 10, or auto");
        }
        icount->shift = (unsigned)number;
    }
    if (icount->align && icount->is_auto) {
        return fail(machine, diags, plan->src, error,
                    "shift=auto and align=on contradict each other: give shift=N");
    }
    if (!icount->sleep && (icount->align || icount->is_auto)) {
        return fail(machine, diags, plan->src, error,
                    "sleep=off cannot keep to real time: give shift=N and leave align out");
    }
    return true;
}

bool
machine_wants_icount(const Machine *machine)
{
    for (guint i = 0; i < machine->plan->others->len; i++) {
        const VitPlanOther *plan = machine->plan->others->pdata[i];

        if (strcmp(plan->option, "icount") == 0) {
            return true;
        }
    }
    return false;
}

bool
machine_read_icount(Machine *machine, VitDiagList *diags, GError **error)
{
    for (guint i = 0; i < machine->plan->others->len; i++) {
        const VitPlanOther *plan = machine->plan->others->pdata[i];

        if (strcmp(plan->option, "icount") == 0 && !machine->icount &&
            !read_options(machine, plan, diags, error)) {
            return false;
        }
    }
    return true;
}

void
machine_free_icount(Machine *machine)
{
    g_clear_pointer(&machine->icount, g_free);
}

/* ---- Counting ---- */

static uint64_t
total_count(const Machine *machine)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        count += machine->executor->count(&machine->vcpus[i].cpu);
    }
    return count;
}

static int64_t
count_ns(void *opaque)
{
    const Machine *machine = opaque;
    const MachineIcount *icount = machine->icount;
    uint32_t before;
    int64_t ns;

    do {
        before = __atomic_load_n(&icount->sequence, __ATOMIC_ACQUIRE);
        ns = icount->base_ns +
             (int64_t)((total_count(machine) - icount->base_count) << icount->shift);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((before & 1) || before != __atomic_load_n(&icount->sequence, __ATOMIC_RELAXED));
    return ns;
}

static void
set_shift(Machine *machine, unsigned shift)
{
    MachineIcount *icount = machine->icount;
    int64_t now_ns = count_ns(machine);

    __atomic_fetch_add(&icount->sequence, 1, __ATOMIC_SEQ_CST);
    icount->base_ns = now_ns;
    icount->base_count = total_count(machine);
    icount->shift = shift;
    __atomic_fetch_add(&icount->sequence, 1, __ATOMIC_SEQ_CST);
}

void
machine_start_icount(Machine *machine)
{
    vit_clock_set_count(machine->clock, count_ns, machine);
}

void
machine_icount_wake(Machine *machine)
{
    MachineVcpu *current = __atomic_load_n(&machine->turn_of, __ATOMIC_ACQUIRE);

    if (current) {
        vit_cpu_raise(&current->cpu, VIT_CPU_EVENT_EXIT); /* kicks, which signals */
    } else if (machine->n_vcpus) {
        g_mutex_lock(&machine->control);
        g_cond_signal(&machine->vcpus[0].wake);
        g_mutex_unlock(&machine->control);
    }
}

/* ---- Real time ---- */

static int64_t
ahead_ns(Machine *machine)
{
    return vit_clock_get_ns(machine->clock) -
           (vit_clock_host_ns(machine->clock) - machine->icount->real_start_ns);
}

static void
adapt_shift(Machine *machine)
{
    MachineIcount *icount = machine->icount;
    int64_t ahead = ahead_ns(machine);

    if (ahead > AUTO_WINDOW_NS && icount->shift > 0) {
        set_shift(machine, icount->shift - 1);
    } else if (ahead < -AUTO_WINDOW_NS && icount->shift < SHIFT_MAX) {
        set_shift(machine, icount->shift + 1);
    } else {
        return;
    }
    icount->real_start_ns += -ahead; /* measured anew from here */
}

static void
hold_back(Machine *machine)
{
    MachineIcount *icount = machine->icount;
    int64_t ahead = ahead_ns(machine), now = vit_clock_host_ns(machine->clock);

    if (ahead > ALIGN_AHEAD_NS) {
        g_usleep((gulong)(ahead / 1000));
    } else if (-ahead > ALIGN_LATE_NS && now - icount->told_late_ns > 2 * VIT_NS_PER_SEC) {
        icount->told_late_ns = now;
        g_printerr("the guest is late by %.1f s\n", (double)-ahead / 1e9);
    }
}

/* ---- The thread ---- */

/* Runs what is due; returns how long nothing will be, -1 for ever. */
static int64_t
run_timers(Machine *machine)
{
    int64_t deadline_ns, wait_ns;

    vit_lock_take(&machine->lock);
    vit_clock_run_counted(machine->clock);
    deadline_ns = vit_clock_next_deadline_ns(machine->clock);
    vit_lock_release(&machine->lock);
    wait_ns = deadline_ns - vit_clock_get_ns(machine->clock);
    return deadline_ns < 0 ? -1 : MAX(0, wait_ns);
}

static void
run_turn(Machine *machine, MachineVcpu *vcpu, int64_t wait_ns)
{
    MachineIcount *icount = machine->icount;
    uint64_t budget = TURN_INSTRUCTIONS;

    if (icount->align) {
        budget = MIN(budget, (uint64_t)ALIGN_TURN_NS >> icount->shift);
    }
    if (wait_ns >= 0) {
        int64_t until = (wait_ns + (1ll << icount->shift) - 1) >> icount->shift;
        budget = MIN(budget, (uint64_t)MAX(until, 1));
    }
    vcpu->cpu.count_limit = machine->executor->count(&vcpu->cpu) + budget;
    __atomic_store_n(&machine->turn_of, vcpu, __ATOMIC_SEQ_CST);
    machine_vcpu_run(vcpu);
    __atomic_store_n(&machine->turn_of, NULL, __ATOMIC_SEQ_CST);
    if (icount->is_auto) {
        adapt_shift(machine);
    }
    if (icount->align) {
        hold_back(machine);
    }
}

/* No CPU has work: real time passes, or virtual time jumps. Returns with `control` taken. */
static void
pass_idle_time(Machine *machine, int64_t wait_ns)
{
    MachineIcount *icount = machine->icount;
    int64_t start_ns = vit_clock_host_ns(machine->clock);

    if (wait_ns >= 0 && !icount->sleep) {
        vit_clock_advance(machine->clock, wait_ns);
        return;
    }
    if (wait_ns < 0) {
        g_cond_wait(&machine->vcpus[0].wake, &machine->control);
    } else {
        g_cond_wait_until(&machine->vcpus[0].wake, &machine->control,
                          g_get_monotonic_time() + (wait_ns + 999) / 1000);
    }
    int64_t passed_ns = vit_clock_host_ns(machine->clock) - start_ns;
    vit_clock_advance(machine->clock, wait_ns < 0 ? passed_ns : MIN(passed_ns, wait_ns));
}

static void
set_parked(Machine *machine, bool parked)
{
    if (machine_turns_set_parked(machine, parked) && !parked) {
        machine->icount->real_start_ns =
            vit_clock_host_ns(machine->clock) - vit_clock_get_ns(machine->clock);
    }
}

gpointer
machine_icount_thread(gpointer data)
{
    Machine *machine = data;
    MachineVcpu *vcpu;
    unsigned turn = 0;

    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        __atomic_store_n(&machine->vcpus[i].host_thread_id, gettid(), __ATOMIC_RELAXED);
    }
    g_mutex_lock(&machine->control);
    while (!machine->vcpus_quit) {
        int64_t wait_ns;

        if (!machine->run_wanted) {
            set_parked(machine, true);
            g_cond_wait(&machine->vcpus[0].wake, &machine->control);
            continue;
        }
        set_parked(machine, false);
        g_mutex_unlock(&machine->control);
        wait_ns = run_timers(machine);
        vit_map_reader_quiescent(&machine->vcpus[0].reader);
        g_mutex_lock(&machine->control);
        vcpu = machine->run_wanted && wait_ns != 0 ? machine_turns_next(machine, &turn) : NULL;
        if (vcpu) {
            g_mutex_unlock(&machine->control);
            run_turn(machine, vcpu, wait_ns);
            g_mutex_lock(&machine->control);
        } else if (machine->run_wanted && wait_ns != 0 && !machine->vcpus_quit) {
            pass_idle_time(machine, wait_ns);
        }
    }
    set_parked(machine, true);
    g_mutex_unlock(&machine->control);
    return NULL;
}
