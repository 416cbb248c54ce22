/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The identification block of the monitor that a virtual card pretends to have. Thread: any. */

#include <stdint.h>

enum { VIT_EDID_BYTES = 128, VIT_EDID_MAX_SIZE = 4095 };

typedef struct VitEdid {
    uint32_t width, height;         /* preferred mode */
    uint32_t max_width, max_height; /* no larger mode is listed; 0 = no limit */
    uint32_t refresh_mhz;           /* millihertz; 0 = 60 Hz */
} VitEdid;

void vit_edid_build(const VitEdid *edid, uint8_t out_block[VIT_EDID_BYTES]);
