/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* -icount: virtual time is what the CPUs have executed, 2^shift nanoseconds each. */

#include "machine-private.h"

/* Whether the plan has it. */
bool machine_wants_icount(const Machine *machine);
/* Reads -icount of the plan; machine->icount stays NULL without it. */
bool machine_read_icount(Machine *machine, VitDiagList *diags, GError **error);
void machine_free_icount(Machine *machine);
/* The clock counts from here on. */
void machine_start_icount(Machine *machine);
/* The one thread that runs all CPUs in turn; DATA is the machine. */
gpointer machine_icount_thread(gpointer data);
/* A deadline came nearer, or there is work: what runs or sleeps looks again. Any thread. */
void machine_icount_wake(Machine *machine);
