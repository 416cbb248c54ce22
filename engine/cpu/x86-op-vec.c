/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Opcode rows of MMX, SSE, AVX and AVX2. Intel SDM volume 2. */

#define X86_OP_ROWS
#include "x86-op.h"

#define Vx OPERAND(VEC_REG, X86_SZ_VEC)
#define Wx OPERAND(VEC_RM, X86_SZ_VEC)

const X86OpRow x86_op_rows_vec[] = {
    /* clang-format off */
    ROW("movups", OP2P(NONE, 0x10), VEC, SSE, 0, FL_NONE, OPS(WR(Vx), RD(Wx)), movu_load),
    ROW("movups", OP2P(NONE, 0x11), VEC, SSE, 0, FL_NONE, OPS(WR(Wx), RD(Vx)), movu_store),
    ROW("vmovups", VEX2(NONE, 0x10), VEC, AVX, NO_VVVV, FL_NONE, OPS(WR(Vx), RD(Wx)), movu_load),
    ROW("vmovups", VEX2(NONE, 0x11), VEC, AVX, NO_VVVV, FL_NONE, OPS(WR(Wx), RD(Vx)), movu_store),
    /* clang-format on */
};
const size_t x86_op_count_vec = VIT_ARRAY_LEN(x86_op_rows_vec);
