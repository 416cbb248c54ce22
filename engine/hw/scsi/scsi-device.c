/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What all logical units share: their place on the bus, ending requests, sense data, requests to
 * the drive and their errors, resets. SAM-5, SPC-4 section 4.5.3 (fixed format sense data).
 *
 * A request that failed and whose policy stops the machine waits in a list and is repeated when it
 * goes on. Controllers save what waits, and repeat it after a load. Thread: device lock held. */

#include "scsi.h"

#include "vit-error.h"

#include <errno.h>
#include <string.h>

const char *const scsi_on_error_words[] = { "auto", "report", "ignore", "stop", "enospc", NULL };

void
scsi_put_padded(uint8_t *out, const char *text, size_t len)
{
    size_t text_len = text ? MIN(strlen(text), len) : 0;

    memset(out, ' ', len);
    if (text_len) {
        memcpy(out, text, text_len);
    }
}

/* ---- place on the bus ---- */

static bool
choose_place(ScsiDevice *scsi, ScsiBus *bus, GError **error)
{
    const ScsiHostOps *host = bus->host;
    const char *name = scsi->dev.kind->name;

    if (scsi->target > (int)host->max_target || scsi->lun > (int)host->max_lun) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s: bus %s has scsi-id=0..%u and lun=0..%u.", name, bus->bus.name,
                    host->max_target, host->max_lun);
        return false;
    }
    if (scsi->target < 0) {
        int target = 0;
        while (target <= (int)host->max_target &&
               scsi_bus_find(bus, scsi->channel, target, scsi->lun < 0 ? 0 : scsi->lun)) {
            target++;
        }
        if (target > (int)host->max_target) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                        "%s: every target of bus %s is taken; add a controller.", name,
                        bus->bus.name);
            return false;
        }
        scsi->target = target;
    }
    if (scsi->lun < 0) {
        scsi->lun = 0;
        while (scsi->lun < (int)host->max_lun &&
               scsi_bus_find(bus, scsi->channel, scsi->target, scsi->lun)) {
            scsi->lun++;
        }
    }
    if (scsi_bus_find(bus, scsi->channel, scsi->target, scsi->lun)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "%s: scsi-id=%d lun=%d of bus %s is taken. Choose another.", name, scsi->target,
                    scsi->lun, bus->bus.name);
        return false;
    }
    return true;
}

bool
scsi_device_realize(ScsiDevice *scsi, const ScsiDeviceOps *ops, const VitDriveUser *user,
                    GError **error)
{
    ScsiBus *bus = (ScsiBus *)scsi->dev.bus;
    VitDrive *drive = scsi->drive;

    scsi->ops = ops;
    if (!choose_place(scsi, bus, error) || !vit_drive_attach(drive, user, error)) {
        return false;
    }
    scsi->bus = bus;
    scsi->block_bytes = scsi->block_bytes ? scsi->block_bytes : scsi->logical_block_bytes;
    if (scsi->write_cache != VIT_AUTO) {
        drive->enable_write_cache = scsi->write_cache == VIT_ON;
    }
    if (scsi->on_read_error) {
        drive->on_read_error = (uint8_t)scsi->on_read_error;
    }
    if (scsi->on_write_error) {
        drive->on_write_error = (uint8_t)scsi->on_write_error;
    }
    drive->logical_block_bytes = scsi->logical_block_bytes;
    drive->physical_block_bytes = scsi->physical_block_bytes;
    if (!scsi->serial && drive->serial) {
        scsi->serial = g_strdup(drive->serial);
    }
    if (!scsi->device_id) {
        scsi->device_id = g_strdup(scsi->serial ? scsi->serial : drive->id);
    }
    if (bus->host->event) {
        bus->host->event(bus, scsi, SCSI_EVENT_ADDED, 0);
    }
    return true;
}

void
scsi_device_unrealize(ScsiDevice *scsi)
{
    scsi_device_purge(scsi);
    if (scsi->bus->host->event) {
        scsi->bus->host->event(scsi->bus, scsi, SCSI_EVENT_REMOVED, 0);
    }
    vit_drive_detach(scsi->drive);
}

/* ---- resets ---- */

void
scsi_device_purge(ScsiDevice *scsi)
{
    ScsiRequest *request;

    if (scsi->in_flight > 0) {
        scsi->is_purging = true;
        scsi->drive->ops->drain(scsi->drive);
        scsi->is_purging = false;
    }
    while ((request = scsi->stopped)) {
        scsi->stopped = request->next;
        request->next = NULL;
        request->status = SCSI_TASK_ABORTED;
        request->done(request);
    }
    if (scsi->ops->purge) {
        scsi->ops->purge(scsi);
    }
}

void
scsi_device_reset(ScsiDevice *scsi)
{
    scsi_device_purge(scsi);
    scsi->attention = ASC_RESET;
}

void
scsi_device_reset_unit(ScsiDevice *scsi)
{
    vit_device_reset(&scsi->dev);
}

void
scsi_device_attention(ScsiDevice *scsi, uint16_t code)
{
    scsi->attention = code;
    if (scsi->bus->host->event) {
        scsi->bus->host->event(scsi->bus, scsi, SCSI_EVENT_CHANGED, code);
    }
}

void
scsi_device_resume(void *opaque)
{
    ScsiDevice *scsi = opaque;
    ScsiRequest *request = g_steal_pointer(&scsi->stopped);

    while (request) {
        ScsiRequest *next = g_steal_pointer(&request->next);
        scsi->ops->repeat(scsi, request);
        request = next;
    }
}

/* ---- ending requests ---- */

void
scsi_fill_sense(uint8_t out[SCSI_SENSE_BYTES], uint8_t key, uint16_t code)
{
    memset(out, 0, SCSI_SENSE_BYTES);
    out[0] = 0x70; /* current error, fixed format */
    out[2] = key;
    out[7] = SCSI_SENSE_BYTES - 8;
    scsi_put16(out + 12, code);
}

void
scsi_good(ScsiRequest *request)
{
    request->status = SCSI_GOOD;
    request->done(request);
}

void
scsi_check(ScsiRequest *request, uint8_t key, uint16_t code)
{
    request->status = SCSI_CHECK_CONDITION;
    request->has_sense = true;
    request->moved_bytes = 0;
    scsi_fill_sense(request->sense, key, code);
    request->done(request);
}

void
scsi_reply(ScsiRequest *request, const void *reply, uint32_t len, uint32_t allocation)
{
    len = MIN(len, allocation);
    if (request->in) {
        request->moved_bytes = vit_sg_write(request->in, 0, reply, len);
    }
    scsi_good(request);
}

bool
scsi_take(ScsiRequest *request, void *buf, uint32_t len)
{
    if (!request->out || vit_sg_read(request->out, 0, buf, len) < len) {
        scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_PARAMETER_LENGTH);
        return false;
    }
    request->moved_bytes = len;
    return true;
}

/* ---- the drive ---- */

enum { FLAG_READ = 1 };

void
scsi_drive_submitted(ScsiRequest *request)
{
    request->device->in_flight++;
}

static void
report_error(ScsiRequest *request, int error)
{
    switch (error) {
    case ENOMEDIUM: scsi_check(request, SENSE_NOT_READY, ASC_NO_MEDIUM); break;
    case EROFS:
    case EPERM: scsi_check(request, SENSE_DATA_PROTECT, ASC_WRITE_PROTECTED); break;
    case EINVAL: scsi_check(request, SENSE_ILLEGAL_REQUEST, ASC_BAD_FIELD); break;
    default:
        scsi_check(request, SENSE_MEDIUM_ERROR,
                   request->flags & FLAG_READ ? ASC_UNRECOVERED_READ : ASC_WRITE_ERROR);
        break;
    }
}

void
scsi_drive_done(void *opaque, int ret)
{
    ScsiRequest *request = opaque;
    ScsiDevice *scsi = request->device;
    VitDriveError action;

    scsi->in_flight--;
    if (ret == 0) {
        scsi_good(request);
        return;
    }
    action = scsi->is_purging
                 ? VIT_DRIVE_REPORT
                 : scsi->drive->ops->error_action(scsi->drive, request->flags & FLAG_READ, -ret);
    switch (action) {
    case VIT_DRIVE_IGNORE: scsi_good(request); break;
    case VIT_DRIVE_STOP:
        request->next = scsi->stopped;
        scsi->stopped = request;
        break;
    case VIT_DRIVE_REPORT: report_error(request, -ret); break;
    }
}

/* Cuts LIST to what the request moves. */
static bool
fit(ScsiRequest *request, VitSg *list)
{
    if (!list || list->len_bytes == 0 || request->len == 0) {
        scsi_good(request);
        return false;
    }
    if (list->len_bytes > request->len) {
        vit_sg_drop_back(list, list->len_bytes - request->len);
    } else if (list->len_bytes < request->len) {
        /* whole blocks of what there is room for */
        vit_sg_drop_back(list, list->len_bytes % request->device->logical_block_bytes);
        if (list->len_bytes == 0) {
            scsi_good(request);
            return false;
        }
    }
    request->moved_bytes = list->len_bytes;
    return true;
}

void
scsi_drive_read(ScsiRequest *request)
{
    ScsiDevice *scsi = request->device;

    request->flags |= FLAG_READ;
    if (fit(request, request->in)) {
        scsi_drive_submitted(request);
        scsi->drive->ops->read(scsi->drive, request->offset, vit_sg_iov(request->in),
                               vit_sg_iov_count(request->in), scsi_drive_done, request);
    }
}

void
scsi_drive_write(ScsiRequest *request, bool fua)
{
    ScsiDevice *scsi = request->device;

    if (fit(request, request->out)) {
        scsi_drive_submitted(request);
        scsi->drive->ops->write(scsi->drive, request->offset, vit_sg_iov(request->out),
                                vit_sg_iov_count(request->out), fua, scsi_drive_done, request);
    }
}
