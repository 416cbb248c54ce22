/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Vector and x87 registers between the guest's state and the host's registers: see fpstate.h.
 *
 * Intel SDM volume 1 sections 8.1.8 (pointers to the last x87 instruction and operand), 10.5
 * (FXSAVE), 13.5.
 * Known deviation: the pointers are told from the host's, which a host of AMD's loses when it runs
 * another program between two x87 instructions; they are then those of before (as under KVM there).
 * Thread: routines are made once; they run, and tcg_fp_settle() is called, on the CPU's own.
 */

#include "fpstate.h"

#include "x86-fpu.h"

#include <string.h>

static TcgMem
state(size_t offset)
{
    return tcg_mem(TCG_CTX, (int32_t)offset);
}

#define STATE(member) state(offsetof(X86State, member))
#define HOT(member)   tcg_mem(TCG_CTX, TCG_OFFSET(hot.member))

static TcgMem
vector(unsigned n)
{
    return state(offsetof(X86State, zmm) + n * sizeof(X86Vector));
}

/* One vector register from or to the state. */
static void
move_vector(TcgAsm *a, TcgVecLevel level, bool store, unsigned n)
{
    const TcgOp xmm = { .opcode =
                            (uint16_t)(X86_MAP_0F << 8 | (store ? 0x29 : 0x28)) }; /* MOVAPS */
    const TcgOp ymm = { .opcode = (uint16_t)(X86_MAP_0F << 8 | (store ? 0x7f : 0x6f)),
                        .prefix = 0x66 };                                     /* VMOVDQA */
    const TcgOp zmm = { .opcode = ymm.opcode, .prefix = 0x66, .wide = true }; /* VMOVDQA64 */

    switch (level) {
    case TCG_VEC_XMM: tcg_asm_op_rm(a, &xmm, n, vector(n)); break;
    case TCG_VEC_YMM: tcg_asm_vex_rm(a, &ymm, true, n, 0, vector(n)); break;
    default: tcg_asm_evex_rm(a, &zmm, &(TcgEvex){ .ll = 2, .disp_shift = 6 }, n, vector(n)); break;
    }
}

/* KMOVQ; W1. */
static void
move_mask(TcgAsm *a, bool store, unsigned n)
{
    const TcgOp op = { .opcode = (uint16_t)(X86_MAP_0F << 8 | (store ? 0x91 : 0x90)),
                       .wide = true };

    tcg_asm_vex_rm(a, &op, false, n, 0, state(offsetof(X86State, opmask) + n * 8));
}

static void
vzeroupper(TcgAsm *a)
{
    static const uint8_t bytes[] = { 0xc5, 0xf8, 0x77 };

    tcg_asm_bytes(a, bytes, sizeof(bytes));
}

/* Registers 0..15 as LEVEL has them, the others and the masks as there are. */
static void
move_vectors(TcgAsm *a, TcgVecLevel level, bool all_32, bool store)
{
    for (unsigned n = 0; n < 16; n++) {
        move_vector(a, level, store, n);
    }
    for (unsigned n = 16; n < 32 && all_32; n++) {
        move_vector(a, TCG_VEC_ZMM, store, n);
    }
    for (unsigned n = 0; n < 8 && all_32; n++) {
        move_mask(a, store, n);
    }
}

/* Gathers what the 16 registers of the state have above bit 127 and jumps to DIRTY unless it is
 * nothing. RCX and XMM0, XMM1 are used, flags are not. */
static void
jump_if_uppers_dirty(TcgAsm *a, TcgVecLevel level, TcgLabel *dirty)
{
    TcgLabel clean = { 0 };
    const TcgOp orps = { .opcode = X86_MAP_0F << 8 | 0x56 };
    const TcgOp extract = {
        .opcode = X86_MAP_0F3A << 8 | 0x19, .prefix = 0x66, .imm_size = 1, .value = 1
    };
    const TcgOp cmpeqb = { .opcode = X86_MAP_0F << 8 | 0x74, .prefix = 0x66 };
    const TcgOp movmskb = { .opcode = X86_MAP_0F << 8 | 0xd7, .prefix = 0x66 };
    const TcgOp xorps = { .opcode = X86_MAP_0F << 8 | 0x57 };

    tcg_asm_vex_rr(a, &xorps, false, 0, 0, 0);
    for (unsigned n = 0; n < 16; n++) {
        tcg_asm_vex_rm(a, &orps, true, 0, 0, vector(n));
    }
    tcg_asm_vex_rr(a, &extract, true, 0, 0, 0);
    if (level == TCG_VEC_ZMM) {
        tcg_asm_vex_rr(a, &xorps, false, 1, 1, 1);
        for (unsigned n = 0; n < 16; n++) {
            TcgMem high = vector(n);
            high.disp += 32;
            tcg_asm_vex_rm(a, &orps, true, 1, 1, high);
        }
        tcg_asm_vex_rr(a, &orps, false, 0, 0, 1);
        tcg_asm_vex_rr(a, &extract, true, 1, 0, 1);
        tcg_asm_vex_rr(a, &orps, false, 0, 0, 1);
    }
    tcg_asm_vex_rr(a, &xorps, false, 1, 1, 1);
    tcg_asm_vex_rr(a, &cmpeqb, false, 0, 0, 1);
    tcg_asm_vex_rr(a, &movmskb, false, X86_RCX, 0, 0);
    tcg_asm_lea(a, 4, X86_RCX, tcg_mem(X86_RCX, -0xffff));
    tcg_asm_jrcxz(a, &clean);
    tcg_asm_jmp(a, dirty);
    tcg_asm_bind(a, &clean);
}

/* LDMXCSR and STMXCSR are 0F AE /2 and /3; FXSAVE64 and FXRSTOR64 /0 and /1 with W. */
static void
control(TcgAsm *a, unsigned digit, bool wide, TcgMem mem)
{
    const TcgOp op = { .opcode = X86_MAP_0F << 8 | 0xae, .wide = wide };

    tcg_asm_op_rm(a, &op, digit, mem);
}

/* The host must know that upper halves are zero when they are: it then lets SSE instructions write
 * a register without waiting for what was in it. Loading zeros does not tell it; VZEROUPPER does.
 */
static void
make_vec_load(TcgAsm *a, TcgVecLevel level)
{
    TcgLabel dirty = { 0 }, done = { 0 };
    bool all_32 = level == TCG_VEC_ZMM;

    control(a, 3, false, HOT(host_mxcsr));
    control(a, 2, false, STATE(mxcsr));
    if (level == TCG_VEC_XMM) {
        move_vectors(a, level, false, false);
    } else {
        tcg_asm_push_r(a, X86_RCX);
        jump_if_uppers_dirty(a, level, &dirty);
        vzeroupper(a);
        move_vectors(a, TCG_VEC_XMM, all_32, false);
        tcg_asm_jmp(a, &done);
        tcg_asm_bind(a, &dirty);
        move_vectors(a, level, all_32, false);
        tcg_asm_bind(a, &done);
        tcg_asm_pop_r(a, X86_RCX);
    }
    tcg_asm_mov_mi(a, 1, HOT(vec_resident), (int32_t)level);
    tcg_asm_ret(a);
}

/* FXRSTOR loads XMM0..15 and MXCSR as well, so vectors that are resident go aside; the upper halves
 * stay. */
static void
make_x87_load(TcgAsm *a)
{
    TcgLabel no_vec = { 0 }, done = { 0 };

    tcg_asm_pushf(a);
    tcg_asm_push_r(a, X86_RAX);
    tcg_asm_mov_rm(a, 8, X86_RAX, STATE(fpu.fdp));
    tcg_asm_mov_mr(a, 8, HOT(x87_data), X86_RAX);
    tcg_asm_mov_mi(a, 4, HOT(x87_segment), X86_SEG_LAST);
    tcg_asm_pop_r(a, X86_RAX);
    control(a, 3, false, HOT(mxcsr_aside));
    tcg_asm_alu_mi(a, TCG_CMP, 1, HOT(vec_resident), 0);
    tcg_asm_jcc(a, TCG_E, &no_vec);
    for (unsigned n = 0; n < 16; n++) {
        move_vector(a, TCG_VEC_XMM, true, n);
    }
    control(a, 1, true, STATE(fpu));
    for (unsigned n = 0; n < 16; n++) {
        move_vector(a, TCG_VEC_XMM, false, n);
    }
    tcg_asm_jmp(a, &done);
    tcg_asm_bind(a, &no_vec);
    control(a, 1, true, STATE(fpu));
    tcg_asm_bind(a, &done);
    control(a, 2, false, HOT(mxcsr_aside));
    tcg_asm_mov_mi(a, 1, HOT(x87_resident), 1);
    tcg_asm_popf(a);
    tcg_asm_ret(a);
}

static void
make_spill(TcgAsm *a, TcgVecLevel most)
{
    static const uint8_t fninit[] = { 0xdb, 0xe3 };
    const TcgOp fnstenv = { .opcode = 0xd9 };
    TcgLabel no_x87 = { 0 }, no_vec = { 0 };

    tcg_asm_alu_mi(a, TCG_CMP, 1, HOT(x87_resident), 0);
    tcg_asm_jcc(a, TCG_E, &no_x87);
    control(a, 0, true, tcg_mem(TCG_CTX, TCG_OFFSET(x87_image)));
    tcg_asm_op_rm(a, &fnstenv, 6, HOT(x87_env));
    tcg_asm_bytes(a, fninit, sizeof(fninit));
    tcg_asm_mov_mi(a, 1, HOT(x87_unsettled), 1);
    tcg_asm_bind(a, &no_x87);
    tcg_asm_alu_mi(a, TCG_CMP, 1, HOT(vec_resident), 0);
    tcg_asm_jcc(a, TCG_E, &no_vec);
    control(a, 3, false, STATE(mxcsr));
    control(a, 2, false, HOT(host_mxcsr));
    for (unsigned level = most; level >= TCG_VEC_XMM; level--) {
        TcgLabel other = { 0 };

        /* Only levels that the host has can be met. */
        tcg_asm_alu_mi(a, TCG_CMP, 1, HOT(vec_resident), (int32_t)level);
        tcg_asm_jcc(a, TCG_NE, &other);
        move_vectors(a, level, level == TCG_VEC_ZMM, true);
        if (level != TCG_VEC_XMM) {
            vzeroupper(a);
        }
        tcg_asm_bind(a, &other);
    }
    tcg_asm_bind(a, &no_vec);
    tcg_asm_mov_mi(a, 2, HOT(vec_resident), 0); /* and x87_resident */
    tcg_asm_ret(a);
}

static void
make_reload(TcgAsm *a, TcgVecLevel most, const TcgThunks *t)
{
    TcgLabel no_x87 = { 0 };

    /* x87 first: nothing to put aside then. */
    tcg_asm_alu_mi(a, TCG_CMP, 1, HOT(x87_was_resident), 0);
    tcg_asm_jcc(a, TCG_E, &no_x87);
    tcg_asm_call_to(a, t->x87_load);
    tcg_asm_bind(a, &no_x87);
    for (unsigned level = TCG_VEC_XMM; level <= most; level++) {
        tcg_asm_alu_mi(a, TCG_CMP, 1, HOT(vec_was_resident), (int32_t)level);
        tcg_asm_jcc_to(a, TCG_E, t->vec_load[level]);
    }
    tcg_asm_ret(a);
}

_Static_assert(offsetof(TcgHot, x87_resident) == offsetof(TcgHot, vec_resident) + 1, "one word");
_Static_assert(offsetof(TcgHot, x87_was_resident) == offsetof(TcgHot, vec_was_resident) + 1,
               "one word");

void
tcg_fp_make_thunks(TcgMachine *machine, TcgAsm *a)
{
    TcgThunks *t = &machine->thunks;
    TcgVecLevel most = machine->host_has[X86_FEATURE_AVX512F] ? TCG_VEC_ZMM
                       : machine->host_has[X86_FEATURE_AVX]   ? TCG_VEC_YMM
                                                              : TCG_VEC_XMM;

    for (unsigned level = TCG_VEC_XMM; level <= most; level++) {
        tcg_asm_align(a, 16);
        t->vec_load[level] = tcg_asm_here(a);
        make_vec_load(a, level);
    }
    tcg_asm_align(a, 16);
    t->x87_load = tcg_asm_here(a);
    make_x87_load(a);
    tcg_asm_align(a, 16);
    t->fp_spill = tcg_asm_here(a);
    make_spill(a, most);
    tcg_asm_align(a, 16);
    t->fp_reload = tcg_asm_here(a);
    make_reload(a, most, t);
}

/* FOP of the x87 instruction at BYTES, of which LEN are there. */
static uint16_t
opcode_of(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i + 1 < MIN(len, 14); i++) {
        if ((bytes[i] & 0xf8) == 0xd8) {
            return (uint16_t)((bytes[i] & 7) << 8 | bytes[i + 1]);
        }
    }
    return 0;
}

/* The instruction pointer that FNSTENV gave is a place in translated code, 32 bits of it: its block
 * knows which instruction that was. Any other was loaded with the registers, so the guest's
 * pointers are what they were. (FXSAVE would not do: AMD's CPUs store the pointers while an
 * exception is pending, and zeros otherwise.) */
void
tcg_fp_settle_x87(TcgCpu *cpu)
{
    const X86Fpu *image = &cpu->x87_image;
    X86Fpu *fpu = &cpu->core.s.fpu;
    const uint8_t *code = cpu->machine->code_exec, *pc, *bytes;
    uint64_t rip;

    cpu->hot.x87_unsettled = 0;
    fpu->fcw = image->fcw;
    fpu->fsw = image->fsw;
    fpu->ftw = image->ftw;
    memcpy(fpu->st, image->st, sizeof(fpu->st));
    pc = code + (uint32_t)(cpu->hot.x87_env[3] - (uint32_t)(uintptr_t)code);
    if (cpu->hot.x87_env[3] != (uint32_t)fpu->fip && (size_t)(pc - code) < cpu->machine->code_len &&
        tcg_recover_rip(cpu->machine, pc, &rip, &bytes, NULL)) {
        fpu->fip = rip;
        fpu->fop = opcode_of(bytes, TCG_INSN_BYTES);
        fpu->fcs = cpu->core.s.seg[X86_CS].selector;
        fpu->fdp = cpu->hot.x87_data;
        if (cpu->hot.x87_segment < X86_SEG_LAST) {
            fpu->fds = cpu->core.s.seg[cpu->hot.x87_segment].selector;
        }
    }
}
