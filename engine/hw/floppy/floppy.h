/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Floppy drives and the bus that carries up to four of them. The controller asks a drive to step
 * and for the geometry of its medium; data it moves itself. Thread: device lock held. */

#include "vit-device.h"
#include "vit-drive.h"

/* Types as the CMOS has them; auto is resolved when the drive is realized. */
typedef enum FloppyType {
    FLOPPY_TYPE_NONE,
    FLOPPY_TYPE_360,
    FLOPPY_TYPE_120,
    FLOPPY_TYPE_720,
    FLOPPY_TYPE_144,
    FLOPPY_TYPE_288,
} FloppyType;

/* Data rates as CCR and DSR have them. */
enum { FLOPPY_RATE_500K, FLOPPY_RATE_300K, FLOPPY_RATE_250K, FLOPPY_RATE_1M };

typedef struct FloppyMedium {
    uint8_t type; /* FloppyType of the drive it is made for */
    uint8_t sectors, tracks, sides;
    uint8_t rate;
} FloppyMedium;

typedef struct FloppyDrive {
    VitDevice dev;
    /* properties */
    VitDrive *drive;
    int32_t unit, bootindex, drive_type, on_read_error, on_write_error, write_cache;
    uint32_t logical_block_bytes, physical_block_bytes;
    bool share_rw;
    /* found at realize, and again when the medium changes */
    unsigned number;
    uint8_t type;
    FloppyMedium medium; /* sectors == 0: none */
    /* state */
    uint8_t track;
    bool changed; /* DSKCHG: the medium was out since the last step */
} FloppyDrive;

typedef struct FloppyBus {
    VitBus bus;
    FloppyDrive *drives[4];
    void (*resume)(void *opaque); /* of the controller: goes on after an error stopped it */
    void *opaque;
    int preset[2]; /* FloppyType that the controller was given for a drive, -1 = none */
    int fallback;  /* FloppyType of an automatic drive without a medium */
} FloppyBus;

bool floppy_has_medium(const FloppyDrive *floppy);
bool floppy_is_write_protected(const FloppyDrive *floppy);
/* Moves the head; with a medium in, this clears DSKCHG. */
void floppy_seek(FloppyDrive *floppy, uint8_t track);
/* Byte offset of a sector (counted from 1) of the medium; false when it has none such. */
bool floppy_locate(const FloppyDrive *floppy, uint8_t track, uint8_t head, uint8_t sector,
                   uint64_t *out_offset);
