/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The translator: x86 on x86. The only header of this folder that others include.
 *
 * A TcgMachine is what the CPUs of one machine share: translated code and the knowledge of which
 * guest pages it came from. It is given to each VitCpu in executor_machine before create() and
 * freed after the last destroy(). */

#include "vit-cpu.h"

typedef struct TcgMachine TcgMachine;

/* All zero is the default of every member. */
typedef struct TcgOptions {
    uint64_t tb_size_bytes; /* room for translated code; 0 = 256 MiB of address space */
    bool split_wx;          /* code is writable through a second mapping only */
    bool one_insn_per_tb;   /* a block is one instruction */
    bool count;             /* instructions, exactly, and leaves at VitCpu.count_limit */
    uint8_t warm_up;        /* code is interpreted until it was jumped to so often */
    /* Debugging and tests: */
    bool exact;                /* flags are right at every fault: only checks that touch none */
    bool force_exits;          /* blocks are never linked: each one returns to the dispatcher */
    bool interpret;            /* everything runs in the interpreter, blocks are not made */
    unsigned tlb_entries;      /* per table, a power of two 4..65536; 0 = default */
    unsigned invalidate_every; /* every so many dispatches all code is dropped; 0 = never */
} TcgOptions;

/* Whether this host runs translated code; on others everything is interpreted. */
bool vit_tcg_is_able(void);
TcgMachine *vit_tcg_new(const TcgOptions *options, GError **error);
void vit_tcg_free(TcgMachine *machine);

/* For lockstep: run() leaves with VIT_CPU_EXIT_REQUEST after so many dispatches; 0 = never. No CPU
 * runs. Nothing that is done depends on the host's clock then: two runs do the same. */
void vit_tcg_set_stop_every(TcgMachine *machine, unsigned dispatches);
/* How often CPU has entered translated code. */
uint64_t vit_tcg_get_dispatches(const VitCpu *cpu);
/* Where the jump is that led CPU out of the block it ran last. False: something else did. */
bool vit_tcg_get_last_jump(const VitCpu *cpu, uint64_t *out_rip);
/* What "info jit" shows. Any thread. */
void vit_tcg_print_statistics(TcgMachine *machine, GString *out);

extern const VitExecutor vit_tcg_executor;
