/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* null-co and null-aio: a disk without anything behind it, to measure what is above. Writes are
 * dropped; reads leave the buffer as it is, or zero it with read-zeroes=on.
 * Thread: the lock of the node's context held. */

#include "blk-driver.h"

#include <string.h>

typedef struct BlkNull {
    uint64_t size, latency_ns;
    bool read_zeroes;
} BlkNull;

static bool
null_open(BlkNode *node, GError **error)
{
    g_free(node->filename);
    node->filename = g_strconcat(node->driver->name, "://", NULL);
    node->limits.write_flags = node->limits.zeroes_flags = BLK_REQ_FUA | BLK_REQ_MAY_UNMAP;
    return true;
}

static int
latency(BlkNode *node)
{
    const BlkNull *null = node->state;

    if (null->latency_ns > 0) {
        blk_sleep_ns(node->context, (int64_t)null->latency_ns);
    }
    return 0;
}

static int
null_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    const BlkNull *null = node->state;

    if (null->read_zeroes) {
        blk_vec_fill(vec, at, len, 0);
    }
    return latency(node);
}

static int
null_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
           unsigned flags)
{
    return latency(node);
}

static int
null_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    return latency(node);
}

static int
null_flush(BlkNode *node)
{
    return latency(node);
}

static int64_t
null_get_len(BlkNode *node)
{
    return (int64_t)((BlkNull *)node->state)->size;
}

static int64_t
null_get_allocated_len(BlkNode *node)
{
    return 0;
}

static int
null_status(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out)
{
    const BlkNull *null = node->state;

    out->flags = BLK_STATUS_ALLOCATED | BLK_STATUS_MAPPED |
                 (null->read_zeroes ? BLK_STATUS_ZERO : BLK_STATUS_DATA);
    out->map_node = node;
    out->map_offset = offset;
    return 0;
}

/* "null-co://": nothing but the driver's name. */
static bool
null_parse_filename(const char *filename, BlkOptions *options, GError **error)
{
    const char *rest = strstr(filename, "://");

    if (rest && !rest[3]) {
        return true;
    }
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                "'%s' is no name of an empty device: write null-co:// or null-aio://.", filename);
    return false;
}

static const char *const co_schemes[] = { "null-co", NULL };
static const char *const aio_schemes[] = { "null-aio", NULL };

static const VitProp options[] = {
    VIT_PROP_SIZE(BlkNull, size, "size", 1 << 30, 0, INT64_MAX, VIT_N_("Size of the disk")),
    VIT_PROP_UINT(BlkNull, latency_ns, "latency-ns", 0, 0, INT64_MAX,
                  VIT_N_("How long each request takes"), .unit = "ns"),
    VIT_PROP_BOOL(BlkNull, read_zeroes, "read-zeroes", 0, VIT_N_("Reads give zeroes")),
    { 0 },
};

#define NULL_OPS                                                                  \
    .role = BLK_ROLE_PROTOCOL, .state_size = sizeof(BlkNull), .options = options, \
    .parse_filename = null_parse_filename, .open = null_open, .read = null_read,  \
    .write = null_write, .write_zeroes = null_write_zeroes, .flush = null_flush,  \
    .get_len = null_get_len, .get_allocated_len = null_get_allocated_len, .status = null_status

const BlkDriver blk_null_co_driver = {
    .name = "null-co",
    .title = VIT_N_("Empty device"),
    .schemes = co_schemes,
    NULL_OPS,
};

const BlkDriver blk_null_aio_driver = {
    .name = "null-aio",
    .title = VIT_N_("Empty device"),
    .schemes = aio_schemes,
    NULL_OPS,
};
