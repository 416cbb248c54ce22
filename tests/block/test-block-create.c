/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* New images on protocols other than files: made by the block layer and by vitrine-img with real
 * servers (sshd, qemu-nbd), judged by qemu-img on the servers' side. GlusterFS and iSCSI have tests
 * of their own, which do the same. */

#include "block-server.h"

#include "control/blk-control.h"
#include "vit-error.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEN = 4 << 20 };

static bool
make(BlockTest *test, const char *format, const char *name, const char *options, GError **error)
{
    g_autoptr(BlkOptions) parsed = block_test_options(options);

    return blk_create(test->graph, format, name, parsed, error);
}

static void
expect_made(BlockTest *test, const char *format, const char *name, const char *options)
{
    g_autoptr(GError) error = NULL;

    make(test, format, name, options, &error);
    g_assert_no_error(error);
}

static void
expect_refusal(BlockTest *test, const char *format, const char *name, const char *options, int code,
               const char *words)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(make(test, format, name, options, &error));
    g_assert_error(error, VIT_ERROR, code);
    if (!strstr(error->message, words)) {
        g_error("\"%s\" does not say \"%s\"", error->message, words);
    }
}

static uint64_t
file_len(const char *path)
{
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return (uint64_t)st.st_size;
}

/* Runs vitrine-img; whether it succeeds has to be WORKS. */
static void
run_img(bool works, const char *format, ...)
{
    g_autofree char *words = NULL;
    va_list args;

    va_start(args, format);
    words = g_strdup_vprintf(format, args);
    va_end(args);
    if (block_server_run("%s %s", g_getenv("VITRINE_IMG"), words) != works) {
        g_error("vitrine-img %s", words);
    }
}

/* qemu-img finds nothing wrong with the image in the file PATH. */
static void
judge(const char *format, const char *path)
{
    if (strcmp(format, "raw") != 0 && test_has_program("qemu-img")) {
        g_assert_true(block_server_run("qemu-img check -U -f %s %s", format, path));
    }
}

static void
judge_same(const char *format, const char *source, const char *path)
{
    if (test_has_program("qemu-img")) {
        g_assert_true(
            block_server_run("qemu-img compare -U -f raw -F %s %s %s", format, source, path));
    }
    judge(format, path);
}

/* A pattern at both ends of the disk, then other lengths. */
static void
use_image(BlockTest *test, const char *format, const char *name, uint64_t len)
{
    g_autofree char *options = g_strdup_printf("driver=%s", format);
    uint8_t data[70000], back[70000];

    memset(data, 0x5c, sizeof(data));
    for (unsigned round = 0; round < 2; round++) {
        g_autoptr(BlkNode) node = block_test_open(test, name, options);
        g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
        g_autoptr(GError) error = NULL;

        g_assert_cmpuint(blk_image_get_len(image), ==, len);
        if (round == 0) {
            g_assert_cmpint(blk_image_write(image, 1000, data, sizeof(data)), ==, 0);
            g_assert_true(blk_image_resize(image, len *= 2, BLK_PREALLOC_OFF, &error));
            g_assert_cmpint(blk_image_write(image, len - sizeof(data), data, sizeof(data)), ==, 0);
            g_assert_cmpint(blk_image_flush(image), ==, 0);
            continue;
        }
        g_assert_cmpint(blk_image_read(image, 1000, back, sizeof(data)), ==, 0);
        g_assert_cmpmem(data, sizeof(data), back, sizeof(back));
        g_assert_cmpint(blk_image_read(image, len - sizeof(data), back, sizeof(data)), ==, 0);
        g_assert_cmpmem(data, sizeof(data), back, sizeof(back));
        blk_image_resize(image, len / 4, BLK_PREALLOC_OFF, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(blk_image_get_len(image), ==, len / 4);
    }
}

/* ---- ssh ---- */

static void
make_by_ssh(BlockTest *test, const BlockSsh *ssh)
{
    static const char *const formats[] = { "raw", "qcow2" };
    g_autofree char *data = block_test_path(test, "data");
    g_autofree char *data_url = block_ssh_url(ssh, data);

    for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autofree char *path = block_test_path(test, formats[i]);
        g_autofree char *url = block_ssh_url(ssh, path);
        struct stat st;
        mode_t mask = umask(0);

        umask(mask);
        /* what was there before is gone: too much of it, of a format, to be overlooked */
        for (unsigned round = 0; round < 2; round++) {
            expect_made(test, formats[i], url, "size=4M");
            use_image(test, formats[i], url, LEN);
            judge(formats[i], path);
        }
        g_assert_cmpint(stat(path, &st), ==, 0);
        g_assert_cmpuint(st.st_mode & 0777, ==, 0644 & ~mask);
        expect_made(test, "raw", url, "size=100001");
        g_assert_cmpuint(file_len(path), ==, 100001);
    }
    /* a data file of an image is made too, and one that is there stays */
    g_autofree char *path = block_test_path(test, "with-data");
    g_autofree char *url = block_ssh_url(ssh, path);
    g_autofree char *options = g_strdup_printf("size=1M,data_file=%s", data_url);
    expect_made(test, "qcow2", url, options);
    g_assert_cmpuint(file_len(data), ==, 0);
    g_assert_true(g_file_set_contents(data, "precious", -1, NULL));
    expect_made(test, "qcow2", url, options);
    g_autofree char *kept = NULL;
    g_assert_true(g_file_get_contents(data, &kept, NULL, NULL));
    g_assert_cmpstr(kept, ==, "precious");
}

static void
refuse_by_ssh(BlockTest *test, const BlockSsh *ssh)
{
    g_autofree char *lost = block_test_path(test, "none/disk");
    g_autofree char *lost_url = block_ssh_url(ssh, lost);
    g_autofree char *path = block_test_path(test, "half");
    g_autofree char *url = block_ssh_url(ssh, path);
    g_autofree char *folder_url = block_ssh_url(ssh, test->dir);

    expect_refusal(test, "raw", lost_url, "size=1M", VIT_ERROR_NOT_FOUND, "none/disk' cannot be");
    expect_refusal(test, "raw", folder_url, "size=1M", VIT_ERROR_IO, "127.0.0.1");
    expect_refusal(test, "raw", url, "size=1M,preallocation=full", VIT_ERROR_INVALID_ARGUMENT,
                   "preallocation=off");
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    /* refused when the file is made already: it goes again, but only where it was new */
    for (unsigned round = 0; round < 2; round++) {
        expect_refusal(test, "qcow2", url, "size=1M,preallocation=full", VIT_ERROR_INVALID_ARGUMENT,
                       "preallocation=off");
        g_assert_cmpint(g_file_test(path, G_FILE_TEST_EXISTS), ==, round == 1);
        g_assert_true(g_file_set_contents(path, "old", -1, NULL));
    }
}

/* Descriptions as names: of the protocol, and of a format over it. */
static void
describe_by_ssh(BlockTest *test, const BlockSsh *ssh)
{
    g_autofree char *path = block_test_path(test, "described");
    g_autofree char *file = g_strdup_printf(
        "{\"driver\":\"ssh\",\"user\":\"%s\",\"server\":{\"host\":\"127.0.0.1\",\"port\":\"%u\"},"
        "\"path\":\"%s\",\"host-key-check\":{\"mode\":\"none\"}}",
        g_get_user_name(), ssh->port, path);
    g_autofree char *name = g_strconcat("json:", file, NULL);
    g_autofree char *above =
        g_strdup_printf("json:{\"driver\":\"qcow2\",\"node-name\":\"x\",\"file\":%s}", file);
    g_autofree char *right = g_strdup_printf("json:{\"driver\":\"qcow2\",\"file\":%s}", file);
    g_autofree char *bare = g_strdup("json:{\"driver\":\"qcow2\"}");

    expect_made(test, "qcow2", name, "size=4M");
    use_image(test, "qcow2", name, LEN);
    expect_made(test, "qcow2", right, "size=4M");
    use_image(test, "qcow2", right, LEN);
    judge("qcow2", path);
    expect_refusal(test, "raw", right, "size=4M", VIT_ERROR_INVALID_ARGUMENT, "says 'qcow2'");
    expect_refusal(test, "qcow2", above, "size=4M", VIT_ERROR_INVALID_ARGUMENT, "'node-name'");
    expect_refusal(test, "qcow2", bare, "size=4M", VIT_ERROR_INVALID_ARGUMENT, "\"file\"");
    expect_refusal(test, "qcow2", "json:{\"driver\":\"qcow2\",\"file\":\"nobody\"}", "size=4M",
                   VIT_ERROR_NOT_FOUND, "'nobody'");
    judge("qcow2", path);
}

static void
convert_by_ssh(BlockTest *test, const BlockSsh *ssh)
{
    static const char *const formats[] = { "raw", "qcow2", "vmdk", "vdi", "vhdx", "parallels" };
    g_autofree char *source = block_test_image(test, "source", LEN);

    for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
        g_autofree char *name = g_strconcat("converted.", formats[i], NULL);
        g_autofree char *path = block_test_path(test, name);
        g_autofree char *url = block_ssh_url(ssh, path);
        run_img(true, "convert -f raw -O %s %s '%s'", formats[i], source, url);
        judge_same(formats[i], source, path);
    }
    g_autofree char *path = block_test_path(test, "failed");
    g_autofree char *url = block_ssh_url(ssh, path);
    /* a disk that is too small for what comes: made, not finished, removed */
    run_img(false, "convert -f raw -O qcow2 -o size=64k %s '%s'", source, url);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    run_img(true, "dd -O qcow2 if=%s of='%s'", source, url);
    judge_same("qcow2", source, path);
    run_img(true, "resize '%s' +1M", url);
    judge("qcow2", path);
    /* what is not written is a hole there too */
    g_autofree char *large = block_test_path(test, "large");
    g_autofree char *large_url = block_ssh_url(ssh, large);
    struct stat st;
    run_img(true, "create -q -f raw %s 8G", path);
    run_img(true, "convert -f raw -O raw %s '%s'", path, large_url);
    g_assert_cmpint(stat(large, &st), ==, 0);
    g_assert_cmpuint((uint64_t)st.st_size, ==, UINT64_C(8) << 30);
    g_assert_cmpuint((uint64_t)st.st_blocks, <, 1000);
}

/* What libvirt does: the file, the node, the image in it. */
static void
control_by_ssh(BlockTest *test, const BlockSsh *ssh)
{
    g_autofree char *path = block_test_path(test, "controlled");
    g_autofree char *location =
        g_strdup_printf("\"user\":\"%s\",\"server\":{\"host\":\"127.0.0.1\",\"port\":\"%u\"},"
                        "\"path\":\"%s\",\"host-key-check\":{\"mode\":\"none\"}",
                        g_get_user_name(), ssh->port, path);
    const struct {
        const char *name;
        char *args;
    } steps[] = {
        { "blockdev-create",
          g_strdup_printf("{\"job-id\":\"a\",\"options\":{\"driver\":\"ssh\",\"location\":{%s},"
                          "\"size\":65536}}",
                          location) },
        { "blockdev-add",
          g_strdup_printf("{\"driver\":\"ssh\",\"node-name\":\"file\",%s}", location) },
        { "blockdev-create", g_strdup("{\"job-id\":\"b\",\"options\":{\"driver\":\"qcow2\","
                                      "\"file\":\"file\",\"size\":4194304}}") },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autoptr(JsonNode) args = json_from_string(steps[i].args, NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) result =
            blk_control_run(test->graph, NULL, steps[i].name, json_node_get_object(args), &error);
        g_assert_no_error(error);
        for (bool ended = i == 1; !ended;) {
            g_autoptr(JsonNode) none = json_from_string("{}", NULL);
            g_autoptr(JsonNode) jobs = blk_control_run(test->graph, NULL, "query-jobs",
                                                       json_node_get_object(none), &error);
            JsonObject *job = json_array_get_object_element(json_node_get_array(jobs), i / 2);
            ended = strcmp(json_object_get_string_member(job, "status"), "concluded") == 0;
            if (ended && json_object_has_member(job, "error")) {
                g_error("%s", json_object_get_string_member(job, "error"));
            }
            blk_graph_poll(test->graph, 10);
        }
        if (i == 0) {
            g_assert_cmpuint(file_len(path), ==, 65536);
        }
        g_free(steps[i].args);
    }
    blk_graph_remove_blockdev(test->graph, "file", NULL);
    judge("qcow2", path);
    g_autofree char *url = block_ssh_url(ssh, path);
    use_image(test, "qcow2", url, LEN);
}

/* mission: url.ssh url.ssh.driver blockdev-create */
static void
test_ssh(void)
{
    BlockTest test;
    BlockSsh ssh, reader;

    block_test_init(&test);
    if (!block_ssh_start(&ssh, &test, "") || !block_ssh_log_in(&ssh)) {
        block_ssh_stop(&ssh);
        block_test_finish(&test);
        return;
    }
    make_by_ssh(&test, &ssh);
    refuse_by_ssh(&test, &ssh);
    describe_by_ssh(&test, &ssh);
    convert_by_ssh(&test, &ssh);
    control_by_ssh(&test, &ssh);
    /* a server that lets nobody write */
    g_assert_true(block_ssh_start(&reader, &test, "-R"));
    g_autofree char *path = block_test_path(&test, "forbidden");
    g_autofree char *url = block_ssh_url(&reader, path);
    expect_refusal(&test, "raw", url, "size=1M", VIT_ERROR_PERMISSION, "ermission denied");
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    block_ssh_stop(&reader);
    block_ssh_stop(&ssh);
    block_test_finish(&test);
}

/* ---- what is there already ---- */

/* NAME, whose bytes lie in the file STORE, has LEN bytes. */
static void
use_room(BlockTest *test, const char *name, const char *store)
{
    g_autofree char *source = block_test_image(test, "source", LEN / 2);
    g_autofree char *wanted = g_strdup_printf("%u", LEN + 1);
    g_autoptr(GError) error = NULL;
    char words[32];

    g_snprintf(words, sizeof(words), "%u bytes", LEN);
    expect_made(test, "qcow2", name, "size=1G");
    g_autoptr(BlkNode) node = block_test_open(test, name, "");
    g_assert_cmpuint(blk_node_get_len(node), ==, 1 << 30);
    g_clear_pointer(&node, blk_node_unref);
    judge("qcow2", store);
    /* nobody finds it again in a new raw image */
    expect_made(test, "raw", name, "size=1M");
    node = block_test_open(test, name, "");
    g_assert_cmpuint(blk_node_get_len(node), ==, LEN);
    BlkNodeInfo info;
    blk_node_get_info(node, &info);
    g_assert_cmpstr(info.driver, ==, "raw");
    g_clear_pointer(&node, blk_node_unref);
    g_autofree char *options = g_strconcat("size=", wanted, NULL);
    expect_refusal(test, "raw", name, options, VIT_ERROR_INVALID_ARGUMENT, words);
    expect_refusal(test, "raw", name, options, VIT_ERROR_INVALID_ARGUMENT, wanted);
    expect_refusal(test, "raw", name, "size=1M,preallocation=full", VIT_ERROR_INVALID_ARGUMENT,
                   "preallocation=off");
    /* fixed images fit, or do not */
    expect_made(test, "vdi", name, "size=2M,static=on");
    expect_refusal(test, "vdi", name, "size=8M,static=on", VIT_ERROR_INVALID_ARGUMENT, words);
    expect_refusal(test, "qcow2", name, "size=64M,preallocation=full", VIT_ERROR_INVALID_ARGUMENT,
                   "preallocation");
    run_img(true, "convert -f raw -O qcow2 %s '%s'", source, name);
    judge_same("qcow2", source, store);
    run_img(true, "convert -f raw -O raw %s '%s'", source, name);
    g_assert_true(block_server_run("cmp -n %u %s %s", LEN / 2, source, store));
    run_img(false, "resize -f raw --shrink '%s' 1M", name);
    run_img(false, "resize -f raw '%s' 8M", name);
    g_assert_cmpuint(file_len(store), ==, LEN);
}

static void
test_nbd(void)
{
    BlockTest test;
    GPid pid;

    block_test_init(&test);
    g_autofree char *store = block_test_image(&test, "store", LEN);
    g_autofree char *socket = block_test_path(&test, "socket");
    g_autofree char *options = g_strdup_printf("-f raw -x x -t -e 8 -k %s %s", socket, store);
    g_autofree char *reader = g_strdup_printf("-f raw -r -x x -t -e 8 -k %s %s", socket, store);
    g_autofree char *url = g_strdup_printf("nbd+unix:///x?socket=%s", socket);
    g_autofree char *json =
        g_strdup_printf("json:{\"driver\":\"nbd\",\"export\":\"x\",\"server\":{\"type\":\"unix\","
                        "\"path\":\"%s\"}}",
                        socket);
    if (block_server_start("qemu-nbd", options, &pid)) {
        for (unsigned i = 0; i < 500 && !g_file_test(socket, G_FILE_TEST_EXISTS); i++) {
            g_usleep(10000);
        }
        use_room(&test, url, store);
        expect_made(&test, "qcow2", json, "size=1M");
        judge("qcow2", store);
        block_server_stop(pid);
        g_unlink(socket);
        expect_refusal(&test, "raw", url, "size=1M", VIT_ERROR_IO, "socket");
        g_assert_true(block_server_start("qemu-nbd", reader, &pid));
        for (unsigned i = 0; i < 500 && !g_file_test(socket, G_FILE_TEST_EXISTS); i++) {
            g_usleep(10000);
        }
        expect_refusal(&test, "raw", url, "size=1M", VIT_ERROR_PERMISSION, "read");
        judge("qcow2", store);
        block_server_stop(pid);
    }
    block_test_finish(&test);
}

/* A file as a device of the host, by root. */
static void
test_device(void)
{
    BlockTest test;

    block_test_init(&test);
    g_autofree char *store = block_test_image(&test, "store", LEN);
    g_autofree char *line = g_strdup_printf("losetup -f --show %s", store);
    g_autofree char *out = NULL;
    int status = -1;
    if (geteuid() != 0 || !g_spawn_command_line_sync(line, &out, NULL, &status, NULL) ||
        status != 0) {
        g_test_skip("no device can be made of a file here");
        block_test_finish(&test);
        return;
    }
    g_strchomp(out);
    use_room(&test, out, store);
    g_assert_true(block_server_run("losetup -d %s", out));
    block_test_finish(&test);
}

static void
test_refused(void)
{
    static const struct {
        const char *name, *words;
    } rows[] = {
        { "http://127.0.0.1:1/disk", "'http'" }, { "ftps://127.0.0.1:1/disk", "'ftps'" },
        { "null-co://", "'null-co'" },           { "fat:/tmp", "'vvfat'" },
        { "carrier:pigeon", "'carrier'" },       { "json:{\"driver\":\"null-co\"}", "'null-co'" },
    };
    BlockTest test;

    block_test_init(&test);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        expect_refusal(&test, "raw", rows[i].name, "size=1M", VIT_ERROR_INVALID_ARGUMENT,
                       rows[i].words);
        expect_refusal(&test, "qcow2", rows[i].name, "size=1M", VIT_ERROR_INVALID_ARGUMENT,
                       rows[i].words);
    }
    block_test_finish(&test);
}

/* A local image that cannot be finished goes, but for one that was there. */
static void
test_file(void)
{
    BlockTest test;

    block_test_init(&test);
    g_autofree char *path = block_test_path(&test, "disk");
    g_autofree char *name = g_strdup_printf("file:%s", path);
    g_autofree char *json = g_strdup_printf("json:{\"driver\":\"file\",\"filename\":\"%s\"}", path);
    for (unsigned round = 0; round < 2; round++) {
        expect_refusal(&test, "vdi", name, "size=1M,static=on,preallocation=bad",
                       VIT_ERROR_INVALID_ARGUMENT, "preallocation");
        expect_refusal(&test, "qcow2", name,
                       "size=1M,backing_fmt=raw,backing_file=x"
                       ",cluster_size=512,data_file=./x/y",
                       VIT_ERROR_NOT_FOUND, "x/y");
        g_assert_cmpint(g_file_test(path, G_FILE_TEST_EXISTS), ==, round == 1);
        expect_refusal(&test, "vmdk", json, "size=1M,subformat=monolithicFlat",
                       VIT_ERROR_INVALID_ARGUMENT, "several");
        expect_made(&test, "qcow2", json, "size=4M");
        use_image(&test, "qcow2", json, LEN);
        judge("qcow2", path);
    }
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/create/file", test_file);
    g_test_add_func("/block/create/refused", test_refused);
    if (g_test_slow()) {
        g_test_add_func("/block/create/ssh", test_ssh);
    }
    g_test_add_func("/block/create/nbd", test_nbd);
    g_test_add_func("/block/create/device", test_device);
    return g_test_run();
}
