/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* From guest bytes to a block: choose the instructions, find out where the flags are read, emit.
 *
 * A block is up to 64 instructions of one page, in line: it goes on behind conditional jumps that
 * are not taken and ends at the first one that never falls through, or that may change mode, map or
 * interrupt flag. What no emitter takes is run by the interpreter in place. Thread: the CPU's own,
 * machine's lock held. */

#include "emit.h"

enum { HOST_BYTES_MAX = 96 * 1024, HOST_BYTES_TYPICAL = 8 * 1024 };

/* Whether the translator may go on behind INSN after the interpreter has run it. */
static bool
ends_block(const TcgEmit *e, const X86Insn *insn)
{
    const X86OpRow *row = insn->row;

    if (tcg_is_inline_system(e, insn)) {
        return false;
    }

    if (row->exec == x86_exec_cli || row->exec == x86_exec_cld || row->exec == x86_exec_std) {
        return false;
    }
    return row->flags & X86_ROW_END;
}

/* Whether INSN leaves the block with the flags in hot.exit_flags. */
static bool
takes_flags_along(const X86Insn *insn)
{
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;

    return exec == x86_exec_call_rel || exec == x86_exec_call_e || exec == x86_exec_jmp_e ||
           exec == x86_exec_ret || exec == x86_exec_ret_imm;
}

/* The instruction at OFFSET of PAGE goes on in the next page: it is a block of its own once that
 * page has been executed. */
static void
choose_crossing(TcgEmit *e, const uint8_t *page, unsigned offset)
{
    const TcgFetch *next = &e->cpu->fetch[e->view][tcg_fetch_slot(e->page_pc + VIT_PAGE_SIZE)];
    X86Insn *insn = &e->insns[0];
    uint8_t bytes[2 * 15];
    unsigned here = VIT_PAGE_SIZE - offset;

    if (next->page != e->page_pc + VIT_PAGE_SIZE || !next->stamp || next->mode != e->mode) {
        e->crossing.later = true;
        return;
    }
    memcpy(bytes, page + offset, here);
    memcpy(bytes + here, next->host, 15);
    if (x86_decode(bytes, 15, e->code64 ? 8 : 4, insn) != X86_DECODE_OK || insn->length <= here ||
        !x86_interp_row_allowed(&e->cpu->core, insn->row)) {
        return;
    }
    if (takes_flags_along(insn) && insn->row->exec != x86_exec_call_rel) {
        return; /* take_back_jump() in exec.c reads one page */
    }
    e->crossing.len = insn->length - here;
    e->crossing.host = next->host;
    e->crossing.slot = tcg_fetch_slot(next->page);
    e->crossing.stamp = next->stamp;
    e->pcs[0] = e->page_pc + offset;
    e->n_insns = 1;
}

static void
choose(TcgEmit *e, const uint8_t *page, unsigned offset)
{
    unsigned limit = e->machine->options.one_insn_per_tb ? 1 : TCG_BLOCK_INSNS;

    while (e->n_insns < limit && offset < VIT_PAGE_SIZE) {
        X86Insn *insn = &e->insns[e->n_insns];
        void (*exec)(X86Core *, const X86Insn *);

        X86DecodeResult result =
            x86_decode(page + offset, VIT_PAGE_SIZE - offset, e->code64 ? 8 : 4, insn);
        if (result == X86_DECODE_SHORT && e->n_insns == 0) {
            choose_crossing(e, page, offset);
        }
        if (result != X86_DECODE_OK || !x86_interp_row_allowed(&e->cpu->core, insn->row)) {
            return;
        }
        e->pcs[e->n_insns++] = e->page_pc + offset;
        offset += insn->length;
        exec = insn->row->exec;
        if (ends_block(e, insn) || exec == x86_exec_stac || exec == x86_exec_clac ||
            exec == x86_exec_jmp_rel || exec == x86_exec_jmp_e || exec == x86_exec_call_rel ||
            exec == x86_exec_call_e || exec == x86_exec_ret || exec == x86_exec_ret_imm) {
            return;
        }
    }
}

static void
find_live_flags(TcgEmit *e)
{
    bool leaves = e->n_insns && takes_flags_along(&e->insns[e->n_insns - 1]);
    uint16_t live = leaves ? 0 : X86_FLAGS_ARITH, exit = leaves ? X86_FLAGS_ARITH : 0;

    for (unsigned i = e->n_insns; i-- > 0;) {
        const X86OpRow *row = e->insns[i].row;
        uint16_t written = (row->flags_written | row->flags_undefined) & X86_FLAGS_ARITH;

        if ((row->class_ == X86_CLASS_FLOW && !(leaves && i == e->n_insns - 1)) ||
            (row->flags & X86_ROW_END)) {
            live = X86_FLAGS_ARITH;
            exit = 0;
        }
        live = (live & ~written) | (row->flags_read & X86_FLAGS_ARITH);
        if (written) {
            live |= exit & ~written; /* to be saved behind it */
            exit = 0;
        }
        e->live_in[i] = live;
        e->exit_live[i] = exit;
    }
}

/* Whether checks know the current instruction's segment. */
static bool
segment_known(const TcgEmit *e)
{
    const X86Insn *insn = e->insn;

    if (e->code64 || (insn->has_modrm && !insn->is_memory)) {
        return true;
    }
    switch (insn->segment) {
    case X86_CS: return false; /* cannot be written */
    case X86_FS: return e->mode & TCG_MODE_FS;
    case X86_GS: return e->mode & TCG_MODE_GS;
    default: return true;
    }
}

static bool
emit_one(TcgEmit *e)
{
    if (!segment_known(e)) {
        return false;
    }
    switch (e->insn->row->class_) {
    case X86_CLASS_INT: return tcg_emit_int(e);
    case X86_CLASS_STACK: return tcg_emit_stack(e);
    case X86_CLASS_FLOW: return tcg_emit_flow(e);
    case X86_CLASS_VEC:
    case X86_CLASS_X87: return tcg_emit_vec(e);
    case X86_CLASS_SYSTEM: return tcg_emit_mxcsr(e) || tcg_emit_system(e);
    default: return false;
    }
}

/* Whether the current instruction may be emitted with something before it that uses the flags. */
static bool
may_clobber_flags(const TcgEmit *e)
{
    const X86Insn *insn = e->insn;

    return !e->flags_live &&
           (insn->row->class_ != X86_CLASS_INT || insn->is_memory || !insn->has_modrm);
}

static void
emit_insn(TcgEmit *e, unsigned index)
{
    uint8_t *at = e->a.at;
    unsigned n_cold = e->n_cold, n_links = e->n_links;
    const X86OpRow *row = e->insns[index].row;

    e->index = index;
    e->insn = &e->insns[index];
    e->pc = e->pcs[index];
    e->next_pc = e->pc + e->insn->length;
    e->flags_live = e->live_in[index] || e->machine->options.exact;
    e->places[index] = (TcgPlace){ (uint16_t)tcg_asm_offset(&e->a), e->pc & 0xfff };
    if (e->exit_live[index] && !e->flags_saved && may_clobber_flags(e)) {
        tcg_emit_save_flags(e);
        at = e->a.at;
    }
    if (e->flags_saved) {
        e->places[index].guest |= TCG_PLACE_FLAGS_SAVED;
    }
    if (!ends_block(e, e->insn) && emit_one(e)) {
        tcg_emit_mem_done(e);
        e->flags_saved &= !((row->flags_written | row->flags_undefined) & X86_FLAGS_ARITH);
        return;
    }
    if (!tcg_asm_failed(&e->a)) {
        e->a.at = at; /* what an emitter began before it found out */
    }
    e->n_cold = n_cold;
    e->n_links = n_links;
    if (e->flags_saved) {
        tcg_emit_restore_flags(e);
    }
    if (ends_block(e, e->insn) || e->insn->row->class_ == X86_CLASS_FLOW) {
        tcg_emit_interpret_leave(e);
    } else {
        tcg_emit_interpret(e);
    }
}

static void
emit_block(TcgEmit *e, TcgBlock *block, const TcgFetch *fetch)
{
    tcg_emit_entry(e, block, tcg_fetch_slot(fetch->page), fetch->stamp);
    for (unsigned i = 0; i < e->n_insns && !tcg_asm_failed(&e->a); i++) {
        emit_insn(e, i);
    }
    if (e->n_insns == 0) {
        /* no instruction, not allowed, or it goes on in the next page */
        e->pc = block->pc;
        tcg_emit_interpret_leave(e);
    } else if (!e->ended) {
        tcg_emit_goto(e, e->next_pc);
    }
    tcg_emit_cold(e);
    block->n_links = (uint16_t)e->n_links;
    block->links = g_new0(TcgLink, MAX(e->n_links, 1));
    tcg_emit_links(e, block);
}

static void
finish_block(TcgEmit *e, TcgBlock *block)
{
    for (unsigned i = 0; i < e->n_links; i++) {
        block->links[i] = (TcgLink){ .from = block,
                                     .pc = e->links[i].pc,
                                     .mode = e->links[i].mode,
                                     .jump = e->a.start + e->links[i].jump,
                                     .stub = e->links[i].stub_at,
                                     .backward = e->links[i].backward,
                                     .in_memory = e->links[i].in_memory };
    }
    block->n_places = (uint16_t)e->n_insns;
    block->places = g_memdup2(e->places, e->n_insns * sizeof(TcgPlace));
    block->end = tcg_asm_here(&e->a);
}

TcgBlock *
tcg_translate(TcgCpu *cpu, const TcgFetch *fetch, uint64_t pc)
{
    TcgMachine *machine = cpu->machine;
    TcgEmit *e = machine->emit;
    size_t room = machine->code_len - machine->code_used;
    TcgBlock *block;

    if (room < HOST_BYTES_MAX) {
        return NULL;
    }
    e->cpu = cpu;
    e->machine = machine;
    e->mode = fetch->mode;
    e->view = fetch->mode & TCG_MODE_VIEW;
    e->code64 = (fetch->mode & TCG_MODE_SIZE) == TCG_MODE_CODE64;
    e->page_pc = fetch->page;
    e->n_insns = e->n_cold = e->n_links = 0;
    memset(&e->crossing, 0, sizeof(e->crossing));
    e->vec_checked = e->x87_checked = e->ended = e->flags_saved = false;
    e->live_in[0] = X86_FLAGS_ARITH;
    e->exit_live[0] = false;
    choose(e, fetch->host, pc & 0xfff);
    find_live_flags(e);

    block = g_new0(TcgBlock, 1);
    block->page = fetch->code;
    block->pc = pc;
    block->offset = pc & 0xfff;
    block->mode = fetch->mode;
    block->stamp = fetch->stamp;
    block->passing = e->crossing.later && fetch->code->passing < TCG_PASSING_MAX;
    fetch->code->passing += block->passing;
    tcg_asm_init(&e->a, machine->code + machine->code_used, HOST_BYTES_MAX,
                 tcg_exec_delta(machine));
    block->start = tcg_asm_here(&e->a);
    emit_block(e, block, fetch);
    if (tcg_asm_failed(&e->a)) {
        g_free(block->links);
        g_free(block);
        return NULL;
    }
    finish_block(e, block);
    block->len = e->n_insns ? (uint16_t)(e->pcs[e->n_insns - 1] + e->insns[e->n_insns - 1].length -
                                         pc - e->crossing.len)
                            : (uint16_t)MIN(15, VIT_PAGE_SIZE - block->offset);
    machine->code_used += (tcg_asm_offset(&e->a) + 15) & ~(size_t)15;
    machine->translated_blocks++;
    machine->translated_insns += e->n_insns;
    machine->translated_guest_bytes += block->len;
    machine->host_bytes += tcg_asm_offset(&e->a);
    tcg_block_add(machine, block);
    return block;
}
