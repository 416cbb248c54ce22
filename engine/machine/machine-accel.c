/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -accel: which executor runs the CPUs. */

#include "machine-private.h"

#include "vit-error.h"

#include "x86-exec.h"

#include <string.h>

bool
machine_try_accel(Machine *machine, const VitPlanAccel *accel, GError **error)
{
    if (strcmp(accel->name, "tcg") == 0) {
        machine->executor = &vit_interp_executor;
        machine->accel_name = "tcg";
        return true;
    }
    if (strcmp(accel->name, "qtest") == 0) {
        /* the CPUs are there, with their state, and never run */
        machine->executor = &vit_interp_executor;
        machine->accel_name = "qtest";
        return true;
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                "accelerator %s is not available yet", accel->name);
    return false;
}
