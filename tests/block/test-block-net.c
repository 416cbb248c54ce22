/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Images on other hosts: HTTP and HTTPS from nginx, FTP from vsftpd, SSH from sshd, both started
 * here where they are installed, without rights and on free ports of this host. */

#include "block-server.h"

#include "vit-error.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* An overlay on this host keeps what was read through it: it shows that when the server, stopped,
 * answers nothing any more. mission: url.curl.copy-on-read */
static void
test_overlay(BlockTest *test, const char *url, GPid server)
{
    g_autofree char *overlay = block_test_path(test, "overlay");
    g_autofree char *text = g_strdup_printf("size=1M,backing_fmt=raw,backing_file=%s", url);
    g_autofree uint8_t *data = g_malloc(BLOCK_SERVER_LEN);
    g_autoptr(BlkOptions) create = block_test_options(text);
    g_autoptr(GError) error = NULL;

    blk_create(test->graph, "qcow2", overlay, create, &error);
    g_assert_no_error(error);
    for (unsigned round = 0; round < 2; round++) {
        g_autofree char *options = g_strdup_printf(
            "driver=copy-on-read,file.driver=qcow2,file.file.driver=file,file.file.filename=%s",
            overlay);
        g_autoptr(BlkNode) node = block_test_open(test, NULL, options);
        g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
        if (round == 1) {
            kill(server, SIGSTOP);
        }
        g_assert_cmpint(blk_image_read(image, 0, data, BLOCK_SERVER_LEN / 2), ==, 0);
        g_assert_true(block_test_is_pattern(data, 0, BLOCK_SERVER_LEN / 2));
        if (round == 1) {
            kill(server, SIGCONT);
        }
    }
}

/* mission: url.http url.curl.url url.curl.readahead url.curl.timeout */
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
    test_overlay(&test, url, pid);
    block_server_stop(pid);
    g_assert_null(blk_open(test.graph, url, read_only, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_IO);
    for (unsigned i = 1; i <= 5; i++) {
        g_autofree char *folder = g_strdup_printf("%s/t%u", test.dir, i);
        g_rmdir(folder);
    }
    block_test_finish(&test);
}

/* A certificate nobody trusts, in server.pem of the test's folder with its key in key.pem. */
static bool
make_certificate(BlockTest *test)
{
    g_autofree char *template = block_test_path(test, "template");

    return test_has_program("certtool") &&
           g_file_set_contents(template,
                               "cn = localhost\nip_address = 127.0.0.1\ntls_www_server\n"
                               "signing_key\nencryption_key\nexpiration_days = 2\n",
                               -1, NULL) &&
           block_server_run("certtool --generate-privkey --key-type ecdsa --curve secp256r1 "
                            "--outfile %s/key.pem",
                            test->dir) &&
           block_server_run("certtool --generate-self-signed --load-privkey %s/key.pem "
                            "--template %s --outfile %s/server.pem",
                            test->dir, template, test->dir);
}

/* Opening URL has to fail, or to work and give the pattern. */
static void
expect(BlockTest *test, bool works, const char *url, const char *more)
{
    g_autofree char *text = g_strconcat("driver=raw,read-only=on", more, NULL);
    g_autoptr(BlkOptions) options = block_test_options(text);
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkNode) node = blk_open(test->graph, url, options, &error);

    if (works) {
        g_assert_no_error(error);
        block_server_check(node);
    } else {
        g_assert_null(node);
        g_assert_error(error, VIT_ERROR, VIT_ERROR_IO);
    }
}

static char *
nginx_conf(BlockTest *test, unsigned port)
{
    g_autofree char *users = block_test_path(test, "users");

    g_assert_true(g_file_set_contents(users, "ann:{PLAIN}let@me\n", -1, NULL));
    return g_strdup_printf(
        "daemon off; master_process off; pid %s/pid; error_log /dev/null; events {}\n"
        "http { access_log off; client_body_temp_path %s/t1; proxy_temp_path %s/t2;\n"
        "fastcgi_temp_path %s/t3; uwsgi_temp_path %s/t4; scgi_temp_path %s/t5;\n"
        "server { listen 127.0.0.1:%u ssl; ssl_certificate %s/server.pem;\n"
        "ssl_certificate_key %s/key.pem; root %s;\n"
        "location /sweet { if ($http_cookie != \"taste=sweet\") { return 403; } alias %s/disk; }\n"
        "location /inner { auth_basic x; auth_basic_user_file %s; alias %s/disk; } } }\n",
        test->dir, test->dir, test->dir, test->dir, test->dir, test->dir, port, test->dir,
        test->dir, test->dir, test->dir, users, test->dir);
}

/* mission: url.https url.curl.sslverify url.curl.cookie url.curl.username url.curl.password
 * mission: url.curl.host url.curl.path url.curl.driver url.curl.vsphere */
static void
test_https(void)
{
    g_autoptr(GBytes) cookie = g_bytes_new_static("taste=sweet", 11);
    g_autoptr(GBytes) password = g_bytes_new_static("let@me\n", 7);
    unsigned port = block_server_port();
    BlockTest test;
    GPid pid;

    block_test_init(&test);
    g_chmod(test.dir, 0755);
    g_autofree char *disk = block_test_image(&test, "disk", BLOCK_SERVER_LEN);
    g_autofree char *conf_path = block_test_path(&test, "conf");
    g_autofree char *conf = nginx_conf(&test, port);
    g_autofree char *arguments = g_strdup_printf("-p %s -e /dev/null -c %s", test.dir, conf_path);
    g_assert_true(g_file_set_contents(conf_path, conf, -1, NULL));
    if (!block_server_has_driver(&test, "https") || !make_certificate(&test) ||
        !block_server_start("nginx", arguments, &pid)) {
        block_test_finish(&test);
        return;
    }
    block_server_wait(port);
    g_autofree char *url = g_strdup_printf("https://127.0.0.1:%u/disk?a=b&c=d", port);
    g_autofree char *sweet = g_strdup_printf("https://127.0.0.1:%u/sweet", port);
    g_autofree char *inner = g_strdup_printf("https://127.0.0.1:%u/inner", port);
    g_autofree char *named = g_strdup_printf("https://ann:let%%40me@127.0.0.1:%u/inner", port);
    g_autofree char *by_url = g_strdup_printf(",file.driver=https,file.url=%s", url);
    blk_graph_add_secret(test.graph, "jar", cookie);
    blk_graph_add_secret(test.graph, "word", password);
    expect(&test, false, url, "");
    expect(&test, true, url, ",file.sslverify=off,file.timeout=60,file.readahead=64k");
    g_autofree char *unchecked = g_strconcat(by_url, ",file.sslverify=off", NULL);
    expect(&test, true, NULL, unchecked);
    expect(&test, false, sweet, ",file.sslverify=off");
    expect(&test, true, sweet, ",file.sslverify=off,file.cookie=taste=sweet");
    expect(&test, true, sweet, ",file.sslverify=off,file.cookie-secret=jar");
    expect(&test, false, inner, ",file.sslverify=off");
    expect(&test, true, named, ",file.sslverify=off");
    expect(&test, true, inner, ",file.sslverify=off,file.username=ann,file.password-secret=word");
    block_server_stop(pid);
    for (unsigned i = 1; i <= 5; i++) {
        g_autofree char *folder = g_strdup_printf("%s/t%u", test.dir, i);
        g_rmdir(folder);
    }
    block_test_finish(&test);
}

/* vsftpd needs root. mission: url.ftp url.ftps */
static void
test_ftp(void)
{
    unsigned plain_port = block_server_port(), tls_port;
    BlockTest test;
    GPid plain, tls;

    block_test_init(&test);
    g_chmod(test.dir, 0755);
    g_autofree char *disk = block_test_image(&test, "disk", BLOCK_SERVER_LEN);
    g_autofree char *plain_path = block_test_path(&test, "plain");
    g_autofree char *tls_path = block_test_path(&test, "tls");
    g_autofree char *common =
        g_strdup_printf("listen=YES\nlisten_address=127.0.0.1\nbackground=NO\n"
                        "anonymous_enable=YES\nanon_root=%s\nno_anon_password=YES\n"
                        "seccomp_sandbox=NO\nxferlog_enable=NO\nftp_username=daemon\n"
                        "nopriv_user=nobody\nsecure_chroot_dir=/\n",
                        test.dir);
    g_autofree char *plain_conf = g_strdup_printf("%slisten_port=%u\n", common, plain_port);
    g_chmod(disk, 0644);
    g_assert_true(g_file_set_contents(plain_path, plain_conf, -1, NULL));
    if (geteuid() != 0) {
        g_test_skip("vsftpd needs root");
        block_test_finish(&test);
        return;
    }
    if (!block_server_has_driver(&test, "ftp") || !make_certificate(&test) ||
        !block_server_start("vsftpd", plain_path, &plain)) {
        block_test_finish(&test);
        return;
    }
    block_server_wait(plain_port);
    tls_port = block_server_port();
    g_autofree char *tls_conf = g_strdup_printf(
        "%slisten_port=%u\nssl_enable=YES\nimplicit_ssl=YES\nallow_anon_ssl=YES\n"
        "require_ssl_reuse=NO\nrsa_cert_file=%s/server.pem\nrsa_private_key_file=%s/key.pem\n",
        common, tls_port, test.dir, test.dir);
    g_assert_true(g_file_set_contents(tls_path, tls_conf, -1, NULL));
    g_assert_true(block_server_start("vsftpd", tls_path, &tls));
    block_server_wait(tls_port);
    g_autofree char *url = g_strdup_printf("ftp://127.0.0.1:%u/disk", plain_port);
    g_autofree char *missing = g_strdup_printf("ftp://127.0.0.1:%u/missing", plain_port);
    g_autofree char *secure = g_strdup_printf("ftps://127.0.0.1:%u/disk", tls_port);
    expect(&test, true, url, "");
    expect(&test, false, missing, "");
    expect(&test, false, secure, "");
    expect(&test, true, secure, ",file.sslverify=off");
    block_server_stop(plain);
    block_server_stop(tls);
    block_test_finish(&test);
}

static void
use_file(BlockTest *test, const BlockSsh *ssh, const char *disk)
{
    g_autofree char *url = block_ssh_url(ssh, disk);
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

/* mission: url.ssh.driver */
static void
use_options(BlockTest *test, unsigned port, const char *disk)
{
    g_autofree char *text = g_strdup_printf(
        "driver=raw,read-only=on,file.driver=ssh,file.user=%s,file.host=127.0.0.1,file.port=%u,"
        "file.path=%s,file.host_key_check=no",
        g_get_user_name(), port, disk);
    g_autofree char *structured = g_strdup_printf(
        "driver=raw,read-only=on,file.driver=ssh,file.user=%s,file.server.host=127.0.0.1,"
        "file.server.port=%u,file.path=%s,file.host-key-check.mode=none",
        g_get_user_name(), port, disk);
    g_autoptr(BlkNode) one = block_test_open(test, NULL, text);
    g_autoptr(BlkNode) two = block_test_open(test, NULL, structured);

    block_server_check(one);
    block_server_check(two);
}

/* mission: url.ssh */
static void
test_ssh(void)
{
    g_autoptr(GError) error = NULL;
    BlockTest test;
    BlockSsh ssh;

    block_test_init(&test);
    g_autofree char *disk = block_test_image(&test, "disk", BLOCK_SERVER_LEN);
    if (!block_ssh_start(&ssh, &test, "")) {
        block_test_finish(&test);
        return;
    }
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
                                               ssh.port, disk, rows[i].check);
        g_assert_null(blk_open(test.graph, url, NULL, &error));
        g_assert_error(error, VIT_ERROR, VIT_ERROR_IO);
        if (!strstr(error->message, rows[i].words)) {
            g_error("\"%s\" does not say \"%s\"", error->message, rows[i].words);
        }
        g_clear_error(&error);
    }
    g_autofree char *bad =
        g_strdup_printf("ssh://127.0.0.1:%u%s?host_key_check=maybe", ssh.port, disk);
    g_assert_null(blk_open(test.graph, bad, NULL, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT);
    g_clear_error(&error);
    if (block_ssh_log_in(&ssh)) {
        use_options(&test, ssh.port, disk);
        use_file(&test, &ssh, disk);
    }
    block_ssh_stop(&ssh);
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/net/http", test_http);
    g_test_add_func("/block/net/https", test_https);
    if (g_test_slow()) {
        g_test_add_func("/block/net/ftp", test_ftp);
    }
    g_test_add_func("/block/net/ssh", test_ssh);
    return g_test_run();
}
