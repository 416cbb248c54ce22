/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* PS/2 mouse: standard, with wheel (IntelliMouse), with wheel and five buttons. IBM PS/2 Hardware
 * Interface Technical Reference, "Auxiliary device"; Microsoft's IntelliMouse extensions as
 * published for driver writers (the sample-rate knocks 200-100-80 and 200-200-80).
 *
 * Reports are paced by the guest: while one waits, movement adds up. Sample rate and resolution
 * are kept and reported and have no other effect.
 *
 * Thread: device lock held. */

#include "input/ps2.h"
#include "vit-input-hub.h"

enum {
    COMMAND_SCALE_1 = 0xe6,
    COMMAND_SCALE_2 = 0xe7,
    COMMAND_RESOLUTION = 0xe8,
    COMMAND_STATUS = 0xe9,
    COMMAND_STREAM = 0xea,
    COMMAND_READ = 0xeb,
    COMMAND_UNWRAP = 0xec,
    COMMAND_WRAP = 0xee,
    COMMAND_REMOTE = 0xf0,
    COMMAND_ID = 0xf2,
    COMMAND_RATE = 0xf3,
    COMMAND_ENABLE = 0xf4,
    COMMAND_DISABLE = 0xf5,
    COMMAND_DEFAULTS = 0xf6,
    COMMAND_RESEND = 0xfe,
    COMMAND_RESET = 0xff,

    TYPE_STANDARD = 0,
    TYPE_WHEEL = 3,
    TYPE_FIVE_BUTTONS = 4,

    BUTTON_LEFT = 1,
    BUTTON_RIGHT = 2,
    BUTTON_MIDDLE = 4,
    BUTTON_SIDE = 8,
    BUTTON_EXTRA = 16,
};

/* Most that one report can say. */
enum { DELTA_MAX = 255, MOVED_MAX = 1 << 20 };

typedef struct Mouse {
    VitPs2 ps2;
    uint8_t type, rate, resolution;
    uint8_t command; /* waits for its operand; 0 = none */
    uint8_t knocks;  /* sample rates seen of a knock sequence */
    bool reporting, remote, wrap, scale_2;
    uint8_t buttons, reported_buttons;
    int32_t dx, dy, dz; /* not yet reported; y grows upwards, z downwards */
    VitInputHandler handler;
} Mouse;

VIT_DEVICE_LAYOUT(Mouse)

/* ---- Reports ---- */

static bool
has_news(const Mouse *s)
{
    return s->dx || s->dy || s->dz || s->buttons != s->reported_buttons;
}

/* Takes what fits in a report out of *MOVED. */
static int
take_delta(int32_t *moved, int max)
{
    int part = CLAMP(*moved, -max, max);

    *moved -= part;
    return part;
}

/* 2:1 scaling of the datasheet: small movements slower, large ones twice. */
static int
scale_delta(const Mouse *s, int delta)
{
    static const uint8_t small[6] = { 0, 1, 1, 3, 6, 9 };
    int size = ABS(delta);

    if (!s->scale_2 || s->remote) {
        return delta;
    }
    size = size < 6 ? small[size] : MIN(size * 2, DELTA_MAX);
    return delta < 0 ? -size : size;
}

static unsigned
make_report(Mouse *s, uint8_t report[4])
{
    int dx = scale_delta(s, take_delta(&s->dx, DELTA_MAX));
    int dy = scale_delta(s, take_delta(&s->dy, DELTA_MAX));
    int dz = take_delta(&s->dz, s->type == TYPE_WHEEL ? 127 : 7);

    report[0] = 0x08 | (s->buttons & 7) | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0);
    report[1] = dx;
    report[2] = dy;
    s->reported_buttons = s->buttons;
    switch (s->type) {
    case TYPE_WHEEL: report[3] = dz; return 4;
    case TYPE_FIVE_BUTTONS:
        report[3] = (dz & 15) | (s->buttons & (BUTTON_SIDE | BUTTON_EXTRA)) << 1;
        return 4;
    default: return 3;
    }
}

/* Sends what has happened, unless a report still waits. */
static void
report_news(Mouse *s)
{
    uint8_t report[4];
    unsigned count;

    if (!s->reporting || s->remote || s->wrap || s->ps2.report_count > 4 || !has_news(s)) {
        return;
    }
    count = make_report(s, report);
    vit_ps2_report(&s->ps2, report, count);
}

static void
mouse_drained(VitDevice *dev)
{
    report_news((Mouse *)dev);
}

/* ---- Input ---- */

static int32_t
add_moved(int32_t moved, int delta)
{
    return CLAMP((int64_t)moved + delta, -MOVED_MAX, MOVED_MAX);
}

static bool
is_listening(const Mouse *s)
{
    return s->reporting || s->remote;
}

static void
mouse_relative(void *opaque, int dx, int dy)
{
    Mouse *s = opaque;

    if (is_listening(s)) {
        s->dx = add_moved(s->dx, dx);
        s->dy = add_moved(s->dy, dy == INT_MIN ? INT_MAX : -dy);
    }
}

static void
mouse_button(void *opaque, VitInputButton button, bool down)
{
    static const uint8_t bits[VIT_BUTTON_LAST] = {
        [VIT_BUTTON_LEFT] = BUTTON_LEFT,   [VIT_BUTTON_MIDDLE] = BUTTON_MIDDLE,
        [VIT_BUTTON_RIGHT] = BUTTON_RIGHT, [VIT_BUTTON_SIDE] = BUTTON_SIDE,
        [VIT_BUTTON_EXTRA] = BUTTON_EXTRA,
    };
    Mouse *s = opaque;

    if (button == VIT_BUTTON_WHEEL_UP || button == VIT_BUTTON_WHEEL_DOWN) {
        if (down && is_listening(s) && s->type != TYPE_STANDARD) {
            s->dz = add_moved(s->dz, button == VIT_BUTTON_WHEEL_UP ? -1 : 1);
        }
        return;
    }
    s->buttons = down ? s->buttons | bits[button] : s->buttons & ~bits[button];
}

static void
mouse_sync(void *opaque)
{
    report_news(opaque);
}

/* ---- Commands ---- */

static void
forget_movement(Mouse *s)
{
    s->dx = s->dy = s->dz = 0;
    s->reported_buttons = s->buttons;
}

static void
set_defaults(Mouse *s)
{
    s->rate = 100;
    s->resolution = 2;
    s->scale_2 = s->remote = s->reporting = false;
    s->knocks = 0;
    vit_ps2_drop_reports(&s->ps2);
    forget_movement(s);
}

static void
note_rate(Mouse *s, uint8_t rate)
{
    s->rate = rate;
    /* 200 opens a knock, the second rate says which, 80 ends it */
    if (s->knocks == 1 && (rate == 100 || rate == 200)) {
        s->knocks = rate == 100 ? 2 : 3;
    } else if (s->knocks >= 2 && rate == 80) {
        s->type = s->knocks == 2 ? TYPE_WHEEL : TYPE_FIVE_BUTTONS;
        s->knocks = 0;
    } else {
        s->knocks = rate == 200 ? 1 : 0;
    }
}

static void
answer_status(Mouse *s)
{
    vit_ps2_answer(&s->ps2, VIT_PS2_ACK);
    vit_ps2_answer(&s->ps2, (s->remote ? 0x40 : 0) | (s->reporting ? 0x20 : 0) |
                                (s->scale_2 ? 0x10 : 0) | (s->buttons & BUTTON_LEFT ? 4 : 0) |
                                (s->buttons & BUTTON_MIDDLE ? 2 : 0) |
                                (s->buttons & BUTTON_RIGHT ? 1 : 0));
    vit_ps2_answer(&s->ps2, s->resolution);
    vit_ps2_answer(&s->ps2, s->rate);
}

static void
answer_read(Mouse *s)
{
    uint8_t report[4];
    unsigned count = make_report(s, report);

    vit_ps2_answer(&s->ps2, VIT_PS2_ACK);
    for (unsigned i = 0; i < count; i++) {
        vit_ps2_answer(&s->ps2, report[i]);
    }
}

static void
reset_mouse(Mouse *s)
{
    set_defaults(s);
    s->type = TYPE_STANDARD;
    s->command = 0;
    s->wrap = false;
    vit_ps2_clear(&s->ps2);
}

static void
receive_command(Mouse *s, uint8_t command)
{
    switch (command) {
    case COMMAND_SCALE_1: s->scale_2 = false; break;
    case COMMAND_SCALE_2: s->scale_2 = true; break;
    case COMMAND_RESOLUTION:
    case COMMAND_RATE: s->command = command; break;
    case COMMAND_STATUS: answer_status(s); return;
    case COMMAND_STREAM: s->remote = false; break;
    case COMMAND_READ: answer_read(s); return;
    case COMMAND_UNWRAP: break;
    case COMMAND_WRAP: s->wrap = true; break;
    case COMMAND_REMOTE: s->remote = true; break;
    case COMMAND_ID:
        vit_ps2_answer(&s->ps2, VIT_PS2_ACK);
        vit_ps2_answer(&s->ps2, s->type);
        return;
    case COMMAND_ENABLE:
        s->reporting = true;
        forget_movement(s);
        break;
    case COMMAND_DISABLE: s->reporting = false; break;
    case COMMAND_DEFAULTS: set_defaults(s); break;
    case COMMAND_RESEND: vit_ps2_resend(&s->ps2); return;
    case COMMAND_RESET:
        reset_mouse(s);
        vit_ps2_answer(&s->ps2, VIT_PS2_ACK);
        vit_ps2_answer(&s->ps2, VIT_PS2_SELF_TEST_PASSED);
        vit_ps2_answer(&s->ps2, TYPE_STANDARD);
        return;
    default: vit_ps2_answer(&s->ps2, VIT_PS2_RESEND); return;
    }
    vit_ps2_answer(&s->ps2, VIT_PS2_ACK);
}

static void
mouse_receive(VitDevice *dev, uint8_t byte)
{
    Mouse *s = (Mouse *)dev;
    uint8_t command = s->command;

    if (s->wrap) {
        if (byte == COMMAND_UNWRAP || byte == COMMAND_RESET) {
            s->wrap = false;
        } else {
            vit_ps2_answer(&s->ps2, byte);
            return;
        }
    }
    s->command = 0;
    switch (command) {
    case COMMAND_RATE:
        note_rate(s, byte);
        vit_ps2_answer(&s->ps2, VIT_PS2_ACK);
        break;
    case COMMAND_RESOLUTION:
        s->resolution = byte & 3;
        vit_ps2_answer(&s->ps2, VIT_PS2_ACK);
        break;
    default: receive_command(s, byte); break;
    }
}

/* ---- The device ---- */

static void
mouse_reset(VitDevice *dev)
{
    reset_mouse((Mouse *)dev);
}

static bool
mouse_realize(VitDevice *dev, GError **error)
{
    Mouse *s = (Mouse *)dev;

    s->ps2.receive = mouse_receive;
    s->ps2.drained = mouse_drained;
    s->handler = (VitInputHandler){
        .name = "PS/2 mouse",
        .relative = mouse_relative,
        .button = mouse_button,
        .sync = mouse_sync,
        .opaque = s,
    };
    if (dev->platform->input) {
        vit_input_hub_add(dev->platform->input, &s->handler);
    }
    return true;
}

static void
mouse_unrealize(VitDevice *dev)
{
    if (dev->platform->input) {
        vit_input_hub_remove(dev->platform->input, &((Mouse *)dev)->handler);
    }
}

static bool
mouse_post_load(VitDevice *dev, unsigned version, GError **error)
{
    Mouse *s = (Mouse *)dev;

    vit_ps2_loaded(&s->ps2);
    s->dx = add_moved(s->dx, 0);
    s->dy = add_moved(s->dy, 0);
    s->dz = add_moved(s->dz, 0);
    return true;
}

static const VitField mouse_state[] = {
    VIT_FIELD_NESTED(Mouse, ps2, vit_ps2_state),
    VIT_FIELD(Mouse, type),
    VIT_FIELD(Mouse, rate),
    VIT_FIELD(Mouse, resolution),
    VIT_FIELD(Mouse, command),
    VIT_FIELD(Mouse, knocks),
    VIT_FIELD(Mouse, reporting),
    VIT_FIELD(Mouse, remote),
    VIT_FIELD(Mouse, wrap),
    VIT_FIELD(Mouse, scale_2),
    VIT_FIELD(Mouse, buttons),
    VIT_FIELD(Mouse, reported_buttons),
    VIT_FIELD(Mouse, dx),
    VIT_FIELD(Mouse, dy),
    VIT_FIELD(Mouse, dz),
    VIT_TRANSIENT(Mouse, handler), /* given to the hub by realize */
    { 0 },
};

const VitDeviceKind vit_ps2_mouse_kind = {
    .name = "ps2-mouse",
    .title = VIT_N_("PS/2 mouse"),
    .bus = VIT_BUS_NONE,
    .category = VIT_CATEGORY_INPUT,
    VIT_DEVICE_SIZE(Mouse, VitDevice),
    .internal = true,
    .state = mouse_state,
    .state_version = 1,
    .n_irq_out = 1,
    .realize = mouse_realize,
    .unrealize = mouse_unrealize,
    .reset = mouse_reset,
    .post_load = mouse_post_load,
};
