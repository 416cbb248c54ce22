/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The 8254 by its ports, in ticks of its clock. */

#include "hw-rig.h"
#include "pc/i8254.h"
#include "pc/pc-time.h"
#include "pc/pcspk.h"

extern const VitDeviceKind vit_i8254_kind, vit_pcspk_kind;

typedef struct Fixture {
    HwRig *rig;
    VitDevice *pit, *spk;
    unsigned rises;
    bool level;
    int64_t start_tick;
} Fixture;

static void
note_out0(void *opaque, int n, int level)
{
    Fixture *f = opaque;

    f->rises += level && !f->level;
    f->level = level;
}

static void
set_up(Fixture *f, gconstpointer data)
{
    f->rig = hw_rig_new();
    f->pit = hw_rig_add(f->rig, &vit_i8254_kind, NULL);
    f->spk = hw_rig_add(f->rig, &vit_pcspk_kind, NULL);
    vit_pcspk_attach(f->spk, f->pit);
    vit_device_connect(f->pit, 0, (VitIrq){ note_out0, f, 0 });
    f->level = vit_i8254_get_out(f->pit, 0);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    vit_device_free(f->spk);
    vit_device_free(f->pit);
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

/* Control word and count for counter N; the clock is then at tick 0 of it. */
static void
program(Fixture *f, unsigned n, unsigned mode, uint16_t count)
{
    out(f, 0x43, n << 6 | 0x30 | mode << 1);
    out(f, 0x40 + n, count);
    out(f, 0x40 + n, count >> 8);
    f->start_tick = vit_clock_ticks(f->rig->test.platform.clock, VIT_PIT_HZ);
    f->rises = 0;
}

/* Goes to TICK ticks after the count was written. */
static void
go(Fixture *f, int64_t tick)
{
    vit_clock_step_to(f->rig->test.platform.clock,
                      pc_ticks_to_ns(f->start_tick + tick, VIT_PIT_HZ));
}

static uint16_t
read_count(Fixture *f, unsigned n)
{
    uint8_t low;

    out(f, 0x43, n << 6);
    low = in(f, 0x40 + n);
    return low | in(f, 0x40 + n) << 8;
}

static uint8_t
read_status(Fixture *f, unsigned n)
{
    out(f, 0x43, 0xe0 | 2u << n);
    return in(f, 0x40 + n);
}

static void
test_mode0(Fixture *f, gconstpointer data)
{
    program(f, 0, 0, 1000);
    g_assert_false(f->level);
    g_assert_cmphex(read_status(f, 0), ==, 0x70); /* null count, both bytes, mode 0 */
    go(f, 1);
    g_assert_cmphex(read_status(f, 0), ==, 0x30);
    g_assert_cmpuint(read_count(f, 0), ==, 1000);
    go(f, 401);
    g_assert_cmpuint(read_count(f, 0), ==, 600);
    go(f, 1000);
    g_assert_false(f->level);
    go(f, 1001);
    g_assert_true(f->level);
    g_assert_cmpuint(f->rises, ==, 1);
    go(f, 1003);
    g_assert_cmphex(read_count(f, 0), ==, 0xfffe);
    go(f, 100000);
    g_assert_cmpuint(f->rises, ==, 1);
}

/* A strobe that the machine thread has not come to is not lost to what the guest writes next. */
static void
test_owed(Fixture *f, gconstpointer data)
{
    static const struct {
        uint16_t port;
        uint8_t value;
    } writes[] = { { 0x43, 0x00 }, { 0x43, 0xb6 }, { 0x42, 0x10 }, { 0x43, 0x38 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(writes); i++) {
        program(f, 0, 4, 100);
        hw_rig_oversleep_ns(f->rig, 1000000);
        g_assert_cmpuint(f->rises, ==, 0);
        out(f, writes[i].port, writes[i].value);
        g_assert_cmpuint(f->rises, ==, 1);
    }
}

static void
test_mode2(Fixture *f, gconstpointer data)
{
    program(f, 0, 2, 100);
    go(f, 1 + 100 * 50);
    g_assert_cmpuint(f->rises, ==, 50);
    g_assert_cmpuint(read_count(f, 0), ==, 100);
    go(f, 1 + 100 * 50 + 99);
    g_assert_cmpuint(read_count(f, 0), ==, 1);
    g_assert_cmphex(read_status(f, 0) & 0x80, ==, 0); /* low for the last tick */
    /* a new count waits for the end of the cycle */
    out(f, 0x40, 200);
    out(f, 0x40, 0);
    g_assert_cmphex(read_status(f, 0) & 0x40, ==, 0x40);
    go(f, 1 + 100 * 51);
    g_assert_cmpuint(read_count(f, 0), ==, 200);
    g_assert_cmpuint(f->rises, ==, 51);
    go(f, 1 + 100 * 51 + 200 * 3);
    g_assert_cmpuint(f->rises, ==, 54);
}

static void
test_mode3(Fixture *f, gconstpointer data)
{
    program(f, 0, 3, 101); /* odd: one tick longer high than low */
    go(f, 1);
    g_assert_cmpuint(read_count(f, 0), ==, 100);
    go(f, 1 + 50);
    g_assert_true(read_status(f, 0) & 0x80);
    g_assert_cmpuint(read_count(f, 0), ==, 0);
    go(f, 1 + 51);
    g_assert_false(read_status(f, 0) & 0x80);
    g_assert_cmpuint(read_count(f, 0), ==, 100);
    go(f, 1 + 101 * 10);
    g_assert_cmpuint(f->rises, ==, 10);
}

static void
test_long_run(Fixture *f, gconstpointer data)
{
    /* 18.2 Hz for an hour: not one interrupt more or less */
    program(f, 0, 3, 0);
    go(f, 1 + 65536LL * 65543);
    g_assert_cmpuint(f->rises, ==, 65543);
}

static void
test_mode4(Fixture *f, gconstpointer data)
{
    program(f, 0, 4, 50);
    g_assert_true(f->level);
    go(f, 51);
    g_assert_false(read_status(f, 0) & 0x80);
    go(f, 52);
    g_assert_true(read_status(f, 0) & 0x80);
    g_assert_cmpuint(f->rises, ==, 1);
    go(f, 1000);
    g_assert_cmpuint(f->rises, ==, 1);
}

static void
test_gate(Fixture *f, gconstpointer data)
{
    /* counter 2 through port 0x61, mode 0 stops while the gate is low */
    program(f, 2, 0, 1000);
    go(f, 500);
    g_assert_cmpuint(read_count(f, 2), ==, 1000);
    out(f, 0x61, 1);
    f->start_tick = vit_clock_ticks(f->rig->test.platform.clock, VIT_PIT_HZ);
    go(f, 400);
    g_assert_cmpuint(read_count(f, 2), ==, 600);
    out(f, 0x61, 0);
    go(f, 2000);
    g_assert_cmpuint(read_count(f, 2), ==, 600);
    g_assert_cmphex(in(f, 0x61) & 0x2f, ==, 0x00);
    out(f, 0x61, 1);
    go(f, 2600);
    g_assert_cmphex(in(f, 0x61) & 0x2f, ==, 0x21);

    /* mode 1: a one-shot the gate starts, and starts again */
    out(f, 0x61, 0);
    program(f, 2, 1, 300);
    go(f, 1000);
    g_assert_true(vit_i8254_get_out(f->pit, 2));
    out(f, 0x61, 1);
    go(f, 1002);
    g_assert_false(vit_i8254_get_out(f->pit, 2));
    go(f, 1200);
    out(f, 0x61, 0);
    out(f, 0x61, 1);
    g_assert_false(vit_i8254_get_out(f->pit, 2));
    go(f, 1400);
    g_assert_false(vit_i8254_get_out(f->pit, 2));
    go(f, 1501);
    g_assert_true(vit_i8254_get_out(f->pit, 2));

    /* mode 3 rests high while the gate is low */
    program(f, 2, 3, 100);
    go(f, 1 + 70);
    g_assert_false(vit_i8254_get_out(f->pit, 2));
    out(f, 0x61, 0);
    g_assert_true(vit_i8254_get_out(f->pit, 2));
}

static void
test_reading(Fixture *f, gconstpointer data)
{
    /* one latch holds until read; BCD counts in tens; single-byte modes */
    program(f, 0, 2, 0x1234);
    go(f, 1 + 0x34);
    out(f, 0x43, 0x00);
    go(f, 2000);
    out(f, 0x43, 0x00);
    g_assert_cmphex(in(f, 0x40), ==, 0x00);
    g_assert_cmphex(in(f, 0x40), ==, 0x12);
    out(f, 0x43, 0xc2); /* read back status and count: status comes first */
    g_assert_cmphex(in(f, 0x40), ==, 0xb4);

    out(f, 0x43, 0x31); /* counter 0, mode 0, BCD */
    out(f, 0x40, 0x00);
    out(f, 0x40, 0x10);
    f->start_tick = vit_clock_ticks(f->rig->test.platform.clock, VIT_PIT_HZ);
    go(f, 2);
    g_assert_cmphex(read_count(f, 0), ==, 0x0999);

    out(f, 0x43, 0x14); /* low byte only, mode 2 */
    out(f, 0x40, 50);
    f->start_tick = vit_clock_ticks(f->rig->test.platform.clock, VIT_PIT_HZ);
    f->rises = 0;
    go(f, 1 + 500);
    g_assert_cmpuint(f->rises, ==, 10);
    g_assert_cmpuint(in(f, 0x40), ==, 50);
    g_assert_cmpuint(in(f, 0x40), ==, 50);
    g_assert_cmphex(in(f, 0x43), ==, 0xff);
}

static void
test_tiny_period(Fixture *f, gconstpointer data)
{
    /* a count of 2 asks for 600,000 interrupts a second; they are thinned out */
    program(f, 0, 2, 2);
    go(f, VIT_PIT_HZ / 100);
    g_assert_cmpuint(f->rises, >, 900);
    g_assert_cmpuint(f->rises, <=, 1000);
}

static void
test_refresh(Fixture *f, gconstpointer data)
{
    unsigned changes = 0;
    uint8_t before = in(f, 0x61) & 0x10;

    for (unsigned i = 0; i < 100; i++) {
        uint8_t now;

        hw_rig_step_ns(f->rig, 5000);
        now = in(f, 0x61) & 0x10;
        changes += now != before;
        before = now;
    }
    g_assert_cmpuint(changes, ==, 33); /* every 15 us */
    out(f, 0x61, 0x03);
    g_assert_true(vit_pcspk_is_on(f->spk));
    out(f, 0x61, 0xff);
    g_assert_cmphex(in(f, 0x61) & 0xcf, ==, 0x0f);
}

#define ADD(name, func) g_test_add("/i8254/" name, Fixture, NULL, set_up, func, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("mode-0", test_mode0);
    ADD("owed", test_owed);
    ADD("mode-2", test_mode2);
    ADD("mode-3", test_mode3);
    ADD("mode-4", test_mode4);
    ADD("long-run", test_long_run);
    ADD("gate", test_gate);
    ADD("reading", test_reading);
    ADD("tiny-period", test_tiny_period);
    ADD("refresh", test_refresh);
    return g_test_run();
}
