/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the files of the PCI core share. Thread: device lock held. */

#include "vit-pci.h"

static inline VitPciBus *
pci_bus_of(const VitPciDevice *pci)
{
    return (VitPciBus *)pci->dev.bus;
}

static inline const VitPciInfo *
pci_info_of(const VitPciDevice *pci)
{
    return pci->dev.kind->bus_info;
}

/* Brings the bus's view of the INTx pin up to date with the device's wish and the gates. */
void vit_pci_update_pin(VitPciDevice *pci);

/* Maps, moves and unmaps the BARs as command and base registers say. */
void vit_pci_update_bars(VitPciDevice *pci);
/* Offset of base register N in configuration space. */
unsigned vit_pci_bar_at(const VitPciDevice *pci, unsigned n);

/* Loads the option ROM behind the ROM base register. */
bool vit_pci_load_rom(VitPciDevice *pci, GError **error);

/* MSI and MSI-X: after the guest wrote configuration space; at reset; after a load; at the end. */
void vit_pci_msi_written(VitPciDevice *pci, uint32_t at, unsigned size);
void vit_pci_msi_reset(VitPciDevice *pci);
void vit_pci_msi_loaded(VitPciDevice *pci);
void vit_pci_msi_finish(VitPciDevice *pci);
