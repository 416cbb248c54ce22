/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* NBD over TLS, ours with ours and with those of others (qemu-img, nbdkit) where they are
 * installed; who may connect; servers that say nothing; the objects that hold keys. Certificates
 * are made by certtool for each run. */

#include "block-server.h"

#include "blk-driver.h"
#include "nbd/nbd-server.h"
#include "vit-error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PSK_KEY "00112233445566778899aabbccddeeff"

static void
add_object(BlockTest *test, const char *kind, const char *id, const char *text)
{
    g_autoptr(BlkOptions) props = block_test_options(text);
    g_autoptr(GError) error = NULL;

    blk_graph_add_object(test->graph, kind, id, props, &error);
    g_assert_no_error(error);
}

static void
expect_object_error(BlockTest *test, const char *kind, const char *text, const char *words)
{
    g_autoptr(BlkOptions) props = block_test_options(text);
    g_autoptr(GError) error = NULL;

    g_assert_false(blk_graph_add_object(test->graph, kind, "bad", props, &error));
    g_assert_nonnull(error);
    if (!strstr(error->message, words)) {
        g_error("\"%s\" does not say \"%s\"", error->message, words);
    }
}

static void
serve(BlockTest *test, const char *disk, const char *creds, const char *authz)
{
    g_autofree char *socket = block_test_path(test, "sock");
    const BlkNbdServerOptions server = { .path = socket, .tls_creds = creds, .tls_authz = authz };
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkNode) node = block_test_open(test, disk, "driver=raw");

    blk_nbd_server_start(test->graph, &server, &error);
    g_assert_no_error(error);
    blk_export_add(test->graph, "e", node, "", NULL, true, NULL, &error);
    g_assert_no_error(error);
}

static BlkOptions *
client_options(BlockTest *test, const char *more)
{
    g_autofree char *socket = block_test_path(test, "sock");
    g_autofree char *text = g_strdup_printf(
        "driver=raw,file.driver=nbd,file.server.type=unix,file.server.path=%s%s", socket, more);

    return block_test_options(text);
}

static void
expect_client_works(BlockTest *test, const char *more)
{
    g_autoptr(BlkOptions) options = client_options(test, more);
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkNode) node = blk_open(test->graph, NULL, options, &error);
    uint8_t data[70000], back[70000];

    g_assert_no_error(error);
    block_server_check(node);
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    g_assert_cmpint(blk_image_read(image, 300000, data, sizeof(data)), ==, 0);
    g_assert_cmpint(blk_image_write(image, 300000, data, sizeof(data)), ==, 0);
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    g_assert_cmpint(blk_image_read(image, 300000, back, sizeof(back)), ==, 0);
    g_assert_true(memcmp(data, back, sizeof(data)) == 0);
}

static void
expect_client_error(BlockTest *test, const char *more, const char *words)
{
    g_autoptr(BlkOptions) options = client_options(test, more);
    g_autoptr(GError) error = NULL;

    g_assert_null(blk_open(test->graph, NULL, options, &error));
    g_assert_nonnull(error);
    if (words && !strstr(error->message, words)) {
        g_error("\"%s\" does not say \"%s\"", error->message, words);
    }
}

/* ---- keys of each kind ---- */

static void
make_psk(BlockTest *test)
{
    g_autofree char *path = block_test_path(test, "keys.psk");

    g_assert_true(g_file_set_contents(path, "other:1234\nqemu:" PSK_KEY "\nann:ffff\n", -1, NULL));
    g_autofree char *server = g_strdup_printf("endpoint=server,dir=%s", test->dir);
    g_autofree char *client = g_strdup_printf("endpoint=client,dir=%s", test->dir);
    add_object(test, "tls-creds-psk", "srv", server);
    add_object(test, "tls-creds-psk", "cli", client);
}

/* mission: object.tls-creds-psk.* x.object.tls-creds.priority */
static void
test_psk(void)
{
    BlockTest test;

    block_test_init(&test);
    make_psk(&test);
    g_autofree char *wrong = g_strdup_printf("endpoint=client,dir=%s,username=nobody", test.dir);
    g_autofree char *words =
        g_strdup_printf("endpoint=client,dir=%s,priority=NO-SUCH-WORD", test.dir);
    expect_object_error(&test, "tls-creds-psk", wrong, "no user 'nobody'");
    expect_object_error(&test, "tls-creds-psk", "endpoint=client", "dir=");
    add_object(&test, "tls-creds-psk", "words", words);
    g_autofree char *disk = block_test_image(&test, "disk", BLOCK_SERVER_LEN);
    serve(&test, disk, "srv", NULL);
    expect_client_works(&test, ",file.tls-creds=cli");
    expect_client_error(&test, "", "only encrypted connections");
    expect_client_error(&test, ",file.tls-creds=srv", "other side");
    expect_client_error(&test, ",file.tls-creds=none", "no TLS credentials 'none'");
    expect_client_error(&test, ",file.tls-creds=words", "NO-SUCH-WORD");
    block_test_finish(&test);
}

/* mission: object.tls-creds-anon.* object.tls-creds.dh-params */
static void
test_anon(void)
{
    BlockTest test;

    block_test_init(&test);
    add_object(&test, "tls-creds-anon", "srv", "endpoint=server");
    add_object(&test, "tls-creds-anon", "cli", "endpoint=client");
    g_autofree char *disk = block_test_image(&test, "disk", BLOCK_SERVER_LEN);
    serve(&test, disk, "srv", NULL);
    expect_client_works(&test, ",file.tls-creds=cli");
    block_test_finish(&test);
}

static void
sign(BlockTest *test, const char *name, const char *template, const char *authority)
{
    g_autofree char *file = g_strdup_printf("%s/%s.template", test->dir, name);

    g_assert_true(g_file_set_contents(file, template, -1, NULL));
    g_assert_true(block_server_run("certtool --generate-privkey --key-type ecdsa "
                                   "--curve secp256r1 --outfile %s/%s-key.pem",
                                   test->dir, name));
    if (authority) {
        g_assert_true(block_server_run("certtool --generate-certificate --load-ca-certificate "
                                       "%s/%s-cert.pem --load-ca-privkey %s/%s-key.pem "
                                       "--load-privkey %s/%s-key.pem --template %s "
                                       "--outfile %s/%s-cert.pem",
                                       test->dir, authority, test->dir, authority, test->dir, name,
                                       file, test->dir, name));
    } else {
        g_assert_true(block_server_run("certtool --generate-self-signed --load-privkey "
                                       "%s/%s-key.pem --template %s --outfile %s/%s-cert.pem",
                                       test->dir, name, file, test->dir, name));
    }
}

static void
make_x509(BlockTest *test)
{
    sign(test, "ca", "cn = Test CA\nca\ncert_signing_key\nexpiration_days = 2\n", NULL);
    sign(test, "server",
         "cn = localhost\ndns_name = localhost\nip_address = 127.0.0.1\ntls_www_server\n"
         "signing_key\nexpiration_days = 2\n",
         "ca");
    sign(test, "client", "cn = ann\ntls_www_client\nsigning_key\nexpiration_days = 2\n", "ca");
    g_autofree char *server = g_strdup_printf("endpoint=server,dir=%s", test->dir);
    g_autofree char *client = g_strdup_printf("endpoint=client,dir=%s", test->dir);
    add_object(test, "tls-creds-x509", "srv", server);
    add_object(test, "tls-creds-x509", "cli", client);
}

/* A program that connects while the graph goes on; its exit status. */
static int
run_judge(BlockTest *test, const char *line)
{
    g_auto(GStrv) argv = NULL;
    GPid pid;
    int status;

    g_assert_true(g_shell_parse_argv(line, NULL, &argv, NULL));
    g_assert_true(
        g_spawn_async(NULL, argv, NULL,
                      G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL,
                      NULL, NULL, &pid, NULL));
    while (waitpid(pid, &status, WNOHANG) == 0) {
        blk_graph_poll(test->graph, 10);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* mission: object.tls-creds-x509.* object.authz-simple.* object.authz-listfile.* */
static void
test_x509(void)
{
    BlockTest test;

    block_test_init(&test);
    if (!test_has_program("certtool")) {
        block_test_finish(&test);
        return;
    }
    make_x509(&test);
    g_autofree char *list = block_test_path(&test, "rules");
    g_autofree char *list_options = g_strdup_printf("filename=%s", list);
    g_assert_true(g_file_set_contents(
        list, "{\"rules\":[{\"match\":\"CN=b*\",\"policy\":\"allow\",\"format\":\"glob\"}]}", -1,
        NULL));
    add_object(&test, "authz-list-file", "list", list_options);
    g_autofree char *disk = block_test_image(&test, "disk", BLOCK_SERVER_LEN);
    serve(&test, disk, "srv", "list");
    expect_client_error(&test, ",file.tls-creds=cli", NULL); /* the list lets in CN=b* */
    g_assert_true(g_file_set_contents(
        list,
        "{\"policy\":\"deny\",\"rules\":[{\"match\":\"CN=ann\",\"policy\":\"allow\"},"
        "{\"match\":\"x\",\"policy\":\"deny\",\"format\":\"exact\"}]}",
        -1, NULL));
    expect_client_works(&test, ",file.tls-creds=cli");
    expect_client_works(&test, ",file.tls-creds=cli,file.tls-hostname=localhost");
    expect_client_error(&test, ",file.tls-creds=cli,file.tls-hostname=elsewhere", "not match");
    if (test_has_program("qemu-img")) {
        g_autofree char *line = g_strdup_printf(
            "qemu-img compare --object tls-creds-x509,id=t,endpoint=client,dir=%s --image-opts "
            "driver=raw,file.filename=%s,file.locking=off "
            "driver=raw,file.driver=nbd,file.path=%s/sock,file.tls-creds=t,"
            "file.tls-hostname=localhost",
            test.dir, disk, test.dir);
        g_assert_cmpint(run_judge(&test, line), ==, 0);
    }
    block_test_finish(&test);
}

/* mission: blockdev.other-drivers */
static void
test_nbdkit(void)
{
    BlockTest test;
    GPid pid;

    block_test_init(&test);
    make_psk(&test);
    g_autofree char *disk = block_test_image(&test, "disk", BLOCK_SERVER_LEN);
    g_autofree char *socket = block_test_path(&test, "sock");
    g_autofree char *arguments = g_strdup_printf(
        "-f -U %s --tls=require --tls-psk=%s/keys.psk file %s", socket, test.dir, disk);
    if (block_server_start("nbdkit", arguments, &pid)) {
        for (unsigned i = 0; i < 500 && !g_file_test(socket, G_FILE_TEST_EXISTS); i++) {
            g_usleep(10000);
        }
        /* its socket is there a moment before it listens */
        expect_client_works(&test, ",file.tls-creds=cli,file.open-timeout=20");
        expect_client_error(&test, "", "only encrypted connections");
        block_server_stop(pid);
        g_unlink(socket);
    }
    block_test_finish(&test);
}

/* A server that accepts and never says a word. */
static void
test_silence(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int64_t begin_us = g_get_monotonic_time();
    BlockTest test;

    block_test_init(&test);
    g_autofree char *path = block_test_path(&test, "sock");
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(fd, 4), ==, 0);
    expect_client_error(&test, ",file.open-timeout=1", "timed out");
    g_assert_cmpint(g_get_monotonic_time() - begin_us, <, 8 * G_USEC_PER_SEC);
    close(fd);
    block_test_finish(&test);
}

/* ---- secrets ---- */

static void
expect_secret(BlockTest *test, const char *id, const char *text)
{
    g_autofree char *have = blk_graph_dup_secret_text(test->graph, id, NULL);

    g_assert_cmpstr(have, ==, text);
}

/* Encrypted with "openssl enc -aes-256-cbc". mission: object.secret.* */
static void
test_secrets(void)
{
    BlockTest test;

    block_test_init(&test);
    add_object(&test, "secret", "plain", "data=letmein");
    expect_secret(&test, "plain", "letmein");
    add_object(&test, "secret", "coded", "data=bGV0bWVpbg==,format=base64");
    expect_secret(&test, "coded", "letmein");
    add_object(&test, "secret", "key",
               "data=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=,format=base64");
    add_object(&test, "secret", "hidden",
               "data=J51QkUHkyibz4bcMhxgoaQ==,format=base64,keyid=key,"
               "iv=ZmVkY2JhOTg3NjU0MzIxMA==");
    expect_secret(&test, "hidden", "correct horse");
    expect_object_error(&test, "secret", "data=J51QkUHkyibz4bcMhxgoaQ==,format=base64,keyid=key",
                        "iv=");
    expect_object_error(&test, "secret",
                        "data=J51QkUHkyibz4bcMhxgoaQ==,format=base64,keyid=plain,"
                        "iv=ZmVkY2JhOTg3NjU0MzIxMA==",
                        "32 bytes");
    expect_object_error(&test, "secret",
                        "data=K51QkUHkyibz4bcMhxgoaQ==,format=base64,keyid=key,"
                        "iv=ZmVkY2JhOTg3NjU0MzIxMA==",
                        "cannot be decrypted");
    expect_object_error(&test, "secret", "data=%%%,format=base64", "not base64");
    expect_object_error(&test, "secret", "format=raw", "data= or file=");
    expect_object_error(&test, "secret", "file=/nonexistent/file", "cannot be read");
    block_test_finish(&test);
}

/* mission: x.object.secret_keyring */
static void
test_keyring(void)
{
    enum { PROCESS_KEYRING = -2 };
    long serial =
        syscall(SYS_add_key, "user", "vitrine-test", "from the kernel", 15, PROCESS_KEYRING);
    BlockTest test;

    block_test_init(&test);
    expect_object_error(&test, "secret_keyring", "serial=1", "keyring");
    expect_object_error(&test, "secret_keyring", "", "serial=");
    if (serial < 0) {
        g_test_skip("this host gives no keyring");
    } else {
        g_autofree char *text = g_strdup_printf("serial=%ld", serial);
        add_object(&test, "secret_keyring", "kept", text);
        expect_secret(&test, "kept", "from the kernel");
    }
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/tls/psk", test_psk);
    g_test_add_func("/block/tls/anon", test_anon);
    g_test_add_func("/block/tls/x509", test_x509);
    g_test_add_func("/block/tls/nbdkit", test_nbdkit);
    g_test_add_func("/block/tls/silence", test_silence);
    g_test_add_func("/block/secrets", test_secrets);
    g_test_add_func("/block/secrets/keyring", test_keyring);
    return g_test_run();
}
