/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What a board needs of the PIIX3 south bridge: function 01.0 on the host bridge's bus. Inputs 0..3
 * are PIRQA# to PIRQD# (connect the host bridge's outputs), outputs 0..15 are the ISA interrupts
 * that PCI devices raise. It owns bus isa.0; the board fills in its lines and DMA.
 * Thread: device lock held. */

#include "vit-isa.h"
#include "vit-pci.h"

extern const VitDeviceKind vit_PIIX3_kind;

VitIsaBus *vit_piix3_isa_bus(VitDevice *piix3);
