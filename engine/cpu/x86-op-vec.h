/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Operand names and row shapes of the SIMD rows, in the manner of SDM volume 2 appendix A:
 * V ModRM.reg, W ModRM.rm, H VEX.vvvv, L imm8[7:4]; P and Q the MMX registers of reg and rm.
 * A register that keeps some of its old bytes is RW. Sizes of register operands are the bytes
 * looked at or written; for W and Q they are the bytes of the memory form. */

#define X86_OP_ROWS
#include "x86-op.h"

#define Vx   OPERAND(VEC_REG, X86_SZ_VEC)
#define Vh   OPERAND(VEC_REG, X86_SZ_VEC_HALF)
#define Vqq  OPERAND(VEC_REG, 32)
#define Vdq  OPERAND(VEC_REG, 16)
#define Vq   OPERAND(VEC_REG, 8)
#define Vd   OPERAND(VEC_REG, 4)
#define Wx   OPERAND(VEC_RM, X86_SZ_VEC)
#define Wh   OPERAND(VEC_RM, X86_SZ_VEC_HALF)
#define Wf   OPERAND(VEC_RM, X86_SZ_VEC_QUARTER)
#define We   OPERAND(VEC_RM, X86_SZ_VEC_EIGHTH)
#define Wdq  OPERAND(VEC_RM, 16)
#define Wq   OPERAND(VEC_RM, 8)
#define Wd   OPERAND(VEC_RM, 4)
#define Ww   OPERAND(VEC_RM, 2)
#define Wb   OPERAND(VEC_RM, 1)
#define Hx   OPERAND(VEC_VVVV, X86_SZ_VEC)
#define Hqq  OPERAND(VEC_VVVV, 32)
#define Hdq  OPERAND(VEC_VVVV, 16)
#define Hq   OPERAND(VEC_VVVV, 8)
#define Hd   OPERAND(VEC_VVVV, 4)
#define Lx   OPERAND(VEC_IS4, X86_SZ_VEC)
#define XMM0 OPERAND(VEC_FIXED0, 16)
#define Pq   OPERAND(MMX_REG, 8)
#define Pd   OPERAND(MMX_REG, 4)
#define Qq   OPERAND(MMX_RM, 8)
#define Qd   OPERAND(MMX_RM, 4)
#define Mqq  OPERAND(MODRM_M, 32)
#define Mx   OPERAND(MODRM_M, X86_SZ_VEC)
#define Mst  OPERAND(MODRM_M, X86_SZ_STATE)
#define Kq   OPERAND(MASK_DST, 8)
#define Kdq  OPERAND(MASK_DST, 16)
#define VMd  OPERAND(VSIB, 4)
#define VMq  OPERAND(VSIB, 8)

/* One row that the generic handler executes. */
#define SIMD(mn, key, feat, rowflags, ...) \
    ROW(mn, key, VEC, feat, rowflags, FL_NONE, OPS(__VA_ARGS__), simd)
/* The same with an MMX register: needs the x87 unit. */
#define MMXR(mn, key, feat, rowflags, ...) \
    ROW(mn, key, X87, feat, rowflags, FL_NONE, OPS(__VA_ARGS__), simd)
/* The same, setting arithmetic flags (COMISS, PTEST, string compares). */
#define SIMD_FL(mn, key, feat, rowflags, ...) \
    ROW(mn, key, VEC, feat, rowflags, FL_ARITH, OPS(__VA_ARGS__), simd)
