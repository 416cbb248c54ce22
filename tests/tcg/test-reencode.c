/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Re-encoding, over every row of the opcode table in every mode: random encodings of the row go
 * through random register maps and memory operands, and what comes out must decode to the same row
 * with the mapped operands. What may be refused is listed. Capstone reads the result as well.
 *
 * VIT_REENCODE_ROUNDS sets the number of encodings per row and mode (default 60). */

/* Two enumerators have the same name in both worlds. */
#define X86_REG_RIP CAPSTONE_REG_RIP
#define X86_OP_IMM  CAPSTONE_OP_IMM
#include <capstone/capstone.h>
#undef X86_REG_RIP
#undef X86_OP_IMM

#include "reencode.h"

#include <stdlib.h>
#include <string.h>

enum { SCRATCH = 14 };

typedef struct Case {
    GRand *rand;
    X86Insn guest;
    uint8_t map[16];
    TcgMem mem;
    uint8_t code[64];
    TcgAsm a;
} Case;

static unsigned
pick(GRand *rand, unsigned below)
{
    return (unsigned)g_rand_int_range(rand, 0, (int)below);
}

static bool
uses_kind(const X86OpRow *row, unsigned kind)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(row->operand); i++) {
        if (row->operand[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static uint8_t
make_modrm(GRand *rand, const X86OpRow *row)
{
    unsigned reg = row->modrm_reg >= 0 ? (unsigned)row->modrm_reg : pick(rand, 8);
    unsigned rm = row->modrm_rm >= 0            ? (unsigned)row->modrm_rm
                  : uses_kind(row, X86_OP_VSIB) ? 4
                                                : pick(rand, 8);
    unsigned mod = row->modrm_form == 1 ? pick(rand, 3) : row->modrm_form == 2 ? 3 : pick(rand, 4);

    return (uint8_t)(mod << 6 | reg << 3 | rm);
}

static unsigned
make_legacy(GRand *rand, const X86OpRow *row, unsigned code_size, uint8_t *b)
{
    unsigned n = 0;

    if (pick(rand, 4) == 0) {
        b[n++] = 0x67;
    }
    if (pick(rand, 8) == 0) {
        b[n++] = 0x64;
    }
    if ((row->flags & X86_ROW_LOCK) && pick(rand, 2)) {
        b[n++] = 0xf0;
    }
    if (row->pp == X86_PP_66 || pick(rand, 3) == 0) {
        b[n++] = 0x66;
    }
    if (row->pp == X86_PP_F2 || row->pp == X86_PP_F3) {
        b[n++] = row->pp == X86_PP_F2 ? 0xf2 : 0xf3;
    } else if (row->pp == X86_PP_ANY && pick(rand, 8) == 0) {
        b[n++] = 0xf2;
    }
    if (code_size == 8 && pick(rand, 2)) {
        b[n++] = (uint8_t)(0x40 | pick(rand, 16));
    } else if (code_size == 8 && (row->flags & X86_ROW_W1)) {
        b[n++] = 0x48;
    }
    if (row->map != X86_MAP_1B) {
        b[n++] = 0x0f;
    }
    if (row->map > X86_MAP_0F) {
        b[n++] = row->map == X86_MAP_0F38 ? 0x38 : 0x3a;
    }
    b[n++] = row->opcode | (uses_kind(row, X86_OP_OPCODE_REG) ? pick(rand, 8) : 0);
    return n;
}

static unsigned
make_vex(GRand *rand, const X86OpRow *row, unsigned code_size, uint8_t *b)
{
    unsigned w = row->flags & X86_ROW_W0 ? 0 : row->flags & X86_ROW_W1 ? 1 : pick(rand, 2);
    unsigned l = row->flags & X86_ROW_VEX_L0 ? 0 : row->flags & X86_ROW_VEX_L1 ? 1 : pick(rand, 2);
    unsigned vvvv = row->flags & X86_ROW_NO_VVVV ? 15 : pick(rand, 16);

    b[0] = 0xc4;
    b[1] = (uint8_t)((code_size == 8 ? pick(rand, 8) : 6 + pick(rand, 2)) << 5 | row->map);
    b[2] = (uint8_t)(w << 7 | vvvv << 3 | l << 2 | row->pp);
    b[3] = row->opcode;
    return 4;
}

static unsigned
make_evex(GRand *rand, const X86OpRow *row, unsigned code_size, uint8_t *b)
{
    unsigned w = row->flags & X86_ROW_W0 ? 0 : row->flags & X86_ROW_W1 ? 1 : pick(rand, 2);
    unsigned ll = row->flags & X86_ROW_LL2      ? 2
                  : row->flags & X86_ROW_LL12   ? 1 + pick(rand, 2)
                  : row->flags & X86_ROW_VEX_L0 ? 0
                                                : pick(rand, 3);
    unsigned vvvv = row->flags & X86_ROW_NO_VVVV ? 15 : pick(rand, 16);
    bool vsib = uses_kind(row, X86_OP_VSIB);

    b[0] = 0x62;
    b[1] = (uint8_t)((code_size == 8 ? pick(rand, 16) : 13 | pick(rand, 2)) << 4 | row->map);
    b[2] = (uint8_t)(w << 7 | (vsib ? 15 : vvvv) << 3 | 4 | row->pp);
    b[3] = (uint8_t)(ll << 5 | (pick(rand, 4) == 0) << 4 |
                     (vsib         ? pick(rand, 2)
                      : vvvv == 15 ? 1
                                   : pick(rand, 2))
                         << 3 |
                     (pick(rand, 2) ? pick(rand, 8) : 0));
    b[3] |= b[3] & 7 && pick(rand, 2) ? 0x80 : 0;
    if (vsib) {
        b[3] = (uint8_t)((b[3] & 0x68) | (1 + pick(rand, 7)));
    }
    b[4] = row->opcode;
    return 5;
}

/* False when these random choices made another instruction. */
static bool
make_guest(Case *c, const X86OpRow *row, unsigned code_size)
{
    uint8_t b[32];
    unsigned n;

    for (unsigned i = 0; i < sizeof(b); i++) {
        b[i] = (uint8_t)g_rand_int(c->rand);
    }
    n = row->encoding == X86_ENC_EVEX  ? make_evex(c->rand, row, code_size, b)
        : row->encoding == X86_ENC_VEX ? make_vex(c->rand, row, code_size, b)
                                       : make_legacy(c->rand, row, code_size, b);
    b[n] = make_modrm(c->rand, row);
    if (row->encoding == X86_ENC_LEGACY && n && row->map == X86_MAP_1B &&
        (row->opcode & 0xc0) == 0 && !uses_kind(row, X86_OP_MODRM_RM)) {
        b[n] = (uint8_t)g_rand_int(c->rand); /* an immediate */
    }
    return x86_decode(b, 15, code_size, &c->guest) == X86_DECODE_OK && c->guest.row == row;
}

/* Every guest register in a host register of its own, RAX..RBX, RSI and RDI at home, RSP, RBP and
 * the scratch register never used. */
static void
make_map(Case *c)
{
    uint8_t free_hosts[] = { 8, 9, 10, 11, 12, 13, 15 };
    unsigned left = G_N_ELEMENTS(free_hosts);

    for (unsigned r = 0; r < 16; r++) {
        bool home = r < 4 || r == X86_RSI || r == X86_RDI;

        c->map[r] = (uint8_t)r;
        if (!home) {
            unsigned k = pick(c->rand, left);
            /* More guest registers than hosts: the later ones share, which encoding never minds. */
            c->map[r] = free_hosts[k];
            if (left > 1) {
                free_hosts[k] = free_hosts[--left];
            }
        }
    }
}

static void
make_memory(Case *c)
{
    static const int32_t disps[] = { 0, 0, 8, -128, 0x1234, INT32_MIN };

    c->mem = tcg_mem(pick(c->rand, 16), disps[pick(c->rand, G_N_ELEMENTS(disps))]);
    if (pick(c->rand, 2)) {
        c->mem.index = (uint8_t)pick(c->rand, 16);
        c->mem.scale = (uint8_t)pick(c->rand, 4);
        if (c->mem.index == X86_RSP) {
            c->mem.index = TCG_NO_REG;
            c->mem.scale = 0;
        }
    }
}

static bool
may_be_refused(const X86Insn *insn)
{
    static const char *const names[] = { "aaa", "aas",  "aam",  "aad", "daa",
                                         "das", "salc", "xlat", "cld", "std" };
    const char *mnemonic = insn->row->mnemonic;

    if (insn->row->class_ != X86_CLASS_INT && insn->row->class_ != X86_CLASS_VEC &&
        insn->row->class_ != X86_CLASS_X87) {
        return true;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(mnemonic, names[i]) == 0) {
            return true;
        }
    }
    return insn->is_memory && mnemonic[0] == 'b' && mnemonic[1] == 't' &&
           uses_kind(insn->row, X86_OP_MODRM_REG);
}

static bool
is_nop(const X86Insn *insn)
{
    return strcmp(insn->row->mnemonic, "nop") == 0 || strcmp(insn->row->mnemonic, "prefetchw") == 0;
}

static bool
is_high(const X86Insn *insn, unsigned size, unsigned number)
{
    return size == 1 && number >= 4 && number < 8 && !insn->rex_present &&
           insn->encoding == X86_ENC_LEGACY;
}

/* One register field before and after. HIGH_MOVED: AH..BH went through the scratch register. */
static void
check_field(const Case *c, const X86Insn *host, unsigned size, unsigned guest_number,
            unsigned host_number, bool high_moved)
{
    bool byte = size == 1 || (size == X86_SZ_V && c->guest.operand_size == 1);

    if (is_high(&c->guest, byte ? 1 : 2, guest_number)) {
        if (high_moved) {
            g_assert_cmpuint(host_number, ==, SCRATCH);
        } else {
            g_assert_true(is_high(host, 1, host_number));
            g_assert_cmpuint(host_number, ==, guest_number);
        }
        return;
    }
    g_assert_cmpuint(host_number, ==, c->map[guest_number & 15]);
    g_assert_false(is_high(host, byte ? 1 : 2, host_number));
}

static void
check_operand(const Case *c, const X86Operand *operand, const X86Insn *host, bool high_moved)
{
    const X86Insn *guest = &c->guest;

    switch (operand->kind) {
    case X86_OP_MODRM_REG:
        check_field(c, host, operand->size, guest->reg, host->reg, high_moved);
        break;
    case X86_OP_MODRM_RM:
    case X86_OP_MODRM_R:
    case X86_OP_OPCODE_REG:
        if (!guest->is_memory) {
            check_field(c, host, operand->size, guest->rm, host->rm, high_moved);
        }
        break;
    case X86_OP_VVVV: check_field(c, host, 8, guest->vvvv, host->vvvv, high_moved); break;
    case X86_OP_KREG:
    case X86_OP_VEC_REG: g_assert_cmpuint(host->reg, ==, guest->reg); break;
    case X86_OP_MMX_REG: g_assert_cmpuint(host->reg & 7, ==, guest->reg & 7); break;
    case X86_OP_KRM:
    case X86_OP_VEC_RM:
        if (!guest->is_memory) {
            g_assert_cmpuint(host->rm, ==, guest->rm);
        }
        break;
    case X86_OP_MMX_RM:
    case X86_OP_STI:
        if (!guest->is_memory) {
            g_assert_cmpuint(host->rm & 7, ==, guest->rm & 7);
        }
        break;
    case X86_OP_KVVVV:
    case X86_OP_VEC_VVVV: g_assert_cmpuint(host->vvvv, ==, guest->vvvv); break;
    case X86_OP_IMM:
        g_assert_cmphex(host->imm, ==, guest->imm);
        g_assert_cmphex(host->imm2, ==, guest->imm2);
        break;
    case X86_OP_VEC_IS4:
        g_assert_cmphex(host->imm & 0x7f, ==, guest->imm & 0x7f);
        if (guest->code_size == 8) {
            g_assert_cmphex(host->imm, ==, guest->imm);
        } else {
            g_assert_cmphex(host->imm & 0x80, ==, 0);
        }
        break;
    default: break;
    }
}

static void
check_memory(const Case *c, const X86Insn *host)
{
    g_assert_true(host->is_memory);
    g_assert_cmpuint(host->base, ==, c->mem.base);
    g_assert_cmpuint(host->index, ==, c->mem.index == TCG_NO_REG ? X86_NO_REG : c->mem.index);
    g_assert_cmpuint(host->scale, ==, c->mem.scale);
    g_assert_cmpint(host->disp, ==, c->mem.disp);
    g_assert_false(host->segment_override);
    g_assert_cmpuint(host->address_size, ==, 8);
}

/* The widths that the guest's instruction has. */
static void
check_size(const Case *c, const X86Insn *host)
{
    const X86OpRow *row = c->guest.row;

    for (unsigned i = 0; i < G_N_ELEMENTS(row->operand); i++) {
        const X86Operand *operand = &row->operand[i];

        if (operand->kind != X86_OP_NONE &&
            (operand->size == X86_SZ_V || operand->size == X86_SZ_Z)) {
            g_assert_cmpuint(host->operand_size, ==, c->guest.operand_size);
        } else if (operand->size == X86_SZ_Y) {
            g_assert_cmpuint(host->rex_w, ==, c->guest.rex_w && c->guest.code_size == 8);
        } else if (operand->size == X86_SZ_VEC) {
            g_assert_cmpuint(host->vex_l, ==, c->guest.vex_l);
        }
    }
    g_assert_cmpuint(tcg_memory_access(host), ==, tcg_memory_access(&c->guest));
    if (row->class_ != X86_CLASS_SYSTEM) {
        g_assert_cmpuint(tcg_memory_size(host), ==, tcg_memory_size(&c->guest));
    }
}

static void
check_instruction(const Case *c, const X86Insn *host, bool high_moved)
{
    const X86OpRow *row = c->guest.row;
    bool moffs = uses_kind(row, X86_OP_MOFFS);

    g_assert_cmpstr(host->row->mnemonic, ==, row->mnemonic);
    if (moffs) {
        g_assert_cmpuint(host->reg, ==, X86_RAX);
    } else if (host->row == row) {
        for (unsigned i = 0; i < G_N_ELEMENTS(row->operand); i++) {
            check_operand(c, &row->operand[i], host, high_moved);
        }
    } else if (row->opcode == 0x82) {
        g_assert_cmphex(host->imm, ==, c->guest.imm);
        if (!c->guest.is_memory) {
            check_field(c, host, 1, c->guest.rm, host->rm, high_moved);
        }
    } else {
        g_assert_true(row->flags & X86_ROW_NO64);
        check_field(c, host, X86_SZ_V, c->guest.rm, host->rm, high_moved);
    }
    check_size(c, host);
    g_assert_cmpuint(host->evex_aaa, ==, c->guest.evex_aaa);
    g_assert_cmpuint(host->evex_b, ==, c->guest.evex_b);
    g_assert_cmpuint(host->evex_z, ==, c->guest.evex_z);
    g_assert_cmpuint(host->evex_ll, ==, c->guest.evex_ll);
    g_assert_cmpuint(host->lock, ==, c->guest.lock);
    if (c->guest.is_memory || moffs) {
        check_memory(c, host);
    }
}

/* Decodes all that was emitted: the instruction, perhaps between moves of a high byte. */
static void
check_code(const Case *c, csh capstone)
{
    X86Insn host[8];
    size_t len = tcg_asm_offset(&c->a), at = 0;
    unsigned count = 0, which = 0;
    cs_insn *theirs;

    g_assert_false(tcg_asm_failed(&c->a));
    while (at < len) {
        g_assert_cmpuint(count, <, G_N_ELEMENTS(host));
        g_assert_cmpint(x86_decode(c->code + at, len - at, 8, &host[count]), ==, X86_DECODE_OK);
        at += host[count++].length;
    }
    g_assert_cmpuint(at, ==, len);
    if (count > 1) {
        g_assert_true(count == 4 || count == 7);
        /* Only the instruction itself names memory or is not one of the moves. */
        which = strcmp(host[0].row->mnemonic, "xchg") == 0 && !host[0].is_memory &&
                        host[0].operand_size == 1 && strcmp(host[1].row->mnemonic, "mov") == 0 &&
                        host[1].rm == SCRATCH
                    ? 3
                    : 0;
    }
    check_instruction(c, &host[which], count > 1);
    if (cs_disasm(capstone, c->code, len, 0, 1, &theirs) == 1) {
        g_assert_cmpuint(theirs->size, ==, host[0].length);
        cs_free(theirs, 1);
    }
}

static void
run_case(Case *c, csh capstone)
{
    TcgReencodeResult result;

    make_map(c);
    make_memory(c);
    tcg_asm_init(&c->a, c->code, sizeof(c->code), 0);
    result = tcg_reencode(&c->a, &c->guest, c->map, &c->mem, SCRATCH);
    if (result == TCG_REENCODE_CANNOT) {
        g_assert_true(may_be_refused(&c->guest) || uses_kind(c->guest.row, X86_OP_VSIB));
        g_assert_cmpuint(tcg_asm_offset(&c->a), ==, 0);
        return;
    }
    g_assert_cmpint(result, ==, TCG_REENCODE_OK);
    g_assert_false(may_be_refused(&c->guest));
    if (is_nop(&c->guest)) {
        g_assert_cmpuint(tcg_asm_offset(&c->a), ==, 0);
    } else {
        check_code(c, capstone);
    }
}

static void
test_rows(gconstpointer data)
{
    unsigned code_size = GPOINTER_TO_UINT(data);
    const char *text = g_getenv("VIT_REENCODE_ROUNDS");
    unsigned rounds = text ? (unsigned)strtoul(text, NULL, 10) : 60;
    g_autoptr(GRand) rand = g_rand_new_with_seed(code_size + 7);
    Case c = { .rand = rand };
    const X86OpRow *row;
    unsigned missed = 0;
    csh capstone;

    g_assert_cmpint(cs_open(CS_ARCH_X86, CS_MODE_64, &capstone), ==, CS_ERR_OK);
    for (size_t i = 0; (row = x86_op_row(i)) != NULL; i++) {
        unsigned hits = 0;

        if (row->flags & (code_size == 8 ? X86_ROW_NO64 : X86_ROW_ONLY64)) {
            continue;
        }
        for (unsigned k = 0; k < rounds; k++) {
            if (make_guest(&c, row, code_size)) {
                hits++;
                run_case(&c, capstone);
            }
        }
        if (hits == 0) {
            g_test_message("never made: %s, opcode %02x", row->mnemonic, row->opcode);
            missed++;
        }
    }
    cs_close(&capstone);
    /* Rows that other prefixes or the mode shadow are few. */
    g_assert_cmpuint(missed, <=, code_size == 8 ? 0 : 24);
}

static void
reencode_bytes(Case *c, unsigned code_size, const char *bytes, size_t len, TcgReencodeResult want,
               unsigned scratch)
{
    g_assert_cmpint(x86_decode((const uint8_t *)bytes, len, code_size, &c->guest), ==,
                    X86_DECODE_OK);
    tcg_asm_init(&c->a, c->code, sizeof(c->code), 0);
    g_assert_cmpint(tcg_reencode(&c->a, &c->guest, c->map, &c->mem, scratch), ==, want);
}

/* What is refused for want of something, and nothing is emitted then. */
static void
test_refused(void)
{
    Case c = { .mem = tcg_mem(13, 4) };

    for (unsigned i = 0; i < 16; i++) {
        c.map[i] = (uint8_t)i;
    }
    /* mov [rax], ah with the memory at r13 */
    reencode_bytes(&c, 8, "\x88\x20", 2, TCG_REENCODE_SCRATCH, TCG_NO_REG);
    reencode_bytes(&c, 8, "\x88\x20", 2, TCG_REENCODE_OK, SCRATCH);
    c.mem = tcg_mem(X86_RSI, 4);
    reencode_bytes(&c, 8, "\x88\x20", 2, TCG_REENCODE_OK, TCG_NO_REG);
    c.map[9] = TCG_NO_REG;
    reencode_bytes(&c, 8, "\x4d\x01\xc1", 3, TCG_REENCODE_NO_HOME, SCRATCH); /* add r9, r8 */
    c.map[9] = 9;
    c.map[X86_RCX] = 12;
    reencode_bytes(&c, 8, "\xd3\xe0", 2, TCG_REENCODE_NO_HOME, SCRATCH); /* shl eax, cl */
    reencode_bytes(&c, 8, "\xc3", 1, TCG_REENCODE_CANNOT, SCRATCH);
    g_assert_cmpint(tcg_reencode(&c.a, &c.guest, c.map, NULL, SCRATCH), ==, TCG_REENCODE_CANNOT);
    g_assert_cmpint(x86_decode((const uint8_t *)"\x8b\x00", 2, 8, &c.guest), ==, X86_DECODE_OK);
    g_assert_cmpint(tcg_reencode(&c.a, &c.guest, c.map, NULL, SCRATCH), ==, TCG_REENCODE_NO_MEMORY);
    g_assert_cmpuint(tcg_asm_offset(&c.a), ==, 0);
}

static void
expect_use(const char *bytes, size_t len, unsigned code_size, TcgRegUse want)
{
    X86Insn insn;
    TcgRegUse use;

    g_assert_cmpint(x86_decode((const uint8_t *)bytes, len, code_size, &insn), ==, X86_DECODE_OK);
    tcg_reg_use(&insn, &use);
    g_assert_cmphex(use.read, ==, want.read);
    g_assert_cmphex(use.written, ==, want.written);
    g_assert_cmphex(use.implicit, ==, want.implicit);
    g_assert_cmphex(use.address, ==, want.address);
    g_assert_cmphex(use.high_byte, ==, want.high_byte);
}

#define BIT(reg) (1u << X86_##reg)

static void
test_register_use(void)
{
    /* add [rbx + r9 * 4], ecx */
    expect_use("\x42\x01\x0c\x8b", 4, 8,
               (TcgRegUse){ .read = BIT(RCX), .address = BIT(RBX) | BIT(R9) });
    /* mov ah, bl: the rest of rax stays */
    expect_use("\x88\xdc", 2, 8,
               (TcgRegUse){ .read = BIT(RAX) | BIT(RBX), .written = BIT(RAX), .high_byte = 1 });
    /* mov spl, bl */
    expect_use("\x40\x88\xdc", 3, 8,
               (TcgRegUse){ .read = BIT(RSP) | BIT(RBX), .written = BIT(RSP) });
    /* mul r10 */
    expect_use("\x49\xf7\xe2", 3, 8,
               (TcgRegUse){ .read = BIT(RAX) | BIT(R10),
                            .written = BIT(RAX) | BIT(RDX),
                            .implicit = BIT(RAX) | BIT(RDX) });
    /* lahf */
    expect_use(
        "\x9f", 1, 8,
        (TcgRegUse){ .read = BIT(RAX), .written = BIT(RAX), .implicit = BIT(RAX), .high_byte = 1 });
    /* rep movsb */
    expect_use("\xf3\xa4", 2, 8,
               (TcgRegUse){ .read = BIT(RCX) | BIT(RSI) | BIT(RDI),
                            .written = BIT(RCX) | BIT(RSI) | BIT(RDI),
                            .implicit = BIT(RCX) | BIT(RSI) | BIT(RDI) });
    /* push rdi */
    expect_use(
        "\x57", 1, 8,
        (TcgRegUse){ .read = BIT(RSP) | BIT(RDI), .written = BIT(RSP), .implicit = BIT(RSP) });
    /* cvtsi2sd xmm1, r11 */
    expect_use("\xf2\x49\x0f\x2a\xcb", 5, 8, (TcgRegUse){ .read = BIT(R11) });
    /* vpgatherdd xmm1, [rax + xmm2], xmm3: the index is no general register */
    expect_use("\xc4\xe2\x61\x90\x0c\x10", 6, 8, (TcgRegUse){ .address = BIT(RAX) });
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/tcg/reencode/rows-64", GUINT_TO_POINTER(8), test_rows);
    g_test_add_data_func("/tcg/reencode/rows-32", GUINT_TO_POINTER(4), test_rows);
    g_test_add_data_func("/tcg/reencode/rows-16", GUINT_TO_POINTER(2), test_rows);
    g_test_add_func("/tcg/reencode/refused", test_refused);
    g_test_add_func("/tcg/reencode/register-use", test_register_use);
    return g_test_run();
}
