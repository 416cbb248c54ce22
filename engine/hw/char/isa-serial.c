/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Serial port on the ISA bus: a 16550A at one of the four customary places. IBM PC/AT Technical
 * Reference, "Serial/parallel adapter". index, iobase and irq choose themselves when not given: the
 * n-th serial port gets the n-th place.
 *
 * Thread: device lock held. */

#include "char/uart16550.h"
#include "vit-error.h"
#include "vit-isa.h"

enum { SERIAL_PLACES = 4 };

static const uint16_t default_iobase[SERIAL_PLACES] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
static const uint8_t default_irq[SERIAL_PLACES] = { 4, 3, 4, 3 };

typedef struct IsaSerial {
    VitDevice dev;
    /* properties; -1 = by index */
    int32_t index, iobase, irq;
    uint32_t baud_base;
    VitChardev *chr;

    VitUart uart;
    uint32_t place;
    VitRegion ports;
} IsaSerial;

VIT_DEVICE_LAYOUT(IsaSerial)

static uint64_t
serial_read(void *opaque, uint64_t offset, unsigned size)
{
    return vit_uart_read(&((IsaSerial *)opaque)->uart, offset);
}

static void
serial_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    vit_uart_write(&((IsaSerial *)opaque)->uart, offset, value);
}

static const VitRegionOps serial_ops = { serial_read, serial_write, 1, 1 };

static void
serial_set_irq(void *opaque, int level)
{
    IsaSerial *s = opaque;
    VitIrq line = vit_isa_irq(&s->dev, s->irq >= 0 ? (unsigned)s->irq : default_irq[s->place]);

    vit_irq_set(&line, level);
}

/* First place no other serial port of the bus has taken; SERIAL_PLACES when all are. */
static uint32_t
free_place(const IsaSerial *s)
{
    const GPtrArray *devices = s->dev.bus->devices;
    unsigned taken = 0;

    for (guint i = 0; i < devices->len; i++) {
        const VitDevice *other = devices->pdata[i];

        if (other->kind == s->dev.kind && other != &s->dev) {
            taken |= 1u << ((const IsaSerial *)other)->place;
        }
    }
    for (uint32_t place = 0; place < SERIAL_PLACES; place++) {
        if (!(taken >> place & 1)) {
            return place;
        }
    }
    return SERIAL_PLACES;
}

static bool
serial_realize(VitDevice *dev, GError **error)
{
    IsaSerial *s = (IsaSerial *)dev;

    s->place = s->index >= 0 ? (uint32_t)s->index : free_place(s);
    if (s->place >= SERIAL_PLACES) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "device isa-serial: there are %d places for serial ports on the ISA bus and "
                    "all are taken; remove a -serial option or device",
                    SERIAL_PLACES);
        return false;
    }
    s->uart.chr = s->chr;
    s->uart.baud_base = s->baud_base;
    s->uart.clock = dev->platform->clock;
    s->uart.set_irq = serial_set_irq;
    s->uart.irq_opaque = s;
    if (!vit_uart_init(&s->uart, error)) {
        return false;
    }
    vit_region_init_io(&s->ports, "serial", &serial_ops, s, VIT_UART_REGISTERS);
    vit_isa_map_ports(dev, s->iobase >= 0 ? s->iobase : default_iobase[s->place], &s->ports);
    return true;
}

static void
serial_unrealize(VitDevice *dev)
{
    IsaSerial *s = (IsaSerial *)dev;

    vit_uart_finish(&s->uart);
    vit_region_finish(&s->ports);
}

static void
serial_reset(VitDevice *dev)
{
    vit_uart_reset(&((IsaSerial *)dev)->uart);
}

static bool
serial_post_load(VitDevice *dev, unsigned version, GError **error)
{
    vit_uart_loaded(&((IsaSerial *)dev)->uart);
    return true;
}

static const VitProp serial_props[] = {
    VIT_PROP_INT(IsaSerial, index, "index", -1, -1, SERIAL_PLACES - 1,
                 VIT_N_("Which of COM1 to COM4 it is, from 0; -1: the first free")),
    VIT_PROP_INT(IsaSerial, iobase, "iobase", -1, -1, 0xfff8,
                 VIT_N_("First I/O port; -1: as usual for its index"), .flags = VIT_PROP_HEX),
    VIT_PROP_INT(IsaSerial, irq, "irq", -1, -1, 15,
                 VIT_N_("Interrupt line; -1: as usual for its index")),
    VIT_PROP_BACKEND(IsaSerial, chr, "chardev", VIT_PROP_TYPE_CHARDEV,
                     VIT_N_("Character device it is connected to")),
    VIT_PROP_UINT(IsaSerial, baud_base, "baudbase", 115200, 1, 10000000,
                  VIT_N_("Baud rate at divisor 1"), .flags = VIT_PROP_HIDDEN),
    { 0 },
};

static const VitField serial_state[] = {
    VIT_FIELD_NESTED(IsaSerial, uart, vit_uart_state),
    VIT_TRANSIENT(IsaSerial, place), /* chosen by realize */
    VIT_TRANSIENT(IsaSerial, ports), /* mapped by realize */
    { 0 },
};

const VitDeviceKind vit_isa_serial_kind = {
    .name = "isa-serial",
    .title = VIT_N_("Serial port (16550A)"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_INPUT,
    VIT_DEVICE_SIZE(IsaSerial, VitDevice),
    .props = serial_props,
    .state = serial_state,
    .state_version = 1,
    .realize = serial_realize,
    .unrealize = serial_unrealize,
    .reset = serial_reset,
    .post_load = serial_post_load,
};
