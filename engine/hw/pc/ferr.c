/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Coprocessor error reporting of the PC/AT: FERR# raises IRQ 13, a write to port 0xf0 lowers it and
 * asserts IGNNE#. Intel 82371SB (PIIX3) datasheet, "Coprocessor error register"; Intel SDM volume
 * 1, "MS-DOS compatibility sub-mode".
 *
 * Deviation: real hardware holds IGNNE# until FERR# goes away, which the CPU does not tell; here it
 * lasts a millisecond, time enough for a handler to reach its FNCLEX.
 *
 * Thread: device lock held. */

#include "pc/ferr.h"

#include "vit-isa.h"

#define IGNNE_NS 1000000

typedef struct Ferr {
    VitDevice dev;
    int64_t ignne_until_ns;
    bool irq;
    VitRegion ports;
} Ferr;

VIT_DEVICE_LAYOUT(Ferr)

static void
set_irq(Ferr *s, bool level)
{
    if (s->irq != level) {
        s->irq = level;
        vit_irq_set(&s->dev.irq_out[0], level);
    }
}

bool
vit_ferr_raise(VitDevice *dev)
{
    Ferr *s = (Ferr *)dev;

    if (vit_clock_get_ns(dev->platform->clock) < s->ignne_until_ns) {
        return true;
    }
    set_irq(s, true);
    return false;
}

static uint64_t
ferr_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0xff;
}

static void
ferr_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Ferr *s = opaque;

    if (offset == 0 && s->irq) {
        s->ignne_until_ns = vit_clock_get_ns(s->dev.platform->clock) + IGNNE_NS;
    }
    set_irq(s, false);
}

static const VitRegionOps ferr_ops = { ferr_read, ferr_write, 1, 1 };

static void
ferr_reset(VitDevice *dev)
{
    Ferr *s = (Ferr *)dev;

    s->ignne_until_ns = 0;
    set_irq(s, false);
}

static bool
ferr_realize(VitDevice *dev, GError **error)
{
    Ferr *s = (Ferr *)dev;

    vit_region_init_io(&s->ports, "ferr", &ferr_ops, s, 2);
    vit_isa_map_ports(dev, 0xf0, &s->ports);
    return true;
}

static void
ferr_unrealize(VitDevice *dev)
{
    vit_region_finish(&((Ferr *)dev)->ports);
}

static const VitField ferr_state[] = {
    VIT_FIELD(Ferr, ignne_until_ns),
    VIT_FIELD(Ferr, irq),
    VIT_TRANSIENT(Ferr, ports), /* mapped by realize */
    { 0 },
};

const VitDeviceKind vit_ferr_kind = {
    .name = "ferr",
    .title = VIT_N_("Coprocessor error port"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(Ferr, VitDevice),
    .internal = true,
    .state = ferr_state,
    .state_version = 1,
    .n_irq_out = 1,
    .realize = ferr_realize,
    .unrealize = ferr_unrealize,
    .reset = ferr_reset,
};
