/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A small generator of pseudo-random numbers (xoroshiro128+ seeded by splitmix64), as published by
 * its authors as public domain algorithms. */

#include <stdbool.h>
#include <stdint.h>

typedef struct OracleRng {
    uint64_t a, b;
} OracleRng;

static inline uint64_t
oracle_mix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static inline void
oracle_rng_seed(OracleRng *rng, uint64_t seed, uint64_t number)
{
    uint64_t state = seed * 0xd1342543de82ef95ull + number;

    rng->a = oracle_mix(&state);
    rng->b = oracle_mix(&state) | 1;
}

static inline uint64_t
oracle_random(OracleRng *rng)
{
    uint64_t a = rng->a, b = rng->b, result = a + b;

    b ^= a;
    rng->a = (a << 24 | a >> 40) ^ b ^ b << 16;
    rng->b = b << 37 | b >> 27;
    return result;
}

/* 0 .. LIMIT-1 */
static inline unsigned
oracle_below(OracleRng *rng, unsigned limit)
{
    return (unsigned)((oracle_random(rng) >> 32) * limit >> 32);
}

/* True in PERCENT of a hundred. */
static inline bool
oracle_chance(OracleRng *rng, unsigned percent)
{
    return oracle_below(rng, 100) < percent;
}
