/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Loops: a block that begins with instructions whose last is a jump back to the first.
 *
 * Such instructions are emitted a second time, behind the block. Their accesses that move by a
 * constant in each turn, or stay where they are, make streams: all that a stream touches in one
 * turn is checked before the loop (the preparation), and how far its register may go until one of
 * them leaves its page is kept as a limit. A turn then compares one register per limit, and an
 * access is the instruction and a load of the stream's distance between host and guest. Where a
 * limit is passed the loop is prepared again; where that fails (another page that is not in the
 * table, a device) a turn of the block's own instructions does it, whose checks are precise.
 *
 * Accesses of other kinds are checked as always, but their slow paths leave the loop. So nothing
 * happens between two looks at the request to leave, in each turn or soon, that could change a
 * table: who drops an entry of another CPU's sets that request. Only flags that nobody reads are
 * destroyed by the comparisons: a loop whose first instructions read flags is not made. Registers
 * are compared with their sign, far enough from where they would wrap. Thread: the translating
 * CPU's.
 */

#include "emit.h"

enum {
    NO_STREAM = 0xff,
    STRIDE_MAX = 512,    /* bytes a turn; else a page is left too soon */
    SPAN_MAX = 1024,     /* bytes of a stream in one turn */
    UNHEARD_MAX = 16384, /* instructions without a look at the request to leave */
};

static TcgMem
ctx(int32_t offset)
{
    return tcg_mem(TCG_CTX, offset);
}

static TcgMem
stream_slot(unsigned stream)
{
    return ctx(TCG_OFFSET(stream) + (int32_t)(stream * sizeof(uintptr_t)));
}

static TcgMem
limit_slot(unsigned limit)
{
    return ctx(TCG_OFFSET(limit) + (int32_t)(limit * sizeof(int64_t)));
}

/* ---- Which ---- */

static bool
is_jump_back(const TcgEmit *e, unsigned index)
{
    const X86Insn *insn = &e->insns[index];

    return insn->row->exec == x86_exec_jcc && insn->operand_size == 8 && insn->address_size != 2 &&
           e->pcs[index] + insn->length + insn->imm == e->pcs[0];
}

void
tcg_loop_find(TcgEmit *e)
{
    const TcgOptions *options = &e->machine->options;

    if (!e->code64 || e->second || e->ungrouped || e->checked || options->exact || options->count ||
        options->force_exits || options->one_insn_per_tb || e->n_insns == 0 || e->live_in[0] ||
        e->exit_live[0]) {
        return;
    }
    for (unsigned i = 0; i < e->n_insns; i++) {
        switch (e->insns[i].row->class_) {
        case X86_CLASS_INT:
        case X86_CLASS_STACK:
        case X86_CLASS_VEC:
        case X86_CLASS_X87: break;
        case X86_CLASS_FLOW:
            if (is_jump_back(e, i)) {
                e->loop.len = i + 1;
                return;
            }
            if (e->insns[i].row->exec != x86_exec_jcc) {
                return;
            }
            break;
        default: return;
        }
    }
}

/* The register that VALUE is a constant away from, as it was when the turn began. */
static unsigned
register_of(const TcgEmit *e, const TcgValue *value)
{
    unsigned reg = value->symbol - 1;

    return value->symbol - 1 < 16 && (e->groups.stride_known >> reg & 1) ? reg : X86_NO_REG;
}

/* What STREAM has to be for ACCESS, without extent. False: none can be. */
static bool
describe(const TcgEmit *e, const TcgAccess *access, TcgStream *stream)
{
    const TcgEa *ea = &access->ea;
    const int64_t *stride = e->groups.stride;
    const TcgValue *value[2] = { &access->base, &access->index };
    unsigned given[2] = { ea->base, ea->index }, shift[2] = { 0, ea->scale };

    *stream = (TcgStream){ .still = X86_NO_REG, .moving = X86_NO_REG };
    if (access->size == 0 || ea->segment == X86_FS || ea->segment == X86_GS ||
        access->offset != (int32_t)access->offset) {
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (given[i] == X86_NO_REG) {
            continue;
        }
        unsigned reg = register_of(e, value[i]);
        if (reg == X86_NO_REG) {
            return false;
        }
        if (stride[reg] && stream->moving == X86_NO_REG) {
            stream->moving = (uint8_t)reg;
            stream->shift = (uint8_t)shift[i];
        } else if (!stride[reg] && stream->still == X86_NO_REG) {
            stream->still = (uint8_t)reg;
            stream->still_shift = (uint8_t)shift[i];
        } else {
            return false;
        }
    }
    return stream->moving == X86_NO_REG ||
           (ABS(stride[stream->moving]) << stream->shift) <= STRIDE_MAX;
}

static bool
same_registers(const TcgStream *a, const TcgStream *b)
{
    return a->still == b->still && a->still_shift == b->still_shift && a->moving == b->moving &&
           a->shift == b->shift;
}

static bool
has_limit(TcgLoop *loop, unsigned reg)
{
    unsigned n = 0;

    if (reg == X86_NO_REG) {
        return true;
    }
    while (n < loop->n_limits && loop->limit_of[n] != reg) {
        n++;
    }
    if (n == TCG_LIMITS) {
        return false;
    }
    loop->limit_of[n] = (uint8_t)reg;
    loop->n_limits = MAX(loop->n_limits, n + 1);
    return true;
}

static unsigned
limit_number(const TcgLoop *loop, unsigned reg)
{
    unsigned n = 0;

    while (loop->limit_of[n] != reg) {
        n++;
    }
    return n;
}

/* The stream that ACCESS goes with. */
static uint8_t
join(TcgEmit *e, const TcgAccess *access)
{
    TcgLoop *loop = &e->loop;
    int64_t low = access->offset, high = low + access->size;
    TcgStream wanted;

    if (!describe(e, access, &wanted)) {
        return NO_STREAM;
    }
    for (unsigned i = 0; i < loop->n_streams; i++) {
        TcgStream *stream = &loop->stream[i];
        int64_t all_low = MIN(low, stream->low), all_high = MAX(high, stream->high);
        if (same_registers(stream, &wanted) && all_high - all_low <= SPAN_MAX) {
            stream->low = all_low;
            stream->high = all_high;
            stream->write |= access->write;
            return (uint8_t)i;
        }
    }
    if (loop->n_streams == TCG_STREAMS || !has_limit(loop, wanted.moving)) {
        return NO_STREAM;
    }
    wanted.low = low;
    wanted.high = high;
    wanted.write = access->write;
    loop->stream[loop->n_streams] = wanted;
    return (uint8_t)loop->n_streams++;
}

/* Whether it soon comes to a page's end, where it is prepared again and requests to leave are
 * looked at: they are not each turn then. */
static bool
is_bounded(const TcgEmit *e)
{
    const TcgLoop *loop = &e->loop;

    for (unsigned i = 0; i < loop->n_streams; i++) {
        const TcgStream *stream = &loop->stream[i];
        int64_t step = stream->moving == X86_NO_REG
                           ? 0
                           : ABS(e->groups.stride[stream->moving]) << stream->shift;
        if (step && loop->len * (VIT_PAGE_SIZE / step) <= UNHEARD_MAX) {
            return true;
        }
    }
    return false;
}

/* Whether instruction INDEX is emitted without T0 and T1 but for its stream. */
static bool
is_frugal(const TcgEmit *e, unsigned index)
{
    const X86Insn *insn = &e->insns[index];
    bool access = (insn->is_memory || !insn->has_modrm) && tcg_memory_access(insn);
    const TcgAccess *noted = e->groups.access[index];
    TcgRegUse use;

    if (insn->is_memory && (e->kept >> index & 1)) {
        return false; /* operated on in T1 */
    }
    if (insn->row->class_ == X86_CLASS_FLOW) {
        return insn->row->exec == x86_exec_jcc;
    }
    if (insn->row->exec == x86_exec_nop && insn->is_memory) { /* perhaps a prefetch */
        return false;
    }
    tcg_reg_use(insn, &use);
    return (insn->row->class_ == X86_CLASS_INT || insn->row->class_ == X86_CLASS_VEC) &&
           !((use.read | use.written | use.address) & TCG_IN_STATE) && !use.high_byte &&
           (insn->row->exec != x86_exec_lea || insn->operand_size >= 4) && !e->exit_live[index] &&
           noted[1].size == 0 &&
           (access ? noted[0].size && e->loop.stream_of[index][0] != NO_STREAM
                   : noted[0].size == 0);
}

/* Where nothing else of the loop needs T0 and T1 they hold what the accesses of two streams need,
 * or T1 that of the most used one, which is then not loaded in each turn. */
static void
plan_pins(TcgEmit *e)
{
    TcgLoop *loop = &e->loop;
    unsigned count[TCG_STREAMS] = { 0 }, most = 0;

    loop->pin[0] = loop->pin[1] = TCG_STREAMS;
    for (unsigned i = 0; i < loop->len; i++) {
        if (!is_frugal(e, i)) {
            return;
        }
        if (loop->stream_of[i][0] != NO_STREAM) {
            count[loop->stream_of[i][0]]++;
        }
    }
    for (unsigned i = 0; i < loop->n_streams; i++) {
        if (loop->stream[i].moving != X86_NO_REG && (TCG_IN_STATE >> loop->stream[i].moving & 1)) {
            return;
        }
        most = count[i] > count[most] ? i : most;
    }
    loop->pinned = true;
    loop->pin[1] = loop->n_streams > 2 ? (uint8_t)most : 0;
    loop->pin[0] = loop->n_streams == 2 ? 1 : TCG_STREAMS;
}

void
tcg_loop_plan(TcgEmit *e)
{
    TcgLoop *loop = &e->loop;

    for (unsigned i = 0; i < loop->len; i++) {
        for (unsigned n = 0; n < 2; n++) {
            loop->stream_of[i][n] = join(e, &e->groups.access[i][n]);
        }
    }
    loop->wanted = loop->n_streams > 0;
    if (loop->wanted) {
        loop->bounded = is_bounded(e);
        plan_pins(e);
    }
}

/* ---- Emitting ---- */

bool
tcg_emit_loop_jump(TcgEmit *e, TcgCond cond)
{
    TcgLoop *loop = &e->loop;

    if (e->index + 1 != loop->len || !loop->wanted) {
        return false;
    }
    if (loop->emitting) {
        tcg_asm_jcc(&e->a, cond, &loop->head);
    } else {
        loop->jumps = true;
        loop->vec_checked = e->vec_checked;
        loop->x87_checked = e->x87_checked;
        tcg_asm_jcc(&e->a, cond, &loop->again);
    }
    return true;
}

/* The register that has stream NUMBER's distance between host and guest. */
static unsigned
distance(TcgEmit *e, unsigned number)
{
    const TcgLoop *loop = &e->loop;

    if (loop->pinned && (loop->pin[0] == number || loop->pin[1] == number)) {
        e->used_group = e->t0_group; /* T0 is left alone */
        return loop->pin[0] == number ? TCG_T0 : TCG_T1;
    }
    e->used_group = (uint8_t)(TCG_GROUPS + number);
    if (e->t0_group != e->used_group) {
        tcg_asm_mov_rm(&e->a, 8, TCG_T0, stream_slot(number));
    }
    return TCG_T0;
}

bool
tcg_loop_operand(TcgEmit *e, const TcgEa *ea, unsigned size, bool write, TcgMem *out_mem)
{
    const TcgAccess *access =
        e->loop.emitting ? tcg_groups_any(&e->groups, e->index, ea, size, write) : NULL;
    unsigned number =
        access ? e->loop.stream_of[e->index][access - e->groups.access[e->index]] : NO_STREAM;
    const TcgStream *stream;
    TcgAsm *a = &e->a;
    int64_t disp = ea->disp;
    unsigned moving = X86_NO_REG;

    if (number == NO_STREAM) {
        return false;
    }
    stream = &e->loop.stream[number];
    if (stream->moving != X86_NO_REG) {
        bool by_base = ea->base != X86_NO_REG && access->base.symbol == stream->moving + 1u;
        const TcgValue *other = by_base ? &access->index : &access->base;
        moving = by_base ? ea->base : ea->index;
        disp += other->offset * (1 << (by_base ? ea->scale : 0));
    } else {
        disp = access->offset;
    }
    if (disp != (int32_t)disp) {
        return false;
    }
    if (moving == X86_NO_REG) {
        *out_mem = tcg_mem(distance(e, number), (int32_t)disp);
    } else if (tcg_home[moving] != TCG_NO_REG) {
        *out_mem =
            tcg_mem_index(distance(e, number), tcg_home[moving], stream->shift, (int32_t)disp);
    } else {
        tcg_asm_mov_rm(a, 8, TCG_T1, stream_slot(number));
        tcg_asm_mov_rm(a, 8, TCG_T0, ctx(TCG_GPR(moving)));
        tcg_asm_lea(a, 8, TCG_T0, tcg_mem_index(TCG_T1, TCG_T0, stream->shift, 0));
        *out_mem = tcg_mem(TCG_T0, (int32_t)disp);
    }
    return true;
}

/* DST += guest REG, or another operation. */
static void
alu_guest(TcgEmit *e, TcgAlu op, unsigned dst, unsigned reg)
{
    if (tcg_home[reg] != TCG_NO_REG) {
        tcg_asm_alu_rr(&e->a, op, 8, dst, tcg_home[reg]);
    } else {
        tcg_asm_alu_rm(&e->a, op, 8, dst, ctx(TCG_GPR(reg)));
    }
}

/* T0 = what has to lie between STREAM's first byte and where its register may go: as a limit, where
 * it is nearer than the one that is there. */
static void
set_limit(TcgEmit *e, const TcgStream *stream, bool first)
{
    TcgMem slot = limit_slot(limit_number(&e->loop, stream->moving));
    bool up = e->groups.stride[stream->moving] > 0;
    TcgLabel nearer = { 0 };
    TcgAsm *a = &e->a;

    if (up) { /* what is left behind the last byte */
        tcg_asm_unary_r(a, TCG_NEG, 8, TCG_T0);
        tcg_asm_alu_ri(a, TCG_ADD, 8, TCG_T0,
                       (int32_t)(VIT_PAGE_SIZE - (stream->high - stream->low)));
    }
    if (stream->shift) {
        tcg_asm_shift_ri(a, TCG_SHR, 8, TCG_T0, stream->shift);
    }
    if (!up) {
        tcg_asm_unary_r(a, TCG_NEG, 8, TCG_T0);
    }
    alu_guest(e, TCG_ADD, TCG_T0, stream->moving);
    if (!first) {
        tcg_asm_alu_rm(a, TCG_CMP, 8, TCG_T0, slot);
        tcg_asm_jcc_short(a, up ? TCG_GE : TCG_LE, &nearer);
    }
    tcg_asm_mov_mr(a, 8, slot, TCG_T0);
    tcg_asm_bind(a, &nearer);
}

static void
prepare_stream(TcgEmit *e, unsigned number, bool first)
{
    const TcgStream *stream = &e->loop.stream[number];
    TcgEa ea = { .base = X86_NO_REG,
                 .index = X86_NO_REG,
                 .address_size = 8,
                 .segment = X86_DS,
                 .disp = stream->low };
    TcgAsm *a = &e->a;

    if (stream->still_shift) {
        ea.index = stream->still;
        ea.scale = stream->still_shift;
        ea.base = stream->moving;
    } else {
        ea.base = stream->still;
        ea.index = stream->moving;
        ea.scale = stream->shift;
    }
    tcg_emit_ea(e, &ea);
    tcg_asm_check(a, e->view, (unsigned)(stream->high - stream->low), stream->write,
                  &e->loop.entry);
    tcg_asm_lea(a, 8, TCG_T1, tcg_mem_index(TCG_T1, TCG_T0, 0, (int32_t)-stream->low));
    tcg_asm_mov_mr(a, 8, stream_slot(number), TCG_T1);
    if (stream->moving == X86_NO_REG) {
        return;
    }
    set_limit(e, stream, first);
    tcg_asm_mov_rr(a, 8, TCG_T1, tcg_emit_use(e, stream->moving, TCG_T1));
    if (stream->shift) {
        tcg_asm_shift_ri(a, TCG_SHL, 8, TCG_T1, stream->shift);
    }
    tcg_asm_alu_mr(a, TCG_SUB, 8, stream_slot(number), TCG_T1);
}

/* Jumps to the block's own instructions where some stream cannot be prepared. */
static void
prepare(TcgEmit *e)
{
    TcgLoop *loop = &e->loop;
    TcgAsm *a = &e->a;
    unsigned seen = 0;

    if (loop->bounded) {
        tcg_asm_alu_rm(a, TCG_CMP, 8, X86_RSP, ctx(TCG_OFFSET(hot.floor)));
        tcg_asm_jcc(a, TCG_B, &e->entry_failed);
    }
    tcg_asm_mov_mi(a, 4, ctx(TCG_OFFSET(patience)), TCG_PATIENCE);
    for (unsigned i = 0; i < loop->n_limits; i++) {
        /* not where it might wrap: from -2^62 to 2^62 */
        tcg_asm_mov_ri(a, TCG_T1, (uint64_t)1 << 62);
        alu_guest(e, TCG_ADD, TCG_T1, loop->limit_of[i]);
        tcg_asm_jcc(a, TCG_S, &loop->entry);
    }
    for (unsigned i = 0; i < loop->n_streams; i++) {
        unsigned moving = loop->stream[i].moving;
        bool first = moving != X86_NO_REG && !(seen >> moving & 1);
        prepare_stream(e, i, first);
        seen |= moving == X86_NO_REG ? 0 : 1u << moving;
    }
    for (unsigned i = 0; loop->pinned && i < 2; i++) {
        if (loop->pin[i] < TCG_STREAMS) {
            tcg_asm_mov_rm(a, 8, i ? TCG_T1 : TCG_T0, stream_slot(loop->pin[i]));
        }
    }
}

static void
emit_head(TcgEmit *e)
{
    TcgLoop *loop = &e->loop;
    TcgAsm *a = &e->a;

    tcg_asm_align(a, 16);
    tcg_asm_bind(a, &loop->head);
    if (!loop->bounded) {
        tcg_asm_alu_rm(a, TCG_CMP, 8, X86_RSP, ctx(TCG_OFFSET(hot.floor)));
        tcg_asm_jcc(a, TCG_B, &e->entry_failed);
    }
    for (unsigned i = 0; i < loop->n_limits; i++) {
        unsigned reg = loop->limit_of[i];
        tcg_asm_alu_rm(a, TCG_CMP, 8, tcg_emit_use(e, reg, TCG_T0), limit_slot(i));
        tcg_asm_jcc(a, e->groups.stride[reg] > 0 ? TCG_G : TCG_L, &loop->prepare);
    }
}

void
tcg_emit_loop(TcgEmit *e)
{
    TcgLoop *loop = &e->loop;
    TcgAsm *a = &e->a;

    if (!loop->jumps) {
        return;
    }
    e->flags_live = e->flags_saved = false;
    e->t0_group = TCG_GROUP_NONE;
    tcg_asm_bind(a, &loop->again);
    tcg_asm_alu_mi(a, TCG_SUB, 4, ctx(TCG_OFFSET(patience)), 1);
    tcg_asm_jcc(a, TCG_NS, &loop->entry);
    tcg_asm_bind(a, &loop->prepare);
    prepare(e);
    emit_head(e);
    loop->emitting = true;
    e->vec_checked = loop->vec_checked;
    e->x87_checked = loop->x87_checked;
    for (unsigned i = 0; i < e->groups.count; i++) {
        e->groups.group[i].ready = false;
    }
    for (unsigned i = 0; i < loop->len && !tcg_asm_failed(a); i++) {
        tcg_emit_insn(e, i);
    }
    tcg_emit_goto(e, e->next_pc);
    loop->emitting = false;
}
