/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Images on other hosts: HTTP from nginx, SSH from sshd, both started here where they are
 * installed, without rights and on free ports of this host. */

#include "block-server.h"

#include "vit-error.h"

#include <glib/gstdio.h>
#include <string.h>

/* mission: url.curl url.curl.url url.curl.readahead url.curl.timeout */
static void
test_http(void)
{
    g_autoptr(GError) error = NULL;
    unsigned port = block_server_port();
    BlockTest test;
    GPid pid;

    block_test_init(&test);
    g_chmod(test.dir, 0755);
    g_autofree char *disk = block_test_image(&test, "disk", BLOCK_SERVER_LEN);
    g_autofree char *conf_path = block_test_path(&test, "conf");
    g_autofree char *conf = g_strdup_printf(
        "daemon off; master_process off; pid %s/pid; error_log /dev/null; events {}\n"
        "http { access_log off; client_body_temp_path %s/t1; proxy_temp_path %s/t2;\n"
        "fastcgi_temp_path %s/t3; uwsgi_temp_path %s/t4; scgi_temp_path %s/t5;\n"
        "server { listen 127.0.0.1:%u; root %s; location /whole { max_ranges 0; alias %s; } } }\n",
        test.dir, test.dir, test.dir, test.dir, test.dir, test.dir, port, test.dir, disk);
    g_assert_true(g_file_set_contents(conf_path, conf, -1, NULL));
    g_autofree char *arguments = g_strdup_printf("-p %s -e /dev/null -c %s", test.dir, conf_path);
    if (!block_server_has_driver(&test, "http") || !block_server_start("nginx", arguments, &pid)) {
        g_test_skip("libcurl or nginx is not there");
        block_test_finish(&test);
        return;
    }
    block_server_wait(port);
    g_autofree char *url = g_strdup_printf("http://127.0.0.1:%u/disk", port);
    g_autofree char *missing = g_strdup_printf("http://127.0.0.1:%u/missing", port);
    g_autoptr(BlkNode) node = block_test_open(&test, url, "driver=raw,read-only=on");
    block_server_check(node);
    g_clear_pointer(&node, blk_node_unref);
    node = block_test_open(&test, url, "driver=raw,auto-read-only=on,file.readahead=4k");
    block_server_check(node);
    g_clear_pointer(&node, blk_node_unref);
    g_assert_null(blk_open(test.graph, url, NULL, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_PERMISSION);
    g_clear_error(&error);
    g_autoptr(BlkOptions) read_only = block_test_options("read-only=on");
    g_assert_null(blk_open(test.graph, missing, read_only, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND);
    g_clear_error(&error);
    block_server_stop(pid);
    g_assert_null(blk_open(test.graph, url, read_only, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_IO);
    for (unsigned i = 1; i <= 5; i++) {
        g_autofree char *folder = g_strdup_printf("%s/t%u", test.dir, i);
        g_rmdir(folder);
    }
    block_test_finish(&test);
}

static void
use_file(BlockTest *test, unsigned port, const char *disk)
{
    g_autofree char *url =
        g_strdup_printf("ssh://%s@127.0.0.1:%u%s?host_key_check=no", g_get_user_name(), port, disk);
    g_autoptr(BlkNode) node = block_test_open(test, url, "driver=raw");
    uint8_t data[4096];

    block_server_check(node);
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
    unsigned port = block_server_port();
    BlockTest test;
    GPid pid;

    block_test_init(&test);
    g_autofree char *disk = block_test_image(&test, "disk", BLOCK_SERVER_LEN);
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
    if (!block_server_has_driver(&test, "ssh") ||
        !g_file_test("/usr/bin/ssh-keygen", G_FILE_TEST_EXISTS)) {
        g_test_skip("libssh or ssh-keygen is not there");
        block_test_finish(&test);
        return;
    }
    block_server_run("ssh-keygen -q -t ed25519 -N '' -f %s", host_key);
    block_server_run("ssh-keygen -q -t ed25519 -N '' -f %s", user_key);
    if (!g_file_test("/run/sshd", G_FILE_TEST_IS_DIR)) {
        g_mkdir("/run/sshd", 0755);
    }
    if (!block_server_start("sshd", arguments, &pid)) {
        g_test_skip("sshd is not there");
        block_test_finish(&test);
        return;
    }
    block_server_wait(port);
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
    if (block_server_start("ssh-agent", agent_arguments, &agent)) {
        for (unsigned i = 0; i < 500 && !g_file_test(agent_socket, G_FILE_TEST_EXISTS); i++) {
            g_usleep(10000);
        }
        g_setenv("SSH_AUTH_SOCK", agent_socket, TRUE);
        block_server_run("ssh-add -q %s", user_key);
        use_file(&test, port, disk);
        block_server_stop(agent);
    }
    block_server_stop(pid);
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
