/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Vector and memory work: GCC's vector types, so that one text gives SSE2 and AVX2. Runs in the
 * guest. */

#include "bench.h"

#include <stdlib.h>
#include <string.h>

typedef float Float4 __attribute__((vector_size(16)));
typedef float Float8 __attribute__((vector_size(32)));
typedef uint16_t Short8 __attribute__((vector_size(16)));
typedef uint16_t Short16 __attribute__((vector_size(32)));

enum { SIDE = 96, PIXELS = 16384 };
static float left[SIDE][SIDE] __attribute__((aligned(64))),
    right[SIDE][SIDE] __attribute__((aligned(64))),
    product[SIDE][SIDE] __attribute__((aligned(64)));
static uint16_t over[PIXELS] __attribute__((aligned(64))),
    under[PIXELS] __attribute__((aligned(64)));

static void
fill(void)
{
    for (unsigned i = 0; i < SIDE; i++) {
        for (unsigned j = 0; j < SIDE; j++) {
            left[i][j] = (float)((i * 7 + j) % 13);
            right[i][j] = (float)((i + j * 5) % 11);
        }
    }
    for (unsigned i = 0; i < PIXELS; i++) {
        over[i] = i % 251;
        under[i] = i * 3 % 241;
    }
}

#define MATMUL(Name, Vector, ...)                                            \
    static __VA_ARGS__ uint64_t Name(unsigned reps)                          \
    {                                                                        \
        enum { LANES = sizeof(Vector) / sizeof(float) };                     \
        double sum = 0;                                                      \
        fill();                                                              \
        while (reps--) {                                                     \
            for (unsigned i = 0; i < SIDE; i++) {                            \
                for (unsigned j = 0; j < SIDE; j += LANES) {                 \
                    Vector total = { 0 };                                    \
                    for (unsigned k = 0; k < SIDE; k++) {                    \
                        total += left[i][k] * *(const Vector *)&right[k][j]; \
                    }                                                        \
                    *(Vector *)&product[i][j] = total;                       \
                }                                                            \
            }                                                                \
            sum += product[reps % SIDE][3];                                  \
        }                                                                    \
        return (uint64_t)sum;                                                \
    }

#define BLEND(Name, Vector, ...)                                                       \
    static __VA_ARGS__ uint64_t Name(unsigned reps)                                    \
    {                                                                                  \
        uint64_t hash = 0;                                                             \
        fill();                                                                        \
        while (reps--) {                                                               \
            uint16_t alpha = reps & 255;                                               \
            for (unsigned i = 0; i < PIXELS; i += sizeof(Vector) / 2) {                \
                Vector a = *(const Vector *)&over[i], b = *(const Vector *)&under[i];  \
                *(Vector *)&under[i] = (a * alpha + b * (uint16_t)(255 - alpha)) >> 8; \
            }                                                                          \
            hash += under[reps % PIXELS];                                              \
        }                                                                              \
        return hash;                                                                   \
    }

MATMUL(matmul_sse2, Float4)
MATMUL(matmul_avx2, Float8, __attribute__((target("avx2"))))
BLEND(blend_sse2, Short8)
BLEND(blend_avx2, Short16, __attribute__((target("avx2"))))

/* ---- mem ---- */

/* A ring through 64 MiB in random order, once made. */
static uint64_t
chase(unsigned reps)
{
    enum { N = 1 << 20, STRIDE = 8 };
    uint64_t *ring = calloc(N, STRIDE * sizeof(*ring));
    uint32_t *order = calloc(N, sizeof(*order)), seed = 5;
    uint64_t at = 0;

    for (unsigned i = 0; i < N; i++) {
        order[i] = i;
    }
    for (unsigned i = N - 1; i; i--) {
        unsigned j = bench_random(&seed) % (i + 1);
        uint32_t t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (unsigned i = 0; i < N; i++) {
        ring[(size_t)order[i] * STRIDE] = (uint64_t)order[(i + 1) % N] * STRIDE;
    }
    for (uint64_t i = 0; i < (uint64_t)reps * 10000; i++) {
        at = ring[at];
    }
    free(order);
    free(ring);
    return at;
}

static uint64_t
stream(unsigned reps)
{
    enum { N = 1 << 19 };
    double *a = calloc(N, 8), *b = calloc(N, 8), *c = calloc(N, 8), sum = 0;

    for (unsigned i = 0; i < N; i++) {
        b[i] = i;
        c[i] = 2;
    }
    while (reps--) {
        for (unsigned i = 0; i < N; i++) {
            a[i] = b[i] + 3 * c[i];
        }
        __asm__ volatile("" ::"r"(a) : "memory");
        sum += a[reps];
    }
    free(a);
    free(b);
    free(c);
    return (uint64_t)sum;
}

static uint64_t
copy(unsigned reps)
{
    enum { N = 4 << 20 };
    uint8_t *a = malloc(N), *b = malloc(N);
    uint64_t hash = 0;

    memset(a, 1, N);
    memset(b, 2, N);
    while (reps--) {
        memcpy(b, a, N);
        __asm__ volatile("" ::"r"(a), "r"(b) : "memory");
        a[reps & 4095] += b[reps];
        hash += b[N - 1] + a[reps & 4095];
    }
    free(a);
    free(b);
    return hash;
}

/* A word in each of 16384 pages: more than any translation buffer holds. */
static uint64_t
pages(unsigned reps)
{
    enum { N = 16384 };
    uint8_t *memory = calloc(N, 4096);
    uint64_t hash = 0;

    while (reps--) {
        for (unsigned i = 0; i < N; i++) {
            hash += ++memory[(size_t)(i * 7919 % N) * 4096 + i % 64 * 64];
        }
    }
    free(memory);
    return hash;
}

const Bench bench_vector[] = {
    { "matmul-sse2", "vec", matmul_sse2, 250, 0 },
    { "matmul-avx2", "vec", matmul_avx2, 500, BENCH_AVX2 },
    { "blend-sse2", "vec", blend_sse2, 10000, 0 },
    { "blend-avx2", "vec", blend_avx2, 20000, BENCH_AVX2 },
    { "chase", "mem", chase, 150, 0 },
    { "stream", "mem", stream, 60, 0 },
    { "copy", "mem", copy, 100, 0 },
    { "pages", "mem", pages, 150, 0 },
    { 0 },
};
