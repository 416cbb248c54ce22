/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The chardev core with a back end of the test's own: flow control, pending output, log files,
 * the multiplexer and its escape keys. */

#include <glib/gstdio.h>

#include "char-test.h"

/* A back end that takes what the test allows. */
typedef struct {
    VitChardev chr;
    GString *written;
    size_t allowance;
} FakeBackend;

static bool
fake_open(VitChardev *chr, GMainContext *context, GError **error)
{
    FakeBackend *fake = (FakeBackend *)chr;

    fake->written = g_string_new(NULL);
    fake->allowance = SIZE_MAX;
    vit_chardev_set_open(chr, true);
    return true;
}

static void
fake_close(VitChardev *chr)
{
    g_string_free(((FakeBackend *)chr)->written, TRUE);
}

static size_t
fake_write(VitChardev *chr, const uint8_t *buf, size_t len)
{
    FakeBackend *fake = (FakeBackend *)chr;
    size_t n = MIN(len, fake->allowance);

    g_string_append_len(fake->written, (const char *)buf, n);
    fake->allowance -= fake->allowance == SIZE_MAX ? 0 : n;
    return n;
}

static const VitChardevKind fake_kind = {
    .name = "fake",
    .size = sizeof(FakeBackend),
    .open = fake_open,
    .close = fake_close,
    .write = fake_write,
};

static FakeBackend *
fake_new(bool mux)
{
    VitChardev *chr = vit_chardev_new(&fake_kind, "fake0");

    g_assert_true(vit_chardev_set(chr, "mux", mux ? "on" : "off", NULL));
    g_assert_true(vit_chardev_open(chr, NULL, NULL, NULL));
    return (FakeBackend *)chr;
}

static void
type(FakeBackend *fake, const char *text)
{
    vit_chardev_deliver(&fake->chr, (const uint8_t *)text, strlen(text));
}

static void
test_attach(void)
{
    g_autoptr(Recorder) a = recorder_new();
    g_autoptr(Recorder) b = recorder_new();
    g_autoptr(GError) error = NULL;
    FakeBackend *fake = fake_new(false);

    g_assert_cmpuint(vit_chardev_front_room(&fake->chr), ==, 0);
    g_assert_true(vit_chardev_attach(&fake->chr, &a->front, NULL));
    g_assert_cmpuint(a->opened, ==, 1);
    g_assert_false(vit_chardev_attach(&fake->chr, &b->front, &error));
    g_assert_nonnull(strstr(error->message, "mux=on"));
    type(fake, "hello");
    g_assert_cmpstr(a->got->str, ==, "hello");
    vit_chardev_detach(&fake->chr, b); /* not attached: nothing */
    g_assert_true(vit_chardev_is_attached(&fake->chr));
    vit_chardev_detach(&fake->chr, a);
    g_assert_false(vit_chardev_is_attached(&fake->chr));
    g_assert_true(vit_chardev_attach(&fake->chr, &b->front, NULL));
    vit_chardev_free(&fake->chr);
}

static void
test_pending(void)
{
    g_autoptr(Recorder) rec = recorder_new();
    FakeBackend *fake = fake_new(false);

    vit_chardev_attach(&fake->chr, &rec->front, NULL);
    fake->allowance = 3;
    g_assert_cmpuint(vit_chardev_write(&fake->chr, "abcdef", 6), ==, 3);
    vit_chardev_write_all(&fake->chr, "DEF", 3);
    g_assert_cmpstr(fake->written->str, ==, "abc");
    /* Something is kept: later bytes must not overtake it. */
    g_assert_cmpuint(vit_chardev_write(&fake->chr, "x", 1), ==, 0);
    fake->allowance = 2;
    vit_chardev_notify_writable(&fake->chr);
    g_assert_cmpstr(fake->written->str, ==, "abcDE");
    g_assert_cmpuint(rec->can_write, ==, 0);
    fake->allowance = SIZE_MAX;
    vit_chardev_notify_writable(&fake->chr);
    g_assert_cmpstr(fake->written->str, ==, "abcDEF");
    g_assert_cmpuint(rec->can_write, ==, 1);
    /* What waits for a peer that goes is dropped. */
    fake->allowance = 0;
    vit_chardev_write_all(&fake->chr, "lost", 4);
    vit_chardev_set_open(&fake->chr, false);
    g_assert_cmpuint(rec->closed, ==, 1);
    fake->allowance = SIZE_MAX;
    vit_chardev_notify_writable(&fake->chr);
    g_assert_cmpstr(fake->written->str, ==, "abcDEF");
    vit_chardev_free(&fake->chr);
}

static void
test_pending_is_bounded(void)
{
    FakeBackend *fake = fake_new(false);
    g_autofree char *block = g_malloc0(1 << 20);

    fake->allowance = 0;
    for (int i = 0; i < 20; i++) {
        vit_chardev_write_all(&fake->chr, block, 1 << 20);
    }
    g_assert_cmpuint(fake->chr.pending->len, ==, VIT_CHARDEV_PENDING_MAX);
    vit_chardev_free(&fake->chr);
}

static void
test_log(void)
{
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "vitrine-test-XXXXXX", NULL);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    close(g_mkstemp(path));
    for (int i = 0; i < 2; i++) {
        VitChardev *chr = vit_chardev_new(&fake_kind, "log");
        vit_chardev_set(chr, "logfile", path, NULL);
        vit_chardev_set(chr, "logappend", i ? "on" : "off", NULL);
        g_assert_true(vit_chardev_open(chr, NULL, NULL, NULL));
        vit_chardev_write_all(chr, i ? "two" : "one", 3);
        vit_chardev_free(chr);
    }
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "onetwo");
    g_unlink(path);

    VitChardev *chr = vit_chardev_new(&fake_kind, "log");
    vit_chardev_set(chr, "logfile", "/nonexistent/log", NULL);
    g_assert_false(vit_chardev_open(chr, NULL, NULL, &error));
    g_assert_nonnull(strstr(error->message, "/nonexistent/log"));
    vit_chardev_free(chr);
}

static void
test_unknown_property(void)
{
    g_autoptr(VitChardev) chr = vit_chardev_new(&fake_kind, "fake0");
    g_autoptr(GError) error = NULL;

    g_assert_false(vit_chardev_set(chr, "logfle", "x", &error));
    g_assert_nonnull(strstr(error->message, "did you mean 'logfile'"));
}

static void
test_mux_switch(void)
{
    g_autoptr(Recorder) monitor = recorder_new();
    g_autoptr(Recorder) serial = recorder_new();
    FakeBackend *fake = fake_new(true);

    g_assert_true(vit_chardev_attach(&fake->chr, &monitor->front, NULL));
    g_assert_true(vit_chardev_attach(&fake->chr, &serial->front, NULL));
    g_assert_cmpuint(monitor->mux_out, ==, 1);
    type(fake, "login\001cinfo\001croot\001\001");
    g_assert_cmpstr(serial->got->str, ==, "loginroot\001");
    g_assert_cmpstr(monitor->got->str, ==, "info");
    /* The escape key and its command may come apart. */
    type(fake, "\001");
    type(fake, "c");
    type(fake, "quit");
    g_assert_cmpstr(monitor->got->str, ==, "infoquit");
    type(fake, "\001b");
    g_assert_cmpuint(monitor->breaks, ==, 1);
    g_assert_cmpuint(serial->breaks, ==, 0);
    vit_chardev_take_focus(&fake->chr, serial);
    type(fake, "!");
    g_assert_true(g_str_has_suffix(serial->got->str, "!"));
    /* The one in focus goes: the other gets the input. */
    vit_chardev_detach(&fake->chr, serial);
    type(fake, "m");
    g_assert_true(g_str_has_suffix(monitor->got->str, "m"));
    vit_chardev_free(&fake->chr);
}

/* A monitor that comes after the console leaves it the input, as people expect of -nographic. */
static void
test_mux_yields(void)
{
    g_autoptr(Recorder) serial = recorder_new();
    g_autoptr(Recorder) monitor = recorder_new();
    FakeBackend *fake = fake_new(true);

    monitor->front.yields = true;
    g_assert_true(vit_chardev_attach(&fake->chr, &serial->front, NULL));
    g_assert_true(vit_chardev_attach(&fake->chr, &monitor->front, NULL));
    type(fake, "login\001cinfo");
    g_assert_cmpstr(serial->got->str, ==, "login");
    g_assert_cmpstr(monitor->got->str, ==, "info");
    vit_chardev_free(&fake->chr);
}

static void
test_mux_keeps_input(void)
{
    g_autoptr(Recorder) monitor = recorder_new();
    g_autoptr(Recorder) serial = recorder_new();
    FakeBackend *fake = fake_new(true);

    vit_chardev_attach(&fake->chr, &monitor->front, NULL);
    vit_chardev_attach(&fake->chr, &serial->front, NULL);
    serial->room = 2; /* a guest that does not read */
    type(fake, "abcdef");
    g_assert_cmpstr(serial->got->str, ==, "ab");
    /* The user still gets to the monitor. */
    type(fake, "\001chelp");
    g_assert_cmpstr(monitor->got->str, ==, "help");
    serial->room = SIZE_MAX;
    type(fake, "\001c");
    vit_chardev_accept_input(&fake->chr);
    g_assert_cmpstr(serial->got->str, ==, "abcdef");
    vit_chardev_free(&fake->chr);
}

static void
count(void *opaque)
{
    ++*(unsigned *)opaque;
}

static void
test_mux_commands(void)
{
    g_autoptr(Recorder) a = recorder_new();
    FakeBackend *fake = fake_new(true);
    unsigned quits = 0;
    VitChardevHost host = { .quit = count, .mux_escape = 0x14, .opaque = &quits };

    vit_chardev_set_host(&fake->chr, &host);
    vit_chardev_attach(&fake->chr, &a->front, NULL);
    type(fake, "\001x"); /* not the escape key here */
    g_assert_cmpstr(a->got->str, ==, "\001x");
    g_assert_cmpuint(quits, ==, 0);
    type(fake, "\024h");
    g_assert_nonnull(strstr(fake->written->str, "C-t x"));
    type(fake, "\024x");
    g_assert_cmpuint(quits, ==, 1);
    type(fake, "\024s"); /* no hook: nothing */
    vit_chardev_free(&fake->chr);
}

static void
test_mux_stamps(void)
{
    g_autoptr(Recorder) a = recorder_new();
    FakeBackend *fake = fake_new(true);

    vit_chardev_attach(&fake->chr, &a->front, NULL);
    type(fake, "\001t");
    vit_chardev_write_all(&fake->chr, "one\ntwo\n", 8);
    vit_chardev_write_all(&fake->chr, "three", 5);
    g_assert_true(g_regex_match_simple(
        "^one\n\\[00:00:0\\d\\.\\d{3}\\] two\n\\[00:00:0\\d\\.\\d{3}\\] three$", fake->written->str,
        0, 0));
    type(fake, "\001t");
    g_string_truncate(fake->written, 0);
    vit_chardev_write_all(&fake->chr, "\nfour\n", 6);
    g_assert_cmpstr(fake->written->str, ==, "\nfour\n");
    /* A stamp is never cut, and the count is about the caller's bytes. */
    type(fake, "\001t");
    vit_chardev_write_all(&fake->chr, "\n", 1);
    g_string_truncate(fake->written, 0);
    fake->allowance = 4;
    g_assert_cmpuint(vit_chardev_write(&fake->chr, "five", 4), ==, 4);
    fake->allowance = SIZE_MAX;
    vit_chardev_notify_writable(&fake->chr);
    g_assert_true(
        g_regex_match_simple("^\\[00:00:0\\d\\.\\d{3}\\] five$", fake->written->str, 0, 0));
    vit_chardev_free(&fake->chr);
}

static void
test_mux_full(void)
{
    Recorder *recs[5];
    g_autoptr(GError) error = NULL;
    FakeBackend *fake = fake_new(true);

    for (int i = 0; i < 5; i++) {
        recs[i] = recorder_new();
        g_assert_true(vit_chardev_attach(&fake->chr, &recs[i]->front, &error) == (i < 4));
    }
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    vit_chardev_free(&fake->chr);
    for (int i = 0; i < 5; i++) {
        recorder_free(recs[i]);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/chardev/attach", test_attach);
    g_test_add_func("/chardev/pending", test_pending);
    g_test_add_func("/chardev/pending-is-bounded", test_pending_is_bounded);
    g_test_add_func("/chardev/log", test_log);
    g_test_add_func("/chardev/unknown-property", test_unknown_property);
    g_test_add_func("/chardev/mux/switch", test_mux_switch);
    g_test_add_func("/chardev/mux/yields", test_mux_yields);
    g_test_add_func("/chardev/mux/keeps-input", test_mux_keeps_input);
    g_test_add_func("/chardev/mux/commands", test_mux_commands);
    g_test_add_func("/chardev/mux/stamps", test_mux_stamps);
    g_test_add_func("/chardev/mux/full", test_mux_full);
    return g_test_run();
}
