/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The same memory with code at several linear addresses, as programs have it that are mapped
 * elsewhere at each start: blocks are copied (copy.c) and must do what their originals do, at their
 * own addresses; a write drops all of them. */

#include "tcg-rig.h"

extern const uint8_t tcg_program_copied[], tcg_program_copied_end[];
extern const uint8_t tcg_program_copied_fault[], tcg_program_copied_called[];

enum { HANDLER = 0x6000, TURNS = 100, DATA = 7 };

static const TcgOptions modes[] = {
    { 0 },
    { .exact = true },
    { .force_exits = true },
    { .one_insn_per_tb = true },
    { .invalidate_every = 7 },
    { .warm_up = 2 },
    { .split_wx = true, .tb_size_bytes = 1 << 20 },
    { .interpret = true },
};

static void
fixture_init(TcgRig *f, const TcgOptions *options)
{
    tcg_rig_init(f, options, false);
    vit_address_space_write_bytes(f->rig->host.memory, TCG_RIG_BASE, tcg_program_copied,
                                  (size_t)(tcg_program_copied_end - tcg_program_copied));
    rig_put(f->rig, HANDLER, 0xf4, 1);
}

static uint64_t
base_of(unsigned place)
{
    return (uint64_t)place << 39 | TCG_RIG_BASE;
}

/* Runs the program where entry PLACE of the highest table maps it. Returns what has ended it: the
 * address of that instruction. */
static uint64_t
run_at(TcgRig *f, unsigned place, uint8_t constant, bool fault)
{
    X86State *s = &f->rig->core->s;

    rig_long(f->rig, 3);
    for (unsigned vector = X86_EXC_GP; vector <= X86_EXC_PF; vector++) {
        rig_put_gate(f->rig, 0x2000 + 16 * vector, 0x08, HANDLER, 14, 0);
        rig_put(f->rig, 0x2008 + 16 * vector, 0, 8);
    }
    rig_put(f->rig, 0x100000 + 8 * place, 0x101007, 8);
    s->gpr[X86_RDI] = constant;
    s->gpr[X86_RSI] = fault;
    tcg_rig_go(f, base_of(place), base_of(place) - TCG_RIG_BASE + 0x8000);
    g_assert_cmphex(s->rip, ==, HANDLER + 1);
    return rig_get(f->rig, s->gpr[X86_RSP] + 8, 8);
}

static void
check(TcgRig *f, unsigned place, unsigned constant)
{
    const X86State *s = &f->rig->core->s;

    g_assert_cmphex(s->gpr[X86_RBX], ==, base_of(place) + TURNS * (DATA + constant));
    g_assert_cmphex(s->gpr[X86_RBP], ==,
                    base_of(place) + (uint64_t)(tcg_program_copied_called - tcg_program_copied));
}

/* What the program computes from its own address, in every mode of the translator. */
static void
test_values(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        TcgRig f;

        fixture_init(&f, &modes[i]);
        for (unsigned turn = 0; turn < 3; turn++) {
            for (unsigned place = 1; place < 200; place += 33) {
                run_at(&f, place, 0, false);
                check(&f, place, 5);
            }
        }
        tcg_rig_finish(&f);
    }
}

/* Nothing is translated a second time. */
static void
test_copied(void)
{
    uint64_t first;
    TcgRig f;

    if (tcg_rig_skips()) {
        return;
    }
    fixture_init(&f, &modes[0]);
    run_at(&f, 1, 0, false);
    first = f.tcg->translated_blocks;
    g_assert_cmpuint(f.tcg->copied_blocks, ==, 0);
    for (unsigned place = 2; place < 6; place++) {
        run_at(&f, place, 0, false);
        check(&f, place, 5);
    }
    g_assert_cmpuint(f.tcg->copied_blocks, >=, 4 * (first - 2)); /* handler */
    g_assert_cmpuint(f.tcg->translated_blocks - f.tcg->copied_blocks, ==, first);
    tcg_rig_finish(&f);
}

/* A fault in a copy is told with the copy's address. */
static void
test_fault(void)
{
    uint64_t offset = (uint64_t)(tcg_program_copied_fault - tcg_program_copied);

    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        TcgRig f;

        fixture_init(&f, &modes[i]);
        for (unsigned place = 1; place < 5; place++) {
            g_assert_cmphex(run_at(&f, place, 0, true), ==, base_of(place) + offset);
            g_assert_cmphex(f.rig->core->s.cr2, ==, base_of(place) + offset + 7 + 0x40000000);
            check(&f, place, 5);
        }
        tcg_rig_finish(&f);
    }
}

/* A write by way of one address is seen by way of the others, and back. */
static void
test_written(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        TcgRig f;

        fixture_init(&f, &modes[i]);
        for (unsigned turn = 0; turn < 40; turn++) {
            uint8_t constant = (uint8_t)(1 + (turn & 12));
            for (unsigned n = 0; n < 3; n++) {
                unsigned place = 1 + (turn + n) % 3;
                run_at(&f, place, n ? 0 : constant, false);
                check(&f, place, constant);
            }
        }
        if (i == 0 && vit_tcg_is_able()) {
            g_assert_cmpuint(f.tcg->copied_blocks, >, 0);
            g_assert_cmpuint(f.tcg->invalidated, >, 0);
        }
        tcg_rig_finish(&f);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcg/copy/values", test_values);
    g_test_add_func("/tcg/copy/copied", test_copied);
    g_test_add_func("/tcg/copy/fault", test_fault);
    g_test_add_func("/tcg/copy/written", test_written);
    return g_test_run();
}
