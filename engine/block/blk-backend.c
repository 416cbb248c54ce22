/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Drives: what device models see of the graph. Each request is a fiber; its completion is a
 * deferred call, so a device is never called back from inside its own submission, nor on a
 * fiber's stack. Requests that arrive while the graph is drained wait in order.
 *
 * Thread: the graph's lock held. */

#include "blk-backend.h"

#include <errno.h>
#include <string.h>

/* A request beyond the end is invalid: it never gets as far as the image. */
static bool
is_invalid(const VitDriveRequest *request)
{
    return request->ret == -EINVAL;
}

/* Failed requests have a latency too, whatever is said of their total time. */
static void
count_latency(BlkHistogram *histogram, const VitDriveRequest *request, uint64_t ns)
{
    if (histogram && !is_invalid(request)) {
        blk_histogram_add(histogram, ns);
    }
}

static void
count_request(BlkBackend *backend, const VitDriveRequest *request)
{
    BlkDriveStats *stats = &backend->stats;
    int64_t now_us = g_get_monotonic_time();
    bool invalid = is_invalid(request), failed = request->ret < 0 && !invalid,
         good = !failed && !invalid;
    bool counts = invalid ? false : !failed || !backend->config.skip_failed;
    uint64_t latency_ns = (uint64_t)(now_us - request->start_us) * 1000;
    uint64_t ns = counts ? latency_ns : 0;

    if (invalid ? !backend->config.skip_invalid : counts) {
        stats->last_us = now_us;
    }
    switch (request->type) {
    case BLK_REQUEST_READ:
        stats->failed_reads += failed;
        stats->invalid_reads += invalid;
        stats->read_count += good;
        stats->read_bytes += good ? request->len : 0;
        stats->read_ns += ns;
        count_latency(backend->histograms[BLK_LATENCY_READ], request, latency_ns);
        break;
    case BLK_REQUEST_WRITE:
    case BLK_REQUEST_ZEROES:
        stats->failed_writes += failed;
        stats->invalid_writes += invalid;
        stats->write_count += good;
        stats->write_bytes += good ? request->len : 0;
        stats->write_ns += ns;
        count_latency(backend->histograms[BLK_LATENCY_WRITE], request, latency_ns);
        break;
    case BLK_REQUEST_FLUSH:
        stats->failed_flushes += failed || invalid;
        stats->flush_count += good;
        stats->flush_ns += ns;
        count_latency(backend->histograms[BLK_LATENCY_FLUSH], request, latency_ns);
        break;
    case BLK_REQUEST_DISCARD:
        stats->failed_discards += failed;
        stats->invalid_discards += invalid;
        stats->discard_count += good;
        stats->discard_bytes += good ? request->len : 0;
        stats->discard_ns += ns;
        break;
    }
}

static void
complete_request(void *opaque)
{
    VitDriveRequest *request = opaque;
    BlkBackend *backend = request->backend;
    VitDriveDone done = request->done;
    void *done_opaque = request->opaque;
    int ret = request->ret;

    count_request(backend, request);
    g_free(request);
    /* Still counted as in flight, so that a drain ends after the device knows. */
    done(done_opaque, ret);
    backend->in_flight--;
}

/* Whole sectors up to the one that holds the last byte. */
static uint64_t
sector_len(BlkBackend *backend)
{
    return backend->root ? blk_round_up(blk_node_get_len(backend->root->node), 512) : 0;
}

static int
run_request(BlkBackend *backend, const VitDriveRequest *request)
{
    BlkChild *root = backend->root;
    uint64_t len = sector_len(backend);

    if (!root) {
        return -ENOMEDIUM;
    }
    if (request->type != BLK_REQUEST_FLUSH &&
        (request->offset > len || request->len > len - request->offset)) {
        return -EINVAL;
    }
    if (request->type != BLK_REQUEST_READ && request->type != BLK_REQUEST_FLUSH &&
        !(root->perm & BLK_PERM_WRITE)) {
        return -EROFS;
    }
    switch (request->type) {
    case BLK_REQUEST_READ: return blk_read(root, request->offset, request->len, &request->vec, 0);
    case BLK_REQUEST_WRITE:
        return blk_write(root, request->offset, request->len, &request->vec, 0, request->flags);
    case BLK_REQUEST_DISCARD: return blk_discard(root, request->offset, request->len);
    case BLK_REQUEST_ZEROES:
        return blk_write_zeroes(root, request->offset, request->len, request->flags);
    case BLK_REQUEST_FLUSH: return blk_flush(root);
    }
    return -EINVAL;
}

static void
request_fiber(void *opaque)
{
    VitDriveRequest *request = opaque;
    BlkBackend *backend = request->backend;

    if (request->type != BLK_REQUEST_FLUSH) {
        blk_throttle_wait(&backend->throttle, request->type != BLK_REQUEST_READ, request->len);
    }
    request->ret = run_request(backend, request);
    request->deferred = (BlkDeferred){ .func = complete_request, .opaque = request };
    blk_context_defer(backend->graph->context, &request->deferred);
}

static VitDriveRequest *
submit(VitDrive *drive, const VitDriveRequest *fields)
{
    BlkBackend *backend = blk_backend_of(drive);
    VitDriveRequest *request = g_new(VitDriveRequest, 1);

    *request = *fields;
    request->backend = backend;
    request->start_us = g_get_monotonic_time();
    if (backend->drain_depth > 0) {
        if (backend->waiting_last) {
            backend->waiting_last->next = request;
        } else {
            backend->waiting_first = request;
        }
        backend->waiting_last = request;
        return request;
    }
    backend->in_flight++;
    blk_loop_start(backend->loop, request_fiber, request);
    return request;
}

/* ---- the interface ---- */

static unsigned
write_flags(const VitDrive *drive, bool fua)
{
    return fua || !drive->enable_write_cache ? BLK_REQ_FUA : 0;
}

static VitDriveRequest *
backend_read(VitDrive *drive, uint64_t offset, const struct iovec *iov, int iov_count,
             VitDriveDone done, void *opaque)
{
    BlkVec vec = blk_vec_make(iov, iov_count);

    return submit(drive, &(VitDriveRequest){ .type = BLK_REQUEST_READ,
                                             .offset = offset,
                                             .len = vec.len_bytes,
                                             .vec = vec,
                                             .done = done,
                                             .opaque = opaque });
}

static VitDriveRequest *
backend_write(VitDrive *drive, uint64_t offset, const struct iovec *iov, int iov_count, bool fua,
              VitDriveDone done, void *opaque)
{
    BlkVec vec = blk_vec_make(iov, iov_count);

    return submit(drive, &(VitDriveRequest){ .type = BLK_REQUEST_WRITE,
                                             .offset = offset,
                                             .len = vec.len_bytes,
                                             .vec = vec,
                                             .flags = write_flags(drive, fua),
                                             .done = done,
                                             .opaque = opaque });
}

static VitDriveRequest *
backend_flush(VitDrive *drive, VitDriveDone done, void *opaque)
{
    return submit(drive,
                  &(VitDriveRequest){ .type = BLK_REQUEST_FLUSH, .done = done, .opaque = opaque });
}

static VitDriveRequest *
backend_discard(VitDrive *drive, uint64_t offset, uint64_t len, VitDriveDone done, void *opaque)
{
    return submit(drive, &(VitDriveRequest){ .type = BLK_REQUEST_DISCARD,
                                             .offset = offset,
                                             .len = len,
                                             .done = done,
                                             .opaque = opaque });
}

static VitDriveRequest *
backend_write_zeroes(VitDrive *drive, uint64_t offset, uint64_t len, bool may_unmap,
                     VitDriveDone done, void *opaque)
{
    unsigned flags = write_flags(drive, false) | (may_unmap ? BLK_REQ_MAY_UNMAP : 0);

    return submit(drive, &(VitDriveRequest){ .type = BLK_REQUEST_ZEROES,
                                             .offset = offset,
                                             .len = len,
                                             .flags = flags,
                                             .done = done,
                                             .opaque = opaque });
}

static void
backend_drain(VitDrive *drive)
{
    BlkBackend *backend = blk_backend_of(drive);

    backend->graph->drain_depth++;
    while (backend->in_flight > 0) {
        blk_context_poll(backend->graph->context, -1);
    }
    backend->graph->drain_depth--;
}

static uint64_t
backend_get_len(VitDrive *drive)
{
    return sector_len(blk_backend_of(drive));
}

static bool
backend_is_read_only(VitDrive *drive)
{
    BlkBackend *backend = blk_backend_of(drive);

    return backend->root ? backend->root->node->read_only : backend->config.read_only;
}

static bool
node_is_inserted(BlkNode *node)
{
    if (node->driver->is_inserted) {
        return node->driver->is_inserted(node);
    }
    return !node->file || node_is_inserted(node->file->node);
}

static bool
backend_is_inserted(VitDrive *drive)
{
    BlkBackend *backend = blk_backend_of(drive);

    return backend->root && node_is_inserted(backend->root->node);
}

static void
backend_set_tray(VitDrive *drive, bool open)
{
    BlkBackend *backend = blk_backend_of(drive);
    BlkGraph *graph = backend->graph;

    if (backend->tray_open != open) {
        backend->tray_open = open;
        if (graph->events && graph->events->tray_moved) {
            graph->events->tray_moved(graph->events_opaque, drive, open);
        }
    }
}

static bool
backend_is_tray_open(VitDrive *drive)
{
    return blk_backend_of(drive)->tray_open;
}

static void
backend_set_locked(VitDrive *drive, bool locked)
{
    blk_backend_of(drive)->locked = locked;
}

static VitDriveError
choose_action(BlkOnError policy, int error)
{
    switch (policy) {
    case BLK_ON_ERROR_IGNORE: return VIT_DRIVE_IGNORE;
    case BLK_ON_ERROR_STOP: return VIT_DRIVE_STOP;
    case BLK_ON_ERROR_ENOSPC: return error == ENOSPC ? VIT_DRIVE_STOP : VIT_DRIVE_REPORT;
    case BLK_ON_ERROR_REPORT: break;
    }
    return VIT_DRIVE_REPORT;
}

static VitDriveError
backend_error_action(VitDrive *drive, bool is_read, int error)
{
    BlkBackend *backend = blk_backend_of(drive);
    const BlkDriveConfig *config = &backend->config;
    BlkGraph *graph = backend->graph;
    BlkOnError policy = is_read ? config->on_read_error : config->on_write_error;
    uint8_t of_device = is_read ? drive->on_read_error : drive->on_write_error;

    if (of_device != VIT_DRIVE_ON_ERROR_AUTO) {
        policy = (BlkOnError)(of_device - VIT_DRIVE_ON_ERROR_REPORT);
    }
    VitDriveError action = choose_action(policy, ABS(error));

    if (!graph->events || !graph->events->io_error) {
        /* Nobody is there to stop the guest, so it would wait for ever. */
        return action == VIT_DRIVE_STOP ? VIT_DRIVE_REPORT : action;
    }
    backend->stopped |= action == VIT_DRIVE_STOP;
    backend->stopped_nospace |= action == VIT_DRIVE_STOP && ABS(error) == ENOSPC;
    graph->events->io_error(graph->events_opaque, drive, is_read, ABS(error), action);
    return action;
}

static void
apply_workers(BlkGraph *graph)
{
    VitWorkers workers =
        graph->iothread ? vit_iothread_get_workers(graph->iothread) : graph->workers;

    blk_context_set_workers(graph->context, workers.min, workers.max);
}

void
blk_graph_set_workers(BlkGraph *graph, VitWorkers workers)
{
    graph->workers = workers;
    apply_workers(graph);
}

/* Its requests end by that thread's loop. Workers are as the first drive's thread wants them. */
static void
backend_set_iothread(VitDrive *drive, VitIothread *thread)
{
    BlkBackend *backend = blk_backend_of(drive);
    BlkGraph *graph = backend->graph;
    BlkLoop *old = backend->loop;
    /* One that works at once has no context of its own. */
    GMainContext *where = thread ? vit_iothread_get_context(thread) : NULL;
    VitIothread *first = NULL;

    backend->iothread = thread;
    backend->loop = where && graph->main_context ? blk_context_take_loop(graph->context, where)
                                                 : blk_context_get_loop(graph->context);
    blk_context_put_loop(old);
    for (unsigned i = 0; !first && i < graph->drives->len; i++) {
        first = ((BlkBackend *)g_ptr_array_index(graph->drives, i))->iothread;
    }
    if (graph->main_context && first != graph->iothread) {
        graph->iothread = first;
        apply_workers(graph);
    }
}

static void
backend_batch_begin(VitDrive *drive)
{
    blk_loop_batch_begin(blk_backend_of(drive)->loop);
}

static void
backend_batch_end(VitDrive *drive)
{
    blk_loop_batch_end(blk_backend_of(drive)->loop);
}

const VitDriveOps blk_backend_ops = {
    .read = backend_read,
    .write = backend_write,
    .flush = backend_flush,
    .discard = backend_discard,
    .write_zeroes = backend_write_zeroes,
    .drain = backend_drain,
    .get_len = backend_get_len,
    .is_read_only = backend_is_read_only,
    .is_inserted = backend_is_inserted,
    .set_tray = backend_set_tray,
    .is_tray_open = backend_is_tray_open,
    .set_locked = backend_set_locked,
    .error_action = backend_error_action,
    .batch_begin = backend_batch_begin,
    .batch_end = backend_batch_end,
    .set_iothread = backend_set_iothread,
};

void
blk_graph_set_events(BlkGraph *graph, const BlkDriveEvents *events, void *opaque)
{
    graph->events = events;
    graph->events_opaque = opaque;
}

void
blk_graph_emit(BlkGraph *graph, const char *event, const char *data)
{
    if (graph->events && graph->events->event) {
        graph->events->event(graph->events_opaque, event, data);
    }
}

void
blk_graph_resume(BlkGraph *graph)
{
    for (unsigned i = 0; i < graph->drives->len; i++) {
        BlkBackend *backend = g_ptr_array_index(graph->drives, i);
        if (backend->stopped) {
            backend->stopped = backend->stopped_nospace = false;
            if (backend->drive.has_user && backend->drive.user.resume) {
                backend->drive.user.resume(backend->drive.user.opaque);
            }
        }
    }
}

/* ---- the upper end of the root edge ---- */

static const char *
describe_drive(void *opaque)
{
    const BlkBackend *backend = opaque;

    return backend->drive.id ? backend->drive.id : "a drive";
}

static void
drained_begin(void *opaque)
{
    BlkBackend *backend = opaque;

    backend->drain_depth++;
}

static void
drained_end(void *opaque)
{
    BlkBackend *backend = opaque;
    VitDriveRequest *request;

    if (--backend->drain_depth > 0) {
        return;
    }
    request = g_steal_pointer(&backend->waiting_first);
    backend->waiting_last = NULL;
    while (request) {
        VitDriveRequest *next = g_steal_pointer(&request->next);
        backend->in_flight++;
        blk_loop_start(backend->loop, request_fiber, request);
        request = next;
    }
}

static bool
is_busy(void *opaque)
{
    const BlkBackend *backend = opaque;

    return backend->in_flight > 0;
}

static void
resized(void *opaque)
{
    BlkBackend *backend = opaque;

    if (backend->drive.has_user && backend->drive.user.resized) {
        backend->drive.user.resized(backend->drive.user.opaque);
    }
}

const BlkUser blk_backend_user = {
    .describe = describe_drive,
    .drained_begin = drained_begin,
    .drained_end = drained_end,
    .is_busy = is_busy,
    .resized = resized,
};
