/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The VGA memory window A0000h to BFFFFh: plane addressing, write and read modes, latches.
 *
 * Where the guest's settings make the window plain memory (256 colours in chain-4, and every
 * DISPI mode of 8 and more bits), video memory is mapped into it and no access comes here. Else
 * accesses come on vCPU threads without the device lock; `busy` guards the settings and latches.
 *
 * Thread: functions with the device lock held; accesses on any thread. */

#include "vit-memory.h"

/* The registers that matter, as written. */
typedef struct VgaWindowSettings {
    uint8_t map_mask, memory_mode;                              /* sequencer 2 and 4 */
    uint8_t set_reset, enable_set_reset, color_compare, rotate; /* graphics controller 0..3 */
    uint8_t read_map, mode, misc, color_care, bit_mask;         /* 4..8 */
    bool enabled;                                               /* miscellaneous output bit 1 */
    uint32_t bank_offset;                                       /* DISPI bank, bytes */
} VgaWindowSettings;

typedef struct VgaWindow {
    VitRamBlock *vram;
    uint32_t vram_bytes;
    VitRegion container, window, linear_64k, linear_128k;
    int busy; /* 1 while somebody is inside */
    VgaWindowSettings settings;
    uint32_t latch; /* one byte per plane, plane 0 lowest */
} VgaWindow;

/* VRAM_REGION shows all of VRAM. */
void vga_window_init(VgaWindow *window, VitRamBlock *vram, VitRegion *vram_region);
void vga_window_finish(VgaWindow *window);
/* Takes new settings; may change the memory map. */
void vga_window_set(VgaWindow *window, const VgaWindowSettings *settings);
