/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Blocks that go on behind direct jumps, and what goes with them: flags over the jumps, writes to
 * what lies behind one, circles that a request to leave must end; returns whose page was mapped
 * anew meanwhile; flags that a shift by nothing leaves to a fault, and those over an access. Guest
 * programs in follow.S. */

#include "tcg-rig.h"

TCG_RIG_PROGRAM(over_jumps);
TCG_RIG_PROGRAM(part_written);
TCG_RIG_PROGRAM(own_part);
TCG_RIG_PROGRAM(circle);
TCG_RIG_PROGRAM(mapped_anew);
TCG_RIG_PROGRAM(by_nothing);
TCG_RIG_PROGRAM(carried);

enum { HANDLER = 0x6000 };

static const TcgOptions modes[] = {
    { .interpret = true },
    { 0 },
    { .exact = true },
    { .force_exits = true },
    { .one_insn_per_tb = true },
    { .invalidate_every = 7 },
    { .warm_up = 2 },
    { .tlb_entries = 4 },
    { .count = true },
};

static void
put_handler(TcgRig *f, unsigned vector)
{
    rig_put_gate(f->rig, 0x2000 + 16 * vector, 0x08, HANDLER, 14, 0);
    rig_put(f->rig, 0x2008 + 16 * vector, 0, 8);
    rig_put(f->rig, HANDLER, 0xf4, 1);
}

/* The same in every mode, the first of which is the interpreter. */
static void
test_values(void)
{
    uint32_t flags = 0;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        TcgRig f;

        tcg_rig_init(&f, &modes[i], false);
        flags = i ? flags : (uint32_t)TCG_RIG_RUN(&f, over_jumps);
        g_assert_cmphex((uint32_t)TCG_RIG_RUN(&f, over_jumps), ==, flags);
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, part_written), ==, 6000);
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, own_part), ==, 5050);
        g_assert_cmpuint((uint32_t)TCG_RIG_RUN(&f, mapped_anew), ==, 100 * 1 + 100 * 1000);
        tcg_rig_finish(&f);
    }
}

/* Blocks did go on, and an instruction is in each of them once. */
static void
test_parts(void)
{
    const TcgOptions options = { 0 };
    unsigned parts = 0;
    TcgRig f;

    if (tcg_rig_skips()) {
        return;
    }
    tcg_rig_init(&f, &options, false);
    TCG_RIG_RUN(&f, over_jumps);
    for (size_t i = 0; i < f.tcg->n_blocks; i++) {
        const TcgBlock *block = f.tcg->blocks[i];
        uint8_t seen[VIT_PAGE_SIZE] = { 0 };

        parts += block->n_parts;
        for (unsigned at = 0; at < block->n_insns; at++) {
            unsigned offset = block->places[at].guest & TCG_PLACE_OFFSET, len;
            const uint8_t *bytes = tcg_block_source(block, offset, &len);
            g_assert_false(seen[offset]);
            seen[offset] = 1;
            g_assert_cmpuint(len, >, 0);
            g_assert_cmphex(*bytes, ==, tcg_program_over_jumps[offset]);
        }
    }
    g_assert_cmpuint(parts, >=, 4);
    tcg_rig_finish(&f);
}

static gpointer
raise_later(gpointer opaque)
{
    g_usleep(20000);
    vit_cpu_raise(opaque, VIT_CPU_EVENT_NMI);
    return NULL;
}

static void
test_circle(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        GThread *thread;
        TcgRig f;

        tcg_rig_init(&f, &modes[i], false);
        put_handler(&f, X86_EXC_NMI);
        thread = g_thread_new("raise", raise_later, &f.rig->cpu);
        TCG_RIG_RUN(&f, circle);
        g_thread_join(thread);
        g_assert_cmphex(f.rig->core->s.rip, ==, HANDLER + 1);
        tcg_rig_finish(&f);
    }
}

static void
test_by_nothing(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        X86State *s;
        TcgRig f;

        tcg_rig_init(&f, &modes[i], false);
        put_handler(&f, X86_EXC_PF);
        s = &f.rig->core->s;
        TCG_RIG_RUN(&f, by_nothing);
        g_assert_cmphex(s->rip, ==, HANDLER + 1);
        g_assert_cmphex(s->cr2, ==, 0x201000);
        g_assert_cmpuint(s->gpr[X86_RBX], ==, 1);
        g_assert_cmphex(rig_get(f.rig, s->gpr[X86_RSP] + 24, 8) & X86_FLAGS_ARITH, ==,
                        X86_FLAG_CF | X86_FLAG_SF | X86_FLAG_PF | X86_FLAG_AF); /* of 2 - 3 */
        tcg_rig_finish(&f);
    }
}

/* What a check with live flags finds in its slot is never the page behind the address. */
static void
test_carried(void)
{
    const uint64_t whole = 0x0102030405060708, over = 0x0506070811223344;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        TcgRig f;

        tcg_rig_init(&f, &modes[i], true); /* neighbours lie apart */
        g_assert_cmphex(TCG_RIG_RUN(&f, carried), ==, 20 * whole + 20 * over + 24);
        tcg_rig_finish(&f);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcg/follow/values", test_values);
    g_test_add_func("/tcg/follow/parts", test_parts);
    g_test_add_func("/tcg/follow/circle", test_circle);
    g_test_add_func("/tcg/follow/by-nothing", test_by_nothing);
    g_test_add_func("/tcg/follow/carried", test_carried);
    return g_test_run();
}
