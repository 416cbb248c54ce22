/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A guest instruction emitted again as 64-bit host code: same opcode, other registers, another
 * memory operand. Intel SDM volume 2 chapter 2. Pure but for the code buffer; any thread. */

#include "asm.h"
#include "x86-insn.h"

typedef enum TcgReencodeResult {
    TCG_REENCODE_OK,
    /* Nothing was emitted: */
    TCG_REENCODE_CANNOT,    /* no such encoding, or what it touches is not in the operands (stack,
                               strings, flow, system, BT family on memory by register, VSIB) */
    TCG_REENCODE_NO_HOME,   /* an operand's register has no host register: give it one in MAP */
    TCG_REENCODE_NO_MEMORY, /* a memory operand and no replacement */
    TCG_REENCODE_SCRATCH,   /* AH..DH beside a REX prefix: needs a scratch register */
} TcgReencodeResult;

/* Guest general registers of an instruction, one bit each. Address registers apart, as the
 * replacement of the memory operand takes their place. */
typedef struct TcgRegUse {
    uint16_t read, written; /* as operands, explicit and implicit ones; a partial write (8 and
                               16 bits) and CMOVcc read as well */
    uint16_t implicit;      /* of these, named by the opcode: their host register must be theirs */
    uint16_t address;       /* base and index of the memory operand, rSI/rDI of strings */
    uint16_t high_byte;     /* of these, used as AH, CH, DH, BH (bits 0..3) */
} TcgRegUse;

void tcg_reg_use(const X86Insn *insn, TcgRegUse *out_use);

/* Emits INSN with guest general register r in host register MAP[r] (TCG_NO_REG: none) and MEM in
 * place of its memory operand. SIMD, mask, MMX and x87 registers keep their numbers.
 *
 * MEM NULL: the instruction has no memory operand. LEA needs MEM, the address itself. NOPs and
 * prefetches emit nothing.
 * SCRATCH: host register that may be clobbered, or TCG_NO_REG. It is used, with further
 * instructions that touch no flags, when AH..DH meet an operand that needs a REX prefix.
 * RAX RCX RDX RBX RSI RDI must be at home (identity) where TcgRegUse.implicit or .high_byte names
 * them; TCG_REENCODE_NO_HOME otherwise.
 *
 * Prefixes: operand size, selecting prefixes and LOCK are kept, segment overrides and address
 * size go with the old memory operand, F2 and F3 that select nothing are dropped. What 64-bit code
 * lost (INC/DEC 40..4F, opcode 82) and accumulator forms with an absolute address (A0..A3) become
 * their ModRM forms. LZCNT and TZCNT are emitted as such: a guest without them must be given BSR
 * and BSF by the caller. 32-bit operations clear bits 63..32 of a destination, as 64-bit code does.
 */
TcgReencodeResult tcg_reencode(TcgAsm *a, const X86Insn *insn, const uint8_t map[16],
                               const TcgMem *mem, unsigned scratch);

/* Bytes of the memory operand, 0 when the row does not say (X86_SZ_STATE, none, address only). */
unsigned tcg_memory_size(const X86Insn *insn);
/* X86_ACC_* of the memory operand; 0 = its address alone, or no memory operand. */
unsigned tcg_memory_access(const X86Insn *insn);
