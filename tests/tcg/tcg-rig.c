/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The rig of tests/cpu with its CPU made anew by the translator. */

#include "tcg-rig.h"

void
tcg_rig_init(TcgRig *f, const TcgOptions *options, bool apart)
{
    g_autoptr(GError) error = NULL;
    bool made;

    f->rig = rig_new("max");
    x86_core_free(f->rig->core);
    f->tcg = vit_tcg_new(options, &error);
    g_assert_no_error(error);
    f->rig->cpu.executor = &vit_tcg_executor;
    f->rig->cpu.executor_machine = f->tcg;
    made = vit_tcg_executor.create(&f->rig->cpu, &f->rig->model, &error);
    g_assert_no_error(error);
    g_assert_true(made);
    f->rig->core = f->rig->cpu.state;
    x86_state_reset(f->rig->core, false);
    rig_long(f->rig, 0);
    for (unsigned i = 0; i < 512; i++) {
        rig_put(f->rig, TCG_RIG_TABLE + i * 8, (TCG_RIG_DATA + (apart ? 511 - i : i) * 0x1000) | 3,
                8);
    }
    rig_put(f->rig, 0x102008, TCG_RIG_TABLE | 7, 8);
}

void
tcg_rig_finish(TcgRig *f)
{
    vit_tcg_executor.destroy(&f->rig->cpu);
    f->rig->core = NULL;
    vit_tcg_free(f->tcg);
    rig_free(f->rig);
}

bool
tcg_rig_skips(void)
{
    if (!vit_tcg_is_able()) {
        g_test_skip("this host cannot run translated code");
        return true;
    }
    return false;
}

void
tcg_rig_go(TcgRig *f, uint64_t rip, uint64_t rsp)
{
    X86State *s = &f->rig->core->s;
    VitCpuExit reason;

    s->rip = rip;
    s->gpr[X86_RSP] = rsp;
    s->rflags = 2;
    s->cr4 |= X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;
    s->activity = X86_ACTIVE;
    x86_state_changed(f->rig->core);
    do {
        reason = vit_tcg_executor.run(&f->rig->cpu);
    } while (reason == VIT_CPU_EXIT_REQUEST || vit_cpu_events(&f->rig->cpu));
    g_assert_cmpint(reason, ==, VIT_CPU_EXIT_HALT);
}

uint64_t
tcg_rig_run(TcgRig *f, const uint8_t *program, const uint8_t *end)
{
    vit_address_space_write_bytes(f->rig->host.memory, TCG_RIG_BASE, program,
                                  (size_t)(end - program));
    tcg_rig_go(f, TCG_RIG_BASE, 0x8000);
    return f->rig->core->s.gpr[X86_RBX];
}
