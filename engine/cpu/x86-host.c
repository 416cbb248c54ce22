/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the host's CPU can do, for whoever runs instructions on it: the one place that asks.
 *
 * A feature counts where CPUID says it (Intel SDM volume 2 CPUID, AMD APM volume 3 appendix E),
 * where the operating system saves its registers (XCR0), and where all that it builds on counts.
 * VITRINE_HOST_WITHOUT=NAME,... in the environment takes features away, by their names in -cpu:
 * so tests see what happens on other hosts (./dev judge masks). Thread: any. */

#include "x86-cpuid.h"

#include <cpuid.h>
#include <string.h>

/* What a feature needs besides its own bit. */
static const struct {
    uint16_t feature, needs;
} builds_on[] = {
    { X86_FEATURE_SSE2, X86_FEATURE_SSE },
    { X86_FEATURE_SSE3, X86_FEATURE_SSE2 },
    { X86_FEATURE_SSSE3, X86_FEATURE_SSE3 },
    { X86_FEATURE_SSE41, X86_FEATURE_SSSE3 },
    { X86_FEATURE_SSE42, X86_FEATURE_SSE41 },
    { X86_FEATURE_PCLMULQDQ, X86_FEATURE_SSE2 },
    { X86_FEATURE_AES, X86_FEATURE_SSE2 },
    { X86_FEATURE_GFNI, X86_FEATURE_SSE2 },
    { X86_FEATURE_SHA_NI, X86_FEATURE_SSE41 },
    { X86_FEATURE_XSAVEOPT, X86_FEATURE_XSAVE },
    { X86_FEATURE_XSAVEC, X86_FEATURE_XSAVE },
    { X86_FEATURE_XGETBV1, X86_FEATURE_XSAVE },
    { X86_FEATURE_XSAVES, X86_FEATURE_XSAVEC },
    { X86_FEATURE_AVX, X86_FEATURE_SSE42 },
    { X86_FEATURE_AVX, X86_FEATURE_XSAVE },
    { X86_FEATURE_AVX2, X86_FEATURE_AVX },
    { X86_FEATURE_FMA, X86_FEATURE_AVX },
    { X86_FEATURE_F16C, X86_FEATURE_AVX },
    { X86_FEATURE_VAES, X86_FEATURE_AVX2 },
    { X86_FEATURE_VPCLMULQDQ, X86_FEATURE_AVX2 },
    /* the interpreter moves masks by KMOVQ */
    { X86_FEATURE_AVX512BW, X86_FEATURE_AVX2 },
    { X86_FEATURE_AVX512F, X86_FEATURE_AVX512BW },
    { X86_FEATURE_AVX512DQ, X86_FEATURE_AVX512F },
    { X86_FEATURE_AVX512IFMA, X86_FEATURE_AVX512F },
    { X86_FEATURE_AVX512CD, X86_FEATURE_AVX512F },
    { X86_FEATURE_AVX512VL, X86_FEATURE_AVX512F },
    { X86_FEATURE_AVX512VBMI, X86_FEATURE_AVX512F },
    { X86_FEATURE_AVX512VBMI2, X86_FEATURE_AVX512F },
    { X86_FEATURE_AVX512VNNI, X86_FEATURE_AVX512F },
    { X86_FEATURE_AVX512BITALG, X86_FEATURE_AVX512F },
    { X86_FEATURE_AVX512_VPOPCNTDQ, X86_FEATURE_AVX512F },
    { X86_FEATURE_AVX512_BF16, X86_FEATURE_AVX512F },
};

static bool
says_cpuid(unsigned feature)
{
    X86FeaturePlace place = x86_feature_place(feature);
    unsigned r[4] = { 0 };

    return __get_cpuid_count(place.leaf, place.subleaf, &r[0], &r[1], &r[2], &r[3]) &&
           (r[place.reg] >> place.bit & 1);
}

/* The operating system saves the state components MASK. */
static bool
is_saved(unsigned mask)
{
    unsigned a, b, c, d, low, high;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) {
        return false;
    }
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & mask) == mask;
}

static bool
is_taken_away(unsigned feature)
{
    const char *list = g_getenv("VITRINE_HOST_WITHOUT");

    while (list && *list) {
        size_t len = strcspn(list, ",");

        if (x86_feature_find(list, len) == (int)feature) {
            return true;
        }
        list += len + (list[len] == ',');
    }
    return false;
}

bool
x86_host_has(unsigned feature)
{
    if (feature == X86_FEATURE_BASE) {
        return true;
    }
    if (!says_cpuid(feature) || is_taken_away(feature) ||
        (feature == X86_FEATURE_AVX && !is_saved(6)) ||
        (feature == X86_FEATURE_AVX512BW && !is_saved(0xe6))) {
        return false;
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(builds_on); i++) {
        if (builds_on[i].feature == feature && !x86_host_has(builds_on[i].needs)) {
            return false;
        }
    }
    return true;
}
