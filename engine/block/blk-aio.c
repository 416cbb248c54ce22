/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The kernel's queues as fibers use them: a request is submitted at once, its fiber waits, and the
 * context's event loop takes completions when the queue's descriptor becomes readable. io_uring
 * gets the requests of a burst by one system call. What the queue has no room for is done by a
 * worker. Short transfers are continued here. Interfaces: io_uring(7) through liburing,
 * io_submit(2) through libaio. Thread: the graph's lock held. */

#include "blk-aio.h"

#include "blk-graph-private.h"

#include <errno.h>
#include <limits.h>
#include <sys/eventfd.h>
#include <unistd.h>

#ifdef HAVE_LIBURING
#include <liburing.h>
#endif
#ifdef HAVE_LIBAIO
#include <libaio.h>
#endif

enum { QUEUE_ENTRIES = 256 };

typedef struct AioRequest {
    bool done;
    int ret;
    BlkWaitQueue waiter;
} AioRequest;

struct BlkAio {
    BlkGraph *graph;
    BlkContext *context;
    BlkLoop *loop;
    BlkAio *next; /* of the graph's of this kind */
    BlkAioKind kind;
    BlkPoller poller;
    unsigned in_flight;
    bool is_submitting; /* at the end of the burst */
    BlkDeferred submission;
#ifdef HAVE_LIBURING
    struct io_uring ring;
#endif
#ifdef HAVE_LIBAIO
    io_context_t queue;
#endif
};

static void
complete(BlkAio *aio, AioRequest *request, int ret)
{
    request->done = true;
    request->ret = ret;
    blk_wake_all(aio->context, &request->waiter);
}

/* Submits, and waits. -EAGAIN when the queue is full. */
static int
wait_for(BlkAio *aio, AioRequest *request)
{
    aio->in_flight++;
    blk_poller_expect(&aio->poller, true);
    while (!request->done) {
        blk_wait(aio->context, &request->waiter);
    }
    blk_poller_expect(&aio->poller, false);
    aio->in_flight--;
    return request->ret;
}

/* ---- io_uring ---- */

#ifdef HAVE_LIBURING
static bool
uring_init(BlkAio *aio, GError **error)
{
    int ret = io_uring_queue_init(QUEUE_ENTRIES, &aio->ring, 0);

    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "io_uring cannot be used on this host: %s. Use aio=threads.", g_strerror(-ret));
        return false;
    }
    aio->poller.fd = aio->ring.ring_fd;
    aio->poller.is_cheap = true;
    return true;
}

static void
uring_collect(BlkAio *aio)
{
    struct io_uring_cqe *cqe;

    while (io_uring_peek_cqe(&aio->ring, &cqe) == 0) {
        AioRequest *request = io_uring_cqe_get_data(cqe);
        int ret = cqe->res;
        io_uring_cqe_seen(&aio->ring, cqe);
        complete(aio, request, ret);
    }
}

/* What the kernel has done at once, as it does with the page cache, needs no event. */
static void
uring_submit(void *opaque)
{
    BlkAio *aio = opaque;

    aio->is_submitting = false;
    if (io_uring_submit(&aio->ring) < 0) {
        /* They stay in the ring and go with the next ones. */
        io_uring_submit(&aio->ring);
    }
    uring_collect(aio);
}

static int
uring_transfer(BlkAio *aio, BlkFileIo *io, struct iovec *iov, int count, uint64_t at)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&aio->ring);
    AioRequest request = { 0 };

    if (!sqe) {
        return -EAGAIN;
    }
    if (io->write) {
        io_uring_prep_writev(sqe, io->fd, iov, (unsigned)count, at);
        sqe->rw_flags = io->sync ? RWF_DSYNC : 0;
    } else {
        io_uring_prep_readv(sqe, io->fd, iov, (unsigned)count, at);
    }
    io_uring_sqe_set_data(sqe, &request);
    if (!blk_context_is_batching(aio->context)) {
        uring_submit(aio);
    } else if (!aio->is_submitting) {
        aio->is_submitting = true;
        aio->submission = (BlkDeferred){ .func = uring_submit, .opaque = aio };
        blk_context_defer(aio->context, &aio->submission);
    }
    return wait_for(aio, &request);
}
#endif

/* ---- Linux AIO ---- */

#ifdef HAVE_LIBAIO
static bool
native_init(BlkAio *aio, GError **error)
{
    int ret = io_setup(QUEUE_ENTRIES, &aio->queue);

    aio->poller.fd = ret == 0 ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (aio->poller.fd < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "Linux AIO cannot be used on this host: %s. Use aio=threads.",
                    g_strerror(ret < 0 ? -ret : errno));
        return false;
    }
    return true;
}

static void
native_collect(BlkAio *aio)
{
    struct timespec none = { 0 };
    struct io_event events[32];
    uint64_t signals;
    int count;

    if (read(aio->poller.fd, &signals, sizeof(signals)) < 0) {
        return;
    }
    while ((count = io_getevents(aio->queue, 0, VIT_ARRAY_LEN(events), events, &none)) > 0) {
        for (int i = 0; i < count; i++) {
            complete(aio, events[i].data, (int)events[i].res);
        }
    }
}

static int
native_transfer(BlkAio *aio, BlkFileIo *io, struct iovec *iov, int count, uint64_t at)
{
    AioRequest request = { 0 };
    struct iocb block, *list[1] = { &block };

    if (io->write) {
        io_prep_pwritev(&block, io->fd, iov, count, (long long)at);
        block.aio_rw_flags = io->sync ? RWF_DSYNC : 0;
    } else {
        io_prep_preadv(&block, io->fd, iov, count, (long long)at);
    }
    io_set_eventfd(&block, aio->poller.fd);
    block.data = &request;
    return io_submit(aio->queue, 1, list) == 1 ? wait_for(aio, &request) : -EAGAIN;
}
#endif

/* ---- both ---- */

static void
collect(void *opaque)
{
    BlkAio *aio = opaque;

    switch (aio->kind) {
#ifdef HAVE_LIBURING
    case BLK_AIO_IO_URING: uring_collect(aio); break;
#endif
#ifdef HAVE_LIBAIO
    case BLK_AIO_NATIVE: native_collect(aio); break;
#endif
    default: break;
    }
}

static int
transfer(BlkAio *aio, BlkFileIo *io, struct iovec *iov, int count, uint64_t at)
{
    switch (aio->kind) {
#ifdef HAVE_LIBURING
    case BLK_AIO_IO_URING: return uring_transfer(aio, io, iov, count, at);
#endif
#ifdef HAVE_LIBAIO
    case BLK_AIO_NATIVE: return native_transfer(aio, io, iov, count, at);
#endif
    default: return -EAGAIN;
    }
}

static bool
init_kind(BlkAio *aio, GError **error)
{
    switch (aio->kind) {
#ifdef HAVE_LIBURING
    case BLK_AIO_IO_URING: return uring_init(aio, error);
#endif
#ifdef HAVE_LIBAIO
    case BLK_AIO_NATIVE: return native_init(aio, error);
#endif
    default:
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "This program was built without %s; use aio=threads.",
                    aio->kind == BLK_AIO_NATIVE ? "libaio (aio=native)"
                                                : "liburing (aio=io_uring)");
        return false;
    }
}

static BlkAio *
aio_new(BlkGraph *graph, BlkAioKind kind, GError **error)
{
    BlkAio *aio = g_new0(BlkAio, 1);

    aio->graph = graph;
    aio->context = graph->context;
    aio->loop = blk_context_get_running_loop(graph->context);
    aio->kind = kind;
    if (!init_kind(aio, error)) {
        g_free(aio);
        return NULL;
    }
    aio->poller.func = collect;
    aio->poller.opaque = aio;
    blk_poller_add(graph->context, &aio->poller);
    aio->next = graph->aio[kind];
    graph->aio[kind] = aio;
    return aio;
}

BlkAio *
blk_graph_get_aio(BlkGraph *graph, BlkAioKind kind, GError **error)
{
    return graph->aio[kind] ? graph->aio[kind] : aio_new(graph, kind, error);
}

/* Where there cannot be one more, ANY will do: its thread then wakes the right one. */
static BlkAio *
queue_of_loop(BlkAio *any)
{
    BlkLoop *loop = blk_context_get_running_loop(any->context);
    BlkAio *aio = any->graph->aio[any->kind];

    while (aio && aio->loop != loop) {
        aio = aio->next;
    }
    aio = aio ? aio : aio_new(any->graph, any->kind, NULL);
    return aio ? aio : any;
}

int
blk_aio_run(BlkAio *any, BlkFileIo *io)
{
    BlkAio *aio = queue_of_loop(any);
    int ret;

    if (aio->in_flight >= QUEUE_ENTRIES || io->iov_count > IOV_MAX ||
        (!io->write && io->offset + io->len > io->file_len)) {
        return blk_pool_run(aio->context, blk_file_io, io);
    }
    do {
        ret = transfer(aio, io, io->iov, io->iov_count, io->offset);
    } while (ret == -EINTR);
    if (ret == -EAGAIN || (ret >= 0 && (uint64_t)ret < io->len)) {
        /* The whole again: what was done already is only done a second time. */
        return blk_pool_run(aio->context, blk_file_io, io);
    }
    return ret < 0 ? ret : 0;
}

static void
aio_free(BlkAio *aio)
{
    blk_poller_remove(&aio->poller);
#ifdef HAVE_LIBURING
    if (aio->kind == BLK_AIO_IO_URING) {
        io_uring_queue_exit(&aio->ring);
    }
#endif
#ifdef HAVE_LIBAIO
    if (aio->kind == BLK_AIO_NATIVE) {
        io_destroy(aio->queue);
        close(aio->poller.fd);
    }
#endif
    g_free(aio);
}

void
blk_graph_free_aio(BlkGraph *graph)
{
    for (unsigned kind = 0; kind < BLK_AIO_KINDS; kind++) {
        while (graph->aio[kind]) {
            BlkAio *aio = graph->aio[kind];
            graph->aio[kind] = aio->next;
            aio_free(aio);
        }
    }
}
