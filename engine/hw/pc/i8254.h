/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The interval timer of a PC. Output 0 is OUT0 (IRQ 0). Thread: device lock held. */

#include "vit-device.h"

#define VIT_PIT_HZ 1193182

/* What counter N is doing, for the speaker. */
typedef struct VitPitChannelInfo {
    uint8_t mode;   /* 0..5 */
    bool gate, out; /* levels now */
    uint32_t count; /* initial count, 1..65536; 0 = none written yet */
} VitPitChannelInfo;

/* Counters 0..2; other numbers are ignored. */
void vit_i8254_set_gate(VitDevice *dev, unsigned n, bool level);
bool vit_i8254_get_out(VitDevice *dev, unsigned n);
void vit_i8254_get_info(VitDevice *dev, unsigned n, VitPitChannelInfo *out);
