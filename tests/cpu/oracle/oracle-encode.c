/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* From an opcode row to bytes: prefixes, opcode, ModRM with a memory operand that mostly lies in
 * the data pages, immediates. The decoder under test says where the instruction ends; if it is
 * wrong the host will disagree about everything that follows. Intel SDM volume 2 chapter 2. */

#include "oracle-encode.h"
#include "oracle-values.h"

#include <string.h>

typedef struct Bytes {
    uint8_t at[64];
    unsigned len;
} Bytes;

typedef struct Form {
    bool has_modrm, memory, vsib, opcode_reg;
    bool implicit;   /* memory that takes a segment override, not through ModRM */
    unsigned size;   /* of the memory operand, as a guess for page edges */
    bool gs;         /* segment override to GS */
    bool state_area; /* FXSAVE and friends */
    unsigned address_size;
    bool writes_reg, writes_rm, writes_vvvv; /* general registers */
    bool reg_is_general, rm_is_general;
} Form;

static void
put(Bytes *b, unsigned byte)
{
    b->at[b->len++] = (uint8_t)byte;
}

static void
put_le(Bytes *b, uint64_t value, unsigned size)
{
    memcpy(b->at + b->len, &value, size);
    b->len += size;
}

static unsigned
guess_size(uint8_t size)
{
    switch (size) {
    case X86_SZ_V:
    case X86_SZ_Y:
    case X86_SZ_FAR:
    case X86_SZ_TABLE: return 8;
    case X86_SZ_Z: return 4;
    case X86_SZ_VEC: return 32;
    case X86_SZ_VEC_HALF: return 16;
    case X86_SZ_VEC_QUARTER: return 8;
    case X86_SZ_VEC_EIGHTH: return 4;
    case X86_SZ_STATE: return 512;
    default: return size ? size : 8;
    }
}

static void
study_operand(Form *form, const X86Operand *op)
{
    bool written = op->access & X86_ACC_W;

    switch (op->kind) {
    case X86_OP_VSIB: form->vsib = true; break;
    case X86_OP_OPCODE_REG:
        form->opcode_reg = true;
        form->writes_rm |= written;
        return;
    case X86_OP_MODRM_REG:
        form->reg_is_general = true;
        form->writes_reg |= written;
        break;
    case X86_OP_MODRM_RM:
    case X86_OP_MODRM_R:
        form->rm_is_general = true;
        form->writes_rm |= written;
        break;
    case X86_OP_VVVV: form->writes_vvvv |= written; return;
    case X86_OP_STR_SRC:
    case X86_OP_MOFFS:
    case X86_OP_MASK_DST: form->implicit = true; return;
    default: break;
    }
    if ((op->kind >= X86_OP_MODRM_REG && op->kind <= X86_OP_MODRM_R) ||
        op->kind == X86_OP_SEG_REG || (op->kind >= X86_OP_CR && op->kind <= X86_OP_VEC_RM) ||
        op->kind == X86_OP_VSIB) {
        form->has_modrm = true;
    }
    if (op->kind == X86_OP_MODRM_RM || op->kind == X86_OP_MODRM_M || op->kind == X86_OP_MMX_RM ||
        op->kind == X86_OP_VEC_RM || op->kind == X86_OP_VSIB) {
        form->size = guess_size(op->size);
        form->state_area |= op->size == X86_SZ_STATE;
    }
}

static Form
study(OracleContext *c, const X86OpRow *row)
{
    Form form = { .has_modrm = row->modrm_reg >= 0 || row->modrm_form != 0, .size = 8 };

    for (unsigned i = 0; i < G_N_ELEMENTS(row->operand); i++) {
        study_operand(&form, &row->operand[i]);
    }
    form.memory = row->modrm_form == 1 || (row->modrm_form == 0 && !(row->flags & X86_ROW_MOD3) &&
                                           oracle_chance(c->rng, 50));
    return form;
}

/* Offset from the start of the data pages. */
static uint32_t
choose_target(OracleContext *c, const Form *form)
{
    static const uint16_t edges[] = { 0x1000, 0x1000, 0x1000, 0x1000, 0x1000,
                                      0x2000, 0x2000, 0x2000, 0x3000, 0x4000,
                                      0x5000, 0x0000, 0x3800, 0x2800, 0x2400 };
    OracleRng *rng = c->rng;
    uint32_t place = oracle_below(rng, 0x2e00);

    place = place < 0x1f00 ? place : 0x4000 + (place - 0x1f00);
    if (form->state_area && oracle_chance(rng, 80)) {
        return oracle_chance(rng, 50) ? 0x400 : oracle_below(rng, 0x5000) & ~63u;
    }
    if (oracle_chance(rng, 14)) {
        return edges[oracle_below(rng, G_N_ELEMENTS(edges))] - oracle_below(rng, form->size + 1);
    }
    if (oracle_chance(rng, 25)) {
        return place;
    }
    return place & ~(form->size >= 32 ? 31u : form->size >= 10 ? 15u : form->size - 1u);
}

/* Offset in the segment that reaches TARGET. */
static uint32_t
segment_offset(const OracleContext *c, const Form *form, uint32_t target)
{
    if (c->mode == ORACLE_16) {
        return target;
    }
    return form->gs ? ORACLE_DATA + target - ORACLE_GS_BASE : ORACLE_DATA + target;
}

static unsigned
pick_base(OracleContext *c)
{
    uint16_t from = c->known & c->pointers;
    unsigned count = (unsigned)__builtin_popcount(from);

    if (count == 0) {
        return 16;
    }
    for (unsigned skip = oracle_below(c->rng, count);; from &= (uint16_t)(from - 1)) {
        if (skip-- == 0) {
            return (unsigned)__builtin_ctz(from);
        }
    }
}

typedef struct Address {
    unsigned mod, rm, sib, reg_bits; /* reg_bits: REX.X << 1 | REX.B */
    bool has_sib;
    uint64_t disp;
    unsigned disp_size;
} Address;

static Address
address16(OracleContext *c, uint32_t offset)
{
    static const uint8_t base[8] = { 3, 3, 5, 5, 6, 7, 5, 3 };
    static const uint8_t index[8] = { 6, 7, 6, 7, 16, 16, 16, 16 };
    Address a = { .rm = oracle_below(c->rng, 8), .mod = 2, .disp_size = 2 };
    uint64_t sum = c->value[base[a.rm]] + (index[a.rm] < 16 ? c->value[index[a.rm]] : 0);

    c->relied |= (uint16_t)(1u << base[a.rm] | (index[a.rm] < 16 ? 1u << index[a.rm] : 0));
    if (a.rm == 6 && oracle_chance(c->rng, 50)) {
        a.mod = 0;
        a.disp = offset & 0xffff;
        return a;
    }
    a.disp = (offset - sum) & 0xffff;
    if ((int16_t)a.disp == (int8_t)a.disp) {
        a.mod = 1;
        a.disp_size = 1;
    }
    return a;
}

static Address
absolute32(OracleContext *c, uint32_t offset)
{
    Address a = { .rm = 5, .disp = offset, .disp_size = 4 };

    if (c->mode == ORACLE_64) {
        /* rm 5 counts from the next instruction: fix_rip() */
        if (oracle_chance(c->rng, 50)) { /* SIB without base and index */
            a.rm = 4;
            a.has_sib = true;
            a.sib = 4 << 3 | 5;
        }
    }
    return a;
}

static Address
address32(OracleContext *c, const Form *form, uint32_t offset)
{
    unsigned base = pick_base(c);
    Address a = { .mod = 2, .disp_size = 4 };
    uint64_t sum;

    if ((base == 16 || oracle_chance(c->rng, 25)) && !form->vsib) {
        return absolute32(c, offset);
    }
    if (base == 16) {
        base = 3;
    }
    a.rm = base & 7;
    a.reg_bits = base >> 3;
    sum = c->value[base];
    c->relied |= (uint16_t)(1u << base);
    if (form->vsib) {
        unsigned index = oracle_chance(c->rng, 85) && c->index_vecs
                             ? (unsigned)__builtin_ctz(c->index_vecs)
                             : oracle_below(c->rng, c->mode == ORACLE_64 ? 16 : 8);

        a.has_sib = true;
        a.sib = oracle_below(c->rng, 3) << 6 | (index & 7) << 3 | (base & 7);
        a.rm = 4;
        a.reg_bits |= index >> 3 << 1;
    } else if (oracle_chance(c->rng, 30)) {
        unsigned index = oracle_below(c->rng, c->mode == ORACLE_64 ? 16 : 8);
        unsigned scale = oracle_below(c->rng, 4);

        a.has_sib = true;
        a.sib = scale << 6 | (index & 7) << 3 | (base & 7);
        a.rm = 4;
        a.reg_bits |= index >> 3 << 1;
        if (index != 4) {
            c->relied |= (uint16_t)(1u << index);
            sum += (c->known >> index & 1 ? c->value[index] : 0) << scale;
        }
    } else if ((base & 7) == 4) {
        a.has_sib = true;
        a.sib = 4 << 3 | 4;
    }
    a.disp = (uint64_t)offset - sum;
    if ((int32_t)a.disp == (int8_t)a.disp) {
        a.mod = 1;
        a.disp_size = 1;
    }
    return a;
}

static unsigned
pick_register(OracleContext *c, bool written)
{
    unsigned limit = c->mode == ORACLE_64 ? 16 : 8, reg;

    do {
        reg = oracle_below(c->rng, limit);
    } while (written &&
             ((c->fixed >> reg & 1) || ((c->pointers >> reg & 1) && !oracle_chance(c->rng, 8))));
    return reg;
}

static void
put_legacy_prefixes(OracleContext *c, const X86OpRow *row, Form *form, Bytes *b)
{
    OracleRng *rng = c->rng;
    bool vex = row->encoding == X86_ENC_VEX;

    if (oracle_chance(rng, c->mode == ORACLE_16 ? 15 : c->mode == ORACLE_64 ? 6 : 1)) {
        put(b, 0x67);
        form->address_size = c->mode == ORACLE_64 ? 4 : c->mode == ORACLE_32 ? 2 : 4;
    }
    if ((form->memory || form->implicit) && oracle_chance(rng, 8)) {
        static const uint8_t overrides[] = { 0x65, 0x65, 0x65, 0x26, 0x36, 0x3e, 0x2e, 0x64 };
        unsigned byte = overrides[oracle_below(rng, c->mode == ORACLE_64 ? 7 : 8)];

        if (byte == 0x2e && c->mode == ORACLE_16) {
            byte = 0x3e; /* in CS there lies what other cases left */
        }

        form->gs = byte == 0x65 && c->mode != ORACLE_16;
        put(b, byte);
    }
    if ((row->flags & X86_ROW_LOCK) && form->memory && oracle_chance(rng, 15)) {
        put(b, 0xf0);
    }
    if (vex) {
        return;
    }
    switch (row->pp) {
    case X86_PP_66: put(b, 0x66); break;
    case X86_PP_F3: put(b, 0xf3); break;
    case X86_PP_F2: put(b, 0xf2); break;
    case X86_PP_NONE: break;
    default:
        if (oracle_chance(rng, 25)) {
            put(b, 0x66);
        }
        if ((row->flags & X86_ROW_REP) && row->pp == X86_PP_ANY && oracle_chance(rng, 50)) {
            put(b, oracle_chance(rng, 50) ? 0xf3 : 0xf2);
        } else if (row->pp == X86_PP_ANY && oracle_chance(rng, 2)) {
            put(b, oracle_chance(rng, 50) ? 0xf3 : 0xf2);
        }
        break;
    }
    if (row->pp >= X86_PP_F3 && row->pp <= X86_PP_F2 && oracle_chance(rng, 5)) {
        put(b, 0x66); /* does nothing but to rows with operand sizes */
    }
}

static bool
choose_w(OracleContext *c, const X86OpRow *row, unsigned percent)
{
    if (row->flags & (X86_ROW_W0 | X86_ROW_W1)) {
        return (row->flags & X86_ROW_W1) != 0;
    }
    return oracle_chance(c->rng, percent);
}

static void
put_opcode(OracleContext *c, const X86OpRow *row, Bytes *b, unsigned rex, unsigned vvvv,
           unsigned opcode)
{
    OracleRng *rng = c->rng;

    if (row->encoding == X86_ENC_VEX) {
        bool w = choose_w(c, row, 40);
        bool l = row->flags & X86_ROW_VEX_L1   ? true
                 : row->flags & X86_ROW_VEX_L0 ? false
                                               : oracle_chance(rng, 50);
        unsigned tail = (~vvvv & 15) << 3 | (l ? 4u : 0) | row->pp;

        if (row->map == X86_MAP_0F && !w && !(rex & 3) && oracle_chance(rng, 60)) {
            put(b, 0xc5);
            put(b, (rex & 4 ? 0 : 0x80) | tail | (c->mode == ORACLE_64 ? 0 : 0x40));
        } else {
            put(b, 0xc4);
            put(b, (~rex & 7) << 5 | row->map);
            put(b, (w ? 0x80 : 0) | tail);
        }
        put(b, opcode);
        return;
    }
    if (c->mode == ORACLE_64) {
        bool w = choose_w(c, row, 35);
        unsigned byte = 0x40 | rex | (w ? 8 : 0);

        if (byte != 0x40 || oracle_chance(rng, 10)) {
            put(b, byte);
        }
    }
    if (row->map != X86_MAP_1B) {
        put(b, 0x0f);
    }
    if (row->map == X86_MAP_0F38) {
        put(b, 0x38);
    } else if (row->map == X86_MAP_0F3A) {
        put(b, 0x3a);
    }
    put(b, opcode);
}

/* Registers, ModRM and what follows it; opcode and prefixes go before, so all is chosen first. */
static void
put_body(OracleContext *c, const X86OpRow *row, const Form *form, Bytes *b)
{
    unsigned reg =
        row->modrm_reg >= 0 ? (unsigned)row->modrm_reg : pick_register(c, form->writes_reg);
    unsigned rm = row->modrm_rm >= 0 ? (unsigned)row->modrm_rm : pick_register(c, form->writes_rm);
    unsigned vvvv = row->flags & X86_ROW_NO_VVVV ? 0
                    : form->writes_vvvv          ? pick_register(c, true)
                                                 : oracle_below(c->rng, 16);
    unsigned rex = reg >> 3 << 2;
    unsigned opcode = row->opcode;
    Address a = { .mod = 3, .rm = rm & 7, .reg_bits = rm >> 3 };

    if (row->modrm_reg >= 0 && c->mode == ORACLE_64) {
        rex = oracle_below(c->rng, 2) << 2; /* REX.R means nothing there */
    }
    if (form->memory && form->has_modrm) {
        uint32_t offset = segment_offset(c, form, choose_target(c, form));

        a = form->address_size == 2 ? address16(c, offset) : address32(c, form, offset);
    }
    if (form->opcode_reg) {
        opcode |= rm & 7;
    }
    rex |= a.reg_bits;
    put_opcode(c, row, b, c->mode == ORACLE_64 ? rex : 0,
               c->mode == ORACLE_64 ? vvvv : vvvv & (oracle_chance(c->rng, 80) ? 7 : 15), opcode);
    if (!form->has_modrm) {
        return;
    }
    put(b, a.mod << 6 | (reg & 7) << 3 | a.rm);
    if (a.has_sib) {
        put(b, a.sib);
    }
    put_le(b, a.disp, a.disp_size);
}

/* The rip-relative displacement counts from the end of the instruction. */
static void
fix_rip(const OracleContext *c, X86Insn *insn, uint8_t *bytes)
{
    if (insn->is_memory && insn->base == X86_REG_RIP) {
        uint32_t target, disp;

        memcpy(&target, bytes + insn->disp_offset, 4);
        disp = target - (c->next_address + insn->length);
        memcpy(bytes + insn->disp_offset, &disp, 4);
        insn->disp = (int32_t)disp;
    }
}

bool
oracle_encode(OracleContext *context, const X86OpRow *row, bool allow_ud, uint8_t *out,
              X86Insn *out_insn)
{
    static const uint8_t code_size[] = { 8, 4, 2 };
    Form form = study(context, row);
    Bytes b = { .len = 0 };
    X86DecodeResult result;

    form.address_size = code_size[context->mode];
    put_legacy_prefixes(context, row, &form, &b);
    put_body(context, row, &form, &b);
    if (b.len > 15) {
        return false;
    }
    for (unsigned i = 0; i < 10; i++) {
        put(&b, (unsigned)oracle_integer(context->rng));
    }
    result = x86_decode(b.at, b.len, code_size[context->mode], out_insn);
    if (result != X86_DECODE_OK) {
        if (!allow_ud || result != X86_DECODE_UD) {
            return false;
        }
        out_insn->row = row;
        out_insn->length = (uint8_t)MIN(b.len, 15);
    } else {
        fix_rip(context, out_insn, b.at);
    }
    memcpy(out, b.at, out_insn->length);
    return true;
}
