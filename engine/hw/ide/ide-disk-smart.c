/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* SMART and the general purpose logs of an ATA disk: enough for tools to see a healthy disk.
 * ATA/ATAPI-6 (T13 1410D) section 8.55, Serial ATA 3.0 section 13.7. Thread: device lock held. */

#include "ide-disk.h"

#include <string.h>

static void
set_checksum(uint8_t *sector)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < IDE_SECTOR_BYTES - 1; i++) {
        sum += sector[i];
    }
    sector[IDE_SECTOR_BYTES - 1] = (uint8_t)-sum;
}

/* Attributes: id, flags, value, worst, raw, threshold. */
static const uint8_t smart_attributes[][6] = {
    { 1, 3, 100, 100, 0, 6 },   /* raw read errors */
    { 3, 3, 100, 100, 16, 0 },  /* spin-up time */
    { 5, 3, 100, 100, 0, 36 },  /* reallocated sectors */
    { 9, 3, 100, 100, 1, 0 },   /* power-on hours */
    { 12, 2, 100, 100, 1, 0 },  /* power cycles */
    { 190, 3, 69, 69, 31, 50 }, /* airflow temperature */
};

static void
smart_read_data(IdeDevice *ide, bool thresholds)
{
    uint8_t *out = ide->data;

    memset(out, 0, IDE_SECTOR_BYTES);
    out[0] = 1;
    for (unsigned i = 0; i < VIT_ARRAY_LEN(smart_attributes); i++) {
        const uint8_t *row = smart_attributes[i];
        uint8_t *entry = out + 2 + 12 * i;
        entry[0] = row[0];
        entry[1] = thresholds ? row[5] : row[1];
        entry[3] = thresholds ? 0 : row[2];
        entry[4] = thresholds ? 0 : row[3];
        entry[5] = thresholds ? 0 : row[4];
    }
    if (!thresholds) {
        out[362] = ((IdeDisk *)ide)->smart_state ? 0x82 : 0x02; /* off-line collection done */
        out[367] = 0x10;                                        /* attribute autosave */
        out[368] = 0x03;
        out[370] = 0x01; /* error logging */
        out[372] = 0x02; /* minutes of a self test */
        out[373] = 0x36;
    }
    set_checksum(out);
    ide_disk_reply(ide);
}

static void
smart_read_log(IdeDevice *ide)
{
    uint8_t log = ide->lba_low;

    memset(ide->data, 0, IDE_SECTOR_BYTES);
    if (log > 0x01 && log != 0x06) {
        ide_abort(ide);
        return;
    }
    ide->data[0] = 1; /* version; no entries in any of them */
    if (log != 0) {
        set_checksum(ide->data);
    }
    ide_disk_reply(ide);
}

/* General purpose logs: the directory, and the errors of queued commands. */
void
ide_disk_command_read_log(IdeDevice *ide)
{
    memset(ide->data, 0, IDE_SECTOR_BYTES);
    if (!ide->bus->host->fill_queue_log || (ide->lba_low != 0x00 && ide->lba_low != 0x10)) {
        ide_abort(ide);
        return;
    }
    if (ide->lba_low == 0x10) {
        ide->bus->host->fill_queue_log(ide->bus, ide->data);
    } else {
        ide->data[0] = 1;    /* version */
        ide->data[0x20] = 1; /* log 10h has one page */
    }
    ide_disk_reply(ide);
}

void
ide_disk_command_smart(IdeDevice *ide)
{
    bool key = ide->lba_mid == 0x4f && ide->lba_high == 0xc2;

    if (!key || (!ide->smart_on && ide->feature != 0xd8)) {
        ide_abort(ide);
        return;
    }
    switch (ide->feature) {
    case 0xd0: smart_read_data(ide, false); return;
    case 0xd1: smart_read_data(ide, true); return;
    case 0xd2: ((IdeDisk *)ide)->smart_state = ide->count == 0xf1; break; /* autosave */
    case 0xd4: break;                                                     /* off-line: at once */
    case 0xd5: smart_read_log(ide); return;
    case 0xd8: ide->smart_on = true; break;
    case 0xd9: ide->smart_on = false; break;
    case 0xda: break; /* return status: the key unchanged says healthy */
    default: ide_abort(ide); return;
    }
    ide_finish(ide, 0);
}
