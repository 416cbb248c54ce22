/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Speed of the interpreter on compiled integer code (guest-kernels.c): best of three, as one line
 * of JSON. Usage: bench-interp IMAGE. */

#include "cpu-rig.h"

#include <stdio.h>
#include <time.h>

enum { RESULT = 0x1ff000, STACK = 0x1f0000 };
#define EXPECTED 0x45c5ac641ull

static double
cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
    g_autoptr(Rig) rig = rig_new(RIG_LONG64);
    g_autoptr(GError) error = NULL;
    g_autofree char *image = NULL;
    gsize len;
    double best = 0;

    if (argc != 2 || !g_file_get_contents(argv[1], &image, &len, &error)) {
        fprintf(stderr, "bench-interp: %s\n", error ? error->message : "usage: bench-interp IMAGE");
        return 1;
    }
    for (unsigned i = 0; i < 3; i++) {
        uint64_t before = rig->core->instructions;
        double start, rate;

        rig_reset(rig, RIG_LONG64);
        memcpy(rig_ram(rig, RIG_CODE), image, len);
        rig->core->s.gpr[X86_RSP] = STACK - 8;
        start = cpu_seconds();
        rig_run(rig);
        rate = (double)(rig->core->instructions - before) / (cpu_seconds() - start) / 1e6;
        best = MAX(best, rate);
        if (rig_load(rig, RESULT, 8) != EXPECTED) {
            fprintf(stderr, "bench-interp: wrong checksum %#" G_GINT64_MODIFIER "x\n",
                    rig_load(rig, RESULT, 8));
            return 1;
        }
    }
    printf("{ \"name\": \"interp-int64\", \"value\": %.1f, \"unit\": \"M insn/s\" }\n", best);
    return 0;
}
