/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* lockstep: two machines in one process, one translated, one interpreted, that must stay equal.
 *
 *   lockstep [--count INSTRUCTIONS] [--every DISPATCHES] [--spoil STRETCH] [--quiet]
 *            -- MACHINE OPTIONS...
 *
 * The translated machine runs one block, the interpreted one follows to the same registers. A block
 * goes forward and may end with a jump into its own middle, as a loop that polls memory does when
 * it is entered from before its head: so the right place is behind the jump that led out of the
 * block, else the first with these registers. After a stretch of so many blocks the memory that the
 * latter wrote is compared, and now and then all of it. Time is the interpreter's count of
 * instructions and stands still in a stretch; timers run between stretches, in both. Interrupts
 * that arise inside a stretch end it and are given to both CPUs at the start of their next one, so
 * they come at the same place. CPUs take turns. At a difference everything runs again up to the
 * stretch that differed, which is then looked at block by block.
 *
 * Translated code is exact at faults here and unlinked (-accel tcg,x-exact=on,x-force-exits=on):
 * linked blocks would go round a loop that waits for a device any number of times, and how often
 * cannot be told from the registers. Guests must use nothing that the host decides: no disk, no
 * network, -cpu without rdrand and rdseed. Thread: one. */

#include "machine-private.h"

#include "tcg.h"
#include "x86-disas.h"
#include "x86-exec.h"
#include "x86-interp.h"
#include "x86-mmu.h"
#include "x86-system.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    STATUS_SKIPPED = 77,  /* by which test runners know a skipped test */
    SHIFT = 2,            /* nanoseconds per instruction, as a power of two */
    FOLLOW_MAX = 5000000, /* instructions that a stretch may have */
    WHOLE_EVERY = 4096,   /* stretches between comparisons of all memory */
    HELD = VIT_CPU_EVENT_INTR | VIT_CPU_EVENT_NMI | VIT_CPU_EVENT_SMI,
};

typedef struct Side {
    struct Lockstep *owner;
    Machine *machine;
    bool translated;
    uint32_t *held; /* events of each CPU that wait for its next stretch */
} Side;

typedef struct Lockstep {
    Side sides[2]; /* translated, interpreted */
    int64_t now_ns;
    uint64_t instructions, stretches, soft_differences;
    bool in_stretch;
    uint64_t spoil; /* at this stretch a register of the translated side is spoilt: does it show? */
} Lockstep;

typedef struct Options {
    gint64 count, spoil;
    gint every;
    gboolean quiet;
    char **words; /* of the machine */
    uint64_t until;
} Options;

/* What became of a run. */
typedef struct Outcome {
    bool differed;
    uint64_t stretch; /* that differed */
    char *what;
} Outcome;

/* ---- Machines ---- */

static int64_t
now_ns(void *opaque)
{
    return ((Lockstep *)opaque)->now_ns;
}

/* Called in vit_cpu_raise(): what would be taken in the middle of a stretch waits. */
static void
on_kick(VitCpu *cpu)
{
    Side *side = cpu->kick_opaque;
    uint32_t taken = vit_cpu_events(cpu) & HELD;

    if (side->owner->in_stretch && taken) {
        vit_cpu_lower(cpu, taken);
        side->held[cpu->index] |= taken;
        if (side->translated) {
            vit_cpu_raise(cpu, VIT_CPU_EVENT_EXIT);
        }
    }
}

static bool
make_side(Lockstep *lockstep, const Options *options, bool translated, GError **error)
{
    Side *side = &lockstep->sides[!translated];
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    g_autoptr(VitConfig) config = NULL;
    static const char *const fixed[] = { "-rtc",        "base=2024-01-01,clock=vm",
                                         "-display",    "none",
                                         "-nodefaults", "-no-reboot" };

    for (unsigned i = 0; i < G_N_ELEMENTS(fixed); i++) {
        g_ptr_array_add(words, (char *)fixed[i]);
    }
    for (unsigned i = 0; options->words && options->words[i]; i++) {
        g_ptr_array_add(words, options->words[i]);
    }
    g_ptr_array_add(words, (char *)"-accel");
    g_ptr_array_add(
        words, (char *)(translated ? "tcg,x-exact=on,x-force-exits=on" : "tcg,x-interpreter=on"));
    config = vit_config_parse_argv((int)words->len, (const char *const *)words->pdata, diags);
    side->owner = lockstep;
    side->translated = translated;
    side->machine = machine_new(config, g_main_context_default(), diags, error);
    if (!side->machine) {
        return false;
    }
    side->held = g_new0(uint32_t, side->machine->n_vcpus);
    vit_clock_set_count(side->machine->clock, now_ns, lockstep);
    for (unsigned i = 0; i < side->machine->n_vcpus; i++) {
        MachineVcpu *vcpu = &side->machine->vcpus[i];

        vcpu->cpu.kick = on_kick;
        vcpu->cpu.kick_opaque = side;
        vcpu->cpu.is_crowded =
            false; /* PAUSE would hand the host CPU to others: here it is one thread */
        vit_map_reader_online(&vcpu->reader);
    }
    return true;
}

static void
free_side(Side *side)
{
    if (side->machine) {
        for (unsigned i = 0; i < side->machine->n_vcpus; i++) {
            vit_map_reader_offline(&side->machine->vcpus[i].reader);
        }
        machine_free(side->machine);
        g_free(side->held);
    }
}

static X86Core *
core_of(Side *side, unsigned cpu)
{
    return side->machine->vcpus[cpu].cpu.state;
}

/* ---- Comparing ---- */

static const uint32_t FLAGS = (uint32_t) ~(X86_FLAG_RF);

static bool
same_place(const X86State *a, const X86State *b)
{
    return a->rip == b->rip && memcmp(a->gpr, b->gpr, sizeof(a->gpr)) == 0 &&
           ((a->rflags ^ b->rflags) & FLAGS & ~(uint32_t)X86_FLAGS_ARITH) == 0 &&
           a->activity == b->activity;
}

/* What differs beside the general registers; NULL: nothing. Ownership: caller. */
static char *
compare_rest(const X86State *a, const X86State *b)
{
    struct {
        const char *name;
        const void *a, *b;
        size_t len;
    } parts[] = {
        { "cr0", &a->cr0, &b->cr0, 8 },
        { "cr2", &a->cr2, &b->cr2, 8 },
        { "cr3", &a->cr3, &b->cr3, 8 },
        { "cr4", &a->cr4, &b->cr4, 8 },
        { "efer", &a->efer, &b->efer, 8 },
        { "cpl", &a->cpl, &b->cpl, 1 },
        { "xcr0", &a->xcr0, &b->xcr0, 8 },
        { "mxcsr", &a->mxcsr, &b->mxcsr, 4 },
        { "fcw", &a->fpu.fcw, &b->fpu.fcw, 2 },
        { "fsw", &a->fpu.fsw, &b->fpu.fsw, 2 },
        { "ftw", &a->fpu.ftw, &b->fpu.ftw, 1 },
        { "in_smm", &a->in_smm, &b->in_smm, 1 },
        { "kernel_gs_base", &a->kernel_gs_base, &b->kernel_gs_base, 8 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (memcmp(parts[i].a, parts[i].b, parts[i].len) != 0) {
            return g_strdup(parts[i].name);
        }
    }
    for (unsigned i = 0; i < X86_SEG_LAST; i++) {
        if (a->seg[i].selector != b->seg[i].selector || a->seg[i].base != b->seg[i].base ||
            a->seg[i].attr != b->seg[i].attr || a->seg[i].limit != b->seg[i].limit) {
            return g_strdup_printf("segment register %u", i);
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        if (a->fpu.st[i].mantissa != b->fpu.st[i].mantissa ||
            a->fpu.st[i].sign_exponent != b->fpu.st[i].sign_exponent) {
            return g_strdup_printf("st%u", i);
        }
    }
    for (unsigned i = 0; i < 16; i++) {
        if (memcmp(&a->zmm[i], &b->zmm[i], 32) != 0) {
            return g_strdup_printf("ymm%u", i);
        }
    }
    return NULL;
}

/* The first byte of guest memory that differs in page PAGE. */
static char *
describe_page(const Side *sides, size_t page)
{
    const uint8_t *a = sides[0].machine->ram->host + page * VIT_PAGE_SIZE;
    const uint8_t *b = sides[1].machine->ram->host + page * VIT_PAGE_SIZE;
    unsigned at = 0;

    while (a[at] == b[at]) {
        at++;
    }
    return g_strdup_printf("memory at offset %#zx: %02x translated, %02x interpreted",
                           page * VIT_PAGE_SIZE + at, a[at], b[at]);
}

static char *
compare_memory(Lockstep *lockstep, bool whole)
{
    VitRamBlock *a = lockstep->sides[0].machine->ram, *b = lockstep->sides[1].machine->ram;
    size_t pages = lockstep->sides[0].machine->plan->ram_bytes / VIT_PAGE_SIZE;
    char *found = NULL;

    /* bits go only once all is equal: the follower may have to go on */
    for (size_t i = 0; i < pages && !found; i++) {
        uint64_t eight;

        if (!whole && i % 8 == 0 && i + 8 <= pages) {
            memcpy(&eight, b->dirty + i, 8);
            if (!(eight & 0x0404040404040404ull)) {
                i += 7;
                continue;
            }
        }
        if ((whole || (b->dirty[i] & VIT_DIRTY_MIGRATION)) &&
            memcmp(a->host + i * VIT_PAGE_SIZE, b->host + i * VIT_PAGE_SIZE, VIT_PAGE_SIZE) != 0) {
            found = describe_page(lockstep->sides, i);
        }
    }
    for (size_t i = 0; i < pages && !found; i += 8) {
        uint64_t eight;

        memcpy(&eight, b->dirty + i, MIN(8, pages - i));
        eight &= ~0x0404040404040404ull;
        memcpy(b->dirty + i, &eight, MIN(8, pages - i));
    }
    return found;
}

/* ---- Flags that nobody defines ---- */

static bool
decode_at(X86Core *core, uint64_t rip, X86Insn *out_insn)
{
    const X86State *s = &core->s;
    uint64_t linear = x86_code64(s) ? rip : (uint32_t)(s->seg[X86_CS].base + rip), physical;
    unsigned size = x86_code64(s) ? 8 : s->seg[X86_CS].attr & X86_SEG_DB ? 4 : 2;
    unsigned len = MIN(15, VIT_PAGE_SIZE - (linear & 0xfff));
    uint8_t bytes[15];

    if (!x86_mmu_translate_debug(core, linear, &physical)) {
        return false;
    }
    x86_phys_read_bytes(core, physical, bytes, len);
    return x86_decode(bytes, len, size, out_insn) == X86_DECODE_OK;
}

/* The flags that are undefined at TO by what runs in a row from FROM, where all were equal. */
static uint32_t
undefined_flags(X86Core *core, uint64_t from, uint64_t to)
{
    uint32_t undefined = 0;
    X86Insn insn;

    while (from != to) {
        if (from > to || !decode_at(core, from, &insn)) {
            return 0;
        }
        undefined = (undefined & ~(uint32_t)insn.row->flags_written) | insn.row->flags_undefined;
        from += insn.length;
    }
    return undefined;
}

/* PUSHF has stored undefined flags: the follower takes those of the leader, whose stack still has
 * them. FROM: where all were equal; RIP: of the instruction that the follower has just executed. */
static void
adopt_pushed_flags(Lockstep *lockstep, unsigned cpu, uint64_t from, uint64_t rip)
{
    X86Core *leader = core_of(&lockstep->sides[0], cpu);
    X86Core *follower = core_of(&lockstep->sides[1], cpu);
    uint64_t stack = follower->s.gpr[X86_RSP], physical, mine, theirs;
    uint32_t undefined;
    X86Insn insn;

    if (!x86_code64(&follower->s) || !decode_at(follower, rip, &insn) ||
        insn.row->exec != x86_exec_pushf || insn.operand_size != 8 ||
        !(undefined = undefined_flags(follower, from, rip)) ||
        !x86_mmu_translate_debug(follower, stack, &physical)) {
        return;
    }
    mine = x86_phys_read(follower, physical, 8);
    theirs = x86_phys_read(leader, physical, 8);
    if (mine != theirs && !((mine ^ theirs) & ~(uint64_t)undefined)) {
        lockstep->soft_differences++;
        x86_phys_write(follower, physical, theirs, 8);
    }
}

/* ---- A stretch ---- */

/* Steps the interpreter to where the translator is. COUNT: the instructions that takes; 0 when that
 * is not known, as a block was run. JUMP: the instruction that led out of it, NULL: none, and it
 * only went forward. */
static char *
follow(Lockstep *lockstep, unsigned cpu, uint64_t count, const uint64_t *jump)
{
    X86Core *leader = core_of(&lockstep->sides[0], cpu);
    X86Core *follower = core_of(&lockstep->sides[1], cpu);
    uint64_t begun = follower->instructions, first = follower->s.rip;
    VitCpuExit reason = VIT_CPU_EXIT_REQUEST;
    char *what = NULL;

    for (unsigned steps = 0; !what && steps < FOLLOW_MAX; steps++) {
        uint64_t from = follower->s.rip, stack = follower->s.gpr[X86_RSP];
        bool on = x86_interp_step(follower, &reason);

        if (stack - follower->s.gpr[X86_RSP] == 8) {
            adopt_pushed_flags(lockstep, cpu, first, from);
        }
        if (!same_place(&leader->s, &follower->s) || follower->instructions - begun < count ||
            (jump && *jump != from)) {
            if (!on && reason != VIT_CPU_EXIT_REQUEST) {
                what = g_strdup_printf("the interpreter left (%d), the translator did not", reason);
            }
            continue;
        }
        if ((leader->s.rflags ^ follower->s.rflags) & X86_FLAGS_ARITH) {
            lockstep->soft_differences++; /* undefined ones: no guest can depend on them */
            follower->s.rflags = leader->s.rflags;
        }
        what = compare_rest(&leader->s, &follower->s);
        lockstep->instructions += follower->instructions - begun;
        return what;
    }
    return what ? what : g_strdup("the interpreter never came to the same registers");
}

static void
give_held(Side *side, unsigned cpu)
{
    uint32_t held = side->held[cpu];

    side->held[cpu] = 0;
    if (held) {
        vit_cpu_raise(&side->machine->vcpus[cpu].cpu, held);
    }
}

/* One block, or what the interpreter does between blocks. */
static char *
run_block(Lockstep *lockstep, unsigned cpu)
{
    VitCpu *leader = &lockstep->sides[0].machine->vcpus[cpu].cpu;
    X86Core *core = leader->state;
    uint64_t blocks = vit_tcg_get_dispatches(leader), count = core->instructions;
    X86State before = core->s;
    uint64_t jump;
    VitCpuExit reason;

    vit_cpu_lower(leader, VIT_CPU_EVENT_EXIT);
    reason = leader->executor->run(leader);
    vit_cpu_lower(leader, VIT_CPU_EVENT_EXIT);
    blocks = vit_tcg_get_dispatches(leader) - blocks;
    count = core->instructions - count;
    if (blocks || count || !same_place(&before, &core->s)) {
        return follow(lockstep, cpu, blocks ? 0 : count,
                      blocks && vit_tcg_get_last_jump(leader, &jump) ? &jump : NULL);
    }
    if (reason == VIT_CPU_EXIT_HALT) {
        /* an event that put the CPU to sleep, INIT, was all there was */
        x86_interp_step(core_of(&lockstep->sides[1], cpu), &reason);
    }
    return NULL;
}

/* LENGTH blocks, fewer when the CPU sleeps or is to be interrupted; then memory. */
static char *
run_stretch(Lockstep *lockstep, unsigned cpu, unsigned length)
{
    const MachineVcpu *vcpu = &lockstep->sides[0].machine->vcpus[cpu];
    uint64_t count = lockstep->instructions;
    char *what = NULL;

    for (unsigned i = 0; i < 2; i++) {
        give_held(&lockstep->sides[i], cpu);
    }
    lockstep->in_stretch = true;
    for (unsigned i = 0; i < length && !what && machine_vcpu_has_work(vcpu) &&
                         !lockstep->sides[0].held[cpu] && !lockstep->sides[0].machine->requests;
         i++) {
        what = run_block(lockstep, cpu);
    }
    lockstep->in_stretch = false;
    if (lockstep->spoil && lockstep->stretches == lockstep->spoil) {
        core_of(&lockstep->sides[0], cpu)->s.gpr[X86_R15] ^= 1;
    }
    lockstep->stretches++;
    lockstep->now_ns += (int64_t)(lockstep->instructions - count) << SHIFT;
    return what ? what : compare_memory(lockstep, lockstep->stretches % WHOLE_EVERY == 0);
}

/* Timers of both; returns the nearest deadline, -1: none. */
static int64_t
run_timers(Lockstep *lockstep)
{
    int64_t deadline_ns[2];

    for (unsigned i = 0; i < 2; i++) {
        Machine *machine = lockstep->sides[i].machine;

        vit_lock_take(&machine->lock);
        vit_clock_run_counted(machine->clock);
        deadline_ns[i] = vit_clock_next_deadline_ns(machine->clock);
        vit_lock_release(&machine->lock);
        for (unsigned j = 0; j < machine->n_vcpus; j++) {
            vit_map_reader_quiescent(&machine->vcpus[j].reader);
        }
    }
    return deadline_ns[0] == deadline_ns[1] ? deadline_ns[0] : -2;
}

/* Blocks in the next stretch. They vary: CPUs that wait for each other would else stop at the same
 * place of their loops for ever. */
static unsigned
stretch_length(const Lockstep *lockstep, const Options *options)
{
    uint32_t mixed = (uint32_t)lockstep->stretches * 2654435761u >> 16;

    return (unsigned)options->every / 2 + 1 + mixed % (unsigned)options->every;
}

/* Runs until COUNT instructions, a difference, the guest's end, or stretch UNTIL (0: no matter). */
static void
run(Lockstep *lockstep, const Options *options, Outcome *outcome)
{
    Machine *leader = lockstep->sides[0].machine;

    while (lockstep->instructions < (uint64_t)options->count && !leader->requests &&
           (!options->until || lockstep->stretches < options->until)) {
        int64_t deadline_ns = run_timers(lockstep);
        bool ran = false;

        if (deadline_ns == -2) {
            outcome->what = g_strdup("the next timer");
        }
        for (unsigned i = 0; i < leader->n_vcpus && !outcome->what; i++) {
            if (machine_vcpu_has_work(&leader->vcpus[i]) || lockstep->sides[0].held[i]) {
                outcome->what = run_stretch(lockstep, i, stretch_length(lockstep, options));
                ran = true;
            }
        }
        if (outcome->what) {
            outcome->differed = true;
            outcome->stretch = lockstep->stretches - 1;
            return;
        }
        if (!ran) {
            const X86State *first = leader->vcpus[0].cpu.state;

            if (deadline_ns < 0 || first->activity == X86_SHUTDOWN) {
                return; /* asleep for good */
            }
            lockstep->now_ns = MAX(lockstep->now_ns, deadline_ns);
        }
    }
}

/* ---- Report ---- */

static void
print_state(const char *title, const X86State *s)
{
    printf("%s: rip %016" PRIx64 " flags %08" PRIx64 " cs %04x cpl %u\n", title, s->rip, s->rflags,
           s->seg[X86_CS].selector, s->cpl);
    for (unsigned i = 0; i < 16; i++) {
        printf("  r%-2u %016" PRIx64 "%s", i, s->gpr[i], i % 4 == 3 ? "\n" : "");
    }
}

static void
print_code(X86Core *core, const X86State *at)
{
    uint64_t linear = x86_code64(at) ? at->rip : (uint32_t)(at->seg[X86_CS].base + at->rip);
    unsigned size = x86_code64(at) ? 8 : at->seg[X86_CS].attr & X86_SEG_DB ? 4 : 2;

    for (unsigned i = 0; i < 24; i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        uint64_t physical;
        uint8_t bytes[15];
        unsigned len;

        if (!x86_mmu_translate_debug(core, linear, &physical)) {
            break;
        }
        x86_phys_read_bytes(core, physical, bytes, MIN(15, VIT_PAGE_SIZE - (linear & 0xfff)));
        len = x86_disassemble(bytes, MIN(15, VIT_PAGE_SIZE - (linear & 0xfff)), size, linear, text);
        if (!len) {
            break;
        }
        printf("  %016" PRIx64 "  %s\n", linear, text->str);
        linear += len;
    }
}

static bool
start(Lockstep *lockstep, const Options *options)
{
    g_autoptr(GError) error = NULL;

    if (!make_side(lockstep, options, true, &error) ||
        !make_side(lockstep, options, false, &error)) {
        fprintf(stderr, "lockstep: %s\n", error->message);
        return false;
    }
    vit_tcg_set_stop_every(lockstep->sides[0].machine->tcg, 1);
    return true;
}

/* The same again; memory is compared after every block of the stretch that differed. */
static void
bisect(const Options *options, uint64_t stretch)
{
    Lockstep *lockstep = g_new0(Lockstep, 1);
    Outcome outcome = { 0 };
    X86State *before = g_aligned_alloc0(1, sizeof(X86State), _Alignof(X86State));

    lockstep->spoil = (uint64_t)MAX(options->spoil, 0);
    if (start(lockstep, options)) {
        Options first = *options;
        Machine *leader = lockstep->sides[0].machine;

        first.until = stretch;
        run(lockstep, &first, &outcome);
        for (unsigned i = 0; i < 2 * (unsigned)options->every * leader->n_vcpus && !outcome.what;
             i++) {
            unsigned cpu = i % leader->n_vcpus;

            run_timers(lockstep);
            *before = core_of(&lockstep->sides[1], cpu)->s;
            outcome.what = run_stretch(lockstep, cpu, 1);
            if (outcome.what) {
                printf("CPU %u: %s\n", cpu, outcome.what);
                print_state("before", before);
                print_code(core_of(&lockstep->sides[1], cpu), before);
                print_state("translated", &core_of(&lockstep->sides[0], cpu)->s);
                print_state("interpreted", &core_of(&lockstep->sides[1], cpu)->s);
            }
        }
        if (!outcome.what) {
            printf("block by block it does not differ\n");
        }
    }
    g_free(outcome.what);
    free_side(&lockstep->sides[0]);
    free_side(&lockstep->sides[1]);
    g_aligned_free(before);
    g_free(lockstep);
}

int
main(int argc, char **argv)
{
    Options options = { .count = 100000000, .every = 64 };
    const GOptionEntry entries[] = {
        { "count", 0, 0, G_OPTION_ARG_INT64, &options.count, "Instructions to run", "N" },
        { "every", 0, 0, G_OPTION_ARG_INT, &options.every, "Blocks in a stretch", "N" },
        { "spoil", 0, 0, G_OPTION_ARG_INT64, &options.spoil, "Make a fault at this stretch", "N" },
        { "quiet", 0, 0, G_OPTION_ARG_NONE, &options.quiet, "Say nothing of success", NULL },
        { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.words, NULL, "OPTIONS" },
        { NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- translator and interpreter");
    g_autoptr(GError) error = NULL;
    Lockstep *lockstep = g_new0(Lockstep, 1);
    Outcome outcome = { 0 };
    int64_t begun_us = g_get_monotonic_time();

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "lockstep: %s\n", error->message);
        return 2;
    }
    options.every = MAX(options.every, 1);
    if (!vit_tcg_is_able()) {
        printf("lockstep: this host cannot run translated code\n");
        return STATUS_SKIPPED;
    }
    lockstep->spoil = (uint64_t)MAX(options.spoil, 0);
    if (!start(lockstep, &options)) {
        return 2;
    }
    run(lockstep, &options, &outcome);
    if (!options.quiet || outcome.differed) {
        printf("lockstep: %" PRIu64 " instructions, %" PRIu64 " stretches, %.1f s of guest time, "
               "%.1f s, %" PRIu64 " times undefined flags; %s\n",
               lockstep->instructions, lockstep->stretches, (double)lockstep->now_ns / 1e9,
               (double)(g_get_monotonic_time() - begun_us) / 1e6, lockstep->soft_differences,
               outcome.differed                       ? outcome.what
               : lockstep->sides[0].machine->requests ? "the guest ended"
                                                      : "no difference");
    }
    free_side(&lockstep->sides[0]);
    free_side(&lockstep->sides[1]);
    g_free(lockstep);
    if (outcome.differed) {
        bisect(&options, outcome.stretch);
    }
    g_free(outcome.what);
    g_strfreev(options.words);
    return outcome.differed;
}
