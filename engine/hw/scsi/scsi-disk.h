/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* A SCSI disk from the inside: scsi-disk.c reads and writes, scsi-disk-info.c tells about the disk.
 * Thread: device lock held. */

#include "scsi.h"

typedef struct ScsiDisk {
    ScsiDevice s; /* first */
    /* properties */
    bool removable, dpofua;
    uint16_t rotation_rate;
    uint32_t min_io_bytes, opt_io_bytes, discard_granularity_bytes;
    uint64_t max_unmap_bytes, max_io_bytes;
    uint32_t cylinders, heads, sectors;
    /* fixed at realize */
    VitDriveGeometry geometry;
    bool default_write_cache;
    /* the guest's */
    bool write_cache_on;
} ScsiDisk;

static inline uint64_t
scsi_disk_blocks(const ScsiDisk *disk)
{
    return disk->s.drive->ops->get_len(disk->s.drive) / disk->s.logical_block_bytes;
}

void scsi_disk_inquiry(ScsiDisk *disk, ScsiRequest *request);
void scsi_disk_read_capacity_10(ScsiDisk *disk, ScsiRequest *request);
void scsi_disk_service_action_in(ScsiDisk *disk, ScsiRequest *request);
void scsi_disk_mode_sense(ScsiDisk *disk, ScsiRequest *request);
void scsi_disk_mode_select(ScsiDisk *disk, ScsiRequest *request);
/* Blocks of one UNMAP descriptor, WRITE SAME, and descriptors. */
uint32_t scsi_disk_max_unmap_blocks(const ScsiDisk *disk);
enum { SCSI_DISK_UNMAP_DESCRIPTORS = 255 };
