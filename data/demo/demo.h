/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The demo guest: its parts and the ports they touch. Freestanding 32-bit code; it may keep state
 * at file scope, as it is the only program on its machine. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void
out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void
out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void
out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t
in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint16_t
in16(uint16_t port)
{
    uint16_t value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t
in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* serial.c: COM1 */
void serial_init(void);
void serial_text(const char *text);
int serial_read(void); /* -1 when nothing waits */

/* screen.c: 800x600, 32 bits, Bochs display interface; false without such a card */
enum { SCREEN_WIDTH = 800, SCREEN_HEIGHT = 600, GLYPH_WIDTH = 8, GLYPH_HEIGHT = 16 };
bool screen_init(void);
void screen_fill(int x, int y, int width, int height, uint32_t color);
void screen_text(int x, int y, const char *text, uint32_t color, uint32_t background);
uint32_t screen_get(int x, int y);
void screen_put(int x, int y, uint32_t color);

/* input.c: PS/2 keyboard and mouse */
void input_init(void);
void on_keyboard(void);
void on_mouse(void);
/* Takes the next typed character; 0 when there is none. */
char input_next_key(void);
typedef struct MouseState {
    int x, y;
    unsigned buttons;
} MouseState;
void input_get_mouse(MouseState *out);
/* A key, or the mouse is not as SHOWN any more. */
bool input_waits(const MouseState *shown);

/* clock.c: RTC time and a 100 Hz tick */
void clock_init(void);
void on_timer(void);
enum { TICK_HZ = 20 };
uint32_t clock_ticks(void);
/* "2026-11-22 15:04:05" */
void clock_text(char out[20]);

/* disk.c: first IDE disk, by programmed I/O. False: no disk or an error */
bool disk_identify(char out_model[41], uint32_t *out_sectors);
bool disk_read(uint32_t sector, void *buffer);
bool disk_write(uint32_t sector, const void *buffer);

/* text.c */
void text_number(char *out, uint32_t value, unsigned digits); /* with leading zeros, NUL */
char *text_append(char *to, const char *text);                /* returns the new end */
