/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Requests that do not fit a node's alignment, in offset, length or memory: through an aligned
 * buffer, in chunks; a write reads the edges of its first and last block first.
 *
 * Invariant: the caller holds the request's range, for a write exclusively and rounded to the
 * alignment where offset or length need it. Memory for a chunk is bounded whatever the request.
 * Thread: in a fiber. */

#include "blk-graph-private.h"

#include <errno.h>
#include <stdlib.h>

enum { CHUNK_BYTES = 1 << 20 };

static void *
alloc_chunk(const BlkNode *node, uint64_t len)
{
    void *buf = NULL;

    if (posix_memalign(&buf, MAX(node->limits.memory_align, 16), len) != 0) {
        return NULL;
    }
    return buf;
}

static int
read_buffer(BlkNode *node, uint64_t offset, void *buf, uint64_t len)
{
    struct iovec iov = { .iov_base = buf, .iov_len = len };
    BlkVec vec = blk_vec_make(&iov, 1);

    return node->driver->read(node, offset, len, &vec, 0);
}

int
blk_read_bounced(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    uint64_t align = node->limits.request_align;
    uint64_t start = blk_round_down(offset, align), end = blk_round_up(offset + len, align);
    uint64_t chunk = MIN(end - start, MAX(CHUNK_BYTES, align));
    uint8_t *buf = alloc_chunk(node, chunk);
    int ret = buf ? 0 : -ENOMEM;

    while (start < end && ret == 0) {
        uint64_t piece = MIN(chunk, end - start);
        ret = read_buffer(node, start, buf, piece);
        if (ret == 0) {
            uint64_t from = MAX(start, offset), to = MIN(start + piece, offset + len);
            blk_vec_scatter(vec, at + (from - offset), buf + (from - start), to - from);
        }
        start += piece;
    }
    free(buf);
    return ret;
}

/* Fills the blocks at the ends of [start, start + piece) that [from, to) covers in part only. */
static int
read_edges(BlkNode *node, uint8_t *buf, uint64_t start, uint64_t piece, uint64_t from, uint64_t to)
{
    uint64_t align = node->limits.request_align;
    uint64_t last = start + piece - align;
    int ret = 0;

    if (from > start || (start == last && to < start + piece)) {
        ret = read_buffer(node, start, buf, align);
    }
    if (ret == 0 && start != last && to < start + piece) {
        ret = read_buffer(node, last, buf + (last - start), align);
    }
    return ret;
}

/* A file that ends within a block must not grow to the end of it because its last bytes were
 * written. Nobody else can have put the end where it is now: the caller holds that block. */
static void
trim_growth(BlkNode *node, uint64_t old_len, uint64_t written_end, uint64_t block_end)
{
    uint64_t wanted = MAX(old_len, written_end);

    if (wanted < block_end && blk_node_get_len(node) == block_end && node->driver->truncate) {
        node->driver->truncate(node, wanted, BLK_PREALLOC_OFF, NULL);
    }
}

int
blk_write_bounced(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
                  unsigned flags)
{
    uint64_t align = node->limits.request_align;
    uint64_t start = blk_round_down(offset, align), end = blk_round_up(offset + len, align);
    uint64_t chunk = MIN(end - start, MAX(CHUNK_BYTES, align));
    uint64_t old_len = blk_node_get_len(node);
    uint8_t *buf = alloc_chunk(node, chunk);
    int ret = buf ? 0 : -ENOMEM;

    while (start < end && ret == 0) {
        uint64_t piece = MIN(chunk, end - start);
        uint64_t from = MAX(start, offset), to = MIN(start + piece, offset + len);
        ret = read_edges(node, buf, start, piece, from, to);
        if (ret == 0) {
            struct iovec iov = { .iov_base = buf, .iov_len = piece };
            BlkVec whole = blk_vec_make(&iov, 1);
            blk_vec_gather(vec, at + (from - offset), buf + (from - start), to - from);
            ret = blk_write_aligned(node, start, piece, &whole, 0, flags);
        }
        start += piece;
    }
    if (ret == 0 && old_len < end) {
        trim_growth(node, old_len, offset + len, end);
    }
    free(buf);
    return ret;
}

/* ---- memory in one piece ---- */

int
blk_read_by_copy(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
                 BlkBufferFunc func)
{
    g_autofree uint8_t *buf = g_try_malloc(MAX(len, 1));
    int ret = buf ? func(node, offset, len, buf) : -ENOMEM;

    if (ret == 0) {
        blk_vec_scatter(vec, at, buf, len);
    }
    return ret;
}

int
blk_write_by_copy(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
                  BlkBufferFunc func)
{
    g_autofree uint8_t *buf = g_try_malloc(MAX(len, 1));

    if (!buf) {
        return -ENOMEM;
    }
    blk_vec_gather(vec, at, buf, len);
    return func(node, offset, len, buf);
}
