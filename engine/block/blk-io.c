/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The path of every request through a node.
 *
 * Here, and nowhere in drivers: permissions, bounds, counting for drains, serialisation, zero
 * detection, FUA by flush, skipped flushes and fallbacks. Requests that do not fit the node's
 * alignment continue in blk-bounce.c.
 *
 * Invariants:
 *  1. A request holds its range of node->ranges while the driver works on it. Requests that read,
 *     modify and write hold it exclusively, so no overlapping write is lost.
 *  2. write_count grows after a write has ended, flushed_count after a flush has: a flush that
 *     began at write_count == n has made the first n writes stable, and one that finds
 *     flushed_count == write_count has nothing to do.
 *  3. flushed_count does not grow when a flush fails.
 *
 * Thread: in a fiber, the lock of the node's context held. */

#include "blk-bitmap.h"
#include "blk-graph-private.h"
#include "blk-status.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ZERO_CHUNK_BYTES = 1 << 20, COPY_UP_BYTES = 1 << 20 };

static bool
check_bounds(uint64_t offset, uint64_t len)
{
    return offset <= INT64_MAX && len <= INT64_MAX - offset;
}

static bool
is_aligned(const BlkNode *node, uint64_t offset, uint64_t len)
{
    return ((offset | len) & (node->limits.request_align - 1)) == 0;
}

static void
request_begin(BlkNode *node, BlkRange *range, uint64_t offset, uint64_t len, bool exclusive)
{
    uint64_t align = node->limits.request_align;

    node->in_flight++;
    blk_range_acquire(node->context, &node->ranges, range,
                      exclusive ? blk_round_down(offset, align) : offset,
                      exclusive ? blk_round_up(offset + len, align) : offset + len, exclusive);
}

static void
request_end(BlkNode *node, BlkRange *range)
{
    blk_range_release(node->context, &node->ranges, range);
    node->in_flight--;
}

/* ---- reading ---- */

int
blk_read(BlkChild *child, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    BlkNode *node = child->node;
    BlkRange range;
    int ret;

    g_assert(child->perm & BLK_PERM_CONSISTENT_READ);
    if (!check_bounds(offset, len)) {
        return -EINVAL;
    }
    if (len == 0) {
        return 0;
    }
    request_begin(node, &range, offset, len, false);
    if (is_aligned(node, offset, len) &&
        blk_vec_is_aligned(vec, at, len, node->limits.memory_align)) {
        ret = node->driver->read(node, offset, len, vec, at);
    } else {
        ret = blk_read_bounced(node, offset, len, vec, at);
    }
    request_end(node, &range);
    return ret;
}

int
blk_read_buffer(BlkChild *child, uint64_t offset, void *buf, size_t len)
{
    struct iovec iov = { .iov_base = buf, .iov_len = len };
    BlkVec vec = blk_vec_make(&iov, 1);

    return blk_read(child, offset, len, &vec, 0);
}

/* ---- who wants to know of writes ---- */

void
blk_node_add_hook(BlkNode *node, BlkWriteHook *hook)
{
    if (!node->hooks) {
        node->hooks = g_ptr_array_new();
    }
    g_ptr_array_add(node->hooks, hook);
}

void
blk_node_remove_hook(BlkNode *node, BlkWriteHook *hook)
{
    if (node->hooks) {
        g_ptr_array_remove(node->hooks, hook);
    }
}

static int
before_write(BlkNode *node, uint64_t offset, uint64_t len)
{
    int ret = 0;

    for (unsigned i = 0; node->hooks && i < node->hooks->len && ret == 0; i++) {
        const BlkWriteHook *hook = g_ptr_array_index(node->hooks, i);
        ret = hook->before ? hook->before(hook->opaque, offset, len) : 0;
    }
    return ret;
}

static void
check_threshold(BlkNode *node, uint64_t end)
{
    uint64_t threshold = node->write_threshold;

    if (threshold > 0 && end > threshold) {
        g_autofree char *data =
            g_strdup_printf("{\"node-name\": \"%s\", \"amount-exceeded\": %" G_GUINT64_FORMAT
                            ", \"write-threshold\": %" G_GUINT64_FORMAT "}",
                            node->name, end - threshold, threshold);
        node->write_threshold = 0;
        blk_graph_emit(node->graph, "BLOCK_WRITE_THRESHOLD", data);
    }
}

static int
after_write(BlkNode *node, uint64_t offset, uint64_t len, int ret)
{
    node->highest_offset = MAX(node->highest_offset, offset + len);
    check_threshold(node, offset + len);
    for (unsigned i = 0; node->hooks && i < node->hooks->len; i++) {
        const BlkWriteHook *hook = g_ptr_array_index(node->hooks, i);
        if (hook->after) {
            hook->after(hook->opaque, offset, len, ret);
        }
    }
    return ret;
}

/* ---- writing ---- */

static int write_zeroes_in_request(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags);
static int flush_node(BlkNode *node);

static bool
is_zero_write(const BlkNode *node, uint64_t len, const BlkVec *vec, uint64_t at)
{
    return node->detect_zeroes != BLK_DETECT_ZEROES_OFF && len >= 4096 &&
           blk_vec_is_zero(vec, at, len);
}

int
blk_write_aligned(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
                  unsigned flags)
{
    bool flush_after = (flags & BLK_REQ_FUA) && !(node->limits.write_flags & BLK_REQ_FUA);
    int ret;

    if (is_zero_write(node, len, vec, at)) {
        unsigned unmap = node->detect_zeroes == BLK_DETECT_ZEROES_UNMAP ? BLK_REQ_MAY_UNMAP : 0;
        return write_zeroes_in_request(node, offset, len, flags | unmap);
    }
    ret = node->driver->write(node, offset, len, vec, at, flags & node->limits.write_flags);
    node->write_count++;
    return ret == 0 && flush_after ? flush_node(node) : ret;
}

int
blk_write(BlkChild *child, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
          unsigned flags)
{
    BlkNode *node = child->node;
    bool aligned = is_aligned(node, offset, len);
    BlkRange range;
    int ret;

    g_assert(child->perm & (BLK_PERM_WRITE | BLK_PERM_WRITE_UNCHANGED));
    if (!check_bounds(offset, len)) {
        return -EINVAL;
    }
    if (node->read_only || !node->driver->write) {
        return -EROFS;
    }
    if (len == 0) {
        return 0;
    }
    ret = before_write(node, offset, len);
    if (ret < 0) {
        return ret;
    }
    request_begin(node, &range, offset, len, !aligned);
    if (aligned && blk_vec_is_aligned(vec, at, len, node->limits.memory_align)) {
        ret = blk_write_aligned(node, offset, len, vec, at, flags);
    } else {
        ret = blk_write_bounced(node, offset, len, vec, at, flags);
    }
    blk_node_mark_dirty(node, offset, len);
    request_end(node, &range);
    return after_write(node, offset, len, ret);
}

int
blk_write_buffer(BlkChild *child, uint64_t offset, const void *buf, size_t len, unsigned flags)
{
    struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
    BlkVec vec = blk_vec_make(&iov, 1);

    return blk_write(child, offset, len, &vec, 0, flags);
}

/* ---- copying up ---- */

static int
copy_up_run(BlkNode *node, BlkNode *base, uint64_t offset, uint64_t len, void *buf,
            uint64_t *out_len, bool *out_copied)
{
    struct iovec iov = { .iov_base = buf };
    BlkNode *below = node->backing ? node->backing->node : NULL;
    bool here, below_has;
    uint64_t run;
    BlkVec vec;
    int ret = blk_find_allocated(node, below, offset, len, &here, out_len);

    *out_copied = false;
    if (ret < 0 || here || !below) {
        return ret;
    }
    ret = blk_find_allocated(below, base, offset, *out_len, &below_has, &run);
    *out_len = run;
    if (ret < 0 || !below_has) {
        return ret;
    }
    *out_copied = true;
    iov.iov_len = *out_len;
    vec = blk_vec_make(&iov, 1);
    ret = blk_read_backing(node, offset, *out_len, &vec, 0);
    if (ret == 0 && blk_buffer_is_zero(buf, *out_len)) {
        return write_zeroes_in_request(node, offset, *out_len, 0);
    }
    return ret < 0 ? ret : blk_write_aligned(node, offset, *out_len, &vec, 0, 0);
}

int64_t
blk_copy_up(BlkChild *child, BlkNode *base, uint64_t offset, uint64_t len)
{
    BlkNode *node = blk_node_skip_filters(child->node);
    uint64_t align = MAX(node->limits.request_align, node->limits.memory_align);
    uint64_t end = MIN(offset + len, blk_node_get_len(node));
    void *buf = NULL;
    int64_t total = 0;
    BlkRange range;
    int ret = 0;

    if (node->read_only || !node->driver->write) {
        return -EROFS;
    }
    if (offset >= end || posix_memalign(&buf, MAX(align, 4096), COPY_UP_BYTES) != 0) {
        return offset >= end ? 0 : -ENOMEM;
    }
    request_begin(node, &range, offset, end - offset, true);
    while (offset < end && ret == 0) {
        uint64_t run = MIN(end - offset, COPY_UP_BYTES);
        bool copied;
        ret = copy_up_run(node, base, offset, run, buf, &run, &copied);
        offset += run;
        total += copied ? (int64_t)run : 0;
    }
    request_end(node, &range);
    free(buf);
    return ret < 0 ? ret : total;
}

/* ---- zeroes ---- */

/* Zeroes as data, for drivers that cannot do better and for unaligned ends. */
static int
write_zero_data(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    uint64_t chunk = MIN(len, ZERO_CHUNK_BYTES);
    void *zeroes = NULL;
    int ret = 0;

    if (posix_memalign(&zeroes, MAX(node->limits.memory_align, 16), chunk) != 0) {
        return -ENOMEM;
    }
    memset(zeroes, 0, chunk);
    while (len > 0 && ret == 0) {
        struct iovec iov = { .iov_base = zeroes, .iov_len = MIN(len, chunk) };
        BlkVec vec = blk_vec_make(&iov, 1);
        if (is_aligned(node, offset, iov.iov_len)) {
            ret = node->driver->write(node, offset, iov.iov_len, &vec, 0,
                                      flags & node->limits.write_flags);
        } else {
            ret = blk_write_bounced(node, offset, iov.iov_len, &vec, 0,
                                    flags & node->limits.write_flags);
        }
        offset += iov.iov_len;
        len -= iov.iov_len;
    }
    free(zeroes);
    return ret;
}

/* The part of the driver's liking; -ENOTSUP when it has none. */
static int
driver_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    uint64_t max = node->limits.max_zeroes_len ? node->limits.max_zeroes_len : len;
    int ret = 0;

    if (!node->driver->write_zeroes) {
        return -ENOTSUP;
    }
    while (len > 0 && ret == 0) {
        uint64_t piece = MIN(len, max);
        ret = node->driver->write_zeroes(node, offset, piece, flags & node->limits.zeroes_flags);
        offset += piece;
        len -= piece;
    }
    return ret;
}

static int
write_zeroes_in_request(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    uint64_t align = MAX(node->limits.zeroes_align, node->limits.request_align);
    uint64_t start = blk_round_up(offset, align), end = blk_round_down(offset + len, align);
    bool flush_after = flags & BLK_REQ_FUA;
    int ret;

    if (start >= end) {
        ret = flags & BLK_REQ_NO_FALLBACK ? -ENOTSUP : write_zero_data(node, offset, len, flags);
        flush_after = flush_after && !(node->limits.write_flags & BLK_REQ_FUA);
    } else {
        ret = driver_write_zeroes(node, start, end - start, flags);
        if (ret == -ENOTSUP && !(flags & BLK_REQ_NO_FALLBACK)) {
            ret = write_zero_data(node, start, end - start, 0);
        }
        if (ret == 0 && offset < start) {
            ret = write_zero_data(node, offset, start - offset, 0);
        }
        if (ret == 0 && end < offset + len) {
            ret = write_zero_data(node, end, offset + len - end, 0);
        }
        flush_after = flush_after && !(node->limits.zeroes_flags & BLK_REQ_FUA);
    }
    node->write_count++;
    return ret == 0 && flush_after ? flush_node(node) : ret;
}

int
blk_write_zeroes(BlkChild *child, uint64_t offset, uint64_t len, unsigned flags)
{
    BlkNode *node = child->node;
    BlkRange range;
    int ret;

    g_assert(child->perm & (BLK_PERM_WRITE | BLK_PERM_WRITE_UNCHANGED));
    if (!check_bounds(offset, len)) {
        return -EINVAL;
    }
    if (node->read_only || !node->driver->write) {
        return -EROFS;
    }
    if (len == 0) {
        return 0;
    }
    if (!node->discard_unmap) {
        flags &= ~BLK_REQ_MAY_UNMAP;
    }
    ret = before_write(node, offset, len);
    if (ret < 0) {
        return ret;
    }
    request_begin(node, &range, offset, len, !is_aligned(node, offset, len));
    ret = write_zeroes_in_request(node, offset, len, flags);
    blk_node_mark_dirty(node, offset, len);
    request_end(node, &range);
    return after_write(node, offset, len, ret);
}

/* A hint: what is not aligned or not supported is left as it is. */
int
blk_discard(BlkChild *child, uint64_t offset, uint64_t len)
{
    BlkNode *node = child->node;
    uint64_t align = MAX(node->limits.discard_align, node->limits.request_align);
    uint64_t start, end;
    BlkRange range;
    int ret;

    g_assert(child->perm & BLK_PERM_WRITE);
    if (!check_bounds(offset, len)) {
        return -EINVAL;
    }
    if (node->read_only) {
        return -EROFS;
    }
    start = blk_round_up(offset, align);
    end = blk_round_down(offset + len, align);
    if (!node->discard_unmap || !node->driver->discard || start >= end) {
        return 0;
    }
    ret = before_write(node, start, end - start);
    if (ret < 0) {
        return ret;
    }
    request_begin(node, &range, start, end - start, false);
    ret = node->driver->discard(node, start, end - start);
    node->write_count++;
    blk_node_mark_dirty(node, start, end - start);
    request_end(node, &range);
    return after_write(node, start, end - start, ret == -ENOTSUP ? 0 : ret);
}

/* ---- flushing ---- */

static int
flush_children(BlkNode *node)
{
    int ret = 0;

    for (unsigned i = 0; i < node->children->len; i++) {
        BlkChild *child = g_ptr_array_index(node->children, i);
        if (!child->node->read_only) {
            int child_ret = flush_node(child->node);
            ret = ret == 0 ? child_ret : ret;
        }
    }
    return ret;
}

static int
flush_node(BlkNode *node)
{
    uint64_t needed = node->write_count, covered;
    int ret = 0;

    while (node->is_flushing) {
        blk_wait(node->context, &node->flush_waiters);
    }
    if (node->flushed_count >= needed) {
        return 0;
    }
    node->is_flushing = true;
    covered = node->write_count;
    if (node->driver->flush) {
        ret = node->driver->flush(node);
    } else {
        ret = flush_children(node);
    }
    if (ret == 0) {
        node->flushed_count = MAX(node->flushed_count, covered);
    }
    node->is_flushing = false;
    blk_wake_all(node->context, &node->flush_waiters);
    return ret;
}

int
blk_flush(BlkChild *child)
{
    BlkNode *node = child->node;
    int ret;

    if (node->read_only) {
        return 0;
    }
    node->in_flight++;
    ret = flush_node(node);
    node->in_flight--;
    return ret;
}

/* ---- size ---- */

/* What an image grows by reads as zeroes, even where its backing image has been longer. */
static bool
hide_longer_backing(BlkNode *node, uint64_t old_len, uint64_t len, GError **error)
{
    uint64_t backing_len = node->backing ? blk_node_get_len(node->backing->node) : 0;
    uint64_t end = MIN(len, backing_len);
    int ret = end > old_len ? write_zeroes_in_request(node, old_len, end - old_len, 0) : 0;

    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be grown: %s.", node->filename,
                    g_strerror(-ret));
    }
    return ret == 0;
}

bool
blk_truncate(BlkChild *child, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    BlkNode *node = child->node;
    uint64_t old_len = blk_node_get_len(node);
    BlkRange range;
    bool ok;

    g_assert(child->perm & BLK_PERM_RESIZE);
    if (!node->driver->truncate && node->driver->holds_images) {
        return blk_fits(node, len, prealloc, error);
    }
    if (!node->driver->truncate) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' cannot change its size: block driver '%s' has no way to.",
                    node->filename ? node->filename : node->name, node->driver->name);
        return false;
    }
    node->in_flight++;
    blk_range_acquire(node->context, &node->ranges, &range, 0, UINT64_MAX, true);
    ok = node->driver->truncate(node, len, prealloc, error) &&
         hide_longer_backing(node, old_len, len, error);
    node->write_count++;
    blk_node_resize_bitmaps(node);
    request_end(node, &range);
    for (unsigned i = 0; ok && i < node->parents->len; i++) {
        BlkChild *parent = g_ptr_array_index(node->parents, i);
        if (parent->user && parent->user->resized) {
            parent->user->resized(parent->opaque);
        }
    }
    return ok;
}
