/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Writers of every format killed at random moments. A child process writes through a filter that
 * counts what reaches the files and ends the process by SIGKILL at one of these operations, before
 * it or in its middle. Then the image must check clean but for leaks, by us and by qemu-img (which
 * may have to repair what the format says is to be repaired), every request that had ended must be
 * there, and of the one that was under way any sector may be.
 *
 * VITRINE_CRASH_POINTS sets the number of kills per format (default 5), VITRINE_CRASH_SEED the
 * seed. */

#include "format-disk.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECTOR = 512, DISK_BYTES = 6 << 20, SECTORS = DISK_BYTES / SECTOR, OPS = 40 };

/* Shared with the child. */
typedef struct Shared {
    unsigned begun, done; /* requests */
    unsigned steps, bomb; /* operations on files; the one that kills, 0: none */
    unsigned tear;
} Shared;

static Shared *
shared_of(BlkNode *node)
{
    return *(Shared **)node->state;
}

/* ---- the filter ---- */

static bool
is_time(BlkNode *node)
{
    Shared *shared = shared_of(node);

    shared->steps++;
    return shared->bomb && shared->steps == shared->bomb;
}

static int
bomb_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    return blk_read(node->file, offset, len, vec, at);
}

static int
bomb_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
           unsigned flags)
{
    if (is_time(node)) {
        uint64_t part = len * shared_of(node)->tear / 4 / SECTOR * SECTOR;
        if (part > 0) {
            blk_write(node->file, offset, part, vec, at, 0);
        }
        kill(getpid(), SIGKILL);
    }
    return blk_write(node->file, offset, len, vec, at, flags);
}

static int
bomb_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    if (is_time(node)) {
        kill(getpid(), SIGKILL);
    }
    return blk_write_zeroes(node->file, offset, len, flags);
}

static int
bomb_flush(BlkNode *node)
{
    if (is_time(node)) {
        kill(getpid(), SIGKILL);
    }
    return 0;
}

static bool
bomb_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    if (is_time(node)) {
        kill(getpid(), SIGKILL);
    }
    return blk_truncate(node->file, len, prealloc, error);
}

static int64_t
bomb_get_len(BlkNode *node)
{
    return (int64_t)blk_node_get_len(node->file->node);
}

static void
bomb_child_perm(BlkNode *node, const BlkChild *child, unsigned *perm, unsigned *shared)
{
}

static bool
bomb_open(BlkNode *node, GError **error)
{
    return true;
}

static const VitProp bomb_options[] = { VIT_PROP_UINT(
                                            struct { uint64_t address; }, address, "address", 0, 0,
                                            INT64_MAX, "shared"),
                                        { 0 } };

static const BlkChildSlot bomb_slots[] = { { .name = "file", .required = true }, { 0 } };

static const BlkDriver bomb_driver = {
    .name = "bomb",
    .title = "Filter that ends the program",
    .role = BLK_ROLE_FILTER,
    .state_size = sizeof(uint64_t),
    .options = bomb_options,
    .slots = bomb_slots,
    .open = bomb_open,
    .read = bomb_read,
    .write = bomb_write,
    .write_zeroes = bomb_zeroes,
    .flush = bomb_flush,
    .truncate = bomb_truncate,
    .get_len = bomb_get_len,
    .child_perm = bomb_child_perm,
};

/* ---- requests ---- */

typedef struct Op {
    unsigned first, count; /* sectors */
    bool zero, flush;
} Op;

static void
make_ops(Op *ops, guint32 seed)
{
    GRand *rand = g_rand_new_with_seed(seed);

    for (unsigned i = 0; i < OPS; i++) {
        Op *op = &ops[i];
        unsigned kind = g_rand_int(rand) % 8;
        op->flush = kind == 0;
        op->zero = kind == 1;
        op->first = g_rand_int(rand) % SECTORS;
        op->count = 1 + g_rand_int(rand) % (i % 3 ? 40 : 600);
        op->count = MIN(op->count, SECTORS - op->first);
    }
    g_rand_free(rand);
}

static int
run_op(BlkImage *image, const Op *op, uint64_t tag)
{
    uint64_t len = (uint64_t)op->count * SECTOR;
    g_autofree uint64_t *buf = NULL;

    if (op->flush) {
        return blk_image_flush(image);
    }
    if (op->zero) {
        return blk_image_write_zeroes(image, (uint64_t)op->first * SECTOR, len, false);
    }
    buf = g_malloc(len);
    for (uint64_t i = 0; i < len / 8; i++) {
        buf[i] = tag;
    }
    return blk_image_write(image, (uint64_t)op->first * SECTOR, buf, len);
}

/* ---- processes ---- */

typedef struct Crash {
    const FormatRow *row;
    Shared *shared;
    char *dir, *start, *path; /* the folder, the image before and during */
    Op ops[OPS];
    guint32 seed;
    unsigned number;
} Crash;

static void
init_graph(BlockTest *test, Crash *crash)
{
    block_test_init(test);
    blk_graph_add_driver(test->graph, &bomb_driver);
    block_test_add_secret(test, "s0", "open sesame");
}

static char *
dup_options(const Crash *crash, bool bomb)
{
    const char *key = crash->row->flags & FORMAT_SECRET ? ",key-secret=s0" : "";

    return bomb ? g_strdup_printf("driver=%s%s,file.driver=bomb,file.address=%" G_GUINT64_FORMAT
                                  ",file.file.driver=file,file.file.filename=%s",
                                  crash->row->format, key, (guint64)(uintptr_t)crash->shared,
                                  crash->path)
                : g_strdup_printf("driver=%s%s,file.driver=file,file.filename=%s",
                                  crash->row->format, key, crash->path);
}

/* In a process of its own, so that this one has no threads when it forks. */
static void
in_child(Crash *crash, void (*run)(Crash *crash), bool may_be_killed)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        run(crash);
        _exit(0);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    if (may_be_killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        return;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        g_error("%s, kill %u at operation %u, seed %u: a child has failed", crash->row->name,
                crash->number, crash->shared->bomb, crash->seed);
    }
}

static void
make_start(Crash *crash)
{
    g_autoptr(BlkOptions) options = block_test_options(crash->row->create);
    g_autoptr(GError) error = NULL;
    BlockTest test;

    init_graph(&test, crash);
    blk_options_set(options, "size", G_STRINGIFY(6291456));
    blk_create(test.graph, crash->row->format, crash->start, options, &error);
    g_assert_no_error(error);
    g_free(crash->path);
    crash->path = g_strdup(crash->start);
    if (crash->row->flags & FORMAT_SECRET) {
        g_autofree char *text = dup_options(crash, false);
        BlkNode *node = block_test_open(&test, NULL, text);
        BlkImage *image = blk_image_new(node, true, NULL);
        blk_image_write_zeroes(image, 0, DISK_BYTES, false);
        blk_image_free(image);
        blk_node_unref(node);
    }
    block_test_finish(&test);
}

static void
write_image(Crash *crash)
{
    g_autofree char *text = dup_options(crash, true);
    g_autoptr(GError) error = NULL;
    BlockTest test;
    BlkImage *image;
    BlkNode *node;

    init_graph(&test, crash);
    node = block_test_open(&test, NULL, text);
    image = blk_image_new(node, true, &error);
    g_assert_no_error(error);
    for (unsigned i = 0; i < OPS; i++) {
        crash->shared->begun = i + 1;
        g_assert_cmpint(run_op(image, &crash->ops[i], i + 1), ==, 0);
        crash->shared->done = i + 1;
    }
    blk_image_free(image);
    blk_node_unref(node);
    block_test_finish(&test);
}

/* ---- judging ---- */

static uint64_t
expected(const Crash *crash, unsigned sector, unsigned last)
{
    for (unsigned i = last; i > 0; i--) {
        const Op *op = &crash->ops[i - 1];
        if (!op->flush && sector >= op->first && sector < op->first + op->count) {
            return op->zero ? 0 : i;
        }
    }
    return 0;
}

static void
judge_content(Crash *crash)
{
    g_autofree char *text = dup_options(crash, false);
    g_autofree uint64_t *disk = g_malloc(DISK_BYTES);
    BlkCheck check = { 0 };
    BlockTest test;
    BlkImage *image;
    BlkNode *node;

    init_graph(&test, crash);
    node = block_test_open(&test, NULL, text);
    image = blk_image_new(node, true, NULL);
    if (blk_node_can_check(node)) {
        g_assert_true(blk_node_check(node, &check, NULL));
        g_assert_cmpuint(check.corruptions, ==, 0);
    }
    g_assert_cmpint(blk_image_read(image, 0, disk, DISK_BYTES), ==, 0);
    for (unsigned sector = 0; sector < SECTORS; sector++) {
        const uint64_t *words = disk + (size_t)sector * SECTOR / 8;
        for (unsigned i = 1; i < SECTOR / 8; i++) {
            g_assert_cmpuint(words[i], ==, words[0]);
        }
        if (words[0] != expected(crash, sector, crash->shared->done) &&
            words[0] != expected(crash, sector, crash->shared->begun)) {
            g_error("sector %u is of request %" G_GUINT64_FORMAT ", %u had ended, %u begun", sector,
                    words[0], crash->shared->done, crash->shared->begun);
        }
    }
    /* It can be written again. */
    g_assert_cmpint(run_op(image, &crash->ops[1], 77), ==, 0);
    blk_image_free(image);
    blk_node_unref(node);
    block_test_finish(&test);
}

static void
judge_by_qemu(Crash *crash, bool repair)
{
    g_autofree char *text = NULL;
    const char *args[] = {
        "check", "-q", "-f", crash->row->format, crash->path, repair ? "-r" : NULL, "all", NULL
    };
    int status;

    if (!format_has_judge() || (crash->row->flags & FORMAT_NO_CHECK)) {
        return;
    }
    status = format_run_judge(args, &text);
    /* 3: leaks. */
    if (status != 0 && status != 3) {
        g_error("%s, kill %u at operation %u, seed %u: qemu-img check %d: %s", crash->row->name,
                crash->number, crash->shared->bomb, crash->seed, status, text);
    }
}

static void
crash_once(Crash *crash, GRand *rand, unsigned steps)
{
    g_autofree char *bytes = NULL;
    gsize len;

    g_assert_true(g_file_get_contents(crash->start, &bytes, &len, NULL));
    format_put_file(crash->path, bytes, len);
    *crash->shared = (Shared){ .bomb = 1 + g_rand_int(rand) % steps, .tear = g_rand_int(rand) % 4 };
    in_child(crash, write_image, true);
    if (crash->number % 2) {
        judge_by_qemu(crash, crash->row->flags & FORMAT_REPAIR);
        in_child(crash, judge_content, false);
    } else {
        in_child(crash, judge_content, false);
        judge_by_qemu(crash, false);
    }
}

static void
test_crash(gconstpointer data)
{
    const char *points = g_getenv("VITRINE_CRASH_POINTS"), *seed = g_getenv("VITRINE_CRASH_SEED");
    Crash crash = { .row = data, .seed = seed ? (guint32)atoi(seed) : 7 };
    GRand *rand = g_rand_new_with_seed(crash.seed);
    unsigned steps;

    crash.shared =
        mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert_true(crash.shared != MAP_FAILED);
    crash.dir = g_dir_make_tmp("vitrine-crash-XXXXXX", NULL);
    crash.start = g_build_filename(crash.dir, "start", NULL);
    crash.path = g_build_filename(crash.dir, "image", NULL);
    make_ops(crash.ops, crash.seed);
    in_child(&crash, make_start, false);
    {
        g_autofree char *bytes = NULL;
        gsize len;
        g_assert_true(g_file_get_contents(crash.start, &bytes, &len, NULL));
        format_put_file(crash.path, bytes, len);
    }
    in_child(&crash, write_image, false);
    steps = crash.shared->steps;
    g_assert_cmpuint(steps, >, OPS / 2);
    for (crash.number = 0; crash.number < (points ? (unsigned)atoi(points) : 5); crash.number++) {
        crash_once(&crash, rand, steps);
    }
    unlink(crash.start);
    unlink(crash.path);
    rmdir(crash.dir);
    munmap(crash.shared, sizeof(Shared));
    g_rand_free(rand);
    g_free(crash.start);
    g_free(crash.path);
    g_free(crash.dir);
}

static const FormatRow rows[] = {
    { "luks", "luks", "key-secret=s0,iter-time=1", NULL, NULL, FORMAT_SECRET | FORMAT_NO_CHECK },
    { "parallels", "parallels", "cluster_size=64k", NULL, NULL, FORMAT_REPAIR },
    { "qcow", "qcow", "", NULL, NULL, FORMAT_NO_CHECK },
    { "qed", "qed", "", NULL, NULL, 0 },
    { "qed-4k", "qed", "cluster_size=4k,table_size=2", NULL, NULL, 0 },
    { "vdi", "vdi", "", NULL, NULL, 0 },
    { "vhdx", "vhdx", "block_size=1M", NULL, NULL, FORMAT_REPAIR },
    { "vmdk", "vmdk", "", NULL, NULL, 0 },
    { "vmdk-stream", "vmdk", "subformat=streamOptimized", NULL, NULL, 0 },
    { "vmdk-zeroed", "vmdk", "zeroed_grain=on", NULL, NULL, 0 },
    { "vpc", "vpc", "force_size=on", NULL, NULL, FORMAT_NO_CHECK },
};

int
main(int argc, char **argv)
{
    block_test_use_memory();
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *path = g_strconcat("/block/format-crash/", rows[i].name, NULL);
        if (argc < 2 || strcmp(argv[1], rows[i].name) == 0) {
            g_test_add_data_func(path, &rows[i], test_crash);
        }
    }
    return g_test_run();
}
