/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Several CPUs, each in a thread of its own, that share code which one of them changes while the
 * others take it up (cpus.S). Intel SDM volume 3, "Handling Self- and Cross-Modifying Code": a CPU
 * that has heard of the change and serialized itself executes the new code. */

#include "tcg-rig.h"

TCG_RIG_PROGRAM(writer);
TCG_RIG_PROGRAM(runner);

enum { WRITER = 0x10000, RUNNER = 0x12000, SHARED = 0x30000, STACK = 0x40000, CPUS_MAX = 4 };

typedef struct Fixture {
    Rig *rig;
    TcgMachine *tcg;
    VitCpu cpu[CPUS_MAX];
    unsigned n_cpus;
} Fixture;

static void
add_cpu(Fixture *f, uint64_t rip)
{
    g_autoptr(GError) error = NULL;
    VitCpu *cpu = &f->cpu[f->n_cpus];
    X86Core *core;

    *cpu = f->rig->cpu;
    cpu->index = f->n_cpus;
    cpu->is_crowded = true;
    cpu->executor = &vit_tcg_executor;
    cpu->executor_machine = f->tcg;
    vit_tcg_executor.create(cpu, &f->rig->model, &error);
    g_assert_no_error(error);
    core = cpu->state;
    core->s = f->rig->core->s;
    core->s.cr0 |= X86_CR0_NE; /* x87 instructions are translated */
    core->s.rip = rip;
    core->s.gpr[X86_RSP] = STACK + 0x1000 * f->n_cpus;
    core->s.gpr[X86_RSI] = SHARED;
    core->s.gpr[X86_R15] = f->n_cpus - 1;
    x86_state_changed(core);
    f->n_cpus++;
}

static void
fixture_init(Fixture *f, const TcgOptions *options, unsigned n_runners)
{
    g_autoptr(GError) error = NULL;

    *f = (Fixture){ .rig = rig_new("max") };
    f->tcg = vit_tcg_new(options, &error);
    g_assert_no_error(error);
    x86_state_reset(f->rig->core, false);
    rig_long(f->rig, 0);
    memcpy(rig_ram(f->rig, WRITER), tcg_program_writer,
           (size_t)(tcg_program_writer_end - tcg_program_writer));
    memcpy(rig_ram(f->rig, RUNNER), tcg_program_runner,
           (size_t)(tcg_program_runner_end - tcg_program_runner));
    add_cpu(f, WRITER);
    for (unsigned i = 0; i < n_runners; i++) {
        add_cpu(f, RUNNER);
    }
    ((X86Core *)f->cpu[0].state)->s.gpr[X86_R14] = n_runners;
}

static void
fixture_finish(Fixture *f)
{
    while (f->n_cpus > 0) {
        vit_tcg_executor.destroy(&f->cpu[--f->n_cpus]);
    }
    vit_tcg_free(f->tcg);
    rig_free(f->rig);
}

static gpointer
run_cpu(gpointer opaque)
{
    VitCpu *cpu = opaque;
    VitCpuExit reason;

    do {
        reason = vit_tcg_executor.run(cpu);
    } while (reason == VIT_CPU_EXIT_REQUEST);
    return GINT_TO_POINTER(reason);
}

static void
check_cross_modifying(const TcgOptions *options, unsigned n_runners)
{
    GThread *thread[CPUS_MAX];
    Fixture f;

    fixture_init(&f, options, n_runners);
    for (unsigned i = 0; i < f.n_cpus; i++) {
        thread[i] = g_thread_new("CPU", run_cpu, &f.cpu[i]);
    }
    for (unsigned i = 0; i < f.n_cpus; i++) {
        g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(thread[i])), ==, VIT_CPU_EXIT_HALT);
    }
    g_assert_true(f.tcg->options.interpret || f.tcg->waits > 0);
    for (unsigned i = 1; i < f.n_cpus; i++) {
        g_assert_cmpuint(((X86Core *)f.cpu[i].state)->s.gpr[X86_RBX], ==, 0);
    }
    fixture_finish(&f);
}

static void
test_two(void)
{
    check_cross_modifying(&(TcgOptions){ 0 }, 1);
}

static void
test_four(void)
{
    check_cross_modifying(&(TcgOptions){ 0 }, 3);
}

static void
test_others(void)
{
    static const TcgOptions modes[] = { { .force_exits = true },
                                        { .invalidate_every = 50 },
                                        { .interpret = true } };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        check_cross_modifying(&modes[i], 1);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcg/cpus/cross-modifying/two", test_two);
    g_test_add_func("/tcg/cpus/cross-modifying/four", test_four);
    g_test_add_func("/tcg/cpus/cross-modifying/modes", test_others);
    return g_test_run();
}
