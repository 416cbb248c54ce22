/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Headers, region table and metadata of VHDX images. MS-VHDX sections 2.2 and 2.6. Of the two
 * headers the one with the higher sequence number counts; the other is written next.
 * Thread: in a fiber. */

#include "vhdx.h"

#include <string.h>

const uint8_t vhdx_guid_bat[16] = { 0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42,
                                    0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08 };
const uint8_t vhdx_guid_metadata[16] = { 0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b,
                                         0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e };
const uint8_t vhdx_guid_parameters[16] = { 0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d,
                                           0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b };
const uint8_t vhdx_guid_disk_size[16] = { 0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48,
                                          0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8 };
const uint8_t vhdx_guid_page83[16] = { 0xab, 0x12, 0xca, 0xbe, 0xe6, 0xb2, 0x23, 0x45,
                                       0x93, 0xef, 0xc3, 0x09, 0xe0, 0x00, 0xc7, 0x46 };
const uint8_t vhdx_guid_logical_sector[16] = { 0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47,
                                               0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f };
const uint8_t vhdx_guid_physical_sector[16] = { 0xc7, 0x48, 0xa3, 0xcd, 0x5d, 0x44, 0x71, 0x44,
                                                0x9c, 0xc9, 0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56 };
const uint8_t vhdx_guid_parent_locator[16] = { 0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45,
                                               0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c };

/* Half a byte at a time, of the reflected polynomial 0x82f63b78. */
static const uint32_t crc_nibbles[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

static uint32_t
add_to_crc(uint32_t crc, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        crc ^= buf[i];
        crc = crc >> 4 ^ crc_nibbles[crc & 15];
        crc = crc >> 4 ^ crc_nibbles[crc & 15];
    }
    return crc;
}

uint32_t
vhdx_checksum(const uint8_t *buf, size_t len, size_t at)
{
    static const uint8_t nothing[4] = { 0 };
    uint32_t crc = add_to_crc(UINT32_MAX, buf, at);

    crc = add_to_crc(crc, nothing, sizeof(nothing)); /* in the sum's own place */
    return ~add_to_crc(crc, buf + at + 4, len - at - 4);
}

void
vhdx_put_checksum(uint8_t *buf, size_t len, size_t at)
{
    fmt_put_le32(buf + at, vhdx_checksum(buf, len, at));
}

/* ---- headers ---- */

static const uint64_t header_places[2] = { VHDX_HEADER1_AT, VHDX_HEADER2_AT };

static bool
is_header(const uint8_t *buf)
{
    return memcmp(buf, "head", 4) == 0 &&
           fmt_le32(buf + VHDX_AT_CHECKSUM) ==
               vhdx_checksum(buf, VHDX_HEADER_BYTES, VHDX_AT_CHECKSUM);
}

static bool
check_header(BlkNode *node, GError **error)
{
    const Vhdx *vhdx = node->state;
    uint64_t at = header_places[vhdx->current];
    uint32_t log_len = fmt_le32(vhdx->header + VHDX_HEAD_AT_LOG_LEN);
    uint64_t log_offset = fmt_le64(vhdx->header + VHDX_HEAD_AT_LOG_OFFSET);
    uint32_t version = fmt_le16(vhdx->header + VHDX_HEAD_AT_VERSION);

    if (version != 1) {
        return fmt_set_bad(node, error, at + VHDX_HEAD_AT_VERSION, "version", "%u is not 1",
                           version);
    }
    if (log_len % VHDX_MB || log_len == 0 || log_offset % VHDX_MB || log_offset < VHDX_MB ||
        log_offset > fmt_file_len(node->file)) {
        return fmt_set_bad(node, error, at + VHDX_HEAD_AT_LOG_LEN, "log",
                           "%u bytes at %" PRIu64 " are not possible", log_len, log_offset);
    }
    return true;
}

bool
vhdx_read_headers(BlkNode *node, GError **error)
{
    Vhdx *vhdx = node->state;
    uint8_t other[VHDX_HEADER_BYTES], id[8];
    bool first, second;

    if (!fmt_read(node, node->file, 0, id, sizeof(id), "file identifier", error)) {
        return false;
    }
    if (memcmp(id, VHDX_FILE_ID, 8) != 0) {
        return fmt_set_bad(node, error, 0, "file identifier", "this is not a VHDX image");
    }
    if (!fmt_read(node, node->file, VHDX_HEADER1_AT, vhdx->header, sizeof(vhdx->header), "header",
                  error) ||
        !fmt_read(node, node->file, VHDX_HEADER2_AT, other, sizeof(other), "header", error)) {
        return false;
    }
    first = is_header(vhdx->header);
    second = is_header(other);
    if (!first && !second) {
        return fmt_set_bad(node, error, VHDX_HEADER1_AT, "header",
                           "neither it nor the one at %u is whole", VHDX_HEADER2_AT);
    }
    if (!first || (second && fmt_le64(other + VHDX_HEAD_AT_SEQUENCE) >
                                 fmt_le64(vhdx->header + VHDX_HEAD_AT_SEQUENCE))) {
        memcpy(vhdx->header, other, sizeof(other));
        vhdx->current = 1;
    }
    return check_header(node, error);
}

int
vhdx_write_headers(BlkNode *node, const uint8_t *log_guid)
{
    Vhdx *vhdx = node->state;
    int ret = 0;

    if (log_guid) {
        memcpy(vhdx->header + VHDX_HEAD_AT_LOG_GUID, log_guid, 16);
    } else {
        memset(vhdx->header + VHDX_HEAD_AT_LOG_GUID, 0, 16);
    }
    for (unsigned i = 0; i < 2 && ret == 0; i++) {
        fmt_put_le64(vhdx->header + VHDX_HEAD_AT_SEQUENCE,
                     fmt_le64(vhdx->header + VHDX_HEAD_AT_SEQUENCE) + 1);
        vhdx_put_checksum(vhdx->header, VHDX_HEADER_BYTES, VHDX_AT_CHECKSUM);
        vhdx->current = !vhdx->current;
        ret = blk_write_buffer(node->file, header_places[vhdx->current], vhdx->header,
                               VHDX_HEADER_BYTES, 0);
        ret = ret < 0 ? ret : blk_flush(node->file);
    }
    return ret;
}

/* ---- regions ---- */

static bool
take_region(BlkNode *node, uint64_t at, const uint8_t *entry, GError **error)
{
    Vhdx *vhdx = node->state;
    uint64_t offset = fmt_le64(entry + 16), file_len = fmt_file_len(node->file);
    uint32_t len = fmt_le32(entry + 24);
    bool is_bat = memcmp(entry, vhdx_guid_bat, 16) == 0;
    bool is_meta = memcmp(entry, vhdx_guid_metadata, 16) == 0;

    if (!is_bat && !is_meta) {
        return !(fmt_le32(entry + 28) & 1) ||
               fmt_set_bad(node, error, at, "region table", "it needs a region that is not known");
    }
    if (offset % VHDX_MB || len % VHDX_MB || offset < VHDX_MB || len == 0 || offset > file_len ||
        len > file_len - offset || (is_bat ? vhdx->bat_bytes : vhdx->meta_bytes)) {
        return fmt_set_bad(node, error, at + 16, is_bat ? "block table region" : "metadata region",
                           "%u bytes at %" PRIu64 " are not possible", len, offset);
    }
    if (is_bat) {
        vhdx->bat_offset = offset;
        vhdx->bat_bytes = len;
    } else {
        vhdx->meta_offset = offset;
        vhdx->meta_bytes = len;
    }
    return true;
}

static bool
read_region_table(BlkNode *node, uint64_t at, uint8_t *buf, GError **error)
{
    return fmt_read(node, node->file, at, buf, VHDX_REGION_BYTES, "region table", error) &&
           (memcmp(buf, "regi", 4) == 0 &&
                    fmt_le32(buf + VHDX_AT_CHECKSUM) ==
                        vhdx_checksum(buf, VHDX_REGION_BYTES, VHDX_AT_CHECKSUM) &&
                    fmt_le32(buf + VHDX_REGION_AT_COUNT) <= VHDX_MAX_REGIONS
                ? true
                : fmt_set_bad(node, error, at, "region table", "it is not whole"));
}

bool
vhdx_read_regions(BlkNode *node, GError **error)
{
    Vhdx *vhdx = node->state;
    g_autofree uint8_t *buf = g_malloc(VHDX_REGION_BYTES);
    uint64_t at = VHDX_REGION1_AT;

    if (!read_region_table(node, at, buf, NULL)) {
        at = VHDX_REGION2_AT;
        if (!read_region_table(node, at, buf, NULL)) {
            /* Says what is wrong with the first. */
            return read_region_table(node, VHDX_REGION1_AT, buf, error);
        }
    }
    for (uint32_t i = 0; i < fmt_le32(buf + VHDX_REGION_AT_COUNT); i++) {
        size_t in_table = VHDX_REGION_AT_ENTRIES + (size_t)i * VHDX_REGION_ENTRY_BYTES;
        if (!take_region(node, at + in_table, buf + in_table, error)) {
            return false;
        }
    }
    if (!vhdx->bat_bytes || !vhdx->meta_bytes) {
        return fmt_set_bad(node, error, at, "region table", "the %s is missing",
                           vhdx->bat_bytes ? "metadata" : "block table");
    }
    return true;
}

/* ---- metadata ---- */

typedef struct Item {
    const uint8_t *guid;
    const char *field;
    uint32_t len;
    uint8_t bytes[8];
    bool is_there;
} Item;

enum { ITEM_PARAMETERS, ITEM_SIZE, ITEM_LOGICAL, ITEM_PHYSICAL, ITEM_COUNT };

static bool
take_item(BlkNode *node, Item *items, const uint8_t *entry, uint64_t at, GError **error)
{
    const Vhdx *vhdx = node->state;
    uint64_t offset = fmt_le32(entry + 16), len = fmt_le32(entry + 20);

    for (unsigned i = 0; i < ITEM_COUNT; i++) {
        Item *item = &items[i];
        if (memcmp(entry, item->guid, 16) != 0) {
            continue;
        }
        if (len != item->len || offset < VHDX_META_BYTES || offset + len > vhdx->meta_bytes) {
            return fmt_set_bad(node, error, at, item->field,
                               "%" PRIu64 " bytes at %" PRIu64 " of the metadata are not possible",
                               len, offset);
        }
        item->is_there = true;
        return fmt_read(node, node->file, vhdx->meta_offset + offset, item->bytes, len, item->field,
                        error);
    }
    if (memcmp(entry, vhdx_guid_page83, 16) != 0 &&
        memcmp(entry, vhdx_guid_parent_locator, 16) != 0 &&
        (fmt_le32(entry + 24) & VHDX_META_REQUIRED)) {
        return fmt_set_bad(node, error, at, "metadata table", "it needs an item that is not known");
    }
    return true;
}

static bool
use_items(BlkNode *node, const Item *items, GError **error)
{
    Vhdx *vhdx = node->state;
    uint32_t flags = fmt_le32(items[ITEM_PARAMETERS].bytes + 4);
    uint64_t at = vhdx->meta_offset;

    vhdx->block_bytes = fmt_le32(items[ITEM_PARAMETERS].bytes);
    vhdx->disk_len = fmt_le64(items[ITEM_SIZE].bytes);
    vhdx->logical_sector = fmt_le32(items[ITEM_LOGICAL].bytes);
    if (flags & VHDX_FLAG_HAS_PARENT) {
        return fmt_set_bad(node, error, at, items[ITEM_PARAMETERS].field,
                           "images with a parent are not supported; merge or convert it first");
    }
    if (!fmt_is_power_of_two(vhdx->block_bytes) || vhdx->block_bytes < VHDX_MB ||
        vhdx->block_bytes > 256 * VHDX_MB) {
        return fmt_set_bad(node, error, at, items[ITEM_PARAMETERS].field,
                           "blocks of %" PRIu64 " bytes are not from 1 MiB to 256 MiB",
                           vhdx->block_bytes);
    }
    if (vhdx->logical_sector != 512 && vhdx->logical_sector != 4096) {
        return fmt_set_bad(node, error, at, items[ITEM_LOGICAL].field, "%u is not 512 or 4096",
                           vhdx->logical_sector);
    }
    if (vhdx->disk_len > VHDX_MAX_DISK_LEN || vhdx->disk_len % vhdx->logical_sector) {
        return fmt_set_bad(node, error, at, items[ITEM_SIZE].field,
                           "%" PRIu64 " is not whole sectors up to 64 TiB", vhdx->disk_len);
    }
    return true;
}

bool
vhdx_read_metadata(BlkNode *node, GError **error)
{
    Vhdx *vhdx = node->state;
    Item items[ITEM_COUNT] = {
        [ITEM_PARAMETERS] = { vhdx_guid_parameters, "file parameters", 8, { 0 }, false },
        [ITEM_SIZE] = { vhdx_guid_disk_size, "virtual disk size", 8, { 0 }, false },
        [ITEM_LOGICAL] = { vhdx_guid_logical_sector, "logical sector size", 4, { 0 }, false },
        [ITEM_PHYSICAL] = { vhdx_guid_physical_sector, "physical sector size", 4, { 0 }, false },
    };
    g_autofree uint8_t *buf = g_malloc(VHDX_META_BYTES);
    uint32_t count;

    if (!fmt_read(node, node->file, vhdx->meta_offset, buf, VHDX_META_BYTES, "metadata table",
                  error)) {
        return false;
    }
    count = fmt_le16(buf + VHDX_META_AT_COUNT);
    if (memcmp(buf, "metadata", 8) != 0 || count > VHDX_MAX_ITEMS) {
        return fmt_set_bad(node, error, vhdx->meta_offset, "metadata table",
                           "its signature or count is wrong");
    }
    for (uint32_t i = 0; i < count; i++) {
        size_t at = VHDX_META_AT_ENTRIES + (size_t)i * VHDX_META_ENTRY_BYTES;
        if (!take_item(node, items, buf + at, vhdx->meta_offset + at, error)) {
            return false;
        }
    }
    for (unsigned i = 0; i < ITEM_COUNT; i++) {
        if (!items[i].is_there) {
            return fmt_set_bad(node, error, vhdx->meta_offset, "metadata table",
                               "the item '%s' is missing", items[i].field);
        }
    }
    return use_items(node, items, error);
}
