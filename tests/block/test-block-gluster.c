/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Files of a real GlusterFS volume: glusterd and a brick of one folder, which need root. They run
 * in a network of their own, as bricks look for glusterd at its one port. */

#include "block-server.h"

#include "vit-error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define HOST "127.0.0.2" /* the command line refuses 127.0.0.1 */

typedef struct Volume {
    BlockTest test;
    char *socket, *brick, *log;
    GPid pid;
} Volume;

/* Moves into a network that has loopback alone; threads started from now on are there too. */
static bool
enter_network(void)
{
    struct ifreq request = { .ifr_name = "lo" };
    int fd;

    if (unshare(CLONE_NEWNET) < 0) {
        return false;
    }
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    g_assert_cmpint(ioctl(fd, SIOCGIFFLAGS, &request), ==, 0);
    request.ifr_flags |= IFF_UP;
    g_assert_cmpint(ioctl(fd, SIOCSIFFLAGS, &request), ==, 0);
    close(fd);
    return true;
}

static bool
admin(const Volume *volume, const char *words)
{
    return block_server_run("gluster --mode=script --glusterd-sock=%s --log-file=%s/cli.log %s",
                            volume->socket, volume->test.dir, words);
}

static void
volume_clear(Volume *volume)
{
    block_server_run("rm -rf %s/state %s/run %s", volume->test.dir, volume->test.dir,
                     volume->brick);
    g_free(volume->socket);
    g_free(volume->brick);
    g_free(volume->log);
    block_test_finish(&volume->test);
}

static void
write_conf(const Volume *volume, const char *path)
{
    g_autofree char *conf = g_strdup_printf("volume management\n"
                                            "type mgmt/glusterd\n"
                                            "option working-directory %s/state\n"
                                            "option run-directory %s/run\n"
                                            "option glusterd-sockfile %s\n"
                                            "option transport-type socket\n"
                                            "option transport.socket.bind-address " HOST "\n"
                                            "option transport.address-family inet\n"
                                            "option event-threads 1\n"
                                            "end-volume\n",
                                            volume->test.dir, volume->test.dir, volume->socket);

    g_assert_true(g_file_set_contents(path, conf, -1, NULL));
}

static bool
volume_init(Volume *volume)
{
    g_autofree char *conf = NULL, *arguments = NULL, *create = NULL, *state = NULL, *run = NULL;
    GPid pid;

    if (geteuid() != 0) {
        g_test_skip("glusterd needs root, for the trusted attributes of its files");
        return false;
    }
    if (!test_has_program("glusterd") || !test_has_program("gluster")) {
        return false;
    }
    block_test_init(&volume->test);
    conf = block_test_path(&volume->test, "conf");
    state = block_test_path(&volume->test, "state");
    run = block_test_path(&volume->test, "run");
    volume->socket = block_test_path(&volume->test, "socket");
    volume->brick = block_test_path(&volume->test, "brick");
    volume->log = block_test_path(&volume->test, "client.log");
    g_assert_cmpint(g_mkdir(volume->brick, 0755) | g_mkdir(state, 0755) | g_mkdir(run, 0755), ==,
                    0);
    if (setxattr(volume->brick, "trusted.vitrine", "1", 1, 0) < 0) {
        g_test_skip("bricks need trusted attributes, which this root may not set");
        volume_clear(volume);
        return false;
    }
    write_conf(volume, conf);
    arguments = g_strdup_printf("-N -f %s -p %s/pid -l %s/log -S %s/own", conf, volume->test.dir,
                                volume->test.dir, volume->test.dir);
    g_assert_true(block_server_start("glusterd", arguments, &pid));
    volume->pid = pid;
    for (unsigned i = 0; i < 3000 && !g_file_test(volume->socket, G_FILE_TEST_EXISTS); i++) {
        g_usleep(10000);
    }
    create = g_strdup_printf("volume create vol " HOST ":%s force", volume->brick);
    if (!admin(volume, create) || !admin(volume, "volume start vol")) {
        g_error("no volume can be made; see the logs in %s", volume->test.dir);
    }
    return true;
}

static void
volume_finish(Volume *volume)
{
    g_assert_true(admin(volume, "volume stop vol force"));
    block_server_stop(volume->pid);
    volume_clear(volume);
}

/* The pattern as a file of the brick, which the volume takes up when it is looked for. */
static void
put_disk(Volume *volume, const char *name)
{
    g_autofree char *path = g_build_filename(volume->brick, name, NULL);
    g_autofree uint8_t *data = g_malloc(BLOCK_SERVER_LEN);

    for (unsigned i = 0; i < BLOCK_SERVER_LEN; i++) {
        data[i] = block_test_byte(i);
    }
    g_assert_true(g_file_set_contents(path, (char *)data, BLOCK_SERVER_LEN, NULL));
}

static void
expect_refusal(Volume *volume, const char *url, const char *options, int code, const char *words)
{
    g_autofree char *text = g_strdup_printf("read-only=on,file.logfile=%s%s", volume->log, options);
    g_autoptr(BlkOptions) parsed = block_test_options(text);
    g_autoptr(GError) error = NULL;

    g_assert_null(blk_open(volume->test.graph, url, parsed, &error));
    g_assert_error(error, VIT_ERROR, code);
    if (!strstr(error->message, words)) {
        g_error("\"%s\" does not say \"%s\"", error->message, words);
    }
}

/* Opens it, reads the pattern. Ownership: caller. */
static BlkNode *
open_disk(Volume *volume, const char *url, const char *options)
{
    g_autofree char *text =
        g_strdup_printf("driver=raw,discard=unmap,file.logfile=%s%s", volume->log, options);
    BlkNode *node = block_test_open(&volume->test, url, text);

    block_server_check(node);
    return node;
}

/* mission: url.gluster url.gluster.type.tcp url.gluster.debug url.gluster.logfile */
static void
use_tcp(Volume *volume)
{
    uint8_t data[65536];
    bool zero, is_data;
    BlkNode *node = open_disk(volume, "gluster://" HOST "/vol/disk", ",file.debug=7");
    BlkImage *image = blk_image_new(node, true, NULL);
    g_autofree char *brick = g_build_filename(volume->brick, "disk", NULL), *text = NULL;

    memset(data, 0x5a, sizeof(data));
    g_assert_cmpint(blk_image_write(image, 100000, data, 5000), ==, 0);
    g_assert_cmpint(blk_image_write_zeroes(image, 262144, sizeof(data), true), ==, 0);
    g_assert_cmpint(blk_image_discard(image, 524288, sizeof(data)), ==, 0);
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    g_assert_cmpint(blk_image_read(image, 262144, data, sizeof(data)), ==, 0);
    g_assert_true(blk_is_zero(data, sizeof(data)));
    g_assert_cmpint(blk_image_read(image, 524288, data, sizeof(data)), ==, 0);
    g_assert_true(blk_is_zero(data, sizeof(data)));
    g_assert_cmpint(blk_image_get_run(image, 0, 4096, &zero, &is_data), >, 0);
    g_assert_false(zero);
    g_assert_true(blk_image_resize(image, 2 * BLOCK_SERVER_LEN, BLK_PREALLOC_OFF, NULL));
    g_assert_cmpint(blk_image_write(image, 2 * BLOCK_SERVER_LEN - 512, data, 512), ==, 0);
    blk_image_free(image);
    blk_node_unref(node);
    /* what the server's own file has */
    g_assert_true(g_file_get_contents(brick, &text, NULL, NULL));
    g_assert_cmpuint((uint8_t)text[104999], ==, 0x5a);
    g_assert_cmpuint((uint8_t)text[105000], ==, block_test_byte(105000));
    g_clear_pointer(&text, g_free);
    g_assert_true(g_file_get_contents(volume->log, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "vol-client-0"));
}

/* mission: url.gluster.type.unix url.gluster.socket url.gluster.type.rdma url.gluster.driver */
static void
use_servers(Volume *volume)
{
    g_autofree char *by_socket =
        g_strdup_printf("gluster+unix:///vol/other?socket=%s", volume->socket);
    g_autofree char *by_options = g_strdup_printf(
        ",file.driver=gluster,file.volume=vol,file.path=other,file.server.0.type=unix,"
        "file.server.0.socket=%s",
        volume->socket);
    const char *two =
        ",file.driver=gluster,file.volume=vol,file.path=other,"
        "file.server.0.type=tcp,file.server.0.host=" HOST ",file.server.0.port=1,"
        "file.server.1.type=inet,file.server.1.host=" HOST ",file.server.1.port=24007";
    g_autoptr(BlkNode) tcp = open_disk(volume, "gluster+tcp://" HOST ":24007/vol/other", "");
    g_clear_pointer(&tcp, blk_node_unref);
    g_autoptr(BlkNode) local = open_disk(volume, by_socket, "");
    g_clear_pointer(&local, blk_node_unref);
    g_autoptr(BlkNode) given = open_disk(volume, NULL, by_options);
    g_clear_pointer(&given, blk_node_unref);
    g_autoptr(BlkNode) second = open_disk(volume, NULL, two);
    g_clear_pointer(&second, blk_node_unref);

    if (!g_file_test("/sys/class/infiniband", G_FILE_TEST_EXISTS)) {
        expect_refusal(volume, "gluster+rdma://" HOST "/vol/other", "", VIT_ERROR_FAILED,
                       "no RDMA adapter");
    }
    expect_refusal(volume, "gluster://" HOST "/vol/nothing", "", VIT_ERROR_NOT_FOUND, "nothing");
    expect_refusal(volume, "gluster://" HOST "/other/disk", "", VIT_ERROR_IO, "'other'");
}

/* mission: url.gluster.json */
static void
use_json(Volume *volume)
{
    g_autofree char *brick = g_build_filename(volume->brick, "disk.qcow2", NULL);
    g_autofree char *json = g_strdup_printf(
        "json:{\"driver\":\"qcow2\",\"file\":{\"driver\":\"gluster\",\"volume\":\"vol\","
        "\"path\":\"disk.qcow2\",\"debug\":4,\"logfile\":\"%s\",\"server\":["
        "{\"type\":\"tcp\",\"host\":\"" HOST "\",\"port\":24007}]}}",
        volume->log);
    g_autoptr(BlkOptions) create = block_test_options("size=1M");
    g_autoptr(GError) error = NULL;
    uint8_t data[4096] = { 0 };

    g_assert_true(blk_create(volume->test.graph, "qcow2", brick, create, &error));
    for (unsigned round = 0; round < 2; round++) {
        g_autoptr(BlkNode) node = block_test_open(&volume->test, json, "");
        g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
        g_assert_cmpuint(blk_image_get_len(image), ==, 1 << 20);
        if (round == 0) {
            memset(data, 0x77, sizeof(data));
            g_assert_cmpint(blk_image_write(image, 300000, data, sizeof(data)), ==, 0);
            g_assert_cmpint(blk_image_flush(image), ==, 0);
            memset(data, 0, sizeof(data));
        } else {
            g_assert_cmpint(blk_image_read(image, 300000, data, sizeof(data)), ==, 0);
            g_assert_cmpuint(data[0], ==, 0x77);
            g_assert_cmpuint(data[4095], ==, 0x77);
        }
    }
}

static void
refuse_new(Volume *volume, const char *format, const char *name, const char *options, int code,
           const char *words)
{
    g_autoptr(BlkOptions) parsed = block_test_options(options);
    g_autoptr(GError) error = NULL;

    g_assert_false(blk_create(volume->test.graph, format, name, parsed, &error));
    g_assert_error(error, VIT_ERROR, code);
    if (!strstr(error->message, words)) {
        g_error("\"%s\" does not say \"%s\"", error->message, words);
    }
}

/* New images: made, written, longer, shorter; judged by qemu-img in the brick. mission: url.gluster
 * blockdev-create */
static void
make_images(Volume *volume)
{
    static const struct {
        const char *format, *options;
    } rows[] = {
        { "raw", "size=1M" },
        { "raw", "size=1M,preallocation=falloc" },
        { "raw", "size=1M,preallocation=full" },
        { "qcow2", "size=1M" },
        { "qcow2", "size=1M,preallocation=metadata" },
    };
    g_autofree char *brick = g_build_filename(volume->brick, "made", NULL);
    uint8_t data[4096], back[4096];

    memset(data, 0x31, sizeof(data));
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *json = g_strdup_printf(
            "json:{\"driver\":\"gluster\",\"volume\":\"vol\",\"path\":\"made\","
            "\"logfile\":\"%s\",\"server\":[{\"type\":\"tcp\",\"host\":\"" HOST "\"}]}",
            volume->log);
        g_autofree char *format = g_strdup_printf("driver=%s", rows[i].format);
        g_autoptr(BlkOptions) create = block_test_options(rows[i].options);
        g_autoptr(GError) error = NULL;
        struct stat st;

        blk_create(volume->test.graph, rows[i].format, json, create, &error);
        g_assert_no_error(error);
        g_assert_cmpint(stat(brick, &st), ==, 0);
        if (strcmp(rows[i].format, "raw") == 0) {
            g_assert_cmpint(st.st_size, ==, 1 << 20);
            g_assert_cmpint(st.st_blocks * 512 >= 1 << 20, ==, strstr(rows[i].options, "pre") != 0);
        }
        g_autoptr(BlkNode) node = block_test_open(&volume->test, json, format);
        g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
        g_assert_true(blk_image_resize(image, 8 << 20, BLK_PREALLOC_OFF, NULL));
        g_assert_cmpint(blk_image_write(image, 5 << 20, data, sizeof(data)), ==, 0);
        g_assert_true(blk_image_resize(image, 6 << 20, BLK_PREALLOC_OFF, NULL));
        g_assert_cmpint(blk_image_read(image, 5 << 20, back, sizeof(back)), ==, 0);
        g_assert_cmpmem(data, sizeof(data), back, sizeof(back));
        g_clear_pointer(&image, blk_image_free);
        g_clear_pointer(&node, blk_node_unref);
        if (i < 3) {
            g_assert_cmpint(stat(brick, &st), ==, 0);
            g_assert_cmpint(st.st_size, ==, 6 << 20);
        } else if (test_has_program("qemu-img")) {
            g_assert_true(block_server_run("qemu-img check -f qcow2 %s", brick));
        }
    }
    refuse_new(volume, "raw", "gluster://" HOST "/vol/none/disk", "size=1M", VIT_ERROR_NOT_FOUND,
               HOST "/vol/none/disk' cannot be made");
    refuse_new(volume, "raw", "gluster://" HOST "/vol/new", "size=1M,preallocation=metadata",
               VIT_ERROR_INVALID_ARGUMENT, "preallocation");
    /* more than any disk here has: what was made goes again */
    refuse_new(volume, "raw", "gluster://" HOST "/vol/new", "size=4E,preallocation=falloc",
               VIT_ERROR_IO, "cannot be made");
    refuse_new(volume, "vpc", "gluster://" HOST "/vol/new",
               "size=1M,subformat=fixed,preallocation=metadata", VIT_ERROR_INVALID_ARGUMENT,
               "preallocation");
    g_autofree char *gone = g_build_filename(volume->brick, "new", NULL);
    g_assert_false(g_file_test(gone, G_FILE_TEST_EXISTS));
}

static void
test_volume(void)
{
    Volume volume = { 0 };

    if (!volume_init(&volume)) {
        return;
    }
    if (block_server_has_driver(&volume.test, "gluster")) {
        put_disk(&volume, "disk");
        put_disk(&volume, "other");
        use_tcp(&volume);
        use_servers(&volume);
        use_json(&volume);
        make_images(&volume);
    }
    volume_finish(&volume);
}

static void
test_names(void)
{
    static const char *const bad[] = {
        "gluster://host/vol",        "gluster://host",           "gluster:///vol/",
        "gluster+unix:///vol/a",     "gluster://h/v/a?socket=x", "gluster+unix://h/v/a?socket=x",
        "gluster+carrier://h/vol/a",
    };
    BlockTest test;

    block_test_init(&test);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(blk_open(test.graph, bad[i], NULL, &error));
        g_assert_nonnull(error);
    }
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    if (geteuid() == 0 && !enter_network()) {
        g_printerr("no network of its own: glusterd may find its port taken\n");
    }
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/gluster/names", test_names);
    g_test_add_func("/block/gluster/volume", test_volume);
    return g_test_run();
}
