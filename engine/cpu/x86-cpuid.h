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
/* Names and descriptions of all models, for -cpu help. Index up to NULL. */
const char *x86_model_name(unsigned index, const char **out_title);
/* One leaf as CPU number APIC_ID sees it (OSXSAVE, APIC and enabled-XCR0 bits from the state). */
struct X86State;
void x86_cpuid(const X86CpuModel *model, const void *x86_state, uint32_t apic_id, uint32_t leaf,
               uint32_t subleaf, uint32_t out_regs[4]);
