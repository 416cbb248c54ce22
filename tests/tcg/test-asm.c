/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The host encoder, judged by the disassembly of an independent decoder: every register in every
 * place, every addressing form, labels, patching, and the sticky failures. */

/* Two enumerators have the same name in both worlds. */
#define X86_REG_RIP CAPSTONE_REG_RIP
#define X86_OP_IMM  CAPSTONE_OP_IMM
#include <capstone/capstone.h>
#undef X86_REG_RIP
#undef X86_OP_IMM

#include "asm.h"
#include "x86-insn.h"

#include <string.h>

static const char *const names[4][16] = {
    { "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b",
      "r13b", "r14b", "r15b" },
    { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w", "r13w",
      "r14w", "r15w" },
    { "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d",
      "r13d", "r14d", "r15d" },
    { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
      "r13", "r14", "r15" },
};

static const char *
name(unsigned size, unsigned reg)
{
    return names[__builtin_ctz(size)][reg];
}

typedef struct Rig {
    csh capstone;
    uint8_t buffer[4096];
    TcgAsm a;
} Rig;

static void
setup(Rig *rig, gconstpointer unused)
{
    g_assert_cmpint(cs_open(CS_ARCH_X86, CS_MODE_64, &rig->capstone), ==, CS_ERR_OK);
    tcg_asm_init(&rig->a, rig->buffer, sizeof(rig->buffer), 0);
}

static void
teardown(Rig *rig, gconstpointer unused)
{
    cs_close(&rig->capstone);
}

/* What was emitted since the last call is one instruction with this text. */
G_GNUC_PRINTF(2, 3)
static void
expect(Rig *rig, const char *format, ...)
{
    g_autofree char *want = NULL, *have = NULL;
    cs_insn *insn;
    va_list args;
    size_t count;

    va_start(args, format);
    want = g_strdup_vprintf(format, args);
    va_end(args);
    g_assert_false(tcg_asm_failed(&rig->a));
    count = cs_disasm(rig->capstone, rig->buffer, tcg_asm_offset(&rig->a), (uintptr_t)rig->buffer,
                      0, &insn);
    g_assert_cmpuint(count, ==, 1);
    g_assert_cmpuint(insn->size, ==, tcg_asm_offset(&rig->a));
    have = insn->op_str[0] ? g_strdup_printf("%s %s", insn->mnemonic, insn->op_str)
                           : g_strdup(insn->mnemonic);
    g_assert_cmpstr(have, ==, want);
    cs_free(insn, count);
    rig->a.at = rig->a.start;
}

static void
test_registers(Rig *rig, gconstpointer unused)
{
    static const char *const alu[] = { "add", "or", "adc", "sbb", "and", "sub", "xor", "cmp" };
    TcgAsm *a = &rig->a;

    for (unsigned size = 1; size <= 8; size *= 2) {
        for (unsigned x = 0; x < 16; x++) {
            for (unsigned y = 0; y < 16; y++) {
                unsigned op = (x + y) & 7;

                tcg_asm_mov_rr(a, size, x, y);
                expect(rig, "mov %s, %s", name(size, x), name(size, y));
                tcg_asm_alu_rr(a, op, size, x, y);
                expect(rig, "%s %s, %s", alu[op], name(size, x), name(size, y));
                tcg_asm_test_rr(a, size, x, y);
                expect(rig, "test %s, %s", name(size, x), name(size, y));
                if (size >= 4) {
                    tcg_asm_shrx_rrr(a, size, x, y, 15 - x);
                    expect(rig, "shrx %s, %s, %s", name(size, x), name(size, y),
                           name(size, 15 - x));
                    tcg_asm_rorx_rri(a, size, x, y, 8);
                    expect(rig, "rorx %s, %s, 8", name(size, x), name(size, y));
                    tcg_asm_pext_rrr(a, size, x, y, 15 - x);
                    expect(rig, "pext %s, %s, %s", name(size, x), name(size, y),
                           name(size, 15 - x));
                    tcg_asm_movzx_rr(a, x, 1, y);
                    expect(rig, "movzx %s, %s", name(4, x), name(1, y));
                    tcg_asm_movsx_rr(a, size, x, 2, y);
                    expect(rig, "movsx %s, %s", name(size, x), name(2, y));
                    tcg_asm_cmov_rr(a, TCG_NE, size, x, y);
                    expect(rig, "cmovne %s, %s", name(size, x), name(size, y));
                    tcg_asm_bit_rr(a, TCG_BTS, size, x, y);
                    expect(rig, "bts %s, %s", name(size, x), name(size, y));
                    tcg_asm_imul_rr(a, size, x, y);
                    expect(rig, "imul %s, %s", name(size, x), name(size, y));
                }
            }
            tcg_asm_unary_r(a, TCG_NEG, size, x);
            expect(rig, "neg %s", name(size, x));
            tcg_asm_unary_r(a, TCG_DEC, size, x);
            expect(rig, "dec %s", name(size, x));
            tcg_asm_shift_ri(a, TCG_SAR, size, x, 5);
            expect(rig, "sar %s, 5", name(size, x));
            tcg_asm_alu_ri(a, TCG_CMP, size, x, 0x12);
            expect(rig, "cmp %s, 0x12", name(size, x));
        }
    }
    for (unsigned x = 0; x < 16; x++) {
        tcg_asm_setcc_r(a, TCG_O, x);
        expect(rig, "seto %s", name(1, x));
        tcg_asm_push_r(a, x);
        expect(rig, "push %s", name(8, x));
        tcg_asm_pop_r(a, x);
        expect(rig, "pop %s", name(8, x));
        tcg_asm_jmp_r(a, x);
        expect(rig, "jmp %s", name(8, x));
        tcg_asm_call_r(a, x);
        expect(rig, "call %s", name(8, x));
        tcg_asm_bswap(a, 8, x);
        expect(rig, "bswap %s", name(8, x));
        tcg_asm_mov_ri(a, x, 0x12345678);
        expect(rig, "mov %s, 0x12345678", name(4, x));
        tcg_asm_mov_ri(a, x, ~UINT64_C(0));
        expect(rig, "mov %s, -1", name(8, x));
        tcg_asm_mov_ri(a, x, UINT64_C(0x123456789abcdef0));
        expect(rig, "movabs %s, 0x123456789abcdef0", name(8, x));
    }
    tcg_asm_xchg_al_ah(a, X86_RBX);
    expect(rig, "xchg bh, bl");
}

static void
test_memory(Rig *rig, gconstpointer unused)
{
    static const int32_t disps[] = { 0, 1, -128, 127, 128, -129, INT32_MAX, INT32_MIN };
    TcgAsm *a = &rig->a;

    for (unsigned base = 0; base < 16; base++) {
        for (unsigned d = 0; d < G_N_ELEMENTS(disps); d++) {
            TcgMem mem = tcg_mem(base, disps[d]);
            g_autofree char *tail =
                disps[d] == 0  ? g_strdup("")
                : disps[d] > 0 ? g_strdup_printf(disps[d] > 9 ? " + 0x%x" : " + %d", disps[d])
                               : g_strdup_printf(" - 0x%x", -(unsigned)disps[d]);

            tcg_asm_mov_rm(a, 8, 15 - base, mem);
            expect(rig, "mov %s, qword ptr [%s%s]", name(8, 15 - base), name(8, base), tail);
            tcg_asm_alu_mi(a, TCG_SUB, 4, mem, 3);
            expect(rig, "sub dword ptr [%s%s], 3", name(8, base), tail);
            for (unsigned index = 0; index < 16; index++) {
                unsigned scale = (base + index) & 3;
                g_autofree char *sum =
                    scale
                        ? g_strdup_printf("%s + %s*%u", name(8, base), name(8, index), 1u << scale)
                        : g_strdup_printf("%s + %s", name(8, base), name(8, index));

                if (index == X86_RSP) {
                    continue;
                }
                tcg_asm_mov_mr(a, 1, tcg_mem_index(base, index, scale, disps[d]), base);
                expect(rig, "mov byte ptr [%s%s], %s", sum, tail, name(1, base));
            }
        }
    }
    tcg_asm_lea(a, 8, X86_R9, tcg_mem_index(TCG_NO_REG, X86_R12, 3, 0x40));
    expect(rig, "lea r9, [r12*8 + 0x40]");
    tcg_asm_mov_rm(a, 4, X86_RAX, tcg_mem_target((void *)0x1234));
    expect(rig, "mov eax, dword ptr [0x1234]");
    tcg_asm_alu_mi(a, TCG_CMP, 4, tcg_mem_target(rig->buffer + 0x100), 0x12345);
    expect(rig, "cmp dword ptr [rip + 0xf6], 0x12345");
    tcg_asm_mov_rm(a, 4, X86_RAX, tcg_mem_target((void *)(UINTPTR_MAX / 2)));
    g_assert_cmpint(a->state, ==, TCG_ASM_RANGE);
}

/* Runs through forward and backward, short and near jumps and reads them back. */
static void
test_labels(Rig *rig, gconstpointer unused)
{
    TcgAsm *a = &rig->a;
    TcgLabel back = { 0 }, ahead = { 0 }, near = { 0 };
    cs_insn *insn;
    size_t count;

    tcg_asm_bind(a, &back);
    tcg_asm_jrcxz(a, &ahead);
    tcg_asm_jcc(a, TCG_A, &near);
    tcg_asm_jmp(a, &near);
    tcg_asm_jmp_short(a, &ahead);
    tcg_asm_jcc(a, TCG_E, &back);
    tcg_asm_bind(a, &ahead);
    tcg_asm_nop(a, 200);
    tcg_asm_jcc(a, TCG_E, &back);
    tcg_asm_bind(a, &near);
    tcg_asm_call(a, &back);
    g_assert_false(tcg_asm_failed(a));
    count = cs_disasm(rig->capstone, rig->buffer, tcg_asm_offset(a), 0x1000, 0, &insn);
    g_assert_cmpuint(count, >=, 7);
    g_assert_cmpstr(insn[0].op_str, ==, "0x1011");
    g_assert_cmpstr(insn[1].op_str, ==, "0x10df");
    g_assert_cmpstr(insn[2].op_str, ==, "0x10df");
    g_assert_cmpstr(insn[3].op_str, ==, "0x1011");
    g_assert_cmpstr(insn[4].op_str, ==, "0x1000");
    g_assert_cmpuint(insn[4].size, ==, 2);
    g_assert_cmpstr(insn[count - 2].op_str, ==, "0x1000");
    g_assert_cmpuint(insn[count - 2].size, ==, 6);
    g_assert_cmpstr(insn[count - 1].op_str, ==, "0x1000");
    cs_free(insn, count);

    ahead = (TcgLabel){ 0 };
    tcg_asm_jmp_short(a, &ahead);
    tcg_asm_nop(a, 128);
    tcg_asm_bind(a, &ahead);
    g_assert_cmpint(a->state, ==, TCG_ASM_RANGE);
}

/* As many waiting references as there are fixups, twice. */
static void
test_fixups(Rig *rig, gconstpointer unused)
{
    TcgAsm *a = &rig->a;

    for (unsigned round = 0; round < 2; round++) {
        TcgLabel label = { 0 };

        a->at = a->start;
        for (unsigned i = 0; i + 1 < TCG_ASM_FIXUPS; i++) {
            tcg_asm_jmp(a, &label);
        }
        tcg_asm_bind(a, &label);
        g_assert_false(tcg_asm_failed(a));
        for (unsigned i = 0; i + 1 < TCG_ASM_FIXUPS; i++) {
            g_assert_true(tcg_asm_patch_target(a->start + i * 5 + 1, 0) ==
                          a->start + (TCG_ASM_FIXUPS - 1) * 5);
        }
    }
    TcgLabel label = { 0 };
    a->at = a->start;
    for (unsigned i = 0; i < TCG_ASM_FIXUPS; i++) {
        tcg_asm_jmp(a, &label);
    }
    g_assert_cmpint(a->state, ==, TCG_ASM_RANGE);
}

static void
test_patch(Rig *rig, gconstpointer unused)
{
    TcgAsm *a = &rig->a;

    for (unsigned skew = 0; skew < 8; skew++) {
        size_t jmp, jcc;

        tcg_asm_init(a, rig->buffer + skew, 256, 0x10000);
        jmp = tcg_asm_jmp_patchable(a, rig->buffer + 0x10000);
        jcc = tcg_asm_jcc_patchable(a, TCG_L, rig->buffer + 0x10000);
        g_assert_false(tcg_asm_failed(a));
        g_assert_cmpuint((uintptr_t)(a->start + jmp) & 3, ==, 0);
        g_assert_cmpuint((uintptr_t)(a->start + jcc) & 3, ==, 0);
        g_assert_true(tcg_asm_patch_target(a->start + jcc, 0x10000) == rig->buffer + 0x10000);
        g_assert_true(tcg_asm_patch(a->start + jcc, 0x10000, rig->buffer + 0x777));
        g_assert_true(tcg_asm_patch_target(a->start + jcc, 0x10000) == rig->buffer + 0x777);
        g_assert_true(tcg_asm_patch_target(a->start + jmp, 0x10000) == rig->buffer + 0x10000);
        g_assert_false(tcg_asm_patch(a->start + jmp, 0x10000, NULL));
    }
}

/* Any length of buffer: nothing is written past its end. */
static void
test_overflow(Rig *rig, gconstpointer unused)
{
    TcgAsm *a = &rig->a;

    for (size_t len = 0; len < 64; len++) {
        TcgLabel label = { 0 };

        memset(rig->buffer, 0xa5, 128);
        tcg_asm_init(a, rig->buffer, len, 0);
        for (unsigned i = 0; i < 10; i++) {
            tcg_asm_mov_ri(a, X86_R9, UINT64_C(0x1122334455667788));
            tcg_asm_jmp(a, &label);
        }
        tcg_asm_bind(a, &label);
        tcg_asm_align(a, 64);
        g_assert_cmpint(a->state, ==, TCG_ASM_FULL);
        g_assert_cmpuint(tcg_asm_offset(a), <=, len);
        for (size_t i = len; i < 128; i++) {
            g_assert_cmphex(rig->buffer[i], ==, 0xa5);
        }
    }
}

static void
test_alignment(Rig *rig, gconstpointer unused)
{
    for (size_t len = 0; len < 40; len++) {
        cs_insn *insn;
        size_t count;

        rig->a.at = rig->a.start;
        tcg_asm_nop(&rig->a, len);
        g_assert_cmpuint(tcg_asm_offset(&rig->a), ==, len);
        count = cs_disasm(rig->capstone, rig->buffer, len, 0, 0, &insn);
        g_assert_cmpuint(count, ==, (len + 8) / 9);
        for (size_t i = 0; i < count; i++) {
            g_assert_true(strcmp(insn[i].mnemonic, "nop") == 0 ||
                          strcmp(insn[i].mnemonic, "xchg") == 0);
        }
        cs_free(insn, count);
        tcg_asm_align(&rig->a, 32);
        g_assert_cmpuint((uintptr_t)tcg_asm_here(&rig->a) & 31, ==, 0);
    }
}

static void
test_others(Rig *rig, gconstpointer unused)
{
    TcgAsm *a = &rig->a;
    TcgMem mem = tcg_mem(X86_RBP, 0x10);

    tcg_asm_lock(a);
    tcg_asm_cmpxchg_mr(a, 8, mem, X86_R14);
    expect(rig, "lock cmpxchg qword ptr [rbp + 0x10], r14");
    tcg_asm_lock(a);
    tcg_asm_xadd_mr(a, 1, mem, X86_RSI);
    expect(rig, "lock xadd byte ptr [rbp + 0x10], sil");
    tcg_asm_xchg_mr(a, 2, mem, X86_R8);
    expect(rig, "xchg word ptr [rbp + 0x10], r8w");
    tcg_asm_mov_mi(a, 8, mem, -5);
    expect(rig, "mov qword ptr [rbp + 0x10], -5");
    tcg_asm_mov_mi(a, 2, mem, 5);
    expect(rig, "mov word ptr [rbp + 0x10], 5");
    tcg_asm_alu_mr(a, TCG_XOR, 8, mem, X86_R15);
    expect(rig, "xor qword ptr [rbp + 0x10], r15");
    tcg_asm_alu_rm(a, TCG_ADD, 8, X86_R15, mem);
    expect(rig, "add r15, qword ptr [rbp + 0x10]");
    tcg_asm_shrx_rmr(a, 8, X86_R14, mem, X86_RCX);
    expect(rig, "shrx r14, qword ptr [rbp + 0x10], rcx");
    tcg_asm_pext_rrm(a, 8, X86_R14, X86_R15, mem);
    expect(rig, "pext r14, r15, qword ptr [rbp + 0x10]");
    tcg_asm_setcc_m(a, TCG_O, mem);
    expect(rig, "seto byte ptr [rbp + 0x10]");
    tcg_asm_movsx_rm(a, 8, X86_R11, 4, mem);
    expect(rig, "movsxd r11, dword ptr [rbp + 0x10]");
    tcg_asm_jmp_m(a, mem);
    expect(rig, "jmp qword ptr [rbp + 0x10]");
    tcg_asm_push_m(a, mem);
    expect(rig, "push qword ptr [rbp + 0x10]");
    tcg_asm_rep_movs(a, 8);
    expect(rig, "rep movsq qword ptr [rdi], qword ptr [rsi]");
    tcg_asm_call_far(a, (void *)UINT64_C(0x7fff12345678), X86_R14);
    a->at -= 3; /* the call itself */
    expect(rig, "movabs r14, 0x7fff12345678");
}

/* Capstone 4 does not know these; the bytes are what another assembler makes of the text. */
static void
test_evex(Rig *rig, gconstpointer unused)
{
    static const uint8_t want[] = {
        0x62, 0x01, 0xfd, 0xcb, 0x6f, 0x4c,
        0xa5, 0x02,                         /* vmovdqa64 0x80(%r13,%r12,4),
                                               %zmm25{%k3}{z} */
        0x62, 0x81, 0x0d, 0x20, 0xfe, 0xca, /* vpaddd %ymm26,%ymm30,%ymm17 */
    };
    const TcgOp load = { .opcode = X86_MAP_0F << 8 | 0x6f, .prefix = 0x66, .wide = true };
    const TcgOp add = { .opcode = X86_MAP_0F << 8 | 0xfe, .prefix = 0x66 };
    const TcgEvex masked = { .ll = 2, .aaa = 3, .z = true, .disp_shift = 6 };
    const TcgEvex three = { .ll = 1, .vvvv = 30 };

    tcg_asm_evex_rm(&rig->a, &load, &masked, 25, tcg_mem_index(X86_R13, X86_R12, 2, 0x80));
    tcg_asm_evex_rr(&rig->a, &add, &three, 17, 26);
    g_assert_cmpmem(rig->buffer, tcg_asm_offset(&rig->a), want, sizeof(want));
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(Rig *, gconstpointer);
    } tests[] = {
        { "registers", test_registers }, { "memory", test_memory }, { "labels", test_labels },
        { "fixups", test_fixups },       { "patch", test_patch },   { "overflow", test_overflow },
        { "alignment", test_alignment }, { "others", test_others }, { "evex", test_evex },
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strconcat("/tcg/asm/", tests[i].name, NULL);
        g_test_add(path, Rig, NULL, setup, tests[i].run, teardown);
    }
    return g_test_run();
}
