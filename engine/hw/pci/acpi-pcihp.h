/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What a board needs of the ACPI PCI hot plug registers. Output 0 pulses when the guest is to look:
 * it becomes a general purpose event, whose method reads the registers. The guest's ejection is
 * noted, for the machine to carry out when no CPU is about. Thread: device lock held. */

#include "vit-pci.h"

extern const VitDeviceKind vit_acpi_pcihp_kind;

enum { VIT_PCIHP_PORT = 0xae00, VIT_PCIHP_BYTES = 0x18, VIT_PCIHP_GPE = 1 };

/* The bus whose slots the registers stand for; EJECTED is called when slots are to be emptied. */
void vit_pcihp_attach(VitDevice *hp, VitPciBus *bus, void (*ejected)(void *opaque), void *opaque);
/* A device was put into SLOT. */
void vit_pcihp_plugged(VitDevice *hp, unsigned slot);
/* The guest is to give SLOT free. */
void vit_pcihp_request_removal(VitDevice *hp, unsigned slot);
/* Slots, as bits, that the guest has given free since the last call. */
uint32_t vit_pcihp_take_ejected(VitDevice *hp);
