/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* PS/2 keyboard (scan code set 1 through the controller's translation) and mouse. IBM PS/2
 * Hardware Interface Technical Reference, keyboard/auxiliary device controller. */

#include "demo.h"

enum {
    DATA = 0x60,
    STATUS = 0x64,
    COMMAND = 0x64,
    STATUS_OUTPUT_FULL = 1 << 0,
    STATUS_INPUT_FULL = 1 << 1,
    STATUS_FROM_MOUSE = 1 << 5,
    PIC1 = 0x20,
    PIC2 = 0xa0,
    EOI = 0x20,
};

static const char lower[] =
    "\0\0331234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char upper[] =
    "\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

static volatile char keys[32];
static volatile unsigned key_head, key_tail;
static bool shift;
static volatile MouseState mouse = { SCREEN_WIDTH / 2, SCREEN_HEIGHT / 2, 0 };
static uint8_t packet[3];
static unsigned packet_len;
static uint32_t packet_ticks; /* when its last byte came */

static void
controller_wait(uint8_t bit, bool set)
{
    unsigned patience = 100000;

    while (!!(in8(STATUS) & bit) != set && --patience) {
    }
}

static void
controller_command(uint8_t command)
{
    controller_wait(STATUS_INPUT_FULL, false);
    out8(COMMAND, command);
}

static void
controller_data(uint8_t value)
{
    controller_wait(STATUS_INPUT_FULL, false);
    out8(DATA, value);
}

static uint8_t
controller_read(void)
{
    controller_wait(STATUS_OUTPUT_FULL, true);
    return in8(DATA);
}

static void
mouse_command(uint8_t command)
{
    controller_command(0xd4);
    controller_data(command);
    controller_read(); /* acknowledge */
}

void
input_init(void)
{
    uint8_t config;

    controller_command(0xad);
    controller_command(0xa8); /* auxiliary device on */
    while (in8(STATUS) & STATUS_OUTPUT_FULL) {
        in8(DATA);
    }
    controller_command(0x20);
    config = controller_read();
    controller_command(0x60);
    controller_data((config | 0x43) & ~0x30); /* both interrupts, translation, clocks on */
    mouse_command(0xf6);
    mouse_command(0xf4);
    controller_command(0xae);
}

void
on_keyboard(void)
{
    uint8_t code = in8(DATA);

    if (code == 0x2a || code == 0x36) {
        shift = true;
    } else if (code == 0xaa || code == 0xb6) {
        shift = false;
    } else if (code < sizeof(lower) - 1) {
        char key = shift ? upper[code] : lower[code];

        if (key) {
            keys[key_head++ % sizeof(keys)] = key;
        }
    }
    out8(PIC1, EOI);
}

static int
clamp(int value, int last)
{
    return value < 0 ? 0 : value > last ? last : value;
}

void
on_mouse(void)
{
    bool waits = (in8(STATUS) & (STATUS_OUTPUT_FULL | STATUS_FROM_MOUSE)) ==
                 (STATUS_OUTPUT_FULL | STATUS_FROM_MOUSE);
    uint8_t byte = waits ? in8(DATA) : 0;

    if (!waits) {
        /* what the set-up read by polling left its interrupt behind */
        out8(PIC2, EOI);
        out8(PIC1, EOI);
        return;
    }
    /* the first byte of a packet has bit 3 set, and none stays unfinished for long: so it is found
     * again when a byte was lost or one came that is no packet's */
    if (clock_ticks() - packet_ticks > TICK_HZ / 4) {
        packet_len = 0;
    }
    packet_ticks = clock_ticks();
    if (packet_len > 0 || (byte & 8)) {
        packet[packet_len++] = byte;
    }
    if (packet_len == 3) {
        int dx = packet[1] - (packet[0] & 0x10 ? 256 : 0);
        int dy = packet[2] - (packet[0] & 0x20 ? 256 : 0);

        packet_len = 0;
        mouse.x = clamp(mouse.x + dx, SCREEN_WIDTH - 1);
        mouse.y = clamp(mouse.y - dy, SCREEN_HEIGHT - 1);
        mouse.buttons = packet[0] & 7;
    }
    out8(PIC2, EOI);
    out8(PIC1, EOI);
}

char
input_next_key(void)
{
    return key_tail == key_head ? 0 : keys[key_tail++ % sizeof(keys)];
}

void
input_get_mouse(MouseState *out)
{
    *out = (MouseState){ mouse.x, mouse.y, mouse.buttons };
}

bool
input_waits(const MouseState *shown)
{
    return key_tail != key_head || mouse.x != shown->x || mouse.y != shown->y ||
           mouse.buttons != shown->buttons;
}
