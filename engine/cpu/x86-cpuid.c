/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The CPUID instruction: leaves made from a resolved model.
 *
 * Intel SDM volume 2 CPUID, AMD APM volume 3 appendix E. Feature words come from the feature list;
 * the rest is topology (APIC ids are thread, core, die, package, each as wide as it must be),
 * caches (x86-cpuid-cache.c), addresses, and the state bits OSXSAVE and OSPKE. A leaf beyond the
 * last answers as the last basic leaf does, as Intel processors do. Pure; thread: any. */

#include "x86-fpu.h"
#include "x86-system.h"

enum { A, B, C, D };

static const struct {
    uint32_t leaf;
    uint32_t subleaf;
    uint8_t reg, bit;
} feature_places[] = { { 0 },
#define PLACE(symbol, name, leaf, subleaf, reg, bit) { leaf, subleaf, reg, bit },
                       X86_FEATURE_LIST(PLACE)
#undef PLACE
};

/* Sets the feature bits of a leaf. */
static void
add_features(const X86CpuModel *model, uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
    for (unsigned i = 1; i < X86_FEATURE_LAST; i++) {
        if (feature_places[i].leaf == leaf && feature_places[i].subleaf == subleaf &&
            x86_model_has(model, i)) {
            r[feature_places[i].reg] |= 1u << feature_places[i].bit;
        }
    }
}

static bool
is_amd(const X86CpuModel *model)
{
    return g_str_equal(model->vendor, "AuthenticAMD") || g_str_equal(model->vendor, "HygonGenuine");
}

/* Bits that number COUNT things. */
static unsigned
id_bits(unsigned count)
{
    return count <= 1 ? 0 : 32 - __builtin_clz(count - 1);
}

/* Where LEVEL's number begins in an APIC id. */
unsigned
x86_topology_shift(const X86CpuModel *model, X86TopologyLevel level)
{
    const unsigned counts[] = { model->smp_threads, model->smp_cores, model->smp_dies };
    unsigned shift = 0;

    for (unsigned i = 0; i < (unsigned)level; i++) {
        shift += id_bits(counts[i]);
    }
    return shift;
}

void
x86_topology_set(X86CpuModel *model, unsigned sockets, unsigned dies, unsigned cores,
                 unsigned threads)
{
    model->smp_sockets = sockets;
    model->smp_dies = dies;
    model->smp_cores = cores;
    model->smp_threads = threads;
    if (dies > 1 && model->level_auto && !is_amd(model)) {
        model->max_leaf = MAX(model->max_leaf, 0x1fu);
    }
}

uint32_t
x86_topology_apic_id(const X86CpuModel *model, unsigned index)
{
    unsigned threads = MAX(model->smp_threads, 1), cores = MAX(model->smp_cores, 1);
    unsigned dies = MAX(model->smp_dies, 1);

    return index % threads |
           index / threads % cores << x86_topology_shift(model, X86_TOPOLOGY_CORE) |
           index / threads / cores % dies << x86_topology_shift(model, X86_TOPOLOGY_DIE) |
           index / threads / cores / dies << x86_topology_shift(model, X86_TOPOLOGY_PACKAGE);
}

unsigned
x86_topology_cpus(const X86CpuModel *model, X86TopologyLevel level)
{
    unsigned count = 1;

    count *= level > X86_TOPOLOGY_THREAD ? MAX(model->smp_threads, 1) : 1;
    count *= level > X86_TOPOLOGY_CORE ? MAX(model->smp_cores, 1) : 1;
    count *= level > X86_TOPOLOGY_DIE ? MAX(model->smp_dies, 1) : 1;
    return count;
}

static uint32_t
signature(const X86CpuModel *model)
{
    unsigned family = MIN(model->family, 15u);
    unsigned extended = model->family > 15 ? model->family - 15 : 0;

    return extended << 20 | (model->model >> 4 & 15) << 16 | family << 8 |
           (model->model & 15) << 4 | (model->stepping & 15);
}

static void
vendor_words(const X86CpuModel *model, uint32_t r[4])
{
    memcpy(&r[B], model->vendor, 4);
    memcpy(&r[D], model->vendor + 4, 4);
    memcpy(&r[C], model->vendor + 8, 4);
}

static void
leaf_1(const X86CpuModel *model, const X86State *s, uint32_t apic_id, uint32_t r[4])
{
    unsigned threads = x86_topology_cpus(model, X86_TOPOLOGY_PACKAGE);

    r[A] = signature(model);
    r[B] = apic_id << 24 | (threads > 1 ? MIN(threads, 255u) << 16 : 0);
    add_features(model, 1, 0, r);
    if (r[D] & 1u << 19) {
        r[B] |= 8 << 8; /* CLFLUSH line, in 8 bytes */
    }
    if (threads > 1) {
        r[D] |= 1u << 28; /* HTT: the count in EBX means something */
    }
    if ((r[C] & 1u << 26) && (s->cr4 & X86_CR4_OSXSAVE)) {
        r[C] |= 1u << 27;
    }
}

/* ---- Topology ---- */

/* Leaf 0xB knows threads and cores; 0x1F dies as well. */
static void
leaf_topology(const X86CpuModel *model, bool with_dies, uint32_t subleaf, uint32_t apic_id,
              uint32_t r[4])
{
    static const uint8_t types[] = { 1, 2, 5 }; /* thread, core, die */
    X86TopologyLevel level = subleaf + 1;
    unsigned levels = with_dies ? 3 : 2;

    if (with_dies ? model->smp_dies < 2 : !model->cpuid_0xb) {
        return;
    }
    r[C] = subleaf & 0xff;
    r[D] = apic_id;
    if (subleaf < levels) {
        level = subleaf + 1 == levels ? X86_TOPOLOGY_PACKAGE : level;
        r[A] = x86_topology_shift(model, level);
        r[B] = x86_topology_cpus(model, level);
        r[C] |= (uint32_t)types[subleaf] << 8;
    }
}

/* Where a CPU of AMD's is: unit of compute and node. */
static void
leaf_8000001e(const X86CpuModel *model, uint32_t apic_id, uint32_t r[4])
{
    unsigned core = x86_topology_shift(model, X86_TOPOLOGY_CORE);
    unsigned die = x86_topology_shift(model, X86_TOPOLOGY_DIE);

    r[A] = apic_id;
    r[B] = (MAX(model->smp_threads, 1) - 1) << 8 |
           ((apic_id >> core & ((1u << (die - core)) - 1)) & 0xff);
    r[C] = (MAX(model->smp_dies, 1) - 1) << 8 | (apic_id >> die & 0xff);
}

/* ---- XSAVE ---- */

enum { XSAVE_COMPONENTS = 63 };

static uint32_t
xsave_bytes(uint64_t components, bool compacted)
{
    uint32_t bytes = 576; /* legacy area and header */

    for (unsigned i = 2; i < XSAVE_COMPONENTS; i++) {
        unsigned size, offset = x86_xsave_component(i, &size);
        if (components >> i & 1) {
            bytes = compacted ? bytes + size : MAX(bytes, offset + size);
        }
    }
    return bytes;
}

static void
leaf_xsave(const X86CpuModel *model, const X86State *s, uint32_t subleaf, uint32_t r[4])
{
    uint64_t supported = x86_xcr0_supported(model);

    if (!supported) {
        return;
    }
    if (subleaf == 0) {
        r[A] = supported;
        r[B] = xsave_bytes(s->xcr0, false);
        r[C] = xsave_bytes(supported, false);
        r[D] = supported >> 32;
    } else if (subleaf == 1) {
        add_features(model, 0xd, 1, r);
        r[B] = xsave_bytes(s->xcr0 | s->xss, true);
    } else if (subleaf < XSAVE_COMPONENTS && (supported >> subleaf & 1)) {
        r[B] = x86_xsave_component(subleaf, &r[A]);
    }
}

/* ---- Basic leaves ---- */

static void
basic_leaf(const X86CpuModel *model, const X86State *s, uint32_t apic_id, uint32_t leaf,
           uint32_t subleaf, uint32_t r[4])
{
    switch (leaf) {
    case 0:
        r[A] = model->max_leaf;
        vendor_words(model, r);
        break;
    case 1: leaf_1(model, s, apic_id, r); break;
    case 2:
    case 4:
        if (!is_amd(model)) {
            x86_cpuid_caches(model, leaf, subleaf, r);
        }
        break;
    case 5:
        if (x86_model_has(model, X86_FEATURE_MONITOR)) {
            r[A] = r[B] = 64; /* bytes of a line */
            r[C] = 3;
        }
        break;
    case 6: add_features(model, 6, 0, r); break;
    case 7:
        add_features(model, 7, subleaf, r);
        if (subleaf == 0) {
            uint32_t next[4] = { 0 };
            add_features(model, 7, 1, next);
            r[A] = (next[A] | next[B] | next[C] | next[D]) != 0;
            if ((r[C] & 1u << 3) && (s->cr4 & X86_CR4_PKE)) {
                r[C] |= 1u << 4; /* OSPKE */
            }
        }
        break;
    case 0xa:
        if (model->has_pmu && !is_amd(model)) {
            /* version 2, counters of 48 bits; of the seven events the first three */
            r[A] = 2 | X86_PMU_COUNTERS << 8 | 48 << 16 | 7 << 24;
            r[B] = 0x78;
            r[D] = X86_PMU_FIXED | 48 << 5;
        }
        break;
    case 0xb: leaf_topology(model, false, subleaf, apic_id, r); break;
    case 0x1f: leaf_topology(model, true, subleaf, apic_id, r); break;
    case 0xd: leaf_xsave(model, s, subleaf, r); break;
    case 0x15: /* TSC = crystal of 1 MHz * ratio */
        r[A] = 1;
        r[B] = model->tsc_hz / 1000000;
        r[C] = 1000000;
        break;
    case 0x16: r[A] = r[B] = MIN(model->tsc_hz / 1000000, 0xffffu); break;
    default: break;
    }
}

/* ---- Extended leaves ---- */

static void
leaf_80000001(const X86CpuModel *model, uint32_t r[4])
{
    uint32_t leaf1[4] = { 0 };

    r[A] = signature(model);
    add_features(model, 0x80000001, 0, r);
    if (is_amd(model)) {
        add_features(model, 1, 0, leaf1);
        r[D] |= leaf1[D] & 0x0183f3ff;
        if (x86_topology_cpus(model, X86_TOPOLOGY_PACKAGE) > 1) {
            r[C] |= 1u << 1; /* the core count of leaf 1 is of cores, not of threads */
        }
    }
}

static void
extended_leaf(const X86CpuModel *model, uint32_t apic_id, uint32_t leaf, uint32_t subleaf,
              uint32_t r[4])
{
    char brand[48] = { 0 };
    unsigned threads = x86_topology_cpus(model, X86_TOPOLOGY_PACKAGE);

    switch (leaf) {
    case 0x80000000:
        r[A] = model->max_extended_leaf;
        vendor_words(model, r);
        break;
    case 0x80000001: leaf_80000001(model, r); break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
        memcpy(brand, model->model_id, MIN(strlen(model->model_id), sizeof(brand)));
        memcpy(r, brand + (leaf - 0x80000002) * 16, 16);
        break;
    case 0x80000005:
    case 0x80000006: x86_cpuid_caches(model, leaf, subleaf, r); break;
    case 0x80000007: add_features(model, leaf, 0, r); break;
    case 0x80000008:
        add_features(model, leaf, 0, r);
        r[A] = model->phys_bits;
        if (x86_model_has(model, X86_FEATURE_LM)) {
            r[A] |= model->virt_bits << 8;
        }
        if (threads > 1) {
            r[C] = x86_topology_shift(model, X86_TOPOLOGY_PACKAGE) << 12 | MIN(threads - 1, 255u);
        }
        break;
    case 0x8000000a: /* SVM: nothing without the feature */
        if (x86_model_has(model, X86_FEATURE_SVM)) {
            r[A] = 1;
            r[B] = 16;
            add_features(model, leaf, 0, r);
        }
        break;
    case 0x8000001d:
        if (x86_model_has(model, X86_FEATURE_TOPOEXT)) {
            x86_cpuid_caches(model, leaf, subleaf, r);
        }
        break;
    case 0x8000001e:
        if (x86_model_has(model, X86_FEATURE_TOPOEXT)) {
            leaf_8000001e(model, apic_id, r);
        }
        break;
    default: break;
    }
}

void
x86_cpuid(const X86CpuModel *model, const void *x86_state, uint32_t apic_id, uint32_t leaf,
          uint32_t subleaf, uint32_t out_regs[4])
{
    const X86State *s = x86_state;
    uint32_t r[4] = { 0 };

    if (leaf >> 28 == 4 && model->hypervisor_leaves) {
        if (leaf == 0x40000000) {
            r[A] = 0x40000001;
            memcpy(&r[B], "TCGTCGTCGTCG", 12); /* what guests know an emulated CPU by */
        }
    } else if (leaf >= 0x80000000 && leaf <= model->max_extended_leaf) {
        extended_leaf(model, apic_id, leaf, subleaf, r);
    } else if (leaf <= model->max_leaf) {
        basic_leaf(model, s, apic_id, leaf, subleaf, r);
    } else {
        basic_leaf(model, s, apic_id, model->max_leaf, subleaf, r);
    }
    memcpy(out_regs, r, sizeof(r));
}
