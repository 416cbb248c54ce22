/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The interpreter as an executor (engine/core/vit-cpu.h), and the life of an X86Core. The state is
 * always up to date between instructions, so there is nothing to bring in or out but the caches
 * derived from it. */

#include "x86-exec.h"
#include "x86-log.h"
#include "x86-system.h"
#include "x86-vector.h"

bool
x86_core_init(X86Core *core, VitCpu *cpu, const X86CpuModel *model, GError **error)
{
    core->cpu = cpu;
    core->model = model;
    core->vector_unit = x86_vector_unit_new(error);
    if (!core->vector_unit) {
        return false;
    }
    core->mmu = x86_mmu_new();
    core->decode_cache = x86_decode_cache_new();
    x86_host_debug_refresh(core);
    x86_state_reset(core, false);
    return true;
}

void
x86_core_finish(X86Core *core)
{
    x86_log_free(core->log);
    x86_decode_cache_free(core->decode_cache);
    x86_mmu_free(core->mmu);
    x86_vector_unit_free(core->vector_unit);
}

X86Core *
x86_core_new(VitCpu *cpu, const X86CpuModel *model, GError **error)
{
    X86Core *core = g_aligned_alloc0(1, sizeof(*core), _Alignof(X86Core));

    if (!x86_core_init(core, cpu, model, error)) {
        g_aligned_free(core);
        return NULL;
    }
    return core;
}

void
x86_core_free(X86Core *core)
{
    if (core) {
        x86_core_finish(core);
        g_aligned_free(core);
    }
}

static bool
interp_create(VitCpu *cpu, const void *model, GError **error)
{
    cpu->state = x86_core_new(cpu, model, error);
    return cpu->state != NULL;
}

static void
interp_destroy(VitCpu *cpu)
{
    x86_core_free(cpu->state);
    cpu->state = NULL;
}

static void
interp_reset(VitCpu *cpu)
{
    x86_state_reset(cpu->state, false);
}

static VitCpuExit
interp_run(VitCpu *cpu)
{
    return x86_interp_run(cpu->state);
}

static void
interp_sync_in(VitCpu *cpu)
{
    x86_state_changed(cpu->state);
}

static void
interp_debug_changed(VitCpu *cpu)
{
    x86_host_debug_changed(cpu->state);
}

static uint64_t
interp_count(const VitCpu *cpu)
{
    return __atomic_load_n(&((const X86Core *)cpu->state)->instructions, __ATOMIC_RELAXED);
}

const VitExecutor vit_interp_executor = {
    .name = "tcg",
    .create = interp_create,
    .destroy = interp_destroy,
    .reset = interp_reset,
    .run = interp_run,
    .sync_in = interp_sync_in,
    .debug_changed = interp_debug_changed,
    .count = interp_count,
};
