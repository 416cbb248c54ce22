/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What a CD/DVD-ROM drive tells of its medium: capacity, table of contents, disc, track and DVD
 * structures.
 *
 * MMC-3 (T10 1363D) and SFF-8020i revision 2.6 by command name. One track of one session; a DVD has
 * one layer and no copyright data.
 *
 * Thread: device lock held. */

#include "mmc-commands.h"

void
mmc_read_capacity(Mmc *mmc)
{
    uint8_t *out = mmc_begin_reply(mmc, 8);
    uint32_t sectors = mmc_sector_count(mmc);

    scsi_put32(out, sectors ? sectors - 1 : 0);
    scsi_put32(out + 4, MMC_SECTOR_BYTES);
    mmc_reply(mmc, 8, 8);
}

static void
put_address(uint8_t *out, uint32_t lba, bool msf)
{
    if (msf) {
        uint32_t frame = lba + 150;
        out[1] = (uint8_t)(frame / (75 * 60));
        out[2] = (uint8_t)(frame / 75 % 60);
        out[3] = (uint8_t)(frame % 75);
    } else {
        scsi_put32(out, lba);
    }
}

static uint32_t
toc_tracks(const Mmc *mmc, uint8_t *out, uint8_t first, bool msf)
{
    uint8_t *at = out + 4;

    out[2] = out[3] = 1; /* first and last track */
    if (first <= 1) {
        at[1] = 0x14; /* data track */
        at[2] = 1;
        put_address(at + 4, 0, msf);
        at += 8;
    }
    at[1] = 0x14;
    at[2] = 0xaa; /* lead-out */
    put_address(at + 4, mmc_sector_count(mmc), msf);
    return (uint32_t)(at + 8 - out);
}

static uint32_t
toc_sessions(uint8_t *out, bool msf)
{
    out[2] = out[3] = 1; /* first and last session */
    out[5] = 0x14;
    out[6] = 1;
    put_address(out + 8, 0, msf);
    return 12;
}

/* Full TOC: points A0, A1, A2 and track 1; addresses always as minutes, seconds, frames. */
static uint32_t
toc_raw(const Mmc *mmc, uint8_t *out)
{
    static const uint8_t points[] = { 0xa0, 0xa1, 0xa2, 1 };
    uint8_t *at = out + 4;

    out[2] = out[3] = 1;
    for (unsigned i = 0; i < VIT_ARRAY_LEN(points); i++, at += 11) {
        at[0] = 1; /* session */
        at[1] = 0x14;
        at[3] = points[i];
        if (points[i] == 0xa2) {
            put_address(at + 7, mmc_sector_count(mmc), true);
        } else if (points[i] == 1) {
            put_address(at + 7, 0, true);
        } else {
            at[8] = 1; /* first, last track */
        }
    }
    return (uint32_t)(at - out);
}

void
mmc_read_toc(Mmc *mmc)
{
    const uint8_t *packet = mmc->packet;
    bool msf = packet[1] & 2;
    /* SFF-8020i has the format in the control byte. */
    uint8_t format = packet[2] & 15 ? packet[2] & 15 : packet[9] >> 6, first = packet[6];
    uint8_t *out = mmc_begin_reply(mmc, 64);
    uint32_t len;

    switch (format) {
    case 0:
        if (first > 1 && first != 0xaa) {
            mmc_bad_field(mmc);
            return;
        }
        len = toc_tracks(mmc, out, first, msf);
        break;
    case 1: len = toc_sessions(out, msf); break;
    case 2: len = toc_raw(mmc, out); break;
    default: mmc_bad_field(mmc); return;
    }
    scsi_put16(out, len - 2);
    mmc_reply(mmc, len, scsi_get16(packet + 7));
}

void
mmc_read_disc_information(Mmc *mmc)
{
    uint8_t *out = mmc_begin_reply(mmc, 34);

    if (mmc->packet[1] & 7) {
        mmc_bad_field(mmc);
        return;
    }
    scsi_put16(out, 32);
    out[2] = 0x0e; /* complete, last session complete, not erasable */
    out[3] = 1;    /* first track */
    out[4] = 1;    /* sessions */
    out[5] = 1;    /* first and last track of the last session */
    out[6] = 1;
    out[7] = 0x20;                    /* unrestricted use */
    scsi_put32(out + 16, 0xffffffff); /* lead-in and last possible lead-out: not writable */
    scsi_put32(out + 20, 0xffffffff);
    mmc_reply(mmc, 34, scsi_get16(mmc->packet + 7));
}

void
mmc_read_track_information(Mmc *mmc)
{
    uint8_t *out = mmc_begin_reply(mmc, 36);

    scsi_put16(out, 34);
    out[2] = 1;    /* track */
    out[3] = 1;    /* session */
    out[5] = 0x04; /* data track */
    out[6] = 0x01; /* mode 1 */
    scsi_put32(out + 24, mmc_sector_count(mmc));
    mmc_reply(mmc, 36, scsi_get16(mmc->packet + 7));
}

/* ---- DVD structures ---- */

static uint32_t
dvd_physical(const Mmc *mmc, uint8_t *out)
{
    uint32_t sectors = mmc_sector_count(mmc);

    out[4] = 0x01; /* DVD-ROM, part version 1 */
    out[5] = 0x0f; /* 120 mm, no rate given */
    out[6] = 0x01; /* one layer, embossed */
    scsi_put32(out + 8, 0x30000);
    scsi_put32(out + 12, 0x30000 + sectors - 1);
    scsi_put32(out + 16, 0x30000 + sectors - 1);
    return 4 + 2048;
}

static uint32_t
dvd_list(uint8_t *out)
{
    static const uint16_t structures[][2] = { { 0x00, 2052 }, { 0x01, 8 }, { 0x04, 2052 } };

    for (unsigned i = 0; i < VIT_ARRAY_LEN(structures); i++) {
        uint8_t *at = out + 4 + 4 * i;
        at[0] = (uint8_t)structures[i][0];
        at[1] = 0x40; /* can be read */
        scsi_put16(at + 2, structures[i][1]);
    }
    return 4 + 4 * VIT_ARRAY_LEN(structures);
}

void
mmc_read_dvd_structure(Mmc *mmc)
{
    const uint8_t *packet = mmc->packet;
    uint8_t format = packet[7], layer = packet[6];
    uint8_t *out = mmc_begin_reply(mmc, 4 + 2048);
    uint32_t len;

    if (format != 0xff && !mmc_is_dvd(mmc)) {
        mmc_error(mmc, SENSE_ILLEGAL_REQUEST, ASC_INCOMPATIBLE_MEDIUM);
        return;
    }
    if (layer != 0) {
        mmc_bad_field(mmc);
        return;
    }
    switch (format) {
    case 0x00: len = dvd_physical(mmc, out); break;
    case 0x01: len = 8; break;        /* copyright: none */
    case 0x04: len = 4 + 2048; break; /* manufacturer: nothing */
    case 0xff: len = dvd_list(out); break;
    default: mmc_bad_field(mmc); return;
    }
    scsi_put16(out, len - 2);
    mmc_reply(mmc, len, scsi_get16(packet + 8));
}
