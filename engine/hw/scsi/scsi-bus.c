/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The SCSI bus: finding units, what is answered for LUNs that are not there, command lengths.
 * SAM-5 section 4.6, SPC-4 sections 4.2.5 (lengths), 6.33 (REPORT LUNS). Thread: device lock held.
 */

#include "scsi.h"

#include <string.h>

enum { OP_REQUEST_SENSE = 0x03, OP_INQUIRY = 0x12, OP_REPORT_LUNS = 0xa0 };

void
scsi_bus_init(ScsiBus *bus, const char *name, VitDevice *owner, VitPlatform *platform,
              const ScsiHostOps *host)
{
    vit_bus_init(&bus->bus, VIT_BUS_SCSI, name, owner, platform);
    bus->host = host;
}

void
scsi_bus_finish(ScsiBus *bus)
{
    vit_bus_finish(&bus->bus);
}

ScsiDevice *
scsi_bus_find(const ScsiBus *bus, unsigned channel, unsigned target, int lun)
{
    for (guint i = 0; i < bus->bus.devices->len; i++) {
        ScsiDevice *scsi = bus->bus.devices->pdata[i];

        if (scsi->channel == (int)channel && scsi->target == (int)target &&
            (lun < 0 || scsi->lun == lun)) {
            return scsi;
        }
    }
    return NULL;
}

/* ---- commands for the target as a whole ---- */

static void
report_luns(const ScsiBus *bus, unsigned channel, unsigned target, ScsiRequest *request)
{
    g_autoptr(GByteArray) reply = g_byte_array_new();
    uint8_t entry[8] = { 0 };
    uint8_t select = request->cdb[2];

    if (select > 2) {
        scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_BAD_FIELD);
        return;
    }
    g_byte_array_append(reply, entry, 8);
    if (select != 1) { /* 1: well-known units, of which there are none */
        for (guint i = 0; i < bus->bus.devices->len; i++) {
            const ScsiDevice *scsi = bus->bus.devices->pdata[i];

            if (scsi->channel != (int)channel || scsi->target != (int)target) {
                continue;
            }
            /* flat space addressing above 255 */
            entry[0] = (uint8_t)(scsi->lun < 256 ? 0 : 0x40 | scsi->lun >> 8);
            entry[1] = (uint8_t)scsi->lun;
            g_byte_array_append(reply, entry, 8);
        }
    }
    scsi_put32(reply->data, reply->len - 8);
    scsi_reply(request, reply->data, reply->len, scsi_get32(request->cdb + 6));
}

/* SPC-4 6.6.1: what a target says of a unit it does not have. */
static void
answer_absent(ScsiRequest *request)
{
    uint8_t reply[36] = { 0x7f, 0, 5, 2, 31 };

    switch (request->cdb[0]) {
    case OP_INQUIRY:
        if (request->cdb[1] & 3) {
            scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_BAD_FIELD);
            return;
        }
        scsi_put_padded(reply + 8, "VITRINE", 8);
        scsi_put_padded(reply + 16, "TARGET", 16);
        scsi_put_padded(reply + 32, "0.1", 4);
        scsi_reply(request, reply, sizeof(reply), scsi_get16(request->cdb + 3));
        break;
    case OP_REQUEST_SENSE:
        scsi_fill_sense(reply, SENSE_ILLEGAL_REQUEST, ASC_LUN_NOT_SUPPORTED);
        scsi_reply(request, reply, SCSI_SENSE_BYTES, request->cdb[4]);
        break;
    default: scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_LUN_NOT_SUPPORTED); break;
    }
}

/* Commands that neither report nor clear a unit attention (SAM-5 5.14). */
static bool
passes_attention(uint8_t opcode)
{
    return opcode == OP_INQUIRY || opcode == OP_REQUEST_SENSE || opcode == OP_REPORT_LUNS;
}

bool
scsi_bus_start(ScsiBus *bus, unsigned channel, unsigned target, unsigned lun, ScsiRequest *request)
{
    ScsiDevice *scsi = scsi_bus_find(bus, channel, target, (int)MIN(lun, INT32_MAX));

    request->device = scsi;
    if (!scsi && !scsi_bus_find(bus, channel, target, -1)) {
        return false;
    }
    if (request->cdb[0] == OP_REPORT_LUNS) {
        report_luns(bus, channel, target, request);
    } else if (!scsi) {
        answer_absent(request);
    } else if (scsi->attention && !passes_attention(request->cdb[0])) {
        uint16_t code = scsi->attention;
        scsi->attention = 0;
        scsi_check(request, SENSE_UNIT_ATTENTION, code);
    } else {
        scsi->ops->command(scsi, request);
    }
    return true;
}

bool
scsi_bus_repeat(ScsiBus *bus, unsigned channel, unsigned target, unsigned lun, ScsiRequest *request)
{
    ScsiDevice *scsi = scsi_bus_find(bus, channel, target, (int)MIN(lun, INT32_MAX));

    request->device = scsi;
    if (scsi) {
        scsi->ops->repeat(scsi, request);
    }
    return scsi != NULL;
}

/* ---- lengths ---- */

unsigned
scsi_cdb_bytes(uint8_t opcode)
{
    static const uint8_t by_group[8] = { 6, 10, 10, 16, 16, 12, 16, 16 };

    return by_group[opcode >> 5];
}

/* Parameter and reply lengths by command, where the command block does not count blocks. */
static uint64_t
plain_len(const uint8_t *cdb)
{
    switch (cdb[0]) {
    case 0x12: /* INQUIRY */ return scsi_get16(cdb + 3);
    case 0x25: /* READ CAPACITY (10) */ return 8;
    case 0x9e: /* SERVICE ACTION IN (16) */ return scsi_get32(cdb + 10);
    case 0xa0: /* REPORT LUNS */ return scsi_get32(cdb + 6);
    case 0xad: /* READ DISC STRUCTURE */
    case 0xbd: /* MECHANISM STATUS */ return scsi_get16(cdb + 8);
    default: break;
    }
    switch (scsi_cdb_bytes(cdb[0])) {
    case 6: return cdb[4];
    case 10: return scsi_get16(cdb + 7);
    case 12: return scsi_get32(cdb + 6);
    default: return scsi_get32(cdb + 10);
    }
}

/* Minute, second, frame. */
static int
frames_of(const uint8_t *msf)
{
    return (msf[0] * 60 + msf[1]) * 75 + msf[2];
}

uint64_t
scsi_cdb_len(const uint8_t *cdb, uint32_t block_bytes, bool *out_to_device)
{
    *out_to_device = false;
    switch (cdb[0]) {
    case 0x00: /* TEST UNIT READY, REZERO, RESERVE, RELEASE, START STOP, PREVENT ALLOW: no data */
    case 0x01:
    case 0x0b:
    case 0x16:
    case 0x17:
    case 0x1b:
    case 0x1e:
    case 0x2b: /* SEEK, VERIFY, SYNCHRONIZE CACHE */
    case 0x2f:
    case 0x35:
    case 0x8f:
    case 0x91:
    case 0xbb: return 0;
    case 0x08: /* READ (6) */ return (cdb[4] ? cdb[4] : 256) * (uint64_t)block_bytes;
    case 0x0a: /* WRITE (6) */
        *out_to_device = true;
        return (cdb[4] ? cdb[4] : 256) * (uint64_t)block_bytes;
    case 0x28: /* READ (10), (12), (16) */
    case 0xa8:
    case 0x88: return plain_len(cdb) * block_bytes;
    case 0x2a: /* WRITE (10), (12), (16) and WRITE AND VERIFY */
    case 0x2e:
    case 0xaa:
    case 0xae:
    case 0x8a:
    case 0x8e: *out_to_device = true; return plain_len(cdb) * block_bytes;
    case 0xbe: /* READ CD: at most, with the subchannel */ return scsi_get24(cdb + 6) * 2448ull;
    case 0xb9: /* READ CD MSF */
        return (uint64_t)MAX(frames_of(cdb + 6) - frames_of(cdb + 3), 0) * 2448;
    case 0x41: /* WRITE SAME (10), (16) */
    case 0x93: *out_to_device = true; return cdb[0] == 0x93 && (cdb[1] & 1) ? 0 : block_bytes;
    case 0x04: /* FORMAT UNIT, MODE SELECT, SEND DIAGNOSTIC, UNMAP: parameters */
    case 0x15:
    case 0x1d:
    case 0x42:
    case 0x55: *out_to_device = true; return plain_len(cdb);
    default: return plain_len(cdb);
    }
}
