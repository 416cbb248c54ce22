/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Blocks that count what they execute, for -icount (TcgOptions.count).
 *
 * The CPU's budget is how many instructions it may execute yet. A block is entered when the budget
 * has all of its instructions, and takes them at once. Who leaves before its end gives back those
 * that were not executed: a jump from the middle does so on its way, whatever leaves for C says how
 * many in cpu->uncounted. So the count is exact wherever C code can see it, and what is left of a
 * budget that no block fits into is the interpreter's, which leaves on the very instruction.
 *
 * In such blocks nothing that the interpreter runs is followed by more: it counts by itself.
 * Thread: the translating CPU's. */

#include "emit.h"

static TcgMem
budget(void)
{
    return tcg_mem(TCG_CTX, TCG_OFFSET(budget));
}

static bool
counts(const TcgEmit *e)
{
    return e->machine->options.count && e->n_insns > 0;
}

/* The budget changes by VALUE; T0 is used, flags are left alone. */
static void
change(TcgEmit *e, int32_t value)
{
    tcg_asm_mov_rm(&e->a, 4, TCG_T0, budget());
    tcg_asm_lea(&e->a, 4, TCG_T0, tcg_mem(TCG_T0, value));
    tcg_asm_mov_mr(&e->a, 4, budget(), TCG_T0);
}

void
tcg_count_block(TcgEmit *e, bool flags_live, TcgLabel *fail)
{
    int32_t n = (int32_t)e->n_insns;
    TcgLabel good = { 0 };
    TcgAsm *a = &e->a;

    if (!counts(e)) {
        return;
    }
    if (!flags_live) {
        tcg_asm_alu_mi(a, TCG_CMP, 4, budget(), n);
        tcg_asm_jcc(a, TCG_L, fail);
        tcg_asm_alu_mi(a, TCG_SUB, 4, budget(), n);
        return;
    }
    tcg_asm_mov_rr(a, 8, TCG_T1, X86_RCX);
    tcg_asm_mov_rm(a, 4, X86_RCX, budget());
    tcg_asm_lea(a, 4, X86_RCX, tcg_mem(X86_RCX, -n));
    tcg_asm_mov_ri(a, TCG_T0, 0x80000000);
    tcg_asm_pext_rrr(a, 4, X86_RCX, X86_RCX, TCG_T0); /* the sign */
    tcg_asm_jrcxz(a, &good);
    tcg_asm_mov_rr(a, 8, X86_RCX, TCG_T1);
    tcg_asm_jmp(a, fail);
    tcg_asm_bind(a, &good);
    tcg_asm_mov_rr(a, 8, X86_RCX, TCG_T1);
    change(e, -n);
}

unsigned
tcg_count_left(const TcgEmit *e)
{
    return counts(e) ? e->n_insns - (e->index + 1) : 0;
}

void
tcg_count_leave(TcgEmit *e)
{
    unsigned left = tcg_count_left(e);

    if (left) {
        change(e, (int32_t)left);
    }
}

/* Instructions of the block from the one at PC on. */
static unsigned
from(const TcgEmit *e, uint64_t pc)
{
    unsigned index = 0;

    while (index < e->n_insns && e->pcs[index] != pc) {
        index++;
    }
    return e->n_insns - index;
}

void
tcg_count_give_back(TcgEmit *e, uint64_t pc)
{
    if (counts(e)) {
        change(e, (int32_t)from(e, pc));
    }
}

void
tcg_count_tell(TcgEmit *e, uint64_t pc)
{
    if (counts(e)) {
        tcg_asm_mov_mi(&e->a, 4, tcg_mem(TCG_CTX, TCG_OFFSET(uncounted)), (int32_t)from(e, pc));
    }
}

/* ---- The CPU's side ---- */

void
tcg_count_begin(TcgCpu *cpu)
{
    const X86Core *core = &cpu->core;
    uint64_t limit = core->cpu->count_limit;
    uint64_t left = limit ? limit - core->instructions : TCG_BUDGET_MAX;

    cpu->uncounted = 0;
    cpu->budget = cpu->budget_given = (int32_t)MIN(left, TCG_BUDGET_MAX);
}

/* What translated code has executed in this turn and not yet been told. */
static uint64_t
pending(const TcgCpu *cpu)
{
    return (uint64_t)(int64_t)(cpu->budget_given - cpu->budget - cpu->uncounted);
}

void
tcg_count_end(TcgCpu *cpu)
{
    cpu->core.instructions += pending(cpu);
    cpu->budget = cpu->budget_given = cpu->uncounted = 0;
}

uint64_t
tcg_count(const VitCpu *vit_cpu)
{
    const TcgCpu *cpu = tcg_cpu_of(vit_cpu->state);

    return cpu->core.instructions + pending(cpu);
}
