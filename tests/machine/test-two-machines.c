/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Two machines at once in one process, each with two CPUs and a disk of its own: they show their
 * pictures, take keys and clicks, are paused, reset and switched off without touching each other.
 * Made to be run under ThreadSanitizer too (./dev sanitize thread). */

#include "vit-engine.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 2, BUTTON_X = 765, BUTTON_Y = 565, PRESSED = 0xf66151, IDLE = 0x33415c, GREEN_X = 350 };
/* VITRINE_TEST_PATIENCE times that, as in the tests of guests: instrumented builds are slow. */
enum { WAIT_SECONDS = 100 };

typedef struct Guest {
    VitMachine *machine;
    VitDisplay *display;
    char *disk;
    guint resets;
} Guest;

static Guest guests[N];
static char *folder;

static void
on_event(VitMachine *machine, const char *name, const char *data, Guest *guest)
{
    guest->resets += strcmp(name, "RESET") == 0;
}

static void
power_on(Guest *guest, unsigned number)
{
    g_autoptr(VitDiagList) diags = vit_diag_list_new();
    g_autoptr(VitConfig) config = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    char zero[1 << 16] = { 0 };

    guest->disk = g_strdup_printf("%s/disk%u.img", folder, number);
    g_assert_true(g_file_set_contents(guest->disk, zero, sizeof(zero), NULL));
    text = g_strdup_printf("-accel tcg -m 32 -smp 2 -nic none -kernel %s "
                           "-drive file=%s,format=raw,if=ide",
                           g_getenv("VITRINE_DEMO"), guest->disk);
    config = vit_config_parse(text, VIT_PARSE_DEFAULT, diags);
    guest->machine = vit_machine_new(config, NULL, diags, &error);
    g_assert_no_error(error);
    guest->display = vit_machine_get_display(guest->machine, 0);
    vit_display_set_rate(guest->display, 30);
    g_signal_connect(guest->machine, "event", G_CALLBACK(on_event), guest);
    vit_machine_start(guest->machine);
}

static gboolean
wake_up(gpointer data)
{
    return G_SOURCE_CONTINUE;
}

/* Turns the main loop until DONE says so of both. */
static void
wait_for(bool (*done)(const Guest *guest), const char *what)
{
    const char *patience = g_getenv("VITRINE_TEST_PATIENCE");
    gint64 wait_seconds = WAIT_SECONDS * (patience ? MAX(atoi(patience), 1) : 1);
    gint64 end = g_get_monotonic_time() + wait_seconds * G_USEC_PER_SEC;
    guint ticks = g_timeout_add(20, wake_up, NULL);
    bool all;

    do {
        all = true;
        for (unsigned i = 0; i < N; i++) {
            all &= done(&guests[i]);
        }
        if (!all) {
            g_main_context_iteration(NULL, TRUE);
        }
        if (g_get_monotonic_time() > end) {
            g_error("%s: not within %" G_GINT64_FORMAT " s", what, wait_seconds);
        }
    } while (!all);
    g_source_remove(ticks);
}

static uint32_t
pixel(const Guest *guest, int x, int y)
{
    const VitFrame *frame = vit_display_take_frame(guest->display);

    if (!frame || x >= frame->width || y >= frame->height) {
        return UINT32_MAX;
    }
    return ((const uint32_t *)(frame->pixels + (size_t)y * frame->stride_bytes))[x] & 0xffffff;
}

static bool
shows_scene(const Guest *guest)
{
    return pixel(guest, GREEN_X, 10) == 0x00ff00 && pixel(guest, BUTTON_X, BUTTON_Y) == IDLE;
}

static bool
shows_press(const Guest *guest)
{
    return pixel(guest, BUTTON_X, BUTTON_Y) == PRESSED;
}

static bool
is_off(const Guest *guest)
{
    return vit_machine_get_state(guest->machine) == VIT_MACHINE_STOPPED;
}

static bool
is_reset(const Guest *guest)
{
    return guest->resets > 0;
}

static void
each_button(gboolean down)
{
    for (unsigned i = 0; i < N; i++) {
        vit_input_send_button(vit_machine_get_input(guests[i].machine), VIT_POINTER_LEFT, down);
    }
}

/* Starts that the guest has noted on its disk. */
static unsigned
starts_on_disk(const Guest *guest)
{
    g_autofree char *content = NULL;
    gsize length;

    g_assert_true(g_file_get_contents(guest->disk, &content, &length, NULL));
    g_assert_cmpuint(length, >, 1024);
    return (uint8_t)content[512 + 16] | (uint8_t)content[512 + 17] << 8;
}

static gboolean
press_escape(gpointer data)
{
    for (unsigned i = 0; i < N; i++) {
        vit_input_send_combination(vit_machine_get_input(guests[i].machine), "esc", NULL);
    }
    return G_SOURCE_CONTINUE;
}

static void
test_two(void)
{
    guint presses;

    for (unsigned i = 0; i < N; i++) {
        power_on(&guests[i], i);
    }
    wait_for(shows_scene, "the pictures");

    each_button(TRUE);
    wait_for(shows_press, "the pressed buttons");
    each_button(FALSE);
    wait_for(shows_scene, "the released buttons");

    /* one stands still while the other is pressed */
    vit_machine_pause(guests[0].machine);
    while (vit_machine_get_state(guests[0].machine) != VIT_MACHINE_PAUSED) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_assert_cmpint(vit_machine_get_state(guests[1].machine), ==, VIT_MACHINE_RUNNING);
    vit_machine_start(guests[0].machine);

    for (unsigned i = 0; i < N; i++) {
        vit_machine_reset(guests[i].machine);
    }
    wait_for(is_reset, "the resets");
    /* a key is lost while the firmware has the keyboard: pressed until the guest hears it */
    presses = g_timeout_add(300, press_escape, NULL);
    wait_for(is_off, "the power-off");
    g_source_remove(presses);
    for (unsigned i = 0; i < N; i++) {
        g_assert_cmpint(vit_machine_get_stop_cause(guests[i].machine), ==, VIT_STOP_GUEST_SHUTDOWN);
        g_clear_object(&guests[i].machine);
    }
    for (unsigned i = 0; i < N; i++) {
        g_assert_cmpuint(starts_on_disk(&guests[i]), ==, 2);
        g_unlink(guests[i].disk);
        g_free(guests[i].disk);
    }
}

int
main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("vitrine-two-XXXXXX", NULL);
    g_test_add_func("/machine/two-at-once", test_two);
    status = g_test_run();
    g_rmdir(folder);
    g_free(folder);
    return status;
}
