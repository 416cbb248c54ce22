/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* An optical drive from the inside: ide-atapi.c moves packets and data, ide-mmc.c knows the
 * commands. Thread: device lock held. */

#include "ide.h"

enum { CD_SECTOR_BYTES = 2048, CD_RAW_SECTOR_BYTES = 2352, CD_PACKET_BYTES = 12 };

/* Sense keys (SPC-2 table 107) and additional codes, ASC << 8 | ASCQ. */
enum {
    SENSE_NONE = 0,
    SENSE_NOT_READY = 2,
    SENSE_MEDIUM_ERROR = 3,
    SENSE_ILLEGAL_REQUEST = 5,
    SENSE_UNIT_ATTENTION = 6,
};
enum {
    ASC_NONE = 0x0000,
    ASC_UNRECOVERED_READ = 0x1100,
    ASC_BAD_COMMAND = 0x2000,
    ASC_LBA_OUT_OF_RANGE = 0x2100,
    ASC_BAD_FIELD = 0x2400,
    ASC_MEDIUM_CHANGED = 0x2800,
    ASC_INCOMPATIBLE_MEDIUM = 0x3000,
    ASC_SAVING_NOT_SUPPORTED = 0x3900,
    ASC_NO_MEDIUM = 0x3a00,
    ASC_NO_MEDIUM_TRAY_CLOSED = 0x3a01,
    ASC_NO_MEDIUM_TRAY_OPEN = 0x3a02,
    ASC_REMOVAL_PREVENTED = 0x5302,
    ASC_WRONG_TRACK_MODE = 0x6400,
};

typedef enum CdEvent {
    CD_EVENT_NONE,
    CD_EVENT_EJECT_REQUEST,
    CD_EVENT_NEW_MEDIUM,
    CD_EVENT_REMOVAL,
} CdEvent;

/* A change of medium is shown in two steps, for guests that only poll: first no medium, then a
 * unit attention. */
typedef enum CdChange { CD_CHANGE_NONE, CD_CHANGE_SHOW_ABSENT, CD_CHANGE_SHOW_NEW } CdChange;

typedef struct IdeCd {
    IdeDevice ide;
    uint8_t packet[CD_PACKET_BYTES];
    uint8_t sense_key;
    uint16_t sense_code;
    uint8_t event;  /* CdEvent */
    uint8_t change; /* CdChange */
    bool locked;
    bool is_dma;           /* of this command */
    uint16_t byte_limit;   /* bytes per block of programmed I/O */
    uint32_t buffer_end;   /* bytes of data that are for the host */
    uint16_t sector_bytes; /* as sent to the host */
    uint8_t raw_parts;     /* READ CD: which parts of a sector, CDB byte 9 */
    bool tray_open;        /* of the drive, for saving */
} IdeCd;

/* ---- ide-atapi.c ---- */

void cd_good(IdeCd *cd);
void cd_error(IdeCd *cd, uint8_t key, uint16_t code);
/* Sends LEN bytes of data, at most ALLOCATION. */
void cd_reply(IdeCd *cd, uint32_t len, uint32_t allocation);
/* Reads COUNT sectors from LBA on, each sent in the parts PARTS. */
void cd_read(IdeCd *cd, uint32_t lba, uint32_t count, uint8_t parts);
/* Asks the host for LEN bytes, which it may do without. */
void cd_receive(IdeCd *cd, uint32_t len);
/* Bytes that PARTS of a sector have. */
uint32_t cd_parts_len(uint8_t parts);

bool cd_has_medium(const IdeCd *cd);
/* Sectors of 2048 bytes. */
uint32_t cd_sector_count(const IdeCd *cd);

/* ---- ide-mmc.c ---- */

void cd_run_packet(IdeCd *cd);

enum { CD_PART_SYNC = 0x80, CD_PART_HEADERS = 0x60, CD_PART_USER = 0x10, CD_PART_ECC = 0x08 };
