/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* A format for tests that has a backing image and as little else as possible: a header block with
 * a bit per granule, then the granules at their own place. Thread: in a fiber. */

#include "block-test.h"

#include "vit-error.h"

#include <errno.h>
#include <string.h>

enum { GRANULE = 4096, BITMAP_AT = 1024, GRANULES = (GRANULE - BITMAP_AT) * 8 };

typedef struct CowHeader {
    char magic[8];
    char backing_file[504];
    char backing_format[16];
    uint64_t len;
    uint8_t pad[BITMAP_AT - 536];
    uint8_t present[GRANULE - BITMAP_AT];
} CowHeader;

static bool
is_present(const CowHeader *header, uint64_t granule)
{
    return header->present[granule / 8] >> granule % 8 & 1;
}

static int
store_header(BlkNode *node)
{
    return blk_write_buffer(node->file, 0, node->state, sizeof(CowHeader), 0);
}

static int
cow_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    const CowHeader *header = node->state;
    int ret = 0;

    for (uint64_t done = 0; done < len && ret == 0; done += GRANULE) {
        if (is_present(header, (offset + done) / GRANULE)) {
            ret = blk_read(node->file, GRANULE + offset + done, GRANULE, vec, at + done);
        } else {
            ret = blk_read_backing(node, offset + done, GRANULE, vec, at + done);
        }
    }
    return ret;
}

static int
mark(BlkNode *node, uint64_t offset, uint64_t len)
{
    CowHeader *header = node->state;
    bool changed = false;

    for (uint64_t granule = offset / GRANULE; granule < (offset + len) / GRANULE; granule++) {
        changed |= !is_present(header, granule);
        header->present[granule / 8] |= (uint8_t)(1u << granule % 8);
    }
    return changed ? store_header(node) : 0;
}

static int
cow_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
          unsigned flags)
{
    int ret = blk_write(node->file, GRANULE + offset, len, vec, at, 0);

    return ret == 0 ? mark(node, offset, len) : ret;
}

static int
cow_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    int ret = blk_write_zeroes(node->file, GRANULE + offset, len, 0);

    return ret == 0 ? mark(node, offset, len) : ret;
}

static int
cow_status(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out)
{
    const CowHeader *header = node->state;
    bool present = is_present(header, offset / GRANULE);
    uint64_t end = (offset / GRANULE + 1) * GRANULE;

    while (end < offset + len && is_present(header, end / GRANULE) == present) {
        end += GRANULE;
    }
    out->len_bytes = end - offset;
    out->flags = present ? BLK_STATUS_DATA | BLK_STATUS_ALLOCATED : 0;
    return 0;
}

static int64_t
cow_get_len(BlkNode *node)
{
    return (int64_t)((CowHeader *)node->state)->len;
}

static bool
cow_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    CowHeader *header = node->state;

    g_assert_cmpuint(len, <=, (uint64_t)GRANULES * GRANULE);
    header->len = len;
    return store_header(node) == 0;
}

static bool
cow_open(BlkNode *node, GError **error)
{
    CowHeader *header = node->state;

    if (blk_read_buffer(node->file, 0, header, sizeof(*header)) < 0 ||
        memcmp(header->magic, "TESTCOW\n", 8) != 0) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_CORRUPT, "'%s' is no test image.", node->filename);
        return false;
    }
    if (*header->backing_file) {
        node->backing_file = g_strdup(header->backing_file);
    }
    if (*header->backing_format) {
        node->backing_format = g_strdup(header->backing_format);
    }
    node->limits.request_align = node->limits.zeroes_align = GRANULE;
    return true;
}

static bool
cow_change_backing_file(BlkNode *node, const char *file, const char *format, GError **error)
{
    CowHeader *header = node->state;

    g_strlcpy(header->backing_file, file ? file : "", sizeof(header->backing_file));
    g_strlcpy(header->backing_format, format ? format : "", sizeof(header->backing_format));
    return store_header(node) == 0;
}

static int
cow_probe(const uint8_t *buf, size_t len, const char *filename)
{
    return len >= 8 && memcmp(buf, "TESTCOW\n", 8) == 0 ? 100 : 0;
}

typedef struct CowCreate {
    uint64_t size;
    char *backing_file, *backing_fmt;
} CowCreate;

static const VitProp create_options[] = {
    VIT_PROP_SIZE(CowCreate, size, "size", 0, 0, (uint64_t)GRANULES *GRANULE, "Size"),
    VIT_PROP_STRING(CowCreate, backing_file, "backing_file", NULL, "Backing image"),
    VIT_PROP_STRING(CowCreate, backing_fmt, "backing_fmt", NULL, "Its format"),
    { 0 },
};

static bool
cow_create(BlkGraph *graph, const char *filename, const void *state, GError **error)
{
    const CowCreate *create = state;
    CowHeader header = { .magic = "TESTCOW\n", .len = create->size };

    g_strlcpy(header.backing_file, create->backing_file ? create->backing_file : "", 504);
    g_strlcpy(header.backing_format, create->backing_fmt ? create->backing_fmt : "", 16);
    return g_file_set_contents(filename, (char *)&header, sizeof(header), error);
}

static const BlkChildSlot slots[] = { { .name = "file", .required = true },
                                      { .name = "backing", .probe = true },
                                      { 0 } };

static const BlkFormatOps cow_format_ops = { .change_backing = cow_change_backing_file };

const BlkDriver block_test_cow_driver = {
    .name = "testcow",
    .title = "Test image",
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(CowHeader),
    .slots = slots,
    .create_options = create_options,
    .create_size = sizeof(CowCreate),
    .probe = cow_probe,
    .open = cow_open,
    .read = cow_read,
    .write = cow_write,
    .write_zeroes = cow_write_zeroes,
    .get_len = cow_get_len,
    .truncate = cow_truncate,
    .status = cow_status,
    .format = &cow_format_ops,
    .create = cow_create,
};
