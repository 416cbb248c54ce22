/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The PIIX4's SMBus host controller, part of its power management function. No device answers on
 * the bus: every transaction ends with "no acknowledge". Thread: device lock held. */

#include "vit-memory.h"
#include "vit-state.h"

enum {
    VIT_PIIX_SMBUS_BYTES = 0x10,
    VIT_PIIX_SMBUS_BLOCK = 32,
};

typedef struct VitPiixSmbus {
    uint8_t status, control, command, address, data0, data1;
    uint8_t block[VIT_PIIX_SMBUS_BLOCK], block_index;
} VitPiixSmbus;

extern const VitRegionOps vit_piix_smbus_ops; /* opaque: VitPiixSmbus */
extern const VitField vit_piix_smbus_state[];
void vit_piix_smbus_reset(VitPiixSmbus *smbus);
