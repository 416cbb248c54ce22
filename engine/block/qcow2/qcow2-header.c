/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The header of a qcow2 image: reading it with every field checked.
 *
 * Specification: docs/interop/qcow2, sections "Header", "Header extensions", "Feature name table".
 * Extensions that are not known are kept byte by byte. Unknown compatible features are ignored,
 * unknown autoclear features are cleared by the first write (never by opening), unknown
 * incompatible ones refuse the image with their names from its own table.
 *
 * Thread: in a fiber. */

#include "qcow2.h"

#include <string.h>

static const char *const feature_types[] = { "incompatible", "compatible", "autoclear" };

enum { FEATURE_ROW_BYTES = 48, FEATURE_NAME_BYTES = 46 };

typedef struct Parse {
    BlkNode *node;
    const uint8_t *buf; /* the first cluster, as far as the file has it */
    uint64_t len;
    uint64_t backing_offset;
    uint32_t backing_len;
    GError **error;
} Parse;

void
qcow2_set_bad(BlkNode *node, GError **error, uint64_t offset, const char *field, const char *format,
              ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT, "'%s', offset %" G_GUINT64_FORMAT " (%s): %s.",
                node->filename ? node->filename : node->name, offset, field, text);
}

uint64_t
qcow2_l1_entries_for(const Qcow2 *q, uint64_t len)
{
    unsigned shift = q->cluster_bits + q->l2_bits;

    return (len >> shift) + ((len & ((UINT64_C(1) << shift) - 1)) > 0);
}

/* ---- fixed fields ---- */

static void
parse_fields(Parse *parse)
{
    Qcow2 *q = parse->node->state;
    const uint8_t *buf = parse->buf;

    q->version = fmt_be32(buf + QCOW2_AT_VERSION);
    parse->backing_offset = fmt_be64(buf + QCOW2_AT_BACKING_FILE_OFFSET);
    parse->backing_len = fmt_be32(buf + QCOW2_AT_BACKING_FILE_SIZE);
    q->cluster_bits = fmt_be32(buf + QCOW2_AT_CLUSTER_BITS);
    q->size = fmt_be64(buf + QCOW2_AT_SIZE);
    q->crypt_method = fmt_be32(buf + QCOW2_AT_CRYPT_METHOD);
    q->l1_size = fmt_be32(buf + QCOW2_AT_L1_SIZE);
    q->l1_offset = fmt_be64(buf + QCOW2_AT_L1_TABLE_OFFSET);
    q->reftable_offset = fmt_be64(buf + QCOW2_AT_REFCOUNT_TABLE_OFFSET);
    q->reftable_clusters = fmt_be32(buf + QCOW2_AT_REFCOUNT_TABLE_CLUSTERS);
    q->snapshots_offset = fmt_be64(buf + QCOW2_AT_SNAPSHOTS_OFFSET);
    q->refcount_order = 4;
    q->header_length = QCOW2_V2_HEADER_BYTES;
    if (q->version >= 3 && parse->len >= QCOW2_V3_HEADER_BYTES) {
        q->incompatible = fmt_be64(buf + QCOW2_AT_INCOMPATIBLE_FEATURES);
        q->compatible = fmt_be64(buf + QCOW2_AT_COMPATIBLE_FEATURES);
        q->autoclear = fmt_be64(buf + QCOW2_AT_AUTOCLEAR_FEATURES);
        q->refcount_order = fmt_be32(buf + QCOW2_AT_REFCOUNT_ORDER);
        q->header_length = fmt_be32(buf + QCOW2_AT_HEADER_LENGTH);
    }
    if (q->header_length > QCOW2_AT_COMPRESSION_TYPE && parse->len > QCOW2_AT_COMPRESSION_TYPE) {
        q->compression_type = buf[QCOW2_AT_COMPRESSION_TYPE];
    }
}

static bool
check_table(Parse *parse, uint64_t at, const char *field, uint64_t offset, uint64_t len)
{
    const Qcow2 *q = parse->node->state;

    if (qcow2_in_cluster(q, offset) || offset > INT64_MAX - len) {
        qcow2_set_bad(parse->node, parse->error, at, field,
                      "a table at 0x%" PRIx64 " does not start at a cluster, or ends beyond the "
                      "largest file",
                      offset);
        return false;
    }
    return true;
}

static bool
check_sizes(Parse *parse)
{
    BlkNode *node = parse->node;
    const Qcow2 *q = node->state;
    uint64_t max_len = q->cluster_bytes;

    if (q->header_length < (q->version == 2 ? QCOW2_V2_HEADER_BYTES : QCOW2_V3_HEADER_BYTES) ||
        q->header_length > max_len || q->header_length % (q->version == 2 ? 1 : 8)) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_HEADER_LENGTH, "header_length",
                      "%u is not a length of a version %u header", q->header_length, q->version);
    } else if (q->refcount_order > 6) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_REFCOUNT_ORDER, "refcount_order",
                      "%u is more than 6, refcounts of 64 bits", q->refcount_order);
    } else if (q->size > INT64_MAX) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_SIZE, "size",
                      "%" PRIu64 " bytes is more than a disk can have", q->size);
    } else if (parse->backing_offset &&
               (parse->backing_len > QCOW2_MAX_BACKING_NAME || parse->backing_offset > max_len ||
                parse->backing_len > max_len - parse->backing_offset)) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_BACKING_FILE_OFFSET, "backing_file_offset",
                      "a name of %u bytes at %" PRIu64 " does not lie in the first cluster",
                      parse->backing_len, parse->backing_offset);
    } else if (q->crypt_method > QCOW2_CRYPT_LUKS) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_CRYPT_METHOD, "crypt_method",
                      "%u is not a known method of encryption", q->crypt_method);
    } else {
        return true;
    }
    return false;
}

static bool
check_tables(Parse *parse)
{
    BlkNode *node = parse->node;
    Qcow2 *q = node->state;
    uint32_t snapshots = fmt_be32(parse->buf + QCOW2_AT_NB_SNAPSHOTS);
    uint64_t needed = qcow2_l1_entries_for(q, q->size);

    if (q->l1_size > QCOW2_MAX_L1_BYTES / 8) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_L1_SIZE, "l1_size",
                      "%u entries are more than the %u an image may have", q->l1_size,
                      QCOW2_MAX_L1_BYTES / 8);
    } else if (q->l1_size < needed) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_L1_SIZE, "l1_size",
                      "%u entries are too few for a disk of %" PRIu64
                      " bytes, which needs %" PRIu64,
                      q->l1_size, q->size, needed);
    } else if (q->reftable_clusters == 0) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_REFCOUNT_TABLE_CLUSTERS,
                      "refcount_table_clusters", "an image needs a refcount table");
    } else if (q->reftable_clusters > QCOW2_MAX_REFTABLE_BYTES >> q->cluster_bits &&
               q->reftable_clusters > 1) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_REFCOUNT_TABLE_CLUSTERS,
                      "refcount_table_clusters", "%u clusters are more than 8 MiB",
                      q->reftable_clusters);
    } else if (snapshots > QCOW2_MAX_SNAPSHOTS) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_NB_SNAPSHOTS, "nb_snapshots",
                      "%u snapshots are more than %u", snapshots, QCOW2_MAX_SNAPSHOTS);
    } else {
        return check_table(parse, QCOW2_AT_L1_TABLE_OFFSET, "l1_table_offset", q->l1_offset,
                           (uint64_t)q->l1_size * 8) &&
               check_table(parse, QCOW2_AT_REFCOUNT_TABLE_OFFSET, "refcount_table_offset",
                           q->reftable_offset, (uint64_t)q->reftable_clusters << q->cluster_bits) &&
               (snapshots == 0 || check_table(parse, QCOW2_AT_SNAPSHOTS_OFFSET, "snapshots_offset",
                                              q->snapshots_offset, 0));
    }
    return false;
}

/* ---- features ---- */

static char *
describe_features(const Qcow2 *q, unsigned type, uint64_t bits)
{
    GString *text = g_string_new(NULL);

    for (unsigned bit = 0; bit < 64; bit++) {
        g_autofree char *prefix = g_strdup_printf("%u %u ", type, bit);
        const char *name = NULL;
        if (!(bits >> bit & 1)) {
            continue;
        }
        for (unsigned i = 0; i < q->feature_names->len; i++) {
            const char *row = g_ptr_array_index(q->feature_names, i);
            name = g_str_has_prefix(row, prefix) ? row + strlen(prefix) : name;
        }
        g_string_append_printf(text, "%s", text->len ? ", " : "");
        if (name) {
            g_string_append_printf(text, "\"%s\"", name);
        } else {
            g_string_append_printf(text, "%s feature %u", feature_types[type], bit);
        }
    }
    return g_string_free(text, FALSE);
}

static bool
check_features(Parse *parse)
{
    BlkNode *node = parse->node;
    const Qcow2 *q = node->state;
    uint64_t unknown = q->incompatible & ~(uint64_t)QCOW2_INCOMPAT_KNOWN;
    bool has_type = q->incompatible & QCOW2_INCOMPAT_COMPRESSION;

    if (unknown) {
        g_autofree char *names = describe_features(q, 0, unknown);
        qcow2_set_bad(node, parse->error, QCOW2_AT_INCOMPATIBLE_FEATURES, "incompatible_features",
                      "the image needs %s, which this version does not know", names);
    } else if (q->compression_type > QCOW2_COMPRESSION_ZSTD ||
               has_type != (q->compression_type != QCOW2_COMPRESSION_ZLIB)) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_COMPRESSION_TYPE, "compression_type",
                      "type %u %s the compression feature bit is not possible", q->compression_type,
                      has_type ? "with" : "without");
    } else if (q->extended_l2 && q->cluster_bits < 14) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_CLUSTER_BITS, "cluster_bits",
                      "extended L2 entries need clusters of 16 KiB or more");
    } else {
        return true;
    }
    return false;
}

/* ---- extensions ---- */

static char *
take_string(const uint8_t *data, uint32_t len)
{
    return g_strndup((const char *)data, len);
}

static bool
parse_extension(Parse *parse, uint64_t at, uint32_t type, uint32_t len)
{
    BlkNode *node = parse->node;
    Qcow2 *q = node->state;
    const uint8_t *data = parse->buf + at + 8;

    switch (type) {
    case (uint32_t)QCOW2_EXT_BACKING_FORMAT:
        g_free(node->backing_format);
        node->backing_format = take_string(data, len);
        return true;
    case QCOW2_EXT_DATA_FILE:
        g_free(q->data_file_name);
        q->data_file_name = take_string(data, len);
        return true;
    case QCOW2_EXT_FEATURE_NAMES:
        for (uint32_t row = 0; row + FEATURE_ROW_BYTES <= len; row += FEATURE_ROW_BYTES) {
            g_autofree char *name = take_string(data + row + 2, FEATURE_NAME_BYTES);
            g_ptr_array_add(q->feature_names,
                            g_strdup_printf("%u %u %s", data[row], data[row + 1], name));
        }
        return true;
    case QCOW2_EXT_CRYPTO:
        if (len != 16) {
            qcow2_set_bad(node, parse->error, at, "crypto header extension",
                          "%u bytes instead of 16", len);
            return false;
        }
        q->crypto_offset = fmt_be64(data);
        q->crypto_len = fmt_be64(data + 8);
        return true;
    case QCOW2_EXT_BITMAPS:
        if (len != 24) {
            qcow2_set_bad(node, parse->error, at, "bitmaps extension", "%u bytes instead of 24",
                          len);
            return false;
        }
        q->bitmap_count = fmt_be32(data);
        q->bitmap_dir_bytes = fmt_be64(data + 8);
        q->bitmap_dir_offset = fmt_be64(data + 16);
        return true;
    default: {
        Qcow2Extension extension = { .type = type, .len = len, .data = g_memdup2(data, len) };
        g_array_append_val(q->extensions, extension);
        return true;
    }
    }
}

static bool
parse_extensions(Parse *parse)
{
    const Qcow2 *q = parse->node->state;
    uint64_t at = q->header_length, end = parse->len;

    if (parse->backing_offset) {
        end = MIN(end, parse->backing_offset);
    }
    while (at + 8 <= end) {
        uint32_t type = fmt_be32(parse->buf + at), len = fmt_be32(parse->buf + at + 4);
        if (type == QCOW2_EXT_END) {
            return true;
        }
        if (len > end - at - 8) {
            qcow2_set_bad(parse->node, parse->error, at, "header extension",
                          "type 0x%08x with %u bytes reaches beyond the header", type, len);
            return false;
        }
        if (!parse_extension(parse, at, type, len)) {
            return false;
        }
        at += 8 + (((uint64_t)len + 7) & ~UINT64_C(7));
    }
    return true;
}

static bool
check_bitmaps(Parse *parse)
{
    Qcow2 *q = parse->node->state;

    if (!(q->autoclear & QCOW2_AUTOCLEAR_BITMAPS)) {
        /* Somebody has written without keeping them. */
        q->bitmap_count = 0;
        q->bitmap_dir_bytes = q->bitmap_dir_offset = 0;
        return true;
    }
    if (q->bitmap_count == 0 || q->bitmap_count > QCOW2_MAX_BITMAPS ||
        q->bitmap_dir_bytes > QCOW2_MAX_BITMAP_DIR_BYTES ||
        q->bitmap_dir_bytes < q->bitmap_count * UINT64_C(24)) {
        qcow2_set_bad(parse->node, parse->error, q->header_length, "bitmaps extension",
                      "%u bitmaps in a directory of %" PRIu64 " bytes are not possible",
                      q->bitmap_count, q->bitmap_dir_bytes);
        return false;
    }
    return check_table(parse, q->header_length, "bitmap_directory_offset", q->bitmap_dir_offset,
                       q->bitmap_dir_bytes);
}

/* ---- the whole ---- */

void
qcow2_set_refcount_order(Qcow2 *q, unsigned order)
{
    q->refcount_order = order;
    q->refblock_bits = q->cluster_bits + 3 - order;
    q->refcount_max = order == 6 ? INT64_MAX : (UINT64_C(1) << (1u << order)) - 1;
}

static void
derive(Qcow2 *q)
{
    q->cluster_bytes = 1u << q->cluster_bits;
    q->extended_l2 = q->incompatible & QCOW2_INCOMPAT_EXTENDED_L2;
    q->entry_bytes = q->extended_l2 ? 16 : 8;
    q->l2_bits = q->cluster_bits - (q->extended_l2 ? 4 : 3);
    q->subcluster_bits = q->cluster_bits - (q->extended_l2 ? 5 : 0);
    if (q->refcount_order <= 6) {
        qcow2_set_refcount_order(q, q->refcount_order);
    }
}

static bool
check_start(Parse *parse)
{
    BlkNode *node = parse->node;
    uint32_t version, bits;

    if (parse->len < QCOW2_V2_HEADER_BYTES || fmt_be32(parse->buf) != QCOW2_MAGIC) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_MAGIC, "magic", "this is not a qcow2 image");
        return false;
    }
    version = fmt_be32(parse->buf + QCOW2_AT_VERSION);
    bits = fmt_be32(parse->buf + QCOW2_AT_CLUSTER_BITS);
    if (version < 2 || version > 3 || (version == 3 && parse->len < QCOW2_V3_HEADER_BYTES)) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_VERSION, "version",
                      "version %u is not 2 or 3, or its header is cut short", version);
        return false;
    }
    if (bits < QCOW2_MIN_CLUSTER_BITS || bits > QCOW2_MAX_CLUSTER_BITS) {
        qcow2_set_bad(node, parse->error, QCOW2_AT_CLUSTER_BITS, "cluster_bits",
                      "%u is not from 9 (512 bytes) to 21 (2 MiB)", bits);
        return false;
    }
    return true;
}

bool
qcow2_read_header(BlkNode *node, GError **error)
{
    Qcow2 *q = node->state;
    uint64_t file_len = blk_node_get_len(node->file->node);
    g_autofree uint8_t *buf = g_malloc0(1u << QCOW2_MAX_CLUSTER_BITS);
    Parse parse = { .node = node, .buf = buf, .error = error };
    int ret;

    q->extensions = g_array_new(FALSE, FALSE, sizeof(Qcow2Extension));
    q->feature_names = g_ptr_array_new_with_free_func(g_free);
    parse.len = MIN(file_len, QCOW2_HEADER_BYTES);
    ret = parse.len ? blk_read_buffer(node->file, 0, buf, parse.len) : 0;
    if (ret == 0 && !check_start(&parse)) {
        return false;
    }
    if (ret == 0) {
        parse_fields(&parse);
        derive(q);
        parse.len = MIN(file_len, q->cluster_bytes);
        ret = blk_read_buffer(node->file, 0, buf, parse.len);
    }
    if (ret < 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_IO, "'%s': the header cannot be read: %s.",
                    node->filename, g_strerror(-ret));
        return false;
    }
    if (!check_sizes(&parse) || !parse_extensions(&parse) || !check_features(&parse) ||
        !check_tables(&parse) || !check_bitmaps(&parse)) {
        return false;
    }
    if (parse.backing_offset && parse.backing_len && parse.backing_offset < parse.len) {
        node->backing_file = take_string(buf + parse.backing_offset,
                                         MIN(parse.backing_len, parse.len - parse.backing_offset));
    }
    return true;
}

void
qcow2_free_header(Qcow2 *q)
{
    for (unsigned i = 0; q->extensions && i < q->extensions->len; i++) {
        g_free(g_array_index(q->extensions, Qcow2Extension, i).data);
    }
    g_clear_pointer(&q->extensions, g_array_unref);
    g_clear_pointer(&q->feature_names, g_ptr_array_unref);
    g_clear_pointer(&q->data_file_name, g_free);
}
