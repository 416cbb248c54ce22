/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* 16550A universal asynchronous receiver/transmitter. National Semiconductor PC16550D datasheet,
 * "Registers", "FIFO interrupt mode operation".
 *
 * Bytes leave as fast as the character device takes them: the baud rate paces only the receive
 * timeout. What the host does not take now stays in the transmitter, so the guest sees it busy.
 * Received bytes have no parity or framing errors; a break arrives as a zero byte with BI, which
 * is not tied to its place in the FIFO. DMA mode does nothing. OUT2 does not gate the interrupt.
 *
 * Thread: device lock held. */

#include "char/uart16550.h"

#include <string.h>

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

enum {
    IER_RDI = 0x01,
    IER_THRI = 0x02,
    IER_RLSI = 0x04,
    IER_MSI = 0x08,

    IIR_NONE = 0x01,
    IIR_MSI = 0x00,
    IIR_THRI = 0x02,
    IIR_RDI = 0x04,
    IIR_RLSI = 0x06,
    IIR_TIMEOUT = 0x0c,
    IIR_FIFO = 0xc0,

    FCR_ENABLE = 0x01,
    FCR_CLEAR_RX = 0x02,
    FCR_CLEAR_TX = 0x04,
    FCR_KEPT = 0xc9,

    LCR_STOP = 0x04,
    LCR_PARITY = 0x08,
    LCR_EVEN = 0x10,
    LCR_BREAK = 0x40,
    LCR_DLAB = 0x80,

    MCR_DTR = 0x01,
    MCR_RTS = 0x02,
    MCR_OUT1 = 0x04,
    MCR_OUT2 = 0x08,
    MCR_LOOP = 0x10,

    LSR_DR = 0x01,
    LSR_OE = 0x02,
    LSR_BI = 0x10,
    LSR_THRE = 0x20,
    LSR_TEMT = 0x40,
    LSR_ERRORS = 0x1e,

    MSR_DCTS = 0x01,
    MSR_DDSR = 0x02,
    MSR_TERI = 0x04,
    MSR_DDCD = 0x08,
    MSR_CTS = 0x10,
    MSR_DSR = 0x20,
    MSR_RI = 0x40,
    MSR_DCD = 0x80,
    MSR_DELTAS = 0x0f,
};

/* How often the host's modem lines are looked at while their interrupt is enabled. */
#define MODEM_POLL_NS 10000000

static const uint8_t rx_trigger[4] = { 1, 4, 8, 14 };

static bool
has_fifo(const VitUart *u)
{
    return u->fcr & FCR_ENABLE;
}

static unsigned
fifo_room(const VitUart *u)
{
    return has_fifo(u) ? VIT_UART_FIFO_BYTES : 1;
}

static unsigned
trigger_level(const VitUart *u)
{
    return has_fifo(u) ? rx_trigger[u->fcr >> 6] : 1;
}

/* ---- Interrupts ---- */

/* The most urgent source, as in IIR. */
static uint8_t
pending_source(const VitUart *u)
{
    if ((u->ier & IER_RLSI) && (u->lsr & LSR_ERRORS)) {
        return IIR_RLSI;
    }
    if ((u->ier & IER_RDI) && u->timeout_pending) {
        return IIR_TIMEOUT;
    }
    if ((u->ier & IER_RDI) && (u->lsr & LSR_DR) && u->rx_count >= trigger_level(u)) {
        return IIR_RDI;
    }
    if ((u->ier & IER_THRI) && u->thre_pending) {
        return IIR_THRI;
    }
    if ((u->ier & IER_MSI) && (u->msr & MSR_DELTAS)) {
        return IIR_MSI;
    }
    return IIR_NONE;
}

static void
update_irq(VitUart *u)
{
    bool level = pending_source(u) != IIR_NONE;

    if (level != u->irq) {
        u->irq = level;
        u->set_irq(u->irq_opaque, level);
    }
}

/* ---- Line parameters ---- */

static unsigned
data_bits(const VitUart *u)
{
    return 5 + (u->lcr & 3);
}

static int64_t
character_ns(const VitUart *u)
{
    unsigned bits = 1 + data_bits(u) + (u->lcr & LCR_PARITY ? 1 : 0) + (u->lcr & LCR_STOP ? 2 : 1);
    uint64_t divisor = u->divisor ? u->divisor : 1;

    return divisor * bits * (uint64_t)VIT_NS_PER_SEC / u->baud_base;
}

static void
tell_line_parameters(VitUart *u)
{
    VitChardevSerialParams params = {
        .speed = u->divisor ? u->baud_base / u->divisor : 0,
        .data_bits = data_bits(u),
        .stop_bits = u->lcr & LCR_STOP ? 2 : 1,
        .parity = !(u->lcr & LCR_PARITY) ? 'N'
                  : u->lcr & LCR_EVEN    ? 'E'
                                         : 'O',
    };

    if (u->chr && params.speed) {
        vit_chardev_set_serial(u->chr, &params);
    }
}

/* ---- Receiver ---- */

static void
restart_timeout(VitUart *u)
{
    u->timeout_pending = false;
    if (has_fifo(u) && u->rx_count > 0) {
        vit_timer_mod(&u->timeout, vit_clock_get_ns(u->clock) + 4 * character_ns(u));
    } else {
        vit_timer_del(&u->timeout);
    }
}

static void
timeout_expired(void *opaque)
{
    VitUart *u = opaque;

    if (u->rx_count > 0) {
        u->timeout_pending = true;
        update_irq(u);
    }
}

static void
receive_byte(VitUart *u, uint8_t byte)
{
    if (u->rx_count >= fifo_room(u)) {
        u->lsr |= LSR_OE;
        if (has_fifo(u)) {
            return; /* the new byte is lost; without FIFO the old one is */
        }
        u->rx_count = 0;
    }
    u->rx[u->rx_count++] = byte;
    u->lsr |= LSR_DR;
}

static uint8_t
take_received(VitUart *u)
{
    uint8_t byte = u->rx_count || !has_fifo(u) ? u->rx[0] : 0; /* the buffer keeps its byte */

    if (u->rx_count > 0) {
        u->rx_count--;
        memmove(u->rx, u->rx + 1, u->rx_count);
    }
    if (u->rx_count == 0) {
        u->lsr &= ~LSR_DR;
    }
    restart_timeout(u);
    return byte;
}

static size_t
front_can_receive(void *opaque)
{
    VitUart *u = opaque;

    if (u->mcr & MCR_LOOP) {
        return 0;
    }
    /* fill to the trigger level at once, above it byte by byte: the interrupt comes either way */
    if (u->rx_count < trigger_level(u)) {
        return trigger_level(u) - u->rx_count;
    }
    return u->rx_count < fifo_room(u) ? 1 : 0;
}

static void
front_receive(void *opaque, const uint8_t *buf, size_t len)
{
    VitUart *u = opaque;

    for (size_t i = 0; i < len; i++) {
        receive_byte(u, buf[i]);
    }
    restart_timeout(u);
    update_irq(u);
}

/* There may be room again. The back end may deliver from within the call, and that delivery may
 * ask again. */
static void
accept_input(VitUart *u)
{
    if (u->chr && !u->receiving) {
        u->receiving = true;
        vit_chardev_accept_input(u->chr);
        u->receiving = false;
    }
}

/* ---- Modem lines ---- */

static void
set_msr_lines(VitUart *u, uint8_t lines)
{
    uint8_t changed = (u->msr ^ lines) & 0xf0;

    u->msr = (u->msr & MSR_DELTAS) | lines;
    if (changed & MSR_CTS) {
        u->msr |= MSR_DCTS;
    }
    if (changed & MSR_DSR) {
        u->msr |= MSR_DDSR;
    }
    if (changed & MSR_DCD) {
        u->msr |= MSR_DDCD;
    }
    if ((changed & MSR_RI) && !(lines & MSR_RI)) {
        u->msr |= MSR_TERI; /* trailing edge only */
    }
}

static bool
has_modem(const VitUart *u)
{
    return u->chr && u->chr->kind->get_modem;
}

/* Lines as the other end, or the loop, drives them. */
static uint8_t
modem_lines(const VitUart *u)
{
    unsigned bits;

    if (u->mcr & MCR_LOOP) {
        return (u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
               (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0);
    }
    if (!has_modem(u)) {
        return MSR_DCD | MSR_DSR | MSR_CTS;
    }
    bits = vit_chardev_get_modem(u->chr);
    return (bits & VIT_TIOCM_CTS ? MSR_CTS : 0) | (bits & VIT_TIOCM_DSR ? MSR_DSR : 0) |
           (bits & VIT_TIOCM_RI ? MSR_RI : 0) | (bits & VIT_TIOCM_CAR ? MSR_DCD : 0);
}

static void
poll_modem(void *opaque)
{
    VitUart *u = opaque;

    set_msr_lines(u, modem_lines(u));
    if (has_modem(u) && (u->ier & IER_MSI)) {
        vit_timer_mod(&u->modem_poll, vit_clock_get_ns(u->clock) + MODEM_POLL_NS);
    } else {
        vit_timer_del(&u->modem_poll);
    }
    update_irq(u);
}

static void
tell_modem(VitUart *u)
{
    if (u->chr && !(u->mcr & MCR_LOOP)) {
        vit_chardev_set_modem(u->chr, (u->mcr & MCR_DTR ? VIT_TIOCM_DTR : 0) |
                                          (u->mcr & MCR_RTS ? VIT_TIOCM_RTS : 0));
    }
}

/* ---- Transmitter ---- */

/* Moves bytes out until the transmitter is empty or the host takes no more. */
static void
transmit(VitUart *u)
{
    for (;;) {
        if (!u->shift_full) {
            if (u->tx_count == 0) {
                break;
            }
            u->shift = u->tx[0];
            u->shift_full = true;
            u->tx_count--;
            memmove(u->tx, u->tx + 1, u->tx_count);
            if (u->tx_count == 0) {
                u->lsr |= LSR_THRE;
                u->thre_pending = true;
            }
        }
        if (u->mcr & MCR_LOOP) {
            receive_byte(u, u->shift);
            restart_timeout(u);
        } else if (u->chr && vit_chardev_write(u->chr, &u->shift, 1) == 0) {
            update_irq(u);
            return; /* goes on when the host takes more */
        }
        u->shift_full = false;
    }
    u->lsr |= LSR_TEMT;
    update_irq(u);
}

static void
front_can_write(void *opaque)
{
    VitUart *u = opaque;

    if (u->shift_full) {
        transmit(u);
    }
}

static void
write_data(VitUart *u, uint8_t value)
{
    unsigned room = fifo_room(u);

    if (u->tx_count >= room) {
        u->tx_count = room - 1; /* an overrun replaces the last byte */
    }
    u->tx[u->tx_count++] = value;
    u->thre_pending = false;
    u->lsr &= ~(LSR_THRE | LSR_TEMT);
    update_irq(u);
    if (!u->shift_full) {
        transmit(u);
    }
}

/* ---- Registers ---- */

static void
write_ier(VitUart *u, uint8_t value)
{
    uint8_t changed = (u->ier ^ value) & 0x0f;

    u->ier = value & 0x0f;
    if (changed & IER_THRI) {
        /* enabling it asks again although IIR may have been read before */
        u->thre_pending = (u->ier & IER_THRI) && (u->lsr & LSR_THRE);
    }
    if (changed & IER_MSI) {
        poll_modem(u);
    }
    update_irq(u);
}

static void
clear_receiver(VitUart *u)
{
    u->rx_count = 0;
    u->lsr &= ~(LSR_DR | LSR_BI);
    restart_timeout(u);
}

static void
clear_transmitter(VitUart *u)
{
    u->tx_count = 0;
    u->lsr |= LSR_THRE;
    u->thre_pending = true;
}

static void
write_fcr(VitUart *u, uint8_t value)
{
    if ((value ^ u->fcr) & FCR_ENABLE) {
        value |= FCR_CLEAR_RX | FCR_CLEAR_TX; /* the change of mode empties both */
    }
    u->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
    if (value & FCR_CLEAR_RX) {
        clear_receiver(u);
    }
    if (value & FCR_CLEAR_TX) {
        clear_transmitter(u);
    }
    update_irq(u);
    accept_input(u);
}

static void
write_lcr(VitUart *u, uint8_t value)
{
    bool starts_break = (value & LCR_BREAK) && !(u->lcr & LCR_BREAK);
    bool new_format = (u->lcr ^ value) & 0x3f;

    u->lcr = value;
    if (new_format) {
        tell_line_parameters(u);
    }
    if (starts_break && u->chr) {
        vit_chardev_send_break(u->chr);
    }
}

static void
write_mcr(VitUart *u, uint8_t value)
{
    u->mcr = value & 0x1f;
    tell_modem(u);
    poll_modem(u);
    accept_input(u);
}

void
vit_uart_write(VitUart *u, unsigned reg, uint8_t value)
{
    switch (reg) {
    case REG_DATA:
        if (u->lcr & LCR_DLAB) {
            u->divisor = (u->divisor & 0xff00) | value;
            tell_line_parameters(u);
        } else {
            write_data(u, value);
        }
        break;
    case REG_IER:
        if (u->lcr & LCR_DLAB) {
            u->divisor = (u->divisor & 0x00ff) | value << 8;
            tell_line_parameters(u);
        } else {
            write_ier(u, value);
        }
        break;
    case REG_IIR_FCR: write_fcr(u, value); break;
    case REG_LCR: write_lcr(u, value); break;
    case REG_MCR: write_mcr(u, value); break;
    case REG_SCR: u->scr = value; break;
    default: break; /* LSR and MSR: factory test only */
    }
}

static uint8_t
read_iir(VitUart *u)
{
    uint8_t source = pending_source(u);

    if (source == IIR_THRI) {
        u->thre_pending = false;
        update_irq(u);
    }
    return source | (has_fifo(u) ? IIR_FIFO : 0);
}

uint8_t
vit_uart_read(VitUart *u, unsigned reg)
{
    uint8_t value;

    switch (reg) {
    case REG_DATA:
        if (u->lcr & LCR_DLAB) {
            return u->divisor;
        }
        value = take_received(u);
        update_irq(u);
        accept_input(u);
        return value;
    case REG_IER: return u->lcr & LCR_DLAB ? u->divisor >> 8 : u->ier;
    case REG_IIR_FCR: return read_iir(u);
    case REG_LCR: return u->lcr;
    case REG_MCR: return u->mcr;
    case REG_LSR:
        value = u->lsr;
        u->lsr &= ~LSR_ERRORS;
        update_irq(u);
        return value;
    case REG_MSR:
        set_msr_lines(u, modem_lines(u));
        value = u->msr;
        u->msr &= ~MSR_DELTAS;
        update_irq(u);
        return value;
    case REG_SCR: return u->scr;
    default: return 0xff;
    }
}

/* ---- Life ---- */

static void
front_event(void *opaque, VitChardevEvent event)
{
    VitUart *u = opaque;

    if (event == VIT_CHARDEV_BREAK && !(u->mcr & MCR_LOOP)) {
        receive_byte(u, 0);
        u->lsr |= LSR_BI;
        restart_timeout(u);
        update_irq(u);
    }
}

bool
vit_uart_init(VitUart *u, GError **error)
{
    VitChardevFront front = {
        .can_receive = front_can_receive,
        .receive = front_receive,
        .event = front_event,
        .can_write = front_can_write,
        .opaque = u,
    };

    vit_timer_init(&u->timeout, u->clock, timeout_expired, u);
    vit_timer_init(&u->modem_poll, u->clock, poll_modem, u);
    return !u->chr || vit_chardev_attach(u->chr, &front, error);
}

void
vit_uart_finish(VitUart *u)
{
    vit_timer_del(&u->timeout);
    vit_timer_del(&u->modem_poll);
    if (u->chr) {
        vit_chardev_detach(u->chr, u);
    }
}

void
vit_uart_reset(VitUart *u)
{
    u->ier = u->fcr = u->lcr = u->mcr = u->scr = 0;
    u->lsr = LSR_THRE | LSR_TEMT;
    u->msr = modem_lines(u);
    u->divisor = 12; /* 9600 baud of a PC's 115200 */
    u->rx_count = u->tx_count = 0;
    memset(u->rx, 0, sizeof(u->rx));
    memset(u->tx, 0, sizeof(u->tx));
    u->shift = 0;
    u->shift_full = false;
    u->thre_pending = u->timeout_pending = false;
    vit_timer_del(&u->timeout);
    vit_timer_del(&u->modem_poll);
    update_irq(u);
}

void
vit_uart_loaded(VitUart *u)
{
    u->rx_count = MIN(u->rx_count, VIT_UART_FIFO_BYTES);
    u->tx_count = MIN(u->tx_count, VIT_UART_FIFO_BYTES);
    tell_line_parameters(u);
    tell_modem(u);
    if (u->shift_full) {
        transmit(u);
    }
    accept_input(u);
}

const VitField vit_uart_state[] = {
    VIT_FIELD(VitUart, ier),
    VIT_FIELD(VitUart, fcr),
    VIT_FIELD(VitUart, lcr),
    VIT_FIELD(VitUart, mcr),
    VIT_FIELD(VitUart, lsr),
    VIT_FIELD(VitUart, msr),
    VIT_FIELD(VitUart, scr),
    VIT_FIELD(VitUart, divisor),
    VIT_FIELD_ARRAY(VitUart, rx),
    VIT_FIELD_ARRAY(VitUart, tx),
    VIT_FIELD(VitUart, rx_count),
    VIT_FIELD(VitUart, tx_count),
    VIT_FIELD(VitUart, shift),
    VIT_FIELD(VitUart, shift_full),
    VIT_FIELD(VitUart, thre_pending),
    VIT_FIELD(VitUart, timeout_pending),
    VIT_FIELD(VitUart, irq),
    VIT_FIELD_TIMER(VitUart, timeout),
    VIT_FIELD_TIMER(VitUart, modem_poll),
    VIT_TRANSIENT(VitUart, chr), /* wiring */
    VIT_TRANSIENT(VitUart, baud_base),
    VIT_TRANSIENT(VitUart, set_irq),
    VIT_TRANSIENT(VitUart, irq_opaque),
    VIT_TRANSIENT(VitUart, clock),
    VIT_TRANSIENT(VitUart, receiving),
    { 0 },
};
