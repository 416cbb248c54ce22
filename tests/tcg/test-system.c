/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* System instructions in translated code (engine/tcg/emit-system.c) and what lies between
 * instructions: flags that faults show, interrupts behind STI. Guest programs (system.S) in the
 * interpreter and in every mode of the translator; figures tell that it was translated. */

#include "tcg-rig.h"

#include "vit-clock.h"

TCG_RIG_PROGRAM(handler);
TCG_RIG_PROGRAM(stopped);
TCG_RIG_PROGRAM(left);
TCG_RIG_PROGRAM(repeated);
TCG_RIG_PROGRAM(values);
TCG_RIG_PROGRAM(no_key);
TCG_RIG_PROGRAM(keys_off);
TCG_RIG_PROGRAM(times);
TCG_RIG_PROGRAM(open_close);
TCG_RIG_PROGRAM(open_halt);
TCG_RIG_PROGRAM(open_one);
TCG_RIG_PROGRAM(spaces);

enum { HALT = 0x6000, HANDLER = 0x6100, VECTOR = 0x40 };

static void
put_gate(Rig *rig, unsigned vector, uint32_t handler)
{
    rig_put_gate(rig, 0x2000 + 16 * vector, 0x08, handler, 14, 0);
    rig_put(rig, 0x2008 + 16 * vector, 0, 8);
}

static void
fixture_init(TcgRig *f, const TcgOptions *options)
{
    tcg_rig_init(f, options, true);
    rig_put(f->rig, TCG_RIG_TABLE + 5 * 8, 0, 8); /* absent */
    put_gate(f->rig, X86_EXC_PF, HALT);
    put_gate(f->rig, X86_EXC_UD, HALT);
    put_gate(f->rig, X86_EXC_GP, HALT);
    put_gate(f->rig, VECTOR, HANDLER);
    rig_put(f->rig, HALT, 0xf4, 1);
    vit_address_space_write_bytes(f->rig->host.memory, HANDLER, tcg_program_handler,
                                  (size_t)(tcg_program_handler_end - tcg_program_handler));
}

static const TcgOptions modes[] = {
    { .interpret = true },       { 0 },
    { .exact = true },           { .force_exits = true },
    { .one_insn_per_tb = true }, { .invalidate_every = 1 },
    { .tlb_entries = 4 },        { .warm_up = 2 },
};

/* Behind a page fault: the flags that it has shown. */
static uint64_t
shown_flags(TcgRig *f)
{
    const X86State *s = &f->rig->core->s;

    g_assert_cmphex(s->rip, ==, HALT + 1);
    g_assert_cmphex(s->cr2, ==, 0x205000);
    return rig_get(f->rig, s->gpr[X86_RSP] + 24, 8) & X86_FLAGS_ARITH;
}

static void
test_flags(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        TcgRig f;

        fixture_init(&f, &modes[i]);
        TCG_RIG_RUN(&f, stopped);
        g_assert_cmphex(shown_flags(&f), ==, X86_FLAG_ZF | X86_FLAG_PF);
        TCG_RIG_RUN(&f, left);
        g_assert_cmphex(shown_flags(&f), ==, X86_FLAG_ZF | X86_FLAG_PF);
        TCG_RIG_RUN(&f, repeated);
        g_assert_cmphex(shown_flags(&f), ==, X86_FLAG_PF);
        g_assert_cmphex(f.rig->core->s.gpr[X86_RCX], ==, 0x13);
        tcg_rig_finish(&f);
    }
}

static uint64_t
compute(const TcgOptions *options)
{
    uint64_t value;
    TcgRig f;

    fixture_init(&f, options);
    f.rig->core->s.cr4 |= X86_CR4_PKE;
    f.rig->core->s.pkru = 0x50;
    value = TCG_RIG_RUN(&f, values);
    g_assert_cmphex(f.rig->core->s.gpr[X86_RAX], ==, 0x50);
    TCG_RIG_RUN(&f, no_key);
    g_assert_cmphex(f.rig->core->s.rip, ==, HALT + 1);
    g_assert_cmphex(f.rig->core->s.gpr[X86_RCX], ==, 1);
    f.rig->core->s.cr4 &= ~(uint64_t)X86_CR4_PKE;
    TCG_RIG_RUN(&f, keys_off);
    g_assert_cmphex(f.rig->core->s.rip, ==, HALT + 1);
    tcg_rig_finish(&f);
    return value;
}

/* The interpreter's in every mode of the translator. */
static void
test_values(void)
{
    uint64_t right = compute(&modes[0]);

    g_assert_cmphex(right, !=, 1);
    for (unsigned i = 1; i < VIT_ARRAY_LEN(modes); i++) {
        g_assert_cmphex(compute(&modes[i]), ==, right);
    }
}

/* What the guest reads lies between two readings of the clock; it never goes back. */
static void
check_times(TcgRig *f, VitClock *clock)
{
    const X86State *s = &f->rig->core->s;
    uint64_t before = (uint64_t)vit_clock_get_ns(clock) + s->tsc_offset;

    g_assert_cmpuint(TCG_RIG_RUN(f, times), ==, 0);
    g_assert_cmphex(s->rip, ==, TCG_RIG_BASE + tcg_program_times_end - tcg_program_times);
    g_assert_cmphex(s->gpr[X86_R10], ==, 0x1234);
    g_assert_cmpuint(s->gpr[X86_R8], >=, before);
    g_assert_cmpuint(s->gpr[X86_R8], <=, (uint64_t)vit_clock_get_ns(clock) + s->tsc_offset);
}

/* A rig whose clock follows the host's, by its counter where that can be. Returns the one it had.
 */
static VitClock *
follow_host(TcgRig *f, const TcgOptions *options)
{
    VitClock *stepped;

    fixture_init(f, options);
    stepped = f->rig->host.clock;
    f->rig->host.clock = vit_clock_new(&f->rig->lock, VIT_CLOCK_REALTIME);
    vit_clock_resume(f->rig->host.clock);
    g_usleep(12000); /* until it can be told by the counter */
    return stepped;
}

static void
finish_following(TcgRig *f, VitClock *stepped)
{
    vit_clock_free(f->rig->host.clock);
    f->rig->host.clock = stepped;
    tcg_rig_finish(f);
}

static void
test_time(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        VitClock *clock, *stepped;
        VitTscLine line;
        X86State *s;
        TcgRig f;

        stepped = follow_host(&f, &modes[i]);
        clock = f.rig->host.clock;
        s = &f.rig->core->s;
        s->tsc_aux = 0x1234;
        check_times(&f, clock);
        s->tsc_offset = UINT64_C(0x7fffffff00000000);
        check_times(&f, clock);
        vit_clock_pause(clock);
        vit_clock_set_ns(clock, VIT_NS_PER_SEC * 1000);
        check_times(&f, clock); /* stands still */
        g_assert_cmpuint(s->gpr[X86_R8], ==, VIT_NS_PER_SEC * 1000 + s->tsc_offset);
        vit_clock_resume(clock);
        check_times(&f, clock);
        if (i == 1 && vit_clock_line(clock, &line)) {
            uint64_t interpreted = tcg_cpu_of(f.rig->core)->interpreted;
            check_times(&f, clock);
            g_assert_cmpuint(tcg_cpu_of(f.rig->core)->interpreted - interpreted, <, 20);
        }
        finish_following(&f, stepped);
    }
}

/* CR4.TSD forbids it to users, with nothing changed. */
static void
test_time_denied(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        VitClock *stepped;
        X86State *s;
        TcgRig f;

        stepped = follow_host(&f, &modes[i]);
        s = &f.rig->core->s;
        for (unsigned turn = 0; turn < 6; turn++) {
            rig_long(f.rig, 3);
            s->cr4 = turn & 1 ? s->cr4 | X86_CR4_TSD : s->cr4 & ~(uint64_t)X86_CR4_TSD;
            TCG_RIG_RUN(&f, times);
            g_assert_cmphex(s->rip, ==, HALT + 1);
            g_assert_cmphex(s->gpr[X86_RAX] == UINT64_MAX, ==, turn & 1);
            g_assert_cmphex(s->gpr[X86_RDX] == UINT64_MAX, ==, turn & 1);
            g_assert_cmphex(s->gpr[X86_RSI], ==, turn & 1 ? 300 : 0);
        }
        finish_following(&f, stepped);
    }
}

/* Interrupts that are opened and closed are nothing to leave translated code for. */
static void
test_open_close(void)
{
    const TcgCpu *cpu;
    TcgRig f;

    fixture_init(&f, &(TcgOptions){ 0 });
    cpu = tcg_cpu_of(f.rig->core);
    g_assert_cmpuint(TCG_RIG_RUN(&f, open_close), ==, 1000);
    g_assert_cmpuint(cpu->dispatches, <, 20);
    g_assert_cmpuint(cpu->interpreted, <, 20);
    tcg_rig_finish(&f);
}

/* An interrupt that waits while they are closed. */
static void
test_waiting(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        const X86State *s;
        TcgRig f;

        fixture_init(&f, &modes[i]);
        s = &f.rig->core->s;
        for (unsigned turn = 0; turn < 4; turn++) { /* translated anew, then not */
            f.rig->pending_vector = VECTOR;
            vit_cpu_raise(&f.rig->cpu, VIT_CPU_EVENT_INTR);
            g_assert_cmphex(TCG_RIG_RUN(&f, open_one), ==, 0x1000009);
            g_assert_cmphex(s->gpr[X86_R15], ==, TCG_RIG_BASE + 8);

            f.rig->pending_vector = VECTOR;
            vit_cpu_raise(&f.rig->cpu, VIT_CPU_EVENT_INTR);
            g_assert_cmphex(TCG_RIG_RUN(&f, open_halt), ==, 0x1000007);
            g_assert_cmphex(s->gpr[X86_R15], ==, TCG_RIG_BASE + 7);

            f.rig->pending_vector = VECTOR;
            vit_cpu_raise(&f.rig->cpu, VIT_CPU_EVENT_INTR);
            g_assert_cmphex(TCG_RIG_RUN(&f, open_close), ==, 0x1000000 + 1000);
        }
        tcg_rig_finish(&f);
    }
}

/* The second space's tables beside the first's, the same but for the pages at 2 MiB. */
static void
make_spaces(TcgRig *f)
{
    const uint64_t keep = (uint64_t)1 << 63;
    X86State *s = &f->rig->core->s;

    memcpy(rig_ram(f->rig, 0x110000), rig_ram(f->rig, 0x100000), 0x3000);
    rig_put(f->rig, 0x110000, 0x111007, 8);
    rig_put(f->rig, 0x111000, 0x112007, 8);
    rig_put(f->rig, 0x112008, 0x113007, 8);
    for (unsigned i = 0; i < 512; i++) {
        rig_put(f->rig, 0x113000 + i * 8, (0x400000 + i * 0x1000) | 3, 8);
        rig_put(f->rig, 0x400000 + i * 0x1000, i, 4);
    }
    s->cr3 = 0x100001;
    s->cr4 |= X86_CR4_PCIDE;
    s->gpr[X86_R8] = s->cr3 | keep;
    s->gpr[X86_R9] = 0x110002 | keep;
}

static void
test_spaces(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        const TcgCpu *cpu;
        TcgRig f;

        fixture_init(&f, &modes[i]);
        make_spaces(&f);
        cpu = tcg_cpu_of(f.rig->core);
        g_assert_cmpuint(TCG_RIG_RUN(&f, spaces), ==, 100 * (511 + 510 + 3 + 4) + 7 + 9 + 11);
        g_assert_cmpuint(rig_get(f.rig, 0x400000 + 509 * 0x1000, 4), ==, 609);
        g_assert_cmpuint(rig_get(f.rig, 0x406000, 4), ==, 106);
        if (i == 1) { /* six pages, not six hundred times */
            g_assert_cmpuint(cpu->slow, <, 60);
        }
        tcg_rig_finish(&f);
    }
}

/* A global user page is entered in several contexts of the interpreter's TLB, and INVLPG takes it
 * out of all. */
static void
test_global_page(void)
{
    enum { LINEAR = 0x208000, CONTEXTS = 11 };
    X86TlbEntry *entry;
    uint32_t error;
    X86Core *core;
    TcgRig f;

    fixture_init(&f, &(TcgOptions){ 0 });
    core = f.rig->core;
    rig_put(f.rig, TCG_RIG_TABLE + 8 * 8, 0x400107, 8);
    core->s.cr4 |= X86_CR4_PGE | X86_CR4_PCIDE;
    x86_state_changed(core);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned pcid = 0; pcid < CONTEXTS; pcid++) {
            core->s.cr3 = 0x100000 | pcid;
            x86_tlb_load_cr3(core, true);
            entry = x86_tlb_slot(core, LINEAR, X86_VIEW_USER);
            if (round == 0) {
                entry = x86_tlb_fill(core, LINEAR, X86_ACCESS_READ, X86_VIEW_USER, &error);
                g_assert_nonnull(entry);
            }
            g_assert_cmpint(x86_tlb_hit(core, entry, LINEAR, X86_ACCESS_READ), ==, round == 0);
        }
        x86_tlb_flush_page(core, LINEAR);
    }
    tcg_rig_finish(&f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcg/system/flags", test_flags);
    g_test_add_func("/tcg/system/values", test_values);
    g_test_add_func("/tcg/system/time", test_time);
    g_test_add_func("/tcg/system/time-denied", test_time_denied);
    g_test_add_func("/tcg/system/open-close", test_open_close);
    g_test_add_func("/tcg/system/waiting", test_waiting);
    g_test_add_func("/tcg/system/spaces", test_spaces);
    g_test_add_func("/tcg/system/global-page", test_global_page);
    return g_test_run();
}
