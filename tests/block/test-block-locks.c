/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Image locks against a second process, which holds them as other tools of the kind do. */

#include "block-test.h"

#include "vit-error.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Holder {
    pid_t pid;
    int release_fd;
} Holder;

static void
lock_byte(int fd, off_t byte)
{
    struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        _exit(1);
    }
}

/* A process that holds PERM (bytes from 100) and refuses others UNSHARED (bytes from 200). */
static Holder
start_holder(const char *path, unsigned perm, unsigned unshared)
{
    int ready[2], release[2];
    Holder holder;
    char byte;

    g_assert_cmpint(pipe(ready), ==, 0);
    g_assert_cmpint(pipe(release), ==, 0);
    holder.pid = fork();
    g_assert_cmpint(holder.pid, >=, 0);
    if (holder.pid == 0) {
        int fd = open(path, O_RDWR);
        close(release[1]);
        for (unsigned n = 0; n < 4; n++) {
            if (perm & 1u << n) {
                lock_byte(fd, 100 + n);
            }
            if (unshared & 1u << n) {
                lock_byte(fd, 200 + n);
            }
        }
        if (write(ready[1], "r", 1) != 1 || read(release[0], &byte, 1) < 0) {
            _exit(1);
        }
        _exit(0);
    }
    close(ready[1]);
    close(release[0]);
    g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
    close(ready[0]);
    holder.release_fd = release[1];
    return holder;
}

static void
stop_holder(Holder *holder)
{
    int status;

    close(holder->release_fd);
    g_assert_cmpint(waitpid(holder->pid, &status, 0), ==, holder->pid);
    g_assert_cmpint(status, ==, 0);
}

static BlkImage *
try_open(BlockTest *test, const char *path, bool write, const char *options, BlkNode **out_node,
         GError **error)
{
    *out_node = block_test_open(test, path, options);
    return blk_image_new(*out_node, write, error);
}

static void
expect_busy(BlockTest *test, const char *path, bool write, const char *options, pid_t pid)
{
    g_autofree char *words = g_strdup_printf("pid %d", pid);
    g_autoptr(GError) error = NULL;
    BlkNode *node;

    g_assert_null(try_open(test, path, write, options, &node, &error));
    g_assert_error(error, VIT_ERROR, VIT_ERROR_BUSY);
    g_assert_nonnull(strstr(error->message, path));
    if (!strstr(error->message, words)) {
        g_error("\"%s\" does not say \"%s\"", error->message, words);
    }
    blk_node_unref(node);
}

static void
expect_free(BlockTest *test, const char *path, bool write, const char *options)
{
    g_autoptr(GError) error = NULL;
    BlkNode *node;
    BlkImage *image = try_open(test, path, write, options, &node, &error);

    g_assert_no_error(error);
    blk_image_free(image);
    blk_node_unref(node);
}

static void
test_writer_elsewhere(void)
{
    BlockTest test;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 8192);
    Holder holder = start_holder(path, BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE,
                                 BLK_PERM_WRITE | BLK_PERM_RESIZE);
    expect_busy(&test, path, true, "driver=raw", holder.pid);
    expect_busy(&test, path, false, "driver=raw,read-only=on", holder.pid);
    expect_free(&test, path, false, "driver=raw,read-only=on,force-share=on");
    expect_free(&test, path, true, "driver=raw,locking=off");
    stop_holder(&holder);
    expect_free(&test, path, true, "driver=raw");
    block_test_finish(&test);
}

static void
test_reader_elsewhere(void)
{
    BlockTest test;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 8192);
    Holder holder = start_holder(path, BLK_PERM_CONSISTENT_READ, BLK_PERM_WRITE | BLK_PERM_RESIZE);
    expect_busy(&test, path, true, "driver=raw", holder.pid);
    expect_free(&test, path, false, "driver=raw,read-only=on");
    stop_holder(&holder);
    block_test_finish(&test);
}

/* What we hold is seen by others, is taken over a reopening, and is gone with the node. */
static bool
is_free(const char *path, off_t byte)
{
    int fd = open(path, O_RDWR);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    g_assert_cmpint(fcntl(fd, F_OFD_GETLK, &lock), ==, 0);
    close(fd);
    return lock.l_type == F_UNLCK;
}

static void
test_own_locks(void)
{
    g_autoptr(GError) error = NULL;
    BlockTest test;

    block_test_init(&test);
    g_autofree char *path = block_test_image(&test, "disk", 8192);
    BlkNode *node = block_test_open(&test, path, "driver=raw");
    g_assert_true(is_free(path, 101)); /* nobody uses it yet */
    BlkImage *image = blk_image_new(node, true, &error);
    g_assert_false(is_free(path, 100));
    g_assert_false(is_free(path, 101));
    g_assert_false(is_free(path, 201));
    g_assert_true(is_free(path, 200)); /* others may read */
    blk_image_free(image);
    g_assert_true(is_free(path, 101));
    image = blk_image_new(node, false, &error);
    g_assert_true(blk_node_set_read_only(node, true, &error));
    g_assert_no_error(error);
    g_assert_false(is_free(path, 100));
    g_assert_false(is_free(path, 201));
    blk_image_free(image);
    blk_node_unref(node);
    g_assert_true(is_free(path, 100));
    g_assert_true(is_free(path, 201));
    block_test_finish(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/locks/writer-elsewhere", test_writer_elsewhere);
    g_test_add_func("/block/locks/reader-elsewhere", test_reader_elsewhere);
    g_test_add_func("/block/locks/own", test_own_locks);
    return g_test_run();
}
