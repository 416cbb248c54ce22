/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* One AHCI port: its registers, the command list, and commands carried out on the ATA channel
 * behind it. AHCI 1.3.1 sections 3.3 (registers), 4 (structures in memory), 5 (transport).
 *
 * A command that is not queued goes to the channel's device as its registers and data blocks; the
 * blocks of programmed I/O are moved to and from the list of physical regions here. One such
 * command runs at a time, in the order of slots. After an error the port stands still until ST is
 * cleared. FIS formats: Serial ATA 3.0 section 10.5. Thread: device lock held. */

#include "ahci.h"

#include <string.h>

enum {
    PX_CLB = 0x00,
    PX_CLBU = 0x04,
    PX_FB = 0x08,
    PX_FBU = 0x0c,
    PX_IS = 0x10,
    PX_IE = 0x14,
    PX_CMD = 0x18,
    PX_TFD = 0x20,
    PX_SIG = 0x24,
    PX_SSTS = 0x28,
    PX_SCTL = 0x2c,
    PX_SERR = 0x30,
    PX_SACT = 0x34,
    PX_CI = 0x38,

    HEADER_BYTES = 32,
    TABLE_ACMD = 0x40,
    TABLE_PRDT = 0x80,
    PRD_BYTES = 16,
    FIS_REGISTER_H2D = 0x27,
    FIS_REGISTER_D2H = 0x34,
    FIS_PIO_SETUP = 0x5f,
    FIS_INTERRUPT = 0x40,
    FIS_COMMAND = 0x80,

    LINK_UP = 0x123, /* device there, communication, 3 Gbit/s, active */
    SIGNATURE_DISK = 0x00000101,
    TASK_FILE_EMPTY = 0x7f,
};
#define INTERRUPTS_ALL  0xfdc000ffu
#define SIGNATURE_ATAPI 0xeb140101u

/* ATA registers of the channel. */
enum { AT_FEATURE = 1, AT_COUNT, AT_LBA_LOW, AT_LBA_MID, AT_LBA_HIGH, AT_DEVICE, AT_COMMAND };

bool
ahci_port_can_dma(const AhciPort *port)
{
    return vit_pci_get16(&port->ahci->pci, VIT_PCI_COMMAND) & VIT_PCI_COMMAND_MASTER;
}

/* ---- structures in memory ---- */

AhciHeader
ahci_port_header(const AhciPort *port, unsigned slot)
{
    uint64_t at = port->list + (uint64_t)slot * HEADER_BYTES;
    uint32_t words[4];

    vit_address_space_read_bytes(ahci_space(port), at, words, sizeof(words));
    return (AhciHeader){
        .header = at,
        .table = (words[2] & ~0x7fu) | (uint64_t)words[3] << 32,
        .prd_count = (uint16_t)(words[0] >> 16),
        .fis_len_bytes = (uint8_t)((words[0] & 31) * 4),
        .is_atapi = words[0] & 0x20,
        .is_write = words[0] & 0x40,
    };
}

bool
ahci_prd_entry(const AhciPort *port, const AhciHeader *header, uint32_t index,
               uint64_t *out_address, uint32_t *out_len)
{
    uint32_t words[4];

    if (index >= header->prd_count) {
        return false;
    }
    vit_address_space_read_bytes(ahci_space(port),
                                 header->table + TABLE_PRDT + (uint64_t)index * PRD_BYTES, words,
                                 sizeof(words));
    *out_address = (words[0] & ~1u) | (uint64_t)words[1] << 32;
    *out_len = (words[3] & 0x3fffff) + 1;
    return true;
}

void
ahci_port_write_fis(AhciPort *port, unsigned at, const uint8_t *fis, unsigned len)
{
    if ((port->command & AHCI_CMD_FRE) && ahci_port_can_dma(port)) {
        vit_address_space_write_bytes(ahci_space(port), port->fis + at, fis, len);
    }
}

/* The device's registers as it sends them. */
static void
fill_register_fis(AhciPort *port, uint8_t *fis, uint8_t type)
{
    const IdeDevice *ide = ahci_device(port);

    memset(fis, 0, 20);
    fis[0] = type;
    fis[1] = FIS_INTERRUPT;
    fis[2] = ide->status;
    fis[3] = ide->error;
    fis[4] = ide->lba_low;
    fis[5] = ide->lba_mid;
    fis[6] = ide->lba_high;
    fis[7] = port->ide.select;
    fis[8] = ide->hob_lba_low;
    fis[9] = ide->hob_lba_mid;
    fis[10] = ide->hob_lba_high;
    fis[12] = ide->count;
    fis[13] = ide->hob_count;
}

static void
take_task_file(AhciPort *port)
{
    const IdeDevice *ide = ahci_device(port);

    port->task_file = ide ? ide->status | (uint32_t)ide->error << 8 : TASK_FILE_EMPTY;
}

static void
send_registers(AhciPort *port)
{
    uint8_t fis[20];
    uint32_t bits = AHCI_IS_DHRS;

    take_task_file(port);
    fill_register_fis(port, fis, FIS_REGISTER_D2H);
    ahci_port_write_fis(port, AHCI_FIS_D2H, fis, sizeof(fis));
    if (fis[2] & IDE_ERR) {
        bits |= AHCI_IS_TFES;
    }
    ahci_port_interrupt(port, bits);
}

/* ---- moving data ---- */

static bool
dma_next(IdeBus *bus, uint64_t *out_address, uint32_t *len)
{
    AhciPort *port = bus->host_opaque;
    AhciHeader header = ahci_port_header(port, port->slot);
    uint64_t address;
    uint32_t entry_len;

    if (!ahci_port_can_dma(port) ||
        !ahci_prd_entry(port, &header, port->prd.index, &address, &entry_len) ||
        port->prd.offset_bytes >= entry_len) {
        return false;
    }
    *out_address = address + port->prd.offset_bytes;
    *len = MIN(*len, entry_len - port->prd.offset_bytes);
    port->prd.offset_bytes += *len;
    port->prd.moved_bytes += *len;
    if (port->prd.offset_bytes == entry_len) {
        port->prd.index++;
        port->prd.offset_bytes = 0;
    }
    return true;
}

static void
dma_mark(IdeBus *bus)
{
    AhciPort *port = bus->host_opaque;

    port->mark = port->prd;
}

static void
dma_rewind(IdeBus *bus)
{
    AhciPort *port = bus->host_opaque;

    port->prd = port->mark;
}

static void
dma_done(IdeBus *bus, bool short_table)
{
    AhciPort *port = bus->host_opaque;

    if (short_table) {
        ahci_port_interrupt(port, AHCI_IS_OFS);
    }
}

static VitAddressSpace *
dma_space(IdeBus *bus)
{
    return ahci_space(bus->host_opaque);
}

static void
dma_request(IdeBus *bus)
{
    IdeDevice *ide = bus->devices[0];

    if (ide && ide->waiting_dma && !ide->in_flight) {
        ide->ops->dma_run(ide);
    }
}

/* Moves the block the device offers or wants; the packet comes from the command table. */
static void
move_block(AhciPort *port)
{
    IdeDevice *ide = ahci_device(port);
    AhciHeader header = ahci_port_header(port, port->slot);
    bool to_memory = ide->pio == IDE_PIO_IN;
    uint32_t len = ide->data_end - ide->data_at;
    uint8_t fis[20];

    if (port->want_packet && !to_memory) {
        port->want_packet = false;
        vit_address_space_read_bytes(ahci_space(port), header.table + TABLE_ACMD,
                                     ide->data + ide->data_at, MIN(len, 16));
    } else {
        fill_register_fis(port, fis, FIS_PIO_SETUP);
        fis[1] = (uint8_t)(FIS_INTERRUPT | (to_memory ? 0x20 : 0));
        fis[15] = ide->status & (uint8_t)~IDE_DRQ;
        fis[16] = (uint8_t)len;
        fis[17] = (uint8_t)(len >> 8);
        ahci_port_write_fis(port, AHCI_FIS_PIO, fis, sizeof(fis));
        if (!ide_sg_copy(ide, ide->data + ide->data_at, len, to_memory)) {
            vit_guest_error(&ide->dev, "list of regions shorter than a block of %u bytes", len);
            ahci_port_interrupt(port, AHCI_IS_OFS);
        }
        ahci_port_interrupt(port, AHCI_IS_PSS);
    }
    ide->data_at = ide->data_end;
    ide->pio = IDE_PIO_NONE;
    ide->status &= (uint8_t)~IDE_DRQ;
    if (!to_memory) {
        ide->status |= IDE_BSY;
    }
    ide->ops->pio_done(ide);
}

/* The device offers a block: blocks follow each other in a loop, not by recursion. */
static void
block_ready(IdeBus *bus)
{
    AhciPort *port = bus->host_opaque;

    port->more_blocks = true;
    if (port->in_block) {
        return;
    }
    port->in_block = true;
    while (port->more_blocks) {
        port->more_blocks = false;
        move_block(port);
    }
    port->in_block = false;
    if (port->ended) {
        port->ended = false;
        bus->host->command_ended(bus);
    }
}

/* ---- commands ---- */

static void
set_irq(IdeBus *bus, int level)
{
    /* The port tells of events by FISes. */
}

static void
command_ended(IdeBus *bus)
{
    AhciPort *port = bus->host_opaque;
    IdeDevice *ide = ahci_device(port);

    if (!port->busy) {
        return;
    }
    if (port->in_block) {
        port->ended = true;
        return;
    }
    port->busy = false;
    ide->irq_pending = false;
    ide_update_irq(bus);
    vit_dma_write32(ahci_space(port), port->list + (uint64_t)port->slot * HEADER_BYTES + 4,
                    port->prd.moved_bytes);
    if (ide->status & IDE_ERR) {
        port->stuck = true;
    } else {
        port->command_issue &= ~(1u << port->slot);
    }
    send_registers(port);
    ahci_port_run(port);
}

static void
resume(IdeBus *bus)
{
    ahci_ncq_resume(bus->host_opaque);
}

static void
fill_queue_log(IdeBus *bus, uint8_t *out)
{
    ahci_ncq_fill_log(bus->host_opaque, out);
}

const IdeHostOps ahci_ide_ops = {
    .set_irq = set_irq,
    .dma_request = dma_request,
    .dma_next = dma_next,
    .dma_mark = dma_mark,
    .dma_rewind = dma_rewind,
    .dma_done = dma_done,
    .dma_space = dma_space,
    .block_ready = block_ready,
    .command_ended = command_ended,
    .resume = resume,
    .fill_queue_log = fill_queue_log,
};

static void
write_registers(AhciPort *port, const uint8_t *fis)
{
    IdeBus *bus = &port->ide;

    /* each pair: the high byte first, which the device then has as its previous value */
    ide_write(bus, AT_FEATURE, fis[11], 1);
    ide_write(bus, AT_FEATURE, fis[3], 1);
    ide_write(bus, AT_COUNT, fis[13], 1);
    ide_write(bus, AT_COUNT, fis[12], 1);
    ide_write(bus, AT_LBA_LOW, fis[8], 1);
    ide_write(bus, AT_LBA_LOW, fis[4], 1);
    ide_write(bus, AT_LBA_MID, fis[9], 1);
    ide_write(bus, AT_LBA_MID, fis[5], 1);
    ide_write(bus, AT_LBA_HIGH, fis[10], 1);
    ide_write(bus, AT_LBA_HIGH, fis[6], 1);
    ide_write(bus, AT_DEVICE, fis[7] & (uint8_t)~IDE_DEVICE_DEV, 1);
}

static void
receive_signature(AhciPort *port)
{
    IdeDevice *ide = ahci_device(port);

    take_task_file(port);
    if (ide) {
        uint8_t fis[20];
        port->signature = ide->ops->is_packet ? SIGNATURE_ATAPI : SIGNATURE_DISK;
        fill_register_fis(port, fis, FIS_REGISTER_D2H);
        ahci_port_write_fis(port, AHCI_FIS_D2H, fis, sizeof(fis));
    }
}

/* A FIS that writes the control register: software reset, by two of them. */
static void
write_control(AhciPort *port, const uint8_t *fis, unsigned slot)
{
    bool was_reset = port->ide.control & IDE_CONTROL_SRST;

    ide_write_control(&port->ide, fis[15] & IDE_CONTROL_SRST);
    port->command_issue &= ~(1u << slot);
    if (was_reset && !(fis[15] & IDE_CONTROL_SRST)) {
        receive_signature(port);
        ahci_port_interrupt(port, AHCI_IS_DHRS);
    }
}

static void
start_slot(AhciPort *port, unsigned slot)
{
    AhciHeader header = ahci_port_header(port, slot);
    IdeDevice *ide = ahci_device(port);
    uint8_t fis[20];

    vit_address_space_read_bytes(ahci_space(port), header.table, fis, sizeof(fis));
    if (fis[0] != FIS_REGISTER_H2D) {
        vit_guest_error(&port->ahci->pci.dev, "port %u: a FIS of type %02x in slot %u",
                        port->number, fis[0], slot);
        port->command_issue &= ~(1u << slot);
        return;
    }
    if (!(fis[1] & FIS_COMMAND)) {
        write_control(port, fis, slot);
        return;
    }
    if (!ide->ops->is_packet && ahci_is_queued(fis[2])) {
        ahci_ncq_start(port, slot, &header, fis);
        return;
    }
    port->slot = (uint8_t)slot;
    port->busy = true;
    port->want_packet = header.is_atapi;
    port->prd = port->mark = (AhciPrd){ 0 };
    port->task_file |= IDE_BSY;
    write_registers(port, fis);
    ide_write(&port->ide, AT_COMMAND, fis[2], 1);
    if (port->busy && !(ide->status & (IDE_BSY | IDE_DRQ)) && ide->op == 0 && !ide->in_flight) {
        command_ended(&port->ide); /* a command that tells nobody, as DEVICE RESET */
    }
}

void
ahci_port_run(AhciPort *port)
{
    if (port->issue_depth) {
        return;
    }
    port->issue_depth++;
    for (unsigned slot = 0; slot < AHCI_SLOTS; slot++) {
        bool queue_error = port->stuck || !(port->command & AHCI_CMD_ST);

        if (queue_error || port->busy || !ahci_device(port) || !ahci_port_can_dma(port)) {
            break;
        }
        if ((port->command_issue >> slot & 1) && !(port->ncq_waiting >> slot & 1)) {
            start_slot(port, slot);
            /* a command that has ended at once makes room for lower slots again */
        }
    }
    port->issue_depth--;
}

/* ---- resets ---- */

void
ahci_port_quiesce(AhciPort *port)
{
    IdeDevice *ide = ahci_device(port);

    port->busy = false;
    if (ide && (ide->in_flight || ahci_ncq_in_flight(port))) {
        ide->is_resetting = true;
        ide->drive->ops->drain(ide->drive);
        ide->is_resetting = false;
    }
    ahci_ncq_drop(port);
}

void
ahci_port_reset(AhciPort *port, bool with_registers)
{
    IdeDevice *ide = ahci_device(port);

    ahci_port_quiesce(port);
    port->stuck = port->want_packet = false;
    port->prd = port->mark = (AhciPrd){ 0 };
    port->slot = 0;
    port->command_issue = port->sata_active = 0;
    port->ncq_error_tag = port->ncq_error_status = 0;
    port->ncq_error_lba = 0;
    if (with_registers) {
        port->list = port->fis = 0;
        port->interrupt_status = port->interrupt_enable = 0;
        port->command = AHCI_CMD_SUD | AHCI_CMD_POD;
        port->sata_control = port->sata_error = 0;
    }
    ide_bus_reset(&port->ide);
    port->signature = UINT32_MAX;
    port->sata_status = ide ? LINK_UP : 0;
    if (ide) {
        port->command = (port->command & ~(uint32_t)AHCI_CMD_ATAPI) |
                        (ide->ops->is_packet ? AHCI_CMD_ATAPI : 0);
    }
    receive_signature(port);
}

/* ---- registers ---- */

uint32_t
ahci_port_read(AhciPort *port, unsigned at)
{
    switch (at) {
    case PX_CLB: return (uint32_t)port->list;
    case PX_CLBU: return (uint32_t)(port->list >> 32);
    case PX_FB: return (uint32_t)port->fis;
    case PX_FBU: return (uint32_t)(port->fis >> 32);
    case PX_IS: return port->interrupt_status;
    case PX_IE: return port->interrupt_enable;
    case PX_CMD: return port->command | (uint32_t)port->slot << 8;
    case PX_TFD: return port->task_file;
    case PX_SIG: return port->signature;
    case PX_SSTS: return port->sata_status;
    case PX_SCTL: return port->sata_control;
    case PX_SERR: return port->sata_error;
    case PX_SACT: return port->sata_active;
    case PX_CI: return port->command_issue;
    default: return 0;
    }
}

static void
write_command(AhciPort *port, uint32_t value)
{
    const uint32_t writable =
        AHCI_CMD_ST | AHCI_CMD_SUD | AHCI_CMD_POD | AHCI_CMD_FRE | 0xf2000000u;
    bool was_started = port->command & AHCI_CMD_ST;

    port->command = (port->command & ~writable) | (value & writable);
    port->command &= 0x0fffffff; /* link states are taken at once */
    if ((value & AHCI_CMD_CLO) && !(port->command & AHCI_CMD_ST)) {
        port->task_file &= ~(uint32_t)(IDE_BSY | IDE_DRQ);
    }
    port->command &= ~(uint32_t)(AHCI_CMD_FR | AHCI_CMD_CR);
    port->command |= port->command & AHCI_CMD_FRE ? AHCI_CMD_FR : 0;
    port->command |= port->command & AHCI_CMD_ST ? AHCI_CMD_CR : 0;
    if (was_started && !(port->command & AHCI_CMD_ST)) {
        /* stopping clears what was issued */
        ahci_port_quiesce(port);
        if (ahci_device(port) && (ahci_device(port)->op || ahci_device(port)->stopped)) {
            ide_device_reset(ahci_device(port));
        }
        port->stuck = false;
        port->slot = 0;
        port->command_issue = port->sata_active = 0;
    }
    ahci_port_run(port);
}

static void
write_sata_control(AhciPort *port, uint32_t value)
{
    uint32_t old = port->sata_control & 15;

    port->sata_control = value & 0xfff;
    switch (value & 15) {
    case 0:
        if (old == 1) {
            ahci_port_reset(port, false);
            if (ahci_device(port)) {
                port->sata_error |= 1u << 26; /* exchanged */
                ahci_port_interrupt(port, AHCI_IS_PCS);
            }
        }
        break;
    case 1:
        port->sata_status = 0;
        port->task_file = TASK_FILE_EMPTY;
        break;
    case 4: port->sata_status = 4; break; /* offline */
    default: break;
    }
}

static void
set_half(uint64_t *address, bool high, uint32_t value, uint32_t mask)
{
    *address = high ? (*address & 0xffffffffu) | (uint64_t)value << 32
                    : (*address & ~0xffffffffull) | (value & mask);
}

void
ahci_port_write(AhciPort *port, unsigned at, uint32_t value)
{
    switch (at) {
    case PX_CLB:
    case PX_CLBU: set_half(&port->list, at == PX_CLBU, value, ~0x3ffu); break;
    case PX_FB:
    case PX_FBU: set_half(&port->fis, at == PX_FBU, value, ~0xffu); break;
    case PX_IS: port->interrupt_status &= ~value; break;
    case PX_IE: port->interrupt_enable = value & INTERRUPTS_ALL; break;
    case PX_CMD: write_command(port, value); break;
    case PX_SCTL: write_sata_control(port, value); break;
    case PX_SERR:
        port->sata_error &= ~value;
        if (!(port->sata_error & 1u << 26)) {
            port->interrupt_status &= ~(uint32_t)AHCI_IS_PCS;
        }
        break;
    case PX_SACT:
        if (port->command & AHCI_CMD_ST) {
            port->sata_active |= value;
        }
        break;
    case PX_CI:
        if (port->command & AHCI_CMD_ST) {
            port->command_issue |= value;
            ahci_port_run(port);
        }
        break;
    default: break;
    }
}
