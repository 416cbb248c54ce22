/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Two 8237A DMA controllers with page registers. Intel 8237A datasheet (231466), "Register
 * description" and "Programming"; IBM PC/AT Technical Reference for the ports: 0x00..0x0f (8-bit
 * channels 0..3), 0xc0..0xdf (16-bit channels 4..7, registers two apart), pages at 0x81..0x8f.
 *
 * A transfer runs when the device asks for it: single, block and demand modes differ only in who
 * may use the bus between, which cannot be seen here. The mode's transfer type must agree with
 * what the device does; a verify transfer counts without touching memory. Memory-to-memory and the
 * software request of a channel do nothing on this board (no device answers them).
 *
 * Thread: device lock held. */

#include "pc/i8237.h"

enum {
    COMMAND_DISABLE = 0x04,
    MODE_TRANSFER = 0x0c,
    MODE_VERIFY = 0x00,
    MODE_TO_MEMORY = 0x04,
    MODE_FROM_MEMORY = 0x08,
    MODE_AUTO_INIT = 0x10,
    MODE_DECREMENT = 0x20,
    MODE_SELECT = 0xc0,
    MODE_CASCADE = 0xc0,
};

/* Registers after the eight address and count ones. */
enum {
    REG_STATUS_COMMAND = 8,
    REG_REQUEST = 9,
    REG_SINGLE_MASK = 10,
    REG_MODE = 11,
    REG_CLEAR_FLIP_FLOP = 12,
    REG_TEMPORARY_CLEAR = 13,
    REG_CLEAR_MASK = 14,
    REG_ALL_MASK = 15,
};

typedef struct Channel {
    uint16_t base_address, base_count;
    uint16_t address, count;
    uint8_t mode;
} Channel;

typedef struct Controller {
    Channel channels[4];
    uint8_t command, mask, requests, software_requests, terminal_counts;
    bool flip_flop; /* the high byte is next */
} Controller;

typedef struct I8237 {
    VitDevice dev;
    Controller controllers[2];
    uint8_t pages[16]; /* ports 0x80..0x8f; those without a channel are plain memory */
    VitRegion low_ports, high_ports, page_ports;
} I8237;

VIT_DEVICE_LAYOUT(I8237)

/* Page register of each channel; 4 is the cascade and its register serves refresh. */
static const uint8_t page_of_channel[8] = { 0x7, 0x3, 0x1, 0x2, 0xf, 0xb, 0x9, 0xa };

/* ---- Registers ---- */

static void
store_byte(uint16_t *word, bool high, uint8_t value)
{
    *word = high ? (*word & 0x00ff) | value << 8 : (*word & 0xff00) | value;
}

static void
master_clear(Controller *c)
{
    c->command = c->requests = c->software_requests = c->terminal_counts = 0;
    c->flip_flop = false;
    c->mask = 0x0f;
}

static void
controller_write(Controller *c, unsigned reg, uint8_t value)
{
    Channel *channel = &c->channels[reg >> 1 & 3];

    switch (reg) {
    case 0 ... 7:
        if (reg & 1) {
            store_byte(&channel->base_count, c->flip_flop, value);
            channel->count = channel->base_count;
        } else {
            store_byte(&channel->base_address, c->flip_flop, value);
            channel->address = channel->base_address;
        }
        c->flip_flop = !c->flip_flop;
        break;
    case REG_STATUS_COMMAND: c->command = value; break;
    case REG_REQUEST:
        if (value & 4) {
            c->software_requests |= 1u << (value & 3);
        } else {
            c->software_requests &= ~(1u << (value & 3));
        }
        break;
    case REG_SINGLE_MASK:
        if (value & 4) {
            c->mask |= 1u << (value & 3);
        } else {
            c->mask &= ~(1u << (value & 3));
        }
        break;
    case REG_MODE: c->channels[value & 3].mode = value & 0xfc; break;
    case REG_CLEAR_FLIP_FLOP: c->flip_flop = false; break;
    case REG_TEMPORARY_CLEAR: master_clear(c); break;
    case REG_CLEAR_MASK: c->mask = 0; break;
    case REG_ALL_MASK: c->mask = value & 0x0f; break;
    }
}

static uint8_t
controller_read(Controller *c, unsigned reg)
{
    const Channel *channel = &c->channels[reg >> 1 & 3];
    uint16_t word;
    uint8_t value;

    switch (reg) {
    case 0 ... 7:
        word = reg & 1 ? channel->count : channel->address;
        value = c->flip_flop ? word >> 8 : word;
        c->flip_flop = !c->flip_flop;
        return value;
    case REG_STATUS_COMMAND:
        value = (c->requests | c->software_requests) << 4 | c->terminal_counts;
        c->terminal_counts = 0;
        return value;
    case REG_ALL_MASK: return c->mask; /* readable on PC chipsets */
    default: return 0;                 /* write only, and the temporary register */
    }
}

static uint64_t
low_read(void *opaque, uint64_t offset, unsigned size)
{
    return controller_read(&((I8237 *)opaque)->controllers[0], offset);
}

static void
low_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    controller_write(&((I8237 *)opaque)->controllers[0], offset, value);
}

static uint64_t
high_read(void *opaque, uint64_t offset, unsigned size)
{
    return controller_read(&((I8237 *)opaque)->controllers[1], offset >> 1);
}

static void
high_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    controller_write(&((I8237 *)opaque)->controllers[1], offset >> 1, value);
}

static uint64_t
page_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((I8237 *)opaque)->pages[offset + 1];
}

static void
page_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    ((I8237 *)opaque)->pages[offset + 1] = value;
}

static const VitRegionOps low_ops = { low_read, low_write, 1, 1 };
static const VitRegionOps high_ops = { high_read, high_write, 1, 1 };
static const VitRegionOps page_ops = { page_read, page_write, 1, 1 };

/* ---- Transfers ---- */

/* Guest physical address of the channel's next unit. */
static uint32_t
channel_address(const I8237 *s, unsigned n)
{
    uint8_t page = s->pages[page_of_channel[n]];
    uint16_t address = s->controllers[n / 4].channels[n % 4].address;

    return n < 4 ? page << 16 | address : (page & 0xfe) << 16 | address << 1;
}

static void
end_of_process(Controller *c, unsigned n)
{
    Channel *channel = &c->channels[n];

    c->terminal_counts |= 1u << n;
    c->software_requests &= ~(1u << n);
    if (channel->mode & MODE_AUTO_INIT) {
        channel->address = channel->base_address;
        channel->count = channel->base_count;
    } else {
        c->mask |= 1u << n;
    }
}

/* Moves one unit of UNIT bytes and steps the channel; true at terminal count. */
static bool
transfer_unit(I8237 *s, unsigned n, uint8_t *buf, unsigned unit)
{
    Controller *c = &s->controllers[n / 4];
    Channel *channel = &c->channels[n % 4];
    VitAddressSpace *memory = s->dev.platform->memory;
    uint32_t address = channel_address(s, n);

    switch (channel->mode & MODE_TRANSFER) {
    case MODE_TO_MEMORY: vit_address_space_write_bytes(memory, address, buf, unit); break;
    case MODE_FROM_MEMORY: vit_address_space_read_bytes(memory, address, buf, unit); break;
    default: break;
    }
    channel->address += channel->mode & MODE_DECREMENT ? -1 : 1;
    if (channel->count-- != 0) {
        return false;
    }
    end_of_process(c, n % 4);
    return true;
}

/* Moves as many bytes as lie in one run of upward addresses; 0 when the slow way is needed. */
static size_t
transfer_run(I8237 *s, unsigned n, uint8_t *buf, size_t len, bool *out_tc)
{
    Controller *c = &s->controllers[n / 4];
    Channel *channel = &c->channels[n % 4];
    VitAddressSpace *memory = s->dev.platform->memory;
    unsigned shift = n / 4;
    uint32_t units = MIN(MIN(len >> shift, channel->count + 1u), 0x10000u - channel->address);
    uint32_t address = channel_address(s, n);

    if ((channel->mode & MODE_DECREMENT) || units == 0) {
        return 0;
    }
    switch (channel->mode & MODE_TRANSFER) {
    case MODE_TO_MEMORY: vit_address_space_write_bytes(memory, address, buf, units << shift); break;
    case MODE_FROM_MEMORY:
        vit_address_space_read_bytes(memory, address, buf, units << shift);
        break;
    default: break;
    }
    channel->address += units;
    if (units == channel->count + 1u) {
        channel->count = 0xffff;
        end_of_process(c, n % 4);
        *out_tc = true;
    } else {
        channel->count -= units;
    }
    return (size_t)units << shift;
}

static bool
may_transfer(I8237 *s, unsigned n, bool read_memory)
{
    const Controller *c = &s->controllers[n / 4];
    uint8_t mode = c->channels[n % 4].mode, type = mode & MODE_TRANSFER;

    if ((c->command & COMMAND_DISABLE) || (c->mask >> n % 4 & 1) ||
        (mode & MODE_SELECT) == MODE_CASCADE) {
        return false;
    }
    if (n < 4 && (s->controllers[1].command & COMMAND_DISABLE)) {
        return false; /* the low controller reaches the bus through the high one */
    }
    if (type != MODE_VERIFY && type != (read_memory ? MODE_FROM_MEMORY : MODE_TO_MEMORY)) {
        vit_guest_error(&s->dev, "channel %u has mode 0x%02x, its device wants to %s memory", n,
                        mode, read_memory ? "read" : "write");
        return false;
    }
    return true;
}

static size_t
dma_transfer(void *opaque, unsigned channel, void *buf, size_t len, bool read_memory, bool *out_tc)
{
    I8237 *s = opaque;
    unsigned unit;
    size_t done = 0;

    *out_tc = false;
    if (channel > 7 || !may_transfer(s, channel, read_memory)) {
        return 0;
    }
    unit = channel < 4 ? 1 : 2;
    while (!*out_tc && len - done >= unit) {
        uint8_t *at = (uint8_t *)buf + done;
        size_t moved = transfer_run(s, channel, at, len - done, out_tc);

        if (moved == 0) {
            *out_tc = transfer_unit(s, channel, at, unit);
            moved = unit;
        }
        done += moved;
    }
    return done;
}

static void
dma_set_request(void *opaque, unsigned channel, bool level)
{
    I8237 *s = opaque;
    Controller *c;

    if (channel > 7) {
        return;
    }
    c = &s->controllers[channel / 4];
    c->requests = level ? c->requests | 1u << channel % 4 : c->requests & ~(1u << channel % 4);
}

static const VitIsaDmaOps dma_ops = { dma_set_request, dma_transfer };

void
vit_i8237_get_channel(const VitDevice *dev, unsigned channel, VitDmaChannelInfo *out)
{
    const I8237 *s = (const I8237 *)dev;
    unsigned n = channel & 7;
    const Controller *c = &s->controllers[n / 4];

    *out = (VitDmaChannelInfo){
        .address = channel_address(s, n),
        .left_bytes = (c->channels[n % 4].count + 1u) << n / 4,
        .mode = c->channels[n % 4].mode,
        .masked = c->mask >> n % 4 & 1,
        .requested = c->requests >> n % 4 & 1,
        .at_terminal_count = c->terminal_counts >> n % 4 & 1,
    };
}

/* ---- The device ---- */

static void
i8237_reset(VitDevice *dev)
{
    I8237 *s = (I8237 *)dev;

    for (unsigned i = 0; i < 2; i++) {
        s->controllers[i] = (Controller){ .mask = 0x0f };
    }
    for (unsigned i = 0; i < VIT_ARRAY_LEN(s->pages); i++) {
        s->pages[i] = 0;
    }
}

static bool
i8237_realize(VitDevice *dev, GError **error)
{
    I8237 *s = (I8237 *)dev;
    VitIsaBus *bus = vit_isa_bus(dev);

    vit_region_init_io(&s->low_ports, "dma-low", &low_ops, s, 16);
    vit_region_init_io(&s->high_ports, "dma-high", &high_ops, s, 32);
    vit_region_init_io(&s->page_ports, "dma-page", &page_ops, s, 15);
    vit_isa_map_ports(dev, 0x00, &s->low_ports);
    vit_isa_map_ports(dev, 0xc0, &s->high_ports);
    vit_isa_map_ports(dev, 0x81, &s->page_ports);
    bus->dma = &dma_ops;
    bus->dma_opaque = s;
    return true;
}

static void
i8237_unrealize(VitDevice *dev)
{
    I8237 *s = (I8237 *)dev;
    VitIsaBus *bus = vit_isa_bus(dev);

    if (bus->dma_opaque == s) {
        bus->dma = NULL;
        bus->dma_opaque = NULL;
    }
    vit_region_finish(&s->low_ports);
    vit_region_finish(&s->high_ports);
    vit_region_finish(&s->page_ports);
}

static const VitField channel_state[] = {
    VIT_FIELD(Channel, base_address), VIT_FIELD(Channel, base_count), VIT_FIELD(Channel, address),
    VIT_FIELD(Channel, count),        VIT_FIELD(Channel, mode),       { 0 },
};

static const VitField controller_state[] = {
    VIT_FIELD_STRUCTS(Controller, channels, channel_state),
    VIT_FIELD(Controller, command),
    VIT_FIELD(Controller, mask),
    VIT_FIELD(Controller, requests),
    VIT_FIELD(Controller, software_requests),
    VIT_FIELD(Controller, terminal_counts),
    VIT_FIELD(Controller, flip_flop),
    { 0 },
};

static const VitField i8237_state[] = {
    VIT_FIELD_STRUCTS(I8237, controllers, controller_state),
    VIT_FIELD_ARRAY(I8237, pages),
    VIT_TRANSIENT(I8237, low_ports), /* mapped by realize */
    VIT_TRANSIENT(I8237, high_ports),
    VIT_TRANSIENT(I8237, page_ports),
    { 0 },
};

static const char *const i8237_aliases[] = { "i8237", NULL };

const VitDeviceKind vit_i8257_kind = {
    .name = "i8257",
    .aliases = i8237_aliases,
    .title = VIT_N_("ISA DMA controllers (8237A pair)"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_MISC,
    VIT_DEVICE_SIZE(I8237, VitDevice),
    .internal = true,
    .state = i8237_state,
    .state_version = 1,
    .realize = i8237_realize,
    .unrealize = i8237_unrealize,
    .reset = i8237_reset,
};
