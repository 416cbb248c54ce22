/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The socket back end against plain sockets: servers, clients, telnet, reconnecting, and what is
 * refused. */

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "char-test.h"

static int
connect_port(unsigned port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    g_assert_cmpint(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), ==, 0);
    return fd;
}

/* The port of "...tcp:127.0.0.1:PORT,server=on...". */
static unsigned
port_of(VitChardev *chr)
{
    g_autofree char *text = vit_chardev_describe(chr);
    const char *at = strstr(text, "127.0.0.1:");

    g_assert_nonnull(at);
    return atoi(at + 10);
}

static int
listen_at(uint16_t *out_port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    addr.sin_port = htons(*out_port);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&addr, len), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    getsockname(fd, (struct sockaddr *)&addr, &len);
    *out_port = ntohs(addr.sin_port);
    return fd;
}

static void
expect(int fd, const char *bytes, size_t len)
{
    char buf[64];
    size_t got = 0;

    while (got < len) {
        ssize_t n = recv(fd, buf + got, len - got, MSG_DONTWAIT);
        got += MAX(n, 0);
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpmem(buf, got, bytes, len);
}

static void
test_server(void)
{
    g_autoptr(VitChardev) chr = open_spec("socket,host=127.0.0.1,port=0,server=on,wait=off", NULL);
    g_autoptr(Recorder) rec = recorder_new();

    vit_chardev_attach(chr, &rec->front, NULL);
    g_assert_cmpuint(vit_chardev_write(chr, "nobody", 6), ==, 6);
    for (int round = 1; round <= 2; round++) {
        int fd = connect_port(port_of(chr));
        WAIT_FOR(rec->opened == round);
        g_autofree char *text = vit_chardev_describe(chr);
        g_assert_nonnull(strstr(text, ",server=on <-> 127.0.0.1:"));
        g_string_truncate(rec->got, 0);
        g_assert_cmpint(send(fd, "hi", 2, 0), ==, 2);
        WAIT_FOR(rec->got->len == 2);
        vit_chardev_write_all(chr, "ho", 2);
        expect(fd, "ho", 2);
        close(fd);
        WAIT_FOR(rec->closed == round);
        g_autofree char *gone = vit_chardev_describe(chr);
        g_assert_true(g_str_has_prefix(gone, "disconnected:tcp:127.0.0.1:"));
    }
}

/* A second client waits until the first has gone. */
static void
test_one_at_a_time(void)
{
    g_autoptr(VitChardev) chr = open_spec("socket,host=127.0.0.1,port=0,server=on,wait=off", NULL);
    g_autoptr(Recorder) rec = recorder_new();

    vit_chardev_attach(chr, &rec->front, NULL);
    int first = connect_port(port_of(chr));
    WAIT_FOR(rec->opened == 1);
    int second = connect_port(port_of(chr));
    g_assert_cmpint(send(second, "2", 1, 0), ==, 1);
    g_assert_cmpint(send(first, "1", 1, 0), ==, 1);
    WAIT_FOR(rec->got->len == 1);
    g_assert_cmpstr(rec->got->str, ==, "1");
    close(first);
    WAIT_FOR(rec->got->len == 2);
    g_assert_cmpstr(rec->got->str, ==, "12");
    close(second);
}

static void
test_no_room(void)
{
    g_autoptr(VitChardev) chr = open_spec("socket,host=127.0.0.1,port=0,server=on,wait=off", NULL);
    g_autoptr(Recorder) rec = recorder_new();

    rec->room = 4;
    vit_chardev_attach(chr, &rec->front, NULL);
    int fd = connect_port(port_of(chr));
    g_assert_cmpint(send(fd, "0123456789", 10, 0), ==, 10);
    WAIT_FOR(rec->got->len == 4);
    for (int i = 0; i < 20; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpuint(rec->got->len, ==, 4);
    rec->room = 100;
    vit_chardev_accept_input(chr);
    WAIT_FOR(rec->got->len == 10);
    close(fd);
}

static gpointer
late_client(gpointer data)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(addr.sun_path, data, sizeof(addr.sun_path));
    for (int i = 0; i < 1000 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0; i++) {
        g_usleep(1000);
    }
    g_assert_cmpint(send(fd, "x", 1, 0), ==, 1);
    return GINT_TO_POINTER(fd);
}

static void
test_unix_wait(void)
{
    g_autofree char *path =
        g_strdup_printf("%s/vitrine-test-%d.sock", g_get_tmp_dir(), (int)getpid());
    g_autofree char *spec = g_strdup_printf("socket,path=%s,server=on", path);
    g_autofree char *nowait = g_strdup_printf("socket,path=%s,server=on,wait=off", path);
    g_autoptr(Recorder) rec = recorder_new();
    g_autoptr(GError) error = NULL;

    GThread *thread = g_thread_new("client", late_client, path);
    VitChardev *chr = open_spec(spec, &error);
    g_assert_no_error(error);
    g_assert_true(vit_chardev_is_open(chr)); /* that is what waiting is for */
    vit_chardev_attach(chr, &rec->front, NULL);
    WAIT_FOR(rec->got->len == 1);
    close(GPOINTER_TO_INT(g_thread_join(thread)));
    WAIT_FOR(rec->closed == 1);

    /* In use, then left behind, then a file of somebody's. */
    g_assert_null(open_spec(nowait, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_clear_error(&error);
    vit_chardev_free(chr);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
    int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    g_assert_cmpint(bind(stale, (struct sockaddr *)&addr, sizeof(addr)), ==, 0);
    close(stale);
    chr = open_spec(nowait, &error);
    g_assert_no_error(error);
    vit_chardev_free(chr);
    g_assert_true(g_file_set_contents(path, "precious", -1, NULL));
    g_assert_null(open_spec(nowait, &error));
    g_assert_nonnull(strstr(error->message, "no socket"));
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    g_unlink(path);
}

static void
test_abstract(void)
{
    g_autofree char *name = g_strdup_printf("vitrine-test-%d", (int)getpid());
    g_autofree char *server =
        g_strdup_printf("socket,path=%s,abstract=on,server=on,wait=off", name);
    g_autofree char *client = g_strdup_printf("socket,path=%s,abstract=on", name);
    g_autoptr(Recorder) rec = recorder_new();
    g_autoptr(VitChardev) a = open_spec(server, NULL);

    vit_chardev_attach(a, &rec->front, NULL);
    g_autoptr(VitChardev) b = open_spec(client, NULL);
    vit_chardev_write_all(b, "abs", 3);
    WAIT_FOR(rec->got->len == 3);
}

static void
test_port_range(void)
{
    uint16_t port = 0;
    g_autoptr(GError) error = NULL;
    int fd = listen_at(&port);
    g_autofree char *taken =
        g_strdup_printf("socket,host=127.0.0.1,port=%u,server=on,wait=off", port);
    g_autofree char *range = g_strdup_printf("%s,to=%u", taken, port + 20);

    g_assert_null(open_spec(taken, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_assert_nonnull(strstr(error->message, "choose another port"));
    g_autoptr(VitChardev) chr = open_spec(range, NULL);
    g_assert_cmpuint(port_of(chr), >, port);
    g_assert_cmpuint(port_of(chr), <=, port + 20);
    close(fd);
}

static void
test_client_reconnects(void)
{
    uint16_t port = 0;
    int listener = listen_at(&port);
    g_autofree char *spec = g_strdup_printf("socket,host=127.0.0.1,port=%u,reconnect=1", port);
    g_autofree char *plain = g_strdup_printf("socket,host=127.0.0.1,port=%u", port);
    g_autoptr(Recorder) rec = recorder_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(VitChardev) chr = open_spec(spec, NULL);

    vit_chardev_attach(chr, &rec->front, NULL);
    int fd = accept(listener, NULL, NULL);
    WAIT_FOR(rec->opened == 1);
    close(fd);
    close(listener);
    WAIT_FOR(rec->closed == 1);
    g_assert_null(open_spec(plain, &error));
    g_assert_nonnull(strstr(error->message, "reconnect=SECONDS"));
    listener = listen_at(&port);
    WAIT_FOR(rec->opened == 2);
    fd = accept(listener, NULL, NULL);
    vit_chardev_write_all(chr, "again", 5);
    expect(fd, "again", 5);
    close(fd);
    close(listener);
}

static void
test_telnet(void)
{
    g_autoptr(VitChardev) chr =
        open_spec("socket,host=127.0.0.1,port=0,server=on,wait=off,telnet=on", NULL);
    g_autoptr(Recorder) rec = recorder_new();
    /* DO ECHO, "a", IAC IAC, BREAK, "b", CR NUL, subnegotiation, CR LF */
    static const char input[] =
        "\377\375\001a\377\377\377\363b\r\0\377\372\030x\377\377y\377\360\r\n";

    vit_chardev_attach(chr, &rec->front, NULL);
    int fd = connect_port(port_of(chr));
    expect(fd, "\377\373\001\377\373\003\377\373\000\377\375\000", 12);
    for (unsigned i = 0; i < sizeof(input) - 1; i++) { /* byte by byte: the state carries */
        g_assert_cmpint(send(fd, &input[i], 1, 0), ==, 1);
    }
    WAIT_FOR(rec->got->len >= 6);
    g_assert_cmpstr(rec->got->str, ==, "a\377b\r\r\n");
    g_assert_cmpuint(rec->breaks, ==, 1);
    vit_chardev_write_all(chr, "x\377y", 3);
    expect(fd, "x\377\377y", 4);
    close(fd);
}

/* Only what was taken arrives, but all of that, though nobody writes any more. */
static void
test_telnet_slow_reader(void)
{
    g_autoptr(VitChardev) chr =
        open_spec("socket,host=127.0.0.1,port=0,server=on,wait=off,telnet=on", NULL);
    g_autoptr(Recorder) rec = recorder_new();
    enum { TOTAL = 8 << 20 };
    g_autofree uint8_t *data = g_malloc(TOTAL);
    size_t expected = 12, got = 0;
    uint8_t buf[65536];

    vit_chardev_attach(chr, &rec->front, NULL);
    int fd = connect_port(port_of(chr));
    WAIT_FOR(rec->opened == 1);
    for (unsigned i = 0; i < TOTAL; i++) {
        data[i] = i;
    }
    size_t taken = vit_chardev_write(chr, data, TOTAL);
    g_assert_cmpuint(taken, <, TOTAL);
    for (size_t i = 0; i < taken; i++) {
        expected += data[i] == 0xff ? 2 : 1;
    }
    while (got < expected || rec->can_write == 0) {
        ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
        got += MAX(n, 0);
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpuint(got, ==, expected);
    close(fd);
}

static const struct {
    const char *spec, *part;
} refused[] = {
    { "socket", "path=" },
    { "socket,path=/tmp/x,port=4", "either" },
    { "socket,host=127.0.0.1,port=1", "cannot connect" },
    { "socket,path=/nonexistent/sock", "/nonexistent/sock" },
    { "socket,host=127.0.0.1,port=1,wait=off", "wait=" },
    { "socket,host=127.0.0.1,port=1,server=on,reconnect=1", "reconnect=" },
    { "socket,host=127.0.0.1,port=1,websocket=on", "not available yet" },
    { "socket,host=127.0.0.1,port=1,tls-creds=x", "TLS" },
    { "socket,host=127.0.0.1,port=1,ipv4=off,ipv6=off", "no address family" },
    { "socket,host=nowhere.invalid,port=1", "nowhere.invalid" },
    { "socket,fd=17000", "fd=" },
};

static void
test_refused(void)
{
    g_autofree char *long_path = g_strnfill(200, 'x');
    g_autofree char *too_long = g_strdup_printf("socket,path=/%s", long_path);
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_clear_error(&error);
        g_assert_null(open_spec(refused[i].spec, &error));
        if (!error || !strstr(error->message, refused[i].part)) {
            g_error("'%s' should be in: %s", refused[i].part, error ? error->message : "(nothing)");
        }
    }
    g_clear_error(&error);
    g_assert_null(open_spec(too_long, &error));
    g_assert_nonnull(strstr(error->message, "too long"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/char-socket/server", test_server);
    g_test_add_func("/char-socket/one-at-a-time", test_one_at_a_time);
    g_test_add_func("/char-socket/no-room", test_no_room);
    g_test_add_func("/char-socket/unix-wait", test_unix_wait);
    g_test_add_func("/char-socket/abstract", test_abstract);
    g_test_add_func("/char-socket/port-range", test_port_range);
    g_test_add_func("/char-socket/client-reconnects", test_client_reconnects);
    g_test_add_func("/char-socket/telnet", test_telnet);
    g_test_add_func("/char-socket/telnet-slow-reader", test_telnet_slow_reader);
    g_test_add_func("/char-socket/refused", test_refused);
    return g_test_run();
}
