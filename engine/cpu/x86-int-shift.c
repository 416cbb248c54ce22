/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Shifts and rotates: ROL ROR RCL RCR SHL SHR SAR SHLD SHRD, and the flagless RORX SHLX SHRX SARX.
 * Intel SDM volume 2. The count is taken modulo 32 (64 for 64-bit operands); a count of zero
 * leaves every flag alone. SHLD and SHRD of 16 bits by more than 16 are undefined; here they give
 * what the host gives. Thread: the CPU's own. */

#include "x86-int.h"

typedef enum ShiftOp {
    SHIFT_ROL,
    SHIFT_ROR,
    SHIFT_RCL,
    SHIFT_RCR,
    SHIFT_SHL,
    SHIFT_SHR,
    SHIFT_SAR
} ShiftOp;

#define HOST_SHIFT(OP, size, dst_, count_, in_, ax_)                \
    do {                                                            \
        switch (size) {                                             \
        case 1:                                                     \
            __asm__(X86_CARRY_IN OP "b %%cl, %b[dst]" X86_FLAGS_OUT \
                    : [dst] "+q"(dst_), "=&a"(ax_)                  \
                    : "c"(count_), [in] "r"(in_)                    \
                    : "cc");                                        \
            break;                                                  \
        case 2:                                                     \
            __asm__(X86_CARRY_IN OP "w %%cl, %w[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)                  \
                    : "c"(count_), [in] "r"(in_)                    \
                    : "cc");                                        \
            break;                                                  \
        case 4:                                                     \
            __asm__(X86_CARRY_IN OP "l %%cl, %k[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)                  \
                    : "c"(count_), [in] "r"(in_)                    \
                    : "cc");                                        \
            break;                                                  \
        default:                                                    \
            __asm__(X86_CARRY_IN OP "q %%cl, %q[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)                  \
                    : "c"(count_), [in] "r"(in_)                    \
                    : "cc");                                        \
            break;                                                  \
        }                                                           \
    } while (0)

/* COUNT is masked and not zero. */
X86_INLINE uint64_t
shift(X86Core *core, ShiftOp op, uint64_t a, unsigned count, unsigned size)
{
    uint64_t in = core->s.rflags;
    uint32_t ax = 0;

    switch (op) {
    case SHIFT_ROL: HOST_SHIFT("rol", size, a, count, in, ax); break;
    case SHIFT_ROR: HOST_SHIFT("ror", size, a, count, in, ax); break;
    case SHIFT_RCL: HOST_SHIFT("rcl", size, a, count, in, ax); break;
    case SHIFT_RCR: HOST_SHIFT("rcr", size, a, count, in, ax); break;
    case SHIFT_SHL: HOST_SHIFT("shl", size, a, count, in, ax); break;
    case SHIFT_SHR: HOST_SHIFT("shr", size, a, count, in, ax); break;
    case SHIFT_SAR: HOST_SHIFT("sar", size, a, count, in, ax); break;
    }
    x86_set_flags(core, ax, op <= SHIFT_RCR ? X86_FLAG_CF | X86_FLAG_OF : X86_FLAGS_ARITH);
    return a;
}

X86_INLINE void
shift_rm(X86Core *core, const X86Insn *insn, ShiftOp op, unsigned count, unsigned size)
{
    X86Rmw rmw;

    count &= size == 8 ? 63 : 31;
    if (!insn->is_memory) {
        uint64_t a = x86_reg_read(core, insn, insn->rm, size);
        /* With a count of zero a 32-bit register is still written: its upper half clears. */
        x86_reg_write(core, insn, insn->rm, count ? shift(core, op, a, count, size) : a, size);
        return;
    }
    x86_rmw_operand(core, insn, size, &rmw);
    if (count) {
        uint64_t a = x86_host_load(rmw.host, size);
        x86_host_store(rmw.host, shift(core, op, a, count, size), size);
    }
    x86_rmw_end(core, &rmw);
}

#define SHIFT_HANDLERS(name, op)                                                       \
    X86_INLINE void name##_imm_body(X86Core *core, const X86Insn *insn, unsigned size) \
    {                                                                                  \
        shift_rm(core, insn, op, insn->imm, size);                                     \
    }                                                                                  \
    X86_INLINE void name##_one_body(X86Core *core, const X86Insn *insn, unsigned size) \
    {                                                                                  \
        shift_rm(core, insn, op, 1, size);                                             \
    }                                                                                  \
    X86_INLINE void name##_cl_body(X86Core *core, const X86Insn *insn, unsigned size)  \
    {                                                                                  \
        shift_rm(core, insn, op, core->s.gpr[X86_RCX], size);                          \
    }                                                                                  \
    BY_SIZE(name##_imm)                                                                \
    BY_SIZE(name##_one)                                                                \
    BY_SIZE(name##_cl)

SHIFT_HANDLERS(rol, SHIFT_ROL)
SHIFT_HANDLERS(ror, SHIFT_ROR)
SHIFT_HANDLERS(rcl, SHIFT_RCL)
SHIFT_HANDLERS(rcr, SHIFT_RCR)
SHIFT_HANDLERS(shl, SHIFT_SHL)
SHIFT_HANDLERS(shr, SHIFT_SHR)
SHIFT_HANDLERS(sar, SHIFT_SAR)

#define HOST_DOUBLE(OP, size, dst_, src_, count_, ax_)          \
    do {                                                        \
        switch (size) {                                         \
        case 2:                                                 \
            __asm__(OP "w %%cl, %w[src], %w[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)              \
                    : [src] "r"(src_), "c"(count_)              \
                    : "cc");                                    \
            break;                                              \
        case 4:                                                 \
            __asm__(OP "l %%cl, %k[src], %k[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)              \
                    : [src] "r"(src_), "c"(count_)              \
                    : "cc");                                    \
            break;                                              \
        default:                                                \
            __asm__(OP "q %%cl, %q[src], %q[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)              \
                    : [src] "r"(src_), "c"(count_)              \
                    : "cc");                                    \
            break;                                              \
        }                                                       \
    } while (0)

X86_INLINE uint64_t
double_shift(X86Core *core, bool left, uint64_t a, uint64_t b, unsigned count, unsigned size)
{
    uint32_t ax = 0;

    if (left) {
        HOST_DOUBLE("shld", size, a, b, count, ax);
    } else {
        HOST_DOUBLE("shrd", size, a, b, count, ax);
    }
    x86_set_flags(core, ax, X86_FLAGS_ARITH);
    return a;
}

X86_INLINE void
double_shift_rm(X86Core *core, const X86Insn *insn, bool left, unsigned count, unsigned size)
{
    uint64_t b = x86_reg_read(core, insn, insn->reg, size);
    X86Rmw rmw;

    count &= size == 8 ? 63 : 31;
    if (!insn->is_memory) {
        uint64_t a = x86_reg_read(core, insn, insn->rm, size);
        x86_reg_write(core, insn, insn->rm, count ? double_shift(core, left, a, b, count, size) : a,
                      size);
        return;
    }
    x86_rmw_operand(core, insn, size, &rmw);
    if (count) {
        uint64_t a = x86_host_load(rmw.host, size);
        x86_host_store(rmw.host, double_shift(core, left, a, b, count, size), size);
    }
    x86_rmw_end(core, &rmw);
}

#define DOUBLE_HANDLERS(name, left)                                                    \
    X86_INLINE void name##_imm_body(X86Core *core, const X86Insn *insn, unsigned size) \
    {                                                                                  \
        double_shift_rm(core, insn, left, insn->imm, size);                            \
    }                                                                                  \
    X86_INLINE void name##_cl_body(X86Core *core, const X86Insn *insn, unsigned size)  \
    {                                                                                  \
        double_shift_rm(core, insn, left, core->s.gpr[X86_RCX], size);                 \
    }                                                                                  \
    BY_SIZE_WDQ(name##_imm)                                                            \
    BY_SIZE_WDQ(name##_cl)

DOUBLE_HANDLERS(shld, true)
DOUBLE_HANDLERS(shrd, false)

/* BMI2: no flags. */

X86_INLINE void
rorx_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t a = x86_rm_read(core, insn, size);
    unsigned bits = size * 8, count = insn->imm & (bits - 1);

    if (count) {
        a = a >> count | a << (bits - count);
    }
    x86_reg_write(core, insn, insn->reg, a, size);
}
BY_SIZE_DQ(rorx)

X86_INLINE void
shlx_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    unsigned count = core->s.gpr[insn->vvvv] & (size * 8 - 1);

    x86_reg_write(core, insn, insn->reg, x86_rm_read(core, insn, size) << count, size);
}
BY_SIZE_DQ(shlx)

X86_INLINE void
shrx_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    unsigned count = core->s.gpr[insn->vvvv] & (size * 8 - 1);

    x86_reg_write(core, insn, insn->reg, x86_rm_read(core, insn, size) >> count, size);
}
BY_SIZE_DQ(shrx)

X86_INLINE void
sarx_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    unsigned count = core->s.gpr[insn->vvvv] & (size * 8 - 1);
    int64_t a = x86_sign(x86_rm_read(core, insn, size), size);

    x86_reg_write(core, insn, insn->reg, a >> count, size);
}
BY_SIZE_DQ(sarx)
