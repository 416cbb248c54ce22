/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* MUL IMUL DIV IDIV MULX. Intel SDM volume 2. A quotient that does not fit is #DE before anything
 * changes, so the host never divides what would fault.
 * Thread: the CPU's own. */

#include "x86-int.h"

/* The undefined flags, as AMD CPUs leave them: MUL keeps all, DIV sets AF, clears SF ZF PF. */
#define FLAGS_MUL (X86_FLAG_CF | X86_FLAG_OF)
#define FLAGS_DIV (X86_FLAG_SF | X86_FLAG_ZF | X86_FLAG_AF | X86_FLAG_PF)

/* rDX:rAX = rAX * b. The byte form has its product in AX. */
#define HOST_WIDE_MUL(OP, size, lo_, hi_, b_, ax_)                    \
    do {                                                              \
        switch (size) {                                               \
        case 1:                                                       \
            __asm__(OP "b %b[b]\n\tmovzwl %%ax, %k[hi]" X86_FLAGS_OUT \
                    : "+a"(lo_), [hi] "=&r"(hi_)                      \
                    : [b] "q"(b_)                                     \
                    : "cc");                                          \
            break;                                                    \
        case 2:                                                       \
            __asm__(OP "w %w[b]\n\tmovzwl %%ax, %k[b]" X86_FLAGS_OUT  \
                    : "+a"(lo_), "=d"(hi_), [b] "+&r"(b_)             \
                    :                                                 \
                    : "cc");                                          \
            break;                                                    \
        case 4:                                                       \
            __asm__(OP "l %k[b]\n\tmovl %%eax, %k[b]" X86_FLAGS_OUT   \
                    : "+a"(lo_), "=d"(hi_), [b] "+&r"(b_)             \
                    :                                                 \
                    : "cc");                                          \
            break;                                                    \
        default:                                                      \
            __asm__(OP "q %q[b]\n\tmovq %%rax, %q[b]" X86_FLAGS_OUT   \
                    : "+a"(lo_), "=d"(hi_), [b] "+&r"(b_)             \
                    :                                                 \
                    : "cc");                                          \
            break;                                                    \
        }                                                             \
        ax_ = lo_;                                                    \
    } while (0)

X86_INLINE void
wide_mul(X86Core *core, const X86Insn *insn, bool is_signed, unsigned size)
{
    uint64_t b = x86_rm_read(core, insn, size), lo = core->s.gpr[X86_RAX], hi;
    uint32_t ax;

    if (is_signed) {
        HOST_WIDE_MUL("imul", size, lo, hi, b, ax);
    } else {
        HOST_WIDE_MUL("mul", size, lo, hi, b, ax);
    }
    if (size == 1) {
        x86_reg_write(core, insn, X86_RAX, hi, 2);
    } else {
        x86_reg_write(core, insn, X86_RAX, b, size);
        x86_reg_write(core, insn, X86_RDX, hi, size);
    }
    x86_set_flags(core, ax, FLAGS_MUL);
}

X86_INLINE void
mul_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    wide_mul(core, insn, false, size);
}
BY_SIZE(mul)

X86_INLINE void
imul_1_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    wide_mul(core, insn, true, size);
}
BY_SIZE(imul_1)

X86_INLINE uint64_t
imul(X86Core *core, uint64_t a, uint64_t b, unsigned size)
{
    uint64_t in = 0;
    uint32_t ax;

    switch (size) {
    case 2: X86_HOST_OP2("", "imul", 2, a, b, in, ax); break;
    case 4: X86_HOST_OP2("", "imul", 4, a, b, in, ax); break;
    default: X86_HOST_OP2("", "imul", 8, a, b, in, ax); break;
    }
    x86_set_flags(core, ax, FLAGS_MUL);
    return a;
}

X86_INLINE void
imul_2_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t b = x86_rm_read(core, insn, size);
    uint64_t a = x86_reg_read(core, insn, insn->reg, size);

    x86_reg_write(core, insn, insn->reg, imul(core, a, b, size), size);
}
BY_SIZE_WDQ(imul_2)

X86_INLINE void
imul_3_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t a = x86_rm_read(core, insn, size);

    x86_reg_write(core, insn, insn->reg, imul(core, a, insn->imm, size), size);
}
BY_SIZE_WDQ(imul_3)

X86_INLINE void
mulx_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t b = x86_rm_read(core, insn, size);
    uint64_t a = core->s.gpr[X86_RDX] & x86_size_mask(size);
    unsigned __int128 product = (unsigned __int128)a * b;

    /* when both destinations are the same register it holds the upper half */
    x86_reg_write(core, insn, insn->vvvv, product, size);
    x86_reg_write(core, insn, insn->reg, product >> size * 8, size);
}
BY_SIZE_DQ(mulx)

/* hi:lo / d for hi < d. */
X86_INLINE uint64_t
divide64(uint64_t hi, uint64_t lo, uint64_t d, uint64_t *out_rest)
{
    __asm__("divq %[d]" : "+a"(lo), "+d"(hi) : [d] "r"(d) : "cc");
    *out_rest = hi;
    return lo;
}

/* The dividend of SIZE: rDX:rAX, or AX. */
X86_INLINE unsigned __int128
dividend(const X86Core *core, unsigned size)
{
    uint64_t rax = core->s.gpr[X86_RAX], rdx = core->s.gpr[X86_RDX];

    if (size == 1) {
        return rax & 0xffff;
    }
    return (unsigned __int128)(rdx & x86_size_mask(size)) << size * 8 | (rax & x86_size_mask(size));
}

X86_INLINE void
store_quotient(X86Core *core, const X86Insn *insn, uint64_t quotient, uint64_t rest, unsigned size)
{
    if (size == 1) {
        x86_reg_write(core, insn, X86_RAX, (quotient & 0xff) | (rest & 0xff) << 8, 2);
    } else {
        x86_reg_write(core, insn, X86_RAX, quotient, size);
        x86_reg_write(core, insn, X86_RDX, rest, size);
    }
    core->s.rflags = (core->s.rflags & ~(uint64_t)FLAGS_DIV) | X86_FLAG_AF;
}

X86_INLINE void
div_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t d = x86_rm_read(core, insn, size), quotient, rest;
    unsigned __int128 n = dividend(core, size);

    if (size == 8) {
        if ((uint64_t)(n >> 64) >= d) {
            x86_fault(core, X86_EXC_DE);
        }
        quotient = divide64(n >> 64, n, d, &rest);
    } else {
        if (d == 0 || (uint64_t)n / d > x86_size_mask(size)) {
            x86_fault(core, X86_EXC_DE);
        }
        quotient = (uint64_t)n / d;
        rest = (uint64_t)n % d;
    }
    store_quotient(core, insn, quotient, rest, size);
}
BY_SIZE(div)

X86_INLINE void
idiv_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    int64_t d = x86_sign(x86_rm_read(core, insn, size), size);
    unsigned __int128 n = dividend(core, size);
    bool negative_n = n >> (size * 16 - 1) & 1, negative_q = negative_n != (d < 0);
    uint64_t magnitude_d = d < 0 ? -(uint64_t)d : (uint64_t)d, quotient, rest;
    uint64_t limit = (1ull << (size * 8 - 1)) - !negative_q;

    if (negative_n) {
        n = -n;
        if (size < 8) {
            n &= x86_size_mask(size * 2);
        }
    }
    if ((uint64_t)(n >> 64) >= magnitude_d) {
        x86_fault(core, X86_EXC_DE);
    }
    quotient = divide64(n >> 64, n, magnitude_d, &rest);
    if (quotient > limit) {
        x86_fault(core, X86_EXC_DE);
    }
    store_quotient(core, insn, negative_q ? -quotient : quotient, negative_n ? -rest : rest, size);
}
BY_SIZE(idiv)
