/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The debugger stub of a machine: -gdb, -s, "gdbserver". Machine thread, device lock held. */

#include "machine-private.h"

/* What -gdb of the plan asks for. */
bool machine_add_gdb(Machine *machine, VitDiagList *diags, GError **error);
void machine_free_gdb(Machine *machine);
/* "gdbserver": a stub on DEVICE, a device text ("tcp::1234"), instead of the present one; NULL or
 * "none": no stub. */
bool machine_set_gdb(Machine *machine, const char *device, GError **error);
/* The CPUs have been parked, for whatever reason. */
void machine_gdb_parked(Machine *machine);
void machine_gdb_exited(Machine *machine);
