/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Opening: options, names, references, probing, permissions, new images. */

#include "block-test.h"

#include "vit-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opening must fail with CODE and a message that has WORDS. */
static void
expect_error(BlockTest *test, const char *filename, const char *text, VitError code,
             const char *words)
{
    g_autoptr(BlkOptions) options = block_test_options(text);
    g_autoptr(GError) error = NULL;
    BlkNode *node = blk_open(test->graph, filename, options, &error);

    g_assert_null(node);
    g_assert_error(error, VIT_ERROR, code);
    if (!strstr(error->message, words)) {
        g_error("\"%s\" does not say \"%s\"", error->message, words);
    }
}

static void
test_spellings(void)
{
    BlockTest test;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 8192);
    g_autofree char *file_url = g_strconcat("file:", path, NULL);
    g_autofree char *dotted = g_strdup_printf("driver=raw,file.driver=file,file.filename=%s", path);
    g_autofree char *short_form = g_strdup_printf("driver=raw,filename=%s,aio=threads", path);
    g_autofree char *json =
        g_strdup_printf("json:{\"driver\":\"raw\",\"offset\":4096,\"file\":{\"driver\":\"file\","
                        "\"filename\":\"%s\"}}",
                        path);
    const struct {
        const char *filename, *options;
        uint64_t len;
    } rows[] = {
        { path, NULL, 8192 },          { path, "driver=raw", 8192 },
        { path, "driver=file", 8192 }, { file_url, "driver=raw,offset=512,size=1k", 1024 },
        { NULL, dotted, 8192 },        { NULL, short_form, 8192 },
        { json, NULL, 4096 },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        BlkNode *node = block_test_open(&test, rows[i].filename, rows[i].options);
        BlkNodeInfo info;
        blk_node_get_info(node, &info);
        g_assert_cmpuint(info.len_bytes, ==, rows[i].len);
        g_assert_cmpint(info.probed, ==, i == 0);
        g_assert_cmpstr(info.filename, ==, path);
        blk_node_unref(node);
    }
    block_test_finish(&test);
}

static void
test_references(void)
{
    g_autoptr(GError) error = NULL;
    BlockTest test;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 8192);
    g_autofree char *text = g_strdup_printf("driver=file,node-name=prot,filename=%s", path);
    g_autoptr(BlkOptions) protocol = block_test_options(text);
    g_autoptr(BlkOptions) format = block_test_options("driver=raw,node-name=fmt,file=prot");
    g_autoptr(BlkOptions) nameless = block_test_options("driver=raw,file=prot");
    g_assert_nonnull(blk_graph_add_blockdev(test.graph, protocol, &error));
    g_assert_nonnull(blk_graph_add_blockdev(test.graph, format, &error));
    g_assert_no_error(error);
    g_assert_null(blk_graph_add_blockdev(test.graph, nameless, &error));
    g_assert_nonnull(strstr(error->message, "node-name="));
    g_clear_error(&error);
    expect_error(&test, NULL, "driver=raw,node-name=fmt,file=prot", VIT_ERROR_INVALID_ARGUMENT,
                 "already in use");
    expect_error(&test, NULL, "driver=raw,file=nobody", VIT_ERROR_INVALID_ARGUMENT,
                 "does not exist");
    g_assert_false(blk_graph_remove_blockdev(test.graph, "prot", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_clear_error(&error);
    g_assert_true(blk_graph_remove_blockdev(test.graph, "fmt", &error));
    g_assert_true(blk_graph_remove_blockdev(test.graph, "prot", &error));
    g_assert_null(blk_graph_find_node(test.graph, "prot"));
    block_test_finish(&test);
}

/* mission: add-fd add-fd.dev-fdset */
static void
test_fdset(void)
{
    g_autoptr(GError) error = NULL;
    BlockTest test;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 8192);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_assert_true(blk_graph_add_fd(test.graph, 7, fd, &error));
    close(fd);
    g_assert_false(blk_graph_add_fd(test.graph, 7, fd, &error));
    g_clear_error(&error);
    unlink(path);
    g_autoptr(BlkNode) node = block_test_open(&test, "/dev/fdset/7", "read-only=on");
    g_assert_cmpuint(blk_node_get_len(node), ==, 8192);
    g_clear_pointer(&node, blk_node_unref);
    expect_error(&test, "/dev/fdset/7", "driver=raw", VIT_ERROR_PERMISSION, "fdset");
    block_test_finish(&test);
}

static void
test_messages(void)
{
    BlockTest test;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 8192);
    g_autofree char *missing = block_test_path(&test, "missing");
    expect_error(&test, missing, NULL, VIT_ERROR_NOT_FOUND, "missing");
    expect_error(&test, test.dir, NULL, VIT_ERROR_INVALID_ARGUMENT, "folder");
    expect_error(&test, "/dev/null", NULL, VIT_ERROR_INVALID_ARGUMENT, "not a block device");
    expect_error(&test, path, "driver=raww", VIT_ERROR_INVALID_ARGUMENT, "did you mean 'raw'");
    expect_error(&test, path, "driver=compress", VIT_ERROR_NOT_AVAILABLE_YET, "not available yet");
    expect_error(&test, path, "driver=raw,sise=3", VIT_ERROR_INVALID_ARGUMENT, "'sise'");
    expect_error(&test, path, "driver=raw,read-only=maybe", VIT_ERROR_INVALID_ARGUMENT,
                 "read-only=on");
    expect_error(&test, path, "driver=raw,offset=9000", VIT_ERROR_INVALID_ARGUMENT, "8192 bytes");
    expect_error(&test, path, "driver=raw,aio=native", VIT_ERROR_INVALID_ARGUMENT, "cache.direct");
    expect_error(&test, "/dev/fdset/7", NULL, VIT_ERROR_NOT_FOUND, "fdset");
    expect_error(&test, path, "driver=raw,force-share=on", VIT_ERROR_INVALID_ARGUMENT,
                 "read-only=on");
    expect_error(&test, path, "driver=raw,detect-zeroes=unmap", VIT_ERROR_INVALID_ARGUMENT,
                 "discard=unmap");
    expect_error(&test, path, "driver=raw,node-name=9x", VIT_ERROR_INVALID_ARGUMENT, "'9x'");
    expect_error(&test, "rbd:pool/x", NULL, VIT_ERROR_NOT_AVAILABLE_YET, "rbd:");
    expect_error(&test, "gopher:hole", NULL, VIT_ERROR_INVALID_ARGUMENT, "'gopher'");
    expect_error(&test, "json:{", NULL, VIT_ERROR_INVALID_ARGUMENT, "JSON");
    expect_error(&test, NULL, "driver=raw", VIT_ERROR_INVALID_ARGUMENT, "needs 'file'");
    expect_error(&test, NULL, "driver=file", VIT_ERROR_INVALID_ARGUMENT, "'filename'");
    expect_error(&test, NULL, NULL, VIT_ERROR_INVALID_ARGUMENT, "needs 'file'");
    block_test_finish(&test);
}

/* ---- probing ---- */

static void
write_head(const char *path, const void *magic, size_t at, size_t len)
{
    uint8_t image[65536] = { 0 };

    memcpy(image + at, magic, len);
    g_assert_true(g_file_set_contents(path, (char *)image, sizeof(image), NULL));
}

static void
test_probing(void)
{
    const struct {
        const char *magic;
        size_t at, len;
        const char *name;
    } rows[] = {
        { "QFI\xfb\0\0\0\1", 0, 8, "qcow" },
        { "KDMV", 0, 4, "vmdk" },
        { "# Disk DescriptorFile\n", 0, 22, "vmdk" },
        { "\x7f\x10\xda\xbe", 64, 4, "vdi" },
        { "vhdxfile", 0, 8, "vhdx" },
        { "conectix", 0, 8, "vpc" },
        { "LUKS\xba\xbe\0\1", 0, 8, "luks" },
        { "QED", 0, 4, "qed" },
        { "WithoutFreeSpace", 0, 16, "parallels" },
    };
    BlockTest test;

    block_test_init(&test);
    g_autofree char *path = block_test_path(&test, "image");
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *words = g_strdup_printf("in format %s, which is not", rows[i].name);
        write_head(path, rows[i].magic, rows[i].at, rows[i].len);
        if (blk_driver_title(test.graph, rows[i].name)) {
            expect_error(&test, path, NULL, VIT_ERROR_CORRUPT, "offset ");
        } else {
            expect_error(&test, path, NULL, VIT_ERROR_NOT_AVAILABLE_YET, words);
        }
        /* Asked for, its bytes are its bytes. */
        blk_node_unref(block_test_open(&test, path, "driver=raw"));
    }
    block_test_finish(&test);
}

/* A guest cannot turn a probed image into one of another format. */
static void
test_probed_guard(void)
{
    BlockTest test;
    uint8_t sector[512] = "QFI\xfb\0\0\0\3";

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 8192);
    BlkNode *node = block_test_open(&test, path, NULL);
    BlkImage *image = blk_image_new(node, true, NULL);
    g_assert_cmpint(blk_image_write(image, 0, sector, 512), ==, -EPERM);
    g_assert_cmpint(blk_image_write(image, 512, sector, 512), ==, 0);
    memset(sector, 0, 8);
    g_assert_cmpint(blk_image_write(image, 0, sector, 512), ==, 0);
    blk_image_free(image);
    blk_node_unref(node);
    block_test_finish(&test);
}

/* ---- permissions ---- */

static void
test_two_writers(void)
{
    g_autoptr(GError) error = NULL;
    BlockTest test;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 8192);
    BlkNode *node = block_test_open(&test, path, "driver=raw");
    BlkImage *writer = blk_image_new(node, true, &error), *reader;
    g_assert_nonnull(writer);
    g_assert_null(blk_image_new(node, true, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_clear_error(&error);
    g_assert_null(blk_image_new(node, false, &error)); /* which wants it to hold still */
    g_clear_error(&error);
    blk_image_free(writer);
    writer = blk_image_new(node, false, &error);
    reader = blk_image_new(node, false, &error);
    g_assert_no_error(error);
    blk_image_free(writer);
    blk_image_free(reader);
    blk_node_unref(node);
    /* Another node on the same file is another program, as far as locks go. */
    node = block_test_open(&test, path, "driver=raw");
    writer = blk_image_new(node, true, &error);
    BlkNode *other = block_test_open(&test, path, "driver=raw");
    g_assert_null(blk_image_new(other, true, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_assert_nonnull(strstr(error->message, "another drive of this program"));
    blk_image_free(writer);
    blk_node_unref(node);
    blk_node_unref(other);
    block_test_finish(&test);
}

static void
test_read_only(void)
{
    g_autoptr(GError) error = NULL;
    BlockTest test;
    uint8_t byte = 1;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 8192);
    BlkNode *node = block_test_open(&test, path, "driver=raw,read-only=on");
    g_assert_null(blk_image_new(node, true, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_PERMISSION);
    g_clear_error(&error);
    BlkImage *image = blk_image_new(node, false, &error);
    g_assert_no_error(error);
    blk_image_free(image);
    /* Reopened, with the file below it. */
    g_assert_true(blk_node_set_read_only(node, false, &error));
    image = blk_image_new(node, true, &error);
    g_assert_no_error(error);
    g_assert_cmpint(blk_image_write(image, 0, &byte, 1), ==, 0);
    /* Not while somebody writes. */
    g_assert_false(blk_node_set_read_only(node, true, &error));
    g_clear_error(&error);
    g_assert_cmpint(blk_image_write(image, 1, &byte, 1), ==, 0);
    blk_image_free(image);
    g_assert_true(blk_node_set_read_only(node, true, &error));
    blk_node_unref(node);
    block_test_finish(&test);
}

static void
test_auto_read_only(void)
{
    BlockTest test;
    bool is_root = geteuid() == 0;

    /* Root may write everywhere. */
    if (is_root && seteuid(65534) != 0) {
        g_test_skip("needs to be another user than root");
        return;
    }
    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 8192);
    g_assert_cmpint(chmod(path, 0444), ==, 0);
    expect_error(&test, path, "driver=raw", VIT_ERROR_PERMISSION, "read-only");
    BlkNode *node = block_test_open(&test, path, "driver=raw,auto-read-only=on");
    BlkNodeInfo info;
    blk_node_get_info(node, &info);
    g_assert_true(info.read_only);
    blk_node_unref(node);
    block_test_finish(&test);
    if (is_root) {
        g_assert_cmpint(seteuid(0), ==, 0);
    }
}

/* ---- new images, sizes ---- */

static void
create(BlockTest *test, const char *path, const char *text)
{
    g_autoptr(BlkOptions) options = block_test_options(text);
    g_autoptr(GError) error = NULL;

    blk_create(test->graph, "raw", path, options, &error);
    g_assert_no_error(error);
}

static void
refuse_create(BlockTest *test, const char *format, const char *path, const char *text,
              const char *words)
{
    g_autoptr(BlkOptions) options = block_test_options(text);
    g_autoptr(GError) error = NULL;

    g_assert_false(blk_create(test->graph, format, path, options, &error));
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, words));
}

static void
test_create(void)
{
    BlockTest test;
    struct stat st;

    block_test_init(&test);
    g_autofree char *path = block_test_path(&test, "new");
    g_autofree char *nowhere = block_test_path(&test, "no/such/folder");
    create(&test, path, "size=1M");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 1 << 20);
    g_assert_cmpint(st.st_blocks, <, 64);
    create(&test, path, "size=2M,preallocation=falloc");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_blocks * 512, >=, 2 << 20);
    create(&test, path, "size=64k,preallocation=full");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 65536);
    refuse_create(&test, "raw", path, "size=1M,preallocation=metadata", "metadata");
    refuse_create(&test, "raw", path, "size=lots", "size");
    refuse_create(&test, "raw", path, "preallocation=off", "'size'");
    refuse_create(&test, "raw", path, "size=1,cluster_size=4", "cluster_size");
    refuse_create(&test, "compress", path, "size=1M", "not available yet");
    refuse_create(&test, "raw", nowhere, "size=1M", "no/such/folder");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 65536); /* all this changed nothing */
    /* An image in use is not emptied. */
    BlkNode *node = block_test_open(&test, path, "driver=raw");
    BlkImage *image = blk_image_new(node, true, NULL);
    refuse_create(&test, "raw", path, "size=1M", "in use");
    g_assert_cmpuint(blk_image_get_len(image), ==, 65536);
    blk_image_free(image);
    blk_node_unref(node);
    block_test_finish(&test);
}

static void
test_resize(void)
{
    g_autoptr(GError) error = NULL;
    BlockTest test;
    uint8_t byte = 0xff;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 8192);
    BlkNode *node = block_test_open(&test, path, "driver=raw");
    BlkImage *image = blk_image_new(node, true, NULL);
    g_assert_true(blk_image_resize(image, 1 << 20, BLK_PREALLOC_OFF, &error));
    g_assert_cmpuint(blk_image_get_len(image), ==, 1 << 20);
    g_assert_cmpint(blk_image_read(image, (1 << 20) - 1, &byte, 1), ==, 0);
    g_assert_cmpuint(byte, ==, 0);
    g_assert_true(blk_image_resize(image, 4096, BLK_PREALLOC_OFF, &error));
    g_assert_false(blk_image_resize(image, 2048, BLK_PREALLOC_FULL, &error));
    g_assert_nonnull(strstr(error->message, "smaller"));
    g_clear_error(&error);
    g_assert_cmpuint(blk_image_get_len(image), ==, 4096);
    g_assert_false(blk_image_resize(image, UINT64_MAX, BLK_PREALLOC_OFF, &error));
    blk_image_free(image);
    blk_node_unref(node);
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/open/spellings", test_spellings);
    g_test_add_func("/block/open/fdset", test_fdset);
    g_test_add_func("/block/open/references", test_references);
    g_test_add_func("/block/open/messages", test_messages);
    g_test_add_func("/block/open/probing", test_probing);
    g_test_add_func("/block/open/probed-guard", test_probed_guard);
    g_test_add_func("/block/open/two-writers", test_two_writers);
    g_test_add_func("/block/open/read-only", test_read_only);
    g_test_add_func("/block/open/auto-read-only", test_auto_read_only);
    g_test_add_func("/block/open/create", test_create);
    g_test_add_func("/block/open/resize", test_resize);
    return g_test_run();
}
