/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* An ATA disk: the commands and the device. Data is moved in ide-disk-data.c.
 *
 * ATA/ATAPI-6 (T13 1410D) section 8.
 *
 * Not modelled: security and power-management states beyond answering, host protected area,
 * overlapped commands. Thread: device lock held. */

#include "ide-disk.h"

#include "vit-error.h"

#include <string.h>

VIT_DEVICE_LAYOUT(IdeDisk)

/* ---- commands ---- */

static void
start_read_pio(IdeDevice *ide)
{
    if (ide_disk_take_range(ide)) {
        ide->op = OP_READ_PIO;
        ide_disk_read_pio_next(ide);
    }
}

static void
start_write_pio(IdeDevice *ide)
{
    if (ide_disk_take_range(ide)) {
        ide->op = OP_WRITE_PIO;
        ide_disk_ask_write_block(ide, false);
    }
}

static void
start_read_dma(IdeDevice *ide)
{
    if (ide_disk_take_range(ide)) {
        ide->op = OP_READ_DMA;
        ide_dma_begin(ide);
    }
}

static void
start_write_dma(IdeDevice *ide)
{
    if (ide_disk_take_range(ide)) {
        ide->op = OP_WRITE_DMA;
        ide_dma_begin(ide);
    }
}

static void
start_multiple(IdeDevice *ide, void (*start)(IdeDevice *ide))
{
    if (ide->multiple == 0) {
        ide_abort(ide);
    } else {
        start(ide);
    }
}

static void
command_flush(IdeDevice *ide)
{
    ide->op = OP_FLUSH;
    ide_disk_proceed(ide);
}

static void
command_verify(IdeDevice *ide)
{
    if (ide_disk_take_range(ide)) {
        ide_disk_advance(ide, ide->op_left);
        ide_finish(ide, 0);
    }
}

static void
command_trim(IdeDevice *ide)
{
    IdeDisk *disk = (IdeDisk *)ide;

    disk->trim_left = ide->count | (uint32_t)ide->hob_count << 8;
    disk->trim_at = disk->trim_end = 0;
    if (ide->feature != 0x01 || disk->trim_left == 0) { /* TRIM bit */
        ide_abort(ide);
        return;
    }
    ide->op = OP_TRIM;
    ide_dma_begin(ide);
}

void
ide_disk_reply(IdeDevice *ide)
{
    ide->op = OP_REPLY;
    ide->data_at = 0;
    ide_pio_in(ide, IDE_SECTOR_BYTES, true);
}

static void
command_identify(IdeDevice *ide)
{
    ide_identify_disk(ide, ide->data);
    ide_disk_reply(ide);
}

static void
command_set_multiple(IdeDevice *ide)
{
    uint8_t count = ide->count;

    if (count > MAX_MULTIPLE || (count & (count - 1))) {
        ide_abort(ide);
        return;
    }
    ide->multiple = count;
    ide_finish(ide, 0);
}

static void
command_initialize_parameters(IdeDevice *ide)
{
    uint8_t heads = (ide->bus->select & 15) + 1;

    if (ide->count == 0) {
        ide_abort(ide);
        return;
    }
    ide->current_heads = heads;
    ide->current_sectors = ide->count;
    ide_finish(ide, 0);
}

static void
command_read_native_max(IdeDevice *ide)
{
    uint64_t last = ide_disk_sector_count(ide);

    last = last ? last - 1 : 0;
    if (!ide->lba48) {
        last = MIN(last, 0x0fffffff);
    }
    ide->op_lba = last;
    ide->op_left = 0;
    ide->bus->select |= IDE_DEVICE_LBA;
    ide_disk_store_position(ide);
    ide_finish(ide, 0);
}

static bool
set_transfer_mode(IdeDevice *ide, uint8_t mode)
{
    uint8_t number = mode & 7;

    switch (mode >> 3) {
    case 0: return mode <= 1;   /* default PIO */
    case 1: return number <= 4; /* PIO with flow control */
    case 4:                     /* multiword DMA */
    case 8:                     /* ultra DMA */
        if (number > (mode >> 3 == 4 ? 2 : 5)) {
            return false;
        }
        ide->dma_mode = mode;
        return true;
    default: return false;
    }
}

/* Turning the cache off must first bring what it holds to the disk. */
static void
set_write_cache(IdeDevice *ide, bool on)
{
    ide->write_cache_on = on;
    ide->drive->enable_write_cache = on;
    if (on) {
        ide_finish(ide, 0);
    } else {
        command_flush(ide);
    }
}

static void
command_set_features(IdeDevice *ide)
{
    switch (ide->feature) {
    case 0x02: set_write_cache(ide, true); return;
    case 0x82: set_write_cache(ide, false); return;
    case 0x03:
        if (!set_transfer_mode(ide, ide->count)) {
            ide_abort(ide);
            return;
        }
        break;
    case 0x55: ide->read_look_ahead = false; break;
    case 0xaa: ide->read_look_ahead = true; break;
    case 0x66: ide->reverts_disabled = true; break;
    case 0xcc: ide->reverts_disabled = false; break;
    case 0x05: /* advanced power management, */
    case 0x85:
    case 0x42: /* acoustic management: accepted, without effect */
    case 0xc2:
    case 0x67:
    case 0x69: break;
    default: ide_abort(ide); return;
    }
    ide_finish(ide, 0);
}

static void
command_check_power(IdeDevice *ide)
{
    ide->count = 0xff; /* active or idle */
    ide_finish(ide, 0);
}

static void
finish_only(IdeDevice *ide)
{
    ide_finish(ide, 0);
}

static void
read_multiple(IdeDevice *ide)
{
    start_multiple(ide, start_read_pio);
}

static void
write_multiple(IdeDevice *ide)
{
    start_multiple(ide, start_write_pio);
}

typedef struct DiskCommand {
    void (*run)(IdeDevice *ide);
    bool lba48;
} DiskCommand;

static const DiskCommand commands[256] = {
    [0x06] = { command_trim, true },              /* DATA SET MANAGEMENT */
    [0x10] = { finish_only },                     /* RECALIBRATE */
    [0x20] = { start_read_pio },                  /* READ SECTORS */
    [0x21] = { start_read_pio },                  /* ... without retry */
    [0x24] = { start_read_pio, true },            /* READ SECTORS EXT */
    [0x25] = { start_read_dma, true },            /* READ DMA EXT */
    [0x27] = { command_read_native_max, true },   /* READ NATIVE MAX ADDRESS EXT */
    [0x29] = { read_multiple, true },             /* READ MULTIPLE EXT */
    [0x2f] = { ide_disk_command_read_log, true }, /* READ LOG EXT */
    [0x30] = { start_write_pio },                 /* WRITE SECTORS */
    [0x31] = { start_write_pio },                 /* ... without retry */
    [0x34] = { start_write_pio, true },           /* WRITE SECTORS EXT */
    [0x35] = { start_write_dma, true },           /* WRITE DMA EXT */
    [0x39] = { write_multiple, true },            /* WRITE MULTIPLE EXT */
    [0x3c] = { start_write_pio },                 /* WRITE VERIFY */
    [0x40] = { command_verify },                  /* READ VERIFY SECTORS */
    [0x41] = { command_verify },                  /* ... without retry */
    [0x42] = { command_verify, true },            /* READ VERIFY SECTORS EXT */
    [0x70] = { finish_only },                     /* SEEK */
    [0x91] = { command_initialize_parameters },   /* INITIALIZE DEVICE PARAMETERS */
    [0x94] = { finish_only },                     /* STANDBY IMMEDIATE, ATA-1 */
    [0x95] = { finish_only },                     /* IDLE IMMEDIATE, ATA-1 */
    [0x96] = { finish_only },                     /* STANDBY, ATA-1 */
    [0x97] = { finish_only },                     /* IDLE, ATA-1 */
    [0x98] = { command_check_power },             /* CHECK POWER MODE, ATA-1 */
    [0x99] = { finish_only },                     /* SLEEP, ATA-1 */
    [0xb0] = { ide_disk_command_smart },          /* SMART */
    [0xc4] = { read_multiple },                   /* READ MULTIPLE */
    [0xc5] = { write_multiple },                  /* WRITE MULTIPLE */
    [0xc6] = { command_set_multiple },            /* SET MULTIPLE MODE */
    [0xc8] = { start_read_dma },                  /* READ DMA */
    [0xc9] = { start_read_dma },                  /* ... without retry */
    [0xca] = { start_write_dma },                 /* WRITE DMA */
    [0xcb] = { start_write_dma },                 /* ... without retry */
    [0xe0] = { finish_only },                     /* STANDBY IMMEDIATE */
    [0xe1] = { finish_only },                     /* IDLE IMMEDIATE */
    [0xe2] = { finish_only },                     /* STANDBY */
    [0xe3] = { finish_only },                     /* IDLE */
    [0xe5] = { command_check_power },             /* CHECK POWER MODE */
    [0xe6] = { finish_only },                     /* SLEEP */
    [0xe7] = { command_flush },                   /* FLUSH CACHE */
    [0xea] = { command_flush, true },             /* FLUSH CACHE EXT */
    [0xec] = { command_identify },                /* IDENTIFY DEVICE */
    [0xef] = { command_set_features },            /* SET FEATURES */
    [0xf8] = { command_read_native_max },         /* READ NATIVE MAX ADDRESS */
};

static void
run_command(IdeDevice *ide, uint8_t command)
{
    const DiskCommand *row = &commands[command];

    ide->lba48 = row->lba48;
    if (command == 0xa1) { /* IDENTIFY PACKET DEVICE: by aborting, a disk shows what it is */
        ide_set_signature(ide);
    }
    if (row->run) {
        row->run(ide);
    } else {
        ide_abort(ide);
    }
}

/* ---- the device ---- */

static void
reset(IdeDevice *ide)
{
    IdeDisk *disk = (IdeDisk *)ide;

    disk->trim_left = disk->trim_at = disk->trim_end = 0;
    vit_timer_del(&disk->rest);
    disk->is_resting = false;
    disk->rest_count = 0;
    if (!ide->reverts_disabled) {
        ide->multiple = 0;
        ide->current_heads = (uint8_t)ide->geometry.heads;
        ide->current_sectors = (uint8_t)ide->geometry.sectors;
    }
}

static const IdeDeviceOps disk_ops = {
    .command = run_command,
    .pio_done = ide_disk_pio_done,
    .dma_run = ide_disk_dma_run,
    .proceed = ide_disk_proceed,
    .reset = reset,
};

static void
resume(void *opaque)
{
    IdeDevice *ide = opaque;

    if (ide->stopped) {
        ide->stopped = false;
        ide_disk_proceed(ide);
    }
    if (ide->bus->host->resume) {
        ide->bus->host->resume(ide->bus);
    }
}

static bool
check_geometry(const IdeDevice *ide, GError **error)
{
    const VitDriveGeometry *chs = &ide->geometry;

    if (chs->cylinders < 1 || chs->cylinders > 65535 || chs->heads < 1 || chs->heads > 16 ||
        chs->sectors < 1 || chs->sectors > 255) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "ide-hd: geometry %u/%u/%u is not possible: cyls=1..65535, heads=1..16, "
                    "secs=1..255.",
                    chs->cylinders, chs->heads, chs->sectors);
        return false;
    }
    return true;
}

static bool
disk_realize(VitDevice *dev, GError **error)
{
    IdeDevice *ide = (IdeDevice *)dev;
    VitDriveUser user = { .resume = resume, .opaque = ide };
    VitDrive *drive = ide->drive;

    if (ide->logical_block_bytes != IDE_SECTOR_BYTES) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "ide-hd: logical_block_size=%u: IDE disks have sectors of 512 bytes.",
                    ide->logical_block_bytes);
        return false;
    }
    if (!drive->ops->is_inserted(drive)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "ide-hd: drive '%s' has no image. Give it file=, or use ide-cd.", drive->id);
        return false;
    }
    if (drive->ops->is_read_only(drive)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION,
                    "ide-hd: drive '%s' is read-only, which an IDE disk cannot be. Use "
                    "snapshot=on, or another kind of disk.",
                    drive->id);
        return false;
    }
    if (!ide_device_realize(ide, &disk_ops, &user, error)) {
        return false;
    }
    vit_timer_init(&((IdeDisk *)dev)->rest, dev->platform->clock, ide_disk_rested, dev);
    vit_drive_guess_geometry(drive, &ide->geometry);
    if (!check_geometry(ide, error)) {
        ide_device_unrealize(ide);
        return false;
    }
    return true;
}

static void
disk_unrealize(VitDevice *dev)
{
    vit_timer_del(&((IdeDisk *)dev)->rest);
    ide_device_unrealize((IdeDevice *)dev);
}

static void
disk_reset(VitDevice *dev)
{
    IdeDevice *ide = (IdeDevice *)dev;

    ide->reverts_disabled = ide->smart_on = false;
    ((IdeDisk *)ide)->smart_state = 1;
    ide->smart_on = true;
    ide->read_look_ahead = true;
    ide->write_cache_on = ide->drive->enable_write_cache;
    ide->dma_mode = 0x45; /* UDMA 5, as firmware finds it */
    ide->hob_feature = 0;
    ide_device_reset(ide);
    ide_update_irq(ide->bus);
}

static bool
disk_post_load(VitDevice *dev, unsigned version, GError **error)
{
    IdeDisk *disk = (IdeDisk *)dev;
    IdeDevice *ide = &disk->ide;

    if (ide->op >= OP_LAST || ide->op_left > 65536 || disk->trim_end > ide->data_len_bytes ||
        disk->trim_at > disk->trim_end || disk->trim_at % 8 || ide->current_heads == 0 ||
        ide->current_heads > 16 || ide->current_sectors == 0 ||
        (disk->is_resting && (ide->op != OP_WRITE_PIO || ide->op_block > ide->op_left))) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "saved state of %s: its command state is impossible", dev->path);
        return false;
    }
    ide->drive->enable_write_cache = ide->write_cache_on;
    return ide_device_post_load(ide, error);
}

static const char *const on_error_words[] = { "auto", "report", "ignore", "stop", "enospc", NULL };
static const char *const translation_words[] = { "auto", "none", "lba", "large", NULL };

static const VitProp props[] = {
    VIT_PROP_BACKEND(IdeDisk, ide.drive, "drive", VIT_PROP_TYPE_DRIVE,
                     VIT_N_("Drive or block node that holds the data"), .flags = VIT_PROP_REQUIRED),
    VIT_PROP_INT(IdeDisk, ide.unit, "unit", -1, -1, 1,
                 VIT_N_("0 master, 1 slave; -1 the first that is free")),
    VIT_PROP_INT(IdeDisk, ide.bootindex, "bootindex", -1, -1, INT32_MAX,
                 VIT_N_("Place in the boot order; -1 none")),
    VIT_PROP_STRING(IdeDisk, ide.serial, "serial", NULL, VIT_N_("Serial number")),
    VIT_PROP_STRING(IdeDisk, ide.firmware, "ver", NULL, VIT_N_("Firmware version")),
    VIT_PROP_STRING(IdeDisk, ide.model, "model", NULL, VIT_N_("Model name")),
    VIT_PROP_UINT(IdeDisk, ide.wwn, "wwn", 0, 0, INT64_MAX, VIT_N_("World wide name"),
                  .flags = VIT_PROP_HEX),
    VIT_PROP_UINT(IdeDisk, ide.cylinders, "cyls", 0, 0, 65535, VIT_N_("Cylinders; 0 as found")),
    VIT_PROP_UINT(IdeDisk, ide.heads, "heads", 0, 0, 255, VIT_N_("Heads; 0 as found")),
    VIT_PROP_UINT(IdeDisk, ide.sectors, "secs", 0, 0, 255, VIT_N_("Sectors per track; 0 as found")),
    VIT_PROP_ENUM(IdeDisk, ide.translation, "bios-chs-trans", translation_words, 0,
                  VIT_N_("How the BIOS maps cylinders")),
    VIT_PROP_SIZE(IdeDisk, ide.logical_block_bytes, "logical_block_size", 512, 512, 32768,
                  VIT_N_("Sector size")),
    VIT_PROP_SIZE(IdeDisk, ide.physical_block_bytes, "physical_block_size", 512, 512, 32768,
                  VIT_N_("Sector size on the medium")),
    VIT_PROP_SIZE(IdeDisk, ide.discard_granularity_bytes, "discard_granularity", 512, 0, INT32_MAX,
                  VIT_N_("Unit of trimming")),
    VIT_PROP_UINT(IdeDisk, ide.rotation_rate, "rotation_rate", 0, 0, 65535,
                  VIT_N_("Rotations per minute; 1 = solid state, 0 = not said")),
    VIT_PROP_ONOFFAUTO(IdeDisk, ide.write_cache, "write-cache", VIT_AUTO,
                       VIT_N_("Volatile write cache; auto as the drive says")),
    VIT_PROP_BOOL(IdeDisk, is_slow, "win2k-install-hack", 0,
                  VIT_N_("Rests now and then while it is written, as the installer of Windows "
                         "2000 needs"),
                  .flags = VIT_PROP_HIDDEN),
    VIT_PROP_BOOL(IdeDisk, ide.share_rw, "share-rw", 0,
                  VIT_N_("Others may write to the image too")),
    VIT_PROP_ENUM(IdeDisk, ide.on_read_error, "rerror", on_error_words, 0,
                  VIT_N_("What a read error does")),
    VIT_PROP_ENUM(IdeDisk, ide.on_write_error, "werror", on_error_words, 0,
                  VIT_N_("What a write error does")),
    { 0 }
};

static const VitField state[] = {
    IDE_DEVICE_STATE(IdeDisk),      VIT_FIELD(IdeDisk, trim_left),   VIT_FIELD(IdeDisk, trim_at),
    VIT_FIELD(IdeDisk, trim_end),   VIT_FIELD(IdeDisk, smart_state), VIT_FIELD(IdeDisk, is_resting),
    VIT_FIELD(IdeDisk, rest_count), VIT_FIELD_TIMER(IdeDisk, rest),  { 0 },
};

const VitDeviceKind vit_ide_hd_kind = {
    .name = "ide-hd",
    .title = VIT_N_("IDE disk"),
    .bus = VIT_BUS_IDE,
    .category = VIT_CATEGORY_STORAGE,
    VIT_DEVICE_SIZE(IdeDisk, VitDevice),
    .props = props,
    .state = state,
    .state_version = 1,
    .realize = disk_realize,
    .unrealize = disk_unrealize,
    .reset = disk_reset,
    .post_load = disk_post_load,
};
