/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* VMDK, the disk images of VMware: monolithic and split, sparse, flat and stream-optimized, read
 * and write; ESX flat and sparse extents; backing images.
 *
 * Specification: VMware "Virtual Disk Format" 5.0. A grain is whole in the file before the tables
 * say so, the redundant table first; after a power failure the file reaches at least to all that
 * they name, as it is lengthened some MiB ahead. The content ID changes with the first write; a
 * backing image whose ID is not the one that was recorded is not read. A stream-optimized image is
 * written in any order, every grain compressed; one that is written again leaves its old place
 * unused.
 *
 * Thread: in a fiber; grain directories are in memory, grain tables are cached. */

#include "vmdk.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

/* ---- blocks ---- */

static VmdkExtent *
find_extent(BlkNode *node, uint64_t offset)
{
    const Vmdk *vmdk = node->state;
    unsigned low = 0, high = vmdk->extents->len;

    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        if (g_array_index(vmdk->extents, VmdkExtent, middle).start <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &g_array_index(vmdk->extents, VmdkExtent, low);
}

/* Whether the backing image is the one that was meant. */
static int
check_parent(BlkNode *node)
{
    Vmdk *vmdk = node->state;

    if (!vmdk->is_parent_known && node->backing) {
        const BlkNode *below = node->backing->node;
        if (below->driver == node->driver && vmdk->parent_cid != VMDK_NO_PARENT &&
            ((const Vmdk *)below->state)->cid != vmdk->parent_cid) {
            return -EINVAL;
        }
        vmdk->is_parent_known = true;
    }
    return 0;
}

/* Grains of the table behind the one of SLOT that go on like it, up to LEN bytes. */
static void
extend_run(const VmdkExtent *extent, const uint8_t *table, uint64_t slot, uint64_t in_extent,
           uint64_t len, FmtExtent *out)
{
    uint32_t entry = fmt_le32(table + slot * 4);
    uint64_t step = out->kind == FMT_DATA ? extent->grain_bytes / FMT_SECTOR_BYTES : 0;

    len = MIN(len, extent->len - in_extent);
    while (out->len < len && ++slot < extent->gtes) {
        entry += (uint32_t)step;
        if (fmt_le32(table + slot * 4) != entry) {
            break;
        }
        out->len += extent->grain_bytes;
    }
    out->len = MIN(out->len, extent->len - in_extent);
}

static int
lookup_grain(BlkNode *node, VmdkExtent *extent, uint64_t in_extent, uint64_t len, FmtExtent *out)
{
    uint64_t grain = in_extent / extent->grain_bytes, in_grain = in_extent % extent->grain_bytes;
    uint64_t index = grain / extent->gtes, table_at;
    const uint8_t *table = NULL;
    uint32_t entry = 0;
    int ret;

    out->len = MIN(extent->grain_bytes - in_grain, extent->len - in_extent);
    if (index >= extent->gdes) {
        return -EIO;
    }
    table_at = (uint64_t)GUINT32_FROM_LE(extent->gd[index]) * FMT_SECTOR_BYTES;
    if (table_at) {
        ret = fmt_tables_get(node, extent->tables, extent->file, table_at, &table);
        if (ret < 0) {
            return ret;
        }
        entry = fmt_le32(table + grain % extent->gtes * 4);
    }
    out->file = extent->file;
    out->host = (uint64_t)entry * FMT_SECTOR_BYTES;
    if (entry == 0) {
        out->kind = FMT_ABSENT;
    } else if (entry == VMDK_GTE_ZERO && extent->has_zero_grains) {
        out->kind = FMT_ZERO;
    } else if (!extent->is_compressed) {
        out->kind = FMT_DATA;
        out->host += in_grain;
    } else {
        out->kind = FMT_PACKED;
        out->block_start = extent->start + in_extent - in_grain;
        out->block_len = extent->grain_bytes;
        return 0;
    }
    if (table) {
        extend_run(extent, table, grain % extent->gtes, in_extent, len, out);
    }
    return entry == 0 ? check_parent(node) : 0;
}

static int
vmdk_lookup(BlkNode *node, uint64_t offset, uint64_t len, FmtExtent *out)
{
    VmdkExtent *extent = find_extent(node, offset);
    uint64_t in_extent = offset - extent->start;

    if (in_extent >= extent->len) {
        return -EIO;
    }
    switch (extent->kind) {
    case VMDK_SPARSE: return lookup_grain(node, extent, in_extent, len, out);
    case VMDK_ZERO: out->kind = FMT_ZERO; break;
    case VMDK_FLAT:
        out->kind = FMT_DATA;
        out->file = extent->file;
        out->host = extent->flat_offset + in_extent;
        break;
    }
    out->len = extent->len - in_extent;
    return 0;
}

static void
vmdk_get_block(BlkNode *node, uint64_t offset, uint64_t *out_start, uint64_t *out_len)
{
    const VmdkExtent *extent = find_extent(node, offset);
    uint64_t in_extent = offset - extent->start;

    *out_start = extent->start;
    *out_len = extent->len;
    if (extent->kind == VMDK_SPARSE) {
        *out_start += in_extent / extent->grain_bytes * extent->grain_bytes;
        *out_len = extent->grain_bytes;
    }
}

static int
vmdk_reserve(BlkNode *node, uint64_t start, FmtRoom *out)
{
    VmdkExtent *extent = find_extent(node, start);

    if (extent->kind != VMDK_SPARSE || extent->is_compressed) {
        return -EIO;
    }
    if (extent->end / FMT_SECTOR_BYTES > UINT32_MAX) {
        return -EFBIG;
    }
    *out = (FmtRoom){ .file = extent->file, .host = extent->end };
    extent->end += extent->grain_bytes;
    return 0;
}

static int
secure_room(VmdkExtent *extent)
{
    return extent->is_compressed ? 0
                                 : fmt_secure_room(extent->file, extent->end, &extent->room_end);
}

/* A grain table that is not there yet, at the end of the file. */
static int
add_table(VmdkExtent *extent, uint32_t *directory, uint64_t directory_at, uint64_t index)
{
    uint64_t len = fmt_round_up(extent->gtes * 4, FMT_SECTOR_BYTES), at = extent->end;
    g_autofree uint8_t *zeroes = g_try_malloc0(len);
    uint32_t entry = GUINT32_TO_LE((uint32_t)(at / FMT_SECTOR_BYTES));
    int ret;

    if (!zeroes || at / FMT_SECTOR_BYTES > UINT32_MAX) {
        return zeroes ? -EFBIG : -ENOMEM;
    }
    extent->end += len;
    ret = secure_room(extent);
    ret = ret < 0 ? ret : blk_write_buffer(extent->file, at, zeroes, len, 0);
    ret = ret < 0 ? ret : blk_write_buffer(extent->file, directory_at + index * 4, &entry, 4, 0);
    if (ret == 0) {
        directory[index] = entry;
    }
    return ret;
}

static int
put_entry(BlkNode *node, VmdkExtent *extent, uint32_t *directory, uint64_t directory_at,
          uint64_t grain, uint32_t entry)
{
    uint64_t index = grain / extent->gtes;
    uint32_t at = (uint32_t)(grain % extent->gtes * 4);
    int ret = directory[index] ? 0 : add_table(extent, directory, directory_at, index);

    entry = GUINT32_TO_LE(entry);
    return ret < 0 ? ret
                   : fmt_tables_put(node, extent->tables, extent->file,
                                    (uint64_t)GUINT32_FROM_LE(directory[index]) * FMT_SECTOR_BYTES,
                                    at, &entry, 4);
}

static int
set_entry(BlkNode *node, uint64_t start, uint32_t entry)
{
    VmdkExtent *extent = find_extent(node, start);
    uint64_t grain = (start - extent->start) / extent->grain_bytes;
    int ret = secure_room(extent);

    if (ret == 0 && extent->rgd) {
        ret = put_entry(node, extent, extent->rgd, extent->rgd_offset, grain, entry);
    }
    return ret < 0 ? ret : put_entry(node, extent, extent->gd, extent->gd_offset, grain, entry);
}

static int
vmdk_link(BlkNode *node, uint64_t start, const FmtRoom *room)
{
    return set_entry(node, start, (uint32_t)(room->host / FMT_SECTOR_BYTES));
}

/* Formats without that mark have the zeroes written. */
static int
vmdk_link_zero(BlkNode *node, uint64_t start)
{
    VmdkExtent *extent = find_extent(node, start);

    return extent->has_zero_grains ? set_entry(node, start, VMDK_GTE_ZERO) : -ENOTSUP;
}

/* ---- compressed grains ---- */

static int
vmdk_unpack(BlkNode *node, const FmtExtent *packed, uint8_t *out)
{
    const VmdkExtent *extent = find_extent(node, packed->block_start);
    uint64_t file_len = fmt_file_len(packed->file), at = packed->host, len;
    uint64_t needed = MIN(packed->block_len, extent->start + extent->len - packed->block_start);
    uint8_t marker[VMDK_MARKER_BYTES];
    g_autofree uint8_t *in = NULL;
    int ret;

    len = MIN(2 * packed->block_len, at < file_len ? file_len - at : 0);
    if (extent->has_markers) {
        ret = blk_read_buffer(packed->file, at, marker, sizeof(marker));
        if (ret < 0 || len < sizeof(marker) || fmt_le32(marker + 8) == 0 ||
            fmt_le32(marker + 8) > len - sizeof(marker)) {
            return ret < 0 ? ret : -EIO;
        }
        len = fmt_le32(marker + 8);
        at += sizeof(marker);
    }
    in = g_try_malloc(MAX(len, 1));
    ret = in ? blk_read_buffer(packed->file, at, in, len) : -ENOMEM;
    if (ret == 0) {
        memset(out, 0, packed->block_len);
        ret = fmt_unpack(node->context, FMT_ZLIB, in, len, out, packed->block_len);
    }
    return ret < 0 ? ret : (uint64_t)ret < needed ? -EIO : 0;
}

static int
vmdk_write_block(BlkNode *node, uint64_t start, const uint8_t *buf, uint64_t len)
{
    VmdkExtent *extent = find_extent(node, start);
    size_t bound = fmt_pack_bound(len) + VMDK_MARKER_BYTES;
    g_autofree uint8_t *out = g_try_malloc0(fmt_round_up(bound, FMT_SECTOR_BYTES));
    uint64_t at = extent->end, whole;
    int ret;

    if (!extent->is_compressed || at / FMT_SECTOR_BYTES > UINT32_MAX || !out) {
        return !out ? -ENOMEM : extent->is_compressed ? -EFBIG : -EIO;
    }
    ret = fmt_pack(node->context, buf, len, out + VMDK_MARKER_BYTES, bound - VMDK_MARKER_BYTES);
    if (ret < 0) {
        return ret;
    }
    if (extent->has_markers) {
        fmt_put_le64(out, (start - extent->start) / FMT_SECTOR_BYTES);
        fmt_put_le32(out + 8, (uint32_t)ret);
    } else {
        memmove(out, out + VMDK_MARKER_BYTES, (size_t)ret);
    }
    whole = fmt_round_up((uint64_t)ret + VMDK_MARKER_BYTES, FMT_SECTOR_BYTES);
    extent->end += whole;
    ret = blk_write_buffer(extent->file, at, out, whole, 0);
    return ret < 0 ? ret : set_entry(node, start, (uint32_t)(at / FMT_SECTOR_BYTES));
}

static int
vmdk_write_compressed(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    const Vmdk *vmdk = node->state;

    if (vmdk->map.ops != &vmdk_compressed_map_ops) {
        return -ENOTSUP;
    }
    return len ? fmt_map_write(node, offset, len, vec, at, 0) : 0;
}

/* ---- the content ID ---- */

static int
vmdk_before_write(BlkNode *node)
{
    Vmdk *vmdk = node->state;
    char digits[9];
    uint32_t cid;
    int ret;

    if (!vmdk->cid_offset) {
        return 0;
    }
    do {
        cid = g_random_int();
    } while (cid == VMDK_NO_PARENT || cid == vmdk->cid);
    g_snprintf(digits, sizeof(digits), "%08x", cid);
    ret = blk_write_buffer(node->file, vmdk->cid_offset, digits, 8, 0);
    if (ret == 0) {
        vmdk->cid = cid;
    }
    return ret;
}

const FmtMapOps vmdk_map_ops = { .lookup = vmdk_lookup,
                                 .unpack = vmdk_unpack,
                                 .get_block = vmdk_get_block,
                                 .before_write = vmdk_before_write,
                                 .reserve = vmdk_reserve,
                                 .link = vmdk_link,
                                 .link_zero = vmdk_link_zero };

const FmtMapOps vmdk_compressed_map_ops = { .lookup = vmdk_lookup,
                                            .unpack = vmdk_unpack,
                                            .get_block = vmdk_get_block,
                                            .before_write = vmdk_before_write,
                                            .write_block = vmdk_write_block };

/* ---- the rest of the driver ---- */

static bool
vmdk_set_read_only(BlkNode *node, bool read_only, GError **error)
{
    const Vmdk *vmdk = node->state;

    for (unsigned i = 0; !read_only && i < vmdk->extents->len; i++) {
        const VmdkExtent *extent = &g_array_index(vmdk->extents, VmdkExtent, i);
        if (extent->file && extent->file->node->read_only && extent->file != node->file) {
            g_set_error(error, VIT_ERROR, VIT_ERROR_PERMISSION,
                        "'%s' was opened for reading: its extent '%s' cannot be written. Open it "
                        "again for writing.",
                        node->filename, extent->file->node->filename);
            return false;
        }
    }
    if (read_only) {
        vmdk_trim(node);
    }
    return true;
}

static int64_t
vmdk_get_len(BlkNode *node)
{
    const Vmdk *vmdk = node->state;

    return (int64_t)vmdk->disk_len;
}

static int
vmdk_probe(const uint8_t *buf, size_t len, const char *filename)
{
    return (len >= 4 &&
            (memcmp(buf, VMDK_MAGIC, 4) == 0 || memcmp(buf, VMDK_COWD_MAGIC, 4) == 0)) ||
                   (len >= strlen(VMDK_DESC_START) &&
                    g_ascii_strncasecmp((const char *)buf, VMDK_DESC_START,
                                        strlen(VMDK_DESC_START)) == 0)
               ? 100
               : 0;
}

static void
vmdk_get_info(BlkNode *node, BlkFormatInfo *out)
{
    const Vmdk *vmdk = node->state;

    *out = (BlkFormatInfo){ 0 };
    for (unsigned i = 0; i < vmdk->extents->len; i++) {
        const VmdkExtent *extent = &g_array_index(vmdk->extents, VmdkExtent, i);
        if (extent->kind == VMDK_SPARSE) {
            out->cluster_bytes = (uint32_t)extent->grain_bytes;
        }
    }
}

static JsonObject *
describe_extent(const VmdkExtent *extent)
{
    JsonObject *object = json_object_new();

    if (extent->is_compressed) {
        json_object_set_boolean_member(object, "compressed", TRUE);
    }
    json_object_set_int_member(object, "virtual-size", (gint64)extent->len);
    json_object_set_string_member(object, "filename",
                                  extent->file ? extent->file->node->filename : "");
    if (extent->kind == VMDK_SPARSE) {
        json_object_set_int_member(object, "cluster-size", (gint64)extent->grain_bytes);
    }
    json_object_set_string_member(object, "format", extent->type ? extent->type : "");
    return object;
}

static JsonObject *
vmdk_describe(BlkNode *node)
{
    const Vmdk *vmdk = node->state;
    JsonObject *object = json_object_new();
    JsonArray *extents = json_array_new();

    json_object_set_int_member(object, "cid", vmdk->cid);
    json_object_set_int_member(object, "parent-cid", vmdk->parent_cid);
    json_object_set_string_member(object, "create-type",
                                  vmdk->create_type ? vmdk->create_type : "");
    for (unsigned i = 0; i < vmdk->extents->len; i++) {
        json_array_add_object_element(
            extents, describe_extent(&g_array_index(vmdk->extents, VmdkExtent, i)));
    }
    json_object_set_array_member(object, "extents", extents);
    return object;
}

/* ---- check ---- */

static bool
check_extent(BlkNode *node, VmdkExtent *extent, BlkCheck *check, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    uint64_t file_len = fmt_file_len(extent->file), offset = 0;

    while (offset < extent->len) {
        FmtExtent grain = { 0 };
        int ret = vmdk_lookup(node, extent->start + offset, 1, &grain);
        bool is_here = ret == 0 && (grain.kind == FMT_DATA || grain.kind == FMT_PACKED);
        if (ret < 0) {
            fmt_report(check, "ERROR: grain at sector %" PRIu64 " cannot be looked up: %s",
                       (extent->start + offset) / FMT_SECTOR_BYTES, g_strerror(-ret));
            check->corruptions++;
            grain.len = MIN(extent->grain_bytes, extent->len - offset);
        }
        check->total_clusters++;
        check->allocated_clusters += is_here;
        if (is_here && grain.host >= file_len) {
            fmt_report(check, "ERROR: grain at sector %" PRIu64 " lies behind the end of '%s'",
                       (extent->start + offset) / FMT_SECTOR_BYTES, extent->file->node->filename);
            check->corruptions++;
        } else if (is_here &&
                   !g_hash_table_add(seen, GSIZE_TO_POINTER(grain.host / FMT_SECTOR_BYTES))) {
            fmt_report(check, "ERROR: grain at sector %" PRIu64 " lies where another one is",
                       (extent->start + offset) / FMT_SECTOR_BYTES);
            check->corruptions++;
        }
        offset += grain.len;
    }
    check->image_end_offset = MAX(check->image_end_offset, file_len);
    return true;
}

static bool
vmdk_check(BlkNode *node, BlkCheck *check, GError **error)
{
    const Vmdk *vmdk = node->state;

    check->has_clusters = true;
    for (unsigned i = 0; i < vmdk->extents->len; i++) {
        VmdkExtent *extent = &g_array_index(vmdk->extents, VmdkExtent, i);
        if (extent->kind == VMDK_SPARSE && !check_extent(node, extent, check, error)) {
            return false;
        }
    }
    return true;
}

static const BlkChildSlot slots[] = {
    { .name = "file", .required = true },
    { .name = "backing", .probe = true },
    { 0 },
};

static const BlkFormatOps format_ops = { .get_info = vmdk_get_info,
                                         .describe = vmdk_describe,
                                         .check = vmdk_check,
                                         .write_compressed = vmdk_write_compressed };

const BlkDriver blk_vmdk_driver = {
    .name = "vmdk",
    .title = VIT_N_("VMware disk image"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(Vmdk),
    .slots = slots,
    .create_options = vmdk_create_options,
    .create_size = sizeof(VmdkCreate),
    .probe = vmdk_probe,
    .open = vmdk_open,
    .close = vmdk_close,
    .read = fmt_map_read,
    .write = fmt_map_write,
    .write_zeroes = fmt_map_write_zeroes,
    .get_len = vmdk_get_len,
    .status = fmt_map_status,
    .set_read_only = vmdk_set_read_only,
    .create = vmdk_create,
    .format = &format_ops,
};
