/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The event loops of a context: what wakes the thread that dispatches for one. A context has one of
 * its own, and one for each iothread that drives name. A fiber stays with the loop it was started
 * for, so requests end on the thread that the user chose for the disk; which thread dispatches a
 * loop is a matter of order, not of safety (blk-context.h, invariant 1).
 *
 * An eventfd wakes the loop. It is written only when it is not already set, so a burst of
 * completions costs one system call. A loop that nobody uses any more is dispatched by the
 * context's own thread, as something may still be waiting there, and taken by the next iothread.
 *
 * Thread: the context's lock held; blk_loop_signal() any. */

#include "blk-context-private.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct LoopSource {
    GSource source;
    BlkLoop *loop;
} LoopSource;

void
blk_loop_signal(BlkLoop *loop)
{
    uint64_t one = 1;

    if (!atomic_exchange(&loop->signalled, true)) {
        while (write(loop->event_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
        }
    }
}

void
blk_loop_clear_signal(BlkLoop *loop)
{
    uint64_t count;

    if (!atomic_load(&loop->signalled)) {
        return;
    }
    if (read(loop->event_fd, &count, sizeof(count)) == sizeof(count)) {
        atomic_store(&loop->signalled, false);
    }
}

static gboolean
source_dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
    BlkLoop *loop = ((LoopSource *)source)->loop;
    VitLock *lock = loop->context->lock;

    if (lock) {
        vit_lock_take(lock);
    }
    /* With the lock: whoever holds it may be waiting for this very signal (blk_context_poll). */
    blk_loop_clear_signal(loop);
    blk_loop_dispatch(loop);
    if (lock) {
        vit_lock_release(lock);
    }
    return G_SOURCE_CONTINUE;
}

static const GSourceFuncs source_funcs = { .dispatch = source_dispatch };

static void
detach(BlkLoop *loop)
{
    if (loop->source) {
        g_source_destroy(loop->source);
        g_source_unref(g_steal_pointer(&loop->source));
    }
}

void
blk_loop_attach(BlkLoop *loop, GMainContext *main_context)
{
    detach(loop);
    loop->source = g_source_new((GSourceFuncs *)&source_funcs, sizeof(LoopSource));
    ((LoopSource *)loop->source)->loop = loop;
    g_source_set_name(loop->source, "block");
    /* Else GLib takes the descriptors out of its list and puts them back at each dispatch, and
     * wakes its own loop every time: four writes, a read and a second turn of the loop for a
     * request. */
    g_source_set_can_recurse(loop->source, TRUE);
    g_source_add_unix_fd(loop->source, loop->event_fd, G_IO_IN);
    if (loop->epoll_fd >= 0) {
        g_source_add_unix_fd(loop->source, loop->epoll_fd, G_IO_IN);
    }
    g_source_attach(loop->source, main_context);
}

bool
blk_loop_init(BlkLoop *loop, BlkContext *context)
{
    loop->context = context;
    loop->epoll_fd = -1;
    loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return loop->event_fd >= 0;
}

void
blk_loop_finish(BlkLoop *loop)
{
    g_assert(!loop->ready.first && !loop->deferred_first);
    detach(loop);
    if (loop->event_fd >= 0) {
        close(loop->event_fd);
    }
    if (loop->epoll_fd >= 0) {
        close(loop->epoll_fd);
    }
}

/* One that nobody uses, or a new one; NULL when the host has no descriptors. */
static BlkLoop *
get_free_loop(BlkContext *context)
{
    BlkLoop *loop = context->own.next;

    while (loop && loop->users > 0) {
        loop = loop->next;
    }
    if (loop) {
        return loop;
    }
    loop = g_new0(BlkLoop, 1);
    if (!blk_loop_init(loop, context)) {
        g_free(loop);
        return NULL;
    }
    loop->next = context->own.next;
    context->own.next = loop;
    return loop;
}

BlkLoop *
blk_context_get_loop(BlkContext *context)
{
    return &context->own;
}

BlkLoop *
blk_context_get_running_loop(BlkContext *context)
{
    return context->running ? context->running : &context->own;
}

BlkLoop *
blk_context_take_loop(BlkContext *context, GMainContext *main_context)
{
    BlkLoop *loop = context->own.next;

    while (loop && (loop->users == 0 || loop->owner != main_context)) {
        loop = loop->next;
    }
    if (!loop) {
        loop = get_free_loop(context);
        if (!loop) {
            return &context->own;
        }
        loop->owner = main_context;
        blk_loop_attach(loop, main_context);
    }
    loop->users++;
    return loop;
}

void
blk_context_put_loop(BlkLoop *loop)
{
    BlkContext *context = loop->context;

    if (loop != &context->own && --loop->users == 0) {
        loop->owner = NULL;
        blk_loop_attach(loop, context->main_context);
    }
}
