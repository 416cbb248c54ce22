/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A floppy disk drive and what can be put into it.
 *
 * A medium's geometry follows from the size of its image: the table below, formats as DOS, OS/2
 * and Linux's fdutils name them. An image between two sizes is taken as the next larger of those
 * the drive reads, its end filled with zeroes. A drive of type auto becomes what its first medium
 * needs, or the controller's fallback.
 *
 * Motors, index pulses and stepping take no time. Thread: device lock held. */

#include "floppy.h"

#include "vit-error.h"

#include <string.h>

enum { SECTOR_BYTES = 512 };
enum { TYPE_AUTO, TYPE_NONE, TYPE_144, TYPE_288, TYPE_120 };

/* Usual formats first: the first that fits is taken. */
static const FloppyMedium media[] = {
    { FLOPPY_TYPE_144, 18, 80, 2, FLOPPY_RATE_500K }, /* 1.44 MB */
    { FLOPPY_TYPE_144, 20, 80, 2, FLOPPY_RATE_500K },
    { FLOPPY_TYPE_144, 21, 80, 2, FLOPPY_RATE_500K }, /* DMF, 1.68 MB */
    { FLOPPY_TYPE_144, 21, 82, 2, FLOPPY_RATE_500K }, /* 1.72 MB */
    { FLOPPY_TYPE_144, 21, 83, 2, FLOPPY_RATE_500K },
    { FLOPPY_TYPE_144, 22, 80, 2, FLOPPY_RATE_500K },
    { FLOPPY_TYPE_144, 23, 80, 2, FLOPPY_RATE_500K },
    { FLOPPY_TYPE_144, 24, 80, 2, FLOPPY_RATE_500K },
    { FLOPPY_TYPE_288, 36, 80, 2, FLOPPY_RATE_1M }, /* 2.88 MB */
    { FLOPPY_TYPE_288, 39, 80, 2, FLOPPY_RATE_1M },
    { FLOPPY_TYPE_288, 40, 80, 2, FLOPPY_RATE_1M },
    { FLOPPY_TYPE_288, 44, 80, 2, FLOPPY_RATE_1M },
    { FLOPPY_TYPE_288, 48, 80, 2, FLOPPY_RATE_1M },
    { FLOPPY_TYPE_144, 9, 80, 2, FLOPPY_RATE_250K }, /* 720 kB, 3.5 inch */
    { FLOPPY_TYPE_144, 10, 80, 2, FLOPPY_RATE_250K },
    { FLOPPY_TYPE_144, 10, 82, 2, FLOPPY_RATE_250K },
    { FLOPPY_TYPE_144, 10, 83, 2, FLOPPY_RATE_250K },
    { FLOPPY_TYPE_144, 13, 80, 2, FLOPPY_RATE_250K },
    { FLOPPY_TYPE_144, 14, 80, 2, FLOPPY_RATE_250K },
    { FLOPPY_TYPE_120, 15, 80, 2, FLOPPY_RATE_500K }, /* 1.2 MB, 5.25 inch */
    { FLOPPY_TYPE_120, 18, 82, 2, FLOPPY_RATE_500K },
    { FLOPPY_TYPE_120, 18, 83, 2, FLOPPY_RATE_500K },
    { FLOPPY_TYPE_120, 11, 80, 2, FLOPPY_RATE_500K },
    { FLOPPY_TYPE_120, 9, 40, 2, FLOPPY_RATE_300K }, /* 360 kB in a 1.2 MB drive */
    { FLOPPY_TYPE_120, 10, 41, 2, FLOPPY_RATE_300K },
    { FLOPPY_TYPE_120, 10, 42, 2, FLOPPY_RATE_300K },
    { FLOPPY_TYPE_120, 8, 40, 2, FLOPPY_RATE_300K }, /* 320 kB */
    { FLOPPY_TYPE_120, 9, 40, 1, FLOPPY_RATE_300K }, /* 180 kB */
    { FLOPPY_TYPE_120, 8, 40, 1, FLOPPY_RATE_300K }, /* 160 kB */
};

static uint32_t
medium_sectors(const FloppyMedium *medium)
{
    return (uint32_t)medium->sectors * medium->tracks * medium->sides;
}

/* A 2.88 MB drive reads what a 1.44 MB drive does. */
static bool
can_hold(uint8_t drive_type, const FloppyMedium *medium)
{
    return drive_type == FLOPPY_TYPE_NONE || drive_type == medium->type ||
           (drive_type == FLOPPY_TYPE_288 && medium->type == FLOPPY_TYPE_144);
}

/* The medium that an image of SECTORS is, for a drive of TYPE (NONE: any). */
static const FloppyMedium *
find_medium(uint8_t type, uint64_t sectors)
{
    const FloppyMedium *best = NULL;

    for (unsigned i = 0; i < VIT_ARRAY_LEN(media); i++) {
        const FloppyMedium *medium = &media[i];
        uint32_t size = medium_sectors(medium);
        if (!can_hold(type, medium)) {
            continue;
        }
        if (size == sectors) {
            return medium;
        }
        /* An odd size is more likely one of 1.44 MB and up than a 5.25 inch one. */
        if (size > sectors && (type != FLOPPY_TYPE_NONE || medium->type == FLOPPY_TYPE_144) &&
            (!best || size < medium_sectors(best))) {
            best = medium;
        }
    }
    return best;
}

static void
look_at_medium(FloppyDrive *floppy)
{
    VitDrive *drive = floppy->drive;
    const FloppyMedium *medium = NULL;

    memset(&floppy->medium, 0, sizeof(floppy->medium));
    if (drive && drive->ops->is_inserted(drive)) {
        medium = find_medium(floppy->type, drive->ops->get_len(drive) / SECTOR_BYTES);
    }
    if (medium) {
        floppy->medium = *medium;
    }
}

bool
floppy_has_medium(const FloppyDrive *floppy)
{
    VitDrive *drive = floppy->drive;

    return floppy->medium.sectors > 0 && drive && drive->ops->is_inserted(drive);
}

bool
floppy_is_write_protected(const FloppyDrive *floppy)
{
    return !floppy_has_medium(floppy) || floppy->drive->ops->is_read_only(floppy->drive);
}

void
floppy_seek(FloppyDrive *floppy, uint8_t track)
{
    floppy->track = track;
    if (floppy_has_medium(floppy)) {
        floppy->changed = false;
    }
}

bool
floppy_locate(const FloppyDrive *floppy, uint8_t track, uint8_t head, uint8_t sector,
              uint64_t *out_offset)
{
    const FloppyMedium *medium = &floppy->medium;

    if (track >= medium->tracks || head >= medium->sides || sector < 1 ||
        sector > medium->sectors) {
        return false;
    }
    *out_offset =
        (((uint64_t)track * medium->sides + head) * medium->sectors + sector - 1) * SECTOR_BYTES;
    return true;
}

/* ---- the device ---- */

static void
medium_changed(void *opaque, bool inserted)
{
    FloppyDrive *floppy = opaque;

    floppy->changed = true;
    look_at_medium(floppy);
}

static void
resume(void *opaque)
{
    FloppyBus *bus = (FloppyBus *)((FloppyDrive *)opaque)->dev.bus;

    if (bus->resume) {
        bus->resume(bus->opaque);
    }
}

static uint8_t
choose_type(const FloppyDrive *floppy, const FloppyBus *bus)
{
    VitDrive *drive = floppy->drive;
    const FloppyMedium *medium = NULL;

    switch (floppy->drive_type) {
    case TYPE_NONE: return FLOPPY_TYPE_NONE;
    case TYPE_144: return FLOPPY_TYPE_144;
    case TYPE_288: return FLOPPY_TYPE_288;
    case TYPE_120: return FLOPPY_TYPE_120;
    default: break;
    }
    if (bus->preset[floppy->number] >= 0) {
        return (uint8_t)bus->preset[floppy->number];
    }
    if (drive && drive->ops->is_inserted(drive)) {
        medium = find_medium(FLOPPY_TYPE_NONE, drive->ops->get_len(drive) / SECTOR_BYTES);
    }
    return medium ? medium->type : (uint8_t)bus->fallback;
}

static bool
choose_unit(FloppyDrive *floppy, FloppyBus *bus, GError **error)
{
    unsigned unit = floppy->unit >= 0 ? (unsigned)floppy->unit : bus->drives[0] ? 1 : 0;

    if (unit > 1 || bus->drives[unit]) {
        g_set_error(error, VIT_ERROR, unit > 1 ? VIT_ERROR_INVALID_ARGUMENT : VIT_ERROR_BUSY,
                    unit > 1 ? "floppy: unit=%u: the controller has units 0 and 1."
                             : "floppy: unit %u already has a drive. Choose another unit=.",
                    unit);
        return false;
    }
    floppy->number = unit;
    return true;
}

static bool
floppy_realize(VitDevice *dev, GError **error)
{
    FloppyDrive *floppy = (FloppyDrive *)dev;
    FloppyBus *bus = (FloppyBus *)dev->bus;
    VitDriveUser user = { .medium_changed = medium_changed, .resume = resume, .opaque = floppy };

    if (floppy->logical_block_bytes != SECTOR_BYTES) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "floppy: logical_block_size=%u: floppy disks have sectors of 512 bytes.",
                    floppy->logical_block_bytes);
        return false;
    }
    if (!choose_unit(floppy, bus, error) ||
        (floppy->drive && !vit_drive_attach(floppy->drive, &user, error))) {
        return false;
    }
    if (floppy->drive) {
        floppy->drive->removable = true;
        floppy->drive->on_read_error = (uint8_t)floppy->on_read_error;
        floppy->drive->on_write_error = (uint8_t)floppy->on_write_error;
        if (floppy->write_cache != VIT_AUTO) {
            floppy->drive->enable_write_cache = floppy->write_cache == VIT_ON;
        }
    }
    floppy->type = choose_type(floppy, bus);
    look_at_medium(floppy);
    bus->drives[floppy->number] = floppy;
    return true;
}

static void
floppy_unrealize(VitDevice *dev)
{
    FloppyDrive *floppy = (FloppyDrive *)dev;

    ((FloppyBus *)dev->bus)->drives[floppy->number] = NULL;
    vit_drive_detach(floppy->drive);
}

static void
floppy_reset(VitDevice *dev)
{
    FloppyDrive *floppy = (FloppyDrive *)dev;

    floppy->track = 0;
    floppy->changed = true;
}

static const char *const type_words[] = { "auto", "none", "144", "288", "120", NULL };
static const char *const on_error_words[] = { "auto", "report", "ignore", "stop", "enospc", NULL };

static const VitProp props[] = {
    VIT_PROP_BACKEND(FloppyDrive, drive, "drive", VIT_PROP_TYPE_DRIVE,
                     VIT_N_("Drive that holds the medium; without one the drive stays empty")),
    VIT_PROP_INT(FloppyDrive, unit, "unit", -1, -1, 3,
                 VIT_N_("0 for A:, 1 for B:; -1 the first that is free")),
    VIT_PROP_INT(FloppyDrive, bootindex, "bootindex", -1, -1, INT32_MAX,
                 VIT_N_("Place in the boot order; -1 none")),
    VIT_PROP_ENUM(FloppyDrive, drive_type, "drive-type", type_words, TYPE_AUTO,
                  VIT_N_("Kind of drive: auto by its medium, 1.44, 2.88 or 1.2 MB")),
    VIT_PROP_SIZE(FloppyDrive, logical_block_bytes, "logical_block_size", 512, 512, 32768,
                  VIT_N_("Sector size")),
    VIT_PROP_SIZE(FloppyDrive, physical_block_bytes, "physical_block_size", 512, 512, 32768,
                  VIT_N_("Sector size of the medium behind")),
    VIT_PROP_ONOFFAUTO(FloppyDrive, write_cache, "write-cache", VIT_AUTO,
                       VIT_N_("Whether writes may stay in the host's cache")),
    VIT_PROP_BOOL(FloppyDrive, share_rw, "share-rw", 0,
                  VIT_N_("Others may write to the image too")),
    VIT_PROP_ENUM(FloppyDrive, on_read_error, "rerror", on_error_words, 0,
                  VIT_N_("What a read error does")),
    VIT_PROP_ENUM(FloppyDrive, on_write_error, "werror", on_error_words, 0,
                  VIT_N_("What a write error does")),
    { 0 }
};

static const VitField state[] = {
    VIT_FIELD(FloppyDrive, track),
    VIT_FIELD(FloppyDrive, changed),
    VIT_TRANSIENT(FloppyDrive, number), /* where it was put */
    VIT_TRANSIENT(FloppyDrive, type),   /* by property or medium */
    VIT_TRANSIENT(FloppyDrive, medium), /* by the image's size */
    { 0 },
};
VIT_DEVICE_LAYOUT(FloppyDrive)

const VitDeviceKind vit_floppy_kind = {
    .name = "floppy",
    .title = VIT_N_("Floppy disk drive"),
    .bus = VIT_BUS_FLOPPY,
    .category = VIT_CATEGORY_STORAGE,
    VIT_DEVICE_SIZE(FloppyDrive, VitDevice),
    .props = props,
    .state = state,
    .state_version = 1,
    .realize = floppy_realize,
    .unrealize = floppy_unrealize,
    .reset = floppy_reset,
};
