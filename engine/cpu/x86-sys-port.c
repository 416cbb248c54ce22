/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Ports: the permission check, IN, OUT, INS, OUTS.
 *
 * Intel SDM volume 1 chapter 18 (18.5 protection), volume 3 7.2.2 (I/O map base), volume 2 of the
 * instructions. REP INS and OUTS do items until an event is pending and may stop between items
 * with all registers telling what is left. Thread: the CPU's own. */

#include "x86-svm.h"
#include "x86-sys.h"
#include "x86-log.h"

void
x86_check_io(X86Core *core, uint16_t port, unsigned size)
{
    const X86State *s = &core->s;

    if (x86_real_mode(s)) {
        return;
    }
    if (!x86_v8086(s) && s->cpl <= (s->rflags & X86_FLAG_IOPL) >> 12) {
        return;
    }
    bool tss32 = (s->tr.attr >> X86_SEG_TYPE_SHIFT) & 8;
    if (!(s->tr.attr & X86_SEG_P) || !tss32 || s->tr.limit < 103) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    uint32_t place = (uint32_t)x86_read_system(core, s->tr.base + 102, 2) + port / 8;
    if (place + 1 > s->tr.limit) { /* two bytes are always read */
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    uint32_t bits = x86_read_system(core, s->tr.base + place, 2);
    if (bits >> (port & 7) & ((1u << size) - 1)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
}

uint32_t
x86_port_read(X86Core *core, uint16_t port, unsigned size)
{
    uint64_t value = UINT64_MAX;

    vit_address_space_read(core->cpu->host->io, port, size, &value);
    if (x86_log_wants(core, VIT_LOG_IOPORT | VIT_LOG_TRACE)) {
        x86_log_port(core, false, port, size, value);
    }
    if (core->mmu->watching) {
        x86_debug_note_io(core, port, size);
    }
    return value;
}

void
x86_port_write(X86Core *core, uint16_t port, uint32_t value, unsigned size)
{
    if (x86_log_wants(core, VIT_LOG_IOPORT | VIT_LOG_TRACE)) {
        x86_log_port(core, true, port, size, value);
    }
    vit_address_space_write(core->cpu->host->io, port, size, value);
    if (core->mmu->watching) {
        x86_debug_note_io(core, port, size);
    }
}

static unsigned
port_size(const X86Insn *insn)
{
    return insn->operand_size > 4 ? 4 : insn->operand_size;
}

static void
in_to_accumulator(X86Core *core, const X86Insn *insn, uint16_t port)
{
    unsigned size = port_size(insn);

    x86_check_io(core, port, size);
    x86_svm_check_io(core, insn, port, size, true, false);
    x86_reg_write(core, insn, X86_RAX, x86_port_read(core, port, size), size);
}

static void
out_from_accumulator(X86Core *core, const X86Insn *insn, uint16_t port)
{
    unsigned size = port_size(insn);

    x86_check_io(core, port, size);
    x86_svm_check_io(core, insn, port, size, false, false);
    x86_port_write(core, port, x86_reg_read(core, insn, X86_RAX, size), size);
}

void
x86_exec_in_i(X86Core *core, const X86Insn *insn)
{
    in_to_accumulator(core, insn, insn->imm & 0xff);
}

void
x86_exec_in_dx(X86Core *core, const X86Insn *insn)
{
    in_to_accumulator(core, insn, core->s.gpr[X86_RDX]);
}

void
x86_exec_out_i(X86Core *core, const X86Insn *insn)
{
    out_from_accumulator(core, insn, insn->imm & 0xff);
}

void
x86_exec_out_dx(X86Core *core, const X86Insn *insn)
{
    out_from_accumulator(core, insn, core->s.gpr[X86_RDX]);
}

/* ---- Strings ---- */

static void
step_index(X86Core *core, const X86Insn *insn, unsigned reg, unsigned size)
{
    int64_t step = core->s.rflags & X86_FLAG_DF ? -(int64_t)size : (int64_t)size;

    x86_reg_write(core, insn, reg, core->s.gpr[reg] + step, insn->address_size);
}

static void
ins_item(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint16_t port = core->s.gpr[X86_RDX];
    uint64_t offset = x86_sys_wrap(insn, core->s.gpr[X86_RDI]);

    /* a page fault must come before the device gives its byte away */
    x86_probe_write(core, X86_ES, offset, size);
    x86_write(core, X86_ES, offset, x86_port_read(core, port, size), size);
    step_index(core, insn, X86_RDI, size);
}

static void
outs_item(X86Core *core, const X86Insn *insn, unsigned size)
{
    uint64_t offset = x86_sys_wrap(insn, core->s.gpr[X86_RSI]);

    x86_port_write(core, core->s.gpr[X86_RDX], x86_read(core, insn->segment, offset, size), size);
    step_index(core, insn, X86_RSI, size);
}

static void
repeat(X86Core *core, const X86Insn *insn, void (*item)(X86Core *, const X86Insn *, unsigned))
{
    unsigned size = port_size(insn);
    bool repeated = insn->rep || insn->repne;

    x86_check_io(core, core->s.gpr[X86_RDX], size);
    x86_svm_check_io(core, insn, core->s.gpr[X86_RDX], size, item == ins_item, true);
    if (repeated && !x86_sys_wrap(insn, core->s.gpr[X86_RCX])) {
        return;
    }
    if (!repeated) {
        item(core, insn, size);
        return;
    }
    for (;;) {
        item(core, insn, size);
        uint64_t left = x86_sys_wrap(insn, core->s.gpr[X86_RCX] - 1);
        x86_reg_write(core, insn, X86_RCX, left, insn->address_size);
        if (!left) {
            return;
        }
        if ((core->s.rflags & X86_FLAG_TF) || core->debug_pending || vit_cpu_events(core->cpu)) {
            core->next_rip = core->s.rip;
            return;
        }
    }
}

void
x86_exec_ins(X86Core *core, const X86Insn *insn)
{
    repeat(core, insn, ins_item);
}

void
x86_exec_outs(X86Core *core, const X86Insn *insn)
{
    repeat(core, insn, outs_item);
}
