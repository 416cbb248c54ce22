/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Disks in blocks, each of which is absent, zero, data at a place of a file, or packed. Drivers say
 * where a block is, give room for new ones and link them; reading, copying on write, zeroes and
 * status are here.
 *
 * Invariants:
 *  1. A new block is whole in the file (its data, and zeroes or the old content around it) before
 *     the driver links it, so a process that is killed leaves unused room at most.
 *  2. A block that takes over content of the backing image is stable before it is linked: a power
 *     failure never hides the backing image behind a block that was not written.
 *  3. Blocks are made one at a time, under map->lock, after looking again.
 *
 * Thread: in a fiber. */

#include "fmt.h"

#include <string.h>

enum { ROOM_BYTES = 4 << 20 };

static FmtMap *
map_of(BlkNode *node)
{
    return node->state;
}

void
fmt_map_clear(FmtMap *map)
{
    g_clear_pointer(&map->unpacked, g_free);
    map->unpacked_len = 0;
}

/* ---- reading ---- */

static int
look_up(BlkNode *node, uint64_t offset, uint64_t len, FmtExtent *out)
{
    int ret;

    *out = (FmtExtent){ 0 };
    ret = map_of(node)->ops->lookup(node, offset, len, out);
    if (ret == 0) {
        g_assert(out->len > 0);
        out->len = MIN(out->len, len);
    }
    return ret;
}

/* The block is unpacked into memory of this call and kept when nothing newer came meanwhile. */
static int
read_packed(BlkNode *node, const FmtExtent *extent, uint64_t offset, const BlkVec *vec, uint64_t at)
{
    FmtMap *map = map_of(node);
    uint8_t *block;
    int ret;

    if (map->unpacked_len != extent->block_len || map->unpacked_start != extent->block_start) {
        block = g_try_malloc(extent->block_len);
        ret = block ? map->ops->unpack(node, extent, block) : -ENOMEM;
        if (ret < 0) {
            g_free(block);
            return ret;
        }
        g_free(map->unpacked);
        map->unpacked = block;
        map->unpacked_start = extent->block_start;
        map->unpacked_len = extent->block_len;
    }
    blk_vec_scatter(vec, at, map->unpacked + (offset - extent->block_start), extent->len);
    return 0;
}

static int
read_extent(BlkNode *node, const FmtExtent *extent, uint64_t offset, const BlkVec *vec, uint64_t at)
{
    switch (extent->kind) {
    case FMT_DATA: return blk_read(extent->file, extent->host, extent->len, vec, at);
    case FMT_PACKED: return read_packed(node, extent, offset, vec, at);
    case FMT_ABSENT: return blk_read_backing(node, offset, extent->len, vec, at);
    case FMT_ZERO: break;
    }
    blk_vec_fill(vec, at, extent->len, 0);
    return 0;
}

int
fmt_map_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    while (len > 0) {
        FmtExtent extent;
        int ret = look_up(node, offset, len, &extent);
        ret = ret < 0 ? ret : read_extent(node, &extent, offset, vec, at);
        if (ret < 0) {
            return ret;
        }
        offset += extent.len;
        at += extent.len;
        len -= extent.len;
    }
    return 0;
}

static int
read_buffer(BlkNode *node, uint64_t offset, void *buf, uint64_t len)
{
    struct iovec iov = { .iov_base = buf, .iov_len = len };
    BlkVec vec = blk_vec_make(&iov, 1);

    return fmt_map_read(node, offset, len, &vec, 0);
}

int
fmt_map_status(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out)
{
    FmtExtent extent;
    BlkStatus below;
    int ret = look_up(node, offset, len, &extent);

    if (ret < 0) {
        return ret;
    }
    *out = (BlkStatus){ .len_bytes = extent.len };
    switch (extent.kind) {
    case FMT_ABSENT: break;
    case FMT_ZERO: out->flags = BLK_STATUS_ZERO | BLK_STATUS_ALLOCATED; break;
    case FMT_PACKED:
        out->flags = BLK_STATUS_DATA | BLK_STATUS_ALLOCATED | BLK_STATUS_COMPRESSED;
        break;
    case FMT_DATA:
        out->flags = BLK_STATUS_DATA | BLK_STATUS_ALLOCATED | BLK_STATUS_MAPPED;
        out->map_node = extent.file->node;
        out->map_offset = extent.host;
        /* A hole in the file reads as zeroes. */
        if (blk_get_status(extent.file, extent.host, extent.len, &below) == 0) {
            out->len_bytes = below.len_bytes;
            out->flags |= below.flags & BLK_STATUS_ZERO;
        }
        break;
    }
    return 0;
}

/* ---- writing ---- */

/* Only the last byte: what lies before it may be data. */
int
fmt_extend(BlkChild *file, uint64_t end)
{
    static const uint8_t zero = 0;

    return fmt_file_len(file) >= end ? 0 : blk_write_buffer(file, end - 1, &zero, 1, 0);
}

int
fmt_secure_room(BlkChild *file, uint64_t end, uint64_t *room_end)
{
    uint64_t wanted = end + ROOM_BYTES;
    int ret;

    if (end <= *room_end) {
        return 0;
    }
    ret = fmt_extend(file, wanted);
    if (ret < 0) {
        wanted = end; /* it may have room for just that */
        ret = fmt_extend(file, wanted);
    }
    ret = ret < 0 ? ret : blk_flush(file);
    *room_end = ret < 0 ? *room_end : wanted;
    return ret;
}

void
fmt_trim_room(BlkChild *file, uint64_t end, uint64_t *room_end)
{
    if (end < *room_end && blk_truncate(file, end, BLK_PREALLOC_OFF, NULL)) {
        *room_end = 0;
    }
}

/* What the file does not have yet reads as zeroes; what lies there from before may not. */
static int
zero_room(BlkChild *file, uint64_t host, uint64_t len)
{
    uint64_t file_len = fmt_file_len(file);

    return len == 0 || host >= file_len
               ? 0
               : blk_write_zeroes(file, host, MIN(len, file_len - host), BLK_REQ_MAY_UNMAP);
}

/* Brings [START, START + LEN) of the disk to HOST as it was. */
static int
copy_room(BlkNode *node, BlkChild *file, uint64_t start, uint64_t len, uint64_t host)
{
    enum { CHUNK_BYTES = 1 << 20 };
    g_autofree uint8_t *buf = len ? g_try_malloc(MIN(len, CHUNK_BYTES)) : NULL;
    uint64_t disk_len = blk_node_get_len(node);
    int ret = len == 0 || buf ? 0 : -ENOMEM;

    while (len > 0 && ret == 0) {
        uint64_t piece = MIN(len, CHUNK_BYTES);
        uint64_t there = start < disk_len ? MIN(piece, disk_len - start) : 0;
        memset(buf, 0, piece);
        ret = there ? read_buffer(node, start, buf, there) : 0;
        ret = ret < 0 ? ret : blk_write_buffer(file, host, buf, piece, 0);
        start += piece;
        host += piece;
        len -= piece;
    }
    return ret;
}

/* Writes LEN bytes at OFFSET of VEC (NULL: zeroes) with what belongs around them into ROOM. */
static int
fill_room(BlkNode *node, const FmtRoom *room, uint64_t start, uint64_t block_len, bool keep_old,
          uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    uint64_t head = offset - start, tail = block_len - head - len, host = room->host;
    int ret;

    ret = keep_old ? copy_room(node, room->file, start, head, host)
                   : zero_room(room->file, host, head);
    if (ret == 0 && vec) {
        ret = blk_write(room->file, host + head, len, vec, at, 0);
    } else if (ret == 0) {
        ret = zero_room(room->file, host + head, len);
    }
    if (ret == 0) {
        ret = keep_old ? copy_room(node, room->file, offset + len, tail, host + head + len)
                       : zero_room(room->file, host + head + len, tail);
    }
    ret = ret < 0 ? ret : fmt_extend(room->file, host + block_len);
    return ret == 0 && keep_old ? blk_flush(room->file) : ret;
}

/* A block of an image that is written compressed. */
static int
write_whole_block(BlkNode *node, uint64_t start, uint64_t block_len, uint64_t offset, uint64_t len,
                  const BlkVec *vec, uint64_t at)
{
    FmtMap *map = map_of(node);
    uint64_t there = MIN(block_len, blk_node_get_len(node) - start);
    g_autofree uint8_t *buf = g_try_malloc0(block_len);
    int ret = buf ? 0 : -ENOMEM;

    if (ret == 0 && len < there) {
        ret = read_buffer(node, start, buf, there);
    }
    if (ret == 0 && vec) {
        blk_vec_gather(vec, at, buf + (offset - start), len);
    } else if (ret == 0) {
        memset(buf + (offset - start), 0, len);
    }
    map->unpacked_len = 0;
    ret = ret < 0 ? ret : map->ops->write_block(node, start, buf, block_len);
    map->unpacked_len = 0;
    return ret;
}

/* Lock held: writes a part of one block that has no data in place. OUT_LEN 0: it has by now. */
static int
write_new_locked(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
                 uint64_t *out_len)
{
    const FmtMapOps *ops = map_of(node)->ops;
    uint64_t start, block_len;
    FmtExtent extent;
    FmtRoom room = { 0 };
    bool keep_old;
    int ret = look_up(node, offset, len, &extent);

    *out_len = 0;
    if (ret < 0 || extent.kind == FMT_DATA) {
        return ret;
    }
    ops->get_block(node, offset, &start, &block_len);
    len = MIN(len, start + block_len - offset);
    keep_old = extent.kind == FMT_PACKED || (extent.kind == FMT_ABSENT && node->backing &&
                                             start < blk_node_get_len(node->backing->node));
    if (ops->write_block) {
        ret = write_whole_block(node, start, block_len, offset, len, vec, at);
    } else {
        ret = ops->reserve(node, start, &room);
        ret = ret < 0 ? ret
                      : fill_room(node, &room, start, block_len, keep_old, offset, len, vec, at);
        ret = ret < 0 ? ret : ops->link(node, start, &room);
    }
    *out_len = len;
    return ret;
}

static int
write_new(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
          uint64_t *out_len)
{
    FmtMap *map = map_of(node);
    int ret;

    fmt_lock(node, &map->lock);
    ret = write_new_locked(node, offset, len, vec, at, out_len);
    fmt_unlock(node, &map->lock);
    return ret;
}

static int
before_write(BlkNode *node)
{
    FmtMap *map = map_of(node);
    int ret = 0;

    if (map->is_prepared || !map->ops->before_write) {
        return 0;
    }
    fmt_lock(node, &map->lock);
    if (!map->is_prepared) {
        ret = map->ops->before_write(node);
        map->is_prepared = ret == 0;
    }
    fmt_unlock(node, &map->lock);
    return ret;
}

static int
before_overwrite(BlkNode *node, uint64_t offset, uint64_t len)
{
    const FmtMapOps *ops = map_of(node)->ops;

    return ops->before_overwrite ? ops->before_overwrite(node, offset, len) : 0;
}

int
fmt_map_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
              unsigned flags)
{
    int ret = before_write(node);

    while (len > 0 && ret == 0) {
        FmtExtent extent;
        uint64_t done = 0;
        ret = look_up(node, offset, len, &extent);
        if (ret == 0 && extent.kind == FMT_DATA) {
            done = extent.len;
            ret = before_overwrite(node, offset, done);
            ret = ret < 0 ? ret : blk_write(extent.file, extent.host, done, vec, at, 0);
        } else if (ret == 0) {
            ret = write_new(node, offset, len, vec, at, &done);
        }
        offset += done;
        at += done;
        len -= done;
    }
    return ret;
}

/* ---- zeroes ---- */

/* Marks the whole block at START, where the format can and it has no data. */
static int
mark_zero(BlkNode *node, uint64_t start, uint64_t len, bool *out_done)
{
    FmtMap *map = map_of(node);
    FmtExtent extent;
    int ret;

    fmt_lock(node, &map->lock);
    ret = look_up(node, start, len, &extent);
    *out_done = ret == 0 && extent.kind != FMT_DATA;
    if (*out_done) {
        map->unpacked_len = 0;
        ret = map->ops->link_zero(node, start);
        map->unpacked_len = 0;
    }
    fmt_unlock(node, &map->lock);
    return ret;
}

static int
zero_extent(BlkNode *node, const FmtExtent *extent, uint64_t offset, unsigned flags,
            uint64_t *out_len)
{
    uint64_t start, block_len, disk_len = blk_node_get_len(node);
    uint64_t backing_len = node->backing ? blk_node_get_len(node->backing->node) : 0;
    bool done = false;
    int ret;

    *out_len = extent->len;
    if (extent->kind == FMT_DATA) {
        ret = before_overwrite(node, offset, extent->len);
        return ret < 0 ? ret : blk_write_zeroes(extent->file, extent->host, extent->len, flags);
    }
    map_of(node)->ops->get_block(node, offset, &start, &block_len);
    *out_len = MIN(extent->len, start + block_len - offset);
    if (extent->kind == FMT_ZERO || (extent->kind == FMT_ABSENT && offset >= backing_len)) {
        return 0;
    }
    if (map_of(node)->ops->link_zero && offset == start &&
        *out_len >= MIN(block_len, disk_len - start)) {
        ret = mark_zero(node, start, *out_len, &done);
        if (ret < 0 || done) {
            return ret;
        }
    }
    return write_new(node, offset, *out_len, NULL, 0, out_len);
}

int
fmt_map_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    int ret = before_write(node);

    while (len > 0 && ret == 0) {
        FmtExtent extent;
        uint64_t done = 0;
        ret = look_up(node, offset, len, &extent);
        ret = ret < 0 ? ret : zero_extent(node, &extent, offset, flags, &done);
        offset += done;
        len -= done;
    }
    return ret;
}
