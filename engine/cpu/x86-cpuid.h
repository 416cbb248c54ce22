/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* CPU models, feature names and CPUID leaves. One X-macro row per feature: name as in -cpu,
 * leaf, subleaf, register, bit. Intel SDM volume 2 CPUID; AMD APM volume 3 appendix E. */

#include "vit-types.h"

/* X86_FEATURE_LIST(F): F(symbol, "name", leaf, subleaf, register 0..3 = A B C D, bit) */
#include "x86-features.h"

typedef enum X86Feature {
    X86_FEATURE_BASE = 0, /* always there */
#define X86_FEATURE_ENUM(symbol, name, leaf, subleaf, reg, bit) X86_FEATURE_##symbol,
    X86_FEATURE_LIST(X86_FEATURE_ENUM)
#undef X86_FEATURE_ENUM
        X86_FEATURE_LAST
} X86Feature;
#define X86_FEATURE_WORDS ((X86_FEATURE_LAST + 63) / 64)

/* Cache hierarchies, rows of x86-cpuid-cache.c. */
typedef enum X86Caches {
    X86_CACHES_DEFAULT,
    X86_CACHES_ZEN,
    X86_CACHES_ZEN2,
    X86_CACHES_ZEN3
} X86Caches;

/* A model as resolved for one machine: immutable while the machine runs, shared by its CPUs. */
typedef struct X86CpuModel {
    char name[32];
    char vendor[13];
    char model_id[49];
    unsigned family, model, stepping;
    unsigned phys_bits, virt_bits;
    uint32_t max_leaf, max_extended_leaf;
    uint64_t features[X86_FEATURE_WORDS];
    unsigned smp_sockets, smp_dies, smp_cores, smp_threads; /* topology leaves */
    uint64_t tsc_hz;
    bool hypervisor_bit;    /* leaf 1 ECX 31 */
    bool hypervisor_leaves; /* 0x40000000 */
    X86Caches caches;
    bool legacy_cache; /* the default caches, whatever the model's are */
    bool l3_cache;
    bool has_pmu;    /* performance counters */
    bool cpuid_0xb;  /* leaf 0xB is there */
    bool level_auto; /* topology may raise max_leaf */
} X86CpuModel;

static inline bool
x86_model_has(const X86CpuModel *model, unsigned feature)
{
    return feature == X86_FEATURE_BASE || (model->features[feature / 64] >> (feature % 64) & 1);
}

/* Fills OUT_MODEL from the text of -cpu ("max,-avx2,+foo,vendor=..."). Features the host cannot
 * give are dropped with a line in OUT_WARNINGS (nullable, GPtrArray of strings), or refused under
 * enforce. Thread: any. */
bool x86_model_parse(const char *text, X86CpuModel *out_model, GPtrArray *out_warnings,
                     GError **error);
/* The same for an executor that offers just the features of OFFERED. "host" needs IS_KVM. */
bool x86_model_resolve(const char *text, const uint64_t offered[X86_FEATURE_WORDS], bool is_kvm,
                       X86CpuModel *out_model, GPtrArray *out_warnings, GError **error);
/* What the interpreter and the translator offer on this host. */
void x86_interpreter_features(uint64_t out_words[X86_FEATURE_WORDS]);
const char *x86_feature_name(unsigned feature);
/* The feature that the LEN characters at NAME call so in -cpu; -1: none. */
int x86_feature_find(const char *name, size_t len);
typedef struct X86FeaturePlace {
    uint32_t leaf, subleaf;
    uint8_t reg, bit; /* reg: 0..3 = A B C D */
} X86FeaturePlace;
X86FeaturePlace x86_feature_place(unsigned feature);
/* Whether instructions of FEATURE can be run on this host: x86-host.c. */
bool x86_host_has(unsigned feature);
/* Names and descriptions of all models, for -cpu help. Index up to NULL. */
const char *x86_model_name(unsigned index, const char **out_title);
/* The version that name INDEX stands for; NULL where it is none but its own. */
const char *x86_model_alias_target(unsigned index);
/* Topology, in APIC ids: where the number of a level begins, and the id of CPU number INDEX. */
typedef enum X86TopologyLevel {
    X86_TOPOLOGY_THREAD,
    X86_TOPOLOGY_CORE,
    X86_TOPOLOGY_DIE,
    X86_TOPOLOGY_PACKAGE
} X86TopologyLevel;
void x86_topology_set(X86CpuModel *model, unsigned sockets, unsigned dies, unsigned cores,
                      unsigned threads);
/* CPUs in one thing of LEVEL. */
unsigned x86_topology_cpus(const X86CpuModel *model, X86TopologyLevel level);
unsigned x86_topology_shift(const X86CpuModel *model, X86TopologyLevel level);
uint32_t x86_topology_apic_id(const X86CpuModel *model, unsigned index);
/* The leaves that tell of caches; R is zero before. */
void x86_cpuid_caches(const X86CpuModel *model, uint32_t leaf, uint32_t subleaf, uint32_t r[4]);
/* One leaf as CPU number APIC_ID sees it (OSXSAVE, APIC and enabled-XCR0 bits from the state). */
struct X86State;
void x86_cpuid(const X86CpuModel *model, const void *x86_state, uint32_t apic_id, uint32_t leaf,
               uint32_t subleaf, uint32_t out_regs[4]);
