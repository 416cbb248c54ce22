/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the x87, MMX and SIMD handlers share: availability checks, pending x87 errors, the MMX view
 * of the x87 registers, and the FXSAVE picture. Intel SDM volume 1 chapters 8 to 13. */

#include "x86-interp.h"

#include <string.h>

enum {
    X86_FSW_EXCEPTIONS = 0x3f,   /* IE DE ZE OE UE PE */
    X86_FSW_STORE_FAULTS = 0x1b, /* IE DE OE UE: unmasked, they keep a store from happening */
    X86_FSW_SF = 1u << 6,
    X86_FSW_ES = 1u << 7,
    X86_FSW_C1 = 1u << 9,
    X86_FSW_TOP_SHIFT = 11,
    X86_FSW_TOP = 7u << 11,
    X86_FSW_B = 1u << 15,
};

#define X86_MXCSR_DEFAULT 0x1f80u
#define X86_MXCSR_MM      (1u << 17) /* AMD: misaligned operands allowed */

/* XCR0 and XSTATE_BV bits. */
enum {
    X86_XSTATE_X87 = 1u << 0,
    X86_XSTATE_SSE = 1u << 1,
    X86_XSTATE_AVX = 1u << 2,
    X86_XSTATE_OPMASK = 1u << 5,
    X86_XSTATE_ZMM_HI256 = 1u << 6,
    X86_XSTATE_HI16_ZMM = 1u << 7,
    X86_XSTATE_PKRU = 1u << 9,
};

/* MXCSR bits that exist. */
static inline uint32_t
x86_mxcsr_mask(const X86Core *core)
{
    return 0xffffu | (x86_has_feature(core, X86_FEATURE_MISALIGNSSE) ? X86_MXCSR_MM : 0);
}

/* Place of extended component INDEX (2..) in a standard-format XSAVE area; 0 = no such. Also what
 * CPUID leaf 0DH reports. */
unsigned x86_xsave_component(unsigned index, unsigned *out_size);

/* Before a waiting x87 instruction: #NM, then the pending error. False = the error went to the
 * FERR# pin and the instruction is to be tried again. */
bool x86_x87_begin(X86Core *core);
/* The checks of the instructions that do not wait: #NM alone. */
void x86_x87_check(X86Core *core);
/* #UD, #NM and pending error of an MMX instruction. False as above. */
bool x86_mmx_begin(X86Core *core);
/* #UD and #NM of SIMD instructions by encoding. */
void x86_sse_check(X86Core *core);
void x86_avx_check(X86Core *core);
void x86_avx512_check(X86Core *core);

static inline unsigned
x86_fpu_top(const X86Fpu *fpu)
{
    return (fpu->fsw >> X86_FSW_TOP_SHIFT) & 7;
}

/* Physical register N, which MMX calls MMn, whatever TOP is. */
static inline uint64_t *
x86_mmx_reg(X86Core *core, unsigned n)
{
    return &core->s.fpu.st[(n - x86_fpu_top(&core->s.fpu)) & 7].mantissa;
}
/* What every MMX instruction but EMMS does to the x87 state: TOP = 0, all registers in use. */
void x86_mmx_enter(X86Core *core);

/* Waits for a pending error as FWAIT does. False as above. */
bool x86_fpu_wait(X86Core *core);
/* Moves TOP; the physical registers stay, so the stack-order image turns. */
void x86_fpu_set_top(X86Fpu *fpu, unsigned top);
/* The control word as the unit keeps it. */
static inline uint16_t
x86_fpu_clean_control(uint16_t value)
{
    return (uint16_t)((value & 0x1f3f) | 0x40);
}
/* FINIT: the x87 state after reset of the unit; register contents stay. */
void x86_fpu_init(X86Fpu *fpu);
/* Status word flags that follow from others: ES and B. */
void x86_fpu_update_summary(X86Fpu *fpu);
/* Tag word in its full form, as FSTENV stores it. */
uint16_t x86_fpu_full_tags(const X86Fpu *fpu);
