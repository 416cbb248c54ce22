/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Which code takes much of the time, by looking where the CPUs are every now and then.
 *
 * What pays in a loop of few blocks (slots of accesses, tlb-near.c) costs more than it gains where
 * a program runs through thousands of them: their slots do not fit into the host's first cache. So
 * a thread asks the CPUs to leave at even times; where a CPU in code that may have slots was about
 * to go then is noted, and a block that comes up several times among the last few notes is *hot*.
 * It is made anew, and so are the blocks that it leads to, as those that are only jumped to from
 * nearby are never left at. While nothing hot is found the thread looks more and more rarely, and
 * it sleeps while the CPUs do; so long as code is translated it is awake.
 *
 * Where all code is translated at once (x-warm-up=0) all of it is hot, and nothing is asked: runs
 * that judge the translator do the same each time. Thread: one of its own; the CPU's for notes.
 */

#include "emit.h"

enum {
    PERIOD_US = 500, /* between two looks */
    PERIOD_MAX_US = 32000,
    PATIENCE = 128, /* looks without a find until they are made half as often */
    COMES_UP = 3,   /* so often among the notes */
    AROUND = 12,    /* blocks that one leads to, at most */
    BYTES = 16,     /* that a block is known by */
};

/* ---- Which blocks ---- */

static uint64_t *
hot_word(TcgMachine *machine, unsigned offset, const uint8_t *bytes, unsigned len,
         uint64_t *out_bit)
{
    uint64_t head[BYTES / 8] = { 0 }, hash;

    memcpy(head, bytes, MIN(len, BYTES));
    hash = (head[0] ^ (uint64_t)offset << 52 ^ (uint64_t)len << 42) * 0x9e3779b97f4a7c15ull;
    hash = (hash ^ hash >> 32 ^ head[1]) * 0x9e3779b97f4a7c15ull;
    *out_bit = (uint64_t)1 << (hash >> 48 & 63);
    return &machine->hot_blocks[hash >> 54];
}

bool
tcg_is_hot(TcgMachine *machine, unsigned offset, const uint8_t *bytes, unsigned len)
{
    uint64_t bit, *word = hot_word(machine, offset, bytes, len, &bit);

    return !machine->heat || (*word & bit);
}

/* BLOCK is to be made anew. */
static void
heat_up(TcgMachine *machine, TcgBlock *block)
{
    uint64_t bit, *word = hot_word(machine, block->offset, block->bytes, block->len, &bit);

    *word |= bit;
    machine->hot_count++;
    tcg_block_retire(machine, block);
}

static bool
may_be_hot(const TcgBlock *block)
{
    return !block->hot && !block->dead && !block->ungrouped && !block->checked && !block->second &&
           tcg_near_owner(block->mode & TCG_MODE_VIEW, block->pc) != TCG_NEAR_NOBODY;
}

/* FIRST and what it leads to, breadth first; lock held. */
static void
heat_up_around(TcgMachine *machine, TcgBlock *first)
{
    TcgBlock *queue[AROUND] = { first };
    unsigned n = 1;

    for (unsigned at = 0; at < n; at++) {
        for (unsigned i = 0; i < queue[at]->n_links && n < AROUND; i++) {
            TcgBlock *to = queue[at]->links[i].to;
            bool queued = !to;
            for (unsigned j = 0; j < n && !queued; j++) {
                queued = queue[j] == to;
            }
            if (!queued) {
                queue[n++] = to;
            }
        }
    }
    for (unsigned at = 0; at < n; at++) {
        if (may_be_hot(queue[at])) {
            heat_up(machine, queue[at]);
        }
    }
}

/* ---- Notes ---- */

void
tcg_hot_note(TcgCpu *cpu, unsigned mode)
{
    uint64_t pc = cpu->core.s.rip;
    const TcgFetch *fetch =
        &cpu->fetch[mode & TCG_MODE_VIEW][tcg_fetch_slot(pc & ~(uint64_t)0xfff)];
    TcgMachine *machine = cpu->machine;
    unsigned times = 1;
    TcgBlock *block;

    __atomic_store_n(&cpu->look_wanted, false, __ATOMIC_RELAXED);
    if (tcg_near_owner(mode & TCG_MODE_VIEW, pc) == TCG_NEAR_NOBODY) {
        return;
    }
    for (unsigned i = 0; i < TCG_NOTES; i++) {
        times += cpu->notes[i] == pc;
    }
    cpu->notes[cpu->n_notes++ % TCG_NOTES] = pc;
    if (times < COMES_UP || fetch->page != (pc & ~(uint64_t)0xfff) || !fetch->stamp) {
        return;
    }
    g_mutex_lock(&machine->lock);
    block = tcg_block_at(machine, fetch->stamp, pc & 0xfff);
    if (block) {
        heat_up_around(machine, block);
    }
    g_mutex_unlock(&machine->lock);
}

/* ---- The thread ---- */

/* Asks who is in translated code to leave. False: nobody has been since the last time. */
static bool
look(TcgMachine *machine)
{
    bool busy = false;

    g_mutex_lock(&machine->lock);
    for (TcgCpu *cpu = machine->cpus; cpu; cpu = cpu->next) {
        uint32_t turn = __atomic_load_n(&cpu->turn, __ATOMIC_RELAXED);
        busy |= (turn & 1) || turn != cpu->turn_looked_at;
        cpu->turn_looked_at = turn;
        if (turn & 1) {
            __atomic_store_n(&cpu->look_wanted, true, __ATOMIC_RELAXED);
            tcg_request_exit(cpu);
        }
    }
    g_mutex_unlock(&machine->lock);
    return busy;
}

static uint64_t
finds(TcgMachine *machine, uint64_t *out_translated)
{
    uint64_t count;

    g_mutex_lock(&machine->lock);
    count = machine->hot_count;
    *out_translated = machine->translated_blocks;
    g_mutex_unlock(&machine->lock);
    return count;
}

static gpointer
look_around(gpointer opaque)
{
    TcgMachine *machine = opaque;
    TcgLooker *looker = &machine->looker;
    uint64_t found = 0, translated = 0;
    unsigned period_us = PERIOD_US, vain = 0;

    g_mutex_lock(&looker->lock);
    while (!looker->quit) {
        uint64_t found_now, translated_now;

        if (!look(machine)) {
            __atomic_store_n(&looker->asleep, true, __ATOMIC_SEQ_CST);
            g_cond_wait(&looker->wake, &looker->lock);
            continue;
        }
        found_now = finds(machine, &translated_now);
        if (found_now != found || translated_now - translated > PATIENCE) {
            period_us = PERIOD_US;
            vain = 0;
        } else if (++vain == PATIENCE) {
            period_us = MIN(period_us * 2, PERIOD_MAX_US);
            vain = PATIENCE / 2;
        }
        found = found_now;
        translated = translated_now;
        g_cond_wait_until(&looker->wake, &looker->lock, g_get_monotonic_time() + period_us);
    }
    g_mutex_unlock(&looker->lock);
    return NULL;
}

void
tcg_hot_init(TcgMachine *machine)
{
    const TcgOptions *options = &machine->options;
    TcgLooker *looker = &machine->looker;

    g_mutex_init(&looker->lock);
    g_cond_init(&looker->wake);
    looker->asleep = machine->heat && !options->exact && !options->count && !options->force_exits &&
                     !options->interpret && !options->one_insn_per_tb;
}

void
tcg_hot_wake(TcgMachine *machine)
{
    TcgLooker *looker = &machine->looker;

    g_mutex_lock(&looker->lock);
    __atomic_store_n(&looker->asleep, false, __ATOMIC_SEQ_CST);
    if (machine->stop_every) {
        /* nothing that depends on the host's clock */
    } else if (!looker->thread) {
        looker->thread = g_thread_new("hot code", look_around, machine);
    } else {
        g_cond_signal(&looker->wake);
    }
    g_mutex_unlock(&looker->lock);
}

void
tcg_hot_finish(TcgMachine *machine)
{
    TcgLooker *looker = &machine->looker;

    g_mutex_lock(&looker->lock);
    looker->quit = true;
    g_cond_signal(&looker->wake);
    g_mutex_unlock(&looker->lock);
    if (looker->thread) {
        g_thread_join(looker->thread);
    }
    g_cond_clear(&looker->wake);
    g_mutex_clear(&looker->lock);
}
