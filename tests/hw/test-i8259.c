/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The 8259 pair by its ports and lines. */

#include "hw-kinds.h"
#include "hw-rig.h"
#include "pc/i8259.h"

extern const VitDeviceKind vit_i8259_kind;

typedef struct Fixture {
    HwRig *rig;
    VitDevice *pic;
    bool intr;
} Fixture;

static void
note_intr(void *opaque, int n, int level)
{
    ((Fixture *)opaque)->intr = level;
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
line(Fixture *f, int n, int level)
{
    VitIrq irq = vit_device_irq_in(f->pic, n);

    vit_irq_set(&irq, level);
}

/* As a PC's firmware does, vectors 0x08 and 0x70; ICW4 for both. */
static void
init_pair(Fixture *f, uint8_t icw4)
{
    out(f, 0x20, 0x11);
    out(f, 0x21, 0x08);
    out(f, 0x21, 0x04);
    out(f, 0x21, icw4);
    out(f, 0xa0, 0x11);
    out(f, 0xa1, 0x70);
    out(f, 0xa1, 0x02);
    out(f, 0xa1, 0x01);
}

static void
set_up(Fixture *f, gconstpointer data)
{
    f->rig = hw_rig_new();
    f->pic = hw_rig_add(f->rig, &vit_i8259_kind, NULL);
    vit_device_connect(f->pic, 0, (VitIrq){ note_intr, f, 0 });
    init_pair(f, 0x01);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    vit_device_free(f->pic);
    hw_rig_free(f->rig);
}

static void
test_priority(Fixture *f, gconstpointer data)
{
    line(f, 5, 1);
    g_assert_true(f->intr);
    line(f, 3, 1);
    g_assert_cmphex(vit_i8259_ack(f->pic), ==, 0x0b);
    g_assert_false(f->intr); /* 5 waits for the end of 3 */
    out(f, 0x20, 0x0b);
    g_assert_cmphex(in(f, 0x20), ==, 0x08); /* ISR */
    out(f, 0x20, 0x0a);
    g_assert_cmphex(in(f, 0x20), ==, 0x20); /* IRR */
    out(f, 0x20, 0x20);
    g_assert_true(f->intr);
    g_assert_cmphex(vit_i8259_ack(f->pic), ==, 0x0d);
    /* a higher line interrupts a lower one */
    line(f, 1, 1);
    g_assert_true(f->intr);
    g_assert_cmphex(vit_i8259_ack(f->pic), ==, 0x09);
    out(f, 0x20, 0x65); /* specific end of 5 */
    out(f, 0x20, 0x0b);
    g_assert_cmphex(in(f, 0x20), ==, 0x02);
}

static void
test_mask_and_edge(Fixture *f, gconstpointer data)
{
    out(f, 0x21, 0x10);
    g_assert_cmphex(in(f, 0x21), ==, 0x10);
    line(f, 4, 1);
    g_assert_false(f->intr);
    out(f, 0x21, 0x00);
    g_assert_true(f->intr);
    vit_i8259_ack(f->pic);
    out(f, 0x20, 0x20);
    g_assert_false(f->intr); /* still high, but no new edge */
    line(f, 4, 0);
    line(f, 4, 1);
    g_assert_true(f->intr);
}

static void
test_level(Fixture *f, gconstpointer data)
{
    out(f, 0x4d0, 0xff);
    out(f, 0x4d1, 0xff);
    g_assert_cmphex(in(f, 0x4d0), ==, 0xf8);
    g_assert_cmphex(in(f, 0x4d1), ==, 0xde);
    line(f, 10, 1);
    g_assert_cmphex(vit_i8259_ack(f->pic), ==, 0x72);
    out(f, 0xa0, 0x20);
    out(f, 0x20, 0x20);
    g_assert_true(f->intr); /* still asserted */
    line(f, 10, 0);
    g_assert_false(f->intr);
    /* the request went away between INTR and INTA */
    line(f, 5, 1);
    line(f, 5, 0);
    g_assert_cmphex(vit_i8259_ack(f->pic), ==, 0x0f);
    out(f, 0x20, 0x0b);
    g_assert_cmphex(in(f, 0x20), ==, 0x00); /* a spurious one is not in service */
}

static void
test_cascade(Fixture *f, gconstpointer data)
{
    line(f, 12, 1);
    g_assert_cmphex(vit_i8259_ack(f->pic), ==, 0x74);
    /* a more urgent slave line must wait for the master's EOI, then comes without a new edge */
    line(f, 8, 1);
    g_assert_false(f->intr);
    out(f, 0x20, 0x20);
    g_assert_true(f->intr);
    g_assert_cmphex(vit_i8259_ack(f->pic), ==, 0x70);
    out(f, 0xa0, 0x20);
    out(f, 0xa0, 0x20);
    out(f, 0x20, 0x20);
    g_assert_false(f->intr);

    /* with the special fully nested mode it does not wait */
    init_pair(f, 0x11);
    line(f, 12, 0);
    line(f, 8, 0);
    line(f, 12, 1);
    vit_i8259_ack(f->pic);
    line(f, 8, 1);
    g_assert_true(f->intr);
    g_assert_cmphex(vit_i8259_ack(f->pic), ==, 0x70);
    /* the slave's request that vanished is the slave's spurious vector */
    out(f, 0xa0, 0x20);
    out(f, 0xa0, 0x20);
    out(f, 0x20, 0x20);
    out(f, 0x4d1, 0x04);
    line(f, 10, 1);
    g_assert_true(f->intr);
    line(f, 2, 1); /* the cascade input cannot be driven */
    g_assert_cmphex(vit_i8259_ack(f->pic), ==, 0x72);
}

static void
test_auto_eoi_and_rotation(Fixture *f, gconstpointer data)
{
    init_pair(f, 0x03);
    line(f, 3, 1);
    g_assert_cmphex(vit_i8259_ack(f->pic), ==, 0x0b);
    out(f, 0x20, 0x0b);
    g_assert_cmphex(in(f, 0x20), ==, 0x00);

    init_pair(f, 0x01);
    line(f, 3, 0);
    out(f, 0x20, 0xc3); /* 3 is lowest, 4 highest */
    line(f, 3, 1);
    line(f, 6, 1);
    g_assert_cmphex(vit_i8259_ack(f->pic), ==, 0x0e);
    out(f, 0x20, 0xa0); /* rotate on non-specific EOI: now 6 is lowest */
    line(f, 6, 0);
    line(f, 6, 1);
    g_assert_cmphex(vit_i8259_ack(f->pic), ==, 0x0b);
    out(f, 0x20, 0xe3); /* rotate on specific EOI */
    g_assert_cmphex(vit_i8259_ack(f->pic), ==, 0x0e);
}

static void
test_special_mask(Fixture *f, gconstpointer data)
{
    line(f, 1, 1);
    vit_i8259_ack(f->pic);
    line(f, 4, 1);
    g_assert_false(f->intr);
    out(f, 0x21, 0x02);
    out(f, 0x20, 0x68); /* special mask: a masked line in service blocks nobody */
    g_assert_true(f->intr);
    g_assert_cmphex(vit_i8259_ack(f->pic), ==, 0x0c);
    out(f, 0x20, 0x20);
    out(f, 0x20, 0x0b);
    g_assert_cmphex(in(f, 0x20), ==, 0x02); /* the masked one stays */
}

static void
test_poll(Fixture *f, gconstpointer data)
{
    out(f, 0x20, 0x0c);
    g_assert_cmphex(in(f, 0x20), ==, 0x00);
    line(f, 6, 1);
    out(f, 0x20, 0x0c);
    g_assert_cmphex(in(f, 0x20), ==, 0x86);
    g_assert_false(f->intr);
    out(f, 0x20, 0x0b);
    g_assert_cmphex(in(f, 0x20), ==, 0x40);
}

#define ADD(name, func) g_test_add("/i8259/" name, Fixture, NULL, set_up, func, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("priority", test_priority);
    ADD("mask-and-edge", test_mask_and_edge);
    ADD("level", test_level);
    ADD("cascade", test_cascade);
    ADD("auto-eoi-and-rotation", test_auto_eoi_and_rotation);
    ADD("special-mask", test_special_mask);
    ADD("poll", test_poll);
    return g_test_run();
}
