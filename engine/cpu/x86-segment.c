/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Descriptors and segment registers.
 *
 * Intel SDM volume 3 chapters 3.4, 3.5 (descriptors), 5.4 to 5.7 (checks on loading), 21.2 (v8086
 * bases), volume 2 MOV, LLDT, LTR, LAR, LSL, VERR, ARPL; volume 3 table 3-2 and 3-1.
 * Real-mode loads keep limit and type ("unreal mode"), as processors do.
 * Thread: the CPU's own. */

#include "x86-system.h"

/* ---- Descriptors ---- */

bool
x86_desc_read(X86Core *core, uint16_t selector, unsigned len, X86Descriptor *out)
{
    const X86State *s = &core->s;
    uint64_t base = s->gdtr.base;
    uint32_t limit = s->gdtr.limit;
    unsigned offset = selector & 0xfff8;

    if (selector & 4) {
        if (!(s->ldtr.attr & X86_SEG_P)) {
            return false;
        }
        base = s->ldtr.base;
        limit = s->ldtr.limit;
    }
    if (offset + len - 1 > limit) {
        return false;
    }
    uint64_t value = x86_read_system(core, base + offset, 8);
    out->selector = selector;
    out->address = base + offset;
    out->low = value;
    out->high = value >> 32;
    out->upper = 0;
    if (len == 16) {
        value = x86_read_system(core, base + offset + 8, 8);
        out->upper = value;
        /* the second half must not look like a descriptor of its own */
        if (value >> 40 & 0x1f) {
            return false;
        }
    }
    return true;
}

X86Segment
x86_desc_segment(const X86Descriptor *desc)
{
    uint32_t limit = (desc->low & 0xffff) | (desc->high & 0xf0000);

    return (X86Segment){
        .selector = desc->selector,
        .attr = desc->high & 0x00f0ff00,
        .limit = desc->high & X86_SEG_G ? limit << 12 | 0xfff : limit,
        .base = (uint64_t)desc->upper << 32 | (desc->high & 0xff000000) |
                (desc->high & 0xff) << 16 | desc->low >> 16,
    };
}

/* Sets (or clears) bits in the high doubleword in memory; a locked update on real processors. */
static void
update_high(X86Core *core, uint64_t address, uint32_t set, uint32_t clear)
{
    uint64_t place = address + 4;
    uint32_t high = x86_read_system(core, place, 4);
    uint32_t changed = (high & ~clear) | set;

    if (changed != high) {
        x86_write_system(core, place, changed, 4);
    }
}

void
x86_desc_set_accessed(X86Core *core, X86Descriptor *desc)
{
    if (!(desc->high & X86_SEG_A)) {
        update_high(core, desc->address, X86_SEG_A, 0);
        desc->high |= X86_SEG_A;
    }
}

void
x86_desc_set_tss_busy(X86Core *core, const X86Descriptor *desc, bool busy)
{
    update_high(core, desc->address, busy ? 1u << 9 : 0, busy ? 0 : 1u << 9);
}

/* ---- Loads ---- */

void
x86_load_segment_real(X86Core *core, unsigned segment, uint16_t selector)
{
    X86Segment *seg = &core->s.seg[segment];

    seg->selector = selector;
    seg->base = (uint32_t)selector << 4;
    if (x86_v8086(&core->s)) {
        seg->attr = X86_SEG_P | X86_SEG_S | 3u << X86_SEG_DPL_SHIFT | X86_SEG_W | X86_SEG_A;
        seg->limit = 0xffff;
    } else {
        /* limit and default size stay; a segment left unusable by protected mode becomes usable */
        if (!(seg->attr & X86_SEG_P)) {
            seg->limit = 0xffff;
        }
        seg->attr = (seg->attr & (X86_SEG_G | X86_SEG_DB | X86_SEG_AVL)) | X86_SEG_P | X86_SEG_S |
                    X86_SEG_W | X86_SEG_A;
    }
}

X86Segment
x86_check_stack_segment(X86Core *core, uint16_t selector, unsigned cpl, int vector_bad)
{
    X86Descriptor desc;

    if (x86_desc_is_null(selector)) {
        x86_fault_code(core, vector_bad, 0);
    }
    if (!x86_desc_read(core, selector, 8, &desc) || (selector & 3) != cpl ||
        x86_desc_dpl(&desc) != cpl ||
        (desc.high & (X86_SEG_S | X86_SEG_CODE | X86_SEG_W)) != (X86_SEG_S | X86_SEG_W)) {
        x86_fault_code(core, vector_bad, x86_sel_error(selector));
    }
    if (!(desc.high & X86_SEG_P)) {
        x86_fault_code(core, X86_EXC_SS, x86_sel_error(selector));
    }
    x86_desc_set_accessed(core, &desc);
    return x86_desc_segment(&desc);
}

static void
load_stack_segment(X86Core *core, uint16_t selector)
{
    unsigned cpl = core->s.cpl;

    if (x86_desc_is_null(selector)) {
        /* 64-bit code below privilege 3 may hold a null SS with its CPL as RPL */
        if (!x86_code64(&core->s) || cpl == 3 || (selector & 3) != cpl) {
            x86_fault_code(core, X86_EXC_GP, 0);
        }
        core->s.seg[X86_SS] =
            (X86Segment){ .selector = selector, .attr = cpl << X86_SEG_DPL_SHIFT };
        return;
    }
    core->s.seg[X86_SS] = x86_check_stack_segment(core, selector, cpl, X86_EXC_GP);
}

static void
load_data_segment(X86Core *core, unsigned segment, uint16_t selector)
{
    X86Descriptor desc;

    if (x86_desc_is_null(selector)) {
        core->s.seg[segment] = (X86Segment){ .selector = selector };
        return;
    }
    if (!x86_desc_read(core, selector, 8, &desc) || !(desc.high & X86_SEG_S) ||
        (x86_desc_is_code(&desc) && !(desc.high & X86_SEG_R))) {
        x86_fault_code(core, X86_EXC_GP, x86_sel_error(selector));
    }
    bool conforming = x86_desc_is_code(&desc) && (desc.high & X86_SEG_C);
    unsigned dpl = x86_desc_dpl(&desc);
    if (!conforming && ((selector & 3u) > dpl || core->s.cpl > dpl)) {
        x86_fault_code(core, X86_EXC_GP, x86_sel_error(selector));
    }
    if (!(desc.high & X86_SEG_P)) {
        x86_fault_code(core, X86_EXC_NP, x86_sel_error(selector));
    }
    x86_desc_set_accessed(core, &desc);
    core->s.seg[segment] = x86_desc_segment(&desc);
}

void
x86_load_segment(X86Core *core, unsigned segment, uint16_t selector)
{
    if (x86_real_mode(&core->s) || x86_v8086(&core->s)) {
        x86_load_segment_real(core, segment, selector);
    } else if (segment == X86_SS) {
        load_stack_segment(core, selector);
    } else {
        load_data_segment(core, segment, selector);
    }
}

void
x86_commit_cs(X86Core *core, const X86Descriptor *desc, uint16_t selector, unsigned cpl)
{
    core->s.seg[X86_CS] = x86_desc_segment(desc);
    core->s.seg[X86_CS].selector = (selector & ~3u) | cpl;
    x86_set_cpl(core, cpl);
}

void
x86_set_cpl(X86Core *core, unsigned cpl)
{
    if (core->s.pmu.counts_instructions) {
        x86_pmu_settle(core);
    }
    core->s.cpl = cpl;
    core->code_generation++;
}

void
x86_drop_inner_segments(X86Core *core, unsigned cpl)
{
    static const uint8_t data[] = { X86_ES, X86_DS, X86_FS, X86_GS };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(data); i++) {
        X86Segment *seg = &core->s.seg[data[i]];
        bool conforming = (seg->attr & (X86_SEG_CODE | X86_SEG_C)) == (X86_SEG_CODE | X86_SEG_C);
        if ((seg->attr & X86_SEG_P) && !conforming &&
            ((seg->attr >> X86_SEG_DPL_SHIFT) & 3) < cpl) {
            /* the base survives (it is an MSR in long mode), the rest is a null selector */
            seg->selector = 0;
            seg->attr = 0;
        }
    }
}

/* ---- LDTR, TR ---- */

void
x86_load_ldt(X86Core *core, uint16_t selector, int vector_bad)
{
    X86Descriptor desc;

    if (x86_desc_is_null(selector)) {
        core->s.ldtr = (X86Segment){ .selector = selector };
        return;
    }
    if ((selector & 4) || !x86_desc_read(core, selector, x86_long_mode(&core->s) ? 16 : 8, &desc) ||
        (desc.high & X86_SEG_S) || x86_desc_type(&desc) != X86_DESC_LDT) {
        x86_fault_code(core, vector_bad, x86_sel_error(selector));
    }
    if (!(desc.high & X86_SEG_P)) {
        x86_fault_code(core, vector_bad == X86_EXC_TS ? X86_EXC_TS : X86_EXC_NP,
                       x86_sel_error(selector));
    }
    X86Segment ldt = x86_desc_segment(&desc);
    if (x86_long_mode(&core->s) && !x86_is_canonical(core, ldt.base)) {
        x86_fault_code(core, X86_EXC_GP, x86_sel_error(selector));
    }
    core->s.ldtr = ldt;
}

void
x86_load_tr(X86Core *core, uint16_t selector)
{
    X86Descriptor desc;
    bool long_mode = x86_long_mode(&core->s);

    if (x86_desc_is_null(selector)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    if ((selector & 4) || !x86_desc_read(core, selector, long_mode ? 16 : 8, &desc) ||
        (desc.high & X86_SEG_S)) {
        x86_fault_code(core, X86_EXC_GP, x86_sel_error(selector));
    }
    unsigned type = x86_desc_type(&desc);
    if (type != X86_DESC_TSS32 && (long_mode || type != X86_DESC_TSS16)) {
        x86_fault_code(core, X86_EXC_GP, x86_sel_error(selector));
    }
    if (!(desc.high & X86_SEG_P)) {
        x86_fault_code(core, X86_EXC_NP, x86_sel_error(selector));
    }
    X86Segment tss = x86_desc_segment(&desc);
    if (long_mode && !x86_is_canonical(core, tss.base)) {
        x86_fault_code(core, X86_EXC_GP, x86_sel_error(selector));
    }
    x86_desc_set_tss_busy(core, &desc, true);
    tss.attr |= 1u << 9;
    core->s.tr = tss;
}

/* ---- Questions about selectors ---- */

/* DPL of what the selector names may be used from CPL and RPL (conforming code always). */
static bool
privilege_allows(const X86Core *core, const X86Descriptor *desc)
{
    if (x86_desc_is_code(desc) && (desc->high & X86_SEG_C)) {
        return true;
    }
    unsigned dpl = x86_desc_dpl(desc);
    return core->s.cpl <= dpl && (desc->selector & 3u) <= dpl;
}

/* Reads the descriptor for LAR and LSL; TYPES: bit per system type that qualifies. */
static bool
read_for_question(X86Core *core, uint16_t selector, uint32_t types, X86Descriptor *out)
{
    bool long_mode = x86_long_mode(&core->s);

    if (x86_desc_is_null(selector) || !x86_desc_read(core, selector, 8, out)) {
        return false;
    }
    if (!(out->high & X86_SEG_S)) {
        if (!(types >> x86_desc_type(out) & 1) ||
            (long_mode && !x86_desc_read(core, selector, 16, out))) {
            return false;
        }
    }
    return privilege_allows(core, out);
}

bool
x86_lar(X86Core *core, uint16_t selector, uint32_t *out_rights)
{
    const uint32_t legacy = 1u << X86_DESC_TSS16 | 1u << X86_DESC_LDT | 1u << X86_DESC_TSS16_BUSY |
                            1u << X86_DESC_CALL16 | 1u << X86_DESC_TASK_GATE |
                            1u << X86_DESC_TSS32 | 1u << X86_DESC_TSS32_BUSY |
                            1u << X86_DESC_CALL32;
    const uint32_t long_mode = 1u << X86_DESC_LDT | 1u << X86_DESC_TSS32 |
                               1u << X86_DESC_TSS32_BUSY | 1u << X86_DESC_CALL32;
    X86Descriptor desc;

    if (!read_for_question(core, selector, x86_long_mode(&core->s) ? long_mode : legacy, &desc)) {
        return false;
    }
    *out_rights = desc.high & 0x00f0ff00;
    return true;
}

bool
x86_lsl(X86Core *core, uint16_t selector, uint32_t *out_limit)
{
    const uint32_t legacy = 1u << X86_DESC_TSS16 | 1u << X86_DESC_LDT | 1u << X86_DESC_TSS16_BUSY |
                            1u << X86_DESC_TSS32 | 1u << X86_DESC_TSS32_BUSY;
    const uint32_t long_mode =
        1u << X86_DESC_LDT | 1u << X86_DESC_TSS32 | 1u << X86_DESC_TSS32_BUSY;
    X86Descriptor desc;

    if (!read_for_question(core, selector, x86_long_mode(&core->s) ? long_mode : legacy, &desc)) {
        return false;
    }
    *out_limit = x86_desc_segment(&desc).limit;
    return true;
}

bool
x86_verify(X86Core *core, uint16_t selector, bool write)
{
    X86Descriptor desc;

    if (!read_for_question(core, selector, 0, &desc)) {
        return false;
    }
    bool code = x86_desc_is_code(&desc);
    return write ? !code && (desc.high & X86_SEG_W) : !code || (desc.high & X86_SEG_R);
}
