/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Time of day from the MC146818A (datasheet, "Address map"), and a tick from counter 0 of the
 * 8254: seldom, as a machine at rest should cost its host nothing that nobody sees. */

#include "demo.h"

enum { RTC_INDEX = 0x70, RTC_DATA = 0x71, PIT_HZ = 1193182, PIC1 = 0x20 };

static volatile uint32_t ticks;

void
clock_init(void)
{
    out8(0x43, 0x34); /* counter 0, both bytes, mode 2 */
    out8(0x40, (PIT_HZ / TICK_HZ) & 0xff);
    out8(0x40, (PIT_HZ / TICK_HZ) >> 8);
}

void
on_timer(void)
{
    ticks++;
    out8(PIC1, 0x20);
}

uint32_t
clock_ticks(void)
{
    return ticks;
}

static uint8_t
rtc(uint8_t index)
{
    out8(RTC_INDEX, index);
    return in8(RTC_DATA);
}

static unsigned
from_bcd(uint8_t value)
{
    return (value >> 4) * 10 + (value & 15);
}

void
clock_text(char out[20])
{
    static const struct {
        uint8_t index, at;
    } parts[] = { { 9, 2 }, { 8, 5 }, { 7, 8 }, { 4, 11 }, { 2, 14 }, { 0, 17 } };
    unsigned patience = 100000;

    while ((rtc(0x0a) & 0x80) && --patience) {
        /* an update is under way */
    }
    text_append(out, "2000-00-00 00:00:00");
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char digits[3];

        text_number(digits, from_bcd(rtc(parts[i].index)), 2);
        out[parts[i].at] = digits[0];
        out[parts[i].at + 1] = digits[1];
    }
}
