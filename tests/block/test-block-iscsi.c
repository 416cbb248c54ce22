/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Units of a real iSCSI target: tgtd on a free port of this host, which needs root. */

#include "block-server.h"

#include "vit-error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define TARGET "iqn.2024-01.org.vitrine:disk"

typedef struct Target {
    BlockTest test;
    unsigned port, control;
    GPid pid;
    char *disk, *url;
} Target;

static void
admin(const Target *target, const char *arguments)
{
    for (unsigned i = 0; i < 200; i++) {
        if (block_server_run("tgtadm -C %u --lld iscsi %s", target->control, arguments)) {
            return;
        }
        g_usleep(10000);
    }
    g_error("tgtadm %s failed", arguments);
}

static void
serve(Target *target, bool chap)
{
    g_autofree char *arguments =
        g_strdup_printf("-f -C %u --iscsi portal=127.0.0.1:%u", target->control, target->port);
    g_autofree char *unit =
        g_strdup_printf("--op new --mode logicalunit --tid 1 --lun 1 -b %s", target->disk);

    g_assert_true(block_server_start("tgtd", arguments, &target->pid));
    block_server_wait(target->port);
    admin(target, "--op new --mode target --tid 1 -T " TARGET);
    admin(target, unit);
    admin(target, "--op update --mode logicalunit --tid 1 --lun 1 --params thin_provisioning=1");
    if (chap) {
        admin(target, "--op new --mode account --user ann --password twelve-bytes");
        admin(target, "--op bind --mode account --tid 1 --user ann");
    }
    admin(target, "--op bind --mode target --tid 1 -I ALL");
}

/* tgtd does not end for a SIGTERM. */
static void
stop(Target *target)
{
    kill(target->pid, SIGKILL);
    block_server_stop(target->pid);
}

static bool
target_init(Target *target, bool chap)
{
    if (geteuid() != 0) {
        g_test_skip("tgtd needs root");
        return false;
    }
    block_test_init(&target->test);
    if (!test_has_program("tgtd") || !block_server_has_driver(&target->test, "iscsi")) {
        block_test_finish(&target->test);
        return false;
    }
    g_unsetenv("LIBISCSI_CHAP_USERNAME");
    g_unsetenv("LIBISCSI_CHAP_PASSWORD");
    g_mkdir("/run/tgtd", 0755);
    target->port = block_server_port();
    target->control = target->port % 32000;
    target->disk = block_test_image(&target->test, "disk", BLOCK_SERVER_LEN);
    target->url = g_strdup_printf("iscsi://127.0.0.1:%u/" TARGET "/1", target->port);
    serve(target, chap);
    return true;
}

static void
target_finish(Target *target)
{
    stop(target);
    g_free(target->disk);
    g_free(target->url);
    block_test_finish(&target->test);
}

/* Opening URL has to fail with CODE and say WORDS. */
static void
expect_refusal(Target *target, const char *url, const char *options, int code, const char *words)
{
    g_autoptr(BlkOptions) parsed = block_test_options(options);
    g_autoptr(GError) error = NULL;

    g_assert_null(blk_open(target->test.graph, url, parsed, &error));
    g_assert_error(error, VIT_ERROR, code);
    if (!strstr(error->message, words)) {
        g_error("\"%s\" does not say \"%s\"", error->message, words);
    }
}

/* mission: url.iscsi iscsi */
static void
test_unit(void)
{
    uint8_t data[8192];
    bool zero, is_data;
    Target target;

    if (!target_init(&target, false)) {
        return;
    }
    g_autofree char *other = g_strdup_printf("iscsi://127.0.0.1:%u/iqn.none/1", target.port);
    g_autofree char *missing = g_strdup_printf("iscsi://127.0.0.1:%u/" TARGET "/7", target.port);
    g_autofree char *controller = g_strdup_printf("iscsi://127.0.0.1:%u/" TARGET "/0", target.port);
    g_autoptr(BlkNode) node = block_test_open(&target.test, target.url, "driver=raw,discard=unmap");
    block_server_check(node);
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    memset(data, 0x5a, sizeof(data));
    g_assert_cmpint(blk_image_write(image, 100000, data, 5000), ==, 0);
    g_assert_cmpint(blk_image_write_zeroes(image, 65536, 8192, true), ==, 0);
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    g_assert_cmpint(blk_image_discard(image, 262144, 65536), ==, 0);
    g_assert_cmpint(blk_image_read(image, 100000, data, sizeof(data)), ==, 0);
    g_assert_cmpuint(data[4999], ==, 0x5a);
    g_assert_cmpuint(data[5000], ==, block_test_byte(105000));
    g_assert_cmpint(blk_image_read(image, 65536, data, sizeof(data)), ==, 0);
    g_assert_true(blk_is_zero(data, sizeof(data)));
    g_assert_cmpint(blk_image_get_run(image, 262144, 65536, &zero, &is_data), >, 0);
    g_assert_true(zero);
    g_assert_cmpint(blk_image_get_run(image, 0, 65536, &zero, &is_data), >, 0);
    g_assert_false(zero);
    blk_image_free(g_steal_pointer(&image));
    g_clear_pointer(&node, blk_node_unref);
    expect_refusal(&target, other, "read-only=on", VIT_ERROR_IO, "iqn.none");
    expect_refusal(&target, missing, "read-only=on", VIT_ERROR_IO, TARGET ", unit 7");
    expect_refusal(&target, controller, "read-only=on", VIT_ERROR_FAILED, "not passed through");
    expect_refusal(&target, target.url, "read-only=on,file.header-digest=md5",
                   VIT_ERROR_INVALID_ARGUMENT, "header-digest");
    target_finish(&target);
}

/* A new image goes into the unit, which keeps its size and forgets what image was there. */
static void
test_create(void)
{
    static const struct {
        const char *format, *options, *words;
    } rows[] = {
        { "qcow2", "size=16M", NULL },
        { "raw", "size=512k", NULL },
        { "raw", "size=2M", "1048576 bytes" },
        { "raw", "size=512k,preallocation=falloc", "preallocation=off" },
        { "vdi", "size=16M,static=on", "1048576 bytes" },
        { "qcow2", "size=16M", NULL },
    };
    Target target;

    if (!target_init(&target, false)) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(BlkOptions) options = block_test_options(rows[i].options);
        g_autoptr(GError) error = NULL;

        blk_create(target.test.graph, rows[i].format, target.url, options, &error);
        if (rows[i].words) {
            g_assert_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT);
            g_assert_nonnull(strstr(error->message, rows[i].words));
            continue;
        }
        g_assert_no_error(error);
        g_autoptr(BlkNode) node = block_test_open(&target.test, target.url, "");
        BlkNodeInfo info;
        blk_node_get_info(node, &info);
        g_assert_cmpstr(info.driver, ==, rows[i].format);
        g_assert_cmpuint(info.len_bytes, ==, i == 1 ? BLOCK_SERVER_LEN : 16 << 20);
    }
    if (test_has_program("qemu-img")) {
        g_assert_true(block_server_run("qemu-img check -U -f qcow2 %s", target.disk));
    }
    target_finish(&target);
}

/* mission: url.iscsi.chap-url url.iscsi.LIBISCSI_CHAP_USERNAME url.iscsi.LIBISCSI_CHAP_PASSWORD
 * mission: x.iscsi.user iscsi.timeout iscsi.initiator-name */
static void
test_chap(void)
{
    g_autoptr(GBytes) secret = g_bytes_new_static("twelve-bytes", 12);
    Target target;

    if (!target_init(&target, true)) {
        return;
    }
    g_autofree char *url =
        g_strdup_printf("iscsi://ann%%twelve-bytes@127.0.0.1:%u/" TARGET "/1", target.port);
    g_autofree char *wrong =
        g_strdup_printf("iscsi://ann%%wrong-wrong-w@127.0.0.1:%u/" TARGET "/1", target.port);
    expect_refusal(&target, target.url, "read-only=on", VIT_ERROR_IO, "uthenti");
    expect_refusal(&target, wrong, "read-only=on", VIT_ERROR_IO, "uthenti");
    g_autoptr(BlkNode) node = block_test_open(&target.test, url, "driver=raw,read-only=on");
    block_server_check(node);
    g_clear_pointer(&node, blk_node_unref);
    g_setenv("LIBISCSI_CHAP_USERNAME", "ann", TRUE);
    g_setenv("LIBISCSI_CHAP_PASSWORD", "twelve-bytes", TRUE);
    node = block_test_open(&target.test, target.url, "driver=raw,read-only=on");
    block_server_check(node);
    g_clear_pointer(&node, blk_node_unref);
    g_unsetenv("LIBISCSI_CHAP_USERNAME");
    g_unsetenv("LIBISCSI_CHAP_PASSWORD");
    g_autoptr(BlkOptions) defaults =
        block_test_options("user=ann,password-secret=chap,timeout=5,header-digest=crc32c,"
                           "initiator-name=iqn.2024-01.org.vitrine:me");
    blk_graph_set_defaults(target.test.graph, "iscsi", defaults);
    expect_refusal(&target, target.url, "read-only=on", VIT_ERROR_NOT_FOUND, "secret 'chap'");
    blk_graph_add_secret(target.test.graph, "chap", secret);
    node = block_test_open(&target.test, target.url, "driver=raw,read-only=on");
    block_server_check(node);
    g_clear_pointer(&node, blk_node_unref);
    target_finish(&target);
}

/* The target goes and comes back while an image of it is open. */
static void
test_reconnect(void)
{
    uint8_t data[512];
    Target target;

    if (!target_init(&target, false)) {
        return;
    }
    g_autoptr(BlkNode) node = block_test_open(&target.test, target.url, "driver=raw");
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    stop(&target);
    serve(&target, false);
    g_assert_cmpint(blk_image_read(image, 4096, data, sizeof(data)), ==, 0);
    g_assert_cmpuint(data[7], ==, block_test_byte(4103));
    memset(data, 0x33, sizeof(data));
    g_assert_cmpint(blk_image_write(image, 4096, data, sizeof(data)), ==, 0);
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    blk_image_free(g_steal_pointer(&image));
    g_clear_pointer(&node, blk_node_unref);
    target_finish(&target);
}

static void
test_names(void)
{
    static const char *const bad[] = {
        "iscsi://host",         "iscsi://host/target", "iscsi://host/target/x",
        "iscsi:///target/1",    "iscsi://host//1",     "iscsi://host/t/99999",
        "iser://host/target/1", "iscsi://a@/t/1",      "iscsi://ann@h/t/1",
    };
    BlockTest test;

    block_test_init(&test);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(BlkOptions) options = block_test_options("read-only=on");
        g_autoptr(GError) error = NULL;
        g_assert_null(blk_open(test.graph, bad[i], options, &error));
        g_assert_nonnull(error);
        g_assert_false(g_error_matches(error, VIT_ERROR, VIT_ERROR_NOT_AVAILABLE_YET));
    }
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/iscsi/names", test_names);
    g_test_add_func("/block/iscsi/unit", test_unit);
    g_test_add_func("/block/iscsi/create", test_create);
    g_test_add_func("/block/iscsi/chap", test_chap);
    g_test_add_func("/block/iscsi/reconnect", test_reconnect);
    return g_test_run();
}
