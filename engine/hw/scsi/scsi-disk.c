/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A SCSI disk: reading, writing, flushing, unmapping. SBC-3 section 5; what it tells about itself
 * is in scsi-disk-info.c.
 *
 * Data goes between guest memory and the drive without a copy. VERIFY and WRITE AND VERIFY check
 * the range only. Reservations are accepted without effect, as there is one initiator.
 * Thread: device lock held. */

#include "scsi-disk.h"

#include "vit-error.h"

#include <string.h>

VIT_DEVICE_LAYOUT(ScsiDisk)

enum { CDB_FUA = 8, UNMAP_HEAD_BYTES = 8, UNMAP_DESCRIPTOR_BYTES = 16 };

uint32_t
scsi_disk_max_unmap_blocks(const ScsiDisk *disk)
{
    return (uint32_t)MIN(disk->max_unmap_bytes / disk->s.logical_block_bytes, UINT32_MAX);
}

/* ---- ranges ---- */

/* Address and length of a command, by its size. */
static void
get_range(const uint8_t *cdb, uint64_t *out_lba, uint32_t *out_count)
{
    switch (scsi_cdb_bytes(cdb[0])) {
    case 6:
        *out_lba = scsi_get24(cdb + 1) & 0x1fffff;
        *out_count = cdb[4] ? cdb[4] : 256;
        break;
    case 10:
        *out_lba = scsi_get32(cdb + 2);
        *out_count = scsi_get16(cdb + 7);
        break;
    case 12:
        *out_lba = scsi_get32(cdb + 2);
        *out_count = scsi_get32(cdb + 6);
        break;
    default:
        *out_lba = scsi_get64(cdb + 2);
        *out_count = scsi_get32(cdb + 10);
        break;
    }
}

/* Sets the request's offset and length; ends it where the range is not on the disk. */
static bool
take_range(ScsiDisk *disk, ScsiRequest *request)
{
    uint64_t blocks = scsi_disk_blocks(disk), lba;
    uint32_t count;

    get_range(request->cdb, &lba, &count);
    if (lba > blocks || count > blocks - lba) {
        scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
        return false;
    }
    request->offset = lba * disk->s.logical_block_bytes;
    request->len = (uint64_t)count * disk->s.logical_block_bytes;
    return true;
}

static bool
check_writable(ScsiDisk *disk, ScsiRequest *request)
{
    if (disk->s.drive->ops->is_read_only(disk->s.drive)) {
        scsi_check(request, SENSE_DATA_PROTECT, ASC_WRITE_PROTECTED);
        return false;
    }
    return true;
}

/* Protection information in the command is refused: there is none on the disk. */
static bool
check_protection(ScsiRequest *request)
{
    if (scsi_cdb_bytes(request->cdb[0]) != 6 && (request->cdb[1] & 0xe0)) {
        scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_BAD_FIELD);
        return false;
    }
    return true;
}

static void
run_read(ScsiDisk *disk, ScsiRequest *request)
{
    if (check_protection(request) && take_range(disk, request)) {
        scsi_drive_read(request);
    }
}

static void
run_write(ScsiDisk *disk, ScsiRequest *request)
{
    bool fua = scsi_cdb_bytes(request->cdb[0]) != 6 && (request->cdb[1] & CDB_FUA);

    if (check_writable(disk, request) && check_protection(request) && take_range(disk, request)) {
        scsi_drive_write(request, fua);
    }
}

static void
run_verify(ScsiDisk *disk, ScsiRequest *request)
{
    if (request->cdb[1] & 0x06) { /* comparing with data is not offered */
        scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_BAD_FIELD);
    } else if (take_range(disk, request)) {
        scsi_good(request);
    }
}

static void
run_flush(ScsiDisk *disk, ScsiRequest *request)
{
    if (take_range(disk, request)) {
        scsi_drive_submitted(request);
        disk->s.drive->ops->flush(disk->s.drive, scsi_drive_done, request);
    }
}

static void
run_good(ScsiDisk *disk, ScsiRequest *request)
{
    scsi_good(request);
}

static void
run_test_ready(ScsiDisk *disk, ScsiRequest *request)
{
    if (disk->s.drive->ops->is_inserted(disk->s.drive)) {
        scsi_good(request);
    } else {
        scsi_check(request, SENSE_NOT_READY, ASC_NO_MEDIUM);
    }
}

static void
run_request_sense(ScsiDisk *disk, ScsiRequest *request)
{
    uint8_t reply[SCSI_SENSE_BYTES];

    /* Errors were told with their command; a unit attention may still wait. */
    scsi_fill_sense(reply, disk->s.attention ? SENSE_UNIT_ATTENTION : SENSE_NONE,
                    disk->s.attention);
    disk->s.attention = 0;
    scsi_reply(request, reply, sizeof(reply), request->cdb[4]);
}

/* ---- unmap, write same ---- */

/* Several ranges of one UNMAP, one drive request after the other. */
typedef struct UnmapRun {
    ScsiRequest *request;
    uint32_t at, count;
    uint8_t data[UNMAP_HEAD_BYTES + UNMAP_DESCRIPTOR_BYTES * SCSI_DISK_UNMAP_DESCRIPTORS];
} UnmapRun;

static void unmap_next(UnmapRun *run);

static void
unmapped(void *opaque, int ret)
{
    UnmapRun *run = opaque;
    ScsiRequest *request = run->request;

    if (ret == 0 && run->at < run->count && !request->device->is_purging) {
        request->device->in_flight--;
        unmap_next(run);
        return;
    }
    g_free(run);
    scsi_drive_done(request, ret);
}

static void
unmap_next(UnmapRun *run)
{
    ScsiDevice *scsi = run->request->device;
    const uint8_t *entry =
        run->data + UNMAP_HEAD_BYTES + (size_t)UNMAP_DESCRIPTOR_BYTES * run->at++;
    uint64_t block = scsi->logical_block_bytes;

    scsi_drive_submitted(run->request);
    scsi->drive->ops->discard(scsi->drive, scsi_get64(entry) * block, scsi_get32(entry + 8) * block,
                              unmapped, run);
}

static bool
unmap_is_good(const ScsiDisk *disk, const UnmapRun *run)
{
    uint64_t blocks = scsi_disk_blocks(disk);

    for (uint32_t i = 0; i < run->count; i++) {
        const uint8_t *entry = run->data + UNMAP_HEAD_BYTES + (size_t)UNMAP_DESCRIPTOR_BYTES * i;
        uint64_t lba = scsi_get64(entry);
        uint32_t count = scsi_get32(entry + 8);

        if (lba > blocks || count > blocks - lba || count > scsi_disk_max_unmap_blocks(disk)) {
            return false;
        }
    }
    return true;
}

static void
run_unmap(ScsiDisk *disk, ScsiRequest *request)
{
    uint32_t len = scsi_get16(request->cdb + 7);
    UnmapRun *run;

    if (!check_writable(disk, request)) {
        return;
    }
    if (request->cdb[1] & 1) { /* anchored */
        scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_BAD_FIELD);
        return;
    }
    run = g_new0(UnmapRun, 1);
    run->request = request;
    if (len < UNMAP_HEAD_BYTES || len > sizeof(run->data)) {
        g_free(run);
        scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_PARAMETER_LENGTH);
        return;
    }
    if (!scsi_take(request, run->data, len)) {
        g_free(run);
        return;
    }
    run->count = MIN(scsi_get16(run->data + 2), len - UNMAP_HEAD_BYTES) / UNMAP_DESCRIPTOR_BYTES;
    if (!unmap_is_good(disk, run)) {
        g_free(run);
        scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
    } else if (run->count == 0) {
        g_free(run);
        scsi_good(request);
    } else {
        unmap_next(run);
    }
}

static void
run_write_same(ScsiDisk *disk, ScsiRequest *request)
{
    const uint8_t *cdb = request->cdb;
    g_autofree uint8_t *block = g_malloc0(disk->s.logical_block_bytes);
    bool no_data = cdb[0] == 0x93 && (cdb[1] & 1), unmap = cdb[1] & 8;
    uint8_t any = 0;

    if (!check_writable(disk, request) || !check_protection(request) ||
        !take_range(disk, request)) {
        return;
    }
    if (!no_data && !scsi_take(request, block, disk->s.logical_block_bytes)) {
        return;
    }
    for (uint32_t i = 0; i < disk->s.logical_block_bytes; i++) {
        any |= block[i];
    }
    /* Only zeroes are repeated; the page of limits names how many. */
    if (any || request->len == 0 ||
        request->len / disk->s.logical_block_bytes > scsi_disk_max_unmap_blocks(disk)) {
        scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_BAD_FIELD);
        return;
    }
    scsi_drive_submitted(request);
    disk->s.drive->ops->write_zeroes(disk->s.drive, request->offset, request->len, unmap,
                                     scsi_drive_done, request);
}

/* ---- dispatch ---- */

typedef void (*DiskCommand)(ScsiDisk *disk, ScsiRequest *request);

static const DiskCommand commands[256] = {
    [0x00] = run_test_ready,              /* TEST UNIT READY */
    [0x01] = run_good,                    /* REZERO UNIT */
    [0x03] = run_request_sense,           /* REQUEST SENSE */
    [0x08] = run_read,                    /* READ (6) */
    [0x0a] = run_write,                   /* WRITE (6) */
    [0x0b] = run_good,                    /* SEEK (6) */
    [0x12] = scsi_disk_inquiry,           /* INQUIRY */
    [0x15] = scsi_disk_mode_select,       /* MODE SELECT (6) */
    [0x16] = run_good,                    /* RESERVE (6) */
    [0x17] = run_good,                    /* RELEASE (6) */
    [0x1a] = scsi_disk_mode_sense,        /* MODE SENSE (6) */
    [0x1b] = run_good,                    /* START STOP UNIT */
    [0x1d] = run_good,                    /* SEND DIAGNOSTIC */
    [0x1e] = run_good,                    /* PREVENT ALLOW MEDIUM REMOVAL */
    [0x25] = scsi_disk_read_capacity_10,  /* READ CAPACITY (10) */
    [0x28] = run_read,                    /* READ (10) */
    [0x2a] = run_write,                   /* WRITE (10) */
    [0x2b] = run_good,                    /* SEEK (10) */
    [0x2e] = run_write,                   /* WRITE AND VERIFY (10) */
    [0x2f] = run_verify,                  /* VERIFY (10) */
    [0x35] = run_flush,                   /* SYNCHRONIZE CACHE (10) */
    [0x41] = run_write_same,              /* WRITE SAME (10) */
    [0x42] = run_unmap,                   /* UNMAP */
    [0x55] = scsi_disk_mode_select,       /* MODE SELECT (10) */
    [0x5a] = scsi_disk_mode_sense,        /* MODE SENSE (10) */
    [0x88] = run_read,                    /* READ (16) */
    [0x8a] = run_write,                   /* WRITE (16) */
    [0x8e] = run_write,                   /* WRITE AND VERIFY (16) */
    [0x8f] = run_verify,                  /* VERIFY (16) */
    [0x91] = run_flush,                   /* SYNCHRONIZE CACHE (16) */
    [0x93] = run_write_same,              /* WRITE SAME (16) */
    [0x9e] = scsi_disk_service_action_in, /* READ CAPACITY (16) */
    [0xa8] = run_read,                    /* READ (12) */
    [0xaa] = run_write,                   /* WRITE (12) */
    [0xae] = run_write,                   /* WRITE AND VERIFY (12) */
};

static void
run_command(ScsiDevice *scsi, ScsiRequest *request)
{
    DiskCommand command = commands[request->cdb[0]];

    if (command) {
        command((ScsiDisk *)scsi, request);
    } else {
        scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_BAD_COMMAND);
    }
}

static void
repeat_command(ScsiDevice *scsi, ScsiRequest *request)
{
    request->has_sense = false;
    request->moved_bytes = 0;
    run_command(scsi, request);
}

static const ScsiDeviceOps disk_ops = { .command = run_command, .repeat = repeat_command };

/* ---- the device ---- */

static void
resized(void *opaque)
{
    scsi_device_attention(opaque, ASC_CAPACITY_CHANGED);
}

static bool
is_power_of_two(uint32_t value)
{
    return value && !(value & (value - 1));
}

static bool
disk_realize(VitDevice *dev, GError **error)
{
    ScsiDisk *disk = (ScsiDisk *)dev;
    ScsiDevice *scsi = &disk->s;
    VitDrive *drive = scsi->drive;
    VitDriveUser user = { .resized = resized, .resume = scsi_device_resume, .opaque = scsi };

    if (!drive->ops->is_inserted(drive)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "scsi-hd: drive '%s' has no image. Give it file=, or use scsi-cd.", drive->id);
        return false;
    }
    if (!is_power_of_two(scsi->logical_block_bytes) ||
        !is_power_of_two(scsi->physical_block_bytes) ||
        scsi->physical_block_bytes < scsi->logical_block_bytes) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "scsi-hd: block sizes are powers of two, and physical_block_size is not below "
                    "logical_block_size.");
        return false;
    }
    if (!scsi_device_realize(scsi, &disk_ops, &user, error)) {
        return false;
    }
    drive->geometry.cylinders = disk->cylinders ? disk->cylinders : drive->geometry.cylinders;
    drive->geometry.heads = disk->heads ? disk->heads : drive->geometry.heads;
    drive->geometry.sectors = disk->sectors ? disk->sectors : drive->geometry.sectors;
    vit_drive_guess_geometry(drive, &disk->geometry);
    disk->default_write_cache = drive->enable_write_cache;
    return true;
}

static void
disk_unrealize(VitDevice *dev)
{
    scsi_device_unrealize((ScsiDevice *)dev);
}

static void
disk_reset(VitDevice *dev)
{
    ScsiDisk *disk = (ScsiDisk *)dev;

    scsi_device_reset(&disk->s);
    disk->write_cache_on = disk->default_write_cache;
    disk->s.drive->enable_write_cache = disk->write_cache_on;
}

static bool
disk_post_load(VitDevice *dev, unsigned version, GError **error)
{
    ScsiDisk *disk = (ScsiDisk *)dev;

    disk->s.drive->enable_write_cache = disk->write_cache_on;
    return true;
}

static const VitProp props[] = {
    VIT_PROP_BACKEND(ScsiDisk, s.drive, "drive", VIT_PROP_TYPE_DRIVE,
                     VIT_N_("Drive or block node that holds the data"), .flags = VIT_PROP_REQUIRED),
    SCSI_DEVICE_PROPS(ScsiDisk, s, "VITRINE HARDDISK"),
    VIT_PROP_SIZE(ScsiDisk, s.logical_block_bytes, "logical_block_size", 512, 512, 32768,
                  VIT_N_("Sector size")),
    VIT_PROP_SIZE(ScsiDisk, s.physical_block_bytes, "physical_block_size", 512, 512, 2 * VIT_MIB,
                  VIT_N_("Sector size on the medium")),
    VIT_PROP_SIZE(ScsiDisk, min_io_bytes, "min_io_size", 0, 0, 2 * VIT_MIB,
                  VIT_N_("Smallest transfer that is not slow")),
    VIT_PROP_SIZE(ScsiDisk, opt_io_bytes, "opt_io_size", 0, 0, 2 * VIT_MIB,
                  VIT_N_("Best size of a transfer")),
    VIT_PROP_SIZE(ScsiDisk, discard_granularity_bytes, "discard_granularity", 512, 0, INT32_MAX,
                  VIT_N_("Unit of unmapping")),
    VIT_PROP_SIZE(ScsiDisk, max_unmap_bytes, "max_unmap_size", VIT_GIB, 32768, INT64_MAX,
                  VIT_N_("Longest range to unmap")),
    VIT_PROP_SIZE(ScsiDisk, max_io_bytes, "max_io_size", INT32_MAX, 32768, INT64_MAX,
                  VIT_N_("Longest transfer")),
    VIT_PROP_UINT(ScsiDisk, rotation_rate, "rotation_rate", 0, 0, 65535,
                  VIT_N_("Rotations per minute; 1 = solid state, 0 = not said")),
    VIT_PROP_BOOL(ScsiDisk, removable, "removable", false, VIT_N_("Shown as removable")),
    VIT_PROP_BOOL(ScsiDisk, dpofua, "dpofua", false,
                  VIT_N_("Writes that go through the cache one by one")),
    VIT_PROP_UINT(ScsiDisk, cylinders, "cyls", 0, 0, 65535, VIT_N_("Cylinders; 0 as found")),
    VIT_PROP_UINT(ScsiDisk, heads, "heads", 0, 0, 255, VIT_N_("Heads; 0 as found")),
    VIT_PROP_UINT(ScsiDisk, sectors, "secs", 0, 0, 255, VIT_N_("Sectors per track; 0 as found")),
    { 0 },
};

static const VitField state[] = {
    SCSI_DEVICE_STATE(ScsiDisk, s),
    VIT_FIELD(ScsiDisk, write_cache_on),
    VIT_TRANSIENT(ScsiDisk, geometry),            /* found at realize */
    VIT_TRANSIENT(ScsiDisk, default_write_cache), /* likewise */
    { 0 },
};

const VitDeviceKind vit_scsi_hd_kind = {
    .name = "scsi-hd",
    .title = VIT_N_("SCSI disk"),
    .bus = VIT_BUS_SCSI,
    .category = VIT_CATEGORY_STORAGE,
    VIT_DEVICE_SIZE(ScsiDisk, VitDevice),
    .props = props,
    .state = state,
    .state_version = 1,
    .realize = disk_realize,
    .unrealize = disk_unrealize,
    .reset = disk_reset,
    .post_load = disk_post_load,
};
