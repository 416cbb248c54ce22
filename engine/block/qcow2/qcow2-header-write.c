/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The header of a qcow2 image: writing it.
 *
 * A sector is what a disk writes whole or not at all, so only the first sector may decide. When
 * more changes (names, extensions), what lies behind it is written where nothing refers to it yet,
 * and made stable, before the first sector is:
 *   - a backing file's name never takes the place of the one there is,
 *   - the table of feature names, which is for messages only and the last extension, is taken out
 *     of the extensions first when it reaches beyond the sector.
 * What other programs have put behind the first sector in another order than this is not safe in
 * that moment.
 *
 * Specification: docs/interop/qcow2, "Header", "Header extensions", "Feature name table".
 * Thread: in a fiber. */

#include "qcow2.h"

#include <string.h>

enum { FEATURE_ROW_BYTES = 48 };

/* Written to v3 images for the sake of other programs' messages. */
static const struct {
    uint8_t type, bit;
    const char *name;
} known_features[] = {
    { 0, 0, "dirty bit" },        { 0, 1, "corrupt bit" },         { 0, 2, "external data file" },
    { 0, 3, "compression type" }, { 0, 4, "extended L2 entries" }, { 1, 0, "lazy refcounts" },
    { 2, 0, "bitmaps" },          { 2, 1, "raw external data" },
};

static void
fill_fields(const Qcow2 *q, uint8_t *buf)
{
    fmt_put_be32(buf + QCOW2_AT_MAGIC, QCOW2_MAGIC);
    fmt_put_be32(buf + QCOW2_AT_VERSION, q->version);
    fmt_put_be32(buf + QCOW2_AT_CLUSTER_BITS, q->cluster_bits);
    fmt_put_be64(buf + QCOW2_AT_SIZE, q->size);
    fmt_put_be32(buf + QCOW2_AT_CRYPT_METHOD, q->crypt_method);
    fmt_put_be32(buf + QCOW2_AT_L1_SIZE, q->l1_size);
    fmt_put_be64(buf + QCOW2_AT_L1_TABLE_OFFSET, q->l1_offset);
    fmt_put_be64(buf + QCOW2_AT_REFCOUNT_TABLE_OFFSET, q->reftable_offset);
    fmt_put_be32(buf + QCOW2_AT_REFCOUNT_TABLE_CLUSTERS, q->reftable_clusters);
    fmt_put_be32(buf + QCOW2_AT_NB_SNAPSHOTS, q->snapshots ? q->snapshots->len : 0);
    fmt_put_be64(buf + QCOW2_AT_SNAPSHOTS_OFFSET, q->snapshots_offset);
    if (q->version >= 3) {
        fmt_put_be64(buf + QCOW2_AT_INCOMPATIBLE_FEATURES, q->incompatible);
        fmt_put_be64(buf + QCOW2_AT_COMPATIBLE_FEATURES, q->compatible);
        fmt_put_be64(buf + QCOW2_AT_AUTOCLEAR_FEATURES, q->autoclear);
        fmt_put_be32(buf + QCOW2_AT_REFCOUNT_ORDER, q->refcount_order);
        fmt_put_be32(buf + QCOW2_AT_HEADER_LENGTH, QCOW2_HEADER_BYTES);
        buf[QCOW2_AT_COMPRESSION_TYPE] = (uint8_t)q->compression_type;
    }
}

typedef struct Fill {
    uint8_t *buf;
    uint64_t at, end;
    uint64_t keep_from, keep_to; /* the name there is */
    bool ok;
} Fill;

static uint8_t *
add_extension(Fill *fill, uint32_t type, const void *data, uint32_t len)
{
    uint64_t room = 8 + (((uint64_t)len + 7) & ~UINT64_C(7));
    uint8_t *body;

    if (!fill->ok || room > fill->end - fill->at) {
        fill->ok = false;
        return NULL;
    }
    fmt_put_be32(fill->buf + fill->at, type);
    fmt_put_be32(fill->buf + fill->at + 4, len);
    body = fill->buf + fill->at + 8;
    if (data) {
        memcpy(body, data, len);
    }
    fill->at += room;
    return body;
}

static void
add_string_extension(Fill *fill, uint32_t type, const char *text)
{
    if (text) {
        add_extension(fill, type, text, (uint32_t)strlen(text));
    }
}

/* Left out where there is no room: it only serves messages. */
static void
add_feature_names(Fill *fill, uint64_t keep_bytes)
{
    uint8_t rows[G_N_ELEMENTS(known_features) * FEATURE_ROW_BYTES] = { 0 };

    if (fill->end - fill->at < sizeof(rows) + 16 + keep_bytes ||
        (fill->at < fill->keep_to && fill->at + sizeof(rows) + 16 > fill->keep_from)) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(known_features); i++) {
        uint8_t *row = rows + (size_t)i * FEATURE_ROW_BYTES;
        row[0] = known_features[i].type;
        row[1] = known_features[i].bit;
        memcpy(row + 2, known_features[i].name, strlen(known_features[i].name));
    }
    add_extension(fill, QCOW2_EXT_FEATURE_NAMES, rows, sizeof(rows));
}

static void
add_pointer_extensions(const Qcow2 *q, Fill *fill)
{
    uint8_t data[24] = { 0 };

    if (q->crypto_len) {
        fmt_put_be64(data, q->crypto_offset);
        fmt_put_be64(data + 8, q->crypto_len);
        add_extension(fill, QCOW2_EXT_CRYPTO, data, 16);
    }
    if (q->bitmap_count) {
        memset(data, 0, sizeof(data));
        fmt_put_be32(data, q->bitmap_count);
        fmt_put_be64(data + 8, q->bitmap_dir_bytes);
        fmt_put_be64(data + 16, q->bitmap_dir_offset);
        add_extension(fill, QCOW2_EXT_BITMAPS, data, 24);
    }
}

static bool
add_backing_name(Fill *fill, const char *name)
{
    size_t len = name ? strlen(name) : 0;

    if (len == 0) {
        return true;
    }
    if (fill->at < fill->keep_to && fill->at + len > fill->keep_from &&
        len <= fill->end - MIN(fill->keep_to, fill->end)) {
        fill->at = fill->keep_to;
    }
    if (len > QCOW2_MAX_BACKING_NAME || len > fill->end - fill->at) {
        return false;
    }
    fmt_put_be64(fill->buf + QCOW2_AT_BACKING_FILE_OFFSET, fill->at);
    fmt_put_be32(fill->buf + QCOW2_AT_BACKING_FILE_SIZE, (uint32_t)len);
    memcpy(fill->buf + fill->at, name, len);
    return true;
}

static bool
fill_all(const Qcow2 *q, const char *backing_file, const char *backing_format, Fill *fill)
{
    memset(fill->buf, 0, q->cluster_bytes);
    fill->at = q->version >= 3 ? QCOW2_HEADER_BYTES : QCOW2_V2_HEADER_BYTES;
    fill->end = q->cluster_bytes;
    fill->ok = true;
    fill_fields(q, fill->buf);
    add_string_extension(fill, (uint32_t)QCOW2_EXT_BACKING_FORMAT,
                         backing_file ? backing_format : NULL);
    add_string_extension(fill, QCOW2_EXT_DATA_FILE,
                         qcow2_has_data_file(q) ? q->data_file_name : NULL);
    add_pointer_extensions(q, fill);
    for (unsigned i = 0; q->extensions && i < q->extensions->len; i++) {
        const Qcow2Extension *extension = &g_array_index(q->extensions, Qcow2Extension, i);
        add_extension(fill, extension->type, extension->data, extension->len);
    }
    if (q->version >= 3 && fill->ok) {
        add_feature_names(fill, 8 + (backing_file ? strlen(backing_file) : 0));
    }
    add_extension(fill, QCOW2_EXT_END, NULL, 0);
    return fill->ok && add_backing_name(fill, backing_file);
}

bool
qcow2_fill_header(const Qcow2 *q, const char *backing_file, const char *backing_format,
                  uint8_t *buf)
{
    Fill fill = { .buf = buf };

    return fill_all(q, backing_file, backing_format, &fill);
}

/* ---- from the old header to the new one ---- */

/* The first sector of OLD without its table of feature names, where the rest of its extensions fits
 * into that. */
static bool
drop_feature_names(const Qcow2 *q, const uint8_t *old, uint8_t *sector)
{
    uint64_t at = q->version >= 3 ? fmt_be32(old + QCOW2_AT_HEADER_LENGTH) : QCOW2_V2_HEADER_BYTES;
    Fill fill = { .buf = sector, .at = at, .end = QCOW2_SECTOR_BYTES, .ok = true };

    if (at < QCOW2_V2_HEADER_BYTES || at > QCOW2_SECTOR_BYTES) {
        return false;
    }
    memcpy(sector, old, QCOW2_SECTOR_BYTES); /* a name may lie there, too */
    while (fill.ok && at + 8 <= q->cluster_bytes && fmt_be32(old + at) != QCOW2_EXT_END) {
        uint32_t type = fmt_be32(old + at), len = fmt_be32(old + at + 4);
        if (len > q->cluster_bytes - at - 8) {
            return false;
        }
        if (type != QCOW2_EXT_FEATURE_NAMES) {
            add_extension(&fill, type, old + at + 8, len);
        }
        at += 8 + (((uint64_t)len + 7) & ~UINT64_C(7));
    }
    add_extension(&fill, QCOW2_EXT_END, NULL, 0);
    return fill.ok;
}

static int
write_header_sector(BlkNode *node, const uint8_t *sector)
{
    int ret = blk_flush(node->file);

    return ret < 0 ? ret : qcow2_write_meta(node, 0, sector, QCOW2_SECTOR_BYTES, QCOW2_OL_HEADER);
}

static int
replace_header(BlkNode *node, const uint8_t *old, const uint8_t *new_header)
{
    const Qcow2 *q = node->state;
    uint8_t sector[QCOW2_SECTOR_BYTES];
    uint32_t rest = q->cluster_bytes - QCOW2_SECTOR_BYTES;
    int ret = 0;

    if (memcmp(old + QCOW2_SECTOR_BYTES, new_header + QCOW2_SECTOR_BYTES, rest) != 0) {
        if (drop_feature_names(q, old, sector) && memcmp(sector, old, sizeof(sector)) != 0) {
            ret = write_header_sector(node, sector);
        }
        ret = ret < 0 ? ret : blk_flush(node->file);
        ret = ret < 0 ? ret
                      : qcow2_write_meta(node, QCOW2_SECTOR_BYTES, new_header + QCOW2_SECTOR_BYTES,
                                         rest, QCOW2_OL_HEADER);
    }
    return ret < 0 ? ret : write_header_sector(node, new_header);
}

int
qcow2_write_header(BlkNode *node)
{
    return qcow2_write_header_with(node, node->backing_file, node->backing_format);
}

int
qcow2_write_header_with(BlkNode *node, const char *backing_file, const char *backing_format)
{
    Qcow2 *q = node->state;
    g_autofree uint8_t *old = g_malloc0(q->cluster_bytes), *buf = g_malloc(q->cluster_bytes);
    Fill fill = { .buf = buf };
    int ret = blk_read_buffer(node->file, 0, old, q->cluster_bytes);

    if (ret < 0) {
        return ret;
    }
    /* As far as it reaches beyond the first sector. */
    fill.keep_from = MAX(fmt_be64(old + QCOW2_AT_BACKING_FILE_OFFSET), QCOW2_SECTOR_BYTES);
    fill.keep_to =
        fmt_be64(old + QCOW2_AT_BACKING_FILE_OFFSET) + fmt_be32(old + QCOW2_AT_BACKING_FILE_SIZE);
    if (fill.keep_to > q->cluster_bytes || fill.keep_to <= fill.keep_from) {
        fill.keep_from = fill.keep_to = 0;
    }
    if (!fill_all(q, backing_file, backing_format, &fill)) {
        return -ENOSPC;
    }
    if (fill.at <= fill.keep_from || fmt_be64(buf + QCOW2_AT_BACKING_FILE_OFFSET) >= fill.keep_to) {
        memcpy(buf + fill.keep_from, old + fill.keep_from, fill.keep_to - fill.keep_from);
    }
    q->header_length = q->version >= 3 ? QCOW2_HEADER_BYTES : QCOW2_V2_HEADER_BYTES;
    return replace_header(node, old, buf);
}

int
qcow2_update_header(BlkNode *node)
{
    Qcow2 *q = node->state;
    uint8_t old[QCOW2_HEADER_BYTES], buf[QCOW2_HEADER_BYTES] = { 0 };
    /* The fields of an older header end earlier, extensions follow at once. */
    uint32_t len = MIN(q->header_length, QCOW2_HEADER_BYTES);
    int ret = blk_read_buffer(node->file, 0, old, len);

    if (ret < 0) {
        return ret;
    }
    memcpy(buf, old, len);
    fill_fields(q, buf);
    if (q->version >= 3) {
        fmt_put_be32(buf + QCOW2_AT_HEADER_LENGTH, q->header_length);
    }
    return qcow2_write_meta(node, 0, buf, len, QCOW2_OL_HEADER);
}

int
qcow2_change_incompatible(BlkNode *node, uint64_t set, uint64_t clear)
{
    Qcow2 *q = node->state;
    uint64_t old = q->incompatible;
    int ret = blk_flush(node->file);

    q->incompatible = (old | set) & ~clear;
    if (ret == 0 && q->incompatible != old) {
        ret = qcow2_update_header(node);
        ret = ret < 0 ? ret : blk_flush(node->file);
    }
    if (ret < 0) {
        q->incompatible = old;
    }
    return ret;
}
