/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Walking scattered memory. Thread: any. */

#include "blk-vec.h"

#include <string.h>

BlkVec
blk_vec_make(const struct iovec *iov, int count)
{
    BlkVec vec = { .iov = iov, .count = count };

    for (int i = 0; i < count; i++) {
        vec.len_bytes += iov[i].iov_len;
    }
    return vec;
}

/* A position that walks pieces of [at, at + left). */
typedef struct VecWalk {
    const struct iovec *iov, *end;
    uint64_t skip, left;
} VecWalk;

static VecWalk
walk_start(const BlkVec *vec, uint64_t at, uint64_t len)
{
    VecWalk walk = { .iov = vec->iov, .end = vec->iov + vec->count, .skip = at, .left = len };

    g_assert(at <= vec->len_bytes && len <= vec->len_bytes - at);
    while (walk.iov < walk.end && walk.skip >= walk.iov->iov_len) {
        walk.skip -= walk.iov->iov_len;
        walk.iov++;
    }
    return walk;
}

/* Next piece; false at the end. */
static bool
walk_next(VecWalk *walk, uint8_t **out_base, size_t *out_len)
{
    while (walk->left > 0 && walk->iov < walk->end) {
        size_t len = MIN(walk->iov->iov_len - walk->skip, walk->left);
        *out_base = (uint8_t *)walk->iov->iov_base + walk->skip;
        *out_len = len;
        walk->left -= len;
        walk->skip = 0;
        walk->iov++;
        if (len > 0) {
            return true;
        }
    }
    return false;
}

int
blk_vec_slice(const BlkVec *vec, uint64_t at, uint64_t len, struct iovec *out)
{
    VecWalk walk = walk_start(vec, at, len);
    uint8_t *base;
    size_t piece;
    int count = 0;

    while (walk_next(&walk, &base, &piece)) {
        if (out) {
            out[count] = (struct iovec){ .iov_base = base, .iov_len = piece };
        }
        count++;
    }
    return count;
}

void
blk_vec_gather(const BlkVec *vec, uint64_t at, void *buf, uint64_t len)
{
    VecWalk walk = walk_start(vec, at, len);
    uint8_t *to = buf, *base;
    size_t piece;

    while (walk_next(&walk, &base, &piece)) {
        memcpy(to, base, piece);
        to += piece;
    }
}

void
blk_vec_scatter(const BlkVec *vec, uint64_t at, const void *buf, uint64_t len)
{
    VecWalk walk = walk_start(vec, at, len);
    const uint8_t *from = buf;
    uint8_t *base;
    size_t piece;

    while (walk_next(&walk, &base, &piece)) {
        memcpy(base, from, piece);
        from += piece;
    }
}

void
blk_vec_fill(const BlkVec *vec, uint64_t at, uint64_t len, uint8_t byte)
{
    VecWalk walk = walk_start(vec, at, len);
    uint8_t *base;
    size_t piece;

    while (walk_next(&walk, &base, &piece)) {
        memset(base, byte, piece);
    }
}

bool
blk_buffer_is_zero(const void *buf, size_t len)
{
    const uint8_t *bytes = buf;
    size_t head = MIN(len, 16);

    /* Once the first 16 bytes are known to be zero, the rest equals itself shifted by 16. */
    for (size_t i = 0; i < head; i++) {
        if (bytes[i]) {
            return false;
        }
    }
    return len <= 16 || memcmp(bytes, bytes + 16, len - 16) == 0;
}

bool
blk_vec_is_zero(const BlkVec *vec, uint64_t at, uint64_t len)
{
    VecWalk walk = walk_start(vec, at, len);
    uint8_t *base;
    size_t piece;

    while (walk_next(&walk, &base, &piece)) {
        if (!blk_buffer_is_zero(base, piece)) {
            return false;
        }
    }
    return true;
}

bool
blk_vec_is_aligned(const BlkVec *vec, uint64_t at, uint64_t len, uint32_t align)
{
    VecWalk walk = walk_start(vec, at, len);
    uint8_t *base;
    size_t piece;

    if (align <= 1) {
        return true;
    }
    while (walk_next(&walk, &base, &piece)) {
        if ((uintptr_t)base % align || piece % align) {
            return false;
        }
    }
    return true;
}
