/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The benchmark program: `bench list` prints name, group, repetitions and needs; `bench run SCALE
 * NAME...` runs each between two lines that the host times. A line has left the serial port before
 * the work starts, so its transmission is not counted. Runs in the guest, and on the host for the
 * native column. */

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const Bench *const tables[] = { bench_compute, bench_vector, bench_system };

static const Bench *
find(const char *name)
{
    for (unsigned i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        for (const Bench *row = tables[i]; row->name; row++) {
            if (strcmp(row->name, name) == 0) {
                return row;
            }
        }
    }
    return NULL;
}

static void
list(void)
{
    for (unsigned i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
        for (const Bench *row = tables[i]; row->name; row++) {
            printf("%s %s %u %u\n", row->name, row->group, row->reps, row->needs);
        }
    }
}

static void
say(const char *word, const char *name, const char *rest)
{
    printf("BENCH-%s %s %s\n", word, name, rest);
    fflush(stdout);
    tcdrain(1);
}

static void
run(const char *name, double scale)
{
    const Bench *row = find(name);
    char check[32];
    unsigned reps;

    if (!row) {
        say("SKIP", name, "unknown");
        return;
    }
    if (((row->needs & BENCH_AVX2) && !__builtin_cpu_supports("avx2")) ||
        ((row->needs & BENCH_TWO_CPUS) && sysconf(_SC_NPROCESSORS_ONLN) < 2)) {
        say("SKIP", name, "needs");
        return;
    }
    reps = row->reps * scale < 1 ? 1 : (unsigned)(row->reps * scale);
    say("START", name, "");
    snprintf(check, sizeof(check), "%016llx", (unsigned long long)row->run(reps));
    say("END", name, check);
}

int
main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        list();
        return 0;
    }
    if (argc < 4 || strcmp(argv[1], "run") != 0) {
        fprintf(stderr, "usage: bench list | bench run SCALE NAME...\n");
        return 1;
    }
    for (int i = 3; i < argc; i++) {
        run(argv[i], atof(argv[2]));
    }
    return 0;
}
