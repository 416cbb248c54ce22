/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Intel 82371SB (PIIX3), function 0: the PCI to ISA bridge.
 *
 * Routes the four PCI interrupts to ISA interrupts and holds the reset control register CF9h. The
 * chip's interrupt controllers, timer and DMA are devices of their own on the ISA bus, where the
 * edge/level registers also live.
 *
 * Intel 82371FB/82371SB data sheet (order 290550), sections 2.2 and 2.5. Deviations: positive
 * decode enables, recovery timing and SMI generation registers only keep what is written. Thread:
 * device lock held. */

#include "piix3.h"

enum {
    PIIX_PIRQ_ROUTE = 0x60, /* four bytes */
    PIIX_ROUTE_OFF = 0x80,
    RESET_CONTROL_PORT = 0xcf9,
    RESET_CONTROL_HARD = 1u << 1,
    RESET_CONTROL_CPU = 1u << 2,
};

typedef struct Piix3 {
    VitPciDevice pci;
    VitIsaBus isa;
    VitRegion reset_region;
    uint8_t reset_control;
    uint8_t pirq_levels; /* one bit per PIRQ */
    uint16_t irq_levels; /* what the outputs show */
} Piix3;
VIT_DEVICE_LAYOUT(Piix3)

static void
update_irqs(Piix3 *piix)
{
    uint16_t levels = 0;

    for (unsigned pirq = 0; pirq < 4; pirq++) {
        uint8_t route = piix->pci.config[PIIX_PIRQ_ROUTE + pirq];
        if ((piix->pirq_levels & 1u << pirq) && route < 16) {
            levels |= 1u << route;
        }
    }
    uint16_t changed = levels ^ piix->irq_levels;
    piix->irq_levels = levels;
    for (unsigned irq = 0; changed; irq++, changed >>= 1) {
        if (changed & 1) {
            vit_irq_set(&piix->pci.dev.irq_out[irq], levels >> irq & 1);
        }
    }
}

static void
piix3_irq_in(VitDevice *dev, int n, int level)
{
    Piix3 *piix = (Piix3 *)dev;

    piix->pirq_levels = (piix->pirq_levels & ~(1u << n)) | (level ? 1u << n : 0);
    update_irqs(piix);
}

static void
piix3_config_written(VitPciDevice *pci, uint32_t at, uint32_t value, unsigned size)
{
    if (at < PIIX_PIRQ_ROUTE + 4 && at + size > PIIX_PIRQ_ROUTE) {
        update_irqs((Piix3 *)pci);
    }
}

static uint64_t
reset_control_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((Piix3 *)opaque)->reset_control;
}

/* The rising CPU reset bit resets; which kind makes no difference to a board that resets all. */
static void
reset_control_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Piix3 *piix = opaque;

    if (value & RESET_CONTROL_CPU) {
        vit_platform_request_reset(piix->pci.dev.platform, VIT_CAUSE_GUEST_RESET);
    }
    piix->reset_control = value & RESET_CONTROL_HARD;
}

static const VitRegionOps reset_control_ops = {
    .read = reset_control_read,
    .write = reset_control_write,
    .max_size = 1,
};

VitIsaBus *
vit_piix3_isa_bus(VitDevice *dev)
{
    return &((Piix3 *)dev)->isa;
}

static bool
piix3_realize(VitDevice *dev, GError **error)
{
    Piix3 *piix = (Piix3 *)dev;

    for (unsigned at = 0x40; at < 0x100; at++) {
        piix->pci.write_mask[at] = 0xff;
    }
    for (unsigned n = 0; n < 4; n++) {
        piix->pci.write_mask[PIIX_PIRQ_ROUTE + n] = 0x8f;
    }
    vit_bus_init(&piix->isa.bus, VIT_BUS_ISA, "isa.0", dev, dev->platform);
    vit_region_init_io(&piix->reset_region, "reset-control", &reset_control_ops, piix, 1);
    vit_region_add(dev->platform->io_root, RESET_CONTROL_PORT, &piix->reset_region, 1);
    return true;
}

static void
piix3_unrealize(VitDevice *dev)
{
    Piix3 *piix = (Piix3 *)dev;

    vit_region_finish(&piix->reset_region);
    vit_bus_finish(&piix->isa.bus);
}

static void
piix3_reset(VitDevice *dev)
{
    Piix3 *piix = (Piix3 *)dev;
    uint8_t *config = piix->pci.config;

    vit_pci_set16(&piix->pci, VIT_PCI_COMMAND,
                  VIT_PCI_COMMAND_IO | VIT_PCI_COMMAND_MEMORY | VIT_PCI_COMMAND_MASTER);
    vit_pci_set16(&piix->pci, VIT_PCI_STATUS, VIT_PCI_STATUS_DEVSEL_MEDIUM);
    for (unsigned at = 0x40; at < 0x100; at++) {
        config[at] = 0;
    }
    config[0x4c] = 0x4d; /* I/O recovery timer */
    config[0x4e] = 0x03; /* X-bus chip selects */
    for (unsigned n = 0; n < 4; n++) {
        config[PIIX_PIRQ_ROUTE + n] = PIIX_ROUTE_OFF;
    }
    config[0x69] = 0x02;                /* top of memory */
    config[0x70] = 0x80;                /* motherboard interrupt routing */
    config[0x76] = config[0x77] = 0x0c; /* motherboard DMA */
    config[0x78] = 0x02;                /* programmable chip select */
    config[0xa0] = 0x08;                /* SMI control */
    config[0xa8] = 0x0f;                /* fast off timer */
    piix->reset_control = 0;
    update_irqs(piix);
}

static const VitPciInfo piix3_info = {
    .vendor_id = 0x8086,
    .device_id = 0x7000,
    .class_id = 0x0601,
    .multifunction = true,
    .config_written = piix3_config_written,
};

static const VitField piix3_state[] = {
    VIT_FIELD(Piix3, reset_control),
    VIT_FIELD(Piix3, pirq_levels),
    VIT_FIELD(Piix3, irq_levels),
    VIT_TRANSIENT(Piix3, isa),          /* wiring; its devices save themselves */
    VIT_TRANSIENT(Piix3, reset_region), /* wiring */
    { 0 },
};

const VitDeviceKind vit_PIIX3_kind = {
    .name = "PIIX3",
    .title = VIT_N_("PCI to ISA bridge (82371SB)"),
    .bus = VIT_BUS_PCI,
    .category = VIT_CATEGORY_BRIDGE,
    VIT_DEVICE_SIZE(Piix3, VitPciDevice),
    .internal = true,
    .state = piix3_state,
    .state_version = 1,
    .n_irq_in = 4,
    .n_irq_out = 16,
    .bus_info = &piix3_info,
    .realize = piix3_realize,
    .unrealize = piix3_unrealize,
    .reset = piix3_reset,
    .irq_in = piix3_irq_in,
};
