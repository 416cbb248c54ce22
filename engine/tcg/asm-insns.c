/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Single instructions by name: each fills the size-dependent fields of an operation and has asm.c
 * encode it. Intel SDM volume 2 chapters 3 to 6 (opcodes). Thread: that of the TcgAsm. */

#include "asm.h"

#include "x86-insn.h"

#define MAP_0F   (X86_MAP_0F << 8)
#define MAP_0F38 (X86_MAP_0F38 << 8)
#define MAP_0F3A (X86_MAP_0F3A << 8)

/* OPCODE is that of the wider sizes, the byte form one below. */
static inline TcgOp
sized(unsigned opcode, unsigned size)
{
    return (TcgOp){ .opcode = (uint16_t)(size == 1 ? opcode - 1 : opcode),
                    .opsize = size == 2,
                    .wide = size == 8,
                    .byte_reg = size == 1,
                    .byte_rm = size == 1 };
}

/* The same with a digit in the place of REG. */
static inline TcgOp
grouped(unsigned opcode, unsigned size)
{
    TcgOp op = sized(opcode, size);

    op.byte_reg = false;
    return op;
}

/* One opcode for all sizes, registers of 2 bytes and more. */
static inline TcgOp
plain(unsigned opcode, unsigned size)
{
    return (TcgOp){ .opcode = (uint16_t)opcode, .opsize = size == 2, .wide = size == 8 };
}

#define OP_RR(a, reg, rm, ...)           \
    do {                                 \
        const TcgOp op_ = __VA_ARGS__;   \
        tcg_asm_op_rr(a, &op_, reg, rm); \
    } while (0)
#define OP_RM(a, reg, mem, ...)           \
    do {                                  \
        const TcgOp op_ = __VA_ARGS__;    \
        tcg_asm_op_rm(a, &op_, reg, mem); \
    } while (0)

void
tcg_asm_jmp_r(TcgAsm *a, unsigned reg)
{
    OP_RR(a, 4, reg, { .opcode = 0xff });
}

void
tcg_asm_jmp_m(TcgAsm *a, TcgMem mem)
{
    OP_RM(a, 4, mem, { .opcode = 0xff });
}

void
tcg_asm_call_r(TcgAsm *a, unsigned reg)
{
    OP_RR(a, 2, reg, { .opcode = 0xff });
}

void
tcg_asm_call_m(TcgAsm *a, TcgMem mem)
{
    OP_RM(a, 2, mem, { .opcode = 0xff });
}

void
tcg_asm_mov_rr(TcgAsm *a, unsigned size, unsigned dst, unsigned src)
{
    OP_RR(a, src, dst, sized(0x89, size));
}

void
tcg_asm_mov_rm(TcgAsm *a, unsigned size, unsigned dst, TcgMem src)
{
    OP_RM(a, dst, src, sized(0x8b, size));
}

void
tcg_asm_mov_mr(TcgAsm *a, unsigned size, TcgMem dst, unsigned src)
{
    OP_RM(a, src, dst, sized(0x89, size));
}

void
tcg_asm_mov_ri(TcgAsm *a, unsigned dst, uint64_t value)
{
    if (value == (uint32_t)value) {
        const TcgOp op = { .opcode = 0xb8, .imm_size = 4, .value = (int64_t)value };
        tcg_asm_op_o(a, &op, dst);
    } else if ((int64_t)value == (int32_t)value) {
        OP_RR(a, 0, dst, { .opcode = 0xc7, .wide = true, .imm_size = 4, .value = (int64_t)value });
    } else {
        const TcgOp op = { .opcode = 0xb8, .wide = true, .imm_size = 8, .value = (int64_t)value };
        tcg_asm_op_o(a, &op, dst);
    }
}

void
tcg_asm_mov_linear(TcgAsm *a, unsigned dst, uint64_t value)
{
    tcg_asm_mov_ri(a, dst, value);
    if (value == (uint32_t)value || (int64_t)value == (int32_t)value) {
        a->pinned = true; /* the form depends on it */
    }
    tcg_asm_note(a, TCG_FIX_LINEAR, 8);
}

static inline TcgOp
with_imm(TcgOp op, unsigned imm_size, int64_t value)
{
    op.imm_size = (uint8_t)imm_size;
    op.value = value;
    return op;
}

void
tcg_asm_mov_mi(TcgAsm *a, unsigned size, TcgMem dst, int32_t value)
{
    OP_RM(a, 0, dst, with_imm(grouped(0xc7, size), MIN(size, 4), value));
}

/* Zero extension from 4 bytes is a 4-byte move. */
void
tcg_asm_movzx_rr(TcgAsm *a, unsigned dst, unsigned src_size, unsigned src)
{
    if (src_size == 4) {
        tcg_asm_mov_rr(a, 4, dst, src);
    } else {
        OP_RR(a, dst, src,
              { .opcode = MAP_0F | (src_size == 1 ? 0xb6 : 0xb7), .byte_rm = src_size == 1 });
    }
}

void
tcg_asm_movzx_rm(TcgAsm *a, unsigned dst, unsigned src_size, TcgMem src)
{
    if (src_size >= 4) {
        tcg_asm_mov_rm(a, src_size, dst, src);
    } else {
        OP_RM(a, dst, src, { .opcode = MAP_0F | (src_size == 1 ? 0xb6 : 0xb7) });
    }
}

static inline TcgOp
sign_extend(unsigned dst_size, unsigned src_size)
{
    TcgOp op = plain(src_size == 4 ? 0x63 : MAP_0F | (src_size == 1 ? 0xbe : 0xbf), dst_size);

    op.byte_rm = src_size == 1;
    return op;
}

void
tcg_asm_movsx_rr(TcgAsm *a, unsigned dst_size, unsigned dst, unsigned src_size, unsigned src)
{
    OP_RR(a, dst, src, sign_extend(dst_size, src_size));
}

void
tcg_asm_movsx_rm(TcgAsm *a, unsigned dst_size, unsigned dst, unsigned src_size, TcgMem src)
{
    OP_RM(a, dst, src, sign_extend(dst_size, src_size));
}

void
tcg_asm_lea(TcgAsm *a, unsigned size, unsigned dst, TcgMem src)
{
    OP_RM(a, dst, src, plain(0x8d, size));
}

void
tcg_asm_xchg_rr(TcgAsm *a, unsigned size, unsigned x, unsigned y)
{
    OP_RR(a, x, y, sized(0x87, size));
}

void
tcg_asm_xchg_mr(TcgAsm *a, unsigned size, TcgMem mem, unsigned reg)
{
    OP_RM(a, reg, mem, sized(0x87, size));
}

void
tcg_asm_xchg_al_ah(TcgAsm *a, unsigned reg)
{
    OP_RR(a, reg, reg + 4, { .opcode = 0x86, .no_rex = true });
}

void
tcg_asm_bswap(TcgAsm *a, unsigned size, unsigned reg)
{
    const TcgOp op = plain(MAP_0F | 0xc8, size);

    tcg_asm_op_o(a, &op, reg);
}

void
tcg_asm_cmov_rr(TcgAsm *a, TcgCond cond, unsigned size, unsigned dst, unsigned src)
{
    OP_RR(a, dst, src, plain(MAP_0F | (0x40 + cond), size));
}

void
tcg_asm_cmov_rm(TcgAsm *a, TcgCond cond, unsigned size, unsigned dst, TcgMem src)
{
    OP_RM(a, dst, src, plain(MAP_0F | (0x40 + cond), size));
}

void
tcg_asm_setcc_r(TcgAsm *a, TcgCond cond, unsigned dst)
{
    OP_RR(a, 0, dst, { .opcode = (uint16_t)(MAP_0F | (0x90 + cond)), .byte_rm = true });
}

void
tcg_asm_setcc_m(TcgAsm *a, TcgCond cond, TcgMem dst)
{
    OP_RM(a, 0, dst, { .opcode = (uint16_t)(MAP_0F | (0x90 + cond)) });
}

void
tcg_asm_alu_rr(TcgAsm *a, TcgAlu op, unsigned size, unsigned dst, unsigned src)
{
    OP_RR(a, src, dst, sized(op * 8u + 1, size));
}

void
tcg_asm_alu_rm(TcgAsm *a, TcgAlu op, unsigned size, unsigned dst, TcgMem src)
{
    OP_RM(a, dst, src, sized(op * 8u + 3, size));
}

void
tcg_asm_alu_mr(TcgAsm *a, TcgAlu op, unsigned size, TcgMem dst, unsigned src)
{
    OP_RM(a, src, dst, sized(op * 8u + 1, size));
}

static inline TcgOp
group1(unsigned size, int32_t value)
{
    TcgOp op = grouped(0x81, size);

    if (size != 1 && value == (int8_t)value) {
        op.opcode = 0x83;
        return with_imm(op, 1, value);
    }
    return with_imm(op, MIN(size, 4), value);
}

void
tcg_asm_alu_ri(TcgAsm *a, TcgAlu op, unsigned size, unsigned dst, int32_t value)
{
    OP_RR(a, op, dst, group1(size, value));
}

void
tcg_asm_alu_mi(TcgAsm *a, TcgAlu op, unsigned size, TcgMem dst, int32_t value)
{
    OP_RM(a, op, dst, group1(size, value));
}

void
tcg_asm_test_rr(TcgAsm *a, unsigned size, unsigned x, unsigned y)
{
    OP_RR(a, y, x, sized(0x85, size));
}

void
tcg_asm_test_ri(TcgAsm *a, unsigned size, unsigned reg, int32_t value)
{
    OP_RR(a, 0, reg, with_imm(grouped(0xf7, size), MIN(size, 4), value));
}

void
tcg_asm_test_mr(TcgAsm *a, unsigned size, TcgMem mem, unsigned reg)
{
    OP_RM(a, reg, mem, sized(0x85, size));
}

void
tcg_asm_test_mi(TcgAsm *a, unsigned size, TcgMem mem, int32_t value)
{
    OP_RM(a, 0, mem, with_imm(grouped(0xf7, size), MIN(size, 4), value));
}

void
tcg_asm_unary_r(TcgAsm *a, TcgUnary op, unsigned size, unsigned reg)
{
    OP_RR(a, op & 7u, reg, grouped(op >= TCG_INC ? 0xff : 0xf7, size));
}

void
tcg_asm_unary_m(TcgAsm *a, TcgUnary op, unsigned size, TcgMem mem)
{
    OP_RM(a, op & 7u, mem, grouped(op >= TCG_INC ? 0xff : 0xf7, size));
}

void
tcg_asm_imul_rr(TcgAsm *a, unsigned size, unsigned dst, unsigned src)
{
    OP_RR(a, dst, src, plain(MAP_0F | 0xaf, size));
}

void
tcg_asm_imul_rri(TcgAsm *a, unsigned size, unsigned dst, unsigned src, int32_t value)
{
    if (value == (int8_t)value) {
        OP_RR(a, dst, src, with_imm(plain(0x6b, size), 1, value));
    } else {
        OP_RR(a, dst, src, with_imm(plain(0x69, size), MIN(size, 4), value));
    }
}

static inline TcgOp
shift_by(unsigned size, unsigned count)
{
    return count == 1 ? grouped(0xd1, size) : with_imm(grouped(0xc1, size), 1, count);
}

void
tcg_asm_shift_ri(TcgAsm *a, TcgShift op, unsigned size, unsigned reg, unsigned count)
{
    OP_RR(a, op, reg, shift_by(size, count));
}

void
tcg_asm_shift_mi(TcgAsm *a, TcgShift op, unsigned size, TcgMem mem, unsigned count)
{
    OP_RM(a, op, mem, shift_by(size, count));
}

void
tcg_asm_shift_rcl(TcgAsm *a, TcgShift op, unsigned size, unsigned reg)
{
    OP_RR(a, op, reg, grouped(0xd3, size));
}

static inline TcgOp
bmi(unsigned opcode, uint8_t prefix, unsigned size)
{
    return (TcgOp){ .opcode = (uint16_t)opcode, .prefix = prefix, .wide = size == 8 };
}

void
tcg_asm_rorx_rri(TcgAsm *a, unsigned size, unsigned dst, unsigned src, unsigned count)
{
    const TcgOp op = with_imm(bmi(MAP_0F3A | 0xf0, 0xf2, size), 1, count);

    tcg_asm_vex_rr(a, &op, false, dst, 0, src);
}

void
tcg_asm_rorx_rmi(TcgAsm *a, unsigned size, unsigned dst, TcgMem src, unsigned count)
{
    const TcgOp op = with_imm(bmi(MAP_0F3A | 0xf0, 0xf2, size), 1, count);

    tcg_asm_vex_rm(a, &op, false, dst, 0, src);
}

void
tcg_asm_shlx_rrr(TcgAsm *a, unsigned size, unsigned dst, unsigned src, unsigned count)
{
    const TcgOp op = bmi(MAP_0F38 | 0xf7, 0x66, size);

    tcg_asm_vex_rr(a, &op, false, dst, count, src);
}

void
tcg_asm_shrx_rrr(TcgAsm *a, unsigned size, unsigned dst, unsigned src, unsigned count)
{
    const TcgOp op = bmi(MAP_0F38 | 0xf7, 0xf2, size);

    tcg_asm_vex_rr(a, &op, false, dst, count, src);
}

void
tcg_asm_sarx_rrr(TcgAsm *a, unsigned size, unsigned dst, unsigned src, unsigned count)
{
    const TcgOp op = bmi(MAP_0F38 | 0xf7, 0xf3, size);

    tcg_asm_vex_rr(a, &op, false, dst, count, src);
}

void
tcg_asm_shrx_rmr(TcgAsm *a, unsigned size, unsigned dst, TcgMem src, unsigned count)
{
    const TcgOp op = bmi(MAP_0F38 | 0xf7, 0xf2, size);

    tcg_asm_vex_rm(a, &op, false, dst, count, src);
}

void
tcg_asm_pext_rrr(TcgAsm *a, unsigned size, unsigned dst, unsigned src, unsigned mask)
{
    const TcgOp op = bmi(MAP_0F38 | 0xf5, 0xf3, size);

    tcg_asm_vex_rr(a, &op, false, dst, src, mask);
}

void
tcg_asm_pext_rrm(TcgAsm *a, unsigned size, unsigned dst, unsigned src, TcgMem mask)
{
    const TcgOp op = bmi(MAP_0F38 | 0xf5, 0xf3, size);

    tcg_asm_vex_rm(a, &op, false, dst, src, mask);
}

void
tcg_asm_prefetch(TcgAsm *a, unsigned opcode, unsigned hint, TcgMem mem)
{
    OP_RM(a, hint, mem, { .opcode = (uint16_t)(MAP_0F | opcode) });
}

void
tcg_asm_mulx_rrr(TcgAsm *a, unsigned size, unsigned high, unsigned low, unsigned src)
{
    const TcgOp op = bmi(MAP_0F38 | 0xf6, 0xf2, size);

    tcg_asm_vex_rr(a, &op, false, high, low, src);
}

void
tcg_asm_bit_rr(TcgAsm *a, TcgBit op, unsigned size, unsigned reg, unsigned index)
{
    OP_RR(a, index, reg, plain(MAP_0F | (0x83 + op * 8u), size));
}

void
tcg_asm_bit_ri(TcgAsm *a, TcgBit op, unsigned size, unsigned reg, unsigned index)
{
    OP_RR(a, op, reg, with_imm(plain(MAP_0F | 0xba, size), 1, index));
}

void
tcg_asm_bit_mi(TcgAsm *a, TcgBit op, unsigned size, TcgMem mem, unsigned index)
{
    OP_RM(a, op, mem, with_imm(plain(MAP_0F | 0xba, size), 1, index));
}

void
tcg_asm_push_r(TcgAsm *a, unsigned reg)
{
    const TcgOp op = { .opcode = 0x50 };

    tcg_asm_op_o(a, &op, reg);
}

void
tcg_asm_push_m(TcgAsm *a, TcgMem mem)
{
    OP_RM(a, 6, mem, { .opcode = 0xff });
}

void
tcg_asm_push_i(TcgAsm *a, int32_t value)
{
    const TcgOp op = value == (int8_t)value
                         ? (TcgOp){ .opcode = 0x6a, .imm_size = 1, .value = value }
                         : (TcgOp){ .opcode = 0x68, .imm_size = 4, .value = value };

    tcg_asm_op(a, &op);
}

void
tcg_asm_pop_r(TcgAsm *a, unsigned reg)
{
    const TcgOp op = { .opcode = 0x58 };

    tcg_asm_op_o(a, &op, reg);
}

void
tcg_asm_pop_m(TcgAsm *a, TcgMem mem)
{
    OP_RM(a, 0, mem, { .opcode = 0x8f });
}

void
tcg_asm_cmpxchg_mr(TcgAsm *a, unsigned size, TcgMem mem, unsigned reg)
{
    OP_RM(a, reg, mem, sized(MAP_0F | 0xb1, size));
}

void
tcg_asm_xadd_mr(TcgAsm *a, unsigned size, TcgMem mem, unsigned reg)
{
    OP_RM(a, reg, mem, sized(MAP_0F | 0xc1, size));
}

void
tcg_asm_rep_movs(TcgAsm *a, unsigned size)
{
    TcgOp op = sized(0xa5, size);

    op.prefix = 0xf3;
    tcg_asm_op(a, &op);
}

void
tcg_asm_rep_stos(TcgAsm *a, unsigned size)
{
    TcgOp op = sized(0xab, size);

    op.prefix = 0xf3;
    tcg_asm_op(a, &op);
}

/* Instructions without operands. */
#define BARE(name, ...)                                 \
    void tcg_asm_##name(TcgAsm *a)                      \
    {                                                   \
        static const uint8_t bytes[] = { __VA_ARGS__ }; \
        tcg_asm_bytes(a, bytes, sizeof(bytes));         \
    }
/* clang-format off */
BARE(ret, 0xc3)
BARE(pushf, 0x9c)
BARE(popf, 0x9d)
BARE(lahf, 0x9f)
BARE(sahf, 0x9e)
BARE(cmc, 0xf5)
BARE(clc, 0xf8)
BARE(stc, 0xf9)
BARE(cld, 0xfc)
BARE(std, 0xfd)
BARE(lock, 0xf0)
BARE(mfence, 0x0f, 0xae, 0xf0)
BARE(lfence, 0x0f, 0xae, 0xe8)
BARE(rdtsc, 0x0f, 0x31)
BARE(pause, 0xf3, 0x90)
BARE(int3, 0xcc)
BARE(ud2, 0x0f, 0x0b)
/* clang-format on */
