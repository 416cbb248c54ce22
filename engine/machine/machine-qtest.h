/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The device test protocol of a machine: -qtest, -qtest-log. Machine thread, device lock held. */

#include "machine-private.h"

/* What -qtest of the plan asks for. Needs -accel qtest: only then does the clock stand still. */
bool machine_add_qtest(Machine *machine, VitDiagList *diags, GError **error);
void machine_free_qtest(Machine *machine);
