/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Opening VMDK images: descriptors (a file of text, or a part of a sparse extent) and the headers
 * and grain directories of extents.
 *
 * Specification: VMware "Virtual Disk Format" 5.0; the fields of ESX extents ("COWD") as published
 * with open-vmdk and vmfs-tools. Extents on raw devices and seSparse are refused by name.
 *
 * Thread: in a fiber. */

#include "vmdk.h"

#include "blk-path.h"

#include <stdio.h>
#include <string.h>

/* ---- descriptors ---- */

/* Value of KEY in TEXT without quotes, or NULL; OUT_AT: where it begins. Ownership: caller. */
static char *
dup_value(const char *text, const char *key, size_t *out_at)
{
    size_t key_len = strlen(key);

    for (const char *line = text; line && *line;) {
        const char *next = strchr(line, '\n'), *at = line + strspn(line, " \t");
        if (g_ascii_strncasecmp(at, key, key_len) == 0) {
            at += key_len;
            at += strspn(at, " \t");
            if (*at == '=') {
                at++;
                at += strspn(at, " \t\"");
                *out_at = (size_t)(at - text);
                return g_strndup(at, strcspn(at, "\"\r\n"));
            }
        }
        line = next ? next + 1 : NULL;
    }
    return NULL;
}

/* TEXT_OFFSET: where it lies in the file. */
static bool
parse_keys(BlkNode *node, const char *text, uint64_t text_offset, GError **error)
{
    Vmdk *vmdk = node->state;
    size_t at = 0, hint_at = 0, type_at = 0;
    g_autofree char *cid = dup_value(text, "CID", &at);
    g_autofree char *parent = dup_value(text, "parentCID", &hint_at);
    g_autofree char *hint = dup_value(text, "parentFileNameHint", &hint_at);

    vmdk->create_type = dup_value(text, "createType", &type_at);
    if (!vmdk->create_type) {
        return fmt_set_bad(node, error, text_offset, "descriptor", "createType= is missing");
    }
    vmdk->cid = cid ? (uint32_t)g_ascii_strtoull(cid, NULL, 16) : 0;
    vmdk->cid_offset = cid && strlen(cid) == 8 ? text_offset + at : 0;
    vmdk->parent_cid = parent ? (uint32_t)g_ascii_strtoull(parent, NULL, 16) : VMDK_NO_PARENT;
    if (hint && *hint && vmdk->parent_cid != VMDK_NO_PARENT) {
        node->backing_file = g_strdup(hint);
        node->backing_format = g_strdup("vmdk");
    }
    return true;
}

/* ---- sparse extents ---- */

static bool
read_directory(BlkNode *node, VmdkExtent *extent, uint64_t offset, uint32_t **out, GError **error)
{
    uint64_t file_len = fmt_file_len(extent->file), len = extent->gdes * 4;

    if (offset > file_len || len > file_len - offset) {
        return fmt_set_bad(node, error, offset, "grain directory",
                           "'%s' ends within its %" PRIu64 " entries", extent->file->node->filename,
                           extent->gdes);
    }
    *out = g_try_malloc(MAX(len, 4));
    if (!*out) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED, "'%s': there is not enough memory.",
                    node->filename);
        return false;
    }
    return fmt_read(node, extent->file, offset, *out, len, "grain directory", error);
}

static bool
check_numbers(BlkNode *node, const VmdkExtent *extent, unsigned grain_at, unsigned gtes_at,
              GError **error)
{
    if (extent->grain_bytes == 0 || extent->grain_bytes > VMDK_MAX_GRAIN_BYTES) {
        return fmt_set_bad(node, error, grain_at, "grain size",
                           "%" PRIu64 " sectors are not possible in '%s'",
                           extent->grain_bytes / FMT_SECTOR_BYTES, extent->file->node->filename);
    }
    if (extent->gtes == 0 || extent->gtes > VMDK_MAX_GTES) {
        return fmt_set_bad(node, error, gtes_at, "entries of a grain table",
                           "%" PRIu64 " are not possible in '%s'", extent->gtes,
                           extent->file->node->filename);
    }
    return true;
}

static bool
finish_sparse(BlkNode *node, VmdkExtent *extent, GError **error)
{
    enum { CACHE_BYTES = 2 << 20 };
    uint64_t table_bytes = extent->gtes * 4;

    if (!read_directory(node, extent, extent->gd_offset, &extent->gd, error)) {
        return false;
    }
    if (extent->rgd_offset &&
        !read_directory(node, extent, extent->rgd_offset, &extent->rgd, error)) {
        return false;
    }
    extent->tables =
        fmt_tables_new((uint32_t)table_bytes, (unsigned)MAX(CACHE_BYTES / table_bytes, 16));
    extent->end = fmt_round_up(fmt_file_len(extent->file), FMT_SECTOR_BYTES);
    return true;
}

/* Stream-optimized extents may have their header once more at the end, with the directory's place.
 */
static bool
take_footer(BlkNode *node, const VmdkExtent *extent, uint8_t *header, GError **error)
{
    uint64_t file_len = fmt_file_len(extent->file);

    if (fmt_le64(header + VMDK_AT_GD) != VMDK_GD_AT_END) {
        return true;
    }
    if (file_len < VMDK_HEADER_BYTES + VMDK_FOOTER_FROM_END ||
        !fmt_read(node, extent->file, file_len - VMDK_FOOTER_FROM_END, header, VMDK_HEADER_BYTES,
                  "footer", NULL) ||
        memcmp(header, VMDK_MAGIC, 4) != 0) {
        return fmt_set_bad(node, error, VMDK_AT_GD, "grain directory offset",
                           "it should be in a footer at the end of '%s', which is missing",
                           extent->file->node->filename);
    }
    return true;
}

static bool
open_hosted_sparse(BlkNode *node, VmdkExtent *extent, uint8_t *header, GError **error)
{
    uint64_t capacity, gd, rgd;
    uint32_t flags, version;

    if (!take_footer(node, extent, header, error)) {
        return false;
    }
    version = fmt_le32(header + VMDK_AT_VERSION);
    flags = fmt_le32(header + VMDK_AT_FLAGS);
    capacity = fmt_le64(header + VMDK_AT_CAPACITY);
    gd = fmt_le64(header + VMDK_AT_GD);
    rgd = flags & VMDK_FLAG_RGD ? fmt_le64(header + VMDK_AT_RGD) : 0;
    if (version == 0 || version > 3) {
        return fmt_set_bad(node, error, VMDK_AT_VERSION, "version", "%u of '%s' is not 1 to 3",
                           version, extent->file->node->filename);
    }
    if (capacity > INT64_MAX / FMT_SECTOR_BYTES / 2) {
        return fmt_set_bad(node, error, VMDK_AT_CAPACITY, "capacity",
                           "%" PRIu64 " sectors of '%s' are not possible", capacity,
                           extent->file->node->filename);
    }
    if (gd > INT64_MAX / FMT_SECTOR_BYTES || rgd > INT64_MAX / FMT_SECTOR_BYTES || gd == 0) {
        return fmt_set_bad(node, error, VMDK_AT_GD, "grain directory offset",
                           "sector %" PRIu64 " of '%s' is not possible", gd,
                           extent->file->node->filename);
    }
    extent->grain_bytes = MIN(fmt_le64(header + VMDK_AT_GRAIN), UINT32_MAX) * FMT_SECTOR_BYTES;
    extent->gtes = fmt_le32(header + VMDK_AT_GTES);
    if (!check_numbers(node, extent, VMDK_AT_GRAIN, VMDK_AT_GTES, error)) {
        return false;
    }
    extent->len = capacity * FMT_SECTOR_BYTES;
    extent->gdes = fmt_div_up(extent->len, extent->grain_bytes * extent->gtes);
    extent->gd_offset = gd * FMT_SECTOR_BYTES;
    extent->rgd_offset = rgd * FMT_SECTOR_BYTES;
    extent->has_zero_grains = flags & VMDK_FLAG_ZERO_GRAIN;
    extent->is_compressed = flags & VMDK_FLAG_COMPRESSED;
    extent->has_markers = flags & VMDK_FLAG_MARKERS;
    if (extent->is_compressed && header[VMDK_AT_COMPRESSION] != 1) {
        return fmt_set_bad(node, error, VMDK_AT_COMPRESSION, "compression",
                           "method %u is not deflate", header[VMDK_AT_COMPRESSION]);
    }
    return finish_sparse(node, extent, error);
}

static bool
open_esx_sparse(BlkNode *node, VmdkExtent *extent, const uint8_t *header, GError **error)
{
    extent->grain_bytes = (uint64_t)fmt_le32(header + VMDK_COWD_AT_GRAIN) * FMT_SECTOR_BYTES;
    extent->gtes = VMDK_COWD_GTES;
    if (!check_numbers(node, extent, VMDK_COWD_AT_GRAIN, 0, error)) {
        return false;
    }
    extent->len = (uint64_t)fmt_le32(header + VMDK_COWD_AT_SECTORS) * FMT_SECTOR_BYTES;
    extent->gdes = fmt_le32(header + VMDK_COWD_AT_GDES);
    extent->gd_offset = (uint64_t)fmt_le32(header + VMDK_COWD_AT_GD) * FMT_SECTOR_BYTES;
    if (extent->len > extent->gdes * extent->gtes * extent->grain_bytes) {
        return fmt_set_bad(node, error, VMDK_COWD_AT_GDES, "entries of the grain directory",
                           "%" PRIu64 " are too few for the disk", extent->gdes);
    }
    return finish_sparse(node, extent, error);
}

/* Reads the header of EXTENT's file. */
static bool
open_sparse(BlkNode *node, VmdkExtent *extent, GError **error)
{
    uint8_t header[VMDK_HEADER_BYTES];

    extent->kind = VMDK_SPARSE;
    if (!fmt_read(node, extent->file, 0, header, sizeof(header), "extent header", error)) {
        return false;
    }
    if (memcmp(header, VMDK_MAGIC, 4) == 0) {
        return open_hosted_sparse(node, extent, header, error);
    }
    if (memcmp(header, VMDK_COWD_MAGIC, 4) == 0) {
        return open_esx_sparse(node, extent, header, error);
    }
    return fmt_set_bad(node, error, 0, "magic", "'%s' is not a sparse extent",
                       extent->file->node->filename);
}

/* ---- extents of a descriptor ---- */

static VmdkExtent *
add_extent(Vmdk *vmdk)
{
    VmdkExtent extent = { .start = vmdk->disk_len };

    g_array_append_val(vmdk->extents, extent);
    return &g_array_index(vmdk->extents, VmdkExtent, vmdk->extents->len - 1);
}

static bool
open_extent_file(BlkNode *node, VmdkExtent *extent, const char *name, GError **error)
{
    g_autofree char *path = blk_path_resolve(node->file->node->filename, name, error);

    if (!path || !fmt_open_beside(node, path, "extent", error)) {
        return false;
    }
    extent->file = g_ptr_array_index(node->children, node->children->len - 1);
    return true;
}

static bool
open_flat(BlkNode *node, VmdkExtent *extent, uint64_t sectors, uint64_t line_at, GError **error)
{
    uint64_t file_len = fmt_file_len(extent->file);

    extent->kind = VMDK_FLAT;
    if (extent->flat_offset > file_len || extent->len > file_len - extent->flat_offset) {
        return fmt_set_bad(node, error, line_at, "extent description",
                           "'%s' has only %" PRIu64 " bytes, the extent needs %" PRIu64 " sectors",
                           extent->file->node->filename, file_len, sectors);
    }
    return true;
}

/* ACCESS SECTORS TYPE "FILE" [OFFSET] */
static bool
open_extent_line(BlkNode *node, const char *line, uint64_t line_at, GError **error)
{
    Vmdk *vmdk = node->state;
    char access[11], type[16], name[512] = "";
    uint64_t sectors, offset = 0, len;
    int fields = sscanf(line, "%10s %" SCNu64 " %15s \"%511[^\n\r\"]\" %" SCNu64, access, &sectors,
                        type, name, &offset);
    bool is_zero = fields >= 3 && strcmp(type, "ZERO") == 0;
    bool is_flat = fields >= 3 && (strcmp(type, "FLAT") == 0 || strcmp(type, "VMFS") == 0);
    VmdkExtent *extent;

    if (fields < 3 || (!is_zero && fields < 4) || sectors == 0 ||
        sectors > INT64_MAX / FMT_SECTOR_BYTES / 4 || offset > INT64_MAX / FMT_SECTOR_BYTES) {
        return fmt_set_bad(node, error, line_at, "extent description", "'%.80s' is not one", line);
    }
    if (!is_zero && !is_flat && strcmp(type, "SPARSE") != 0 && strcmp(type, "VMFSSPARSE") != 0) {
        return fmt_set_bad(node, error, line_at, "extent description",
                           "extents of type '%s' are not supported", type);
    }
    extent = add_extent(vmdk);
    extent->type = g_strdup(type);
    len = sectors * FMT_SECTOR_BYTES;
    if (is_zero) {
        extent->kind = VMDK_ZERO;
        extent->len = len;
        return true;
    }
    if (!open_extent_file(node, extent, name, error)) {
        return false;
    }
    if (is_flat) {
        extent->len = len;
        extent->flat_offset = offset * FMT_SECTOR_BYTES;
        return open_flat(node, extent, sectors, line_at, error);
    }
    if (!open_sparse(node, extent, error)) {
        return false;
    }
    if (extent->len < len) {
        return fmt_set_bad(node, error, line_at, "extent description",
                           "'%s' has only %" PRIu64 " sectors, not %" PRIu64, name,
                           extent->len / FMT_SECTOR_BYTES, sectors);
    }
    extent->len = len;
    return true;
}

static bool
is_extent_line(const char *line)
{
    return g_str_has_prefix(line, "RW ") || g_str_has_prefix(line, "RDONLY ") ||
           g_str_has_prefix(line, "NOACCESS ");
}

static bool
open_extent_lines(BlkNode *node, const char *text, GError **error)
{
    enum { MAX_EXTENTS = 4096 };
    Vmdk *vmdk = node->state;

    for (const char *line = text; line && *line;) {
        const char *next = strchr(line, '\n');
        g_autofree char *copy = g_strndup(line, next ? (size_t)(next - line) : strlen(line));
        g_strchug(copy);
        if (is_extent_line(copy)) {
            if (vmdk->extents->len >= MAX_EXTENTS) {
                return fmt_set_bad(node, error, (uint64_t)(line - text), "extent description",
                                   "there are more than %u", MAX_EXTENTS);
            }
            if (!open_extent_line(node, copy, (uint64_t)(line - text), error)) {
                return false;
            }
            vmdk->disk_len += g_array_index(vmdk->extents, VmdkExtent, vmdk->extents->len - 1).len;
        }
        line = next ? next + 1 : NULL;
    }
    if (vmdk->extents->len == 0) {
        return fmt_set_bad(node, error, 0, "descriptor", "it describes no extents");
    }
    return true;
}

/* ---- images ---- */

/* Ownership: caller. NUL-terminated. */
static char *
read_text(BlkNode *node, uint64_t offset, uint64_t len, GError **error)
{
    char *text = g_malloc0(len + 1);

    if (!fmt_read(node, node->file, offset, text, len, "descriptor", error)) {
        g_clear_pointer(&text, g_free);
    }
    return text;
}

static bool
open_descriptor(BlkNode *node, GError **error)
{
    uint64_t len = fmt_file_len(node->file);
    g_autofree char *text = NULL;

    if (len > VMDK_MAX_DESC_BYTES) {
        return fmt_set_bad(node, error, 0, "descriptor", "%" PRIu64 " bytes are too many", len);
    }
    text = read_text(node, 0, len, error);
    return text && parse_keys(node, text, 0, error) && open_extent_lines(node, text, error);
}

/* One file that is header, descriptor and data. */
static bool
open_monolithic(BlkNode *node, const uint8_t *header, GError **error)
{
    Vmdk *vmdk = node->state;
    uint64_t at = fmt_le64(header + VMDK_AT_DESC_OFFSET),
             len = fmt_le64(header + VMDK_AT_DESC_SIZE);
    g_autofree char *text = NULL;
    VmdkExtent *extent;

    if (memcmp(header, VMDK_MAGIC, 4) == 0 && at > 0) {
        if (at > INT64_MAX / FMT_SECTOR_BYTES || len == 0 ||
            len > VMDK_MAX_DESC_BYTES / FMT_SECTOR_BYTES) {
            return fmt_set_bad(node, error, VMDK_AT_DESC_OFFSET, "descriptor offset",
                               "%" PRIu64 " sectors at %" PRIu64 " are not possible", len, at);
        }
        text = read_text(node, at * FMT_SECTOR_BYTES, len * FMT_SECTOR_BYTES, error);
        if (!text || (*text && !parse_keys(node, text, at * FMT_SECTOR_BYTES, error))) {
            return false;
        }
    }
    extent = add_extent(vmdk);
    extent->file = node->file;
    if (!open_sparse(node, extent, error)) {
        return false;
    }
    vmdk->disk_len = extent->len;
    return true;
}

bool
vmdk_open(BlkNode *node, GError **error)
{
    Vmdk *vmdk = node->state;
    uint8_t header[VMDK_HEADER_BYTES] = { 0 };
    uint64_t len = MIN(fmt_file_len(node->file), sizeof(header));
    bool ok;

    vmdk->map.ops = &vmdk_map_ops;
    vmdk->extents = g_array_new(FALSE, TRUE, sizeof(VmdkExtent));
    vmdk->parent_cid = VMDK_NO_PARENT;
    if (!fmt_read(node, node->file, 0, header, len, "header", error)) {
        return false;
    }
    ok = memcmp(header, VMDK_MAGIC, 4) == 0 || memcmp(header, VMDK_COWD_MAGIC, 4) == 0
             ? open_monolithic(node, header, error)
             : open_descriptor(node, error);
    for (unsigned i = 0; i < vmdk->extents->len; i++) {
        if (g_array_index(vmdk->extents, VmdkExtent, i).is_compressed) {
            vmdk->map.ops = &vmdk_compressed_map_ops;
        }
    }
    return ok;
}

void
vmdk_trim(BlkNode *node)
{
    const Vmdk *vmdk = node->state;

    for (unsigned i = 0; i < vmdk->extents->len; i++) {
        VmdkExtent *extent = &g_array_index(vmdk->extents, VmdkExtent, i);
        fmt_trim_room(extent->file, extent->end, &extent->room_end);
    }
}

void
vmdk_close(BlkNode *node)
{
    Vmdk *vmdk = node->state;

    if (node->opened && !node->read_only) {
        vmdk_trim(node);
    }
    for (unsigned i = 0; vmdk->extents && i < vmdk->extents->len; i++) {
        VmdkExtent *extent = &g_array_index(vmdk->extents, VmdkExtent, i);
        fmt_tables_free(extent->tables);
        g_free(extent->type);
        g_free(extent->gd);
        g_free(extent->rgd);
    }
    g_clear_pointer(&vmdk->extents, g_array_unref);
    fmt_map_clear(&vmdk->map);
    g_free(vmdk->create_type);
}
