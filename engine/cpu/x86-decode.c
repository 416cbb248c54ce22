/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The instruction decoder: bytes to X86Insn. Pure; any thread.
 *
 * Intel SDM volume 2 chapter 2 (formats, VEX, EVEX) and appendix A. Decisions where CPUs differ:
 *  - Near branches in 64-bit code obey the 66 prefix, as AMD CPUs do (16-bit displacement, RIP cut
 *    to 16 bits); Intel ones ignore it. Compilers emit 66 there only together with REX.W.
 *  - ES, CS, SS and DS overrides in 64-bit code are ignored and do not undo an earlier FS or GS.
 *  - EVEX: mask, zeroing, broadcast and length fields that a row has no meaning for are #UD; a
 * short displacement counts in units of the memory operand.
 */

#include "x86-insn.h"

#include "x86-op.h"

#include <string.h>

typedef struct Cursor {
    const uint8_t *start, *next, *end;
    bool cut; /* wanted bytes past the end */
} Cursor;

typedef struct Prefixes {
    uint8_t rex, pp;
    bool opsize, addrsize;
    uint8_t segment; /* override, or X86_NO_REG */
} Prefixes;

/* What a byte is in front of an opcode. */
enum { P_NONE, P_SEG, P_66, P_67, P_F0, P_F2, P_F3, P_REX };
static const uint8_t prefix_kind[256] = {
    [0x26] = P_SEG, [0x2e] = P_SEG, [0x36] = P_SEG, [0x3e] = P_SEG, [0x64] = P_SEG, [0x65] = P_SEG,
    [0x66] = P_66,  [0x67] = P_67,  [0xf0] = P_F0,  [0xf2] = P_F2,  [0xf3] = P_F3,  [0x40] = P_REX,
    [0x41] = P_REX, [0x42] = P_REX, [0x43] = P_REX, [0x44] = P_REX, [0x45] = P_REX, [0x46] = P_REX,
    [0x47] = P_REX, [0x48] = P_REX, [0x49] = P_REX, [0x4a] = P_REX, [0x4b] = P_REX, [0x4c] = P_REX,
    [0x4d] = P_REX, [0x4e] = P_REX, [0x4f] = P_REX,
};

static inline uint8_t
take8(Cursor *c)
{
    if (G_UNLIKELY(c->next >= c->end)) {
        c->cut = true;
        return 0;
    }
    return *c->next++;
}

/* SIZE bytes, sign-extended. */
static inline int64_t
take(Cursor *c, unsigned size)
{
    const uint8_t *p = c->next;

    if (G_UNLIKELY((size_t)(c->end - p) < size)) {
        c->cut = true;
        return 0;
    }
    c->next += size;
    switch (size) {
    case 1: return (int8_t)p[0];
    case 2: {
        int16_t v;
        memcpy(&v, p, 2);
        return v;
    }
    case 4: {
        int32_t v;
        memcpy(&v, p, 4);
        return v;
    }
    default: {
        int64_t v;
        memcpy(&v, p, 8);
        return v;
    }
    }
}

static uint8_t
segment_of_prefix(uint8_t byte)
{
    switch (byte) {
    case 0x26: return X86_ES;
    case 0x2e: return X86_CS;
    case 0x36: return X86_SS;
    case 0x3e: return X86_DS;
    case 0x64: return X86_FS;
    default: return X86_GS;
    }
}

/* Consumes legacy prefixes and REX; a REX that is not last is forgotten. Returns the byte after
 * them. */
static inline uint8_t
take_prefixes(Cursor *c, X86Insn *insn, Prefixes *prefixes)
{
    bool code64 = insn->code_size == 8;

    for (;;) {
        uint8_t byte = take8(c);
        unsigned kind = prefix_kind[byte];

        if (G_LIKELY(kind == P_NONE) || (kind == P_REX && !code64) || c->cut) {
            return byte;
        }
        if (kind == P_REX) {
            prefixes->rex = byte;
            continue;
        }
        prefixes->rex = 0;
        switch (kind) {
        case P_SEG:
            if (!code64 || byte >= 0x64) {
                prefixes->segment = segment_of_prefix(byte);
            }
            break;
        case P_66: prefixes->opsize = true; break;
        case P_67: prefixes->addrsize = true; break;
        case P_F0: insn->lock = true; break;
        case P_F2:
            insn->repne = true;
            insn->rep = false;
            prefixes->pp = X86_PP_F2;
            break;
        default:
            insn->rep = true;
            insn->repne = false;
            prefixes->pp = X86_PP_F3;
            break;
        }
    }
}

/* The pp field of VEX and EVEX is 0, 66, F3, F2: the order of X86Pp. */

static bool
take_vex(Cursor *c, X86Insn *insn, Prefixes *prefixes, uint8_t first)
{
    uint8_t p1 = take8(c), last = p1;
    bool code64 = insn->code_size == 8;
    uint8_t rex = p1 & 0x80 ? 0 : 4;

    insn->map = X86_MAP_0F;
    if (first == 0xc4) {
        rex |= (p1 & 0x40 ? 0 : 2) | (p1 & 0x20 ? 0 : 1);
        insn->map = p1 & 31;
        last = take8(c);
        insn->rex_w = last & 0x80;
    }
    insn->encoding = X86_ENC_VEX;
    insn->vvvv = ~(last >> 3) & (code64 ? 15 : 7);
    insn->vex_l = last & 4;
    insn->pp = last & 3;
    prefixes->rex = code64 ? rex : 0;
    insn->opcode_offset = c->next - c->start;
    insn->opcode = take8(c);
    return insn->map >= 1 && insn->map <= 3;
}

static bool
take_evex(Cursor *c, X86Insn *insn, Prefixes *prefixes)
{
    uint8_t p0 = take8(c), p1 = take8(c), p2 = take8(c);
    bool code64 = insn->code_size == 8;

    insn->encoding = X86_ENC_EVEX;
    insn->map = p0 & 7;
    insn->rex_w = p1 & 0x80;
    insn->pp = p1 & 3;
    insn->vvvv = (~(p1 >> 3) & 15) | (p2 & 8 ? 0 : 16);
    insn->evex_z = p2 & 0x80;
    insn->evex_ll = p2 >> 5 & 3;
    insn->evex_b = p2 & 0x10;
    insn->evex_aaa = p2 & 7;
    insn->vex_l = insn->evex_ll & 1;
    prefixes->rex = (p0 & 0x80 ? 0 : 4) | (p0 & 0x40 ? 0 : 2) | (p0 & 0x20 ? 0 : 1);
    insn->reg = p0 & 0x10 ? 0 : 16; /* R', merged when ModRM is read */
    if (!code64) {
        prefixes->rex = 0;
        insn->reg = 0;
        insn->vvvv &= 7;
    }
    insn->opcode_offset = c->next - c->start;
    insn->opcode = take8(c);
    return (p0 & 8) == 0 && (p1 & 4) && insn->map >= 1 && insn->map <= 3;
}

static void
take_legacy_opcode(Cursor *c, X86Insn *insn, const Prefixes *prefixes, uint8_t byte)
{
    insn->pp = prefixes->pp ? prefixes->pp : prefixes->opsize ? X86_PP_66 : X86_PP_NONE;
    insn->rex_w = prefixes->rex & 8;
    insn->rex_present = prefixes->rex != 0;
    if (byte == 0x0f) {
        byte = take8(c);
        insn->map = X86_MAP_0F;
        if (byte == 0x38 || byte == 0x3a) {
            insn->map = byte == 0x38 ? X86_MAP_0F38 : X86_MAP_0F3A;
            byte = take8(c);
        }
    }
    insn->opcode = byte;
    insn->opcode_offset = c->next - c->start - 1;
}

/* Opcode, from the byte after the prefixes. False: no such encoding. */
static inline bool
take_opcode(Cursor *c, X86Insn *insn, Prefixes *prefixes, uint8_t byte)
{
    if (G_UNLIKELY(byte == 0xc4 || byte == 0xc5 || byte == 0x62)) {
        /* Outside 64-bit code a memory operand makes these LES, LDS and BOUND. */
        bool forbidden = insn->lock || prefixes->pp || prefixes->opsize || prefixes->rex;
        if (c->next >= c->end) {
            c->cut = true;
            return false;
        }
        if (insn->code_size == 8 || *c->next >= 0xc0) {
            bool valid =
                byte == 0x62 ? take_evex(c, insn, prefixes) : take_vex(c, insn, prefixes, byte);
            return c->cut || (valid && !forbidden);
        }
    }
    take_legacy_opcode(c, insn, prefixes, byte);
    return true;
}

static void
take_address16(Cursor *c, X86Insn *insn)
{
    static const uint8_t bases[8] = { X86_RBX, X86_RBX, X86_RBP, X86_RBP,
                                      X86_RSI, X86_RDI, X86_RBP, X86_RBX };
    static const uint8_t indexes[4] = { X86_RSI, X86_RDI, X86_RSI, X86_RDI };
    unsigned rm = insn->modrm & 7;
    unsigned size = insn->mod == 1 ? 1 : insn->mod == 2 ? 2 : 0;

    insn->base = bases[rm];
    if (rm < 4) {
        insn->index = indexes[rm];
    } else if (rm == 6 && insn->mod == 0) {
        insn->base = X86_NO_REG;
        size = 2;
    }
    insn->disp_offset = c->next - c->start;
    insn->disp_size = size;
    insn->disp = size ? take(c, size) : 0;
}

static inline bool
take_address(Cursor *c, X86Insn *insn, uint8_t rex, bool vsib)
{
    unsigned rm = insn->modrm & 7;
    unsigned size = insn->mod == 1 ? 1 : insn->mod == 2 ? 4 : 0;

    insn->base = rm | (rex & 1 ? 8 : 0);
    if (rm == 4) {
        insn->sib = take8(c);
        insn->scale = insn->sib >> 6;
        insn->base = (insn->sib & 7) | (rex & 1 ? 8 : 0);
        insn->index = (insn->sib >> 3 & 7) | (rex & 2 ? 8 : 0);
        if (insn->index == 4 && !vsib) {
            insn->index = X86_NO_REG;
        }
        if (vsib && insn->encoding == X86_ENC_EVEX) {
            insn->index |= insn->vvvv & 16;
        }
        rm = insn->sib & 7;
        if (rm == 5 && insn->mod == 0) {
            insn->base = X86_NO_REG;
            size = 4;
        }
    } else if (vsib) {
        return false;
    } else if (rm == 5 && insn->mod == 0) {
        insn->base = insn->code_size == 8 ? X86_REG_RIP : X86_NO_REG;
        size = 4;
    }
    insn->disp_offset = c->next - c->start;
    insn->disp_size = size;
    insn->disp = size ? take(c, size) : 0;
    return true;
}

static inline bool
take_modrm(Cursor *c, X86Insn *insn, const Prefixes *prefixes, unsigned shape)
{
    uint8_t modrm = take8(c);

    insn->has_modrm = true;
    insn->modrm_offset = c->next - c->start - 1;
    insn->modrm = modrm;
    insn->mod = modrm >> 6;
    insn->reg |= (modrm >> 3 & 7) | (prefixes->rex & 4 ? 8 : 0);
    insn->rm = (modrm & 7) | (prefixes->rex & 1 ? 8 : 0);
    if (insn->mod == 3 || (shape & X86_SHAPE_MOD3)) {
        if (insn->encoding == X86_ENC_EVEX) {
            insn->rm |= prefixes->rex & 2 ? 16 : 0;
        }
        return true;
    }
    insn->is_memory = true;
    if (insn->address_size == 2) {
        if (shape & X86_SHAPE_VSIB) {
            return false;
        }
        take_address16(c, insn);
    } else if (!take_address(c, insn, prefixes->rex, shape & X86_SHAPE_VSIB)) {
        return false;
    }
    if (insn->base == X86_RSP || insn->base == X86_RBP) {
        insn->segment = X86_SS;
    }
    return true;
}

static inline unsigned
operand_size(const X86Insn *insn, const X86OpRow *row, bool opsize)
{
    if (row->flags & X86_ROW_BYTE) {
        return 1;
    }
    if (insn->encoding != X86_ENC_LEGACY) {
        return insn->code_size == 8 && insn->rex_w ? 8 : 4;
    }
    if (row->pp == X86_PP_66) {
        return insn->rex_w ? 8 : 4;
    }
    if (insn->code_size == 8) {
        if (insn->rex_w || (row->flags & X86_ROW_FORCE64)) {
            return 8;
        }
        return opsize ? 2 : row->flags & X86_ROW_DEF64 ? 8 : 4;
    }
    return opsize ? insn->code_size ^ 6 : insn->code_size;
}

static void
take_immediates(Cursor *c, X86Insn *insn, unsigned imm)
{
    unsigned z = insn->operand_size == 8 ? 4 : insn->operand_size;
    unsigned size = 0;

    insn->imm_offset = c->next - c->start;
    switch (imm) {
    case X86_IMM_8:
    case X86_IMM_REL8: insn->imm = take(c, size = 1); break;
    case X86_IMM_16: insn->imm = (uint16_t)take(c, size = 2); break;
    case X86_IMM_Z:
    case X86_IMM_RELZ: insn->imm = take(c, size = z); break;
    case X86_IMM_V: insn->imm = take(c, size = insn->operand_size); break;
    case X86_IMM_FAR:
        insn->imm = take(c, z) & (z == 2 ? 0xffff : 0xffffffff);
        insn->imm2 = take(c, 2);
        size = z + 2;
        break;
    case X86_IMM_MOFFS:
        size = insn->address_size;
        insn->imm = take(c, size);
        if (size < 8) {
            insn->imm &= size == 2 ? 0xffff : 0xffffffff;
        }
        break;
    case X86_IMM_16_8:
        insn->imm = (uint16_t)take(c, 2);
        insn->imm2 = take8(c);
        size = 3;
        break;
    case X86_IMM_8_8:
        insn->imm = take(c, 1);
        insn->imm2 = take8(c);
        size = 2;
        break;
    default: break;
    }
    insn->imm_size = size;
}

/* What 512 bits mean for the length field: rounding control and suppressed exceptions take it. */
static inline unsigned
evex_length(const X86OpRow *row, const X86Insn *insn, bool is_register)
{
    bool taken = is_register && insn->evex_b && (row->flags & (X86_ROW_ROUND | X86_ROW_SAE));

    return taken ? 2 : insn->evex_ll;
}

static bool
evex_fits(const X86OpCandidate *candidate, const X86Insn *insn, uint8_t modrm)
{
    unsigned check = candidate->check, shape = candidate->shape;
    unsigned length = evex_length(candidate->row, insn, modrm >= 0xc0);
    unsigned vvvv = shape & X86_SHAPE_VSIB ? insn->vvvv & 15 : insn->vvvv;

    return !(((check & X86_CHECK_W0) && insn->rex_w) || ((check & X86_CHECK_W1) && !insn->rex_w) ||
             ((check & X86_CHECK_L0) && length != 0) || ((check & X86_CHECK_LL12) && length == 0) ||
             ((check & X86_CHECK_LL2) && length != 2) || ((check & X86_CHECK_VVVV) && vvvv != 0) ||
             ((shape & X86_SHAPE_VSIB) && vvvv != 0));
}

static inline bool
candidate_fits(const X86OpCandidate *candidate, const X86Insn *insn, uint8_t rex, uint8_t modrm)
{
    unsigned check = candidate->check;

    if (insn->encoding == X86_ENC_EVEX) {
        return evex_fits(candidate, insn, modrm);
    }
    return G_LIKELY(check == 0) ||
           !(((check & X86_CHECK_W0) && insn->rex_w) || ((check & X86_CHECK_W1) && !insn->rex_w) ||
             ((check & X86_CHECK_L0) && insn->vex_l) || ((check & X86_CHECK_L1) && !insn->vex_l) ||
             ((check & X86_CHECK_RM) && (modrm & 7) != candidate->rm) ||
             ((check & X86_CHECK_VVVV) && insn->vvvv != 0) ||
             ((check & X86_CHECK_REXB0) && (rex & 1)));
}

static inline const X86OpCandidate *
find_row(Cursor *c, const X86Insn *insn, uint8_t rex)
{
    unsigned space = insn->encoding * 4 + insn->map;
    unsigned slot = x86_op_slots[insn->code_size == 8][space][insn->opcode][insn->pp];
    const X86OpCandidate *candidate;
    uint8_t modrm = 0;

    if ((slot & X86_SLOT_SPLIT) || insn->encoding == X86_ENC_EVEX) {
        if (c->next >= c->end) {
            c->cut = true;
            return NULL;
        }
        modrm = *c->next;
    }
    if (slot & X86_SLOT_SPLIT) {
        slot = x86_op_splits[slot & ~X86_SLOT_SPLIT][(modrm >> 3 & 7) | (modrm >= 0xc0 ? 8 : 0)];
    }
    for (candidate = &x86_op_candidates[slot]; candidate->row; candidate++) {
        if (candidate_fits(candidate, insn, rex, modrm)) {
            return candidate;
        }
    }
    return NULL;
}

/* Bytes of the memory operand: what a short displacement counts in. */
static unsigned
evex_unit(const X86Insn *insn)
{
    const X86OpRow *row = insn->row;

    if (insn->evex_b || (row->flags & X86_ROW_PACKED)) {
        return row->element;
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
        const X86Operand *operand = &row->operand[i];

        if (operand->kind == X86_OP_VEC_RM || operand->kind == X86_OP_MODRM_RM ||
            operand->kind == X86_OP_MODRM_M || operand->kind == X86_OP_VSIB) {
            switch (operand->size) {
            case X86_SZ_VEC: return insn->vector_bytes;
            case X86_SZ_VEC_HALF: return insn->vector_bytes / 2;
            case X86_SZ_VEC_QUARTER: return insn->vector_bytes / 4;
            case X86_SZ_VEC_EIGHTH: return insn->vector_bytes / 8;
            case X86_SZ_Y: return insn->rex_w && insn->code_size == 8 ? 8 : 4;
            default: return operand->size;
            }
        }
    }
    return 1;
}

static bool
has_kind(const X86OpRow *row, unsigned kind)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
        if (row->operand[i].kind == kind) {
            return true;
        }
    }
    return false;
}

/* What mask, zeroing, broadcast and register fields may be. Completes the record. */
static bool
finish_evex(X86Insn *insn)
{
    const X86OpRow *row = insn->row;
    uint32_t flags = row->flags;
    bool memory = insn->is_memory;
    unsigned length = evex_length(row, insn, !memory);

    insn->vector_bytes = length < 3 ? (uint8_t)(16 << length) : 16;
    if (memory && insn->disp_size == 1) {
        insn->disp *= (int)evex_unit(insn);
    }
    if (length == 3 && !(flags & X86_ROW_LIG)) {
        return false;
    }
    if (insn->evex_b && !(flags & (memory ? X86_ROW_BCAST : X86_ROW_ROUND | X86_ROW_SAE))) {
        return false;
    }
    if ((insn->evex_aaa && !(flags & X86_ROW_MASKED)) ||
        (!insn->evex_aaa && (flags & X86_ROW_MASK_REQ))) {
        return false;
    }
    if (insn->evex_z && (!insn->evex_aaa || !(flags & X86_ROW_ZEROING) ||
                         (memory && row->operand[0].kind == X86_OP_VEC_RM))) {
        return false;
    }
    /* Mask registers and general registers are fewer than the fields could name. */
    return !((has_kind(row, X86_OP_KREG) && insn->reg > 7) ||
             (!memory && has_kind(row, X86_OP_KRM) && insn->rm > 7) ||
             (has_kind(row, X86_OP_MODRM_REG) && insn->reg > 15) ||
             (!memory && (has_kind(row, X86_OP_MODRM_RM) || has_kind(row, X86_OP_MODRM_R)) &&
              insn->rm > 15));
}

/* VEX has mask registers as well. */
static bool
finish_vex(X86Insn *insn)
{
    const X86OpRow *row = insn->row;

    insn->vector_bytes = insn->vex_l ? 32 : 16;
    return !((has_kind(row, X86_OP_KREG) && insn->reg > 7) ||
             (has_kind(row, X86_OP_KRM) && insn->rm > 7) ||
             (has_kind(row, X86_OP_KVVVV) && insn->vvvv > 7));
}

static X86DecodeResult
finish(const Cursor *c, X86Insn *insn, bool valid)
{
    insn->length = c->next - c->start;
    if (c->cut) {
        return c->end - c->start >= 15 ? X86_DECODE_TOO_LONG : X86_DECODE_SHORT;
    }
    return valid ? X86_DECODE_OK : X86_DECODE_UD;
}

X86DecodeResult
x86_decode(const uint8_t *bytes, size_t available, unsigned code_size, X86Insn *out_insn)
{
    X86Insn *insn = out_insn;
    Cursor c = { bytes, bytes, bytes + MIN(available, 15), false };
    Prefixes prefixes = { .segment = X86_NO_REG };
    const X86OpCandidate *found;
    bool valid = true;

    *insn = (X86Insn){
        .code_size = code_size, .base = X86_NO_REG, .index = X86_NO_REG, .segment = X86_DS
    };
    if (!take_opcode(&c, insn, &prefixes, take_prefixes(&c, insn, &prefixes)) || c.cut) {
        return finish(&c, insn, false);
    }
    insn->address_size = !prefixes.addrsize ? code_size : code_size == 8 ? 4 : code_size ^ 6;
    found = find_row(&c, insn, prefixes.rex);
    if (!found) {
        return finish(&c, insn, false);
    }
    insn->row = found->row;
    insn->operand_size = operand_size(insn, found->row, prefixes.opsize);
    if (found->shape & X86_SHAPE_MODRM) {
        valid = take_modrm(&c, insn, &prefixes, found->shape);
    } else if (found->shape & X86_SHAPE_OPCODE_REG) {
        insn->rm = (insn->opcode & 7) | (prefixes.rex & 1 ? 8 : 0);
    }
    if (prefixes.segment != X86_NO_REG &&
        (insn->is_memory || (found->shape & X86_SHAPE_STRING_SRC))) {
        insn->segment = prefixes.segment;
        insn->segment_override = true;
    }
    if (found->imm != X86_IMM_NONE) {
        take_immediates(&c, insn, found->imm);
    }
    if (insn->encoding == X86_ENC_EVEX) {
        valid = valid && !c.cut && finish_evex(insn);
    } else if (insn->encoding == X86_ENC_VEX) {
        valid = valid && !c.cut && finish_vex(insn);
    }
    if (insn->lock && !((found->shape & X86_SHAPE_LOCK) && insn->is_memory)) {
        valid = false;
    }
    memcpy(insn->bytes, bytes, c.next - bytes);
    return finish(&c, insn, valid);
}

const X86OpRow *
x86_op_row(size_t index)
{
    const struct {
        const X86OpRow *rows;
        size_t count;
    } tables[] = {
        { x86_op_rows_int, x86_op_count_int },   { x86_op_rows_sys, x86_op_count_sys },
        { x86_op_rows_vec, x86_op_count_vec },   { x86_op_rows_avx, x86_op_count_avx },
        { x86_op_rows_evex, x86_op_count_evex }, { x86_op_rows_x87, x86_op_count_x87 },
    };

    for (size_t i = 0; i < VIT_ARRAY_LEN(tables); i++) {
        if (index < tables[i].count) {
            return &tables[i].rows[index];
        }
        index -= tables[i].count;
    }
    return NULL;
}
