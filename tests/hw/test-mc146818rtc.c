/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The real-time clock by its ports. The rig's wall clock starts at 2001-09-09 01:46:40, a Sunday.
 */

#include "hw-rig.h"
#include "pc/mc146818rtc.h"

extern const VitDeviceKind vit_mc146818rtc_kind;

typedef struct Fixture {
    HwRig *rig;
    VitDevice *rtc;
    unsigned rises;
    bool level;
} Fixture;

static void
note_irq(void *opaque, int n, int level)
{
    Fixture *f = opaque;

    f->rises += level && !f->level;
    f->level = level;
}

static void
set_up(Fixture *f, gconstpointer policy)
{
    VitBus *bus;

    f->rig = hw_rig_new();
    f->rtc = hw_rig_create(f->rig, &vit_mc146818rtc_kind);
    if (policy) {
        g_assert_true(vit_device_set(f->rtc, "lost_tick_policy", policy, NULL, NULL));
    }
    g_assert_true(hw_rig_find_bus(f->rig, &vit_mc146818rtc_kind, &bus));
    g_assert_true(vit_device_realize(f->rtc, bus, &f->rig->test.platform, NULL));
    vit_device_connect(f->rtc, 0, (VitIrq){ note_irq, f, 0 });
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    vit_device_free(f->rtc);
    hw_rig_free(f->rig);
}

static uint8_t
get(Fixture *f, uint8_t index)
{
    test_outb(&f->rig->test, 0x70, index);
    return test_inb(&f->rig->test, 0x71);
}

static void
set(Fixture *f, uint8_t index, uint8_t value)
{
    test_outb(&f->rig->test, 0x70, index);
    test_outb(&f->rig->test, 0x71, value);
}

/* Year to second as BCD digits, e.g. "20010909 014640 1". */
static void
expect_time(Fixture *f, const char *text)
{
    g_autofree char *now =
        g_strdup_printf("%02x%02x%02x%02x %02x%02x%02x %x", get(f, 0x32), get(f, 9), get(f, 8),
                        get(f, 7), get(f, 4), get(f, 2), get(f, 0), get(f, 6));

    g_assert_cmpstr(now, ==, text);
}

static void
test_running(Fixture *f, gconstpointer data)
{
    expect_time(f, "20010909 014640 1");
    g_assert_cmphex(get(f, 0x37), ==, 0x20);
    hw_rig_step_ns(f->rig, 20 * VIT_NS_PER_SEC);
    expect_time(f, "20010909 014700 1");
    hw_rig_step_ns(f->rig, 86400 * VIT_NS_PER_SEC);
    expect_time(f, "20010910 014700 2");
    g_assert_cmphex(get(f, 0x0d), ==, 0x80);
    /* binary and 12 hours */
    set(f, 0x0b, 0x04);
    hw_rig_step_ns(f->rig, 12 * 3600 * VIT_NS_PER_SEC);
    g_assert_cmphex(get(f, 4), ==, 0x81);
    g_assert_cmphex(get(f, 2), ==, 47);
    hw_rig_step_ns(f->rig, 11 * 3600 * VIT_NS_PER_SEC);
    g_assert_cmphex(get(f, 4), ==, 12);
}

static void
test_setting(Fixture *f, gconstpointer data)
{
    static const uint8_t time[][2] = { { 0x32, 0x19 }, { 9, 0x99 }, { 8, 0x12 }, { 7, 0x31 },
                                       { 6, 0x06 },    { 4, 0x23 }, { 2, 0x59 }, { 0, 0x58 } };

    set(f, 0x0b, 0x82);
    for (unsigned i = 0; i < G_N_ELEMENTS(time); i++) {
        set(f, time[i][0], time[i][1]);
    }
    hw_rig_step_ns(f->rig, 10 * VIT_NS_PER_SEC); /* SET holds */
    expect_time(f, "19991231 235958 6");
    set(f, 0x0b, 0x02);
    hw_rig_step_ns(f->rig, 2 * VIT_NS_PER_SEC);
    expect_time(f, "20000101 000000 7");
    g_assert_true(strstr(f->rig->test.events->str, "RTC_CHANGE {\"offset\": -"));
    hw_rig_step_ns(f->rig, 59LL * 86400 * VIT_NS_PER_SEC);
    expect_time(f, "20000229 000000 3"); /* a leap year; the week day goes on as it was set */

    /* nonsense is taken for some time, never for harm */
    for (unsigned i = 0; i < 10; i++) {
        set(f, i, 0xff);
    }
    set(f, 0x32, 0xff);
    get(f, 0);
    g_assert_cmpint(vit_rtc_get_time(f->rtc), <=, 7000000000LL);

    /* out of divider reset the first update comes in half a second */
    set(f, 0x0a, 0x76);
    set(f, 0, 0x10);
    hw_rig_step_ns(f->rig, 5 * VIT_NS_PER_SEC);
    set(f, 0x0a, 0x26);
    hw_rig_step_ns(f->rig, 499000000);
    g_assert_cmphex(get(f, 0), ==, 0x10);
    hw_rig_step_ns(f->rig, 1000000);
    g_assert_cmphex(get(f, 0), ==, 0x11);
}

static void
test_update(Fixture *f, gconstpointer data)
{
    g_assert_cmphex(get(f, 0x0a), ==, 0x26);
    hw_rig_step_ns(f->rig, 999800000);
    g_assert_cmphex(get(f, 0x0a), ==, 0xa6); /* within 244 us of the update */
    g_assert_cmphex(get(f, 0x0c) & 0x10, ==, 0);
    hw_rig_step_ns(f->rig, 200000);
    g_assert_cmphex(get(f, 0x0a), ==, 0x26);
    g_assert_cmphex(get(f, 0x0c), ==, 0x50); /* flags rise without their interrupts too */
    g_assert_cmphex(get(f, 0x0c), ==, 0x00);
    set(f, 0x0b, 0x12);
    hw_rig_step_ns(f->rig, 5 * VIT_NS_PER_SEC);
    g_assert_cmpuint(f->rises, ==, 1); /* a level until C is read */
    g_assert_cmphex(get(f, 0x0c), ==, 0xd0);
    g_assert_false(f->level);
}

static void
test_alarm(Fixture *f, gconstpointer data)
{
    set(f, 1, 0x30);
    set(f, 3, 0x47);
    set(f, 5, 0x01);
    set(f, 0x0b, 0x22);
    hw_rig_step_ns(f->rig, 49 * VIT_NS_PER_SEC);
    g_assert_false(f->level);
    hw_rig_step_ns(f->rig, VIT_NS_PER_SEC);
    g_assert_true(f->level);
    g_assert_cmphex(get(f, 0x0c) & 0xa0, ==, 0xa0);
    hw_rig_step_ns(f->rig, 86399 * VIT_NS_PER_SEC);
    g_assert_false(f->level);
    hw_rig_step_ns(f->rig, VIT_NS_PER_SEC);
    g_assert_true(f->level);
    get(f, 0x0c);
    /* every minute at second 5; then an alarm that never comes */
    set(f, 1, 0x05);
    set(f, 3, 0xff);
    set(f, 5, 0xc0);
    f->rises = 0;
    for (unsigned i = 0; i < 120; i++) {
        hw_rig_step_ns(f->rig, VIT_NS_PER_SEC);
        get(f, 0x0c);
    }
    g_assert_cmpuint(f->rises, ==, 2);
    set(f, 1, 0x7b);
    hw_rig_step_ns(f->rig, 3600 * VIT_NS_PER_SEC);
    g_assert_cmpuint(f->rises, ==, 2);
}

/* An alarm that the machine thread has not come to is not lost to what the guest writes next. */
static void
test_owed(Fixture *f, gconstpointer data)
{
    set(f, 1, 0x30);
    set(f, 3, 0x47);
    set(f, 5, 0x01);
    set(f, 0x0b, 0x22);
    hw_rig_oversleep_ns(f->rig, 51 * VIT_NS_PER_SEC);
    g_assert_false(f->level);
    set(f, 0x0a, 0x26);
    g_assert_true(f->level);
}

static void
test_periodic(Fixture *f, gconstpointer data)
{
    set(f, 0x0b, 0x42); /* 1024 Hz */
    for (unsigned i = 0; i < 10240; i++) {
        hw_rig_step_ns(f->rig, 97656);
        get(f, 0x0c);
    }
    g_assert_cmpuint(f->rises, ==, 1023); /* of 1.0000 s less 5 us */
    set(f, 0x0a, 0x23);                   /* 8192 Hz */
    f->rises = 0;
    for (unsigned i = 0; i < 1000; i++) {
        hw_rig_step_ns(f->rig, 61035);
        get(f, 0x0c);
    }
    g_assert_cmpuint(f->rises, >=, 499);
    g_assert_cmpuint(f->rises, <=, 500);
    set(f, 0x0a, 0x20); /* off */
    get(f, 0x0c);
    hw_rig_step_ns(f->rig, VIT_NS_PER_SEC);
    g_assert_cmphex(get(f, 0x0c) & 0x40, ==, 0);
}

/* The guest sleeps for 16 of 32 ticks; afterwards it gets what it missed. */
static void
test_slew(Fixture *f, gconstpointer policy)
{
    unsigned got = 0;

    set(f, 0x0b, 0x42);
    for (unsigned i = 1; i <= 64; i++) {
        hw_rig_step_ns(f->rig, 976563);
        if (i <= 16 || i > 32) {
            while (f->level) {
                got += (get(f, 0x0c) & 0xc0) == 0xc0;
            }
        }
    }
    if (policy) {
        g_assert_cmpuint(got, ==, 64);
    } else {
        g_assert_cmpuint(got, ==, 64 - 16);
    }
}

static void
test_memory(Fixture *f, gconstpointer data)
{
    set(f, 0x40, 0x5a);
    g_assert_cmphex(get(f, 0x40), ==, 0x5a);
    g_assert_false(vit_rtc_nmi_masked(f->rtc));
    g_assert_cmphex(get(f, 0xc0), ==, 0x5a);
    g_assert_true(vit_rtc_nmi_masked(f->rtc));
    vit_rtc_set_cmos(f->rtc, 0x5f, 0x77);
    g_assert_cmphex(get(f, 0x5f), ==, 0x77);
    vit_rtc_set_cmos(f->rtc, 0x80, 0x77);
    set(f, 0x0b, 0x72);
    vit_device_reset(f->rtc);
    g_assert_cmphex(get(f, 0x5f), ==, 0x77);
    g_assert_cmphex(get(f, 0x0b), ==, 0x02);
}

#define ADD(name, data, func) \
    g_test_add("/mc146818rtc/" name, Fixture, data, set_up, func, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("running", NULL, test_running);
    ADD("setting", NULL, test_setting);
    ADD("update", NULL, test_update);
    ADD("alarm", NULL, test_alarm);
    ADD("owed", NULL, test_owed);
    ADD("periodic", NULL, test_periodic);
    ADD("discard", NULL, test_slew);
    ADD("slew", "slew", test_slew);
    ADD("memory", NULL, test_memory);
    return g_test_run();
}
