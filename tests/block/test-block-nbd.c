/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* NBD: our client and server with each other, and each with those of others where they are
 * installed (qemu-nbd, nbdkit, qemu-img, nbdinfo).
 * mission: url.nbd.unix blockdev.other-drivers */

#include "block-server.h"

#include "nbd/nbd-server.h"
#include "vit-error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

enum { LEN = 2 << 20 };

typedef struct Rig {
    BlockTest test;
    char *socket, *url;
} Rig;

static void
set_up(Rig *rig)
{
    block_test_init(&rig->test);
    rig->socket = block_test_path(&rig->test, "sock");
    rig->url = g_strdup_printf("nbd+unix:///x?socket=%s", rig->socket);
}

static void
finish(Rig *rig)
{
    block_test_finish(&rig->test);
    g_free(rig->socket);
    g_free(rig->url);
}

static void
serve(Rig *rig, const char *filename, const char *options, bool writable)
{
    const BlkNbdServerOptions server = { .path = rig->socket };
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkNode) node = block_test_open(&rig->test, filename, options);

    blk_nbd_server_start(rig->test.graph, &server, &error);
    g_assert_no_error(error);
    blk_export_add(rig->test.graph, "e", node, "x", "an export", writable, NULL, &error);
    g_assert_no_error(error);
}

/* Runs a program while the graph goes on. Its exit status, or -1 when it is not there. */
static int
run_judge(Rig *rig, const char *format, char **out_text)
{
    g_autofree char *line = g_strdup_printf(format, rig->socket);
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) argv = NULL;
    GPid pid;
    int out_fd, status;

    g_assert_true(g_shell_parse_argv(line, NULL, &argv, NULL));
    if (!g_spawn_async_with_pipes(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD,
                                  NULL, NULL, &pid, NULL, &out_fd, NULL, &error)) {
        test_lacks(argv[0]);
        return -1;
    }
    while (waitpid(pid, &status, WNOHANG) == 0) {
        blk_graph_poll(rig->test.graph, 10);
    }
    g_autoptr(GIOChannel) channel = g_io_channel_unix_new(out_fd);
    g_io_channel_set_encoding(channel, NULL, NULL);
    g_autofree char *text = NULL;
    g_io_channel_read_to_end(channel, &text, NULL, NULL);
    g_io_channel_shutdown(channel, FALSE, NULL);
    if (out_text) {
        *out_text = g_steal_pointer(&text);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* ---- ours with ours ---- */

static void
check_client(BlkNode *node)
{
    g_autofree uint8_t *data = g_malloc(LEN), *back = g_malloc(LEN);
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    bool is_zero, is_data;

    g_assert_cmpuint(blk_image_get_len(image), ==, LEN);
    g_assert_cmpint(blk_image_read(image, 0, data, LEN), ==, 0);
    for (unsigned i = 0; i < LEN; i++) {
        g_assert_cmpuint(data[i], ==, block_test_byte(i));
    }
    for (unsigned i = 0; i < 200; i++) {
        uint64_t offset = (uint64_t)g_test_rand_int_range(0, LEN - 70000);
        size_t len = (size_t)g_test_rand_int_range(1, 70000);
        if (i % 4 == 0) {
            g_assert_cmpint(blk_image_write_zeroes(image, offset, len, i % 8 == 0), ==, 0);
            memset(data + offset, 0, len);
        } else {
            memset(data + offset, (int)i, len);
            g_assert_cmpint(blk_image_write(image, offset, data + offset, len), ==, 0);
        }
    }
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    g_assert_cmpint(blk_image_write_zeroes(image, 1 << 20, 65536, true), ==, 0);
    memset(data + (1 << 20), 0, 65536);
    g_assert_cmpint(blk_image_read(image, 0, back, LEN), ==, 0);
    g_assert_true(memcmp(data, back, LEN) == 0);
    g_assert_cmpint(blk_image_get_run(image, 1 << 20, 65536, &is_zero, &is_data), ==, 65536);
    g_assert_true(is_zero);
    g_assert_cmpint(blk_image_write(image, LEN - 1, data, 2), ==, -ENOSPC);
}

static void
test_ours(void)
{
    g_autoptr(GError) error = NULL;
    Rig rig;

    set_up(&rig);
    g_autofree char *disk = block_test_image(&rig.test, "disk", LEN);
    serve(&rig, disk, "driver=raw,discard=unmap", true);
    g_autoptr(BlkNode) node = block_test_open(&rig.test, rig.url, "driver=raw,discard=unmap");
    check_client(node);
    g_assert_cmpuint(blk_nbd_server_clients(rig.test.graph), ==, 1);
    g_assert_false(blk_export_remove(rig.test.graph, "e", false, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_clear_error(&error);
    g_autofree char *wrong = g_strdup_printf("nbd+unix:///wrong?socket=%s", rig.socket);
    g_assert_null(blk_open(rig.test.graph, wrong, NULL, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND);
    /* the server goes while a client is there */
    g_assert_true(blk_nbd_server_stop(rig.test.graph, NULL));
    g_autoptr(BlkImage) image = blk_image_new(node, false, NULL);
    uint8_t byte;
    g_assert_cmpint(blk_image_read(image, 0, &byte, 1), ==, -EIO);
    g_clear_pointer(&image, blk_image_free);
    g_clear_pointer(&node, blk_node_unref);
    finish(&rig);
}

static void
test_read_only(void)
{
    g_autoptr(GError) error = NULL;
    Rig rig;

    set_up(&rig);
    g_autofree char *disk = block_test_image(&rig.test, "disk", LEN);
    serve(&rig, disk, "driver=raw,read-only=on", false);
    g_assert_null(blk_open(rig.test.graph, rig.url, NULL, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_PERMISSION);
    g_autoptr(BlkNode) node = block_test_open(&rig.test, rig.url, "auto-read-only=on");
    BlkNodeInfo info;
    blk_node_get_info(node, &info);
    g_assert_true(info.read_only);
    g_clear_pointer(&node, blk_node_unref);
    finish(&rig);
}

/* The server goes and comes back; what was asked meanwhile is done then. */
static void
test_reconnect(void)
{
    const BlkNbdServerOptions server_options = { 0 };
    BlkNbdServerOptions server = server_options;
    g_autoptr(GError) error = NULL;
    Rig rig;

    set_up(&rig);
    g_autofree char *disk = block_test_image(&rig.test, "disk", LEN);
    serve(&rig, disk, "driver=raw,node-name=disk", true);
    const BlkDriveConfig config = { 0 };
    g_autofree char *options = g_strdup_printf(
        "driver=raw,file.driver=nbd,file.server.type=unix,file.server.path=%s,file.export=x,"
        "file.reconnect-delay=5",
        rig.socket);
    g_autoptr(BlkNode) node = block_test_open(&rig.test, NULL, options);
    VitDrive *drive = blk_drive_new(rig.test.graph, "d", &config, node, &error);
    Pending pending = { 0 };
    uint8_t data[512];
    struct iovec iov = { data, sizeof(data) };

    g_assert_true(blk_nbd_server_stop(rig.test.graph, NULL));
    drive->ops->read(drive, 4096, &iov, 1, block_test_done, &pending);
    for (unsigned i = 0; i < 20; i++) {
        blk_graph_poll(rig.test.graph, 5);
    }
    g_assert_false(pending.ended);
    server.path = rig.socket;
    g_assert_true(blk_nbd_server_start(rig.test.graph, &server, &error));
    g_autoptr(BlkNode) again = block_test_open(&rig.test, disk, "driver=raw");
    g_assert_nonnull(blk_export_add(rig.test.graph, "e", again, "x", NULL, true, NULL, &error));
    g_clear_pointer(&again, blk_node_unref);
    g_assert_cmpint(block_test_wait(&rig.test, &pending), ==, 0);
    g_assert_cmpuint(data[0], ==, block_test_byte(4096));
    blk_drive_free(drive);
    g_clear_pointer(&node, blk_node_unref);
    finish(&rig);
}

/* ---- our server, their clients ---- */

static void
test_judges(void)
{
    g_autofree char *text = NULL;
    Rig rig;
    int ret;

    set_up(&rig);
    g_autofree char *disk = block_test_image(&rig.test, "disk", LEN);
    serve(&rig, disk, "driver=raw,discard=unmap", true); /* on tmpfs too */
    ret = run_judge(&rig,
                    "qemu-io -f raw 'nbd+unix:///x?socket=%s' -c 'write -P 7 4096 8192' "
                    "-c 'read -P 7 4096 8192' -c 'write -z -u 65536 65536' -c 'flush'",
                    &text);
    if (ret < 0) {
        finish(&rig);
        return;
    }
    g_assert_cmpint(ret, ==, 0);
    g_assert_null(strstr(text, "verification failed"));
    g_clear_pointer(&text, g_free);
    g_assert_cmpint(
        run_judge(&rig, "qemu-img map --output=json -f raw 'nbd+unix:///x?socket=%s'", &text), ==,
        0);
    g_assert_nonnull(strstr(text, "\"zero\": true"));
    g_clear_pointer(&text, g_free);
    ret = run_judge(&rig, "nbdinfo --json 'nbd+unix:///x?socket=%s'", &text);
    if (ret >= 0) {
        g_assert_cmpint(ret, ==, 0);
        g_assert_nonnull(strstr(text, "\"export-size\": 2097152"));
        g_assert_nonnull(strstr(text, "an export"));
    }
    g_clear_pointer(&text, g_free);
    ret = run_judge(&rig, "nbdinfo --list 'nbd+unix:///?socket=%s'", &text);
    g_assert_cmpint(ret, <=, 0);
    finish(&rig);
}

/* ---- our client, their servers ---- */

static void
with_server(Rig *rig, const char *line, const char *url_format, bool writable)
{
    g_auto(GStrv) argv = NULL;
    g_autoptr(GError) error = NULL;
    GPid pid;

    g_assert_true(g_shell_parse_argv(line, NULL, &argv, NULL));
    if (!g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                       NULL, &pid, &error)) {
        test_lacks(argv[0]);
        return;
    }
    for (unsigned i = 0; i < 500 && !g_file_test(rig->socket, G_FILE_TEST_EXISTS); i++) {
        g_usleep(10000);
    }
    g_autofree char *url = g_strdup_printf(url_format, rig->socket);
    g_autofree char *options = g_strdup_printf("driver=raw,discard=unmap,file.open-timeout=5%s",
                                               writable ? "" : ",read-only=on");
    g_autoptr(BlkNode) node = block_test_open(&rig->test, url, options);
    if (writable) {
        check_client(node);
    } else {
        g_autoptr(BlkImage) image = blk_image_new(node, false, NULL);
        uint8_t data[16];
        g_assert_cmpint(blk_image_read(image, 4096, data, 16), ==, 0);
        /* nbdkit's pattern: each 8 bytes are their own offset, big endian */
        g_assert_cmpuint(data[6] << 8 | data[7], ==, 4096);
        g_assert_cmpuint(data[14] << 8 | data[15], ==, 4104);
    }
    g_clear_pointer(&node, blk_node_unref);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    g_unlink(rig->socket);
}

static void
test_servers(void)
{
    Rig rig;

    set_up(&rig);
    g_autofree char *disk = block_test_image(&rig.test, "disk", LEN);
    g_autofree char *qemu =
        g_strdup_printf("qemu-nbd -f raw -x x -k %s %s --discard=unmap", rig.socket, disk);
    with_server(&rig, qemu, "nbd+unix:///x?socket=%s", true);
    g_autofree char *kit = g_strdup_printf("nbdkit -f -U %s pattern 8M", rig.socket);
    with_server(&rig, kit, "nbd+unix:///?socket=%s", false);
    g_autofree char *old_style = g_strdup_printf("nbdkit -f -o -U %s pattern 8M", rig.socket);
    with_server(&rig, old_style, "nbd:unix:%s", false);
    g_autofree char *plain = g_strdup_printf("nbdkit -f --no-sr -U %s pattern 8M", rig.socket);
    with_server(&rig, plain, "nbd:unix:%s:exportname=some", false);
    finish(&rig);
}

/* Opens URL, of a server that has the pattern of block_test_image(). */
static void
check_url(Rig *rig, const char *format, unsigned port)
{
    g_autofree char *url = g_strdup_printf(format, port);
    g_autoptr(BlkNode) node = block_test_open(&rig->test, url, "driver=raw,file.open-timeout=5");
    g_autoptr(BlkImage) image = blk_image_new(node, false, NULL);
    g_autofree uint8_t *data = g_malloc(LEN);

    g_assert_cmpuint(blk_image_get_len(image), ==, LEN);
    g_assert_cmpint(blk_image_read(image, 0, data, LEN), ==, 0);
    g_assert_true(block_test_is_pattern(data, 0, LEN));
}

/* mission: url.nbd.tcp url.nbd.legacy-tcp */
static void
test_tcp(void)
{
    static const char *const urls[] = { "nbd://127.0.0.1:%u/x", "nbd://localhost:%u/x",
                                        "nbd:127.0.0.1:%u:exportname=x" };
    unsigned port = block_server_port();
    Rig rig;
    GPid pid;

    set_up(&rig);
    g_autofree char *disk = block_test_image(&rig.test, "disk", LEN);
    g_autofree char *named =
        g_strdup_printf("-f raw -b 127.0.0.1 -p %u -x x -t -e 8 %s", port, disk);
    g_autofree char *nameless = g_strdup_printf("-f raw -b 127.0.0.1 -p %u -t -e 8 %s", port, disk);
    if (block_server_start("qemu-nbd", named, &pid)) {
        block_server_wait(port);
        for (unsigned i = 0; i < G_N_ELEMENTS(urls); i++) {
            check_url(&rig, urls[i], port);
        }
        block_server_stop(pid);
        g_assert_true(block_server_start("qemu-nbd", nameless, &pid));
        block_server_wait(port);
        check_url(&rig, "nbd://127.0.0.1:%u", port);
        check_url(&rig, "nbd:127.0.0.1:%u", port);
        block_server_stop(pid);
    }
    finish(&rig);
}

static void
test_names(void)
{
    static const char *const wrong[] = { "nbd:host", "nbd://[::1", "nbd+unix:///x", "nbd:" };
    Rig rig;

    set_up(&rig);
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(blk_open(rig.test.graph, wrong[i], NULL, &error));
        g_assert_nonnull(error);
    }
    finish(&rig);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/nbd/names", test_names);
    g_test_add_func("/block/nbd/ours", test_ours);
    g_test_add_func("/block/nbd/read-only", test_read_only);
    g_test_add_func("/block/nbd/reconnect", test_reconnect);
    g_test_add_func("/block/nbd/judges", test_judges);
    g_test_add_func("/block/nbd/servers", test_servers);
    g_test_add_func("/block/nbd/tcp", test_tcp);
    return g_test_run();
}
