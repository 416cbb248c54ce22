/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* The filter "blkverify": does everything to two images and compares what is read from them, to
 * find where a format ("test") forgets what a plain one ("raw") remembers. A difference is an I/O
 * error and a message with its place.
 * Names: blkverify:RAW:TEST. Thread: the lock of the node's context held. */

#include "blk-driver.h"

#include <errno.h>
#include <string.h>

/* The other child; node->file is the image under test. */
static BlkChild *
raw_child(BlkNode *node)
{
    for (guint i = 0; i < node->children->len; i++) {
        BlkChild *child = node->children->pdata[i];
        if (strcmp(child->slot, "raw") == 0) {
            return child;
        }
    }
    return NULL;
}

static bool
verify_open(BlkNode *node, GError **error)
{
    if (blk_node_get_len(node->file->node) != blk_node_get_len(raw_child(node)->node)) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "blkverify: '%s' and '%s' differ in length.", node->file->node->filename,
                    raw_child(node)->node->filename);
        return false;
    }
    return true;
}

static int
report(BlkNode *node, const char *what, uint64_t offset)
{
    g_message("blkverify: %s differs at byte %" G_GUINT64_FORMAT " of '%s'", what, offset,
              node->file->node->filename);
    return -EIO;
}

static int
verify_read(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at)
{
    g_autofree uint8_t *wanted = g_try_malloc(MAX(len, 1)), *have = g_try_malloc(MAX(len, 1));
    int ret = wanted && have ? blk_read_buffer(raw_child(node), offset, wanted, len) : -ENOMEM;

    ret = ret < 0 ? ret : blk_read_buffer(node->file, offset, have, len);
    if (ret < 0) {
        return ret;
    }
    if (memcmp(wanted, have, len) != 0) {
        uint64_t i = 0;
        while (wanted[i] == have[i]) {
            i++;
        }
        return report(node, "what is read", offset + i);
    }
    blk_vec_scatter(vec, at, have, len);
    return 0;
}

/* Both have to end alike. */
static int
agree(BlkNode *node, int raw, int test, uint64_t offset)
{
    return raw == test ? test : report(node, "the outcome of a request", offset);
}

static int
verify_write(BlkNode *node, uint64_t offset, uint64_t len, const BlkVec *vec, uint64_t at,
             unsigned flags)
{
    int raw = blk_write(raw_child(node), offset, len, vec, at, flags);

    return agree(node, raw, blk_write(node->file, offset, len, vec, at, flags), offset);
}

static int
verify_write_zeroes(BlkNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    int raw = blk_write_zeroes(raw_child(node), offset, len, flags & ~BLK_REQ_NO_FALLBACK);

    return agree(node, raw, blk_write_zeroes(node->file, offset, len, flags & ~BLK_REQ_NO_FALLBACK),
                 offset);
}

static int
verify_flush(BlkNode *node)
{
    return blk_flush(node->file);
}

static bool
verify_parse_filename(const char *filename, BlkOptions *options, GError **error)
{
    const char *start = filename + strlen("blkverify:"), *colon = strchr(start, ':');

    if (!g_str_has_prefix(filename, "blkverify:") || !colon || colon == start || !colon[1]) {
        g_set_error(error, VIT_ERROR, VIT_ERROR_INVALID_ARGUMENT,
                    "'%s' names no images: write blkverify:RAW:TEST.", filename);
        return false;
    }
    g_autofree char *raw = g_strndup(start, (size_t)(colon - start));
    blk_options_set(options, "raw.filename", raw);
    blk_options_set(options, "test.filename", colon + 1);
    return true;
}

static const BlkChildSlot slots[] = { { .name = "test", .required = true, .probe = true },
                                      { .name = "raw", .required = true },
                                      { 0 } };
static const char *const schemes[] = { "blkverify", NULL };

const BlkDriver blk_blkverify_driver = {
    .name = "blkverify",
    .title = VIT_N_("Comparison of two images"),
    .role = BLK_ROLE_FILTER,
    .slots = slots,
    .schemes = schemes,
    .parse_filename = verify_parse_filename,
    .open = verify_open,
    .read = verify_read,
    .write = verify_write,
    .write_zeroes = verify_write_zeroes,
    .flush = verify_flush,
};
