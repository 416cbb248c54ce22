/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Devices of a machine: made by the board or by -device, with the properties of -global before
 * their own, on the bus they name or the board's default one. */

#include "board.h"

#include "hw-kinds.h"

#include "vit-error.h"

#include <string.h>

static bool
kind_has_name(const VitDeviceKind *kind, const char *name)
{
    return strcmp(kind->name, name) == 0 || (kind->aliases && g_strv_contains(kind->aliases, name));
}

const VitDeviceKind *
machine_find_kind(const char *name)
{
    for (unsigned i = 0; vit_hw_kinds[i]; i++) {
        if (kind_has_name(vit_hw_kinds[i], name)) {
            return vit_hw_kinds[i];
        }
    }
    return NULL;
}

VitDevice *
machine_find_device(Machine *machine, const char *id)
{
    static const char place[] = "/machine/peripheral/";

    if (id && g_str_has_prefix(id, place)) {
        id += strlen(place);
    }
    for (guint i = 0; i < machine->devices->len; i++) {
        VitDevice *dev = machine->devices->pdata[i];

        if (g_strcmp0(dev->id, id) == 0 || g_strcmp0(dev->path, id) == 0) {
            return dev;
        }
    }
    return NULL;
}

VitBus *
machine_find_bus(Machine *machine, const char *name)
{
    for (guint i = 0; i < machine->devices->len; i++) {
        VitDevice *dev = machine->devices->pdata[i];

        for (guint j = 0; dev->child_buses && j < dev->child_buses->len; j++) {
            VitBus *bus = dev->child_buses->pdata[j];

            if (g_strcmp0(bus->name, name) == 0) {
                return bus;
            }
        }
    }
    return NULL;
}

VitBus *
machine_find_bus_of_type(Machine *machine, VitBusType type)
{
    for (guint i = 0; i < machine->devices->len; i++) {
        VitDevice *dev = machine->devices->pdata[i];

        for (guint j = 0; dev->child_buses && j < dev->child_buses->len; j++) {
            VitBus *bus = dev->child_buses->pdata[j];

            if (bus->type == type) {
                return bus;
            }
        }
    }
    return NULL;
}

/* -global rows apply to every device of their driver, board devices too; -win2k-hack is one in
 * short. */
bool
machine_apply_globals(Machine *machine, VitDevice *dev, GError **error)
{
    if (vit_plan_find_other(machine->plan, "win2k-hack") && kind_has_name(dev->kind, "ide-hd") &&
        !vit_device_set(dev, "win2k-install-hack", "on", NULL, error)) {
        return false;
    }
    for (guint i = 0; i < machine->plan->globals->len; i++) {
        const VitPlanGlobal *global = machine->plan->globals->pdata[i];
        VitPropResolver resolver;

        if (kind_has_name(dev->kind, global->driver) &&
            !vit_device_set(dev, global->property, global->value,
                            machine_resolver(machine, &resolver), error)) {
            g_prefix_error(error, "-global %s.%s: ", global->driver, global->property);
            return false;
        }
    }
    return true;
}

static VitDevice *
make_device(Machine *machine, const VitDeviceKind *kind, const char *id, GError **error,
            va_list args)
{
    g_autoptr(VitDevice) dev = vit_device_new(kind, id);
    VitPropResolver resolver;
    const char *key;

    if (!machine_apply_globals(machine, dev, error)) {
        return NULL;
    }
    while ((key = va_arg(args, const char *))) {
        const char *value = va_arg(args, const char *);

        if (value &&
            !vit_device_set(dev, key, value, machine_resolver(machine, &resolver), error)) {
            return NULL;
        }
    }
    return g_steal_pointer(&dev);
}

VitDevice *
machine_make_device(Machine *machine, const VitDeviceKind *kind, const char *id, GError **error,
                    ...)
{
    VitDevice *dev;
    va_list args;

    va_start(args, error);
    dev = make_device(machine, kind, id, error, args);
    va_end(args);
    return dev;
}

bool
machine_realize_device(Machine *machine, VitDevice *dev, VitBus *bus, GError **error)
{
    if (!vit_device_realize(dev, bus ? bus : &machine->main_bus, &machine->platform, error)) {
        vit_device_free(dev);
        return false;
    }
    g_ptr_array_add(machine->devices, dev);
    return true;
}

VitDevice *
machine_add_device(Machine *machine, const VitDeviceKind *kind, const char *id, VitBus *bus,
                   GError **error, ...)
{
    VitDevice *dev;
    va_list args;

    va_start(args, error);
    dev = make_device(machine, kind, id, error, args);
    va_end(args);
    return dev && machine_realize_device(machine, dev, bus, error) ? dev : NULL;
}

/* ---- -device ---- */

const VitDeviceKind *
machine_find_kind_for_user(const char *name, GError **error)
{
    const VitDeviceKind *kind = machine_find_kind(name);
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *nearest;

    if (kind && !kind->internal) {
        return kind;
    }
    if (kind) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "device %s is a fixed part of the board and cannot be added", name);
        return NULL;
    }
    for (unsigned i = 0; vit_hw_kinds[i]; i++) {
        if (!vit_hw_kinds[i]->internal) {
            g_ptr_array_add(names, (char *)vit_hw_kinds[i]->name);
        }
    }
    nearest = vit_nearest_name(name, (const char *const *)names->pdata, names->len);
    g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                "there is no device \"%s\"%s%s%s; -device help lists them", name,
                nearest ? " (did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?)" : "");
    return NULL;
}

VitBus *
machine_bus_for(Machine *machine, const VitDeviceKind *kind, const char *name, GError **error)
{
    VitBus *bus;

    if (!name) {
        return machine->board->default_bus(machine, kind->bus, error);
    }
    bus = machine_find_bus(machine, name);
    if (!bus) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND,
                    "there is no bus \"%s\"; \"info qtree\" lists them", name);
    }
    return bus;
}

static bool
add_plan_device(Machine *machine, const VitPlanDevice *plan, VitPlanSrc *out_src, GError **error)
{
    const VitDeviceKind *kind;
    g_autoptr(VitDevice) dev = NULL;
    const char *bus_name = NULL;
    VitPropResolver resolver;
    VitBus *bus = NULL;

    *out_src = plan->src;
    kind = machine_find_kind_for_user(plan->name, error);
    if (!kind) {
        return false;
    }
    dev = vit_device_new(kind, plan->id);
    if (!machine_apply_globals(machine, dev, error)) {
        return false;
    }
    for (unsigned i = 0; i < plan->props.n_props; i++) {
        const VitPlanProp *prop = &plan->props.props[i];

        *out_src = prop->src;
        if (strcmp(prop->key, "bus") == 0) {
            bus_name = prop->value;
        } else if (!vit_device_set(dev, prop->key, prop->value,
                                   machine_resolver(machine, &resolver), error)) {
            return false;
        }
    }
    *out_src = plan->src;
    if (kind->bus != VIT_BUS_NONE && !(bus = machine_bus_for(machine, kind, bus_name, error))) {
        return false;
    }
    return machine_realize_device(machine, g_steal_pointer(&dev), bus, error);
}

bool
machine_add_plan_devices(Machine *machine, VitDiagList *diags, GError **error)
{
    for (guint i = 0; i < machine->plan->devices->len; i++) {
        VitPlanSrc src;

        if (!add_plan_device(machine, machine->plan->devices->pdata[i], &src, error)) {
            return machine_plan_error(machine, diags, src, error);
        }
    }
    return true;
}
