/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* thread=single: one thread runs all CPUs, each in its turn.
 *
 * A turn ends when the CPU halts, waits in a loop of PAUSEs (x86_exec_pause()), or has had it for
 * TURN_US: a second thread, which sleeps while no CPU runs, asks it to leave then. Virtual time is
 * the host's; where it follows what CPUs execute, machine-icount.c has a thread of its own that
 * gives turns by instructions. Threads: the CPUs', the keeper of turns; park and start any. */

#include "machine-turns.h"

#include <unistd.h>

enum { TURN_US = 5000 };

bool
machine_takes_turns(const Machine *machine)
{
    return machine->icount || machine->is_single_thread;
}

MachineVcpu *
machine_turns_next(Machine *machine, unsigned *turn)
{
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        MachineVcpu *vcpu = &machine->vcpus[(*turn + i) % machine->n_vcpus];

        if (!vcpu->crashed && !vcpu->held && machine_vcpu_has_work(vcpu)) {
            *turn = vcpu->cpu.index + 1;
            return vcpu;
        }
    }
    return NULL;
}

bool
machine_turns_set_parked(Machine *machine, bool parked)
{
    MachineVcpu *first = &machine->vcpus[0];

    if (first->parked == parked) {
        return false;
    }
    first->parked = parked;
    if (parked) {
        vit_map_reader_offline(&first->reader);
        g_cond_broadcast(&machine->parked_changed);
    } else {
        vit_map_reader_online(&first->reader);
    }
    return true;
}

static gpointer
turns_thread(gpointer data)
{
    Machine *machine = data;
    unsigned turn = 0;

    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        __atomic_store_n(&machine->vcpus[i].host_thread_id, gettid(), __ATOMIC_RELAXED);
    }
    g_mutex_lock(&machine->control);
    while (!machine->vcpus_quit) {
        MachineVcpu *vcpu = machine->run_wanted ? machine_turns_next(machine, &turn) : NULL;

        if (!vcpu) {
            machine_turns_set_parked(machine, true);
            g_cond_wait(&machine->vcpus[0].wake, &machine->control);
            continue;
        }
        machine_turns_set_parked(machine, false);
        machine->turn_of = vcpu;
        machine->turns++;
        g_cond_signal(&machine->turn_began);
        g_mutex_unlock(&machine->control);
        machine_vcpu_run(vcpu);
        vit_map_reader_quiescent(&machine->vcpus[0].reader);
        g_mutex_lock(&machine->control);
        machine->turn_of = NULL;
    }
    machine_turns_set_parked(machine, true);
    g_mutex_unlock(&machine->control);
    return NULL;
}

/* Ends turns that are too long. */
static gpointer
keeper_thread(gpointer data)
{
    Machine *machine = data;

    g_mutex_lock(&machine->control);
    while (!machine->vcpus_quit) {
        uint64_t turn = machine->turns;
        int64_t until_us = g_get_monotonic_time() + TURN_US;

        if (!machine->turn_of) {
            g_cond_wait(&machine->turn_began, &machine->control);
            continue;
        }
        while (!machine->vcpus_quit && g_get_monotonic_time() < until_us) {
            g_cond_wait_until(&machine->turn_began, &machine->control, until_us);
        }
        if (machine->turn_of && machine->turns == turn) {
            VitCpu *cpu = &machine->turn_of->cpu;
            g_mutex_unlock(&machine->control);
            vit_cpu_raise(cpu, VIT_CPU_EVENT_EXIT);
            g_mutex_lock(&machine->control);
        }
    }
    g_mutex_unlock(&machine->control);
    return NULL;
}

void
machine_turns_start(Machine *machine)
{
    g_cond_init(&machine->turn_began);
    machine->vcpus[0].thread = g_thread_new("CPUs", turns_thread, machine);
    if (machine->n_vcpus > 1) {
        machine->turn_keeper = g_thread_new("turns", keeper_thread, machine);
    }
}

void
machine_turns_join(Machine *machine)
{
    if (machine->turn_keeper) {
        g_mutex_lock(&machine->control);
        g_cond_signal(&machine->turn_began);
        g_mutex_unlock(&machine->control);
        g_thread_join(g_steal_pointer(&machine->turn_keeper));
    }
    g_cond_clear(&machine->turn_began);
}
