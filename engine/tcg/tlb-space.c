/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Address spaces that are left and come back: a guest with PCIDs switches between a few of them and
 * asks for nothing to be forgotten (MOV CR3 with bit 63; Intel SDM volume 3 4.10.4.1).
 *
 * The tables of translated code know the current space alone; entries of pages that are not global
 * are dropped when it changes. Which pages they were is noted here, by the number of the context,
 * and they are entered at once when the context returns, as far as the interpreter's TLB, whose
 * tags carry the context, still has them. The notes are hints: whatever was invalidated meanwhile
 * is not there. That is less than table sets with a register to choose one, and needs no second
 * copy of what code addresses by constants. Thread: the CPU's own. */

#include "machine.h"

static TcgSpace *
find_space(TcgCpu *cpu, uint32_t context)
{
    for (unsigned i = 0; i < TCG_SPACES; i++) {
        if (cpu->spaces[i].context == context) {
            return &cpu->spaces[i];
        }
    }
    return NULL;
}

static TcgSpace *
oldest_space(TcgCpu *cpu)
{
    TcgSpace *oldest = &cpu->spaces[0];

    for (unsigned i = 1; i < TCG_SPACES; i++) {
        if (cpu->spaces[i].used < oldest->used) {
            oldest = &cpu->spaces[i];
        }
    }
    return oldest;
}

static void
note_data(TcgCpu *cpu, TcgSpace *space)
{
    space->n_data = 0;
    for (unsigned i = cpu->log_len[0]; i-- > 0 && space->n_data < TCG_SPACE_DATA;) {
        uint32_t word = cpu->log[0][i];
        const TcgTlbEntry *entry = &cpu->tlb[word >> 1 & 3][word & 1][word >> 4];
        uint64_t page = -entry->tag;

        /* an empty entry has a page that belongs elsewhere */
        if ((page >> 12 & (cpu->tlb_entries - 1)) == word >> 4) {
            space->data[space->n_data++] = page | (word & 7);
        }
    }
}

static void
note_code(TcgCpu *cpu, TcgSpace *space)
{
    space->n_code = 0;
    for (unsigned i = cpu->fetch_log_len; i-- > 0 && space->n_code < TCG_SPACE_CODE;) {
        const TcgFetch *fetch = cpu->fetch_log[i];

        if (fetch->stamp && !fetch->global && (fetch->mode & TCG_MODE_VIEW) == X86_VIEW_USER) {
            space->code[space->n_code].page = fetch->page;
            space->code[space->n_code++].mode = fetch->mode;
        }
    }
}

void
tcg_space_leave(TcgCpu *cpu)
{
    TcgSpace *space = find_space(cpu, cpu->space);

    if (!space) {
        space = oldest_space(cpu);
    }
    space->context = cpu->space;
    space->used = ++cpu->space_switches;
    space->n_data = space->n_code = 0;
    if (!cpu->log_full) {
        note_data(cpu, space);
    }
    if (cpu->fetch_log_len < TCG_FETCH_LOG) {
        note_code(cpu, space);
    }
}

static void
enter_data(TcgCpu *cpu, uint64_t note)
{
    X86View view = note >> 1 & 3;
    bool write = note & 1;
    uint64_t page = note & ~(uint64_t)0xfff;
    const X86TlbEntry *from = x86_tlb_slot(&cpu->core, page, view);

    /* a page that is not dirty for everybody has somebody who wants to hear of a write */
    if (x86_tlb_hit(&cpu->core, from, page, write ? X86_ACCESS_WRITE : X86_ACCESS_READ) &&
        (!write || __atomic_load_n(from->dirty, __ATOMIC_RELAXED) == VIT_DIRTY_ALL)) {
        tcg_tlb_enter(cpu, from, page, write, view);
    }
}

static void
enter_code(TcgCpu *cpu, uint64_t page, uint16_t mode)
{
    TcgFetch *fetch = &cpu->fetch[mode & TCG_MODE_VIEW][tcg_fetch_slot(page)];
    const X86TlbEntry *from = x86_tlb_slot(&cpu->core, page, X86_VIEW_USER);

    if (!fetch->stamp && x86_tlb_hit(&cpu->core, from, page, X86_ACCESS_EXEC)) {
        tcg_fetch_enter(cpu, fetch, from, page, mode);
    }
}

void
tcg_space_enter(TcgCpu *cpu, uint32_t context)
{
    const TcgSpace *space = find_space(cpu, context);

    cpu->space = context;
    if (!space) {
        return;
    }
    g_mutex_lock(&cpu->machine->lock); /* for tcg_tlb_protect(), and pages of code */
    for (unsigned i = space->n_data; i-- > 0;) {
        enter_data(cpu, space->data[i]);
    }
    for (unsigned i = space->n_code; i-- > 0;) {
        enter_code(cpu, space->code[i].page, space->code[i].mode);
    }
    g_mutex_unlock(&cpu->machine->lock);
}

void
tcg_space_forget(TcgCpu *cpu)
{
    for (unsigned i = 0; i < TCG_SPACES; i++) {
        cpu->spaces[i].context = 0;
        cpu->spaces[i].used = 0;
    }
    cpu->space = cpu->core.mmu->context;
}
