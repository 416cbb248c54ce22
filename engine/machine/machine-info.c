/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* CPU state as text, in the layout users of "info registers" know, and registers by name for
 * monitor expressions. */

#include "machine-monitor.h"

#include "board.h"

#include "vit-error.h"

#include "x86-interp.h"
#include "x86-mmu.h"

#include <inttypes.h>
#include <string.h>

static const char *const gpr_names[16] = { "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                           "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15" };
static const char *const seg_names[X86_SEG_LAST] = { "ES", "CS", "SS", "DS", "FS", "GS" };
/* the order in which people expect them */
static const uint8_t gpr_order[16] = { 0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15 };

static const X86State *
state_of(Machine *machine, unsigned cpu)
{
    return machine->vcpus[cpu].cpu.state;
}

static void
dump_segment(GString *out, const char *name, const X86Segment *segment, bool wide)
{
    g_string_append_printf(
        out, wide ? "%s =%04x %016" PRIx64 " %08x %08x\n" : "%s =%04x %08" PRIx64 " %08x %08x\n",
        name, segment->selector, segment->base, segment->limit, segment->attr);
}

static void
dump_general(const X86State *s, GString *out, bool wide)
{
    if (wide) {
        for (unsigned i = 0; i < 16; i++) {
            unsigned n = gpr_order[i];
            g_string_append_printf(out, "%s=%016" PRIx64 "%c", gpr_names[n], s->gpr[n],
                                   i % 4 == 3 ? '\n' : ' ');
        }
    } else {
        for (unsigned i = 0; i < 8; i++) {
            unsigned n = gpr_order[i];
            g_string_append_printf(out, "E%.2s=%08x%c", gpr_names[n] + 1, (uint32_t)s->gpr[n],
                                   i % 4 == 3 ? '\n' : ' ');
        }
    }
    g_string_append_printf(out,
                           wide ? "RIP=%016" PRIx64 " RFL=%08x [" : "EIP=%08" PRIx64 " EFL=%08x [",
                           s->rip, (uint32_t)s->rflags);
    g_string_append_printf(out, "%c%c%c%c%c%c%c] CPL=%d II=%d A20=1 SMM=%d HLT=%d\n",
                           s->rflags & X86_FLAG_DF ? 'D' : '-', s->rflags & X86_FLAG_OF ? 'O' : '-',
                           s->rflags & X86_FLAG_SF ? 'S' : '-', s->rflags & X86_FLAG_ZF ? 'Z' : '-',
                           s->rflags & X86_FLAG_AF ? 'A' : '-', s->rflags & X86_FLAG_PF ? 'P' : '-',
                           s->rflags & X86_FLAG_CF ? 'C' : '-', s->cpl, s->interrupt_shadow,
                           s->in_smm, s->activity != X86_ACTIVE);
}

static void
dump_fpu(const X86State *s, GString *out)
{
    g_string_append_printf(out, "FCW=%04x FSW=%04x [ST=%d] FTW=%02x MXCSR=%08x\n", s->fpu.fcw,
                           s->fpu.fsw, s->fpu.fsw >> 11 & 7, s->fpu.ftw, s->mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        g_string_append_printf(out, "FPR%u=%016" PRIx64 " %04x%c", i, s->fpu.st[i].mantissa,
                               s->fpu.st[i].sign_exponent, i % 2 ? '\n' : ' ');
    }
    for (unsigned i = 0; i < 16; i++) {
        g_string_append_printf(out, "XMM%02u=%016" PRIx64 " %016" PRIx64 "%c", i, s->zmm[i].u64[1],
                               s->zmm[i].u64[0], i % 2 ? '\n' : ' ');
    }
}

void
machine_dump_registers_brief(Machine *machine, unsigned cpu, bool with_fpu, GString *out)
{
    const X86State *s = state_of(machine, cpu);
    bool wide = x86_long_mode(s);
    const char *table = wide ? "%s=     %016" PRIx64 " %08x\n" : "%s=     %08" PRIx64 " %08x\n";

    dump_general(s, out, wide);
    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        dump_segment(out, seg_names[i], &s->seg[i], wide);
    }
    dump_segment(out, "LDT", &s->ldtr, wide);
    dump_segment(out, "TR", &s->tr, wide);
    g_string_append_printf(out, table, "GDT", s->gdtr.base, s->gdtr.limit);
    g_string_append_printf(out, table, "IDT", s->idtr.base, s->idtr.limit);
    g_string_append_printf(out, "CR0=%08x CR2=%016" PRIx64 " CR3=%016" PRIx64 " CR4=%08x\n",
                           (uint32_t)s->cr0, s->cr2, s->cr3, (uint32_t)s->cr4);
    g_string_append_printf(out,
                           "DR0=%016" PRIx64 " DR1=%016" PRIx64 " DR2=%016" PRIx64
                           " DR3=%016" PRIx64 "\nDR6=%016" PRIx64 " DR7=%016" PRIx64 "\n",
                           s->dr[0], s->dr[1], s->dr[2], s->dr[3], s->dr[6], s->dr[7]);
    g_string_append_printf(out, "EFER=%016" PRIx64 "\n", s->efer);
    if (with_fpu) {
        dump_fpu(s, out);
    }
}

void
machine_dump_registers(Machine *machine, unsigned cpu, GString *out)
{
    machine_dump_registers_brief(machine, cpu, true, out);
}

bool
machine_get_register(Machine *machine, unsigned cpu, const char *name, uint64_t *out_value)
{
    const X86State *s = state_of(machine, cpu);
    struct {
        const char *name;
        uint64_t value;
    } named[] = {
        { "rip", s->rip },       { "eip", s->rip },   { "pc", s->rip },  { "rflags", s->rflags },
        { "eflags", s->rflags }, { "cr0", s->cr0 },   { "cr2", s->cr2 }, { "cr3", s->cr3 },
        { "cr4", s->cr4 },       { "efer", s->efer },
    };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(named); i++) {
        if (strcmp(named[i].name, name) == 0) {
            *out_value = named[i].value;
            return true;
        }
    }
    for (unsigned i = 0; i < 16; i++) {
        g_autofree char *wide = g_ascii_strdown(gpr_names[i], -1);

        g_strchomp(wide);
        if (strcmp(wide, name) == 0) {
            *out_value = s->gpr[i];
            return true;
        }
        if (i < 8 && name[0] == 'e' && strcmp(wide + 1, name + 1) == 0) {
            *out_value = (uint32_t)s->gpr[i];
            return true;
        }
    }
    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        if (g_ascii_strcasecmp(seg_names[i], name) == 0) {
            *out_value = s->seg[i].selector;
            return true;
        }
    }
    return false;
}

/* ---- "info mem", "info tlb" ---- */

typedef struct Span {
    uint64_t start, end;
    unsigned rights; /* bit 0 writable, bit 1 user */
} Span;

static void
span_print(GString *out, const Span *span)
{
    if (span->end > span->start) {
        g_string_append_printf(out, "%016" PRIx64 "-%016" PRIx64 " %016" PRIx64 " %cr%c\n",
                               span->start, span->end, span->end - span->start,
                               span->rights & 2 ? 'u' : '-', span->rights & 1 ? 'w' : '-');
    }
}

typedef struct WalkPrint {
    Machine *machine;
    GString *out;
    bool each_page; /* "info tlb" */
    Span span;
    unsigned budget; /* lines at most: a guest's tables may be anything */
} WalkPrint;

static void
walk_leaf(WalkPrint *walk, uint64_t linear, uint64_t entry, uint64_t len, unsigned rights)
{
    if (walk->budget == 0) {
        return;
    }
    if (walk->each_page) {
        walk->budget--;
        g_string_append_printf(walk->out, "%016" PRIx64 ": %016" PRIx64 " %c%c%c%c%c%c\n", linear,
                               entry & 0x000ffffffffff000, entry >> 63 ? 'X' : '-',
                               entry & 0x100 ? 'G' : '-', entry & 0x40 ? 'D' : '-',
                               entry & 0x20 ? 'A' : '-', rights & 2 ? 'U' : '-',
                               rights & 1 ? 'W' : '-');
        return;
    }
    if (walk->span.end == linear && walk->span.rights == rights) {
        walk->span.end += len;
        return;
    }
    span_print(walk->out, &walk->span);
    walk->budget--;
    walk->span = (Span){ linear, linear + len, rights };
}

/* LEVEL counts down to 1; entries of ENTRY_BYTES. */
static void
walk_table(WalkPrint *walk, uint64_t table, unsigned level, unsigned entry_bytes, uint64_t linear,
           unsigned rights, bool pse)
{
    unsigned bits = entry_bytes == 8 ? 9 : 10;
    unsigned shift = 12 + (level - 1) * bits;

    for (unsigned i = 0; i < 1u << bits && walk->budget; i++) {
        VitAddressSpace *memory = walk->machine->platform.memory;
        uint64_t at = table + (uint64_t)i * entry_bytes;
        uint64_t entry = entry_bytes == 8 ? vit_dma_read64(memory, at) : vit_dma_read32(memory, at);
        uint64_t here = linear + ((uint64_t)i << shift);
        unsigned now = rights & (entry >> 1 & 3);

        if (!(entry & 1)) {
            continue;
        }
        if (entry_bytes == 8 && level >= 4 && here >> 47 & 1) {
            here |= 0xffff000000000000;
        }
        if (level == 1 || (level <= 3 && (entry & 0x80) && (entry_bytes == 8 || pse))) {
            walk_leaf(walk, here, entry, 1ull << shift, now);
        } else {
            walk_table(walk, entry & (entry_bytes == 8 ? 0x000ffffffffff000 : 0xfffff000),
                       level - 1, entry_bytes, here, now, pse);
        }
    }
}

static void
info_mappings(Machine *machine, unsigned cpu, GString *out, bool each_page)
{
    const X86State *s = state_of(machine, cpu);
    WalkPrint walk = { machine, out, each_page, { 0 }, 4096 };
    bool pse = s->cr4 & X86_CR4_PSE;

    if (!(s->cr0 & X86_CR0_PG)) {
        g_string_append(out, "PG disabled\n");
        return;
    }
    if (x86_long_mode(s)) {
        walk_table(&walk, s->cr3 & 0x000ffffffffff000, s->cr4 & X86_CR4_LA57 ? 5 : 4, 8, 0, 3,
                   true);
    } else if (s->cr4 & X86_CR4_PAE) {
        for (unsigned i = 0; i < 4; i++) {
            uint64_t entry =
                vit_dma_read64(machine->platform.memory, (s->cr3 & 0xffffffe0) + i * 8);
            if (entry & 1) {
                walk_table(&walk, entry & 0x000ffffffffff000, 2, 8, (uint64_t)i << 30, 3, true);
            }
        }
    } else {
        walk_table(&walk, s->cr3 & 0xfffff000, 2, 4, 0, 3, pse);
    }
    span_print(out, &walk.span);
}

/* Devices that describe themselves: "info pic", "info lapic". */
static bool
describe_kinds(Machine *machine, const char *const *kinds, GString *out)
{
    bool found = false;

    for (guint i = 0; i < machine->devices->len; i++) {
        VitDevice *dev = machine->devices->pdata[i];

        if (dev->kind->describe && g_strv_contains(kinds, dev->kind->name)) {
            g_string_append_printf(out, "%s:\n", dev->path);
            dev->kind->describe(dev, out);
            found = true;
        }
    }
    return found;
}

static bool
info_jit(Machine *machine, GString *out, GError **error)
{
    if (!machine->tcg) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE,
                    "JIT information is only available with the "
                    "translator: accel=tcg");
        return false;
    }
    vit_tcg_print_statistics(machine->tcg, out);
    return true;
}

bool
machine_info(Machine *machine, const char *topic, unsigned cpu, GString *out, GError **error)
{
    static const char *const pics[] = { "i8259", "ioapic", NULL };
    static const char *const lapics[] = { "lapic", NULL };

    if (strcmp(topic, "mem") == 0 || strcmp(topic, "tlb") == 0) {
        info_mappings(machine, cpu, out, topic[0] == 't');
        return true;
    }
    if ((strcmp(topic, "pic") == 0 || strcmp(topic, "irq") == 0) &&
        describe_kinds(machine, pics, out)) {
        return true;
    }
    if (strcmp(topic, "jit") == 0) {
        return info_jit(machine, out, error);
    }
    if (strcmp(topic, "lapic") == 0 && describe_kinds(machine, lapics, out)) {
        return true;
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "this machine has no information on %s",
                topic);
    return false;
}
