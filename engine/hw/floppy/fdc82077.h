/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What a board needs of its floppy controller. Thread: device lock held. */

#include "vit-device.h"

extern const VitDeviceKind vit_isa_fdc_kind, vit_floppy_kind;

/* The bus for floppy drives, "floppy-bus.0". */
VitBus *vit_fdc_bus(VitDevice *fdc);
/* Type of drive UNIT as in a nibble of CMOS byte 10h: 0 none, 1 360 kB, 2 1.2 MB, 3 720 kB,
 * 4 1.44 MB, 5 2.88 MB. */
uint8_t vit_fdc_get_drive_type(VitDevice *fdc, unsigned unit);
