/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Memory checks: the only file beside tlb.c that knows what an entry of the tables looks like.
 *
 * Two forms of the same check. The normal one (rotate, mask, add, compare) destroys the flags and
 * is used where nobody reads them before they are written again. The transparent one needs a third
 * register, so RCX waits in the context meanwhile: PEXT takes the table index and later what is
 * left of page and offset, LEA adds, JRCXZ decides; none of them touches a flag.
 *
 * A group of accesses (group.h) is checked once, by the first of them, for all the bytes they
 * touch; the host address of the lowest waits in the context. When that check cannot succeed,
 * another block has the same instructions without groups.
 *
 * A failed check goes to a stub behind the block: it computes the address again and calls the slow
 * thunk, followed by some bytes that tell the ways back: to the check (the page was entered) and
 * behind the instruction (the interpreter has run it). A read that lies in two
 * pages is gathered in the context and the instruction goes on from there. Thread: the translating
 * CPU's.
 */

#include "emit.h"
#include "fpstate.h"

enum {
    SITE_WRITE = 1,
    SITE_FLOW = 2,
    SITE_OWN_WRITE = 2, /* of a group: the instruction itself writes */
    SITE_SAVED = 4,
    SITE_GROUP = 8,
    SITE_KEEPS = 16, /* the instruction keeps its operands */
};

/* Lies behind the call that a slow path makes, and tells where translated code goes on. That of a
 * group is followed by the way to its instructions without groups. */
typedef struct __attribute__((packed)) Site {
    uint8_t info, size; /* SITE_*; bytes of the operand */
    int32_t again;      /* the check, from here */
    union {
        struct __attribute__((packed)) {
            uint16_t hit, done; /* from there: behind the check, behind the instruction */
        };
        uint16_t limit; /* of a group: the last offset in a page that it may begin at */
    };
    uint16_t near; /* slot, or TCG_NEAR_NONE */
} Site;

TcgEa
tcg_ea_operand(const TcgEmit *e)
{
    TcgEa ea = tcg_ea_of(e->insn, e->next_pc);

    ea.soft = tcg_soft_disp(e);
    if (ea.soft) {
        ea.soft_size = e->insn->disp_size;
        ea.disp -= e->insn->disp;
    }
    return ea;
}

TcgEa
tcg_ea_stack(const TcgEmit *e, int64_t disp)
{
    return tcg_ea_of_stack(e->code64, disp);
}

/* Base and index as host registers; those that live in the state are loaded into T0 and T1. */
static TcgMem
host_operand(TcgEmit *e, const TcgEa *ea)
{
    TcgMem mem = { .base = TCG_NO_REG, .index = TCG_NO_REG, .scale = ea->scale };

    if (ea->base != X86_NO_REG) {
        mem.base = tcg_emit_use(e, ea->base, TCG_T0);
    }
    if (ea->index != X86_NO_REG) {
        mem.index = tcg_emit_use(e, ea->index, TCG_T1);
    }
    mem.disp = (int32_t)ea->disp;
    return mem;
}

/* T0 += the place of the item that the bit is in. SIZE: of the address. */
static void
add_bit_index(TcgEmit *e, const TcgEa *ea, unsigned size)
{
    const TcgOp sarx = { .opcode = X86_MAP_0F38 << 8 | 0xf7,
                         .prefix = 0xf3,
                         .wide = ea->bit_size == 8 };
    TcgAsm *a = &e->a;

    tcg_asm_mov_ri(a, TCG_T1, ea->bit_size == 8 ? 6 : 5);
    if (tcg_home[ea->bit] == TCG_NO_REG) {
        tcg_asm_vex_rm(a, &sarx, false, TCG_T1, TCG_T1, tcg_mem(TCG_CTX, TCG_GPR(ea->bit)));
    } else {
        tcg_asm_vex_rr(a, &sarx, false, TCG_T1, TCG_T1, tcg_home[ea->bit]);
    }
    if (ea->bit_size == 4) {
        tcg_asm_movsx_rr(a, 8, TCG_T1, 4, TCG_T1);
    }
    tcg_asm_lea(a, size, TCG_T0, tcg_mem_index(TCG_T0, TCG_T1, ea->bit_size == 8 ? 3 : 2, 0));
}

void
tcg_emit_ea(TcgEmit *e, const TcgEa *ea)
{
    unsigned size = ea->address_size == 8 ? 8 : 4;
    TcgAsm *a = &e->a;

    if (ea->linear && size == 8) {
        tcg_asm_mov_linear(a, TCG_T0, (uint64_t)ea->disp);
    } else if (ea->base == X86_NO_REG && ea->index == X86_NO_REG) {
        a->pinned |= ea->linear;
        tcg_asm_mov_ri(a, TCG_T0, size == 8 ? (uint64_t)ea->disp : (uint32_t)ea->disp);
    } else {
        TcgMem mem = host_operand(e, ea);
        if (mem.index == TCG_NO_REG && mem.disp == 0) {
            tcg_asm_mov_rr(a, size, TCG_T0, mem.base);
        } else {
            tcg_asm_lea(a, size, TCG_T0, mem);
        }
    }
    if (ea->soft) {
        tcg_asm_mov_ri(a, TCG_T1, (uintptr_t)ea->soft);
        tcg_asm_movsx_rm(a, 8, TCG_T1, ea->soft_size, tcg_mem(TCG_T1, 0));
        tcg_asm_lea(a, size, TCG_T0, tcg_mem_index(TCG_T0, TCG_T1, 0, 0));
    }
    if (ea->bit_size) {
        add_bit_index(e, ea, size);
    }
    if (ea->segment == X86_FS || ea->segment == X86_GS) {
        tcg_asm_mov_rm(
            a, 8, TCG_T1,
            tcg_mem(TCG_CTX, (int32_t)(offsetof(X86State, seg) + sizeof(X86Segment) * ea->segment +
                                       offsetof(X86Segment, base))));
        tcg_asm_lea(a, e->code64 ? 8 : 4, TCG_T0, tcg_mem_index(TCG_T0, TCG_T1, 0, 0));
    }
}

static TcgMem
hot(size_t offset)
{
    return tcg_mem(TCG_CTX, TCG_OFFSET(hot) + (int32_t)offset);
}

static int32_t
table_offset(unsigned view, bool write, size_t member)
{
    return TCG_OFFSET(tlb) +
           (int32_t)((view * 2 + write) * sizeof(TcgTlbEntry) * TCG_TLB_LARGEST + member);
}

TcgMem
tcg_tlb_mem(unsigned view, bool write, size_t member)
{
    return tcg_mem_index(TCG_CTX, TCG_T1, 0, table_offset(view, write, member));
}

/* To the slow path unless SIZE bytes at T0 are in a page, with RCX parked; T1 = the word at HOST,
 * then RCX is back. BEFORE: T0 may be some bytes before the page, as the tag may be any. */
static void
test_transparent(TcgEmit *e, TcgCold *cold, unsigned size, bool before, TcgMem host)
{
    TcgMem page_bits = hot(offsetof(TcgHot, page_bits));
    TcgLabel hit = { 0 };
    TcgAsm *a = &e->a;

    if (size > 1 && before) {
        tcg_asm_lea(a, 8, TCG_T1, tcg_mem(TCG_T0, (int32_t)size - 1));
        tcg_asm_pext_rrm(a, 8, X86_RCX, TCG_T0, page_bits);
        tcg_asm_pext_rrm(a, 8, TCG_T1, TCG_T1, page_bits);
        tcg_asm_lea(a, 8, X86_RCX, tcg_mem_index(X86_RCX, TCG_T1, 0, 0));
    } else if (size > 1) {
        tcg_asm_lea(a, 8, X86_RCX, tcg_mem(TCG_T0, (int32_t)size - 1));
        tcg_asm_pext_rrm(a, 8, X86_RCX, X86_RCX, page_bits);
    } else {
        tcg_asm_pext_rrm(a, 8, X86_RCX, TCG_T0, page_bits);
    }
    tcg_asm_mov_rm(a, 8, TCG_T1, host);
    tcg_asm_jrcxz(a, &hit);
    tcg_asm_jmp(a, &cold->slow);
    tcg_asm_bind(a, &hit);
    tcg_asm_mov_rm(a, 8, X86_RCX, hot(offsetof(TcgHot, park)));
}

static void
check_transparent(TcgEmit *e, TcgCold *cold, unsigned size, bool write)
{
    TcgAsm *a = &e->a;
    int32_t tag = table_offset(e->view, write, offsetof(TcgTlbEntry, tag));
    int32_t host = table_offset(e->view, write, offsetof(TcgTlbEntry, host));

    tcg_asm_mov_mr(a, 8, hot(offsetof(TcgHot, park)), X86_RCX);
    tcg_asm_pext_rrm(a, 8, TCG_T1, TCG_T0, hot(offsetof(TcgHot, tlb_index_bits)));
    tcg_asm_lea(a, 8, TCG_T1, tcg_mem_index(TCG_T1, TCG_T1, 0, 0));
    tcg_asm_mov_rm(a, 8, X86_RCX, tcg_mem_index(TCG_CTX, TCG_T1, 3, tag));
    tcg_asm_lea(a, 8, TCG_T0, tcg_mem_index(TCG_T0, X86_RCX, 0, 0));
    test_transparent(e, cold, size, false, tcg_mem_index(TCG_CTX, TCG_T1, 3, host));
}

void
tcg_asm_check(TcgAsm *a, unsigned view, unsigned size, bool write, TcgLabel *fail)
{
    tcg_asm_rorx_rri(a, 8, TCG_T1, TCG_T0, 8);
    tcg_asm_alu_rm(a, TCG_AND, 4, TCG_T1, hot(offsetof(TcgHot, tlb_mask)));
    tcg_asm_alu_rm(a, TCG_ADD, 8, TCG_T0, tcg_tlb_mem(view, write, offsetof(TcgTlbEntry, tag)));
    tcg_asm_mov_rm(a, 8, TCG_T1, tcg_tlb_mem(view, write, offsetof(TcgTlbEntry, host)));
    tcg_asm_alu_ri(a, TCG_CMP, 8, TCG_T0, (int32_t)(VIT_PAGE_SIZE - size));
    tcg_asm_jcc(a, TCG_A, fail);
}

static TcgMem
near_mem(unsigned slot, size_t member)
{
    return tcg_mem(TCG_CTX, TCG_OFFSET(near.page) + (int32_t)(slot * sizeof(TcgTlbEntry) + member));
}

/* T0 = EA + the word at TAG. */
static void
add_tag(TcgEmit *e, const TcgEa *ea, TcgMem tag)
{
    bool base = ea->base != X86_NO_REG, index = ea->index != X86_NO_REG;
    TcgAsm *a = &e->a;

    if (ea->address_size == 8 && base != index && !ea->soft && !ea->bit_size &&
        ea->segment != X86_FS && ea->segment != X86_GS) {
        unsigned reg = tcg_emit_use(e, base ? ea->base : ea->index, TCG_T1);
        tcg_asm_mov_rm(a, 8, TCG_T0, tag);
        tcg_asm_lea(a, 8, TCG_T0,
                    tcg_mem_index(TCG_T0, reg, base ? 0 : ea->scale, (int32_t)ea->disp));
    } else if (e->flags_live) {
        tcg_emit_ea(e, ea);
        tcg_asm_mov_rm(a, 8, TCG_T1, tag);
        tcg_asm_lea(a, 8, TCG_T0, tcg_mem_index(TCG_T0, TCG_T1, 0, 0));
    } else {
        tcg_emit_ea(e, ea);
        tcg_asm_alu_rm(a, TCG_ADD, 8, TCG_T0, tag);
    }
}

/* The check of the page in COLD's slot. */
static void
check_near(TcgEmit *e, const TcgEa *ea, unsigned size, TcgCold *cold)
{
    TcgMem host = near_mem(cold->near, offsetof(TcgTlbEntry, host));
    TcgAsm *a = &e->a;

    add_tag(e, ea, near_mem(cold->near, offsetof(TcgTlbEntry, tag)));
    if (cold->parked) {
        tcg_asm_mov_mr(a, 8, hot(offsetof(TcgHot, park)), X86_RCX);
        test_transparent(e, cold, size, true, host);
        return;
    }
    tcg_asm_mov_rm(a, 8, TCG_T1, host);
    tcg_asm_alu_ri(a, TCG_CMP, 8, TCG_T0, (int32_t)(VIT_PAGE_SIZE - size));
    tcg_asm_jcc(a, TCG_A, &cold->slow);
}

/* Where it failed, with the address in T0: perhaps the tables have it. */
static void
look_further(TcgEmit *e, TcgCold *cold)
{
    unsigned size = cold->span ? cold->span : cold->size;
    TcgAsm *a = &e->a;

    tcg_asm_mov_ri(a, TCG_T1, (uint64_t)cold->near << 12 | (VIT_PAGE_SIZE - size));
    if (cold->parked) {
        TcgLabel no = { 0 };
        tcg_asm_pushf(a);
        tcg_asm_call_to(a, e->machine->thunks.near[e->view][cold->is_write]);
        tcg_asm_jcc_short(a, TCG_A, &no);
        tcg_asm_popf(a);
        tcg_asm_jmp(a, &cold->hit);
        tcg_asm_bind(a, &no);
        tcg_asm_popf(a);
        return;
    }
    tcg_asm_call_to(a, e->machine->thunks.near[e->view][cold->is_write]);
    tcg_asm_jcc(a, TCG_BE, &cold->hit);
}

/* Accesses of the stack have one slot together; others have some in hot code. */
static uint16_t
near_slot(const TcgEmit *e, const TcgEa *ea, bool write)
{
    TcgNearOwner owner = tcg_near_owner(e->view, e->pc);

    if (ea->base == X86_RSP && ea->index == X86_NO_REG && ea->segment != X86_FS &&
        ea->segment != X86_GS) {
        return (uint16_t)tcg_near_stack(e->view, write);
    }
    return e->hot && owner != TCG_NEAR_NOBODY
               ? tcg_near_slot(e->machine, owner, e->pc, e->insn, e->insn->bytes, write)
               : TCG_NEAR_NONE;
}

/* The slow path of an access. NULL: failed. */
static TcgCold *
new_cold(TcgEmit *e, const TcgEa *ea, unsigned size, bool write)
{
    TcgCold *cold;

    if (e->n_cold == TCG_COLD_MAX) {
        e->a.state = TCG_ASM_RANGE;
        return NULL;
    }
    e->loop.failed |= e->loop.pinned && e->loop.emitting;
    cold = &e->cold[e->n_cold++];
    *cold = (TcgCold){ .ea = *ea,
                       .size = (uint8_t)MIN(size, 64),
                       .pc = e->pc,
                       .is_write = write,
                       .parked = e->flags_live,
                       .leaves = e->loop.emitting,
                       .flags_saved = e->flags_saved,
                       .keeps = e->keeps,
                       .near = TCG_NEAR_NONE,
                       .is_flow = e->insn->row->class_ == X86_CLASS_FLOW };
    return cold;
}

/* T0 = offset in the page, T1 = the page. NULL: failed. */
static TcgCold *
check(TcgEmit *e, const TcgEa *ea, unsigned size, bool write)
{
    TcgCold *cold = new_cold(e, ea, size, write);

    if (!cold) {
        return NULL;
    }
    tcg_asm_bind(&e->a, &cold->again);
    if (!cold->leaves) {
        cold->near = near_slot(e, ea, write);
    }
    if (cold->near != TCG_NEAR_NONE) {
        check_near(e, ea, size, cold);
    } else if (cold->parked) {
        tcg_emit_ea(e, ea);
        check_transparent(e, cold, size, write);
    } else {
        tcg_emit_ea(e, ea);
        tcg_asm_check(&e->a, e->view, size, write, &cold->slow);
    }
    tcg_asm_bind(&e->a, &cold->hit);
    return cold;
}

static TcgMem
group_slot(unsigned group)
{
    return tcg_mem(TCG_CTX, TCG_OFFSET(group) + (int32_t)(group * sizeof(uintptr_t)));
}

/* A group's check may leave the block, and interrupts wait for one instruction more. */
static bool
behind_sti(const TcgEmit *e)
{
    return e->index > 0 && e->insns[e->index - 1].row->exec == x86_exec_sti;
}

/* An access of a group: the first one checks for all and keeps the address. False: it is for
 * itself. */
static bool
emit_grouped(TcgEmit *e, const TcgEa *ea, unsigned size, bool write, TcgMem *out_mem)
{
    const TcgAccess *access = tcg_groups_access(&e->groups, e->index, ea, size, write);
    TcgGroup *group = access ? &e->groups.group[access->group] : NULL;
    TcgAsm *a = &e->a;
    TcgEa low = *ea;
    TcgCold *cold;

    if (!access || (!group->ready && (group->first != e->index || behind_sti(e)))) {
        return false;
    }
    *out_mem = tcg_mem(TCG_T0, (int32_t)(access->offset - group->low));
    if (group->ready) {
        if (e->t0_group != access->group) {
            tcg_asm_mov_rm(a, 8, TCG_T0, group_slot(access->group));
        }
        e->used_group = access->group;
        return true;
    }
    low.disp -= access->offset - group->low;
    if (!e->code64) {
        low.disp = (int32_t)low.disp;
    }
    if ((ea->base != X86_NO_REG || ea->index != X86_NO_REG) && low.disp != (int32_t)low.disp) {
        return false;
    }
    cold = check(e, &low, (unsigned)(group->high - group->low), group->write);
    if (cold) {
        cold->span = (uint16_t)(group->high - group->low);
        cold->count = group->last - group->first + 1;
        cold->own_write = write;
    }
    tcg_asm_lea(a, 8, TCG_T0, tcg_mem_index(TCG_T0, TCG_T1, 0, 0));
    tcg_asm_mov_mr(a, 8, group_slot(access->group), TCG_T0);
    group->ready = true;
    e->used_group = access->group;
    return true;
}

bool
tcg_emit_push_in_t0(TcgEmit *e, unsigned size, size_t again)
{
    TcgEa ea = tcg_ea_stack(e, -(int64_t)size);
    const TcgAccess *access = tcg_groups_access(&e->groups, e->index, &ea, size, true);
    unsigned slot = tcg_near_stack(e->view, true);
    TcgAsm *a = &e->a;
    TcgCold *cold;

    if (access) {
        TcgGroup *group = &e->groups.group[access->group];
        if (!group->ready) {
            return false;
        }
        tcg_asm_mov_rm(a, 8, TCG_T0, group_slot(access->group));
        tcg_asm_lea(a, 8, TCG_T0, tcg_mem(TCG_T0, (int32_t)(access->offset - group->low)));
        return true;
    }
    if (e->flags_live || ea.address_size != 8) {
        return false;
    }
    cold = new_cold(e, &ea, size, true);
    if (!cold) {
        return false;
    }
    cold->near = (uint16_t)slot;
    cold->again.place = cold->hit.place = (uint32_t)again + 1; /* what T1 had is gone */
    add_tag(e, &ea, near_mem(slot, offsetof(TcgTlbEntry, tag)));
    tcg_asm_alu_ri(a, TCG_CMP, 8, TCG_T0, (int32_t)(VIT_PAGE_SIZE - size));
    tcg_asm_jcc(a, TCG_A, &cold->slow);
    tcg_asm_alu_rm(a, TCG_ADD, 8, TCG_T0, near_mem(slot, offsetof(TcgTlbEntry, host)));
    return true;
}

TcgMem
tcg_emit_mem(TcgEmit *e, const TcgEa *ea, unsigned size, bool write)
{
    TcgMem mem = tcg_mem_index(TCG_T0, TCG_T1, 0, 0);

    e->used_group = TCG_GROUP_NONE;
    if (!tcg_loop_operand(e, ea, size, write, &mem) && !emit_grouped(e, ea, size, write, &mem)) {
        check(e, ea, size, write);
    }
    e->t0_group = TCG_GROUP_NONE; /* within this instruction T0 may be put to other uses now */
    return mem;
}

/* Of whatever the slot of the tables says, as a prefetch of a wrong address does nothing: no check,
 * no flag touched. Data that are prefetched are far from the caches, so it is worth its price. */
void
tcg_emit_prefetch(TcgEmit *e)
{
    const TcgEa ea = tcg_ea_operand(e);
    int32_t host = table_offset(e->view, false, offsetof(TcgTlbEntry, host));
    TcgAsm *a = &e->a;

    tcg_emit_ea(e, &ea);
    tcg_asm_pext_rrm(a, 8, TCG_T1, TCG_T0, hot(offsetof(TcgHot, tlb_index_bits)));
    tcg_asm_lea(a, 8, TCG_T1, tcg_mem_index(TCG_T1, TCG_T1, 0, 0));
    tcg_asm_mov_rm(a, 8, TCG_T1, tcg_mem_index(TCG_CTX, TCG_T1, 3, host));
    tcg_asm_pext_rrm(a, 8, TCG_T0, TCG_T0, tcg_mem(TCG_CTX, TCG_OFFSET(offset_bits)));
    tcg_asm_prefetch(a, e->insn->opcode, e->insn->reg & 7, tcg_mem_index(TCG_T0, TCG_T1, 0, 0));
}

TcgMem
tcg_emit_mem_single(TcgEmit *e, const TcgEa *ea, unsigned size, bool write)
{
    TcgMem mem = tcg_emit_mem(e, ea, size, write);

    if (mem.index == TCG_NO_REG) {
        return mem;
    }
    e->loop.failed |= e->loop.pinned && e->loop.emitting;
    e->used_group = TCG_GROUP_NONE;
    tcg_asm_lea(&e->a, 8, TCG_T0, mem);
    return tcg_mem(TCG_T0, 0);
}

void
tcg_emit_mem_done(TcgEmit *e)
{
    for (unsigned i = e->n_cold; i-- > 0 && e->cold[i].pc == e->pc && !e->cold[i].done.place;) {
        tcg_asm_bind(&e->a, &e->cold[i].done);
    }
}

/* Before the slow path of a group: one that does not fit into a page goes on behind its site at
 * once. Flags are left alone. */
void
tcg_mem_make_thunks(TcgThunks *t, TcgAsm *a)
{
    TcgLabel across = { 0 };

    tcg_asm_align(a, 16);
    t->slow_group = tcg_asm_here(a);
    tcg_asm_pushf(a);
    tcg_asm_push_r(a, X86_RAX);
    tcg_asm_mov_rm(a, 8, X86_RAX, tcg_mem(X86_RSP, 16));
    tcg_asm_movzx_rm(a, X86_RAX, 2, tcg_mem(X86_RAX, offsetof(Site, limit)));
    tcg_asm_mov_rr(a, 4, TCG_T1, TCG_T0);
    tcg_asm_alu_ri(a, TCG_AND, 4, TCG_T1, VIT_PAGE_SIZE - 1);
    tcg_asm_alu_rr(a, TCG_CMP, 4, TCG_T1, X86_RAX);
    tcg_asm_pop_r(a, X86_RAX);
    tcg_asm_jcc_short(a, TCG_A, &across);
    tcg_asm_popf(a);
    tcg_asm_jmp_to(a, t->slow);
    tcg_asm_bind(a, &across);
    tcg_asm_alu_mi(a, TCG_ADD, 8, tcg_mem(X86_RSP, 8), sizeof(Site));
    tcg_asm_mov_mi(a, 4, tcg_mem(TCG_CTX, TCG_OFFSET(uncounted)), 0);
    tcg_asm_popf(a);
    tcg_asm_ret(a);
}

/* Out of a loop, whose preparation would not outlast what the slow path may do: the dispatcher
 * finds a block that begins with the instruction. */
static void
leave_loop(TcgEmit *e, const TcgCold *cold)
{
    TcgAsm *a = &e->a;

    a->pinned = true;
    tcg_asm_mov_ri(a, TCG_T0, (uintptr_t)tcg_asm_here(a));
    tcg_asm_mov_mr(a, 8, tcg_mem(TCG_CTX, TCG_OFFSET(fault_pc)), TCG_T0);
    tcg_asm_mov_ri(a, TCG_T1, cold->pc);
    tcg_asm_jmp_to(a, e->machine->thunks.leave_at);
}

static void
emit_stub(TcgEmit *e, TcgCold *cold)
{
    Site site = { .info = (cold->is_write ? SITE_WRITE : 0) | (cold->flags_saved ? SITE_SAVED : 0),
                  .size = cold->size,
                  .near = cold->near };
    TcgAsm *a = &e->a;

    tcg_asm_bind(a, &cold->slow);
    if (cold->parked) {
        tcg_asm_mov_rm(a, 8, X86_RCX, hot(offsetof(TcgHot, park)));
    }
    if (cold->leaves) {
        leave_loop(e, cold);
        return;
    }
    tcg_emit_ea(e, &cold->ea);
    if (cold->near != TCG_NEAR_NONE) {
        look_further(e, cold);
    }
    tcg_count_tell(e, cold->pc);
    tcg_asm_call_to(a, cold->span ? e->machine->thunks.slow_group : e->machine->thunks.slow);
    if (!tcg_asm_failed(a)) {
        uint32_t again = cold->again.place - 1;
        site.again = (int32_t)(a->start + again - a->at);
        site.hit = (uint16_t)(cold->hit.place - 1 - again);
        site.done = (uint16_t)(cold->done.place ? cold->done.place - 1 - again : 0);
    }
    if (cold->span) {
        site.info |= SITE_GROUP | (cold->own_write ? SITE_OWN_WRITE : 0);
        site.limit = (uint16_t)(VIT_PAGE_SIZE - cold->span);
    } else {
        site.info |= (cold->is_flow ? SITE_FLOW : 0) | (cold->keeps ? SITE_KEEPS : 0);
    }
    tcg_asm_bytes(a, &site, sizeof(site));
    tcg_asm_note(a, TCG_FIX_ACROSS, sizeof(site) - offsetof(Site, again));
    if (cold->span) {
        tcg_emit_goto_ungrouped(e, cold->pc, cold->count, cold->flags_saved);
    }
}

void
tcg_emit_cold(TcgEmit *e)
{
    for (unsigned i = 0; i < e->n_cold; i++) {
        emit_stub(e, &e->cold[i]);
    }
}

/* Whether the page of a group may be entered. A group that writes later must not mark the page
 * dirty before it does. */
static bool
fill_group(TcgCpu *cpu, uint64_t linear, uint8_t info)
{
    const X86Core *core = &cpu->core;
    X86View view = x86_view(core);

    return (!(info & SITE_WRITE) || (info & SITE_OWN_WRITE) ||
            x86_tlb_hit(core, x86_tlb_slot(core, linear, view), linear, X86_ACCESS_WRITE)) &&
           tcg_tlb_fill(cpu, linear, info & SITE_WRITE, view);
}

/* A read of SIZE bytes in two pages, both plain memory: gathers them. */
static bool
read_across(TcgCpu *cpu, uint64_t linear, unsigned size)
{
    unsigned first = VIT_PAGE_SIZE - (linear & (VIT_PAGE_SIZE - 1));
    X86View view = x86_view(&cpu->core);
    uint64_t next = linear + first;
    const uint8_t *page;
    uint8_t *at;

    if (first >= size || (!x86_long_mode(&cpu->core.s) && next > UINT32_MAX)) {
        return false;
    }
    at = cpu->across + (linear & 63);
    page = tcg_tlb_page(cpu, linear, view);
    if (!page) {
        return false;
    }
    memcpy(at, page + VIT_PAGE_SIZE - first, first);
    page = tcg_tlb_page(cpu, next, view);
    if (!page) {
        return false;
    }
    memcpy(at + first, page, size - first);
    cpu->across_at = (uintptr_t)at;
    return true;
}

static int
slow(X86State *state, uint64_t linear, const uint8_t *at)
{
    X86Core *core = (X86Core *)state;
    TcgCpu *cpu = tcg_cpu_of(core);
    const uint8_t *bytes;
    Site site;

    memcpy(&site, at, sizeof(site));
    cpu->slow++;
    if (site.info & SITE_SAVED) {
        cpu->hot.flags = cpu->hot.exit_flags;
    }
    tcg_fp_settle(cpu);
    if (site.near != TCG_NEAR_NONE && tcg_near_missed(cpu, site.near, at + site.again)) {
        return site.again;
    }
    if (site.info & SITE_GROUP
            ? fill_group(cpu, linear, site.info)
            : tcg_tlb_fill(cpu, linear, site.info & SITE_WRITE, x86_view(core))) {
        return site.again;
    }
    if (!(site.info & (SITE_GROUP | SITE_WRITE | SITE_FLOW)) &&
        read_across(cpu, linear, site.size)) {
        return site.again + site.hit;
    }
    tcg_recover_rip(cpu->machine, at + site.again, &state->rip, &bytes, NULL);
    if (site.info & SITE_GROUP) {
        tcg_recover_flags(cpu, at);
        tcg_flags_from_state(cpu);
        return sizeof(site);
    }
    tcg_recover_later(cpu, at);
    cpu->interpreted++;
    cpu->code_dropped = false;
    tcg_interpret_one(cpu);
    if ((site.info & (SITE_FLOW | SITE_KEEPS)) || cpu->machine->options.count ||
        tcg_must_leave(cpu)) {
        return tcg_leave_behind(cpu, true);
    }
    tcg_recover_not(cpu);
    return site.again + site.done;
}

/* Called by the thunk: enters the page or has the interpreter run the instruction. What is returned
 * is where to go on, from the site on. */
int
tcg_helper_slow(X86State *state, uint64_t linear, const uint8_t *at)
{
    int way = slow(state, linear, at);

    if (way != TCG_LEAVE) {
        tcg_cpu_of((X86Core *)state)->uncounted = 0;
    }
    return way;
}
