/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* An ATA disk: the commands, and how data gets from and to the drive.
 *
 * ATA/ATAPI-6 (T13 1410D) section 8; DATA SET MANAGEMENT from ACS-2 (T13 2015D) 7.10. What the
 * disk is doing is op with op_lba and op_left; proceed() takes it up from there, which is how a
 * request goes on after an error stopped the machine. Reads by programmed I/O fetch up to the
 * whole buffer ahead; writes reach the drive block by block.
 *
 * Not modelled: security and power-management states beyond answering, host protected area,
 * overlapped commands. Thread: device lock held. */

#include "ide.h"

#include "vit-error.h"

#include <errno.h>
#include <string.h>

typedef struct IdeDisk {
    IdeDevice ide;
    uint32_t trim_left;  /* DATA SET MANAGEMENT: sectors of ranges to come */
    uint32_t trim_at;    /* next range in data, bytes */
    uint32_t trim_end;   /* ranges in data, bytes */
    uint8_t smart_state; /* 1: autosave on */
} IdeDisk;
VIT_DEVICE_LAYOUT(IdeDisk)

enum {
    OP_NONE,
    OP_READ_PIO,
    OP_WRITE_PIO,
    OP_READ_DMA,
    OP_WRITE_DMA,
    OP_FLUSH,
    OP_TRIM,
    OP_REPLY, /* IDENTIFY, SMART: data is the answer */
    OP_LAST
};

enum { MAX_MULTIPLE = 16, BUFFER_SECTORS = IDE_BUFFER_BYTES / IDE_SECTOR_BYTES };

static void proceed(IdeDevice *ide);

/* ---- addresses ---- */

static uint64_t
sector_count(const IdeDevice *ide)
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
static void
store_position(IdeDevice *ide)
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
static bool
take_range(IdeDevice *ide)
{
    uint32_t count = ide->lba48 ? ide->count | (uint32_t)ide->hob_count << 8 : ide->count;
    uint64_t lba, total = sector_count(ide);

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
    store_position(ide);
    if (ide->op == OP_READ_DMA || ide->op == OP_WRITE_DMA || ide->op == OP_TRIM) {
        ide->bus->host->dma_done(ide->bus, false);
    }
    ide_fail(ide, is_read ? IDE_ERROR_UNC : IDE_ERROR_ABRT);
    return false;
}

static void
advance(IdeDevice *ide, uint32_t sectors)
{
    ide->op_lba += sectors;
    ide->op_left -= sectors;
    store_position(ide);
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

static void
read_pio_next(IdeDevice *ide)
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

static void
ask_write_block(IdeDevice *ide, bool interrupt)
{
    ide->op_block = MIN(block_sectors(ide), ide->op_left);
    ide->data_at = 0;
    ide_pio_out(ide, ide->op_block * IDE_SECTOR_BYTES, interrupt);
}

static void
write_pio_stored(IdeDevice *ide, int ret)
{
    if (!check_result(ide, false, ret)) {
        return;
    }
    advance(ide, ide->op_block);
    ide->op_block = 0;
    if (ide->op_left > 0) {
        ask_write_block(ide, true);
    } else {
        ide_finish(ide, 0);
    }
}

static void
write_pio_store(IdeDevice *ide)
{
    ide->status = IDE_BSY | IDE_DRDY | IDE_DSC;
    ide->sg->iov[0] =
        (struct iovec){ .iov_base = ide->data, .iov_len = ide->op_block * IDE_SECTOR_BYTES };
    ide_drive_write(ide, ide->op_lba * IDE_SECTOR_BYTES, ide->sg->iov, 1, write_pio_stored);
}

static void
pio_done(IdeDevice *ide)
{
    switch (ide->op) {
    case OP_READ_PIO:
        ide->op_buffered -= MIN(ide->op_block, ide->op_buffered);
        advance(ide, MIN(ide->op_block, ide->op_left));
        read_pio_next(ide);
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
    advance(ide, (uint32_t)(len / IDE_SECTOR_BYTES));
    proceed(ide);
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
    proceed(ide);
}

static void
trimmed(IdeDevice *ide, int ret)
{
    if (check_result(ide, false, ret)) {
        ((IdeDisk *)ide)->trim_at += 8;
        proceed(ide);
    }
}

/* One range entry: LBA in bits 47:0, count in 63:48; a count of zero is padding. */
static void
trim_next(IdeDevice *ide)
{
    IdeDisk *disk = (IdeDisk *)ide;
    uint64_t total = sector_count(ide);

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

static void
dma_run(IdeDevice *ide)
{
    if (ide->op == OP_TRIM) {
        trim_fetch(ide);
    } else {
        dma_next_piece(ide);
    }
}

/* After an error stopped the machine, and within commands of several steps. */
static void
proceed(IdeDevice *ide)
{
    switch (ide->op) {
    case OP_READ_PIO: read_pio_next(ide); break;
    case OP_WRITE_PIO: write_pio_store(ide); break;
    case OP_READ_DMA:
    case OP_WRITE_DMA: dma_next_piece(ide); break;
    case OP_FLUSH: ide_drive_flush(ide, flushed); break;
    case OP_TRIM: trim_next(ide); break;
    default: break;
    }
}

/* ---- commands ---- */

static void
start_read_pio(IdeDevice *ide)
{
    if (take_range(ide)) {
        ide->op = OP_READ_PIO;
        read_pio_next(ide);
    }
}

static void
start_write_pio(IdeDevice *ide)
{
    if (take_range(ide)) {
        ide->op = OP_WRITE_PIO;
        ask_write_block(ide, false);
    }
}

static void
start_read_dma(IdeDevice *ide)
{
    if (take_range(ide)) {
        ide->op = OP_READ_DMA;
        ide_dma_begin(ide);
    }
}

static void
start_write_dma(IdeDevice *ide)
{
    if (take_range(ide)) {
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
    proceed(ide);
}

static void
command_verify(IdeDevice *ide)
{
    if (take_range(ide)) {
        advance(ide, ide->op_left);
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

static void
reply(IdeDevice *ide)
{
    ide->op = OP_REPLY;
    ide->data_at = 0;
    ide_pio_in(ide, IDE_SECTOR_BYTES, true);
}

static void
command_identify(IdeDevice *ide)
{
    ide_identify_disk(ide, ide->data);
    reply(ide);
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
    uint64_t last = sector_count(ide);

    last = last ? last - 1 : 0;
    if (!ide->lba48) {
        last = MIN(last, 0x0fffffff);
    }
    ide->op_lba = last;
    ide->op_left = 0;
    ide->bus->select |= IDE_DEVICE_LBA;
    store_position(ide);
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

/* ---- SMART: enough for tools to see a healthy disk ---- */

static void
set_checksum(uint8_t *sector)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < IDE_SECTOR_BYTES - 1; i++) {
        sum += sector[i];
    }
    sector[IDE_SECTOR_BYTES - 1] = (uint8_t)-sum;
}

/* Attributes: id, flags, value, worst, raw, threshold. */
static const uint8_t smart_attributes[][6] = {
    { 1, 3, 100, 100, 0, 6 },   /* raw read errors */
    { 3, 3, 100, 100, 16, 0 },  /* spin-up time */
    { 5, 3, 100, 100, 0, 36 },  /* reallocated sectors */
    { 9, 3, 100, 100, 1, 0 },   /* power-on hours */
    { 12, 2, 100, 100, 1, 0 },  /* power cycles */
    { 190, 3, 69, 69, 31, 50 }, /* airflow temperature */
};

static void
smart_read_data(IdeDevice *ide, bool thresholds)
{
    uint8_t *out = ide->data;

    memset(out, 0, IDE_SECTOR_BYTES);
    out[0] = 1;
    for (unsigned i = 0; i < VIT_ARRAY_LEN(smart_attributes); i++) {
        const uint8_t *row = smart_attributes[i];
        uint8_t *entry = out + 2 + 12 * i;
        entry[0] = row[0];
        entry[1] = thresholds ? row[5] : row[1];
        entry[3] = thresholds ? 0 : row[2];
        entry[4] = thresholds ? 0 : row[3];
        entry[5] = thresholds ? 0 : row[4];
    }
    if (!thresholds) {
        out[362] = ((IdeDisk *)ide)->smart_state ? 0x82 : 0x02; /* off-line collection done */
        out[367] = 0x10;                                        /* attribute autosave */
        out[368] = 0x03;
        out[370] = 0x01; /* error logging */
        out[372] = 0x02; /* minutes of a self test */
        out[373] = 0x36;
    }
    set_checksum(out);
    reply(ide);
}

static void
smart_read_log(IdeDevice *ide)
{
    uint8_t log = ide->lba_low;

    memset(ide->data, 0, IDE_SECTOR_BYTES);
    if (log > 0x01 && log != 0x06) {
        ide_abort(ide);
        return;
    }
    ide->data[0] = 1; /* version; no entries in any of them */
    if (log != 0) {
        set_checksum(ide->data);
    }
    reply(ide);
}

/* General purpose logs: the directory, and the errors of queued commands. */
static void
command_read_log(IdeDevice *ide)
{
    memset(ide->data, 0, IDE_SECTOR_BYTES);
    if (!ide->bus->host->fill_queue_log || (ide->lba_low != 0x00 && ide->lba_low != 0x10)) {
        ide_abort(ide);
        return;
    }
    if (ide->lba_low == 0x10) {
        ide->bus->host->fill_queue_log(ide->bus, ide->data);
    } else {
        ide->data[0] = 1;    /* version */
        ide->data[0x20] = 1; /* log 10h has one page */
    }
    reply(ide);
}

static void
command_smart(IdeDevice *ide)
{
    bool key = ide->lba_mid == 0x4f && ide->lba_high == 0xc2;

    if (!key || (!ide->smart_on && ide->feature != 0xd8)) {
        ide_abort(ide);
        return;
    }
    switch (ide->feature) {
    case 0xd0: smart_read_data(ide, false); return;
    case 0xd1: smart_read_data(ide, true); return;
    case 0xd2: ((IdeDisk *)ide)->smart_state = ide->count == 0xf1; break; /* autosave */
    case 0xd4: break;                                                     /* off-line: at once */
    case 0xd5: smart_read_log(ide); return;
    case 0xd8: ide->smart_on = true; break;
    case 0xd9: ide->smart_on = false; break;
    case 0xda: break; /* return status: the key unchanged says healthy */
    default: ide_abort(ide); return;
    }
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
    [0x06] = { command_trim, true },            /* DATA SET MANAGEMENT */
    [0x10] = { finish_only },                   /* RECALIBRATE */
    [0x20] = { start_read_pio },                /* READ SECTORS */
    [0x21] = { start_read_pio },                /* ... without retry */
    [0x24] = { start_read_pio, true },          /* READ SECTORS EXT */
    [0x25] = { start_read_dma, true },          /* READ DMA EXT */
    [0x27] = { command_read_native_max, true }, /* READ NATIVE MAX ADDRESS EXT */
    [0x29] = { read_multiple, true },           /* READ MULTIPLE EXT */
    [0x2f] = { command_read_log, true },        /* READ LOG EXT */
    [0x30] = { start_write_pio },               /* WRITE SECTORS */
    [0x31] = { start_write_pio },               /* ... without retry */
    [0x34] = { start_write_pio, true },         /* WRITE SECTORS EXT */
    [0x35] = { start_write_dma, true },         /* WRITE DMA EXT */
    [0x39] = { write_multiple, true },          /* WRITE MULTIPLE EXT */
    [0x3c] = { start_write_pio },               /* WRITE VERIFY */
    [0x40] = { command_verify },                /* READ VERIFY SECTORS */
    [0x41] = { command_verify },                /* ... without retry */
    [0x42] = { command_verify, true },          /* READ VERIFY SECTORS EXT */
    [0x70] = { finish_only },                   /* SEEK */
    [0x91] = { command_initialize_parameters }, /* INITIALIZE DEVICE PARAMETERS */
    [0x94] = { finish_only },                   /* STANDBY IMMEDIATE, ATA-1 */
    [0x95] = { finish_only },                   /* IDLE IMMEDIATE, ATA-1 */
    [0x96] = { finish_only },                   /* STANDBY, ATA-1 */
    [0x97] = { finish_only },                   /* IDLE, ATA-1 */
    [0x98] = { command_check_power },           /* CHECK POWER MODE, ATA-1 */
    [0x99] = { finish_only },                   /* SLEEP, ATA-1 */
    [0xb0] = { command_smart },                 /* SMART */
    [0xc4] = { read_multiple },                 /* READ MULTIPLE */
    [0xc5] = { write_multiple },                /* WRITE MULTIPLE */
    [0xc6] = { command_set_multiple },          /* SET MULTIPLE MODE */
    [0xc8] = { start_read_dma },                /* READ DMA */
    [0xc9] = { start_read_dma },                /* ... without retry */
    [0xca] = { start_write_dma },               /* WRITE DMA */
    [0xcb] = { start_write_dma },               /* ... without retry */
    [0xe0] = { finish_only },                   /* STANDBY IMMEDIATE */
    [0xe1] = { finish_only },                   /* IDLE IMMEDIATE */
    [0xe2] = { finish_only },                   /* STANDBY */
    [0xe3] = { finish_only },                   /* IDLE */
    [0xe5] = { command_check_power },           /* CHECK POWER MODE */
    [0xe6] = { finish_only },                   /* SLEEP */
    [0xe7] = { command_flush },                 /* FLUSH CACHE */
    [0xea] = { command_flush, true },           /* FLUSH CACHE EXT */
    [0xec] = { command_identify },              /* IDENTIFY DEVICE */
    [0xef] = { command_set_features },          /* SET FEATURES */
    [0xf8] = { command_read_native_max },       /* READ NATIVE MAX ADDRESS */
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
    if (!ide->reverts_disabled) {
        ide->multiple = 0;
        ide->current_heads = (uint8_t)ide->geometry.heads;
        ide->current_sectors = (uint8_t)ide->geometry.sectors;
    }
}

static const IdeDeviceOps disk_ops = {
    .command = run_command,
    .pio_done = pio_done,
    .dma_run = dma_run,
    .proceed = proceed,
    .reset = reset,
};

static void
resume(void *opaque)
{
    IdeDevice *ide = opaque;

    if (ide->stopped) {
        ide->stopped = false;
        proceed(ide);
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
        ide->current_heads > 16 || ide->current_sectors == 0) {
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
    VIT_PROP_BOOL(IdeDisk, ide.share_rw, "share-rw", 0,
                  VIT_N_("Others may write to the image too")),
    VIT_PROP_ENUM(IdeDisk, ide.on_read_error, "rerror", on_error_words, 0,
                  VIT_N_("What a read error does")),
    VIT_PROP_ENUM(IdeDisk, ide.on_write_error, "werror", on_error_words, 0,
                  VIT_N_("What a write error does")),
    { 0 }
};

static const VitField state[] = {
    IDE_DEVICE_STATE(IdeDisk),    VIT_FIELD(IdeDisk, trim_left),   VIT_FIELD(IdeDisk, trim_at),
    VIT_FIELD(IdeDisk, trim_end), VIT_FIELD(IdeDisk, smart_state), { 0 },
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
