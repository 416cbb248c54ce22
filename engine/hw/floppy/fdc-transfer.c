/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The execution phase of the 82077AA: sectors between the medium and the host, by DMA or by
 * programmed I/O.
 *
 * Intel 82077AA data sheet (order 290166), sections 5.1 to 5.3 and table 5-5 (the ID a command
 * leaves in its result). A transfer goes sector by sector: a read fills the buffer from the medium
 * and hands it to the host, a write the other way round. It ends at terminal count, or abnormally
 * at the end of the last track when nobody counted. A DMA channel that is not ready is tried again
 * for half a second of guest time, then the command ends with an overrun.
 *
 * Thread: device lock held. */

#include "fdc-private.h"

#include <string.h>

enum {
    DMA_RETRY_NS = 1000000,
    DMA_MAX_RETRIES = 500,
    OPCODE_MULTI_TRACK = 0x80,
    OPCODE_READ_TRACK = 0x02,
    OPCODE_READ_DELETED = 0x0c,
    OPCODE_MASK = 0x1f,
    CONFIGURATION_IMPLIED_SEEK = 0x40,
    VERIFY_COUNT = 0x80, /* EC, in the drive byte */
};

static void next_sector(Fdc *fdc);
static void move_piece(Fdc *fdc);

bool
fdc_is_to_host(const Fdc *fdc)
{
    return fdc->op == FDC_OP_READ;
}

static bool
is_scan(const Fdc *fdc)
{
    return fdc->op >= FDC_OP_SCAN_EQUAL;
}

static VitIsaBus *
isa_bus(Fdc *fdc)
{
    return vit_isa_bus(&fdc->dev);
}

static void
set_dma_request(Fdc *fdc, bool level)
{
    VitIsaBus *bus = isa_bus(fdc);

    if (bus->dma) {
        bus->dma->set_request(bus->dma_opaque, fdc->dma, level);
    }
}

void
fdc_end_transfer(Fdc *fdc, uint8_t st0, uint8_t st1, uint8_t st2)
{
    vit_timer_del(&fdc->dma_timer);
    set_dma_request(fdc, false);
    fdc->op = FDC_OP_NONE;
    fdc->result[0] = (uint8_t)(st0 | fdc->unit | fdc->head << 2);
    fdc->result[1] = st1;
    fdc->result[2] = st2;
    fdc->result[3] = fdc->cylinder;
    fdc->result[4] = fdc->head;
    fdc->result[5] = fdc->sector;
    fdc->result[6] = fdc->size_code;
    fdc_give_result(fdc, 7);
    fdc_set_irq(fdc, true);
}

void
fdc_stop_transfer(Fdc *fdc)
{
    FloppyDrive *floppy = fdc_drive(fdc, fdc->unit);

    if (fdc->in_flight) {
        fdc->is_resetting = true;
        floppy->drive->ops->drain(floppy->drive);
        fdc->is_resetting = false;
    }
    if (fdc->op != FDC_OP_NONE) {
        set_dma_request(fdc, false);
    }
    vit_timer_del(&fdc->dma_timer);
    fdc->op = FDC_OP_NONE;
    fdc->step = FDC_STEP_HOST;
    fdc->stopped = false;
    fdc->buffer_at = fdc->buffer_len = 0;
    fdc->dma_retries = 0;
}

/* ---- the medium ---- */

static void
medium_done(void *opaque, int ret)
{
    Fdc *fdc = opaque;
    FloppyDrive *floppy = fdc_drive(fdc, fdc->unit);
    bool is_read = fdc->op != FDC_OP_WRITE && fdc->op != FDC_OP_FORMAT;

    fdc->in_flight = false;
    if (fdc->is_resetting || !floppy) {
        return;
    }
    if (ret < 0) {
        switch (floppy->drive->ops->error_action(floppy->drive, is_read, -ret)) {
        case VIT_DRIVE_STOP: fdc->stopped = true; return;
        case VIT_DRIVE_REPORT:
            fdc_end_transfer(fdc, FDC_ST0_ABNORMAL, FDC_ST1_DATA_ERROR, FDC_ST2_DATA_ERROR);
            return;
        case VIT_DRIVE_IGNORE: break;
        }
    }
    fdc->step = FDC_STEP_HOST;
    if (fdc->op == FDC_OP_READ || is_scan(fdc)) {
        fdc->buffer_at = 0;
        move_piece(fdc);
    } else {
        next_sector(fdc);
    }
}

static uint8_t
medium_track(const Fdc *fdc, const FloppyDrive *floppy)
{
    /* A 40-track medium in an 80-track drive: software may step twice for each of its tracks. */
    return floppy->medium.tracks < 80 && floppy->track == 2 * fdc->cylinder ? fdc->cylinder
                                                                            : floppy->track;
}

/* Reads or writes the current sector; what lies beyond the image reads as zeroes and takes
 * nothing. */
static void
access_medium(Fdc *fdc, bool is_write)
{
    FloppyDrive *floppy = fdc_drive(fdc, fdc->unit);
    VitDrive *drive = floppy ? floppy->drive : NULL;
    uint64_t offset;

    fdc->step = FDC_STEP_MEDIUM;
    if (!floppy || !floppy_has_medium(floppy)) {
        fdc_end_transfer(fdc, FDC_ST0_ABNORMAL, FDC_ST1_MISSING_MARK, 0);
        return;
    }
    if (!floppy_locate(floppy, medium_track(fdc, floppy), fdc->head, fdc->sector, &offset)) {
        fdc_end_transfer(fdc, FDC_ST0_ABNORMAL, FDC_ST1_NO_DATA, 0);
        return;
    }
    fdc->in_flight = true;
    fdc->iov = (struct iovec){ .iov_base = fdc->buffer, .iov_len = FDC_SECTOR_BYTES };
    if (offset >= drive->ops->get_len(drive)) {
        if (!is_write) {
            memset(fdc->buffer, 0, sizeof(fdc->buffer));
        }
        medium_done(fdc, 0);
    } else if (is_write) {
        drive->ops->write(drive, offset, &fdc->iov, 1, false, medium_done, fdc);
    } else {
        drive->ops->read(drive, offset, &fdc->iov, 1, medium_done, fdc);
    }
}

/* ---- the order of sectors ---- */

/* To the ID after the current one; false at the end of the last track. */
static bool
advance(Fdc *fdc)
{
    uint8_t step = is_scan(fdc) ? MAX(fdc->scan_step, 1) : 1;

    if (fdc->sector + step <= fdc->last_sector) {
        fdc->sector += step;
        return true;
    }
    fdc->sector = 1;
    if (fdc->multi_track) {
        fdc->head ^= 1;
        if (fdc->head == 1) {
            return true;
        }
    }
    fdc->cylinder++;
    return false;
}

static void
begin_sector(Fdc *fdc)
{
    fdc->buffer_at = 0;
    fdc->buffer_len = fdc->op == FDC_OP_FORMAT ? 4 : FDC_SECTOR_BYTES; /* C, H, R, N of a sector */
    fdc->step = FDC_STEP_HOST;
    if (is_scan(fdc)) {
        fdc->scan_failed = false;
        fdc->st2 = FDC_ST2_SCAN_HIT;
    }
    if (fdc->op == FDC_OP_WRITE || fdc->op == FDC_OP_FORMAT) {
        move_piece(fdc);
    } else {
        access_medium(fdc, false);
    }
}

/* A sector is complete on both sides. */
static void
next_sector(Fdc *fdc)
{
    bool end = fdc->at_end, more;

    if (fdc->op == FDC_OP_FORMAT) {
        if (--fdc->sectors_left == 0 || end) {
            fdc_end_transfer(fdc, 0, 0, 0);
        } else {
            begin_sector(fdc);
        }
        return;
    }
    if (fdc->has_count) { /* VERIFY with a sector count */
        end = --fdc->sectors_left == 0;
    }
    if (fdc->st2 & FDC_ST2_CONTROL_MARK) {
        end = true; /* a sector of the other kind ends the command after itself */
    }
    more = advance(fdc);
    if (end) {
        fdc_end_transfer(fdc, 0, fdc->st1, fdc->st2);
    } else if (more) {
        begin_sector(fdc);
    } else if (fdc->op == FDC_OP_VERIFY) {
        fdc_end_transfer(fdc, 0, 0, 0);
    } else if (is_scan(fdc)) {
        fdc_end_transfer(fdc, 0, 0, FDC_ST2_SCAN_MISS);
    } else {
        /* Nobody said that it was enough. */
        fdc_end_transfer(fdc, FDC_ST0_ABNORMAL, FDC_ST1_END_OF_CYLINDER, fdc->st2);
    }
}

/* ---- the host ---- */

/* A whole piece has come from the host. */
static void
host_gave(Fdc *fdc)
{
    if (fdc->op == FDC_OP_FORMAT) {
        fdc->cylinder = fdc->buffer[0];
        fdc->head = fdc->buffer[1] & 1;
        fdc->sector = fdc->buffer[2];
        memset(fdc->buffer, fdc->fill, sizeof(fdc->buffer));
    }
    access_medium(fdc, true);
}

/* A byte of the host beside one of the medium; FFh on either side stands for any. */
static void
scan_byte(Fdc *fdc, uint16_t at, uint8_t given)
{
    uint8_t found = fdc->buffer[at];

    if (given == 0xff || found == 0xff || given == found) {
        return;
    }
    if (fdc->op == FDC_OP_SCAN_EQUAL || (fdc->op == FDC_OP_SCAN_LOW && found > given) ||
        (fdc->op == FDC_OP_SCAN_HIGH && found < given)) {
        fdc->scan_failed = true;
    }
    fdc->st2 &= (uint8_t)~FDC_ST2_SCAN_HIT; /* not equal throughout */
}

static void
scan_sector_done(Fdc *fdc)
{
    if (!fdc->scan_failed || fdc->at_end) {
        uint8_t st2 = fdc->scan_failed ? FDC_ST2_SCAN_MISS : fdc->st2;
        advance(fdc);
        fdc_end_transfer(fdc, 0, 0, st2);
        return;
    }
    fdc->st2 = 0;
    next_sector(fdc);
}

static void
host_piece_done(Fdc *fdc)
{
    if (fdc->op == FDC_OP_READ) {
        next_sector(fdc);
    } else if (is_scan(fdc)) {
        scan_sector_done(fdc);
    } else {
        host_gave(fdc);
    }
}

/* Moves what the DMA channel takes; true when the piece is complete or the count is. */
static bool
run_dma(Fdc *fdc)
{
    VitIsaBus *bus = isa_bus(fdc);
    bool from_memory = !fdc_is_to_host(fdc);
    uint8_t given[FDC_SECTOR_BYTES];

    set_dma_request(fdc, true);
    while (fdc->buffer_at < fdc->buffer_len && !fdc->at_end) {
        uint8_t *at = is_scan(fdc) ? given : fdc->buffer + fdc->buffer_at;
        size_t len = fdc->buffer_len - fdc->buffer_at, moved = 0;
        bool count_reached = false;
        if (bus->dma) {
            moved =
                bus->dma->transfer(bus->dma_opaque, fdc->dma, at, len, from_memory, &count_reached);
        }
        if (moved == 0) {
            return false;
        }
        for (size_t i = 0; is_scan(fdc) && i < moved; i++) {
            scan_byte(fdc, (uint16_t)(fdc->buffer_at + i), given[i]);
        }
        fdc->buffer_at += (uint16_t)moved;
        fdc->at_end = count_reached;
    }
    return true;
}

static void
move_piece(Fdc *fdc)
{
    if (!fdc_uses_dma(fdc)) {
        fdc_set_irq(fdc, true);
        return;
    }
    if (run_dma(fdc)) {
        fdc->dma_retries = 0;
        if (!fdc_is_to_host(fdc) && fdc->buffer_at < fdc->buffer_len && !is_scan(fdc)) {
            /* The count ended within the sector: the rest of it is zeroes. */
            memset(fdc->buffer + fdc->buffer_at, 0, (size_t)(fdc->buffer_len - fdc->buffer_at));
        }
        host_piece_done(fdc);
        return;
    }
    if (fdc->dma_retries++ >= DMA_MAX_RETRIES) {
        fdc->dma_retries = 0;
        fdc_end_transfer(fdc, FDC_ST0_ABNORMAL, FDC_ST1_OVERRUN, 0);
        return;
    }
    vit_timer_mod(&fdc->dma_timer, vit_clock_get_ns(fdc->dma_timer.clock) + DMA_RETRY_NS);
}

void
fdc_retry_dma(void *opaque)
{
    Fdc *fdc = opaque;

    if (fdc->op != FDC_OP_NONE && fdc->step == FDC_STEP_HOST && !fdc->in_flight) {
        move_piece(fdc);
    }
}

void
fdc_resume_transfer(void *opaque)
{
    Fdc *fdc = opaque;

    if (fdc->stopped) {
        fdc->stopped = false;
        access_medium(fdc, fdc->op == FDC_OP_WRITE || fdc->op == FDC_OP_FORMAT);
    }
}

/* ---- programmed I/O ---- */

uint8_t
fdc_read_data(Fdc *fdc)
{
    uint8_t value = fdc->buffer[fdc->buffer_at++];

    if (fdc->buffer_at >= fdc->buffer_len) {
        fdc_set_irq(fdc, false);
        host_piece_done(fdc);
    }
    return value;
}

void
fdc_write_data(Fdc *fdc, uint8_t value)
{
    if (is_scan(fdc)) {
        scan_byte(fdc, fdc->buffer_at, value);
    } else {
        fdc->buffer[fdc->buffer_at] = value;
    }
    if (++fdc->buffer_at >= fdc->buffer_len) {
        fdc_set_irq(fdc, false);
        host_piece_done(fdc);
    }
}

/* ---- starting ---- */

static void
begin_execution(Fdc *fdc, FdcOp op)
{
    fdc->phase = FDC_PHASE_EXECUTE;
    fdc->op = (uint8_t)op;
    fdc->step = FDC_STEP_MEDIUM;
    fdc->unit = fdc->command[1] & 3;
    fdc->head = fdc->command[1] >> 2 & 1;
    fdc->st1 = fdc->st2 = 0;
    fdc->at_end = fdc->has_count = fdc->multi_track = fdc->scan_failed = false;
    fdc->buffer_at = fdc->buffer_len = 0;
    fdc->dma_retries = 0;
}

/* What stands in the way before a sector is looked for; true when the command has ended. */
static bool
refuse_transfer(Fdc *fdc, bool is_write)
{
    const FloppyDrive *floppy = fdc_drive(fdc, fdc->unit);

    if (!floppy || !floppy_has_medium(floppy) || fdc->head >= floppy->medium.sides ||
        (fdc->check_rate && floppy->medium.rate != (fdc->dsr & 3))) {
        fdc_end_transfer(fdc, FDC_ST0_ABNORMAL, FDC_ST1_MISSING_MARK, 0);
    } else if (is_write && floppy_is_write_protected(floppy)) {
        fdc_end_transfer(fdc, FDC_ST0_ABNORMAL, FDC_ST1_NOT_WRITABLE, 0);
    } else if (fdc->size_code != 2) { /* all sectors have 512 bytes */
        fdc_end_transfer(fdc, FDC_ST0_ABNORMAL, FDC_ST1_NO_DATA, 0);
    } else {
        return false;
    }
    return true;
}

/* Sectors are found by the ID the command gives: cylinder, head, number. */
static bool
refuse_address(Fdc *fdc)
{
    FloppyDrive *floppy = fdc_drive(fdc, fdc->unit);

    if (fdc->configuration & CONFIGURATION_IMPLIED_SEEK) {
        floppy_seek(floppy, fdc->cylinder);
    }
    if (medium_track(fdc, floppy) != fdc->cylinder) {
        fdc_end_transfer(fdc, FDC_ST0_ABNORMAL, FDC_ST1_NO_DATA, FDC_ST2_WRONG_CYLINDER);
        return true;
    }
    if (fdc->command[3] != fdc->head) {
        fdc_end_transfer(fdc, FDC_ST0_ABNORMAL, FDC_ST1_NO_DATA, 0);
        return true;
    }
    return false;
}

void
fdc_start_transfer(Fdc *fdc, FdcOp op)
{
    uint8_t opcode = fdc->command[0] & OPCODE_MASK;

    begin_execution(fdc, op);
    fdc->multi_track = fdc->command[0] & OPCODE_MULTI_TRACK;
    fdc->cylinder = fdc->command[2];
    fdc->sector = fdc->command[4];
    fdc->size_code = fdc->command[5];
    fdc->last_sector = fdc->command[6];
    fdc->scan_step = fdc->command[8];
    if (op == FDC_OP_VERIFY && (fdc->command[1] & VERIFY_COUNT)) {
        fdc->has_count = true;
        fdc->sectors_left = fdc->command[8] ? fdc->command[8] : 256;
    }
    if (opcode == OPCODE_READ_TRACK) {
        fdc->sector = 1; /* from the index mark on, whatever the IDs */
    }
    if (op == FDC_OP_READ && opcode == OPCODE_READ_DELETED) {
        fdc->st2 = FDC_ST2_CONTROL_MARK; /* there are only ordinary sectors */
    }
    if (!refuse_transfer(fdc, op == FDC_OP_WRITE) && !refuse_address(fdc)) {
        begin_sector(fdc);
    }
}

void
fdc_start_format(Fdc *fdc)
{
    const FloppyDrive *floppy = fdc_drive(fdc, fdc->command[1] & 3);

    begin_execution(fdc, FDC_OP_FORMAT);
    fdc->cylinder = floppy ? floppy->track : 0;
    fdc->sector = 1;
    fdc->size_code = fdc->command[2];
    fdc->sectors_left = fdc->command[3];
    fdc->fill = fdc->command[5];
    if (refuse_transfer(fdc, true)) {
        return;
    }
    if (fdc->sectors_left == 0) {
        fdc_end_transfer(fdc, 0, 0, 0);
    } else {
        begin_sector(fdc);
    }
}
