/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* VHDX, the newer disk images of Hyper-V: dynamic and fixed, read and write, up to 64 TiB.
 *
 * Specification: MS-VHDX. Changes of the block table go through the log, one at a time, so that at
 * any failure it is whole; while an image is open for writing its headers name a log, and opening
 * one that was not closed replays it. Images with a parent are refused. 4096-byte logical sectors
 * are read like others.
 *
 * Thread: in a fiber; the block table is in memory. */

#include "vhdx.h"

#include <string.h>

/* ---- blocks ---- */

/* Entries of sector bitmaps lie between those of blocks. */
static uint64_t
entry_index(const Vhdx *vhdx, uint64_t block)
{
    return block + block / vhdx->chunk_ratio;
}

static uint64_t
entry_of(const Vhdx *vhdx, uint64_t block)
{
    return GUINT64_FROM_LE(vhdx->bat[entry_index(vhdx, block)]);
}

static uint64_t
host_of(uint64_t entry)
{
    return entry & ~(uint64_t)(VHDX_MB - 1);
}

static int
vhdx_lookup(BlkNode *node, uint64_t offset, uint64_t len, FmtExtent *out)
{
    const Vhdx *vhdx = node->state;
    uint64_t block = offset / vhdx->block_bytes, in_block = offset % vhdx->block_bytes, entry;

    if (block >= vhdx->blocks) {
        return -EIO;
    }
    entry = entry_of(vhdx, block);
    out->len = vhdx->block_bytes - in_block;
    switch (entry & VHDX_STATE_MASK) {
    case VHDX_BLOCK_PRESENT:
        out->kind = FMT_DATA;
        out->file = node->file;
        out->host = host_of(entry) + in_block;
        return host_of(entry) >= VHDX_MB ? 0 : -EIO;
    case VHDX_BLOCK_NOT_PRESENT: out->kind = FMT_ABSENT; return 0;
    case VHDX_BLOCK_UNDEFINED:
    case VHDX_BLOCK_ZERO:
    case VHDX_BLOCK_UNMAPPED: out->kind = FMT_ZERO; return 0;
    default: return -EIO;
    }
}

static void
vhdx_get_block(BlkNode *node, uint64_t offset, uint64_t *out_start, uint64_t *out_len)
{
    const Vhdx *vhdx = node->state;

    *out_start = offset / vhdx->block_bytes * vhdx->block_bytes;
    *out_len = vhdx->block_bytes;
}

static int
vhdx_reserve(BlkNode *node, uint64_t start, FmtRoom *out)
{
    const Vhdx *vhdx = node->state;

    *out = (FmtRoom){ .file = node->file, .host = vhdx->end };
    return 0;
}

static int
vhdx_link(BlkNode *node, uint64_t start, const FmtRoom *room)
{
    Vhdx *vhdx = node->state;
    uint64_t index = entry_index(vhdx, start / vhdx->block_bytes), old = vhdx->bat[index];
    uint64_t sector = index * 8 / VHDX_LOG_SECTOR * VHDX_LOG_SECTOR;
    uint8_t bytes[VHDX_LOG_SECTOR];
    int ret;

    memcpy(bytes, (const uint8_t *)vhdx->bat + sector, sizeof(bytes));
    fmt_put_le64(bytes + (index * 8 - sector), room->host | VHDX_BLOCK_PRESENT);
    ret = vhdx_log_sector(node, vhdx->bat_offset + sector, bytes);
    vhdx->bat[index] = ret < 0 ? old : GUINT64_TO_LE(room->host | VHDX_BLOCK_PRESENT);
    vhdx->end = ret < 0 ? vhdx->end : room->host + vhdx->block_bytes;
    return ret;
}

/* New identifiers of the content, and the name of the log that begins now. */
static int
vhdx_before_write(BlkNode *node)
{
    Vhdx *vhdx = node->state;
    uint8_t log_guid[16];

    fmt_put_uuid(vhdx->header + VHDX_HEAD_AT_FILE_GUID);
    fmt_put_uuid(vhdx->header + VHDX_HEAD_AT_DATA_GUID);
    fmt_put_uuid(log_guid);
    vhdx->log_at = 0;
    return vhdx_write_headers(node, log_guid);
}

static const FmtMapOps map_ops = { .lookup = vhdx_lookup,
                                   .get_block = vhdx_get_block,
                                   .before_write = vhdx_before_write,
                                   .reserve = vhdx_reserve,
                                   .link = vhdx_link };

/* ---- opening ---- */

static bool
load_bat(BlkNode *node, GError **error)
{
    Vhdx *vhdx = node->state;
    uint64_t bytes;

    vhdx->chunk_ratio = (UINT64_C(1) << 23) * vhdx->logical_sector / vhdx->block_bytes;
    vhdx->blocks = fmt_div_up(vhdx->disk_len, vhdx->block_bytes);
    vhdx->bat_entries = vhdx_bat_entries(vhdx->blocks, vhdx->chunk_ratio);
    bytes = fmt_round_up(vhdx->bat_entries * 8, VHDX_LOG_SECTOR);
    if (bytes > vhdx->bat_bytes) {
        return fmt_set_bad(node, error, vhdx->bat_offset, "block table",
                           "its region has %" PRIu64 " bytes, %" PRIu64 " are needed",
                           vhdx->bat_bytes, bytes);
    }
    vhdx->bat = g_try_malloc(MAX(bytes, 8));
    if (!vhdx->bat) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED,
                    "'%s': there is not enough memory for its block table.", node->filename);
        return false;
    }
    return fmt_read(node, node->file, vhdx->bat_offset, vhdx->bat, bytes, "block table", error);
}

/* Behind everything that the file or the block table has. */
static bool
find_end(BlkNode *node, GError **error)
{
    Vhdx *vhdx = node->state;
    uint64_t file_len = fmt_file_len(node->file);

    vhdx->end = fmt_round_up(file_len, VHDX_MB);
    for (uint64_t i = 0; i < vhdx->blocks; i++) {
        uint64_t entry = entry_of(vhdx, i);
        if ((entry & VHDX_STATE_MASK) == VHDX_BLOCK_PRESENT) {
            if (host_of(entry) > INT64_MAX / 2) {
                return fmt_set_bad(node, error, vhdx->bat_offset + entry_index(vhdx, i) * 8,
                                   "block table", "block %" PRIu64 " cannot lie at %" PRIu64, i,
                                   host_of(entry));
            }
            vhdx->end = MAX(vhdx->end, host_of(entry) + vhdx->block_bytes);
        }
    }
    return true;
}

static bool
vhdx_open(BlkNode *node, GError **error)
{
    Vhdx *vhdx = node->state;

    vhdx->map.ops = &map_ops;
    return vhdx_read_headers(node, error) && vhdx_replay_log(node, error) &&
           vhdx_read_regions(node, error) && vhdx_read_metadata(node, error) &&
           load_bat(node, error) && find_end(node, error);
}

static int
settle(BlkNode *node)
{
    Vhdx *vhdx = node->state;
    int ret = 0;

    if (vhdx->map.is_prepared) {
        ret = blk_flush(node->file);
        ret = ret < 0 ? ret : vhdx_write_headers(node, NULL);
        vhdx->map.is_prepared = false;
    }
    return ret;
}

static bool
vhdx_set_read_only(BlkNode *node, bool read_only, GError **error)
{
    int ret = read_only ? settle(node) : 0;

    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be brought up to date: %s.",
                    node->filename, g_strerror(-ret));
    }
    return ret == 0;
}

static void
vhdx_close(BlkNode *node)
{
    Vhdx *vhdx = node->state;

    if (node->opened && !node->read_only) {
        settle(node);
    }
    fmt_map_clear(&vhdx->map);
    g_free(vhdx->bat);
}

static int64_t
vhdx_get_len(BlkNode *node)
{
    const Vhdx *vhdx = node->state;

    return (int64_t)vhdx->disk_len;
}

static int
vhdx_probe(const uint8_t *buf, size_t len, const char *filename)
{
    return len >= 8 && memcmp(buf, VHDX_FILE_ID, 8) == 0 ? 100 : 0;
}

static void
vhdx_get_info(BlkNode *node, BlkFormatInfo *out)
{
    const Vhdx *vhdx = node->state;

    *out = (BlkFormatInfo){ .cluster_bytes = (uint32_t)vhdx->block_bytes };
}

static void
check_block(BlkNode *node, uint64_t block, GHashTable *seen, BlkCheck *check)
{
    const Vhdx *vhdx = node->state;
    uint64_t entry = entry_of(vhdx, block), host = host_of(entry);

    if ((entry & VHDX_STATE_MASK) != VHDX_BLOCK_PRESENT) {
        if ((entry & VHDX_STATE_MASK) > VHDX_BLOCK_UNMAPPED) {
            fmt_report(check, "ERROR: block %" PRIu64 " has the state %u, which is not known",
                       block, (unsigned)(entry & VHDX_STATE_MASK));
            check->corruptions++;
        }
        return;
    }
    check->allocated_clusters++;
    check->image_end_offset = MAX(check->image_end_offset, host + vhdx->block_bytes);
    if (host < VHDX_MB || host + vhdx->block_bytes > fmt_file_len(node->file)) {
        fmt_report(check, "ERROR: block %" PRIu64 " lies at %" PRIu64 ", outside of the file",
                   block, host);
        check->corruptions++;
    } else if (!g_hash_table_add(seen, GSIZE_TO_POINTER(host / VHDX_MB))) {
        fmt_report(check, "ERROR: block %" PRIu64 " lies at %" PRIu64 ", where another one is",
                   block, host);
        check->corruptions++;
    }
}

static bool
vhdx_check(BlkNode *node, BlkCheck *check, GError **error)
{
    const Vhdx *vhdx = node->state;
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

    check->has_clusters = true;
    check->total_clusters = vhdx->blocks;
    for (uint64_t i = 0; i < vhdx->blocks; i++) {
        check_block(node, i, seen, check);
    }
    return true;
}

static const BlkChildSlot slots[] = { { .name = "file", .required = true }, { 0 } };

static const BlkFormatOps format_ops = { .get_info = vhdx_get_info, .check = vhdx_check };

const BlkDriver blk_vhdx_driver = {
    .name = "vhdx",
    .title = VIT_N_("Hyper-V disk image (VHDX)"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(Vhdx),
    .slots = slots,
    .create_options = vhdx_create_options,
    .create_size = sizeof(VhdxCreate),
    .probe = vhdx_probe,
    .open = vhdx_open,
    .close = vhdx_close,
    .read = fmt_map_read,
    .write = fmt_map_write,
    .write_zeroes = fmt_map_write_zeroes,
    .get_len = vhdx_get_len,
    .status = fmt_map_status,
    .set_read_only = vhdx_set_read_only,
    .create = vhdx_create,
    .format = &format_ops,
};
