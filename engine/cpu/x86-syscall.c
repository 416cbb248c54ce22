/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* SYSCALL, SYSRET, SYSENTER, SYSEXIT.
 *
 * Intel SDM volume 2 (the four instructions), AMD APM volume 2 6.1 and volume 3 for what AMD
 * processors do otherwise: SYSCALL outside 64-bit mode exists there, SYSENTER in long mode does
 * not. The model's vendor decides. Thread: the CPU's own. */

#include "x86-system.h"

static bool
is_intel(const X86Core *core)
{
    return !g_str_equal(core->model->vendor, "AuthenticAMD") &&
           !g_str_equal(core->model->vendor, "HygonGenuine");
}

/* The flat segments these instructions load without reading a descriptor. */
static void
load_flat_code(X86Core *core, uint16_t selector, unsigned cpl, bool is_64)
{
    core->s.seg[X86_CS] = (X86Segment){
        .selector = (selector & ~3u) | cpl,
        .attr = X86_SEG_P | X86_SEG_S | X86_SEG_CODE | X86_SEG_R | X86_SEG_A | X86_SEG_G |
                cpl << X86_SEG_DPL_SHIFT | (is_64 ? X86_SEG_L : X86_SEG_DB),
        .limit = 0xffffffff,
    };
    x86_set_cpl(core, cpl);
}

static void
load_flat_stack(X86Core *core, uint16_t selector, unsigned cpl)
{
    core->s.seg[X86_SS] = (X86Segment){
        .selector = (selector & ~3u) | cpl,
        .attr = X86_SEG_P | X86_SEG_S | X86_SEG_W | X86_SEG_A | X86_SEG_G | X86_SEG_DB |
                cpl << X86_SEG_DPL_SHIFT,
        .limit = 0xffffffff,
    };
}

void
x86_syscall(X86Core *core)
{
    X86State *s = &core->s;
    bool from_64 = x86_code64(s);

    if (!(s->efer & X86_EFER_SCE) || x86_real_mode(s) || (!from_64 && is_intel(core))) {
        x86_fault(core, X86_EXC_UD);
    }
    uint16_t selector = s->star >> 32;
    s->gpr[X86_RCX] = from_64 ? core->next_rip : (uint32_t)core->next_rip;
    if (x86_long_mode(s)) {
        s->gpr[X86_R11] = s->rflags & ~(uint64_t)X86_FLAG_RF;
        s->rflags = ((s->rflags & ~s->sfmask) & ~(uint64_t)X86_FLAG_RF) | 2;
        core->next_rip = from_64 ? s->lstar : s->cstar;
    } else {
        s->rflags &= ~(uint64_t)(X86_FLAG_IF | X86_FLAG_RF | X86_FLAG_VM);
        core->next_rip = (uint32_t)s->star;
    }
    load_flat_code(core, selector, 0, x86_long_mode(s));
    load_flat_stack(core, selector + 8, 0);
}

void
x86_sysret(X86Core *core, unsigned operand_size)
{
    X86State *s = &core->s;
    bool from_64 = x86_code64(s);

    if (!(s->efer & X86_EFER_SCE) || x86_real_mode(s) || (!from_64 && is_intel(core))) {
        x86_fault(core, X86_EXC_UD);
    }
    bool to_64 = from_64 && operand_size == 8;
    if (s->cpl != 0 || (to_64 && is_intel(core) && !x86_is_canonical(core, s->gpr[X86_RCX]))) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    uint16_t selector = s->star >> 48;
    if (x86_long_mode(s)) {
        const uint64_t keep = X86_FLAGS_ARITH | X86_FLAG_TF | X86_FLAG_IF | X86_FLAG_DF |
                              X86_FLAG_IOPL | X86_FLAG_NT | X86_FLAG_AC | X86_FLAG_VIF |
                              X86_FLAG_VIP | X86_FLAG_ID;
        s->rflags = (s->gpr[X86_R11] & keep) | 2;
    } else {
        s->rflags |= X86_FLAG_IF;
    }
    core->next_rip = to_64 ? s->gpr[X86_RCX] : (uint32_t)s->gpr[X86_RCX];
    load_flat_code(core, selector + (to_64 ? 16 : 0), 3, to_64);
    load_flat_stack(core, selector + 8, 3);
}

static void
check_sysenter(X86Core *core)
{
    if (x86_long_mode(&core->s) && !is_intel(core)) {
        x86_fault(core, X86_EXC_UD);
    }
    if (x86_real_mode(&core->s) || !(core->s.sysenter_cs & 0xfffc)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
}

void
x86_sysenter(X86Core *core)
{
    X86State *s = &core->s;
    bool long_mode = x86_long_mode(s);

    check_sysenter(core);
    s->rflags &= ~(uint64_t)(X86_FLAG_VM | X86_FLAG_IF | X86_FLAG_RF);
    s->gpr[X86_RSP] = long_mode ? s->sysenter_esp : (uint32_t)s->sysenter_esp;
    core->next_rip = long_mode ? s->sysenter_eip : (uint32_t)s->sysenter_eip;
    load_flat_code(core, s->sysenter_cs, 0, long_mode);
    load_flat_stack(core, s->sysenter_cs + 8, 0);
}

void
x86_sysexit(X86Core *core, unsigned operand_size)
{
    X86State *s = &core->s;
    bool to_64 = operand_size == 8;

    check_sysenter(core);
    if (s->cpl != 0 || (to_64 && (!x86_is_canonical(core, s->gpr[X86_RCX]) ||
                                  !x86_is_canonical(core, s->gpr[X86_RDX])))) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    core->next_rip = to_64 ? s->gpr[X86_RDX] : (uint32_t)s->gpr[X86_RDX];
    s->gpr[X86_RSP] = to_64 ? s->gpr[X86_RCX] : (uint32_t)s->gpr[X86_RCX];
    load_flat_code(core, s->sysenter_cs + (to_64 ? 32 : 16), 3, to_64);
    load_flat_stack(core, s->sysenter_cs + (to_64 ? 40 : 24), 3);
}
