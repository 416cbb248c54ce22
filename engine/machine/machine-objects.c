/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* -object: things that devices and backends name by id. Each kind is one row below: how it is made
 * from its properties, how it goes. Thread: machine, device lock held. */

#include "board.h"
#include "machine-iothread.h"
#include "machine-rng.h"

#include "vit-error.h"

#include <string.h>

typedef struct ObjectKind {
    const char *name;
    bool (*add)(Machine *machine, const char *id, const BlkOptions *props, GError **error);
    bool (*remove)(Machine *machine, const char *id, GError **error);
} ObjectKind;

static const ObjectKind kinds[] = {
    { "rng-builtin", machine_add_rng_builtin, machine_remove_rng },
    { "rng-random", machine_add_rng_random, machine_remove_rng },
    { "iothread", machine_add_iothread, machine_remove_iothread },
    { "main-loop", machine_add_main_loop, machine_remove_main_loop },
};

/* ---- All ---- */

static bool
add_object(Machine *machine, const VitPlanDevice *plan, GError **error)
{
    g_autoptr(BlkOptions) props = blk_options_new();

    for (unsigned i = 0; i < plan->props.n_props; i++) {
        blk_options_set(props, plan->props.props[i].key, plan->props.props[i].value);
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, plan->name) == 0) {
            return kinds[i].add(machine, plan->id, props, error);
        }
    }
    if (blk_object_is_known(plan->name)) {
        return blk_graph_add_object(machine->blk, plan->name, plan->id, props, error);
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET,
                "objects of the kind '%s' are not available yet", plan->name);
    return false;
}

bool
machine_add_objects(Machine *machine, VitDiagList *diags, GError **error)
{
    for (guint i = 0; i < machine->plan->objects->len; i++) {
        const VitPlanDevice *object = machine->plan->objects->pdata[i];

        if (!add_object(machine, object, error)) {
            return machine_plan_error(machine, diags, object->src, error);
        }
    }
    return true;
}
