/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* How an ATA disk's data gets from and to the drive: addresses, blocks of programmed I/O, DMA,
 * trimming. ATA/ATAPI-6 (T13 1410D) sections 6.2 and 9; DATA SET MANAGEMENT from ACS-2 7.10.
 *
 * What the disk is doing is op with op_lba and op_left; ide_disk_proceed() takes it up from there,
 * which is how a request goes on after an error stopped the machine. Reads by programmed I/O fetch
 * up to the whole buffer ahead; writes reach the drive block by block. Thread: device lock held. */

#include "ide-disk.h"

#include <string.h>

enum {
    /* A driver of Windows 2000's installer loses interrupts that come at once. */
    REST_BLOCKS = 16,
    REST_NS = 1000000,
};

/* ---- addresses ---- */

uint64_t
ide_disk_sector_count(const IdeDevice *ide)
{
    return ide->drive->ops->get_len(ide->drive) / IDE_SECTOR_BYTES;
}

/* What the task file addresses; false when it cannot be. */
static bool
get_lba(const IdeDevice *ide, uint64_t *out_lba)
{
    uint8_t select = ide->bus->select;
    uint32_t low = ide->lba_low | ide->lba_mid << 8 | (uint32_t)ide->lba_high << 16;

    if (ide->lba48) {
        uint32_t high = ide->hob_lba_low | ide->hob_lba_mid << 8 | ide->hob_lba_high << 16;
        *out_lba = low | (uint64_t)high << 24;
        return select & IDE_DEVICE_LBA;
    }
    if (select & IDE_DEVICE_LBA) {
        *out_lba = low | (uint32_t)(select & 15) << 24;
        return true;
    }
    uint32_t cylinder = ide->lba_mid | ide->lba_high << 8, head = select & 15;
    *out_lba =
        ((uint64_t)cylinder * ide->current_heads + head) * ide->current_sectors + ide->lba_low - 1;
    return ide->lba_low >= 1 && ide->lba_low <= ide->current_sectors && head < ide->current_heads;
}

/* The registers as a host finds them after a command: the next sector and what is left. */
void
ide_disk_store_position(IdeDevice *ide)
{
    uint8_t *select = &ide->bus->select;
    uint64_t lba = ide->op_lba;

    ide->count = (uint8_t)ide->op_left;
    ide->hob_count = (uint8_t)(ide->op_left >> 8);
    if (*select & IDE_DEVICE_LBA) {
        ide->lba_low = (uint8_t)lba;
        ide->lba_mid = (uint8_t)(lba >> 8);
        ide->lba_high = (uint8_t)(lba >> 16);
        ide->hob_lba_low = (uint8_t)(lba >> 24);
        ide->hob_lba_mid = (uint8_t)(lba >> 32);
        ide->hob_lba_high = (uint8_t)(lba >> 40);
        if (!ide->lba48) {
            *select = (uint8_t)((*select & 0xf0) | (lba >> 24 & 15));
        }
        return;
    }
    uint64_t track = lba / ide->current_sectors, cylinder = track / ide->current_heads;
    ide->lba_low = (uint8_t)(lba % ide->current_sectors + 1);
    ide->lba_mid = (uint8_t)cylinder;
    ide->lba_high = (uint8_t)(cylinder >> 8);
    *select = (uint8_t)((*select & 0xf0) | track % ide->current_heads);
}

/* Sets op_lba and op_left from the task file; ends the command when they are out of reach. */
bool
ide_disk_take_range(IdeDevice *ide)
{
    uint32_t count = ide->lba48 ? ide->count | (uint32_t)ide->hob_count << 8 : ide->count;
    uint64_t lba, total = ide_disk_sector_count(ide);

    if (count == 0) {
        count = ide->lba48 ? 65536 : 256;
    }
    if (!get_lba(ide, &lba) || lba >= total || count > total - lba) {
        ide_fail(ide, IDE_ERROR_IDNF | IDE_ERROR_ABRT);
        return false;
    }
    ide->op_lba = lba;
    ide->op_left = count;
    return true;
}

/* ---- errors and progress ---- */

/* True when the command goes on as if nothing had happened. */
static bool
check_result(IdeDevice *ide, bool is_read, int ret)
{
    if (ret == 0) {
        return true;
    }
    switch (ide_error_action(ide, is_read, ret)) {
    case VIT_DRIVE_IGNORE: return true;
    case VIT_DRIVE_STOP: return false;
    case VIT_DRIVE_REPORT: break;
    }
    ide_disk_store_position(ide);
    if (ide->op == OP_READ_DMA || ide->op == OP_WRITE_DMA || ide->op == OP_TRIM) {
        ide->bus->host->dma_done(ide->bus, false);
    }
    ide_fail(ide, is_read ? IDE_ERROR_UNC : IDE_ERROR_ABRT);
    return false;
}

void
ide_disk_advance(IdeDevice *ide, uint32_t sectors)
{
    ide->op_lba += sectors;
    ide->op_left -= sectors;
    ide_disk_store_position(ide);
}

/* Sectors per DRQ block of the command under way. */
static uint32_t
block_sectors(const IdeDevice *ide)
{
    switch (ide->command) {
    case 0xc4: /* READ MULTIPLE */
    case 0x29: /* READ MULTIPLE EXT */
    case 0xc5: /* WRITE MULTIPLE */
    case 0x39: /* WRITE MULTIPLE EXT */ return MAX(ide->multiple, 1);
    default: return 1;
    }
}

/* ---- programmed I/O ---- */

static void
offer_read_block(IdeDevice *ide)
{
    ide->op_block = MIN(MIN(block_sectors(ide), ide->op_left), ide->op_buffered);
    ide_pio_in(ide, ide->op_block * IDE_SECTOR_BYTES, true);
}

static void
read_pio_fetched(IdeDevice *ide, int ret)
{
    if (check_result(ide, true, ret)) {
        ide->op_buffered = MIN(ide->op_left, BUFFER_SECTORS);
        ide->data_at = 0;
        offer_read_block(ide);
    }
}

void
ide_disk_read_pio_next(IdeDevice *ide)
{
    struct iovec iov = { .iov_base = ide->data };

    if (ide->op_left == 0) {
        /* The host has everything: no interrupt tells it (8.27, protocol PIO data-in). */
        ide_pio_ended(ide);
        return;
    }
    if (ide->op_buffered > 0) {
        offer_read_block(ide);
        return;
    }
    ide->status = IDE_BSY | IDE_DRDY | IDE_DSC;
    iov.iov_len = MIN(ide->op_left, BUFFER_SECTORS) * IDE_SECTOR_BYTES;
    ide->sg->iov[0] = iov; /* outlives this function; no DMA list is in use */
    ide_drive_read(ide, ide->op_lba * IDE_SECTOR_BYTES, ide->sg->iov, 1, read_pio_fetched);
}

void
ide_disk_ask_write_block(IdeDevice *ide, bool interrupt)
{
    ide->op_block = MIN(block_sectors(ide), ide->op_left);
    ide->data_at = 0;
    ide_pio_out(ide, ide->op_block * IDE_SECTOR_BYTES, interrupt);
}

static void
write_pio_go_on(IdeDevice *ide)
{
    ide_disk_advance(ide, ide->op_block);
    ide->op_block = 0;
    if (ide->op_left > 0) {
        ide_disk_ask_write_block(ide, true);
    } else {
        ide_finish(ide, 0);
    }
}

void
ide_disk_rested(void *opaque)
{
    IdeDisk *disk = opaque;

    if (disk->is_resting) {
        disk->is_resting = false;
        write_pio_go_on(&disk->ide);
    }
}

static void
write_pio_stored(IdeDevice *ide, int ret)
{
    IdeDisk *disk = (IdeDisk *)ide;

    if (!check_result(ide, false, ret)) {
        return;
    }
    if (disk->is_slow && ++disk->rest_count % REST_BLOCKS == 0) {
        disk->is_resting = true;
        vit_timer_mod(&disk->rest, vit_clock_get_ns(ide->dev.platform->clock) + REST_NS);
        return;
    }
    write_pio_go_on(ide);
}

static void
write_pio_store(IdeDevice *ide)
{
    ide->status = IDE_BSY | IDE_DRDY | IDE_DSC;
    ide->sg->iov[0] =
        (struct iovec){ .iov_base = ide->data, .iov_len = ide->op_block * IDE_SECTOR_BYTES };
    ide_drive_write(ide, ide->op_lba * IDE_SECTOR_BYTES, ide->sg->iov, 1, write_pio_stored);
}

void
ide_disk_pio_done(IdeDevice *ide)
{
    switch (ide->op) {
    case OP_READ_PIO:
        ide->op_buffered -= MIN(ide->op_block, ide->op_buffered);
        ide_disk_advance(ide, MIN(ide->op_block, ide->op_left));
        ide_disk_read_pio_next(ide);
        break;
    case OP_WRITE_PIO: write_pio_store(ide); break;
    default: ide_pio_ended(ide); break;
    }
}

/* ---- DMA ---- */

static void
dma_moved(IdeDevice *ide, int ret)
{
    uint64_t len = ide->sg->len_bytes;

    ide_sg_finish(ide, ret == 0 ? len : 0);
    if (!check_result(ide, ide->op == OP_READ_DMA, ret)) {
        if (ide->stopped) {
            ide->bus->host->dma_rewind(ide->bus);
        }
        return;
    }
    ide_disk_advance(ide, (uint32_t)(len / IDE_SECTOR_BYTES));
    ide_disk_proceed(ide);
}

static void
dma_next_piece(IdeDevice *ide)
{
    bool is_read = ide->op == OP_READ_DMA;
    uint64_t len;

    if (ide->op_left == 0) {
        ide->bus->host->dma_done(ide->bus, false);
        ide_finish(ide, 0);
        return;
    }
    len = ide_sg_gather(ide, (uint64_t)ide->op_left * IDE_SECTOR_BYTES, IDE_SECTOR_BYTES, is_read);
    if (len == 0) {
        ide_dma_short(ide);
        return;
    }
    ide->waiting_dma = false;
    if (is_read) {
        ide_drive_read(ide, ide->op_lba * IDE_SECTOR_BYTES, ide->sg->iov, ide->sg->count,
                       dma_moved);
    } else {
        ide_drive_write(ide, ide->op_lba * IDE_SECTOR_BYTES, ide->sg->iov, ide->sg->count,
                        dma_moved);
    }
}

/* ---- flush and trim ---- */

static void
flushed(IdeDevice *ide, int ret)
{
    if (check_result(ide, false, ret)) {
        ide_finish(ide, 0);
    }
}

static void
trim_fetch(IdeDevice *ide)
{
    IdeDisk *disk = (IdeDisk *)ide;
    uint32_t sectors = MIN(disk->trim_left, BUFFER_SECTORS);

    if (sectors == 0) {
        ide->bus->host->dma_done(ide->bus, false);
        ide_finish(ide, 0);
        return;
    }
    if (!ide_sg_copy(ide, ide->data, sectors * IDE_SECTOR_BYTES, false)) {
        ide_dma_short(ide);
        return;
    }
    ide->waiting_dma = false;
    disk->trim_left -= sectors;
    disk->trim_at = 0;
    disk->trim_end = sectors * IDE_SECTOR_BYTES;
    ide_disk_proceed(ide);
}

static void
trimmed(IdeDevice *ide, int ret)
{
    if (check_result(ide, false, ret)) {
        ((IdeDisk *)ide)->trim_at += 8;
        ide_disk_proceed(ide);
    }
}

/* One range entry: LBA in bits 47:0, count in 63:48; a count of zero is padding. */
static void
trim_next(IdeDevice *ide)
{
    IdeDisk *disk = (IdeDisk *)ide;
    uint64_t total = ide_disk_sector_count(ide);

    while (disk->trim_at < disk->trim_end) {
        uint64_t entry;
        memcpy(&entry, ide->data + disk->trim_at, sizeof(entry));
        uint64_t lba = entry & 0xffffffffffff, count = entry >> 48;
        if (count > 0) {
            if (lba >= total || count > total - lba) {
                ide->bus->host->dma_done(ide->bus, false);
                ide_fail(ide, IDE_ERROR_IDNF | IDE_ERROR_ABRT);
                return;
            }
            ide_drive_discard(ide, lba * IDE_SECTOR_BYTES, count * IDE_SECTOR_BYTES, trimmed);
            return;
        }
        disk->trim_at += 8;
    }
    trim_fetch(ide);
}

void
ide_disk_dma_run(IdeDevice *ide)
{
    if (ide->op == OP_TRIM) {
        trim_fetch(ide);
    } else {
        dma_next_piece(ide);
    }
}

/* After an error stopped the machine, and within commands of several steps. */
void
ide_disk_proceed(IdeDevice *ide)
{
    switch (ide->op) {
    case OP_READ_PIO: ide_disk_read_pio_next(ide); break;
    case OP_WRITE_PIO: write_pio_store(ide); break;
    case OP_READ_DMA:
    case OP_WRITE_DMA: dma_next_piece(ide); break;
    case OP_FLUSH: ide_drive_flush(ide, flushed); break;
    case OP_TRIM: trim_next(ide); break;
    default: break;
    }
}
