/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the integer handlers (x86-int-*.c) share: operands, and host instructions as the source of
 * results and flags.
 *
 * The host executes the same instruction set, so arithmetic runs as the one host instruction and
 * its flags are taken with LAHF and SETO. Undefined flags then are what this host leaves in them.
 * Bodies are inlined per operand size; BY_SIZE makes the handler that picks one.
 */

#include "x86-exec.h"
#include "x86-mem.h"

#define X86_INLINE static inline __attribute__((always_inline))

/* AX as LAHF and SETO %al leave it: SF ZF AF PF CF in bits 8..15, OF in bit 0. */
#define X86_FLAGS_OUT "\n\tlahf\n\tseto %%al"

X86_INLINE uint32_t
x86_flags_of_ax(uint32_t ax)
{
    return (ax >> 8 & (X86_FLAGS_ARITH & 0xff)) | (ax & 1) << 11;
}

X86_INLINE void
x86_set_flags(X86Core *core, uint32_t ax, uint32_t mask)
{
    core->s.rflags = (core->s.rflags & ~(uint64_t)mask) | (x86_flags_of_ax(ax) & mask);
}

X86_INLINE void
x86_set_flag(X86Core *core, uint32_t flag, bool value)
{
    core->s.rflags = (core->s.rflags & ~(uint64_t)flag) | (value ? flag : 0);
}

X86_INLINE uint64_t
x86_size_mask(unsigned size)
{
    return size == 8 ? ~0ull : (1ull << size * 8) - 1;
}

/* SIZE low bytes of VALUE, sign-extended. */
X86_INLINE int64_t
x86_sign(uint64_t value, unsigned size)
{
    switch (size) {
    case 1: return (int8_t)value;
    case 2: return (int16_t)value;
    case 4: return (int32_t)value;
    default: return value;
    }
}

X86_INLINE uint64_t
x86_wrap(uint64_t offset, unsigned address_size)
{
    return address_size == 8 ? offset : address_size == 4 ? (uint32_t)offset : (uint16_t)offset;
}

/* x86_ea(), inlined into the handlers. */
X86_INLINE uint64_t
x86_address(const X86Core *core, const X86Insn *insn)
{
    uint64_t offset = insn->disp;

    if (insn->base < 16) {
        offset += core->s.gpr[insn->base];
    } else if (insn->base == X86_REG_RIP) {
        offset += core->next_rip;
    }
    if (insn->index != X86_NO_REG) {
        offset += core->s.gpr[insn->index] << insn->scale;
    }
    return x86_wrap(offset, insn->address_size);
}

X86_INLINE uint64_t
x86_mem_read(X86Core *core, const X86Insn *insn, unsigned size)
{
    return x86_read_fast(core, insn->segment, x86_address(core, insn), size);
}

X86_INLINE void
x86_mem_write(X86Core *core, const X86Insn *insn, uint64_t value, unsigned size)
{
    x86_write_fast(core, insn->segment, x86_address(core, insn), value, size);
}

/* ModRM.rm, register or memory. */
X86_INLINE uint64_t
x86_rm_read(X86Core *core, const X86Insn *insn, unsigned size)
{
    return insn->is_memory ? x86_mem_read(core, insn, size)
                           : x86_reg_read(core, insn, insn->rm, size);
}

X86_INLINE void
x86_rm_write(X86Core *core, const X86Insn *insn, uint64_t value, unsigned size)
{
    if (insn->is_memory) {
        x86_mem_write(core, insn, value, size);
    } else {
        x86_reg_write(core, insn, insn->rm, value, size);
    }
}

X86_INLINE void
x86_rmw_operand(X86Core *core, const X86Insn *insn, unsigned size, X86Rmw *rmw)
{
    x86_rmw_begin(core, insn->segment, x86_address(core, insn), size, rmw);
}

/* Handlers by operand size. */
#define BY_SIZE(name)                                        \
    void x86_exec_##name(X86Core *core, const X86Insn *insn) \
    {                                                        \
        switch (insn->operand_size) {                        \
        case 1: name##_body(core, insn, 1); break;           \
        case 2: name##_body(core, insn, 2); break;           \
        case 4: name##_body(core, insn, 4); break;           \
        default: name##_body(core, insn, 8); break;          \
        }                                                    \
    }
/* The same for instructions without a byte form, and for those of 4 and 8 only. */
#define BY_SIZE_WDQ(name)                                    \
    void x86_exec_##name(X86Core *core, const X86Insn *insn) \
    {                                                        \
        switch (insn->operand_size) {                        \
        case 2: name##_body(core, insn, 2); break;           \
        case 4: name##_body(core, insn, 4); break;           \
        default: name##_body(core, insn, 8); break;          \
        }                                                    \
    }
#define BY_SIZE_DQ(name)                                     \
    void x86_exec_##name(X86Core *core, const X86Insn *insn) \
    {                                                        \
        if (insn->rex_w && insn->code_size == 8) {           \
            name##_body(core, insn, 8);                      \
        } else {                                             \
            name##_body(core, insn, 4);                      \
        }                                                    \
    }

/* One host instruction "OP src, dst" of SIZE with its flags; PRE runs before it and may use
 * [in]. */
#define X86_HOST_OP2(PRE, OP, size, dst_, src_, in_, ax_)     \
    do {                                                      \
        switch (size) {                                       \
        case 1:                                               \
            __asm__(PRE OP "b %b[src], %b[dst]" X86_FLAGS_OUT \
                    : [dst] "+q"(dst_), "=&a"(ax_)            \
                    : [src] "q"(src_), [in] "r"(in_)          \
                    : "cc");                                  \
            break;                                            \
        case 2:                                               \
            __asm__(PRE OP "w %w[src], %w[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)            \
                    : [src] "r"(src_), [in] "r"(in_)          \
                    : "cc");                                  \
            break;                                            \
        case 4:                                               \
            __asm__(PRE OP "l %k[src], %k[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)            \
                    : [src] "r"(src_), [in] "r"(in_)          \
                    : "cc");                                  \
            break;                                            \
        default:                                              \
            __asm__(PRE OP "q %q[src], %q[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)            \
                    : [src] "r"(src_), [in] "r"(in_)          \
                    : "cc");                                  \
            break;                                            \
        }                                                     \
    } while (0)

/* The same with LOCK on host memory. */
#define X86_HOST_LOCK2(PRE, OP, size, host_, src_, in_, ax_)                    \
    do {                                                                        \
        switch (size) {                                                         \
        case 1:                                                                 \
            __asm__ volatile(PRE "lock " OP "b %b[src], (%[mem])" X86_FLAGS_OUT \
                             : "=&a"(ax_)                                       \
                             : [mem] "r"(host_), [src] "q"(src_), [in] "r"(in_) \
                             : "cc", "memory");                                 \
            break;                                                              \
        case 2:                                                                 \
            __asm__ volatile(PRE "lock " OP "w %w[src], (%[mem])" X86_FLAGS_OUT \
                             : "=&a"(ax_)                                       \
                             : [mem] "r"(host_), [src] "r"(src_), [in] "r"(in_) \
                             : "cc", "memory");                                 \
            break;                                                              \
        case 4:                                                                 \
            __asm__ volatile(PRE "lock " OP "l %k[src], (%[mem])" X86_FLAGS_OUT \
                             : "=&a"(ax_)                                       \
                             : [mem] "r"(host_), [src] "r"(src_), [in] "r"(in_) \
                             : "cc", "memory");                                 \
            break;                                                              \
        default:                                                                \
            __asm__ volatile(PRE "lock " OP "q %q[src], (%[mem])" X86_FLAGS_OUT \
                             : "=&a"(ax_)                                       \
                             : [mem] "r"(host_), [src] "r"(src_), [in] "r"(in_) \
                             : "cc", "memory");                                 \
            break;                                                              \
        }                                                                       \
    } while (0)

/* The same with one operand, which is in memory when LOCKed. */
#define X86_HOST_OP1(PRE, OP, size, dst_, in_, ax_)  \
    do {                                             \
        switch (size) {                              \
        case 1:                                      \
            __asm__(PRE OP "b %b[dst]" X86_FLAGS_OUT \
                    : [dst] "+q"(dst_), "=&a"(ax_)   \
                    : [in] "r"(in_)                  \
                    : "cc");                         \
            break;                                   \
        case 2:                                      \
            __asm__(PRE OP "w %w[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)   \
                    : [in] "r"(in_)                  \
                    : "cc");                         \
            break;                                   \
        case 4:                                      \
            __asm__(PRE OP "l %k[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)   \
                    : [in] "r"(in_)                  \
                    : "cc");                         \
            break;                                   \
        default:                                     \
            __asm__(PRE OP "q %q[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)   \
                    : [in] "r"(in_)                  \
                    : "cc");                         \
            break;                                   \
        }                                            \
    } while (0)

#define X86_HOST_LOCK1(OP, size, host_, ax_)                       \
    do {                                                           \
        switch (size) {                                            \
        case 1:                                                    \
            __asm__ volatile("lock " OP "b (%[mem])" X86_FLAGS_OUT \
                             : "=&a"(ax_)                          \
                             : [mem] "r"(host_)                    \
                             : "cc", "memory");                    \
            break;                                                 \
        case 2:                                                    \
            __asm__ volatile("lock " OP "w (%[mem])" X86_FLAGS_OUT \
                             : "=&a"(ax_)                          \
                             : [mem] "r"(host_)                    \
                             : "cc", "memory");                    \
            break;                                                 \
        case 4:                                                    \
            __asm__ volatile("lock " OP "l (%[mem])" X86_FLAGS_OUT \
                             : "=&a"(ax_)                          \
                             : [mem] "r"(host_)                    \
                             : "cc", "memory");                    \
            break;                                                 \
        default:                                                   \
            __asm__ volatile("lock " OP "q (%[mem])" X86_FLAGS_OUT \
                             : "=&a"(ax_)                          \
                             : [mem] "r"(host_)                    \
                             : "cc", "memory");                    \
            break;                                                 \
        }                                                          \
    } while (0)

/* Carry into a host instruction, from RFLAGS in [in]. */
#define X86_CARRY_IN "btl $0, %k[in]\n\t"
