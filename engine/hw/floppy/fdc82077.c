/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Intel 82077AA floppy disk controller on the ISA bus: registers and phases.
 *
 * Intel 82077AA data sheet (order 290166), sections 2 and 4. The chip answers as in a PC/AT with
 * the PS/2 registers SRA and SRB readable. Commands are in fdc-commands.c, data in fdc-transfer.c.
 *
 * Deviations: stepping and rotation take no time, motors need not run, the FIFO is one sector and
 * its threshold has no effect, the power-down modes are only remembered. A command of the 82078
 * (PART ID and such) is answered as invalid, as the 82077AA does.
 *
 * Thread: device lock held. */

#include "fdc82077.h"
#include "fdc-private.h"

#include "vit-error.h"

#include <string.h>

enum {
    AT_SRA,
    AT_SRB,
    AT_DOR,
    AT_TDR,
    AT_MSR_DSR,
    AT_DATA,
    AT_DIR_CCR = 7,
    DOR_DRIVE = 0x03,
    DOR_NOT_RESET = 0x04,
    DOR_DMA_GATE = 0x08,
    DSR_RESET = 0x80,
    DSR_RATE = 0x03,
    MSR_REQUEST = 0x80,
    MSR_TO_HOST = 0x40,
    MSR_NON_DMA = 0x20,
    MSR_BUSY = 0x10,
    DIR_CHANGED = 0x80,
    CONFIGURATION_DEFAULT = 0x20, /* FIFO off, polling on */
    CONFIGURATION_NO_POLL = 0x10,
};
VIT_DEVICE_LAYOUT(Fdc)

FloppyDrive *
fdc_drive(Fdc *fdc, unsigned unit)
{
    return fdc->bus.drives[unit & 3];
}

void
fdc_set_irq(Fdc *fdc, bool level)
{
    if (fdc->irq_level != level) {
        VitIrq irq = vit_isa_irq(&fdc->dev, fdc->irq);
        fdc->irq_level = level;
        vit_irq_set(&irq, level && (fdc->dor & DOR_DMA_GATE));
    }
}

/* ---- phases ---- */

void
fdc_end_command(Fdc *fdc)
{
    fdc->phase = FDC_PHASE_COMMAND;
    fdc->command_at = fdc->command_len = 0;
}

void
fdc_give_result(Fdc *fdc, uint8_t len)
{
    fdc->phase = FDC_PHASE_RESULT;
    fdc->result_at = 0;
    fdc->result_len = len;
}

static void
reset_chip(Fdc *fdc)
{
    fdc_stop_transfer(fdc);
    fdc_end_command(fdc);
    fdc->result_at = fdc->result_len = 0;
    fdc->pending_mask = 0;
    fdc->reset_senses = 0;
    fdc_set_irq(fdc, false);
    if (!fdc->locked) {
        fdc->configuration = CONFIGURATION_DEFAULT;
        fdc->precompensation_track = 0;
    }
    fdc->perpendicular &= 0x3c; /* keeps the drives' bits: a software reset clears GAP and WGATE */
}

/* Out of reset the chip polls the drives and reports each as changed. */
static void
leave_reset(Fdc *fdc)
{
    if (!(fdc->configuration & CONFIGURATION_NO_POLL)) {
        fdc->reset_senses = 4;
        fdc_set_irq(fdc, true);
    }
}

static void
write_dor(Fdc *fdc, uint8_t value)
{
    uint8_t old = fdc->dor;
    bool level = fdc->irq_level;

    if ((old & DOR_NOT_RESET) && !(value & DOR_NOT_RESET)) {
        reset_chip(fdc);
        level = false;
    }
    fdc->dor = value;
    if ((old ^ value) & DOR_DMA_GATE) {
        /* The gate lets the line through or not; what the chip wants stays. */
        VitIrq irq = vit_isa_irq(&fdc->dev, fdc->irq);
        vit_irq_set(&irq, level && (value & DOR_DMA_GATE));
    }
    if (!(old & DOR_NOT_RESET) && (value & DOR_NOT_RESET)) {
        leave_reset(fdc);
    }
}

static void
write_dsr(Fdc *fdc, uint8_t value)
{
    fdc->dsr = value & (uint8_t)~DSR_RESET;
    if ((value & DSR_RESET) && (fdc->dor & DOR_NOT_RESET)) {
        reset_chip(fdc);
        leave_reset(fdc);
    }
}

static uint8_t
read_msr(const Fdc *fdc)
{
    if (!(fdc->dor & DOR_NOT_RESET)) {
        return 0;
    }
    switch (fdc->phase) {
    case FDC_PHASE_COMMAND: return MSR_REQUEST | (fdc->command_at ? MSR_BUSY : 0);
    case FDC_PHASE_RESULT: return MSR_REQUEST | MSR_TO_HOST | MSR_BUSY;
    default: break;
    }
    if (fdc_uses_dma(fdc)) {
        return MSR_BUSY;
    }
    if (fdc->step != FDC_STEP_HOST || fdc->in_flight) {
        return MSR_BUSY | MSR_NON_DMA;
    }
    return MSR_REQUEST | MSR_BUSY | MSR_NON_DMA | (fdc_is_to_host(fdc) ? MSR_TO_HOST : 0);
}

static uint8_t
read_data_register(Fdc *fdc)
{
    uint8_t value;

    if (!(fdc->dor & DOR_NOT_RESET) || !(read_msr(fdc) & MSR_TO_HOST)) {
        vit_guest_error(&fdc->dev, "data register read while there is nothing to read");
        return 0;
    }
    if (fdc->phase == FDC_PHASE_EXECUTE) {
        return fdc_read_data(fdc);
    }
    fdc_set_irq(fdc, false);
    value = fdc->result[fdc->result_at++];
    if (fdc->result_at >= fdc->result_len) {
        fdc_end_command(fdc);
    }
    return value;
}

static void
write_data_register(Fdc *fdc, uint8_t value)
{
    uint8_t msr = read_msr(fdc);

    if (!(msr & MSR_REQUEST) || (msr & MSR_TO_HOST)) {
        vit_guest_error(&fdc->dev, "data register written with %02xh while MSR is %02xh", value,
                        msr);
        return;
    }
    if (fdc->phase == FDC_PHASE_EXECUTE) {
        fdc_write_data(fdc, value);
        return;
    }
    if (fdc->command_at == 0) {
        fdc->command_len = 1 + fdc_parameter_count(value);
    }
    fdc->command[fdc->command_at++] = value;
    if (fdc->command_at >= fdc->command_len) {
        fdc_run_command(fdc);
    }
}

/* ---- registers ---- */

static uint8_t
read_sra(Fdc *fdc)
{
    const FloppyDrive *floppy = fdc_drive(fdc, fdc->dor & DOR_DRIVE);
    uint8_t value = fdc->irq_level ? 0x80 : 0;

    value |= fdc_drive(fdc, 1) ? 0 : 0x40;                               /* second drive, low */
    value |= floppy && floppy->track == 0 ? 0 : 0x10;                    /* track 0, low */
    value |= floppy && !floppy_is_write_protected(floppy) ? 0x02 : 0x00; /* protected, low */
    return value;
}

static uint8_t
read_dir(Fdc *fdc)
{
    unsigned unit = fdc->dor & DOR_DRIVE;
    const FloppyDrive *floppy = fdc_drive(fdc, unit);

    /* The drive puts out DSKCHG while its motor runs; without a drive the line is low. */
    return floppy && (fdc->dor & 0x10 << unit) && (floppy->changed || !floppy_has_medium(floppy))
               ? DIR_CHANGED
               : 0;
}

static uint64_t
fdc_read(void *opaque, uint64_t offset, unsigned size)
{
    Fdc *fdc = opaque;

    switch (offset) {
    case AT_SRA: return read_sra(fdc);
    case AT_SRB: return 0xc0u | (fdc->dor & 1 ? 0x20 : 0) | (fdc->dor >> 4 & 3);
    case AT_DOR: return fdc->dor;
    case AT_TDR: return fdc->tdr;
    case AT_MSR_DSR: return read_msr(fdc);
    case AT_DATA: return read_data_register(fdc);
    case AT_DIR_CCR: return read_dir(fdc);
    default: return 0xff;
    }
}

static void
fdc_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Fdc *fdc = opaque;

    switch (offset) {
    case AT_DOR: write_dor(fdc, (uint8_t)value); break;
    case AT_TDR: fdc->tdr = value & 3; break;
    case AT_MSR_DSR: write_dsr(fdc, (uint8_t)value); break;
    case AT_DATA: write_data_register(fdc, (uint8_t)value); break;
    case AT_DIR_CCR: fdc->dsr = (uint8_t)((fdc->dsr & ~DSR_RATE) | (value & DSR_RATE)); break;
    default: break;
    }
}

static uint64_t
fdc_read_high(void *opaque, uint64_t offset, unsigned size)
{
    return fdc_read(opaque, AT_DIR_CCR, size);
}

static void
fdc_write_high(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    fdc_write(opaque, AT_DIR_CCR, value, size);
}

static const VitRegionOps low_ops = {
    .read = fdc_read, .write = fdc_write, .min_size = 1, .max_size = 1
};

/* Port 3f6 between the two belongs to the hard disk controller. */
static const VitRegionOps high_ops = {
    .read = fdc_read_high, .write = fdc_write_high, .min_size = 1, .max_size = 1
};

/* ---- the device ---- */

enum { TYPE_WORD_AUTO, TYPE_WORD_NONE, TYPE_WORD_144, TYPE_WORD_288, TYPE_WORD_120 };
static const char *const type_words[] = { "auto", "none", "144", "288", "120", NULL };

static int
type_of_word(int32_t word)
{
    switch (word) {
    case TYPE_WORD_NONE: return FLOPPY_TYPE_NONE;
    case TYPE_WORD_288: return FLOPPY_TYPE_288;
    case TYPE_WORD_120: return FLOPPY_TYPE_120;
    default: return FLOPPY_TYPE_144;
    }
}

static bool
isa_fdc_realize(VitDevice *dev, GError **error)
{
    Fdc *fdc = (Fdc *)dev;

    vit_bus_init(&fdc->bus.bus, VIT_BUS_FLOPPY, "floppy-bus.0", dev, dev->platform);
    fdc->bus.resume = fdc_resume_transfer;
    fdc->bus.opaque = fdc;
    fdc->bus.fallback = type_of_word(fdc->fallback);
    fdc->bus.preset[0] = fdc->type_a ? type_of_word(fdc->type_a) : -1;
    fdc->bus.preset[1] = fdc->type_b ? type_of_word(fdc->type_b) : -1;
    vit_timer_init(&fdc->dma_timer, dev->platform->clock, fdc_retry_dma, fdc);
    vit_region_init_io(&fdc->low_region, "fdc", &low_ops, fdc, 6);
    vit_region_init_io(&fdc->high_region, "fdc-dir", &high_ops, fdc, 1);
    vit_isa_map_ports(dev, fdc->iobase, &fdc->low_region);
    vit_isa_map_ports(dev, fdc->iobase + 7, &fdc->high_region);
    return true;
}

static void
isa_fdc_unrealize(VitDevice *dev)
{
    Fdc *fdc = (Fdc *)dev;

    fdc_stop_transfer(fdc);
    fdc_set_irq(fdc, false);
    vit_region_finish(&fdc->low_region);
    vit_region_finish(&fdc->high_region);
    vit_bus_finish(&fdc->bus.bus);
}

static void
isa_fdc_reset(VitDevice *dev)
{
    Fdc *fdc = (Fdc *)dev;

    fdc->locked = false;
    fdc->perpendicular = 0;
    reset_chip(fdc);
    fdc->unit = 0;
    fdc->dor = DOR_NOT_RESET | DOR_DMA_GATE;
    fdc->dsr = 0x02; /* 250 kbit/s */
    fdc->tdr = 0;
    memset(fdc->specify, 0, sizeof(fdc->specify));
    memset(fdc->command, 0, sizeof(fdc->command));
    memset(fdc->result, 0, sizeof(fdc->result));
    memset(fdc->pending_st0, 0, sizeof(fdc->pending_st0));
    memset(fdc->buffer, 0, sizeof(fdc->buffer));
}

static bool
isa_fdc_post_load(VitDevice *dev, unsigned version, GError **error)
{
    Fdc *fdc = (Fdc *)dev;

    if (fdc->phase > FDC_PHASE_RESULT || fdc->op >= FDC_OP_LAST || fdc->step > FDC_STEP_MEDIUM ||
        fdc->command_at >= MAX(fdc->command_len, 1) + 1 || fdc->command_at > FDC_MAX_PARAMETERS ||
        fdc->command_len > FDC_MAX_PARAMETERS || fdc->result_len > FDC_MAX_RESULTS ||
        fdc->result_at > fdc->result_len || fdc->buffer_len > FDC_SECTOR_BYTES ||
        fdc->buffer_at > fdc->buffer_len || fdc->unit > 3 || fdc->reset_senses > 4 ||
        (fdc->phase == FDC_PHASE_COMMAND && fdc->command_at > 0 &&
         fdc->command_at >= fdc->command_len) ||
        (fdc->phase == FDC_PHASE_RESULT && fdc->result_at >= fdc->result_len) ||
        (fdc->phase == FDC_PHASE_EXECUTE &&
         (fdc->op == FDC_OP_NONE ||
          (fdc->step == FDC_STEP_HOST && fdc->buffer_at >= fdc->buffer_len)))) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT,
                    "saved state of %s: its command state is impossible", dev->path);
        return false;
    }
    return true;
}

VitBus *
vit_fdc_bus(VitDevice *dev)
{
    return &((Fdc *)dev)->bus.bus;
}

uint8_t
vit_fdc_get_drive_type(VitDevice *dev, unsigned unit)
{
    const FloppyDrive *floppy = unit < 2 ? fdc_drive((Fdc *)dev, unit) : NULL;

    return floppy ? floppy->type : FLOPPY_TYPE_NONE;
}

static const VitProp props[] = {
    VIT_PROP_UINT(Fdc, iobase, "iobase", 0x3f0, 0, 0xfff8, VIT_N_("First I/O port"),
                  .flags = VIT_PROP_HEX),
    VIT_PROP_UINT(Fdc, irq, "irq", 6, 0, 15, VIT_N_("Interrupt line")),
    VIT_PROP_UINT(Fdc, dma, "dma", 2, 0, 3, VIT_N_("DMA channel")),
    VIT_PROP_ENUM(Fdc, fallback, "fallback", type_words, TYPE_WORD_288,
                  VIT_N_("Kind of an automatic drive that is empty")),
    VIT_PROP_ENUM(Fdc, type_a, "fdtypeA", type_words, TYPE_WORD_AUTO,
                  VIT_N_("Kind of drive A:, unless the drive says itself")),
    VIT_PROP_ENUM(Fdc, type_b, "fdtypeB", type_words, TYPE_WORD_AUTO,
                  VIT_N_("Kind of drive B:, unless the drive says itself")),
    VIT_PROP_BOOL(Fdc, check_rate, "check_media_rate", 1,
                  VIT_N_("Media are only read at their own data rate")),
    { 0 }
};

static const VitField state[] = {
    VIT_FIELD(Fdc, dor),
    VIT_FIELD(Fdc, dsr),
    VIT_FIELD(Fdc, tdr),
    VIT_FIELD(Fdc, irq_level),
    VIT_FIELD(Fdc, configuration),
    VIT_FIELD(Fdc, precompensation_track),
    VIT_FIELD(Fdc, perpendicular),
    VIT_FIELD_ARRAY(Fdc, specify),
    VIT_FIELD(Fdc, locked),
    VIT_FIELD(Fdc, phase),
    VIT_FIELD_ARRAY(Fdc, command),
    VIT_FIELD(Fdc, command_at),
    VIT_FIELD(Fdc, command_len),
    VIT_FIELD_ARRAY(Fdc, result),
    VIT_FIELD(Fdc, result_at),
    VIT_FIELD(Fdc, result_len),
    VIT_FIELD_ARRAY(Fdc, pending_st0),
    VIT_FIELD(Fdc, pending_mask),
    VIT_FIELD(Fdc, reset_senses),
    VIT_FIELD(Fdc, op),
    VIT_FIELD(Fdc, step),
    VIT_FIELD(Fdc, unit),
    VIT_FIELD(Fdc, head),
    VIT_FIELD(Fdc, cylinder),
    VIT_FIELD(Fdc, sector),
    VIT_FIELD(Fdc, size_code),
    VIT_FIELD(Fdc, last_sector),
    VIT_FIELD(Fdc, multi_track),
    VIT_FIELD(Fdc, deleted),
    VIT_FIELD(Fdc, at_end),
    VIT_FIELD(Fdc, st1),
    VIT_FIELD(Fdc, st2),
    VIT_FIELD(Fdc, fill),
    VIT_FIELD(Fdc, scan_step),
    VIT_FIELD(Fdc, sectors_left),
    VIT_FIELD(Fdc, has_count),
    VIT_FIELD(Fdc, scan_failed),
    VIT_FIELD_ARRAY(Fdc, buffer),
    VIT_FIELD(Fdc, buffer_at),
    VIT_FIELD(Fdc, buffer_len),
    VIT_FIELD(Fdc, dma_retries),
    VIT_FIELD_TIMER(Fdc, dma_timer),
    VIT_FIELD(Fdc, stopped),
    VIT_TRANSIENT(Fdc, bus), /* wiring */
    VIT_TRANSIENT(Fdc, low_region),
    VIT_TRANSIENT(Fdc, high_region),
    VIT_TRANSIENT(Fdc, in_flight), /* only while a request is under way */
    VIT_TRANSIENT(Fdc, is_resetting),
    VIT_TRANSIENT(Fdc, iov),
    { 0 },
};

const VitDeviceKind vit_isa_fdc_kind = {
    .name = "isa-fdc",
    .title = VIT_N_("Floppy disk controller (82077AA)"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_STORAGE,
    VIT_DEVICE_SIZE(Fdc, VitDevice),
    .props = props,
    .state = state,
    .state_version = 1,
    .realize = isa_fdc_realize,
    .unrealize = isa_fdc_unrealize,
    .reset = isa_fdc_reset,
    .post_load = isa_fdc_post_load,
};
