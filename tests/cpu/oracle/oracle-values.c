/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Values: see oracle-values.h. IEEE 754 and the x87 extended format, Intel SDM volume 1 chapter 4
 * and 8. */

#include "oracle-values.h"

#include <string.h>

uint64_t
oracle_integer(OracleRng *rng)
{
    static const uint64_t edges[] = {
        0,
        1,
        2,
        0x7f,
        0x80,
        0xff,
        0x100,
        0x7fff,
        0x8000,
        0xffff,
        0x10000,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        0x100000000,
        0x7fffffffffffffff,
        0x8000000000000000,
        0xffffffffffffffff,
        0xffffffff80000000,
        0xffffffffffff8000,
        0xffffffffffffff80,
        0xfffffffffffffffe,
        0x5555555555555555,
        0xaaaaaaaaaaaaaaaa,
    };
    uint64_t r = oracle_random(rng);

    switch (r >> 60 & 7) {
    case 0:
    case 1: return edges[oracle_below(rng, G_N_ELEMENTS(edges))];
    case 2: return r & 0x3f;
    case 3: return (uint64_t)1 << (r & 63);
    case 4: return r & 0xffffffff;
    case 5: return ((uint64_t)1 << (r & 63)) - 1;
    default: return r;
    }
}

uint32_t
oracle_float32(OracleRng *rng)
{
    static const uint32_t edges[] = {
        0,          0x80000000, 1,          0x007fffff, 0x00800000, 0x00800001, 0x3f800000,
        0xbf800000, 0x3f800001, 0x3f7fffff, 0x40000000, 0x40490fdb, 0x7f7fffff, 0x7f800000,
        0xff800000, 0x7f800001, 0x7fbfffff, 0x7fc00000, 0xffc00000, 0xffc12345, 0x4effffff,
        0x4f000000, 0xcf000000, 0x4f800000, 0x5f000000, 0x477fe000, 0x38800000, 0x33800000,
    };
    uint64_t r = oracle_random(rng);

    switch (r >> 60 & 7) {
    case 0:
    case 1:
    case 2: return edges[oracle_below(rng, G_N_ELEMENTS(edges))] ^ (uint32_t)(r & 0x80000000);
    case 3: return (uint32_t)(r & 0x807fffff);              /* denormal */
    case 4: return (uint32_t)(r & 0x83ffffff) + 0x3e000000; /* near one */
    case 5: return (uint32_t)(r & 0xff800000) | (r & 7);    /* few mantissa bits */
    default: return (uint32_t)r;
    }
}

uint64_t
oracle_float64(OracleRng *rng)
{
    static const uint64_t edges[] = {
        0,
        1,
        0x000fffffffffffff,
        0x0010000000000000,
        0x0010000000000001,
        0x3ff0000000000000,
        0x3ff0000000000001,
        0x3fefffffffffffff,
        0x4000000000000000,
        0x400921fb54442d18,
        0x7fefffffffffffff,
        0x7ff0000000000000,
        0x7ff0000000000001,
        0x7ff7ffffffffffff,
        0x7ff8000000000000,
        0x7ff8000012345678,
        0x41dfffffffc00000, /* 2^31 - 1 */
        0x41e0000000000000,
        0x43e0000000000000, /* 2^63 */
        0x43f0000000000000,
        0x47efffffe0000000, /* largest float */
        0x47effffff0000000,
        0x380fffffc0000000, /* largest float denormal */
        0x36a0000000000000, /* smallest float denormal */
        0x3690000000000000,
        0x3ca0000000000000,
    };
    uint64_t r = oracle_random(rng);

    switch (r >> 60 & 7) {
    case 0:
    case 1:
    case 2: return edges[oracle_below(rng, G_N_ELEMENTS(edges))] ^ (r << 20 & 0x8000000000000000);
    case 3: return r & 0x800fffffffffffff;
    case 4: return (r & 0x803fffffffffffff) + 0x3fc0000000000000;
    case 5: return (r & 0xfff0000000000000) | (r & 7);
    default: return r;
    }
}

void
oracle_float80(OracleRng *rng, uint8_t *out)
{
    static const uint64_t mantissas[] = {
        0,
        1,
        0x8000000000000000,
        0x8000000000000001,
        0xffffffffffffffff,
        0xc000000000000000,
        0xa000000000000000,
        0x7fffffffffffffff,
        0x4000000000000000,
        0xc90fdaa22168c235,
        0xbfffffffffffffff,
        0xfffffffffffff800,
        0xffffff0000000000,
        0x8000008000000000,
    };
    static const uint16_t exponents[] = {
        0,      1,      2,      0x3ffe, 0x3fff, 0x4000, 0x4001, 0x7ffe,
        0x7fff, 0x403e, 0x403f, 0x3f80, 0x3f81, 0x407f, 0x3c00, 0x3c01,
        0x43fe, 0x43ff, 0x3fbe, 0x400d, 0x401d, 0x403d, 0x3f6a, 0x3bcd,
    };
    uint64_t r = oracle_random(rng), mantissa = oracle_random(rng);
    uint16_t exponent = (uint16_t)(r & 0x7fff);

    if (oracle_chance(rng, 60)) {
        mantissa = mantissas[oracle_below(rng, G_N_ELEMENTS(mantissas))];
    }
    if (oracle_chance(rng, 50)) {
        exponent = exponents[oracle_below(rng, G_N_ELEMENTS(exponents))];
    } else if (oracle_chance(rng, 60)) {
        exponent = (uint16_t)(0x3fdf + (r & 0x3f)); /* comparable sizes */
    }
    if (exponent != 0 && oracle_chance(rng, 85)) {
        mantissa |= 0x8000000000000000;
    }
    exponent |= (uint16_t)(r >> 40 & 0x8000);
    memcpy(out, &mantissa, 8);
    memcpy(out + 8, &exponent, 2);
}

void
oracle_vector(OracleRng *rng, uint8_t *out, unsigned len)
{
    unsigned kind = oracle_below(rng, 8);

    for (unsigned at = 0; at < len; at += 8) {
        uint64_t v = oracle_random(rng);

        if (kind < 3) {
            v = oracle_float32(rng) | (uint64_t)oracle_float32(rng) << 32;
        } else if (kind < 6) {
            v = oracle_float64(rng);
        } else if (kind == 6) {
            v = oracle_integer(rng);
        }
        memcpy(out + at, &v, 8);
    }
}

static void
put16(uint8_t *at, unsigned value)
{
    memcpy(at, &(uint16_t){ (uint16_t)value }, 2);
}

static void
x87_image(OracleRng *rng, uint8_t *out)
{
    unsigned control = 0x40 | (oracle_chance(rng, 80) ? 0x3f : oracle_below(rng, 64));
    unsigned status = oracle_below(rng, 8) << 11;
    uint64_t pointers = oracle_random(rng);

    control |= oracle_chance(rng, 60) ? 0x300 : oracle_below(rng, 16) << 8; /* PC and RC */
    if (oracle_chance(rng, 30)) {
        status |= (unsigned)oracle_random(rng) & 0x477f; /* C0..C3, SF, exceptions */
    }
    if (!oracle_chance(rng, 4)) {
        status &= ~(~control & 0x3f); /* nothing pending */
    }
    if (status & ~control & 0x3f) {
        status |= 0x8080;
    }
    put16(out, control);
    put16(out + 2, status);
    out[4] = oracle_chance(rng, 50) ? (uint8_t)oracle_random(rng) : 0x7e;
    put16(out + 6, (unsigned)pointers & 0x7ff);
    memcpy(out + 8, &(uint64_t){ pointers >> 20 & 0x7fffffff }, 8);
    memcpy(out + 16, &(uint64_t){ pointers >> 12 & 0x7fffffff }, 8);
    for (unsigned i = 0; i < 8; i++) {
        oracle_float80(rng, out + 32 + i * 16);
    }
}

void
oracle_xsave_image(OracleRng *rng, uint8_t *out)
{
    uint32_t mxcsr = oracle_chance(rng, 80) ? 0x1f80 : (uint32_t)oracle_below(rng, 64) << 7;

    memset(out, 0, ORACLE_XSAVE_BYTES);
    x87_image(rng, out);
    if (oracle_chance(rng, 50)) {
        mxcsr |= (uint32_t)oracle_random(rng) & 0x603f; /* RC and flags */
    }
    if (oracle_chance(rng, 20)) {
        mxcsr |= (uint32_t)oracle_random(rng) & 0x8040; /* FTZ, DAZ */
    }
    memcpy(out + 24, &mxcsr, 4);
    out[28] = 0xff;
    out[29] = 0xff;
    out[512] = 7;
    for (unsigned i = 0; i < 16; i++) {
        oracle_vector(rng, out + 160 + i * 16, 16);
        oracle_vector(rng, out + 576 + i * 16, 16);
    }
}
