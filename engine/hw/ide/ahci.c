/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Intel ICH9 SATA controller in AHCI mode: the PCI function and the generic host registers. AHCI
 * 1.3.1 section 3.1, ICH9 data sheet (316972) chapter 15.
 *
 * Six ports with 32 command slots each, native queueing, 64-bit addresses, one MSI message. Not
 * offered: port multipliers, enclosure management, command completion coalescing, power states,
 * index and data ports. Thread: device lock held. */

#include "ahci.h"

#include "vit-error.h"

#include <string.h>

VIT_DEVICE_LAYOUT(Ahci)

enum {
    ABAR_BYTES = 0x1000,
    ABAR = 5,
    HOST_CAP = 0x00,
    HOST_CONTROL = 0x04,
    HOST_INTERRUPT_STATUS = 0x08,
    HOST_PORTS = 0x0c,
    HOST_VERSION = 0x10,
    PORTS_AT = 0x100,
    PORT_BYTES = 0x80,

    CONTROL_RESET = 1 << 0,
    CONTROL_INTERRUPTS = 1 << 1,
    VERSION_1_3_1 = 0x00010301,
};

#define CONTROL_AHCI (1u << 31)
/* 64-bit, NCQ, list override, 3 Gbit/s, AHCI only, 32 slots, 6 ports */
#define CAPABILITIES                                                                \
    (1u << 31 | 1u << 30 | 1u << 24 | 2u << 20 | 1u << 18 | (AHCI_SLOTS - 1) << 8 | \
     (AHCI_PORTS - 1))

/* ---- interrupts ---- */

static void
update_line(Ahci *ahci)
{
    bool level = ahci->interrupt_status && (ahci->host_control & CONTROL_INTERRUPTS);

    if (vit_pci_msi_enabled(&ahci->pci)) {
        if (level && !ahci->msi_level) {
            vit_pci_notify(&ahci->pci, 0);
        }
    }
    ahci->msi_level = level;
    vit_pci_set_irq(&ahci->pci, level);
}

static void
collect(Ahci *ahci)
{
    for (unsigned n = 0; n < AHCI_PORTS; n++) {
        const AhciPort *port = &ahci->ports[n];
        if (port->interrupt_status & port->interrupt_enable) {
            ahci->interrupt_status |= 1u << n;
        }
    }
    update_line(ahci);
}

void
ahci_port_interrupt(AhciPort *port, uint32_t bits)
{
    Ahci *ahci = port->ahci;

    port->interrupt_status |= bits;
    if (bits & port->interrupt_enable) {
        /* a new event is a new message, even while an old one waits */
        ahci->msi_level = false;
    }
    collect(ahci);
}

/* ---- registers ---- */

static void
reset_host(Ahci *ahci)
{
    ahci->host_control = CONTROL_AHCI;
    ahci->interrupt_status = 0;
    for (unsigned n = 0; n < AHCI_PORTS; n++) {
        ahci_port_reset(&ahci->ports[n], true);
    }
    ahci->interrupt_status = 0;
    ahci->msi_level = false;
    update_line(ahci);
}

static uint64_t
abar_read(void *opaque, uint64_t offset, unsigned size)
{
    Ahci *ahci = opaque;

    if (offset >= PORTS_AT) {
        unsigned n = (unsigned)(offset - PORTS_AT) / PORT_BYTES;
        return n < AHCI_PORTS ? ahci_port_read(&ahci->ports[n], offset % PORT_BYTES) : 0;
    }
    switch (offset) {
    case HOST_CAP: return CAPABILITIES;
    case HOST_CONTROL: return ahci->host_control;
    case HOST_INTERRUPT_STATUS: return ahci->interrupt_status;
    case HOST_PORTS: return (1u << AHCI_PORTS) - 1;
    case HOST_VERSION: return VERSION_1_3_1;
    default: return 0;
    }
}

static void
abar_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Ahci *ahci = opaque;

    if (offset >= PORTS_AT) {
        unsigned n = (unsigned)(offset - PORTS_AT) / PORT_BYTES;
        if (n < AHCI_PORTS) {
            ahci_port_write(&ahci->ports[n], offset % PORT_BYTES, (uint32_t)value);
            collect(ahci);
        }
        return;
    }
    switch (offset) {
    case HOST_CONTROL:
        if (value & CONTROL_RESET) {
            reset_host(ahci);
        } else {
            ahci->host_control = CONTROL_AHCI | (value & CONTROL_INTERRUPTS);
            update_line(ahci);
        }
        break;
    case HOST_INTERRUPT_STATUS:
        ahci->interrupt_status &= (uint32_t)~value;
        ahci->msi_level = false;
        /* what a port still has comes back */
        collect(ahci);
        break;
    default: break;
    }
}

static const VitRegionOps abar_ops = {
    .read = abar_read,
    .write = abar_write,
    .min_size = 4,
    .max_size = 4,
};

/* ---- the function ---- */

static bool
ahci_realize(VitDevice *dev, GError **error)
{
    Ahci *ahci = (Ahci *)dev;

    vit_region_init_io(&ahci->abar, "ahci", &abar_ops, ahci, ABAR_BYTES);
    vit_pci_add_msi(&ahci->pci, 1, true);
    vit_pci_add_bar(&ahci->pci, ABAR, VIT_PCI_BAR_MEM, &ahci->abar);
    for (unsigned n = 0; n < AHCI_PORTS; n++) {
        AhciPort *port = &ahci->ports[n];
        g_autofree char *name = g_strdup_printf("%s.%u", dev->id ? dev->id : "ahci", n);

        port->ahci = ahci;
        port->number = (uint8_t)n;
        ide_bus_init(&port->ide, name, dev, dev->platform, &ahci_ide_ops, port);
        port->ide.max_units = 1;
        port->ide.is_sata = true;
        port->ncq = g_new0(AhciNcq, AHCI_SLOTS);
    }
    return true;
}

static void
ahci_unrealize(VitDevice *dev)
{
    Ahci *ahci = (Ahci *)dev;

    for (unsigned n = 0; n < AHCI_PORTS; n++) {
        ahci_port_quiesce(&ahci->ports[n]);
        ide_bus_finish(&ahci->ports[n].ide);
        g_clear_pointer(&ahci->ports[n].ncq, g_free);
    }
    vit_region_finish(&ahci->abar);
}

static void
ahci_reset(VitDevice *dev)
{
    reset_host((Ahci *)dev);
}

static bool
ahci_post_load(VitDevice *dev, unsigned version, GError **error)
{
    Ahci *ahci = (Ahci *)dev;

    for (unsigned n = 0; n < AHCI_PORTS; n++) {
        AhciPort *port = &ahci->ports[n];
        if (port->slot >= AHCI_SLOTS) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                        "saved state of %s: port %u carries out slot %u", dev->path, n, port->slot);
            return false;
        }
        ahci_ncq_resume(port);
    }
    return true;
}

static const VitPciInfo ahci_info = {
    .vendor_id = 0x8086,
    .device_id = 0x2922,
    .revision = 2,
    .prog_if = 1,
    .class_id = 0x0106,
    .interrupt_pin = 1,
};

static const VitField prd_state[] = {
    VIT_FIELD(AhciPrd, index),
    VIT_FIELD(AhciPrd, offset_bytes),
    VIT_FIELD(AhciPrd, moved_bytes),
    { 0 },
};

static const VitField port_state[] = {
    VIT_FIELD_NESTED(AhciPort, ide, ide_bus_state),
    VIT_FIELD(AhciPort, list),
    VIT_FIELD(AhciPort, fis),
    VIT_FIELD(AhciPort, interrupt_status),
    VIT_FIELD(AhciPort, interrupt_enable),
    VIT_FIELD(AhciPort, command),
    VIT_FIELD(AhciPort, task_file),
    VIT_FIELD(AhciPort, signature),
    VIT_FIELD(AhciPort, sata_status),
    VIT_FIELD(AhciPort, sata_control),
    VIT_FIELD(AhciPort, sata_error),
    VIT_FIELD(AhciPort, sata_active),
    VIT_FIELD(AhciPort, command_issue),
    VIT_FIELD_NESTED(AhciPort, prd, prd_state),
    VIT_FIELD_NESTED(AhciPort, mark, prd_state),
    VIT_FIELD(AhciPort, slot),
    VIT_FIELD(AhciPort, busy),
    VIT_FIELD(AhciPort, stuck),
    VIT_FIELD(AhciPort, want_packet),
    VIT_FIELD(AhciPort, ncq_waiting),
    VIT_FIELD(AhciPort, ncq_error_tag),
    VIT_FIELD(AhciPort, ncq_error_status),
    VIT_FIELD(AhciPort, ncq_error_lba),
    VIT_TRANSIENT(AhciPort, ahci), /* wiring */
    VIT_TRANSIENT(AhciPort, number),
    VIT_TRANSIENT(AhciPort, in_block), /* false between accesses */
    VIT_TRANSIENT(AhciPort, more_blocks),
    VIT_TRANSIENT(AhciPort, ended),
    VIT_TRANSIENT(AhciPort, issue_depth),
    VIT_TRANSIENT(AhciPort, ncq), /* while requests are in flight */
    { 0 },
};

static const VitField ahci_state[] = {
    VIT_FIELD(Ahci, host_control),
    VIT_FIELD(Ahci, interrupt_status),
    VIT_FIELD(Ahci, msi_level),
    VIT_FIELD_STRUCTS(Ahci, ports, port_state),
    VIT_TRANSIENT(Ahci, abar), /* wiring */
    { 0 },
};

static const char *const aliases[] = { "ahci", NULL };

const VitDeviceKind vit_ich9_ahci_kind = {
    .name = "ich9-ahci",
    .aliases = aliases,
    .title = VIT_N_("SATA controller (ICH9, AHCI)"),
    .bus = VIT_BUS_PCI,
    .category = VIT_CATEGORY_STORAGE,
    VIT_DEVICE_SIZE(Ahci, VitPciDevice),
    .state = ahci_state,
    .state_version = 1,
    .bus_info = &ahci_info,
    .realize = ahci_realize,
    .unrealize = ahci_unrealize,
    .reset = ahci_reset,
    .post_load = ahci_post_load,
};
