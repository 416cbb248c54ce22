/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The VGA's ports 3B4h to 3DAh: index and data of five register groups, the DAC, status.
 *
 * IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem". Deviations: the vertical
 * interrupt is not wired; sense and feature inputs read as on a colour monitor. Thread: device
 * lock held. */

#include "vga-private.h"

#include <string.h>

/* Bits that exist. */
static const uint8_t sr_mask[VGA_SR_COUNT] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0x00, 0x00, 0xff };
static const uint8_t gr_mask[VGA_GR_COUNT] = {
    0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff
};

static bool
is_color(const VitVga *vga)
{
    return vga->misc & 1;
}

void
vga_update_window(VitVga *vga)
{
    VgaWindowSettings settings = {
        .map_mask = vga->sr[VGA_SR_MAP_MASK],
        .memory_mode = vga->sr[VGA_SR_MEMORY_MODE],
        .set_reset = vga->gr[VGA_GR_SET_RESET],
        .enable_set_reset = vga->gr[VGA_GR_ENABLE_SET_RESET],
        .color_compare = vga->gr[VGA_GR_COLOR_COMPARE],
        .rotate = vga->gr[VGA_GR_ROTATE],
        .read_map = vga->gr[VGA_GR_READ_MAP],
        .mode = vga->gr[VGA_GR_MODE],
        .misc = vga->gr[VGA_GR_MISC],
        .color_care = vga->gr[VGA_GR_COLOR_CARE],
        .bit_mask = vga->gr[VGA_GR_BIT_MASK],
        .enabled = vga->misc & 2,
    };

    if (vga_vbe_enabled(vga)) {
        settings.bank_offset = vga->vbe[VBE_BANK] * (uint32_t)VBE_BANK_BYTES;
        settings.enabled = true;
    }
    vga_window_set(&vga->window, &settings);
}

/* ---- Register groups ---- */

static void
sequencer_write(VitVga *vga, uint8_t value)
{
    unsigned index = vga->sr_index;

    if (index >= VGA_SR_COUNT || vga->sr[index] == (value & sr_mask[index])) {
        return;
    }
    vga->sr[index] = value & sr_mask[index];
    switch (index) {
    case VGA_SR_MAP_MASK: vga_update_window(vga); break;
    case VGA_SR_MEMORY_MODE:
        vga_update_window(vga);
        vga_touch(vga);
        break;
    case VGA_SR_CLOCKING:
    case VGA_SR_CHAR_MAP: vga_touch(vga); break;
    default: break;
    }
}

static void
graphics_write(VitVga *vga, uint8_t value)
{
    unsigned index = vga->gr_index;

    if (vga->gr[index] == (value & gr_mask[index])) {
        return;
    }
    vga->gr[index] = value & gr_mask[index];
    vga_update_window(vga);
    if (index == VGA_GR_MODE || index == VGA_GR_MISC) {
        vga_touch(vga);
    }
}

static void
attribute_write(VitVga *vga, uint8_t value)
{
    unsigned index = vga->ar_index & 31;

    if (!vga->ar_data_next) {
        uint8_t old = vga->ar_index;
        vga->ar_index = value & 0x3f;
        if ((old ^ value) & VGA_AR_INDEX_VIDEO) {
            vga_touch(vga);
        }
    } else if (index < VGA_AR_COUNT) {
        uint8_t mask = index == VGA_AR_MODE          ? 0xef
                       : index == VGA_AR_OVERSCAN    ? 0xff
                       : index >= VGA_AR_PEL_PANNING ? 0x0f
                                                     : 0x3f;
        if (vga->ar[index] != (value & mask)) {
            vga->ar[index] = value & mask;
            vga_touch(vga);
        }
    }
    vga->ar_data_next = !vga->ar_data_next;
}

/* The cursor is drawn by cell; everything else of the CRT controller shapes the picture. */
static bool
is_cursor_register(unsigned index)
{
    return index == VGA_CR_CURSOR_START || index == VGA_CR_CURSOR_END ||
           index == VGA_CR_CURSOR_HIGH || index == VGA_CR_CURSOR_LOW;
}

static void
crtc_write(VitVga *vga, uint8_t value)
{
    unsigned index = vga->cr_index;

    if (index >= VGA_CR_COUNT) {
        return;
    }
    if (index <= VGA_CR_OVERFLOW && (vga->cr[VGA_CR_V_SYNC_END] & VGA_V_SYNC_END_PROTECT)) {
        /* protected, but for line compare bit 8 */
        if (index != VGA_CR_OVERFLOW) {
            return;
        }
        value = (vga->cr[VGA_CR_OVERFLOW] & ~0x10) | (value & 0x10);
    }
    if (vga->cr[index] == value) {
        return;
    }
    vga->cr[index] = value;
    if (!is_cursor_register(index)) {
        vga_touch(vga);
        vga->frame_ns = 0;
    }
}

/* ---- DAC: three accesses move one entry ---- */

static void
dac_write(VitVga *vga, uint8_t value)
{
    vga->dac_latch[vga->dac_component] = value;
    if (++vga->dac_component < 3) {
        return;
    }
    vga->dac_component = 0;
    uint8_t *entry = &vga->palette[vga->dac_write_index * 3];
    if (memcmp(entry, vga->dac_latch, 3) != 0) {
        memcpy(entry, vga->dac_latch, 3);
        vga_touch(vga);
    }
    vga->dac_write_index++;
}

static uint8_t
dac_read(VitVga *vga)
{
    uint8_t value = vga->palette[vga->dac_read_index * 3 + vga->dac_component];

    if (++vga->dac_component == 3) {
        vga->dac_component = 0;
        vga->dac_read_index++;
    }
    return value;
}

/* ---- Ports ---- */

uint8_t
vit_vga_port_read(VitVga *vga, uint16_t port)
{
    bool mono_port = port >= 0x3b0 && port <= 0x3bf;

    if ((mono_port && is_color(vga)) || (port >= 0x3d0 && port <= 0x3df && !is_color(vga))) {
        return 0xff;
    }
    switch (port) {
    case 0x3c0: return vga->ar_data_next ? 0 : vga->ar_index;
    case 0x3c1: return (vga->ar_index & 31) < VGA_AR_COUNT ? vga->ar[vga->ar_index & 31] : 0;
    case 0x3c2: return 0x10; /* input status 0: a colour monitor is sensed */
    case 0x3c4: return vga->sr_index;
    case 0x3c5: return vga->sr_index < VGA_SR_COUNT ? vga->sr[vga->sr_index] : 0;
    case 0x3c6: return vga->dac_mask;
    case 0x3c7: return vga->dac_state;
    case 0x3c8: return vga->dac_write_index;
    case 0x3c9: return dac_read(vga);
    case 0x3ca: return vga->feature;
    case 0x3cc: return vga->misc;
    case 0x3ce: return vga->gr_index;
    case 0x3cf: return vga->gr[vga->gr_index];
    case 0x3b4:
    case 0x3d4: return vga->cr_index;
    case 0x3b5:
    case 0x3d5: return vga->cr_index < VGA_CR_COUNT ? vga->cr[vga->cr_index] : 0;
    case 0x3ba:
    case 0x3da: vga->ar_data_next = false; return vga_beam_status(vga);
    default: return 0;
    }
}

void
vit_vga_port_write(VitVga *vga, uint16_t port, uint8_t value)
{
    bool mono_port = port >= 0x3b0 && port <= 0x3bf;

    if ((mono_port && is_color(vga)) || (port >= 0x3d0 && port <= 0x3df && !is_color(vga))) {
        return;
    }
    switch (port) {
    case 0x3c0: attribute_write(vga, value); break;
    case 0x3c2:
        vga->misc = value & ~0x10;
        vga->frame_ns = 0;
        vga_update_window(vga);
        break;
    case 0x3c4: vga->sr_index = value & 7; break;
    case 0x3c5: sequencer_write(vga, value); break;
    case 0x3c6:
        vga->dac_mask = value;
        vga_touch(vga);
        break;
    case 0x3c7:
        vga->dac_read_index = value;
        vga->dac_component = 0;
        vga->dac_state = 3;
        break;
    case 0x3c8:
        vga->dac_write_index = value;
        vga->dac_component = 0;
        vga->dac_state = 0;
        break;
    case 0x3c9: dac_write(vga, value); break;
    case 0x3ce: vga->gr_index = value & 15; break;
    case 0x3cf: graphics_write(vga, value); break;
    case 0x3b4:
    case 0x3d4: vga->cr_index = value; break;
    case 0x3b5:
    case 0x3d5: crtc_write(vga, value); break;
    case 0x3ba:
    case 0x3da: vga->feature = value & 0x0b; break;
    default: break;
    }
}

#define PORT_OPS(base, name)                                                     \
    static uint64_t name##_read(void *vga, uint64_t at, unsigned n)              \
    {                                                                            \
        return vit_vga_port_read(vga, base + at);                                \
    }                                                                            \
    static void name##_write(void *vga, uint64_t at, uint64_t value, unsigned n) \
    {                                                                            \
        vit_vga_port_write(vga, base + at, value);                               \
    }

PORT_OPS(0x3b4, mono_crtc)
PORT_OPS(0x3ba, mono_status)
PORT_OPS(0x3c0, common)
PORT_OPS(0x3d4, color_crtc)
PORT_OPS(0x3da, color_status)

const VitRegionOps vga_port_ops[5] = {
    { .read = mono_crtc_read, .write = mono_crtc_write, .max_size = 1 },
    { .read = mono_status_read, .write = mono_status_write, .max_size = 1 },
    { .read = common_read, .write = common_write, .max_size = 1 },
    { .read = color_crtc_read, .write = color_crtc_write, .max_size = 1 },
    { .read = color_status_read, .write = color_status_write, .max_size = 1 },
};
