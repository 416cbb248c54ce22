/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Device texts as -serial writes them: what each becomes, and what faulty ones are told. */

#include "char-test.h"

/* "kind key=value ..." of a parsed text. */
static char *
summarize(const VitChardevText *parsed)
{
    GString *text = g_string_new(parsed->with_monitor ? "mon " : "");

    if (parsed->none) {
        g_string_append(text, "none");
    } else if (parsed->existing_id) {
        g_string_append_printf(text, "chardev %s", parsed->existing_id);
    } else {
        g_string_append(text, parsed->kind);
    }
    for (unsigned i = 0; i < parsed->keys->len; i++) {
        g_string_append_printf(text, " %s=%s", (char *)parsed->keys->pdata[i],
                               (char *)parsed->values->pdata[i]);
    }
    return g_string_free(text, FALSE);
}

static const struct {
    const char *text, *meaning;
} good[] = {
    { "stdio", "stdio" },
    { "stdio,signal=off", "stdio signal=off" },
    { "mon:stdio", "mon stdio signal=off mux=on" },
    { "mon:stdio,signal=on", "mon stdio signal=off signal=on mux=on" },
    { "null", "null" },
    { "none", "none" },
    { "pty", "pty" },
    { "vc", "vc" },
    { "vc:80Cx24C", "vc cols=80 rows=24" },
    { "vc:800x600", "vc width=800 height=600" },
    { "file:/tmp/a,b:c", "file path=/tmp/a,b:c" },
    { "pipe:/tmp/p", "pipe path=/tmp/p" },
    { "tcp:localhost:4444", "socket host=localhost port=4444" },
    { "tcp::4444,server=on,wait=off", "socket host= port=4444 server=on wait=off" },
    { "tcp::4444,server,nowait,nodelay", "socket host= port=4444 server=on wait=off nodelay=on" },
    { "tcp:[::1]:22,reconnect=5", "socket host=::1 port=22 reconnect=5" },
    { "telnet:0.0.0.0:23,server", "socket host=0.0.0.0 port=23 telnet=on server=on" },
    { "mon:telnet::7000,server=on", "mon socket host= port=7000 telnet=on server=on mux=on" },
    { "websocket:127.0.0.1:80,server=on", "socket host=127.0.0.1 port=80 websocket=on server=on" },
    { "unix:/run/a.sock,server=on", "socket path=/run/a.sock server=on" },
    { "unix:/run/a,,b", "socket path=/run/a,b" },
    { "udp::4555", "udp host= port=4555" },
    { "udp:host:4555@:4556", "udp host=host port=4555 localaddr= localport=4556" },
    { "udp:[::1]:1@[::2]:3", "udp host=::1 port=1 localaddr=::2 localport=3" },
    { "/dev/ttyS0", "serial path=/dev/ttyS0" },
    { "/dev/parport0", "parallel path=/dev/parport0" },
    { "chardev:mon0", "chardev mon0" },
};

static void
test_good(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VitChardevText) parsed = vit_chardev_text_parse(good[i].text, &error);
        g_assert_no_error(error);
        g_autofree char *meaning = summarize(parsed);
        g_assert_cmpstr(meaning, ==, good[i].meaning);
    }
}

static const struct {
    const char *text, *part; /* PART occurs in the message */
} bad[] = {
    { "", "no such kind" },       { "stdioo", "'stdio'" },
    { "tcp:4444", "HOST:PORT" },  { "tcp:host:", "port number is missing" },
    { "tcp:::1:22", "brackets" }, { "tcp:[::1:22", "HOST:PORT" },
    { "udp:4555", "HOST:PORT" },  { "udp::4555@4556", "LOCALPORT" },
    { "unix:", "path" },          { "file:", "path is missing" },
    { "vc:80x", "80Cx24C" },      { "vc:80Cx24", "80Cx24C" },
    { "vc:-80x24", "80Cx24C" },   { "vc:999999x24", "80Cx24C" },
    { "chardev:", "id" },         { "COM1", "Windows" },
    { "con:", "Windows" },        { "mon:none", "monitor" },
    { "stdio,", "missing" },      { "tcp::1,=on", "parameter name" },
};

static void
test_bad(void)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(vit_chardev_text_parse(bad[i].text, &error));
        g_assert_nonnull(error);
        if (!strstr(error->message, bad[i].part)) {
            g_error("'%s' should be in: %s", bad[i].part, error->message);
        }
    }
}

static void
test_random(void)
{
    static const char alphabet[] = "tcpudnixmon:,[]@=CxX0123456789/dev.sfile-";

    for (int i = 0; i < 100000; i++) {
        char text[24] = "";
        int len = g_test_rand_int_range(0, sizeof(text));
        for (int j = 0; j < len; j++) {
            text[j] = alphabet[g_test_rand_int_range(0, sizeof(alphabet) - 1)];
        }
        if (i % 3 == 0) {
            memcpy(text, "tcp:", 4);
        } else if (i % 3 == 1) {
            memcpy(text, "vc:8", 4);
        }
        g_autoptr(GError) error = NULL;
        g_autoptr(VitChardevText) parsed = vit_chardev_text_parse(text, &error);
        g_assert_true((parsed == NULL) == (error != NULL));
    }
}

static void
test_kinds(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_nonnull(vit_char_find_kind("socket", NULL));
    g_assert_true(vit_char_find_kind("tty", NULL) == vit_char_find_kind("serial", NULL));
    g_assert_null(vit_char_find_kind("sockt", &error));
    g_assert_nonnull(strstr(error->message, "did you mean 'socket'"));
    g_clear_error(&error);
    g_assert_null(vit_char_find_kind("spicevmc", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET);
    g_clear_error(&error);
    g_assert_null(vit_char_find_kind("console", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_OTHER_HOST);
    g_clear_error(&error);
    g_assert_null(vit_char_find_kind("tcp", &error));
    g_assert_nonnull(strstr(error->message, "socket"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/chardev-text/good", test_good);
    g_test_add_func("/chardev-text/bad", test_bad);
    g_test_add_func("/chardev-text/random", test_random);
    g_test_add_func("/chardev-text/kinds", test_kinds);
    return g_test_run();
}
