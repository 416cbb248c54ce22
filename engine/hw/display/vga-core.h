/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The VGA chip with the Bochs display interface (VBE DISPI), without a bus. An attachment
 * (vga-pci.c, vga-isa.c) embeds VitVga, maps its regions and forwards reset and state.
 *
 * Video memory holds the four planes interleaved: byte 4n+p is byte n of plane p. Odd/even and
 * chain-4 addressing are packed the same way, so that a 256-colour mode is linear in memory and
 * can be mapped straight into the guest.
 *
 * Thread: device lock held, except the memory window (see vga-window.h). */

#include "vga-window.h"
#include "vit-console.h"
#include "vit-device.h"

enum { /* sequencer */
       VGA_SR_CLOCKING = 1,
       VGA_SR_MAP_MASK = 2,
       VGA_SR_CHAR_MAP = 3,
       VGA_SR_MEMORY_MODE = 4,
       VGA_SR_COUNT = 8,

       VGA_CLOCKING_8_DOTS = 0x01,
       VGA_CLOCKING_HALF = 0x08,
       VGA_CLOCKING_SCREEN_OFF = 0x20,
       VGA_MEMORY_SEQUENTIAL = 0x04, /* clear: odd/even */
       VGA_MEMORY_CHAIN4 = 0x08,
};

enum { /* graphics controller */
       VGA_GR_SET_RESET = 0,
       VGA_GR_ENABLE_SET_RESET = 1,
       VGA_GR_COLOR_COMPARE = 2,
       VGA_GR_ROTATE = 3,
       VGA_GR_READ_MAP = 4,
       VGA_GR_MODE = 5,
       VGA_GR_MISC = 6,
       VGA_GR_COLOR_CARE = 7,
       VGA_GR_BIT_MASK = 8,
       VGA_GR_COUNT = 16,

       VGA_MODE_READ_COMPARE = 0x08,
       VGA_MODE_ODD_EVEN = 0x10,
       VGA_MODE_INTERLEAVED = 0x20, /* CGA: two bits per pixel */
       VGA_MODE_256 = 0x40,
       VGA_MISC_GRAPHICS = 0x01,
};

enum { /* CRT controller */
       VGA_CR_H_TOTAL = 0x00,
       VGA_CR_H_DISPLAY_END = 0x01,
       VGA_CR_V_TOTAL = 0x06,
       VGA_CR_OVERFLOW = 0x07,
       VGA_CR_PRESET_ROW = 0x08,
       VGA_CR_MAX_SCAN = 0x09,
       VGA_CR_CURSOR_START = 0x0a,
       VGA_CR_CURSOR_END = 0x0b,
       VGA_CR_START_HIGH = 0x0c,
       VGA_CR_START_LOW = 0x0d,
       VGA_CR_CURSOR_HIGH = 0x0e,
       VGA_CR_CURSOR_LOW = 0x0f,
       VGA_CR_V_SYNC_START = 0x10,
       VGA_CR_V_SYNC_END = 0x11,
       VGA_CR_V_DISPLAY_END = 0x12,
       VGA_CR_OFFSET = 0x13,
       VGA_CR_UNDERLINE = 0x14,
       VGA_CR_MODE = 0x17,
       VGA_CR_LINE_COMPARE = 0x18,
       VGA_CR_COUNT = 0x19,

       VGA_V_SYNC_END_PROTECT = 0x80,
       VGA_MAX_SCAN_DOUBLE = 0x80,
       VGA_UNDERLINE_DWORD = 0x40,
       VGA_CR_MODE_BYTE = 0x40,
       VGA_CR_MODE_V_DOUBLE = 0x04,
};

enum { /* attribute controller */
       VGA_AR_MODE = 0x10,
       VGA_AR_OVERSCAN = 0x11,
       VGA_AR_PLANE_ENABLE = 0x12,
       VGA_AR_PEL_PANNING = 0x13,
       VGA_AR_COLOR_SELECT = 0x14,
       VGA_AR_COUNT = 0x15,

       VGA_AR_INDEX_VIDEO = 0x20, /* PAS: the palette is left to the screen */
       VGA_AR_MODE_MONO = 0x02,
       VGA_AR_MODE_LINE_GRAPHICS = 0x04,
       VGA_AR_MODE_BLINK = 0x08,
       VGA_AR_MODE_PAN_COMPAT = 0x20,
       VGA_AR_MODE_P54 = 0x80,
};

enum { /* Bochs display interface */
       VBE_ID = 0,
       VBE_XRES = 1,
       VBE_YRES = 2,
       VBE_BPP = 3,
       VBE_ENABLE = 4,
       VBE_BANK = 5,
       VBE_VIRT_WIDTH = 6,
       VBE_VIRT_HEIGHT = 7,
       VBE_X_OFFSET = 8,
       VBE_Y_OFFSET = 9,
       VBE_MEMORY_64K = 10,
       VBE_COUNT = 11,

       VBE_ID_MIN = 0xb0c0,
       VBE_ID_MAX = 0xb0c5,
       VBE_ENABLED = 0x01,
       VBE_GET_CAPS = 0x02,
       VBE_DAC_8BIT = 0x20,
       VBE_LFB = 0x40,
       VBE_NO_CLEAR = 0x80,
       VBE_MAX_XRES = 16000,
       VBE_MAX_YRES = 12000,
       VBE_BANK_BYTES = 0x10000,
};

typedef enum VgaPicture {
    VGA_BLANK,
    VGA_TEXT,
    VGA_PLANAR, /* one bit of each plane */
    VGA_CGA,    /* two bits, two planes at a time */
    VGA_PACKED, /* a byte per pixel, four pixels per address */
    VGA_LINEAR, /* DISPI with 8 and more bits */
} VgaPicture;

/* What the registers ask to be shown. Dots are what a monitor would count; lines are scan lines. */
typedef struct VgaMode {
    VgaPicture picture;
    uint32_t width, height;
    unsigned bits;         /* LINEAR */
    unsigned dots;         /* dots per pixel, 1 or 2 */
    uint32_t start;        /* address counter at the top; bytes for LINEAR */
    uint32_t pitch;        /* what a character row adds; bytes for LINEAR */
    uint32_t address_mask; /* addresses wrap here */
    unsigned row_scans;    /* scan lines of a character row */
    unsigned line_repeat;  /* 2: double scan */
    uint32_t line_compare; /* after this scan line the address counter starts at 0 */
    unsigned preset_row, byte_pan, pel_pan;
    bool pan_stops;         /* panning ends at the line compare */
    unsigned row_bit_shift; /* where the row-scan bits go, for CGA address modes */
    uint8_t row_bits;       /* 1: RS0 replaces A13, 2: RS1 replaces A14 */
    /* text */
    unsigned columns, rows, cell_width, cell_height; /* in dots and scan lines */
    bool nine_dots;
} VgaMode;

enum {
    VGA_FONT_ROWS = 32,
    VGA_FONT_BYTES = 256 * VGA_FONT_ROWS,
};

typedef struct VitVga {
    VitDevice *dev;
    VitConsole *console;
    VitRamBlock *vram;
    uint32_t vram_bytes;
    uint8_t *vram_host;
    VgaWindow window;
    VitRegion vram_region;
    VitRegion ports[5], vbe_ports;

    /* registers */
    uint8_t sr_index, sr[VGA_SR_COUNT];
    uint8_t gr_index, gr[VGA_GR_COUNT];
    uint8_t ar_index, ar[VGA_AR_COUNT];
    bool ar_data_next; /* the flip-flop of port 3C0h */
    uint8_t cr_index, cr[VGA_CR_COUNT];
    uint8_t misc, feature;
    uint8_t dac_mask, dac_state, dac_read_index, dac_write_index, dac_component;
    uint8_t dac_latch[3];
    uint8_t palette[256 * 3];
    uint16_t vbe_index, vbe[VBE_COUNT];

    /* what is shown */
    VgaMode mode;
    bool mode_stale;    /* registers changed since MODE was worked out */
    bool redraw;        /* everything must be drawn again */
    VitSurface surface; /* current; its pixels are ours or video memory */
    uint32_t dac[256];  /* palette as pixels, masked */
    uint32_t attr[16];  /* attribute palette as pixels */
    uint8_t *page_dirty;
    uint32_t *cells; /* text as last drawn, one key per cell */
    uint32_t cells_len;
    uint8_t *fonts[2]; /* as last drawn: maps B and A */
    bool blink_shown;  /* phase of the last drawing */
    bool cursor_shown;
    uint32_t cursor_shape, cursor_drawn_at;
    int64_t frame_ns, line_ns; /* 0: not worked out */
    uint32_t lines_total, lines_shown, sync_start, sync_end;
    uint32_t dots_total, dots_shown;

    /* a viewer's wish for a size; may be NULL */
    void (*size_hint)(struct VitVga *vga, int width, int height);
} VitVga;

extern const VitField vit_vga_state[];

/* Makes video memory of VRAM_BYTES (a power of two) and the console. */
bool vit_vga_init(VitVga *vga, VitDevice *dev, uint32_t vram_bytes, GError **error);
void vit_vga_finish(VitVga *vga);
/* Maps the ISA side: the window at A0000h of MEMORY and the ports. */
void vit_vga_map_legacy(VitVga *vga, VitRegion *memory, int priority, VitRegion *io);
void vit_vga_reset(VitVga *vga);
void vit_vga_post_load(VitVga *vga);

/* Ports, for the attachments that show them elsewhere too. */
uint8_t vit_vga_port_read(VitVga *vga, uint16_t port);
void vit_vga_port_write(VitVga *vga, uint16_t port, uint8_t value);
uint16_t vit_vga_vbe_read(VitVga *vga, unsigned index);
void vit_vga_vbe_write(VitVga *vga, unsigned index, uint16_t value);
