/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Keyboard controller, PS/2 keyboard and mouse: what a driver sees at ports 0x60 and 0x64. */

#include "hw-rig.h"
#include "input/i8042.h"
#include "vit-input-hub.h"

#include <linux/input-event-codes.h>

extern const VitDeviceKind vit_i8042_kind, vit_ps2_keyboard_kind, vit_ps2_mouse_kind;

typedef struct Fixture {
    HwRig *rig;
    VitDevice *kbc, *keyboard, *mouse;
    VitInputHub *hub;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
    f->rig = hw_rig_new();
    f->hub = f->rig->test.platform.input;
    f->kbc = hw_rig_add(f->rig, &vit_i8042_kind, NULL);
    f->keyboard = hw_rig_add(f->rig, &vit_ps2_keyboard_kind, NULL);
    f->mouse = hw_rig_add(f->rig, &vit_ps2_mouse_kind, NULL);
    vit_i8042_attach(f->kbc, f->keyboard, f->mouse);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    vit_device_free(f->mouse);
    vit_device_free(f->keyboard);
    vit_device_free(f->kbc);
    hw_rig_free(f->rig);
}

static void
command(Fixture *f, uint8_t value)
{
    test_outb(&f->rig->test, 0x64, value);
}

static void
data_out(Fixture *f, uint8_t value)
{
    test_outb(&f->rig->test, 0x60, value);
}

static uint8_t
status(Fixture *f)
{
    return test_inb(&f->rig->test, 0x64);
}

/* What waits, as hex; the mouse's bytes are marked. */
static char *
drain(Fixture *f)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < 200; i++) {
        uint8_t now = status(f);

        if (now & 1) {
            g_string_append_printf(text, "%s%s%02x", text->len ? " " : "", now & 0x20 ? "m" : "",
                                   test_inb(&f->rig->test, 0x60));
        } else {
            hw_rig_step_ns(f->rig, 100000);
        }
        if (i > 4 && !(status(f) & 1) && text->len == 0) {
            break;
        }
    }
    return g_string_free(text, FALSE);
}

static void
expect(Fixture *f, const char *wanted)
{
    g_autofree char *text = drain(f);

    g_assert_cmpstr(text, ==, wanted);
}

static void
to_mouse(Fixture *f, uint8_t value)
{
    command(f, 0xd4);
    data_out(f, value);
}

/* Bytes that are each acknowledged before the next. */
static void
to_mouse_ok(Fixture *f, uint8_t value)
{
    to_mouse(f, value);
    expect(f, "mfa");
}

static void
to_keyboard_ok(Fixture *f, uint8_t value)
{
    data_out(f, value);
    expect(f, "fa");
}

static void
press(Fixture *f, unsigned key)
{
    vit_input_key(f->hub, key, true);
    vit_input_key(f->hub, key, false);
}

/* ---- Controller ---- */

static void
test_controller(Fixture *f, gconstpointer data)
{
    command(f, 0xaa);
    expect(f, "55");
    g_assert_cmphex(status(f) & 0x04, ==, 0x04);
    command(f, 0xab);
    expect(f, "00");
    command(f, 0xa9);
    expect(f, "00");
    command(f, 0x20);
    expect(f, "07");
    command(f, 0x60);
    g_assert_cmphex(status(f) & 0x08, ==, 0x08);
    data_out(f, 0x47);
    g_assert_cmphex(status(f) & 0x08, ==, 0x00);
    command(f, 0x20);
    expect(f, "47");
    command(f, 0x75); /* controller RAM */
    data_out(f, 0x99);
    command(f, 0x35);
    expect(f, "99");
    command(f, 0xd2);
    data_out(f, 0xab);
    g_assert_true(f->rig->irq[1]);
    expect(f, "ab");
    command(f, 0xd3);
    data_out(f, 0xcd);
    g_assert_true(f->rig->irq[12]);
    expect(f, "mcd");
    g_assert_false(f->rig->irq[12]);
    command(f, 0xa7);
    command(f, 0x20);
    expect(f, "67");
    command(f, 0xa8);
    command(f, 0xa4);
    expect(f, "f1");
    command(f, 0x3f);
    expect(f, "00");
    command(f, 0x99); /* unknown: nothing happens */
    expect(f, "");
}

static void
test_output_port(Fixture *f, gconstpointer data)
{
    TestPlatform *test = &f->rig->test;

    command(f, 0xd0);
    expect(f, "cf");
    command(f, 0xd1);
    data_out(f, 0xcd);
    g_assert_false(test->a20);
    g_assert_cmpuint(test->a20_changes, ==, 1);
    command(f, 0xdf);
    g_assert_true(test->a20);
    command(f, 0xdd);
    g_assert_false(test->a20);
    g_assert_cmpuint(test->resets, ==, 0);
    command(f, 0xff); /* pulses nothing */
    g_assert_cmpuint(test->resets, ==, 0);
    command(f, 0xfe);
    g_assert_cmpuint(test->resets, ==, 1);
    g_assert_cmpint(test->last_cause, ==, VIT_CAUSE_GUEST_RESET);
    command(f, 0xd1);
    data_out(f, 0xce);
    g_assert_cmpuint(test->resets, ==, 2);
}

/* Port 0x60 keeps its byte for a while after it was read. */
static void
test_read_twice(Fixture *f, gconstpointer data)
{
    vit_input_key(f->hub, KEY_A, true);
    vit_input_key(f->hub, KEY_B, true);
    g_assert_cmphex(test_inb(&f->rig->test, 0x60), ==, 0x1c);
    g_assert_cmphex(test_inb(&f->rig->test, 0x60), ==, 0x1c);
    g_assert_false(f->rig->irq[1]);
    hw_rig_step_ns(f->rig, 300000);
    g_assert_true(f->rig->irq[1]);
    g_assert_cmphex(test_inb(&f->rig->test, 0x60), ==, 0x32);
    g_assert_cmpuint(f->rig->irq_rises[1], ==, 2);
    /* when its time has come the byte is there, though the timer is late */
    vit_input_key(f->hub, KEY_D, true);
    g_assert_cmphex(status(f) & 0x01, ==, 0x00);
    vit_clock_set_ns(f->rig->test.platform.clock, hw_rig_now(f->rig) + 300000);
    g_assert_cmphex(status(f) & 0x01, ==, 0x01);
    g_assert_cmphex(test_inb(&f->rig->test, 0x60), ==, 0x23);
    /* while the interface is off the keyboard waits */
    command(f, 0xad);
    vit_input_key(f->hub, KEY_C, true);
    expect(f, "");
    command(f, 0xae);
    g_autofree char *text = drain(f);
    g_assert_true(g_str_has_prefix(text, "21"));
}

/* ---- Keyboard ---- */

static void
test_keyboard_commands(Fixture *f, gconstpointer data)
{
    data_out(f, 0xff);
    expect(f, "fa aa");
    data_out(f, 0xf2);
    expect(f, "fa ab 83");
    data_out(f, 0xee);
    expect(f, "ee");
    data_out(f, 0xed);
    expect(f, "fa");
    data_out(f, 0x02);
    expect(f, "fa");
    g_assert_cmpuint(vit_input_get_leds(f->hub), ==, 2);
    to_keyboard_ok(f, 0xf0);
    data_out(f, 0x00);
    expect(f, "fa 02");
    data_out(f, 0xfe);
    expect(f, "02"); /* the last byte again */
    to_keyboard_ok(f, 0xf0);
    data_out(f, 0x09);
    expect(f, "fe");
    to_keyboard_ok(f, 0xf3);
    to_keyboard_ok(f, 0xf4); /* a command instead of the rate */
    data_out(f, 0x07);
    expect(f, "fe");
    data_out(f, 0xf2); /* the host goes on without the rest of the answer */
    data_out(f, 0xee);
    expect(f, "fa ee");
    data_out(f, 0xf5);
    expect(f, "fa");
    press(f, KEY_A);
    expect(f, "");
    data_out(f, 0xf6);
    press(f, KEY_A);
    expect(f, "fa 1c f0 1c");
    /* the id goes through the translation like anything else */
    command(f, 0x60);
    data_out(f, 0x41);
    data_out(f, 0xf2);
    expect(f, "fa ab 41");
}

static void
test_scan_codes(Fixture *f, gconstpointer data)
{
    press(f, KEY_LEFT);
    expect(f, "e0 6b e0 f0 6b");
    press(f, KEY_F7);
    expect(f, "83 f0 83");
    press(f, KEY_PAUSE);
    expect(f, "e1 14 77 e1 f0 14 f0 77");
    press(f, KEY_SYSRQ);
    expect(f, "e0 12 e0 7c e0 f0 7c e0 f0 12");
    vit_input_key(f->hub, KEY_LEFTALT, true);
    press(f, KEY_SYSRQ);
    vit_input_key(f->hub, KEY_LEFTALT, false);
    expect(f, "11 84 f0 84 f0 11");
    vit_input_key(f->hub, KEY_RIGHTCTRL, true);
    press(f, KEY_PAUSE);
    vit_input_key(f->hub, KEY_RIGHTCTRL, false);
    expect(f, "e0 14 e0 7e e0 f0 7e e0 f0 14");
    press(f, KEY_HANGEUL);
    expect(f, "f2");

    to_keyboard_ok(f, 0xf0);
    to_keyboard_ok(f, 0x01);
    press(f, KEY_LEFT);
    press(f, KEY_A);
    expect(f, "e0 4b e0 cb 1e 9e");
    press(f, KEY_PAUSE);
    expect(f, "e1 1d 45 e1 9d c5");
    to_keyboard_ok(f, 0xf0);
    to_keyboard_ok(f, 0x03);
    press(f, KEY_LEFT);
    press(f, KEY_HANGEUL);
    expect(f, "61 f0 61");
}

/* Through the controller's translation every key gives the set 1 code of the table. */
static void
test_translation(Fixture *f, gconstpointer data)
{
    const VitKey *key;

    command(f, 0x60);
    data_out(f, 0x41);
    for (unsigned n = 0; (key = vit_key_nth(n)); n++) {
        g_autofree char *wanted = NULL;

        if (!key->set1 || key->code == KEY_SYSRQ || key->code == KEY_PAUSE ||
            key->code == KEY_HANGEUL || key->code == KEY_HANJA) {
            continue;
        }
        wanted = key->set1 >> 8 ? g_strdup_printf("e0 %02x e0 %02x", key->set1 & 0xff,
                                                  (key->set1 & 0xff) | 0x80)
                                : g_strdup_printf("%02x %02x", key->set1, key->set1 | 0x80);
        press(f, key->code);
        expect(f, wanted);
    }
    press(f, KEY_SYSRQ);
    expect(f, "e0 2a e0 37 e0 b7 e0 aa");
    press(f, KEY_PAUSE);
    expect(f, "e1 1d 45 e1 9d c5");
}

static void
test_typematic(Fixture *f, gconstpointer data)
{
    to_keyboard_ok(f, 0xf3);
    to_keyboard_ok(f, 0x20); /* half a second, then 30 a second */
    vit_input_key(f->hub, KEY_X, true);
    vit_input_key(f->hub, KEY_X, true); /* a viewer's own repeat */
    hw_rig_step_ns(f->rig, 1000000);
    g_assert_cmphex(test_inb(&f->rig->test, 0x60), ==, 0x22);
    hw_rig_step_ns(f->rig, 490000000);
    g_assert_cmphex(status(f) & 1, ==, 0);
    hw_rig_step_ns(f->rig, 10000000);
    g_assert_cmphex(status(f) & 1, ==, 1);
    hw_rig_step_ns(f->rig, 10 * VIT_NS_PER_SEC); /* repeats do not pile up */
    vit_input_key(f->hub, KEY_X, false);
    expect(f, "22 22 f0 22");
    hw_rig_step_ns(f->rig, VIT_NS_PER_SEC);
    expect(f, "");
}

static void
test_overflow(Fixture *f, gconstpointer data)
{
    for (unsigned i = 0; i < 100; i++) {
        press(f, KEY_LEFT);
    }
    data_out(f, 0xee); /* an answer gets through and comes first */
    test_inb(&f->rig->test, 0x60);
    hw_rig_step_ns(f->rig, 300000);
    g_assert_cmphex(test_inb(&f->rig->test, 0x60), ==, 0xee);
    g_assert_true(f->rig->test.guest_errors->len > 0);
}

/* ---- Mouse ---- */

static void
test_mouse_commands(Fixture *f, gconstpointer data)
{
    to_mouse(f, 0xff);
    expect(f, "mfa maa m00");
    to_mouse(f, 0xf2);
    expect(f, "mfa m00");
    to_mouse(f, 0xe9);
    expect(f, "mfa m00 m02 m64");
    to_mouse_ok(f, 0xe8);
    to_mouse_ok(f, 0x03);
    to_mouse_ok(f, 0xe7);
    to_mouse_ok(f, 0xf4);
    to_mouse(f, 0xe9);
    expect(f, "mfa m30 m03 m64");
    to_mouse_ok(f, 0xee);
    to_mouse(f, 0x55);
    expect(f, "m55");
    to_mouse_ok(f, 0xec);
    to_mouse(f, 0x12);
    expect(f, "mfe");
}

static void
knock(Fixture *f, uint8_t a, uint8_t b, uint8_t c)
{
    const uint8_t rates[] = { a, b, c };

    for (unsigned i = 0; i < 3; i++) {
        to_mouse_ok(f, 0xf3);
        to_mouse_ok(f, rates[i]);
    }
}

static void
test_mouse_reports(Fixture *f, gconstpointer data)
{
    vit_input_relative(f->hub, 5, 5);
    vit_input_sync(f->hub);
    expect(f, ""); /* not enabled */
    to_mouse(f, 0xf4);
    expect(f, "mfa");
    vit_input_relative(f->hub, 3, -2); /* up is positive to the guest */
    vit_input_sync(f->hub);
    expect(f, "m08 m03 m02");
    vit_input_button(f->hub, VIT_BUTTON_LEFT, true);
    vit_input_button(f->hub, VIT_BUTTON_MIDDLE, true);
    vit_input_relative(f->hub, -1, 1);
    vit_input_sync(f->hub);
    expect(f, "m3d mff mff");
    vit_input_relative(f->hub, 300, 0); /* more than a report can say */
    vit_input_button(f->hub, VIT_BUTTON_WHEEL_UP, true);
    vit_input_sync(f->hub);
    expect(f, "m0d mff m00 m0d m2d m00");

    knock(f, 200, 100, 80);
    to_mouse(f, 0xf2);
    expect(f, "mfa m03");
    vit_input_release_all(f->hub);
    expect(f, "m08 m00 m00 m00");
    vit_input_button(f->hub, VIT_BUTTON_WHEEL_UP, true);
    vit_input_sync(f->hub);
    expect(f, "m08 m00 m00 mff");
    knock(f, 200, 200, 80);
    to_mouse(f, 0xf2);
    expect(f, "mfa m04");
    vit_input_button(f->hub, VIT_BUTTON_EXTRA, true);
    vit_input_button(f->hub, VIT_BUTTON_WHEEL_DOWN, true);
    vit_input_sync(f->hub);
    expect(f, "m08 m00 m00 m21");
}

static void
test_mouse_pace(Fixture *f, gconstpointer data)
{
    int x = 0;

    to_mouse(f, 0xf4);
    expect(f, "mfa");
    for (unsigned i = 0; i < 1000; i++) {
        vit_input_relative(f->hub, 1, 0);
        vit_input_sync(f->hub);
    }
    /* nothing is lost, and a slow guest is not drowned */
    for (unsigned i = 0; i < 30; i++) {
        uint8_t report[3];

        for (unsigned n = 0; n < 3 && (status(f) & 1); n++) {
            report[n] = test_inb(&f->rig->test, 0x60);
            hw_rig_step_ns(f->rig, 300000);
            if (n == 2) {
                x += report[1];
            }
        }
    }
    g_assert_cmpint(x, ==, 1000);
    g_assert_cmphex(status(f) & 1, ==, 0);

    to_mouse(f, 0xf0); /* remote: only when asked */
    expect(f, "mfa");
    vit_input_relative(f->hub, 7, 0);
    vit_input_sync(f->hub);
    expect(f, "");
    to_mouse(f, 0xeb);
    expect(f, "mfa m08 m07 m00");
}

#define ADD(name, func) g_test_add("/i8042/" name, Fixture, NULL, set_up, func, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("controller", test_controller);
    ADD("output-port", test_output_port);
    ADD("read-twice", test_read_twice);
    ADD("keyboard-commands", test_keyboard_commands);
    ADD("scan-codes", test_scan_codes);
    ADD("translation", test_translation);
    ADD("typematic", test_typematic);
    ADD("overflow", test_overflow);
    ADD("mouse-commands", test_mouse_commands);
    ADD("mouse-reports", test_mouse_reports);
    ADD("mouse-pace", test_mouse_pace);
    return g_test_run();
}
