/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Gives the device test protocol (engine/monitor/vit-qtest.h) its character device, its log and
 * the names of the machine's devices. Thread: machine thread, device lock held. */

#include "machine-qtest.h"

#include "board.h"

#include "vit-error.h"
#include "vit-qtest.h"

#include <string.h>

/* By id or path; else the first of a kind, as "ioapic". */
static VitDevice *
find_device(void *opaque, const char *name)
{
    Machine *machine = opaque;
    VitDevice *dev = machine_find_device(machine, name);
    const VitDeviceKind *kind = dev ? NULL : machine_find_kind(name);

    for (guint i = 0; kind && i < machine->devices->len && !dev; i++) {
        VitDevice *candidate = machine->devices->pdata[i];

        dev = candidate->kind == kind ? candidate : NULL;
    }
    return dev;
}

static void
fail(void *opaque, const char *text)
{
    machine_request_failure(opaque, g_strdup(text));
}

static const VitQtestOps qtest_ops = { .find_device = find_device, .fail = fail };

bool
machine_add_qtest(Machine *machine, VitDiagList *diags, GError **error)
{
    const VitMachinePlan *plan = machine->plan;
    /* the log goes where messages go unless told otherwise */
    const char *log = plan->qtest_log ? plan->qtest_log : "/dev/stderr";
    VitChardev *chr;

    if (!plan->qtest_chardev) {
        return true;
    }
    if (!machine->is_qtest) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "the test protocol drives a machine whose CPUs stand still; add -accel qtest");
        return machine_plan_error(machine, diags, plan->qtest_src, error);
    }
    chr = machine_find_chardev(machine, plan->qtest_chardev);
    if (!chr) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "there is no character device \"%s\" for the test protocol",
                    plan->qtest_chardev);
        return machine_plan_error(machine, diags, plan->qtest_src, error);
    }
    machine->qtest = vit_qtest_new(&machine->platform, &qtest_ops, machine, chr, log, error);
    return machine->qtest || machine_plan_error(machine, diags, plan->qtest_src, error);
}

void
machine_free_qtest(Machine *machine)
{
    g_clear_pointer(&machine->qtest, vit_qtest_free);
}
