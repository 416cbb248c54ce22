/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Fibers and pollers that wait for descriptors of the host: one epoll descriptor per loop, made
 * when somebody first waits. Thread: the header's. */

#include "blk-context-private.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

static int
get_epoll_fd(BlkLoop *loop)
{
    if (loop->epoll_fd < 0) {
        loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (loop->epoll_fd >= 0 && loop->source) {
            g_source_add_unix_fd(loop->source, loop->epoll_fd, G_IO_IN);
        }
    }
    return loop->epoll_fd;
}

int
blk_wait_fd(BlkContext *context, int fd, short events)
{
    struct epoll_event event = { .events = EPOLLONESHOT | (events & POLLIN ? EPOLLIN : 0u) |
                                           (events & POLLOUT ? EPOLLOUT : 0u),
                                 .data.ptr = context->current };
    BlkLoop *loop = blk_context_get_running_loop(context);
    int epoll_fd = get_epoll_fd(loop);

    g_assert(context->current);
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        return -errno;
    }
    loop->fd_waiters++;
    blk_context_suspend(context);
    loop->fd_waiters--;
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    return 0;
}

/* What epoll gives back is a fiber, or a poller with its lowest bit set. */
enum { POLLER_TAG = 1 };

void
blk_poller_add(BlkContext *context, BlkPoller *poller)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uintptr_t)poller | POLLER_TAG };

    poller->loop = blk_context_get_running_loop(context);
    if (get_epoll_fd(poller->loop) >= 0) {
        epoll_ctl(poller->loop->epoll_fd, EPOLL_CTL_ADD, poller->fd, &event);
    }
    if (poller->is_cheap) {
        poller->next = poller->loop->pollers;
        poller->loop->pollers = poller;
    }
}

void
blk_poller_remove(BlkPoller *poller)
{
    BlkPoller **at = &poller->loop->pollers;

    epoll_ctl(poller->loop->epoll_fd, EPOLL_CTL_DEL, poller->fd, NULL);
    while (*at && *at != poller) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = poller->next;
    }
    if (poller->loop->watched == poller) {
        poller->loop->watched = NULL;
    }
}

void
blk_poller_expect(BlkPoller *poller, bool more)
{
    unsigned *count = poller->is_cheap ? &poller->expected : &poller->loop->fd_waiters;

    *count += more ? 1 : -1;
}

static void
look_at(BlkPoller *poller, bool on)
{
    struct epoll_event event = { .events = on ? EPOLLIN : 0,
                                 .data.u64 = (uintptr_t)poller | POLLER_TAG };

    epoll_ctl(poller->loop->epoll_fd, EPOLL_CTL_MOD, poller->fd, &event);
}

int
blk_loop_watch(BlkLoop *loop)
{
    BlkPoller *poller = loop->watched ? NULL : loop->pollers;

    while (poller && poller->expected == 0) {
        poller = poller->next;
    }
    if (!poller) {
        return -1;
    }
    loop->watched = poller;
    look_at(poller, false);
    return poller->fd;
}

void
blk_loop_end_watch(BlkLoop *loop)
{
    if (loop->watched) {
        look_at(loop->watched, true);
        loop->watched = NULL;
    }
}

void
blk_loop_unwatch(BlkLoop *loop)
{
    blk_loop_end_watch(loop);
    blk_loop_dispatch(loop);
}

void
blk_loop_collect_fds(BlkLoop *loop)
{
    struct epoll_event events[16];

    for (BlkPoller *poller = loop->pollers; poller; poller = poller->next) {
        if (poller->expected > 0) {
            poller->func(poller->opaque);
        }
    }
    int count =
        loop->fd_waiters > 0 ? epoll_wait(loop->epoll_fd, events, VIT_ARRAY_LEN(events), 0) : 0;

    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 & POLLER_TAG) {
            BlkPoller *poller =
                (BlkPoller *)(uintptr_t)(events[i].data.u64 & ~(uint64_t)POLLER_TAG);
            poller->func(poller->opaque);
        } else {
            blk_context_make_ready(loop->context, events[i].data.ptr);
        }
    }
}
