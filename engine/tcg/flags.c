/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Dead flags told from registers: see flags.h.
 *
 * The instructions before the fault are gone through backwards until every flag has found who wrote
 * it. Comparisons and tests leave their operands, logic needs its result alone, sums and
 * differences their result and one operand; all that as long as nobody has written those registers
 * since. Else, and where an operand is in memory, the operands are kept in the context before the
 * instruction, a store each; so is what is shifted. Products cannot be told, and the translator
 * keeps their flags. Intel SDM volume 1 section 3.4.3. Any thread. */

#include "flags.h"

#include "machine.h"
#include "reencode.h"

typedef enum Op {
    OP_ADD,
    OP_SUB,
    OP_AND,
    OP_OR,
    OP_XOR,
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
    ALU(and, OP_AND),
    ALU(or, OP_OR),
    ALU(xor, OP_XOR),
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

static bool
is_logic(const Producer *producer)
{
    return producer->op >= OP_AND && producer->op <= OP_XOR;
}

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
            return is_logic(producer);
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

/* Of the operands as they were. */
static uint64_t
flags_before(Op op, uint64_t a, uint64_t b, unsigned size)
{
    uint64_t mask = size == 8 ? UINT64_MAX : ((uint64_t)1 << size * 8) - 1;

    switch (op) {
    case OP_ADD: return flags_of_sum(a, b, false, size * 8);
    case OP_INC: return flags_of_sum(a, 1, false, size * 8);
    case OP_DEC: return flags_of_sum(a, 1, true, size * 8);
    case OP_NEG: return flags_of_sum(0, a, true, size * 8);
    case OP_OR: return flags_of_result((a | b) & mask, size * 8);
    case OP_XOR: return flags_of_result((a ^ b) & mask, size * 8);
    case OP_AND:
    case OP_TEST: return flags_of_result(a & b & mask, size * 8);
    default: return flags_of_sum(a, b, true, size * 8);
    }
}

/* From what registers have now. */
static uint64_t
flags_after(const X86Core *core, const X86Insn *insn, const Producer *producer, unsigned first,
            unsigned second)
{
    unsigned size = insn->operand_size;
    uint64_t a = x86_reg_read(core, insn, first, size);
    uint64_t b = second == X86_NO_REG ? insn->imm : x86_reg_read(core, insn, second, size);

    switch (producer->op) {
    case OP_CMP:
    case OP_TEST: return flags_before(producer->op, a, b, size);
    case OP_AND:
    case OP_OR:
    case OP_XOR: return flags_of_result(a, size * 8);
    case OP_ADD: return flags_of_sum(a - b, b, false, size * 8);
    case OP_SUB: return flags_of_sum(a + b, b, true, size * 8);
    case OP_INC: return flags_of_sum(a - 1, 1, false, size * 8);
    case OP_DEC: return flags_of_sum(a + 1, 1, true, size * 8);
    default: return flags_of_sum(0, -a, true, size * 8);
    }
}

static bool
has_two(const Producer *producer)
{
    return producer->form == RM_REG || producer->form == REG_RM;
}

/* Whether its operands can be kept: see emit-kept.c. */
static bool
may_be_kept(const X86Insn *insn, const Producer *producer)
{
    unsigned segment = insn->segment;

    if (insn->lock || (has_two(producer) && whole(insn, insn->reg) != insn->reg)) {
        return false;
    }
    if (!insn->is_memory) {
        return producer->form == RAX_IMM || whole(insn, insn->rm) == insn->rm;
    }
    if (insn->address_size == 2 || (segment != X86_DS && segment != X86_ES && segment != X86_SS)) {
        return false;
    }
    return !has_two(producer) || producer->op == OP_CMP || producer->op == OP_TEST ||
           !(TCG_IN_STATE >> insn->reg & 1);
}

/* SLOT of cpu->kept that the first operand goes to. */
static unsigned
slot_of(const Producer *producer)
{
    return producer->op == OP_INC || producer->op == OP_DEC ? TCG_KEPT_STEP : 0;
}

bool
tcg_flags_keep(const X86Insn *insn, TcgKeep *out_keep)
{
    const Producer *producer = producer_of(insn);

    if (!producer || producer->op >= OP_SHL) {
        return false;
    }
    *out_keep = (TcgKeep){ .slot = slot_of(producer), .first = insn->rm, .second = X86_NO_REG };
    out_keep->rm_first = producer->form != REG_RM;
    out_keep->writes = producer->op != OP_CMP && producer->op != OP_TEST;
    if (producer->form == REG_RM) {
        out_keep->first = insn->reg;
        out_keep->second = insn->rm;
    } else if (producer->form == RM_REG) {
        out_keep->second = insn->reg;
    } else if (producer->form == RAX_IMM) {
        out_keep->first = X86_RAX;
    }
    return true;
}

static uint64_t
flags_kept(const X86Core *core, const X86Insn *insn, const Producer *producer)
{
    const TcgCpu *cpu = tcg_cpu_of((X86Core *)core);

    return flags_before(producer->op, cpu->kept[slot_of(producer)],
                        has_two(producer) ? cpu->kept[TCG_KEPT_SECOND] : insn->imm,
                        insn->operand_size);
}

/* XOR and SUB of a register with itself. */
static bool
is_nothing(const X86Insn *insn, const Producer *producer)
{
    return (producer->op == OP_XOR || producer->op == OP_SUB) && !insn->is_memory &&
           has_two(producer) && insn->reg == insn->rm;
}

/* Whether the registers of INSN still have what its flags can be told from. LOST: written since. */
static bool
is_left(const X86Insn *insn, const Producer *producer, uint16_t lost, unsigned *out_first,
        unsigned *out_second)
{
    if (!operands(insn, producer, out_first, out_second) || (lost >> whole(insn, *out_first) & 1)) {
        return false;
    }
    return *out_second == X86_NO_REG || is_logic(producer) ||
           (!(lost >> whole(insn, *out_second) & 1) &&
            /* of a sum of twice the same the carry is gone */
            (producer->op != OP_ADD || whole(insn, *out_first) != whole(insn, *out_second)));
}

/* Adds to FLAGS what INSN has written of WANTED. LOST: registers written since. False: cannot be
 * told. KEEP: whether its operands are kept; set where they have to be. */
static bool
tell(const X86Core *core, const X86Insn *insn, uint16_t lost, uint16_t wanted, uint64_t *flags,
     bool *keep, bool may_keep)
{
    const Producer *producer = producer_of(insn);
    unsigned first, second;

    if (!producer) {
        return false;
    }
    if (producer->op >= OP_SHL) {
        if (!needs_operand(insn, producer) || (producer->form == RM_CL && (lost & 1 << X86_RCX)) ||
            (!*keep && !may_keep)) {
            return false;
        }
        *keep = true;
        if (core && shift_count(core, insn, producer)) {
            *flags |= flags_of_shift(producer->op,
                                     tcg_cpu_of((X86Core *)core)->shifted[producer->form == RM_CL],
                                     shift_count(core, insn, producer), insn->operand_size * 8) &
                      wanted;
        }
        return true;
    }
    if (is_nothing(insn, producer)) {
        *flags |= flags_of_result(0, 8) & wanted;
        return true;
    }
    /* what is kept is right even where a repeated instruction has moved the registers since */
    if (!(core && *keep) && is_left(insn, producer, lost, &first, &second)) {
        *flags |= core ? flags_after(core, insn, producer, first, second) & wanted : 0;
        return true;
    }
    if (!may_be_kept(insn, producer) || (!*keep && !may_keep)) {
        return false;
    }
    *keep = true;
    *flags |= core ? flags_kept(core, insn, producer) & wanted : 0;
    return true;
}

uint16_t
tcg_flags_tell(const X86Core *core, const X86Insn *insns, const TcgRegUse *uses, unsigned index,
               uint16_t lost, uint64_t entry, uint64_t *out_flags, uint64_t *kept, bool may_keep)
{
    uint16_t wanted = X86_FLAGS_ARITH, told = 0;
    uint64_t flags = 0;
    bool shifted = false;

    while (index-- > 0 && wanted) {
        const X86OpRow *row = insns[index].row;
        uint16_t written = (row->flags_written | row->flags_undefined) & wanted;
        bool keep = *kept >> index & 1, by_cl = tcg_flags_by_cl(&insns[index]);

        /* of two by CL the second has what is kept */
        if (written && !(by_cl && shifted) &&
            tell(core, &insns[index], lost, written, &flags, &keep, may_keep)) {
            *kept |= (uint64_t)keep << index;
            shifted |= by_cl;
            if (by_cl &&
                (!core || !(core->s.gpr[X86_RCX] & (insns[index].operand_size == 8 ? 63 : 31)))) {
                written = 0; /* by nothing, and they are those from before */
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
    *out_flags = flags | (entry & wanted);
    return told | wanted;
}
