/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* SMBus host controller of the PIIX4. Transactions finish at once; as no device answers, each
 * ends with DEV_ERR, which drivers read as "nobody at this address".
 *
 * Intel 82371AB data sheet, section 7.3. Deviations: the slave side and interrupts are absent.
 * Thread: device lock held. */

#include "piix4-smbus.h"

#include <string.h>

enum {
    SMB_STATUS = 0,
    SMB_CONTROL = 2,
    SMB_COMMAND = 3,
    SMB_ADDRESS = 4,
    SMB_DATA0 = 5,
    SMB_DATA1 = 6,
    SMB_BLOCK = 7,

    STATUS_DEV_ERR = 1u << 2,
    STATUS_CLEARABLE = 0x1e,
    CONTROL_START = 1u << 6,
};

void
vit_piix_smbus_reset(VitPiixSmbus *smbus)
{
    memset(smbus, 0, sizeof(*smbus));
}

static uint64_t
smbus_read(void *opaque, uint64_t offset, unsigned size)
{
    VitPiixSmbus *smbus = opaque;
    uint8_t value;

    switch (offset) {
    case SMB_STATUS: return smbus->status;
    case SMB_CONTROL: smbus->block_index = 0; return smbus->control & ~CONTROL_START;
    case SMB_COMMAND: return smbus->command;
    case SMB_ADDRESS: return smbus->address;
    case SMB_DATA0: return smbus->data0;
    case SMB_DATA1: return smbus->data1;
    case SMB_BLOCK:
        value = smbus->block[smbus->block_index % VIT_PIIX_SMBUS_BLOCK];
        smbus->block_index = (smbus->block_index + 1) % VIT_PIIX_SMBUS_BLOCK;
        return value;
    default: return 0;
    }
}

static void
smbus_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VitPiixSmbus *smbus = opaque;

    switch (offset) {
    case SMB_STATUS: smbus->status &= ~(value & STATUS_CLEARABLE); break;
    case SMB_CONTROL:
        smbus->control = value;
        if (value & CONTROL_START) {
            smbus->status |= STATUS_DEV_ERR;
        }
        break;
    case SMB_COMMAND: smbus->command = value; break;
    case SMB_ADDRESS: smbus->address = value; break;
    case SMB_DATA0: smbus->data0 = value; break;
    case SMB_DATA1: smbus->data1 = value; break;
    case SMB_BLOCK:
        smbus->block[smbus->block_index % VIT_PIIX_SMBUS_BLOCK] = value;
        smbus->block_index = (smbus->block_index + 1) % VIT_PIIX_SMBUS_BLOCK;
        break;
    default: break;
    }
}

const VitRegionOps vit_piix_smbus_ops = {
    .read = smbus_read,
    .write = smbus_write,
    .max_size = 1,
};

const VitField vit_piix_smbus_state[] = {
    VIT_FIELD(VitPiixSmbus, status),
    VIT_FIELD(VitPiixSmbus, control),
    VIT_FIELD(VitPiixSmbus, command),
    VIT_FIELD(VitPiixSmbus, address),
    VIT_FIELD(VitPiixSmbus, data0),
    VIT_FIELD(VitPiixSmbus, data1),
    VIT_FIELD_ARRAY(VitPiixSmbus, block),
    VIT_FIELD(VitPiixSmbus, block_index),
    { 0 },
};
