/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* What the files of the VGA share. Thread: device lock held. */

#include "vga-core.h"

static inline bool
vga_vbe_enabled(const VitVga *vga)
{
    return vga->vbe[VBE_ENABLE] & VBE_ENABLED;
}

/* A register that shapes the picture changed. */
static inline void
vga_touch(VitVga *vga)
{
    vga->mode_stale = true;
}

/* vga-ports.c */
extern const VitRegionOps vga_port_ops[5];
void vga_update_window(VitVga *vga);

/* vga-vbe.c */
extern const VitRegionOps vga_vbe_ops;
void vga_vbe_loaded(VitVga *vga);
uint32_t vga_vbe_pitch(const VitVga *vga);
uint32_t vga_vbe_start(const VitVga *vga);

/* vga-mode.c: MODE from the registers; the beam. */
void vga_work_out_mode(VitVga *vga, VgaMode *out);
void vga_work_out_timing(VitVga *vga);
/* Input status 1, bits 0 (not displaying) and 3 (vertical sync). */
uint8_t vga_beam_status(VitVga *vga);

/* vga-text.c: draws what changed. */
void vga_draw_text(VitVga *vga, bool all);
bool vga_get_text(void *opaque, VitTextScreen *out);
/* Copies the fonts in use; true when they differ from what was drawn. */
bool vga_gather_fonts(VitVga *vga);
/* One scan line of text: ROW_SCAN of the row at address ADDRESS. */
void vga_text_line(const VitVga *vga, uint32_t address, unsigned row_scan, unsigned first_column,
                   unsigned columns, uint32_t *out);
/* Moves the blink phases to now; true when they or the cursor changed since the last call. */
bool vga_text_refresh_phase(VitVga *vga);

/* vga-draw.c */
void vga_update(void *opaque, bool full);
/* Address ADDRESS of the counter in bytes of video memory (of plane 0). */
uint32_t vga_memory_at(const VitVga *vga, uint32_t address, unsigned row_scan);

/* vga-line.c: one scan line of a graphics mode, panning included. */
void vga_graphics_line(const VitVga *vga, uint32_t address, unsigned row_scan, unsigned pel_pan,
                       uint32_t *out);
