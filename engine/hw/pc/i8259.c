/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* 8259A programmable interrupt controllers, the master/slave pair of a PC/AT, with the edge/level
 * control registers of the PIIX family. Intel 8259A datasheet (231468), "Programming the 8259A"
 * and "Operation command words"; Intel 82371SB (PIIX3) datasheet, ELCR1/ELCR2.
 *
 * An edge is latched in the IRR until it is acknowledged, so a request that goes away before INTA
 * is still served; spurious vectors come from level requests that went away and from masking. The
 * cascade input follows the slave's INT output as a level. ICW1's LTIM bit is ignored: the PIIX
 * replaces it with the ELCR. MCS-80 mode and buffered mode have no meaning here and are ignored.
 *
 * Thread: device lock held. */

#include "pc/i8259.h"

#include "vit-isa.h"

enum {
    ICW1_IC4 = 0x01,
    ICW1_SNGL = 0x02,
    ICW1_SELECT = 0x10,
    ICW4_AEOI = 0x02,
    ICW4_SFNM = 0x10,
    OCW3_SELECT = 0x08,
    OCW3_RIS = 0x01,
    OCW3_RR = 0x02,
    OCW3_POLL = 0x04,
    OCW3_SMM = 0x20,
    OCW3_ESMM = 0x40,
    CASCADE_LINE = 2,
};

/* What the next write of the odd port is. */
enum { EXPECT_OCW1, EXPECT_ICW2, EXPECT_ICW3, EXPECT_ICW4 };

typedef struct Pic {
    uint8_t irr, isr, imr;
    uint8_t pins;   /* input levels */
    uint8_t elcr;   /* 1 = level triggered */
    uint8_t lowest; /* line of lowest priority */
    uint8_t vector_base;
    uint8_t expect;
    bool single, needs_icw4;
    bool auto_eoi, rotate_on_aeoi, special_nested, special_mask;
    bool read_isr, poll;
    uint8_t elcr_mask; /* lines whose trigger mode may be chosen */
    bool is_slave;
} Pic;

typedef struct I8259 {
    VitDevice dev;
    Pic pics[2];
    bool intr;
    VitRegion ports[2], elcr_ports;
} I8259;

VIT_DEVICE_LAYOUT(I8259)

/* Rank of the most urgent line in LINES: 0 is highest, 8 when none. */
static unsigned
first_rank(const Pic *pic, uint8_t lines)
{
    unsigned rank = 0;

    while (rank < 8 && !(lines >> ((pic->lowest + 1 + rank) & 7) & 1)) {
        rank++;
    }
    return rank;
}

static unsigned
line_of_rank(const Pic *pic, unsigned rank)
{
    return (pic->lowest + 1 + rank) & 7;
}

/* The line INT is asserted for, or -1. */
static int
requesting_line(const Pic *pic)
{
    unsigned rank = first_rank(pic, pic->irr & ~pic->imr);
    uint8_t blocking = pic->isr;

    if (pic->special_mask) {
        blocking &= ~pic->imr;
    }
    if (pic->special_nested && !pic->is_slave) {
        /* the slave sorts out its own nesting, so its service does not block its requests */
        blocking &= ~(1u << CASCADE_LINE);
    }
    return rank < first_rank(pic, blocking) ? (int)line_of_rank(pic, rank) : -1;
}

static void
update_output(I8259 *s)
{
    Pic *master = &s->pics[0];
    uint8_t cascade = 1u << CASCADE_LINE;
    bool intr;

    if (requesting_line(&s->pics[1]) >= 0) {
        master->irr |= cascade;
    } else {
        master->irr &= ~cascade;
    }
    intr = requesting_line(master) >= 0;
    if (intr != s->intr) {
        s->intr = intr;
        vit_irq_set(&s->dev.irq_out[0], intr);
    }
}

static void
set_pin(Pic *pic, unsigned line, bool level)
{
    uint8_t bit = 1u << line;

    if (pic->elcr & bit) {
        pic->irr = level ? pic->irr | bit : pic->irr & ~bit;
    } else if (level && !(pic->pins & bit)) {
        pic->irr |= bit;
    }
    pic->pins = level ? pic->pins | bit : pic->pins & ~bit;
}

static void
i8259_irq_in(VitDevice *dev, int n, int level)
{
    I8259 *s = (I8259 *)dev;

    if (n == CASCADE_LINE) {
        return;
    }
    set_pin(&s->pics[n >> 3], n & 7, level != 0);
    update_output(s);
}

/* What INTA does to the chip whose LINE is served. */
static void
begin_service(Pic *pic, unsigned line)
{
    uint8_t bit = 1u << line;

    if (!(pic->elcr & bit)) {
        pic->irr &= ~bit;
    }
    if (!pic->auto_eoi) {
        pic->isr |= bit;
    } else if (pic->rotate_on_aeoi) {
        pic->lowest = line;
    }
}

int
vit_i8259_ack(VitDevice *dev)
{
    I8259 *s = (I8259 *)dev;
    Pic *pic = &s->pics[0];
    int line = requesting_line(pic);

    if (line >= 0) {
        begin_service(pic, line);
        if (line == CASCADE_LINE) {
            pic = &s->pics[1];
            line = requesting_line(pic);
            if (line >= 0) {
                begin_service(pic, line);
            }
        }
    }
    update_output(s);
    return pic->vector_base | (line >= 0 ? line : 7);
}

bool
vit_i8259_intr(const VitDevice *dev)
{
    return ((const I8259 *)dev)->intr;
}

static void
end_of_interrupt(Pic *pic, bool specific, unsigned line, bool rotate)
{
    if (!specific) {
        /* datasheet, "special mask mode": a masked bit is not cleared by a non-specific EOI */
        unsigned rank = first_rank(pic, pic->special_mask ? pic->isr & ~pic->imr : pic->isr);

        if (rank == 8) {
            return;
        }
        line = line_of_rank(pic, rank);
    }
    pic->isr &= ~(1u << line);
    if (rotate) {
        pic->lowest = line;
    }
}

static void
write_icw1(Pic *pic, uint8_t value)
{
    pic->irr &= pic->elcr; /* forgets latched edges */
    pic->isr = 0;
    pic->imr = 0;
    pic->lowest = 7;
    pic->special_mask = false;
    pic->read_isr = false;
    pic->poll = false;
    pic->single = value & ICW1_SNGL;
    pic->needs_icw4 = value & ICW1_IC4;
    if (!pic->needs_icw4) {
        pic->auto_eoi = false;
        pic->special_nested = false;
    }
    pic->rotate_on_aeoi = false;
    pic->expect = EXPECT_ICW2;
}

static void
write_ocw2(Pic *pic, uint8_t value)
{
    unsigned line = value & 7;

    switch (value >> 5) {
    case 0: pic->rotate_on_aeoi = false; break;
    case 1: end_of_interrupt(pic, false, 0, false); break;
    case 2: break;
    case 3: end_of_interrupt(pic, true, line, false); break;
    case 4: pic->rotate_on_aeoi = true; break;
    case 5: end_of_interrupt(pic, false, 0, true); break;
    case 6: pic->lowest = line; break;
    case 7: end_of_interrupt(pic, true, line, true); break;
    }
}

static void
write_ocw3(Pic *pic, uint8_t value)
{
    if (value & OCW3_POLL) {
        pic->poll = true;
    }
    if (value & OCW3_RR) {
        pic->read_isr = value & OCW3_RIS;
    }
    if (value & OCW3_ESMM) {
        pic->special_mask = value & OCW3_SMM;
    }
}

static void
write_odd_port(Pic *pic, uint8_t value)
{
    switch (pic->expect) {
    case EXPECT_ICW2:
        pic->vector_base = value & 0xf8;
        pic->expect = !pic->single ? EXPECT_ICW3 : pic->needs_icw4 ? EXPECT_ICW4 : EXPECT_OCW1;
        break;
    case EXPECT_ICW3: /* the cascade is wired, its number is not a choice */
        pic->expect = pic->needs_icw4 ? EXPECT_ICW4 : EXPECT_OCW1;
        break;
    case EXPECT_ICW4:
        pic->auto_eoi = value & ICW4_AEOI;
        pic->special_nested = value & ICW4_SFNM;
        pic->expect = EXPECT_OCW1;
        break;
    default: pic->imr = value; break;
    }
}

static void
pic_write(I8259 *s, unsigned chip, uint64_t offset, uint8_t value)
{
    Pic *pic = &s->pics[chip];

    if (offset & 1) {
        write_odd_port(pic, value);
    } else if (value & ICW1_SELECT) {
        write_icw1(pic, value);
    } else if (value & OCW3_SELECT) {
        write_ocw3(pic, value);
    } else {
        write_ocw2(pic, value);
    }
    update_output(s);
}

static uint8_t
pic_read(I8259 *s, unsigned chip, uint64_t offset)
{
    Pic *pic = &s->pics[chip];

    if (pic->poll) {
        int line = requesting_line(pic);

        pic->poll = false;
        if (line < 0) {
            return 0;
        }
        begin_service(pic, line);
        update_output(s);
        return 0x80 | line;
    }
    if (offset & 1) {
        return pic->imr;
    }
    return pic->read_isr ? pic->isr : pic->irr;
}

static uint64_t
master_read(void *opaque, uint64_t offset, unsigned size)
{
    return pic_read(opaque, 0, offset);
}

static void
master_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    pic_write(opaque, 0, offset, value);
}

static uint64_t
slave_read(void *opaque, uint64_t offset, unsigned size)
{
    return pic_read(opaque, 1, offset);
}

static void
slave_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    pic_write(opaque, 1, offset, value);
}

static uint64_t
elcr_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((I8259 *)opaque)->pics[offset & 1].elcr;
}

static void
elcr_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    I8259 *s = opaque;
    Pic *pic = &s->pics[offset & 1];
    uint8_t changed;

    value &= pic->elcr_mask;
    changed = pic->elcr ^ value;
    pic->elcr = value;
    /* level lines ask as long as they are high; lines that became edge lines wait for an edge */
    pic->irr = (pic->irr & ~changed) | (pic->pins & pic->elcr);
    update_output(s);
}

static const VitRegionOps master_ops = { master_read, master_write, 1, 1 };
static const VitRegionOps slave_ops = { slave_read, slave_write, 1, 1 };
static const VitRegionOps elcr_ops = { elcr_read, elcr_write, 1, 1 };

static void
i8259_reset(VitDevice *dev)
{
    I8259 *s = (I8259 *)dev;

    for (unsigned i = 0; i < 2; i++) {
        Pic *pic = &s->pics[i];
        uint8_t pins = pic->pins;

        *pic = (Pic){ .lowest = 7, .elcr_mask = i ? 0xde : 0xf8, .is_slave = i == 1, .pins = pins };
    }
    update_output(s);
}

static bool
i8259_realize(VitDevice *dev, GError **error)
{
    I8259 *s = (I8259 *)dev;

    vit_region_init_io(&s->ports[0], "i8259-master", &master_ops, s, 2);
    vit_region_init_io(&s->ports[1], "i8259-slave", &slave_ops, s, 2);
    vit_region_init_io(&s->elcr_ports, "elcr", &elcr_ops, s, 2);
    vit_isa_map_ports(dev, 0x20, &s->ports[0]);
    vit_isa_map_ports(dev, 0xa0, &s->ports[1]);
    vit_isa_map_ports(dev, 0x4d0, &s->elcr_ports);
    return true;
}

static void
i8259_unrealize(VitDevice *dev)
{
    I8259 *s = (I8259 *)dev;

    vit_region_finish(&s->ports[0]);
    vit_region_finish(&s->ports[1]);
    vit_region_finish(&s->elcr_ports);
}

static bool
i8259_post_load(VitDevice *dev, unsigned version, GError **error)
{
    I8259 *s = (I8259 *)dev;

    for (unsigned i = 0; i < 2; i++) {
        s->pics[i].lowest &= 7;
    }
    return true;
}

static void
i8259_describe(VitDevice *dev, GString *out)
{
    I8259 *s = (I8259 *)dev;

    for (unsigned i = 0; i < 2; i++) {
        const Pic *pic = &s->pics[i];

        g_string_append_printf(out,
                               "pic%u: irr=%02x imr=%02x isr=%02x hprio=%u irq_base=%02x "
                               "rr_sel=%u elcr=%02x fnm=%u\n",
                               i, pic->irr, pic->imr, pic->isr, (pic->lowest + 1u) & 7,
                               pic->vector_base, pic->read_isr, pic->elcr, pic->special_nested);
    }
}

static const VitField pic_state[] = {
    VIT_FIELD(Pic, irr),
    VIT_FIELD(Pic, isr),
    VIT_FIELD(Pic, imr),
    VIT_FIELD(Pic, pins),
    VIT_FIELD(Pic, elcr),
    VIT_FIELD(Pic, lowest),
    VIT_FIELD(Pic, vector_base),
    VIT_FIELD(Pic, expect),
    VIT_FIELD(Pic, single),
    VIT_FIELD(Pic, needs_icw4),
    VIT_FIELD(Pic, auto_eoi),
    VIT_FIELD(Pic, rotate_on_aeoi),
    VIT_FIELD(Pic, special_nested),
    VIT_FIELD(Pic, special_mask),
    VIT_FIELD(Pic, read_isr),
    VIT_FIELD(Pic, poll),
    VIT_TRANSIENT(Pic, elcr_mask), /* a constant of the chip's place */
    VIT_TRANSIENT(Pic, is_slave),
    { 0 },
};

static const VitField i8259_state[] = {
    VIT_FIELD_STRUCTS(I8259, pics, pic_state),
    VIT_FIELD(I8259, intr),
    VIT_TRANSIENT(I8259, ports), /* mapped by realize */
    VIT_TRANSIENT(I8259, elcr_ports),
    { 0 },
};

static const char *const i8259_aliases[] = { "isa-i8259", NULL };

const VitDeviceKind vit_i8259_kind = {
    .name = "i8259",
    .aliases = i8259_aliases,
    .title = VIT_N_("Interrupt controllers (8259A pair)"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(I8259, VitDevice),
    .internal = true,
    .state = i8259_state,
    .state_version = 1,
    .n_irq_in = 16,
    .n_irq_out = 1,
    .realize = i8259_realize,
    .unrealize = i8259_unrealize,
    .reset = i8259_reset,
    .irq_in = i8259_irq_in,
    .post_load = i8259_post_load,
    .describe = i8259_describe,
};
