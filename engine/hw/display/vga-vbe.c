/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The Bochs display interface: index port 1CEh, data port 1CFh (1D0h aligned), 16 bits.
 *
 * Sizes the guest asks for are brought into what video memory can hold when the interface is
 * enabled and at each change after that, so that the picture never reaches outside.
 *
 * Bochs VBE display API 0xb0c5; QEMU "standard VGA" specification. Deviation: text modes under
 * the interface do not exist. Thread: device lock held. */

#include "vga-private.h"

#include <string.h>

uint32_t
vga_vbe_pitch(const VitVga *vga)
{
    unsigned bits = vga->vbe[VBE_BPP] == 15 ? 16 : vga->vbe[VBE_BPP];

    /* Planar: bytes of one plane. */
    return bits == 4 ? vga->vbe[VBE_VIRT_WIDTH] / 8 : vga->vbe[VBE_VIRT_WIDTH] * bits / 8;
}

uint32_t
vga_vbe_start(const VitVga *vga)
{
    unsigned bits = vga->vbe[VBE_BPP] == 15 ? 16 : vga->vbe[VBE_BPP];
    uint32_t x = bits == 4 ? vga->vbe[VBE_X_OFFSET] / 8 : vga->vbe[VBE_X_OFFSET] * bits / 8;

    return vga->vbe[VBE_Y_OFFSET] * vga_vbe_pitch(vga) + x;
}

static bool
is_depth(unsigned bits)
{
    return bits == 4 || bits == 8 || bits == 15 || bits == 16 || bits == 24 || bits == 32;
}

/* Makes the registers describe a picture that lies in video memory. */
static void
fix_up(VitVga *vga)
{
    uint16_t *vbe = vga->vbe;

    if (!is_depth(vbe[VBE_BPP])) {
        vbe[VBE_BPP] = 8;
    }
    unsigned bits = vbe[VBE_BPP] == 15 ? 16 : vbe[VBE_BPP];
    uint32_t memory = bits == 4 ? vga->vram_bytes / 4 : vga->vram_bytes;
    uint32_t line_max = bits == 4 ? memory * 8 : memory / (bits / 8);

    vbe[VBE_XRES] = CLAMP(vbe[VBE_XRES], 8, MIN(VBE_MAX_XRES, line_max));
    if (bits <= 8) {
        vbe[VBE_XRES] &= ~7;
    }
    vbe[VBE_VIRT_WIDTH] = CLAMP(vbe[VBE_VIRT_WIDTH], vbe[VBE_XRES], MIN(UINT16_MAX, line_max));
    if (bits == 4) {
        vbe[VBE_VIRT_WIDTH] &= ~7;
    }
    uint32_t pitch = vga_vbe_pitch(vga);
    uint32_t lines = memory / pitch;
    vbe[VBE_YRES] = CLAMP(vbe[VBE_YRES], 1, MIN(VBE_MAX_YRES, lines));
    vbe[VBE_VIRT_HEIGHT] = MIN(lines, UINT16_MAX);
    if ((uint64_t)vga_vbe_start(vga) + (uint64_t)vbe[VBE_YRES] * pitch > memory) {
        vbe[VBE_X_OFFSET] = 0;
        if ((uint64_t)vga_vbe_start(vga) + (uint64_t)vbe[VBE_YRES] * pitch > memory) {
            vbe[VBE_Y_OFFSET] = 0;
        }
    }
}

/* The VGA registers as a mode of this size would have them, for guests that read them and for the
 * memory window. */
static void
set_vga_registers(VitVga *vga)
{
    unsigned last_line = vga->vbe[VBE_YRES] - 1;
    uint8_t *cr = vga->cr;

    cr[VGA_CR_MODE] |= 3; /* no CGA addressing */
    cr[VGA_CR_H_DISPLAY_END] = vga->vbe[VBE_XRES] / 8 - 1;
    cr[VGA_CR_OFFSET] = vga_vbe_pitch(vga) >> (vga->vbe[VBE_BPP] == 4 ? 1 : 3);
    cr[VGA_CR_V_DISPLAY_END] = last_line;
    cr[VGA_CR_OVERFLOW] =
        (cr[VGA_CR_OVERFLOW] & ~0x42) | (last_line >> 7 & 0x02) | (last_line >> 3 & 0x40) | 0x10;
    cr[VGA_CR_LINE_COMPARE] = 0xff; /* no split */
    cr[VGA_CR_MAX_SCAN] = (cr[VGA_CR_MAX_SCAN] & ~0x9f) | 0x40;

    vga->gr[VGA_GR_MISC] = (vga->gr[VGA_GR_MISC] & ~0x0f) | 0x05;
    vga->gr[VGA_GR_MODE] &= ~0x7b;
    if (vga->vbe[VBE_BPP] == 4) {
        vga->sr[VGA_SR_CLOCKING] &= ~VGA_CLOCKING_HALF;
        vga->sr[VGA_SR_MEMORY_MODE] = VGA_MEMORY_SEQUENTIAL | 0x02;
    } else {
        vga->gr[VGA_GR_MODE] |= VGA_MODE_256;
        vga->sr[VGA_SR_MEMORY_MODE] = VGA_MEMORY_CHAIN4 | VGA_MEMORY_SEQUENTIAL | 0x02;
        vga->sr[VGA_SR_MAP_MASK] = 0x0f;
        vga->gr[VGA_GR_ENABLE_SET_RESET] = 0;
        vga->gr[VGA_GR_ROTATE] = 0;
        vga->gr[VGA_GR_BIT_MASK] = 0xff;
    }
}

static void
clear_picture(VitVga *vga)
{
    uint64_t bytes = (uint64_t)vga->vbe[VBE_YRES] * vga_vbe_pitch(vga);

    if (vga->vbe[VBE_BPP] == 4) {
        bytes *= 4;
    }
    bytes = MIN(bytes, vga->vram_bytes);
    memset(vga->vram_host, 0, bytes);
    vit_ram_block_mark_dirty(vga->vram, 0, bytes);
}

static void
enable_write(VitVga *vga, uint16_t value)
{
    bool was_enabled = vga_vbe_enabled(vga);

    if ((value & VBE_ENABLED) && !was_enabled) {
        vga->vbe[VBE_VIRT_WIDTH] = 0;
        vga->vbe[VBE_X_OFFSET] = 0;
        vga->vbe[VBE_Y_OFFSET] = 0;
        vga->vbe[VBE_ENABLE] = value;
        fix_up(vga);
        set_vga_registers(vga);
        if (!(value & VBE_NO_CLEAR)) {
            clear_picture(vga);
        }
    } else if (!(value & VBE_ENABLED)) {
        vga->vbe[VBE_BANK] = 0;
    }
    vga->vbe[VBE_ENABLE] = value;
    vga->frame_ns = 0;
}

void
vga_vbe_loaded(VitVga *vga)
{
    vga->vbe[VBE_BANK] &= vga->vram_bytes / VBE_BANK_BYTES - 1;
    if (vga_vbe_enabled(vga)) {
        fix_up(vga);
    }
}

uint16_t
vit_vga_vbe_read(VitVga *vga, unsigned index)
{
    if (index >= VBE_COUNT) {
        return 0;
    }
    if (vga->vbe[VBE_ENABLE] & VBE_GET_CAPS) {
        switch (index) {
        case VBE_XRES: return VBE_MAX_XRES;
        case VBE_YRES: return VBE_MAX_YRES;
        case VBE_BPP: return 32;
        default: break;
        }
    }
    return index == VBE_MEMORY_64K ? vga->vram_bytes / 0x10000 : vga->vbe[index];
}

void
vit_vga_vbe_write(VitVga *vga, unsigned index, uint16_t value)
{
    switch (index) {
    case VBE_ID:
        if (value >= VBE_ID_MIN && value <= VBE_ID_MAX) {
            vga->vbe[VBE_ID] = value;
        }
        return;
    case VBE_BANK: vga->vbe[VBE_BANK] = value & (vga->vram_bytes / VBE_BANK_BYTES - 1); break;
    case VBE_ENABLE: enable_write(vga, value); break;
    case VBE_XRES:
    case VBE_YRES:
    case VBE_BPP:
    case VBE_VIRT_WIDTH:
    case VBE_X_OFFSET:
    case VBE_Y_OFFSET:
        vga->vbe[index] = value;
        if (vga_vbe_enabled(vga)) {
            fix_up(vga);
            if (index == VBE_XRES || index == VBE_YRES || index == VBE_BPP) {
                set_vga_registers(vga);
            }
        }
        break;
    default: return; /* read-only or not there */
    }
    vga_update_window(vga);
    if (index != VBE_BANK) {
        vga_touch(vga);
    }
}

/* Offset 0 is the index, 1 and 2 are both the data register; only words are decoded. */
static uint64_t
ports_read(void *opaque, uint64_t offset, unsigned size)
{
    VitVga *vga = opaque;

    if (size != 2) {
        return UINT64_MAX;
    }
    return offset == 0 ? vga->vbe_index : vit_vga_vbe_read(vga, vga->vbe_index);
}

static void
ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VitVga *vga = opaque;

    if (size != 2) {
        return;
    }
    if (offset == 0) {
        vga->vbe_index = value;
    } else {
        vit_vga_vbe_write(vga, vga->vbe_index, value);
    }
}

const VitRegionOps vga_vbe_ops = {
    .read = ports_read,
    .write = ports_write,
    .min_size = 1,
    .max_size = 2,
    .unaligned = true,
};
