/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Apple disk images (UDIF), read only: chunks of zeroes, plain data, zlib and bzip2.
 *
 * Layout (big-endian), as described publicly for UDIF: a trailer "koly" at the end of the file
 * names a property list whose "blkx" entries are base64 tables "mish" of chunks. Tables in a
 * resource fork, as old images have, and ADC, LZFSE and LZMA chunks are refused when they are read
 * or, for the fork, opened. The disk ends where the last chunk does.
 *
 * Thread: in a fiber; the chunks are in memory, sorted. */

#include "fmt.h"

#include <string.h>

enum {
    TRAILER_BYTES = 512,
    AT_DATA_FORK = 0x18,
    AT_XML_OFFSET = 0xd8,
    AT_XML_LEN = 0xe0,
    MISH_HEAD_BYTES = 204,
    MISH_AT_FIRST = 8,
    MISH_AT_DATA = 24,
    MISH_AT_COUNT = 200,
    CHUNK_BYTES = 40,
    MAX_XML_BYTES = 16 << 20,
    MAX_CHUNKS = 1 << 22,
    MAX_PACKED_BYTES = 64 << 20,
    MAX_SECTORS = MAX_PACKED_BYTES / FMT_SECTOR_BYTES,
};

#define CHUNK_ZERO    0x00000000u
#define CHUNK_RAW     0x00000001u
#define CHUNK_IGNORE  0x00000002u
#define CHUNK_ZLIB    0x80000005u
#define CHUNK_BZIP2   0x80000006u
#define CHUNK_COMMENT 0x7ffffffeu
#define CHUNK_END     0xffffffffu

typedef struct Chunk {
    uint64_t start, len; /* of the disk, in bytes */
    uint64_t host, host_len;
    uint32_t type;
} Chunk;

typedef struct Dmg {
    FmtMap map;
    GArray *chunks;
    uint64_t disk_len;
} Dmg;

/* ---- reading ---- */

/* The last chunk that starts at OFFSET or before it, or NULL. */
static const Chunk *
find_chunk(const Dmg *dmg, uint64_t offset, unsigned *out_index)
{
    unsigned low = 0, high = dmg->chunks->len;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (g_array_index(dmg->chunks, Chunk, middle).start <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *out_index = low;
    return low > 0 ? &g_array_index(dmg->chunks, Chunk, low - 1) : NULL;
}

static int
dmg_lookup(BlkNode *node, uint64_t offset, uint64_t len, FmtExtent *out)
{
    const Dmg *dmg = node->state;
    unsigned next;
    const Chunk *chunk = find_chunk(dmg, offset, &next);
    uint64_t in_chunk;

    out->file = node->file;
    if (!chunk || offset - chunk->start >= chunk->len) {
        /* Nothing says what is here. */
        out->kind = FMT_ZERO;
        out->len = (next < dmg->chunks->len ? g_array_index(dmg->chunks, Chunk, next).start
                                            : dmg->disk_len) -
                   offset;
        return 0;
    }
    in_chunk = offset - chunk->start;
    out->len = chunk->len - in_chunk;
    switch (chunk->type) {
    case CHUNK_ZERO:
    case CHUNK_IGNORE: out->kind = FMT_ZERO; return 0;
    case CHUNK_RAW:
        out->kind = FMT_DATA;
        out->host = chunk->host + in_chunk;
        return 0;
    case CHUNK_ZLIB:
    case CHUNK_BZIP2: break;
    default: return -ENOTSUP;
    }
    out->kind = FMT_PACKED;
    out->type = chunk->type;
    out->host = chunk->host;
    out->packed_len = chunk->host_len;
    out->block_start = chunk->start;
    out->block_len = chunk->len;
    return 0;
}

static int
dmg_unpack(BlkNode *node, const FmtExtent *extent, uint8_t *out)
{
    g_autofree uint8_t *in = g_try_malloc(MAX(extent->packed_len, 1));
    int ret = in ? blk_read_buffer(node->file, extent->host, in, extent->packed_len) : -ENOMEM;

    if (ret == 0) {
        ret = fmt_unpack(node->context, extent->type == CHUNK_ZLIB ? FMT_ZLIB : FMT_BZIP2, in,
                         extent->packed_len, out, extent->block_len);
    }
    return ret < 0 ? ret : (uint64_t)ret == extent->block_len ? 0 : -EIO;
}

static const FmtMapOps map_ops = { .lookup = dmg_lookup, .unpack = dmg_unpack };

/* ---- opening ---- */

static bool
take_chunk(BlkNode *node, const uint8_t *table, const uint8_t *entry, uint64_t data_fork,
           unsigned number, GError **error)
{
    Dmg *dmg = node->state;
    uint64_t first = fmt_be64(table + MISH_AT_FIRST), start = fmt_be64(entry + 8);
    uint64_t sectors = fmt_be64(entry + 16), host = fmt_be64(entry + 24);
    uint64_t file_len = fmt_file_len(node->file);
    Chunk chunk = { .type = fmt_be32(entry), .host_len = fmt_be64(entry + 32) };
    bool has_data = chunk.type != CHUNK_ZERO && chunk.type != CHUNK_IGNORE;
    const uint64_t most = INT64_MAX / FMT_SECTOR_BYTES / 4;

    if (chunk.type == CHUNK_COMMENT || chunk.type == CHUNK_END || sectors == 0) {
        return true;
    }
    if (first > most || start > most || sectors > most ||
        (has_data && sectors > MAX_SECTORS && chunk.type != CHUNK_RAW)) {
        return fmt_set_bad(node, error, host, "chunk",
                           "chunk %u has %" PRIu64 " sectors at %" PRIu64, number, sectors,
                           first + start);
    }
    chunk.host = data_fork + host;
    if (has_data && (chunk.host > file_len || chunk.host_len > file_len - chunk.host ||
                     (chunk.type != CHUNK_RAW && chunk.host_len > MAX_PACKED_BYTES) ||
                     (chunk.type == CHUNK_RAW && chunk.host_len < sectors * FMT_SECTOR_BYTES))) {
        return fmt_set_bad(node, error, host, "chunk",
                           "chunk %u has %" PRIu64 " bytes there, outside of the file", number,
                           chunk.host_len);
    }
    chunk.start = (first + start) * FMT_SECTOR_BYTES;
    chunk.len = sectors * FMT_SECTOR_BYTES;
    dmg->disk_len = MAX(dmg->disk_len, chunk.start + chunk.len);
    g_array_append_val(dmg->chunks, chunk);
    return true;
}

static bool
take_table(BlkNode *node, const uint8_t *table, size_t len, uint64_t data_fork, uint64_t xml_at,
           GError **error)
{
    const Dmg *dmg = node->state;
    uint32_t count;

    if (len < MISH_HEAD_BYTES || memcmp(table, "mish", 4) != 0) {
        return fmt_set_bad(node, error, xml_at, "block table", "it does not begin with 'mish'");
    }
    count = fmt_be32(table + MISH_AT_COUNT);
    if (count > (len - MISH_HEAD_BYTES) / CHUNK_BYTES || count > MAX_CHUNKS - dmg->chunks->len) {
        return fmt_set_bad(node, error, xml_at, "block table", "%u chunks are not possible", count);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!take_chunk(node, table, table + MISH_HEAD_BYTES + (size_t)i * CHUNK_BYTES,
                        data_fork + fmt_be64(table + MISH_AT_DATA), i, error)) {
            return false;
        }
    }
    return true;
}

/* Every <data> of the list that is a block table; other data is left alone. */
static bool
take_list(BlkNode *node, char *xml, uint64_t data_fork, uint64_t xml_at, GError **error)
{
    const Dmg *dmg = node->state;

    for (char *at = strstr(xml, "<data>"); at; at = strstr(at, "<data>")) {
        char *end = strstr(at, "</data>");
        g_autofree uint8_t *table = NULL;
        gsize len;
        if (!end) {
            return fmt_set_bad(node, error, xml_at + (uint64_t)(at - xml), "property list",
                               "data without an end");
        }
        *end = '\0';
        table = g_base64_decode(at + strlen("<data>"), &len);
        if (len >= 4 && memcmp(table, "mish", 4) == 0 &&
            !take_table(node, table, len, data_fork, xml_at + (uint64_t)(at - xml), error)) {
            return false;
        }
        at = end + 1;
    }
    return dmg->chunks->len > 0 ||
           fmt_set_bad(node, error, xml_at, "property list", "it has no block tables");
}

static int
compare_chunks(gconstpointer a, gconstpointer b)
{
    const Chunk *first = a, *second = b;

    return first->start < second->start ? -1 : first->start > second->start;
}

static bool
dmg_open(BlkNode *node, GError **error)
{
    Dmg *dmg = node->state;
    uint64_t file_len = fmt_file_len(node->file), at, xml_at, xml_len;
    uint8_t trailer[TRAILER_BYTES];
    g_autofree char *xml = NULL;

    dmg->map.ops = &map_ops;
    dmg->chunks = g_array_new(FALSE, FALSE, sizeof(Chunk));
    at = file_len > TRAILER_BYTES ? file_len - TRAILER_BYTES : 0;
    if (!fmt_make_read_only(node, error) ||
        !fmt_read(node, node->file, at, trailer, sizeof(trailer), "trailer", error)) {
        return false;
    }
    if (memcmp(trailer, "koly", 4) != 0) {
        return fmt_set_bad(node, error, at, "trailer", "it is not that of an Apple disk image");
    }
    xml_at = fmt_be64(trailer + AT_XML_OFFSET);
    xml_len = fmt_be64(trailer + AT_XML_LEN);
    if (xml_len == 0 || xml_len > MAX_XML_BYTES || xml_at > file_len ||
        xml_len > file_len - xml_at) {
        return fmt_set_bad(node, error, at + AT_XML_OFFSET, "property list",
                           "%" PRIu64 " bytes at %" PRIu64 " are not possible (images with a "
                           "resource fork are not supported)",
                           xml_len, xml_at);
    }
    xml = g_malloc0(xml_len + 1);
    if (!fmt_read(node, node->file, xml_at, xml, xml_len, "property list", error) ||
        !take_list(node, xml, fmt_be64(trailer + AT_DATA_FORK), xml_at, error)) {
        return false;
    }
    g_array_sort(dmg->chunks, compare_chunks);
    return true;
}

static void
dmg_close(BlkNode *node)
{
    Dmg *dmg = node->state;

    fmt_map_clear(&dmg->map);
    g_clear_pointer(&dmg->chunks, g_array_unref);
}

static int64_t
dmg_get_len(BlkNode *node)
{
    const Dmg *dmg = node->state;

    return (int64_t)dmg->disk_len;
}

/* What tells is at the end, which probing does not see. */
static int
dmg_probe(const uint8_t *buf, size_t len, const char *filename)
{
    return filename && g_str_has_suffix(filename, ".dmg") ? 2 : 0;
}

static const BlkChildSlot slots[] = { { .name = "file", .required = true }, { 0 } };

const BlkDriver blk_dmg_driver = {
    .name = "dmg",
    .title = VIT_N_("Apple disk image"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(Dmg),
    .slots = slots,
    .probe = dmg_probe,
    .open = dmg_open,
    .close = dmg_close,
    .read = fmt_map_read,
    .get_len = dmg_get_len,
    .status = fmt_map_status,
    .set_read_only = fmt_refuse_writing,
};
