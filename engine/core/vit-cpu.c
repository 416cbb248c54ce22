/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Events raised at CPUs. The event word is the only thing shared between the CPU's thread and
 * others; it is ordered so that whoever sees an event also sees what was written before it. */

#include "vit-cpu.h"

void
vit_cpu_raise(VitCpu *cpu, uint32_t events)
{
    uint32_t before = __atomic_fetch_or(&cpu->events, events, __ATOMIC_SEQ_CST);

    if ((before & events) == events) {
        return; /* already pending: whoever raised it has woken the CPU */
    }
    if (cpu->executor && cpu->executor->kick) {
        cpu->executor->kick(cpu);
    }
    if (cpu->kick) {
        cpu->kick(cpu);
    }
}

void
vit_cpu_lower(VitCpu *cpu, uint32_t events)
{
    __atomic_fetch_and(&cpu->events, ~events, __ATOMIC_SEQ_CST);
}

void
vit_cpu_sipi(VitCpu *cpu, uint8_t vector)
{
    __atomic_store_n(&cpu->sipi_vector, vector, __ATOMIC_RELEASE);
    vit_cpu_raise(cpu, VIT_CPU_EVENT_SIPI);
}

void
vit_cpu_set_a20(VitCpu *cpu, bool enabled)
{
    if (cpu->a20_enabled != enabled) {
        __atomic_store_n(&cpu->a20_enabled, enabled, __ATOMIC_RELEASE);
        vit_cpu_raise(cpu, VIT_CPU_EVENT_MAP_CHANGED);
    }
}
