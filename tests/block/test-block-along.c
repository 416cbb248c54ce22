/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Short writes to the page cache that a CPU's thread makes itself once its access to the device is
 * over. Three of the host's calls are this file's: fstatfs() names the file system; pwritev2()
 * notes who calls, and as on ext4 does nothing that must not wait; the clock moves when it is told,
 * not while a busy host leaves the test alone. */

#include "block-test.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { MOST_WRITES = 8, DISK_BYTES = 1 << 20, MOST_BYTES = 64 * 1024 };

typedef struct Host {
    long file_system;
    VitLock *lock;
    gint now_ms, delay_ms, calls; /* atomic */
    GThread *threads[MOST_WRITES];
    bool had_lock;
} Host;

static Host host;

gint64
g_get_monotonic_time(void)
{
    return (gint64)g_atomic_int_get(&host.now_ms) * 1000;
}

int
fstatfs(int fd, struct statfs *out)
{
    *out = (struct statfs){ .f_type = host.file_system };
    return 0;
}

ssize_t
pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
    int call;

    if (flags & RWF_NOWAIT) {
        errno = EOPNOTSUPP;
        return -1;
    }
    call = g_atomic_int_add(&host.calls, 1);
    if (call < MOST_WRITES) {
        host.threads[call] = g_thread_self();
    }
    host.had_lock |= vit_lock_is_held(host.lock);
    g_atomic_int_add(&host.now_ms, g_atomic_int_get(&host.delay_ms));
    return pwritev(fd, iov, count, at);
}

typedef struct Along {
    BlockTest test;
    GMainContext *main_context;
    VitLock lock;
    VitDrive *drive;
    uint8_t data[MOST_WRITES][MOST_BYTES];
    struct iovec iov[MOST_WRITES];
    Pending pending[MOST_WRITES];
    unsigned count;
} Along;

static void
begin(Along *along, long file_system)
{
    static const BlkDriveConfig config;
    static const VitDriveUser user;
    g_autoptr(GError) error = NULL;

    memset(along, 0, sizeof(*along));
    host = (Host){ .file_system = file_system, .lock = &along->lock, .now_ms = 1000 };
    vit_lock_init(&along->lock);
    vit_lock_take(&along->lock);
    along->main_context = g_main_context_new();
    along->test.lock = &along->lock;
    along->test.graph = blk_graph_new(along->main_context, &along->lock, &error);
    g_assert_no_error(error);
    along->test.dir = g_dir_make_tmp("vitrine-block-XXXXXX", &error);
    g_assert_no_error(error);
    g_autofree char *path = block_test_image(&along->test, "disk", DISK_BYTES);
    g_autoptr(BlkNode) node = block_test_open(&along->test, path, "driver=raw");
    along->drive = blk_drive_new(along->test.graph, "d0", &config, node, &error);
    g_assert_no_error(error);
    g_assert_true(vit_drive_attach(along->drive, &user, &error));
    vit_lock_release(&along->lock);
    g_atomic_int_set(&host.calls, 0);
}

static void
finish(Along *along)
{
    vit_lock_take(&along->lock);
    vit_drive_detach(along->drive);
    blk_drive_free(along->drive);
    block_test_finish(&along->test);
    vit_lock_release(&along->lock);
    vit_lock_finish(&along->lock);
    g_main_context_unref(along->main_context);
}

/* As a window does around a guest's access. */
static void
enter(Along *along)
{
    vit_lock_take(&along->lock);
    vit_lock_take_errands(&along->lock);
}

static void
start_write(Along *along, uint64_t offset, size_t len)
{
    unsigned i = along->count++;

    memset(along->data[i], (int)i + 1, len);
    along->iov[i] = (struct iovec){ along->data[i], len };
    along->drive->ops->write(along->drive, offset, &along->iov[i], 1, false, block_test_done,
                             &along->pending[i]);
    g_assert_false(along->pending[i].ended);
}

static void
wait_for_all(Along *along)
{
    vit_lock_take(&along->lock);
    for (unsigned i = 0; i < along->count; i++) {
        g_assert_cmpint(block_test_wait(&along->test, &along->pending[i]), ==, 0);
    }
    vit_lock_release(&along->lock);
}

/* Who has made the COUNT calls since the last look: this thread, or workers. */
static void
check_calls(unsigned count, bool along)
{
    g_assert_cmpint(g_atomic_int_get(&host.calls), ==, (int)count);
    for (unsigned i = 0; i < count; i++) {
        g_assert_cmpint(host.threads[i] == g_thread_self(), ==, along);
    }
    g_assert_false(host.had_lock);
    g_atomic_int_set(&host.calls, 0);
}

static void
check_content(Along *along, unsigned index, uint64_t offset, size_t len)
{
    g_autofree uint8_t *found = g_malloc(len);

    block_test_read_image(&along->test, "disk", offset, found, len);
    g_assert_cmpmem(found, len, along->data[index], len);
}

static void
test_one(void)
{
    g_autofree Along *along = g_new(Along, 1);

    begin(along, EXT4_SUPER_MAGIC);
    for (unsigned i = 0; i < MOST_WRITES; i++) {
        enter(along);
        start_write(along, 4096 * i, 4096);
        vit_lock_release(&along->lock);
        g_assert_true(along->pending[i].ended);
        g_assert_cmpint(along->pending[i].ret, ==, 0);
        check_calls(1, true);
        check_content(along, i, 4096 * i, 4096);
    }
    finish(along);
}

/* The kernel lets one in at a time: who makes the first makes them all. */
static void
test_many(void)
{
    g_autofree Along *along = g_new(Along, 1);

    begin(along, EXT4_SUPER_MAGIC);
    enter(along);
    for (unsigned i = 0; i < MOST_WRITES; i++) {
        start_write(along, 16384 * i, 16384);
    }
    vit_lock_release(&along->lock);
    for (unsigned i = 0; i < MOST_WRITES; i++) {
        g_assert_true(along->pending[i].ended);
        check_content(along, i, 16384 * i, 16384);
    }
    check_calls(MOST_WRITES, true);
    finish(along);
}

/* A device that waits in the middle of the access, as for a reset, is not waited for. */
static void
test_drain(void)
{
    g_autofree Along *along = g_new(Along, 1);

    begin(along, EXT4_SUPER_MAGIC);
    enter(along);
    start_write(along, 0, 4096);
    start_write(along, 8192, 4096);
    along->drive->ops->drain(along->drive);
    g_assert_true(along->pending[0].ended && along->pending[1].ended);
    vit_lock_release(&along->lock);
    check_calls(2, false);
    finish(along);
}

/* Nobody's access, or one within something longer. */
static void
test_outside(void)
{
    g_autofree Along *along = g_new(Along, 1);

    begin(along, EXT4_SUPER_MAGIC);
    vit_lock_take(&along->lock);
    start_write(along, 0, 4096);
    enter(along);
    start_write(along, 4096, 4096);
    vit_lock_release(&along->lock);
    vit_lock_release(&along->lock);
    wait_for_all(along);
    check_calls(2, false);
    finish(along);
}

static void
test_unfit(void)
{
    static const struct {
        long file_system;
        uint64_t offset;
        size_t len;
    } rows[] = {
        { EXT4_SUPER_MAGIC, 512, 4096 },     { EXT4_SUPER_MAGIC, 4096, 512 },
        { EXT4_SUPER_MAGIC, 0, MOST_BYTES }, { NFS_SUPER_MAGIC, 0, 4096 },
        { FUSE_SUPER_MAGIC, 0, 4096 },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree Along *along = g_new(Along, 1);
        begin(along, rows[i].file_system);
        enter(along);
        start_write(along, rows[i].offset, rows[i].len);
        vit_lock_release(&along->lock);
        wait_for_all(along);
        check_calls(1, false);
        check_content(along, 0, rows[i].offset, rows[i].len);
        finish(along);
    }
}

/* How long the write takes, and who makes it. */
static void
write_once(Along *along, int takes_ms, bool by_this_thread)
{
    g_atomic_int_set(&host.delay_ms, takes_ms);
    along->count = 0;
    along->pending[0].ended = false;
    enter(along);
    start_write(along, 4096, 4096);
    vit_lock_release(&along->lock);
    wait_for_all(along);
    check_calls(1, by_this_thread);
}

/* One that takes long sends the next ones to workers: for a second, then 4, up to 64; and for one
 * again when all has been well for long. */
static void
test_slow(void)
{
    static const int pauses_ms[] = { 1000, 4000, 16000, 64000, 64000 };
    g_autofree Along *along = g_new(Along, 1);

    begin(along, EXT4_SUPER_MAGIC);
    write_once(along, 4, true);
    for (unsigned i = 0; i < G_N_ELEMENTS(pauses_ms); i++) {
        write_once(along, 20, true);
        write_once(along, 20, false);
        g_atomic_int_add(&host.now_ms, pauses_ms[i] - 21);
        write_once(along, 0, false);
        g_atomic_int_add(&host.now_ms, 1);
        write_once(along, 0, true);
    }
    g_atomic_int_add(&host.now_ms, 300 * 1000);
    write_once(along, 20, true);
    write_once(along, 0, false);
    g_atomic_int_add(&host.now_ms, 1000);
    write_once(along, 0, true);
    finish(along);
}

/* A tool's threads have no accesses; short and long writes wait for each other there, too, but that
 * two may be under way. */
typedef struct Crowd {
    BlkContext *context;
    BlkTurns turns;
    gint running, done; /* atomic */
} Crowd;

static int
take_turn(void *arg)
{
    Crowd *crowd = arg;

    g_assert_cmpint(g_atomic_int_add(&crowd->running, 1), <, 2);
    g_thread_yield();
    g_atomic_int_add(&crowd->running, -1);
    g_atomic_int_inc(&crowd->done);
    return 0;
}

static void
crowd_fiber(void *opaque)
{
    Crowd *crowd = opaque;

    for (unsigned i = 0; i < 50; i++) {
        blk_pool_run_here(crowd->context, &crowd->turns, take_turn, crowd);
        blk_pool_run_along(crowd->context, &crowd->turns, take_turn, crowd);
    }
}

static void
test_crowd(void)
{
    Crowd crowd = { .context = blk_context_new(NULL, NULL, NULL) };

    blk_context_run_parallel(crowd.context, 4, crowd_fiber, &crowd, 16);
    g_assert_cmpint(crowd.done, ==, 16 * 100);
    blk_context_free(crowd.context);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/along/one", test_one);
    g_test_add_func("/block/along/many", test_many);
    g_test_add_func("/block/along/drain", test_drain);
    g_test_add_func("/block/along/outside", test_outside);
    g_test_add_func("/block/along/unfit", test_unfit);
    g_test_add_func("/block/along/slow", test_slow);
    g_test_add_func("/block/along/crowd", test_crowd);
    return g_test_run();
}
