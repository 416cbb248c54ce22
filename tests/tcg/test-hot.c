/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Hot code and the slots of its accesses (hot.c, tlb-near.c): what comes up in notes of where a CPU
 * was is made anew with slots, an access that goes to another page each time loses its own, and the
 * program computes the same throughout. */

#include "tcg-rig.h"

TCG_RIG_PROGRAM(hot);
TCG_RIG_PROGRAM(nowhere);
extern const uint8_t tcg_program_hot_loop[];

enum { HANDLER = 0x6000, RIGHT = 3000 / 2 * (3 + 10) + 3000 * 5 };

static const TcgOptions modes[] = {
    { 0 },
    { .exact = true },
    { .force_exits = true },
    { .invalidate_every = 7 },
    { .warm_up = 2 },
    { .tlb_entries = 4 },
    { .interpret = true },
};

static void
fixture_init(TcgRig *f, const TcgOptions *options)
{
    tcg_rig_init(f, options, false);
    vit_address_space_write_bytes(f->rig->host.memory, TCG_RIG_BASE, tcg_program_hot,
                                  (size_t)(tcg_program_hot_end - tcg_program_hot));
    rig_put(f->rig, HANDLER, 0xf4, 1);
}

/* Runs the program as a user. */
static void
run(TcgRig *f)
{
    rig_long(f->rig, 3);
    rig_put_gate(f->rig, 0x2000 + 16 * X86_EXC_GP, 0x08, HANDLER, 14, 0);
    rig_put(f->rig, 0x2008 + 16 * X86_EXC_GP, 0, 8);
    rig_put(f->rig, 0x100008, 0x101007, 8);
    tcg_rig_go(f, (uint64_t)1 << 39 | TCG_RIG_BASE, (uint64_t)1 << 39 | 0x8000);
    g_assert_cmphex(f->rig->core->s.rip, ==, HANDLER + 1);
    g_assert_cmpuint(f->rig->core->s.gpr[X86_RBX], ==, RIGHT);
}

static void
test_values(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        TcgRig f;

        fixture_init(&f, &modes[i]);
        run(&f);
        run(&f);
        tcg_rig_finish(&f);
    }
}

/* A slot that is empty, or whose accesses are looked at one by one, finds nothing at an address
 * that no page can have either. The loop's length says which of the two it is. */
static void
test_nowhere(void)
{
    for (unsigned misses = 1; misses < 320; misses += 9) {
        X86State *s;
        TcgRig f;

        tcg_rig_init(&f, &modes[0], false);
        vit_address_space_write_bytes(f.rig->host.memory, TCG_RIG_BASE, tcg_program_nowhere,
                                      (size_t)(tcg_program_nowhere_end - tcg_program_nowhere));
        s = &f.rig->core->s;
        rig_put(f.rig, HANDLER, 0xf4, 1);
        rig_long(f.rig, 3);
        rig_put_gate(f.rig, 0x2000 + 16 * X86_EXC_SS, 0x08, HANDLER, 14, 0);
        rig_put(f.rig, 0x2008 + 16 * X86_EXC_SS, 0, 8);
        rig_put_gate(f.rig, 0x2000 + 16 * X86_EXC_GP, 0x08, HANDLER + 8, 14, 0); /* of HLT */
        rig_put(f.rig, 0x2008 + 16 * X86_EXC_GP, 0, 8);
        rig_put(f.rig, HANDLER + 8, 0xf4, 1);
        rig_put(f.rig, 0x100008, 0x101007, 8);
        s->gpr[X86_RCX] = misses;
        tcg_rig_go(&f, (uint64_t)1 << 39 | TCG_RIG_BASE, (uint64_t)1 << 39 | 0x8000);
        g_assert_cmphex(s->rip, ==, HANDLER + 1);
        g_assert_cmpuint(s->gpr[X86_RAX], ==, misses % 2 ? 1 : 2);
        tcg_rig_finish(&f);
    }
}

/* Where everything is hot: of the two accesses one loses its slot, and no more come to that. */
static void
test_scattered(void)
{
    unsigned given;
    TcgRig f;

    if (tcg_rig_skips()) {
        return;
    }
    fixture_init(&f, &modes[0]);
    run(&f);
    g_assert_cmpuint(f.tcg->far_count, ==, 1);
    given = f.tcg->near_given[TCG_NEAR_USER][0];
    g_assert_cmpuint(given, >=, 3);
    run(&f);
    g_assert_cmpuint(f.tcg->far_count, ==, 1);
    g_assert_cmpuint(f.tcg->near_given[TCG_NEAR_USER][0], ==, given);
    tcg_rig_finish(&f);
}

/* The loop's first block comes up three times: it and what it leads to get slots. */
static void
test_notes(void)
{
    const TcgOptions options = { .warm_up = 2 };
    uint64_t loop =
        ((uint64_t)1 << 39 | TCG_RIG_BASE) + (uint64_t)(tcg_program_hot_loop - tcg_program_hot);
    X86State *s;
    TcgCpu *cpu;
    TcgRig f;

    if (tcg_rig_skips()) {
        return;
    }
    fixture_init(&f, &options);
    run(&f);
    s = &f.rig->core->s;
    cpu = tcg_cpu_of(f.rig->core);
    g_assert_cmpuint(f.tcg->near_given[TCG_NEAR_USER][0], ==, 0);
    s->cpl = 3;
    s->rip = loop;
    for (unsigned i = 0; i < 3; i++) {
        const TcgFetch *fetch = &cpu->fetch[X86_VIEW_USER][tcg_fetch_slot(loop & ~(uint64_t)0xfff)];
        g_assert_cmpuint(f.tcg->hot_count, ==, 0);
        tcg_hot_note(cpu, fetch->mode);
    }
    g_assert_cmpuint(f.tcg->hot_count, >=, 2);
    s->cpl = 0;
    run(&f);
    g_assert_cmpuint(f.tcg->near_given[TCG_NEAR_USER][0], >=, 2);
    tcg_rig_finish(&f);
}

/* A slot knows nothing of rights: what one owner's accesses fill, no other's look at. */
static void
test_owners(void)
{
    uint8_t owner_of[2 * TCG_NEAR_SLOTS] = { 0 };
    const X86Insn insn = { .length = 2 };
    const uint8_t bytes[2] = { 0 };
    TcgRig f;

    if (tcg_rig_skips()) {
        return;
    }
    g_assert_cmpint(tcg_near_owner(X86_VIEW_USER, 0x400000), ==, TCG_NEAR_USER);
    g_assert_cmpint(tcg_near_owner(X86_VIEW_USER, UINT64_MAX), ==, TCG_NEAR_USER);
    g_assert_cmpint(tcg_near_owner(X86_VIEW_SUPERVISOR, 0x400000), ==, TCG_NEAR_EARLY);
    g_assert_cmpint(tcg_near_owner(X86_VIEW_SUPERVISOR, UINT64_MAX), ==, TCG_NEAR_NOBODY);
    g_assert_cmpint(tcg_near_owner(X86_VIEW_SMAP, 0x400000), ==, TCG_NEAR_NOBODY);
    fixture_init(&f, &modes[0]);
    for (unsigned view = 0; view < X86_VIEW_LAST; view++) {
        owner_of[tcg_near_stack(view, false)] = owner_of[tcg_near_stack(view, true)] = 0xff;
    }
    for (unsigned i = 0; i < 4 * TCG_NEAR_SLOTS; i++) {
        TcgNearOwner owner = i & 1 ? TCG_NEAR_USER : TCG_NEAR_EARLY;
        unsigned slot = tcg_near_slot(f.tcg, owner, i, &insn, bytes, i & 2);

        g_assert_cmpuint(slot, <, 2 * TCG_NEAR_SLOTS);
        g_assert_cmpuint(slot >= TCG_NEAR_SLOTS, ==, (i & 2) != 0);
        g_assert_true(owner_of[slot] == 0 || owner_of[slot] == owner + 1);
        owner_of[slot] = owner + 1;
    }
    tcg_rig_finish(&f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcg/hot/values", test_values);
    g_test_add_func("/tcg/hot/nowhere", test_nowhere);
    g_test_add_func("/tcg/hot/scattered", test_scattered);
    g_test_add_func("/tcg/hot/notes", test_notes);
    g_test_add_func("/tcg/hot/owners", test_owners);
    return g_test_run();
}
