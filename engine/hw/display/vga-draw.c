/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Brings the surface up to date when a viewer asks.
 *
 * Registers that changed mean everything is drawn; else only scan lines whose pages of video
 * memory were written. Which memory a scan line shows follows from walking the CRT controller's
 * counters from the top, so split screens, double scan and CGA interleave need no cases of their
 * own. A 32-bit DISPI mode is not drawn at all: the surface is video memory, and only damage is
 * told.
 *
 * IBM PS/2 Hardware Interface Technical Reference, CRT controller. Thread: device lock held. */

#include "vga-private.h"

#include <string.h>

/* The CRT controller's counters at one scan line. */
typedef struct Beam {
    uint32_t address; /* of the row's first character */
    unsigned row_scan, repeat;
    unsigned pel_pan;
} Beam;

static uint32_t
expand_dac(const VitVga *vga, unsigned index)
{
    const uint8_t *entry = &vga->palette[(index & vga->dac_mask) * 3];
    uint32_t pixel = 0;
    bool eight = vga_vbe_enabled(vga) && (vga->vbe[VBE_ENABLE] & VBE_DAC_8BIT);

    for (unsigned i = 0; i < 3; i++) {
        uint8_t level = eight ? entry[i] : (entry[i] & 63) << 2 | (entry[i] >> 4 & 3);
        pixel = pixel << 8 | level;
    }
    return pixel;
}

static void
update_palettes(VitVga *vga)
{
    uint8_t select = vga->ar[VGA_AR_COLOR_SELECT];

    for (unsigned i = 0; i < 256; i++) {
        vga->dac[i] = expand_dac(vga, i);
    }
    for (unsigned i = 0; i < 16; i++) {
        unsigned index = vga->ar[i];
        index = vga->ar[VGA_AR_MODE] & VGA_AR_MODE_P54 ? (index & 15) | (select & 15) << 4
                                                       : (index & 63) | (select & 12) << 4;
        vga->attr[i] = vga->dac[index];
    }
}

/* ---- Surface ---- */

static bool
can_share(const VitVga *vga)
{
    return vga->mode.picture == VGA_LINEAR && vga->mode.bits == 32;
}

/* Makes the surface fit the mode. On lack of memory the old one stays and nothing is drawn. */
static bool
update_surface(VitVga *vga)
{
    const VgaMode *mode = &vga->mode;
    VitSurface *surface = &vga->surface;
    VitSurface wanted = { .width = mode->width,
                          .height = mode->height,
                          .stride_bytes = mode->width * 4,
                          .format = VIT_PIXEL_XRGB8888 };

    if (can_share(vga)) {
        wanted.stride_bytes = mode->pitch;
        wanted.pixels = vga->vram_host + mode->start;
        if (surface->pixels == wanted.pixels && surface->stride_bytes == wanted.stride_bytes &&
            surface->width == wanted.width && surface->height == wanted.height) {
            return true;
        }
    } else {
        if (surface->owns_pixels && surface->width == wanted.width &&
            surface->height == wanted.height) {
            return true;
        }
        wanted.owns_pixels = true;
        wanted.pixels = g_try_malloc0_n(wanted.height, wanted.stride_bytes);
        if (!wanted.pixels) {
            return false;
        }
    }
    uint8_t *old_pixels = surface->owns_pixels ? surface->pixels : NULL;
    *surface = wanted;
    vit_console_set_surface(vga->console, surface);
    g_free(old_pixels);
    vga->redraw = true;
    return true;
}

/* ---- Dirty pages ---- */

/* Takes the dirty marks of LEN bytes from AT (wrapping); true when there were any. */
static bool
collect_dirty(VitVga *vga, uint32_t at, uint64_t len)
{
    uint32_t pages = vga->vram_bytes / VIT_PAGE_SIZE;
    uint32_t first = at / VIT_PAGE_SIZE;
    uint32_t count = MIN((at % VIT_PAGE_SIZE + len + VIT_PAGE_SIZE - 1) / VIT_PAGE_SIZE, pages);
    bool any = false;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t page = (first + i) & (pages - 1);
        bool dirty = vit_ram_block_test_clear_dirty(vga->vram, (uint64_t)page * VIT_PAGE_SIZE,
                                                    VIT_PAGE_SIZE, VIT_DIRTY_DISPLAY);
        vga->page_dirty[page] = dirty;
        any |= dirty;
    }
    return any;
}

static bool
collect_shown(VitVga *vga)
{
    const VgaMode *mode = &vga->mode;

    if (mode->picture == VGA_LINEAR) {
        return collect_dirty(vga, mode->start, (uint64_t)mode->pitch * mode->height);
    }
    if (mode->address_mask > 0xffff) {
        return collect_dirty(vga, mode->start * 4, (uint64_t)mode->pitch * 4 * mode->height);
    }
    return collect_dirty(vga, 0, 0x40000);
}

static bool
is_dirty(const VitVga *vga, uint32_t at, uint32_t len)
{
    uint32_t pages = vga->vram_bytes / VIT_PAGE_SIZE;

    for (uint32_t page = at / VIT_PAGE_SIZE; page <= (at + len - 1) / VIT_PAGE_SIZE; page++) {
        if (vga->page_dirty[page & (pages - 1)]) {
            return true;
        }
    }
    return false;
}

/* ---- Scan lines ---- */

static void
beam_start(const VgaMode *mode, Beam *beam)
{
    *beam = (Beam){ .address = mode->start + (mode->picture == VGA_LINEAR ? 0 : mode->byte_pan),
                    .row_scan = mode->preset_row,
                    .pel_pan = mode->pel_pan };
}

static void
beam_next(const VgaMode *mode, Beam *beam, uint32_t line)
{
    if (line == mode->line_compare) {
        beam->address = mode->pan_stops ? 0 : mode->byte_pan;
        beam->row_scan = beam->repeat = 0;
        if (mode->pan_stops) {
            beam->pel_pan = mode->nine_dots ? 8 : 0;
        }
        return;
    }
    if (++beam->repeat < mode->line_repeat) {
        return;
    }
    beam->repeat = 0;
    if (beam->row_scan == mode->row_scans - 1) {
        beam->row_scan = 0;
        beam->address += mode->pitch;
    } else {
        beam->row_scan = (beam->row_scan + 1) & 31;
    }
}

/* Dots that a pan value of text shifts to the left. */
static unsigned
text_pan(const VgaMode *mode, unsigned pel_pan)
{
    if (mode->nine_dots) {
        return pel_pan >= 8 ? 0 : pel_pan + 1;
    }
    return pel_pan & 7;
}

static void
draw_text_scan(const VitVga *vga, const Beam *beam, uint32_t *out)
{
    const VgaMode *mode = &vga->mode;
    unsigned skip = text_pan(mode, beam->pel_pan) * mode->dots;
    uint32_t buffer[257 * 18];

    vga_text_line(vga, beam->address, beam->row_scan, 0, mode->columns + 1, buffer);
    memcpy(out, buffer + skip, mode->width * 4);
}

/* Whether the scan line shows memory that was written. */
static bool
beam_is_dirty(const VitVga *vga, const Beam *beam)
{
    const VgaMode *mode = &vga->mode;

    if (mode->picture == VGA_LINEAR) {
        return is_dirty(vga, beam->address, mode->pitch);
    }
    uint32_t pixels = (mode->picture == VGA_PACKED ? 4 : 8) * mode->dots;
    return is_dirty(vga, vga_memory_at(vga, beam->address, beam->row_scan),
                    (mode->width / pixels + 1) * 4);
}

static uint32_t *
surface_line(const VitVga *vga, uint32_t y)
{
    return (uint32_t *)(vga->surface.pixels + (size_t)y * vga->surface.stride_bytes);
}

static void
draw_scan(const VitVga *vga, const Beam *beam, uint32_t y)
{
    uint32_t *out = surface_line(vga, y);

    if (beam->repeat && y > 0) {
        memcpy(out, surface_line(vga, y - 1), vga->mode.width * 4);
    } else if (vga->mode.picture == VGA_TEXT) {
        draw_text_scan(vga, beam, out);
    } else {
        vga_graphics_line(vga, beam->address, beam->row_scan, beam->pel_pan, out);
    }
}

/* Draws scan lines that changed and tells runs of them. */
static void
draw_scans(VitVga *vga, bool all)
{
    const VgaMode *mode = &vga->mode;
    bool shared = can_share(vga);
    uint32_t run = 0; /* lines drawn that end at the line before Y */
    Beam beam;

    beam_start(mode, &beam);
    for (uint32_t y = 0; y < mode->height; y++) {
        if (all || beam_is_dirty(vga, &beam)) {
            if (!shared) {
                draw_scan(vga, &beam, y);
            }
            run++;
        } else if (run) {
            vit_console_damage(vga->console, 0, y - run, mode->width, run);
            run = 0;
        }
        beam_next(mode, &beam, y);
    }
    if (run) {
        vit_console_damage(vga->console, 0, mode->height - run, mode->width, run);
    }
}

static void
draw_blank(VitVga *vga, bool all)
{
    if (all) {
        memset(vga->surface.pixels, 0, (size_t)vga->surface.height * vga->surface.stride_bytes);
        vit_console_damage(vga->console, 0, 0, vga->surface.width, vga->surface.height);
    }
}

/* Text whose cells lie on the character grid can be drawn cell by cell. */
static bool
is_plain_text(const VgaMode *mode)
{
    return mode->preset_row == 0 && mode->line_compare + 1 >= mode->height &&
           text_pan(mode, mode->pel_pan) == 0;
}

static void
update_text(VitVga *vga, bool all)
{
    bool written = collect_shown(vga);
    bool phase = vga_text_refresh_phase(vga);

    if ((written || all) && vga_gather_fonts(vga)) {
        all = true;
    }
    if (!written && !phase && !all) {
        return;
    }
    if (is_plain_text(&vga->mode)) {
        vga_draw_text(vga, all);
    } else {
        vga->cells_len = 0; /* what was drawn is not known by cell */
        draw_scans(vga, true);
    }
}

void
vga_update(void *opaque, bool full)
{
    VitVga *vga = opaque;

    if (vga->mode_stale) {
        vga->mode_stale = false;
        vga_work_out_mode(vga, &vga->mode);
        update_palettes(vga);
        vga->redraw = true;
    }
    if (!update_surface(vga)) {
        return;
    }
    bool all = full || vga->redraw;
    vga->redraw = false;
    switch (vga->mode.picture) {
    case VGA_BLANK: draw_blank(vga, all); break;
    case VGA_TEXT: update_text(vga, all); break;
    default:
        if (collect_shown(vga) || all) {
            draw_scans(vga, all);
        }
        break;
    }
}
