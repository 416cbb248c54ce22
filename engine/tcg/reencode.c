/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Guest instructions emitted again for the host: see reencode.h. Driven by the operand roles of the
 * opcode rows alone: no opcode is known here but the few that 64-bit code encodes differently.
 * Intel SDM volume 2 chapter 2. Any thread.
 */

#include "reencode.h"

typedef struct Reencoder {
    const X86Insn *insn;
    const uint8_t *map;
    TcgOp op;
    unsigned reg, rm, vvvv; /* host numbers of the fields; rm also of the opcode register */
    bool has_vvvv, opcode_reg, memory;
    bool bad_home; /* an operand has no host register */
    uint8_t high;  /* guest AH..BH 4..7 of the operand that must move, 0 = none */
    uint8_t high_access;
    unsigned *high_field;
} Reencoder;

/* The operands of ROW, up to X86_OP_NONE. */
#define FOR_OPERANDS(row, name)                                               \
    for (const X86Operand *name = (row)->operand,                             \
                          *name##_end = name + VIT_ARRAY_LEN((row)->operand); \
         name != name##_end && name->kind != X86_OP_NONE; name++)

/* A byte register without REX: 4..7 are AH..BH. */
static inline bool
is_high_byte(const X86Insn *insn, unsigned size, unsigned number)
{
    return size == 1 && number >= 4 && number < 8 && !insn->rex_present &&
           insn->encoding == X86_ENC_LEGACY;
}

static unsigned
operand_bytes(const X86Insn *insn, unsigned size)
{
    unsigned vector = insn->vector_bytes ? insn->vector_bytes : 16;

    switch (size) {
    case X86_SZ_V: return insn->operand_size;
    case X86_SZ_Z: return MIN(insn->operand_size, 4);
    case X86_SZ_Y: return insn->rex_w && insn->code_size == 8 ? 8 : 4;
    case X86_SZ_VEC: return vector;
    case X86_SZ_VEC_HALF: return vector / 2;
    case X86_SZ_VEC_QUARTER: return vector / 4;
    case X86_SZ_VEC_EIGHTH: return vector / 8;
    case X86_SZ_FAR: return MIN(insn->operand_size, 8) + 2;
    case X86_SZ_TABLE: return insn->code_size == 8 ? 10 : 6;
    case X86_SZ_STATE: return 0;
    case X86_SZ_ADDR: return insn->address_size;
    case X86_SZ_NATIVE: return insn->code_size == 8 ? 8 : 4;
    default: return size;
    }
}

static inline bool
is_memory_operand(const X86Insn *insn, const X86Operand *operand)
{
    switch (operand->kind) {
    case X86_OP_MODRM_RM:
    case X86_OP_MODRM_M:
    case X86_OP_MMX_RM:
    case X86_OP_VEC_RM:
    case X86_OP_KRM:
    case X86_OP_VSIB: return insn->is_memory;
    case X86_OP_MOFFS: return true;
    default: return false;
    }
}

static const X86Operand *
memory_operand(const X86Insn *insn)
{
    FOR_OPERANDS(insn->row, operand)
    {
        if (is_memory_operand(insn, operand)) {
            return operand;
        }
    }
    return NULL;
}

unsigned
tcg_memory_size(const X86Insn *insn)
{
    const X86Operand *operand = memory_operand(insn);

    if (operand && operand->kind == X86_OP_VSIB) {
        return 0; /* of elements that lie anywhere */
    }
    if (operand && insn->encoding == X86_ENC_EVEX && insn->evex_b) {
        return insn->row->element;
    }
    return operand ? operand_bytes(insn, operand->size) : 0;
}

unsigned
tcg_memory_access(const X86Insn *insn)
{
    const X86Operand *operand = memory_operand(insn);

    return operand ? operand->access : 0;
}

/* Register use */

static void
use_register(TcgRegUse *use, const X86Insn *insn, const X86Operand *operand, unsigned number)
{
    unsigned size = operand_bytes(insn, operand->size);
    unsigned access = operand->access;

    if (operand->kind == X86_OP_FIXED_REG ? size == 1 && number >= 4
                                          : is_high_byte(insn, size, number)) {
        number &= 3;
        use->high_byte |= (uint16_t)(1u << number);
    }
    if (access & X86_ACC_W) {
        use->written |= (uint16_t)(1u << number);
        /* CMOVcc zero-extends even when it does not move: its row says RW. */
        if (size < 4) {
            access |= X86_ACC_R;
        }
    }
    if (access & X86_ACC_R) {
        use->read |= (uint16_t)(1u << number);
    }
    if (operand->kind == X86_OP_FIXED_REG) {
        use->implicit |= (uint16_t)(1u << number);
    }
}

static void
use_implicit(TcgRegUse *use, unsigned number, bool written)
{
    use->read |= (uint16_t)(1u << number);
    use->written |= (uint16_t)(written ? 1u << number : 0);
    use->implicit |= (uint16_t)(1u << number);
}

static void
use_string(TcgRegUse *use, const X86Insn *insn)
{
    if (insn->row->class_ == X86_CLASS_STRING && (insn->rep || insn->repne)) {
        use_implicit(use, X86_RCX, true);
    }
}

void
tcg_reg_use(const X86Insn *insn, TcgRegUse *out_use)
{
    const X86OpRow *row = insn->row;
    bool string = row->class_ == X86_CLASS_STRING;

    *out_use = (TcgRegUse){ 0 };
    FOR_OPERANDS(row, operand)
    {
        switch (operand->kind) {
        case X86_OP_MODRM_REG: use_register(out_use, insn, operand, insn->reg); break;
        case X86_OP_MODRM_RM:
            if (insn->is_memory) {
                break;
            }
            __attribute__((fallthrough));
        case X86_OP_MODRM_R:
        case X86_OP_OPCODE_REG: use_register(out_use, insn, operand, insn->rm); break;
        case X86_OP_VVVV: use_register(out_use, insn, operand, insn->vvvv); break;
        case X86_OP_FIXED_REG: use_register(out_use, insn, operand, operand->fixed); break;
        case X86_OP_STACK: use_implicit(out_use, X86_RSP, true); break;
        case X86_OP_STR_SRC: /* XLAT's table is at rBX */
            use_implicit(out_use, string ? X86_RSI : X86_RBX, string);
            break;
        case X86_OP_STR_DST: use_implicit(out_use, X86_RDI, true); break;
        case X86_OP_MASK_DST: use_implicit(out_use, X86_RDI, false); break;
        default: break;
        }
    }
    use_string(out_use, insn);
    if (insn->is_memory) {
        if (insn->base < 16) {
            out_use->address |= (uint16_t)(1u << insn->base);
        }
        if (insn->index < 16 &&
            !(memory_operand(insn) && memory_operand(insn)->kind == X86_OP_VSIB)) {
            out_use->address |= (uint16_t)(1u << insn->index);
        }
    }
}

/* Re-encoding */

/* General register operand NUMBER, which the field *FIELD encodes. */
static void
map_register(Reencoder *r, const X86Operand *operand, unsigned number, unsigned *field, bool *byte)
{
    unsigned size = operand_bytes(r->insn, operand->size);

    if (is_high_byte(r->insn, size, number)) {
        r->bad_home |= r->map[number & 3] != (number & 3);
        *field = number;
        *byte = false;
        r->high = (uint8_t)number;
        r->high_access = operand->access;
        r->high_field = field;
        return;
    }
    *field = r->map[number & 15];
    *byte = size == 1;
    r->bad_home |= *field == TCG_NO_REG;
}

static void
map_fixed(Reencoder *r, const X86Operand *operand)
{
    unsigned number = operand->fixed;

    if (operand->size == 1 && number >= 4) { /* AH of LAHF and SAHF */
        number &= 3;
    }
    r->bad_home |= r->map[number & 15] != number;
}

/* Puts one operand into the fields. False = a kind that is not re-encoded. */
static bool
map_operand(Reencoder *r, const X86Operand *operand)
{
    const X86Insn *insn = r->insn;
    bool unused;

    switch (operand->kind) {
    case X86_OP_NONE:
    case X86_OP_IMM:
    case X86_OP_ONE:
    case X86_OP_VEC_FIXED0:
    case X86_OP_VEC_IS4:
    case X86_OP_ST0:
    case X86_OP_STI: return true;
    case X86_OP_MODRM_REG:
        map_register(r, operand, insn->reg, &r->reg, &r->op.byte_reg);
        return true;
    case X86_OP_MODRM_RM:
    case X86_OP_MODRM_R:
        if (!insn->is_memory) {
            map_register(r, operand, insn->rm, &r->rm, &r->op.byte_rm);
        }
        return true;
    case X86_OP_MODRM_M: return true;
    case X86_OP_OPCODE_REG:
        r->opcode_reg = true;
        map_register(r, operand, insn->rm, &r->rm, &r->op.byte_rm);
        return true;
    case X86_OP_VVVV:
        map_register(r, operand, insn->vvvv, &r->vvvv, &unused);
        r->has_vvvv = true;
        return true;
    case X86_OP_FIXED_REG: map_fixed(r, operand); return true;
    case X86_OP_MMX_REG: r->reg = insn->reg & 7; return true;
    case X86_OP_MMX_RM: r->rm = insn->rm & 7; return true;
    case X86_OP_VEC_REG:
    case X86_OP_KREG: r->reg = insn->reg; return true;
    case X86_OP_VEC_RM:
    case X86_OP_KRM: r->rm = insn->rm; return true;
    case X86_OP_VEC_VVVV:
    case X86_OP_KVVVV:
        r->vvvv = insn->vvvv;
        r->has_vvvv = true;
        return true;
    default: return false;
    }
}

static bool
has_kind(const X86OpRow *row, unsigned kind)
{
    FOR_OPERANDS(row, operand)
    {
        if (operand->kind == kind) {
            return true;
        }
    }
    return false;
}

/* REX.W and VEX.W choose the size of a general register only in 64-bit code; elsewhere they are
 * ignored, except that VEX.W always means something to vectors. */
static bool
has_general_register(const X86OpRow *row)
{
    return has_kind(row, X86_OP_MODRM_REG) || has_kind(row, X86_OP_MODRM_RM) ||
           has_kind(row, X86_OP_MODRM_R) || has_kind(row, X86_OP_VVVV) ||
           has_kind(row, X86_OP_FIXED_REG);
}

static bool
has_variable_size(const X86OpRow *row)
{
    FOR_OPERANDS(row, operand)
    {
        if (operand->size == X86_SZ_V || operand->size == X86_SZ_Z) {
            return true;
        }
    }
    return false;
}

/* 66 and REX.W choose the size of rows that have one to choose; 66 that selects an opcode is its
 * prefix. */
static void
set_prefixes(Reencoder *r)
{
    static const uint8_t prefix[] = { [X86_PP_66] = 0x66, [X86_PP_F3] = 0xf3, [X86_PP_F2] = 0xf2 };
    const X86Insn *insn = r->insn;
    const X86OpRow *row = insn->row;
    TcgOp *op = &r->op;

    op->opcode = (uint16_t)(row->map << 8 | insn->opcode);
    if (row->pp >= X86_PP_66 && row->pp <= X86_PP_F2) {
        op->prefix = prefix[row->pp];
    }
    op->lock = insn->lock;
    if (insn->encoding != X86_ENC_LEGACY) {
        op->wide = insn->rex_w && (insn->code_size == 8 || !has_general_register(row));
    } else if (has_variable_size(row)) {
        op->opsize = insn->operand_size == 2;
        op->wide = insn->operand_size == 8;
    } else {
        op->wide = insn->rex_w && insn->code_size == 8;
    }
}

static void
set_immediates(Reencoder *r)
{
    const X86Insn *insn = r->insn;
    const X86OpRow *row = insn->row;
    unsigned count = 0;

    FOR_OPERANDS(row, operand)
    {
        if (operand->kind == X86_OP_VEC_IS4) {
            /* The register's high bit is ignored outside 64-bit code. */
            r->op.value = (int64_t)(insn->imm & (insn->code_size == 8 ? 0xff : 0x7f));
            r->op.imm_size = 1;
        } else if (operand->kind == X86_OP_IMM && count++ == 0) {
            r->op.value = (int64_t)insn->imm;
            r->op.imm_size = (uint8_t)operand_bytes(insn, operand->size);
        } else if (operand->kind == X86_OP_IMM) { /* EXTRQ, INSERTQ */
            r->op.value = (r->op.value & 0xff) | insn->imm2 << 8;
            r->op.imm_size = 2;
        }
    }
}

/* What 64-bit code has under another opcode. False = nothing like it. */
static bool
replace_opcode(Reencoder *r)
{
    const X86Insn *insn = r->insn;
    const X86OpRow *row = insn->row;
    unsigned opcode = insn->opcode;

    if (row->map != X86_MAP_1B || row->encoding != X86_ENC_LEGACY) {
        return true;
    }
    if ((opcode & 0xf0) == 0x40 && (row->flags & X86_ROW_NO64)) { /* INC, DEC r */
        r->op.opcode = 0xff;
        r->reg = opcode >> 3 & 1;
        r->opcode_reg = false;
        return true;
    }
    if (opcode == 0x82) {
        r->op.opcode = 0x80;
        return true;
    }
    if (opcode >= 0xa0 && opcode <= 0xa3) { /* MOV accumulator, moffs */
        static const uint8_t modrm_form[] = { 0x8a, 0x8b, 0x88, 0x89 };
        r->op.opcode = modrm_form[opcode - 0xa0];
        r->reg = X86_RAX;
        r->op.imm_size = 0;
        r->memory = true;
        return true;
    }
    return !(row->flags & X86_ROW_NO64);
}

/* Rows whose effect is not told by their operands, or is not one on registers and one place in
 * memory. */
static bool
is_opaque(const X86Insn *insn)
{
    const X86OpRow *row = insn->row;

    switch (row->class_) {
    case X86_CLASS_INT:
        /* Direction flag: the translator's own affair. */
        if (row->map == X86_MAP_1B && (insn->opcode == 0xfc || insn->opcode == 0xfd)) {
            return true;
        }
        break;
    case X86_CLASS_VEC:
    case X86_CLASS_X87: break;
    default: return true;
    }
    /* BT family: the register reaches outside the operand. */
    return insn->is_memory && row->map == X86_MAP_0F && row->encoding == X86_ENC_LEGACY &&
           (insn->opcode == 0xa3 || insn->opcode == 0xab || insn->opcode == 0xb3 ||
            insn->opcode == 0xbb);
}

/* NOP in its one-byte and its ModRM forms, and prefetches. */
static bool
is_nop(const X86Insn *insn)
{
    const X86OpRow *row = insn->row;
    const X86Operand *first = &row->operand[0];

    if (row->class_ != X86_CLASS_INT || row->encoding != X86_ENC_LEGACY) {
        return false;
    }
    return (first->kind == X86_OP_NONE && row->map == X86_MAP_1B && row->opcode == 0x90 &&
            row->pp == X86_PP_ANY) ||
           ((first->kind == X86_OP_MODRM_RM || first->kind == X86_OP_MODRM_M) &&
            first->access == 0);
}

static inline bool
mem_needs_rex(const TcgMem *mem)
{
    return (mem->base != TCG_NO_REG && mem->base >= 8) ||
           (mem->index != TCG_NO_REG && mem->index >= 8);
}

static bool
would_need_rex(const Reencoder *r, const TcgMem *mem)
{
    return r->op.wide || r->reg >= 8 || (r->memory ? mem_needs_rex(mem) : r->rm >= 8) ||
           (r->op.byte_reg && r->reg >= 4) || (r->op.byte_rm && !r->memory && r->rm >= 4);
}

static void
emit_evex(const Reencoder *r, TcgAsm *a, const TcgMem *mem)
{
    const X86Insn *insn = r->insn;
    const TcgEvex evex = { .ll = insn->evex_ll,
                           .vvvv = r->has_vvvv ? (uint8_t)r->vvvv : 0,
                           .aaa = insn->evex_aaa,
                           .b = insn->evex_b,
                           .z = insn->evex_z };

    if (r->memory) {
        TcgMem far = *mem;

        /* Short displacements count in units of the operand, whatever that is. */
        far.long_disp = true;
        tcg_asm_evex_rm(a, &r->op, &evex, r->reg, far);
    } else {
        tcg_asm_evex_rr(a, &r->op, &evex, r->reg, r->rm);
    }
}

static void
emit_instruction(const Reencoder *r, TcgAsm *a, const TcgMem *mem)
{
    const X86Insn *insn = r->insn;
    bool modrm = insn->has_modrm || r->memory || r->op.opcode == 0xff;

    if (insn->encoding == X86_ENC_EVEX) {
        emit_evex(r, a, mem);
    } else if (insn->encoding == X86_ENC_VEX) {
        unsigned vvvv = r->has_vvvv ? r->vvvv : 0;

        if (!modrm) { /* VZEROUPPER, VZEROALL */
            const uint8_t bytes[] = { 0xc5, insn->vex_l ? 0xfc : 0xf8, insn->opcode };
            tcg_asm_bytes(a, bytes, sizeof(bytes));
        } else if (r->memory) {
            tcg_asm_vex_rm(a, &r->op, insn->vex_l, r->reg, vvvv, *mem);
        } else {
            tcg_asm_vex_rr(a, &r->op, insn->vex_l, r->reg, vvvv, r->rm);
        }
    } else if (r->memory) {
        tcg_asm_op_rm(a, &r->op, r->reg, *mem);
    } else if (r->opcode_reg) {
        TcgOp op = r->op;

        op.opcode &= 0xfff8;
        tcg_asm_op_o(a, &op, r->rm);
    } else if (modrm) {
        tcg_asm_op_rr(a, &r->op, r->reg, r->rm);
    } else {
        tcg_asm_op(a, &r->op);
    }
}

/* SCRATCH = the high byte of RAX..RBX, in its low byte; the other direction. Exchanging the two
 * bytes of the register and back touches no flags and needs no host feature. */
static void
move_high(TcgAsm *a, unsigned reg, unsigned scratch, bool from_scratch)
{
    tcg_asm_xchg_al_ah(a, reg);
    if (from_scratch) {
        tcg_asm_mov_rr(a, 1, reg, scratch);
    } else {
        tcg_asm_mov_rr(a, 4, scratch, reg);
    }
    tcg_asm_xchg_al_ah(a, reg);
}

static TcgReencodeResult
emit_with_high_byte(Reencoder *r, TcgAsm *a, const TcgMem *mem, unsigned scratch)
{
    unsigned reg = r->high & 3;
    bool *byte = r->high_field == &r->reg ? &r->op.byte_reg : &r->op.byte_rm;

    if (scratch == TCG_NO_REG) {
        return TCG_REENCODE_SCRATCH;
    }
    if (r->high_access & X86_ACC_R) {
        move_high(a, reg, scratch, false);
    }
    *r->high_field = scratch;
    *byte = true;
    emit_instruction(r, a, mem);
    if (r->high_access & X86_ACC_W) {
        move_high(a, reg, scratch, true);
    }
    return TCG_REENCODE_OK;
}

TcgReencodeResult
tcg_reencode(TcgAsm *a, const X86Insn *insn, const uint8_t map[16], const TcgMem *mem,
             unsigned scratch)
{
    const X86OpRow *row = insn->row;
    Reencoder r = { .insn = insn, .map = map, .memory = insn->is_memory };

    if (is_opaque(insn)) {
        return TCG_REENCODE_CANNOT;
    }
    if (is_nop(insn)) {
        return TCG_REENCODE_OK;
    }
    r.reg = row->modrm_reg >= 0 ? (unsigned)row->modrm_reg : 0;
    r.rm = insn->has_modrm ? insn->rm & 7u : 0;
    set_prefixes(&r);
    set_immediates(&r);
    FOR_OPERANDS(row, operand)
    {
        if (operand->kind != X86_OP_MOFFS && !map_operand(&r, operand)) {
            return TCG_REENCODE_CANNOT;
        }
    }
    if (!replace_opcode(&r)) {
        return TCG_REENCODE_CANNOT;
    }
    if (r.bad_home) {
        return TCG_REENCODE_NO_HOME;
    }
    if (r.memory && !mem) {
        return TCG_REENCODE_NO_MEMORY;
    }
    if (r.high && would_need_rex(&r, mem)) {
        return emit_with_high_byte(&r, a, mem, scratch);
    }
    emit_instruction(&r, a, mem);
    return TCG_REENCODE_OK;
}
