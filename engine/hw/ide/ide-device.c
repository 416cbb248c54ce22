/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What disks and optical drives have in common: being on a channel, ending commands, requests to
 * the drive and their errors.
 *
 * A request in flight is waited for before anything resets the device, so that no late transfer
 * touches guest memory; its callback is then dropped. ATA/ATAPI-6 section 9. Thread: device lock
 * held. */

#include "ide.h"
#include "piix3-ide.h"

#include "vit-error.h"

#include <string.h>

/* ---- on the channel ---- */

static bool
choose_unit(IdeDevice *ide, IdeBus *bus, GError **error)
{
    unsigned unit;

    if (ide->unit >= bus->max_units) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "%s: unit=%d: %s. Choose another with bus=.", ide->dev.kind->name, ide->unit,
                    bus->max_units > 1 ? "an IDE channel has units 0 and 1"
                                       : "a SATA port has unit 0 only");
        return false;
    }
    unit = ide->unit >= 0 ? (unsigned)ide->unit : bus->devices[0] && bus->max_units > 1 ? 1 : 0;
    if (bus->devices[unit]) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                    "%s: %s of IDE channel %s is taken by %s. Choose another bus= or unit=.",
                    ide->dev.kind->name, ide->unit >= 0 ? "the place" : "every place",
                    bus->bus.name, bus->devices[unit]->dev.kind->name);
        return false;
    }
    ide->number = unit;
    ide->unit = (int32_t)unit; /* shown, and named in the boot order */
    return true;
}

static void
apply_drive_properties(IdeDevice *ide)
{
    VitDrive *drive = ide->drive;

    if (ide->write_cache != VIT_AUTO) {
        drive->enable_write_cache = ide->write_cache == VIT_ON;
    }
    if (ide->on_read_error) {
        drive->on_read_error = (uint8_t)ide->on_read_error;
    }
    if (ide->on_write_error) {
        drive->on_write_error = (uint8_t)ide->on_write_error;
    }
    drive->geometry.cylinders = ide->cylinders ? ide->cylinders : drive->geometry.cylinders;
    drive->geometry.heads = ide->heads ? ide->heads : drive->geometry.heads;
    drive->geometry.sectors = ide->sectors ? ide->sectors : drive->geometry.sectors;
    if (ide->translation) {
        drive->geometry.translation = (uint8_t)ide->translation;
    }
    drive->logical_block_bytes = ide->logical_block_bytes;
    drive->physical_block_bytes = ide->physical_block_bytes;
}

static void
fill_names(IdeDevice *ide)
{
    if (!ide->serial) {
        ide->serial =
            ide->drive->serial
                ? g_strdup(ide->drive->serial)
                : g_strdup_printf("VT%05u", ide->number + 1 +
                                                2 * (ide->bus->bus.name &&
                                                     g_str_has_suffix(ide->bus->bus.name, "1")));
    }
    if (!ide->firmware) {
        ide->firmware = g_strdup("0.1");
    }
    if (!ide->model) {
        ide->model = g_strdup(ide->ops->is_packet ? "VITRINE DVD-ROM" : "VITRINE HARDDISK");
    }
}

bool
ide_device_realize(IdeDevice *ide, const IdeDeviceOps *ops, const VitDriveUser *user,
                   GError **error)
{
    IdeBus *bus = (IdeBus *)ide->dev.bus;

    ide->ops = ops;
    if (!choose_unit(ide, bus, error) || !vit_drive_attach(ide->drive, user, error)) {
        return false;
    }
    ide->bus = bus;
    ide->drive->removable = ops->is_packet;
    apply_drive_properties(ide);
    fill_names(ide);
    ide->data_len_bytes = IDE_BUFFER_BYTES;
    ide->data = g_malloc0(IDE_BUFFER_BYTES);
    ide->sg = g_new0(IdeSg, 1);
    bus->devices[ide->number] = ide;
    return true;
}

void
ide_device_unrealize(IdeDevice *ide)
{
    ide->is_resetting = true;
    vit_drive_detach(ide->drive);
    ide->is_resetting = false;
    ide->bus->devices[ide->number] = NULL;
    ide->irq_pending = false;
    ide_update_irq(ide->bus);
    g_clear_pointer(&ide->data, g_free);
    g_clear_pointer(&ide->sg, g_free);
    ide->data_len_bytes = 0;
}

void
ide_set_signature(IdeDevice *ide)
{
    ide->count = 1;
    ide->lba_low = 1;
    ide->lba_mid = ide->ops->is_packet ? 0x14 : 0;
    ide->lba_high = ide->ops->is_packet ? 0xeb : 0;
    ide->hob_count = ide->hob_lba_low = ide->hob_lba_mid = ide->hob_lba_high = 0;
}

void
ide_device_reset(IdeDevice *ide)
{
    if (ide->in_flight) {
        ide->is_resetting = true;
        ide->drive->ops->drain(ide->drive);
        ide->is_resetting = false;
    }
    ide->op = 0;
    ide->op_lba = 0;
    ide->op_left = ide->op_block = ide->op_buffered = 0;
    ide->lba48 = ide->waiting_dma = ide->stopped = ide->irq_pending = false;
    ide->pio = IDE_PIO_NONE;
    ide->data_at = ide->data_end = 0;
    ide->feature = ide->hob_feature = ide->command = 0;
    ide->error = 0x01; /* diagnostics passed */
    ide->status = ide->ops->is_packet ? 0 : IDE_DRDY | IDE_DSC;
    ide_set_signature(ide);
    ide->ops->reset(ide);
}

bool
ide_device_post_load(IdeDevice *ide, GError **error)
{
    bool bad = ide->data_end > ide->data_len_bytes || ide->data_at > ide->data_end ||
               ide->pio > IDE_PIO_OUT || ide->op_block > ide->data_len_bytes / IDE_SECTOR_BYTES ||
               ide->op_buffered > ide->data_len_bytes / IDE_SECTOR_BYTES ||
               (ide->pio != IDE_PIO_NONE && ide->data_at >= ide->data_end) || ide->multiple > 16 ||
               (ide->multiple & (ide->multiple - 1));

    if (bad) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "saved state of %s: its buffer positions contradict each other", ide->dev.path);
    }
    return !bad;
}

/* ---- ending commands ---- */

static void
tell_end(IdeDevice *ide)
{
    if (ide->bus->host->command_ended) {
        ide->bus->host->command_ended(ide->bus);
    }
}

void
ide_finish(IdeDevice *ide, uint8_t extra_status)
{
    ide->op = 0;
    ide->waiting_dma = false;
    ide->pio = IDE_PIO_NONE;
    ide->status = IDE_DRDY | IDE_DSC | extra_status;
    ide_set_irq(ide);
    tell_end(ide);
}

void
ide_pio_ended(IdeDevice *ide)
{
    ide->op = 0;
    ide->status = IDE_DRDY | IDE_DSC;
    tell_end(ide);
}

void
ide_fail(IdeDevice *ide, uint8_t error)
{
    ide->error = error;
    ide_finish(ide, IDE_ERR);
}

void
ide_abort(IdeDevice *ide)
{
    ide_fail(ide, IDE_ERROR_ABRT);
}

void
ide_dma_begin(IdeDevice *ide)
{
    ide->waiting_dma = true;
    ide->status = IDE_BSY | IDE_DRDY | IDE_DSC;
    ide->bus->host->dma_request(ide->bus);
}

void
ide_dma_short(IdeDevice *ide)
{
    vit_guest_error(&ide->dev, "DMA list shorter than the transfer of command %02xh", ide->command);
    ide->op = 0;
    ide->waiting_dma = false;
    ide->status = IDE_DRDY | IDE_DSC;
    ide->bus->host->dma_done(ide->bus, true);
    tell_end(ide);
}

/* ---- requests to the drive ---- */

typedef struct Request {
    IdeDevice *ide;
    IdeDone done;
} Request;

static void
request_done(void *opaque, int ret)
{
    Request request = *(Request *)opaque;

    g_free(opaque);
    request.ide->in_flight = false;
    if (request.ide->is_resetting) {
        /* The list is let go of even though nobody wants the result. */
        if (request.ide->sg->count > 0) {
            ide_sg_finish(request.ide, ret == 0 ? request.ide->sg->len_bytes : 0);
        }
        return;
    }
    request.done(request.ide, ret);
}

static Request *
new_request(IdeDevice *ide, IdeDone done)
{
    Request *request = g_new(Request, 1);

    g_assert(!ide->in_flight);
    request->ide = ide;
    request->done = done;
    ide->in_flight = true;
    return request;
}

void
ide_drive_read(IdeDevice *ide, uint64_t offset, const struct iovec *iov, int count, IdeDone done)
{
    ide->drive->ops->read(ide->drive, offset, iov, count, request_done, new_request(ide, done));
}

void
ide_drive_write(IdeDevice *ide, uint64_t offset, const struct iovec *iov, int count, IdeDone done)
{
    ide->drive->ops->write(ide->drive, offset, iov, count, false, request_done,
                           new_request(ide, done));
}

void
ide_drive_flush(IdeDevice *ide, IdeDone done)
{
    ide->drive->ops->flush(ide->drive, request_done, new_request(ide, done));
}

void
ide_drive_discard(IdeDevice *ide, uint64_t offset, uint64_t len, IdeDone done)
{
    ide->drive->ops->discard(ide->drive, offset, len, request_done, new_request(ide, done));
}

VitDriveError
ide_error_action(IdeDevice *ide, bool is_read, int ret)
{
    VitDriveError action = ide->drive->ops->error_action(ide->drive, is_read, -ret);

    ide->stopped = action == VIT_DRIVE_STOP;
    return action;
}

bool
vit_ide_get_geometry(VitBus *channel, unsigned unit, VitDriveGeometry *out)
{
    const IdeDevice *ide = unit < 2 ? ((IdeBus *)channel)->devices[unit] : NULL;

    if (!ide || ide->ops->is_packet) {
        return false;
    }
    *out = ide->geometry;
    return true;
}
