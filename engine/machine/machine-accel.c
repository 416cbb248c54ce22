/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -accel: which executor runs the CPUs. */

#include "machine-private.h"

#include "vit-error.h"

#include "x86-exec.h"

#include <string.h>

/* Interrupt controllers are in the process. */
static bool
try_kvm(Machine *machine, const VitPlanAccel *accel, GError **error)
{
    const char *irqchip = vit_plan_props_get(&accel->props, "kernel-irqchip");

    if (irqchip && strcmp(irqchip, "off") != 0 && strcmp(irqchip, "auto") != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                    "kernel-irqchip=%s is not available yet; leave it out, or give "
                    "kernel-irqchip=off",
                    irqchip);
        return false;
    }
    /* a debugging aid: how far does a KVM get that fails the self-test */
    const char *test = g_getenv("VITRINE_KVM_SELF_TEST");
    uint32_t flags = test && strcmp(test, "off") == 0 ? VIT_KVM_NO_SELF_TEST : 0;

    machine->kvm = vit_kvm_new(VIT_KVM_DEVICE, flags, error);
    if (!machine->kvm) {
        return false;
    }
    machine->executor = &vit_kvm_executor;
    machine->accel_name = "kvm";
    return true;
}

bool
machine_try_accel(Machine *machine, const VitPlanAccel *accel, GError **error)
{
    if (strcmp(accel->name, "kvm") != 0 && vit_plan_props_get(&accel->props, "kernel-irqchip")) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "kernel-irqchip is for -accel kvm alone: leave it out with %s", accel->name);
        return false;
    }
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
    if (strcmp(accel->name, "kvm") == 0) {
        return try_kvm(machine, accel, error);
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                "accelerator %s is not available yet", accel->name);
    return false;
}
