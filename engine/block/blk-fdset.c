/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Descriptor sets: files that were opened before the program started (-add-fd) and are opened
 * again as /dev/fdset/N; the member whose access fits is duplicated. Thread: the graph's lock
 * held. */

#include "blk-graph-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef struct Member {
    unsigned set;
    int fd;
} Member;

static void
clear_member(gpointer data)
{
    close(((Member *)data)->fd);
}

bool
blk_graph_add_fd(BlkGraph *graph, unsigned set, int fd, GError **error)
{
    Member member = { .set = set, .fd = fcntl(fd, F_DUPFD_CLOEXEC, 3) };

    if (member.fd < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "The descriptor %d cannot be put into set %u: %s.", fd, set, g_strerror(errno));
        return false;
    }
    if (!graph->fd_members) {
        graph->fd_members = g_array_new(FALSE, FALSE, sizeof(Member));
        g_array_set_clear_func(graph->fd_members, clear_member);
    }
    g_array_append_val(graph->fd_members, member);
    return true;
}

bool
blk_path_is_fdset(const char *path)
{
    return g_str_has_prefix(path, "/dev/fdset/");
}

int
blk_graph_open_fdset(BlkGraph *graph, const char *path, int flags)
{
    const char *number = path + strlen("/dev/fdset/");
    bool found = false;
    uint64_t set;

    if (!g_ascii_string_to_unsigned(number, 10, 0, UINT_MAX, &set, NULL)) {
        return -ENOENT;
    }
    for (unsigned i = 0; graph->fd_members && i < graph->fd_members->len; i++) {
        const Member *member = &g_array_index(graph->fd_members, Member, i);
        int have = member->set == set ? fcntl(member->fd, F_GETFL) : -1;

        if (have >= 0 && (have & O_ACCMODE) == (flags & O_ACCMODE)) {
            int fd = fcntl(member->fd, F_DUPFD_CLOEXEC, 3);
            return fd < 0 ? -errno : fd;
        }
        found |= have >= 0;
    }
    return found ? -EACCES : -ENOENT;
}
