/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* qcow images of version 1, read and write, with backing images and compressed clusters.
 *
 * The published description of the format by its author ("The QCOW Image Format", 2006):
 * big-endian, an L1 table of L2 tables of clusters; an entry with bit 63 is a compressed cluster,
 * whose length stands above its place. Clusters are only taken at the end of the file, data before
 * the L2 entry and a new L2 table before the L1 entry, so what a kill leaves is unused room. After
 * a power failure the file reaches to all that the tables name, as it is lengthened ahead.
 * Encrypted images (AES) are refused by name: their cipher gives no protection.
 *
 * Thread: in a fiber; the L1 table is in memory, L2 tables are cached. */

#include "fmt.h"

#include "qcow2.h"

#include <string.h>

enum {
    HEADER_BYTES = 48,
    AT_VERSION = 4,
    AT_BACKING_OFFSET = 8,
    AT_BACKING_LEN = 16,
    AT_SIZE = 24,
    AT_CLUSTER_BITS = 32,
    AT_L2_BITS = 33,
    AT_CRYPT = 36,
    AT_L1 = 40,
    MIN_CLUSTER_BITS = 9,
    MAX_CLUSTER_BITS = 16,
    MIN_L2_BITS = 6,
    MAX_L2_BITS = 13,
    MAX_BACKING_LEN = 1023,
    MAX_L1_BYTES = 64 << 20,
    CACHE_BYTES = 1 << 20,
    CRYPT_AES = 1,
};

#define MAGIC        "QFI\xfb"
#define ENTRY_PACKED (UINT64_C(1) << 63)

typedef struct Qcow {
    FmtMap map;
    uint8_t header[HEADER_BYTES];
    uint64_t *l1; /* big-endian, as in the file */
    FmtTables *l2;
    unsigned cluster_bits, l2_bits;
    uint64_t disk_len, l1_offset, l1_count;
    uint64_t end;      /* what is new goes here */
    uint64_t room_end; /* the file reaches so far, whatever happens */
} Qcow;

static uint64_t
cluster_bytes(const Qcow *qcow)
{
    return UINT64_C(1) << qcow->cluster_bits;
}

static uint32_t
table_bytes(const Qcow *qcow)
{
    return 8u << qcow->l2_bits;
}

/* ---- clusters ---- */

static bool
is_in_file(const BlkNode *node, uint64_t offset, uint64_t len)
{
    const Qcow *qcow = node->state;
    uint64_t file_len = fmt_round_up(fmt_file_len(node->file), cluster_bytes(qcow));

    return offset >= HEADER_BYTES && offset <= file_len && len <= file_len - offset;
}

/* OUT_ENTRY 0 and OUT_LEFT the bytes of its table, where there is none. */
static int
get_entry(BlkNode *node, uint64_t offset, uint64_t *out_entry, uint64_t *out_left)
{
    const Qcow *qcow = node->state;
    uint64_t span = cluster_bytes(qcow) << qcow->l2_bits, in_table = offset & (span - 1);
    uint64_t table = GUINT64_FROM_BE(qcow->l1[offset / span]);
    const uint8_t *bytes;
    int ret;

    *out_entry = 0;
    *out_left = span - in_table;
    if (table == 0) {
        return 0;
    }
    if (!is_in_file(node, table, table_bytes(qcow))) {
        return -EIO;
    }
    ret = fmt_tables_get(node, qcow->l2, node->file, table, &bytes);
    if (ret == 0) {
        *out_entry = fmt_be64(bytes + (in_table >> qcow->cluster_bits) * 8);
        *out_left = cluster_bytes(qcow) - (offset & (cluster_bytes(qcow) - 1));
    }
    return ret;
}

static int
qcow_lookup(BlkNode *node, uint64_t offset, uint64_t len, FmtExtent *out)
{
    const Qcow *qcow = node->state;
    uint64_t in_cluster = offset & (cluster_bytes(qcow) - 1), entry;
    uint64_t place_bits = 63 - qcow->cluster_bits;
    int ret = get_entry(node, offset, &entry, &out->len);

    if (ret < 0 || entry == 0) {
        return ret;
    }
    out->file = node->file;
    if (entry & ENTRY_PACKED) {
        out->kind = FMT_PACKED;
        out->host = entry & ((UINT64_C(1) << place_bits) - 1);
        out->packed_len = entry >> place_bits & (cluster_bytes(qcow) - 1);
        out->block_start = offset - in_cluster;
        out->block_len = cluster_bytes(qcow);
        return is_in_file(node, out->host, 1) ? 0 : -EIO;
    }
    out->kind = FMT_DATA;
    out->host = entry + in_cluster;
    return entry & (cluster_bytes(qcow) - 1) || !is_in_file(node, entry, cluster_bytes(qcow)) ? -EIO
                                                                                              : 0;
}

static int
qcow_unpack(BlkNode *node, const FmtExtent *extent, uint8_t *out)
{
    /* the last one of a file may say more than there is */
    uint64_t len = MIN(extent->packed_len, fmt_file_len(extent->file) - extent->host);
    g_autofree uint8_t *packed = g_try_malloc(MAX(len, 1));
    int ret = packed ? blk_read_buffer(extent->file, extent->host, packed, len) : -ENOMEM;

    return ret < 0 ? ret
                   : qcow2_uncompress(node->context, QCOW2_COMPRESSION_ZLIB, packed, len, out,
                                      extent->block_len);
}

static void
qcow_get_block(BlkNode *node, uint64_t offset, uint64_t *out_start, uint64_t *out_len)
{
    const Qcow *qcow = node->state;

    *out_len = cluster_bytes(qcow);
    *out_start = offset & ~(*out_len - 1);
}

static int
qcow_reserve(BlkNode *node, uint64_t start, FmtRoom *out)
{
    Qcow *qcow = node->state;

    qcow->end = fmt_round_up(qcow->end, cluster_bytes(qcow));
    *out = (FmtRoom){ .file = node->file, .host = qcow->end };
    qcow->end += cluster_bytes(qcow);
    return 0;
}

/* A new table with one entry, whole in the file before the L1 entry says so. */
static int
add_table(BlkNode *node, uint64_t index, uint64_t slot, uint64_t entry)
{
    Qcow *qcow = node->state;
    g_autofree uint8_t *table = g_try_malloc0(table_bytes(qcow));
    uint64_t offset = fmt_round_up(qcow->end, cluster_bytes(qcow));
    uint64_t l1_entry = GUINT64_TO_BE(offset);
    int ret;

    if (!table) {
        return -ENOMEM;
    }
    fmt_put_be64(table + slot * 8, entry);
    qcow->end = offset + table_bytes(qcow);
    ret = fmt_secure_room(node->file, qcow->end, &qcow->room_end);
    ret = ret < 0 ? ret : blk_write_buffer(node->file, offset, table, table_bytes(qcow), 0);
    ret = ret < 0 ? ret : blk_flush(node->file);
    ret =
        ret < 0 ? ret : blk_write_buffer(node->file, qcow->l1_offset + index * 8, &l1_entry, 8, 0);
    if (ret == 0) {
        qcow->l1[index] = l1_entry;
    }
    return ret;
}

static int
set_entry(BlkNode *node, uint64_t start, uint64_t entry)
{
    Qcow *qcow = node->state;
    uint64_t cluster = start >> qcow->cluster_bits, index = cluster >> qcow->l2_bits;
    uint64_t slot = cluster & ((UINT64_C(1) << qcow->l2_bits) - 1);
    uint64_t bytes = GUINT64_TO_BE(entry), table = GUINT64_FROM_BE(qcow->l1[index]);
    int ret = fmt_secure_room(node->file, qcow->end, &qcow->room_end);

    if (ret < 0) {
        return ret;
    }
    return table
               ? fmt_tables_put(node, qcow->l2, node->file, table, (uint32_t)(slot * 8), &bytes, 8)
               : add_table(node, index, slot, entry);
}

static int
qcow_link(BlkNode *node, uint64_t start, const FmtRoom *room)
{
    return set_entry(node, start, room->host);
}

static const FmtMapOps map_ops = { .lookup = qcow_lookup,
                                   .unpack = qcow_unpack,
                                   .get_block = qcow_get_block,
                                   .reserve = qcow_reserve,
                                   .link = qcow_link };

/* ---- compressed writing ---- */

static int
write_packed_locked(BlkNode *node, uint64_t start, const uint8_t *data, uint64_t len)
{
    Qcow *qcow = node->state;
    uint64_t host = fmt_round_up(qcow->end, FMT_SECTOR_BYTES);
    int ret = blk_write_buffer(node->file, host, data, len, 0);

    if (ret < 0) {
        return ret;
    }
    qcow->end = host + len;
    qcow->map.unpacked_len = 0;
    ret = set_entry(node, start, ENTRY_PACKED | host | len << (63 - qcow->cluster_bits));
    qcow->map.unpacked_len = 0;
    return ret;
}

static int
write_cluster(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    Qcow *qcow = node->state;
    uint64_t size = cluster_bytes(qcow);
    g_autofree uint8_t *in = g_malloc0(size), *out = g_malloc(size);
    int ret;

    blk_vec_gather(vec, at, in, len);
    ret = qcow2_compress(node->context, QCOW2_COMPRESSION_ZLIB, in, size, out, size - 1);
    if (ret < 0) {
        return ret;
    }
    if (ret == 0) {
        return fmt_map_write(node, offset, len, vec, at, 0);
    }
    fmt_lock(node, &qcow->map.lock);
    ret = write_packed_locked(node, offset, out, (uint64_t)ret);
    fmt_unlock(node, &qcow->map.lock);
    return ret;
}

static int
qcow_write_compressed(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    const Qcow *qcow = node->state;
    uint64_t mask = cluster_bytes(qcow) - 1;
    int ret = 0;

    if (offset & mask || (len & mask && offset + len != qcow->disk_len)) {
        return -EINVAL;
    }
    while (len > 0 && ret == 0) {
        uint64_t piece = MIN(len, mask + 1);
        ret = write_cluster(node, offset, piece, vec, at);
        offset += piece;
        at += piece;
        len -= piece;
    }
    return ret;
}

/* ---- opening ---- */

static bool
parse_sizes(BlkNode *node, GError **error)
{
    Qcow *qcow = node->state;
    uint64_t span;

    qcow->cluster_bits = qcow->header[AT_CLUSTER_BITS];
    qcow->l2_bits = qcow->header[AT_L2_BITS];
    qcow->disk_len = fmt_be64(qcow->header + AT_SIZE);
    if (qcow->cluster_bits < MIN_CLUSTER_BITS || qcow->cluster_bits > MAX_CLUSTER_BITS) {
        return fmt_set_bad(node, error, AT_CLUSTER_BITS, "cluster bits", "%u is not from 9 to 16",
                           qcow->cluster_bits);
    }
    if (qcow->l2_bits < MIN_L2_BITS || qcow->l2_bits > MAX_L2_BITS) {
        return fmt_set_bad(node, error, AT_L2_BITS, "L2 bits", "%u is not from 6 to 13",
                           qcow->l2_bits);
    }
    span = cluster_bytes(qcow) << qcow->l2_bits;
    if (qcow->disk_len > INT64_MAX - span || fmt_div_up(qcow->disk_len, span) > MAX_L1_BYTES / 8) {
        return fmt_set_bad(node, error, AT_SIZE, "image size",
                           "%" PRIu64 " would need an L1 table of more than 64 MiB",
                           qcow->disk_len);
    }
    qcow->l1_count = fmt_div_up(qcow->disk_len, span);
    return true;
}

static bool
parse_header(BlkNode *node, GError **error)
{
    Qcow *qcow = node->state;
    const uint8_t *header = qcow->header;
    uint32_t version = fmt_be32(header + AT_VERSION), crypt = fmt_be32(header + AT_CRYPT);

    if (memcmp(header, MAGIC, 4) != 0) {
        return fmt_set_bad(node, error, 0, "magic", "this is not a qcow image");
    }
    if (version != 1) {
        return fmt_set_bad(node, error, AT_VERSION, "version", "%u is not that of qcow", version);
    }
    if (crypt == CRYPT_AES) {
        return fmt_set_bad(node, error, AT_CRYPT, "encryption",
                           "images encrypted this way are not supported; convert it with qemu-img "
                           "to a qcow2 image with encrypt.format=luks");
    }
    if (crypt != 0) {
        return fmt_set_bad(node, error, AT_CRYPT, "encryption", "method %u is not known", crypt);
    }
    if (!parse_sizes(node, error)) {
        return false;
    }
    qcow->l1_offset = fmt_be64(header + AT_L1);
    if (qcow->l1_offset < HEADER_BYTES || qcow->l1_offset > fmt_file_len(node->file) ||
        qcow->l1_count * 8 > fmt_file_len(node->file) - qcow->l1_offset) {
        return fmt_set_bad(node, error, AT_L1, "L1 table offset",
                           "the table at 0x%" PRIx64 " does not lie in the file", qcow->l1_offset);
    }
    return true;
}

static bool
read_backing_name(BlkNode *node, GError **error)
{
    const Qcow *qcow = node->state;
    uint64_t offset = fmt_be64(qcow->header + AT_BACKING_OFFSET);
    uint32_t len = fmt_be32(qcow->header + AT_BACKING_LEN);

    if (offset == 0) {
        return true;
    }
    if (len == 0 || len > MAX_BACKING_LEN) {
        return fmt_set_bad(node, error, AT_BACKING_LEN, "backing file name",
                           "%u bytes are not from 1 to %u", len, MAX_BACKING_LEN);
    }
    node->backing_file = g_malloc0(len + 1);
    return fmt_read(node, node->file, offset, node->backing_file, len, "backing file name", error);
}

static bool
qcow_open(BlkNode *node, GError **error)
{
    Qcow *qcow = node->state;
    uint64_t l1_bytes;

    qcow->map.ops = &map_ops;
    if (!fmt_read(node, node->file, 0, qcow->header, HEADER_BYTES, "header", error) ||
        !parse_header(node, error) || !read_backing_name(node, error)) {
        return false;
    }
    l1_bytes = qcow->l1_count * 8;
    qcow->l1 = g_try_malloc0(MAX(l1_bytes, 8));
    qcow->l2 = fmt_tables_new(table_bytes(qcow), CACHE_BYTES / table_bytes(qcow));
    qcow->end = MAX(fmt_file_len(node->file), qcow->l1_offset + l1_bytes);
    if (!qcow->l1) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY, "'%s': there is not enough memory.",
                    node->filename);
        return false;
    }
    return l1_bytes == 0 ||
           fmt_read(node, node->file, qcow->l1_offset, qcow->l1, l1_bytes, "L1 table", error);
}

static void
qcow_close(BlkNode *node)
{
    Qcow *qcow = node->state;

    if (node->opened && !node->read_only) {
        fmt_trim_room(node->file, qcow->end, &qcow->room_end);
    }
    fmt_map_clear(&qcow->map);
    fmt_tables_free(qcow->l2);
    g_free(qcow->l1);
}

static bool
qcow_set_read_only(BlkNode *node, bool read_only, GError **error)
{
    Qcow *qcow = node->state;

    if (read_only) {
        fmt_trim_room(node->file, qcow->end, &qcow->room_end);
    }
    return true;
}

static int64_t
qcow_get_len(BlkNode *node)
{
    const Qcow *qcow = node->state;

    return (int64_t)qcow->disk_len;
}

static int
qcow_probe(const uint8_t *buf, size_t len, const char *filename)
{
    return len >= HEADER_BYTES && memcmp(buf, MAGIC, 4) == 0 && fmt_be32(buf + AT_VERSION) == 1
               ? 100
               : 0;
}

static void
qcow_get_info(BlkNode *node, BlkFormatInfo *out)
{
    *out = (BlkFormatInfo){ .cluster_bytes = (uint32_t)cluster_bytes(node->state) };
}

/* ---- new images ---- */

typedef struct QcowCreate {
    uint64_t size;
    char *backing_file, *backing_fmt;
    bool nocow;
} QcowCreate;

/* Small clusters where much will come from a backing image. */
static bool
fill_image(BlkChild *file, const void *opaque, GError **error)
{
    const QcowCreate *create = opaque;
    size_t name_len = create->backing_file ? strlen(create->backing_file) : 0;
    unsigned cluster_bits = name_len ? 9 : 12, l2_bits = name_len ? 12 : 9;
    uint64_t size = fmt_round_up(create->size, FMT_SECTOR_BYTES);
    uint64_t count = fmt_div_up(size, UINT64_C(1) << (cluster_bits + l2_bits));
    uint64_t l1_offset = fmt_round_up(HEADER_BYTES + name_len, 8);
    uint64_t len = fmt_round_up(l1_offset + count * 8, FMT_SECTOR_BYTES);
    g_autofree uint8_t *buf = g_try_malloc0(len);

    if (!buf) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_NO_MEMORY, "qcow: there is not enough memory.");
        return false;
    }
    memcpy(buf, MAGIC, 4);
    fmt_put_be32(buf + AT_VERSION, 1);
    fmt_put_be64(buf + AT_SIZE, size);
    buf[AT_CLUSTER_BITS] = cluster_bits;
    buf[AT_L2_BITS] = l2_bits;
    fmt_put_be64(buf + AT_L1, l1_offset);
    if (name_len) {
        fmt_put_be64(buf + AT_BACKING_OFFSET, HEADER_BYTES);
        fmt_put_be32(buf + AT_BACKING_LEN, (uint32_t)name_len);
        memcpy(buf + HEADER_BYTES, create->backing_file, name_len);
    }
    return fmt_write(file, 0, buf, len, error);
}

static bool
qcow_create(BlkGraph *graph, const char *filename, const void *state, GError **error)
{
    const QcowCreate *create = state;

    if (create->backing_file && strlen(create->backing_file) > MAX_BACKING_LEN) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "qcow: the name of the backing file has more than %u bytes.", MAX_BACKING_LEN);
        return false;
    }
    if (create->size > (uint64_t)MAX_L1_BYTES / 8 << 21) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "qcow: a disk of %" PRIu64
                    " bytes is too large; this format has at most 16 TiB.",
                    create->size);
        return false;
    }
    return fmt_create_file(graph, filename, create->nocow, fill_image, create, NULL, error);
}

static const VitProp create_options[] = {
    VIT_PROP_SIZE(QcowCreate, size, "size", 0, 0, INT64_MAX, VIT_N_("Virtual disk size"),
                  .flags = VIT_PROP_REQUIRED),
    VIT_PROP_STRING(QcowCreate, backing_file, "backing_file", NULL,
                    VIT_N_("File name of a base image")),
    VIT_PROP_STRING(QcowCreate, backing_fmt, "backing_fmt", NULL,
                    VIT_N_("Image format of the base image")),
    VIT_PROP_BOOL(QcowCreate, nocow, "nocow", 0, VIT_N_("Turn off copy-on-write of the file")),
    { 0 }
};

static const BlkChildSlot slots[] = {
    { .name = "file", .required = true },
    { .name = "backing", .probe = true },
    { 0 },
};

static const BlkFormatOps format_ops = { .get_info = qcow_get_info,
                                         .write_compressed = qcow_write_compressed };

const BlkDriver blk_qcow_driver = {
    .name = "qcow",
    .title = VIT_N_("QEMU copy-on-write, version 1"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(Qcow),
    .slots = slots,
    .create_options = create_options,
    .create_size = sizeof(QcowCreate),
    .probe = qcow_probe,
    .open = qcow_open,
    .close = qcow_close,
    .set_read_only = qcow_set_read_only,
    .read = fmt_map_read,
    .write = fmt_map_write,
    .write_zeroes = fmt_map_write_zeroes,
    .get_len = qcow_get_len,
    .status = fmt_map_status,
    .create = qcow_create,
    .format = &format_ops,
};
