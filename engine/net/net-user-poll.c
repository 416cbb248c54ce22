/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The descriptors of the user network stack in the machine's main loop, as one GSource. Before
 * each sleep the stack is asked what it waits for; poll records are only touched when that has
 * changed, because each change costs a turn of the loop.
 *
 * Guest frames usually come from a vCPU thread while the machine thread sleeps: it is woken, once
 * per sleep, to look again.
 *
 * Thread: prepare, check and dispatch on the machine thread; they take the device lock. */

#include "net-user.h"

typedef struct {
    GSource source;
    NetUser *user;
    GArray *fds;    /* GPollFD: what the stack wants now */
    GArray *active; /* GPollFD: what the loop polls; stable addresses between changes */
    gint woken;     /* a wake-up is under way */
} PollSource;

static void
lock(NetUser *user)
{
    if (user->netdev.host.lock) {
        vit_lock_take(user->netdev.host.lock);
    }
}

static void
unlock(NetUser *user)
{
    if (user->netdev.host.lock) {
        vit_lock_release(user->netdev.host.lock);
    }
}

static int
add_poll(int fd, int events, void *opaque)
{
    PollSource *poll = opaque;
    GPollFD pfd = { .fd = fd };

    pfd.events = (events & SLIRP_POLL_IN ? G_IO_IN : 0) | (events & SLIRP_POLL_OUT ? G_IO_OUT : 0) |
                 (events & SLIRP_POLL_PRI ? G_IO_PRI : 0) |
                 (events & SLIRP_POLL_ERR ? G_IO_ERR : 0) |
                 (events & SLIRP_POLL_HUP ? G_IO_HUP : 0);
    g_array_append_val(poll->fds, pfd);
    return poll->fds->len - 1;
}

static int
get_revents(int index, void *opaque)
{
    PollSource *poll = opaque;
    unsigned revents = g_array_index(poll->active, GPollFD, index).revents;

    return (revents & G_IO_IN ? SLIRP_POLL_IN : 0) | (revents & G_IO_OUT ? SLIRP_POLL_OUT : 0) |
           (revents & G_IO_PRI ? SLIRP_POLL_PRI : 0) | (revents & G_IO_ERR ? SLIRP_POLL_ERR : 0) |
           (revents & G_IO_HUP ? SLIRP_POLL_HUP : 0);
}

static bool
same_fds(const PollSource *poll)
{
    if (poll->fds->len != poll->active->len) {
        return false;
    }
    for (unsigned i = 0; i < poll->fds->len; i++) {
        const GPollFD *a = &g_array_index(poll->fds, GPollFD, i);
        const GPollFD *b = &g_array_index(poll->active, GPollFD, i);
        if (a->fd != b->fd || a->events != b->events) {
            return false;
        }
    }
    return true;
}

static void
remove_active(PollSource *poll)
{
    for (unsigned i = 0; i < poll->active->len; i++) {
        g_source_remove_poll(&poll->source, &g_array_index(poll->active, GPollFD, i));
    }
    g_array_set_size(poll->active, 0);
}

static void
update_active(PollSource *poll)
{
    if (same_fds(poll)) {
        return;
    }
    remove_active(poll);
    g_array_append_vals(poll->active, poll->fds->data, poll->fds->len);
    for (unsigned i = 0; i < poll->active->len; i++) {
        g_source_add_poll(&poll->source, &g_array_index(poll->active, GPollFD, i));
    }
}

static gboolean
prepare(GSource *source, int *timeout_ms)
{
    PollSource *poll = (PollSource *)source;
    NetUser *user = poll->user;
    uint32_t wait_ms = UINT32_MAX;

    g_atomic_int_set(&poll->woken, 0);
    lock(user);
    g_array_set_size(poll->fds, 0);
    slirp_pollfds_fill(user->slirp, &wait_ms, add_poll, poll);
    update_active(poll);
    if (!vit_clock_is_running(user->netdev.host.clock)) {
        /* The stack's time stands still: its deadlines do not come nearer. */
        wait_ms = MAX(wait_ms, 1000);
    }
    unlock(user);
    *timeout_ms = wait_ms > G_MAXINT ? -1 : (int)wait_ms;
    return FALSE;
}

static gboolean
check(GSource *source)
{
    /* The stack also does its periodic work when it is polled, so it always is. */
    return TRUE;
}

static gboolean
dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    PollSource *poll = (PollSource *)source;
    NetUser *user = poll->user;

    lock(user);
    if (!g_source_is_destroyed(source)) {
        slirp_pollfds_poll(user->slirp, 0, get_revents, poll);
    }
    unlock(user);
    return G_SOURCE_CONTINUE;
}

static void
finalize(GSource *source)
{
    PollSource *poll = (PollSource *)source;

    g_array_unref(poll->fds);
    g_array_unref(poll->active);
}

static const GSourceFuncs funcs = { prepare, check, dispatch, finalize, NULL, NULL };

GSource *
net_user_poll_new(NetUser *user)
{
    GSource *source = g_source_new((GSourceFuncs *)&funcs, sizeof(PollSource));
    PollSource *poll = (PollSource *)source;

    poll->user = user;
    poll->fds = g_array_new(FALSE, FALSE, sizeof(GPollFD));
    poll->active = g_array_new(FALSE, FALSE, sizeof(GPollFD));
    g_source_set_name(source, "user network");
    g_source_attach(source, user->netdev.host.context);
    return source;
}

void
net_user_poll_wake(GSource *source)
{
    PollSource *poll = (PollSource *)source;

    if (g_main_context_is_owner(g_source_get_context(source))) {
        return; /* it will look before it sleeps */
    }
    if (g_atomic_int_compare_and_exchange(&poll->woken, 0, 1)) {
        g_main_context_wakeup(g_source_get_context(source));
    }
}
