/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* From guest bytes to a block: choose the instructions, find out where the flags are read, emit.
 *
 * A block is up to 64 instructions of one page, in line: it goes on behind conditional jumps that
 * are not taken and ends at the first one that never falls through, or that may change mode, map or
 * interrupt flag. What no emitter takes is run by the interpreter in place. Thread: the CPU's own,
 * machine's lock held. */

#include "emit.h"
#include "flags.h"

enum { HOST_BYTES_MAX = 96 * 1024, FIXES_OF_ENTRY = 10 };

/* Whether the translator may go on behind INSN after the interpreter has run it. */
static bool
ends_block(const TcgEmit *e, const X86Insn *insn)
{
    const X86OpRow *row = insn->row;

    return (row->flags & X86_ROW_END) && !tcg_is_inline_system(e, insn) &&
           row->exec != x86_exec_cli && row->exec != x86_exec_cld && row->exec != x86_exec_std;
}

/* Copies what a block at OFFSET may be made of, so that it is made of what its bytes are compared
 * with later, whoever writes the page meanwhile. */
static size_t
read_source(TcgEmit *e, const TcgFetch *fetch, unsigned offset)
{
    size_t len = MIN(VIT_PAGE_SIZE - offset, TCG_BLOCK_INSNS * TCG_INSN_BYTES);

    memcpy(e->source, fetch->host + offset, len);
    if (e->second) {
        memcpy(e->source + len, e->second->host, TCG_INSN_BYTES);
        len += TCG_INSN_BYTES;
    }
    return len;
}

/* Whether nothing in line is executed behind INSN, or in another mode. */
static bool
is_last(const TcgEmit *e, const X86Insn *insn)
{
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;

    if (insn->row->class_ == X86_CLASS_INT && !(insn->row->flags & X86_ROW_END)) {
        return false;
    }
    return ends_block(e, insn) || exec == x86_exec_stac || exec == x86_exec_clac ||
           (insn->row->class_ == X86_CLASS_FLOW &&
            (exec == x86_exec_jmp_rel || exec == x86_exec_jmp_e || exec == x86_exec_call_rel ||
             exec == x86_exec_call_e || exec == x86_exec_ret || exec == x86_exec_ret_imm));
}

/* Whether LEN bytes at OFFSET are not in the block yet. */
static bool
is_new(const TcgEmit *e, unsigned offset, unsigned len)
{
    unsigned own = e->pcs[0] & 0xfff;

    if (offset < own + e->first_len && own < offset + len) {
        return false;
    }
    for (unsigned i = 0; i < e->n_parts; i++) {
        const TcgPart *part = &e->parts[i];
        if (offset < part->offset + part->len && part->offset < offset + len) {
            return false;
        }
    }
    return true;
}

/* Instructions in line, of the LEN bytes of SOURCE, which are those at OFFSET of the page. */
static void
choose(TcgEmit *e, const uint8_t *source, size_t len, unsigned offset)
{
    unsigned limit = e->machine->options.one_insn_per_tb || e->second ? 1
                     : e->ungrouped                                   ? e->ungrouped
                                                                      : TCG_BLOCK_INSNS;
    size_t at = 0;

    while (e->n_insns < limit && at < len) {
        X86Insn *insn = &e->insns[e->n_insns];

        if (x86_decode(source + at, len - at, e->code64 ? 8 : 4, insn) != X86_DECODE_OK ||
            !x86_interp_row_allowed(&e->cpu->core, insn->row) ||
            (e->first_len && !is_new(e, offset + (unsigned)at, insn->length))) {
            return;
        }
        tcg_reg_use(insn, &e->uses[e->n_insns]);
        e->pcs[e->n_insns++] = e->page_pc + offset + at;
        at += insn->length;
        if (is_last(e, insn) || (e->checked && (!tcg_checked_goes_on(insn) ||
                                                at > TCG_CHECKED_BYTES - TCG_INSN_BYTES))) {
            return;
        }
    }
}

bool
tcg_is_followed(const TcgEmit *e, unsigned index)
{
    return e->insns[index].row->exec == x86_exec_jmp_rel && index + 1 < e->n_insns;
}

/* Goes on where direct jumps inside the page lead to, in hot code: elsewhere it would be more code
 * for little. No instruction is in a block twice. */
static void
follow_jumps(TcgEmit *e, const TcgFetch *fetch)
{
    while (e->n_parts < TCG_PARTS) {
        unsigned n = e->n_insns, size = e->code64 ? 8 : 4;
        TcgPart *part = &e->parts[e->n_parts];
        uint8_t *source = e->part_source[e->n_parts];
        const X86Insn *last = &e->insns[n - 1];
        uint64_t target = e->pcs[n - 1] + last->length + last->imm;
        unsigned len = MIN(TCG_PART_BYTES, VIT_PAGE_SIZE - (target & 0xfff));

        if (last->row->exec != x86_exec_jmp_rel || last->operand_size != size ||
            last->address_size == 2 || (target & ~(uint64_t)0xfff) != e->page_pc) {
            return;
        }
        memcpy(source, fetch->host + (target & 0xfff), len);
        choose(e, source, len, target & 0xfff);
        if (e->n_insns == n) {
            return;
        }
        last = &e->insns[e->n_insns - 1];
        part->offset = target & 0xfff;
        part->len = (uint16_t)(e->pcs[e->n_insns - 1] + last->length - target);
        e->n_parts++;
    }
}

/* Whether INSN leaves the block with the flags in hot.exit_flags. */
static bool
takes_flags_along(const TcgEmit *e, const X86Insn *insn)
{
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;

    return (exec == x86_exec_call_rel && e->ahead_live == X86_FLAGS_ARITH) ||
           exec == x86_exec_call_e || exec == x86_exec_jmp_e || exec == x86_exec_ret ||
           exec == x86_exec_ret_imm;
}

/* Whether a fault may come of instruction INDEX, or somebody else runs it. */
static bool
may_fault(const TcgEmit *e, unsigned index)
{
    const X86Insn *insn = &e->insns[index];
    void (*exec)(X86Core *, const X86Insn *) = insn->row->exec;

    switch (insn->row->class_) {
    case X86_CLASS_INT:
        if (exec == x86_exec_nop) {
            return false; /* nor a prefetch */
        }
        return insn->is_memory || !insn->has_modrm || exec == x86_exec_div || exec == x86_exec_idiv;
    case X86_CLASS_STACK: break;
    case X86_CLASS_FLOW: return !tcg_is_followed(e, index);
    default: return true;
    }
    return true;
}

/* The flags that the code at PC reads before it writes them, as far as can be seen from what is in
 * the block's page. */
static uint16_t
live_at(TcgEmit *e, const TcgFetch *fetch, uint64_t pc)
{
    uint16_t live = 0, open = X86_FLAGS_ARITH;
    unsigned len = MIN(sizeof(e->ahead), VIT_PAGE_SIZE - (pc & 0xfff)), at = 0;
    X86Insn insn;

    memcpy(e->ahead, fetch->host + (pc & 0xfff), len);
    while (open) {
        if (x86_decode(e->ahead + at, len - at, e->code64 ? 8 : 4, &insn) != X86_DECODE_OK ||
            !x86_interp_row_allowed(&e->cpu->core, insn.row)) {
            return X86_FLAGS_ARITH;
        }
        at += insn.length;
        if (tcg_flags_by_cl(&insn)) {
            continue; /* what it writes, or what was there: as wanted behind it */
        }
        live |= tcg_flags_read(&insn) & open;
        if (insn.row->class_ == X86_CLASS_FLOW || insn.row->class_ == X86_CLASS_SYSTEM ||
            insn.row->class_ == X86_CLASS_STRING || (insn.row->flags & X86_ROW_END)) {
            live |= open;
            break;
        }
        open &= ~(insn.row->flags_written | insn.row->flags_undefined);
    }
    e->ahead_offset = pc & 0xfff;
    e->ahead_len = at;
    return live;
}

/* Flags that are wanted where the block goes on: all of them where that is not known. */
static void
look_ahead(TcgEmit *e, const TcgFetch *fetch)
{
    const X86Insn *last = &e->insns[MAX(e->n_insns, 1) - 1];
    uint64_t pc, flags;
    bool call;

    e->ahead_live = X86_FLAGS_ARITH;
    e->ahead_len = 0;
    if (e->n_insns == 0 || e->second || e->checked || e->machine->options.exact ||
        e->machine->options.one_insn_per_tb) {
        return;
    }
    pc = e->pcs[e->n_insns - 1] + last->length;
    call = last->row->exec == x86_exec_call_rel;
    if ((call || last->row->exec == x86_exec_jmp_rel) &&
        last->operand_size == (e->code64 ? 8 : 4) &&
        last->address_size != 2) { /* that it is emitted */
        pc += last->imm;
    } else if (ends_block(e, last) || last->row->class_ == X86_CLASS_FLOW ||
               last->row->class_ == X86_CLASS_SYSTEM) {
        return;
    }
    if ((pc & ~(uint64_t)0xfff) == e->page_pc) {
        e->ahead_live = live_at(e, fetch, pc);
        e->ahead_live |= X86_FLAGS_ARITH & ~tcg_flags_tell(NULL, e->insns, e->uses, e->n_insns, 0,
                                                           0, &flags, &e->kept, !e->ahead_live);
    }
    if (call && e->ahead_live) {
        e->ahead_live = X86_FLAGS_ARITH; /* to save them is less than checks that keep them */
    }
    if (e->ahead_live == X86_FLAGS_ARITH) {
        e->ahead_len = 0;
    }
}

/* Flags that a fault of the instruction INDEX could not show. MAY_KEEP: what it takes may be done,
 * as else none of them would be wanted. A repeated string instruction has
 * made steps before it: what is told afterwards is not told from registers that these move. */
static uint16_t
not_to_be_told(TcgEmit *e, unsigned index, bool may_keep)
{
    const X86Insn *insn = &e->insns[index];
    bool repeated = insn->row->class_ == X86_CLASS_STRING && (insn->rep || insn->repne);
    uint16_t moved = repeated ? 1u << X86_RCX | 1u << X86_RSI | 1u << X86_RDI : 0;
    uint64_t flags;
    uint16_t told =
        tcg_flags_tell(NULL, e->insns, e->uses, index, moved, 0, &flags, &e->kept, may_keep);

    return repeated && told != X86_FLAGS_ARITH ? X86_FLAGS_ARITH : X86_FLAGS_ARITH & ~told;
}

static void
find_live_flags(TcgEmit *e)
{
    bool leaves = e->n_insns && takes_flags_along(e, &e->insns[e->n_insns - 1]);
    uint16_t live = leaves ? 0 : e->ahead_live, exit = leaves ? X86_FLAGS_ARITH : 0;

    for (unsigned i = e->n_insns; i-- > 0;) {
        const X86OpRow *row = e->insns[i].row;
        uint16_t written = (row->flags_written | row->flags_undefined) & X86_FLAGS_ARITH;

        if ((row->class_ == X86_CLASS_FLOW && !(leaves && i == e->n_insns - 1) &&
             !tcg_is_followed(e, i)) ||
            (row->flags & X86_ROW_END)) {
            live = row->exec == x86_exec_jmp_rel || row->exec == x86_exec_call_rel
                       ? e->ahead_live
                       : X86_FLAGS_ARITH;
            exit = 0;
            written = 0; /* it may fault first */
        }
        if (tcg_flags_by_cl(&e->insns[i]) && !exit) {
            written = 0; /* by nothing it leaves them: they are wanted before it where behind it */
        } else {
            live = (live & ~written) | tcg_flags_read(&e->insns[i]);
        }
        if (written) {
            live |= exit & ~written; /* to be saved behind it */
            exit = 0;
        }
        if (!exit && live != X86_FLAGS_ARITH && may_fault(e, i)) {
            live |= not_to_be_told(e, i, !live);
        }
        e->live_in[i] = live;
        e->exit_live[i] = exit;
        if (e->softs.count) { /* flags are not told from operands that nobody knows */
            e->live_in[i] = X86_FLAGS_ARITH;
            e->exit_live[i] = false;
        }
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

/* Whether the host can run the current instruction. The interpreter offers more than every host
 * has, ADX among it. */
static bool
host_can(const TcgEmit *e)
{
    const X86OpRow *row = e->insn->row;

    return row->class_ == X86_CLASS_SYSTEM || e->machine->host_has[row->feature];
}

static bool
emit_one(TcgEmit *e)
{
    if (!segment_known(e) || !host_can(e)) {
        return false;
    }
    switch (e->insn->row->class_) {
    case X86_CLASS_INT:
        if (tcg_emit_int(e)) {
            return true;
        }
        e->t0_group = TCG_GROUP_NONE;
        e->loop.failed |= e->loop.pinned && e->loop.emitting;
        return tcg_emit_system(e);
    case X86_CLASS_STACK: return tcg_emit_stack(e);
    case X86_CLASS_FLOW: return tcg_emit_flow(e);
    case X86_CLASS_VEC:
    case X86_CLASS_X87: return tcg_emit_vec(e);
    case X86_CLASS_STRING: return tcg_emit_string(e);
    case X86_CLASS_SYSTEM:
        e->t0_group = TCG_GROUP_NONE;
        return tcg_emit_mxcsr(e) || tcg_emit_system(e);
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

void
tcg_emit_insn(TcgEmit *e, unsigned index)
{
    uint8_t *at = e->a.at;
    unsigned n_cold = e->n_cold, n_links = e->n_links, n_fixes = e->a.n_fixes;
    const X86OpRow *row = e->insns[index].row;
    TcgPlace *place;

    e->index = index;
    e->insn = &e->insns[index];
    e->pc = e->pcs[index];
    e->next_pc = e->pc + e->insn->length;
    e->flags_live = e->live_in[index] || e->machine->options.exact;
    e->t0_next = TCG_GROUP_NONE;
    place = &e->places[e->n_places++];
    *place = (TcgPlace){ (uint16_t)tcg_asm_offset(&e->a), e->pc & 0xfff };
    if (e->exit_live[index] && !e->flags_saved && may_clobber_flags(e)) {
        tcg_emit_save_flags(e);
        at = e->a.at;
    }
    if (e->flags_saved) {
        place->guest |= TCG_PLACE_FLAGS_SAVED;
    } else if (!e->machine->options.exact && e->live_in[index] != X86_FLAGS_ARITH &&
               !e->exit_live[index]) { /* those that leave have been kept all the same */
        place->guest |= TCG_PLACE_FLAGS_DEAD;
    }
    e->keeps = !e->machine->options.exact && (e->kept >> index & 1);
    if (e->keeps) {
        tcg_emit_keep(e);
    }
    if (!ends_block(e, e->insn) && emit_one(e)) {
        tcg_emit_mem_done(e);
        if (row->class_ == X86_CLASS_INT && !e->insn->is_memory && e->insn->has_modrm &&
            !tcg_is_soft(e)) {
            tcg_asm_may_move(&e->a, at);
        }
        e->flags_saved &= !((row->flags_written | row->flags_undefined) & X86_FLAGS_ARITH);
        e->t0_group = e->t0_next;
        return;
    }
    if (!tcg_asm_failed(&e->a)) {
        e->a.at = at; /* what an emitter began before it found out */
    }
    e->n_cold = n_cold;
    e->n_links = n_links;
    e->a.n_fixes = (uint16_t)n_fixes;
    e->t0_group = TCG_GROUP_NONE;
    e->loop.failed |= e->loop.emitting;
    e->loop.wanted &= index >= e->loop.len;
    tcg_groups_forget(&e->groups, index);
    if (e->flags_saved) {
        tcg_emit_restore_flags(e);
    }
    if (tcg_is_soft(e)) {
        tcg_emit_interpret_soft(e);
    } else if (ends_block(e, e->insn) || e->insn->row->class_ == X86_CLASS_FLOW) {
        tcg_emit_interpret_leave(e);
    } else {
        tcg_emit_interpret(e);
    }
}

/* The block with all that belongs to it, in one piece. */
static TcgBlock *
new_block(TcgEmit *e, const TcgBlock *draft)
{
    size_t links = e->n_links * sizeof(TcgLink), places = e->n_places * sizeof(TcgPlace);
    unsigned max = e->a.n_fixes + FIXES_OF_ENTRY; /* with those of the stubs */
    size_t fixes = e->a.fixes && !e->a.pinned ? max * sizeof(TcgFix) : 0;
    size_t len =
        sizeof(TcgBlock) + links + places + fixes + tcg_block_guest_bytes(draft) + e->ahead_len;
    uint8_t *at;
    TcgBlock *block = tcg_pool_alloc(&e->machine->pool, len + TCG_INSN_BYTES);

    e->a.fixes_len = (uint16_t)MIN(max, VIT_ARRAY_LEN(e->fixes));
    *block = *draft;
    block->len_bytes = (uint32_t)len;
    block->links = (TcgLink *)(block + 1);
    block->places = (TcgPlace *)((char *)block->links + links);
    block->fixes = (TcgFix *)((char *)block->places + places);
    block->bytes = (uint8_t *)block->fixes + fixes;
    memcpy(block->places, e->places, places);
    at = mempcpy((uint8_t *)block->bytes, e->source, draft->len);
    at = mempcpy(at, e->ahead, e->ahead_len);
    for (unsigned i = 0; i < draft->n_parts; i++) {
        at = mempcpy(at, e->part_source[i], draft->parts[i].len);
    }
    block->ahead_offset = e->ahead_offset;
    block->ahead_len = (uint16_t)e->ahead_len;
    return block;
}

static void
finish_links(TcgEmit *e, TcgBlock *block)
{
    uint32_t code = (uint32_t)(e->a.start - e->machine->code);

    for (unsigned i = 0; i < e->n_links; i++) {
        block->links[i] = (TcgLink){ .from = block,
                                     .pc = e->links[i].pc,
                                     .jump = code + (uint32_t)e->links[i].jump,
                                     .stub = code + e->links[i].stub,
                                     .mode = e->links[i].mode,
                                     .backward = e->links[i].backward,
                                     .in_memory = e->links[i].in_memory,
                                     .returns = e->links[i].returns,
                                     .flags_dead = e->links[i].flags_dead,
                                     .ungrouped = e->links[i].ungrouped };
    }
}

/* What follows is emitted among that which is rarely executed. */
static bool
begin_cold(TcgEmit *e)
{
    if (tcg_asm_failed(&e->a)) {
        return false;
    }
    e->hot_end = e->a.at;
    e->a.at = e->a.cold = e->machine->code + e->machine->cold_used;
    e->a.end = e->a.at + HOST_BYTES_MAX;
    return true;
}

/* NULL: the code did not fit. */
static TcgBlock *
emit_block(TcgEmit *e, TcgBlock *draft, const TcgFetch *fetch)
{
    TcgNearOwner owner = tcg_near_owner(e->view, draft->pc);
    TcgBlock *block;

    for (unsigned kind = 0; kind < 2; kind++) {
        draft->near_first[kind] = (uint16_t)tcg_near_next(e->machine, owner, kind);
    }
    draft->start = tcg_asm_here(&e->a);
    tcg_emit_entry(e, draft, tcg_fetch_slot(fetch->page), fetch->stamp);
    for (unsigned i = 0; i < e->n_insns && !tcg_asm_failed(&e->a); i++) {
        tcg_emit_insn(e, i);
    }
    if (e->n_insns == 0) {
        /* no instruction, not allowed, or it goes on in the next page */
        e->pc = draft->pc;
        tcg_emit_interpret_leave(e);
    } else if (!e->ended) {
        tcg_emit_goto(e, e->next_pc);
    }
    if (e->ahead_len && e->n_links) {
        e->links[e->n_links - 1].flags_dead = true;
    }
    tcg_emit_loop(e);
    e->a.pinned |= e->loop.jumps; /* it knows addresses of its own code */
    if (e->loop.failed || !begin_cold(e)) {
        return NULL;
    }
    tcg_emit_cold(e);
    draft->n_links = (uint16_t)e->n_links;
    draft->n_insns = (uint16_t)e->n_insns;
    draft->n_places = (uint16_t)e->n_places;
    draft->kept = e->kept;
    for (unsigned kind = 0; kind < 2; kind++) {
        draft->near_end[kind] = (uint16_t)tcg_near_next(e->machine, owner, kind);
    }
    block = new_block(e, draft);
    tcg_emit_links(e, block);
    if (tcg_asm_failed(&e->a)) {
        tcg_pool_undo(&e->machine->pool, block);
        return NULL;
    }
    finish_links(e, block);
    if (!e->a.pinned) {
        block->n_fixes = e->a.n_fixes;
        memcpy(block->fixes, e->fixes, block->n_fixes * sizeof(TcgFix));
    }
    block->cold_start = e->a.cold + e->a.exec_delta;
    block->end = e->hot_end + e->a.exec_delta;
    block->cold_end = tcg_asm_here(&e->a);
    return block;
}

static void
begin_block(TcgEmit *e, TcgCpu *cpu, const TcgFetch *fetch, const TcgFetch *second)
{
    e->cpu = cpu;
    e->machine = cpu->machine;
    e->mode = fetch->mode;
    e->view = fetch->mode & TCG_MODE_VIEW;
    e->code64 = (fetch->mode & TCG_MODE_SIZE) == TCG_MODE_CODE64;
    e->page_pc = fetch->page;
    e->second = second;
    e->checked = tcg_is_checked(fetch, second);
    e->n_insns = e->n_cold = e->n_links = e->n_places = 0;
    e->vec_checked = e->x87_checked = e->ended = e->flags_saved = false;
    e->entry_failed = e->entry_failed_parked = e->stale = (TcgLabel){ 0 };
    e->t0_group = TCG_GROUP_NONE;
    e->live_in[0] = X86_FLAGS_ARITH;
    e->exit_live[0] = false;
    e->kept = 0;
    e->first_len = e->n_parts = 0;
    e->went_back = false;
    memset(&e->loop, 0, sizeof(e->loop));
}

/* NULL: it did not fit, or e->loop.failed. */
static TcgBlock *
make_block(TcgEmit *e, TcgBlock *draft, const TcgFetch *fetch, bool loops)
{
    TcgMachine *machine = e->machine;
    unsigned offset = draft->offset;
    const X86Insn *last;

    e->ungrouped = draft->ungrouped;
    e->softs = draft->softs;
    e->code_host = fetch->host + offset;
    e->pcs[0] = draft->pc;
    choose(e, e->source, read_source(e, fetch, offset), offset);
    last = &e->insns[MAX(e->n_insns, 1) - 1];
    draft->len = e->n_insns ? (uint16_t)(e->pcs[e->n_insns - 1] + last->length - draft->pc)
                            : (uint16_t)MIN(TCG_INSN_BYTES, VIT_PAGE_SIZE - offset);
    e->first_len = draft->len;
    e->hot = tcg_is_hot(machine, offset, e->source, draft->len);
    if (e->hot && e->n_insns && !e->second && !e->checked && !e->ungrouped) {
        follow_jumps(e, fetch);
    }
    draft->n_parts = (uint16_t)e->n_parts;
    memcpy(draft->parts, e->parts, sizeof(draft->parts));
    look_ahead(e, fetch);
    find_live_flags(e);
    if (loops) {
        tcg_loop_find(e);
    }
    tcg_groups_find(&e->groups, e->insns, e->uses, e->pcs,
                    e->ungrouped || e->softs.count ? 0 : e->n_insns, e->code64, e->loop.len);
    tcg_loop_plan(e);
    e->hot |= e->loop.len > 0;
    draft->hot = e->hot;
    tcg_asm_init(&e->a, machine->code + machine->code_used, HOST_BYTES_MAX,
                 tcg_exec_delta(machine));
    if (!draft->second && !draft->checked && !draft->ungrouped && tcg_may_copy(machine, fetch)) {
        e->a.fixes = e->fixes;
        e->a.fixes_len = VIT_ARRAY_LEN(e->fixes);
    }
    return emit_block(e, draft, fetch);
}

TcgBlock *
tcg_translate(TcgCpu *cpu, const TcgFetch *fetch, const TcgFetch *second, uint64_t pc,
              unsigned ungrouped, const TcgSofts *softs)
{
    TcgMachine *machine = cpu->machine;
    TcgEmit *e = machine->emit;
    TcgBlock draft = { .page = fetch->code,
                       .second = second ? second->code : NULL,
                       .pc = pc,
                       .offset = pc & 0xfff,
                       .mode = fetch->mode,
                       .stamp = fetch->stamp,
                       .ungrouped = (uint8_t)ungrouped,
                       .checked = tcg_is_checked(fetch, second),
                       .softs = *softs };
    TcgBlock *block;
    size_t hot, cold;

    if (!draft.second && !draft.checked && !ungrouped) {
        block = tcg_copy(machine, fetch, pc);
        if (block) {
            tcg_log_block(cpu, block);
            return block;
        }
    }
    if (machine->cold_start - machine->code_used < HOST_BYTES_MAX ||
        machine->code_len - machine->cold_used < HOST_BYTES_MAX) {
        return NULL;
    }
    begin_block(e, cpu, fetch, second);
    block = make_block(e, &draft, fetch, !draft.checked);
    if (e->loop.failed) {
        begin_block(e, cpu, fetch, second);
        block = make_block(e, &draft, fetch, false);
    }
    if (!block) {
        return NULL;
    }
    hot = (size_t)(e->hot_end - e->a.start);
    cold = (size_t)(e->a.at - e->a.cold);
    machine->code_used += (hot + 15) & ~(size_t)15;
    machine->cold_used += (cold + 3) & ~(size_t)3; /* it may have jumps that are rewritten */
    machine->translated_blocks++;
    machine->translated_insns += e->n_insns;
    machine->translated_guest_bytes += tcg_block_guest_bytes(block);
    machine->host_bytes += hot + cold;
    machine->cold_bytes += cold;
    machine->checked_blocks += block->checked;
    machine->soft_blocks += block->softs.count > 0;
    tcg_block_add(machine, block);
    tcg_copy_offer(machine, block);
    tcg_log_block(cpu, block);
    return block;
}
