/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The input hub and the key table. */

#include "vit-input-hub.h"

#include <linux/input-event-codes.h>
#include <string.h>

typedef struct Sink {
    GString *log;
    VitInputHandler handler;
} Sink;

static void
sink_key(void *opaque, unsigned code, bool down)
{
    g_string_append_printf(((Sink *)opaque)->log, "%s%u ", down ? "+" : "-", code);
}

static void
sink_relative(void *opaque, int dx, int dy)
{
    g_string_append_printf(((Sink *)opaque)->log, "r%d,%d ", dx, dy);
}

static void
sink_absolute(void *opaque, int x, int y)
{
    g_string_append_printf(((Sink *)opaque)->log, "a%d,%d ", x, y);
}

static void
sink_button(void *opaque, VitInputButton button, bool down)
{
    g_string_append_printf(((Sink *)opaque)->log, "b%d%s ", button, down ? "+" : "-");
}

static void
sink_sync(void *opaque)
{
    g_string_append(((Sink *)opaque)->log, "s ");
}

static void
expect(Sink *sink, const char *text)
{
    g_assert_cmpstr(sink->log->str, ==, text);
    g_string_truncate(sink->log, 0);
}

static void
test_routing(void)
{
    VitInputHub *hub = vit_input_hub_new();
    Sink old = { g_string_new(NULL) }, tablet = { g_string_new(NULL) };

    old.handler =
        (VitInputHandler){ "old", sink_key, sink_relative, NULL, sink_button, sink_sync, &old };
    tablet.handler =
        (VitInputHandler){ "tablet", NULL, NULL, sink_absolute, sink_button, sink_sync, &tablet };
    vit_input_key(hub, KEY_A, true); /* nobody there */
    vit_input_hub_add(hub, &old.handler);
    vit_input_key(hub, KEY_A, true);
    vit_input_key(hub, KEY_A, true);
    vit_input_key(hub, KEY_MAX + 1, true);
    vit_input_relative(hub, 3, -4);
    vit_input_absolute(hub, 1, 1);
    vit_input_button(hub, VIT_BUTTON_LEFT, true);
    vit_input_button(hub, VIT_BUTTON_LAST, true);
    vit_input_sync(hub);
    vit_input_sync(hub);
    expect(&old, "+30 r3,-4 b0+ s s ");
    g_assert_false(vit_input_wants_absolute(hub));

    /* a new pointer takes over; what was down is let go where it was pressed */
    vit_input_hub_add(hub, &tablet.handler);
    expect(&old, "-30 b0- s s ");
    g_assert_true(vit_input_wants_absolute(hub));
    vit_input_absolute(hub, -5, 1 << 20);
    vit_input_button(hub, VIT_BUTTON_RIGHT, true);
    vit_input_key(hub, KEY_B, true);
    expect(&tablet, "a0,32767 b2+ ");
    expect(&old, "+48 ");
    vit_input_hub_activate(hub, &old.handler);
    g_assert_false(vit_input_wants_absolute(hub));
    vit_input_hub_remove(hub, &old.handler);
    vit_input_hub_remove(hub, &tablet.handler);
    vit_input_hub_free(hub);
    g_string_free(old.log, TRUE);
    g_string_free(tablet.log, TRUE);
}

static void
test_keys(void)
{
    const VitKey *key, *before = NULL;

    for (unsigned n = 0; (key = vit_key_nth(n)); n++) {
        g_assert_true(!before || before->code < key->code);
        g_assert_true(vit_key_find(key->code) == key);
        g_assert_cmpuint(vit_key_from_name(key->name), ==, key->code);
        g_assert_cmpstr(vit_key_name(key->code), ==, key->name);
        for (unsigned m = 0; m < n; m++) {
            const VitKey *other = vit_key_nth(m);
            g_assert_true(!key->set1 || key->set1 != other->set1);
            g_assert_true(!key->set2 || key->set2 != other->set2);
            g_assert_true(!key->set3 || key->set3 != other->set3);
        }
        before = key;
    }
    g_assert_cmpuint(vit_key_from_name("ret"), ==, KEY_ENTER);
    g_assert_cmpuint(vit_key_from_name("0x1c"), ==, KEY_ENTER);
    g_assert_cmpuint(vit_key_from_name("0x9c"), ==, KEY_KPENTER);
    g_assert_cmpuint(vit_key_from_name("pgdn"), ==, KEY_PAGEDOWN);
    g_assert_cmpuint(vit_key_from_name("0xfff"), ==, 0);
    g_assert_cmpuint(vit_key_from_name("nonsense"), ==, 0);
    g_assert_cmpuint(vit_key_from_name(""), ==, 0);
    g_assert_null(vit_key_name(0));
}

static void
count_leds(void *opaque, unsigned leds)
{
    *(unsigned *)opaque = *(unsigned *)opaque << 4 | leds;
}

static void
test_leds(void)
{
    VitInputHub *hub = vit_input_hub_new();
    unsigned seen = 0;

    vit_input_set_led_listener(hub, count_leds, &seen);
    vit_input_set_leds(hub, 2);
    vit_input_set_leds(hub, 2);
    vit_input_set_leds(hub, 6);
    g_assert_cmphex(seen, ==, 0x26);
    g_assert_cmpuint(vit_input_get_leds(hub), ==, 6);
    vit_input_hub_free(hub);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/input-hub/routing", test_routing);
    g_test_add_func("/input-hub/keys", test_keys);
    g_test_add_func("/input-hub/leds", test_leds);
    return g_test_run();
}
