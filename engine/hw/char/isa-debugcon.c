/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Debug console: one port; what is written goes to a character device, reads tell that it is
 * there. The port E9 convention of the Bochs manual ("Debugger: port_e9_hack"); SeaBIOS logs to
 * one at 0x402. Output waits in the back end, never in the guest.
 *
 * Thread: device lock held. */

#include "vit-chardev.h"
#include "vit-isa.h"

typedef struct DebugCon {
    VitDevice dev;
    uint16_t iobase;
    uint8_t readback;
    VitChardev *chr;
    VitRegion port;
} DebugCon;

VIT_DEVICE_LAYOUT(DebugCon)

static uint64_t
debugcon_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((DebugCon *)opaque)->readback;
}

static void
debugcon_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    DebugCon *s = opaque;
    uint8_t byte = value;

    if (s->chr) {
        vit_chardev_write_all(s->chr, &byte, 1);
    }
}

static const VitRegionOps debugcon_ops = { debugcon_read, debugcon_write, 1, 1 };

static bool
debugcon_realize(VitDevice *dev, GError **error)
{
    DebugCon *s = (DebugCon *)dev;
    VitChardevFront front = { .opaque = s };

    if (s->chr && !vit_chardev_attach(s->chr, &front, error)) {
        return false;
    }
    vit_region_init_io(&s->port, "debugcon", &debugcon_ops, s, 1);
    vit_isa_map_ports(dev, s->iobase, &s->port);
    return true;
}

static void
debugcon_unrealize(VitDevice *dev)
{
    DebugCon *s = (DebugCon *)dev;

    if (s->chr) {
        vit_chardev_detach(s->chr, s);
    }
    vit_region_finish(&s->port);
}

static const VitProp debugcon_props[] = {
    VIT_PROP_UINT(DebugCon, iobase, "iobase", 0xe9, 0, 0xffff, VIT_N_("I/O port"),
                  .flags = VIT_PROP_HEX),
    VIT_PROP_UINT(DebugCon, readback, "readback", 0xe9, 0, 0xff, VIT_N_("Value the port reads as"),
                  .flags = VIT_PROP_HEX),
    VIT_PROP_BACKEND(DebugCon, chr, "chardev", VIT_PROP_TYPE_CHARDEV,
                     VIT_N_("Character device that gets the text")),
    { 0 },
};

static const VitField debugcon_state[] = {
    VIT_TRANSIENT(DebugCon, port), /* mapped by realize */
    { 0 },
};

const VitDeviceKind vit_isa_debugcon_kind = {
    .name = "isa-debugcon",
    .title = VIT_N_("Debug console"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(DebugCon, VitDevice),
    .props = debugcon_props,
    .state = debugcon_state,
    .state_version = 1,
    .realize = debugcon_realize,
    .unrealize = debugcon_unrealize,
};
