/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Intel 82371SB (PIIX3), function 1: two IDE channels with bus-master DMA.
 *
 * Intel 82371FB/82371SB data sheet (order 290550), section 2.3 and 2.6, and SFF-8038i "Programming
 * Interface for Bus Master IDE Controller" revision 1.0. The channels answer at the compatibility
 * addresses and use outputs 0 and 1 (ISA interrupts 14 and 15). BAR 4 holds the bus-master
 * registers.
 *
 * A list of physical regions (PRD) is read one entry at a time as the transfer needs it. Its end
 * is the entry with EOT or, for lists without one, 8192 entries (the 64 KiB a list may occupy).
 * When the list ends before the device's transfer, the engine stops without an interrupt; when it
 * is longer, Active stays set, as the data sheet's table of status bits has it.
 *
 * Deviations: the channels decode whether or not the IDETIM registers enable them, because direct
 * boots have no firmware to do so; timings are kept and have no effect. Thread: device lock held.
 */

#include "ide.h"
#include "piix3-ide.h"

#include "vit-error.h"

#include <string.h>

enum {
    CONFIG_IDETIM = 0x40, /* two words and SIDETIM */
    BM_COMMAND = 0,
    BM_STATUS = 2,
    BM_TABLE = 4, /* four bytes */
    BM_START = 0x01,
    BM_TO_MEMORY = 0x08,
    BM_ACTIVE = 0x01,
    BM_ERROR = 0x02,
    BM_INTERRUPT = 0x04,
    BM_DRIVE_CAPABLE = 0x60,
    PRD_END = 0x80000000u,
    PRD_MAX_ENTRIES = 8192,
    COMMAND_BLOCK_BYTES = 8,
};

/* Where the engine is in its list. */
typedef struct PrdPosition {
    uint32_t next; /* address of the entry to read next */
    uint32_t address, left_bytes;
    uint16_t entries;
    bool is_last;
} PrdPosition;

typedef struct Channel {
    IdeBus ide;
    VitRegion command_region, control_region;
    uint8_t command, status;
    uint32_t table;
    PrdPosition prd, mark;
    uint8_t number;
} Channel;

typedef struct Piix3Ide {
    VitPciDevice pci;
    VitRegion bm_region;
    Channel channels[2];
} Piix3Ide;
VIT_DEVICE_LAYOUT(Piix3Ide)

static Piix3Ide *
controller_of(Channel *channel)
{
    return (Piix3Ide *)((char *)(channel - channel->number) - offsetof(Piix3Ide, channels));
}

/* ---- what the channel's devices ask for ---- */

static void
set_irq(IdeBus *bus, int level)
{
    Channel *channel = bus->host_opaque;

    if (level) {
        channel->status |= BM_INTERRUPT;
    }
    vit_irq_set(&controller_of(channel)->pci.dev.irq_out[channel->number], level);
}

static bool
is_bus_master(Channel *channel)
{
    return vit_pci_get16(&controller_of(channel)->pci, 0x04) & 0x04;
}

static void
run_if_ready(Channel *channel)
{
    for (unsigned i = 0; i < 2; i++) {
        IdeDevice *ide = channel->ide.devices[i];
        if (ide && ide->waiting_dma && !ide->in_flight && (channel->status & BM_ACTIVE) &&
            is_bus_master(channel)) {
            ide->ops->dma_run(ide);
        }
    }
}

static void
dma_request(IdeBus *bus)
{
    run_if_ready(bus->host_opaque);
}

static bool
read_entry(Channel *channel)
{
    PrdPosition *prd = &channel->prd;
    uint32_t entry[2];

    if (prd->is_last || prd->entries >= PRD_MAX_ENTRIES ||
        !vit_pci_dma_read(&controller_of(channel)->pci, prd->next, entry, sizeof(entry))) {
        return false;
    }
    prd->next += 8;
    prd->entries++;
    prd->address = entry[0] & ~1u;
    prd->left_bytes = entry[1] & 0xfffe;
    if (prd->left_bytes == 0) {
        prd->left_bytes = 0x10000;
    }
    prd->is_last = entry[1] & PRD_END;
    return true;
}

static bool
dma_next(IdeBus *bus, uint64_t *out_address, uint32_t *len)
{
    Channel *channel = bus->host_opaque;
    PrdPosition *prd = &channel->prd;

    if (prd->left_bytes == 0 && !read_entry(channel)) {
        return false;
    }
    *len = MIN(*len, prd->left_bytes);
    *out_address = prd->address;
    prd->address += *len;
    prd->left_bytes -= *len;
    return true;
}

static void
dma_mark(IdeBus *bus)
{
    Channel *channel = bus->host_opaque;

    channel->mark = channel->prd;
}

static void
dma_rewind(IdeBus *bus)
{
    Channel *channel = bus->host_opaque;

    channel->prd = channel->mark;
}

static void
dma_done(IdeBus *bus, bool short_table)
{
    Channel *channel = bus->host_opaque;
    const PrdPosition *prd = &channel->prd;

    if (short_table || (prd->is_last && prd->left_bytes == 0)) {
        channel->status &= (uint8_t)~BM_ACTIVE;
    }
}

static VitAddressSpace *
dma_space(IdeBus *bus)
{
    Channel *channel = bus->host_opaque;

    return ((VitPciBus *)controller_of(channel)->pci.dev.bus)->dma;
}

static const IdeHostOps host_ops = {
    .set_irq = set_irq,
    .dma_request = dma_request,
    .dma_next = dma_next,
    .dma_mark = dma_mark,
    .dma_rewind = dma_rewind,
    .dma_done = dma_done,
    .dma_space = dma_space,
};

/* ---- bus-master registers ---- */

static void
write_bm_command(Channel *channel, uint8_t value)
{
    uint8_t old = channel->command;

    channel->command = value & (BM_START | BM_TO_MEMORY);
    if (!(value & BM_START)) {
        if (old & BM_START) {
            ide_bus_quiesce(&channel->ide);
        }
        channel->status &= (uint8_t)~BM_ACTIVE;
    } else if (!(old & BM_START)) {
        channel->prd = (PrdPosition){ .next = channel->table };
        channel->status |= BM_ACTIVE;
        run_if_ready(channel);
    }
}

static uint64_t
bm_read(void *opaque, uint64_t offset, unsigned size)
{
    const Piix3Ide *piix = opaque;
    const Channel *channel = &piix->channels[offset >> 3];
    unsigned at = offset & 7;

    if (at >= BM_TABLE) {
        return channel->table >> 8 * (at - BM_TABLE) & 0xff;
    }
    return at == BM_COMMAND ? channel->command : at == BM_STATUS ? channel->status : 0;
}

static void
bm_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Piix3Ide *piix = opaque;
    Channel *channel = &piix->channels[offset >> 3];
    unsigned at = offset & 7;

    if (at >= BM_TABLE) {
        unsigned shift = 8 * (at - BM_TABLE);
        channel->table = (channel->table & ~(0xffu << shift)) | (uint32_t)(value & 0xff) << shift;
        channel->table &= ~3u;
    } else if (at == BM_COMMAND) {
        write_bm_command(channel, (uint8_t)value);
    } else if (at == BM_STATUS) {
        uint8_t cleared = value & (BM_INTERRUPT | BM_ERROR);
        channel->status = (uint8_t)((channel->status & BM_ACTIVE) | (value & BM_DRIVE_CAPABLE) |
                                    (channel->status & (BM_INTERRUPT | BM_ERROR) & ~cleared));
    }
}

static const VitRegionOps bm_ops = {
    .read = bm_read, .write = bm_write, .min_size = 1, .max_size = 1
};

/* ---- the channel's ports ---- */

static uint64_t
command_read(void *opaque, uint64_t offset, unsigned size)
{
    Channel *channel = opaque;
    uint64_t value = 0;

    if (offset == 0) {
        return ide_read(&channel->ide, 0, size);
    }
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)ide_read(&channel->ide, (unsigned)offset + i, 1) << 8 * i;
    }
    return value;
}

static void
command_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Channel *channel = opaque;

    if (offset == 0) {
        ide_write(&channel->ide, 0, (uint32_t)value, size);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        ide_write(&channel->ide, (unsigned)offset + i, value >> 8 * i & 0xff, 1);
    }
}

static const VitRegionOps command_ops = {
    .read = command_read, .write = command_write, .min_size = 1, .max_size = 4
};

static uint64_t
control_read(void *opaque, uint64_t offset, unsigned size)
{
    return ide_read_alternate_status(&((Channel *)opaque)->ide);
}

static void
control_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    ide_write_control(&((Channel *)opaque)->ide, (uint8_t)value);
}

static const VitRegionOps control_ops = {
    .read = control_read, .write = control_write, .min_size = 1, .max_size = 1
};

/* ---- the function ---- */

static void
config_written(VitPciDevice *pci, uint32_t at, uint32_t value, unsigned size)
{
    Piix3Ide *piix = (Piix3Ide *)pci;

    if (at <= 0x05 && at + size > 0x04) {
        /* A transfer may have waited for bus mastering to be allowed. */
        run_if_ready(&piix->channels[0]);
        run_if_ready(&piix->channels[1]);
    }
}

static void
realize_channel(Piix3Ide *piix, unsigned n)
{
    static const uint16_t command_ports[] = { 0x1f0, 0x170 };
    static const uint16_t control_ports[] = { 0x3f6, 0x376 };
    static const char *const names[] = { "ide.0", "ide.1" };
    VitPlatform *platform = piix->pci.dev.platform;
    Channel *channel = &piix->channels[n];

    channel->number = (uint8_t)n;
    ide_bus_init(&channel->ide, names[n], &piix->pci.dev, platform, &host_ops, channel);
    vit_region_init_io(&channel->command_region, "ide-command", &command_ops, channel,
                       COMMAND_BLOCK_BYTES);
    vit_region_init_io(&channel->control_region, "ide-control", &control_ops, channel, 1);
    vit_region_add(platform->io_root, command_ports[n], &channel->command_region, 0);
    vit_region_add(platform->io_root, control_ports[n], &channel->control_region, 0);
}

static bool
piix3_ide_realize(VitDevice *dev, GError **error)
{
    Piix3Ide *piix = (Piix3Ide *)dev;

    for (unsigned at = CONFIG_IDETIM; at < CONFIG_IDETIM + 5; at++) {
        piix->pci.write_mask[at] = 0xff;
    }
    realize_channel(piix, 0);
    realize_channel(piix, 1);
    vit_region_init_io(&piix->bm_region, "ide-bus-master", &bm_ops, piix, 16);
    vit_pci_add_bar(&piix->pci, 4, VIT_PCI_BAR_IO, &piix->bm_region);
    return true;
}

static void
piix3_ide_unrealize(VitDevice *dev)
{
    Piix3Ide *piix = (Piix3Ide *)dev;

    for (unsigned n = 0; n < 2; n++) {
        Channel *channel = &piix->channels[n];
        vit_region_finish(&channel->command_region);
        vit_region_finish(&channel->control_region);
        ide_bus_finish(&channel->ide);
    }
    vit_region_finish(&piix->bm_region);
}

static void
piix3_ide_reset(VitDevice *dev)
{
    Piix3Ide *piix = (Piix3Ide *)dev;

    for (unsigned n = 0; n < 2; n++) {
        Channel *channel = &piix->channels[n];
        ide_bus_reset(&channel->ide);
        channel->command = channel->status = 0;
        channel->table = 0;
        channel->prd = channel->mark = (PrdPosition){ 0 };
    }
    memset(piix->pci.config + CONFIG_IDETIM, 0, 5);
}

static bool
piix3_ide_post_load(VitDevice *dev, unsigned version, GError **error)
{
    Piix3Ide *piix = (Piix3Ide *)dev;

    for (unsigned n = 0; n < 2; n++) {
        const PrdPosition *prd = &piix->channels[n].prd;
        if (prd->left_bytes > 0x10000 || prd->entries > PRD_MAX_ENTRIES) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                        "saved state of %s: its DMA list position is impossible", dev->path);
            return false;
        }
        piix->channels[n].mark = *prd;
    }
    return true;
}

VitBus *
vit_piix3_ide_bus(VitDevice *dev, unsigned n)
{
    return &((Piix3Ide *)dev)->channels[n].ide.bus;
}

static const VitPciInfo pci_info = {
    .vendor_id = 0x8086,
    .device_id = 0x7010,
    .class_id = 0x0101,
    .prog_if = 0x80, /* bus master, both channels at fixed addresses */
    .config_written = config_written,
};

static const VitField prd_state[] = {
    VIT_FIELD(PrdPosition, next),       VIT_FIELD(PrdPosition, address),
    VIT_FIELD(PrdPosition, left_bytes), VIT_FIELD(PrdPosition, entries),
    VIT_FIELD(PrdPosition, is_last),    { 0 },
};

static const VitField channel_state[] = {
    VIT_FIELD_NESTED(Channel, ide, ide_bus_state),
    VIT_FIELD(Channel, command),
    VIT_FIELD(Channel, status),
    VIT_FIELD(Channel, table),
    VIT_FIELD_NESTED(Channel, prd, prd_state),
    VIT_TRANSIENT(Channel, mark), /* only while a list is walked */
    VIT_TRANSIENT(Channel, number),
    VIT_TRANSIENT(Channel, command_region),
    VIT_TRANSIENT(Channel, control_region),
    { 0 },
};

static const VitField state[] = {
    VIT_FIELD_STRUCTS(Piix3Ide, channels, channel_state),
    VIT_TRANSIENT(Piix3Ide, bm_region),
    { 0 },
};

const VitDeviceKind vit_piix3_ide_kind = {
    .name = "piix3-ide",
    .title = VIT_N_("PIIX3 IDE controller"),
    .bus = VIT_BUS_PCI,
    .category = VIT_CATEGORY_STORAGE,
    VIT_DEVICE_SIZE(Piix3Ide, VitPciDevice),
    .bus_info = &pci_info,
    .state = state,
    .state_version = 1,
    .n_irq_out = 2,
    .realize = piix3_ide_realize,
    .unrealize = piix3_ide_unrealize,
    .reset = piix3_ide_reset,
    .post_load = piix3_ide_post_load,
};
