/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Random descriptor tables, page tables, task segments and stacks under random far transfers,
 * events, control-register and MSR writes. Nothing may leave the process, run for ever or read out
 * of bounds (the sanitizer builds see that), and whatever the guest does, the CPU stays in a state
 * that x86_state_accept() takes: what a saved machine could hold. A fault leaves CPL and CS as they
 * were unless a task switch had begun. */

#include "x86-rig.h"
#include "x86-save.h"

enum { TABLES = 0x1000, TABLES_END = 0x5000 };

static uint64_t
random64(GRand *rand)
{
    return (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
}

/* Values that are near something: limits, signs, canonical edges, table places. */
static uint64_t
random_value(GRand *rand)
{
    static const uint64_t edges[] = {
        0,          1,           0xffff,         0x10000,        0x7fffffff,
        0xffffffff, 0x100000000, 0x7fffffffffff, 0x800000000000, UINT64_MAX,
        0x80000000, 0x1000
    };
    switch (g_rand_int_range(rand, 0, 4)) {
    case 0: return edges[g_rand_int_range(rand, 0, VIT_ARRAY_LEN(edges))];
    case 1: return g_rand_int_range(rand, 0, 0x10000);
    case 2: return 1ull << g_rand_int_range(rand, 0, 64);
    default: return random64(rand);
    }
}

static uint16_t
random_selector(GRand *rand)
{
    return g_rand_int_range(rand, 0, 40) * 8 | g_rand_int_range(rand, 0, 8);
}

/* A descriptor of any kind, likelier present, with base and limit inside RAM. */
static uint64_t
random_descriptor(GRand *rand)
{
    uint32_t low = g_rand_int(rand);
    uint32_t high = g_rand_int(rand) & 0x00ffffff;

    if (g_rand_int_range(rand, 0, 4)) {
        high = (high & 0x00ff7f1f) | X86_SEG_P | g_rand_int_range(rand, 0, 4) << 13;
    }
    if (g_rand_int_range(rand, 0, 2)) { /* flat */
        low = 0xffff;
        high = (high & 0x0070ff00) | 0x8f0000;
    }
    return (uint64_t)high << 32 | low;
}

static void
scramble_tables(Rig *rig, GRand *rand)
{
    for (unsigned place = TABLES; place < TABLES_END; place += 8) {
        rig_put(rig, place, random_descriptor(rand), 8);
    }
    /* gates whose selector is in the table */
    for (unsigned i = 0; i < 64; i++) {
        unsigned place = 0x2000 + g_rand_int_range(rand, 0, 512) * 8;
        rig_put(rig, place + 2, random_selector(rand), 2);
    }
    for (unsigned i = 0; i < 64; i++) { /* stacks of selectors and offsets */
        rig_put(rig, 0x7f00 + i * 8,
                g_rand_int_range(rand, 0, 2) ? random_selector(rand) : random_value(rand), 8);
    }
}

static void
scramble_page_tables(Rig *rig, GRand *rand)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned place = 0x100000 + g_rand_int_range(rand, 0, 0x3000 / 8) * 8;
        rig_put(rig, place, random_value(rand) | g_rand_int_range(rand, 0, 8), 8);
    }
}

static void
start(Rig *rig, GRand *rand)
{
    unsigned kind = g_rand_int_range(rand, 0, 4);
    unsigned cpl = g_rand_int_range(rand, 0, 2) ? 3 : 0;
    X86State *s = &rig->core->s;

    x86_state_reset(rig->core, false);
    if (kind == 0) {
        s->idtr.limit = 0x3ff;
        s->rflags = 2;
        x86_load_segment(rig->core, X86_SS, 0);
    } else if (kind == 1) {
        rig_protected(rig, cpl);
    } else if (kind == 2) {
        rig_protected(rig, 0);
        s->rflags |= X86_FLAG_VM | (g_rand_int_range(rand, 0, 2) ? X86_FLAG_IOPL : 0);
        for (unsigned i = 0; i < X86_SEG_LAST; i++) {
            x86_load_segment_real(rig->core, i, i * 0x100);
        }
        x86_set_cpl(rig->core, 3);
        s->cr4 |= g_rand_int_range(rand, 0, 2) ? X86_CR4_VME : 0;
    } else {
        rig_long(rig, cpl);
    }
    s->gpr[X86_RSP] = 0x7f00 + g_rand_int_range(rand, 0, 16);
    s->ldtr = (X86Segment){ .attr = X86_SEG_P | X86_DESC_LDT << 8, .base = 0x4000, .limit = 0xff };
    if (g_rand_int_range(rand, 0, 3) == 0) {
        s->rflags |= X86_FLAG_NT;
    }
    x86_state_changed(rig->core);
}

static void
act(Rig *rig, GRand *rand)
{
    X86Core *core = rig->core;
    static const uint8_t sizes[] = { 2, 4, 8 };
    unsigned size = sizes[g_rand_int_range(rand, 0, x86_code64(&core->s) ? 3 : 2)];
    uint16_t selector = random_selector(rand);
    uint64_t value = random_value(rand);
    X86Event event = { .vector = g_rand_int_range(rand, 0, 256),
                       .kind = g_rand_int_range(rand, 0, X86_EVENT_INT1 + 1),
                       .return_rip = core->s.rip };
    static const uint32_t msrs[] = { 0x10,       0x1b,       0x3b,       0x174,      0x200,
                                     0x250,      0x277,      0x2ff,      0x401,      0x6e0,
                                     0xc0000080, 0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100,
                                     0xc0000102, 0xc0000103, 0xda0,      0x1a0,      0x48 };

    unsigned what = g_rand_int_range(rand, 0, 20);
    bool privileged = (what >= 9 && what <= 14) || what == 18;
    if (privileged && core->s.cpl != 0) {
        return;
    }
    switch (what) {
    case 0: x86_far_jump(core, selector, value, size); break;
    case 1: x86_far_call(core, selector, value, size); break;
    case 2: x86_far_return(core, size, value & 0xff); break;
    case 3:
    case 4: x86_iret(core, size); break;
    case 5:
    case 6:
    case 7: x86_interrupt(core, &event); break;
    case 8: x86_load_segment(core, g_rand_int_range(rand, 0, 2) ? X86_SS : X86_FS, selector); break;
    case 9: x86_load_ldt(core, selector, X86_EXC_GP); break;
    case 10: x86_load_tr(core, selector); break;
    case 11: x86_write_cr0(core, core->s.cr0 ^ 1ull << g_rand_int_range(rand, 0, 34)); break;
    case 12: x86_write_cr3(core, g_rand_int_range(rand, 0, 2) ? value : 0x100000); break;
    case 13: x86_write_cr4(core, core->s.cr4 ^ 1ull << g_rand_int_range(rand, 0, 24)); break;
    case 14: {
        uint32_t msr = g_rand_int_range(rand, 0, 3)
                           ? msrs[g_rand_int_range(rand, 0, VIT_ARRAY_LEN(msrs))]
                           : (uint32_t)value;
        uint64_t old;
        if (x86_msr_read(core, msr, &old)) {
            x86_msr_write(core, msr, old ^ 1ull << g_rand_int_range(rand, 0, 64));
            x86_msr_write(core, msr, value);
        }
        break;
    }
    case 15: x86_syscall(core); break;
    case 16: x86_sysret(core, size); break;
    case 17: g_rand_int_range(rand, 0, 2) ? x86_sysenter(core) : x86_sysexit(core, size); break;
    case 18: x86_write_xcr0(core, value); break;
    default:
        x86_write(core, g_rand_int_range(rand, 0, X86_SEG_LAST), value, 0x5a, 4);
        x86_read(core, g_rand_int_range(rand, 0, X86_SEG_LAST), value, 8);
        break;
    }
    core->s.rip = core->next_rip;
}

static void
check_state(Rig *rig)
{
    const X86State *s = &rig->core->s;
    g_autoptr(GError) error = NULL;

    g_assert_cmphex(s->rflags & 0xffffffffffc0802a, ==, 2);
    g_assert_cmpuint(s->cpl, <=, 3);
    if (s->cr0 & X86_CR0_PE) {
        if (x86_v8086(s)) {
            g_assert_cmpuint(s->cpl, ==, 3);
        }
    } else {
        g_assert_cmpuint(s->cpl, ==, 0);
    }
    if (!x86_state_accept(rig->core, &error)) {
        g_error("%s", error->message);
    }
}

static void
test_transfers(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(g_test_rand_int());
    Rig *rig = rig_new("max");
    volatile unsigned faults = 0, done = 0;
    volatile unsigned rounds = g_test_thorough() ? 200000 : 4000;

    for (volatile unsigned round = 0; round < rounds; round++) {
        scramble_tables(rig, rand);
        start(rig, rand);
        if (g_rand_int_range(rand, 0, 4) == 0) {
            scramble_page_tables(rig, rand);
        }
        for (volatile unsigned step = 0; step < 12; step++) {
            volatile uint8_t cpl = rig->core->s.cpl;
            volatile uint16_t cs = rig->core->s.seg[X86_CS].selector;
            /* set by a task switch, which may be one to the same task */
            rig->core->s.cr0 &= ~(uint64_t)X86_CR0_TS;
            int vector = RIG_FAULT(rig, act(rig, rand));
            if (vector >= 0) {
                faults++;
                if (!(rig->core->s.cr0 & X86_CR0_TS)) {
                    g_assert_cmpuint(rig->core->s.cpl, ==, cpl);
                    g_assert_cmphex(rig->core->s.seg[X86_CS].selector, ==, cs);
                }
            } else {
                done++;
            }
            rig->core->event_ext = 0;
            check_state(rig);
        }
    }
    g_test_message("%u faults, %u done", faults, done);
    g_assert_cmpuint(done, >, faults / 20); /* it does get somewhere */
    rig_free(rig);
}

/* Deliveries to the end: a handler, or shutdown. */
static void
test_deliveries(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(g_test_rand_int());
    Rig *rig = rig_new("max");
    unsigned shutdowns = 0, delivered = 0;

    for (unsigned round = 0; round < 4000; round++) {
        X86Event event = { .vector = g_rand_int_range(rand, 0, 32), .kind = X86_EVENT_FAULT };
        event.has_error = x86_vector_has_error(event.vector);
        scramble_tables(rig, rand);
        start(rig, rand);
        if (x86_deliver(rig->core, &event)) {
            delivered++;
        } else {
            g_assert_cmpint(rig->core->s.activity, ==, X86_SHUTDOWN);
            shutdowns++;
        }
        check_state(rig);
    }
    g_test_message("%u delivered, %u shutdowns", delivered, shutdowns);
    g_assert_cmpuint(delivered, >, 100);
    rig_free(rig);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x86/system-fuzz/transfers", test_transfers);
    g_test_add_func("/x86/system-fuzz/deliveries", test_deliveries);
    return g_test_run();
}
