/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* qcow2 images: random requests against a copy in memory over many create options, reopened,
 * checked by our check and by qemu-img where it is installed; snapshots, resizing, bitmaps, bad
 * headers.
 * mission: blockdev.qcow2 blockdev.qcow2.file blockdev.qcow2.lazy-refcounts
 * blockdev.qcow2.cache-size blockdev.qcow2.l2-cache-size blockdev.qcow2.refcount-cache-size
 * blockdev.qcow2.overlap-check.* blockdev.qcow2.pass-discard-request */

#include "block-test.h"

#include "blk-bitmap.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

typedef struct Disk {
    BlockTest test;
    char *path;
    const char *open_options;
    BlkNode *node;
    BlkImage *image;
    uint8_t *copy;
    uint64_t len;
    GRand *rand;
} Disk;

static void
create_image(Disk *disk, const char *name, uint64_t len, const char *text)
{
    g_autoptr(BlkOptions) options = block_test_options(text);
    g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, len);
    g_autoptr(GError) error = NULL;

    g_free(disk->path);
    disk->path = block_test_path(&disk->test, name);
    blk_options_set(options, "size", size);
    blk_create(disk->test.graph, "qcow2", disk->path, options, &error);
    g_assert_no_error(error);
    disk->len = len;
}

static void
open_disk(Disk *disk)
{
    g_autoptr(GError) error = NULL;

    disk->node = block_test_open(&disk->test, disk->path, disk->open_options);
    disk->image = blk_image_new(disk->node, true, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(blk_image_get_len(disk->image), ==, disk->len);
}

static void
close_disk(Disk *disk)
{
    g_clear_pointer(&disk->image, blk_image_free);
    g_clear_pointer(&disk->node, blk_node_unref);
}

static void
begin(Disk *disk, uint64_t len, const char *create, const char *open)
{
    g_autoptr(GBytes) secret = g_bytes_new_static("open sesame", 11);

    *disk = (Disk){ .open_options = open ? open : "driver=qcow2,discard=unmap" };
    block_test_init(&disk->test);
    blk_graph_add_secret(disk->test.graph, "s0", secret);
    disk->rand = g_rand_new_with_seed(42);
    disk->copy = g_malloc0(len + (8 << 20));
    create_image(disk, "disk", len, create);
    open_disk(disk);
}

static void
finish(Disk *disk)
{
    close_disk(disk);
    block_test_finish(&disk->test);
    g_rand_free(disk->rand);
    g_free(disk->copy);
    g_free(disk->path);
}

static void
print_line(void *opaque, const char *text)
{
    g_printerr("%s\n", text);
}

static void
assert_clean(Disk *disk)
{
    BlkCheck check = { .report = print_line };
    g_autoptr(GError) error = NULL;

    blk_node_check(disk->node, &check, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(check.corruptions, ==, 0);
    g_assert_cmpuint(check.leaks, ==, 0);
    g_assert_cmpuint(check.check_errors, ==, 0);
}

/* qemu-img check of the closed image; ARGS may hold more options. */
static void
assert_judged(Disk *disk, int allowed_status)
{
    g_autofree char *judge = g_find_program_in_path("qemu-img");
    g_autofree char *out = NULL;
    g_autofree char *keyed =
        g_strdup_printf("driver=qcow2,encrypt.key-secret=s0,file.filename=%s", disk->path);
    const char *plain_argv[] = { judge, "check", "-q", disk->path, NULL };
    const char *keyed_argv[] = {
        judge,          "check", "-q", "--object", "secret,id=s0,data=open sesame",
        "--image-opts", keyed,   NULL
    };
    const char **argv = strstr(disk->open_options, "key-secret") ? keyed_argv : plain_argv;
    g_autoptr(GError) error = NULL;
    int status;

    if (!judge) {
        test_lacks("qemu-img");
        return;
    }
    g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, &out, NULL, &status, &error);
    g_assert_no_error(error);
    if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != allowed_status) {
        g_error("qemu-img check: %d\n%s", WEXITSTATUS(status), out);
    }
}

static void
assert_content(Disk *disk)
{
    g_autofree uint8_t *buf = g_malloc(disk->len);

    g_assert_cmpint(blk_image_read(disk->image, 0, buf, disk->len), ==, 0);
    for (uint64_t i = 0; i < disk->len; i++) {
        if (buf[i] != disk->copy[i]) {
            g_error("byte %" G_GUINT64_FORMAT " is %02x instead of %02x", i, buf[i], disk->copy[i]);
        }
    }
}

static void
fill_random(Disk *disk, uint8_t *buf, uint64_t len)
{
    uint32_t value = g_rand_int(disk->rand);

    for (uint64_t i = 0; i < len; i++) {
        buf[i] = (uint8_t)(value >> i % 4 * 8) ^ (uint8_t)(i >> 9);
    }
}

/* One random request, to the image and to the copy. */
static void
random_request(Disk *disk)
{
    uint64_t max = g_rand_int_range(disk->rand, 0, 4) ? 20000 : 300000;
    uint64_t offset = (uint64_t)(g_rand_double(disk->rand) * (double)disk->len);
    uint64_t wanted = 1 + g_rand_int(disk->rand) % max, len = MIN(wanted, disk->len - offset);
    bool aligned = g_rand_boolean(disk->rand);
    unsigned kind = g_rand_int(disk->rand) % 10;
    g_autofree uint8_t *buf = NULL;

    if (aligned) {
        offset &= ~UINT64_C(4095);
        len = MIN((len + 4095) & ~UINT64_C(4095), disk->len - offset);
    }
    buf = g_malloc(len);
    if (kind < 6) {
        fill_random(disk, buf, len);
        g_assert_cmpint(blk_image_write(disk->image, offset, buf, len), ==, 0);
        memcpy(disk->copy + offset, buf, len);
    } else if (kind == 6) {
        g_assert_cmpint(blk_image_write_zeroes(disk->image, offset, len, aligned), ==, 0);
        memset(disk->copy + offset, 0, len);
    } else if (kind == 7) {
        /* What a discard leaves is not told: write over it where it could matter. */
        uint64_t end = offset + len;
        g_assert_cmpint(blk_image_discard(disk->image, offset, len), ==, 0);
        g_assert_cmpint(blk_image_write(disk->image, offset, disk->copy + offset, end - offset), ==,
                        0);
    } else if (kind == 8) {
        g_assert_cmpint(blk_image_read(disk->image, offset, buf, len), ==, 0);
        g_assert_cmpint(memcmp(buf, disk->copy + offset, len), ==, 0);
    } else {
        g_assert_cmpint(blk_image_flush(disk->image), ==, 0);
    }
}

static void
random_requests(Disk *disk, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        random_request(disk);
    }
}

/* ---- the matrix ---- */

static void
test_random(gconstpointer data)
{
    const char *const *row = data;
    Disk disk;

    begin(&disk, 5 * 1024 * 1024 + 512, row[1], row[2]);
    for (unsigned round = 0; round < 2; round++) {
        random_requests(&disk, 60);
        assert_content(&disk);
        assert_clean(&disk);
        close_disk(&disk);
        assert_judged(&disk, 0);
        open_disk(&disk);
        assert_content(&disk);
    }
    finish(&disk);
}

static const char *const matrix[][3] = {
    { "default", "", NULL },
    { "clusters-512", "cluster_size=512", NULL },
    { "clusters-4k-refcount-64", "cluster_size=4k,refcount_bits=64", NULL },
    { "clusters-2m", "cluster_size=2M", NULL },
    { "v2", "compat=0.10", NULL },
    { "v2-clusters-1k", "compat=0.10,cluster_size=1k", NULL },
    { "refcount-1", "refcount_bits=1", NULL },
    { "refcount-2", "refcount_bits=2,cluster_size=512", NULL },
    { "refcount-8", "refcount_bits=8,cluster_size=8k", NULL },
    { "refcount-32", "refcount_bits=32", NULL },
    { "lazy", "lazy_refcounts=on", NULL },
    { "subclusters", "extended_l2=on", NULL },
    { "subclusters-16k", "extended_l2=on,cluster_size=16k", NULL },
    { "preallocated", "preallocation=metadata", NULL },
    { "preallocated-full", "preallocation=full,cluster_size=4k", NULL },
    { "preallocated-subclusters", "preallocation=falloc,extended_l2=on", NULL },
    { "small-caches", "cluster_size=512",
      "driver=qcow2,discard=unmap,l2-cache-size=1k,refcount-cache-size=2k" },
    { "small-slices", "cluster_size=4k",
      "driver=qcow2,discard=unmap,l2-cache-entry-size=512,l2-cache-size=4k" },
    { "overlap-all", "cluster_size=4k", "driver=qcow2,discard=unmap,overlap-check=all" },
    { "luks", "encrypt.format=luks,encrypt.key-secret=s0,encrypt.iter-time=1",
      "driver=qcow2,discard=unmap,encrypt.key-secret=s0" },
    { "luks-small",
      "encrypt.format=luks,encrypt.key-secret=s0,encrypt.iter-time=1,cluster_size=512,"
      "encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv",
      "driver=qcow2,discard=unmap,encrypt.key-secret=s0" },
    { "aes", "encrypt.format=aes,encrypt.key-secret=s0",
      "driver=qcow2,discard=unmap,encrypt.key-secret=s0" },
    { "discard-off", "", "driver=qcow2,pass-discard-request=off,cache-size=1M" },
};

/* ---- snapshots ---- */

static void
test_snapshots(gconstpointer data)
{
    const char *create = data;
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *first = NULL, *second = NULL;
    g_autoptr(GPtrArray) list = NULL;
    Disk disk;

    begin(&disk, 3 * 1024 * 1024, create, NULL);
    random_requests(&disk, 40);
    first = g_memdup2(disk.copy, disk.len);
    g_assert_true(
        blk_node_create_snapshot(disk.node, &(BlkSnapshot){ .name = (char *)"first" }, &error));
    random_requests(&disk, 40);
    second = g_memdup2(disk.copy, disk.len);
    g_assert_true(
        blk_node_create_snapshot(disk.node, &(BlkSnapshot){ .name = (char *)"second" }, &error));
    random_requests(&disk, 40);
    assert_content(&disk);
    assert_clean(&disk);
    list = blk_node_list_snapshots(disk.node);
    g_assert_cmpuint(list->len, ==, 2);
    g_assert_cmpstr(blk_snapshots_find(list, "second")->id, ==, "2");

    g_assert_true(blk_node_apply_snapshot(disk.node, "first", &error));
    memcpy(disk.copy, first, disk.len);
    assert_content(&disk);
    random_requests(&disk, 20);
    assert_clean(&disk);
    close_disk(&disk);
    assert_judged(&disk, 0);
    open_disk(&disk);
    assert_content(&disk);

    g_assert_true(blk_node_apply_snapshot(disk.node, "2", &error));
    memcpy(disk.copy, second, disk.len);
    assert_content(&disk);
    g_assert_true(blk_node_delete_snapshot(disk.node, "first", &error));
    assert_content(&disk);
    assert_clean(&disk);
    g_assert_true(blk_node_delete_snapshot(disk.node, "second", &error));
    random_requests(&disk, 20);
    assert_clean(&disk);
    g_assert_false(blk_node_delete_snapshot(disk.node, "second", &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_NOT_FOUND);
    close_disk(&disk);
    assert_judged(&disk, 0);
    open_disk(&disk);
    assert_content(&disk);
    finish(&disk);
}

typedef bool (*SnapshotOp)(BlkNode *node);

static bool
create_one(BlkNode *node)
{
    return blk_node_create_snapshot(node, &(BlkSnapshot){ .name = (char *)"one" }, NULL);
}

static bool
apply_one(BlkNode *node)
{
    return blk_node_apply_snapshot(node, "one", NULL);
}

/* A try before may have failed late. */
static bool
delete_one(BlkNode *node)
{
    g_autoptr(GError) error = NULL;

    return blk_node_delete_snapshot(node, "one", &error) ||
           g_error_matches(error, VIT_ERROR, VIT_ERROR_NOT_FOUND);
}

static bool
has_content(Disk *disk, const uint8_t *bytes)
{
    g_autofree uint8_t *buf = g_malloc(disk->len);

    return blk_image_read(disk->image, 0, buf, disk->len) == 0 &&
           memcmp(buf, bytes, disk->len) == 0;
}

/* What a check may find after errors: room that nobody uses, and a cluster that will be copied
 * before a write though it has one user only. */
static void
note_harm(void *opaque, const char *text)
{
    bool is_harmless = g_str_has_prefix(text, "Leaked cluster") ||
                       (strstr(text, "the copied flag") && strstr(text, "its refcount 1 disagree"));

    if (!is_harmless) {
        g_printerr("%s\n", text);
        *(bool *)opaque = true;
    }
}

static void
assert_harmless(Disk *disk)
{
    bool harm = false;
    BlkCheck check = { .report = note_harm, .opaque = &harm };

    g_assert_true(blk_node_check(disk->node, &check, NULL));
    g_assert_false(harm);
}

/* RUN fails at its first, second, ... write or flush, until it is through: the disk is the one it
 * was, or the SNAPSHOT's if it goes back there. */
static void
run_with_faults(Disk *disk, SnapshotOp run, bool by_flush, const uint8_t *snapshot)
{
    bool is_done = false;

    for (unsigned pass = 0; !is_done; pass++) {
        Fault *fault = block_test_fault(disk->node);
        fault->fail_write = by_flush ? 0 : EIO;
        fault->fail_flush = by_flush ? EIO : 0;
        fault->pass_count = pass;
        is_done = run(disk->node);
        fault->fail_write = fault->fail_flush = 0;
        if (snapshot && has_content(disk, snapshot)) {
            memcpy(disk->copy, snapshot, disk->len);
        }
        assert_content(disk);
        assert_harmless(disk);
        random_requests(disk, 2);
        close_disk(disk);
        open_disk(disk);
        assert_content(disk);
        g_assert_cmpuint(pass, <, 1000);
    }
}

static void
test_snapshot_faults(gconstpointer create)
{
    for (unsigned by_flush = 0; by_flush < 2; by_flush++) {
        g_autofree uint8_t *first = NULL;
        Disk disk;
        begin(&disk, 1 << 20, create, "driver=qcow2,discard=unmap,file.driver=fault");
        random_requests(&disk, 30);
        run_with_faults(&disk, create_one, by_flush, NULL);
        /* a try that failed late may have made one, too */
        while (blk_node_delete_snapshot(disk.node, "one", NULL)) {
        }
        first = g_memdup2(disk.copy, disk.len);
        g_assert_true(create_one(disk.node));
        random_requests(&disk, 30);
        run_with_faults(&disk, apply_one, by_flush, first);
        random_requests(&disk, 30);
        run_with_faults(&disk, delete_one, by_flush, NULL);
        finish(&disk);
    }
}

/* ---- size ---- */

static void
resize(Disk *disk, uint64_t len)
{
    g_autoptr(GError) error = NULL;

    blk_image_resize(disk->image, len, BLK_PREALLOC_OFF, &error);
    g_assert_no_error(error);
    if (len < disk->len) {
        memset(disk->copy + len, 0, disk->len - len);
    }
    disk->len = len;
}

static void
test_resize(gconstpointer data)
{
    static const uint64_t sizes[] = { 700 * 1024, 3 << 20, 512, 5 << 20, 2049 * 512, 4 << 20 };
    Disk disk;

    begin(&disk, 2 << 20, data, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        random_requests(&disk, 25);
        resize(&disk, sizes[i]);
        assert_content(&disk);
        assert_clean(&disk);
        close_disk(&disk);
        assert_judged(&disk, 0);
        open_disk(&disk);
        assert_content(&disk);
    }
    finish(&disk);
}

/* ---- compression ---- */

static void
test_compressed(gconstpointer data)
{
    Disk disk;

    begin(&disk, 3 << 20, data, NULL);
    for (uint64_t offset = 0; offset < disk.len; offset += 128 * 1024) {
        fill_random(&disk, disk.copy + offset, 65536);
        g_assert_cmpint(blk_image_write_compressed(disk.image, offset, disk.copy + offset, 65536),
                        ==, 0);
    }
    assert_content(&disk);
    assert_clean(&disk);
    random_requests(&disk, 60);
    close_disk(&disk);
    assert_judged(&disk, 0);
    open_disk(&disk);
    assert_content(&disk);
    assert_clean(&disk);
    finish(&disk);
}

/* ---- bitmaps ---- */

static void
test_bitmaps(void)
{
    g_autoptr(GError) error = NULL;
    BlkBitmap *bitmap;
    uint64_t offset, len;
    Disk disk;

    begin(&disk, 8 << 20, "", NULL);
    bitmap = blk_bitmap_new(disk.node, "daily", 65536, &error);
    g_assert_no_error(error);
    bitmap->persistent = true;
    g_assert_cmpint(blk_image_write(disk.image, 300000, disk.copy, 1000), ==, 0);
    g_assert_cmpuint(bitmap->dirty_count, ==, 1);
    close_disk(&disk);
    assert_judged(&disk, 0);
    open_disk(&disk);
    bitmap = blk_bitmap_find(disk.node, "daily");
    g_assert_nonnull(bitmap);
    g_assert_true(bitmap->enabled && bitmap->persistent && !bitmap->inconsistent);
    g_assert_true(blk_bitmap_next_run(bitmap, 0, &offset, &len));
    g_assert_cmpuint(offset, ==, 4 * 65536);
    g_assert_cmpuint(len, ==, 65536);
    g_assert_cmpint(blk_image_write(disk.image, 7 << 20, disk.copy, 1 << 20), ==, 0);
    g_assert_cmpuint(bitmap->dirty_count, ==, 17);
    close_disk(&disk);
    open_disk(&disk);
    g_assert_cmpuint(blk_bitmap_find(disk.node, "daily")->dirty_count, ==, 17);
    g_assert_true(blk_node_remove_stored_bitmap(disk.node, "daily", &error));
    close_disk(&disk);
    open_disk(&disk);
    g_assert_null(blk_bitmap_find(disk.node, "daily"));
    assert_clean(&disk);
    finish(&disk);
}

/* ---- bad images ---- */

typedef struct BadByte {
    unsigned at;
    uint8_t value;
    const char *words;
} BadByte;

/* The disk's file with one byte changed is refused, for what its words say, and left as it is. */
static void
check_refused(Disk *disk, const char *good, gsize len, uint64_t start, const BadByte *row)
{
    g_autofree char *bad = g_memdup2(good, len), *after = NULL;
    g_autoptr(GError) error = NULL;

    bad[start + row->at] = (char)row->value;
    g_assert_true(g_file_set_contents(disk->path, bad, (gssize)len, NULL));
    g_assert_null(blk_open(disk->test.graph, disk->path, NULL, &error));
    g_assert_nonnull(error);
    if (!strstr(error->message, row->words) || !strstr(error->message, disk->path)) {
        g_error("byte %u: \"%s\" does not say \"%s\"", row->at, error->message, row->words);
    }
    /* Opening never writes. */
    g_assert_true(g_file_get_contents(disk->path, &after, NULL, NULL));
    g_assert_cmpmem(bad, len, after, len);
}

static void
test_bad_headers(void)
{
    static const BadByte rows[] = {
        { 7, 9, "offset 4 (version)" },
        { 23, 8, "offset 20 (cluster_bits)" },
        { 23, 22, "offset 20 (cluster_bits)" },
        { 24, 0xff, "offset 24 (size)" },
        { 35, 3, "offset 32 (crypt_method)" },
        { 36, 0xff, "offset 36 (l1_size)" },
        { 39, 0, "offset 36 (l1_size)" },
        { 47, 1, "offset 40 (l1_table_offset)" },
        { 55, 1, "offset 48 (refcount_table_offset)" },
        { 59, 0, "offset 56 (refcount_table_clusters)" },
        { 56, 1, "offset 56 (refcount_table_clusters)" },
        { 60, 1, "offset 60 (nb_snapshots)" },
        { 79, 0x20, "incompatible feature 5" },
        { 79, 2, "corrupt" },
        { 79, 4, "data-file" },
        { 99, 7, "offset 96 (refcount_order)" },
        { 103, 5, "offset 100 (header_length)" },
        { 104, 1, "offset 104 (compression_type)" },
    };
    g_autofree char *good = NULL;
    gsize len;
    Disk disk;

    begin(&disk, 1 << 20, "", NULL);
    close_disk(&disk);
    g_assert_true(g_file_get_contents(disk.path, &good, &len, NULL));
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        check_refused(&disk, good, len, 0, &rows[i]);
    }
    g_assert_true(g_file_set_contents(disk.path, good, (gssize)len, NULL));
    open_disk(&disk);
    finish(&disk);
}

static void
test_bad_snapshots(void)
{
    static const BadByte rows[] = {
        { 7, 1, "(snapshot l1_table_offset, l1_size)" },
        { 8, 0xff, "(snapshot l1_table_offset, l1_size)" },
        { 38, 0xff, "(snapshot extra_data_size)" },
        { 48, 0xff, "(snapshot disk size)" },
        { 48, 0x10, "(snapshot disk size)" }, /* a table that its clusters cannot have */
    };
    BlkSnapshot snapshot = { .name = (char *)"one" };
    g_autofree char *good = NULL;
    uint64_t start;
    gsize len;
    Disk disk;

    begin(&disk, 1 << 20, "", NULL);
    g_assert_true(blk_node_create_snapshot(disk.node, &snapshot, NULL));
    close_disk(&disk);
    g_assert_true(g_file_get_contents(disk.path, &good, &len, NULL));
    memcpy(&start, good + 64, sizeof(start));
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        check_refused(&disk, good, len, GUINT64_FROM_BE(start), &rows[i]);
    }
    g_assert_true(g_file_set_contents(disk.path, good, (gssize)len, NULL));
    open_disk(&disk);
    finish(&disk);
}

/* Refcounts that are all wrong are counted anew. */
static void
test_repair(void)
{
    g_autoptr(GError) error = NULL;
    BlkCheck check = { .fix_leaks = true, .fix_errors = true };
    g_autofree char *bytes = NULL;
    gsize len;
    Disk disk;

    begin(&disk, 4 << 20, "", NULL);
    random_requests(&disk, 40);
    close_disk(&disk);
    g_assert_true(g_file_get_contents(disk.path, &bytes, &len, NULL));
    memset(bytes + 2 * 65536, 0, 40);          /* the first refcounts */
    memset(bytes + 2 * 65536 + 200, 0, 65000); /* and others */
    bytes[2 * 65536 + 101] = 7;
    g_assert_true(g_file_set_contents(disk.path, bytes, (gssize)len, NULL));
    disk.node = block_test_open(&disk.test, disk.path, "driver=qcow2,x-for-check=on");
    g_assert_true(blk_node_check(disk.node, &check, &error));
    g_assert_cmpuint(check.corruptions, >, 0);
    g_assert_cmpuint(check.corruptions_fixed, ==, check.corruptions);
    close_disk(&disk);
    assert_judged(&disk, 0);
    open_disk(&disk);
    assert_clean(&disk);
    assert_content(&disk);
    finish(&disk);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(matrix); i++) {
        g_autofree char *path = g_strconcat("/block/qcow2/random/", matrix[i][0], NULL);
        g_test_add_data_func(path, matrix[i], test_random);
    }
    g_test_add_data_func("/block/qcow2/snapshots", "", test_snapshots);
    g_test_add_data_func("/block/qcow2/snapshots/v2", "compat=0.10", test_snapshots);
    g_test_add_data_func("/block/qcow2/snapshots/small", "cluster_size=512,refcount_bits=4",
                         test_snapshots);
    g_test_add_data_func("/block/qcow2/snapshots/subclusters", "extended_l2=on", test_snapshots);
    g_test_add_data_func("/block/qcow2/snapshots/faults", "", test_snapshot_faults);
    g_test_add_data_func("/block/qcow2/snapshots/faults-small", "cluster_size=512",
                         test_snapshot_faults);
    g_test_add_data_func("/block/qcow2/resize", "", test_resize);
    g_test_add_data_func("/block/qcow2/resize/small", "cluster_size=512", test_resize);
    g_test_add_data_func("/block/qcow2/resize/subclusters", "extended_l2=on", test_resize);
    g_test_add_data_func("/block/qcow2/compressed/zlib", "", test_compressed);
    g_test_add_data_func("/block/qcow2/compressed/zstd", "compression_type=zstd", test_compressed);
    g_test_add_data_func("/block/qcow2/compressed/small", "cluster_size=4k,refcount_bits=2",
                         test_compressed);
    g_test_add_func("/block/qcow2/bitmaps", test_bitmaps);
    g_test_add_func("/block/qcow2/bad-headers", test_bad_headers);
    g_test_add_func("/block/qcow2/bad-snapshots", test_bad_snapshots);
    g_test_add_func("/block/qcow2/repair", test_repair);
    return g_test_run();
}
