/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Preloaded into a program that writes images: counts what it does to regular files (writes, holes,
 * sizes, flushes) ends it at one of these or lets them fail, and writes them down.
 *
 *   CRASH_AT=N         SIGKILL in place of operation N, counted from 1
 *   CRASH_TEAR=BYTES   of operation N, when it is a write, that much is done first
 *   CRASH_FAIL=N       operation N fails, and with CRASH_FAIL_ALL=1 every later one
 *   CRASH_ERRNO=E      how
 *   CRASH_LOG=FILE     operations and marks, as below; CRASH_DATA=1: writes with their bytes
 *   CRASH_COUNT=FILE   how many operations there were, at a normal end
 *
 * A record is: a letter, inode, offset, length (uint64_t each), then LENGTH bytes for 'w' (and 'm',
 * whose text they are); 'W' is a write without its bytes. 'p' zeroes a range and may lengthen the
 * file, 't' sets the length OFFSET, 's' is a flush that has ended, 'x' an operation that was made
 * to fail.
 *
 * Operations are done one at a time, so that the order written down is the order they had.
 * Interfaces: ld.so(8). Thread: any. */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

void crash_mark(const char *text);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t count, crash_at, tear_bytes, fail_at;
static int fail_errno;
static bool is_ready, with_data, fail_all;
static int log_fd = -1;

static void *
next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static uint64_t
number(const char *name)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : 0;
}

static void
prepare(void)
{
    const char *path = getenv("CRASH_LOG");

    if (is_ready) {
        return;
    }
    is_ready = true;
    crash_at = number("CRASH_AT");
    tear_bytes = number("CRASH_TEAR");
    fail_at = number("CRASH_FAIL");
    fail_all = number("CRASH_FAIL_ALL") != 0;
    fail_errno = (int)number("CRASH_ERRNO");
    with_data = number("CRASH_DATA") != 0;
    log_fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
}

static void
put(const void *data, size_t len)
{
    if (write(log_fd, data, len) != (ssize_t)len) {
        abort(); /* half a log is of no use */
    }
}

static void
put_record(char letter, uint64_t inode, uint64_t offset, uint64_t len)
{
    char head[25] = { letter };

    if (log_fd >= 0) {
        memcpy(head + 1, &inode, 8);
        memcpy(head + 9, &offset, 8);
        memcpy(head + 17, &len, 8);
        put(head, sizeof(head));
    }
}

void
crash_mark(const char *text)
{
    pthread_mutex_lock(&lock);
    prepare();
    put_record('m', 0, 0, strlen(text));
    if (log_fd >= 0) {
        put(text, strlen(text));
    }
    pthread_mutex_unlock(&lock);
}

/* False: FD is no regular file. Otherwise the lock is held, and this is not the last operation. */
static bool
begin(int fd, uint64_t *out_inode, const struct iovec *iov, int iov_count, off_t offset)
{
    struct stat st;

    if (fd == log_fd || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        return false;
    }
    *out_inode = st.st_ino;
    pthread_mutex_lock(&lock);
    prepare();
    if (++count == crash_at) {
        for (int i = 0; i < iov_count && tear_bytes > 0; i++) {
            ssize_t (*real)(int, const void *, size_t, off_t) = next("pwrite64");
            size_t len = iov[i].iov_len < tear_bytes ? iov[i].iov_len : tear_bytes;
            if (real(fd, iov[i].iov_base, len, offset) != (ssize_t)len) {
                break;
            }
            offset += (off_t)len;
            tear_bytes -= len;
        }
        kill(getpid(), SIGKILL);
        pause();
    }
    return true;
}

/* Whether the operation that has begun is to fail; errno is set then. */
static bool
fails(void)
{
    bool is_failing = fail_at && (count == fail_at || (fail_all && count > fail_at));

    if (is_failing) {
        put_record('x', 0, 0, 0);
        errno = fail_errno;
    }
    return is_failing;
}

static void
end(void)
{
    int saved = errno;

    pthread_mutex_unlock(&lock);
    errno = saved;
}

static ssize_t
write_vector(int fd, const struct iovec *iov, int iov_count, off_t offset, int flags)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t, int) = next("pwritev64v2");
    uint64_t inode;

    if (!begin(fd, &inode, iov, iov_count, offset)) {
        return real(fd, iov, iov_count, offset, flags);
    }
    ssize_t ret = fails() ? -1 : real(fd, iov, iov_count, offset, flags);
    if (ret > 0) {
        size_t left = (size_t)ret;
        put_record(with_data ? 'w' : 'W', inode, (uint64_t)offset, left);
        for (int i = 0; i < iov_count && left > 0 && with_data && log_fd >= 0; i++) {
            size_t len = iov[i].iov_len < left ? iov[i].iov_len : left;
            put(iov[i].iov_base, len);
            left -= len;
        }
        if (flags & RWF_DSYNC) {
            put_record('s', inode, 0, 0);
        }
    }
    end();
    return ret;
}

/* The names that programs with 64-bit offsets call. */
ssize_t
pwritev64v2(int fd, const struct iovec *iov, int iov_count, off_t offset, int flags)
{
    return write_vector(fd, iov, iov_count, offset, flags);
}

ssize_t
pwrite64(int fd, const void *buf, size_t len, off_t offset)
{
    struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };

    return write_vector(fd, &iov, 1, offset, 0);
}

static int
change_range(int fd, int mode, off_t offset, off_t len)
{
    int (*real)(int, int, off_t, off_t) = next("fallocate64");
    uint64_t inode;

    if (!begin(fd, &inode, NULL, 0, 0)) {
        return real(fd, mode, offset, len);
    }
    int ret = fails() ? -1 : real(fd, mode, offset, len);
    if (ret == 0 && mode != 0) {
        put_record('p', inode, (uint64_t)offset, (uint64_t)len);
    }
    end();
    return ret;
}

int
fallocate64(int fd, int mode, off_t offset, off_t len)
{
    return change_range(fd, mode, offset, len);
}

static int
change_length(int fd, off_t len)
{
    int (*real)(int, off_t) = next("ftruncate64");
    uint64_t inode;

    if (!begin(fd, &inode, NULL, 0, 0)) {
        return real(fd, len);
    }
    int ret = fails() ? -1 : real(fd, len);
    if (ret == 0) {
        put_record('t', inode, (uint64_t)len, 0);
    }
    end();
    return ret;
}

int
ftruncate64(int fd, off_t len)
{
    return change_length(fd, len);
}

static int
sync_file(int fd, const char *name)
{
    int (*real)(int) = next(name);
    uint64_t inode;

    if (!begin(fd, &inode, NULL, 0, 0)) {
        return real(fd);
    }
    /* Memory is where the images of these tests lie: only the order counts. */
    int ret = fails() ? -1 : 0;
    if (ret == 0) {
        put_record('s', inode, 0, 0);
    }
    end();
    return ret;
}

int
fdatasync(int fd)
{
    return sync_file(fd, "fdatasync");
}

int
fsync(int fd)
{
    return sync_file(fd, "fsync");
}

__attribute__((destructor)) static void
tell_count(void)
{
    const char *path = getenv("CRASH_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;

    if (file) {
        fprintf(file, "%llu\n", (unsigned long long)count);
        fclose(file);
    }
}
