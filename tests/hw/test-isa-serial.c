/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The 16550A behind isa-serial, at 0x3f8. */

#include "hw-rig.h"

#include <string.h>

extern const VitDeviceKind vit_isa_serial_kind;

enum { DATA = 0x3f8, IER, IIR, LCR, MCR, LSR, MSR, SCR };
enum { FCR = IIR };

typedef struct Fixture {
    HwRig *rig;
    VitDevice *serial;
    VitChardev *chr;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    f->rig = hw_rig_new();
    f->serial = hw_rig_add(f->rig, &vit_isa_serial_kind, &error);
    g_assert_no_error(error);
    f->chr = f->rig->backends->pdata[0];
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    vit_device_free(f->serial);
    hw_rig_free(f->rig);
}

static void
out(Fixture *f, uint16_t port, uint8_t value)
{
    test_outb(&f->rig->test, port, value);
}

static uint8_t
in(Fixture *f, uint16_t port)
{
    return test_inb(&f->rig->test, port);
}

static void
type(Fixture *f, const char *text)
{
    hw_rig_type(f->chr, text, strlen(text));
}

static void
expect_sent(Fixture *f, const char *text)
{
    g_byte_array_append(f->rig->sent, (const uint8_t *)"", 1);
    g_assert_cmpstr((const char *)f->rig->sent->data, ==, text);
    g_byte_array_set_size(f->rig->sent, 0);
}

static void
test_registers(Fixture *f, gconstpointer data)
{
    g_assert_cmphex(in(f, LSR), ==, 0x60);
    g_assert_cmphex(in(f, IIR), ==, 0x01);
    g_assert_cmphex(in(f, MSR), ==, 0xb0);
    out(f, SCR, 0x5a);
    g_assert_cmphex(in(f, SCR), ==, 0x5a);
    out(f, IER, 0xff);
    g_assert_cmphex(in(f, IER), ==, 0x0f);
    out(f, LCR, 0x83);
    out(f, DATA, 0x01);
    out(f, IER, 0x02);
    g_assert_cmphex(in(f, DATA), ==, 0x01);
    g_assert_cmphex(in(f, IER), ==, 0x02);
    out(f, LCR, 0x03);
    g_assert_cmphex(in(f, IER), ==, 0x0f);
    out(f, FCR, 0x01);
    g_assert_cmphex(in(f, IIR) & 0xc0, ==, 0xc0);
    out(f, FCR, 0x00);
    g_assert_cmphex(in(f, IIR) & 0xc0, ==, 0x00);
    out(f, MCR, 0xff);
    g_assert_cmphex(in(f, MCR), ==, 0x1f);
}

static void
test_transmit(Fixture *f, gconstpointer data)
{
    out(f, IER, 0x02); /* the empty transmitter asks at once */
    g_assert_true(f->rig->irq[4]);
    g_assert_cmphex(in(f, IIR), ==, 0x02);
    g_assert_false(f->rig->irq[4]); /* seen */
    g_assert_cmphex(in(f, IIR), ==, 0x01);
    out(f, DATA, 'a');
    g_assert_true(f->rig->irq[4]);
    g_assert_cmphex(in(f, LSR), ==, 0x60);
    expect_sent(f, "a");
    in(f, IIR);
    out(f, IER, 0x00);
    out(f, IER, 0x02); /* enabling it again asks again */
    g_assert_true(f->rig->irq[4]);
}

static void
test_blocked(Fixture *f, gconstpointer data)
{
    f->rig->chardev_room = 2;
    out(f, FCR, 0x01);
    out(f, IER, 0x02);
    in(f, IIR);
    for (const char *at = "abcdef"; *at; at++) {
        out(f, DATA, *at);
    }
    g_assert_cmphex(in(f, LSR), ==, 0x00); /* three in the FIFO, one in the shifter */
    g_assert_false(f->rig->irq[4]);
    f->rig->chardev_room = 3;
    vit_chardev_notify_writable(f->chr);
    g_assert_cmphex(in(f, LSR), ==, 0x20); /* the shifter still holds one */
    g_assert_true(f->rig->irq[4]);
    f->rig->chardev_room = 100;
    vit_chardev_notify_writable(f->chr);
    g_assert_cmphex(in(f, LSR), ==, 0x60);
    expect_sent(f, "abcdef");
    /* overrun: the last byte of a full FIFO is replaced */
    f->rig->chardev_room = 0;
    for (unsigned i = 0; i < 20; i++) {
        out(f, DATA, 'A' + i);
    }
    f->rig->chardev_room = 100;
    vit_chardev_notify_writable(f->chr);
    expect_sent(f, "ABCDEFGHIJKLMNOPT");
}

static void
test_receive(Fixture *f, gconstpointer data)
{
    out(f, IER, 0x05);
    type(f, "xyz");
    g_assert_true(f->rig->irq[4]);
    g_assert_cmphex(in(f, IIR), ==, 0x04);
    g_assert_cmphex(in(f, LSR), ==, 0x61);
    g_assert_cmpuint(in(f, DATA), ==, 'x');
    g_assert_false(f->rig->irq[4]);
    g_assert_cmphex(in(f, LSR), ==, 0x60);
    g_assert_cmpuint(in(f, DATA), ==, 'x'); /* the buffer keeps its byte */
    vit_chardev_deliver_event(f->chr, VIT_CHARDEV_BREAK);
    g_assert_cmphex(in(f, IIR), ==, 0x06);
    g_assert_cmphex(in(f, LSR), ==, 0x71);
    g_assert_cmphex(in(f, IIR), ==, 0x04);
    g_assert_cmphex(in(f, DATA), ==, 0x00);
}

static void
test_fifo(Fixture *f, gconstpointer data)
{
    out(f, LCR, 0x83);
    out(f, DATA, 1);
    out(f, IER, 0);
    out(f, LCR, 0x03);
    out(f, FCR, 0x81); /* trigger at 8 */
    out(f, IER, 0x01);
    type(f, "abc");
    g_assert_false(f->rig->irq[4]);
    hw_rig_step_ns(f->rig, 300000);
    g_assert_false(f->rig->irq[4]);
    hw_rig_step_ns(f->rig, 50000); /* four characters at 115200 are 347 us */
    g_assert_true(f->rig->irq[4]);
    g_assert_cmphex(in(f, IIR), ==, 0xcc);
    g_assert_cmpuint(in(f, DATA), ==, 'a');
    g_assert_cmphex(in(f, IIR), ==, 0xc1);
    type(f, "defghi");
    g_assert_cmphex(in(f, IIR), ==, 0xc4);
    for (const char *at = "bcdefghi"; *at; at++) {
        g_assert_cmpuint(in(f, DATA), ==, *at);
    }
    g_assert_cmphex(in(f, LSR), ==, 0x60);
    type(f, "0123456789abcdefXYZ");
    out(f, FCR, 0x83); /* clears the receiver */
    g_assert_cmphex(in(f, LSR) & 1, ==, 0);
    hw_rig_step_ns(f->rig, 1000000);
    g_assert_cmphex(in(f, IIR), ==, 0xc1);
}

static void
test_loop(Fixture *f, gconstpointer data)
{
    out(f, IER, 0x08);
    in(f, MSR);
    out(f, MCR, 0x1a); /* loop, RTS, OUT2 */
    g_assert_true(f->rig->irq[4]);
    g_assert_cmphex(in(f, IIR), ==, 0x00);
    g_assert_cmphex(in(f, MSR), ==, 0x92); /* CTS and DCD as they were, DSR went */
    g_assert_cmphex(in(f, MSR), ==, 0x90);
    out(f, MCR, 0x14);
    g_assert_cmphex(in(f, MSR), ==, 0x49); /* RI rose: that is no trailing edge */
    out(f, MCR, 0x10);
    g_assert_cmphex(in(f, MSR), ==, 0x04);
    out(f, DATA, 'L');
    g_assert_cmpuint(in(f, DATA), ==, 'L');
    out(f, DATA, '1');
    out(f, DATA, '2'); /* the first was not read */
    g_assert_cmphex(in(f, LSR), ==, 0x63);
    g_assert_cmphex(in(f, LSR), ==, 0x61);
    expect_sent(f, "");
    type(f, "x"); /* the line is cut */
    g_assert_cmpuint(in(f, DATA), ==, '2');
    g_assert_cmphex(in(f, LSR), ==, 0x60);
}

static void
test_places(Fixture *f, gconstpointer data)
{
    VitDevice *more[4];
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < 3; i++) {
        more[i] = hw_rig_add(f->rig, &vit_isa_serial_kind, NULL);
        g_assert_nonnull(more[i]);
    }
    out(f, 0x2f8 + 7, 1);
    out(f, 0x3e8 + 7, 2);
    out(f, 0x2e8 + 7, 3);
    g_assert_cmpuint(in(f, 0x2ff), ==, 1);
    g_assert_cmpuint(in(f, 0x3ef), ==, 2);
    g_assert_cmpuint(in(f, 0x2ef), ==, 3);
    out(f, 0x2f9, 0x02);
    g_assert_true(f->rig->irq[3]);
    g_assert_null(hw_rig_add(f->rig, &vit_isa_serial_kind, &error));
    g_assert_nonnull(error);
    /* the second one's place is free again */
    vit_device_free(more[0]);
    more[0] = hw_rig_add(f->rig, &vit_isa_serial_kind, NULL);
    out(f, 0x2ff, 9);
    g_assert_cmpuint(in(f, 0x2ff), ==, 9);
    for (unsigned i = 0; i < 3; i++) {
        vit_device_free(more[i]);
    }
}

#define ADD(name, func) g_test_add("/isa-serial/" name, Fixture, NULL, set_up, func, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("registers", test_registers);
    ADD("transmit", test_transmit);
    ADD("blocked", test_blocked);
    ADD("receive", test_receive);
    ADD("fifo", test_fifo);
    ADD("loop", test_loop);
    ADD("places", test_places);
    return g_test_run();
}
