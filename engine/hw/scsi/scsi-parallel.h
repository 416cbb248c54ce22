/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The targets' side of a parallel SCSI bus, for controllers that show its phases to their driver:
 * selection, messages, command, data, status. SPI-4 sections 10 and 16.
 *
 * One command is under way at a time, and its target keeps the bus until it has ended: targets may,
 * and none of ours gains by letting go. Transfers are narrow and asynchronous: negotiation of
 * anything else is answered by MESSAGE REJECT. A target has no sense data for the controller to
 * fetch but by REQUEST SENSE, which is answered here. Thread: device lock held. */

#include "scsi.h"

typedef enum ScsiPhase {
    SCSI_DATA_OUT = 0, /* as on the lines MSG, C/D, I/O */
    SCSI_DATA_IN = 1,
    SCSI_COMMAND = 2,
    SCSI_STATUS = 3,
    SCSI_MESSAGE_OUT = 6,
    SCSI_MESSAGE_IN = 7,
    SCSI_WORKING, /* the target asks for nothing yet */
    SCSI_BUS_FREE,
} ScsiPhase;

enum { SCSI_PARALLEL_TARGETS = 16, SCSI_MESSAGE_BYTES = 32 };

typedef struct ScsiParallel ScsiParallel;

struct ScsiParallel {
    uint8_t phase; /* ScsiPhase */
    uint8_t target, lun;
    uint8_t status;
    uint8_t cdb[SCSI_CDB_MAX], cdb_len;
    uint8_t message[SCSI_MESSAGE_BYTES], message_len;
    uint8_t answer; /* the byte of MESSAGE IN */
    bool ends;      /* the bus is free after it */
    uint8_t *data;  /* of the command; NULL: none */
    uint32_t data_len, data_at;
    uint16_t has_sense;                                      /* bit per target */
    uint8_t sense[SCSI_PARALLEL_TARGETS * SCSI_SENSE_BYTES]; /* of its last command */
    /* wiring */
    ScsiBus *bus;
    ScsiRequest *request;          /* under way in a unit */
    void (*changed)(void *opaque); /* WORKING is over */
    void *opaque;
};

extern const VitField scsi_parallel_state[];

void scsi_parallel_init(ScsiParallel *parallel, ScsiBus *bus, void (*changed)(void *opaque),
                        void *opaque);
/* Bus reset: units reset, bus free. */
void scsi_parallel_reset(ScsiParallel *parallel);
/* After loading: starts again what an error had stopped. */
bool scsi_parallel_loaded(ScsiParallel *parallel);

/* False: nobody answers. */
bool scsi_parallel_select(ScsiParallel *parallel, unsigned target, bool attention);
/* Gives LEN bytes in an outgoing phase; how many the target took before it changed its phase. */
uint32_t scsi_parallel_put(ScsiParallel *parallel, const uint8_t *bytes, uint32_t len);
/* The controller is about to send a message, whether ATN said so or not. */
void scsi_parallel_expect_message(ScsiParallel *parallel);
/* ATN is gone: what was given in MESSAGE OUT is whole. */
void scsi_parallel_end_message(ScsiParallel *parallel);
/* Takes up to LEN bytes in an incoming phase. The byte of MESSAGE IN is there until acknowledged.
 */
uint32_t scsi_parallel_get(ScsiParallel *parallel, uint8_t *bytes, uint32_t len);
void scsi_parallel_acknowledge(ScsiParallel *parallel);
