/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* ISA: ports, 16 interrupt lines, 8 DMA channels. IBM PC/AT Technical Reference. */

#include "vit-device.h"

/* DMA service of the 8237 pair, for floppy and sound. */
typedef struct VitIsaDmaOps {
    /* DREQ of channel N. */
    void (*set_request)(void *opaque, unsigned channel, bool level);
    /* Moves up to LEN bytes of the channel's programmed transfer, from (read_memory) or to memory.
     * Returns bytes moved; OUT_TC when terminal count was reached. */
    size_t (*transfer)(void *opaque, unsigned channel, void *buf, size_t len, bool read_memory,
                       bool *out_tc);
} VitIsaDmaOps;

typedef struct VitIsaBus {
    VitBus bus;
    VitIrq irq[16]; /* to the interrupt controllers */
    const VitIsaDmaOps *dma;
    void *dma_opaque;
} VitIsaBus;

static inline VitIsaBus *
vit_isa_bus(VitDevice *dev)
{
    return (VitIsaBus *)dev->bus;
}

/* Line N (0..15) of the device's bus; an unconnected one for other numbers. */
static inline VitIrq
vit_isa_irq(VitDevice *dev, unsigned n)
{
    return n < 16 ? vit_isa_bus(dev)->irq[n] : (VitIrq){ 0 };
}

/* Maps REGION at PORT of the port space. Undo with vit_region_finish(). Among overlapping
 * regions the later added wins. */
static inline void
vit_isa_map_ports(VitDevice *dev, uint16_t port, VitRegion *region)
{
    vit_region_add(dev->platform->io_root, port, region, 0);
}
