/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Raw images: the bytes of the file below, or a window of them (offset=, size=).
 *
 * When nobody said that an image is raw and probing only found nothing better, a guest could write
 * another format's header and have the image opened as that next time, with a backing file of its
 * choice. Such a write is refused.
 *
 * Thread: the lock of the node's context held. */

#include "blk-driver.h"

#include <errno.h>

typedef struct BlkRaw {
    uint64_t offset, size;
    bool has_size;
} BlkRaw;

static uint64_t
file_len(BlkNode *node)
{
    return blk_node_get_len(node->file->node);
}

static int64_t
raw_get_len(BlkNode *node)
{
    const BlkRaw *raw = node->state;
    uint64_t len = file_len(node);

    if (raw->has_size) {
        return (int64_t)raw->size;
    }
    return (int64_t)(len > raw->offset ? len - raw->offset : 0);
}

static bool
raw_open(BlkNode *node, GError **error)
{
    BlkRaw *raw = node->state;
    uint64_t len = file_len(node);
    uint32_t align = node->file->node->limits.request_align;

    raw->has_size = raw->size > 0;
    if (raw->offset > len || raw->size > len - raw->offset) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' has %" G_GUINT64_FORMAT " bytes: offset=%" G_GUINT64_FORMAT
                    ",size=%" G_GUINT64_FORMAT " reaches beyond its end.",
                    node->filename, len, raw->offset, raw->size);
        return false;
    }
    if (raw->offset % align) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': offset=%" G_GUINT64_FORMAT " is not a multiple of the file's block of "
                    "%u bytes (cache.direct is on).",
                    node->filename, raw->offset, align);
        return false;
    }
    return true;
}

static void
raw_refresh_limits(BlkNode *node)
{
    const BlkRaw *raw = node->state;

    node->limits = node->file->node->limits;
    /* The file's coarser alignments are meant from its start. */
    if (raw->offset % node->limits.zeroes_align) {
        node->limits.zeroes_align = node->limits.request_align;
    }
    if (raw->offset % node->limits.discard_align) {
        node->limits.discard_align = node->limits.request_align;
    }
}

static bool
is_in_window(const BlkRaw *raw, uint64_t offset, uint64_t len)
{
    return !raw->has_size || (offset <= raw->size && len <= raw->size - offset);
}

static int
raw_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    const BlkRaw *raw = node->state;

    if (!is_in_window(raw, offset, len)) {
        return -EINVAL;
    }
    return blk_read(node->file, raw->offset + offset, len, vec, at);
}

/* Whether the write would make a probed image look like something else. */
static bool
changes_format(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    g_autofree uint8_t *head = NULL;

    if (node->format_given || offset > 0 || len < 16) {
        return false;
    }
    len = MIN(len, BLK_PROBE_BYTES);
    head = g_malloc(len);
    blk_vec_gather(vec, at, head, len);
    return blk_probe_title(node->graph, head, len) != NULL;
}

static int
raw_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
          unsigned flags)
{
    const BlkRaw *raw = node->state;

    if (!is_in_window(raw, offset, len)) {
        return -EINVAL;
    }
    if (changes_format(node, offset, len, vec, at)) {
        return -EPERM;
    }
    return blk_write(node->file, raw->offset + offset, len, vec, at, flags);
}

static int
raw_discard(BlkNode *node, uint64_t offset, uint64_t len)
{
    const BlkRaw *raw = node->state;

    return is_in_window(raw, offset, len) ? blk_discard(node->file, raw->offset + offset, len)
                                          : -EINVAL;
}

static int
raw_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    const BlkRaw *raw = node->state;

    return is_in_window(raw, offset, len)
               ? blk_write_zeroes(node->file, raw->offset + offset, len, flags)
               : -EINVAL;
}

static int
raw_status(BlkNode *node, uint64_t offset, uint64_t len, BlkStatus *out)
{
    const BlkRaw *raw = node->state;

    return blk_get_status(node->file, raw->offset + offset, len, out);
}

static bool
raw_truncate(BlkNode *node, uint64_t len, BlkPreallocation prealloc, GError **error)
{
    const BlkRaw *raw = node->state;

    if (raw->has_size) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' is opened with size=: its size cannot be changed.", node->filename);
        return false;
    }
    if (len > INT64_MAX - raw->offset) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s': %" G_GUINT64_FORMAT " bytes is too large.", node->filename, len);
        return false;
    }
    return blk_truncate(node->file, raw->offset + len, prealloc, error);
}

static void
raw_child_perm(BlkNode *node, const BlkChild *child, unsigned *perm, unsigned *shared)
{
    /* No metadata of its own: what the users above need, no more. */
}

static int
raw_probe(const uint8_t *buf, size_t len, const char *filename)
{
    return 1;
}

/* ---- new images ---- */

typedef struct RawCreate {
    uint64_t size;
    int32_t preallocation;
    bool nocow;
} RawCreate;

static const char *const preallocation_words[] = { "off", "metadata", "falloc", "full", NULL };

static const VitProp create_options[] = {
    VIT_PROP_SIZE(RawCreate, size, "size", 0, 0, INT64_MAX, VIT_N_("Size of the disk"),
                  .flags = VIT_PROP_REQUIRED),
    VIT_PROP_ENUM(RawCreate, preallocation, "preallocation", preallocation_words, BLK_PREALLOC_OFF,
                  VIT_N_("Reserve space on the host now")),
    VIT_PROP_BOOL(RawCreate, nocow, "nocow", 0, VIT_N_("Turn off copy-on-write of the file")),
    { 0 }
};

static bool
raw_create(BlkGraph *graph, const char *filename, const void *state, GError **error)
{
    const RawCreate *create = state;

    const BlkNewFile wish = { .len = create->size,
                              .prealloc = (BlkPreallocation)create->preallocation,
                              .no_cow = create->nocow };

    return blk_make_file(graph, filename, &wish, NULL, NULL, NULL, error);
}

static bool
raw_measure(BlkGraph *graph, const void *state, BlkNode *source, BlkMeasure *out, GError **error)
{
    const RawCreate *create = state;

    out->required_bytes = source ? blk_node_get_len(source) : create->size;
    out->fully_allocated_bytes = out->required_bytes;
    return true;
}

static const BlkFormatOps format_ops = { .measure = raw_measure };

static const VitProp options[] = {
    VIT_PROP_SIZE(BlkRaw, offset, "offset", 0, 0, INT64_MAX,
                  VIT_N_("Where the image starts in the file")),
    VIT_PROP_SIZE(BlkRaw, size, "size", 0, 0, INT64_MAX,
                  VIT_N_("How long it is; to the end of the file when not given")),
    { 0 }
};

static const BlkChildSlot slots[] = { { .name = "file", .required = true }, { 0 } };

const BlkDriver blk_raw_driver = {
    .name = "raw",
    .title = VIT_N_("Raw image"),
    .role = BLK_ROLE_FORMAT,
    .state_size = sizeof(BlkRaw),
    .options = options,
    .slots = slots,
    .create_options = create_options,
    .create_size = sizeof(RawCreate),
    .probe = raw_probe,
    .open = raw_open,
    .read = raw_read,
    .write = raw_write,
    .discard = raw_discard,
    .write_zeroes = raw_write_zeroes,
    .get_len = raw_get_len,
    .truncate = raw_truncate,
    .status = raw_status,
    .refresh_limits = raw_refresh_limits,
    .child_perm = raw_child_perm,
    .create = raw_create,
    .format = &format_ops,
};
