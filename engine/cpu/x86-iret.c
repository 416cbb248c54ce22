/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* IRET in every mode.
 *
 * Intel SDM volume 2 IRET (operation), volume 3 6.14.3 (64-bit), 7.4 (nested tasks), 21.2.2 and
 * 21.3 (v8086, VME), 6.7.1 (NMI blocking). Thread: the CPU's own. */

#include "x86-system.h"
#include "x86-log.h"

#define FLAGS_16   (X86_FLAGS_ARITH | X86_FLAG_TF | X86_FLAG_DF | X86_FLAG_NT)
#define FLAGS_HIGH (X86_FLAG_RF | X86_FLAG_AC | X86_FLAG_ID)

static void
iret_real(X86Core *core, unsigned size)
{
    uint64_t rip = x86_stack_read(core, 0, size);
    uint16_t selector = x86_stack_read(core, size, size);
    uint64_t flags = x86_stack_read(core, 2 * size, size);

    if (rip > core->s.seg[X86_CS].limit) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    core->s.nmi_blocked = false;
    x86_stack_adjust(core, 3 * size);
    x86_load_segment_real(core, X86_CS, selector);
    core->next_rip = rip;
    x86_write_flags(core, flags,
                    FLAGS_16 | X86_FLAG_IF | X86_FLAG_IOPL | (size == 4 ? FLAGS_HIGH : 0));
}

static void
iret_v8086(X86Core *core, unsigned size)
{
    X86State *s = &core->s;
    bool full = (s->rflags & X86_FLAG_IOPL) == X86_FLAG_IOPL;

    if (!full && (!(s->cr4 & X86_CR4_VME) || size != 2)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    uint64_t rip = x86_stack_read(core, 0, size);
    uint16_t selector = x86_stack_read(core, size, size);
    uint64_t flags = x86_stack_read(core, 2 * size, size);
    if (rip > s->seg[X86_CS].limit ||
        (!full &&
         ((flags & X86_FLAG_TF) || ((s->rflags & X86_FLAG_VIP) && (flags & X86_FLAG_IF))))) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    s->nmi_blocked = false;
    x86_stack_adjust(core, 3 * size);
    x86_load_segment_real(core, X86_CS, selector);
    core->next_rip = rip;
    if (full) {
        x86_write_flags(core, flags, FLAGS_16 | X86_FLAG_IF | (size == 4 ? FLAGS_HIGH : 0));
    } else {
        x86_write_flags(core, flags, FLAGS_16);
        s->rflags =
            (s->rflags & ~(uint64_t)X86_FLAG_VIF) | (flags & X86_FLAG_IF ? X86_FLAG_VIF : 0);
    }
}

static void
iret_nested_task(X86Core *core)
{
    X86State *s = &core->s;
    X86Descriptor desc;

    if (x86_long_mode(s)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    uint16_t selector = x86_read_system(core, s->tr.base, 2);
    if ((selector & 4) || x86_desc_is_null(selector) || !x86_desc_read(core, selector, 8, &desc) ||
        (desc.high & X86_SEG_S) ||
        (x86_desc_type(&desc) != X86_DESC_TSS16_BUSY &&
         x86_desc_type(&desc) != X86_DESC_TSS32_BUSY)) {
        x86_fault_code(core, X86_EXC_TS, x86_sel_error(selector));
    }
    if (!(desc.high & X86_SEG_P)) {
        x86_fault_code(core, X86_EXC_NP, x86_sel_error(selector));
    }
    s->nmi_blocked = false;
    x86_task_switch(core, &desc, X86_TASK_IRET, core->next_rip, false, 0);
}

static void
iret_to_v8086(X86Core *core, uint64_t rip, uint16_t selector, uint64_t flags)
{
    static const uint8_t order[] = { X86_ES, X86_DS, X86_FS, X86_GS };
    X86State *s = &core->s;
    uint32_t esp = x86_stack_read(core, 12, 4);
    uint16_t ss = x86_stack_read(core, 16, 4);
    uint16_t data[4];

    for (unsigned i = 0; i < 4; i++) {
        data[i] = x86_stack_read(core, 20 + 4 * i, 4);
    }
    if (rip > 0xffff) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    s->nmi_blocked = false;
    x86_write_flags(core, flags,
                    FLAGS_16 | FLAGS_HIGH | X86_FLAG_IF | X86_FLAG_IOPL | X86_FLAG_VM |
                        X86_FLAG_VIF | X86_FLAG_VIP);
    x86_load_segment_real(core, X86_CS, selector);
    x86_load_segment_real(core, X86_SS, ss);
    for (unsigned i = 0; i < 4; i++) {
        x86_load_segment_real(core, order[i], data[i]);
    }
    s->gpr[X86_RSP] = esp;
    x86_set_cpl(core, 3);
    core->next_rip = rip;
}

static uint64_t
writable_flags(const X86State *s, unsigned size)
{
    uint64_t writable = FLAGS_16 | (size >= 4 ? FLAGS_HIGH : 0);

    if (s->cpl <= (s->rflags & X86_FLAG_IOPL) >> 12) {
        writable |= X86_FLAG_IF;
    }
    if (s->cpl == 0) {
        writable |= X86_FLAG_IOPL | (size >= 4 ? X86_FLAG_VIF | X86_FLAG_VIP : 0);
    }
    return writable;
}

static void
iret_protected(X86Core *core, unsigned size)
{
    X86State *s = &core->s;
    uint64_t rip = x86_stack_read(core, 0, size);
    uint16_t selector = x86_stack_read(core, size, size);
    uint64_t flags = x86_stack_read(core, 2 * size, size);

    if ((flags & X86_FLAG_VM) && size == 4 && s->cpl == 0 && !x86_long_mode(s)) {
        iret_to_v8086(core, rip, selector, flags);
        return;
    }
    X86Descriptor code = x86_check_return_code(core, selector);
    X86Segment ss = s->seg[X86_SS];
    uint64_t rsp = s->gpr[X86_RSP] + 3 * size;
    if (x86_code64(s) || (selector & 3u) > s->cpl) {
        rsp = x86_stack_read(core, 3 * (int64_t)size, size);
        uint16_t ss_selector = x86_stack_read(core, 4 * (int64_t)size, size);
        ss = x86_check_return_stack(core, ss_selector, &code);
    }
    bool to_64 = x86_long_mode(s) && (code.high & X86_SEG_L);
    if (to_64 ? !x86_is_canonical(core, rip) : rip > x86_desc_segment(&code).limit) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    x86_desc_set_accessed(core, &code);
    s->nmi_blocked = false;
    uint64_t writable = writable_flags(s, size); /* by the privilege of the IRET itself */
    x86_commit_return(core, &code, &ss, rip, rsp);
    x86_write_flags(core, flags, writable);
}

void
x86_iret(X86Core *core, unsigned operand_size)
{
    X86State *s = &core->s;

    if (x86_log_wants(core, VIT_LOG_PCALL)) {
        x86_log_far(core, "iret", 0, 0);
    }
    if (x86_real_mode(s)) {
        iret_real(core, operand_size);
    } else if (x86_v8086(s)) {
        iret_v8086(core, operand_size);
    } else if (s->rflags & X86_FLAG_NT) {
        iret_nested_task(core);
    } else {
        iret_protected(core, operand_size);
    }
}
