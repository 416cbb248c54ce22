/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What a board needs of its IDE: the two channels to put disks on (outputs 0 and 1 are ISA
 * interrupts 14 and 15), and the geometry its CMOS must tell the BIOS. Thread: device lock held. */

#include "vit-drive.h"
#include "vit-pci.h"

extern const VitDeviceKind vit_piix3_ide_kind, vit_ide_hd_kind, vit_ide_cd_kind;

/* Channel 0 or 1, named ide.0 and ide.1. */
VitBus *vit_piix3_ide_bus(VitDevice *piix3_ide, unsigned n);
/* Geometry and translation of the disk at UNIT of a channel; false for CDs and empty places. */
bool vit_ide_get_geometry(VitBus *channel, unsigned unit, VitDriveGeometry *out);
