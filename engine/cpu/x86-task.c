/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Task state segments: hardware task switches, and the stacks a TSS names.
 *
 * Intel SDM volume 3 chapter 7 (7.2 the TSS, 7.3 the switch and its checks in table 7-1, 7.4
 * linking, 7.6 16-bit TSS, 7.7 the 64-bit TSS). A fault before the old state is saved belongs to
 * the old task; one after the new state is loaded belongs to the new (s.rip is then its EIP).
 * Thread: the CPU's own. */

#include "x86-svm.h"
#include "x86-system.h"

/* Places of the fields that both formats have. */
typedef struct TssFormat {
    uint8_t field_bytes;
    uint8_t min_limit;
    uint8_t ip, flags, gpr, segments, ldt;
    uint8_t segment_count; /* 16-bit TSSs have no FS and GS */
} TssFormat;

static const TssFormat tss16 = { 2, 0x2b, 14, 16, 18, 34, 42, 4 };
static const TssFormat tss32 = { 4, 0x67, 32, 36, 40, 72, 96, 6 };
enum { TSS32_CR3 = 28, TSS32_TRAP = 100 };

typedef struct TaskImage {
    uint32_t cr3, eip, eflags;
    uint32_t gpr[8];
    uint16_t selector[X86_SEG_LAST];
    uint16_t ldt;
    bool trap;
} TaskImage;

static const TssFormat *
format_of(uint32_t type)
{
    return type & 8 ? &tss32 : &tss16;
}

static void
save_old_task(X86Core *core, const TssFormat *format, uint32_t eip, uint32_t eflags)
{
    X86State *s = &core->s;
    uint64_t base = s->tr.base;
    unsigned size = format->field_bytes;

    x86_write_system(core, base + format->ip, eip, size);
    x86_write_system(core, base + format->flags, eflags, size);
    for (unsigned i = 0; i < 8; i++) {
        x86_write_system(core, base + format->gpr + i * size, s->gpr[i], size);
    }
    for (unsigned i = 0; i < format->segment_count; i++) {
        x86_write_system(core, base + format->segments + i * size, s->seg[i].selector, 2);
    }
}

static TaskImage
read_new_task(X86Core *core, const X86Segment *tss, const TssFormat *format)
{
    TaskImage image = { 0 };
    unsigned size = format->field_bytes;
    uint32_t upper = size == 2 ? 0xffff0000u : 0;

    image.eip = x86_read_system(core, tss->base + format->ip, size);
    image.eflags = x86_read_system(core, tss->base + format->flags, size);
    for (unsigned i = 0; i < 8; i++) {
        image.gpr[i] = x86_read_system(core, tss->base + format->gpr + i * size, size) | upper;
    }
    for (unsigned i = 0; i < format->segment_count; i++) {
        image.selector[i] = x86_read_system(core, tss->base + format->segments + i * size, 2);
    }
    image.ldt = x86_read_system(core, tss->base + format->ldt, 2);
    if (format == &tss32) {
        image.cr3 = x86_read_system(core, tss->base + TSS32_CR3, 4);
        image.trap = x86_read_system(core, tss->base + TSS32_TRAP, 2) & 1;
    }
    return image;
}

static void
load_task_code(X86Core *core, uint16_t selector)
{
    X86Descriptor desc;
    unsigned rpl = selector & 3;

    if (x86_desc_is_null(selector) || !x86_desc_read(core, selector, 8, &desc) ||
        !x86_desc_is_code(&desc) ||
        (desc.high & X86_SEG_C ? x86_desc_dpl(&desc) > rpl : x86_desc_dpl(&desc) != rpl)) {
        x86_fault_code(core, X86_EXC_TS, x86_sel_error(selector));
    }
    if (!(desc.high & X86_SEG_P)) {
        x86_fault_code(core, X86_EXC_NP, x86_sel_error(selector));
    }
    x86_desc_set_accessed(core, &desc);
    x86_commit_cs(core, &desc, selector, rpl);
}

static void
load_task_data(X86Core *core, unsigned segment, uint16_t selector)
{
    X86Descriptor desc;

    if (x86_desc_is_null(selector)) {
        return;
    }
    if (!x86_desc_read(core, selector, 8, &desc) || !(desc.high & X86_SEG_S) ||
        (x86_desc_is_code(&desc) && !(desc.high & X86_SEG_R))) {
        x86_fault_code(core, X86_EXC_TS, x86_sel_error(selector));
    }
    bool conforming = x86_desc_is_code(&desc) && (desc.high & X86_SEG_C);
    unsigned dpl = x86_desc_dpl(&desc);
    if (!conforming && (core->s.cpl > dpl || (selector & 3u) > dpl)) {
        x86_fault_code(core, X86_EXC_TS, x86_sel_error(selector));
    }
    if (!(desc.high & X86_SEG_P)) {
        x86_fault_code(core, X86_EXC_NP, x86_sel_error(selector));
    }
    x86_desc_set_accessed(core, &desc);
    core->s.seg[segment] = x86_desc_segment(&desc);
}

/* Loads LDTR and the segment registers; the selectors are all in place already, so a fault leaves
 * the rest as selectors that must not be used. */
static void
load_task_segments(X86Core *core, const TaskImage *image)
{
    static const uint8_t data[] = { X86_DS, X86_ES, X86_FS, X86_GS };
    X86State *s = &core->s;

    x86_load_ldt(core, image->ldt, X86_EXC_TS);
    if (s->rflags & X86_FLAG_VM) {
        for (unsigned i = 0; i < X86_SEG_LAST; i++) {
            x86_load_segment_real(core, i, image->selector[i]);
        }
        x86_set_cpl(core, 3);
        return;
    }
    load_task_code(core, image->selector[X86_CS]);
    s->seg[X86_SS] = x86_check_stack_segment(core, image->selector[X86_SS], s->cpl, X86_EXC_TS);
    for (unsigned i = 0; i < VIT_ARRAY_LEN(data); i++) {
        load_task_data(core, data[i], image->selector[data[i]]);
    }
}

/* The registers of the new task, with nothing that can fault. */
static void
commit_task(X86Core *core, const TaskImage *image, const TssFormat *format)
{
    X86State *s = &core->s;

    s->rip = core->next_rip = image->eip;
    s->rflags = (image->eflags & 0x003f7fd5u) | 2;
    if (format == &tss16) {
        s->rflags &= 0xffff;
    }
    for (unsigned i = 0; i < 8; i++) {
        s->gpr[i] = image->gpr[i];
    }
    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        s->seg[i] = (X86Segment){ .selector = image->selector[i] };
    }
    s->ldtr = (X86Segment){ .selector = image->ldt };
    x86_set_cpl(core, s->rflags & X86_FLAG_VM ? 3 : image->selector[X86_CS] & 3);
    s->cr0 |= X86_CR0_TS;
    s->dr[7] &= ~0x155ull; /* local breakpoints and LE are per task */
    x86_debug_registers_changed(core);
}

void
x86_task_switch(X86Core *core, const X86Descriptor *desc, X86TaskReason reason, uint64_t return_rip,
                bool has_error, uint32_t error)
{
    X86State *s = &core->s;
    X86Segment tss = x86_desc_segment(desc);
    const TssFormat *new_format = format_of(x86_desc_type(desc));
    const TssFormat *old_format = format_of(s->tr.attr >> X86_SEG_TYPE_SHIFT);
    bool nested = reason == X86_TASK_CALL || reason == X86_TASK_GATE;
    X86View view = x86_view_implicit(core);

    if (x86_svm_intercepts(core, SVM_EXIT_TASK_SWITCH)) {
        x86_svm_exit(core, SVM_EXIT_TASK_SWITCH, desc->selector,
                     (has_error ? error | 1ull << 44 : 0) |
                         (reason == X86_TASK_IRET ? 1ull << 36 : 0) |
                         (reason == X86_TASK_JUMP ? 1ull << 38 : 0) |
                         (s->rflags & X86_FLAG_RF ? 1ull << 48 : 0));
    }
    if (tss.limit < new_format->min_limit) {
        x86_fault_code(core, X86_EXC_TS, x86_sel_error(desc->selector));
    }
    /* all pages are found before anything changes */
    x86_probe_linear(core, s->tr.base, old_format->min_limit + 1u, X86_ACCESS_WRITE, view);
    x86_probe_linear(core, tss.base, nested ? 2 : 1, X86_ACCESS_READ, view);
    if (nested) {
        x86_probe_linear(core, tss.base, 2, X86_ACCESS_WRITE, view);
    }
    TaskImage image = read_new_task(core, &tss, new_format);

    uint32_t old_flags = s->rflags;
    if (reason == X86_TASK_IRET) {
        old_flags &= ~(uint32_t)X86_FLAG_NT;
    }
    if (!nested) {
        X86Descriptor old = { .address = s->gdtr.base + (s->tr.selector & 0xfff8) };
        x86_desc_set_tss_busy(core, &old, false);
    }
    save_old_task(core, old_format, return_rip, old_flags);
    if (nested) {
        x86_write_system(core, tss.base, s->tr.selector, 2);
        image.eflags |= X86_FLAG_NT;
    }
    if (reason != X86_TASK_IRET) {
        x86_desc_set_tss_busy(core, desc, true);
    }
    tss.attr |= 1u << 9;
    s->tr = tss;
    if (new_format == &tss32 && (s->cr0 & X86_CR0_PG)) {
        x86_write_cr3(core, image.cr3);
    }
    commit_task(core, &image, new_format);
    load_task_segments(core, &image);
    if (has_error) {
        X86Frame frame = x86_frame_here(core);
        x86_frame_push(core, &frame, error, new_format->field_bytes);
        x86_frame_commit(core, &frame);
    }
    if (image.eip > s->seg[X86_CS].limit) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    if (image.trap) {
        core->debug_pending |= X86_DR6_BT;
    }
}

/* ---- Stacks ---- */

void
x86_tss_stack(X86Core *core, unsigned cpl, uint16_t *out_ss, uint64_t *out_rsp)
{
    const X86Segment *tr = &core->s.tr;
    bool is_32 = (tr->attr >> X86_SEG_TYPE_SHIFT) & 8;
    unsigned place = is_32 ? 4 + cpl * 8 : 2 + cpl * 4;
    unsigned size = is_32 ? 4 : 2;

    if (place + size + 1 > tr->limit) {
        x86_fault_code(core, X86_EXC_TS, x86_sel_error(tr->selector));
    }
    *out_rsp = x86_read_system(core, tr->base + place, size);
    *out_ss = x86_read_system(core, tr->base + place + size, 2);
}

uint64_t
x86_tss_stack64(X86Core *core, unsigned cpl, unsigned ist)
{
    const X86Segment *tr = &core->s.tr;
    unsigned place = ist ? 36 + (ist - 1) * 8 : 4 + cpl * 8;

    if (place + 7 > tr->limit) {
        x86_fault_code(core, X86_EXC_TS, x86_sel_error(tr->selector));
    }
    uint64_t rsp = x86_read_system(core, tr->base + place, 8);
    if (!x86_is_canonical(core, rsp)) {
        x86_fault_code(core, X86_EXC_SS, 0);
    }
    return rsp;
}
