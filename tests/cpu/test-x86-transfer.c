/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Far transfers, event delivery and task switches, called as both executors call them: what lands
 * on which stack, which selector an error code names, and that a fault leaves everything as it
 * was. Intel SDM volume 3 chapters 5, 6, 7, 21; volume 2 CALL, RET, IRET, INT. */

#include "x86-rig.h"

#define CODE (X86_SEG_P | X86_SEG_S | X86_SEG_CODE | X86_SEG_R | X86_SEG_DB | X86_SEG_G)
#define DATA (X86_SEG_P | X86_SEG_S | X86_SEG_W | X86_SEG_DB | X86_SEG_G)

static void
put_gdt(Rig *rig, unsigned selector, uint32_t base, uint32_t limit, uint32_t attr)
{
    rig_put_descriptor(rig, 0x1000 + (selector & ~7u), base, limit, attr);
}

/* Delivers and returns whether a handler was reached. */
static bool
deliver(Rig *rig, uint8_t vector, X86EventKind kind)
{
    X86Event event = { .vector = vector,
                       .kind = kind,
                       .return_rip = rig->core->s.rip,
                       .has_error = kind == X86_EVENT_FAULT && x86_vector_has_error(vector),
                       .error = 0x55 };

    return x86_deliver(rig->core, &event);
}

static uint64_t
stacked(Rig *rig, unsigned slot, unsigned size)
{
    return rig_get(rig, rig->core->s.gpr[X86_RSP] + slot * size, size);
}

/* ---- Direct far jumps ---- */

static void
test_jump_matrix(void)
{
    Rig *rig = rig_new("max");

    for (unsigned bits = 0; bits < 1u << 12; bits++) {
        unsigned type = bits & 15, dpl = bits >> 4 & 3, rpl = bits >> 6 & 3, cpl = bits >> 8 & 3;
        bool present = bits & 1024, call = bits & 2048;
        int wanted = -1;
        rig_protected(rig, 0);
        rig->core->s.cpl = cpl;
        put_gdt(rig, 0x50, 0, 0xfffff,
                X86_SEG_S | X86_SEG_DB | X86_SEG_G | type << 8 | dpl << 13 |
                    (present ? X86_SEG_P : 0));
        if (!(type & 8) || (type & 4 ? dpl > cpl : rpl > cpl || dpl != cpl)) {
            wanted = X86_EXC_GP;
        } else if (!present) {
            wanted = X86_EXC_NP;
        }
        int got = call ? RIG_FAULT(rig, x86_far_call(rig->core, 0x50 | rpl, 0x4000, 4))
                       : RIG_FAULT(rig, x86_far_jump(rig->core, 0x50 | rpl, 0x4000, 4));
        g_assert_cmpint(got, ==, wanted);
        if (wanted >= 0) {
            g_assert_cmphex(rig->core->fault_error, ==, 0x50);
            g_assert_cmphex(rig->core->s.gpr[X86_RSP], ==, 0x8000);
        } else {
            g_assert_cmphex(rig->core->next_rip, ==, 0x4000);
            g_assert_cmphex(rig->core->s.seg[X86_CS].selector, ==, 0x50 | cpl);
            g_assert_cmphex(rig->core->s.gpr[X86_RSP], ==, call ? 0x7ff8 : 0x8000);
        }
    }
    /* beyond the target's limit: #GP(0) and nothing moved */
    rig_protected(rig, 0);
    put_gdt(rig, 0x50, 0, 0x3fff, CODE & ~(uint32_t)X86_SEG_G);
    g_assert_cmpint(RIG_FAULT(rig, x86_far_call(rig->core, 0x50, 0x4000, 4)), ==, X86_EXC_GP);
    g_assert_cmphex(rig->core->fault_error, ==, 0);
    g_assert_cmphex(rig->core->s.seg[X86_CS].selector, ==, 0x08);
    rig_free(rig);
}

/* ---- Call gates ---- */

static void
test_call_gate_inward(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;

    rig_protected(rig, 3);
    rig_put_gate(rig, 0x1050, 0x08, 0x12345, X86_DESC_CALL32, 3);
    rig_put(rig, 0x1054, rig_get(rig, 0x1054, 4) | 2, 4); /* two parameters */
    rig_put(rig, 0x8000, 0xaaaa, 4);
    rig_put(rig, 0x8004, 0xbbbb, 4);
    rig->core->next_rip = 0x777;
    g_assert_cmpint(RIG_FAULT(rig, x86_far_call(rig->core, 0x53, 0, 4)), ==, -1);
    g_assert_cmpuint(s->cpl, ==, 0);
    g_assert_cmphex(s->seg[X86_CS].selector, ==, 0x08);
    g_assert_cmphex(s->seg[X86_SS].selector, ==, 0x10);
    g_assert_cmphex(rig->core->next_rip, ==, 0x12345);
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0x9000 - 6 * 4);
    static const uint32_t wanted[] = { 0x777, 0x1b, 0xaaaa, 0xbbbb, 0x8000, 0x23 };
    for (unsigned i = 0; i < 6; i++) {
        g_assert_cmphex(stacked(rig, i, 4), ==, wanted[i]);
    }
    /* and back: RET 8 releases the parameters on both stacks; DS was usable by 3 and stays, a
     * segment of level 0 does not */
    s->seg[X86_ES] = s->seg[X86_SS];
    g_assert_cmpint(RIG_FAULT(rig, x86_far_return(rig->core, 4, 8)), ==, -1);
    g_assert_cmpuint(s->cpl, ==, 3);
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0x8008);
    g_assert_cmphex(rig->core->next_rip, ==, 0x777);
    g_assert_cmphex(s->seg[X86_DS].selector, ==, 0x23);
    g_assert_cmphex(s->seg[X86_ES].selector, ==, 0);
    g_assert_cmphex(s->seg[X86_ES].attr, ==, 0);
    rig_free(rig);
}

static void
test_call_gate_faults(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;

    rig_protected(rig, 3);
    rig_put_gate(rig, 0x1050, 0x08, 0x12345, X86_DESC_CALL32, 2);
    g_assert_cmpint(RIG_FAULT(rig, x86_far_call(core, 0x53, 0, 4)), ==, X86_EXC_GP);
    g_assert_cmphex(core->fault_error, ==, 0x50);
    rig_put_gate(rig, 0x1050, 0x08, 0x12345, X86_DESC_CALL32, 3);
    /* a jump may not change privilege */
    g_assert_cmpint(RIG_FAULT(rig, x86_far_jump(core, 0x53, 0, 4)), ==, X86_EXC_GP);
    g_assert_cmphex(core->fault_error, ==, 0x08);
    /* the stack of the TSS: null, wrong privilege, absent, too small */
    rig_put(rig, 0x3008, 0, 2);
    g_assert_cmpint(RIG_FAULT(rig, x86_far_call(core, 0x53, 0, 4)), ==, X86_EXC_TS);
    g_assert_cmphex(core->fault_error, ==, 0);
    rig_put(rig, 0x3008, 0x23, 2);
    g_assert_cmpint(RIG_FAULT(rig, x86_far_call(core, 0x53, 0, 4)), ==, X86_EXC_TS);
    g_assert_cmphex(core->fault_error, ==, 0x20);
    put_gdt(rig, 0x58, 0, 0xfffff, DATA & ~(uint32_t)X86_SEG_P);
    rig_put(rig, 0x3008, 0x58, 2);
    g_assert_cmpint(RIG_FAULT(rig, x86_far_call(core, 0x53, 0, 4)), ==, X86_EXC_SS);
    g_assert_cmphex(core->fault_error, ==, 0x58);
    put_gdt(rig, 0x58, 0, 0x100, DATA & ~(uint32_t)X86_SEG_G);
    g_assert_cmpint(RIG_FAULT(rig, x86_far_call(core, 0x53, 0, 4)), ==, X86_EXC_SS);
    g_assert_cmphex(core->fault_error, ==, 0x58);
    core->s.tr.limit = 8;
    g_assert_cmpint(RIG_FAULT(rig, x86_far_call(core, 0x53, 0, 4)), ==, X86_EXC_TS);
    g_assert_cmphex(core->fault_error, ==, 0x28);
    g_assert_cmpuint(core->s.cpl, ==, 3);
    g_assert_cmphex(core->s.gpr[X86_RSP], ==, 0x8000);
    rig_free(rig);
}

static void
test_call_gate_64(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;

    rig_long(rig, 3);
    rig_put_gate(rig, 0x1050, 0x08, 0x12345, X86_DESC_CALL32, 3);
    rig_put(rig, 0x1058, 0xffff8000, 8);
    rig->core->next_rip = 0x777;
    g_assert_cmpint(RIG_FAULT(rig, x86_far_call(rig->core, 0x53, 0, 8)), ==, -1);
    g_assert_cmphex(rig->core->next_rip, ==, 0xffff800000012345);
    g_assert_cmpuint(s->cpl, ==, 0);
    g_assert_cmphex(s->seg[X86_SS].selector, ==, 0);
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0x9000 - 4 * 8);
    static const uint64_t wanted[] = { 0x777, 0x2b, 0x8000, 0x23 };
    for (unsigned i = 0; i < 4; i++) {
        g_assert_cmphex(stacked(rig, i, 8), ==, wanted[i]);
    }
    g_assert_cmpint(RIG_FAULT(rig, x86_far_return(rig->core, 8, 0)), ==, -1);
    g_assert_cmpuint(s->cpl, ==, 3);
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0x8000);
    /* a type in the second half */
    rig_put(rig, 0x1058, 0x00000100ffff8000, 8);
    g_assert_cmpint(RIG_FAULT(rig, x86_far_call(rig->core, 0x53, 0, 8)), ==, X86_EXC_GP);
    g_assert_cmphex(rig->core->fault_error, ==, 0x50);
    rig_free(rig);
}

/* ---- Interrupts ---- */

static void
test_interrupt_same_privilege(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;

    rig_protected(rig, 0);
    s->rflags |= X86_FLAG_IF | X86_FLAG_TF | X86_FLAG_NT;
    s->rip = 0x500;
    rig_put_gate(rig, 0x2000 + 0x20 * 8, 0x08, 0x40000, X86_DESC_INT32, 0);
    g_assert_true(deliver(rig, 0x20, X86_EVENT_EXTERNAL));
    g_assert_cmphex(s->rip, ==, 0x40000);
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0x8000 - 12);
    g_assert_cmphex(stacked(rig, 0, 4), ==, 0x500);
    g_assert_cmphex(stacked(rig, 1, 4), ==, 0x08);
    g_assert_cmphex(stacked(rig, 2, 4), ==, 2 | X86_FLAG_IF | X86_FLAG_TF | X86_FLAG_NT);
    g_assert_cmphex(s->rflags, ==, 2);
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(rig->core, 4)), ==, -1);
    g_assert_cmphex(s->rflags, ==, 2 | X86_FLAG_IF | X86_FLAG_TF | X86_FLAG_NT);
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0x8000);
    /* a trap gate keeps IF; a fault pushes RF and its error code */
    s->rflags = 2 | X86_FLAG_IF;
    rig_put_gate(rig, 0x2000 + X86_EXC_GP * 8, 0x08, 0x40000, X86_DESC_TRAP32, 0);
    g_assert_true(deliver(rig, X86_EXC_GP, X86_EVENT_FAULT));
    g_assert_cmphex(s->rflags, ==, 2 | X86_FLAG_IF);
    g_assert_cmphex(stacked(rig, 0, 4), ==, 0x55);
    g_assert_cmphex(stacked(rig, 3, 4), ==, 2 | X86_FLAG_IF | X86_FLAG_RF);
    rig_free(rig);
}

static void
test_interrupt_inward(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;

    rig_protected(rig, 3);
    s->rip = 0x500;
    rig_put_gate(rig, 0x2000 + 0x20 * 8, 0x08, 0x40000, X86_DESC_INT16, 3);
    g_assert_true(deliver(rig, 0x20, X86_EVENT_INT_N)); /* a 16-bit gate pushes words */
    g_assert_cmphex(s->rip, ==, 0);
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0x9000 - 10);
    g_assert_cmphex(stacked(rig, 3, 2), ==, 0x8000);
    g_assert_cmphex(stacked(rig, 4, 2), ==, 0x23);
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(rig->core, 2)), ==, -1);
    g_assert_cmpuint(s->cpl, ==, 3);
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0x8000);
    rig_free(rig);
}

static void
test_interrupt_faults(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;
    X86Event event = { .vector = 0x21, .kind = X86_EVENT_INT_N };

    rig_protected(rig, 3);
    rig_put_gate(rig, 0x2000 + 0x21 * 8, 0x08, 0x40000, X86_DESC_INT32, 0);
    g_assert_cmpint(RIG_FAULT(rig, x86_interrupt(core, &event)), ==, X86_EXC_GP);
    g_assert_cmphex(core->fault_error, ==, 0x21 * 8 + 2);
    /* hardware does not ask the gate's privilege; its faults carry EXT */
    event.kind = X86_EVENT_EXTERNAL;
    rig_put_gate(rig, 0x2000 + 0x21 * 8, 0x23, 0x40000, X86_DESC_INT32, 0);
    g_assert_cmpint(RIG_FAULT(rig, x86_interrupt(core, &event)), ==, X86_EXC_GP);
    g_assert_cmphex(core->fault_error, ==, 0x21);
    rig_put_gate(rig, 0x2000 + 0x21 * 8, 0, 0x40000, X86_DESC_INT32, 0);
    g_assert_cmpint(RIG_FAULT(rig, x86_interrupt(core, &event)), ==, X86_EXC_GP);
    g_assert_cmphex(core->fault_error, ==, 1);
    rig_put(rig, 0x2004 + 0x21 * 8, 0x0e00, 4);
    g_assert_cmpint(RIG_FAULT(rig, x86_interrupt(core, &event)), ==, X86_EXC_NP);
    g_assert_cmphex(core->fault_error, ==, 0x21 * 8 + 3);
    rig_put(rig, 0x2004 + 0x21 * 8, 0x8c00, 4); /* a call gate has no place in the IDT */
    g_assert_cmpint(RIG_FAULT(rig, x86_interrupt(core, &event)), ==, X86_EXC_GP);
    core->s.idtr.limit = 0x21 * 8 + 6;
    g_assert_cmpint(RIG_FAULT(rig, x86_interrupt(core, &event)), ==, X86_EXC_GP);
    g_assert_cmphex(core->fault_error, ==, 0x21 * 8 + 3);
    rig_free(rig);
}

static void
test_double_and_triple_fault(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;

    /* #GP whose gate is absent: #NP while delivering a contributory fault = #DF(0) */
    rig_protected(rig, 0);
    rig_put_gate(rig, 0x2000 + X86_EXC_DF * 8, 0x08, 0xd0000, X86_DESC_INT32, 0);
    rig_put(rig, 0x2004 + X86_EXC_GP * 8, 0x0e00, 4);
    rig_put_gate(rig, 0x2000 + X86_EXC_NP * 8, 0x08, 0xb0000, X86_DESC_INT32, 0);
    g_assert_true(deliver(rig, X86_EXC_GP, X86_EVENT_FAULT));
    g_assert_cmphex(s->rip, ==, 0xd0000);
    g_assert_cmphex(stacked(rig, 0, 4), ==, 0);
    /* #UD is benign: its #NP is delivered as such */
    rig_protected(rig, 0);
    rig_put(rig, 0x2004 + X86_EXC_UD * 8, 0x0e00, 4);
    g_assert_true(deliver(rig, X86_EXC_UD, X86_EVENT_FAULT));
    g_assert_cmphex(s->rip, ==, 0xb0000);
    g_assert_cmphex(stacked(rig, 0, 4), ==, X86_EXC_UD * 8 + 3);
    /* no #DF gate: shutdown */
    rig_protected(rig, 0);
    rig_put(rig, 0x2004 + X86_EXC_DF * 8, 0, 4);
    g_assert_false(deliver(rig, X86_EXC_GP, X86_EVENT_FAULT));
    g_assert_cmpint(s->activity, ==, X86_SHUTDOWN);
    rig_free(rig);
}

static void
test_interrupt_64(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;

    rig_long(rig, 3);
    s->rip = 0x500;
    s->gpr[X86_RSP] = 0x7ff5;
    rig_put_gate(rig, 0x2000 + 0x20 * 16, 0x08, 0x40000, X86_DESC_INT32, 0);
    rig_put(rig, 0x2008 + 0x20 * 16, 0, 8);
    rig_put(rig, 0x3004, 0x9007, 8);
    g_assert_true(deliver(rig, 0x20, X86_EVENT_EXTERNAL));
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0x9000 - 40); /* aligned first */
    g_assert_cmphex(stacked(rig, 3, 8), ==, 0x7ff5);
    g_assert_cmphex(stacked(rig, 4, 8), ==, 0x23);
    g_assert_cmphex(s->seg[X86_SS].selector, ==, 0);
    g_assert_cmphex(s->seg[X86_SS].attr & X86_SEG_P, ==, 0);
    /* nested at privilege 0: no switch, SS:RSP pushed all the same */
    uint64_t before = s->gpr[X86_RSP];
    g_assert_true(deliver(rig, 0x20, X86_EVENT_EXTERNAL));
    g_assert_cmphex(stacked(rig, 3, 8), ==, before);
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(rig->core, 8)), ==, -1);
    g_assert_cmphex(s->gpr[X86_RSP], ==, before);
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(rig->core, 8)), ==, -1);
    g_assert_cmpuint(s->cpl, ==, 3);
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0x7ff5);
    g_assert_cmphex(rig->core->next_rip, ==, 0x500);
    /* IST 2, also without a change of privilege */
    rig_long(rig, 0);
    rig_put(rig, 0x2004 + 0x20 * 16, rig_get(rig, 0x2004 + 0x20 * 16, 4) | 2, 4);
    rig_put(rig, 0x3000 + 36 + 8, 0xa000, 8);
    g_assert_true(deliver(rig, 0x20, X86_EVENT_EXTERNAL));
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0xa000 - 40);
    g_assert_cmphex(stacked(rig, 3, 8), ==, 0x8000);
    /* the handler must be 64-bit code */
    rig_long(rig, 0);
    put_gdt(rig, 0x50, 0, 0xfffff, CODE);
    rig_put_gate(rig, 0x2000 + 0x20 * 16, 0x50, 0x40000, X86_DESC_INT32, 0);
    X86Event event = { .vector = 0x20, .kind = X86_EVENT_EXTERNAL };
    g_assert_cmpint(RIG_FAULT(rig, x86_interrupt(rig->core, &event)), ==, X86_EXC_GP);
    g_assert_cmphex(rig->core->fault_error, ==, 0x51);
    rig_free(rig);
}

static void
test_real_mode(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;

    x86_load_segment(rig->core, X86_SS, 0);
    s->gpr[X86_RSP] = 0x12340002; /* SP wraps inside 64 KiB, the upper half stays */
    s->rip = 0x1234;
    s->rflags = 2 | X86_FLAG_IF | X86_FLAG_CF;
    s->idtr.limit = 0x3ff;
    rig_put(rig, 0x21 * 4, 0xf0001111, 4);
    g_assert_true(deliver(rig, 0x21, X86_EVENT_INT_N));
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0x1234fffc);
    g_assert_cmphex(s->rip, ==, 0x1111);
    g_assert_cmphex(s->seg[X86_CS].base, ==, 0xf0000);
    g_assert_cmphex(rig_get(rig, 0xfffc, 2), ==, 0x1234);
    g_assert_cmphex(rig_get(rig, 0xfffe, 2), ==, 0xf000);
    g_assert_cmphex(rig_get(rig, 0x0000, 2), ==, 0x203);
    g_assert_cmphex(s->rflags, ==, 3);
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(rig->core, 2)), ==, -1);
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0x12340002);
    g_assert_cmphex(s->rflags, ==, 0x203);
    /* a vector beyond the table, with nothing to catch it: shutdown */
    s->idtr.limit = 3;
    g_assert_false(deliver(rig, 0x21, X86_EVENT_EXTERNAL));
    rig_free(rig);
}

/* ---- v8086 ---- */

static void
enter_v8086(Rig *rig)
{
    X86State *s = &rig->core->s;
    static const uint32_t frame[] = { 0x100,  0x2000, 2 | X86_FLAG_VM | X86_FLAG_IF,
                                      0xfff0, 0x3000, 0x4000,
                                      0x5000, 0x6000, 0x7000 };

    rig_protected(rig, 0);
    memcpy(rig_ram(rig, 0x8000), frame, sizeof(frame));
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(rig->core, 4)), ==, -1);
    s->rip = rig->core->next_rip;
}

static void
test_v8086(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;

    enter_v8086(rig);
    g_assert_cmpuint(s->cpl, ==, 3);
    g_assert_true(x86_v8086(s));
    g_assert_cmphex(s->seg[X86_CS].base, ==, 0x20000);
    g_assert_cmphex(s->seg[X86_GS].base, ==, 0x70000);
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0xfff0);
    rig_put_gate(rig, 0x2000 + 0x20 * 8, 0x08, 0x40000, X86_DESC_INT32, 0);
    g_assert_true(deliver(rig, 0x20, X86_EVENT_EXTERNAL));
    g_assert_cmpuint(s->cpl, ==, 0);
    g_assert_false(x86_v8086(s));
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0x9000 - 9 * 4);
    static const uint32_t wanted[] = { 0x100,  0x2000, 2 | X86_FLAG_VM | X86_FLAG_IF,
                                       0xfff0, 0x3000, 0x4000,
                                       0x5000, 0x6000, 0x7000 };
    for (unsigned i = 0; i < 9; i++) {
        g_assert_cmphex(stacked(rig, i, 4), ==, wanted[i]);
    }
    g_assert_cmphex(s->seg[X86_DS].attr, ==, 0);
    /* a handler outside level 0 is refused */
    enter_v8086(rig);
    rig_put_gate(rig, 0x2000 + 0x20 * 8, 0x1b, 0x40000, X86_DESC_INT32, 3);
    X86Event event = { .vector = 0x20, .kind = X86_EVENT_EXTERNAL };
    g_assert_cmpint(RIG_FAULT(rig, x86_interrupt(rig->core, &event)), ==, X86_EXC_GP);
    g_assert_cmphex(rig->core->fault_error, ==, 0x19);
    /* INT n below IOPL 3 */
    event = (X86Event){ .vector = 0x21, .kind = X86_EVENT_INT_N };
    g_assert_cmpint(RIG_FAULT(rig, x86_interrupt(rig->core, &event)), ==, X86_EXC_GP);
    g_assert_cmphex(rig->core->fault_error, ==, 0);
    /* with VME and a clear bit it goes to the program's own vector, VIF standing in for IF */
    s->cr4 |= X86_CR4_VME;
    s->rflags |= X86_FLAG_VIF;
    rig_put(rig, 0x3066, 0x88, 2);
    s->tr.limit = 0x2000;
    rig_put(rig, 0x3068, 0, 8);
    rig_put(rig, 0x21 * 4, 0x12345678, 4);
    event.return_rip = 0x100;
    g_assert_cmpint(RIG_FAULT(rig, x86_interrupt(rig->core, &event)), ==, -1);
    g_assert_cmphex(rig->core->next_rip, ==, 0x5678);
    g_assert_cmphex(s->seg[X86_CS].base, ==, 0x12340);
    g_assert_cmphex(s->rflags & X86_FLAG_VIF, ==, 0);
    g_assert_cmphex(s->rflags & X86_FLAG_IF, ==, X86_FLAG_IF);
    g_assert_cmphex(rig_get(rig, 0x30000 + 0xffee, 2), ==, 0x3202);
    /* IRET brings VIF back */
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(rig->core, 2)), ==, -1);
    g_assert_cmphex(s->rflags & X86_FLAG_VIF, ==, X86_FLAG_VIF);
    g_assert_cmphex(s->gpr[X86_RSP] & 0xffff, ==, 0xfff0);
    rig_free(rig);
}

/* ---- IRET ---- */

static void
test_iret_checks(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;
    static const uint32_t outward[] = { 0x600, 0x1b, 0x3202, 0x5000, 0x23 };

    rig_protected(rig, 0);
    memcpy(rig_ram(rig, 0x8000), outward, sizeof(outward));
    rig_put(rig, 0x8010, 0x10, 4); /* SS of the wrong level */
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(core, 4)), ==, X86_EXC_GP);
    g_assert_cmphex(core->fault_error, ==, 0x10);
    rig_put(rig, 0x8010, 0, 4);
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(core, 4)), ==, X86_EXC_GP);
    g_assert_cmphex(core->fault_error, ==, 0);
    rig_put(rig, 0x8010, 0x23, 4);
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(core, 4)), ==, -1);
    g_assert_cmpuint(core->s.cpl, ==, 3);
    g_assert_cmphex(core->s.rflags, ==, 0x3202);
    g_assert_cmphex(core->s.gpr[X86_RSP], ==, 0x5000);
    /* at privilege 3 with IOPL 0, IF and IOPL do not move; to an inner level there is no way */
    rig_protected(rig, 3);
    rig_put(rig, 0x8004, 0x1b, 4);
    rig_put(rig, 0x8008, 0x3203, 4);
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(core, 4)), ==, -1);
    g_assert_cmphex(core->s.rflags, ==, 3);
    rig_protected(rig, 3);
    rig_put(rig, 0x8004, 0x08, 4);
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(core, 4)), ==, X86_EXC_GP);
    g_assert_cmphex(core->fault_error, ==, 0x08);
    rig_free(rig);
}

static void
test_iret_to_compatibility(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;
    static const uint64_t frame[] = { 0x600, 0x1b, 0x202, 0x5000, 0x23 };

    rig_long(rig, 0);
    memcpy(rig_ram(rig, 0x8000), frame, sizeof(frame));
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(core, 8)), ==, -1);
    g_assert_false(x86_code64(&core->s));
    g_assert_true(x86_long_mode(&core->s));
    g_assert_cmphex(core->s.gpr[X86_RSP], ==, 0x5000);
    /* a non-canonical target faults before anything moves */
    rig_long(rig, 0);
    memcpy(rig_ram(rig, 0x8000), frame, sizeof(frame));
    rig_put(rig, 0x8000, 0x800000000000, 8);
    rig_put(rig, 0x8008, 0x2b, 8);
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(core, 8)), ==, X86_EXC_GP);
    g_assert_cmpuint(core->s.cpl, ==, 0);
    g_assert_cmphex(core->s.gpr[X86_RSP], ==, 0x8000);
    /* null SS is for levels below 3 only; NT has no meaning in long mode */
    rig_put(rig, 0x8000, 0x600, 8);
    rig_put(rig, 0x8020, 0, 8);
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(core, 8)), ==, X86_EXC_GP);
    core->s.rflags |= X86_FLAG_NT;
    g_assert_cmpint(RIG_FAULT(rig, x86_iret(core, 8)), ==, X86_EXC_GP);
    rig_free(rig);
}

/* ---- SYSCALL and SYSENTER ---- */

static void
test_syscall(void)
{
    Rig *rig = rig_new("max,vendor=GenuineIntel");
    X86Core *core = rig->core;
    X86State *s = &core->s;

    rig_long(rig, 3);
    s->star = 0x001b000800000000;
    s->lstar = 0xffff800000001000;
    s->sfmask = X86_FLAG_IF | X86_FLAG_DF;
    s->rflags = 2 | X86_FLAG_IF | X86_FLAG_CF;
    core->next_rip = 0x402;
    g_assert_cmpint(RIG_FAULT(rig, x86_syscall(core)), ==, -1);
    g_assert_cmpuint(s->cpl, ==, 0);
    g_assert_cmphex(s->gpr[X86_RCX], ==, 0x402);
    g_assert_cmphex(s->gpr[X86_R11], ==, 0x203);
    g_assert_cmphex(s->rflags, ==, 3);
    g_assert_cmphex(core->next_rip, ==, 0xffff800000001000);
    g_assert_cmphex(s->seg[X86_SS].selector, ==, 0x10);
    g_assert_cmpint(RIG_FAULT(rig, x86_sysret(core, 8)), ==, -1);
    g_assert_cmpuint(s->cpl, ==, 3);
    g_assert_cmphex(s->seg[X86_CS].selector, ==, 0x2b);
    g_assert_cmphex(s->seg[X86_SS].selector, ==, 0x23);
    g_assert_cmphex(s->rflags, ==, 0x203);
    g_assert_cmphex(core->next_rip, ==, 0x402);
    g_assert_cmpint(RIG_FAULT(rig, x86_sysret(core, 8)), ==, X86_EXC_GP); /* privilege 3 */
    s->cpl = 0;
    s->gpr[X86_RCX] = 0x800000000000;
    g_assert_cmpint(RIG_FAULT(rig, x86_sysret(core, 8)), ==, X86_EXC_GP);
    s->efer &= ~(uint64_t)X86_EFER_SCE;
    g_assert_cmpint(RIG_FAULT(rig, x86_syscall(core)), ==, X86_EXC_UD);

    rig_protected(rig, 3);
    s->efer = 0;
    g_assert_cmpint(RIG_FAULT(rig, x86_sysenter(core)), ==, X86_EXC_GP);
    s->sysenter_cs = 0x08;
    s->sysenter_esp = 0x9000;
    s->sysenter_eip = 0x1234;
    s->rflags |= X86_FLAG_IF;
    g_assert_cmpint(RIG_FAULT(rig, x86_sysenter(core)), ==, -1);
    g_assert_cmpuint(s->cpl, ==, 0);
    g_assert_cmphex(s->rflags & X86_FLAG_IF, ==, 0);
    s->gpr[X86_RDX] = 0x500;
    s->gpr[X86_RCX] = 0x7000;
    g_assert_cmpint(RIG_FAULT(rig, x86_sysexit(core, 4)), ==, -1);
    g_assert_cmphex(s->seg[X86_CS].selector, ==, 0x1b);
    g_assert_cmphex(s->gpr[X86_RSP], ==, 0x7000);
    g_assert_cmphex(core->next_rip, ==, 0x500);
    rig_free(rig);
}

/* ---- Tasks ---- */

/* A second task at 0x4000, selector 0x50, at privilege 0. */
static void
put_task(Rig *rig, bool is_32)
{
    if (is_32) {
        static const uint32_t fields[] = { 0x700, 0x2, 1, 2, 3, 4, 0xb000, 6, 7, 8 };
        static const uint32_t selectors[] = { 0x10, 0x08, 0x10, 0x10, 0, 0, 0 };
        memset(rig_ram(rig, 0x4000), 0, 0x68);
        memcpy(rig_ram(rig, 0x4000 + 32), fields, sizeof(fields));
        memcpy(rig_ram(rig, 0x4000 + 72), selectors, sizeof(selectors));
    } else {
        static const uint16_t fields[] = { 0x700, 0x2, 1,    2,    3,    4,    0xb000, 6,
                                           7,     8,   0x10, 0x08, 0x10, 0x10, 0 };
        memset(rig_ram(rig, 0x4000), 0, 0x2c);
        memcpy(rig_ram(rig, 0x4000 + 14), fields, sizeof(fields));
    }
    put_gdt(rig, 0x50, 0x4000, is_32 ? 0x67 : 0x2b,
            X86_SEG_P | (is_32 ? X86_DESC_TSS32 : X86_DESC_TSS16) << 8);
}

static unsigned
type_in_gdt(Rig *rig, unsigned selector)
{
    return rig_get(rig, 0x1005 + selector, 1) & 15;
}

static void
test_task_switch(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;
    X86State *s = &core->s;

    for (unsigned is_32 = 0; is_32 < 2; is_32++) {
        rig_protected(rig, 0);
        put_task(rig, is_32);
        s->gpr[X86_RBX] = 0xbbbb;
        core->next_rip = 0x555;
        g_assert_cmpint(RIG_FAULT(rig, x86_far_call(core, 0x50, 0, 4)), ==, -1);
        g_assert_cmphex(s->tr.selector, ==, 0x50);
        g_assert_cmphex(core->next_rip, ==, 0x700);
        g_assert_cmphex(s->rflags, ==, 2 | X86_FLAG_NT);
        g_assert_cmphex(s->gpr[X86_RAX] & 0xffff, ==, 1);
        g_assert_cmphex(s->gpr[X86_RSP] & 0xffff, ==, 0xb000);
        g_assert_true(s->cr0 & X86_CR0_TS);
        g_assert_cmphex(rig_get(rig, 0x4000, 2), ==, 0x28);  /* link */
        g_assert_cmphex(rig_get(rig, 0x3020, 4), ==, 0x555); /* old EIP */
        g_assert_cmphex(rig_get(rig, 0x3028 + 12, 4), ==, 0xbbbb);
        g_assert_cmphex(type_in_gdt(rig, 0x28), ==, X86_DESC_TSS32_BUSY);
        g_assert_cmphex(type_in_gdt(rig, 0x50), ==,
                        is_32 ? X86_DESC_TSS32_BUSY : X86_DESC_TSS16_BUSY);
        /* what the TSS of task one holds of segments is what it had */
        core->next_rip = 0x701;
        g_assert_cmpint(RIG_FAULT(rig, x86_iret(core, 4)), ==, -1);
        g_assert_cmphex(s->tr.selector, ==, 0x28);
        g_assert_cmphex(core->next_rip, ==, 0x555);
        g_assert_cmphex(s->gpr[X86_RBX], ==, 0xbbbb);
        g_assert_cmphex(s->gpr[X86_RSP], ==, 0x8000);
        g_assert_cmphex(s->rflags & X86_FLAG_NT, ==, 0);
        g_assert_cmphex(type_in_gdt(rig, 0x50), ==, is_32 ? X86_DESC_TSS32 : X86_DESC_TSS16);
        g_assert_cmphex(rig_get(rig, is_32 ? 0x4020 : 0x400e, 2), ==, 0x701);
    }
    /* a jump leaves the old task available and does not link */
    rig_protected(rig, 0);
    put_task(rig, true);
    g_assert_cmpint(RIG_FAULT(rig, x86_far_jump(core, 0x50, 0, 4)), ==, -1);
    g_assert_cmphex(type_in_gdt(rig, 0x28), ==, X86_DESC_TSS32);
    g_assert_cmphex(s->rflags & X86_FLAG_NT, ==, 0);
    rig_free(rig);
}

static void
test_task_faults(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;

    /* busy, absent, short: faults of the old task */
    rig_protected(rig, 0);
    g_assert_cmpint(RIG_FAULT(rig, x86_far_jump(core, 0x28, 0, 4)), ==, X86_EXC_GP);
    put_gdt(rig, 0x50, 0x4000, 0x67, X86_DESC_TSS32 << 8);
    g_assert_cmpint(RIG_FAULT(rig, x86_far_jump(core, 0x50, 0, 4)), ==, X86_EXC_NP);
    put_gdt(rig, 0x50, 0x4000, 0x66, X86_SEG_P | X86_DESC_TSS32 << 8);
    g_assert_cmpint(RIG_FAULT(rig, x86_far_jump(core, 0x50, 0, 4)), ==, X86_EXC_TS);
    g_assert_cmphex(core->fault_error, ==, 0x50);
    g_assert_cmphex(core->s.tr.selector, ==, 0x28);
    /* a bad SS of the new task: #TS in the new task, whose EIP the handler sees */
    put_task(rig, true);
    rig_put(rig, 0x4000 + 80, 0x08, 4);
    g_assert_cmpint(RIG_FAULT(rig, x86_far_jump(core, 0x50, 0, 4)), ==, X86_EXC_TS);
    g_assert_cmphex(core->fault_error, ==, 0x08);
    g_assert_cmphex(core->s.tr.selector, ==, 0x50);
    g_assert_cmphex(core->s.rip, ==, 0x700);
    rig_free(rig);
}

static void
test_task_gate(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;

    rig_protected(rig, 3);
    put_task(rig, true);
    rig_put_gate(rig, 0x2000 + X86_EXC_GP * 8, 0x50, 0, X86_DESC_TASK_GATE, 0);
    core->s.rip = 0x123;
    g_assert_true(deliver(rig, X86_EXC_GP, X86_EVENT_FAULT));
    g_assert_cmphex(core->s.rip, ==, 0x700);
    g_assert_cmphex(core->s.gpr[X86_RSP], ==, 0xb000 - 4);
    g_assert_cmphex(stacked(rig, 0, 4), ==, 0x55);
    g_assert_cmphex(rig_get(rig, 0x3020, 4), ==, 0x123);
    g_assert_cmphex(core->s.rflags & X86_FLAG_NT, ==, X86_FLAG_NT);
    rig_free(rig);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x86/transfer/jump-matrix", test_jump_matrix);
    g_test_add_func("/x86/transfer/call-gate-inward", test_call_gate_inward);
    g_test_add_func("/x86/transfer/call-gate-faults", test_call_gate_faults);
    g_test_add_func("/x86/transfer/call-gate-64", test_call_gate_64);
    g_test_add_func("/x86/interrupt/same-privilege", test_interrupt_same_privilege);
    g_test_add_func("/x86/interrupt/inward", test_interrupt_inward);
    g_test_add_func("/x86/interrupt/faults", test_interrupt_faults);
    g_test_add_func("/x86/interrupt/double-and-triple", test_double_and_triple_fault);
    g_test_add_func("/x86/interrupt/64", test_interrupt_64);
    g_test_add_func("/x86/interrupt/real-mode", test_real_mode);
    g_test_add_func("/x86/interrupt/v8086", test_v8086);
    g_test_add_func("/x86/iret/checks", test_iret_checks);
    g_test_add_func("/x86/iret/compatibility", test_iret_to_compatibility);
    g_test_add_func("/x86/syscall", test_syscall);
    g_test_add_func("/x86/task/switch", test_task_switch);
    g_test_add_func("/x86/task/faults", test_task_faults);
    g_test_add_func("/x86/task/gate", test_task_gate);
    return g_test_run();
}
