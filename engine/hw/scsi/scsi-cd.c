/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A SCSI CD/DVD-ROM drive: carries the commands of mmc.c over a SCSI bus, and adds the few that
 * only SCSI drives have. MMC-3, SPC-3.
 *
 * One command at a time; others wait in order. User data goes straight to guest memory; sectors
 * with headers are put together in a buffer. Thread: device lock held. */

#include "mmc.h"

#include <string.h>

enum {
    BUFFER_SECTORS = 16,
    BUFFER_BYTES = BUFFER_SECTORS * MMC_RAW_SECTOR_BYTES,
    WAITING_MAX = 256
};

typedef struct ScsiCd {
    ScsiDevice s; /* first */
    Mmc mmc;
    uint8_t *data;
    /* the command under way, and its raw sectors; not saved */
    ScsiRequest *active, *waiting;
    uint32_t raw_lba, raw_left, raw_count;
    uint8_t raw_parts;
    struct iovec iov;
} ScsiCd;
VIT_DEVICE_LAYOUT(ScsiCd)

static ScsiCd *
cd_of(Mmc *mmc)
{
    return VIT_CONTAINER_OF(mmc, ScsiCd, mmc);
}

static void begin(ScsiCd *cd, ScsiRequest *request);

static void
start_waiting(ScsiCd *cd)
{
    ScsiRequest *request = cd->waiting;

    if (request && !cd->active) {
        cd->waiting = request->next;
        request->next = NULL;
        begin(cd, request);
    }
}

static ScsiRequest *
take_active(ScsiCd *cd)
{
    return g_steal_pointer(&cd->active);
}

/* ---- what mmc.c asks for ---- */

static void
cd_good(Mmc *mmc)
{
    scsi_good(take_active(cd_of(mmc)));
    start_waiting(cd_of(mmc));
}

static void
cd_failed(Mmc *mmc)
{
    scsi_check(take_active(cd_of(mmc)), mmc->sense_key, mmc->sense_code);
    start_waiting(cd_of(mmc));
}

static void
cd_reply(Mmc *mmc, uint32_t len)
{
    scsi_reply(take_active(cd_of(mmc)), mmc->data, len, len);
    start_waiting(cd_of(mmc));
}

static void
cd_receive(Mmc *mmc, uint32_t len)
{
    ScsiRequest *request = take_active(cd_of(mmc));

    request->moved_bytes = request->out ? MIN(len, request->out->len_bytes) : 0;
    scsi_good(request);
    start_waiting(cd_of(mmc));
}

static void fetch_raw(ScsiCd *cd);

static void
raw_fetched(void *opaque, int ret)
{
    ScsiCd *cd = opaque;
    ScsiRequest *request = cd->active;
    uint8_t out[MMC_RAW_SECTOR_BYTES];

    cd->s.in_flight--;
    if (ret < 0) {
        mmc_error(&cd->mmc, SENSE_MEDIUM_ERROR, ASC_UNRECOVERED_READ);
        return;
    }
    for (uint32_t i = 0; i < cd->raw_count; i++) {
        const uint8_t *end = mmc_put_sector(out, cd->raw_parts, cd->raw_lba + i,
                                            cd->data + (size_t)i * MMC_SECTOR_BYTES);
        if (request->in) {
            request->moved_bytes +=
                vit_sg_write(request->in, request->moved_bytes, out, (uint64_t)(end - out));
        }
    }
    cd->raw_lba += cd->raw_count;
    cd->raw_left -= cd->raw_count;
    if (cd->raw_left > 0 && !cd->s.is_purging) {
        fetch_raw(cd);
    } else {
        cd_good(&cd->mmc);
    }
}

static void
fetch_raw(ScsiCd *cd)
{
    cd->raw_count = MIN(cd->raw_left, BUFFER_SECTORS);
    cd->iov =
        (struct iovec){ .iov_base = cd->data, .iov_len = (size_t)cd->raw_count * MMC_SECTOR_BYTES };
    cd->s.in_flight++;
    cd->s.drive->ops->read(cd->s.drive, (uint64_t)cd->raw_lba * MMC_SECTOR_BYTES, &cd->iov, 1,
                           raw_fetched, cd);
}

static void
cd_read(Mmc *mmc, uint32_t lba, uint32_t count, uint8_t parts)
{
    ScsiCd *cd = cd_of(mmc);
    ScsiRequest *request;

    if (parts != MMC_PART_USER) {
        cd->raw_lba = lba;
        cd->raw_left = count;
        cd->raw_parts = parts;
        fetch_raw(cd);
        return;
    }
    request = take_active(cd);
    request->offset = (uint64_t)lba * MMC_SECTOR_BYTES;
    request->len = (uint64_t)count * MMC_SECTOR_BYTES;
    scsi_drive_read(request);
    start_waiting(cd);
}

static const MmcOps mmc_ops = {
    .good = cd_good,
    .failed = cd_failed,
    .reply = cd_reply,
    .read = cd_read,
    .receive = cd_receive,
};

/* ---- commands ---- */

/* The six-byte forms that SCSI has and ATAPI left out, as their ten-byte ones. */
static void
widen(const uint8_t *cdb, uint8_t *packet)
{
    memcpy(packet, cdb, SCSI_CDB_MAX);
    switch (cdb[0]) {
    case 0x08: /* READ (6) */
        memset(packet, 0, SCSI_CDB_MAX);
        packet[0] = 0x28;
        scsi_put32(packet + 2, scsi_get24(cdb + 1) & 0x1fffff);
        scsi_put16(packet + 7, cdb[4] ? cdb[4] : 256);
        break;
    default: break;
    }
}

static void
begin(ScsiCd *cd, ScsiRequest *request)
{
    cd->active = request;
    widen(request->cdb, cd->mmc.packet);
    mmc_run(&cd->mmc);
}

static void
run_command(ScsiDevice *scsi, ScsiRequest *request)
{
    ScsiCd *cd = (ScsiCd *)scsi;
    ScsiRequest **last = &cd->waiting;
    unsigned count = 0;

    if (!cd->active) {
        begin(cd, request);
        return;
    }
    for (; *last; last = &(*last)->next) {
        count++;
    }
    if (count >= WAITING_MAX) {
        request->status = SCSI_BUSY;
        request->done(request);
        return;
    }
    request->next = NULL;
    *last = request;
}

static void
purge(ScsiDevice *scsi)
{
    ScsiCd *cd = (ScsiCd *)scsi;

    while (cd->waiting) {
        ScsiRequest *request = cd->waiting;
        cd->waiting = request->next;
        request->next = NULL;
        request->status = SCSI_TASK_ABORTED;
        request->done(request);
    }
}

static const ScsiDeviceOps cd_ops = {
    .command = run_command,
    .repeat = run_command,
    .purge = purge,
};

/* ---- the device ---- */

static void
medium_changed(void *opaque, bool inserted)
{
    mmc_medium_changed(&((ScsiCd *)opaque)->mmc, inserted);
}

static void
eject_requested(void *opaque, bool force)
{
    mmc_eject_requested(&((ScsiCd *)opaque)->mmc, force);
}

static bool
cd_realize(VitDevice *dev, GError **error)
{
    ScsiCd *cd = (ScsiCd *)dev;
    ScsiDevice *scsi = &cd->s;
    VitDriveUser user = { .medium_changed = medium_changed,
                          .eject_requested = eject_requested,
                          .resume = scsi_device_resume,
                          .opaque = scsi };

    scsi->drive->removable = true;
    scsi->block_bytes = MMC_SECTOR_BYTES;
    if (!scsi_device_realize(scsi, &cd_ops, &user, error)) {
        return false;
    }
    cd->data = g_malloc0(BUFFER_BYTES);
    cd->mmc = (Mmc){
        .ops = &mmc_ops,
        .drive = scsi->drive,
        .data = cd->data,
        .serial = scsi->device_id,
        .vendor = scsi->vendor,
        .model = scsi->product,
        .version = scsi->version,
        .wwn = scsi->wwn,
    };
    return true;
}

static void
cd_unrealize(VitDevice *dev)
{
    ScsiCd *cd = (ScsiCd *)dev;

    cd->s.drive->ops->set_locked(cd->s.drive, false);
    scsi_device_unrealize(&cd->s);
    g_clear_pointer(&cd->data, g_free);
}

static void
cd_reset(VitDevice *dev)
{
    ScsiCd *cd = (ScsiCd *)dev;

    scsi_device_reset(&cd->s);
    mmc_reset(&cd->mmc);
}

static void
cd_pre_save(VitDevice *dev)
{
    mmc_pre_save(&((ScsiCd *)dev)->mmc);
}

static bool
cd_post_load(VitDevice *dev, unsigned version, GError **error)
{
    mmc_loaded(&((ScsiCd *)dev)->mmc);
    return true;
}

static const VitProp props[] = {
    VIT_PROP_BACKEND(ScsiCd, s.drive, "drive", VIT_PROP_TYPE_DRIVE,
                     VIT_N_("Drive that holds the medium, or none"), .flags = VIT_PROP_REQUIRED),
    SCSI_DEVICE_PROPS(ScsiCd, s, "VITRINE CD-ROM"),
    VIT_PROP_SIZE(ScsiCd, s.logical_block_bytes, "logical_block_size", 512, 512, 2048,
                  VIT_N_("Sector size of the drive behind")),
    VIT_PROP_SIZE(ScsiCd, s.physical_block_bytes, "physical_block_size", 512, 512, 32768,
                  VIT_N_("Sector size of the medium behind")),
    { 0 },
};

static const VitField state[] = {
    SCSI_DEVICE_STATE(ScsiCd, s),     VIT_FIELD_NESTED(ScsiCd, mmc, mmc_state),
    VIT_TRANSIENT(ScsiCd, data), /* wiring, and what only a command under way needs */
    VIT_TRANSIENT(ScsiCd, active),    VIT_TRANSIENT(ScsiCd, waiting),
    VIT_TRANSIENT(ScsiCd, raw_lba),   VIT_TRANSIENT(ScsiCd, raw_left),
    VIT_TRANSIENT(ScsiCd, raw_count), VIT_TRANSIENT(ScsiCd, raw_parts),
    VIT_TRANSIENT(ScsiCd, iov),       { 0 },
};

const VitDeviceKind vit_scsi_cd_kind = {
    .name = "scsi-cd",
    .title = VIT_N_("SCSI CD/DVD-ROM drive"),
    .bus = VIT_BUS_SCSI,
    .category = VIT_CATEGORY_STORAGE,
    VIT_DEVICE_SIZE(ScsiCd, VitDevice),
    .props = props,
    .state = state,
    .state_version = 1,
    .realize = cd_realize,
    .unrealize = cd_unrealize,
    .reset = cd_reset,
    .pre_save = cd_pre_save,
    .post_load = cd_post_load,
};
