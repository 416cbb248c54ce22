/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The controller from the inside: fdc82077.c has the registers and phases, fdc-commands.c what
 * commands do, fdc-transfer.c the data. Thread: device lock held. */

#include "floppy.h"
#include "vit-isa.h"

enum { FDC_SECTOR_BYTES = 512, FDC_MAX_PARAMETERS = 9, FDC_MAX_RESULTS = 10 };

typedef enum FdcPhase { FDC_PHASE_COMMAND, FDC_PHASE_EXECUTE, FDC_PHASE_RESULT } FdcPhase;

/* What is done in the execution phase. */
typedef enum FdcOp {
    FDC_OP_NONE,
    FDC_OP_READ,
    FDC_OP_WRITE,
    FDC_OP_FORMAT,
    FDC_OP_VERIFY,
    FDC_OP_SCAN_EQUAL,
    FDC_OP_SCAN_LOW,
    FDC_OP_SCAN_HIGH,
    FDC_OP_LAST
} FdcOp;

/* Where a sector's data is on its way between host and medium. */
typedef enum FdcStep { FDC_STEP_HOST, FDC_STEP_MEDIUM } FdcStep;

/* Status registers 0 to 2 of the result phase. */
enum {
    FDC_ST0_ABNORMAL = 0x40,
    FDC_ST0_INVALID = 0x80,
    FDC_ST0_READY_CHANGE = 0xc0,
    FDC_ST0_SEEK_END = 0x20,
    FDC_ST0_NO_TRACK0 = 0x10,
    FDC_ST1_END_OF_CYLINDER = 0x80,
    FDC_ST1_DATA_ERROR = 0x20,
    FDC_ST1_OVERRUN = 0x10,
    FDC_ST1_NO_DATA = 0x04,
    FDC_ST1_NOT_WRITABLE = 0x02,
    FDC_ST1_MISSING_MARK = 0x01,
    FDC_ST2_CONTROL_MARK = 0x40,
    FDC_ST2_DATA_ERROR = 0x20,
    FDC_ST2_WRONG_CYLINDER = 0x10,
    FDC_ST2_SCAN_HIT = 0x08,
    FDC_ST2_SCAN_MISS = 0x04,
};

typedef struct Fdc {
    VitDevice dev;
    /* properties */
    uint16_t iobase;
    uint8_t irq, dma;
    int32_t fallback, type_a, type_b;
    bool check_rate;
    /* wiring */
    FloppyBus bus;
    VitRegion low_region, high_region;
    /* registers */
    uint8_t dor, dsr, tdr;
    bool irq_level;
    /* settings */
    uint8_t configuration, precompensation_track, perpendicular;
    uint8_t specify[2]; /* step rate and head unload, head load and non-DMA */
    bool locked;
    /* command and result */
    uint8_t phase;
    uint8_t command[FDC_MAX_PARAMETERS], command_at, command_len;
    uint8_t result[FDC_MAX_RESULTS], result_at, result_len;
    /* interrupts of seeks and of reset that SENSE INTERRUPT STATUS fetches */
    uint8_t pending_st0[4];
    uint8_t pending_mask, reset_senses;
    /* the transfer under way */
    uint8_t op, step;
    uint8_t unit, head, cylinder, sector, size_code, last_sector;
    bool multi_track, deleted, at_end;
    uint8_t st1, st2;
    uint8_t fill, scan_step;
    uint16_t sectors_left; /* FORMAT and VERIFY with a count */
    bool has_count, scan_failed;
    uint8_t buffer[FDC_SECTOR_BYTES];
    uint16_t buffer_at, buffer_len;
    uint16_t dma_retries;
    VitTimer dma_timer;
    bool stopped;
    /* not saved */
    bool in_flight, is_resetting;
    struct iovec iov;
} Fdc;

/* ---- fdc82077.c ---- */

void fdc_set_irq(Fdc *fdc, bool level);
/* Ends a command with LEN result bytes that are already in place. */
void fdc_give_result(Fdc *fdc, uint8_t len);
/* Ends a command that has no result phase. */
void fdc_end_command(Fdc *fdc);
FloppyDrive *fdc_drive(Fdc *fdc, unsigned unit);
static inline bool
fdc_uses_dma(const Fdc *fdc)
{
    return !(fdc->specify[1] & 1);
}

/* ---- fdc-commands.c ---- */

/* Parameter bytes that follow OPCODE. */
uint8_t fdc_parameter_count(uint8_t opcode);
void fdc_run_command(Fdc *fdc);

/* ---- fdc-transfer.c ---- */

/* Starts OP on the drive, head and sectors of a nine-byte command. */
void fdc_start_transfer(Fdc *fdc, FdcOp op);
void fdc_start_format(Fdc *fdc);
/* Programmed I/O: one byte from, or to, the data register. */
uint8_t fdc_read_data(Fdc *fdc);
void fdc_write_data(Fdc *fdc, uint8_t value);
bool fdc_is_to_host(const Fdc *fdc);
void fdc_stop_transfer(Fdc *fdc);
void fdc_retry_dma(void *opaque);
void fdc_resume_transfer(void *opaque);
/* ST0..ST2, C, H, R, N; interrupt. */
void fdc_end_transfer(Fdc *fdc, uint8_t st0, uint8_t st1, uint8_t st2);
