/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Host faults of translated code: divide errors, unmasked SIMD exceptions, alignment, encodings
 * that this host's CPU refuses.
 *
 * A host instruction that faults has changed nothing, and neither has the guest instruction that it
 * stands for; so the block is left right there and the interpreter executes that instruction, which
 * raises what the architecture says. Which one it is, the block's table of places tells.
 *
 * Signal dispositions and the list of code memories belong to the process: the handler has nothing
 * else to go by. What is not ours goes to the handler that was there before.
 * Thread: the handler runs on the thread that faulted. */

#include "flags.h"
#include "machine.h"
#include "x86-host-fault.h"

#include <signal.h>
#include <ucontext.h>

enum { MACHINES_MAX = 64 };

static TcgMachine *machines[MACHINES_MAX]; /* atomic; for the signal handler */
static struct sigaction previous_fpe, previous_segv, previous_ill;

static const TcgMachine *
machine_of(uintptr_t pc)
{
    for (unsigned i = 0; i < MACHINES_MAX; i++) {
        const TcgMachine *machine = __atomic_load_n(&machines[i], __ATOMIC_ACQUIRE);
        if (machine && pc - (uintptr_t)machine->code_exec < machine->code_len) {
            return machine;
        }
    }
    return NULL;
}

/* The block that PC lies in: blocks are in order of their addresses, in both parts of the memory.
 */
static const TcgBlock *
search_block(const TcgMachine *machine, const uint8_t *pc)
{
    size_t low = 0, high = __atomic_load_n(&machine->n_blocks, __ATOMIC_ACQUIRE);
    size_t count = high;
    bool cold = pc >= machine->code_exec + machine->cold_start;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const TcgBlock *block = machine->blocks[middle];
        if ((cold ? block->cold_end : block->end) <= pc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && (cold || machine->blocks[low]->start <= pc) ? machine->blocks[low] : NULL;
}

bool
tcg_recover_rip(const TcgMachine *machine, const uint8_t *pc, uint64_t *out_rip,
                const uint8_t **out_bytes, bool *out_flags_saved)
{
    const TcgBlock *block = search_block(machine, pc);
    unsigned place = 0, len;

    if (!block || !block->n_places) {
        return false;
    }
    while (place + 1u < block->n_places && block->places[place + 1].host <= pc - block->start) {
        place++;
    }
    unsigned guest = block->places[place].guest;
    *out_rip = (block->pc & ~(uint64_t)0xfff) | (guest & TCG_PLACE_OFFSET);
    *out_bytes = tcg_block_source(block, guest & TCG_PLACE_OFFSET, &len);
    if (out_flags_saved) {
        *out_flags_saved = guest & TCG_PLACE_FLAGS_SAVED;
    }
    return true;
}

/* The same by a cache of the CPU's: a search through all blocks comes by a line of memory each. */
static const TcgBlock *
block_of(TcgCpu *cpu, const uint8_t *pc)
{
    TcgSite *site = &cpu->sites[(uintptr_t)pc >> 2 & (TCG_SITES - 1)];

    if (site->pc != pc || site->age != cpu->machine->full_flushes) {
        const TcgBlock *block = search_block(cpu->machine, pc);
        if (!block) {
            return NULL;
        }
        *site = (TcgSite){ .pc = pc, .block = block, .age = cpu->machine->full_flushes };
    }
    return site->block;
}

TcgBlock *
tcg_recover_block(TcgCpu *cpu, const uint8_t *pc)
{
    return (TcgBlock *)block_of(cpu, pc);
}

/* The number of the instruction at rIP, n_insns when it is not in BLOCK. */
static unsigned
place_of(const TcgBlock *block, uint64_t rip)
{
    unsigned place = 0;

    while (place < block->n_insns &&
           (block->places[place].guest & TCG_PLACE_OFFSET) != (rip & TCG_PLACE_OFFSET)) {
        place++;
    }
    return place;
}

static bool
decode_place(const TcgBlock *block, unsigned place, X86Insn *out_insn)
{
    unsigned size = (block->mode & TCG_MODE_SIZE) == TCG_MODE_CODE64 ? 8 : 4, len;
    const uint8_t *bytes =
        tcg_block_source(block, block->places[place].guest & TCG_PLACE_OFFSET, &len);

    return x86_decode(bytes, len, size, out_insn) == X86_DECODE_OK;
}

/* Goes on with LIVE behind INSN, which reads or writes of *OPEN what nobody has written so far.
 * False: all that is left is wanted there. */
static bool
pass(const X86Insn *insn, uint16_t *open, uint16_t *live)
{
    const X86OpRow *row = insn->row;

    if (tcg_flags_by_cl(insn)) {
        return true;
    }
    *live |= tcg_flags_read(insn) & *open;
    if (row->class_ == X86_CLASS_FLOW || (row->flags & X86_ROW_END)) {
        return false;
    }
    *open &= ~(row->flags_written | row->flags_undefined);
    return true;
}

/* Of OPEN, flags that nothing in BLOCK has written before instruction INDEX, those that are read
 * from there on: what find_live_flags() kept, so the host's flags have them. */
static uint16_t
still_live(const TcgBlock *block, unsigned index, uint16_t open)
{
    unsigned size = (block->mode & TCG_MODE_SIZE) == TCG_MODE_CODE64 ? 8 : 4, at = 0;
    uint16_t live = 0;
    X86Insn insn;

    for (; index < block->n_insns && open; index++) {
        if (!decode_place(block, index, &insn)) {
            return live | open;
        }
        if (!pass(&insn, &open, &live) && insn.row->exec != x86_exec_jmp_rel &&
            !(insn.row->exec == x86_exec_call_rel && index + 1u == block->n_insns)) {
            return live | open;
        }
    }
    while (open) { /* behind the block, as far as look_ahead() looked */
        const uint8_t *ahead = block->bytes + block->len;

        if (at >= block->ahead_len ||
            x86_decode(ahead + at, block->ahead_len - at, size, &insn) != X86_DECODE_OK ||
            insn.row->class_ == X86_CLASS_SYSTEM || insn.row->class_ == X86_CLASS_STRING ||
            !pass(&insn, &open, &live)) {
            return live | open;
        }
        at += insn.length;
    }
    return live;
}

/* The flags before instruction INDEX of BLOCK, dead ones told. Backwards, as the last writers are
 * rarely far. What was written before the block is the host's where it is wanted, else that of the
 * last entry. */
static void
recover_at(TcgCpu *cpu, const TcgBlock *block, unsigned index)
{
    uint16_t wanted = X86_FLAGS_ARITH;
    unsigned first = index;
    X86Insn insns[TCG_BLOCK_INSNS];
    TcgRegUse uses[TCG_BLOCK_INSNS];
    X86State *s = &cpu->core.s;
    uint64_t told, flags, kept;

    insns[0].row = NULL; /* for the compiler: INDEX may be 0 */
    uses[0] = (TcgRegUse){ 0 };
    while (wanted && first > 0) {
        first--;
        if (!decode_place(block, first, &insns[first])) {
            return;
        }
        tcg_reg_use(&insns[first], &uses[first]);
        if (!tcg_flags_by_cl(&insns[first])) {
            wanted &= ~(insns[first].row->flags_written | insns[first].row->flags_undefined);
        }
    }
    kept = block->kept >> first;
    told = tcg_flags_tell(&cpu->core, insns + first, uses + first, index - first, 0, s->rflags,
                          &flags, &kept, false);
    told &= ~(uint64_t)(wanted ? still_live(block, index, wanted) : 0);
    tcg_flags_to_state(cpu);
    s->rflags = (s->rflags & ~told) | (flags & told);
}

void
tcg_recover_flags(TcgCpu *cpu, const uint8_t *pc)
{
    const TcgBlock *block = block_of(cpu, pc);
    unsigned place = block ? place_of(block, cpu->core.s.rip) : 0;

    if (block && place < block->n_insns && (block->places[place].guest & TCG_PLACE_FLAGS_DEAD)) {
        recover_at(cpu, block, place);
    } else {
        tcg_flags_to_state(cpu);
    }
}

unsigned
tcg_recover_left(TcgCpu *cpu, const uint8_t *pc)
{
    const TcgBlock *block = block_of(cpu, pc);

    return block ? block->n_insns - place_of(block, cpu->core.s.rip) : 0;
}

void
tcg_recover_later(TcgCpu *cpu, const uint8_t *pc)
{
    X86State *s = &cpu->core.s;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(s->gpr); i++) {
        uint64_t value = s->gpr[i];

        /* one by one, as they were stored just now: wider loads would wait for the stores */
        __asm__("" : "+r"(value));
        cpu->unsure.gpr[i] = value;
    }
    cpu->unsure.rflags = s->rflags;
    cpu->unsure.rip = s->rip;
    cpu->unsure.pc = pc;
    tcg_flags_to_state(cpu);
}

void
tcg_recover_now(TcgCpu *cpu, bool executed)
{
    X86State *s = &cpu->core.s;
    uint64_t gpr[VIT_ARRAY_LEN(s->gpr)], flags = s->rflags, keep = ~(uint64_t)X86_FLAGS_ARITH;
    const TcgBlock *block = cpu->unsure.pc ? block_of(cpu, cpu->unsure.pc) : NULL;
    unsigned place = block ? place_of(block, cpu->unsure.rip) : 0;
    X86Insn insn;

    cpu->unsure.pc = NULL;
    if (!block || place == block->n_insns || !(block->places[place].guest & TCG_PLACE_FLAGS_DEAD)) {
        return;
    }
    if (executed && decode_place(block, place, &insn)) {
        keep |= insn.row->flags_written | insn.row->flags_undefined;
    }
    memcpy(gpr, s->gpr, sizeof(gpr));
    memcpy(s->gpr, cpu->unsure.gpr, sizeof(gpr));
    s->rflags = cpu->unsure.rflags;
    recover_at(cpu, block, place);
    memcpy(s->gpr, gpr, sizeof(gpr));
    s->rflags = (flags & keep) | (s->rflags & ~keep);
}

void
tcg_recover_not(TcgCpu *cpu)
{
    tcg_flags_from_state(cpu);
    if (cpu->unsure.pc) {
        cpu->unsure.pc = NULL;
        cpu->core.s.rflags = (cpu->core.s.rflags & ~(uint64_t)X86_FLAGS_ARITH) |
                             (cpu->unsure.rflags & X86_FLAGS_ARITH);
    }
}

void
tcg_recover_flags_of_link(TcgCpu *cpu, const TcgLink *link)
{
    const TcgBlock *block = link->from;
    unsigned place = link->ungrouped ? place_of(block, link->pc) : block->n_insns;

    if (link->flags_dead ||
        (place < block->n_insns && (block->places[place].guest & TCG_PLACE_FLAGS_DEAD))) {
        recover_at(cpu, block, place);
    } else {
        tcg_flags_to_state(cpu);
    }
}

static void
chain(const struct sigaction *previous, int number, siginfo_t *info, void *context)
{
    if (previous->sa_flags & SA_SIGINFO) {
        previous->sa_sigaction(number, info, context);
    } else if (previous->sa_handler == SIG_DFL || previous->sa_handler == SIG_IGN) {
        struct sigaction fallback = { .sa_handler = SIG_DFL };
        sigaction(number, &fallback, NULL);
    } else {
        previous->sa_handler(number);
    }
}

static void
on_fault(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    greg_t *regs = uc->uc_mcontext.gregs;
    const uint8_t *pc = (const uint8_t *)regs[REG_RIP];
    const TcgMachine *machine = info->si_code > 0 ? machine_of((uintptr_t)pc) : NULL;
    const uint8_t *bytes;
    bool saved;
    uint64_t rip;

    if (machine && tcg_recover_rip(machine, pc, &rip, &bytes, &saved)) {
        tcg_cpu_of((X86Core *)regs[REG_RBP])->fault_pc = pc;
        regs[REG_R15] = (greg_t)rip;
        regs[REG_R14] = 0;
        regs[REG_RIP] = (greg_t)(saved ? machine->thunks.interpret_leave_in_memory
                                       : machine->thunks.interpret_leave);
        return;
    }
    chain(number == SIGFPE   ? &previous_fpe
          : number == SIGILL ? &previous_ill
                             : &previous_segv,
          number, info, context);
}

void
tcg_recover_init(void)
{
    static gsize done;

    if (g_once_init_enter(&done)) {
        struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

        sigemptyset(&action.sa_mask);
        x86_host_fault_init(); /* its handler comes behind ours */
        sigaction(SIGFPE, &action, &previous_fpe);
        sigaction(SIGSEGV, &action, &previous_segv);
        sigaction(SIGILL, &action, &previous_ill);
        g_once_init_leave(&done, 1);
    }
}

void
tcg_recover_add(TcgMachine *machine)
{
    for (unsigned i = 0; i < MACHINES_MAX; i++) {
        TcgMachine *none = NULL;
        if (__atomic_compare_exchange_n(&machines[i], &none, machine, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            return;
        }
    }
}

void
tcg_recover_remove(TcgMachine *machine)
{
    for (unsigned i = 0; i < MACHINES_MAX; i++) {
        TcgMachine *mine = machine;
        __atomic_compare_exchange_n(&machines[i], &mine, NULL, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED);
    }
}
