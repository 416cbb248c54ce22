/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Image locks: open-file-description locks on single bytes of the file, laid out as QEMU's tools
 * do, so that both respect each other's images. For permission number N a user that has it holds a
 * shared lock on byte 100 + N, one that does not bear others having it holds one on byte 200 + N.
 * All locks are shared; a conflict is found by asking whether an exclusive lock would be refused
 * on the opposite byte. Two programs that start at once may so refuse each other, but never both
 * go on. fcntl(2), "Open file description locks".
 *
 * The kernel does not tell the owner of such a lock; /proc does. */

#include "blk-file-lock.h"

#include "blk-driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PERM_BASE = 100, UNSHARED_BASE = 200, PERM_COUNT = 4 };

static int
set_lock(int fd, short type, off_t byte)
{
    struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    while (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

/* Whether somebody else holds BYTE. */
static bool
is_held_elsewhere(int fd, off_t byte)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* ---- who it is ---- */

static bool
has_lock_line(const char *pid, const char *fd_name)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/fdinfo/%s", pid, fd_name);
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) && strstr(text, "lock:");
}

static bool
process_holds(const char *pid, const struct stat *image, int own_fd)
{
    g_autofree char *dir_path = g_strdup_printf("/proc/%s/fd", pid);
    g_autoptr(GDir) dir = g_dir_open(dir_path, 0, NULL);
    bool is_self = (pid_t)g_ascii_strtoull(pid, NULL, 10) == getpid();
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(dir_path, name, NULL);
        struct stat st;
        if (is_self && (int)g_ascii_strtoll(name, NULL, 10) == own_fd) {
            continue;
        }
        if (stat(path, &st) == 0 && st.st_dev == image->st_dev && st.st_ino == image->st_ino &&
            has_lock_line(pid, name)) {
            return true;
        }
    }
    return false;
}

/* "another process (NAME, pid N)", or as much as can be found out. */
static char *
describe_holder(int fd)
{
    g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
    struct stat st;
    const char *pid;

    if (fstat(fd, &st) < 0) {
        return g_strdup("another process");
    }
    while (proc && (pid = g_dir_read_name(proc))) {
        if (!g_ascii_isdigit(*pid) || !process_holds(pid, &st, fd)) {
            continue;
        }
        if ((pid_t)g_ascii_strtoull(pid, NULL, 10) == getpid()) {
            return g_strdup("another drive of this program");
        }
        g_autofree char *path = g_strdup_printf("/proc/%s/comm", pid);
        g_autofree char *name = NULL;
        if (g_file_get_contents(path, &name, NULL, NULL)) {
            return g_strdup_printf("another process, pid %s (%s)", pid, g_strchomp(name));
        }
        return g_strdup_printf("another process, pid %s", pid);
    }
    return g_strdup("another process");
}

static void
set_busy_error(int fd, const char *filename, const char *what, GError **error)
{
    g_autofree char *holder = describe_holder(fd);

    g_set_error(error, VIT_ERROR, VIT_ERROR_BUSY,
                "'%s' is in use by %s, which %s. Close it there or use a copy of the image.",
                filename, holder, what);
}

/* ---- taking and dropping ---- */

static bool
find_objection(int fd, const char *filename, unsigned perm, unsigned shared, GError **error)
{
    static const char *const refuses[PERM_COUNT] = { "does not let others read it",
                                                     "does not let others write to it",
                                                     "does not let others rewrite it",
                                                     "does not let others resize it" };
    static const char *const does[PERM_COUNT] = { "is reading it", "may write to it",
                                                  "may rewrite it", "may resize it" };

    for (unsigned n = 0; n < PERM_COUNT; n++) {
        if ((perm & 1u << n) && is_held_elsewhere(fd, UNSHARED_BASE + n)) {
            set_busy_error(fd, filename, refuses[n], error);
            return true;
        }
        if (!(shared & 1u << n) && is_held_elsewhere(fd, PERM_BASE + n)) {
            set_busy_error(fd, filename, does[n], error);
            return true;
        }
    }
    return false;
}

static int
take_bytes(int fd, unsigned perm, unsigned shared)
{
    int ret = 0;

    for (unsigned n = 0; n < PERM_COUNT && ret == 0; n++) {
        if (perm & 1u << n) {
            ret = set_lock(fd, F_RDLCK, PERM_BASE + n);
        }
        if (ret == 0 && !(shared & 1u << n)) {
            ret = set_lock(fd, F_RDLCK, UNSHARED_BASE + n);
        }
    }
    return ret;
}

void
blk_file_lock_keep(int fd, unsigned perm, unsigned shared)
{
    for (unsigned n = 0; n < PERM_COUNT; n++) {
        if (!(perm & 1u << n)) {
            set_lock(fd, F_UNLCK, PERM_BASE + n);
        }
        if (shared & 1u << n) {
            set_lock(fd, F_UNLCK, UNSHARED_BASE + n);
        }
    }
}

bool
blk_file_lock_copy(int fd, unsigned perm, unsigned shared)
{
    return take_bytes(fd, perm, shared) == 0;
}

bool
blk_file_lock_add(int fd, const char *filename, unsigned held_perm, unsigned held_shared,
                  unsigned perm, unsigned shared, bool *out_supported, GError **error)
{
    int ret = take_bytes(fd, perm & ~held_perm, shared | ~held_shared);

    *out_supported = true;
    if (ret == -EACCES || ret == -EAGAIN) {
        /* Somebody holds an exclusive lock: no tool of this kind, but surely no friend. */
        set_busy_error(fd, filename, "has locked it", error);
    } else if (ret < 0) {
        *out_supported = false;
        return true;
    } else if (!find_objection(fd, filename, perm, shared, error)) {
        return true;
    }
    blk_file_lock_keep(fd, held_perm, held_shared);
    return false;
}
