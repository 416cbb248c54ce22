/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* One step of a copying job: data as data, zeroes as zeroes, what is behind the end of the source
 * as nothing. Thread: in a fiber. */

#include "blk-copy.h"

#include "blk-graph-private.h"

#include <errno.h>
#include <stdlib.h>

int
blk_copy_init(BlkCopy *copy)
{
    return posix_memalign(&copy->buf, 4096, BLK_COPY_BYTES) == 0 ? 0 : -ENOMEM;
}

void
blk_copy_finish(BlkCopy *copy)
{
    free(copy->buf);
    copy->buf = NULL;
}

static int
write_data(BlkCopy *copy, uint64_t offset, uint64_t len)
{
    const BlkFormatOps *format = copy->target->node->driver->format;
    struct iovec iov = { .iov_base = copy->buf, .iov_len = len };
    BlkVec vec = blk_vec_make(&iov, 1);

    if (copy->compress && format && format->write_compressed) {
        return format->write_compressed(copy->target->node, offset, len, &vec, 0);
    }
    return blk_write(copy->target, offset, len, &vec, 0, 0);
}

int64_t
blk_copy_some(BlkCopy *copy, uint64_t offset, uint64_t len, bool *out_is_read)
{
    uint64_t end = MIN(blk_node_get_len(copy->source->node), blk_node_get_len(copy->target->node));
    BlkStatus status;
    int ret;

    *out_is_read = true;
    if (offset >= end) {
        return (int64_t)len;
    }
    len = MIN(len, end - offset);
    ret = blk_get_status(copy->source, offset, len, &status);
    if (ret < 0) {
        return ret;
    }
    len = MIN(len, status.len_bytes);
    if (status.flags & BLK_STATUS_ZERO) {
        *out_is_read = false;
        ret = blk_write_zeroes(copy->target, offset, len, copy->unmap ? BLK_REQ_MAY_UNMAP : 0);
        return ret < 0 ? ret : (int64_t)len;
    }
    len = MIN(len, BLK_COPY_BYTES);
    ret = blk_read_buffer(copy->source, offset, copy->buf, len);
    if (ret < 0) {
        return ret;
    }
    *out_is_read = false;
    ret = write_data(copy, offset, len);
    return ret < 0 ? ret : (int64_t)len;
}
