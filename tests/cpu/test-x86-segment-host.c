/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The host CPU as judge of selectors: local descriptors of every kind the operating system lets a
 * program install are asked about natively (LAR, LSL, VERR, VERW, MOV to a segment register) and
 * through engine/cpu with the same bytes in a guest LDT at privilege 3. */

#include "x86-rig.h"

#include <asm/ldt.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

typedef struct Answers {
    bool lar, lsl, verr, verw;
    uint32_t rights, limit;
    int load; /* vector of MOV FS, or -1 */
    uint32_t error;
} Answers;

/* One test runs at a time; a signal handler has no other way to reach its caller. */
static sigjmp_buf escape;
static volatile int trap;
static volatile uint32_t trap_error;

static void
on_fault(int signal, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;

    trap = uc->uc_mcontext.gregs[REG_TRAPNO];
    trap_error = uc->uc_mcontext.gregs[REG_ERR];
    siglongjmp(escape, 1);
}

static Answers
ask_host(uint16_t selector)
{
    Answers a = { .load = -1 };
    uint32_t sel = selector;

    __asm__ volatile("lar %2, %1; setz %0" : "=q"(a.lar), "=r"(a.rights) : "r"(sel) : "cc");
    __asm__ volatile("lsl %2, %1; setz %0" : "=q"(a.lsl), "=r"(a.limit) : "r"(sel) : "cc");
    __asm__ volatile("verr %w1; setz %0" : "=q"(a.verr) : "r"(sel) : "cc");
    __asm__ volatile("verw %w1; setz %0" : "=q"(a.verw) : "r"(sel) : "cc");
    if (sigsetjmp(escape, 1)) {
        a.load = trap;
        a.error = trap_error;
    } else {
        __asm__ volatile("mov %0, %%gs; xor %%eax, %%eax; mov %%eax, %%gs" : : "r"(sel) : "eax");
    }
    return a;
}

static Answers
ask_engine(Rig *rig, uint16_t selector)
{
    X86Core *core = rig->core;
    Answers a = { .load = -1 };

    a.lar = x86_lar(core, selector, &a.rights);
    a.lsl = x86_lsl(core, selector, &a.limit);
    a.verr = x86_verify(core, selector, false);
    a.verw = x86_verify(core, selector, true);
    a.load = RIG_FAULT(rig, x86_load_segment(core, X86_GS, selector));
    a.error = a.load >= 0 ? core->fault_error : 0;
    return a;
}

/* The descriptor the kernel makes of DESC. */
static uint64_t
descriptor_bytes(const struct user_desc *desc)
{
    uint32_t type = 1 | !desc->read_exec_only << 1 | desc->contents << 2;
    uint32_t low = (desc->limit & 0xffff) | desc->base_addr << 16;
    uint32_t high = (desc->base_addr >> 16 & 0xff) | type << 8 | X86_SEG_S | 3 << 13 |
                    (desc->seg_not_present ? 0 : X86_SEG_P) | (desc->limit & 0xf0000) |
                    (desc->useable ? X86_SEG_AVL : 0) | (desc->seg_32bit ? X86_SEG_DB : 0) |
                    (desc->limit_in_pages ? X86_SEG_G : 0) | (desc->base_addr & 0xff000000);

    return (uint64_t)high << 32 | low;
}

static void
test_against_host(void)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
    struct sigaction old_segv, old_bus;
    Rig *rig = rig_new("max");
    unsigned compared = 0;

    rig_long(rig, 3);
    rig->core->s.ldtr =
        (X86Segment){ .attr = X86_SEG_P | X86_DESC_LDT << 8, .base = 0x4000, .limit = 15 };
    sigaction(SIGSEGV, &action, &old_segv);
    sigaction(SIGBUS, &action, &old_bus);
    for (unsigned bits = 0; bits < 1u << 7; bits++) {
        struct user_desc desc = {
            .entry_number = 1,
            .base_addr = 0x12345678,
            .limit = 0x6789a,
            .contents = bits & 3,
            .read_exec_only = bits >> 2 & 1,
            .seg_not_present = bits >> 3 & 1,
            .seg_32bit = bits >> 4 & 1,
            .limit_in_pages = bits >> 5 & 1,
            .useable = bits >> 6 & 1,
        };
        if (syscall(SYS_modify_ldt, 0x11, &desc, sizeof(desc)) != 0) {
            continue; /* kinds the kernel refuses */
        }
        rig_put(rig, 0x4008, descriptor_bytes(&desc), 8);
        for (unsigned rpl = 0; rpl < 4; rpl++) {
            uint16_t selector = 0x0c | rpl;
            Answers host = ask_host(selector), ours = ask_engine(rig, selector);
            if (host.lar != ours.lar || host.lsl != ours.lsl || host.verr != ours.verr ||
                host.verw != ours.verw || host.load != ours.load || host.error != ours.error ||
                (host.lar && (host.rights ^ ours.rights) & 0xf0ff00) ||
                (host.lsl && host.limit != ours.limit)) {
                g_error("kind %02x selector %x: host lar %d %x lsl %d %x verr %d verw %d load %d "
                        "%x; engine %d %x %d %x %d %d %d %x",
                        bits, selector, host.lar, host.rights, host.lsl, host.limit, host.verr,
                        host.verw, host.load, host.error, ours.lar, ours.rights, ours.lsl,
                        ours.limit, ours.verr, ours.verw, ours.load, ours.error);
            }
            compared++;
        }
    }
    sigaction(SIGSEGV, &old_segv, NULL);
    sigaction(SIGBUS, &old_bus, NULL);
    g_test_message("%u selectors compared", compared);
    if (compared == 0) {
        g_test_skip("the kernel offers no local descriptors");
    }
    rig_free(rig);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/x86/segment-host/local-descriptors", test_against_host);
    return g_test_run();
}
