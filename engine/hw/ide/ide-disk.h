/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* An ATA disk from the inside: ide-disk.c has the commands and the device, ide-disk-data.c moves
 * data, ide-disk-smart.c tells about health. Thread: device lock held. */

#include "ide.h"

typedef struct IdeDisk {
    IdeDevice ide;
    uint32_t trim_left;  /* DATA SET MANAGEMENT: sectors of ranges to come */
    uint32_t trim_at;    /* next range in data, bytes */
    uint32_t trim_end;   /* ranges in data, bytes */
    uint8_t smart_state; /* 1: autosave on */
    /* win2k-install-hack: every 16th block that is written keeps the disk busy for a while */
    bool is_slow;
    bool is_resting; /* the pause under way */
    uint8_t rest_count;
    VitTimer rest;
} IdeDisk;

/* What the disk is doing: op. */
enum {
    OP_NONE,
    OP_READ_PIO,
    OP_WRITE_PIO,
    OP_READ_DMA,
    OP_WRITE_DMA,
    OP_FLUSH,
    OP_TRIM,
    OP_REPLY, /* IDENTIFY, SMART: data is the answer */
    OP_LAST
};

enum { MAX_MULTIPLE = 16, BUFFER_SECTORS = IDE_BUFFER_BYTES / IDE_SECTOR_BYTES };

/* ---- ide-disk-data.c ---- */

uint64_t ide_disk_sector_count(const IdeDevice *ide);
/* Sets op_lba and op_left from the task file; ends the command when they are out of reach. */
bool ide_disk_take_range(IdeDevice *ide);
/* The registers as a host finds them after a command: the next sector and what is left. */
void ide_disk_store_position(IdeDevice *ide);
/* The pause is over. */
void ide_disk_rested(void *opaque);
void ide_disk_advance(IdeDevice *ide, uint32_t sectors);
void ide_disk_read_pio_next(IdeDevice *ide);
void ide_disk_ask_write_block(IdeDevice *ide, bool interrupt);
/* IdeDeviceOps. */
void ide_disk_pio_done(IdeDevice *ide);
void ide_disk_dma_run(IdeDevice *ide);
void ide_disk_proceed(IdeDevice *ide);

/* ---- ide-disk.c ---- */

/* Sends the sector in data. */
void ide_disk_reply(IdeDevice *ide);

/* ---- ide-disk-smart.c ---- */

void ide_disk_command_smart(IdeDevice *ide);
void ide_disk_command_read_log(IdeDevice *ide);
