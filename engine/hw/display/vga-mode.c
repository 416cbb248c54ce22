/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the registers ask to be shown, and where the beam is.
 *
 * The picture has the size a monitor would show: a 320-dot mode is 640 wide because its dot clock
 * is halved, and a 200-line mode has 400 lines because each is scanned twice.
 *
 * IBM PS/2 Hardware Interface Technical Reference, CRT controller. Deviations: horizontal timing
 * beyond totals, interlace and cursor skew. Thread: device lock held. */

#include "vga-private.h"

enum {
    MIN_SANE_LINES = 16,
    DEFAULT_WIDTH = 640,
    DEFAULT_HEIGHT = 480,
};

static uint32_t
vertical(const VitVga *vga, unsigned index, unsigned bit8, unsigned bit9)
{
    unsigned overflow = vga->cr[VGA_CR_OVERFLOW];

    return vga->cr[index] | (overflow >> bit8 & 1) << 8 | (overflow >> bit9 & 1) << 9;
}

static uint32_t
displayed_lines(const VitVga *vga)
{
    uint32_t lines = vertical(vga, VGA_CR_V_DISPLAY_END, 1, 6) + 1;

    return vga->cr[VGA_CR_MODE] & VGA_CR_MODE_V_DOUBLE ? lines * 2 : lines;
}

static void
work_out_blank(const VitVga *vga, VgaMode *mode)
{
    mode->picture = VGA_BLANK;
    mode->width = vga->surface.width ? vga->surface.width : DEFAULT_WIDTH;
    mode->height = vga->surface.height ? vga->surface.height : DEFAULT_HEIGHT;
}

/* What text and graphics have in common. */
static void
work_out_addressing(const VitVga *vga, VgaMode *mode)
{
    const uint8_t *cr = vga->cr;
    uint8_t max_scan = cr[VGA_CR_MAX_SCAN];

    mode->height = displayed_lines(vga);
    mode->start = cr[VGA_CR_START_HIGH] << 8 | cr[VGA_CR_START_LOW];
    mode->pitch = cr[VGA_CR_OFFSET] * 2;
    mode->address_mask = 0xffff;
    mode->row_scans = (max_scan & 31) + 1;
    mode->line_repeat = max_scan & VGA_MAX_SCAN_DOUBLE ? 2 : 1;
    mode->line_compare =
        cr[VGA_CR_LINE_COMPARE] | (cr[VGA_CR_OVERFLOW] & 0x10) << 4 | (max_scan & 0x40) << 3;
    mode->preset_row = cr[VGA_CR_PRESET_ROW] & 31;
    mode->byte_pan = cr[VGA_CR_PRESET_ROW] >> 5 & 3;
    mode->pel_pan = vga->ar[VGA_AR_PEL_PANNING];
    mode->pan_stops = vga->ar[VGA_AR_MODE] & VGA_AR_MODE_PAN_COMPAT;
    mode->dots = vga->sr[VGA_SR_CLOCKING] & VGA_CLOCKING_HALF ? 2 : 1;
}

static void
work_out_text(const VitVga *vga, VgaMode *mode)
{
    work_out_addressing(vga, mode);
    mode->picture = VGA_TEXT;
    mode->nine_dots = !(vga->sr[VGA_SR_CLOCKING] & VGA_CLOCKING_8_DOTS);
    mode->columns = vga->cr[VGA_CR_H_DISPLAY_END] + 1;
    mode->cell_width = (mode->nine_dots ? 9 : 8) * mode->dots;
    mode->cell_height = mode->row_scans * mode->line_repeat;
    mode->rows = (mode->height + mode->cell_height - 1) / mode->cell_height;
    mode->width = mode->columns * mode->cell_width;
}

static void
work_out_graphics(const VitVga *vga, VgaMode *mode)
{
    const uint8_t *cr = vga->cr;

    work_out_addressing(vga, mode);
    mode->width = (cr[VGA_CR_H_DISPLAY_END] + 1) * 8 * mode->dots;
    mode->row_bits = ~cr[VGA_CR_MODE] & 3;
    /* Word and doubleword addressing shift the counter, and packing takes the shift back. */
    mode->row_bit_shift = cr[VGA_CR_UNDERLINE] & VGA_UNDERLINE_DWORD ? 11
                          : cr[VGA_CR_MODE] & VGA_CR_MODE_BYTE       ? 13
                                                                     : 12;
    if (vga->gr[VGA_GR_MODE] & VGA_MODE_256) {
        mode->picture = VGA_PACKED;
        mode->dots *= 2;
    } else if (vga->gr[VGA_GR_MODE] & VGA_MODE_INTERLEAVED) {
        mode->picture = VGA_CGA;
    } else {
        mode->picture = VGA_PLANAR;
    }
}

static void
work_out_vbe(const VitVga *vga, VgaMode *mode)
{
    mode->width = vga->vbe[VBE_XRES];
    mode->height = vga->vbe[VBE_YRES];
    mode->bits = vga->vbe[VBE_BPP];
    mode->picture = mode->bits == 4 ? VGA_PLANAR : VGA_LINEAR;
    mode->start = vga_vbe_start(vga);
    mode->pitch = vga_vbe_pitch(vga);
    mode->address_mask = vga->vram_bytes / 4 - 1;
    mode->row_scans = mode->line_repeat = mode->dots = 1;
    mode->line_compare = UINT32_MAX;
}

void
vga_work_out_mode(VitVga *vga, VgaMode *out)
{
    VgaMode mode = { 0 };

    if (!(vga->ar_index & VGA_AR_INDEX_VIDEO) ||
        (vga->sr[VGA_SR_CLOCKING] & VGA_CLOCKING_SCREEN_OFF)) {
        work_out_blank(vga, &mode);
    } else if (vga_vbe_enabled(vga)) {
        work_out_vbe(vga, &mode);
    } else if (vga->gr[VGA_GR_MISC] & VGA_MISC_GRAPHICS) {
        work_out_graphics(vga, &mode);
    } else {
        work_out_text(vga, &mode);
    }
    if (mode.height < MIN_SANE_LINES && mode.picture != VGA_LINEAR) {
        /* registers in the middle of being set */
        mode = (VgaMode){ 0 };
        work_out_blank(vga, &mode);
    }
    *out = mode;
}

/* ---- The beam ---- */

void
vga_work_out_timing(VitVga *vga)
{
    static const uint32_t clocks_hz[4] = { 25175000, 28322000, 25175000, 25175000 };
    const uint8_t *cr = vga->cr;
    unsigned dots = vga->sr[VGA_SR_CLOCKING] & VGA_CLOCKING_8_DOTS ? 8 : 9;
    uint64_t clock_hz = clocks_hz[vga->misc >> 2 & 3];

    if (vga->sr[VGA_SR_CLOCKING] & VGA_CLOCKING_HALF) {
        clock_hz /= 2;
    }
    vga->dots_total = (cr[VGA_CR_H_TOTAL] + 5) * dots;
    vga->dots_shown = MIN((cr[VGA_CR_H_DISPLAY_END] + 1) * dots, vga->dots_total);
    vga->lines_total = vertical(vga, VGA_CR_V_TOTAL, 0, 5) + 2;
    vga->lines_shown = vertical(vga, VGA_CR_V_DISPLAY_END, 1, 6) + 1;
    vga->sync_start = vertical(vga, VGA_CR_V_SYNC_START, 2, 7);
    if (vga_vbe_enabled(vga) || vga->lines_total < 100 || vga->dots_total < 200 ||
        vga->lines_shown >= vga->lines_total || vga->sync_start >= vga->lines_total) {
        /* No plausible timing: 60 Hz, 480 of 525 lines. */
        clock_hz = 25175000;
        vga->dots_total = 800;
        vga->dots_shown = 640;
        vga->lines_total = 525;
        vga->lines_shown = 480;
        vga->sync_start = 490;
    }
    unsigned sync_lines = (cr[VGA_CR_V_SYNC_END] - vga->sync_start) & 15;
    vga->sync_end = vga->sync_start + (sync_lines ? sync_lines : 2);
    vga->line_ns = vga->dots_total * VIT_NS_PER_SEC / clock_hz;
    vga->frame_ns = vga->line_ns * vga->lines_total;
}

uint8_t
vga_beam_status(VitVga *vga)
{
    if (vga->frame_ns == 0) {
        vga_work_out_timing(vga);
    }
    int64_t in_frame_ns = vit_clock_get_ns(vga->dev->platform->clock) % vga->frame_ns;
    uint32_t line = in_frame_ns / vga->line_ns;
    uint32_t dot = in_frame_ns % vga->line_ns * vga->dots_total / vga->line_ns;
    uint8_t status = 0;

    if (line >= vga->lines_shown || dot >= vga->dots_shown) {
        status |= 0x01;
    }
    if (line >= vga->sync_start && line < vga->sync_end) {
        status |= 0x08;
    }
    return status;
}
