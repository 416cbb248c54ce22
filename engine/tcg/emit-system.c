/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* System instructions that kernels execute at every turn and that need no helper: SWAPGS, CLI, STI,
 * STAC, CLAC, MOV from control registers at privilege 0 where none of them faults; PUSHF, CLD, MOV
 * from segment registers, RDPKRU, RDTSC, RDTSCP at any. They touch no arithmetic flag, so neither
 * does their code. STAC and CLAC change whose rights accesses have and with it the block's mode:
 * they end it with a jump to the same code in the other mode. Intel SDM volume 2. Thread: the
 * translating CPU's. */

#include "emit.h"

enum { PDEP = X86_MAP_0F38 << 8 | 0xf5 };

static TcgMem
state(size_t offset)
{
    return tcg_mem(TCG_CTX, (int32_t)offset);
}

bool
tcg_is_inline_system(const TcgEmit *e, const X86Insn *insn)
{
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;

    if (!e->code64 || e->machine->options.exact) {
        return false;
    }
    if (exec == x86_exec_pushf || exec == x86_exec_cld || exec == x86_exec_rdpkru) {
        return true;
    }
    if (exec == x86_exec_rdtsc || exec == x86_exec_rdtscp) {
        return !e->machine->options.count; /* time is what was executed */
    }
    if (exec == x86_exec_mov_from_seg) {
        return !insn->is_memory && insn->operand_size >= 4 && (insn->modrm >> 3 & 7) < X86_SEG_LAST;
    }
    if (!(e->mode & TCG_MODE_CPL0)) {
        return false;
    }
    if (exec == x86_exec_mov_from_cr) {
        return insn->reg == 0 || insn->reg == 2 || insn->reg == 3 || insn->reg == 4;
    }
    return exec == x86_exec_swapgs || exec == x86_exec_cli || exec == x86_exec_sti ||
           exec == x86_exec_stac || exec == x86_exec_clac;
}

static void
emit_swapgs(TcgEmit *e)
{
    TcgMem base =
        state(offsetof(X86State, seg) + X86_GS * sizeof(X86Segment) + offsetof(X86Segment, base));
    TcgMem kernel = state(offsetof(X86State, kernel_gs_base));
    TcgAsm *a = &e->a;

    tcg_asm_mov_rm(a, 8, TCG_T0, base);
    tcg_asm_mov_rm(a, 8, TCG_T1, kernel);
    tcg_asm_mov_mr(a, 8, kernel, TCG_T0);
    tcg_asm_mov_mr(a, 8, base, TCG_T1);
}

/* Bits of RFLAGS outside the arithmetic ones, which are up to date in the state. */
static void
clear_flag(TcgEmit *e, uint32_t flag)
{
    TcgMem flags = state(offsetof(X86State, rflags));
    TcgAsm *a = &e->a;

    /* what is left when every other bit is gathered and spread again */
    tcg_asm_mov_rm(a, 4, TCG_T0, flags);
    tcg_asm_mov_ri(a, TCG_T1, (uint32_t)~flag);
    tcg_asm_pext_rrr(a, 4, TCG_T0, TCG_T0, TCG_T1);
    tcg_asm_vex_rr(a, &(TcgOp){ .opcode = PDEP, .prefix = 0xf2 }, false, TCG_T0, TCG_T0, TCG_T1);
    tcg_asm_mov_mr(a, 4, flags, TCG_T0);
}

/* T0 has the other bits. */
static void
set_flag(TcgEmit *e, uint32_t flag)
{
    clear_flag(e, flag);
    tcg_asm_lea(&e->a, 4, TCG_T0, tcg_mem(TCG_T0, (int32_t)flag));
    tcg_asm_mov_mr(&e->a, 4, state(offsetof(X86State, rflags)), TCG_T0);
}

/* Interrupts wait until the instruction behind STI is done: it is in the same block, and nothing
 * looks for them before the block's end. One that is there already is left to the interpreter, and
 * so is an STI at the end of a block. */
static void
emit_sti(TcgEmit *e)
{
    TcgMem cpu = tcg_mem(TCG_CTX, TCG_OFFSET(core) + (int32_t)offsetof(X86Core, cpu));
    TcgLabel quiet = { 0 };
    TcgAsm *a = &e->a;

    if (e->index + 1 >= e->n_insns) {
        tcg_emit_interpret_leave(e);
        return;
    }
    tcg_asm_mov_rm(a, 8, TCG_T0, cpu);
    tcg_asm_mov_rr(a, 8, TCG_T1, X86_RCX);
    tcg_asm_mov_rm(a, 4, X86_RCX, tcg_mem(TCG_T0, (int32_t)offsetof(VitCpu, events)));
    tcg_asm_jrcxz(a, &quiet);
    tcg_asm_mov_rr(a, 8, X86_RCX, TCG_T1);
    tcg_emit_interpret_leave(e);
    e->ended = false;
    tcg_asm_bind(a, &quiet);
    tcg_asm_mov_rr(a, 8, X86_RCX, TCG_T1);
    set_flag(e, X86_FLAG_IF);
}

/* The image of RFLAGS to hot.spare[0]. Flags are the same afterwards. */
static void
gather_flags(TcgEmit *e)
{
    TcgMem value = tcg_mem(TCG_CTX, TCG_OFFSET(hot.spare[0]));
    TcgMem rax = tcg_mem(TCG_CTX, TCG_OFFSET(hot.spare[1]));
    TcgAsm *a = &e->a;

    tcg_asm_mov_mr(a, 8, rax, X86_RAX);
    tcg_asm_lahf(a);
    tcg_asm_setcc_r(a, TCG_O, X86_RAX);
    tcg_asm_mov_rm(a, 4, TCG_T0, state(offsetof(X86State, rflags)));
    tcg_asm_alu_ri(a, TCG_AND, 4, TCG_T0, ~(X86_FLAGS_ARITH | X86_FLAG_RF | X86_FLAG_VM));
    tcg_asm_mov_rr(a, 4, TCG_T1, X86_RAX);
    tcg_asm_shift_ri(a, TCG_SHR, 4, TCG_T1, 8);
    tcg_asm_alu_ri(a, TCG_AND, 4, TCG_T1, X86_FLAGS_ARITH & 0xff);
    tcg_asm_alu_rr(a, TCG_OR, 4, TCG_T0, TCG_T1);
    tcg_asm_movzx_rr(a, TCG_T1, 1, X86_RAX);
    tcg_asm_shift_ri(a, TCG_SHL, 4, TCG_T1, 11);
    tcg_asm_alu_rr(a, TCG_OR, 4, TCG_T0, TCG_T1);
    tcg_asm_mov_mr(a, 8, value, TCG_T0);
    tcg_asm_alu_ri(a, TCG_ADD, 1, X86_RAX, 0x7f); /* OF when AL is 1 */
    tcg_asm_sahf(a);
    tcg_asm_mov_rm(a, 8, X86_RAX, rax);
}

static bool
emit_pushf(TcgEmit *e)
{
    TcgEa ea = tcg_ea_stack(e, -8);
    TcgMem mem;

    if (e->insn->operand_size != 8) {
        return false;
    }
    gather_flags(e);
    mem = tcg_emit_mem_single(e, &ea, 8, true);
    tcg_asm_mov_rm(&e->a, 8, TCG_T1, tcg_mem(TCG_CTX, TCG_OFFSET(hot.spare[0])));
    tcg_asm_mov_mr(&e->a, 8, mem, TCG_T1);
    tcg_emit_add(e, X86_RSP, -8, 8);
    return true;
}

/* Where it would fault, the interpreter has it. */
static void
emit_rdpkru(TcgEmit *e)
{
    TcgLabel good = { 0 }, zero = { 0 }, done = { 0 };
    TcgAsm *a = &e->a;

    tcg_asm_mov_rm(a, 4, TCG_T0, state(offsetof(X86State, cr4)));
    tcg_asm_mov_ri(a, TCG_T1, X86_CR4_PKE);
    tcg_asm_pext_rrr(a, 4, TCG_T0, TCG_T0, TCG_T1);
    tcg_asm_mov_rr(a, 8, TCG_T1, X86_RCX);
    tcg_asm_jecxz(a, &zero);
    tcg_asm_mov_ri(a, TCG_T0, 0);
    tcg_asm_bind(a, &zero);
    tcg_asm_lea(a, 8, X86_RCX, tcg_mem(TCG_T0, -1));
    tcg_asm_jrcxz(a, &good);
    tcg_asm_mov_rr(a, 8, X86_RCX, TCG_T1);
    tcg_emit_interpret(e);
    tcg_asm_jmp_short(a, &done);
    tcg_asm_bind(a, &good);
    tcg_asm_mov_rr(a, 8, X86_RCX, TCG_T1);
    tcg_asm_mov_rm(a, 4, X86_RAX, state(offsetof(X86State, pkru)));
    tcg_asm_mov_ri(a, X86_RDX, 0);
    tcg_asm_bind(a, &done);
}

/* RCX = 0 where time may be told at T0 ticks of the host by the CPU's line. T0 = ticks since it
 * began; RDX is used. */
static void
check_line(TcgEmit *e)
{
    TcgMem start = tcg_mem(TCG_CTX, (int32_t)offsetof(X86Core, tsc_line.start));
    TcgAsm *a = &e->a;

    tcg_asm_mov_rm(a, 8, X86_RDX, start);
    tcg_asm_unary_r(a, TCG_NOT, 8, X86_RDX); /* leaves flags alone */
    tcg_asm_lea(a, 8, TCG_T0, tcg_mem_index(TCG_T0, X86_RDX, 0, 1));
    tcg_asm_mov_ri(a, X86_RDX, VIT_TSC_LINE_BITS);
    tcg_asm_shrx_rrr(a, 8, X86_RCX, TCG_T0, X86_RDX);
    if (!(e->mode & TCG_MODE_CPL0)) {
        tcg_asm_mov_rm(a, 4, X86_RAX, state(offsetof(X86State, cr4)));
        tcg_asm_mov_ri(a, X86_RDX, X86_CR4_TSD);
        tcg_asm_pext_rrr(a, 4, X86_RAX, X86_RAX, X86_RDX);
        tcg_asm_lea(a, 8, X86_RCX, tcg_mem_index(X86_RCX, X86_RAX, 0, 0));
    }
}

/* RDTSC and RDTSCP, by the line that the interpreter has left in the core and renews. RAX, RDX and
 * RCX wait in T1 and hot words until it is known that the interpreter is not needed. */
static void
emit_rdtsc(TcgEmit *e)
{
    bool with_aux = e->insn->row->exec == x86_exec_rdtscp;
    TcgMem rdx = tcg_mem(TCG_CTX, TCG_OFFSET(hot.spare[0]));
    TcgMem rcx = tcg_mem(TCG_CTX, TCG_OFFSET(hot.park));
    TcgLabel good = { 0 }, done = { 0 };
    TcgAsm *a = &e->a;

    tcg_asm_mov_mr(a, 8, rdx, X86_RDX);
    tcg_asm_mov_mr(a, 8, rcx, X86_RCX);
    tcg_asm_mov_rr(a, 8, TCG_T1, X86_RAX);
    if (with_aux) {
        tcg_asm_lfence(a); /* all before it is done */
    }
    tcg_asm_rdtsc(a);
    tcg_asm_mov_ri(a, TCG_T0, 32);
    tcg_asm_shlx_rrr(a, 8, TCG_T0, X86_RDX, TCG_T0);
    tcg_asm_lea(a, 8, TCG_T0, tcg_mem_index(TCG_T0, X86_RAX, 0, 0));
    check_line(e);
    tcg_asm_jrcxz(a, &good);
    tcg_asm_mov_rr(a, 8, X86_RAX, TCG_T1);
    tcg_asm_mov_rm(a, 8, X86_RDX, rdx);
    tcg_asm_mov_rm(a, 8, X86_RCX, rcx);
    tcg_emit_interpret(e);
    tcg_asm_jmp_short(a, &done);
    tcg_asm_bind(a, &good);
    tcg_asm_mov_rm(a, 8, X86_RDX, tcg_mem(TCG_CTX, (int32_t)offsetof(X86Core, tsc_line.scale)));
    tcg_asm_mulx_rrr(a, 8, X86_RDX, X86_RAX, TCG_T0);
    tcg_asm_mov_rm(a, 8, X86_RAX, tcg_mem(TCG_CTX, (int32_t)offsetof(X86Core, tsc_line.start_ns)));
    tcg_asm_lea(a, 8, X86_RDX, tcg_mem_index(X86_RDX, X86_RAX, 0, 0));
    tcg_asm_mov_rm(a, 8, X86_RAX, state(offsetof(X86State, tsc_offset)));
    tcg_asm_lea(a, 8, X86_RAX, tcg_mem_index(X86_RAX, X86_RDX, 0, 0));
    tcg_asm_rorx_rri(a, 8, X86_RDX, X86_RAX, 32);
    tcg_asm_mov_rr(a, 4, X86_RDX, X86_RDX);
    tcg_asm_mov_rr(a, 4, X86_RAX, X86_RAX);
    if (with_aux) {
        tcg_asm_mov_rm(a, 4, X86_RCX, state(offsetof(X86State, tsc_aux)));
    } else {
        tcg_asm_mov_rm(a, 8, X86_RCX, rcx);
    }
    tcg_asm_bind(a, &done);
}

static void
emit_from_segment(TcgEmit *e)
{
    size_t place = offsetof(X86State, seg) + (e->insn->modrm >> 3 & 7) * sizeof(X86Segment);

    tcg_asm_movzx_rm(&e->a, TCG_T0, 2, state(place + offsetof(X86Segment, selector)));
    tcg_emit_set(e, e->insn->rm, TCG_T0, 8);
}

static void
emit_from_control(TcgEmit *e)
{
    static const size_t places[] = { [0] = offsetof(X86State, cr0),
                                     [2] = offsetof(X86State, cr2),
                                     [3] = offsetof(X86State, cr3),
                                     [4] = offsetof(X86State, cr4) };

    tcg_asm_mov_rm(&e->a, 8, TCG_T0, state(places[e->insn->reg]));
    tcg_emit_set(e, e->insn->rm, TCG_T0, 8);
}

bool
tcg_emit_system(TcgEmit *e)
{
    void (*exec)(X86Core *, const X86Insn *) = e->insn->row->exec;
    unsigned other = e->mode & ~(unsigned)TCG_MODE_VIEW;

    if (!tcg_is_inline_system(e, e->insn)) {
        return false;
    }
    if (e->flags_saved &&
        (exec == x86_exec_pushf || exec == x86_exec_sti || exec == x86_exec_rdpkru ||
         exec == x86_exec_rdtsc || exec == x86_exec_rdtscp)) {
        tcg_emit_restore_flags(e);
    }
    if (exec == x86_exec_swapgs) {
        emit_swapgs(e);
    } else if (exec == x86_exec_cli) {
        clear_flag(e, X86_FLAG_IF);
    } else if (exec == x86_exec_cld) {
        clear_flag(e, X86_FLAG_DF);
    } else if (exec == x86_exec_sti) {
        emit_sti(e);
    } else if (exec == x86_exec_pushf) {
        return emit_pushf(e);
    } else if (exec == x86_exec_rdpkru) {
        emit_rdpkru(e);
    } else if (exec == x86_exec_rdtsc || exec == x86_exec_rdtscp) {
        emit_rdtsc(e);
    } else if (exec == x86_exec_mov_from_seg) {
        emit_from_segment(e);
    } else if (exec == x86_exec_mov_from_cr) {
        emit_from_control(e);
    } else if (exec == x86_exec_stac) {
        set_flag(e, X86_FLAG_AC);
        tcg_emit_goto_mode(e, e->next_pc, other | X86_VIEW_SUPERVISOR);
        e->ended = true;
    } else {
        clear_flag(e, X86_FLAG_AC);
        tcg_emit_goto_mode(e, e->next_pc,
                           other | (e->mode & TCG_MODE_SMAP ? X86_VIEW_SMAP : X86_VIEW_SUPERVISOR));
        e->ended = true;
    }
    return true;
}
