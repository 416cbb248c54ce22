/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */
#pragma once

/* Scattered memory of a request. Drivers get the whole vector and a place in it, so splitting a
 * request copies nothing. Thread: any; the vector is read only. */

#include "vit-types.h"

#include <sys/uio.h>

typedef struct BlkVec {
    const struct iovec *iov;
    int count;
    uint64_t len_bytes;
} BlkVec;

BlkVec blk_vec_make(const struct iovec *iov, int count);
/* Elements that cover [at, at + len): written to OUT unless NULL (room for vec->count). */
int blk_vec_slice(const BlkVec *vec, uint64_t at, uint64_t len, struct iovec *out);
/* Copies from the vector into BUF, and from BUF into the vector. */
void blk_vec_gather(const BlkVec *vec, uint64_t at, void *buf, uint64_t len);
void blk_vec_scatter(const BlkVec *vec, uint64_t at, const void *buf, uint64_t len);
void blk_vec_fill(const BlkVec *vec, uint64_t at, uint64_t len, uint8_t byte);
bool blk_vec_is_zero(const BlkVec *vec, uint64_t at, uint64_t len);
/* Whether every piece starts and ends at a multiple of ALIGN in memory. */
bool blk_vec_is_aligned(const BlkVec *vec, uint64_t at, uint64_t len, uint32_t align);
bool blk_buffer_is_zero(const void *buf, size_t len);
