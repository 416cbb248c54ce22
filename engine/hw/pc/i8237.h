/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The pair of DMA controllers of a PC. On realize it becomes the `dma` of its ISA bus; devices use
 * it through VitIsaDmaOps. Thread: device lock held. */

#include "vit-isa.h"

/* What channel 0..7 is programmed for, for tests and "info". */
typedef struct VitDmaChannelInfo {
    uint32_t address;    /* guest physical, of the next byte */
    uint32_t left_bytes; /* to terminal count */
    uint8_t mode;
    bool masked, requested, at_terminal_count;
} VitDmaChannelInfo;
void vit_i8237_get_channel(const VitDevice *dev, unsigned channel, VitDmaChannelInfo *out);
