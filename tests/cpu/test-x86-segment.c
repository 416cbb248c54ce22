/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Segment registers: every type, privilege and presence against what Intel SDM volume 2 (MOV) and
 * volume 3 5.5 to 5.7 say, real mode and v8086, LDTR and TR, LAR, LSL, VERR, VERW. */

#include "x86-rig.h"

enum { PLACE = 10 }; /* GDT entry under test */

static void
put(Rig *rig, unsigned type, bool system, unsigned dpl, bool present)
{
    rig_put_descriptor(rig, 0x1000 + PLACE * 8, 0x12345678, 0x6789a,
                       type << 8 | (system ? 0 : X86_SEG_S) | dpl << 13 |
                           (present ? X86_SEG_P : 0) | X86_SEG_DB);
}

/* The manual's rules for a load of a data register or SS: error vector, or -1. */
static int
expect_load(unsigned segment, unsigned type, bool system, unsigned dpl, bool present, unsigned rpl,
            unsigned cpl)
{
    bool code = type & 8, readable = type & 2, conforming = code && (type & 4);

    if (segment == X86_SS) {
        if (rpl != cpl || system || code || !(type & 2) || dpl != cpl) {
            return X86_EXC_GP;
        }
        return present ? -1 : X86_EXC_SS;
    }
    if (system || (code && !readable)) {
        return X86_EXC_GP;
    }
    if (!conforming && MAX(rpl, cpl) > dpl) {
        return X86_EXC_GP;
    }
    return present ? -1 : X86_EXC_NP;
}

static void
test_load_matrix(void)
{
    Rig *rig = rig_new("max");
    static const uint8_t segments[] = { X86_DS, X86_SS, X86_GS };

    for (unsigned bits = 0; bits < 1u << 12; bits++) {
        unsigned type = bits & 15, dpl = bits >> 4 & 3, rpl = bits >> 6 & 3, cpl = bits >> 8 & 3;
        bool system = bits & 1024, present = bits & 2048;
        for (unsigned i = 0; i < VIT_ARRAY_LEN(segments); i++) {
            unsigned segment = segments[i];
            rig_protected(rig, 0);
            rig->core->s.cpl = cpl;
            put(rig, type, system, dpl, present);
            X86Segment before = rig->core->s.seg[segment];
            int wanted = expect_load(segment, type, system, dpl, present, rpl, cpl);
            int got = RIG_FAULT(rig, x86_load_segment(rig->core, segment, PLACE * 8 | rpl));
            const X86Segment *seg = &rig->core->s.seg[segment];
            if (got != wanted || (got >= 0 && rig->core->fault_error != PLACE * 8)) {
                g_error("segment %u type %x system %d dpl %u present %d rpl %u cpl %u: %d error "
                        "%x, wanted %d",
                        segment, type, system, dpl, present, rpl, cpl, got, rig->core->fault_error,
                        wanted);
            }
            if (got >= 0) {
                g_assert_cmpmem(seg, sizeof(*seg), &before, sizeof(before));
            } else {
                g_assert_cmphex(seg->base, ==, 0x12345678);
                g_assert_cmphex(seg->limit, ==, 0x6789a);
                g_assert_cmphex(seg->selector, ==, PLACE * 8 | rpl);
                /* accessed bit in memory and in the register */
                g_assert_cmphex(rig_get(rig, 0x1000 + PLACE * 8 + 5, 1) & 1, ==, 1);
                g_assert_cmphex(seg->attr & X86_SEG_A, ==, X86_SEG_A);
            }
        }
    }
    rig_free(rig);
}

static void
test_null_and_limits(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;

    rig_protected(rig, 0);
    g_assert_cmpint(RIG_FAULT(rig, x86_load_segment(core, X86_DS, 3)), ==, -1);
    g_assert_cmphex(core->s.seg[X86_DS].attr & X86_SEG_P, ==, 0);
    g_assert_cmpint(RIG_FAULT(rig, x86_load_segment(core, X86_SS, 0)), ==, X86_EXC_GP);
    g_assert_cmphex(core->fault_error, ==, 0);
    /* beyond the GDT; in an LDT that is not there */
    g_assert_cmpint(RIG_FAULT(rig, x86_load_segment(core, X86_DS, 0x103)), ==, X86_EXC_GP);
    g_assert_cmphex(core->fault_error, ==, 0x100);
    core->s.ldtr.attr = 0;
    g_assert_cmpint(RIG_FAULT(rig, x86_load_segment(core, X86_DS, 0x0c)), ==, X86_EXC_GP);
    g_assert_cmphex(core->fault_error, ==, 0x0c);
    /* the last whole descriptor counts */
    core->s.gdtr.limit = 0x10 + 6;
    g_assert_cmpint(RIG_FAULT(rig, x86_load_segment(core, X86_DS, 0x10)), ==, X86_EXC_GP);
    core->s.gdtr.limit = 0x10 + 7;
    g_assert_cmpint(RIG_FAULT(rig, x86_load_segment(core, X86_DS, 0x10)), ==, -1);
    /* 64-bit code below privilege 3 may have a null SS */
    rig_long(rig, 0);
    g_assert_cmpint(RIG_FAULT(rig, x86_load_segment(core, X86_SS, 0)), ==, -1);
    g_assert_cmpint(RIG_FAULT(rig, x86_load_segment(core, X86_SS, 1)), ==, X86_EXC_GP);
    rig_long(rig, 3);
    g_assert_cmpint(RIG_FAULT(rig, x86_load_segment(core, X86_SS, 3)), ==, X86_EXC_GP);
    rig_free(rig);
}

static void
test_real_and_v8086(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;

    /* reset: a big limit left by protected mode stays in real mode */
    rig_protected(rig, 0);
    s->cr0 &= ~(uint64_t)X86_CR0_PE;
    x86_load_segment(rig->core, X86_DS, 0x1234);
    g_assert_cmphex(s->seg[X86_DS].base, ==, 0x12340);
    g_assert_cmphex(s->seg[X86_DS].limit, ==, 0xffffffff);
    /* v8086 fixes limit and rights */
    s->cr0 |= X86_CR0_PE;
    s->rflags |= X86_FLAG_VM;
    x86_load_segment(rig->core, X86_ES, 0xffff);
    g_assert_cmphex(s->seg[X86_ES].base, ==, 0xffff0);
    g_assert_cmphex(s->seg[X86_ES].limit, ==, 0xffff);
    g_assert_cmphex(s->seg[X86_ES].attr >> 8 & 0xff, ==, 0xf3);
    rig_free(rig);
}

static void
test_ldt_and_tr(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;

    rig_protected(rig, 0);
    put(rig, X86_DESC_LDT, true, 0, true);
    g_assert_cmpint(RIG_FAULT(rig, x86_load_ldt(core, PLACE * 8, X86_EXC_GP)), ==, -1);
    g_assert_cmphex(core->s.ldtr.base, ==, 0x12345678);
    g_assert_cmpint(RIG_FAULT(rig, x86_load_ldt(core, PLACE * 8 | 4, X86_EXC_GP)), ==, X86_EXC_GP);
    put(rig, X86_DESC_LDT, true, 0, false);
    g_assert_cmpint(RIG_FAULT(rig, x86_load_ldt(core, PLACE * 8, X86_EXC_GP)), ==, X86_EXC_NP);
    g_assert_cmpint(RIG_FAULT(rig, x86_load_ldt(core, 0, X86_EXC_GP)), ==, -1);

    for (unsigned type = 0; type < 16; type++) {
        bool good = type == X86_DESC_TSS16 || type == X86_DESC_TSS32;
        put(rig, type, true, 0, true);
        int vector = RIG_FAULT(rig, x86_load_tr(core, PLACE * 8));
        g_assert_cmpint(vector, ==, good ? -1 : X86_EXC_GP);
        if (good) {
            g_assert_cmphex(rig_get(rig, 0x1000 + PLACE * 8 + 5, 1) & 15, ==, type | 2);
            g_assert_cmphex(core->s.tr.attr >> 8 & 15, ==, type | 2);
        }
    }
    g_assert_cmpint(RIG_FAULT(rig, x86_load_tr(core, 0)), ==, X86_EXC_GP);
    put(rig, X86_DESC_TSS32, true, 0, false);
    g_assert_cmpint(RIG_FAULT(rig, x86_load_tr(core, PLACE * 8)), ==, X86_EXC_NP);

    /* long mode: 16 bytes, 64-bit base, canonical */
    rig_long(rig, 0);
    put(rig, X86_DESC_TSS32, true, 0, true);
    rig_put(rig, 0x1000 + PLACE * 8 + 8, 0xffff8000, 8);
    g_assert_cmpint(RIG_FAULT(rig, x86_load_tr(core, PLACE * 8)), ==, -1);
    g_assert_cmphex(core->s.tr.base, ==, 0xffff800012345678);
    put(rig, X86_DESC_TSS32, true, 0, true);
    rig_put(rig, 0x1000 + PLACE * 8 + 8, 0x00008000, 8);
    g_assert_cmpint(RIG_FAULT(rig, x86_load_tr(core, PLACE * 8)), ==, X86_EXC_GP);
    put(rig, X86_DESC_TSS16, true, 0, true);
    g_assert_cmpint(RIG_FAULT(rig, x86_load_tr(core, PLACE * 8)), ==, X86_EXC_GP);
    rig_free(rig);
}

/* Types that LAR and LSL accept (SDM volume 2, their tables). */
static void
test_questions(void)
{
    static const uint16_t lar_legacy =
        1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 9 | 1 << 11 | 1 << 12;
    static const uint16_t lsl_legacy = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 9 | 1 << 11;
    static const uint16_t lar_long = 1 << 2 | 1 << 9 | 1 << 11 | 1 << 12;
    static const uint16_t lsl_long = 1 << 2 | 1 << 9 | 1 << 11;
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;
    uint32_t value;

    for (unsigned bits = 0; bits < 1u << 11; bits++) {
        unsigned type = bits & 15, dpl = bits >> 4 & 3, rpl = bits >> 6 & 3, cpl = bits >> 8 & 3;
        bool system = bits & 1024;
        for (unsigned is_long = 0; is_long < 2; is_long++) {
            if (is_long) {
                rig_long(rig, 0);
            } else {
                rig_protected(rig, 0);
            }
            core->s.cpl = cpl;
            put(rig, type, system, dpl, true);
            rig_put(rig, 0x1000 + PLACE * 8 + 8, 0, 8);
            bool conforming = !system && (type & 12) == 12;
            bool reach = conforming || MAX(rpl, cpl) <= dpl;
            bool lar = reach && (!system || ((is_long ? lar_long : lar_legacy) >> type & 1));
            bool lsl = reach && (!system || ((is_long ? lsl_long : lsl_legacy) >> type & 1));
            uint16_t selector = PLACE * 8 | rpl;
            g_assert_cmpint(x86_lar(core, selector, &value), ==, lar);
            if (lar) {
                g_assert_cmphex(value, ==, rig_get(rig, 0x1004 + PLACE * 8, 4) & 0xf0ff00);
            }
            g_assert_cmpint(x86_lsl(core, selector, &value), ==, lsl);
            if (lsl) {
                g_assert_cmphex(value, ==, 0x6789a);
            }
            bool code = type & 8;
            g_assert_cmpint(x86_verify(core, selector, false), ==,
                            reach && !system && (!code || (type & 2)));
            g_assert_cmpint(x86_verify(core, selector, true), ==,
                            reach && !system && !code && (type & 2));
        }
    }
    rig_free(rig);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x86/segment/load-matrix", test_load_matrix);
    g_test_add_func("/x86/segment/null-and-limits", test_null_and_limits);
    g_test_add_func("/x86/segment/real-and-v8086", test_real_and_v8086);
    g_test_add_func("/x86/segment/ldt-and-tr", test_ldt_and_tr);
    g_test_add_func("/x86/segment/questions", test_questions);
    return g_test_run();
}
