/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* VDI, the disk images of VirtualBox: dynamic and static, read, write, grow and check.
 *
 * Layout (version 1.1, little-endian): a header, a map of 32-bit block numbers, blocks. Sources of
 * facts: the format as published with VirtualBox's headers and on forums.virtualbox.org ("All about
 * VDIs"). Differencing images (a parent's UUID) are refused. Blocks of other sizes than 1 MiB are
 * read and written too.
 *
 * The number of allocated blocks in the header is only a sum over the map. It changes in one write
 * with the map entry; when an image is opened for writing it is counted anew. The file reaches to
 * all that the map names also after a power failure, as it is lengthened some MiB ahead.
 *
 * Thread: in a fiber; the map is in memory. */

#include "fmt.h"

#include <string.h>

enum {
    HEADER_BYTES = 512,
    AT_SIGNATURE = 0x40,
    AT_VERSION = 0x44,
    AT_HEADER_SIZE = 0x48,
    AT_TYPE = 0x4c,
    AT_OFFSET_BMAP = 0x154,
    AT_OFFSET_DATA = 0x158,
    AT_SECTOR_SIZE = 0x168,
    AT_DISK_SIZE = 0x170,
    AT_BLOCK_SIZE = 0x178,
    AT_BLOCK_EXTRA = 0x17c,
    AT_BLOCKS = 0x180,
    AT_ALLOCATED = 0x184,
    AT_UUID_IMAGE = 0x188,
    AT_UUID_LAST_SNAPSHOT = 0x198,
    AT_UUID_LINK = 0x1a8,
    AT_UUID_PARENT = 0x1b8,
    TYPE_DYNAMIC = 1,
    TYPE_STATIC = 2,
    DEFAULT_BLOCK_BYTES = 1 << 20,
    MAX_BLOCKS = 0x20000000,
};

#define SIGNATURE    0xbeda107fu
#define VERSION_1_1  0x00010001u
#define UNALLOCATED  0xffffffffu
#define DISCARDED    0xfffffffeu
#define MAX_DISK_LEN ((uint64_t)MAX_BLOCKS * DEFAULT_BLOCK_BYTES)

typedef struct Vdi {
    FmtMap map;
    uint8_t header[HEADER_BYTES];
    uint32_t block_bytes, blocks;
    uint32_t allocated; /* map entries with a block */
    uint32_t next;      /* block number behind all that are used */
    uint64_t bmap_offset, data_offset, disk_len;
    uint64_t room_end; /* the file reaches so far, whatever happens */
    uint32_t *bmap;    /* little-endian, as in the file */
} Vdi;

static bool
is_allocated(uint32_t entry)
{
    return entry < DISCARDED;
}

/* ---- opening ---- */

static bool
check_layout(BlkNode *node, GError **error)
{
    static const uint8_t none[16];
    const Vdi *vdi = node->state;
    const uint8_t *header = vdi->header;
    uint32_t type = fmt_le32(header + AT_TYPE);

    if (fmt_le32(header + AT_SIGNATURE) != SIGNATURE) {
        return fmt_set_bad(node, error, AT_SIGNATURE, "signature", "this is not a VDI image");
    }
    if (fmt_le32(header + AT_VERSION) != VERSION_1_1) {
        return fmt_set_bad(
            node, error, AT_VERSION, "version", "%u.%u is not 1.1, the only one known",
            fmt_le32(header + AT_VERSION) >> 16, fmt_le32(header + AT_VERSION) & 0xffff);
    }
    if (type != TYPE_DYNAMIC && type != TYPE_STATIC) {
        return fmt_set_bad(node, error, AT_TYPE, "type",
                           "%u is not dynamic or static; differencing images are not supported",
                           type);
    }
    if (fmt_le32(header + AT_SECTOR_SIZE) != FMT_SECTOR_BYTES) {
        return fmt_set_bad(node, error, AT_SECTOR_SIZE, "sector size", "%u is not 512",
                           fmt_le32(header + AT_SECTOR_SIZE));
    }
    if (memcmp(header + AT_UUID_PARENT, none, 16) != 0) {
        return fmt_set_bad(node, error, AT_UUID_PARENT, "parent UUID",
                           "images with a parent are not supported");
    }
    if (memcmp(header + AT_UUID_LINK, none, 16) != 0) {
        return fmt_set_bad(node, error, AT_UUID_LINK, "link UUID",
                           "images with a link are not supported");
    }
    return true;
}

static bool
check_numbers(BlkNode *node, GError **error)
{
    const Vdi *vdi = node->state;
    uint64_t block = vdi->block_bytes, bmap_end;

    if (!fmt_is_power_of_two(block) || block < 4096 || block > 64 << 20 ||
        fmt_le32(vdi->header + AT_BLOCK_EXTRA)) {
        return fmt_set_bad(node, error, AT_BLOCK_SIZE, "block size",
                           "%u bytes (and %u extra) are not supported", vdi->block_bytes,
                           fmt_le32(vdi->header + AT_BLOCK_EXTRA));
    }
    if (vdi->blocks > MAX_BLOCKS) {
        return fmt_set_bad(node, error, AT_BLOCKS, "blocks in image", "%u is more than %u",
                           vdi->blocks, MAX_BLOCKS);
    }
    if (vdi->disk_len > (uint64_t)vdi->blocks * block || vdi->disk_len % FMT_SECTOR_BYTES) {
        return fmt_set_bad(node, error, AT_DISK_SIZE, "disk size",
                           "%" PRIu64 " bytes are not sectors that fit into %u blocks",
                           vdi->disk_len, vdi->blocks);
    }
    if (vdi->bmap_offset % FMT_SECTOR_BYTES || vdi->bmap_offset < HEADER_BYTES) {
        return fmt_set_bad(node, error, AT_OFFSET_BMAP, "offset of the block map",
                           "%" PRIu64 " is not possible", vdi->bmap_offset);
    }
    bmap_end = vdi->bmap_offset + (uint64_t)vdi->blocks * 4;
    if (vdi->data_offset % FMT_SECTOR_BYTES || vdi->data_offset < bmap_end) {
        return fmt_set_bad(node, error, AT_OFFSET_DATA, "offset of the data",
                           "%" PRIu64 " is not possible: the block map ends at %" PRIu64,
                           vdi->data_offset, bmap_end);
    }
    return true;
}

static void
count_blocks(Vdi *vdi)
{
    vdi->allocated = vdi->next = 0;
    for (uint32_t i = 0; i < vdi->blocks; i++) {
        uint32_t entry = GUINT32_FROM_LE(vdi->bmap[i]);
        if (is_allocated(entry)) {
            vdi->allocated++;
            vdi->next = MAX(vdi->next, entry + 1);
        }
    }
}

static bool
load_bmap(BlkNode *node, GError **error)
{
    Vdi *vdi = node->state;
    size_t len = fmt_round_up((uint64_t)vdi->blocks * 4, FMT_SECTOR_BYTES);

    if (vdi->bmap_offset + (uint64_t)vdi->blocks * 4 > fmt_file_len(node->file)) {
        return fmt_set_bad(node, error, vdi->bmap_offset, "block map",
                           "the file ends within its %u entries", vdi->blocks);
    }
    vdi->bmap = g_try_malloc0(MAX(len, 1));
    if (!vdi->bmap) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "'%s': there is not enough memory for its block map.", node->filename);
        return false;
    }
    if (!fmt_read(node, node->file, vdi->bmap_offset, vdi->bmap, (size_t)vdi->blocks * 4,
                  "block map", error)) {
        return false;
    }
    count_blocks(vdi);
    return true;
}

/* ---- blocks ---- */

static uint64_t
host_of(const Vdi *vdi, uint32_t block)
{
    return vdi->data_offset + (uint64_t)block * vdi->block_bytes;
}

static int
vdi_lookup(BlkNode *node, uint64_t offset, uint64_t len, FmtExtent *out)
{
    const Vdi *vdi = node->state;
    uint64_t index = offset / vdi->block_bytes, in_block = offset % vdi->block_bytes;
    uint32_t entry;

    if (index >= vdi->blocks) {
        return -EIO;
    }
    entry = GUINT32_FROM_LE(vdi->bmap[index]);
    out->len = vdi->block_bytes - in_block;
    if (!is_allocated(entry)) {
        out->kind = entry == DISCARDED ? FMT_ZERO : FMT_ABSENT;
        return 0;
    }
    out->kind = FMT_DATA;
    out->file = node->file;
    out->host = host_of(vdi, entry) + in_block;
    /* Blocks that follow each other in the file too. */
    while (out->len < len && ++index < vdi->blocks &&
           GUINT32_FROM_LE(vdi->bmap[index]) == ++entry && is_allocated(entry)) {
        out->len += vdi->block_bytes;
    }
    return 0;
}

static void
vdi_get_block(BlkNode *node, uint64_t offset, uint64_t *out_start, uint64_t *out_len)
{
    const Vdi *vdi = node->state;

    *out_start = offset / vdi->block_bytes * vdi->block_bytes;
    *out_len = vdi->block_bytes;
}

static int
vdi_reserve(BlkNode *node, uint64_t start, FmtRoom *out)
{
    const Vdi *vdi = node->state;

    if (vdi->next >= DISCARDED) {
        return -ENOSPC;
    }
    *out = (FmtRoom){ .file = node->file, .host = host_of(vdi, vdi->next), .note = vdi->next };
    return 0;
}

/* The count and the entry in one write where they are near each other, which is where the entry
 * lies in the sectors right behind the header; else the count first: it says too much then. */
static int
write_entry(BlkNode *node, uint64_t index)
{
    enum { NEAR_BYTES = 64 * 1024 };
    Vdi *vdi = node->state;
    uint64_t at = vdi->bmap_offset + index * 4, end = at + 4;
    int ret;

    fmt_put_le32(vdi->header + AT_ALLOCATED, vdi->allocated);
    if (vdi->bmap_offset == HEADER_BYTES && end <= NEAR_BYTES) {
        g_autofree uint8_t *buf = g_malloc(end - AT_ALLOCATED);
        memcpy(buf, vdi->header + AT_ALLOCATED, HEADER_BYTES - AT_ALLOCATED);
        memcpy(buf + (HEADER_BYTES - AT_ALLOCATED), vdi->bmap, end - HEADER_BYTES);
        return blk_write_buffer(node->file, AT_ALLOCATED, buf, end - AT_ALLOCATED, 0);
    }
    ret = blk_write_buffer(node->file, AT_ALLOCATED, vdi->header + AT_ALLOCATED, 4, 0);
    return ret < 0 ? ret : blk_write_buffer(node->file, at, &vdi->bmap[index], 4, 0);
}

static int
vdi_link(BlkNode *node, uint64_t start, const FmtRoom *room)
{
    Vdi *vdi = node->state;
    uint64_t index = start / vdi->block_bytes;
    uint32_t old = vdi->bmap[index];
    int ret = fmt_secure_room(node->file, room->host + vdi->block_bytes, &vdi->room_end);

    if (ret < 0) {
        return ret;
    }
    vdi->bmap[index] = GUINT32_TO_LE((uint32_t)room->note);
    vdi->allocated++;
    ret = write_entry(node, index);
    if (ret < 0) {
        vdi->bmap[index] = old;
        vdi->allocated--;
        return ret;
    }
    vdi->next = (uint32_t)room->note + 1;
    return 0;
}

static int
vdi_before_write(BlkNode *node)
{
    Vdi *vdi = node->state;

    if (fmt_le32(vdi->header + AT_ALLOCATED) == vdi->allocated) {
        return 0;
    }
    fmt_put_le32(vdi->header + AT_ALLOCATED, vdi->allocated);
    return blk_write_buffer(node->file, AT_ALLOCATED, vdi->header + AT_ALLOCATED, 4, 0);
}

static const FmtMapOps map_ops = { .lookup = vdi_lookup,
                                   .get_block = vdi_get_block,
                                   .before_write = vdi_before_write,
                                   .reserve = vdi_reserve,
                                   .link = vdi_link };

/* ---- opening ---- */

static bool
vdi_open(BlkNode *node, GError **error)
{
    Vdi *vdi = node->state;
    const uint8_t *header = vdi->header;

    vdi->map.ops = &map_ops;
    if (!fmt_read(node, node->file, 0, vdi->header, HEADER_BYTES, "header", error) ||
        !check_layout(node, error)) {
        return false;
    }
    vdi->block_bytes = fmt_le32(header + AT_BLOCK_SIZE);
    vdi->blocks = fmt_le32(header + AT_BLOCKS);
    vdi->bmap_offset = fmt_le32(header + AT_OFFSET_BMAP);
    vdi->data_offset = fmt_le32(header + AT_OFFSET_DATA);
    /* Old writers did not round. */
    vdi->disk_len = MIN(fmt_le64(header + AT_DISK_SIZE), INT64_MAX - 512);
    vdi->disk_len = fmt_round_up(vdi->disk_len, FMT_SECTOR_BYTES);
    return check_numbers(node, error) && load_bmap(node, error);
}

static void
trim(BlkNode *node)
{
    Vdi *vdi = node->state;

    fmt_trim_room(node->file, host_of(vdi, vdi->next), &vdi->room_end);
}

static void
vdi_close(BlkNode *node)
{
    Vdi *vdi = node->state;

    if (node->opened && !node->read_only) {
        trim(node);
    }
    fmt_map_clear(&vdi->map);
    g_free(vdi->bmap);
}

static bool
vdi_set_read_only(BlkNode *node, bool read_only, GError **error)
{
    if (read_only) {
        trim(node);
    }
    return true;
}

static int64_t
vdi_get_len(BlkNode *node)
{
    const Vdi *vdi = node->state;

    return (int64_t)vdi->disk_len;
}

static int
vdi_probe(const uint8_t *buf, size_t len, const char *filename)
{
    return len >= AT_SIGNATURE + 4 && fmt_le32(buf + AT_SIGNATURE) == SIGNATURE ? 100 : 0;
}

/* ---- new images ---- */

typedef struct VdiCreate {
    uint64_t size, block_size;
    int32_t preallocation;
    bool is_static, nocow;
} VdiCreate;

static void
fill_header(uint8_t *header, const VdiCreate *create, uint64_t disk_len, bool is_static)
{
    uint64_t blocks = fmt_div_up(disk_len, create->block_size);
    uint64_t bmap_len = fmt_round_up(blocks * 4, FMT_SECTOR_BYTES);

    memset(header, 0, HEADER_BYTES);
    memcpy(header, "<<< Vitrine VM Virtual Disk Image >>>\n", 38);
    fmt_put_le32(header + AT_SIGNATURE, SIGNATURE);
    fmt_put_le32(header + AT_VERSION, VERSION_1_1);
    fmt_put_le32(header + AT_HEADER_SIZE, 0x180);
    fmt_put_le32(header + AT_TYPE, is_static ? TYPE_STATIC : TYPE_DYNAMIC);
    fmt_put_le32(header + AT_OFFSET_BMAP, HEADER_BYTES);
    fmt_put_le32(header + AT_OFFSET_DATA, (uint32_t)(HEADER_BYTES + bmap_len));
    fmt_put_le32(header + AT_SECTOR_SIZE, FMT_SECTOR_BYTES);
    fmt_put_le64(header + AT_DISK_SIZE, disk_len);
    fmt_put_le32(header + AT_BLOCK_SIZE, (uint32_t)create->block_size);
    fmt_put_le32(header + AT_BLOCKS, (uint32_t)blocks);
    fmt_put_le32(header + AT_ALLOCATED, is_static ? (uint32_t)blocks : 0);
    fmt_put_uuid(header + AT_UUID_IMAGE);
    fmt_put_uuid(header + AT_UUID_LAST_SNAPSHOT);
}

static bool
write_bmap(BlkChild *file, uint32_t blocks, uint32_t from, bool is_static, GError **error)
{
    uint32_t len = (uint32_t)fmt_round_up((uint64_t)blocks * 4, FMT_SECTOR_BYTES) / 4;
    g_autofree uint32_t *bmap = g_new0(uint32_t, MAX(len, 1));

    for (uint32_t i = from; i < blocks; i++) {
        bmap[i] = is_static ? GUINT32_TO_LE(i) : UNALLOCATED;
    }
    return len == 0 || fmt_write(file, HEADER_BYTES, bmap, (size_t)len * 4, error);
}

static bool
fill_image(BlkChild *file, const void *opaque, GError **error)
{
    const VdiCreate *create = opaque;
    bool is_static = create->is_static || create->preallocation != BLK_PREALLOC_OFF;
    uint8_t header[HEADER_BYTES];
    uint64_t disk_len;
    uint32_t blocks;

    if (!fmt_take_size("vdi", create->size, MAX_DISK_LEN, &disk_len, error)) {
        return false;
    }
    blocks = (uint32_t)fmt_div_up(disk_len, create->block_size);
    fill_header(header, create, disk_len, is_static);
    if (!fmt_write(file, 0, header, HEADER_BYTES, error) ||
        !write_bmap(file, blocks, 0, is_static, error)) {
        return false;
    }
    return !is_static ||
           blk_truncate(file,
                        fmt_le32(header + AT_OFFSET_DATA) + (uint64_t)blocks * create->block_size,
                        create->preallocation == BLK_PREALLOC_METADATA
                            ? BLK_PREALLOC_OFF
                            : (BlkPreallocation)create->preallocation,
                        error);
}

static bool
vdi_create(BlkGraph *graph, const char *filename, const void *state, GError **error)
{
    const VdiCreate *create = state;

    if (!fmt_is_power_of_two(create->block_size)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "vdi: block_size=%" PRIu64 " is not a power of two.", create->block_size);
        return false;
    }
    return fmt_create_file(graph, filename, create->nocow, fill_image, create, NULL, error);
}

/* ---- size ---- */

/* What a larger disk's map and places are, until the header says so. */
typedef struct Layout {
    uint32_t *bmap;
    uint64_t bmap_len; /* in whole sectors */
    uint32_t blocks;
    uint64_t data_offset, disk_len;
} Layout;

/* Block NUMBER of the file moves behind all others, and is linked there before its place is used.
 */
static int
move_away(BlkNode *node, uint32_t number)
{
    Vdi *vdi = node->state;
    g_autofree uint8_t *buf = g_try_malloc(vdi->block_bytes);
    uint32_t index = 0;
    int ret;

    while (index < vdi->blocks && GUINT32_FROM_LE(vdi->bmap[index]) != number) {
        index++;
    }
    if (index == vdi->blocks) {
        return 0;
    }
    ret = buf ? blk_read_buffer(node->file, host_of(vdi, number), buf, vdi->block_bytes) : -ENOMEM;
    ret = ret < 0 ? ret
                  : blk_write_buffer(node->file, host_of(vdi, vdi->next), buf, vdi->block_bytes, 0);
    ret = ret < 0 ? ret : blk_flush(node->file);
    if (ret == 0) {
        vdi->bmap[index] = GUINT32_TO_LE(vdi->next);
        ret = write_entry(node, index);
        vdi->next++;
    }
    return ret < 0 ? ret : blk_flush(node->file);
}

/* How many blocks of data make way for the map: there is room for it twice then. */
static uint32_t
blocks_in_the_way(const Vdi *vdi, uint64_t bmap_len)
{
    uint64_t end = HEADER_BYTES + bmap_len;

    return end <= vdi->data_offset
               ? 0
               : (uint32_t)fmt_div_up(end + bmap_len - vdi->data_offset, vdi->block_bytes);
}

/* The larger map, with every number less by MOVED; NULL: no memory. */
static uint32_t *
make_bmap(const Vdi *vdi, const Layout *layout, uint32_t moved)
{
    uint32_t *bmap = g_try_malloc0(MAX(layout->bmap_len, 1));

    for (uint32_t i = 0; bmap && i < layout->blocks; i++) {
        uint32_t entry = i < vdi->blocks ? GUINT32_FROM_LE(vdi->bmap[i]) : UNALLOCATED;
        bmap[i] = GUINT32_TO_LE(is_allocated(entry) ? entry - moved : entry);
    }
    return bmap;
}

/* Writes the map where nothing is that the header tells of, or what was there already; then the
 * header, which is one sector: a kill or a power failure leaves the disk as it was or as it is to
 * be. */
static int
write_layout(BlkNode *node, const Layout *layout, uint64_t bmap_offset)
{
    Vdi *vdi = node->state;
    uint8_t header[HEADER_BYTES];
    int ret = blk_write_buffer(node->file, bmap_offset, layout->bmap, layout->bmap_len, 0);

    memcpy(header, vdi->header, HEADER_BYTES);
    fmt_put_le32(header + AT_OFFSET_BMAP, (uint32_t)bmap_offset);
    fmt_put_le32(header + AT_OFFSET_DATA, (uint32_t)layout->data_offset);
    fmt_put_le64(header + AT_DISK_SIZE, layout->disk_len);
    fmt_put_le32(header + AT_BLOCKS, layout->blocks);
    fmt_put_le32(header + AT_ALLOCATED, vdi->allocated);
    ret = ret < 0 ? ret : blk_flush(node->file);
    ret = ret < 0 ? ret : blk_write_buffer(node->file, 0, header, HEADER_BYTES, 0);
    if (ret == 0) {
        memcpy(vdi->header, header, HEADER_BYTES);
        vdi->bmap_offset = bmap_offset;
    }
    return ret;
}

static void
adopt_layout(Vdi *vdi, const Layout *layout, uint32_t moved)
{
    g_free(vdi->bmap);
    vdi->bmap = layout->bmap;
    vdi->blocks = layout->blocks;
    vdi->data_offset = layout->data_offset;
    vdi->disk_len = layout->disk_len;
    vdi->next -= moved;
}

/* Where the map has no room, the first blocks of the data make way. The numbers count from where
 * the data begins, so the map becomes another one: it is written to their place, behind what it
 * takes up at the end, and from there to where maps lie. */
static int
grow(BlkNode *node, Layout *layout)
{
    Vdi *vdi = node->state;
    uint32_t moved = blocks_in_the_way(vdi, layout->bmap_len);
    int ret = 0;

    vdi->next = MAX(vdi->next, moved);
    for (uint32_t number = 0; number < moved && ret == 0; number++) {
        ret = move_away(node, number);
    }
    if (ret < 0) {
        return ret;
    }
    layout->bmap = make_bmap(vdi, layout, moved);
    layout->data_offset = vdi->data_offset + (uint64_t)moved * vdi->block_bytes;
    ret = layout->bmap ? write_layout(node, layout, HEADER_BYTES + (moved ? layout->bmap_len : 0))
                       : -ENOMEM;
    if (ret < 0) {
        g_free(layout->bmap);
        return ret;
    }
    adopt_layout(vdi, layout, moved);
    /* The disk has grown; a map that stays among the data is as good, until it is to grow again. */
    if (moved && blk_flush(node->file) == 0) {
        write_layout(node, layout, HEADER_BYTES);
    }
    return 0;
}

/* Where a kill or an error has left the map among the data. */
static int
bring_map_back(BlkNode *node)
{
    Vdi *vdi = node->state;
    Layout layout = { .bmap = vdi->bmap,
                      .bmap_len = fmt_round_up((uint64_t)vdi->blocks * 4, FMT_SECTOR_BYTES),
                      .blocks = vdi->blocks,
                      .data_offset = vdi->data_offset,
                      .disk_len = vdi->disk_len };

    if (vdi->bmap_offset == HEADER_BYTES) {
        return 0;
    }
    return HEADER_BYTES + layout.bmap_len > vdi->bmap_offset
               ? -ENOTSUP
               : write_layout(node, &layout, HEADER_BYTES);
}

/* Before data makes way its numbers may get that large; the disk is as long as before. */
static int
use_room_of_map(BlkNode *node, const Layout *wish)
{
    const Vdi *vdi = node->state;
    uint64_t room = (vdi->data_offset - HEADER_BYTES) / FMT_SECTOR_BYTES * FMT_SECTOR_BYTES;
    Layout layout = { .blocks = (uint32_t)(room / 4), .bmap_len = room, .disk_len = vdi->disk_len };

    return room < wish->bmap_len && layout.blocks > vdi->blocks ? grow(node, &layout) : 0;
}

static bool
vdi_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    Vdi *vdi = node->state;
    /* a header may count more blocks than its disk has */
    uint64_t blocks = MAX(fmt_div_up(len, vdi->block_bytes), vdi->blocks);
    Layout layout = { .blocks = (uint32_t)blocks,
                      .bmap_len = fmt_round_up(blocks * 4, FMT_SECTOR_BYTES),
                      .disk_len = fmt_round_up(len, FMT_SECTOR_BYTES) };
    int ret;

    if (layout.disk_len < vdi->disk_len || blocks > MAX_BLOCKS || prealloc != BLK_PREALLOC_OFF) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': a VDI image can only grow, without preallocation, to %" PRIu64
                    " bytes at most.",
                    node->filename, MAX_DISK_LEN);
        return false;
    }
    ret = bring_map_back(node);
    ret = ret < 0 ? ret : use_room_of_map(node, &layout);
    ret = ret < 0 ? ret : grow(node, &layout);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot grow: %s.", node->filename,
                    g_strerror(-ret));
    }
    return ret == 0;
}

/* ---- check, info ---- */

static void
check_entry(const Vdi *vdi, uint32_t index, uint64_t file_len, GHashTable *seen, BlkCheck *check)
{
    uint32_t entry = GUINT32_FROM_LE(vdi->bmap[index]);

    if (!is_allocated(entry)) {
        return;
    }
    check->allocated_clusters++;
    if (entry >= vdi->blocks || host_of(vdi, entry) >= file_len) {
        fmt_report(check, "ERROR: block %u of the disk lies at block %u, behind the end", index,
                   entry);
        check->corruptions++;
    }
    if (!g_hash_table_add(seen, GUINT_TO_POINTER(entry + 1))) {
        fmt_report(check, "ERROR: block %u of the file is used twice, also by block %u of the disk",
                   entry, index);
        check->corruptions++;
    }
}

static bool
vdi_check(BlkNode *node, BlkCheck *check, GError **error)
{
    Vdi *vdi = node->state;
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    uint64_t file_len = fmt_file_len(node->file);

    check->has_clusters = true;
    check->total_clusters = vdi->blocks;
    check->image_end_offset = host_of(vdi, vdi->next);
    for (uint32_t i = 0; i < vdi->blocks; i++) {
        check_entry(vdi, i, file_len, seen, check);
    }
    if (fmt_le32(vdi->header + AT_ALLOCATED) != vdi->allocated) {
        fmt_report(check, "ERROR: the header counts %u blocks, the map has %u",
                   fmt_le32(vdi->header + AT_ALLOCATED), vdi->allocated);
        check->corruptions++;
        if (check->fix_errors && !node->read_only && vdi_before_write(node) == 0) {
            check->corruptions_fixed++;
        }
    }
    return true;
}

static void
vdi_get_info(BlkNode *node, BlkFormatInfo *out)
{
    const Vdi *vdi = node->state;

    *out = (BlkFormatInfo){ .cluster_bytes = vdi->block_bytes };
}

static bool
vdi_measure(BlkGraph *graph, const void *state, BlkNode *source, BlkMeasure *out, GError **error)
{
    const VdiCreate *create = state;
    uint64_t len = source ? blk_node_get_len(source) : create->size;
    uint64_t blocks = fmt_div_up(len, create->block_size);

    out->fully_allocated_bytes =
        HEADER_BYTES + fmt_round_up(blocks * 4, FMT_SECTOR_BYTES) + blocks * create->block_size;
    out->required_bytes = out->fully_allocated_bytes;
    return true;
}

static const char *const preallocation_words[] = { "off", "metadata", "falloc", "full", NULL };

static const VitProp create_options[] = {
    VIT_PROP_SIZE(VdiCreate, size, "size", 0, 0, INT64_MAX, VIT_N_("Virtual disk size"),
                  .flags = VIT_PROP_REQUIRED),
    VIT_PROP_BOOL(VdiCreate, is_static, "static", 0, VIT_N_("All blocks are there from the start")),
    VIT_PROP_ENUM(VdiCreate, preallocation, "preallocation", preallocation_words, BLK_PREALLOC_OFF,
                  VIT_N_("Preallocation mode; any but off makes a static image")),
    VIT_PROP_SIZE(VdiCreate, block_size, "block_size", DEFAULT_BLOCK_BYTES, 4096, 64 << 20,
                  VIT_N_("Size of a block; others than 1 MiB are not read everywhere")),
    VIT_PROP_BOOL(VdiCreate, nocow, "nocow", 0, VIT_N_("Turn off copy-on-write of the file")),
    { 0 }
};

static const BlkChildSlot slots[] = { { .name = "file", .required = true }, { 0 } };

static const BlkFormatOps format_ops = { .get_info = vdi_get_info,
                                         .check = vdi_check,
                                         .measure = vdi_measure };

const BlkDriver blk_vdi_driver = {
    .name = "vdi",
    .title = VIT_N_("VirtualBox disk image"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(Vdi),
    .slots = slots,
    .create_options = create_options,
    .create_size = sizeof(VdiCreate),
    .probe = vdi_probe,
    .open = vdi_open,
    .close = vdi_close,
    .read = fmt_map_read,
    .write = fmt_map_write,
    .write_zeroes = fmt_map_write_zeroes,
    .get_len = vdi_get_len,
    .truncate = vdi_truncate,
    .set_read_only = vdi_set_read_only,
    .status = fmt_map_status,
    .create = vdi_create,
    .format = &format_ops,
};
