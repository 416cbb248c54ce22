/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Native command queueing: READ and WRITE FPDMA QUEUED, up to 32 at once, which go straight to the
 * drive. Serial ATA 3.0 section 13.6 (queueing, log page 10h); ACS-2 section 7.
 *
 * A queued command leaves the issue register as soon as it is taken; a set device bits FIS tells of
 * its end. After a failure the port stands still, and log 10h says which command it was. A failure
 * whose policy stops the machine leaves the command in ncq_waiting, to be read from its slot and
 * repeated. Thread: device lock held. */

#include "ahci.h"

#include <string.h>

enum {
    READ_FPDMA_QUEUED = 0x60,
    WRITE_FPDMA_QUEUED = 0x61,
    FIS_SET_DEVICE_BITS = 0xa1,
    FIS_INTERRUPT = 0x40,
};

bool
ahci_is_queued(uint8_t command)
{
    return command == READ_FPDMA_QUEUED || command == WRITE_FPDMA_QUEUED;
}

bool
ahci_ncq_in_flight(const AhciPort *port)
{
    for (unsigned slot = 0; port->ncq && slot < AHCI_SLOTS; slot++) {
        if (port->ncq[slot].active) {
            return true;
        }
    }
    return false;
}

static void
send_bits(AhciPort *port, uint32_t finished, uint8_t status, uint8_t error)
{
    uint8_t fis[8] = { FIS_SET_DEVICE_BITS, FIS_INTERRUPT, status & 0x77, error };

    for (unsigned i = 0; i < 4; i++) {
        fis[4 + i] = (uint8_t)(finished >> 8 * i);
    }
    port->sata_active &= ~finished;
    port->task_file = (port->task_file & ~0xff77u) | (status & 0x77u) | (uint32_t)error << 8;
    ahci_port_write_fis(port, AHCI_FIS_SDB, fis, sizeof(fis));
    ahci_port_interrupt(port, AHCI_IS_SDBS | (status & IDE_ERR ? AHCI_IS_TFES : 0));
}

static void
fail(AhciPort *port, unsigned slot, uint64_t lba, uint8_t error)
{
    port->ncq_error_tag = (uint8_t)slot;
    port->ncq_error_status = error;
    port->ncq_error_lba = lba;
    port->stuck = true;
    send_bits(port, 0, IDE_DRDY | IDE_DSC | IDE_ERR, error);
}

static void
moved(void *opaque, int ret)
{
    AhciNcq *ncq = opaque;
    AhciPort *port = ncq->port;
    IdeDevice *ide = ahci_device(port);
    VitDriveError action = VIT_DRIVE_IGNORE;

    ncq->active = false;
    vit_sg_finish(&ncq->sg, ret == 0 ? ncq->len_bytes : 0);
    if (ide->is_resetting) {
        return;
    }
    if (ret < 0) {
        action = ide->drive->ops->error_action(ide->drive, ncq->is_read, -ret);
    }
    switch (action) {
    case VIT_DRIVE_IGNORE: send_bits(port, 1u << ncq->slot, IDE_DRDY | IDE_DSC, 0); break;
    case VIT_DRIVE_STOP: port->ncq_waiting |= 1u << ncq->slot; break;
    case VIT_DRIVE_REPORT:
        fail(port, ncq->slot, ncq->offset / IDE_SECTOR_BYTES,
             ncq->is_read ? IDE_ERROR_UNC : IDE_ERROR_ABRT);
        break;
    }
}

/* Guest memory for the command; false when its list is too short. */
static bool
gather(AhciNcq *ncq, const AhciHeader *header)
{
    uint64_t left = ncq->len_bytes, address;
    uint32_t len;

    vit_sg_init(&ncq->sg, ahci_space(ncq->port), ncq->is_read);
    for (uint32_t index = 0; left > 0; index++) {
        if (!ahci_prd_entry(ncq->port, header, index, &address, &len) ||
            !vit_sg_add(&ncq->sg, address, MIN(left, len))) {
            vit_sg_finish(&ncq->sg, 0);
            return false;
        }
        left -= MIN(left, len);
    }
    return true;
}

static void
submit(AhciPort *port, unsigned slot, const AhciHeader *header, const uint8_t fis[20])
{
    IdeDevice *ide = ahci_device(port);
    AhciNcq *ncq = &port->ncq[slot];
    uint64_t total = ide->drive->ops->get_len(ide->drive) / IDE_SECTOR_BYTES;
    uint64_t lba = fis[4] | fis[5] << 8 | fis[6] << 16 | (uint64_t)fis[8] << 24 |
                   (uint64_t)fis[9] << 32 | (uint64_t)fis[10] << 40;
    uint32_t sectors = fis[3] | fis[11] << 8;

    sectors = sectors ? sectors : 65536;
    ncq->port = port;
    ncq->slot = (uint8_t)slot;
    ncq->is_read = fis[2] == READ_FPDMA_QUEUED;
    ncq->fua = fis[7] & 0x80;
    ncq->offset = lba * IDE_SECTOR_BYTES;
    ncq->len_bytes = (uint64_t)sectors * IDE_SECTOR_BYTES;
    if (lba >= total || sectors > total - lba) {
        fail(port, slot, lba, IDE_ERROR_IDNF);
        return;
    }
    if (!gather(ncq, header)) {
        vit_guest_error(&port->ahci->pci.dev, "port %u: list of slot %u shorter than its command",
                        port->number, slot);
        ahci_port_interrupt(port, AHCI_IS_OFS);
        fail(port, slot, lba, IDE_ERROR_ABRT);
        return;
    }
    ncq->active = true;
    if (ncq->is_read) {
        ide->drive->ops->read(ide->drive, ncq->offset, vit_sg_iov(&ncq->sg),
                              vit_sg_iov_count(&ncq->sg), moved, ncq);
    } else {
        ide->drive->ops->write(ide->drive, ncq->offset, vit_sg_iov(&ncq->sg),
                               vit_sg_iov_count(&ncq->sg), ncq->fua, moved, ncq);
    }
}

void
ahci_ncq_start(AhciPort *port, unsigned slot, const AhciHeader *header, const uint8_t fis[20])
{
    unsigned tag = fis[12] >> 3;

    port->command_issue &= ~(1u << slot);
    if (tag != slot || port->ncq[slot].active || !(port->sata_active >> slot & 1)) {
        vit_guest_error(&port->ahci->pci.dev, "port %u: queued command with tag %u in slot %u",
                        port->number, tag, slot);
        fail(port, slot, 0, IDE_ERROR_ABRT);
        return;
    }
    vit_dma_write32(ahci_space(port), header->header + 4, 0);
    submit(port, slot, header, fis);
}

void
ahci_ncq_resume(AhciPort *port)
{
    uint32_t waiting = port->ncq_waiting;

    port->ncq_waiting = 0;
    for (unsigned slot = 0; slot < AHCI_SLOTS; slot++) {
        AhciHeader header;
        uint8_t fis[20];

        if (!(waiting >> slot & 1) || !ahci_device(port) || port->ncq[slot].active) {
            continue;
        }
        header = ahci_port_header(port, slot);
        vit_address_space_read_bytes(ahci_space(port), header.table, fis, sizeof(fis));
        if (ahci_is_queued(fis[2])) {
            submit(port, slot, &header, fis);
        }
    }
}

void
ahci_ncq_drop(AhciPort *port)
{
    port->ncq_waiting = 0;
}

void
ahci_ncq_fill_log(const AhciPort *port, uint8_t out[512])
{
    uint64_t lba = port->ncq_error_lba;
    uint8_t sum = 0;

    memset(out, 0, 512);
    out[0] = port->ncq_error_tag;
    out[2] = IDE_DRDY | IDE_DSC | IDE_ERR;
    out[3] = port->ncq_error_status;
    out[4] = (uint8_t)lba;
    out[5] = (uint8_t)(lba >> 8);
    out[6] = (uint8_t)(lba >> 16);
    out[7] = IDE_DEVICE_LBA;
    out[8] = (uint8_t)(lba >> 24);
    out[9] = (uint8_t)(lba >> 32);
    out[10] = (uint8_t)(lba >> 40);
    for (unsigned i = 0; i < 511; i++) {
        sum += out[i];
    }
    out[511] = (uint8_t)-sum;
}
