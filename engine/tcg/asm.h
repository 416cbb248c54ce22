/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Host encoder: x86-64 machine code into a bounded buffer.
 *
 * Registers are host general registers by number, X86_RAX .. X86_R15. SIZE is the operand size in
 * bytes: 1, 2, 4 or 8; byte registers are always the low ones (SPL..DIL, never AH..DH).
 * Operands go destination first. Names: r register, m memory, i immediate.
 *
 * Nothing fails on the spot: a full buffer, a label too far away or an operand that cannot be
 * encoded sets a sticky state and what is emitted after that is lost; the caller looks once, at the
 * end, with tcg_asm_failed(). Comments say which instructions leave flags alone where that is not
 * in their nature. Intel SDM volume 2. Thread: each TcgAsm belongs to one. */

#include "x86-state.h"

#define TCG_NO_REG 0xff

typedef enum TcgAsmState {
    TCG_ASM_OK,
    TCG_ASM_FULL,  /* the buffer ended: get a larger one and emit again */
    TCG_ASM_RANGE, /* a short jump, a pointer or an operand out of reach: cannot be emitted so */
} TcgAsmState;

enum { TCG_ASM_FIXUPS = 512, TCG_ASM_SLACK = 32 };

/* A place in the code that is other where the same code lies elsewhere, or is of guest code that
 * does: see copy.c. */
typedef enum TcgFixKind {
    TCG_FIX_OUT,    /* a distance to code outside of it */
    TCG_FIX_ACROSS, /* a distance between its two parts */
    TCG_FIX_LINEAR, /* 8 bytes: an address that moves with the guest's code */
    TCG_FIX_SLOT,   /* of cpu->fetch, that of its page */
    TCG_FIX_STAMP,  /* of its page */
    TCG_FIX_STAMP_NEGATED,
    TCG_FIX_BLOCK, /* 8 bytes: its TcgBlock */
} TcgFixKind;
typedef struct TcgFix {
    uint16_t offset; /* in its part */
    uint8_t kind;
    bool cold; /* which part */
} TcgFix;

typedef struct TcgAsm {
    uint8_t *start, *at, *end;      /* where bytes are written */
    uint8_t *movable, *movable_end; /* tcg_asm_may_move() */
    ptrdiff_t exec_delta;           /* where they run = where they are written + this (split-wx) */
    TcgAsmState state;
    uint8_t *cold; /* where a second part begins; NULL = there is none yet */
    TcgFix *fixes; /* NULL: they are not noted */
    bool pinned;   /* or cannot be */
    uint16_t n_fixes, fixes_len;
    uint8_t lost[TCG_ASM_SLACK]; /* what is emitted after a failure */
    uint16_t free_fixup;         /* list through next; 0 = none */
    uint16_t used_fixups;
    struct {
        uint32_t offset; /* of the displacement */
        uint16_t next;
        uint8_t size; /* 1 or 4 */
    } fixups[TCG_ASM_FIXUPS];
} TcgAsm;

/* A place in the code. Zero-initialized = not yet placed, nothing refers to it. */
typedef struct TcgLabel {
    uint32_t place; /* offset + 1; 0 = not yet */
    uint16_t uses;  /* list of fixups waiting for it */
} TcgLabel;

/* A memory operand: [base + index << scale + disp] of host registers, or with target the address
 * of something in the process, RIP-relative or absolute, whichever reaches. */
typedef struct TcgMem {
    uint8_t base, index; /* host registers or TCG_NO_REG; index is not RSP */
    uint8_t scale;       /* 0..3, shift */
    bool address32;      /* 67 prefix: the sum is cut to 32 bits */
    bool long_disp;      /* a displacement that is not zero takes four bytes */
    int32_t disp;
    const void *target; /* used when base and index are TCG_NO_REG; NULL = disp alone */
} TcgMem;

static inline TcgMem
tcg_mem(unsigned base, int32_t disp)
{
    return (TcgMem){ .base = (uint8_t)base, .index = TCG_NO_REG, .disp = disp };
}

static inline TcgMem
tcg_mem_index(unsigned base, unsigned index, unsigned scale, int32_t disp)
{
    return (TcgMem){
        .base = (uint8_t)base, .index = (uint8_t)index, .scale = (uint8_t)scale, .disp = disp
    };
}

static inline TcgMem
tcg_mem_target(const void *target)
{
    return (TcgMem){ .base = TCG_NO_REG, .index = TCG_NO_REG, .target = target };
}

/* Buffer: LEN_BYTES at START, run at START + EXEC_DELTA. */
void tcg_asm_init(TcgAsm *a, void *start, size_t len_bytes, ptrdiff_t exec_delta);

static inline bool
tcg_asm_failed(const TcgAsm *a)
{
    return a->state != TCG_ASM_OK;
}

static inline size_t
tcg_asm_offset(const TcgAsm *a)
{
    return (size_t)(a->at - a->start);
}

/* Where the next instruction will run. */
static inline const uint8_t *
tcg_asm_here(const TcgAsm *a)
{
    return a->at + a->exec_delta;
}

/* LEN_BYTES of anything, at most 16. */
void tcg_asm_bytes(TcgAsm *a, const void *bytes, size_t len_bytes);
void tcg_asm_u32(TcgAsm *a, uint32_t value);
void tcg_asm_u64(TcgAsm *a, uint64_t value);
/* No-operations, the long forms. */
void tcg_asm_nop(TcgAsm *a, size_t len_bytes);
/* Up to a place of execution that is a multiple of ALIGNMENT (a power of two). */
void tcg_asm_align(TcgAsm *a, size_t alignment);

/* What lies AGO bytes before here is a fix. */
void tcg_asm_note(TcgAsm *a, TcgFixKind kind, unsigned ago);

/* Labels. */
void tcg_asm_bind(TcgAsm *a, TcgLabel *label);

/* Condition codes, as in the low bits of Jcc. */
typedef enum TcgCond {
    TCG_O,
    TCG_NO,
    TCG_B,
    TCG_AE,
    TCG_E,
    TCG_NE,
    TCG_BE,
    TCG_A,
    TCG_S,
    TCG_NS,
    TCG_P,
    TCG_NP,
    TCG_L,
    TCG_GE,
    TCG_LE,
    TCG_G
} TcgCond;

/* Jumps. Those to labels behind are short where that reaches; those to labels ahead are near,
 * unless asked for short (then a label too far sets TCG_ASM_RANGE). */
void tcg_asm_jmp(TcgAsm *a, TcgLabel *label);
void tcg_asm_jmp_short(TcgAsm *a, TcgLabel *label);
void tcg_asm_jcc(TcgAsm *a, TcgCond cond, TcgLabel *label);
void tcg_asm_jcc_short(TcgAsm *a, TcgCond cond, TcgLabel *label);
void tcg_asm_jrcxz(TcgAsm *a, TcgLabel *label); /* short; jecxz for SIZE 4 */
void tcg_asm_jecxz(TcgAsm *a, TcgLabel *label);
void tcg_asm_jmp_r(TcgAsm *a, unsigned reg);
void tcg_asm_jmp_m(TcgAsm *a, TcgMem mem);
void tcg_asm_call(TcgAsm *a, TcgLabel *label);
void tcg_asm_call_r(TcgAsm *a, unsigned reg);
void tcg_asm_call_m(TcgAsm *a, TcgMem mem);
/* To code outside the buffer. TCG_ASM_RANGE when rel32 does not reach; the _far forms then go
 * through SCRATCH. */
void tcg_asm_jmp_to(TcgAsm *a, const void *target);
void tcg_asm_jcc_to(TcgAsm *a, TcgCond cond, const void *target);
void tcg_asm_call_to(TcgAsm *a, const void *target);
void tcg_asm_jmp_far(TcgAsm *a, const void *target, unsigned scratch);
void tcg_asm_call_far(TcgAsm *a, const void *target, unsigned scratch);
void tcg_asm_ret(TcgAsm *a);

/* A near jump (call, conditional jump) to TARGET whose displacement is aligned to 4, so that it may
 * be rewritten while other threads run it. Returns the offset of the displacement from the start.
 */
size_t tcg_asm_jmp_patchable(TcgAsm *a, const void *target);
size_t tcg_asm_call_patchable(TcgAsm *a, const void *target);
size_t tcg_asm_jcc_patchable(TcgAsm *a, TcgCond cond, const void *target);
/* What lies between START and here may be moved by some bytes, so that a conditional jump which
 * follows at once stays next to it and the two run as one. */
void tcg_asm_may_move(TcgAsm *a, uint8_t *start);
/* Points the jump whose displacement lies at WRITE (runs at WRITE + EXEC_DELTA) to TARGET. One
 * aligned store. False = out of reach, nothing done. Thread: any, one at a time for one jump. */
bool tcg_asm_patch(void *write, ptrdiff_t exec_delta, const void *target);
/* Where it goes now, in execution addresses. */
const void *tcg_asm_patch_target(const void *write, ptrdiff_t exec_delta);

/* Moves. None touches flags; mov_ri takes the shortest form and is zero-extended for SIZE 4. */
void tcg_asm_mov_rr(TcgAsm *a, unsigned size, unsigned dst, unsigned src);
void tcg_asm_mov_rm(TcgAsm *a, unsigned size, unsigned dst, TcgMem src);
void tcg_asm_mov_mr(TcgAsm *a, unsigned size, TcgMem dst, unsigned src);
void tcg_asm_mov_ri(TcgAsm *a, unsigned dst, uint64_t value);
/* The same with an address that moves with the guest's code. */
void tcg_asm_mov_linear(TcgAsm *a, unsigned dst, uint64_t value);
void tcg_asm_mov_mi(TcgAsm *a, unsigned size, TcgMem dst, int32_t value);
/* SRC_SIZE 1, 2 or 4 to 4 (zero: to 8 as well) or DST_SIZE. */
void tcg_asm_movzx_rr(TcgAsm *a, unsigned dst, unsigned src_size, unsigned src);
void tcg_asm_movzx_rm(TcgAsm *a, unsigned dst, unsigned src_size, TcgMem src);
void tcg_asm_movsx_rr(TcgAsm *a, unsigned dst_size, unsigned dst, unsigned src_size, unsigned src);
void tcg_asm_movsx_rm(TcgAsm *a, unsigned dst_size, unsigned dst, unsigned src_size, TcgMem src);
void tcg_asm_lea(TcgAsm *a, unsigned size, unsigned dst, TcgMem src);
void tcg_asm_xchg_rr(TcgAsm *a, unsigned size, unsigned x, unsigned y);
void tcg_asm_xchg_mr(TcgAsm *a, unsigned size, TcgMem mem, unsigned reg); /* always locked */
void tcg_asm_xchg_al_ah(TcgAsm *a, unsigned reg); /* low and high byte of RAX..RBX */
void tcg_asm_bswap(TcgAsm *a, unsigned size, unsigned reg);
void tcg_asm_cmov_rr(TcgAsm *a, TcgCond cond, unsigned size, unsigned dst, unsigned src);
void tcg_asm_cmov_rm(TcgAsm *a, TcgCond cond, unsigned size, unsigned dst, TcgMem src);
void tcg_asm_setcc_r(TcgAsm *a, TcgCond cond, unsigned dst);
void tcg_asm_setcc_m(TcgAsm *a, TcgCond cond, TcgMem dst);

/* Arithmetic; the numbers are those of the opcodes. */
typedef enum TcgAlu {
    TCG_ADD,
    TCG_OR,
    TCG_ADC,
    TCG_SBB,
    TCG_AND,
    TCG_SUB,
    TCG_XOR,
    TCG_CMP
} TcgAlu;
void tcg_asm_alu_rr(TcgAsm *a, TcgAlu op, unsigned size, unsigned dst, unsigned src);
void tcg_asm_alu_rm(TcgAsm *a, TcgAlu op, unsigned size, unsigned dst, TcgMem src);
void tcg_asm_alu_mr(TcgAsm *a, TcgAlu op, unsigned size, TcgMem dst, unsigned src);
void tcg_asm_alu_ri(TcgAsm *a, TcgAlu op, unsigned size, unsigned dst, int32_t value);
void tcg_asm_alu_mi(TcgAsm *a, TcgAlu op, unsigned size, TcgMem dst, int32_t value);
void tcg_asm_test_rr(TcgAsm *a, unsigned size, unsigned x, unsigned y);
void tcg_asm_test_ri(TcgAsm *a, unsigned size, unsigned reg, int32_t value);
void tcg_asm_test_mr(TcgAsm *a, unsigned size, TcgMem mem, unsigned reg);
void tcg_asm_test_mi(TcgAsm *a, unsigned size, TcgMem mem, int32_t value);
typedef enum TcgUnary {
    TCG_NOT = 2,
    TCG_NEG,
    TCG_MUL,
    TCG_IMUL,
    TCG_DIV,
    TCG_IDIV,
    TCG_INC = 8,
    TCG_DEC
} TcgUnary;
void tcg_asm_unary_r(TcgAsm *a, TcgUnary op, unsigned size, unsigned reg);
void tcg_asm_unary_m(TcgAsm *a, TcgUnary op, unsigned size, TcgMem mem);
void tcg_asm_imul_rr(TcgAsm *a, unsigned size, unsigned dst, unsigned src);
void tcg_asm_imul_rri(TcgAsm *a, unsigned size, unsigned dst, unsigned src, int32_t value);

typedef enum TcgShift {
    TCG_ROL,
    TCG_ROR,
    TCG_RCL,
    TCG_RCR,
    TCG_SHL,
    TCG_SHR,
    TCG_SAR = 7
} TcgShift;
void tcg_asm_shift_ri(TcgAsm *a, TcgShift op, unsigned size, unsigned reg, unsigned count);
void tcg_asm_shift_rcl(TcgAsm *a, TcgShift op, unsigned size, unsigned reg); /* by CL */
void tcg_asm_shift_mi(TcgAsm *a, TcgShift op, unsigned size, TcgMem mem, unsigned count);
/* BMI1/BMI2: no flags, SIZE 4 or 8, ask the host first. */
void tcg_asm_rorx_rri(TcgAsm *a, unsigned size, unsigned dst, unsigned src, unsigned count);
void tcg_asm_rorx_rmi(TcgAsm *a, unsigned size, unsigned dst, TcgMem src, unsigned count);
void tcg_asm_shlx_rrr(TcgAsm *a, unsigned size, unsigned dst, unsigned src, unsigned count);
void tcg_asm_shrx_rrr(TcgAsm *a, unsigned size, unsigned dst, unsigned src, unsigned count);
void tcg_asm_sarx_rrr(TcgAsm *a, unsigned size, unsigned dst, unsigned src, unsigned count);
void tcg_asm_shrx_rmr(TcgAsm *a, unsigned size, unsigned dst, TcgMem src, unsigned count);
void tcg_asm_pext_rrr(TcgAsm *a, unsigned size, unsigned dst, unsigned src, unsigned mask);
void tcg_asm_pext_rrm(TcgAsm *a, unsigned size, unsigned dst, unsigned src, TcgMem mask);
/* 0F 18 and 0F 0D. */
void tcg_asm_prefetch(TcgAsm *a, unsigned opcode, unsigned hint, TcgMem mem);
void tcg_asm_mulx_rrr(TcgAsm *a, unsigned size, unsigned high, unsigned low, unsigned src);

typedef enum TcgBit { TCG_BT = 4, TCG_BTS, TCG_BTR, TCG_BTC } TcgBit;
void tcg_asm_bit_rr(TcgAsm *a, TcgBit op, unsigned size, unsigned reg, unsigned index);
void tcg_asm_bit_ri(TcgAsm *a, TcgBit op, unsigned size, unsigned reg, unsigned index);
void tcg_asm_bit_mi(TcgAsm *a, TcgBit op, unsigned size, TcgMem mem, unsigned index);

/* Stack and flags. */
void tcg_asm_push_r(TcgAsm *a, unsigned reg);
void tcg_asm_push_m(TcgAsm *a, TcgMem mem);
void tcg_asm_push_i(TcgAsm *a, int32_t value);
void tcg_asm_pop_r(TcgAsm *a, unsigned reg);
void tcg_asm_pop_m(TcgAsm *a, TcgMem mem);
void tcg_asm_pushf(TcgAsm *a);
void tcg_asm_popf(TcgAsm *a);
void tcg_asm_lahf(TcgAsm *a);
void tcg_asm_sahf(TcgAsm *a);
void tcg_asm_cmc(TcgAsm *a);
void tcg_asm_clc(TcgAsm *a);
void tcg_asm_stc(TcgAsm *a);
void tcg_asm_cld(TcgAsm *a);
void tcg_asm_std(TcgAsm *a);

/* Locked and others. tcg_asm_lock goes before the instruction it locks. */
void tcg_asm_lock(TcgAsm *a);
void tcg_asm_cmpxchg_mr(TcgAsm *a, unsigned size, TcgMem mem, unsigned reg);
void tcg_asm_xadd_mr(TcgAsm *a, unsigned size, TcgMem mem, unsigned reg);
void tcg_asm_mfence(TcgAsm *a);
void tcg_asm_lfence(TcgAsm *a);
void tcg_asm_rdtsc(TcgAsm *a); /* EDX:EAX */
void tcg_asm_pause(TcgAsm *a);
void tcg_asm_int3(TcgAsm *a);
void tcg_asm_ud2(TcgAsm *a);
void tcg_asm_rep_movs(TcgAsm *a, unsigned size);
void tcg_asm_rep_stos(TcgAsm *a, unsigned size);

/* The general form, for what has no name here. REG is a register or /digit. */
typedef struct TcgOp {
    uint16_t opcode;   /* with its map (X86Map) in bits 8..15 */
    uint8_t prefix;    /* 0, 66, F2 or F3: selects the opcode */
    bool opsize, lock; /* prefixes 66 and F0 */
    bool wide;         /* REX.W, VEX.W */
    bool byte_reg;     /* REG is a byte register: 4..7 are SPL..DIL (else AH..BH) */
    bool byte_rm;      /* so is RM */
    bool no_rex;       /* a REX prefix would change the meaning: TCG_ASM_RANGE if it needs one */
    uint8_t imm_size;  /* bytes of VALUE that follow */
    int64_t value;
} TcgOp;
void tcg_asm_op_rr(TcgAsm *a, const TcgOp *op, unsigned reg, unsigned rm);
void tcg_asm_op_rm(TcgAsm *a, const TcgOp *op, unsigned reg, TcgMem mem);
/* OPCODE + register, no ModRM byte. */
void tcg_asm_op_o(TcgAsm *a, const TcgOp *op, unsigned reg);
/* No operand bytes at all but the immediate. */
void tcg_asm_op(TcgAsm *a, const TcgOp *op);
/* The same with VEX: L, second source VVVV (0 when there is none). */
void tcg_asm_vex_rr(TcgAsm *a, const TcgOp *op, bool l, unsigned reg, unsigned vvvv, unsigned rm);
void tcg_asm_vex_rm(TcgAsm *a, const TcgOp *op, bool l, unsigned reg, unsigned vvvv, TcgMem mem);

/* With EVEX. Registers 0..31. */
typedef struct TcgEvex {
    uint8_t ll;   /* vector length, or rounding control where B is set on registers */
    uint8_t vvvv; /* second source, 0 when there is none; with VSIB its bit 4 is the index's */
    uint8_t aaa;  /* mask register */
    bool b, z;    /* broadcast, rounding or no exceptions; zeroing */
    /* Short displacements count in units of 1 << DISP_SHIFT bytes. */
    uint8_t disp_shift;
} TcgEvex;
void tcg_asm_evex_rr(TcgAsm *a, const TcgOp *op, const TcgEvex *evex, unsigned reg, unsigned rm);
void tcg_asm_evex_rm(TcgAsm *a, const TcgOp *op, const TcgEvex *evex, unsigned reg, TcgMem mem);
