/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Registers for the debugger: one table, from which numbers, values and the target description
 * follow. Names and features are those that GDB knows ("Debugging with GDB", Standard Target
 * Features, i386 Features); what it does not know is in a feature of our own,
 * org.vitrine.i386.system.
 *
 * Segment registers: outside real mode a selector is taken as it is, its hidden part is not
 * reloaded. Thread: the machine's, the CPU parked. */

#include "gdb-regs.h"

#include <string.h>

typedef enum Kind {
    GENERAL,
    IP,
    FLAGS,
    SELECTOR,
    X87,
    X87_CONTROL,
    XMM,
    XMM_CONTROL,
    YMM_HIGH,
    BASE,
    WORD, /* a field of X86State of `bytes` bytes at `index` */
    TABLE_LIMIT,
    PKEYS,
} Kind;

/* In which descriptions a row is. */
enum { IN_32 = 1, IN_64 = 2, IN_BOTH = 3 };

typedef struct Row {
    const char *name, *type;
    uint8_t bytes;
    uint8_t in;
    Kind kind;
    uint16_t index;
    const char *group; /* a register group of GDB's, or NULL */
} Row;

typedef struct Feature {
    const char *name;
    const char *types; /* XML of what `type` above names */
    const Row *rows;   /* ends with a NULL name */
} Feature;

#define GPR64(Name, Index)                            \
    {                                                 \
        Name, "int64", 8, IN_64, GENERAL, Index, NULL \
    }
#define GPR32(Name, Index)                            \
    {                                                 \
        Name, "int32", 4, IN_32, GENERAL, Index, NULL \
    }
#define SEG(Name, Index)                                 \
    {                                                    \
        Name, "int32", 4, IN_BOTH, SELECTOR, Index, NULL \
    }
#define ST(Number)                                               \
    {                                                            \
        "st" #Number, "i387_ext", 10, IN_BOTH, X87, Number, NULL \
    }
#define X87_WORD(Name, Index)                                \
    {                                                        \
        Name, "int", 4, IN_BOTH, X87_CONTROL, Index, "float" \
    }

static const Row core_rows[] = {
    GPR64("rax", X86_RAX),
    GPR64("rbx", X86_RBX),
    GPR64("rcx", X86_RCX),
    GPR64("rdx", X86_RDX),
    GPR64("rsi", X86_RSI),
    GPR64("rdi", X86_RDI),
    { "rbp", "data_ptr", 8, IN_64, GENERAL, X86_RBP, NULL },
    { "rsp", "data_ptr", 8, IN_64, GENERAL, X86_RSP, NULL },
    GPR64("r8", X86_R8),
    GPR64("r9", X86_R9),
    GPR64("r10", X86_R10),
    GPR64("r11", X86_R11),
    GPR64("r12", X86_R12),
    GPR64("r13", X86_R13),
    GPR64("r14", X86_R14),
    GPR64("r15", X86_R15),
    { "rip", "code_ptr", 8, IN_64, IP, 0, NULL },
    GPR32("eax", X86_RAX),
    GPR32("ecx", X86_RCX),
    GPR32("edx", X86_RDX),
    GPR32("ebx", X86_RBX),
    { "esp", "data_ptr", 4, IN_32, GENERAL, X86_RSP, NULL },
    { "ebp", "data_ptr", 4, IN_32, GENERAL, X86_RBP, NULL },
    GPR32("esi", X86_RSI),
    GPR32("edi", X86_RDI),
    { "eip", "code_ptr", 4, IN_32, IP, 0, NULL },
    { "eflags", "x86_eflags", 4, IN_BOTH, FLAGS, 0, NULL },
    SEG("cs", X86_CS),
    SEG("ss", X86_SS),
    SEG("ds", X86_DS),
    SEG("es", X86_ES),
    SEG("fs", X86_FS),
    SEG("gs", X86_GS),
    ST(0),
    ST(1),
    ST(2),
    ST(3),
    ST(4),
    ST(5),
    ST(6),
    ST(7),
    X87_WORD("fctrl", 0),
    X87_WORD("fstat", 1),
    X87_WORD("ftag", 2),
    X87_WORD("fiseg", 3),
    X87_WORD("fioff", 4),
    X87_WORD("foseg", 5),
    X87_WORD("fooff", 6),
    X87_WORD("fop", 7),
    { 0 },
};

#define XMM8(Number, In)                                   \
    {                                                      \
        "xmm" #Number, "vec128", 16, In, XMM, Number, NULL \
    }
static const Row sse_rows[] = {
    XMM8(0, IN_BOTH),
    XMM8(1, IN_BOTH),
    XMM8(2, IN_BOTH),
    XMM8(3, IN_BOTH),
    XMM8(4, IN_BOTH),
    XMM8(5, IN_BOTH),
    XMM8(6, IN_BOTH),
    XMM8(7, IN_BOTH),
    XMM8(8, IN_64),
    XMM8(9, IN_64),
    XMM8(10, IN_64),
    XMM8(11, IN_64),
    XMM8(12, IN_64),
    XMM8(13, IN_64),
    XMM8(14, IN_64),
    XMM8(15, IN_64),
    { "mxcsr", "x86_mxcsr", 4, IN_BOTH, XMM_CONTROL, 0, "vector" },
    { 0 },
};

#define YMMH(Number, In)                                             \
    {                                                                \
        "ymm" #Number "h", "uint128", 16, In, YMM_HIGH, Number, NULL \
    }
static const Row avx_rows[] = {
    YMMH(0, IN_BOTH),
    YMMH(1, IN_BOTH),
    YMMH(2, IN_BOTH),
    YMMH(3, IN_BOTH),
    YMMH(4, IN_BOTH),
    YMMH(5, IN_BOTH),
    YMMH(6, IN_BOTH),
    YMMH(7, IN_BOTH),
    YMMH(8, IN_64),
    YMMH(9, IN_64),
    YMMH(10, IN_64),
    YMMH(11, IN_64),
    YMMH(12, IN_64),
    YMMH(13, IN_64),
    YMMH(14, IN_64),
    YMMH(15, IN_64),
    { 0 },
};

static const Row segment_rows[] = {
    { "fs_base", "int64", 8, IN_64, BASE, X86_FS, NULL },
    { "gs_base", "int64", 8, IN_64, BASE, X86_GS, NULL },
    { 0 },
};

#define FIELD(Name, Type, Member)                                          \
    {                                                                      \
        Name, Type, 8, IN_BOTH, WORD, offsetof(X86State, Member), "system" \
    }
#define SEGMENT_BASE(Name, Index)                        \
    {                                                    \
        Name, "int64", 8, IN_BOTH, BASE, Index, "system" \
    }
#define SYSTEM_SEGMENT(Name, Member)                                                   \
    {                                                                                  \
        Name, "int32", 2, IN_BOTH, WORD, offsetof(X86State, Member.selector), "system" \
    }
static const Row system_rows[] = {
    FIELD("k_gs_base", "int64", kernel_gs_base),
    FIELD("cr0", "x86_cr0", cr0),
    FIELD("cr2", "data_ptr", cr2),
    FIELD("cr3", "int64", cr3),
    FIELD("cr4", "x86_cr4", cr4),
    FIELD("efer", "x86_efer", efer),
    FIELD("xcr0", "int64", xcr0),
    FIELD("dr0", "int64", dr[0]),
    FIELD("dr1", "int64", dr[1]),
    FIELD("dr2", "int64", dr[2]),
    FIELD("dr3", "int64", dr[3]),
    FIELD("dr6", "int64", dr[6]),
    FIELD("dr7", "int64", dr[7]),
    SEGMENT_BASE("cs_base", X86_CS),
    SEGMENT_BASE("ss_base", X86_SS),
    SEGMENT_BASE("ds_base", X86_DS),
    SEGMENT_BASE("es_base", X86_ES),
    { "fs_base", "int64", 8, IN_32, BASE, X86_FS, "system" },
    { "gs_base", "int64", 8, IN_32, BASE, X86_GS, "system" },
    SYSTEM_SEGMENT("ldtr", ldtr),
    SYSTEM_SEGMENT("tr", tr),
    FIELD("gdt_base", "int64", gdtr.base),
    { "gdt_limit", "int32", 4, IN_BOTH, WORD, offsetof(X86State, gdtr.limit), "system" },
    FIELD("idt_base", "int64", idtr.base),
    { "idt_limit", "int32", 4, IN_BOTH, WORD, offsetof(X86State, idtr.limit), "system" },
    { 0 },
};

#define FLAG(Name, Bit) "<field name=\"" Name "\" start=\"" #Bit "\" end=\"" #Bit "\"/>"
static const char core_types[] = "<flags id=\"x86_eflags\" size=\"4\">" FLAG("CF", 0) FLAG("PF", 2)
    FLAG("AF", 4) FLAG("ZF", 6) FLAG("SF", 7) FLAG("TF", 8) FLAG("IF", 9) FLAG("DF", 10)
        FLAG("OF", 11) FLAG("NT", 14) FLAG("RF", 16) FLAG("VM", 17) FLAG("AC", 18) FLAG("VIF", 19)
            FLAG("VIP", 20) FLAG("ID", 21) "</flags>";
static const char sse_types[] =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
    "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
    "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
    "<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
    "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>"
    "<flags id=\"x86_mxcsr\" size=\"4\">" FLAG("IE", 0) FLAG("DE", 1) FLAG("ZE", 2) FLAG("OE", 3)
        FLAG("UE", 4) FLAG("PE", 5) FLAG("DAZ", 6) FLAG("IM", 7) FLAG("DM", 8) FLAG("ZM", 9)
            FLAG("OM", 10) FLAG("UM", 11) FLAG("PM", 12) FLAG("FZ", 15) "</flags>";
static const char system_types[] =
    "<flags id=\"x86_cr0\" size=\"8\">" FLAG("PE", 0) FLAG("MP", 1) FLAG("EM", 2) FLAG("TS", 3)
        FLAG("ET", 4) FLAG("NE", 5) FLAG("WP", 16) FLAG("AM", 18) FLAG("NW", 29) FLAG("CD", 30)
            FLAG("PG", 31) "</flags>"
                           "<flags id=\"x86_cr4\" size=\"8\">" FLAG("VME", 0) FLAG("PVI", 1) FLAG(
                               "TSD", 2) FLAG("DE", 3) FLAG("PSE", 4) FLAG("PAE", 5) FLAG("MCE", 6)
                               FLAG("PGE", 7) FLAG("PCE", 8) FLAG("OSFXSR", 9)
                                   FLAG("OSXMMEXCPT", 10) FLAG("UMIP", 11) FLAG("LA57", 12)
                                       FLAG("FSGSBASE", 16) FLAG("PCIDE", 17) FLAG("OSXSAVE", 18)
                                           FLAG("SMEP", 20) FLAG("SMAP", 21)
                                               FLAG("PKE",
                                                    22) "</flags>"
                                                        "<flags id=\"x86_efer\" size=\"8\">" FLAG(
                                                            "SCE", 0) FLAG("LME", 8) FLAG("LMA", 10)
                                                            FLAG("NXE", 11) FLAG("SVME", 12)
                                                                FLAG("FFXSR", 14) "</flags>";

static const Row pkeys_rows[] = {
    { "pkru", "int32", 4, IN_64, PKEYS, 0, NULL },
    { 0 },
};

static const Feature features[] = {
    { "org.gnu.gdb.i386.core", core_types, core_rows },
    { "org.gnu.gdb.i386.sse", sse_types, sse_rows },
    { "org.gnu.gdb.i386.avx", "", avx_rows },
    { "org.gnu.gdb.i386.segments", "", segment_rows },
    { "org.gnu.gdb.i386.pkeys", "", pkeys_rows },
    { "org.vitrine.i386.system", system_types, system_rows },
};

/* ---- Numbers ---- */

static bool
feature_is_in(const Feature *feature, unsigned in)
{
    return feature->rows != segment_rows && feature->rows != pkeys_rows ? true : in == IN_64;
}

static const Row *
find_row(bool has_long_mode, unsigned number)
{
    unsigned in = has_long_mode ? IN_64 : IN_32;

    for (unsigned i = 0; i < G_N_ELEMENTS(features); i++) {
        for (const Row *row = features[i].rows; row->name; row++) {
            if ((row->in & in) && number-- == 0) {
                return row;
            }
        }
    }
    return NULL;
}

unsigned
gdb_regs_count(bool has_long_mode)
{
    unsigned count = 0;

    while (find_row(has_long_mode, count)) {
        count++;
    }
    return count;
}

unsigned
gdb_regs_size(bool has_long_mode, unsigned number)
{
    const Row *row = find_row(has_long_mode, number);

    return row ? row->bytes : 0;
}

/* ---- Values ---- */

/* Two bits per register, by physical number, out of the abridged word. */
static uint16_t
full_tag_word(const X86Fpu *fpu)
{
    unsigned top = fpu->fsw >> 11 & 7;
    uint16_t word = 0;

    for (unsigned i = 0; i < 8; i++) {
        unsigned exponent = fpu->st[(i - top) & 7].sign_exponent & 0x7fff, tag;
        uint64_t mantissa = fpu->st[(i - top) & 7].mantissa;

        if (!(fpu->ftw >> i & 1)) {
            tag = 3;
        } else if (exponent == 0 && mantissa == 0) {
            tag = 1;
        } else {
            tag = exponent == 0 || exponent == 0x7fff || !(mantissa >> 63) ? 2 : 0;
        }
        word |= (uint16_t)(tag << (2 * i));
    }
    return word;
}

static uint32_t
read_x87_control(const X86Fpu *fpu, unsigned index)
{
    switch (index) {
    case 0: return fpu->fcw;
    case 1: return fpu->fsw;
    case 2: return full_tag_word(fpu);
    case 3: return fpu->fcs;
    case 4: return (uint32_t)fpu->fip;
    case 5: return fpu->fds;
    case 6: return (uint32_t)fpu->fdp;
    default: return fpu->fop;
    }
}

static void
write_x87_control(X86Fpu *fpu, unsigned index, uint32_t value)
{
    switch (index) {
    case 0: fpu->fcw = (uint16_t)(value & 0x1f7f); break;
    case 1: fpu->fsw = (uint16_t)value; break;
    case 2:
        fpu->ftw = 0;
        for (unsigned i = 0; i < 8; i++) {
            fpu->ftw |= (uint8_t)((value >> (2 * i) & 3) != 3) << i;
        }
        break;
    case 3: fpu->fcs = (uint16_t)value; break;
    case 4: fpu->fip = (fpu->fip & ~(uint64_t)UINT32_MAX) | value; break;
    case 5: fpu->fds = (uint16_t)value; break;
    case 6: fpu->fdp = (fpu->fdp & ~(uint64_t)UINT32_MAX) | value; break;
    default: fpu->fop = (uint16_t)(value & 0x7ff); break;
    }
}

/* Where a register lies as it is; NULL where it is made up. */
static void *
place_of(X86State *s, const Row *row)
{
    switch (row->kind) {
    case GENERAL: return &s->gpr[row->index];
    case IP: return &s->rip;
    case XMM: return &s->zmm[row->index];
    case YMM_HIGH: return &s->zmm[row->index].u64[2];
    case XMM_CONTROL: return &s->mxcsr;
    case BASE: return &s->seg[row->index].base;
    case WORD: return (char *)s + row->index;
    case PKEYS: return &s->pkru;
    case FLAGS: return &s->rflags;
    default: return NULL;
    }
}

unsigned
gdb_regs_read(const X86State *s, bool has_long_mode, unsigned number,
              uint8_t out_value[GDB_REG_BYTES_MAX])
{
    const Row *row = find_row(has_long_mode, number);
    const void *place;
    uint32_t word;

    if (!row) {
        return 0;
    }
    memset(out_value, 0, GDB_REG_BYTES_MAX);
    place = place_of((X86State *)s, row);
    if (place) {
        memcpy(out_value, place, row->bytes);
        return row->bytes;
    }
    switch (row->kind) {
    case SELECTOR: memcpy(out_value, &s->seg[row->index].selector, 2); break;
    case X87:
        memcpy(out_value, &s->fpu.st[row->index].mantissa, 8);
        memcpy(out_value + 8, &s->fpu.st[row->index].sign_exponent, 2);
        break;
    default:
        word = read_x87_control(&s->fpu, row->index);
        memcpy(out_value, &word, 4);
        break;
    }
    return row->bytes;
}

static void
write_selector(X86State *s, unsigned index, uint16_t selector)
{
    s->seg[index].selector = selector;
    if (x86_real_mode(s) || x86_v8086(s)) {
        s->seg[index].base = (uint32_t)selector << 4;
    }
}

/* What the CPU itself would refuse, or what would leave it in no mode at all, stays. */
static bool
is_read_only(const Row *row)
{
    return row->kind == WORD &&
           (row->index == offsetof(X86State, cr0) || row->index == offsetof(X86State, cr4) ||
            row->index == offsetof(X86State, efer) || row->index == offsetof(X86State, xcr0) ||
            row->index == offsetof(X86State, ldtr.selector) ||
            row->index == offsetof(X86State, tr.selector));
}

unsigned
gdb_regs_write(X86State *s, bool has_long_mode, unsigned number,
               const uint8_t value[GDB_REG_BYTES_MAX])
{
    static const uint32_t flags_writable = X86_FLAGS_ARITH | X86_FLAG_TF | X86_FLAG_IF |
                                           X86_FLAG_DF | X86_FLAG_IOPL | X86_FLAG_NT | X86_FLAG_RF |
                                           X86_FLAG_AC | X86_FLAG_VIF | X86_FLAG_VIP | X86_FLAG_ID;
    const Row *row = find_row(has_long_mode, number);
    uint32_t word;

    if (!row || is_read_only(row)) {
        return row ? row->bytes : 0;
    }
    memcpy(&word, value, 4);
    switch (row->kind) {
    case FLAGS:
        s->rflags = (s->rflags & ~(uint64_t)flags_writable) | (word & flags_writable);
        break;
    case SELECTOR: write_selector(s, row->index, (uint16_t)word); break;
    case X87:
        memcpy(&s->fpu.st[row->index].mantissa, value, 8);
        memcpy(&s->fpu.st[row->index].sign_exponent, value + 8, 2);
        break;
    case X87_CONTROL: write_x87_control(&s->fpu, row->index, word); break;
    case XMM_CONTROL: s->mxcsr = word & 0xffff; break;
    default:
        if (row->bytes == 4 && (row->kind == GENERAL || row->kind == IP)) {
            *(uint64_t *)place_of(s, row) = word;
        } else {
            memcpy(place_of(s, row), value, row->bytes);
        }
        break;
    }
    return row->bytes;
}

/* ---- The description ---- */

char *
gdb_regs_describe(bool has_long_mode)
{
    unsigned in = has_long_mode ? IN_64 : IN_32, number = 0;
    GString *xml = g_string_new("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
                                "<target version=\"1.0\">");

    g_string_append_printf(xml, "<architecture>%s</architecture>",
                           has_long_mode ? "i386:x86-64" : "i386");
    for (unsigned i = 0; i < G_N_ELEMENTS(features); i++) {
        if (!feature_is_in(&features[i], in)) {
            continue;
        }
        g_string_append_printf(xml, "<feature name=\"%s\">%s", features[i].name, features[i].types);
        for (const Row *row = features[i].rows; row->name; row++) {
            if (!(row->in & in)) {
                continue;
            }
            g_string_append_printf(xml, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"",
                                   row->name, row->bytes * 8u, row->type, number++);
            if (row->group) {
                g_string_append_printf(xml, " group=\"%s\"", row->group);
            }
            g_string_append(xml, "/>");
        }
        g_string_append(xml, "</feature>");
    }
    g_string_append(xml, "</target>");
    return g_string_free(xml, FALSE);
}
