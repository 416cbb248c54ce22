/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Bit instructions: BT BTS BTR BTC BSF BSR TZCNT LZCNT POPCNT CRC32, BMI1, BMI2. Intel SDM
 * volume 2. BSF and BSR of zero leave the destination alone, as AMD documents and all do. Thread:
 * the CPU's own. */

#include "x86-int.h"

typedef enum BitOp { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT } BitOp;

X86_INLINE uint64_t
bit_change(BitOp op, uint64_t value, uint64_t bit)
{
    switch (op) {
    case BIT_SET: return value | bit;
    case BIT_RESET: return value & ~bit;
    case BIT_COMPLEMENT: return value ^ bit;
    default: return value;
    }
}

/* Atomic on host memory; returns the old value. */
X86_INLINE uint64_t
bit_change_locked(BitOp op, void *host, uint64_t bit, unsigned size)
{
    uint64_t old = x86_host_load(host, size), seen;

    for (;;) {
        uint64_t changed = bit_change(op, old, bit);
        seen = old;
        switch (size) {
        case 2:
            __asm__ volatile("lock cmpxchgw %w2, (%1)"
                             : "+a"(seen)
                             : "r"(host), "r"(changed)
                             : "cc", "memory");
            break;
        case 4:
            __asm__ volatile("lock cmpxchgl %k2, (%1)"
                             : "+a"(seen)
                             : "r"(host), "r"(changed)
                             : "cc", "memory");
            break;
        default:
            __asm__ volatile("lock cmpxchgq %q2, (%1)"
                             : "+a"(seen)
                             : "r"(host), "r"(changed)
                             : "cc", "memory");
            break;
        }
        seen &= x86_size_mask(size);
        if (seen == old) {
            return old;
        }
        old = seen;
    }
}

/* Bit INDEX of the operand; with REACHES a memory operand is the start of a bit string. */
X86_INLINE void
bit_operation(X86Core *core, const X86Insn *insn, BitOp op, int64_t index, bool reaches,
              unsigned size)
{
    unsigned bits = size * 8;
    uint64_t bit = 1ull << (index & (bits - 1)), old;

    if (!insn->is_memory) {
        old = x86_reg_read(core, insn, insn->rm, size);
        if (op != BIT_TEST) {
            x86_reg_write(core, insn, insn->rm, bit_change(op, old, bit), size);
        }
    } else {
        uint64_t address = x86_address(core, insn);
        if (reaches) {
            int64_t words = index >> (size == 2 ? 4 : size == 4 ? 5 : 6);
            address = x86_wrap(address + words * (int)size, insn->address_size);
        }
        if (op == BIT_TEST) {
            old = x86_read_fast(core, insn->segment, address, size);
        } else {
            X86Rmw rmw;
            x86_rmw_begin(core, insn->segment, address, size, &rmw);
            if (insn->lock) {
                old = bit_change_locked(op, rmw.host, bit, size);
            } else {
                old = x86_host_load(rmw.host, size);
                x86_host_store(rmw.host, bit_change(op, old, bit), size);
            }
            x86_rmw_end(core, &rmw);
        }
    }
    x86_set_flag(core, X86_FLAG_CF, old & bit);
}

#define BIT_HANDLERS(name, op)                                                         \
    X86_INLINE void name##_reg_body(X86Core *core, const X86Insn *insn, unsigned size) \
    {                                                                                  \
        int64_t index = x86_sign(x86_reg_read(core, insn, insn->reg, size), size);     \
        bit_operation(core, insn, op, index, true, size);                              \
    }                                                                                  \
    X86_INLINE void name##_imm_body(X86Core *core, const X86Insn *insn, unsigned size) \
    {                                                                                  \
        bit_operation(core, insn, op, insn->imm, false, size);                         \
    }                                                                                  \
    BY_SIZE_WDQ(name##_reg)                                                            \
    BY_SIZE_WDQ(name##_imm)

BIT_HANDLERS(bt, BIT_TEST)
BIT_HANDLERS(bts, BIT_SET)
BIT_HANDLERS(btr, BIT_RESET)
BIT_HANDLERS(btc, BIT_COMPLEMENT)

#define HOST_SCAN(OP, size, dst_, src_, ax_)              \
    do {                                                  \
        switch (size) {                                   \
        case 2:                                           \
            __asm__(OP "w %w[src], %w[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)        \
                    : [src] "r"(src_)                     \
                    : "cc");                              \
            break;                                        \
        case 4:                                           \
            __asm__(OP "l %k[src], %k[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)        \
                    : [src] "r"(src_)                     \
                    : "cc");                              \
            break;                                        \
        default:                                          \
            __asm__(OP "q %q[src], %q[dst]" X86_FLAGS_OUT \
                    : [dst] "+r"(dst_), "=&a"(ax_)        \
                    : [src] "r"(src_)                     \
                    : "cc");                              \
            break;                                        \
        }                                                 \
    } while (0)

/* The host instruction on the whole register, so that what it does to the rest for a source of
 * zero is what the host does. */
X86_INLINE void
bsf_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t src = x86_rm_read(core, insn, size), dst = core->s.gpr[insn->reg];
    uint32_t ax;

    HOST_SCAN("bsf", size, dst, src, ax);
    core->s.gpr[insn->reg] = dst;
    x86_set_flags(core, ax, X86_FLAGS_ARITH);
}
BY_SIZE_WDQ(bsf)

X86_INLINE void
bsr_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t src = x86_rm_read(core, insn, size), dst = core->s.gpr[insn->reg];
    uint32_t ax;

    HOST_SCAN("bsr", size, dst, src, ax);
    core->s.gpr[insn->reg] = dst;
    x86_set_flags(core, ax, X86_FLAGS_ARITH);
}
BY_SIZE_WDQ(bsr)

X86_INLINE void
count_zeros(X86Core *core, const X86Insn *insn, bool leading, unsigned size)
{
    uint64_t src = x86_rm_read(core, insn, size);
    unsigned bits = size * 8, count = bits;

    if (src) {
        count =
            leading ? (unsigned)__builtin_clzll(src) - (64 - bits) : (unsigned)__builtin_ctzll(src);
    }
    x86_reg_write(core, insn, insn->reg, count, size);
    /* undefined: AMD CPUs clear SF, AF and PF and leave OF */
    core->s.rflags = (core->s.rflags & ~(uint64_t)(X86_FLAGS_ARITH & ~X86_FLAG_OF)) |
                     (src ? 0 : X86_FLAG_CF) | (count ? 0 : X86_FLAG_ZF);
}

X86_INLINE void
tzcnt_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    count_zeros(core, insn, false, size);
}

X86_INLINE void
lzcnt_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    count_zeros(core, insn, true, size);
}

/* F3 on BSF and BSR means nothing to a CPU without these. */
void
x86_exec_tzcnt(X86Core *core, const X86Insn *insn)
{
    if (!x86_has_feature(core, X86_FEATURE_BMI1)) {
        x86_exec_bsf(core, insn);
        return;
    }
    switch (insn->operand_size) {
    case 2: tzcnt_body(core, insn, 2); break;
    case 4: tzcnt_body(core, insn, 4); break;
    default: tzcnt_body(core, insn, 8); break;
    }
}

void
x86_exec_lzcnt(X86Core *core, const X86Insn *insn)
{
    if (!x86_has_feature(core, X86_FEATURE_ABM)) {
        x86_exec_bsr(core, insn);
        return;
    }
    switch (insn->operand_size) {
    case 2: lzcnt_body(core, insn, 2); break;
    case 4: lzcnt_body(core, insn, 4); break;
    default: lzcnt_body(core, insn, 8); break;
    }
}

X86_INLINE void
popcnt_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t src = x86_rm_read(core, insn, size);

    x86_reg_write(core, insn, insn->reg, __builtin_popcountll(src), size);
    core->s.rflags = (core->s.rflags & ~(uint64_t)X86_FLAGS_ARITH) | (src ? 0 : X86_FLAG_ZF);
}
BY_SIZE_WDQ(popcnt)

/* CRC-32C (Castagnoli), bit-reflected, one source of SIZE bytes. */
void
x86_exec_crc32(X86Core *core, const X86Insn *insn)
{
    unsigned size = insn->operand_size;
    uint64_t src = x86_rm_read(core, insn, size);
    uint32_t crc = core->s.gpr[insn->reg];

    for (unsigned i = 0; i < size; i++) {
        crc ^= src >> i * 8 & 0xff;
        for (unsigned k = 0; k < 8; k++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
        }
    }
    x86_reg_write(core, insn, insn->reg, crc, 8);
}

/* ---- BMI ---- */

/* ZF and SF of VALUE, CF as given, OF clear. Undefined: AMD CPUs clear AF and give PF. */
X86_INLINE void
set_bmi_flags(X86Core *core, uint64_t value, bool carry, unsigned size)
{
    uint32_t set = (carry ? X86_FLAG_CF : 0) | ((value & x86_size_mask(size)) ? 0 : X86_FLAG_ZF) |
                   (value >> (size * 8 - 1) & 1 ? X86_FLAG_SF : 0) |
                   (__builtin_parity(value & 0xff) ? 0 : X86_FLAG_PF);

    core->s.rflags = (core->s.rflags & ~(uint64_t)X86_FLAGS_ARITH) | set;
}

X86_INLINE void
andn_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t value = ~core->s.gpr[insn->vvvv] & x86_rm_read(core, insn, size);

    x86_reg_write(core, insn, insn->reg, value, size);
    set_bmi_flags(core, value, false, size);
}
BY_SIZE_DQ(andn)

X86_INLINE void
blsr_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t src = x86_rm_read(core, insn, size), value = src & (src - 1);

    x86_reg_write(core, insn, insn->vvvv, value, size);
    set_bmi_flags(core, value, src == 0, size);
}
BY_SIZE_DQ(blsr)

X86_INLINE void
blsmsk_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t src = x86_rm_read(core, insn, size), value = src ^ (src - 1);

    x86_reg_write(core, insn, insn->vvvv, value, size);
    set_bmi_flags(core, value, src == 0, size);
}
BY_SIZE_DQ(blsmsk)

X86_INLINE void
blsi_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t src = x86_rm_read(core, insn, size), value = src & -src;

    x86_reg_write(core, insn, insn->vvvv, value, size);
    set_bmi_flags(core, value, src != 0, size);
}
BY_SIZE_DQ(blsi)

X86_INLINE void
bzhi_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t value = x86_rm_read(core, insn, size);
    unsigned index = core->s.gpr[insn->vvvv] & 0xff, bits = size * 8;

    if (index < bits) {
        value &= (1ull << index) - 1;
    }
    x86_reg_write(core, insn, insn->reg, value, size);
    set_bmi_flags(core, value, index >= bits, size);
}
BY_SIZE_DQ(bzhi)

X86_INLINE void
bextr_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t value = x86_rm_read(core, insn, size), control = core->s.gpr[insn->vvvv];
    unsigned start = control & 0xff, length = control >> 8 & 0xff;

    value = start < size * 8 ? value >> start : 0;
    if (length < size * 8) {
        value &= (1ull << length) - 1;
    }
    x86_reg_write(core, insn, insn->reg, value, size);
    set_bmi_flags(core, value, false, size);
    /* undefined too: AMD CPUs set AF and clear SF */
    core->s.rflags = (core->s.rflags & ~(uint64_t)X86_FLAG_SF) | X86_FLAG_AF;
}
BY_SIZE_DQ(bextr)

X86_INLINE void
pext_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t mask = x86_rm_read(core, insn, size), src = core->s.gpr[insn->vvvv], value = 0;

    for (unsigned k = 0; mask; k++, mask &= mask - 1) {
        value |= (src >> __builtin_ctzll(mask) & 1) << k;
    }
    x86_reg_write(core, insn, insn->reg, value, size);
}
BY_SIZE_DQ(pext)

X86_INLINE void
pdep_body(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t mask = x86_rm_read(core, insn, size), src = core->s.gpr[insn->vvvv], value = 0;

    for (; mask; src >>= 1, mask &= mask - 1) {
        value |= (src & 1) << __builtin_ctzll(mask);
    }
    x86_reg_write(core, insn, insn->reg, value, size);
}
BY_SIZE_DQ(pdep)
