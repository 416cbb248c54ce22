/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Lets a guest end the machine with a status of its choice: writing V exits with (V << 1) | 1, so
 * that success can be told from a clean power off. As kvm-unit-tests and others use it.
 *
 * Thread: device lock held. */

#include "vit-isa.h"

typedef struct DebugExit {
    VitDevice dev;
    uint32_t iobase, iosize;
    VitRegion ports;
} DebugExit;

VIT_DEVICE_LAYOUT(DebugExit)

static uint64_t
debug_exit_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void
debug_exit_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    DebugExit *s = opaque;

    vit_platform_request_shutdown(s->dev.platform, VIT_CAUSE_DEBUG_EXIT,
                                  (int)((uint32_t)value << 1 | 1));
}

static const VitRegionOps debug_exit_ops = { debug_exit_read, debug_exit_write, 1, 4 };

static bool
debug_exit_realize(VitDevice *dev, GError **error)
{
    DebugExit *s = (DebugExit *)dev;

    vit_region_init_io(&s->ports, "debug-exit", &debug_exit_ops, s, s->iosize);
    vit_isa_map_ports(dev, s->iobase, &s->ports);
    return true;
}

static void
debug_exit_unrealize(VitDevice *dev)
{
    vit_region_finish(&((DebugExit *)dev)->ports);
}

static const VitProp debug_exit_props[] = {
    VIT_PROP_UINT(DebugExit, iobase, "iobase", 0x501, 0, 0xfff8, VIT_N_("First I/O port"),
                  .flags = VIT_PROP_HEX),
    VIT_PROP_UINT(DebugExit, iosize, "iosize", 2, 1, 8, VIT_N_("Number of ports")),
    { 0 },
};

static const VitField debug_exit_state[] = {
    VIT_TRANSIENT(DebugExit, ports), /* mapped by realize */
    { 0 },
};

const VitDeviceKind vit_isa_debug_exit_kind = {
    .name = "isa-debug-exit",
    .title = VIT_N_("Exit port for test guests"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(DebugExit, VitDevice),
    .props = debug_exit_props,
    .state = debug_exit_state,
    .state_version = 1,
    .realize = debug_exit_realize,
    .unrealize = debug_exit_unrealize,
};
