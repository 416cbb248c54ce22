/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Stubs: the host's own instruction behind a C call, for SIMD and x87.
 *
 * x86_vector_plan() gives, for a decoded instruction, a piece of host code that executes the same
 * opcode with its registers mapped to fixed host registers and its memory operand replaced by a
 * host buffer, and a digest of the row's operand roles so that the caller need not walk them
 * again. Plans are cached; guest register numbers are not part of a plan, operands go by pointer.
 *
 * Thread: a unit belongs to one CPU and is used by that CPU's thread.
 */

#include "x86-host-fault.h"
#include "x86-interp.h"

typedef struct X86VectorUnit X86VectorUnit;

/* General registers a stub works with, and where they sit in X86StubCall.gpr. */
enum { X86_STUB_RAX, X86_STUB_RCX, X86_STUB_RDX, X86_STUB_GPR_LAST };

/* What travels beside the vector operands. The stubs know these offsets. */
typedef struct X86StubCall {
    uint64_t gpr[X86_STUB_GPR_LAST];
    uint64_t flags; /* RFLAGS in (x87 conditional moves) and out */
    uint32_t mxcsr; /* the guest's, in and out */
    uint32_t host_mxcsr;
} X86StubCall;

/* SIMD: where the instruction faults nothing is stored but call->mxcsr, and that only of rows with
 * X86_ROW_FP_EXC. */
typedef X86HostFault (*X86SimdStub)(X86StubCall *call, void *rm, void *vvvv, const void *is4,
                                    void *reg, void *fixed0);
/* EVEX: works on the registers where they are in the state. */
typedef X86HostFault (*X86EvexStub)(X86StubCall *call, void *memory, X86Vector *zmm, void *unused,
                                    uint64_t *opmask);
/* x87: runs on the image in FPU. */
typedef void (*X86X87Stub)(X86StubCall *call, void *memory, X86Fpu *fpu);

enum { X86_GPR_NONE, X86_GPR_REG, X86_GPR_RM, X86_GPR_VVVV, X86_GPR_FIXED };

typedef struct X86VectorPlan {
    uint64_t key;
    union {
        X86SimdStub simd;
        X86EvexStub evex;
        X86X87Stub x87;
    };
    uint8_t memory_size;                /* bytes; 0 = no memory operand */
    uint8_t memory_access;              /* X86_ACC_* */
    uint8_t gpr_in[X86_STUB_GPR_LAST];  /* X86_GPR_*: loaded before */
    uint8_t gpr_out[X86_STUB_GPR_LAST]; /* X86_GPR_*: committed after */
    bool any_gpr;
    bool needs_alignment; /* host instruction that faults on unaligned memory */
    bool uses_mmx, uses_vec;
    bool reg_is_mmx, rm_is_mmx;
    bool writes_mmx_reg, writes_mmx_rm;
    bool writes_vex; /* a vector register, whose bits above 255 VEX clears */
} X86VectorPlan;

/* Ownership: caller, who frees it. Installs the host fault hook (x86-host-fault.h). */
X86VectorUnit *x86_vector_unit_new(GError **error);
void x86_vector_unit_free(X86VectorUnit *unit);

/* The plan for INSN, whose row is of class VEC or X87 and names its operands. Valid until the next
 * call with the same unit. */
const X86VectorPlan *x86_vector_plan(X86VectorUnit *unit, const X86Insn *insn);

/* Bytes of an operand of size SIZE (plain or X86_SZ_VEC..) in INSN. */
unsigned x86_vector_operand_bytes(const X86Insn *insn, uint8_t size);
