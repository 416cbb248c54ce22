/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Hosts that lack something (VITRINE_HOST_WITHOUT): the guest program gives the same answer, and no
 * instruction that the host has not got is among the translated code. */

#include "machine.h" /* of engine/tcg */
#include "x86-exec.h"
#include "x86-rig.h"

extern const uint8_t tcg_program_integer[], tcg_program_integer_end[];

enum { BASE = 0x10000 };

/* Rows of these have none, as on other hosts they are something else. */
static bool
is_of(const X86OpRow *row, unsigned feature)
{
    return row->feature == feature ||
           (feature == X86_FEATURE_BMI1 && row->exec == x86_exec_tzcnt) ||
           (feature == X86_FEATURE_ABM && row->exec == x86_exec_lzcnt);
}

/* Instructions of FEATURE between START and END, by our own decoder. */
static unsigned
count_of(const uint8_t *start, const uint8_t *end, unsigned feature)
{
    unsigned count = 0;
    X86Insn insn;

    while (start < end && x86_decode(start, (size_t)(end - start), 8, &insn) == X86_DECODE_OK) {
        count += is_of(insn.row, feature);
        start += insn.length;
    }
    return count;
}

/* RBX at the end; OUT_NATIVE: instructions of FEATURE that the host was given. */
static uint64_t
run(unsigned feature, unsigned *out_native)
{
    g_autoptr(GError) error = NULL;
    TcgOptions options = { 0 };
    TcgMachine *tcg = vit_tcg_new(&options, &error);
    Rig *rig = rig_new("max");
    VitCpuExit reason;
    uint64_t answer;
    bool made;

    g_assert_no_error(error);
    x86_core_free(rig->core);
    rig->cpu.executor = &vit_tcg_executor;
    rig->cpu.executor_machine = tcg;
    made = vit_tcg_executor.create(&rig->cpu, &rig->model, &error);
    g_assert_no_error(error);
    g_assert_true(made);
    rig->core = rig->cpu.state;
    x86_state_reset(rig->core, false);
    rig_long(rig, 0);
    vit_address_space_write_bytes(rig->host.memory, BASE, tcg_program_integer,
                                  (size_t)(tcg_program_integer_end - tcg_program_integer));
    rig->core->s.rip = BASE;
    rig->core->s.rflags = 2;
    x86_state_changed(rig->core);
    do {
        reason = vit_tcg_executor.run(&rig->cpu);
    } while (reason == VIT_CPU_EXIT_REQUEST);
    g_assert_cmpint(reason, ==, VIT_CPU_EXIT_HALT);
    answer = rig->core->s.gpr[X86_RBX];
    *out_native = 0;
    for (size_t i = 0; i < tcg->n_blocks; i++) {
        *out_native += count_of(tcg->blocks[i]->start, tcg->blocks[i]->end, feature);
    }
    vit_tcg_executor.destroy(&rig->cpu);
    rig->core = NULL;
    vit_tcg_free(tcg);
    rig_free(rig);
    return answer;
}

static void
test_integer(gconstpointer data)
{
    const char *name = data;
    unsigned feature = (unsigned)x86_feature_find(name, strlen(name)), native;
    uint64_t answer;

    g_unsetenv("VITRINE_HOST_WITHOUT");
    answer = run(feature, &native);
    if (!x86_host_has(feature) || !x86_host_has(X86_FEATURE_BMI2)) {
        g_test_skip("this host has not got it anyway");
        return;
    }
    g_assert_cmpuint(native, >, 0);
    g_setenv("VITRINE_HOST_WITHOUT", name, true);
    g_assert_false(x86_host_has(feature));
    g_assert_cmphex(run(feature, &native), ==, answer);
    g_assert_cmpuint(native, ==, 0);
    g_unsetenv("VITRINE_HOST_WITHOUT");
}

/* What builds on a feature goes with it, other things stay. */
static void
test_builds_on(void)
{
    g_setenv("VITRINE_HOST_WITHOUT", "adx,avx,nothing-like-that", true);
    g_assert_false(x86_host_has(X86_FEATURE_ADX));
    g_assert_false(x86_host_has(X86_FEATURE_AVX));
    g_assert_false(x86_host_has(X86_FEATURE_FMA));
    g_assert_false(x86_host_has(X86_FEATURE_AVX512VBMI));
    g_assert_true(x86_host_has(X86_FEATURE_SSE2));
    g_unsetenv("VITRINE_HOST_WITHOUT");
}

int
main(int argc, char **argv)
{
    static const char *const names[] = { "adx", "bmi1", "bmi2", "popcnt", "abm", "movbe" };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_strconcat("/tcg/host/without-", names[i], NULL);
        g_test_add_data_func(path, names[i], test_integer);
    }
    g_test_add_func("/tcg/host/builds-on", test_builds_on);
    return g_test_run();
}
