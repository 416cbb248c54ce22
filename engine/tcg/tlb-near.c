/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The page that an access went to last, at a place of its own: see TcgNear in tcg-cpu.h.
 *
 * What an access finds in the tables it keeps in its slot, where its next check looks first: at an
 * address known when it is translated, so that nothing waits for the page number. A slot is a copy;
 * whatever drops an entry of the tables drops its copies. The list of slots in use makes that
 * cheap; of the kernel's accesses those of its stack alone have one, so that it does not grow long.
 *
 * An access that often goes to another page than before would pay for that: a miss takes as long
 * as twenty hits save. So who has missed for a while has some accesses looked at one by one, with
 * the slot empty meanwhile; where too many of them went elsewhere, the block is made anew with that
 * access looking in the tables at once, and so all of the block's that missed about as often.
 * Thread: the CPU's own, except tcg_near_protect().
 */

#include "emit.h"

enum {
    MISSES_SEEN = 256, /* until accesses are looked at */
    LOOKED_AT = 32,    /* so many of them */
    ELSEWHERE_MAX = 2, /* so many may go to another page than the one before */
};

/* Minus an address that no access may have; should one try, a host address that nothing is mapped
 * at faults in its place and the interpreter says what is wrong with it: 0, or NOWHERE for a slot
 * that stays in the list of those in use. */
#define EMPTY_TAG ((uint64_t)1 << 62)
enum { NOWHERE = 64 };

static void
empty(TcgCpu *cpu, unsigned slot)
{
    cpu->near.page[slot].host = 0;
    cpu->near.page[slot].tag = EMPTY_TAG;
}

void
tcg_near_init(TcgCpu *cpu)
{
    for (unsigned slot = 0; slot < 2 * TCG_NEAR_SLOTS; slot++) {
        empty(cpu, slot);
        cpu->near.left[slot] = MISSES_SEEN;
    }
}

void
tcg_near_clear(TcgCpu *cpu)
{
    for (unsigned i = 0; i < cpu->near.n_used; i++) {
        empty(cpu, cpu->near.used[i]);
    }
    cpu->near.n_used = 0;
}

/* Empties what ARGUMENT is found in. */
static void
clear_some(TcgCpu *cpu, bool (*is_it)(const TcgCpu *cpu, unsigned slot, uint64_t argument),
           uint64_t argument)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < cpu->near.n_used; i++) {
        unsigned slot = cpu->near.used[i];
        if (is_it(cpu, slot, argument)) {
            empty(cpu, slot);
        } else {
            cpu->near.used[kept++] = (uint16_t)slot;
        }
    }
    cpu->near.n_used = kept;
}

static bool
has_tag(const TcgCpu *cpu, unsigned slot, uint64_t tag)
{
    return cpu->near.page[slot].tag == tag;
}

static bool
writes_to(const TcgCpu *cpu, unsigned slot, uint64_t host)
{
    return slot >= TCG_NEAR_SLOTS && cpu->near.page[slot].host == host;
}

static bool
writes(const TcgCpu *cpu, unsigned slot, uint64_t unused)
{
    return slot >= TCG_NEAR_SLOTS;
}

void
tcg_near_clear_page(TcgCpu *cpu, uint64_t page)
{
    clear_some(cpu, has_tag, -page);
}

void
tcg_near_protect(TcgCpu *cpu, TcgCpu *own, const uint8_t *host)
{
    if (cpu == own) {
        clear_some(cpu, writes_to, (uintptr_t)host);
    } else {
        __atomic_store_n(&cpu->near.drop_writes, true, __ATOMIC_SEQ_CST);
    }
}

void
tcg_near_begin(TcgCpu *cpu)
{
    if (G_UNLIKELY(__atomic_load_n(&cpu->near.drop_writes, __ATOMIC_SEQ_CST))) {
        __atomic_store_n(&cpu->near.drop_writes, false, __ATOMIC_SEQ_CST);
        clear_some(cpu, writes, 0);
    }
}

/* ---- Who has slots ---- */

static uint64_t *
far_word(TcgMachine *machine, unsigned site, uint64_t *out_bit)
{
    *out_bit = (uint64_t)1 << (site & 63);
    return &machine->far_sites[site >> 6];
}

/* Of OWNER's, one after the other behind those of the stack. */
static unsigned
first_slot(TcgNearOwner owner, bool write)
{
    unsigned first = tcg_near_stack(X86_VIEW_LAST, write);

    return owner == TCG_NEAR_USER ? first : first + tcg_near_slots(TCG_NEAR_USER);
}

/* The same for the same code at another address. */
static unsigned
site_of(uint64_t pc, const X86Insn *insn, const uint8_t *bytes, bool write)
{
    uint64_t word = 0;

    memcpy(&word, bytes, MIN(insn->length, sizeof(word)));
    word ^= (pc & 0xfff) << 52 ^ (uint64_t)write << 51;
    return (unsigned)(word * 0x9e3779b97f4a7c15ull >> 48);
}

uint16_t
tcg_near_slot(TcgMachine *machine, TcgNearOwner owner, uint64_t pc, const X86Insn *insn,
              const uint8_t *bytes, bool write)
{
    unsigned slot, site = site_of(pc, insn, bytes, write);
    uint64_t bit, word = *far_word(machine, site, &bit);

    if (word & bit) {
        return TCG_NEAR_NONE;
    }
    slot = first_slot(owner, write) + tcg_near_next(machine, owner, write);
    machine->near_given[owner][write]++;
    machine->near_site[slot] = (uint16_t)site;
    return (uint16_t)slot;
}

/* The access in SLOT goes to ELSEWHERE of LOOKED_AT: it gets no slot any more, nor do others of
 * BLOCK that have missed as often for the same reason. Lock held. */
static void
give_up(TcgCpu *cpu, TcgBlock *block, unsigned slot, unsigned elsewhere)
{
    TcgNearOwner owner = tcg_near_owner(block->mode & TCG_MODE_VIEW, block->pc);
    TcgMachine *machine = cpu->machine;
    uint64_t bit;

    *far_word(machine, machine->near_site[slot], &bit) |= bit;
    for (unsigned kind = 0; kind < 2; kind++) {
        for (unsigned next = block->near_first[kind]; next != block->near_end[kind];
             next = (next + 1) % tcg_near_slots(owner)) {
            unsigned other = first_slot(owner, kind) + next;
            int misses = MISSES_SEEN - cpu->near.left[other];
            if (misses * (int)elsewhere > MISSES_SEEN * ELSEWHERE_MAX) {
                *far_word(machine, machine->near_site[other], &bit) |= bit;
            }
        }
    }
    machine->far_count++;
    tcg_block_retire(machine, block);
}

bool
tcg_near_missed(TcgCpu *cpu, unsigned slot, const uint8_t *pc)
{
    unsigned elsewhere = LOOKED_AT - MIN(cpu->near.same[slot], LOOKED_AT);
    TcgMachine *machine = cpu->machine;
    TcgBlock *block;

    if (cpu->near.left[slot] >= -LOOKED_AT) {
        return false;
    }
    cpu->near.same[slot] = 0;
    block = elsewhere > ELSEWHERE_MAX && slot % TCG_NEAR_SLOTS >= X86_VIEW_LAST
                ? tcg_recover_block(cpu, pc)
                : NULL;
    if (block) {
        g_mutex_lock(&machine->lock);
        give_up(cpu, block, slot, elsewhere);
        g_mutex_unlock(&machine->lock);
    }
    cpu->near.left[slot] = MISSES_SEEN;
    return true;
}

/* ---- The thunk ---- */

static TcgMem
near(size_t offset, unsigned index, unsigned shift)
{
    return tcg_mem_index(TCG_CTX, index, shift, TCG_OFFSET(near) + (int32_t)offset);
}

/* An access to RCX of a page, at T0, by slot RDX: whether it went where the last one did; to GOOD
 * with the slot empty, and on when enough were looked at. RAX is free. */
static void
look_at(TcgAsm *a, TcgLabel *good)
{
    TcgMem host = near(offsetof(TcgNear, page) + offsetof(TcgTlbEntry, host), X86_RDX, 0);
    TcgLabel enough = { 0 }, elsewhere = { 0 }, unlisted = { 0 };

    tcg_asm_alu_mi(a, TCG_CMP, 4, near(offsetof(TcgNear, left), X86_RDX, 2), -LOOKED_AT);
    tcg_asm_jcc_short(a, TCG_L, &enough);
    tcg_asm_mov_rr(a, 8, X86_RAX, TCG_T0);
    tcg_asm_alu_rr(a, TCG_SUB, 8, X86_RAX, X86_RCX);
    tcg_asm_alu_rm(a, TCG_CMP, 8, X86_RAX, near(offsetof(TcgNear, last), X86_RDX, 3));
    tcg_asm_mov_mr(a, 8, near(offsetof(TcgNear, last), X86_RDX, 3), X86_RAX);
    tcg_asm_jcc_short(a, TCG_NE, &elsewhere);
    tcg_asm_alu_mi(a, TCG_ADD, 4, near(offsetof(TcgNear, same), X86_RDX, 2), 1);
    tcg_asm_bind(a, &elsewhere);
    tcg_asm_mov_rr(a, 8, TCG_T0, X86_RCX);
    tcg_asm_shift_ri(a, TCG_SHL, 4, X86_RDX, 4);
    tcg_asm_mov_ri(a, X86_RAX, EMPTY_TAG);
    tcg_asm_mov_mr(a, 8, near(offsetof(TcgNear, page) + offsetof(TcgTlbEntry, tag), X86_RDX, 0),
                   X86_RAX);
    tcg_asm_alu_mi(a, TCG_CMP, 8, host, 0);
    tcg_asm_jcc_short(a, TCG_E, &unlisted);
    tcg_asm_mov_mi(a, 8, host, NOWHERE);
    tcg_asm_bind(a, &unlisted);
    tcg_asm_jmp(a, good);
    tcg_asm_bind(a, &enough);
}

/* T0 = address, T1 = slot << 12 | the largest offset in the page that will do. When the tables have
 * the page: condition BE, T0 = the offset, T1 = the page, and the slot has it. Else A and T0 as
 * before. */
static const uint8_t *
make_thunk(TcgAsm *a, unsigned view, bool write)
{
    TcgMem mask = tcg_mem(TCG_CTX, TCG_OFFSET(hot.tlb_mask));
    TcgLabel fail = { 0 }, in_use = { 0 }, often = { 0 }, good = { 0 };
    const uint8_t *start;

    tcg_asm_align(a, 16);
    start = tcg_asm_here(a);
    tcg_asm_push_r(a, X86_RAX);
    tcg_asm_push_r(a, X86_RCX);
    tcg_asm_push_r(a, X86_RDX);
    tcg_asm_mov_rr(a, 4, X86_RDX, TCG_T1);
    tcg_asm_mov_rr(a, 4, X86_RAX, TCG_T1);
    tcg_asm_shift_ri(a, TCG_SHR, 4, X86_RDX, 12);
    tcg_asm_alu_ri(a, TCG_AND, 4, X86_RAX, 0xfff);
    tcg_asm_rorx_rri(a, 8, TCG_T1, TCG_T0, 8);
    tcg_asm_alu_rm(a, TCG_AND, 4, TCG_T1, mask);
    tcg_asm_mov_rm(a, 8, X86_RCX, tcg_tlb_mem(view, write, offsetof(TcgTlbEntry, tag)));
    tcg_asm_mov_rm(a, 8, TCG_T1, tcg_tlb_mem(view, write, offsetof(TcgTlbEntry, host)));
    tcg_asm_alu_rr(a, TCG_ADD, 8, X86_RCX, TCG_T0);
    tcg_asm_alu_rr(a, TCG_CMP, 8, X86_RCX, X86_RAX);
    tcg_asm_jcc_short(a, TCG_A, &fail);
    tcg_asm_alu_mi(a, TCG_SUB, 4, near(offsetof(TcgNear, left), X86_RDX, 2), 1);
    tcg_asm_jcc_short(a, TCG_S, &often);
    tcg_asm_mov_rr(a, 4, X86_RAX, X86_RDX);
    tcg_asm_shift_ri(a, TCG_SHL, 4, X86_RAX, 4);
    tcg_asm_alu_mi(a, TCG_CMP, 8,
                   near(offsetof(TcgNear, page) + offsetof(TcgTlbEntry, host), X86_RAX, 0), 0);
    tcg_asm_mov_mr(a, 8, near(offsetof(TcgNear, page) + offsetof(TcgTlbEntry, host), X86_RAX, 0),
                   TCG_T1);
    tcg_asm_jcc_short(a, TCG_NE, &in_use);
    tcg_asm_push_r(a, X86_RBX);
    tcg_asm_mov_rm(a, 4, X86_RBX, tcg_mem(TCG_CTX, TCG_OFFSET(near.n_used)));
    tcg_asm_mov_mr(a, 2, near(offsetof(TcgNear, used), X86_RBX, 1), X86_RDX);
    tcg_asm_alu_mi(a, TCG_ADD, 4, tcg_mem(TCG_CTX, TCG_OFFSET(near.n_used)), 1);
    tcg_asm_pop_r(a, X86_RBX);
    tcg_asm_bind(a, &in_use);
    tcg_asm_alu_rr(a, TCG_SUB, 8, X86_RCX, TCG_T0);
    tcg_asm_mov_mr(a, 8, near(offsetof(TcgNear, page) + offsetof(TcgTlbEntry, tag), X86_RAX, 0),
                   X86_RCX);
    tcg_asm_alu_rr(a, TCG_ADD, 8, TCG_T0, X86_RCX);
    tcg_asm_bind(a, &good);
    tcg_asm_alu_rr(a, TCG_CMP, 4, X86_RAX, X86_RAX); /* BE */
    tcg_asm_bind(a, &fail);
    tcg_asm_pop_r(a, X86_RDX);
    tcg_asm_pop_r(a, X86_RCX);
    tcg_asm_pop_r(a, X86_RAX);
    tcg_asm_ret(a);
    tcg_asm_bind(a, &often);
    look_at(a, &good);
    tcg_asm_test_rr(a, 8, TCG_CTX, TCG_CTX); /* A */
    tcg_asm_jmp(a, &fail);
    return start;
}

void
tcg_near_make_thunks(TcgThunks *t, TcgAsm *a)
{
    for (unsigned view = 0; view < X86_VIEW_LAST; view++) {
        t->near[view][0] = make_thunk(a, view, false);
        t->near[view][1] = make_thunk(a, view, true);
    }
}
