/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* SIMD and MMX instructions by the host's own (x86-vector.h): one handler for all rows whose
 * operands say everything. It checks availability, brings the memory operand within reach of the
 * stub, runs it and commits what is not already in place.
 *
 * Vector results go straight into X86State: nothing after the stub can fault but the store of a
 * memory result, and such rows write no register.
 *
 * Intel SDM volume 1 chapters 9 to 14, volume 2 section 2.6 (exception classes).
 * Thread: the CPU's own.
 */

#include "x86-exec.h"
#include "x86-fpu.h"
#include "x86-operand.h"
#include "x86-vector.h"

/* Legacy 16-byte operands must be aligned, unless AMD's MXCSR.MM relaxes it; the moves whose name
 * says "aligned" and the non-temporal ones never relax. */
static bool
is_strict_move(const X86OpRow *row)
{
    if (row->encoding != X86_ENC_LEGACY) {
        return true;
    }
    if (row->map == X86_MAP_0F) {
        return row->opcode == 0x28 || row->opcode == 0x29 || row->opcode == 0x2b ||
               row->opcode == 0x6f || row->opcode == 0x7f || row->opcode == 0xe7;
    }
    return row->map == X86_MAP_0F38 && row->opcode == 0x2a; /* MOVNTDQA */
}

static void
check_alignment(X86Core *core, const X86Insn *insn, uint64_t offset, unsigned size)
{
    if (!(x86_linear_unchecked(core, insn->segment, offset) & (size - 1))) {
        return;
    }
    if ((core->s.mxcsr & X86_MXCSR_MM) && !is_strict_move(insn->row)) {
        return;
    }
    x86_fault_code(core, X86_EXC_GP, 0);
}

static inline uint64_t
read_gpr(const X86Core *core, const X86Insn *insn, unsigned source, unsigned fixed)
{
    switch (source) {
    case X86_GPR_REG: return core->s.gpr[insn->reg];
    case X86_GPR_RM: return core->s.gpr[insn->rm];
    case X86_GPR_VVVV: return core->s.gpr[insn->vvvv];
    default: return core->s.gpr[fixed];
    }
}

static inline void
write_gpr(X86Core *core, const X86Insn *insn, unsigned source, unsigned fixed, uint64_t value)
{
    switch (source) {
    case X86_GPR_REG: core->s.gpr[insn->reg] = value; break;
    case X86_GPR_RM: core->s.gpr[insn->rm] = value; break;
    case X86_GPR_VVVV: core->s.gpr[insn->vvvv] = value; break;
    default: core->s.gpr[fixed] = value; break;
    }
}

static void
commit_gprs(X86Core *core, const X86Insn *insn, const X86VectorPlan *plan, const X86StubCall *call)
{
    for (unsigned i = 0; i < X86_STUB_GPR_LAST; i++) {
        if (plan->gpr_out[i] != X86_GPR_NONE) {
            write_gpr(core, insn, plan->gpr_out[i], i, call->gpr[i]);
        }
    }
}

/* An MMX operand has turned the x87 state to MMX by then. */
static _Noreturn void
simd_fault(X86Core *core, const X86VectorPlan *plan, X86HostFault fault, uint32_t mxcsr)
{
    if (fault == X86_HOST_FAULT_UNDEFINED) {
        x86_fault(core, X86_EXC_UD);
    }
    core->s.mxcsr = mxcsr;
    if (plan->uses_mmx) {
        x86_mmx_enter(core);
    }
    x86_fault(core, core->s.cr4 & X86_CR4_OSXMMEXCPT ? X86_EXC_XM : X86_EXC_UD);
}

/* The register in imm8[7:4]; other rows never look at it. */
static inline const X86Vector *
is4_reg(const X86Core *core, const X86Insn *insn)
{
    return &core->s.zmm[insn->imm >> 4 & (insn->code_size == 8 ? 15 : 7)];
}

static bool
simd_begin(X86Core *core, const X86Insn *insn, const X86VectorPlan *plan)
{
    if (insn->encoding == X86_ENC_VEX) {
        x86_avx_check(core);
    } else if (plan->uses_vec) {
        x86_sse_check(core);
    }
    return !plan->uses_mmx || x86_mmx_begin(core);
}

/* The MMX registers a stub wrote get an all-ones exponent. */
static void
mmx_commit(X86Core *core, const X86Insn *insn, const X86VectorPlan *plan)
{
    x86_mmx_enter(core);
    if (plan->writes_mmx_reg) {
        core->s.fpu.st[insn->reg & 7].sign_exponent = 0xffff;
    }
    if (plan->writes_mmx_rm) {
        core->s.fpu.st[insn->rm & 7].sign_exponent = 0xffff;
    }
}

/* The stub's memory operand: guest memory itself where that is possible, else BUFFER, filled if it
 * is read. Host instructions of the legacy encodings want 16-byte operands aligned whatever the
 * guest may do, so an unaligned one goes through BUFFER too. */
static void *
memory_operand(X86Core *core, const X86Insn *insn, const X86VectorPlan *plan, uint64_t offset,
               X86Vector *buffer)
{
    unsigned size = plan->memory_size;
    bool write = plan->memory_access & X86_ACC_W;
    void *host;

    if (insn->row->flags & X86_ROW_ALIGN) {
        check_alignment(core, insn, offset, size);
    }
    host = x86_direct_operand(core, insn->segment, offset, size, write);
    if (host && !(plan->needs_alignment && ((uintptr_t)host & 15))) {
        return host;
    }
    x86_check_operand_alignment(core, insn->segment, offset, size, MIN(size, 16), write);
    if (write) {
        x86_probe_write(core, insn->segment, offset, size); /* #PF before #XM */
    } else {
        x86_read_bytes(core, insn->segment, offset, buffer, size);
    }
    return buffer;
}

static inline void
load_gprs(const X86Core *core, const X86Insn *insn, const X86VectorPlan *plan, X86StubCall *call)
{
    for (unsigned i = 0; i < X86_STUB_GPR_LAST; i++) {
        if (plan->gpr_in[i] != X86_GPR_NONE) {
            call->gpr[i] = read_gpr(core, insn, plan->gpr_in[i], i);
        }
    }
}

/* The stub has stored 256 bits of what it wrote. */
static void
clear_above_ymm(X86Core *core, const X86Insn *insn)
{
    const X86OpRow *row = insn->row;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(row->operand); i++) {
        const X86Operand *op = &row->operand[i];
        int number = !(op->access & X86_ACC_W)                       ? -1
                     : op->kind == X86_OP_VEC_REG                    ? insn->reg
                     : op->kind == X86_OP_VEC_VVVV                   ? insn->vvvv
                     : op->kind == X86_OP_VEC_FIXED0                 ? 0
                     : op->kind == X86_OP_VEC_RM && !insn->is_memory ? insn->rm
                                                                     : -1;

        if (number >= 0) {
            memset(core->s.zmm[number].u8 + 32, 0, 32);
        }
    }
}

void
x86_exec_simd(X86Core *core, const X86Insn *insn)
{
    const X86VectorPlan *plan = x86_vector_plan(core->vector_unit, insn);
    X86StubCall call;
    X86Vector buffer;
    uint64_t offset = 0;
    X86HostFault fault;
    void *rm, *reg;

    if (!simd_begin(core, insn, plan)) {
        return;
    }
    if (plan->memory_size) {
        offset = x86_ea(core, insn);
        rm = memory_operand(core, insn, plan, offset, &buffer);
    } else {
        rm = plan->rm_is_mmx ? (void *)x86_mmx_reg(core, insn->rm & 7)
                             : (void *)&core->s.zmm[insn->rm];
    }
    reg = plan->reg_is_mmx ? (void *)x86_mmx_reg(core, insn->reg & 7)
                           : (void *)&core->s.zmm[insn->reg];
    if (plan->any_gpr) {
        load_gprs(core, insn, plan, &call);
    }
    call.mxcsr = core->s.mxcsr;
    call.host_mxcsr = X86_MXCSR_DEFAULT;
    fault =
        plan->simd(&call, rm, &core->s.zmm[insn->vvvv], is4_reg(core, insn), reg, &core->s.zmm[0]);
    if (fault != X86_HOST_FAULT_NONE) {
        simd_fault(core, plan, fault, call.mxcsr);
    }
    if (rm == &buffer && (plan->memory_access & X86_ACC_W)) {
        x86_write_bytes(core, insn->segment, offset, &buffer, plan->memory_size);
    }
    if (insn->row->flags & X86_ROW_FP_EXC) {
        core->s.mxcsr = call.mxcsr;
    }
    if (plan->any_gpr) {
        commit_gprs(core, insn, plan, &call);
    }
    if (insn->row->flags_written) {
        core->s.rflags =
            (core->s.rflags & ~(uint64_t)X86_FLAGS_ARITH) | (call.flags & X86_FLAGS_ARITH);
    }
    if (plan->uses_mmx) {
        mmx_commit(core, insn, plan);
    }
    if (plan->writes_vex && (core->s.xcr0 & X86_XSTATE_ZMM_HI256)) {
        clear_above_ymm(core, insn);
    }
}

/* Where W chooses a quadword that only 64-bit code has. */
void
x86_exec_simd_w0(X86Core *core, const X86Insn *insn)
{
    if (insn->rex_w && insn->code_size != 8) {
        x86_fault(core, X86_EXC_UD);
    }
    x86_exec_simd(core, insn);
}

/* EMMS, FEMMS: all x87 registers empty. */
void
x86_exec_emms(X86Core *core, const X86Insn *insn)
{
    if (x86_mmx_begin(core)) {
        x86_mmx_enter(core); /* it clears TOP as well */
        core->s.fpu.ftw = 0;
    }
}

static void
zero_upper(X86Core *core, unsigned keep_bytes)
{
    unsigned count = x86_code64(&core->s) ? 16 : 8;

    x86_avx_check(core);
    for (unsigned i = 0; i < count; i++) {
        memset(core->s.zmm[i].u8 + keep_bytes, 0, sizeof(X86Vector) - keep_bytes);
    }
}

void
x86_exec_vzero(X86Core *core, const X86Insn *insn)
{
    zero_upper(core, insn->vex_l ? 0 : 16); /* L = 1 is VZEROALL */
}

void
x86_exec_ldmxcsr(X86Core *core, const X86Insn *insn)
{
    uint32_t value;

    if (insn->encoding == X86_ENC_VEX) {
        x86_avx_check(core);
    } else {
        x86_sse_check(core);
    }
    value = (uint32_t)x86_read(core, insn->segment, x86_ea(core, insn), 4);
    if (value & ~x86_mxcsr_mask(core)) {
        x86_fault_code(core, X86_EXC_GP, 0);
    }
    core->s.mxcsr = value;
}

void
x86_exec_stmxcsr(X86Core *core, const X86Insn *insn)
{
    if (insn->encoding == X86_ENC_VEX) {
        x86_avx_check(core);
    } else {
        x86_sse_check(core);
    }
    x86_write(core, insn->segment, x86_ea(core, insn), core->s.mxcsr, 4);
}
