/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What the options of -blockdev driver=qcow2 do: which damage the overlap checks see, and which
 * freed clusters go back to the host.
 * mission: blockdev.qcow2.overlap-check.* blockdev.qcow2.pass-discard-request
 * mission: blockdev.qcow2.pass-discard-other blockdev.qcow2.pass-discard-snapshot */

#include "block-test.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { CLUSTER = 65536, DISK_BYTES = 8 << 20, ENTRY = 3 };

static void
create(BlockTest *test, const char *path)
{
    g_autoptr(BlkOptions) options = block_test_options("size=8M");
    g_autoptr(GError) error = NULL;

    blk_create(test->graph, "qcow2", path, options, &error);
    g_assert_no_error(error);
}

static int
write_byte(BlockTest *test, const char *path, const char *options, uint64_t offset, uint64_t len)
{
    g_autoptr(BlkNode) node = block_test_open(test, path, options);
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    g_autofree uint8_t *buf = g_malloc(len);

    memset(buf, 0x5a, len);
    return blk_image_write(image, offset, buf, len);
}

static uint64_t
get64(const char *bytes, uint64_t at)
{
    uint64_t value;

    memcpy(&value, bytes + at, 8);
    return GUINT64_FROM_BE(value) & UINT64_C(0x00fffffffffffe00);
}

/* An entry of the active L2 table refers to what AT says; a write through it must fail or not. */
typedef struct OverlapRow {
    const char *check;
    unsigned at; /* 0: the header, 1: a refcount block, 2: the active L2 table */
    bool is_seen;
} OverlapRow;

static const OverlapRow overlap_rows[] = {
    { "none", 0, false },  { "none", 1, false },  { "constant", 0, true }, { "constant", 1, false },
    { "cached", 1, true }, { "cached", 2, true }, { "all", 2, true },
};

static void
test_overlap(gconstpointer data)
{
    const OverlapRow *row = data;
    g_autofree char *bytes = NULL;
    BlockTest test;
    gsize len;

    block_test_init(&test);
    g_autofree char *path = block_test_path(&test, "disk");
    g_autofree char *options = g_strdup_printf("driver=qcow2,overlap-check=%s", row->check);
    create(&test, path);
    g_assert_cmpint(write_byte(&test, path, "driver=qcow2", ENTRY * CLUSTER, CLUSTER), ==, 0);
    g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    uint64_t l1 = get64(bytes, 40), l2 = get64(bytes, l1), block = get64(bytes, get64(bytes, 48));
    uint64_t wrong[] = { 0, block, l2 };
    /* An offset of 0 says that there is no cluster; with zeroes kept it is not looked at. So the
     * header is meant by its second half, which only a damaged entry can name. */
    uint64_t target = row->at == 0 ? get64(bytes, 48) : wrong[row->at];
    uint64_t entry = GUINT64_TO_BE(target | UINT64_C(1) << 63);
    memcpy(bytes + l2 + ENTRY * 8, &entry, 8);
    g_assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
    int ret = write_byte(&test, path, options, ENTRY * CLUSTER, 512);
    g_assert_cmpint(ret, ==, row->is_seen ? -EIO : 0);
    block_test_finish(&test);
}

/* ---- discards ---- */

static uint64_t
held_bytes(const char *path)
{
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return (uint64_t)st.st_blocks * 512;
}

typedef enum DiscardHow { BY_REQUEST, BY_SNAPSHOT, BY_OVERWRITE } DiscardHow;

typedef struct DiscardRow {
    const char *options;
    DiscardHow how;
    bool frees;
} DiscardRow;

static const DiscardRow discard_rows[] = {
    { "pass-discard-request=on", BY_REQUEST, true },
    { "pass-discard-request=off", BY_REQUEST, false },
    { "pass-discard-snapshot=on", BY_SNAPSHOT, true },
    { "pass-discard-snapshot=off", BY_SNAPSHOT, false },
    { "pass-discard-other=on", BY_OVERWRITE, true },
    { "pass-discard-other=off", BY_OVERWRITE, false },
};

static void
free_clusters(BlkNode *node, BlkImage *image, DiscardHow how)
{
    if (how == BY_REQUEST) {
        g_assert_cmpint(blk_image_discard(image, 0, DISK_BYTES / 2), ==, 0);
    } else if (how == BY_SNAPSHOT) {
        g_assert_true(blk_node_delete_snapshot(node, "one", NULL));
    } else {
        g_assert_cmpint(blk_image_write_zeroes(image, 0, DISK_BYTES / 2, true), ==, 0);
    }
    /* The entries' removal becomes stable, then the clusters are freed. */
    for (unsigned i = 0; i < 2; i++) {
        g_assert_cmpint(blk_image_flush(image), ==, 0);
        g_assert_cmpint(blk_image_write(image, DISK_BYTES - 512, "x", 1), ==, 0);
    }
}

static void
test_discard(gconstpointer data)
{
    const DiscardRow *row = data;
    g_autoptr(GError) error = NULL;
    BlkSnapshot wanted = { .name = (char *)"one" };
    BlockTest test;

    block_test_init(&test);
    g_autofree char *path = block_test_path(&test, "disk");
    g_autofree char *options = g_strdup_printf("driver=qcow2,discard=unmap,%s", row->options);
    create(&test, path);
    g_assert_cmpint(write_byte(&test, path, "driver=qcow2", 0, DISK_BYTES), ==, 0);
    BlkNode *node = block_test_open(&test, path, options);
    BlkImage *image = blk_image_new(node, true, &error);
    g_assert_no_error(error);
    if (row->how == BY_SNAPSHOT) {
        g_autofree uint8_t *buf = g_malloc0(DISK_BYTES / 2);
        g_assert_true(blk_node_create_snapshot(node, &wanted, &error));
        g_assert_cmpint(blk_image_write(image, 0, buf, DISK_BYTES / 2), ==, 0);
        g_assert_cmpint(blk_image_flush(image), ==, 0);
    }
    uint64_t before = held_bytes(path);
    free_clusters(node, image, row->how);
    uint64_t after = held_bytes(path);
    blk_image_free(image);
    blk_node_unref(node);
    g_test_message("%s: %" G_GUINT64_FORMAT " bytes, then %" G_GUINT64_FORMAT, row->options, before,
                   after);
    g_assert_cmpint(after + DISK_BYTES / 4 < before, ==, row->frees);
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(overlap_rows); i++) {
        g_autofree char *name = g_strdup_printf("/block/qcow2-options/overlap/%s-%u",
                                                overlap_rows[i].check, overlap_rows[i].at);
        g_test_add_data_func(name, &overlap_rows[i], test_overlap);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(discard_rows); i++) {
        g_autofree char *name = g_strdup_printf("/block/qcow2-options/%s", discard_rows[i].options);
        g_test_add_data_func(name, &discard_rows[i], test_discard);
    }
    return g_test_run();
}
