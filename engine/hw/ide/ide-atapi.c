/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* An ATAPI CD/DVD-ROM drive: the PACKET protocol, its data phases, media and tray.
 *
 * ATA/ATAPI-6 (T13 1410D) sections 8 and 9.11; SFF-8020i revision 2.6 for the interrupt reason.
 * Data goes through the device's buffer, by blocks of at most the host's byte count or by DMA.
 * Sectors sent raw get zeroes for the error correction codes. Overlap is not offered.
 *
 * Thread: device lock held. */

#include "ide.h"

#include "scsi/mmc.h"

#include "vit-error.h"

#include <string.h>

typedef struct IdeCd {
    IdeDevice ide;
    Mmc mmc;
    bool is_dma;           /* of this command */
    uint16_t byte_limit;   /* bytes per block of programmed I/O */
    uint32_t buffer_end;   /* bytes of data that are for the host */
    uint16_t sector_bytes; /* as sent to the host */
    uint8_t raw_parts;     /* READ CD: which parts of a sector, CDB byte 9 */
} IdeCd;

enum {
    OP_NONE,
    OP_PACKET,  /* the host writes the packet */
    OP_REPLY,   /* data, up to buffer_end, goes to the host */
    OP_READ,    /* the same, and op_left more sectors follow */
    OP_RECEIVE, /* the host writes parameters */
    OP_IDENTIFY,
    OP_LAST
};

/* Interrupt reason, in the sector count register. */
enum { REASON_COMMAND = 1, REASON_TO_HOST = 2 };

VIT_DEVICE_LAYOUT(IdeCd)

/* ---- ending a packet command ---- */

static void
end_packet(IdeCd *cd, uint8_t extra_status)
{
    cd->ide.count = REASON_COMMAND | REASON_TO_HOST;
    ide_finish(&cd->ide, extra_status);
}

static IdeCd *
cd_of(Mmc *mmc)
{
    return VIT_CONTAINER_OF(mmc, IdeCd, mmc);
}

static void
cd_good(Mmc *mmc)
{
    cd_of(mmc)->ide.error = 0;
    end_packet(cd_of(mmc), 0);
}

static void
cd_failed(Mmc *mmc)
{
    cd_of(mmc)->ide.error = (uint8_t)(mmc->sense_key << 4 | IDE_ERROR_ABRT);
    end_packet(cd_of(mmc), IDE_ERR);
}

/* ---- data to the host ---- */

/* Sectors that fit the buffer both as read and as sent. */
static uint32_t
sectors_per_fill(const IdeCd *cd)
{
    return IDE_BUFFER_BYTES / MAX(MMC_SECTOR_BYTES, MAX(cd->sector_bytes, 1));
}

/* Turns user data at the buffer's end into what is sent, from its start. */
static void
format_sectors(IdeCd *cd, uint32_t count)
{
    IdeDevice *ide = &cd->ide;
    uint8_t *out = ide->data, *from = ide->data + IDE_BUFFER_BYTES - count * MMC_SECTOR_BYTES;
    uint8_t user[MMC_SECTOR_BYTES];

    for (uint32_t i = 0; i < count; i++) {
        /* What is written never passes what is still to be read, but may touch this sector. */
        memcpy(user, from + i * MMC_SECTOR_BYTES, MMC_SECTOR_BYTES);
        out = mmc_put_sector(out, cd->raw_parts, (uint32_t)ide->op_lba + i, user);
    }
    cd->buffer_end = (uint32_t)(out - ide->data);
}

static void send_next(IdeCd *cd);

static void
fetched(IdeDevice *ide, int ret)
{
    IdeCd *cd = (IdeCd *)ide;
    uint32_t count = ide->op_buffered;

    if (ret < 0) {
        VitDriveError action = ide_error_action(ide, true, ret);
        if (action == VIT_DRIVE_STOP) {
            return;
        }
        if (action == VIT_DRIVE_REPORT) {
            if (cd->is_dma) {
                ide->bus->host->dma_done(ide->bus, false);
            }
            mmc_error(&cd->mmc, SENSE_MEDIUM_ERROR, ASC_UNRECOVERED_READ);
            return;
        }
    }
    format_sectors(cd, count);
    ide->op_lba += count;
    ide->op_left -= count;
    ide->op_buffered = 0;
    ide->data_at = 0;
    send_next(cd);
}

static void
fetch(IdeCd *cd)
{
    IdeDevice *ide = &cd->ide;
    uint32_t count = MIN(ide->op_left, sectors_per_fill(cd));
    uint32_t len = count * MMC_SECTOR_BYTES;

    ide->status = IDE_BSY | IDE_DRDY | IDE_DSC;
    ide->op_buffered = count;
    /* At the buffer's end: see format_sectors(). */
    ide->sg->iov[0] =
        (struct iovec){ .iov_base = ide->data + IDE_BUFFER_BYTES - len, .iov_len = len };
    ide_drive_read(ide, ide->op_lba * MMC_SECTOR_BYTES, ide->sg->iov, 1, fetched);
}

static void
set_byte_count(IdeCd *cd, uint32_t len)
{
    cd->ide.lba_mid = (uint8_t)len;
    cd->ide.lba_high = (uint8_t)(len >> 8);
}

static void
send_by_dma(IdeCd *cd)
{
    IdeDevice *ide = &cd->ide;

    if (!ide_sg_copy(ide, ide->data + ide->data_at, cd->buffer_end - ide->data_at, true)) {
        ide_dma_short(ide);
        return;
    }
    ide->data_at = cd->buffer_end;
    ide->waiting_dma = false;
    if (ide->op == OP_READ && ide->op_left > 0) {
        fetch(cd);
        return;
    }
    ide->bus->host->dma_done(ide->bus, false);
    cd_good(&cd->mmc);
}

/* A block: as much as the host takes at once, in whole sectors where it can. */
static uint32_t
block_len(const IdeCd *cd)
{
    uint32_t left = cd->buffer_end - cd->ide.data_at, limit = cd->byte_limit;

    if (left <= limit) {
        return left;
    }
    if (cd->ide.op == OP_READ && limit >= cd->sector_bytes) {
        return limit - limit % cd->sector_bytes;
    }
    return limit & ~1u;
}

static void
send_next(IdeCd *cd)
{
    IdeDevice *ide = &cd->ide;
    uint32_t len;

    if (ide->data_at >= cd->buffer_end) {
        if (ide->op == OP_READ && ide->op_left > 0) {
            fetch(cd);
        } else {
            cd_good(&cd->mmc);
        }
        return;
    }
    if (cd->is_dma) {
        ide_dma_begin(ide);
        return;
    }
    len = block_len(cd);
    set_byte_count(cd, len);
    ide->count = REASON_TO_HOST;
    ide_pio_in(ide, len, true);
}

static void
cd_reply(Mmc *mmc, uint32_t len)
{
    IdeCd *cd = cd_of(mmc);

    cd->ide.op = OP_REPLY;
    cd->ide.data_at = 0;
    cd->buffer_end = len;
    send_next(cd);
}

static void
cd_read(Mmc *mmc, uint32_t lba, uint32_t count, uint8_t parts)
{
    IdeCd *cd = cd_of(mmc);
    IdeDevice *ide = &cd->ide;

    cd->raw_parts = parts;
    cd->sector_bytes = (uint16_t)mmc_parts_len(parts);
    ide->op = OP_READ;
    ide->op_lba = lba;
    ide->op_left = count;
    ide->data_at = cd->buffer_end = 0;
    send_next(cd);
}

static void
cd_receive(Mmc *mmc, uint32_t len)
{
    IdeCd *cd = cd_of(mmc);
    IdeDevice *ide = &cd->ide;

    if (len == 0 || cd->is_dma) {
        cd_good(&cd->mmc);
        return;
    }
    len = MIN(len, cd->byte_limit);
    ide->op = OP_RECEIVE;
    ide->data_at = 0;
    set_byte_count(cd, len);
    ide->count = 0;
    ide_pio_out(ide, len, true);
}

static const MmcOps cd_mmc_ops = {
    .good = cd_good,
    .failed = cd_failed,
    .reply = cd_reply,
    .read = cd_read,
    .receive = cd_receive,
};

/* ---- what the channel calls ---- */

static void
pio_done(IdeDevice *ide)
{
    IdeCd *cd = (IdeCd *)ide;

    switch (ide->op) {
    case OP_PACKET:
        memcpy(cd->mmc.packet, ide->data, MMC_PACKET_BYTES);
        ide->op = OP_NONE;
        mmc_run(&cd->mmc);
        break;
    case OP_REPLY:
    case OP_READ: send_next(cd); break;
    case OP_RECEIVE: cd_good(&cd->mmc); break;
    default: ide_pio_ended(ide); break;
    }
}

static void
dma_run(IdeDevice *ide)
{
    send_by_dma((IdeCd *)ide);
}

static void
proceed(IdeDevice *ide)
{
    if (ide->op == OP_READ) {
        fetch((IdeCd *)ide);
    }
}

static void
command_packet(IdeCd *cd)
{
    IdeDevice *ide = &cd->ide;
    uint16_t limit = (uint16_t)(ide->lba_mid | ide->lba_high << 8);

    if (ide->feature & 0x02) { /* overlapped */
        ide_abort(ide);
        return;
    }
    cd->is_dma = ide->feature & 0x01;
    /* Zero is left to the device; the largest even count that is not all ones. */
    cd->byte_limit = limit < 2 || limit == 0xffff ? 0xfffe : limit;
    ide->op = OP_PACKET;
    ide->count = REASON_COMMAND;
    ide_pio_out(ide, MMC_PACKET_BYTES, false);
}

static void
set_features(IdeCd *cd)
{
    IdeDevice *ide = &cd->ide;
    uint8_t mode = ide->count;

    switch (ide->feature) {
    case 0x03:
        if (mode >> 3 == 4 || mode >> 3 == 8) {
            ide->dma_mode = mode;
        }
        ide_finish(ide, 0);
        break;
    case 0x66:
    case 0xcc:
        ide->reverts_disabled = ide->feature == 0x66;
        ide_finish(ide, 0);
        break;
    default: ide_abort(ide); break;
    }
}

static void
command(IdeDevice *ide, uint8_t command)
{
    IdeCd *cd = (IdeCd *)ide;

    ide->lba48 = false;
    switch (command) {
    case 0xa0: command_packet(cd); break; /* PACKET */
    case 0xa1:                            /* IDENTIFY PACKET DEVICE */
        ide_identify_packet(ide, ide->data);
        ide->op = OP_IDENTIFY;
        ide_pio_in(ide, IDE_SECTOR_BYTES, true);
        break;
    case 0xef: set_features(cd); break;   /* SET FEATURES */
    case 0xe0:                            /* STANDBY IMMEDIATE */
    case 0xe1:                            /* IDLE IMMEDIATE */
    case 0xe2:                            /* STANDBY */
    case 0xe3:                            /* IDLE */
    case 0xe6: ide_finish(ide, 0); break; /* SLEEP */
    case 0xe5:                            /* CHECK POWER MODE */
        ide->count = 0xff;
        ide_finish(ide, 0);
        break;
    case 0x20: /* READ SECTORS and */
    case 0xec: /* IDENTIFY DEVICE: by aborting with its signature a drive shows what it is */
        ide_set_signature(ide);
        ide_abort(ide);
        break;
    default: ide_abort(ide); break;
    }
}

static void
reset(IdeDevice *ide)
{
    IdeCd *cd = (IdeCd *)ide;

    cd->mmc.sense_key = SENSE_NONE;
    cd->mmc.sense_code = ASC_NONE;
    cd->is_dma = false;
    cd->buffer_end = 0;
    memset(cd->mmc.packet, 0, sizeof(cd->mmc.packet));
}

static const IdeDeviceOps cd_ops = {
    .is_packet = true,
    .command = command,
    .pio_done = pio_done,
    .dma_run = dma_run,
    .proceed = proceed,
    .reset = reset,
};

/* ---- media ---- */

static void
medium_changed(void *opaque, bool inserted)
{
    mmc_medium_changed(&((IdeCd *)opaque)->mmc, inserted);
}

static void
eject_requested(void *opaque, bool force)
{
    mmc_eject_requested(&((IdeCd *)opaque)->mmc, force);
}

static void
resume(void *opaque)
{
    IdeDevice *ide = opaque;

    if (ide->stopped) {
        ide->stopped = false;
        proceed(ide);
    }
}

/* ---- the device ---- */

static bool
cd_realize(VitDevice *dev, GError **error)
{
    IdeDevice *ide = (IdeDevice *)dev;
    VitDriveUser user = { .medium_changed = medium_changed,
                          .eject_requested = eject_requested,
                          .resume = resume,
                          .opaque = ide };

    if (!ide_device_realize(ide, &cd_ops, &user, error)) {
        return false;
    }
    ((IdeCd *)dev)->mmc = (Mmc){
        .ops = &cd_mmc_ops,
        .drive = ide->drive,
        .data = ide->data,
        .serial = ide->serial,
        .vendor = "VITRINE",
        .model = ide->model,
        .version = ide->firmware,
        .wwn = ide->wwn,
        .is_atapi = true,
    };
    return true;
}

static void
cd_unrealize(VitDevice *dev)
{
    IdeDevice *ide = (IdeDevice *)dev;

    ide->drive->ops->set_locked(ide->drive, false);
    ide_device_unrealize(ide);
}

static void
cd_reset(VitDevice *dev)
{
    IdeCd *cd = (IdeCd *)dev;

    mmc_reset(&cd->mmc);
    cd->byte_limit = 0xfffe;
    cd->sector_bytes = MMC_SECTOR_BYTES;
    cd->raw_parts = MMC_PART_USER;
    cd->ide.reverts_disabled = false;
    cd->ide.dma_mode = 0x45; /* UDMA 5, as firmware finds it */
    ide_device_reset(&cd->ide);
    ide_update_irq(cd->ide.bus);
}

static void
cd_pre_save(VitDevice *dev)
{
    mmc_pre_save(&((IdeCd *)dev)->mmc);
}

static bool
cd_post_load(VitDevice *dev, unsigned version, GError **error)
{
    IdeCd *cd = (IdeCd *)dev;
    IdeDevice *ide = &cd->ide;

    if (ide->op >= OP_LAST || cd->buffer_end > ide->data_len_bytes ||
        ide->data_at > MAX(cd->buffer_end, ide->data_end) || cd->byte_limit < 2 ||
        cd->sector_bytes != mmc_parts_len(cd->raw_parts) || cd->sector_bytes < 4) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "saved state of %s: its command state is impossible", dev->path);
        return false;
    }
    mmc_loaded(&cd->mmc);
    return ide_device_post_load(ide, error);
}

static const char *const on_error_words[] = { "auto", "report", "ignore", "stop", "enospc", NULL };

static const VitProp props[] = {
    VIT_PROP_BACKEND(IdeCd, ide.drive, "drive", VIT_PROP_TYPE_DRIVE,
                     VIT_N_("Drive that holds the medium, or none"), .flags = VIT_PROP_REQUIRED),
    VIT_PROP_INT(IdeCd, ide.unit, "unit", -1, -1, 1,
                 VIT_N_("0 master, 1 slave; -1 the first that is free")),
    VIT_PROP_INT(IdeCd, ide.bootindex, "bootindex", -1, -1, INT32_MAX,
                 VIT_N_("Place in the boot order; -1 none")),
    VIT_PROP_STRING(IdeCd, ide.serial, "serial", NULL, VIT_N_("Serial number")),
    VIT_PROP_STRING(IdeCd, ide.firmware, "ver", NULL, VIT_N_("Firmware version")),
    VIT_PROP_STRING(IdeCd, ide.model, "model", NULL, VIT_N_("Model name")),
    VIT_PROP_UINT(IdeCd, ide.wwn, "wwn", 0, 0, INT64_MAX, VIT_N_("World wide name"),
                  .flags = VIT_PROP_HEX),
    VIT_PROP_SIZE(IdeCd, ide.logical_block_bytes, "logical_block_size", 512, 512, 2048,
                  VIT_N_("Sector size of the drive behind")),
    VIT_PROP_SIZE(IdeCd, ide.physical_block_bytes, "physical_block_size", 512, 512, 32768,
                  VIT_N_("Sector size of the medium behind")),
    VIT_PROP_ONOFFAUTO(IdeCd, ide.write_cache, "write-cache", VIT_AUTO,
                       VIT_N_("Without meaning for a drive that only reads")),
    VIT_PROP_BOOL(IdeCd, ide.share_rw, "share-rw", 0, VIT_N_("Others may write to the image too")),
    VIT_PROP_ENUM(IdeCd, ide.on_read_error, "rerror", on_error_words, 0,
                  VIT_N_("What a read error does")),
    VIT_PROP_ENUM(IdeCd, ide.on_write_error, "werror", on_error_words, 0,
                  VIT_N_("What a write error does")),
    { 0 }
};

static const VitField state[] = {
    IDE_DEVICE_STATE(IdeCd),
    VIT_FIELD_NESTED(IdeCd, mmc, mmc_state),
    VIT_FIELD(IdeCd, is_dma),
    VIT_FIELD(IdeCd, byte_limit),
    VIT_FIELD(IdeCd, buffer_end),
    VIT_FIELD(IdeCd, sector_bytes),
    VIT_FIELD(IdeCd, raw_parts),
    /* properties of disks only */
    VIT_TRANSIENT(IdeCd, ide.cylinders),
    VIT_TRANSIENT(IdeCd, ide.heads),
    VIT_TRANSIENT(IdeCd, ide.sectors),
    VIT_TRANSIENT(IdeCd, ide.translation),
    VIT_TRANSIENT(IdeCd, ide.discard_granularity_bytes),
    VIT_TRANSIENT(IdeCd, ide.rotation_rate),
    { 0 },
};

const VitDeviceKind vit_ide_cd_kind = {
    .name = "ide-cd",
    .title = VIT_N_("IDE CD/DVD-ROM drive"),
    .bus = VIT_BUS_IDE,
    .category = VIT_CATEGORY_STORAGE,
    VIT_DEVICE_SIZE(IdeCd, VitDevice),
    .props = props,
    .state = state,
    .state_version = 1,
    .realize = cd_realize,
    .unrealize = cd_unrealize,
    .reset = cd_reset,
    .pre_save = cd_pre_save,
    .post_load = cd_post_load,
};
