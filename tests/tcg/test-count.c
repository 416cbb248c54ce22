/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Counted execution: the interpreter and every mode of the translator run the same program
 * (count.S) with the same limits, leave on the very instruction, and are then in the same state. */

#include "tcg-rig.h"

extern const uint8_t tcg_counted[], tcg_counted_end[], tcg_counted_fault[], tcg_counted_fault_end[];
extern const uint8_t tcg_counted_divide[], tcg_counted_divide_end[];

enum { FAULT = 0x6200, DIVIDE = 0x6300, STOPS = 4000 };

static void
put_program(Rig *rig, uint64_t at, const uint8_t *program, const uint8_t *end)
{
    memcpy(rig_ram(rig, at), program, (size_t)(end - program));
}

static void
put_gate(Rig *rig, unsigned vector, uint32_t handler)
{
    rig_put_gate(rig, 0x2000 + 16 * vector, 0x08, handler, 14, 0);
    rig_put(rig, 0x2008 + 16 * vector, 0, 8);
}

static void
start(TcgRig *f, const TcgOptions *options)
{
    X86State *s;

    tcg_rig_init(f, options, false);
    put_gate(f->rig, X86_EXC_PF, FAULT);
    put_gate(f->rig, X86_EXC_DE, DIVIDE);
    put_program(f->rig, TCG_RIG_BASE, tcg_counted, tcg_counted_end);
    put_program(f->rig, FAULT, tcg_counted_fault, tcg_counted_fault_end);
    put_program(f->rig, DIVIDE, tcg_counted_divide, tcg_counted_divide_end);
    s = &f->rig->core->s;
    s->cr0 |= X86_CR0_NE;
    s->rip = TCG_RIG_BASE;
    s->gpr[X86_RSP] = 0x8000;
    x86_state_changed(f->rig->core);
}

/* Up to COUNT instructions. */
static void
run_until(TcgRig *f, uint64_t count)
{
    VitCpu *cpu = &f->rig->cpu;

    cpu->count_limit = count;
    while (vit_tcg_executor.count(cpu) < count) {
        g_assert_cmpint(vit_tcg_executor.run(cpu), ==, VIT_CPU_EXIT_REQUEST);
    }
    g_assert_cmpuint(vit_tcg_executor.count(cpu), ==, count);
}

static void
check_mode(const TcgOptions *options)
{
    /* flags that nobody reads may be anything between blocks */
    uint64_t seen = options->exact ? UINT64_MAX : ~(uint64_t)X86_FLAGS_ARITH;
    TcgOptions interpret = { .interpret = true, .count = true };
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    uint64_t count = 0;
    TcgRig a, b;

    start(&a, options);
    start(&b, &interpret);
    for (unsigned stop = 0; stop < STOPS; stop++) {
        const X86State *x = &a.rig->core->s, *y = &b.rig->core->s;

        count += stop % 8 ? (uint64_t)g_rand_int_range(random, 1, 300)
                          : (uint64_t)g_rand_int_range(random, 1, 5);
        run_until(&a, count);
        run_until(&b, count);
        g_assert_cmphex(x->rip, ==, y->rip);
        g_assert_cmphex(x->rflags & seen, ==, y->rflags & seen);
        for (unsigned i = 0; i < 16; i++) {
            g_assert_cmphex(x->gpr[i], ==, y->gpr[i]);
        }
    }
    g_assert_true(!vit_tcg_is_able() || vit_tcg_get_dispatches(&a.rig->cpu) > STOPS / 2);
    g_assert_cmpmem(rig_ram(a.rig, 0x20000), 0x10000, rig_ram(b.rig, 0x20000), 0x10000);
    tcg_rig_finish(&a);
    tcg_rig_finish(&b);
}

/* mission: icount.shift */
static void
test_modes(void)
{
    static const TcgOptions modes[] = {
        { .count = true },
        { .count = true, .warm_up = 3 },
        { .count = true, .exact = true },
        { .count = true, .force_exits = true },
        { .count = true, .one_insn_per_tb = true },
        { .count = true, .tlb_entries = 4 },
        { .count = true, .invalidate_every = 7 },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        check_mode(&modes[i]);
    }
}

/* In one go the figure is that of many. */
static void
test_whole(void)
{
    TcgRig a, b;

    start(&a, &(TcgOptions){ .count = true });
    start(&b, &(TcgOptions){ .count = true, .interpret = true });
    run_until(&a, 1000003);
    run_until(&b, 1000003);
    g_assert_cmphex(a.rig->core->s.rip, ==, b.rig->core->s.rip);
    g_assert_cmphex(a.rig->core->s.gpr[X86_RBX], ==, b.rig->core->s.gpr[X86_RBX]);
    tcg_rig_finish(&a);
    tcg_rig_finish(&b);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcg/count/modes", test_modes);
    g_test_add_func("/tcg/count/whole", test_whole);
    return g_test_run();
}
