/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* cpu-oracle: compares the interpreter and the translator with the host CPU on generated
 * instructions.
 *
 *   cpu-oracle [--seed N] [--count INSTRUCTIONS] [--class NAME,...] [--mode 64,32,16]
 *              [--length N] [--loops PERCENT] [--moved PERCENT] [--only MNEMONIC]
 *              [--case NUMBER] [--reports N] [--seconds N]
 *              [--coverage] [--alone] [--quick]
 *              [--executor interp,tcg] [--exact] [--force-exits] [--one-insn] [--tlb-entries N]
 *              [--invalidate-every N] [--rewrite] [--undefined] [--warm-up N]
 *              [--hot] [--dead] [--disturb US]
 *
 * Exit status 0: no difference. The child works on one batch of cases while this process makes and
 * interprets the other. */

#include "oracle-vendor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Totals {
    uint64_t cases, instructions, executed, faults, differences, again, unstable, switched, lost,
        endless, strayed;
} Totals;

typedef struct Failed {
    OracleCase c;
    OracleResult by_host, by_guest;
    bool among_us; /* BY_HOST is the interpreter's */
    OracleGuest *guest;
    uint8_t data[ORACLE_PATTERN_BYTES]; /* by the guest */
} Failed;

typedef struct Run {
    OracleOptions options;
    OracleGen *gen;
    OracleNative *native;
    OracleGuest *guests[2];       /* each judged by the host; NULL after the last */
    OracleResult *result, *first; /* of the running guest, of the interpreter */
    Failed *failed[256];
    unsigned failed_count, reported;
    int64_t end_us; /* when to stop, 0 = by count alone */
    Totals totals;
} Run;

static void
fill_batch(Run *run, unsigned index, uint64_t first)
{
    OracleBatch *batch = oracle_native_batch(run->native, index);

    batch->count = ORACLE_BATCH_CASES;
    oracle_gen_batch(run->gen, first, batch->cases);
}

static void
keep_failed(Run *run, OracleGuest *guest, const OracleCase *c, const OracleResult *by_host,
            bool among_us)
{
    Failed *copy;

    if (run->failed_count == G_N_ELEMENTS(run->failed)) {
        run->totals.differences++;
        return;
    }
    copy = g_aligned_alloc0(1, sizeof(*copy), 64);
    copy->c = *c;
    copy->by_host = *by_host;
    copy->among_us = among_us;
    copy->by_guest = *run->result;
    copy->guest = guest;
    oracle_guest_data(guest, copy->data);
    run->failed[run->failed_count++] = copy;
}

/* A case that is endless or strays says nothing; the interpreter, which comes first, knows. */
static void
check_case(Run *run, const OracleCase *c, const OracleResult *by_host)
{
    run->totals.cases++;
    run->totals.instructions += c->count;
    run->totals.faults += by_host->vector >= 0;
    if (by_host->vector == -2) {
        run->totals.endless++;
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(run->guests) && run->guests[i]; i++) {
        OracleGuest *guest = run->guests[i];
        const OracleExecutor *executor = oracle_guest_executor(guest);

        oracle_guest_run(guest, c, run->result);
        run->totals.executed += run->result->executed;
        if (run->result->vector == -2 && !executor->is_tcg) {
            run->totals.endless++;
            return;
        }
        if (run->result->strayed) {
            run->totals.strayed++;
            return;
        }
        if (!oracle_results_equal(c, by_host, run->result, executor)) {
            keep_failed(run, guest, c, by_host, false);
            return; /* the next would differ by as much */
        }
        if (i == 0) {
            *run->first = *run->result;
        } else if (!oracle_executors_equal(c, run->first, run->result, executor)) {
            keep_failed(run, guest, c, run->first, true);
        }
    }
}

static void
check_batch(Run *run, unsigned index)
{
    const OracleBatch *batch = oracle_native_batch(run->native, index);

    for (unsigned j = 0; j < G_N_ELEMENTS(run->guests) && run->guests[j]; j++) {
        oracle_guest_place(run->guests[j], batch->cases, batch->count);
    }
    for (unsigned i = 0; i < batch->count; i++) {
        check_case(run, &batch->cases[i], &batch->results[i]);
    }
}

/* The host was not the same twice: the batch's answer is not the one it stays with, ANSWER. */
static bool
is_the_hosts(Run *run, const Failed *failed, OracleResult *answer, uint8_t *data)
{
    bool stays = oracle_host_answer(run->native, &failed->c, answer, data);

    return !stays || oracle_results_equal(&failed->c, answer, &failed->by_guest,
                                          oracle_guest_executor(failed->guest));
}

/* The translator has x87 state in the host's registers and FIP from the host's, so a switch to
 * another program or a signal loses it here too, and nothing else. */
static bool
is_switched(const Failed *failed, const OracleResult *answer, const uint8_t *data)
{
    static OracleResult again;
    const OracleResult *once = &failed->by_guest;
    const OracleExecutor *executor = oracle_guest_executor(failed->guest);

    if (!once->has_x87 || !(once->disturbed.switches || once->disturbed.signals) ||
        !oracle_differ_in_pointers(&failed->c, answer, data, once, failed->data, executor)) {
        return false;
    }
    for (unsigned i = 0; i < 16; i++) { /* until it was left alone */
        oracle_guest_run(failed->guest, &failed->c, &again);
        if (oracle_results_equal(&failed->c, answer, &again, executor)) {
            return true;
        }
    }
    return false;
}

/* Alone, the executor agrees with the host: what ran before makes the difference. */
static void
report_unrepeated(Run *run, const Failed *failed, const OracleResult *answer, const uint8_t *data)
{
    static OracleResult again;
    const OracleCase *c = &failed->c;
    uint64_t first = c->number / ORACLE_BATCH_CASES * ORACLE_BATCH_CASES;

    run->totals.again++;
    run->reported++;
    oracle_describe(c, answer, &failed->by_guest, oracle_guest_executor(failed->guest));
    oracle_print_stream(c);
    oracle_print_both(c, &c->in, answer, data, &failed->by_guest, failed->data);
    printf("  meanwhile %" PRIu64 " switches, %" PRIu64
           " signals (asked only where there is x87)\n",
           failed->by_guest.disturbed.switches, failed->by_guest.disturbed.signals);
    oracle_guest_print_statistics(failed->guest);
    oracle_guest_replay(run->gen, failed->guest, c, &again);
    printf("  not when alone; behind the cases from %" PRIu64 " on %s\n", first,
           oracle_results_equal(c, answer, &again, oracle_guest_executor(failed->guest))
               ? "not either"
               : "again");
}

/* Between batches, while the child is idle. */
static void
report_failed(Run *run)
{
    static OracleResult answer;
    static uint8_t data[ORACLE_PATTERN_BYTES];

    for (unsigned i = 0; i < run->failed_count; i++) {
        Failed *failed = run->failed[i];

        if (failed->among_us) {
            run->totals.differences++;
            run->reported++;
            printf("not as the interpreter, here called the host: ");
            oracle_describe(&failed->c, &failed->by_host, &failed->by_guest,
                            oracle_guest_executor(failed->guest));
            oracle_print_stream(&failed->c);
            oracle_print_both(&failed->c, &failed->c.in, &failed->by_host, failed->data,
                              &failed->by_guest, failed->data);
        } else if (is_the_hosts(run, failed, &answer, data)) {
            if (run->totals.unstable++ < 20) {
                printf("the host is not the same twice: ");
                oracle_describe(&failed->c, &failed->by_host, &failed->by_guest,
                                oracle_guest_executor(failed->guest));
            }
        } else if (is_switched(failed, &answer, data)) {
            if (run->totals.switched++ < 20) {
                printf("switched: ");
                oracle_describe(&failed->c, &answer, &failed->by_guest,
                                oracle_guest_executor(failed->guest));
            }
        } else {
            run->totals.differences++;
            if (run->reported < run->options.max_reports &&
                !oracle_report(&run->options, run->gen, run->native, failed->guest, &failed->c,
                               &run->reported)) {
                report_unrepeated(run, failed, &answer, data);
            }
        }
        g_aligned_free(failed);
    }
    run->failed_count = 0;
}

static void
run_one(Run *run, uint64_t number)
{
    OracleCase *c = g_aligned_alloc0(1, sizeof(*c), 64);

    oracle_gen_case(run->gen, number, c);
    oracle_print_stream(c);
    run->totals.cases = 1;
    run->totals.instructions = c->count;
    for (unsigned i = 0; i < G_N_ELEMENTS(run->guests) && run->guests[i]; i++) {
        run->totals.differences +=
            oracle_report(&run->options, run->gen, run->native, run->guests[i], c, &run->reported);
    }
    g_aligned_free(c);
}

static void
run_all(Run *run)
{
    uint64_t next = run->options.first / ORACLE_BATCH_CASES * ORACLE_BATCH_CASES;
    unsigned index = next / ORACLE_BATCH_CASES % ORACLE_BATCHES;

    fill_batch(run, index, next);
    oracle_native_submit(run->native, index);
    for (;;) {
        bool more = run->totals.instructions + ORACLE_BATCH_CASES * run->options.length <
                        run->options.count &&
                    run->totals.differences < run->options.max_reports &&
                    (!run->end_us || g_get_monotonic_time() < run->end_us);
        bool answered;

        if (more) {
            next += ORACLE_BATCH_CASES;
            fill_batch(run, index ^ 1, next);
        }
        answered = oracle_native_wait(run->native, index);
        if (more) {
            oracle_native_submit(run->native, index ^ 1);
        }
        if (answered) {
            check_batch(run, index);
        } else {
            run->totals.lost++;
            printf("the child died in the batch of case %" PRIu64 "\n",
                   oracle_native_batch(run->native, index)->cases[0].number);
        }
        if (!more) {
            break;
        }
        index ^= 1;
        if (run->failed_count) {
            /* The other batch is in the child: let it finish, then use the child alone. */
            if (oracle_native_wait(run->native, index)) {
                check_batch(run, index);
            }
            report_failed(run);
            next += ORACLE_BATCH_CASES;
            index = next / ORACLE_BATCH_CASES % ORACLE_BATCHES;
            fill_batch(run, index, next);
            oracle_native_submit(run->native, index);
        }
    }
    report_failed(run);
}

/* The interpreter by itself, for sanitizers: their shadow memory lies where a case may reach, so
 * the child cannot be judged there. */
static void
run_alone(Run *run)
{
    OracleCase *c = g_aligned_alloc0(1, sizeof(*c), 64);

    for (uint64_t number = run->options.first; run->totals.instructions < run->options.count;
         number++) {
        oracle_gen_case(run->gen, number, c);
        for (unsigned i = 0; i < G_N_ELEMENTS(run->guests) && run->guests[i]; i++) {
            oracle_guest_place(run->guests[i], c, 1);
            oracle_guest_run(run->guests[i], c, run->result);
            if (run->result->vector == -2) {
                break; /* endless for the next one too */
            }
        }
        run->totals.cases++;
        run->totals.instructions += c->count;
        run->totals.faults += run->result->vector >= 0;
    }
    g_aligned_free(c);
}

static bool
parse_names(const char *text, const char *(*name_of)(unsigned), uint32_t *out_mask)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);

    *out_mask = 0;
    for (unsigned i = 0; parts[i]; i++) {
        unsigned j = 0;

        while (name_of(j) && strcmp(name_of(j), parts[i]) != 0) {
            j++;
        }
        if (!name_of(j)) {
            g_printerr("cpu-oracle: no \"%s\" here; there are:", parts[i]);
            for (j = 0; name_of(j); j++) {
                g_printerr(" %s", name_of(j));
            }
            g_printerr("\n");
            return false;
        }
        *out_mask |= 1u << j;
    }
    return true;
}

static const char *
mode_name(unsigned index)
{
    static const char *const names[] = { "64", "32", "16", NULL };

    return names[index];
}

static const char *
executor_name(unsigned index)
{
    static const char *const names[] = { "interp", "tcg", NULL };

    return names[index];
}

/* The guests that MASK (bit per executor) asks for. */
static bool
make_guests(Run *run, uint32_t mask, OracleExecutor *executors, GError **error)
{
    unsigned count = 0;

    for (unsigned i = 0; i < 2; i++) {
        if (mask >> i & 1) {
            run->guests[count] = oracle_guest_new(run->options.seed, &executors[i], error);
            if (!run->guests[count++]) {
                return false;
            }
        }
    }
    return count > 0;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED TRUE
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED TRUE
#endif
#ifndef SANITIZED
#define SANITIZED FALSE
#endif

/* Exit status by which test runners know a skipped test. */
#define STATUS_SKIPPED 77

int
main(int argc, char **argv)
{
    gint64 seed = 1, count = 2000000, first = 0, one = -1;
    gint length = 16, loops = 25, moved = 40, reports = 10, tlb_entries = 0, invalidate_every = 0,
         limit_s = 0, warm_up = 0, disturb_us = 0;
    gboolean translate = FALSE, exact = FALSE, force_exits = FALSE, one_insn = FALSE,
             undefined = FALSE, rewrite = FALSE, dead = FALSE, heat = FALSE;
    g_autofree char *executors = NULL;
    uint32_t executor_mask = 3;
    g_autofree char *classes = NULL, *modes = NULL, *only = NULL, *selection = NULL;
    gboolean coverage = FALSE, quick = FALSE, alone = SANITIZED;
    const GOptionEntry entries[] = {
        { "seed", 0, 0, G_OPTION_ARG_INT64, &seed, "Seed of everything", "N" },
        { "count", 0, 0, G_OPTION_ARG_INT64, &count, "Instructions to run", "N" },
        { "class", 0, 0, G_OPTION_ARG_STRING, &classes, "Classes of rows", "NAME,..." },
        { "mode", 0, 0, G_OPTION_ARG_STRING, &modes, "Code sizes", "64,32,16" },
        { "length", 0, 0, G_OPTION_ARG_INT, &length, "Instructions per case", "N" },
        { "loops", 0, 0, G_OPTION_ARG_INT, &loops, "Streams with a loop", "PERCENT" },
        { "moved", 0, 0, G_OPTION_ARG_INT, &moved,
          "Streams in 64-bit code that run at several addresses", "PERCENT" },
        { "only", 0, 0, G_OPTION_ARG_STRING, &only, "One mnemonic", "NAME" },
        { "case", 0, 0, G_OPTION_ARG_INT64, &one, "One case: its instructions, then the report",
          "NUMBER" },
        { "first", 0, 0, G_OPTION_ARG_INT64, &first, "First case", "NUMBER" },
        { "reports", 0, 0, G_OPTION_ARG_INT, &reports, "Stop after so many differences", "N" },
        { "seconds", 0, 0, G_OPTION_ARG_INT, &limit_s, "Stop after so long, whatever --count says",
          "N" },
        { "coverage", 0, 0, G_OPTION_ARG_NONE, &coverage,
          "List rows never generated; what was translated", NULL },
        { "alone", 0, 0, G_OPTION_ARG_NONE, &alone, "Only interpret, compare nothing", NULL },
        { "quick", 0, 0, G_OPTION_ARG_NONE, &quick,
          "Skip where the host is neither AMD's nor Intel's", NULL },
        { "executor", 0, 0, G_OPTION_ARG_STRING, &executors, "Who is judged", "interp,tcg" },
        { "exact", 0, 0, G_OPTION_ARG_NONE, &exact, "Translator: flags right at each fault", NULL },
        { "translate", 0, 0, G_OPTION_ARG_NONE, &translate, "Both executors, exact", NULL },
        { "force-exits", 0, 0, G_OPTION_ARG_NONE, &force_exits, "Translator: no links", NULL },
        { "one-insn", 0, 0, G_OPTION_ARG_NONE, &one_insn, "Translator: blocks of one", NULL },
        { "tlb-entries", 0, 0, G_OPTION_ARG_INT, &tlb_entries, "Translator: size of tables", "N" },
        { "invalidate-every", 0, 0, G_OPTION_ARG_INT, &invalidate_every,
          "Translator: drop all code every so many dispatches", "N" },
        { "warm-up", 0, 0, G_OPTION_ARG_INT, &warm_up,
          "Translator: code is interpreted first, then translated, then made anew when hot", "N" },
        { "rewrite", 0, 0, G_OPTION_ARG_NONE, &rewrite,
          "Translator: code comes by writes to pages that had other code", NULL },
        { "disturb", 0, 0, G_OPTION_ARG_INT, &disturb_us,
          "Signals and other programs come between, every so many microseconds", "N" },
        { "hot", 0, 0, G_OPTION_ARG_NONE, &heat,
          "Translator: half of a stream's states later, blocks are made anew (with --warm-up)",
          NULL },
        { "dead", 0, 0, G_OPTION_ARG_NONE, &dead,
          "Compare flags at faults that nobody would have read (streams without jumps)", NULL },
        { "undefined", 0, 0, G_OPTION_ARG_NONE, &undefined, "Compare undefined flags too", NULL },
        { NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- the host CPU as oracle");
    g_autoptr(GError) error = NULL;
    Run run = { 0 };
    gint64 start;
    double seconds;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("cpu-oracle: %s\n", error->message);
        return 2;
    }
    if (quick && oracle_vendor() == ORACLE_OTHER) {
        printf("cpu-oracle: only CPUs of AMD and Intel can judge, this is another\n");
        return STATUS_SKIPPED;
    }
    run.options = (OracleOptions){ .seed = (uint64_t)seed,
                                   .first = (uint64_t)first,
                                   .count = (uint64_t)count,
                                   .classes = ~0u,
                                   .modes = 7,
                                   .length = (unsigned)CLAMP(length, 1, ORACLE_INSN_MAX),
                                   .loop_percent = (unsigned)CLAMP(loops, 0, 100),
                                   .moved_percent = (unsigned)CLAMP(moved, 0, 100),
                                   .only = only,
                                   .max_reports = (unsigned)reports };
    if ((classes && !parse_names(classes, oracle_class_name, &run.options.classes)) ||
        (modes && !parse_names(modes, mode_name, &run.options.modes)) ||
        (executors && !parse_names(executors, executor_name, &executor_mask))) {
        return 2;
    }
    undefined &= oracle_vendor() == ORACLE_AMD; /* the interpreter's are those of AMD's */
    selection = g_strdup_printf("%s%s%s%s%s%s --loops %d --moved %d", classes ? " --class " : "",
                                classes ? classes : "", modes ? " --mode " : "", modes ? modes : "",
                                only ? " --only " : "", only ? only : "", loops, moved);
    run.options.selection = selection;
    run.gen = oracle_gen_new(&run.options);
    run.native = alone ? NULL : oracle_native_new(run.options.seed, &error);
    OracleExecutor executor[2] = {
        { .name = "the interpreter", .keeps_undefined = undefined },
        { .name = "the translator",
          .is_tcg = true,
          .keeps_undefined = undefined,
          .rewrites = rewrite,
          .heats = heat,
          .loses_dead = !exact && !translate && !dead,
          .tcg = { .exact = exact || translate,
                   .force_exits = force_exits,
                   .one_insn_per_tb = one_insn,
                   .warm_up = (uint8_t)CLAMP(warm_up, 0, 255),
                   .tlb_entries = (unsigned)MAX(tlb_entries, 0),
                   .invalidate_every = (unsigned)MAX(invalidate_every, 0) } },
    };
    if (!(alone || run.native) || !make_guests(&run, executor_mask, executor, &error)) {
        g_printerr("cpu-oracle: %s\n", error->message);
        return 2;
    }
    run.result = g_aligned_alloc0(1, sizeof(*run.result), 64);
    run.first = g_aligned_alloc0(1, sizeof(*run.first), 64);
    if (disturb_us > 0 && !oracle_disturb_start((unsigned)disturb_us)) {
        g_printerr("cpu-oracle: cannot be disturbed: %s\n", g_strerror(errno));
        return 2;
    }
    start = g_get_monotonic_time();
    run.end_us = limit_s > 0 ? start + (int64_t)limit_s * G_USEC_PER_SEC : 0;
    if (alone) {
        run_alone(&run);
    } else if (one >= 0) {
        run_one(&run, (uint64_t)one);
    } else {
        run_all(&run);
    }
    seconds = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
    printf("cpu-oracle: seed %" PRIu64 ", %" PRIu64 " cases, %" PRIu64 " instructions (%" PRIu64
           " executed), %" PRIu64 " faults, %.2f s, %.2f M/s; %" PRIu64 " differences, %" PRIu64
           " not when alone, %" PRIu64 " host not stable, %" PRIu64 " switched, %" PRIu64
           " endless, %" PRIu64 " strayed, %" PRIu64 " batches lost\n",
           run.options.seed, run.totals.cases, run.totals.instructions, run.totals.executed,
           run.totals.faults, seconds, (double)run.totals.instructions / seconds / 1e6,
           run.totals.differences, run.totals.again, run.totals.unstable, run.totals.switched,
           run.totals.endless, run.totals.strayed, run.totals.lost);
    if (coverage) {
        oracle_gen_print_coverage(run.gen);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(run.guests); i++) {
        if (coverage && run.guests[i]) {
            oracle_guest_print_statistics(run.guests[i]);
        }
        oracle_guest_free(run.guests[i]);
    }
    oracle_native_free(run.native);
    oracle_gen_free(run.gen);
    g_aligned_free(run.result);
    g_aligned_free(run.first);
    return run.totals.differences || run.totals.lost ? 1 : 0;
}
