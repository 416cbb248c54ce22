/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* The 16550A chip, apart from what bus it sits on. An attachment embeds it, gives it its wiring,
 * and forwards eight registers. Thread: device lock held. */

#include "vit-chardev.h"
#include "vit-clock.h"
#include "vit-state.h"

#define VIT_UART_FIFO_BYTES 16
#define VIT_UART_REGISTERS  8

typedef struct VitUart {
    /* registers */
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
    uint16_t divisor;
    uint8_t rx[VIT_UART_FIFO_BYTES], tx[VIT_UART_FIFO_BYTES]; /* one byte used without FIFOs */
    uint8_t rx_count, tx_count;
    uint8_t shift; /* transmitter shift register */
    bool shift_full;
    bool thre_pending;    /* "transmitter empty" not yet seen in IIR */
    bool timeout_pending; /* bytes lie in the receive FIFO */
    bool irq;
    VitTimer timeout, modem_poll;

    /* wiring, set before vit_uart_init() */
    VitChardev *chr; /* may be NULL */
    uint32_t baud_base;
    void (*set_irq)(void *opaque, int level);
    void *irq_opaque;
    VitClock *clock;
    bool receiving; /* guards against delivery from within delivery */
} VitUart;

extern const VitField vit_uart_state[];

/* Takes the chardev; false where it is taken. */
bool vit_uart_init(VitUart *uart, GError **error);
void vit_uart_finish(VitUart *uart);
void vit_uart_reset(VitUart *uart);
/* After loading vit_uart_state. */
void vit_uart_loaded(VitUart *uart);
uint8_t vit_uart_read(VitUart *uart, unsigned reg);
void vit_uart_write(VitUart *uart, unsigned reg, uint8_t value);
