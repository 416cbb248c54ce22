/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The opcode table against the handlers: for every row that is not of class SYSTEM, VEC or X87,
 * random runs of an instruction made from its key must show that
 *  - only flags named as written or undefined change,
 *  - flags not named as read influence nothing,
 *  - only registers named as written change (and those a class implies),
 *  - memory changes only where an operand writes it. */

#include "cpu-rig.h"

#include <stdlib.h>

enum { TRIALS = 48, DATA_BYTES = 0x2000 };

typedef struct Outcome {
    uint64_t gpr[16], rip, flags;
    uint8_t data[DATA_BYTES], stack[256];
    bool faulted;
} Outcome;

/* How a trial starts. */
typedef struct Start {
    uint8_t code[16];
    uint64_t gpr[16], flags;
    uint8_t data[DATA_BYTES];
} Start;

static uint64_t
random_value(GRand *rand)
{
    uint64_t value = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);

    switch (g_rand_int_range(rand, 0, 4)) {
    case 0: return value & 0xff;
    case 1: return value | 0xffffffff00000000;
    case 2: return 1ull << (value & 63);
    default: return value;
    }
}

static void
make_code(const X86OpRow *row, bool memory, bool repeat, unsigned code_size, uint8_t out[16])
{
    static const uint8_t prefixes[] = { 0, 0x66, 0xf3, 0xf2 };
    size_t n = 0;
    bool w = row->flags & X86_ROW_W1;
    /* memory: [rdi]; registers: rm = rcx, reg = rdx */
    uint8_t modrm = (row->modrm_reg < 0 ? 2 : row->modrm_reg) << 3 |
                    (row->modrm_rm >= 0 ? row->modrm_rm
                     : memory           ? 7
                                        : 1) |
                    (memory ? 0 : 0xc0);

    memset(out, 0x11, 16);
    if (repeat) {
        out[n++] = 0xf3;
    }
    if (row->encoding == X86_ENC_VEX) {
        out[n++] = 0xc4;
        out[n++] = 0xe0 | row->map;
        out[n++] = (code_size == 8) << 7 | (row->flags & X86_ROW_NO_VVVV ? 15 : 9) << 3 | row->pp;
    } else {
        if (row->pp <= X86_PP_F2 && row->pp != X86_PP_NONE) {
            out[n++] = prefixes[row->pp];
        }
        if (w && code_size == 8) {
            out[n++] = 0x48;
        }
        if (row->map != X86_MAP_1B) {
            out[n++] = 0x0f;
        }
        if (row->map >= X86_MAP_0F38) {
            out[n++] = row->map == X86_MAP_0F38 ? 0x38 : 0x3a;
        }
    }
    out[n++] = row->opcode;
    if (row->operand[0].kind == X86_OP_OPCODE_REG && row->opcode == 0x90) {
        out[n - 1] |= 1;
    }
    out[n] = modrm;
    if (row->operand[0].kind == X86_OP_MOFFS || row->operand[1].kind == X86_OP_MOFFS) {
        uint64_t place = RIG_DATA + 0x100;
        memcpy(out + n, &place, 8);
    }
}

static void
make_start(GRand *rand, Start *start)
{
    for (unsigned i = 0; i < 16; i++) {
        start->gpr[i] = random_value(rand);
    }
    for (unsigned i = 0; i < DATA_BYTES; i++) {
        start->data[i] = g_rand_int(rand);
    }
    if (g_rand_boolean(rand)) {
        start->gpr[X86_RDX] &= 0x1f; /* divisions that fit, bit indexes that stay near */
        start->gpr[X86_RCX] |= 0x8000;
    }
    start->gpr[X86_RCX] &= 0xffff;
    start->gpr[X86_RDI] = RIG_DATA + 0x1000 + 16 * g_rand_int_range(rand, 0, 8);
    start->gpr[X86_RSI] = RIG_DATA + 0x800;
    start->gpr[X86_RBX] = RIG_DATA;
    start->gpr[X86_RBP] = RIG_STACK - 64;
    start->gpr[X86_RSP] = RIG_STACK - 128;
    start->flags = (g_rand_int(rand) & (X86_FLAGS_ARITH | X86_FLAG_DF)) | 2;
}

static void
run(Rig *rig, const Start *start, uint64_t flags, Outcome *out)
{
    X86State *s = &rig->core->s;

    memcpy(rig_ram(rig, RIG_CODE), start->code, 16);
    memcpy(rig_ram(rig, RIG_DATA), start->data, DATA_BYTES);
    for (unsigned i = 0; i < 256; i += 8) {
        rig_store(rig, RIG_STACK - 256 + i, RIG_CODE + 0x1000, 8); /* RET takes it for code */
    }
    memcpy(s->gpr, start->gpr, sizeof(s->gpr));
    s->rip = RIG_CODE;
    s->rflags = flags;
    rig_step(rig, 1);
    memcpy(out->gpr, s->gpr, sizeof(s->gpr));
    memcpy(out->data, rig_ram(rig, RIG_DATA), DATA_BYTES);
    memcpy(out->stack, rig_ram(rig, RIG_STACK - 256), 256);
    out->rip = s->rip;
    out->flags = s->rflags;
    out->faulted = s->rip >= RIG_VECTORS && s->rip < RIG_VECTORS + 32 * 16;
}

/* Bit per general register that INSN may write. */
static uint32_t
written_registers(const X86Insn *insn)
{
    const X86OpRow *row = insn->row;
    uint32_t set = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(row->operand); i++) {
        const X86Operand *op = &row->operand[i];
        unsigned reg = X86_NO_REG;
        bool byte = op->size == 1;

        switch (op->kind) {
        case X86_OP_MODRM_REG: reg = insn->reg; break;
        case X86_OP_MODRM_RM:
        case X86_OP_MODRM_R:
            if (!insn->is_memory) {
                reg = insn->rm;
            }
            break;
        case X86_OP_OPCODE_REG: reg = insn->rm; break;
        case X86_OP_VVVV: reg = insn->vvvv; break;
        case X86_OP_FIXED_REG: reg = op->fixed; break;
        case X86_OP_STACK: set |= 1u << X86_RSP; break;
        default: break;
        }
        if (reg != X86_NO_REG && (op->access & X86_ACC_W)) {
            set |= 1u << (byte && reg >= 4 && reg < 8 && !insn->rex_present ? reg - 4 : reg);
        }
    }
    if (row->class_ == X86_CLASS_STRING) {
        set |= 1u << X86_RSI | 1u << X86_RDI | 1u << X86_RCX;
    }
    if (strcmp(row->mnemonic, "popa") == 0) {
        set |= 0xff;
    }
    return set;
}

static bool
writes_memory(const X86Insn *insn)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(insn->row->operand); i++) {
        const X86Operand *op = &insn->row->operand[i];
        bool memory =
            op->kind == X86_OP_STR_DST || op->kind == X86_OP_MOFFS ||
            ((op->kind == X86_OP_MODRM_RM || op->kind == X86_OP_MODRM_M) && insn->is_memory);
        if (memory && (op->access & X86_ACC_W)) {
            return true;
        }
    }
    return false;
}

static void
complain(const X86OpRow *row, const char *what, uint64_t bits)
{
    g_test_message("%s (map %u opcode %02x /%d): %s %#" G_GINT64_MODIFIER "x", row->mnemonic,
                   row->map, row->opcode, row->modrm_reg, what, bits);
    g_test_fail();
}

static void
check_outcome(const X86Insn *insn, const Start *start, const Outcome *a, const Outcome *b,
              uint64_t changed_flags)
{
    const X86OpRow *row = insn->row;
    uint64_t named = row->flags_written | row->flags_undefined;
    uint64_t stray = (a->flags ^ start->flags) & ~named;
    uint32_t writable = written_registers(insn);

    if (stray) {
        complain(row, "changes flags it does not name", stray);
    }
    for (unsigned i = 0; i < 16; i++) {
        if (!(writable >> i & 1) && a->gpr[i] != start->gpr[i]) {
            complain(row, "changes a register it does not name", i);
        }
        if (a->gpr[i] != b->gpr[i]) {
            complain(row, "reads flags it does not name, seen in register", i);
        }
    }
    if ((a->flags ^ b->flags) & ~(changed_flags & ~(uint64_t)row->flags_written) &
        ~(uint64_t)row->flags_undefined) {
        complain(row, "reads flags it does not name, seen in flags", a->flags ^ b->flags);
    }
    if (a->rip != b->rip) {
        complain(row, "reads flags it does not name, seen in RIP", a->rip);
    }
    if (!writes_memory(insn) && memcmp(a->data, start->data, DATA_BYTES) != 0) {
        complain(row, "writes memory", 0);
    }
    if (memcmp(a->data, b->data, DATA_BYTES) != 0) {
        complain(row, "reads flags it does not name, seen in memory", 0);
    }
}

/* Number of trials that ran without a fault. */
static unsigned
check_row(Rig *rig, GRand *rand, const X86OpRow *row, bool memory, bool repeat, unsigned code_size)
{
    g_autofree Start *start = g_new0(Start, 1);
    g_autofree Outcome *a = g_new0(Outcome, 1), *b = g_new0(Outcome, 1);
    unsigned good = 0;
    X86Insn insn;

    make_code(row, memory, repeat, code_size, start->code);
    if (x86_decode(start->code, 15, code_size, &insn) != X86_DECODE_OK || insn.row != row) {
        complain(row, "does not decode", code_size);
        return 1;
    }
    for (unsigned i = 0; i < TRIALS; i++) {
        uint64_t other = (X86_FLAGS_ARITH | X86_FLAG_DF) & ~(uint64_t)row->flags_read;
        make_start(rand, start);
        if (repeat) {
            start->gpr[X86_RCX] &= 15;
        }
        if (row->class_ == X86_CLASS_FLOW) {
            start->gpr[X86_RCX] &= 3;
        }
        if (memory && g_str_has_prefix(row->mnemonic, "bt")) {
            start->gpr[X86_RDX] &= 0x1fff; /* a bit string reaches far otherwise */
        }
        run(rig, start, start->flags, a);
        run(rig, start, start->flags ^ other, b);
        if (a->faulted || b->faulted) {
            continue;
        }
        good++;
        check_outcome(&insn, start, a, b, other);
    }
    return good;
}

static bool
is_random(const X86OpRow *row)
{
    return strcmp(row->mnemonic, "rdrand") == 0 || strcmp(row->mnemonic, "rdseed") == 0;
}

static void
check_all(RigMode mode, unsigned code_size)
{
    g_autoptr(Rig) rig = rig_new(mode);
    g_autoptr(GRand) rand = g_rand_new_with_seed(99);
    const X86OpRow *row;
    unsigned rows = 0;

    for (size_t i = 0; (row = x86_op_row(i)); i++) {
        unsigned good = 0;
        if (row->class_ == X86_CLASS_SYSTEM || row->class_ == X86_CLASS_VEC ||
            row->class_ == X86_CLASS_X87 || is_random(row) ||
            !x86_model_has(&rig->model, row->feature) ||
            (row->flags & (code_size == 8 ? X86_ROW_NO64 : X86_ROW_ONLY64))) {
            continue;
        }
        if (row->modrm_form != 1) {
            good += check_row(rig, rand, row, false, false, code_size);
        }
        if (row->modrm_form != 2) {
            good += check_row(rig, rand, row, true, false, code_size);
        }
        if (row->flags & X86_ROW_REP) {
            good += check_row(rig, rand, row, false, true, code_size);
        }
        if (good == 0) {
            complain(row, "never ran", 0);
        }
        rows++;
    }
    g_assert_cmpuint(rows, >, 250);
}

static void
test_32(void)
{
    check_all(RIG_PROT32, 4);
}

static void
test_64(void)
{
    check_all(RIG_LONG64, 8);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rows/32", test_32);
    g_test_add_func("/rows/64", test_64);
    return g_test_run();
}
