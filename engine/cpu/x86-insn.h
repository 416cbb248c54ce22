/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* One decoded instruction, and one row of the opcode table.
 *
 * The decoder fills a fixed record and touches nothing else. The row says all that an executor
 * must know without reading the opcode again: what each operand is and whether it is read or
 * written, which flags are read, written or left undefined, how wide memory is touched, in which
 * modes and under which CPUID feature it exists. The interpreter dispatches on the row's handler;
 * the translator re-encodes from the record and the roles. Intel SDM volume 2. */

#include "x86-state.h"

typedef struct X86Insn X86Insn;
typedef struct X86OpRow X86OpRow;
typedef struct X86Core X86Core; /* interpreter context, x86-interp.h */

typedef enum X86Encoding { X86_ENC_LEGACY, X86_ENC_VEX, X86_ENC_EVEX } X86Encoding;
typedef enum X86Map { X86_MAP_1B, X86_MAP_0F, X86_MAP_0F38, X86_MAP_0F3A } X86Map;
/* The prefix that selects an opcode (SDM "mandatory prefix"). In a record: what was seen, F3 and
 * F2 (the later one) before 66. In a row: what it asks for; rows that ask for one prefix win over
 * NFX and ANY rows of the same opcode. */
typedef enum X86Pp {
    X86_PP_NONE,
    X86_PP_66,
    X86_PP_F3,
    X86_PP_F2,
    X86_PP_ANY, /* rows only: no prefix selects; 66 is operand size, F3/F2 repeat or nothing */
    X86_PP_NFX, /* rows only: F3 and F2 are #UD, 66 is operand size */
} X86Pp;

enum { X86_NO_REG = 0xff, X86_REG_RIP = 0x10 };

struct X86Insn {
    /* What nearly every handler looks at: together, so that the interpreter's cache of these
     * records has it in one line (x86-run.c). */
    uint64_t imm;   /* first immediate, sign-extended from its encoded width (16-bit fixed ones,
                       RET and ENTER, zero-extended); far offset; branch displacement; moffs
                       address; VEX is4 byte */
    int64_t disp;   /* sign-extended displacement of the memory operand */
    uint8_t length; /* bytes, 1..15 */
    uint8_t opcode;
    uint8_t operand_size;  /* effective, bytes: 2, 4, 8; 1 for byte rows */
    uint8_t address_size;  /* effective, bytes: 2, 4, 8 */
    bool is_memory;        /* mod != 3 */
    bool lock, rep, repne; /* prefixes as seen, whether they mean something or not */
    bool rex_present;      /* makes byte registers 4..7 SPL..DIL */
    uint8_t segment;       /* X86_ES.. of the memory operand, override and BP/SP default applied */
    uint8_t reg;           /* ModRM.reg with REX.R (and EVEX.R'), 0..31 */
    uint8_t rm;            /* ModRM.rm with REX.B (and EVEX.X), 0..31, register forms; the register
                              in opcode bits 0..2 with REX.B */
    uint8_t base, index;   /* of the memory operand: 0..15(31 for VSIB), X86_REG_RIP, X86_NO_REG */
    uint8_t scale;         /* 0..3 (shift) */
    uint8_t vvvv;          /* VEX/EVEX second source, 0..31 */

    const X86OpRow *row;
    uint16_t imm2;     /* second immediate: ENTER level, far selector, EXTRQ/INSERTQ */
    uint8_t map;       /* X86Map */
    uint8_t encoding;  /* X86Encoding */
    uint8_t pp;        /* X86Pp */
    uint8_t code_size; /* 2, 4 or 8: the mode it was decoded for */
    bool has_modrm;
    bool segment_override;
    uint8_t modrm, sib;
    uint8_t mod;
    bool rex_w, vex_l; /* W; vector length: 0 = 128, 1 = 256 */
    uint8_t evex_ll, evex_aaa;
    bool evex_z, evex_b;
    uint8_t vector_bytes; /* VEX, EVEX: vector length, 16, 32 or 64 */
    uint8_t disp_offset, disp_size, imm_offset, imm_size; /* byte places, for re-encoding */
    uint8_t opcode_offset, modrm_offset;
    uint8_t bytes[15];
};

/* Where an operand comes from. */
typedef enum X86OperandKind {
    X86_OP_NONE,
    X86_OP_MODRM_REG,  /* general register, ModRM.reg */
    X86_OP_MODRM_RM,   /* general register or memory */
    X86_OP_MODRM_M,    /* memory only */
    X86_OP_MODRM_R,    /* general register in ModRM.rm, memory form is #UD */
    X86_OP_OPCODE_REG, /* general register in opcode bits 0..2 */
    X86_OP_VVVV,       /* general register in VEX.vvvv */
    X86_OP_FIXED_REG,  /* general register given by the row: AL/AX/EAX/RAX, CL, DX ... */
    X86_OP_IMM,
    X86_OP_REL,
    X86_OP_FAR,
    X86_OP_MOFFS,
    X86_OP_ONE,
    X86_OP_SEG_REG,
    X86_OP_SEG_FIXED,
    X86_OP_CR,
    X86_OP_DR,
    X86_OP_MMX_REG,
    X86_OP_MMX_RM,
    X86_OP_VEC_REG,
    X86_OP_VEC_RM,
    X86_OP_VEC_VVVV,
    X86_OP_VEC_IS4,
    X86_OP_VEC_FIXED0,
    X86_OP_VSIB, /* memory, vector index */
    X86_OP_KREG,
    X86_OP_KRM,
    X86_OP_KVVVV,
    X86_OP_ST0,
    X86_OP_STI,
    X86_OP_STR_SRC,
    X86_OP_STR_DST, /* DS:rSI, ES:rDI */
    X86_OP_STACK,
    X86_OP_MASK_DST, /* DS:rDI, segment may be overridden: MASKMOVQ, MASKMOVDQU */
} X86OperandKind;

enum { X86_ACC_R = 1, X86_ACC_W = 2, X86_ACC_RW = 3 };

/* How wide, when not a plain number of bytes. */
enum {
    X86_SZ_V = 0x80, /* operand size: 2, 4, 8 */
    X86_SZ_Z,        /* operand size, at most 4 (immediates) */
    X86_SZ_Y,        /* 4, or 8 with REX.W */
    X86_SZ_VEC,      /* vector length: 16, 32 or 64 */
    X86_SZ_VEC_HALF,
    X86_SZ_VEC_QUARTER,
    X86_SZ_VEC_EIGHTH,
    X86_SZ_FAR,    /* offset by operand size, then a selector */
    X86_SZ_TABLE,  /* pseudo-descriptor: 2 + 4 or 8 */
    X86_SZ_STATE,  /* depends on CPU state: FSAVE, FXSAVE, XSAVE areas */
    X86_SZ_ADDR,   /* address size: the count register of LOOP and JrCXZ */
    X86_SZ_NATIVE, /* 8 in 64-bit code, else 4, whatever the prefixes: MOV CR, INVPCID, RDPID */
};

typedef struct X86Operand {
    uint8_t kind;   /* X86OperandKind */
    uint8_t access; /* X86_ACC_* */
    uint8_t size;   /* bytes or X86_SZ_* */
    uint8_t fixed;  /* register number of *_FIXED kinds */
} X86Operand;

/* What a row is to the translator. */
typedef enum X86Class {
    X86_CLASS_INT,    /* integer, passes through with registers and memory substituted */
    X86_CLASS_VEC,    /* SSE/AVX/AVX-512: passes through on native vectors */
    X86_CLASS_X87,    /* x87 and MMX: passes through on the native unit */
    X86_CLASS_STACK,  /* implicit rSP: push, pop, enter, leave */
    X86_CLASS_FLOW,   /* jumps, calls, returns inside the segment */
    X86_CLASS_STRING, /* (rep) movs stos cmps scas lods */
    X86_CLASS_SYSTEM, /* needs a helper: segments, control registers, MSRs, ports, far transfers */
} X86Class;

enum {
    X86_ROW_NO64 = 1u << 0,      /* #UD in 64-bit code */
    X86_ROW_ONLY64 = 1u << 1,    /* #UD outside 64-bit code */
    X86_ROW_DEF64 = 1u << 2,     /* operand size defaults to 8 in 64-bit code (4 not encodable) */
    X86_ROW_FORCE64 = 1u << 3,   /* operand size is 8 in 64-bit code whatever the prefix */
    X86_ROW_LOCK = 1u << 4,      /* LOCK is allowed when the destination is memory */
    X86_ROW_PROTECTED = 1u << 5, /* #UD in real and v8086 mode */
    X86_ROW_END = 1u << 6,       /* always ends a block: may change mode, map, flags like IF */
    X86_ROW_ALIGN = 1u << 7,     /* memory operand must be aligned to its size (legacy SSE) */
    X86_ROW_VEX_L0 = 1u << 8,
    X86_ROW_VEX_L1 = 1u << 9, /* VEX.L must be that */
    X86_ROW_W0 = 1u << 10,
    X86_ROW_W1 = 1u << 11,
    X86_ROW_NO_VVVV = 1u << 12, /* VEX.vvvv must be 1111b */
    X86_ROW_BYTE = 1u << 13,    /* operand size 1 */
    X86_ROW_REP = 1u << 14,     /* REP/REPNE repeat it */
    X86_ROW_FP_EXC = 1u << 15,  /* may raise SIMD floating-point exceptions (#XM) */
    X86_ROW_MOD3 = 1u << 16,    /* ModRM.mod is not looked at: register form (MOV CR, MOV DR) */
    X86_ROW_REXB0 = 1u << 17,   /* only without REX.B (NOP and PAUSE against XCHG R8,rAX) */
    /* EVEX rows. VEX_L0 there means the length field must be 0. */
    X86_ROW_MASKED = 1u << 18,   /* a mask register may be named */
    X86_ROW_ZEROING = 1u << 19,  /* z may be set (not with a memory destination) */
    X86_ROW_BCAST = 1u << 20,    /* b: the memory operand is one element */
    X86_ROW_ROUND = 1u << 21,    /* b on registers: rounding control in the length field */
    X86_ROW_SAE = 1u << 22,      /* b on registers: no exceptions */
    X86_ROW_LIG = 1u << 23,      /* scalar: the length field is ignored */
    X86_ROW_LL12 = 1u << 24,     /* 256 or 512 bits */
    X86_ROW_LL2 = 1u << 25,      /* 512 bits */
    X86_ROW_WHOLE = 1u << 26,    /* masked-off elements of the memory operand fault like others */
    X86_ROW_PACKED = 1u << 27,   /* the memory operand has the selected elements alone */
    X86_ROW_MASK_REQ = 1u << 28, /* mask register 0 is #UD */
};

struct X86OpRow {
    const char *mnemonic;
    uint8_t encoding, map, pp, opcode; /* the key, with modrm_reg/modrm_rm where they select */
    int8_t modrm_reg;                  /* /digit, or -1 */
    int8_t modrm_rm;                   /* fixed rm for register forms (0F 01 C8...), or -1 */
    uint8_t modrm_form;                /* 0 any, 1 memory only, 2 register only */
    uint8_t class_;                    /* X86Class */
    uint8_t feature;                   /* X86Feature that must be offered, 0 = 8086 */
    uint32_t flags;                    /* X86_ROW_* */
    uint16_t flags_read, flags_written, flags_undefined; /* RFLAGS bits 0..11 */
    X86Operand operand[6]; /* explicit ones as encoded, then implicit ones; X86_OP_NONE ends */
    /* Interpreter semantics. Faults leave by x86_fault() (x86-interp.h) before any commit. */
    void (*exec)(X86Core *core, const X86Insn *insn);
    uint8_t element; /* EVEX: bytes of what a mask bit or a broadcast is of the rm operand */
};

typedef enum X86DecodeResult {
    X86_DECODE_OK,
    X86_DECODE_UD,       /* invalid opcode: insn->length says how far it looked */
    X86_DECODE_TOO_LONG, /* more than 15 bytes: #GP(0) */
    X86_DECODE_SHORT,    /* needs more bytes than given */
} X86DecodeResult;

/* Decodes one instruction from BYTES (AVAILABLE of them) for CODE_SIZE (2, 4, 8). Pure: no memory,
 * no CPU state; features and modes other than code size are checked by the executor against the
 * row. Thread: any. */
X86DecodeResult x86_decode(const uint8_t *bytes, size_t available, unsigned code_size,
                           X86Insn *out_insn);

/* Row number INDEX of the whole table, NULL past the last: for tests and generators. */
const X86OpRow *x86_op_row(size_t index);
