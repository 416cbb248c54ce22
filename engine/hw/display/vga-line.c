/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Scan lines of the graphics modes, from video memory to 32-bit pixels.
 *
 * VGA modes are drawn address by address (one per character clock); eight pixels of a planar
 * address come out of three 64-bit operations. DISPI modes are drawn from linear memory.
 *
 * IBM PS/2 Hardware Interface Technical Reference, graphics controller shift modes and attribute
 * controller. Thread: device lock held. */

#include "vga-private.h"

#include <string.h>

/* Eight pixels of one plane as bytes 0 or 1, leftmost pixel in the lowest byte. */
static inline uint64_t
spread_bits(uint8_t bits)
{
    uint64_t bytes = (bits * 0x0101010101010101ull) & 0x0102040810204080ull;

    return (bytes + 0x7f7f7f7f7f7f7f7full) >> 7 & 0x0101010101010101ull;
}

static inline void
put(uint32_t **out, uint32_t pixel, unsigned dots)
{
    for (unsigned i = 0; i < dots; i++) {
        *(*out)++ = pixel;
    }
}

static void
planar_address(const VitVga *vga, const uint8_t *planes, uint32_t **out)
{
    uint64_t indices = spread_bits(planes[0]) | spread_bits(planes[1]) << 1 |
                       spread_bits(planes[2]) << 2 | spread_bits(planes[3]) << 3;
    unsigned enable = vga->ar[VGA_AR_PLANE_ENABLE] & 15;

    for (unsigned i = 0; i < 8; i++, indices >>= 8) {
        put(out, vga->attr[indices & enable], vga->mode.dots);
    }
}

/* Planes 0 and 2 give four pixels of two bits each, then planes 1 and 3. */
static void
cga_address(const VitVga *vga, const uint8_t *planes, uint32_t **out)
{
    unsigned enable = vga->ar[VGA_AR_PLANE_ENABLE] & 15;

    for (unsigned half = 0; half < 2; half++) {
        for (int shift = 6; shift >= 0; shift -= 2) {
            unsigned index = (planes[half] >> shift & 3) | (planes[half + 2] >> shift & 3) << 2;
            put(out, vga->attr[index & enable], vga->mode.dots);
        }
    }
}

static void
packed_address(const VitVga *vga, const uint8_t *planes, uint32_t **out)
{
    for (unsigned i = 0; i < 4; i++) {
        put(out, vga->dac[planes[i]], vga->mode.dots);
    }
}

uint32_t
vga_memory_at(const VitVga *vga, uint32_t address, unsigned row_scan)
{
    const VgaMode *mode = &vga->mode;

    for (unsigned bit = 0; bit < 2; bit++) {
        if (mode->row_bits & 1u << bit) {
            uint32_t place = 1u << (mode->row_bit_shift + bit);
            address = (address & ~place) | (row_scan >> bit & 1 ? place : 0);
        }
    }
    return (address & mode->address_mask) * 4 & (vga->vram_bytes - 1);
}

/* ---- DISPI ---- */

/* Levels of five and six bits become eight by repeating their highest bits below. */
static void
expand_555(const uint16_t *in, uint32_t *out, uint32_t count)
{
    for (uint32_t x = 0; x < count; x++) {
        uint32_t pixel = in[x];
        uint32_t high = (pixel & 0x7c00) << 9 | (pixel & 0x03e0) << 6 | (pixel & 0x1f) << 3;
        out[x] = high | (high >> 5 & 0x070707);
    }
}

static void
expand_565(const uint16_t *in, uint32_t *out, uint32_t count)
{
    for (uint32_t x = 0; x < count; x++) {
        uint32_t pixel = in[x];
        uint32_t red_blue = (pixel & 0xf800) << 8 | (pixel & 0x1f) << 3;
        uint32_t green = (pixel & 0x07e0) << 5;
        out[x] = red_blue | (red_blue >> 5 & 0x070007) | green | (green >> 6 & 0x000300);
    }
}

static void
linear_line(const VitVga *vga, uint32_t at, uint32_t *out)
{
    const VgaMode *mode = &vga->mode;
    const uint8_t *in = vga->vram_host + at;

    switch (mode->bits) {
    case 8:
        for (uint32_t x = 0; x < mode->width; x++) {
            out[x] = vga->dac[in[x]];
        }
        break;
    case 15: expand_555((const uint16_t *)in, out, mode->width); break;
    case 16: expand_565((const uint16_t *)in, out, mode->width); break;
    case 24:
        for (uint32_t x = 0; x < mode->width; x++, in += 3) {
            out[x] = in[0] | in[1] << 8 | in[2] << 16;
        }
        break;
    default: memcpy(out, in, mode->width * 4); break;
    }
}

void
vga_graphics_line(const VitVga *vga, uint32_t address, unsigned row_scan, unsigned pel_pan,
                  uint32_t *out)
{
    const VgaMode *mode = &vga->mode;

    if (mode->picture == VGA_LINEAR) {
        linear_line(vga, address, out);
        return;
    }
    /* One address more than the width, then drop what is panned off on the left. */
    uint32_t buffer[256 * 16 + 32];
    uint32_t *end = buffer;
    uint32_t skip =
        mode->picture == VGA_PACKED ? (pel_pan >> 1 & 3) * mode->dots : (pel_pan & 7) * mode->dots;
    uint32_t *target = skip ? buffer : out;
    uint32_t wanted = mode->width + skip;

    if (mode->width > 256 * 16) {
        /* planar DISPI modes may be wider than the buffer; they do not pan */
        target = out;
        wanted = mode->width;
        skip = 0;
    }
    for (end = target; (uint32_t)(end - target) < wanted; address++) {
        const uint8_t *planes = vga->vram_host + vga_memory_at(vga, address, row_scan);
        switch (mode->picture) {
        case VGA_CGA: cga_address(vga, planes, &end); break;
        case VGA_PACKED: packed_address(vga, planes, &end); break;
        default: planar_address(vga, planes, &end); break;
        }
    }
    if (skip) {
        memcpy(out, buffer + skip, mode->width * 4);
    }
}
