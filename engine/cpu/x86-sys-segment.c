/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Instructions on segment registers and descriptor tables.
 *
 * Intel SDM volume 2: MOV, PUSH, POP, LDS..., ARPL, BOUND, SLDT, STR, LLDT, LTR, VERR, VERW, LAR,
 * LSL, SGDT, SIDT, LGDT, LIDT; volume 3 2.5 (UMIP), 6.8.3 (blocking after an SS load).
 * Thread: the CPU's own. */

#include "x86-exec.h"
#include "x86-system.h"

#include "x86-svm.h"
#include "x86-sys.h"

/* ---- Segment registers ---- */

static unsigned
fixed_segment(const X86Insn *insn, unsigned operand)
{
    return insn->row->operand[operand].fixed;
}

void
x86_exec_push_seg(X86Core *core, const X86Insn *insn)
{
    x86_push(core, core->s.seg[fixed_segment(insn, 1)].selector, insn->operand_size);
}

void
x86_exec_pop_seg(X86Core *core, const X86Insn *insn)
{
    unsigned segment = fixed_segment(insn, 0);
    uint16_t selector = x86_stack_read(core, 0, insn->operand_size);
    uint64_t mask = x86_stack_mask(core); /* the width the old SS gives */
    uint64_t rsp = core->s.gpr[X86_RSP];

    x86_load_segment(core, segment, selector);
    core->s.gpr[X86_RSP] = (mask == 0xffff ? rsp & ~mask : 0) | ((rsp + insn->operand_size) & mask);
    if (segment == X86_SS) {
        core->s.interrupt_shadow = true;
    }
}

void
x86_exec_mov_from_seg(X86Core *core, const X86Insn *insn)
{
    unsigned segment = (insn->modrm >> 3) & 7;

    if (segment >= X86_SEG_LAST) {
        x86_fault(core, X86_EXC_UD);
    }
    uint16_t selector = core->s.seg[segment].selector;
    if (insn->is_memory) {
        x86_write(core, insn->segment, x86_ea(core, insn), selector, 2);
    } else {
        x86_reg_write(core, insn, insn->rm, selector, insn->operand_size);
    }
}

void
x86_exec_mov_to_seg(X86Core *core, const X86Insn *insn)
{
    unsigned segment = (insn->modrm >> 3) & 7;

    if (segment >= X86_SEG_LAST || segment == X86_CS) {
        x86_fault(core, X86_EXC_UD);
    }
    x86_load_segment(core, segment, x86_sys_read_e16(core, insn));
    if (segment == X86_SS) {
        core->s.interrupt_shadow = true;
    }
}

void
x86_exec_lxs(X86Core *core, const X86Insn *insn)
{
    uint64_t ea = x86_ea(core, insn);
    unsigned size = insn->operand_size;
    uint64_t offset = x86_read(core, insn->segment, ea, size);
    uint16_t selector = x86_read(core, insn->segment, x86_sys_wrap(insn, ea + size), 2);

    x86_load_segment(core, fixed_segment(insn, 1), selector);
    x86_reg_write(core, insn, insn->reg, offset, size);
}

void
x86_exec_bound(X86Core *core, const X86Insn *insn)
{
    unsigned size = insn->operand_size;
    uint64_t ea = x86_ea(core, insn);
    uint64_t lower = x86_read(core, insn->segment, ea, size);
    uint64_t upper = x86_read(core, insn->segment, x86_sys_wrap(insn, ea + size), size);
    uint64_t index = x86_reg_read(core, insn, insn->reg, size);
    bool inside = size == 2 ? (int16_t)index >= (int16_t)lower && (int16_t)index <= (int16_t)upper
                            : (int32_t)index >= (int32_t)lower && (int32_t)index <= (int32_t)upper;

    if (!inside) {
        x86_fault(core, X86_EXC_BR);
    }
}

static void
set_zf(X86Core *core, bool set)
{
    core->s.rflags = (core->s.rflags & ~(uint64_t)X86_FLAG_ZF) | (set ? X86_FLAG_ZF : 0);
}

void
x86_exec_arpl(X86Core *core, const X86Insn *insn)
{
    uint16_t rpl = x86_reg_read(core, insn, insn->reg, 2) & 3;

    if (insn->is_memory) {
        uint64_t offset = x86_ea(core, insn);
        uint16_t selector = x86_read(core, insn->segment, offset, 2);
        bool raise = (selector & 3) < rpl;
        if (raise) { /* only then does it need the right to write */
            x86_write(core, insn->segment, offset, (selector & ~3u) | rpl, 2);
        }
        set_zf(core, raise);
    } else {
        uint16_t selector = x86_reg_read(core, insn, insn->rm, 2);
        bool raise = (selector & 3) < rpl;
        if (raise) {
            x86_reg_write(core, insn, insn->rm, (selector & ~3u) | rpl, 2);
        }
        set_zf(core, raise);
    }
}

/* ---- LDTR, TR ---- */

void
x86_exec_sldt(X86Core *core, const X86Insn *insn)
{
    x86_sys_check_umip(core);
    x86_svm_check(core, SVM_EXIT_LDTR_READ);
    x86_sys_write_selector(core, insn, core->s.ldtr.selector);
}

void
x86_exec_str(X86Core *core, const X86Insn *insn)
{
    x86_sys_check_umip(core);
    x86_svm_check(core, SVM_EXIT_TR_READ);
    x86_sys_write_selector(core, insn, core->s.tr.selector);
}

void
x86_exec_lldt(X86Core *core, const X86Insn *insn)
{
    x86_sys_check_cpl0(core);
    x86_svm_check(core, SVM_EXIT_LDTR_WRITE);
    x86_load_ldt(core, x86_sys_read_e16(core, insn), X86_EXC_GP);
}

void
x86_exec_ltr(X86Core *core, const X86Insn *insn)
{
    x86_sys_check_cpl0(core);
    x86_svm_check(core, SVM_EXIT_TR_WRITE);
    x86_load_tr(core, x86_sys_read_e16(core, insn));
}

/* ---- Questions about selectors ---- */

void
x86_exec_verr(X86Core *core, const X86Insn *insn)
{
    set_zf(core, x86_verify(core, x86_sys_read_e16(core, insn), false));
}

void
x86_exec_verw(X86Core *core, const X86Insn *insn)
{
    set_zf(core, x86_verify(core, x86_sys_read_e16(core, insn), true));
}

void
x86_exec_lar(X86Core *core, const X86Insn *insn)
{
    uint32_t rights;
    bool good = x86_lar(core, x86_sys_read_e16(core, insn), &rights);

    if (good) {
        x86_reg_write(core, insn, insn->reg, rights, insn->operand_size);
    }
    set_zf(core, good);
}

void
x86_exec_lsl(X86Core *core, const X86Insn *insn)
{
    uint32_t limit;
    bool good = x86_lsl(core, x86_sys_read_e16(core, insn), &limit);

    if (good) {
        x86_reg_write(core, insn, insn->reg, limit, insn->operand_size);
    }
    set_zf(core, good);
}

/* ---- GDTR, IDTR ---- */

static void
store_table(X86Core *core, const X86Insn *insn, const X86TableReg *table, unsigned exit_code)
{
    uint8_t image[10];
    unsigned len = x86_code64(&core->s) ? 10 : 6;

    x86_sys_check_umip(core);
    x86_svm_check(core, exit_code);
    x86_host_store(image, table->limit, 2);
    x86_host_store(image + 2, table->base, 8);
    x86_write_bytes(core, insn->segment, x86_ea(core, insn), image, len);
}

static void
load_table(X86Core *core, const X86Insn *insn, X86TableReg *table, unsigned exit_code)
{
    uint8_t image[10] = { 0 };
    bool is_64 = x86_code64(&core->s);

    x86_sys_check_cpl0(core);
    x86_svm_check(core, exit_code);
    x86_read_bytes(core, insn->segment, x86_ea(core, insn), image, is_64 ? 10 : 6);
    uint64_t base = x86_host_load(image + 2, 8);
    if (is_64 && !x86_is_canonical(core, base)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    if (!is_64) {
        base = insn->operand_size == 2 ? base & 0xffffff : (uint32_t)base;
    }
    table->limit = x86_host_load(image, 2);
    table->base = base;
}

void
x86_exec_sgdt(X86Core *core, const X86Insn *insn)
{
    store_table(core, insn, &core->s.gdtr, SVM_EXIT_GDTR_READ);
}

void
x86_exec_sidt(X86Core *core, const X86Insn *insn)
{
    store_table(core, insn, &core->s.idtr, SVM_EXIT_IDTR_READ);
}

void
x86_exec_lgdt(X86Core *core, const X86Insn *insn)
{
    load_table(core, insn, &core->s.gdtr, SVM_EXIT_GDTR_WRITE);
}

void
x86_exec_lidt(X86Core *core, const X86Insn *insn)
{
    load_table(core, insn, &core->s.idtr, SVM_EXIT_IDTR_WRITE);
}
