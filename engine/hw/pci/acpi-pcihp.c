/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* ACPI PCI hot plug: the register block at AE00h that QEMU's docs/specs/acpi_pci_hotplug describes,
 * for the slots of the root bus.
 *
 * PCIU (0) and PCID (4) say where devices came and are to go, B0EJ (8) ejects, the selector (16)
 * names the bus: only bus 0 is there. Requests that no guest has answered are carried out at a
 * reset, as with nobody to ask. Thread: device lock held. */

#include "acpi-pcihp.h"

enum { REG_UP = 0, REG_DOWN = 4, REG_EJECT = 8, REG_REMOVABLE = 12, REG_SELECT = 16 };

typedef struct AcpiPcihp {
    VitDevice dev;
    VitRegion ports;
    VitPciBus *bus;
    void (*on_ejected)(void *opaque);
    void *opaque;
    uint32_t up, down, selected;
    uint32_t ejected;
} AcpiPcihp;
VIT_DEVICE_LAYOUT(AcpiPcihp)

static bool
slot_is_used(const AcpiPcihp *hp, unsigned slot)
{
    for (unsigned function = 0; hp->bus && function < 8; function++) {
        if (hp->bus->slots[VIT_PCI_DEVFN(slot, function)]) {
            return true;
        }
    }
    return false;
}

static void
eject(AcpiPcihp *hp, uint32_t slots)
{
    for (unsigned slot = 0; slot < 32; slot++) {
        if (!(slots >> slot & 1) || !(hp->down >> slot & 1) || !slot_is_used(hp, slot)) {
            continue;
        }
        hp->down &= ~(1u << slot);
        hp->ejected |= 1u << slot;
        for (unsigned function = 0; function < 8; function++) {
            VitPciDevice *pci = hp->bus->slots[VIT_PCI_DEVFN(slot, function)];
            if (pci) {
                pci->published = false; /* gone for the guest from now on */
            }
        }
    }
    if (hp->ejected && hp->on_ejected) {
        hp->on_ejected(hp->opaque);
    }
}

static uint64_t
ports_read(void *opaque, uint64_t offset, unsigned size)
{
    AcpiPcihp *hp = opaque;
    uint32_t up;

    if (hp->selected != 0 && offset != REG_SELECT) {
        return 0;
    }
    switch (offset) {
    case REG_UP:
        up = hp->up;
        hp->up = 0; /* told once */
        return up;
    case REG_DOWN: return hp->down;
    case REG_REMOVABLE: return UINT32_MAX;
    case REG_SELECT: return hp->selected;
    default: return 0;
    }
}

static void
ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    AcpiPcihp *hp = opaque;

    if (offset == REG_SELECT) {
        hp->selected = (uint32_t)value;
    } else if (offset == REG_EJECT && hp->selected == 0) {
        eject(hp, (uint32_t)value);
    }
}

static const VitRegionOps ports_ops = {
    .read = ports_read,
    .write = ports_write,
    .min_size = 4,
    .max_size = 4,
};

void
vit_pcihp_attach(VitDevice *dev, VitPciBus *bus, void (*ejected)(void *opaque), void *opaque)
{
    AcpiPcihp *hp = (AcpiPcihp *)dev;

    hp->bus = bus;
    hp->on_ejected = ejected;
    hp->opaque = opaque;
}

void
vit_pcihp_plugged(VitDevice *dev, unsigned slot)
{
    ((AcpiPcihp *)dev)->up |= 1u << slot;
    vit_irq_pulse(&dev->irq_out[0]);
}

void
vit_pcihp_request_removal(VitDevice *dev, unsigned slot)
{
    ((AcpiPcihp *)dev)->down |= 1u << slot;
    vit_irq_pulse(&dev->irq_out[0]);
}

uint32_t
vit_pcihp_take_ejected(VitDevice *dev)
{
    AcpiPcihp *hp = (AcpiPcihp *)dev;
    uint32_t slots = hp->ejected;

    hp->ejected = 0;
    return slots;
}

static bool
pcihp_realize(VitDevice *dev, GError **error)
{
    AcpiPcihp *hp = (AcpiPcihp *)dev;

    vit_region_init_io(&hp->ports, "acpi-pcihp", &ports_ops, hp, VIT_PCIHP_BYTES);
    vit_region_add(dev->platform->io_root, VIT_PCIHP_PORT, &hp->ports, 0);
    return true;
}

static void
pcihp_unrealize(VitDevice *dev)
{
    vit_region_finish(&((AcpiPcihp *)dev)->ports);
}

static void
pcihp_reset(VitDevice *dev)
{
    AcpiPcihp *hp = (AcpiPcihp *)dev;

    eject(hp, hp->down);
    hp->up = hp->down = hp->selected = 0;
}

static const VitField state[] = {
    VIT_FIELD(AcpiPcihp, up),
    VIT_FIELD(AcpiPcihp, down),
    VIT_FIELD(AcpiPcihp, selected),
    VIT_TRANSIENT(AcpiPcihp, ejected), /* carried out before anything else */
    VIT_TRANSIENT(AcpiPcihp, ports),   /* wiring */
    VIT_TRANSIENT(AcpiPcihp, bus),
    VIT_TRANSIENT(AcpiPcihp, on_ejected),
    VIT_TRANSIENT(AcpiPcihp, opaque),
    { 0 },
};

const VitDeviceKind vit_acpi_pcihp_kind = {
    .name = "acpi-pcihp",
    .title = VIT_N_("ACPI PCI hot plug"),
    .bus = VIT_BUS_NONE,
    .category = VIT_CATEGORY_BRIDGE,
    .internal = true,
    .n_irq_out = 1,
    VIT_DEVICE_SIZE(AcpiPcihp, VitDevice),
    .state = state,
    .state_version = 1,
    .realize = pcihp_realize,
    .unrealize = pcihp_unrealize,
    .reset = pcihp_reset,
};
