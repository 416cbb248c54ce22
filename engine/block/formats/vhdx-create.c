/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* New VHDX images: headers, region tables, an empty log, the block table and metadata behind each
 * other, and with subformat=fixed all blocks. MS-VHDX section 2. Thread: in a fiber. */

#include "vhdx.h"

#include <string.h>

enum { LOG_AT = VHDX_MB, PHYSICAL_SECTOR = 4096, DYNAMIC = 0, FIXED = 1 };

typedef struct Layout {
    uint64_t disk_len, block_bytes, blocks, entries, chunk_ratio;
    uint64_t bat_at, bat_bytes, meta_at, data_at;
} Layout;

uint64_t
vhdx_bat_entries(uint64_t blocks, uint64_t chunk_ratio)
{
    return blocks ? blocks + (blocks - 1) / chunk_ratio : 0;
}

static uint64_t
auto_block_bytes(uint64_t disk_len)
{
    const uint64_t gib = UINT64_C(1) << 30;

    return (disk_len > 32 * 1024 * gib ? 64
            : disk_len > 100 * gib     ? 32
            : disk_len > gib           ? 16
                                       : 8) *
           (uint64_t)VHDX_MB;
}

static void
lay_out(const VhdxCreate *create, uint64_t disk_len, Layout *out)
{
    out->disk_len = disk_len;
    out->block_bytes = create->block_size ? create->block_size : auto_block_bytes(disk_len);
    out->blocks = fmt_div_up(disk_len, out->block_bytes);
    out->chunk_ratio = (UINT64_C(1) << 23) * FMT_SECTOR_BYTES / out->block_bytes;
    out->entries = vhdx_bat_entries(out->blocks, out->chunk_ratio);
    out->bat_at = LOG_AT + create->log_size;
    out->bat_bytes = MAX(fmt_round_up(out->entries * 8, VHDX_MB), VHDX_MB);
    out->meta_at = out->bat_at + out->bat_bytes;
    out->data_at = out->meta_at + VHDX_MB;
}

static bool
write_identifier(BlkChild *file, GError **error)
{
    static const char creator[] = "Vitrine";
    uint8_t buf[VHDX_CREATOR_AT + 2 * sizeof(creator)] = VHDX_FILE_ID;

    for (unsigned i = 0; i < sizeof(creator); i++) {
        buf[VHDX_CREATOR_AT + 2 * i] = (uint8_t)creator[i];
        buf[VHDX_CREATOR_AT + 2 * i + 1] = 0;
    }
    return fmt_write(file, 0, buf, sizeof(buf), error);
}

static bool
write_headers(BlkChild *file, const VhdxCreate *create, GError **error)
{
    g_autofree uint8_t *buf = g_malloc0(VHDX_HEADER_BYTES);

    memcpy(buf, "head", 4);
    fmt_put_le64(buf + VHDX_HEAD_AT_SEQUENCE, g_random_int());
    fmt_put_uuid(buf + VHDX_HEAD_AT_FILE_GUID);
    fmt_put_uuid(buf + VHDX_HEAD_AT_DATA_GUID);
    fmt_put_le16(buf + VHDX_HEAD_AT_VERSION, 1);
    fmt_put_le32(buf + VHDX_HEAD_AT_LOG_LEN, (uint32_t)create->log_size);
    fmt_put_le64(buf + VHDX_HEAD_AT_LOG_OFFSET, LOG_AT);
    vhdx_put_checksum(buf, VHDX_HEADER_BYTES, VHDX_AT_CHECKSUM);
    if (!fmt_write(file, VHDX_HEADER1_AT, buf, VHDX_HEADER_BYTES, error)) {
        return false;
    }
    fmt_put_le64(buf + VHDX_HEAD_AT_SEQUENCE, fmt_le64(buf + VHDX_HEAD_AT_SEQUENCE) + 1);
    vhdx_put_checksum(buf, VHDX_HEADER_BYTES, VHDX_AT_CHECKSUM);
    return fmt_write(file, VHDX_HEADER2_AT, buf, VHDX_HEADER_BYTES, error);
}

static void
put_region(uint8_t *entry, const uint8_t *guid, uint64_t offset, uint64_t len)
{
    memcpy(entry, guid, 16);
    fmt_put_le64(entry + 16, offset);
    fmt_put_le32(entry + 24, (uint32_t)len);
    fmt_put_le32(entry + 28, 1);
}

static bool
write_regions(BlkChild *file, const Layout *layout, GError **error)
{
    g_autofree uint8_t *buf = g_malloc0(VHDX_REGION_BYTES);
    uint8_t *entries = buf + VHDX_REGION_AT_ENTRIES;

    memcpy(buf, "regi", 4);
    fmt_put_le32(buf + VHDX_REGION_AT_COUNT, 2);
    put_region(entries, vhdx_guid_bat, layout->bat_at, layout->bat_bytes);
    put_region(entries + VHDX_REGION_ENTRY_BYTES, vhdx_guid_metadata, layout->meta_at, VHDX_MB);
    vhdx_put_checksum(buf, VHDX_REGION_BYTES, VHDX_AT_CHECKSUM);
    return fmt_write(file, VHDX_REGION1_AT, buf, VHDX_REGION_BYTES, error) &&
           fmt_write(file, VHDX_REGION2_AT, buf, VHDX_REGION_BYTES, error);
}

/* Adds an item of LEN bytes to the metadata in BUF; gives where its bytes go. */
static uint8_t *
add_item(uint8_t *buf, const uint8_t *guid, uint32_t len, uint32_t flags)
{
    unsigned count = fmt_le16(buf + VHDX_META_AT_COUNT);
    uint8_t *entry = buf + VHDX_META_AT_ENTRIES + (size_t)count * VHDX_META_ENTRY_BYTES;
    uint32_t at = VHDX_META_BYTES;

    if (count > 0) {
        at = fmt_le32(entry - VHDX_META_ENTRY_BYTES + 16) +
             fmt_le32(entry - VHDX_META_ENTRY_BYTES + 20);
    }
    memcpy(entry, guid, 16);
    fmt_put_le32(entry + 16, at);
    fmt_put_le32(entry + 20, len);
    fmt_put_le32(entry + 24, flags | VHDX_META_REQUIRED);
    fmt_put_le16(buf + VHDX_META_AT_COUNT, (uint16_t)(count + 1));
    return buf + at;
}

static bool
write_metadata(BlkChild *file, const VhdxCreate *create, const Layout *layout, GError **error)
{
    enum { ITEMS_BYTES = 512, VIRTUAL_DISK = 2 };
    g_autofree uint8_t *buf = g_malloc0(VHDX_META_BYTES + ITEMS_BYTES);
    uint8_t *item;

    memcpy(buf, "metadata", 8);
    item = add_item(buf, vhdx_guid_parameters, 8, 0);
    fmt_put_le32(item, (uint32_t)layout->block_bytes);
    fmt_put_le32(item + 4, create->subformat == FIXED ? VHDX_FLAG_LEAVE_ALLOCATED : 0);
    fmt_put_le64(add_item(buf, vhdx_guid_disk_size, 8, VIRTUAL_DISK), layout->disk_len);
    fmt_put_uuid(add_item(buf, vhdx_guid_page83, 16, VIRTUAL_DISK));
    fmt_put_le32(add_item(buf, vhdx_guid_logical_sector, 4, VIRTUAL_DISK), FMT_SECTOR_BYTES);
    fmt_put_le32(add_item(buf, vhdx_guid_physical_sector, 4, VIRTUAL_DISK), PHYSICAL_SECTOR);
    return fmt_write(file, layout->meta_at, buf, VHDX_META_BYTES + ITEMS_BYTES, error);
}

static bool
write_bat(BlkChild *file, const VhdxCreate *create, const Layout *layout, GError **error)
{
    size_t bytes = (size_t)layout->entries * 8;
    g_autofree uint8_t *buf = NULL;

    if (bytes == 0 || (create->subformat == DYNAMIC && !create->block_state_zero)) {
        return true;
    }
    buf = g_try_malloc0(bytes);
    if (!buf) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "vhdx: there is not enough memory for the block table.");
        return false;
    }
    for (uint64_t i = 0; i < layout->blocks; i++) {
        uint64_t entry = create->subformat == FIXED
                             ? (layout->data_at + i * layout->block_bytes) | VHDX_BLOCK_PRESENT
                             : VHDX_BLOCK_ZERO;
        fmt_put_le64(buf + (i + i / layout->chunk_ratio) * 8, entry);
    }
    return fmt_write(file, layout->bat_at, buf, bytes, error);
}

static bool
fill_image(BlkChild *file, const void *opaque, GError **error)
{
    const VhdxCreate *create = opaque;
    bool fixed = create->subformat == FIXED;
    uint64_t disk_len;
    Layout layout;

    if (!fmt_take_size("vhdx", create->size, VHDX_MAX_DISK_LEN, &disk_len, error)) {
        return false;
    }
    lay_out(create, disk_len, &layout);
    return blk_truncate(file, layout.data_at, BLK_PREALLOC_OFF, error) &&
           write_identifier(file, error) && write_headers(file, create, error) &&
           write_regions(file, &layout, error) && write_metadata(file, create, &layout, error) &&
           write_bat(file, create, &layout, error) &&
           (!fixed || blk_truncate(file, layout.data_at + layout.blocks * layout.block_bytes,
                                   (BlkPreallocation)create->preallocation, error));
}

static bool
refuse(GError **error, const char *text)
{
    g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT, "vhdx: %s.", text);
    return false;
}

bool
vhdx_create(BlkGraph *graph, const char *filename, const void *state, GError **error)
{
    const VhdxCreate *create = state;

    if (create->log_size % VHDX_MB) {
        return refuse(error, "log_size must be a multiple of 1 MiB");
    }
    if (create->block_size &&
        (!fmt_is_power_of_two(create->block_size) || create->block_size < VHDX_MB)) {
        return refuse(error, "block_size must be a power of two from 1 MiB to 256 MiB");
    }
    if (create->subformat == DYNAMIC && create->preallocation != BLK_PREALLOC_OFF) {
        return refuse(error, "preallocation needs subformat=fixed");
    }
    return fmt_create_file(graph, filename, create->nocow, fill_image, create, NULL, error);
}

static const char *const subformat_words[] = { "dynamic", "fixed", NULL };
static const char *const preallocation_words[] = { "off", "metadata", "falloc", "full", NULL };

const VitProp vhdx_create_options[] = {
    VIT_PROP_SIZE(VhdxCreate, size, "size", 0, 0, INT64_MAX, VIT_N_("Virtual disk size"),
                  .flags = VIT_PROP_REQUIRED),
    VIT_PROP_SIZE(VhdxCreate, log_size, "log_size", VHDX_MB, VHDX_MB, VHDX_MAX_LOG_BYTES,
                  VIT_N_("Log size; min 1MB")),
    VIT_PROP_SIZE(VhdxCreate, block_size, "block_size", 0, 0, 256 * VHDX_MB,
                  VIT_N_("Block size; 0 means by the size of the disk")),
    VIT_PROP_ENUM(VhdxCreate, subformat, "subformat", subformat_words, DYNAMIC,
                  VIT_N_("VHDX format type, can be either 'dynamic' or 'fixed'")),
    VIT_PROP_BOOL(VhdxCreate, block_state_zero, "block_state_zero", 1,
                  VIT_N_("Mark blocks of a new image as zero rather than as not there")),
    VIT_PROP_ENUM(VhdxCreate, preallocation, "preallocation", preallocation_words, BLK_PREALLOC_OFF,
                  VIT_N_("Reserve space on the host now, with subformat=fixed")),
    VIT_PROP_BOOL(VhdxCreate, nocow, "nocow", 0, VIT_N_("Turn off copy-on-write of the file")),
    { 0 }
};
