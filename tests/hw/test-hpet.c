/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The HPET by its registers. */

#include "hw-rig.h"

extern const VitDeviceKind vit_hpet_kind;

#define BASE 0xfed00000u
enum { CAP = 0, CONFIG = 0x10, STATUS = 0x20, COUNTER = 0xf0, T0 = 0x100, T1 = 0x120, T2 = 0x140 };
enum { CMP = 8, FSB = 16 };

typedef struct Fixture {
    HwRig *rig;
    VitDevice *hpet;
    bool level[32];
    unsigned rises[32];
} Fixture;

static void
note_line(void *opaque, int n, int level)
{
    Fixture *f = opaque;

    f->rises[n] += level && !f->level[n];
    f->level[n] = level;
}

static void
set_up(Fixture *f, gconstpointer msi)
{
    f->rig = hw_rig_new();
    f->hpet = hw_rig_create(f->rig, &vit_hpet_kind);
    if (msi) {
        g_assert_true(vit_device_set(f->hpet, "msi", "on", NULL, NULL));
    }
    g_assert_true(vit_device_realize(f->hpet, NULL, &f->rig->test.platform, NULL));
    for (int n = 0; n < 32; n++) {
        vit_device_connect(f->hpet, n, (VitIrq){ note_line, f, n });
    }
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    vit_device_free(f->hpet);
    hw_rig_free(f->rig);
}

static uint64_t
rd(Fixture *f, unsigned at)
{
    return vit_dma_read64(f->rig->test.platform.memory, BASE + at);
}

/* As a guest does: one access, not DMA bytes. */
static void
wr(Fixture *f, unsigned at, unsigned size, uint64_t value)
{
    vit_address_space_write(f->rig->test.platform.memory, BASE + at, size, value);
}

static void
test_counter(Fixture *f, gconstpointer data)
{
    g_assert_cmphex(rd(f, CAP), ==, 0x009896808086a201);
    g_assert_cmphex(rd(f, T0), ==, 0x0000000400000030);
    hw_rig_step_ns(f->rig, 1000000);
    g_assert_cmpuint(rd(f, COUNTER), ==, 0);
    wr(f, CONFIG, 4, 1);
    hw_rig_step_ns(f->rig, 1000000);
    g_assert_cmpuint(rd(f, COUNTER), ==, 100000);
    wr(f, CONFIG, 4, 0);
    hw_rig_step_ns(f->rig, 1000000);
    g_assert_cmpuint(rd(f, COUNTER), ==, 100000);
    wr(f, COUNTER + 4, 4, 0x12345678);
    g_assert_cmphex(rd(f, COUNTER), ==, 0x12345678000186a0);
    wr(f, COUNTER, 8, 0xfffffffffffffff0);
    wr(f, CONFIG, 4, 1);
    hw_rig_step_ns(f->rig, 200);
    g_assert_cmpuint(rd(f, COUNTER), ==, 4);
}

static void
test_one_shot(Fixture *f, gconstpointer data)
{
    wr(f, CONFIG, 4, 1);
    wr(f, T1 + CMP, 8, 5000);
    wr(f, T1, 4, 0x04 | 2 << 9);
    hw_rig_step_ns(f->rig, 49990);
    g_assert_cmpuint(f->rises[2], ==, 0);
    hw_rig_step_ns(f->rig, 10);
    g_assert_cmpuint(f->rises[2], ==, 1);
    g_assert_false(f->level[2]);
    hw_rig_step_ns(f->rig, VIT_NS_PER_SEC);
    wr(f, T1, 4, 0x04 | 2 << 9);
    g_assert_cmpuint(f->rises[2], ==, 1);
    wr(f, T1 + CMP, 8, 10); /* behind: at once */
    hw_rig_step_ns(f->rig, 10);
    g_assert_cmpuint(f->rises[2], ==, 2);
}

/* A match that the machine thread has not come to is not lost to what the guest writes next. */
static void
test_owed(Fixture *f, gconstpointer data)
{
    wr(f, CONFIG, 4, 1);
    wr(f, T1, 4, 0x04 | 2 << 9);
    wr(f, T1 + CMP, 8, 5000);
    hw_rig_oversleep_ns(f->rig, VIT_NS_PER_SEC);
    wr(f, T1, 4, 0x04 | 2 << 9);
    g_assert_cmpuint(f->rises[2], ==, 1);
    wr(f, T1 + CMP, 8, rd(f, COUNTER) + 5000);
    hw_rig_oversleep_ns(f->rig, VIT_NS_PER_SEC);
    wr(f, CONFIG, 4, 0);
    g_assert_cmpuint(f->rises[2], ==, 2);
}

static void
test_periodic(Fixture *f, gconstpointer data)
{
    wr(f, T0, 4, 0x0c | 0x40 | 2 << 9);
    wr(f, T0 + CMP, 8, 100000); /* first match, then the period */
    wr(f, T0 + CMP, 8, 100000);
    g_assert_cmphex(rd(f, T0) & 0x40, ==, 0);
    wr(f, CONFIG, 4, 1);
    hw_rig_step_ns(f->rig, 10 * 1000000);
    g_assert_cmpuint(f->rises[2], ==, 10);
    g_assert_cmpuint(rd(f, T0 + CMP), ==, 1100000);
    /* 32-bit mode wraps */
    wr(f, CONFIG, 4, 0);
    wr(f, T0, 4, 0x0c | 0x140 | 2 << 9);
    wr(f, COUNTER, 8, 0xfffffff0);
    wr(f, T0 + CMP, 4, 0x10);
    wr(f, T0 + CMP, 4, 0x1000);
    wr(f, CONFIG, 4, 1);
    hw_rig_step_ns(f->rig, 0x20 * 10);
    g_assert_cmpuint(f->rises[2], ==, 11);
    hw_rig_step_ns(f->rig, 0x1000 * 10 * 4);
    g_assert_cmpuint(f->rises[2], ==, 15);
}

static void
test_level(Fixture *f, gconstpointer data)
{
    wr(f, CONFIG, 4, 1);
    wr(f, T2, 4, 0x06 | 2 << 9);
    wr(f, T2 + CMP, 8, 100);
    hw_rig_step_ns(f->rig, 1000);
    g_assert_true(f->level[2]);
    g_assert_cmphex(rd(f, STATUS), ==, 4);
    wr(f, STATUS, 4, 4);
    g_assert_false(f->level[2]);
    g_assert_cmphex(rd(f, STATUS), ==, 0);
    wr(f, T2 + CMP, 8, 200);
    hw_rig_step_ns(f->rig, 1000);
    g_assert_true(f->level[2]);
    vit_device_reset(f->hpet);
    g_assert_false(f->level[2]);
}

static void
test_legacy(Fixture *f, gconstpointer data)
{
    VitIrq pit = vit_device_irq_in(f->hpet, 0), rtc = vit_device_irq_in(f->hpet, 1);

    vit_irq_set(&pit, 1);
    vit_irq_set(&rtc, 1);
    g_assert_true(f->level[0] && f->level[8]);
    wr(f, CONFIG, 4, 3);
    g_assert_false(f->level[0] || f->level[8]);
    vit_irq_pulse(&pit);
    g_assert_cmpuint(f->rises[0], ==, 1);
    wr(f, T0, 4, 0x04 | 5 << 9); /* the route does not count now */
    wr(f, T0 + CMP, 8, 100);
    wr(f, T1, 4, 0x04);
    wr(f, T1 + CMP, 8, 100);
    hw_rig_step_ns(f->rig, 1000);
    g_assert_cmpuint(f->rises[0], ==, 2);
    g_assert_cmpuint(f->rises[8], ==, 2);
    g_assert_cmpuint(f->rises[5], ==, 0);
    wr(f, CONFIG, 4, 1);
    g_assert_true(f->level[8]); /* as the clock still holds it */
    g_assert_false(f->level[0]);
}

static void
test_message(Fixture *f, gconstpointer data)
{
    wr(f, CONFIG, 4, 1);
    wr(f, T0, 4, 0x4004);
    wr(f, T0 + FSB, 4, 0xcafe0041);
    wr(f, T0 + FSB + 4, 4, 0x1000);
    wr(f, T0 + CMP, 8, 100);
    hw_rig_step_ns(f->rig, 1000);
    if (data) {
        g_assert_cmphex(vit_dma_read32(f->rig->test.platform.memory, 0x1000), ==, 0xcafe0041);
        g_assert_cmpuint(f->rises[0], ==, 0);
    } else {
        g_assert_cmphex(rd(f, T0) & 0xc000, ==, 0);
        g_assert_cmpuint(f->rises[0], ==, 1);
    }
}

#define ADD(name, data, func) g_test_add("/hpet/" name, Fixture, data, set_up, func, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("counter", NULL, test_counter);
    ADD("one-shot", NULL, test_one_shot);
    ADD("owed", NULL, test_owed);
    ADD("periodic", NULL, test_periodic);
    ADD("level", NULL, test_level);
    ADD("legacy", NULL, test_legacy);
    ADD("no-message", NULL, test_message);
    ADD("message", "on", test_message);
    return g_test_run();
}
