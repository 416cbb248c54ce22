/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Performance counters, given with pmu=on: four that are programmed, by Intel's numbers (SDM volume
 * 3 chapter 19, architectural version 2) and on AMD models by AMD's (APM volume 2 13.2.1), and with
 * Intel's three fixed ones.
 *
 * Two things are counted: instructions retired (event 0xC0) and cycles (0x3C, AMD 0x76; fixed 1 and
 * 2), which are ticks of the TSC; any other event stays at 0. Instructions are counted by
 * interpretation alone, so a CPU that counts them is not translated meanwhile.
 * Deviations: counters do not interrupt when they overflow (GLOBAL_STATUS tells of it when they are
 * read or written next), and cycles of a halted CPU count. Thread: the CPU's own. */

#include "x86-system.h"

enum {
    SELECT_USER = 1u << 16,
    SELECT_SYSTEM = 1u << 17,
    SELECT_ENABLE = 1u << 22,
    EVENT_INSTRUCTIONS = 0xc0,
    EVENT_CYCLES = 0x3c,
    EVENT_CYCLES_AMD = 0x76,
    FIXED_FIRST = 32, /* bit of global control */
};
#define COUNTER_MASK ((1ull << 48) - 1)

typedef enum Source { SOURCE_NONE, SOURCE_INSTRUCTIONS, SOURCE_CYCLES } Source;

static bool
is_amd(const X86Core *core)
{
    return g_str_equal(core->model->vendor, "AuthenticAMD") ||
           g_str_equal(core->model->vendor, "HygonGenuine");
}

/* What programmed counter N counts, at any privilege. */
static Source
source_of(const X86Core *core, unsigned n)
{
    const X86Pmu *pmu = &core->s.pmu;
    uint64_t select = pmu->select[n];

    if (!(select & SELECT_ENABLE) || (!is_amd(core) && !(pmu->global_control >> n & 1))) {
        return SOURCE_NONE;
    }
    switch (select & 0xff) {
    case EVENT_INSTRUCTIONS: return SOURCE_INSTRUCTIONS;
    case EVENT_CYCLES: return is_amd(core) ? SOURCE_NONE : SOURCE_CYCLES;
    case EVENT_CYCLES_AMD: return is_amd(core) ? SOURCE_CYCLES : SOURCE_NONE;
    default: return SOURCE_NONE;
    }
}

static Source
fixed_source_of(const X86Core *core, unsigned n)
{
    const X86Pmu *pmu = &core->s.pmu;

    if (!(pmu->fixed_control >> (4 * n) & 3) || !(pmu->global_control >> (FIXED_FIRST + n) & 1)) {
        return SOURCE_NONE;
    }
    return n == 0 ? SOURCE_INSTRUCTIONS : SOURCE_CYCLES;
}

static void
advance(X86Core *core, uint64_t *counter, uint64_t by, unsigned status_bit)
{
    if (*counter + by > COUNTER_MASK) {
        core->s.pmu.global_status |= 1ull << status_bit;
    }
    *counter = (*counter + by) & COUNTER_MASK;
}

void
x86_pmu_settle(X86Core *core)
{
    X86Pmu *pmu = &core->s.pmu;
    bool user = core->s.cpl == 3;
    uint64_t tsc = x86_tsc(core);
    const uint64_t passed[] = { [SOURCE_INSTRUCTIONS] = core->instructions - core->pmu_instructions,
                                [SOURCE_CYCLES] = tsc - core->pmu_tsc };

    core->pmu_instructions = core->instructions;
    core->pmu_tsc = tsc;
    for (unsigned i = 0; i < X86_PMU_COUNTERS; i++) {
        if (pmu->select[i] & (user ? SELECT_USER : SELECT_SYSTEM)) {
            advance(core, &pmu->count[i], passed[source_of(core, i)], i);
        }
    }
    for (unsigned i = 0; i < X86_PMU_FIXED; i++) {
        if (pmu->fixed_control >> (4 * i) & (user ? 2 : 1)) {
            advance(core, &pmu->fixed[i], passed[fixed_source_of(core, i)], FIXED_FIRST + i);
        }
    }
}

static void
controls_changed(X86Core *core)
{
    X86Pmu *pmu = &core->s.pmu;

    pmu->counts_instructions = fixed_source_of(core, 0) == SOURCE_INSTRUCTIONS;
    for (unsigned i = 0; i < X86_PMU_COUNTERS; i++) {
        pmu->counts_instructions |= source_of(core, i) == SOURCE_INSTRUCTIONS;
    }
}

/* The place of register INDEX; CONTROLS: whether it says what is counted. */
static uint64_t *
place_of(X86Core *core, uint32_t index, bool *out_controls)
{
    X86Pmu *pmu = &core->s.pmu;

    *out_controls = false;
    switch (index) {
    case 0xc1 ... 0xc4: return &pmu->count[index - 0xc1];
    case 0xc0010004 ... 0xc0010007: return &pmu->count[index - 0xc0010004];
    case 0x309 ... 0x30b: return &pmu->fixed[index - 0x309];
    case 0x38e: return &pmu->global_status;
    default: break;
    }
    *out_controls = true;
    switch (index) {
    case 0x186 ... 0x189: return &pmu->select[index - 0x186];
    case 0xc0010000 ... 0xc0010003: return &pmu->select[index - 0xc0010000];
    case 0x38d: return &pmu->fixed_control;
    default: return &pmu->global_control; /* 0x38f */
    }
}

bool
x86_pmu_read(X86Core *core, uint32_t index, uint64_t *out_value)
{
    bool controls;

    x86_pmu_settle(core);
    *out_value = *place_of(core, index, &controls);
    return true;
}

/* Bits software may set. */
static uint64_t
writable(uint32_t index)
{
    switch (index) {
    case 0x186 ... 0x189: return 0xffffffff;
    case 0x38d: return 0xbbb;
    case 0x38e: return 0;
    case 0x38f: return 0x70000000full;
    default: return UINT64_MAX;
    }
}

bool
x86_pmu_write(X86Core *core, uint32_t index, uint64_t value)
{
    bool controls;

    if (value & ~writable(index)) {
        return false;
    }
    x86_pmu_settle(core);
    uint64_t *place = place_of(core, index, &controls);
    if (index >= 0xc1 && index <= 0xc4) {
        value = (uint64_t)(int64_t)(int32_t)value; /* by these numbers 32 bits are written */
    }
    *place = controls ? value : value & COUNTER_MASK;
    controls_changed(core);
    return true;
}

bool
x86_pmu_clear_status(X86Core *core, uint64_t value)
{
    x86_pmu_settle(core);
    core->s.pmu.global_status &= ~value;
    return true;
}

bool
x86_pmu_rdpmc(X86Core *core, uint32_t index, uint64_t *out_value)
{
    bool fixed = index >> 30 == 1 && !is_amd(core);
    uint32_t number = fixed ? index & 0x3fffffff : index;

    if (!core->model->has_pmu || number >= (fixed ? X86_PMU_FIXED : X86_PMU_COUNTERS)) {
        return false;
    }
    x86_pmu_settle(core);
    *out_value = fixed ? core->s.pmu.fixed[number] : core->s.pmu.count[number];
    return true;
}

void
x86_pmu_restart(X86Core *core)
{
    core->pmu_instructions = core->instructions;
    core->pmu_tsc = x86_tsc(core);
    controls_changed(core);
}
