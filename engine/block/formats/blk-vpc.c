/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* VHD, the disk images of Virtual PC and Hyper-V ("vpc"): fixed and dynamic, read and write, and
 * differencing, read only.
 *
 * Specification: Microsoft "Virtual Hard Disk Image Format Specification" 1.0 (big-endian), with
 * the appendix on CHS. Virtual PC goes by the geometry, Hyper-V by the size in the footer: as QEMU
 * does, the program that made the image decides, and force_size_calc= overrules it. Sector bitmaps
 * matter in differencing images only; a parent's UUID is not compared.
 *
 * A new block is data, bitmap and the footer behind it before the table says so, also after a power
 * failure: one flush for each new block, else the table could name what the file does not reach.
 * The copy of the footer at the start of dynamic images never changes.
 *
 * Thread: in a fiber; the block allocation table is in memory. */

#include "vpc.h"

#include <string.h>

#define UNUSED UINT32_MAX

typedef enum SizeCalc { SIZE_AUTO, SIZE_CHS, SIZE_CURRENT } SizeCalc;

typedef struct Vpc {
    FmtMap map;
    int32_t size_calc;
    uint8_t footer[VPC_FOOTER_BYTES];
    uint32_t type;
    uint64_t disk_len;
    /* Not of fixed images: */
    uint32_t *bat; /* big-endian, as in the file */
    uint32_t entries;
    uint64_t block_bytes, bitmap_bytes, bat_offset;
    uint64_t end;        /* new blocks go here */
    FmtTables *bitmaps;  /* of differencing images */
    uint64_t full_block; /* index + 1 of one whose bitmap is known to be full */
} Vpc;

uint32_t
vpc_checksum(const uint8_t *buf, size_t len, size_t at)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum += i >= at && i < at + 4 ? 0 : buf[i];
    }
    return ~sum;
}

/* ---- blocks ---- */

static uint64_t
block_offset(const Vpc *vpc, uint64_t index)
{
    return (uint64_t)GUINT32_FROM_BE(vpc->bat[index]) * FMT_SECTOR_BYTES;
}

/* Which sectors of a differencing block are its own. */
static int
lookup_sectors(BlkNode *node, uint64_t index, uint64_t in_block, uint64_t len, FmtExtent *out)
{
    const Vpc *vpc = node->state;
    uint64_t sector = in_block / FMT_SECTOR_BYTES, end = vpc->block_bytes / FMT_SECTOR_BYTES;
    const uint8_t *bitmap;
    bool own;
    int ret = fmt_tables_get(node, vpc->bitmaps, node->file, block_offset(vpc, index), &bitmap);

    if (ret < 0) {
        return ret;
    }
    own = bitmap[sector / 8] & 0x80u >> sector % 8;
    out->kind = own ? FMT_DATA : FMT_ABSENT;
    out->len = FMT_SECTOR_BYTES - in_block % FMT_SECTOR_BYTES;
    while (++sector < end && out->len < len &&
           ((bitmap[sector / 8] & 0x80u >> sector % 8) != 0) == own) {
        out->len += FMT_SECTOR_BYTES;
    }
    return 0;
}

static int
vpc_lookup(BlkNode *node, uint64_t offset, uint64_t len, FmtExtent *out)
{
    const Vpc *vpc = node->state;
    uint64_t index, in_block;

    out->file = node->file;
    if (vpc->type == VPC_FIXED) {
        *out = (FmtExtent){ .kind = FMT_DATA, .len = len, .file = node->file, .host = offset };
        return 0;
    }
    index = offset / vpc->block_bytes;
    in_block = offset % vpc->block_bytes;
    if (index >= vpc->entries) {
        return -EIO;
    }
    out->len = vpc->block_bytes - in_block;
    if (vpc->bat[index] == UNUSED) {
        out->kind = FMT_ABSENT;
        return 0;
    }
    out->kind = FMT_DATA;
    out->host = block_offset(vpc, index) + vpc->bitmap_bytes + in_block;
    return vpc->bitmaps ? lookup_sectors(node, index, in_block, len, out) : 0;
}

static void
vpc_get_block(BlkNode *node, uint64_t offset, uint64_t *out_start, uint64_t *out_len)
{
    const Vpc *vpc = node->state;

    *out_start = offset / vpc->block_bytes * vpc->block_bytes;
    *out_len = vpc->block_bytes;
}

static int
vpc_reserve(BlkNode *node, uint64_t start, FmtRoom *out)
{
    const Vpc *vpc = node->state;

    if (vpc->end / FMT_SECTOR_BYTES >= UNUSED) {
        return -EFBIG;
    }
    *out = (FmtRoom){ .file = node->file, .host = vpc->end + vpc->bitmap_bytes, .note = vpc->end };
    return 0;
}

static int
write_full_bitmap(BlkNode *node, uint64_t offset)
{
    const Vpc *vpc = node->state;
    g_autofree uint8_t *bitmap = g_try_malloc(vpc->bitmap_bytes);

    if (!bitmap) {
        return -ENOMEM;
    }
    memset(bitmap, 0xff, vpc->bitmap_bytes);
    return blk_write_buffer(node->file, offset, bitmap, vpc->bitmap_bytes, 0);
}

static int
vpc_link(BlkNode *node, uint64_t start, const FmtRoom *room)
{
    Vpc *vpc = node->state;
    uint64_t index = start / vpc->block_bytes, end = room->host + vpc->block_bytes;
    uint32_t entry = GUINT32_TO_BE((uint32_t)(room->note / FMT_SECTOR_BYTES));
    int ret = write_full_bitmap(node, room->note);

    ret = ret < 0 ? ret : blk_write_buffer(node->file, end, vpc->footer, VPC_FOOTER_BYTES, 0);
    ret = ret < 0 ? ret : blk_flush(node->file);
    ret = ret < 0 ? ret : blk_write_buffer(node->file, vpc->bat_offset + index * 4, &entry, 4, 0);
    if (ret == 0) {
        vpc->bat[index] = entry;
        vpc->end = end;
    }
    return ret;
}

/* Other programs fill bitmaps as they go. */
static int
vpc_before_overwrite(BlkNode *node, uint64_t offset, uint64_t len)
{
    Vpc *vpc = node->state;
    uint64_t index;
    int ret;

    if (vpc->type == VPC_FIXED) {
        return 0;
    }
    index = offset / vpc->block_bytes;
    if (vpc->full_block == index + 1) {
        return 0;
    }
    ret = write_full_bitmap(node, block_offset(vpc, index));
    vpc->full_block = ret == 0 ? index + 1 : 0;
    return ret;
}

static const FmtMapOps map_ops = { .lookup = vpc_lookup,
                                   .get_block = vpc_get_block,
                                   .before_overwrite = vpc_before_overwrite,
                                   .reserve = vpc_reserve,
                                   .link = vpc_link };

/* ---- opening ---- */

static bool
is_footer(const uint8_t *buf)
{
    return memcmp(buf, "conectix", 8) == 0 &&
           fmt_be32(buf + VPC_AT_CHECKSUM) == vpc_checksum(buf, VPC_FOOTER_BYTES, VPC_AT_CHECKSUM);
}

/* At the start where the image is not fixed, and at the end. */
static bool
find_footer(BlkNode *node, GError **error)
{
    Vpc *vpc = node->state;
    uint64_t file_len = fmt_file_len(node->file);
    uint64_t last = file_len >= VPC_FOOTER_BYTES ? file_len - VPC_FOOTER_BYTES : 0;

    if (!fmt_read(node, node->file, 0, vpc->footer, VPC_FOOTER_BYTES, "footer", error)) {
        return false;
    }
    if (is_footer(vpc->footer) && fmt_be32(vpc->footer + VPC_AT_TYPE) != VPC_FIXED) {
        return true;
    }
    if (!fmt_read(node, node->file, last, vpc->footer, VPC_FOOTER_BYTES, "footer", error)) {
        return false;
    }
    if (memcmp(vpc->footer, "conectix", 8) != 0) {
        return fmt_set_bad(node, error, last, "footer cookie", "this is not a VHD image");
    }
    if (!is_footer(vpc->footer)) {
        return fmt_set_bad(node, error, last + VPC_AT_CHECKSUM, "footer checksum",
                           "it does not fit the footer");
    }
    return true;
}

static void
find_disk_len(Vpc *vpc)
{
    static const char *const by_size[] = { "win ", "qem2", "d2v ", "tap", "CTXS", "wa" };
    const uint8_t *footer = vpc->footer;
    uint64_t sectors = (uint64_t)(footer[VPC_AT_CYLINDERS] << 8 | footer[VPC_AT_CYLINDERS + 1]) *
                       footer[VPC_AT_HEADS] * footer[VPC_AT_SECTORS];
    bool use_chs = vpc->size_calc == SIZE_CHS;

    if (vpc->size_calc == SIZE_AUTO) {
        use_chs = true;
        for (unsigned i = 0; i < G_N_ELEMENTS(by_size); i++) {
            use_chs = use_chs && strncmp((const char *)footer + VPC_AT_CREATOR, by_size[i], 4) != 0;
        }
    }
    /* The largest geometry means that the disk is larger. */
    if (!use_chs || sectors >= VPC_MAX_CHS_SECTORS || sectors == 0) {
        sectors = fmt_be64(footer + VPC_AT_CURRENT_SIZE) / FMT_SECTOR_BYTES;
    }
    vpc->disk_len = MIN(sectors, VPC_MAX_SECTORS) * FMT_SECTOR_BYTES;
}

static bool
parse_header(BlkNode *node, uint64_t at, const uint8_t *header, GError **error)
{
    Vpc *vpc = node->state;

    if (memcmp(header, "cxsparse", 8) != 0) {
        return fmt_set_bad(node, error, at, "dynamic header cookie",
                           "this is not a dynamic header");
    }
    if (fmt_be32(header + VPC_DYN_AT_CHECKSUM) !=
        vpc_checksum(header, VPC_DYN_BYTES, VPC_DYN_AT_CHECKSUM)) {
        return fmt_set_bad(node, error, at + VPC_DYN_AT_CHECKSUM, "dynamic header checksum",
                           "it does not fit the header");
    }
    vpc->block_bytes = fmt_be32(header + VPC_DYN_AT_BLOCK_SIZE);
    vpc->entries = fmt_be32(header + VPC_DYN_AT_ENTRIES);
    vpc->bat_offset = fmt_be64(header + VPC_DYN_AT_TABLE);
    if (!fmt_is_power_of_two(vpc->block_bytes) || vpc->block_bytes < FMT_SECTOR_BYTES) {
        return fmt_set_bad(node, error, at + VPC_DYN_AT_BLOCK_SIZE, "block size",
                           "%" PRIu64 " is not a power of two from 512", vpc->block_bytes);
    }
    if (vpc->entries > VPC_MAX_ENTRIES ||
        (uint64_t)vpc->entries * vpc->block_bytes < vpc->disk_len) {
        return fmt_set_bad(node, error, at + VPC_DYN_AT_ENTRIES, "table entries",
                           "%u are too few for %" PRIu64 " bytes, or too many", vpc->entries,
                           vpc->disk_len);
    }
    if (vpc->bat_offset > INT64_MAX / 2 || vpc->bat_offset % FMT_SECTOR_BYTES) {
        return fmt_set_bad(node, error, at + VPC_DYN_AT_TABLE, "table offset",
                           "%" PRIu64 " is not possible", vpc->bat_offset);
    }
    vpc->bitmap_bytes =
        fmt_round_up(fmt_div_up(vpc->block_bytes / FMT_SECTOR_BYTES, 8), FMT_SECTOR_BYTES);
    return true;
}

static bool
load_bat(BlkNode *node, GError **error)
{
    Vpc *vpc = node->state;
    size_t len = (size_t)vpc->entries * 4;
    uint64_t file_len = fmt_file_len(node->file);

    if (vpc->bat_offset > file_len || len > file_len - vpc->bat_offset) {
        return fmt_set_bad(node, error, vpc->bat_offset, "block allocation table",
                           "the file ends within its %u entries", vpc->entries);
    }
    vpc->bat = g_try_malloc(MAX(len, 4));
    if (!vpc->bat) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "'%s': there is not enough memory for its block allocation table.",
                    node->filename);
        return false;
    }
    if (!fmt_read(node, node->file, vpc->bat_offset, vpc->bat, len, "block allocation table",
                  error)) {
        return false;
    }
    vpc->end = fmt_round_up(vpc->bat_offset + len, FMT_SECTOR_BYTES);
    for (uint32_t i = 0; i < vpc->entries; i++) {
        if (vpc->bat[i] != UNUSED) {
            vpc->end = MAX(vpc->end, block_offset(vpc, i) + vpc->bitmap_bytes + vpc->block_bytes);
        }
    }
    return true;
}

static bool
open_dynamic(BlkNode *node, GError **error)
{
    Vpc *vpc = node->state;
    uint64_t at = fmt_be64(vpc->footer + VPC_AT_DATA);
    uint8_t header[VPC_DYN_BYTES];

    if (at > INT64_MAX / 2) {
        return fmt_set_bad(node, error, VPC_AT_DATA, "offset of the dynamic header",
                           "0x%" PRIx64 " is not possible", at);
    }
    if (!fmt_read(node, node->file, at, header, sizeof(header), "dynamic header", error) ||
        !parse_header(node, at, header, error) || !load_bat(node, error)) {
        return false;
    }
    if (vpc->type != VPC_DIFFERENCING) {
        return true;
    }
    if (!fmt_make_read_only(node, error)) {
        return false;
    }
    vpc->bitmaps = fmt_tables_new((uint32_t)vpc->bitmap_bytes, 64);
    node->backing_file = vpc_dup_parent_name(node, header, error);
    node->backing_format = g_strdup("vpc");
    return node->backing_file != NULL;
}

static bool
vpc_open(BlkNode *node, GError **error)
{
    Vpc *vpc = node->state;

    vpc->map.ops = &map_ops;
    if (!find_footer(node, error)) {
        return false;
    }
    vpc->type = fmt_be32(vpc->footer + VPC_AT_TYPE);
    find_disk_len(vpc);
    if (vpc->type == VPC_FIXED) {
        if (vpc->disk_len > fmt_file_len(node->file) - VPC_FOOTER_BYTES) {
            return fmt_set_bad(
                node, error, fmt_file_len(node->file) - VPC_FOOTER_BYTES + VPC_AT_CURRENT_SIZE,
                "size", "the file has less than %" PRIu64 " bytes of data", vpc->disk_len);
        }
        return true;
    }
    if (vpc->type != VPC_DYNAMIC && vpc->type != VPC_DIFFERENCING) {
        return fmt_set_bad(node, error, VPC_AT_TYPE, "disk type", "%u is not known", vpc->type);
    }
    return open_dynamic(node, error);
}

static void
vpc_close(BlkNode *node)
{
    Vpc *vpc = node->state;

    fmt_map_clear(&vpc->map);
    fmt_tables_free(vpc->bitmaps);
    g_free(vpc->bat);
}

static bool
vpc_set_read_only(BlkNode *node, bool read_only, GError **error)
{
    const Vpc *vpc = node->state;

    return vpc->type != VPC_DIFFERENCING || fmt_refuse_writing(node, read_only, error);
}

static int64_t
vpc_get_len(BlkNode *node)
{
    const Vpc *vpc = node->state;

    return (int64_t)vpc->disk_len;
}

/* Fixed images have nothing at their start that tells. */
static int
vpc_probe(const uint8_t *buf, size_t len, const char *filename)
{
    return len >= VPC_FOOTER_BYTES && memcmp(buf, "conectix", 8) == 0 ? 100 : 0;
}

static void
vpc_get_info(BlkNode *node, BlkFormatInfo *out)
{
    const Vpc *vpc = node->state;

    *out = (BlkFormatInfo){ .cluster_bytes = (uint32_t)vpc->block_bytes };
}

/* ---- check ---- */

static bool
vpc_check(BlkNode *node, BlkCheck *check, GError **error)
{
    const Vpc *vpc = node->state;
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    uint64_t file_len = fmt_file_len(node->file);

    for (uint32_t i = 0; i < vpc->entries; i++) {
        if (vpc->bat[i] == UNUSED) {
            continue;
        }
        check->allocated_clusters++;
        if (block_offset(vpc, i) < vpc->bat_offset ||
            block_offset(vpc, i) + vpc->bitmap_bytes + vpc->block_bytes > file_len) {
            fmt_report(check, "ERROR: block %u lies at %" PRIu64 ", outside of the file", i,
                       block_offset(vpc, i));
            check->corruptions++;
        } else if (!g_hash_table_add(seen, GUINT_TO_POINTER(vpc->bat[i]))) {
            fmt_report(check, "ERROR: block %u lies at %" PRIu64 ", where another one is", i,
                       block_offset(vpc, i));
            check->corruptions++;
        }
    }
    check->has_clusters = vpc->type != VPC_FIXED;
    check->total_clusters = vpc->entries;
    check->image_end_offset = vpc->type == VPC_FIXED ? file_len : vpc->end + VPC_FOOTER_BYTES;
    return true;
}

static const char *const size_words[] = { "auto", "chs", "current_size", NULL };

static const VitProp options[] = {
    VIT_PROP_ENUM(Vpc, size_calc, "force_size_calc", size_words, SIZE_AUTO,
                  VIT_N_("What the size of the disk goes by: geometry or size of the footer")),
    { 0 }
};

static const BlkChildSlot slots[] = {
    { .name = "file", .required = true },
    { .name = "backing", .probe = true },
    { 0 },
};

static const BlkFormatOps format_ops = { .get_info = vpc_get_info, .check = vpc_check };

const BlkDriver blk_vpc_driver = {
    .name = "vpc",
    .title = VIT_N_("Virtual PC and Hyper-V disk image (VHD)"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(Vpc),
    .options = options,
    .slots = slots,
    .create_options = vpc_create_options,
    .create_size = sizeof(VpcCreate),
    .probe = vpc_probe,
    .open = vpc_open,
    .close = vpc_close,
    .read = fmt_map_read,
    .write = fmt_map_write,
    .write_zeroes = fmt_map_write_zeroes,
    .get_len = vpc_get_len,
    .status = fmt_map_status,
    .set_read_only = vpc_set_read_only,
    .create = vpc_create,
    .format = &format_ops,
};
