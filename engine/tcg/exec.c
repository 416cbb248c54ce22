/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The translator as an executor: the dispatcher, which finds or makes the block for where the CPU
 * is and runs it, and has the interpreter do all that lies between instructions or is not
 * translated.
 *
 * Faults come back to run() by the core's unwind buffer with the state complete: blocks spill
 * everything before they call. Requests from other threads set hot.floor, which blocks test
 * in every cycle; the event word itself is looked at here.
 *
 * What waits for other CPUs is in safepoint.c. Thread: each CPU's own. */

#include "emit.h"
#include "fpstate.h"

#include "vit-error.h"
#include "x86-system.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { TIMED_EVERY = 16, HEAT_BLOCKS = 1 << 15 };

/* ---- Modes ---- */

/* A data segment without limit that may be written. */
static bool
is_wide(const X86Segment *seg)
{
    return seg->limit == UINT32_MAX && (seg->attr & (X86_SEG_P | X86_SEG_CODE | X86_SEG_E |
                                                     X86_SEG_W)) == (X86_SEG_P | X86_SEG_W);
}

static bool
is_flat(const X86Segment *seg)
{
    return seg->base == 0 && is_wide(seg);
}

/* 32-bit code with flat segments, as all but the oldest systems have it. */
static unsigned
mode_32(const X86State *s)
{
    const X86Segment *seg = s->seg;

    if (x86_real_mode(s) || x86_v8086(s) || seg[X86_CS].base != 0 ||
        seg[X86_CS].limit != UINT32_MAX || !(seg[X86_CS].attr & X86_SEG_DB) ||
        !(seg[X86_SS].attr & X86_SEG_DB) || !is_flat(&seg[X86_DS]) || !is_flat(&seg[X86_ES]) ||
        !is_flat(&seg[X86_SS])) {
        return TCG_MODE_NONE;
    }
    return TCG_MODE_CODE32 | (is_wide(&seg[X86_FS]) ? TCG_MODE_FS : 0) |
           (is_wide(&seg[X86_GS]) ? TCG_MODE_GS : 0);
}

static unsigned
current_mode(const X86Core *core)
{
    const X86State *s = &core->s;
    unsigned mode = x86_code64(s) ? TCG_MODE_CODE64 : mode_32(s);

    /* guests of the guest are interpreted; translated code does not count what it executes */
    if (mode == TCG_MODE_NONE || x86_alignment_checked(core) || s->svm.guest ||
        s->pmu.counts_instructions) {
        return TCG_MODE_NONE;
    }
    mode |= x86_view(core);
    if (s->cpl == 0) {
        mode |= TCG_MODE_CPL0 | (s->cr4 & X86_CR4_SMAP ? TCG_MODE_SMAP : 0);
    }
    if (!(s->cr0 & (X86_CR0_EM | X86_CR0_TS))) {
        mode |= s->cr0 & X86_CR0_NE ? TCG_MODE_X87 : 0;
        if (s->cr4 & X86_CR4_OSFXSR) {
            mode |= TCG_MODE_SSE;
            if ((s->cr4 & X86_CR4_OSXSAVE) && (s->xcr0 & 6) == 6) {
                mode |= TCG_MODE_AVX | ((s->xcr0 & 0xe6) == 0xe6 ? TCG_MODE_EVEX : 0);
            }
        }
    }
    return mode;
}

/* ---- Finding code ---- */

static void
take_fetch(TcgCpu *cpu, TcgFetch *fetch, const uint8_t *host, uint64_t page, uint64_t physical,
           uint16_t mode, bool global)
{
    fetch->stamp = 0;
    fetch->global = global;
    fetch->code = tcg_page_get(cpu, page, host, mode, physical);
    if (!global && cpu->fetch_log_len < TCG_FETCH_LOG) {
        cpu->fetch_log[cpu->fetch_log_len++] = fetch;
    }
    fetch->page = page;
    fetch->host = host;
    fetch->mode = mode;
    fetch->stamp = fetch->code->stamp;
}

/* Takes up the page of code at PC. False: it is not plain memory. Faults as the fetch does. */
static __attribute__((noinline)) bool
fill_fetch(TcgCpu *cpu, TcgFetch *fetch, unsigned mode, uint64_t pc)
{
    X86Core *core = &cpu->core;
    uint64_t physical, page = pc & ~(uint64_t)0xfff;
    X86View view = core->s.cpl == 3 ? X86_VIEW_USER : X86_VIEW_SUPERVISOR;
    const uint8_t *host = x86_fetch_page(core, pc, &physical) - (pc & 0xfff);

    if (host == core->mmu->window_code) {
        return false;
    }
    g_mutex_lock(&cpu->machine->lock);
    take_fetch(cpu, fetch, host, page, physical & ~(uint64_t)0xfff, (uint16_t)mode,
               (x86_tlb_slot(core, pc, view)->mask & 0x7ff) == 0);
    g_mutex_unlock(&cpu->machine->lock);
    return true;
}

void
tcg_fetch_enter(TcgCpu *cpu, TcgFetch *fetch, const X86TlbEntry *from, uint64_t page, uint16_t mode)
{
    take_fetch(cpu, fetch, (const uint8_t *)(from->host + page), page, from->physical, mode,
               (from->mask & 0x7ff) == 0);
}

static int64_t
thread_cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * G_GINT64_CONSTANT(1000000000) + now.tv_nsec;
}

/* Looks at the clock for one of so many. */
static TcgBlock *
translate_timed(TcgCpu *cpu, const TcgFetch *fetch, const TcgFetch *second, uint64_t pc,
                unsigned ungrouped, const TcgSofts *softs)
{
    TcgMachine *machine = cpu->machine;
    bool timed = machine->translated_blocks % TIMED_EVERY == 0;
    uint64_t insns = machine->translated_insns;
    int64_t start = timed ? thread_cpu_ns() : 0;
    TcgBlock *block = tcg_translate(cpu, fetch, second, pc, ungrouped, softs);

    if (timed) {
        machine->timed_ns += thread_cpu_ns() - start;
        machine->timed_insns += machine->translated_insns - insns;
    }
    return block;
}

/* Forgets what was warm long ago, before all that ever ran is taken for it. */
static void
cool(TcgMachine *machine)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(machine->heat->count); i++) {
        __atomic_store_n(&machine->heat->count[i], 0, __ATOMIC_RELAXED);
    }
}

/* Whether the bytes of the block to be may be read; lock held. */
static bool
claim(TcgCpu *cpu, const TcgFetch *fetch, const TcgFetch *second)
{
    bool good;

    tcg_settle(cpu);
    good = tcg_page_claim(cpu, fetch->code->physical);
    if (second) {
        good &= tcg_page_claim(cpu, second->code->physical);
    }
    if (!good) {
        cpu->claimed = cpu->machine->claims;
    }
    return good;
}

/* What was claimed is not read after all. */
static void
settle(TcgCpu *cpu)
{
    if (cpu->claimed) {
        g_mutex_lock(&cpu->machine->lock);
        tcg_settle(cpu);
        g_mutex_unlock(&cpu->machine->lock);
    }
}

/* The block at PC and, once it is known, the jump that led here pointed to it. NULL: it has to wait
 * (cpu->claimed is not 0), or there is no room. */
static __attribute__((noinline)) const void *
find_block(TcgCpu *cpu, const TcgFetch *fetch, const TcgFetch *second, uint64_t pc, TcgLink *link,
           uint64_t link_age)
{
    unsigned ungrouped = cpu->hot.ungrouped;
    TcgMachine *machine = cpu->machine;
    const void *code = NULL;
    TcgBlock *block;
    TcgSofts softs;

    g_mutex_lock(&machine->lock);
    if (!claim(cpu, fetch, second)) {
        g_mutex_unlock(&machine->lock);
        return NULL;
    }
    block = tcg_block_find(machine, fetch, second, pc & 0xfff, ungrouped, &softs);
    if (!block) {
        if (machine->heat &&
            machine->translated_blocks - machine->copied_blocks - machine->heat_blocks >=
                HEAT_BLOCKS) {
            machine->heat_blocks = machine->translated_blocks - machine->copied_blocks;
            cool(machine);
        }
        block = translate_timed(cpu, fetch, second, pc, ungrouped, &softs);
    }
    if (block) {
        TcgJump *jump = &cpu->jump[fetch->mode & TCG_MODE_VIEW][tcg_jump_slot(pc)];
        code = block->entry_far;
        if (!ungrouped) {
            jump->code = block->entry_indirect;
            cpu->jump_stamp[fetch->mode & TCG_MODE_VIEW][tcg_jump_slot(pc)] = fetch->stamp;
            __atomic_store_n(&jump->key, pc, __ATOMIC_RELEASE);
        }
        if (link && link_age == machine->full_flushes && !machine->options.force_exits) {
            tcg_link(machine, link, block);
        }
    }
    g_mutex_unlock(&machine->lock);
    return code;
}

/* The entry of PC's page, taken up where it is not there. NULL: it is not plain memory. Faults as
 * the fetch does. */
static TcgFetch *
get_fetch(TcgCpu *cpu, unsigned mode, uint64_t pc)
{
    uint64_t page = pc & ~(uint64_t)0xfff;
    TcgFetch *fetch = &cpu->fetch[mode & TCG_MODE_VIEW][tcg_fetch_slot(page)];

    if (fetch->page == page && fetch->mode == mode && fetch->stamp) {
        return fetch;
    }
    return fill_fetch(cpu, fetch, mode, pc) ? fetch : NULL;
}

/* Whether the instruction at PC, in FETCH's page, runs into the next one. */
static bool
runs_over(const TcgFetch *fetch, uint64_t pc)
{
    unsigned offset = pc & 0xfff;
    X86Insn insn;

    return offset > VIT_PAGE_SIZE - TCG_INSN_BYTES &&
           x86_decode(fetch->host + offset, VIT_PAGE_SIZE - offset,
                      (fetch->mode & TCG_MODE_SIZE) == TCG_MODE_CODE64 ? 8 : 4,
                      &insn) == X86_DECODE_SHORT;
}

static const void *
find_code(TcgCpu *cpu, unsigned mode, TcgLink *link, uint64_t link_age)
{
    uint64_t pc = cpu->core.s.rip, next;
    unsigned view = mode & TCG_MODE_VIEW, slot = tcg_jump_slot(pc);
    const TcgJump *jump = &cpu->jump[view][slot];
    const TcgFetch *fetch, *second;
    bool over, dropped = false;
    const void *code;

    if (cpu->view_mode[view] != mode) {
        cpu->view_mode[view] = (uint16_t)mode;
        tcg_jumps_clear(cpu, view);
    }
    next = (pc | 0xfff) + 1;
    if ((mode & TCG_MODE_SIZE) != TCG_MODE_CODE64) {
        next = (uint32_t)next;
    }
    for (;;) {
        fetch = get_fetch(cpu, mode, pc);
        over = fetch && runs_over(fetch, pc);
        second = over ? get_fetch(cpu, mode, next) : NULL;
        if (!fetch || (over && !second)) {
            settle(cpu);
            return NULL;
        }
        if (!over && !link && !cpu->hot.ungrouped && !cpu->hot.stale && jump->key == pc &&
            cpu->jump_stamp[view][slot] == fetch->stamp) {
            return jump->code;
        }
        code = find_block(cpu, fetch, second, pc, link, link_age);
        if (code) {
            return code;
        }
        if (cpu->claimed) {
            tcg_wait_claimed(cpu);
        } else if (!dropped) {
            tcg_flush_everything(cpu);
            tcg_begin(cpu);
            dropped = true;
        } else {
            return NULL;
        }
    }
}

/* Whether the interpreter is to have the code at rIP: it was not come to often enough to be worth
 * translating. That goes for the forms of a block without groups as well. */
static bool
is_cold(TcgCpu *cpu)
{
    uint64_t form = (uint64_t)cpu->hot.ungrouped << 56;

    return cpu->machine->heat && !cpu->hot.stale &&
           !x86_heat_add(cpu->machine->heat, cpu->core.s.rip ^ form);
}

/* ---- Called by blocks ---- */

void
tcg_interpret_one(TcgCpu *cpu)
{
    X86Core *core = &cpu->core;
    uint64_t pc = core->s.rip;
    const TcgFetch *fetch = &cpu->fetch[x86_view(core)][tcg_fetch_slot(pc & ~(uint64_t)0xfff)];

    if (fetch->page == (pc & ~(uint64_t)0xfff) && fetch->stamp) {
        x86_interp_one_at(core, fetch->host + (pc & 0xfff),
                          (fetch->mode & TCG_MODE_SIZE) == TCG_MODE_CODE64 ? 8 : 4);
    } else {
        x86_interp_one(core);
    }
}

/* Whether a block goes no further behind an instruction that somebody else has run. A request to
 * leave may be of a CPU or device that has dropped this very block: the instruction may have waited
 * for that (a serializing one, by the rules for code that another CPU changes) or caused it. */
bool
tcg_must_leave(const TcgCpu *cpu)
{
    return cpu->code_dropped || cpu->core.debug_pending || tcg_exit_requested(cpu);
}

int
tcg_leave_behind(TcgCpu *cpu, bool executed)
{
    tcg_recover_now(cpu, executed);
    tcg_flags_from_state(cpu); /* that is where the way out looks */
    return TCG_LEAVE;
}

/* What a string instruction has read or written may be touched again: SOURCE and TARGET. */
static void
enter_pages(TcgCpu *cpu, const X86Insn *insn, uint64_t source, uint64_t target)
{
    X86View view = x86_view(&cpu->core);

    tcg_tlb_fill(cpu, target, true, view);
    if (insn->row->exec == x86_exec_movs) {
        tcg_tlb_fill(cpu, source, false, view);
    }
}

static int
interpret_record(TcgCpu *cpu, const X86Insn *insn, const uint8_t *site, bool enter)
{
    X86Core *core = &cpu->core;
    X86State *state = &core->s;
    uint64_t rip = state->rip;

    cpu->interpreted++;
    if (insn->row->class_ == X86_CLASS_STRING && insn->row->flags_written) {
        tcg_recover_flags(cpu, site); /* it may write them and then fault */
    } else {
        tcg_recover_later(cpu, site);
    }
    tcg_fp_settle(cpu);
    cpu->code_dropped = false;
    do { /* repeated string instructions stop in between */
        uint64_t source = state->gpr[X86_RSI], target = state->gpr[X86_RDI];
        x86_interp_decoded(core, insn);
        if (enter && !(state->rflags & X86_FLAG_DF)) {
            enter_pages(cpu, insn, source, target);
        }
    } while (state->rip == rip && !core->debug_pending && !tcg_exit_requested(cpu));
    if (state->rip == rip || tcg_must_leave(cpu)) {
        return tcg_leave_behind(cpu, state->rip != rip);
    }
    tcg_recover_not(cpu);
    return 0;
}

int
tcg_helper_interpret(X86State *state, const X86Insn *insn, const uint8_t *site)
{
    return interpret_record(tcg_cpu_of((X86Core *)state), insn, site, false);
}

int
tcg_helper_rep(X86State *state, const X86Insn *insn, const uint8_t *site)
{
    return interpret_record(tcg_cpu_of((X86Core *)state), insn, site, true);
}

/* ---- Targets that are no address ---- */

/* A near jump to a non-canonical address faults before it has done anything. Translated code finds
 * out when no block is there: takes the jump back, so that the interpreter can make the fault of
 * it. Intel SDM volume 2 JMP, RET. */
static bool
take_back_jump(TcgCpu *cpu)
{
    X86State *s = &cpu->core.s;
    uint64_t target = s->rip, physical;
    uint8_t bytes[TCG_INSN_BYTES];
    X86Insn insn;
    size_t first;

    if (x86_is_canonical(&cpu->core, target)) {
        return false;
    }
    s->rip = cpu->hot.spare[1];
    first = MIN(VIT_PAGE_SIZE - (s->rip & 0xfff), sizeof(bytes));
    memcpy(bytes, x86_fetch_page(&cpu->core, s->rip, &physical), first);
    if (x86_decode(bytes, first, 8, &insn) == X86_DECODE_SHORT) {
        memcpy(bytes + first, x86_fetch_page(&cpu->core, s->rip + first, &physical),
               sizeof(bytes) - first);
        first = sizeof(bytes);
    }
    if (x86_decode(bytes, first, 8, &insn) != X86_DECODE_OK) {
        s->rip = target;
        return false;
    }
    cpu->core.instructions -= cpu->machine->options.count; /* it comes again */
    if (insn.row->exec == x86_exec_ret || insn.row->exec == x86_exec_ret_imm) {
        s->gpr[X86_RSP] -= 8 + (insn.row->exec == x86_exec_ret_imm ? insn.imm : 0);
    }
    return true;
}

/* ---- The loop ---- */

static void
run_code(TcgCpu *cpu, const void *code)
{
    cpu->hot.link = NULL;
    cpu->hot.ungrouped = 0;
    cpu->hot.stale = 0;
    cpu->hot.after_exit = TCG_EXIT_LOOKUP;
    cpu->dispatches++;
    tcg_flags_from_state(cpu);
    cpu->hot.exit_flags = cpu->hot.flags; /* where an indirect entry looks */
    cpu->fault_pc = NULL;
    if (cpu->machine->options.count) {
        tcg_count_begin(cpu);
    }
    cpu->machine->thunks.enter(&cpu->core.s, code);
    if (cpu->machine->options.count) {
        cpu->uncounted += cpu->fault_pc ? (int32_t)tcg_recover_left(cpu, cpu->fault_pc) : 0;
        tcg_count_end(cpu);
    }
    cpu->hot.ungrouped = cpu->hot.link ? cpu->hot.link->ungrouped : 0;
    if (cpu->fault_pc) {
        tcg_recover_flags(cpu, cpu->fault_pc);
    } else if (cpu->hot.link && (cpu->hot.link->flags_dead || cpu->hot.link->ungrouped)) {
        tcg_recover_flags_of_link(cpu, cpu->hot.link);
    } else {
        tcg_flags_to_state(cpu);
    }
    tcg_fp_settle(cpu);
}

/* So few instructions up to the limit that a block may have more. */
static bool
is_nearly_done(const X86Core *core)
{
    uint64_t limit = core->cpu->count_limit;

    return limit && limit - core->instructions < TCG_BLOCK_INSNS;
}

static __attribute__((noinline)) void
loop(TcgCpu *cpu, VitCpuExit *out_exit)
{
    X86Core *core = &cpu->core;
    TcgMachine *machine = cpu->machine;
    TcgLink *link = NULL;
    uint64_t age = 0;
    unsigned turns = 0;
    uint64_t floor = (uintptr_t)__builtin_frame_address(0) - TCG_FRAMES_BYTES;

    for (;;) {
        unsigned mode;
        const void *code;

        __atomic_store_n(&cpu->hot.floor, floor, __ATOMIC_SEQ_CST);
        x86_interp_pending_traps(core);
        if (core->cpu->count_limit && core->instructions >= core->cpu->count_limit) {
            *out_exit = VIT_CPU_EXIT_REQUEST;
            return;
        }
        if (G_UNLIKELY(machine->stop_every) && !cpu->hot.ungrouped && !cpu->hot.stale &&
            turns++ == machine->stop_every) {
            *out_exit = VIT_CPU_EXIT_REQUEST;
            return;
        }
        if (x86_interp_needs_care(core)) {
            if (!x86_interp_pass(core, out_exit)) {
                return;
            }
            continue;
        }
        mode = current_mode(core);
        if (mode == TCG_MODE_NONE || machine->options.interpret || is_nearly_done(core)) {
            x86_interp_stretch(core);
            continue;
        }
        if (cpu->drop_everything || (machine->options.invalidate_every &&
                                     cpu->dispatches % machine->options.invalidate_every == 0)) {
            cpu->drop_everything = false;
            link = NULL;
            tcg_flush_everything(cpu);
        }
        if (G_UNLIKELY(__atomic_load_n(&machine->checked, __ATOMIC_RELAXED)) &&
            cpu->dispatches % 64 == 0) {
            tcg_watch_due(machine);
        }
        if (is_cold(cpu)) {
            link = NULL;
            cpu->hot.ungrouped = 0;
            cpu->cold++;
            x86_interp_cold(core, machine->heat);
            continue;
        }
        tcg_begin(cpu);
        code = find_code(cpu, mode, link, age);
        link = NULL;
        if (!code) {
            tcg_end(cpu);
            x86_interp_stretch(core);
            continue;
        }
        if (G_UNLIKELY(__atomic_load_n(&machine->looker.asleep, __ATOMIC_RELAXED)) &&
            cpu->dispatches % 256 == 255) {
            tcg_hot_wake(machine);
        }
        run_code(cpu, code);
        if (G_UNLIKELY(__atomic_load_n(&cpu->look_wanted, __ATOMIC_RELAXED))) {
            tcg_hot_note(cpu, mode);
        }
        link = cpu->hot.link;
        age = machine->full_flushes;
        if (cpu->hot.after_exit == TCG_EXIT_INTERPRET && cpu->insn) {
            x86_interp_decoded(core, cpu->insn);
        } else if (cpu->hot.after_exit == TCG_EXIT_INTERPRET ||
                   ((mode & TCG_MODE_SIZE) == TCG_MODE_CODE64 && take_back_jump(cpu))) {
            tcg_interpret_one(cpu);
        }
        tcg_end(cpu); /* not before: the instruction goes with everything else */
    }
}

static VitCpuExit
tcg_run(VitCpu *vit_cpu)
{
    X86Core *core = vit_cpu->state;
    TcgCpu *cpu = tcg_cpu_of(core);
    VitCpuExit reason = VIT_CPU_EXIT_REQUEST;

    core->tsc_line = VIT_TSC_LINE_NONE; /* the clock may have been stopped and set */
    if (__builtin_setjmp(core->unwind)) {
        tcg_recover_now(cpu, false);
        settle(cpu);
        tcg_count_end(cpu);
        tcg_end(cpu);
        if (!x86_interp_deliver(core, &reason)) {
            return reason;
        }
    }
    loop(cpu, &reason);
    tcg_end(cpu);
    return reason;
}

uint64_t
vit_tcg_get_dispatches(const VitCpu *cpu)
{
    return tcg_cpu_of(cpu->state)->dispatches;
}

int64_t
tcg_now_us(const TcgMachine *machine)
{
    int64_t dispatches = 0;

    if (!machine->stop_every) {
        return g_get_monotonic_time();
    }
    for (const TcgCpu *cpu = machine->cpus; cpu; cpu = cpu->next) {
        dispatches += (int64_t)cpu->dispatches;
    }
    return dispatches;
}

bool
vit_tcg_get_last_jump(const VitCpu *cpu, uint64_t *out_rip)
{
    const TcgCpu *tcg = tcg_cpu_of(cpu->state);
    const TcgLink *link = tcg->hot.link;
    const uint8_t *bytes;

    /* a link behind a call is left by, with the return that came there as the last jump */
    return link && !link->ungrouped && !link->returns &&
           tcg_recover_rip(tcg->machine, tcg->machine->code_exec + link->jump, out_rip, &bytes,
                           NULL);
}

/* ---- Life ---- */

static void
tcg_kick(VitCpu *vit_cpu)
{
    X86Core *core = vit_cpu->state;

    if (core) {
        tcg_request_exit(tcg_cpu_of(core));
    }
}

static bool
tcg_create(VitCpu *vit_cpu, const void *model, GError **error)
{
    TcgMachine *machine = vit_cpu->executor_machine;
    unsigned entries = machine->options.tlb_entries;
    TcgCpu *cpu = mmap(NULL, sizeof(TcgCpu), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (cpu == MAP_FAILED) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY,
                    "no memory for the tables of CPU %u: give the machine fewer CPUs (-smp)",
                    vit_cpu->index);
        return false;
    }
    cpu->machine = machine;
    if (!x86_core_init(&cpu->core, vit_cpu, model, error)) {
        munmap(cpu, sizeof(TcgCpu));
        return false;
    }
    tcg_tlb_init(cpu,
                 entries ? CLAMP(entries, TCG_TLB_SMALLEST, TCG_TLB_LARGEST) : TCG_TLB_DEFAULT);
    cpu->core.hooks = &tcg_core_hooks;
    g_mutex_lock(&machine->lock);
    cpu->next = machine->cpus;
    machine->cpus = cpu;
    g_mutex_unlock(&machine->lock);
    vit_cpu->state = &cpu->core;
    return true;
}

static void
tcg_destroy(VitCpu *vit_cpu)
{
    TcgCpu *cpu, **at;

    if (!vit_cpu->state) {
        return;
    }
    cpu = tcg_cpu_of(vit_cpu->state);
    g_mutex_lock(&cpu->machine->lock);
    for (at = &cpu->machine->cpus; *at != cpu; at = &(*at)->next) {
    }
    *at = cpu->next;
    g_mutex_unlock(&cpu->machine->lock);
    x86_core_finish(&cpu->core);
    vit_cpu->state = NULL;
    munmap(cpu, sizeof(TcgCpu));
}

static void
tcg_reset(VitCpu *vit_cpu)
{
    x86_state_reset(vit_cpu->state, false);
    /* the board puts firmware back into memory without telling page by page */
    tcg_cpu_of(vit_cpu->state)->drop_everything = true;
}

static void
tcg_sync_in(VitCpu *vit_cpu)
{
    x86_state_changed(vit_cpu->state);
}

/* The interpreter runs a CPU that is debugged: x86_interp_needs_care(). */
static void
tcg_debug_changed(VitCpu *vit_cpu)
{
    x86_host_debug_changed(vit_cpu->state);
}

const VitExecutor vit_tcg_executor = {
    .name = "tcg",
    .create = tcg_create,
    .destroy = tcg_destroy,
    .reset = tcg_reset,
    .run = tcg_run,
    .kick = tcg_kick,
    .sync_in = tcg_sync_in,
    .debug_changed = tcg_debug_changed,
    .count = tcg_count,
};
