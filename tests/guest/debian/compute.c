/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Prints digests of work that compilers vectorize, unroll and tail-merge. The same source compiled
 * with any options prints the same (integers, and IEEE double without contraction), in the guest
 * and on the host. */

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 4099 };

static uint64_t digest;

static void
mix(uint64_t value)
{
    digest = (digest ^ value) * 0x100000001b3ull;
    digest ^= digest >> 29;
}

static void
say(const char *name)
{
    printf("%s %016llx\n", name, (unsigned long long)digest);
    digest = 0xcbf29ce484222325ull;
}

static uint32_t
next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 3;
}

static void
integers(void)
{
    static int32_t a[CELLS], b[CELLS];
    static uint8_t bytes[CELLS];
    static uint16_t words[CELLS];
    uint32_t seed = 1;

    for (unsigned round = 0; round < 60; round++) {
        int32_t low = INT32_MAX;
        int64_t sum = 0;

        for (unsigned i = 0; i < CELLS; i++) {
            a[i] = (int32_t)next(&seed);
            b[i] = (int32_t)(next(&seed) << 3);
            bytes[i] = (uint8_t)next(&seed);
        }
        for (unsigned i = 0; i < CELLS; i++) {
            a[i] = (b[i] > a[i] ? b[i] : a[i] ^ 0x5a5a) + (a[i] >> (i & 7));
            words[i] = (uint16_t)(bytes[i] * bytes[CELLS - 1 - i] / 3);
            low = a[i] < low ? a[i] : low;
            sum += (int64_t)a[i] * b[i];
        }
        for (unsigned i = 0; i + 1 < CELLS; i++) {
            int average = (bytes[i] + bytes[i + 1] + 1) >> 1;

            bytes[i] = (uint8_t)(average + words[i] > 255 ? 255 : average + words[i]);
        }
        for (unsigned i = 0; i < CELLS; i++) {
            mix((uint32_t)a[i] + words[i] * 65537u + bytes[i]);
        }
        mix((uint64_t)sum + (uint32_t)low);
    }
    say("integers");
}

static void
doubles(void)
{
    static double a[CELLS], b[CELLS];
    static float c[CELLS];
    uint32_t seed = 2;

    for (unsigned i = 0; i < CELLS; i++) {
        a[i] = next(&seed) / 1e6;
        b[i] = next(&seed) / 1e3 + 1;
    }
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < CELLS; i++) {
            a[i] = sqrt(a[i] * a[i] + b[i]) / (1 + a[i] / b[i]) - (i & 3);
            a[i] = a[i] < 0 ? -a[i] : a[i];
            c[i] = (float)a[i] * 0.75f + (float)(int)b[i];
        }
    }
    for (unsigned i = 0; i < CELLS; i++) {
        uint64_t bits;
        uint32_t narrow;

        memcpy(&bits, &a[i], 8);
        memcpy(&narrow, &c[i], 4);
        mix(bits);
        mix(narrow);
    }
    say("doubles");
}

/* long double: x87. */
static void
extended(void)
{
    long double x = 0.3L, sum = 0;

    for (unsigned i = 1; i < 20000; i++) {
        uint64_t bits;

        x = 3.99L * x * (1 - x);
        sum += sqrtl(x) / i;
        memcpy(&bits, &sum, 8);
        mix(bits);
    }
    say("extended");
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void
sorting(void)
{
    static uint32_t values[30011];
    uint32_t seed = 3;

    for (unsigned i = 0; i < 30011; i++) {
        values[i] = next(&seed);
    }
    qsort(values, 30011, sizeof(values[0]), by_value);
    for (unsigned i = 0; i < 30011; i++) {
        mix(values[i]);
    }
    say("sorting");
}

static sigjmp_buf back;

static void
on_fault(int number)
{
    siglongjmp(back, number);
}

/* Faults in the middle of work; registers of the interrupted code are as they were. */
static void
faults(void)
{
    volatile uint32_t *volatile nowhere = (volatile uint32_t *)16;
    volatile int zero = 0;

    signal(SIGSEGV, on_fault);
    signal(SIGFPE, on_fault);
    signal(SIGILL, on_fault);
    for (volatile unsigned i = 0; i < 3000; i++) {
        int number = sigsetjmp(back, 1);

        if (number) {
            mix((uint64_t)number * i);
        } else if (i % 3 == 0) {
            mix(*nowhere);
        } else if (i % 3 == 1) {
            mix((uint64_t)(1000 / zero));
        } else {
            __asm__ volatile("ud2");
        }
    }
    say("faults");
}

int
main(void)
{
    say("start");
    integers();
    doubles();
    extended();
    sorting();
    faults();
    return 0;
}
