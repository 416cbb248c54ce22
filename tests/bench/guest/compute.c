/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Integer and scalar floating-point work: what compilers make of loops, calls, tables, interpreters
 * and string functions. Runs in the guest. */

#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- int ---- */

static uint64_t
sieve(unsigned reps)
{
    enum { N = 1 << 20 };
    static uint8_t composite[N];
    uint64_t hash = 0;

    while (reps--) {
        memset(composite, 0, N);
        for (unsigned i = 2; i < N; i++) {
            if (!composite[i]) {
                hash++;
                for (unsigned j = 2 * i; j < N; j += i) {
                    composite[j] = 1;
                }
            }
        }
    }
    return hash;
}

static int
compare_words(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint64_t
sort(unsigned reps)
{
    enum { N = 20000 };
    static uint32_t words[N];
    uint32_t seed = 1;
    uint64_t hash = 0;

    while (reps--) {
        for (unsigned i = 0; i < N; i++) {
            words[i] = bench_random(&seed);
        }
        qsort(words, N, sizeof(*words), compare_words);
        hash = bench_mix(hash, words[N / 3]);
    }
    return hash;
}

static __attribute__((noinline)) uint64_t
ackermann(uint64_t m, uint64_t n)
{
    return m == 0 ? n + 1 : ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

static uint64_t
recur(unsigned reps)
{
    uint64_t hash = 0;

    while (reps--) {
        hash = bench_mix(hash, ackermann(2, 300));
    }
    return hash;
}

/* A small register machine: computed goto, as interpreters in the field use it. */
static uint64_t
interp(unsigned reps)
{
    enum { OP_ADD, OP_MUL, OP_XOR, OP_ROT, OP_LOAD, OP_STORE, OP_LOOP, OP_END };
    static const void *const labels[] = { &&op_add,  &&op_mul,   &&op_xor,  &&op_rot,
                                          &&op_load, &&op_store, &&op_loop, &&op_end };
    static const uint8_t program[] = {
        OP_LOAD, 0, 1, OP_ADD, 1, 2, OP_MUL,  2, 3, OP_XOR, 3, 1, OP_ROT,  1, 0, OP_STORE, 1, 3,
        OP_ADD,  4, 2, OP_XOR, 2, 4, OP_LOAD, 5, 2, OP_ADD, 3, 5, OP_LOOP, 0, 0, OP_END,   0, 0,
    };
    uint64_t reg[8] = { 1, 3, 5, 7, 11, 13, 17, 19 }, memory[64] = { 0 };
    uint64_t count = (uint64_t)reps * 1000;
    const uint8_t *pc = program;

#define NEXT \
    pc += 3; \
    goto *labels[*pc]
    goto *labels[*pc];
op_add:
    reg[pc[1]] += reg[pc[2]];
    NEXT;
op_mul:
    reg[pc[1]] *= reg[pc[2]] | 1;
    NEXT;
op_xor:
    reg[pc[1]] ^= reg[pc[2]];
    NEXT;
op_rot:
    reg[pc[1]] = reg[pc[1]] << 7 | reg[pc[1]] >> 57;
    NEXT;
op_load:
    reg[pc[1]] += memory[reg[pc[2]] & 63];
    NEXT;
op_store:
    memory[reg[pc[2]] & 63] = reg[pc[1]];
    NEXT;
op_loop:
    if (--count) {
        pc = program;
        goto *labels[*pc];
    }
    NEXT;
op_end:
#undef NEXT
    return reg[1] ^ reg[2] ^ reg[3];
}

typedef struct Shape {
    uint64_t (*area)(const struct Shape *shape);
    uint64_t a, b;
} Shape;

static uint64_t
area_square(const Shape *shape)
{
    return shape->a * shape->a;
}

static uint64_t
area_box(const Shape *shape)
{
    return shape->a * shape->b;
}

static uint64_t
area_line(const Shape *shape)
{
    return shape->a + shape->b;
}

static uint64_t
area_point(const Shape *shape)
{
    return shape->b ^ 1;
}

static uint64_t
vcall(unsigned reps)
{
    enum { N = 1024 };
    static uint64_t (*const kinds[])(const Shape *) = { area_square, area_box, area_line,
                                                        area_point };
    static Shape shapes[N];
    uint32_t seed = 7;
    uint64_t hash = 0;

    for (unsigned i = 0; i < N; i++) {
        shapes[i] = (Shape){ kinds[bench_random(&seed) & 3], i, i * 3 };
    }
    while (reps--) {
        for (unsigned i = 0; i < N; i++) {
            hash += shapes[i].area(&shapes[i]);
        }
    }
    return hash;
}

/* Rotations, xors and adds in long dependency chains, as hashes and ciphers are. */
static uint64_t
mixer(unsigned reps)
{
    uint32_t a = 1, b = 2, c = 3, d = 4;

    for (uint64_t i = 0; i < (uint64_t)reps * 4096; i++) {
        a += b;
        d = (d ^ a) << 16 | (d ^ a) >> 16;
        c += d;
        b = (b ^ c) << 12 | (b ^ c) >> 20;
        a += b;
        d = (d ^ a) << 8 | (d ^ a) >> 24;
        c += d;
        b = (b ^ c) << 7 | (b ^ c) >> 25;
    }
    return (uint64_t)(a ^ c) << 32 | (b ^ d);
}

static uint64_t
divide(unsigned reps)
{
    uint64_t value = 0x123456789abcdefull, hash = 0;

    for (uint64_t i = 1; i <= (uint64_t)reps * 1024; i++) {
        hash += value / (i | 3) + value % (i + 7);
        value = value * 6364136223846793005ull + i;
    }
    return hash;
}

static uint64_t
string(unsigned reps)
{
    enum { N = 8192 };
    static char text[N + 1], copy[N + 1];
    uint32_t seed = 3;
    uint64_t hash = 0;

    for (unsigned i = 0; i < N; i++) {
        text[i] = 'a' + bench_random(&seed) % 26;
    }
    text[N - 1] = '!';
    while (reps--) {
        strcpy(copy, text);
        hash += strlen(copy) + (strchr(copy, '!') - copy) + (uint64_t)(strcmp(copy, text) == 0);
        hash += (size_t)((char *)memchr(text, '!', N) - text);
        __asm__ volatile("" ::"r"(copy), "r"(text) : "memory");
    }
    return hash;
}

static uint64_t
repmov(unsigned reps)
{
    enum { N = 16384 };
    static uint8_t from[N], to[N];
    uint64_t hash = 0;

    while (reps--) {
        void *d = to;
        const void *s = from;
        size_t n = N / 8;

        __asm__ volatile("rep stosb" : "+D"(d), "+c"((size_t){ N }) : "a"(reps) : "memory");
        d = from;
        s = to;
        __asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(n)::"memory");
        hash += from[N - 1];
    }
    return hash;
}

/* ---- fp ---- */

static uint64_t
bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, 8);
    return bits;
}

static uint64_t
bodies(unsigned reps)
{
    enum { N = 5 };
    double x[N], y[N], vx[N] = { 0 }, vy[N] = { 0 }, energy = 0;

    for (unsigned i = 0; i < N; i++) {
        x[i] = i * 1.25;
        y[i] = i * i * 0.5 + 1;
    }
    for (uint64_t step = 0; step < (uint64_t)reps * 100; step++) {
        for (unsigned i = 0; i < N; i++) {
            for (unsigned j = i + 1; j < N; j++) {
                double dx = x[i] - x[j], dy = y[i] - y[j];
                double square = dx * dx + dy * dy + 0.01;
                double pull = 0.001 / (square * sqrt(square));

                vx[i] -= dx * pull;
                vy[i] -= dy * pull;
                vx[j] += dx * pull;
                vy[j] += dy * pull;
            }
        }
        for (unsigned i = 0; i < N; i++) {
            x[i] += 0.01 * vx[i];
            y[i] += 0.01 * vy[i];
        }
    }
    for (unsigned i = 0; i < N; i++) {
        energy += vx[i] * vx[i] + vy[i] * vy[i];
    }
    return bits_of(energy);
}

static uint64_t
mandel(unsigned reps)
{
    uint64_t inside = 0;

    while (reps--) {
        for (int row = 0; row < 64; row++) {
            for (int column = 0; column < 64; column++) {
                double cr = column / 32.0 - 1.5, ci = row / 32.0 - 1, r = 0, i = 0;
                int n = 0;

                while (n < 100 && r * r + i * i < 4) {
                    double t = r * r - i * i + cr;
                    i = 2 * r * i + ci;
                    r = t;
                    n++;
                }
                inside += (uint64_t)n;
            }
        }
    }
    return inside;
}

static uint64_t
convert(unsigned reps)
{
    double sum = 0;
    uint64_t hash = 0;

    for (uint64_t i = 0; i < (uint64_t)reps * 1024; i++) {
        float f = (float)(int32_t)(i * 2654435761u);
        sum += f * 0.5;
        hash += (uint64_t)(int64_t)(f * 0.001f) + (uint64_t)(int32_t)(sum * 1e-9);
    }
    return hash;
}

static uint64_t
x87(unsigned reps)
{
    long double sum = 0, x = 1.0L;

    for (uint64_t i = 1; i <= (uint64_t)reps * 1024; i++) {
        sum += x / (long double)i;
        x = -x;
    }
    return bits_of((double)sum);
}

static uint64_t
x87trans(unsigned reps)
{
    long double sum = 0;

    for (uint64_t i = 1; i <= (uint64_t)reps * 128; i++) {
        long double angle = (long double)i * 0.001L, sine, cosine;

        __asm__("fsincos" : "=t"(cosine), "=u"(sine) : "0"(angle));
        sum += sine * cosine;
    }
    return bits_of((double)sum);
}

const Bench bench_compute[] = {
    { "sieve", "int", sieve, 60, 0 },
    { "sort", "int", sort, 100, 0 },
    { "recur", "int", recur, 800, 0 },
    { "interp", "int", interp, 8000, 0 },
    { "vcall", "int", vcall, 30000, 0 },
    { "mixer", "int", mixer, 12000, 0 },
    { "divide", "int", divide, 30000, 0 },
    { "string", "int", string, 40000, 0 },
    { "repmov", "int", repmov, 60000, 0 },
    { "bodies", "fp", bodies, 4000, 0 },
    { "mandel", "fp", mandel, 100, 0 },
    { "convert", "fp", convert, 20000, 0 },
    { "x87", "fp", x87, 10000, 0 },
    { "x87trans", "fp", x87trans, 8000, 0 },
    { 0 },
};
