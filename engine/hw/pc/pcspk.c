/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* System control port B (0x61): speaker gate, refresh toggle, counter 2's output. IBM PC/AT
 * Technical Reference, "System board I/O"; Intel 82371SB (PIIX3), "NMISC". The sound itself is
 * made elsewhere from what the timer says. The parity and channel-check bits exist but no error
 * ever happens.
 *
 * Thread: device lock held. */

#include "pc/pcspk.h"

#include "pc/i8254.h"
#include "vit-isa.h"

enum {
    PORTB_GATE2 = 0x01,
    PORTB_SPEAKER = 0x02,
    PORTB_WRITABLE = 0x0f,
    PORTB_REFRESH = 0x10,
    PORTB_OUT2 = 0x20,
};

/* Counter 1 asks for a refresh every 18 ticks of its 1.193 MHz clock. */
#define REFRESH_PERIOD_NS 15085

typedef struct PcSpk {
    VitDevice dev;
    uint8_t control;
    uint16_t iobase;
    VitDevice *pit;
    VitRegion port;
} PcSpk;

VIT_DEVICE_LAYOUT(PcSpk)

static uint64_t
portb_read(void *opaque, uint64_t offset, unsigned size)
{
    PcSpk *s = opaque;
    uint8_t value = s->control;

    if ((vit_clock_get_ns(s->dev.platform->clock) / REFRESH_PERIOD_NS) & 1) {
        value |= PORTB_REFRESH;
    }
    if (s->pit && vit_i8254_get_out(s->pit, 2)) {
        value |= PORTB_OUT2;
    }
    return value;
}

static void
set_control(PcSpk *s, uint8_t value)
{
    s->control = value & PORTB_WRITABLE;
    if (s->pit) {
        vit_i8254_set_gate(s->pit, 2, s->control & PORTB_GATE2);
    }
}

static void
portb_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    set_control(opaque, value);
}

static const VitRegionOps portb_ops = { portb_read, portb_write, 1, 1 };

void
vit_pcspk_attach(VitDevice *dev, VitDevice *pit)
{
    ((PcSpk *)dev)->pit = pit;
}

bool
vit_pcspk_is_on(const VitDevice *dev)
{
    uint8_t both = PORTB_GATE2 | PORTB_SPEAKER;

    return (((const PcSpk *)dev)->control & both) == both;
}

static void
pcspk_reset(VitDevice *dev)
{
    set_control((PcSpk *)dev, 0);
}

static bool
pcspk_realize(VitDevice *dev, GError **error)
{
    PcSpk *s = (PcSpk *)dev;

    vit_region_init_io(&s->port, "pcspk", &portb_ops, s, 1);
    vit_isa_map_ports(dev, s->iobase, &s->port);
    return true;
}

static void
pcspk_unrealize(VitDevice *dev)
{
    vit_region_finish(&((PcSpk *)dev)->port);
}

static const VitProp pcspk_props[] = {
    VIT_PROP_UINT(PcSpk, iobase, "iobase", 0x61, 0, 0xffff, VIT_N_("I/O port"),
                  .flags = VIT_PROP_HEX),
    { 0 },
};

static const VitField pcspk_state[] = {
    VIT_FIELD(PcSpk, control),
    VIT_TRANSIENT(PcSpk, pit),  /* wired by the board */
    VIT_TRANSIENT(PcSpk, port), /* mapped by realize */
    { 0 },
};

static const char *const pcspk_aliases[] = { "isa-pcspk", NULL };

const VitDeviceKind vit_pcspk_kind = {
    .name = "pcspk",
    .aliases = pcspk_aliases,
    .title = VIT_N_("PC speaker"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_SOUND,
    VIT_DEVICE_SIZE(PcSpk, VitDevice),
    .internal = true,
    .props = pcspk_props,
    .state = pcspk_state,
    .state_version = 1,
    .realize = pcspk_realize,
    .unrealize = pcspk_unrealize,
    .reset = pcspk_reset,
};
