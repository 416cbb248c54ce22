/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The channel: registers, device selection, interrupts, resets and the data register.
 *
 * ATA/ATAPI-6 (T13 1410D) sections 5 to 9. Both devices take every write to the command block, the
 * selected one answers reads and drives the interrupt. With device 1 absent, device 0 answers for
 * it with a zero status (9.16.1); with device 0 absent, or both, reads give zeroes (a bus with all
 * lines pulled down). Resets take no time: BSY is over when SRST is cleared. Registers may be
 * written while a device is busy; commands then are ignored.
 *
 * Thread: device lock held. */

#include "ide.h"

#include <string.h>

enum {
    AT_DATA,
    AT_ERROR,
    AT_COUNT,
    AT_LBA_LOW,
    AT_LBA_MID,
    AT_LBA_HIGH,
    AT_DEVICE,
    AT_STATUS,
};

enum { COMMAND_DEVICE_RESET = 0x08, COMMAND_DIAGNOSTIC = 0x90 };

const VitField ide_bus_state[] = {
    VIT_FIELD(IdeBus, select),
    VIT_FIELD(IdeBus, control),
    VIT_FIELD(IdeBus, irq_level),
    VIT_TRANSIENT(IdeBus, bus),         /* wiring, */
    VIT_TRANSIENT(IdeBus, devices),     /* made anew */
    VIT_TRANSIENT(IdeBus, host),        /* when the */
    VIT_TRANSIENT(IdeBus, host_opaque), /* machine is built */
    VIT_TRANSIENT(IdeBus, max_units),
    VIT_TRANSIENT(IdeBus, is_sata),
    { 0 },
};

void
ide_bus_init(IdeBus *bus, const char *name, VitDevice *owner, VitPlatform *platform,
             const IdeHostOps *host, void *host_opaque)
{
    vit_bus_init(&bus->bus, VIT_BUS_IDE, name, owner, platform);
    bus->host = host;
    bus->host_opaque = host_opaque;
    bus->devices[0] = bus->devices[1] = NULL;
    bus->max_units = 2;
    bus->is_sata = false;
    bus->select = bus->control = 0;
    bus->irq_level = 0;
}

void
ide_bus_finish(IdeBus *bus)
{
    vit_bus_finish(&bus->bus);
}

/* ---- interrupts ---- */

void
ide_update_irq(IdeBus *bus)
{
    const IdeDevice *ide = ide_bus_selected(bus);
    int level = ide && ide->irq_pending && !(bus->control & IDE_CONTROL_NIEN);

    if (level != bus->irq_level) {
        bus->irq_level = level;
        bus->host->set_irq(bus, level);
    }
}

void
ide_set_irq(IdeDevice *ide)
{
    ide->irq_pending = true;
    ide_update_irq(ide->bus);
}

static void
clear_irq(IdeDevice *ide)
{
    ide->irq_pending = false;
    ide_update_irq(ide->bus);
}

/* ---- resets ---- */

void
ide_bus_quiesce(IdeBus *bus)
{
    for (unsigned i = 0; i < 2; i++) {
        IdeDevice *ide = bus->devices[i];
        if (ide && ide->in_flight) {
            ide->drive->ops->drain(ide->drive);
        }
    }
}

static void
reset_devices(IdeBus *bus)
{
    for (unsigned i = 0; i < 2; i++) {
        if (bus->devices[i]) {
            ide_device_reset(bus->devices[i]);
        }
    }
    bus->select = 0;
    ide_update_irq(bus);
}

void
ide_bus_reset(IdeBus *bus)
{
    bus->control = 0;
    reset_devices(bus);
}

static void
run_diagnostic(IdeBus *bus)
{
    for (unsigned i = 0; i < 2; i++) {
        IdeDevice *ide = bus->devices[i];
        if (ide) {
            ide_set_signature(ide);
            ide->error = 0x01; /* passed, or device 1 not there */
            ide->status = ide->ops->is_packet ? 0 : IDE_DRDY | IDE_DSC;
            ide->irq_pending = i == 0;
        }
    }
    bus->select = 0;
    ide_update_irq(bus);
}

void
ide_write_control(IdeBus *bus, uint8_t value)
{
    uint8_t old = bus->control;

    bus->control = value;
    if ((value & IDE_CONTROL_SRST) && !(old & IDE_CONTROL_SRST)) {
        reset_devices(bus);
        for (unsigned i = 0; i < 2; i++) {
            if (bus->devices[i]) {
                bus->devices[i]->status = IDE_BSY;
            }
        }
    } else if (!(value & IDE_CONTROL_SRST) && (old & IDE_CONTROL_SRST)) {
        for (unsigned i = 0; i < 2; i++) {
            if (bus->devices[i]) {
                ide_device_reset(bus->devices[i]);
            }
        }
    }
    ide_update_irq(bus);
}

/* ---- commands ---- */

static void
start_command(IdeBus *bus, uint8_t command)
{
    IdeDevice *ide = ide_bus_selected(bus);

    if (bus->control & IDE_CONTROL_SRST) {
        return;
    }
    if (command == COMMAND_DIAGNOSTIC) {
        ide_bus_quiesce(bus);
        run_diagnostic(bus);
        return;
    }
    if (!ide) {
        return;
    }
    if (command == COMMAND_DEVICE_RESET && ide->ops->is_packet) {
        ide_device_reset(ide);
        ide_update_irq(bus);
        return;
    }
    if (ide->status & (IDE_BSY | IDE_DRQ)) {
        vit_guest_error(&ide->dev, "command %02xh while status is %02xh", command, ide->status);
        return;
    }
    clear_irq(ide);
    ide->command = command;
    ide->error = 0;
    ide->status = IDE_BSY | IDE_DRDY | IDE_DSC;
    ide->pio = IDE_PIO_NONE;
    ide->data_at = ide->data_end = 0;
    ide->op_buffered = 0;
    ide->ops->command(ide, command);
}

/* ---- the data register ---- */

static uint32_t
read_data(IdeBus *bus, unsigned size)
{
    IdeDevice *ide = ide_bus_selected(bus);
    uint32_t value = 0;

    if (!ide || ide->pio != IDE_PIO_IN || !(ide->status & IDE_DRQ)) {
        return 0;
    }
    size = MIN(size, ide->data_end - ide->data_at);
    memcpy(&value, ide->data + ide->data_at, size);
    ide->data_at += size;
    if (ide->data_at >= ide->data_end) {
        ide->pio = IDE_PIO_NONE;
        ide->status &= (uint8_t)~IDE_DRQ;
        ide->ops->pio_done(ide);
    }
    return value;
}

static void
write_data(IdeBus *bus, uint32_t value, unsigned size)
{
    IdeDevice *ide = ide_bus_selected(bus);

    if (!ide || ide->pio != IDE_PIO_OUT || !(ide->status & IDE_DRQ)) {
        return;
    }
    size = MIN(size, ide->data_end - ide->data_at);
    memcpy(ide->data + ide->data_at, &value, size);
    ide->data_at += size;
    if (ide->data_at >= ide->data_end) {
        ide->pio = IDE_PIO_NONE;
        ide->status = (uint8_t)((ide->status & ~IDE_DRQ) | IDE_BSY);
        ide->ops->pio_done(ide);
    }
}

static void
offer_block(IdeDevice *ide, IdePio pio, uint32_t len, bool interrupt)
{
    g_assert(len <= ide->data_len_bytes - ide->data_at);
    ide->pio = pio;
    ide->data_end = ide->data_at + len;
    ide->status = IDE_DRDY | IDE_DSC | IDE_DRQ;
    if (interrupt) {
        ide_set_irq(ide);
    }
    if (ide->bus->host->block_ready) {
        ide->bus->host->block_ready(ide->bus);
    }
}

void
ide_pio_in(IdeDevice *ide, uint32_t len, bool interrupt)
{
    offer_block(ide, IDE_PIO_IN, len, interrupt);
}

void
ide_pio_out(IdeDevice *ide, uint32_t len, bool interrupt)
{
    offer_block(ide, IDE_PIO_OUT, len, interrupt);
}

/* ---- the other registers ---- */

uint8_t
ide_read_alternate_status(IdeBus *bus)
{
    const IdeDevice *ide = ide_bus_selected(bus);

    return ide ? ide->status : 0;
}

static uint8_t
read_register(const IdeBus *bus, const IdeDevice *ide, unsigned at)
{
    bool hob = bus->control & IDE_CONTROL_HOB;

    switch (at) {
    case AT_ERROR: return hob ? ide->hob_feature : ide->error;
    case AT_COUNT: return hob ? ide->hob_count : ide->count;
    case AT_LBA_LOW: return hob ? ide->hob_lba_low : ide->lba_low;
    case AT_LBA_MID: return hob ? ide->hob_lba_mid : ide->lba_mid;
    case AT_LBA_HIGH: return hob ? ide->hob_lba_high : ide->lba_high;
    default: return bus->select | 0xa0; /* bits 7 and 5 are obsolete and read as ones */
    }
}

uint32_t
ide_read(IdeBus *bus, unsigned at, unsigned size)
{
    IdeDevice *ide = ide_bus_selected(bus);

    if (at == AT_DATA) {
        return read_data(bus, size);
    }
    if (at == AT_STATUS) {
        uint8_t status = ide_read_alternate_status(bus);
        if (ide) {
            clear_irq(ide);
        }
        return status;
    }
    if (!ide && (bus->select & IDE_DEVICE_DEV)) {
        ide = bus->devices[0];
    }
    return ide ? read_register(bus, ide, at) : 0;
}

static void
write_register(IdeDevice *ide, unsigned at, uint8_t value)
{
    switch (at) {
    case AT_ERROR:
        ide->hob_feature = ide->feature;
        ide->feature = value;
        break;
    case AT_COUNT:
        ide->hob_count = ide->count;
        ide->count = value;
        break;
    case AT_LBA_LOW:
        ide->hob_lba_low = ide->lba_low;
        ide->lba_low = value;
        break;
    case AT_LBA_MID:
        ide->hob_lba_mid = ide->lba_mid;
        ide->lba_mid = value;
        break;
    case AT_LBA_HIGH:
        ide->hob_lba_high = ide->lba_high;
        ide->lba_high = value;
        break;
    default: break;
    }
}

void
ide_write(IdeBus *bus, unsigned at, uint32_t value, unsigned size)
{
    if (at == AT_DATA) {
        write_data(bus, value, size);
        return;
    }
    bus->control &= (uint8_t)~IDE_CONTROL_HOB;
    if (at == AT_STATUS) {
        start_command(bus, (uint8_t)value);
        return;
    }
    if (at == AT_DEVICE) {
        bus->select = (uint8_t)value;
        ide_update_irq(bus);
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (bus->devices[i]) {
            write_register(bus->devices[i], at, (uint8_t)value);
        }
    }
}
