/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Small guest programs (programs.S) through the instruction loop: mode switches, interrupts and
 * single step, breakpoints, user mode with SMAP and SMEP, v8086 with VME, restartable port
 * strings. What each leaves in memory is compared with what the manual says. */

#include "x86-rig.h"

#define PROGRAM(name) extern const uint8_t x86_program_##name[], x86_program_##name##_end[]
PROGRAM(modes);
PROGRAM(events);
PROGRAM(breakpoints);
PROGRAM(user);
PROGRAM(user_part);
PROGRAM(v8086);
extern const uint8_t x86_program_events_irq[], x86_program_events_int[], x86_program_events_step[];
extern const uint8_t x86_program_bp_handler[], x86_program_bp_1[], x86_program_bp_2[],
    x86_program_bp_code[], x86_program_bp_4[];
extern const uint8_t x86_program_user_syscall[], x86_program_user_fault[];

enum { BASE = 0x7c00 };
#define LOAD(rig, name) \
    memcpy(rig_ram(rig, BASE), x86_program_##name, x86_program_##name##_end - x86_program_##name)
#define PLACE(program, label) (BASE + (x86_program_##label - x86_program_##program))

/* Runs until HLT with interrupts off; anything else fails. */
static void
run_to_halt(Rig *rig)
{
    X86State *s = &rig->core->s;

    for (unsigned i = 0; i < 20; i++) {
        VitCpuExit reason = x86_interp_run(rig->core);
        if (reason != VIT_CPU_EXIT_HALT) {
            g_error("left with %d at %" G_GINT64_MODIFIER "x, last fault %d error %x", reason,
                    s->rip, rig->core->fault_vector, rig->core->fault_error);
        }
        if (!(s->rflags & X86_FLAG_IF)) {
            return;
        }
        rig->pending_vector = 0x20; /* asleep with interrupts on: wake it */
        vit_cpu_raise(&rig->cpu, VIT_CPU_EVENT_INTR);
    }
    g_error("does not stop");
}

static void
test_modes(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;

    rig_long(rig, 0); /* for its page tables */
    x86_state_reset(rig->core, false);
    rig_put_descriptor(rig, 0x1008, 0, 0xfffff, 0xc09b00);
    rig_put_descriptor(rig, 0x1010, 0, 0xfffff, 0xc09300);
    rig_put_descriptor(rig, 0x1018, 0, 0xfffff, 0xa09b00);
    rig_put_descriptor(rig, 0x1020, 0, 0xffff, 0x009b00);
    rig_put_descriptor(rig, 0x1028, 0, 0xffff, 0x009300);
    LOAD(rig, modes);
    x86_load_segment(rig->core, X86_CS, 0);
    s->rip = BASE;
    run_to_halt(rig);
    g_assert_cmpmem(rig_ram(rig, 0x500), 9, "rpclclpsr", 9);
    g_assert_cmphex(rig_get(rig, 0x510, 8), ==, 0x1122334455667788);
    g_assert_cmphex(rig_get(rig, 0x518, 4), ==, 0x55667789);
    g_assert_cmphex(rig_get(rig, 0x520, 8), ==, 0x1122334455667788);
    g_assert_cmphex(rig_get(rig, 0x528, 4) & 0x500, ==, 0x100);
    g_assert_true(x86_real_mode(s));
    g_assert_cmphex(s->efer & 0x500, ==, 0);
    rig_free(rig);
}

static void
test_events(void)
{
    Rig *rig = rig_new("max");

    rig_protected(rig, 0);
    LOAD(rig, events);
    rig_put_gate(rig, 0x2000 + 0x20 * 8, 0x08, PLACE(events, events_irq), X86_DESC_INT32, 0);
    rig_put_gate(rig, 0x2000 + 0x30 * 8, 0x08, PLACE(events, events_int), X86_DESC_TRAP32, 0);
    rig_put_gate(rig, 0x2000 + 1 * 8, 0x08, PLACE(events, events_step), X86_DESC_INT32, 0);
    rig->core->s.rip = BASE;
    run_to_halt(rig);
    g_assert_cmpmem(rig_ram(rig, 0x500), 8, "nsssshie", 8);
    g_assert_cmphex(rig_get(rig, 0x600, 4), ==, 0xffff4ff0); /* BS */
    rig_free(rig);
}

/* INTR pending before STI: one more instruction runs first. */
static void
test_sti_shadow(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;
    static const uint8_t code[] = { 0xfb, 0x40, 0x40, 0xf4 }; /* sti; inc eax; inc eax; hlt */
    VitCpuExit reason;

    rig_protected(rig, 0);
    memcpy(rig_ram(rig, BASE), code, sizeof(code));
    rig_put_gate(rig, 0x2000 + 0x20 * 8, 0x08, 0x6000, X86_DESC_INT32, 0);
    rig_put(rig, 0x6000, 0xf4, 1);
    s->rip = BASE;
    s->gpr[X86_RAX] = 0;
    rig->pending_vector = 0x20;
    vit_cpu_raise(&rig->cpu, VIT_CPU_EVENT_INTR);
    reason = x86_interp_run(rig->core);
    g_assert_cmpint(reason, ==, VIT_CPU_EXIT_HALT);
    g_assert_cmphex(s->rip, ==, 0x6001);
    g_assert_cmphex(s->gpr[X86_RAX], ==, 1);
    g_assert_cmphex(rig_get(rig, s->gpr[X86_RSP], 4), ==, BASE + 2);
    rig_free(rig);
}

/* A second NMI waits for the IRET of the first. */
static void
test_nmi(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;
    static const uint8_t handler[] = { 0x40, 0x90, 0xcf }; /* inc eax; nop; iret */
    VitCpuExit reason;

    rig_protected(rig, 0);
    memset(rig_ram(rig, BASE), 0x90, 64);
    rig_put(rig, BASE + 8, 0xf4, 1);
    memcpy(rig_ram(rig, 0x6000), handler, sizeof(handler));
    rig_put_gate(rig, 0x2000 + 2 * 8, 0x08, 0x6000, X86_DESC_INT32, 0);
    s->rip = BASE;
    s->gpr[X86_RAX] = 0;
    vit_cpu_raise(&rig->cpu, VIT_CPU_EVENT_NMI);
    g_assert_true(x86_interp_step(rig->core, &reason)); /* delivers and runs one */
    g_assert_true(s->nmi_blocked);
    vit_cpu_raise(&rig->cpu, VIT_CPU_EVENT_NMI);
    g_assert_true(x86_interp_step(rig->core, &reason));
    g_assert_cmphex(s->gpr[X86_RAX], ==, 1);
    reason = x86_interp_run(rig->core);
    g_assert_cmpint(reason, ==, VIT_CPU_EXIT_HALT);
    g_assert_cmphex(s->gpr[X86_RAX], ==, 2);
    g_assert_false(s->nmi_blocked);
    rig_free(rig);
}

static void
test_breakpoints(void)
{
    Rig *rig = rig_new("max");
    const uint32_t wanted[][2] = {
        { 0xffff0ff1, PLACE(breakpoints, bp_1) },
        { 0xffff0ff1, PLACE(breakpoints, bp_2) },
        { 0xffff0ff2, PLACE(breakpoints, bp_code) },
        { 0xffff0ff4, PLACE(breakpoints, bp_4) },
        { 0, 0 },
    };

    rig_protected(rig, 0);
    LOAD(rig, breakpoints);
    rig_put_gate(rig, 0x2000 + 1 * 8, 0x08, PLACE(breakpoints, bp_handler), X86_DESC_INT32, 0);
    rig->core->s.rip = BASE;
    run_to_halt(rig);
    for (unsigned i = 0; i < VIT_ARRAY_LEN(wanted); i++) {
        g_assert_cmphex(rig_get(rig, 0x600 + i * 8, 4), ==, wanted[i][0]);
        g_assert_cmphex(rig_get(rig, 0x604 + i * 8, 4), ==, wanted[i][1]);
    }
    rig_free(rig);
}

static void
test_user(void)
{
    Rig *rig = rig_new("max,vendor=GenuineIntel,-la57");
    X86State *s = &rig->core->s;
    static const uint64_t wanted[][2] = {
        { 0x200000, 0x01 }, /* SMAP: present, supervisor read */
        { 0x200000, 0x11 }, /* SMEP: present, fetch */
        { 0x400000, 0x04 }, /* absent, user read */
        { 0x500, 0x07 },    /* the kernel's, user write */
        { 0, 0 },
    };

    rig_long(rig, 0);
    LOAD(rig, user);
    memcpy(rig_ram(rig, 0x200000), x86_program_user_part,
           x86_program_user_part_end - x86_program_user_part);
    rig_put(rig, 0x102000, 0x83, 8); /* the first 2 MiB are the kernel's */
    rig_put(rig, 0x102010, 0, 8);
    s->cr4 |= X86_CR4_SMEP | X86_CR4_SMAP;
    s->star = 0x001b000800000000;
    s->lstar = PLACE(user, user_syscall);
    s->sfmask = X86_FLAG_IF;
    rig_put_gate(rig, 0x2000 + 14 * 16, 0x08, PLACE(user, user_fault), X86_DESC_INT32, 0);
    rig_put(rig, 0x2008 + 14 * 16, 0, 8);
    s->rip = BASE;
    x86_state_changed(rig->core);
    run_to_halt(rig);
    g_assert_cmphex(rig_get(rig, 0x500, 1), ==, 'k');
    for (unsigned i = 0; i < VIT_ARRAY_LEN(wanted); i++) {
        g_assert_cmphex(rig_get(rig, 0x600 + i * 16, 8), ==, wanted[i][0]);
        g_assert_cmphex(rig_get(rig, 0x608 + i * 16, 8), ==, wanted[i][1]);
    }
    g_assert_cmphex(rig_get(rig, 0x508, 8), ==,
                    0x200000 + (x86_program_user_part_end - x86_program_user_part));
    g_assert_cmphex(rig_get(rig, 0x510, 8), ==, 0x202);
    g_assert_cmpuint(s->cpl, ==, 0);
    rig_free(rig);
}

static void
test_v8086(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;
    static const uint8_t handler[] = { 0x41, 0xcf }; /* inc cx; iret */

    rig_protected(rig, 0);
    memcpy(rig_ram(rig, 0x20000), x86_program_v8086, x86_program_v8086_end - x86_program_v8086);
    memcpy(rig_ram(rig, 0x20100), handler, sizeof(handler));
    rig_put(rig, 0x40 * 4, 0x20000100, 4);
    /* redirection bitmap clear before the I/O map */
    rig_put(rig, 0x3066, 0x88, 2);
    memset(rig_ram(rig, 0x3068), 0, 32);
    s->tr.limit = 0x2087;
    rig_put_gate(rig, 0x2000 + 13 * 8, 0x08, 0x6000, X86_DESC_INT32, 0);
    rig_put(rig, 0x6000, 0xf4, 1);
    s->cr4 |= X86_CR4_VME;
    s->rflags |= X86_FLAG_VM | X86_FLAG_VIF | X86_FLAG_IF;
    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        x86_load_segment_real(rig->core, i, 0x2000);
    }
    x86_set_cpl(rig->core, 3);
    s->rip = 0;
    s->gpr[X86_RCX] = 0;
    s->gpr[X86_RSP] = 0xff00;
    run_to_halt(rig);
    g_assert_cmphex(s->rip, ==, 0x6001);
    g_assert_cmphex(s->gpr[X86_RAX] & 0xffff, ==, 0x3002);
    g_assert_cmphex(s->gpr[X86_RBX] & 0xffff, ==, 0x3202);
    g_assert_cmphex(s->gpr[X86_RCX] & 0xffff, ==, 2);
    g_assert_cmphex(s->gpr[X86_RDX] & 0xffff, ==, 0x3002);
    /* error code 0, return to the HLT, VM set, IF as the monitor left it */
    g_assert_cmphex(rig_get(rig, s->gpr[X86_RSP], 4), ==, 0);
    g_assert_cmphex(rig_get(rig, s->gpr[X86_RSP] + 4, 4), ==,
                    x86_program_v8086_end - x86_program_v8086 - 1);
    g_assert_cmphex(rig_get(rig, s->gpr[X86_RSP] + 12, 4) & (X86_FLAG_VM | X86_FLAG_IF), ==,
                    X86_FLAG_VM | X86_FLAG_IF);
    rig_free(rig);
}

/* REP INSB whose buffer runs into a page that is not there: what was read is stored, registers
 * tell what is left, and the port is not read for the item that faults. */
static void
test_rep_ins(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;
    static const uint8_t code[] = { 0xf3, 0x6c, 0xf4 };

    rig_long(rig, 0);
    rig_put(rig, 0x102008, 0, 8); /* 0x200000 is not there */
    memcpy(rig_ram(rig, BASE), code, sizeof(code));
    rig_put_gate(rig, 0x2000 + 14 * 16, 0x08, 0x6000, X86_DESC_INT32, 0);
    rig_put(rig, 0x6000, 0xf4, 1);
    rig->port_value[0] = 0x5a;
    s->rip = BASE;
    s->gpr[X86_RDI] = 0x1ffffc;
    s->gpr[X86_RCX] = 10;
    s->gpr[X86_RDX] = 0x100;
    run_to_halt(rig);
    g_assert_cmphex(s->rip, ==, 0x6001);
    g_assert_cmphex(s->cr2, ==, 0x200000);
    g_assert_cmphex(s->gpr[X86_RCX], ==, 6);
    g_assert_cmphex(s->gpr[X86_RDI], ==, 0x200000);
    g_assert_cmphex(rig_get(rig, 0x1ffffc, 4), ==, 0x5a5a5a5a);
    g_assert_cmphex(rig_get(rig, s->gpr[X86_RSP], 8), ==, 2); /* supervisor write, absent */
    g_assert_cmphex(rig_get(rig, s->gpr[X86_RSP] + 8, 8), ==, BASE);
    rig_free(rig);
}

/* IN and OUT against the TSS's bitmap. */
static void
test_port_permission(void)
{
    Rig *rig = rig_new("max");
    X86Core *core = rig->core;

    rig_protected(rig, 3);
    rig_put(rig, 0x3066, 0x68, 2);
    memset(rig_ram(rig, 0x3068), 0xff, 0x100);
    core->s.tr.limit = 0x68 + 0x30;
    g_assert_cmpint(RIG_FAULT(rig, x86_check_io(core, 0x100, 1)), ==, X86_EXC_GP);
    rig_put(rig, 0x3068 + 0x20, 0xfc, 1); /* ports 0x100, 0x101 */
    g_assert_cmpint(RIG_FAULT(rig, x86_check_io(core, 0x100, 2)), ==, -1);
    g_assert_cmpint(RIG_FAULT(rig, x86_check_io(core, 0x101, 2)), ==, X86_EXC_GP);
    /* the map's last byte needs one behind it */
    core->s.tr.limit = 0x68 + 0x20;
    g_assert_cmpint(RIG_FAULT(rig, x86_check_io(core, 0x100, 1)), ==, X86_EXC_GP);
    core->s.tr.limit = 0x68 + 0x21;
    g_assert_cmpint(RIG_FAULT(rig, x86_check_io(core, 0x100, 1)), ==, -1);
    core->s.rflags |= X86_FLAG_IOPL;
    g_assert_cmpint(RIG_FAULT(rig, x86_check_io(core, 0x3f8, 1)), ==, -1);
    core->s.rflags |= X86_FLAG_VM; /* v8086 always asks the map */
    g_assert_cmpint(RIG_FAULT(rig, x86_check_io(core, 0x3f8, 1)), ==, X86_EXC_GP);
    rig_free(rig);
}

/* A state taken over in the middle of a delivery (as KVM hands it out). */
static void
test_pending_event(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;

    rig_protected(rig, 0);
    rig_put_gate(rig, 0x2000 + X86_EXC_GP * 8, 0x08, 0x6000, X86_DESC_INT32, 0);
    rig_put(rig, 0x6000, 0xf4, 1);
    s->rip = BASE;
    s->pending_vector = X86_EXC_GP;
    s->pending_has_error = true;
    s->pending_error = 0x18;
    x86_state_changed(rig->core);
    g_assert_cmpint(x86_interp_run(rig->core), ==, VIT_CPU_EXIT_HALT);
    g_assert_cmphex(s->rip, ==, 0x6001);
    g_assert_cmphex(rig_get(rig, s->gpr[X86_RSP], 4), ==, 0x18);
    g_assert_cmphex(rig_get(rig, s->gpr[X86_RSP] + 4, 4), ==, BASE);
    g_assert_cmpint(s->pending_vector, ==, -1);
    rig_free(rig);
}

/* INIT and start-up IPI; a triple fault. */
static void
test_init_sipi(void)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;
    static const uint8_t code[] = { 0x0f, 0x0b };

    rig->cpu.is_bsp = false;
    rig_long(rig, 3);
    s->kernel_gs_base = 5;
    vit_cpu_raise(&rig->cpu, VIT_CPU_EVENT_INIT);
    g_assert_cmpint(x86_interp_run(rig->core), ==, VIT_CPU_EXIT_HALT);
    g_assert_cmpint(s->activity, ==, X86_WAIT_FOR_SIPI);
    g_assert_cmphex(s->kernel_gs_base, ==, 5); /* MSRs stay */
    g_assert_cmphex(s->cr0 & X86_CR0_PE, ==, 0);
    rig_put(rig, 0x9a000, 0xf4, 1);
    vit_cpu_sipi(&rig->cpu, 0x9a);
    g_assert_cmpint(x86_interp_run(rig->core), ==, VIT_CPU_EXIT_HALT);
    g_assert_cmphex(s->seg[X86_CS].selector, ==, 0x9a00);
    g_assert_cmphex(s->rip, ==, 1);

    rig_protected(rig, 0);
    memcpy(rig_ram(rig, BASE), code, sizeof(code));
    s->idtr.limit = 0;
    s->activity = X86_ACTIVE;
    s->rip = BASE;
    g_assert_cmpint(x86_interp_run(rig->core), ==, VIT_CPU_EXIT_SHUTDOWN);
    rig_free(rig);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x86/program/modes", test_modes);
    g_test_add_func("/x86/program/events", test_events);
    g_test_add_func("/x86/program/sti-shadow", test_sti_shadow);
    g_test_add_func("/x86/program/nmi", test_nmi);
    g_test_add_func("/x86/program/breakpoints", test_breakpoints);
    g_test_add_func("/x86/program/user", test_user);
    g_test_add_func("/x86/program/v8086", test_v8086);
    g_test_add_func("/x86/program/rep-ins", test_rep_ins);
    g_test_add_func("/x86/program/port-permission", test_port_permission);
    g_test_add_func("/x86/program/pending-event", test_pending_event);
    g_test_add_func("/x86/program/init-sipi", test_init_sipi);
    return g_test_run();
}
