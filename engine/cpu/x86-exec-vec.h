/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Handlers that the rows of x86-op-vec.c, x86-op-avx.c, x86-op-evex.c and x86-op-x87.c name.
 * Included by x86-exec.h. */

/* clang-format off */
#define X86_EXEC_VEC_LIST(F) \
    F(simd) F(simd_w0) F(emms) F(vzero) F(ldmxcsr) F(stmxcsr) \
    F(evex) F(evex_gather) F(evex_scatter) F(kop) \
    F(maskmovq) F(maskmovdqu) F(vmaskmov) F(vgather) \
    F(fxsave) F(fxrstor) F(xsave) F(xsaveopt) F(xsavec) F(xsaves) F(xrstor) F(xrstors)
#define X86_EXEC_X87_LIST(F) \
    F(x87) F(fwait) F(fnop_control) F(fnclex) F(fninit) F(fldcw) F(fnstcw) F(fnstsw_m) \
    F(fnstsw_ax) F(fldenv) F(fnstenv) F(frstor) F(fnsave)
/* clang-format on */

X86_EXEC_VEC_LIST(X86_EXEC_DECLARE)
X86_EXEC_X87_LIST(X86_EXEC_DECLARE)
