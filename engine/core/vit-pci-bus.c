/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* PCI buses: who sits where, configuration cycles and interrupt lines.
 *
 * A configuration address is resolved from the root: bus 0 is the root itself, other numbers are
 * looked for behind bridges whose secondary..subordinate range holds them, and an address nobody
 * claims reads as ones. Interrupt pins that lead to one line are counted, so the line is the OR.
 *
 * PCI Local Bus 3.0, sections 3.2.2.3 and 2.2.6. Thread: device lock held. */

#include "vit-pci-internal.h"

#include <string.h>

void
vit_pci_bus_init(VitPciBus *bus, const char *name, VitDevice *owner, VitPlatform *platform,
                 const VitPciBusOps *ops, void *opaque, VitRegion *memory, VitRegion *io)
{
    memset(bus, 0, sizeof(*bus));
    vit_bus_init(&bus->bus, VIT_BUS_PCI, name, owner, platform);
    bus->ops = ops;
    bus->opaque = opaque;
    bus->memory = memory;
    bus->io = io;
    bus->dma = platform->memory;
}

void
vit_pci_bus_finish(VitPciBus *bus)
{
    vit_bus_finish(&bus->bus);
}

void
vit_pci_update_pin(VitPciDevice *pci)
{
    VitPciBus *bus = pci_bus_of(pci);
    uint8_t pin = pci_info_of(pci)->interrupt_pin;
    bool disabled = vit_pci_get16(pci, VIT_PCI_COMMAND) & VIT_PCI_COMMAND_INTX_DISABLE;
    bool asserted =
        pci->irq_level && !disabled && !vit_pci_msi_enabled(pci) && !vit_pci_msix_enabled(pci);

    if (pci->irq_level) {
        pci->config[VIT_PCI_STATUS] |= VIT_PCI_STATUS_INTERRUPT;
    } else {
        pci->config[VIT_PCI_STATUS] &= ~VIT_PCI_STATUS_INTERRUPT;
    }
    if (asserted == pci->line_asserted || !pin || !bus->ops || !bus->ops->map_irq) {
        return;
    }
    pci->line_asserted = asserted;
    unsigned line = bus->ops->map_irq(bus->opaque, pci->devfn, pin - 1);
    g_return_if_fail(line < VIT_ARRAY_LEN(bus->line_count));
    if (asserted) {
        if (bus->line_count[line]++ == 0) {
            bus->ops->set_irq(bus->opaque, line, 1);
        }
    } else if (--bus->line_count[line] == 0) {
        bus->ops->set_irq(bus->opaque, line, 0);
    }
}

void
vit_pci_set_irq(VitPciDevice *pci, int level)
{
    if (pci->irq_level != (level != 0)) {
        pci->irq_level = level != 0;
        vit_pci_update_pin(pci);
    }
}

/* Bus NUMBER at or behind BUS, or NULL. DEPTH bounds what a guest's bridge numbers can cost. */
static VitPciBus *
find_bus(VitPciBus *bus, unsigned number, unsigned depth)
{
    if (depth > 8) {
        return NULL;
    }
    for (unsigned devfn = 0; devfn < VIT_ARRAY_LEN(bus->slots); devfn++) {
        VitPciDevice *pci = bus->slots[devfn];
        if (!pci || !pci->published || (pci_info_of(pci)->header_type & 0x7f) != 1 ||
            !pci->dev.child_buses || pci->dev.child_buses->len == 0) {
            continue;
        }
        VitPciBus *child = g_ptr_array_index(pci->dev.child_buses, 0);
        unsigned secondary = pci->config[VIT_PCI_SECONDARY_BUS];
        if (child->bus.type != VIT_BUS_PCI || number < secondary ||
            number > pci->config[VIT_PCI_SUBORDINATE_BUS]) {
            continue;
        }
        return number == secondary ? child : find_bus(child, number, depth + 1);
    }
    return NULL;
}

static VitPciDevice *
find_function(VitPciBus *root, uint32_t address)
{
    unsigned number = address >> 16 & 0xff;
    VitPciBus *bus = number == root->number ? root : find_bus(root, number, 0);
    VitPciDevice *pci = bus ? bus->slots[address >> 8 & 0xff] : NULL;

    return pci && pci->published ? pci : NULL;
}

uint32_t
vit_pci_config_read(VitPciBus *root, uint32_t address, unsigned size)
{
    VitPciDevice *pci = find_function(root, address);
    uint32_t ones = size >= 4 ? UINT32_MAX : (1u << 8 * size) - 1;

    return pci ? vit_pci_device_config_read(pci, address & 0xff, size) : ones;
}

void
vit_pci_config_write(VitPciBus *root, uint32_t address, uint32_t value, unsigned size)
{
    VitPciDevice *pci = find_function(root, address);

    if (pci) {
        vit_pci_device_config_write(pci, address & 0xff, value, size);
    }
}
