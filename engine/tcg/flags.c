/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Dead flags told from registers: see flags.h.
 *
 * The instructions before the fault are gone through backwards until every flag has found who wrote
 * it. Comparisons and tests leave their operands, logic needs its result alone, sums and
 * differences their result and one operand; all that as long as nobody has written those registers
 * since. What a constant shifts is kept in the context (one store). Of products and operands in
 * memory nothing is left: their flags cannot be told, and the translator keeps them. Intel SDM
 * volume 1 section 3.4.3. Any thread. */

#include "flags.h"

#include "machine.h"
#include "reencode.h"

typedef enum Op {
    OP_ADD,
    OP_SUB,
    OP_LOGIC,
    OP_CMP,
    OP_TEST,
    OP_INC,
    OP_DEC,
    OP_NEG,
    OP_SHL,
    OP_SHR,
    OP_SAR
} Op;
typedef enum Form { RM_REG, REG_RM, RAX_IMM, RM_IMM, RM_ONLY, RM_CL } Form;

typedef struct Producer {
    void (*exec)(X86Core *core, const X86Insn *insn);
    Op op;
    Form form;
} Producer;

#define ALU(name, op)                                                           \
    { x86_exec_##name##_eg, op, RM_REG }, { x86_exec_##name##_ge, op, REG_RM }, \
        { x86_exec_##name##_ai, op, RAX_IMM },                                  \
    {                                                                           \
        x86_exec_##name##_ei, op, RM_IMM                                        \
    }

static const Producer producers[] = {
    ALU(cmp, OP_CMP),
    { x86_exec_test_eg, OP_TEST, RM_REG },
    { x86_exec_test_ai, OP_TEST, RAX_IMM },
    { x86_exec_test_ei, OP_TEST, RM_IMM },
    ALU(add, OP_ADD),
    ALU(sub, OP_SUB),
    ALU(and, OP_LOGIC),
    ALU(or, OP_LOGIC),
    ALU(xor, OP_LOGIC),
    { x86_exec_inc, OP_INC, RM_ONLY },
    { x86_exec_dec, OP_DEC, RM_ONLY },
    { x86_exec_inc_z, OP_INC, RM_ONLY },
    { x86_exec_dec_z, OP_DEC, RM_ONLY },
    { x86_exec_neg, OP_NEG, RM_ONLY },
    { x86_exec_shl_imm, OP_SHL, RM_IMM },
    { x86_exec_shl_one, OP_SHL, RM_ONLY },
    { x86_exec_shl_cl, OP_SHL, RM_CL },
    { x86_exec_shr_imm, OP_SHR, RM_IMM },
    { x86_exec_shr_one, OP_SHR, RM_ONLY },
    { x86_exec_shr_cl, OP_SHR, RM_CL },
    { x86_exec_sar_imm, OP_SAR, RM_IMM },
    { x86_exec_sar_one, OP_SAR, RM_ONLY },
    { x86_exec_sar_cl, OP_SAR, RM_CL },
};

static const Producer *
producer_of(const X86Insn *insn)
{
    if (insn->row->class_ != X86_CLASS_INT || !(insn->row->flags_written & X86_FLAGS_ARITH)) {
        return NULL;
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(producers); i++) {
        if (producers[i].exec == insn->row->exec) {
            return &producers[i];
        }
    }
    return NULL;
}

/* CORE: NULL, where a count in CL is any. */
static unsigned
shift_count(const X86Core *core, const X86Insn *insn, const Producer *producer)
{
    uint64_t count = producer->form == RM_ONLY ? 1
                     : producer->form == RM_CL ? (core ? core->s.gpr[X86_RCX] : 1)
                                               : insn->imm;

    return count & (insn->operand_size == 8 ? 63 : 31);
}

/* A shift whose flags can be told by what it shifted. */
static bool
needs_operand(const X86Insn *insn, const Producer *producer)
{
    return producer->op >= OP_SHL && !insn->is_memory && insn->operand_size >= 4 &&
           shift_count(NULL, insn, producer) != 0 &&
           (producer->form != RM_CL || insn->rm != X86_RCX);
}

bool
tcg_flags_by_cl(const X86Insn *insn)
{
    return insn->row->exec == x86_exec_shl_cl || insn->row->exec == x86_exec_shr_cl ||
           insn->row->exec == x86_exec_sar_cl;
}

uint16_t
tcg_flags_read(const X86Insn *insn)
{
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;
    bool by_constant = exec == x86_exec_shl_imm || exec == x86_exec_shr_imm ||
                       exec == x86_exec_sar_imm || exec == x86_exec_rol_imm ||
                       exec == x86_exec_ror_imm;

    return by_constant && (insn->imm & (insn->operand_size == 8 ? 63 : 31)) != 0
               ? 0
               : insn->row->flags_read & X86_FLAGS_ARITH;
}

/* The general register that a byte register is part of. */
static unsigned
whole(const X86Insn *insn, unsigned reg)
{
    return insn->operand_size == 1 && reg >= 4 && reg < 8 && !insn->rex_present ? reg - 4 : reg;
}

/* Registers of the two operands, X86_NO_REG for an immediate. False: one is in memory and counts.
 */
static bool
operands(const X86Insn *insn, const Producer *producer, unsigned *out_first, unsigned *out_second)
{
    *out_second = X86_NO_REG;
    switch (producer->form) {
    case REG_RM:
        *out_first = insn->reg;
        *out_second = insn->rm;
        if (insn->is_memory) {
            *out_second = X86_NO_REG;
            return producer->op == OP_LOGIC;
        }
        return true;
    case RAX_IMM: *out_first = X86_RAX; return true;
    case RM_REG: *out_second = insn->reg; break;
    default: break;
    }
    *out_first = insn->rm;
    return !insn->is_memory;
}

/* ---- Values ---- */

static uint64_t
flags_of_result(uint64_t result, unsigned bits)
{
    uint64_t flags = __builtin_parity((unsigned)result & 0xff) ? 0 : X86_FLAG_PF;
    flags |= result == 0 ? X86_FLAG_ZF : 0;
    return flags | (result >> (bits - 1) & 1 ? X86_FLAG_SF : 0);
}

/* Of A + B or A - B. */
static uint64_t
flags_of_sum(uint64_t a, uint64_t b, bool minus, unsigned bits)
{
    uint64_t mask = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1, result;
    bool carry, overflow;

    a &= mask;
    b &= mask;
    result = (minus ? a - b : a + b) & mask;
    carry = minus ? a < b : result < a;
    overflow = (minus ? (a ^ b) & (a ^ result) : (a ^ result) & (b ^ result)) >> (bits - 1) & 1;
    return flags_of_result(result, bits) | (carry ? X86_FLAG_CF : 0) |
           (overflow ? X86_FLAG_OF : 0) | ((a ^ b ^ result) & X86_FLAG_AF);
}

/* VALUE shifted by COUNT, less than BITS. */
static uint64_t
flags_of_shift(Op op, uint64_t value, unsigned count, unsigned bits)
{
    uint64_t mask = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1, result;
    bool carry, sign, overflow;

    value &= mask;
    sign = value >> (bits - 1) & 1;
    if (op == OP_SHL) {
        result = value << count & mask;
        carry = value >> (bits - count) & 1;
        overflow = carry != (result >> (bits - 1) & 1);
    } else {
        result = value >> count;
        carry = value >> (count - 1) & 1;
        overflow = op == OP_SHR && sign;
        if (op == OP_SAR && sign) {
            result |= mask & ~(mask >> count);
        }
    }
    return flags_of_result(result, bits) | (carry ? X86_FLAG_CF : 0) | (overflow ? X86_FLAG_OF : 0);
}

static uint64_t
compute(const X86Core *core, const X86Insn *insn, const Producer *producer, unsigned first,
        unsigned second)
{
    unsigned size = insn->operand_size;
    uint64_t a = x86_reg_read(core, insn, first, size);
    uint64_t b = second == X86_NO_REG ? insn->imm : x86_reg_read(core, insn, second, size);
    uint64_t mask = size == 8 ? UINT64_MAX : ((uint64_t)1 << size * 8) - 1;

    switch (producer->op) {
    case OP_SHL:
    case OP_SHR:
    case OP_SAR:
        return flags_of_shift(producer->op,
                              tcg_cpu_of((X86Core *)core)->shifted[producer->form == RM_CL],
                              shift_count(core, insn, producer), size * 8);
    case OP_CMP: return flags_of_sum(a, b, true, size * 8);
    case OP_TEST: return flags_of_result(a & b & mask, size * 8);
    case OP_LOGIC: return flags_of_result(a, size * 8);
    case OP_ADD: return flags_of_sum(a - b, b, false, size * 8);
    case OP_SUB: return flags_of_sum(a + b, b, true, size * 8);
    case OP_INC: return flags_of_sum(a - 1, 1, false, size * 8);
    case OP_DEC: return flags_of_sum(a + 1, 1, true, size * 8);
    default: return flags_of_sum(0, -a, true, size * 8);
    }
}

/* Adds what INSN has written of WANTED. LOST: registers written since. False: cannot be told. */
static bool
tell(const X86Core *core, const X86Insn *insn, uint16_t lost, uint16_t wanted, uint64_t *flags)
{
    const Producer *producer = producer_of(insn);
    unsigned first, second;

    if (producer && producer->op >= OP_SHL) {
        if (!needs_operand(insn, producer) || (producer->form == RM_CL && (lost & 1 << X86_RCX))) {
            return false;
        }
        if (core && shift_count(core, insn, producer)) {
            *flags |= compute(core, insn, producer, X86_RAX, X86_NO_REG) & wanted;
        }
        return true;
    }
    if (!producer || !operands(insn, producer, &first, &second) ||
        (lost >> whole(insn, first) & 1) ||
        (second != X86_NO_REG && producer->op != OP_LOGIC && lost >> whole(insn, second) & 1)) {
        return false;
    }
    if (producer->op == OP_ADD && second != X86_NO_REG &&
        whole(insn, first) == whole(insn, second)) {
        return false; /* the carry is gone */
    }
    if (core) {
        *flags |= compute(core, insn, producer, first, second) & wanted;
    }
    return true;
}

uint16_t
tcg_flags_tell(const X86Core *core, const X86Insn *insns, const TcgRegUse *uses, unsigned index,
               uint16_t lost, uint64_t entry, uint64_t *out_flags, uint64_t *out_shifts)
{
    uint16_t wanted = X86_FLAGS_ARITH, told = 0, perhaps = 0;
    uint64_t flags = 0;

    while (index-- > 0 && wanted) {
        const X86OpRow *row = insns[index].row;
        uint16_t written = (row->flags_written | row->flags_undefined) & wanted;

        if (written && tell(core, &insns[index], lost, written, &flags)) {
            bool by_cl = tcg_flags_by_cl(&insns[index]);
            if (out_shifts && producer_of(&insns[index])->op >= OP_SHL) {
                *out_shifts |= (uint64_t)1 << index;
            }
            if (by_cl &&
                (!core || !(core->s.gpr[X86_RCX] & (insns[index].operand_size == 8 ? 63 : 31)))) {
                perhaps |= written; /* by nothing, and they are those from before */
                written = 0;
            }
            told |= written;
        }
        wanted &= ~written;
        if (!wanted) {
            break;
        }
        lost |= row->class_ == X86_CLASS_SYSTEM || row->exec == x86_exec_popa ? 0xffff
                                                                              : uses[index].written;
    }
    wanted &= ~perhaps;
    *out_flags = flags | (entry & wanted);
    return told | wanted;
}
