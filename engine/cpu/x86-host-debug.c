/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Breakpoints, watchpoints and steps of a debugger outside the guest (VitCpu.debug), as the
 * interpreter serves them. The guest sees nothing of it: no debug register, no byte of its code and
 * no flag is changed. Breakpoints stop before an instruction, watchpoints after the one that
 * touched them, which is what x86 debuggers expect. Pages with watchpoints stay out of the TLB's
 * hit path as those with the guest's own do. Thread: the CPU's own. */

#include "x86-exec.h"
#include "x86-log.h"
#include "x86-system.h"

void
x86_host_debug_refresh(X86Core *core)
{
    const VitCpuDebug *debug = &core->cpu->debug;

    core->log_each = x86_log_wants(core, X86_LOG_EACH);
    core->host_debug = debug->single_step || debug->n_points || core->log_each;
}

void
x86_host_debug_changed(X86Core *core)
{
    const VitCpuDebug *debug = &core->cpu->debug;

    x86_host_debug_refresh(core);
    core->host_watching = false;
    core->host_hit = false;
    for (unsigned i = 0; i < debug->n_points; i++) {
        core->host_watching |= debug->points[i].kind != VIT_DEBUG_EXECUTE;
    }
    x86_debug_registers_changed(core);
}

/* Whether POINT has a byte in [START, LAST]. */
static bool
touches(const VitDebugPoint *point, uint64_t start, uint64_t last)
{
    uint64_t point_last = point->address + (point->len ? point->len - 1 : 0);

    return point->kind != VIT_DEBUG_EXECUTE && start <= point_last && point->address <= last;
}

bool
x86_host_debug_watches_page(const X86Core *core, uint64_t linear)
{
    const VitCpuDebug *debug = &core->cpu->debug;
    uint64_t page = linear & ~(uint64_t)0xfff;

    for (unsigned i = 0; core->host_watching && i < debug->n_points; i++) {
        if (touches(&debug->points[i], page, page | 0xfff)) {
            return true;
        }
    }
    return false;
}

void
x86_host_debug_note_access(X86Core *core, uint64_t linear, size_t len, bool write)
{
    VitCpuDebug *debug = &core->cpu->debug;

    for (unsigned i = 0; !core->host_hit && i < debug->n_points; i++) {
        const VitDebugPoint *point = &debug->points[i];
        VitDebugKind other = write ? VIT_DEBUG_READ : VIT_DEBUG_WRITE;

        if (point->kind != other && touches(point, linear, linear + len - 1)) {
            core->host_hit = true;
            debug->stop = VIT_DEBUG_STOP_WATCHPOINT;
            debug->watch_kind = point->kind;
            debug->address = MAX(linear, point->address);
        }
    }
}

bool
x86_host_debug_before(X86Core *core)
{
    const X86State *s = &core->s;
    VitCpuDebug *debug = &core->cpu->debug;
    uint64_t linear = x86_code64(s) ? s->rip : (uint32_t)(s->seg[X86_CS].base + s->rip);

    for (unsigned i = 0; i < debug->n_points; i++) {
        if (debug->points[i].kind == VIT_DEBUG_EXECUTE && debug->points[i].address == linear) {
            debug->stop = VIT_DEBUG_STOP_BREAKPOINT;
            debug->address = linear;
            return true;
        }
    }
    if (core->log_each) {
        x86_log_instruction(core);
    }
    return false;
}

bool
x86_host_debug_after(X86Core *core)
{
    VitCpuDebug *debug = &core->cpu->debug;

    if (core->host_hit) {
        core->host_hit = false;
        return true;
    }
    if (debug->single_step) {
        debug->stop = VIT_DEBUG_STOP_STEP;
        debug->address = core->s.rip;
        return true;
    }
    return false;
}

uint32_t
x86_host_debug_masked_events(const X86Core *core)
{
    const VitCpuDebug *debug = &core->cpu->debug;

    return debug->single_step && debug->step_masks_irqs && core->s.activity == X86_ACTIVE
               ? VIT_CPU_EVENT_INTR | VIT_CPU_EVENT_NMI | VIT_CPU_EVENT_SMI
               : 0;
}
