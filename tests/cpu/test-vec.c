/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* SIMD, MMX and x87 where the host's user mode cannot be the judge: what CR0, CR4 and XCR0 forbid,
 * pending errors and the FERR# pin, real-mode environments, supervisor forms, the stub cache.
 * Intel SDM volume 1 8.1.10 and 8.7, volume 3 table 2-2 and 13.1; AMD APM volume 2 (FFXSR). */

#include "cpu-rig.h"

#include "x86-fpu.h"
#include "x86-vector.h"

#include <string.h>

#define GPR(rig, reg) ((rig)->core->s.gpr[X86_##reg])

/* Everything on, as an operating system leaves it. */
static void
enable_all(Rig *rig)
{
    X86State *s = &rig->core->s;

    s->cr0 |= X86_CR0_NE | X86_CR0_MP;
    s->cr0 &= ~(uint64_t)(X86_CR0_EM | X86_CR0_TS);
    s->cr4 |= X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_OSXSAVE;
    s->xcr0 = 7;
    x86_fpu_init(&s->fpu);
    s->mxcsr = X86_MXCSR_DEFAULT;
    GPR(rig, RSI) = GPR(rig, RDI) = RIG_DATA;
    memset(rig_ram(rig, RIG_DATA), 0, 4096);
    x86_state_changed(rig->core);
}

/* ---- Gates ---- */

typedef struct Gate {
    const char *hex;
    const char *name;
    int em, ts, no_osfxsr, no_osxsave, no_avx; /* vector each condition alone leads to, -1 none */
} Gate;

static const Gate gates[] = {
    { "0f 28 c1", "movaps", 6, 7, 6, -1, -1 },
    { "0f 58 06", "addps", 6, 7, 6, -1, -1 },
    { "0f fc c1", "paddb mm", 6, 7, -1, -1, -1 },
    { "0f 77", "emms", 6, 7, -1, -1, -1 },
    { "66 0f 38 17 c1", "ptest", 6, 7, 6, -1, -1 },
    { "c5 f0 58 c2", "vaddps", -1, 7, -1, 6, 6 },
    { "c5 f8 77", "vzeroupper", -1, 7, -1, 6, 6 },
    { "c4 e2 7d 2c 06", "vmaskmovps", -1, 7, -1, 6, 6 },
    { "0f ae 16", "ldmxcsr", 6, 7, 6, -1, -1 },
    { "0f ae 06", "fxsave", 7, 7, -1, -1, -1 },
    { "0f ae 26", "xsave", -1, 7, -1, 6, -1 },
    { "d9 e8", "fld1", 7, 7, -1, -1, -1 },
    { "df e0", "fnstsw ax", 7, 7, -1, -1, -1 },
    { "db e3", "fninit", 7, 7, -1, -1, -1 },
    { "9b", "fwait", -1, 7, -1, -1, -1 },
    { "0f c3 06", "movnti", -1, -1, -1, -1, -1 },
    { "f3 0f b8 c1", "popcnt", -1, -1, -1, -1, -1 },
};

static int
vector_with(Rig *rig, const Gate *gate, uint64_t cr0, uint64_t no_cr4, uint64_t xcr0)
{
    rig_reset(rig, RIG_LONG64);
    enable_all(rig);
    rig->core->s.cr0 |= cr0;
    rig->core->s.cr4 &= ~no_cr4;
    rig->core->s.xcr0 = xcr0;
    rig_code(rig, gate->hex);
    rig_run(rig);
    return rig_vector(rig);
}

/* The model is the host: it may lack what the gate is about, which then is no instruction. */
static bool
is_offered(Rig *rig, const Gate *gate)
{
    X86Insn insn;

    rig_code(rig, gate->hex);
    g_assert_cmpint(x86_decode(rig_ram(rig, RIG_CODE), 15, 8, &insn), ==, X86_DECODE_OK);
    return x86_model_has(&rig->model, insn.row->feature);
}

static void
test_gates(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    for (unsigned i = 0; i < G_N_ELEMENTS(gates); i++) {
        const Gate *gate = &gates[i];

        g_test_message("%s", gate->name);
        if (!is_offered(rig, gate)) {
            g_assert_cmpint(vector_with(rig, gate, 0, 0, 7), ==, X86_EXC_UD);
            continue;
        }
        g_assert_cmpint(vector_with(rig, gate, 0, 0, 7), ==, -1);
        g_assert_cmpint(vector_with(rig, gate, X86_CR0_EM, 0, 7), ==, gate->em);
        g_assert_cmpint(vector_with(rig, gate, X86_CR0_TS, 0, 7), ==, gate->ts);
        g_assert_cmpint(vector_with(rig, gate, 0, X86_CR4_OSFXSR, 7), ==, gate->no_osfxsr);
        g_assert_cmpint(vector_with(rig, gate, 0, X86_CR4_OSXSAVE, 7), ==, gate->no_osxsave);
        g_assert_cmpint(vector_with(rig, gate, 0, 0, 3), ==, gate->no_avx);
    }
}

static void
test_fwait_needs_mp(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_PROT32);

    enable_all(rig);
    rig->core->s.cr0 &= ~(uint64_t)X86_CR0_MP;
    rig->core->s.cr0 |= X86_CR0_TS | X86_CR0_EM;
    rig_code(rig, "9b");
    rig_run(rig);
    g_assert_cmpint(rig_vector(rig), ==, -1);
}

static void
test_no_vex_in_real_mode(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_REAL16);

    enable_all(rig);
    rig_code(rig, "c5 f0 58 c2");
    rig_run(rig);
    g_assert_cmpint(rig_vector(rig), ==, X86_EXC_UD);
    rig_reset(rig, RIG_REAL16);
    enable_all(rig);
    rig_code(rig, "0f 58 c2"); /* its legacy form is fine there */
    rig_run(rig);
    g_assert_cmpint(rig_vector(rig), ==, -1);
}

/* ---- x87 errors ---- */

static unsigned ferr_calls; /* tests run on one thread */
static bool ferr_ignored;

static bool
on_ferr(void *opaque)
{
    ferr_calls++;
    return ferr_ignored;
}

/* fld1; fldz; fdivp with ZE unmasked: pending after the division. */
#define DIVIDE_BY_ZERO "d9 e8 d9 ee de f9 "

static void
test_pending_error(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    enable_all(rig);
    rig->core->s.fpu.fcw = 0x37b;
    rig_code(rig, DIVIDE_BY_ZERO "df e0 db e2 d9 e8"); /* fnstsw, fnclex: do not wait */
    rig_run(rig);
    g_assert_cmpint(rig_vector(rig), ==, -1);
    g_assert_cmphex(GPR(rig, RAX) & 0x8084, ==, 0x8084);

    rig_reset(rig, RIG_LONG64);
    enable_all(rig);
    rig->core->s.fpu.fcw = 0x37b;
    rig_code(rig, DIVIDE_BY_ZERO "0f fc c1"); /* MMX waits too */
    rig_run(rig);
    g_assert_cmpint(rig_vector(rig), ==, X86_EXC_MF);
    g_assert_cmphex(rig->core->s.fpu.fip, ==, RIG_CODE + 4);
}

static void
test_ferr(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_PROT32);

    rig->host.ferr = on_ferr;
    ferr_calls = 0;
    ferr_ignored = false;
    enable_all(rig);
    rig->core->s.cr0 &= ~(uint64_t)X86_CR0_NE;
    rig->core->s.fpu.fcw = 0x37b;
    rig_code(rig, DIVIDE_BY_ZERO "d9 e8");
    rig_step(rig, 8); /* it stays at the fourth instruction, where an interrupt may come */
    g_assert_cmphex(rig->core->s.rip, ==, RIG_CODE + 6);
    g_assert_cmpuint(ferr_calls, ==, 5);
    ferr_ignored = true; /* the board asserts IGNNE# */
    rig_step(rig, 1);
    g_assert_cmphex(rig->core->s.rip, ==, RIG_CODE + 8);
    g_assert_cmpuint(ferr_calls, ==, 6);
}

/* ---- SIMD exceptions ---- */

static void
run_division(Rig *rig, bool osxmmexcpt)
{
    rig_reset(rig, RIG_LONG64);
    enable_all(rig);
    if (!osxmmexcpt) {
        rig->core->s.cr4 &= ~(uint64_t)X86_CR4_OSXMMEXCPT;
    }
    rig->core->s.mxcsr = X86_MXCSR_DEFAULT & ~0x200u; /* ZE unmasked */
    rig->core->s.zmm[0].u32[0] = 0x3f800000;
    rig->core->s.zmm[0].u32[1] = 0x3f800000;
    rig->core->s.zmm[1].u32[1] = 0x40400000;
    rig_code(rig, "0f 5e c1"); /* 1/0 and the inexact 1/3 */
    rig_run(rig);
}

static void
test_simd_exception(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    run_division(rig, true);
    g_assert_cmpint(rig_vector(rig), ==, X86_EXC_XM);
    /* no result, and the other element's inexactness does not show */
    g_assert_cmphex(rig->core->s.zmm[0].u32[0], ==, 0x3f800000);
    g_assert_cmphex(rig->core->s.mxcsr & 0x3f & ~1u, ==, 4);
    run_division(rig, false);
    g_assert_cmpint(rig_vector(rig), ==, X86_EXC_UD);
}

/* ---- Environments ---- */

static void
test_environment_real_mode(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_REAL16);
    const uint8_t *image = rig_ram(rig, RIG_DATA + 0x40);
    uint32_t dword[7];
    uint16_t word[7];

    enable_all(rig);
    rig->core->s.seg[X86_DS].selector = RIG_DATA >> 4;
    rig_code(rig, "90 d9 06 10 00 d9 36 40 00"); /* nop; fld m32 [10]; fnstenv [40] */
    rig_run(rig);
    memcpy(word, image, sizeof(word));
    g_assert_cmphex(word[0], ==, 0x37f);
    g_assert_cmphex(word[1] & 0x3800, ==, 0x3800);
    g_assert_cmphex(word[2], ==, 0x7fff); /* ST0 is a zero */
    /* linear addresses of instruction and operand, the opcode in between */
    g_assert_cmphex(word[3], ==, (RIG_CODE + 1) & 0xffff);
    g_assert_cmphex(word[4], ==, (RIG_CODE + 1) >> 16 << 12 | 0x106);
    g_assert_cmphex(word[5], ==, (RIG_DATA + 0x10) & 0xffff);
    g_assert_cmphex(word[6], ==, (RIG_DATA + 0x10) >> 16 << 12);

    rig_reset(rig, RIG_REAL16);
    enable_all(rig);
    rig->core->s.seg[X86_DS].selector = RIG_DATA >> 4;
    rig_code(rig, "90 d9 06 10 00 66 d9 36 40 00");
    rig_run(rig);
    memcpy(dword, image, sizeof(dword));
    g_assert_cmphex(dword[3] & 0xffff, ==, (RIG_CODE + 1) & 0xffff);
    g_assert_cmphex(dword[4], ==, (RIG_CODE + 1) >> 16 << 12 | 0x106);
    g_assert_cmphex(dword[5] & 0xffff, ==, (RIG_DATA + 0x10) & 0xffff);
    g_assert_cmphex(dword[6], ==, (RIG_DATA + 0x10) >> 16 << 12);
}

static void
test_save_and_restore(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_PROT32);
    X86Fpu before;

    enable_all(rig);
    rig->core->s.fpu.fcw = 0x27f;
    /* fldpi; fld1; fnsave [esi]; fninit state after; frstor [esi] */
    rig_code(rig, "d9 eb d9 e8");
    rig_run(rig);
    before = rig->core->s.fpu;
    rig_code(rig, "dd 36 d9 3f dd 26"); /* fnsave [esi]; fnstcw [edi]; frstor [esi] */
    rig->core->s.rip = RIG_CODE;
    rig->core->s.activity = X86_ACTIVE;
    GPR(rig, RDI) = RIG_DATA + 0x200;
    rig_run(rig);
    g_assert_cmphex(rig_load(rig, RIG_DATA + 0x200, 2), ==, 0x37f);
    g_assert_cmphex(rig->core->s.fpu.fcw, ==, 0x27f);
    g_assert_cmphex(rig->core->s.fpu.fsw, ==, before.fsw);
    g_assert_cmphex(rig->core->s.fpu.ftw, ==, before.ftw);
    g_assert_cmphex(rig->core->s.fpu.fip, ==, before.fip);
    for (unsigned i = 0; i < 8; i++) {
        g_assert_cmphex(rig->core->s.fpu.st[i].mantissa, ==, before.st[i].mantissa);
        g_assert_cmphex(rig->core->s.fpu.st[i].sign_exponent, ==, before.st[i].sign_exponent);
    }
}

/* ---- State areas in supervisor code ---- */

static void
test_fast_fxsave(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    enable_all(rig);
    rig->core->s.efer |= X86_EFER_FFXSR;
    rig->core->s.zmm[0].u64[0] = 0x1122334455667788;
    rig_store(rig, RIG_DATA + 160, 0xaaaaaaaaaaaaaaaa, 8);
    rig_code(rig, "48 0f ae 06");
    rig_run(rig);
    g_assert_cmphex(rig_load(rig, RIG_DATA + 160, 8), ==, 0xaaaaaaaaaaaaaaaa);
    g_assert_cmphex(rig_load(rig, RIG_DATA + 24, 4), ==, X86_MXCSR_DEFAULT);
}

static void
test_xsaves(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    if (!x86_has_feature(rig->core, X86_FEATURE_XSAVES) ||
        !x86_has_feature(rig->core, X86_FEATURE_AVX)) {
        g_test_skip("the host has no XSAVES or no AVX");
        return;
    }
    enable_all(rig);
    GPR(rig, RAX) = 7;
    GPR(rig, RDX) = 0;
    for (unsigned i = 0; i < 16; i++) {
        rig->core->s.zmm[i].u64[0] = i + 1;
        rig->core->s.zmm[i].u64[2] = i + 100;
    }
    /* xsaves [rsi]; vzeroall; xrstors [rsi] */
    rig_code(rig, "48 0f c7 2e c5 fc 77 48 0f c7 1e");
    rig_run(rig);
    g_assert_cmpint(rig_vector(rig), ==, -1);
    g_assert_cmphex(rig_load(rig, RIG_DATA + 512, 8), ==, 6); /* x87 is as after FNINIT */
    g_assert_cmphex(rig_load(rig, RIG_DATA + 520, 8), ==, 0x8000000000000007);
    for (unsigned i = 0; i < 16; i++) {
        g_assert_cmphex(rig->core->s.zmm[i].u64[0], ==, i + 1);
        g_assert_cmphex(rig->core->s.zmm[i].u64[2], ==, i + 100);
    }
}

/* A single step ends a gather that has begun before the fault of a later element does. */
static void
test_gather_stepped(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);
    X86State *s = &rig->core->s;

    if (!x86_has_feature(rig->core, X86_FEATURE_AVX2)) {
        g_test_skip("the host has no AVX2");
        return;
    }
    for (unsigned begun = 0; begun < 2; begun++) {
        rig_reset(rig, RIG_LONG64);
        enable_all(rig);
        rig_store(rig, RIG_DATA, 0x1122334455667788, 8);
        s->zmm[1].u64[0] = begun ? 1ull << 63 : 0;
        s->zmm[1].u64[1] = 1ull << 63;
        s->zmm[2].u64[1] = 1ull << 62; /* not canonical */
        s->rflags |= X86_FLAG_TF;
        rig_code(rig, "c4 e2 f1 91 04 16"); /* vpgatherqq xmm0, [rsi + xmm2], xmm1 */
        rig_run(rig);
        g_assert_cmpint(rig_vector(rig), ==, begun ? X86_EXC_DB : X86_EXC_GP);
        g_assert_cmphex(rig_load(rig, s->gpr[X86_RSP] + (begun ? 0 : 8), 8), ==, RIG_CODE);
        g_assert_cmphex(s->zmm[0].u64[0], ==, begun ? 0x1122334455667788 : 0);
        g_assert_cmphex(s->zmm[1].u64[0], ==, 0);
        g_assert_cmphex(s->zmm[1].u64[1], ==, 1ull << 63);
    }
}

/* ---- The stub cache ---- */

/* More stubs than the cache holds; those made again must work as the first ones did. */
static void
test_cache_turnover(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);
    X86State *s = &rig->core->s;
    static const uint8_t opcodes[] = { 0x0c, 0x0d, 0x0e, 0x0f, 0x40, 0x42, 0x44,
                                       0x08, 0x09, 0x0a, 0x0b, 0x21, 0x63 };
    char hex[32];

    enable_all(rig);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned w = 0; w < 2; w++) {
            for (unsigned i = 0; i < G_N_ELEMENTS(opcodes); i++) {
                for (unsigned imm = 0; imm < 256; imm++) {
                    uint8_t bytes[] = { 0x66, w ? 0x48 : 0x40, 0x0f, 0x3a, opcodes[i],
                                        0xc1, (uint8_t)imm };
                    X86Insn insn;

                    g_assert_cmpint(x86_decode(bytes, sizeof(bytes), 8, &insn), ==, X86_DECODE_OK);
                    g_assert_nonnull(x86_vector_plan(rig->core->vector_unit, &insn));
                }
            }
        }
        for (unsigned imm = 0; imm < 256; imm += 5) {
            for (unsigned i = 0; i < 4; i++) {
                s->zmm[1].u32[i] = 0x1000 + i;
            }
            g_snprintf(hex, sizeof(hex), "66 0f 70 c1 %02x", imm); /* pshufd */
            rig_code(rig, hex);
            s->rip = RIG_CODE;
            s->activity = X86_ACTIVE;
            rig_run(rig);
            for (unsigned i = 0; i < 4; i++) {
                g_assert_cmphex(s->zmm[0].u32[i], ==, 0x1000 + (imm >> (2 * i) & 3));
            }
        }
    }
}

/* ---- Operands in device windows ---- */

static void
test_window_operands(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    enable_all(rig);
    rig->window_value = 0x3ff8000000000000; /* 1.5 */
    GPR(rig, RSI) = RIG_WINDOW;
    /* fld qword [rsi]; fadd st,st; fstp qword [rsi+8]; movq xmm0,[rsi]; movups xmm1,[rsi] */
    rig_code(rig, "dd 06 d8 c0 dd 5e 08 f3 0f 7e 06 0f 10 0e");
    rig_run(rig);
    g_assert_cmpint(rig_vector(rig), ==, -1);
    g_assert_cmphex(rig->window_value, ==, 0x4008000000000000); /* 3.0 */
    g_assert_cmphex(rig->core->s.zmm[0].u64[0], ==, 0x4008000000000000);
    g_assert_cmphex(rig->core->s.zmm[1].u64[1], ==, 0x4008000000000000);
    g_assert_cmpuint(rig->window_writes, ==, 1);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cpu/vec/gates", test_gates);
    g_test_add_func("/cpu/vec/fwait-needs-mp", test_fwait_needs_mp);
    g_test_add_func("/cpu/vec/no-vex-in-real-mode", test_no_vex_in_real_mode);
    g_test_add_func("/cpu/vec/pending-error", test_pending_error);
    g_test_add_func("/cpu/vec/ferr", test_ferr);
    g_test_add_func("/cpu/vec/simd-exception", test_simd_exception);
    g_test_add_func("/cpu/vec/environment-real-mode", test_environment_real_mode);
    g_test_add_func("/cpu/vec/save-and-restore", test_save_and_restore);
    g_test_add_func("/cpu/vec/fast-fxsave", test_fast_fxsave);
    g_test_add_func("/cpu/vec/xsaves", test_xsaves);
    g_test_add_func("/cpu/vec/gather-stepped", test_gather_stepped);
    g_test_add_func("/cpu/vec/cache-turnover", test_cache_turnover);
    g_test_add_func("/cpu/vec/window-operands", test_window_operands);
    return g_test_run();
}
