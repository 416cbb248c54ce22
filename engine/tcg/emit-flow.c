/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Jumps, calls, returns; the ways into and out of a block.
 *
 * A block has three ways in, one falling through to the next: is the page still mapped as it was
 * (from other pages, and from indirect jumps), is there a request to leave (backward jumps), and
 * neither (forward jumps inside the page). Every cycle of jumps passes one of the first two. The
 * tests are the target's because the target knows whether anybody reads the flags.
 * Direct jumps lead to a stub that tells the dispatcher which jump it was; the dispatcher points
 * the jump to the block. Thread: the translating CPU's. */

#include "emit.h"

enum { CRC32 = X86_MAP_0F38 << 8 | 0xf1 };

static TcgMem
ctx(int32_t offset)
{
    return tcg_mem(TCG_CTX, offset);
}

/* The last four bytes are the STAMP. */
static void
note_stamp(TcgEmit *e, TcgFixKind kind, uint32_t stamp)
{
    e->a.pinned |= stamp <= 128; /* which may take one byte */
    tcg_asm_note(&e->a, kind, 4);
}

/* A jump to FAIL unless the word at MEM is VALUE, which is a stamp or 0. */
static void
test_word(TcgEmit *e, TcgMem mem, uint32_t value, bool flags_live, TcgLabel *fail)
{
    TcgAsm *a = &e->a;

    if (!flags_live) {
        tcg_asm_alu_mi(a, TCG_CMP, 4, mem, (int32_t)value);
        if (value) {
            tcg_asm_note(a, TCG_FIX_SLOT, 8);
            note_stamp(e, TCG_FIX_STAMP, value);
        }
        tcg_asm_jcc(a, TCG_NE, fail);
        return;
    }
    TcgLabel good = { 0 };
    tcg_asm_mov_rr(a, 8, TCG_T1, X86_RCX);
    tcg_asm_mov_rm(a, 4, X86_RCX, mem);
    if (value) {
        tcg_asm_lea(a, 4, X86_RCX, tcg_mem(X86_RCX, (int32_t)-value));
    }
    tcg_asm_jrcxz(a, &good);
    tcg_asm_mov_rr(a, 8, X86_RCX, TCG_T1);
    tcg_asm_jmp(a, fail);
    tcg_asm_bind(a, &good);
    tcg_asm_mov_rr(a, 8, X86_RCX, TCG_T1);
}

/* A jump to FAIL if somebody wants the CPU to leave, or too many calls are on the host's stack. */
static void
test_floor(TcgEmit *e, TcgLabel *fail)
{
    tcg_asm_alu_rm(&e->a, TCG_CMP, 8, X86_RSP, ctx(TCG_OFFSET(hot.floor)));
    tcg_asm_jcc(&e->a, TCG_B, fail);
}

static TcgMem
stamp_of(const TcgEmit *e, unsigned fetch_slot)
{
    return ctx(TCG_OFFSET(fetch) +
               (int32_t)((e->view * TCG_FETCH_ENTRIES + fetch_slot) * sizeof(TcgFetch) +
                         offsetof(TcgFetch, stamp)));
}

/* The page that the instruction runs into may have been mapped anew since the last block, whichever
 * way this one is entered. */
static void
test_second(TcgEmit *e, bool flags_live, TcgLabel *fail)
{
    if (e->second) {
        test_word(e, stamp_of(e, tcg_fetch_slot(e->second->page)), e->second->stamp, flags_live,
                  fail);
    }
}

/* The tests of entry_far and of entry_loop, which begins in the middle: RCX waits in T1 for both.
 */
static void
test_both(TcgEmit *e, TcgBlock *block, TcgMem slot, uint32_t stamp)
{
    TcgLabel mapped = { 0 }, good = { 0 };
    TcgAsm *a = &e->a;

    tcg_asm_mov_rr(a, 8, TCG_T1, X86_RCX);
    tcg_asm_mov_rm(a, 4, X86_RCX, slot);
    tcg_asm_note(a, TCG_FIX_SLOT, 4);
    tcg_asm_lea(a, 4, X86_RCX, tcg_mem(X86_RCX, (int32_t)-stamp));
    note_stamp(e, TCG_FIX_STAMP_NEGATED, stamp);
    tcg_asm_jrcxz(a, &mapped);
    tcg_asm_jmp(a, &e->entry_failed_parked);
    block->entry_loop = tcg_asm_here(a);
    tcg_asm_bind(a, &e->loop.entry);
    tcg_asm_mov_rr(a, 8, TCG_T1, X86_RCX);
    tcg_asm_bind(a, &mapped);
    /* the sign of rSP - floor */
    tcg_asm_mov_rm(a, 8, X86_RCX, ctx(TCG_OFFSET(hot.floor)));
    tcg_asm_unary_r(a, TCG_NOT, 8, X86_RCX);
    tcg_asm_lea(a, 8, X86_RCX, tcg_mem_index(X86_RSP, X86_RCX, 0, 1));
    tcg_asm_pext_rrm(a, 8, X86_RCX, X86_RCX, ctx(TCG_OFFSET(sign_bit)));
    tcg_asm_jrcxz(a, &good);
    tcg_asm_jmp(a, &e->entry_failed_parked);
    tcg_asm_bind(a, &good);
    tcg_asm_mov_rr(a, 8, X86_RCX, TCG_T1);
}

/* All ways in compare the block's bytes, with the flags in memory. */
static void
emit_checked_entry(TcgEmit *e, TcgBlock *block, TcgMem slot, uint32_t stamp)
{
    TcgAsm *a = &e->a;
    TcgLabel *fail = &e->entry_failed;

    e->entry_along = true;
    block->flags_live = true;
    block->entry = block->entry_loop = block->entry_far = tcg_asm_here(a);
    tcg_emit_save_flags(e);
    block->entry_indirect = tcg_asm_here(a);
    test_word(e, slot, stamp, false, fail);
    test_floor(e, fail);
    test_second(e, false, fail);
    tcg_emit_self_check(e, block->len);
    tcg_count_block(e, false, fail);
    if (e->live_in[0] || !e->exit_live[0] || e->machine->options.exact) {
        tcg_emit_restore_flags(e);
    }
}

void
tcg_emit_entry(TcgEmit *e, TcgBlock *block, unsigned fetch_slot, uint32_t stamp)
{
    TcgAsm *a = &e->a;
    TcgLabel *fail = &e->entry_failed;
    bool flags_live = e->live_in[0] || e->machine->options.exact;
    bool along = !flags_live && e->exit_live[0];
    TcgMem slot = stamp_of(e, fetch_slot);

    tcg_asm_align(a, 16);
    if (e->checked) {
        emit_checked_entry(e, block, slot, stamp);
        return;
    }
    e->entry_along = along;
    block->flags_live = flags_live || along;
    if (along) {
        /* the block only hands the flags on: they are in memory from the start */
        block->entry = block->entry_loop = block->entry_far = tcg_asm_here(a);
        tcg_emit_save_flags(e);
        block->entry_indirect = tcg_asm_here(a);
        test_word(e, slot, stamp, false, fail);
        test_floor(e, fail);
        test_second(e, false, fail);
        tcg_count_block(e, false, fail);
        return;
    }
    block->entry_indirect = tcg_asm_here(a);
    if (flags_live) {
        tcg_emit_restore_flags(e);
    }
    block->entry_far = tcg_asm_here(a);
    if (flags_live) {
        test_both(e, block, slot, stamp);
    } else {
        test_word(e, slot, stamp, false, fail);
        block->entry_loop = tcg_asm_here(a);
        tcg_asm_bind(a, &e->loop.entry);
        test_floor(e, fail);
    }
    block->entry = tcg_asm_here(a);
    test_second(e, flags_live, fail);
    tcg_count_block(e, flags_live, fail);
}

static bool
take_link(TcgEmit *e, uint64_t pc, size_t jump)
{
    if (e->n_links == VIT_ARRAY_LEN(e->links)) {
        e->a.state = TCG_ASM_RANGE;
        return false;
    }
    e->links[e->n_links].pc = pc;
    e->links[e->n_links].jump = jump;
    e->links[e->n_links].backward = pc <= e->pc || e->went_back;
    e->links[e->n_links].in_memory = e->flags_saved;
    e->links[e->n_links].returns = false;
    e->links[e->n_links].mode = (uint16_t)e->mode;
    e->links[e->n_links].ungrouped = 0;
    e->links[e->n_links].flags_dead = false;
    e->n_links++;
    return true;
}

void
tcg_emit_goto(TcgEmit *e, uint64_t pc)
{
    tcg_count_leave(e);
    take_link(e, pc, tcg_asm_jmp_patchable(&e->a, tcg_asm_here(&e->a)));
}

void
tcg_emit_goto_mode(TcgEmit *e, uint64_t pc, unsigned mode)
{
    tcg_emit_goto(e, pc);
    if (!tcg_asm_failed(&e->a)) {
        e->links[e->n_links - 1].mode = (uint16_t)mode;
    }
}

void
tcg_emit_goto_ungrouped(TcgEmit *e, uint64_t pc, unsigned count, bool flags_saved)
{
    tcg_count_give_back(e, pc);
    take_link(e, pc, tcg_asm_jmp_patchable(&e->a, tcg_asm_here(&e->a)));
    if (!tcg_asm_failed(&e->a)) {
        e->links[e->n_links - 1].ungrouped = (uint8_t)count;
        e->links[e->n_links - 1].in_memory = flags_saved;
        e->links[e->n_links - 1].backward = true;
    }
}

static void
emit_branch(TcgEmit *e, TcgCond cond, uint64_t pc)
{
    if (tcg_count_left(e)) {
        TcgLabel not_taken = { 0 };

        tcg_asm_jcc_short(&e->a, cond ^ 1, &not_taken);
        tcg_emit_goto(e, pc);
        tcg_asm_bind(&e->a, &not_taken);
        return;
    }
    take_link(e, pc, tcg_asm_jcc_patchable(&e->a, cond, tcg_asm_here(&e->a)));
}

/* The ways out of BLOCK that lead to no other yet. */
void
tcg_emit_links(TcgEmit *e, TcgBlock *block)
{
    TcgLabel leave = { 0 };
    TcgAsm *a = &e->a;

    if (e->checked) {
        tcg_asm_bind(a, &e->stale);
        tcg_asm_mov_mi(a, 2, ctx(TCG_OFFSET(hot.stale)), 1);
    }
    if (e->entry_failed_parked.uses) {
        tcg_asm_bind(a, &e->entry_failed_parked);
        tcg_asm_mov_rr(a, 8, X86_RCX, TCG_T1);
    }
    tcg_asm_bind(a, &e->entry_failed);
    tcg_asm_push_i(a, e->entry_along ? TCG_LEFT_IN_MEMORY : TCG_LEFT);
    tcg_asm_bind(a, &leave);
    tcg_asm_call_to(a, e->machine->thunks.leave_block);
    tcg_asm_u64(a, (uintptr_t)block);
    tcg_asm_note(a, TCG_FIX_BLOCK, 8);
    for (unsigned i = 0; i < e->n_links; i++) {
        const uint8_t *stub = tcg_asm_here(a);

        e->links[i].stub = (uint32_t)tcg_asm_offset(a);
        tcg_asm_push_i(a, (int32_t)i);
        tcg_asm_jmp(a, &leave);
        if (!tcg_asm_failed(a)) {
            tcg_asm_patch(a->start + e->links[i].jump, a->exec_delta, stub);
        }
    }
}

void
tcg_emit_save_flags(TcgEmit *e)
{
    TcgAsm *a = &e->a;

    tcg_asm_mov_rr(a, 8, TCG_T1, X86_RAX);
    tcg_asm_lahf(a);
    tcg_asm_setcc_r(a, TCG_O, X86_RAX);
    tcg_asm_mov_mr(a, 2, ctx(TCG_OFFSET(hot.exit_flags)), X86_RAX);
    tcg_asm_mov_rr(a, 8, X86_RAX, TCG_T1);
    e->flags_saved = true;
}

void
tcg_emit_restore_flags(TcgEmit *e)
{
    TcgAsm *a = &e->a;

    tcg_asm_mov_rr(a, 8, TCG_T1, X86_RAX);
    tcg_asm_movzx_rm(a, X86_RAX, 2, ctx(TCG_OFFSET(hot.exit_flags)));
    tcg_asm_alu_ri(a, TCG_ADD, 1, X86_RAX, 0x7f);
    tcg_asm_sahf(a);
    tcg_asm_mov_rr(a, 8, X86_RAX, TCG_T1);
    e->flags_saved = false;
}

/* Looks the guest address in T0 up in the table of recent ones. Returns where its code is told, an
 * operand with T1. The flags are saved. */
static TcgMem
look_up(TcgEmit *e, TcgLabel *miss)
{
    TcgAsm *a = &e->a;
    int32_t table = TCG_OFFSET(jump) + (int32_t)(e->view * sizeof(e->cpu->jump[0]));
    _Static_assert(sizeof(TcgJump) == 16, "shifted by four");

    tcg_asm_alu_rr(a, TCG_XOR, 4, TCG_T1, TCG_T1);
    tcg_asm_op_rr(a, &(TcgOp){ .opcode = CRC32, .prefix = 0xf2, .wide = true }, TCG_T1, TCG_T0);
    tcg_asm_alu_ri(a, TCG_AND, 4, TCG_T1, (TCG_JUMP_ENTRIES - 1) << 4);
    tcg_asm_alu_rm(a, TCG_CMP, 8, TCG_T0,
                   tcg_mem_index(TCG_CTX, TCG_T1, 0, table + (int32_t)offsetof(TcgJump, key)));
    tcg_asm_jcc(a, TCG_NE, miss);
    return tcg_mem_index(TCG_CTX, TCG_T1, 0, table + (int32_t)offsetof(TcgJump, code));
}

/* To the guest address in T0, or out. The flags are saved. */
static void
emit_indirect(TcgEmit *e)
{
    TcgAsm *a = &e->a;
    TcgLabel miss = { 0 };

    tcg_asm_jmp_m(a, look_up(e, &miss));
    tcg_asm_bind(a, &miss);
    tcg_asm_mov_linear(a, TCG_T1, e->pc);
    tcg_asm_jmp_to(a, e->machine->thunks.jump_miss);
}

static uint64_t
branch_target(const TcgEmit *e)
{
    uint64_t target = e->next_pc + e->insn->imm;

    return e->code64 ? target : (uint32_t)target;
}

static void
push_return(TcgEmit *e, unsigned size)
{
    TcgEa ea = tcg_ea_stack(e, -(int64_t)size);

    if (size == 4 || (int64_t)e->next_pc == (int32_t)e->next_pc) {
        TcgMem mem = tcg_emit_mem(e, &ea, size, true);
        e->a.pinned = true;
        tcg_asm_mov_mi(&e->a, size, mem, (int32_t)e->next_pc);
    } else {
        TcgMem mem = tcg_emit_mem_single(e, &ea, size, true);
        tcg_asm_mov_linear(&e->a, TCG_T1, e->next_pc);
        tcg_asm_mov_mr(&e->a, size, mem, TCG_T1);
    }
    tcg_emit_add(e, X86_RSP, -(int32_t)size, size);
}

/* Returns are paired with calls by the host's stack: a call pushes the guest's address behind it
 * and calls; a return that goes to that address returns, which the host foresees, to a jump to the
 * block there. All of it is forgotten whenever translated code is left; a frame is good for one
 * mode, so code with EFLAGS.AC set under SMAP, which alone changes mode without leaving, has none.
 */
static bool
has_frames(const TcgEmit *e)
{
    return !(e->mode & TCG_MODE_SMAP) || e->view != X86_VIEW_SUPERVISOR;
}

/* The guest's address for the frame. */
static void
push_frame(TcgEmit *e)
{
    if ((int64_t)e->next_pc == (int32_t)e->next_pc || !e->code64) {
        e->a.pinned = true;
        tcg_asm_push_i(&e->a, (int32_t)e->next_pc);
    } else {
        tcg_asm_mov_linear(&e->a, TCG_T1, e->next_pc);
        tcg_asm_push_r(&e->a, TCG_T1);
    }
}

/* Behind the host's call. The flags are where a return left them. The jump needs no test: frames do
 * not outlast what drops a page's stamp (tlb_changed()), and a cycle without a test would have to
 * go backward in the page at some depth of calls, where a call and its return go forward. */
static void
return_point(TcgEmit *e)
{
    bool saved = e->flags_saved;

    tcg_asm_lea(&e->a, 8, X86_RSP, tcg_mem(X86_RSP, 8));
    e->flags_saved = true;
    if (take_link(e, e->next_pc, tcg_asm_jmp_patchable(&e->a, tcg_asm_here(&e->a)))) {
        e->links[e->n_links - 1].returns = true;
    }
    e->flags_saved = saved;
}

static void
emit_call_link(TcgEmit *e)
{
    size_t jump;

    if (!has_frames(e)) {
        tcg_emit_goto(e, branch_target(e));
        return;
    }
    push_frame(e);
    jump = tcg_asm_call_patchable(&e->a, tcg_asm_here(&e->a));
    return_point(e);
    take_link(e, branch_target(e), jump);
}

/* To the guest address in T0 by the top frame, if it is that; a frame of another address goes, as
 * it is most likely that of code that changed its return address. The flags are saved. */
static void
emit_return(TcgEmit *e, unsigned size)
{
    TcgLabel other = { 0 }, none = { 0 };
    TcgAsm *a = &e->a;

    tcg_asm_alu_rm(a, TCG_CMP, size, TCG_T0, tcg_mem(X86_RSP, 8));
    tcg_asm_jcc_short(a, TCG_NE, &other);
    tcg_asm_ret(a);
    tcg_asm_bind(a, &other);
    tcg_asm_alu_rm(a, TCG_CMP, 8, X86_RSP, ctx(TCG_OFFSET(frames)));
    tcg_asm_jcc_short(a, TCG_AE, &none);
    tcg_asm_alu_ri(a, TCG_ADD, 8, X86_RSP, 16);
    tcg_asm_bind(a, &none);
}

/* The target of JMP and CALL through a register or memory, into T0. */
static void
indirect_target(TcgEmit *e, unsigned size)
{
    TcgEa ea = tcg_ea_operand(e);

    if (e->insn->is_memory) {
        tcg_asm_mov_rm(&e->a, size, TCG_T0, tcg_emit_mem(e, &ea, size, false));
    } else {
        tcg_asm_mov_rr(&e->a, size, TCG_T0, tcg_emit_use(e, e->insn->rm, TCG_T0));
    }
}

/* A call through register or memory. A target that is not in the table is left to the interpreter
 * before anything is pushed: it may be no address at all. */
static void
emit_indirect_call(TcgEmit *e, unsigned size)
{
    TcgMem kept = ctx(TCG_OFFSET(hot.spare)), code;
    size_t start = tcg_asm_offset(&e->a);
    TcgLabel miss = { 0 };
    TcgAsm *a = &e->a;

    e->t0_group = TCG_GROUP_NONE;
    indirect_target(e, size);
    e->t0_group = TCG_GROUP_NONE;
    code = look_up(e, &miss);
    if (size == 8 && (int64_t)e->next_pc == (int32_t)e->next_pc &&
        tcg_emit_push_in_t0(e, size, start)) {
        e->a.pinned = true;
        tcg_asm_mov_mi(a, size, tcg_mem(TCG_T0, 0), (int32_t)e->next_pc);
        tcg_emit_add(e, X86_RSP, -(int32_t)size, size);
        kept = code; /* the host need not wait for a store */
    } else {
        tcg_asm_mov_rm(a, 8, TCG_T1, code);
        tcg_asm_mov_mr(a, 8, kept, TCG_T1);
        push_return(e, size);
    }
    if (has_frames(e)) {
        push_frame(e);
        tcg_asm_call_m(a, kept);
        return_point(e);
    } else {
        tcg_asm_jmp_m(a, kept);
    }
    tcg_asm_bind(a, &miss);
    tcg_count_tell(e, e->pc);
    tcg_asm_mov_linear(a, TCG_T1, e->pc);
    tcg_asm_mov_ri(a, TCG_T0, 0);
    tcg_asm_jmp_to(a, e->machine->thunks.interpret_leave_in_memory);
}

static void
emit_loop(TcgEmit *e)
{
    TcgAsm *a = &e->a;
    void (*exec)(X86Core *, const X86Insn *) = e->insn->row->exec;
    bool wide = e->insn->address_size == 8;
    /* on AMD's CPUs F3 and F2 say which of the two it is, whatever the opcode says */
    bool while_equal = e->insn->rep || e->insn->repne ? e->insn->rep : exec == x86_exec_loope;
    TcgLabel zero = { 0 }, on = { 0 };

    if (exec == x86_exec_jrcxz) {
        (wide ? tcg_asm_jrcxz : tcg_asm_jecxz)(a, &zero);
        tcg_asm_jmp_short(a, &on);
        tcg_asm_bind(a, &zero);
        tcg_emit_goto(e, branch_target(e));
        tcg_asm_bind(a, &on);
        return;
    }
    tcg_asm_lea(a, wide ? 8 : 4, X86_RCX, tcg_mem(X86_RCX, -1));
    (wide ? tcg_asm_jrcxz : tcg_asm_jecxz)(a, &on);
    if (exec == x86_exec_loop) {
        tcg_emit_goto(e, branch_target(e));
    } else {
        emit_branch(e, while_equal ? TCG_E : TCG_NE, branch_target(e));
    }
    tcg_asm_bind(a, &on);
}

bool
tcg_emit_flow(TcgEmit *e)
{
    TcgAsm *a = &e->a;
    const X86Insn *insn = e->insn;
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;
    unsigned size = e->code64 ? 8 : 4;

    if (insn->operand_size != size || insn->address_size == 2) {
        return false;
    }
    if (exec == x86_exec_jcc) {
        TcgCond cond = (TcgCond)(insn->opcode & 15);
        if (!tcg_emit_loop_jump(e, cond)) {
            emit_branch(e, cond, branch_target(e));
        }
        e->t0_next = e->t0_group;
        return true;
    }
    if (exec == x86_exec_loop || exec == x86_exec_loope || exec == x86_exec_loopne ||
        exec == x86_exec_jrcxz) {
        emit_loop(e);
        return true;
    }
    if (tcg_is_followed(e, e->index)) {
        e->went_back |= branch_target(e) <= e->pc;
        e->t0_next = e->t0_group;
        return true;
    }
    e->ended = true;
    if (exec != x86_exec_jmp_rel && !e->flags_saved &&
        (exec != x86_exec_call_rel || e->ahead_live == X86_FLAGS_ARITH)) {
        tcg_emit_save_flags(e); /* exact, or nothing has needed it yet */
    }
    if (exec == x86_exec_jmp_rel) {
        tcg_emit_goto(e, branch_target(e));
    } else if (exec == x86_exec_call_rel) {
        push_return(e, size);
        emit_call_link(e);
    } else if (exec == x86_exec_jmp_e) {
        indirect_target(e, size);
        emit_indirect(e);
    } else if (exec == x86_exec_call_e) {
        emit_indirect_call(e, size);
    } else if (exec == x86_exec_ret || exec == x86_exec_ret_imm) {
        TcgEa ea = tcg_ea_stack(e, 0);
        TcgMem mem = tcg_emit_mem(e, &ea, size, false);
        tcg_asm_mov_rm(a, size, TCG_T0, mem);
        tcg_emit_add(e, X86_RSP, (int32_t)(size + (exec == x86_exec_ret_imm ? insn->imm : 0)),
                     size);
        if (has_frames(e)) {
            emit_return(e, size);
        }
        emit_indirect(e);
    } else {
        e->ended = false;
        return false;
    }
    return true;
}

void
tcg_emit_interpret(TcgEmit *e)
{
    if (e->machine->options.count) {
        tcg_emit_interpret_leave(e);
        e->ended = false;
        return;
    }
    tcg_asm_mov_linear(&e->a, TCG_T1, e->pc);
    tcg_asm_mov_ri(&e->a, TCG_T0, (uintptr_t)tcg_insn_keep(e->machine, e->insn));
    tcg_asm_call_to(&e->a, e->machine->thunks.interpret);
}

static void
interpret_leave(TcgEmit *e, const X86Insn *insn)
{
    tcg_count_tell(e, e->pc);
    tcg_asm_mov_linear(&e->a, TCG_T1, e->pc);
    tcg_asm_mov_ri(&e->a, TCG_T0, (uintptr_t)insn);
    tcg_asm_jmp_to(&e->a, e->machine->thunks.interpret_leave);
    e->ended = true;
}

void
tcg_emit_interpret_leave(TcgEmit *e)
{
    interpret_leave(e, e->n_insns ? tcg_insn_keep(e->machine, e->insn) : NULL);
}

void
tcg_emit_interpret_soft(TcgEmit *e)
{
    interpret_leave(e, NULL);
}
