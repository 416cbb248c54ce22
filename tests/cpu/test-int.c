/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The integer interpreter on small programs: what the host-oracle fuzzer cannot see (16-bit code,
 * restarts, faults half-way, self-modification, stepping) and a few results by hand. */

#include "cpu-rig.h"

#define FLAGS(rig)    ((rig)->core->s.rflags & X86_FLAGS_ARITH)
#define GPR(rig, reg) ((rig)->core->s.gpr[X86_##reg])

static void
test_sum_loop(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    /* mov ecx,100; xor eax,eax; l: add rax,rcx; dec ecx; jnz l */
    rig_code(rig, "b9 64 00 00 00 31 c0 48 01 c8 ff c9 75 f9");
    rig_run(rig);
    g_assert_cmpuint(GPR(rig, RAX), ==, 5050);
    g_assert_cmpuint(GPR(rig, RCX), ==, 0);
    g_assert_cmpuint(rig->core->instructions, ==, 2 + 300 + 1);
}

static void
test_partial_registers(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    GPR(rig, RAX) = GPR(rig, RBX) = 0x1122334455667788;
    /* mov al,1; mov ah,2; mov ebx,ebx; mov bx,3; movzx ecx,ah; movsx rdx,al (0xff) */
    rig_code(rig, "b0 ff b4 02 89 db 66 bb 03 00 0f b6 cc 48 0f be d0");
    rig_run(rig);
    g_assert_cmphex(GPR(rig, RAX), ==, 0x11223344556602ff);
    g_assert_cmphex(GPR(rig, RBX), ==, 0x55660003);
    g_assert_cmphex(GPR(rig, RCX), ==, 2);
    g_assert_cmphex(GPR(rig, RDX), ==, UINT64_MAX);
}

static void
test_flags(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_PROT32);

    GPR(rig, RAX) = 0x7fffffff;
    rig_code(rig, "05 01 00 00 00"); /* add eax,1 */
    rig_run(rig);
    g_assert_cmphex(FLAGS(rig), ==, X86_FLAG_OF | X86_FLAG_SF | X86_FLAG_AF | X86_FLAG_PF);

    rig_reset(rig, RIG_PROT32);
    rig_code(rig, "31 c0 83 e8 01 83 d0 00"); /* xor eax,eax; sub eax,1; adc eax,0 */
    rig_run(rig);
    g_assert_cmphex(GPR(rig, RAX), ==, 0);
    g_assert_cmphex(FLAGS(rig), ==, X86_FLAG_CF | X86_FLAG_ZF | X86_FLAG_AF | X86_FLAG_PF);

    /* a shift count of 32 leaves flags alone */
    rig_reset(rig, RIG_PROT32);
    GPR(rig, RCX) = 32;
    GPR(rig, RAX) = 5;
    rig->core->s.rflags |= X86_FLAGS_ARITH;
    rig_code(rig, "d3 e0"); /* shl eax,cl */
    rig_run(rig);
    g_assert_cmphex(GPR(rig, RAX), ==, 5);
    g_assert_cmphex(FLAGS(rig), ==, X86_FLAGS_ARITH);
}

static void
test_decimal(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_PROT32);

    GPR(rig, RAX) = 0x79;
    rig_code(rig, "04 35 27"); /* add al,35h; daa: 79 + 35 = 114 */
    rig_run(rig);
    g_assert_cmphex(GPR(rig, RAX), ==, 0x14);
    g_assert_true(FLAGS(rig) & X86_FLAG_CF);

    rig_reset(rig, RIG_PROT32);
    GPR(rig, RAX) = 0x35;
    rig_code(rig, "2c 47 2f"); /* sub al,47h; das: 35 - 47 = -12, borrow */
    rig_run(rig);
    g_assert_cmphex(GPR(rig, RAX), ==, 0x88);
    g_assert_true(FLAGS(rig) & X86_FLAG_CF);

    rig_reset(rig, RIG_PROT32);
    GPR(rig, RAX) = 0x0205;
    rig_code(rig, "04 09 37"); /* add al,9; aaa */
    rig_run(rig);
    g_assert_cmphex(GPR(rig, RAX), ==, 0x0304);

    rig_reset(rig, RIG_PROT32);
    GPR(rig, RAX) = 63;
    rig_code(rig, "d4 0a d5 0a"); /* aam; aad */
    rig_step(rig, 1);
    g_assert_cmphex(GPR(rig, RAX), ==, 0x0603);
    rig_step(rig, 1);
    g_assert_cmphex(GPR(rig, RAX), ==, 63);
}

static void
test_divide(void)
{
    static const struct {
        const char *code;
        uint64_t rax, rdx, rcx;
        bool faults;
        uint64_t want_rax, want_rdx;
    } cases[] = {
        { "48 f7 f1", 100, 0, 7, false, 14, 2 },                 /* div rcx */
        { "48 f7 f1", 0, 7, 7, true, 0, 7 },                     /* does not fit */
        { "48 f7 f1", 1, 0, 0, true, 1, 0 },                     /* by zero */
        { "48 f7 f9", -100ull, -1ull, 7, false, -14ull, -2ull }, /* idiv rcx */
        { "48 f7 f9", 0x8000000000000000, -1ull, -1ull, true, 0x8000000000000000, -1ull },
        { "48 f7 f9", 0x8000000000000000, -1ull, 1, false, 0x8000000000000000, 0 },
        { "f7 f9", 0x80000000, 0xffffffff, 0xffffffff, true, 0x80000000, 0xffffffff },
        { "f7 f9", 0x80000000, 0xffffffff, 1, false, 0x80000000, 0 },
        { "f6 f1", 0x0102, 0, 1, true, 0x0102, 0 }, /* div cl */
        { "f6 f1", 0x00ff, 0, 16, false, 0x0f0f, 0 },
        { "f6 f9", 0xff80, 0, 1, false, 0x0080, 0 }, /* idiv cl */
        { "f6 f9", 0xff7f, 0, 1, true, 0xff7f, 0 },
    };
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        rig_reset(rig, RIG_LONG64);
        GPR(rig, RAX) = cases[i].rax;
        GPR(rig, RDX) = cases[i].rdx;
        GPR(rig, RCX) = cases[i].rcx;
        rig_code(rig, cases[i].code);
        rig_run(rig);
        g_assert_cmpint(rig_vector(rig), ==, cases[i].faults ? X86_EXC_DE : -1);
        g_assert_cmphex(GPR(rig, RAX), ==, cases[i].want_rax);
        g_assert_cmphex(GPR(rig, RDX), ==, cases[i].want_rdx);
        if (cases[i].faults) { /* the fault names the instruction itself */
            g_assert_cmphex(rig_load(rig, GPR(rig, RSP), 8), ==, RIG_CODE);
        }
    }
}

static void
test_stack_forms(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_REAL16);

    /* push sp; pop ax; pusha; popa; push dword; enter 8,0; leave */
    rig_code(rig, "54 58");
    rig_run(rig);
    g_assert_cmphex(GPR(rig, RAX), ==, 0xfff0);

    rig_reset(rig, RIG_REAL16);
    for (unsigned i = 0; i < 8; i++) {
        if (i != X86_RSP) {
            rig->core->s.gpr[i] = 0x1111 * (i + 1);
        }
    }
    rig_code(rig, "60 31 c0 31 c9 31 d2 31 db 31 ed 31 f6 31 ff 61");
    rig_run(rig);
    for (unsigned i = 0; i < 8; i++) {
        g_assert_cmphex(rig->core->s.gpr[i], ==, i == X86_RSP ? 0xfff0 : 0x1111 * (i + 1));
    }

    /* the stack pointer wraps at 64 KiB and its upper half stays */
    rig_reset(rig, RIG_REAL16);
    GPR(rig, RSP) = 0x12340000;
    GPR(rig, RAX) = 0xbeef;
    rig_code(rig, "50");
    rig_run(rig);
    g_assert_cmphex(GPR(rig, RSP), ==, 0x1234fffe);
    g_assert_cmphex(rig_load(rig, RIG_STACK - 2, 2), ==, 0xbeef);

    /* enter 16,2 makes a display of two links */
    rig_reset(rig, RIG_PROT32);
    GPR(rig, RBP) = RIG_STACK - 0x100;
    rig_store(rig, RIG_STACK - 0x104, 0xcafe, 4);
    rig_code(rig, "c8 10 00 02");
    rig_run(rig);
    g_assert_cmphex(GPR(rig, RBP), ==, RIG_STACK - 4);
    g_assert_cmphex(GPR(rig, RSP), ==, RIG_STACK - 12 - 16);
    g_assert_cmphex(rig_load(rig, RIG_STACK - 4, 4), ==, RIG_STACK - 0x100);
    g_assert_cmphex(rig_load(rig, RIG_STACK - 8, 4), ==, 0xcafe);
    g_assert_cmphex(rig_load(rig, RIG_STACK - 12, 4), ==, RIG_STACK - 4);

    /* pop [esp] addresses with ESP already moved */
    rig_reset(rig, RIG_PROT32);
    rig_code(rig, "6a 05 6a 06 8f 04 24");
    rig_run(rig);
    g_assert_cmphex(rig_load(rig, RIG_STACK - 4, 4), ==, 6);
    g_assert_cmphex(GPR(rig, RSP), ==, RIG_STACK - 4);
}

static void
test_flow(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    /* call f; hlt; f: mov eax,7; ret */
    rig_code(rig, "e8 01 00 00 00 f4 b8 07 00 00 00 c3");
    rig_run(rig);
    g_assert_cmpuint(GPR(rig, RAX), ==, 7);
    g_assert_cmphex(GPR(rig, RSP), ==, RIG_STACK);

    /* a jump to a non-canonical address is #GP on the jump, nothing pushed by the call */
    rig_reset(rig, RIG_LONG64);
    GPR(rig, RAX) = 0x0000800000000000;
    rig_code(rig, "ff d0");
    rig_run(rig);
    g_assert_cmpint(rig_vector(rig), ==, X86_EXC_GP);
    g_assert_cmphex(rig_load(rig, GPR(rig, RSP) + 8, 8), ==, RIG_CODE);
    g_assert_cmphex(GPR(rig, RSP), ==, RIG_STACK - 48);

    /* 16-bit loop counts CX only */
    rig_reset(rig, RIG_REAL16);
    GPR(rig, RCX) = 0xabcd0003;
    rig_code(rig, "40 e2 fd");
    rig_run(rig);
    g_assert_cmphex(GPR(rig, RCX), ==, 0xabcd0000);
    g_assert_cmphex(GPR(rig, RAX), ==, 3);
}

static void
fill_pattern(Rig *rig, uint64_t address, unsigned len)
{
    for (unsigned i = 0; i < len; i++) {
        *rig_ram(rig, address + i) = i * 7 + 3;
    }
}

static void
test_string_move(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    /* across pages, odd start, every size */
    for (unsigned size = 1; size <= 8; size *= 2) {
        static const char *const codes[] = {
            [1] = "f3 a4", [2] = "f3 66 a5", [4] = "f3 a5", [8] = "f3 48 a5"
        };
        rig_reset(rig, RIG_LONG64);
        fill_pattern(rig, RIG_DATA, 20000);
        GPR(rig, RSI) = RIG_DATA + 5;
        GPR(rig, RDI) = RIG_DATA + 0x8003;
        GPR(rig, RCX) = 16000 / size;
        rig_code(rig, codes[size]);
        rig_run(rig);
        g_assert_cmpmem(rig_ram(rig, RIG_DATA + 0x8003), 16000, rig_ram(rig, RIG_DATA + 5), 16000);
        g_assert_cmphex(GPR(rig, RSI), ==, RIG_DATA + 5 + 16000);
        g_assert_cmphex(GPR(rig, RDI), ==, RIG_DATA + 0x8003 + 16000);
        g_assert_cmphex(GPR(rig, RCX), ==, 0);
    }

    /* overlapping forward move replicates */
    rig_reset(rig, RIG_LONG64);
    memcpy(rig_ram(rig, RIG_DATA), "abc", 3);
    GPR(rig, RSI) = RIG_DATA;
    GPR(rig, RDI) = RIG_DATA + 3;
    GPR(rig, RCX) = 300;
    rig_code(rig, "f3 a4");
    rig_run(rig);
    g_assert_cmpmem(rig_ram(rig, RIG_DATA + 297), 6, "abcabc", 6);

    /* backward */
    rig_reset(rig, RIG_LONG64);
    fill_pattern(rig, RIG_DATA, 5000);
    GPR(rig, RSI) = RIG_DATA + 4999;
    GPR(rig, RDI) = RIG_DATA + 5009;
    GPR(rig, RCX) = 5000;
    rig_code(rig, "fd f3 a4");
    rig_run(rig);
    for (unsigned i = 0; i < 5000; i++) {
        g_assert_cmphex(*rig_ram(rig, RIG_DATA + 10 + i), ==, (uint8_t)(i * 7 + 3));
    }

    /* to a device window: one access per element */
    rig_reset(rig, RIG_LONG64);
    GPR(rig, RDI) = RIG_WINDOW;
    GPR(rig, RCX) = 10;
    rig_code(rig, "f3 ab");
    rig_run(rig);
    g_assert_cmpuint(rig->window_writes, ==, 10);
}

static void
test_string_fault(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    /* the map ends at 1 GiB: RAM below, then nothing but the window; so unmap one page */
    rig_store(rig, RIG_TABLES + 0x2000 + 8, 0, 8);
    x86_state_changed(rig->core);
    fill_pattern(rig, RIG_DATA, 0x1000);
    GPR(rig, RSI) = RIG_DATA;
    GPR(rig, RDI) = 0x1fff00;
    GPR(rig, RCX) = 0x1000;
    rig_code(rig, "f3 a4");
    rig_run(rig);
    g_assert_cmpint(rig_vector(rig), ==, X86_EXC_PF);
    g_assert_cmphex(rig->core->s.cr2, ==, 0x200000);
    g_assert_cmphex(GPR(rig, RCX), ==, 0xf00);
    g_assert_cmphex(GPR(rig, RDI), ==, 0x200000);
    g_assert_cmphex(GPR(rig, RSI), ==, RIG_DATA + 0x100);
    g_assert_cmpmem(rig_ram(rig, 0x1fff00), 0x100, rig_ram(rig, RIG_DATA), 0x100);

    /* an element across the boundary moves not at all */
    rig_reset(rig, RIG_LONG64);
    rig_store(rig, RIG_TABLES + 0x2000 + 8, 0, 8);
    x86_state_changed(rig->core);
    GPR(rig, RAX) = UINT64_MAX;
    GPR(rig, RDI) = 0x1ffffc;
    GPR(rig, RCX) = 1;
    rig_code(rig, "f3 48 ab");
    rig_run(rig);
    g_assert_cmpint(rig_vector(rig), ==, X86_EXC_PF);
    g_assert_cmphex(rig_load(rig, 0x1ffffc, 4), ==, 0);
    g_assert_cmphex(GPR(rig, RCX), ==, 1);
}

static void
test_string_compare(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_PROT32);

    memcpy(rig_ram(rig, RIG_DATA), "hello world", 12);
    memcpy(rig_ram(rig, RIG_DATA + 64), "hello there", 12);
    GPR(rig, RSI) = RIG_DATA;
    GPR(rig, RDI) = RIG_DATA + 64;
    GPR(rig, RCX) = 12;
    rig_code(rig, "f3 a6");
    rig_run(rig);
    g_assert_cmpuint(GPR(rig, RCX), ==, 5);
    g_assert_false(FLAGS(rig) & X86_FLAG_ZF);

    rig_reset(rig, RIG_PROT32);
    memcpy(rig_ram(rig, RIG_DATA), "hello world", 12);
    GPR(rig, RDI) = RIG_DATA;
    GPR(rig, RCX) = UINT32_MAX;
    rig_code(rig, "f2 ae"); /* strlen */
    rig_run(rig);
    g_assert_cmpuint((uint32_t)~GPR(rig, RCX), ==, 12);

    /* a count of zero touches neither memory nor flags */
    rig_reset(rig, RIG_PROT32);
    rig->core->s.rflags |= X86_FLAGS_ARITH;
    GPR(rig, RSI) = GPR(rig, RDI) = 0xf0000000;
    rig_code(rig, "f3 a6");
    rig_run(rig);
    g_assert_cmphex(FLAGS(rig), ==, X86_FLAGS_ARITH);

    /* 16-bit addressing wraps inside the segment */
    rig_reset(rig, RIG_REAL16);
    GPR(rig, RDI) = 0xfffe;
    GPR(rig, RAX) = 0x5a;
    GPR(rig, RCX) = 4;
    rig_code(rig, "f3 aa");
    rig_run(rig);
    g_assert_cmphex(GPR(rig, RDI), ==, 2);
    g_assert_cmphex(rig_load(rig, RIG_DATA, 2), ==, 0x5a5a);
    g_assert_cmphex(rig_load(rig, RIG_DATA + 0xfffe, 2), ==, 0x5a5a);
}

static void
test_locked(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    rig_store(rig, RIG_DATA, 41, 8);
    GPR(rig, RBX) = RIG_DATA;
    GPR(rig, RAX) = 1;
    rig_code(rig, "f0 48 01 03 f0 48 0f c1 03"); /* lock add [rbx],rax; lock xadd [rbx],rax */
    rig_run(rig);
    g_assert_cmpuint(rig_load(rig, RIG_DATA, 8), ==, 43);
    g_assert_cmpuint(GPR(rig, RAX), ==, 42);

    /* cmpxchg16b: misaligned is #GP, unequal loads RDX:RAX */
    rig_reset(rig, RIG_LONG64);
    GPR(rig, RSI) = RIG_DATA + 8;
    rig_code(rig, "48 0f c7 0e");
    rig_run(rig);
    g_assert_cmpint(rig_vector(rig), ==, X86_EXC_GP);

    rig_reset(rig, RIG_LONG64);
    rig_store(rig, RIG_DATA, 5, 8);
    rig_store(rig, RIG_DATA + 8, 6, 8);
    GPR(rig, RSI) = RIG_DATA;
    GPR(rig, RBX) = 0x11;
    GPR(rig, RCX) = 0x22;
    rig_code(rig, "f0 48 0f c7 0e f0 48 0f c7 0e"); /* fails, loads; then succeeds */
    rig_step(rig, 1);
    g_assert_false(FLAGS(rig) & X86_FLAG_ZF);
    g_assert_cmphex(GPR(rig, RAX), ==, 5);
    g_assert_cmphex(GPR(rig, RDX), ==, 6);
    rig_step(rig, 1);
    g_assert_true(FLAGS(rig) & X86_FLAG_ZF);
    g_assert_cmphex(rig_load(rig, RIG_DATA, 8), ==, 0x11);
    g_assert_cmphex(rig_load(rig, RIG_DATA + 8, 8), ==, 0x22);

    /* across a page, and on a device window */
    rig_reset(rig, RIG_LONG64);
    GPR(rig, RBX) = RIG_DATA + 0xffd;
    GPR(rig, RAX) = 0x0102030405060708;
    rig_code(rig, "f0 48 01 03 bb 00 00 80 00 f0 ff 03");
    rig_run(rig);
    g_assert_cmphex(rig_load(rig, RIG_DATA + 0xffd, 8), ==, 0x0102030405060708);
    g_assert_cmpuint(rig->window_writes, ==, 1);
}

static void
test_bit_strings(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    GPR(rig, RBX) = RIG_DATA + 0x100;
    GPR(rig, RAX) = (uint64_t)-9;
    rig_code(rig, "48 0f ab 03"); /* bts [rbx],rax: one bit below */
    rig_run(rig);
    g_assert_cmphex(rig_load(rig, RIG_DATA + 0xfe, 1), ==, 0x80);

    rig_reset(rig, RIG_LONG64);
    GPR(rig, RBX) = RIG_DATA;
    rig_code(rig, "66 0f ba 2b 13"); /* bts word [rbx],19: modulo 16 */
    rig_run(rig);
    g_assert_cmphex(rig_load(rig, RIG_DATA, 4), ==, 8);
}

static void
test_self_modifying(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_PROT32);

    /* mov ecx,3; l: mov ebx,10; add edx,ebx; inc dword [imm of the MOV]; dec ecx; jnz l */
    rig_code(rig, "b9 03 00 00 00 bb 0a 00 00 00 01 da ff 05 06 00 01 00 49 75 f0");
    rig_run(rig);
    g_assert_cmpuint(GPR(rig, RDX), ==, 10 + 11 + 12);

    /* the very next instruction is rewritten */
    rig_reset(rig, RIG_PROT32);
    rig_code(rig, "40 c6 05 08 00 01 00 43 40"); /* inc eax; mov byte [10008h],43h; inc eax->ebx */
    rig_run(rig);
    g_assert_cmpuint(GPR(rig, RAX), ==, 1);
    g_assert_cmpuint(GPR(rig, RBX), ==, 1);
}

static void
test_page_crossing_code(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    /* jump to an instruction that lies across two pages */
    memcpy(rig_ram(rig, 0x11ffd), "\x48\xb8\x08\x07\x06\x05\x04\x03\x02\x01\xf4", 11);
    rig_code(rig, "e9 f8 1f 00 00");
    rig_run(rig);
    g_assert_cmphex(GPR(rig, RAX), ==, 0x0102030405060708);

    /* the second page is missing: #PF there, RIP at the instruction */
    rig_reset(rig, RIG_LONG64);
    rig_store(rig, RIG_TABLES + 0x2000 + 8, 0, 8);
    x86_state_changed(rig->core);
    memcpy(rig_ram(rig, 0x1ffffe), "\x48\xb8", 2);
    GPR(rig, RBX) = 0x1ffffe;
    rig_code(rig, "ff e3");
    rig_run(rig);
    g_assert_cmpint(rig_vector(rig), ==, X86_EXC_PF);
    g_assert_cmphex(rig->core->s.cr2, ==, 0x200000);
    g_assert_cmphex(rig_load(rig, GPR(rig, RSP) + 8, 8), ==, 0x1ffffe);
}

static void
test_invalid(void)
{
    static const struct {
        RigMode mode;
        const char *code;
        int vector;
    } cases[] = {
        { RIG_LONG64, "0f 0b", X86_EXC_UD },
        { RIG_LONG64, "f0 01 c0", X86_EXC_UD },
        { RIG_LONG64, "06", X86_EXC_UD },
        { RIG_LONG64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90", X86_EXC_GP },
        { RIG_REAL16, "0f 00 c0", X86_EXC_UD },       /* sldt */
        { RIG_REAL16, "c4 e2 70 f2 c2", X86_EXC_UD }, /* VEX */
        { RIG_PROT32, "c4 e2 70 f2 c2", -1 },
        { RIG_PROT32, "8d c0", X86_EXC_UD },
        { RIG_PROT32, "cc", X86_EXC_BP },
        { RIG_LONG64, "48 8b 04 25 00 00 00 40", X86_EXC_PF },
    };
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        rig_reset(rig, cases[i].mode);
        rig_code(rig, cases[i].code);
        rig_run(rig);
        g_assert_cmpint(rig_vector(rig), ==, cases[i].vector);
    }
}

static void
test_single_step(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_PROT32);

    rig->core->s.rflags |= X86_FLAG_TF;
    rig_code(rig, "40 40 40");
    rig_run(rig);
    g_assert_cmpint(rig_vector(rig), ==, X86_EXC_DB);
    g_assert_cmpuint(GPR(rig, RAX), ==, 1);
    g_assert_cmphex(rig_load(rig, GPR(rig, RSP), 4), ==, RIG_CODE + 1);
    g_assert_true(rig->core->s.dr[6] & X86_DR6_BS);

    /* a repeated string steps by the element */
    rig_reset(rig, RIG_PROT32);
    rig->core->s.rflags |= X86_FLAG_TF;
    GPR(rig, RCX) = 5;
    GPR(rig, RDI) = RIG_DATA;
    rig_code(rig, "f3 aa");
    rig_run(rig);
    g_assert_cmpuint(GPR(rig, RCX), ==, 4);
    g_assert_cmphex(rig_load(rig, GPR(rig, RSP), 4), ==, RIG_CODE);
}

static void
test_code_limit(void)
{
    g_autoptr(Rig) rig = rig_new(RIG_PROT32);

    rig->core->s.seg[X86_CS].limit = RIG_CODE + 2;
    rig_code(rig, "40 90 b8 01 00 00 00"); /* the MOV runs over the limit */
    rig_run(rig);
    g_assert_cmpint(rig_vector(rig), ==, X86_EXC_GP);
    g_assert_cmpuint(GPR(rig, RAX), ==, 1);
    g_assert_cmphex(rig_load(rig, GPR(rig, RSP) + 4, 4), ==, RIG_CODE + 2);
}

typedef struct OtherCpu {
    Rig *rig;
    VitCpu cpu;
    X86Core *core;
} OtherCpu;

static gpointer
run_other(gpointer data)
{
    OtherCpu *other = data;
    VitMapReader reader;

    vit_map_reader_register(other->rig->maps, &reader);
    g_assert_cmpint(x86_interp_run(other->core), ==, VIT_CPU_EXIT_HALT);
    vit_map_reader_unregister(&reader);
    return NULL;
}

/* Two CPUs on the same memory, each doing every kind of LOCKed update many times. */
static void
test_locked_smp(void)
{
    enum { ROUNDS = 20000 };
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);
    OtherCpu other = { .rig = rig, .cpu = rig->cpu };
    g_autoptr(GError) error = NULL;
    GThread *thread;

    /* l: lock inc dword [rbx]; lock add [rbx+8],rdx; mov eax,1; lock xadd [rbx+16],eax;
     * lock adc qword [rbx+32],0 (carry set); r: mov eax,[rbx+24]; lea esi,[rax+1];
     * lock cmpxchg [rbx+24],esi; jnz r; bt: lock btc [rbx+40],edi; dec ecx; jnz l
     * Two bits of [rbx+40] are flipped an even number of times by each CPU. */
    rig_code(rig, "f0 ff 03 f0 48 01 53 08 b8 01 00 00 00 f0 0f c1 43 10 f9 f0 48 83 53 20 00"
                  " 8b 43 18 8d 70 01 f0 0f b1 73 18 75 f3 f0 0f bb 7b 28 ff c9 75 d1");
    GPR(rig, RBX) = RIG_DATA;
    GPR(rig, RDX) = 3;
    GPR(rig, RCX) = ROUNDS;
    GPR(rig, RDI) = 5;
    other.core = x86_core_new(&other.cpu, &rig->model, &error);
    g_assert_no_error(error);
    other.cpu.state = other.core;
    other.core->s = rig->core->s;
    other.core->s.gpr[X86_RDI] = 6;
    x86_state_changed(other.core);

    thread = g_thread_new("other CPU", run_other, &other);
    rig_run(rig);
    g_thread_join(thread);
    g_assert_cmpint(rig_vector(rig), ==, -1);
    g_assert_cmpuint(rig_load(rig, RIG_DATA, 4), ==, 2 * ROUNDS);
    g_assert_cmpuint(rig_load(rig, RIG_DATA + 8, 8), ==, 6 * ROUNDS);
    g_assert_cmpuint(rig_load(rig, RIG_DATA + 16, 4), ==, 2 * ROUNDS);
    g_assert_cmpuint(rig_load(rig, RIG_DATA + 24, 4), ==, 2 * ROUNDS);
    g_assert_cmpuint(rig_load(rig, RIG_DATA + 32, 8), ==, 2 * ROUNDS);
    g_assert_cmphex(rig_load(rig, RIG_DATA + 40, 8), ==, 0);
    x86_core_free(other.core);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/int/sum-loop", test_sum_loop);
    g_test_add_func("/int/partial-registers", test_partial_registers);
    g_test_add_func("/int/flags", test_flags);
    g_test_add_func("/int/decimal", test_decimal);
    g_test_add_func("/int/divide", test_divide);
    g_test_add_func("/int/stack", test_stack_forms);
    g_test_add_func("/int/flow", test_flow);
    g_test_add_func("/int/string-move", test_string_move);
    g_test_add_func("/int/string-fault", test_string_fault);
    g_test_add_func("/int/string-compare", test_string_compare);
    g_test_add_func("/int/locked", test_locked);
    g_test_add_func("/int/locked-smp", test_locked_smp);
    g_test_add_func("/int/bit-strings", test_bit_strings);
    g_test_add_func("/int/self-modifying", test_self_modifying);
    g_test_add_func("/int/page-crossing-code", test_page_crossing_code);
    g_test_add_func("/int/invalid", test_invalid);
    g_test_add_func("/int/single-step", test_single_step);
    g_test_add_func("/int/code-limit", test_code_limit);
    return g_test_run();
}
