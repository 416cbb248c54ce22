/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Integer instructions: the same opcode again, with registers and memory replaced; and the
 * substitutions where that is not all: LEA, the stack, registers that live in the state.
 * Intel SDM volume 2. Thread: the translating CPU's. */

#include "emit.h"

const uint8_t tcg_home[16] = {
    [X86_RAX] = X86_RAX, [X86_RCX] = X86_RCX, [X86_RDX] = X86_RDX,    [X86_RBX] = X86_RBX,
    [X86_RSP] = X86_R12, [X86_RBP] = X86_R13, [X86_RSI] = X86_RSI,    [X86_RDI] = X86_RDI,
    [X86_R8] = X86_R8,   [X86_R9] = X86_R9,   [X86_R10] = TCG_NO_REG, [X86_R11] = TCG_NO_REG,
    [X86_R12] = X86_R10, [X86_R13] = X86_R11, [X86_R14] = TCG_NO_REG, [X86_R15] = TCG_NO_REG,
};

unsigned
tcg_emit_use(TcgEmit *e, unsigned reg, unsigned scratch)
{
    if (tcg_home[reg] != TCG_NO_REG) {
        return tcg_home[reg];
    }
    tcg_asm_mov_rm(&e->a, 8, scratch, tcg_mem(TCG_CTX, TCG_GPR(reg)));
    return scratch;
}

void
tcg_emit_set(TcgEmit *e, unsigned reg, unsigned from, unsigned size)
{
    TcgAsm *a = &e->a;

    if (tcg_home[reg] != TCG_NO_REG) {
        tcg_asm_mov_rr(a, size, tcg_home[reg], from);
        return;
    }
    if (size == 4) {
        tcg_asm_mov_rr(a, 4, from, from);
        size = 8;
    }
    tcg_asm_mov_mr(a, size, tcg_mem(TCG_CTX, TCG_GPR(reg)), from);
}

void
tcg_emit_add(TcgEmit *e, unsigned reg, int32_t value, unsigned size)
{
    unsigned home = tcg_home[reg];

    tcg_asm_lea(&e->a, size, home, tcg_mem(home, value));
}

/* Those of MASK that live in the state. */
static unsigned
in_state(uint16_t mask, uint8_t regs[3])
{
    unsigned n = 0;

    for (mask &= TCG_IN_STATE; mask && n < 3; mask &= mask - 1) {
        regs[n++] = (uint8_t)__builtin_ctz(mask);
    }
    return n;
}

/* LEA right into the register. What lives in the state waits there, or in T1. */
static void
lea_home(TcgEmit *e, const TcgEa *ea)
{
    unsigned home = tcg_home[e->insn->reg];
    unsigned size = e->insn->operand_size == 8 && ea->address_size == 8 ? 8 : 4;
    TcgMem mem = {
        .base = TCG_NO_REG, .index = TCG_NO_REG, .scale = ea->scale, .disp = (int32_t)ea->disp
    };
    TcgAsm *a = &e->a;

    if (ea->linear && size == 8) {
        tcg_asm_mov_linear(a, home, (uint64_t)ea->disp);
        e->t0_next = e->t0_group;
        return;
    }
    if (ea->base == X86_NO_REG && ea->index == X86_NO_REG) {
        a->pinned |= ea->linear;
        tcg_asm_mov_ri(a, home, size == 8 ? (uint64_t)ea->disp : (uint32_t)ea->disp);
        e->t0_next = e->t0_group;
        return;
    }
    e->t0_next = e->t0_group;
    if (ea->base != X86_NO_REG) {
        bool is_index = ea->index != X86_NO_REG && tcg_home[ea->index] == home;
        mem.base = tcg_emit_use(e, ea->base, is_index ? TCG_T0 : home);
        e->t0_next = mem.base == TCG_T0 ? TCG_GROUP_NONE : e->t0_next;
    }
    if (ea->index != X86_NO_REG) {
        mem.index = tcg_emit_use(e, ea->index, TCG_T1);
    }
    if (mem.index == TCG_NO_REG && mem.disp == 0) {
        tcg_asm_mov_rr(a, size, home, mem.base);
    } else {
        tcg_asm_lea(a, size, home, mem);
    }
}

static bool
emit_lea(TcgEmit *e)
{
    const X86Insn *insn = e->insn;
    TcgEa ea = tcg_ea_operand(e);

    if (insn->address_size == 2) {
        return false;
    }
    ea.segment = X86_DS;
    if (tcg_home[insn->reg] != TCG_NO_REG && insn->operand_size >= 4 && !ea.soft) {
        lea_home(e, &ea);
        return true;
    }
    tcg_emit_ea(e, &ea);
    tcg_emit_set(e, insn->reg, TCG_T0, insn->operand_size);
    return true;
}

bool
tcg_emit_pass_through(TcgEmit *e)
{
    TcgAsm *a = &e->a;
    const X86Insn *insn = e->insn;
    unsigned access = insn->is_memory || !insn->has_modrm ? tcg_memory_access(insn) : 0;
    unsigned scratch[3] = { TCG_T1, TCG_T0 }, n_scratch = access ? 1 : 2, n;
    uint8_t map[16], regs[3];
    TcgRegUse use = e->uses[e->index];
    TcgMem mem;

    n = in_state(use.read | use.written, regs);
    if (n > n_scratch || (insn->is_memory && insn->address_size == 2)) {
        return false;
    }
    if (access) {
        TcgEa ea = tcg_ea_operand(e);
        unsigned size = tcg_memory_size(insn);
        bool write = access & X86_ACC_W;
        if (size == 0) {
            return false;
        }
        mem = n || use.high_byte ? tcg_emit_mem_single(e, &ea, size, write)
                                 : tcg_emit_mem(e, &ea, size, write);
    }
    memcpy(map, tcg_home, sizeof(map));
    for (unsigned i = 0; i < n; i++) {
        map[regs[i]] = (uint8_t)scratch[i];
        if (use.read >> regs[i] & 1) {
            tcg_asm_mov_rm(a, 8, scratch[i], tcg_mem(TCG_CTX, TCG_GPR(regs[i])));
        }
    }
    if (tcg_reencode(a, insn, map, access ? &mem : NULL,
                     n < n_scratch && (use.high_byte || !access) ? scratch[n] : TCG_NO_REG) !=
        TCG_REENCODE_OK) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        if (use.written >> regs[i] & 1) {
            tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_GPR(regs[i])), scratch[i]);
        }
    }
    if (access) {
        e->t0_next = e->used_group;
    } else if (n + (use.high_byte != 0) < 2) {
        e->t0_next = e->t0_group;
    }
    return true;
}

/* TZCNT and LZCNT are BSF and BSR to who has not got FEATURE. */
static bool
counts_zeros(const TcgEmit *e, unsigned feature)
{
    return x86_has_feature(&e->cpu->core, feature) && e->machine->host_has[feature];
}

/* Group 16 and 3DNow!'s; other hints of group 16 are reserved. */
static bool
is_prefetch(const X86Insn *insn)
{
    return insn->is_memory && ((insn->opcode == 0x18 && (insn->reg & 7) < 4) ||
                               (insn->opcode == 0x0d && (insn->reg & 7) < 2));
}

/* BT, BTS, BTR, BTC of memory by a register: the item that the bit is in, then the bit there. */
static bool
emit_bit_string(TcgEmit *e)
{
    const X86Insn *insn = e->insn;
    unsigned size = insn->operand_size, reg = tcg_home[insn->reg];
    TcgBit op = (TcgBit)(insn->opcode >> 3 & 7);
    TcgEa ea = tcg_ea_operand(e);
    TcgAsm *a = &e->a;
    TcgMem mem;

    if (size < 4 || insn->address_size == 2 || (op != TCG_BT && !insn->lock && reg == TCG_NO_REG)) {
        return false;
    }
    ea.bit_size = (uint8_t)size;
    ea.bit = insn->reg;
    mem = tcg_emit_mem_single(e, &ea, size, op != TCG_BT);
    if (op == TCG_BT) {
        tcg_asm_mov_rm(a, size, TCG_T0, mem);
        tcg_asm_bit_rr(a, op, size, TCG_T0, tcg_emit_use(e, insn->reg, TCG_T1));
    } else if (!insn->lock) {
        tcg_asm_mov_rm(a, size, TCG_T1, mem);
        tcg_asm_bit_rr(a, op, size, TCG_T1, reg);
        tcg_asm_mov_mr(a, size, mem, TCG_T1);
    } else {
        const TcgOp change = { .opcode = (uint16_t)(X86_MAP_0F << 8 | insn->opcode),
                               .wide = size == 8,
                               .lock = true };
        int32_t mask = TCG_OFFSET(bit_mask) + (size == 8 ? 8 : 0);
        tcg_asm_pext_rrm(a, 8, TCG_T1, tcg_emit_use(e, insn->reg, TCG_T1), tcg_mem(TCG_CTX, mask));
        tcg_asm_op_rm(a, &change, TCG_T1, mem);
    }
    return true;
}

bool
tcg_emit_int(TcgEmit *e)
{
    const X86Insn *insn = e->insn;
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;

    if (exec == x86_exec_lea) {
        return emit_lea(e);
    }
    if (tcg_emit_soft_immediate(e)) {
        return true;
    }
    if (e->keeps && insn->is_memory) {
        tcg_emit_kept_memory(e);
        return true;
    }
    if (exec == x86_exec_nop) {
        if (is_prefetch(insn)) {
            tcg_emit_prefetch(e);
        } else {
            e->t0_next = e->t0_group;
        }
        return true;
    }
    if (exec == x86_exec_pause) {
        if (e->cpu->core.cpu->is_crowded) {
            return false; /* yields the host's CPU */
        }
        tcg_asm_pause(&e->a);
        return true;
    }
    if (tcg_is_bit_string(insn)) {
        return emit_bit_string(e);
    }
    /* decimal ones have no 64-bit form; DF is in the state */
    if (exec == x86_exec_xlat || exec == x86_exec_daa || exec == x86_exec_das ||
        exec == x86_exec_aaa || exec == x86_exec_aas || exec == x86_exec_aam ||
        exec == x86_exec_aad || exec == x86_exec_salc || exec == x86_exec_cld ||
        exec == x86_exec_std || exec == x86_exec_clflush) {
        return false;
    }
    if ((exec == x86_exec_tzcnt && !counts_zeros(e, X86_FEATURE_BMI1)) ||
        (exec == x86_exec_lzcnt && !counts_zeros(e, X86_FEATURE_ABM))) {
        return false;
    }
    if (tcg_emit_on_state(e)) {
        e->t0_next = e->t0_group;
        return true;
    }
    return tcg_emit_pass_through(e);
}

static void
push_from(TcgEmit *e, unsigned reg, unsigned size)
{
    TcgEa ea = tcg_ea_stack(e, -(int64_t)size);
    TcgMem mem = tcg_emit_mem_single(e, &ea, size, true);

    tcg_asm_mov_mr(&e->a, size, mem, tcg_emit_use(e, reg, TCG_T1));
    tcg_emit_add(e, X86_RSP, -(int32_t)size, size);
    e->t0_next = e->used_group;
}

static void
pop_to(TcgEmit *e, unsigned reg, unsigned size)
{
    TcgEa ea = tcg_ea_stack(e, 0);
    TcgMem mem = tcg_emit_mem(e, &ea, size, false);
    unsigned home = tcg_home[reg];

    e->t0_next = e->used_group;
    if (reg == X86_RSP) {
        tcg_asm_mov_rm(&e->a, size, home, mem);
        return;
    }
    if (home != TCG_NO_REG) {
        tcg_asm_mov_rm(&e->a, size, home, mem);
    } else {
        tcg_asm_mov_rm(&e->a, size, TCG_T1, mem);
        tcg_asm_mov_mr(&e->a, 8, tcg_mem(TCG_CTX, TCG_GPR(reg)), TCG_T1);
    }
    tcg_emit_add(e, X86_RSP, (int32_t)size, size);
}

static void
push_memory(TcgEmit *e, unsigned size)
{
    TcgEa ea = tcg_ea_operand(e), stack = tcg_ea_stack(e, -(int64_t)size);
    TcgMem kept = tcg_mem(TCG_CTX, TCG_OFFSET(hot.spare)), mem;

    mem = tcg_emit_mem(e, &ea, size, false);
    tcg_asm_mov_rm(&e->a, size, TCG_T0, mem);
    tcg_asm_mov_mr(&e->a, size, kept, TCG_T0);
    mem = tcg_emit_mem_single(e, &stack, size, true);
    tcg_asm_mov_rm(&e->a, size, TCG_T1, kept);
    tcg_asm_mov_mr(&e->a, size, mem, TCG_T1);
    tcg_emit_add(e, X86_RSP, -(int32_t)size, size);
}

bool
tcg_emit_stack(TcgEmit *e)
{
    const X86Insn *insn = e->insn;
    unsigned size = e->code64 ? 8 : 4;
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;
    TcgAsm *a = &e->a;

    if (insn->operand_size != size || (insn->is_memory && insn->address_size == 2)) {
        return false;
    }
    if (exec == x86_exec_push_z || (exec == x86_exec_push_e && !insn->is_memory)) {
        push_from(e, insn->rm, size);
    } else if (exec == x86_exec_pop_z || (exec == x86_exec_pop_e && !insn->is_memory)) {
        pop_to(e, insn->rm, size);
    } else if (exec == x86_exec_push_e) {
        push_memory(e, size);
    } else if (exec == x86_exec_push_i) {
        TcgEa ea = tcg_ea_stack(e, -(int64_t)size);
        TcgMem mem = tcg_emit_mem(e, &ea, size, true);
        tcg_asm_mov_mi(a, size, mem, (int32_t)insn->imm);
        tcg_emit_add(e, X86_RSP, -(int32_t)size, size);
        e->t0_next = e->used_group;
    } else if (exec == x86_exec_leave) {
        unsigned sp = tcg_home[X86_RSP], bp = tcg_home[X86_RBP];
        TcgEa ea = tcg_ea_stack(e, 0);
        ea.base = X86_RBP;
        TcgMem mem = tcg_emit_mem(e, &ea, size, false);
        tcg_asm_mov_rm(a, size, TCG_T1, mem); /* it may fault: see tlb-near.c */
        tcg_asm_lea(a, size, sp, tcg_mem(bp, (int32_t)size));
        tcg_asm_mov_rr(a, size, bp, TCG_T1);
        e->t0_next = e->used_group;
    } else {
        return false;
    }
    return true;
}
