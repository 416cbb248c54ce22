/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Real-time clock with CMOS memory. Output 0 is IRQ 8. Thread: device lock held. */

#include "vit-device.h"

#define VIT_CMOS_BYTES 128

/* The memory as the board and its firmware agree on it; INDEX beyond the end is ignored. Kept over
 * resets. */
void vit_rtc_set_cmos(VitDevice *dev, unsigned index, uint8_t value);
uint8_t vit_rtc_get_cmos(VitDevice *dev, unsigned index);
/* Bit 7 of port 0x70: the guest does not want NMIs. */
bool vit_rtc_nmi_masked(const VitDevice *dev);
/* The time the guest's clock shows, seconds since 1970 as if UTC. */
int64_t vit_rtc_get_time(VitDevice *dev);
