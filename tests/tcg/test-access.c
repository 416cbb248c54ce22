/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Accesses that share a check, and those over page boundaries (engine/tcg/group.h, emit-mem.c).
 * Guest programs (access.S) over pages whose neighbours lie apart, in the interpreter and in every
 * mode of the translator: what they compute is the same; what they did it with, figures tell. */

#include "tcg-rig.h"

TCG_RIG_PROGRAM(structures);
TCG_RIG_PROGRAM(stack);
TCG_RIG_PROGRAM(carries);
TCG_RIG_PROGRAM(across);
TCG_RIG_PROGRAM(dirty);
TCG_RIG_PROGRAM(window);
TCG_RIG_PROGRAM(ahead);
TCG_RIG_PROGRAM(ahead_call);
TCG_RIG_PROGRAM(loops);
TCG_RIG_PROGRAM(loop_fault);
TCG_RIG_PROGRAM(loop_divide);
TCG_RIG_PROGRAM(strings);
TCG_RIG_PROGRAM(string_fault);

enum { WORD = 0x104000, HANDLER = 0x6000 };
enum { PTE_ACCESSED = 0x20, PTE_DIRTY = 0x40 };

static void
fixture_init(TcgRig *f, const TcgOptions *options)
{
    tcg_rig_init(f, options, true);
    rig_put(f->rig, TCG_RIG_TABLE + 2 * 8, RIG_WINDOW | 3, 8);
}

static const TcgOptions modes[] = {
    { .interpret = true },
    { 0 },
    { .exact = true },
    { .force_exits = true },
    { .one_insn_per_tb = true },
    { .invalidate_every = 1 },
    { .tlb_entries = 4 },
    { .warm_up = 2 },
    { .warm_up = 5, .tlb_entries = 4 },
    { .exact = true, .tlb_entries = 4 },
    { .force_exits = true, .invalidate_every = 3, .tlb_entries = 4 },
};

typedef struct Values {
    uint64_t structures, stack, carries, across, window, loops, strings;
} Values;

static Values
compute(const TcgOptions *options)
{
    Values values;
    TcgRig f;

    fixture_init(&f, options);
    values.structures = TCG_RIG_RUN(&f, structures);
    values.stack = TCG_RIG_RUN(&f, stack);
    values.carries = TCG_RIG_RUN(&f, carries);
    values.across = TCG_RIG_RUN(&f, across);
    values.window = TCG_RIG_RUN(&f, window);
    g_assert_cmpuint(f.rig->window_writes, ==, 6);
    g_assert_cmpuint(f.rig->window_reads, ==, 6);
    values.loops = TCG_RIG_RUN(&f, loops); /* over the window as well */
    values.strings = TCG_RIG_RUN(&f, strings);
    values.window += f.rig->window_writes + 1000 * f.rig->window_reads;
    tcg_rig_finish(&f);
    return values;
}

/* The interpreter's values in every mode of the translator. */
static void
test_values(void)
{
    Values right = compute(&modes[0]);

    for (unsigned i = 1; i < VIT_ARRAY_LEN(modes); i++) {
        Values values = compute(&modes[i]);
        g_assert_cmphex(values.structures, ==, right.structures);
        g_assert_cmphex(values.stack, ==, right.stack);
        g_assert_cmphex(values.carries, ==, right.carries);
        g_assert_cmphex(values.across, ==, right.across);
        g_assert_cmphex(values.window, ==, right.window);
        g_assert_cmphex(values.loops, ==, right.loops);
        g_assert_cmphex(values.strings, ==, right.strings);
    }
}

/* Groups that lie in two pages go to instructions without groups by a jump, not by the dispatcher;
 * what lies in one page is checked without help. Single accesses over the boundary that write are
 * the interpreter's. */
static void
test_groups(void)
{
    TcgCpu *cpu;
    TcgRig f;

    fixture_init(&f, &(TcgOptions){ 0 });
    cpu = tcg_cpu_of(f.rig->core);
    TCG_RIG_RUN(&f, structures);
    g_assert_cmpuint(cpu->dispatches, <, 40);
    g_assert_cmpuint(cpu->slow, <, 100);
    TCG_RIG_RUN(&f, stack);
    g_assert_cmpuint(cpu->dispatches, <, 120);
    g_assert_cmpuint(cpu->slow, <, 200);
    g_assert_cmpuint(cpu->interpreted, <, 100);
    tcg_rig_finish(&f);
}

/* Reads in two pages are not the interpreter's. */
static void
test_across(void)
{
    uint64_t interpreted;
    TcgCpu *cpu;
    TcgRig f;

    if (tcg_rig_skips()) {
        return;
    }
    fixture_init(&f, &(TcgOptions){ 0 });
    cpu = tcg_cpu_of(f.rig->core);
    TCG_RIG_RUN(&f, across);
    interpreted = cpu->interpreted;
    g_assert_cmpuint(interpreted, <, 8);
    g_assert_cmpuint(cpu->slow, >, 40);
    tcg_rig_finish(&f);
}

/* A page is dirty when it has been written, not when a block could. */
static void
test_dirty(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        TcgRig f;

        fixture_init(&f, &modes[i]);
        for (unsigned turn = 0; turn < 3; turn++) {
            g_assert_cmphex(TCG_RIG_RUN(&f, dirty) & (PTE_ACCESSED | PTE_DIRTY), ==, PTE_ACCESSED);
        }
        rig_put(f.rig, TCG_RIG_DATA + 511 * 0x1000 + 0x100, 1, 4);
        rig_put(f.rig, WORD, 77, 4);
        g_assert_cmphex(TCG_RIG_RUN(&f, dirty) & PTE_DIRTY, ==, PTE_DIRTY);
        g_assert_cmpuint(rig_get(f.rig, TCG_RIG_DATA + 511 * 0x1000 + 0x108, 4), ==, 77);
        tcg_rig_finish(&f);
    }
}

static void
test_ahead(void)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        TcgRig f;

        fixture_init(&f, &modes[i]);
        for (unsigned turn = 0; turn < 3; turn++) {
            g_assert_cmpuint(TCG_RIG_RUN(&f, ahead), ==, 3);
            g_assert_cmpuint(TCG_RIG_RUN(&f, ahead_call), ==, 9);
        }
        tcg_rig_finish(&f);
    }
}

/* A loop that was prepared has been run, and few of its accesses needed help. */
static void
test_loops(void)
{
    TcgCpu *cpu;
    TcgRig f;

    if (tcg_rig_skips()) {
        return;
    }
    fixture_init(&f, &(TcgOptions){ 0 });
    cpu = tcg_cpu_of(f.rig->core);
    rig_put(f.rig, TCG_RIG_TABLE + 2 * 8, TCG_RIG_DATA | 3, 8);
    TCG_RIG_RUN(&f, loops);
    g_assert_cmpuint(cpu->stream[0], !=, 0);
    g_assert_cmpuint(cpu->dispatches, <, 150);
    g_assert_cmpuint(cpu->slow, <, 100);
    tcg_rig_finish(&f);
}

/* When the pages have been seen once, the interpreter has little to do with strings. */
static void
test_strings(void)
{
    uint64_t interpreted;
    TcgCpu *cpu;
    TcgRig f;

    fixture_init(&f, &(TcgOptions){ 0 });
    cpu = tcg_cpu_of(f.rig->core);
    rig_put(f.rig, TCG_RIG_TABLE + 2 * 8, TCG_RIG_DATA | 3, 8);
    TCG_RIG_RUN(&f, strings);
    interpreted = cpu->interpreted;
    g_assert_cmpuint(interpreted, <, 2 * 8 + 8);
    TCG_RIG_RUN(&f, strings);
    g_assert_cmpuint(cpu->interpreted - interpreted, <, 2 * 5 + 2);
    tcg_rig_finish(&f);
}

static void
put_handler(TcgRig *f, unsigned vector)
{
    rig_put_gate(f->rig, 0x2000 + 16 * vector, 0x08, HANDLER, 14, 0);
    rig_put(f->rig, 0x2008 + 16 * vector, 0, 8);
    rig_put(f->rig, HANDLER, 0xf4, 1);
}

/* What a program left: registers, and the frame of the fault that ended it. */
static char *
state_text(const TcgRig *f, unsigned frame)
{
    const X86State *s = &f->rig->core->s;
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < 16; i++) {
        g_string_append_printf(text, "%u=%" G_GINT64_MODIFIER "x ", i, s->gpr[i]);
    }
    g_string_append_printf(text, "cr2=%" G_GINT64_MODIFIER "x ", s->cr2);
    for (unsigned i = 0; i < frame; i++) {
        g_string_append_printf(text, "%" G_GINT64_MODIFIER "x ",
                               rig_get(f->rig, s->gpr[X86_RSP] + 8 * i, 8));
    }
    return g_string_free(text, FALSE);
}

/* Faults in the middle of a loop or string leave what the interpreter leaves, flags that nobody
 * reads and memory too. */
static void
test_faults(void)
{
    g_autofree char *right = NULL, *right_divide = NULL, *right_string = NULL;
    g_autofree uint8_t *memory = NULL;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(modes); i++) {
        g_autofree char *text = NULL, *divide = NULL, *string = NULL;
        uint8_t *pages;
        TcgRig f;

        fixture_init(&f, &modes[i]);
        put_handler(&f, X86_EXC_PF);
        put_handler(&f, X86_EXC_XM);
        pages = rig_ram(f.rig, TCG_RIG_DATA + 500 * 0x1000);
        for (unsigned n = 0; n < 0xc000; n++) {
            pages[n] = (uint8_t)(n * 11 >> 3);
        }
        rig_put(f.rig, TCG_RIG_TABLE + 5 * 8, 0, 8);
        TCG_RIG_RUN(&f, loop_fault);
        text = state_text(&f, 6);
        if (i == 0) {
            right = g_steal_pointer(&text);
            memory = g_memdup2(pages, 0xc000);
        } else {
            g_assert_cmpstr(text, ==, right);
            g_assert_cmpmem(pages, 0xc000, memory, 0xc000);
        }
        TCG_RIG_RUN(&f, loop_divide);
        divide = state_text(&f, 5);
        if (i == 0) {
            right_divide = g_steal_pointer(&divide);
        } else {
            g_assert_cmpstr(divide, ==, right_divide);
        }
        for (unsigned turn = 0; turn < 3; turn++) {
            TCG_RIG_RUN(&f, string_fault);
        }
        string = state_text(&f, 6);
        if (i == 0) {
            right_string = g_steal_pointer(&string);
        } else {
            g_assert_cmpstr(string, ==, right_string);
        }
        tcg_rig_finish(&f);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcg/access/values", test_values);
    g_test_add_func("/tcg/access/groups", test_groups);
    g_test_add_func("/tcg/access/across", test_across);
    g_test_add_func("/tcg/access/dirty", test_dirty);
    g_test_add_func("/tcg/access/ahead", test_ahead);
    g_test_add_func("/tcg/access/loops", test_loops);
    g_test_add_func("/tcg/access/strings", test_strings);
    g_test_add_func("/tcg/access/faults", test_faults);
    return g_test_run();
}
