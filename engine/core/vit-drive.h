/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What device models need of a disk. The block layer implements it; a unit test can too.
 * Thread: calls with the device lock held; completions on the machine thread with it held. */

#include "vit-iothread.h"
#include "vit-types.h"

#include <sys/uio.h>

typedef struct VitDriveRequest VitDriveRequest;
/* RET: 0 or a negative errno. Called exactly once, never from inside the submitting call. */
typedef void (*VitDriveDone)(void *opaque, int ret);

typedef enum VitDriveError { VIT_DRIVE_REPORT, VIT_DRIVE_IGNORE, VIT_DRIVE_STOP } VitDriveError;

/* rerror= and werror= of a device, over those of its drive. */
typedef enum VitDriveOnError {
    VIT_DRIVE_ON_ERROR_AUTO, /* the drive's own */
    VIT_DRIVE_ON_ERROR_REPORT,
    VIT_DRIVE_ON_ERROR_IGNORE,
    VIT_DRIVE_ON_ERROR_STOP,
    VIT_DRIVE_ON_ERROR_ENOSPC,
} VitDriveOnError;

typedef struct VitDriveGeometry {
    uint32_t cylinders, heads, sectors;
    uint8_t translation; /* 0 auto, 1 none, 2 LBA, 3 large */
} VitDriveGeometry;

typedef struct VitDriveOps {
    /* The iovec and what it points at live until completion. Offsets and lengths in bytes. */
    VitDriveRequest *(*read)(VitDrive *drive, uint64_t offset, const struct iovec *iov,
                             int iov_count, VitDriveDone done, void *opaque);
    VitDriveRequest *(*write)(VitDrive *drive, uint64_t offset, const struct iovec *iov,
                              int iov_count, bool fua, VitDriveDone done, void *opaque);
    VitDriveRequest *(*flush)(VitDrive *drive, VitDriveDone done, void *opaque);
    VitDriveRequest *(*discard)(VitDrive *drive, uint64_t offset, uint64_t len, VitDriveDone done,
                                void *opaque);
    VitDriveRequest *(*write_zeroes)(VitDrive *drive, uint64_t offset, uint64_t len, bool may_unmap,
                                     VitDriveDone done, void *opaque);
    /* Waits until no request is in flight; completions are called. */
    void (*drain)(VitDrive *drive);
    uint64_t (*get_len)(VitDrive *drive); /* bytes; 0 when empty */
    bool (*is_read_only)(VitDrive *drive);
    bool (*is_inserted)(VitDrive *drive);
    /* Guest-driven tray and lock of removable media. */
    void (*set_tray)(VitDrive *drive, bool open);
    bool (*is_tray_open)(VitDrive *drive);
    void (*set_locked)(VitDrive *drive, bool locked);
    /* What to do about a failed request, by rerror/werror. STOP: the machine pauses and the
     * device repeats the request when it resumes (resume callback below). */
    VitDriveError (*error_action)(VitDrive *drive, bool is_read, int error);
    /* Between these a device submits what its driver has queued. What has ended by then (reads that
     * the host's page cache served) completes in batch_end instead of waking another thread for
     * it. May be NULL. */
    void (*batch_begin)(VitDrive *drive);
    void (*batch_end)(VitDrive *drive);
    /* Completions are to come on THREAD, or with NULL on the machine thread again. All drives of a
     * machine share one place; it is that of the first who asked. May be NULL. */
    void (*set_iothread)(VitDrive *drive, VitIothread *thread);
} VitDriveOps;

/* Filled by the device that uses the drive. */
typedef struct VitDriveUser {
    void (*medium_changed)(void *opaque, bool inserted);
    void (*eject_requested)(void *opaque, bool force);
    void (*resized)(void *opaque);
    void (*resume)(void *opaque); /* repeat what error_action stopped */
    void *opaque;
} VitDriveUser;

struct VitDrive {
    const VitDriveOps *ops;
    char *id;
    VitDriveUser user;
    bool has_user;
    bool removable; /* set by the device */
    bool enable_write_cache;
    uint8_t on_read_error, on_write_error;              /* VitDriveOnError, set by the device */
    uint32_t logical_block_bytes, physical_block_bytes; /* 512 unless told */
    VitDriveGeometry geometry;                          /* zeros = guess */
    char *serial;
};

/* Takes the drive for one device; false when another has it. */
bool vit_drive_attach(VitDrive *drive, const VitDriveUser *user, GError **error);
void vit_drive_detach(VitDrive *drive);
/* CHS geometry: as told, from the partition table's shape, or by size. Synchronous first-sector
 * read is allowed (realize time). */
void vit_drive_guess_geometry(VitDrive *drive, VitDriveGeometry *out);
