/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* x87 instructions by the host's x87 unit (x86-vector.h): the guest's image is loaded, the same
 * opcode runs with its memory operand in host memory, the image is stored again. Status bits,
 * stack faults, precision control and unmasked responses are thereby the hardware's. What is left
 * for us are the pointers to the last instruction and operand, which must be the guest's.
 *
 * Intel SDM volume 1 chapter 8, volume 2. Thread: the CPU's own.
 */

#include "x86-exec.h"
#include "x86-fpu.h"
#include "x86-operand.h"
#include "x86-vector.h"

/* Loads the image, runs, stores it. The pointers to instruction and operand, which the host sets to
 * its own, become the guest's: every instruction that comes here notes itself, and those with a
 * memory operand note that. */
static void
run(X86Core *core, const X86Insn *insn, const X86VectorPlan *plan, void *operand, uint64_t offset)
{
    X86StubCall call = { .flags = core->s.rflags };
    X86Fpu *fpu = &core->s.fpu;
    uint64_t fdp = fpu->fdp;
    /* An error that the board lets the CPU ignore must not stop the host's unit. */
    uint16_t ignored = fpu->fsw & X86_FSW_ES ? fpu->fsw & X86_FSW_EXCEPTIONS : 0;

    if (ignored) {
        fpu->fsw &= (uint16_t) ~(X86_FSW_EXCEPTIONS | X86_FSW_ES | X86_FSW_B);
    }
    fpu->mxcsr = X86_MXCSR_DEFAULT; /* the host's, while the image is loaded */
    plan->x87(&call, operand, fpu);
    fpu->mxcsr_mask = 0; /* the host's is no part of the state */
    if (ignored) {
        fpu->fsw |= ignored;
        x86_fpu_update_summary(fpu);
    }
    fpu->fop = (uint16_t)((insn->opcode & 7) << 8 | insn->modrm);
    fpu->fip = core->s.rip;
    fpu->fcs = core->s.seg[X86_CS].selector;
    if (operand) {
        fpu->fdp = offset;
        fpu->fds = core->s.seg[insn->segment].selector;
    } else {
        fpu->fdp = fdp;
    }
    if (insn->row->flags_written) {
        core->s.rflags =
            (core->s.rflags & ~(uint64_t)X86_FLAGS_ARITH) | (call.flags & X86_FLAGS_ARITH);
    }
}

/* An operand that is not to be reached directly, piece by piece as the unit does it: ten bytes are
 * eight and two, the latter at an offset that wraps for itself. */
typedef enum Transfer { TRANSFER_READ, TRANSFER_PROBE, TRANSFER_WRITE } Transfer;

static void
transfer(X86Core *core, const X86Insn *insn, uint64_t offset, unsigned size, uint8_t *buffer,
         Transfer how)
{
    for (unsigned done = 0; done < size; done += 8) {
        unsigned len = MIN(size - done, 8);
        uint64_t at = x86_wrap(insn, offset + done);

        switch (how) {
        case TRANSFER_READ: x86_read_bytes(core, insn->segment, at, buffer + done, len); break;
        case TRANSFER_PROBE: x86_probe_write(core, insn->segment, at, len); break;
        case TRANSFER_WRITE: x86_write_bytes(core, insn->segment, at, buffer + done, len); break;
        }
    }
}

/* A store whose operand is out of reach: into a buffer first. The unit stores nothing when an
 * exception that precedes the store is unmasked; the buffer then keeps what was in it, which two
 * runs with different fillings would show, but so does the status word. */
static void
run_store(X86Core *core, const X86Insn *insn, const X86VectorPlan *plan, uint64_t offset)
{
    uint8_t buffer[16];
    uint16_t before = core->s.fpu.fsw & X86_FSW_EXCEPTIONS;
    uint16_t raised;

    transfer(core, insn, offset, plan->memory_size, buffer, TRANSFER_PROBE);
    core->s.fpu.fsw &= (uint16_t)~X86_FSW_EXCEPTIONS;
    run(core, insn, plan, buffer, offset);
    raised = core->s.fpu.fsw & (uint16_t)~core->s.fpu.fcw & X86_FSW_STORE_FAULTS;
    core->s.fpu.fsw |= before;
    x86_fpu_update_summary(&core->s.fpu);
    if (!raised) {
        transfer(core, insn, offset, plan->memory_size, buffer, TRANSFER_WRITE);
    }
}

void
x86_exec_x87(X86Core *core, const X86Insn *insn)
{
    const X86VectorPlan *plan;
    uint64_t offset;
    void *operand;
    uint8_t buffer[16];

    if (!x86_x87_begin(core)) {
        return;
    }
    plan = x86_vector_plan(core->vector_unit, insn);
    if (!plan->memory_size) {
        run(core, insn, plan, NULL, 0);
        return;
    }
    offset = x86_ea(core, insn);
    operand = x86_direct_operand(core, insn->segment, offset, plan->memory_size,
                                 plan->memory_access & X86_ACC_W);
    if (operand) {
        run(core, insn, plan, operand, offset);
        return;
    }
    x86_check_operand_alignment(core, insn->segment, offset, MIN(plan->memory_size, 8),
                                MIN(plan->memory_size, 8), plan->memory_access & X86_ACC_W);
    if (plan->memory_access & X86_ACC_W) {
        run_store(core, insn, plan, offset);
    } else {
        transfer(core, insn, offset, plan->memory_size, buffer, TRANSFER_READ);
        run(core, insn, plan, buffer, offset);
    }
}

void
x86_exec_fwait(X86Core *core, const X86Insn *insn)
{
    const uint64_t both = X86_CR0_MP | X86_CR0_TS;

    if ((core->s.cr0 & both) == both) {
        x86_fault(core, X86_EXC_NM);
    }
    x86_fpu_wait(core);
}

/* FNENI, FNDISI, FNSETPM: meant for the 8087 and 80287, nothing since. */
void
x86_exec_fnop_control(X86Core *core, const X86Insn *insn)
{
    x86_x87_check(core);
}

void
x86_exec_fnclex(X86Core *core, const X86Insn *insn)
{
    x86_x87_check(core);
    core->s.fpu.fsw &= (uint16_t) ~(X86_FSW_EXCEPTIONS | X86_FSW_SF | X86_FSW_ES | X86_FSW_B);
}

void
x86_exec_fninit(X86Core *core, const X86Insn *insn)
{
    x86_x87_check(core);
    x86_fpu_init(&core->s.fpu);
}

void
x86_exec_fldcw(X86Core *core, const X86Insn *insn)
{
    uint16_t value;

    if (!x86_x87_begin(core)) {
        return;
    }
    value = (uint16_t)x86_read(core, insn->segment, x86_ea(core, insn), 2);
    core->s.fpu.fcw = x86_fpu_clean_control(value);
    x86_fpu_update_summary(&core->s.fpu);
}

void
x86_exec_fnstcw(X86Core *core, const X86Insn *insn)
{
    x86_x87_check(core);
    x86_write(core, insn->segment, x86_ea(core, insn), core->s.fpu.fcw, 2);
}

void
x86_exec_fnstsw_m(X86Core *core, const X86Insn *insn)
{
    x86_x87_check(core);
    x86_write(core, insn->segment, x86_ea(core, insn), core->s.fpu.fsw, 2);
}

void
x86_exec_fnstsw_ax(X86Core *core, const X86Insn *insn)
{
    x86_x87_check(core);
    x86_reg_write(core, insn, X86_RAX, core->s.fpu.fsw, 2);
}
