/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What translating costs: compiled code (part of the C library of the host) is translated from end
 * to end, block by block, and none of it run. Best of so many rounds, as a line of JSON, and what
 * the code has grown to. Usage: bench-translate [ROUNDS]; one round is for callgrind. */

#include "machine.h" /* of engine/tcg */
#include "x86-rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CODE = 1 << 20, CODE_BYTES = 1 << 20 };
enum {
    MODE =
        TCG_MODE_CODE64 | TCG_MODE_SSE | TCG_MODE_AVX | TCG_MODE_X87 | TCG_MODE_EVEX | X86_VIEW_USER
};

static double
cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* All of one page. */
static void
translate_page(TcgCpu *cpu, uint64_t linear, const uint8_t *host)
{
    TcgPage *page = tcg_page_get(cpu, 0x7f1234000000 + linear, host, MODE, linear);
    TcgFetch fetch = {
        .page = page->linear, .host = host, .code = page, .stamp = page->stamp, .mode = MODE
    };

    for (unsigned at = 0; at < VIT_PAGE_SIZE;) {
        TcgSofts softs = { 0 };
        TcgBlock *block = tcg_translate(cpu, &fetch, NULL, page->linear + at, 0, &softs);
        at += block->n_insns ? block->len : 1;
    }
}

int
main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 5;
    g_autoptr(GError) error = NULL;
    g_autofree char *bytes = NULL;
    TcgMachine *machine;
    double best = 0;
    gsize len;
    Rig *rig;

    if (!g_file_get_contents("/lib/x86_64-linux-gnu/libc.so.6", &bytes, &len, &error)) {
        fprintf(stderr, "bench-translate: %s\n", error->message);
        return 1;
    }
    rig = rig_new("max");
    x86_core_free(rig->core);
    machine = vit_tcg_new(&(TcgOptions){ 0 }, &error);
    rig->cpu.executor = &vit_tcg_executor;
    rig->cpu.executor_machine = machine;
    if (!machine || !vit_tcg_executor.create(&rig->cpu, &rig->model, &error)) {
        fprintf(stderr, "bench-translate: %s\n", error->message);
        return 1;
    }
    rig->core = rig->cpu.state;
    rig_long(rig, 0);
    memcpy(rig_ram(rig, CODE), bytes + (256 << 10), MIN(len - (256 << 10), CODE_BYTES));
    for (unsigned round = 0; round < rounds; round++) {
        uint64_t insns = machine->translated_insns;
        double ns, start = cpu_seconds();

        for (unsigned at = 0; at < CODE_BYTES; at += VIT_PAGE_SIZE) {
            translate_page(tcg_cpu_of(rig->core), CODE + at, rig_ram(rig, CODE + at));
        }
        ns = (cpu_seconds() - start) * 1e9 / (double)(machine->translated_insns - insns);
        best = round && best < ns ? best : ns;
        tcg_drop_all(machine);
    }
    printf("{ \"name\": \"translate\", \"value\": %.1f, \"unit\": \"ns/insn\" }\n", best);
    printf("# %.2f host bytes per guest byte, %.1f instructions a block\n",
           (double)machine->host_bytes / (double)machine->translated_guest_bytes,
           (double)machine->translated_insns / (double)machine->translated_blocks);
    vit_tcg_executor.destroy(&rig->cpu);
    rig->core = NULL;
    vit_tcg_free(machine);
    rig_free(rig);
    return 0;
}
