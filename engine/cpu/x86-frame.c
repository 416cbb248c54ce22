/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The stack that an event or a far call builds: where it lies, and pushes that commit nothing but
 * memory, so that a fault half way leaves SS:rSP as they were.
 *
 * Intel SDM volume 3 5.8.5 (stack switching), 6.12.1 and 6.14.2 to 6.14.5 (64-bit, IST), volume 2
 * CALL and INT. Pushes onto a switched stack are made with the rights of the new privilege level;
 * their limit faults name the new selector. Thread: the CPU's own. */

#include "x86-system.h"

X86Frame
x86_frame_here(const X86Core *core)
{
    return (X86Frame){
        .ss = core->s.seg[X86_SS],
        .rsp = core->s.gpr[X86_RSP],
        .cpl = core->s.cpl,
        .is_64 = x86_code64(&core->s),
    };
}

X86Frame
x86_frame_for(X86Core *core, unsigned cpl, unsigned ist)
{
    X86State *s = &core->s;
    X86Frame frame = x86_frame_here(core);

    frame.cpl = cpl;
    if (x86_long_mode(s)) {
        frame.is_64 = true;
        frame.switched = cpl != s->cpl;
        if (frame.switched || ist) {
            frame.rsp = x86_tss_stack64(core, cpl, ist);
        }
        if (frame.switched) {
            frame.ss = (X86Segment){ .selector = cpl, .attr = cpl << X86_SEG_DPL_SHIFT };
        }
    } else if (cpl != s->cpl) {
        uint16_t selector;
        x86_tss_stack(core, cpl, &selector, &frame.rsp);
        frame.ss = x86_check_stack_segment(core, selector, cpl, X86_EXC_TS);
        frame.switched = true;
    }
    return frame;
}

void
x86_frame_push(X86Core *core, X86Frame *frame, uint64_t value, unsigned size)
{
    uint64_t mask = frame->is_64 ? UINT64_MAX : frame->ss.attr & X86_SEG_DB ? 0xffffffffu : 0xffffu;
    uint64_t offset = (frame->rsp - size) & mask;
    uint64_t linear = offset;
    X86View view = frame->cpl == 3   ? X86_VIEW_USER
                   : frame->switched ? x86_view_implicit(core)
                                     : x86_view(core);

    if (frame->is_64) {
        if (!x86_is_canonical(core, offset) || !x86_is_canonical(core, offset + size - 1)) {
            x86_fault_code(core, X86_EXC_SS, 0);
        }
    } else {
        if (!x86_segment_within_limit(&frame->ss, offset, size)) {
            x86_fault_code(core, X86_EXC_SS,
                           frame->switched ? x86_sel_error(frame->ss.selector) : 0);
        }
        linear = (uint32_t)(frame->ss.base + offset);
    }
    x86_write_linear(core, linear, value, size, view);
    frame->rsp = (frame->rsp & ~mask) | offset;
}

void
x86_frame_commit(X86Core *core, const X86Frame *frame)
{
    core->s.seg[X86_SS] = frame->ss;
    core->s.gpr[X86_RSP] = frame->rsp;
}
