/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A bare CPU of tests/cpu under the translator, in 64-bit mode, that runs guest programs at
 * TCG_RIG_BASE. The second 2 MiB of linear addresses are pages of 4 KiB by the table at
 * TCG_RIG_TABLE, and show the memory from 4 MiB on. */

#include "machine.h" /* of engine/tcg */
#include "x86-rig.h"

enum { TCG_RIG_BASE = 0x10000, TCG_RIG_TABLE = 0x103000, TCG_RIG_DATA = 0x400000 };

typedef struct TcgRig {
    Rig *rig;
    TcgMachine *tcg;
} TcgRig;

/* APART: neighbours in linear memory lie apart, later ones before the earlier. */
void tcg_rig_init(TcgRig *f, const TcgOptions *options, bool apart);
void tcg_rig_finish(TcgRig *f);
/* Whether the test is skipped, being about figures of the translator that this host has none of. */
bool tcg_rig_skips(void);
/* Runs from RIP up to HLT. */
void tcg_rig_go(TcgRig *f, uint64_t rip, uint64_t rsp);
/* Runs the program up to its HLT; returns RBX. */
uint64_t tcg_rig_run(TcgRig *f, const uint8_t *program, const uint8_t *end);

#define TCG_RIG_PROGRAM(name) extern const uint8_t tcg_program_##name[], tcg_program_##name##_end[]
#define TCG_RIG_RUN(f, name)  tcg_rig_run(f, tcg_program_##name, tcg_program_##name##_end)
