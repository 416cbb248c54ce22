/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* I/O APIC with 24 pins at 0xfec00000. Intel 82093AA datasheet (290566), "Register description";
 * the EOI register of version 0x20 from the Intel ICH family's "IOxAPIC". Pin polarity is ignored:
 * lines carry "asserted".
 *
 * Thread: device lock held. */

#include "pc/ioapic.h"

#include "pc/apic-bus.h"

#include <inttypes.h>

#define IOAPIC_BASE 0xfec00000

enum { AT_INDEX = 0x00, AT_DATA = 0x10, AT_EOI = 0x40 };
enum { REG_ID = 0x00, REG_VERSION = 0x01, REG_ARBITRATION = 0x02, REG_ENTRY = 0x10 };

#define ENTRY_LOGICAL    (1ull << 11)
#define ENTRY_STATUS     (1ull << 12)
#define ENTRY_REMOTE_IRR (1ull << 14)
#define ENTRY_LEVEL      (1ull << 15)
#define ENTRY_MASKED     (1ull << 16)
#define ENTRY_READ_ONLY  (ENTRY_STATUS | ENTRY_REMOTE_IRR)
#define ENTRY_VALID      0xff0000000001ffffull

typedef struct IoApic {
    VitDevice dev;
    uint8_t version; /* property */
    uint8_t id, index;
    uint32_t irr;  /* pins that ask */
    uint32_t pins; /* levels */
    uint64_t entries[VIT_IOAPIC_PINS];
    VitDevice *bus;
    VitRegion window;
} IoApic;

VIT_DEVICE_LAYOUT(IoApic)

/* Sends the message of pin N when it asks and may. */
static void
service_pin(IoApic *s, unsigned n)
{
    uint64_t entry = s->entries[n];
    unsigned delivery = entry >> 8 & 7;
    /* SMI, NMI, INIT and ExtINT are edges whatever the trigger bit says */
    bool is_level = (entry & ENTRY_LEVEL) && delivery <= VIT_APIC_LOWEST;

    if (!(s->irr >> n & 1) || (entry & ENTRY_MASKED) || (is_level && (entry & ENTRY_REMOTE_IRR))) {
        return;
    }
    if (is_level) {
        s->entries[n] |= ENTRY_REMOTE_IRR;
    } else {
        s->irr &= ~(1u << n);
    }
    if (s->bus) {
        vit_apic_deliver(s->bus, entry >> 56, entry & ENTRY_LOGICAL, delivery, entry, is_level);
    }
}

static void
ioapic_irq_in(VitDevice *dev, int n, int level)
{
    IoApic *s = (IoApic *)dev;
    uint32_t bit = 1u << n;
    bool rose = level && !(s->pins & bit);

    s->pins = level ? s->pins | bit : s->pins & ~bit;
    if (s->entries[n] & ENTRY_LEVEL) {
        s->irr = level ? s->irr | bit : s->irr & ~bit;
    } else if (rose && !(s->entries[n] & ENTRY_MASKED)) {
        s->irr |= bit; /* edges at a masked pin are lost */
    }
    service_pin(s, n);
}

/* VECTOR was ended by a local APIC or through the EOI register. */
static void
end_of_interrupt(void *opaque, uint8_t vector)
{
    IoApic *s = opaque;

    for (unsigned n = 0; n < VIT_IOAPIC_PINS; n++) {
        if ((s->entries[n] & 0xff) == vector && (s->entries[n] & ENTRY_REMOTE_IRR)) {
            s->entries[n] &= ~ENTRY_REMOTE_IRR;
            service_pin(s, n);
        }
    }
}

static void
write_entry(IoApic *s, unsigned n, bool high, uint32_t value)
{
    uint64_t before = s->entries[n];
    uint64_t entry = high ? (before & 0xffffffff) | (uint64_t)value << 32
                          : (before & 0xffffffff00000000ull) | value;
    uint32_t bit = 1u << n;

    entry = (entry & ENTRY_VALID & ~ENTRY_READ_ONLY) | (before & ENTRY_READ_ONLY);
    if (!(entry & ENTRY_LEVEL)) {
        /* guests of chips without an EOI register clear remote IRR by a turn through edge mode */
        entry &= ~ENTRY_REMOTE_IRR;
        if (before & ENTRY_LEVEL) {
            s->irr &= ~bit;
        }
    } else {
        s->irr = (s->irr & ~bit) | (s->pins & bit);
    }
    s->entries[n] = entry;
    service_pin(s, n);
}

static uint32_t
read_register(const IoApic *s)
{
    unsigned n = (s->index - REG_ENTRY) / 2;

    switch (s->index) {
    case REG_ID:
    case REG_ARBITRATION: return (uint32_t)s->id << 24;
    case REG_VERSION: return s->version | (VIT_IOAPIC_PINS - 1) << 16;
    default:
        if (s->index < REG_ENTRY || n >= VIT_IOAPIC_PINS) {
            return 0;
        }
        return s->index & 1 ? s->entries[n] >> 32 : s->entries[n];
    }
}

static void
write_register(IoApic *s, uint32_t value)
{
    unsigned n = (s->index - REG_ENTRY) / 2;

    if (s->index == REG_ID) {
        s->id = value >> 24 & 0xf;
    } else if (s->index >= REG_ENTRY && n < VIT_IOAPIC_PINS) {
        write_entry(s, n, s->index & 1, value);
    }
}

static uint64_t
window_read(void *opaque, uint64_t offset, unsigned size)
{
    IoApic *s = opaque;

    switch (offset & 0xff) {
    case AT_INDEX: return s->index;
    case AT_DATA: return read_register(s);
    default: return 0;
    }
}

static void
window_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    IoApic *s = opaque;

    switch (offset & 0xff) {
    case AT_INDEX: s->index = value; break;
    case AT_DATA: write_register(s, value); break;
    case AT_EOI:
        if (s->version >= 0x20) {
            end_of_interrupt(s, value);
        }
        break;
    default: break;
    }
}

static const VitRegionOps window_ops = { window_read, window_write, 4, 4 };

void
vit_ioapic_attach(VitDevice *dev, VitDevice *bus)
{
    ((IoApic *)dev)->bus = bus;
}

static void
ioapic_reset(VitDevice *dev)
{
    IoApic *s = (IoApic *)dev;

    s->id = s->index = 0;
    s->irr = 0;
    for (unsigned n = 0; n < VIT_IOAPIC_PINS; n++) {
        s->entries[n] = ENTRY_MASKED;
    }
}

static bool
ioapic_realize(VitDevice *dev, GError **error)
{
    IoApic *s = (IoApic *)dev;

    vit_region_init_io(&s->window, "ioapic", &window_ops, s, 0x1000);
    vit_region_add(dev->platform->memory_root, IOAPIC_BASE, &s->window, 0x1000);
    if (s->bus) {
        vit_apic_bus_add_eoi_listener(s->bus, end_of_interrupt, s);
    }
    return true;
}

static void
ioapic_unrealize(VitDevice *dev)
{
    IoApic *s = (IoApic *)dev;

    if (s->bus) {
        vit_apic_bus_remove_eoi_listener(s->bus, s);
    }
    vit_region_finish(&s->window);
}

static void
ioapic_describe(VitDevice *dev, GString *out)
{
    const IoApic *s = (const IoApic *)dev;

    g_string_append_printf(out, "ioapic0: ver=0x%x id=0x%02x sel=0x%02x\n", s->version, s->id,
                           s->index);
    for (unsigned n = 0; n < VIT_IOAPIC_PINS; n++) {
        uint64_t entry = s->entries[n];

        g_string_append_printf(
            out, "  pin %-2u 0x%016" PRIx64 " dest=%" PRIu64 " vec=%-3u %s %s%s%s\n", n, entry,
            entry >> 56, (unsigned)(entry & 0xff), entry & ENTRY_LEVEL ? "level" : "edge ",
            entry & ENTRY_LOGICAL ? "logical" : "physical", entry & ENTRY_MASKED ? " masked" : "",
            entry & ENTRY_REMOTE_IRR ? " remote-irr" : "");
    }
}

static const VitProp ioapic_props[] = {
    VIT_PROP_UINT(IoApic, version, "version", 0x20, 0x11, 0x20, VIT_N_("Version register"),
                  .flags = VIT_PROP_HEX),
    { 0 },
};

static const VitField ioapic_state[] = {
    VIT_FIELD(IoApic, id),
    VIT_FIELD(IoApic, index),
    VIT_FIELD(IoApic, irr),
    VIT_FIELD(IoApic, pins),
    VIT_FIELD_ARRAY(IoApic, entries),
    VIT_TRANSIENT(IoApic, bus),    /* wired by the board */
    VIT_TRANSIENT(IoApic, window), /* mapped by realize */
    { 0 },
};

const VitDeviceKind vit_ioapic_kind = {
    .name = "ioapic",
    .title = VIT_N_("I/O interrupt router (I/O APIC)"),
    .bus = VIT_BUS_NONE,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(IoApic, VitDevice),
    .internal = true,
    .props = ioapic_props,
    .state = ioapic_state,
    .state_version = 1,
    .n_irq_in = VIT_IOAPIC_PINS,
    .realize = ioapic_realize,
    .unrealize = ioapic_unrealize,
    .reset = ioapic_reset,
    .irq_in = ioapic_irq_in,
    .describe = ioapic_describe,
};
