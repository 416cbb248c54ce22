/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The device side of drives: who uses one, and the geometry a BIOS expects of it.
 *
 * A disk has a geometry only by convention. A partition table made elsewhere ends its partitions
 * at the last head and sector of a track, which tells the geometry its BIOS used; otherwise a disk
 * gets 16 heads and 63 sectors (ATA/ATAPI-6 6.2, "CHS translation") and, where it is larger than
 * such a BIOS can address, LBA-assisted translation.
 *
 * Thread: device lock held. */

#include "vit-drive.h"

#include "vit-error.h"

#include <string.h>

bool
vit_drive_attach(VitDrive *drive, const VitDriveUser *user, GError **error)
{
    if (drive->has_user) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "Drive '%s' already belongs to another device. Give each device a drive of "
                    "its own.",
                    drive->id);
        return false;
    }
    drive->user = *user;
    drive->has_user = true;
    return true;
}

void
vit_drive_detach(VitDrive *drive)
{
    if (drive && drive->has_user) {
        drive->ops->drain(drive);
        memset(&drive->user, 0, sizeof(drive->user));
        drive->has_user = false;
    }
}

/* ---- geometry ---- */

enum {
    SECTOR_BYTES = 512,
    TRANSLATION_NONE = 1,
    TRANSLATION_LBA = 2,
    TRANSLATION_LARGE = 3,
    MAX_CYLINDERS = 16383,
};

typedef struct FirstSector {
    int ret;
    bool ended;
} FirstSector;

static void
first_sector_done(void *opaque, int ret)
{
    FirstSector *result = opaque;

    result->ret = ret;
    result->ended = true;
}

static bool
read_first_sector(VitDrive *drive, uint8_t *buf)
{
    struct iovec iov = { .iov_base = buf, .iov_len = SECTOR_BYTES };
    FirstSector result = { 0 };

    if (drive->ops->get_len(drive) < SECTOR_BYTES) {
        return false;
    }
    drive->ops->read(drive, 0, &iov, 1, first_sector_done, &result);
    drive->ops->drain(drive);
    return result.ended && result.ret == 0;
}

/* Heads and sectors that the first used entry of an MBR ends at. */
static bool
guess_from_partitions(VitDrive *drive, uint64_t sectors, VitDriveGeometry *out)
{
    uint8_t mbr[SECTOR_BYTES];

    if (!read_first_sector(drive, mbr) || mbr[510] != 0x55 || mbr[511] != 0xaa) {
        return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t *entry = mbr + 446 + 16 * i;
        uint32_t count = entry[12] | entry[13] << 8 | entry[14] << 16 | (uint32_t)entry[15] << 24;
        uint32_t heads = entry[5] + 1u, track_sectors = entry[6] & 63;
        uint64_t cylinders;

        if (count == 0 || entry[5] == 0 || track_sectors == 0) {
            continue;
        }
        cylinders = sectors / (heads * track_sectors);
        if (cylinders < 1 || cylinders > MAX_CYLINDERS) {
            continue;
        }
        out->cylinders = (uint32_t)cylinders;
        out->heads = heads;
        out->sectors = track_sectors;
        return true;
    }
    return false;
}

static void
guess_from_size(uint64_t sectors, VitDriveGeometry *out)
{
    uint64_t cylinders = sectors / (16 * 63);

    out->cylinders = (uint32_t)CLAMP(cylinders, 2, MAX_CYLINDERS);
    out->heads = 16;
    out->sectors = 63;
}

static uint8_t
default_translation(const VitDriveGeometry *geometry)
{
    return geometry->cylinders <= 1024 && geometry->heads <= 16 && geometry->sectors <= 63
               ? TRANSLATION_NONE
               : TRANSLATION_LBA;
}

void
vit_drive_guess_geometry(VitDrive *drive, VitDriveGeometry *out)
{
    uint64_t sectors = drive->ops->get_len(drive) / SECTOR_BYTES;
    VitDriveGeometry guess = { 0 };

    if (drive->geometry.cylinders) {
        *out = drive->geometry;
        out->translation =
            out->translation ? out->translation : default_translation(&drive->geometry);
        return;
    }
    if (!guess_from_partitions(drive, sectors, &guess)) {
        guess_from_size(sectors, &guess);
        guess.translation = default_translation(&guess);
    } else if (guess.heads > 16) {
        /* What the table shows is the BIOS's view; the disk itself has at most 16 heads. */
        bool large = guess.cylinders * guess.heads <= 131072;
        guess_from_size(sectors, &guess);
        guess.translation = large ? TRANSLATION_LARGE : TRANSLATION_LBA;
    } else {
        guess.translation = TRANSLATION_NONE;
    }
    if (drive->geometry.translation) {
        guess.translation = drive->geometry.translation;
    }
    *out = guess;
}
