/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Parallel port on the ISA bus. IBM PC/AT Technical Reference, "Parallel printer adapter"; IEEE
 * 1284 signal names; National PC87332 datasheet for the EPP registers. The character device is a
 * printer: a byte is taken at the strobe and acknowledged when the guest
 * next looks. EPP and ECP cycles find nobody: they time out and read as ones.
 *
 * Thread: device lock held. */

#include "vit-chardev.h"
#include "vit-error.h"
#include "vit-isa.h"

enum { PARALLEL_PLACES = 3 };
static const uint16_t default_iobase[PARALLEL_PLACES] = { 0x378, 0x278, 0x3bc };

enum { REG_DATA, REG_STATUS, REG_CONTROL, REG_EPP_ADDRESS, REG_EPP_DATA, REG_EPP_LAST = 7 };

enum {
    STATUS_EPP_TIMEOUT = 0x01,
    STATUS_NO_ERROR = 0x08, /* nFault */
    STATUS_SELECTED = 0x10,
    STATUS_NOT_ACK = 0x40,  /* nAck */
    STATUS_NOT_BUSY = 0x80, /* Busy, inverted by the port */
    CONTROL_STROBE = 0x01,
    CONTROL_NOT_INIT = 0x04, /* nInit */
    CONTROL_SELECT = 0x08,   /* nSelectIn, inverted by the port */
    CONTROL_IRQ = 0x10,
    CONTROL_INPUT = 0x20,
    CONTROL_UNUSED = 0xc0, /* read as ones */
};

typedef struct Parallel {
    VitDevice dev;
    /* properties; -1 = by index */
    int32_t index, iobase;
    uint8_t irq;
    VitChardev *chr;

    uint8_t data, status, control;
    bool acked; /* a byte was taken and its pulse of nAck is not over */
    bool irq_level;
    uint32_t place;
    VitRegion ports;
} Parallel;

VIT_DEVICE_LAYOUT(Parallel)

static void
set_irq(Parallel *s, bool level)
{
    VitIrq line = vit_isa_irq(&s->dev, s->irq);

    if (level != s->irq_level) {
        s->irq_level = level;
        vit_irq_set(&line, level);
    }
}

static void
strobe(Parallel *s)
{
    if (s->chr) {
        vit_chardev_write_all(s->chr, &s->data, 1);
    }
    s->status &= ~(STATUS_NOT_BUSY | STATUS_NOT_ACK);
    s->acked = true;
}

/* The printer's nAck and Busy come back before the guest can look twice. */
static uint8_t
read_status(Parallel *s)
{
    uint8_t value = s->status;

    if (s->acked && !(s->control & CONTROL_STROBE)) {
        s->acked = false;
        s->status |= STATUS_NOT_BUSY | STATUS_NOT_ACK;
    }
    set_irq(s, false);
    return value;
}

static void
write_control(Parallel *s, uint8_t value)
{
    uint8_t before = s->control;

    s->control = value & ~CONTROL_UNUSED;
    if (!(value & CONTROL_NOT_INIT)) {
        s->acked = false;
        s->status |= STATUS_NOT_BUSY | STATUS_NOT_ACK;
        set_irq(s, false);
        return;
    }
    if ((value & CONTROL_STROBE) && !(before & CONTROL_STROBE) && (value & CONTROL_SELECT)) {
        strobe(s);
    } else if (!(value & CONTROL_STROBE) && (before & CONTROL_STROBE) && s->acked &&
               (value & CONTROL_IRQ)) {
        set_irq(s, true);
    }
    if (!(value & CONTROL_IRQ)) {
        set_irq(s, false);
    }
}

static uint64_t
parallel_read(void *opaque, uint64_t offset, unsigned size)
{
    Parallel *s = opaque;

    switch (offset) {
    case REG_DATA: return s->control & CONTROL_INPUT ? 0xff : s->data;
    case REG_STATUS: return read_status(s);
    case REG_CONTROL: return s->control | CONTROL_UNUSED;
    default: s->status |= STATUS_EPP_TIMEOUT; return 0xff;
    }
}

static void
parallel_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Parallel *s = opaque;

    switch (offset) {
    case REG_DATA: s->data = value; break;
    case REG_STATUS:
        if (value & STATUS_EPP_TIMEOUT) {
            s->status &= ~STATUS_EPP_TIMEOUT;
        }
        break;
    case REG_CONTROL: write_control(s, value); break;
    default: s->status |= STATUS_EPP_TIMEOUT; break;
    }
}

static const VitRegionOps parallel_ops = { parallel_read, parallel_write, 1, 1 };

static uint32_t
free_place(const Parallel *s)
{
    const GPtrArray *devices = s->dev.bus->devices;
    unsigned taken = 0;

    for (guint i = 0; i < devices->len; i++) {
        const VitDevice *other = devices->pdata[i];

        if (other->kind == s->dev.kind && other != &s->dev) {
            taken |= 1u << ((const Parallel *)other)->place;
        }
    }
    for (uint32_t place = 0; place < PARALLEL_PLACES; place++) {
        if (!(taken >> place & 1)) {
            return place;
        }
    }
    return PARALLEL_PLACES;
}

static bool
parallel_realize(VitDevice *dev, GError **error)
{
    Parallel *s = (Parallel *)dev;
    VitChardevFront front = { .opaque = s };
    uint16_t port;

    s->place = s->index >= 0 ? (uint32_t)s->index : free_place(s);
    if (s->place >= PARALLEL_PLACES) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "device isa-parallel: there are %d places for parallel ports on the ISA bus "
                    "and all are taken; remove a -parallel option or device",
                    PARALLEL_PLACES);
        return false;
    }
    if (s->chr && !vit_chardev_attach(s->chr, &front, error)) {
        return false;
    }
    port = s->iobase >= 0 ? s->iobase : default_iobase[s->place];
    /* the third place has no room for EPP registers before the display adapter's ports */
    vit_region_init_io(&s->ports, "parallel", &parallel_ops, s, port == 0x3bc ? 3 : 8);
    vit_isa_map_ports(dev, port, &s->ports);
    return true;
}

static void
parallel_unrealize(VitDevice *dev)
{
    Parallel *s = (Parallel *)dev;

    if (s->chr) {
        vit_chardev_detach(s->chr, s);
    }
    vit_region_finish(&s->ports);
}

static void
parallel_reset(VitDevice *dev)
{
    Parallel *s = (Parallel *)dev;

    s->data = 0xff;
    s->status = STATUS_NOT_BUSY | STATUS_NOT_ACK | STATUS_SELECTED | STATUS_NO_ERROR;
    s->control = CONTROL_NOT_INIT | CONTROL_SELECT;
    s->acked = false;
    set_irq(s, false);
}

static const VitProp parallel_props[] = {
    VIT_PROP_INT(Parallel, index, "index", -1, -1, PARALLEL_PLACES - 1,
                 VIT_N_("Which of LPT1 to LPT3 it is, from 0; -1: the first free")),
    VIT_PROP_INT(Parallel, iobase, "iobase", -1, -1, 0xfff8,
                 VIT_N_("First I/O port; -1: as usual for its index"), .flags = VIT_PROP_HEX),
    VIT_PROP_UINT(Parallel, irq, "irq", 7, 0, 15, VIT_N_("Interrupt line")),
    VIT_PROP_BACKEND(Parallel, chr, "chardev", VIT_PROP_TYPE_CHARDEV,
                     VIT_N_("Character device it prints to")),
    { 0 },
};

static const VitField parallel_state[] = {
    VIT_FIELD(Parallel, data),
    VIT_FIELD(Parallel, status),
    VIT_FIELD(Parallel, control),
    VIT_FIELD(Parallel, acked),
    VIT_FIELD(Parallel, irq_level),
    VIT_TRANSIENT(Parallel, place), /* chosen by realize */
    VIT_TRANSIENT(Parallel, ports), /* mapped by realize */
    { 0 },
};

const VitDeviceKind vit_isa_parallel_kind = {
    .name = "isa-parallel",
    .title = VIT_N_("Parallel port"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_INPUT,
    VIT_DEVICE_SIZE(Parallel, VitDevice),
    .props = parallel_props,
    .state = parallel_state,
    .state_version = 1,
    .realize = parallel_realize,
    .unrealize = parallel_unrealize,
    .reset = parallel_reset,
};
