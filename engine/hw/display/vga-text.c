/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Text modes.
 *
 * A cell is drawn again when its key changes: character, attribute, whether the cursor shows in it
 * and whether blinking hides it. Screens that scroll smoothly or are split are drawn line by line
 * instead (vga-draw.c uses vga_text_line for both).
 *
 * IBM PS/2 Hardware Interface Technical Reference, character generator and attribute controller;
 * a blinking cursor shows for 16 of 32 frames and blinking characters for 32 of 64, here at 70 Hz
 * of virtual time. Thread: device lock held. */

#include "vga-private.h"

#include <string.h>

enum {
    CURSOR_PERIOD_NS = 457142857, /* 32 frames of 1/70 s */
    KEY_CURSOR = 1u << 16,
    KEY_HIDDEN = 1u << 17,
    KEY_INVALID = 1u << 31,

    CURSOR_OFF = 0x20,
    ATTRIBUTE_BLINK = 0x80,
    ATTRIBUTE_FONT_A = 0x08,
};

/* Byte offset in plane 2 of character map N as the sequencer numbers them. */
static uint32_t
map_offset(unsigned n)
{
    return (n & 3) * 0x4000 + (n >> 2) * 0x2000;
}

bool
vga_gather_fonts(VitVga *vga)
{
    uint8_t select = vga->sr[VGA_SR_CHAR_MAP];
    unsigned maps[2] = {
        (select & 3) | (select >> 2 & 4),      /* B: attribute bit 3 clear */
        (select >> 2 & 3) | (select >> 3 & 4), /* A: attribute bit 3 set */
    };
    bool changed = false;

    for (unsigned font = 0; font < 2; font++) {
        const uint8_t *from = vga->vram_host + map_offset(maps[font]) * 4 + 2;
        uint8_t *to = vga->fonts[font];
        uint8_t differ = 0;
        for (unsigned i = 0; i < VGA_FONT_BYTES; i++) {
            uint8_t bits = from[i * 4];
            differ |= to[i] ^ bits;
            to[i] = bits;
        }
        changed |= differ != 0;
    }
    return changed;
}

static uint32_t
cursor_address(const VitVga *vga)
{
    unsigned start = vga->cr[VGA_CR_CURSOR_START];

    if ((start & CURSOR_OFF) || (start & 31) > (vga->cr[VGA_CR_CURSOR_END] & 31u)) {
        return UINT32_MAX;
    }
    return vga->cr[VGA_CR_CURSOR_HIGH] << 8 | vga->cr[VGA_CR_CURSOR_LOW];
}

bool
vga_text_refresh_phase(VitVga *vga)
{
    int64_t now_ns = vit_clock_get_ns(vga->dev->platform->clock);
    bool cursor_shown = now_ns / (CURSOR_PERIOD_NS / 2) % 2 == 0;
    bool blink_shown = now_ns / CURSOR_PERIOD_NS % 2 == 0;
    uint32_t shape = vga->cr[VGA_CR_CURSOR_START] | vga->cr[VGA_CR_CURSOR_END] << 8;
    uint32_t cursor = cursor_address(vga);
    bool changed = cursor_shown != vga->cursor_shown || blink_shown != vga->blink_shown ||
                   shape != vga->cursor_shape || cursor != vga->cursor_drawn_at;

    vga->cursor_shown = cursor_shown;
    vga->blink_shown = blink_shown;
    vga->cursor_drawn_at = cursor;
    return changed;
}

static uint32_t
cell_key(const VitVga *vga, uint32_t address, uint32_t cursor)
{
    const uint8_t *cell = vga->vram_host + vga_memory_at(vga, address, 0);
    uint32_t key = cell[0] | cell[1] << 8;

    if (address == cursor && vga->cursor_shown) {
        key |= KEY_CURSOR;
    }
    if ((vga->ar[VGA_AR_MODE] & VGA_AR_MODE_BLINK) && (cell[1] & ATTRIBUTE_BLINK) &&
        !vga->blink_shown) {
        key |= KEY_HIDDEN;
    }
    return key;
}

/* Row ROW_SCAN of one cell: eight or nine dots, leftmost highest. */
static unsigned
cell_dots(const VitVga *vga, uint32_t key, unsigned row_scan)
{
    uint8_t character = key, attribute = key >> 8;
    unsigned font = attribute & ATTRIBUTE_FONT_A ? 1 : 0;
    unsigned dots = vga->fonts[font][character * VGA_FONT_ROWS + (row_scan & 31)];
    bool nine = vga->mode.nine_dots;

    if (nine) {
        bool extend =
            (vga->ar[VGA_AR_MODE] & VGA_AR_MODE_LINE_GRAPHICS) && (character & 0xe0) == 0xc0;
        dots = dots << 1 | (extend ? dots & 1 : 0);
    }
    if ((attribute & 0x77) == 0x01 && row_scan == (vga->cr[VGA_CR_UNDERLINE] & 31u)) {
        dots = 0x1ff;
    }
    if (key & KEY_HIDDEN) {
        dots = 0;
    }
    if ((key & KEY_CURSOR) && row_scan >= (vga->cr[VGA_CR_CURSOR_START] & 31u) &&
        row_scan <= (vga->cr[VGA_CR_CURSOR_END] & 31u)) {
        dots = 0x1ff;
    }
    return dots;
}

static uint32_t *
draw_cell_row(const VitVga *vga, uint32_t key, unsigned row_scan, uint32_t *out)
{
    uint8_t attribute = key >> 8;
    uint8_t back_mask = vga->ar[VGA_AR_MODE] & VGA_AR_MODE_BLINK ? 7 : 15;
    uint8_t enable = vga->ar[VGA_AR_PLANE_ENABLE] & 15;
    uint32_t fore = vga->attr[attribute & enable];
    uint32_t back = vga->attr[attribute >> 4 & back_mask & enable];
    unsigned dots = cell_dots(vga, key, row_scan);

    for (unsigned bit = vga->mode.nine_dots ? 0x100 : 0x80; bit; bit >>= 1) {
        uint32_t pixel = dots & bit ? fore : back;
        *out++ = pixel;
        if (vga->mode.dots == 2) {
            *out++ = pixel;
        }
    }
    return out;
}

void
vga_text_line(const VitVga *vga, uint32_t address, unsigned row_scan, unsigned first_column,
              unsigned columns, uint32_t *out)
{
    uint32_t cursor = cursor_address(vga);

    for (unsigned i = 0; i < columns; i++) {
        uint32_t at = (address + first_column + i) & 0xffff;
        out = draw_cell_row(vga, cell_key(vga, at, cursor), row_scan, out);
    }
}

/* Draws COLUMNS cells of row ROW from their keys. */
static void
draw_cells(VitVga *vga, unsigned row, unsigned column, unsigned columns)
{
    const VgaMode *mode = &vga->mode;
    uint32_t x = column * mode->cell_width, y = row * mode->cell_height;
    uint32_t lines = MIN(mode->cell_height, mode->height - y);
    const uint32_t *keys = vga->cells + row * mode->columns + column;

    for (uint32_t line = 0; line < lines; line++) {
        uint32_t *out =
            (uint32_t *)(vga->surface.pixels + (size_t)(y + line) * vga->surface.stride_bytes) + x;
        for (unsigned i = 0; i < columns; i++) {
            out = draw_cell_row(vga, keys[i] & 0xffffff, line / mode->line_repeat, out);
        }
    }
    vit_console_damage(vga->console, x, y, columns * mode->cell_width, lines);
}

/* The cell under a cursor that changed its shape in place has the same key as before. */
static void
forget_cursor_cell(VitVga *vga)
{
    uint32_t shape = vga->cr[VGA_CR_CURSOR_START] | vga->cr[VGA_CR_CURSOR_END] << 8;

    if (shape == vga->cursor_shape) {
        return;
    }
    vga->cursor_shape = shape;
    for (uint32_t i = 0; i < vga->cells_len; i++) {
        if (vga->cells[i] & KEY_CURSOR) {
            vga->cells[i] = KEY_INVALID;
        }
    }
}

void
vga_draw_text(VitVga *vga, bool all)
{
    const VgaMode *mode = &vga->mode;
    uint32_t cursor = cursor_address(vga), count = mode->rows * mode->columns;

    if (vga->cells_len != count) {
        g_free(vga->cells);
        vga->cells = g_new(uint32_t, count);
        vga->cells_len = count;
        all = true;
    }
    forget_cursor_cell(vga);
    for (unsigned row = 0; row < mode->rows; row++) {
        uint32_t *keys = vga->cells + row * mode->columns;
        uint32_t address = mode->start + mode->byte_pan + row * mode->pitch;
        unsigned first = mode->columns, last = 0;
        for (unsigned column = 0; column < mode->columns; column++) {
            uint32_t key = cell_key(vga, (address + column) & 0xffff, cursor);
            if (all || keys[column] != key) {
                keys[column] = key;
                first = MIN(first, column);
                last = column;
            }
        }
        if (first < mode->columns) {
            draw_cells(vga, row, first, last - first + 1);
        }
    }
}

bool
vga_get_text(void *opaque, VitTextScreen *out)
{
    VitVga *vga = opaque;
    VgaMode saved = vga->mode;

    vga_work_out_mode(vga, &vga->mode);
    const VgaMode *mode = &vga->mode;
    bool is_text = mode->picture == VGA_TEXT;
    if (is_text) {
        uint32_t cursor = cursor_address(vga), start = mode->start + mode->byte_pan;
        *out = (VitTextScreen){ .columns = mode->columns,
                                .rows = mode->rows,
                                .cursor_x = -1,
                                .cursor_y = -1,
                                .cells = g_new0(VitTextCell, mode->rows * mode->columns) };
        for (unsigned i = 0; i < mode->rows * mode->columns; i++) {
            unsigned row = i / mode->columns, column = i % mode->columns;
            uint32_t address = (start + row * mode->pitch + column) & 0xffff;
            const uint8_t *cell = vga->vram_host + vga_memory_at(vga, address, 0);
            out->cells[i] = (VitTextCell){ .character = cell[0], .attribute = cell[1] };
            if (address == cursor) {
                out->cursor_x = column;
                out->cursor_y = row;
            }
        }
    }
    vga->mode = saved;
    return is_text;
}
