/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Growing disk images of Bochs (redolog, versions 1 and 2), read only.
 *
 * Specification: the description of redolog images in the Bochs documentation and its header
 * (little-endian): a header, a catalog of extent numbers, and extents of a sector bitmap and data.
 * Sectors whose bit is clear read as zeroes. Thread: in a fiber; the catalog is in memory. */

#include "fmt.h"

#include <string.h>

enum {
    HEADER_BYTES = 512,
    AT_TYPE = 32,
    AT_SUBTYPE = 48,
    AT_VERSION = 64,
    AT_HEADER_SIZE = 68,
    AT_CATALOG = 72, /* entries */
    AT_BITMAP = 76,  /* bytes */
    AT_EXTENT = 80,  /* bytes */
    AT_DISK_V1 = 84,
    AT_DISK_V2 = 88,
    VERSION_1 = 0x00010000,
    VERSION_2 = 0x00020000,
    MAX_CATALOG = 1 << 20,
    MAX_EXTENT_BYTES = 128 << 20,
    MAX_BITMAP_BYTES = 64 << 10,
};

#define MAGIC   "Bochs Virtual HD Image"
#define TYPE    "Redolog"
#define GROWING "Growing"

typedef struct Bochs {
    FmtMap map;
    uint32_t *catalog; /* little-endian, as in the file */
    uint32_t entries, extent_bytes, bitmap_bytes;
    uint64_t data_offset, disk_len;
    FmtTables *bitmaps;
} Bochs;

static int
bochs_lookup(BlkNode *node, uint64_t offset, uint64_t len, FmtExtent *out)
{
    const Bochs *bochs = node->state;
    uint64_t index = offset / bochs->extent_bytes, in_extent = offset % bochs->extent_bytes;
    uint64_t sector = in_extent / FMT_SECTOR_BYTES, end = bochs->extent_bytes / FMT_SECTOR_BYTES;
    uint64_t bitmap_at, room = fmt_round_up(bochs->bitmap_bytes, FMT_SECTOR_BYTES);
    const uint8_t *bitmap;
    bool own;
    int ret;

    if (index >= bochs->entries) {
        return -EIO;
    }
    out->len = bochs->extent_bytes - in_extent;
    if (bochs->catalog[index] == UINT32_MAX) {
        out->kind = FMT_ZERO;
        return 0;
    }
    bitmap_at =
        bochs->data_offset + GUINT32_FROM_LE(bochs->catalog[index]) *
                                 (room + fmt_round_up(bochs->extent_bytes, FMT_SECTOR_BYTES));
    ret = fmt_tables_get(node, bochs->bitmaps, node->file, bitmap_at, &bitmap);
    if (ret < 0) {
        return ret;
    }
    own = bitmap[sector / 8] & 1u << sector % 8;
    out->kind = own ? FMT_DATA : FMT_ZERO;
    out->file = node->file;
    out->host = bitmap_at + room + in_extent;
    out->len = FMT_SECTOR_BYTES - in_extent % FMT_SECTOR_BYTES;
    while (++sector < end && out->len < len &&
           ((bitmap[sector / 8] & 1u << sector % 8) != 0) == own) {
        out->len += FMT_SECTOR_BYTES;
    }
    return 0;
}

static const FmtMapOps map_ops = { .lookup = bochs_lookup };

static bool
parse_header(BlkNode *node, const uint8_t *header, GError **error)
{
    Bochs *bochs = node->state;
    uint32_t version = fmt_le32(header + AT_VERSION), head = fmt_le32(header + AT_HEADER_SIZE);
    unsigned disk_at = version == VERSION_1 ? AT_DISK_V1 : AT_DISK_V2;

    if (strncmp((const char *)header, MAGIC, 32) != 0 ||
        strncmp((const char *)header + AT_TYPE, TYPE, 16) != 0 ||
        strncmp((const char *)header + AT_SUBTYPE, GROWING, 16) != 0) {
        return fmt_set_bad(node, error, 0, "magic", "this is not a growing image of Bochs");
    }
    if (version != VERSION_1 && version != VERSION_2) {
        return fmt_set_bad(node, error, AT_VERSION, "version", "0x%08x is not 1 or 2", version);
    }
    bochs->entries = fmt_le32(header + AT_CATALOG);
    bochs->bitmap_bytes = fmt_le32(header + AT_BITMAP);
    bochs->extent_bytes = fmt_le32(header + AT_EXTENT);
    bochs->disk_len = fmt_le64(header + disk_at) & ~UINT64_C(511);
    bochs->data_offset = head + (uint64_t)bochs->entries * 4;
    if (bochs->entries > MAX_CATALOG) {
        return fmt_set_bad(node, error, AT_CATALOG, "entries of the catalog", "%u is more than %u",
                           bochs->entries, MAX_CATALOG);
    }
    if (!fmt_is_power_of_two(bochs->extent_bytes) || bochs->extent_bytes < FMT_SECTOR_BYTES ||
        bochs->extent_bytes > MAX_EXTENT_BYTES) {
        return fmt_set_bad(node, error, AT_EXTENT, "extent size",
                           "%u is not a power of two from 512 to 128M", bochs->extent_bytes);
    }
    if ((uint64_t)bochs->bitmap_bytes * 8 * FMT_SECTOR_BYTES < bochs->extent_bytes ||
        bochs->bitmap_bytes > MAX_BITMAP_BYTES) {
        return fmt_set_bad(node, error, AT_BITMAP, "bitmap size",
                           "%u bytes do not fit extents of %u", bochs->bitmap_bytes,
                           bochs->extent_bytes);
    }
    if (bochs->disk_len > (uint64_t)bochs->entries * bochs->extent_bytes) {
        return fmt_set_bad(node, error, disk_at, "disk size",
                           "%" PRIu64 " bytes are more than %u extents have", bochs->disk_len,
                           bochs->entries);
    }
    return true;
}

static bool
bochs_open(BlkNode *node, GError **error)
{
    Bochs *bochs = node->state;
    uint8_t header[HEADER_BYTES];

    bochs->map.ops = &map_ops;
    if (!fmt_make_read_only(node, error) ||
        !fmt_read(node, node->file, 0, header, sizeof(header), "header", error) ||
        !parse_header(node, header, error)) {
        return false;
    }
    bochs->catalog = g_malloc(MAX((size_t)bochs->entries * 4, 4));
    bochs->bitmaps = fmt_tables_new(bochs->bitmap_bytes, 64);
    return fmt_read(node, node->file, fmt_le32(header + AT_HEADER_SIZE), bochs->catalog,
                    (size_t)bochs->entries * 4, "catalog", error);
}

static void
bochs_close(BlkNode *node)
{
    Bochs *bochs = node->state;

    fmt_tables_free(bochs->bitmaps);
    fmt_map_clear(&bochs->map);
    g_free(bochs->catalog);
}

static int64_t
bochs_get_len(BlkNode *node)
{
    const Bochs *bochs = node->state;

    return (int64_t)bochs->disk_len;
}

static int
bochs_probe(const uint8_t *buf, size_t len, const char *filename)
{
    return len >= HEADER_BYTES && memcmp(buf, MAGIC, strlen(MAGIC) + 1) == 0 &&
                   memcmp(buf + AT_TYPE, TYPE, strlen(TYPE) + 1) == 0
               ? 100
               : 0;
}

static const BlkChildSlot slots[] = { { .name = "file", .required = true }, { 0 } };

const BlkDriver blk_bochs_driver = {
    .name = "bochs",
    .title = VIT_N_("Growing disk image of Bochs"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(Bochs),
    .slots = slots,
    .probe = bochs_probe,
    .open = bochs_open,
    .close = bochs_close,
    .read = fmt_map_read,
    .get_len = bochs_get_len,
    .status = fmt_map_status,
    .set_read_only = fmt_refuse_writing,
};
