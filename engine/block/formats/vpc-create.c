/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* New VHD images, and the names of parents. A disk's size is rounded up to what a geometry can say,
 * unless it is larger than any can or force_size is on. Specification: "CHS Calculation" and
 * "Parent Locator" of the format's description. Thread: in a fiber. */

#include "vpc.h"

#include <string.h>
#include <time.h>

enum { BLOCK_BYTES = 2 << 20, DYN_AT = 512, TABLE_AT = 1536, EPOCH_S = 946684800 };

typedef struct Geometry {
    uint32_t cylinders, heads, sectors;
} Geometry;

static uint64_t
geometry_sectors(const Geometry *geometry)
{
    return (uint64_t)geometry->cylinders * geometry->heads * geometry->sectors;
}

static Geometry
find_geometry(uint64_t total)
{
    uint64_t tracks;
    Geometry geometry;

    total = MIN(total, VPC_MAX_CHS_SECTORS);
    if (total >= 65535 * 16 * 63) {
        geometry = (Geometry){ .heads = 16, .sectors = 255 };
        tracks = total / 255;
    } else {
        geometry.sectors = 17;
        tracks = total / 17;
        geometry.heads = (uint32_t)MAX((tracks + 1023) / 1024, 4);
        if (tracks >= geometry.heads * 1024 || geometry.heads > 16) {
            geometry = (Geometry){ .heads = 16, .sectors = 31 };
            tracks = total / 31;
        }
        if (tracks >= geometry.heads * 1024) {
            geometry = (Geometry){ .heads = 16, .sectors = 63 };
            tracks = total / 63;
        }
    }
    geometry.cylinders = (uint32_t)(tracks / geometry.heads);
    return geometry;
}

/* The smallest geometry that has as many sectors, and what it makes of the size. */
static bool
choose_size(const VpcCreate *create, Geometry *geometry, uint64_t *sectors, GError **error)
{
    uint64_t wanted = fmt_div_up(create->size, FMT_SECTOR_BYTES);
    uint64_t total = MIN(wanted, VPC_MAX_CHS_SECTORS);

    if (wanted > VPC_MAX_SECTORS) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "vpc: a disk of %" PRIu64 " bytes is too large; the format has at most 2040 "
                    "GiB.",
                    create->size);
        return false;
    }
    *sectors = wanted;
    *geometry = (Geometry){ .cylinders = 65535, .heads = 16, .sectors = 255 };
    if (create->force_size) {
        return true;
    }
    do {
        *geometry = find_geometry(total++);
    } while (geometry_sectors(geometry) < wanted &&
             geometry_sectors(geometry) < VPC_MAX_CHS_SECTORS);
    if (geometry_sectors(geometry) < VPC_MAX_CHS_SECTORS) {
        *sectors = geometry_sectors(geometry);
    }
    return true;
}

static void
fill_footer(uint8_t *footer, const VpcCreate *create, const Geometry *geometry, uint64_t sectors,
            uint32_t type)
{
    memset(footer, 0, VPC_FOOTER_BYTES);
    memcpy(footer, "conectix", 8);
    fmt_put_be32(footer + VPC_AT_FEATURES, 2);
    fmt_put_be32(footer + VPC_AT_VERSION, 0x00010000);
    fmt_put_be64(footer + VPC_AT_DATA, type == VPC_FIXED ? UINT64_MAX : DYN_AT);
    fmt_put_be32(footer + VPC_AT_TIME, (uint32_t)(time(NULL) - EPOCH_S));
    /* A name that readers know to mean the size rather than the geometry. */
    memcpy(footer + VPC_AT_CREATOR, create->force_size ? "qem2" : "vitr", 4);
    fmt_put_be32(footer + VPC_AT_CREATOR_VERSION, 0x00050003);
    memcpy(footer + VPC_AT_HOST, "Wi2k", 4);
    fmt_put_be64(footer + VPC_AT_ORIGINAL_SIZE, sectors * FMT_SECTOR_BYTES);
    fmt_put_be64(footer + VPC_AT_CURRENT_SIZE, sectors * FMT_SECTOR_BYTES);
    fmt_put_be16(footer + VPC_AT_CYLINDERS, (uint16_t)geometry->cylinders);
    footer[VPC_AT_HEADS] = (uint8_t)geometry->heads;
    footer[VPC_AT_SECTORS] = (uint8_t)geometry->sectors;
    fmt_put_be32(footer + VPC_AT_TYPE, type);
    fmt_put_uuid(footer + VPC_AT_UUID);
    fmt_put_be32(footer + VPC_AT_CHECKSUM, vpc_checksum(footer, VPC_FOOTER_BYTES, VPC_AT_CHECKSUM));
}

static bool
fill_fixed(BlkChild *file, const VpcCreate *create, const uint8_t *footer, uint64_t len,
           GError **error)
{
    return blk_truncate(file, len, (BlkPreallocation)create->preallocation, error) &&
           fmt_write(file, len, footer, VPC_FOOTER_BYTES, error);
}

static bool
fill_dynamic(BlkChild *file, const uint8_t *footer, uint64_t len, GError **error)
{
    uint32_t entries = (uint32_t)fmt_div_up(len, BLOCK_BYTES);
    size_t table = (size_t)fmt_round_up(MAX(entries, 1) * UINT64_C(4), FMT_SECTOR_BYTES);
    g_autofree uint8_t *buf = g_malloc0(TABLE_AT + table + VPC_FOOTER_BYTES);
    uint8_t *header = buf + DYN_AT;

    memcpy(buf, footer, VPC_FOOTER_BYTES);
    memcpy(header, "cxsparse", 8);
    fmt_put_be64(header + VPC_DYN_AT_DATA, UINT64_MAX);
    fmt_put_be64(header + VPC_DYN_AT_TABLE, TABLE_AT);
    fmt_put_be32(header + VPC_DYN_AT_VERSION, 0x00010000);
    fmt_put_be32(header + VPC_DYN_AT_ENTRIES, entries);
    fmt_put_be32(header + VPC_DYN_AT_BLOCK_SIZE, BLOCK_BYTES);
    fmt_put_be32(header + VPC_DYN_AT_CHECKSUM,
                 vpc_checksum(header, VPC_DYN_BYTES, VPC_DYN_AT_CHECKSUM));
    memset(buf + TABLE_AT, 0xff, table);
    memcpy(buf + TABLE_AT + table, footer, VPC_FOOTER_BYTES);
    return fmt_write(file, 0, buf, TABLE_AT + table + VPC_FOOTER_BYTES, error);
}

static bool
fill_image(BlkChild *file, const void *opaque, GError **error)
{
    const VpcCreate *create = opaque;
    uint32_t type = create->subformat == 0 ? VPC_DYNAMIC : VPC_FIXED;
    uint8_t footer[VPC_FOOTER_BYTES];
    Geometry geometry;
    uint64_t sectors;

    if (!choose_size(create, &geometry, &sectors, error)) {
        return false;
    }
    fill_footer(footer, create, &geometry, sectors, type);
    return type == VPC_FIXED ? fill_fixed(file, create, footer, sectors * FMT_SECTOR_BYTES, error)
                             : fill_dynamic(file, footer, sectors * FMT_SECTOR_BYTES, error);
}

bool
vpc_create(BlkGraph *graph, const char *filename, const void *state, GError **error)
{
    const VpcCreate *create = state;

    if (create->subformat == 0 && create->preallocation != BLK_PREALLOC_OFF) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "vpc: preallocation needs subformat=fixed.");
        return false;
    }
    return fmt_create_file(graph, filename, create->nocow, fill_image, create, NULL, error);
}

/* ---- parents ---- */

/* A name in UTF-16 as a path here: with slashes, seen from the folder of the image. */
static char *
path_from_utf16(const uint8_t *bytes, size_t len, const char *charset)
{
    g_autofree char *text =
        g_convert((const char *)bytes, (gssize)len, "UTF-8", charset, NULL, NULL, NULL);

    if (!text || !*text) {
        return NULL;
    }
    g_strdelimit(text, "\\", '/');
    return g_strdup(g_str_has_prefix(text, "./") ? text + 2 : text);
}

static char *
dup_located_name(BlkNode *node, const uint8_t *locator, GError **error)
{
    enum { MAX_BYTES = 64 * 1024, RELATIVE = 0x57327275 /* W2ru */ };
    uint32_t len = fmt_be32(locator + 8);
    uint64_t at = fmt_be64(locator + 16);
    g_autofree uint8_t *bytes = NULL;

    if (fmt_be32(locator) != RELATIVE || len == 0 || len > MAX_BYTES) {
        return NULL;
    }
    bytes = g_malloc(len);
    return fmt_read(node, node->file, at, bytes, len, "parent locator", error)
               ? path_from_utf16(bytes, len / 2 * 2, "UTF-16LE")
               : NULL;
}

char *
vpc_dup_parent_name(BlkNode *node, const uint8_t *header, GError **error)
{
    const uint8_t *bytes = header + VPC_DYN_AT_PARENT_NAME;
    size_t len = 0;
    char *name = NULL;

    for (unsigned i = 0; i < VPC_DYN_LOCATORS && !name; i++) {
        GError *cause = NULL;
        name = dup_located_name(
            node, header + VPC_DYN_AT_LOCATORS + (size_t)i * VPC_DYN_LOCATOR_BYTES, &cause);
        if (cause) {
            g_propagate_error(error, cause);
            return NULL;
        }
    }
    while (len < VPC_DYN_PARENT_NAME_BYTES && (bytes[len] || bytes[len + 1])) {
        len += 2;
    }
    if (!name) {
        name = path_from_utf16(bytes, len, "UTF-16BE");
    }
    if (!name) {
        fmt_set_bad(node, error, fmt_be64(header + VPC_DYN_AT_DATA) + VPC_DYN_AT_PARENT_NAME,
                    "parent name", "it is missing or not text");
    }
    return name;
}

static const char *const subformat_words[] = { "dynamic", "fixed", NULL };
static const char *const preallocation_words[] = { "off", "metadata", "falloc", "full", NULL };

const VitProp vpc_create_options[] = {
    VIT_PROP_SIZE(VpcCreate, size, "size", 0, 0, INT64_MAX, VIT_N_("Virtual disk size"),
                  .flags = VIT_PROP_REQUIRED),
    VIT_PROP_ENUM(VpcCreate, subformat, "subformat", subformat_words, 0,
                  VIT_N_("Type of virtual hard disk format: dynamic or fixed")),
    VIT_PROP_BOOL(VpcCreate, force_size, "force_size", 0,
                  VIT_N_("Keep the size as it is rather than rounding it up to a geometry")),
    VIT_PROP_ENUM(VpcCreate, preallocation, "preallocation", preallocation_words, BLK_PREALLOC_OFF,
                  VIT_N_("Reserve space on the host now, with subformat=fixed")),
    VIT_PROP_BOOL(VpcCreate, nocow, "nocow", 0, VIT_N_("Turn off copy-on-write of the file")),
    { 0 }
};
