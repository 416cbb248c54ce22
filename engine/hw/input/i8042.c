/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* 8042 keyboard and auxiliary device controller at ports 0x60 and 0x64. IBM PS/2 Hardware Interface
 * Technical Reference, "Keyboard and auxiliary device controller"; IBM PC/AT Technical Reference
 * for the output port (A20, reset) and the translation of scan code set 2.
 *
 * The output buffer holds one byte. After the guest has read it the next byte of a device comes a
 * little later, as over the serial cable: handlers that read port 0x60 twice rely on it. Answers of
 * the controller itself come at once. The password, the keyboard lock and the controller's
 * diagnostic dump are not there.
 *
 * Thread: device lock held. */

#include "input/i8042.h"

#include "input/ps2.h"
#include "vit-isa.h"

enum {
    STATUS_OUTPUT_FULL = 0x01,
    STATUS_SYSTEM = 0x04,
    STATUS_COMMAND = 0x08,
    STATUS_UNLOCKED = 0x10,
    STATUS_AUX = 0x20,

    MODE_KBD_INT = 0x01,
    MODE_AUX_INT = 0x02,
    MODE_SYSTEM = 0x04,
    MODE_KBD_OFF = 0x10,
    MODE_AUX_OFF = 0x20,
    MODE_TRANSLATE = 0x40,

    PORT_NOT_RESET = 0x01,
    PORT_A20 = 0x02,
    PORT_KBD_FULL = 0x10,
    PORT_AUX_FULL = 0x20,
    PORT_IDLE = 0xcc, /* the serial lines at rest and the unused pins */
};

enum {
    COMMAND_READ_RAM = 0x20,
    COMMAND_WRITE_RAM = 0x60,
    COMMAND_TEST_PASSWORD = 0xa4,
    COMMAND_AUX_OFF = 0xa7,
    COMMAND_AUX_ON = 0xa8,
    COMMAND_AUX_TEST = 0xa9,
    COMMAND_SELF_TEST = 0xaa,
    COMMAND_KBD_TEST = 0xab,
    COMMAND_KBD_OFF = 0xad,
    COMMAND_KBD_ON = 0xae,
    COMMAND_READ_INPUT = 0xc0,
    COMMAND_READ_OUTPUT = 0xd0,
    COMMAND_WRITE_OUTPUT = 0xd1,
    COMMAND_WRITE_KBD_BUFFER = 0xd2,
    COMMAND_WRITE_AUX_BUFFER = 0xd3,
    COMMAND_WRITE_AUX = 0xd4,
    COMMAND_A20_OFF = 0xdd,
    COMMAND_A20_ON = 0xdf,
    COMMAND_READ_TEST = 0xe0,
    COMMAND_PULSE = 0xf0,
    RAM_BYTES = 32,
};

#define BYTE_NS          300000
#define THROTTLE_BYTE_NS 1000000

typedef struct I8042 {
    VitDevice dev;
    /* properties */
    bool throttle;
    uint8_t kbd_irq, aux_irq;

    uint8_t ram[RAM_BYTES]; /* 0 is the mode ("command byte") */
    uint8_t status;
    uint8_t output_port;
    uint8_t output;  /* the output buffer, readable also when empty */
    uint8_t command; /* waits for its byte at port 0x60; 0 = none */
    uint8_t answer;  /* of the controller, waits for the buffer */
    bool has_answer, answer_is_aux;
    bool output_is_answer; /* a newer answer takes its place, a device's byte is read first */
    bool break_prefix;     /* translation: 0xf0 was swallowed */
    bool irq_level[2];
    int64_t next_byte_ns; /* devices' bytes do not come before */
    VitTimer timer;

    VitDevice *kbd, *aux;
    bool refilling; /* taking a byte makes the device speak up again */
    VitRegion data_port, command_port;
} I8042;

VIT_DEVICE_LAYOUT(I8042)

/* Set 2 to set 1, as the controller's ROM has it. */
static const uint8_t translation[128] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

static uint8_t
mode(const I8042 *s)
{
    return s->ram[0];
}

/* ---- Output buffer ---- */

static void
set_irq(I8042 *s, unsigned which, bool level)
{
    VitIrq line = vit_isa_irq(&s->dev, which ? s->aux_irq : s->kbd_irq);

    if (s->irq_level[which] != level) {
        s->irq_level[which] = level;
        vit_irq_set(&line, level);
    }
}

static void
update_irq(I8042 *s)
{
    bool full = s->status & STATUS_OUTPUT_FULL, is_aux = s->status & STATUS_AUX;

    set_irq(s, 0, full && !is_aux && (mode(s) & MODE_KBD_INT) && !(mode(s) & MODE_KBD_OFF));
    set_irq(s, 1, full && is_aux && (mode(s) & MODE_AUX_INT));
}

static void
fill_output(I8042 *s, uint8_t byte, bool is_aux)
{
    s->output = byte;
    s->status |= STATUS_OUTPUT_FULL;
    s->status = is_aux ? s->status | STATUS_AUX : s->status & ~STATUS_AUX;
    update_irq(s);
}

/* Translates a keyboard byte; false when it was a prefix that is swallowed. */
static bool
translate(I8042 *s, uint8_t *byte)
{
    if (!(mode(s) & MODE_TRANSLATE)) {
        return true;
    }
    if (*byte == 0xf0) {
        s->break_prefix = true;
        return false;
    }
    if (*byte < 0x80) {
        *byte = translation[*byte];
    } else if (*byte == 0x83) {
        *byte = 0x41; /* F7 */
    } else if (*byte == 0x84) {
        *byte = 0x54; /* Alt-Print */
    } else {
        s->break_prefix = false; /* answers and 0xe0, 0xe1 pass */
        return true;
    }
    if (s->break_prefix) {
        *byte |= 0x80;
        s->break_prefix = false;
    }
    return true;
}

static bool
kbd_has_data(const I8042 *s)
{
    return s->kbd && !(mode(s) & MODE_KBD_OFF) && vit_ps2_has_data(s->kbd);
}

static bool
aux_has_data(const I8042 *s)
{
    return s->aux && !(mode(s) & MODE_AUX_OFF) && vit_ps2_has_data(s->aux);
}

static void
take_device_byte(I8042 *s)
{
    while (kbd_has_data(s)) {
        uint8_t byte = vit_ps2_read(s->kbd);

        if (translate(s, &byte)) {
            fill_output(s, byte, false);
            return;
        }
    }
    if (aux_has_data(s)) {
        fill_output(s, vit_ps2_read(s->aux), true);
    }
}

/* Moves the next byte that waits into the empty buffer. */
static void
refill(I8042 *s)
{
    if ((s->status & STATUS_OUTPUT_FULL) || s->refilling) {
        return;
    }
    if (s->has_answer) {
        s->has_answer = false;
        s->output_is_answer = true;
        fill_output(s, s->answer, s->answer_is_aux);
        return;
    }
    s->output_is_answer = false;
    if (!kbd_has_data(s) && !aux_has_data(s)) {
        return;
    }
    if (vit_clock_get_ns(s->dev.platform->clock) < s->next_byte_ns) {
        vit_timer_mod(&s->timer, s->next_byte_ns);
        return;
    }
    s->refilling = true;
    take_device_byte(s);
    s->refilling = false;
}

static void
timer_expired(void *opaque)
{
    refill(opaque);
}

static void
answer(I8042 *s, uint8_t byte, bool is_aux)
{
    s->answer = byte;
    s->answer_is_aux = is_aux;
    s->has_answer = true;
    if (s->output_is_answer) {
        s->status &= ~STATUS_OUTPUT_FULL;
    }
    refill(s);
}

/* A device has a byte, or none any more. */
static void
i8042_irq_in(VitDevice *dev, int n, int level)
{
    if (level) {
        refill((I8042 *)dev);
    }
}

/* ---- Commands ---- */

static void
write_output_port(I8042 *s, uint8_t value)
{
    s->output_port = value;
    vit_platform_set_a20(s->dev.platform, value & PORT_A20);
    if (!(value & PORT_NOT_RESET)) {
        vit_platform_request_reset(s->dev.platform, VIT_CAUSE_GUEST_RESET);
    }
}

static uint8_t
read_output_port(const I8042 *s)
{
    uint8_t value = s->output_port & ~(PORT_KBD_FULL | PORT_AUX_FULL);

    if (s->status & STATUS_OUTPUT_FULL) {
        value |= s->status & STATUS_AUX ? PORT_AUX_FULL : PORT_KBD_FULL;
    }
    return value;
}

static void
set_mode(I8042 *s, uint8_t value)
{
    s->ram[0] = value;
    s->status = value & MODE_SYSTEM ? s->status | STATUS_SYSTEM : s->status & ~STATUS_SYSTEM;
    update_irq(s);
    refill(s);
}

static void
write_command(I8042 *s, uint8_t command)
{
    s->status |= STATUS_COMMAND;
    s->command = 0;
    switch (command) {
    case COMMAND_READ_RAM ... COMMAND_READ_RAM + RAM_BYTES - 1:
        answer(s, s->ram[command - COMMAND_READ_RAM], false);
        break;
    case COMMAND_WRITE_RAM ... COMMAND_WRITE_RAM + RAM_BYTES - 1:
    case COMMAND_WRITE_OUTPUT:
    case COMMAND_WRITE_KBD_BUFFER:
    case COMMAND_WRITE_AUX_BUFFER:
    case COMMAND_WRITE_AUX: s->command = command; break;
    case COMMAND_TEST_PASSWORD: answer(s, 0xf1, false); break; /* none installed */
    case COMMAND_AUX_OFF: set_mode(s, mode(s) | MODE_AUX_OFF); break;
    case COMMAND_AUX_ON: set_mode(s, mode(s) & ~MODE_AUX_OFF); break;
    case COMMAND_AUX_TEST:
    case COMMAND_KBD_TEST: answer(s, 0x00, false); break; /* lines in order */
    case COMMAND_SELF_TEST:
        s->status |= STATUS_SYSTEM;
        s->ram[0] |= MODE_SYSTEM;
        answer(s, 0x55, false);
        break;
    case COMMAND_KBD_OFF: set_mode(s, mode(s) | MODE_KBD_OFF); break;
    case COMMAND_KBD_ON: set_mode(s, mode(s) & ~MODE_KBD_OFF); break;
    case COMMAND_READ_INPUT: answer(s, 0x80, false); break; /* keyboard not locked */
    case COMMAND_READ_OUTPUT: answer(s, read_output_port(s), false); break;
    case COMMAND_A20_OFF: write_output_port(s, s->output_port & ~PORT_A20); break;
    case COMMAND_A20_ON: write_output_port(s, s->output_port | PORT_A20); break;
    case COMMAND_READ_TEST: answer(s, 0x00, false); break;
    case COMMAND_PULSE ... COMMAND_PULSE + 15:
        if (!(command & PORT_NOT_RESET)) {
            vit_platform_request_reset(s->dev.platform, VIT_CAUSE_GUEST_RESET);
        }
        break;
    default: vit_guest_error(&s->dev, "unknown controller command 0x%02x", command); break;
    }
}

static void
write_data(I8042 *s, uint8_t value)
{
    uint8_t command = s->command;

    s->status &= ~STATUS_COMMAND;
    s->command = 0;
    switch (command) {
    case 0:
        /* a byte for the keyboard also switches its interface on */
        s->ram[0] &= ~MODE_KBD_OFF;
        if (s->kbd) {
            vit_ps2_write(s->kbd, value);
        }
        refill(s);
        break;
    case COMMAND_WRITE_RAM: set_mode(s, value); break;
    case COMMAND_WRITE_OUTPUT: write_output_port(s, value); break;
    case COMMAND_WRITE_KBD_BUFFER: answer(s, value, false); break;
    case COMMAND_WRITE_AUX_BUFFER: answer(s, value, true); break;
    case COMMAND_WRITE_AUX:
        s->ram[0] &= ~MODE_AUX_OFF;
        if (s->aux) {
            vit_ps2_write(s->aux, value);
        }
        refill(s);
        break;
    default: s->ram[command & (RAM_BYTES - 1)] = value; break;
    }
}

/* ---- Ports ---- */

static uint64_t
data_read(void *opaque, uint64_t offset, unsigned size)
{
    I8042 *s = opaque;
    uint8_t value = s->output;

    if (s->status & STATUS_OUTPUT_FULL) {
        s->status &= ~(STATUS_OUTPUT_FULL | STATUS_AUX);
        update_irq(s);
        s->next_byte_ns =
            vit_clock_get_ns(s->dev.platform->clock) + (s->throttle ? THROTTLE_BYTE_NS : BYTE_NS);
        refill(s);
    }
    return value;
}

static void
data_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    write_data(opaque, value);
}

static uint64_t
command_read(void *opaque, uint64_t offset, unsigned size)
{
    I8042 *s = opaque;

    /* A guest that counts its looks must not lose to the thread that runs timers. */
    if (vit_timer_is_armed(&s->timer)) {
        refill(s);
    }
    return s->status;
}

static void
command_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    write_command(opaque, value);
}

static const VitRegionOps data_ops = { data_read, data_write, 1, 1 };
static const VitRegionOps command_ops = { command_read, command_write, 1, 1 };

/* ---- The device ---- */

void
vit_i8042_attach(VitDevice *dev, VitDevice *keyboard, VitDevice *mouse)
{
    I8042 *s = (I8042 *)dev;

    s->kbd = keyboard;
    s->aux = mouse;
    if (keyboard) {
        vit_device_connect(keyboard, 0, vit_device_irq_in(dev, 0));
    }
    if (mouse) {
        vit_device_connect(mouse, 0, vit_device_irq_in(dev, 1));
    }
}

static void
i8042_reset(VitDevice *dev)
{
    I8042 *s = (I8042 *)dev;

    for (unsigned i = 0; i < RAM_BYTES; i++) {
        s->ram[i] = 0;
    }
    s->ram[0] = MODE_KBD_INT | MODE_AUX_INT;
    s->status = STATUS_COMMAND | STATUS_UNLOCKED;
    s->output_port = PORT_NOT_RESET | PORT_A20 | PORT_IDLE;
    s->output = s->command = s->answer = 0;
    s->has_answer = s->answer_is_aux = s->output_is_answer = s->break_prefix = false;
    s->next_byte_ns = 0;
    vit_timer_del(&s->timer);
    update_irq(s);
}

static bool
i8042_realize(VitDevice *dev, GError **error)
{
    I8042 *s = (I8042 *)dev;

    vit_timer_init(&s->timer, dev->platform->clock, timer_expired, s);
    vit_region_init_io(&s->data_port, "i8042-data", &data_ops, s, 1);
    vit_region_init_io(&s->command_port, "i8042-command", &command_ops, s, 1);
    vit_isa_map_ports(dev, 0x60, &s->data_port);
    vit_isa_map_ports(dev, 0x64, &s->command_port);
    return true;
}

static void
i8042_unrealize(VitDevice *dev)
{
    I8042 *s = (I8042 *)dev;

    vit_timer_del(&s->timer);
    vit_region_finish(&s->data_port);
    vit_region_finish(&s->command_port);
}

static bool
i8042_post_load(VitDevice *dev, unsigned version, GError **error)
{
    I8042 *s = (I8042 *)dev;
    int64_t latest = vit_clock_get_ns(dev->platform->clock) + THROTTLE_BYTE_NS;

    s->next_byte_ns = MIN(s->next_byte_ns, latest);
    return true;
}

static const VitProp i8042_props[] = {
    VIT_PROP_BOOL(I8042, throttle, "kbd-throttle", false,
                  VIT_N_("Hand bytes over at the pace of a slow cable")),
    VIT_PROP_UINT(I8042, kbd_irq, "kbd-irq", 1, 0, 15, VIT_N_("Interrupt line of the keyboard"),
                  .flags = VIT_PROP_HIDDEN),
    VIT_PROP_UINT(I8042, aux_irq, "mouse-irq", 12, 0, 15, VIT_N_("Interrupt line of the mouse"),
                  .flags = VIT_PROP_HIDDEN),
    { 0 },
};

static const VitField i8042_state[] = {
    VIT_FIELD_ARRAY(I8042, ram),
    VIT_FIELD(I8042, status),
    VIT_FIELD(I8042, output_port),
    VIT_FIELD(I8042, output),
    VIT_FIELD(I8042, command),
    VIT_FIELD(I8042, answer),
    VIT_FIELD(I8042, has_answer),
    VIT_FIELD(I8042, answer_is_aux),
    VIT_FIELD(I8042, output_is_answer),
    VIT_FIELD(I8042, break_prefix),
    VIT_FIELD_ARRAY(I8042, irq_level),
    VIT_FIELD(I8042, next_byte_ns),
    VIT_FIELD_TIMER(I8042, timer),
    /* wired by the board */
    VIT_TRANSIENT(I8042, kbd),
    VIT_TRANSIENT(I8042, aux),
    /* false between calls */
    VIT_TRANSIENT(I8042, refilling),
    /* mapped by realize */
    VIT_TRANSIENT(I8042, data_port),
    VIT_TRANSIENT(I8042, command_port),
    { 0 },
};

const VitDeviceKind vit_i8042_kind = {
    .name = "i8042",
    .title = VIT_N_("Keyboard controller"),
    .bus = VIT_BUS_ISA,
    .category = VIT_CATEGORY_INPUT,
    VIT_DEVICE_SIZE(I8042, VitDevice),
    .internal = true,
    .props = i8042_props,
    .state = i8042_state,
    .state_version = 1,
    .n_irq_in = 2,
    .realize = i8042_realize,
    .unrealize = i8042_unrealize,
    .reset = i8042_reset,
    .irq_in = i8042_irq_in,
    .post_load = i8042_post_load,
};
