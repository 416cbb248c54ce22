/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Build-time generator of x86-op-index.c: turns the opcode rows into the lookup tables of
 * x86-op.h, and refuses rows that contradict themselves or each other. Linked with the row files
 * compiled without handlers. A program of the build, not part of the engine. */

#include "x86-op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Table {
    const char *name;
    const X86OpRow *rows;
    size_t count;
} Table;

typedef struct Entry {
    const Table *table;
    size_t index;
    const X86OpRow *row;
    unsigned shape, imm, check, tier;
} Entry;

typedef struct List {
    Entry entries[64];
    size_t count;
} List;

enum { TABLES = 6, LISTS_MAX = 8192, SPLITS_MAX = 4096 };

static Table tables[TABLES];
static List *lists;
static size_t list_count;
static unsigned list_place[LISTS_MAX];
static uint16_t splits[SPLITS_MAX][16];
static size_t split_count;
static uint16_t slots[2][12][256][4];
static bool failed;

static void
complain(const X86OpRow *row, const char *text)
{
    fprintf(stderr, "row %s (map %u opcode %02x /%d): %s\n", row->mnemonic ? row->mnemonic : "?",
            row->map, row->opcode, row->modrm_reg, text);
    failed = true;
}

static bool
has_operand(const X86OpRow *row, X86OperandKind first, X86OperandKind last)
{
    for (size_t i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
        if (row->operand[i].kind >= first && row->operand[i].kind <= last) {
            return true;
        }
    }
    return false;
}

static unsigned
row_shape(const X86OpRow *row)
{
    unsigned shape = 0;

    if (row->modrm_reg >= 0 || row->modrm_rm >= 0 || row->modrm_form != 0 ||
        has_operand(row, X86_OP_MODRM_REG, X86_OP_MODRM_R) ||
        has_operand(row, X86_OP_SEG_REG, X86_OP_SEG_REG) ||
        has_operand(row, X86_OP_CR, X86_OP_VEC_RM) || has_operand(row, X86_OP_VSIB, X86_OP_KRM)) {
        shape |= X86_SHAPE_MODRM;
    }
    if (has_operand(row, X86_OP_VSIB, X86_OP_VSIB)) {
        shape |= X86_SHAPE_VSIB;
    }
    if (row->flags & X86_ROW_MOD3) {
        shape |= X86_SHAPE_MOD3 | X86_SHAPE_MODRM;
    }
    if (has_operand(row, X86_OP_OPCODE_REG, X86_OP_OPCODE_REG)) {
        shape |= X86_SHAPE_OPCODE_REG;
    }
    if (has_operand(row, X86_OP_STR_SRC, X86_OP_STR_SRC) ||
        has_operand(row, X86_OP_MASK_DST, X86_OP_MASK_DST) ||
        has_operand(row, X86_OP_MOFFS, X86_OP_MOFFS)) {
        shape |= X86_SHAPE_STRING_SRC;
    }
    if (row->flags & X86_ROW_LOCK) {
        shape |= X86_SHAPE_LOCK;
    }
    return shape;
}

static unsigned
operand_imm(const X86OpRow *row, const X86Operand *operand)
{
    switch (operand->kind) {
    case X86_OP_IMM:
        switch (operand->size) {
        case 1: return X86_IMM_8;
        case 2: return X86_IMM_16;
        case X86_SZ_Z: return X86_IMM_Z;
        case X86_SZ_V: return X86_IMM_V;
        default: complain(row, "immediate size"); return X86_IMM_NONE;
        }
    case X86_OP_REL: return operand->size == 1 ? X86_IMM_REL8 : X86_IMM_RELZ;
    case X86_OP_FAR: return X86_IMM_FAR;
    case X86_OP_MOFFS: return X86_IMM_MOFFS;
    case X86_OP_VEC_IS4: return X86_IMM_8;
    default: return X86_IMM_NONE;
    }
}

static unsigned
row_imm(const X86OpRow *row)
{
    unsigned imm = X86_IMM_NONE;

    for (size_t i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
        unsigned one = operand_imm(row, &row->operand[i]);
        if (one == X86_IMM_NONE) {
            continue;
        }
        if (imm == X86_IMM_NONE) {
            imm = one;
        } else if (imm == X86_IMM_16 && one == X86_IMM_8) {
            imm = X86_IMM_16_8;
        } else if (imm == X86_IMM_8 && one == X86_IMM_8) {
            imm = X86_IMM_8_8;
        } else {
            complain(row, "two immediates that no encoding has");
        }
    }
    return imm;
}

static unsigned
row_check(const X86OpRow *row)
{
    unsigned check = 0;

    check |= row->flags & X86_ROW_W0 ? X86_CHECK_W0 : 0;
    check |= row->flags & X86_ROW_W1 ? X86_CHECK_W1 : 0;
    check |= row->flags & X86_ROW_VEX_L0 ? X86_CHECK_L0 : 0;
    check |= row->flags & X86_ROW_VEX_L1 ? X86_CHECK_L1 : 0;
    check |= row->flags & X86_ROW_NO_VVVV ? X86_CHECK_VVVV : 0;
    check |= row->flags & X86_ROW_REXB0 ? X86_CHECK_REXB0 : 0;
    check |= row->modrm_rm >= 0 ? X86_CHECK_RM : 0;
    check |= row->flags & X86_ROW_LL12 ? X86_CHECK_LL12 : 0;
    check |= row->flags & X86_ROW_LL2 ? X86_CHECK_LL2 : 0;
    return check;
}

static void
validate(const X86OpRow *row)
{
    bool memory = has_operand(row, X86_OP_MODRM_M, X86_OP_MODRM_M) ||
                  has_operand(row, X86_OP_VSIB, X86_OP_VSIB);
    bool reg = has_operand(row, X86_OP_MODRM_R, X86_OP_MODRM_R);

    if (!row->mnemonic) {
        complain(row, "no mnemonic");
    }
    if (row->flags_written & row->flags_undefined) {
        complain(row, "a flag is both written and undefined");
    }
    if (memory && row->modrm_form != 1) {
        complain(row, "memory operand, but the key is not the memory form");
    }
    if (reg && row->modrm_form != 2 && !(row->flags & X86_ROW_MOD3)) {
        complain(row, "register operand, but the key is not the register form");
    }
    if ((row->flags & X86_ROW_LOCK) &&
        ((row->operand[0].kind != X86_OP_MODRM_RM && row->operand[0].kind != X86_OP_MODRM_M) ||
         !(row->operand[0].access & X86_ACC_W))) {
        complain(row, "LOCK on a row whose first operand is not written memory");
    }
    if ((row->flags & X86_ROW_NO64) && (row->flags & X86_ROW_ONLY64)) {
        complain(row, "exists in no mode");
    }
    if (row->modrm_rm >= 0 && (row->modrm_form != 2 || row->modrm_reg < 0)) {
        complain(row, "fixed rm without digit and register form");
    }
    if (row->encoding != X86_ENC_LEGACY && row->pp > X86_PP_F2) {
        complain(row, "VEX and EVEX rows name their prefix");
    }
}

/* In 16- and 32-bit code VEX.W and REX.W select nothing where the W1 row is for 64-bit code. */
static bool
has_w1_twin(const X86OpRow *row)
{
    for (size_t t = 0; t < TABLES; t++) {
        for (size_t i = 0; i < tables[t].count; i++) {
            const X86OpRow *other = &tables[t].rows[i];
            if (other->encoding == row->encoding && other->map == row->map &&
                other->pp == row->pp && other->opcode == row->opcode &&
                other->modrm_reg == row->modrm_reg && (other->flags & X86_ROW_W1) &&
                (other->flags & X86_ROW_ONLY64)) {
                return true;
            }
        }
    }
    return false;
}

/* Smaller is looked at first. */
static unsigned
row_tier(const X86OpRow *row)
{
    return row->pp == X86_PP_ANY ? 2 : row->pp == X86_PP_NFX ? 1 : 0;
}

static bool
accepts_prefix(const X86OpRow *row, unsigned pp)
{
    switch (row->pp) {
    case X86_PP_ANY: return true;
    case X86_PP_NFX: return pp == X86_PP_NONE || pp == X86_PP_66;
    default: return row->pp == pp;
    }
}

static bool
covers_opcode(const X86OpRow *row, unsigned opcode)
{
    if (has_operand(row, X86_OP_OPCODE_REG, X86_OP_OPCODE_REG)) {
        return (row->opcode & 0xf8) == (opcode & 0xf8);
    }
    return row->opcode == opcode;
}

static void
list_add(List *list, const Entry *entry)
{
    size_t at = list->count;

    if (list->count == VIT_ARRAY_LEN(list->entries)) {
        complain(entry->row, "too many rows on one opcode");
        return;
    }
    while (at > 0) {
        const Entry *before = &list->entries[at - 1];
        if (before->tier < entry->tier ||
            (before->tier == entry->tier &&
             __builtin_popcount(before->check) >= __builtin_popcount(entry->check))) {
            break;
        }
        list->entries[at] = list->entries[at - 1];
        at--;
    }
    list->entries[at] = *entry;
    list->count++;
}

static void
collect(List *list, unsigned mode64, unsigned encoding, unsigned map, unsigned opcode, unsigned pp)
{
    for (size_t t = 0; t < TABLES; t++) {
        for (size_t i = 0; i < tables[t].count; i++) {
            const X86OpRow *row = &tables[t].rows[i];
            Entry entry = { &tables[t],   i, row, row_shape(row), row_imm(row), row_check(row),
                            row_tier(row) };
            if (row->encoding != encoding || row->map != map || !covers_opcode(row, opcode) ||
                !accepts_prefix(row, pp) ||
                (row->flags & (mode64 ? X86_ROW_NO64 : X86_ROW_ONLY64))) {
                continue;
            }
            if (!mode64 && (entry.check & X86_CHECK_W0) && has_w1_twin(row)) {
                entry.check &= ~X86_CHECK_W0;
            }
            list_add(list, &entry);
        }
    }
}

static bool
matches_modrm(const X86OpRow *row, unsigned form, unsigned digit)
{
    return (row->modrm_reg < 0 || row->modrm_reg == (int)digit) &&
           (row->modrm_form == 0 || (row->modrm_form == 2) == (form == 1));
}

static void
check_unique(const List *list)
{
    for (size_t i = 0; i < list->count; i++) {
        for (size_t j = i + 1; j < list->count; j++) {
            const Entry *a = &list->entries[i], *b = &list->entries[j];
            if (a->tier == b->tier && a->check == b->check &&
                a->row->modrm_rm == b->row->modrm_rm) {
                complain(b->row, "can never be reached: another row has the same key");
                complain(a->row, "is that row");
            }
        }
    }
}

/* Place in x86_op_candidates of LIST, 0 when it is empty. */
static unsigned
intern_list(const List *list)
{
    if (list->count == 0) {
        return 0;
    }
    check_unique(list);
    for (size_t i = 0; i < list_count; i++) {
        if (lists[i].count == list->count &&
            memcmp(lists[i].entries, list->entries, list->count * sizeof(Entry)) == 0) {
            return list_place[i];
        }
    }
    lists[list_count] = *list;
    list_place[list_count] =
        list_count == 0 ? 1 : list_place[list_count - 1] + lists[list_count - 1].count + 1;
    return list_place[list_count++];
}

static unsigned
make_slot(const List *all)
{
    bool split = false;
    uint16_t parts[16];

    for (size_t i = 0; i < all->count; i++) {
        split |= all->entries[i].row->modrm_reg >= 0 || all->entries[i].row->modrm_form != 0;
    }
    if (!split) {
        return intern_list(all);
    }
    for (unsigned k = 0; k < 16; k++) {
        static List part;
        memset(&part, 0, sizeof(part));
        for (size_t i = 0; i < all->count; i++) {
            if (matches_modrm(all->entries[i].row, k / 8, k % 8)) {
                part.entries[part.count++] = all->entries[i];
            }
        }
        parts[k] = intern_list(&part);
    }
    for (size_t i = 0; i < split_count; i++) {
        if (memcmp(splits[i], parts, sizeof(parts)) == 0) {
            return X86_SLOT_SPLIT | i;
        }
    }
    memcpy(splits[split_count], parts, sizeof(parts));
    return X86_SLOT_SPLIT | split_count++;
}

static void
build(void)
{
    for (unsigned key = 0; key < 2 * 12 * 256 * 4; key++) {
        unsigned pp = key % 4, opcode = key / 4 % 256, space = key / 1024 % 12, mode = key / 12288;
        static List list;

        memset(&list, 0, sizeof(list));
        collect(&list, mode, space / 4, space % 4, opcode, pp);
        if (list.count != 0) {
            slots[mode][space][opcode][pp] = make_slot(&list);
        }
        if (list_count >= LISTS_MAX - 17 || split_count >= SPLITS_MAX - 1) {
            fprintf(stderr, "x86-op-gen: tables too small\n");
            exit(1);
        }
    }
}

static void
print_candidates(FILE *out)
{
    fprintf(out, "const X86OpCandidate x86_op_candidates[] = {\n    { NULL },\n");
    for (size_t i = 0; i < list_count; i++) {
        for (size_t k = 0; k < lists[i].count; k++) {
            const Entry *e = &lists[i].entries[k];
            fprintf(out, "    { &x86_op_rows_%s[%zu], %u, %u, %u, %u }, /* %s */\n", e->table->name,
                    e->index, e->shape, e->imm, (unsigned)(e->row->modrm_rm & 7), e->check,
                    e->row->mnemonic);
        }
        fprintf(out, "    { NULL },\n");
    }
    fprintf(out, "};\n");
}

static void
print_tables(FILE *out)
{
    fprintf(out, "/* Made by x86-op-gen from the opcode rows. */\n\n#include \"x86-op.h\"\n\n");
    print_candidates(out);
    fprintf(out, "\nconst uint16_t x86_op_splits[][16] = {\n");
    for (size_t i = 0; i < split_count; i++) {
        fprintf(out, "    {");
        for (unsigned k = 0; k < 16; k++) {
            fprintf(out, " %u,", splits[i][k]);
        }
        fprintf(out, " },\n");
    }
    fprintf(out, "    { 0 },\n};\n\nconst uint16_t x86_op_slots[2][12][256][4] = {\n");
    for (unsigned key = 0; key < 2 * 12 * 256; key++) {
        const uint16_t *s = slots[key / 3072][key / 256 % 12][key % 256];
        if (s[0] | s[1] | s[2] | s[3]) {
            fprintf(out, "    [%u][%u][%u] = { %u, %u, %u, %u },\n", key / 3072, key / 256 % 12,
                    key % 256, s[0], s[1], s[2], s[3]);
        }
    }
    fprintf(out, "};\n");
}

int
main(int argc, char **argv)
{
    FILE *out;

    tables[0] = (Table){ "int", x86_op_rows_int, x86_op_count_int };
    tables[1] = (Table){ "sys", x86_op_rows_sys, x86_op_count_sys };
    tables[2] = (Table){ "vec", x86_op_rows_vec, x86_op_count_vec };
    tables[3] = (Table){ "avx", x86_op_rows_avx, x86_op_count_avx };
    tables[4] = (Table){ "x87", x86_op_rows_x87, x86_op_count_x87 };
    tables[5] = (Table){ "evex", x86_op_rows_evex, x86_op_count_evex };
    lists = calloc(LISTS_MAX, sizeof(*lists));
    if (argc != 2 || !lists) {
        fprintf(stderr, "usage: x86-op-gen OUTPUT\n");
        return 1;
    }
    for (size_t t = 0; t < TABLES; t++) {
        for (size_t i = 0; i < tables[t].count; i++) {
            validate(&tables[t].rows[i]);
        }
    }
    build();
    if (failed) {
        return 1;
    }
    out = fopen(argv[1], "w");
    if (!out) {
        perror(argv[1]);
        return 1;
    }
    print_tables(out);
    free(lists);
    return fclose(out) == 0 ? 0 : 1;
}
