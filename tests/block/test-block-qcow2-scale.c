/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* What large images and long chains cost, counted rather than timed: how much is read to open them,
 * and how much memory their metadata takes beside what the cache options allow.
 * mission: blockdev.qcow2.l2-cache-size blockdev.qcow2.refcount-cache-size */

#include "block-test.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { CHAIN = 20, CACHE_BYTES = 256 << 10, CLUSTER = 4096 };

#define TERABYTE (UINT64_C(1) << 40)

static void
read_counts(uint64_t *out_calls, uint64_t *out_bytes)
{
    g_autofree char *text = NULL;

    *out_calls = *out_bytes = 0;
    if (g_file_get_contents("/proc/self/io", &text, NULL, NULL)) {
        *out_bytes = g_ascii_strtoull(strstr(text, "rchar:") + strlen("rchar:"), NULL, 10);
        *out_calls = g_ascii_strtoull(strstr(text, "syscr:") + strlen("syscr:"), NULL, 10);
    }
}

static void
create(BlockTest *test, const char *name, const char *text)
{
    g_autoptr(BlkOptions) options = block_test_options(text);
    g_autofree char *path = block_test_path(test, name);
    g_autoptr(GError) error = NULL;

    blk_create(test->graph, "qcow2", path, options, &error);
    g_assert_no_error(error);
}

/* Twenty images of a terabyte, each over the other. */
static void
test_chain(void)
{
    uint64_t calls_before, bytes_before, calls, bytes;
    BlockTest test;
    uint8_t buf[512];

    block_test_init(&test);
    for (unsigned i = 0; i < CHAIN; i++) {
        g_autofree char *name = g_strdup_printf("c%u", i);
        g_autofree char *text = i == 0 ? g_strdup("size=1T")
                                       : g_strdup_printf("size=1T,backing_file=c%u,"
                                                         "backing_fmt=qcow2",
                                                         i - 1);
        create(&test, name, text);
    }
    g_autofree char *path = g_strdup_printf("%s/c%u", test.dir, CHAIN - 1);
    read_counts(&calls_before, &bytes_before);
    int64_t start_us = g_get_monotonic_time();
    g_autoptr(BlkNode) node = block_test_open(&test, path, "driver=qcow2");
    g_test_message("opened in %" G_GINT64_FORMAT " us", g_get_monotonic_time() - start_us);
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    g_assert_cmpuint(blk_image_get_len(image), ==, TERABYTE);
    g_assert_cmpint(blk_image_read(image, TERABYTE - 4096, buf, sizeof(buf)), ==, 0);
    read_counts(&calls, &bytes);
    g_test_message("%" G_GUINT64_FORMAT " reads of %" G_GUINT64_FORMAT " bytes",
                   calls - calls_before, bytes - bytes_before);
    /* Header, L1 table, refcount table and what wakes the workers' caller, for each. */
    g_assert_cmpuint(calls - calls_before, <=, CHAIN * 16);
    g_assert_cmpuint(bytes - bytes_before, <=, CHAIN * 256 * 1024);
    g_clear_pointer(&image, blk_image_free);
    g_clear_pointer(&node, blk_node_unref);
    block_test_finish(&test);
}

static uint64_t
memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* 16 MiB of L2 tables, looked up and changed in no order through 256 KiB. */
static void
test_memory(void)
{
    const uint64_t len = UINT64_C(8) << 30;
    uint64_t before, most = 0;
    uint8_t *buf = NULL;
    GRand *rand = g_rand_new_with_seed(1);
    BlockTest test;

    block_test_init(&test);
    create(&test, "disk", "size=8G,cluster_size=4k,preallocation=metadata");
    g_autofree char *path = block_test_path(&test, "disk");
    g_assert_cmpint(posix_memalign((void **)&buf, 4096, CLUSTER), ==, 0);
    memset(buf, 1, CLUSTER);
    g_autoptr(BlkNode) node =
        block_test_open(&test, path, "driver=qcow2,l2-cache-size=256k,refcount-cache-size=256k");
    g_autoptr(BlkImage) image = blk_image_new(node, true, NULL);
    before = memory_in_use();
    for (unsigned i = 0; i < 4000; i++) {
        uint64_t offset = g_rand_int(rand) % (len / CLUSTER) * CLUSTER;
        int ret = i % 4 == 3 ? blk_image_write_zeroes(image, offset, CLUSTER, true)
                             : blk_image_read(image, offset, buf, CLUSTER);
        g_assert_cmpint(ret, ==, 0);
        most = MAX(most, memory_in_use());
    }
    g_test_message("%" G_GUINT64_FORMAT " bytes more", most - before);
    /* Both caches may be a quarter over their bounds; the rest is bookkeeping. */
    g_assert_cmpuint(most - MIN(before, most), <=, 4 * CACHE_BYTES);
    g_clear_pointer(&image, blk_image_free);
    g_clear_pointer(&node, blk_node_unref);
    g_rand_free(rand);
    free(buf);
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/qcow2-scale/chain", test_chain);
    g_test_add_func("/block/qcow2-scale/memory", test_memory);
    return g_test_run();
}
