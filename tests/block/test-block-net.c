/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Images on other hosts: HTTP from nginx, SSH from sshd, both started here where they are
 * installed, without rights and on free ports of this host. */

#include "block-test.h"

#include "vit-error.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEN = 1 << 20 };

static unsigned
free_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, len), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&address, &len), ==, 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void
wait_for_port(unsigned port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)port) };

    for (unsigned i = 0; i < 500; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        bool ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
        close(fd);
        if (ok) {
            return;
        }
        g_usleep(10000);
    }
    g_error("no server on port %u", port);
}

/* Starts PROGRAM with a full path; false when it is not installed. */
static bool
start(const char *program, const char *arguments, GPid *out_pid)
{
    const char *const folders[] = { "/usr/sbin", "/usr/bin", NULL };
    g_autofree char *path = NULL;

    for (unsigned i = 0; folders[i] && !path; i++) {
        g_autofree char *candidate = g_build_filename(folders[i], program, NULL);
        path =
            g_file_test(candidate, G_FILE_TEST_IS_EXECUTABLE) ? g_steal_pointer(&candidate) : NULL;
    }
    if (!path) {
        return false;
    }
    g_autofree char *line = g_strdup_printf("%s %s", path, arguments);
    g_auto(GStrv) argv = NULL;
    g_autoptr(GError) error = NULL;
    g_assert_true(g_shell_parse_argv(line, NULL, &argv, NULL));
    g_spawn_async(NULL, argv, NULL,
                  G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL |
                      G_SPAWN_STDERR_TO_DEV_NULL,
                  NULL, NULL, out_pid, &error);
    g_assert_no_error(error);
    return true;
}

static void
stop(GPid pid)
{
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

static void
check_pattern(BlkNode *node)
{
    g_autofree uint8_t *data = g_malloc(LEN);
    g_autoptr(BlkImage) image = blk_image_new(node, false, NULL);

    g_assert_cmpuint(blk_image_get_len(image), ==, LEN);
    g_assert_cmpint(blk_image_read(image, 0, data, LEN), ==, 0);
    for (unsigned i = 0; i < LEN; i++) {
        g_assert_cmpuint(data[i], ==, block_test_byte(i));
    }
    g_assert_cmpint(blk_image_read(image, 777777, data, 1000), ==, 0);
    g_assert_cmpuint(data[0], ==, block_test_byte(777777));
}

static bool
has_driver(BlockTest *test, const char *name)
{
    return blk_driver_title(test->graph, name) != NULL;
}

/* mission: url.curl url.curl.url url.curl.readahead url.curl.timeout */
static void
test_http(void)
{
    g_autoptr(GError) error = NULL;
    unsigned port = free_port();
    BlockTest test;
    GPid pid;

    block_test_init(&test);
    g_chmod(test.dir, 0755);
    g_autofree char *disk = block_test_image(&test, "disk", LEN);
    g_autofree char *conf_path = block_test_path(&test, "conf");
    g_autofree char *conf = g_strdup_printf(
        "daemon off; master_process off; pid %s/pid; error_log /dev/null; events {}\n"
        "http { access_log off; client_body_temp_path %s/t1; proxy_temp_path %s/t2;\n"
        "fastcgi_temp_path %s/t3; uwsgi_temp_path %s/t4; scgi_temp_path %s/t5;\n"
        "server { listen 127.0.0.1:%u; root %s; location /whole { max_ranges 0; alias %s; } } }\n",
        test.dir, test.dir, test.dir, test.dir, test.dir, test.dir, port, test.dir, disk);
    g_assert_true(g_file_set_contents(conf_path, conf, -1, NULL));
    g_autofree char *arguments = g_strdup_printf("-p %s -e /dev/null -c %s", test.dir, conf_path);
    if (!has_driver(&test, "http") || !start("nginx", arguments, &pid)) {
        g_test_skip("libcurl or nginx is not there");
        block_test_finish(&test);
        return;
    }
    wait_for_port(port);
    g_autofree char *url = g_strdup_printf("http://127.0.0.1:%u/disk", port);
    g_autofree char *missing = g_strdup_printf("http://127.0.0.1:%u/missing", port);
    g_autoptr(BlkNode) node = block_test_open(&test, url, "driver=raw,read-only=on");
    check_pattern(node);
    g_clear_pointer(&node, blk_node_unref);
    node = block_test_open(&test, url, "driver=raw,auto-read-only=on,file.readahead=4k");
    check_pattern(node);
    g_clear_pointer(&node, blk_node_unref);
    g_assert_null(blk_open(test.graph, url, NULL, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_PERMISSION);
    g_clear_error(&error);
    g_autoptr(BlkOptions) read_only = block_test_options("read-only=on");
    g_assert_null(blk_open(test.graph, missing, read_only, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND);
    g_clear_error(&error);
    stop(pid);
    g_assert_null(blk_open(test.graph, url, read_only, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_IO);
    for (unsigned i = 1; i <= 5; i++) {
        g_autofree char *folder = g_strdup_printf("%s/t%u", test.dir, i);
        g_rmdir(folder);
    }
    block_test_finish(&test);
}

static void
run_line(const char *format, const char *path)
{
    g_autofree char *line = g_strdup_printf(format, path);

    g_assert_true(g_spawn_command_line_sync(line, NULL, NULL, NULL, NULL));
}

static void
use_file(BlockTest *test, unsigned port, const char *disk)
{
    g_autofree char *url =
        g_strdup_printf("ssh://%s@127.0.0.1:%u%s?host_key_check=no", g_get_user_name(), port, disk);
    g_autoptr(BlkNode) node = block_test_open(test, url, "driver=raw");
    uint8_t data[4096];

    check_pattern(node);
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    memset(data, 0x77, sizeof(data));
    g_assert_cmpint(blk_image_write(image, 100000, data, sizeof(data)), ==, 0);
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    memset(data, 0, sizeof(data));
    g_assert_cmpint(blk_image_read(image, 100000, data, sizeof(data)), ==, 0);
    g_assert_cmpuint(data[4095], ==, 0x77);
}

/* mission: url.ssh */
static void
test_ssh(void)
{
    g_autoptr(GError) error = NULL;
    unsigned port = free_port();
    BlockTest test;
    GPid pid;

    block_test_init(&test);
    g_autofree char *disk = block_test_image(&test, "disk", LEN);
    g_autofree char *host_key = block_test_path(&test, "host");
    g_autofree char *user_key = block_test_path(&test, "user");
    g_autofree char *agent_socket = block_test_path(&test, "agent");
    g_autofree char *agent_arguments = g_strdup_printf("-D -a %s", agent_socket);
    GPid agent;
    g_autofree char *arguments =
        g_strdup_printf("-D -e -f /dev/null -h %s -p %u -o ListenAddress=127.0.0.1 "
                        "-o PidFile=none -o UsePAM=no -o Subsystem='sftp internal-sftp' "
                        "-o StrictModes=no -o PermitRootLogin=yes -o AuthorizedKeysFile=%s.pub",
                        host_key, port, user_key);
    if (!has_driver(&test, "ssh") || !g_file_test("/usr/bin/ssh-keygen", G_FILE_TEST_EXISTS)) {
        g_test_skip("libssh or ssh-keygen is not there");
        block_test_finish(&test);
        return;
    }
    run_line("ssh-keygen -q -t ed25519 -N '' -f %s", host_key);
    run_line("ssh-keygen -q -t ed25519 -N '' -f %s", user_key);
    if (!g_file_test("/run/sshd", G_FILE_TEST_IS_DIR)) {
        g_mkdir("/run/sshd", 0755);
    }
    if (!start("sshd", arguments, &pid)) {
        g_test_skip("sshd is not there");
        block_test_finish(&test);
        return;
    }
    wait_for_port(port);
    /* No key of this user is known to that server: every way in has to end with a message. */
    const struct {
        const char *check, *words;
    } rows[] = {
        { "yes", "known_hosts" },
        { "sha256:00:11", "another hash" },
        { "no", "does not accept a key" },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *url = g_strdup_printf("ssh://nobody@127.0.0.1:%u%s?host_key_check=%s",
                                               port, disk, rows[i].check);
        g_assert_null(blk_open(test.graph, url, NULL, &error));
        g_assert_error(error, VIT_ERROR, VIT_ERROR_IO);
        if (!strstr(error->message, rows[i].words)) {
            g_error("\"%s\" does not say \"%s\"", error->message, rows[i].words);
        }
        g_clear_error(&error);
    }
    g_autofree char *bad = g_strdup_printf("ssh://127.0.0.1:%u%s?host_key_check=maybe", port, disk);
    g_assert_null(blk_open(test.graph, bad, NULL, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT);
    g_clear_error(&error);
    if (start("ssh-agent", agent_arguments, &agent)) {
        for (unsigned i = 0; i < 500 && !g_file_test(agent_socket, G_FILE_TEST_EXISTS); i++) {
            g_usleep(10000);
        }
        g_setenv("SSH_AUTH_SOCK", agent_socket, TRUE);
        run_line("ssh-add -q %s", user_key);
        use_file(&test, port, disk);
        stop(agent);
    }
    stop(pid);
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/net/http", test_http);
    g_test_add_func("/block/net/ssh", test_ssh);
    return g_test_run();
}
