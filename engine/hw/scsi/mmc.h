/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The commands of a CD/DVD-ROM drive, whatever carries them: ATAPI packets (ide-cd) or SCSI
 * (scsi-cd). The carrier owns the buffer and moves data; Mmc answers. Thread: device lock held. */

#include "scsi.h"

enum {
    MMC_SECTOR_BYTES = 2048,
    MMC_RAW_SECTOR_BYTES = 2352,
    MMC_PACKET_BYTES = 12,
    MMC_BUFFER_BYTES = 4096, /* least room a carrier gives for replies */
};

typedef enum MmcEvent {
    MMC_EVENT_NONE,
    MMC_EVENT_EJECT_REQUEST,
    MMC_EVENT_NEW_MEDIUM,
    MMC_EVENT_REMOVAL,
} MmcEvent;

/* A change of medium is shown in two steps, for guests that only poll: first no medium, then a
 * unit attention. */
typedef enum MmcChange { MMC_CHANGE_NONE, MMC_CHANGE_SHOW_ABSENT, MMC_CHANGE_SHOW_NEW } MmcChange;

/* Parts of a sector, as byte 9 of READ CD names them. */
enum { MMC_PART_SYNC = 0x80, MMC_PART_HEADER = 0x20, MMC_PART_USER = 0x10, MMC_PART_ECC = 0x08 };

typedef struct Mmc Mmc;

/* What the carrier does; each ends the command, at once or later. */
typedef struct MmcOps {
    void (*good)(Mmc *mmc);
    void (*failed)(Mmc *mmc); /* sense_key and sense_code say why */
    /* Sends the first LEN bytes of data. */
    void (*reply)(Mmc *mmc, uint32_t len);
    /* Sends COUNT sectors from LBA on, each in the parts PARTS. The range is on the medium. */
    void (*read)(Mmc *mmc, uint32_t lba, uint32_t count, uint8_t parts);
    /* Takes LEN bytes from the host, which are of no interest. */
    void (*receive)(Mmc *mmc, uint32_t len);
} MmcOps;

struct Mmc {
    uint8_t packet[SCSI_CDB_MAX];
    uint8_t sense_key;
    uint8_t event;  /* MmcEvent */
    uint8_t change; /* MmcChange */
    bool locked;
    bool tray_open; /* of the drive, for saving */
    uint16_t sense_code;
    /* wiring */
    const MmcOps *ops;
    VitDrive *drive;
    uint8_t *data;
    const char *serial, *vendor, *model, *version;
    uint64_t wwn;
    bool is_atapi;
};

extern const VitField mmc_state[];

/* Runs the command in packet. */
void mmc_run(Mmc *mmc);
void mmc_error(Mmc *mmc, uint8_t key, uint16_t code);
/* Power-on: no sense, no news, unlocked. */
void mmc_reset(Mmc *mmc);
void mmc_pre_save(Mmc *mmc);
void mmc_loaded(Mmc *mmc);
/* For VitDriveUser. */
void mmc_medium_changed(Mmc *mmc, bool inserted);
void mmc_eject_requested(Mmc *mmc, bool force);

bool mmc_has_medium(const Mmc *mmc);
/* Sectors of 2048 bytes. */
uint32_t mmc_sector_count(const Mmc *mmc);
/* Bytes that PARTS of a sector have. */
uint32_t mmc_parts_len(uint8_t parts);
/* Writes the chosen parts of sector LBA with user data USER, which OUT may overlap from behind;
 * gives the end. */
uint8_t *mmc_put_sector(uint8_t *out, uint8_t parts, uint32_t lba, const uint8_t *user);
