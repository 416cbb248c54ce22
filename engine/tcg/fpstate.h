/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Who has the vector and x87 registers: the guest (they are "resident") or the host's C code.
 *
 * Guest registers are loaded when a block first needs them and stay in the host's until translated
 * code is left or calls C. What is resident is told by two bytes of the context, hot.vec_resident
 * (a TcgVecLevel) and hot.x87_resident; blocks test theirs once, before the first instruction that
 * needs it (emit-vec.c), and calls out of a block bring back what was there. MXCSR goes with the
 * vectors, the x87 control word with the x87 registers: C code always runs under its own. */

#include "machine.h"

/* How much of each vector register the mode lets the guest touch, so is loaded and saved. */
typedef enum TcgVecLevel {
    TCG_VEC_NONE,
    TCG_VEC_XMM,
    TCG_VEC_YMM,
    TCG_VEC_ZMM, /* all 32, and the mask registers */
    TCG_VEC_LAST
} TcgVecLevel;

static inline TcgVecLevel
tcg_vec_level(unsigned mode)
{
    return mode & TCG_MODE_EVEX  ? TCG_VEC_ZMM
           : mode & TCG_MODE_AVX ? TCG_VEC_YMM
           : mode & TCG_MODE_SSE ? TCG_VEC_XMM
                                 : TCG_VEC_NONE;
}

/* Emits the routines that blocks and thunks call into MACHINE's thunks:
 *   vec_load[level], x87_load: make resident; touch nothing else, not even flags
 *   fp_spill: everything resident to the state; general registers and flags are free
 *   fp_reload: makes resident what hot.vec_was_resident and x87_was_resident say; the same
 * Thunks call the last two around C code; fp_spill alone where translated code is left. */
void tcg_fp_make_thunks(TcgMachine *machine, TcgAsm *a);

/* After fp_spill, in C: what the host noted about the last x87 instruction becomes the guest's. */
void tcg_fp_settle_x87(TcgCpu *cpu);
static inline void
tcg_fp_settle(TcgCpu *cpu)
{
    if (cpu->hot.x87_unsettled) {
        tcg_fp_settle_x87(cpu);
    }
}
