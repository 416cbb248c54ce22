/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Compressed loop images, version 2 (the file systems of KNOPPIX), read only.
 *
 * Layout, as create_compressed_fs writes it: 128 bytes of a shell script, block size and count of
 * blocks (32 bits, big-endian), a place for each block and the end (64 bits), zlib streams.
 * Thread: in a fiber; the places are in memory. */

#include "fmt.h"

#include <string.h>

enum {
    AT_BLOCK_SIZE = 128,
    AT_BLOCKS = 132,
    AT_OFFSETS = 136,
    MAX_BLOCK_BYTES = 64 << 20,
    MAX_OFFSETS = 64 << 20,
};

#define MAGIC \
    "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n"

typedef struct Cloop {
    FmtMap map;
    uint32_t block_bytes, blocks;
    uint64_t *offsets; /* host order */
} Cloop;

static int
cloop_lookup(BlkNode *node, uint64_t offset, uint64_t len, FmtExtent *out)
{
    const Cloop *cloop = node->state;
    uint64_t index = offset / cloop->block_bytes;

    if (index >= cloop->blocks) {
        return -EIO;
    }
    *out = (FmtExtent){ .kind = FMT_PACKED,
                        .len = cloop->block_bytes - offset % cloop->block_bytes,
                        .file = node->file,
                        .host = cloop->offsets[index],
                        .packed_len = cloop->offsets[index + 1] - cloop->offsets[index],
                        .block_start = index * cloop->block_bytes,
                        .block_len = cloop->block_bytes };
    return 0;
}

static int
cloop_unpack(BlkNode *node, const FmtExtent *extent, uint8_t *out)
{
    g_autofree uint8_t *in = g_try_malloc(MAX(extent->packed_len, 1));
    int ret = in ? blk_read_buffer(node->file, extent->host, in, extent->packed_len) : -ENOMEM;

    ret = ret < 0
              ? ret
              : fmt_unpack(node->context, FMT_ZLIB, in, extent->packed_len, out, extent->block_len);
    return ret < 0 ? ret : (uint64_t)ret == extent->block_len ? 0 : -EIO;
}

static const FmtMapOps map_ops = { .lookup = cloop_lookup, .unpack = cloop_unpack };

/* Places must rise, stay in the file, and no block may be much larger than it is unpacked. */
static bool
read_offsets(BlkNode *node, GError **error)
{
    Cloop *cloop = node->state;
    size_t count = (size_t)cloop->blocks + 1;
    uint64_t file_len = fmt_file_len(node->file);

    if (count * 8 > MAX_OFFSETS || AT_OFFSETS + count * 8 > file_len) {
        return fmt_set_bad(node, error, AT_BLOCKS, "blocks",
                           "the file has no room for the places of %u", cloop->blocks);
    }
    cloop->offsets = g_malloc(count * 8);
    if (!fmt_read(node, node->file, AT_OFFSETS, cloop->offsets, count * 8, "places of blocks",
                  error)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        cloop->offsets[i] = GUINT64_FROM_BE(cloop->offsets[i]);
        if (cloop->offsets[i] > file_len || (i > 0 && cloop->offsets[i] < cloop->offsets[i - 1]) ||
            (i > 0 &&
             cloop->offsets[i] - cloop->offsets[i - 1] > 2 * (uint64_t)cloop->block_bytes + 1024)) {
            return fmt_set_bad(node, error, AT_OFFSETS + i * 8, "place of a block",
                               "%" PRIu64 " is not possible", cloop->offsets[i]);
        }
    }
    return true;
}

static bool
cloop_open(BlkNode *node, GError **error)
{
    Cloop *cloop = node->state;
    uint8_t head[AT_OFFSETS];

    cloop->map.ops = &map_ops;
    if (!fmt_make_read_only(node, error) ||
        !fmt_read(node, node->file, 0, head, sizeof(head), "header", error)) {
        return false;
    }
    cloop->block_bytes = fmt_be32(head + AT_BLOCK_SIZE);
    cloop->blocks = fmt_be32(head + AT_BLOCKS);
    if (cloop->block_bytes == 0 || cloop->block_bytes % FMT_SECTOR_BYTES ||
        cloop->block_bytes > MAX_BLOCK_BYTES) {
        return fmt_set_bad(node, error, AT_BLOCK_SIZE, "block size",
                           "%u is not a multiple of 512 up to 64M", cloop->block_bytes);
    }
    return read_offsets(node, error);
}

static void
cloop_close(BlkNode *node)
{
    Cloop *cloop = node->state;

    fmt_map_clear(&cloop->map);
    g_free(cloop->offsets);
}

static int64_t
cloop_get_len(BlkNode *node)
{
    const Cloop *cloop = node->state;

    return (int64_t)cloop->blocks * cloop->block_bytes;
}

static int
cloop_probe(const uint8_t *buf, size_t len, const char *filename)
{
    return memcmp(buf, MAGIC, MIN(len, strlen(MAGIC))) == 0 && len >= 24 ? 2 : 0;
}

static const BlkChildSlot slots[] = { { .name = "file", .required = true }, { 0 } };

const BlkDriver blk_cloop_driver = {
    .name = "cloop",
    .title = VIT_N_("Compressed loop image"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(Cloop),
    .slots = slots,
    .probe = cloop_probe,
    .open = cloop_open,
    .close = cloop_close,
    .read = fmt_map_read,
    .get_len = cloop_get_len,
    .status = fmt_map_status,
    .set_read_only = fmt_refuse_writing,
};
