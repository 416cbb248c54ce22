/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Back ends against the host's own files, pipes, terminals and datagrams. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

#include "char-test.h"

static char *
temp_name(void)
{
    char *path = g_build_filename(g_get_tmp_dir(), "vitrine-test-XXXXXX", NULL);

    close(g_mkstemp(path));
    g_unlink(path);
    return path;
}

static void
test_null(void)
{
    g_autoptr(VitChardev) chr = open_spec("null", NULL);

    g_assert_true(vit_chardev_is_open(chr));
    g_assert_cmpuint(vit_chardev_write(chr, "abc", 3), ==, 3);
}

static void
test_file(void)
{
    g_autofree char *path = temp_name();
    g_autofree char *spec = g_strdup_printf("file,path=%s", path);
    g_autofree char *append = g_strdup_printf("file,path=%s,append=on", path);
    g_autofree char *reading = g_strdup_printf("file,path=/dev/null,input-path=%s", path);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(Recorder) rec = recorder_new();

    VitChardev *chr = open_spec(spec, NULL);
    vit_chardev_write_all(chr, "old", 3);
    vit_chardev_free(chr);
    chr = open_spec(spec, NULL);
    vit_chardev_write_all(chr, "new", 3);
    vit_chardev_free(chr);
    chr = open_spec(append, NULL);
    vit_chardev_write_all(chr, "er", 2);
    g_autofree char *described = vit_chardev_describe(chr);
    g_assert_true(g_str_has_prefix(described, "file:/"));
    vit_chardev_free(chr);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "newer");

    chr = open_spec(reading, NULL);
    rec->room = 2;
    vit_chardev_attach(chr, &rec->front, NULL);
    WAIT_FOR(rec->got->len == 2);
    rec->room = 100;
    vit_chardev_accept_input(chr);
    WAIT_FOR(rec->got->len == 5);
    g_assert_cmpstr(rec->got->str, ==, "newer");
    vit_chardev_free(chr);
    g_unlink(path);

    g_assert_null(open_spec("file", &error));
    g_assert_nonnull(strstr(error->message, "path=FILE"));
    g_clear_error(&error);
    g_assert_null(open_spec("file,path=/nonexistent/x", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND);
}

static void
test_pipe(void)
{
    g_autofree char *path = temp_name();
    g_autofree char *in = g_strconcat(path, ".in", NULL);
    g_autofree char *out = g_strconcat(path, ".out", NULL);
    g_autofree char *spec = g_strdup_printf("pipe,path=%s", path);
    g_autoptr(GError) error = NULL;
    g_autoptr(Recorder) rec = recorder_new();
    char buf[16] = "";

    g_assert_null(open_spec(spec, &error));
    g_assert_nonnull(strstr(error->message, "mkfifo"));
    g_assert_cmpint(mkfifo(in, 0600), ==, 0);
    g_assert_cmpint(mkfifo(out, 0600), ==, 0);
    VitChardev *chr = open_spec(spec, NULL);
    vit_chardev_attach(chr, &rec->front, NULL);
    int to = open(in, O_WRONLY), from = open(out, O_RDONLY);
    g_assert_cmpint(write(to, "ping", 4), ==, 4);
    WAIT_FOR(rec->got->len == 4);
    vit_chardev_write_all(chr, "pong", 4);
    g_assert_cmpint(read(from, buf, sizeof(buf)), ==, 4);
    g_assert_cmpstr(buf, ==, "pong");
    close(to);
    close(from);
    vit_chardev_free(chr);
    g_unlink(in);
    g_unlink(out);
}

/* A reader that stops: the pipe fills, the rest is kept, then all of it arrives in order. */
static void
test_slow_reader(void)
{
    g_autofree char *path = temp_name();
    g_autofree char *in = g_strconcat(path, ".in", NULL);
    g_autofree char *out = g_strconcat(path, ".out", NULL);
    g_autofree char *spec = g_strdup_printf("pipe,path=%s", path);
    g_autoptr(Recorder) rec = recorder_new();
    enum { TOTAL = 300000 };
    g_autofree uint8_t *sent = g_malloc(TOTAL);
    g_autofree uint8_t *got = g_malloc(TOTAL);
    size_t got_len = 0;

    g_assert_cmpint(mkfifo(in, 0600), ==, 0);
    g_assert_cmpint(mkfifo(out, 0600), ==, 0);
    VitChardev *chr = open_spec(spec, NULL);
    vit_chardev_attach(chr, &rec->front, NULL);
    for (unsigned i = 0; i < TOTAL; i++) {
        sent[i] = i * 7 >> 3;
    }
    size_t taken = vit_chardev_write(chr, sent, TOTAL);
    g_assert_cmpuint(taken, <, TOTAL);
    vit_chardev_write_all(chr, sent + taken, TOTAL - taken);
    g_assert_cmpuint(rec->can_write, ==, 0);
    int from = open(out, O_RDONLY | O_NONBLOCK);
    while (got_len < TOTAL) {
        ssize_t n = read(from, got + got_len, MIN(TOTAL - got_len, 5000));
        got_len += MAX(n, 0);
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpmem(sent, TOTAL, got, TOTAL);
    WAIT_FOR(rec->can_write > 0);
    close(from);
    vit_chardev_free(chr);
    g_unlink(in);
    g_unlink(out);
}

static void
take_message(void *opaque, const char *text)
{
    g_string_assign(opaque, text);
}

static void
test_pty(void)
{
    g_autoptr(VitChardev) chr = vit_char_make("pty", "serial0", NULL, NULL, 0, NULL);
    g_autoptr(Recorder) rec = recorder_new();
    GString *message = g_string_new(NULL);
    VitChardevHost host = { .message = take_message, .opaque = message };
    char buf[32] = "";

    vit_chardev_set_host(chr, &host);
    g_assert_true(vit_chardev_open(chr, NULL, NULL, NULL));
    g_assert_true(g_regex_match_simple("redirected to /dev/pts/\\d+ \\(label serial0\\)",
                                       message->str, 0, 0));
    g_autofree char *described = vit_chardev_describe(chr);
    g_assert_true(g_str_has_prefix(described, "pty:/dev/pts/"));
    vit_chardev_attach(chr, &rec->front, NULL);
    g_assert_false(vit_chardev_is_open(chr));
    g_assert_cmpuint(vit_chardev_write(chr, "dropped", 7), ==, 7);

    for (int round = 1; round <= 2; round++) { /* programs come and go */
        int fd = open(described + 4, O_RDWR | O_NOCTTY);
        g_assert_cmpint(fd, >=, 0);
        WAIT_FOR(vit_chardev_is_open(chr));
        g_assert_cmpuint(rec->opened, ==, round);
        vit_chardev_write_all(chr, "out\n", 4);
        g_assert_cmpint(read(fd, buf, sizeof(buf)), ==, 4);
        g_assert_cmpmem(buf, 4, "out\n", 4);
        g_string_truncate(rec->got, 0);
        g_assert_cmpint(write(fd, "in\r\003", 4), ==, 4);
        WAIT_FOR(rec->got->len == 4);
        g_assert_cmpstr(rec->got->str, ==, "in\r\003");
        close(fd);
        WAIT_FOR(!vit_chardev_is_open(chr));
        g_assert_cmpuint(rec->closed, ==, round);
    }
    g_string_free(message, TRUE);
}

/* In a child whose standard input and output are a terminal of ours. */
static void
test_stdio_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    struct termios before, during, after;
    char name[64], buf[16] = "";
    int status;

    g_assert_cmpint(grantpt(master), ==, 0);
    g_assert_cmpint(unlockpt(master), ==, 0);
    g_assert_cmpint(ptsname_r(master, name, sizeof(name)), ==, 0);
    int slave = open(name, O_RDWR | O_NOCTTY);
    g_assert_cmpint(tcgetattr(slave, &before), ==, 0);
    pid_t child = fork();
    if (child == 0) {
        Recorder *rec = recorder_new();
        dup2(slave, 0);
        dup2(slave, 1);
        VitChardev *chr = open_spec("stdio,signal=off", NULL);
        vit_chardev_attach(chr, &rec->front, NULL);
        vit_chardev_write_all(chr, "ready", 5);
        while (!strchr(rec->got->str, 'q')) {
            g_main_context_iteration(NULL, TRUE);
        }
        bool ok = strcmp(rec->got->str, "\003q") == 0;
        vit_chardev_free(chr);
        _exit(ok ? 0 : 1);
    }
    for (size_t len = 0; len < 5;) {
        ssize_t n = read(master, buf + len, sizeof(buf) - 1 - len);
        g_assert_cmpint(n, >, 0);
        len += n;
    }
    g_assert_cmpstr(buf, ==, "ready");
    g_assert_cmpint(tcgetattr(slave, &during), ==, 0);
    g_assert_false(during.c_lflag & (ICANON | ECHO | ISIG));
    g_assert_cmpint(write(master, "\003q", 2), ==, 2);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    g_assert_cmpint(tcgetattr(slave, &after), ==, 0);
    g_assert_cmpuint(after.c_lflag, ==, before.c_lflag);
    g_assert_cmpuint(after.c_iflag, ==, before.c_iflag);
    close(slave);
    close(master);
}

/* Standard input that ends, standard output that nobody reads any more. */
static void
test_stdio_ends(void)
{
    int out[2], status;

    g_assert_cmpint(pipe(out), ==, 0);
    pid_t child = fork();
    if (child == 0) {
        Recorder *rec = recorder_new();
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(out[1], 1);
        close(out[0]);
        close(out[1]);
        VitChardev *chr = open_spec("stdio", NULL);
        vit_chardev_attach(chr, &rec->front, NULL);
        for (int i = 0; i < 50; i++) {
            g_main_context_iteration(NULL, FALSE);
        }
        bool ok = vit_chardev_is_open(chr);
        vit_chardev_write_all(chr, "after the end", 13);
        g_usleep(100000); /* the parent closes its side */
        vit_chardev_write_all(chr, "nobody", 6);
        vit_chardev_free(chr);
        _exit(ok ? 0 : 1);
    }
    char buf[32] = "";
    close(out[1]);
    g_assert_cmpint(read(out[0], buf, sizeof(buf)), ==, 13);
    close(out[0]);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

static void
test_udp(void)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in from = { 0 };
    socklen_t len = sizeof(addr), from_len = sizeof(from);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    g_autoptr(Recorder) rec = recorder_new();
    g_autoptr(GError) error = NULL;
    char buf[16] = "";

    g_assert_cmpint(bind(fd, (struct sockaddr *)&addr, len), ==, 0);
    getsockname(fd, (struct sockaddr *)&addr, &len);
    g_autofree char *spec =
        g_strdup_printf("udp,host=127.0.0.1,port=%u,localaddr=127.0.0.1", ntohs(addr.sin_port));
    VitChardev *chr = open_spec(spec, &error);
    g_assert_no_error(error);
    vit_chardev_attach(chr, &rec->front, NULL);
    vit_chardev_write_all(chr, "hello", 5);
    g_assert_cmpint(recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_len), ==, 5);
    rec->room = 3;
    g_assert_cmpint(sendto(fd, "answer", 6, 0, (struct sockaddr *)&from, from_len), ==, 6);
    WAIT_FOR(rec->got->len == 3);
    rec->room = SIZE_MAX;
    vit_chardev_accept_input(chr);
    g_assert_cmpstr(rec->got->str, ==, "answer");
    g_assert_cmpint(sendto(fd, "2", 1, 0, (struct sockaddr *)&from, from_len), ==, 1);
    WAIT_FOR(rec->got->len == 7);
    vit_chardev_free(chr);
    close(fd);
    g_assert_null(open_spec("udp,host=x", &error));
    g_assert_nonnull(strstr(error->message, "port=PORT"));
}

static void
test_ringbuf(void)
{
    g_autoptr(VitChardev) chr = open_spec("ringbuf,size=8", NULL);
    g_autoptr(GError) error = NULL;

    vit_chardev_write_all(chr, "0123456789", 10);
    g_autoptr(GByteArray) first = chr->kind->take_kept(chr, 3);
    g_assert_cmpmem(first->data, first->len, "234", 3);
    vit_chardev_write_all(chr, "ab", 2);
    g_autoptr(GByteArray) rest = chr->kind->take_kept(chr, 100);
    g_assert_cmpmem(rest->data, rest->len, "56789ab", 7);
    g_autoptr(GByteArray) none = chr->kind->take_kept(chr, 100);
    g_assert_cmpuint(none->len, ==, 0);
    g_assert_null(open_spec("ringbuf,size=1000", &error));
    g_assert_nonnull(strstr(error->message, "power of two"));
}

static void
take_output(void *opaque, const uint8_t *buf, size_t len)
{
    g_string_append_len(opaque, (const char *)buf, len);
}

static void
test_vc(void)
{
    g_autoptr(VitChardev) chr = open_spec("vc,cols=100,rows=30", NULL);
    g_autoptr(Recorder) rec = recorder_new();
    GString *seen = g_string_new(NULL);
    VitCharVcView view = { .output = take_output, .opaque = seen };
    unsigned columns, rows;

    vit_chardev_attach(chr, &rec->front, NULL);
    vit_chardev_write_all(chr, "early ", 6);
    vit_char_vc_add_view(chr, &view);
    vit_chardev_write_all(chr, "late", 4);
    g_assert_cmpstr(seen->str, ==, "early late");
    vit_char_vc_remove_view(chr, &view);
    vit_chardev_write_all(chr, "unseen", 6);
    g_assert_cmpstr(seen->str, ==, "early late");
    rec->room = 1;
    vit_char_vc_input(chr, (const uint8_t *)"keys", 4);
    g_assert_cmpstr(rec->got->str, ==, "k");
    rec->room = 10;
    vit_chardev_accept_input(chr);
    g_assert_cmpstr(rec->got->str, ==, "keys");
    vit_char_vc_get_size(chr, &columns, &rows);
    g_assert_cmpuint(columns, ==, 100);
    g_assert_cmpuint(rows, ==, 30);
    g_string_free(seen, TRUE);
}

static void
test_serial(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    struct termios line;
    char name[64], buf[16] = "";
    g_autoptr(Recorder) rec = recorder_new();
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(grantpt(master), ==, 0);
    g_assert_cmpint(unlockpt(master), ==, 0);
    g_assert_cmpint(ptsname_r(master, name, sizeof(name)), ==, 0);
    g_autofree char *spec = g_strdup_printf("tty,path=%s", name);
    VitChardev *chr = open_spec(spec, &error);
    g_assert_no_error(error);
    vit_chardev_attach(chr, &rec->front, NULL);
    vit_chardev_write_all(chr, "a\nb", 3);
    g_assert_cmpint(read(master, buf, sizeof(buf)), ==, 3);
    g_assert_cmpint(write(master, "c\rd", 3), ==, 3);
    WAIT_FOR(rec->got->len == 3);
    g_assert_cmpstr(rec->got->str, ==, "c\rd");
    VitChardevSerialParams params = { 115740, 7, 2, 'E' }; /* the divisor 1 of a fast clock */
    vit_chardev_set_serial(chr, &params);
    g_assert_cmpint(tcgetattr(master, &line), ==, 0);
    g_assert_cmpuint(cfgetospeed(&line), ==, B115200);
    vit_chardev_set_modem(chr, VIT_TIOCM_DTR);
    vit_chardev_get_modem(chr);
    vit_chardev_free(chr);
    close(master);
    g_assert_null(open_spec("serial,path=/dev/null", &error));
    g_assert_nonnull(strstr(error->message, "no terminal line"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/char/null", test_null);
    g_test_add_func("/char/file", test_file);
    g_test_add_func("/char/pipe", test_pipe);
    g_test_add_func("/char/slow-reader", test_slow_reader);
    g_test_add_func("/char/pty", test_pty);
    g_test_add_func("/char/stdio-terminal", test_stdio_terminal);
    g_test_add_func("/char/stdio-ends", test_stdio_ends);
    g_test_add_func("/char/udp", test_udp);
    g_test_add_func("/char/ringbuf", test_ringbuf);
    g_test_add_func("/char/vc", test_vc);
    g_test_add_func("/char/serial", test_serial);
    return g_test_run();
}
