/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* COM1 at 115200 baud, polled. PC16550D datasheet, section 8. */

#include "demo.h"

enum { COM1 = 0x3f8, LSR = COM1 + 5, LSR_DATA_READY = 1 << 0, LSR_THR_EMPTY = 1 << 5 };

void
serial_init(void)
{
    out8(COM1 + 1, 0);    /* no interrupts */
    out8(COM1 + 3, 0x80); /* DLAB */
    out8(COM1 + 0, 1);
    out8(COM1 + 1, 0);
    out8(COM1 + 3, 0x03); /* 8N1 */
    out8(COM1 + 2, 0x07); /* FIFOs on, cleared */
    out8(COM1 + 4, 0x03); /* DTR, RTS */
}

void
serial_text(const char *text)
{
    for (; *text; text++) {
        unsigned patience = 100000; /* a machine without COM1 reads all ones: ready at once */

        while (!(in8(LSR) & LSR_THR_EMPTY) && --patience) {
        }
        out8(COM1, *text);
    }
}

int
serial_read(void)
{
    uint8_t status = in8(LSR);

    return status != 0xff && (status & LSR_DATA_READY) ? in8(COM1) : -1;
}
