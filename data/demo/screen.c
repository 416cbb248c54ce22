/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The Bochs display interface (ports 1CEh/1CFh) on the PCI card 1234:1111, linear frame buffer in
 * its BAR 0. The glyphs are the VGA BIOS's own: while the card is still in text mode its font lies
 * in plane 2 (IBM VGA Technical Reference, "Alphanumeric modes"), 32 bytes a character. */

#include "demo.h"

enum {
    PCI_ADDRESS = 0xcf8,
    PCI_DATA = 0xcfc,
    CARD_ID = 0x11111234,

    DISPI_INDEX = 0x1ce,
    DISPI_DATA = 0x1cf,
    DISPI_XRES = 1,
    DISPI_YRES = 2,
    DISPI_BPP = 3,
    DISPI_ENABLE = 4,
    DISPI_ENABLED = 0x01,
    DISPI_LFB = 0x40,

    SEQ = 0x3c4,
    GC = 0x3ce,
};

static volatile uint32_t *frame;
static uint8_t font[256][GLYPH_HEIGHT];

static uint32_t
pci_read(unsigned slot, unsigned at)
{
    out32(PCI_ADDRESS, 0x80000000u | slot << 11 | at);
    return in32(PCI_DATA);
}

static void
indexed(uint16_t port, uint8_t index, uint8_t value)
{
    out16(port, index | value << 8);
}

static void
load_font(void)
{
    const volatile uint8_t *plane = (const volatile uint8_t *)0xa0000;

    indexed(SEQ, 4, 0x06); /* sequential access */
    indexed(GC, 4, 2);     /* read plane 2 */
    indexed(GC, 5, 0);
    indexed(GC, 6, 0x04); /* A0000h, 64 KiB */
    for (unsigned c = 0; c < 256; c++) {
        for (unsigned row = 0; row < GLYPH_HEIGHT; row++) {
            font[c][row] = plane[c * 32 + row];
        }
    }
}

static void
dispi(uint16_t index, uint16_t value)
{
    out16(DISPI_INDEX, index);
    out16(DISPI_DATA, value);
}

bool
screen_init(void)
{
    for (unsigned slot = 0; slot < 32; slot++) {
        if (pci_read(slot, 0) == CARD_ID) {
            load_font();
            frame = (volatile uint32_t *)(pci_read(slot, 0x10) & ~15u);
            dispi(DISPI_ENABLE, 0);
            dispi(DISPI_XRES, SCREEN_WIDTH);
            dispi(DISPI_YRES, SCREEN_HEIGHT);
            dispi(DISPI_BPP, 32);
            dispi(DISPI_ENABLE, DISPI_ENABLED | DISPI_LFB);
            return true;
        }
    }
    return false;
}

void
screen_put(int x, int y, uint32_t color)
{
    if (frame && x >= 0 && x < SCREEN_WIDTH && y >= 0 && y < SCREEN_HEIGHT) {
        frame[y * SCREEN_WIDTH + x] = color;
    }
}

uint32_t
screen_get(int x, int y)
{
    return frame && x >= 0 && x < SCREEN_WIDTH && y >= 0 && y < SCREEN_HEIGHT
               ? frame[y * SCREEN_WIDTH + x]
               : 0;
}

void
screen_fill(int x, int y, int width, int height, uint32_t color)
{
    for (int row = y; row < y + height; row++) {
        for (int column = x; column < x + width; column++) {
            screen_put(column, row, color);
        }
    }
}

void
screen_text(int x, int y, const char *text, uint32_t color, uint32_t background)
{
    for (; *text; text++, x += GLYPH_WIDTH) {
        const uint8_t *glyph = font[(uint8_t)*text];

        for (int row = 0; row < GLYPH_HEIGHT; row++) {
            for (int column = 0; column < GLYPH_WIDTH; column++) {
                screen_put(x + column, y + row,
                           glyph[row] >> (7 - column) & 1 ? color : background);
            }
        }
    }
}
