/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The commands of the 82077AA that move no data, and the decoding of all.
 *
 * Intel 82077AA data sheet (order 290166), section 5. Thread: device lock held. */

#include "fdc-private.h"

enum { CONFIGURATION_IMPLIED_SEEK = 0x40, MAX_TRACK = 255 };

/* ---- seeking ---- */

static void
finish_seek(Fdc *fdc, unsigned unit, uint8_t st0)
{
    fdc->pending_st0[unit] = (uint8_t)(st0 | unit);
    fdc->pending_mask |= (uint8_t)(1u << unit);
    fdc_end_command(fdc);
    fdc_set_irq(fdc, true);
}

static void
recalibrate(Fdc *fdc)
{
    unsigned unit = fdc->command[1] & 3;
    FloppyDrive *floppy = fdc_drive(fdc, unit);

    if (floppy) {
        floppy_seek(floppy, 0);
    }
    /* Without a drive the TRACK0 signal never comes. */
    finish_seek(fdc, unit,
                floppy ? FDC_ST0_SEEK_END
                       : FDC_ST0_SEEK_END | FDC_ST0_ABNORMAL | FDC_ST0_NO_TRACK0);
}

static void
seek(Fdc *fdc)
{
    unsigned unit = fdc->command[1] & 3;
    FloppyDrive *floppy = fdc_drive(fdc, unit);

    if (floppy) {
        floppy_seek(floppy, fdc->command[2]);
    }
    finish_seek(fdc, unit, FDC_ST0_SEEK_END | (fdc->command[1] & 4));
}

static void
relative_seek(Fdc *fdc)
{
    unsigned unit = fdc->command[1] & 3;
    FloppyDrive *floppy = fdc_drive(fdc, unit);
    int track = floppy ? floppy->track : 0;

    track += fdc->command[0] & 0x40 ? fdc->command[2] : -fdc->command[2];
    if (floppy) {
        floppy_seek(floppy, (uint8_t)CLAMP(track, 0, MAX_TRACK));
    }
    finish_seek(fdc, unit, FDC_ST0_SEEK_END | (fdc->command[1] & 4));
}

static void
sense_interrupt(Fdc *fdc)
{
    unsigned unit;

    if (fdc->reset_senses > 0) {
        unit = 4u - fdc->reset_senses--;
        fdc->result[0] = (uint8_t)(FDC_ST0_READY_CHANGE | unit);
    } else if (fdc->pending_mask) {
        unit = (unsigned)__builtin_ctz(fdc->pending_mask);
        fdc->pending_mask &= (uint8_t) ~(1u << unit);
        fdc->result[0] = fdc->pending_st0[unit];
    } else {
        fdc->result[0] = FDC_ST0_INVALID;
        fdc_give_result(fdc, 1);
        return;
    }
    fdc->result[1] = fdc_drive(fdc, unit) ? fdc_drive(fdc, unit)->track : 0;
    fdc_set_irq(fdc, false);
    fdc_give_result(fdc, 2);
}

/* ---- settings ---- */

static void
specify(Fdc *fdc)
{
    fdc->specify[0] = fdc->command[1];
    fdc->specify[1] = fdc->command[2];
    fdc_end_command(fdc);
}

static void
configure(Fdc *fdc)
{
    fdc->configuration = fdc->command[2];
    fdc->precompensation_track = fdc->command[3];
    fdc_end_command(fdc);
}

static void
perpendicular(Fdc *fdc)
{
    /* OW, bit 7, allows the drives' bits to change. */
    if (fdc->command[1] & 0x80) {
        fdc->perpendicular = fdc->command[1] & 0x3f;
    } else {
        fdc->perpendicular = (uint8_t)((fdc->perpendicular & 0x3c) | (fdc->command[1] & 3));
    }
    fdc_end_command(fdc);
}

static void
lock(Fdc *fdc)
{
    fdc->locked = fdc->command[0] & 0x80;
    fdc->result[0] = fdc->locked ? 0x10 : 0;
    fdc_give_result(fdc, 1);
}

/* ---- questions ---- */

static void
sense_drive(Fdc *fdc)
{
    unsigned unit = fdc->command[1] & 3;
    const FloppyDrive *floppy = fdc_drive(fdc, unit);
    uint8_t st3 = 0x28 | (fdc->command[1] & 7); /* bits 5 and 3 are always set */

    if (floppy && floppy_is_write_protected(floppy)) {
        st3 |= 0x40;
    }
    if (floppy && floppy->track == 0) {
        st3 |= 0x10;
    }
    fdc->result[0] = st3;
    fdc_give_result(fdc, 1);
}

static void
dump_registers(Fdc *fdc)
{
    for (unsigned unit = 0; unit < 4; unit++) {
        fdc->result[unit] = fdc_drive(fdc, unit) ? fdc_drive(fdc, unit)->track : 0;
    }
    fdc->result[4] = fdc->specify[0];
    fdc->result[5] = fdc->specify[1];
    fdc->result[6] = fdc->last_sector;
    fdc->result[7] = (uint8_t)((fdc->locked ? 0x80 : 0) | fdc->perpendicular);
    fdc->result[8] = fdc->configuration;
    fdc->result[9] = fdc->precompensation_track;
    fdc_give_result(fdc, 10);
}

static void
version(Fdc *fdc)
{
    fdc->result[0] = 0x90; /* enhanced controller */
    fdc_give_result(fdc, 1);
}

static void
read_id(Fdc *fdc)
{
    unsigned unit = fdc->command[1] & 3;
    const FloppyDrive *floppy = fdc_drive(fdc, unit);
    const FloppyMedium *medium = floppy ? &floppy->medium : NULL;
    uint8_t head = fdc->command[1] >> 2 & 1;

    fdc->unit = (uint8_t)unit;
    fdc->head = head;
    fdc->cylinder = floppy ? floppy->track : 0;
    fdc->sector = 1;
    fdc->size_code = 2;
    if (!floppy || !floppy_has_medium(floppy) || head >= medium->sides ||
        (fdc->check_rate && medium->rate != (fdc->dsr & 3)) || floppy->track >= medium->tracks) {
        fdc_end_transfer(fdc, FDC_ST0_ABNORMAL, FDC_ST1_MISSING_MARK, 0);
        return;
    }
    fdc_end_transfer(fdc, 0, 0, 0);
}

static void
invalid(Fdc *fdc)
{
    vit_guest_error(&fdc->dev, "invalid command %02xh", fdc->command[0]);
    fdc->result[0] = FDC_ST0_INVALID;
    fdc_give_result(fdc, 1);
}

/* ---- data ---- */

static void
start_read(Fdc *fdc)
{
    fdc_start_transfer(fdc, FDC_OP_READ);
}

static void
start_write(Fdc *fdc)
{
    fdc_start_transfer(fdc, FDC_OP_WRITE);
}

static void
start_verify(Fdc *fdc)
{
    fdc_start_transfer(fdc, FDC_OP_VERIFY);
}

static void
start_scan(Fdc *fdc)
{
    static const uint8_t ops[] = { FDC_OP_SCAN_EQUAL, FDC_OP_NONE, FDC_OP_SCAN_LOW,
                                   FDC_OP_SCAN_HIGH };

    fdc_start_transfer(fdc, ops[fdc->command[0] >> 2 & 3]);
}

/* ---- decoding ---- */

typedef struct FdcCommand {
    uint8_t opcode, mask; /* bits that decide */
    uint8_t parameters;
    void (*run)(Fdc *fdc);
} FdcCommand;

static const FdcCommand commands[] = {
    { 0x06, 0x1f, 8, start_read },       /* READ DATA */
    { 0x05, 0x3f, 8, start_write },      /* WRITE DATA */
    { 0x0c, 0x1f, 8, start_read },       /* READ DELETED DATA */
    { 0x09, 0x3f, 8, start_write },      /* WRITE DELETED DATA */
    { 0x02, 0x9f, 8, start_read },       /* READ TRACK */
    { 0x16, 0x1f, 8, start_verify },     /* VERIFY */
    { 0x11, 0x1f, 8, start_scan },       /* SCAN EQUAL */
    { 0x19, 0x1f, 8, start_scan },       /* SCAN LOW OR EQUAL */
    { 0x1d, 0x1f, 8, start_scan },       /* SCAN HIGH OR EQUAL */
    { 0x0d, 0xbf, 5, fdc_start_format }, /* FORMAT TRACK */
    { 0x0a, 0xbf, 1, read_id },          /* READ ID */
    { 0x03, 0xff, 2, specify },          /* SPECIFY */
    { 0x04, 0xff, 1, sense_drive },      /* SENSE DRIVE STATUS */
    { 0x07, 0xff, 1, recalibrate },      /* RECALIBRATE */
    { 0x08, 0xff, 0, sense_interrupt },  /* SENSE INTERRUPT STATUS */
    { 0x0e, 0xff, 0, dump_registers },   /* DUMPREG */
    { 0x0f, 0xff, 2, seek },             /* SEEK */
    { 0x8f, 0xbf, 2, relative_seek },    /* RELATIVE SEEK */
    { 0x10, 0xff, 0, version },          /* VERSION */
    { 0x12, 0xff, 1, perpendicular },    /* PERPENDICULAR MODE */
    { 0x13, 0xff, 3, configure },        /* CONFIGURE */
    { 0x14, 0x7f, 0, lock },             /* LOCK */
};

static const FdcCommand *
find_command(uint8_t opcode)
{
    for (unsigned i = 0; i < VIT_ARRAY_LEN(commands); i++) {
        if ((opcode & commands[i].mask) == commands[i].opcode) {
            return &commands[i];
        }
    }
    return NULL;
}

uint8_t
fdc_parameter_count(uint8_t opcode)
{
    const FdcCommand *command = find_command(opcode);

    return command ? command->parameters : 0;
}

void
fdc_run_command(Fdc *fdc)
{
    const FdcCommand *command = find_command(fdc->command[0]);

    if (command) {
        command->run(fdc);
    } else {
        invalid(fdc);
    }
}
