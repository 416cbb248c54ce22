/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Debug registers and the #DB exception.
 *
 * Intel SDM volume 3 chapter 17.2 (DR6, DR7), 17.3.1 (conditions and their order). Instruction
 * breakpoints are faults found before an instruction; data, I/O, task-switch and single-step
 * conditions are traps found after it. Pages with armed data breakpoints never enter the TLB's hit
 * path, so nothing is paid while none is armed. Thread: the CPU's own. */

#include "x86-exec.h"
#include "x86-system.h"

enum { WATCH_EXECUTE, WATCH_WRITE, WATCH_IO, WATCH_ACCESS };

static bool
is_armed(const X86State *s, unsigned i)
{
    return s->dr[7] >> (2 * i) & 3;
}

static unsigned
watch_kind(const X86State *s, unsigned i)
{
    return s->dr[7] >> (16 + 4 * i) & 3;
}

static unsigned
watch_len(const X86State *s, unsigned i)
{
    static const uint8_t lens[] = { 1, 2, 8, 4 };
    return lens[s->dr[7] >> (18 + 4 * i) & 3];
}

static bool
overlaps(uint64_t watch, unsigned watch_bytes, uint64_t start, size_t len)
{
    watch &= ~(uint64_t)(watch_bytes - 1);
    return start < watch + watch_bytes && watch < start + len;
}

void
x86_debug_note_access(X86Core *core, uint64_t linear, size_t len, bool write)
{
    const X86State *s = &core->s;

    if (core->host_watching) {
        x86_host_debug_note_access(core, linear, len, write);
    }
    for (unsigned i = 0; i < 4; i++) {
        unsigned kind = watch_kind(s, i);
        if (is_armed(s, i) && (kind == WATCH_ACCESS || (kind == WATCH_WRITE && write)) &&
            overlaps(s->dr[i], watch_len(s, i), linear, len)) {
            core->debug_pending |= 1u << i;
        }
    }
}

void
x86_debug_note_io(X86Core *core, uint16_t port, unsigned size)
{
    const X86State *s = &core->s;

    if (!(s->cr4 & X86_CR4_DE)) {
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (is_armed(s, i) && watch_kind(s, i) == WATCH_IO &&
            overlaps(s->dr[i], watch_len(s, i), port, size)) {
            core->debug_pending |= 1u << i;
        }
    }
}

void
x86_check_code_breakpoint(X86Core *core, uint64_t linear)
{
    X86State *s = &core->s;
    uint32_t hits = 0;

    for (unsigned i = 0; i < 4; i++) {
        if (is_armed(s, i) && watch_kind(s, i) == WATCH_EXECUTE && s->dr[i] == linear) {
            hits |= 1u << i;
        }
    }
    if (hits) {
        s->dr[6] = (s->dr[6] & ~0xfull) | hits;
        x86_fault(core, X86_EXC_DB);
    }
}

void
x86_debug_trap(X86Core *core, bool single_step)
{
    X86State *s = &core->s;

    if (core->debug_pending & 0xf) {
        s->dr[6] &= ~0xfull;
    }
    s->dr[6] |= core->debug_pending | (single_step ? X86_DR6_BS : 0);
    core->debug_pending = 0;
    x86_fault(core, X86_EXC_DB);
}

void
x86_debug_registers_changed(X86Core *core)
{
    X86State *s = &core->s;
    bool data = core->host_watching;

    core->code_breakpoints = false;
    for (unsigned i = 0; i < 4; i++) {
        if (is_armed(s, i)) {
            core->code_breakpoints |= watch_kind(s, i) == WATCH_EXECUTE;
            data |= watch_kind(s, i) != WATCH_EXECUTE;
        }
    }
    if (data || core->mmu->watching) {
        core->mmu->watching = data;
        x86_tlb_flush_all(core); /* watched pages leave the hit path, others come back */
    }
}
