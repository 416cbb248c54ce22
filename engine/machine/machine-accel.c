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

static bool
is_on(const VitPlanAccel *accel, const char *key, const char *otherwise)
{
    const char *value = vit_plan_props_get(&accel->props, key);

    return strcmp(value ? value : otherwise, "on") == 0;
}

static uint64_t
number(const VitPlanAccel *accel, const char *key)
{
    const char *value = vit_plan_props_get(&accel->props, key);

    return value ? g_ascii_strtoull(value, NULL, 0) : 0;
}

/* Jumps to code before it is translated: about where executing it by the interpreter so often, its
 * decoding included, has cost what translating it does. */
enum { WARM_UP = 8 };

static bool
try_tcg(Machine *machine, const VitPlanAccel *accel, GError **error)
{
    TcgOptions options = {
        .tb_size_bytes = number(accel, "tb-size") * VIT_MIB,
        .split_wx = is_on(accel, "split-wx", "off"),
        .one_insn_per_tb = is_on(accel, "one-insn-per-tb", "off") || machine->plan->singlestep,
        .count = machine->icount != NULL,
        .exact = is_on(accel, "x-exact", "off"),
        .force_exits = is_on(accel, "x-force-exits", "off"),
        .tlb_entries = (unsigned)number(accel, "x-tlb-entries"),
        .invalidate_every = (unsigned)number(accel, "x-invalidate-every"),
    };
    const char *warm_up = vit_plan_props_get(&accel->props, "x-warm-up");

    if (warm_up || !(options.one_insn_per_tb || options.exact || options.force_exits)) {
        /* runs that are to judge the translator have it translate everything */
        options.warm_up = warm_up ? (uint8_t)number(accel, "x-warm-up") : WARM_UP;
    }
    machine->accel_name = "tcg";
    machine->is_single_thread =
        g_strcmp0(vit_plan_props_get(&accel->props, "thread"), "single") == 0;
    if (machine->icount && g_strcmp0(vit_plan_props_get(&accel->props, "thread"), "multi") == 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "-icount runs all CPUs on one thread: leave out thread=multi");
        return false;
    }
    if (is_on(accel, "x-interpreter", "off")) {
        machine->executor = &vit_interp_executor;
        return true;
    }
    machine->executor = &vit_tcg_executor;
    machine->tcg = vit_tcg_new(&options, error);
    return machine->tcg != NULL;
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
        return try_tcg(machine, accel, error);
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
