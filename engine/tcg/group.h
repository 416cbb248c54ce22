/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Which accesses of a block lie a known distance from each other, so that one check does for all.
 * Before anything is emitted; thread: the translating CPU's. */

#include "machine.h"
#include "reencode.h"

enum {
    TCG_GROUP_SPAN = 1024, /* bytes from the first to the last */
    TCG_GROUP_NONE = 0xff,
};

/* An address to be checked, so that it can be computed twice. */
typedef struct TcgEa {
    uint8_t base, index, scale; /* guest registers, X86_REG_RIP is folded into disp */
    uint8_t address_size;
    uint8_t segment; /* X86_FS and X86_GS add their base; others have none */
    bool linear;     /* DISP is an address that moves with the code */
    int64_t disp;
    const uint8_t *soft; /* NULL, or more of the displacement, in host memory */
    uint8_t soft_size;   /* bytes, sign-extended */
    uint8_t bit_size;    /* 0, or of the items of a bit string, 4 or 8 bytes ... */
    uint8_t bit;         /* ... in which this register says which bit */
} TcgEa;

/* What a register holds: a symbol and a constant. Symbol r + 1 is what register r held at the
 * beginning, 0 none at all. */
typedef struct TcgValue {
    uint32_t symbol;
    int64_t offset;
} TcgValue;

/* One access of an instruction; SIZE 0 = none. */
typedef struct TcgAccess {
    TcgEa ea;
    TcgValue base, index; /* of its registers */
    uint8_t size;
    bool write;
    uint8_t group;  /* of TcgGroups.group, or TCG_GROUP_NONE */
    int64_t offset; /* from the group's symbolic address */
} TcgAccess;

typedef struct TcgGroup {
    int64_t low, high;   /* offsets of the first byte and behind the last */
    bool write;          /* some member writes: the page must let all of them */
    bool ready;          /* the check has been emitted: hot.group[] has the address of LOW */
    uint8_t first, last; /* instructions */
    uint8_t count;
} TcgGroup;

typedef struct TcgGroups {
    TcgAccess access[TCG_BLOCK_INSNS][2];
    unsigned n_insns; /* that are in access[] */
    TcgGroup group[TCG_GROUPS];
    unsigned count;
    /* What LOOP_LEN instructions add to a register, where that is a constant. */
    uint16_t stride_known;
    int64_t stride[16];
} TcgGroups;

/* The memory operand of INSN, whose next instruction is at NEXT_PC. */
TcgEa tcg_ea_of(const X86Insn *insn, uint64_t next_pc);
/* The stack at guest rSP + DISP. */
TcgEa tcg_ea_of_stack(bool code64, int64_t disp);

/* BT and the like: the memory operand is where a register says, from the address on. */
bool tcg_is_bit_string(const X86Insn *insn);

/* INSNS at PCS, N of them, with what they do with registers. Groups of one access are none.
 * LOOP_LEN: 0, or where a loop ends. */
void tcg_groups_find(TcgGroups *groups, const X86Insn *insns, const TcgRegUse *uses,
                     const uint64_t *pcs, unsigned n, bool code64, unsigned loop_len);
/* Instruction INDEX was not emitted after all. */
void tcg_groups_forget(TcgGroups *groups, unsigned index);
/* The record of any access, grouped or not. */
const TcgAccess *tcg_groups_any(const TcgGroups *groups, unsigned index, const TcgEa *ea,
                                unsigned size, bool write);
/* The record of an access as it is about to be emitted; NULL: nothing is known of it. */
const TcgAccess *tcg_groups_access(const TcgGroups *groups, unsigned index, const TcgEa *ea,
                                   unsigned size, bool write);
