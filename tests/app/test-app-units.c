/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The application's parts that need no display: geometry, hotkeys, typing, meters. */

#include "app-hotkeys.h"
#include "app-meter.h"
#include "app-typist.h"
#include "app-viewport.h"

#include <linux/input-event-codes.h>

/* ---- Geometry ---- */

static void
test_shape(void)
{
    static const struct {
        int width, height, shape_width, shape_height;
    } cases[] = {
        { 640, 480, 640, 480 },     { 720, 400, 720, 540 }, { 640, 400, 640, 480 },
        { 320, 200, 320, 240 },     { 640, 350, 640, 480 }, { 640, 200, 640, 480 },
        { 360, 480, 640, 480 },     { 800, 600, 800, 600 }, { 1280, 1024, 1280, 1024 },
        { 1920, 1080, 1920, 1080 },
    };
    int width, height;

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        app_viewport_shape(cases[i].width, cases[i].height, true, &width, &height);
        g_assert_cmpint(width, ==, cases[i].shape_width);
        g_assert_cmpint(height, ==, cases[i].shape_height);
        app_viewport_shape(cases[i].width, cases[i].height, false, &width, &height);
        g_assert_cmpint(width, ==, cases[i].width);
        g_assert_cmpint(height, ==, cases[i].height);
    }
}

/* The device pixel in the middle of a guest pixel leads back to it, in every mode and at the sizes
 * that scales 1, 1.25, 1.5 and 2 give. */
static void
test_pointer_truth(void)
{
    static const double scales[] = { 1, 1.25, 1.5, 2 };
    static const struct {
        int width, height;
    } guests[] = { { 640, 480 }, { 720, 400 }, { 320, 200 }, { 1024, 768 }, { 1920, 1080 } };
    guint points = 0;

    for (guint s = 0; s < G_N_ELEMENTS(scales); s++) {
        for (guint g = 0; g < G_N_ELEMENTS(guests); g++) {
            for (int mode = APP_SCALE_FIT; mode <= APP_SCALE_STRETCH; mode++) {
                int guest_width = guests[g].width, guest_height = guests[g].height;
                int shape_width, shape_height;
                AppViewport viewport;

                app_viewport_shape(guest_width, guest_height, true, &shape_width, &shape_height);
                viewport = app_viewport_compute(2000 * scales[s], 1500 * scales[s], shape_width,
                                                shape_height, mode);
                g_assert_cmpint(viewport.width, >=, guest_width);
                for (guint i = 0; i < 100; i++) {
                    int x = g_random_int_range(0, guest_width);
                    int y = g_random_int_range(0, guest_height), got_x, got_y;
                    double device_x = viewport.x + (x + 0.5) * viewport.width / (double)guest_width;
                    double device_y =
                        viewport.y + (y + 0.5) * viewport.height / (double)guest_height;

                    g_assert_true(app_viewport_to_guest(&viewport, device_x, device_y, guest_width,
                                                        guest_height, &got_x, &got_y));
                    g_assert_cmpint(got_x, ==, x);
                    g_assert_cmpint(got_y, ==, y);
                    points++;
                }
            }
        }
    }
    g_test_message("%u points, none off", points);
}

/* ---- Hotkeys ---- */

static AppHotkey
press(AppHotkeys *hotkeys, guint key, guint *out_number)
{
    return app_hotkeys_feed(hotkeys, key, TRUE, out_number);
}

static AppHotkey
let_go(AppHotkeys *hotkeys, guint key)
{
    guint number;

    return app_hotkeys_feed(hotkeys, key, FALSE, &number);
}

static void
test_release_key(void)
{
    AppHotkeys hotkeys;
    guint number;

    app_hotkeys_init(&hotkeys, "ctrl+alt");
    g_assert_cmpint(press(&hotkeys, KEY_LEFTCTRL, &number), ==, APP_HOTKEY_NONE);
    g_assert_cmpint(press(&hotkeys, KEY_LEFTALT, &number), ==, APP_HOTKEY_NONE);
    g_assert_cmpint(let_go(&hotkeys, KEY_LEFTALT), ==, APP_HOTKEY_RELEASE);
    g_assert_cmpint(let_go(&hotkeys, KEY_LEFTCTRL), ==, APP_HOTKEY_NONE);
    /* with another key in between they are the guest's, such as Ctrl+Alt+Delete */
    press(&hotkeys, KEY_RIGHTCTRL, &number);
    press(&hotkeys, KEY_LEFTALT, &number);
    g_assert_cmpint(press(&hotkeys, KEY_DELETE, &number), ==, APP_HOTKEY_NONE);
    let_go(&hotkeys, KEY_DELETE);
    g_assert_cmpint(let_go(&hotkeys, KEY_LEFTALT), ==, APP_HOTKEY_NONE);
    let_go(&hotkeys, KEY_RIGHTCTRL);
    /* AltGr is no Alt */
    press(&hotkeys, KEY_LEFTCTRL, &number);
    press(&hotkeys, KEY_RIGHTALT, &number);
    g_assert_cmpint(let_go(&hotkeys, KEY_RIGHTALT), ==, APP_HOTKEY_NONE);

    app_hotkeys_init(&hotkeys, "right-ctrl");
    press(&hotkeys, KEY_LEFTCTRL, &number);
    g_assert_cmpint(let_go(&hotkeys, KEY_LEFTCTRL), ==, APP_HOTKEY_NONE);
    press(&hotkeys, KEY_RIGHTCTRL, &number);
    g_assert_cmpint(let_go(&hotkeys, KEY_RIGHTCTRL), ==, APP_HOTKEY_RELEASE);

    app_hotkeys_init(&hotkeys, "scroll-lock");
    g_assert_cmpint(press(&hotkeys, KEY_SCROLLLOCK, &number), ==, APP_HOTKEY_RELEASE);
    /* nonsense means the default */
    app_hotkeys_init(&hotkeys, "hyper+q");
    g_assert_cmpuint(hotkeys.release.n_modifiers, ==, 2);
}

static void
test_prefix(void)
{
    static const struct {
        guint key;
        AppHotkey hotkey;
    } cases[] = { { KEY_F, APP_HOTKEY_FULLSCREEN },   { KEY_EQUAL, APP_HOTKEY_ENLARGE },
                  { KEY_KPPLUS, APP_HOTKEY_ENLARGE }, { KEY_MINUS, APP_HOTKEY_SHRINK },
                  { KEY_U, APP_HOTKEY_UNSCALE },      { KEY_1, APP_HOTKEY_CONSOLE },
                  { KEY_9, APP_HOTKEY_CONSOLE },      { KEY_F1, APP_HOTKEY_NONE } };
    AppHotkeys hotkeys;
    guint number = 0;

    app_hotkeys_init(&hotkeys, "ctrl+alt");
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpint(press(&hotkeys, cases[i].key, &number), ==, APP_HOTKEY_NONE);
        let_go(&hotkeys, cases[i].key);
    }
    press(&hotkeys, KEY_LEFTCTRL, &number);
    press(&hotkeys, KEY_LEFTALT, &number);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpint(press(&hotkeys, cases[i].key, &number), ==, cases[i].hotkey);
        let_go(&hotkeys, cases[i].key);
    }
    g_assert_cmpuint(number, ==, 9);
    app_hotkeys_clear(&hotkeys);
    g_assert_false(app_hotkeys_is_down(&hotkeys, KEY_LEFTCTRL));
}

/* ---- Typing ---- */

static void
test_typing(void)
{
    g_autofree char *ascii = g_malloc0(128);
    g_autofree char *missing = NULL;
    guint len = 0;

    for (char c = ' '; c < 127; c++) {
        ascii[len++] = c;
    }
    g_assert_null(app_typist_untypable("us", ascii));
    g_assert_null(app_typist_untypable("uk", "£¬\"@~#\r\n\t"));
    g_assert_null(app_typist_untypable("de", "Grüße {[]}\\ @ ~ | €"));
    g_assert_null(app_typist_untypable("fr", "déjà çà @ # { [ | \\ ] }"));
    missing = app_typist_untypable("us", "naïve ï é");
    g_assert_cmpstr(missing, ==, "ïé");
}

/* ---- Meters ---- */

static void
test_meter(void)
{
    AppMeter meter;
    VitStats stats = { .host_ns = 1000000000, .n_cpus = 2 };

    app_meter_clear(&meter);
    g_assert_cmpfloat(app_meter_get(&meter, 0)->cpu, ==, 0);
    app_meter_add(&meter, &stats);
    g_assert_cmpuint(meter.count, ==, 0); /* one sample is no speed */
    stats.host_ns += 2000000000;
    stats.guest_ns += 1000000000;
    stats.cpu_ns += 2000000000;
    stats.frames += 60;
    stats.drives[VIT_MEDIA_CDROM].read_bytes += 4096;
    stats.drives[VIT_MEDIA_CDROM].requests++;
    app_meter_add(&meter, &stats);
    g_assert_cmpfloat(app_meter_get(&meter, 0)->cpu, ==, 0.5);
    g_assert_cmpfloat(app_meter_get(&meter, 0)->speed, ==, 0.5);
    g_assert_cmpfloat(app_meter_get(&meter, 0)->frames, ==, 30);
    g_assert_cmpfloat(app_meter_get(&meter, 0)->disk_read, ==, 2048);
    g_assert_true(app_meter_get(&meter, 0)->media_busy[VIT_MEDIA_CDROM]);
    g_assert_false(app_meter_get(&meter, 0)->media_busy[VIT_MEDIA_DISK]);
    for (guint i = 0; i < 2 * APP_METER_HISTORY; i++) {
        stats.host_ns += 1000000000;
        app_meter_add(&meter, &stats);
    }
    g_assert_cmpfloat(app_meter_get(&meter, APP_METER_HISTORY - 1)->cpu, ==, 0);
    g_assert_cmpfloat(app_meter_get(&meter, APP_METER_HISTORY)->cpu, ==, 0);
}

/* Guests cut off or round: both must come to the pixel that was meant. */
static void
test_axis(void)
{
    static const int sizes[] = { 1, 2, 320, 640, 799, 800, 1280, 1366, 1920, 2560, 3840 };

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        for (int at = 0; at < sizes[i]; at++) {
            int axis = app_viewport_to_axis(at, sizes[i]);

            g_assert_cmpint(axis, >=, 0);
            g_assert_cmpint(axis, <=, 32767);
            g_assert_cmpint((gint64)axis * sizes[i] / 32768, ==, at);
            g_assert_cmpint((int)(axis * (sizes[i] - 1.0) / 32767 + 0.5), ==, at);
        }
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/app/viewport/shape", test_shape);
    g_test_add_func("/app/viewport/pointer-truth", test_pointer_truth);
    g_test_add_func("/app/hotkeys/release-key", test_release_key);
    g_test_add_func("/app/hotkeys/prefix", test_prefix);
    g_test_add_func("/app/typist/layouts", test_typing);
    g_test_add_func("/app/meter", test_meter);
    g_test_add_func("/viewport/axis", test_axis);
    return g_test_run();
}
