/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* All CPUs on one thread, in turn: -accel tcg,thread=single, and -icount. */

#include "machine-private.h"

/* Whether one thread runs all CPUs; it is the first one's. */
bool machine_takes_turns(const Machine *machine);
/* The next CPU with something to do, after the one that had the last turn; NULL: none. TURN is the
 * caller's memory of that, 0 at first. `control` held. */
MachineVcpu *machine_turns_next(Machine *machine, unsigned *turn);
/* Whether the thread is in no CPU: all count as parked. True when that changed. `control` held. */
bool machine_turns_set_parked(Machine *machine, bool parked);
/* thread=single: starts and ends it. */
void machine_turns_start(Machine *machine);
void machine_turns_join(Machine *machine);
