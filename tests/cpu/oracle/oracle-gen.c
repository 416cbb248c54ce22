/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Makes cases: a theme (which classes of rows), registers of which some point at the data pages,
 * and a stream of instructions chosen so that a case goes on for a while. Branches go forward but
 * for one: part of a stream may be a loop that counts a register down and moves pointers along.
 * Instructions whose result the architecture leaves open are kept out by tracking which flags are
 * undefined along every path. */

#include "oracle-encode.h"
#include "oracle-rows.h"
#include "oracle-values.h"
#include "oracle-vendor.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* How often a theme holds the class. */
static const uint8_t class_weights[CLASS_LAST] = { 30, 5, 5, 5, 2, 16, 8, 14, 18, 6, 1 };

struct OracleGen {
    OracleOptions options;
    OracleRow *info; /* by row number */
    size_t info_count;
    GHashTable *by_row; /* row -> OracleRow */
    OracleRow **rows[CLASS_LAST];
    unsigned count[CLASS_LAST];
};

OracleGen *
oracle_gen_new(const OracleOptions *options)
{
    OracleGen *gen = g_new0(OracleGen, 1);
    X86CpuModel offered = { 0 };

    gen->options = *options;
    x86_interpreter_features(offered.features);
    gen->by_row = g_hash_table_new(NULL, NULL);
    while (x86_op_row(gen->info_count)) {
        gen->info_count++;
    }
    gen->info = g_new0(OracleRow, gen->info_count);
    for (size_t i = 0; i < gen->info_count; i++) {
        OracleRow *info = &gen->info[i];

        *info = oracle_row_inspect(x86_op_row(i), &offered);
        g_hash_table_insert(gen->by_row, (gpointer)info->row, info);
        if (!info->forbidden &&
            (!options->only || strcmp(options->only, info->row->mnemonic) == 0)) {
            unsigned *count = &gen->count[info->class_];

            gen->rows[info->class_] = g_renew(OracleRow *, gen->rows[info->class_], *count + 1);
            gen->rows[info->class_][(*count)++] = info;
        }
    }
    return gen;
}

void
oracle_gen_free(OracleGen *gen)
{
    if (gen) {
        for (unsigned i = 0; i < CLASS_LAST; i++) {
            g_free(gen->rows[i]);
        }
        g_hash_table_unref(gen->by_row);
        g_free(gen->info);
        g_free(gen);
    }
}

void
oracle_gen_print_coverage(const OracleGen *gen)
{
    unsigned never = 0;

    for (unsigned i = 0; i < CLASS_LAST; i++) {
        for (unsigned j = 0; j < gen->count[i]; j++) {
            const OracleRow *info = gen->rows[i][j];

            if (!info->generated && gen->options.classes >> i & 1) {
                never++;
                printf("# never generated: %s (map %u opcode %02x)\n", info->row->mnemonic,
                       info->row->map, info->row->opcode);
            }
        }
    }
    printf("# rows never generated: %u\n", never);
}

/* ---- Data ---- */

/* An area that FXRSTOR and XRSTOR accept, at 0x400 of the first page. */
static void
plant_state_area(OracleRng *rng, uint8_t *page)
{
    uint8_t *at = page + 0x400;

    oracle_xsave_image(rng, at);
    memset(at + 512, 0, 64);
    at[512] = (uint8_t)oracle_below(rng, 8);
}

void
oracle_gen_pattern(uint64_t seed, unsigned index, uint8_t *out_bytes)
{
    OracleRng rng;

    for (unsigned page = 0; page < ORACLE_PATTERN_BYTES / 4096; page++) {
        uint8_t *at = out_bytes + page * 4096;

        /* The read-only page is the same in all patterns. */
        oracle_rng_seed(&rng, seed ^ 0x7061747465726eull, page == 2 ? 2 : index * 16 + page + 16);
        for (unsigned i = 0; i < 4096; i += 16) {
            if (oracle_chance(&rng, 25)) {
                oracle_float80(&rng, at + i);
                memcpy(at + i + 10, &(uint64_t){ oracle_integer(&rng) }, 6);
            } else {
                oracle_vector(&rng, at + i, 16);
            }
        }
        plant_state_area(&rng, at);
    }
}

/* ---- Registers ---- */

static uint64_t
data_pointer(OracleRng *rng)
{
    return ORACLE_DATA + 0x200 +
           (oracle_below(rng, 0x1c00) & (oracle_chance(rng, 85) ? ~15u : ~0u));
}

/* All but those of KEEP. */
static void
make_registers(OracleContext *ctx, OracleCase *c, uint16_t keep)
{
    static const uint16_t pointers[] = { 0xf0f8, 0x00f8, 0x00f8 }; /* rbx rsp rbp rsi rdi, r12.. */
    OracleRng *rng = ctx->rng;
    unsigned count = c->mode == ORACLE_64 ? 16 : 8;

    ctx->pointers = pointers[c->mode];
    ctx->known = 0xffff;
    for (unsigned i = 0; i < count; i++) {
        uint64_t v = ctx->pointers >> i & 1 ? data_pointer(rng) : oracle_integer(rng);

        if (i == X86_RSP) {
            v &= oracle_chance(rng, 95) ? ~7ull : ~0ull;
            v = oracle_chance(rng, 3) ? ORACLE_DATA + oracle_below(rng, 6) * 0x1000 : v;
        } else if (i == X86_RCX && oracle_chance(rng, 60)) {
            v = oracle_below(rng, 70);
        }
        if (c->mode == ORACLE_16 && (ctx->pointers >> i & 1)) {
            v = (v - ORACLE_DATA) | (i == X86_RSP ? 0 : oracle_random(rng) << 16);
            v = oracle_chance(rng, 80) ? v & 0xffff : v;
        }
        if (c->mode != ORACLE_64) {
            v &= 0xffffffff;
        }
        if (keep >> i & 1) {
            continue;
        }
        c->in.gpr[i] = v;
        ctx->value[i] = c->mode == ORACLE_16 ? v & 0xffff : v;
    }
    c->in.rflags = 0x202 | (oracle_random(rng) & X86_FLAGS_ARITH) |
                   (oracle_chance(rng, 15) ? X86_FLAG_DF : 0) |
                   (oracle_chance(rng, 4) ? X86_FLAG_AC : 0);
    oracle_xsave_image(rng, c->in.xsave);
}

/* XMM5 holds small doubleword indices, XMM6 quadwords, for gathers. */
static void
make_index_registers(OracleContext *ctx, OracleCase *c)
{
    for (unsigned i = 0; i < 8; i++) {
        uint32_t narrow = oracle_below(ctx->rng, 0x180);
        uint64_t wide = oracle_below(ctx->rng, 0x180);
        unsigned at = i < 4 ? 160 + 5 * 16 + i * 4 : 576 + 5 * 16 + (i - 4) * 4;

        memcpy(c->in.xsave + at, &narrow, 4);
        at = i < 2 ? 160 + 6 * 16 + i * 8 : 576 + 6 * 16 + (i - 2) * 8;
        if (i < 4) {
            memcpy(c->in.xsave + at, &wide, 8);
        }
    }
}

/* ---- The stream ---- */

static bool
is_shift_by_count(const X86OpRow *row)
{
    if (row->map == X86_MAP_1B) {
        return row->opcode == 0xc0 || row->opcode == 0xc1 || row->opcode == 0xd2 ||
               row->opcode == 0xd3;
    }
    return row->map == X86_MAP_0F && (row->opcode == 0xa4 || row->opcode == 0xa5 ||
                                      row->opcode == 0xac || row->opcode == 0xad);
}

/* Flags that INSN reads; a shift by a constant reads none, whatever its row says of counts of zero.
 */
static uint16_t
flags_read(const X86Insn *insn)
{
    const X86OpRow *row = insn->row;
    bool by_constant = row->map == X86_MAP_1B && (row->opcode & 0xfe) == 0xc0 &&
                       row->modrm_reg != 2 && row->modrm_reg != 3;

    return by_constant && insn->imm & (insn->operand_size == 8 ? 63 : 31) ? 0 : row->flags_read;
}

/* Flags undefined after INSN, given those before. A count of zero writes no flag. */
static uint16_t
undefined_after(const X86Insn *insn, uint16_t before)
{
    const X86OpRow *row = insn->row;
    bool surely = !is_shift_by_count(row) && !(insn->rep || insn->repne);

    return (uint16_t)((surely ? before & ~row->flags_written : before) | row->flags_undefined);
}

/* General registers that INSN writes. */
static uint16_t
written_registers(const X86Insn *insn)
{
    const X86OpRow *row = insn->row;
    uint16_t written = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(row->operand); i++) {
        const X86Operand *op = &row->operand[i];
        unsigned reg = 16;

        if (!(op->access & X86_ACC_W)) {
            continue;
        }
        switch (op->kind) {
        case X86_OP_MODRM_REG: reg = insn->reg; break;
        case X86_OP_MODRM_RM: reg = insn->is_memory ? 16 : insn->rm; break;
        case X86_OP_MODRM_R:
        case X86_OP_OPCODE_REG: reg = insn->rm; break;
        case X86_OP_VVVV: reg = insn->vvvv; break;
        case X86_OP_FIXED_REG: reg = op->fixed; break;
        default: break;
        }
        if (reg < 16) {
            written |= (uint16_t)(1u << reg);
            if (op->size == 1 && reg >= 4 && !insn->rex_present) {
                written |= (uint16_t)(1u << (reg & 3));
            }
        }
    }
    if (row->class_ == X86_CLASS_STRING) {
        written |= 1u << X86_RCX | 1u << X86_RSI | 1u << X86_RDI;
    }
    if (row->map == X86_MAP_1B && row->opcode == 0x61) { /* POPA */
        written = (uint16_t) ~(1u << X86_RSP);
    }
    return written;
}

static void
forget_registers(OracleContext *ctx, const X86Insn *insn)
{
    ctx->known &= (uint16_t)~written_registers(insn);
    for (unsigned i = 0; i < G_N_ELEMENTS(insn->row->operand); i++) {
        if (insn->row->operand[i].kind == X86_OP_VEC_REG &&
            (insn->row->operand[i].access & X86_ACC_W)) {
            ctx->index_vecs &= (uint16_t) ~(1u << insn->reg);
        }
    }
}

typedef struct Theme {
    OracleClass classes[3];
    unsigned count;
} Theme;

static unsigned
class_weight(const OracleGen *gen, unsigned class_)
{
    bool exists = gen->count[class_] || (class_ == CLASS_HOLES && !gen->options.only);

    return exists && (gen->options.classes >> class_ & 1) ? class_weights[class_] : 0;
}

static OracleClass
pick_class(const OracleGen *gen, OracleRng *rng)
{
    unsigned total = 0, at;

    for (unsigned i = 0; i < CLASS_LAST; i++) {
        total += class_weight(gen, i);
    }
    at = oracle_below(rng, total);
    for (unsigned i = 0;; i++) {
        unsigned weight = class_weight(gen, i);

        if (at < weight) {
            return (OracleClass)i;
        }
        at -= weight;
    }
}

static bool
exists_in_mode(const X86OpRow *row, OracleMode mode)
{
    return !(row->flags & (mode == ORACLE_64 ? X86_ROW_NO64 : X86_ROW_ONLY64));
}

/* A branch goes to the next instruction or over the one after it; PENDING remembers the latter. */
typedef struct Pending {
    bool open;
    unsigned at, size;  /* place of the displacement in code[] */
    unsigned from;      /* what it counts from */
    unsigned skip;      /* instructions to go */
    unsigned branch;    /* its instruction */
    uint16_t undefined; /* flags undefined where it leaves */
} Pending;

static void
set_displacement(OracleCase *c, unsigned at, unsigned size, unsigned distance)
{
    memset(c->code + at, 0, size);
    c->code[at] = (uint8_t)distance;
}

static void
resolve(OracleCase *c, Pending *pending, bool last)
{
    if (pending->open && (pending->skip-- == 0 || last)) {
        set_displacement(c, pending->at, pending->size, c->code_len - pending->from);
        c->target[pending->branch] = c->code_len;
        c->undefined[c->count] |= pending->undefined;
        pending->open = false;
    }
}

static void
append(OracleCase *c, OracleContext *ctx, const X86Insn *insn, const uint8_t *bytes,
       Pending *pending)
{
    unsigned start = c->code_len;

    memcpy(c->code + start, bytes, insn->length);
    c->start[c->count] = (uint16_t)start;
    c->row[c->count] = insn->row;
    c->read[c->count] = flags_read(insn);
    c->code_len = (uint16_t)(start + insn->length);
    c->undefined[c->count + 1] = undefined_after(insn, c->undefined[c->count]);
    c->count++;
    forget_registers(ctx, insn);
    resolve(c, pending, false);
    if (oracle_row_is_relative(insn->row)) {
        if (!pending->open && oracle_chance(ctx->rng, 50)) {
            *pending = (Pending){ .open = true,
                                  .at = start + insn->imm_offset,
                                  .size = insn->imm_size,
                                  .from = c->code_len,
                                  .skip = oracle_below(ctx->rng, 2),
                                  .branch = c->count - 1u,
                                  .undefined = c->undefined[c->count] };
        } else {
            set_displacement(c, start + insn->imm_offset, insn->imm_size, 0);
        }
    }
}

/* ---- XSAVE areas ---- */

/* ModRM and so on of an absolute address. */
static unsigned
put_absolute(const OracleCase *c, uint32_t address, unsigned reg, uint8_t *out)
{
    out[0] = (uint8_t)(reg << 3 | (c->mode == ORACLE_16 ? 6 : 4));
    if (c->mode == ORACLE_16) {
        memcpy(out + 1, &(uint16_t){ (uint16_t)(address - ORACLE_DATA) }, 2);
        return 3;
    }
    out[1] = 0x25; /* SIB without base and index */
    memcpy(out + 2, &address, 4);
    return 6;
}

/* MOV of VALUE to ADDRESS, SIZE 2 or 4. */
static void
put_store(const OracleCase *c, uint32_t address, uint32_t value, unsigned size, uint8_t *out,
          unsigned *len)
{
    *len = 0;
    if ((size == 2) != (c->mode == ORACLE_16)) {
        out[(*len)++] = 0x66;
    }
    out[(*len)++] = 0xc7;
    *len += put_absolute(c, address, 0, out + *len);
    memcpy(out + *len, &value, size);
    *len += size;
}

static bool
append_bytes(OracleCase *c, OracleContext *ctx, const uint8_t *bytes, unsigned len,
             Pending *pending)
{
    static const uint8_t code_size[] = { 8, 4, 2 };
    X86Insn insn;

    if (x86_decode(bytes, len, code_size[c->mode], &insn) != X86_DECODE_OK) {
        return false;
    }
    append(c, ctx, &insn, bytes, pending);
    return true;
}

/* Where images have FOP, FDP, FCS and FDS: a word, doublewords. */
typedef enum PointerLayout { ENVIRONMENT_16, ENVIRONMENT_32, FX_32, FX_64 } PointerLayout;

/* What vendors differ in of the image at AREA. */
static void
overwrite_pointers(OracleCase *c, OracleContext *ctx, uint32_t area, PointerLayout layout,
                   Pending *pending)
{
    static const uint8_t places[][4] = { [ENVIRONMENT_16] = { 8, 12 },
                                         [ENVIRONMENT_32] = { 16, 20, 24 },
                                         [FX_32] = { 6, 12, 16, 20 },
                                         [FX_64] = { 6, 16, 20 } };
    uint8_t bytes[16];
    unsigned len;

    for (unsigned i = 0; i < 4 && places[layout][i]; i++) {
        put_store(c, area + places[layout][i], 0, places[layout][i] == 6 ? 2 : 4, bytes, &len);
        append_bytes(c, ctx, bytes, len, pending);
    }
}

/* Before an instruction of the XSAVE family: a mask in EAX, and for XRSTOR a header and MXCSR that
 * are good mostly. The area must be where the instructions can name it: an absolute address. */
static void
prepare_xsave(OracleContext *ctx, OracleCase *c, uint32_t area, bool restore, Pending *pending)
{
    OracleRng *rng = ctx->rng;
    /* of EDX:EAX, XSTATE_BV and XCOMP_BV: they mean something to the host alone */
    uint32_t host_only = oracle_vendor_components();
    uint32_t mask = (uint32_t)oracle_random(rng) & ~host_only;
    bool compact = oracle_chance(rng, 40);
    uint32_t words[5] = { (uint32_t)oracle_random(rng) & 0xffbf, oracle_below(rng, 8), 0, 0, 0 };
    const uint32_t places[5] = { 24, 512, 516, 520, 524 };
    uint8_t bytes[16] = { 0x66, 0xb8 };
    unsigned len;

    memcpy(bytes + 2, &mask, 4);
    append_bytes(c, ctx, c->mode == ORACLE_16 ? bytes : bytes + 1, 6, pending);
    if (compact) {
        words[3] = words[1] | (oracle_chance(rng, 50) ? oracle_below(rng, 8) : 0);
        words[4] = 0x80000000;
    }
    if (oracle_chance(rng, 5)) {
        words[oracle_below(rng, 5)] ^= (1u << oracle_below(rng, 32)) & ~host_only;
    }
    for (unsigned i = 0; restore && i < 5; i++) {
        put_store(c, area + places[i], words[i], 4, bytes, &len);
        append_bytes(c, ctx, bytes, len, pending);
    }
}

static void
add_xsave(OracleContext *ctx, OracleCase *c, const OracleRow *info, Pending *pending)
{
    const X86OpRow *row = info->row;
    bool wide = false;
    uint32_t area = oracle_chance(ctx->rng, 40) ? 0x400 : oracle_below(ctx->rng, 0x5000) & ~63u;
    uint8_t bytes[16];
    unsigned len = 0;

    if (c->count + 8 > ORACLE_INSN_MAX || c->code_len + 90 > ORACLE_CODE_MAX) {
        return;
    }
    resolve(c, pending, true); /* no branch into the middle of what follows */
    area += ORACLE_DATA + (oracle_chance(ctx->rng, 4) ? oracle_below(ctx->rng, 64) : 0);
    prepare_xsave(ctx, c, area, info->is_xrstor, pending);
    if (c->mode == ORACLE_64 && oracle_chance(ctx->rng, 50)) {
        bytes[len++] = 0x48;
        wide = true;
    }
    bytes[len++] = 0x0f;
    bytes[len++] = row->opcode;
    len += put_absolute(c, area, (unsigned)row->modrm_reg, bytes + len);
    append_bytes(c, ctx, bytes, len, pending);
    if (info->is_xsave && oracle_vendor() != ORACLE_AMD) {
        unsigned save = c->count - 1u;

        overwrite_pointers(c, ctx, area, wide ? FX_64 : FX_32, pending);
        c->target[save] = c->code_len; /* a report does not end the case before */
    }
}

/* FNSTENV, FNSAVE and FXSAVE where the pointers are not AMD's, so the area must be where the
 * overwriting can name it. */
static void
add_image(OracleContext *ctx, OracleCase *c, const OracleRow *info, Pending *pending)
{
    const X86OpRow *row = info->row;
    bool fxsave = row->map == X86_MAP_0F;
    bool prefix = oracle_chance(ctx->rng, 25) && !(fxsave && c->mode != ORACLE_64);
    uint32_t area = ORACLE_DATA + (oracle_below(ctx->rng, 0x5000) & (fxsave ? ~15u : ~3u));
    PointerLayout layout = fxsave                             ? (prefix ? FX_64 : FX_32)
                           : (c->mode == ORACLE_16) != prefix ? ENVIRONMENT_16
                                                              : ENVIRONMENT_32;
    unsigned first = c->count, len = 0;
    uint8_t bytes[16];

    if (c->count + 5 > ORACLE_INSN_MAX || c->code_len + 70 > ORACLE_CODE_MAX) {
        return;
    }
    resolve(c, pending, true); /* no branch into the middle of what follows */
    if (prefix) {
        bytes[len++] = fxsave ? 0x48 : 0x66;
    }
    if (fxsave) {
        bytes[len++] = 0x0f;
    }
    bytes[len++] = row->opcode;
    len += put_absolute(c, area, (unsigned)row->modrm_reg, bytes + len);
    append_bytes(c, ctx, bytes, len, pending);
    overwrite_pointers(c, ctx, area, layout, pending);
    c->target[first] = c->code_len; /* a report does not end the case before */
}

/* Whether a component that holds its initial value counts as in use is up to the CPU; AMD's go by
 * how the value came about. So what may bring initial values goes after the saves. */
static bool
is_unwelcome(const OracleContext *ctx, const OracleRow *info)
{
    return (info->ends_case && (ctx->fixed || !oracle_chance(ctx->rng, 15))) ||
           (info->divides && !oracle_chance(ctx->rng, 40)) || (info->is_xsave && ctx->initial_seen);
}

static void
add_hole(OracleContext *ctx, OracleCase *c, Pending *pending)
{
    static const X86OpRow no_row = { .mnemonic = "(none)" };
    uint8_t bytes[15];
    X86Insn insn;

    for (unsigned attempt = 0; attempt < 50; attempt++) {
        if (oracle_encode_hole(ctx, bytes, &insn)) {
            insn.row = &no_row;
            insn.length = sizeof(bytes);
            append(c, ctx, &insn, bytes, pending);
            return;
        }
    }
}

/* MOV ECX,ECX and so on, in 64-bit code. */
static void
cut_pointers(OracleContext *ctx, OracleCase *c, Pending *pending)
{
    static const uint8_t bytes[][2] = { { 0x89, 0xc9 }, { 0x89, 0xf6 }, { 0x89, 0xff } };

    resolve(c, pending, true);
    for (unsigned i = 0; i < G_N_ELEMENTS(bytes); i++) {
        append_bytes(c, ctx, bytes[i], sizeof(bytes[i]), pending);
    }
}

static void
add_instruction(OracleGen *gen, OracleContext *ctx, OracleCase *c, const Theme *theme,
                Pending *pending)
{
    uint8_t bytes[32];
    X86Insn insn;

    for (unsigned attempt = 0; attempt < 50; attempt++) {
        OracleClass class_ = theme->classes[oracle_below(ctx->rng, theme->count)];
        OracleRow *info;

        if (class_ == CLASS_HOLES) {
            add_hole(ctx, c, pending);
            return;
        }
        info = gen->rows[class_][oracle_below(ctx->rng, gen->count[class_])];
        if (!exists_in_mode(info->row, c->mode) || is_unwelcome(ctx, info) ||
            (ctx->fixed && (info->is_xsave || info->is_xrstor))) {
            continue;
        }
        if (info->is_xsave || info->is_xrstor) {
            ctx->initial_seen |= info->is_xrstor;
            info->generated++;
            add_xsave(ctx, c, info, pending);
            return;
        }
        if (info->stores_pointers && oracle_vendor() != ORACLE_AMD) {
            info->generated++;
            add_image(ctx, c, info, pending);
            return;
        }
        ctx->next_address = c->entry + c->code_len;
        if (!oracle_encode(ctx, info->row, oracle_chance(ctx->rng, 2), bytes, &insn)) {
            continue;
        }
        if (insn.row != info->row) {
            info = g_hash_table_lookup(gen->by_row, insn.row);
        }
        if (info->forbidden || (insn.row->flags_read & c->undefined[c->count]) ||
            (written_registers(&insn) & ctx->fixed) || !oracle_vendor_agrees(&insn)) {
            continue;
        }
        if (oracle_vendor_cuts_pointers(&insn)) {
            if (c->count + 4 > ORACLE_INSN_MAX) {
                continue;
            }
            cut_pointers(ctx, c, pending);
        }
        ctx->initial_seen |= info->brings_initial_values;
        info->generated++;
        append(c, ctx, &insn, bytes, pending);
        return;
    }
}

/* Code sizes come in stretches, as the translator forgets where code lies when they change. The
 * largest is what guests run most. */
static OracleMode
choose_mode(const OracleGen *gen, uint64_t number)
{
    static const uint8_t modes[] = { ORACLE_64, ORACLE_64, ORACLE_64, ORACLE_64,
                                     ORACLE_32, ORACLE_32, ORACLE_32, ORACLE_16 };
    OracleRng rng;
    OracleMode mode;

    oracle_rng_seed(&rng, gen->options.seed, ~(number / (ORACLE_VARIANTS * 32)));
    do {
        mode = modes[oracle_below(&rng, G_N_ELEMENTS(modes))];
    } while (!(gen->options.modes >> mode & 1));
    return mode;
}

static void
choose_place(OracleRng *rng, OracleGen *gen, OracleCase *c)
{
    unsigned slot = (unsigned)(c->number / ORACLE_VARIANTS % ORACLE_SLOTS);
    unsigned batch = (unsigned)(c->number / ORACLE_BATCH_CASES % ORACLE_BATCHES);
    uint32_t at = ORACLE_CODE + batch * ORACLE_CODE_BYTES + slot * ORACLE_SLOT_BYTES;
    uint32_t last = at + ORACLE_SLOT_BYTES - 1;

    c->mode = (uint8_t)choose_mode(gen, c->number);
    if (c->mode == ORACLE_16 && (at ^ last) & 0xffff0000) {
        c->mode = ORACLE_32; /* the segment ends inside the slot */
    }
    c->entry = at + oracle_below(rng, 32);
    c->code_base = c->mode == ORACLE_16 ? at & 0xffff0000 : 0;
    c->cs = c->mode == ORACLE_64 ? ORACLE_CS64
            : c->mode == ORACLE_32
                ? ORACLE_CS32
                : ORACLE_LDT_SELECTOR(ORACLE_LDT_CODE + ((at - ORACLE_CODE) >> 16));
    c->moved = 0;
    if (c->mode == ORACLE_64 && oracle_chance(rng, gen->options.moved_percent)) {
        c->moved = oracle_places[oracle_below(rng, ORACLE_PLACES)];
    }
}

/* The state after that of C goes on at the next place. */
static void
move_on(OracleCase *c, unsigned steps)
{
    unsigned place = 0;

    if (c->moved) {
        while (oracle_places[place] != c->moved) {
            place++;
        }
        c->moved = oracle_places[(place + steps) % ORACLE_PLACES];
        c->in.rip = c->entry + c->moved;
    }
}

/* ---- Loops ---- */

static void
set_counter(OracleRng *rng, OracleCase *c)
{
    c->in.gpr[c->counter] = 1 + oracle_below(rng, oracle_chance(rng, 50) ? 6 : 40);
}

/* From here on nothing writes the counter, before the loop either. */
static void
choose_counter(OracleContext *ctx, OracleCase *c)
{
    static const uint8_t counters[] = { X86_RAX, X86_RCX, X86_RDX, 8, 9, 10, 11 };

    c->counter = counters[oracle_below(ctx->rng, c->mode == ORACLE_64 ? 7 : 3)];
    set_counter(ctx->rng, c);
    ctx->value[c->counter] = c->in.gpr[c->counter];
    ctx->fixed = (uint16_t)(1u << c->counter);
}

/* OP (0 ADD .. 5 SUB) of REG and VALUE. */
static void
append_alu(OracleCase *c, OracleContext *ctx, unsigned op, unsigned reg, int value, bool wide,
           Pending *pending)
{
    uint8_t bytes[4];
    unsigned len = 0;

    if (c->mode == ORACLE_64 && (wide || reg >= 8)) {
        bytes[len++] = (uint8_t)(0x40 | (wide ? 8 : 0) | reg >> 3);
    }
    bytes[len++] = 0x83;
    bytes[len++] = (uint8_t)(0xc0 | op << 3 | (reg & 7));
    bytes[len++] = (uint8_t)value;
    append_bytes(c, ctx, bytes, len, pending);
}

/* Moves some pointers, counts and goes back; the carry stays defined on the way. */
static void
end_loop(OracleContext *ctx, OracleCase *c, Pending *pending)
{
    static const uint8_t pointers[] = { X86_RSI, X86_RDI, X86_RBX, X86_RBP, 12, 13, 14, 15 };
    static const int8_t steps[] = { 1, 2, 4, 8, 16, 32, 64, -1, -4, -8, -16, -32 };
    OracleRng *rng = ctx->rng;
    uint8_t bytes[8] = { 0x0f, 0x84 }; /* Jcc */
    int32_t distance;

    resolve(c, pending, true);
    for (unsigned i = oracle_below(rng, 3); i > 0; i--) {
        append_alu(c, ctx, 0, pointers[oracle_below(rng, c->mode == ORACLE_64 ? 8 : 4)],
                   steps[oracle_below(rng, G_N_ELEMENTS(steps))], true, pending);
    }
    if ((c->undefined[c->count] & X86_FLAG_CF) || oracle_chance(rng, 50)) {
        append_alu(c, ctx, 5, c->counter, 1, oracle_chance(rng, 50), pending);
    } else if (c->mode == ORACLE_64) {
        bytes[0] = (uint8_t)(0x48 | c->counter >> 3);
        bytes[1] = 0xff;
        bytes[2] = (uint8_t)(0xc8 | (c->counter & 7));
        append_bytes(c, ctx, bytes, 3, pending);
    } else {
        bytes[0] = (uint8_t)(0x48 | c->counter);
        append_bytes(c, ctx, bytes, 1, pending);
    }
    c->loop_at = c->count;
    bytes[0] = 0x0f;
    bytes[1] = oracle_chance(rng, 75) ? 0x85 : 0x8f; /* JNZ, JG */
    distance = c->start[c->loop_start] - (c->code_len + 2);
    if (distance >= -128 && oracle_chance(rng, 90)) {
        bytes[0] = (uint8_t)(bytes[1] - 0x10);
        bytes[1] = 0;
        append_bytes(c, ctx, bytes, 2, pending);
        c->code[c->code_len - 1] = (uint8_t)distance;
    } else {
        memset(bytes + 2, 0, 4);
        append_bytes(c, ctx, bytes, 6, pending);
        distance = c->start[c->loop_start] - c->code_len;
        memcpy(c->code + c->code_len - 4, &distance, 4);
    }
    pending->open = false; /* what append() makes of branches */
    ctx->fixed = 0;
}

static bool
theme_may_loop(const Theme *theme)
{
    for (unsigned i = 0; i < theme->count; i++) {
        if (theme->classes[i] == CLASS_HOLES || theme->classes[i] == CLASS_SYSTEM) {
            return false;
        }
    }
    return true;
}

/* ---- Cases ---- */

static bool
is_shift_by_cl(const X86OpRow *row)
{
    return row->map == X86_MAP_1B && (row->opcode & 0xfe) == 0xd2 && row->modrm_reg >= 4;
}

/* Backwards: flags that are read before they are written, all of them behind the stream. */
static void
find_live(OracleCase *c)
{
    c->live[c->count] = X86_FLAGS_ARITH;
    for (unsigned i = c->count; i-- > 0;) {
        const X86OpRow *row = c->row[i];
        uint16_t live = c->live[i + 1];

        if (row->class_ == X86_CLASS_FLOW && !oracle_row_is_relative(row)) {
            live = X86_FLAGS_ARITH;
        } else if (c->target[i] && row->map == X86_MAP_1B && (row->opcode & 0xfc) == 0xe8) {
            live = 0; /* CALL and JMP go nowhere else */
        }
        if (c->loop_at && i == c->loop_at) {
            live |= c->live[c->loop_start];
        }
        for (unsigned j = i + 1; j <= c->count; j++) {
            live |= c->start[j] == c->target[i] ? c->live[j] : 0;
        }
        if (is_shift_by_cl(row)) {
            c->live[i] = live; /* it writes them or leaves them to who reads them */
        } else {
            c->live[i] = c->read[i] | (live & ~(row->flags_written | row->flags_undefined));
        }
    }
}

/* The first case of a stream. */
static void
make_stream(OracleGen *gen, uint64_t number, OracleCase *out_case)
{
    OracleRng rng;
    OracleContext ctx = { .rng = &rng };
    Theme theme = { .count = 1 };
    Pending pending = { false };
    bool started = false;
    unsigned attempts = 0, loop_begin = UINT_MAX, loop_end = UINT_MAX;

    oracle_rng_seed(&rng, gen->options.seed, number);
    memset(out_case, 0, sizeof(*out_case));
    out_case->number = number;
    out_case->pattern = (uint8_t)oracle_below(&rng, ORACLE_PATTERNS);
    choose_place(&rng, gen, out_case);
    ctx.mode = out_case->mode;
    make_registers(&ctx, out_case, 0);
    out_case->in.rip = out_case->entry + out_case->moved - out_case->code_base;
    theme.classes[0] = pick_class(gen, &rng);
    while (theme.count < 3 && oracle_chance(&rng, 40)) {
        theme.classes[theme.count++] = pick_class(gen, &rng);
    }
    for (unsigned i = 0; i < theme.count; i++) {
        if (theme.classes[i] == CLASS_STATE) {
            make_index_registers(&ctx, out_case);
            ctx.index_vecs = 1 << 5 | 1 << 6;
            out_case->has_indices = true;
        }
    }
    if (out_case->mode != ORACLE_16 && gen->options.length >= 12 && theme_may_loop(&theme) &&
        oracle_chance(&rng, gen->options.loop_percent)) {
        loop_begin = oracle_below(&rng, 3);
        loop_end = loop_begin + 1 + oracle_below(&rng, 8);
        choose_counter(&ctx, out_case);
    }
    while (out_case->count < gen->options.length && attempts++ < 2 * ORACLE_INSN_MAX) {
        if (ctx.fixed && !started && out_case->count >= loop_begin) {
            resolve(out_case, &pending, true);
            out_case->loop_start = out_case->count;
            started = true;
        }
        add_instruction(gen, &ctx, out_case, &theme, &pending);
        if (started && ctx.fixed && out_case->count >= loop_end) {
            end_loop(&ctx, out_case, &pending);
        }
    }
    resolve(out_case, &pending, true);
    out_case->start[out_case->count] = out_case->code_len;
    out_case->end = out_case->entry + out_case->code_len;
    out_case->relied = ctx.relied;
    find_live(out_case);
    if (out_case->loop_at) {
        find_live(out_case); /* knows now what the loop's start reads */
    }
}

/* The stream of FIRST with another state: what no address was made for is new. */
static void
make_variant(OracleGen *gen, const OracleCase *first, uint64_t number, OracleCase *out_case)
{
    OracleRng rng;
    OracleContext ctx = { .rng = &rng, .mode = first->mode };

    *out_case = *first;
    out_case->number = number;
    move_on(out_case, (unsigned)(number % ORACLE_VARIANTS));
    oracle_rng_seed(&rng, gen->options.seed, number);
    out_case->pattern = (uint8_t)oracle_below(&rng, ORACLE_PATTERNS);
    make_registers(&ctx, out_case, first->relied);
    if (first->loop_at) {
        set_counter(&rng, out_case);
    }
    if (first->has_indices) {
        make_index_registers(&ctx, out_case);
    }
}

void
oracle_gen_case(OracleGen *gen, uint64_t number, OracleCase *out_case)
{
    OracleCase *first;

    if (number % ORACLE_VARIANTS == 0) {
        make_stream(gen, number, out_case);
        return;
    }
    first = g_aligned_alloc0(1, sizeof(*first), 64);
    make_stream(gen, number - number % ORACLE_VARIANTS, first);
    make_variant(gen, first, number, out_case);
    g_aligned_free(first);
}

void
oracle_gen_batch(OracleGen *gen, uint64_t number, OracleCase *out_cases)
{
    for (unsigned i = 0; i < ORACLE_BATCH_CASES; i++) {
        const OracleCase *first = &out_cases[i - i % ORACLE_VARIANTS];

        if (first == &out_cases[i]) {
            make_stream(gen, number + i, &out_cases[i]);
        } else {
            make_variant(gen, first, number + i, &out_cases[i]);
        }
    }
}
