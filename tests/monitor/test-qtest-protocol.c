/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The device-test protocol line by line, with a device of the test's own. */

#include "vit-qtest.h"

#include "monitor-rig.h"

/* Inverts what comes in at line N and sends it out at line N. */
static void
inverter_irq_in(VitDevice *dev, int n, int level)
{
    vit_irq_set(&dev->irq_out[n], !level);
}

static const VitDeviceKind inverter_kind = {
    .name = "inverter",
    .size = sizeof(VitDevice),
    .base_size = sizeof(VitDevice),
    .n_irq_in = 4,
    .n_irq_out = 4,
    .irq_in = inverter_irq_in,
};

typedef struct {
    Rig rig;
    Terminal terminal;
    VitDevice *dev;
    VitQtest *qtest;
    VitTimer timer;
    int last_level; /* at output 2, as the board sees it */
} Fixture;

static VitDevice *
find_device(void *opaque, const char *name)
{
    return strcmp(name, "inverter") == 0 ? ((Fixture *)opaque)->dev : NULL;
}

static const VitQtestOps qtest_ops = { .find_device = find_device };

static void
see_level(void *opaque, int n, int level)
{
    ((Fixture *)opaque)->last_level = level;
}

static void
on_timer(void *opaque)
{
    VitIrq line = vit_device_irq_in(((Fixture *)opaque)->dev, 1);

    vit_irq_set(&line, 1);
}

static void
set_up(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    rig_init(&f->rig);
    f->dev = vit_device_new(&inverter_kind, "inverter");
    vit_device_connect(f->dev, 2, (VitIrq){ .func = see_level, .opaque = f });
    vit_timer_init(&f->timer, f->rig.platform.clock, on_timer, f);
    f->terminal.chr = vit_char_make("vc", "qtest", NULL, NULL, 0, NULL);
    f->terminal.seen = g_string_new(NULL);
    f->terminal.view = (VitCharVcView){ .output = terminal_output, .opaque = &f->terminal };
    g_assert_true(vit_chardev_open(f->terminal.chr, NULL, &f->rig.lock, NULL));
    vit_char_vc_add_view(f->terminal.chr, &f->terminal.view);
    g_ptr_array_add(f->rig.chardevs, f->terminal.chr);
    f->qtest = vit_qtest_new(&f->rig.platform, &qtest_ops, f, f->terminal.chr, NULL, &error);
    g_assert_no_error(error);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    vit_qtest_free(f->qtest);
    vit_timer_del(&f->timer);
    vit_device_free(f->dev);
    terminal_finish(&f->terminal);
    rig_finish(&f->rig);
}

static const struct {
    const char *line, *answer;
} lines[] = {
    { "outb 0x80 0x12", "OK\n" },
    { "inb 128", "OK 0x0012\n" },
    { "inw 0x80", "OK 0x5512\n" },
    { "inl 0x80", "OK 0x55555512\n" },
    { "inb 0x70", "OK 0x00ff\n" },
    { "writel 0x10 0x11223344", "OK\n" },
    { "readb 0x10", "OK 0x0000000000000044\n" },
    { "readw 0x11", "OK 0x0000000000002233\n" },
    { "readq 0x10", "OK 0x0000000011223344\n" },
    { "write 0x20 4 0x01020304", "OK\n" },
    { "read 0x1f 6", "OK 0x000102030400\n" },
    { "write 0x20 4 0xff", "OK\n" },
    { "read 0x20 0x4", "OK 0xff000000\n" },
    { "b64write 0x20 3 AQID", "OK\n" },
    { "b64read 0x20 4", "OK AQIDAA==\n" },
    { "memset 0x20 2 0xaa", "OK\n" },
    { "read 0x20 3", "OK 0xaaaa03\n" },
    { "read 0 0", "OK 0x\n" },
    { "endianness", "OK little\n" },
    { "clock_step 1000", "OK 1000\n" },
    { "clock_set 5000", "OK 5000\n" },
    { "clock_set 10", "OK 5000\n" },
    { "clock_step", "OK 5000\n" },
    { "module_load hw- usb", "OK\n" },
    { "x-engine-fault", "FAIL there is no engine to fail\n" },
    { "", "" },
    { "  inb   0x70 ", "OK 0x00ff\n" },
    { "nosuch", "FAIL Unknown command 'nosuch'\n" },
    { "inb", "FAIL inb: a number is wanted as argument 1\n" },
    { "inb 0x", "FAIL inb: a number is wanted as argument 1\n" },
    { "outb 1", "FAIL outb: a number is wanted as argument 2\n" },
    { "read 0 99999999999", "FAIL read: at most 16777216 bytes at once\n" },
    { "write 0 4 1234", "FAIL write: data is 0x and two digits per byte\n" },
    { "write 0 4 0xzz", "FAIL write: data is 0x and two digits per byte\n" },
    { "write 0 4", "FAIL write: the data is missing\n" },
    { "irq_intercept_in nosuch", "FAIL Unknown device\n" },
    { "irq_intercept_in", "FAIL Unknown device\n" },
    { "set_irq_in inverter x 9 1", "FAIL inverter has 4 input lines\n" },
    { "clock_step 99999999999999999999", "FAIL clock_step: a number is wanted as argument 1\n" },
};

static void
test_lines(Fixture *f, gconstpointer data)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *line = g_strconcat(lines[i].line, "\n", NULL);
        g_assert_cmpstr(terminal_type(&f->terminal, line), ==, lines[i].answer);
    }
    /* Cut anywhere, several at once. */
    terminal_type(&f->terminal, "in");
    g_assert_cmpstr(terminal_type(&f->terminal, "b 0x70\ninb 0x71\n"), ==,
                    "OK 0x00ff\nOK 0x00ff\n");
}

static void
test_irq_in(Fixture *f, gconstpointer data)
{
    Terminal *terminal = &f->terminal;

    g_assert_cmpstr(terminal_type(terminal, "irq_intercept_in inverter\n"), ==, "OK\n");
    g_assert_cmpstr(terminal_type(terminal, "set_irq_in inverter unnamed 2 1\n"), ==,
                    "IRQ raise 2\nOK\n");
    g_assert_cmpint(f->last_level, ==, 0);
    g_assert_cmpstr(terminal_type(terminal, "set_irq_in inverter unnamed 2 1\n"), ==, "OK\n");
    g_assert_cmpstr(terminal_type(terminal, "set_irq_in inverter unnamed 2 0\n"), ==,
                    "IRQ lower 2\nOK\n");
    g_assert_cmpint(f->last_level, ==, 1); /* the device still works */
    g_assert_cmpstr(terminal_type(terminal, "irq_intercept_out inverter\n"), ==,
                    "FAIL IRQ intercept already enabled\n");
    /* A timer that fires while the clock is stepped. */
    vit_timer_mod(&f->timer, 700);
    g_assert_cmpstr(terminal_type(terminal, "clock_step\n"), ==, "IRQ raise 1\nOK 700\n");
}

static void
test_irq_out(Fixture *f, gconstpointer data)
{
    Terminal *terminal = &f->terminal;

    g_assert_cmpstr(terminal_type(terminal, "irq_intercept_out inverter\n"), ==, "OK\n");
    g_assert_cmpstr(terminal_type(terminal, "set_irq_in inverter x 2 0\n"), ==,
                    "IRQ raise 2\nOK\n");
    g_assert_cmpint(f->last_level, ==, 1); /* and the board still sees it */
    vit_qtest_free(f->qtest);
    f->qtest = NULL;
    VitIrq line = vit_device_irq_in(f->dev, 2);
    vit_irq_set(&line, 1);
    g_assert_cmpint(f->last_level, ==, 0); /* as before */
}

static void
test_log(Fixture *f, gconstpointer data)
{
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "vitrine-test-XXXXXX", NULL);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    vit_qtest_free(f->qtest);
    close(g_mkstemp(path));
    f->qtest = vit_qtest_new(&f->rig.platform, &qtest_ops, f, f->terminal.chr, path, &error);
    g_assert_no_error(error);
    terminal_type(&f->terminal, "inb 0x70\n");
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_true(g_regex_match_simple("^\\[R \\+\\d+\\.\\d{6}\\] inb 0x70\n"
                                       "\\[S \\+\\d+\\.\\d{6}\\] OK 0x00ff\n$",
                                       text, 0, 0));
    g_unlink(path);
    vit_qtest_free(f->qtest);
    f->qtest = NULL;
    g_assert_null(vit_qtest_new(&f->rig.platform, &qtest_ops, f, f->terminal.chr,
                                "/nonexistent/log", &error));
    g_assert_nonnull(strstr(error->message, "/nonexistent/log"));
    g_assert_false(vit_chardev_is_attached(f->terminal.chr));
}

static void
test_random(Fixture *f, gconstpointer data)
{
    static const char *const words[] = { "inb",        "outl",
                                         "read",       "write",
                                         "b64write",   "memset",
                                         "readq",      "writew",
                                         "clock_step", "set_irq_in",
                                         "inverter",   "0x10",
                                         "4",          "-1",
                                         "0x",         "0xffffffffffffffff",
                                         "AQ==",       "irq_intercept_out",
                                         "\t",         "\r" };

    for (unsigned i = 0; i < 20000; i++) {
        g_autoptr(GString) line = g_string_new(NULL);
        for (int n = g_test_rand_int_range(0, 9); n > 0; n--) {
            g_string_append(line, words[g_test_rand_int_range(0, G_N_ELEMENTS(words))]);
            g_string_append_c(line, g_test_rand_int_range(0, 10) ? ' ' : 'x');
        }
        g_string_append_c(line, '\n');
        terminal_type(&f->terminal, line->str);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/qtest/lines", Fixture, NULL, set_up, test_lines, tear_down);
    g_test_add("/qtest/irq-in", Fixture, NULL, set_up, test_irq_in, tear_down);
    g_test_add("/qtest/irq-out", Fixture, NULL, set_up, test_irq_out, tear_down);
    g_test_add("/qtest/log", Fixture, NULL, set_up, test_log, tear_down);
    g_test_add("/qtest/random", Fixture, NULL, set_up, test_random, tear_down);
    return g_test_run();
}
