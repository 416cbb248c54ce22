/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* AMD's secure virtual machine by AMD APM volume 2 chapter 15: each intercept given and not given,
 * permission maps, exceptions, event injection, virtual and physical interrupts, the global
 * interrupt flag, nested paging, states that VMRUN refuses. A guest is a few bytes of code that end
 * in VMMCALL. mission: max */

#include "x86-rig.h"
#include "x86-svm.h"

enum {
    HOST_CODE = 0x480000,
    HOST_SAVE = 0x300000,
    BLOCK = 0x301000,
    IO_MAP = 0x310000,
    MSR_MAP = 0x320000,
    NESTED_TABLES = 0x330000,
    GUEST_CODE = 0x400000,
    GUEST_STACK = 0x500000,
    GUEST_IDT = 0x510000,
    GUEST_HANDLER = 0x520000,
    HLT = 0xf4,
};

static void
put_block_segment(Rig *rig, unsigned at, const X86Segment *seg)
{
    rig_put(rig, BLOCK + at, seg->selector, 2);
    rig_put(rig, BLOCK + at + 2, (seg->attr >> 8 & 0xff) | (seg->attr >> 12 & 0xf00), 2);
    rig_put(rig, BLOCK + at + 4, seg->limit, 4);
    rig_put(rig, BLOCK + at + 8, seg->base, 8);
}

static uint64_t
block_get(Rig *rig, unsigned at)
{
    return rig_get(rig, BLOCK + at, 8);
}

static void
intercept(Rig *rig, unsigned code)
{
    unsigned place = 0x0c + (code - SVM_EXIT_INTR) / 32 * 4;

    rig_put(rig, BLOCK + place, rig_get(rig, BLOCK + place, 4) | 1u << (code - SVM_EXIT_INTR) % 32,
            4);
}

/* A host in 64-bit mode and a block for a guest that looks like it, with CODE to run. */
static Rig *
new_guest(const void *code, size_t len)
{
    Rig *rig = rig_new("max");
    X86State *s = &rig->core->s;
    static const uint8_t vmrun[] = { 0x0f, 0x01, 0xd8, HLT };

    rig_long(rig, 0);
    g_assert_true(x86_msr_write(rig->core, 0xc0000080, s->efer | X86_EFER_SVME));
    g_assert_true(x86_msr_write(rig->core, 0xc0010117, HOST_SAVE));
    memset(rig_ram(rig, BLOCK), 0, 0x1000);
    memset(rig_ram(rig, IO_MAP), 0, 0x3000);
    memset(rig_ram(rig, MSR_MAP), 0, 0x2000);
    memcpy(rig_ram(rig, HOST_CODE), vmrun, sizeof(vmrun));
    memcpy(rig_ram(rig, GUEST_CODE), code, len);
    memcpy(rig_ram(rig, GUEST_CODE + len), "\x0f\x01\xd9", 3); /* VMMCALL */
    put_block_segment(rig, 0x400, &s->seg[X86_ES]);
    put_block_segment(rig, 0x410, &s->seg[X86_CS]);
    put_block_segment(rig, 0x420, &s->seg[X86_SS]);
    put_block_segment(rig, 0x430, &s->seg[X86_DS]);
    rig_put(rig, BLOCK + 0x464, s->gdtr.limit, 4);
    rig_put(rig, BLOCK + 0x468, s->gdtr.base, 8);
    rig_put(rig, BLOCK + 0x484, 0xfff, 4);
    rig_put(rig, BLOCK + 0x488, GUEST_IDT, 8);
    rig_put(rig, BLOCK + 0x4d0, s->efer, 8);
    rig_put(rig, BLOCK + 0x548, s->cr4, 8);
    rig_put(rig, BLOCK + 0x550, s->cr3, 8);
    rig_put(rig, BLOCK + 0x558, s->cr0, 8);
    rig_put(rig, BLOCK + 0x560, 0x400, 8);
    rig_put(rig, BLOCK + 0x568, 0xffff0ff0, 8);
    rig_put(rig, BLOCK + 0x570, 2, 8);
    rig_put(rig, BLOCK + 0x578, GUEST_CODE, 8);
    rig_put(rig, BLOCK + 0x5d8, GUEST_STACK, 8);
    rig_put(rig, BLOCK + 0x58, 1, 4); /* ASID */
    rig_put(rig, BLOCK + 0x40, IO_MAP, 8);
    rig_put(rig, BLOCK + 0x48, MSR_MAP, 8);
    /* every vector of the guest's leads to VMMCALLs of its own, 16 bytes apart */
    for (unsigned vector = 0; vector < 256; vector++) {
        uint64_t gate = GUEST_IDT + vector * 16, handler = GUEST_HANDLER + vector * 16;
        rig_put(rig, gate,
                (handler & 0xffff) | 8 << 16 | (uint64_t)0xee00 << 32 | (handler >> 16) << 48, 8);
        rig_put(rig, gate + 8, 0, 8);
        memcpy(rig_ram(rig, handler), "\x0f\x01\xd9", 3);
    }
    intercept(rig, SVM_EXIT_VMRUN);
    intercept(rig, SVM_EXIT_VMMCALL);
    intercept(rig, SVM_EXIT_SHUTDOWN);
    s->rip = HOST_CODE;
    s->gpr[X86_RAX] = BLOCK;
    return rig;
}

/* Runs until the host goes on behind VMRUN; the exit code. */
static uint64_t
run(Rig *rig)
{
    X86State *s = &rig->core->s;
    VitCpuExit reason;

    s->rip = HOST_CODE;
    s->gpr[X86_RAX] = BLOCK;
    s->activity = X86_ACTIVE;
    for (unsigned i = 0; i < 1000; i++) {
        bool more = x86_interp_step(rig->core, &reason);
        /* an event lets the instruction behind VMRUN follow in the same step */
        if (!s->svm.guest && (s->rip == HOST_CODE + 3 || s->rip == HOST_CODE + 4)) {
            g_assert_cmphex(s->gpr[X86_RAX], ==, BLOCK);
            g_assert_cmpuint(s->cpl, ==, 0);
            return block_get(rig, 0x70);
        }
        if (!more && !s->svm.guest) {
            g_error("CPU stopped at %" G_GINT64_MODIFIER "x", s->rip);
        }
    }
    g_error("the guest does not come back: rIP %" G_GINT64_MODIFIER "x", s->rip);
}

/* ---- Instructions ---- */

static void
test_instructions(void)
{
    static const struct {
        const char *name, *code;
        unsigned len, exit;
    } rows[] = {
        { "rdtsc", "\x0f\x31", 2, SVM_EXIT_RDTSC },
        { "rdtscp", "\x0f\x01\xf9", 3, SVM_EXIT_RDTSCP },
        { "pushf", "\x9c", 1, SVM_EXIT_PUSHF },
        { "popf", "\x9d", 1, SVM_EXIT_POPF },
        { "cpuid", "\x0f\xa2", 2, SVM_EXIT_CPUID },
        { "invd", "\x0f\x08", 2, SVM_EXIT_INVD },
        { "wbinvd", "\x0f\x09", 2, SVM_EXIT_WBINVD },
        { "pause", "\xf3\x90", 2, SVM_EXIT_PAUSE },
        { "invlpg", "\x0f\x01\x38", 3, SVM_EXIT_INVLPG },
        { "sidt", "\x0f\x01\x0c\x24", 4, SVM_EXIT_IDTR_READ },
        { "sgdt", "\x0f\x01\x04\x24", 4, SVM_EXIT_GDTR_READ },
        { "sldt", "\x0f\x00\xc0", 3, SVM_EXIT_LDTR_READ },
        { "str", "\x0f\x00\xc8", 3, SVM_EXIT_TR_READ },
        { "int", "\xcd\x30", 2, SVM_EXIT_SWINT },
        { "int1", "\xf1", 1, SVM_EXIT_ICEBP },
        { "stgi", "\x0f\x01\xdc", 3, SVM_EXIT_STGI },
        { "clgi", "\x0f\x01\xdd", 3, SVM_EXIT_CLGI },
        { "invlpga", "\x0f\x01\xdf", 3, SVM_EXIT_INVLPGA },
        { "hlt", "\xf4", 1, SVM_EXIT_HLT },
        { "vmload", "\x0f\x01\xda", 3, SVM_EXIT_VMLOAD },
        { "vmsave", "\x0f\x01\xdb", 3, SVM_EXIT_VMSAVE },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(rows); i++) {
        Rig *rig = new_guest(rows[i].code, rows[i].len);
        rig_put(rig, BLOCK + 0x5f8, 0x600000, 8); /* rAX: free memory */
        intercept(rig, rows[i].exit);
        uint64_t code = run(rig);
        if (code != rows[i].exit || block_get(rig, 0x578) != GUEST_CODE ||
            block_get(rig, 0xc8) != GUEST_CODE + rows[i].len) {
            g_error("%s: exit %" G_GINT64_MODIFIER "x", rows[i].name, code);
        }
        g_assert_true(rig->core->s.svm.interrupts_off);
        rig_free(rig);
        if (rows[i].exit == SVM_EXIT_HLT) {
            continue; /* would sleep */
        }
        rig = new_guest(rows[i].code, rows[i].len);
        rig_put(rig, BLOCK + 0x5f8, 0x600000, 8);
        code = run(rig);
        if (code != SVM_EXIT_VMMCALL) {
            g_error("%s, not intercepted: exit %" G_GINT64_MODIFIER "x", rows[i].name, code);
        }
        rig_free(rig);
    }
}

static void
test_registers(void)
{
    static const struct {
        const char *code;
        unsigned place, bit, exit;
    } rows[] = {
        { "\x0f\x20\xc0", 0, 0, SVM_EXIT_READ_CR0 },       /* mov rax, cr0 */
        { "\x0f\x20\xd8", 0, 3, SVM_EXIT_READ_CR0 + 3 },   /* mov rax, cr3 */
        { "\x0f\x22\xd8", 0, 19, SVM_EXIT_WRITE_CR0 + 3 }, /* mov cr3, rax */
        { "\x0f\x22\xe0", 0, 20, SVM_EXIT_WRITE_CR0 + 4 },
        { "\x0f\x21\xf8", 4, 7, SVM_EXIT_READ_DR0 + 7 }, /* mov rax, dr7 */
        { "\x0f\x23\xc0", 4, 16, SVM_EXIT_WRITE_DR0 },   /* mov dr0, rax */
        { "\x0f\x01\xe0", 0, 0, SVM_EXIT_READ_CR0 },     /* smsw eax */
        { "\x0f\x06\x90", 0, 16, SVM_EXIT_WRITE_CR0 },   /* clts; nop */
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(rows); i++) {
        Rig *rig = new_guest(rows[i].code, 3);
        rig_put(rig, BLOCK + rows[i].place, 1u << rows[i].bit, 4);
        g_assert_cmphex(run(rig), ==, rows[i].exit);
        rig_free(rig);
    }
    /* the selective intercept of CR0 lets TS pass */
    Rig *rig = new_guest("\x0f\x20\xc0\x83\xc8\x08\x0f\x22\xc0", 9); /* or eax, 8 */
    intercept(rig, SVM_EXIT_CR0_SEL_WRITE);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_VMMCALL);
    g_assert_cmphex(block_get(rig, 0x558) & X86_CR0_TS, !=, 0);
    rig_free(rig);
    rig = new_guest("\x0f\x20\xc0\x0d\x00\x00\x04\x00\x0f\x22\xc0", 11); /* or eax, AM */
    intercept(rig, SVM_EXIT_CR0_SEL_WRITE);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_CR0_SEL_WRITE);
    rig_free(rig);
}

/* ---- Permission maps ---- */

static void
test_msr_map(void)
{
    static const struct {
        uint32_t msr;
        bool write;
        uint64_t byte;
        uint8_t bit;
    } rows[] = {
        { 0x174, false, 0x174 / 4, 0 },
        { 0x175, true, 0x175 / 4, 3 },
        { 0xc0000082, true, 0x800 + 0x82 / 4, 5 },
        { 0xc0010015, false, 0x1000 + 0x15 / 4, 2 },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(rows); i++) {
        for (unsigned set = 0; set < 2; set++) {
            uint8_t code[7] = { 0xb9, 0, 0, 0, 0, 0x0f, rows[i].write ? 0x30 : 0x32 };
            memcpy(code + 1, &rows[i].msr, 4);
            Rig *rig = new_guest(code, sizeof(code));
            intercept(rig, SVM_EXIT_MSR);
            rig_put(rig, MSR_MAP + rows[i].byte, set ? 1u << rows[i].bit : 0xff ^ 1u << rows[i].bit,
                    1);
            g_assert_cmphex(run(rig), ==, set ? SVM_EXIT_MSR : SVM_EXIT_VMMCALL);
            if (set) {
                g_assert_cmphex(block_get(rig, 0x78), ==, rows[i].write);
            }
            rig_free(rig);
        }
    }
    /* numbers the map has no place for are always intercepted */
    Rig *rig = new_guest("\xb9\x00\x00\x00\x40\x0f\x32", 7);
    intercept(rig, SVM_EXIT_MSR);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_MSR);
    rig_free(rig);
}

static void
test_io_map(void)
{
    /* out dx, eax at 0x107: the bits of 0x107 to 0x10a */
    for (unsigned port = 0x106; port <= 0x10b; port++) {
        Rig *rig = new_guest("\x66\xba\x07\x01\xef", 5);
        intercept(rig, SVM_EXIT_IOIO);
        rig_put(rig, IO_MAP + port / 8, 1u << port % 8, 1);
        bool inside = port >= 0x107 && port <= 0x10a;
        g_assert_cmphex(run(rig), ==, inside ? SVM_EXIT_IOIO : SVM_EXIT_VMMCALL);
        if (inside) {
            g_assert_cmphex(block_get(rig, 0x78), ==, 0x107 << 16 | 1 << 6 | 1 << 9);
            g_assert_cmphex(block_get(rig, 0x80), ==, GUEST_CODE + 5);
        }
        rig_free(rig);
    }
    Rig *rig = new_guest("\xf3\x6e", 2); /* rep outsb */
    intercept(rig, SVM_EXIT_IOIO);
    memset(rig_ram(rig, IO_MAP), 0xff, 0x3000);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_IOIO);
    g_assert_cmphex(block_get(rig, 0x78) & 0xffff, ==, 1 << 2 | 1 << 3 | 1 << 4 | 1 << 9 | 3 << 10);
    rig_free(rig);
}

/* ---- Exceptions and events ---- */

static void
test_exceptions(void)
{
    /* a read of an address that is not mapped: CR2 of the guest stays */
    static const char read_far[] = "\x48\xb8\x00\x10\x00\x00\x01\x00\x00\x00\x8b\x00";
    Rig *rig = new_guest(read_far, 12);
    rig_put(rig, BLOCK + 0x640, 0x1234, 8);
    rig_put(rig, BLOCK + 8, 1u << X86_EXC_PF, 4);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_EXCEPTION + X86_EXC_PF);
    g_assert_cmphex(block_get(rig, 0x80), ==, 0x100001000);
    g_assert_cmphex(block_get(rig, 0x78), ==, 0);
    g_assert_cmphex(block_get(rig, 0x640), ==, 0x1234);
    g_assert_cmphex(block_get(rig, 0x578), ==, GUEST_CODE + 10);
    rig_free(rig);
    /* not intercepted: the guest's own handler */
    rig = new_guest(read_far, 12);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_VMMCALL);
    g_assert_cmphex(block_get(rig, 0x578), ==, GUEST_HANDLER + X86_EXC_PF * 16);
    g_assert_cmphex(block_get(rig, 0x640), ==, 0x100001000);
    rig_free(rig);
    rig = new_guest("\x0f\x0b", 2);
    rig_put(rig, BLOCK + 8, 1u << X86_EXC_UD, 4);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_EXCEPTION + X86_EXC_UD);
    rig_free(rig);
    rig = new_guest("\xcc", 1);
    rig_put(rig, BLOCK + 8, 1u << X86_EXC_BP, 4);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_EXCEPTION + X86_EXC_BP);
    rig_free(rig);
    /* a fault met while another was being delivered tells of that one */
    rig = new_guest("\x0f\x0b", 2);
    rig_put(rig, GUEST_IDT + X86_EXC_UD * 16 + 5, 0x6e, 1); /* gate not present: #NP */
    rig_put(rig, BLOCK + 8, 1u << X86_EXC_NP, 4);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_EXCEPTION + X86_EXC_NP);
    g_assert_cmphex(block_get(rig, 0x88), ==, 0x80000300 | X86_EXC_UD);
    rig_free(rig);
    /* no table at all: triple fault */
    rig = new_guest("\x0f\x0b", 2);
    rig_put(rig, BLOCK + 0x484, 0, 4);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_SHUTDOWN);
    rig_free(rig);
}

static void
test_injection(void)
{
    static const struct {
        uint64_t word;
        bool pushes_error;
    } rows[] = {
        { 0x80000000 | 0x55, false },       { 0x80000200 | X86_EXC_NMI, false },
        { 0x80000300 | X86_EXC_UD, false }, { 0x80000b00ull | X86_EXC_GP | 0x77ull << 32, true },
        { 0x80000400 | 0x80, false },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(rows); i++) {
        Rig *rig = new_guest("\x90", 1);
        rig_put(rig, BLOCK + 8, UINT32_MAX, 4); /* what is injected is not intercepted */
        rig_put(rig, BLOCK + 0xa8, rows[i].word, 8);
        g_assert_cmphex(run(rig), ==, SVM_EXIT_VMMCALL);
        g_assert_cmphex(block_get(rig, 0x578), ==, GUEST_HANDLER + (rows[i].word & 0xff) * 16);
        uint64_t rsp = block_get(rig, 0x5d8);
        g_assert_cmphex(rsp, ==, GUEST_STACK - (rows[i].pushes_error ? 48 : 40));
        if (rows[i].pushes_error) {
            g_assert_cmphex(rig_get(rig, rsp, 8), ==, 0x77);
        }
        g_assert_cmphex(rig_get(rig, rsp + (rows[i].pushes_error ? 8 : 0), 8), ==, GUEST_CODE);
        g_assert_cmphex(block_get(rig, 0xa8), ==, 0);
        rig_free(rig);
    }
}

static void
test_interrupts(void)
{
    /* intercepted: at once, even with the guest's IF clear where the host's decides */
    Rig *rig = new_guest("\x90\x90\x90", 3);
    intercept(rig, SVM_EXIT_INTR);
    rig_put(rig, BLOCK + 0x60, 1u << 24, 8);
    rig->core->s.rflags |= X86_FLAG_IF;
    rig->core->s.svm.interrupts_off = true; /* as a hypervisor does before VMRUN */
    vit_cpu_raise(&rig->cpu, VIT_CPU_EVENT_INTR);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_INTR);
    g_assert_cmphex(block_get(rig, 0x578), ==, GUEST_CODE);
    rig_free(rig);
    /* the guest's own IF decides without masking */
    rig = new_guest("\x90\xfb\x90\x90", 4);
    intercept(rig, SVM_EXIT_INTR);
    rig->core->s.svm.interrupts_off = true;
    vit_cpu_raise(&rig->cpu, VIT_CPU_EVENT_INTR);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_INTR);
    g_assert_cmphex(block_get(rig, 0x578), ==, GUEST_CODE + 3); /* behind the shadow of STI */
    rig_free(rig);
    rig = new_guest("\x90", 1);
    intercept(rig, SVM_EXIT_NMI);
    rig->core->s.svm.interrupts_off = true;
    vit_cpu_raise(&rig->cpu, VIT_CPU_EVENT_NMI);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_NMI);
    g_assert_cmphex(vit_cpu_events(&rig->cpu) & VIT_CPU_EVENT_NMI, !=, 0); /* still pending */
    rig_free(rig);
    /* a virtual interrupt goes to the guest when it allows */
    rig = new_guest("\x90\xfb\x90\x90", 4);
    rig_put(rig, BLOCK + 0x60, 1u << 8 | 1u << 20 | 1u << 24 | 0x66ull << 32, 8);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_VMMCALL);
    g_assert_cmphex(block_get(rig, 0x578), ==, GUEST_HANDLER + 0x66 * 16);
    g_assert_cmphex(block_get(rig, 0x60) & 1u << 8, ==, 0);
    rig_free(rig);
    /* or is intercepted, and stays */
    rig = new_guest("\x90\xfb\x90\x90", 4);
    intercept(rig, SVM_EXIT_VINTR);
    rig_put(rig, BLOCK + 0x60, 1u << 8 | 1u << 20 | 1u << 24 | 0x66ull << 32, 8);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_VINTR);
    g_assert_cmphex(block_get(rig, 0x60) & 1u << 8, !=, 0);
    rig_free(rig);
    /* priority not above the guest's TPR: waits; CR8 is the virtual one */
    rig = new_guest("\xfb\xb8\x05\x00\x00\x00\x44\x0f\x22\xc0\x90", 11); /* mov cr8, rax */
    rig_put(rig, BLOCK + 0x60, 8u | 1u << 8 | 5u << 16 | 1u << 24 | 0x66ull << 32, 8);
    rig->cr8 = 3;
    g_assert_cmphex(run(rig), ==, SVM_EXIT_VMMCALL);
    g_assert_cmphex(block_get(rig, 0x578), ==, GUEST_CODE + 11);
    g_assert_cmphex(block_get(rig, 0x60) & 0xff, ==, 5);
    g_assert_cmphex(rig->cr8, ==, 3);
    rig_free(rig);
}

static void
test_tsc_offset(void)
{
    Rig *rig = new_guest("\x0f\x31\x48\xc1\xe2\x20\x48\x09\xd0", 9); /* rax = TSC */
    rig_put(rig, BLOCK + 0x50, 1ull << 50, 8);
    uint64_t before = x86_tsc(rig->core);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_VMMCALL);
    g_assert_cmphex(block_get(rig, 0x5f8), >=, before + (1ull << 50));
    g_assert_cmphex(x86_tsc(rig->core), <, 1ull << 49);
    rig_free(rig);
}

/* ---- Nested paging ---- */

/* Nested tables that map guest-physical 0 to 8 MiB one to one in 4 KiB pages. */
static void
build_nested(Rig *rig)
{
    enum { ALL = 7 };

    memset(rig_ram(rig, NESTED_TABLES), 0, 0x10000);
    rig_put(rig, NESTED_TABLES, (NESTED_TABLES + 0x1000) | ALL, 8);
    rig_put(rig, NESTED_TABLES + 0x1000, (NESTED_TABLES + 0x2000) | ALL, 8);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t table = NESTED_TABLES + 0x3000 + i * 0x1000;
        rig_put(rig, NESTED_TABLES + 0x2000 + i * 8, table | ALL, 8);
        for (unsigned page = 0; page < 512; page++) {
            rig_put(rig, table + page * 8, (i << 21 | page << 12) | ALL, 8);
        }
    }
    rig_put(rig, BLOCK + 0x90, 1, 8);
    rig_put(rig, BLOCK + 0xb0, NESTED_TABLES, 8);
    rig_put(rig, BLOCK + 0x668, 0x0007040600070406, 8);
}

static uint64_t
nested_entry(uint64_t guest_physical)
{
    return NESTED_TABLES + 0x3000 + (guest_physical >> 12) * 8;
}

static void
test_nested_paging(void)
{
    /* mov eax, [0x600010]; mov [0x601020], eax */
    static const char code[] = "\x8b\x04\x25\x10\x00\x60\x00\x89\x04\x25\x20\x10\x60\x00";
    static const struct {
        uint64_t page, entry; /* what the entry of a page becomes */
        uint64_t exit, info1, info2;
    } rows[] = {
        { 0x600000, 0x600007, SVM_EXIT_VMMCALL, 0, 0 },
        { 0x600000, 0, SVM_EXIT_NESTED_PAGE, 1ull << 32 | 4, 0x600010 },
        { 0x600000, 0x600003, SVM_EXIT_NESTED_PAGE, 1ull << 32 | 5, 0x600010 }, /* not user */
        { 0x601000, 0x601005, SVM_EXIT_NESTED_PAGE, 1ull << 32 | 7, 0x601020 }, /* read only */
        { 0x601000, 1ull << 51 | 0x601007, SVM_EXIT_NESTED_PAGE, 1ull << 32 | 15, 0x601020 },
        /* the guest's own tables: walks count as writes */
        { 0x100000, 0x100005, SVM_EXIT_NESTED_PAGE, 1ull << 33 | 7, 0x100000 },
        { 0x400000, 1ull << 63 | 0x400007, SVM_EXIT_NESTED_PAGE, 1ull << 32 | 21, 0x400000 },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(rows); i++) {
        Rig *rig = new_guest(code, 14);
        g_assert_true(x86_msr_write(rig->core, 0xc0000080, rig->core->s.efer | X86_EFER_NXE));
        build_nested(rig);
        rig_put(rig, nested_entry(rows[i].page), rows[i].entry, 8);
        rig_put(rig, 0x600010, 0xabcd, 4);
        uint64_t exit = run(rig);
        if (exit != rows[i].exit ||
            (exit == SVM_EXIT_NESTED_PAGE &&
             (block_get(rig, 0x78) != rows[i].info1 || block_get(rig, 0x80) != rows[i].info2))) {
            g_error("row %u: exit %" G_GINT64_MODIFIER "x %" G_GINT64_MODIFIER
                    "x %" G_GINT64_MODIFIER "x",
                    i, exit, block_get(rig, 0x78), block_get(rig, 0x80));
        }
        if (exit == SVM_EXIT_VMMCALL) {
            g_assert_cmphex(rig_get(rig, 0x601020, 4), ==, 0xabcd);
            /* accessed, and dirty where written */
            g_assert_cmphex(rig_get(rig, nested_entry(0x600000), 1) & 0x60, ==, 0x20);
            g_assert_cmphex(rig_get(rig, nested_entry(0x601000), 1) & 0x60, ==, 0x60);
        }
        rig_free(rig);
    }
    /* elsewhere: what the guest calls 0x600000 is 0x700000 */
    Rig *rig = new_guest(code, 14);
    build_nested(rig);
    rig_put(rig, nested_entry(0x600000), 0x700007, 8);
    rig_put(rig, 0x700010, 0x5678, 4);
    g_assert_cmphex(run(rig), ==, SVM_EXIT_VMMCALL);
    g_assert_cmphex(rig_get(rig, 0x601020, 4), ==, 0x5678);
    rig_free(rig);
}

/* ---- Refusals ---- */

static void
test_refusals(void)
{
    static const struct {
        unsigned place;
        uint64_t clear, set;
    } rows[] = {
        { 0x4d0, X86_EFER_SVME, 0 }, { 0x58, 0xffffffff, 0 },           { 0x10, 1, 0 },
        { 0x558, 0, 1ull << 40 },    { 0x558, X86_CR0_CD, X86_CR0_NW }, { 0x560, 0, 1ull << 32 },
        { 0x568, 0, 1ull << 33 },    { 0x548, 0, 1ull << 63 },          { 0x548, X86_CR4_PAE, 0 },
        { 0xa8, 0, 0x80000100 },     { 0xa8, 0, 0x80000320 },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(rows); i++) {
        Rig *rig = new_guest("\x90", 1);
        rig_put(rig, BLOCK + rows[i].place,
                (block_get(rig, rows[i].place) & ~rows[i].clear) | rows[i].set, 8);
        uint64_t code = run(rig);
        if (code != SVM_EXIT_INVALID) {
            g_error("row %u: exit %" G_GINT64_MODIFIER "x", i, code);
        }
        rig_free(rig);
    }
    /* without EFER.SVME, outside the kernel, at a bad address */
    Rig *rig = new_guest("\x90", 1);
    X86Insn insn = { .address_size = 8 };
    rig->core->s.gpr[X86_RAX] = BLOCK + 8;
    g_assert_cmpint(RIG_FAULT(rig, x86_exec_vmrun(rig->core, &insn)), ==, X86_EXC_GP);
    rig->core->s.gpr[X86_RAX] = 1ull << 60;
    g_assert_cmpint(RIG_FAULT(rig, x86_exec_vmload(rig->core, &insn)), ==, X86_EXC_GP);
    rig->core->s.cpl = 3;
    g_assert_cmpint(RIG_FAULT(rig, x86_exec_vmrun(rig->core, &insn)), ==, X86_EXC_GP);
    rig->core->s.cpl = 0;
    rig->core->s.efer &= ~(uint64_t)X86_EFER_SVME;
    g_assert_cmpint(RIG_FAULT(rig, x86_exec_vmrun(rig->core, &insn)), ==, X86_EXC_UD);
    g_assert_cmpint(RIG_FAULT(rig, x86_exec_stgi(rig->core, &insn)), ==, X86_EXC_UD);
    g_assert_cmpint(RIG_FAULT(rig, x86_exec_vmmcall(rig->core, &insn)), ==, X86_EXC_UD);
    rig_free(rig);
}

static void
test_load_save(void)
{
    Rig *rig = new_guest("\x90", 1);
    X86State *s = &rig->core->s;
    X86Insn insn = { .address_size = 8 };

    s->seg[X86_FS] =
        (X86Segment){ 0x33, X86_SEG_P | X86_SEG_S | X86_SEG_DB | 0x300, 0xfffff, 0x1234 };
    s->kernel_gs_base = 0xffff800000001000;
    s->lstar = 0xffff800000002000;
    s->sysenter_esp = 0x77;
    X86Segment fs = s->seg[X86_FS];
    s->gpr[X86_RAX] = BLOCK;
    g_assert_cmpint(RIG_FAULT(rig, x86_exec_vmsave(rig->core, &insn)), ==, -1);
    g_assert_cmphex(block_get(rig, 0x608), ==, 0xffff800000002000);
    memset(&s->seg[X86_FS], 0, sizeof(fs));
    s->kernel_gs_base = s->lstar = s->sysenter_esp = 0;
    g_assert_cmpint(RIG_FAULT(rig, x86_exec_vmload(rig->core, &insn)), ==, -1);
    g_assert_cmpmem(&s->seg[X86_FS], sizeof(fs), &fs, sizeof(fs));
    g_assert_cmphex(s->kernel_gs_base, ==, 0xffff800000001000);
    g_assert_cmphex(s->lstar, ==, 0xffff800000002000);
    g_assert_cmphex(s->sysenter_esp, ==, 0x77);
    rig_free(rig);
}

static void
test_global_interrupt_flag(void)
{
    Rig *rig = new_guest("\x90", 1);
    X86State *s = &rig->core->s;
    VitCpuExit reason;
    static const uint8_t code[] = { 0x0f, 0x01, 0xdd, 0x90, 0x90, 0x0f, 0x01, 0xdc, 0x90 };

    memcpy(rig_ram(rig, HOST_CODE), code, sizeof(code)); /* clgi; nop; nop; stgi; nop */
    s->idtr = (X86TableReg){ GUEST_IDT, 0xfff };
    s->rflags |= X86_FLAG_IF;
    g_assert_true(x86_interp_step(rig->core, &reason));
    rig->pending_vector = 0x44;
    vit_cpu_raise(&rig->cpu, VIT_CPU_EVENT_INTR | VIT_CPU_EVENT_NMI);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_true(x86_interp_step(rig->core, &reason));
    }
    g_assert_cmphex(s->rip, ==, HOST_CODE + 8); /* nothing was taken */
    g_assert_true(x86_interp_step(rig->core, &reason));
    g_assert_cmphex(s->rip, >=, GUEST_HANDLER);
    rig_free(rig);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/svm/instructions", test_instructions);
    g_test_add_func("/svm/registers", test_registers);
    g_test_add_func("/svm/msr-map", test_msr_map);
    g_test_add_func("/svm/io-map", test_io_map);
    g_test_add_func("/svm/exceptions", test_exceptions);
    g_test_add_func("/svm/injection", test_injection);
    g_test_add_func("/svm/interrupts", test_interrupts);
    g_test_add_func("/svm/tsc-offset", test_tsc_offset);
    g_test_add_func("/svm/nested-paging", test_nested_paging);
    g_test_add_func("/svm/refusals", test_refusals);
    g_test_add_func("/svm/load-save", test_load_save);
    g_test_add_func("/svm/global-interrupt-flag", test_global_interrupt_flag);
    return g_test_run();
}
