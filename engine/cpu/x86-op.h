/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* How opcode rows are written, and the index that leads from opcode bytes to them.
 *
 * A row is one line: ROW(mnemonic, key, class, feature, row flags, RFLAGS, operands, handler).
 *   key       OP1(op) OP2(op) ... the map; D(digit) forms select on ModRM.reg; see below
 *   RFLAGS    FL(read, written, undefined) or a short name for it
 *   operands  OPS(access(Operand), ...), named as in SDM volume 2 appendix A: Ev, Gb, Iz ...
 *   handler   x86_exec_<name>; dropped where rows are compiled for the index generator
 * Rows live in const arrays, one per x86-op-*.c. x86-op-gen.c is linked with them at build time and
 * prints x86-op-index.c; it also refuses rows that contradict themselves or each other.
 */

#include "x86-cpuid.h"
#include "x86-insn.h"

extern const X86OpRow x86_op_rows_int[], x86_op_rows_sys[], x86_op_rows_vec[], x86_op_rows_avx[],
    x86_op_rows_evex[], x86_op_rows_x87[];
extern const size_t x86_op_count_int, x86_op_count_sys, x86_op_count_vec, x86_op_count_avx,
    x86_op_count_evex, x86_op_count_x87;

/* What the decoder does with a row once it is chosen. */
enum {
    X86_SHAPE_MODRM = 1u << 0,
    X86_SHAPE_VSIB = 1u << 1,
    X86_SHAPE_MOD3 = 1u << 2,
    X86_SHAPE_OPCODE_REG = 1u << 3,
    X86_SHAPE_STRING_SRC = 1u << 4, /* segment applies to DS:rSI (or XLAT's DS:rBX) */
    X86_SHAPE_LOCK = 1u << 5,
};
/* Immediates, in order of their bytes. */
enum {
    X86_IMM_NONE,
    X86_IMM_8,
    X86_IMM_16,
    X86_IMM_Z,
    X86_IMM_V,
    X86_IMM_REL8,
    X86_IMM_RELZ,
    X86_IMM_FAR,
    X86_IMM_MOFFS,
    X86_IMM_16_8, /* ENTER */
    X86_IMM_8_8,  /* EXTRQ, INSERTQ */
};
/* What must hold beyond opcode, prefix, digit and form. */
enum {
    X86_CHECK_W0 = 1u << 0,
    X86_CHECK_W1 = 1u << 1,
    X86_CHECK_L0 = 1u << 2,
    X86_CHECK_L1 = 1u << 3,
    X86_CHECK_RM = 1u << 4,
    X86_CHECK_VVVV = 1u << 5,
    X86_CHECK_REXB0 = 1u << 6,
    X86_CHECK_LL12 = 1u << 7,
    X86_CHECK_LL2 = 1u << 8,
};

typedef struct X86OpCandidate {
    const X86OpRow *row; /* NULL ends a list */
    uint8_t shape, imm, rm;
    uint16_t check;
} X86OpCandidate;

/* The index. A slot of x86_op_slots [64-bit][encoding * 4 + map][opcode][pp] holds 0 for "no
 * such instruction", the place of a candidate list, or X86_SLOT_SPLIT plus the place in
 * x86_op_splits of sixteen such slots, by ModRM.reg and then (+8) for register forms. */
enum { X86_SLOT_SPLIT = 0x8000 };
extern const uint16_t x86_op_slots[2][12][256][4];
extern const uint16_t x86_op_splits[][16];
extern const X86OpCandidate x86_op_candidates[];

/* The rows' own vocabulary: short names, so only x86-op-*.c include them. */
#ifdef X86_OP_ROWS

#ifdef X86_OP_NO_HANDLERS
#define X86_EXEC(name) NULL
#else
#include "x86-exec.h"
#define X86_EXEC(name) x86_exec_##name
#endif

/* Keys, flags and operands are one macro argument each, in parentheses; ROW takes them off. */
#define ROW(mn, key, cls, feat, rowflags, rflags, ops, fn)                                    \
    {                                                                                         \
        mn, X86_UNWRAP key, X86_CLASS_##cls, X86_FEATURE_##feat, rowflags, X86_UNWRAP rflags, \
            { X86_UNWRAP ops }, X86_EXEC(fn)                                                  \
    }
#define X86_UNWRAP(...) __VA_ARGS__

/* Keys. P: prefix; D: digit, M memory form only, R register form only, RM: fixed rm as well. */
#define KEY(enc, map, pp, op, digit, rm, form) \
    (X86_ENC_##enc, X86_MAP_##map, X86_PP_##pp, op, digit, rm, form)
#define OP1(op)                KEY(LEGACY, 1B, ANY, op, -1, -1, 0)
#define OP1P(pp, op)           KEY(LEGACY, 1B, pp, op, -1, -1, 0)
#define OP1M(op)               KEY(LEGACY, 1B, ANY, op, -1, -1, 1)
#define OP1D(op, digit)        KEY(LEGACY, 1B, ANY, op, digit, -1, 0)
#define OP1DM(op, digit)       KEY(LEGACY, 1B, ANY, op, digit, -1, 1)
#define OP1DR(op, digit)       KEY(LEGACY, 1B, ANY, op, digit, -1, 2)
#define OP1RM(op, digit, rm)   KEY(LEGACY, 1B, ANY, op, digit, rm, 2)
#define OP2(op)                KEY(LEGACY, 0F, ANY, op, -1, -1, 0)
#define OP2P(pp, op)           KEY(LEGACY, 0F, pp, op, -1, -1, 0)
#define OP2M(pp, op)           KEY(LEGACY, 0F, pp, op, -1, -1, 1)
#define OP2R(pp, op)           KEY(LEGACY, 0F, pp, op, -1, -1, 2)
#define OP2D(pp, op, digit)    KEY(LEGACY, 0F, pp, op, digit, -1, 0)
#define OP2DM(pp, op, digit)   KEY(LEGACY, 0F, pp, op, digit, -1, 1)
#define OP2DR(pp, op, digit)   KEY(LEGACY, 0F, pp, op, digit, -1, 2)
#define OP2RM(pp, op, dig, rm) KEY(LEGACY, 0F, pp, op, dig, rm, 2)
#define OP38(pp, op)           KEY(LEGACY, 0F38, pp, op, -1, -1, 0)
#define OP38M(pp, op)          KEY(LEGACY, 0F38, pp, op, -1, -1, 1)
#define OP3A(pp, op)           KEY(LEGACY, 0F3A, pp, op, -1, -1, 0)
#define OP3AM(pp, op)          KEY(LEGACY, 0F3A, pp, op, -1, -1, 1)
#define OP3AR(pp, op)          KEY(LEGACY, 0F3A, pp, op, -1, -1, 2)
#define VEX2(pp, op)           KEY(VEX, 0F, pp, op, -1, -1, 0)
#define VEX38(pp, op)          KEY(VEX, 0F38, pp, op, -1, -1, 0)
#define VEX38D(pp, op, digit)  KEY(VEX, 0F38, pp, op, digit, -1, 0)
#define VEX3A(pp, op)          KEY(VEX, 0F3A, pp, op, -1, -1, 0)

/* Row flags without their prefix. */
#define NO64      X86_ROW_NO64
#define ONLY64    X86_ROW_ONLY64
#define DEF64     X86_ROW_DEF64
#define FORCE64   X86_ROW_FORCE64
#define LOCK      X86_ROW_LOCK
#define PROTECTED X86_ROW_PROTECTED
#define END       X86_ROW_END
#define ALIGN     X86_ROW_ALIGN
#define L0        X86_ROW_VEX_L0
#define L1        X86_ROW_VEX_L1
#define W0        X86_ROW_W0
#define W1        X86_ROW_W1
#define NO_VVVV   X86_ROW_NO_VVVV
#define BYTE      X86_ROW_BYTE
#define REP       X86_ROW_REP
#define FP_EXC    X86_ROW_FP_EXC
#define MOD3      X86_ROW_MOD3
#define REXB0     X86_ROW_REXB0

/* RFLAGS. Undefined flags are not in "written". */
#define CF          X86_FLAG_CF
#define PF          X86_FLAG_PF
#define AF          X86_FLAG_AF
#define ZF          X86_FLAG_ZF
#define SF          X86_FLAG_SF
#define TF          X86_FLAG_TF
#define IF          X86_FLAG_IF
#define DF          X86_FLAG_DF
#define OF          X86_FLAG_OF
#define ARITH       X86_FLAGS_ARITH
#define FL(r, w, u) (r, w, u) /* one macro argument; ROW unwraps it */
#define FL_NONE     FL(0, 0, 0)
#define FL_R(r)     FL(r, 0, 0)
#define FL_W(w)     FL(0, w, 0)
#define FL_ARITH    FL(0, ARITH, 0)
#define FL_LOGIC    FL(0, ARITH & ~AF, AF)

/* Operands. */
#define OPS(...) (__VA_ARGS__)
#define OPS_NONE ({ X86_OP_NONE })
#define RD(...)                          \
    {                                    \
        .access = X86_ACC_R, __VA_ARGS__ \
    }
#define WR(...)                          \
    {                                    \
        .access = X86_ACC_W, __VA_ARGS__ \
    }
#define RW(...)                           \
    {                                     \
        .access = X86_ACC_RW, __VA_ARGS__ \
    }
#define NA(...)                  \
    {                            \
        .access = 0, __VA_ARGS__ \
    } /* address only: LEA, NOP, PREFETCH */
#define OPERAND(k, sz) .kind = X86_OP_##k, .size = sz
#define FIXED(reg, sz) .kind = X86_OP_FIXED_REG, .size = sz, .fixed = X86_##reg
#define SZ_V           X86_SZ_V
#define SZ_Z           X86_SZ_Z
#define SZ_Y           X86_SZ_Y

#define Eb       OPERAND(MODRM_RM, 1)
#define Ew       OPERAND(MODRM_RM, 2)
#define Ed       OPERAND(MODRM_RM, 4)
#define Eq       OPERAND(MODRM_RM, 8)
#define Ev       OPERAND(MODRM_RM, SZ_V)
#define Ey       OPERAND(MODRM_RM, SZ_Y)
#define Gb       OPERAND(MODRM_REG, 1)
#define Gw       OPERAND(MODRM_REG, 2)
#define Gd       OPERAND(MODRM_REG, 4)
#define Gv       OPERAND(MODRM_REG, SZ_V)
#define Gz       OPERAND(MODRM_REG, SZ_Z)
#define Gy       OPERAND(MODRM_REG, SZ_Y)
#define Rd       OPERAND(MODRM_R, 4)
#define Rq       OPERAND(MODRM_R, 8)
#define Rv       OPERAND(MODRM_R, SZ_V)
#define Ry       OPERAND(MODRM_R, SZ_Y)
#define By       OPERAND(VVVV, SZ_Y)
#define M        OPERAND(MODRM_M, 0)
#define Mb       OPERAND(MODRM_M, 1)
#define Mw       OPERAND(MODRM_M, 2)
#define Md       OPERAND(MODRM_M, 4)
#define Mq       OPERAND(MODRM_M, 8)
#define Mdq      OPERAND(MODRM_M, 16)
#define Mv       OPERAND(MODRM_M, SZ_V)
#define My       OPERAND(MODRM_M, SZ_Y)
#define Mp       OPERAND(MODRM_M, X86_SZ_FAR)
#define Ms       OPERAND(MODRM_M, X86_SZ_TABLE)
#define Ma       OPERAND(MODRM_M, X86_SZ_V) /* BOUND: a pair of these */
#define Ib       OPERAND(IMM, 1)
#define Iw       OPERAND(IMM, 2)
#define Iz       OPERAND(IMM, SZ_Z)
#define Iv       OPERAND(IMM, SZ_V)
#define Jb       OPERAND(REL, 1)
#define Jz       OPERAND(REL, SZ_Z)
#define Ap       OPERAND(FAR, X86_SZ_FAR)
#define Ob       OPERAND(MOFFS, 1)
#define Ov       OPERAND(MOFFS, SZ_V)
#define Zb       OPERAND(OPCODE_REG, 1)
#define Zv       OPERAND(OPCODE_REG, SZ_V)
#define Sw       OPERAND(SEG_REG, 2)
#define Seg(reg) .kind = X86_OP_SEG_FIXED, .size = 2, .fixed = X86_##reg
#define Cn       OPERAND(CR, 0)
#define Dn       OPERAND(DR, 0)
#define One      OPERAND(ONE, 1)
#define Xb       OPERAND(STR_SRC, 1)
#define Xv       OPERAND(STR_SRC, SZ_V)
#define Yb       OPERAND(STR_DST, 1)
#define Yv       OPERAND(STR_DST, SZ_V)
#define Xz       OPERAND(STR_SRC, SZ_Z)
#define Yz       OPERAND(STR_DST, SZ_Z)
#define St       OPERAND(STACK, SZ_V)
#define AL       FIXED(RAX, 1)
#define AX       FIXED(RAX, 2)
#define EAX      FIXED(RAX, 4)
#define rAX      FIXED(RAX, SZ_V)
#define zAX      FIXED(RAX, SZ_Z)
#define yAX      FIXED(RAX, SZ_Y)
#define AH       .kind = X86_OP_FIXED_REG, .size = 1, .fixed = 4
#define CL       FIXED(RCX, 1)
#define CX       FIXED(RCX, 2)
#define ECX      FIXED(RCX, 4)
#define rCX      FIXED(RCX, SZ_V)
#define DX       FIXED(RDX, 2)
#define EDX      FIXED(RDX, 4)
#define rDX      FIXED(RDX, SZ_V)
#define yDX      FIXED(RDX, SZ_Y)
#define rBP      FIXED(RBP, SZ_V)
#define EBX      FIXED(RBX, 4)

#endif
