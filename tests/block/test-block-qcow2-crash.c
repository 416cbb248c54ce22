/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Power failures under qcow2. Random requests run over a filter that remembers every write to the
 * file and every flush. Then, for random points of that history, the file is put together as a
 * power failure there could leave it: what was flushed is whole, of the writes since, any may be
 * missing or torn at a sector. Each such image must check clean but for leaks, ours and qemu-img
 * being the judges, and every sector must hold what the last flush has promised or something
 * written since.
 *
 * VITRINE_CRASH_POINTS sets the number of failures per option set (default 25), VITRINE_CRASH_SEED
 * the seed. */

#include "block-test.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECTOR = 512, DISK_BYTES = 1 << 20, SECTORS = DISK_BYTES / SECTOR, OPS = 150 };

/* A sector's content is the number of the request that wrote it, eight bytes at a time. */
typedef struct Version {
    uint32_t op; /* 0: zeroes at the start */
    bool zero;
} Version;

typedef struct Op {
    bool is_flush;
    unsigned log_start, log_end; /* writes remembered before it began and when it had ended */
} Op;

typedef struct Crash {
    const char *create, *open;
    bool snapshots;
    BlockTest test;
    char *path, *crashed_path;
    char *base; /* the file before the first request */
    gsize base_len;
    BlkNode *node;
    BlkImage *image;
    uint32_t cluster;
    GRand *rand;
    GArray *versions[SECTORS]; /* Version */
    GArray *ops;               /* Op; op number i + 1 */
    GArray *log;               /* FaultWrite, a view of the filter's */
} Crash;

static void
remember_version(Crash *crash, uint64_t offset, uint64_t len, bool zero)
{
    Version version = { .op = crash->ops->len + 1, .zero = zero };

    for (uint64_t i = offset / SECTOR; i < (offset + len) / SECTOR; i++) {
        g_array_append_val(crash->versions[i], version);
    }
}

static void
pick_range(Crash *crash, bool whole_clusters, uint64_t *offset, uint64_t *len)
{
    uint64_t unit = whole_clusters ? crash->cluster : SECTOR, count = DISK_BYTES / unit;
    /* A third of the disk is hit more often. */
    uint64_t first =
        g_rand_int(crash->rand) % (g_rand_boolean(crash->rand) ? count : count / 3 + 1);
    uint64_t most = MAX(3 * (uint64_t)crash->cluster / unit, 1);

    uint64_t wanted = 1 + g_rand_int(crash->rand) % most;

    first = MIN(first, count - 1);
    *offset = first * unit;
    *len = MIN(wanted, count - first) * unit;
}

static void
write_random(Crash *crash, bool compressed)
{
    uint64_t offset, len, tag = crash->ops->len + 1;
    g_autofree uint64_t *buf = NULL;

    pick_range(crash, compressed, &offset, &len);
    buf = g_malloc(len);
    for (uint64_t i = 0; i < len / 8; i++) {
        buf[i] = tag;
    }
    remember_version(crash, offset, len, false);
    g_assert_cmpint(compressed ? blk_image_write_compressed(crash->image, offset, buf, len)
                               : blk_image_write(crash->image, offset, buf, len),
                    ==, 0);
}

static void
zero_random(Crash *crash, bool discard)
{
    uint64_t offset, len;

    pick_range(crash, true, &offset, &len);
    remember_version(crash, offset, len, true);
    g_assert_cmpint(
        discard ? blk_image_discard(crash->image, offset, len)
                : blk_image_write_zeroes(crash->image, offset, len, g_rand_boolean(crash->rand)),
        ==, 0);
}

static void
snapshot_random(Crash *crash)
{
    g_autoptr(GPtrArray) list = blk_node_list_snapshots(crash->node);
    BlkSnapshot wanted = { .name = (char *)"s" };
    g_autoptr(GError) error = NULL;

    if (list->len > 1) {
        const BlkSnapshot *first = g_ptr_array_index(list, 0);
        blk_node_delete_snapshot(crash->node, first->id, &error);
    } else {
        blk_node_create_snapshot(crash->node, &wanted, &error);
    }
    g_assert_no_error(error);
}

static void
run_op(Crash *crash)
{
    unsigned kind = g_rand_int(crash->rand) % 16;
    Op op = { .is_flush = kind == 0 || kind == 1, .log_start = crash->log->len };

    if (op.is_flush) {
        g_assert_cmpint(blk_image_flush(crash->image), ==, 0);
    } else if (kind == 2) {
        zero_random(crash, false);
    } else if (kind == 3) {
        zero_random(crash, true);
    } else if (kind == 4) {
        write_random(crash, true);
    } else if (kind == 5 && crash->snapshots) {
        snapshot_random(crash);
    } else {
        write_random(crash, false);
    }
    op.log_end = crash->log->len;
    g_array_append_val(crash->ops, op);
}

/* ---- the failure ---- */

static void
apply(GByteArray *file, uint64_t offset, const uint8_t *data, uint64_t len)
{
    if (file->len < offset + len) {
        guint old = file->len;
        g_byte_array_set_size(file, (guint)(offset + len));
        memset(file->data + old, 0, file->len - old);
    }
    if (data) {
        memcpy(file->data + offset, data, len);
    } else {
        memset(file->data + offset, 0, len);
    }
}

static void
apply_torn(Crash *crash, GByteArray *file, const FaultWrite *write)
{
    unsigned fate = g_rand_int(crash->rand) % 3;
    uint64_t at = 0;

    if (fate == 0) {
        return;
    }
    while (at < write->len) {
        uint64_t piece = MIN(SECTOR - (write->offset + at) % SECTOR, write->len - at);
        if (fate == 1 || g_rand_boolean(crash->rand)) {
            apply(file, write->offset + at, write->data ? write->data + at : NULL, piece);
        }
        at += piece;
    }
}

/* What a failure after the first COUNT writes could leave. */
static void
make_crashed(Crash *crash, unsigned count)
{
    g_autoptr(GByteArray) file = g_byte_array_new();
    unsigned epoch = count ? g_array_index(crash->log, FaultWrite, count - 1).epoch : 0;

    g_byte_array_append(file, (const guint8 *)crash->base, (guint)crash->base_len);
    for (unsigned i = 0; i < count; i++) {
        const FaultWrite *write = &g_array_index(crash->log, FaultWrite, i);
        if (write->epoch < epoch) {
            apply(file, write->offset, write->data, write->len);
        } else {
            apply_torn(crash, file, write);
        }
    }
    g_assert_true(g_file_set_contents(crash->crashed_path, (char *)file->data, file->len, NULL));
}

/* ---- judging ---- */

static void
print_line(void *opaque, const char *text)
{
    if (!g_str_has_prefix(text, "Leaked")) {
        g_printerr("%s\n", text);
    }
}

static void
judge_by_qemu(Crash *crash, unsigned count)
{
    g_autofree char *judge = g_find_program_in_path("qemu-img");
    const char *argv[] = { judge, "check", "-f", "qcow2", crash->crashed_path, NULL };
    g_autofree char *out = NULL, *err = NULL;
    int status;

    if (!judge) {
        test_lacks("qemu-img");
        return;
    }
    g_assert_true(
        g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, &out, &err, &status, NULL));
    if (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 3) {
        g_error("%s, failure after %u writes: qemu-img check says %d\n%s%s", crash->create, count,
                WEXITSTATUS(status), out, err);
    }
}

static bool
is_allowed(const Crash *crash, unsigned sector, uint64_t value, unsigned last_flush,
           unsigned last_op)
{
    const GArray *versions = crash->versions[sector];

    for (unsigned i = versions->len; i > 0; i--) {
        const Version *version = &g_array_index(versions, Version, i - 1);
        if (version->op > last_op) {
            continue;
        }
        if (value == (version->zero ? 0 : version->op)) {
            return true;
        }
        if (version->op <= last_flush) {
            return false;
        }
    }
    return value == 0;
}

static void
judge_content(Crash *crash, unsigned count)
{
    g_autofree uint64_t *disk = g_malloc(DISK_BYTES);
    unsigned last_flush = 0, last_op = 0;

    for (unsigned i = 0; i < crash->ops->len; i++) {
        const Op *op = &g_array_index(crash->ops, Op, i);
        if (op->is_flush && op->log_end < count) {
            last_flush = i + 1;
        }
        if (op->log_start <= count) {
            last_op = i + 1;
        }
    }
    g_assert_cmpint(blk_image_read(crash->image, 0, disk, DISK_BYTES), ==, 0);
    for (unsigned sector = 0; sector < SECTORS; sector++) {
        const uint64_t *words = disk + (size_t)sector * SECTOR / 8;
        for (unsigned i = 1; i < SECTOR / 8; i++) {
            g_assert_cmpuint(words[i], ==, words[0]);
        }
        if (!is_allowed(crash, sector, words[0], last_flush, last_op)) {
            g_error("%s, failure after %u writes: sector %u is of request %" G_GUINT64_FORMAT
                    ", flushed up to %u, begun up to %u",
                    crash->create, count, sector, words[0], last_flush, last_op);
        }
    }
}

static void
judge(Crash *crash, unsigned count, bool ask_qemu)
{
    BlkCheck check = { .report = print_line };
    g_autoptr(GError) error = NULL;
    BlkFormatInfo info;
    BlkNode *look = block_test_open(&crash->test, crash->crashed_path, "driver=qcow2,read-only=on");

    /* A dirty image promises less: that the next opening mends it. */
    blk_node_get_format_info(look, &info);
    if (!info.dirty) {
        g_assert_true(blk_node_check(look, &check, &error));
        if (check.corruptions || check.check_errors) {
            g_error("%s, failure after %u writes: %" G_GUINT64_FORMAT " corruptions", crash->create,
                    count, check.corruptions);
        }
    }
    blk_node_unref(look);
    if (ask_qemu && !info.dirty) {
        judge_by_qemu(crash, count);
    }
    crash->node = block_test_open(&crash->test, crash->crashed_path, "driver=qcow2");
    crash->image = blk_image_new(crash->node, true, &error);
    g_assert_no_error(error);
    check = (BlkCheck){ .report = print_line };
    if (info.dirty) {
        g_assert_true(blk_node_check(crash->node, &check, &error));
        g_assert_cmpuint(check.corruptions + check.leaks, ==, 0);
    }
    judge_content(crash, count);
    blk_image_free(crash->image);
    blk_node_unref(crash->node);
    if (ask_qemu && info.dirty) {
        judge_by_qemu(crash, count);
    }
}

/* ---- the test ---- */

static void
set_up(Crash *crash)
{
    g_autoptr(BlkOptions) options = block_test_options(crash->create);
    g_autoptr(GError) error = NULL;
    const char *seed = g_getenv("VITRINE_CRASH_SEED");
    BlkFormatInfo info;

    block_test_init(&crash->test);
    crash->rand = g_rand_new_with_seed(seed ? (guint32)atoi(seed) : 7);
    crash->path = block_test_path(&crash->test, "disk");
    crash->crashed_path = block_test_path(&crash->test, "crashed");
    crash->ops = g_array_new(FALSE, FALSE, sizeof(Op));
    for (unsigned i = 0; i < SECTORS; i++) {
        crash->versions[i] = g_array_new(FALSE, FALSE, sizeof(Version));
    }
    blk_options_set(options, "size", G_STRINGIFY(1048576));
    blk_create(crash->test.graph, "qcow2", crash->path, options, &error);
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(crash->path, &crash->base, &crash->base_len, NULL));
    g_autofree char *open =
        g_strdup_printf("driver=qcow2,discard=unmap,pass-discard-request=off,"
                        "pass-discard-snapshot=off,file.driver=fault,file.file.driver=file,"
                        "file.file.filename=%s%s",
                        crash->path, crash->open);
    crash->node = block_test_open(&crash->test, NULL, open);
    crash->image = blk_image_new(crash->node, true, &error);
    g_assert_no_error(error);
    blk_node_get_format_info(crash->node, &info);
    crash->cluster = info.cluster_bytes;
    crash->log = block_test_fault(crash->node)->log;
    block_test_fault(crash->node)->remember = true;
}

static void
tear_down(Crash *crash)
{
    for (unsigned i = 0; i < SECTORS; i++) {
        g_array_unref(crash->versions[i]);
    }
    g_array_unref(crash->log);
    g_array_unref(crash->ops);
    g_rand_free(crash->rand);
    g_free(crash->base);
    g_free(crash->path);
    g_free(crash->crashed_path);
    block_test_finish(&crash->test);
}

static void
test_crash(gconstpointer data)
{
    const char *const *row = data;
    const char *text = g_getenv("VITRINE_CRASH_POINTS");
    unsigned points = text ? (unsigned)atoi(text) : 25;
    Crash crash = { .create = row[1], .open = row[2], .snapshots = row[3] != NULL };

    set_up(&crash);
    for (unsigned i = 0; i < OPS; i++) {
        run_op(&crash);
    }
    g_array_ref(crash.log);
    blk_image_free(crash.image);
    blk_node_unref(crash.node);
    g_assert_cmpuint(crash.log->len, >, 20);
    for (unsigned i = 0; i < points; i++) {
        unsigned count = (unsigned)(g_rand_int(crash.rand) % (crash.log->len + 1));
        make_crashed(&crash, count);
        judge(&crash, count, i % 5 == 0);
    }
    tear_down(&crash);
}

static const char *const rows[][4] = {
    { "default", "", "", NULL },
    { "clusters-512", "cluster_size=512", "", NULL },
    { "clusters-512-refcount-64", "cluster_size=512,refcount_bits=64", "", NULL },
    { "small-caches", "cluster_size=512", ",l2-cache-size=1k,refcount-cache-size=2k", NULL },
    { "v2", "compat=0.10,cluster_size=1k", "", NULL },
    { "subclusters", "extended_l2=on,cluster_size=16k", "", NULL },
    { "lazy", "lazy_refcounts=on,cluster_size=4k", "", NULL },
    { "preallocated", "preallocation=metadata,cluster_size=4k", "", NULL },
    { "snapshots", "cluster_size=4k", "", "yes" },
    { "snapshots-512", "cluster_size=512,refcount_bits=8", "", "yes" },
};

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strconcat("/block/qcow2-crash/", rows[i][0], NULL);
        g_test_add_data_func(path, rows[i], test_crash);
    }
    return g_test_run();
}
