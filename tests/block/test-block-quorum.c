/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Nodes over several images, and those that note or lengthen: quorum, blklogwrites, preallocate,
 * blkreplay. mission: quorum blklogwrites preallocate blkreplay */

#include "block-test.h"

#include "vit-error.h"

#include <fcntl.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEN = 1 << 20 };

static void
poke(const char *path, off_t offset, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY);

    g_assert_cmpint(pwrite(fd, bytes, len, offset), ==, (ssize_t)len);
    close(fd);
}

static void
peek(const char *path, off_t offset, void *bytes, size_t len)
{
    int fd = open(path, O_RDONLY);

    g_assert_cmpint(pread(fd, bytes, len, offset), ==, (ssize_t)len);
    close(fd);
}

static off_t
file_len(const char *path)
{
    struct stat info;

    g_assert_cmpint(stat(path, &info), ==, 0);
    return info.st_size;
}

static void
refused(BlockTest *test, const char *text, const char *words)
{
    g_autoptr(BlkOptions) options = block_test_options(text);
    g_autoptr(GError) error = NULL;

    g_assert_null(blk_open(test->graph, NULL, options, &error));
    g_assert_nonnull(strstr(error->message, words));
}

/* ---- quorum ---- */

typedef struct Three {
    BlockTest test;
    char *paths[3];
    BlkNode *node;
    BlkImage *image;
} Three;

static void
open_three(Three *t, const char *more)
{
    g_autoptr(GString) options = g_string_new("driver=quorum,");

    block_test_init(&t->test);
    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("disk%u", i);
        t->paths[i] = block_test_image(&t->test, name, LEN);
        g_string_append_printf(
            options,
            "children.%u.driver=raw,children.%u.file.driver=file,children.%u.file.filename=%s,", i,
            i, i, t->paths[i]);
    }
    g_string_append(options, more);
    t->node = block_test_open(&t->test, NULL, options->str);
    t->image = blk_image_new(t->node, true, NULL);
}

static void
close_three(Three *t)
{
    g_clear_pointer(&t->image, blk_image_free);
    g_clear_pointer(&t->node, blk_node_unref);
    for (unsigned i = 0; i < 3; i++) {
        g_free(t->paths[i]);
    }
    block_test_finish(&t->test);
}

static void
test_votes(void)
{
    uint8_t data[8192], read[8192];
    Three t;

    open_three(&t, "vote-threshold=2,node-name=q");
    memset(data, 0x5a, sizeof(data));
    g_assert_cmpint(blk_image_write(t.image, 100, data, sizeof(data)), ==, 0);
    g_assert_cmpint(blk_image_flush(t.image), ==, 0);
    for (unsigned i = 0; i < 3; i++) {
        peek(t.paths[i], 100, read, sizeof(read));
        g_assert_cmpmem(read, sizeof(read), data, sizeof(data));
    }
    poke(t.paths[1], 300, "bad", 3); /* outvoted, and left as it is */
    g_assert_cmpint(blk_image_read(t.image, 100, read, sizeof(read)), ==, 0);
    g_assert_cmpmem(read, sizeof(read), data, sizeof(data));
    peek(t.paths[1], 300, read, 3);
    g_assert_cmpmem(read, 3, "bad", 3);
    poke(t.paths[2], 300, "BAD", 3); /* three opinions */
    g_assert_cmpint(blk_image_read(t.image, 100, read, sizeof(read)), ==, -EIO);
    g_assert_cmpint(blk_image_read(t.image, 16384, read, sizeof(read)), ==, 0);
    g_assert_cmpint(blk_image_write_zeroes(t.image, 0, 65536, true), ==, 0);
    g_assert_cmpint(blk_image_read(t.image, 100, read, sizeof(read)), ==, 0);
    g_assert_cmpuint(read[200], ==, 0);
    close_three(&t);
}

static void
test_rewrite(void)
{
    uint8_t good[4096], read[4096];
    Three t;

    open_three(&t, "vote-threshold=2,rewrite-corrupted=on");
    peek(t.paths[1], 4096, good, sizeof(good));
    poke(t.paths[0], 5000, "bad", 3);
    g_assert_cmpint(blk_image_read(t.image, 4096, read, sizeof(read)), ==, 0);
    g_assert_cmpmem(read, sizeof(read), good, sizeof(good));
    peek(t.paths[0], 4096, read, sizeof(read));
    g_assert_cmpmem(read, sizeof(read), good, sizeof(good));
    close_three(&t);
}

static void
test_fifo(void)
{
    uint8_t read[4096];
    Three t;

    open_three(&t, "vote-threshold=1,read-pattern=fifo");
    poke(t.paths[0], 5000, "one", 3);
    poke(t.paths[1], 5000, "two", 3);
    g_assert_cmpint(blk_image_read(t.image, 4096, read, sizeof(read)), ==, 0);
    g_assert_cmpmem(read + 904, 3, "one", 3);
    close_three(&t);
}

/* A child whose requests fail is borne as long as enough others do not. */
static void
test_failing(void)
{
    static const char *const thresholds[] = { "1", "2" };
    uint8_t data[4096] = { 7 };

    for (unsigned i = 0; i < G_N_ELEMENTS(thresholds); i++) {
        BlockTest test;
        block_test_init(&test);
        g_autofree char *good = block_test_image(&test, "good", LEN);
        g_autofree char *bad = block_test_image(&test, "bad", LEN);
        g_autofree char *options = g_strdup_printf(
            "driver=quorum,vote-threshold=%s,children.0.driver=raw,children.0.file.filename=%s,"
            "children.1.driver=blkdebug,children.1.image.filename=%s,children.1.image.driver=file,"
            "children.1.inject-error.0.event=none,children.1.inject-error.0.iotype=write",
            thresholds[i], good, bad);
        g_autoptr(BlkNode) node = block_test_open(&test, NULL, options);
        g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
        g_assert_cmpint(blk_image_write(image, 0, data, sizeof(data)), ==, i == 0 ? 0 : -EIO);
        g_clear_pointer(&image, blk_image_free);
        g_clear_pointer(&node, blk_node_unref);
        block_test_finish(&test);
    }
}

static void
test_refused(void)
{
    BlockTest test;

    block_test_init(&test);
    refused(&test, "driver=quorum,vote-threshold=1", "children.0");
    refused(&test, "driver=quorum,children.0.driver=null-co", "vote-threshold");
    refused(&test, "driver=quorum,vote-threshold=2,children.0.driver=null-co", "as many");
    refused(&test,
            "driver=quorum,vote-threshold=1,children.0.driver=null-co,children.1.driver=null-co,"
            "children.1.size=4096",
            "hold the same");
    refused(&test, "driver=quorum,vote-threshold=1,blkverify=on,children.0.driver=null-co",
            "two children");
    refused(&test,
            "driver=quorum,vote-threshold=1,rewrite-corrupted=on,read-pattern=fifo,"
            "children.0.driver=null-co",
            "rewrite-corrupted");
    refused(&test, "driver=quorum,vote-threshold=1,children.0.driver=null-co,children.2=x",
            "no option");
    block_test_finish(&test);
}

/* ---- blklogwrites ---- */

typedef struct LogEntry {
    uint64_t sector, sectors, flags, data_len;
} LogEntry;

static BlkImage *
open_log(BlockTest *test, BlkNode **out_node, const char *disk, const char *log, const char *more)
{
    g_autofree char *options =
        g_strdup_printf("driver=blklogwrites,file.driver=file,file.filename=%s,"
                        "log.driver=file,log.filename=%s%s",
                        disk, log, more);

    *out_node = block_test_open(test, NULL, options);
    return blk_image_new(*out_node, true, NULL);
}

static void
close_log(BlkImage *image, BlkNode *node)
{
    blk_image_free(image);
    blk_node_unref(node);
}

static void
test_log(void)
{
    uint64_t super[4], expected = 0;
    LogEntry entry;
    uint8_t data[1024], read[1024];
    BlkNode *node;
    BlockTest test;

    block_test_init(&test);
    g_autofree char *disk = block_test_image(&test, "disk", LEN);
    g_autofree char *log = block_test_image(&test, "log", 0);
    BlkImage *image = open_log(&test, &node, disk, log, "");
    memset(data, 0x31, sizeof(data));
    g_assert_cmpint(blk_image_write(image, 4096, data, sizeof(data)), ==, 0);
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    close_log(image, node);
    peek(log, 0, super, 28);
    g_assert_cmphex(super[0], ==, 0x6a736677736872);
    g_assert_cmpuint(super[1], ==, 1);
    g_assert_cmpuint(super[2], >=, 2);
    g_assert_cmpuint((uint32_t)super[3], ==, 512);
    peek(log, 512, &entry, sizeof(entry));
    g_assert_cmpuint(entry.sector, ==, 8);
    g_assert_cmpuint(entry.sectors, ==, 2);
    g_assert_cmpuint(entry.flags, ==, 0);
    peek(log, 1024, read, sizeof(read));
    g_assert_cmpmem(read, sizeof(read), data, sizeof(data));
    peek(log, 2048, &entry, sizeof(entry));
    g_assert_cmpuint(entry.flags, ==, 1);
    expected = super[2];

    /* goes on behind them */
    image = open_log(&test, &node, disk, log, ",log-append=on");
    g_assert_cmpint(blk_image_write(image, 8192, data, 512), ==, 0);
    close_log(image, node);
    peek(log, 0, super, 28);
    g_assert_cmpuint(super[2], >, expected);
    peek(log, 512 + 1536 + 512 * (expected - 1), &entry, sizeof(entry));
    g_assert_cmpuint(entry.sector, ==, 16);

    /* what is no log, or says more than there is */
    g_autofree char *options =
        g_strdup_printf("driver=blklogwrites,file.driver=file,file.filename=%s,log.driver=file,"
                        "log.filename=%s,log-append=on",
                        disk, log);
    entry.sectors = UINT64_MAX;
    poke(log, 512, &entry, sizeof(entry));
    refused(&test, options, "offset 520");
    super[2] = UINT64_MAX;
    poke(log, 0, super, 28);
    refused(&test, options, "offset");
    poke(log, 0, "x", 1);
    refused(&test, options, "no log of writes");
    block_test_finish(&test);
}

/* ---- preallocate, blkreplay ---- */

static void
test_preallocate(void)
{
    uint8_t data[512] = { 1 };
    BlockTest test;

    block_test_init(&test);
    g_autofree char *disk = block_test_image(&test, "disk", 0);
    g_autofree char *options = g_strdup_printf(
        "driver=qcow2,file.driver=preallocate,file.prealloc-size=4M,file.prealloc-align=64k,"
        "file.file.driver=file,file.file.filename=%s",
        disk);
    g_autofree char *plain = block_test_path(&test, "plain");
    g_autoptr(BlkOptions) create = block_test_options("size=64M");
    g_autoptr(GError) error = NULL;
    g_assert_true(blk_create(test.graph, "qcow2", disk, create, &error));
    g_assert_no_error(error);
    off_t before = file_len(disk);
    g_autoptr(BlkNode) node = block_test_open(&test, NULL, options);
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    g_assert_cmpint(blk_image_write(image, 0, data, sizeof(data)), ==, 0);
    g_assert_cmpint(file_len(disk), >=, before + (4 << 20));
    g_assert_cmpint(file_len(disk) % 65536, ==, 0);
    g_assert_cmpint(blk_image_read(image, 0, data, sizeof(data)), ==, 0);
    g_assert_cmpuint(data[0], ==, 1);
    g_clear_pointer(&image, blk_image_free);
    g_clear_pointer(&node, blk_node_unref);
    g_assert_cmpint(file_len(disk), <, before + (1 << 20)); /* cut back */
    node = block_test_open(&test, disk, "driver=qcow2");
    image = blk_image_new(node, false, NULL);
    g_assert_cmpint(blk_image_read(image, 0, data, sizeof(data)), ==, 0);
    g_assert_cmpuint(data[0], ==, 1);
    g_clear_pointer(&image, blk_image_free);
    g_clear_pointer(&node, blk_node_unref);
    refused(&test, "driver=preallocate,prealloc-align=3,file.driver=null-co", "power of two");
    block_test_finish(&test);
}

static void
test_replay(void)
{
    uint8_t data[512] = { 9 };
    BlockTest test;

    block_test_init(&test);
    g_autofree char *disk = block_test_image(&test, "disk", LEN);
    g_autofree char *options = g_strdup_printf(
        "driver=blkreplay,image.driver=raw,image.file.driver=file,image.file.filename=%s", disk);
    g_autoptr(BlkNode) node = block_test_open(&test, NULL, options);
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    g_assert_cmpint(blk_image_write(image, 512, data, sizeof(data)), ==, 0);
    g_assert_cmpint(blk_image_flush(image), ==, 0);
    peek(disk, 512, data, 1);
    g_assert_cmpuint(data[0], ==, 9);
    g_clear_pointer(&image, blk_image_free);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

/* All children change, or none. */
static void
test_quorum_resize(void)
{
    g_autoptr(GError) error = NULL;
    uint8_t byte = 0x77, seen = 0;
    Three t;

    open_three(&t, "vote-threshold=2");
    g_assert_true(blk_image_resize(t.image, 2 * LEN, BLK_PREALLOC_OFF, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(blk_image_get_len(t.image), ==, 2 * LEN);
    g_assert_cmpint(blk_image_write(t.image, 2 * LEN - 1, &byte, 1), ==, 0);
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpint(file_len(t.paths[i]), ==, 2 * LEN);
        peek(t.paths[i], 2 * LEN - 1, &seen, 1);
        g_assert_cmpint(seen, ==, 0x77);
    }
    close_three(&t);
}

/* The raw child grows, the other refuses: the first is made as it was. */
static void
test_quorum_resize_refused(void)
{
    g_autoptr(BlkOptions) create = blk_options_new();
    g_autoptr(GError) error = NULL;
    BlockTest test;

    block_test_init(&test);
    g_autofree char *raw = block_test_image(&test, "raw", LEN);
    g_autofree char *vdi = block_test_path(&test, "vdi");
    g_autofree char *text = g_strdup_printf(
        "driver=quorum,vote-threshold=2,children.0.driver=raw,children.0.file.driver=file,"
        "children.0.file.filename=%s,children.1.driver=vdi,children.1.file.driver=file,"
        "children.1.file.filename=%s",
        raw, vdi);
    blk_options_set(create, "size", "1M");
    g_assert_true(blk_create(test.graph, "vdi", vdi, create, &error));
    BlkNode *node = block_test_open(&test, NULL, text);
    BlkImage *image = blk_image_new(node, true, &error);
    g_assert_no_error(error);
    g_assert_false(blk_image_resize(image, 2 * LEN, BLK_PREALLOC_FALLOC, &error));
    g_assert_nonnull(strstr(error->message, "VDI"));
    g_assert_cmpint(file_len(raw), ==, LEN);
    g_assert_cmpuint(blk_image_get_len(image), ==, LEN);
    blk_image_free(image);
    blk_node_unref(node);
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/quorum/votes", test_votes);
    g_test_add_func("/block/quorum/rewrite", test_rewrite);
    g_test_add_func("/block/quorum/resize", test_quorum_resize);
    g_test_add_func("/block/quorum/resize-refused", test_quorum_resize_refused);
    g_test_add_func("/block/quorum/fifo", test_fifo);
    g_test_add_func("/block/quorum/failing", test_failing);
    g_test_add_func("/block/quorum/refused", test_refused);
    g_test_add_func("/block/blklogwrites", test_log);
    g_test_add_func("/block/preallocate", test_preallocate);
    g_test_add_func("/block/blkreplay", test_replay);
    return g_test_run();
}
