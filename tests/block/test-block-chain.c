/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Backing chains: how the image below is found, what is refused, reading and status through them.
 * mission: blockdev.qcow2.backing cli.json-filename */

#include "block-test.h"

#include "vit-error.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEN = 256 * 1024 };

/* A new image NAME over BACKING (as its header says, may be NULL). Ownership: caller. */
static char *
make_cow(BlockTest *test, const char *name, uint64_t len, const char *backing, const char *format)
{
    char *path = block_test_path(test, name);
    g_autoptr(BlkOptions) options = blk_options_new();
    g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, len);
    g_autoptr(GError) error = NULL;

    blk_options_set(options, "size", size);
    if (backing) {
        blk_options_set(options, "backing_file", backing);
    }
    if (format) {
        blk_options_set(options, "backing_fmt", format);
    }
    blk_create(test->graph, "testcow", path, options, &error);
    g_assert_no_error(error);
    return path;
}

static void
write_at(BlkNode *node, uint64_t offset, uint64_t len, uint8_t byte)
{
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    g_autofree uint8_t *data = g_malloc(len);

    memset(data, byte, len);
    g_assert_nonnull(image);
    g_assert_cmpint(blk_image_write(image, offset, data, len), ==, 0);
}

static uint8_t
byte_at(BlkNode *node, uint64_t offset)
{
    g_autoptr(BlkImage) image = blk_image_new(node, false, NULL);
    uint8_t byte = 0;

    g_assert_cmpint(blk_image_read(image, offset, &byte, 1), ==, 0);
    return byte;
}

static BlkNode *
expect_open_error(BlockTest *test, const char *filename, const char *text, const char *words)
{
    g_autoptr(BlkOptions) options = block_test_options(text);
    g_autoptr(GError) error = NULL;
    BlkNode *node = blk_open(test->graph, filename, options, &error);

    g_assert_null(node);
    if (!strstr(error->message, words)) {
        g_error("\"%s\" does not say \"%s\"", error->message, words);
    }
    return node;
}

static void
test_names(void)
{
    BlockTest test;

    block_test_init(&test);
    g_autofree char *base = block_test_image(&test, "base", LEN);
    g_autofree char *other = block_test_path(&test, "other");
    g_assert_true(g_file_set_contents(other, "other", 5, NULL));
    g_autofree char *relative = make_cow(&test, "relative", LEN, "base", "raw");
    g_autofree char *absolute = make_cow(&test, "absolute", LEN, base, NULL);
    g_autofree char *file_name = g_strconcat("file:", base, NULL);
    g_autofree char *scheme = make_cow(&test, "scheme", LEN, file_name, "raw");
    g_autofree char *json_text =
        g_strdup_printf("json:{\"driver\":\"raw\",\"offset\":4096,\"file\":"
                        "{\"driver\":\"file\",\"filename\":\"%s\"}}",
                        base);
    g_autofree char *json = make_cow(&test, "json", LEN, json_text, NULL);
    g_autofree char *to_other = g_strdup_printf(
        "backing.driver=raw,backing.file.driver=file,backing.file.filename=%s", other);
    const struct {
        const char *filename, *options;
        uint8_t first;
    } rows[] = {
        { relative, NULL, block_test_byte(0) },
        { absolute, NULL, block_test_byte(0) },
        { scheme, NULL, block_test_byte(0) },
        { json, NULL, block_test_byte(4096) },
        { relative, "backing=", 0 },
        { relative, "backing.offset=8192", block_test_byte(8192) },
        { relative, to_other, 'o' },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(BlkNode) node = block_test_open(&test, rows[i].filename, rows[i].options);
        g_assert_cmpuint(byte_at(node, 0), ==, rows[i].first);
        BlkNodeInfo info;
        blk_node_get_info(node, &info);
        g_assert_cmpint(info.backing != NULL, ==, i != 4);
        if (i < 2) {
            g_assert_cmpstr(info.backing_path, ==, base);
        }
    }
    expect_open_error(&test, relative, "backing.nonsense=1", "nonsense");
    g_autofree char *lonely = make_cow(&test, "lonely", LEN, NULL, NULL);
    expect_open_error(&test, lonely, "backing.read-only=on", "no backing image");
    g_autofree char *lost = make_cow(&test, "lost", LEN, "nowhere", NULL);
    expect_open_error(&test, lost, NULL, "backing image of");
    expect_open_error(&test, lost, NULL, "nowhere");
    block_test_finish(&test);
}

static void
test_node_as_backing(void)
{
    BlockTest test;

    block_test_init(&test);
    g_autofree char *base = block_test_image(&test, "base", LEN);
    g_autofree char *top = make_cow(&test, "top", LEN, NULL, NULL);
    g_autofree char *text = g_strdup_printf(
        "driver=raw,node-name=low,read-only=on,file.driver=file,file.filename=%s", base);
    g_autoptr(BlkOptions) options = block_test_options(text);
    g_assert_nonnull(blk_graph_add_blockdev(test.graph, options, NULL));
    g_autoptr(BlkNode) node = block_test_open(&test, top, "backing=low");
    g_assert_cmpuint(byte_at(node, 77), ==, block_test_byte(77));
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

/* A chain that comes back to itself, by its own name or a link's, ends with a message. */
static void
test_circles(void)
{
    BlockTest test;

    block_test_init(&test);
    g_autofree char *self = make_cow(&test, "self", LEN, "self", NULL);
    g_autofree char *a = make_cow(&test, "a", LEN, "b", "testcow");
    g_autofree char *b = make_cow(&test, "b", LEN, "link", "testcow");
    g_autofree char *link_path = block_test_path(&test, "link");
    g_assert_cmpint(symlink("a", link_path), ==, 0);
    expect_open_error(&test, self, "read-only=on", "circle");
    expect_open_error(&test, a, "read-only=on", "circle");
    block_test_finish(&test);
}

static void
test_depth(void)
{
    BlockTest test;
    char name[16], below[16];

    block_test_init(&test);
    g_autofree char *base = block_test_image(&test, "d0", LEN);
    for (unsigned i = 1; i <= 210; i++) {
        g_snprintf(name, sizeof(name), "d%u", i);
        g_snprintf(below, sizeof(below), "d%u", i - 1);
        g_free(make_cow(&test, name, LEN, below, i == 1 ? "raw" : "testcow"));
    }
    g_autofree char *deep = block_test_path(&test, "d210");
    expect_open_error(&test, deep, "read-only=on", "more than 200");
    g_autofree char *fine = block_test_path(&test, "d190");
    g_autoptr(BlkNode) node = block_test_open(&test, fine, NULL);
    g_assert_cmpuint(byte_at(node, 5000), ==, block_test_byte(5000));
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

/* What comes from where, and a backing image shorter than the one above. */
static void
test_runs(void)
{
    BlockTest test;
    BlkRun run;

    block_test_init(&test);
    g_autofree char *base = block_test_image(&test, "base", 64 * 1024);
    g_autofree char *middle = make_cow(&test, "middle", LEN, "base", "raw");
    g_autofree char *top = make_cow(&test, "top", LEN, "middle", NULL);
    {
        g_autoptr(BlkNode) node = block_test_open(&test, middle, NULL);
        write_at(node, 8192, 4096, 0xaa);
    }
    g_autoptr(BlkNode) node = block_test_open(&test, top, NULL);
    write_at(node, 4096, 4096, 0xbb);
    g_autoptr(BlkImage) image = blk_image_new(node, false, NULL);
    const struct {
        uint64_t offset, len;
        bool data, present;
        unsigned depth;
    } rows[] = {
        { 0, 4096, true, true, 2 },
        { 4096, 4096, true, true, 0 },
        { 8192, 4096, true, true, 1 },
        { 12288, 64 * 1024 - 12288, true, true, 2 },
        { 65536, LEN - 65536, false, false, 2 },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_assert_cmpint(blk_image_describe_run(image, rows[i].offset, LEN, &run), ==, 0);
        g_assert_cmpuint(run.len_bytes, ==, rows[i].len);
        g_assert_cmpint(run.data, ==, rows[i].data);
        g_assert_cmpint(run.zero, ==, !rows[i].data);
        g_assert_cmpint(run.present, ==, rows[i].present);
        g_assert_cmpuint(run.depth, ==, rows[i].depth);
    }
    g_assert_cmpuint(byte_at(node, 100), ==, block_test_byte(100));
    g_assert_cmpuint(byte_at(node, 5000), ==, 0xbb);
    g_assert_cmpuint(byte_at(node, 9000), ==, 0xaa);
    g_assert_cmpuint(byte_at(node, 65536), ==, 0);
    g_clear_pointer(&image, blk_image_free);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

/* Growing over a longer backing image must not show what that has there. */
static void
test_growth(void)
{
    BlockTest test;

    block_test_init(&test);
    g_autofree char *base = block_test_image(&test, "base", LEN);
    g_autofree char *top = make_cow(&test, "top", 64 * 1024, "base", "raw");
    g_autoptr(BlkNode) node = block_test_open(&test, top, NULL);
    {
        g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
        g_assert_true(blk_image_resize(image, 2 * LEN, BLK_PREALLOC_OFF, NULL));
    }
    g_assert_cmpuint(byte_at(node, 65535), ==, block_test_byte(65535));
    g_assert_cmpuint(byte_at(node, 65536), ==, 0);
    g_assert_cmpuint(byte_at(node, LEN - 1), ==, 0);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

/* The images below are open for reading only and cannot be written meanwhile. */
static void
test_protection(void)
{
    BlockTest test;

    block_test_init(&test);
    g_autofree char *base = block_test_image(&test, "base", LEN);
    g_autofree char *top = make_cow(&test, "top", LEN, "base", "raw");
    g_autoptr(BlkNode) node = block_test_open(&test, top, NULL);
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    BlkNodeInfo info;
    blk_node_get_info(node, &info);
    blk_node_get_info(info.backing, &info);
    g_assert_true(info.read_only);
    /* The same file anew, for writing: refused by its lock. */
    g_autoptr(GError) error = NULL;
    g_autoptr(BlkNode) again = block_test_open(&test, base, "driver=raw");
    g_assert_null(blk_image_new(again, true, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_clear_pointer(&again, blk_node_unref);
    g_clear_pointer(&image, blk_image_free);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/chain/names", test_names);
    g_test_add_func("/block/chain/node", test_node_as_backing);
    g_test_add_func("/block/chain/circles", test_circles);
    g_test_add_func("/block/chain/depth", test_depth);
    g_test_add_func("/block/chain/runs", test_runs);
    g_test_add_func("/block/chain/growth", test_growth);
    g_test_add_func("/block/chain/protection", test_protection);
    return g_test_run();
}
