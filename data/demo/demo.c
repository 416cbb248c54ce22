/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The demo guest: shows that screen, keyboard, mouse, time and disk work, on the card's screen or,
 * without one, on the first serial port. Its picture is fixed so that tests know every pixel:
 * colour bars 0,0-799,39; the square that follows the left button at 740,540 (50 x 50); the rest
 * is described by the constants below.
 *
 * Keys: letters are echoed; Escape switches the machine off. */

#include "demo.h"

void demo_main(uint32_t magic, const void *info);
void timer_entry(void);
void keyboard_entry(void);
void mouse_entry(void);
void ignore_entry(void);

enum {
    COLOR_BACKGROUND = 0x1c2333,
    COLOR_TEXT = 0xf0f0f0,
    COLOR_DIM = 0x9aa5b8,
    COLOR_IDLE = 0x33415c,
    COLOR_PRESSED = 0xf66151,
    BAR_HEIGHT = 40,
    LEFT = 40,
    VALUE_LEFT = 200,
    BUTTON_X = 740,
    BUTTON_Y = 540,
    BUTTON_SIZE = 50,
    TYPED_MAX = 60,
    PM1_CONTROL = 0x604, /* where SeaBIOS puts the PIIX4's power management block */
    SLEEP_S5 = 1 << 13,
    MULTIBOOT_MAGIC = 0x2badb002,
};

static const uint32_t bars[8] = { 0xffffff, 0xffff00, 0x00ffff, 0x00ff00,
                                  0xff00ff, 0xff0000, 0x0000ff, 0x000000 };

static struct {
    uint16_t offset_low, selector, flags, offset_high;
} __attribute__((packed)) idt[256];

static void
set_gate(unsigned vector, void (*entry)(void))
{
    uint32_t at = (uint32_t)entry;

    idt[vector].offset_low = at;
    idt[vector].selector = 8;
    idt[vector].flags = 0x8e00;
    idt[vector].offset_high = at >> 16;
}

/* 8259 pair at vectors 20h and 28h, lines 0, 1, 2 and 12 open. */
static void
interrupts_init(void)
{
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint32_t)idt };

    for (unsigned i = 0; i < 256; i++) {
        set_gate(i, ignore_entry);
    }
    set_gate(0x20, timer_entry);
    set_gate(0x21, keyboard_entry);
    set_gate(0x2c, mouse_entry);
    out8(0x20, 0x11);
    out8(0xa0, 0x11);
    out8(0x21, 0x20);
    out8(0xa1, 0x28);
    out8(0x21, 4);
    out8(0xa1, 2);
    out8(0x21, 1);
    out8(0xa1, 1);
    out8(0x21, 0xf8);
    out8(0xa1, 0xef);
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void
power_off(void)
{
    serial_text("demo: off\r\n");
    out16(PM1_CONTROL, SLEEP_S5);
}

/* ---- Disk ---- */

/* Counts the demo's starts in the disk's second sector, behind a mark. */
static void
disk_report(char out[96])
{
    static const char mark[] = "VITRINE DEMO";
    uint8_t sector[512];
    char model[41], digits[11];
    uint32_t sectors, starts = 0;
    bool ours = true;
    char *end;

    if (!disk_identify(model, &sectors)) {
        text_append(out, "no disk");
        return;
    }
    end = text_append(out, model);
    if (sectors < 2 || !disk_read(1, sector)) {
        text_append(end, ": cannot be read");
        return;
    }
    for (unsigned i = 0; i < sizeof(mark); i++) {
        ours &= sector[i] == (uint8_t)mark[i];
    }
    if (ours) {
        starts = sector[16] | sector[17] << 8;
    } else {
        /* only an empty disk is written to */
        for (unsigned i = 0; i < sizeof(sector); i++) {
            if (sector[i]) {
                text_append(end, ": has data of its own, left alone");
                return;
            }
        }
    }
    starts++;
    text_append((char *)sector, mark);
    sector[16] = starts;
    sector[17] = starts >> 8;
    end =
        text_append(end, disk_write(1, sector) ? ": start number " : ": read-only, start number ");
    text_number(digits, starts, 4);
    text_append(end, digits);
}

/* ---- Screen ---- */

static void
draw_scene(const char *disk)
{
    static const char *const labels[] = { "Time", "Running", "Disk", "Keyboard", "Mouse" };

    screen_fill(0, 0, SCREEN_WIDTH, SCREEN_HEIGHT, COLOR_BACKGROUND);
    for (int i = 0; i < 8; i++) {
        screen_fill(i * SCREEN_WIDTH / 8, 0, SCREEN_WIDTH / 8, BAR_HEIGHT, bars[i]);
    }
    screen_text(LEFT, 80, "Vitrine demo machine", COLOR_TEXT, COLOR_BACKGROUND);
    screen_text(LEFT, 104, "A small guest that shows what works. Type, move the mouse, click.",
                COLOR_DIM, COLOR_BACKGROUND);
    for (int i = 0; i < 5; i++) {
        screen_text(LEFT, 160 + i * 32, labels[i], COLOR_DIM, COLOR_BACKGROUND);
    }
    screen_text(VALUE_LEFT, 224, disk, COLOR_TEXT, COLOR_BACKGROUND);
    screen_text(LEFT, 560, "Escape switches the machine off.", COLOR_DIM, COLOR_BACKGROUND);
    screen_fill(BUTTON_X, BUTTON_Y, BUTTON_SIZE, BUTTON_SIZE, COLOR_IDLE);
}

/* A pointer of 9 by 9 pixels that keeps what it covers. */
enum { POINTER_SIZE = 9 };
static uint32_t covered[POINTER_SIZE * POINTER_SIZE];

static void
pointer_hide(int x, int y)
{
    for (int i = 0; i < POINTER_SIZE * POINTER_SIZE; i++) {
        screen_put(x + i % POINTER_SIZE, y + i / POINTER_SIZE, covered[i]);
    }
}

static void
pointer_show(int x, int y)
{
    for (int i = 0; i < POINTER_SIZE * POINTER_SIZE; i++) {
        int dx = i % POINTER_SIZE, dy = i / POINTER_SIZE;

        covered[i] = screen_get(x + dx, y + dy);
        if (dx <= dy) {
            screen_put(x + dx, y + dy, dx == 0 || dx == dy || dy == 8 ? 0x000000 : 0xffffff);
        }
    }
}

static void
draw_mouse_line(const MouseState *mouse)
{
    char line[40], digits[5];
    char *end = line;

    text_number(digits, mouse->x, 3);
    end = text_append(end, digits);
    end = text_append(end, ", ");
    text_number(digits, mouse->y, 3);
    end = text_append(end, digits);
    text_append(end, mouse->buttons ? "  pressed" : "         ");
    screen_text(VALUE_LEFT, 288, line, COLOR_TEXT, COLOR_BACKGROUND);
    screen_fill(BUTTON_X, BUTTON_Y, BUTTON_SIZE, BUTTON_SIZE,
                mouse->buttons & 1 ? COLOR_PRESSED : COLOR_IDLE);
}

static void
draw_time(uint32_t ticks)
{
    char line[32], digits[9];

    clock_text(line);
    screen_text(VALUE_LEFT, 160, line, COLOR_TEXT, COLOR_BACKGROUND);
    text_number(digits, ticks / TICK_HZ, 6);
    text_append(text_append(line, digits), " s");
    screen_text(VALUE_LEFT, 192, line, COLOR_TEXT, COLOR_BACKGROUND);
}

/* ---- Keys ---- */

static char typed[TYPED_MAX + 1];
static unsigned typed_len;

static void
take_key(char key, bool has_screen)
{
    char echo[2] = { key, '\0' };

    if (key == 27) {
        power_off();
        return;
    }
    serial_text("demo: key ");
    serial_text(key == '\n' ? "enter" : key == '\b' ? "backspace" : echo);
    serial_text("\r\n");
    if (key == '\b') {
        typed_len -= typed_len > 0;
    } else if (key >= ' ') {
        if (typed_len == TYPED_MAX) {
            typed_len = 0;
        }
        typed[typed_len++] = key;
    } else if (key == '\n') {
        typed_len = 0;
    }
    for (unsigned i = typed_len; i < TYPED_MAX; i++) {
        typed[i] = ' ';
    }
    if (has_screen) {
        screen_text(VALUE_LEFT, 256, typed, COLOR_TEXT, COLOR_BACKGROUND);
    }
}

static void
serial_time(uint32_t ticks)
{
    char line[32], digits[9];

    clock_text(line);
    serial_text("\r");
    serial_text(line);
    text_number(digits, ticks / TICK_HZ, 6);
    serial_text("   running ");
    serial_text(digits);
    serial_text(" s ");
}

void
demo_main(uint32_t magic, const void *info)
{
    MouseState shown = { -1, -1, 0 }, mouse;
    bool has_screen, pointer_drawn = false;
    uint32_t last_second = UINT32_MAX;
    char disk[96];

    serial_init();
    if (magic != MULTIBOOT_MAGIC || !info) {
        serial_text("demo: not started by a multiboot loader\r\n");
    }
    has_screen = screen_init();
    disk_report(disk);
    interrupts_init();
    clock_init();
    input_init();
    __asm__ volatile("sti");
    if (has_screen) {
        draw_scene(disk);
    }
    serial_text("\r\nVitrine demo machine. Disk: ");
    serial_text(disk);
    serial_text("\r\ndemo: ready\r\n");
    serial_text("Type something; Escape switches the machine off.\r\n");
    for (;;) {
        uint32_t ticks = clock_ticks();
        int byte = serial_read();
        char key = byte >= 0 ? (byte == '\r' ? '\n' : (char)byte) : input_next_key();

        if (key) {
            if (pointer_drawn) {
                pointer_hide(shown.x, shown.y);
            }
            take_key(key, has_screen);
            if (pointer_drawn) {
                pointer_show(shown.x, shown.y);
            }
        }
        input_get_mouse(&mouse);
        if (has_screen && (mouse.x != shown.x || mouse.y != shown.y ||
                           mouse.buttons != shown.buttons || ticks / TICK_HZ != last_second)) {
            if (pointer_drawn) {
                pointer_hide(shown.x, shown.y);
            }
            draw_mouse_line(&mouse);
            draw_time(ticks);
            pointer_show(mouse.x, mouse.y);
            pointer_drawn = true;
            shown = mouse;
        } else if (!has_screen && ticks / TICK_HZ != last_second) {
            serial_time(ticks);
        }
        last_second = ticks / TICK_HZ;
        /* what came while we drew is not slept over: interrupts are on again only in HLT */
        __asm__ volatile("cli");
        if (!key && !input_waits(has_screen ? &shown : &mouse)) {
            __asm__ volatile("sti; hlt");
        } else {
            __asm__ volatile("sti");
        }
    }
}
