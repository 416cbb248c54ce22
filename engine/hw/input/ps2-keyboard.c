/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* PS/2 keyboard with scan code sets 1, 2 and 3. IBM PS/2 Hardware Interface Technical Reference,
 * "Keyboards (101- and 102-key)": commands, typematic, sequences of Print and Pause.
 *
 * Typematic repeats are made here, as on the real thing, and only while the guest keeps up. The
 * self test takes no time. Set 3's choice of key types is accepted and all keys stay typematic
 * make/break. The extra shift codes around the grey keys under Num Lock are not sent.
 *
 * Thread: device lock held. */

#include "input/ps2.h"
#include "vit-input-hub.h"

#include <linux/input-event-codes.h>

enum {
    COMMAND_LEDS = 0xed,
    COMMAND_ECHO = 0xee,
    COMMAND_SCAN_SET = 0xf0,
    COMMAND_ID = 0xf2,
    COMMAND_RATE = 0xf3,
    COMMAND_ENABLE = 0xf4,
    COMMAND_DISABLE = 0xf5,
    COMMAND_DEFAULTS = 0xf6,
    COMMAND_ALL_TYPES_FIRST = 0xf7,
    COMMAND_ALL_TYPES_LAST = 0xfa,
    COMMAND_KEY_TYPE_FIRST = 0xfb,
    COMMAND_KEY_TYPE_LAST = 0xfd,
    COMMAND_RESEND = 0xfe,
    COMMAND_RESET = 0xff,
    FIRST_COMMAND = 0xed,
    DEFAULT_RATE = 0x2b, /* 10.9 characters a second after half a second */
};

typedef struct Keyboard {
    VitPs2 ps2;
    uint8_t scan_set; /* 1..3 */
    uint8_t rate;
    uint8_t leds;
    uint8_t command; /* waits for its operand; 0 = none */
    bool scanning;
    bool ctrl[2], shift[2], alt[2]; /* left, right */
    bool print_was_alt;             /* Print went down as SysRq */
    uint16_t repeating_key;         /* 0 = none */
    VitTimer typematic;
    VitInputHandler handler;
} Keyboard;

VIT_DEVICE_LAYOUT(Keyboard)

/* ---- Scan codes ---- */

typedef struct Sequence {
    uint8_t bytes[8];
    unsigned count;
} Sequence;

static void
put(Sequence *seq, uint8_t byte)
{
    seq->bytes[seq->count++] = byte;
}

/* One key's code in the current set; CODE may carry 0xe000. */
static void
put_code(const Keyboard *s, Sequence *seq, uint16_t code, bool down)
{
    if (code >> 8) {
        put(seq, code >> 8);
    }
    if (s->scan_set == 1) {
        put(seq, down ? code & 0x7f : (code & 0x7f) | 0x80);
        return;
    }
    if (!down) {
        put(seq, 0xf0);
    }
    put(seq, code);
}

static void
put_print(const Keyboard *s, Sequence *seq, bool down, bool is_alt)
{
    bool first_set = s->scan_set == 1;
    uint16_t print = first_set ? 0xe037 : 0xe07c, shift = first_set ? 0xe02a : 0xe012;

    if (is_alt) {
        put_code(s, seq, first_set ? 0x54 : 0x84, down);
    } else if (s->ctrl[0] || s->ctrl[1] || s->shift[0] || s->shift[1]) {
        put_code(s, seq, print, down);
    } else if (down) {
        put_code(s, seq, shift, true);
        put_code(s, seq, print, true);
    } else {
        put_code(s, seq, print, false);
        put_code(s, seq, shift, false);
    }
}

/* Make and break in one; nothing comes when the key is let go. */
static void
put_pause(const Keyboard *s, Sequence *seq)
{
    bool first_set = s->scan_set == 1;

    if (s->ctrl[0] || s->ctrl[1]) {
        put_code(s, seq, first_set ? 0xe046 : 0xe07e, true);
        put_code(s, seq, first_set ? 0xe046 : 0xe07e, false);
        return;
    }
    for (int down = 1; down >= 0; down--) {
        put(seq, 0xe1);
        put_code(s, seq, first_set ? 0x1d : 0x14, down);
        put_code(s, seq, first_set ? 0x45 : 0x77, down);
    }
}

static void
encode_key(Keyboard *s, unsigned key_code, bool down, Sequence *seq)
{
    const VitKey *key = vit_key_find(key_code);
    uint16_t code;

    if (!key) {
        return;
    }
    if (s->scan_set == 3) {
        if (key->set3) {
            put_code(s, seq, key->set3, down);
        }
        return;
    }
    if (key_code == KEY_SYSRQ) {
        if (down) {
            s->print_was_alt = s->alt[0] || s->alt[1];
        }
        put_print(s, seq, down, s->print_was_alt);
        return;
    }
    if (key_code == KEY_PAUSE) {
        if (down) {
            put_pause(s, seq);
        }
        return;
    }
    code = s->scan_set == 1 ? key->set1 : key->set2;
    if (key->set2 == 0xf1 || key->set2 == 0xf2) {
        if (down) {
            put(seq, key->set2); /* Korean mode keys: one byte in any set, no release */
        }
        return;
    }
    if (code) {
        put_code(s, seq, code, down);
    }
}

/* ---- Keys and typematic ---- */

static int64_t
repeat_delay_ns(const Keyboard *s)
{
    return ((s->rate >> 5 & 3) + 1) * 250 * 1000000LL;
}

static int64_t
repeat_period_ns(const Keyboard *s)
{
    return (int64_t)(8 + (s->rate & 7)) * (1 << (s->rate >> 3 & 3)) * 4170000;
}

static void
stop_repeat(Keyboard *s)
{
    s->repeating_key = 0;
    vit_timer_del(&s->typematic);
}

static void
typematic_expired(void *opaque)
{
    Keyboard *s = opaque;
    Sequence seq = { 0 };

    if (s->ps2.report_count == 0) {
        encode_key(s, s->repeating_key, true, &seq);
        vit_ps2_report(&s->ps2, seq.bytes, seq.count);
    }
    vit_timer_mod(&s->typematic,
                  vit_clock_get_ns(s->ps2.dev.platform->clock) + repeat_period_ns(s));
}

static void
note_modifier(Keyboard *s, unsigned key_code, bool down)
{
    switch (key_code) {
    case KEY_LEFTCTRL: s->ctrl[0] = down; break;
    case KEY_RIGHTCTRL: s->ctrl[1] = down; break;
    case KEY_LEFTSHIFT: s->shift[0] = down; break;
    case KEY_RIGHTSHIFT: s->shift[1] = down; break;
    case KEY_LEFTALT: s->alt[0] = down; break;
    case KEY_RIGHTALT: s->alt[1] = down; break;
    default: break;
    }
}

static void
keyboard_key(void *opaque, unsigned key_code, bool down)
{
    Keyboard *s = opaque;
    Sequence seq = { 0 };

    if (s->scanning) {
        encode_key(s, key_code, down, &seq);
        if (seq.count && !vit_ps2_report(&s->ps2, seq.bytes, seq.count)) {
            vit_guest_error(&s->ps2.dev, "key %u %s lost: the guest does not read", key_code,
                            down ? "press" : "release");
        }
    }
    note_modifier(s, key_code, down);
    if (down && s->scanning && seq.count && key_code != KEY_PAUSE) {
        s->repeating_key = key_code;
        vit_timer_mod(&s->typematic,
                      vit_clock_get_ns(s->ps2.dev.platform->clock) + repeat_delay_ns(s));
    } else if (!down && key_code == s->repeating_key) {
        stop_repeat(s);
    }
}

/* ---- Commands ---- */

static void
set_leds(Keyboard *s, uint8_t leds)
{
    s->leds = leds & 7;
    if (s->ps2.dev.platform->input) {
        vit_input_set_leds(s->ps2.dev.platform->input, s->leds);
    }
}

static void
set_defaults(Keyboard *s)
{
    s->rate = DEFAULT_RATE;
    s->scan_set = 2;
    stop_repeat(s);
}

static void
receive_operand(Keyboard *s, uint8_t command, uint8_t value)
{
    switch (command) {
    case COMMAND_LEDS: set_leds(s, value); break;
    case COMMAND_RATE: s->rate = value & 0x7f; break;
    case COMMAND_SCAN_SET:
        if (value > 3) {
            vit_ps2_answer(&s->ps2, VIT_PS2_RESEND);
            return;
        }
        vit_ps2_answer(&s->ps2, VIT_PS2_ACK);
        if (value == 0) {
            vit_ps2_answer(&s->ps2, s->scan_set);
        } else {
            s->scan_set = value;
        }
        return;
    default: /* key types: a list of keys that the next command ends */ s->command = command; break;
    }
    vit_ps2_answer(&s->ps2, VIT_PS2_ACK);
}

static void
receive_command(Keyboard *s, uint8_t command)
{
    switch (command) {
    case COMMAND_LEDS:
    case COMMAND_RATE:
    case COMMAND_SCAN_SET:
    case COMMAND_KEY_TYPE_FIRST ... COMMAND_KEY_TYPE_LAST: s->command = command; break;
    case COMMAND_ECHO: vit_ps2_answer(&s->ps2, COMMAND_ECHO); return;
    case COMMAND_RESEND: vit_ps2_resend(&s->ps2); return;
    case COMMAND_ID:
        vit_ps2_answer(&s->ps2, VIT_PS2_ACK);
        vit_ps2_answer(&s->ps2, 0xab);
        vit_ps2_answer(&s->ps2, 0x83);
        return;
    case COMMAND_ENABLE: s->scanning = true; break;
    case COMMAND_DISABLE:
        set_defaults(s);
        s->scanning = false;
        vit_ps2_drop_reports(&s->ps2);
        break;
    case COMMAND_DEFAULTS:
        set_defaults(s);
        s->scanning = true;
        vit_ps2_drop_reports(&s->ps2);
        break;
    case COMMAND_ALL_TYPES_FIRST ... COMMAND_ALL_TYPES_LAST: break;
    case COMMAND_RESET:
        set_defaults(s);
        set_leds(s, 0);
        s->scanning = true;
        vit_ps2_clear(&s->ps2);
        vit_ps2_answer(&s->ps2, VIT_PS2_ACK);
        vit_ps2_answer(&s->ps2, VIT_PS2_SELF_TEST_PASSED);
        return;
    default: vit_ps2_answer(&s->ps2, VIT_PS2_RESEND); return;
    }
    vit_ps2_answer(&s->ps2, VIT_PS2_ACK);
}

static void
keyboard_receive(VitDevice *dev, uint8_t byte)
{
    Keyboard *s = (Keyboard *)dev;
    uint8_t command = s->command;

    s->command = 0;
    if (command && byte < FIRST_COMMAND) {
        receive_operand(s, command, byte);
    } else {
        receive_command(s, byte); /* also where a new command takes the place of an operand */
    }
}

/* ---- The device ---- */

static void
keyboard_reset(VitDevice *dev)
{
    Keyboard *s = (Keyboard *)dev;

    set_defaults(s);
    set_leds(s, 0);
    s->command = 0;
    s->scanning = true;
    vit_ps2_clear(&s->ps2);
}

static bool
keyboard_realize(VitDevice *dev, GError **error)
{
    Keyboard *s = (Keyboard *)dev;

    s->ps2.receive = keyboard_receive;
    vit_timer_init(&s->typematic, dev->platform->clock, typematic_expired, s);
    s->handler = (VitInputHandler){ .name = "PS/2 keyboard", .key = keyboard_key, .opaque = s };
    if (dev->platform->input) {
        vit_input_hub_add(dev->platform->input, &s->handler);
    }
    return true;
}

static void
keyboard_unrealize(VitDevice *dev)
{
    Keyboard *s = (Keyboard *)dev;

    if (dev->platform->input) {
        vit_input_hub_remove(dev->platform->input, &s->handler);
    }
    vit_timer_del(&s->typematic);
}

static bool
keyboard_post_load(VitDevice *dev, unsigned version, GError **error)
{
    Keyboard *s = (Keyboard *)dev;

    vit_ps2_loaded(&s->ps2);
    s->scan_set = CLAMP(s->scan_set, 1, 3);
    set_leds(s, s->leds);
    return true;
}

static const VitField keyboard_state[] = {
    VIT_FIELD_NESTED(Keyboard, ps2, vit_ps2_state),
    VIT_FIELD(Keyboard, scan_set),
    VIT_FIELD(Keyboard, rate),
    VIT_FIELD(Keyboard, leds),
    VIT_FIELD(Keyboard, command),
    VIT_FIELD(Keyboard, scanning),
    VIT_FIELD_ARRAY(Keyboard, ctrl),
    VIT_FIELD_ARRAY(Keyboard, shift),
    VIT_FIELD_ARRAY(Keyboard, alt),
    VIT_FIELD(Keyboard, print_was_alt),
    VIT_FIELD(Keyboard, repeating_key),
    VIT_FIELD_TIMER(Keyboard, typematic),
    VIT_TRANSIENT(Keyboard, handler), /* given to the hub by realize */
    { 0 },
};

static const char *const keyboard_aliases[] = { "ps2-kbd", NULL };

const VitDeviceKind vit_ps2_keyboard_kind = {
    .name = "ps2-keyboard",
    .aliases = keyboard_aliases,
    .title = VIT_N_("PS/2 keyboard"),
    .bus = VIT_BUS_NONE,
    .category = VIT_CATEGORY_INPUT,
    VIT_DEVICE_SIZE(Keyboard, VitDevice),
    .internal = true,
    .state = keyboard_state,
    .state_version = 1,
    .n_irq_out = 1,
    .realize = keyboard_realize,
    .unrealize = keyboard_unrealize,
    .reset = keyboard_reset,
    .post_load = keyboard_post_load,
};
