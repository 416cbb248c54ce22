/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* QED images, read and write, with backing images, zero clusters, growing, check and repair.
 *
 * Specification: docs/interop/qed_spec (little-endian). The need-check bit is set, and stable,
 * before the first write and taken away when the image is closed; an image that still has it is
 * checked and repaired when it is opened for writing. Clusters are only taken at the end of the
 * file, data before the L2 entry and a new L2 table before the L1 entry, so what a kill leaves is
 * unused clusters.
 *
 * Thread: in a fiber; the L1 table is in memory, L2 tables are cached. */

#include "fmt.h"

#include <string.h>

enum {
    HEADER_BYTES = 64,
    AT_CLUSTER_SIZE = 4,
    AT_TABLE_SIZE = 8,
    AT_HEADER_SIZE = 12,
    AT_FEATURES = 16,
    AT_COMPAT = 24,
    AT_AUTOCLEAR = 32,
    AT_L1 = 40,
    AT_IMAGE_SIZE = 48,
    AT_BACKING_OFFSET = 56,
    AT_BACKING_LEN = 60,
    F_BACKING_FILE = 1,
    F_NEED_CHECK = 2,
    F_BACKING_RAW = 4,
    F_KNOWN = 7,
    MIN_CLUSTER_BYTES = 4096,
    MAX_CLUSTER_BYTES = 64 << 20,
    MAX_TABLE_CLUSTERS = 16,
    MAX_BACKING_LEN = 1023,
    CACHE_BYTES = 4 << 20,
    ENTRY_ZERO = 1,
};

#define MAGIC "QED"

typedef struct Qed {
    FmtMap map;
    uint8_t header[HEADER_BYTES];
    uint64_t *l1; /* little-endian, as in the file */
    FmtTables *l2;
    uint32_t cluster_bytes, table_bytes;
    uint64_t entries; /* of a table */
    uint64_t header_bytes, l1_offset, disk_len;
    uint64_t end; /* new clusters go here */
} Qed;

static uint64_t
features(const Qed *qed)
{
    return fmt_le64(qed->header + AT_FEATURES);
}

static bool
is_place(const Qed *qed, uint64_t entry)
{
    return entry > ENTRY_ZERO;
}

/* Whether LEN bytes at OFFSET can be a table or a cluster of the file. */
static bool
is_sane(const BlkNode *node, uint64_t offset, uint64_t len)
{
    const Qed *qed = node->state;
    uint64_t file_len = fmt_round_up(fmt_file_len(node->file), qed->cluster_bytes);

    return offset % qed->cluster_bytes == 0 && offset >= qed->header_bytes && offset <= file_len &&
           len <= file_len - offset;
}

/* ---- blocks ---- */

static int
get_l2(BlkNode *node, uint64_t index, const uint8_t **out)
{
    const Qed *qed = node->state;
    uint64_t offset = GUINT64_FROM_LE(qed->l1[index / qed->entries]);

    *out = NULL;
    if (offset == 0) {
        return 0;
    }
    return is_sane(node, offset, qed->table_bytes)
               ? fmt_tables_get(node, qed->l2, node->file, offset, out)
               : -EIO;
}

static int
qed_lookup(BlkNode *node, uint64_t offset, uint64_t len, FmtExtent *out)
{
    const Qed *qed = node->state;
    uint64_t index = offset / qed->cluster_bytes, in_block = offset % qed->cluster_bytes;
    uint64_t slot = index % qed->entries, entry;
    const uint8_t *table;
    int ret = get_l2(node, index, &table);

    out->len = qed->cluster_bytes - in_block;
    if (ret < 0 || !table) {
        out->len = (qed->entries - slot) * qed->cluster_bytes - in_block;
        return ret;
    }
    entry = fmt_le64(table + slot * 8);
    if (!is_place(qed, entry)) {
        out->kind = entry == ENTRY_ZERO ? FMT_ZERO : FMT_ABSENT;
    } else {
        out->kind = FMT_DATA;
        out->file = node->file;
        out->host = entry + in_block;
    }
    /* Alike clusters behind it, of the same table. */
    for (uint64_t next = entry; out->len < len && ++slot < qed->entries;) {
        next += is_place(qed, entry) ? qed->cluster_bytes : 0;
        if (fmt_le64(table + slot * 8) != next) {
            break;
        }
        out->len += qed->cluster_bytes;
    }
    return is_place(qed, entry) && !is_sane(node, entry, qed->cluster_bytes) ? -EIO : 0;
}

static void
qed_get_block(BlkNode *node, uint64_t offset, uint64_t *out_start, uint64_t *out_len)
{
    const Qed *qed = node->state;

    *out_start = offset / qed->cluster_bytes * qed->cluster_bytes;
    *out_len = qed->cluster_bytes;
}

static int
qed_reserve(BlkNode *node, uint64_t start, FmtRoom *out)
{
    Qed *qed = node->state;

    *out = (FmtRoom){ .file = node->file, .host = qed->end };
    qed->end += qed->cluster_bytes;
    return 0;
}

/* A new table with one entry, whole in the file before the L1 entry says so. */
static int
add_l2(BlkNode *node, uint64_t index, uint64_t entry)
{
    Qed *qed = node->state;
    g_autofree uint8_t *table = g_try_malloc0(qed->table_bytes);
    uint64_t offset = qed->end, place = index / qed->entries, l1_entry = GUINT64_TO_LE(offset);
    int ret;

    if (!table) {
        return -ENOMEM;
    }
    fmt_put_le64(table + index % qed->entries * 8, entry);
    qed->end += qed->table_bytes;
    ret = blk_write_buffer(node->file, offset, table, qed->table_bytes, 0);
    ret = ret < 0 ? ret : blk_flush(node->file);
    ret = ret < 0 ? ret : blk_write_buffer(node->file, qed->l1_offset + place * 8, &l1_entry, 8, 0);
    if (ret == 0) {
        qed->l1[place] = l1_entry;
    }
    return ret;
}

static int
set_entry(BlkNode *node, uint64_t start, uint64_t entry)
{
    Qed *qed = node->state;
    uint64_t index = start / qed->cluster_bytes, bytes = GUINT64_TO_LE(entry);
    uint64_t offset = GUINT64_FROM_LE(qed->l1[index / qed->entries]);

    return offset ? fmt_tables_put(node, qed->l2, node->file, offset,
                                   (uint32_t)(index % qed->entries * 8), &bytes, 8)
                  : add_l2(node, index, entry);
}

static int
qed_link(BlkNode *node, uint64_t start, const FmtRoom *room)
{
    return set_entry(node, start, room->host);
}

static int
qed_link_zero(BlkNode *node, uint64_t start)
{
    return set_entry(node, start, ENTRY_ZERO);
}

static int
write_features(BlkNode *node, uint64_t value)
{
    Qed *qed = node->state;
    int ret;

    fmt_put_le64(qed->header + AT_FEATURES, value);
    fmt_put_le64(qed->header + AT_AUTOCLEAR, 0);
    ret = blk_write_buffer(node->file, 0, qed->header, HEADER_BYTES, 0);
    return ret < 0 ? ret : blk_flush(node->file);
}

static int
qed_before_write(BlkNode *node)
{
    return write_features(node, features(node->state) | F_NEED_CHECK);
}

static const FmtMapOps map_ops = { .lookup = qed_lookup,
                                   .get_block = qed_get_block,
                                   .before_write = qed_before_write,
                                   .reserve = qed_reserve,
                                   .link = qed_link,
                                   .link_zero = qed_link_zero };

/* ---- opening ---- */

static bool
parse_sizes(BlkNode *node, GError **error)
{
    Qed *qed = node->state;
    const uint8_t *header = qed->header;
    uint32_t cluster = fmt_le32(header + AT_CLUSTER_SIZE), table = fmt_le32(header + AT_TABLE_SIZE);
    uint32_t head = fmt_le32(header + AT_HEADER_SIZE);

    if (!fmt_is_power_of_two(cluster) || cluster < MIN_CLUSTER_BYTES ||
        cluster > MAX_CLUSTER_BYTES) {
        return fmt_set_bad(node, error, AT_CLUSTER_SIZE, "cluster size",
                           "%u is not a power of two from 4096 to 64M", cluster);
    }
    if (!fmt_is_power_of_two(table) || table > MAX_TABLE_CLUSTERS) {
        return fmt_set_bad(node, error, AT_TABLE_SIZE, "table size",
                           "%u clusters are not a power of two up to 16", table);
    }
    if (head == 0 || head > INT32_MAX / cluster) {
        return fmt_set_bad(node, error, AT_HEADER_SIZE, "header size",
                           "%u clusters are not possible", head);
    }
    qed->cluster_bytes = cluster;
    qed->table_bytes = table * cluster;
    qed->header_bytes = (uint64_t)head * cluster;
    qed->entries = qed->table_bytes / 8;
    return true;
}

static bool
parse_header(BlkNode *node, GError **error)
{
    Qed *qed = node->state;
    const uint8_t *header = qed->header;
    uint64_t most;

    if (memcmp(header, MAGIC, 4) != 0) {
        return fmt_set_bad(node, error, 0, "magic", "this is not a QED image");
    }
    if (features(qed) & ~(uint64_t)F_KNOWN) {
        return fmt_set_bad(node, error, AT_FEATURES, "features",
                           "0x%" PRIx64 " has bits that are not known", features(qed));
    }
    if (!parse_sizes(node, error)) {
        return false;
    }
    qed->disk_len = fmt_le64(header + AT_IMAGE_SIZE);
    most = qed->entries * qed->cluster_bytes > INT64_MAX / qed->entries
               ? INT64_MAX
               : qed->entries * qed->cluster_bytes * qed->entries;
    if (qed->disk_len > most || qed->disk_len % FMT_SECTOR_BYTES) {
        return fmt_set_bad(node, error, AT_IMAGE_SIZE, "image size",
                           "%" PRIu64 " is not a multiple of 512 up to %" PRIu64, qed->disk_len,
                           most);
    }
    qed->l1_offset = fmt_le64(header + AT_L1);
    if (!is_sane(node, qed->l1_offset, qed->table_bytes)) {
        return fmt_set_bad(node, error, AT_L1, "L1 table offset",
                           "0x%" PRIx64 " is not the place of a table in the file", qed->l1_offset);
    }
    return true;
}

static bool
read_backing_name(BlkNode *node, GError **error)
{
    const Qed *qed = node->state;
    uint32_t offset = fmt_le32(qed->header + AT_BACKING_OFFSET);
    uint32_t len = fmt_le32(qed->header + AT_BACKING_LEN);

    if (!(features(qed) & F_BACKING_FILE)) {
        return true;
    }
    if (len == 0 || len > MAX_BACKING_LEN || offset < HEADER_BYTES ||
        (uint64_t)offset + len > qed->header_bytes) {
        return fmt_set_bad(node, error, AT_BACKING_OFFSET, "backing file name",
                           "%u bytes at %u do not lie in the header", len, offset);
    }
    node->backing_file = g_malloc0(len + 1);
    node->backing_format = features(qed) & F_BACKING_RAW ? g_strdup("raw") : NULL;
    return fmt_read(node, node->file, offset, node->backing_file, len, "backing file name", error);
}

static void
note_end(BlkNode *node)
{
    Qed *qed = node->state;

    qed->end = fmt_round_up(fmt_file_len(node->file), qed->cluster_bytes);
}

/* ---- check ---- */

typedef struct Look {
    BlkNode *node;
    BlkCheck *check;
    uint8_t *used; /* a bit for each cluster */
    uint64_t clusters;
} Look;

static bool
take_clusters(Look *look, uint64_t offset, uint64_t len, const char *what)
{
    const Qed *qed = look->node->state;
    uint64_t first = offset / qed->cluster_bytes, count = len / qed->cluster_bytes;

    if (!is_sane(look->node, offset, len)) {
        fmt_report(look->check, "ERROR: %s at 0x%" PRIx64 " lies outside of the file", what,
                   offset);
        look->check->corruptions++;
        return false;
    }
    for (uint64_t i = first; i < first + count; i++) {
        if (look->used[i / 8] & 1u << i % 8) {
            fmt_report(look->check, "ERROR: %s at 0x%" PRIx64 " is used twice", what, offset);
            look->check->corruptions++;
            return false;
        }
        look->used[i / 8] |= (uint8_t)(1u << i % 8);
    }
    return true;
}

static int
check_l2(Look *look, uint64_t offset)
{
    Qed *qed = look->node->state;
    BlkCheck *check = look->check;
    g_autofree uint8_t *table = g_try_malloc(qed->table_bytes);
    uint64_t last = 0;
    bool changed = false;
    int ret = table ? blk_read_buffer(look->node->file, offset, table, qed->table_bytes) : -ENOMEM;

    for (uint64_t i = 0; i < qed->entries && ret == 0; i++) {
        uint64_t entry = fmt_le64(table + i * 8);
        if (!is_place(qed, entry)) {
            continue;
        }
        check->allocated_clusters++;
        check->fragmented_clusters += last && entry != last + qed->cluster_bytes;
        last = entry;
        if (!take_clusters(look, entry, qed->cluster_bytes, "a data cluster") &&
            check->fix_errors) {
            fmt_put_le64(table + i * 8, 0);
            changed = true;
            check->corruptions_fixed++;
        }
    }
    if (ret == 0 && changed) {
        ret = blk_write_buffer(look->node->file, offset, table, qed->table_bytes, 0);
        fmt_tables_forget(qed->l2);
    }
    return ret;
}

static int
check_l1(Look *look)
{
    Qed *qed = look->node->state;
    int ret = 0;

    take_clusters(look, qed->l1_offset, qed->table_bytes, "the L1 table");
    for (uint64_t i = 0; i < qed->entries && ret == 0; i++) {
        uint64_t offset = GUINT64_FROM_LE(qed->l1[i]);
        if (offset == 0) {
            continue;
        }
        if (take_clusters(look, offset, qed->table_bytes, "an L2 table")) {
            ret = check_l2(look, offset);
        } else if (look->check->fix_errors) {
            qed->l1[i] = 0;
            ret = blk_write_buffer(look->node->file, qed->l1_offset + i * 8, &qed->l1[i], 8, 0);
            look->check->corruptions_fixed += ret == 0;
        }
    }
    return ret;
}

/* A power failure may have kept a part of the last cluster. It reads as zeroes behind that, but
 * others want it whole. */
static int
check_tail(Look *look)
{
    const Qed *qed = look->node->state;
    BlkChild *file = look->node->file;
    uint64_t last = look->clusters - 1;
    int ret = 0;

    if (fmt_file_len(file) % qed->cluster_bytes == 0 || !(look->used[last / 8] & 1u << last % 8)) {
        return 0;
    }
    fmt_report(look->check, "ERROR: the file ends within its cluster at 0x%" PRIx64,
               last * qed->cluster_bytes);
    look->check->corruptions++;
    if (look->check->fix_errors) {
        ret = fmt_extend(file, look->clusters * qed->cluster_bytes);
        look->check->corruptions_fixed += ret == 0;
    }
    return ret;
}

/* Clusters nobody uses. Those at the end can be given back. */
static bool
count_leaks(Look *look, GError **error)
{
    const Qed *qed = look->node->state;
    BlkCheck *check = look->check;
    uint64_t end = qed->header_bytes / qed->cluster_bytes;

    for (uint64_t i = end; i < look->clusters; i++) {
        if (look->used[i / 8] & 1u << i % 8) {
            end = i + 1;
        } else {
            check->leaks++;
        }
    }
    check->image_end_offset = end * qed->cluster_bytes;
    if (check->leaks) {
        fmt_report(check, "Leaked %" PRIu64 " clusters", check->leaks);
    }
    if (check->fix_leaks && end < look->clusters) {
        if (!blk_truncate(look->node->file, end * qed->cluster_bytes, BLK_PREALLOC_OFF, error)) {
            return false;
        }
        check->leaks_fixed += look->clusters - end;
        note_end(look->node);
    }
    return true;
}

static bool
check_inside(BlkNode *node, BlkCheck *check, GError **error)
{
    Qed *qed = node->state;
    Look look = { .node = node, .check = check };
    g_autofree uint8_t *used = NULL;
    int ret;

    look.clusters = fmt_div_up(fmt_file_len(node->file), qed->cluster_bytes);
    used = look.used = g_try_malloc0(look.clusters / 8 + 1);
    check->has_clusters = true;
    check->total_clusters = fmt_div_up(qed->disk_len, qed->cluster_bytes);
    ret = used ? check_l1(&look) : -ENOMEM;
    ret = ret < 0 ? ret : check_tail(&look);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be checked: %s.", node->filename,
                    g_strerror(-ret));
        return false;
    }
    return count_leaks(&look, error);
}

static bool
qed_check(BlkNode *node, BlkCheck *check, GError **error)
{
    Qed *qed = node->state;
    bool ok;

    fmt_lock(node, &qed->map.lock);
    ok = check_inside(node, check, error);
    fmt_unlock(node, &qed->map.lock);
    return ok;
}

static bool
mend(BlkNode *node, GError **error)
{
    BlkCheck check = { .fix_errors = true };
    int ret;

    if (!(features(node->state) & F_NEED_CHECK) || node->read_only) {
        return true;
    }
    if (!check_inside(node, &check, error)) {
        return false;
    }
    ret = write_features(node, features(node->state) & ~(uint64_t)F_NEED_CHECK);
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be repaired: %s.", node->filename,
                    g_strerror(-ret));
    }
    return ret == 0;
}

static bool
qed_open(BlkNode *node, GError **error)
{
    Qed *qed = node->state;

    qed->map.ops = &map_ops;
    if (!fmt_read(node, node->file, 0, qed->header, HEADER_BYTES, "header", error) ||
        !parse_header(node, error) || !read_backing_name(node, error)) {
        return false;
    }
    qed->l1 = g_try_malloc0(qed->table_bytes);
    qed->l2 = fmt_tables_new(qed->table_bytes, CACHE_BYTES / qed->table_bytes);
    note_end(node);
    if (!qed->l1) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED, "'%s': there is not enough memory.",
                    node->filename);
        return false;
    }
    return fmt_read(node, node->file, qed->l1_offset, qed->l1, qed->table_bytes, "L1 table",
                    error) &&
           mend(node, error);
}

static int
settle(BlkNode *node)
{
    Qed *qed = node->state;
    int ret = 0;

    if (qed->map.is_prepared) {
        ret = blk_flush(node->file);
        ret = ret < 0 ? ret : write_features(node, features(qed) & ~(uint64_t)F_NEED_CHECK);
        qed->map.is_prepared = false;
    }
    return ret;
}

static bool
qed_set_read_only(BlkNode *node, bool read_only, GError **error)
{
    return read_only ? fmt_check_settled(node, settle(node), error) : mend(node, error);
}

static void
qed_close(BlkNode *node)
{
    Qed *qed = node->state;

    if (node->opened && !node->read_only) {
        settle(node);
    }
    fmt_map_clear(&qed->map);
    fmt_tables_free(qed->l2);
    g_free(qed->l1);
}

static int64_t
qed_get_len(BlkNode *node)
{
    const Qed *qed = node->state;

    return (int64_t)qed->disk_len;
}

static int
qed_probe(const uint8_t *buf, size_t len, const char *filename)
{
    return len >= HEADER_BYTES && memcmp(buf, MAGIC, 4) == 0 ? 100 : 0;
}

/* ---- changing ---- */

static bool
write_header(BlkNode *node, const uint8_t *buf, size_t len, GError **error)
{
    bool ok = fmt_write(node->file, 0, buf, len, error);
    int ret = ok ? blk_flush(node->file) : 0;

    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s' cannot be written: %s.", node->filename,
                    g_strerror(-ret));
    }
    return ok && ret == 0;
}

static bool
qed_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    Qed *qed = node->state;
    uint64_t table = qed->entries * qed->cluster_bytes;
    uint8_t header[HEADER_BYTES];

    if (len < qed->disk_len || prealloc != BLK_PREALLOC_OFF || len > INT64_MAX - FMT_SECTOR_BYTES ||
        fmt_div_up(len, table) > qed->entries) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': a QED image can only grow, without preallocation, as far as its tables "
                    "reach.",
                    node->filename);
        return false;
    }
    len = fmt_round_up(len, FMT_SECTOR_BYTES);
    memcpy(header, qed->header, HEADER_BYTES);
    fmt_put_le64(header + AT_IMAGE_SIZE, len);
    if (!fmt_write(node->file, 0, header, HEADER_BYTES, error)) {
        return false;
    }
    memcpy(qed->header, header, HEADER_BYTES);
    qed->disk_len = len;
    return true;
}

/* Puts the name behind the header's fields in BUF of LEN bytes. */
static bool
put_backing(uint8_t *buf, uint64_t len, const char *file, const char *format)
{
    uint64_t bits = fmt_le64(buf + AT_FEATURES) & ~(uint64_t)(F_BACKING_FILE | F_BACKING_RAW);
    size_t name_len = file ? strlen(file) : 0;

    if (name_len > MAX_BACKING_LEN || HEADER_BYTES + name_len > len) {
        return false;
    }
    memset(buf + HEADER_BYTES, 0, len - HEADER_BYTES);
    memcpy(buf + HEADER_BYTES, file ? file : "", name_len);
    bits |= file ? F_BACKING_FILE : 0;
    bits |= file && format && strcmp(format, "raw") == 0 ? F_BACKING_RAW : 0;
    fmt_put_le64(buf + AT_FEATURES, bits);
    fmt_put_le32(buf + AT_BACKING_OFFSET, file ? HEADER_BYTES : 0);
    fmt_put_le32(buf + AT_BACKING_LEN, (uint32_t)name_len);
    return true;
}

static bool
qed_change_backing(BlkNode *node, const char *filename, const char *format, GError **error)
{
    Qed *qed = node->state;
    uint32_t len = MIN_CLUSTER_BYTES;
    uint8_t buf[MIN_CLUSTER_BYTES];

    memcpy(buf, qed->header, HEADER_BYTES);
    if (!put_backing(buf, len, filename, format)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': the name of a QED image's backing file has at most %u bytes.",
                    node->filename, MAX_BACKING_LEN);
        return false;
    }
    memcpy(qed->header, buf, HEADER_BYTES);
    return write_header(node, buf, len, error);
}

/* ---- new images ---- */

typedef struct QedCreate {
    uint64_t size, cluster_size;
    uint32_t table_size;
    char *backing_file, *backing_fmt;
    bool nocow;
} QedCreate;

static bool
fill_image(BlkChild *file, const void *opaque, GError **error)
{
    const QedCreate *create = opaque;
    uint64_t cluster = create->cluster_size, table = create->table_size * cluster;
    g_autofree uint8_t *buf = g_try_malloc0(cluster + table);

    if (!buf) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_FAILED, "qed: there is not enough memory.");
        return false;
    }
    memcpy(buf, MAGIC, 4);
    fmt_put_le32(buf + AT_CLUSTER_SIZE, (uint32_t)cluster);
    fmt_put_le32(buf + AT_TABLE_SIZE, create->table_size);
    fmt_put_le32(buf + AT_HEADER_SIZE, 1);
    fmt_put_le64(buf + AT_L1, cluster);
    fmt_put_le64(buf + AT_IMAGE_SIZE, fmt_round_up(create->size, FMT_SECTOR_BYTES));
    if (!put_backing(buf, cluster, create->backing_file, create->backing_fmt)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "qed: the name of the backing file has more than %u bytes.", MAX_BACKING_LEN);
        return false;
    }
    return fmt_write(file, 0, buf, cluster + table, error);
}

static bool
qed_create(BlkGraph *graph, const char *filename, const void *state, GError **error)
{
    const QedCreate *create = state;
    uint64_t cluster = create->cluster_size, entries = create->table_size * cluster / 8;

    if (!fmt_is_power_of_two(cluster) || !fmt_is_power_of_two(create->table_size)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "qed: cluster_size and table_size must be powers of two, from 4k to 64M and "
                    "from 1 to 16.");
        return false;
    }
    if (create->size > INT64_MAX - FMT_SECTOR_BYTES ||
        fmt_div_up(create->size, entries * cluster) > entries) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "qed: a disk of %" PRIu64
                    " bytes is too large for these sizes of clusters and tables.",
                    create->size);
        return false;
    }
    return fmt_create_file(graph, filename, create->nocow, fill_image, create, NULL, error);
}

static void
qed_get_info(BlkNode *node, BlkFormatInfo *out)
{
    const Qed *qed = node->state;

    *out = (BlkFormatInfo){ .cluster_bytes = qed->cluster_bytes,
                            .dirty = features(qed) & F_NEED_CHECK };
}

static const VitProp create_options[] = {
    VIT_PROP_SIZE(QedCreate, size, "size", 0, 0, INT64_MAX, VIT_N_("Virtual disk size"),
                  .flags = VIT_PROP_REQUIRED),
    VIT_PROP_STRING(QedCreate, backing_file, "backing_file", NULL,
                    VIT_N_("File name of a base image")),
    VIT_PROP_STRING(QedCreate, backing_fmt, "backing_fmt", NULL,
                    VIT_N_("Image format of the base image")),
    VIT_PROP_SIZE(QedCreate, cluster_size, "cluster_size", 65536, MIN_CLUSTER_BYTES,
                  MAX_CLUSTER_BYTES, VIT_N_("Cluster size (in bytes)")),
    VIT_PROP_UINT(QedCreate, table_size, "table_size", 4, 1, MAX_TABLE_CLUSTERS,
                  VIT_N_("L1/L2 table size (in clusters)")),
    VIT_PROP_BOOL(QedCreate, nocow, "nocow", 0, VIT_N_("Turn off copy-on-write of the file")),
    { 0 }
};

static const BlkChildSlot slots[] = {
    { .name = "file", .required = true },
    { .name = "backing", .probe = true },
    { 0 },
};

static const BlkFormatOps format_ops = { .get_info = qed_get_info,
                                         .check = qed_check,
                                         .change_backing = qed_change_backing };

const BlkDriver blk_qed_driver = {
    .name = "qed",
    .title = VIT_N_("QEMU enhanced disk image"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(Qed),
    .slots = slots,
    .create_options = create_options,
    .create_size = sizeof(QedCreate),
    .probe = qed_probe,
    .open = qed_open,
    .close = qed_close,
    .read = fmt_map_read,
    .write = fmt_map_write,
    .write_zeroes = fmt_map_write_zeroes,
    .get_len = qed_get_len,
    .truncate = qed_truncate,
    .status = fmt_map_status,
    .set_read_only = qed_set_read_only,
    .create = qed_create,
    .format = &format_ops,
};
