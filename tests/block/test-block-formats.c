/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Formats that are written, beside qcow2: random requests against a copy in memory over many
 * create options, images of ours judged by qemu-img and images of its making read and written by
 * us; growing, backing images, bad headers. An argument names the one format to test.
 * mission: vmdk vdi vpc vhdx qcow qed parallels luks */

#include "format-disk.h"

#include <errno.h>
#include <string.h>

enum { DISK_BYTES = 5 * 1024 * 1024 + 512 };

#define LUKS_KEY "key-secret=s0,iter-time=10"

static const FormatRow rows[] = {
    { "luks", "luks", LUKS_KEY, NULL, NULL, FORMAT_NO_CHECK | FORMAT_SECRET | FORMAT_SHRINKS },
    { "luks/essiv", "luks",
      LUKS_KEY ",cipher-alg=aes-128,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256", "-",
      NULL, FORMAT_NO_CHECK | FORMAT_SECRET | FORMAT_FIXED_LEN },
    { "luks/serpent", "luks",
      LUKS_KEY ",cipher-alg=serpent-256,ivgen-alg=plain,hash-alg=sha512,preallocation=falloc", NULL,
      NULL, FORMAT_NO_CHECK | FORMAT_SECRET | FORMAT_FIXED_LEN },
    { "luks/twofish", "luks", LUKS_KEY ",cipher-alg=twofish-128,hash-alg=sha1", NULL, NULL,
      FORMAT_NO_CHECK | FORMAT_SECRET | FORMAT_FIXED_LEN },
    { "parallels", "parallels", "", NULL, NULL, 0 },
    { "parallels/clusters-64k", "parallels", "cluster_size=64k", NULL, NULL, 0 },
    { "qcow", "qcow", "", NULL, NULL, FORMAT_NO_CHECK | FORMAT_FIXED_LEN | FORMAT_BACKING },
    { "qed", "qed", "", NULL, NULL, FORMAT_BACKING },
    { "qed/clusters-4k", "qed", "cluster_size=4k,table_size=2", NULL, NULL, FORMAT_BACKING },
    { "qed/clusters-1m", "qed", "cluster_size=1M,table_size=16", NULL, NULL, FORMAT_BACKING },
    { "vdi", "vdi", "", NULL, NULL, 0 },
    { "vdi/static", "vdi", "static=on", NULL, NULL, 0 },
    { "vdi/preallocated", "vdi", "preallocation=falloc", "static=on", NULL, 0 },
    { "vhdx", "vhdx", "", NULL, NULL, FORMAT_FIXED_LEN },
    { "vhdx/blocks-1m", "vhdx", "block_size=1M,log_size=2M", NULL, NULL, FORMAT_FIXED_LEN },
    { "vhdx/not-present", "vhdx", "block_size=1M,block_state_zero=off", NULL, NULL,
      FORMAT_FIXED_LEN },
    { "vhdx/fixed", "vhdx", "subformat=fixed", NULL, NULL, FORMAT_FIXED_LEN },
    { "vmdk", "vmdk", "", NULL, NULL, FORMAT_FIXED_LEN | FORMAT_BACKING },
    { "vmdk/zeroed-grain", "vmdk", "zeroed_grain=on", NULL, NULL,
      FORMAT_FIXED_LEN | FORMAT_BACKING },
    { "vmdk/flat", "vmdk", "subformat=monolithicFlat", NULL, NULL, FORMAT_FIXED_LEN },
    { "vmdk/flat-falloc", "vmdk", "subformat=monolithicFlat,preallocation=falloc",
      "subformat=monolithicFlat", NULL, FORMAT_FIXED_LEN },
    { "vmdk/split-sparse", "vmdk", "subformat=twoGbMaxExtentSparse", NULL, NULL, FORMAT_FIXED_LEN },
    { "vmdk/split-flat", "vmdk", "subformat=twoGbMaxExtentFlat", NULL, NULL, FORMAT_FIXED_LEN },
    { "vmdk/stream", "vmdk", "subformat=streamOptimized", NULL, NULL, FORMAT_FIXED_LEN },
    { "vmdk/lsilogic", "vmdk", "adapter_type=lsilogic,hwversion=9,toolsversion=99", NULL, NULL,
      FORMAT_FIXED_LEN },
    { "vmdk/compat6", "vmdk", "adapter_type=buslogic,compat6=on", NULL, NULL, FORMAT_FIXED_LEN },
    { "vpc", "vpc", "", NULL, NULL, FORMAT_NO_CHECK | FORMAT_FIXED_LEN },
    { "vpc/force-size", "vpc", "force_size=on", NULL, NULL, FORMAT_NO_CHECK | FORMAT_FIXED_LEN },
    { "vpc/fixed", "vpc", "subformat=fixed", NULL, NULL, FORMAT_NO_CHECK | FORMAT_FIXED_LEN },
    { "vpc/fixed-falloc", "vpc", "subformat=fixed,force_size=on,preallocation=falloc",
      "subformat=fixed,force_size=on", NULL, FORMAT_NO_CHECK | FORMAT_FIXED_LEN },
};

/* ---- random requests ---- */

static void
test_ours(gconstpointer data)
{
    FormatDisk disk;

    format_disk_begin(&disk, data, DISK_BYTES, false);
    for (unsigned round = 0; round < 2; round++) {
        format_disk_requests(&disk, 60);
        format_disk_assert_content(&disk);
        format_disk_assert_clean(&disk);
        format_disk_close(&disk);
        if (round > 0) {
            format_disk_assert_judged(&disk);
        }
        format_disk_open(&disk);
        format_disk_assert_content(&disk);
    }
    format_disk_finish(&disk);
}

static void
test_theirs(gconstpointer data)
{
    FormatDisk disk;

    if (!format_has_judge()) {
        return;
    }
    format_disk_begin(&disk, data, DISK_BYTES, true);
    format_disk_assert_content(&disk);
    format_disk_assert_clean(&disk);
    format_disk_requests(&disk, 60);
    format_disk_assert_clean(&disk);
    format_disk_close(&disk);
    format_disk_assert_judged(&disk);
    format_disk_open(&disk);
    format_disk_assert_content(&disk);
    format_disk_finish(&disk);
}

/* ---- size ---- */

/* What is new of it shows noise where it is encrypted. */
static void
finish_resize(FormatDisk *disk, uint64_t len)
{
    if ((disk->row->flags & FORMAT_SECRET) && len > disk->len) {
        g_assert_cmpint(blk_image_write_zeroes(disk->image, disk->len, len - disk->len, false), ==,
                        0);
    }
    disk->len = blk_image_get_len(disk->image);
    g_assert_cmpuint(disk->len, >=, len);
}

static void
resize(FormatDisk *disk, uint64_t len)
{
    g_autoptr(GError) error = NULL;

    blk_image_resize(disk->image, len, BLK_PREALLOC_OFF, &error);
    g_assert_no_error(error);
    if (len < disk->len) {
        memset(disk->copy + len, 0, disk->len - len);
    }
    finish_resize(disk, len);
}

static void
test_resize(gconstpointer data)
{
    static const uint64_t sizes[] = { 6 << 20, 700 * 1024, (9 << 20) + 1024, 40 << 20 };
    const FormatRow *row = data;
    FormatDisk disk;

    format_disk_begin(&disk, data, DISK_BYTES, false);
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        format_disk_requests(&disk, 25);
        if (sizes[i] > disk.len || (row->flags & FORMAT_SHRINKS)) {
            resize(&disk, sizes[i]);
        }
        format_disk_assert_content(&disk);
        format_disk_assert_clean(&disk);
        format_disk_requests(&disk, 10);
        format_disk_close(&disk);
        if (i % 2 == 1) {
            format_disk_assert_judged(&disk);
        }
        format_disk_open(&disk);
        format_disk_assert_content(&disk);
    }
    format_disk_finish(&disk);
}

static const FormatRow growing[] = {
    { "luks", "luks", LUKS_KEY, "-", ",file.driver=fault", FORMAT_SECRET },
    { "parallels", "parallels", "cluster_size=64k", "-", ",file.driver=fault", 0 },
    { "qcow2", "qcow2", "", "-", ",file.driver=fault", 0 },
    { "qcow2/small", "qcow2", "cluster_size=512", "-", ",file.driver=fault", 0 },
    { "qed", "qed", "cluster_size=4k,table_size=2", "-", ",file.driver=fault", 0 },
    { "vdi", "vdi", "", "-", ",file.driver=fault", 0 },
    { "vdi/blocks-4k", "vdi", "block_size=4k", "-", ",file.driver=fault", 0 },
};

/* A resize that fails at its first, second, ... write or flush has changed nothing that is seen. */
static void
resize_with_faults(FormatDisk *disk, int fail_write, int fail_flush)
{
    const uint64_t len = disk->len + (40 << 20);
    bool is_done = false;

    for (unsigned pass = 0; !is_done; pass++) {
        Fault *fault = block_test_fault(disk->node);
        fault->fail_write = fail_write;
        fault->fail_flush = fail_flush;
        fault->pass_count = pass;
        is_done = blk_image_resize(disk->image, len, BLK_PREALLOC_OFF, NULL);
        fault->fail_write = fault->fail_flush = 0;
        if (is_done) {
            finish_resize(disk, len);
        }
        g_assert_cmpuint(blk_image_get_len(disk->image), ==, disk->len);
        format_disk_requests(disk, 2);
        format_disk_assert_content(disk);
        format_disk_close(disk);
        format_disk_open(disk);
        format_disk_assert_content(disk);
        g_assert_cmpuint(pass, <, 1000);
    }
    if (fail_flush == 0 || strcmp(disk->row->format, "qcow2") != 0) {
        format_disk_assert_clean(disk);
    } else { /* what a table takes up that a header may have whose flush failed is left alone */
        BlkCheck check = { 0 };
        g_assert_true(blk_node_check(disk->node, &check, NULL));
        g_assert_cmpuint(check.corruptions, ==, 0);
    }
}

static void
test_resize_fails(gconstpointer data)
{
    for (unsigned i = 0; i < 2; i++) {
        FormatDisk disk;
        format_disk_begin(&disk, data, DISK_BYTES, false);
        format_disk_requests(&disk, 25);
        resize_with_faults(&disk, i == 0 ? EIO : 0, i == 1 ? EIO : 0);
        format_disk_finish(&disk);
    }
}

/* ---- backing images ---- */

static void
test_backing(gconstpointer data)
{
    const FormatRow *row = data;
    FormatRow base = { .name = "base", .format = row->format, .create = row->create };
    FormatRow top = *row;
    g_autofree char *options = NULL, *path = NULL;
    BlkNodeInfo info;
    FormatDisk below, disk;

    format_disk_begin(&below, &base, DISK_BYTES - 100 * 1024, false);
    format_disk_requests(&below, 60);
    format_disk_close(&below);
    options = g_strdup_printf("%s%sbacking_file=%s,backing_fmt=%s", row->create,
                              *row->create ? "," : "", below.path, row->format);
    top.create = options;
    format_disk_begin(&disk, &top, DISK_BYTES, false);
    blk_node_get_info(disk.node, &info);
    g_assert_cmpstr(info.backing_file, ==, below.path);
    memcpy(disk.copy, below.copy, below.len);
    format_disk_assert_content(&disk);
    for (unsigned round = 0; round < 2; round++) {
        format_disk_requests(&disk, 40);
        format_disk_assert_content(&disk);
        format_disk_assert_clean(&disk);
        format_disk_close(&disk);
        if (round > 0) {
            format_disk_assert_judged(&disk);
        }
        format_disk_open(&disk);
        format_disk_assert_content(&disk);
    }
    format_disk_finish(&disk);
    format_disk_open(&below);
    format_disk_assert_content(&below);
    format_disk_finish(&below);
}

/* ---- bad headers ---- */

typedef struct BadRow {
    const char *format, *create;
    int at; /* negative: from the end */
    const char *bytes;
    unsigned len;
    const char *words; /* of the message; NULL: it is opened all the same */
} BadRow;

static const BadRow bad_rows[] = {
    { "luks", LUKS_KEY, 0, "x", 1, "offset 0 (LUKS magic)" },
    { "luks", LUKS_KEY, 7, "\2", 1, "offset 6 (LUKS version)" },
    { "luks", LUKS_KEY, 72, "x", 1, "offset 72 (LUKS hash)" },
    { "luks", LUKS_KEY, 104, "\1", 1, "offset 104 (LUKS payload offset)" },
    { "luks", LUKS_KEY, 108, "\1", 1, "offset 108 (LUKS key length)" },
    { "luks", LUKS_KEY, 164, "\xff", 1, "offset 164 (LUKS digest iterations)" },
    { "luks", LUKS_KEY, 208 + 40, "\xff", 1, "offset 208 (LUKS key slot)" },
    { "luks", LUKS_KEY, 112, "xyz", 3, "password is wrong" },
    { "parallels", "", 0, "x", 1, "offset 0 (magic)" },
    { "parallels", "", 16, "\3", 1, "offset 16 (version)" },
    { "parallels", "", 28, "\0\0\0\0", 4, "offset 28 (cluster size)" },
    { "parallels", "", 31, "\xff", 1, "offset 28 (cluster size)" },
    { "parallels", "", 32, "\0\0\0", 3, "offset 36 (sectors)" },
    { "parallels", "", 35, "\x7f", 1, "offset 32 (entries of the block table)" },
    { "parallels", "", 34, "\4", 1, "offset 48 (start of the data)" },
    { "parallels", "", 43, "\1", 1, "offset 36 (sectors)" },
    { "parallels", "", 44, "\1", 1, "offset 44 (in-use mark)" },
    { "qcow", "", 0, "x", 1, "offset 0 (magic)" },
    { "qcow", "", 7, "\4", 1, "offset 4 (version)" },
    { "qcow", "", 8, "\1", 1, "offset 16 (backing file name)" },
    { "qcow", "", 24, "\x7f", 1, "offset 24 (image size)" },
    { "qcow", "", 32, "\x11", 1, "offset 32 (cluster bits)" },
    { "qcow", "", 33, "\5", 1, "offset 33 (L2 bits)" },
    { "qcow", "", 39, "\1", 1, "offset 36 (encryption)" },
    { "qcow", "", 39, "\2", 1, "offset 36 (encryption)" },
    { "qcow", "", 41, "\1", 1, "offset 40 (L1 table offset)" },
    { "qed", "", 0, "x", 1, "offset 0 (magic)" },
    { "qed", "", 4, "\1", 1, "offset 4 (cluster size)" },
    { "qed", "", 8, "\3", 1, "offset 8 (table size)" },
    { "qed", "", 12, "\0", 1, "offset 12 (header size)" },
    { "qed", "", 16, "\x10", 1, "offset 16 (features)" },
    { "qed", "", 16, "\1", 1, "offset 56 (backing file name)" },
    { "qed", "", 40, "\1", 1, "offset 40 (L1 table offset)" },
    { "qed", "", 46, "\x10", 1, "offset 40 (L1 table offset)" },
    { "qed", "", 48, "\1", 1, "offset 48 (image size)" },
    { "qed", "", 55, "\x40", 1, "offset 48 (image size)" },
    { "vhdx", "", 0, "x", 1, "offset 0 (file identifier)" },
    { "vhdx", "", 0x30020, "x", 1, NULL },
    { "vhdx", "", 0x300000, "x", 1, "offset 3145728 (metadata table)" },
    { "vhdx", "", 0x300030, "\xff", 1, "(file parameters)" },
    { "vhdx", "", 0x310000, "\1", 1, "(file parameters)" },
    { "vhdx", "", 0x310004, "\2", 1, "(file parameters)" },
    { "vhdx", "", 0x310008, "\1", 1, "(virtual disk size)" },
    { "vhdx", "", 0x31000f, "\1", 1, "(virtual disk size)" },
    { "vhdx", "", 0x310020, "\1", 1, "(logical sector size)" },
    { "vmdk", "", 4, "\7", 1, "offset 4 (version)" },
    { "vmdk", "", 19, "\x7f", 1, "offset 12 (capacity)" },
    { "vmdk", "", 20, "\0", 1, "offset 20 (grain size)" },
    { "vmdk", "", 24, "\1", 1, "offset 20 (grain size)" },
    { "vmdk", "", 28, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "offset 28 (descriptor offset)" },
    { "vmdk", "", 36, "\0", 1, "offset 28 (descriptor offset)" },
    { "vmdk", "", 46, "\1", 1, "offset 44 (entries of a grain table)" },
    { "vmdk", "", 56, "\0\0", 1, "offset 56 (grain directory offset)" },
    { "vmdk", "", 56, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "offset 56 (grain directory offset)" },
    { "vmdk", "", 58, "\1", 1, "(grain directory)" },
    { "vmdk", "", 512 + 66, "x", 1, "offset 512 (descriptor)" },
    { "vmdk", "subformat=streamOptimized", 77, "\2", 1, "offset 77 (compression)" },
    { "vmdk", "subformat=monolithicFlat", 66, "x", 1, "offset 0 (descriptor)" },
    { "vmdk", "subformat=monolithicFlat", 122, "x", 1, "(extent description)" },
    { "vpc", "", 512, "x", 1, "offset 512 (dynamic header cookie)" },
    { "vpc", "", 512 + 32, "\3", 1, "offset 548 (dynamic header checksum)" },
    { "vpc", "subformat=fixed", -512, "x", 1, "(footer cookie)" },
    { "vpc", "subformat=fixed", -500, "\2", 1, "(footer checksum)" },
    { "vdi", "", 0x40, "x", 1, "offset 64 (signature)" },
    { "vdi", "", 0x44, "\2", 1, "offset 68 (version)" },
    { "vdi", "", 0x4c, "\4", 1, "offset 76 (type)" },
    { "vdi", "", 0x154, "\1", 1, "offset 340 (offset of the block map)" },
    { "vdi", "", 0x158, "\0\0", 2, "offset 344 (offset of the data)" },
    { "vdi", "", 0x168, "\1", 1, "offset 360 (sector size)" },
    { "vdi", "", 0x177, "\x70", 1, "offset 368 (disk size)" },
    { "vdi", "", 0x178, "\3", 1, "offset 376 (block size)" },
    { "vdi", "", 0x183, "\x70", 1, "offset 384 (blocks in image)" },
    { "vdi", "", 0x182, "\1", 1, "offset 344 (offset of the data)" },
    { "vdi", "", 0x1a8, "\1", 1, "offset 424 (link UUID)" },
    { "vdi", "", 0x1b8, "\1", 1, "offset 440 (parent UUID)" },
};

static void
assert_refused(FormatDisk *disk, const BadRow *row, const char *good, gsize len)
{
    g_autofree char *bad = g_memdup2(good, len), *after = NULL;
    g_autoptr(BlkOptions) options = blk_options_new();
    g_autoptr(GError) error = NULL;

    size_t at = row->at < 0 ? len - (size_t)-row->at : (size_t)row->at;

    g_assert_cmpuint(at + row->len, <=, len);
    memcpy(bad + at, row->bytes, row->len);
    format_put_file(disk->path, bad, (gssize)len);
    blk_options_set(options, "driver", row->format);
    if (disk->row->flags & FORMAT_SECRET) {
        blk_options_set(options, "key-secret", "s0");
    }
    if (!row->words) {
        /* There is a second copy of that. */
        blk_options_set(options, "read-only", "on");
        blk_node_unref(blk_open(disk->test.graph, disk->path, options, &error));
        g_assert_no_error(error);
        return;
    }
    g_assert_null(blk_open(disk->test.graph, disk->path, options, &error));
    g_assert_nonnull(error);
    if (!strstr(error->message, row->words) || !strstr(error->message, disk->path)) {
        g_error("%s, byte %d: \"%s\" does not say \"%s\"", row->format, row->at, error->message,
                row->words);
    }
    /* Opening never writes. */
    g_assert_true(g_file_get_contents(disk->path, &after, NULL, NULL));
    g_assert_cmpmem(bad, len, after, len);
}

static void
test_bad(gconstpointer data)
{
    const BadRow *bad = data;
    FormatRow row = { .name = "bad",
                      .format = bad->format,
                      .create = bad->create,
                      .flags = strstr(bad->create, "key-secret") ? FORMAT_SECRET : 0 };
    g_autofree char *good = NULL;
    FormatDisk disk;
    gsize len;

    format_disk_begin(&disk, &row, 1 << 20, false);
    format_disk_close(&disk);
    g_assert_true(g_file_get_contents(disk.path, &good, &len, NULL));
    for (; bad < bad_rows + G_N_ELEMENTS(bad_rows) && strcmp(bad->format, row.format) == 0 &&
           strcmp(bad->create, row.create) == 0;
         bad++) {
        assert_refused(&disk, bad, good, len);
    }
    format_put_file(disk.path, good, (gssize)len);
    format_disk_open(&disk);
    format_disk_finish(&disk);
}

/* ---- what a power failure leaves ---- */

/* QED: the last cluster is cut short and the image says it is to be checked. */
static void
test_qed_tail(void)
{
    static const FormatRow row = { "tail", "qed", "cluster_size=4k,table_size=2", NULL, NULL, 0 };
    enum { CUT_BYTES = 512, CLUSTER_BYTES = 4096, AT_FEATURES = 16, F_NEED_CHECK = 2 };
    g_autofree char *bytes = NULL;
    FormatDisk disk;
    gsize len;

    format_disk_begin(&disk, &row, 1 << 20, false);
    memset(disk.copy, 0x5a, CLUSTER_BYTES);
    g_assert_cmpint(blk_image_write(disk.image, 0, disk.copy, CLUSTER_BYTES), ==, 0);
    format_disk_close(&disk);
    g_assert_true(g_file_get_contents(disk.path, &bytes, &len, NULL));
    g_assert_cmpuint(len % CLUSTER_BYTES, ==, 0);
    bytes[AT_FEATURES] |= F_NEED_CHECK;
    memset(bytes + len - CUT_BYTES, 0, CUT_BYTES);
    format_put_file(disk.path, bytes, len - CUT_BYTES);
    if (memchr(bytes + len - CLUSTER_BYTES, 0x5a, CLUSTER_BYTES)) { /* the data are last */
        memset(disk.copy + CLUSTER_BYTES - CUT_BYTES, 0, CUT_BYTES);
    }
    format_disk_open(&disk);
    format_disk_assert_content(&disk);
    format_disk_assert_clean(&disk);
    format_disk_close(&disk);
    format_disk_assert_judged(&disk);
    format_disk_finish(&disk);
}

static void
add_bad_tests(const char *format)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(bad_rows); i++) {
        const BadRow *row = &bad_rows[i];
        if (format && strcmp(format, row->format) != 0) {
            continue;
        }
        if (i == 0 || strcmp(row->format, row[-1].format) != 0 ||
            strcmp(row->create, row[-1].create) != 0) {
            g_autofree char *path = g_strdup_printf("/block/formats/%s/bad%s%s", row->format,
                                                    *row->create ? "/" : "", row->create);
            g_test_add_data_func(path, row, test_bad);
        }
    }
}

int
main(int argc, char **argv)
{
    const char *format;

    block_test_use_memory();
    g_test_init(&argc, &argv, NULL);
    format = argc > 1 ? argv[1] : NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        const FormatRow *row = &rows[i];
        g_autofree char *ours = g_strdup_printf("/block/formats/%s/ours", row->name);
        g_autofree char *theirs = g_strdup_printf("/block/formats/%s/theirs", row->name);
        g_autofree char *size = g_strdup_printf("/block/formats/%s/resize", row->name);
        if (format && strcmp(format, row->format) != 0) {
            continue;
        }
        g_test_add_data_func(ours, row, test_ours);
        if (!row->theirs || strcmp(row->theirs, "-") != 0) {
            g_test_add_data_func(theirs, row, test_theirs);
        }
        if (row->flags & FORMAT_BACKING) {
            g_autofree char *backing = g_strdup_printf("/block/formats/%s/backing", row->name);
            g_test_add_data_func(backing, row, test_backing);
        }
        if (!(row->flags & FORMAT_FIXED_LEN)) {
            g_test_add_data_func(size, row, test_resize);
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(growing); i++) {
        g_autofree char *path = g_strdup_printf("/block/formats/%s/resize-fails", growing[i].name);
        if (!format || strcmp(format, growing[i].format) == 0) {
            g_test_add_data_func(path, &growing[i], test_resize_fails);
        }
    }
    add_bad_tests(format);
    if (!format || strcmp(format, "qed") == 0) {
        g_test_add_func("/block/formats/qed/tail", test_qed_tail);
    }
    return g_test_run();
}
