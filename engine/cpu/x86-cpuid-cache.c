/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The caches a CPU model tells of: leaves 2 and 4, and AMD's 0x80000005, 0x80000006, 0x8000001D.
 *
 * Intel SDM volume 2 CPUID (leaf 2 descriptors, leaf 4); AMD APM volume 3 appendix E.3.4, E.4. A
 * hierarchy is a row of data. Models without one of their own have the one that virtual CPUs have
 * long shown, which differs between the two makers' leaves; Zen models have theirs.
 * Pure; thread: any. */

#include "x86-system.h"

enum { A, B, C, D };
enum { LINE_BYTES = 64 };

typedef struct Cache {
    uint8_t level, type; /* type: 1 data, 2 instructions, 3 unified */
    uint8_t ways;
    uint32_t sets;
    bool self_init;
    uint8_t properties; /* as leaf 4 EDX: 1 WBINVD not to sharers, 2 inclusive, 4 hashed index */
    uint8_t descriptor; /* in leaf 2 */
} Cache;

typedef struct Hierarchy {
    Cache data, code, second, third;
} Hierarchy;

static const Hierarchy hierarchies[] = {
    [X86_CACHES_DEFAULT] = { { 1, 1, 8, 64, true, 1, 0x2c },
                             { 1, 2, 8, 64, true, 1, 0x30 },
                             { 2, 3, 16, 4096, true, 1, 0x7d },
                             { 3, 3, 16, 16384, true, 6, 0x4d } },
    [X86_CACHES_ZEN] = { { 1, 1, 8, 64, true, 1, 0x2c },
                         { 1, 2, 4, 256, true, 1, 0xff },
                         { 2, 3, 8, 1024, false, 0, 0x80 },
                         { 3, 3, 16, 8192, true, 6, 0x4b } },
    [X86_CACHES_ZEN2] = { { 1, 1, 8, 64, true, 1, 0x2c },
                          { 1, 2, 8, 64, true, 1, 0x30 },
                          { 2, 3, 8, 1024, false, 0, 0x80 },
                          { 3, 3, 16, 16384, true, 6, 0x4d } },
    [X86_CACHES_ZEN3] = { { 1, 1, 8, 64, true, 1, 0x2c },
                          { 1, 2, 8, 64, true, 1, 0x30 },
                          { 2, 3, 8, 1024, false, 0, 0x80 },
                          { 3, 3, 16, 32768, true, 6, 0xff } },
};
/* What the default is in AMD's leaves. */
static const Hierarchy default_amd = { { 1, 1, 2, 512, true, 1, 0 },
                                       { 1, 2, 2, 512, true, 1, 0 },
                                       { 2, 3, 16, 512, false, 0, 0 },
                                       { 3, 3, 16, 16384, true, 6, 0 } };

static const Hierarchy *
hierarchy(const X86CpuModel *model, bool amd_form)
{
    unsigned caches = model->legacy_cache ? X86_CACHES_DEFAULT : model->caches;

    return amd_form && caches == X86_CACHES_DEFAULT ? &default_amd : &hierarchies[caches];
}

static unsigned
kib(const Cache *cache)
{
    return cache->ways * cache->sets * LINE_BYTES / 1024;
}

/* AMD's code for the number of ways of a second or third level cache. */
static uint32_t
ways_code(unsigned ways)
{
    return ways >= 128  ? 14
           : ways >= 64 ? 12
           : ways >= 32 ? 10
           : ways >= 16 ? 8
           : ways >= 8  ? 6
                        : 4;
}

static void
describe(const X86CpuModel *model, unsigned index, bool amd_form, uint32_t r[4])
{
    const Hierarchy *h = hierarchy(model, amd_form);
    const Cache *cache = index == 0   ? &h->data
                         : index == 1 ? &h->code
                         : index == 2 ? &h->second
                                      : &h->third;
    if (index > 3 || (index == 3 && !model->l3_cache)) {
        return;
    }
    r[A] = cache->type | cache->level << 5 | (uint32_t)cache->self_init << 8;
    if (amd_form) { /* CPUs that share it; a third level is a die's */
        r[A] |=
            (x86_topology_cpus(model, cache->level < 3 ? X86_TOPOLOGY_CORE : X86_TOPOLOGY_DIE) - 1)
            << 14;
    } else { /* APIC ids that may share it, and those of cores in the package */
        X86TopologyLevel level = cache->level < 3 ? X86_TOPOLOGY_CORE : X86_TOPOLOGY_PACKAGE;
        r[A] |= ((1u << x86_topology_shift(model, level)) - 1) << 14;
        unsigned cores = 1u << (x86_topology_shift(model, X86_TOPOLOGY_PACKAGE) -
                                x86_topology_shift(model, X86_TOPOLOGY_CORE));
        r[A] |= (MIN(cores, 64u) - 1) << 26;
    }
    r[B] = (LINE_BYTES - 1) | (uint32_t)(cache->ways - 1) << 22;
    r[C] = cache->sets - 1;
    r[D] = cache->properties;
}

static uint32_t
first_level(const Cache *cache)
{
    return kib(cache) << 24 | (uint32_t)cache->ways << 16 | 1u << 8 | LINE_BYTES;
}

void
x86_cpuid_caches(const X86CpuModel *model, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    const Hierarchy *h = hierarchy(model, leaf >= 0x80000000);

    switch (leaf) {
    case 2:
        r[A] = 1;
        r[C] = model->l3_cache ? h->third.descriptor : 0;
        r[D] = (uint32_t)h->data.descriptor << 16 | (uint32_t)h->code.descriptor << 8 |
               h->second.descriptor;
        break;
    case 4: describe(model, subleaf, false, r); break;
    case 0x80000005:
        r[A] = r[B] = 0x01ff01ff; /* 255 entries, fully associative, for 2 MiB and 4 KiB pages */
        r[C] = first_level(&h->data);
        r[D] = first_level(&h->code);
        break;
    case 0x80000006:
        r[B] = 0x42004200; /* 512 entries, 4 ways */
        r[C] = kib(&h->second) << 16 | ways_code(h->second.ways) << 12 | 1u << 8 | LINE_BYTES;
        if (model->l3_cache) {
            r[D] =
                kib(&h->third) / 512 << 18 | ways_code(h->third.ways) << 12 | 1u << 8 | LINE_BYTES;
        }
        break;
    case 0x8000001d: describe(model, subleaf, true, r); break;
    default: break;
    }
}
