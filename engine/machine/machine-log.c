/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -d, -D, -dfilter, -singlestep and the monitor's "log" and "logfile". The log itself is
 * engine/core's (vit-log.h). Thread: machine thread, device lock held; guest errors any. */

#include "machine-monitor.h"

#include <string.h>

static void
dump(void *opaque, unsigned cpu, bool with_fpu, GString *out)
{
    machine_dump_registers_brief(opaque, cpu, with_fpu, out);
}

bool
machine_start_log(Machine *machine, GError **error)
{
    const VitMachinePlan *plan = machine->plan;

    machine->log = vit_log_new();
    vit_log_set_dump(machine->log, dump, machine);
    return vit_log_set_file(machine->log, plan->log_file, error) &&
           (!plan->log_filter || vit_log_set_filter(machine->log, plan->log_filter, error)) &&
           vit_log_set_items(machine->log, plan->log_items, error);
}

bool
machine_set_log_items(Machine *machine, const char *items, GError **error)
{
    if (!vit_log_set_items(machine->log, items, error)) {
        return false;
    }
    /* CPUs look at what is wanted when they leave and enter */
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        vit_cpu_raise(&machine->vcpus[i].cpu, VIT_CPU_EVENT_EXIT);
    }
    return true;
}

bool
machine_set_log_file(Machine *machine, const char *path, GError **error)
{
    return vit_log_set_file(machine->log, path && *path ? path : NULL, error);
}

void
machine_log_guest_error(Machine *machine, const char *line)
{
    if (vit_log_wants(machine->log, VIT_LOG_GUEST_ERRORS)) {
        vit_log_printf(machine->log, "%s\n", line);
    }
}
