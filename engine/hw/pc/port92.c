/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* System control port A (0x92): fast A20 gate and fast reset. IBM PS/2 Hardware Interface Technical
 * Reference, "System control port A". The watchdog, security and disk light bits do nothing.
 *
 * Thread: device lock held. */

#include "vit-isa.h"

enum {
    PORTA_RESET = 0x01,
    PORTA_A20 = 0x02,
};

typedef struct Port92 {
    VitDevice dev;
    uint8_t value;
    VitRegion port;
} Port92;

VIT_DEVICE_LAYOUT(Port92)

static uint64_t
porta_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((Port92 *)opaque)->value;
}

static void
porta_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Port92 *s = opaque;
    uint8_t before = s->value;

    s->value = value;
    vit_platform_set_a20(s->dev.platform, value & PORTA_A20);
    if ((value & PORTA_RESET) && !(before & PORTA_RESET)) {
        vit_platform_request_reset(s->dev.platform, VIT_CAUSE_GUEST_RESET);
    }
}

static const VitRegionOps porta_ops = { porta_read, porta_write, 1, 1 };

static void
port92_reset(VitDevice *dev)
{
    ((Port92 *)dev)->value = 0;
}

static bool
port92_realize(VitDevice *dev, GError **error)
{
    Port92 *s = (Port92 *)dev;

    vit_region_init_io(&s->port, "port92", &porta_ops, s, 1);
    vit_isa_map_ports(dev, 0x92, &s->port);
    return true;
}

static void
port92_unrealize(VitDevice *dev)
{
    vit_region_finish(&((Port92 *)dev)->port);
}

static const VitField port92_state[] = {
    VIT_FIELD(Port92, value),
    VIT_TRANSIENT(Port92, port), /* mapped by realize */
    { 0 },
};

const VitDeviceKind vit_port92_kind = {
    .name = "port92",
    .title = VIT_N_("Fast A20 gate and reset"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(Port92, VitDevice),
    .internal = true,
    .state = port92_state,
    .state_version = 1,
    .realize = port92_realize,
    .unrealize = port92_unrealize,
    .reset = port92_reset,
};
