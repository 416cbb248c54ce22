/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Devices that come and go while the machine exists: device_add and device_del.
 *
 * A device on a bus that its controller serves (SCSI, virtio-serial, NVMe) goes at once. One in a
 * PCI slot goes when the guest has given it free; that happens with all CPUs parked, because one of
 * them may be on its way into the device's registers. DEVICE_DELETED tells when it is gone.
 * Thread: machine thread, device lock held. */

#include "board.h"

#include "vit-error.h"
#include "vit-pci.h"

#include <string.h>

static bool
bus_takes_more(const VitBus *bus, GError **error)
{
    if (!bus->hotplug) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_STATE, "Bus '%s' does not support hotplugging",
                    bus->name);
        return false;
    }
    return true;
}

/* Sets the properties; *OUT_BUS is the name of bus=, or NULL. */
static bool
set_properties(Machine *machine, VitDevice *dev, const char *const *keys, const char *const *values,
               const char **out_bus, GError **error)
{
    VitPropResolver resolver;

    *out_bus = NULL;
    if (!machine_apply_globals(machine, dev, error)) {
        return false;
    }
    for (unsigned i = 0; keys[i]; i++) {
        if (strcmp(keys[i], "bus") == 0) {
            *out_bus = values[i];
        } else if (strcmp(keys[i], "id") != 0 &&
                   !vit_device_set(dev, keys[i], values[i], machine_resolver(machine, &resolver),
                                   error)) {
            return false;
        }
    }
    return true;
}

bool
machine_device_add(Machine *machine, const char *driver, const char *const *keys,
                   const char *const *values, GError **error)
{
    const VitDeviceKind *kind = machine_find_kind_for_user(driver, error);
    g_autoptr(VitDevice) dev = NULL;
    const char *id = NULL, *bus_name;
    VitDevice *added;
    VitBus *bus;

    if (!kind) {
        return false;
    }
    for (unsigned i = 0; keys[i]; i++) {
        id = strcmp(keys[i], "id") == 0 ? values[i] : id;
    }
    if (id && machine_find_device(machine, id)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY, "Duplicate device ID '%s'", id);
        return false;
    }
    dev = vit_device_new(kind, id);
    if (!set_properties(machine, dev, keys, values, &bus_name, error) ||
        !(bus = machine_bus_for(machine, kind, bus_name, error)) || !bus_takes_more(bus, error)) {
        return false;
    }
    dev->hotplugged = true;
    added = dev;
    if (!machine_realize_device(machine, g_steal_pointer(&dev), bus, error)) {
        return false;
    }
    if (machine->board->plugged) {
        machine->board->plugged(machine, added);
    }
    return true;
}

/* ---- going ---- */

static void
tell_deleted(Machine *machine, const char *id, const char *path)
{
    g_autofree char *data =
        id ? g_strdup_printf("{\"device\": \"%s\", \"path\": \"/machine/peripheral/%s\"}", id, id)
           : g_strdup_printf("{\"path\": \"/machine/%s\"}", path);

    machine_post_event(machine, "DEVICE_DELETED", data);
}

/* What sits on its buses goes first. */
static void
remove_device(Machine *machine, VitDevice *dev)
{
    for (guint i = 0; dev->child_buses && i < dev->child_buses->len; i++) {
        VitBus *bus = dev->child_buses->pdata[i];
        while (bus->devices->len > 0) {
            remove_device(machine, bus->devices->pdata[bus->devices->len - 1]);
        }
    }
    g_autofree char *id = g_strdup(dev->id);
    g_autofree char *path = g_strdup(dev->path);
    g_ptr_array_remove(machine->devices, dev);
    vit_device_free(dev);
    tell_deleted(machine, id, path);
}

bool
machine_device_del(Machine *machine, const char *id, GError **error)
{
    VitDevice *dev = machine_find_device(machine, id);
    g_autoptr(GError) refused = NULL;

    if (!dev || !dev->bus) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND, "Device '%s' not found", id);
        return false;
    }
    if (machine->board->unplug && machine->board->unplug(machine, dev, &refused)) {
        return true; /* the guest has been asked */
    }
    if (refused) {
        g_propagate_error(error, g_steal_pointer(&refused));
        return false;
    }
    if (!bus_takes_more(dev->bus, error)) {
        return false;
    }
    remove_device(machine, dev);
    return true;
}

/* The devices of a PCI slot, all functions. */
static void
empty_slot(Machine *machine, VitPciBus *bus, unsigned slot)
{
    for (unsigned function = 0; function < 8; function++) {
        VitPciDevice *pci = bus->slots[VIT_PCI_DEVFN(slot, function)];
        if (pci) {
            remove_device(machine, &pci->dev);
        }
    }
}

void
machine_do_ejects(Machine *machine)
{
    VitBus *bus = machine->board->default_bus(machine, VIT_BUS_PCI, NULL);
    bool was_running = machine->state == VIT_MACHINE_RUNNING;
    uint32_t slots;

    machine_vcpus_park(machine);
    slots = machine->board->take_ejected && bus ? machine->board->take_ejected(machine) : 0;
    for (unsigned slot = 0; slot < 32; slot++) {
        if (slots >> slot & 1) {
            empty_slot(machine, (VitPciBus *)bus, slot);
        }
    }
    if (was_running && !machine->is_qtest) {
        machine_vcpus_unpark(machine);
    }
}
