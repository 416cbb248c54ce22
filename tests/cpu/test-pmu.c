/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Performance counters, by Intel's and by AMD's numbers: what they count, at which privilege, when
 * they overflow, what RDPMC and CPUID say, and that none are there unless asked for. */

#include "x86-rig.h"

enum { CODE = 0x400000 };

static Rig *
rig_at_nops(const char *model, unsigned cpl)
{
    Rig *rig = rig_new(model);

    rig_long(rig, cpl);
    memset(rig_ram(rig, CODE), 0x90, 4096);
    rig->core->s.rip = CODE;
    return rig;
}

static void
run(Rig *rig, unsigned steps)
{
    VitCpuExit reason;

    for (unsigned i = 0; i < steps; i++) {
        g_assert_true(x86_interp_step(rig->core, &reason));
    }
}

static uint64_t
get(Rig *rig, uint32_t msr)
{
    uint64_t value;

    g_assert_true(x86_msr_read(rig->core, msr, &value));
    return value;
}

static void
set(Rig *rig, uint32_t msr, uint64_t value)
{
    g_assert_true(x86_msr_write(rig->core, msr, value));
}

static void
test_intel(void)
{
    Rig *rig = rig_at_nops("Skylake-Server,pmu=on", 0);
    uint32_t r[4];

    x86_cpuid(&rig->model, &rig->core->s, 0, 0xa, 0, r);
    g_assert_cmphex(r[0], ==, 0x07300402);
    g_assert_cmphex(r[3], ==, 0x603);
    set(rig, 0x186, 0x4300c0); /* instructions, user and system, enabled */
    run(rig, 5);
    g_assert_cmpuint(get(rig, 0xc1), ==, 0); /* global control has it off */
    g_assert_false(rig->core->s.pmu.counts_instructions);
    set(rig, 0x38f, 1);
    g_assert_true(rig->core->s.pmu.counts_instructions); /* interpreted from now on */
    run(rig, 7);
    g_assert_cmpuint(get(rig, 0xc1), ==, 7);
    set(rig, 0x186, 0x4100c0); /* user alone */
    run(rig, 7);
    g_assert_cmpuint(get(rig, 0xc1), ==, 7);
    set(rig, 0x186, 0);
    g_assert_false(rig->core->s.pmu.counts_instructions);
    /* fixed: instructions in the kernel */
    set(rig, 0x38d, 1);
    set(rig, 0x38f, 1ull << 32);
    run(rig, 9);
    g_assert_cmpuint(get(rig, 0x309), ==, 9);
    /* another privilege: what was counted before the change stays */
    x86_set_cpl(rig->core, 3);
    run(rig, 4);
    g_assert_cmpuint(get(rig, 0x309), ==, 9);
    rig_free(rig);
}

static void
test_overflow(void)
{
    Rig *rig = rig_at_nops("Skylake-Server,pmu=on", 0);

    set(rig, 0x187, 0x4300c0);
    set(rig, 0x38f, 2);
    set(rig, 0xc2, (uint64_t)-3); /* 32 bits, sign extended to 48 */
    g_assert_cmphex(get(rig, 0xc2), ==, 0xfffffffffffd);
    run(rig, 2);
    g_assert_cmphex(get(rig, 0x38e), ==, 0);
    run(rig, 2);
    g_assert_cmphex(get(rig, 0x38e), ==, 2);
    g_assert_cmphex(get(rig, 0xc2), ==, 1);
    set(rig, 0x390, 2);
    g_assert_cmphex(get(rig, 0x38e), ==, 0);
    g_assert_false(x86_msr_write(rig->core, 0x38e, 1));
    g_assert_false(x86_msr_write(rig->core, 0x38f, 1ull << 40));
    g_assert_false(x86_msr_write(rig->core, 0x186, 1ull << 32));
    rig_free(rig);
}

static void
test_amd(void)
{
    Rig *rig = rig_at_nops("EPYC,pmu=on", 3);

    set(rig, 0xc0010001, 0x4100c0); /* instructions of user code */
    run(rig, 6);
    g_assert_cmpuint(get(rig, 0xc0010005), ==, 6);
    set(rig, 0xc0010000, 0x410076); /* cycles */
    uint64_t before = get(rig, 0xc0010004);
    vit_clock_step_to(rig->clock, vit_clock_get_ns(rig->clock) + VIT_NS_PER_SEC);
    g_assert_cmpuint(get(rig, 0xc0010004), >, before);
    g_assert_cmpint(RIG_FAULT(rig, x86_msr_read(rig->core, 0xc1, &before)), ==, -1);
    g_assert_false(x86_msr_read(rig->core, 0x186, &before)); /* Intel's are not there */
    rig_free(rig);
}

static void
test_rdpmc(void)
{
    Rig *rig = rig_at_nops("Skylake-Server,pmu=on", 0);
    X86State *s = &rig->core->s;
    const X86Insn insn = { 0 };

    set(rig, 0xc3, 1234);
    set(rig, 0x30a, 77);
    s->gpr[X86_RCX] = 2;
    g_assert_cmpint(RIG_FAULT(rig, x86_exec_rdpmc(rig->core, &insn)), ==, -1);
    g_assert_cmpuint(s->gpr[X86_RAX], ==, 1234);
    s->gpr[X86_RCX] = 1u << 30 | 1;
    g_assert_cmpint(RIG_FAULT(rig, x86_exec_rdpmc(rig->core, &insn)), ==, -1);
    g_assert_cmpuint(s->gpr[X86_RAX], ==, 77);
    s->gpr[X86_RCX] = 4;
    g_assert_cmpint(RIG_FAULT(rig, x86_exec_rdpmc(rig->core, &insn)), ==, X86_EXC_GP);
    s->gpr[X86_RCX] = 0;
    s->cpl = 3;
    g_assert_cmpint(RIG_FAULT(rig, x86_exec_rdpmc(rig->core, &insn)), ==, X86_EXC_GP);
    s->cr4 |= X86_CR4_PCE;
    g_assert_cmpint(RIG_FAULT(rig, x86_exec_rdpmc(rig->core, &insn)), ==, -1);
    rig_free(rig);
}

static void
test_without(void)
{
    Rig *rig = rig_at_nops("Skylake-Server", 0);
    uint64_t value;
    uint32_t r[4];

    x86_cpuid(&rig->model, &rig->core->s, 0, 0xa, 0, r);
    g_assert_cmphex(r[0] | r[3], ==, 0);
    g_assert_false(x86_msr_read(rig->core, 0x186, &value));
    g_assert_false(x86_msr_write(rig->core, 0x38f, 1));
    rig_free(rig);
    rig = rig_at_nops("qemu64", 0);
    set(rig, 0xc0010000, 0x4300c0); /* there, without effect */
    g_assert_cmphex(get(rig, 0xc0010000), ==, 0);
    g_assert_false(rig->core->s.pmu.counts_instructions);
    rig_free(rig);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pmu/intel", test_intel);
    g_test_add_func("/pmu/overflow", test_overflow);
    g_test_add_func("/pmu/amd", test_amd);
    g_test_add_func("/pmu/rdpmc", test_rdpmc);
    g_test_add_func("/pmu/without", test_without);
    return g_test_run();
}
