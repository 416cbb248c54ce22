/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A benchmark of the guest: does its work REPS times and returns a check value, which every correct
 * CPU must get for these REPS; NEEDS names what it cannot do without. */

#include <stddef.h>
#include <stdint.h>

enum { BENCH_AVX2 = 1, BENCH_TWO_CPUS = 2 };

typedef struct Bench {
    const char *name, *group;
    uint64_t (*run)(unsigned reps);
    unsigned reps; /* a few tenths of a second on a host of today */
    unsigned needs;
} Bench;

extern const Bench bench_compute[], bench_vector[], bench_system[];

static inline uint64_t
bench_mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x9e3779b97f4a7c15ull + (hash >> 29);
}

static inline uint32_t
bench_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}
