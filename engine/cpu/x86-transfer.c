/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Far JMP, CALL and RET.
 *
 * Intel SDM volume 2 JMP, CALL, RET (their operation sections), volume 3 5.8 (privilege checks,
 * call gates, stack switching), 5.8.3.1 (64-bit call gates). Everything that can fault comes
 * before the commit of CS, SS:rSP and CPL. Thread: the CPU's own. */

#include "x86-system.h"
#include "x86-log.h"

static uint64_t
truncate_offset(uint64_t offset, unsigned operand_size)
{
    return operand_size == 2 ? (uint16_t)offset : operand_size == 4 ? (uint32_t)offset : offset;
}

/* #GP(0) unless OFFSET may be the instruction pointer in the segment of DESC. */
static void
check_target(X86Core *core, const X86Descriptor *desc, uint64_t offset)
{
    bool is_64 = x86_long_mode(&core->s) && (desc->high & X86_SEG_L);
    bool good = is_64 ? x86_is_canonical(core, offset) : offset <= x86_desc_segment(desc).limit;

    if (!good) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
}

static _Noreturn void
bad_selector(X86Core *core, uint16_t selector)
{
    x86_fault_code(core, X86_EXC_GP, x86_sel_error(selector));
}

static void
check_present(X86Core *core, const X86Descriptor *desc)
{
    if (!(desc->high & X86_SEG_P)) {
        x86_fault_code(core, X86_EXC_NP, x86_sel_error(desc->selector));
    }
}

static X86Descriptor
read_target(X86Core *core, uint16_t selector)
{
    X86Descriptor desc;

    if (x86_desc_is_null(selector)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    if (!x86_desc_read(core, selector, 8, &desc)) {
        bad_selector(core, selector);
    }
    return desc;
}

/* Long mode knows no segment that is both 64-bit and of 32-bit default size. */
static void
check_code_size(X86Core *core, const X86Descriptor *desc)
{
    if (x86_long_mode(&core->s) &&
        (desc->high & (X86_SEG_L | X86_SEG_DB)) == (X86_SEG_L | X86_SEG_DB)) {
        bad_selector(core, desc->selector);
    }
}

/* Checks of a direct far jump or call to a code segment. */
static void
check_direct_code(X86Core *core, const X86Descriptor *desc)
{
    unsigned dpl = x86_desc_dpl(desc);
    unsigned cpl = core->s.cpl;

    if (desc->high & X86_SEG_C ? dpl > cpl : (desc->selector & 3u) > cpl || dpl != cpl) {
        bad_selector(core, desc->selector);
    }
    check_code_size(core, desc);
    check_present(core, desc);
}

/* Privilege and presence of a gate or TSS that is jumped to or called. */
static void
check_system_access(X86Core *core, const X86Descriptor *desc)
{
    unsigned dpl = x86_desc_dpl(desc);

    if (dpl < core->s.cpl || dpl < (desc->selector & 3u)) {
        bad_selector(core, desc->selector);
    }
    check_present(core, desc);
}

/* ---- Tasks ---- */

static void
switch_to_tss(X86Core *core, const X86Descriptor *desc, X86TaskReason reason)
{
    x86_task_switch(core, desc, reason, core->next_rip, false, 0);
}

static void
switch_by_task_gate(X86Core *core, const X86Descriptor *gate, X86TaskReason reason)
{
    uint16_t selector = gate->low >> 16;
    X86Descriptor desc;

    if ((selector & 4) || x86_desc_is_null(selector) || !x86_desc_read(core, selector, 8, &desc) ||
        (desc.high & X86_SEG_S) ||
        (x86_desc_type(&desc) != X86_DESC_TSS16 && x86_desc_type(&desc) != X86_DESC_TSS32)) {
        bad_selector(core, selector);
    }
    check_present(core, &desc);
    switch_to_tss(core, &desc, reason);
}

/* ---- Call gates ---- */

typedef struct CallGate {
    X86Descriptor code;
    uint64_t offset;
    unsigned size; /* 2, 4, 8 bytes per pushed item */
    unsigned parameters;
} CallGate;

static CallGate
read_call_gate(X86Core *core, X86Descriptor *desc, bool is_jump)
{
    bool long_mode = x86_long_mode(&core->s);
    CallGate gate;

    check_system_access(core, desc);
    if (long_mode && !x86_desc_read(core, desc->selector, 16, desc)) {
        bad_selector(core, desc->selector);
    }
    bool is_16 = x86_desc_type(desc) == X86_DESC_CALL16;
    gate.size = long_mode ? 8 : is_16 ? 2 : 4;
    gate.parameters = long_mode ? 0 : desc->high & 31;
    gate.offset =
        (desc->low & 0xffff) | (is_16 ? 0 : desc->high & 0xffff0000) | (uint64_t)desc->upper << 32;
    uint16_t selector = desc->low >> 16;
    gate.code = read_target(core, selector);
    unsigned dpl = x86_desc_dpl(&gate.code);
    bool conforming = gate.code.high & X86_SEG_C;
    if (!x86_desc_is_code(&gate.code) || dpl > core->s.cpl ||
        (is_jump && !conforming && dpl != core->s.cpl)) {
        bad_selector(core, selector);
    }
    if (long_mode && (gate.code.high & (X86_SEG_L | X86_SEG_DB)) != X86_SEG_L) {
        bad_selector(core, selector);
    }
    check_present(core, &gate.code);
    return gate;
}

static void
copy_parameters(X86Core *core, const CallGate *gate, X86Frame *frame)
{
    for (unsigned i = gate->parameters; i > 0; i--) {
        uint64_t value = x86_stack_read(core, (int64_t)(i - 1) * gate->size, gate->size);
        x86_frame_push(core, frame, value, gate->size);
    }
}

static void
call_through_gate(X86Core *core, const CallGate *gate)
{
    X86State *s = &core->s;
    unsigned cpl = gate->code.high & X86_SEG_C ? s->cpl : x86_desc_dpl(&gate->code);
    X86Frame frame = x86_frame_for(core, cpl, 0);

    check_target(core, &gate->code, gate->offset);
    if (frame.switched) {
        x86_frame_push(core, &frame, s->seg[X86_SS].selector, gate->size);
        x86_frame_push(core, &frame, s->gpr[X86_RSP], gate->size);
        copy_parameters(core, gate, &frame);
    }
    x86_frame_push(core, &frame, s->seg[X86_CS].selector, gate->size);
    x86_frame_push(core, &frame, core->next_rip, gate->size);
    X86Descriptor code = gate->code;
    x86_desc_set_accessed(core, &code);
    x86_frame_commit(core, &frame);
    x86_commit_cs(core, &code, code.selector, cpl);
    core->next_rip = gate->offset;
}

/* ---- JMP ---- */

static void
jump_to_code(X86Core *core, X86Descriptor *desc, uint64_t offset)
{
    check_target(core, desc, offset);
    x86_desc_set_accessed(core, desc);
    x86_commit_cs(core, desc, desc->selector, core->s.cpl);
    core->next_rip = offset;
}

static void
far_real(X86Core *core, uint16_t selector, uint64_t offset)
{
    if (offset > core->s.seg[X86_CS].limit) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    x86_load_segment_real(core, X86_CS, selector);
    core->next_rip = offset;
}

/* Gates and TSS by type; false when DESC is none that may be entered. */
static bool
jump_to_system(X86Core *core, X86Descriptor *desc)
{
    bool long_mode = x86_long_mode(&core->s);

    switch (x86_desc_type(desc)) {
    case X86_DESC_CALL16:
        if (long_mode) {
            return false;
        }
        G_GNUC_FALLTHROUGH;
    case X86_DESC_CALL32: {
        CallGate gate = read_call_gate(core, desc, true);
        jump_to_code(core, &gate.code, gate.offset);
        return true;
    }
    case X86_DESC_TASK_GATE:
    case X86_DESC_TSS16:
    case X86_DESC_TSS32:
        if (long_mode) {
            return false;
        }
        check_system_access(core, desc);
        if (x86_desc_type(desc) == X86_DESC_TASK_GATE) {
            switch_by_task_gate(core, desc, X86_TASK_JUMP);
        } else if (desc->selector & 4) {
            return false;
        } else {
            switch_to_tss(core, desc, X86_TASK_JUMP);
        }
        return true;
    default: return false;
    }
}

void
x86_far_jump(X86Core *core, uint16_t selector, uint64_t offset, unsigned operand_size)
{
    offset = truncate_offset(offset, operand_size);
    if (x86_log_wants(core, VIT_LOG_PCALL)) {
        x86_log_far(core, "ljmp", selector, offset);
    }
    if (x86_real_mode(&core->s) || x86_v8086(&core->s)) {
        far_real(core, selector, offset);
        return;
    }
    X86Descriptor desc = read_target(core, selector);
    if (x86_desc_is_code(&desc)) {
        check_direct_code(core, &desc);
        jump_to_code(core, &desc, offset);
    } else if ((desc.high & X86_SEG_S) || !jump_to_system(core, &desc)) {
        bad_selector(core, selector);
    }
}

/* ---- CALL ---- */

static void
push_return(X86Core *core, X86Frame *frame, unsigned size)
{
    x86_frame_push(core, frame, core->s.seg[X86_CS].selector, size);
    x86_frame_push(core, frame, core->next_rip, size);
}

static void
call_real(X86Core *core, uint16_t selector, uint64_t offset, unsigned size)
{
    X86Frame frame = x86_frame_here(core);

    if (offset > core->s.seg[X86_CS].limit) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    push_return(core, &frame, size);
    x86_frame_commit(core, &frame);
    x86_load_segment_real(core, X86_CS, selector);
    core->next_rip = offset;
}

static void
call_code(X86Core *core, X86Descriptor *desc, uint64_t offset, unsigned size)
{
    X86Frame frame = x86_frame_here(core);

    check_target(core, desc, offset);
    push_return(core, &frame, size);
    x86_desc_set_accessed(core, desc);
    x86_frame_commit(core, &frame);
    x86_commit_cs(core, desc, desc->selector, core->s.cpl);
    core->next_rip = offset;
}

static bool
call_system(X86Core *core, X86Descriptor *desc)
{
    bool long_mode = x86_long_mode(&core->s);

    switch (x86_desc_type(desc)) {
    case X86_DESC_CALL16:
        if (long_mode) {
            return false;
        }
        G_GNUC_FALLTHROUGH;
    case X86_DESC_CALL32: {
        CallGate gate = read_call_gate(core, desc, false);
        call_through_gate(core, &gate);
        return true;
    }
    case X86_DESC_TASK_GATE:
    case X86_DESC_TSS16:
    case X86_DESC_TSS32:
        if (long_mode) {
            return false;
        }
        check_system_access(core, desc);
        if (x86_desc_type(desc) == X86_DESC_TASK_GATE) {
            switch_by_task_gate(core, desc, X86_TASK_CALL);
        } else if (desc->selector & 4) {
            return false;
        } else {
            switch_to_tss(core, desc, X86_TASK_CALL);
        }
        return true;
    default: return false;
    }
}

void
x86_far_call(X86Core *core, uint16_t selector, uint64_t offset, unsigned operand_size)
{
    offset = truncate_offset(offset, operand_size);
    if (x86_log_wants(core, VIT_LOG_PCALL)) {
        x86_log_far(core, "lcall", selector, offset);
    }
    if (x86_real_mode(&core->s) || x86_v8086(&core->s)) {
        call_real(core, selector, offset, operand_size);
        return;
    }
    X86Descriptor desc = read_target(core, selector);
    if (x86_desc_is_code(&desc)) {
        check_direct_code(core, &desc);
        call_code(core, &desc, offset, operand_size);
    } else if ((desc.high & X86_SEG_S) || !call_system(core, &desc)) {
        bad_selector(core, selector);
    }
}

/* ---- RET, and what IRET shares with it ---- */

X86Descriptor
x86_check_return_code(X86Core *core, uint16_t selector)
{
    X86Descriptor desc = read_target(core, selector);
    unsigned rpl = selector & 3;
    unsigned dpl = x86_desc_dpl(&desc);

    if (!x86_desc_is_code(&desc) || rpl < core->s.cpl ||
        (desc.high & X86_SEG_C ? dpl > rpl : dpl != rpl)) {
        bad_selector(core, selector);
    }
    check_code_size(core, &desc);
    check_present(core, &desc);
    return desc;
}

X86Segment
x86_check_return_stack(X86Core *core, uint16_t selector, const X86Descriptor *code)
{
    unsigned cpl = code->selector & 3;

    if (x86_desc_is_null(selector) && x86_long_mode(&core->s) && (code->high & X86_SEG_L) &&
        cpl != 3 && (selector & 3u) == cpl) {
        return (X86Segment){ .selector = selector, .attr = cpl << X86_SEG_DPL_SHIFT };
    }
    return x86_check_stack_segment(core, selector, cpl, X86_EXC_GP);
}

void
x86_commit_return(X86Core *core, X86Descriptor *code, const X86Segment *ss, uint64_t rip,
                  uint64_t rsp)
{
    unsigned cpl = code->selector & 3;
    bool outward = cpl > core->s.cpl;

    x86_commit_cs(core, code, code->selector, cpl);
    core->s.seg[X86_SS] = *ss;
    x86_set_stack_pointer(core, rsp);
    if (outward) {
        x86_drop_inner_segments(core, cpl);
    }
    core->next_rip = rip;
}

static void
return_real(X86Core *core, unsigned size, unsigned release_bytes)
{
    uint64_t rip = x86_stack_read(core, 0, size);
    uint16_t selector = x86_stack_read(core, size, size);

    far_real(core, selector, rip);
    x86_stack_adjust(core, 2 * size + release_bytes);
}

void
x86_far_return(X86Core *core, unsigned operand_size, unsigned release_bytes)
{
    X86State *s = &core->s;
    unsigned size = operand_size;

    if (x86_log_wants(core, VIT_LOG_PCALL)) {
        x86_log_far(core, "lret", 0, 0);
    }
    if (x86_real_mode(s) || x86_v8086(s)) {
        return_real(core, size, release_bytes);
        return;
    }
    uint64_t rip = x86_stack_read(core, 0, size);
    uint16_t selector = x86_stack_read(core, size, size);
    X86Descriptor code = x86_check_return_code(core, selector);
    check_target(core, &code, rip);
    if ((selector & 3u) == s->cpl) {
        x86_desc_set_accessed(core, &code);
        x86_stack_adjust(core, 2 * size + release_bytes);
        x86_commit_cs(core, &code, selector, s->cpl);
        core->next_rip = rip;
        return;
    }
    unsigned place = 2 * size + release_bytes;
    uint64_t rsp = x86_stack_read(core, place, size);
    uint16_t ss_selector = x86_stack_read(core, place + size, size);
    X86Segment ss = x86_check_return_stack(core, ss_selector, &code);
    x86_desc_set_accessed(core, &code);
    x86_commit_return(core, &code, &ss, rip, rsp + release_bytes);
}
